/* bench_cuda - how fast snn_cuda.h is on this GPU
 *
 *     make cuda-bench    or    build/cuda/bench_cuda [--only WORD] [--seconds S] [--launches 1]
 *                                                    [--nmnist DIR] [--half 1] [--checkpoint K]
 *
 * Rows, each `name what value unit`, the median of rounds of S/5 seconds (1 in all), synchronised:
 *   copy    bytes read and written a second by a device-to-device copy: what the others are held to
 *   lif     fused Leaky over T steps, 64 samples x 65536 neurons, forward alone and with backward,
 *           and the same with half_traces: us, the bytes that the algorithm moves (currents,
 *           spikes, stored states, gradients), and the share of the copy's bandwidth
 *   layer   Linear(n,n) and Leaky, batch 16, T 500: ms of forward and of forward and backward,
 *           TFLOP/s of the products, MB on the device; `lean` in fp32 with packed spikes as input
 *           and half_traces
 *   net     t5_mlp, quick, t6, nmnist as in bench.c, batch 128 and 1024: ms of one training step,
 *           images a second, MB on the device. nmnist's spikes are packed, 32 in a word, before the
 *           clock starts; DIR has Train/<digit>/<name>.bin, without it they are drawn at the same
 *           rate and the row is called nmnist_synth
 * --launches 1: kernels one by one instead of graphs. --half, --checkpoint: of the rows `net`.
 * All numbers are of this run; nothing is remembered or estimated. */
#define SNN_IMPLEMENTATION
#define SNN_CUDA_IMPLEMENTATION
#include "../snn.h"
#include "../snn_cuda.h"
#include <glob.h>
#include <time.h>

static const char *only = "", *recordings = NULL;
static int launches = 0, halves = 0, checkpoint = 0;
static double seconds = 1.0;

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
/* seconds of one call; f enqueues or computes, the end of a round waits for the device */
template <class F> static double time_of(F f)
{
    double s[5], t;
    int n = 1, i, round;
    f();
    cudaDeviceSynchronize();
    for (t = 0; t < seconds / 20; n *= 2) {
        t = now();
        for (i = 0; i < n; i++) f();
        cudaDeviceSynchronize();
        t = now() - t;
    }
    n = (int)(seconds / 5 / (t / (n / 2))) + 1;
    for (round = 0; round < 5; round++) {
        s[round] = now();
        for (i = 0; i < n; i++) f();
        cudaDeviceSynchronize();
        s[round] = (now() - s[round]) / n;
    }
    qsort(s, 5, sizeof *s, ascending);
    return s[2];
}
static int wanted(const char *name) { return strstr(name, only) != NULL; }
static void stop(const snn_net *net)
{
    fprintf(stderr, "bench_cuda: %s\n", net ? snn_net_error(net) : "no net");
    exit(2);
}

static double copy_bandwidth(void)
{
    const size_t size = (size_t)1 << 30;
    char *a = NULL, *b = NULL;
    double s;
    if (cudaMalloc((void **)&a, size) != cudaSuccess ||
        cudaMalloc((void **)&b, size) != cudaSuccess)
        return 0;
    s = time_of([&] { cudaMemcpyAsync(b, a, size, cudaMemcpyDeviceToDevice, 0); });
    cudaFree(a);
    cudaFree(b);
    return 2.0 * (double)size / s;
}

/* a forward and a backward pass, from gradients that are then there to be timed with */
static void once_there_and_back(snn_net *net)
{
    snn_tensor dy;
    if (snn_net_forward(net, NULL) != SNN_OK) stop(net);
    dy = snn_net_dspikes(net, net->count - 1);
    for (size_t i = 0; i < snn_tensor_count(&dy); i++)
        dy.data[i] = snn_uniform(2, 0, 0, (uint32_t)i) - 0.5f;
    if (snn_net_backward(net) != SNN_OK) stop(net); /* sends them */
}

