/* mlp - the net of snnTorch's tutorial 5: 784-1000-10 Leaky neurons on handwritten digits
 *
 *     cc -O2 examples/mlp.c -o mlp -lm && ./mlp                (-fopenmp: on all cores)
 *     ./mlp [DIR]
 *
 * DIR holds the four MNIST files under their usual names; without it the digits in examples/data
 * are taken. Leaky with beta 0.95 and the atan surrogate, 25 steps, cross entropy on the output
 * membranes summed over the steps, Adam 5e-4, batches of 128. The class with the largest sum of
 * membranes wins.
 *
 * Expected: a progress line and `test accuracy: NN.NN%`, at least 95.5 % after one epoch on all
 * 60,000 digits (the tutorial counts spikes and prints 93.87 %), at least 90 % after five on the
 * shipped 6,000; below that it exits with 1. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__unix__) || defined(__APPLE__)
    #include <unistd.h>
    #define ON_A_TERMINAL isatty(1)
#else
    #define ON_A_TERMINAL 0
#endif

enum { BATCH = 128, STEPS = 25, CLASSES = 10, PIXELS = 784 };

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

int main(int argc, char **argv)
{
    const char *dirs[] = { "examples/data", "data", "../examples/data" }, *dir = dirs[0];
    const snn_leaky_desc lif = { .beta = 0.95f };
    const snn_net_desc desc = { .batch = BATCH, .steps = STEPS, .seed = 1 };
    const snn_optim_desc adam = { .lr = 5e-4f };
    const snn_loss_desc loss = { .kind = SNN_LOSS_CE_MEMBRANE };
    static float images[BATCH * PIXELS];
    int y[BATCH], i, x, k, batches, epochs, total, *order, found = 0;
    float mean = 0;
    double target, result;
    snn_data train, test;
    snn_net *net = NULL;
    time_t start;

    for (i = 0; i < (argc > 1 ? 1 : 3) && !found; i++) {
        dir = argc > 1 ? argv[1] : dirs[i];
        found = load_digits(&train, dir, "train") && load_digits(&test, dir, "t10k");
    }
    if (!found || (order = (int *)malloc((size_t)train.count * sizeof *order)) == NULL) {
        fprintf(stderr, "no MNIST files in %s\nusage: mlp [DIR]\n", dir);
        return 2;
    }
    if (snn_net_create(&net, &desc) != SNN_OK) return 2;
    x = snn_input(net, PIXELS, 0, 0);
    x = snn_leaky(net, snn_linear(net, x, &(snn_linear_desc){ .out_features = 1000 }), &lif);
    x = snn_leaky(net, snn_linear(net, x, &(snn_linear_desc){ .out_features = CLASSES }), &lif);
    if (snn_net_build(net) != SNN_OK) {
        fprintf(stderr, "%s\n", snn_net_error(net));
        return 2;
    }

    epochs = train.count < 30000 ? 5 : 1;
    target = train.count < 30000 ? 0.90 : 0.955;
    batches = train.count / BATCH;
    total = epochs * batches;
    printf("%d digits from %s, %d epoch%s\n", train.count, dir, epochs, epochs > 1 ? "s" : "");
    start = time(NULL);
    for (k = 0; k < total; k++) {
        if (k % batches == 0) snn_permutation(order, train.count, 1, (uint32_t)(k / batches));
        snn_batch(&train, order, k % batches * BATCH, BATCH, 0, images, y);
        float l = snn_train_step(net, &adam, &loss, images, y);
        if (l < 0) {
            fprintf(stderr, "\n%s\n", snn_net_error(net));
            return 2;
        }
        mean += (l - mean) * (k < 20 ? 1.0f / (float)(k + 1) : 0.05f); /* over the last 20 or so */
        if (ON_A_TERMINAL || (k + 1) % ((total + 9) / 10) == 0 || k + 1 == total)
            printf("%sbatch %d/%d  loss %.2f  %.0f s left  %s", ON_A_TERMINAL ? "\r" : "", k + 1,
                   total, (double)mean, difftime(time(NULL), start) / (k + 1) * (total - k - 1),
                   ON_A_TERMINAL ? "" : "\n");
        fflush(stdout);
    }
    printf("%s%.0f s of training\n", ON_A_TERMINAL ? "\n" : "", difftime(time(NULL), start));
    result = snn_evaluate(net, &test, SNN_ACCURACY_MEMBRANE); /* as the loss reads it */
    snn_net_destroy(net);
    free(order);
    printf("test accuracy: %.2f%%\n", result * 100);
    return result >= target ? 0 : 1;
}
