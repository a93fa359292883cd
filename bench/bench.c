/* bench.c - milliseconds and megabytes of one training step
 *
 *     cc -O2 bench/bench.c -o build/bench -lm        (-fopenmp for threads)
 *     build/bench [case ...] [--mnist DIR] [--threads N] [--isa NAME] [--steps N] [--csv] [--all]
 *
 * Cases, all at batch 128 except stream; without a name the first three, with --all every one:
 *   t5_mlp       784-1000-10, 25 steps, beta 0.95, atan, cross entropy of membranes, Adam 5e-4
 *   quick        8C5-MP2-16C5-MP2-FC10, 25 steps, beta 0.9, fast sigmoid, mse_count, Adam 2e-3
 *   t6           12C5-MP2-64C5-MP2-FC10, 50 steps, beta 0.5, fast sigmoid, ce_rate, Adam 1e-2
 *   stream       784-1000-10, one sample, one time step at a time, a new input every step
 *   stream_same  the same with an input that does not change
 * A step is forward, loss, backward and update (snn_train_step). One row a case:
 *   NAME ms/step images/s peak-MB net-MB     median of the steps, peak resident memory of a process
 *                                            of its own, and what snn_net_memory promises
 * Each case first compares its loss with that of the plain C kernels and warns when they differ.
 * Digits come from examples/data, or from the four raw IDX files in DIR. */
#if !defined(_WIN32)
    #define _DEFAULT_SOURCE
    #define _DARWIN_C_SOURCE
#endif
#ifndef SNN_IMPLEMENTATION
    #define SNN_IMPLEMENTATION
#endif
#include "../snn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _OPENMP
    #include <omp.h>
#endif
#if !defined(_WIN32)
    #include <sys/resource.h>
    #include <sys/time.h>
    #include <sys/types.h>
    #include <sys/wait.h>
    #include <unistd.h>
#endif
#ifndef SNN_BENCH_FLAGS
    #define SNN_BENCH_FLAGS "unknown flags"
#endif

#define PIXELS 784
#define WARM_UP 2
#define ZERO(type, name) \
    type name; \
    memset(&name, 0, sizeof name)

typedef struct bench_case {
    const char *name;
    int batch, steps;  /* samples and time steps */
    int channels[2];   /* of the convolutions; 0: the multi-layer perceptron */
    float beta, slope; /* slope 0: atan */
    snn_loss_kind loss;
    float lr;          /* 0: no training, one time step at a time */
} bench_case;

static const bench_case cases[] = {
    {"t5_mlp", 128, 25, {0, 0}, 0.95f, 0.0f, SNN_LOSS_CE_MEMBRANE, 5e-4f},
    {"quick", 128, 25, {8, 16}, 0.9f, 25.0f, SNN_LOSS_MSE_COUNT, 2e-3f},
    {"t6", 128, 50, {12, 64}, 0.5f, 25.0f, SNN_LOSS_CE_RATE, 1e-2f},
    {"stream", 1, 1, {0, 0}, 0.95f, 0.0f, SNN_LOSS_CE_RATE, 0.0f},
    {"stream_same", 1, 1, {0, 0}, 0.95f, 0.0f, SNN_LOSS_CE_RATE, 0.0f}};
#define CASES ((int)(sizeof cases / sizeof cases[0]))

static struct {
    const char *folder;
    int csv, steps, threads;
    snn_isa isa;
} options;