/* input -> linear -> leaky with segments as the net has them; without linear in one */
static snn_net *layer(int batch, int steps, int n, int linear, int half, int packed,
                      snn_cuda_desc *cuda)
{
    snn_net_desc desc = {};
    snn_linear_desc fc = {};
    snn_leaky_desc lif = {};
    snn_net *net = NULL;
    int x;
    desc.batch = batch;
    desc.steps = steps;
    desc.moments = -1;
    desc.gradient_steps = linear ? 0 : steps;
    desc.half_traces = half;
    desc.input = packed ? SNN_INPUT_SPIKES : SNN_INPUT_DENSE;
    desc.backend = snn_cuda_backend(cuda);
    fc.out_features = n;
    lif.beta = 0.9f;
    if (snn_net_create(&net, &desc) != SNN_OK) return NULL;
    x = snn_input(net, n, 0, 0);
    if (!linear && snn_net_record(net, x, SNN_RECORD_GRADIENT) != SNN_OK) stop(net); /* wanted */
    x = linear ? snn_linear(net, x, &fc) : snn_scale(net, x, 1.0f);
    snn_leaky(net, x, &lif);
    if (snn_net_build(net) != SNN_OK) stop(net);
    return net;
}

static void lif_rows(double copy, int half)
{
    const double B = 64, n = 65536, current = half ? 2 : 4;
    const char *name = half ? "_half" : "";
    int T;
    for (T = 4; T <= 32; T *= 2) {
        snn_net *net = layer((int)B, T, (int)n, 0, half, 0, NULL);
        snn_tensor in = snn_net_input(net);
        snn__cu_net *g = snn__cu_of(net);
        snn__node *q = &net->node[net->count - 1];
        snn__cu_node *x = &g->node[q->in[0]];
        const double elements = B * n * T, slots = (T + 15) / 16;
        double s, bytes;
        size_t i;
        for (i = 0; i < snn_tensor_count(&in); i++)
            in.data[i] = 0.5f * snn_uniform(1, 0, 0, (uint32_t)i);
        once_there_and_back(net);
        g->node[net->count - 1].rec[0] = g->node[net->count - 1].drec[0] = NULL; /* spikes alone */
        s = time_of([&] { snn__cu_node_forward(net, q); });
        bytes = elements * (4 + current) + B * n * 4 * (2 + slots);
        printf("lif T%d%s_forward %.1f us  %.3f GB  %.1f %% of copy\n", T, name, s * 1e6,
               bytes * 1e-9, 100 * bytes / s / copy);
        s = time_of([&] {
            snn__cu_node_forward(net, q);
            x->add = 0;
            g->node[net->count - 1].add = 1;
            snn__cu_node_backward(net, q);
            /* floats are overwritten by their gradients: the work is the same */
        });
        bytes += elements * (8 + current) + B * n * 4 * (2 + slots);
        printf("lif T%d%s_both %.1f us  %.3f GB  %.1f %% of copy\n", T, name, s * 1e6,
               bytes * 1e-9, 100 * bytes / s / copy);
        if (g->c.error) fprintf(stderr, "%s\n", g->c.error), exit(2);
        snn_net_destroy(net);
    }
}

static void layer_rows(void)
{
    int n, m;
    for (n = 512; n <= 16384; n *= 2)
        for (m = 0; m < 4; m++) {
            static const char *const name[] = {"fp32", "tf32", "bf16", "lean"};
            const double flop = 2.0 * 16 * 500 * n * n;
            const int lean = m == 3;
            snn_cuda_desc cuda = {};
            snn_net *net;
            double forward, both;
            cuda.math = lean ? SNN_CUDA_FLOAT32 : (snn_cuda_math)m;
            net = layer(16, 500, n, 1, lean, lean, &cuda);
            if (lean) {
                int words;
                uint32_t *bits = snn_net_input_words(net, &words);
                for (size_t row = 0; row < 16 * 500; row++, bits += words)
                    for (int i = 0; i < n; i++)
                        if (snn_bernoulli(0.1f, 1, 0, (uint32_t)row, (uint32_t)i))
                            bits[i / 32] |= 1u << (i % 32);
            } else {
                snn_tensor in = snn_net_input(net);
                for (size_t i = 0; i < snn_tensor_count(&in); i++)
                    in.data[i] = snn_uniform(1, 0, 0, (uint32_t)i) < 0.1f ? 1.0f : 0.0f;
            }
            once_there_and_back(net);
            forward = time_of([&] { snn__cu_forward_run(net, NULL); });
            both = time_of([&] { /* from the output's gradients, which are there */
                snn__cu_forward_run(net, NULL);
                snn__cu_backward_run(net, NULL);
            });
            printf("layer n%d_%s %.3f ms forward (%.1f TFLOP/s)  %.3f ms both (%.1f TFLOP/s)  "
                   "%.1f MB on the device\n", n, name[m], forward * 1e3, flop / forward * 1e-12,
                   both * 1e3, 2 * flop / both * 1e-12, /* the input takes none: two products */
                   (double)snn_cuda_memory(net) * 1e-6);
            fflush(stdout);
            if (snn__cu_of(net)->c.error)
                fprintf(stderr, "%s\n", snn__cu_of(net)->c.error), exit(2);
            snn_net_destroy(net);
        }
}

