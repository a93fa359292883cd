/* rules - six ways to learn without backpropagation through time, each on a net of 784-128-10
 *
 *     cc -O2 examples/rules.c -o rules -lm && ./rules
 *     ./rules [DIR [NAME]]
 *
 *   ottt             traces of the inputs, errors through the layers of this step alone
 *   eprop            adaptive, recurrent neurons; an eligibility a synapse meets a random feedback
 *   decolle          a fixed random readout for the layer, doubly filtered inputs
 *   bpstdp           error spikes and the spike counts of a short window
 *   forward_forward  no error at all: digits with their own label are good, with a wrong one bad
 *   slayer           neurons that answer in alpha functions, errors convolved backwards in time
 *
 * DIR holds the four MNIST files under their usual names; without it the digits in examples/data
 * are taken. NAME trains with that rule alone. One pass over at most 12,000 digits, as random
 * spikes in 12 steps; all is on plain arrays, without a net of the library.
 *
 * Expected: a row for each rule with its test accuracy; exits with 1 when one misses its floor. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 20, STEPS = 12, IN = 784, HID = 128, OUT = 10, X = BATCH * IN, H = BATCH * HID,
       Y = BATCH * OUT, W1 = 0, W2 = W1 + HID * IN, REC = W2 + OUT * HID, BIAS = REC + HID * HID,
       N = BIAS + HID };

static float p[N], g[N], moment1[N], moment2[N];  /* parameters, gradients, Adam's state */
static float feedback[OUT * HID], x1[X], in[STEPS * X]; /* a batch, and its spikes */
static float pool[5000000];
static size_t used;
static int updates;

static float *zeros(size_t count) /* until the batch is done */
{
    used += count;
    if (used > sizeof pool / sizeof *pool) exit(2);
    return (float *)memset(pool + used - count, 0, count * sizeof *pool);
}

static void adam(float lr)
{
    snn_optim_desc o = { .lr = lr };
    snn_optim_update(&o, ++updates, p, g, moment1, moment2, N);
    memset(g, 0, sizeof g);
}

/* A hidden layer whose eligibilities meet a signal, and a readout: all three are this one loop. */
enum { OTTT, EPROP, DECOLLE };
static float *online(int kind, const int *y, int learn)
{
    static const snn_online_desc hidden[] = {
        { .decay = 0.8f },
        { .decay = 0.8f, .adaptation = 0.2f, .adaptation_decay = 0.95f, .smooth = 0.8f },
        { .decay = 0.8f, .decay2 = 0.6f, .normalise = 1 } };
    static const snn_neuron_desc neurons[] = {
        { .beta = 0.8f, .reset = SNN_RESET_SUBTRACT },
        { .beta = 0.8f, .custom = { [2] = 0.95f, [3] = 0.2f } },
        { .beta = -1, .threshold = 1e-30f, .reset = SNN_RESET_NONE,
          .custom = { [2] = 0.65f, [3] = 0.35f } } };
    static const snn_surrogate slopes[] = { { .kind = SNN_HAT }, { .kind = SNN_HAT, .p1 = 0.3f },
                                            { .kind = SNN_BOXCAR } };
    const snn_online_desc *d = &hidden[kind], leaky = { .decay = kind == DECOLLE ? 0 : 0.8f };
    const float *w2 = kind == DECOLLE ? feedback : p + W2, *back = kind == EPROP ? feedback : w2;
    float *state = zeros(snn_online_size(d, BATCH, IN, HID)), *u[] = { zeros(H), zeros(H) };
    float *loop = zeros(snn_online_size(d, BATCH, HID, HID)), *now = zeros(H), *last = zeros(H);
    float *readout = zeros(snn_online_size(&leaky, BATCH, HID, OUT)), *out = zeros(Y);
    float *s = zeros(H), *signal = zeros(H), *e = zeros(Y), *sum = zeros(Y);
    snn_neuron_model m;
    int t, i;
    snn_neuron_init(&m, snn_neuron_info(kind == OTTT ? SNN_LIF : SNN_ALIF), &neurons[kind]);
    for (t = 0; t < STEPS; t++) {
        const float *x = in + t * X, *trace = snn_online_trace(d, BATCH, IN, x, state);
        memcpy(last, s, H * sizeof *s);
        snn_dense_forward(now, kind == DECOLLE ? trace : x, p + W1, p + BIAS, BATCH, IN, HID);
        if (kind == EPROP) snn_dense_forward(s, last, p + REC, NULL, BATCH, HID, HID);
        for (i = 0; kind == EPROP && i < H; i++) now[i] += s[i];
        snn_neuron_forward(&m, H, s, u, now);
        snn_dense_forward(e, s, w2, NULL, BATCH, HID, OUT);
        for (i = 0; i < Y; i++) sum[i] += out[i] = leaky.decay * out[i] + e[i];
        if (!learn) continue;
        for (i = 0; i < Y; i++) { /* softmax less one-hot; DECOLLE: a squared error */
            float total = 0;
            for (int k = i / OUT * OUT; k < i / OUT * OUT + OUT; k++) total += expf(out[k]);
            e[i] = (kind == DECOLLE ? out[i] : expf(out[i]) / total) - (i % OUT == y[i / OUT]);
        }
        for (i = 0; i < H; i++) /* membrane less threshold, before the reset */
            now[i] = kind == OTTT ? u[0][i] + s[i] - 1
                     : u[0][i] - neurons[kind].custom[3] * u[1][i] - (kind == EPROP);
        snn_surrogate_grad(&slopes[kind], H, now, NULL, now);
        snn_dense_backward(signal, NULL, NULL, e, NULL, back, BATCH, HID, OUT);
        snn_online_linear(d, BATCH, IN, HID, NULL, now, signal, NULL, state, g + W1, g + BIAS,
                          NULL);
        if (kind == EPROP)
            snn_online_linear(d, BATCH, HID, HID, last, now, signal, NULL, loop, g + REC, NULL,
                              NULL);
        if (kind != DECOLLE)
            snn_online_linear(&leaky, BATCH, HID, OUT, s, NULL, e, NULL, readout, g + W2, NULL,
                              NULL);
    }
    if (learn) adam(kind == DECOLLE ? 5e-3f : 2e-3f);
    return sum;
}
static float *ottt(const int *y, int learn) { return online(OTTT, y, learn); }
static float *eprop(const int *y, int learn) { return online(EPROP, y, learn); }
static float *decolle(const int *y, int learn) { return online(DECOLLE, y, learn); }

