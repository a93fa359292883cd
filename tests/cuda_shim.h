/* cuda_shim.h - the device of snn_cuda.h, in plain C on the CPU, so that its kernels and all that
 * runs them are tested where there is no GPU. Include it between snn.h and snn_cuda.h, with
 * SNN_CUDA_SHIM defined. A launch is a loop over thread ids, forwards or backwards (threads must
 * not know of each other), "device memory" comes from malloc and is filled with NaN (nothing may
 * count on zeros), and failures can be asked for. */
#ifndef SNN_CUDA_SHIM_H
#define SNN_CUDA_SHIM_H

#include <stdlib.h>
#include <string.h>

static struct shim {
    int backwards;       /* 1: threads run in the other order */
    int allocs, frees;   /* blocks of device memory taken and given back */
    int no_device, no_memory, fail_after; /* what goes wrong; fail_after: calls until one does */
    size_t sent, fetched; /* bytes */
    int sends, fetches, launches;
} shim;

typedef struct snn__cu {
    const char *error;
    char *base;
    size_t size, workspace;
    int device;
} snn__cu;

#define SNN__KERNEL(name, type) static void name(size_t i, const type *a)
#define SNN__LAUNCH(c, name, count, args)                                                      \
    do {                                                                                           \
        const size_t n_ = (count);                                                                 \
        size_t i_;                                                                                 \
        shim.launches++;                                                                           \
        if (!shim_fails(c))                                                                        \
            for (i_ = 0; i_ < n_; i_++) name(shim.backwards ? n_ - 1 - i_ : i_, &(args));          \
    } while (0)
#define SNN__DEVICE SNN__HD
#define SNN__UNROLL
#define SNN__FMA(a, b, c) ((a) * (b) + (c))
#define SNN__LOAD8(to, from) memcpy(to, from, 8 * sizeof(float))

static int shim_fails(snn__cu *c)
{
    if (shim.fail_after && !--shim.fail_after && !c->error) c->error = "asked to fail";
    return c->error != NULL;
}
static void snn__cu_close(snn__cu *c)
{
    if (c->base) shim.frees++;
    free(c->base);
    c->base = NULL;
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
    if (c->workspace) memset(memory, 0xff, c->workspace);
}
static int snn__cu_alloc(snn__cu *c, size_t size)
{
    if (shim.no_memory || (c->base = (char *)malloc(size)) == NULL) return 0;
    memset(c->base, 0xff, size);
    c->size = size;
    shim.allocs++;
    return 1;
}
static void snn__cu_begin(snn__cu *c) { c->error = NULL; }
static void snn__cu_wait(snn__cu *c) { (void)c; }
static void snn__cu_zero(snn__cu *c, void *to, size_t size)
{
    if (to && size && !shim_fails(c)) memset(to, 0, size);
}
static void snn__cu_copy(snn__cu *c, void *to, const void *from, size_t size)
{
    if (!shim_fails(c)) memcpy(to, from, size);
}
static void snn__cu_send(snn__cu *c, void *to, const void *from, size_t size)
{
    shim.sent += size;
    shim.sends++;
    if (size && !shim_fails(c)) memcpy(to, from, size);
}
static void snn__cu_fetch(snn__cu *c, void *to, const void *from, size_t size)
{
    shim.fetched += size;
    shim.fetches++;
    if (size && !shim_fails(c)) memcpy(to, from, size);
}
static void snn__cu_gemm(snn__cu *c, int ta, int tb, int m, int n, int k, const float *a,
                         const float *b, float beta, float *out)
{
    const size_t M = (size_t)m, N = (size_t)n, K = (size_t)k;
    size_t i, j, p;
    if (shim_fails(c)) return;
    for (i = 0; i < M; i++)
        for (j = 0; j < N; j++) {
            float sum = beta != 0.0f ? beta * out[i * N + j] : 0.0f;
            for (p = 0; p < K; p++)
                sum += a[ta ? p * M + i : i * K + p] * b[tb ? j * K + p : p * N + j];
            out[i * N + j] = sum;
        }
}
#endif