static double now(void)
{
#if !defined(_WIN32)
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

static double peak_megabytes(void)
{
#if defined(_WIN32)
    return 0.0;
#else
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    #ifdef __APPLE__
    return (double)u.ru_maxrss / 1048576.0;
    #else
    return (double)u.ru_maxrss / 1024.0;
    #endif
#endif
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The first `count` bytes after the header; the whole set would count as memory of the step. */
static unsigned char *read_idx(const char *file, int axes, size_t count)
{
    char path[1024];
    unsigned char head[16], *data = (unsigned char *)malloc(count ? count : 1);
    size_t skip = 4 + 4 * (size_t)axes;
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", options.folder, file);
    f = fopen(path, "rb");
    if (!f || !data || fread(head, 1, skip, f) != skip || head[2] != 8 || head[3] != axes ||
        fread(data, 1, count, f) != count) {
        fprintf(stderr, "bench: %s is missing, not an IDX file, or shorter than %lu items\n", path,
                (unsigned long)count);
        exit(2);
    }
    fclose(f);
    return data;
}

static snn_net *make_net(const bench_case *c, int plain)
{
    snn_net *net = NULL;
    int x, k;
    ZERO(snn_net_desc, d);
    ZERO(snn_neuron_desc, lif);
    ZERO(snn_linear_desc, fc);
    d.batch = c->batch;
    d.steps = c->steps;
    d.seed = 1;
    d.isa = plain ? SNN_ISA_SCALAR : options.isa;
    d.deterministic = plain;
    d.inference = plain || c->lr <= 0.0f;
    lif.beta = c->beta;
    if (c->slope > 0.0f) {
        lif.surrogate = SNN_FAST_SIGMOID;
        lif.surrogate_p0 = c->slope;
    }
    if (snn_net_create(&net, &d) != SNN_OK) {
        fprintf(stderr, "bench: no net\n");
        exit(2);
    }
    if (c->channels[0]) {
        x = snn_input(net, 1, 28, 28);
        for (k = 0; k < 2; k++) {
            ZERO(snn_conv2d_desc, conv);
            ZERO(snn_pool2d_desc, pool);
            conv.out_channels = c->channels[k];
            conv.kernel = 5;
            pool.kernel = 2;
            x = snn_leaky(net, snn_max_pool2d(net, snn_conv2d(net, x, &conv), &pool), &lif);
        }
        x = snn_flatten(net, x);
    } else {
        fc.out_features = 1000;
        x = snn_leaky(net, snn_linear(net, snn_input(net, PIXELS, 0, 0), &fc), &lif);
    }
    fc.out_features = 10;
    snn_leaky(net, snn_linear(net, x, &fc), &lif);
    if (snn_net_build(net) != SNN_OK) {
        fprintf(stderr, "bench: %s\n", snn_net_error(net));
        exit(2);
    }
    return net;
}

static void make_loss(const bench_case *c, snn_loss_desc *l)
{
    memset(l, 0, sizeof *l);
    l->kind = c->loss;
    l->correct_rate = 0.8f;
    l->incorrect_rate = 0.2f;
}

static void use_threads(void)
{
#ifdef _OPENMP
    if (options.threads > 0) omp_set_num_threads(options.threads);
#endif
}

/* Loss of the first batch on the plain C kernels; of a stream the sum of the output membranes. */
static double plain_loss(const bench_case *c, const float *x, const int *y)
{
    snn_net *net = make_net(c, 1);
    float loss = 0.0f;
    double sum = 0.0;
    int i;
    ZERO(snn_loss_desc, l);
    make_loss(c, &l);
    if (snn_net_forward(net, x) != SNN_OK) fprintf(stderr, "bench: %s\n", snn_net_error(net));
    if (c->lr > 0.0f) {
        if (snn_net_loss(net, &l, y, &loss) != SNN_OK)
            fprintf(stderr, "bench: %s\n", snn_net_error(net));
        sum = (double)loss;
    } else {
        snn_tensor m = snn_net_membrane(net, snn_net_output(net));
        for (i = 0; i < 10; i++) sum += (double)m.data[i];
    }
    snn_net_destroy(net);
    return sum;
}

static void run_case(const bench_case *c, double expected)
{
    int stream = c->lr <= 0.0f, same = !strcmp(c->name, "stream_same"), i;
    int n = stream ? options.steps * 200 : options.steps, warm = stream ? 200 : WARM_UP;
    int batches = stream          ? 100
                  : n + warm < 40 ? n + warm
                                  : 40; /* 40 batches fit in examples/data */
    size_t bytes;
    double *ms = (double *)malloc((size_t)n * sizeof(double)), loss = 0.0, median;
    float *x = (float *)malloc((size_t)(batches * c->batch) * PIXELS * sizeof(float));
    int *y = (int *)malloc((size_t)(batches * c->batch) * sizeof(int));
    unsigned char *images =
        read_idx("train-images-idx3-ubyte", 3, (size_t)(batches * c->batch) * PIXELS);
    unsigned char *labels = read_idx("train-labels-idx1-ubyte", 1, (size_t)(batches * c->batch));
    snn_net *net;
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    if (!ms || !x || !y) exit(2);
    for (i = 0; i < batches * c->batch * PIXELS; i++) x[i] = (float)images[i] / 255.0f;
    for (i = 0; i < batches * c->batch; i++) y[i] = labels[i];
    free(images);
    free(labels);
    make_loss(c, &l);
    o.lr = c->lr;
    net = make_net(c, 0);
    bytes = snn_net_memory(net);
    for (i = 0; i < n + warm; i++) {
        size_t at = (size_t)(i % batches) * (size_t)c->batch;
        const float *xi = same && i > 0 ? NULL : x + at * PIXELS;
        double start = now(), value = 0.0;
        if (stream) {
            if (snn_net_step(net, xi) != SNN_OK) value = -1.0;
        } else value = (double)snn_train_step(net, &o, &l, xi, y + at);
        start = now() - start;
        if (i >= warm) ms[i - warm] = 1e3 * start;
        if (i == 0 && !stream) loss = value;
        if (i == 0 && stream) {
            snn_tensor m = snn_net_membrane(net, snn_net_output(net));
            int k;
            for (k = 0; k < 10; k++) loss += (double)m.data[k];
        }
        if (!(value >= 0.0)) {
            fprintf(stderr, "bench: %s: %s\n", c->name, snn_net_error(net));
            exit(2);
        }
    }
    qsort(ms, (size_t)n, sizeof ms[0], ascending);
    median = ms[n / 2];
    if (!(fabs(loss - expected) <= 1e-3 * fabs(expected)))
        printf("# WARNING %s: first loss %.6g, plain C kernels give %.6g\n", c->name, loss,
               expected);
    printf(options.csv ? "%s,%.*f,%.1f,%.1f,%.1f\n" : "%-12s %9.*f %11.1f %8.1f %8.1f\n", c->name,
           stream ? 4 : 1, median, 1e3 * c->batch / median, peak_megabytes(),
           (double)bytes / 1048576.0);
    fflush(stdout);
    snn_net_destroy(net);
    free(ms);
    free(x);
    free(y);
}

static double first_batch_loss(const bench_case *c)
{
    unsigned char *images = read_idx("train-images-idx3-ubyte", 3, (size_t)c->batch * PIXELS);
    unsigned char *labels = read_idx("train-labels-idx1-ubyte", 1, (size_t)c->batch);
    float *x = (float *)malloc((size_t)c->batch * PIXELS * sizeof(float));
    int i, *y = (int *)malloc((size_t)c->batch * sizeof(int));
    double loss;
    if (!x || !y) exit(2);
    for (i = 0; i < c->batch * PIXELS; i++) x[i] = (float)images[i] / 255.0f;
    for (i = 0; i < c->batch; i++) y[i] = labels[i];
    loss = plain_loss(c, x, y);
    free(images);
    free(labels);
    free(x);
    free(y);
    return loss;
}

/* Two processes a case: one for the check, one for the time, so that neither counts as the other's
 * memory. */
static int measure(const bench_case *c)
{
#if defined(_WIN32)
    use_threads();
    run_case(c, first_batch_loss(c));
    return 0;
#else
    int pass, status = 0, tube[2];
    double expected = 0.0;
    for (pass = 0; pass < 2; pass++) {
        pid_t child;
        if (pipe(tube) != 0) return 2;
        fflush(stdout);
        child = fork();
        if (child < 0) return 2;
        if (child == 0) {
            use_threads();
            if (pass == 0) {
                expected = first_batch_loss(c);
                if (write(tube[1], &expected, sizeof expected) != (ssize_t)sizeof expected)
                    _exit(2);
            } else run_case(c, expected);
            fflush(stdout);
            _exit(0);
        }
        close(tube[1]);
        if (pass == 0 && read(tube[0], &expected, sizeof expected) != (ssize_t)sizeof expected)
            expected = 0.0;
        close(tube[0]);
        if (waitpid(child, &status, 0) != child || status != 0) return 2;
    }
    return 0;
#endif
}

static void print_machine(void)
{
    char line[256], cpu[128] = "unknown cpu";
    int threads = 1;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        snprintf(cpu, sizeof cpu, "%.120s", colon + 2);
        cpu[strcspn(cpu, "\n")] = 0;
        break;
    }
    if (f) fclose(f);
#ifdef _OPENMP
    threads = options.threads > 0 ? options.threads : omp_get_max_threads();
#endif
#if defined(__clang__)
    printf("# %s, clang %s", cpu, __clang_version__);
#elif defined(__GNUC__)
    printf("# %s, gcc %s", cpu, __VERSION__);
#else
    printf("# %s", cpu);
#endif
    printf(", %s, %s, %d thread%s\n", SNN_BENCH_FLAGS,
           snn_isa_name(options.isa == SNN_ISA_AUTO ? snn_isa_best() : options.isa), threads,
           threads > 1 ? "s" : "");
#ifndef _OPENMP
    if (options.threads > 1) printf("# built without OpenMP: one thread\n");
#endif
}

static int usage(const char *word)
{
    int i;
    fprintf(stderr, "bench: what is \"%s\"? Cases:", word);
    for (i = 0; i < CASES; i++) fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "; options: --mnist DIR --threads N --isa NAME --steps N --csv --all\n");
    return 2;
}

