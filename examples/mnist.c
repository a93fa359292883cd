/* mnist - a convolutional spiking net learns handwritten digits by backpropagation through time
 *
 *     cc -O2 examples/mnist.c -o mnist -lm && ./mnist          (-fopenmp: on all cores)
 *     ./mnist [DIR [MODEL]]
 *
 * DIR holds the four MNIST files under their usual names; without it the digits in examples/data
 * are taken. The net is 8C5-MP2-16C5-MP2-FC10 with a Leaky neuron after each pool and at the end;
 * each image is shown for 25 steps, and the class whose neuron spikes most often wins.
 *
 * Expected: a table of the net, a progress line, and at the end `test accuracy: NN.NN%`, at least
 * 96 % on the shipped digits, at least 98 % after one epoch on all 60,000; below that it exits
 * with 1.
 * It leaves the model in MODEL (mnist.safetensors) and, where stb_image_write.h is installed, a
 * picture of the spikes of ten digits in raster.png. */
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
#if defined(__has_include)
    #if __has_include(<stb/stb_image_write.h>)
        #define STB_IMAGE_WRITE_IMPLEMENTATION
        #include <stb/stb_image_write.h>
    #elif __has_include("stb_image_write.h")
        #define STB_IMAGE_WRITE_IMPLEMENTATION
        #include "stb_image_write.h"
    #endif
#endif

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

/* The net; for the picture also one that keeps the spikes of lif2. */
static snn_net *build(int batch, int picture)
{
    const snn_leaky_desc lif = { .beta = 0.9f, .surrogate = SNN_FAST_SIGMOID, .surrogate_p0 = 10 };
    const snn_pool2d_desc half = { .kernel = 2 };
    snn_net_desc desc = { .batch = batch, .steps = STEPS, .seed = 1, .inference = picture };
    snn_net *net = NULL;
    int x;
    if (snn_net_create(&net, &desc) != SNN_OK) return NULL;
    x = snn_input(net, 1, SIDE, SIDE);
    x = snn_conv2d(net, x, &(snn_conv2d_desc){ .out_channels = 8, .kernel = 5 });
    x = snn_max_pool2d(net, x, &half);
    x = snn_leaky(net, x, &lif);
    x = snn_conv2d(net, x, &(snn_conv2d_desc){ .out_channels = 16, .kernel = 5 });
    x = snn_max_pool2d(net, x, &half);
    x = snn_leaky(net, x, &lif);
    if (picture) snn_net_record(net, x, SNN_RECORD_SPIKES);
    x = snn_flatten(net, x);
    x = snn_linear(net, x, &(snn_linear_desc){ .out_features = CLASSES });
    snn_leaky(net, x, &lif);
    if (snn_net_build(net) == SNN_OK) return net;
    fprintf(stderr, "%s\n", snn_net_error(net));
    snn_net_destroy(net);
    return NULL;
}

#ifdef STB_IMAGE_WRITE_IMPLEMENTATION
enum { PANEL = 120, WIDTH = CLASSES * PANEL + 8, HEIGHT = 764 };
static void fill(unsigned char *image, int x, int y, int w, int h, unsigned char value)
{
    int i;
    for (i = 0; i < w * h; i++) image[(y + i / w) * WIDTH + x + i % w] = value;
}

/* One panel a class: the digit, the spikes of lif2 and of the ten outputs, time to the right. */
static void draw(const char *model, const snn_data *data)
{
    static unsigned char image[WIDTH * HEIGHT];
    static float x[CLASSES * PIXELS];
    snn_net *net = build(CLASSES, 1);
    int layer, i, k, c, first[CLASSES] = { 0 }, label[CLASSES];
    if (net == NULL || snn_net_load(net, model) != SNN_OK) return;
    for (i = data->count; i-- > 0;) first[data->y[i]] = i;
    snn_batch(data, first, 0, CLASSES, 0, x, label);
    snn_net_forward(net, x);
    for (i = 0; i < CLASSES * PIXELS; i++) {
        k = i % PIXELS;
        fill(image, 8 + i / PIXELS * PANEL + k % SIDE * 4, 8 + k / SIDE * 4, 4, 4,
             (unsigned char)(x[i] * 255));
    }
    for (layer = 0; layer < 2; layer++) {
        int node = layer == 0 ? snn_net_node(net, "lif2") : snn_net_output(net);
        snn_tensor s = snn_net_spikes(net, node);
        int n = (int)(snn_tensor_count(&s) / (STEPS * CLASSES)), h = layer == 0 ? 2 : 11;
        for (i = 0; i < STEPS * CLASSES * n; i++) {
            k = i / n / CLASSES, c = i / n % CLASSES;
            fill(image, 8 + c * PANEL + k * 4, (layer == 0 ? 128 : 648) + i % n * h, 4, h - 1,
                 s.data[i] > 0 ? 255 : 32);
        }
    }
    if (stbi_write_png("raster.png", WIDTH, HEIGHT, 1, image, WIDTH))
        printf("raster.png: ten digits, below them the spikes of lif2 and of the outputs\n");
    snn_net_destroy(net);
}
#endif

