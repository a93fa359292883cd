/* snn_cuda.h - the nets of snn.h on an NVIDIA GPU - MIT-0, see the end of snn.h
 *
 * In ONE .cu file:
 *     #define SNN_IMPLEMENTATION
 *     #define SNN_CUDA_IMPLEMENTATION
 *     #include "snn.h"
 *     #include "snn_cuda.h"
 * and nvcc -O3 -std=c++17 -fmad=false -arch=native net.cu -lcublas. Then a net's desc says where it
 * runs, and every other call stays what it was:
 *     snn_cuda_desc cuda = {};
 *     desc.backend = snn_cuda_backend(&cuda);
 *
 * WHAT HAPPENS WHERE
 *   Parameters, gradients, optimiser state, signals, losses and optimisers live on the device. A
 *   training step sends a batch and its labels and fetches the loss. Device memory is planned when
 *   the net is built, one block, and the input's host copy is page-locked, so that it travels while
 *   the host goes on. Views are copies on the host: one that was once asked for is fetched after
 *   every call that changes it and sent before every call that reads it, so ask for what you need
 *   and no more; a parameter asked for fetches all of them.
 *
 *   The second call of a kind (forward over so many steps, loss, backward, ...) captures its
 *   launches as a CUDA graph, later ones play it. That is all that is allocated after build: the
 *   driver's graph, and a list of its launches by the net's allocator. A net without an allocator
 *   (snn_net_create_in), a call that cannot be captured and desc.no_graphs launch kernel by kernel,
 *   to the same results.
 *
 * THE SAME NUMBERS
 *   Kernels call the very formulas of snn.h, snn__leaky_step1 and its like; a row of
 *   SNN_NEURON_LIST has its kernels without another line. Random draws are the same. With
 *   -fmad=false neurons compute the same bits as a deterministic net on the CPU from the same input
 *   currents; sums of layers differ in their order, so in the last bits. Two runs on one device
 *   agree in every bit: no sum depends on which thread came first.
 *
 * MEMORY
 *   As on the CPU a net runs some steps at a time, a segment, layer by layer; one with norms a
 *   whole checkpoint interval, one for inference all T steps. Gradients are there for one segment,
 *   also signals that backward does not read again; where there are many segments spikes are bytes,
 *   which a matrix product gets as floats of one. gradient_steps says how long a segment is; else
 *   it is long enough to keep the device busy, some 16 MB of the widest layer, 1024 rows and an
 *   eighth of the steps, and small nets have one. Currents and spikes of all T
 *   steps stay, of a checkpoint interval with `checkpoint`, currents in 16 bits with half_traces;
 *   of states only one every 16, 8 or 4 steps; of layers with recurrence or inhibition, and with
 *   debug, all, and a recurrence has its currents twice. What is recorded, as the last layer is,
 *   stays for all steps: spikes and membranes and their gradients, four signals. snn_cuda_memory
 *   counts it all.
 *
 * WHAT IT DOES NOT DO
 *   learning rules in a net, neurons and surrogates of your own, SNN_SPIKES_SMOOTH; times and
 *   SNN_NONE of losses. Each is a sentence when the net is built or the call is made; nothing
 *   silently runs on the CPU. A learned parameter that others are derived from, as Lapicque's beta,
 *   goes through the host's formula once a segment, and what fetches it is no graph. gradient_floor
 *   makes no kernel faster here, only the same gradients as on the CPU; with debug a call waits for
 *   what its looks have found.
 */
#ifndef SNN_CUDA_H_INCLUDED
#define SNN_CUDA_H_INCLUDED

#ifndef SNN_H_INCLUDED
    #error "include snn.h before snn_cuda.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum snn_cuda_math { /* of matrix products; all else is float32 */
    SNN_CUDA_FLOAT32 = 0,
    SNN_CUDA_TF32,           /* factors rounded to 10 bits of mantissa */
    SNN_CUDA_BFLOAT16        /* to 7 bits */
} snn_cuda_math;

typedef struct snn_cuda_desc {
    uint32_t _start;
    int device;              /* 0: the first */
    snn_cuda_math math;
    void *stream;            /* a cudaStream_t of yours; NULL: the net makes its own */
    int no_graphs;           /* 1: every kernel is launched by itself, for a profiler to see */
    snn_backend _backend;    /* filled in by snn_cuda_backend */
    uint32_t _end;
} snn_cuda_desc;

/* snn_cuda_backend - for snn_net_desc.backend; desc (NULL: all defaults) must live until the net is
 *   built
 * snn_cuda_memory - bytes of device memory of a net that is built, beside what CUDA and cuBLAS
 *   take themselves */
SNN_DEF const snn_backend *snn_cuda_backend(snn_cuda_desc *desc);
SNN_DEF size_t snn_cuda_memory(const snn_net *net);

#ifdef __cplusplus
}
#endif

#endif /* SNN_CUDA_H_INCLUDED */

/* ================================ IMPLEMENTATION ================================ */
#ifdef SNN_CUDA_IMPLEMENTATION
#ifndef SNN_CUDA_IMPLEMENTATION_DONE
#define SNN_CUDA_IMPLEMENTATION_DONE

/* ---- >>runtime ----------------------------------------------------------------------------- */
/* All that is CUDA: some twenty functions and the macros below. With SNN_CUDA_SHIM somebody else
 * has defined them (tests/cuda_shim.h: in plain C, on the CPU).
 *
 *   SNN__KERNEL(name, type) { ... }   the work of thread i; its arguments are *a, a type
 *   SNN__LAUNCH(c, name, n, args)     threads 0 .. n-1, in no order
 *   SNN__DEVICE                       before a function that only kernels call
 *   SNN__UNROLL                       before a loop whose variable must be a constant
 *   SNN__FMA(a, b, c)                 a b + c, fused if that is faster
 *   SNN__LOAD8(to, from)              8 floats from an address that is a multiple of 32 bytes
 *   SNN__HALF(x), SNN__FLOAT(h)       a float as IEEE binary16 in 16 bits, to the nearest; and back
 *
 * Threads of a kernel do not know of each other. The first failure stays in c->error. Launches,
 * zeros, copies and products ask snn__cu_listed (>>scripts) whether a graph has them already. */
#ifndef SNN_CUDA_SHIM
#include <cublas_v2.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

typedef void (*snn__cu_code)(void); /* a kernel, of whatever arguments */
typedef struct snn__cu {
    const char *error; /* the first that failed, in the driver's words */
    char *base;        /* the block of device memory */
    size_t size;
    int device, own_stream;
    cudaStream_t stream;
    cublasHandle_t blas;
    cublasComputeType_t compute;
    size_t workspace;  /* bytes of device memory that cuBLAS wants lent */
    char *pinned;      /* host memory that the device reads and writes by itself; NULL: none */
    cudaEvent_t uploaded;
    struct snn__cu_script *script; /* where the launches of this call are listed; NULL: nowhere */
} snn__cu;
typedef struct snn__cu_graph {
    cudaGraph_t graph; /* its nodes name those of exec */
    cudaGraphExec_t exec;
} snn__cu_graph;
typedef struct snn__cu_bytes { /* what a copy is, or with from NULL a zeroing; and a product */
    void *to;
    const void *from;
    size_t size;
} snn__cu_bytes;
typedef struct snn__cu_product {
    int ta, tb, m, n, k;
    float beta;
    const float *a, *b;
    float *out;
} snn__cu_product;
enum { SNN__CU_RESULT = 256 }; /* bytes of pinned memory for what is fetched */

static int snn__cu_listed(snn__cu *c, snn__cu_code code, size_t n, const void *args, size_t size);
static void snn__cu_launched(snn__cu *c);
static int snn__cu_unlisted(snn__cu *c);

static void snn__cu_note(snn__cu *c, cudaError_t e)
{
    if (e == cudaSuccess) return;
    if (!c->error) c->error = cudaGetErrorString(e);
    cudaGetLastError(); /* or a later call would be told */
}

#define SNN__KERNEL(name, type)                                                                \
    static __device__ __forceinline__ void name##_at(size_t i, const type *a);                     \
    static __global__ void __launch_bounds__(256) name(size_t n, const type a)                     \
    {                                                                                              \
        const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;                            \
        if (i < n) name##_at(i, &a);                                                               \
    }                                                                                              \
    static __device__ __forceinline__ void name##_at(size_t i, const type *a)
#define SNN__LAUNCH(c, name, count, args)                                                      \
    do {                                                                                           \
        const size_t n_ = (count);                                                                 \
        if (n_ && !(c)->error &&                                                                   \
            !snn__cu_listed(c, (snn__cu_code)name, n_, &(args), sizeof(args))) {                   \
            void *list_[2] = {(void *)&n_, (void *)&(args)}; /* not what others left as error */   \
            snn__cu_note(c, cudaLaunchKernel((const void *)name,                                   \
                                             dim3((unsigned)((n_ + 255) / 256)), dim3(256), list_, \
                                             0, (c)->stream));                                     \
            snn__cu_launched(c);                                                                   \
        }                                                                                          \
    } while (0)
#define SNN__DEVICE static __device__ __forceinline__
#define SNN__UNROLL _Pragma("unroll")
#define SNN__FMA(a, b, c) fmaf(a, b, c)
#define SNN__HALF(x) __half_as_ushort(__float2half_rn(x))
#define SNN__FLOAT(h) __half2float(__ushort_as_half(h))
#define SNN__LOAD8(to, from)                                                                   \
    do {                                                                                           \
        const float4 lo_ = ((const float4 *)(from))[0], hi_ = ((const float4 *)(from))[1];         \
        to[0] = lo_.x, to[1] = lo_.y, to[2] = lo_.z, to[3] = lo_.w;                                \
        to[4] = hi_.x, to[5] = hi_.y, to[6] = hi_.z, to[7] = hi_.w;                                \
    } while (0)

