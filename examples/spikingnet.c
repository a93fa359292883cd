/* spikingnet - the recipes that come with spikingtorch, one net for each of its neurons
 *
 *     cc -O2 examples/spikingnet.c -o spikingnet -lm && ./spikingnet    (-fopenmp: on all cores)
 *     ./spikingnet [DIR [EPOCHS]]    (the four MNIST files; else the digits in examples/data)
 *
 * Each pixel fires at random at each of 8 steps, as often as it is bright. 4C4-stride 2, 6C4 and a
 * linear layer without bias, with a neuron after each, learn by cross entropy of their spike
 * counts. BioLIF neurons want excitation and inhibition, neither below zero: layers have twice the
 * outputs, first all that excite, then all that inhibit, and the optimiser keeps weights in [0, 2]
 * and biases in [0, 1] (spikingtorch's ClippingNet); also as a dense net of 100 neurons.
 *
 * Expected: a line a net with its test accuracy, about 92, 93, 91, 86 and 86 % after five epochs of
 * the shipped digits, in about a minute, or 96, 97, 95, 88 and 90 % after one of all 60,000. Exits
 * with 1 where one is below its floor. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 32, STEPS = 8, CLASSES = 10, SIDE = 28, PIXELS = SIDE * SIDE, NETS = 5 };
static float x[BATCH * PIXELS], spikes[STEPS * BATCH * PIXELS];
static int y[BATCH];

#define SIGMOID(k) .surrogate = SNN_SIGMOID, .surrogate_p0 = k
static const struct recipe {
    const char *name;
    int (*neuron)(snn_net *net, int x, const snn_neuron_desc *d);
    snn_neuron_desc desc;
    float lr;
    int inputs, hidden; /* of a neuron; neurons of the dense net, 0: convolutions */
    double floors[2];   /* per cent, of the shipped digits and of all */
} nets[NETS] = { /* tau 4: V = a U + tau (1 - a) x, a = exp(-1/4) */
    { "IF", snn_if, { SIGMOID(5) }, 1e-3f, 1, 0, { 88, 94 } },
    { "LIF", snn_lif, { .beta = 0.7788f, .input_gain = 0.8848f, SIGMOID(3) }, 1e-3f, 1, 0,
      { 89, 95 } },
    { "McPitts", snn_mcpitts, { .threshold = 0.1f, SIGMOID(3) }, 1e-3f, 1, 0, { 85, 90 } },
    { "BioLIF", snn_bio_lif, { .custom = { 0, 0.25f }, SIGMOID(3) }, 1e-2f, 2, 0, { 80, 83 } },
    { "dense", snn_bio_lif, { .custom = { 0, 0.25f }, SIGMOID(3) }, 1e-2f, 2, 100, { 80, 86 } },
};
static const snn_param_group bounds[] = {
    { "conv1.weight", .hi = 2 }, { "conv2.weight", .hi = 2 }, { "fc1.weight", .hi = 2 },
    { "fc2.weight", .hi = 2 }, { "", .hi = 1 } };

/* The images and labels of one set ("train" or "t10k"), kept until the program ends. */
static int load_digits(snn_data *data, const char *dir, const char *set)
{
    char path[1024];
    snn_idx images, labels;
    int i, *label;
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", dir, set);
    if (snn_idx_load(&images, path) != SNN_OK) return 0;
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", dir, set);
    if (snn_idx_load(&labels, path) != SNN_OK) return 0;
    label = (int *)malloc(labels.count * sizeof *label);
    if (label == NULL || images.count != labels.count * PIXELS) return 0;
    for (i = 0; i < labels.shape[0]; i++) label[i] = labels.data[i];
    snn_idx_free(&labels);
    *data = (snn_data){ .bytes = images.data, .y = label, .count = images.shape[0],
                        .features = PIXELS };
    return 1;
}

