/* test_vectors - runs the reference vectors of a folder against the library
 *
 *     cc -std=gnu99 -O2 tests/test_vectors.c -o build/test_vectors -lm
 *     build/test_vectors DIR [--list] [--skip prefix,prefix,...] [--only prefix] [--verbose]
 *
 * Every *.txt of the folder is one case: a line `# kind: KIND`, then records `name ndim d0 .. : v`.
 * Files without that line are of the kind that their first line names: `# KIND`.
 * The kind picks a row of the table `kinds`; its function computes what the records hold and
 * compares. Kinds that need a net run once for each row of `variants`, so that every way of running
 * a net meets the reference. File names matter to --skip and --only alone.
 *
 * A file passes when it is readable, its kind is known, all records are within their tolerance, and
 * none was left out. Files with the record `quirk` hold accidents of the reference: they may differ
 * and are then counted as skipped. The last line is `N passed, N failed[, N skipped]`. */
#define SNN_IMPLEMENTATION
#include "../snn.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* max|got - reference| <= tolerance * max(1e-3, max|reference|) */
#define EXACT 0.0
#define VALUE 1e-5
#define GRADIENT 1e-4 /* also weights after training */
#define LOG_TIME 1e-3 /* logarithmic spike times */

#define MAX_AXES 8
#define MAX_NEURONS 8 /* neuron layers of one net */
#define NAME_BYTES 128
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

typedef struct record {
    const char *name;
    int ndim, dim[MAX_AXES];
    size_t count;
    float *v;
    int used;
} record;

typedef struct variant { /* a way to run a net */
    const char *name;
    snn_spike_mode spikes;
    int checkpoint, gradient_steps;
    snn_isa isa;
} variant;

static const variant variants[] = {
    {"packed", SNN_SPIKES_PACKED, 0, 0, SNN_ISA_AUTO},
    {"dense", SNN_SPIKES_DENSE, 0, 0, SNN_ISA_AUTO},
    {"checkpoint", SNN_SPIKES_PACKED, 3, 0, SNN_ISA_AUTO},
    {"gradient_steps", SNN_SPIKES_PACKED, 0, 2, SNN_ISA_AUTO},
    {"scalar", SNN_SPIKES_PACKED, 0, 0, SNN_ISA_SCALAR},
};

typedef union block { /* head of an allocation that lives as long as its case */
    union block *next;
    double align[2];
} block;

typedef struct test_case {
    const char *file, *kind;
    record *records;
    int count;
    int arg;            /* of the row in `kinds` */
    const variant *how; /* NULL for kinds without a net */
    int quirk, verbose;
    int failures;       /* could not run */
    int differences;    /* ran and differs */
    jmp_buf bail;
    block *blocks;
    snn_net *net;       /* what net_begin and the layer functions build, to net_build */
    int batch, steps;
    snn_input_kind input;
    int in, neurons;
    struct neuron_layer {
        int node;
        int spikes; /* node of its spikes, where something comes in between: else the same */
        const snn_neuron_def *def;
    } neuron[MAX_NEURONS];
} test_case;

/* ---- reporting ----------------------------------------------------------------------------- */

static void print_message(const test_case *c, const char *format, va_list args)
{
    printf(c->how ? "%s [%s]: " : "%s: ", c->file, c->how ? c->how->name : "");
    vprintf(format, args);
    printf("\n");
}

/* The case cannot go on: back to run_guarded. */
static void give_up(test_case *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_message(c, format, args);
    va_end(args);
    c->failures++;
    longjmp(c->bail, 1);
}

static void differ(test_case *c, const char *format, ...)
{
    va_list args;
    c->differences++;
    if (c->quirk && !c->verbose)
        return;
    va_start(args, format);
    print_message(c, format, args);
    va_end(args);
}

/* Calls that return a status, or a number that is negative on error. */
#define CALL(c, call) returned(c, (int)(call), #call)
static int returned(test_case *c, int status, const char *call)
{
    if (status < 0)
        give_up(c, "%s: %s %s", call, snn_status_name((snn_status)status),
                c->net ? snn_net_error(c->net) : "");
    return status;
}

/* ---- memory and records -------------------------------------------------------------------- */

static void *allocate(test_case *c, size_t count, size_t size) /* zeroed */
{
    block *b = NULL;
    if (count < (SIZE_MAX - sizeof *b) / size)
        b = (block *)calloc(1, sizeof *b + count * size);
    if (!b)
        give_up(c, "out of memory");
    b->next = c->blocks;
    c->blocks = b;
    return b + 1;
}

static float *floats(test_case *c, size_t count)
{
    return (float *)allocate(c, count, sizeof(float));
}

static int *ints(test_case *c, int count)
{
    return (int *)allocate(c, (size_t)count, sizeof(int));
}

static const record *find(const test_case *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (!strcmp(c->records[i].name, name)) {
            c->records[i].used = 1;
            return &c->records[i];
        }
    return NULL;
}

static const record *find_format(const test_case *c, const char *format, ...)
{
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return find(c, name);
}

static const record *need(test_case *c, const char *name)
{
    const record *r = find(c, name);
    if (!r || r->count == 0)
        give_up(c, "record %s is missing", name);
    return r;
}

static const record *need_count(test_case *c, const char *name, size_t count)
{
    const record *r = need(c, name);
    if (r->count != count)
        give_up(c, "record %s has %zu values, the others want %zu", name, r->count, count);
    return r;
}

static float number(const test_case *c, const char *name, float fallback)
{
    const record *r = find(c, name);
    return r && r->count ? r->v[0] : fallback;
}

static int integer(const test_case *c, const char *name, int fallback)
{
    return (int)number(c, name, (float)fallback);
}

static int *labels(test_case *c, const char *name, int count)
{
    const record *r = need_count(c, name, (size_t)count);
    int *y = ints(c, (int)r->count);
    for (size_t i = 0; i < r->count; i++)
        y[i] = (int)r->v[i];
    return y;
}

static int is_binary(const record *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->v[i] != 0.0f && r->v[i] != 1.0f)
            return 0;
    return 1;
}

/* r spread over n values: its entries belong to the last axis, a scalar to all. */
static void spread(test_case *c, const record *r, float *out, size_t n)
{
    if (r->count == 0 || n % r->count != 0)
        give_up(c, "%s has %zu values for a parameter of %zu", r->name, r->count, n);
    for (size_t i = 0; i < n; i++)
        out[i] = r->v[i % r->count];
}

/* ---- comparing ----------------------------------------------------------------------------- */

static int is_finite(float x) /* by its bits: compilers may be told that there are no NaN */
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

