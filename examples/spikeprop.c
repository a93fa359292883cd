/* spikeprop - learning when to spike: every neuron fires once, and its time is the answer
 *
 *     cc -O2 examples/spikeprop.c -o spikeprop -lm && ./spikeprop
 *     ./spikeprop xor|iris [DIR]        (one of the two; the folder of iris.csv)
 *
 * SpikeProp (Bohte, Kok, La Poutre 2002) follows the error of the output's spike time back through
 * the spike times of the layer before. Any two neurons are joined by 16 connections with delays of
 * 1 to 16 ms, each with a weight of its own.
 *   xor    3-5-1: two inputs at 0 or 6 ms and one always at 0; the output shall fire after 10 ms
 *          where they differ and after 16 ms where they do not. Solved when the half squares of the
 *          four errors sum to less than 1
 *   iris   49-10-3: each of four lengths of a flower becomes the spikes of 12 neurons with Gaussian
 *          receptive fields; the output of its species shall fire first. Trained on two thirds of
 *          the flowers, tested on the others, three times, so that each is tested once
 *
 * Expected, for ten seeds each: xor is solved by all, after 70 epochs or so (median), and at least
 * 95 % of the flowers are named right, about 96 %; else it exits with 1. It takes some 15 s. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
#include <string.h>

enum { SEEDS = 10, DELAYS = 16, FLOWERS = 150, FEATURES = 4, FIELDS = 12, EPOCHS = 30 };
enum { MAX_IN = FEATURES * FIELDS + 1, MAX_HIDDEN = 10, MAX_OUT = 3 };
enum { W2 = MAX_HIDDEN * MAX_IN * DELAYS, WEIGHTS = W2 + MAX_OUT * MAX_HIDDEN * DELAYS };

typedef struct network {
    snn_spikeprop_desc rule;
    int in, hidden, out;
    float w[WEIGHTS]; /* hidden layer's, from W2 on the output's */
    float t1[MAX_HIDDEN], slope1[MAX_HIDDEN], t2[MAX_OUT], slope2[MAX_OUT];
} network;

static const float delays[DELAYS] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

/* Weights uniform in a1..b1 and a2..b2 */
static void start(network *n, int in, int hidden, int out, float eta, uint64_t seed, float a1,
                  float b1, float a2, float b2)
{
    uint32_t k;
    memset(n, 0, sizeof *n);
    n->in = in, n->hidden = hidden, n->out = out;
    n->rule.delay = delays, n->rule.delays = DELAYS, n->rule.eta = eta;
    for (k = 0; k < WEIGHTS; k++)
        n->w[k] = k < W2 ? a1 + (b1 - a1) * snn_uniform(seed, 1, 0, k)
                         : a2 + (b2 - a2) * snn_uniform(seed, 2, 0, k - W2);
}

static void forward(network *n, const float *x)
{
    static snn_spike spikes[MAX_IN * DELAYS + MAX_HIDDEN]; /* scratch */
    static double state[2 * MAX_HIDDEN];
    snn_spikeprop_forward(&n->rule, 1, n->in, n->hidden, n->t1, n->slope1, x, n->w, spikes, state);
    snn_spikeprop_forward(&n->rule, 1, n->hidden, n->out, n->t2, n->slope2, n->t1, n->w + W2,
                          spikes, state);
}

/* One sample: half the squared error, and a step down its gradient. */
static float train(network *n, const float *x, const float *target)
{
    static float dw[WEIGHTS];
    float dt1[MAX_HIDDEN], dt2[MAX_OUT], error = 0;
    int j;
    forward(n, x);
    for (j = 0; j < n->out; j++) {
        dt2[j] = n->t2[j] - target[j];
        error += 0.5f * dt2[j] * dt2[j]; /* enormous where an output is silent */
    }
    memset(dw, 0, sizeof dw);
    snn_spikeprop_backward(&n->rule, 1, n->hidden, n->out, dw + W2, dt1, NULL, dt2, n->t2,
                           n->slope2, n->t1, n->w + W2);
    snn_spikeprop_backward(&n->rule, 1, n->in, n->hidden, dw, NULL, NULL, dt1, n->t1, n->slope1, x,
                           n->w);
    snn_spikeprop_update(&n->rule, WEIGHTS, n->w, dw);
    return error;
}

