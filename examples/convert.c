/* convert - a trained ReLU net becomes a spiking net, by eight ways of choosing the thresholds
 *
 *     cc -O2 examples/convert.c -o convert -lm && ./convert          (-fopenmp: on all cores)
 *     ./convert [DIR]
 *
 * DIR holds the four MNIST files under their usual names; without it the digits in examples/data
 * are taken. An ordinary net, 24C5-AP2-48C5-AP2-FC10 with ReLU and dropout, is trained on digits
 * shifted at random, and a second one with QCFS activations. Both are then converted: the same
 * weights with IF neurons, the image a constant current, the sum of the outputs the answer.
 *
 * Expected: progress, then a table of accuracy by method and T, on a fifth of the test digits. The
 * best method is within 0.3 points of the net it came from at T = 64, within 0.1 at T = 256, and
 * the ReLU net has 99 % on all test digits; else it exits with 1. The shipped digits are for a
 * quick look: 96 %, and within 1 point at T = 64, where the table ends. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 50, CLASSES = 10, SIDE = 28, PIXELS = SIDE * SIDE, LEVELS = 8 };
enum { CHUNK = 8, COLUMNS = 7 }; /* T = 8, 16, ... 512 */

/* The images and labels of one set ("train" or "t10k"), kept until the program ends. */
static int load_digits(snn_data *data, const char *dir, const char *set)
{
    char path[1024];
    snn_idx images, labels;
    int i, *y;
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", dir, set);
    if (snn_idx_load(&images, path) != SNN_OK) return 0;
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", dir, set);
    if (snn_idx_load(&labels, path) != SNN_OK) return 0;
    if (images.count != (size_t)images.shape[0] * PIXELS || labels.count != (size_t)images.shape[0])
        return 0;
    y = (int *)malloc(labels.count * sizeof *y);
    if (y == NULL) return 0;
    for (i = 0; i < images.shape[0]; i++) y[i] = labels.data[i];
    snn_idx_free(&labels);
    *data = (snn_data){ .bytes = images.data, .y = y, .count = images.shape[0],
                        .features = PIXELS };
    return 1;
}

static snn_net *build(int qcfs)
{
    const snn_pool2d_desc half = { .kernel = 2 };
    const snn_qcfs_desc q = { .threshold = 4, .learn_threshold = 1, .custom = { 0, LEVELS } };
    const snn_relu_desc relu = { 0 };
    snn_net_desc desc = { .batch = BATCH, .seed = 1 };
    snn_net *net = NULL;
    int x, k;
    if (snn_net_create(&net, &desc) != SNN_OK) return NULL;
    x = snn_input(net, 1, SIDE, SIDE);
    for (k = 24; k <= 48; k *= 2) {
        x = snn_conv2d(net, x, &(snn_conv2d_desc){ .out_channels = k, .kernel = 5 });
        x = snn_avg_pool2d(net, x, &half);
        x = qcfs ? snn_qcfs(net, x, &q) : snn_relu(net, x, &relu);
    }
    x = snn_dropout(net, snn_flatten(net, x), 0.3f);
    snn_linear(net, x, &(snn_linear_desc){ .out_features = CLASSES });
    if (snn_net_build(net) == SNN_OK) return net;
    fprintf(stderr, "%s\n", snn_net_error(net));
    snn_net_destroy(net);
    return NULL;
}

/* moves each image of the batch by up to two pixels both ways */
static void shift(float *x, uint32_t k)
{
    float moved[PIXELS];
    for (int b = 0; b < BATCH; b++, x += PIXELS) {
        const int r = (int)(snn_random(3, 0, k, (uint32_t)b) % 25), dy = r / 5 - 2, dx = r % 5 - 2;
        for (int i = 0; i < PIXELS; i++) {
            const int row = i / SIDE + dy, col = i % SIDE + dx;
            moved[i] = row < 0 || row >= SIDE || col < 0 || col >= SIDE ? 0 : x[row * SIDE + col];
        }
        memcpy(x, moved, sizeof moved);
    }
}

static void train(snn_net *net, const char *name, const snn_data *data, int epochs)
{
    static float x[BATCH * PIXELS];
    const int batches = data->count / BATCH, total = epochs * batches;
    const snn_loss_desc loss = { .kind = SNN_LOSS_CE_MEMBRANE };
    const snn_schedule_desc rate = { .kind = SNN_SCHEDULE_ONE_CYCLE, .lr = 4e-3f, .period = total };
    snn_optim_desc adam = { .lr = 1 };
    int *order = (int *)malloc((size_t)data->count * sizeof *order), y[BATCH], k;
    float mean = 0;
    for (k = 0; order && k < total; k++) {
        if (k % batches == 0) snn_permutation(order, data->count, 1, (uint32_t)(k / batches));
        snn_batch(data, order, k % batches * BATCH, BATCH, 0, x, y);
        shift(x, (uint32_t)k);
        adam.lr = snn_schedule(&rate, k);
        mean += 0.01f * (snn_train_step(net, &adam, &loss, x, y) - mean);
        if ((k + 1) % ((total + 4) / 5) == 0 || k + 1 == total)
            printf("%s: batch %d/%d  loss %.3f\n", name, k + 1, total, (double)mean);
        fflush(stdout);
    }
    free(order);
}