static void check(test_case *c, const char *name, const float *got, size_t count, double tolerance)
{
    const record *r = need(c, name);
    double scale = 1e-3, worst = 0.0;
    size_t at = 0;
    if (count != r->count) {
        differ(c, "%s has %zu values instead of %zu", name, count, r->count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double error = is_finite(got[i]) ? fabs((double)got[i] - (double)r->v[i]) : 1e300;
        scale = fmax(scale, fabs((double)r->v[i]));
        if (error > worst) {
            worst = error;
            at = i;
        }
    }
    if (c->verbose)
        printf("    %-10s %-24s %8zu values, error %.2g of %.2g\n", c->how ? c->how->name : "",
               name, count, worst / scale, tolerance);
    if (worst > tolerance * scale)
        differ(c, "%s[%zu of %zu] is %.9g instead of %.9g (error %.2g of %.2g allowed)", name, at,
               count, (double)got[at], (double)r->v[at], worst / scale, tolerance);
}

static void check_number(test_case *c, const char *name, double got, double tolerance)
{
    float value = (float)got;
    check(c, name, &value, 1, tolerance);
}

static void check_tensor(test_case *c, const char *name, snn_tensor t, double tolerance)
{
    if (!t.data)
        give_up(c, "%s: the net does not have it", name);
    check(c, name, t.data, snn_tensor_count(&t), tolerance);
}

/* Undoes spread for a gradient: adds the n values to the entries they came from. */
static void add_sums(const record *r, float *sums, const float *v, size_t n)
{
    for (size_t k = 0; k < r->count; k++) {
        double sum = 0.0;
        for (size_t i = k; i < n; i += r->count)
            sum += (double)v[i];
        sums[k] += (float)sum;
    }
}

/* ---- nets ---------------------------------------------------------------------------------- */

static void net_begin(test_case *c, int batch, int steps, snn_input_kind input)
{
    snn_net_desc d = {0};
    d.batch = c->batch = batch;
    d.steps = c->steps = steps;
    d.input = c->input = input;
    d.spikes = c->how->spikes;
    d.checkpoint = c->how->checkpoint;
    d.gradient_steps = c->how->gradient_steps;
    d.isa = c->how->isa;
    snn_net_destroy(c->net);
    c->net = NULL;
    c->neurons = 0;
    CALL(c, snn_net_create(&c->net, &d));
}

/* Input node of the shape of x without its `lead` leading axes; its gradient is kept. */
static int input_node(test_case *c, const record *x, int lead)
{
    const int *d = x->dim + lead, axes = x->ndim - lead;
    if (axes < 1 || axes > 3)
        give_up(c, "%s has %d axes", x->name, x->ndim);
    c->in = axes == 1 ? snn_input(c->net, d[0], 0, 0)
                      : snn_input(c->net, d[0], axes == 3 ? d[1] : 1, d[axes - 1]);
    CALL(c, snn_net_record(c->net, c->in, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT));
    return c->in;
}

/* The record of a node's part: lif1_beta; in files of one layer, or with one value for all, beta;
 * where parts are numbered, or weights named by where they lead, beta1, weight_hh. */
static const record *find_part(const test_case *c, const char *before, const char *node,
                               const char *part, const char *after)
{
    const char *digit = node + strcspn(node, "0123456789");
    const record *r = find_format(c, "%s%s_%s%s", before, node, part, after);
    if (!r)
        r = find_format(c, "%s%s%s", before, part, after);
    if (!r && *digit)
        r = find_format(c, "%s%s%s%s", before, part, digit, after);
    return r ? r : find_format(c, "%s%s_%s%s", before, part, node, after);
}

/* The same for weight, bias and V of a recurrence: rec_weight, V, weight_hh. */
static const record *find_recurrent(const test_case *c, const char *before, const char *node,
                                    const char *part, const char *after)
{
    const record *r = find_part(c, before, "rec", part, after);
    return r ? r : find_part(c, before, node, part, after);
}

static const record *need_weight(test_case *c, const char *node, int ndim)
{
    const record *r = find_part(c, "", node, "weight", "");
    if (!r || r->ndim != ndim)
        give_up(c, "no %d-dimensional weight for %s", ndim, node);
    return r;
}

static int linear_layer(test_case *c, int x, const char *name)
{
    snn_linear_desc d = {0};
    d.name = name;
    d.out_features = need_weight(c, name, 2)->dim[0];
    d.no_bias = !find_part(c, "", name, "bias", "");
    return CALL(c, snn_linear(c->net, x, &d));
}

/* All but out_channels. */
static snn_conv2d_desc conv2d_desc(test_case *c, const char *name)
{
    const record *weight = need_weight(c, name, 4);
    snn_conv2d_desc d = {0};
    d.name = name;
    d.kernel_h = weight->dim[2], d.kernel_w = weight->dim[3];
    d.stride_h = integer(c, "stride_h", 1), d.stride_w = integer(c, "stride_w", 1);
    d.padding_h = integer(c, "pad_h", 0), d.padding_w = integer(c, "pad_w", 0);
    d.dilation_h = integer(c, "dil_h", 1), d.dilation_w = integer(c, "dil_w", 1);
    d.output_padding_h = integer(c, "output_pad_h", 0);
    d.output_padding_w = integer(c, "output_pad_w", 0);
    d.groups = integer(c, "groups", 1);
    d.no_bias = !find_part(c, "", name, "bias", "");
    return d;
}

static int conv2d_layer(test_case *c, int x, const char *name)
{
    snn_conv2d_desc d = conv2d_desc(c, name);
    d.out_channels = need_weight(c, name, 4)->dim[0];
    return CALL(c, snn_conv2d(c->net, x, &d));
}

static int conv_transpose2d_layer(test_case *c, int x, const char *name)
{
    snn_conv2d_desc d = conv2d_desc(c, name);
    d.out_channels = need_weight(c, name, 4)->dim[1] * d.groups;
    return CALL(c, snn_conv_transpose2d(c->net, x, &d));
}

static int norm_layer(test_case *c, int x, snn_norm_kind kind, const char *name)
{
    snn_norm_desc d = {0};
    d.name = name;
    d.kind = kind;
    d.eps = number(c, "eps", 0.0f);
    d.momentum = number(c, "momentum", 0.1f);
    if (d.momentum == 0.0f)
        d.momentum = -1.0f; /* none; 0 itself would mean: not given */
    d.no_affine = !integer(c, "affine", 1);
    return CALL(c, snn_norm(c->net, x, &d));
}

static int pool2d_layer(test_case *c, int x, int average, int kernel_h, int kernel_w)
{
    snn_pool2d_desc d = {0};
    d.kernel_h = kernel_h, d.kernel_w = kernel_w;
    d.stride_h = integer(c, "stride_h", kernel_h), d.stride_w = integer(c, "stride_w", kernel_w);
    d.padding_h = integer(c, "pad_h", 0), d.padding_w = integer(c, "pad_w", 0);
    if (integer(c, "ceil_mode", 0) || !integer(c, "count_include_pad", 1))
        give_up(c, "pooling with ceil_mode or without counting the padding: not supported");
    return CALL(c, average ? snn_avg_pool2d(c->net, x, &d) : snn_max_pool2d(c->net, x, &d));
}

static void boxcar(int n, const float *x, float *d, int primitive, void *user)
{
    float w = *(const float *)user;
    for (int i = 0; i < n; i++)
        if (primitive)
            d[i] = fminf(fmaxf(x[i] / (2.0f * w) + 0.5f, 0.0f), 1.0f);
        else
            d[i] = fabsf(x[i]) < w ? 1.0f / (2.0f * w) : 0.0f;
}

/* The quantiser of the records, whose levels must come out as recorded. */
static snn_quant quant_desc(test_case *c)
{
    const record *expected = need(c, "quant_levels");
    snn_quant q = {0};
    float *levels;
    int count;
    q.bits = integer(c, "quant_num_bits", 0);
    q.exponential = !integer(c, "quant_uniform", 1);
    q.centre_zero = !integer(c, "quant_thr_centered", 1);
    q.threshold = number(c, "quant_threshold", 0.0f);
    q.set_limits = 1;
    q.lower = number(c, "quant_lower_limit", 0.0f);
    q.upper = number(c, "quant_upper_limit", 0.0f);
    q.multiplier = number(c, "quant_multiplier", 0.0f);
    count = CALL(c, snn_quant_levels(&q, NULL));
    levels = floats(c, (size_t)count);
    CALL(c, snn_quant_levels(&q, levels));
    check(c, expected->name, levels, (size_t)count, VALUE);
    return q;
}

/* What the records say of a neuron layer. Of vectors it has the first entry; net_build sets all. */
static snn_neuron_desc neuron_desc(test_case *c, snn_neuron_kind kind, const char *name)
{
    static const snn_reset resets[] = {SNN_RESET_SUBTRACT, SNN_RESET_ZERO, SNN_RESET_NONE};
    static const snn_recurrence recurrences[] = {SNN_RECURRENCE_ONE_TO_ONE, SNN_RECURRENCE_LINEAR,
                                                 SNN_RECURRENCE_CONV2D};
    const snn_neuron_def *def = snn_neuron_info(kind);
    const record *beta = find_part(c, "", name, "beta", "");
    const record *alpha = find_part(c, "", name, "alpha", "");
    const record *threshold = find_part(c, "", name, "threshold", "");
    const record *graded = find_part(c, "", name, "graded", "");
    const record *V = find_recurrent(c, "", name, "V", "");
    const int reset = integer(c, "reset", 0), surrogate = integer(c, "surrogate", SNN_ATAN);
    const int recurrence = integer(c, "recurrence", 0);
    snn_neuron_desc d = {0};
    if (reset < 0 || reset > 2 || surrogate < 0 || surrogate > SNN_NO_SURROGATE || recurrence < 0 ||
        recurrence > 2)
        give_up(c, "unknown reset %d, surrogate %d or recurrence %d", reset, surrogate, recurrence);
    d.name = name;
    d.beta = beta ? beta->v[0] : 0.0f;
    if (beta && d.beta == 0.0f)
        d.beta = -1.0f; /* decay 0; 0 itself would mean: not given */
    d.alpha = alpha ? alpha->v[0] : 0.0f;
    if (alpha && d.alpha == 0.0f)
        d.alpha = -1.0f;
    d.threshold = threshold ? threshold->v[0] : 0.0f;
    d.graded = graded ? graded->v[0] : 0.0f;
    d.per_neuron = (graded && graded->count > 1) || (V && V->count > 1);
    for (int p = 0; p < def->params; p++) {
        const record *r = find_part(c, "", name, def->param[p].name, "");
        d.per_neuron |= r && r->count > 1;
    }
    d.learn_beta = find_part(c, "g_", name, "beta", "") || find_part(c, "g_", name, "tau", "");
    d.learn_alpha = find_part(c, "g_", name, "alpha", "") != NULL;
    d.learn_threshold = find_part(c, "g_", name, "threshold", "") != NULL;
    d.learn_graded = find_part(c, "g_", name, "graded", "") != NULL;
    d.reset = find(c, "reset") ? resets[reset] : SNN_RESET_DEFAULT;
    d.no_reset_delay = !integer(c, "reset_delay", 1);
    d.inhibition = integer(c, "inhibition", 0);
    d.surrogate = (snn_surrogate_kind)surrogate; /* the reference's codes are in our order */
    d.surrogate_p0 = number(c, "surrogate_p0", 0.0f);
    d.surrogate_p1 = number(c, "surrogate_p1", 0.0f);
    if (d.surrogate == SNN_CUSTOM_SURROGATE) {
        d.surrogate_fn = boxcar;
        d.surrogate_user = need(c, "surrogate_p0")->v;
    }
    if (find(c, "recurrence"))
        d.recurrence = recurrences[recurrence];
    if (d.recurrence == SNN_RECURRENCE_CONV2D) {
        d.kernel_h = integer(c, "kernel_h", 0);
        d.kernel_w = integer(c, "kernel_w", 0);
    }
    d.V = V ? V->v[0] : 0.0f;
    d.fixed_recurrent = !find_recurrent(c, "g_", name, "weight", "") &&
                        !find_recurrent(c, "g_", name, "V", "");
    d.no_recurrent_bias = !find_recurrent(c, "", name, "bias", "");
    if (kind == SNN_LAPICQUE) { /* what was given; the library completes the rest */
        d.time_step = number(c, "time_step", 0.0f);
        d.beta = integer(c, "given_beta", 0) ? d.beta : 0.0f;
        d.R = integer(c, "given_R", 0) ? number(c, "R", 0.0f) : 0.0f;
        d.C = integer(c, "given_C", 0) ? number(c, "C", 0.0f) : 0.0f;
    }
    if (integer(c, "quant", 0))
        d.quant = quant_desc(c);
    return d;
}

static int neuron_layer(test_case *c, int x, snn_neuron_kind kind, const snn_neuron_desc *d)
{
    const int all = SNN_RECORD_SPIKES | SNN_RECORD_STATES | SNN_RECORD_GRADIENT;
    const snn_neuron_def *def = snn_neuron_info(kind);
    const int node = CALL(c, snn_neuron(c->net, x, def, d));
    CALL(c, snn_net_record(c->net, node, all));
    if (c->neurons == MAX_NEURONS)
        give_up(c, "too many neuron layers");
    c->neuron[c->neurons].node = c->neuron[c->neurons].spikes = node;
    c->neuron[c->neurons++].def = def;
    return node;
}

static int leaky_layer(test_case *c, int x, const char *name)
{
    snn_neuron_desc d = neuron_desc(c, SNN_LEAKY, name);
    return neuron_layer(c, x, SNN_LEAKY, &d);
}

/* The record of a parameter, NULL if there is none: fc1.weight is fc1_weight or weight. */
static const record *param_record(const test_case *c, const snn_param *p, const char *before,
                                  const char *after)
{
    char node[sizeof p->name];
    char *part;
    strcpy(node, p->name);
    part = strchr(node, '.');
    if (!part)
        return NULL;
    *part++ = 0;
    if (!strcmp(part, "graded_spikes_factor"))
        part[strlen("graded")] = 0;
    if (!strncmp(part, "recurrent.", 10))
        return find_recurrent(c, before, node, part + 10, after);
    return find_part(c, before, node, part, after);
}

/* A neuron's own parameters start as the desc said, or with what follows from it: tau from beta. */
static void check_initial(test_case *c, const snn_param *p, const record *r)
{
    const double expected = (double)r->v[0], got = (double)p->value.data[0];
    for (int i = 0; i < c->neurons; i++)
        if (p->node == c->neuron[i].node && p->value.ndim < 2 && expected != 0.0 &&
            !strstr(p->name, ".recurrent.bias") &&
            fabs(got - expected) > VALUE * fmax(1e-3, fabs(expected)))
            differ(c, "%s starts as %.9g instead of %.9g", p->name, got, expected);
}

static void net_build(test_case *c)
{
    const snn_param *p;
    CALL(c, snn_net_build(c->net));
    for (int i = 0; (p = snn_net_param(c->net, i)) != NULL; i++) {
        const record *r = param_record(c, p, "", "");
        if (!r)
            continue;
        check_initial(c, p, r);
        spread(c, r, p->value.data, snn_tensor_count(&p->value));
    }
    CALL(c, snn_net_params_changed(c->net));
}

static const snn_param *need_param(test_case *c, const char *name)
{
    const snn_param *p = snn_net_find_param(c->net, name);
    if (!p)
        give_up(c, "the net has no parameter %s", name);
    return p;
}

/* Gradients of the parameters, and their values after training, where the file has them. Parameters
 * with the same record are one for the file: their gradients add. */
static void check_params(test_case *c)
{
    const snn_param *p, *other;
    for (int i = 0; (p = snn_net_param(c->net, i)) != NULL; i++) {
        const record *gradient = param_record(c, p, "g_", "");
        const record *value = param_record(c, p, "", "_final");
        float *sums = gradient ? floats(c, gradient->count) : NULL;
        int first = i;
        for (int k = 0; gradient && (other = snn_net_param(c->net, k)) != NULL; k++) {
            if (param_record(c, other, "g_", "") != gradient)
                continue;
            first = k < first ? k : first;
            if (other->grad.data)
                add_sums(gradient, sums, other->grad.data, snn_tensor_count(&other->grad));
        }
        if (gradient && !p->grad.data)
            differ(c, "%s: %s has no gradient", gradient->name, p->name);
        else if (gradient && first == i)
            check(c, gradient->name, sums, gradient->count, GRADIENT);
        if (value)
            check_tensor(c, value->name, p->value, GRADIENT);
    }
}

/* Fills a tensor of the net, such as a gradient, with a record. */
static void fill(test_case *c, snn_tensor t, const record *r)
{
    if (!t.data || snn_tensor_count(&t) != r->count)
        give_up(c, "%s: the net has room for %zu values, not %zu", r->name,
                t.data ? snn_tensor_count(&t) : 0, r->count);
    memcpy(t.data, r->v, r->count * sizeof(float));
}

/* State k of a neuron layer in records; after its own comes spk, if a recurrence reads it. */
static const char *state_name(const test_case *c, int layer, int k)
{
    const snn_neuron_def *def = c->neuron[layer].def;
    if (k < def->states)
        return k ? def->state_name[k] : "mem";
    return snn_net_state(c->net, c->neuron[layer].node, k).data ? "spk" : NULL;
}

/* No file has the states that neurons keep apart from the membrane for their own use, nor the
 * membrane of one without memory, which is its input. */
static int reported(const test_case *c, int layer, int k)
{
    static const char *const own[] = {"integral", "refractory", "spike"};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (!strcmp(state_name(c, layer, k), own[i]))
            return 0;
    return c->neuron[layer].def != snn_neuron_info(SNN_MCPITTS);
}

/* Zero states, or the recorded ones. */
static void start(test_case *c)
{
    const char *name;
    CALL(c, snn_net_reset(c->net));
    for (int k = 0; (name = state_name(c, 0, k)) != NULL; k++) {
        const record *r = find_format(c, "%s0", name);
        if (r)
            fill(c, snn_net_state(c->net, c->neuron[0].node, k), r);
    }
}

/* Runs the sequence and compares all neuron layers: spk, mem, syn, or spk1, mem1, spk2 ... */
static void check_sequence(test_case *c, const float *x)
{
    if (find(c, "mem0")) {
        start(c);
        CALL(c, snn_net_continue(c->net, x, c->steps));
    } else {
        CALL(c, snn_net_forward(c->net, x));
    }
    for (int i = 0; i < c->neurons; i++) {
        char digit[16] = "", name[NAME_BYTES];
        if (c->neurons > 1)
            snprintf(digit, sizeof digit, "%d", i + 1);
        snprintf(name, sizeof name, "spk%s", digit);
        if (c->neurons == 1 || find(c, name))
            check_tensor(c, name, snn_net_spikes(c->net, c->neuron[i].spikes), EXACT);
        for (int k = 0; k < c->neuron[i].def->states; k++) {
            snprintf(name, sizeof name, "%s%s", state_name(c, i, k), digit);
            if ((c->neurons == 1 && reported(c, i, k)) || find(c, name))
                check_tensor(c, name, snn_net_trace(c->net, c->neuron[i].node, k), VALUE);
        }
    }
}

static float *copy_tensor(test_case *c, snn_tensor t)
{
    float *copy = floats(c, snn_tensor_count(&t));
    return (float *)memcpy(copy, t.data, snn_tensor_count(&t) * sizeof(float));
}

static void check_bits(test_case *c, int layer, int t, snn_tensor step, snn_tensor sequence,
                       const float *kept)
{
    const size_t n = snn_tensor_count(&sequence) / (size_t)c->steps;
    if (!step.data || snn_tensor_count(&step) != n)
        give_up(c, "neuron layer %d: snn_net_step leaves no record of one step", layer + 1);
    if (memcmp(step.data, kept + (size_t)t * n, n * sizeof(float)))
        differ(c, "neuron layer %d, step %d: snn_net_step and the sequence differ", layer + 1, t);
}

/* What a neuron layer leaves behind: its spikes, then its states. */
static snn_tensor layer_trace(const test_case *c, int layer, int k)
{
    return k ? snn_net_trace(c->net, c->neuron[layer].node, k - 1)
             : snn_net_spikes(c->net, c->neuron[layer].spikes);
}

/* Repeats the last sequence one step at a time: the same bits must come out. */
static void check_steps(test_case *c, const float *x)
{
    snn_tensor sequence[MAX_NEURONS][SNN_MAX_STATES + 1], in = snn_net_input(c->net);
    const float *kept[MAX_NEURONS][SNN_MAX_STATES + 1];
    const int constant = c->input == SNN_INPUT_CONSTANT;
    const size_t frame = snn_tensor_count(&in) / (size_t)(constant ? 1 : c->steps);
    for (int i = 0; i < c->neurons; i++)
        for (int k = 0; k <= c->neuron[i].def->states; k++) {
            sequence[i][k] = layer_trace(c, i, k);
            kept[i][k] = copy_tensor(c, sequence[i][k]);
        }
    start(c);
    for (int t = 0; t < c->steps; t++) {
        CALL(c, snn_net_step(c->net, !constant ? x + (size_t)t * frame : t ? NULL : x));
        for (int i = 0; i < c->neurons; i++)
            for (int k = 0; k <= c->neuron[i].def->states; k++)
                check_bits(c, i, t, layer_trace(c, i, k), sequence[i][k], kept[i][k]);
    }
}

/* ---- neurons ------------------------------------------------------------------------------- */

/* The case once more through the functions on plain arrays, sample by sample. x: what the neurons
 * get, all first inputs of a sample, then all second ones; dx, out: its gradient. With inhibition
 * there is the forward half only, and the answer is 0. */
static int check_plain_neuron(test_case *c, const snn_neuron_def *def, const snn_neuron_desc *d,
                              const float *x, float *dx)
{
    const record *ct_spk = need(c, "ct_spk"), *ct[SNN_MAX_STATES], *gradient[SNN_MAX_PARAMS + 1];
    const size_t total = ct_spk->count, frame = total / (size_t)c->steps;
    const size_t n = frame / (size_t)c->batch, inputs = def->inputs ? (size_t)def->inputs : 1;
    float *spk = floats(c, total), *dparam[SNN_MAX_PARAMS + 1];
    float *trace[SNN_MAX_STATES]; /* before step 0, before step 1, ..., after the last step */
    float *dstart[SNN_MAX_STATES], *before_reset = floats(c, total);
    snn_neuron_def held = *def; /* the same, whose spikes reset nothing */
    snn_neuron_model m, held_m;

    held.jump = NULL;
    CALL(c, snn_neuron_init(&m, def, d));
    CALL(c, snn_neuron_init(&held_m, &held, d));
    for (int p = 0; p <= def->params; p++) { /* the last one is the graded factor, a scalar */
        const char *name = p < def->params ? def->param[p].name : "graded";
        gradient[p] = find_part(c, "g_", d->name, name, "");
        dparam[p] = gradient[p] ? floats(c, n) : NULL;
        if (p < def->params) {
            const record *r = find_part(c, "", d->name, name, "");
            float *values = r ? floats(c, n) : NULL;
            if (r)
                spread(c, r, values, n);
            m.param[p] = held_m.param[p] = values; /* NULL: what the desc says */
        }
    }
    for (int k = 0; k < def->states; k++) {
        const char *name = state_name(c, 0, k);
        const record *before = find_format(c, "%s0", name);
        ct[k] = find_format(c, "ct_%s", name);
        trace[k] = floats(c, total + frame);
        dstart[k] = floats(c, frame);
        if ((before && before->count != frame) || (ct[k] && ct[k]->count != total))
            give_up(c, "the records of state %s have odd sizes", name);
        if (before)
            memcpy(trace[k], before->v, frame * sizeof(float));
    }

    for (size_t i = 0; i < total; i += n) {
        float *state[SNN_MAX_STATES];
        for (int k = 0; k < def->states; k++)
            state[k] = (float *)memcpy(trace[k] + frame + i, trace[k] + i, n * sizeof(float));
        if (d->membrane_before_reset) {
            snn_neuron_forward(&held_m, (int)n, spk + i, state, x + inputs * i);
            memcpy(before_reset + i, state[0], n * sizeof(float));
            for (int k = 0; k < def->states; k++)
                memcpy(state[k], trace[k] + i, n * sizeof(float));
        }
        snn_neuron_forward(&m, (int)n, spk + i, state, x + inputs * i);
    }
    check(c, "spk", spk, total, EXACT);
    for (int k = 0; k < def->states; k++)
        if (reported(c, 0, k))
            check(c, state_name(c, 0, k),
                  k == 0 && d->membrane_before_reset ? before_reset : trace[k] + frame, total,
                  VALUE);
    if (d->inhibition)
        return 0;

    for (size_t i = total; i > 0;) {
        const float *state[SNN_MAX_STATES];
        float *dstate[SNN_MAX_STATES];
        i -= n;
        for (int k = 0; k < def->states; k++) {
            state[k] = trace[k] + i;
            dstate[k] = dstart[k] + i % frame;
            for (size_t j = 0; ct[k] && j < n; j++)
                dstate[k][j] += ct[k]->v[i + j];
        }
        snn_neuron_backward(&m, (int)n, dx + inputs * i, dstate, dparam, state, x + inputs * i,
                            ct_spk->v + i);
    }
    for (int k = 0; k < def->states; k++) {
        const record *r = find_format(c, "g_%s0", state_name(c, 0, k));
        if (r)
            check(c, r->name, dstart[k], frame, GRADIENT);
    }
    for (int p = 0; p <= def->params; p++)
        if (gradient[p]) {
            float *sums = floats(c, gradient[p]->count);
            add_sums(gradient[p], sums, dparam[p], n);
            check(c, gradient[p]->name, sums, gradient[p]->count, GRADIENT);
        }
    return 1;
}

/* Forward, backward and step by step, of a net with one neuron layer. */
static void check_neuron(test_case *c, const record *x)
{
    const int node = c->neuron[0].node;
    const char *name;
    check_sequence(c, x->v);
    CALL(c, snn_net_zero_grad(c->net));
    fill(c, snn_net_dspikes(c->net, c->neuron[0].spikes), need(c, "ct_spk"));
    for (int k = 0; k < c->neuron[0].def->states; k++) {
        const record *ct = find_format(c, "ct_%s", state_name(c, 0, k));
        if (ct)
            fill(c, snn_net_dtrace(c->net, node, k), ct);
    }
    CALL(c, snn_net_backward(c->net));
    check_tensor(c, "g_x", snn_net_dspikes(c->net, c->in), GRADIENT);
    for (int k = 0; (name = state_name(c, 0, k)) != NULL; k++) {
        const record *g = find_format(c, "g_%s0", name);
        if (g)
            check_tensor(c, g->name, snn_net_dstate(c->net, node, k), GRADIENT);
    }
    check_params(c);
    check_steps(c, x->v);
}

/* StateLeaky's graded factor f counts twice: for ours, f f, all files hold the right numbers once f
 * and its gradient are rewritten in terms of that. */
static void square_graded(test_case *c)
{
    const record *f = find(c, "graded"), *g = find(c, "g_graded");
    if (g && (!f || f->count != 1 || g->count != 1 || f->v[0] == 0.0f))
        give_up(c, "g_graded without a factor");
    if (g)
        g->v[0] /= 2.0f * f->v[0];
    for (size_t i = 0; f && i < f->count; i++)
        f->v[i] *= f->v[i];
}

/* The time constants that follow from each beta. */
static void check_tau(test_case *c, const snn_neuron_desc *d)
{
    const record *beta = need(c, "beta");
    float *tau = floats(c, beta->count);
    for (size_t i = 0; i < beta->count; i++) {
        snn_neuron_desc each = *d;
        snn_neuron_model m;
        each.beta = beta->v[i];
        each.quant.bits = 0;
        CALL(c, snn_neuron_init(&m, snn_neuron_info(SNN_STATE_LEAKY), &each));
        for (int p = 0; p < m.def->params; p++)
            if (!strcmp(m.def->param[p].name, "tau"))
                tau[i] = m.value[p];
    }
    check(c, "tau", tau, beta->count, VALUE);
}

/* x, and behind each row of it the row of K steps before. */
static float *with_delayed(test_case *c, const record *x, int K)
{
    const size_t frame = x->count / (size_t)c->steps, n = frame / (size_t)c->batch;
    const size_t delay = (size_t)K * frame;
    float *both = floats(c, 2 * x->count);
    for (size_t i = 0; i < x->count; i += n) {
        memcpy(both + 2 * i, x->v + i, n * sizeof(float));
        if (i >= delay)
            memcpy(both + 2 * i + n, x->v + i - delay, n * sizeof(float));
    }
    return both;
}

/* Its gradient: that of x. */
static float *without_delayed(test_case *c, const record *x, int K, const float *both)
{
    const size_t frame = x->count / (size_t)c->steps, n = frame / (size_t)c->batch;
    const size_t delay = (size_t)K * frame;
    float *g = floats(c, x->count);
    for (size_t i = 0; i < x->count; i += n)
        for (size_t j = i; j < i + n; j++) {
            g[j] = both[i + j];
            if (i + delay < x->count)
                g[j] += both[i + j + 2 * delay + n];
        }
    return g;
}

static void run_neuron(test_case *c)
{
    const int K = integer(c, "kernel_truncation_steps", 0);
    const snn_neuron_kind kind = K ? SNN_TRUNCATED_LEAKY : (snn_neuron_kind)c->arg;
    const snn_neuron_def *def = snn_neuron_info(kind);
    const record *x = need(c, "x"), *graded = find(c, "graded"), *weight = find(c, "weight");
    snn_neuron_desc d;
    int node;
    if (K && c->arg != SNN_STATE_LEAKY)
        give_up(c, "kernel_truncation_steps: not supported");
    if (!integer(c, "output", 1))
        give_up(c, "membranes alone: not supported");
    if (c->arg == SNN_STATE_LEAKY && c->how == variants)
        square_graded(c);
    d = neuron_desc(c, kind, kind == SNN_DELTA_LEAKY ? "delta" : "lif"); /* delta_threshold */
    d.kernel_steps = (float)K;
    if (c->arg == SNN_STATE_LEAKY)
        check_tau(c, &d);
    net_begin(c, x->dim[1], x->dim[0], SNN_INPUT_DENSE);
    node = input_node(c, x, 2);
    if (weight)
        node = linear_layer(c, node, "fc");
    if (K)
        node = CALL(c, snn_concat(c->net, node, CALL(c, snn_delay(c->net, node, K))));
    neuron_layer(c, node, kind, &d);
    net_build(c);
    check_neuron(c, x);
    /* plain arrays have one graded factor a layer, and no recurrence or quantiser */
    if (c->how == variants && (!graded || graded->count == 1) && !weight && !d.quant.bits &&
        def->recurrence == SNN_RECURRENCE_NONE) {
        float *both = K ? with_delayed(c, x, K) : x->v;
        float *g = floats(c, (K ? 2 : 1) * x->count);
        if (check_plain_neuron(c, def, &d, both, g))
            check(c, "g_x", K ? without_delayed(c, x, K, g) : g, x->count, GRADIENT);
    }
}

/* Four gates a neuron from a linear layer, and as many from the recurrence. */
static void run_slstm(test_case *c)
{
    const record *x = need(c, "x");
    const snn_neuron_desc d = neuron_desc(c, SNN_SLSTM, "hh");
    net_begin(c, x->dim[1], x->dim[0], SNN_INPUT_DENSE);
    neuron_layer(c, linear_layer(c, input_node(c, x, 2), "ih"), SNN_SLSTM, &d);
    net_build(c);
    check_neuron(c, x);
}

/* Rows of the reference's gates i, f, o, g, `stride` apart, to or from ours, i, f, g, o. */
static void copy_gates(float *theirs, size_t stride, snn_tensor ours, int to_ours)
{
    const int C = ours.shape[0] / 4;
    const size_t size = snn_tensor_count(&ours) / (size_t)ours.shape[0];
    for (int row = 0; row < 4 * C; row++) {
        const int gate = row / C, at = gate == 2 ? row + C : gate == 3 ? row - C : row;
        float *a = theirs + (size_t)row * stride, *b = ours.data + (size_t)at * size;
        memcpy(to_ours ? b : a, to_ours ? a : b, size * sizeof(float));
    }
}

/* The reference's convolution over the channels of x and mem is, for us, one of x and a recurrence.
 * With pooling, the spikes come from the pooled membrane: neurons without a memory make them. */
static void run_sconv2dlstm(test_case *c)
{
    const record *x = need(c, "x"), *weight = need(c, "conv_weight"), *bias = find(c, "conv_bias");
    const int average = integer(c, "avg_pool", 0), pool = average + integer(c, "max_pool", 0);
    const size_t stride = weight->count / (size_t)weight->dim[0];
    snn_neuron_desc d = neuron_desc(c, SNN_SLSTM, "cell");
    snn_conv2d_desc conv = {0};
    const snn_param *in, *in_bias = NULL, *recurrent;
    float *g = floats(c, weight->count), *g_bias;
    size_t split;
    int node;
    if (weight->ndim != 4)
        give_up(c, "conv_weight has %d axes", weight->ndim);
    conv.name = "in";
    conv.out_channels = weight->dim[0];
    conv.kernel_h = d.kernel_h = weight->dim[2], conv.kernel_w = d.kernel_w = weight->dim[3];
    conv.padding_h = conv.kernel_h / 2, conv.padding_w = conv.kernel_w / 2;
    conv.no_bias = !bias;
    d.recurrence = SNN_RECURRENCE_CONV2D;
    d.fixed_recurrent = 0, d.no_recurrent_bias = 1;
    d.output_membrane = pool > 0;

    net_begin(c, x->dim[1], x->dim[0], SNN_INPUT_DENSE);
    node = CALL(c, snn_conv2d(c->net, input_node(c, x, 2), &conv));
    node = neuron_layer(c, node, SNN_SLSTM, &d);
    if (pool) {
        snn_neuron_desc fire = neuron_desc(c, SNN_LEAKY, "fire");
        fire.beta = -1.0f;
        fire.reset = SNN_RESET_NONE;
        node = CALL(c, snn_leaky(c->net, pool2d_layer(c, node, average, pool, pool), &fire));
        CALL(c, snn_net_record(c->net, node, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT));
        c->neuron[0].spikes = node;
    }
    net_build(c);

    in = need_param(c, "in.weight"), recurrent = need_param(c, "cell.recurrent.weight");
    split = snn_tensor_count(&in->value) / (size_t)in->value.shape[0];
    if (snn_tensor_count(&in->value) + snn_tensor_count(&recurrent->value) != weight->count)
        give_up(c, "conv_weight does not fit x and mem");
    copy_gates(weight->v, stride, in->value, 1);
    copy_gates(weight->v + split, stride, recurrent->value, 1);
    if (bias) {
        in_bias = need_param(c, "in.bias");
        copy_gates(need_count(c, "conv_bias", snn_tensor_count(&in_bias->value))->v, 1,
                   in_bias->value, 1);
    }
    CALL(c, snn_net_params_changed(c->net));

    check_neuron(c, x);
    copy_gates(g, stride, in->grad, 0);
    copy_gates(g + split, stride, recurrent->grad, 0);
    check(c, "g_conv_weight", g, weight->count, GRADIENT);
    if (bias) {
        g_bias = floats(c, bias->count);
        copy_gates(g_bias, 1, in_bias->grad, 0);
        check(c, "g_conv_bias", g_bias, bias->count, GRADIENT);
    }
}

/* Unless weight_hh is enabled it is a diagonal, our one-to-one recurrence. That has no bias: both
 * biases go into one. */
static void run_leakyparallel(test_case *c)
{
    const record *x = need(c, "x"), *weight = need(c, "weight_hh"), *beta = find(c, "beta");
    const record *g_weight = find(c, "g_weight_hh"), *bias = find(c, "bias_hh");
    const int diagonal = !integer(c, "weight_hh_enable", 0);
    const size_t n = (size_t)weight->dim[0];
    snn_neuron_desc d = neuron_desc(c, SNN_LEAKY_PARALLEL, "hh");
    const snn_param *V, *sum = NULL;
    float *g;
    if (integer(c, "learn_beta", 0) != (g_weight != NULL) || weight->count != n * n)
        give_up(c, "weight_hh is not square, or g_weight_hh and learn_beta contradict");
    if (diagonal) {
        d.recurrence = SNN_RECURRENCE_ONE_TO_ONE;
        d.per_neuron = 1;
        d.fixed_recurrent = !g_weight;
    } else {
        d.recurrence = SNN_RECURRENCE_LINEAR;
        d.fixed_recurrent = !g_weight && !find(c, "g_bias_hh");
    }
    net_begin(c, x->dim[1], x->dim[0], SNN_INPUT_DENSE);
    neuron_layer(c, linear_layer(c, input_node(c, x, 2), "ih"), SNN_LEAKY_PARALLEL, &d);
    net_build(c);
    if (!diagonal) {
        check_neuron(c, x);
        return;
    }

    V = need_param(c, "hh.recurrent.V");
    if (snn_tensor_count(&V->value) != n)
        give_up(c, "recurrent.V does not have one value a neuron");
    for (size_t i = 0; i < n; i++) {
        const float v = weight->v[i * (n + 1)];
        if (beta && fabsf(V->value.data[i] - v) > 1e-5f)
            differ(c, "recurrent.V starts as %.9g instead of beta, %.9g", (double)V->value.data[i],
                   (double)v);
        V->value.data[i] = v;
        for (size_t k = 0; k < n; k++)
            if (k != i && weight->v[i * n + k] != 0.0f)
                give_up(c, "weight_hh is not a diagonal");
    }
    if (bias) {
        sum = need_param(c, "ih.bias");
        need_count(c, "bias_hh", n);
        for (size_t i = 0; i < n; i++)
            sum->value.data[i] += bias->v[i];
    }
    CALL(c, snn_net_params_changed(c->net));
    check_neuron(c, x);
    g = floats(c, n * n);
    for (size_t i = 0; g_weight && i < n; i++)
        g[i * (n + 1)] = V->grad.data[i];
    if (g_weight)
        check(c, "g_weight_hh", g, n * n, GRADIENT);
    if (bias)
        check_tensor(c, "g_bias_hh", sum->grad, GRADIENT);
}

/* The quantiser alone, with its own levels and the recorded ones, then as the membrane of a neuron
 * with decay 0, through which gradients pass as if it were not there. */
static void run_quant(test_case *c)
{
    const record *x = need(c, "x"), *levels = need(c, "quant_levels");
    snn_neuron_desc d = neuron_desc(c, SNN_LEAKY, "lif");
    float *y = (float *)memcpy(floats(c, x->count), x->v, x->count * sizeof(float));
    int node;
    snn_quantise(levels->v, (int)levels->count, (int)x->count, y);
    check(c, "y", y, x->count, EXACT);

    d.beta = -1.0f;
    d.reset = SNN_RESET_NONE;
    net_begin(c, 1, 1, SNN_INPUT_DENSE);
    node = neuron_layer(c, input_node(c, x, 0), SNN_LEAKY, &d);
    net_build(c);
    CALL(c, snn_net_forward(c->net, x->v));
    check_tensor(c, "y", snn_net_trace(c->net, node, 0), VALUE);
    CALL(c, snn_net_zero_grad(c->net));
    fill(c, snn_net_dtrace(c->net, node, 0), need(c, "ct_y"));
    CALL(c, snn_net_backward(c->net));
    check_tensor(c, "g_x", snn_net_dspikes(c->net, c->in), GRADIENT);
    check_steps(c, x->v);
}

static void check_surrogate(test_case *c, const snn_surrogate *s)
{
    const record *x = need(c, "x"), *ct = need_count(c, "ct_spk", x->count);
    const float *noise = find(c, "u") ? need_count(c, "u", x->count)->v : NULL;
    float *g = floats(c, x->count);
    snn_surrogate_grad(s, (int)x->count, x->v, noise, g);
    for (size_t i = 0; i < x->count; i++)
        g[i] *= ct->v[i];
    check(c, "g_x", g, x->count, GRADIENT);
}

/* The surrogate alone, then inside a neuron with decay 0 and threshold 0, whose membrane is x. */
static void run_surrogate(test_case *c)
{
    const record *x = need(c, "x"), *ct = need_count(c, "ct_spk", x->count);
    const int n = (int)x->count;
    float *zeros = floats(c, x->count), *spk = floats(c, x->count), *dx = floats(c, x->count);
    float *state = floats(c, x->count), *dstate = floats(c, x->count);
    float *dparam[SNN_MAX_PARAMS + 1] = {NULL};
    const float *before = zeros;
    snn_neuron_desc d = neuron_desc(c, SNN_LEAKY, "lif");
    snn_neuron_model m;

    d.beta = -1.0f;
    CALL(c, snn_neuron_init(&m, snn_neuron_info(SNN_LEAKY), &d));
    check_surrogate(c, &m.surrogate);
    if (d.surrogate == SNN_CUSTOM_SURROGATE) { /* the callback is a boxcar, and that is built in */
        snn_surrogate s = m.surrogate;
        s.kind = SNN_BOXCAR;
        check_surrogate(c, &s);
    }
    m.param[0] = zeros;
    snn_neuron_forward(&m, n, spk, &state, x->v);
    check(c, "spk", spk, x->count, EXACT);
    if (d.surrogate != SNN_STOCHASTIC) { /* which would draw its own noise */
        snn_neuron_backward(&m, n, dx, &dstate, dparam, &before, x->v, ct->v);
        check(c, "g_x", dx, x->count, GRADIENT);
    }
}

/* ---- layers -------------------------------------------------------------------------------- */

enum { LINEAR, CONV2D, CONV_TRANSPOSE2D, MAX_POOL2D, AVG_POOL2D, BATCH_NORM, BNTT, GRADED_SPIKES };

static int layer(test_case *c, int x)
{
    switch (c->arg) {
    case LINEAR: return linear_layer(c, x, "fc");
    case CONV2D: return conv2d_layer(c, x, "conv");
    case CONV_TRANSPOSE2D: return conv_transpose2d_layer(c, x, "conv");
    case BATCH_NORM: return norm_layer(c, x, SNN_NORM_BATCH, "norm");
    case BNTT: return norm_layer(c, x, SNN_NORM_BATCH_TIME, "norm");
    case GRADED_SPIKES: return CALL(c, snn_graded_spikes(c->net, x, 1.0f));
    default:
        return pool2d_layer(c, x, c->arg == AVG_POOL2D, integer(c, "kernel_h", 1),
                            integer(c, "kernel_w", 1));
    }
}

/* Axes of x before those of a sample: 0: none, 1: samples, 2: steps and samples. */
static int leading_axes(test_case *c, const record *x)
{
    int lead;
    switch (c->arg) {
    case LINEAR: lead = x->ndim - 1; break;
    case BATCH_NORM: lead = 1; break;
    case BNTT: lead = 2; break;
    case GRADED_SPIKES: lead = x->ndim - 2; break;
    default: lead = x->ndim - 3;
    }
    if (lead < 0 || lead > 2 || (lead == 0 && c->arg != GRADED_SPIKES))
        give_up(c, "x has %d axes", x->ndim);
    return lead;
}

static void check_running(test_case *c)
{
    if (c->arg != BATCH_NORM && c->arg != BNTT)
        return;
    check_tensor(c, "running_mean_out", need_param(c, "norm.running_mean")->value, VALUE);
    check_tensor(c, "running_var_out", need_param(c, "norm.running_var")->value, VALUE);
}

static void run_layer(test_case *c)
{
    const record *x = need(c, "x");
    const int lead = leading_axes(c, x);
    for (int constant = 0; constant <= (lead < 2); constant++) {
        int node;
        net_begin(c, lead ? x->dim[lead - 1] : 1, lead == 2 ? x->dim[0] : 1,
                  constant ? SNN_INPUT_CONSTANT : SNN_INPUT_DENSE);
        node = layer(c, input_node(c, x, lead));
        net_build(c);
        CALL(c, snn_net_train(c->net, integer(c, "train", 1)));
        CALL(c, snn_net_forward(c->net, x->v));
        check_tensor(c, "y", snn_net_spikes(c->net, node), VALUE);
        check_running(c);
        CALL(c, snn_net_zero_grad(c->net));
        fill(c, snn_net_dspikes(c->net, node), need(c, "ct_y"));
        CALL(c, snn_net_backward(c->net));
        check_tensor(c, "g_x", snn_net_dspikes(c->net, c->in), GRADIENT);
        check_params(c);
        check_running(c); /* backward moves them no further */
    }
}

/* ---- losses and accuracies ----------------------------------------------------------------- */

static void run_loss(test_case *c)
{
    static const snn_reduction reductions[] = {SNN_NONE, SNN_MEAN, SNN_SUM};
    const record *spk = find(c, "spk"), *mem = find(c, "mem"), *x = spk ? spk : need(c, "mem");
    const record *targets = need(c, "targets"), *expected = need(c, "loss");
    const record *weight = find(c, "weight");
    const record *on = find(c, "on_target"), *off = find(c, "off_target");
    const int T = x->dim[0], B = x->dim[1], C = x->dim[2], multi = integer(c, "multi_spike", 0);
    const int reduction = integer(c, "reduction", 1);
    const size_t losses = reduction == 0 ? expected->count : 1;
    float *gradient = floats(c, x->count), *loss = floats(c, losses + (size_t)(B * C));
    snn_loss_desc d = {0};

    if (x->ndim != 3 || reduction < 0 || reduction > 2)
        give_up(c, "%s has %d axes, reduction is %d", x->name, x->ndim, reduction);
    d.kind = (snn_loss_kind)c->arg;
    d.reduction = reductions[reduction];
    d.correct_rate = number(c, "correct_rate", 0.0f);
    d.incorrect_rate = number(c, "incorrect_rate", 0.0f);
    d.population = integer(c, "population_code", 0) ? integer(c, "num_classes", 0) : 0;
    d.time_var_targets = integer(c, "time_var_targets", 0);
    d.tolerance = number(c, "tolerance", 0.0f);
    d.reciprocal = integer(c, "inverse", 0);
    if (weight) { /* one of the quirks has fewer weights than classes */
        float *all = floats(c, (size_t)C + weight->count);
        d.weight = (float *)memcpy(all, weight->v, weight->count * sizeof(float));
    }
    if (on && off) {
        d.set_targets = 1;
        d.on_target = on->v[0], d.off_target = off->v[0];
        d.multi_spike = multi ? (int)on->count : 0;
        d.on_times = on->v, d.off_times = off->v;
    }
    if (integer(c, "target_is_time", 0)) {
        d.multi_spike = multi ? targets->dim[0] : 0;
        d.times = need_count(c, "targets", (size_t)((multi ? targets->dim[0] : 1) * B * C))->v;
    }
    CALL(c, snn_loss(&d, T, B, C, spk ? spk->v : NULL, mem ? mem->v : NULL,
                     d.times ? NULL : labels(c, "targets", d.time_var_targets ? T : B),
                     need_count(c, "ct_loss", expected->count)->v, loss, spk ? gradient : NULL,
                     spk ? NULL : gradient));
    check(c, "loss", loss, losses, VALUE);
    check(c, spk ? "g_spk" : "g_mem", gradient, x->count, GRADIENT);
}

/* Cross entropy of logits, as the membranes of a single step. */
static void run_cross_entropy(test_case *c)
{
    const record *x = need(c, "x");
    float *g = floats(c, x->count), loss = 0.0f;
    snn_loss_desc d = {0};
    d.kind = SNN_LOSS_CE_MEMBRANE;
    CALL(c, snn_loss(&d, 1, x->dim[0], x->dim[1], NULL, x->v, labels(c, "targets", x->dim[0]),
                     need(c, "ct_loss")->v, &loss, NULL, g));
    check_number(c, "loss", (double)loss, VALUE);
    check(c, "g_x", g, x->count, GRADIENT);
}

/* Squared error against any targets: the differences, as membranes of a single step, against 0. */
static void run_mse(test_case *c)
{
    const record *x = need(c, "x"), *targets = need_count(c, "targets", x->count);
    float *g = floats(c, x->count), *difference = floats(c, x->count), loss = 0.0f;
    snn_loss_desc d = {0};
    d.kind = SNN_LOSS_MSE_MEMBRANE;
    d.set_targets = 1;
    for (size_t i = 0; i < x->count; i++)
        difference[i] = x->v[i] - targets->v[i];
    CALL(c, snn_loss(&d, 1, x->dim[0], x->dim[1], NULL, difference, ints(c, x->dim[0]),
                     need(c, "ct_loss")->v, &loss, NULL, g));
    check_number(c, "loss", (double)loss, VALUE);
    check(c, "g_x", g, x->count, GRADIENT);
}

/* The regulariser, added to a loss that is 0. */
static void run_l1(test_case *c)
{
    const record *spk = need(c, "spk");
    float *g = floats(c, spk->count), *mem = floats(c, spk->count), loss = 0.0f;
    snn_loss_desc d = {0};
    d.kind = SNN_LOSS_MSE_MEMBRANE;
    d.set_targets = 1;
    d.l1_rate = number(c, "Lambda", 0.0f);
    CALL(c, snn_loss(&d, spk->dim[0], spk->dim[1], spk->dim[2], spk->v, mem, ints(c, spk->dim[1]),
                     NULL, &loss, g, NULL));
    check_number(c, "loss", (double)loss, VALUE);
    check(c, "g_spk", g, spk->count, GRADIENT);
}

static void run_accuracy(test_case *c)
{
    const record *spk = need(c, "spk");
    const snn_metric metric = (snn_metric)c->arg;
    const int T = spk->dim[0], B = spk->dim[1], C = spk->dim[2];
    const int population = integer(c, "population_code", 0) ? integer(c, "num_classes", 0) : 0;
    int *y = labels(c, "targets", B), *winner = ints(c, B), right = 0;
    check_number(c, "accuracy", snn_accuracy(metric, T, B, C, spk->v, y, population), VALUE);
    CALL(c, snn_predict(metric, T, B, C, spk->v, winner, population));
    for (int b = 0; b < B; b++)
        right += winner[b] == y[b];
    check_number(c, "accuracy", (double)right / B, VALUE);
}

/* ---- encoders ------------------------------------------------------------------------------ */

/* `steps` frames y of `frame` values: spikes, or ramps and levels. */
static void check_frames(test_case *c, const float *y, int steps, size_t frame)
{
    check(c, "y", y, (size_t)steps * frame, is_binary(need(c, "y")) ? EXACT : VALUE);
}

static void run_sg_rate(test_case *c)
{
    const record *data = need(c, "data");
    const int first = integer(c, "first_spike_time", 0);
    const int over_time = integer(c, "time_var_input", 0);
    const int T = over_time ? data->dim[0] : integer(c, "num_steps", 0);
    const float gain = number(c, "gain", 1.0f), offset = number(c, "offset", 0.0f);
    const size_t n = data->count / (size_t)(over_time ? T : 1);
    float *out = floats(c, (size_t)(first + T) * n);
    if (over_time)
        CALL(c, snn_encode_rate_sequence(out, data->v, T, (int)n, first, 1));
    else
        CALL(c, snn_encode_rate(out, data->v, T, (int)n, gain, offset, first, 1));
    check_frames(c, out, over_time ? first + T : T, n);
}

static snn_latency_desc latency_desc(const test_case *c)
{
    snn_latency_desc d = {0};
    d.threshold = number(c, "threshold", 0.0f);
    d.tau = number(c, "tau", 0.0f);
    d.first = integer(c, "first_spike_time", 0);
    d.normalize = integer(c, "normalize", 0);
    d.linear = integer(c, "linear", 0);
    d.clip = integer(c, "clip", 0);
    d.bypass = integer(c, "bypass", 0);
    d.interpolate = integer(c, "interpolate", 0);
    d.set_targets = 1;
    d.on_target = number(c, "on_target", 1.0f), d.off_target = number(c, "off_target", 0.0f);
    d.epsilon = number(c, "epsilon", 0.0f);
    return d;
}

static void run_sg_latency(test_case *c)
{
    const record *data = need(c, "data");
    const snn_latency_desc d = latency_desc(c);
    const int T = integer(c, "num_steps", 0), n = (int)data->count;
    float *times = floats(c, data->count), *out;
    CALL(c, snn_latency_times(times, data->v, T, n, &d));
    check(c, "spike_time", times, data->count, d.linear ? VALUE : LOG_TIME);
    if (find(c, "y")) { /* the train as well */
        const int steps = CALL(c, snn_latency_steps(data->v, T, n, &d));
        out = floats(c, (size_t)steps * data->count);
        CALL(c, snn_encode_latency(out, times, data->v, T, n, &d));
        check(c, "spike_time", times, data->count, d.linear ? VALUE : LOG_TIME);
        check_frames(c, out, steps, data->count);
    }
}

static void run_sg_latency_interpolate(test_case *c)
{
    const record *times = need(c, "spike_time");
    const int T = integer(c, "num_steps", 0);
    float *out = floats(c, (size_t)T * times->count);
    CALL(c, snn_latency_ramp(out, times->v, T, (int)times->count, number(c, "on_target", 1.0f),
                             number(c, "off_target", 0.0f)));
    check_frames(c, out, T, times->count);
}

static void run_sg_delta(test_case *c)
{
    const record *data = need(c, "data");
    const int T = data->dim[0], n = (int)(data->count / (size_t)T);
    float *out = floats(c, data->count);
    CALL(c, snn_encode_delta(out, data->v, T, n, number(c, "threshold", 0.0f),
                             integer(c, "padding", 0), integer(c, "off_spike", 0)));
    check(c, "y", out, data->count, EXACT);
}

static void run_sg_one_hot(test_case *c)
{
    const int B = (int)need(c, "targets")->count, *y = labels(c, "targets", B);
    const int C = integer(c, "num_classes", 0);
    const size_t count = (size_t)(B * C);
    float *rows = floats(c, count), *classes = floats(c, (size_t)B);
    int *found = ints(c, B);
    CALL(c, snn_one_hot(rows, y, B, C, 1));
    check(c, "inverse", rows, count, EXACT);
    CALL(c, snn_one_hot(rows, y, B, C, 0));
    check(c, "one_hot", rows, count, EXACT);
    CALL(c, snn_from_one_hot(found, rows, B, C));
    for (int b = 0; b < B; b++)
        classes[b] = (float)found[b];
    check(c, "targets", classes, (size_t)B, EXACT); /* the reference's answer lists row numbers */
    check(c, "from_one_hot_row0", classes, 1, EXACT);
}

static void run_sg_target_rate_code(test_case *c)
{
    const record *rate = need(c, "rate"), *first = need(c, "first");
    const int T = integer(c, "num_steps", 0);
    float *trains = floats(c, rate->count * (size_t)T), *counts = floats(c, rate->count);
    int *times = ints(c, T);
    for (size_t i = 0; i < rate->count; i++) {
        float *train = trains + i * (size_t)T;
        int n = CALL(c, snn_target_rate_code(train, times, T, (int)first->v[i], rate->v[i], 0, 1));
        for (int k = 0; k < n; k++)
            if (times[k] < 0 || times[k] >= T || train[times[k]] != 1.0f)
                differ(c, "train %zu has no spike at its time %d", i, times[k]);
        counts[i] = (float)n;
    }
    check(c, "y", trains, rate->count * (size_t)T, EXACT);
    check(c, "num_spikes", counts, rate->count, EXACT);
}

static void run_sg_rate_interpolate(test_case *c)
{
    const int T = integer(c, "num_steps", 0), count = (int)need(c, "spike_time")->count;
    float *out = floats(c, (size_t)T);
    snn_rate_ramp(out, labels(c, "spike_time", count), count, T, number(c, "on_target", 1.0f),
                  number(c, "off_target", 0.0f));
    check_frames(c, out, T, 1);
}

static void run_sg_targets_rate(test_case *c)
{
    const int B = (int)need(c, "targets")->count, *y = labels(c, "targets", B);
    const int C = integer(c, "num_classes", 0), T = integer(c, "num_steps", 0);
    float *out = floats(c, (size_t)(B * C) * (size_t)(T > 0 ? T : 1));
    snn_target_desc d = {0};
    d.set_rates = d.set_targets = 1;
    d.correct_rate = number(c, "correct_rate", 1.0f);
    d.incorrect_rate = number(c, "incorrect_rate", 0.0f);
    d.on_target = number(c, "on_target", 1.0f), d.off_target = number(c, "off_target", 0.0f);
    d.first = integer(c, "first_spike_time", 0);
    d.interpolate = integer(c, "interpolate", 0);
    check_frames(c, out, CALL(c, snn_targets_rate(out, y, T, B, C, &d)), (size_t)(B * C));
}

static void run_sg_targets_latency(test_case *c)
{
    const int B = (int)need(c, "targets")->count, *y = labels(c, "targets", B);
    const int C = integer(c, "num_classes", 0), T = integer(c, "num_steps", 0);
    const size_t frame = (size_t)(B * C);
    const snn_latency_desc d = latency_desc(c);
    float *out = floats(c, (size_t)T * frame), *scratch = floats(c, 2 * frame);
    CALL(c, snn_targets_latency(out, scratch, y, T, B, C, &d));
    check_frames(c, out, T, frame);
}

/* ---- optimisers and schedules -------------------------------------------------------------- */

static snn_optim_desc optim_desc(const test_case *c, snn_optim_kind kind)
{
    snn_optim_desc d = {0};
    d.kind = kind;
    d.lr = number(c, "lr", 0.0f);
    if (kind != SNN_SGD) { /* for SGD, beta1 and beta2 are those of the neurons */
        d.beta1 = number(c, "beta1", 0.0f), d.beta2 = number(c, "beta2", 0.0f);
        d.eps = number(c, "eps", 0.0f);
    }
    d.weight_decay = number(c, "weight_decay", 0.0f);
    d.momentum = number(c, "momentum", 0.0f);
    d.dampening = number(c, "dampening", 0.0f);
    d.nesterov = integer(c, "nesterov", 0);
    return d;
}

/* Parameter tensors K = 0, 1, ..: pK_init before, gradK and pK of each step. */
static void run_optim(test_case *c)
{
    const snn_optim_desc d = optim_desc(c, (snn_optim_kind)c->arg);
    const size_t steps = (size_t)integer(c, "steps", 0);
    for (int k = 0;; k++) {
        char init_name[NAME_BYTES], grad_name[NAME_BYTES], name[NAME_BYTES];
        const record *init, *grad;
        float *p, *m1, *m2, *after;
        snprintf(init_name, sizeof init_name, "p%d_init", k);
        snprintf(grad_name, sizeof grad_name, "grad%d", k);
        snprintf(name, sizeof name, "p%d", k);
        init = k ? find(c, init_name) : need(c, init_name);
        if (!init)
            break;
        grad = need(c, grad_name);
        if (grad->count != steps * init->count)
            give_up(c, "%s does not have %zu steps", grad_name, steps);
        p = (float *)memcpy(floats(c, init->count), init->v, init->count * sizeof(float));
        m1 = floats(c, init->count), m2 = floats(c, init->count), after = floats(c, grad->count);
        for (size_t t = 0; t < steps; t++) {
            size_t at = t * init->count;
            CALL(c, snn_optim_update(&d, (int)t + 1, p, grad->v + at, m1, m2, init->count));
            memcpy(after + at, p, init->count * sizeof(float));
        }
        check(c, name, after, grad->count, VALUE);
    }
}

static void run_schedule(test_case *c)
{
    const record *expected = need(c, "lr");
    float *lr = floats(c, expected->count);
    snn_schedule_desc d = {0};
    d.kind = (snn_schedule_kind)c->arg;
    d.lr = number(c, "base_lr", 0.0f);
    d.step_size = integer(c, "step_size", 0);
    d.gamma = number(c, "gamma", 0.0f);
    d.period = integer(c, "T_max", 0);
    d.min_lr = number(c, "eta_min", 0.0f);
    for (size_t k = 0; k < expected->count; k++)
        lr[k] = snn_schedule(&d, (int)k);
    check(c, "lr", lr, expected->count, VALUE);
}

/* ---- whole nets ---------------------------------------------------------------------------- */

static snn_loss_desc mse_count_desc(const test_case *c)
{
    snn_loss_desc d = {0};
    d.kind = SNN_LOSS_MSE_COUNT;
    d.correct_rate = number(c, "correct_rate", 0.8f); /* the rates of all files that do not say */
    d.incorrect_rate = number(c, "incorrect_rate", 0.2f);
    return d;
}

/* Forward, loss, backward, and step by step. hidden_l1 times the spikes of the first neuron layer
 * is part of the loss. */
static void check_net(test_case *c, const record *x, const snn_loss_desc *loss_desc,
                      float hidden_l1)
{
    const snn_tensor spikes = snn_net_spikes(c->net, c->neuron[0].node);
    const snn_tensor dspikes = snn_net_dspikes(c->net, c->neuron[0].node);
    float loss = 0.0f;
    double l1 = 0.0;
    check_sequence(c, x->v);
    CALL(c, snn_net_zero_grad(c->net));
    CALL(c, snn_net_loss(c->net, loss_desc, labels(c, "targets", c->batch), &loss));
    for (size_t i = 0; hidden_l1 != 0.0f && i < snn_tensor_count(&spikes); i++) {
        l1 += (double)hidden_l1 * (double)spikes.data[i];
        dspikes.data[i] += hidden_l1;
    }
    check_number(c, "loss", (double)loss + l1, VALUE);
    CALL(c, snn_net_backward(c->net));
    check_tensor(c, "g_x", snn_net_dspikes(c->net, c->in), GRADIENT);
    check_params(c);
    check_steps(c, x->v);
}

/* Linear, neurons of kind lif1, Linear, Leaky */
static void mlp_layers(test_case *c, const record *x, int lead, snn_neuron_kind kind,
                       const snn_neuron_desc *lif1, const snn_neuron_desc *lif2)
{
    int node = linear_layer(c, input_node(c, x, lead), "fc1");
    node = neuron_layer(c, node, kind, lif1);
    neuron_layer(c, linear_layer(c, node, "fc2"), SNN_LEAKY, lif2);
    net_build(c);
}

static snn_loss_desc e2e_loss_desc(const test_case *c)
{
    snn_loss_desc d = {0};
    switch (c->arg) {
    case SNN_RLEAKY: d.kind = SNN_LOSS_CE_COUNT; break;
    case SNN_SYNAPTIC:
        d.kind = SNN_LOSS_MSE_TEMPORAL;
        d.set_targets = 1;
        d.on_target = number(c, "on_target", 0.0f), d.off_target = number(c, "off_target", -1.0f);
        break;
    default:
        d.kind = integer(c, "loss_kind", 0) == 1 ? SNN_LOSS_CE_RATE : SNN_LOSS_CE_MEMBRANE;
    }
    return d;
}

static void run_e2e_mlp(test_case *c)
{
    const snn_neuron_kind kind = (snn_neuron_kind)c->arg;
    const record *x = need(c, "x");
    const snn_neuron_desc lif1 = neuron_desc(c, kind, "lif1");
    const snn_neuron_desc lif2 = neuron_desc(c, SNN_LEAKY, "lif2");
    const snn_loss_desc d = e2e_loss_desc(c);
    const float hidden_l1 = d.kind == SNN_LOSS_CE_RATE ? number(c, "Lambda", 0.0f) : 0.0f;
    for (int as_spikes = 0; as_spikes <= is_binary(x); as_spikes++) { /* both where both can be */
        net_begin(c, x->dim[1], x->dim[0], as_spikes ? SNN_INPUT_SPIKES : SNN_INPUT_DENSE);
        mlp_layers(c, x, 2, kind, &lif1, &lif2);
        check_net(c, x, &d, hidden_l1);
    }
}

static void run_e2e_convnet(test_case *c)
{
    const record *x = need(c, "x");
    const int constant = x->ndim == 4, pool = integer(c, "pool", 2), bntt = c->arg == BNTT;
    snn_loss_desc d = mse_count_desc(c);
    int node;
    if (bntt)
        d.kind = SNN_LOSS_CE_COUNT;
    if (constant)
        net_begin(c, x->dim[0], integer(c, "T", 1), SNN_INPUT_CONSTANT);
    else
        net_begin(c, x->dim[1], x->dim[0], SNN_INPUT_DENSE);
    node = conv2d_layer(c, input_node(c, x, constant ? 1 : 2), "conv1");
    if (bntt)
        node = norm_layer(c, node, SNN_NORM_BATCH_TIME, "bn");
    node = leaky_layer(c, pool2d_layer(c, node, bntt, pool, pool), "lif1");
    node = conv2d_layer(c, node, "conv2");
    node = leaky_layer(c, pool2d_layer(c, node, bntt, pool, pool), "lif2");
    node = CALL(c, snn_flatten(c->net, node));
    leaky_layer(c, linear_layer(c, node, "fc"), "lif3");
    net_build(c);
    check_net(c, x, &d, 0.0f);
}

static void run_train_mlp(test_case *c)
{
    const record *x = need(c, "x"), *trains = need(c, "spk");
    const size_t iterations = (size_t)integer(c, "iterations", 1);
    const size_t count = trains->count / iterations;
    const snn_optim_desc o = optim_desc(c, (snn_optim_kind)c->arg);
    const snn_loss_desc l = mse_count_desc(c);
    const snn_neuron_desc lif1 = neuron_desc(c, SNN_LEAKY, "lif1");
    const snn_neuron_desc lif2 = neuron_desc(c, SNN_LEAKY, "lif2");
    const int *y = labels(c, "targets", x->dim[1]);
    float *losses = floats(c, iterations), *spikes = floats(c, trains->count);
    net_begin(c, x->dim[1], x->dim[0], SNN_INPUT_DENSE);
    mlp_layers(c, x, 2, SNN_LEAKY, &lif1, &lif2);
    for (size_t i = 0; i < iterations; i++) {
        snn_tensor out;
        losses[i] = snn_train_step(c->net, &o, &l, x->v, y);
        out = snn_net_spikes(c->net, snn_net_output(c->net));
        if (!(losses[i] >= 0.0f) || snn_tensor_count(&out) != count)
            give_up(c, "snn_train_step: %s", snn_net_error(c->net));
        memcpy(spikes + i * count, out.data, count * sizeof(float));
    }
    check(c, "loss", losses, iterations, VALUE);
    check(c, "spk", spikes, trains->count, EXACT);
    check_params(c);
}

static void run_bptt(test_case *c)
{
    const record *x = need(c, "x"), *targets = need(c, "targets");
    const int batches = x->dim[0], B = targets->dim[1], over_time = integer(c, "time_var", 0);
    const int steps = integer(c, "num_steps", 1);
    const size_t batch = x->count / (size_t)batches;
    const snn_optim_desc o = optim_desc(c, SNN_SGD);
    snn_loss_desc l = mse_count_desc(c);
    const snn_neuron_desc lif1 = neuron_desc(c, SNN_LEAKY, "lif1");
    const snn_neuron_desc lif2 = neuron_desc(c, SNN_LEAKY, "lif2");
    const int *y = labels(c, "targets", batches * B);
    double sum = 0.0;
    if (over_time && x->dim[1] != steps)
        give_up(c, "x has %d steps instead of %d", x->dim[1], steps);
    if (integer(c, "loss_kind", 0) == 1)
        l.kind = SNN_LOSS_MSE_MEMBRANE;
    l.l1_rate = integer(c, "regularization", 0) ? number(c, "Lambda", 0.0f) : 0.0f;
    net_begin(c, B, integer(c, "K", 1), over_time ? SNN_INPUT_DENSE : SNN_INPUT_CONSTANT);
    mlp_layers(c, x, over_time ? 3 : 2, SNN_LEAKY, &lif1, &lif2);
    for (int i = 0; i < batches; i++) {
        float loss = snn_train_truncated(c->net, &o, &l, x->v + (size_t)i * batch, y + i * B,
                                         steps);
        if (!(loss >= 0.0f))
            give_up(c, "snn_train_truncated: %s", snn_net_error(c->net));
        sum += (double)loss;
    }
    check_number(c, "loss", sum / batches, VALUE);
    check_params(c);
}

/* ---- neurons of the files without a kind line ---------------------------------------------- */

/* `names`: pairs of a rule's name of a record and the one that the other files use. */
static void rename_records(test_case *c, const char *const (*names)[2], size_t count)
{
    for (size_t k = 0; k < count; k++)
        for (int i = 0; i < c->count; i++)
            if (!strcmp(c->records[i].name, names[k][0]))
                c->records[i].name = names[k][1];
}

/* Puts the rows of record `second` behind those of `first`, which becomes [T][B][2 n]. */
static void join(test_case *c, const char *first, const char *second)
{
    record *a = NULL;
    const record *b = need(c, second);
    float *v;
    size_t n;
    for (int i = 0; i < c->count; i++)
        if (!strcmp(c->records[i].name, first))
            a = &c->records[i];
    if (!a || a->ndim != 3 || a->count != b->count)
        give_up(c, "%s and %s have different shapes", first, second);
    n = (size_t)a->dim[2];
    v = floats(c, 2 * a->count);
    for (size_t i = 0; i < a->count; i += n) {
        memcpy(v + 2 * i, a->v + i, n * sizeof(float));
        memcpy(v + 2 * i + n, b->v + i, n * sizeof(float));
    }
    a->v = v;
    a->dim[2] *= 2;
    a->count *= 2;
}

/* Records of one sample, [T][n], become [T][1][n], with the names of the neurons' files. beta is
 * the surrogate's there; `s` stays where the layer hands on something else, `out`. */
static void convert_rule(test_case *c)
{
    static const char *const names[][2] = {
        {"beta", "surrogate_p0"}, {"decay", "beta"}, {"v0", "threshold"}, {"thr", "threshold"},
        {"g", "ct_spk"}, {"out", "spk"}, {"v", "mem"}, {"dx", "g_x"}, {"dx_inh", "g_x_inh"},
    };
    static const char *const spikes[][2] = {{"s", "spk"}};
    for (int i = 0; i < c->count; i++) {
        record *r = &c->records[i];
        if (r->ndim != 2)
            continue;
        r->ndim = 3;
        r->dim[2] = r->dim[1];
        r->dim[1] = 1;
    }
    rename_records(c, names, COUNT_OF(names));
    if (!find(c, "spk"))
        rename_records(c, spikes, 1);
    if (find(c, "x_inh")) {
        join(c, "x", "x_inh");
        join(c, "g_x", "g_x_inh");
    }
}

/* spikingdecay is a LIF of decay 1/tau that hands on the spikes of the step before. */
static void run_rule_neuron(test_case *c)
{
    const snn_neuron_kind kind = (snn_neuron_kind)c->arg;
    const snn_neuron_def *def = snn_neuron_info(kind);
    const int delayed = !strcmp(c->kind, "rule_st_spikingdecay");
    const record *x, *tau, *s;
    snn_neuron_desc d;
    int node;
    if (c->how == variants)
        convert_rule(c);
    x = need(c, "x"), tau = find(c, "tau"), s = find(c, "s");
    if (x->ndim != 3)
        give_up(c, "x has %d axes", x->ndim);
    d = neuron_desc(c, kind, "lif");
    d.surrogate = SNN_SIGMOID;
    d.membrane_before_reset = 1;
    d.tau = tau ? tau->v[0] : 0.0f;
    if (kind == SNN_LIF && tau) {
        d.beta = delayed ? 1.0f / d.tau : (float)exp(-1.0 / (double)d.tau);
        d.input_gain = delayed ? 1.0f : (float)((double)d.tau * -expm1(-1.0 / (double)d.tau));
    }
    if (kind == SNN_BIO_LIF)
        d.custom[1] = need(c, "nudt")->v[0];
    net_begin(c, x->dim[1], x->dim[0], SNN_INPUT_DENSE);
    node = neuron_layer(c, input_node(c, x, 2), kind, &d);
    if (delayed) {
        node = CALL(c, snn_delay(c->net, node, 1));
        CALL(c, snn_net_record(c->net, node, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT));
        c->neuron[0].spikes = node;
    }
    net_build(c);
    check_neuron(c, x);
    if (s) {
        CALL(c, snn_net_forward(c->net, x->v));
        check_tensor(c, "s", snn_net_spikes(c->net, c->neuron[0].node), EXACT);
    }
    if (c->how == variants && !delayed) {
        float *g = floats(c, x->count);
        if (check_plain_neuron(c, def, &d, x->v, g))
            check(c, "g_x", g, x->count, GRADIENT);
    }
}

/* The rate as the paper has it, then without bias and threshold, which is a bias of the
 * threshold's size. */
static void run_rule_softlif(test_case *c)
{
    const record *x = need(c, "x");
    const snn_neuron_def *def = snn_neuron_info(SNN_SOFT_LIF);
    const int n = (int)x->count;
    for (int n3ml = 0; n3ml < 2; n3ml++) {
        const char *rate = n3ml ? "rate_n3ml" : "rate_paper";
        const char *slope = n3ml ? "drate_n3ml" : "drate_paper";
        float *ones = floats(c, x->count), *g = floats(c, x->count), *y = floats(c, x->count);
        float *state = floats(c, x->count), *dstate = floats(c, x->count);
        const float *before = floats(c, x->count);
        snn_neuron_model m;
        snn_neuron_desc d = {0};
        int node;
        d.name = "soft";
        for (int p = 1; p < def->params; p++) {
            const char *name = def->param[p].name;
            const float value = need(c, name)->v[0];
            d.custom[p] = n3ml && !strcmp(name, "bias") ? 1.0f : value;
            if (d.custom[p] == 0.0f)
                d.custom[p] = 1e-30f; /* 0 itself would mean: not given */
        }
        net_begin(c, 1, 1, SNN_INPUT_DENSE);
        node = neuron_layer(c, input_node(c, x, 0), SNN_SOFT_LIF, &d);
        CALL(c, snn_net_build(c->net));
        CALL(c, snn_net_forward(c->net, x->v));
        check_tensor(c, rate, snn_net_spikes(c->net, node), VALUE);
        CALL(c, snn_net_zero_grad(c->net));
        for (int i = 0; i < n; i++)
            ones[i] = snn_net_dspikes(c->net, node).data[i] = 1.0f;
        CALL(c, snn_net_backward(c->net));
        check_tensor(c, slope, snn_net_dspikes(c->net, c->in), GRADIENT);
        check_steps(c, x->v);

        CALL(c, snn_neuron_init(&m, def, &d));
        snn_neuron_forward(&m, n, y, &state, x->v);
        check(c, rate, y, x->count, VALUE);
        snn_neuron_backward(&m, n, g, &dstate, NULL, &before, x->v, ones);
        check(c, slope, g, x->count, GRADIENT);
    }
}

/* The loss is the squared error of rates, 1/T of that of the counts. */
static void run_rule_stbp(test_case *c)
{
    static const char *const names[][2] = {
        {"decay", "beta"}, {"th", "threshold"}, {"half_width", "surrogate_p0"},
        {"W1", "fc1_weight"}, {"b1", "fc1_bias"}, {"W2", "fc2_weight"}, {"b2", "fc2_bias"},
        {"dW1", "g_fc1_weight"}, {"db1", "g_fc1_bias"}, {"dW2", "g_fc2_weight"},
        {"db2", "g_fc2_bias"}, {"u1", "mem1"}, {"s1", "spk1"}, {"u2", "mem2"}, {"s2", "spk2"},
        {"label", "targets"},
    };
    const record *x = need(c, "x");
    const int T = x->dim[0], B = x->dim[1];
    snn_neuron_desc lif1, lif2;
    snn_loss_desc l = {0};
    if (c->how == variants)
        rename_records(c, names, COUNT_OF(names));
    lif1 = neuron_desc(c, SNN_LIF, "lif1");
    lif1.surrogate = SNN_BOXCAR;
    lif1.membrane_before_reset = 1;
    lif2 = lif1;
    lif2.name = "lif2";
    l.kind = SNN_LOSS_MSE_COUNT; /* of all T spikes, or none */
    for (int as_spikes = 0; as_spikes <= is_binary(x); as_spikes++) {
        snn_tensor spikes, dspikes;
        size_t frame;
        float *rate, loss = 0.0f;
        int node;
        net_begin(c, B, T, as_spikes ? SNN_INPUT_SPIKES : SNN_INPUT_DENSE);
        node = neuron_layer(c, linear_layer(c, input_node(c, x, 2), "fc1"), SNN_LIF, &lif1);
        node = neuron_layer(c, linear_layer(c, node, "fc2"), SNN_LIF, &lif2);
        net_build(c);
        check_sequence(c, x->v);
        CALL(c, snn_net_zero_grad(c->net));
        CALL(c, snn_net_loss(c->net, &l, labels(c, "targets", B), &loss));
        check_number(c, "loss", (double)loss / T, VALUE);
        spikes = snn_net_spikes(c->net, node);
        dspikes = snn_net_dspikes(c->net, node);
        frame = snn_tensor_count(&spikes) / (size_t)T;
        rate = floats(c, frame);
        for (size_t i = 0; i < snn_tensor_count(&spikes); i++) {
            rate[i % frame] += spikes.data[i] / (float)T;
            dspikes.data[i] /= (float)T;
        }
        check(c, "out", rate, frame, VALUE);
        CALL(c, snn_net_backward(c->net));
        check_params(c);
        check_steps(c, x->v);
    }
}

/* ---- plasticity ---------------------------------------------------------------------------- */

static snn_stdp_desc stdp_desc(test_case *c, int exponential)
{
    snn_stdp_desc d = {0};
    d.tau_pre = need(c, "tau_pre")->v[0];
    d.tau_post = need(c, "tau_post")->v[0];
    d.exponential = exponential;
    return d;
}

/* Every step: the traces, and the weight change or the eligibility, whichever the file has. */
static void run_stdp_linear(test_case *c)
{
    const snn_stdp_desc d = stdp_desc(c, c->arg);
    const record *w = need(c, "weight"), *pre = need(c, "pre"), *change = find(c, "delta_w");
    const int T = pre->dim[0], B = integer(c, "B", 1), O = w->dim[0], I = w->dim[1];
    const size_t in = (size_t)(B * I), out = (size_t)(B * O);
    const size_t per_step = w->count * (size_t)(change ? 1 : B);
    const record *post = need_count(c, "post", (size_t)T * out);
    float *tp = floats(c, in), *tq = floats(c, out), *result;
    float *pre_traces = floats(c, (size_t)T * in), *post_traces = floats(c, (size_t)T * out);
    if (pre->count != (size_t)T * in)
        give_up(c, "pre has %zu values", pre->count);
    result = floats(c, (size_t)T * per_step);
    for (size_t t = 0; t < (size_t)T; t++) {
        float *to = result + t * per_step;
        CALL(c, snn_stdp_linear(&d, B, I, O, pre->v + t * in, post->v + t * out, tp, tq, w->v,
                                change ? to : NULL, change ? NULL : to));
        memcpy(pre_traces + t * in, tp, in * sizeof(float));
        memcpy(post_traces + t * out, tq, out * sizeof(float));
    }
    check(c, "trace_pre", pre_traces, (size_t)T * in, VALUE);
    check(c, "trace_post", post_traces, (size_t)T * out, VALUE);
    check(c, change ? "delta_w" : "eligibility", result, (size_t)T * per_step, VALUE);
}

/* Convolutions of one axis are of height 1. */
static void run_stdp_conv(test_case *c)
{
    const snn_stdp_desc d = stdp_desc(c, 0);
    const record *w = need(c, "weight"), *pre = need(c, "pre"), *post = need(c, "post");
    const int T = pre->dim[0], B = pre->dim[1], I = pre->dim[2], one = w->ndim == 3;
    const int H = one ? 1 : pre->dim[3], W = pre->dim[pre->ndim - 1];
    const size_t in = pre->count / (size_t)T, out = post->count / (size_t)T;
    snn_conv2d_desc conv = {0};
    size_t padded;
    float *tp, *tq = floats(c, out), *dw = floats(c, (size_t)T * w->count);
    float *pre_traces, *post_traces = floats(c, post->count);
    if (w->ndim < 3 || w->ndim > 4 || pre->ndim != w->ndim + 1 || post->ndim != pre->ndim)
        give_up(c, "weight, pre and post do not fit");
    if (one) {
        conv.kernel_h = 1, conv.kernel_w = w->dim[2];
        conv.stride_w = integer(c, "stride", 1), conv.padding_w = integer(c, "pad", 0);
    } else {
        conv = conv2d_desc(c, "conv1");
    }
    conv.out_channels = w->dim[0];
    padded = (size_t)(B * I) * (size_t)(H + 2 * conv.padding_h) * (size_t)(W + 2 * conv.padding_w);
    tp = floats(c, padded), pre_traces = floats(c, (size_t)T * padded);
    for (size_t t = 0; t < (size_t)T; t++) {
        CALL(c, snn_stdp_conv2d(&d, &conv, B, I, H, W, pre->v + t * in, post->v + t * out, tp, tq,
                                w->v, dw + t * w->count));
        memcpy(pre_traces + t * padded, tp, padded * sizeof(float));
        memcpy(post_traces + t * out, tq, out * sizeof(float));
    }
    check(c, "trace_pre", pre_traces, (size_t)T * padded, VALUE);
    check(c, "trace_post", post_traces, post->count, VALUE);
    check(c, "delta_w", dw, (size_t)T * w->count, VALUE);
}

/* A net's spikes teach its layer: the sum over the first T steps, then over the others. */
static void run_stdp_learner(test_case *c)
{
    const snn_stdp_desc d = stdp_desc(c, 0);
    const record *x = need(c, "x"), *w = need(c, "weight");
    const int steps = x->dim[0], first = integer(c, "T", 0), B = x->dim[1];
    const int I = w->dim[1], O = w->dim[0];
    for (int as_spikes = 0; as_spikes <= is_binary(x); as_spikes++) {
        float *tp = floats(c, (size_t)(B * I)), *tq = floats(c, (size_t)(B * O));
        snn_tensor pre, post;
        int node, t = 0;
        net_begin(c, B, steps, as_spikes ? SNN_INPUT_SPIKES : SNN_INPUT_DENSE);
        node = leaky_layer(c, linear_layer(c, input_node(c, x, 2), "fc1"), "lif1");
        net_build(c);
        CALL(c, snn_net_forward(c->net, x->v));
        check_tensor(c, "spk", snn_net_spikes(c->net, node), EXACT);
        check_steps(c, x->v);
        CALL(c, snn_net_forward(c->net, x->v));
        pre = snn_net_spikes(c->net, c->in), post = snn_net_spikes(c->net, node);
        for (int part = 0; part < 2; part++) {
            const float factor = part ? -1.0f : number(c, "scale", 1.0f);
            float *dw = floats(c, w->count);
            for (; t < (part ? steps : first); t++)
                CALL(c, snn_stdp_linear(&d, B, I, O, pre.data + (size_t)t * (size_t)(B * I),
                                        post.data + (size_t)t * (size_t)(B * O), tp, tq, w->v, dw,
                                        NULL));
            for (size_t i = 0; i < w->count; i++)
                dw[i] *= factor;
            check(c, part ? "weight_grad" : "delta_w", dw, w->count, VALUE);
        }
    }
}

/* ---- event data ---------------------------------------------------------------------------- */

static unsigned char *file_bytes(test_case *c, size_t *size)
{
    const record *r = need(c, "bytes");
    unsigned char *bytes = (unsigned char *)allocate(c, r->count, 1);
    for (size_t i = 0; i < r->count; i++)
        bytes[i] = (unsigned char)r->v[i];
    *size = r->count;
    return bytes;
}

static snn_event *event_room(test_case *c, int count)
{
    return (snn_event *)allocate(c, (size_t)count, sizeof(snn_event));
}

/* Columns of the records are t, then the letters of `order`: x, y, p. */
static void check_events(test_case *c, const snn_event *events, int count, const char *order)
{
    float *rows = floats(c, 4 * (size_t)count);
    for (int i = 0; i < count; i++) {
        rows[4 * i] = (float)events[i].t;
        for (int k = 0; k < 3; k++)
            rows[4 * i + 1 + k] = (float)(order[k] == 'x'   ? events[i].x
                                          : order[k] == 'y' ? events[i].y
                                                            : events[i].p);
    }
    check(c, "events", rows, 4 * (size_t)count, EXACT);
}

/* Of (T,2,H,W), or of the (T,W) of a cochlea, whose channels count down. */
static void check_event_frames(test_case *c, const snn_event *events, int count)
{
    const record *r = need(c, "frames");
    float *frames = floats(c, r->count);
    snn_frames_desc d = {0};
    d.steps = integer(c, "num_steps", 0);
    d.dt = (uint32_t)integer(c, "dt", 0);
    d.downsample = integer(c, "ds", 1);
    d.width = r->dim[r->ndim - 1] * d.downsample;
    d.height = r->ndim == 4 ? r->dim[2] * d.downsample : 1;
    d.no_polarity = d.reverse = r->ndim == 2;
    if ((r->ndim != 2 && (r->ndim != 4 || r->dim[1] != 2)) || r->dim[0] != d.steps)
        give_up(c, "frames are not (T,2,H,W) or (T,W)");
    CALL(c, snn_event_frames(frames, events, count, &d));
    check(c, "frames", frames, r->count, EXACT);
}

static void run_data_nmnist(test_case *c)
{
    size_t size;
    const unsigned char *bytes = file_bytes(c, &size);
    const int count = CALL(c, snn_events_nmnist(NULL, 0, bytes, size));
    snn_event *events = event_room(c, count);
    CALL(c, snn_events_nmnist(events, count, bytes, size));
    check_events(c, events, count, "pxy");
    check_event_frames(c, events, count);
}

/* One sample after the other; the pictures are those of the second, or of the only one. */
static void run_data_dvsgesture(test_case *c)
{
    const record *samples = need(c, "labels");
    size_t size;
    const unsigned char *bytes = file_bytes(c, &size);
    const int rows = samples->dim[0], shown = rows > 1, all = (int)need(c, "events")->dim[0];
    snn_event *events = event_room(c, all);
    int count = 0;
    if (samples->ndim != 2 || samples->dim[1] != 3)
        give_up(c, "labels are not (samples,3)");
    for (int i = 0; i < rows; i++) {
        const uint32_t start = (uint32_t)samples->v[3 * i + 1];
        const uint32_t end = (uint32_t)samples->v[3 * i + 2];
        const int n = CALL(c, snn_events_aedat(NULL, 0, bytes, size, start, end));
        if (n > all - count)
            give_up(c, "more than %d events", all);
        CALL(c, snn_events_aedat(events + count, n, bytes, size, start, end));
        if (i == shown)
            check_event_frames(c, events + count, n);
        count += n;
    }
    check_events(c, events, count, "xyp");
}

static void run_data_shd(test_case *c)
{
    const record *times = need(c, "times");
    const int n = (int)times->count;
    snn_event *events = event_room(c, n);
    float *t = floats(c, times->count);
    CALL(c, snn_events_shd(events, n, times->v, labels(c, "units", n), n));
    for (int i = 0; i < n; i++)
        t[i] = (float)events[i].t;
    check(c, "time_us", t, times->count, EXACT);
    check_event_frames(c, events, n);
}

/* ---- interchange --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
} node_fields[] = {
    {"tau", offsetof(snn_nir_neuron, tau_mem)},
    {"tau_mem", offsetof(snn_nir_neuron, tau_mem)},
    {"tau_syn", offsetof(snn_nir_neuron, tau_syn)},
    {"r", offsetof(snn_nir_neuron, r)},
    {"w_in", offsetof(snn_nir_neuron, w_in)},
    {"v_leak", offsetof(snn_nir_neuron, v_leak)},
    {"v_reset", offsetof(snn_nir_neuron, v_reset)},
    {"v_threshold", offsetof(snn_nir_neuron, v_threshold)},
};

static float *node_field(snn_nir_neuron *node, size_t k)
{
    return (float *)(void *)((char *)node + node_fields[k].at);
}

/* The reference makes one number of n equal ones, of some parameters. */
static void check_equal(test_case *c, const char *name, const float *v, size_t n)
{
    const record *r = find(c, name);
    if (!r)
        return;
    for (size_t i = 1; r->count == 1 && i < n; i++)
        if (v[i] != v[0])
            differ(c, "%s is not the same for all", name);
    check(c, name, v, r->count == 1 ? 1 : n, VALUE);
}

/* Imports n nodes; their parameters are the records `before`alpha, `before`beta, .. */
static void check_import(test_case *c, const snn_nir_neuron *nodes, size_t n, const char *before)
{
    static const char *const names[] = {"alpha", "beta", "threshold"};
    float *v = floats(c, 3 * n);
    for (size_t i = 0; i < n; i++)
        CALL(c, snn_nir_import(v + i, v + n + i, v + 2 * n + i, nodes + i, number(c, "dt", 0.0f)));
    for (size_t k = 0; k < COUNT_OF(names); k++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s%s", before, names[k]);
        check_equal(c, name, v + k * n, n);
    }
}

/* Nodes as the records `before`FIELD have them. */
static snn_nir_neuron *read_nodes(test_case *c, const char *before, size_t n)
{
    snn_nir_neuron *nodes = (snn_nir_neuron *)allocate(c, n, sizeof *nodes);
    float *v = floats(c, n);
    for (size_t k = 0; k < COUNT_OF(node_fields); k++) {
        const record *r = find_format(c, "%s%s", before, node_fields[k].name);
        if (!r)
            continue;
        spread(c, r, v, n);
        for (size_t i = 0; i < n; i++)
            *node_field(nodes + i, k) = v[i];
    }
    return nodes;
}

static void run_nir(test_case *c)
{
    const size_t n = need(c, "node_v_threshold")->count;
    const record *alpha = find(c, "alpha"), *V = find(c, "V"), *scaled = find(c, "scaled_tau");
    float *a = floats(c, n), *b = floats(c, n), *theta = floats(c, n);
    snn_nir_neuron *nodes = (snn_nir_neuron *)allocate(c, n, sizeof *nodes);
    if (alpha)
        spread(c, alpha, a, n);
    spread(c, need(c, "beta"), b, n);
    spread(c, need(c, "threshold"), theta, n);
    for (size_t i = 0; i < n; i++)
        CALL(c, snn_nir_export(nodes + i, a[i], b[i], theta[i], number(c, "dt", 0.0f)));
    for (size_t k = 0; k < COUNT_OF(node_fields); k++) {
        char name[NAME_BYTES];
        float *v = floats(c, n);
        snprintf(name, sizeof name, "node_%s", node_fields[k].name);
        for (size_t i = 0; i < n; i++)
            v[i] = *node_field(nodes + i, k);
        check_equal(c, name, v, n);
    }
    check_import(c, nodes, n, "");
    check_import(c, nodes, n, "imported_");
    check_import(c, read_nodes(c, "node_", n), n, "imported_");
    if (scaled)
        check_import(c, read_nodes(c, "scaled_", scaled->count), scaled->count, "scaled_imported_");
    if (V) { /* a recurrence one to one is a linear node with a diagonal matrix */
        float *matrix = floats(c, n * n), *diagonal = floats(c, n);
        spread(c, V, diagonal, n);
        for (size_t i = 0; i < n; i++)
            matrix[i * n + i] = diagonal[i];
        check(c, "node_w_rec", matrix, n * n, EXACT);
        check_equal(c, "imported_V", diagonal, n);
    }
    check_number(c, "imported_reset", 1.0, EXACT); /* to zero, within the step */
    check_number(c, "imported_reset_delay", 0.0, EXACT);
}

/* Steps as the record counts them: times in the files are in units of dt. */
static float steps_of(test_case *c, const char *name)
{
    return need(c, name)->v[0] / number(c, "dt", 1.0f);
}

enum { PAIR, TRIPLET, DC_POWER, DC_EXP, DC_PREPOST, DC_TRIPLET, POSTPRE };

/* A rule with the weights changing in place: their whole history, then the traces. */
static void run_rule_stdp(test_case *c)
{
    const record *w0 = need(c, "w0"), *pre = need(c, "pre"), *post = need(c, "post");
    const int rule = c->arg, O = w0->dim[0], I = w0->dim[1], T = pre->dim[0];
    const size_t n = w0->count;
    float *tp = floats(c, 2 * (size_t)I), *tq = floats(c, 2 * (size_t)O), *w = floats(c, n);
    float *history = floats(c, (size_t)T * n);
    snn_stdp_desc d = {0};
    need_count(c, "post", (size_t)(T * O)), need_count(c, "pre", (size_t)(T * I));
    d.exponential = 1;
    d.order = rule <= TRIPLET ? SNN_STDP_TRACES_LAST : rule < POSTPRE ? SNN_STDP_IN_TURN
                                                                      : SNN_STDP_TRACES_FIRST;
    d.nearest = rule == PAIR ? integer(c, "nearest", 0) : rule >= DC_TRIPLET;
    d.clip = rule != TRIPLET;
    d.w_min = number(c, "w_min", 0.0f), d.w_max = number(c, "w_max", 0.0f);
    d.mu = number(c, "mu", 0.0f), d.beta = number(c, "beta", 0.0f);
    d.bound = rule == DC_EXP ? SNN_STDP_EXPONENTIAL : d.mu > 0.0f ? SNN_STDP_SOFT
                                                                  : SNN_STDP_ADDITIVE;
    if (rule == PAIR || rule == TRIPLET) {
        d.tau_pre = steps_of(c, "tau_plus"), d.tau_post = steps_of(c, "tau_minus");
        d.a_post = need(c, rule == PAIR ? "A_plus" : "A2p")->v[0];
        d.a_pre = need(c, rule == PAIR ? "A_minus" : "A2m")->v[0];
    }
    if (rule == TRIPLET) {
        d.tau_pre2 = steps_of(c, "tau_x"), d.tau_post2 = steps_of(c, "tau_y");
        d.a_post3 = need(c, "A3p")->v[0], d.a_pre3 = need(c, "A3m")->v[0];
    }
    if (rule >= DC_POWER && rule <= DC_PREPOST) {
        d.tau_pre = steps_of(c, "tau_pre"), d.tau_post = steps_of(c, "tau_post");
        d.a_post = need(c, "eta_post")->v[0], d.x_tar = need(c, "x_tar")->v[0];
        d.a_pre = need(c, "eta_pre")->v[0] * (float)(rule == DC_PREPOST);
    }
    if (rule == DC_TRIPLET) {
        d.tau_pre = steps_of(c, "tau_pre"), d.tau_post = steps_of(c, "tau_post1");
        d.tau_post2 = steps_of(c, "tau_post2");
        d.a_pre = need(c, "nu_pre")->v[0], d.a_post3 = need(c, "nu_post")->v[0];
    }
    if (rule == POSTPRE) {
        d.tau_pre = d.tau_post = steps_of(c, "tau");
        d.a_pre = need(c, "lr_pre")->v[0], d.a_post = need(c, "lr_post")->v[0];
    }
    memcpy(w, w0->v, n * sizeof(float));
    for (int t = 0; t < T; t++) {
        CALL(c, snn_stdp_linear(&d, 1, I, O, pre->v + t * I, post->v + t * O, tp, tq, w, w, NULL));
        memcpy(history + (size_t)t * n, w, n * sizeof(float));
    }
    check(c, "w_hist", history, (size_t)T * n, VALUE);
    check(c, "w_final", w, n, VALUE);
    if (rule == PAIR) {
        check(c, "xp_final", tp, (size_t)I, VALUE);
        check(c, "xq_final", tq, (size_t)O, VALUE);
    } else if (rule == DC_TRIPLET) {
        check(c, "pre_final", tp, (size_t)I, VALUE);
        check(c, "post1_final", tq, (size_t)O, VALUE);
        check(c, "post2_final", tq + O, (size_t)O, VALUE);
    } else if (rule != TRIPLET) {
        check(c, "x_pre_final", tp, (size_t)I, VALUE);
        check(c, "x_post_final", tq, (size_t)O, VALUE);
    }
}

enum { MSTDP, MSTDPET, DOPAMINE };

/* STDP's eligibility, then the reward; arg: Izhikevich's rule, or both of Florian's. */
static void run_rule_reward(test_case *c)
{
    const record *w0 = need(c, "w0"), *pre = need(c, "pre"), *post = need(c, "post");
    const int O = w0->dim[0], I = w0->dim[1], T = pre->dim[0], dopamine = c->arg == DOPAMINE;
    const record *r = dopamine ? need_count(c, "da", (size_t)T)
                               : need_count(c, "r", (size_t)T + 1);
    const size_t n = w0->count;
    need_count(c, "post", (size_t)(T * O)), need_count(c, "pre", (size_t)(T * I));
    for (int rule = c->arg; rule <= (dopamine ? DOPAMINE : MSTDPET); rule++) {
        float *tp = floats(c, (size_t)I), *tq = floats(c, (size_t)O), *w = floats(c, n);
        float *e = floats(c, n), *z = floats(c, n), *history = floats(c, (size_t)T * n);
        float *level = floats(c, (size_t)T);
        snn_stdp_desc d = {0};
        snn_reward_desc rd = {0};
        snn_reward state = {0, 0};
        d.exponential = 1;
        d.bound = SNN_STDP_ADDITIVE;
        d.order = dopamine ? SNN_STDP_TRACES_LAST : SNN_STDP_TRACES_FIRST;
        d.tau_pre = steps_of(c, "tau_plus"), d.tau_post = steps_of(c, "tau_minus");
        d.a_post = need(c, "A_plus")->v[0];
        d.a_pre = need(c, "A_minus")->v[0] * (dopamine ? 1.0f : -1.0f);
        rd.lr = dopamine ? need(c, "lr")->v[0] * number(c, "dt", 1.0f)
                         : need(c, rule == MSTDP ? "gamma" : "gamma_et")->v[0];
        if (rule == MSTDPET)
            rd.tau = steps_of(c, "tau_z"), rd.gain = 1.0f / need(c, "tau_z")->v[0];
        if (dopamine) {
            rd.tau = steps_of(c, "tau_c"), rd.tau_dopamine = steps_of(c, "tau_d");
            rd.clip = 1, rd.w_min = need(c, "w_min")->v[0], rd.w_max = need(c, "w_max")->v[0];
        }
        memcpy(w, w0->v, n * sizeof(float));
        for (int t = 0; t < T; t++) {
            CALL(c, snn_stdp_linear(&d, 1, I, O, pre->v + t * I, post->v + t * O, tp, tq, w, NULL,
                                    e));
            CALL(c, snn_reward_update(&rd, 1, n, w, z, e, &state, r->v + t + !dopamine));
            memcpy(history + (size_t)t * n, w, n * sizeof(float));
            level[t] = state.dopamine;
        }
        if (dopamine)
            check(c, "d_hist", level, (size_t)T, VALUE);
        if (rule != MSTDP)
            check(c, dopamine ? "c_final" : "z_final", z, n, VALUE);
        check(c, dopamine ? "w_hist" : rule == MSTDP ? "w_mstdp" : "w_mstdpet", history,
              (size_t)T * n, VALUE);
    }
}

static void run_rule_mozafari(test_case *c)
{
    const record *w = need(c, "w0");
    const int O = w->dim[0], I = w->dim[1];
    float *dw = floats(c, w->count);
    snn_first_spike_desc d = {0};
    d.right_before = need(c, "ar_plus")->v[0], d.right_after = need(c, "ar_minus")->v[0];
    d.wrong_before = need(c, "ap_minus")->v[0], d.wrong_after = need(c, "ap_plus")->v[0];
    d.decisions = integer(c, "n_batch", 0), d.hits = integer(c, "hits", 0);
    CALL(c, snn_stdp_first_spike(&d, I, O, labels(c, "t_pre", I), labels(c, "t_post", O),
                                 labels(c, "reward", O), w->v, dw));
    check(c, "dw", dw, w->count, VALUE);
    find(c, "phi_r"), find(c, "phi_p"); /* factors of dw */
}

/* The whole trial, and what its last step adds. dW_n3ml is a fault of the original's. */
static void run_rule_resume(test_case *c)
{
    const record *w0 = need(c, "W0"), *pre = need(c, "pre");
    const int O = w0->dim[0], I = w0->dim[1], T = pre->dim[0];
    const record *post = need_count(c, "learn", (size_t)(T * O));
    const record *wanted = need_count(c, "desired", (size_t)(T * O));
    float *trace = floats(c, 2 * (size_t)I), *w = floats(c, w0->count), *last = NULL;
    snn_resume_desc d = {0};
    d.lr = need(c, "lr")->v[0];
    d.tau = steps_of(c, "tau_d"), d.actual_tau = steps_of(c, "tau_l");
    d.a = need(c, "a_d")->v[0], d.actual_a = need(c, "a_l")->v[0];
    d.gain = need(c, "A_d")->v[0], d.actual_gain = need(c, "A_l")->v[0];
    need_count(c, "pre", (size_t)(T * I));
    memcpy(w, w0->v, w0->count * sizeof(float));
    for (int t = 0; t < T; t++) {
        float *before = floats(c, 2 * (size_t)I);
        memcpy(before, trace, 2 * (size_t)I * sizeof(float));
        CALL(c, snn_resume_linear(&d, 1, I, O, pre->v + t * I, post->v + t * O, wanted->v + t * O,
                                  trace, w));
        last = floats(c, w0->count);
        CALL(c, snn_resume_linear(&d, 1, I, O, pre->v + t * I, post->v + t * O, wanted->v + t * O,
                                  before, last));
    }
    check(c, "W_paper", w, w0->count, VALUE);
    check(c, "dW_step", last, w0->count, VALUE);
    find(c, "dW_n3ml");
}

/* Encoder, snn_lif, decoder that learns. */
static void run_rule_pes(test_case *c)
{
    const record *E = need(c, "E"), *D0 = need(c, "D0"), *x = need(c, "x");
    const int n = E->dim[0], I = E->dim[1], O = D0->dim[0], T = x->dim[0];
    const record *gain = need_count(c, "gain", (size_t)n), *bias = need_count(c, "bias", (size_t)n);
    const record *target = need_count(c, "target", (size_t)O);
    float *s = floats(c, (size_t)(T * n)), *o = floats(c, (size_t)(T * O));
    float *j = floats(c, (size_t)n), *w = floats(c, D0->count);
    float *state[2] = {floats(c, (size_t)n), floats(c, (size_t)n)};
    snn_neuron_model m;
    snn_neuron_desc d = {0};
    d.beta = (float)exp(-1.0 / (double)steps_of(c, "tau_rc"));
    d.refractory = steps_of(c, "tau_ref");
    d.fire_at_threshold = 1;
    CALL(c, snn_neuron_init(&m, snn_neuron_info(SNN_LIF), &d));
    snn_neuron_start(&m, n, state);
    memcpy(w, D0->v, D0->count * sizeof(float));
    for (int t = 0; t < T; t++) {
        for (int k = 0; k < n; k++) {
            double sum = 0.0;
            for (int i = 0; i < I; i++)
                sum += (double)E->v[k * I + i] * (double)x->v[t * I + i];
            j[k] = (float)((double)gain->v[k] * sum + (double)bias->v[k]);
        }
        snn_neuron_forward(&m, n, s + t * n, state, j);
        CALL(c, snn_pes_linear(need(c, "lr")->v[0], 1, n, O, s + t * n, target->v, w, o + t * O));
    }
    check(c, "s", s, (size_t)(T * n), EXACT);
    check(c, "o", o, (size_t)(T * O), VALUE);
    check(c, "D", w, D0->count, VALUE);
}

static void run_rule_weight_norm(test_case *c)
{
    const float total = need(c, "total")->v[0];
    for (int absolute = 0; absolute < 2; absolute++) {
        const record *r = need(c, absolute ? "signed_w" : "w");
        CALL(c, snn_normalise_rows(r->v, r->dim[0], r->dim[1], total, absolute));
        check(c, absolute ? "w_abs" : "w_sum", r->v, r->count, VALUE);
    }
}

static void run_rule_label_assign(test_case *c)
{
    const record *train = need(c, "train_count"), *test = need(c, "test_count");
    const int n = train->dim[1], classes = integer(c, "n_class", 0), N = test->dim[0];
    const int *y = labels(c, "test_label", N);
    float *rates = floats(c, (size_t)(classes * n)), *score = floats(c, (size_t)(N * classes));
    float *as_float = floats(c, (size_t)(n + N));
    int *assign = ints(c, n), *vote = ints(c, N), right = 0;
    CALL(c, snn_assign_labels(train->dim[0], n, classes, train->v,
                              labels(c, "train_label", train->dim[0]), rates, assign));
    CALL(c, snn_vote(N, n, classes, test->v, assign, NULL, score, vote));
    for (int i = 0; i < n; i++)
        as_float[i] = (float)assign[i];
    for (int k = 0; k < N; k++)
        as_float[n + k] = (float)vote[k], right += vote[k] == y[k];
    check(c, "rate", rates, (size_t)(classes * n), VALUE);
    check(c, "assign", as_float, (size_t)n, EXACT);
    check(c, "score", score, (size_t)(N * classes), VALUE);
    check(c, "pred", as_float + n, (size_t)N, EXACT);
    check_number(c, "accuracy", (double)right / N, VALUE);
}

/* ---- conversion: rule_convert_*, rule_spikenorm_*, rule_qcfs ---- */

enum { MAX_WEIGHTS = 8 };

/* A bias free chain of the weights w0, w1 .. with a relu behind each, on `batch` inputs like x
 * without its `lead` leading axes. Convolutions but the first stand behind an average pool, which
 * is 2 unless another leads, with some padding, to the last axes of the records `shape`. */
static void ann_build(test_case *c, const record *x, int lead, int batch, const char *shape)
{
    const snn_neuron_desc relu = {0};
    const int layers = integer(c, "n_layer", 0);
    int node, dim[3] = {1, 1, 1}, in[3];
    if (layers < 1 || layers > MAX_WEIGHTS)
        give_up(c, "%d layers", layers);
    net_begin(c, batch, 1, SNN_INPUT_CONSTANT);
    node = input_node(c, x, lead);
    for (int k = 0; k < x->ndim - lead; k++)
        dim[k] = x->dim[lead + k];
    for (int l = 0; l < layers; l++) {
        const record *w = find_format(c, "w%d", l), *out = find_format(c, shape, l);
        char name[NAME_BYTES];
        int pool = 1, padding = 0;
        snprintf(name, sizeof name, "w%d", l);
        if (!w || !out || (w->ndim != 2 && w->ndim != 4))
            give_up(c, "layer %d lacks its weights or shape", l);
        memcpy(in, dim, sizeof in);
        if (w->ndim == 4 && l > 0)
            pool = 2;
        for (; pool <= dim[1]; pool++) { /* the smallest window that fits */
            in[1] = dim[1] / pool, in[2] = dim[2] / pool;
            padding = w->ndim == 4 ? out->dim[out->ndim - 1] - in[2] + w->dim[3] - 1 : 0;
            if (w->ndim == 4 ? padding >= 0 && padding % 2 == 0
                             : in[0] * in[1] * in[2] == w->dim[1])
                break;
        }
        if (pool > 1) {
            snn_pool2d_desc d = {0};
            d.kernel = pool;
            node = snn_avg_pool2d(c->net, node, &d);
        }
        if (w->ndim == 4) {
            snn_conv2d_desc d = {0};
            d.name = name, d.out_channels = w->dim[0], d.padding = padding / 2, d.no_bias = 1;
            d.kernel_h = w->dim[2], d.kernel_w = w->dim[3];
            node = snn_conv2d(c->net, node, &d);
            for (int k = 0; k < 3; k++)
                dim[k] = out->dim[out->ndim - 3 + k];
        } else {
            snn_linear_desc d = {0};
            d.name = name, d.out_features = w->dim[0], d.no_bias = 1;
            node = snn_linear(c->net, CALL(c, snn_flatten(c->net, CALL(c, node))), &d);
            dim[0] = w->dim[0], dim[1] = dim[2] = 1;
        }
        CALL(c, snn_net_record(c->net, CALL(c, node), SNN_RECORD_SPIKES));
        node = CALL(c, snn_relu(c->net, node, &relu));
    }
    CALL(c, snn_net_build(c->net));
    for (int l = 0; l < layers; l++) {
        const record *w = find_format(c, "w%d", l);
        const snn_param *p;
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "w%d.weight", l);
        p = snn_net_find_param(c->net, name);
        if (!p || snn_tensor_count(&p->value) != w->count)
            give_up(c, "%s has another size", name);
        memcpy(p->value.data, w->v, w->count * sizeof(float));
    }
    CALL(c, snn_net_params_changed(c->net));
}