typedef struct net_case {
    const char *name;
    int steps, shape[3], channels[2], hidden;
    float beta, slope; /* slope 0: atan */
    snn_loss_kind loss;
    float lr, rate;    /* of spikes; 0: images */
} net_case;
static const net_case nets[] = {
    {"t5_mlp", 25, {784, 0, 0}, {0, 0}, 1000, 0.95f, 0, SNN_LOSS_CE_MEMBRANE, 5e-4f, 0},
    {"quick", 25, {1, 28, 28}, {8, 16}, 0, 0.9f, 25, SNN_LOSS_MSE_COUNT, 2e-3f, 0},
    {"t6", 50, {1, 28, 28}, {12, 64}, 0, 0.5f, 25, SNN_LOSS_CE_RATE, 1e-2f, 0},
    {"nmnist", 300, {2, 34, 34}, {12, 32}, 0, 0.5f, 0, SNN_LOSS_MSE_COUNT, 2e-2f, 0.0063f}};

/* Every 31st recording as frames of 1 ms into the packed input of the net; 0: there are none. */
static int load_recordings(const net_case *c, snn_net *net, int *y)
{
    int words;
    uint32_t *bits = snn_net_input_words(net, &words);
    const int batch = net->desc.batch;
    const size_t frame = (size_t)net->node[0].n, size = (size_t)c->steps * frame;
    snn_frames_desc d = {};
    char pattern[1024];
    glob_t g;
    int i, t;
    snprintf(pattern, sizeof pattern, "%s/Train/*/*.bin", recordings ? recordings : "");
    if (!recordings || glob(pattern, 0, NULL, &g) != 0) return 0;
    float *x = (float *)malloc(size * sizeof *x);
    d.steps = c->steps;
    d.width = d.height = 34;
    for (i = 0; i < batch; i++) {
        const char *path = g.gl_pathv[31 * (size_t)i % g.gl_pathc];
        FILE *f = fopen(path, "rb");
        static unsigned char bytes[1 << 20];
        const size_t read = f ? fread(bytes, 1, sizeof bytes, f) / 5 * 5 : 0;
        snn_event *e = (snn_event *)malloc((read / 5 + 1) * sizeof *e);
        const int count = snn_events_nmnist(e, (int)(read / 5), bytes, read);
        if (!f || count < 0 || snn_event_frames(x, e, count, &d) != SNN_OK) {
            fprintf(stderr, "bench_cuda: %s cannot be read\n", path);
            exit(2);
        }
        fclose(f);
        free(e);
        y[i] = path[strlen(recordings) + strlen("/Train/")] - '0';
        for (t = 0; t < c->steps; t++)
            snn_spikes_pack(bits + ((size_t)t * (size_t)batch + (size_t)i) * (size_t)words,
                            x + (size_t)t * frame, (int)frame);
    }
    free(x);
    globfree(&g);
    return 1;
}