/* Accuracy at each T of one run over the test set: outputs are summed a chunk at a time. */
static void simulate(snn_net *net, const snn_data *test, int columns, double *accuracy)
{
    static float x[BATCH * PIXELS];
    float sum[BATCH * CLASSES];
    int y[BATCH], guess[BATCH], right[COLUMNS] = { 0 }, start, t, b, i, c;
    for (start = 0; start < test->count; start += BATCH) {
        const int real = snn_batch(test, NULL, start, BATCH, 0, x, y);
        const float *out = snn_net_spikes(net, snn_net_output(net)).data;
        memset(sum, 0, sizeof sum);
        snn_net_reset(net);
        for (c = 0, t = 1; c < columns && snn_net_continue(net, x, CHUNK) == SNN_OK; t++) {
            for (i = 0; i < CHUNK * BATCH * CLASSES; i++) sum[i % (BATCH * CLASSES)] += out[i];
            if (t != 1 << c) continue;
            snn_predict(SNN_ACCURACY_MEMBRANE, 1, BATCH, CLASSES, sum, guess, 0);
            for (b = 0; b < real; b++) right[c] += guess[b] == y[b];
            c++;
        }
    }
    for (c = 0; c < columns; c++) accuracy[c] = (double)right[c] / test->count;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        snn_convert_desc desc;
    } methods[] = {
        { "largest sum of weights", { .method = SNN_CONVERT_MODEL } },
        { "largest activation", { .method = SNN_CONVERT_MAX } },
        { "  or weight, reset to 0", { .method = SNN_CONVERT_DIEHL, .reset = SNN_RESET_ZERO } },
        { "99.9 percentile", { .method = SNN_CONVERT_PERCENTILE } },
        { "  of each channel", { .method = SNN_CONVERT_PERCENTILE, .channel_wise = 1 } },
        { "  membranes at half", { .method = SNN_CONVERT_PERCENTILE, .start = 0.5f } },
        { "Spike-Norm", { .method = SNN_CONVERT_SPIKE_NORM, .sweep_steps = 64 } },
        { "QCFS", { .method = SNN_CONVERT_QCFS } },
    };
    enum { METHODS = sizeof methods / sizeof *methods };
    const char *dirs[] = { "examples/data", "data", "../examples/data" }, *dir = dirs[0];
    snn_data data, test, fifth, calibration;
    int i, c, m, columns, small, found = 0, missed = 0;
    double ann[2], full, lost[COLUMNS];
    snn_net *net[2], *snn;
    for (i = 0; i < (argc > 1 ? 1 : 3) && !found; i++) {
        dir = argc > 1 ? argv[1] : dirs[i];
        found = load_digits(&data, dir, "train") && load_digits(&test, dir, "t10k");
    }
    if (!found) {
        fprintf(stderr, "no MNIST files in %s\nusage: convert [DIR]\n", dir);
        return 2;
    }
    small = data.count < 30000;
    snn_data_subset(&fifth, &test, small ? 1 : 5, small ? 0 : 2);
    columns = small ? 4 : COLUMNS;
    for (i = 0; i < 2; i++) {
        net[i] = build(i);
        if (net[i] == NULL) return 2;
        train(net[i], i ? "QCFS net" : "ReLU net", &data, 4);
        full = snn_evaluate(net[i], &test, SNN_ACCURACY_MEMBRANE);
        ann[i] = snn_evaluate(net[i], &fifth, SNN_ACCURACY_MEMBRANE);
        printf("test accuracy %.2f %%, on the digits below %.2f %%\n", 100 * full, 100 * ann[i]);
        missed |= !i && full < (small ? 0.96 : 0.99);
    }
    calibration = data;
    calibration.count = 500;
    printf("\n%-24s", "accuracy, % at T =");
    for (c = 0; c < columns; c++) printf("%8d", CHUNK << c), lost[c] = 1;
    for (m = 0; m < METHODS; m++) {
        const int from = methods[m].desc.method == SNN_CONVERT_QCFS;
        double accuracy[COLUMNS];
        snn_convert_desc d = methods[m].desc;
        d.net.batch = BATCH, d.net.steps = CHUNK, d.net.inference = 1;
        if (snn_net_convert(&snn, net[from], &d, &calibration) != SNN_OK) {
            fprintf(stderr, "\n%s\n", snn_net_error(net[from]));
            return 2;
        }
        printf("\n%-24s", methods[m].name);
        simulate(snn, &fifth, columns, accuracy);
        for (c = 0; c < columns; c++) {
            printf("%8.2f", 100 * accuracy[c]);
            if (ann[from] - accuracy[c] < lost[c]) lost[c] = ann[from] - accuracy[c];
        }
        fflush(stdout);
        snn_net_destroy(snn);
    }
    printf("\nlost by the best method: %.2f points at T = 64", 100 * lost[3]);
    if (!small) printf(", %.2f at T = 256", 100 * lost[5]);
    printf("\n");
    for (i = 0; i < 2; i++) snn_net_destroy(net[i]);
    return missed || lost[3] > (small ? 0.01 : 0.003) || (!small && lost[5] > 0.001);
}