/* Converts c->net, and puts the new net in its place. */
static void convert(test_case *c, snn_convert_desc d, const snn_data *data)
{
    snn_net *net = NULL;
    d.net.spikes = c->how->spikes;
    d.net.checkpoint = c->how->checkpoint;
    d.net.isa = c->how->isa;
    d.record = SNN_RECORD_SPIKES;
    CALL(c, snn_net_convert(&net, c->net, &d, data));
    snn_net_destroy(c->net);
    c->net = net;
}

static float *neuron_value(test_case *c, int layer, const char *name)
{
    char full[NAME_BYTES];
    const snn_param *p;
    snprintf(full, sizeof full, "relu%d.%s", layer + 1, name);
    p = snn_net_find_param(c->net, full);
    if (!p || snn_tensor_count(&p->value) != 1)
        give_up(c, "%s is not one number", full);
    return p->value.data;
}

/* lam of the layers, and those over the lam before: thresholds for weights as they are */
static void lambdas(test_case *c, float *lambda, float *ratio)
{
    for (int l = 0; l < integer(c, "n_layer", 0); l++) {
        lambda[l] = *neuron_value(c, l, "threshold");
        ratio[l] = lambda[l] / (l ? lambda[l - 1] : 1.0f);
        if (*neuron_value(c, l, "graded_spikes_factor") != lambda[l])
            differ(c, "the spikes of layer %d are not worth its threshold", l);
    }
}

