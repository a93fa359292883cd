/* stream - a trained net at work, one step per tick, as in a game or on a small device
 *
 *     cc -O2 examples/stream.c -o stream -lm && ./stream
 *     ./stream [MODEL [DIR]]        (mnist.safetensors as ./mnist leaves it, examples/data)
 *
 * The whole net lives in a buffer of the program; the allocator hooks hand out that buffer and
 * count. Each digit is shown for 25 ticks, and after each tick the net has a best guess. Where
 * there is no model, a small net is trained first.
 *
 * Expected: for eight digits the guess after each tick, a dot before the first output spike, and
 * the time a tick takes; then the share of right answers over 100 digits, at least 80 %, and `0
 * allocations while running`; exits with 1 when either fails. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PIXELS = 784, CLASSES = 10, TICKS = 25, SHOWN = 8, DIGITS = 100, BUFFER = 4 << 20 };
static unsigned char buffer[BUFFER]; /* all the memory there is for the running net */
static size_t used;
static int allocations;

static void *take(size_t size, void *user)
{
    void *p = buffer + used;
    (void)user;
    allocations++;
    size = (size + 63) / 64 * 64;
    if (size > BUFFER - used) return NULL;
    used += size;
    return p;
}
static void give(void *p, size_t size, void *user) { (void)p, (void)size, (void)user; }

/* All work on the caller's thread: a tick is short. */
static void in_order(void *user, int count, void (*task)(void *arg, int i), void *arg)
{
    int i;
    (void)user;
    for (i = 0; i < count; i++) task(arg, i);
}

static int load_digits(snn_idx *images, snn_idx *labels, const char *dir, const char *set)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", dir, set);
    if (snn_idx_load(images, path) != SNN_OK) return 0;
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", dir, set);
    return snn_idx_load(labels, path) == SNN_OK && images->count == labels->count * PIXELS;
}

/* 784-64-10, one pass over the training digits; the model into memory. */
static size_t train_a_small_one(const char *dir, void *model, size_t size)
{
    enum { BATCH = 50 };
    static float x[BATCH * PIXELS];
    int y[BATCH], k, i;
    snn_idx images, labels;
    const snn_leaky_desc lif = { .beta = 0.9f };
    const snn_net_desc desc = { .batch = BATCH, .steps = TICKS, .seed = 1 };
    const snn_loss_desc loss = { .kind = SNN_LOSS_CE_RATE };
    const snn_optim_desc adam = { .lr = 5e-3f };
    snn_net *net = NULL;
    if (!load_digits(&images, &labels, dir, "train") || snn_net_create(&net, &desc) != SNN_OK)
        return 0;
    k = snn_linear(net, snn_input(net, 1, 28, 28), &(snn_linear_desc){ .out_features = 64 });
    k = snn_linear(net, snn_leaky(net, k, &lif), &(snn_linear_desc){ .out_features = CLASSES });
    snn_leaky(net, k, &lif);
    if (snn_net_build(net) != SNN_OK) fprintf(stderr, "%s\n", snn_net_error(net));
    for (k = 0; k + BATCH <= labels.shape[0]; k += BATCH) {
        for (i = 0; i < BATCH * PIXELS; i++) x[i] = (float)images.data[k * PIXELS + i] / 255.0f;
        for (i = 0; i < BATCH; i++) y[i] = labels.data[k + i];
        if (snn_train_step(net, &adam, &loss, x, y) < 0) return 0;
    }
    size = snn_net_save_to(net, model, size);
    snn_net_destroy(net);
    snn_idx_free(&images);
    snn_idx_free(&labels);
    return size;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "mnist.safetensors",
               *dir = argc > 2 ? argv[2] : "examples/data";
    static unsigned char model[1 << 20];
    static float x[PIXELS];
    char error[256] = "";
    snn_net_desc desc = { .inference = 1 }; /* batch 1, one step a call */
    snn_net *net = NULL;
    snn_idx images, labels;
    int digit, tick, i, before, right = 0, ticks = 0;
    clock_t busy = 0;
    desc.allocator.alloc = take, desc.allocator.free = give;
    desc.threads.parallel_for = in_order;

    if (!load_digits(&images, &labels, dir, "t10k")) {
        fprintf(stderr, "no MNIST files in %s\nusage: stream [MODEL [DIR]]\n", dir);
        return 2;
    }
    if (snn_net_open(&net, &desc, path, error) != SNN_OK) {
        printf("%s\nso a small net is trained first\n", error);
        used = 0, allocations = 0;
        size_t size = train_a_small_one(dir, model, sizeof model);
        if (snn_net_open_from(&net, &desc, model, size, error) != SNN_OK) {
            fprintf(stderr, "%s\n", error);
            return 2;
        }
    } else printf("%s opened\n", path);
    printf("%d allocations, %zu of %d bytes in use\n\n", allocations, used, BUFFER);

    before = allocations;
    for (digit = 0; digit < DIGITS && digit < labels.shape[0]; digit++) {
        float count[CLASSES] = { 0 };
        int guess = -1;
        for (i = 0; i < PIXELS; i++) x[i] = (float)images.data[digit * PIXELS + i] / 255.0f;
        if (digit < SHOWN) printf("digit %d  ", labels.data[digit]);
        snn_net_reset(net);
        for (tick = 0; tick < TICKS; tick++) {
            clock_t start = clock();
            snn_net_step(net, tick == 0 ? x : NULL); /* NULL: the same image goes on */
            busy += clock() - start;
            const float *spike = snn_net_spikes(net, snn_net_output(net)).data;
            for (i = 0; i < CLASSES; i++) {
                count[i] += spike[i];
                if (count[i] > 0 && (guess < 0 || count[i] > count[guess])) guess = i;
            }
            if (digit < SHOWN) putchar(guess < 0 ? '.' : '0' + guess);
        }
        if (digit < SHOWN) printf("\n");
        right += guess == labels.data[digit];
        ticks += TICKS;
    }
    printf("\n%.1f us a tick\n", (double)busy / CLOCKS_PER_SEC * 1e6 / ticks);
    printf("%d of %d digits right\n%d allocations while running\n", right, digit,
           allocations - before);
    return right * 10 >= digit * 8 && allocations == before ? 0 : 1;
}