static int run_xor(void)
{
    static const float x[4][3] = { { 0, 0, 0 }, { 0, 0, 6 }, { 0, 6, 0 }, { 0, 6, 6 } };
    static const float target[4] = { 16, 10, 10, 16 };
    static network net;
    int seed, k, p, epoch, solved = 0, needed[SEEDS];
    for (seed = 0; seed < SEEDS; seed++) {
        float error = 2;
        start(&net, 3, 5, 1, 0.01f, (uint64_t)seed, -0.5f, 1, 0, 1);
        for (k = 4 * DELAYS; k < 5 * DELAYS; k++) /* the fifth hidden neuron inhibits, at first */
            net.w[W2 + k] *= -0.5f;
        for (epoch = 0; epoch < 500 && !(error < 1); epoch++)
            for (error = 0, p = 0; p < 4; p++) error += train(&net, x[p], &target[p]);
        printf("xor   seed %d: %s after %3d epochs, error %.2f\n", seed,
               error < 1 ? "solved" : "NOT SOLVED", epoch, (double)error);
        solved += error < 1;
        for (k = seed; k > 0 && needed[k - 1] > epoch; k--) needed[k] = needed[k - 1];
        needed[k] = epoch;
    }
    printf("xor: %d of %d solved, median %g epochs\n\n", solved, SEEDS,
           (needed[SEEDS / 2 - 1] + needed[SEEDS / 2]) / 2.0);
    return solved == SEEDS;
}

/* The share of flowers named right while they were held out, each in one of three runs. */
static double three_folds(float x[][MAX_IN], const int *kind, int seed)
{
    static network net, mean;
    int order[FLOWERS], fold_of[FLOWERS], of_kind[3] = { 0 }, fold, epoch, i, k, right = 0;
    uint32_t draw = 0;
    snn_permutation(order, FLOWERS, (uint64_t)seed, draw);
    for (i = 0; i < FLOWERS; i++) fold_of[order[i]] = of_kind[kind[order[i]]]++ % 3;
    for (fold = 0; fold < 3; fold++) {
        start(&net, MAX_IN, 10, 3, 0.0075f, (uint64_t)(3 * seed + fold), 0, 0.04f, -0.2f, 0.5f);
        mean = net;
        for (epoch = 0; epoch < EPOCHS; epoch++) {
            const int old = epoch - EPOCHS / 4;
            snn_permutation(order, FLOWERS, (uint64_t)seed, ++draw);
            for (i = 0; i < FLOWERS; i++) {
                float target[3] = { 16, 16, 16 };
                target[kind[order[i]]] = 12;
                if (fold_of[order[i]] != fold) train(&net, x[order[i]], target);
            }
            /* a step for each flower makes the weights restless: what counts is their mean */
            for (k = 0; k < WEIGHTS; k++)
                mean.w[k] += (net.w[k] - mean.w[k]) / (old > 0 ? (float)old + 1 : 1);
        }
        for (i = 0; i < FLOWERS; i++) {
            if (fold_of[i] != fold) continue;
            forward(&mean, x[i]);
            for (k = 0; k < 3 && (k == kind[i] || mean.t2[kind[i]] < mean.t2[k]);) k++;
            right += k == 3; /* its output alone was first */
        }
    }
    return (double)right / FLOWERS;
}

static int run_iris(const char *dir)
{
    static float x[FLOWERS][MAX_IN]; /* the last input fires at 0, always */
    /* fields so wide that most neurons answer to every flower: a smooth code, as few data want */
    const snn_population_desc code = { .fields = FIELDS, .beta = 0.3f, .rounding = SNN_ROUND_NONE };
    const float lo[FEATURES] = { 4.3f, 2, 1, 0.1f }, hi[FEATURES] = { 7.9f, 4.4f, 6.9f, 2.5f };
    int kind[FLOWERS], seed, i;
    double share, sum = 0;
    char path[1024];
    FILE *f;

    snprintf(path, sizeof path, "%s/iris.csv", dir);
    f = fopen(path, "r");
    for (i = 0; f && i < FLOWERS; i++) {
        float v[FEATURES];
        if (fscanf(f, "%f,%f,%f,%f,%d", v, v + 1, v + 2, v + 3, &kind[i]) != 5 || kind[i] < 0 ||
            kind[i] > 2 ||
            snn_encode_population(&code, 1, FEATURES, x[i], NULL, v, lo, hi) != SNN_OK)
            break;
    }
    if (f) fclose(f);
    if (i < FLOWERS) return fprintf(stderr, "no %d flowers in %s\n", FLOWERS, path), 0;
    for (seed = 0; seed < SEEDS; seed++) {
        sum += share = three_folds(x, kind, seed);
        printf("iris  seed %d: %.1f %% right of flowers not trained on\n", seed, 100 * share);
        fflush(stdout);
    }
    printf("iris: %.1f %%\n", 100 * sum / SEEDS);
    return sum / SEEDS >= 0.95;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "both", *dir = argc > 2 ? argv[2] : "examples/data";
    int good = 1;
    if (argc > 1 && strcmp(what, "xor") && strcmp(what, "iris"))
        return fprintf(stderr, "usage: spikeprop [xor|iris [DIR]]\n"), 2;
    if (strcmp(what, "iris")) good &= run_xor();
    if (strcmp(what, "xor")) good &= run_iris(dir);
    return !good;
}