int main(int argc, char **argv)
{
    const char *dirs[] = { "examples/data", "data", "../examples/data" }, *dir = dirs[0];
    const char *model = argc > 2 ? argv[2] : "mnist.safetensors";
    static float x[BATCH * PIXELS];
    static char table[8192];
    int y[BATCH], i, k, batches, epochs, total, *order, found = 0;
    float loss = 0, accuracy = 0;
    double target, result;
    snn_data train, test;
    snn_net *net;
    time_t start;
    for (i = 0; i < (argc > 1 ? 1 : 3) && !found; i++) {
        dir = argc > 1 ? argv[1] : dirs[i];
        found = load_digits(&train, dir, "train") && load_digits(&test, dir, "t10k");
    }
    if (!found) {
        fprintf(stderr, "no MNIST files in %s\nusage: mnist [DIR [MODEL]]\n", dir);
        return 2;
    }
    net = build(BATCH, 0);
    order = (int *)malloc((size_t)train.count * sizeof *order);
    if (net == NULL || order == NULL) return 2;
    snn_net_print(net, table, sizeof table);
    printf("%s\n", table);

    epochs = train.count < 30000 ? 5 : 1;
    target = train.count < 30000 ? 0.96 : 0.98;
    batches = train.count / BATCH;
    total = epochs * batches;
    printf("%d digits from %s, %d epoch%s\n", train.count, dir, epochs, epochs > 1 ? "s" : "");
    snn_loss_desc count = { .kind = SNN_LOSS_MSE_COUNT, .correct_rate = 0.8f,
                            .incorrect_rate = 0.2f };
    snn_optim_desc adam = { .lr = 2e-3f }; /* about: the rate goes up to 6e-3 and down again */
    snn_schedule_desc rate = { .kind = SNN_SCHEDULE_ONE_CYCLE, .lr = 6e-3f, .period = total };
    start = time(NULL);
    for (k = 0; k < total; k++) {
        if (k % batches == 0) snn_permutation(order, train.count, 1, (uint32_t)(k / batches));
        snn_batch(&train, order, k % batches * BATCH, BATCH, 0, x, y);
        adam.lr = snn_schedule(&rate, k);
        float l = snn_train_step(net, &adam, &count, x, y);
        if (l < 0) {
            fprintf(stderr, "\n%s\n", snn_net_error(net));
            return 2;
        }
        snn_tensor s = snn_net_spikes(net, snn_net_output(net));
        double a = snn_accuracy(SNN_ACCURACY_RATE, STEPS, BATCH, CLASSES, s.data, y, 0);
        float share = k < 100 ? 1.0f / (float)(k + 1) : 0.01f; /* averages over 100 or so */
        loss += share * (l - loss);
        accuracy += share * ((float)a - accuracy);
        if (ON_A_TERMINAL || (k + 1) % ((total + 9) / 10) == 0 || k + 1 == total)
            printf("%sbatch %d/%d  loss %.3f  accuracy %.1f %%  %.0f s left  %s",
                   ON_A_TERMINAL ? "\r" : "", k + 1, total, (double)loss, (double)accuracy * 100,
                   difftime(time(NULL), start) / (k + 1) * (total - k - 1),
                   ON_A_TERMINAL ? "" : "\n");
        fflush(stdout);
    }
    printf("%s%.0f s of training\n", ON_A_TERMINAL ? "\n" : "", difftime(time(NULL), start));

    if (snn_net_save(net, model) != SNN_OK) {
        fprintf(stderr, "%s\n", snn_net_error(net));
        return 2;
    }
    printf("%s: the model\n", model);
#ifdef STB_IMAGE_WRITE_IMPLEMENTATION
    draw(model, &test);
#endif
    result = snn_evaluate(net, &test, SNN_ACCURACY_RATE);
    snn_net_destroy(net);
    free(order);
    printf("test accuracy: %.2f%%\n", result * 100);
    return result >= target ? 0 : 1;
}