static float *bpstdp(const int *y, int learn)
{
    enum { WINDOW = 5, ROWS = WINDOW + 1 };
    float *u1[] = { zeros(H), zeros(H) }, *u2[] = { zeros(Y), zeros(Y) }, *now = zeros(H);
    float *h = zeros(H), *o = zeros(Y), *sum = zeros(Y), *xi_o = zeros(Y), *xi_h = zeros(H);
    float *counts = zeros(ROWS * (X + H + Y));
    snn_neuron_desc d = { .threshold = 0.9f, .fire_at_threshold = 1 };
    snn_neuron_model m1, m2;
    int t, i;
    snn_neuron_init(&m1, snn_neuron_info(SNN_IF), &d);
    d.threshold = 0.025f * HID;
    snn_neuron_init(&m2, snn_neuron_info(SNN_IF), &d);
    for (t = 0; t < STEPS; t++) {
        snn_dense_forward(now, in + t * X, p + W1, NULL, BATCH, IN, HID);
        snn_neuron_forward(&m1, H, h, u1, now);
        snn_dense_forward(now, h, p + W2, NULL, BATCH, HID, OUT);
        snn_neuron_forward(&m2, Y, o, u2, now);
        for (i = 0; i < Y; i++) sum[i] += o[i] + 1e-3f * u2[0][i]; /* ties: the membrane */
        if (!learn) continue;
        snn_bpstdp_error(WINDOW, t, BATCH, OUT, o, y, NULL, counts + ROWS * (X + H), xi_o);
        snn_bpstdp_linear(WINDOW, t, BATCH, HID, OUT, h, xi_o, p + W2, counts + ROWS * X,
                          g + W2, xi_h);
        snn_bpstdp_linear(WINDOW, t, BATCH, IN, HID, in + t * X, xi_h, NULL, counts, g + W1, NULL);
        for (i = 0; i < N && t >= WINDOW - 1; i++) p[i] += 5e-4f * g[i];
        memset(g, 0, sizeof g);
    }
    return sum;
}

/* Layer 1 alone. The label stands in the first ten pixels, which are black in every digit. */
static float *forward_forward(const int *y, int learn)
{
    float *h = zeros(H), *good = zeros(BATCH), *all = zeros(Y);
    snn_forward_forward_desc d = { .threshold = 2 };
    int k, i;
    for (k = 0; k < (learn ? 2 : OUT); k++) { /* the right label and a wrong one; or each */
        for (i = 0; i < Y; i++) {
            const int b = i / OUT, wrong = (y[b] + 1 + (b + updates) % 9) % 10;
            x1[b * IN + i % OUT] = i % OUT == (!learn ? k : k ? wrong : y[b]) ? 1.0f : 0.0f;
        }
        d.negative = k;
        snn_forward_forward(&d, BATCH, IN, HID, x1, p + W1, p + BIAS, h, good, NULL, g + W1,
                            g + BIAS);
        for (i = 0; i < BATCH; i++) all[i * OUT + k] = good[i];
    }
    if (learn) adam(1e-2f);
    return all;
}