static void snn__cu_close(snn__cu *c)
{
    if (c->base) cudaFree(c->base);
    if (c->pinned) cudaFreeHost(c->pinned);
    if (c->blas) cublasDestroy(c->blas);
    if (c->uploaded) cudaEventDestroy(c->uploaded);
    if (c->own_stream) cudaStreamDestroy(c->stream);
    memset(c, 0, sizeof *c);
}
/* a stream, and for nets with matrix products cuBLAS; c->error says what went wrong */
static void snn__cu_open(snn__cu *c, const snn_cuda_desc *d, int products)
{
    int count = 0;
    memset(c, 0, sizeof *c);
    c->device = d ? d->device : 0;
    c->compute = d && d->math == SNN_CUDA_TF32       ? CUBLAS_COMPUTE_32F_FAST_TF32
                 : d && d->math == SNN_CUDA_BFLOAT16 ? CUBLAS_COMPUTE_32F_FAST_16BF
                                                     : CUBLAS_COMPUTE_32F;
    snn__cu_note(c, cudaGetDeviceCount(&count));
    if (!c->error && (c->device < 0 || c->device >= count)) c->error = "no such device";
    if (!c->error) snn__cu_note(c, cudaSetDevice(c->device));
    if (d && d->stream) c->stream = (cudaStream_t)d->stream;
    else if (!c->error) {
        snn__cu_note(c, cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
        c->own_stream = !c->error;
    }
    if (!c->error)
        snn__cu_note(c, cudaEventCreateWithFlags(&c->uploaded, cudaEventDisableTiming));
    if (c->error || !products) return;
    if (cublasCreate(&c->blas) != CUBLAS_STATUS_SUCCESS ||
        cublasSetStream(c->blas, c->stream) != CUBLAS_STATUS_SUCCESS)
        c->error = "cuBLAS could not be started";
    c->workspace = (size_t)32 << 20; /* what its manual asks for since Hopper */
}
/* so that it allocates nothing itself */
static void snn__cu_lend(snn__cu *c, void *memory)
{
    if (c->workspace && cublasSetWorkspace(c->blas, memory, c->workspace) != CUBLAS_STATUS_SUCCESS)
        c->error = "cuBLAS refuses its workspace";
}
static int snn__cu_alloc(snn__cu *c, size_t size)
{
    if (cudaMalloc((void **)&c->base, size) != cudaSuccess) {
        cudaGetLastError(); /* is not remembered */
        c->base = NULL;
        return 0;
    }
    c->size = size;
    return 1;
}
/* host memory of which snn__cu_upload need not wait; NULL: there is none, any other does as well */
static void *snn__cu_pin(snn__cu *c, size_t size)
{
    if (cudaMallocHost((void **)&c->pinned, SNN__CU_RESULT + size) == cudaSuccess)
        return c->pinned + SNN__CU_RESULT;
    cudaGetLastError();
    c->pinned = NULL;
    return NULL;
}
static void snn__cu_begin(snn__cu *c) /* of every call: whose thread this is may have changed */
{
    c->error = NULL;
    snn__cu_note(c, cudaSetDevice(c->device));
}
static void snn__cu_wait(snn__cu *c) { snn__cu_note(c, cudaStreamSynchronize(c->stream)); }
static void snn__cu_zero(snn__cu *c, void *to, size_t size)
{
    const snn__cu_bytes a = {to, NULL, size};
    if (to && size && !c->error && !snn__cu_listed(c, NULL, 0, &a, sizeof a))
        snn__cu_note(c, cudaMemsetAsync(to, 0, size, c->stream));
}
static void snn__cu_copy(snn__cu *c, void *to, const void *from, size_t size)
{
    const snn__cu_bytes a = {to, from, size};
    if (!c->error && !snn__cu_listed(c, NULL, 0, &a, sizeof a))
        snn__cu_note(c, cudaMemcpyAsync(to, from, size, cudaMemcpyDeviceToDevice, c->stream));
}
static void snn__cu_send(snn__cu *c, void *to, const void *from, size_t size)
{
    if (!snn__cu_unlisted(c))
        snn__cu_note(c, cudaMemcpyAsync(to, from, size, cudaMemcpyHostToDevice, c->stream));
}
/* the same; `from` must stay as it is until snn__cu_uploaded returns */
static void snn__cu_upload(snn__cu *c, void *to, const void *from, size_t size)
{
    snn__cu_send(c, to, from, size);
    snn__cu_note(c, cudaEventRecord(c->uploaded, c->stream));
}
static void snn__cu_uploaded(snn__cu *c)
{
    snn__cu_note(c, cudaEventSynchronize(c->uploaded));
}
static void snn__cu_fetch(snn__cu *c, void *to, const void *from, size_t size) /* waits */
{
    void *at = c->pinned && size <= SNN__CU_RESULT ? c->pinned : to;
    if (snn__cu_unlisted(c)) return;
    snn__cu_note(c, cudaMemcpyAsync(at, from, size, cudaMemcpyDeviceToHost, c->stream));
    snn__cu_wait(c);
    if (at != to) memcpy(to, at, size);
}
/* c [m][n] = a b + beta c, all in C order; ta: a is [k][m], tb: b is [n][k] */
static void snn__cu_gemm(snn__cu *c, int ta, int tb, int m, int n, int k, const float *a,
                         const float *b, float beta, float *out)
{
    const snn__cu_product p = {ta, tb, m, n, k, beta, a, b, out};
    const float one = 1.0f;
    if (c->error || snn__cu_listed(c, NULL, 0, &p, sizeof p)) return;
    /* cuBLAS counts columns first: it sees all three transposed, and computes c' = b' a' */
    if (cublasGemmEx(c->blas, tb ? CUBLAS_OP_T : CUBLAS_OP_N, ta ? CUBLAS_OP_T : CUBLAS_OP_N, n, m,
                     k, &one, b, CUDA_R_32F, tb ? k : n, a, CUDA_R_32F, ta ? m : k, &beta, out,
                     CUDA_R_32F, n, c->compute, CUBLAS_GEMM_DEFAULT) != CUBLAS_STATUS_SUCCESS)
        c->error = "a matrix product of cuBLAS failed";
}

/* What follows until snn__cu_captured becomes a graph instead of being done; 0: not possible here.
 * Another thread's calls do not disturb it. */
static int snn__cu_capture(snn__cu *c)
{
    if (cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess)
        return 1;
    cudaGetLastError();
    return 0;
}
static int snn__cu_captured(snn__cu *c, snn__cu_graph *g) /* 0: it did not */
{
    if (cudaStreamEndCapture(c->stream, &g->graph) == cudaSuccess &&
        cudaGraphInstantiateWithFlags(&g->exec, g->graph, 0) == cudaSuccess)
        return 1;
    cudaGetLastError();
    return 0;
}
static void *snn__cu_newest(snn__cu *c) /* of the launch that was captured last, or NULL */
{
    cudaStreamCaptureStatus status;
    const cudaGraphNode_t *node = NULL;
    size_t count = 0;
#if CUDART_VERSION >= 13000
    const cudaError_t e =
        cudaStreamGetCaptureInfo(c->stream, &status, NULL, NULL, &node, NULL, &count);
#else
    const cudaError_t e =
        cudaStreamGetCaptureInfo_v2(c->stream, &status, NULL, NULL, &node, &count);
#endif
    return e == cudaSuccess && count == 1 ? (void *)node[0] : NULL;
}
/* a kernel of the graph gets other arguments, from its next play on; 0: it cannot */
static int snn__cu_change(snn__cu_graph *g, void *node, snn__cu_code code, size_t n,
                          const void *args, size_t size)
{
    void *list[2] = {&n, (void *)args};
    cudaKernelNodeParams p = {};
    (void)size;
    p.func = (void *)code;
    p.gridDim = dim3((unsigned)((n + 255) / 256));
    p.blockDim = dim3(256);
    p.kernelParams = list;
    if (cudaGraphExecKernelNodeSetParams(g->exec, (cudaGraphNode_t)node, &p) == cudaSuccess)
        return 1;
    cudaGetLastError();
    return 0;
}
static void snn__cu_play(snn__cu *c, snn__cu_graph *g)
{
    snn__cu_note(c, cudaGraphLaunch(g->exec, c->stream));
}
static void snn__cu_drop(snn__cu_graph *g)
{
    if (g->exec) cudaGraphExecDestroy(g->exec);
    if (g->graph) cudaGraphDestroy(g->graph);
    memset(g, 0, sizeof *g);
}
#endif /* SNN_CUDA_SHIM */

/* ---- >>scripts ----------------------------------------------------------------------------- */
/* The launches of a call are the same from one training step to the next, but for a few arguments,
 * and a small net would wait for the host to launch them. So the second call of a kind is captured
 * as a graph of the driver's, and those after it play that. Their code runs all the same, as far as
 * the launches: each is compared with the one in the graph, which is changed where its arguments
 * differ. What is played is what would have been launched; nothing is remembered about what changes
 * when. Where the row of launches itself is another one the call is launched as it stands, and its
 * next one captured anew; where it cannot be captured (something is sent or fetched in between, no
 * memory for the list, a stream that does not capture), it always is. */
enum { SNN__CU_SCRIPTS = 16, SNN__CU_BREAKS = 4 };
enum { SNN__CU_NEW, SNN__CU_SEEN, SNN__CU_WRITTEN, SNN__CU_PLAIN };

typedef struct snn__cu_item { /* its arguments follow */
    snn__cu_code code;        /* NULL: zeros, a copy, a product */
    void *node;               /* the graph's; NULL: cannot be changed */
    size_t n, size;           /* threads; bytes of arguments */
} snn__cu_item;
typedef struct snn__cu_script {
    uint32_t key[3], used;    /* which call, steps of the pass, flags; when it was used last */
    int state, writing, broken, breaks;
    char *list;
    size_t size, at, room;    /* bytes of the list, where we are in it, what is allocated */
    snn__cu_item *last;       /* just written */
    snn__cu_graph graph;
    const snn_allocator *memory;
} snn__cu_script;

static void snn__cu_forget(snn__cu_script *s) /* its list stays allocated */
{
    snn__cu_drop(&s->graph);
    s->size = 0;
}
static int snn__cu_make_room(snn__cu_script *s, size_t size)
{
    const size_t room = 2 * (s->room + size + 2048);
    char *list;
    if (s->size + size <= s->room) return 1;
    list = (char *)s->memory->alloc(room, s->memory->user);
    if (!list) return 0;
    if (s->list) {
        memcpy(list, s->list, s->size);
        s->memory->free(s->list, s->room, s->memory->user);
    }
    s->list = list;
    s->room = room;
    return 1;
}
/* 0: it must be launched, now or to be captured */
static int snn__cu_listed(snn__cu *c, snn__cu_code code, size_t n, const void *args, size_t size)
{
    const size_t whole = sizeof(snn__cu_item) + (size + 15) / 16 * 16;
    snn__cu_script *s = c->script;
    snn__cu_item *item;
    if (!s) return 0;
    if (s->broken) return 1; /* what was listed will not be played */
    s->broken = s->writing ? !snn__cu_make_room(s, whole) : s->at + whole > s->size;
    if (s->broken) return 1;
    item = (snn__cu_item *)(void *)(s->list + s->at);
    s->at += whole;
    if (s->writing) {
        s->size = s->at;
        s->last = item;
        item->code = code;
        item->node = NULL;
        item->size = size;
    } else if (item->code != code || item->size != size) s->broken = 1;
    else if (item->n == n && !memcmp(item + 1, args, size)) return 1;
    else s->broken = !item->node || !snn__cu_change(&s->graph, item->node, code, n, args, size);
    if (s->broken) return 1;
    item->n = n;
    memcpy(item + 1, args, size);
    return !s->writing;
}
static void snn__cu_launched(snn__cu *c) /* a kernel, after snn__cu_listed */
{
    if (c->script) c->script->last->node = snn__cu_newest(c);
}
static int snn__cu_unlisted(snn__cu *c) /* what no graph has; 1: not now */
{
    if (c->script) c->script->broken = 1;
    return c->script != NULL;
}

/* Launches what `run` launches: as a graph where it has been seen before. `run` may be called
 * twice, and must leave the host as it would after once. */
static void snn__cu_perform(snn__cu *c, snn__cu_script *s,
                            void (*run)(snn_net *net, const void *what), snn_net *net,
                            const void *what)
{
    if (c->error) return;
    if (s && (s->state == SNN__CU_SEEN || s->state == SNN__CU_WRITTEN)) {
        s->writing = s->state == SNN__CU_SEEN;
        s->at = 0;
        s->broken = s->writing && !snn__cu_capture(c);
        if (!s->broken) {
            c->script = s;
            run(net, what);
            c->script = NULL;
            if (s->writing && !snn__cu_captured(c, &s->graph)) s->broken = 1;
            if (!s->broken && !c->error && s->at == s->size) {
                s->state = SNN__CU_WRITTEN;
                if (s->size) snn__cu_play(c, &s->graph);
                return;
            }
            c->error = NULL; /* of the capture: what is wrong without one shows itself again */
        }
        snn__cu_forget(s);
        s->state = s->writing || ++s->breaks > SNN__CU_BREAKS ? SNN__CU_PLAIN : SNN__CU_SEEN;
    } else if (s && s->state == SNN__CU_NEW) s->state = SNN__CU_SEEN;
    run(net, what);
}

#ifdef __cplusplus
extern "C" {
#endif

/* ---- >>kernels ----------------------------------------------------------------------------- */

/* A signal, [rows][n]: floats, their halves, or one byte a spike with one value for all. period: a
 * constant signal's rows are those of one step. */
typedef struct snn__cu_signal {
    float *f;
    uint16_t *h;
    unsigned char *u;
    const float *gain;
    uint32_t period;
} snn__cu_signal;

/* the first element of a row; an element */
SNN__DEVICE size_t snn__cu_row(const snn__cu_signal *s, uint32_t row, uint32_t n)
{
    return (size_t)(s->period ? row % s->period : row) * n;
}
SNN__DEVICE float snn__cu_element(const snn__cu_signal *s, size_t at)
{
    if (s->f) return s->f[at];
    if (s->u) return s->u[at] ? (s->gain ? *s->gain : 1.0f) : 0.0f;
    return SNN__FLOAT(s->h[at]);
}
SNN__DEVICE float snn__cu_get(const snn__cu_signal *s, uint32_t row, uint32_t n, uint32_t j)
{
    return snn__cu_element(s, snn__cu_row(s, row, n) + j);
}
SNN__DEVICE void snn__cu_put(const snn__cu_signal *s, size_t at, float x)
{
    if (s->f) s->f[at] = x;
    else s->h[at] = SNN__HALF(x);
}
/* i / n and the rest; 64-bit division is slow, and mostly not needed */
SNN__HD uint32_t snn__cu_divide(size_t i, uint32_t n, uint32_t *rest)
{
    uint32_t q;
    if (i <= 0xffffffffu) q = (uint32_t)i / n;
    else q = (uint32_t)(i / n);
    *rest = (uint32_t)(i - (size_t)q * n);
    return q;
}

/* -- neurons: one thread a neuron and sample walks the steps with the states in registers.
 *
 * Forward leaves the states before step 0, every, 2 every ... in `saved`. Backward takes these
 * stretches from the last to the first: walks one again, states, inputs and drives into a tape that
 * is short enough for registers, then back. */
enum { SNN__CU_TAPE = 16, SNN__CU_AHEAD = 4 };
SNN__HD int snn__cu_stretch(int states) { return states == 1 ? 16 : states == 2 ? 8 : 4; }

typedef struct snn__cu_scan {
    snn__cu_signal x, out;
    const float *bias;                  /* of a linear layer that left it to its neurons; NULL: 0 */
    uint32_t n;
    int t0, t1, every, slots;
    size_t bn;                          /* samples times neurons */
    float *state[SNN_MAX_STATES];       /* [bn] */
    float *saved;                       /* [states][slots][bn]; NULL: no backward will come */
    float *fed, *saved_fed;             /* recurrence: spikes of the last step; saved too */
    float *rec[SNN_MAX_STATES];         /* [T][bn] or NULL */
    float *count;                       /* [bn]: spikes of a pass whose output is not kept; NULL */
    int count_add;                      /* to those of the steps before */
    const float *param[SNN_MAX_PARAMS + 1]; /* the last: the graded factor */
    uint32_t clamp;                     /* bit k: parameter k is used as of [0,1] */
    int per_neuron;
    snn__mode mode;
    snn_surrogate surrogate;
    uint64_t seed;
    uint32_t stream, time;              /* of stochastic surrogates */
    int immediate, detach, output_membrane, before_reset;
    int *winner;                        /* inhibition: who may spike, [T][B]; NULL: all */
    float *drive;                       /* forward: only find the drives of step t0, [bn] */
    const float *levels;                /* rounded states: the levels, ascending; NULL: not so */
    int level_count, rounded;           /* how many; of the states, the first so many */
    const float *dout;                  /* [T][bn]; NULL: zeros */
    const float *drec[SNN_MAX_STATES];
    float *dstate[SNN_MAX_STATES], *dfed;
    float *dx;                          /* NULL: not wanted */
    int dx_add, dparam_add;
    float *dparam;                      /* [params+1][bn]; NULL: not wanted */
} snn__cu_scan;

SNN__DEVICE void snn__cu_params(const snn__cu_scan *a, uint32_t j, int P, float *p)
{
    int k;
    SNN__UNROLL
    for (k = 0; k < P; k++) {
        p[k] = a->param[k][a->per_neuron ? j : 0];
        if (a->clamp >> k & 1u) p[k] = snn__clamp(p[k], 0.0f, 1.0f);
    }
}
SNN__DEVICE float snn__cu_current(const snn__cu_scan *a, int t, int g, int I, uint32_t b,
                                  uint32_t j)
{
    const size_t step = a->x.period ? 0 : (size_t)t * a->bn * (size_t)I;
    const float x = snn__cu_element(&a->x, step + ((size_t)b * (size_t)I + (size_t)g) * a->n + j);
    return a->bias ? a->bias[(size_t)g * a->n + j] + x : x;
}
/* n of [T][bn] floats or halves from step t on, up to step `end`: asked for together, as a thread
 * waits for memory longer than it computes */
SNN__DEVICE void snn__cu_ahead(const float *x, const uint16_t *h, size_t bn, int t, int end, int n,
                               float *to)
{
    const size_t first = (size_t)t * bn;
    int c;
    if (t + n <= end && (x || h)) { /* nearly always: no comparisons */
        if (x) {
            SNN__UNROLL
            for (c = 0, x += first; c < n; c++, x += bn) to[c] = *x;
        } else {
            SNN__UNROLL
            for (c = 0, h += first; c < n; c++, h += bn) to[c] = SNN__FLOAT(*h);
        }
        return;
    }
    SNN__UNROLL
    for (c = 0; c < n; c++) {
        const size_t at = first + (size_t)c * bn;
        to[c] = t + c >= end ? 0.0f : x ? x[at] : h ? SNN__FLOAT(h[at]) : 0.0f;
    }
}
/* the same of currents of neurons with one input */
SNN__DEVICE void snn__cu_currents(const snn__cu_scan *a, size_t i, int t, int end, int n,
                                  uint32_t b, uint32_t j, float *to)
{
    int c;
    if ((a->x.f || a->x.h) && !a->x.period) {
        const float bias = a->bias ? a->bias[j] : 0.0f;
        snn__cu_ahead(a->x.f ? a->x.f + i : NULL, a->x.h ? a->x.h + i : NULL, a->bn, t, end, n, to);
        SNN__UNROLL
        for (c = 0; c < n; c++) to[c] = bias + to[c];
        return;
    }
    SNN__UNROLL
    for (c = 0; c < n; c++)
        to[c] = t + c < end || a->x.period ? snn__cu_current(a, t + c, 0, 1, b, j) : 0.0f;
}
/* the step, and its states rounded: snn__neuron_integrate of one neuron */
SNN__DEVICE float snn__cu_integrate(const snn__cu_scan *a, float *s, const float *p, const float *x,
                                    int S, snn__step1 step1)
{
    SNN__NO_CONTRACT
    float drive = step1(s, p, x, a->mode);
    int k, lo, hi;
    if (!a->levels) return drive;
    drive -= s[0];
    SNN__UNROLL
    for (k = 0; k < S; k++) {
        if (k >= a->rounded) continue;
        for (lo = 0, hi = a->level_count - 1; hi - lo > 1;) {
            const int m = (lo + hi) / 2;
            if (a->levels[m] <= s[k]) lo = m;
            else hi = m;
        }
        s[k] = s[k] - a->levels[lo] <= a->levels[hi] - s[k] ? a->levels[lo] : a->levels[hi];
    }
    return drive + s[0];
}
/* the spike before grading; with inhibition the winner's alone */
SNN__DEVICE float snn__cu_fires(const snn__cu_scan *a, float drive, int t, uint32_t b, uint32_t j)
{
    if (a->winner && (int)j != a->winner[(size_t)t * (a->bn / a->n) + b]) return 0.0f;
    return snn__reset_indicator(drive, 0.0f, a->mode.equal);
}
/* what a spike h does at once: a reset of the membrane before which u was, then the jump */
SNN__DEVICE void snn__cu_spike(const snn__cu_scan *a, float *s, const float *p, float u, float h,
                           snn__jump1 jump1)
{
    SNN__NO_CONTRACT
    if (a->immediate) {
        const float d = h - snn__reset_indicator(u, p[0], a->mode.equal);
        s[0] -= d * (a->mode.sub * p[0] + a->mode.zero * s[0]);
    }
    jump1(s, p, h, a->mode);
}

SNN__DEVICE void snn__cu_scan_forward(const snn__cu_scan *a, size_t i, int S, int P, int I,
                                      snn__step1 step1, snn__jump1 jump1)
{
    float s[SNN_MAX_STATES], p[SNN_MAX_PARAMS], x[SNN_MAX_STATES], input[SNN__CU_AHEAD];
    uint32_t j;
    const uint32_t b = snn__cu_divide(i, a->n, &j);
    const float f = a->winner ? 1.0f : a->param[SNN_MAX_PARAMS][a->per_neuron ? j : 0];
    float *saved = a->saved ? a->saved + (size_t)(a->t0 / a->every) * a->bn + i : NULL;
    size_t at = (size_t)a->t0 * a->bn + i;
    int t, c, k, left = 0, spikes = 0;
    snn__cu_params(a, j, P, p);
    SNN__UNROLL
    for (k = 0; k < S; k++) s[k] = a->state[k][i];
    SNN__UNROLL
    for (k = 0; k < I; k++) x[k] = snn__cu_current(a, a->t0, k, I, b, j);
    if (a->drive) {
        a->drive[i] = snn__cu_integrate(a, s, p, x, S, step1);
        return;
    }
    for (t = a->t0; t < a->t1;) {
        if (I == 1) snn__cu_currents(a, i, t, a->t1, SNN__CU_AHEAD, b, j, input);
        SNN__UNROLL
        for (c = 0; c < SNN__CU_AHEAD && t < a->t1; c++, t++, at += a->bn) {
            float drive, h, v;
            const float u = s[0];
            if (saved && left-- == 0) {
                SNN__UNROLL
                for (k = 0; k < S; k++) saved[(size_t)k * (size_t)a->slots * a->bn] = s[k];
                if (a->saved_fed) a->saved_fed[at] = a->fed[i];
                saved += a->bn;
                left = a->every - 1;
            }
            if (I == 1) x[0] = input[c];
            else if (!a->x.period) {
                SNN__UNROLL
                for (k = 0; k < I; k++) x[k] = snn__cu_current(a, t, k, I, b, j);
            }
            drive = snn__cu_integrate(a, s, p, x, S, step1);
            v = s[0];
            h = snn__cu_fires(a, drive, t, b, j);
            snn__cu_spike(a, s, p, u, h, jump1);
            if (a->fed) a->fed[i] = f * h;
            spikes += f * h != 0.0f;
            if (a->out.u) a->out.u[at] = h != 0.0f;
            else a->out.f[at] = a->output_membrane ? s[0] : f * h;
            SNN__UNROLL
            for (k = 0; k < S; k++)
                if (a->rec[k]) a->rec[k][at] = !k && a->before_reset ? v : s[k];
        }
    }
    SNN__UNROLL
    for (k = 0; k < S; k++) a->state[k][i] = s[k];
    if (a->count) a->count[i] = (a->count_add ? a->count[i] : 0.0f) + (float)spikes;
}

SNN__DEVICE void snn__cu_scan_backward(const snn__cu_scan *a, size_t i, int S, int P, int I,
                                       snn__step1 step1, snn__grad1 grad1, snn__jump1 jump1,
                                       snn__fall1 fall1)
{
    SNN__NO_CONTRACT
    const int C = snn__cu_stretch(S);
    float s[SNN_MAX_STATES], p[SNN_MAX_PARAMS], x[SNN_MAX_STATES], sum[SNN_MAX_STATES];
    float ds[SNN_MAX_STATES], dp[SNN_MAX_PARAMS], dx[SNN_MAX_STATES], df = 0.0f;
    float tape[SNN__CU_TAPE], input[SNN__CU_TAPE], drive[SNN__CU_TAPE], slope[SNN__CU_TAPE];
    float dout[SNN__CU_TAPE];
    uint32_t j;
    const uint32_t b = snn__cu_divide(i, a->n, &j);
    const float f = a->winner ? 1.0f : a->param[SNN_MAX_PARAMS][a->per_neuron ? j : 0];
    size_t at;
    int k, c, slot;
    snn__cu_params(a, j, P, p);
    SNN__UNROLL
    for (k = 0; k < S; k++) ds[k] = a->dstate[k][i];
    SNN__UNROLL
    for (k = 0; k < P; k++) dp[k] = 0.0f;
    SNN__UNROLL
    for (k = 0; k < I; k++) {
        sum[k] = 0.0f;
        x[k] = snn__cu_current(a, a->t0, k, I, b, j);
    }
    for (slot = (a->t1 - 1) / a->every; slot >= a->t0 / a->every; slot--) {
        const int first = slot * a->every;
        const int len = a->t1 - first < a->every ? a->t1 - first : a->every;
        SNN__UNROLL
        for (k = 0; k < S; k++)
            s[k] = a->saved[((size_t)k * (size_t)a->slots + (size_t)slot) * a->bn + i];
        if (I == 1) snn__cu_currents(a, i, first, a->t1, C, b, j, input);
        snn__cu_ahead(a->dout ? a->dout + i : NULL, NULL, a->bn, first, a->t1, C, dout);
        SNN__UNROLL
        for (c = 0; c < C; c++) { /* forward again */
            drive[c] = 0.0f;
            if (c < len) {
                SNN__UNROLL
                for (k = 0; k < S; k++) tape[c * S + k] = s[k];
                if (I == 1) x[0] = input[c];
                else if (!a->x.period) {
                    SNN__UNROLL
                    for (k = 0; k < I; k++) x[k] = snn__cu_current(a, first + c, k, I, b, j);
                }
                drive[c] = snn__cu_integrate(a, s, p, x, S, step1);
                snn__cu_spike(a, s, p, tape[c * S], snn__cu_fires(a, drive[c], first + c, b, j),
                              jump1);
            }
        }
        if (a->surrogate.kind != SNN_STOCHASTIC)
            snn__surrogate_loop(&a->surrogate, C, drive, NULL, NULL, slope);
        else {
            SNN__UNROLL
            for (c = 0; c < C; c++)
                slope[c] = snn__stochastic_grad1(
                    drive[c], a->surrogate.p0, a->surrogate.p1,
                    snn__rng_uniform(
                        snn__rng_key(a->seed, a->stream, a->time + (uint32_t)(first + c)),
                        b * a->n + j));
        }
        at = (size_t)(first + len) * a->bn + i;
        SNN__UNROLL
        for (c = C - 1; c >= 0; c--) { /* and back: snn__neuron_retreat of one neuron */
            float g, h, gh;
            if (c >= len) continue;
            at -= a->bn;
            h = snn__cu_fires(a, drive[c], first + c, b, j);
            SNN__UNROLL
            for (k = 0; k < S; k++) s[k] = tape[c * S + k];
            if (I == 1) x[0] = input[c];
            else {
                SNN__UNROLL
                for (k = 0; k < I; k++) x[k] = snn__cu_current(a, first + c, k, I, b, j);
            }
            SNN__UNROLL
            for (k = 0; k < S; k++)
                if (a->drec[k] && (k || !a->before_reset)) ds[k] += a->drec[k][at];
            g = dout[c];
            if (a->output_membrane) {
                ds[0] += g;
                g = 0.0f;
            }
            if (a->dfed) g += a->dfed[i];
            if (!a->winner) df += g * h; /* a winner's spike is 1, ungraded */
            gh = f * g;
            if (a->immediate) {
                const float e = ds[0], v = drive[c] + p[0];
                const float d = h - snn__reset_indicator(s[0], p[0], a->mode.equal);
                if (!a->detach) gh -= e * (a->mode.sub * p[0] + a->mode.zero * v);
                dp[0] -= a->mode.sub * d * e;
                ds[0] = (1.0f - a->mode.zero * d) * e;
            }
            {
                float after[SNN_MAX_STATES], e;
                SNN__UNROLL
                for (k = 0; k < S; k++) after[k] = s[k];
                snn__cu_integrate(a, after, p, x, S, step1);
                e = fall1(ds, dp, after, p, h, a->mode);
                if (!a->detach) gh += e;
            }
            if (a->drec[0] && a->before_reset) ds[0] += a->drec[0][at];
            if (a->winner && (int)j != a->winner[at / a->n]) gh = 0.0f;
            grad1(ds, dp, dx, s, p, x, gh * slope[c], a->mode);
            if (!a->dx) continue;
            SNN__UNROLL
            for (k = 0; k < I; k++) {
                float *to = I == 1 ? a->dx + at
                                   : a->dx + (at - i) * (size_t)I +
                                         ((size_t)b * (size_t)I + (size_t)k) * a->n + j;
                if (a->x.period) sum[k] += dx[k];
                else *to = a->dx_add ? *to + dx[k] : dx[k];
            }
        }
    }
    SNN__UNROLL
    for (k = 0; k < S; k++) a->dstate[k][i] = ds[k];
    SNN__UNROLL
    for (k = 0; k < I; k++)
        if (a->dx && a->x.period) {
            float *to = a->dx + ((size_t)b * (size_t)I + (size_t)k) * a->n + j;
            *to = a->dx_add ? *to + sum[k] : sum[k];
        }
    if (!a->dparam) return;
    SNN__UNROLL
    for (k = 0; k < P; k++) {
        float *to = a->dparam + (size_t)k * a->bn + i;
        *to = a->dparam_add ? *to + dp[k] : dp[k];
    }
    if (a->dparam_add) df += a->dparam[(size_t)P * a->bn + i];
    a->dparam[(size_t)P * a->bn + i] = df;
}

/* Most layers have nothing of what few have. Told so, the compiler leaves out the questions, which
 * in a step of a simple neuron are most of the work. */
static int snn__cu_is_usual(const snn__cu_scan *a, int backward)
{
    int k;
    for (k = 0; k < SNN_MAX_STATES; k++)
        if (a->rec[k] || (backward && a->drec[k])) return 0;
    if (backward && (!a->dout || !a->dx || a->dx_add || a->dparam_add || a->dfed)) return 0;
    return (a->x.f || a->x.h) && !a->x.period && !a->levels && !a->winner && !a->drive &&
           !a->fed && !a->immediate && !a->output_membrane && !a->before_reset && a->t0 == 0;
}
SNN__DEVICE snn__cu_scan snn__cu_usual(const snn__cu_scan *a)
{
    snn__cu_scan b = *a;
    int k;
    b.x.u = NULL;
    b.x.period = 0;
    b.levels = NULL;
    b.winner = NULL;
    b.fed = b.saved_fed = b.dfed = b.drive = NULL;
    b.immediate = b.output_membrane = b.before_reset = b.dx_add = b.dparam_add = b.t0 = 0;
    SNN__UNROLL
    for (k = 0; k < SNN_MAX_STATES; k++) b.rec[k] = NULL, b.drec[k] = NULL;
    return b;
}

/* the kernels of every row of SNN_NEURON_LIST */
#define SNN__X(id, name)                                                                       \
    SNN__KERNEL(snn__cu_##name##_forward, snn__cu_scan)                                            \
    {                                                                                              \
        snn__cu_scan_forward(a, i, snn__##name##_S, snn__##name##_P, snn__##name##_I,              \
                             snn__##name##_step1, snn__##name##_jump1);                            \
    }                                                                                              \
    SNN__KERNEL(snn__cu_##name##_backward, snn__cu_scan)                                           \
    {                                                                                              \
        snn__cu_scan_backward(a, i, snn__##name##_S, snn__##name##_P, snn__##name##_I,             \
                              snn__##name##_step1, snn__##name##_grad1, snn__##name##_jump1,       \
                              snn__##name##_fall1);                                                \
    }                                                                                              \
    SNN__KERNEL(snn__cu_##name##_usual_forward, snn__cu_scan)                                      \
    {                                                                                              \
        const snn__cu_scan b = snn__cu_usual(a);                                                   \
        if (!b.x.f && !b.x.h) return; /* never, and the compiler knows from here on */             \
        snn__cu_scan_forward(&b, i, snn__##name##_S, snn__##name##_P, snn__##name##_I,             \
                             snn__##name##_step1, snn__##name##_jump1);                            \
    }                                                                                              \
    SNN__KERNEL(snn__cu_##name##_usual_backward, snn__cu_scan)                                     \
    {                                                                                              \
        const snn__cu_scan b = snn__cu_usual(a);                                                   \
        if ((!b.x.f && !b.x.h) || !b.dout || !b.dx) return;                                        \
        snn__cu_scan_backward(&b, i, snn__##name##_S, snn__##name##_P, snn__##name##_I,            \
                              snn__##name##_step1, snn__##name##_grad1, snn__##name##_jump1,       \
                              snn__##name##_fall1);                                                \
    }                                                                                              \
    static void snn__cu_##name(snn__cu *c, const snn__cu_scan *a, int backward)                    \
    {                                                                                              \
        const int usual = snn__cu_is_usual(a, backward);                                           \
        if (usual && backward) SNN__LAUNCH(c, snn__cu_##name##_usual_backward, a->bn, *a);         \
        else if (usual) SNN__LAUNCH(c, snn__cu_##name##_usual_forward, a->bn, *a);                 \
        else if (backward) SNN__LAUNCH(c, snn__cu_##name##_backward, a->bn, *a);                   \
        else SNN__LAUNCH(c, snn__cu_##name##_forward, a->bn, *a);                                  \
    }
SNN_NEURON_LIST(SNN__X)
#undef SNN__X
static void (*const snn__cu_neuron[])(snn__cu *c, const snn__cu_scan *a, int backward) = {
#define SNN__X(id, name) snn__cu_##name,
    SNN_NEURON_LIST(SNN__X)
#undef SNN__X
};

/* inhibition: the neuron of a sample furthest above its threshold, the first among equals */
SNN__KERNEL(snn__cu_winner, snn__cu_scan)
{
    const float *drive = a->drive + i * a->n;
    uint32_t j, w = 0;
    for (j = 1; j < a->n; j++)
        if (drive[j] > drive[w]) w = j;
    a->winner[(size_t)a->t0 * (a->bn / a->n) + i] = (int)w;
}

/* states of all samples from those of one */
typedef struct snn__cu_spread {
    float *to;
    const float *from;
    uint32_t n;
} snn__cu_spread;
SNN__KERNEL(snn__cu_start, snn__cu_spread)
{
    uint32_t j;
    snn__cu_divide(i, a->n, &j);
    a->to[i] = a->from[j];
}

/* -- packed input: a byte or a float for each bit */
typedef struct snn__cu_bits {
    snn__cu_signal out;
    const uint32_t *words;
    uint32_t n, row_words;
} snn__cu_bits;
SNN__KERNEL(snn__cu_unpack, snn__cu_bits)
{
    uint32_t j;
    const uint32_t row = snn__cu_divide(i, a->n, &j);
    const uint32_t bit = a->words[(size_t)row * a->row_words + j / 32] >> (j & 31u) & 1u;
    if (a->out.f) a->out.f[i] = (float)bit;
    else a->out.u[i] = (unsigned char)bit;
}

/* -- linear: what the product is added to; and input currents of a recurrence, x + b + V s */
typedef struct snn__cu_fill {
    snn__cu_signal x;     /* all NULL: zeros */
    snn__cu_signal y;
    const float *bias;    /* NULL: zeros */
    const float *v, *s;   /* NULL: none */
    uint32_t n, row0, inner; /* y's row r is row0 + r of x; inner elements share a bias */
    int per_neuron;
} snn__cu_fill;
SNN__KERNEL(snn__cu_begin_rows, snn__cu_fill)
{
    SNN__NO_CONTRACT
    uint32_t j;
    const uint32_t row = snn__cu_divide(i, a->n, &j);
    float y = a->x.f || a->x.h || a->x.u ? snn__cu_get(&a->x, a->row0 + row, a->n, j) : 0.0f;
    if (a->bias) y += a->bias[j / a->inner];
    if (a->v) y += a->v[a->per_neuron ? j : 0] * a->s[i];
    snn__cu_put(&a->y, i, y);
}
/* y = v x, or y += v x */
SNN__KERNEL(snn__cu_times, snn__cu_fill)
{
    uint32_t j;
    snn__cu_divide(i, a->n, &j);
    a->y.f[i] = (a->inner ? a->y.f[i] : 0.0f) + a->v[a->per_neuron ? j : 0] * a->s[i];
}

/* rows of weights rounded to few bits, as snn_quantise_weights */
typedef struct snn__cu_round {
    const float *w;
    float *out;
    size_t cols;
    float levels;
} snn__cu_round;
SNN__KERNEL(snn__cu_round_row, snn__cu_round)
{
    const float *w = a->w + i * a->cols;
    float s = 0.0f;
    size_t c;
    for (c = 0; c < a->cols; c++) s = SNN_FABSF(w[c]) > s ? SNN_FABSF(w[c]) : s;
    s /= a->levels;
    for (c = 0; c < a->cols; c++)
        a->out[i * a->cols + c] = s > 0.0f ? s * SNN_FLOORF(w[c] / s + 0.5f) : 0.0f;
}

/* -- convolution, between an image [c][h][w] and positions [o][oh][ow]. Three kernels do all:
 *
 *   gather   y[o][p] (+)= b[o] + sum over taps and channels of image w
 *   scatter  image[c][y][x] (+)= b[c] + sum over taps and channels of positions w, its adjoint
 *   weights  dw[o][c][taps] = sum over rows and positions of positions image
 *
 * A convolution is gather forward, scatter and weights backward; a transposed one is scatter
 * forward, gather and weights backward. A thread has a tile of SNN__CU_WIDE channels by
 * SNN__CU_ALONG pixels in registers; weights are packed so that a tile's lie together. */
enum { SNN__CU_WIDE = 8, SNN__CU_ALONG = 4 };
typedef struct snn__cu_conv {
    snn__cu_signal image, positions; /* one is read, the other written */
    const float *w, *bias;           /* packed */
    float *part;                     /* weights: [chunks][o][c taps] */
    int c, h, wide, o, oh, ow;
    int cg, og, kh, kw, sh, sw, ph, pw, dh, dw;
    int add, groups;
    uint32_t rows, chunks;
} snn__cu_conv;
SNN__HD int snn__cu_tiles(int n, int size) { return (n + size - 1) / size; }

/* packed[tile][tap][channel][8 outputs] of w [o][cg][taps]; back: of the adjoint */
typedef struct snn__cu_pack {
    const float *w;
    float *packed;
    int cg, og, taps, back;
} snn__cu_pack;
SNN__KERNEL(snn__cu_pack_weights, snn__cu_pack)
{
    const int out = a->back ? a->cg : a->og, in = a->back ? a->og : a->cg;
    const int K = in * a->taps, tiles = snn__cu_tiles(out, SNN__CU_WIDE);
    const int q = (int)(i % SNN__CU_WIDE), k = (int)(i / SNN__CU_WIDE % (size_t)K);
    const int tile = (int)(i / SNN__CU_WIDE / (size_t)K);
    const int g = tile / tiles, to = tile % tiles * SNN__CU_WIDE + q, from = k % in, tap = k / in;
    const int o = a->back ? from : to, c = a->back ? to : from;
    a->packed[i] =
        to < out ? a->w[((size_t)(g * a->og + o) * (size_t)a->cg + (size_t)c) * (size_t)a->taps +
                        (size_t)tap]
                 : 0.0f;
}

SNN__KERNEL(snn__cu_conv_gather, snn__cu_conv)
{
    const int tiles = snn__cu_tiles(a->og, SNN__CU_WIDE),
              along = snn__cu_tiles(a->ow, SNN__CU_ALONG);
    const int K = a->cg * a->kh * a->kw;
    uint32_t at, xt, oy, tile;
    float acc[SNN__CU_ALONG][SNN__CU_WIDE];
    int q, r, ky, kx, c, row;
    at = snn__cu_divide(i, (uint32_t)along, &xt);
    at = snn__cu_divide(at, (uint32_t)a->oh, &oy);
    row = (int)snn__cu_divide(at, (uint32_t)(a->groups * tiles), &tile);
    {
        const int g = (int)tile / tiles, o0 = (int)tile % tiles * SNN__CU_WIDE;
        const int ox = (int)xt * SNN__CU_ALONG;
        const size_t image =
            snn__cu_row(&a->image, (uint32_t)row, (uint32_t)(a->c * a->h * a->wide));
        const float *w = a->w + (size_t)tile * (size_t)K * SNN__CU_WIDE;
        const size_t y = ((size_t)row * (size_t)a->o + (size_t)(g * a->og + o0)) *
                             (size_t)(a->oh * a->ow) + (size_t)((int)oy * a->ow + ox);
        SNN__UNROLL
        for (r = 0; r < SNN__CU_ALONG; r++)
            SNN__UNROLL
            for (q = 0; q < SNN__CU_WIDE; q++)
                acc[r][q] = a->bias && o0 + q < a->og ? a->bias[g * a->og + o0 + q] : 0.0f;
        for (ky = 0; ky < a->kh; ky++) {
            const int iy = (int)oy * a->sh - a->ph + ky * a->dh;
            if (iy < 0 || iy >= a->h) continue;
            for (kx = 0; kx < a->kw; kx++) {
                const int ix = ox * a->sw - a->pw + kx * a->dw;
                const float *wk = w + (size_t)((ky * a->kw + kx) * a->cg) * SNN__CU_WIDE;
                for (c = 0; c < a->cg; c++, wk += SNN__CU_WIDE) {
                    float k[SNN__CU_WIDE];
                    SNN__LOAD8(k, wk);
                    SNN__UNROLL
                    for (r = 0; r < SNN__CU_ALONG; r++) {
                        const int x = ix + r * a->sw;
                        const float v =
                            x < 0 || x >= a->wide || ox + r >= a->ow
                                ? 0.0f
                                : snn__cu_element(&a->image,
                                                  image + (uint32_t)(((g * a->cg + c) * a->h + iy) *
                                                                         a->wide + x));
                        SNN__UNROLL
                        for (q = 0; q < SNN__CU_WIDE; q++) acc[r][q] = SNN__FMA(v, k[q], acc[r][q]);
                    }
                }
            }
        }
        SNN__UNROLL
        for (r = 0; r < SNN__CU_ALONG; r++)
            SNN__UNROLL
            for (q = 0; q < SNN__CU_WIDE; q++)
                if (ox + r < a->ow && o0 + q < a->og) {
                    const size_t to = y + (size_t)q * (size_t)(a->oh * a->ow) + (size_t)r;
                    snn__cu_put(&a->positions, to,
                                a->add ? a->positions.f[to] + acc[r][q] : acc[r][q]);
                }
    }
}

SNN__KERNEL(snn__cu_conv_scatter, snn__cu_conv)
{
    const int tiles = snn__cu_tiles(a->cg, SNN__CU_WIDE),
              along = snn__cu_tiles(a->wide, SNN__CU_ALONG);
    const int K = a->og * a->kh * a->kw;
    uint32_t at, xt, iy, tile;
    float acc[SNN__CU_ALONG][SNN__CU_WIDE];
    int q, r, ky, kx, o, row;
    at = snn__cu_divide(i, (uint32_t)along, &xt);
    at = snn__cu_divide(at, (uint32_t)a->h, &iy);
    row = (int)snn__cu_divide(at, (uint32_t)(a->groups * tiles), &tile);
    {
        const int g = (int)tile / tiles, c0 = (int)tile % tiles * SNN__CU_WIDE;
        const int ix = (int)xt * SNN__CU_ALONG;
        const size_t positions =
            snn__cu_row(&a->positions, (uint32_t)row, (uint32_t)(a->o * a->oh * a->ow));
        const float *w = a->w + (size_t)tile * (size_t)K * SNN__CU_WIDE;
        const size_t y = ((size_t)row * (size_t)a->c + (size_t)(g * a->cg + c0)) *
                             (size_t)(a->h * a->wide) + (size_t)((int)iy * a->wide + ix);
        SNN__UNROLL
        for (r = 0; r < SNN__CU_ALONG; r++)
            SNN__UNROLL
            for (q = 0; q < SNN__CU_WIDE; q++)
                acc[r][q] = a->bias && c0 + q < a->cg ? a->bias[g * a->cg + c0 + q] : 0.0f;
        for (ky = 0; ky < a->kh; ky++) {
            const int ty = (int)iy + a->ph - ky * a->dh, oy = ty / a->sh;
            if (ty < 0 || oy * a->sh != ty || oy >= a->oh) continue;
            for (kx = 0; kx < a->kw; kx++) {
                const float *wk = w + (size_t)((ky * a->kw + kx) * a->og) * SNN__CU_WIDE;
                int ox[SNN__CU_ALONG];
                SNN__UNROLL
                for (r = 0; r < SNN__CU_ALONG; r++) {
                    const int tx = ix + r + a->pw - kx * a->dw;
                    ox[r] = tx / a->sw;
                    if (tx < 0 || ox[r] * a->sw != tx || ox[r] >= a->ow) ox[r] = -1;
                }
                for (o = 0; o < a->og; o++, wk += SNN__CU_WIDE) {
                    float k[SNN__CU_WIDE];
                    SNN__LOAD8(k, wk);
                    SNN__UNROLL
                    for (r = 0; r < SNN__CU_ALONG; r++) {
                        const float v =
                            ox[r] < 0
                                ? 0.0f
                                : snn__cu_element(&a->positions,
                                                  positions + (uint32_t)(((g * a->og + o) * a->oh +
                                                                          oy) * a->ow + ox[r]));
                        SNN__UNROLL
                        for (q = 0; q < SNN__CU_WIDE; q++) acc[r][q] = SNN__FMA(v, k[q], acc[r][q]);
                    }
                }
            }
        }
        SNN__UNROLL
        for (r = 0; r < SNN__CU_ALONG; r++)
            SNN__UNROLL
            for (q = 0; q < SNN__CU_WIDE; q++)
                if (ix + r < a->wide && c0 + q < a->cg) {
                    const size_t to = y + (size_t)q * (size_t)(a->h * a->wide) + (size_t)r;
                    snn__cu_put(&a->image, to, a->add ? a->image.f[to] + acc[r][q] : acc[r][q]);
                }
    }
}

SNN__KERNEL(snn__cu_conv_weights, snn__cu_conv)
{
    const int taps = a->kh * a->kw, K = a->cg * taps;
    const int tiles = snn__cu_tiles(a->og, SNN__CU_WIDE), ktiles = snn__cu_tiles(K, SNN__CU_ALONG);
    const uint32_t image = (uint32_t)(a->c * a->h * a->wide);
    const uint32_t positions = (uint32_t)(a->o * a->oh * a->ow);
    size_t line, end; /* of positions, through all rows */
    uint32_t at, kt, tile;
    float acc[SNN__CU_ALONG][SNN__CU_WIDE];
    int channel[SNN__CU_ALONG], ky[SNN__CU_ALONG], kx[SNN__CU_ALONG];
    int q, r, ox;
    at = snn__cu_divide(i, (uint32_t)ktiles, &kt);
    at = snn__cu_divide(at, (uint32_t)(a->groups * tiles), &tile);
    {
        const int g = (int)tile / tiles, o0 = (int)tile % tiles * SNN__CU_WIDE;
        const int k0 = (int)kt * SNN__CU_ALONG;
        float *part = a->part + (size_t)at * (size_t)a->o * (size_t)K;
        SNN__UNROLL
        for (r = 0; r < SNN__CU_ALONG; r++) {
            const int k = k0 + r < K ? k0 + r : K - 1;
            channel[r] = g * a->cg + k / taps;
            ky[r] = k % taps / a->kw * a->dh - a->ph;
            kx[r] = k % a->kw * a->dw - a->pw;
            SNN__UNROLL
            for (q = 0; q < SNN__CU_WIDE; q++) acc[r][q] = 0.0f;
        }
        line = (size_t)a->rows * (size_t)a->oh * at / a->chunks;
        end = (size_t)a->rows * (size_t)a->oh * (at + 1) / a->chunks;
        for (; line < end; line++) {
            uint32_t oy;
            const uint32_t row = snn__cu_divide(line, (uint32_t)a->oh, &oy);
            const size_t pixel = snn__cu_row(&a->image, row, image);
            const size_t position = snn__cu_row(&a->positions, row, positions);
            for (ox = 0; ox < a->ow; ox++) {
                float p[SNN__CU_WIDE];
                SNN__UNROLL
                for (q = 0; q < SNN__CU_WIDE; q++) {
                    const int o = o0 + q < a->og ? o0 + q : a->og - 1;
                    p[q] = snn__cu_element(
                        &a->positions,
                        position + (uint32_t)(((g * a->og + o) * a->oh + (int)oy) * a->ow + ox));
                }
                SNN__UNROLL
                for (r = 0; r < SNN__CU_ALONG; r++) {
                    const int y = (int)oy * a->sh + ky[r], x = ox * a->sw + kx[r];
                    const uint32_t j = (uint32_t)((channel[r] * a->h + y) * a->wide + x);
                    const float v = y < 0 || y >= a->h || x < 0 || x >= a->wide
                                        ? 0.0f
                                        : snn__cu_element(&a->image, pixel + j);
                    SNN__UNROLL
                    for (q = 0; q < SNN__CU_WIDE; q++) acc[r][q] = SNN__FMA(v, p[q], acc[r][q]);
                }
            }
        }
        SNN__UNROLL
        for (r = 0; r < SNN__CU_ALONG; r++)
            SNN__UNROLL
            for (q = 0; q < SNN__CU_WIDE; q++)
                if (k0 + r < K && o0 + q < a->og)
                    part[(size_t)(g * a->og + o0 + q) * (size_t)K + (size_t)(k0 + r)] = acc[r][q];
    }
}

/* -- pooling; the window's first maximum is kept as its number in the window */
typedef struct snn__cu_pool {
    snn__cu_signal x, y;
    unsigned char *arg;    /* NULL: sums, times factor */
    const float *dy;
    float *dx;
    int h, w, oh, ow, kh, kw, sh, sw, ph, pw, add;
    uint32_t channels;
    float factor;
} snn__cu_pool;
SNN__KERNEL(snn__cu_pool_forward, snn__cu_pool)
{
    uint32_t ox, oy, channel;
    const size_t image =
        snn__cu_divide(snn__cu_divide(i, (uint32_t)a->ow, &ox), (uint32_t)a->oh, &oy);
    const uint32_t row = snn__cu_divide(image, a->channels, &channel);
    const uint32_t n = a->channels * (uint32_t)(a->h * a->w);
    float best = a->arg ? -3.402823466e38f : 0.0f;
    int ky, kx, arg = -1;
    for (ky = 0; ky < a->kh; ky++)
        for (kx = 0; kx < a->kw; kx++) {
            const int y = (int)oy * a->sh - a->ph + ky, x = (int)ox * a->sw - a->pw + kx;
            float v;
            if (y < 0 || y >= a->h || x < 0 || x >= a->w) continue;
            v = snn__cu_get(&a->x, row, n, (uint32_t)(((int)channel * a->h + y) * a->w + x));
            if (!a->arg) best += v;
            else if (arg < 0 || v > best) {
                best = v;
                arg = ky * a->kw + kx;
            }
        }
    snn__cu_put(&a->y, i, a->arg ? best : best * a->factor);
    if (a->arg) a->arg[i] = (unsigned char)arg;
}
SNN__KERNEL(snn__cu_pool_backward, snn__cu_pool) /* every pixel looks at the windows over it */
{
    uint32_t x, y;
    const size_t image = snn__cu_divide(snn__cu_divide(i, (uint32_t)a->w, &x), (uint32_t)a->h, &y);
    const int py = (int)y + a->ph, px = (int)x + a->pw;
    float sum = a->add ? a->dx[i] : 0.0f;
    int oy, ox;
    for (oy = py < a->kh ? 0 : (py - a->kh) / a->sh + 1; oy < a->oh && oy * a->sh <= py; oy++)
        for (ox = px < a->kw ? 0 : (px - a->kw) / a->sw + 1; ox < a->ow && ox * a->sw <= px; ox++) {
            const size_t at = (image * (size_t)a->oh + (size_t)oy) * (size_t)a->ow + (size_t)ox;
            const int number = (py - oy * a->sh) * a->kw + px - ox * a->sw;
            if (!a->arg) sum += a->dy[at] * a->factor;
            else if (a->arg[at] == number) sum += a->dy[at];
        }
    a->dx[i] = sum;
}

/* -- add, multiply, iand, concat, scale, dropout, graded spikes, delay: element by element */
typedef struct snn__cu_mix {
    int op, which;          /* which: of the inputs, whose gradient */
    snn__cu_signal x[2], y;
    const float *dy, *w;    /* w: graded spikes' */
    float *dx;
    int add;
    uint32_t n, offset;     /* of dx's rows; where they start in those of y (concat) */
    uint32_t out, split;    /* n of y; where the second input starts in it */
    uint32_t batch, rows, times; /* rows of dx; times: rows of y for each of them */
    uint32_t per;           /* graded: elements of a channel;  delay: rows it holds back */
    float value;            /* scale's factor, dropout's p */
    int training;
    uint64_t seed;
    uint32_t stream, time;
    float *past;            /* delay; backward: their gradients, or NULL */
} snn__cu_mix;
SNN__DEVICE float snn__cu_keep(const snn__cu_mix *a, uint32_t row, uint32_t j)
{
    uint64_t key;
    if (!a->training) return 1.0f;
    key = snn__rng_key(a->seed, a->stream, a->time + row / a->batch);
    return snn__rng_uniform(key, row % a->batch * a->out + j) >= a->value
               ? 1.0f / (1.0f - a->value)
               : 0.0f;
}
SNN__KERNEL(snn__cu_mix_forward, snn__cu_mix)
{
    uint32_t j;
    const uint32_t row = snn__cu_divide(i, a->out, &j);
    float v, w;
    if (a->op == SNN__CONCAT) {
        const int second = j >= a->split;
        v = second ? snn__cu_get(&a->x[1], row, a->out - a->split, j - a->split)
                   : snn__cu_get(&a->x[0], row, a->split, j);
        snn__cu_put(&a->y, i, v);
        return;
    }
    if (a->op == SNN__DELAY) {
        v = row < a->per ? a->past[i] : snn__cu_get(&a->x[0], row - a->per, a->out, j);
        snn__cu_put(&a->y, i, v);
        return;
    }
    v = snn__cu_get(&a->x[0], row, a->out, j);
    w = a->op == SNN__ADD || a->op == SNN__MULTIPLY || a->op == SNN__IAND
            ? snn__cu_get(&a->x[1], row, a->out, j)
            : 0.0f;
    switch (a->op) {
    case SNN__ADD: v = v + w; break;
    case SNN__MULTIPLY: v = v * w; break;
    case SNN__IAND: v = (1.0f - v) * w; break;
    case SNN__SCALE: v = a->value * v; break;
    case SNN__DROPOUT: v = snn__cu_keep(a, row, j) * v; break;
    default: v = a->w[j / a->per] * v; break;
    }
    snn__cu_put(&a->y, i, v);
}
/* one element of an input; of a constant one that goes into all steps, summed over them */
SNN__KERNEL(snn__cu_mix_backward, snn__cu_mix)
{
    uint32_t j, k;
    const uint32_t row0 = snn__cu_divide(i, a->n, &j), at = a->offset + j;
    float sum = 0.0f;
    for (k = 0; k < a->times; k++) {
        const uint32_t row = row0 + k * a->rows;
        float g, other = 0.0f;
        if (a->op == SNN__DELAY) {
            const uint32_t later = row + a->per, all = a->rows * a->times;
            g = later < all ? a->dy[(size_t)later * a->out + at]
                : a->past   ? a->past[(size_t)(later - all) * a->out + at]
                            : 0.0f;
        } else g = a->dy[(size_t)row * a->out + at];
        if (a->op == SNN__MULTIPLY || a->op == SNN__IAND)
            other = snn__cu_get(&a->x[!a->which], row, a->out, j);
        switch (a->op) {
        case SNN__MULTIPLY: g = other * g; break;
        case SNN__IAND: g = (a->which ? 1.0f - other : -other) * g; break;
        case SNN__SCALE: g = a->value * g; break;
        case SNN__DROPOUT: g = snn__cu_keep(a, row, j) * g; break;
        case SNN__GRADED_SPIKES: g = a->w[j / a->per] * g; break;
        default: break;
        }
        sum += g;
    }
    a->dx[i] = a->add ? a->dx[i] + sum : sum;
}
/* delay: what is held back after these rows, of what was before: y, from past */
SNN__KERNEL(snn__cu_mix_past, snn__cu_mix)
{
    uint32_t j;
    const uint32_t row = snn__cu_divide(i, a->out, &j) + a->rows;
    a->y.f[i] = row < a->per ? a->past[(size_t)row * a->out + j]
                             : snn__cu_get(&a->x[0], row - a->per, a->out, j);
}

/* and the gradients that what was before these rows takes: y, from past */
SNN__KERNEL(snn__cu_mix_dpast, snn__cu_mix)
{
    a->y.f[i] = i < (size_t)a->rows * a->out ? a->dy[i] : a->past[i - (size_t)a->rows * a->out];
}

/* a signal as floats, where a matrix product wants them */
typedef struct snn__cu_plain {
    snn__cu_signal x;
    float *y;
} snn__cu_plain;
SNN__KERNEL(snn__cu_floats, snn__cu_plain) { a->y[i] = snn__cu_element(&a->x, i); }

/* -- sums in a fixed order: thread (chunk, j, lane) adds of rows chunk, chunk + chunks ... the
 * elements lane, lane + lanes ..., so that neighbours read neighbours */
typedef struct snn__cu_sums {
    const float *x;
    snn__cu_signal times;  /* both NULL: ones */
    float *y;
    size_t rows, chunks;
    uint32_t n, inner;     /* x is [rows][n][inner] */
    uint32_t lanes;        /* y is [chunks][n][lanes] */
    int add;
} snn__cu_sums;
SNN__KERNEL(snn__cu_sum_rows, snn__cu_sums)
{
    uint32_t j, p, lane;
    size_t r = snn__cu_divide(snn__cu_divide(i, a->lanes, &lane), a->n, &j);
    const int multiply = a->times.f || a->times.u;
    float sum = 0.0f;
    for (; r < a->rows; r += a->chunks)
        for (p = lane; p < a->inner; p += a->lanes) {
            const uint32_t at = j * a->inner + p;
            float v = a->x[r * a->n * a->inner + at];
            if (multiply) v *= snn__cu_get(&a->times, (uint32_t)r, a->n * a->inner, at);
            sum += v;
        }
    a->y[i] = a->add ? a->y[i] + sum : sum;
}

/* one number of many, in doubles: each of SNN__CU_LANES threads adds every so many, then
 * SNN__CU_FOLD do with what these found, then one */
enum { SNN__CU_FOLD = 128, SNN__CU_LANES = SNN__CU_FOLD * SNN__CU_FOLD };
enum { SNN__CU_VALUES, SNN__CU_NONZEROS, SNN__CU_SQUARES };
enum { SNN__CU_THE_LOSS, SNN__CU_THE_NORM, SNN__CU_THE_COUNT, SNN__CU_THE_NODE, SNN__CU_THE_ROW,
       SNN__CU_THE_ELEMENT, SNN__CU_TOTALS }; /* slots */
typedef struct snn__cu_total {
    snn__cu_signal x;
    const double *d;       /* instead of x */
    double *part, *y;
    size_t n;
    int what, add;         /* add: to y, times factor */
    double factor;
} snn__cu_total;
SNN__KERNEL(snn__cu_total_lane, snn__cu_total)
{
    const float gain = a->x.gain ? *a->x.gain : 1.0f;
    double sum = 0.0;
    size_t k;
    for (k = i; k < a->n; k += SNN__CU_LANES) {
        const double v = a->d ? a->d[k] : (double)(a->x.f ? a->x.f[k] : a->x.u[k] ? gain : 0.0f);
        sum += a->what == SNN__CU_SQUARES ? v * v : a->what == SNN__CU_NONZEROS ? v != 0.0 : v;
    }
    a->part[i] = sum;
}
SNN__KERNEL(snn__cu_total_end, snn__cu_total) /* SNN__CU_FOLD threads in place, then one */
{
    const int fold = a->y == a->part;
    const size_t stride = fold ? SNN__CU_FOLD : 1, end = fold ? SNN__CU_LANES : SNN__CU_FOLD;
    double sum = 0.0;
    size_t k;
    for (k = i; k < end; k += stride) sum += a->part[k];
    a->y[i] = a->add ? a->y[i] + a->factor * sum : sum;
}

/* -- debug: the first number of a pass that is NaN or infinite, -1 where there is none; the
 * earliest look that finds one stays */
typedef struct snn__cu_look {
    const float *x[SNN_MAX_STATES]; /* count arrays of [rows][width] = n numbers */
    int count, node;
    size_t n, width, row0;
    double *part, *found;           /* node + 1 (0: none yet), row, element */
} snn__cu_look;
SNN__KERNEL(snn__cu_look_lane, snn__cu_look)
{
    double first = -1.0;
    size_t at;
    int k;
    for (at = i; at < a->n && first < 0.0; at += SNN__CU_LANES)
        for (k = 0; k < a->count; k++)
            if (!(a->x[k][at] - a->x[k][at] == 0.0f)) first = (double)at;
    a->part[i] = first;
}
SNN__DEVICE double snn__cu_least(const double *x, size_t from, size_t end, size_t stride)
{
    double least = -1.0;
    for (; from < end; from += stride)
        if (x[from] >= 0.0 && (least < 0.0 || x[from] < least)) least = x[from];
    return least;
}
SNN__KERNEL(snn__cu_look_fold, snn__cu_look) /* SNN__CU_FOLD threads, in place */
{
    a->part[i] = snn__cu_least(a->part, i, SNN__CU_LANES, SNN__CU_FOLD);
}
SNN__KERNEL(snn__cu_look_end, snn__cu_look)
{
    const double least = snn__cu_least(a->part, i, SNN__CU_FOLD, 1);
    if (least < 0.0 || a->found[0] > 0.0) return;
    a->found[0] = a->node + 1.0;
    a->found[1] = (double)(a->row0 + (size_t)least / a->width);
    a->found[2] = (double)((size_t)least % a->width);
}

/* -- gradient_floor: what is small beside the largest of its row counts as zero */
enum { SNN__CU_ROW_LANES = 32 };
typedef struct snn__cu_floor {
    float *d, *part; /* [rows][n], [rows][lanes] */
    uint32_t n;
    float share;
} snn__cu_floor;
SNN__KERNEL(snn__cu_floor_lane, snn__cu_floor)
{
    uint32_t j;
    const float *d = a->d + (size_t)snn__cu_divide(i, SNN__CU_ROW_LANES, &j) * a->n;
    float most = 0.0f;
    for (; j < a->n; j += SNN__CU_ROW_LANES)
        most = SNN_FABSF(d[j]) > most ? SNN_FABSF(d[j]) : most;
    a->part[i] = most;
}
SNN__KERNEL(snn__cu_floor_row, snn__cu_floor)
{
    float *part = a->part + i * SNN__CU_ROW_LANES;
    int k;
    for (k = 1; k < SNN__CU_ROW_LANES; k++) part[0] = part[k] > part[0] ? part[k] : part[0];
    part[0] *= a->share;
}
SNN__KERNEL(snn__cu_floor_cut, snn__cu_floor)
{
    uint32_t j;
    const uint32_t row = snn__cu_divide(i, a->n, &j);
    if (SNN_FABSF(a->d[i]) < a->part[(size_t)row * SNN__CU_ROW_LANES]) a->d[i] = 0.0f;
}

/* -- norms. Rows that share statistics are a group, as in snn__norm_forward_task; a unit is a group
 * and channel (layer: a row). Sums are doubles, in chunks of a group's rows (layer: of the row's
 * elements), folded in order. */
enum { SNN__CU_MEAN, SNN__CU_VARIANCE, SNN__CU_DY, SNN__CU_DOT };
typedef struct snn__cu_norm {
    int mode;               /* what is summed */
    snn__cu_signal x;
    float *y, *mean, *inv;  /* mean, inv: [units] */
    const float *dy, *w, *b;
    float *dx, *dw, *db, *running_mean, *running_var;
    double *part, *stat;    /* [units][chunks]; [2][units]: mean, variance or sums of dy, dot */
    size_t group, groups, chunks;
    uint32_t n, C, S, rows, times; /* features, channels, elements of one; as in snn__cu_mix */
    int layer, own, add;    /* own: the batch's statistics, not the running ones */
    int timed;              /* each step has its weights and running statistics */
    uint32_t time, last;
    float eps, momentum, weight;
    int often;              /* a constant input: running statistics move so often */
    double values;          /* and what their variance is of */
} snn__cu_norm;
SNN__HD size_t snn__cu_entry(const snn__cu_norm *a, size_t g, uint32_t c)
{
    const size_t t = a->time + g;
    return a->timed ? (t < a->last ? t : a->last) * a->C + c : c;
}
SNN__KERNEL(snn__cu_norm_sum, snn__cu_norm) /* thread (group, chunk, channel) */
{
    uint32_t c, chunk, j;
    const size_t at = snn__cu_divide(i, a->C, &c);
    const size_t g = snn__cu_divide(at, (uint32_t)a->chunks, &chunk);
    const float mean = a->mode == SNN__CU_MEAN ? 0.0f : a->mean[g * a->C + c];
    double sum = 0.0;
    size_t r;
    for (r = a->layer ? 0 : chunk; r < a->group; r += a->layer ? 1 : a->chunks) {
        const uint32_t row = (uint32_t)(g * a->group + r);
        const float *x = a->x.f + snn__cu_row(&a->x, row, a->n) + (size_t)c * a->S;
        const float *dy = a->dy ? a->dy + (size_t)row * a->n + (size_t)c * a->S : NULL;
        for (j = a->layer ? chunk : 0; j < a->S; j += a->layer ? (uint32_t)a->chunks : 1) {
            const float d = x[j] - mean, e = dy ? dy[j] * (a->layer && a->w ? a->w[j] : 1.0f) : d;
            sum += (double)e * (a->mode == SNN__CU_MEAN || a->mode == SNN__CU_DY ? 1.0 : (double)d);
        }
    }
    a->part[i] = sum;
}
SNN__KERNEL(snn__cu_norm_fold, snn__cu_norm) /* a unit */
{
    uint32_t c;
    const size_t g = snn__cu_divide(i, a->C, &c), units = a->groups * a->C;
    const double count = (double)a->group * (double)a->S;
    double sum = 0.0;
    size_t k;
    for (k = 0; k < a->chunks; k++) sum += a->part[(g * a->chunks + k) * a->C + c];
    if (a->mode == SNN__CU_MEAN) {
        a->stat[i] = sum / count;
        a->mean[i] = (float)(sum / count);
    } else if (a->mode == SNN__CU_VARIANCE) { /* the rounding of the mean is taken out again */
        const double off = a->stat[i] - (double)a->mean[i];
        const float var = (float)(sum / count - off * off);
        a->stat[units + i] = (double)var;
        a->inv[i] = 1.0f / SNN_SQRTF((var > 0.0f ? var : 0.0f) + a->eps);
    } else a->stat[a->mode == SNN__CU_DY ? i : units + i] = sum;
}
SNN__KERNEL(snn__cu_norm_running, snn__cu_norm) /* a unit takes its running statistics */
{
    uint32_t c;
    const size_t g = snn__cu_divide(i, a->C, &c), at = snn__cu_entry(a, g, c);
    const float var = a->running_var[at];
    a->mean[i] = a->running_mean[at];
    a->inv[i] = 1.0f / SNN_SQRTF((var > 0.0f ? var : 0.0f) + a->eps);
}
SNN__KERNEL(snn__cu_norm_move, snn__cu_norm) /* a channel moves them */
{
    size_t g;
    int t;
    for (g = 0; g < a->groups; g++) {
        const size_t at = snn__cu_entry(a, g, (uint32_t)i), u = g * a->C + i;
        const double var = a->stat[a->groups * a->C + u];
        float keep = 1.0f;
        for (t = 0; t < a->often; t++) keep *= 1.0f - a->momentum;
        a->running_mean[at] = keep * a->running_mean[at] + (1.0f - keep) * a->mean[u];
        a->running_var[at] =
            keep * a->running_var[at] +
            (1.0f - keep) * (float)(var * a->values / (a->values > 1 ? a->values - 1 : 1));
    }
}
SNN__KERNEL(snn__cu_norm_forward, snn__cu_norm)
{
    uint32_t j;
    const uint32_t row = snn__cu_divide(i, a->n, &j), c = j / a->S;
    const size_t g = row / a->group, u = g * a->C + c;
    const size_t at = a->layer ? j : snn__cu_entry(a, g, c);
    const float d = a->x.f[snn__cu_row(&a->x, row, a->n) + j] - a->mean[u];
    const float scale = a->inv[u] * (a->w ? 1.0f : a->weight);
    a->y[i] = (a->layer ? d * scale * (a->w ? a->w[at] : 1.0f)
                        : d * (a->w ? scale * a->w[at] : scale)) + (a->b ? a->b[at] : 0.0f);
}
SNN__KERNEL(snn__cu_norm_learn_layer, snn__cu_norm) /* thread (chunk of rows, feature) */
{
    uint32_t j;
    size_t k = snn__cu_divide(i, a->n, &j);
    float sum = 0.0f;
    for (; k < a->rows; k += a->chunks) {
        const float dy = a->dy[k * a->n + j];
        const float x = a->x.f[snn__cu_row(&a->x, (uint32_t)k, a->n) + j];
        sum += a->mode == SNN__CU_DY ? dy : dy * (x - a->mean[k]) * a->inv[k];
    }
    a->y[i] = a->add ? a->y[i] + sum : sum;
}
SNN__KERNEL(snn__cu_norm_learn, snn__cu_norm) /* a channel */
{
    size_t k;
    for (k = 0; k < a->groups; k++) {
        const size_t at = snn__cu_entry(a, k, (uint32_t)i), u = k * a->C + i;
        a->dw[at] += (float)(a->stat[a->groups * a->C + u] * (double)a->inv[u]);
        if (a->db) a->db[at] += (float)a->stat[u];
    }
}
SNN__KERNEL(snn__cu_norm_backward, snn__cu_norm) /* an element of the input */
{
    uint32_t j, k;
    const uint32_t row0 = snn__cu_divide(i, a->n, &j), c = j / a->S;
    const double count = (double)a->group * (double)a->S;
    float sum = a->add ? a->dx[i] : 0.0f;
    for (k = 0; k < a->times; k++) {
        const uint32_t row = row0 + k * a->rows;
        const size_t g = row / a->group, u = g * a->C + c;
        const float inv = a->inv[u];
        const float scale = inv * (a->w ? (a->layer ? 1.0f : a->w[snn__cu_entry(a, g, c)])
                                        : a->weight);
        const float dy = a->dy[(size_t)row * a->n + j] * (a->layer && a->w ? a->w[j] : 1.0f);
        float mean = 0.0f, dot = 0.0f;
        if (a->own) {
            mean = (float)(a->stat[u] / count);
            dot = (float)(a->stat[a->groups * a->C + u] / count * (double)inv * (double)inv);
        }
        sum += scale * (dy - mean - (a->x.f[i] - a->mean[u]) * dot);
    }
    a->dx[i] = sum;
}

/* -- losses: the rows of >>loss, one a thread */
typedef struct snn__cu_loss {
    snn__loss_pass pass;
    double *part;
    float *dspk;           /* l1: its gradient, to all */
    float up;
    int steps;             /* readings are steps */
    int squared;
} snn__cu_loss;
SNN__KERNEL(snn__cu_loss_row, snn__cu_loss)
{
    snn__loss_pass p = a->pass;
    size_t s = a->steps ? i / p.in.B : 0;
    const size_t b = a->steps ? i % p.in.B : i, end = a->steps ? s + 1 : p.rows;
    p.total = 0.0;
    for (; s < end; s++)
        if (a->squared) snn__squared_row(&p, s, b);
        else snn__entropy_row(&p, s, b);
    a->part[i] = p.total;
}
SNN__KERNEL(snn__cu_loss_all, snn__cu_loss) { a->dspk[i] += a->up; }

/* snn_rate_loss: one unit, a neuron or a sample's layer, a thread */
typedef struct snn__cu_rate {
    snn_rate_desc d;
    const float *spk;
    float *dspk;
    double *part;
    size_t row, pool;
    int T;
} snn__cu_rate;
SNN__KERNEL(snn__cu_rate_unit, snn__cu_rate)
{
    const double share = 1.0 / ((double)a->T * (double)a->pool);
    const double units = (double)a->row / (double)a->pool;
    double spikes = 0.0, g = (double)a->d.l1, total, under, over;
    size_t k;
    int t;
    for (t = 0; t < a->T; t++)
        for (k = 0; k < a->pool; k++)
            spikes += (double)a->spk[(size_t)t * a->row + i * a->pool + k];
    under = (double)a->d.lower - spikes * share;
    over = spikes * share - (double)a->d.upper;
    total = (double)a->d.l1 * spikes;
    if (a->d.lower_weight != 0.0f && under > 0.0) {
        total += (double)a->d.lower_weight * under * under / units;
        g -= 2.0 * (double)a->d.lower_weight * under * share / units;
    }
    if (a->d.upper_weight != 0.0f && over > 0.0) {
        total += (double)a->d.upper_weight * over * over / units;
        g += 2.0 * (double)a->d.upper_weight * over * share / units;
    }
    for (t = 0; a->dspk && t < a->T; t++)
        for (k = 0; k < a->pool; k++)
            a->dspk[(size_t)t * a->row + i * a->pool + k] += (float)g;
    a->part[i] = total;
}

typedef struct snn__cu_guess {
    snn__reader in;
    int *y;
} snn__cu_guess;
SNN__KERNEL(snn__cu_best, snn__cu_guess) { a->y[i] = snn__best_class(&a->in, i); }

/* -- optimisers: the passes of >>optim, one element a thread */
typedef struct snn__cu_optim {
    snn_optim_desc d; /* resolved */
    float *p, *m1, *m2, *g;
    float rate, unbias, shrink, keep, grow;
    float lo, hi;       /* every update ends between them; both 0: anywhere */
    int momentum;
    const double *norm; /* clip: the sum of squares of all gradients */
} snn__cu_optim;
SNN__KERNEL(snn__cu_optim_one, snn__cu_optim)
{
    const snn_optim_desc *d = &a->d;
    float *p = a->p + i, *g = a->g + i;
    if (d->kind == SNN_ADAM || d->kind == SNN_ADAMW)
        snn__adam_pass(p, g, a->m1 + i, a->m2 + i, 1, d->beta1, d->beta2, a->rate, a->unbias,
                       d->eps, a->shrink, d->kind == SNN_ADAMW ? 0.0f : d->weight_decay);
    else if (d->kind == SNN_SGD && !a->momentum) snn__sgd_pass(p, g, 1, d->lr, d->weight_decay);
    else if (d->kind == SNN_SGD)
        snn__momentum_pass(p, g, a->m1 + i, 1, d->lr, d->weight_decay, a->keep, a->grow,
                           d->nesterov ? 1.0f : 0.0f, d->nesterov ? d->momentum : 1.0f);
    else if (!a->momentum)
        snn__rmsprop_pass(p, g, a->m1 + i, 1, d->lr, d->weight_decay, d->beta2, d->eps);
    else
        snn__rmsprop_momentum_pass(p, g, a->m1 + i, a->m2 + i, 1, d->lr, d->weight_decay, d->beta2,
                                   d->eps, d->momentum);
    if (a->lo != 0.0f || a->hi != 0.0f) *p = snn__clamp(*p, a->lo, a->hi);
}
SNN__KERNEL(snn__cu_clip_value, snn__cu_optim)
{
    a->g[i] = snn__clamp(a->g[i], -a->d.clip_value, a->d.clip_value);
}
SNN__KERNEL(snn__cu_clip_norm, snn__cu_optim)
{
    const double norm = sqrt(*a->norm);
    if (norm > (double)a->d.clip_norm) a->g[i] *= (float)((double)a->d.clip_norm / (norm + 1e-6));
}

/* a neuron's parameter: its gradient, none where a clamp holds it */
typedef struct snn__cu_collect {
    const float *from, *p;
    float *g;
    int clamp;
} snn__cu_collect;
SNN__KERNEL(snn__cu_collect_one, snn__cu_collect)
{
    if (!a->clamp || (a->p[i] >= 0.0f && a->p[i] <= 1.0f)) a->g[i] += a->from[i];
}

/* ---- >>plan -------------------------------------------------------------------------------- */
/* What a net has on the device. As on the CPU it runs a segment of its steps at a time, layer by
 * layer: signals that backward reads again stay for a window, one or many segments, others and
 * gradients for a segment, recorded ones for the pass. Where a neuron alone reads currents, it
 * writes their gradient over them. What is there for a segment shares memory with what is not
 * needed at the same moment of the pass, as planned by snn__buffer_place. */

enum { SNN__CU_PART = 1 << 17 };     /* floats of a partial sum */
/* a segment: numbers of the widest layer and rows of a matrix product, at least; and how many of
 * them, as each has its launches */
enum { SNN__CU_SEGMENT = 1 << 22, SNN__CU_SEGMENT_ROWS = 1024, SNN__CU_SEGMENTS = 8 };
enum { SNN__CU_TILES = 1 << 16 };    /* threads of a convolution's weight gradient, about */
enum { SNN__CU_SIGNAL = 0, SNN__CU_DSIGNAL, SNN__CU_REC,
       SNN__CU_DREC = SNN__CU_REC + SNN_MAX_STATES,
       SNN__CU_STATE = SNN__CU_DREC + SNN_MAX_STATES,
       SNN__CU_DSTATE = SNN__CU_STATE + SNN_MAX_STATES + 1,
       SNN__CU_VIEWS = SNN__CU_DSTATE + SNN_MAX_STATES + 1 }; /* of a node */

typedef struct snn__cu_node {
    snn__cu_signal out;
    float *dout;
    int add;               /* backward: the gradient has been begun */
    uint32_t kept;         /* bit v: view v was asked for */
    uint32_t *words;       /* packed input */
    unsigned char *arg;    /* max pool */
    float *packed, *packed_back, *rounded;
    float *sum;            /* what a matrix product gave before it is rounded to halves */
    float *past, *past_next, *dpast; /* delay */
    float *held;           /* [windows+1][states][B][n]: at the start of each; at the end */
    float *mean, *inv;     /* norms */
    /* neurons */
    int kind, every, slots; /* slots of `saved`, over a window */
    float *count;
    float *state[SNN_MAX_STATES + 1], *dstate[SNN_MAX_STATES + 1];
    float *rec[SNN_MAX_STATES], *drec[SNN_MAX_STATES];
    float *saved, *saved_fed, *derived, *start, *current, *dcurrent, *levels, *drive;
    int *winner;           /* inhibition */
} snn__cu_node;

typedef struct snn__cu_net {
    snn__cu c;
    float *values, *grads, *moment[2];
    size_t floats;         /* of values */
    float *part[2];        /* partial sums */
    float *wide;           /* the spikes that a matrix product reads, as floats */
    float *least;          /* gradient_floor's, of the layer at hand */
    float *dparam, *sums;  /* of the neuron layer at hand */
    float *conv;           /* partial weight gradients */
    double *norm, *norm_stat; /* of the norm at hand: parts, results */
    double *lanes, *fold, *totals; /* numbers to be added, the sums of that, the results */
    int *labels, *given;   /* a loss's labels; the host's copy of what it reads */
    float *weights;        /* behind the labels: of classes, and times */
    size_t label_room;
    void *workspace;
    int stale;             /* the host's copy of the values is old */
    int unprepared;        /* prepared weights are */
    int started;           /* first states are there */
    int kept;              /* parameters were asked for */
    int no_graphs;
    uint32_t turn;         /* calls so far: the script that was used longest ago makes room */
    snn__cu_script script[SNN__CU_SCRIPTS];
    snn__cu_node node[1];  /* as many as the net has */
} snn__cu_net;

static snn__cu_net *snn__cu_of(const snn_net *net) { return (snn__cu_net *)net->device; }
static snn__cu_node *snn__cu_at(const snn_net *net, const snn__node *q)
{
    return &snn__cu_of(net)->node[q - net->node];
}
/* where a parameter (or gradient) of the host's block is */
static float *snn__cu_param(const snn_net *net, const snn__node *q, int k)
{
    return snn__cu_of(net)->values + (snn__param_value(net, q, k) - net->values);
}
static float *snn__cu_grad(const snn_net *net, const snn__node *q, int k)
{
    float *g = snn__param_grad(net, q, k);
    return g ? snn__cu_of(net)->grads + (g - net->grads) : NULL;
}
static size_t snn__cu_rows(const snn_net *net, const snn__node *q) /* of the last pass */
{
    return (size_t)net->desc.batch * (size_t)(q->signal == SNN__CONSTANT ? 1 : net->pass_steps);
}
static int snn__cu_windows(const snn_net *net)
{
    return snn__cu_tiles(net->desc.steps, net->window);
}
/* of the current segment: rows of an output; of its gradient */
static snn__cu_signal snn__cu_out(const snn_net *net, const snn__node *q)
{
    snn__cu_signal s = snn__cu_at(net, q)->out;
    const size_t at = q->out_row0 * (size_t)q->n;
    if (s.f) s.f += at;
    if (s.h) s.h += at;
    if (s.u) s.u += at;
    return s;
}
static float *snn__cu_dout(const snn_net *net, const snn__node *q)
{
    float *d = snn__cu_at(net, q)->dout;
    return d ? d + q->dout_row0 * (size_t)q->n : NULL;
}

/* the script of a call with these flags; NULL: none is kept */
enum { SNN__CU_RESET, SNN__CU_FORWARD, SNN__CU_ZERO_GRAD, SNN__CU_LOSS, SNN__CU_BACKWARD,
       SNN__CU_OPTIM };
static snn__cu_script *snn__cu_script_of(const snn_net *net, int call, int flags)
{
    snn__cu_net *g = snn__cu_of(net);
    const int timed = call == SNN__CU_FORWARD || call == SNN__CU_LOSS || call == SNN__CU_BACKWARD;
    const uint32_t key[3] = {(uint32_t)call, timed ? (uint32_t)net->pass_steps : 0,
                             (uint32_t)flags};
    snn__cu_script *s = g->script;
    int k;
    if (g->no_graphs || !net->desc.allocator.alloc) return NULL;
    for (k = 0; k < SNN__CU_SCRIPTS; k++) {
        if (g->script[k].used && !memcmp(g->script[k].key, key, sizeof key)) break;
        if (g->script[k].used < s->used) s = &g->script[k];
    }
    if (k < SNN__CU_SCRIPTS) s = &g->script[k];
    else {
        snn__cu_forget(s);
        memcpy(s->key, key, sizeof key);
        s->memory = &net->desc.allocator;
        s->state = SNN__CU_NEW;
        s->breaks = 0;
    }
    s->used = ++g->turn;
    return s;
}
static void snn__cu_run(snn_net *net, int call, int flags,
                        void (*run)(snn_net *net, const void *what), const void *what)
{
    snn__cu_perform(&snn__cu_of(net)->c, snn__cu_script_of(net, call, flags), run, net, what);
}

/* numbers that a loss reads beside signals: labels, weights of classes, times of spikes */
static size_t snn__cu_given(const snn_net *net)
{
    const size_t B = (size_t)net->desc.batch, T = (size_t)net->desc.steps;
    return (B > T ? B : T) + (size_t)net->node[net->count - 1].n + 2 * T;
}
static size_t snn__cu_size(const snn_net *net)
{
    return snn__add_size(sizeof(snn__cu_net) + (size_t)net->count * sizeof(snn__cu_node),
                         snn__cu_given(net) * sizeof(int));
}

static int snn__cu_kind(const snn_neuron_def *def)
{
    int k;
    for (k = 0; k < SNN_NEURON_COUNT && snn__neuron_table[k] != def; k++) {}
    return k;
}

/* a sentence for what the device cannot do */
static snn_status snn__cu_supports(snn_net *net, int node)
{
    const snn__node *q = &net->node[node];
    const char *what = NULL;
    const double rows = (double)net->desc.batch * net->desc.steps;
    if (q->op == SNN__NEURON) {
        if (q->desc.surrogate == SNN_CUSTOM_SURROGATE) what = "a surrogate of your own";
        if (snn__cu_kind(q->neuron.def) == SNN_NEURON_COUNT) what = "a neuron of your own";
    } else if (q->op > SNN__DELAY) what = "this layer";
    if (q->rule.kind) what = "a learning rule in the net";
    if (what)
        return snn__fail(net, SNN_ERR_UNSUPPORTED, "cuda: %s \"%s\": %s does not run on the device",
                         snn__op_name(q), q->name, what);
    if (net->desc.spikes == SNN_SPIKES_SMOOTH)
        return snn__fail(net, SNN_ERR_UNSUPPORTED, "cuda: the net's desc asks for "
                         "SNN_SPIKES_SMOOTH, which is not there on the device");
    if (rows > 2147483647.0 || rows * q->n > 4294967295.0) /* thread ids are divided in 32 bits */
        return snn__fail(net, SNN_ERR_TOO_LARGE,
                         "cuda: %s \"%s\": more than 2^32 numbers in one signal",
                         snn__op_name(q), q->name);
    return SNN_OK;
}

/* gradient_steps: so many that kernels have threads enough, and small nets one segment; of whole
 * stretches of the scan, about, and all of a length */
static int snn__cu_segment(const snn_net *net)
{
    const int W = net->desc.checkpoint, B = net->desc.batch;
    double least = (double)SNN__CU_SEGMENT_ROWS / B, n = 1.0;
    int i, steps;
    for (i = 1; i < net->count; i++)
        if (net->node[i].signal != SNN__CONSTANT && net->node[i].n > n) n = net->node[i].n;
    if (SNN__CU_SEGMENT / (n * B) > least) least = SNN__CU_SEGMENT / (n * B);
    if ((W - 1.0) / SNN__CU_SEGMENTS > least) least = (W - 1.0) / SNN__CU_SEGMENTS;
    if (least >= W) return W;
    steps = snn__cu_tiles((int)least + 1, SNN__CU_TAPE) * SNN__CU_TAPE;
    return W < 2 * steps ? W : snn__cu_tiles(W, snn__cu_tiles(W, steps));
}
/* the gradient of x can be written over x: a neuron alone reads it */
static int snn__cu_over(const snn_net *net, const snn__node *q)
{
    return q->users == 1 && !q->record && q->signal != SNN__BITS && !q->halved &&
           snn__op_table[q->op].kind != SNN__SOURCE &&
           net->node[q->last_user].op == SNN__NEURON &&
           (q->signal == SNN__CONSTANT ? net->segments == 1 : q->out_steps > 0);
}
/* steps of an output that are stored, 0: those of a segment. A recurrence stores its own sums. */
static int snn__cu_out_steps(const snn_net *net, const snn__node *q)
{
    int j, k;
    if (q->signal == SNN__CONSTANT) return 0;
    if (snn__op_table[q->op].kind == SNN__SOURCE || (q->record & SNN_RECORD_SPIKES))
        return net->desc.steps;
    for (j = (int)(q - net->node) + 1; j < net->count && !net->desc.inference; j++) {
        const snn__node *u = &net->node[j];
        for (k = 0; k < u->ins && u->root == j; k++)
            if (snn__input_of(net, u, k) == q && snn__op_table[u->op].keeps_input &&
                (u->op != SNN__NEURON || u->recurrence == SNN_RECURRENCE_NONE))
                return net->window;
    }
    return 0;
}
/* the bias of a linear layer, where the neurons that alone read it can add it: a pass over the
 * currents less; NULL otherwise, and in debug, which says whose number it is */
static const float *snn__cu_left_bias(const snn_net *net, const snn__node *q)
{
    const snn__node *to = &net->node[q->last_user];
    if (q->op != SNN__LINEAR || !q->i[SNN__LINEAR_BIAS] || q->users != 1 || q->record ||
        q->halved || net->desc.debug)
        return NULL;
    if (to->op != SNN__NEURON || to->recurrence != SNN_RECURRENCE_NONE) return NULL;
    return snn__cu_param(net, q, 1);
}
static uint32_t snn__cu_chunks(const snn__node *q, size_t rows)
{
    const snn__conv_shape *s = &q->conv;
    const size_t tiles = (size_t)(s->g * snn__cu_tiles(s->og, SNN__CU_WIDE)) *
                         (size_t)snn__cu_tiles(s->cg * s->taps, SNN__CU_ALONG);
    const size_t chunks = SNN__CU_TILES / tiles + 1, lines = rows * (size_t)s->oh;
    return (uint32_t)(chunks < lines ? chunks : lines);
}
static void snn__cu_plan_conv(const snn_net *net, snn__arena *a, const snn__conv_shape *s,
                              snn__cu_node *d, int back)
{
    const size_t wide = (size_t)s->taps * SNN__CU_WIDE * (size_t)s->g;
    (void)net;
    d->packed = snn__arena_floats(a, wide * (size_t)s->cg,
                                  (size_t)snn__cu_tiles(s->og, SNN__CU_WIDE));
    if (back)
        d->packed_back = snn__arena_floats(a, wide * (size_t)s->og,
                                           (size_t)snn__cu_tiles(s->cg, SNN__CU_WIDE));
}
/* statistics that a norm keeps, at most; in so many chunks each */
static size_t snn__cu_units(const snn_net *net, const snn__node *q)
{
    const size_t steps = q->signal == SNN__CONSTANT ? 1 : (size_t)net->segment;
    if (q->i[SNN__NORM_KIND] == SNN_NORM_LAYER) return steps * (size_t)net->desc.batch;
    return steps * (size_t)q->shape[0];
}
static size_t snn__cu_norm_chunks(size_t units, size_t group)
{
    const size_t chunks = SNN__CU_TILES / units + 1;
    return chunks < group ? chunks : group;
}

/* a convolutional recurrence, as a layer from the fed-back spikes to the currents */
static snn__node snn__cu_recurrent_conv(const snn__node *q)
{
    snn__node r;
    memset(&r, 0, sizeof r);
    r.op = SNN__CONV2D;
    r.i[SNN__CONV_KH] = q->desc.kernel_h;
    r.i[SNN__CONV_KW] = q->desc.kernel_w;
    r.i[SNN__CONV_PH] = q->desc.kernel_h / 2;
    r.i[SNN__CONV_PW] = q->desc.kernel_w / 2;
    r.i[SNN__CONV_SH] = r.i[SNN__CONV_SW] = r.i[SNN__CONV_DH] = r.i[SNN__CONV_DW] = 1;
    r.i[SNN__CONV_GROUPS] = 1;
    r.conv = snn__conv_shape_of(r.i, q->shape[0], q->shape[1], q->shape[2],
                                snn__inputs(q) * q->shape[0]);
    return r;
}

/* gradient_floor cuts the gradients of q's output: as on the CPU, where a chain has one cut */
static int snn__cu_floored(const snn_net *net, const snn__node *q)
{
    return snn__floor_of(net, q) > 0.0f && q->backward && !q->chunk &&
           snn__op_table[q->op].kind == SNN__ROW;
}
/* a matrix product reads q, as floats */
static int snn__cu_multiplied(const snn_net *net, const snn__node *q)
{
    int j;
    for (j = (int)(q - net->node) + 1; j < net->count; j++)
        if (net->node[j].op == SNN__LINEAR && snn__input_of(net, &net->node[j], 0) == q) return 1;
    return 0;
}
/* bytes of one number of an output. Of many segments spikes become floats when their turn comes. */
static size_t snn__cu_number_size(const snn_net *net, const snn__node *q)
{
    if (q->halved) return sizeof(uint16_t);
    if (q->signal != SNN__BITS || (q->record & SNN_RECORD_SPIKES)) return sizeof(float);
    return net->segments == 1 && snn__cu_multiplied(net, q) ? sizeof(float) : 1;
}
static void snn__cu_give(snn__cu_signal *s, size_t size, void *memory)
{
    if (size == sizeof(float)) s->f = (float *)memory;
    else if (size == 1) s->u = (unsigned char *)memory;
    else s->h = (uint16_t *)memory;
}

static void snn__cu_plan_neuron(snn_net *net, snn__node *q, snn__arena *a)
{
    snn__cu_node *d = snn__cu_at(net, q);
    const snn_neuron_def *def = q->neuron.def;
    const size_t bn = (size_t)net->desc.batch * (size_t)q->n, T = (size_t)net->desc.steps;
    const size_t window = (size_t)net->window, wide = (size_t)snn__inputs(q) * bn;
    const int recurrent = q->recurrence != SNN_RECURRENCE_NONE, train = !net->desc.inference;
    int k;
    d->kind = snn__cu_kind(def);
    d->every = snn__cu_stretch(def->states);
    if (recurrent || q->desc.inhibition || net->desc.debug) d->every = 1;
    d->slots = snn__cu_tiles(net->window, net->segment) * snn__cu_tiles(net->segment, d->every);
    if (q->out_steps < net->desc.steps || snn__cu_over(net, q))
        d->count = snn__arena_floats(a, bn, 1);
    for (k = 0; k < q->states; k++) d->state[k] = snn__arena_floats(a, bn, 1);
    for (k = 0; train && k < q->states; k++) d->dstate[k] = snn__arena_floats(a, bn, 1);
    for (k = 0; k < def->states; k++) {
        d->rec[k] = q->rec[k] ? snn__arena_floats(a, bn, T) : NULL;
        d->drec[k] = q->drec[k] ? snn__arena_floats(a, bn, T) : NULL;
    }
    if (train) {
        d->saved = snn__arena_floats(a, snn__mul_size(bn, (size_t)def->states), (size_t)d->slots);
        if (q->states > def->states) d->saved_fed = snn__arena_floats(a, bn, window);
    }
    if (def->derived)
        d->derived = snn__arena_floats(a, (size_t)def->derived,
                                       q->desc.per_neuron ? (size_t)q->n : 1);
    if (q->desc.inhibition) {
        d->winner = (int *)snn__arena_take(a, window * (size_t)net->desc.batch, sizeof(int));
        d->drive = snn__arena_floats(a, bn, 1);
    }
    if (q->levels) d->levels = snn__arena_floats(a, (size_t)q->neuron.level_count, 1);
    if (def->start) d->start = snn__arena_floats(a, (size_t)def->states, (size_t)q->n);
    if (!recurrent) return;
    d->current = snn__arena_floats(a, wide, window);
    if (train) d->dcurrent = snn__arena_floats(a, wide, (size_t)net->segment);
    if (q->recurrence == SNN_RECURRENCE_CONV2D) {
        snn__node r = snn__cu_recurrent_conv(q);
        snn__cu_plan_conv(net, a, &r.conv, d, train);
    }
}

/* runs twice, as snn__plan does */
static void snn__cu_plan(snn_net *net, snn__arena *a)
{
    snn__cu_net *g = snn__cu_of(net);
    const size_t B = (size_t)net->desc.batch, T = (size_t)net->desc.steps;
    const int windows = snn__cu_windows(net);
    size_t dparam = 0, sums = 0, conv = 0, norm = 0, stat = 0, wide = 0, least = 0;
    int i, k;
    g->floats = 0;
    for (k = 0; k < net->params; k++) {
        const size_t end = (size_t)(net->param[k].value.data - net->values) +
                           snn_tensor_count(&net->param[k].value);
        if (end > g->floats) g->floats = end;
    }
    g->values = snn__arena_floats(a, g->floats, 1);
    g->grads = net->desc.inference ? NULL : snn__arena_floats(a, net->trained, 1);
    for (k = 0; k < net->desc.moments; k++) g->moment[k] = snn__arena_floats(a, net->trained, 1);
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        snn__cu_node *d = &g->node[i];
        const size_t rows = snn__plan_rows(net, q, net->segment), n = (size_t)q->n;
        size_t state = 0, size, stored;
        memset(q->buf, 0, sizeof q->buf);
        if (q->root != i) continue;
        q->out_steps = snn__cu_out_steps(net, q);
        q->dout_steps = q->signal == SNN__CONSTANT         ? 0
                        : q->record & SNN_RECORD_GRADIENT ? net->desc.steps
                        : snn__cu_over(net, q)            ? q->out_steps
                                                          : 0;
        stored = snn__plan_rows(net, q, q->out_steps ? q->out_steps : net->segment);
        size = snn__cu_number_size(net, q);
        if (size == 1 && snn__cu_multiplied(net, q) && rows * n > wide) wide = rows * n;
        if (snn__cu_floored(net, q) && rows > least) least = rows;
        d->out.period = q->signal == SNN__CONSTANT ? (uint32_t)B : 0;
        d->out.gain = size == 1 && q->gain ? g->values + (q->gain - net->values) : NULL;
        if (q->out_steps || q->signal == SNN__CONSTANT)
            snn__cu_give(&d->out, size, snn__arena_take(a, snn__mul_size(stored, n), size));
        else snn__buffer_want(&q->buf[0], snn__mul_size(rows, n * size), i, q->last_user);
        if (!i && q->signal == SNN__BITS)
            d->words = (uint32_t *)snn__arena_take(a, stored, (size_t)q->words * sizeof(uint32_t));
        if (q->halved && q->op == SNN__LINEAR)
            snn__buffer_want(&q->buf[2], snn__mul_size(rows, n * sizeof(float)), i, i);
        if (q->backward && snn__cu_over(net, q)) d->dout = d->out.f;
        else if (q->backward && ((q->record & SNN_RECORD_GRADIENT) ||
                                 (q->signal == SNN__CONSTANT && net->segments > 1)))
            d->dout = snn__arena_floats(
                a, snn__plan_rows(net, q, q->dout_steps ? q->dout_steps : net->segment), n);
        else if (q->backward)
            snn__buffer_want(&q->buf[1], snn__mul_size(rows, n * sizeof(float)),
                             2 * net->count - 1 - q->last_user, 2 * net->count - 1 - i);
        if (q->op == SNN__MAX_POOL2D)
            d->arg = (unsigned char *)snn__arena_take(a, snn__plan_rows(net, q, net->window), n);
        if (q->op == SNN__DELAY) {
            state = (size_t)q->i[0] * B;
            d->past = snn__arena_floats(a, state, n);
            d->past_next = snn__arena_floats(a, state, n);
            if (q->backward && net->segments > 1) d->dpast = snn__arena_floats(a, state, n);
        }
        if (q->op == SNN__NEURON) state = (size_t)q->states * B;
        if (windows > 1) d->held = snn__arena_floats(a, state * (size_t)(windows + 1), n);
        if (q->op == SNN__NORM) {
            const size_t units = snn__cu_units(net, q);
            d->mean = snn__arena_floats(a, units, 1);
            d->inv = snn__arena_floats(a, units, 1);
            if (2 * units > stat) stat = 2 * units;
            if (units + SNN__CU_TILES > norm) norm = units + SNN__CU_TILES;
        }
        if (q->op == SNN__LINEAR && q->i[SNN__LINEAR_BITS])
            d->rounded = snn__arena_floats(a, n, (size_t)snn__input_of(net, q, 0)->n);
        if (snn__is_conv(q)) {
            const size_t w = snn_tensor_count(&net->param[q->param0].value);
            if (q->i[SNN__CONV_BITS]) d->rounded = snn__arena_floats(a, w, 1);
            snn__cu_plan_conv(net, a, &q->conv, d, 1);
            if (q->backward && w * snn__cu_chunks(q, rows) > conv)
                conv = w * snn__cu_chunks(q, rows);
        }
        if (q->op != SNN__NEURON) continue;
        snn__cu_plan_neuron(net, q, a);
        if (q->recurrence == SNN_RECURRENCE_CONV2D && q->backward) {
            const snn__node r = snn__cu_recurrent_conv(q);
            const size_t w = (size_t)(r.conv.o * r.conv.k) * snn__cu_chunks(&r, rows);
            if (w > conv) conv = w;
        }
        if (q->backward && snn__neuron_learns(net, q)) {
            const size_t p = (size_t)(q->neuron.def->params + q->neuron.def->derived + 1);
            if (p * B * n > dparam) dparam = p * B * n;
            if (p * n > sums) sums = p * n;
        }
    }
    net->pool_size = snn__buffer_place(net);
    net->pool = (char *)snn__arena_take(a, net->pool_size, 1);
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        snn__cu_node *d = &g->node[i];
        if (q->buf[0].size)
            snn__cu_give(&d->out, snn__cu_number_size(net, q), snn__pooled(net, &q->buf[0]));
        if (q->buf[1].size) d->dout = snn__pooled(net, &q->buf[1]);
        if (q->buf[2].size) d->sum = snn__pooled(net, &q->buf[2]);
    }
    for (k = 0; k < 2; k++)
        g->part[k] = snn__arena_floats(a, net->desc.inference ? 0 : SNN__CU_PART, 1);
    g->wide = snn__arena_floats(a, wide, 1);
    g->least = snn__arena_floats(a, least, SNN__CU_ROW_LANES);
    g->dparam = snn__arena_floats(a, dparam, 1);
    g->sums = snn__arena_floats(a, sums, 1);
    g->conv = snn__arena_floats(a, conv, 1);
    g->norm = (double *)snn__arena_take(a, norm, sizeof(double));
    g->norm_stat = (double *)snn__arena_take(a, stat, sizeof(double));
    /* losses have a part for each of their rows; rate losses for each neuron of a sample */
    {
        size_t lanes = B * T > SNN__CU_LANES ? B * T : (size_t)SNN__CU_LANES;
        for (i = 0; i < net->count; i++)
            if ((net->node[i].record & SNN_RECORD_GRADIENT) && B * (size_t)net->node[i].n > lanes)
                lanes = B * (size_t)net->node[i].n;
        g->lanes = (double *)snn__arena_take(a, lanes, sizeof(double));
        g->fold = (double *)snn__arena_take(a, SNN__CU_LANES, sizeof(double));
    }
    g->totals = (double *)snn__arena_take(a, SNN__CU_TOTALS, sizeof(double));
    g->given = (int *)(void *)&g->node[net->count];
    g->label_room = B > T ? B : T;
    g->labels = (int *)snn__arena_take(a, snn__cu_given(net), sizeof(int));
    g->weights = (float *)(void *)g->labels + g->label_room;
    /* cuBLAS takes none that does not begin at a multiple of 256 bytes */
    g->workspace = snn__arena_take(a, g->c.workspace ? g->c.workspace + 256 : 0, 1);
    if (g->workspace)
        g->workspace = (char *)g->workspace + (256 - (uintptr_t)g->workspace % 256) % 256;
}

static snn_status snn__cu_status(snn_net *net, const char *call)
{
    const char *error = snn__cu_of(net)->c.error;
    if (!error) return SNN_OK;
    return snn__fail(net, SNN_ERR_DEVICE, "cuda: %s: %s", call, error);
}

/* the input's host copy moves to where the device can read it while the host goes on */
static void snn__cu_pin_input(snn_net *net)
{
    snn__node *q = net->node;
    const size_t rows = (size_t)net->desc.batch *
                        (size_t)(q->signal == SNN__CONSTANT ? 1 : net->desc.steps);
    const int bits = q->signal == SNN__BITS;
    const size_t size = rows * (bits ? (size_t)q->words : (size_t)q->n) * sizeof(float);
    void *pinned = snn__cu_pin(&snn__cu_of(net)->c, size);
    if (!pinned) return;
    memset(pinned, 0, size);
    if (bits) {
        q->bits = (uint32_t *)pinned;
        return;
    }
    if (q->rec_spk == q->out) q->rec_spk = (float *)pinned;
    q->out = (float *)pinned;
}

static snn_status snn__cu_build(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn_cuda_desc *d = (const snn_cuda_desc *)net->desc.backend->desc;
    snn__arena a;
    int i, products = 0;
    if (d && (d->_start || d->_end))
        return snn__fail(net, SNN_ERR_DESC, "cuda: the desc was not zero-initialised");
    if (d && ((int)d->math < 0 || d->math > SNN_CUDA_BFLOAT16))
        return snn__fail(net, SNN_ERR_ARGUMENT, "cuda: no math has number %d", (int)d->math);
    for (i = 0; i < net->count; i++)
        products |= net->node[i].op == SNN__LINEAR ||
                    net->node[i].recurrence == SNN_RECURRENCE_LINEAR;
    snn__cu_open(&g->c, d, products);
    if (g->c.error) {
        snn__fail(net, SNN_ERR_DEVICE, "cuda: device %d: %s", d ? d->device : 0, g->c.error);
        snn__cu_close(&g->c);
        return net->status;
    }
    memset(&a, 0, sizeof a);
    a.size = SIZE_MAX;
    snn__cu_plan(net, &a);
    if (a.overflow) {
        snn__cu_close(&g->c);
        return snn__fail(net, SNN_ERR_TOO_LARGE, "cuda: the net's size overflows");
    }
    if (!snn__cu_alloc(&g->c, a.used)) {
        snn__cu_close(&g->c);
        return snn__fail(net, SNN_ERR_MEMORY, "cuda: device %d has no %u bytes for the net",
                         d ? d->device : 0, a.used);
    }
    a.base = g->c.base;
    a.size = a.used;
    a.used = 0;
    snn__cu_plan(net, &a);
    snn__cu_pin_input(net);
    g->no_graphs = d && d->no_graphs;
    snn__cu_lend(&g->c, g->workspace);
    snn__cu_zero(&g->c, g->values, g->floats * sizeof(float));
    snn__cu_zero(&g->c, g->grads, net->trained * sizeof(float));
    for (i = 0; i < net->desc.moments; i++)
        snn__cu_zero(&g->c, g->moment[i], net->trained * sizeof(float));
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        const snn__cu_node *n = &g->node[i];
        const size_t bn = (size_t)net->desc.batch * (size_t)q->n * sizeof(float);
        int k;
        for (k = 0; k < q->states; k++) {
            snn__cu_zero(&g->c, n->state[k], bn);
            snn__cu_zero(&g->c, n->dstate[k], bn);
        }
        for (k = 0; k < SNN_MAX_STATES; k++)
            snn__cu_zero(&g->c, n->drec[k], bn * (size_t)net->desc.steps);
        if (q->record & SNN_RECORD_GRADIENT)
            snn__cu_zero(&g->c, n->dout,
                         bn * (q->signal == SNN__CONSTANT ? 1 : (size_t)net->desc.steps));
        if (q->op == SNN__DELAY) snn__cu_zero(&g->c, n->past, bn * (size_t)q->i[0]);
        if (n->levels)
            snn__cu_send(&g->c, n->levels, q->levels,
                         (size_t)q->neuron.level_count * sizeof(float));
    }
    snn__cu_wait(&g->c);
    if (g->c.error) {
        snn__cu_status(net, "build");
        snn__cu_close(&g->c);
        return net->status;
    }
    return SNN_OK;
}
static void snn__cu_destroy(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    int k;
    snn__cu_begin(&g->c);
    snn__cu_wait(&g->c);
    for (k = 0; k < SNN__CU_SCRIPTS; k++) {
        snn__cu_script *s = &g->script[k];
        snn__cu_forget(s);
        if (s->list) s->memory->free(s->list, s->room, s->memory->user);
    }
    snn__cu_close(&g->c);
}

/* -- copies: host and device side of a node's view v */
static float *snn__cu_view(const snn_net *net, const snn__node *q, int v, float **device,
                           size_t *count)
{
    const snn__cu_node *d = snn__cu_at(net, q);
    int k = v - SNN__CU_REC;
    *count = snn__cu_rows(net, q) * (size_t)q->n;
    if (v == SNN__CU_SIGNAL) {
        *device = d->out.f;
        return q != net->node ? q->rec_spk : NULL; /* the input comes from the host */
    }
    if (v == SNN__CU_DSIGNAL) {
        *device = d->dout;
        return q->dout;
    }
    if (v < SNN__CU_STATE) {
        const int gradient = v >= SNN__CU_DREC;
        k = v - (gradient ? SNN__CU_DREC : SNN__CU_REC);
        *device = gradient ? d->drec[k] : d->rec[k];
        return gradient ? q->drec[k] : q->rec[k];
    }
    k = v - (v >= SNN__CU_DSTATE ? SNN__CU_DSTATE : SNN__CU_STATE);
    *count = (size_t)net->desc.batch * (size_t)q->n;
    *device = v >= SNN__CU_DSTATE ? d->dstate[k] : d->state[k];
    return q->op != SNN__NEURON ? NULL : v >= SNN__CU_DSTATE ? q->dstate[k] : q->state[k];
}
/* views from .. to-1 that were asked for, of all nodes */
static void snn__cu_share(snn_net *net, int from, int to, int send)
{
    snn__cu_net *g = snn__cu_of(net);
    size_t count;
    float *device, *host;
    int i, v;
    for (i = 0; i < net->count; i++)
        for (v = from; g->node[i].kept && v < to; v++) {
            if (!(g->node[i].kept >> v & 1u)) continue;
            host = snn__cu_view(net, &net->node[i], v, &device, &count);
            if (send) snn__cu_send(&g->c, device, host, count * sizeof(float));
            else snn__cu_fetch(&g->c, host, device, count * sizeof(float));
        }
}
static void snn__cu_share_grads(snn_net *net, int send)
{
    snn__cu_net *g = snn__cu_of(net);
    const size_t size = net->trained * sizeof(float);
    if (!g->kept || !g->grads || !size) return;
    if (send) snn__cu_send(&g->c, g->grads, net->grads, size);
    else snn__cu_fetch(&g->c, net->grads, g->grads, size);
}
static void snn__cu_fetch_values(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    if (g->stale && g->floats)
        snn__cu_fetch(&g->c, net->values, g->values, g->floats * sizeof(float));
    g->stale = 0;
}

static void snn__cu_read(snn_net *net, const float *view, int keep)
{
    snn__cu_net *g = snn__cu_of(net);
    size_t count;
    float *device;
    int i, v;
    snn__cu_begin(&g->c);
    if (!view) {
        if (!net->dirty) snn__cu_fetch_values(net);
        if (keep && !g->kept) {
            g->kept = 1;
            snn__cu_share_grads(net, 0);
        }
        return;
    }
    for (i = 0; i < net->count; i++)
        for (v = 0; v < SNN__CU_VIEWS; v++)
            if (snn__cu_view(net, &net->node[i], v, &device, &count) == view && device) {
                if (g->node[i].kept >> v & 1u) return;
                if (keep) g->node[i].kept |= 1u << v;
                snn__cu_fetch(&g->c, (float *)view, device, count * sizeof(float));
                return;
            }
}

/* ---- >>run --------------------------------------------------------------------------------- */
/* A call of a net is a row of launches on one stream, and waits only to fetch. Nothing but
 * snn__cu_input, the labels and what changes with every pass (times, the number of the pass, the
 * optimiser's rates) comes from the host between the batch and the loss. */

/* y[n] (+)= the sum over rows and inner of x [rows][n][inner], times a signal of that shape */
static void snn__cu_sum(snn__cu_net *g, const float *x, const snn__cu_signal *times, size_t rows,
                        size_t n, size_t inner, float *y, int add)
{
    snn__cu_sums a;
    int which = 0, last;
    memset(&a, 0, sizeof a);
    if (times) a.times = *times;
    for (;; which ^= 1) {
        const size_t lanes = inner > 32 && n <= SNN__CU_PART / 64 ? 32 : 1;
        const size_t each = rows * ((inner + lanes - 1) / lanes), most = SNN__CU_PART / (n * lanes);
        const size_t want = (each + 15) / 16 < rows ? (each + 15) / 16 : rows;
        a.x = x;
        a.rows = rows;
        a.n = (uint32_t)n;
        a.inner = (uint32_t)inner;
        a.lanes = (uint32_t)lanes;
        a.chunks = (lanes == 1 && each <= 64) || most < 2 ? 1 : want < most ? want : most;
        last = a.chunks == 1 && lanes == 1;
        a.y = last ? y : g->part[which];
        a.add = last && add;
        SNN__LAUNCH(&g->c, snn__cu_sum_rows, n * lanes * a.chunks, a);
        if (last) return;
        memset(&a.times, 0, sizeof a.times);
        x = a.y;
        rows = a.chunks;
        inner = lanes;
    }
}
/* totals[slot] = the sum of n values, their squares, or how many are not zero; or plus factor times
 * that, if there is a factor */
static void snn__cu_add_up(snn__cu_net *g, const snn__cu_signal *x, const double *d, size_t n,
                           int what, int slot, double factor)
{
    snn__cu_total a;
    memset(&a, 0, sizeof a);
    if (x) a.x = *x;
    a.d = d;
    a.n = n;
    a.what = what;
    a.part = a.y = g->fold;
    SNN__LAUNCH(&g->c, snn__cu_total_lane, SNN__CU_LANES, a);
    SNN__LAUNCH(&g->c, snn__cu_total_end, SNN__CU_FOLD, a);
    a.y = g->totals + slot;
    a.add = factor != 0.0;
    a.factor = factor;
    SNN__LAUNCH(&g->c, snn__cu_total_end, 1, a);
}

/* debug: looks at count arrays of n numbers in rows of width, which node q has written */
static void snn__cu_look_at(snn_net *net, const snn__node *q, float *const *x, int count, size_t n,
                            size_t width, size_t row0)
{
    snn__cu_net *g = snn__cu_of(net);
    snn__cu_look a;
    int k;
    memset(&a, 0, sizeof a);
    for (k = 0; k < count; k++) a.x[k] = x[k];
    a.count = count;
    a.node = (int)(q - net->node);
    a.n = n;
    a.width = width;
    a.row0 = row0;
    a.part = g->fold;
    a.found = g->totals + SNN__CU_THE_NODE;
    SNN__LAUNCH(&g->c, snn__cu_look_lane, SNN__CU_LANES, a);
    SNN__LAUNCH(&g->c, snn__cu_look_fold, SNN__CU_FOLD, a);
    SNN__LAUNCH(&g->c, snn__cu_look_end, 1, a);
}
static void snn__cu_look_begin(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    if (net->desc.debug) snn__cu_zero(&g->c, g->totals + SNN__CU_THE_NODE, 3 * sizeof(double));
}
/* for snn__debug_report */
static void snn__cu_look_end_of(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    double found[3] = {0.0, 0.0, 0.0};
    if (net->desc.debug)
        snn__cu_fetch(&g->c, found, g->totals + SNN__CU_THE_NODE, sizeof found);
    net->bad = (int)found[0];
    net->bad_row = (size_t)found[1];
    net->bad_element = (size_t)found[2];
}

/* -- prepared weights */

static const float *snn__cu_weights(const snn_net *net, const snn__node *q)
{
    const snn__cu_node *d = snn__cu_at(net, q);
    return d->rounded ? d->rounded : snn__cu_param(net, q, 0);
}
static void snn__cu_pack_conv(snn__cu_net *g, const snn__cu_node *d, const snn__conv_shape *s,
                              const float *w)
{
    snn__cu_pack a;
    memset(&a, 0, sizeof a);
    a.w = w;
    a.cg = s->cg;
    a.og = s->og;
    a.taps = s->taps;
    for (a.back = 0; a.back < 2; a.back++) {
        const int out = a.back ? s->cg : s->og, in = a.back ? s->og : s->cg;
        a.packed = a.back ? d->packed_back : d->packed;
        if (a.packed)
            SNN__LAUNCH(&g->c, snn__cu_pack_weights,
                        (size_t)(s->g * snn__cu_tiles(out, SNN__CU_WIDE)) * (size_t)(in * s->taps) *
                            SNN__CU_WIDE, a);
    }
}
/* derived parameters, by the host's formula: only needed again when it is trained */
static void snn__cu_derive(snn_net *net, snn__node *q)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn_neuron_def *def = q->neuron.def;
    const int n = q->desc.per_neuron ? q->n : 1;
    int k;
    snn__neuron_values(net, q);
    for (k = 0; k < def->derived; k++)
        snn__cu_send(&g->c, snn__cu_at(net, q)->derived + k * n,
                     q->values + (size_t)(def->params + k) * snn__neuron_stride(q),
                     (size_t)n * sizeof(float));
}
/* parameters as the host has them, and what only the host computes of them */
static void snn__cu_prepare(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    int i, derived = net->dirty;
    if (net->dirty) {
        snn__cu_send(&g->c, g->values, net->values, g->floats * sizeof(float));
        g->stale = g->started = 0;
        g->unprepared = 1;
    }
    if (!g->unprepared) return;
    for (i = 0; i < net->count; i++)
        derived |= net->node[i].op == SNN__NEURON && net->node[i].neuron.def->derived &&
                   snn__neuron_learns(net, &net->node[i]);
    if (derived) snn__cu_fetch_values(net);
    for (i = 0; derived && i < net->count; i++)
        if (net->node[i].op == SNN__NEURON && net->node[i].neuron.def->derived)
            snn__cu_derive(net, &net->node[i]);
    net->constant_valid = 0;
    if (!g->c.error) net->dirty = 0;
}
/* weights rounded, and in the order that convolutions read */
static void snn__cu_prepare_weights(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    int i;
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        const snn__cu_node *d = &g->node[i];
        if (d->rounded) {
            const snn_tensor *w = &net->param[q->param0].value;
            snn__cu_round a;
            memset(&a, 0, sizeof a);
            a.w = snn__cu_param(net, q, 0);
            a.out = d->rounded;
            a.cols = snn_tensor_count(w) / (size_t)w->shape[0];
            a.levels = (float)((1 << ((q->op == SNN__LINEAR ? q->i[SNN__LINEAR_BITS]
                                                            : q->i[SNN__CONV_BITS]) - 1)) - 1);
            SNN__LAUNCH(&g->c, snn__cu_round_row, (size_t)w->shape[0], a);
        }
        if (snn__is_conv(q)) snn__cu_pack_conv(g, d, &q->conv, snn__cu_weights(net, q));
        if (q->op == SNN__NEURON && q->recurrence == SNN_RECURRENCE_CONV2D) {
            const snn__node r = snn__cu_recurrent_conv(q);
            snn__cu_pack_conv(g, d, &r.conv, snn__cu_param(net, q, q->neuron.def->params + 1));
        }
    }
}

/* -- neurons */

/* the first of `saved` that the current segment has */
static size_t snn__cu_slot(const snn_net *net, const snn__node *q)
{
    const int every = snn__cu_at(net, q)->every;
    return (size_t)(net->t0 % net->window / net->segment * snn__cu_tiles(net->segment, every));
}
static void snn__cu_scan_open(snn_net *net, const snn__node *q, snn__cu_scan *a)
{
    const snn__cu_node *d = snn__cu_at(net, q);
    const snn_neuron_def *def = q->neuron.def;
    const size_t bn = (size_t)net->desc.batch * (size_t)q->n, first = (size_t)net->t0 * bn;
    int k;
    memset(a, 0, sizeof *a);
    a->x = snn__cu_out(net, snn__input_of(net, q, 0));
    a->bias = snn__cu_left_bias(net, snn__input_of(net, q, 0));
    a->out = snn__cu_out(net, q);
    a->n = (uint32_t)q->n;
    a->bn = bn;
    a->t1 = net->len;
    a->every = d->every;
    a->slots = d->slots;
    if (d->saved) a->saved = d->saved + snn__cu_slot(net, q) * bn;
    if (q->states > def->states) {
        a->fed = d->state[def->states];
        if (d->saved_fed) a->saved_fed = d->saved_fed + snn__cu_slot(net, q) * bn;
        a->dfed = d->dstate[def->states];
    }
    for (k = 0; k < def->states; k++) {
        a->state[k] = d->state[k];
        a->dstate[k] = d->dstate[k];
        if (d->rec[k]) a->rec[k] = d->rec[k] + first;
        if (d->drec[k]) a->drec[k] = d->drec[k] + first;
    }
    if (!net->replay) a->count = d->count;
    for (k = 0; k < def->params + def->derived; k++) {
        a->param[k] = k < def->params ? snn__cu_param(net, q, k)
                                      : d->derived + (k - def->params) *
                                                         (q->desc.per_neuron ? q->n : 1);
        if (k < def->params && (def->param[k].flags & SNN_PARAM_CLAMP01)) a->clamp |= 1u << k;
    }
    a->param[SNN_MAX_PARAMS] = snn__cu_param(net, q, def->params);
    a->per_neuron = q->desc.per_neuron;
    a->mode.sub = q->neuron.sub;
    a->mode.zero = q->neuron.zero;
    a->mode.equal = q->neuron.equal;
    a->surrogate = q->neuron.surrogate;
    a->seed = net->desc.seed;
    a->stream = (uint32_t)(0x2000 + (q - net->node));
    if (a->surrogate.kind == SNN_STOCHASTIC) a->time = net->time;
    a->immediate = q->neuron.immediate;
    a->detach = q->neuron.detach;
    a->output_membrane = q->desc.output_membrane;
    a->before_reset = q->desc.membrane_before_reset && d->rec[0];
    if (d->winner) a->winner = d->winner + net->t0 % net->window * net->desc.batch;
    a->levels = d->levels;
    a->level_count = q->neuron.level_count;
    a->rounded = def->quantised ? def->quantised : def->states;
}

/* steps from .. to-1 forward; step by step for inhibition, which couples the neurons of a sample,
 * and debug */
static void snn__cu_scan_steps(snn_net *net, const snn__node *q, snn__cu_scan *a, int from, int to)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn__cu_node *d = snn__cu_at(net, q);
    const int look = net->desc.debug && !net->replay;
    for (; from < to; from = a->t1) {
        a->t0 = from;
        a->t1 = d->winner || look ? from + 1 : to;
        a->count_add = net->t0 + from > 0;
        if (d->winner) {
            a->drive = d->drive;
            snn__cu_neuron[d->kind](&g->c, a, 0);
            SNN__LAUNCH(&g->c, snn__cu_winner, (size_t)net->desc.batch, *a);
            a->drive = NULL;
        }
        snn__cu_neuron[d->kind](&g->c, a, 0);
        if (look)
            snn__cu_look_at(net, q, d->state, q->neuron.def->states, a->bn, a->n,
                            (size_t)((net->t0 + from) * net->desc.batch));
    }
}

static snn__cu_conv snn__cu_conv_open(const int *i, const snn__conv_shape *s, size_t rows)
{
    snn__cu_conv a;
    memset(&a, 0, sizeof a);
    a.c = s->c;
    a.h = s->h;
    a.wide = s->w;
    a.o = s->o;
    a.oh = s->oh;
    a.ow = s->ow;
    a.groups = s->g;
    a.cg = s->cg;
    a.og = s->og;
    a.kh = i[SNN__CONV_KH];
    a.kw = i[SNN__CONV_KW];
    a.sh = i[SNN__CONV_SH];
    a.sw = i[SNN__CONV_SW];
    a.ph = i[SNN__CONV_PH];
    a.pw = i[SNN__CONV_PW];
    a.dh = i[SNN__CONV_DH];
    a.dw = i[SNN__CONV_DW];
    a.rows = (uint32_t)rows;
    return a;
}
/* positions from the image, or back: the image from positions */
static void snn__cu_conv_run(snn__cu_net *g, const snn__cu_conv *a, int back)
{
    const size_t along = (size_t)snn__cu_tiles(back ? a->wide : a->ow, SNN__CU_ALONG);
    const size_t tiles = (size_t)(a->groups * snn__cu_tiles(back ? a->cg : a->og, SNN__CU_WIDE));
    const size_t n = (size_t)a->rows * tiles * along * (size_t)(back ? a->h : a->oh);
    if (back) SNN__LAUNCH(&g->c, snn__cu_conv_scatter, n, *a);
    else SNN__LAUNCH(&g->c, snn__cu_conv_gather, n, *a);
}
static void snn__cu_conv_learn(snn__cu_net *g, snn__cu_conv *a, const snn__node *q, float *dw)
{
    const int K = a->cg * a->kh * a->kw;
    a->chunks = snn__cu_chunks(q, a->rows);
    a->part = g->conv;
    SNN__LAUNCH(&g->c, snn__cu_conv_weights,
                (size_t)a->chunks * (size_t)(a->groups * snn__cu_tiles(a->og, SNN__CU_WIDE)) *
                    (size_t)snn__cu_tiles(K, SNN__CU_ALONG), *a);
    snn__cu_sum(g, g->conv, NULL, a->chunks, (size_t)(a->o * K), 1, dw, 1);
}

/* what a recurrence reads: the layer's last spikes, or a state */
static int snn__cu_fed(const snn__node *q)
{
    return q->neuron.def->feedback ? q->neuron.def->feedback - 1 : q->states - 1;
}
/* the same at the start of the segment's steps, as forward kept it */
static float *snn__cu_fed_steps(const snn_net *net, const snn__node *q)
{
    const snn__cu_node *d = snn__cu_at(net, q);
    const size_t bn = (size_t)net->desc.batch * (size_t)q->n, slot = snn__cu_slot(net, q);
    if (q->states > q->neuron.def->states) return d->saved_fed + slot * bn;
    return d->saved + ((size_t)snn__cu_fed(q) * (size_t)d->slots + slot) * bn;
}
/* currents of the segment's steps, the recurrence's share included */
static float *snn__cu_current_steps(const snn_net *net, const snn__node *q)
{
    return snn__cu_at(net, q)->current +
           (size_t)(net->t0 % net->window * net->desc.batch) * (size_t)(snn__inputs(q) * q->n);
}
static void snn__cu_recurrent_forward(snn_net *net, const snn__node *q, snn__cu_scan *a)
{
    snn__cu_net *g = snn__cu_of(net);
    snn__cu_node *d = snn__cu_at(net, q);
    const int B = net->desc.batch, wide = snn__inputs(q) * q->n, first = q->neuron.def->params + 1;
    const int bias = snn__recurrent_params(q) > 1;
    float *s = d->state[snn__cu_fed(q)];
    snn__cu_fill fill;
    int t;
    memset(&fill, 0, sizeof fill);
    fill.x = a->x;
    fill.n = (uint32_t)wide;
    fill.inner = q->recurrence == SNN_RECURRENCE_CONV2D ? (uint32_t)(q->shape[1] * q->shape[2]) : 1;
    fill.bias = bias ? snn__cu_param(net, q, first + 1) : NULL;
    fill.per_neuron = q->desc.per_neuron;
    if (q->recurrence == SNN_RECURRENCE_ONE_TO_ONE) {
        fill.v = snn__cu_param(net, q, first);
        fill.s = s;
    }
    memset(&a->x, 0, sizeof a->x);
    a->x.f = snn__cu_current_steps(net, q);
    for (t = 0; t < net->len; t++) {
        fill.row0 = (uint32_t)(t * B);
        fill.y.f = a->x.f + (size_t)t * (size_t)B * (size_t)wide;
        SNN__LAUNCH(&g->c, snn__cu_begin_rows, (size_t)B * (size_t)wide, fill);
        if (q->recurrence == SNN_RECURRENCE_LINEAR)
            snn__cu_gemm(&g->c, 0, 1, B, wide, q->n, s, snn__cu_param(net, q, first), 1.0f,
                         fill.y.f);
        if (q->recurrence == SNN_RECURRENCE_CONV2D) {
            const snn__node r = snn__cu_recurrent_conv(q);
            snn__cu_conv c = snn__cu_conv_open(r.i, &r.conv, (size_t)B);
            c.image.f = s;
            c.positions.f = fill.y.f;
            c.w = d->packed;
            c.add = 1;
            snn__cu_conv_run(g, &c, 0);
        }
        snn__cu_scan_steps(net, q, a, t, t + 1);
    }
}
static void snn__cu_recurrent_backward(snn_net *net, const snn__node *q, snn__cu_scan *a)
{
    snn__cu_net *g = snn__cu_of(net);
    snn__cu_node *d = snn__cu_at(net, q);
    const int B = net->desc.batch, wide = snn__inputs(q) * q->n, first = q->neuron.def->params + 1;
    const int T = net->len, fed = snn__cu_fed(q), spikes = a->fed != NULL;
    const size_t rows = (size_t)B * (size_t)T, step = (size_t)B * (size_t)wide;
    const snn__node r = q->recurrence == SNN_RECURRENCE_CONV2D ? snn__cu_recurrent_conv(q) : *q;
    const float *w = snn__cu_param(net, q, first);
    float *dw = snn__cu_grad(net, q, first), *dx = d->dcurrent, *s = snn__cu_fed_steps(net, q);
    snn__cu_fill times;
    snn__cu_conv c;
    int t;
    memset(&times, 0, sizeof times);
    memset(&a->x, 0, sizeof a->x);
    a->x.f = snn__cu_current_steps(net, q);
    a->dx = dx;
    a->dx_add = 0;
    for (t = T - 1; t >= 0; t--) {
        a->t0 = t;
        a->t1 = t + 1;
        a->dparam_add = t < T - 1;
        snn__cu_neuron[d->kind](&g->c, a, 1);
        if (q->recurrence == SNN_RECURRENCE_LINEAR)
            snn__cu_gemm(&g->c, 0, 0, B, q->n, wide, dx + (size_t)t * step, w, spikes ? 0.0f : 1.0f,
                         d->dstate[fed]);
        else if (q->recurrence == SNN_RECURRENCE_CONV2D) {
            c = snn__cu_conv_open(r.i, &r.conv, (size_t)B);
            c.positions.f = dx + (size_t)t * step;
            c.image.f = d->dstate[fed];
            c.w = d->packed_back;
            c.add = !spikes;
            snn__cu_conv_run(g, &c, 1);
        } else {
            times.y.f = d->dstate[fed];
            times.s = dx + (size_t)t * step;
            times.v = w;
            times.n = (uint32_t)q->n;
            times.inner = !spikes; /* adds */
            times.per_neuron = q->desc.per_neuron;
            SNN__LAUNCH(&g->c, snn__cu_times, step, times);
        }
    }
    if (!dw) return;
    if (q->recurrence == SNN_RECURRENCE_LINEAR)
        snn__cu_gemm(&g->c, 1, 0, wide, q->n, (int)rows, dx, s, 1.0f, dw);
    else if (q->recurrence == SNN_RECURRENCE_CONV2D) {
        c = snn__cu_conv_open(r.i, &r.conv, rows);
        c.positions.f = dx;
        c.image.f = s;
        snn__cu_conv_learn(g, &c, &r, dw);
    } else {
        snn__cu_signal by;
        memset(&by, 0, sizeof by);
        by.f = s;
        if (q->desc.per_neuron) snn__cu_sum(g, dx, &by, rows, (size_t)q->n, 1, dw, 1);
        else snn__cu_sum(g, dx, &by, rows, 1, (size_t)q->n, dw, 1);
    }
    if (snn__recurrent_params(q) > 1) {
        const size_t inner = q->recurrence == SNN_RECURRENCE_CONV2D
                                 ? (size_t)(q->shape[1] * q->shape[2])
                                 : 1;
        snn__cu_sum(g, dx, NULL, rows, (size_t)wide / inner, inner, snn__cu_grad(net, q, first + 1),
                    1);
    }
}
/* gradients of a neuron's parameters from those of each neuron and sample */
static void snn__cu_collect_params(snn_net *net, const snn__node *q)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn_neuron_def *def = q->neuron.def;
    const size_t B = (size_t)net->desc.batch, n = (size_t)q->n;
    const int all = def->params + def->derived, vector = q->desc.per_neuron;
    const size_t len = vector ? n : 1;
    snn__cu_collect a;
    int k;
    memset(&a, 0, sizeof a);
    for (k = 0; k <= all; k++)
        snn__cu_sum(g, g->dparam + (size_t)k * B * n, NULL, vector ? B : B * n, len, 1,
                    g->sums + (size_t)k * len, 0);
    if (def->derived) { /* through the host's formula */
        float value[SNN_MAX_PARAMS][SNN__PIECE];
        const float *p[SNN_MAX_PARAMS];
        float *dp[SNN_MAX_PARAMS];
        size_t at, i, m;
        for (at = 0; at < len; at += SNN__PIECE) {
            m = len - at < SNN__PIECE ? len - at : (size_t)SNN__PIECE;
            for (k = 0; k < all; k++) {
                p[k] = q->values + (size_t)k * snn__neuron_stride(q) + at;
                dp[k] = value[k];
                for (i = 0; i < SNN__PIECE; i++) value[k][i] = 0.0f;
                snn__cu_fetch(&g->c, value[k], g->sums + (size_t)k * len + at, m * sizeof(float));
            }
            def->underive((int)m, p, dp);
            for (k = 0; k < def->params; k++)
                snn__cu_send(&g->c, g->sums + (size_t)k * len + at, value[k], m * sizeof(float));
        }
    }
    for (k = 0; k <= def->params; k++) {
        a.from = g->sums + (size_t)(k < def->params ? k : all) * len;
        a.p = snn__cu_param(net, q, k);
        a.g = snn__cu_grad(net, q, k);
        a.clamp = k < def->params && (def->param[k].flags & SNN_PARAM_CLAMP01);
        if (a.g) SNN__LAUNCH(&g->c, snn__cu_collect_one, len, a);
    }
}

/* -- one layer, forward and backward over the rows of the current segment */

static void snn__cu_mix_open(snn_net *net, const snn__node *q, snn__cu_mix *a)
{
    int k;
    memset(a, 0, sizeof *a);
    a->op = q->op;
    for (k = 0; k < q->ins; k++) a->x[k] = snn__cu_out(net, snn__input_of(net, q, k));
    a->y = snn__cu_out(net, q);
    a->out = (uint32_t)q->n;
    a->split = (uint32_t)net->node[q->in[0]].n;
    a->batch = (uint32_t)net->desc.batch;
    a->value = q->f[0];
    a->training = net->training;
    if (q->op == SNN__DROPOUT) {
        a->seed = net->desc.seed ^ ((uint64_t)net->pass << 32);
        a->stream = (uint32_t)(0x1000 + (q - net->node));
        a->time = net->time;
    }
    if (q->op == SNN__GRADED_SPIKES) {
        a->w = snn__cu_param(net, q, 0);
        a->per = (uint32_t)(q->n / q->shape[0]);
    }
    if (q->op == SNN__DELAY) {
        a->per = (uint32_t)q->i[0] * a->batch;
        a->past = snn__cu_at(net, q)->past;
    }
}
static void snn__cu_pool_open(snn_net *net, const snn__node *q, snn__cu_pool *a)
{
    const snn__node *x = &net->node[q->in[0]];
    snn__cu_node *d = snn__cu_at(net, q);
    const int first = net->t0 % net->window * net->desc.batch;
    memset(a, 0, sizeof *a);
    a->x = snn__cu_out(net, snn__input_of(net, q, 0));
    a->y = snn__cu_out(net, q);
    if (d->arg) a->arg = d->arg + (q->signal == SNN__CONSTANT ? 0 : (size_t)first * (size_t)q->n);
    a->dy = snn__cu_dout(net, q);
    a->channels = (uint32_t)q->shape[0];
    a->h = x->shape[1];
    a->w = x->shape[2];
    a->oh = q->shape[1];
    a->ow = q->shape[2];
    a->kh = q->i[SNN__POOL_KH];
    a->kw = q->i[SNN__POOL_KW];
    a->sh = q->i[SNN__POOL_SH];
    a->sw = q->i[SNN__POOL_SW];
    a->ph = q->i[SNN__POOL_PH];
    a->pw = q->i[SNN__POOL_PW];
    a->factor = q->op == SNN__MAX_POOL2D ? 1.0f : snn__pool_factor(q);
}

static void snn__cu_norm_open(snn_net *net, const snn__node *q, snn__cu_norm *a)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn__cu_node *d = snn__cu_at(net, q);
    const snn__node *p = snn__input_of(net, q, 0);
    const int kind = q->i[SNN__NORM_KIND], running = snn__norm_running(q);
    const int steps = q->signal == SNN__CONSTANT ? net->pass_steps : 1;
    const size_t all = snn__rows(net, q);
    memset(a, 0, sizeof *a);
    a->x = snn__cu_out(net, p);
    a->y = snn__cu_out(net, q).f;
    a->mean = d->mean;
    a->inv = d->inv;
    a->layer = kind == SNN_NORM_LAYER;
    a->own = a->layer || (net->training && !net->desc.inference);
    a->group = a->layer ? 1 : kind == SNN_NORM_THRESHOLD ? all : (size_t)net->desc.batch;
    a->groups = all / a->group;
    a->n = (uint32_t)q->n;
    a->C = a->layer ? 1 : (uint32_t)q->shape[0];
    a->S = a->n / a->C;
    a->chunks = snn__cu_norm_chunks(a->groups * a->C, a->layer ? a->S : a->group);
    a->part = g->norm;
    a->stat = g->norm_stat;
    a->w = q->i[SNN__NORM_AFFINE] ? snn__cu_param(net, q, 0) : NULL;
    a->b = snn__norm_bias(q) ? snn__cu_param(net, q, 1) : NULL;
    if (!a->layer) {
        a->running_mean = snn__cu_param(net, q, running);
        a->running_var = snn__cu_param(net, q, running + 1);
    }
    a->timed = kind == SNN_NORM_BATCH_TIME;
    a->time = net->time;
    a->last = (uint32_t)q->i[SNN__NORM_STEPS] - 1;
    a->eps = q->f[SNN__NORM_EPS];
    a->momentum = q->f[SNN__NORM_MOMENTUM];
    a->weight = q->f[SNN__NORM_WEIGHT];
    /* a constant input stands for all steps of the pass: so many values, or so often */
    a->often = kind == SNN_NORM_BATCH ? steps : 1;
    a->values = (double)a->group * (double)a->S * (kind == SNN_NORM_BATCH ? 1 : steps);
    a->rows = (uint32_t)snn__rows(net, p);
    a->times = (uint32_t)(all / a->rows);
}
static void snn__cu_norm_stat(snn__cu_net *g, snn__cu_norm *a, int mode)
{
    const size_t units = a->groups * a->C;
    a->mode = mode;
    SNN__LAUNCH(&g->c, snn__cu_norm_sum, units * a->chunks, *a);
    SNN__LAUNCH(&g->c, snn__cu_norm_fold, units, *a);
}

/* layer: y[n] += sums over rows, in chunks as snn__cu_sum cuts them */
static void snn__cu_norm_learn_rows(snn__cu_net *g, snn__cu_norm *a, int mode, float *y)
{
    const size_t most = SNN__CU_PART / a->n, want = ((size_t)a->rows + 15) / 16;
    a->mode = mode;
    a->chunks = most < 2 ? 1 : want < most ? want : most;
    a->add = a->chunks == 1;
    a->y = a->chunks == 1 ? y : g->part[1];
    SNN__LAUNCH(&g->c, snn__cu_norm_learn_layer, a->chunks * a->n, *a);
    if (a->chunks > 1) snn__cu_sum(g, a->y, NULL, a->chunks, a->n, 1, y, 1);
}

/* what a matrix product reads of x: its floats, or those made of its bytes */
static const float *snn__cu_factor(snn_net *net, const snn__node *x)
{
    snn__cu_net *g = snn__cu_of(net);
    snn__cu_plain a;
    memset(&a, 0, sizeof a);
    a.x = snn__cu_out(net, x);
    a.y = g->wide;
    if (a.x.f) return a.x.f;
    SNN__LAUNCH(&g->c, snn__cu_floats, snn__rows(net, x) * (size_t)x->n, a);
    return a.y;
}
static void snn__cu_node_forward(snn_net *net, snn__node *q)
{
    snn__cu_net *g = snn__cu_of(net);
    snn__cu_node *d = snn__cu_at(net, q);
    const snn__node *p = snn__input_of(net, q, 0);
    const snn__cu_signal x = snn__cu_out(net, p), y = snn__cu_out(net, q);
    const size_t rows = snn__rows(net, q), n = (size_t)q->n;
    switch (q->op) {
    case SNN__LINEAR: {
        const int bias = q->i[SNN__LINEAR_BIAS] && !snn__cu_left_bias(net, q);
        float *sum = q->halved ? d->sum : y.f;
        snn__cu_fill a;
        memset(&a, 0, sizeof a);
        a.y = y;
        a.bias = bias ? snn__cu_param(net, q, 1) : NULL;
        a.n = (uint32_t)n;
        a.inner = 1;
        if (bias && !q->halved) SNN__LAUNCH(&g->c, snn__cu_begin_rows, rows * n, a);
        snn__cu_gemm(&g->c, 0, 1, (int)rows, q->n, p->n, snn__cu_factor(net, p),
                     snn__cu_weights(net, q), bias && !q->halved ? 1.0f : 0.0f, sum);
        a.x.f = sum;
        if (q->halved) SNN__LAUNCH(&g->c, snn__cu_begin_rows, rows * n, a);
        return;
    }
    case SNN__CONV1D:
    case SNN__CONV2D:
    case SNN__CONV_TRANSPOSE2D: {
        const int back = q->op == SNN__CONV_TRANSPOSE2D;
        snn__cu_conv a = snn__cu_conv_open(q->i, &q->conv, rows);
        a.image = back ? y : x;
        a.positions = back ? x : y;
        a.w = back ? d->packed_back : d->packed;
        a.bias = q->i[SNN__CONV_BIAS] ? snn__cu_param(net, q, 1) : NULL;
        snn__cu_conv_run(g, &a, back);
        return;
    }
    case SNN__MAX_POOL2D:
    case SNN__AVG_POOL2D:
    case SNN__SUM_POOL2D: {
        snn__cu_pool a;
        snn__cu_pool_open(net, q, &a);
        SNN__LAUNCH(&g->c, snn__cu_pool_forward, rows * n, a);
        return;
    }
    case SNN__NORM: {
        snn__cu_norm a;
        snn__cu_norm_open(net, q, &a);
        if (a.own) {
            snn__cu_norm_stat(g, &a, SNN__CU_MEAN);
            snn__cu_norm_stat(g, &a, SNN__CU_VARIANCE);
            if (!a.layer && !net->replay) SNN__LAUNCH(&g->c, snn__cu_norm_move, a.C, a);
            g->stale |= !a.layer;
        } else SNN__LAUNCH(&g->c, snn__cu_norm_running, a.groups * a.C, a);
        SNN__LAUNCH(&g->c, snn__cu_norm_forward, rows * n, a);
        return;
    }
    case SNN__NEURON: {
        snn__cu_scan a;
        snn__cu_scan_open(net, q, &a);
        if (q->recurrence != SNN_RECURRENCE_NONE) snn__cu_recurrent_forward(net, q, &a);
        else snn__cu_scan_steps(net, q, &a, 0, net->len);
        return;
    }
    default: {
        snn__cu_mix a;
        snn__cu_mix_open(net, q, &a);
        SNN__LAUNCH(&g->c, snn__cu_mix_forward, rows * n, a);
        if (q->op != SNN__DELAY) return;
        a.rows = (uint32_t)rows;
        a.y.f = d->past_next;
        SNN__LAUNCH(&g->c, snn__cu_mix_past, (size_t)a.per * n, a);
        snn__cu_copy(&g->c, d->past, d->past_next, (size_t)a.per * n * sizeof(float));
    }
    }
}

/* where the gradient of input k goes, NULL: not wanted; *add: there is some already */
static float *snn__cu_din(snn_net *net, const snn__node *q, int k, int *add)
{
    const snn__node *p = snn__input_of(net, q, k);
    snn__cu_node *d = snn__cu_at(net, p);
    if (!p->backward) return NULL;
    *add = d->add;
    d->add = 1;
    return snn__cu_dout(net, p);
}
/* dy of the rows of q to input k: as it is, or however q's kind has it */
static void snn__cu_mix_back(snn_net *net, const snn__node *q, snn__cu_mix *a, int k)
{
    const snn__node *p = snn__input_of(net, q, k);
    const int mixed = p->signal == SNN__CONSTANT && q->signal != SNN__CONSTANT;
    a->dx = snn__cu_din(net, q, k, &a->add);
    if (!a->dx) return;
    a->which = k;
    a->n = (uint32_t)p->n;
    a->rows = (uint32_t)snn__rows(net, p);
    a->times = mixed ? (uint32_t)net->len : 1;
    a->offset = k && a->op == SNN__CONCAT ? a->split : 0;
    SNN__LAUNCH(&snn__cu_of(net)->c, snn__cu_mix_backward, (size_t)a->rows * a->n, *a);
}
static void snn__cu_node_backward(snn_net *net, snn__node *q)
{
    snn__cu_net *g = snn__cu_of(net);
    snn__cu_node *d = snn__cu_at(net, q);
    const snn__node *p = snn__input_of(net, q, 0);
    const snn__cu_signal x = snn__cu_out(net, p);
    const size_t rows = snn__rows(net, q), n = (size_t)q->n;
    float *dout = snn__cu_dout(net, q), *dx;
    int add = 0;
    if (!d->add && q->op != SNN__NEURON) snn__cu_zero(&g->c, dout, rows * n * sizeof(float));
    if (snn__cu_floored(net, q)) {
        snn__cu_floor a;
        memset(&a, 0, sizeof a);
        a.d = dout;
        a.part = g->least;
        a.n = (uint32_t)n;
        a.share = net->desc.gradient_floor;
        SNN__LAUNCH(&g->c, snn__cu_floor_lane, rows * SNN__CU_ROW_LANES, a);
        SNN__LAUNCH(&g->c, snn__cu_floor_row, rows, a);
        SNN__LAUNCH(&g->c, snn__cu_floor_cut, rows * n, a);
    }
    switch (q->op) {
    case SNN__LINEAR:
        if (q->i[SNN__LINEAR_BIAS])
            snn__cu_sum(g, dout, NULL, rows, n, 1, snn__cu_grad(net, q, 1), 1);
        snn__cu_gemm(&g->c, 1, 0, q->n, p->n, (int)rows, dout, snn__cu_factor(net, p), 1.0f,
                     snn__cu_grad(net, q, 0));
        dx = snn__cu_din(net, q, 0, &add);
        if (dx)
            snn__cu_gemm(&g->c, 0, 0, (int)rows, p->n, q->n, dout, snn__cu_weights(net, q),
                         add ? 1.0f : 0.0f, dx);
        return;
    case SNN__CONV1D:
    case SNN__CONV2D:
    case SNN__CONV_TRANSPOSE2D: {
        const int back = q->op == SNN__CONV_TRANSPOSE2D, positions = q->shape[1] * q->shape[2];
        snn__cu_conv a = snn__cu_conv_open(q->i, &q->conv, rows);
        snn__cu_signal dy;
        memset(&dy, 0, sizeof dy);
        dy.f = dout;
        a.image = back ? dy : x;
        a.positions = back ? x : dy;
        snn__cu_conv_learn(g, &a, q, snn__cu_grad(net, q, 0));
        if (q->i[SNN__CONV_BIAS])
            snn__cu_sum(g, dout, NULL, rows, n / (size_t)positions, (size_t)positions,
                        snn__cu_grad(net, q, 1), 1);
        dx = snn__cu_din(net, q, 0, &a.add);
        if (!dx) return;
        if (back) a.positions = dy, a.positions.f = dx;
        else a.image = dy, a.image.f = dx;
        a.w = back ? d->packed : d->packed_back;
        snn__cu_conv_run(g, &a, !back);
        return;
    }
    case SNN__MAX_POOL2D:
    case SNN__AVG_POOL2D:
    case SNN__SUM_POOL2D: {
        snn__cu_pool a;
        snn__cu_pool_open(net, q, &a);
        a.dx = snn__cu_din(net, q, 0, &a.add);
        if (a.dx) SNN__LAUNCH(&g->c, snn__cu_pool_backward, rows * (size_t)p->n, a);
        return;
    }
    case SNN__NORM: {
        snn__cu_norm a;
        snn__cu_norm_open(net, q, &a);
        a.dy = dout;
        a.dw = a.w ? snn__cu_grad(net, q, 0) : NULL;
        a.db = a.b ? snn__cu_grad(net, q, 1) : NULL;
        snn__cu_norm_stat(g, &a, SNN__CU_DY);
        snn__cu_norm_stat(g, &a, SNN__CU_DOT);
        a.dx = snn__cu_din(net, q, 0, &a.add);
        if (a.dx) SNN__LAUNCH(&g->c, snn__cu_norm_backward, (size_t)a.rows * n, a);
        a.rows = (uint32_t)rows;
        if (a.dw && !a.layer) SNN__LAUNCH(&g->c, snn__cu_norm_learn, a.C, a);
        if (a.dw && a.layer) {
            snn__cu_norm_learn_rows(g, &a, SNN__CU_DOT, a.dw);
            snn__cu_norm_learn_rows(g, &a, SNN__CU_DY, a.db);
        }
        return;
    }
    case SNN__NEURON: {
        const int learns = snn__neuron_learns(net, q);
        snn__cu_scan a;
        snn__cu_mix m;
        snn__cu_scan_open(net, q, &a);
        a.dout = d->add ? dout : NULL;
        a.dparam = learns ? g->dparam : NULL;
        if (q->recurrence != SNN_RECURRENCE_NONE) {
            snn__cu_recurrent_backward(net, q, &a);
            memset(&m, 0, sizeof m);
            m.op = SNN__ADD;
            m.dy = d->dcurrent;
            m.out = (uint32_t)p->n;
            snn__cu_mix_back(net, q, &m, 0);
        } else {
            a.dx = snn__cu_din(net, q, 0, &a.dx_add);
            snn__cu_neuron[d->kind](&g->c, &a, 1);
        }
        if (learns) snn__cu_collect_params(net, q);
        return;
    }
    default: {
        snn__cu_mix a;
        int k;
        snn__cu_mix_open(net, q, &a);
        a.dy = dout;
        if (q->op == SNN__GRADED_SPIKES)
            snn__cu_sum(g, dout, &a.x[0], rows, (size_t)q->shape[0], a.per,
                        snn__cu_grad(net, q, 0), 1);
        a.past = d->dpast;
        for (k = 0; k < q->ins; k++) snn__cu_mix_back(net, q, &a, k);
        if (!d->dpast || !net->t0) return;
        a.rows = (uint32_t)rows;
        a.y.f = d->past_next;
        SNN__LAUNCH(&g->c, snn__cu_mix_dpast, (size_t)a.per * n, a);
        snn__cu_copy(&g->c, d->dpast, d->past_next, (size_t)a.per * n * sizeof(float));
    }
    }
}

/* -- the calls of a net */

static void snn__cu_input(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn__node *q = net->node;
    const size_t rows = snn__cu_rows(net, q);
    if (q->signal == SNN__BITS)
        snn__cu_upload(&g->c, g->node->words, q->bits, rows * (size_t)q->words * sizeof(uint32_t));
    else snn__cu_upload(&g->c, g->node->out.f, q->out, rows * (size_t)q->n * sizeof(float));
}
static void snn__cu_unpack_input(snn_net *net)
{
    const snn__node *q = net->node;
    snn__cu_bits a;
    if (q->signal != SNN__BITS) return;
    memset(&a, 0, sizeof a);
    a.out = snn__cu_at(net, q)->out;
    a.words = snn__cu_at(net, q)->words;
    a.n = (uint32_t)q->n;
    a.row_words = (uint32_t)q->words;
    SNN__LAUNCH(&snn__cu_of(net)->c, snn__cu_unpack, snn__cu_rows(net, q) * (size_t)q->n, a);
}
/* what a window starts from, or the pass ended with: kept, or fetched again */
static void snn__cu_states(snn_net *net, int slot, int keep)
{
    snn__cu_net *g = snn__cu_of(net);
    int i, k;
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        const snn__cu_node *d = &g->node[i];
        const int delay = q->op == SNN__DELAY, states = delay ? 1 : q->states;
        const size_t size = (size_t)net->desc.batch * (size_t)q->n * (delay ? (size_t)q->i[0] : 1);
        for (k = 0; d->held && k < states; k++) {
            float *state = delay ? d->past : d->state[k];
            float *held = d->held + (size_t)(slot * states + k) * size;
            snn__cu_copy(&g->c, keep ? held : state, keep ? state : held, size * sizeof(float));
        }
    }
}
static void snn__cu_segment_forward(snn_net *net, int t)
{
    int i;
    snn__segment_set(net, t);
    if (t % net->window == 0 && !net->replay) snn__cu_states(net, t / net->window, 1);
    for (i = 1; i < net->count; i++) {
        snn__node *q = &net->node[i];
        const int valid = q->signal == SNN__CONSTANT && (net->constant_valid || t || net->replay);
        if (q->root != i || valid) continue;
        snn__cu_node_forward(net, q);
        if (net->desc.debug && !net->replay && q->op != SNN__NEURON && !q->halved) {
            float *y = snn__cu_out(net, q).f;
            snn__cu_look_at(net, q, &y, 1, snn__rows(net, q) * (size_t)q->n, (size_t)q->n,
                            q->signal == SNN__CONSTANT ? 0 : (size_t)(t * net->desc.batch));
        }
    }
}
static void snn__cu_recorded_zero(snn_net *net, int steps)
{
    snn__cu_net *g = snn__cu_of(net);
    int i, k;
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        const size_t n = snn__plan_rows(net, q, steps) * (size_t)q->n;
        if (q->record & SNN_RECORD_GRADIENT)
            snn__cu_zero(&g->c, g->node[i].dout, n * sizeof(float));
        for (k = 0; k < SNN_MAX_STATES; k++)
            snn__cu_zero(&g->c, g->node[i].drec[k], n * sizeof(float));
    }
}
static void snn__cu_forward_run(snn_net *net, const void *what)
{
    int t;
    (void)what;
    snn__cu_look_begin(net);
    if (snn__cu_of(net)->unprepared) snn__cu_prepare_weights(net);
    if (net->node[0].signal != SNN__CONSTANT || !net->constant_valid) snn__cu_unpack_input(net);
    snn__cu_recorded_zero(net, net->pass_steps);
    for (t = 0; t < net->pass_steps; t += net->segment) snn__cu_segment_forward(net, t);
}
static snn_status snn__cu_forward(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    snn__cu_begin(&g->c);
    snn__cu_prepare(net);
    snn__cu_share(net, SNN__CU_STATE, SNN__CU_DSTATE, 1);
    if (net->node[0].signal != SNN__CONSTANT || !net->constant_valid) snn__cu_input(net);
    snn__cu_run(net, SNN__CU_FORWARD,
                net->training | net->constant_valid << 1 | g->unprepared << 2,
                snn__cu_forward_run, NULL);
    net->constant_valid = !g->c.error;
    if (!g->c.error) g->unprepared = 0;
    snn__cu_look_end_of(net);
    snn__cu_share(net, SNN__CU_SIGNAL, SNN__CU_STATE, 0);
    snn__cu_share(net, SNN__CU_STATE, SNN__CU_DSTATE, 0);
    if (g->kept) snn__cu_fetch_values(net); /* norms move theirs */
    snn__cu_uploaded(&g->c); /* the next batch may be written while this one is computed */
    return snn__cu_status(net, "forward");
}

/* the gradients that q's backward has written: of its inputs and parameters */
static void snn__cu_look_back(snn_net *net, const snn__node *q)
{
    int k;
    for (k = 0; k < q->ins; k++) {
        const snn__node *p = snn__input_of(net, q, k);
        float *d = snn__cu_dout(net, p);
        if (d)
            snn__cu_look_at(net, q, &d, 1, snn__rows(net, p) * (size_t)p->n, (size_t)p->n,
                            p->signal == SNN__CONSTANT ? 0 : (size_t)(net->t0 * net->desc.batch));
    }
    for (k = 0; k < q->params; k++) {
        const size_t n = snn_tensor_count(&net->param[q->param0 + k].value);
        float *d = snn__cu_grad(net, q, k);
        if (d) snn__cu_look_at(net, q, &d, 1, n, n, 0);
    }
}
/* what backward is given */
static void snn__cu_look_given(snn_net *net)
{
    int i, k;
    for (i = net->count - 1; i >= 0; i--) {
        const snn__node *q = &net->node[i];
        const snn__cu_node *d = snn__cu_at(net, q);
        const size_t n = (size_t)q->n, all = snn__cu_rows(net, q) * n;
        if ((q->record & SNN_RECORD_GRADIENT) && d->dout)
            snn__cu_look_at(net, q, &d->dout, 1, all, n, 0);
        for (k = 0; k < SNN_MAX_STATES; k++)
            if (d->drec[k]) snn__cu_look_at(net, q, &d->drec[k], 1, all, n, 0);
    }
}
/* last: of the pass, with which its backward begins. What is constant adds up the gradients of all
 * segments, and passes them on after the first. */
static void snn__cu_segment_backward(snn_net *net, int t, int last)
{
    snn__cu_net *g = snn__cu_of(net);
    int i;
    snn__segment_set(net, t);
    for (i = 0; i < net->count; i++)
        if (last || net->node[i].signal != SNN__CONSTANT)
            g->node[i].add = (net->node[i].record & SNN_RECORD_GRADIENT) != 0;
    for (i = net->count - 1; i > 0; i--) {
        snn__node *q = &net->node[i];
        if (q->root != i || !q->backward || (q->signal == SNN__CONSTANT && t)) continue;
        snn__cu_node_backward(net, q);
        if (net->desc.debug) snn__cu_look_back(net, q);
    }
}
static void snn__cu_backward_run(snn_net *net, const void *what)
{
    snn__cu_net *g = snn__cu_of(net);
    const int last = (net->pass_steps - 1) / net->segment * net->segment;
    int run = last / net->window * net->window; /* the window whose signals are there */
    const int again = run > 0;
    int i, k, t;
    (void)what;
    snn__cu_look_begin(net);
    if (net->desc.debug) snn__cu_look_given(net);
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        const size_t bn = (size_t)net->desc.batch * (size_t)q->n * sizeof(float);
        for (k = 0; k < q->states; k++) snn__cu_zero(&g->c, g->node[i].dstate[k], bn);
        if (g->node[i].dpast) snn__cu_zero(&g->c, g->node[i].dpast, (size_t)q->i[0] * bn);
    }
    if (again) snn__cu_states(net, snn__cu_windows(net), 1);
    for (t = last; t >= 0; t -= net->segment) {
        if (t < run) { /* they are gone: again from the states that it started with */
            run -= net->window;
            snn__cu_states(net, run / net->window, 0);
            net->replay = 1;
            for (k = run; k < run + net->window; k += net->segment) snn__cu_segment_forward(net, k);
            net->replay = 0;
        }
        snn__cu_segment_backward(net, t, t == last);
    }
    if (again) snn__cu_states(net, snn__cu_windows(net), 0);
    net->time = net->time0 + (uint32_t)net->pass_steps;
}
static snn_status snn__cu_backward(snn_net *net)
{
    snn_status status;
    snn__cu_begin(&snn__cu_of(net)->c);
    snn__cu_share(net, SNN__CU_DSIGNAL, SNN__CU_REC, 1);
    snn__cu_share(net, SNN__CU_DREC, SNN__CU_STATE, 1);
    snn__cu_share_grads(net, 1);
    snn__cu_run(net, SNN__CU_BACKWARD, net->training, snn__cu_backward_run, NULL);
    snn__cu_share(net, SNN__CU_DSIGNAL, SNN__CU_REC, 0);
    snn__cu_share(net, SNN__CU_DSTATE, SNN__CU_VIEWS, 0);
    snn__cu_share_grads(net, 0);
    snn__cu_look_end_of(net);
    status = snn__cu_status(net, "backward");
    return status == SNN_OK ? snn__debug_report(net, "backward") : status;
}

/* first states of one sample, by the host's formula */
static void snn__cu_first_states(snn_net *net, snn__node *q)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn_neuron_def *def = q->neuron.def;
    snn_neuron_block b;
    int k, at;
    if (!net->dirty) snn__cu_fetch_values(net);
    snn__neuron_values(net, q);
    memset(&b, 0, sizeof b);
    for (at = 0; at < q->n; at += q->block) {
        snn__scan_block(q, &b, at, q->n - at < q->block ? q->n - at : q->block);
        for (k = 0; k < def->states; k++) {
            b.state[k] = q->state[k] + at;
            snn__zero(b.state[k], (size_t)b.n);
        }
        def->start(&b);
    }
    for (k = 0; k < def->states; k++)
        snn__cu_send(&g->c, snn__cu_at(net, q)->start + k * q->n, q->state[k],
                     (size_t)q->n * sizeof(float));
}
static void snn__cu_reset_run(snn_net *net, const void *what)
{
    snn__cu_net *g = snn__cu_of(net);
    int i, k;
    (void)what;
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        const snn__cu_node *d = &g->node[i];
        const size_t bn = (size_t)net->desc.batch * (size_t)q->n;
        const int start = q->op == SNN__NEURON && q->neuron.def->start;
        if (q->op == SNN__DELAY) snn__cu_zero(&g->c, d->past, (size_t)q->i[0] * bn * sizeof(float));
        for (k = 0; k < q->states; k++) snn__cu_zero(&g->c, d->state[k], bn * sizeof(float));
        for (k = 0; start && k < q->neuron.def->states; k++) {
            snn__cu_spread a;
            memset(&a, 0, sizeof a);
            a.to = d->state[k];
            a.from = d->start + k * q->n;
            a.n = (uint32_t)q->n;
            SNN__LAUNCH(&g->c, snn__cu_start, bn, a);
        }
    }
}
static snn_status snn__cu_reset(snn_net *net)
{
    snn__cu_net *g = snn__cu_of(net);
    int i;
    snn__cu_begin(&g->c);
    if (net->dirty) g->started = 0;
    for (i = 0; i < net->count && !g->started; i++)
        if (net->node[i].op == SNN__NEURON && net->node[i].neuron.def->start)
            snn__cu_first_states(net, &net->node[i]);
    g->started = 1;
    snn__cu_run(net, SNN__CU_RESET, 0, snn__cu_reset_run, NULL);
    snn__cu_share(net, SNN__CU_STATE, SNN__CU_DSTATE, 0);
    return snn__cu_status(net, "reset");
}

static void snn__cu_zero_grad_run(snn_net *net, const void *what)
{
    snn__cu_net *g = snn__cu_of(net);
    (void)what;
    snn__cu_zero(&g->c, g->grads, net->trained * sizeof(float));
    snn__cu_recorded_zero(net, net->desc.steps);
}
static snn_status snn__cu_zero_grad(snn_net *net)
{
    snn__cu_begin(&snn__cu_of(net)->c);
    snn__cu_run(net, SNN__CU_ZERO_GRAD, 0, snn__cu_zero_grad_run, NULL);
    snn__cu_share(net, SNN__CU_DSIGNAL, SNN__CU_REC, 0);
    snn__cu_share(net, SNN__CU_DREC, SNN__CU_STATE, 0);
    snn__cu_share_grads(net, 0);
    return snn__cu_status(net, "zero_grad");
}

/* output of node (NULL: not recorded) and its membranes, on the device */
static float *snn__cu_spikes_of(const snn_net *net, const snn__node *q)
{
    return q->record & SNN_RECORD_SPIKES ? snn__cu_at(net, q)->out.f : NULL;
}
static float *snn__cu_membranes_of(const snn_net *net, const snn__node *q)
{
    return q->op == SNN__NEURON ? snn__cu_at(net, q)->rec[0] : snn__cu_spikes_of(net, q);
}

/* a loss: the pass that it has opened, with what the device reads, and what was asked for */
typedef struct snn__cu_losses {
    snn__loss_pass pass;
    const snn_loss_desc *d;
} snn__cu_losses;
static void snn__cu_loss_run(snn_net *net, const void *what)
{
    const snn__cu_losses *l = (const snn__cu_losses *)what;
    const snn_loss_desc *d = l->d;
    const snn__loss_info *info = &snn__loss_table[l->pass.d.kind];
    snn__cu_net *g = snn__cu_of(net);
    const snn__node *q = &net->node[net->node[net->count - 1].root];
    const snn__cu_node *at = snn__cu_at(net, q);
    const size_t B = (size_t)net->desc.batch, count = snn__cu_rows(net, q) * (size_t)q->n;
    float *dspk = at->dout, *dmem = q->op == SNN__NEURON ? at->drec[0] : dspk;
    snn__cu_loss a;
    int i, k;
    snn__cu_zero(&g->c, dspk, count * sizeof(float));
    if (dmem != dspk) snn__cu_zero(&g->c, dmem, count * sizeof(float));
    memset(&a, 0, sizeof a);
    a.pass = l->pass;
    a.pass.dx = info->membrane ? dmem : dspk;
    a.part = g->lanes;
    a.steps = info->reading == SNN__STEP;
    a.squared = info->squared;
    SNN__LAUNCH(&g->c, snn__cu_loss_row, a.steps ? a.pass.in.T * B : B, a);
    snn__cu_add_up(g, NULL, g->lanes, a.steps ? a.pass.in.T * B : B, SNN__CU_VALUES,
                   SNN__CU_THE_LOSS, 0.0);
    if (d->l1_rate != 0.0f) {
        snn__cu_add_up(g, &at->out, NULL, count, SNN__CU_VALUES, SNN__CU_THE_LOSS,
                       (double)d->l1_rate);
        a.dspk = dspk;
        a.up = d->l1_rate;
        if (dspk) SNN__LAUNCH(&g->c, snn__cu_loss_all, count, a);
    }
    for (i = 0; d->rates && i < d->num_rates; i++) {
        const snn__node *r = &net->node[net->node[d->rates[i].node].root];
        snn__cu_rate p;
        memset(&p, 0, sizeof p);
        p.d = d->rates[i];
        p.spk = snn__cu_spikes_of(net, r);
        p.dspk = net->desc.inference ? NULL : snn__cu_at(net, r)->dout;
        p.part = g->lanes;
        p.row = B * (size_t)r->n;
        p.pool = p.d.per_layer ? (size_t)r->n : 1;
        p.T = r->signal == SNN__CONSTANT ? 1 : net->pass_steps;
        for (k = 0; k < i && d->rates[k].node != p.d.node; k++) {}
        if (k == i && p.dspk && p.dspk != dspk)
            snn__cu_zero(&g->c, p.dspk, (size_t)p.T * p.row * sizeof(float));
        SNN__LAUNCH(&g->c, snn__cu_rate_unit, p.row / p.pool, p);
        snn__cu_add_up(g, NULL, g->lanes, p.row / p.pool, SNN__CU_VALUES, SNN__CU_THE_LOSS, 1.0);
    }
}
static snn_status snn__cu_loss_value(snn_net *net, float *loss)
{
    snn__cu_net *g = snn__cu_of(net);
    double value = 0.0;
    snn_status status;
    snn__cu_begin(&g->c);
    snn__cu_fetch(&g->c, &value, g->totals + SNN__CU_THE_LOSS, sizeof value);
    status = snn__cu_status(net, "loss");
    if (status == SNN_OK) *loss = (float)value;
    return status;
}
static snn_status snn__cu_loss_of(snn_net *net, const snn_loss_desc *d, const int *y, float *loss)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn__node *q = &net->node[net->node[net->count - 1].root];
    const int steps = q->signal == SNN__CONSTANT ? 1 : net->pass_steps;
    const size_t n = (size_t)q->n;
    size_t sent = (size_t)(d->time_var_targets ? steps : net->desc.batch);
    snn__cu_losses l;
    snn_status status;
    int i;
    memset(&l, 0, sizeof l);
    l.d = d;
    status = snn__loss_open(&l.pass, d, steps, net->desc.batch, q->n, snn__cu_spikes_of(net, q),
                            snn__cu_membranes_of(net, q), y);
    if (status != SNN_OK)
        return snn__fail(net, status, "loss %s over %d steps, %d samples, %d outputs: %s",
                         snn_loss_name(d->kind), steps, net->desc.batch, q->n,
                         snn_status_text(status));
    if (l.pass.d.reduction == SNN_NONE || l.pass.d.times || l.pass.d.multi_spike > net->desc.steps)
        return snn__fail(net, SNN_ERR_UNSUPPORTED, "cuda: loss %s: %s", snn_loss_name(d->kind),
                         l.pass.d.reduction == SNN_NONE ? "SNN_NONE does not run on the device"
                         : l.pass.d.times ? "times do not run on the device"
                                          : "more spikes than steps do not run on the device");
    for (i = 0; d->rates && i < d->num_rates; i++) {
        const int node = d->rates[i].node, there = node >= 0 && node < net->count;
        const snn__node *r = there ? &net->node[net->node[node].root] : NULL;
        if (!r || !(r->record & SNN_RECORD_SPIKES) ||
            (!net->desc.inference && !(r->record & SNN_RECORD_GRADIENT)))
            return snn__fail(net, SNN_ERR_STATE,
                             "loss: the rates of node %d need SNN_RECORD_SPIKES and _GRADIENT",
                             node);
    }
    snn__cu_begin(&g->c);
    memcpy(g->given, y, sent * sizeof(int));
    l.pass.y = g->labels;
    if (d->weight) {
        sent = g->label_room + l.pass.in.classes;
        memcpy(g->given + g->label_room, d->weight, l.pass.in.classes * sizeof(float));
        l.pass.d.weight = g->weights;
    }
    if (l.pass.d.multi_spike > 1) {
        const size_t F = (size_t)l.pass.d.multi_spike;
        sent = g->label_room + n + 2 * F;
        memcpy(g->given + g->label_room + n, d->on_times, F * sizeof(float));
        memcpy(g->given + g->label_room + n + F, d->off_times, F * sizeof(float));
        l.pass.d.on_times = g->weights + n;
        l.pass.d.off_times = g->weights + n + F;
    } else l.pass.d.on_times = l.pass.d.off_times = NULL;
    snn__cu_send(&g->c, g->labels, g->given, sent * sizeof(int));
    snn__cu_run(net, SNN__CU_LOSS, (int)l.pass.d.kind, snn__cu_loss_run, &l);
    snn__cu_share(net, SNN__CU_DSIGNAL, SNN__CU_REC, 0);
    snn__cu_share(net, SNN__CU_DREC, SNN__CU_STATE, 0);
    status = snn__cu_status(net, "loss");
    return status == SNN_OK && loss ? snn__cu_loss_value(net, loss) : status;
}

