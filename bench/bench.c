/* bench.c - milliseconds and megabytes of one training step, and how far that is from the machine
 *
 *     cc -O2 bench/bench.c -o build/bench -lm        (-fopenmp for threads)
 *     build/bench [case ...] [--mnist DIR] [--nmnist DIR] [--threads N] [--isa NAME] [--steps N]
 *                 [--floor SHARE] [--csv] [--all] [--growth] [--picture FILE.svg] [--rules]
 *
 * Cases; without a name the first three, with --all every one:
 *   t5_mlp       784-1000-10, 25 steps, beta 0.95, atan, cross entropy of membranes, Adam 5e-4
 *   quick        8C5-MP2-16C5-MP2-FC10, 25 steps, beta 0.9, fast sigmoid, mse_count, Adam 2e-3
 *   t6           12C5-MP2-64C5-MP2-FC10, 50 steps, beta 0.5, fast sigmoid, ce_rate, Adam 1e-2
 *   nmnist       12C5-MP2-32C5-MP2-FC10 on 34x34x2 events, 300 steps of 1 ms, batch 32, beta 0.5,
 *                atan, mse_count, Adam 2e-2; DIR has Train/<digit>/<name>.bin; without them as many
 *                random events, and the row is called nmnist_synth
 *   nmnist_half  the same with checkpoint 150: half of the steps are computed again
 *   stream       784-1000-10, one sample, one time step at a time, a new input every step
 *   stream_same  the same with an input that does not change
 * A step is forward, loss, backward and update (snn_train_step), at batch 128 unless it says
 * otherwise. One row a case:
 *   NAME ms/step images/s peak-MB net-MB     median of the steps, peak resident memory of a process
 *                                            of its own, and what snn_net_memory promises
 * --all adds to each its floor, the time that the machine needs for the arithmetic or for the bytes
 * of this very step (see floor_of), and how many times that the step takes. Before the cases:
 *   peaks        multiply-adds in registers, triads (a = b s + c) of three sizes
 *   kernels      each entry of the kernel table, on data in cache: its share of the nearer peak
 *   neurons      step and gradient, without and with the parameters', of each built-in neuron,
 *                nanoseconds a neuron
 * And after each case the three parts of it that take longest.
 * --floor SHARE: with that gradient_floor. --half: with half_traces.
 * --growth: time and memory of a 784-N-10 net on random spikes against each of its sizes; per unit
 * of that size, and for each unit more than the row before, where linear growth is a constant.
 * --picture FILE.svg: these rows as curves, beside the slope of linear growth.
 * --rules: one step of STDP on 784 x 400 weights against the share of neurons that fire, by itself
 * and in snn_net_step; and what it takes for each synapse of a neuron that fired.
 * Whatever is timed is first compared with the plain C kernels; a WARNING names what differs.
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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _OPENMP
    #include <omp.h>
#endif
#if !defined(_WIN32)
    #include <glob.h>
    #include <sys/resource.h>
    #include <sys/time.h>
    #include <sys/types.h>
    #include <sys/wait.h>
    #include <unistd.h>
#endif
#ifndef SNN_BENCH_FLAGS
    #define SNN_BENCH_FLAGS "unknown flags"
#endif

#define WARM_UP 2
#define ZERO(type, name) \
    type name;           \
    memset(&name, 0, sizeof name)

typedef struct bench_case {
    const char *name;
    int batch, steps;  /* samples and time steps */
    int shape[3];      /* of the input: channels, rows, columns */
    int channels[2];   /* of the convolutions; 0: the multi-layer perceptron */
    int hidden;        /* its first layer */
    float beta, slope; /* slope 0: atan */
    snn_loss_kind loss;
    float lr;          /* 0: no training, one time step at a time */
    float rate;        /* of an input of spikes, where it is drawn; 0: digits */
    int checkpoint;
} bench_case;

static const bench_case cases[] = {
    {"t5_mlp", 128, 25, {784, 0, 0}, {0, 0}, 1000, 0.95f, 0, SNN_LOSS_CE_MEMBRANE, 5e-4f, 0, 0},
    {"quick", 128, 25, {1, 28, 28}, {8, 16}, 0, 0.9f, 25, SNN_LOSS_MSE_COUNT, 2e-3f, 0, 0},
    {"t6", 128, 50, {1, 28, 28}, {12, 64}, 0, 0.5f, 25, SNN_LOSS_CE_RATE, 1e-2f, 0, 0},
    {"nmnist", 32, 300, {2, 34, 34}, {12, 32}, 0, 0.5f, 0, SNN_LOSS_MSE_COUNT, 2e-2f, 0.0063f, 0},
    {"nmnist_half", 32, 300, {2, 34, 34}, {12, 32}, 0, 0.5f, 0, SNN_LOSS_MSE_COUNT, 2e-2f, 0.0063f,
     150},
    {"stream", 1, 1, {784, 0, 0}, {0, 0}, 1000, 0.95f, 0, SNN_LOSS_CE_RATE, 0, 0, 0},
    {"stream_same", 1, 1, {784, 0, 0}, {0, 0}, 1000, 0.95f, 0, SNN_LOSS_CE_RATE, 0, 0, 0}};
#define CASES ((int)(sizeof cases / sizeof cases[0]))

static struct {
    const char *digits, *events, *picture;
    int csv, steps, threads, all, growth, rules;
    float gradient_floor;
    int half_traces;
    snn_isa isa;
} options;

/* what a process of its own hands back, of a case or of the machine */
enum { LOSS, MS, PEAK_MB, NET_MB, FLOPS, BYTES, TRIAD, FMA_ONE, FMA_ALL, TRIAD_CACHE, RESULTS };
static double machine[RESULTS];
typedef void bench_job(const bench_case *c, double *result);

/* -- ground: time, memory, threads, processes, rows -- */

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

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(2);
}

static void *take(size_t count, size_t size)
{
    void *p = malloc(count && size ? count * size : 1);
    if (!p) stop("malloc", "no memory");
    return p;
}

static int thread_count(void)
{
#ifdef _OPENMP
    return options.threads > 0 ? options.threads : omp_get_max_threads();
#else
    return 1;
#endif
}

/* Seconds of one call, the best of several rounds: what others do on the machine can only add. */
static double best_seconds(void (*f)(void *), void *arg)
{
    double best = 1e30, s = 0.0;
    long n, i;
    int round;
    for (n = 1; s < 1e-3; n *= 2) {
        s = now();
        for (i = 0; i < 2 * n; i++) f(arg);
        s = now() - s;
    }
    for (round = 0; round < 7; round++) {
        s = now();
        for (i = 0; i < n; i++) f(arg);
        s = (now() - s) / (double)n;
        if (s < best) best = s;
    }
    return best;
}

/* A line of a table; with --csv what spaces separate gets commas instead. */
static void row(const char *format, ...)
{
    char text[256];
    const char *p;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (p = text + (options.csv ? strspn(text, "# ") : 0); *p; p++) {
        if (options.csv && *p == ' ') {
            while (p[1] == ' ') p++;
            putchar(',');
        } else putchar(*p);
    }
    putchar('\n');
    fflush(stdout);
}