static void check_counts(test_case *c, const char *format, const float *x)
{
    CALL(c, snn_net_forward(c->net, x));
    for (int l = 0; l < integer(c, "n_layer", 0); l++) {
        char name[NAME_BYTES];
        snn_tensor s;
        snprintf(name, sizeof name, "relu%d", l + 1);
        s = snn_net_spikes(c->net, snn_net_node(c->net, name));
        if (!s.data)
            give_up(c, "%s keeps no spikes", name);
        size_t n = snn_tensor_count(&s) / (size_t)s.shape[0];
        float *count = floats(c, n);
        for (size_t i = 0; i < snn_tensor_count(&s); i++)
            count[i % n] += s.data[i] != 0.0f;
        snprintf(name, sizeof name, format, l);
        check(c, name, count, n, EXACT);
    }
}

static void run_convert(test_case *c)
{
    static const struct {
        snn_convert_method method;
        int positive;
        const char *lambda, *ratio;
    } rows[] = {
        {SNN_CONVERT_MAX, 0, "lam_max", "th_paper"},
        {SNN_CONVERT_MAX, 0, "th_n3ml", "th_paper"},
        {SNN_CONVERT_PERCENTILE, 0, "lam_p999", NULL},
        {SNN_CONVERT_PERCENTILE, 1, "lam_p999nz", NULL},
        {SNN_CONVERT_DIEHL, 0, "diehl_factor", NULL},
        {SNN_CONVERT_MODEL, 0, NULL, "model_factor"},
    };
    const record *cal = need(c, "cal"), *test = need(c, "test");
    const int layers = integer(c, "n_layer", 0), T = integer(c, "T", 0);
    float lambda[MAX_WEIGHTS], ratio[MAX_WEIGHTS];
    snn_data data = {0};
    data.x = cal->v, data.count = cal->dim[0], data.features = (int)(cal->count / cal->dim[0]);
    for (int k = 0; k < 2; k++) { /* the net itself */
        const record *x = k ? test : cal;
        ann_build(c, x, 1, x->dim[0], "act%d");
        CALL(c, snn_net_forward(c->net, x->v));
        for (int l = 0; l < layers; l++) {
            char node[NAME_BYTES], name[NAME_BYTES];
            snprintf(node, sizeof node, "w%d", l);
            snprintf(name, sizeof name, k ? "test_act%d" : "act%d", l);
            check_tensor(c, name, snn_net_spikes(c->net, snn_net_node(c->net, node)), VALUE);
        }
    }
    for (size_t k = 0; k < COUNT_OF(rows); k++) { /* batches that leave a rest */
        snn_convert_desc d = {0};
        d.method = rows[k].method, d.positive_only = rows[k].positive;
        d.net.batch = k % 2 ? 5 : cal->dim[0];
        d.net.steps = T;
        ann_build(c, cal, 1, 1, "act%d");
        convert(c, d, &data);
        lambdas(c, lambda, ratio);
        if (rows[k].lambda)
            check(c, rows[k].lambda, lambda, (size_t)layers, VALUE);
        if (rows[k].ratio)
            check(c, rows[k].ratio, ratio, (size_t)layers, VALUE);
        if (rows[k].method == SNN_CONVERT_DIEHL) {
            for (int l = 0; l < layers; l++)
                ratio[l] = 1.0f / ratio[l];
            check(c, "diehl_scale", ratio, (size_t)layers, VALUE);
        }
    }
    for (int k = 0; k < 2; k++) { /* the same percentiles on plain arrays */
        for (int l = 0; l < layers; l++) {
            const record *act = find_format(c, "act%d", l);
            float *x = floats(c, act->count);
            for (size_t i = 0; i < act->count; i++)
                x[i] = act->v[i] > 0.0f ? act->v[i] : 0.0f;
            CALL(c, snn_percentile(&lambda[l], x, act->count, 99.9, k));
        }
        check(c, k ? "lam_p999nz" : "lam_p999", lambda, (size_t)layers, VALUE);
    }
    for (int hard = 0; hard < 2; hard++) {
        snn_convert_desc d = {0};
        d.reset = hard ? SNN_RESET_ZERO : SNN_RESET_SUBTRACT;
        d.net.batch = test->dim[0];
        d.net.steps = T;
        ann_build(c, cal, 1, 1, "act%d");
        convert(c, d, &data);
        check_counts(c, hard ? "cnt_paper_hard_%d" : "cnt_paper_soft_%d", test->v);
        for (int l = 0; l < layers; l++) /* n3ml: the same thresholds for spikes of 1 */
            *neuron_value(c, l, "graded_spikes_factor") = 1.0f;
        check_counts(c, hard ? "cnt_n3ml_hard_%d" : "cnt_n3ml_soft_%d", test->v);
    }
}

