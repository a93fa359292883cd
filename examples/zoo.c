/* zoo - one net, 784-128-10, with sixteen kinds of neuron in its middle, on handwritten digits
 *
 *     cc -O2 examples/zoo.c -o zoo -lm && ./zoo                (-fopenmp: on all cores)
 *     ./zoo [DIR [NAME]]
 *
 * DIR holds the four MNIST files under their usual names; without it the digits in examples/data
 * are taken. NAME trains that neuron alone. The picture is shown unchanged for 20 steps; the output
 * is a leaky integrator (beta 0.9), cross entropy on its membranes summed over the steps; Adam with
 * a one-cycle rate, batches of 64, one epoch (four on the shipped 6,000 digits).
 *
 * Expected: a row for each neuron with its test accuracy; exits with 1 when one has less than 93 %,
 * or RLeaky or SLSTM less than 96 %, of the 10,000 digits (85 % of the shipped 1,000). */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 64, STEPS = 20, CLASSES = 10, PIXELS = 784, HIDDEN = 128 };

static const struct {
    const char *name;
    int (*layer)(snn_net *, int, const snn_neuron_desc *);
    double target; /* on all of MNIST */
    int inputs;    /* of one neuron */
    snn_neuron_desc desc;
} kinds[] = {
    { "leaky", snn_leaky, 0.93, 1, { .beta = 0.9f } },
    { "lapicque", snn_lapicque, 0.93, 1, { .beta = 0.9f } },
    { "synaptic", snn_synaptic, 0.93, 1, { .alpha = 0.5f, .beta = 0.9f } },
    { "alpha", snn_alpha, 0.93, 1, { .alpha = 0.9f, .beta = 0.8f } },
    { "rleaky, one to one", snn_rleaky, 0.96, 1,
      { .beta = 0.9f, .recurrence = SNN_RECURRENCE_ONE_TO_ONE } },
    { "rleaky, all to all", snn_rleaky, 0.96, 1, { .beta = 0.8f } },
    { "rsynaptic, one to one", snn_rsynaptic, 0.93, 1,
      { .alpha = 0.5f, .beta = 0.9f, .recurrence = SNN_RECURRENCE_ONE_TO_ONE } },
    { "rsynaptic, all to all", snn_rsynaptic, 0.93, 1, { .alpha = 0.5f, .beta = 0.9f } },
    { "slstm", snn_slstm, 0.96, 4, { .threshold = 0.3f } },
    { "state_leaky", snn_state_leaky, 0.93, 1, { .beta = 0.9f } },
    { "delta_leaky", snn_delta_leaky, 0.93, 1, { .beta = 0.9f, .threshold = 0.2f } },
    { "leaky_parallel", snn_leaky_parallel, 0.93, 1, { .beta = 0.9f } },
    { "alif", snn_alif, 0.93, 1, { .beta = 0.9f, .learn_custom = 1 } },
    { "lif", snn_lif, 0.93, 1, { .beta = 0.9f } },
    { "lif, refractory", snn_lif, 0.93, 1, { .beta = 0.9f, .refractory = 2 } },
    { "if", snn_if, 0.93, 1, { .reset = SNN_RESET_SUBTRACT } },
    { "coarse_lif", snn_coarse_lif, 0.93, 1, { .tau = 8 } },
    { "mcpitts", snn_mcpitts, 0.93, 1, { .threshold = 0.5f } },
    { "adex", snn_adex, 0.93, 1, { .beta = 0.8f, .learn_custom = 1 } },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The images and labels of one set ("train" or "t10k"), kept until the program ends. */
static int load_digits(snn_data *data, const char *dir, const char *set)
{
    char path[1024];
    snn_idx images, labels;
    int i, *y;
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", dir, set);
    if (snn_idx_load(&images, path) != SNN_OK) return 0;
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", dir, set);
    if (snn_idx_load(&labels, path) != SNN_OK || images.count != labels.count * PIXELS) return 0;
    y = (int *)malloc(labels.count * sizeof *y);
    if (y == NULL) return 0;
    for (i = 0; i < labels.shape[0]; i++) y[i] = labels.data[i];
    snn_idx_free(&labels);
    *data = (snn_data){.bytes = images.data, .y = y, .count = images.shape[0], .features = PIXELS};
    return 1;
}

/* Test accuracy after training; negative when the net fails. */
static double train_kind(int kind, const snn_data *train, const snn_data *test, int *order)
{
    static float images[BATCH * PIXELS];
    const snn_net_desc desc = { .batch = BATCH, .steps = STEPS, .seed = 1 };
    const snn_neuron_desc readout = { .beta = 0.9f };
    const snn_loss_desc loss = { .kind = SNN_LOSS_CE_MEMBRANE };
    const int epochs = train->count < 30000 ? 4 : 1, batches = train->count / BATCH;
    const snn_schedule_desc cycle = { .kind = SNN_SCHEDULE_ONE_CYCLE, .lr = 3e-3f,
                                      .period = epochs * batches };
    int y[BATCH], x, k;
    double result = -1;
    snn_net *net = NULL;
    if (snn_net_create(&net, &desc) != SNN_OK) return result;
    x = snn_input(net, PIXELS, 0, 0);
    x = snn_linear(net, x, &(snn_linear_desc){ .out_features = HIDDEN * kinds[kind].inputs });
    x = kinds[kind].layer(net, x, &kinds[kind].desc);
    x = snn_linear(net, x, &(snn_linear_desc){ .out_features = CLASSES });
    snn_li(net, x, &readout);
    if (snn_net_build(net) == SNN_OK) result = 0;
    for (k = 0; k < epochs * batches && result >= 0; k++) {
        const snn_optim_desc adam = { .lr = snn_schedule(&cycle, k), .clip_norm = 1 };
        if (k % batches == 0) snn_permutation(order, train->count, 1, (uint32_t)(k / batches));
        snn_batch(train, order, k % batches * BATCH, BATCH, 0, images, y);
        if (snn_train_step(net, &adam, &loss, images, y) < 0) result = -1;
    }
    if (result == 0) result = snn_evaluate(net, test, SNN_ACCURACY_MEMBRANE);
    if (result < 0) fprintf(stderr, "%s\n", snn_net_error(net));
    snn_net_destroy(net);
    return result;
}

int main(int argc, char **argv)
{
    const char *dirs[] = { "examples/data", "data", "../examples/data" }, *dir = dirs[0];
    int i, *order, found = 0, missed = 0;
    snn_data train, test;
    for (i = 0; i < (argc > 1 ? 1 : 3) && !found; i++) {
        dir = argc > 1 ? argv[1] : dirs[i];
        found = load_digits(&train, dir, "train") && load_digits(&test, dir, "t10k");
    }
    if (!found || (order = (int *)malloc((size_t)train.count * sizeof *order)) == NULL) {
        fprintf(stderr, "no MNIST files in %s\nusage: zoo [DIR [NAME]]\n", dir);
        return 2;
    }
    printf("%d digits from %s\n%-24s test accuracy\n", train.count, dir, "hidden neurons");
    for (i = 0; i < KINDS; i++) {
        const double target = train.count < 30000 ? 0.85 : kinds[i].target;
        time_t start = time(NULL);
        double result;
        if (argc > 2 && strncmp(argv[2], kinds[i].name, strlen(argv[2]))) continue;
        result = train_kind(i, &train, &test, order);
        missed += result < target;
        printf("%-24s %6.2f %%  %s%.0f s\n", kinds[i].name, result * 100,
               result < target ? "below its target, " : "", difftime(time(NULL), start));
        fflush(stdout);
    }
    free(order);
    return missed > 0;
}