int main(int argc, char **argv)
{
    int i, k, chosen[CASES], any = 0, bad = 0;
    memset(chosen, 0, sizeof chosen);
    options.folder = "examples/data";
    options.steps = 10;
    for (i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(word, "--csv")) options.csv = 1;
        else if (!strcmp(word, "--all")) {
            for (k = 0; k < CASES; k++) chosen[k] = any = 1;
        } else if (!strcmp(word, "--mnist")) options.folder = value, i++;
        else if (!strcmp(word, "--threads")) options.threads = atoi(value), i++;
        else if (!strcmp(word, "--steps")) options.steps = atoi(value) > 0 ? atoi(value) : 1, i++;
        else if (!strcmp(word, "--isa")) {
            for (k = 0; k <= (int)SNN_ISA_AVX512; k++)
                if (!strcmp(value, snn_isa_name((snn_isa)k))) break;
            if (k > (int)snn_isa_best()) return usage(value);
            options.isa = (snn_isa)k;
            i++;
        } else {
            for (k = 0; k < CASES; k++)
                if (!strcmp(word, cases[k].name)) break;
            if (k == CASES) return usage(word);
            chosen[k] = any = 1;
        }
    }
    print_machine();
    printf(options.csv ? "case,ms_per_step,images_per_s,peak_mb,net_mb\n"
                       : "# %-10s %9s %11s %8s %8s\n",
           "case", "ms/step", "images/s", "peak-MB", "net-MB");
    for (i = 0; i < CASES; i++)
        if (chosen[i] || (!any && i < 3)) bad |= measure(&cases[i]);
    return bad;
}