static void run_spikenorm(test_case *c)
{
    const record *x = need(c, "x");
    const int T = x->dim[0], B = x->dim[1], layers = integer(c, "n_layer", 0);
    const size_t n = x->count / (size_t)(T * B);
    float *train = floats(c, x->count), soft[MAX_WEIGHTS], lambda[MAX_WEIGHTS], ratio[MAX_WEIGHTS];
    snn_data data = {0};
    data.x = train, data.count = B, data.features = (int)(x->count / (size_t)B);
    for (int t = 0; t < T; t++) /* a sample is [T][n] */
        for (int b = 0; b < B; b++)
            memcpy(train + (size_t)(b * T + t) * n, x->v + (size_t)(t * B + b) * n,
                   n * sizeof(float));
    for (int k = 3; k >= 0; k--) { /* the last leaves the thresholds of the runs */
        char name[NAME_BYTES];
        snn_convert_desc d = {0};
        d.method = SNN_CONVERT_SPIKE_NORM;
        d.reset = k & 1 ? SNN_RESET_ZERO : SNN_RESET_SUBTRACT;
        d.keep_states = k >> 1; /* as n3ml has it, by accident */
        d.net.batch = B;
        d.net.steps = T;
        d.net.input = SNN_INPUT_DENSE;
        ann_build(c, x, 2, 1, "cnt_soft_%d");
        convert(c, d, &data);
        lambdas(c, lambda, ratio);
        snprintf(name, sizeof name, "th_%s_%s", k & 1 ? "hard" : "soft", k & 2 ? "noreset"
                                                                              : "reset");
        check(c, name, ratio, (size_t)layers, VALUE);
    }
    memcpy(soft, lambda, sizeof soft);
    check_counts(c, "cnt_soft_%d", x->v);
    {
        snn_convert_desc d = {0};
        d.reset = SNN_RESET_ZERO;
        d.method = SNN_CONVERT_SPIKE_NORM;
        d.net.batch = B;
        d.net.steps = T;
        d.net.input = SNN_INPUT_DENSE;
        ann_build(c, x, 2, 1, "cnt_soft_%d");
        convert(c, d, &data);
        for (int l = 0; l < layers; l++)
            *neuron_value(c, l, "threshold") = *neuron_value(c, l, "graded_spikes_factor") =
                soft[l];
        check_counts(c, "cnt_hard_%d", x->v);
    }
}

