/* mnist_cuda - examples/mnist.c on an NVIDIA GPU: one more line in the net's desc
 *
 *     nvcc -O3 -std=c++17 -fmad=false -arch=native examples/mnist_cuda.cu -o mnist_cuda -lcublas
 *     ./mnist_cuda [DIR]
 *
 * DIR holds the four MNIST files under their usual names; without it the digits in examples/data
 * are taken. The net is 8C5-MP2-16C5-MP2-FC10 with a Leaky neuron after each pool and at the end;
 * each image is shown for 25 steps, and the class whose neuron spikes most often wins.
 *
 * Expected: the loss of every tenth part of the training, its time, and at the end `test accuracy:
 * NN.NN%`, at least 96 % on the shipped digits, at least 98 % after one epoch on all 60,000; below
 * that it exits with 1. Without a GPU it says so and exits with 2. */
#define SNN_IMPLEMENTATION
#define SNN_CUDA_IMPLEMENTATION
#include "../snn.h"
#include "../snn_cuda.h"
#include <time.h>

enum { BATCH = 16, STEPS = 25, CLASSES = 10, SIDE = 28, PIXELS = SIDE * SIDE };

/* The images and labels of one set ("train" or "t10k"), kept until the program ends. */
static int load_digits(snn_data *data, const char *dir, const char *set)
{
    char path[1024];
    snn_idx images, labels;
    int i, *y;
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", dir, set);
    if (snn_idx_load(&images, path) != SNN_OK) return 0;
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", dir, set);
    if (snn_idx_load(&labels, path) != SNN_OK || labels.count != (size_t)images.shape[0]) return 0;
    y = (int *)malloc(labels.count * sizeof *y);
    if (y == NULL) return 0;
    for (i = 0; i < images.shape[0]; i++) y[i] = labels.data[i];
    data->bytes = images.data;
    data->y = y;
    data->count = images.shape[0];
    data->features = PIXELS;
    return 1;
}

static snn_net *build(void)
{
    snn_cuda_desc cuda = {};
    snn_net_desc desc = {};
    snn_conv2d_desc conv = {};
    snn_pool2d_desc half = {};
    snn_linear_desc fc = {};
    snn_leaky_desc lif = {};
    snn_net *net = NULL;
    int x;
    desc.batch = BATCH;
    desc.steps = STEPS;
    desc.seed = 1;
    desc.backend = snn_cuda_backend(&cuda); /* the line */
    conv.kernel = 5;
    half.kernel = 2;
    fc.out_features = CLASSES;
    lif.beta = 0.9f;
    lif.surrogate = SNN_FAST_SIGMOID;
    lif.surrogate_p0 = 10;
    if (snn_net_create(&net, &desc) != SNN_OK) return NULL;
    x = snn_input(net, 1, SIDE, SIDE);
    for (conv.out_channels = 8; conv.out_channels <= 16; conv.out_channels *= 2) {
        x = snn_conv2d(net, x, &conv);
        x = snn_max_pool2d(net, x, &half);
        x = snn_leaky(net, x, &lif);
    }
    x = snn_flatten(net, x);
    x = snn_linear(net, x, &fc);
    snn_leaky(net, x, &lif);
    if (snn_net_build(net) == SNN_OK) return net;
    fprintf(stderr, "%s\n", snn_net_error(net));
    snn_net_destroy(net);
    return NULL;
}

int main(int argc, char **argv)
{
    const char *dirs[] = {"examples/data", "data", "../examples/data"}, *dir = dirs[0];
    static float x[BATCH * PIXELS];
    int y[BATCH], i, k, batches, epochs, total, *order, found = 0;
    snn_data train = {}, test = {};
    snn_loss_desc count = {};
    snn_optim_desc adam = {};
    snn_schedule_desc rate = {};
    double target, result, loss = 0;
    struct timespec start, end;
    for (i = 0; i < (argc > 1 ? 1 : 3) && !found; i++) {
        dir = argc > 1 ? argv[1] : dirs[i];
        found = load_digits(&train, dir, "train") && load_digits(&test, dir, "t10k");
    }
    if (!found) {
        fprintf(stderr, "no MNIST files in %s\nusage: mnist_cuda [DIR]\n", dir);
        return 2;
    }
    snn_net *net = build();
    order = (int *)malloc((size_t)train.count * sizeof *order);
    if (net == NULL || order == NULL) return 2;
    epochs = train.count < 30000 ? 5 : 1;
    target = train.count < 30000 ? 0.96 : 0.98;
    batches = train.count / BATCH;
    total = epochs * batches;
    printf("%d digits from %s, %d epoch%s, %.1f MB on the device\n", train.count, dir, epochs,
           epochs > 1 ? "s" : "", (double)snn_cuda_memory(net) * 1e-6);
    count.kind = SNN_LOSS_MSE_COUNT;
    count.correct_rate = 0.8f;
    count.incorrect_rate = 0.2f;
    adam.lr = 2e-3f;
    rate.kind = SNN_SCHEDULE_ONE_CYCLE;
    rate.lr = 6e-3f;
    rate.period = total;
    timespec_get(&start, TIME_UTC);
    for (k = 0; k < total; k++) {
        if (k % batches == 0) snn_permutation(order, train.count, 1, (uint32_t)(k / batches));
        snn_batch(&train, order, k % batches * BATCH, BATCH, 0, x, y);
        adam.lr = snn_schedule(&rate, k);
        const float l = snn_train_step(net, &adam, &count, x, y);
        if (l < 0) {
            fprintf(stderr, "%s\n", snn_net_error(net));
            return 2;
        }
        loss += ((double)l - loss) * (k < 100 ? 1.0 / (k + 1) : 0.01);
        if ((k + 1) % ((total + 9) / 10) == 0 || k + 1 == total)
            printf("batch %d/%d  loss %.3f\n", k + 1, total, loss);
    }
    timespec_get(&end, TIME_UTC);
    printf("%.2f s of training\n", (double)(end.tv_sec - start.tv_sec) +
                                       1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    result = snn_evaluate(net, &test, SNN_ACCURACY_RATE);
    snn_net_destroy(net);
    free(order);
    printf("test accuracy: %.2f%%\n", result * 100);
    return result >= target ? 0 : 1;
}