static float *slayer(const int *y, int learn)
{
    float *a1 = zeros(STEPS * X), *u1 = zeros(STEPS * H), *s1 = zeros(STEPS * H);
    float *a2 = zeros(STEPS * H), *u2 = zeros(STEPS * Y), *s2 = zeros(STEPS * Y);
    float *e1 = zeros(STEPS * H), *e2 = zeros(STEPS * Y), *sum = zeros(Y);
    const snn_slayer_desc d = { .tau = 2 };
    int i;
    snn_slayer_forward(&d, STEPS, BATCH, IN, HID, in, p + W1, a1, u1, s1);
    snn_slayer_forward(&d, STEPS, BATCH, HID, OUT, s1, p + W2, a2, u2, s2);
    snn_decode_sum(sum, s2, STEPS, Y, 1, 0);
    if (learn) {
        for (i = 0; i < STEPS * Y; i++) /* counts: 8 spikes for the label, 1 for the others */
            e2[i] = sum[i % Y] - (i % OUT == y[i % Y / OUT] ? 8.0f : 1.0f);
        snn_slayer_backward(&d, STEPS, BATCH, HID, OUT, a2, u2, p + W2, e2, g + W2, e1);
        snn_slayer_backward(&d, STEPS, BATCH, IN, HID, a1, u1, NULL, e1, g + W1, NULL);
        adam(2e-3f);
    }
    for (i = 0; i < Y; i++) sum[i] += 1e-3f * u2[(STEPS - 1) * Y + i];
    return sum;
}

static const struct {
    const char *name;
    float *(*run)(const int *y, int learn); /* one batch of x1, as spikes in `in`: its scores */
    double floor;
} rules[] = { { "ottt", ottt, 0.86 }, { "eprop", eprop, 0.84 }, { "decolle", decolle, 0.84 },
              { "bpstdp", bpstdp, 0.8 }, { "forward_forward", forward_forward, 0.7 },
              { "slayer", slayer, 0.84 } };

/* The images and labels of one set ("train" or "t10k"), kept until the program ends. */
static int load_digits(snn_data *data, const char *dir, const char *set)
{
    char path[1024];
    snn_idx images, labels;
    int i, *y;
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", dir, set);
    if (snn_idx_load(&images, path) != SNN_OK) return 0;
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", dir, set);
    if (snn_idx_load(&labels, path) != SNN_OK || images.count != labels.count * IN) return 0;
    y = (int *)malloc(labels.count * sizeof *y);
    if (y == NULL) return 0;
    for (i = 0; i < labels.shape[0]; i++) y[i] = labels.data[i];
    snn_idx_free(&labels);
    *data = (snn_data){ .bytes = images.data, .y = y, .count = images.shape[0], .features = IN };
    return 1;
}

/* One pass; returns the share of right answers. */
static double pass(float *(*run)(const int *, int), const snn_data *data, int learn)
{
    int y[BATCH], guess[BATCH], k, b, right = 0;
    for (k = 0; k + BATCH <= data->count; k += BATCH) {
        snn_batch(data, NULL, k, BATCH, 0, x1, y);
        snn_encode_rate(in, x1, STEPS, X, 1, 0, 0, (uint64_t)(learn + 2 * k));
        used = 0;
        snn_predict(SNN_ACCURACY_MEMBRANE, 1, BATCH, OUT, run(y, learn), guess, 0);
        for (b = 0; b < BATCH; b++) right += guess[b] == y[b];
    }
    return (double)right / k;
}

int main(int argc, char **argv)
{
    const char *dirs[] = { "examples/data", "data", "../examples/data" }, *dir = dirs[0];
    int i, k, found = 0, missed = 0;
    snn_data train, test;
    for (i = 0; i < (argc > 1 ? 1 : 3) && !found; i++) {
        dir = argc > 1 ? argv[1] : dirs[i];
        found = load_digits(&train, dir, "train") && load_digits(&test, dir, "t10k");
    }
    if (!found) {
        fprintf(stderr, "no MNIST files in %s\nusage: rules [DIR [NAME]]\n", dir);
        return 2;
    }
    if (train.count > 12000) train.count = 12000;
    printf("%d digits from %s\n%-16s  test accuracy  seconds\n", train.count, dir, "rule");
    for (i = 0; i < (int)(sizeof rules / sizeof *rules); i++) {
        const time_t start = time(NULL);
        double right;
        if (argc > 2 && strcmp(argv[2], rules[i].name)) continue;
        memset(g, 0, sizeof g), memset(moment1, 0, sizeof moment1);
        memset(moment2, 0, sizeof moment2);
        for (k = updates = 0; k < N; k++) /* uniform in +-1/sqrt(inputs) */
            p[k] = (2 * snn_uniform(1, 0, 0, (uint32_t)k) - 1) *
                   (k < W2 ? 1 / 28.0f : k < BIAS ? 1 / 11.3f : 0);
        for (k = 0; k < OUT * HID; k++) feedback[k] = 0.1f * snn_normal(1, 1, 0, (uint32_t)k);
        pass(rules[i].run, &train, 1);
        right = pass(rules[i].run, &test, 0);
        missed += right < rules[i].floor;
        printf("%-16s  %8.2f %%  %9.0f%s\n", rules[i].name, 100 * right,
               difftime(time(NULL), start), right < rules[i].floor ? "  below its floor" : "");
        fflush(stdout);
    }
    return missed > 0;
}