static void run_qcfs(test_case *c)
{
    const record *z = need(c, "z");
    const float lambda = need(c, "lam")->v[0];
    const size_t n = z->count;
    float *ones = floats(c, n), *dz = floats(c, n), *dlambda = floats(c, n), *y = floats(c, n);
    for (size_t i = 0; i < n; i++)
        ones[i] = 1.0f;
    for (int clamp = 0; clamp < 2; clamp++)
        for (int each = 0; each < 2; each++) { /* one lam for all, one for each */
            const char *names[] = {clamp ? "dz_clamp" : "dz_paper",
                                   clamp ? "dlam_clamp" : "dlam_paper"};
            float *count = floats(c, n), *rate = floats(c, n), *state = floats(c, n);
            float *dstate = floats(c, n), *before = floats(c, n), *dp[4] = {NULL};
            const float *was = before;
            snn_convert_desc d = {0};
            snn_neuron_desc q = {0};
            snn_neuron_model m;
            const snn_param *p;
            snn_tensor s;
            int node;
            q.name = "qcfs1";
            q.threshold = lambda;
            q.learn_threshold = 1;
            q.per_neuron = each;
            q.custom[1] = number(c, "L", 0.0f);
            q.custom[2] = (float)clamp;
            net_begin(c, 1, 1, SNN_INPUT_CONSTANT);
            node = CALL(c, snn_qcfs(c->net, input_node(c, z, 0), &q));
            CALL(c, snn_net_build(c->net));
            CALL(c, snn_net_forward(c->net, z->v));
            check_tensor(c, "y", snn_net_spikes(c->net, node), VALUE);
            CALL(c, snn_net_zero_grad(c->net));
            memcpy(snn_net_dspikes(c->net, node).data, ones, n * sizeof(float));
            CALL(c, snn_net_backward(c->net));
            check_tensor(c, names[0], snn_net_dspikes(c->net, c->in), GRADIENT);
            p = snn_net_find_param(c->net, "qcfs1.threshold");
            if (each)
                check_tensor(c, names[1], p->grad, GRADIENT);

            CALL(c, snn_neuron_init(&m, snn_neuron_info(SNN_QCFS), &q));
            snn_neuron_forward(&m, (int)n, y, &state, z->v);
            check(c, "y", y, n, VALUE);
            dp[0] = dlambda;
            memset(dlambda, 0, n * sizeof(float));
            snn_neuron_backward(&m, (int)n, dz, &dstate, dp, &was, z->v, ones);
            check(c, names[0], dz, n, GRADIENT);
            check(c, names[1], dlambda, n, GRADIENT);

            d.method = SNN_CONVERT_QCFS;
            d.net.steps = integer(c, "T", 0);
            convert(c, d, NULL);
            CALL(c, snn_net_forward(c->net, z->v));
            s = snn_net_spikes(c->net, snn_net_node(c->net, "qcfs1"));
            for (size_t i = 0; i < snn_tensor_count(&s); i++) {
                count[i % n] += s.data[i] != 0.0f;
                rate[i % n] += s.data[i] / (float)d.net.steps;
            }
            check(c, "count", count, n, EXACT);
            check(c, "rate", rate, n, VALUE);
        }
}

/* ---- exact spike times ---- */

#define EXACT_TIME 1e-4 /* where they are found by solving for them */

/* Spike times of a record, with the library's marker instead of -1. */
static float *read_times(test_case *c, const record *r)
{
    float *t = floats(c, r->count);
    for (size_t i = 0; i < r->count; i++)
        t[i] = r->v[i] == -1.0f ? SNN_NEVER : r->v[i];
    return t;
}

static void check_times(test_case *c, const char *name, const float *times, size_t n, double tol)
{
    float *t = floats(c, n);
    for (size_t i = 0; i < n; i++)
        t[i] = times[i] >= SNN_NEVER ? -1.0f : times[i];
    check(c, name, t, n, tol);
}

static float *copy_of(test_case *c, const record *r)
{
    float *v = floats(c, r->count);
    memcpy(v, r->v, r->count * sizeof *v);
    return v;
}

/* Two layers, patterns in order, an update after each; arg: as n3ml does it, W2 first. */
static void run_rule_spikeprop(test_case *c)
{
    const record *in = need(c, "t_in"), *r1 = need(c, "W1"), *r2 = need(c, "W2");
    const record *delay = need(c, "delay"), *goal = need(c, c->arg ? "label" : "t_target");
    if (r1->ndim != 3 || r2->ndim != 3)
        give_up(c, "weights want three axes");
    const int I = r1->dim[1], H = r1->dim[0], O = r2->dim[0], K = r1->dim[2];
    const size_t P = in->count / (size_t)I, n1 = r1->count, n2 = r2->count;
    const size_t hidden = (size_t)H, outputs = (size_t)O;
    float *t_in = read_times(c, in), *w1 = copy_of(c, r1), *w2 = copy_of(c, r2);
    float *t1 = floats(c, P * hidden), *s1 = floats(c, hidden), *d1 = floats(c, hidden);
    float *t2 = floats(c, P * outputs), *s2 = floats(c, outputs), *d2 = floats(c, outputs);
    float *dt1 = floats(c, hidden), *dt2 = floats(c, outputs), *E = floats(c, P);
    float *dw1 = floats(c, n1), *dw2 = floats(c, n2), *change = floats(c, n1 + n2);
    snn_spike *spikes = (snn_spike *)allocate(c, n1 + n2 + hidden + outputs, sizeof *spikes);
    double *state = (double *)allocate(c, 2 * (hidden + outputs), sizeof *state);
    snn_spikeprop_desc d = {0};
    if (delay->count != (size_t)K || P < 1 || in->count != P * (size_t)I ||
        r2->dim[1] != H || r2->dim[2] != K || goal->count != P * outputs)
        give_up(c, "shapes do not fit");
    d.delay = delay->v, d.delays = K;
    d.tau = need(c, "tau")->v[0], d.theta = need(c, "theta")->v[0];
    d.eta = need(c, c->arg ? "lr" : "eta")->v[0];
    d.slope_min = -1.0f;
    if (c->arg)
        d.step = 1.0f, d.t_end = need(c, "n_step")->v[0] - 1.0f, d.w_min = 0.02f, d.w_max = 1.0f;
    for (size_t p = 0; p < P; p++) {
        const float *x = t_in + p * (size_t)I;
        float *h = t1 + p * hidden, *y = t2 + p * outputs;
        CALL(c, snn_spikeprop_forward(&d, 1, I, H, h, s1, x, w1, spikes, state));
        CALL(c, snn_spikeprop_forward(&d, 1, H, O, y, s2, h, w2, spikes, state));
        for (int j = 0; j < O; j++) {
            dt2[j] = y[j] - goal->v[p * outputs + (size_t)j];
            E[p] += 0.5f * dt2[j] * dt2[j];
        }
        memset(dw1, 0, n1 * sizeof *dw1);
        memset(dw2, 0, n2 * sizeof *dw2);
        CALL(c, snn_spikeprop_backward(&d, 1, H, O, dw2, dt1, d2, dt2, y, s2, h, w2));
        CALL(c, snn_spikeprop_update(&d, (int)n2, w2, dw2));
        if (c->arg)
            CALL(c, snn_spikeprop_backward(&d, 1, H, O, NULL, dt1, NULL, dt2, y, s2, h, w2));
        CALL(c, snn_spikeprop_backward(&d, 1, I, H, dw1, NULL, d1, dt1, h, s1, x, w1));
        CALL(c, snn_spikeprop_update(&d, (int)n1, w1, dw1));
    }
    check_times(c, "t_hidden", t1, P * hidden, c->arg ? EXACT : EXACT_TIME);
    check_times(c, "t_out", t2, P * outputs, c->arg ? EXACT : EXACT_TIME);
    if (find(c, "E"))
        check(c, "E", E, P, GRADIENT);
    if (find(c, "W1_new")) {
        check(c, "W1_new", w1, n1, VALUE);
        check(c, "W2_new", w2, n2, VALUE);
    }
    if (find(c, "slope1")) {
        check(c, "slope1", s1, hidden, GRADIENT);
        check(c, "slope2", s2, outputs, GRADIENT);
    }
    if (find(c, "delta_out")) {
        check(c, "delta_out", d2, outputs, GRADIENT);
        check(c, "delta_hidden", d1, hidden, GRADIENT);
    }
    if (find(c, "dW1")) { /* what is added to the weights: an update of zeros */
        CALL(c, snn_spikeprop_update(&d, (int)n1, change, dw1));
        CALL(c, snn_spikeprop_update(&d, (int)n2, change + n1, dw2));
        check(c, "dW1", change, n1, GRADIENT);
        check(c, "dW2", change + n1, n2, GRADIENT);
    }
    find(c, "grad_check_error");
}

/* Spike lists against rows of times, one a neuron, filled up with -1. */
static void check_spike_rows(test_case *c, const char *name, const snn_spike *s, int count)
{
    const record *r = need(c, name);
    const int rows = r->dim[0], room = r->dim[1];
    float *t = floats(c, r->count);
    int *n = ints(c, rows);
    for (size_t i = 0; i < r->count; i++)
        t[i] = -1.0f;
    for (int k = 0; k < count; k++) {
        if (s[k].neuron >= rows || n[s[k].neuron] >= room) {
            differ(c, "%s: more spikes of neuron %d than %d", name, s[k].neuron, room);
            return;
        }
        t[s[k].neuron * room + n[s[k].neuron]++] = (float)s[k].t;
    }
    for (size_t i = 0; i < r->count; i++) /* relative to the times, not to the -1 that fills up */
        if ((t[i] < 0.0f) != (r->v[i] < 0.0f) ||
            !(fabs((double)(t[i] - r->v[i])) <= EXACT_TIME * fabs((double)r->v[i])))
            differ(c, "%s[%zu] is %.9g instead of %.9g", name, i, (double)t[i], (double)r->v[i]);
}

static void run_rule_eventprop(test_case *c)
{
    enum { MAX_SPIKES = 4096 };
    const record *times = need(c, "t_in"), *w1 = need(c, "W1"), *w2 = need(c, "W2");
    const record *coef = need(c, "coef");
    const int I = w1->dim[1], H = w1->dim[0], O = w2->dim[0];
    snn_spike *in = (snn_spike *)allocate(c, times->count, sizeof *in);
    snn_spike *mid = (snn_spike *)allocate(c, MAX_SPIKES, sizeof *mid);
    snn_spike *out = (snn_spike *)allocate(c, MAX_SPIKES, sizeof *out);
    float *dt_mid = floats(c, MAX_SPIKES), *dt_out = floats(c, MAX_SPIKES);
    float *dw1 = floats(c, w1->count), *dw2 = floats(c, w2->count);
    double *state = (double *)allocate(c, 2 * (size_t)(H + O), sizeof *state), loss = 0.0;
    snn_eventprop_desc d = {0};
    int count = 0, mids, outs;
    if (w1->ndim != 2 || w2->ndim != 2 || times->ndim != 2 || times->dim[0] != I ||
        w2->dim[1] != H || coef->count != (size_t)O)
        give_up(c, "shapes do not fit");
    d.tau_mem = need(c, "tau_m")->v[0], d.tau_syn = need(c, "tau_s")->v[0];
    d.theta = need(c, "th")->v[0], d.t_end = need(c, "T_end")->v[0];
    for (size_t i = 0; i < times->count; i++)
        if (times->v[i] != -1.0f) {
            in[count].neuron = (int)i / times->dim[1];
            in[count++].t = (double)times->v[i];
        }
    snn_spikes_sort(in, count);
    mids = CALL(c, snn_eventprop_forward(&d, I, H, mid, MAX_SPIKES, in, count, w1->v, state));
    outs = CALL(c, snn_eventprop_forward(&d, H, O, out, MAX_SPIKES, mid, mids, w2->v, state));
    for (int k = 0; k < outs; k++) {
        dt_out[k] = coef->v[out[k].neuron];
        loss += (double)dt_out[k] * out[k].t;
    }
    CALL(c, snn_eventprop_backward(&d, H, O, dw2, dt_mid, dt_out, out, outs, mid, mids, w2->v,
                                   state));
    CALL(c, snn_eventprop_backward(&d, I, H, dw1, NULL, dt_mid, mid, mids, in, count, w1->v,
                                   state));
    check_spike_rows(c, "t_hidden", mid, mids);
    check_spike_rows(c, "t_out", out, outs);
    check_number(c, "loss", loss, EXACT_TIME);
    check(c, "dW1", dw1, w1->count, GRADIENT);
    check(c, "dW2", dw2, w2->count, GRADIENT);
    find(c, "grad_check_error");
}

static void run_rule_population_code(test_case *c)
{
    static const char *const of[] = {"bohte", "n3ml"};
    const record *x = need(c, "x");
    const int F = (int)x->count, n = integer(c, "n", 0);
    const float *lo = need_count(c, "lo", x->count)->v, *hi = need_count(c, "hi", x->count)->v;
    const size_t all = x->count * (size_t)n;
    float *v = floats(c, all), *act = floats(c, all), *width = floats(c, x->count);
    snn_population_desc d = {0};
    d.fields = n, d.beta = need(c, "beta")->v[0];
    for (int k = 0; k < 2; k++) {
        char name[NAME_BYTES];
        d.n3ml = k;
        d.rounding = k ? SNN_ROUND_EVEN : SNN_ROUND_NEAREST;
        d.t_max = need(c, k ? "n3ml_t_max" : "t_max")->v[0];
        d.t_silent = need(c, k ? "n3ml_not_to_fire" : "t_silent")->v[0];
        CALL(c, snn_population_fields(&d, F, v, width, lo, hi));
        check(c, "width", width, x->count, VALUE);
        snprintf(name, sizeof name, "centre_%s", of[k]);
        check(c, name, v, all, VALUE);
        CALL(c, snn_encode_population(&d, 1, F, v, act, x->v, lo, hi));
        snprintf(name, sizeof name, "act_%s", of[k]);
        check(c, name, act, all, VALUE);
        snprintf(name, sizeof name, "time_%s", of[k]);
        check_times(c, name, v, all, EXACT);
    }
    d.rounding = SNN_ROUND_DOWN;
    CALL(c, snn_encode_population(&d, 1, F, v, NULL, x->v, lo, hi));
    check_times(c, "time_n3ml_trunc", v, all, EXACT);
}

/* ---- online and local rules ---------------------------------------------------------------- */

static int need_axis(test_case *c, const char *name, int axis)
{
    const record *r = need(c, name);
    if (axis >= r->ndim)
        give_up(c, "%s has %d axes", name, r->ndim);
    return r->dim[axis];
}

/* A neuron of the rules, on plain arrays; its states are [n] each. */
static snn_neuron_model rule_neuron(test_case *c, snn_neuron_kind kind, const snn_neuron_desc *d,
                                    int n, float **state)
{
    snn_neuron_model m;
    CALL(c, snn_neuron_init(&m, snn_neuron_info(kind), d));
    for (int k = 0; k < m.def->states; k++)
        state[k] = floats(c, (size_t)n);
    return m;
}

/* 0 in a desc would mean: not given */
static float nonzero(float x)
{
    return x != 0.0f ? x : 1e-30f;
}

static snn_surrogate hat(float width, float height)
{
    snn_surrogate s = {SNN_HAT, width, height, NULL, NULL};
    return s;
}

