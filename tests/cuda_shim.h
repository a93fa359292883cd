/* cuda_shim.h - the device of snn_cuda.h, in plain C on the CPU, so that its kernels and all that
 * runs them are tested where there is no GPU. Include it between snn.h and snn_cuda.h, with
 * SNN_CUDA_SHIM defined. A launch is a loop over thread ids, forwards or backwards (threads must
 * not know of each other), "device memory" comes from malloc and is filled with NaN (nothing may
 * count on zeros), and failures can be asked for. A graph keeps launches with copies of their
 * arguments, as the driver does: one that is played with an old argument computes what is wrong. */
#ifndef SNN_CUDA_SHIM_H
#define SNN_CUDA_SHIM_H

#include <stdlib.h>
#include <string.h>

static struct shim {
    int backwards;       /* 1: threads run in the other order */
    int allocs, frees;   /* blocks of memory taken and given back: device, pinned, graphs */
    int no_device, no_memory, fail_after; /* what goes wrong; fail_after: calls until one does */
    int no_pinned, no_capture, no_graph, no_change;
    size_t sent, fetched; /* bytes */
    int sends, fetches, launches, plays, changes;
    int uploading, races; /* pinned memory that may not be written now; calls that began so */
} shim;

typedef void (*snn__cu_code)(void);
typedef struct shim_op { /* its arguments follow */
    struct shim_op *next;
    snn__cu_code code;
    size_t n;
} shim_op;
typedef struct snn__cu_graph {
    shim_op *first, *last;
} snn__cu_graph;
typedef struct snn__cu {
    const char *error;
    char *base;
    size_t size, workspace;
    int device, capturing;
    snn__cu_graph captured;
    void *pinned;
    struct snn__cu_script *script;
} snn__cu;

static int snn__cu_listed(snn__cu *c, snn__cu_code code, size_t n, const void *args, size_t size);
static void snn__cu_launched(snn__cu *c);
static int snn__cu_unlisted(snn__cu *c);

#define SNN__KERNEL(name, type)                                                                \
    static void name##_at(size_t i, const type *a);                                                \
    static void name(size_t n, const void *a)                                                      \
    {                                                                                              \
        size_t i;                                                                                  \
        for (i = 0; i < n; i++) name##_at(shim.backwards ? n - 1 - i : i, (const type *)a);        \
    }                                                                                              \
    static void name##_at(size_t i, const type *a)
#define SNN__LAUNCH(c, name, count, args)                                                      \
    do {                                                                                           \
        const size_t n_ = (count);                                                                 \
        if (n_ && !(c)->error &&                                                                   \
            !snn__cu_listed(c, (snn__cu_code)name, n_, &(args), sizeof(args))) {                   \
            shim.launches += !(c)->capturing;                                                      \
            shim_do(c, (snn__cu_code)name, n_, &(args), sizeof(args));                             \
            snn__cu_launched(c);                                                                   \
        }                                                                                          \
    } while (0)
#define SNN__DEVICE SNN__HD
#define SNN__UNROLL
#define SNN__FMA(a, b, c) ((a) * (b) + (c))
#define SNN__LOAD8(to, from) memcpy(to, from, 8 * sizeof(float))
#define SNN__HALF(x) shim_half(x)
#define SNN__FLOAT(h) shim_float(h)

static uint16_t shim_half(float x)
{
    uint16_t h;
    snn__halve_plain(&h, &x, 1);
    return h;
}
static float shim_float(uint16_t h)
{
    float x;
    snn__widen_plain(&x, &h, 1);
    return x;
}
static int shim_fails(snn__cu *c)
{
    if (shim.fail_after && !--shim.fail_after && !c->error) c->error = "asked to fail";
    return c->error != NULL;
}
static void *shim_take(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (p) shim.allocs++;
    return p;
}
static void shim_give(void *p)
{
    if (p) shim.frees++;
    free(p);
}
static void shim_call(snn__cu_code code, size_t n, const void *args)
{
    ((void (*)(size_t, const void *))code)(n, args);
}
/* a launch: into the graph, or at once */
static void shim_do(snn__cu *c, snn__cu_code code, size_t n, const void *args, size_t size)
{
    shim_op *op;
    if (shim_fails(c)) return;
    if (!c->capturing) {
        shim_call(code, n, args);
        return;
    }
    op = (shim_op *)shim_take(sizeof *op + size);
    if (!op) return;
    op->next = NULL;
    op->code = code;
    op->n = n;
    memcpy(op + 1, args, size);
    if (c->captured.last) c->captured.last->next = op;
    else c->captured.first = op;
    c->captured.last = op;
}