/* Runs a job in a process of its own, so that the peak memory is its own too. */
static int in_child(bench_job *job, const bench_case *c, double *result)
{
    int bad = 0;
#if defined(_WIN32)
    job(c, result);
#else
    const size_t size = RESULTS * sizeof(double);
    int tube[2], status = 0;
    pid_t child;
    if (pipe(tube) != 0) return 2;
    fflush(stdout);
    child = fork();
    if (child < 0) return 2;
    if (child == 0) {
    #ifdef _OPENMP
        if (options.threads > 0) omp_set_num_threads(options.threads);
    #endif
        job(c, result);
        fflush(stdout);
        _exit(write(tube[1], result, size) == (ssize_t)size ? 0 : 2);
    }
    close(tube[1]);
    bad = read(tube[0], result, size) != (ssize_t)size;
    close(tube[0]);
    if (waitpid(child, &status, 0) != child || status != 0) bad = 1;
    if (bad) fprintf(stderr, "bench: what should follow here failed\n");
#endif
    return bad ? 2 : 0;
}

/* -- inputs -- */

typedef struct bench_data {
    float *x;        /* [batches][size]; or, of spikes, */
    uint32_t *words; /* [T][B] rows of bits, one batch */
    int *y;          /* [batches][B] */
    int batches;
    size_t size;
} bench_data;

/* The first `count` bytes after the header; the whole set would count as memory of the step. */
static unsigned char *read_idx(const char *file, int axes, size_t count)
{
    char path[1024];
    unsigned char head[16], *data = (unsigned char *)take(count, 1);
    size_t skip = 4 + 4 * (size_t)axes;
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", options.digits, file);
    f = fopen(path, "rb");
    if (!f || fread(head, 1, skip, f) != skip || head[2] != 8 || head[3] != axes ||
        fread(data, 1, count, f) != count)
        stop(path, "missing, not an IDX file, or too short");
    fclose(f);
    return data;
}

/* Every 31st of the sorted recordings, as many as a batch, into frames of 1 ms, [T][B][2][34][34].
 * An event is five bytes: x, y, then polarity and 23 bits of microseconds. Returns how many
 * recordings there are; with x NULL it only counts them. */
static int load_events(const bench_case *c, float *x, int *y)
{
#if defined(_WIN32)
    (void)c, (void)x, (void)y;
    return 0;
#else
    char pattern[1024];
    unsigned char e[5];
    glob_t g;
    int i, count;
    snprintf(pattern, sizeof pattern, "%s/Train/*/*.bin", options.events);
    if (!options.events || glob(pattern, 0, NULL, &g) != 0) return 0;
    count = (int)g.gl_pathc;
    for (i = 0; x && i < c->batch; i++) {
        const char *path = g.gl_pathv[31 * i % count];
        FILE *f = fopen(path, "rb");
        if (!f) stop(path, "cannot be read");
        y[i] = path[strlen(options.events) + strlen("/Train/")] - '0';
        while (fread(e, 1, 5, f) == 5) {
            int t = ((e[2] & 127) << 16 | e[3] << 8 | e[4]) / 1000, at = t * c->batch + i;
            if (t < c->steps && e[0] < 34 && e[1] < 34)
                x[((at * 2 + (e[2] >> 7)) * 34 + e[1]) * 34 + e[0]] = 1.0f;
        }
        fclose(f);
    }
    globfree(&g);
    return count;
#endif
}

static void pack(bench_data *d, size_t rows)
{
    const size_t n = d->size / rows, words = (n + 31) / 32;
    size_t i;
    d->words = (uint32_t *)take(rows * words, sizeof(uint32_t));
    for (i = 0; i < rows; i++) snn_spikes_pack(d->words + i * words, d->x + i * n, (int)n);
    free(d->x);
    d->x = NULL;
}
static void load(const bench_case *c, int batches, bench_data *d)
{
    const size_t b = (size_t)c->batch;
    size_t i, n;
    d->words = NULL;
    d->batches = c->rate > 0.0f ? 1 : batches;
    d->size = b * (c->rate > 0.0f ? (size_t)c->steps : 1) * (size_t)c->shape[0] *
              (size_t)(c->shape[1] ? c->shape[1] * c->shape[2] : 1);
    n = (size_t)d->batches * d->size;
    d->x = (float *)take(n, sizeof(float));
    d->y = (int *)take((size_t)d->batches * b, sizeof(int));
    if (c->rate > 0.0f) {
        memset(d->x, 0, n * sizeof(float));
        if (strncmp(c->name, "nmnist", 6) || !load_events(c, d->x, d->y)) {
            for (i = 0; i < n; i++) d->x[i] = (float)snn_bernoulli(c->rate, 1, 0, 0, (uint32_t)i);
            for (i = 0; i < b; i++) d->y[i] = (int)i % 10;
        }
        pack(d, b * (size_t)c->steps);
    } else {
        unsigned char *images = read_idx("train-images-idx3-ubyte", 3, n);
        unsigned char *labels = read_idx("train-labels-idx1-ubyte", 1, (size_t)d->batches * b);
        for (i = 0; i < n; i++) d->x[i] = (float)images[i] / 255.0f;
        for (i = 0; i < (size_t)d->batches * b; i++) d->y[i] = labels[i];
        free(images);
        free(labels);
    }
}

/* -- the machine -- */

/* In the vocabulary of the kernels: chains of multiply-adds that never leave the registers, and
 * a[i] = b[i] s + c[i] over n floats each. */