static void add_scaled(float *y, const float *x, float a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void run_ottt(test_case *c)
{
    const int T = integer(c, "T", 0), I = need_axis(c, "W1", 1), H = need_axis(c, "W1", 0);
    const int O = need_axis(c, "W2", 0);
    const record *x = need_count(c, "x", (size_t)(T * I));
    const float *W1 = need(c, "W1")->v, *W2 = need_count(c, "W2", (size_t)(O * H))->v;
    const float *target = need_count(c, "target", (size_t)O)->v, th = number(c, "th", 1.0f);
    const snn_surrogate psi = hat(1.0f, 1.0f); /* whatever the threshold */
    float *u1[SNN_MAX_STATES], *u2[SNN_MAX_STATES], *now = floats(c, (size_t)(H + O));
    float *s1 = floats(c, (size_t)(T * H)), *s2 = floats(c, (size_t)(T * O));
    float *dW1 = floats(c, (size_t)(H * I)), *dW2 = floats(c, (size_t)(O * H));
    float *error = floats(c, (size_t)O), *below = floats(c, (size_t)H), *state1, *state2;
    double loss = 0.0;
    snn_online_desc d = {0};
    snn_neuron_desc lif = {0};
    snn_neuron_model m1, m2;
    d.decay = number(c, "lam", 0.0f);
    lif.beta = nonzero(d.decay);
    lif.threshold = th;
    lif.reset = SNN_RESET_SUBTRACT;
    m1 = rule_neuron(c, SNN_LIF, &lif, H, u1), m2 = rule_neuron(c, SNN_LIF, &lif, O, u2);
    state1 = floats(c, snn_online_size(&d, 1, I, H));
    state2 = floats(c, snn_online_size(&d, 1, H, O));
    for (int t = 0; t < T; t++) {
        const float *in = x->v + t * I;
        float *hidden = s1 + t * H, *out = s2 + t * O;
        CALL(c, snn_dense_forward(now, in, W1, NULL, 1, I, H));
        snn_neuron_forward(&m1, H, hidden, u1, now);
        CALL(c, snn_dense_forward(now + H, hidden, W2, NULL, 1, H, O));
        snn_neuron_forward(&m2, O, out, u2, now + H);
        for (int i = 0; i < H; i++) /* the membrane before its reset, above the threshold */
            now[i] = u1[0][i] + th * hidden[i] - th;
        for (int i = 0; i < O; i++) {
            now[H + i] = u2[0][i] + th * out[i] - th;
            error[i] = (out[i] - target[i]) / (float)T;
            loss += 0.5 * (double)error[i] * (double)(out[i] - target[i]);
        }
        snn_surrogate_grad(&psi, H + O, now, NULL, now);
        CALL(c, snn_online_linear(&d, 1, H, O, hidden, now + H, error, W2, state2, dW2, NULL,
                                  below));
        CALL(c, snn_online_linear(&d, 1, I, H, in, now, below, NULL, state1, dW1, NULL, NULL));
    }
    check(c, "s1", s1, (size_t)(T * H), EXACT);
    check(c, "s2", s2, (size_t)(T * O), EXACT);
    check_number(c, "loss", loss, VALUE);
    check(c, "dW1", dW1, (size_t)(H * I), VALUE);
    check(c, "dW2", dW2, (size_t)(O * H), VALUE);
}

/* The hidden layer once; each learning signal has its own gradients. */
static void run_eprop(test_case *c)
{
    const int T = integer(c, "T", 0), I = need_axis(c, "W_in", 1), H = need_axis(c, "W_in", 0);
    const int O = need_axis(c, "W_out", 0);
    const float *x = need_count(c, "x", (size_t)(T * I))->v;
    const float *target = need_count(c, "target", (size_t)(T * O))->v;
    const float *W_in = need(c, "W_in")->v, *W_rec = need_count(c, "W_rec", (size_t)(H * H))->v;
    const float *W_out = need_count(c, "W_out", (size_t)(O * H))->v, *B[2];
    const float th = number(c, "v_th", 0.0f), beta = number(c, "beta", 0.0f);
    const snn_surrogate psi = hat(th, number(c, "gamma", 0.0f) / th);
    float *u[SNN_MAX_STATES], *now = floats(c, (size_t)H), *slope = floats(c, (size_t)H);
    float *v = floats(c, (size_t)(T * H)), *A = floats(c, (size_t)(T * H));
    float *z = floats(c, (size_t)((T + 1) * H)), *y = floats(c, (size_t)(T * O));
    float *error = floats(c, (size_t)O), *signal = floats(c, (size_t)H), *state[2][2], *readout;
    float *dW_out = floats(c, (size_t)(O * H)), *d_in[2], *d_rec[2];
    double E = 0.0;
    snn_online_desc d = {0}, out = {0};
    snn_neuron_desc alif = {0};
    snn_neuron_model m;
    B[0] = W_out, B[1] = need_count(c, "B", (size_t)(O * H))->v;
    d.decay = number(c, "alpha", 0.0f);
    alif.beta = nonzero(d.decay);
    alif.threshold = th;
    d.adaptation = beta, d.adaptation_decay = number(c, "rho", 0.0f);
    alif.custom[2] = nonzero(d.adaptation_decay), alif.custom[3] = nonzero(beta);
    d.smooth = out.decay = number(c, "kappa", 0.0f);
    m = rule_neuron(c, SNN_ALIF, &alif, H, u);
    readout = floats(c, snn_online_size(&out, 1, H, O));
    for (int k = 0; k < 2; k++) {
        state[k][0] = floats(c, snn_online_size(&d, 1, I, H));
        state[k][1] = floats(c, snn_online_size(&d, 1, H, H));
        d_in[k] = floats(c, (size_t)(H * I)), d_rec[k] = floats(c, (size_t)(H * H));
    }
    for (int t = 0; t < T; t++) {
        const float *last = z + t * H;
        CALL(c, snn_dense_forward(now, x + t * I, W_in, NULL, 1, I, H));
        CALL(c, snn_dense_forward(slope, last, W_rec, NULL, 1, H, H));
        add_scaled(now, slope, 1.0f, (size_t)H);
        snn_neuron_forward(&m, H, z + (t + 1) * H, u, now);
        CALL(c, snn_dense_forward(y + t * O, z + (t + 1) * H, W_out, NULL, 1, H, O));
        if (t)
            add_scaled(y + t * O, y + (t - 1) * O, out.decay, (size_t)O);
        for (int i = 0; i < O; i++) {
            error[i] = y[t * O + i] - target[t * O + i];
            E += 0.5 * (double)error[i] * (double)error[i];
        }
        for (int i = 0; i < H; i++) {
            v[t * H + i] = u[0][i];
            A[t * H + i] = th + beta * u[1][i];
            slope[i] = v[t * H + i] - A[t * H + i];
        }
        snn_surrogate_grad(&psi, H, slope, NULL, slope);
        CALL(c, snn_online_linear(&out, 1, H, O, z + (t + 1) * H, NULL, error, NULL, readout,
                                  dW_out, NULL, NULL));
        for (int k = 0; k < 2; k++) {
            CALL(c, snn_dense_backward(signal, NULL, NULL, error, NULL, B[k], 1, H, O));
            CALL(c, snn_online_linear(&d, 1, I, H, x + t * I, slope, signal, NULL, state[k][0],
                                      d_in[k], NULL, NULL));
            CALL(c, snn_online_linear(&d, 1, H, H, last, slope, signal, NULL, state[k][1],
                                      d_rec[k], NULL, NULL));
        }
    }
    check(c, "v", v, (size_t)(T * H), VALUE);
    check(c, "A", A, (size_t)(T * H), VALUE);
    check(c, "z", z + H, (size_t)(T * H), EXACT);
    check(c, "y", y, (size_t)(T * O), VALUE);
    check_number(c, "E", E, VALUE);
    check(c, "dW_out", dW_out, (size_t)(O * H), VALUE);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < H; i++) /* no neuron has a synapse on itself */
            d_rec[k][i * H + i] = 0.0f;
        check(c, k ? "dW_in_rnd" : "dW_in_sym", d_in[k], (size_t)(H * I), VALUE);
        check(c, k ? "dW_rec_rnd" : "dW_rec_sym", d_rec[k], (size_t)(H * H), VALUE);
    }
}

static void run_decolle(test_case *c)
{
    const int T = integer(c, "T", 0), I = need_axis(c, "W0", 1), O = need_axis(c, "W0", 0);
    const int K = need_axis(c, "G", 0);
    const float *x = need_count(c, "x", (size_t)(T * I))->v;
    const float *target = need_count(c, "target", (size_t)(T * K))->v;
    const float *G = need_count(c, "G", (size_t)(K * O))->v, eta = number(c, "eta", 0.0f);
    const float gamma = number(c, "gamma", 0.0f);
    float *W = floats(c, (size_t)(O * I)), *b = floats(c, (size_t)O), *u[SNN_MAX_STATES];
    float *s = floats(c, (size_t)(T * O)), *U = floats(c, (size_t)(T * O)), *state;
    float *Y = floats(c, (size_t)K), *signal = floats(c, (size_t)O), *now = floats(c, (size_t)O);
    float *dW = floats(c, (size_t)(O * I)), *db = floats(c, (size_t)O);
    snn_surrogate box = {SNN_BOXCAR, 0.5f, 0.0f, NULL, NULL};
    snn_online_desc d = {0};
    snn_neuron_desc alif = {0};
    snn_neuron_model m;
    memcpy(W, need(c, "W0")->v, (size_t)(O * I) * sizeof(float));
    memcpy(b, need_count(c, "b0", (size_t)O)->v, (size_t)O * sizeof(float));
    d.decay = number(c, "beta", 0.0f), d.decay2 = number(c, "alpha", 0.0f), d.normalise = 1;
    alif.beta = -1.0f, alif.threshold = 1e-30f, alif.reset = SNN_RESET_NONE;
    alif.custom[2] = nonzero(gamma);
    alif.custom[3] = nonzero(number(c, "rho", 0.0f) * (1.0f - gamma));
    m = rule_neuron(c, SNN_ALIF, &alif, O, u);
    state = floats(c, snn_online_size(&d, 1, I, O));
    for (int t = 0; t < T; t++) {
        const float *P = snn_online_trace(&d, 1, I, x + t * I, state);
        CALL(c, snn_dense_forward(now, P, W, b, 1, I, O));
        snn_neuron_forward(&m, O, s + t * O, u, now);
        CALL(c, snn_dense_forward(Y, s + t * O, G, NULL, 1, O, K));
        add_scaled(Y, target + t * K, -1.0f, (size_t)K);
        CALL(c, snn_dense_backward(signal, NULL, NULL, Y, NULL, G, 1, O, K));
        for (int i = 0; i < O; i++)
            now[i] = U[t * O + i] = u[0][i] - alif.custom[3] * u[1][i];
        snn_surrogate_grad(&box, O, now, NULL, now);
        memset(dW, 0, (size_t)(O * I) * sizeof(float));
        memset(db, 0, (size_t)O * sizeof(float));
        CALL(c, snn_online_linear(&d, 1, I, O, NULL, now, signal, NULL, state, dW, db, NULL));
        add_scaled(W, dW, -eta, (size_t)(O * I));
        add_scaled(b, db, -eta, (size_t)O);
    }
    check(c, "s", s, (size_t)(T * O), EXACT);
    check(c, "U", U, (size_t)(T * O), VALUE);
    check(c, "W", W, (size_t)(O * I), VALUE);
    check(c, "b", b, (size_t)O, VALUE);
}

static void run_slayer(test_case *c)
{
    const int T = integer(c, "T", 0), I = need_axis(c, "W1", 1), H = need_axis(c, "W1", 0);
    const int O = need_axis(c, "W2", 0);
    const size_t hidden = (size_t)(T * H), out = (size_t)(T * O);
    const float *x = need_count(c, "x", (size_t)(T * I))->v;
    const float *W1 = need(c, "W1")->v, *W2 = need_count(c, "W2", (size_t)(O * H))->v;
    float *a1 = floats(c, (size_t)(T * I)), *u1 = floats(c, hidden), *s1 = floats(c, hidden);
    float *a2 = floats(c, hidden), *u2 = floats(c, out), *s2 = floats(c, out);
    float *e = floats(c, out), *e1 = floats(c, hidden), *pulse = floats(c, (size_t)T);
    float *dW1 = floats(c, (size_t)(H * I)), *dW2 = floats(c, (size_t)(O * H));
    double loss = 0.0;
    snn_slayer_desc d = {0};
    d.tau = number(c, "tau_s", 0.0f), d.tau_refractory = number(c, "tau_r", 0.0f);
    d.threshold = number(c, "th", 0.0f), d.steepness = number(c, "beta", 0.0f);
    d.height = 1.0f / number(c, "alpha", 0.0f);
    pulse[0] = 1.0f;
    CALL(c, snn_alpha_filter(d.tau, T, 1, pulse, pulse, 0));
    check(c, "eps", pulse, (size_t)T, VALUE);
    memset(pulse, 0, (size_t)T * sizeof(float));
    pulse[0] = -2.0f * d.threshold;
    CALL(c, snn_alpha_filter(d.tau_refractory, T, 1, pulse, pulse, 0));
    check(c, "nu", pulse, (size_t)T, VALUE);
    CALL(c, snn_slayer_forward(&d, T, 1, I, H, x, W1, a1, u1, s1));
    CALL(c, snn_slayer_forward(&d, T, 1, H, O, s1, W2, a2, u2, s2));
    memcpy(e, s2, out * sizeof(float));
    add_scaled(e, need_count(c, "target", out)->v, -1.0f, out);
    CALL(c, snn_alpha_filter(d.tau, T, O, e, e, 0));
    for (size_t i = 0; i < out; i++)
        loss += 0.5 * (double)e[i] * (double)e[i];
    CALL(c, snn_alpha_filter(d.tau, T, O, e, e, 1));
    CALL(c, snn_slayer_backward(&d, T, 1, H, O, a2, u2, W2, e, dW2, e1));
    CALL(c, snn_slayer_backward(&d, T, 1, I, H, a1, u1, NULL, e1, dW1, NULL));
    check(c, "u1", u1, hidden, VALUE);
    check(c, "s1", s1, hidden, EXACT);
    check(c, "u2", u2, out, VALUE);
    check(c, "s2", s2, out, EXACT);
    check_number(c, "loss", loss, VALUE);
    check(c, "dW1", dW1, (size_t)(H * I), VALUE);
    check(c, "dW2", dW2, (size_t)(O * H), VALUE);
}

static void run_forward_forward(test_case *c)
{
    const int O = need_axis(c, "W", 0), I = need_axis(c, "W", 1), B = need_axis(c, "x_pos", 0);
    const float *W = need(c, "W")->v, *b = need_count(c, "b", (size_t)O)->v;
    const float *x[2];
    float *h = floats(c, (size_t)(B * O));
    x[0] = need_count(c, "x_pos", (size_t)(B * I))->v;
    x[1] = need_count(c, "x_neg", (size_t)(B * I))->v;
    for (int mean = 0; mean < 2; mean++) {
        float *dW = floats(c, (size_t)(O * I)), *db = floats(c, (size_t)O), loss[2];
        snn_forward_forward_desc d = {0};
        d.threshold = number(c, mean ? "theta_mean" : "theta_sum", 0.0f), d.mean = mean;
        for (int k = 0; k < 2; k++) {
            d.negative = k;
            CALL(c, snn_forward_forward(&d, B, I, O, x[k], W, b, h, NULL, &loss[k], dW, db));
        }
        check_number(c, mean ? "loss_mean" : "loss_sum", (double)loss[0] + (double)loss[1], VALUE);
        check(c, mean ? "dW_mean" : "dW_sum", dW, (size_t)(O * I), VALUE);
        check(c, mean ? "db_mean" : "db_sum", db, (size_t)O, VALUE);
    }
}

static void run_bpstdp(test_case *c)
{
    const int T = integer(c, "T", 0), I = need_axis(c, "W1_0", 1), H = need_axis(c, "W1_0", 0);
    const int O = need_axis(c, "W2_0", 0), win = integer(c, "win", 0);
    const int *label = labels(c, "label", 1);
    const float *x = need_count(c, "x", (size_t)(T * I))->v, lr = number(c, "lr", 0.0f);
    const float *z = need_count(c, "z", (size_t)T)->v;
    const size_t n1 = (size_t)(H * I), n2 = (size_t)(O * H), w = (size_t)(win + 1);
    float *W1 = floats(c, n1), *W2 = floats(c, n2), *dW1 = floats(c, n1), *dW2 = floats(c, n2);
    float *u1[SNN_MAX_STATES], *u2[SNN_MAX_STATES], *now = floats(c, (size_t)(H + O));
    float *h = floats(c, (size_t)(T * H)), *o = floats(c, (size_t)(T * O));
    float *xi_o = floats(c, (size_t)(T * O)), *xi_h = floats(c, (size_t)H);
    float *in = floats(c, w * (size_t)I), *hidden = floats(c, w * (size_t)H);
    float *out = floats(c, w * (size_t)O);
    snn_neuron_desc d = {0};
    snn_neuron_model m1, m2;
    memcpy(W1, need(c, "W1_0")->v, n1 * sizeof(float));
    memcpy(W2, need_count(c, "W2_0", n2)->v, n2 * sizeof(float));
    d.reset = SNN_RESET_ZERO, d.fire_at_threshold = 1;
    d.threshold = number(c, "th1", 0.0f);
    m1 = rule_neuron(c, SNN_IF, &d, H, u1);
    d.threshold = number(c, "th2", 0.0f);
    m2 = rule_neuron(c, SNN_IF, &d, O, u2);
    for (int t = 0; t < T; t++) {
        CALL(c, snn_dense_forward(now, x + t * I, W1, NULL, 1, I, H));
        snn_neuron_forward(&m1, H, h + t * H, u1, now);
        CALL(c, snn_dense_forward(now, h + t * H, W2, NULL, 1, H, O));
        snn_neuron_forward(&m2, O, o + t * O, u2, now);
        memset(dW1, 0, n1 * sizeof(float));
        memset(dW2, 0, n2 * sizeof(float));
        CALL(c, snn_bpstdp_error(win, t, 1, O, o + t * O, label, z + t, out, xi_o + t * O));
        CALL(c, snn_bpstdp_linear(win, t, 1, H, O, h + t * H, xi_o + t * O, W2, hidden, dW2, xi_h));
        CALL(c, snn_bpstdp_linear(win, t, 1, I, H, x + t * I, xi_h, NULL, in, dW1, NULL));
        add_scaled(W1, dW1, lr, n1);
        add_scaled(W2, dW2, lr, n2);
    }
    check(c, "h", h, (size_t)(T * H), EXACT);
    check(c, "o", o, (size_t)(T * O), EXACT);
    check(c, "xi_o", xi_o, (size_t)(T * O), EXACT);
    check(c, "W1", W1, n1, VALUE);
    check(c, "W2", W2, n2, VALUE);
}

/* ---- encoders of other frameworks ---------------------------------------------------------- */

static void run_st_encoders(test_case *c)
{
    const record *x = need(c, "x");
    const int T = integer(c, "T", 0), n = (int)x->count;
    const size_t all = (size_t)T * x->count;
    const float scale = number(c, "scale", 1.0f), gain = number(c, "scale_out", 1.0f);
    float *out = floats(c, all), *sum = floats(c, x->count);
    CALL(c, snn_encode_periodic(out, x->v, T, n, scale, 0));
    check(c, "periodic", out, all, EXACT);
    CALL(c, snn_encode_draws(out, x->v, need_count(c, "r", all)->v, T, n, scale, 1));
    check(c, "poisson", out, all, EXACT);
    CALL(c, snn_decode_sum(sum, out, T, n, gain, -0.5f * (float)T));
    check(c, "sum_offset", sum, x->count, VALUE);
    CALL(c, snn_decode_sum(sum, out, T, n, gain, 0.0f));
    check(c, "sum_plain", sum, x->count, VALUE);
    CALL(c, snn_decode_sum(sum, out, T, n, 1.0f / (float)T, 0.0f));
    check(c, "rate", sum, x->count, VALUE);
}

static void run_n3ml_encoders(test_case *c)
{
    const record *x = need(c, "x"), *isi = need(c, "isi");
    const int T = integer(c, "T", 0), n = (int)x->count;
    const size_t all = (size_t)T * x->count;
    const float *r = need_count(c, "r", all)->v;
    const float *x32 = need_count(c, "x32", x->count)->v;
    float *out = floats(c, all);
    CALL(c, snn_encode_draws(out, x->v, r, T, n, 1.0f / number(c, "scale", 1.0f), 0));
    check(c, "simple", out, all, EXACT);
    CALL(c, snn_encode_draws(out, x32, r, T, n, 1.0f / 32.0f, 0));
    check(c, "simple_poisson", out, all, EXACT);
    if (isi->count != all + x->count)
        give_up(c, "isi has %zu values", isi->count);
    CALL(c, snn_encode_intervals(out, labels(c, "isi", (int)isi->count),
                                 need_count(c, "rate_hz", x->count)->v, T, n));
    check(c, "poisson", out, all, EXACT);
}

/* ---- Diehl & Cook: conductances, homeostasis, the network ---------------------------------- */

static float not_zero(float x) /* 0 in a desc would mean the default */
{
    return x != 0.0f ? x : 1e-30f;
}

/* n neurons on plain arrays, with a threshold each that snn_homeostasis moves */
typedef struct population {
    snn_neuron_model model;
    float *state[SNN_MAX_STATES], *theta, *threshold, *spikes, *x;
    float base, decay, plus;
    int n;
} population;

static void population_begin(test_case *c, population *p, snn_neuron_kind kind,
                             const snn_neuron_desc *d, int n, float decay, float plus)
{
    const snn_neuron_def *def = snn_neuron_info(kind);
    CALL(c, snn_neuron_init(&p->model, def, d));
    for (int k = 0; k < def->states; k++)
        p->state[k] = floats(c, (size_t)n);
    p->theta = floats(c, (size_t)n);
    p->threshold = floats(c, (size_t)n);
    p->spikes = floats(c, (size_t)n);
    p->x = floats(c, 2 * (size_t)n);
    p->base = p->model.value[0], p->decay = decay, p->plus = plus, p->n = n;
    p->model.param[0] = p->threshold;
    snn_neuron_start(&p->model, n, p->state);
    CALL(c, snn_homeostasis(n, p->theta, p->threshold, NULL, p->base, decay, plus));
}

static void population_step(test_case *c, population *p)
{
    snn_neuron_forward(&p->model, p->n, p->spikes, p->state, p->x);
    CALL(c, snn_homeostasis(p->n, p->theta, p->threshold, p->spikes, p->base, p->decay, p->plus));
}

static void check_history(test_case *c, const char *name, float **history, double tolerance)
{
    check(c, name, *history, need(c, name)->count, tolerance);
}

/* The neuron by itself; c->arg: exponential Euler. */
static void run_rule_dc_lif(test_case *c)
{
    const record *in_e = need(c, "in_e"), *in_i = need_count(c, "in_i", in_e->count);
    const record *theta0 = need(c, "theta0");
    const int n = (int)theta0->count, T = (int)(in_e->count / theta0->count);
    const float dt = number(c, "dt", 0.5f);
    static const char *const names[] = {"v", "g_e", "g_i", "theta", "spikes"};
    float *history[5];
    snn_neuron_desc d = {0};
    population p;
    d.threshold = not_zero(number(c, "v_th", 0.0f));
    d.custom[1] = dt / number(c, "tau_m", 1.0f);
    d.custom[2] = (float)c->arg;
    d.custom[3] = not_zero(number(c, "E_e", 0.0f));
    d.custom[4] = not_zero(number(c, "E_i", 0.0f));
    d.custom[5] = expf(-dt / number(c, "tau_ge", 1.0f));
    d.custom[6] = expf(-dt / number(c, "tau_gi", 1.0f));
    d.v_rest = not_zero(number(c, "v_rest", 0.0f));
    d.v_reset = not_zero(number(c, "v_reset", 0.0f));
    d.refractory = roundf(number(c, "t_ref", 0.0f) / dt);
    if (d.refractory == 0.0f)
        d.refractory = -1.0f;
    population_begin(c, &p, SNN_CONDUCTANCE_LIF, &d, n,
                     (float)exp(-(double)dt / (double)number(c, "tau_theta", 1e7f)),
                     number(c, "theta_plus", 0.0f));
    memcpy(p.theta, theta0->v, (size_t)n * sizeof(float));
    CALL(c, snn_homeostasis(n, p.theta, p.threshold, NULL, p.base, p.decay, p.plus));
    for (int k = 0; k < 5; k++)
        history[k] = floats(c, in_e->count);
    for (int t = 0; t < T; t++) {
        const float *now[5];
        memcpy(p.x, in_e->v + t * n, (size_t)n * sizeof(float));
        memcpy(p.x + n, in_i->v + t * n, (size_t)n * sizeof(float));
        population_step(c, &p);
        now[0] = p.state[0], now[1] = p.state[1], now[2] = p.state[2], now[3] = p.theta;
        now[4] = p.spikes;
        for (int k = 0; k < 5; k++)
            memcpy(history[k] + t * n, now[k], (size_t)n * sizeof(float));
    }
    for (int k = 0; k < 5; k++)
        check_history(c, names[k], &history[k], k == 4 ? EXACT : VALUE);
}