static void net_row(const net_case *c, int batch, int m)
{
    const int pixels = c->shape[0] * (c->shape[1] ? c->shape[1] * c->shape[2] : 1);
    const char *synth = "";
    snn_cuda_desc cuda = {};
    snn_net_desc desc = {};
    snn_linear_desc fc = {};
    snn_conv2d_desc conv = {};
    snn_pool2d_desc pool = {};
    snn_leaky_desc lif = {};
    snn_loss_desc loss = {};
    snn_optim_desc adam = {};
    snn_net *net = NULL;
    float *x = (float *)malloc((size_t)batch * (size_t)pixels * sizeof *x);
    int *y = (int *)malloc((size_t)batch * sizeof *y), node, i;
    double s;
    for (i = 0; i < batch * pixels; i++)
        x[i] = snn_bernoulli(0.2f, 2, 0, 0, (uint32_t)i) ? snn_uniform(2, 1, 0, (uint32_t)i) : 0.0f;
    for (i = 0; i < batch; i++) y[i] = i % 10;
    cuda.math = (snn_cuda_math)m;
    cuda.no_graphs = launches;
    desc.batch = batch;
    desc.steps = c->steps;
    desc.seed = 1;
    desc.half_traces = halves;
    desc.checkpoint = checkpoint;
    desc.input = c->rate > 0 ? SNN_INPUT_SPIKES : SNN_INPUT_CONSTANT;
    desc.backend = snn_cuda_backend(&cuda);
    conv.kernel = 5;
    pool.kernel = 2;
    lif.beta = c->beta;
    if (c->slope > 0) lif.surrogate = SNN_FAST_SIGMOID, lif.surrogate_p0 = c->slope;
    loss.kind = c->loss;
    loss.correct_rate = 0.8f;
    loss.incorrect_rate = 0.2f;
    adam.lr = c->lr;
    if (snn_net_create(&net, &desc) != SNN_OK) stop(NULL);
    node = snn_input(net, c->shape[0], c->shape[1], c->shape[2]);
    for (i = 0; c->channels[0] && i < 2; i++) {
        conv.out_channels = c->channels[i];
        node = snn_conv2d(net, node, &conv);
        node = snn_max_pool2d(net, node, &pool);
        node = snn_leaky(net, node, &lif);
    }
    if (c->hidden) {
        fc.out_features = c->hidden;
        node = snn_leaky(net, snn_linear(net, node, &fc), &lif);
    } else node = snn_flatten(net, node);
    fc.out_features = 10;
    snn_leaky(net, snn_linear(net, node, &fc), &lif);
    if (snn_net_build(net) != SNN_OK) stop(net);
    if (c->rate > 0 && !load_recordings(c, net, y)) {
        const size_t rows = (size_t)c->steps * (size_t)batch;
        int words;
        uint32_t *bits = snn_net_input_words(net, &words);
        synth = "_synth";
        for (size_t row = 0; row < rows; row++, bits += words)
            for (int k = 0; k < net->node[0].n; k++)
                if (snn_bernoulli(c->rate, 1, 0, (uint32_t)row, (uint32_t)k))
                    bits[k / 32] |= 1u << (k % 32);
    }
    s = time_of([&] {
        if (!(snn_train_step(net, &adam, &loss, c->rate > 0 ? NULL : x, y) >= 0)) stop(net);
    });
    printf("net %s%s_b%d%s %.3f ms/step  %.0f images/s  %.1f MB on the device\n", c->name, synth,
           batch, m ? "_tf32" : "", s * 1e3, batch / s, (double)snn_cuda_memory(net) * 1e-6);
    fflush(stdout);
    snn_net_destroy(net);
    free(x);
    free(y);
}

int main(int argc, char **argv)
{
    double copy;
    int i, k;
    cudaDeviceProp p;
    for (i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--only")) only = argv[i + 1];
        else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--launches")) launches = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--nmnist")) recordings = argv[i + 1];
        else if (!strcmp(argv[i], "--half")) halves = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--checkpoint")) checkpoint = atoi(argv[i + 1]);
    }
    if (cudaGetDeviceProperties(&p, 0) != cudaSuccess) {
        fprintf(stderr, "bench_cuda: no NVIDIA GPU\n");
        return 2;
    }
    copy = copy_bandwidth();
    printf("# %s, %d multiprocessors, %.0f GB\ncopy device %.1f GB/s\n", p.name,
           p.multiProcessorCount, (double)p.totalGlobalMem * 1e-9, copy * 1e-9);
    for (k = 0; wanted("lif") && k < 2; k++) lif_rows(copy, k);
    if (wanted("layer")) layer_rows();
    for (i = 0; i < 4; i++)
        for (k = 0; wanted("net") && k < 4; k++) net_row(&nets[i], k % 2 ? 1024 : 128, k / 2);
    return 0;
}