SNN__FAST("O3") /* the inner loops must be unrolled */
enum { CHAINS = 12, CHAIN_LENGTH = 200000 };
#define PEAK_LOOPS(P, TARGET)                                                                  \
    TARGET static float chains_##P(void)                                                       \
    {                                                                                          \
        const snn__##P##_t a = SNN__##P##_SET1(0.999f), b = SNN__##P##_SET1(0.001f);           \
        snn__##P##_t v[CHAINS];                                                                \
        float out[SNN__##P##_W];                                                               \
        int i, n;                                                                              \
        for (i = 0; i < CHAINS; i++) v[i] = SNN__##P##_SET1((float)i);                         \
        for (n = 0; n < CHAIN_LENGTH; n++)                                                     \
            for (i = 0; i < CHAINS; i++) v[i] = SNN__##P##_MADD(v[i], a, b);                   \
        for (i = 1; i < CHAINS; i++) v[0] = SNN__##P##_ADD(v[0], v[i]);                        \
        SNN__##P##_STORE(out, v[0]);                                                           \
        return out[0];                                                                         \
    }                                                                                          \
    TARGET static void triad_##P(float *a, size_t n)                                           \
    {                                                                                          \
        const snn__##P##_t s = SNN__##P##_SET1(0.5f);                                          \
        const float *b = a + n, *c = b + n;                                                    \
        size_t i, j;                                                                           \
        for (i = 0; i < n; i += 4 * SNN__##P##_W)                                              \
            for (j = i; j < i + 4 * SNN__##P##_W; j += SNN__##P##_W)                           \
                SNN__##P##_STORE(a + j, SNN__##P##_MADD(SNN__##P##_LOAD(b + j), s,             \
                                                        SNN__##P##_LOAD(c + j)));              \
    }
PEAK_LOOPS(s, SNN__PLAIN)
#if SNN__VECTORS
PEAK_LOOPS(v4, SNN__PLAIN)
#endif
#if SNN__X86
PEAK_LOOPS(f8, SNN__TARGET_FMA)
PEAK_LOOPS(f16, SNN__TARGET_AVX512)
#endif
SNN__FAST_END
static const struct {
    float (*chains)(void);
    void (*triad)(float *a, size_t n);
    int width;
} peak_loops[] = { /* as snn_isa counts */
    {chains_s, triad_s, 1}, {chains_s, triad_s, 1},
#if SNN__VECTORS
    {chains_v4, triad_v4, 4},
#endif
#if SNN__X86
    {chains_f8, triad_f8, 8}, {chains_f16, triad_f16, 16}
#endif
};

typedef struct machine_job {
    int threads, isa, rounds; /* rounds: a job must be long beside waking the threads */
    size_t n;
    float *memory; /* 3 n for each thread; NULL: the chains */
    float sink;
} machine_job;

static void run_machine(void *arg)
{
    machine_job *j = (machine_job *)arg;
    float sum = 0.0f;
    int t, r;
#ifdef _OPENMP
    #pragma omp parallel for num_threads(j->threads) schedule(static, 1) private(r) \
        reduction(+ : sum)
#endif
    for (t = 0; t < j->threads; t++)
        for (r = 0; r < j->rounds; r++)
            if (j->memory) peak_loops[j->isa].triad(j->memory + 3 * j->n * (size_t)t, j->n);
            else sum += peak_loops[j->isa].chains();
    j->sink = sum;
}
static double fma_rate(int isa, int threads) /* GFLOP/s, a multiply-add counted as two */
{
    const double flops = 2e-9 * CHAINS * CHAIN_LENGTH * peak_loops[isa].width;
    ZERO(machine_job, j);
    j.threads = threads;
    j.isa = isa;
    j.rounds = 10;
    return flops * j.rounds * threads / best_seconds(run_machine, &j);
}
static double triad_rate(double kilobytes, int threads) /* GB/s, read and written, in so many */
{
    size_t i;
    double rate;
    ZERO(machine_job, j);
    j.threads = threads;
    j.isa = (int)snn__isa_resolve(options.isa);
    j.n = (size_t)(1024.0 / 12.0 * kilobytes / threads) / 64 * 64 + 64;
    j.rounds = 1 + (int)(2000000 / j.n);
    j.memory = (float *)take(3 * j.n * sizeof(float), (size_t)threads);
    for (i = 0; i < 3 * j.n * (size_t)threads; i++) j.memory[i] = 1.0f;
    rate = 12e-9 * (double)j.n * j.rounds * threads / best_seconds(run_machine, &j);
    free(j.memory);
    return rate;
}

static void print_peaks(const bench_case *c, double *result)
{
    static const int kilobytes[] = {24, 512, 65536};
    const int threads = thread_count();
    char name[32];
    int i;
    (void)c;
    row("# %-16s %-8s %9s %11s", "peak", "unit", "one", "all-threads");
    for (i = 1; i <= (int)snn_isa_best(); i++) {
        double one = fma_rate(i, 1), all = threads > 1 ? fma_rate(i, threads) : one;
        if (i == (int)snn__isa_resolve(options.isa)) result[FMA_ONE] = one, result[FMA_ALL] = all;
        snprintf(name, sizeof name, "fma-%s", snn_isa_name((snn_isa)i));
        row("%-18s %-8s %9.1f %11.1f", name, "GFLOP/s", one, all);
    }
    for (i = 0; i < 3; i++) {
        double one = triad_rate(kilobytes[i], 1);
        if (i == 0) result[TRIAD_CACHE] = one;
        snprintf(name, sizeof name, "triad-%d-KB", kilobytes[i]);
        row("%-18s %-8s %9.1f %11.1f", name, "GB/s", one,
            threads > 1 ? triad_rate(kilobytes[i], threads) : one);
    }
    putchar('\n');
}

/* -- one case -- */

static snn_net *make_net(const bench_case *c, const bench_data *data, int plain)
{
    snn_net *net = NULL;
    int x, k;
    ZERO(snn_net_desc, d);
    ZERO(snn_neuron_desc, lif);
    ZERO(snn_linear_desc, fc);
    d.batch = c->batch;
    d.steps = c->steps;
    d.seed = 1;
    d.input = c->rate > 0.0f ? SNN_INPUT_SPIKES : SNN_INPUT_CONSTANT;
    d.isa = plain ? SNN_ISA_SCALAR : options.isa;
    d.deterministic = plain;
    d.inference = plain || c->lr <= 0.0f;
    d.checkpoint = plain ? 0 : c->checkpoint;
    d.gradient_floor = plain ? 0.0f : options.gradient_floor;
    d.half_traces = !plain && options.half_traces;
    lif.beta = c->beta;
    if (c->slope > 0.0f) {
        lif.surrogate = SNN_FAST_SIGMOID;
        lif.surrogate_p0 = c->slope;
    }
    if (snn_net_create(&net, &d) != SNN_OK) stop(c->name, "no net");
    x = snn_input(net, c->shape[0], c->shape[1], c->shape[2]);
    if (c->channels[0]) {
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
        fc.out_features = c->hidden;
        x = snn_leaky(net, snn_linear(net, x, &fc), &lif);
    }
    fc.out_features = 10;
    snn_leaky(net, snn_linear(net, x, &fc), &lif);
    if (snn_net_build(net) != SNN_OK) stop(c->name, snn_net_error(net));
    if (data->words) {
        uint32_t *to = snn_net_input_words(net, &k);
        memcpy(to, data->words, (size_t)(c->steps * c->batch * k) * sizeof *to);
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

static double membrane_sum(const snn_net *net)
{
    const snn_tensor m = snn_net_membrane(net, snn_net_output(net));
    double sum = 0.0;
    int i;
    for (i = 0; i < 10; i++) sum += (double)m.data[i];
    return sum;
}

/* Loss of the first batch on the plain C kernels; of a stream the sum of the output membranes. */
static void check_case(const bench_case *c, double *result)
{
    snn_net *net;
    float loss = 0.0f;
    bench_data d;
    ZERO(snn_loss_desc, l);
    make_loss(c, &l);
    load(c, 1, &d);
    net = make_net(c, &d, 1);
    if (snn_net_forward(net, d.x) != SNN_OK ||
        (c->lr > 0.0f && snn_net_loss(net, &l, d.y, &loss) != SNN_OK))
        stop(c->name, snn_net_error(net));
    result[LOSS] = c->lr > 0.0f ? (double)loss : membrane_sum(net);
}

/* What the last step could not do without.
 *   flops   2 for each multiply-add of which no factor is known to be 0. Forward: the synaptic
 *           operations of snn_net_stats, of a constant input its nonzeros. Backward: the same for
 *           the weights, and all for the input where its gradient is wanted; under a max pool only
 *           those of the outputs that won. 30 a neuron and step: step, step again, gradient
 *   bytes   weights: read twice, gradients written, Adam's four arrays read, three written; inputs
 *           read twice; of a neuron and step the current and its gradient written and read, spikes
 *           as bits. A stream reads the weights of what is not zero once, and its states. */
static double flops_of(const bench_case *c, const snn_net *net, const bench_data *d, int i,
                       int backward)
{
    const snn__node *q = &net->node[i], *x = q->ins ? snn__input_of(net, q, 0) : q;
    const double rows = (double)c->steps * c->batch;
    double dense, won = 1.0;
    snn_layer_stats s;
    int j;
    if (q->op == SNN__NEURON) return rows * q->n * (backward ? 20.0 : 10.0);
    snn_net_stats(net, i, &s);
    if (s.dense_ops <= 0.0) return 0.0;
    dense = q->signal == SNN__CONSTANT ? s.dense_ops / c->steps : s.dense_ops;
    if (x->op == SNN__INPUT && x->signal != SNN__BITS)
        s.synops *= !strcmp(c->name, "stream_same")
                        ? 0.0
                        : (double)snn__count_floats(d->x, d->size) / (double)d->size;
    for (j = i + 1; j < net->count; j++)
        if (net->node[j].op == SNN__MAX_POOL2D && net->node[j].in[0] == i)
            won = (double)net->node[j].n / q->n;
    if (!backward) return 2.0 * rows * s.synops;
    return 2.0 * rows * won * (s.synops + (x->backward ? dense : 0.0));
}
static void floor_of(const bench_case *c, const snn_net *net, const bench_data *d, double *result)
{
    const double rows = (double)c->steps * c->batch;
    double macs = 0.0, neurons = 0.0, bytes = 40.0 * (double)net->trained + 8.0 * (double)d->size;
    int i, k, train = c->lr > 0.0f;
    result[FLOPS] = 0.0;
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i], *x = q->ins ? snn__input_of(net, q, 0) : q;
        for (k = 0; k <= train; k++) result[FLOPS] += flops_of(c, net, d, i, k);
        if (q->op != SNN__NEURON) macs += 0.5 * flops_of(c, net, d, i, 0) / rows;
        else {
            neurons += q->n;
            bytes += q->n * (rows * 3 / 8 + (x->signal == SNN__CONSTANT ? c->batch : rows) * 16);
        }
    }
    result[BYTES] = train ? bytes : 4.0 * macs + 8.0 * neurons;
    result[TRIAD] = triad_rate(result[NET_MB] * 1024.0, thread_count());
}

/* The three slowest parts of a step, layers with what is chained to them, forward or backward:
 * milliseconds, their share, and how many times what their operations alone would take. */
static void print_parts(const bench_case *c, double *result)
{
    enum { ROUNDS = 5, PARTS = 64, TRAINED = 8 };
    double ms[PARTS] = {0}, sum = 0.0;
    float loss = 0.0f;
    const float *x = NULL;
    const int *y = NULL;
    bench_data d;
    snn_net *net;
    int i, k, s, round;
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    (void)result;
    make_loss(c, &l);
    o.lr = c->lr;
    load(c, TRAINED, &d);
    net = make_net(c, &d, 0);
    for (i = 0; i < TRAINED; i++) { /* as far as the median of the timed steps */
        const size_t at = (size_t)(i % d.batches);
        x = d.words ? NULL : d.x + at * d.size;
        y = d.y + at * (size_t)c->batch;
        snn_train_step(net, &o, &l, x, y);
    }
    for (round = 0; round < ROUNDS; round++) {
        if (snn_net_forward(net, x) != SNN_OK) stop(c->name, snn_net_error(net));
        for (k = 0; k < 2; k++) {
            if (k && (snn_net_zero_grad(net) != SNN_OK ||
                      snn_net_loss(net, &l, y, &loss) != SNN_OK))
                stop(c->name, snn_net_error(net));
            for (i = 0; i < net->count; i++) /* as the whole backward pass begins */
                for (s = 0; k && s < net->node[i].states; s++)
                    snn__zero(net->node[i].dstate[s], snn__state_size(net, &net->node[i]));
            for (s = 0; s < net->segments; s++) {
                const int t = (k ? net->segments - 1 - s : s) * net->segment;
                snn__segment_set(net, t);
                for (i = 0; i < net->count && k * net->count + i < PARTS; i++) {
                    snn__node *q = &net->node[k ? net->count - 1 - i : i];
                    const snn__op *op = &snn__op_table[q->op];
                    double start;
                    if (q->chunk || (k ? !q->backward || !op->backward : !op->forward) ||
                        (t > 0 && q->signal == SNN__CONSTANT))
                        continue;
                    start = now();
                    snn__run(net, q, k);
                    ms[k * net->count + i] += 1e3 * (now() - start) / ROUNDS;
                }
            }
        }
    }
    for (i = 0; i < PARTS; i++) sum += ms[i];
    for (round = 0; round < 3; round++) {
        char name[64] = "";
        double flops = 0.0;
        int most = 0, node;
        snn__node *q;
        for (i = 1; i < PARTS; i++)
            if (ms[i] > ms[most]) most = i;
        k = most >= net->count;
        node = k ? 2 * net->count - 1 - most : most;
        for (q = &net->node[node]; q; q = snn__chain_previous(net, q)) {
            char rest[64];
            snprintf(rest, sizeof rest, "%s%s%s", q->name, *name ? "+" : "", name);
            memcpy(name, rest, sizeof name);
            flops += flops_of(c, net, &d, (int)(q - net->node), k);
        }
        row("#   %-22s %-8s %8.2f ms %4.0f %% %5.1f x its flops", name, k ? "backward" : "forward",
            ms[most], 100.0 * ms[most] / sum, ms[most] / (1e-6 * flops / machine[FMA_ALL]));
        ms[most] = 0.0;
    }
    snn_net_destroy(net);
    free(d.x), free(d.words), free(d.y);
}

static void time_case(const bench_case *c, double *result)
{
    int stream = c->lr <= 0.0f, same = !strcmp(c->name, "stream_same"), i;
    int n = stream ? options.steps * 200 : options.steps, warm = stream ? 200 : WARM_UP;
    double *ms = (double *)take((size_t)n, sizeof(double)), begin = now();
    bench_data d;
    snn_net *net;
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    load(c, stream ? 100 : n + warm < 40 ? n + warm : 40, &d); /* examples/data has 40 batches */
    make_loss(c, &l);
    o.lr = c->lr;
    net = make_net(c, &d, 0);
    for (i = 0; i < n + warm; i++) {
        const size_t at = (size_t)(i % d.batches);
        const float *x = d.words || (same && i > 0) ? NULL : d.x + at * d.size;
        double start = now(), value = 0.0;
        if (stream) value = snn_net_step(net, x) == SNN_OK ? 0.0 : -1.0;
        else value = (double)snn_train_step(net, &o, &l, x, d.y + at * (size_t)c->batch);
        if (i >= warm) ms[i - warm] = 1e3 * (now() - start);
        if (i == 0) result[LOSS] = stream ? membrane_sum(net) : value;
        if (!(value >= 0.0)) stop(c->name, snn_net_error(net));
        if (i - warm >= 2 && now() - begin > 20.0) n = i - warm + 1; /* a slow one: that will do */
    }
    qsort(ms, (size_t)n, sizeof ms[0], ascending);
    result[MS] = ms[n / 2];
    result[PEAK_MB] = peak_megabytes();
    result[NET_MB] = (double)snn_net_memory(net) / 1048576.0;
    if (options.all) floor_of(c, net, &d, result);
}

/* The check and the time in a process each, so that neither counts as the other's memory. */
static int measure(const bench_case *c, double *result)
{
    double plain[RESULTS] = {0};
    if (in_child(check_case, c, plain) || in_child(time_case, c, result)) return 2;
    if (!(fabs(result[LOSS] - plain[LOSS]) <= 1e-3 * fabs(plain[LOSS])))
        printf("# WARNING %s: first loss %.6g, plain C kernels give %.6g\n", c->name, result[LOSS],
               plain[LOSS]);
    return 0;
}

static int print_case(const bench_case *c)
{
    double r[RESULTS] = {0}, flops_ms, bytes_ms;
    char floor_text[128] = "";
    bench_case named = *c;
    if (!strncmp(c->name, "nmnist", 6) && !load_events(c, NULL, NULL))
        named.name = c->checkpoint ? "nmnist_half_synth" : "nmnist_synth";
    if (measure(&named, r)) return 2;
    if (options.all) {
        flops_ms = 1e-6 * r[FLOPS] / machine[c->batch > 1 ? FMA_ALL : FMA_ONE];
        bytes_ms = 1e-6 * r[BYTES] / r[TRIAD];
        snprintf(floor_text, sizeof floor_text, " %9.4f %9.3f %9.4f %9.4f %7.1f", 1e-9 * r[FLOPS],
                 1e-6 * r[BYTES], flops_ms, bytes_ms,
                 r[MS] / (flops_ms > bytes_ms ? flops_ms : bytes_ms));
    }
    row("%-12s %9.*f %11.1f %8.1f %8.1f%s", named.name, c->lr > 0.0f ? 1 : 4, r[MS],
        1e3 * c->batch / r[MS], r[PEAK_MB], r[NET_MB], floor_text);
    if (!options.all || options.csv || c->lr <= 0.0f) return 0;
    return in_child(print_parts, c, r);
}

/* -- kernels and neurons -- */

/* depth of a tile; nonzeros, inputs and outputs of a gather; length of a row */
enum { DEPTH = 256, FEW = 40, TABLE = 784, WIDE = 256, ROW = 2048, LISTED = ROW + SNN__LANES };
enum { TILE, TILE1, GATHER, GATHER_VALUES, GATHER4, GATHER_TO, DOTS, MASKED, CODES, LOOKUP, SCATTER,
       FIRE, LIST_BITS, LIST_FLOATS, MAXIMUM, UNPOOL, TRANSPOSE, ADD, KERNELS };
static const struct {
    const char *name, *size;
    double flops, bytes; /* of a call; of tiles for each row and column of the result */
} kernel_table[KERNELS] = {{"tile", "depth-256", 2.0 * DEPTH, 0},
                           {"tile1", "depth-256", 2.0 * DEPTH, 0},
                           {"gather", "40-of-784x256", FEW * WIDE, 4.0 * FEW * WIDE},
                           {"gather_values", "40-of-784x256", 2.0 * FEW * WIDE, 4.0 * FEW * WIDE},
                           {"gather4", "4x40-of-784x16", 4.0 * FEW * 16, 16.0 * FEW * 16},
                           {"gather_to", "4-of-256x240", 2.0 * 4 * 240, 4.0 * 4 * 240 + 8 * 240},
                           {"dots", "9-of-256", 2.0 * 9 * 256, 4.0 * 12 * 256},
                           {"masked", "64-of-32x10", 64.0 * 32 * 10, 64 * 44},
                           {"codes", "20x12-bits", 0, 20 * 8 * 4 + 20 * 12 / 8.0},
                           {"lookup", "8x20-of-640x16", 8.0 * 20 * 16, 8.0 * 20 * (4 * 16 + 4)},
                           {"scatter", "40-of-784x256", 2.0 * FEW * WIDE, 8.0 * FEW * WIDE},
                           {"fire", "2048", 0, ROW * 4 + ROW / 8},
                           {"list_bits", "2048-at-5%", 0, ROW / 8 + 0.05 * 4 * ROW},
                           {"list_floats", "2048-at-5%", 0, ROW * 4 + 0.05 * 8 * ROW},
                           {"maximum", "4-of-512", 0, 4.0 * ROW + 5.0 * ROW / 4},
                           {"unpool", "4-of-512", 0, 4.0 * ROW + 5.0 * ROW / 4},
                           {"transpose", "128x16", 0, 8.0 * ROW},
                           {"add", "2048", ROW, 12.0 * ROW}};

typedef struct kernel_job {
    const snn__kernels *k;
    int which, mr, nr, listed; /* the tile is that of the table under test, for the plain one too */
    float a[8 * DEPTH], w[TABLE * WIDE], c[ROW + 80], x[ROW + 80], value[LISTED];
    uint32_t index[LISTED], code[20 * SNN__ABREAST], words[ROW / 32], fired[ROW / 32];
    unsigned char argmax[ROW];
    int32_t at[15];
} kernel_job;

static void run_kernel(void *arg)
{
    kernel_job *j = (kernel_job *)arg;
    const snn__kernels *k = j->k;
    const size_t nr = (size_t)j->nr;
    const int few[4] = {FEW, FEW, FEW, FEW};
    const snn__windows seen = {0, 12, 12, 0, 20, 5, 5};
    const uint32_t codes = 20;
    int r, s;
    switch (j->which) {
    case TILE:
    case TILE1:
        if (j->which == TILE && k->nr == j->nr && k->mr == j->mr)
            k->tile(DEPTH, j->a, DEPTH, 1, j->w, nr, j->c, nr);
        else
            for (r = 0; r < (j->which == TILE ? j->mr : 1); r++)
                for (s = 0; s < j->nr; s += k->nr)
                    k->tile1(DEPTH, j->a + r * DEPTH, 1, j->w + s, nr, j->c + r * j->nr + s);
        break;
    case GATHER: k->gather(j->c, NULL, j->w, WIDE, WIDE, j->index, NULL, FEW); break;
    case GATHER_VALUES: k->gather(j->c, NULL, j->w, WIDE, WIDE, j->index, j->value, FEW); break;
    case GATHER4: k->gather4(j->c, 16, NULL, j->w, 16, 16, j->index, FEW, few); break;
    case GATHER_TO: k->gather_to(j->c, j->at, j->w, 240, 240, j->index, j->value, 4); break;
    case DOTS: k->dots(j->c, j->a, j->w, j->index, 9, 256); break;
    case MASKED:
        if (k->masked) k->masked(j->c, j->words, 1, j->a, 8, ROW / 32, 10);
        else
            for (s = 0; s < 320; s++)
                for (j->c[s] = 0.0f, r = 0; r < ROW / 32; r++)
                    if (j->words[r] >> s % 32 & 1u) j->c[s] += j->a[r * 8 + s / 32];
        break;
    case CODES: k->codes(j->code, j->words, &seen); break;
    case LOOKUP: k->lookup(j->c, 16, NULL, j->w, 0, j->code, 20, &codes, 1, 1); break;
    case SCATTER: k->scatter(j->w, WIDE, WIDE, j->index, j->value, FEW, j->a); break;
    case FIRE: k->fire(j->fired, j->x, ROW, 0); break;
    case LIST_BITS: j->listed = k->list_bits(j->words, ROW, j->index); break;
    case LIST_FLOATS: j->listed = k->list_floats(j->x, ROW, j->index, j->value); break;
    case MAXIMUM: k->maximum(j->c, j->argmax, j->x, j->at, 4, ROW / 4); break;
    case UNPOOL: k->unpool(j->c, j->at, 4, j->x, j->argmax, ROW / 4, 0); break;
    case TRANSPOSE: k->transpose(j->c, ROW / 16, j->x, 16, ROW / 16, 16, 0); break;
    default: k->add(j->c, 0, j->x, 0, 1, ROW, 1.0f); break;
    }
}

static void warn(const char *what)
{
    printf("# WARNING %s: not what plain C gives\n", what);
}
static void compare(const char *what, const float *is, const float *plain, int n)
{
    int i;
    for (i = 0; i < n; i++)
        if (!(fabs((double)is[i] - (double)plain[i]) <= 1e-5 * (1.0 + fabs((double)plain[i])))) {
            warn(what);
            return;
        }
}
static void fill(float *x, int n, uint32_t stream)
{
    while (n-- > 0) x[n] = snn_uniform(1, stream, 0, (uint32_t)n);
}

static void first_run(kernel_job *j, const snn__kernels *k, const snn__kernels *table, int which)
{
    int i;
    memset(j, 0, sizeof *j);
    j->k = k, j->which = which, j->mr = table->mr, j->nr = table->nr;
    fill(j->a, 8 * DEPTH, 1);
    fill(j->w, TABLE * WIDE, 2);
    fill(j->c, ROW, 3);
    for (i = 0; i < ROW; i++) j->x[i] = (float)snn_bernoulli(0.05f, 1, 4, 0, (uint32_t)i);
    snn_spikes_pack(j->words, j->x, ROW);
    for (i = 0; i < LISTED; i++) j->value[i] = 0.5f, j->index[i] = (uint32_t)(i * 19 % TABLE);
    for (i = 0; which == GATHER_TO && i < LISTED; i++) j->index[i] %= 256;
    for (i = 0; i < 20 * SNN__ABREAST; i++) j->code[i] = (uint32_t)(i / 8 * 32 + i * 19 % 32) * 16;
    for (i = 0; i < 15; i++) j->at[i] = which == GATHER_TO ? i / 3 * 96 + i % 3 * 16 : i * ROW / 4;
    run_kernel(j);
}

static void print_kernels(const bench_case *c, double *result)
{
    const snn__kernels *table = snn__kernels_select(snn__isa_resolve(options.isa), 0);
    kernel_job *j = (kernel_job *)take(1, sizeof *j), *plain = (kernel_job *)take(1, sizeof *plain);
    int which;
    (void)c, (void)result;
    row("# %-14s %-14s %9s %9s %9s %7s", "kernel", "size", "ns", "GFLOP/s", "GB/s", "share-%");
    for (which = 0; which < KERNELS; which++) {
        if (which == MASKED && !table->masked) continue;
        const char *name = kernel_table[which].name;
        const int tile = which > TILE1 ? 1 : table->nr * (which == TILE ? table->mr : 1);
        double flops = kernel_table[which].flops * tile, bytes = kernel_table[which].bytes, ns;
        first_run(plain, &snn__kernels_scalar, table, which);
        first_run(j, table, table, which);
        compare(name, j->c, plain->c, ROW);
        compare(name, j->w, plain->w, TABLE * WIDE);
        compare(name, j->value, plain->value, j->listed);
        if (j->listed != plain->listed || memcmp(j->fired, plain->fired, sizeof j->fired) ||
            memcmp(j->argmax, plain->argmax, sizeof j->argmax) ||
            memcmp(j->code, plain->code, sizeof j->code) ||
            memcmp(j->index, plain->index, (size_t)j->listed * sizeof j->index[0]))
            warn(name);
        ns = 1e9 * best_seconds(run_kernel, j);
        flops /= ns, bytes /= ns;
        row("%-16s %-14s %9.1f %9.1f %9.1f %7.0f", name, kernel_table[which].size, ns, flops, bytes,
            100.0 * fmax(flops / machine[FMA_ONE], bytes / machine[TRIAD_CACHE]));
    }
    putchar('\n');
    free(plain);
    free(j);
}

/* parameters, states, and the gradients of both; drive, ddrive; up to 4 inputs and gradients */
enum { CELLS = 1024, PITCH = CELLS + 80 /* off the strides that share cache sets */ };
enum { ARRAYS = 2 * (SNN_MAX_PARAMS + SNN_MAX_STATES) + 2 + 2 * 4 };
typedef struct neuron_job {
    snn_neuron_block b;
    void (*run)(const snn_neuron_block *);
    int states, runs;
    float memory[ARRAYS * PITCH];
} neuron_job;

static void run_neuron(void *arg)
{
    neuron_job *j = (neuron_job *)arg;
    int k;
    j->run(&j->b);
    for (k = 0; k < j->states && j->runs % SNN__FLUSH_STEPS == 0; k++)
        snn__flush_row(j->b.dstate[k], CELLS, SNN__LEAST); /* as a net does */
    j->runs++;
}

static void first_neuron_run(neuron_job *j, const snn_neuron_model *m, int grad, int wide)
{
    float *param[SNN_MAX_PARAMS], *at = j->memory;
    snn__neuron q;
    int k, i;
    snn__neuron_setup(&q, m->def, &m->desc, &m->surrogate, 0, wide);
    memset(&j->b, 0, sizeof j->b);
    fill(j->memory, ARRAYS * PITCH, 6);
    j->run = grad ? q.grad : q.step;
    j->states = grad ? m->def->states : 0;
    j->b.n = CELLS, j->b.stride = PITCH;
    j->b.sub = q.sub, j->b.zero = q.zero, j->b.equal = q.equal;
    for (k = 0; k < SNN_MAX_PARAMS; k++) {
        j->b.param[k] = param[k] = at, at += PITCH;
        j->b.dparam[k] = at, at += PITCH;
        for (i = 0; k < m->def->params && i < CELLS; i++) param[k][i] = m->value[k];
    }
    if (m->def->derived) m->def->derive(CELLS, param);
    for (k = 0; k < SNN_MAX_STATES; k++) {
        j->b.state[k] = at, at += PITCH;
        j->b.dstate[k] = at, at += PITCH;
    }
    j->b.drive = at, at += PITCH;
    j->b.ddrive = at, at += PITCH;
    j->b.x = at, at += 4 * PITCH;
    j->b.dx = at;
    run_neuron(j);
}

static void print_neurons(const bench_case *c, double *result)
{
    const int wide = snn__kernels_select(snn__isa_resolve(options.isa), 0)->wide;
    neuron_job *j = (neuron_job *)take(1, sizeof *j), *plain = (neuron_job *)take(1, sizeof *plain);
    int kind, grad, k;
    (void)c, (void)result;
    row("# %-14s %9s %9s", "neuron", "step-ns", "grad-ns");
    for (kind = 0; kind < SNN_NEURON_COUNT; kind++) {
        const snn_neuron_def *def = snn_neuron_info((snn_neuron_kind)kind);
        double ns[2] = {0.0, 0.0};
        snn_neuron_model m;
        ZERO(snn_neuron_desc, d);
        for (k = 0; k < def->params; k++) /* the decays that have no default */
            if (def->param[k].flags & SNN_PARAM_REQUIRED)
                *(float *)((char *)&d + def->param[k].field) = 0.9f;
        d.beta = 0.8f;
        if (snn_neuron_init(&m, def, &d) != SNN_OK) { /* then it wants times, in steps */
            for (k = 0; k < def->params; k++)
                if (def->param[k].field && !(def->param[k].value > 0.0f))
                    *(float *)((char *)&d + def->param[k].field) = 5.0f;
            d.beta = 0.0f;
            if (snn_neuron_init(&m, def, &d) != SNN_OK) {
                printf("# %s: not with these parameters\n", def->name);
                continue;
            }
        }
        for (grad = 0; grad < 2; grad++) {
            first_neuron_run(plain, &m, grad, 0);
            first_neuron_run(j, &m, grad, wide);
            compare(def->name, j->memory, plain->memory, ARRAYS * PITCH);
            ns[grad] = 1e9 / CELLS * best_seconds(run_neuron, j);
        }
        row("%-16s %9.3f %9.3f", def->name, ns[0], ns[1]);
    }
    putchar('\n');
    free(plain);
    free(j);
}

/* -- growth -- */

/* Curves on logarithmic axes: each axis' time and memory over its first; grey is linear growth. */
enum { CURVES = 5, POINTS = 5 };
typedef struct curves {
    const char *name[CURVES];
    int count[CURVES];
    double at[CURVES][POINTS], ms[CURVES][POINTS], mb[CURVES][POINTS];
} curves;
static void draw_curves(const char *file, const curves *c)
{
    static const char *const paint[] = {"#1f5fbf", "#7aa6e8", "#c0392b", "#2e8b57", "#8e44ad"};
    FILE *f = fopen(file, "w");
    int panel, a, k;
    if (!f) stop(file, "cannot be written");
    fprintf(f, "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='420' "
               "font-family='sans-serif' font-size='12'>\n<rect width='900' height='420' "
               "fill='white'/>\n");
    for (panel = 0; panel < 2; panel++) {
        const double left = 60.0 + 440.0 * panel;
        fprintf(f, "<text x='%g' y='24'>%s, times the first row's</text>\n", left,
                panel ? "memory of the net" : "time of a training step");
        for (k = 0; k <= 3; k++) /* decades */
            fprintf(f, "<path d='M%g %dh360M%g 40v330' stroke='#ddd'/><text x='%g' y='%d'>%g</text>"
                       "<text x='%g' y='386'>%g</text>\n",
                    left, 370 - 110 * k, left + 120.0 * k, left - 34.0, 374 - 110 * k, pow(10, k),
                    left + 120.0 * k - 6.0, pow(10, k));
        fprintf(f, "<text x='%g' y='404'>size, times the first row's</text>\n", left + 110.0);
        fprintf(f, "<path d='M%g 370l360-330' stroke='#aaa' stroke-dasharray='4'/>\n", left);
        for (a = 0; a < CURVES; a++) {
            const double *y = panel ? c->mb[a] : c->ms[a];
            fprintf(f, "<path fill='none' stroke-width='2' stroke='%s' d='", paint[a]);
            for (k = 0; k < c->count[a]; k++)
                fprintf(f, "%c%.1f %.1f", k ? 'L' : 'M',
                        left + 120.0 * log10(c->at[a][k] / c->at[a][0]),
                        370.0 - 110.0 * log10(y[k] / y[0]));
            fprintf(f, "'/><text x='%g' y='%d' fill='%s'>%s</text>\n", left + 14.0, 60 + 18 * a,
                    paint[a], c->name[a]);
        }
    }
    fprintf(f, "</svg>\n");
    if (fclose(f)) stop(file, "cannot be written");
    printf("# drawn: %s\n", file);
}

static int print_growth(void)
{
    static const struct {
        const char *name;
        int count, value[5];
    } axis[] = {{"T", 4, {1, 10, 100, 1000}},
                {"T_checkpoint_32", 2, {100, 1000}},
                {"batch", 5, {1, 8, 32, 128, 512}},
                {"width", 5, {128, 256, 512, 1024, 2048}},
                {"rate_%", 4, {1, 5, 20, 50}}};
    int a, k, all = options.all, steps = options.steps;
    curves drawn;
    memset(&drawn, 0, sizeof drawn);
    options.all = 0; /* no floors */
    options.steps = steps < 5 ? steps : 5;
    row("# %-14s %6s %9s %8s %8s %9s %9s %9s %9s", "axis", "value", "ms/step", "net-MB", "peak-MB",
        "us/unit", "KB/unit", "us/more", "KB/more");
    for (a = 0; a < 5; a++) {
        double ms = (double)NAN, mb = ms, before = 0.0;
        for (k = 0; k < axis[a].count; k++) {
            const double v = axis[a].value[k], more = v - before;
            double r[RESULTS] = {0};
            bench_case c = {"growth", 32,     25, {784, 0, 0},        {0, 0}, 512,
                            0.9f,     0.0f, SNN_LOSS_CE_RATE, 1e-4f,  0.05f,  0};
            if (a <= 1) c.steps = axis[a].value[k];
            if (a == 1) c.checkpoint = 32;
            if (a == 2) c.batch = axis[a].value[k];
            if (a == 3) c.hidden = axis[a].value[k];
            if (a == 4) c.rate = (float)v / 100.0f;
            if (measure(&c, r)) return 2;
            row("%-16s %6.0f %9.2f %8.1f %8.1f %9.1f %9.1f %9.1f %9.1f", axis[a].name, v, r[MS],
                r[NET_MB], r[PEAK_MB], 1e3 * r[MS] / v, 1024.0 * r[NET_MB] / v,
                1e3 * (r[MS] - ms) / more, 1024.0 * (r[NET_MB] - mb) / more);
            ms = r[MS], mb = r[NET_MB], before = v;
            drawn.at[a][k] = v, drawn.ms[a][k] = ms, drawn.mb[a][k] = mb;
        }
        drawn.name[a] = axis[a].name, drawn.count[a] = axis[a].count;
    }
    if (options.picture) draw_curves(options.picture, &drawn);
    options.all = all;
    options.steps = steps;
    return 0;
}

/* -- rules -- */

enum { RULE_INPUTS = 784, RULE_NEURONS = 400, RULE_STEPS = 64 };
typedef struct rule_job {
    float *pre, *post, *x, *y, *w; /* trains [RULE_STEPS][..]; traces */
    snn_stdp_desc stdp;
    snn_net *net;
} rule_job;
static void run_rule(void *arg)
{
    rule_job *j = (rule_job *)arg;
    int t;
    for (t = 0; t < RULE_STEPS; t++)
        snn_stdp_linear(&j->stdp, 1, RULE_INPUTS, RULE_NEURONS, j->pre + t * RULE_INPUTS,
                        j->post + t * RULE_NEURONS, j->x, j->y, j->w, j->w, NULL);
}
static void run_rule_net(void *arg)
{
    rule_job *j = (rule_job *)arg;
    int t;
    for (t = 0; t < RULE_STEPS; t++) snn_net_step(j->net, j->pre + t * RULE_INPUTS);
}
/* a layer whose neurons fire about as often as its inputs: each copies one of them */
static snn_net *rule_net(const snn_stdp_desc *stdp)
{
    snn_net *net;
    int node, layer, i;
    ZERO(snn_net_desc, nd);
    ZERO(snn_linear_desc, fc);
    ZERO(snn_mcpitts_desc, copy);
    nd.input = SNN_INPUT_SPIKES, nd.inference = 1;
    fc.out_features = RULE_NEURONS, fc.no_bias = 1;
    fc.init = SNN_INIT_CONSTANT, fc.init_gain = 1e-6f;
    copy.threshold = 0.5f;
    if (snn_net_create(&net, &nd) != SNN_OK) stop("rules", "no net");
    node = snn_input(net, RULE_INPUTS, 0, 0);
    layer = snn_linear(net, node, &fc);
    snn_mcpitts(net, layer, &copy);
    if (stdp) snn_net_stdp(net, layer, stdp, NULL);
    if (snn_net_build(net) != SNN_OK) stop("rules", snn_net_error(net));
    for (i = 0; i < RULE_NEURONS; i++)
        snn_net_param(net, 0)->value.data[i * RULE_INPUTS + i] = 1.0f;
    snn_net_params_changed(net);
    return net;
}
static int print_rules(void)
{
    static const double rate[] = {0.0, 0.1, 0.3, 1, 3, 10, 30, 100};
    int k, i;
    rule_job j;
    memset(&j, 0, sizeof j);
    j.pre = (float *)take(RULE_STEPS * RULE_INPUTS, sizeof(float));
    j.post = (float *)take(RULE_STEPS * RULE_NEURONS, sizeof(float));
    j.x = (float *)take(2 * RULE_INPUTS, sizeof(float));
    j.y = (float *)take(2 * RULE_NEURONS, sizeof(float));
    j.w = (float *)take(RULE_INPUTS * RULE_NEURONS, sizeof(float));
    j.stdp.tau_pre = j.stdp.tau_post = 20.0f, j.stdp.bound = SNN_STDP_ADDITIVE;
    j.stdp.a_pre = 1e-9f, j.stdp.a_post = 1e-9f, j.stdp.clip = 1;
    row("# %-14s %8s %10s %10s %10s %12s", "stdp", "rate-%", "spikes", "us/step", "us/net-step",
        "ns/synapse");
    for (k = 0; k < 8; k++) {
        double spikes = 0, synapses = 0, us, net_us, still;
        for (i = 0; i < RULE_STEPS * RULE_INPUTS; i++)
            spikes += j.pre[i] = (float)snn_bernoulli((float)rate[k] / 100, 1, 2, 3, (uint32_t)i);
        synapses = spikes * RULE_NEURONS;
        for (i = 0; i < RULE_STEPS * RULE_NEURONS; i++) {
            j.post[i] = (float)snn_bernoulli((float)rate[k] / 100, 1, 4, 5, (uint32_t)i);
            spikes += j.post[i];
            synapses += j.post[i] * RULE_INPUTS;
        }
        us = 1e6 / RULE_STEPS * best_seconds(run_rule, &j);
        j.net = rule_net(NULL);
        still = 1e6 / RULE_STEPS * best_seconds(run_rule_net, &j);
        snn_net_destroy(j.net);
        j.net = rule_net(&j.stdp);
        net_us = 1e6 / RULE_STEPS * best_seconds(run_rule_net, &j);
        snn_net_destroy(j.net);
        row("%-16s %8g %10.1f %10.2f %10.2f %12.3f", "784x400", rate[k], spikes / RULE_STEPS, us,
            net_us - still, synapses > 0 ? 1e3 * us * RULE_STEPS / synapses : 0.0);
    }
    free(j.pre), free(j.post), free(j.x), free(j.y), free(j.w);
    return 0;
}

static void print_machine(void)
{
    char line[256], cpu[128] = "unknown cpu";
    int threads = thread_count();
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        snprintf(cpu, sizeof cpu, "%.120s", colon + 2);
        cpu[strcspn(cpu, "\n")] = 0;
        break;
    }
    if (f) fclose(f);
#if defined(__clang__)
    printf("# %s, clang %s", cpu, __clang_version__);
#elif defined(__GNUC__)
    printf("# %s, gcc %s", cpu, __VERSION__);
#else
    printf("# %s", cpu);
#endif
    printf(", %s, %s, %d thread%s\n", SNN_BENCH_FLAGS, snn_isa_name(snn__isa_resolve(options.isa)),
           threads, threads > 1 ? "s" : "");
#ifndef _OPENMP
    if (options.threads > 1) printf("# built without OpenMP: one thread\n");
#endif
}

static int usage(const char *word)
{
    int i;
    fprintf(stderr, "bench: what is \"%s\"? Cases:", word);
    for (i = 0; i < CASES; i++) fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "; options: --mnist DIR --nmnist DIR --threads N --isa NAME --steps N --csv "
                    "--all --growth --picture FILE.svg --rules --floor SHARE --half\n");
    return 2;
}

int main(int argc, char **argv)
{
    int i, k, chosen[CASES], any = 0, bad = 0;
    memset(chosen, 0, sizeof chosen);
    options.digits = "examples/data";
    options.steps = 10;
    for (i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(word, "--csv")) options.csv = 1;
        else if (!strcmp(word, "--growth")) options.growth = 1;
        else if (!strcmp(word, "--rules")) options.rules = 1;
        else if (!strcmp(word, "--picture")) options.picture = value, options.growth = 1, i++;
        else if (!strcmp(word, "--all")) options.all = 1;
        else if (!strcmp(word, "--mnist")) options.digits = value, i++;
        else if (!strcmp(word, "--nmnist")) options.events = value, i++;
        else if (!strcmp(word, "--threads")) options.threads = atoi(value), i++;
        else if (!strcmp(word, "--steps")) options.steps = atoi(value) > 0 ? atoi(value) : 1, i++;
        else if (!strcmp(word, "--half")) options.half_traces = 1;
        else if (!strcmp(word, "--floor")) options.gradient_floor = (float)atof(value), i++;
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
    if (options.all) {
        bad |= in_child(print_peaks, NULL, machine);
        bad |= in_child(print_kernels, NULL, machine) | in_child(print_neurons, NULL, machine);
    }
    if (any || options.all || !(options.growth || options.rules))
        row("# %-10s %9s %11s %8s %8s%s", "case", "ms/step", "images/s", "peak-MB", "net-MB",
            options.all ? "     GFLOP        MB  flops-ms  bytes-ms   ratio" : "");
    for (i = 0; i < CASES; i++)
        if (any ? chosen[i] : options.all || (!options.growth && !options.rules && i < 3))
            bad |= print_case(&cases[i]);
    if (options.growth) bad |= print_growth();
    if (options.rules) bad |= print_rules();
    return bad;
}