/* The network, conductance based in the paper's form, current based in n3ml's. The latter's
 * connections all deliver one step late; the former's input does not. */
static void run_rule_dc_net(test_case *c)
{
    const int n3ml = c->arg;
    const record *x = need(c, "x"), *w0 = need(c, "W0");
    const int n = w0->dim[0], in = w0->dim[1], T = x->dim[0];
    const float w_ei = number(c, "w_ei", 0.0f), w_ie = number(c, "w_ie", 0.0f);
    const float dt = number(c, n3ml ? "e_dt" : "dt", 1.0f);
    float *w = floats(c, w0->count), *quiet = floats(c, (size_t)in);
    float *trace_pre = floats(c, (size_t)in), *trace_post = floats(c, 2 * (size_t)n);
    float *se = floats(c, (size_t)(T * n)), *si = floats(c, (size_t)(T * n));
    float *ve = floats(c, (size_t)(T * n)), *vi = floats(c, (size_t)(T * n));
    population e, i;
    snn_neuron_desc d[2] = {{0}, {0}};
    snn_stdp_desc rule = {0};
    for (int k = 0; n3ml && k < 2; k++) {
        static const char *const names[2][6] = {
            {"e_v_th", "e_rest", "e_reset", "e_tau_rc", "e_tau_ref", "e_dt"},
            {"i_v_th", "i_rest", "i_reset", "i_tau_rc", "i_tau_ref", "i_dt"}};
        const float step = number(c, names[k][5], 1.0f);
        d[k].threshold = not_zero(number(c, names[k][0], 0.0f));
        d[k].v_rest = number(c, names[k][1], 0.0f);
        d[k].v_reset = number(c, names[k][2], 0.0f);
        d[k].beta = expf(-step / number(c, names[k][3], 1.0f));
        d[k].refractory = ceilf(number(c, names[k][4], 0.0f) / step);
        d[k].fire_at_threshold = 1;
    }
    if (!n3ml) { /* the library's defaults, and the other setting that its comment gives */
        d[1].threshold = -40.0f, d[1].v_rest = -60.0f, d[1].v_reset = -45.0f;
        d[1].refractory = 4.0f, d[1].custom[1] = 0.05f, d[1].custom[4] = -85.0f;
    }
    population_begin(c, &e, n3ml ? SNN_LIF : SNN_CONDUCTANCE_LIF, &d[0], n,
                     n3ml ? 1.0f : expf(-dt / number(c, "tau_theta", 1e7f)),
                     number(c, n3ml ? "e_theta_plus" : "theta_plus", 0.0f));
    population_begin(c, &i, n3ml ? SNN_LIF : SNN_CONDUCTANCE_LIF, &d[1], n, 1.0f, 0.0f);
    rule.tau_pre = number(c, n3ml ? "e_tau_tr" : "tau_pre", 20.0f) / dt;
    rule.tau_post = number(c, n3ml ? "e_tau_tr" : "tau_post1", 20.0f) / dt;
    rule.exponential = rule.nearest = rule.clip = 1;
    rule.bound = SNN_STDP_ADDITIVE;
    rule.a_pre = number(c, n3ml ? "lr_pre" : "nu_pre", 0.0f);
    if (n3ml)
        rule.a_post = number(c, "lr_post", 0.0f);
    else {
        rule.order = SNN_STDP_IN_TURN;
        rule.a_post3 = number(c, "nu_post", 0.0f), rule.w_max = number(c, "w_max", 1.0f);
        rule.tau_post2 = number(c, "tau_post2", 40.0f) / dt;
    }
    memcpy(w, w0->v, w0->count * sizeof(float));
    for (int t = 0; t < T; t++) {
        const float *now = x->v + t * in, *seen = n3ml ? t ? now - in : quiet : now;
        float total = 0.0f;
        for (int k = 0; k < n; k++)
            total += i.spikes[k];
        for (int k = 0; k < n; k++) {
            const float inhibition = w_ie * (total - i.spikes[k]);
            e.x[k] = 0.0f;
            for (int j = 0; j < in; j++)
                e.x[k] += w[k * in + j] * seen[j];
            i.x[k] = w_ei * e.spikes[k];
            if (n3ml)
                e.x[k] += inhibition;
            else
                e.x[n + k] = inhibition, i.x[n + k] = 0.0f;
        }
        population_step(c, &e);
        population_step(c, &i);
        CALL(c, snn_stdp_linear(&rule, 1, in, n, now, e.spikes, trace_pre, trace_post, w, w, NULL));
        memcpy(se + t * n, e.spikes, (size_t)n * sizeof(float));
        memcpy(si + t * n, i.spikes, (size_t)n * sizeof(float));
        memcpy(ve + t * n, e.state[0], (size_t)n * sizeof(float));
        memcpy(vi + t * n, i.state[0], (size_t)n * sizeof(float));
    }
    check(c, n3ml ? "s_exc" : "se", se, (size_t)(T * n), EXACT);
    check(c, n3ml ? "s_inh" : "si", si, (size_t)(T * n), EXACT);
    check(c, n3ml ? "v_exc" : "v_e", ve, (size_t)(T * n), 2 * VALUE);
    check(c, n3ml ? "v_inh" : "v_i", vi, (size_t)(T * n), 2 * VALUE);
    check(c, "theta", e.theta, (size_t)n, 2 * VALUE);
    if (n3ml) {
        check(c, "x_exc", trace_post, (size_t)n, VALUE);
        check(c, "x_in", trace_pre, (size_t)in, VALUE);
    }
    check(c, "W", w, w0->count, 2 * VALUE);
    CALL(c, snn_normalise_rows(w, n, in, number(c, n3ml ? "alpha" : "w_norm", 1.0f), n3ml));
    check(c, "W_norm", w, w0->count, 2 * VALUE);
    find(c, "i_tau_tr"); /* of traces that no rule reads */
}

/* ---- the table of kinds -------------------------------------------------------------------- */

static const struct {
    const char *kind;
    void (*run)(test_case *c);
    int net; /* runs once for each of `variants` */
    int arg; /* test_case.arg */
} kinds[] = {
    {"leaky", run_neuron, 1, SNN_LEAKY},
    {"lapicque", run_neuron, 1, SNN_LAPICQUE},
    {"synaptic", run_neuron, 1, SNN_SYNAPTIC},
    {"alpha", run_neuron, 1, SNN_ALPHA},
    {"rleaky", run_neuron, 1, SNN_RLEAKY},
    {"rsynaptic", run_neuron, 1, SNN_RSYNAPTIC},
    {"slstm", run_slstm, 1, 0},
    {"slstm_stateless", run_slstm, 1, 0},
    {"sconv2dlstm", run_sconv2dlstm, 1, 0},
    {"stateleaky", run_neuron, 1, SNN_STATE_LEAKY},
    {"linearleaky", run_neuron, 1, SNN_STATE_LEAKY},
    {"deltaleaky", run_neuron, 1, SNN_DELTA_LEAKY},
    {"leakyparallel", run_leakyparallel, 1, 0},
    {"quant", run_quant, 1, 0},
    {"surrogate", run_surrogate, 0, 0},
    {"linear", run_layer, 1, LINEAR},
    {"conv2d", run_layer, 1, CONV2D},
    {"conv_transpose2d", run_layer, 1, CONV_TRANSPOSE2D},
    {"max_pool2d", run_layer, 1, MAX_POOL2D},
    {"avg_pool2d", run_layer, 1, AVG_POOL2D},
    {"batch_norm", run_layer, 1, BATCH_NORM},
    {"bntt", run_layer, 1, BNTT},
    {"graded_spikes", run_layer, 1, GRADED_SPIKES},
    {"cross_entropy", run_cross_entropy, 0, 0},
    {"mse_loss", run_mse, 0, 0},
    {"loss_ce_rate", run_loss, 0, SNN_LOSS_CE_RATE},
    {"loss_ce_count", run_loss, 0, SNN_LOSS_CE_COUNT},
    {"loss_ce_max_membrane", run_loss, 0, SNN_LOSS_CE_MAX_MEMBRANE},
    {"loss_ce_temporal", run_loss, 0, SNN_LOSS_CE_TEMPORAL},
    {"loss_mse_count", run_loss, 0, SNN_LOSS_MSE_COUNT},
    {"loss_mse_membrane", run_loss, 0, SNN_LOSS_MSE_MEMBRANE},
    {"loss_mse_temporal", run_loss, 0, SNN_LOSS_MSE_TEMPORAL},
    {"reg_l1", run_l1, 0, 0},
    {"acc_rate", run_accuracy, 0, SNN_ACCURACY_RATE},
    {"acc_temporal", run_accuracy, 0, SNN_ACCURACY_TEMPORAL},
    {"sg_rate", run_sg_rate, 0, 0},
    {"sg_latency_code", run_sg_latency, 0, 0},
    {"sg_latency", run_sg_latency, 0, 0},
    {"sg_latency_interpolate", run_sg_latency_interpolate, 0, 0},
    {"sg_delta", run_sg_delta, 0, 0},
    {"sg_one_hot", run_sg_one_hot, 0, 0},
    {"sg_target_rate_code", run_sg_target_rate_code, 0, 0},
    {"sg_rate_interpolate", run_sg_rate_interpolate, 0, 0},
    {"sg_targets_rate", run_sg_targets_rate, 0, 0},
    {"sg_targets_latency", run_sg_targets_latency, 0, 0},
    {"opt_sgd", run_optim, 0, SNN_SGD},
    {"opt_adam", run_optim, 0, SNN_ADAM},
    {"opt_adamw", run_optim, 0, SNN_ADAMW},
    {"sched_step", run_schedule, 0, SNN_SCHEDULE_STEP},
    {"sched_cosine", run_schedule, 0, SNN_SCHEDULE_COSINE},
    {"e2e_mlp", run_e2e_mlp, 1, SNN_LEAKY},
    {"e2e_rleaky", run_e2e_mlp, 1, SNN_RLEAKY},
    {"e2e_synaptic", run_e2e_mlp, 1, SNN_SYNAPTIC},
    {"e2e_convnet", run_e2e_convnet, 1, 0},
    {"e2e_convnet_bntt", run_e2e_convnet, 1, BNTT},
    {"train_mlp_sgd", run_train_mlp, 1, SNN_SGD},
    {"train_mlp_adam", run_train_mlp, 1, SNN_ADAM},
    {"bptt", run_bptt, 1, 0},
    {"rule_st_if", run_rule_neuron, 1, SNN_IF},
    {"rule_st_lif", run_rule_neuron, 1, SNN_LIF},
    {"rule_st_lif_decay", run_rule_neuron, 1, SNN_LIF},
    {"rule_st_spikingdecay", run_rule_neuron, 1, SNN_LIF},
    {"rule_st_coarselif", run_rule_neuron, 1, SNN_COARSE_LIF},
    {"rule_st_biolif", run_rule_neuron, 1, SNN_BIO_LIF},
    {"rule_st_mcpitts", run_rule_neuron, 1, SNN_MCPITTS},
    {"rule_softlif", run_rule_softlif, 1, 0},
    {"rule_stbp", run_rule_stbp, 1, 0},
    {"rule_stdp_pair_all_add", run_rule_stdp, 0, PAIR},
    {"rule_stdp_pair_near_add", run_rule_stdp, 0, PAIR},
    {"rule_stdp_pair_all_mult", run_rule_stdp, 0, PAIR},
    {"rule_stdp_pair_near_mult", run_rule_stdp, 0, PAIR},
    {"rule_stdp_pair_all_pow", run_rule_stdp, 0, PAIR},
    {"rule_stdp_triplet_pg", run_rule_stdp, 0, TRIPLET},
    {"rule_stdp_dc_power", run_rule_stdp, 0, DC_POWER},
    {"rule_stdp_dc_exp", run_rule_stdp, 0, DC_EXP},
    {"rule_stdp_dc_prepost", run_rule_stdp, 0, DC_PREPOST},
    {"rule_stdp_dc_triplet", run_rule_stdp, 0, DC_TRIPLET},
    {"rule_stdp_n3ml_postpre", run_rule_stdp, 0, POSTPRE},
    {"rule_rstdp_florian", run_rule_reward, 0, MSTDP},
    {"rule_rstdp_dopamine", run_rule_reward, 0, DOPAMINE},
    {"rule_rstdp_mozafari", run_rule_mozafari, 0, 0},
    {"rule_resume", run_rule_resume, 0, 0},
    {"rule_nef_pes", run_rule_pes, 0, 0},
    {"rule_weight_norm", run_rule_weight_norm, 0, 0},
    {"rule_label_assign", run_rule_label_assign, 0, 0},

    {"rule_convert_mlp", run_convert, 1, 0},
    {"rule_convert_cnn", run_convert, 1, 0},
    {"rule_spikenorm_mlp", run_spikenorm, 1, 0},
    {"rule_spikenorm_cnn", run_spikenorm, 1, 0},
    {"rule_qcfs", run_qcfs, 1, 0},

    {"rule_spikeprop", run_rule_spikeprop, 0, 0},
    {"rule_spikeprop_xor", run_rule_spikeprop, 0, 0},
    {"rule_spikeprop_n3ml", run_rule_spikeprop, 0, 1},
    {"rule_eventprop", run_rule_eventprop, 0, 0},
    {"rule_population_code", run_rule_population_code, 0, 0},

    {"rule_ottt", run_ottt, 0, 0},
    {"rule_eprop", run_eprop, 0, 0},
    {"rule_decolle", run_decolle, 0, 0},
    {"rule_slayer", run_slayer, 0, 0},
    {"rule_forward_forward", run_forward_forward, 0, 0},
    {"rule_bpstdp", run_bpstdp, 0, 0},
    {"rule_st_encoders", run_st_encoders, 0, 0},
    {"rule_n3ml_encoders", run_n3ml_encoders, 0, 0},

    {"rule_dc_lif_exc_euler", run_rule_dc_lif, 0, 0},
    {"rule_dc_lif_exc_expeuler", run_rule_dc_lif, 0, 1},
    {"rule_dc_lif_inh_euler", run_rule_dc_lif, 0, 0},
    {"rule_dc_lif_inh_expeuler", run_rule_dc_lif, 0, 1},
    {"rule_dc_net", run_rule_dc_net, 0, 0},
    {"rule_n3ml_dc_net", run_rule_dc_net, 0, 1},

    {"stdp_linear", run_stdp_linear, 0, 0},
    {"mstdp_linear", run_stdp_linear, 0, 1},
    {"mstdpet_linear", run_stdp_linear, 0, 1},
    {"stdp_conv1d", run_stdp_conv, 0, 0},
    {"stdp_conv2d", run_stdp_conv, 0, 0},
    {"stdp_learner", run_stdp_learner, 1, 0},
    {"data_nmnist", run_data_nmnist, 0, 0},
    {"data_dvsgesture", run_data_dvsgesture, 0, 0},
    {"data_shd", run_data_shd, 0, 0},
    {"nir_lif", run_nir, 0, 0},
    {"nir_cubalif", run_nir, 0, 0},
    {"nir_rleaky", run_nir, 0, 0},
    {"nir_rsynaptic", run_nir, 0, 0},
};

/* Records that need not be looked at: sizes and flags that other records show as well, settings
 * that are off, and the reference's own oddities. */
static const char *const optional[] = {
    "T", "B", "C", "in_features", "out_features", "in_channels", "out_channels", "kernel_h",
    "kernel_w", "has_bias", "has_weight", "image", "num_classes", "num_steps", "on_count",
    "off_count", "Lambda", "correct_rate", "incorrect_rate", "below_threshold", "from_one_hot",
    "batches", "quirk", "channels", "input_size", "hidden_size", "H", "W", "features", "size",
    "min_margin", "half_spike",
};

static void run_kind(test_case *c, int row)
{
    const int runs = kinds[row].net ? (int)COUNT_OF(variants) : 1;
    c->arg = kinds[row].arg;
    for (int i = 0; i < runs; i++) {
        c->how = kinds[row].net ? &variants[i] : NULL;
        kinds[row].run(c);
    }
    c->how = NULL;
    for (size_t i = 0; i < COUNT_OF(optional); i++)
        find(c, optional[i]);
    for (int i = 0; i < c->count; i++)
        if (!c->records[i].used)
            give_up(c, "record %s was not looked at", c->records[i].name);
}

/* ---- files --------------------------------------------------------------------------------- */

static char *read_text(test_case *c, const char *path)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    char *text = NULL;
    if (f && !fseek(f, 0, SEEK_END))
        size = ftell(f);
    if (size >= 0 && size < LONG_MAX)
        text = (char *)calloc(1, (size_t)size + 1);
    if (text) {
        rewind(f);
        if (fread(text, 1, (size_t)size, f) != (size_t)size || memchr(text, 0, (size_t)size)) {
            free(text);
            text = NULL;
        }
    }
    if (f)
        fclose(f);
    if (!text)
        give_up(c, "not a readable text file");
    return text;
}

/* Takes an integer off the line; *s is NULL if there was none. */
static long take_integer(char **s)
{
    char *end;
    long value = strtol(*s, &end, 10);
    *s = end == *s ? NULL : end;
    return value;
}

/* `name ndim d0 .. : v v ..`; damages the line */
static void parse_record(test_case *c, char *line, record *r)
{
    char *s = line + strcspn(line, " ");
    long ndim;
    if (*s)
        *s++ = 0;
    r->name = line;
    r->count = 1;
    ndim = take_integer(&s);
    if (!s || ndim < 0 || ndim > MAX_AXES)
        give_up(c, "record %.40s has a bad head", line);
    for (r->ndim = 0; r->ndim < ndim; r->ndim++) {
        long dim = take_integer(&s);
        if (!s || dim < 0 || dim > INT_MAX || (dim && r->count > INT_MAX / (size_t)dim))
            give_up(c, "record %s has a bad shape", r->name);
        r->dim[r->ndim] = (int)dim;
        r->count *= (size_t)dim;
    }
    s += strspn(s, " ");
    if (*s++ != ':' || r->count > strlen(s)) /* at least a digit a value */
        give_up(c, "record %s is cut short", r->name);
    r->v = floats(c, r->count);
    for (size_t i = 0; i < r->count; i++) {
        char *end;
        r->v[i] = strtof(s, &end);
        if (end == s || !is_finite(r->v[i]))
            give_up(c, "record %s: value %zu of %zu is missing or bad", r->name, i, r->count);
        s = end;
    }
    if (s[strspn(s, " ")])
        give_up(c, "record %s has more than %zu values", r->name, r->count);
}

static void parse(test_case *c, char *text)
{
    const char *title = NULL;
    size_t lines = 1;
    for (const char *s = text; *s; s++)
        lines += *s == '\n';
    c->records = (record *)allocate(c, lines, sizeof *c->records);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        if (!strncmp(line, "# kind: ", 8) && !c->kind)
            c->kind = line + 8;
        else if (!strncmp(line, "# ", 2) && !title)
            title = line + 2;
        else if (*line && *line != '#')
            parse_record(c, line, &c->records[c->count++]);
    }
    if (!c->kind)
        c->kind = title;
    c->quirk = find(c, "quirk") != NULL;
}

/* Everything that may give up. */
static void run_guarded(test_case *c, char **text, const char *path, int list)
{
    if (setjmp(c->bail))
        return;
    *text = read_text(c, path);
    parse(c, *text);
    if (!c->kind)
        give_up(c, "no line `# kind: ` or `# ` at the top");
    if (list) {
        printf("%-40s %s\n", c->file, c->kind);
        return;
    }
    for (int i = 0; i < (int)COUNT_OF(kinds); i++)
        if (!strcmp(kinds[i].kind, c->kind)) {
            run_kind(c, i);
            return;
        }
    give_up(c, "kind not supported: %s", c->kind);
}

enum { PASSED, FAILED, SKIPPED };

static int run_file(const char *directory, const char *file, int list, int verbose)
{
    test_case *c = (test_case *)calloc(1, sizeof *c);
    char *path = (char *)malloc(strlen(directory) + strlen(file) + 2), *text = NULL;
    int result = FAILED;
    if (!c || !path)
        exit(1);
    sprintf(path, "%s/%s", directory, file);
    c->file = file;
    c->verbose = verbose;
    run_guarded(c, &text, path, list);
    if (!c->failures)
        result = !c->differences ? PASSED : c->quirk ? SKIPPED : FAILED;
    if (result == SKIPPED)
        printf("quirk %s: intended behaviour instead\n", file);
    else if (verbose)
        printf("%s %s\n", result == PASSED ? "passed" : "FAILED", file);
    snn_net_destroy(c->net);
    for (block *b = c->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(text);
    free(path);
    free(c);
    return result;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The sorted names of all *.txt in the folder; their number, or -1. */
static int list_directory(const char *directory, char ***names)
{
    int count = 0;
    struct dirent *entry;
    DIR *d = opendir(directory);
    *names = NULL;
    while (d && (entry = readdir(d)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".txt"))
            continue;
        *names = (char **)realloc(*names, ((size_t)count + 1) * sizeof **names);
        if (!*names || !((*names)[count] = (char *)malloc(length + 1)))
            exit(1);
        memcpy((*names)[count++], entry->d_name, length + 1);
    }
    if (count)
        qsort(*names, (size_t)count, sizeof **names, compare_names);
    return d ? closedir(d), count : -1;
}

/* Does the name start with one of the prefixes, which commas separate? */
static int has_prefix(const char *name, const char *prefixes)
{
    size_t length;
    for (; *prefixes; prefixes += length + (prefixes[length] == ',')) {
        length = strcspn(prefixes, ",");
        if (length && !strncmp(name, prefixes, length))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *directory = NULL, *skip = "", *only = NULL;
    int list = 0, verbose = 0, usage = 0, count, results[3] = {0, 0, 0};
    char **names;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--list"))
            list = 1;
        else if (!strcmp(argv[i], "--verbose"))
            verbose = 1;
        else if (!strcmp(argv[i], "--skip") && i + 1 < argc)
            skip = argv[++i];
        else if (!strcmp(argv[i], "--only") && i + 1 < argc)
            only = argv[++i];
        else if (argv[i][0] != '-' && !directory)
            directory = argv[i];
        else
            usage = 1;
    if (usage || !directory) {
        puts("usage: test_vectors DIR [--list] [--skip prefix,...] [--only prefix] [--verbose]");
        return 2;
    }
    count = list_directory(directory, &names);
    if (count <= 0)
        printf("%s: %s\n", directory, count ? strerror(errno) : "no vectors");
    for (int i = 0; i < count; i++) {
        if (!has_prefix(names[i], skip) && (!only || has_prefix(names[i], only)))
            results[run_file(directory, names[i], list, verbose)]++;
        free(names[i]);
    }
    free(names);
    if (!list) {
        printf("%d passed, %d failed", results[PASSED], results[FAILED]);
        printf(results[SKIPPED] ? ", %d skipped\n" : "\n", results[SKIPPED]);
    }
    return results[FAILED] > 0 || results[PASSED] == 0;
}