static snn_net *build(const struct recipe *r)
{
    const snn_net_desc desc = { .batch = BATCH, .steps = STEPS, .seed = 1,
                                .input = SNN_INPUT_SPIKES };
    const snn_conv2d_desc conv1 = { .out_channels = 4 * r->inputs, .kernel = 4, .stride = 2 };
    const snn_conv2d_desc conv2 = { .out_channels = 6 * r->inputs, .kernel = 4 };
    const snn_linear_desc fc = { .out_features = r->hidden * r->inputs };
    const snn_linear_desc last = { .out_features = CLASSES * r->inputs, .no_bias = 1 };
    snn_net *net = NULL;
    int i, k, n, node;
    if (snn_net_create(&net, &desc) != SNN_OK) return NULL;
    node = snn_input(net, 1, SIDE, SIDE);
    if (r->hidden) node = r->neuron(net, snn_linear(net, node, &fc), &r->desc);
    else {
        node = r->neuron(net, snn_conv2d(net, node, &conv1), &r->desc);
        node = r->neuron(net, snn_conv2d(net, node, &conv2), &r->desc);
    }
    r->neuron(net, snn_linear(net, node, &last), &r->desc);
    snn_net_build(net);
    for (i = 0; r->inputs == 2 && i < snn_net_param_count(net); i++) {
        const snn_param *p = snn_net_param(net, i); /* |w| excites, 0.01 |w| inhibits */
        n = p->grad.data ? (int)snn_tensor_count(&p->value) : 0;
        for (k = 0; k < n; k++)
            p->value.data[k] = fabsf(p->value.data[k]) *
                               (k >= n / 2 && strstr(p->name, "weight") ? 0.01f : 1.0f);
    }
    snn_net_params_changed(net);
    return net;
}

/* The next batch, as spikes; returns how many of its samples are real. */
static int encode(const snn_data *data, const int *order, int start, uint64_t seed)
{
    int real = snn_batch(data, order, start, BATCH, 0, x, y);
    snn_encode_rate(spikes, x, STEPS, BATCH * PIXELS, 1, 0, 0, seed);
    return real;
}

static double test_accuracy(snn_net *net, const snn_data *data)
{
    int k, i, real, right = 0, guess[BATCH];
    for (k = 0; k < data->count; k += BATCH) {
        real = encode(data, NULL, k, (uint64_t)1 << 40 | (uint64_t)k);
        snn_net_forward(net, spikes);
        snn_predict(SNN_ACCURACY_RATE, STEPS, BATCH, CLASSES,
                    snn_net_spikes(net, snn_net_output(net)).data, guess, 0);
        for (i = 0; i < real; i++) right += guess[i] == y[i];
    }
    return 100.0 * right / data->count;
}

int main(int argc, char **argv)
{
    const snn_loss_desc count = { .kind = SNN_LOSS_CE_COUNT };
    const char *dir = argc > 1 ? argv[1] : "examples/data";
    int i, k, total, missed = 0, *order;
    snn_data train, test;
    if (!load_digits(&train, dir, "train") || !load_digits(&test, dir, "t10k")) {
        fprintf(stderr, "no MNIST files in %s\nusage: spikingnet [DIR [EPOCHS]]\n", dir);
        return 2;
    }
    if ((order = (int *)malloc((size_t)train.count * sizeof *order)) == NULL) return 2;
    total = train.count / BATCH * (argc > 2 ? atoi(argv[2]) : train.count < 30000 ? 5 : 1);
    printf("net       accuracy   floor     time\n");
    for (i = 0; i < NETS; i++) {
        snn_net *net = build(&nets[i]);
        snn_optim_desc adam = { .lr = nets[i].lr };
        double floor = nets[i].floors[train.count >= 30000], accuracy;
        time_t start = time(NULL);
        if (net == NULL) return 2;
        if (nets[i].inputs == 2) adam.groups = bounds, adam.num_groups = 5;
        for (k = 0; k < total; k++) {
            int epoch = k / (train.count / BATCH), at = k % (train.count / BATCH);
            if (at == 0) snn_permutation(order, train.count, 1, (uint32_t)epoch);
            encode(&train, order, at * BATCH, (uint64_t)k);
            if (snn_train_step(net, &adam, &count, spikes, y) < 0) break;
        }
        if (*snn_net_error(net)) {
            fprintf(stderr, "%s\n", snn_net_error(net));
            return 2;
        }
        accuracy = test_accuracy(net, &test);
        missed += accuracy < floor;
        printf("%-8s  %6.2f %%  %4.0f %%  %5.0f s\n", nets[i].name, accuracy, floor,
               difftime(time(NULL), start));
        fflush(stdout);
        snn_net_destroy(net);
    }
    free(order);
    return missed ? 1 : 0;
}