static void snn__cu_drop(snn__cu_graph *g)
{
    shim_op *op = g->first, *next;
    for (; op; op = next) {
        next = op->next;
        shim_give(op);
    }
    g->first = g->last = NULL;
}
static void snn__cu_close(snn__cu *c)
{
    shim_give(c->base);
    shim_give(c->pinned);
    memset(c, 0, sizeof *c);
}
static void snn__cu_open(snn__cu *c, const snn_cuda_desc *d, int products)
{
    memset(c, 0, sizeof *c);
    c->device = d ? d->device : 0;
    c->workspace = products ? 1024 : 0;
    if (shim.no_device) c->error = "no CUDA-capable device is detected";
    else if (c->device) c->error = "no such device";
}
static void snn__cu_lend(snn__cu *c, void *memory)
{
    if (!c->workspace) return;
    if ((uintptr_t)memory % 256) c->error = "cuBLAS refuses its workspace"; /* as it would */
    else memset(memory, 0xff, c->workspace);
}
static int snn__cu_alloc(snn__cu *c, size_t size)
{
    if (shim.no_memory || (c->base = (char *)shim_take(size)) == NULL) return 0;
    memset(c->base, 0xff, size);
    c->size = size;
    return 1;
}
static void *snn__cu_pin(snn__cu *c, size_t size)
{
    return c->pinned = shim.no_pinned ? NULL : shim_take(size);
}
static void snn__cu_begin(snn__cu *c)
{
    c->error = NULL;
    shim.races += shim.uploading;
}
static void snn__cu_wait(snn__cu *c) { (void)c; }

static void shim_zero(size_t n, const void *args)
{
    void *to;
    memcpy(&to, args, sizeof to);
    memset(to, 0, n);
}
static void snn__cu_zero(snn__cu *c, void *to, size_t size)
{
    if (to && size && !c->error && !snn__cu_listed(c, NULL, size, &to, sizeof to))
        shim_do(c, (snn__cu_code)shim_zero, size, &to, sizeof to);
}
static void shim_copy(size_t n, const void *args)
{
    const void *a[2];
    memcpy(a, args, sizeof a);
    memcpy((void *)a[0], a[1], n);
}
static void snn__cu_copy(snn__cu *c, void *to, const void *from, size_t size)
{
    const void *a[2];
    a[0] = to, a[1] = from;
    if (!c->error && !snn__cu_listed(c, NULL, size, a, sizeof a))
        shim_do(c, (snn__cu_code)shim_copy, size, a, sizeof a);
}
static void snn__cu_send(snn__cu *c, void *to, const void *from, size_t size)
{
    if (snn__cu_unlisted(c)) return;
    shim.sent += size;
    shim.sends++;
    if (size && !shim_fails(c)) memcpy(to, from, size);
}
static void snn__cu_upload(snn__cu *c, void *to, const void *from, size_t size)
{
    snn__cu_send(c, to, from, size);
    shim.uploading = 1;
}
static void snn__cu_uploaded(snn__cu *c)
{
    (void)c;
    shim.uploading = 0;
}
static void snn__cu_fetch(snn__cu *c, void *to, const void *from, size_t size)
{
    if (snn__cu_unlisted(c)) return;
    shim.fetched += size;
    shim.fetches++;
    if (size && !shim_fails(c)) memcpy(to, from, size);
}

typedef struct shim_product {
    int ta, tb, m, n, k;
    float beta;
    const float *a, *b;
    float *out;
} shim_product;
static void shim_gemm(size_t one, const void *args)
{
    const shim_product *p = (const shim_product *)args;
    const size_t M = (size_t)p->m, N = (size_t)p->n, K = (size_t)p->k;
    size_t i, j, k;
    (void)one;
    for (i = 0; i < M; i++)
        for (j = 0; j < N; j++) {
            float sum = p->beta != 0.0f ? p->beta * p->out[i * N + j] : 0.0f;
            for (k = 0; k < K; k++)
                sum += p->a[p->ta ? k * M + i : i * K + k] * p->b[p->tb ? j * K + k : k * N + j];
            p->out[i * N + j] = sum;
        }
}
static void snn__cu_gemm(snn__cu *c, int ta, int tb, int m, int n, int k, const float *a,
                         const float *b, float beta, float *out)
{
    shim_product p;
    memset(&p, 0, sizeof p);
    p.ta = ta, p.tb = tb;
    p.m = m, p.n = n, p.k = k;
    p.a = a, p.b = b;
    p.beta = beta, p.out = out;
    if (!c->error && !snn__cu_listed(c, NULL, 1, &p, sizeof p))
        shim_do(c, (snn__cu_code)shim_gemm, 1, &p, sizeof p);
}

static int snn__cu_capture(snn__cu *c) { return c->capturing = !shim.no_capture; }
static int snn__cu_captured(snn__cu *c, snn__cu_graph *g)
{
    *g = c->captured;
    c->captured.first = c->captured.last = NULL;
    c->capturing = 0;
    return !shim.no_graph;
}
static void *snn__cu_newest(snn__cu *c) { return c->captured.last; }
static int snn__cu_change(snn__cu_graph *g, void *node, snn__cu_code code, size_t n,
                          const void *args, size_t size)
{
    shim_op *op = (shim_op *)node;
    (void)g;
    if (shim.no_change || op->code != code) return 0;
    shim.changes++;
    op->n = n;
    memcpy(op + 1, args, size);
    return 1;
}
static void snn__cu_play(snn__cu *c, snn__cu_graph *g)
{
    shim_op *op = g->first;
    shim.plays++;
    if (shim_fails(c)) return;
    for (; op; op = op->next) shim_call(op->code, op->n, op + 1);
}
#endif