static void snn__cu_optim_run(snn_net *net, const void *what)
{
    const snn_optim_desc *d = (const snn_optim_desc *)what;
    snn__cu_net *g = snn__cu_of(net);
    const int step = net->optim_step + 1;
    const snn_param_group *group;
    snn_optim_desc one;
    snn__cu_optim a;
    int i, adam;
    memset(&a, 0, sizeof a);
    a.d = *d;
    a.g = g->grads;
    if (d->clip_value > 0.0f) SNN__LAUNCH(&g->c, snn__cu_clip_value, net->trained, a);
    if (d->clip_norm > 0.0f) {
        snn__cu_signal all;
        memset(&all, 0, sizeof all);
        all.f = g->grads;
        snn__cu_add_up(g, &all, NULL, net->trained, SNN__CU_SQUARES, SNN__CU_THE_NORM, 0.0);
        a.norm = g->totals + SNN__CU_THE_NORM;
        SNN__LAUNCH(&g->c, snn__cu_clip_norm, net->trained, a);
    }
    for (i = 0; i < net->params; i++) {
        const snn_param *p = &net->param[i];
        size_t n = snn_tensor_count(&p->value), first;
        if (!snn__optim_of(d, p, &one, &group)) continue;
        a.lo = group ? group->lo : 0.0f;
        a.hi = group ? group->hi : 0.0f;
        first = (size_t)(p->value.data - net->values);
        if (!d->num_groups) n = net->trained, first = 0; /* one block: what lies between is zero */
        a.d = snn__optim_defaults(&one);
        adam = one.kind == SNN_ADAM || one.kind == SNN_ADAMW;
        a.momentum = !adam && one.momentum > 0.0f;
        a.p = g->values + first;
        a.g = g->grads + first;
        a.m1 = g->moment[0] ? g->moment[0] + first : NULL;
        a.m2 = g->moment[1] ? g->moment[1] + first : NULL;
        if (adam) {
            a.rate = (float)((double)a.d.lr / snn__bias(a.d.beta1, step));
            a.unbias = 1.0f / SNN_SQRTF((float)snn__bias(a.d.beta2, step));
        }
        a.shrink = one.kind == SNN_ADAMW ? 1.0f - a.d.lr * a.d.weight_decay : 1.0f;
        a.keep = step > 1 ? a.d.momentum : 0.0f;
        a.grow = step > 1 ? 1.0f - a.d.dampening : 1.0f;
        SNN__LAUNCH(&g->c, snn__cu_optim_one, n, a);
        if (!d->num_groups) break;
    }
}
static snn_status snn__cu_optim_step(snn_net *net, const snn_optim_desc *d)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn_param_group *group;
    snn_optim_desc one;
    int i;
    for (i = 0; i < net->params; i++) { /* all or nothing */
        snn_status status;
        if (!snn__optim_of(d, &net->param[i], &one, &group)) continue;
        status = snn_optim_update(&one, 1, net->values, net->grads, net->grads, net->grads, 0);
        if (group && (!(group->lo <= group->hi) || !snn__finite(group->lo) ||
                      !snn__finite(group->hi)))
            return snn__fail(net, SNN_ERR_ARGUMENT, "optimiser: group \"%s\" wants lo <= hi, "
                             "given %g and %g", group->prefix, (double)group->lo,
                             (double)group->hi);
        if (status != SNN_OK)
            return snn__fail(net, status, "optimiser: %s", snn_status_text(status));
    }
    snn__cu_begin(&g->c);
    snn__cu_share_grads(net, 1);
    snn__cu_run(net, SNN__CU_OPTIM, 0, snn__cu_optim_run, d);
    for (i = 0; i < net->count; i++)
        if (net->node[i].op == SNN__NEURON && net->node[i].neuron.def->start &&
            snn__neuron_learns(net, &net->node[i]))
            g->started = 0;
    g->unprepared = g->stale = 1;
    if (g->kept) {
        snn__cu_fetch_values(net);
        snn__cu_share_grads(net, 0);
    }
    return snn__cu_status(net, "optimiser");
}

static snn_status snn__cu_predict(snn_net *net, snn_metric metric, int *y)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn__node *q = &net->node[net->node[net->count - 1].root];
    snn__cu_guess a;
    snn_status status;
    memset(&a, 0, sizeof a);
    status = snn__metric_open(&a.in, metric, q->signal == SNN__CONSTANT ? 1 : net->pass_steps,
                              net->desc.batch, q->n, 0,
                              metric == SNN_ACCURACY_MEMBRANE ? snn__cu_membranes_of(net, q)
                                                              : snn__cu_spikes_of(net, q));
    if (status != SNN_OK) return snn__fail(net, status, "evaluate: %s", snn_status_text(status));
    snn__cu_begin(&g->c);
    a.y = g->labels;
    SNN__LAUNCH(&g->c, snn__cu_best, a.in.B, a);
    snn__cu_fetch(&g->c, y, g->labels, a.in.B * sizeof(int));
    return snn__cu_status(net, "evaluate");
}

static double snn__cu_count(snn_net *net, int node)
{
    snn__cu_net *g = snn__cu_of(net);
    const snn__node *q = &net->node[node];
    snn__cu_signal counts;
    double spikes = 0.0;
    if (!net->built || !net->pass_steps || q->desc.output_membrane) return 0.0;
    snn__cu_begin(&g->c);
    memset(&counts, 0, sizeof counts);
    counts.f = g->node[node].count;
    if (counts.f)
        snn__cu_add_up(g, &counts, NULL, (size_t)net->desc.batch * (size_t)q->n, SNN__CU_VALUES,
                       SNN__CU_THE_COUNT, 0.0);
    else
        snn__cu_add_up(g, &g->node[node].out, NULL, snn__cu_rows(net, q) * (size_t)q->n,
                       SNN__CU_NONZEROS, SNN__CU_THE_COUNT, 0.0);
    snn__cu_fetch(&g->c, &spikes, g->totals + SNN__CU_THE_COUNT, sizeof spikes);
    return spikes;
}

static const snn__engine snn__cu_engine = {
    "cuda", snn__cu_supports, snn__cu_segment, snn__cu_size, snn__cu_build, snn__cu_destroy,
    snn__cu_reset, snn__cu_forward, snn__cu_zero_grad, snn__cu_loss_of, snn__cu_loss_value,
    snn__cu_backward, snn__cu_optim_step, snn__cu_predict, snn__cu_read, snn__cu_count};

SNN_DEF const snn_backend *snn_cuda_backend(snn_cuda_desc *desc)
{
    static const snn_backend plain = {&snn__cu_engine, NULL};
    if (!desc) return &plain;
    desc->_backend.engine = &snn__cu_engine;
    desc->_backend.desc = desc;
    return &desc->_backend;
}
SNN_DEF size_t snn_cuda_memory(const snn_net *net)
{
    return net && net->built && net->engine == &snn__cu_engine ? snn__cu_of(net)->c.size : 0;
}

#ifdef __cplusplus
}
#endif

#endif /* SNN_CUDA_IMPLEMENTATION_DONE */
#endif /* SNN_CUDA_IMPLEMENTATION */
