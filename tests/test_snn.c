/* test_snn.c - the library's own tests
 *
 *     cc -O2 tests/test_snn.c -o build/test_snn -lm && build/test_snn
 *     build/test_snn [--list] [--verbose] [filter]     filter: part of a test's name
 *
 * Every named case counts one. Prints failures, then `N passed, N failed`; exits 1 on a failure.
 * Nets are rows of a small language (see lay() below), so that one table drives every check. */
#ifndef SNN_IMPLEMENTATION
    #define SNN_IMPLEMENTATION
#endif
#include "../snn.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
    #include <omp.h>
#endif

/* ---- harness ---- */

#define MAX_CASES 6000
#define MAX_KEPT 4096
#define ZERO(type, name) \
    type name; \
    memset(&name, 0, sizeof name)
#define CHECK(condition) ((condition) ? (void)0 : fail("line %d: %s", __LINE__, #condition))
#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

typedef struct test_case {
    char name[80];
    void (*run)(int a, int b);
    int a, b;
} test_case;

static test_case g_cases[MAX_CASES];
static int g_case_count, g_fails, g_verbose;
static const char *g_name;
static void *g_kept[MAX_KEPT]; /* memory of the current case, freed after it */
static snn_net *g_nets[MAX_KEPT];
static int g_kept_count, g_net_count;

static void fail(const char *format, ...)
{
    va_list args;
    if (g_fails++ >= 5) return; /* the first ones tell enough */
    printf("FAIL %s: ", g_name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void note(const char *format, ...)
{
    va_list args;
    if (!g_verbose) return;
    printf("     %s: ", g_name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void add(void (*run)(int, int), int a, int b, const char *format, ...)
{
    test_case *c = &g_cases[g_case_count];
    va_list args;
    if (g_case_count == MAX_CASES) {
        fprintf(stderr, "too many cases\n");
        exit(2);
    }
    g_case_count++;
    va_start(args, format);
    vsnprintf(c->name, sizeof c->name, format, args);
    va_end(args);
    c->run = run;
    c->a = a;
    c->b = b;
}

static void *keep_bytes(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p || g_kept_count == MAX_KEPT) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    g_kept[g_kept_count++] = p;
    return p;
}

static float *floats(size_t n)
{
    float *p = (float *)keep_bytes(n * sizeof(float));
    memset(p, 0, n * sizeof(float));
    return p;
}

static snn_net *keep_net(snn_net *net)
{
    if (net) g_nets[g_net_count++] = net;
    return net;
}

static void release(void)
{
    while (g_net_count > 0) snn_net_destroy(g_nets[--g_net_count]);
    while (g_kept_count > 0) free(g_kept[--g_kept_count]);
}

static float uniform(float lo, float hi, uint32_t stream, size_t i)
{
    return lo + (hi - lo) * snn_uniform(99, stream, 0, (uint32_t)i);
}

/* a desc's field, or its default */
static double given(float value, double otherwise)
{
    return value != 0.0f ? (double)value : otherwise;
}

static double worst_relative(const float *a, const float *b, size_t n)
{
    double scale = 1e-3, worst = 0.0;
    size_t i;
    for (i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]), m = fabs((double)b[i]);
        if (!(d <= worst)) worst = d; /* a NaN becomes the worst and stays */
        if (m > scale) scale = m;
    }
    return worst / scale;
}

static int same_bits(const float *a, const float *b, size_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof(float)) == 0;
}

/* all the words are in the sentence; a ~ is a space within one */
static int has_words(const char *sentence, const char *words)
{
    char word[32], *c;
    int n;
    while (sscanf(words, " %31s%n", word, &n) == 1) {
        for (c = word; *c; c++)
            if (*c == '~') *c = ' ';
        if (!strstr(sentence, word)) return 0;
        words += n;
    }
    return 1;
}

/* ---- nets as text ---- */

typedef struct net_row {
    const char *name;
    snn_input_kind input;
    int c, h, w; /* h 0: a vector */
    int T, B;
    const char *layers;
} net_row;

static void custom_surrogate(int n, const float *x, float *d, int primitive, void *user)
{
    int i;
    (void)user;
    for (i = 0; i < n; i++) {
        float e = (float)exp(-3.0 * fabs((double)x[i]));
        if (primitive) d[i] = (x[i] < 0.0f ? e : 1.0f) / (1.0f + e);
        else d[i] = 3.0f * e / ((1.0f + e) * (1.0f + e));
    }
}

typedef int (*neuron_maker)(snn_net *net, int x, const snn_neuron_desc *d);
static const struct {
    const char *name;
    neuron_maker make;
} neuron_makers[] = {
#define ROW(id, name) {#name, snn_##name},
    SNN_NEURON_LIST(ROW)
#undef ROW
};

/* Words of one layer: the kind, perhaps ":number" or "@label", then options. " | " between layers.
 *   fc:4  conv:3  conv1:3  convt:3 (transposed)  max:2  avg:2  sum:2  flat  reshape:2,3,4
 *   norm:batch  norm:time  norm:threshold  norm:layer  graded:1.2  delay:2  scale:.5  drop:.3
 *   add@a mul@a iand@a cat@a from@a   with, or going on from, the node that the option @a labelled;
 *                                     @i is the input. A neuron's name makes that neuron
 *   name=x, a surrogate's name, and the words below, most with a number behind them */
typedef struct layer_options {
    snn_linear_desc fc;
    snn_conv2d_desc conv;
    snn_pool2d_desc pool;
    snn_norm_desc norm;
    snn_neuron_desc neuron;
} layer_options;

enum { INT = -1, FLOAT = -2 }; /* a number follows; else the word stands for this number */
static const struct {
    const char *word;
    int number;
    size_t at;
} options[] = {
#define AT(member) offsetof(layer_options, member)
    {"k", INT, AT(conv.kernel)},
    {"kh", INT, AT(conv.kernel_h)}, {"kh", INT, AT(pool.kernel_h)},
    {"kw", INT, AT(conv.kernel_w)}, {"kw", INT, AT(pool.kernel_w)},
    {"s", INT, AT(conv.stride)}, {"s", INT, AT(pool.stride)},
    {"sh", INT, AT(conv.stride_h)}, {"sw", INT, AT(conv.stride_w)},
    {"p", INT, AT(conv.padding)}, {"p", INT, AT(pool.padding)},
    {"ph", INT, AT(conv.padding_h)}, {"pw", INT, AT(conv.padding_w)},
    {"d", INT, AT(conv.dilation)},
    {"dh", INT, AT(conv.dilation_h)}, {"dw", INT, AT(conv.dilation_w)},
    {"g", INT, AT(conv.groups)},
    {"op", INT, AT(conv.output_padding)}, {"oph", INT, AT(conv.output_padding_h)},
    {"nobias", 1, AT(conv.no_bias)}, {"nobias", 1, AT(fc.no_bias)},
    {"wb", INT, AT(conv.weight_bits)}, {"wb", INT, AT(fc.weight_bits)},
    {"eps", FLOAT, AT(norm.eps)}, {"mom", FLOAT, AT(norm.momentum)},
    {"noaff", 1, AT(norm.no_affine)}, {"ns", INT, AT(norm.steps)},
    {"a", FLOAT, AT(norm.alpha)}, {"a", FLOAT, AT(neuron.alpha)},
    {"t", FLOAT, AT(norm.threshold)}, {"t", FLOAT, AT(neuron.threshold)},
    {"b", FLOAT, AT(neuron.beta)}, {"f", FLOAT, AT(neuron.graded)},
    {"sub", SNN_RESET_SUBTRACT, AT(neuron.reset)}, {"zero", SNN_RESET_ZERO, AT(neuron.reset)},
    {"keep", SNN_RESET_NONE, AT(neuron.reset)}, {"now", 1, AT(neuron.no_reset_delay)},
    {"detach", 1, AT(neuron.detach_reset)}, {"before", 1, AT(neuron.membrane_before_reset)},
    {"inh", 1, AT(neuron.inhibition)}, {"ge", 1, AT(neuron.fire_at_threshold)},
    {"mem", 1, AT(neuron.output_membrane)}, {"q", INT, AT(neuron.quant.bits)},
    {"lb", 1, AT(neuron.learn_beta)}, {"la", 1, AT(neuron.learn_alpha)},
    {"lt", 1, AT(neuron.learn_threshold)}, {"lg", 1, AT(neuron.learn_graded)},
    {"lc", 1, AT(neuron.learn_custom)}, {"per", 1, AT(neuron.per_neuron)},
    {"p0:", FLOAT, AT(neuron.surrogate_p0)}, {"p1:", FLOAT, AT(neuron.surrogate_p1)},
    {"c1:", FLOAT, AT(neuron.custom[1])}, {"c2:", FLOAT, AT(neuron.custom[2])},
    {"c3:", FLOAT, AT(neuron.custom[3])}, {"c4:", FLOAT, AT(neuron.custom[4])},
    {"c5:", FLOAT, AT(neuron.custom[5])},
    {"norec", SNN_RECURRENCE_NONE, AT(neuron.recurrence)},
    {"one", SNN_RECURRENCE_ONE_TO_ONE, AT(neuron.recurrence)},
    {"lin", SNN_RECURRENCE_LINEAR, AT(neuron.recurrence)},
    {"rconv", SNN_RECURRENCE_CONV2D, AT(neuron.recurrence)}, {"rk", INT, AT(neuron.kernel)},
    {"V", FLOAT, AT(neuron.V)}, {"R", FLOAT, AT(neuron.R)}, {"C", FLOAT, AT(neuron.C)},
    {"tau", FLOAT, AT(neuron.tau)}, {"ks", FLOAT, AT(neuron.kernel_steps)},
    {"gain", FLOAT, AT(neuron.input_gain)}, {"decin", 1, AT(neuron.decay_input)},
    {"rest", FLOAT, AT(neuron.v_rest)}, {"vreset", FLOAT, AT(neuron.v_reset)},
    {"ref", FLOAT, AT(neuron.refractory)}, {"start", FLOAT, AT(neuron.v_start)},
#undef AT
};

static void read_option(layer_options *o, const char *s)
{
    int i, known = s[0] == '@';
    for (i = 0; i < (int)SNN_SURROGATE_COUNT; i++)
        if (!strcmp(s, snn_surrogate_name((snn_surrogate_kind)i)))
            o->neuron.surrogate = (snn_surrogate_kind)i, known = 1;
    if (!strncmp(s, "name=", 5)) {
        o->neuron.name = o->pool.name = o->conv.name = o->fc.name = o->norm.name = s + 5;
        known = 1;
    }
    for (i = 0; i < COUNT_OF(options); i++) {
        const size_t n = strlen(options[i].word);
        char *to = (char *)o + options[i].at, *end;
        double v;
        if (strncmp(s, options[i].word, n)) continue;
        v = options[i].number >= 0 ? options[i].number : strtod(s + n, &end);
        if (options[i].number >= 0 ? s[n] : !s[n] || *end) continue;
        known = 1;
        if (options[i].number == FLOAT) *(float *)(void *)to = (float)v;
        else *(int *)(void *)to = (int)v;
    }
    if (!known) fail("unknown option %s", s);
}

/* the words behind the first one */
static void read_options(layer_options *o, char w[][32], int n)
{
    int i;
    memset(o, 0, sizeof *o);
    for (i = 1; i < n; i++) read_option(o, w[i]);
    if (o->neuron.surrogate == SNN_CUSTOM_SURROGATE) o->neuron.surrogate_fn = custom_surrogate;
}

static const char *const norm_kinds[] = {"batch", "time", "threshold", "layer"};

static int lay_one(snn_net *net, int x, char w[][32], int n, int *label)
{
    const char *value = strchr(w[0], ':') ? strchr(w[0], ':') + 1 : "0";
    const int *at = strchr(w[0], '@') ? &label[strchr(w[0], '@')[1] - 'a'] : NULL;
    int i, k, id = x;
    layer_options o;
    read_options(&o, w, n);
    o.fc.out_features = o.conv.out_channels = o.pool.kernel = atoi(value);
    if (!strncmp(w[0], "fc:", 3)) id = snn_linear(net, x, &o.fc);
    else if (!strncmp(w[0], "conv:", 5)) id = snn_conv2d(net, x, &o.conv);
    else if (!strncmp(w[0], "conv1:", 6)) id = snn_conv1d(net, x, &o.conv);
    else if (!strncmp(w[0], "convt:", 6)) id = snn_conv_transpose2d(net, x, &o.conv);
    else if (!strncmp(w[0], "max:", 4)) id = snn_max_pool2d(net, x, &o.pool);
    else if (!strncmp(w[0], "avg:", 4)) id = snn_avg_pool2d(net, x, &o.pool);
    else if (!strncmp(w[0], "sum:", 4)) id = snn_sum_pool2d(net, x, &o.pool);
    else if (!strcmp(w[0], "flat")) id = snn_flatten(net, x);
    else if (!strncmp(w[0], "scale:", 6)) id = snn_scale(net, x, (float)atof(value));
    else if (!strncmp(w[0], "drop:", 5)) id = snn_dropout(net, x, (float)atof(value));
    else if (!strncmp(w[0], "add@", 4)) id = snn_add(net, x, *at);
    else if (!strncmp(w[0], "mul@", 4)) id = snn_multiply(net, x, *at);
    else if (!strncmp(w[0], "iand@", 5)) id = snn_iand(net, x, *at);
    else if (!strncmp(w[0], "cat@", 4)) id = snn_concat(net, x, *at);
    else if (!strncmp(w[0], "graded:", 7)) id = snn_graded_spikes(net, x, (float)atof(value));
    else if (!strncmp(w[0], "delay:", 6)) id = snn_delay(net, x, atoi(value));
    else if (!strncmp(w[0], "from@", 5)) id = *at;
    else if (!strncmp(w[0], "reshape:", 8)) {
        int s[3] = {0, 0, 0};
        sscanf(value, "%d,%d,%d", &s[0], &s[1], &s[2]);
        id = snn_reshape(net, x, s[0], s[1], s[2]);
    } else if (!strncmp(w[0], "norm:", 5)) {
        for (k = 0; k < COUNT_OF(norm_kinds) && strcmp(value, norm_kinds[k]); k++) {}
        o.norm.kind = (snn_norm_kind)k; /* another word: a kind that does not exist */
        id = snn_norm(net, x, &o.norm);
    } else {
        for (k = 0; k < COUNT_OF(neuron_makers); k++)
            if (!strcmp(w[0], neuron_makers[k].name)) break;
        if (k == COUNT_OF(neuron_makers)) fail("unknown layer %s", w[0]);
        else id = neuron_makers[k].make(net, x, &o.neuron);
    }
    for (i = 1; i < n; i++)
        if (w[i][0] == '@') label[w[i][1] - 'a'] = id;
    return id;
}

/* the words of the next layer; returns their number, 0 at the end */
static int next_layer(const char **s, char w[][32])
{
    int n = 0;
    for (;; *s += strcspn(*s, " ")) {
        *s += strspn(*s, " ");
        if (!**s) return n;
        if (**s == '|') {
            ++*s;
            return n;
        }
        if (n < 24) snprintf(w[n++], 32, "%.*s", (int)strcspn(*s, " "), *s);
    }
}

static int lay(snn_net *net, int x, const char *s)
{
    char w[24][32];
    int label[26], n;
    label[8] = x; /* @i is the input */
    while ((n = next_layer(&s, w)) > 0) x = lay_one(net, x, w, n, label);
    return x;
}

static int says(const net_row *r, const char *word) { return strstr(r->layers, word) != NULL; }

/* A net of a row with the options of `over`: laid out, not yet built. */
static snn_net *open_row(const net_row *r, const snn_net_desc *over, void *memory, size_t size)
{
    snn_net *net = NULL;
    snn_status s;
    ZERO(snn_net_desc, d);
    if (over) d = *over;
    d.input = r->input;
    if (!d.steps) d.steps = r->T;
    if (!d.batch) d.batch = r->B;
    s = memory ? snn_net_create_in(&net, &d, memory, size) : snn_net_create(&net, &d);
    if (s != SNN_OK) return NULL;
    lay(net, snn_input(net, r->c, r->h, r->w), r->layers);
    return net;
}

static snn_net *build_row(const net_row *r, const snn_net_desc *over)
{
    snn_net *net = keep_net(open_row(r, over, NULL, 0));
    if (!net || snn_net_build(net) != SNN_OK) {
        fail("%s is not built: %s", r->name, net ? snn_net_error(net) : "no net");
        return NULL;
    }
    if (!over || !over->inference) snn_net_train(net, !says(r, "norm:threshold"));
    return net;
}

static size_t row_features(const net_row *r)
{
    return (size_t)r->c * (size_t)(r->h ? r->h : 1) * (size_t)(r->w ? r->w : 1);
}

static size_t row_frame(const net_row *r) { return row_features(r) * (size_t)r->B; }

static int row_frames(const net_row *r) { return r->input == SNN_INPUT_CONSTANT ? 1 : r->T; }

static float *row_input(const net_row *r, uint32_t stream)
{
    size_t i, n = row_frame(r) * (size_t)row_frames(r);
    float *x = floats(n);
    for (i = 0; i < n; i++) {
        float u = uniform(0.0f, 1.0f, stream, i);
        if (r->input == SNN_INPUT_SPIKES) /* large ones are events, few */
            x[i] = u < (row_features(r) > 500 ? 0.02f : 0.3f) ? 1.0f : 0.0f;
        else x[i] = r->input == SNN_INPUT_DENSE ? 3.0f * u - 1.0f : 1.6f * u;
    }
    return x;
}

static int *row_labels(const net_row *r, int classes)
{
    int i, *y = (int *)keep_bytes((size_t)r->B * sizeof(int));
    for (i = 0; i < r->B; i++) y[i] = (i * 7 + 1) % classes;
    return y;
}

/* Rows for every check of section net, memory and files: each layer kind, kernel and signal kind,
 * with sizes that are no multiple of a vector. */
static const net_row fixed_rows[] = {
    {"mlp", SNN_INPUT_CONSTANT, 12, 0, 0, 8, 5, "fc:17 | leaky b.9 t.4 | fc:5 | leaky b.8 t.2"},
    {"mlp_dense", SNN_INPUT_DENSE, 13, 0, 0, 9, 3, "fc:19 | leaky b.9 t.4 | fc:4 | leaky b.7 t.2"},
    {"mlp_spikes", SNN_INPUT_SPIKES, 21, 0, 0, 7, 4,
     "fc:33 | leaky b.8 t.3 | fc:3 | leaky b.9 t.2"},
    {"wide", SNN_INPUT_CONSTANT, 70, 0, 0, 12, 9,
     "fc:130 | leaky b.9 t.5 | fc:67 | leaky b.9 t.2 | fc:10 | leaky b.9 t.1"},
    {"wide_spikes", SNN_INPUT_SPIKES, 97, 0, 0, 10, 6,
     "fc:129 | leaky b.8 t.4 | fc:11 | leaky b.9 t.2"},
    {"one", SNN_INPUT_CONSTANT, 1, 0, 0, 1, 1, "fc:1 | leaky b.5 t.1"},
    {"single_step", SNN_INPUT_DENSE, 6, 0, 0, 1, 4, "fc:9 | leaky b.9 t.2 | fc:3 | leaky b.9 t.1"},
    {"neuron_first", SNN_INPUT_CONSTANT, 10, 0, 0, 9, 3, "leaky b.9 t1.2 | fc:4 | leaky b.8 t.3"},
    {"neuron_on_spikes", SNN_INPUT_SPIKES, 10, 0, 0, 9, 3, "leaky b.9 t1.2 | leaky b.5 t.7"},
    {"linear_last", SNN_INPUT_CONSTANT, 9, 0, 0, 8, 4, "fc:12 | leaky b.9 t.3 | fc:4"},
    {"main_job", SNN_INPUT_CONSTANT, 1, 16, 16, 6, 3,
     "conv:4 k5 | max:2 | leaky b.9 t.2 fast_sigmoid | conv:6 k3 | max:2 | leaky b.9 t.1 "
     "fast_sigmoid | flat | fc:5 | leaky b.9 t.1 fast_sigmoid"},
    {"pool_in_chain", SNN_INPUT_SPIKES, 2, 10, 10, 5, 2,
     "conv:5 k3 | max:2 | scale:.5 | leaky b.9 t.2 | conv:6 k3 p1 | max:2 | avg:2 | flat | fc:4 | "
     "leaky b.9 t.1"},
    {"events", SNN_INPUT_SPIKES, 2, 21, 20, 6, 3,
     "conv:5 k3 p1 | max:2 | leaky b.9 t.3 | conv:18 k3 nobias | max:0 kh2 kw3 | flat | fc:4 | "
     "leaky b.9 t.1"},
    {"rare_spikes", SNN_INPUT_CONSTANT, 1, 18, 17, 6, 3,
     "conv:2 k2 | leaky b.5 t.7 | conv:5 k2 | max:2 | leaky b.9 t.1 | flat | fc:4 | "
     "leaky b.9 t.05"},
    {"neuron_then_pool", SNN_INPUT_DENSE, 2, 10, 10, 5, 2,
     "conv:5 k3 | leaky b.9 t.3 f1.5 | max:2 | conv:6 k3 p1 | leaky b.8 t.2 | sum:2 | flat | "
     "fc:4 | leaky b.9 t.2"},
    {"conv_spikes", SNN_INPUT_SPIKES, 3, 9, 7, 6, 3,
     "conv:4 k3 s2 p1 | leaky b.9 t.2 | conv:6 k3 p1 g2 | leaky b.7 t.1 | flat | fc:3 | leaky b.9 "
     "t.1"},
    {"conv_many_spikes", SNN_INPUT_DENSE, 2, 7, 7, 3, 2,
     "conv:9 k3 p1 | leaky b.9 t-.4 | conv:12 k3 s2 p1 | leaky b.9 t.1 | conv:8 k2 | leaky b.8 "
     "t.1"},
    {"conv_dilated", SNN_INPUT_CONSTANT, 2, 11, 9, 5, 2,
     "conv:4 k3 d2 p2 | leaky b.9 t.2 | conv:4 k3 d2 g4 | leaky b.9 t.1 | flat | fc:3 | leaky b.9 "
     "t.1"},
    {"conv_oblong", SNN_INPUT_DENSE, 1, 8, 12, 4, 2,
     "conv:3 kh3 kw5 nobias | leaky b.9 t.2 | avg:0 kh2 kw3 s1 | conv:2 kh1 kw4 | leaky b.9 t.1"},
    {"pools", SNN_INPUT_DENSE, 2, 9, 9, 5, 2,
     "avg:3 s2 p1 | leaky b.9 t.6 | max:3 s1 p1 | leaky b.6 t.7 | sum:2 | leaky b.6 t1.1"},
    {"pool_spikes", SNN_INPUT_SPIKES, 2, 8, 8, 6, 2,
     "max:2 @a | avg:2 | leaky b.8 t.8 | from@a | sum:2 | leaky b.9 t2 | flat | fc:4 | leaky b.9 "
     "t.1"},
    {"skip_add", SNN_INPUT_SPIKES, 14, 0, 0, 8, 3,
     "fc:14 | leaky b.9 t.3 @a | fc:14 | leaky b.8 t.2 | add@a | fc:5 | leaky b.9 t.2"},
    {"skip_constant", SNN_INPUT_CONSTANT, 12, 0, 0, 7, 3,
     "fc:12 @a | leaky b.9 t.3 | fc:12 | add@a | leaky b.8 t.4 | cat@i | fc:5 | leaky b.9 t.2"},
    {"skip_concat", SNN_INPUT_DENSE, 2, 6, 6, 5, 2,
     "conv:3 k3 p1 | leaky b.9 t.3 @a | conv:2 k3 p1 | leaky b.9 t.2 | cat@a | conv:4 k3 | "
     "leaky b.9 t.2 | flat | fc:4 | leaky b.9 t.1"},
    {"dropout", SNN_INPUT_CONSTANT, 20, 0, 0, 8, 4,
     "fc:25 | leaky b.9 t.3 | drop:.4 | fc:6 | leaky b.9 t.1"},
    {"dropout_input", SNN_INPUT_CONSTANT, 20, 0, 0, 6, 3,
     "drop:.5 | fc:15 | leaky b.9 t.3 | fc:4 | leaky b.9 t.1"},
    {"scale_reshape", SNN_INPUT_DENSE, 24, 0, 0, 5, 3,
     "scale:1.5 | reshape:2,3,4 | conv:3 k2 | leaky b.9 t.3 | scale:.5 | flat | fc:4 | leaky b.9 "
     "t.1"},
    {"graded", SNN_INPUT_CONSTANT, 11, 0, 0, 8, 4,
     "fc:18 | leaky b.9 t.3 f1.7 lg | fc:5 | leaky b.8 t.2 f.6"},
    {"zero_now", SNN_INPUT_DENSE, 11, 0, 0, 9, 4,
     "fc:18 | leaky b.9 t.3 zero now | fc:15 | leaky b.9 t.2 sub now | fc:5 | leaky b.9 t.2 zero"},
    {"no_reset", SNN_INPUT_CONSTANT, 11, 0, 0, 6, 4,
     "fc:18 | leaky b.9 t.6 keep | fc:5 | leaky b.8 t.6 keep"},
    {"inhibition", SNN_INPUT_DENSE, 11, 0, 0, 8, 4,
     "fc:18 | leaky b.9 t.3 inh | fc:5 | leaky b.8 t.1 inh now"},
    {"fire_at", SNN_INPUT_SPIKES, 12, 0, 0, 8, 3, "leaky b1 t2 ge | fc:5 | leaky b.9 t.1 ge"},
    {"learn_scalar", SNN_INPUT_DENSE, 11, 0, 0, 8, 4,
     "fc:18 | leaky b.9 t.3 lb lt lg | fc:5 | leaky b.8 t.2 lb lt lg now"},
    {"learn_neuron", SNN_INPUT_DENSE, 11, 0, 0, 8, 4,
     "fc:18 | leaky b.9 t.3 f1.2 per lb lt lg | fc:5 | leaky b.8 t.2 per lb lt lg"},
    {"surrogates", SNN_INPUT_DENSE, 9, 0, 0, 7, 3,
     "fc:9 | leaky b.9 t.3 boxcar p0:.8 | fc:8 | leaky b.9 t.2 sparse_fast_sigmoid p0:9 p1:-.5 | "
     "fc:7 | leaky b.9 t.1 sigmoid p0:5 | fc:5 | leaky b.9 t.05 leaky_spike p0:.3"},
    {"stochastic", SNN_INPUT_CONSTANT, 11, 0, 0, 8, 4,
     "fc:18 | leaky b.9 t.3 stochastic | fc:5 | leaky b.8 t.2"},
    {"long", SNN_INPUT_DENSE, 8, 0, 0, 40, 2, "fc:20 | leaky b.95 t.5 | fc:3 | leaky b.9 t.3"},
    {"second_order", SNN_INPUT_CONSTANT, 12, 0, 0, 8, 3,
     "fc:12 | lapicque b.9 t.1 | fc:9 | synaptic b.9 a.8 t.4 | fc:7 | alpha a.9 b.5 t.1 | fc:4 | "
     "leaky b.9 t.1"},
    {"integrators", SNN_INPUT_DENSE, 11, 0, 0, 7, 3,
     "fc:12 | state_leaky b.9 t.5 | fc:9 | delta_leaky b.8 t.2 | fc:7 | leaky_parallel b.8 t.1 | "
     "fc:4 | leaky b.9 t.1"},
    {"recurrent", SNN_INPUT_DENSE, 9, 0, 0, 7, 3,
     "fc:8 | rleaky b.9 t.3 | fc:6 | rsynaptic b.8 a.7 t.3 one V.4 | fc:5 | alif b.9 t.1 lin | "
     "fc:4 | lif b.9 t.1 lin"},
    {"recurrent_conv", SNN_INPUT_DENSE, 2, 6, 6, 5, 2,
     "conv:3 k3 | rleaky b.9 t.3 rconv rk3 | flat | fc:4 | leaky b.9 t.2"},
    {"lstm", SNN_INPUT_DENSE, 8, 0, 0, 7, 3, "fc:24 | slstm t.1 | fc:4 | leaky b.9 t.05"},
    {"truncated", SNN_INPUT_DENSE, 8, 0, 0, 9, 3,
     "fc:9 @a | delay:3 @b | from@a | cat@b | truncated_leaky ks3 tau5 t.4 | fc:4 | leaky b.9 t.2"},
    {"lif", SNN_INPUT_CONSTANT, 12, 0, 0, 8, 3,
     "fc:15 | lif b.9 t.3 | fc:9 | if t.2 sub | fc:4 | lif b.8 t.1 rest.05 vreset-.1 before"},
    {"detached", SNN_INPUT_SPIKES, 14, 0, 0, 9, 3,
     "fc:15 | lif b.9 t.3 ref2 | fc:9 | lif b.8 t.1 sub decin detach ge | fc:4 | leaky b.9 t.1 now "
     "before detach"},
    {"readout_last", SNN_INPUT_DENSE, 12, 0, 0, 7, 3,
     "fc:14 | lif b.9 t.4 | fc:6 | leaky b.8 t.3 | fc:4 | li b.8 rest.1"},
    {"rate_last", SNN_INPUT_CONSTANT, 12, 0, 0, 6, 3,
     "fc:14 | soft_lif c2:.6 c3:.2 | fc:6 | leaky b.8 t.1 | fc:4 | soft_lif c2:.8 c3:.3"},
    {"activations", SNN_INPUT_DENSE, 1, 8, 8, 5, 3, /* so many levels that the steps are no steps */
     "conv:4 k3 | relu | avg:2 | flat | fc:9 | qcfs t1.5 c1:1000000 lt | fc:7 | relu lin | fc:4 | "
     "qcfs per t.7 c1:1000000 c2:1 lt"},
    {"coarse_bio", SNN_INPUT_DENSE, 12, 0, 0, 8, 3,
     "fc:12 | coarse_lif tau4 t.5 | bio_lif t.25 c2:1 | fc:4 | mcpitts t.1"},
    {"conductances", SNN_INPUT_DENSE, 12, 0, 0, 9, 3,
     "fc:12 | leaky b.9 t.1 | conductance_lif t.3 c1:.4 c3:1 c4:-.6 rest.1 vreset-.2 ref2 | fc:8 | "
     "leaky b.9 t.1 | conductance_lif t.2 c1:.4 c2:1 c3:1 c4:-.6 rest.1 vreset-.2 ref-1"},
    {"biophysical", SNN_INPUT_DENSE, 12, 0, 0, 9, 3,
     "fc:9 | scale:40 | izhikevich c1:.1 c4:3 | fc:7 | adex b.9 t.2 | fc:4 | adex b.8 t.1 sub"},
    {"quantised", SNN_INPUT_DENSE, 12, 0, 0, 8, 3,
     "fc:12 | leaky b.9 t.4 q3 | fc:4 | synaptic b.8 a.7 t.1 q4"},
    {"weight_bits", SNN_INPUT_CONSTANT, 1, 8, 8, 6, 2,
     "conv:4 k3 wb3 | leaky b.9 t.3 | convt:3 k2 s2 wb4 | leaky b.9 t.2 | flat | fc:4 wb2 | leaky "
     "b.9 t.1"},
    {"conv1d", SNN_INPUT_SPIKES, 3, 1, 14, 7, 3,
     "conv1:5 k3 p1 | leaky b.9 t.3 | conv1:4 k3 s2 d2 wb8 | leaky b.8 t.2 | flat | fc:3 | leaky "
     "b.9 t.1"},
    {"transposed", SNN_INPUT_SPIKES, 4, 4, 5, 6, 2,
     "convt:6 k3 s2 p1 op1 g2 | leaky b.9 t.2 | convt:2 kh2 kw3 nobias | leaky b.8 t.2 | flat | "
     "fc:3 | leaky b.9 t.1"},
    {"norms", SNN_INPUT_DENSE, 2, 6, 6, 6, 3,
     "conv:4 k3 | norm:batch | leaky b.9 t.9 | conv:3 k2 | norm:layer | leaky b.8 t.8 | flat | "
     "fc:5 | norm:time | leaky b.8 t.5"},
    {"norms_constant", SNN_INPUT_CONSTANT, 12, 0, 0, 7, 4,
     "fc:12 | norm:batch noaff | leaky b.8 t.9 | norm:layer | fc:9 | leaky b.7 t.3 | from@i | "
     "norm:time ns3 mom.3 | fc:4 | leaky b.8 t.5"},
    {"norms_spikes", SNN_INPUT_SPIKES, 2, 6, 6, 6, 3,
     "norm:batch | conv:3 k3 | leaky b.8 t.2 f1.3 | norm:time | flat | fc:4 | norm:layer noaff | "
     "leaky b.8 t.5"},
    {"norm_threshold", SNN_INPUT_DENSE, 12, 0, 0, 6, 4,
     "fc:12 | norm:threshold a1 t.5 | leaky b.8 t.4 | fc:4 | norm:threshold noaff | leaky b.8 t.2"},
    {"gates", SNN_INPUT_SPIKES, 12, 0, 0, 9, 3,
     "fc:9 | leaky b.9 t.2 @a | fc:9 | leaky b.9 t.1 f1.5 @b | from@a | mul@b @c | from@a | "
     "iand@b | cat@c | fc:4 | leaky b.9 t.05"},
    {"delays", SNN_INPUT_CONSTANT, 12, 0, 0, 9, 3,
     "delay:2 | fc:9 | leaky b.9 t.2 f1.4 @a | delay:4 @b | from@a | graded:0 | add@b | fc:7 | "
     "leaky b.8 t.2 @c | delay:12 | add@c | graded:1.3 | fc:4 | delay:1 | leaky b.9 t.1"},
    {"delay_conv", SNN_INPUT_DENSE, 2, 6, 6, 7, 2,
     "delay:1 | add@i | conv:3 k3 | leaky b.9 t.4 | delay:3 | max:2 | graded:.8 | flat | fc:4 | "
     "leaky b.9 t.05"},
};
/* and one for each neuron that none of them has */
static net_row rows[COUNT_OF(fixed_rows) + SNN_NEURON_COUNT];
static int row_count;
#define ROWS row_count

/* A threshold norm's statistics are those of all steps: steps and chunks of a pass agree with the
 * whole, and checkpoints are possible, in evaluation only. */
static int whole_pass(const net_row *r) { return says(r, "norm:threshold"); }

/* What a pass gave: output spikes, output membranes, every gradient, in one array. */
typedef struct result {
    float *v;
    size_t spikes, membranes, total; /* ends of the three parts */
} result;

static void put(result *r, size_t *room, const float *v, size_t n)
{
    if (r->total + n > *room) {
        float *grown = (float *)keep_bytes((r->total + n) * 2 * sizeof(float));
        if (r->total) memcpy(grown, r->v, r->total * sizeof(float));
        r->v = grown;
        *room = (r->total + n) * 2;
    }
    if (n) memcpy(r->v + r->total, v, n * sizeof(float));
    r->total += n;
}

static void put_tensor(result *r, size_t *room, const snn_tensor *t)
{
    put(r, room, t->data, t->data ? snn_tensor_count(t) : 0);
}

static result capture(const snn_net *net)
{
    result r = {NULL, 0, 0, 0};
    size_t room = 0;
    int i, out = snn_net_output(net);
    snn_tensor t = snn_net_spikes(net, out);
    put_tensor(&r, &room, &t);
    r.spikes = r.total;
    t = snn_net_membrane(net, out);
    put_tensor(&r, &room, &t);
    r.membranes = r.total;
    for (i = 0; i < snn_net_param_count(net); i++) {
        const snn_param *p = snn_net_param(net, i);
        put_tensor(&r, &room, &p->grad);
    }
    return r;
}

static void put_parameters(result *r, const snn_net *net)
{
    size_t room = r->total;
    int i;
    for (i = 0; i < snn_net_param_count(net); i++)
        put_tensor(r, &room, &snn_net_param(net, i)->value);
}

static void same_result(const result *a, const result *b, double tolerance, const char *what)
{
    size_t i;
    if (a->total != b->total || a->spikes != b->spikes) {
        fail("%s: %lu values against %lu", what, (unsigned long)a->total, (unsigned long)b->total);
        return;
    }
    for (i = 0; tolerance == 0.0 && i < a->total; i++) {
        if (memcmp(&a->v[i], &b->v[i], sizeof(float)) != 0) {
            fail("%s: %s %lu is %.9g, should be %.9g", what,
                 i < a->spikes ? "spike" : i < a->membranes ? "membrane" : "gradient or parameter",
                 (unsigned long)i, (double)a->v[i], (double)b->v[i]);
            return;
        }
    }
    if (tolerance > 0.0) {
        double s = worst_relative(a->v, b->v, a->spikes);
        double m = worst_relative(a->v + a->spikes, b->v + a->spikes, a->membranes - a->spikes);
        double g =
            worst_relative(a->v + a->membranes, b->v + a->membranes, a->total - a->membranes);
        note("%s: spikes %.1e membranes %.1e gradients %.1e", what, s, m, g);
        if (!(s <= tolerance && m <= tolerance && g <= tolerance))
            fail("%s: spikes differ by %.1e, membranes %.1e, gradients %.1e", what, s, m, g);
    }
}

/* Random gradients into the output, then backward. */
static void push_back(snn_net *net)
{
    int out = snn_net_output(net);
    snn_tensor ds = snn_net_dspikes(net, out), dm = snn_net_dmembrane(net, out);
    size_t i, n = ds.data ? snn_tensor_count(&ds) : 0;
    for (i = 0; i < n; i++) ds.data[i] = uniform(-1.0f, 1.0f, 501, i);
    n = dm.data && dm.data != ds.data ? snn_tensor_count(&dm) : 0;
    for (i = 0; i < n; i++) dm.data[i] = uniform(-1.0f, 1.0f, 502, i);
    CHECK(snn_net_backward(net) == SNN_OK);
}

static result run_row(const net_row *r, snn_net *net, int backward)
{
    CHECK(snn_net_zero_grad(net) == SNN_OK || !backward);
    CHECK(snn_net_forward(net, row_input(r, 500)) == SNN_OK);
    if (backward) push_back(net);
    return capture(net);
}

/* The row's loss in training: of membranes where the last layer has no spikes. */
static void row_loss(const net_row *r, snn_loss_desc *l)
{
    memset(l, 0, sizeof *l);
    l->kind = strstr(r->name, "_last") ? SNN_LOSS_CE_MEMBRANE : SNN_LOSS_CE_COUNT;
}

static int row_classes(const snn_net *net)
{
    snn_tensor t = snn_net_spikes(net, snn_net_output(net));
    int i, c = 1;
    for (i = 2; i < t.ndim; i++) c *= t.shape[i];
    return c;
}

static void train_row(const net_row *r, snn_net *net, int count)
{
    float *x = row_input(r, 500);
    int i, *y = row_labels(r, row_classes(net));
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    row_loss(r, &l);
    o.lr = 0.01f;
    for (i = 0; i < count; i++)
        if (snn_train_step(net, &o, &l, x, y) < 0.0f) fail("train step: %s", snn_net_error(net));
}

/* ---- core ---- */

static void core_status(int a, int b)
{
    static const snn_status all[] = {
#define ROW(name, value, text) name,
        SNN_STATUS_LIST(ROW)
#undef ROW
    };
    int i, j;
    (void)a, (void)b;
    for (i = 0; i < COUNT_OF(all); i++) {
        CHECK((int)all[i] <= 0 && !strncmp(snn_status_name(all[i]), "SNN_", 4));
        CHECK(strlen(snn_status_text(all[i])) > 0);
        for (j = 0; j < i; j++) {
            CHECK(all[i] != all[j]);
            CHECK(strcmp(snn_status_name(all[i]), snn_status_name(all[j])) != 0);
            CHECK(strcmp(snn_status_text(all[i]), snn_status_text(all[j])) != 0);
        }
    }
    CHECK(snn_status_name((snn_status)-9999) != NULL && snn_status_text((snn_status)12345) != NULL);
    CHECK(snn_version() == SNN_VERSION);
    for (i = 0; i <= (int)SNN_ISA_AVX512; i++) CHECK(strlen(snn_isa_name((snn_isa)i)) > 0);
    CHECK(snn_isa_best() >= SNN_ISA_SCALAR && snn_isa_best() <= SNN_ISA_AVX512);
}

static void core_tensor(int a, int b)
{
    float data[24];
    int shape[SNN_MAX_DIMS + 1] = {2, 3, 4, 1, 1, 1, 1};
    snn_tensor t = snn_tensor_make(data, 3, shape);
    (void)a, (void)b;
    CHECK(t.data == data && t.ndim == 3 && t.shape[0] == 2 && t.shape[2] == 4);
    CHECK(snn_tensor_count(&t) == 24);
    t = snn_tensor_make(NULL, 1, shape);
    CHECK(t.data == NULL && t.ndim == 1);
    t = snn_tensor_make(data, SNN_MAX_DIMS + 1, shape);
    CHECK(t.ndim <= SNN_MAX_DIMS);
}

static void core_uniform(int a, int b)
{
    const int n = 200000;
    double sum = 0.0, square = 0.0, next = 0.0, tail = 0.0;
    int i, bins[16] = {0};
    float last = 0.5f;
    (void)a, (void)b;
    for (i = 0; i < n; i++) {
        float u = snn_uniform(7, 3, (uint32_t)(i / 1000), (uint32_t)(i % 1000));
        if (!(u >= 0.0f && u < 1.0f)) fail("%g is outside [0,1)", (double)u);
        if ((double)u * 16777216.0 != floor((double)u * 16777216.0)) fail("more than 24 bits");
        sum += (double)u;
        square += (double)u * (double)u;
        next += ((double)u - 0.5) * ((double)last - 0.5);
        bins[(int)(u * 16.0f)]++;
        last = u;
    }
    for (i = 0; i < 16; i++) tail += pow(bins[i] - n / 16.0, 2.0) / (n / 16.0);
    CHECK(fabs(sum / n - 0.5) < 0.003);
    CHECK(fabs(square / n - 1.0 / 3.0) < 0.003);
    CHECK(fabs(next / n) < 0.001);
    CHECK(tail < 45.0); /* chi square with 15 degrees of freedom: one in 10^4 */
}

static void core_normal(int a, int b)
{
    const int n = 200000;
    double m[5] = {0, 0, 0, 0, 0};
    int i, k;
    (void)a, (void)b;
    for (i = 0; i < n; i++) {
        double z = (double)snn_normal(11, 1, 5, (uint32_t)i);
        if (!(fabs(z) < 8.0)) fail("%g", z);
        for (k = 1; k < 5; k++) m[k] += pow(z, k) / n;
    }
    CHECK(fabs(m[1]) < 0.01 && fabs(m[2] - 1.0) < 0.02);
    CHECK(fabs(m[3]) < 0.04 && fabs(m[4] - 3.0) < 0.12);
}

static void core_order(int a, int b)
{
    uint32_t forth[300], zero = 0;
    int i, same = 0, ones = 0, bit[32] = {0};
    (void)a, (void)b;
    for (i = 0; i < 300; i++) forth[i] = snn_random(5, 2, 9, (uint32_t)i);
    for (i = 299; i >= 0; i--) CHECK(snn_random(5, 2, 9, (uint32_t)i) == forth[i]);
    for (i = 0; i < 300; i++) { /* each part of the key matters */
        same += snn_random(6, 2, 9, (uint32_t)i) == forth[i];
        same += snn_random(5, 3, 9, (uint32_t)i) == forth[i];
        same += snn_random(5, 2, 10, (uint32_t)i) == forth[i];
        same += snn_random(5 + ((uint64_t)1 << 40), 2, 9, (uint32_t)i) == forth[i];
        same += i > 0 && forth[i] == forth[i - 1];
    }
    CHECK(same <= 1);
    for (i = 0; i < 32000; i++) zero |= snn_random(0, 0, 0, (uint32_t)i);
    CHECK(zero == 0xffffffffu);
    for (i = 0; i < 20000; i++) {
        uint32_t r = snn_random(1, (uint32_t)i, 0, 0); /* first draws of neighbouring streams */
        int k;
        for (k = 0; k < 32; k++) bit[k] += (int)(r >> k & 1u);
    }
    for (i = 0; i < 32; i++) CHECK(abs(bit[i] - 10000) < 400);
    for (i = 0; i < 20000; i++) ones += snn_bernoulli(0.3f, 3, 0, 1, (uint32_t)i);
    CHECK(abs(ones - 6000) < 300);
    CHECK(snn_bernoulli(0.0f, 3, 0, 1, 4) == 0 && snn_bernoulli(1.0f, 3, 0, 1, 4) == 1);
}

static void core_permutation(int a, int b)
{
    int order[1000], other[1000], seen[1000], n, i, same, kind[27] = {0};
    (void)a, (void)b;
    for (n = 0; n <= 1000; n = n * 3 + 1) {
        memset(seen, 0, sizeof seen);
        snn_permutation(order, n, 4, 0);
        for (i = 0; i < n; i++) {
            if (order[i] < 0 || order[i] >= n || seen[order[i]]++)
                fail("n = %d: no permutation", n);
        }
    }
    snn_permutation(order, 1000, 4, 0);
    snn_permutation(other, 1000, 4, 0);
    CHECK(!memcmp(order, other, sizeof order));
    snn_permutation(other, 1000, 4, 1);
    for (i = same = 0; i < 1000; i++) same += order[i] == other[i];
    CHECK(same < 20);
    for (i = 0; i < 6000; i++) {
        snn_permutation(order, 3, (uint64_t)i, 0);
        kind[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    for (i = 0; i < 27; i++) CHECK(kind[i] == 0 || abs(kind[i] - 1000) < 150);
}

static void core_pack(int a, int b)
{
    float x[200], y[201];
    uint32_t words[8];
    int n, i;
    (void)a, (void)b;
    for (n = 1; n <= 200; n++) {
        int count = (n + 31) / 32;
        for (i = 0; i < n; i++) {
            float u = snn_uniform(1, 2, (uint32_t)n, (uint32_t)i);
            x[i] = u < 0.3f ? u + 0.1f : u < 0.4f ? -1.0f : u < 0.5f ? -0.0f : 0.0f;
        }
        memset(words, 0xaa, sizeof words);
        y[n] = 77.0f;
        snn_spikes_pack(words, x, n);
        snn_spikes_unpack(y, words, n, 1.5f);
        for (i = 0; i < n; i++) {
            CHECK((int)(words[i / 32] >> (i % 32) & 1u) == (x[i] != 0.0f));
            CHECK(y[i] == (x[i] != 0.0f ? 1.5f : 0.0f));
        }
        for (i = n; i < count * 32; i++) CHECK((words[i / 32] >> (i % 32) & 1u) == 0);
        if (count < 8) CHECK(words[count] == 0xaaaaaaaau);
        CHECK(y[n] == 77.0f);
    }
}

/* A desc that was not zeroed is refused everywhere: b 0 tries the first canary, 1 the last. */
static void core_canary(int which, int last)
{
    float v[8] = {0.5f, 0.5f, 0.5f, 0.5f, 0, 0, 0, 0};
    int y[2] = {0, 1}, x;
    snn_status s = SNN_OK;
    snn_net *net = NULL;
    snn_neuron_model model;
    ZERO(snn_net_desc, nd);
    ZERO(snn_linear_desc, fc);
    ZERO(snn_conv2d_desc, cv);
    ZERO(snn_pool2d_desc, pl);
    ZERO(snn_neuron_desc, nn);
    ZERO(snn_loss_desc, ls);
    ZERO(snn_optim_desc, op);
    ZERO(snn_latency_desc, la);
    ZERO(snn_target_desc, tg);
    ZERO(snn_norm_desc, nm);
    ZERO(snn_stdp_desc, sd);
    ZERO(snn_frames_desc, fr);
    ZERO(snn_event, event);
    nm._start = sd._start = fr._start = (uint32_t)!last;
    nm._end = sd._end = fr._end = (uint32_t)last;
    sd.tau_pre = sd.tau_post = 2.0f;
    fr.steps = fr.width = fr.height = 1;
    nd._start = fc._start = cv._start = pl._start = nn._start = (uint32_t)!last;
    ls._start = op._start = la._start = tg._start = (uint32_t)!last;
    nd._end = fc._end = cv._end = pl._end = nn._end = (uint32_t)last;
    ls._end = op._end = la._end = tg._end = (uint32_t)last;
    fc.out_features = cv.out_channels = cv.kernel = pl.kernel = 1;
    nn.beta = op.lr = 0.5f;
    if (which == 0) {
        s = snn_net_create(&net, &nd);
        CHECK(net == NULL);
        if (net) keep_net(net);
    } else if (which <= 9) {
        ZERO(snn_net_desc, good);
        CHECK(snn_net_create(&net, &good) == SNN_OK);
        keep_net(net);
        x = snn_input(net, 1, which == 7 ? 1 : 2, 2);
        if (which == 1) x = snn_linear(net, x, &fc);
        if (which == 2) x = snn_conv2d(net, x, &cv);
        if (which == 3) x = snn_max_pool2d(net, x, &pl);
        if (which == 4) x = snn_avg_pool2d(net, x, &pl);
        if (which == 5) x = snn_sum_pool2d(net, x, &pl);
        if (which == 6) x = snn_leaky(net, x, &nn);
        if (which == 7) x = snn_conv1d(net, x, &cv);
        if (which == 8) x = snn_conv_transpose2d(net, x, &cv);
        if (which == 9) x = snn_norm(net, x, &nm);
        CHECK(x == (int)SNN_ERR_DESC && strlen(snn_net_error(net)) > 0);
        s = snn_net_build(net);
    } else if (which == 10) s = snn_neuron_init(&model, snn_neuron_info(SNN_LEAKY), &nn);
    else if (which == 11) s = snn_loss(&ls, 1, 2, 2, v, v, y, NULL, v + 4, NULL, NULL);
    else if (which == 12) s = snn_optim_update(&op, 1, v, v, v + 2, v + 4, 2);
    else if (which == 13) s = snn_latency_times(v + 4, v, 3, 2, &la);
    else if (which == 14) s = (snn_status)snn_targets_rate(v, y, 1, 2, 2, &tg);
    else if (which == 15) s = (snn_status)snn_latency_steps(v, 3, 2, &la);
    else if (which == 16) s = snn_event_frames(v, &event, 1, &fr);
    else if (which == 17) s = snn_stdp_linear(&sd, 1, 1, 1, v, v, v + 4, v + 5, v, v + 6, NULL);
    else {
        sd._start = sd._end = (uint32_t)(which == 19);
        if (which == 19) cv._start = cv._end = 0;
        s = snn_stdp_conv2d(&sd, &cv, 1, 1, 1, 1, v, v, v + 4, v + 5, v, v + 6);
    }
    CHECK(s == SNN_ERR_DESC);
}

/* ---- kernels ---- */

/* Every kernel of one instruction set against plain loops in double, at awkward sizes. */
static void kernels(int isa, int exact)
{
    static const int sizes[][3] = {{1, 1, 1},   {2, 7, 3},    {5, 16, 9},    {7, 33, 40},
                                   {9, 65, 17}, {100, 19, 5}, {13, 200, 300}};
    const snn__kernels *kern = snn__kernels_select((snn_isa)isa, exact);
    const snn_threads one = {NULL, NULL};
    int s, i, j, p;
    for (s = 0; s < COUNT_OF(sizes); s++) {
        int m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], count, form;
        size_t ld = (size_t)(n + 15) / 16 * 16, nz = 0;
        float *a = floats((size_t)(m * k)), *b = floats((size_t)k * ld + 64),
              *c = floats((size_t)(m * n)), *r = floats((size_t)(m * n));
        float *bias = floats((size_t)n), *x = floats((size_t)k), *y = floats(ld),
              *val = floats((size_t)k + 16), *w = floats((size_t)k * ld);
        float *start = floats(ld), *turned = floats((size_t)(m * k));
        uint16_t *half = (uint16_t *)keep_bytes((size_t)(m * k) * 2);
        uint32_t *idx = (uint32_t *)keep_bytes(((size_t)k + 16) * 4),
                 *words = (uint32_t *)keep_bytes(((size_t)k + 31) / 32 * 4);
        for (i = 0; i < m * k; i++) a[i] = uniform(-1.0f, 1.0f, 900, (size_t)i);
        for (i = 0; i < k; i++)
            for (j = 0; j < n; j++)
                b[(size_t)i * ld + (size_t)j] = uniform(-1.0f, 1.0f, 901, (size_t)(i * n + j));
        for (i = 0; i < n; i++) bias[i] = uniform(-1.0f, 1.0f, 902, (size_t)i);
        for (i = 0; i < k; i++)
            x[i] = uniform(0.0f, 1.0f, 903, (size_t)i) < 0.4f ? uniform(-1.0f, 1.0f, 904, (size_t)i)
                                                              : 0.0f;
        for (form = 0; form < 4; form++) { /* bias or add; a as rows or columns */
            int add = form & 1, columns = form >> 1;
            for (i = 0; i < m; i++)
                for (j = 0; j < n; j++) {
                    double sum = add ? 0.25 : (double)bias[j];
                    for (p = 0; p < k; p++)
                        sum += (double)a[columns ? p * m + i : i * k + p] *
                               (double)b[(size_t)p * ld + (size_t)j];
                    r[i * n + j] = (float)sum;
                    c[i * n + j] = 0.25f;
                }
            snn__gemm(kern, &one, m, n, k, a, columns ? 1 : (size_t)k, columns ? (size_t)m : 1, b,
                      ld, c, (size_t)n, add ? NULL : bias, add);
            if (!(worst_relative(c, r, (size_t)(m * n)) < 2e-6))
                fail("gemm %d x %d x %d, form %d", m, n, k, form);
            for (i = 0; i < m * k; i++) turned[i] = 0.25f;
            kern->transpose(turned, (size_t)m, a, (size_t)k, m, k, add);
            for (i = 0; i < m * k; i++)
                if (turned[i % k * m + i / k] != (add ? 0.25f + a[i] : a[i]))
                    fail("transpose %d", i);
        }
        for (i = 0; i < m * k; i++) a[i] = ldexpf(a[i], i % 48 - 30); /* subnormal to infinite */
        kern->halve(half, a, (size_t)(m * k));
        kern->widen(turned, half, (size_t)(m * k));
        for (i = 0; i < m * k; i++) {
            const double v = fabs((double)a[i]), size = v < 6.103515625e-5 ? 6.103515625e-5 : v;
            const double place = ldexp(1.0, (int)floor(log2(size)) - 10);
            const double want = nearbyint(v / place) * place;
            if (turned[i] != (a[i] < 0 ? -1.0f : 1.0f) * (want > 65504.0 ? INFINITY : (float)want))
                fail("half of %.9g is %.9g", (double)a[i], (double)turned[i]);
        }
        for (i = 0; i < n; i++) start[i] = bias[i];
        for (i = 0; i < k; i++) nz += x[i] != 0.0f;
        for (form = 0; form < 2; form++) { /* ones, or values */
            count = form ? kern->list_floats(x, k, idx, val)
                         : (snn_spikes_pack(words, x, k), kern->list_bits(words, k, idx));
            if (count != (int)nz) fail("%d of %lu nonzeros listed", count, (unsigned long)nz);
            for (i = p = 0; i < k; i++)
                if (x[i] != 0.0f && p < count)
                    CHECK(idx[p] == (uint32_t)i && (!form || val[p] == x[i])), p++;
            memset(y, 0x55, ld * sizeof(float));
            kern->gather(y, form ? start : NULL, b, ld, (int)ld, idx, form ? val : NULL, count);
            memset(w, 0, (size_t)k * ld * sizeof(float));
            kern->scatter(w, ld, (int)ld, idx, form ? val : NULL, count, y);
            for (j = 0; j < n; j++) {
                double sum = form ? (double)start[j] : 0.0;
                for (i = 0; i < k; i++) {
                    double v = form ? (double)x[i] : (double)(x[i] != 0.0f),
                           want = v * (double)y[j];
                    sum += v * (double)b[(size_t)i * ld + (size_t)j];
                    if (!(fabs((double)w[(size_t)i * ld + (size_t)j] - want) <=
                          1e-6 * (1.0 + fabs(want))))
                        fail("scatter %d %d", i, j);
                }
                if (!(fabs((double)y[j] - sum) < 1e-5)) fail("gather %d", j);
            }
            kern->fire(words, x, k, form);
            for (i = 0; i < (k + 31) / 32 * 32; i++) {
                int set = i < k && (form ? x[i] >= 0.0f : x[i] > 0.0f);
                if ((int)(words[i / 32] >> (i % 32) & 1u) != set) fail("fire %d", i);
            }
        }
    }
}

/* the kernels of pools, bit for bit: the winner of each window, its way through a few bits, its
 * gradient, and the sums of those won by a row of the window */
static void kernels_pools(int isa, int exact)
{
    static const int elements[] = {2, 4, 9, 25};
    enum { WINDOWS = 5, LANES = 48, CHANNELS = 37 };
    const snn__kernels *kern = snn__kernels_select((snn_isa)isa, exact);
    int e, i, k, w;
    for (e = 0; e < COUNT_OF(elements); e++) {
        const int count = elements[e];
        const size_t bits = count <= 4 ? 2 : count <= 16 ? 4 : 8;
        const size_t words = (WINDOWS * CHANNELS * bits + 31) / 32;
        const size_t room = words * 32 / bits + LANES;
        float *x = floats((size_t)(WINDOWS * count * LANES)), *d = floats(WINDOWS * LANES);
        float *dx = floats((size_t)(count * LANES)), *sum = floats(LANES), best[LANES];
        uint32_t *folded = (uint32_t *)keep_bytes(words * 4);
        uint32_t *all = (uint32_t *)keep_bytes(room), *back = (uint32_t *)keep_bytes(room);
        unsigned char *arg = (unsigned char *)all;
        int32_t at[25];
        memset(all, 0xff, room);
        for (i = 0; i < WINDOWS * count * LANES; i++) /* few values, so that some are equal */
            x[i] = floorf(uniform(0.0f, 9.0f, 910, (size_t)i));
        for (i = 0; i < WINDOWS * LANES; i++) d[i] = uniform(-1.0f, 1.0f, 911, (size_t)i);
        for (k = 0; k < count; k++) at[k] = k * LANES;
        for (w = 0; w < WINDOWS; w++) {
            kern->maximum(best, arg + w * CHANNELS, x + w * count * LANES, at, count, LANES);
            for (i = 0; i < LANES; i++) {
                const float *from = x + w * count * LANES + i;
                int first = 0;
                for (k = 1; k < count; k++)
                    if (from[k * LANES] > from[first * LANES]) first = k;
                if (best[i] != from[first * LANES] || arg[w * CHANNELS + i] != first)
                    fail("maximum of %d: channel %d", count, i);
            }
        }
        snn__bytes_fold(folded, all, words, bits);
        snn__bytes_unfold(back, folded, words, bits);
        if (memcmp(back, all, WINDOWS * CHANNELS)) fail("winners of %d", count);
        for (k = 0; k < 2; k++) { /* written, or added to 0.25 */
            for (i = 0; i < count * LANES; i++) dx[i] = 0.25f;
            kern->unpool(dx, at, count, d, arg, CHANNELS / 16 * 16, k);
            for (i = 0; i < count * LANES; i++) {
                const int c = i % LANES, won = arg[c] == i / LANES;
                if (c < CHANNELS / 16 * 16 && dx[i] != (k ? 0.25f : 0.0f) + (won ? d[c] : 0.0f))
                    fail("unpool of %d: %d", count, i);
            }
        }
        for (i = 0; i < LANES; i++) sum[i] = 0.5f;
        kern->add_won(sum, d, LANES, arg, CHANNELS, WINDOWS, 1, 2, LANES);
        for (i = 0; i < CHANNELS; i++) {
            float want = 0.0f;
            for (w = 0; w < WINDOWS; w++)
                if (arg[w * CHANNELS + i] == 1 || arg[w * CHANNELS + i] == 2)
                    want += d[w * LANES + i];
            if (sum[i] != 0.5f + want) fail("add_won of %d: channel %d", count, i);
        }
    }
}

/* convolutions of ones: many, all, few, from bits and from floats, against sums in double */
static void kernels_patterns(int isa, int exact)
{
    enum { B = 3 };
    static const int rows[][8] = {/* C, H, W, O, kernel, padding */
                                  {1, 6, 5, 3, 1, 1, 0, 0},    {3, 9, 11, 17, 3, 3, 1, 1},
                                  {2, 12, 12, 33, 5, 5, 0, 2}, {2, 7, 40, 16, 2, 6, 0, 3},
                                  {1, 20, 33, 5, 7, 11, 3, 5}, {1, 3, 50, 4, 2, 24, 1, 23},
                                  {1, 2, 60, 4, 1, 25, 0, 0},  {8, 5, 3, 2, 5, 3, 4, 2},
                                  {130, 3, 9, 2, 3, 3, 1, 1}};
    int r, k, i, b, o, y, x, c, ky, kx;
    for (r = 0; r < COUNT_OF(rows); r++) {
        const int *n = rows[r], C = n[0], H = n[1], W = n[2], O = n[3], kh = n[4], kw = n[5];
        const int oh = H + 2 * n[6] - kh + 1, ow = W + 2 * n[7] - kw + 1;
        float *in = floats((size_t)(B * C * H * W)), *y0 = floats((size_t)(B * O * oh * ow));
        for (i = 0; i < B * C * H * W; i++)
            in[i] = (float)(uniform(0.0f, 1.0f, 920, (size_t)i) <
                            (i < C * H * W ? 0.4f : i < 2 * C * H * W ? 1.5f : 0.03f));
        for (k = 0; k < 2; k++) {
            snn_net *net = NULL;
            snn_tensor w, bias, out;
            int node;
            ZERO(snn_net_desc, d);
            ZERO(snn_conv2d_desc, conv);
            d.batch = B, d.steps = 1, d.isa = (snn_isa)isa, d.deterministic = exact;
            d.input = k ? SNN_INPUT_SPIKES : SNN_INPUT_DENSE;
            conv.out_channels = O, conv.kernel_h = kh, conv.kernel_w = kw;
            conv.padding_h = n[6], conv.padding_w = n[7];
            CHECK(snn_net_create(&net, &d) == SNN_OK);
            keep_net(net);
            node = snn_conv2d(net, snn_input(net, C, H, W), &conv);
            CHECK(snn_net_build(net) == SNN_OK && snn_net_forward(net, in) == SNN_OK);
            out = snn_net_spikes(net, node);
            CHECK(snn_tensor_count(&out) == (size_t)(B * O * oh * ow));
            if (k && memcmp(y0, out.data, sizeof(float) * snn_tensor_count(&out)))
                fail("row %d: floats and bits differ", r);
            memcpy(y0, out.data, sizeof(float) * snn_tensor_count(&out));
            w = snn_net_param(net, 0)->value, bias = snn_net_param(net, 1)->value;
            for (i = 0; i < B * O * oh * ow; i++) {
                double sum;
                b = i / (O * oh * ow), o = i / (oh * ow) % O, y = i / ow % oh, x = i % ow;
                sum = (double)bias.data[o];
                for (c = 0; c < C; c++)
                    for (ky = 0; ky < kh; ky++)
                        for (kx = 0; kx < kw; kx++) {
                            const int iy = y + ky - n[6], ix = x + kx - n[7];
                            if (iy >= 0 && iy < H && ix >= 0 && ix < W)
                                sum += (double)in[((b * C + c) * H + iy) * W + ix] *
                                       (double)w.data[((o * C + c) * kh + ky) * kw + kx];
                        }
                if (!(fabs((double)y0[i] - sum) < 1e-5)) {
                    fail("row %d, sample %d, output %d, %d, %d", r, b, o, y, x);
                    break;
                }
            }
        }
    }
}

/* all halves there and back, and the midpoints between them, on every instruction set */
static void kernels_halves(int isa, int b)
{
    const snn__kernels *kern = snn__kernels_select((snn_isa)isa, b);
    uint16_t *half = (uint16_t *)keep_bytes(65536 * 2), *back = (uint16_t *)keep_bytes(65536 * 2);
    float *x = floats(65536);
    int i;
    for (i = 0; i < 65536; i++) half[i] = (uint16_t)i;
    kern->widen(x, half, 65536);
    kern->halve(back, x, 65536);
    for (i = 0; i < 65536; i++)
        if ((i & 0x7fff) > 0x7c00 ? !isnan(x[i]) || (back[i] & 0x7fff) <= 0x7c00 : back[i] != i)
            fail("half %d comes back as %d", i, back[i]);
    CHECK(x[1] == ldexpf(1.0f, -24) && x[0x3c00] == 1.0f && x[0xfbff] == -65504.0f &&
          x[0x7c00] == INFINITY);
    for (i = 0; i < 0x7bff; i++) x[i] = 0.5f * (x[i] + x[i + 1]);
    kern->halve(back, x, 0x7bff);
    for (i = 0; i < 0x7bff; i++)
        if (back[i] != i + (i & 1)) fail("a tie above half %d is not rounded to even", i);
}

/* products of two rows at any distances, against sums in double */
static void kernels_dots(int isa, int exact)
{
    static const int counts[] = {1, 2, 3, 4, 7, 9}, lengths[] = {16, 48, 320};
    const snn__kernels *kern = snn__kernels_select((snn_isa)isa, exact);
    float *a = floats(320), *b = floats(400), *y = floats(9 * SNN__LANES);
    uint32_t idx[9];
    int c, n, i, j, l;
    for (i = 0; i < 400; i++) {
        if (i < 320) a[i] = uniform(-1.0f, 1.0f, 930, (size_t)i);
        b[i] = uniform(-1.0f, 1.0f, 931, (size_t)i);
    }
    for (j = 0; j < 9; j++) idx[j] = (uint32_t)(j * j);
    for (c = 0; c < COUNT_OF(counts); c++)
        for (n = 0; n < COUNT_OF(lengths); n++) {
            for (i = 0; i < 9 * SNN__LANES; i++) y[i] = 0.25f * (float)(i % 4);
            kern->dots(y, a, b, idx, counts[c], lengths[n]);
            for (j = 0; j < 9; j++)
                for (l = 0; l < SNN__LANES; l++) {
                    double sum = 0.25 * (l % 4);
                    for (i = l; j < counts[c] && i < lengths[n]; i += SNN__LANES)
                        sum += (double)a[i] * (double)b[(int)idx[j] + i];
                    if (!(fabs((double)y[j * SNN__LANES + l] - sum) < 1e-5))
                        fail("%d dots of %d: sum %d, lane %d", counts[c], lengths[n], j, l);
                }
        }
}

/* sums over rows of bits, where an instruction set has them, against sums in double */
static void kernels_masked(int isa, int exact)
{
    static const int outs[] = {1, 3, 8, 9, 10, 16};
    const snn__kernels *kern = snn__kernels_select((snn_isa)isa, exact);
    float *d = floats(50 * 18), *y = floats(16 * 32);
    uint32_t words[50 * 3];
    int k, i, j, r;
    if (!kern->masked) return;
    for (i = 0; i < 50 * 18; i++) d[i] = uniform(-1.0f, 1.0f, 940, (size_t)i);
    for (i = 0; i < 50 * 3; i++) words[i] = snn_random(940, 1, 0, (uint32_t)i);
    for (k = 0; k < COUNT_OF(outs); k++) {
        kern->masked(y, words, 3, d, 18, 50, outs[k]);
        for (j = 0; j < outs[k]; j++)
            for (i = 0; i < 32; i++) {
                double sum = 0.0;
                for (r = 0; r < 50; r++)
                    if (words[r * 3] >> i & 1u) sum += (double)d[r * 18 + j];
                if (!(fabs((double)y[j * 32 + i] - sum) < 1e-5))
                    fail("masked, %d outputs: output %d, bit %d", outs[k], j, i);
            }
    }
}

static const struct {
    const char *name;
    void (*check)(int isa, int exact);
} kernel_checks[] = {
    {"", kernels}, {"halves_", kernels_halves}, {"pools_", kernels_pools},
    {"patterns_", kernels_patterns}, {"dots_", kernels_dots}, {"masked_", kernels_masked}};

static void kernels_sizes(int a, int b)
{
    const size_t huge = (size_t)-1;
    uint32_t words[100];
    (void)a, (void)b;
    CHECK(snn__mul_size(6, 7) == 42 && snn__mul_size(huge / 2, 3) == huge &&
          snn__mul_size(0, huge) == 0);
    CHECK(snn__add_size(6, 7) == 13 && snn__add_size(huge, 1) == huge &&
          snn__add_size(huge - 1, 1) == huge);
    memset(words, 255, sizeof words);
    CHECK(snn__count_bits(words, 100) == 3200 && snn__count_bits(words, 31) == 992 &&
          snn__count_bits(words, 0) == 0);
    CHECK(snn__finite(1e38f) && !snn__finite(INFINITY) && !snn__finite(-INFINITY) &&
          !snn__finite(NAN));
}

/* ---- surrogates ---- */

/* Parameters that keep the primitives gentle enough for float differences. */
static void gentle(snn_surrogate_kind kind, float *p0, float *p1)
{
    *p0 = kind == SNN_FAST_SIGMOID || kind == SNN_SIGMOID ? 4.0f : 0.0f;
    *p1 = 0.0f;
    if (kind == SNN_SPIKE_RATE_ESCAPE) *p1 = 0.7f;
    if (kind == SNN_SPARSE_FAST_SIGMOID) *p0 = 3.0f, *p1 = -4.0f;
    if (kind == SNN_BOXCAR) *p0 = 3.0f;
    if (kind == SNN_LEAKY_SPIKE) *p0 = 0.4f;
}

static void surrogate_init(snn_surrogate *s, int kind, int mild)
{
    memset(s, 0, sizeof *s);
    s->kind = (snn_surrogate_kind)kind;
    s->custom = custom_surrogate;
    if (mild) gentle(s->kind, &s->p0, &s->p1);
}

/* The formula in double, written from the table of the reference. */
static double surrogate_formula(int kind, double x, double p0, double p1, double u)
{
    double e;
    switch ((snn_surrogate_kind)kind) {
    case SNN_ATAN: e = 1.5707963267948966 * p0 * x; return p0 / 2.0 / (1.0 + e * e);
    case SNN_FAST_SIGMOID: return 1.0 / pow(p0 * fabs(x) + 1.0, 2.0);
    case SNN_SIGMOID: e = exp(-p0 * fabs(x)); return p0 * e / ((1.0 + e) * (1.0 + e));
    case SNN_STRAIGHT_THROUGH: return 1.0;
    case SNN_TRIANGULAR: return x < 0.0 ? p0 : -p0;
    case SNN_HEAVISIDE: return x > 0.0 ? 1.0 : 0.0;
    case SNN_SPIKE_RATE_ESCAPE: return p1 * exp(-p0 * fabs(x - 1.0));
    case SNN_STOCHASTIC: return x > 0.0 ? 1.0 : (u - 0.5 + p0) * p1;
    case SNN_LEAKY_SPIKE: return x > 0.0 ? 1.0 : p0;
    case SNN_SPARSE_FAST_SIGMOID: return x > p1 ? 1.0 / pow(p0 * fabs(x) + 1.0, 2.0) : 0.0;
    case SNN_CUSTOM_SURROGATE: e = exp(-3.0 * fabs(x)); return 3.0 * e / ((1.0 + e) * (1.0 + e));
    case SNN_NO_SURROGATE: return 0.0;
    case SNN_BOXCAR: return fabs(x) < p0 ? 0.5 / p0 : 0.0;
    case SNN_HAT: return fabs(x) < p0 ? p1 * (1.0 - fabs(x) / p0) : 0.0;
    default: break;
    }
    fail("surrogate %d has no formula here", kind);
    return 0.0;
}

static const float surrogate_default[][2] = {
#define ROW(id, name, p0, p1) {p0, p1},
    SNN_SURROGATE_LIST(ROW)
#undef ROW
};

static void surrogate_values(int kind, int mild)
{
    enum { n = 403 };
    float x[n], u[n], d[n], back[n];
    double worst = 0.0, p0, p1;
    int i;
    snn_surrogate s;
    surrogate_init(&s, kind, mild);
    p0 = (double)(s.p0 != 0.0f ? s.p0 : surrogate_default[kind][0]);
    p1 = (double)(s.p1 != 0.0f ? s.p1 : surrogate_default[kind][1]);
    for (i = 0; i < n; i++) {
        x[i] = ((float)i - 201.0f) * (i % 7 == 0 ? 3.0f : 0.0172f);
        u[i] = uniform(0.0f, 1.0f, 31, (size_t)i);
    }
    memcpy(back, x, sizeof x);
    snn_surrogate_grad(&s, n, x, u, d);
    snn_surrogate_grad(&s, n, back, u, back); /* in place */
    CHECK(same_bits(d, back, n));
    for (i = 0; i < n; i++) {
        double r = surrogate_formula(kind, (double)x[i], p0, p1, (double)u[i]);
        double e = fabs((double)d[i] - r) / (fabs(r) > 1e-2 ? fabs(r) : 1e-2);
        if (!(e <= worst)) worst = e;
    }
    note("%.1e", worst);
    if (!(worst < 1e-5)) fail("differs from the formula by %.1e", worst);
}

/* The primitive's rise over each cell is the integral of d (Simpson; kinks lie on the grid). */
static void surrogate_integral(int kind, int mild)
{
    enum { cells = 120, sub = 64 };
    float x[2], u[sub + 1], grid[sub + 1], d[sub + 1], y[2];
    double worst = 0.0, scale = 0.0;
    int i, k;
    snn_surrogate s;
    surrogate_init(&s, kind, mild);
    for (k = 0; k <= sub; k++) u[k] = 0.8f;
    for (i = 0; i < cells; i++) {
        double sum = 0.0, lo = (i - 60) * 0.0625;
        x[0] = (float)lo;
        x[1] = (float)(lo + 0.0625);
        for (k = 0; k <= sub; k++) grid[k] = (float)(lo + 0.0625 * k / (double)sub);
        grid[0] += 1e-6f; /* one side of a kink */
        grid[sub] -= 1e-6f;
        snn_surrogate_primitive(&s, 2, x, u, y);
        snn_surrogate_grad(&s, sub + 1, grid, u, d);
        for (k = 0; k <= sub; k++) {
            double m = k == 0 || k == sub ? 1.0 : k % 2 ? 4.0 : 2.0;
            sum += m * (double)d[k] / (3.0 * (double)sub);
            if (fabs((double)d[k]) > scale) scale = fabs((double)d[k]);
        }
        sum -= ((double)y[1] - (double)y[0]) / 0.0625;
        if (!(fabs(sum) <= worst)) worst = fabs(sum);
    }
    note("%.1e of %.2g", worst, scale);
    if (!(worst <= 1e-4 * (scale + 1.0))) fail("primitive's slope is off by %.1e", worst);
}

static void surrogate_names(int a, int b)
{
    int i, j;
    (void)a, (void)b;
    for (i = 0; i < (int)SNN_SURROGATE_COUNT; i++) {
        CHECK(strlen(snn_surrogate_name((snn_surrogate_kind)i)) > 0);
        for (j = 0; j < i; j++)
            CHECK(strcmp(snn_surrogate_name((snn_surrogate_kind)i),
                         snn_surrogate_name((snn_surrogate_kind)j)) != 0);
    }
}

/* ---- neurons ---- */

/* What the tests of all neurons say beyond b.85 a.9 t.7: words, the range of the inputs on plain
 * arrays, and a layer between linear and neuron in the gradient check (BioLIF's inputs must not be
 * negative, Izhikevich's are tens). A neuron without a row needs nothing. */
static const struct {
    const char *name, *words;
    float lo, hi;
    const char *feed;
} neuron_settings[] = {
    {"slstm", "t.25", -2.0f, 3.0f, ""},
    {"truncated_leaky", "ks3 tau4", -0.6f, 1.2f, ""},
    {"coarse_lif", "tau4 c2:0", -1.0f, 2.0f, ""},
    {"bio_lif", "t.35 c1:.6 c2:1", 0.0f, 2.0f, "| leaky b.8 t.1 atan"},
    {"soft_lif", "t1 c3:.3", 0.5f, 3.0f, ""},
    {"izhikevich", "t30 c1:.05 c2:.2 c3:-60 c4:6 p0:.02", 5.0f, 40.0f, "| scale:12"},
    {"adex", "c2:.4 c3:.5 c4:.3", -1.0f, 2.0f, ""},
    {"conductance_lif", "t.4 c1:.4 c3:1 c4:-.6 c5:.5 rest.1 vreset-.2 ref-1", 0.0f, 2.0f,
     "| leaky b.8 t.1 atan"},
    {"qcfs", "t.8 c1:1000000", -1.0f, 2.0f, ""},
};
static int settings_of(const char *name)
{
    static int k;
    for (k = 0; k < COUNT_OF(neuron_settings); k++)
        if (!strcmp(neuron_settings[k].name, name)) return k;
    return -1;
}

/* conventions on plain arrays; only: for this neuron alone */
static const struct {
    const char *words, *only;
} neuron_options[] = {
    {"sub", ""}, {"zero", ""}, {"keep", ""}, {"sub now", ""}, {"zero now", ""}, {"keep now", ""},
    {"sub f1.7", ""}, {"zero now f.6", ""}, {"sub inh", ""}, {"zero now inh", ""}, {"sub ge", ""},
    {"sub per", ""}, {"sub now per f1.3", ""}, {"sub fast_sigmoid p0:10", ""}, {"zero per b.8", ""},
    {"sub now detach", ""}, {"zero mem", ""}, {"sub now inh mem", ""}, {"sub b1.3", "leaky"},
    {"ref2", "lif"},
    {"zero rest.2 vreset-.3 f1.2", "lif"}, {"sub rest-.3 ref1 per", "lif"}, {"decin t.4", "lif"},
    {"zero ge gain.6 detach", "lif"}, {"sub inh ref1", "lif"}, {"c2:1", "conductance_lif"},
    {"ref2 per c2:1", "conductance_lif"}, {"inh ref1", "conductance_lif"},
};

/* The neuron on plain arrays, step by step, gives the net's spikes, membranes and gradients. */
static void neuron_plain(int kind, int option)
{
    enum { T = 9, B = 3, N = 37 };
    char layers[160];
    net_row r = {"plain", SNN_INPUT_DENSE, N, 0, 0, T, B, NULL};
    const snn_neuron_def *def = snn_neuron_info((snn_neuron_kind)kind);
    float *state[SNN_MAX_STATES], *dstate[SNN_MAX_STATES], *dparam[SNN_MAX_PARAMS + 1], *hist, *x,
        *spk;
    float *dx;
    const float *before[SNN_MAX_STATES];
    char w[24][32], name[64];
    const char *text;
    layer_options o;
    snn_neuron_model m;
    snn_net *net;
    snn_tensor ns, nm, ds, dm, in;
    const int wide = def->inputs > 1 ? def->inputs : 1, own = settings_of(def->name);
    int t, b, k, fired = 0;
    snprintf(layers, sizeof layers, "%s name=lif1 norec b.85 a.9 t.7 lb lt lg la lc %s %s",
             def->name, own >= 0 ? neuron_settings[own].words : "", neuron_options[option].words);
    r.layers = layers;
    r.c = wide * N;
    net = keep_net(open_row(&r, NULL, NULL, 0));
    snn_net_record(net, 0, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
    if (snn_net_build(net) != SNN_OK) {
        fail("%s", snn_net_error(net));
        return;
    }
    for (k = 0; k < snn_net_param_count(net); k++) { /* per-neuron values differ */
        snn_tensor v = snn_net_param(net, k)->value;
        if (snn_tensor_count(&v) <= 1 || strstr(snn_net_param(net, k)->name, "graded")) continue;
        for (t = 0; t < N; t++) v.data[t] *= uniform(0.8f, 1.3f, 810, (size_t)t);
    }
    x = row_input(&r, 500);
    for (k = 0; own >= 0 && k < T * B * N * wide; k++)
        x[k] = uniform(neuron_settings[own].lo, neuron_settings[own].hi, 811, (size_t)k);
    CHECK(snn_net_params_changed(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    CHECK(snn_net_zero_grad(net) == SNN_OK);
    push_back(net);
    ns = snn_net_spikes(net, 1);
    nm = snn_net_membrane(net, 1);
    ds = snn_net_dspikes(net, 1);
    dm = snn_net_dmembrane(net, 1);
    in = snn_net_dspikes(net, 0);
    if (!ns.data || !nm.data || !ds.data || !dm.data || !in.data) {
        fail("a view is missing");
        return;
    }
    text = layers;
    read_options(&o, w, next_layer(&text, w));
    if (snn_neuron_init(&m, def, &o.neuron) != SNN_OK) {
        fail("snn_neuron_init");
        return;
    }
    for (k = 0; k < def->params; k++) {
        snprintf(name, sizeof name, "lif1.%s", def->param[k].name);
        if (o.neuron.per_neuron) m.param[k] = snn_net_find_param(net, name)->value.data;
    }
    spk = floats(N);
    dx = floats((size_t)(wide * N));
    hist = floats((size_t)(T + 1) * SNN_MAX_STATES * N);
    for (k = 0; k <= SNN_MAX_PARAMS; k++) dparam[k] = floats(N);
    for (b = 0; b < B; b++) {
        for (k = 0; k < def->states; k++) {
            state[k] = floats(N);
            dstate[k] = floats(N);
        }
        snn_neuron_start(&m, N, state);
        for (k = 0; k < def->states; k++) memcpy(hist + k * N, state[k], N * sizeof(float));
        for (t = 0; t < T; t++) {
            size_t at = (size_t)((t * B + b) * N);
            snn_neuron_forward(&m, N, spk, state, x + at * (size_t)wide);
            if (!same_bits(spk, ns.data + at, N)) fail("spikes of step %d, sample %d differ", t, b);
            if (!same_bits(state[0], nm.data + at, N)) fail("membranes of step %d differ", t);
            for (k = 0; k < N; k++) fired += spk[k] != 0.0f;
            for (k = 0; k < def->states; k++)
                memcpy(hist + ((t + 1) * SNN_MAX_STATES + k) * N, state[k], N * sizeof(float));
        }
        for (t = T - 1; t >= 0; t--) {
            size_t at = (size_t)((t * B + b) * N);
            for (k = 0; k < def->states; k++) before[k] = hist + (t * SNN_MAX_STATES + k) * N;
            for (k = 0; k < N; k++) dstate[0][k] += dm.data[at + (size_t)k];
            snn_neuron_backward(&m, N, dx, dstate, dparam, before, x + at * (size_t)wide,
                                ds.data + at);
            if (!(worst_relative(dx, in.data + at * (size_t)wide, (size_t)(wide * N)) < 1e-5))
                fail("input gradient of step %d differs", t);
        }
    }
    for (k = 0; k <= def->params; k++) {
        const snn_param *p;
        double sum = 0.0;
        snprintf(name, sizeof name, "lif1.%s",
                 k < def->params ? def->param[k].name : "graded_spikes_factor");
        p = snn_net_find_param(net, name);
        if (!p || !p->grad.data) {
            if (kind == (int)SNN_LEAKY) fail("%s is not learnt", name);
            continue;
        }
        for (t = 0; t < N; t++) sum += (double)dparam[k][t];
        if (snn_tensor_count(&p->grad) > 1
                ? !(worst_relative(dparam[k], p->grad.data, N) < 1e-4)
                : !(fabs(sum - (double)p->grad.data[0]) < 1e-4 * (1.0 + fabs(sum))))
            fail("gradient of %s differs", name);
    }
    if (!m.desc.output_membrane && (fired < 5 || fired > T * B * N * 9 / 10))
        fail("%d spikes test nothing", fired);
}

/* Neurons without reference vectors against their equations, in double: layers, input range. */
static const struct {
    const char *layers;
    float lo, hi;
} neuron_formulas[] = {
    {"alif b.9 t.5", -1, 2}, {"alif b.8 t.4 zero c2:.8 c3:.6", -1, 2},
    {"delay:3 @b | from@i | cat@b | truncated_leaky ks3 tau4 t.5", -1, 2},
    {"delay:1 @b | from@i | cat@b | truncated_leaky ks1 b.7 t.5", -1, 2},
    {"lif b.9 t.5", -1, 2}, {"lif b.9 t.5 sub ge", -1, 2}, {"lif b.7 t1.5 keep", -1, 2},
    {"lif b.9 t.5 ref2", -1, 2}, {"lif b.8 t.5 sub ref1 before", -1, 2},
    {"lif b.9 t.6 rest.2 vreset-.3", -1, 2}, {"lif b.9 t.6 sub rest-.3", -1, 2},
    {"lif b.7 t.3 decin", -1, 2}, {"lif b.7 t.6 gain1.4 before", -1, 2},
    {"lif b-1 t1 ge", -1, 2}, {"lif b-1 t.7 decin", -1, 2}, {"if t1.2", -1, 2},
    {"if t.8 sub ref1", -1, 2}, {"lif b.9 t.6 rest.2 start.3 zero", -1, 2},
    {"if t1.1 sub ge start.55", -1, 2}, {"relu", -1, 2},
    {"qcfs t.8", -1, 2}, {"qcfs t1.3 c1:3", -1, 2}, {"qcfs t.6 c1:4 c2:1", -1, 2},
    {"li b.9 rest.3", -1, 2}, {"li b.6 decin", -1, 2},
    {"coarse_lif tau3 t1", -1, 2}, {"coarse_lif tau.8 t.4", -1, 2},
    {"bio_lif", 0, 2}, {"bio_lif t.3 c1:.9", 0, 3}, {"mcpitts t.4", -1, 2},
    {"mcpitts ge", 1, 1}, {"soft_lif", 0, 4}, {"soft_lif c1:2 c2:-.3 c3:.3 c4:.2 c5:.4", 0, 2},
    {"izhikevich", 5, 40}, {"izhikevich before", 5, 40},
    {"izhikevich c1:.1 c2:.25 c3:-50 c4:2", 5, 30}, {"adex b.9", -1, 2},
    {"adex b.8 sub c2:.8 c3:.5 c4:.3 c5:.2 t.8", -1, 2},
};

static int never_spikes(int kind)
{
    return kind == (int)SNN_LI || kind == (int)SNN_SOFT_LIF || kind == (int)SNN_RELU ||
           kind == (int)SNN_QCFS;
}

/* One step of neuron d from states s at input x[t]; y: the second input. Returns V, before a reset;
 * the state after it is in s. Sums of past inputs where the library keeps a running one. */
static double neuron_formula(int kind, const snn_neuron_desc *d, double theta, double *s,
                             const double *x, const double *y, int t, int *spike)
{
    const double U = s[0], beta = d->beta < 0.0f ? 0.0 : (double)d->beta;
    const float *c = d->custom;
    double v = 0.0, a, b, n, decay;
    int k;
    switch ((snn_neuron_kind)kind) {
    case SNN_ALIF:
        a = given(c[3], 0.2);
        b = U > theta + a * s[1]; /* the last spike */
        s[1] = given(c[2], 0.97) * s[1] + b;
        s[0] = d->reset == SNN_RESET_ZERO ? beta * (1.0 - b) * U + x[t]
                                          : beta * U + x[t] - b * theta;
        *spike = s[0] > theta + a * s[1];
        return s[0];
    case SNN_TRUNCATED_LEAKY:
        decay = exp(d->tau != 0.0f ? -1.0 / (double)d->tau : beta - 1.0);
        for (k = 0; k < (int)d->kernel_steps && k <= t; k++) v += pow(decay, k) * x[t - k];
        break;
    case SNN_LIF:
    case SNN_IF:
    case SNN_LI:
        decay = kind == (int)SNN_IF ? 1.0 : beta;
        a = d->decay_input ? 1.0 - decay : given(d->input_gain, 1.0);
        v = (double)d->v_rest + decay * (U - (double)d->v_rest) + (s[1] > 0 ? 0.0 : a * x[t]);
        *spike = s[1] <= 0 && kind != (int)SNN_LI &&
                 (d->fire_at_threshold ? v >= theta : v > theta);
        s[0] = !*spike || d->reset == SNN_RESET_NONE ? v
               : d->reset == SNN_RESET_SUBTRACT      ? v - theta
                                                     : (double)d->v_reset;
        s[1] = *spike ? (double)d->refractory : s[1] - 1.0;
        return v;
    case SNN_COARSE_LIF:
        n = (double)d->tau, a = exp(-1.0 / n), b = n * (1.0 - a);
        v = s[1] > 0 ? n * (1.0 - b) * x[t] : a * U + b * x[t];
        s[1] = v > theta;
        break;
    case SNN_BIO_LIF:
        n = 1.0 + x[t] + y[t];
        a = exp(-given(c[1], 0.5) * n);
        v = U * a + x[t] / n * (1.0 - a);
        break;
    case SNN_MCPITTS: v = x[t]; break;
    case SNN_RELU: v = x[t] > 0.0 ? x[t] : 0.0; break;
    case SNN_QCFS:
        n = given(c[1], 8.0);
        v = theta * fmin(fmax(floor(x[t] * n / theta + 0.5) / n, 0.0), 1.0);
        break;
    case SNN_SOFT_LIF:
        a = given(c[3], 0.02);
        n = a * log1p(exp((given(c[1], 1.0) * x[t] + (double)c[2] - theta) / a));
        v = 0.063 / (given(c[4], 0.001) +
                     given(c[5], 0.05) * log1p(theta / n));
        break;
    case SNN_IZHIKEVICH:
        for (v = U, k = 0; k < 2; k++) v += 0.5 * (0.04 * v * v + 5.0 * v + 140.0 - s[1] + x[t]);
        s[1] += given(c[1], 0.02) * (given(c[2], 0.2) * v - s[1]);
        if (v > theta) s[1] += given(c[4], 8.0);
        break;
    case SNN_ADEX:
        n = given(c[5], 0.5);
        a = (U - theta) / n;
        v = U + (1.0 - beta) * (n * exp(a < 1.0 ? a : 1.0) - U - s[1]) + x[t];
        s[1] += (1.0 - given(c[2], 0.97)) * ((double)c[3] * U - s[1]);
        if (v > theta) s[1] += given(c[4], 0.1);
        break;
    default: fail("neuron %d has no formula here", kind);
    }
    *spike = d->fire_at_threshold ? v >= theta : v > theta;
    if (never_spikes(kind)) *spike = 0;
    s[0] = v;
    if (*spike && (kind == (int)SNN_COARSE_LIF || kind == (int)SNN_BIO_LIF)) s[0] = 0.0;
    if (*spike && kind == (int)SNN_IZHIKEVICH) s[0] = given(c[3], -65.0);
    if (*spike && kind == (int)SNN_ADEX) s[0] = d->reset == SNN_RESET_SUBTRACT ? v - theta : 0.0;
    return v;
}

static void neuron_equations(int row, int b)
{
    enum { T = 24, N = 9 };
    net_row r = {"equations", SNN_INPUT_DENSE, N, 0, 0, T, 1, neuron_formulas[row].layers};
    const char *text = r.layers;
    char w[24][32];
    double x[T], y[T];
    float *in;
    int i, t, kind, fired = 0, spike = 0, wide, n;
    snn_net *net;
    snn_tensor spk, mem;
    layer_options o;
    (void)b;
    while ((n = next_layer(&text, w)) > 0) read_options(&o, w, n), memcpy(w[23], w[0], 32);
    for (kind = 0; strcmp(neuron_makers[kind].name, w[23]); kind++) {}
    wide = kind == (int)SNN_BIO_LIF ? 2 : 1;
    r.c = wide * N;
    in = floats((size_t)(T * r.c));
    for (i = 0; i < T * r.c; i++)
        in[i] = uniform(neuron_formulas[row].lo, neuron_formulas[row].hi, 820, (size_t)i);
    net = build_row(&r, NULL);
    if (!net) return;
    CHECK(snn_net_forward(net, in) == SNN_OK);
    spk = snn_net_spikes(net, snn_net_output(net));
    mem = snn_net_membrane(net, snn_net_output(net));
    for (i = 0; i < N; i++) {
        double s[2] = {0.0, 0.0};
        const double theta = given(o.neuron.threshold, kind == (int)SNN_BIO_LIF      ? 0.5
                                                       : kind == (int)SNN_IZHIKEVICH ? 30.0
                                                                                     : 1.0);
        if (kind == (int)SNN_IZHIKEVICH) s[0] = -65.0, s[1] = -13.0;
        if (kind <= (int)SNN_LI) s[0] = (double)o.neuron.v_rest + (double)o.neuron.v_start;
        for (t = 0; t < T; t++) {
            x[t] = (double)in[t * r.c + i];
            y[t] = (double)in[t * r.c + r.c - N + i];
        }
        for (t = 0; t < T; t++) {
            const double v = neuron_formula(kind, &o.neuron, theta, s, x, y, t, &spike);
            const double want = o.neuron.membrane_before_reset ? v : s[0];
            const double got = (double)mem.data[t * N + i];
            const double shown = never_spikes(kind) ? got : spike;
            /* two quadratic maps a step multiply a rounding error by hundreds before a spike */
            if (!(fabs(got - want) < (kind == (int)SNN_IZHIKEVICH ? 1e-3 : 1e-5) * (1.0 + fabs(v))))
                fail("membrane %d of step %d is %.7g, should be %.7g", i, t, got, want);
            if ((double)spk.data[t * N + i] != shown)
                fail("output %d of step %d is %g", i, t, (double)spk.data[t * N + i]);
            fired += spike;
        }
    }
    note("%d spikes", fired);
    if (!never_spikes(kind) && strcmp(r.layers, "mcpitts ge"))
        CHECK(fired > 4 && fired < T * N * 9 / 10);
}

/* detach_reset: with the gradients of spikes and membranes all 1, backward by hand. In these rows
 * no membrane stays above its threshold, so that Leaky's delayed reset takes no part. */
static const char *const detach_rows[] = {"lif b.9 t1", "lif b.9 t1 sub", "lif b.8 t1 vreset.2",
                                          "leaky b.9 t1 sub now", "leaky b.9 t1 zero now"};

static void neuron_detach(int row, int detach)
{
    enum { T = 7 };
    static const float x[T] = {0.7f, 0.6f, 0.2f, 0.9f, 0.4f, 0.95f, 0.1f};
    char layers[96];
    net_row r = {"detach", SNN_INPUT_DENSE, 1, 0, 0, T, 1, NULL};
    double v[T], u = 0.0, g = 0.0, beta, reset, apart = 0.0;
    int t, h[T], sub = strstr(detach_rows[row], "sub") != NULL;
    char w[24][32];
    const char *text = detach_rows[row];
    layer_options o;
    snn_tensor ds, dm, in;
    snn_net *net;
    read_options(&o, w, next_layer(&text, w));
    beta = (double)o.neuron.beta;
    reset = (double)o.neuron.v_reset;
    snprintf(layers, sizeof layers, "%s %s", detach_rows[row], detach ? "detach" : "");
    r.layers = layers;
    net = keep_net(open_row(&r, NULL, NULL, 0));
    snn_net_record(net, 0, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
    CHECK(snn_net_build(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    CHECK(snn_net_zero_grad(net) == SNN_OK);
    ds = snn_net_dspikes(net, 1);
    dm = snn_net_dmembrane(net, 1);
    in = snn_net_dspikes(net, 0);
    for (t = 0; t < T; t++) ds.data[t] = dm.data[t] = 1.0f;
    CHECK(snn_net_backward(net) == SNN_OK);
    for (t = 0; t < T; t++) {
        v[t] = beta * u + (double)x[t];
        h[t] = v[t] > 1.0;
        u = h[t] ? sub ? v[t] - 1.0 : reset : v[t];
    }
    for (t = T - 1; t >= 0; t--) {
        const double e = 3.141592653589793 * (v[t] - 1.0), sigma = 1.0 / (1.0 + e * e), a = 1.0 + g;
        const double through = a * (sub ? -1.0 : reset - v[t]);
        apart += fabs(sigma * through);
        g = (sub ? 1.0 : 1.0 - h[t]) * a + sigma * (1.0 + (detach ? 0.0 : through));
        if (!(fabs((double)in.data[t] - g) < 1e-5 * (1.0 + fabs(g))))
            fail("step %d: %.7g, by hand %.7g", t, (double)in.data[t], g);
        g *= beta;
    }
    CHECK(h[1] && !h[0] && apart > 0.1);
}

static void neuron_infos(int a, int b)
{
    int i, k;
    (void)a, (void)b;
    for (i = 0; i < (int)SNN_NEURON_COUNT; i++) {
        const snn_neuron_def *d = snn_neuron_info((snn_neuron_kind)i);
        CHECK(d && d->name && d->prefix && d->title && d->step && d->grad &&
              d->reset != SNN_RESET_DEFAULT);
        CHECK(d && d->states >= 1 && d->states <= SNN_MAX_STATES && d->params >= 1);
        for (k = 0; d && k < d->params; k++)
            CHECK(d->param[k].name && strlen(d->param[k].name) > 0);
    }
    CHECK(snn_neuron_info(SNN_NEURON_COUNT) == NULL);
}

/* ---- finite differences ---- */

/* A flattened or reshaped node shares the buffers of its source. */
static int is_view(const snn_net *net, int node)
{
    return !strncmp(snn_net_node_name(net, node), "view", 4);
}

static const snn_param *node_param(const snn_net *net, int node, const char *name)
{
    const char *of = snn_net_node_name(net, node);
    char full[SNN_NAME_SIZE * 2 + 32];
    snprintf(full, sizeof full, "%s.%s", of ? of : "", name);
    return snn_net_find_param(net, full);
}

/* What a recorded value counts in L; membranes in mV count less, or they would drown the rest. */
static float cotangent(const snn_net *net, int node, int part, size_t i)
{
    const snn_neuron_def *def = net->node[node].neuron.def;
    const float unit = part && def && def->param[0].value > 1.0f ? def->param[0].value : 1.0f;
    return uniform(-1.0f, 1.0f, (uint32_t)(600 + 2 * node + part), i) / unit;
}

/* L = sum of cotangents times recorded spikes and membranes, in double. Returns a fingerprint of
 * which membranes are above their thresholds: between equal fingerprints L is smooth. */
static uint64_t smooth_loss(snn_net *net, const float *x, int steps, double *loss)
{
    uint64_t hash = 14695981039346656037u;
    int node, part;
    size_t i, n;
    if ((steps ? snn_net_continue(net, x, steps) : snn_net_forward(net, x)) != SNN_OK)
        fail("forward");
    *loss = 0.0;
    for (node = 0; snn_net_node_name(net, node); node++) {
        const snn_param *threshold = node_param(net, node, "threshold");
        snn_tensor v, g;
        for (part = 0; part < 2; part++) {
            v = part ? snn_net_membrane(net, node) : snn_net_spikes(net, node);
            g = part ? snn_net_dmembrane(net, node) : snn_net_dspikes(net, node);
            if (node == 0 || is_view(net, node) || !v.data || !g.data) continue;
            if (part && g.data == snn_net_dspikes(net, node).data) continue;
            for (i = 0, n = snn_tensor_count(&v); i < n; i++)
                *loss += (double)v.data[i] * (double)cotangent(net, node, part, i);
        }
        v = snn_net_membrane(net, node);
        if (!threshold || !v.data) continue;
        for (i = 0, n = snn_tensor_count(&v); i < n; i++) {
            size_t m = snn_tensor_count(&threshold->value);
            int above = v.data[i] > threshold->value.data[m > 1 ? i % m : 0];
            hash = (hash ^ (uint64_t)(above + 1)) * 1099511628211u;
        }
    }
    return hash;
}

static void smooth_cotangents(snn_net *net)
{
    int node, part;
    size_t i, n;
    for (node = 1; snn_net_node_name(net, node); node++) {
        for (part = 0; part < 2; part++) {
            snn_tensor g = part ? snn_net_dmembrane(net, node) : snn_net_dspikes(net, node);
            if (is_view(net, node) || !g.data) continue;
            if (part && g.data == snn_net_dspikes(net, node).data) continue;
            for (i = 0, n = snn_tensor_count(&g); i < n; i++)
                g.data[i] = cotangent(net, node, part, i);
        }
    }
}

/* Central differences of up to 24 elements of v against the analytic gradient g. */
static int differences(snn_net *net, const float *x, float *v, const float *g, size_t n,
                       const char *what)
{
    double scale = 1e-2, worst = 0.0;
    size_t i;
    int k, tries = n < 24 ? (int)n : 24, done = 0;
    for (i = 0; i < n; i++)
        if (fabs((double)g[i]) > scale) scale = fabs((double)g[i]);
    for (k = 0; k < tries; k++) {
        float old, hi, lo, eps, unit;
        double least = 1e30;
        i = tries == (int)n ? (size_t)k : snn_random(8, 1, (uint32_t)n, (uint32_t)k) % n;
        old = v[i];
        unit = fabs((double)old) > 1.0 ? (float)fabs((double)old) : 1.0f; /* thresholds in mV */
        /* a wrong gradient is wrong for every eps, a switching maximum only for large ones */
        for (eps = 2e-3f; eps > 2e-4f && least > 1e-3; eps *= 0.5f) {
            double up, down, e;
            uint64_t a, b;
            hi = v[i] = old + eps * unit;
            snn_net_params_changed(net);
            a = smooth_loss(net, x, 0, &up);
            lo = v[i] = old - eps * unit;
            snn_net_params_changed(net);
            b = smooth_loss(net, x, 0, &down);
            if (a != b) continue; /* a reset switched in between: L jumps there */
            e = fabs((up - down) / ((double)hi - (double)lo) - (double)g[i]) / scale;
            if (!(e >= least)) least = e; /* also a NaN */
        }
        done += least != 1e30;
        if (least != 1e30 && !(least <= worst)) worst = least;
        v[i] = old;
        snn_net_params_changed(net);
    }
    note("%-16s %d of %d, worst %.1e of %.2g", what, done, tries, worst, scale);
    if (!(worst < 6e-3))
        fail("%s: gradient differs by %.1e of its largest %.2g", what, worst, scale);
    return done;
}

static void gradients_of(const net_row *r)
{
    snn_net *net;
    snn_tensor in;
    float *x = row_input(r, 700), *kept;
    int i, node, done = 0, wanted = 0;
    ZERO(snn_net_desc, d);
    d.spikes = SNN_SPIKES_SMOOTH;
    d.seed = 3;
    net = keep_net(open_row(r, &d, NULL, 0));
    if (!net) {
        fail("no net");
        return;
    }
    CHECK(snn_net_record(net, 0, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT) == SNN_OK);
    for (node = 1; snn_net_node_name(net, node); node++)
        if (snn_net_record(net, node,
                           SNN_RECORD_SPIKES | SNN_RECORD_MEMBRANE | SNN_RECORD_GRADIENT) != SNN_OK)
            fail("record %d", node);
    if (snn_net_build(net) != SNN_OK) {
        fail("%s", snn_net_error(net));
        return;
    }
    if (strstr(r->name, "_eval")) /* on statistics that are not the first ones */
        for (i = 0; i < 5; i++) CHECK(snn_net_forward(net, row_input(r, 702)) == SNN_OK);
    snn_net_train(net, !says(r, "drop") && !strstr(r->name, "_eval"));
    for (i = 0; i < snn_net_param_count(net); i++) { /* per-neuron values differ from each other */
        const snn_param *p = snn_net_param(net, i);
        size_t k, n = snn_tensor_count(&p->value);
        if (n < 2 || strstr(p->name, "weight") || strstr(p->name, "bias")) continue;
        if (strstr(p->name, "graded") && !p->grad.data) continue; /* fixed at 1: not read */
        for (k = 0; k < n; k++) p->value.data[k] *= uniform(0.85f, 1.1f, 701, k);
    }
    snn_net_params_changed(net);
    CHECK(snn_net_forward(net, x) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
    smooth_cotangents(net);
    if (snn_net_backward(net) != SNN_OK) {
        fail("backward: %s", snn_net_error(net));
        return;
    }
    in = snn_net_dspikes(net, 0);
    if (!in.data || snn_tensor_count(&in) != row_frame(r) * (size_t)row_frames(r)) {
        fail("input gradient has %lu elements",
             (unsigned long)(in.data ? snn_tensor_count(&in) : 0));
        return;
    }
    kept = floats(snn_tensor_count(&in));
    memcpy(kept, in.data, snn_tensor_count(&in) * sizeof(float));
    if (r->input != SNN_INPUT_SPIKES) {
        wanted = snn_tensor_count(&in) < 24 ? (int)snn_tensor_count(&in) : 24;
        done = differences(net, x, x, kept, snn_tensor_count(&in), "input");
    }
    for (i = 0; i < snn_net_param_count(net); i++) {
        const snn_param *p = snn_net_param(net, i);
        size_t n = snn_tensor_count(&p->value);
        if (!p->grad.data) continue;
        wanted += n < 24 ? (int)n : 24;
        done += differences(net, x, p->value.data, p->grad.data, n, p->name);
    }
    if (done * 2 < wanted) fail("only %d of %d differences were smooth", done, wanted);
}

static const net_row gradient_rows[] = {
    {"linear", SNN_INPUT_DENSE, 7, 0, 0, 4, 3, "fc:6 | fc:4 nobias"},
    {"linear_constant", SNN_INPUT_CONSTANT, 7, 0, 0, 5, 3, "fc:6 | leaky b.8 t.5 | fc:4 nobias"},
    {"conv", SNN_INPUT_DENSE, 2, 7, 6, 4, 2, "conv:4 k3 s2 p1 | leaky b.8 t.4 | conv:2 k2 nobias"},
    {"conv_groups", SNN_INPUT_CONSTANT, 4, 6, 6, 4, 2,
     "conv:6 k3 g2 d2 | leaky b.8 t.4 | conv:4 k2 g2 | leaky b.8 t.3"},
    {"conv_depthwise", SNN_INPUT_DENSE, 4, 6, 7, 3, 2,
     "conv:8 k3 s2 p1 g4 | leaky b.8 t.4 mem | conv:8 kh2 kw3 g8 d2 p2 | leaky b.8 t.4 | max:2"},
    {"conv_depthwise_spikes", SNN_INPUT_SPIKES, 2, 5, 5, 3, 2,
     "conv:6 k3 g2 p2 nobias | leaky b.8 t.4 | conv:6 k2 g6 sh2 sw1 | leaky b.8 t.3 | flat | fc:3"},
    {"conv_groups_wide", SNN_INPUT_DENSE, 4, 4, 4, 3, 2,
     "conv:36 k2 g2 | leaky b.8 t.4 | conv:2 k2 g2 | leaky b.8 t.3"},
    {"conv_oblong", SNN_INPUT_DENSE, 1, 6, 9, 4, 2,
     "conv:3 kh3 kw2 p1 d2 s2 | leaky b.8 t.4 | conv:4 k1 g1"},
    {"max_pool", SNN_INPUT_DENSE, 2, 7, 7, 4, 2, "max:2 | conv:3 k2 | max:2 s1 p1 | leaky b.8 t.4"},
    {"max_pool_wide", SNN_INPUT_DENSE, 2, 19, 19, 3, 2,
     "conv:3 k2 | max:3 s2 | leaky b.8 t.4 | conv:18 k3 | max:5 s1 | leaky b.8 t.3"},
    {"avg_pool", SNN_INPUT_DENSE, 2, 7, 7, 4, 2,
     "conv:2 k1 | avg:3 s2 p1 | leaky b.8 t.4 | avg:2 s1 | leaky b.6 t.3"},
    {"sum_pool", SNN_INPUT_CONSTANT, 2, 6, 6, 4, 2,
     "conv:2 k1 | sum:2 | leaky b.8 t2 | sum:3 | leaky b.6 t.3"},
    {"reshape", SNN_INPUT_DENSE, 12, 0, 0, 4, 2,
     "reshape:3,2,2 | conv:4 k2 | leaky b.8 t.4 | flat | scale:.7 | fc:3"},
    {"add", SNN_INPUT_DENSE, 8, 0, 0, 5, 2,
     "fc:8 | leaky b.8 t.4 @a | fc:8 | add@a | leaky b.8 t.5 | add@i | fc:3"},
    {"concat", SNN_INPUT_DENSE, 2, 4, 4, 4, 2,
     "conv:3 k3 p1 | leaky b.8 t.4 @a | conv:2 k1 | leaky b.7 t.3 | cat@a | cat@i | conv:2 k3"},
    {"twice", SNN_INPUT_CONSTANT, 6, 0, 0, 4, 2,
     "fc:6 @a | leaky b.8 t.4 | add@a | cat@a | leaky b.8 t.5 | cat@i | fc:3"},
    {"main_job", SNN_INPUT_CONSTANT, 1, 14, 14, 5, 2,
     "conv:3 k3 | max:2 | leaky b.9 t.4 | conv:4 k3 | max:2 | leaky b.9 t.3 | flat | fc:4 | leaky "
     "b.9 t.3"},
    {"main_job_dense", SNN_INPUT_DENSE, 1, 8, 8, 3, 1,
     "conv:2 k3 | leaky b.9 t.4 | avg:2 | conv:3 k2 | leaky b.9 t.3 | max:2 | flat | fc:4 | leaky "
     "b.9 t.3"},
    {"dropout", SNN_INPUT_CONSTANT, 8, 0, 0, 4, 2,
     "drop:.2 | fc:9 | leaky b.9 t.5 | drop:.4 | fc:4 | leaky b.8 t.4"},
    {"spike_input", SNN_INPUT_SPIKES, 2, 6, 6, 5, 2,
     "conv:3 k3 | leaky b.9 t.3 | sum:2 | flat | fc:4 | leaky b.9 t.3"},
    {"deep", SNN_INPUT_CONSTANT, 9, 0, 0, 12, 2,
     "fc:10 | leaky b.95 t.5 lb | fc:10 | leaky b.9 t.4 lt now | fc:4 | leaky b.8 t.3 lg"},
    {"conv1d", SNN_INPUT_DENSE, 3, 1, 9, 4, 2,
     "conv1:4 k3 p1 d2 | leaky b.8 t.4 | conv1:4 k2 s2 g2 nobias | leaky b.8 t.3"},
    {"conv_transpose", SNN_INPUT_DENSE, 2, 4, 5, 3, 2,
     "convt:3 k3 s2 p1 op1 | leaky b.8 t.4 | convt:2 k2 nobias | leaky b.8 t.3"},
    {"conv_transpose_groups", SNN_INPUT_CONSTANT, 4, 3, 3, 4, 2,
     "convt:6 kh3 kw2 g2 d2 | leaky b.8 t.4 | convt:2 k3 s3 p1 g2 | max:2 | leaky b.8 t.3"},
    {"conv_transpose_wide", SNN_INPUT_DENSE, 16, 3, 4, 3, 2,
     "convt:10 k3 s2 p1 op1 | leaky b.8 t.4 | convt:2 k2 nobias | leaky b.8 t.3"},
    {"conv_dense_wide", SNN_INPUT_DENSE, 4, 5, 6, 3, 2,
     "conv:16 k3 s2 p1 g2 | leaky b.8 t.4 mem | conv:9 k2 d2 p1 s2 | leaky b.8 t.3"},
    {"norm_batch", SNN_INPUT_DENSE, 2, 4, 4, 4, 3,
     "conv:3 k2 nobias | norm:batch | leaky b.8 t.5 | flat | fc:4 nobias | norm:batch noaff | "
     "leaky b.8 t.4"},
    {"norm_batch_constant", SNN_INPUT_CONSTANT, 6, 0, 0, 4, 4,
     "fc:5 nobias | norm:batch | leaky b.8 t.5 | norm:batch | fc:4 | leaky b.8 t.4"},
    {"norm_batch_eval", SNN_INPUT_DENSE, 2, 4, 4, 4, 3,
     "conv:3 k2 | norm:batch | leaky b.8 t.5 | flat | fc:4 | norm:time | leaky b.8 t.4 | fc:4 | "
     "norm:threshold"},
    {"norm_time", SNN_INPUT_DENSE, 2, 3, 3, 4, 3,
     "norm:time | conv:3 k2 | leaky b.8 t.5 | norm:time ns2 | flat | fc:4 nobias | "
     "norm:time noaff"},
    {"norm_time_constant", SNN_INPUT_CONSTANT, 6, 0, 0, 4, 3,
     "fc:5 nobias | norm:time | leaky b.8 t.5 | fc:4 | leaky b.8 t.4"},
    {"norm_threshold", SNN_INPUT_DENSE, 2, 3, 3, 4, 3,
     "norm:threshold a.8 t.7 | conv:3 k2 nobias | norm:threshold noaff t.5 | leaky b.8 t.5 | "
     "flat | fc:4"},
    {"norm_layer", SNN_INPUT_DENSE, 2, 3, 3, 4, 2,
     "norm:layer | conv:3 k2 | leaky b.8 t.5 | flat | fc:6 | norm:layer noaff | leaky b.8 t.4"},
    {"norm_layer_constant", SNN_INPUT_CONSTANT, 6, 0, 0, 4, 3,
     "fc:5 | norm:layer | leaky b.8 t.5 @a | fc:5 | add@a | norm:layer eps.1"},
    {"graded_spikes", SNN_INPUT_DENSE, 2, 4, 4, 4, 2,
     "graded:1.2 | conv:3 k2 | leaky b.8 t.4 | graded:0 | flat | fc:4 | leaky b.8 t.3 | graded:0"},
    {"delay", SNN_INPUT_DENSE, 6, 0, 0, 5, 2,
     "fc:6 | leaky b.8 t.4 @a | delay:2 | add@a | delay:7 | add@a | fc:4 | delay:1 | "
     "leaky b.8 t.3"},
    {"delay_constant", SNN_INPUT_CONSTANT, 6, 0, 0, 5, 2,
     "delay:2 | fc:6 | leaky b.8 t.3 | add@i | fc:4"},
    {"gates", SNN_INPUT_DENSE, 6, 0, 0, 5, 2,
     "fc:6 @a | leaky b.8 t.4 @b | mul@a | fc:6 | leaky b.8 t.3 | iand@b @c | mul@c | iand@i | "
     "fc:4"},
    {"lif", SNN_INPUT_DENSE, 6, 0, 0, 6, 2,
     "fc:6 | lif b.8 t.5 rest.1 vreset-.2 gain1.2 lb lt lc per | fc:4 | lif b.7 t.3 sub rest-.1 "
     "lc"},
    {"lif_before", SNN_INPUT_DENSE, 6, 0, 0, 6, 2,
     "fc:6 | lif b.8 t.5 before vreset.1 lc | fc:6 | lif b.8 t.4 sub before | fc:4 | leaky b.8 t.3 "
     "now before"},
    {"lif_refractory", SNN_INPUT_DENSE, 6, 0, 0, 8, 2,
     "fc:6 | lif b.8 t.5 ref2 boxcar p0:.2 | fc:4 | if t.5 sub ref1 boxcar p0:.2"},
    {"readout", SNN_INPUT_DENSE, 6, 0, 0, 6, 2,
     "fc:6 | li b.8 rest.2 lc | fc:6 | leaky b.8 t.4 mem | fc:4 | lif b.8 t.4 mem sub"},
    {"recurrent", SNN_INPUT_DENSE, 6, 0, 0, 6, 2,
     "fc:6 | lif b.8 t.5 lin | fc:5 | adex b.8 t.4 one V.3 | fc:4 | li b.7 lin"},
    {"recurrent_conv", SNN_INPUT_DENSE, 2, 4, 4, 5, 2,
     "conv:3 k2 | rleaky b.8 t.4 rconv rk3 | flat | fc:4"},
};
#define GRADIENT_ROWS COUNT_OF(gradient_rows)

/* Convolutions and pools against their definition, in double: x is [C][H][W]. */
static const char *const window_layers[] = {
    "conv:3 k1", "conv:17 k3", "conv:6 k3 p1", "conv:4 k3 s2 p1", "conv:8 k3 d2",
    "conv:5 k2 d3 p2 s2", "conv:6 kh3 kw2 g2 p1", "conv:4 k3 g4 d2 s2 p2 nobias", "conv:33 k5 p2",
    "conv:4 k3 sh2 sw1 pw2 dh1 dw3", "conv:18 k3 s2 p1", "conv:32 k3 g2 d2 p1",
    "conv:34 k3 g2 d2 p1", "conv:12 k3 g4 p3", "conv:4 k1 g4 s2", "conv:8 kh1 kw4 g4 pw3 sw2 dw2",
    "conv:16 kh3 kw2 sh1 sw3 ph2 pw1 dh2 g2", "conv1:5 k3", "conv1:17 k3 p1 g1",
    "conv1:6 k4 s3 p2 d2 g2",
    "conv1:4 k1 nobias", "convt:3 k1", "convt:17 k3", "convt:4 k3 s2 p1 op1", "convt:6 k2 s3 g2",
    "convt:5 kh3 kw2 d2 p1", "convt:4 k3 g4 d2 s3 p2 op2 nobias", "convt:2 k2 sh2 sw3 pw1 oph1",
    "max:2", "max:3 s1 p1", "max:0 kh3 kw2 s2", "avg:2", "avg:3 s2 p1", "avg:0 kh1 kw4",
    "sum:3 s1 p1", "sum:2 s3"};

static const char *const input_names[] = {"constant", "dense", "spikes"};

static int either(int a, int b, int c) { return a ? a : b ? b : c; }

static void layer_windows(int row, int input)
{
    enum { C = 4 };
    net_row r = {"windows", SNN_INPUT_DENSE, C, 9, 11, 2, 2, NULL};
    const char *text = window_layers[row];
    const int kind = text[0], flat = !strncmp(text, "conv1:", 6);
    const int back = !strncmp(text, "convt:", 6), H = flat ? 1 : 9, W = 11;
    char w[24][32];
    layer_options o;
    snn_net *net;
    snn_tensor out;
    float *x;
    const snn_param *weight, *bias;
    int i, y, z, c, k, u, v, kh, kw, sh, sw, ph, pw, dh, dw, groups, in, places;
    r.layers = text;
    r.h = H;
    r.input = (snn_input_kind)input;
    x = row_input(&r, 500);
    net = build_row(&r, NULL);
    if (!net || snn_net_forward(net, x) != SNN_OK) {
        fail("no net");
        return;
    }
    read_options(&o, w, next_layer(&text, w));
    k = kind == 'c' ? o.conv.kernel : atoi(strchr(w[0], ':') + 1);
    kh = flat ? 1 : either(o.conv.kernel_h, k, 0);
    kw = either(o.conv.kernel_w, k, 0);
    sh = flat ? 1 : either(o.conv.stride_h, o.conv.stride, kind == 'c' ? 1 : kh);
    sw = either(o.conv.stride_w, o.conv.stride, kind == 'c' ? 1 : kw);
    ph = flat ? 0 : either(o.conv.padding_h, o.conv.padding, 0);
    pw = either(o.conv.padding_w, o.conv.padding, 0);
    dh = flat ? 1 : either(o.conv.dilation_h, o.conv.dilation, 1);
    dw = either(o.conv.dilation_w, o.conv.dilation, 1);
    groups = kind != 'c' ? C : either(o.conv.groups, 1, 1);
    weight = node_param(net, 1, "weight");
    bias = node_param(net, 1, "bias");
    CHECK((kind == 'c') == (weight != NULL) && (kind == 'c' && !o.conv.no_bias) == (bias != NULL));
    out = snn_net_spikes(net, 1);
    places = out.shape[3] * out.shape[4];
    in = (back ? out.shape[2] : C) / groups; /* weight's second axis */
    if (back) {
        CHECK(out.shape[3] == (H - 1) * sh - 2 * ph + dh * (kh - 1) +
                                  either(o.conv.output_padding_h, o.conv.output_padding, 0) + 1);
        CHECK(out.shape[4] == (W - 1) * sw - 2 * pw + dw * (kw - 1) + o.conv.output_padding + 1);
    } else {
        CHECK(out.shape[3] == (H + 2 * ph - dh * (kh - 1) - 1) / sh + 1);
        CHECK(out.shape[4] == (W + 2 * pw - dw * (kw - 1) - 1) / sw + 1);
    }
    for (i = 0; i < (int)snn_tensor_count(&out); i++) {
        const float *frame = x + (size_t)(i / (out.shape[2] * places)) * C * (size_t)(H * W);
        const int group = i / places % out.shape[2] / (out.shape[2] / groups);
        double sum = bias ? (double)bias->value.data[i / places % out.shape[2]]
                          : kind == 'm' ? -1e30 : 0.0;
        z = i / places % out.shape[2];
        y = i % places;
        for (c = 0; c < C / groups; c++)
            for (k = 0; k < kh * kw; k++) {
                const int from = group * (C / groups) + c; /* channel read */
                double e;
                u = y / out.shape[4], v = y % out.shape[4];
                if (back) { /* input places that reach this one: (u + p - k d) / s */
                    u += ph - k / kw * dh, v += pw - k % kw * dw;
                    if (u % sh || v % sw) continue;
                    u /= sh, v /= sw;
                } else u = u * sh - ph + k / kw * dh, v = v * sw - pw + k % kw * dw;
                if (u < 0 || v < 0 || u >= H || v >= W) continue;
                e = (double)frame[(from * H + u) * W + v];
                if (back) e *= (double)weight->value.data[(from * in + z % in) * kh * kw + k];
                else if (weight) e *= (double)weight->value.data[(z * in + c) * kh * kw + k];
                if (kind == 'm') sum = e > sum ? e : sum;
                else sum += kind == 'a' ? e / (kh * kw) : e;
            }
        if (!(fabs((double)out.data[i] - sum) < 1e-5))
            fail("element %d is %g, should be %g", i, (double)out.data[i], sum);
    }
}

/* Layers without weights or with one a channel, against their definition. x is the input at this
 * step and element, past at an earlier one; h, m: whether these spike. */
static const char *const simple_layers[] = {
    "delay:1", "delay:3", "delay:6", "delay:20", "graded:1.3", "graded:0", "scale:-.7",
    "delay:2 @a | from@i | mul@a", "delay:1 @a | from@i | iand@a", "delay:2 @a | from@i | add@a",
    "delay:2 @a | from@i | cat@a", "mul@i", "mcpitts t.4 f1.5 @a | delay:2 | mul@a",
    "mcpitts t.4 @a | delay:1 | iand@a", "mcpitts t.4 f.5 @a | delay:1 | iand@a"};

static void layer_simple(int row, int input)
{
    enum { T = 6, B = 3, N = 5, S = 4 };
    net_row r = {"simple", SNN_INPUT_DENSE, N, 2, 2, T, B, simple_layers[row]};
    const char *number = strchr(r.layers, ':'), *f = strstr(r.layers, " f");
    const int steps = strstr(r.layers, "delay") ? atoi(strstr(r.layers, "delay") + 6) : 0;
    const double factor = f ? atof(f + 2) : number ? atof(number + 1) : 1.0;
    const int gates = says(&r, "mcpitts"), wide = says(&r, "cat") ? 2 : 1;
    const snn_param *w;
    snn_net *net;
    snn_tensor out;
    float *x;
    int t, b, i, frames;
    r.input = (snn_input_kind)input;
    x = row_input(&r, 500);
    net = build_row(&r, NULL);
    if (!net || snn_net_forward(net, x) != SNN_OK) {
        fail("no net");
        return;
    }
    frames = row_frames(&r);
    out = snn_net_spikes(net, snn_net_output(net));
    w = node_param(net, snn_net_output(net), "weight");
    CHECK(says(&r, "graded") == (w != NULL));
    if (w) {
        CHECK(w->value.ndim == 2 && w->value.shape[0] == N && w->value.shape[1] == 1);
        CHECK(w->grad.data != NULL);
        for (i = 0; i < N; i++)
            CHECK(factor != 0.0 ? fabs((double)w->value.data[i] - factor) < 1e-6
                                : w->value.data[i] >= 0.5f && w->value.data[i] < 1.5f &&
                                      (!i || w->value.data[i] != w->value.data[0]));
    }
    CHECK(out.shape[0] == (steps || gates ? T : frames) && out.shape[2] == N * wide);
    for (t = 0; t < out.shape[0]; t++)
        for (b = 0; b < B; b++)
            for (i = 0; i < N * S * wide; i++) {
                const size_t at = (size_t)(b * N * S + i % (N * S)), step = (size_t)(B * N * S);
                double now = (double)x[at + (frames > 1 ? (size_t)t * step : 0)], want;
                double past = t < steps ? 0.0
                              : (double)x[at + (frames > 1 ? (size_t)(t - steps) * step : 0)];
                if (gates) now = now > 0.4 ? factor : 0.0, past = past > 0.4 ? factor : 0.0;
                want = w ? (double)w->value.data[i / S] * now : steps ? past : factor * now;
                if (says(&r, "mul")) want = now * (steps ? past : now);
                if (says(&r, "iand")) want = gates ? (1.0 - past) * now : (1.0 - now) * past;
                if (says(&r, "add")) want = now + past;
                if (wide == 2) want = i < N * S ? now : past;
                if (!(fabs((double)out.data[(t * B + b) * N * S * wide + i] - want) < 1e-6))
                    fail("step %d, element %d is %g, should be %g", t, i,
                         (double)out.data[(t * B + b) * N * S * wide + i], want);
            }
}

/* A delay, longer than a chunk or not, hands its inputs from one chunk to the next. */
static void layer_delay_chunks(int steps, int input)
{
    char layers[96];
    net_row r = {"delays", SNN_INPUT_DENSE, 6, 0, 0, 12, 2, NULL};
    snn_net *whole, *parts;
    snn_tensor a, b;
    float *x;
    int k;
    snprintf(layers, sizeof layers, "leaky b.8 t.5 @a | delay:%d | add@a | fc:5 | delay:%d", steps,
             steps);
    r.layers = layers;
    r.input = (snn_input_kind)input;
    x = row_input(&r, 500);
    whole = build_row(&r, NULL);
    r.T = 4;
    parts = build_row(&r, NULL);
    if (!whole || !parts || snn_net_forward(whole, x) != SNN_OK) return;
    a = snn_net_spikes(whole, snn_net_output(whole));
    for (k = 0; k < 12; k += 4) {
        const size_t at = input == (int)SNN_INPUT_CONSTANT ? 0 : (size_t)k * row_frame(&r);
        CHECK((k ? snn_net_continue(parts, x + at, 4) : snn_net_forward(parts, x)) == SNN_OK);
        b = snn_net_spikes(parts, snn_net_output(parts));
        if (!same_bits(b.data, a.data + k * 10, 40)) fail("steps %d to %d differ", k, k + 3);
    }
}

/* A norm of each kind against its definition in double: two training passes, which move the running
 * statistics, then one in evaluation on them. shape 0: a vector, 1: an image; affine or not. */
static const char *const norm_rows[] = {
    "norm:batch", "norm:batch noaff eps.1", "norm:batch mom.4", "norm:batch mom-1", "norm:time",
    "norm:time ns3 mom.3", "norm:time noaff", "norm:threshold", "norm:threshold a.7 t.4 mom.5",
    "norm:threshold noaff a.6 t2", "norm:layer", "norm:layer noaff eps.01"};

static void layer_norm(int row, int code)
{
    enum { T = 5, B = 4, C = 3, PASSES = 3 };
    const int image = code % 2, S = image ? 6 : 1, N = C * S, input = code / 2;
    net_row r = {"norm", (snn_input_kind)input, C, image ? 2 : 0, image ? 3 : 0, T, B, NULL};
    const char *text = norm_rows[row];
    double mean[T][C], var[T][C], momentum, eps, unit;
    float *x, *w = NULL, *b = NULL;
    char word[24][32];
    layer_options o;
    snn_net *net;
    snn_tensor out;
    int pass, t, i, k, c, s, kind, groups, entries, frames, layer;
    r.layers = text;
    net = build_row(&r, NULL);
    if (!net) return;
    read_options(&o, word, next_layer(&text, word));
    for (kind = 0; strcmp(norm_kinds[kind], strchr(word[0], ':') + 1); kind++) {}
    layer = kind == (int)SNN_NORM_LAYER;
    momentum = o.norm.momentum < 0.0f ? 0.0 : given(o.norm.momentum, 0.1);
    eps = given(o.norm.eps, 1e-5);
    unit = kind != (int)SNN_NORM_THRESHOLD
               ? 1.0
               : given(o.norm.alpha, 1.0) * given(o.norm.threshold, 1.0);
    entries = kind == (int)SNN_NORM_BATCH_TIME ? o.norm.steps ? o.norm.steps : T : 1;
    groups = kind == (int)SNN_NORM_THRESHOLD ? 1 : T; /* with statistics of their own, in a pass */
    if (node_param(net, snn_net_output(net), "weight")) {
        const snn_tensor v = node_param(net, snn_net_output(net), "weight")->value;
        w = v.data;
        for (i = 0; i < (int)snn_tensor_count(&v); i++) {
            if (fabs((double)w[i] - unit) > 1e-6) fail("weight starts at %g", (double)w[i]);
            w[i] = uniform(0.5f, 1.5f, 830, (size_t)i);
        }
        unit = 1.0;
    }
    if (node_param(net, snn_net_output(net), "bias"))
        b = node_param(net, snn_net_output(net), "bias")->value.data;
    CHECK((w != NULL) == !o.norm.no_affine);
    CHECK((b != NULL) == (w && kind != (int)SNN_NORM_BATCH_TIME));
    for (i = 0; b && i < (layer ? N : C); i++)
        b[i] = uniform(-1.0f, 1.0f, 831, (size_t)i);
    CHECK(snn_net_params_changed(net) == SNN_OK);
    for (t = 0; t < T; t++)
        for (c = 0; c < C; c++) mean[t][c] = 0.0, var[t][c] = 1.0;
    for (pass = 0; pass < PASSES; pass++) {
        const int training = pass < PASSES - 1;
        x = row_input(&r, (uint32_t)(832 + pass));
        frames = row_frames(&r);
        CHECK(snn_net_train(net, training) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
        out = snn_net_spikes(net, snn_net_output(net));
        for (t = 0; t < T; t++)
            for (s = 0; s < B; s++)
                for (i = 0; i < N; i++) { /* an output, from all that shares its statistics */
                    const int at = t < entries ? t : entries - 1;
                    const int t0 = groups == 1 ? 0 : t, t1 = groups == 1 ? T : t + 1;
                    double sum = 0.0, square = 0.0, m, v, want, count = 0.0;
                    const int shown = out.shape[0] == 1 ? 0 : t;
                    c = i / S;
                    if (layer || training) {
                        for (k = t0 * B * N; k < t1 * B * N; k++) {
                            const double e = (double)x[frames > 1 ? k : k % (B * N)];
                            if (layer ? k / N % B != s : k % N / S != c) continue;
                            sum += e, square += e * e, count += 1.0;
                        }
                        m = sum / count, v = square / count - m * m;
                        if (!layer && s == 0 && i % S == 0 && (groups > 1 || t == 0)) {
                            mean[at][c] += momentum * (m - mean[at][c]);
                            var[at][c] += momentum * (v * count / (count - 1.0) - var[at][c]);
                        }
                    } else m = mean[at][c], v = var[at][c];
                    want = ((double)x[(frames > 1 ? t * B * N : 0) + s * N + i] - m) * unit /
                           sqrt(v + eps);
                    k = layer ? i : kind == (int)SNN_NORM_BATCH_TIME ? at * C + c : c;
                    want = want * (w ? (double)w[k] : 1.0) + (b ? (double)b[k] : 0.0);
                    if (!(fabs((double)out.data[(shown * B + s) * N + i] - want) < 2e-5))
                        fail("pass %d, step %d, element %d is %.7g, should be %.7g", pass, t, i,
                             (double)out.data[(shown * B + s) * N + i], want);
                }
    }
    for (k = 0; k < 2; k++) {
        const char *part = k ? "running_var" : "running_mean";
        const snn_param *p = node_param(net, snn_net_output(net), part);
        CHECK((p == NULL) == layer);
        for (i = 0; p && i < entries * C; i++) {
            const double want = k ? var[i / C][i % C] : mean[i / C][i % C];
            if (p->grad.data || !(fabs((double)p->value.data[i] - want) < 1e-5))
                fail("%s %d should be %.7g", part, i, want);
        }
    }
}

static const char *const resets[] = {"sub", "zero", "keep"};
static const char *const delays[] = {"", "now"};
static const char *const learns[] = {"", "lb lt lg f1.4", "per lb lt lg f.8", "lb per ge"};

/* Noise has no gradient, a switch of the winner is a jump, and rounding and detached resets are
 * passed over by the gradient on purpose. */
static int differentiable(const net_row *r)
{
    return !says(r, "stochastic") && !says(r, "inh") && !says(r, "detach") &&
           !says(r, " q") && !says(r, " wb");
}

static void gradient_row(int a, int b)
{
    gradients_of(b ? &rows[a] : &gradient_rows[a]);
}

static void gradient_neuron(int kind, int mode)
{
    char layers[320], words[128];
    net_row r = {"neuron", SNN_INPUT_DENSE, 5, 0, 0, 7, 2, NULL};
    const snn_neuron_def *def = snn_neuron_info((snn_neuron_kind)kind);
    const int own = settings_of(def->name);
    const char *feed = own >= 0 ? neuron_settings[own].feed : "";
    int inputs = def->inputs > 1 ? def->inputs : 1; /* of one neuron: gates */
    snprintf(words, sizeof words, "lc %s %s %s %s", own >= 0 ? neuron_settings[own].words : "",
             resets[mode % 3], delays[mode / 3 % 2], learns[mode / 6]);
    snprintf(layers, sizeof layers,
             "fc:%d %s | %s b.85 a.9 t.6 %s | fc:%d %s | %s b.7 a.8 t.4 %s", 6 * inputs, feed,
             def->name, words, 4 * inputs, feed, def->name, words);
    r.layers = layers;
    gradients_of(&r);
}

static void gradient_surrogate(int kind, int now)
{
    char layers[200];
    float p0, p1;
    net_row r = {"surrogate", SNN_INPUT_CONSTANT, 6, 0, 0, 5, 2, NULL};
    const char *name = snn_surrogate_name((snn_surrogate_kind)kind);
    gentle((snn_surrogate_kind)kind, &p0, &p1);
    snprintf(layers, sizeof layers,
             "fc:7 | leaky b.85 t.5 lt %s p0:%g p1:%g %s | fc:3 | leaky b.8 t.3 %s p0:%g p1:%g %s",
             name, (double)p0, (double)p1, delays[now], name, (double)p0, (double)p1, delays[now]);
    r.layers = layers;
    gradients_of(&r);
}

/* Gradient with respect to the state before a pass that goes on from it. */
static void gradient_state(int reset, int now)
{
    char layers[128];
    net_row r = {"state", SNN_INPUT_DENSE, 6, 0, 0, 5, 2, NULL};
    snn_net *net;
    snn_tensor s, g;
    float *x = row_input(&r, 702), *analytic, *start;
    size_t i, n;
    ZERO(snn_net_desc, d);
    snprintf(layers, sizeof layers, "leaky b.9 t.6 %s %s | fc:3", resets[reset], delays[now]);
    r.layers = layers;
    d.spikes = SNN_SPIKES_SMOOTH;
    net = keep_net(open_row(&r, &d, NULL, 0));
    snn_net_record(net, 1, SNN_RECORD_MEMBRANE | SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
    CHECK(snn_net_build(net) == SNN_OK);
    s = snn_net_state(net, 1, 0);
    n = s.data ? snn_tensor_count(&s) : 0;
    if (n != 12) {
        fail("the state has %lu elements", (unsigned long)n);
        return;
    }
    snn_net_reset(net);
    start = floats(n);
    for (i = 0; i < n; i++) start[i] = uniform(-0.5f, 1.2f, 703, i);
    memcpy(s.data, start, n * sizeof(float));
    CHECK(snn_net_continue(net, x, r.T) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
    smooth_cotangents(net);
    CHECK(snn_net_backward(net) == SNN_OK);
    g = snn_net_dstate(net, 1, 0);
    if (!g.data || snn_tensor_count(&g) != n) {
        fail("no gradient of the state");
        return;
    }
    analytic = floats(n);
    memcpy(analytic, g.data, n * sizeof(float));
    for (i = 0; i < n; i++) {
        const float eps = 2e-3f;
        double up, down, e;
        uint64_t a, b;
        memcpy(s.data, start, n * sizeof(float));
        s.data[i] = start[i] + eps;
        a = smooth_loss(net, x, r.T, &up);
        memcpy(s.data, start, n * sizeof(float));
        s.data[i] = start[i] - eps;
        b = smooth_loss(net, x, r.T, &down);
        e = fabs((up - down) / (2.0 * (double)eps) - (double)analytic[i]);
        if (a == b && !(e < 6e-3)) fail("state %lu: off by %.1e", (unsigned long)i, e);
    }
}

static int subnormals(const float *x, size_t n)
{
    int count = 0;
    size_t i;
    for (i = 0; i < n; i++) count += x[i] != 0.0f && fabsf(x[i]) < FLT_MIN;
    return count;
}

/* The last step's gradient fades on its way to the first one, and is 0 before it is subnormal. */
static void gradient_fades(int a, int b)
{
    const net_row r = {"fades", SNN_INPUT_DENSE, 6, 0, 0, 1000, 2,
                       "fc:20 | leaky b.9 | fc:3 | synaptic a.85 b.9"};
    snn_net *net = keep_net(open_row(&r, NULL, NULL, 0));
    const float *x = row_input(&r, 704);
    snn_tensor g;
    int node, k;
    (void)a, (void)b;
    for (node = 0; node <= 4; node++)
        snn_net_record(net, node, SNN_RECORD_SPIKES | SNN_RECORD_MEMBRANE | SNN_RECORD_GRADIENT);
    CHECK(snn_net_build(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    CHECK(snn_net_zero_grad(net) == SNN_OK);
    g = snn_net_dmembrane(net, 4);
    for (k = 0; g.data && k < 6; k++) g.data[999 * 6 + k] = 1.0f;
    CHECK(snn_net_backward(net) == SNN_OK);
    for (node = 0; node <= 3; node++) {
        g = snn_net_dspikes(net, node);
        CHECK(g.data && subnormals(g.data, snn_tensor_count(&g)) == 0);
    }
    g = snn_net_dspikes(net, 3);
    CHECK(g.data && g.data[999 * 6] == 1.0f && g.data[0] == 0.0f);
}

/* The same of the moments of a parameter that has a gradient once, then none. */
static void optim_fades(int kind, int momentum)
{
    enum { n = 37 };
    float p[n], g[n], m1[n] = {0}, m2[n] = {0};
    int i, k;
    ZERO(snn_optim_desc, o);
    o.kind = (snn_optim_kind)kind;
    o.lr = 1e-3f;
    o.momentum = momentum ? 0.9f : 0.0f;
    o.beta2 = 0.95f;
    for (i = 0; i < n; i++) p[i] = 0.5f, g[i] = 0.01f * (float)(i - 18);
    for (k = 1; k <= 2400; k++) {
        CHECK(snn_optim_update(&o, k, p, g, m1, m2, n) == SNN_OK);
        if (subnormals(m1, n) || subnormals(m2, n)) fail("subnormal after step %d", k);
        if (k == 1) memset(g, 0, sizeof g);
    }
    for (i = 0; i < n; i++) CHECK(m1[i] == 0.0f && m2[i] == 0.0f);
}

/* Adam's steps are about lr for the smallest constant gradient, when eps is smaller. */
static void optim_small(int a, int b)
{
    float p = 0.0f, g = 1e-14f, m1 = 0.0f, m2 = 0.0f;
    int k;
    (void)a, (void)b;
    for (k = 1; k <= 4000; k++) {
        const float before = p;
        ZERO(snn_optim_desc, o);
        o.lr = 1e-3f, o.eps = 1e-16f;
        CHECK(snn_optim_update(&o, k, &p, &g, &m1, &m2, 1) == SNN_OK);
        if (!(fabsf(before - p) < 1.02e-3f)) fail("step %d is %g", k, (double)(before - p));
    }
    CHECK(fabsf(p + 4.0f) < 0.1f);
}

/* SoftLIF against its equation in double, from far below the threshold on; QCFS of no number */
static void soft_lif_equation(int a, int b)
{
    const float p[7] = {1.0f, 1.0f, 0.0f, 0.02f, 0.001f, 0.05f, 0.063f}, levels[3] = {1.0f, 8.0f};
    double x;
    (void)a, (void)b;
    for (x = -0.695; x < 4.0; x += 0.003) { /* from ln q = -88.7 on */
        const double y = ((double)(float)x - 1.0) / (double)p[3], softplus = log1p(exp(-fabs(y)));
        const double q = (double)p[3] * (softplus + (y > 0.0 ? y : 0.0));
        const double v = (double)p[6] / ((double)p[4] + (double)p[5] * log1p(1.0 / q));
        const double dv = v * v / (double)p[6] * (double)p[5] / (q * (q + 1.0)) / (1.0 + exp(-y));
        float slope, rate = snn__soft_lif_rate1(&slope, p, (float)x);
        if (fabs((double)rate - v) > 1e-5 * v || fabs((double)slope - dv) > 1e-4 * dv)
            fail("at %g: %g, %g, should be %g, %g", x, (double)rate, (double)slope, v, dv);
    }
    CHECK(snn__qcfs_value1(levels, (float)NAN) == 0.0f);
}

/* Every loss that is a smooth function of the recording: value against formula-free differences. */
static const char *const loss_options[] = {"mean", "sum", "population", "weight", "l1"};

static void set_loss(snn_loss_desc *l, int kind, int option, const float *weight)
{
    memset(l, 0, sizeof *l);
    l->kind = (snn_loss_kind)kind;
    l->correct_rate = 0.8f;
    l->incorrect_rate = 0.2f;
    if (option == 1) l->reduction = SNN_SUM;
    if (option == 2)
        l->population = kind == SNN_LOSS_CE_COUNT || kind == SNN_LOSS_MSE_COUNT ? 2 : 0;
    if (option == 3) l->weight = weight;
    if (option == 4) l->l1_rate = 0.1f;
    if (kind == SNN_LOSS_MSE_TEMPORAL)
        l->set_targets = 1, l->on_target = 0.0f, l->off_target = 4.0f;
}

static void loss_gradient(int kind, int option)
{
    enum { T = 5, B = 3, C = 4, n = T * B * C };
    static const float weight[C] = {0.5f, 2.0f, 1.0f, 1.5f};
    float spk[n], mem[n], ds[n], dm[n];
    int y[B] = {1, 0, 1}, i, m,
        temporal = kind == SNN_LOSS_CE_TEMPORAL || kind == SNN_LOSS_MSE_TEMPORAL;
    float l0, total = 0.0f;
    snn_loss_desc l;
    set_loss(&l, kind, option, weight);
    for (i = 0; i < n; i++) {
        spk[i] = temporal ? (float)(snn_uniform(3, 1, 0, (uint32_t)i) < 0.3f)
                          : uniform(0.0f, 1.0f, 710, (size_t)i);
        mem[i] = uniform(-1.0f, 2.0f, 711, (size_t)i);
        ds[i] = dm[i] = 5.0f; /* gradients are added */
    }
    if (snn_loss(&l, T, B, C, spk, mem, y, NULL, &l0, ds, dm) != SNN_OK) {
        fail("snn_loss");
        return;
    }
    CHECK(l0 > 0.0f && l0 < 1e4f);
    for (i = 0; i < n; i++) {
        for (m = 0; m < 2; m++) {
            float *v = m ? &mem[i] : &spk[i], old = *v, up, down, g = (m ? dm[i] : ds[i]) - 5.0f;
            total += (float)fabs((double)g);
            if (temporal) { /* only the first spike, or the last step of a silent neuron */
                int t, first = T - 1, at = i % (B * C);
                for (t = T - 1; t >= 0; t--)
                    if (spk[t * B * C + at] != 0.0f) first = t;
                if (option != 4 && g != 0.0f && (m || i / (B * C) != first))
                    fail("gradient %g at step %d", (double)g, i / (B * C));
                continue;
            }
            *v = old + 5e-3f;
            snn_loss(&l, T, B, C, spk, mem, y, NULL, &up, NULL, NULL);
            *v = old - 5e-3f;
            snn_loss(&l, T, B, C, spk, mem, y, NULL, &down, NULL, NULL);
            *v = old;
            if (!(fabs(((double)up - (double)down) / 1e-2 - (double)g) <
                  2e-3 * (1.0 + fabs((double)g) + 0.02 * (double)l0)))
                fail("element %d: %g, differences give %g", i, (double)g,
                     ((double)up - (double)down) / 1e-2);
        }
    }
    CHECK(total > 1e-3f);
}

/* Prices on firing rates: value against the formula in double, gradient by differences, on arrays;
 * then on a hidden node of a smooth net, where snn_net_loss adds them to any loss. */
static const struct {
    const char *name;
    snn_rate_desc price;
} rate_prices[] = {
    {"l1", {0, 0.03f, 0, 0, 0, 0, 0}},
    {"lower", {0, 0, 0.6f, 3.0f, 0, 0, 0}},
    {"upper", {0, 0, 0, 0, 0.3f, 2.0f, 0}},
    {"all", {0, 0.01f, 0.4f, 3.0f, 0.45f, 5.0f, 0}},
    {"layer_lower", {0, 0, 0.7f, 3.0f, 0, 0, 1}},
    {"layer_upper", {0, 0, 0, 0, 0.2f, 2.0f, 1}},
    {"layer_all", {0, 0.02f, 0.5f, 3.0f, 0.46f, 2.0f, 1}},
};

static double rate_formula(const snn_rate_desc *d, int T, int B, int n, const float *spk)
{
    double total = 0.0, units = d->per_layer ? B : B * n;
    int b, i, t;
    for (i = 0; i < T * B * n; i++) total += (double)d->l1 * (double)spk[i];
    for (b = 0; b < B; b++) {
        double m = 0.0, z, under, over;
        for (i = 0; i < n; i++) {
            for (z = 0.0, t = 0; t < T; t++) z += (double)spk[(t * B + b) * n + i] / T;
            m += z / n;
            if (d->per_layer && i < n - 1) continue;
            if (d->per_layer) z = m;
            under = (double)d->lower - z, over = z - (double)d->upper;
            if (under > 0.0) total += (double)d->lower_weight * under * under / units;
            if (over > 0.0) total += (double)d->upper_weight * over * over / units;
        }
    }
    return total;
}

static void loss_rates(int row, int b)
{
    enum { T = 6, B = 3, N = 5, n = T * B * N };
    const snn_rate_desc *d = &rate_prices[row].price;
    float spk[n], g[n];
    double moved = 0.0;
    int i;
    (void)b;
    for (i = 0; i < n; i++) spk[i] = uniform(0.0f, 1.0f, 840, (size_t)i), g[i] = 5.0f;
    CHECK(fabs((double)snn_rate_loss(d, T, B, N, spk, g) - rate_formula(d, T, B, N, spk)) < 1e-5);
    CHECK(snn_rate_loss(d, T, B, N, spk, NULL) > 0.0f);
    for (i = 0; i < n; i++) {
        const float old = spk[i];
        double up, down;
        spk[i] = old + 1e-3f;
        up = rate_formula(d, T, B, N, spk);
        spk[i] = old - 1e-3f;
        down = rate_formula(d, T, B, N, spk);
        spk[i] = old;
        moved += fabs(up - down);
        if (!(fabs((up - down) / 2e-3 - ((double)g[i] - 5.0)) < 1e-4))
            fail("element %d: %g, differences give %g", i, (double)g[i] - 5.0, (up - down) / 2e-3);
    }
    CHECK(moved > 0.0);
}

/* twice: two prices on one node must add up */
static void loss_rates_net(int row, int twice)
{
    static const net_row r = {"rates", SNN_INPUT_DENSE, 6, 0, 0, 6, 3,
                              "fc:8 | leaky b.8 t.4 @a name=hidden | fc:3 | leaky b.8 t.3"};
    float *x = row_input(&r, 500), with, without, worst, least = 1e30f, eps;
    int y[3] = {0, 2, 1}, seed, hidden;
    snn_rate_desc prices[2];
    snn_net *net;
    snn_tensor spk;
    ZERO(snn_net_desc, d);
    ZERO(snn_loss_desc, l);
    ZERO(snn_loss_desc, plain);
    d.spikes = SNN_SPIKES_SMOOTH;
    plain.kind = l.kind = SNN_LOSS_MSE_MEMBRANE;
    prices[0] = rate_prices[row].price;
    prices[1] = rate_prices[(row + 3) % COUNT_OF(rate_prices)].price;
    l.rates = prices;
    l.num_rates = 1 + twice;
    for (seed = 1; seed < 6 && !(least < 1e-2f); seed++)
        for (eps = 2e-3f; eps > 2e-4f && !(least < 1e-2f); eps *= 0.5f) {
            d.seed = (uint64_t)seed;
            net = keep_net(open_row(&r, &d, NULL, 0));
            hidden = prices[0].node = prices[1].node = snn_net_node(net, "hidden");
            snn_net_record(net, hidden, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
            CHECK(snn_net_build(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
            spk = snn_net_spikes(net, hidden);
            CHECK(snn_net_loss(net, &l, y, &with) == SNN_OK);
            CHECK(snn_net_loss(net, &plain, y, &without) == SNN_OK);
            without += (float)rate_formula(&prices[0], 6, 3, 8, spk.data);
            if (twice) without += (float)rate_formula(&prices[1], 6, 3, 8, spk.data);
            if (!(fabs((double)with - (double)without) < 1e-5)) fail("loss %g", (double)with);
            if (snn_net_gradcheck(net, x, y, &l, eps, &worst) != SNN_OK)
                fail("%s", snn_net_error(net));
            if (worst < least) least = worst;
        }
    note("%.1e", (double)least);
    if (!(least < 1e-2f)) fail("worst difference %.1e", (double)least);
}

/* The library's own check, on whole nets and every smooth loss. */
static void net_gradcheck(int row, int kind)
{
    const net_row *r = &gradient_rows[row];
    float weight[256], worst = -1.0f, least = 1e30f, eps;
    snn_loss_desc l;
    int seed;
    ZERO(snn_net_desc, d);
    d.spikes = SNN_SPIKES_SMOOTH;
    for (seed = 0; seed < COUNT_OF(weight); seed++) weight[seed] = 0.5f + 0.5f * (float)(seed % 4);
    /* a reset may switch within eps; a wrong gradient fails for every seed and eps */
    for (seed = 1; seed < 6 && !(least < 1e-2f); seed++)
        for (eps = 2e-3f; eps > 2e-4f && !(least < 1e-2f); eps *= 0.5f) {
            snn_net *net;
            d.seed = (uint64_t)seed;
            net = build_row(r, &d);
            if (!net) return;
            set_loss(&l, kind, row_classes(net) % 2 && row % 5 == 2 ? 0 : row % 5, weight);
            if (row_classes(net) > COUNT_OF(weight)) fail("%d classes", row_classes(net));
            if (snn_net_gradcheck(net, row_input(r, 700), row_labels(r, 2), &l, eps, &worst) !=
                SNN_OK)
                fail("%s", snn_net_error(net));
            if (worst >= 0.0f && worst < least) least = worst;
        }
    note("%.1e with seed %d", (double)least, seed - 1);
    if (!(least < 1e-2f)) fail("worst difference %.1e", (double)least);
}

/* ---- nets ---- */

static void reverse_for(void *user, int count, void (*task)(void *, int), void *arg)
{
    int i;
    (void)user;
    for (i = count - 1; i >= 0; i--) task(arg, i);
}

static void scattered_for(void *user, int count, void (*task)(void *, int), void *arg)
{
    int i, step = 1 + count / 3, a, b, t, *calls = (int *)user;
    do { /* the next step without a common divisor reaches every task once */
        step++;
        for (a = step, b = count; b; t = a % b, a = b, b = t) {}
    } while (a != 1);
    for (i = 0; i < count; i++) task(arg, (int)((5 + (long)i * step) % count));
    (*calls)++;
}

/* Variants of the desc that must not change the result (exactly, or by a small tolerance). */
enum { V_AGAIN, V_DENSE, V_K1, V_K3, V_K7, V_KT, V_G1, V_G3, V_KG };
enum { V_REVERSE = V_KG + 1, V_SCATTERED, V_OMP, V_RECORDED, V_DEBUG, V_FLOOR, V_DET, V_ISA };
static const char *const variant_names[] = {
    "same_seed",      "packed_equals_dense", "checkpoint_1",
    "checkpoint_3",   "checkpoint_7",        "checkpoint_T",
    "gradient_steps_1", "gradient_steps_3",  "checkpoint_4_gradient_steps_2",
    "tasks_reversed", "tasks_scattered",     "openmp_threads",
    "recorded",       "debug",               "gradient_floor",
    "isa_deterministic", "isa"};

static void net_variant(int row, int code)
{
    const net_row *r = &rows[row];
    int v = code % 100, isa = code / 100, calls = 0, i;
    double tolerance = 0.0;
    snn_net *one, *two;
    result ra, rb, pa = {NULL, 0, 0, 0}, pb = {NULL, 0, 0, 0};
    ZERO(snn_net_desc, a);
    ZERO(snn_net_desc, b);
    a.seed = b.seed = 7;
    if (v == V_DENSE) b.spikes = SNN_SPIKES_DENSE, a.deterministic = b.deterministic = 1;
    if (v == V_K1) b.checkpoint = 1;
    if (v == V_K3) b.checkpoint = 3;
    if (v == V_K7) b.checkpoint = 7;
    if (v == V_KT) b.checkpoint = r->T;
    if (v == V_G1) b.gradient_steps = 1;
    if (v == V_G3) b.gradient_steps = 3;
    if (v == V_KG) b.checkpoint = 4, b.gradient_steps = 2;
    if (v >= V_K1 && v <= V_KG) tolerance = 1e-6;
    else if (row % 2) a.gradient_steps = b.gradient_steps = 2; /* here both are to be the same */
    if (row % 3 == 1 && v != V_RECORDED && v != V_ISA) a.half_traces = b.half_traces = 1;
    if (v == V_DEBUG) b.debug = 1;
    if (v == V_FLOOR) b.gradient_floor = 1e-4f, tolerance = 1e-2;
    if (v == V_REVERSE) b.threads.parallel_for = reverse_for;
    if (v == V_SCATTERED) b.threads.parallel_for = scattered_for, b.threads.user = &calls;
    if (v == V_DET) a.deterministic = b.deterministic = 1;
    if (v == V_ISA) a.spikes = b.spikes = SNN_SPIKES_SMOOTH, tolerance = 1e-5;
    if (v == V_DET || v == V_ISA) a.isa = SNN_ISA_SCALAR, b.isa = (snn_isa)isa;
    one = build_row(r, &a);
    two = v == V_RECORDED ? keep_net(open_row(r, &b, NULL, 0)) : build_row(r, &b);
    if (!one || !two) return;
    for (i = 0; v == V_RECORDED && snn_net_node_name(two, i); i++)
        snn_net_record(two, i, SNN_RECORD_SPIKES | SNN_RECORD_MEMBRANE | SNN_RECORD_GRADIENT);
    CHECK(v != V_RECORDED || snn_net_build(two) == SNN_OK);
    snn_net_train(two, !whole_pass(r));
#ifdef _OPENMP
    if (v == V_OMP) omp_set_num_threads(1);
#endif
    ra = run_row(r, one, 1);
    put_parameters(&pa, one); /* norms' running statistics have moved */
    if (tolerance == 0.0) train_row(r, one, 5), put_parameters(&ra, one);
#ifdef _OPENMP
    if (v == V_OMP) omp_set_num_threads(2);
#endif
    rb = run_row(r, two, 1);
    put_parameters(&pb, two);
    if (tolerance == 0.0) train_row(r, two, 5), put_parameters(&rb, two);
#ifdef _OPENMP
    if (v == V_OMP) omp_set_num_threads(1);
#endif
    if (v != V_ISA && !same_bits(ra.v, rb.v, ra.spikes)) fail("spikes differ");
    for (i = 0; v != V_ISA && snn_net_node_name(one, i); i++) { /* also counted in all passes */
        snn_layer_stats sa, sb;
        CHECK(snn_net_stats(one, i, &sa) == SNN_OK && snn_net_stats(two, i, &sb) == SNN_OK);
        if (sa.spikes != sb.spikes || (v != V_DENSE && sa.synops != sb.synops))
            fail("node %d counts %g spikes, should be %g", i, sb.spikes, sa.spikes);
    }
    same_result(&rb, &ra, tolerance, "variant");
    same_result(&pb, &pa, tolerance, "parameters of the variant");
    if (v == V_SCATTERED && row_frame(r) > 300) CHECK(calls > 0);
}

static void net_inference(int row, int b)
{
    snn_net *one, *two;
    result ra, rb;
    ZERO(snn_net_desc, d);
    (void)b;
    one = build_row(&rows[row], &d);
    d.inference = 1;
    two = build_row(&rows[row], &d);
    if (!one || !two) return;
    snn_net_train(one, 0);
    ra = run_row(&rows[row], one, 0);
    rb = run_row(&rows[row], two, 0);
    ra.total = ra.membranes; /* outputs, no gradients */
    rb.total = rb.membranes;
    same_result(&rb, &ra, 0.0, "inference");
    CHECK(snn_net_memory(two) < snn_net_memory(one));
    CHECK(snn_net_backward(two) == SNN_ERR_STATE);
}

/* half_traces: currents that are sums of sixty-fourths fit into 16 bits, so nothing changes but the
 * memory; others change by 2^-11 of themselves. */
static void net_half(int fits, int b)
{
    static const net_row r = {"half", SNN_INPUT_SPIKES, 2, 9, 8, 40, 5,
                              "conv:4 k3 | max:2 s2 | leaky b.9 t.01 keep | flat | fc:20 | "
                              "leaky b.9 t.01 keep | fc:3 | leaky b.9 t.1"};
    snn_net *net[2];
    result out[2];
    int k;
    (void)b;
    for (k = 0; k < 2; k++) {
        snn_tensor v;
        size_t i;
        ZERO(snn_net_desc, d);
        d.half_traces = k;
        d.gradient_steps = 2; /* else gradients need the room of whole currents */
        net[k] = build_row(&r, &d);
        if (!net[k]) return;
        v = snn_net_values(net[k]);
        for (i = 0; fits && i < snn_tensor_count(&v); i++)
            v.data[i] = floorf(64.0f * v.data[i] + 0.5f) / 64.0f;
        CHECK(snn_net_params_changed(net[k]) == SNN_OK);
        out[k] = run_row(&r, net[k], 1);
    }
    if (fits) same_result(&out[1], &out[0], 0.0, "half");
    else CHECK(memcmp(out[0].v, out[1].v, out[0].total * sizeof(float)) != 0);
    if (fits) CHECK(snn_net_memory(net[1]) < snn_net_memory(net[0]));
}

/* gradient_steps chosen by the net: half of a long T, all with an all-to-all recurrence */
static void net_segments(int recurrent, int b)
{
    static const net_row rows_[2] = {
        {"long", SNN_INPUT_CONSTANT, 5, 0, 0, 70, 20,
         "fc:30 | leaky b.9 t.1 | fc:40 | leaky b.9 t.1"},
        {"long", SNN_INPUT_CONSTANT, 5, 0, 0, 70, 20,
         "fc:30 | rleaky b.9 t.1 lin | fc:40 | leaky b.9 t.1"}};
    const net_row *r = &rows_[recurrent];
    snn_net *net[2];
    result out[2];
    int k;
    (void)b;
    for (k = 0; k < 2; k++) {
        ZERO(snn_net_desc, d);
        d.gradient_steps = k ? 0 : r->T;
        net[k] = build_row(r, &d);
        if (!net[k]) return;
        out[k] = run_row(r, net[k], 1);
    }
    CHECK(net[0]->segment == 70 && net[1]->segment == (recurrent ? 70 : 35));
    same_result(&out[1], &out[0], 1e-6, "segments");
    CHECK(recurrent || snn_net_memory(net[1]) < snn_net_memory(net[0]));
}

/* Weight gradients of many rows and outputs, gathered in blocks, are those of few at a time, also
 * where the last block has few outputs. */
static void net_blocks(int dense, int outs)
{
    char layers[64];
    net_row r = {"wide", dense ? SNN_INPUT_DENSE : SNN_INPUT_SPIKES, 40, 0, 0, 66, 64, layers};
    snn_net *net[2];
    result out[2];
    int k;
    snprintf(layers, sizeof layers, "fc:%d | leaky b.9 t.1 | fc:4 | leaky b.9 t.1", outs);
    for (k = 0; k < 2; k++) {
        ZERO(snn_net_desc, d);
        d.gradient_steps = k ? 2 : r.T;
        net[k] = build_row(&r, &d);
        if (!net[k]) return;
        CHECK((net[k]->segment * r.B * outs > SNN__LINEAR_LARGE) == !k);
        out[k] = run_row(&r, net[k], 1);
    }
    same_result(&out[1], &out[0], 1e-5, "blocks");
}

/* Levels of a centre outside their range are as many, and no others are written. */
static void quant_range(int above, int b)
{
    float levels[2 + 256];
    int i;
    ZERO(snn_quant, q);
    (void)b;
    for (i = 0; i < 258; i++) levels[i] = 77.0f;
    q.bits = 8, q.exponential = 1;
    if (above) q.upper = -0.5f;
    else q.centre_zero = 1, q.lower = -1.5f;
    CHECK(snn_quant_levels(&q, levels + 1) == 256 && levels[0] == 77.0f && levels[257] == 77.0f);
    for (i = 1; i < 257; i++) CHECK(levels[i] != 77.0f);
}

/* A max pool of a 1 x 1 image beside another reader of it, tasks in another order: y = 10 x + x */
static void net_pool_1x1(int a, int b)
{
    enum { B = 32, C = 10 };
    float x[B * C], *dy, *dx;
    snn_net *net = NULL;
    int i, in;
    ZERO(snn_net_desc, d);
    ZERO(snn_pool2d_desc, p);
    (void)a, (void)b;
    d.batch = B, d.input = SNN_INPUT_DENSE, d.threads.parallel_for = reverse_for;
    CHECK(snn_net_create(&net, &d) == SNN_OK);
    if (!keep_net(net)) return;
    in = snn_input(net, C, 1, 1);
    p.kernel = 1;
    snn_add(net, snn_scale(net, in, 10.0f), snn_max_pool2d(net, in, &p));
    snn_net_record(net, in, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
    CHECK(snn_net_build(net) == SNN_OK);
    for (i = 0; i < B * C; i++) x[i] = 1.0f;
    CHECK(snn_net_forward(net, x) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
    dy = snn_net_dspikes(net, snn_net_output(net)).data;
    for (i = 0; i < B * C; i++) dy[i] = (float)(1 + i % 7);
    CHECK(snn_net_backward(net) == SNN_OK);
    dx = snn_net_dspikes(net, in).data;
    for (i = 0; i < B * C; i++) CHECK(dx[i] == 11.0f * (float)(1 + i % 7));
}

/* What a max pool of a constant input keeps is there for a later step that does not run it. */
static void net_pool_kept(int a, int b)
{
    enum { C = 4, S = 8, N = C * S * S };
    float x[N], g[2][N];
    int i, k;
    (void)a, (void)b;
    for (i = 0; i < N; i++) x[i] = snn_uniform(1, 0, 0, (uint32_t)i);
    for (k = 0; k < 2; k++) {
        snn_net *net = NULL;
        int in, y;
        ZERO(snn_pool2d_desc, p);
        ZERO(snn_neuron_desc, n);
        ZERO(snn_net_desc, d);
        n.beta = 0.9f, n.threshold = 0.5f, p.kernel = 2;
        CHECK(snn_net_create(&net, &d) == SNN_OK);
        if (!keep_net(net)) return;
        in = snn_input(net, C, S, S);
        y = snn_scale(net, snn_leaky(net, snn_leaky(net, in, &n), &n), 1.0f);
        y = snn_add(net, snn_avg_pool2d(net, y, &p), snn_sum_pool2d(net, y, &p));
        snn_leaky(net, snn_add(net, snn_max_pool2d(net, in, &p), y), &n);
        snn_net_record(net, in, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
        CHECK(snn_net_build(net) == SNN_OK && snn_net_step(net, x) == SNN_OK);
        CHECK(snn_net_step(net, k ? NULL : x) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
        for (i = 0; i < N / 4; i++) snn_net_dspikes(net, snn_net_output(net)).data[i] = 1.0f;
        CHECK(snn_net_backward(net) == SNN_OK);
        memcpy(g[k], snn_net_dspikes(net, in).data, sizeof g[k]);
    }
    CHECK(same_bits(g[0], g[1], N));
}

/* Gradients of a batch, three times, are three times those of one, a hidden layer recorded or not;
 * a spike input is recorded as what the net computes with. */
static void net_accumulates(int recorded, int b)
{
    const net_row r = {"sum", SNN_INPUT_SPIKES, 10, 0, 0, 6, 4,
                       "fc:20 | leaky b.9 t.3 | fc:3 | leaky b.9 t.3"};
    const int y[4] = {0, 1, 2, 0};
    snn_net *net = keep_net(open_row(&r, NULL, NULL, 0));
    float *x = (float *)row_input(&r, 705), *g = NULL, once[200];
    int i, k;
    ZERO(snn_loss_desc, l);
    (void)b;
    if (!net) return;
    l.kind = SNN_LOSS_CE_COUNT;
    x[0] = 2.5f, x[1] = -1.0f;
    snn_net_record(net, 0, SNN_RECORD_SPIKES);
    if (recorded) snn_net_record(net, 2, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
    CHECK(snn_net_build(net) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
    for (k = 1; k <= 3; k++) {
        CHECK(snn_net_forward(net, x) == SNN_OK && snn_net_loss(net, &l, y, NULL) == SNN_OK);
        CHECK(snn_net_backward(net) == SNN_OK);
        g = snn_net_param(net, 0)->grad.data;
        if (k == 1) memcpy(once, g, sizeof once);
    }
    for (i = 0; i < 200; i++) CHECK(fabsf(g[i] - 3.0f * once[i]) <= 1e-5f * fabsf(g[i]));
    CHECK(snn_net_spikes(net, 0).data[0] == 1.0f && snn_net_spikes(net, 0).data[1] == 1.0f);
}

/* gradient_floor: of dy (-1, 0.4, 0.6, 0.5) of a 1 x 1 convolution on ones the bias' gradient adds
 * up what is not below floor times the largest size. */
static void net_floor(int a, int b)
{
    static const float dy[4] = {-1.0f, 0.4f, 0.6f, 0.5f};
    const float floors[3] = {0.0f, 0.5f, 1.0f}, sums[3] = {0.5f, 0.1f, -1.0f};
    const float ones[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    int k, x;
    (void)a, (void)b;
    for (k = 0; k < 3; k++) {
        snn_net *net = NULL;
        ZERO(snn_net_desc, d);
        ZERO(snn_conv2d_desc, c);
        ZERO(snn_neuron_desc, n);
        d.gradient_floor = floors[k];
        c.out_channels = c.kernel = 1;
        n.beta = 0.5f, n.reset = SNN_RESET_NONE, n.output_membrane = 1;
        CHECK(snn_net_create(&net, &d) == SNN_OK);
        if (!keep_net(net)) return;
        x = snn_leaky(net, snn_conv2d(net, snn_input(net, 1, 2, 2), &c), &n);
        CHECK(snn_net_record(net, x, SNN_RECORD_MEMBRANE | SNN_RECORD_GRADIENT) == SNN_OK);
        CHECK(snn_net_build(net) == SNN_OK && snn_net_forward(net, ones) == SNN_OK);
        CHECK(snn_net_zero_grad(net) == SNN_OK);
        memcpy(snn_net_dmembrane(net, x).data, dy, sizeof dy);
        CHECK(snn_net_backward(net) == SNN_OK);
        CHECK(fabs((double)snn_net_param(net, 1)->grad.data[0] - (double)sums[k]) < 1e-6);
    }
}

/* A spike input written as bits is that written as floats, whatever its spare bits are. */
static void net_words(int step, int recorded)
{
    enum { T = 3, B = 2, N = 45 };
    float x[T * B * N], *at = x;
    snn_net *net[2] = {NULL, NULL};
    const float *w[2];
    int i, k, t, words = 0;
    uint32_t *bits;
    for (i = 0; i < T * B * N; i++) x[i] = (float)snn_bernoulli(0.3f, 5, 0, 0, (uint32_t)i);
    for (k = 0; k < 2; k++) {
        ZERO(snn_net_desc, d);
        ZERO(snn_linear_desc, fc);
        ZERO(snn_neuron_desc, n);
        d.input = SNN_INPUT_SPIKES;
        d.steps = T, d.batch = B;
        fc.out_features = 4;
        n.beta = 0.9f;
        CHECK(snn_net_create(&net[k], &d) == SNN_OK);
        if (!keep_net(net[k])) return;
        CHECK(!snn_net_input_words(net[k], NULL));
        i = snn_input(net[k], N, 0, 0);
        if (recorded) CHECK(snn_net_record(net[k], i, SNN_RECORD_SPIKES) == SNN_OK);
        snn_leaky(net[k], snn_linear(net[k], i, &fc), &n);
        CHECK(snn_net_build(net[k]) == SNN_OK);
    }
    bits = snn_net_input_words(net[1], &words);
    CHECK(bits && words == 2);
    for (i = 0; bits && i < T * B; i++) {
        snn_spikes_pack(bits + i * words, x + i * N, N);
        bits[i * words + 1] |= 0xfeedu << 16;
    }
    for (t = 0; t < (step ? T : 1); t++, at += B * N) {
        if (step && t) {
            for (i = 0; i < B; i++) snn_spikes_pack(bits + i * words, at + i * N, N);
        }
        CHECK((step ? snn_net_step(net[0], at) : snn_net_forward(net[0], x)) == SNN_OK);
        CHECK((step ? snn_net_step(net[1], NULL) : snn_net_forward(net[1], NULL)) == SNN_OK);
        for (k = 0; k < 2; k++) w[k] = snn_net_membrane(net[k], snn_net_output(net[k])).data;
        CHECK(!memcmp(w[0], w[1], sizeof(float) * (step ? 1 : T) * B * 4));
        for (k = 0; k < 2 && recorded; k++) w[k] = snn_net_spikes(net[k], 0).data;
        CHECK(!recorded || !memcmp(w[0], w[1], sizeof(float) * (step ? 1 : T) * B * N));
    }
}

/* chunk 0: snn_net_step, T times. Otherwise snn_net_continue in chunks from zero states. */
static void net_in_parts(int row, int chunk)
{
    const net_row *r = &rows[row];
    snn_net *one, *two;
    snn_tensor t;
    float *x = row_input(r, 500);
    int k, n, round;
    result whole;
    ZERO(snn_net_desc, d);
    d.inference = chunk == -1;
    one = build_row(r, &d);
    two = build_row(r, &d);
    if (!one || !two) return;
    for (round = 0; round < 2; round++) { /* twice: a reset leaves nothing behind */
        size_t ends[2], at[2] = {0, 0}, i, base;
        CHECK(snn_net_forward(one, x) == SNN_OK);
        whole = capture(one);
        ends[0] = whole.spikes;
        ends[1] = whole.membranes - whole.spikes;
        CHECK(snn_net_reset(two) == SNN_OK);
        for (k = 0; k < r->T; k += n) {
            const float *xk =
                r->input == SNN_INPUT_CONSTANT ? (k == 0 ? x : NULL) : x + (size_t)k * row_frame(r);
            n = chunk > 0 && chunk < r->T - k ? chunk : chunk > 0 ? r->T - k : 1;
            if (chunk > 0 && r->input == SNN_INPUT_CONSTANT) xk = x;
            if ((chunk > 0 ? snn_net_continue(two, xk, n) : snn_net_step(two, xk)) != SNN_OK) {
                fail("step %d: %s", k, snn_net_error(two));
                return;
            }
            for (i = 0; i < 2; i++) {
                t = i ? snn_net_membrane(two, snn_net_output(two))
                      : snn_net_spikes(two, snn_net_output(two));
                base = (i ? whole.spikes : 0) + at[i];
                if (!t.data || at[i] + snn_tensor_count(&t) > ends[i]) {
                    fail("step %d has no output", k);
                    return;
                }
                if (!same_bits(t.data, whole.v + base, snn_tensor_count(&t)))
                    fail("%s of step %d differ in round %d", i ? "membranes" : "spikes", k, round);
                at[i] += snn_tensor_count(&t);
            }
        }
        CHECK(at[0] == ends[0] && at[1] == ends[1]);
    }
}

/* A frame a step, some kept with NULL, on a net with constant input: the same as a sequence. */
static void net_step_frames(int a, int b)
{
    net_row r = {
        "frames", SNN_INPUT_CONSTANT, 9, 0, 0, 6, 2, "fc:7 | leaky b.9 t.3 | fc:3 | leaky b.9 t.2"};
    static const int frame[6] = {0, 1, 1, 2, 2, 0};
    snn_net *one, *two;
    float *x = floats(6 * 18);
    int i, t;
    snn_tensor whole, now;
    (void)a, (void)b;
    one = build_row(&r, NULL);
    r.input = SNN_INPUT_DENSE;
    two = build_row(&r, NULL);
    if (!one || !two) return;
    for (t = 0; t < 6; t++)
        for (i = 0; i < 18; i++)
            x[t * 18 + i] = uniform(0.0f, 1.6f, (uint32_t)(730 + frame[t]), (size_t)i);
    CHECK(snn_net_forward(two, x) == SNN_OK);
    whole = snn_net_membrane(two, snn_net_output(two));
    for (t = 0; t < 6; t++) {
        CHECK(snn_net_step(one, t > 0 && frame[t] == frame[t - 1] ? NULL : x + t * 18) == SNN_OK);
        now = snn_net_membrane(one, snn_net_output(one));
        if (!now.data || !whole.data || !same_bits(now.data, whole.data + t * 6, 6))
            fail("step %d differs", t);
    }
}

/* The rows are alive: hidden and output layers fire, neither never nor always. */
static void net_alive(int row, int b)
{
    snn_net *net = build_row(&rows[row], NULL);
    int node, neurons = 0, alive = 0;
    (void)b;
    if (!net) return;
    run_row(&rows[row], net, 1);
    for (node = 0; snn_net_node_name(net, node); node++) {
        snn_layer_stats s;
        if (!snn_net_state(net, node, 0).data || is_view(net, node)) continue;
        if (net->node[node].desc.output_membrane) continue; /* never spikes */
        neurons++;
        CHECK(snn_net_stats(net, node, &s) == SNN_OK && s.rate >= 0.0 && s.rate <= 1.0);
        note("%s: rate %.3f, %.0f of %.0f operations", snn_net_node_name(net, node), s.rate,
             s.synops, s.dense_ops);
        alive += s.rate > 0.02 && s.rate < 0.98;
    }
    if (rows[row].T > 1 && alive < neurons)
        fail("%d of %d neuron layers test something", alive, neurons);
}

/* Dropout: off in evaluation; in training a fresh mask each step and sample, survivors scaled,
 * gradients masked alike. */
static void net_dropout(int a, int b)
{
    enum { T = 20, B = 5, N = 40 };
    static const net_row r = {"drop", SNN_INPUT_DENSE, N, 0, 0, T, B, "drop:.3"};
    snn_net *net = keep_net(open_row(&r, NULL, NULL, 0));
    snn_tensor out, g, in;
    int i, dropped = 0, same = 0;
    float *x = row_input(&r, 720);
    (void)a, (void)b;
    snn_net_record(net, 0, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
    CHECK(snn_net_build(net) == SNN_OK);
    CHECK(snn_net_forward(net, x) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
    out = snn_net_spikes(net, 1);
    g = snn_net_dspikes(net, 1);
    in = snn_net_dspikes(net, 0);
    if (!out.data || !g.data || !in.data || snn_tensor_count(&out) != T * B * N) {
        fail("a view is missing");
        return;
    }
    for (i = 0; i < T * B * N; i++) g.data[i] = 2.0f;
    CHECK(snn_net_backward(net) == SNN_OK);
    for (i = 0; i < T * B * N; i++) {
        int off = out.data[i] == 0.0f;
        float keep = 1.0f / 0.7f;
        dropped += off;
        same += i >= B * N && off == (out.data[i - B * N] == 0.0f);
        if (!off && fabs((double)(out.data[i] - x[i] * keep)) > 1e-5) fail("survivor %d", i);
        if (fabs((double)(in.data[i] - (off ? 0.0f : 2.0f * keep))) > 1e-5)
            fail("gradient %d is %g where the output is %g", i, (double)in.data[i],
                 (double)out.data[i]);
    }
    CHECK(abs(dropped - T * B * N * 3 / 10) < 200);
    CHECK(abs(same - (T - 1) * B * N * 58 / 100) < 250);
    for (i = same = 0; i < T * B * N; i++) /* samples have masks of their own */
        same += i / N % B != 0 && (out.data[i] == 0.0f) == (out.data[i - N] == 0.0f);
    CHECK(abs(same - T * (B - 1) * N * 58 / 100) < 250);
    CHECK(snn_net_train(net, 0) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    out = snn_net_spikes(net, 1);
    CHECK(same_bits(out.data, x, T * B * N));
}

static int puts_out_membranes(const char *name) /* default names of the neurons that never spike */
{
    return !strncmp(name, "soft_lif", 8) || (!strncmp(name, "li", 2) && name[2] != 'f') ||
           !strncmp(name, "relu", 4) || !strncmp(name, "qcfs", 4);
}

static void net_stats(int row, int b)
{
    const net_row *r = &rows[row];
    snn_net *net = keep_net(open_row(r, NULL, NULL, 0));
    int node;
    (void)b;
    for (node = 1; snn_net_node_name(net, node); node++)
        snn_net_record(net, node, SNN_RECORD_SPIKES);
    CHECK(snn_net_build(net) == SNN_OK && snn_net_forward(net, row_input(r, 500)) == SNN_OK);
    for (node = 1; snn_net_node_name(net, node); node++) {
        snn_tensor t = snn_net_spikes(net, node);
        double fired = 0.0;
        size_t i, n = t.data ? snn_tensor_count(&t) : 0;
        snn_layer_stats s;
        CHECK(n > 0 && snn_net_stats(net, node, &s) == SNN_OK);
        if (!snn_net_state(net, node, 0).data || is_view(net, node)) continue;
        for (i = 0; i < n; i++) fired += t.data[i] != 0.0f;
        if (puts_out_membranes(snn_net_node_name(net, node))) fired = 0.0;
        if (s.spikes != fired)
            fail("%s: %g spikes, recorded %g", snn_net_node_name(net, node), s.spikes, fired);
        CHECK(fabs(s.rate - fired / (double)n) < 1e-9);
    }
    CHECK(snn_net_stats(net, node, NULL) < 0);
}

/* Operations of a linear layer on spikes: outputs times incoming spikes, per step and sample. */
static void net_synops(int a, int b)
{
    static const net_row r = {"synops", SNN_INPUT_SPIKES, 50, 0, 0, 6, 4, "fc:20 | leaky b.9 t.2"};
    snn_net *net = build_row(&r, NULL);
    float *x = row_input(&r, 500);
    double in = 0.0;
    int i;
    snn_layer_stats s;
    (void)a, (void)b;
    if (!net) return;
    for (i = 0; i < 50 * 6 * 4; i++) in += (double)x[i];
    CHECK(snn_net_forward(net, x) == SNN_OK && snn_net_stats(net, 1, &s) == SNN_OK);
    CHECK(fabs(s.synops - in * 20.0 / 24.0) < 1e-6 && s.dense_ops == 1000.0);
}

static void net_print(int row, int b)
{
    snn_net *net = build_row(&rows[row], NULL);
    size_t n, i;
    char *text, *part;
    int node;
    (void)b;
    if (!net) return;
    n = snn_net_print(net, NULL, 0);
    CHECK(n > 20 && n < 20000);
    text = (char *)keep_bytes(n + 1);
    part = (char *)keep_bytes(n + 1);
    CHECK(snn_net_print(net, text, n + 1) == n && strlen(text) == n);
    for (node = 0; snn_net_node_name(net, node); node++)
        CHECK(strstr(text, snn_net_node_name(net, node)) != NULL);
    for (i = 1; i <= n; i += 1 + n / 50) { /* short buffers: a 0 at the end, nothing behind it */
        memset(part, 'x', n + 1);
        CHECK(snn_net_print(net, part, i) == n && strlen(part) == i - 1 && part[i] == 'x');
        CHECK(!strncmp(part, text, i - 1));
    }
}

/* A net with weights of few bits computes what a plain net with those weights rounded does; its
 * gradients are that net's, of the weights too: rounding passes them straight through. */
static const char *const round_rows[] = {
    "fc:7 wb%d | leaky b.9 t.3 | fc:5 wb%d nobias",
    "conv:4 k3 wb%d | leaky b.9 t.3 | conv:3 k2 g1 wb%d",
    "reshape:2,1,36 | conv1:4 k3 wb%d | leaky b.9 t.3 | conv1:4 k2 s2 g2 wb%d",
    "convt:3 k3 s2 wb%d | leaky b.9 t.3 | convt:2 k2 wb%d"};

static void net_rounded(int row, int bits)
{
    char layers[2][128];
    net_row r = {"rounded", SNN_INPUT_DENSE, 2, 6, 6, 4, 3, NULL};
    snn_net *net[2];
    result got[2];
    int i, k;
    for (k = 0; k < 2; k++) {
        snprintf(layers[k], sizeof layers[k], round_rows[row], k ? 0 : bits, k ? 0 : bits);
        r.layers = layers[k];
        net[k] = keep_net(open_row(&r, NULL, NULL, 0));
        snn_net_record(net[k], 0, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
        if (snn_net_build(net[k]) != SNN_OK) {
            fail("%s", snn_net_error(net[k]));
            return;
        }
    }
    for (i = 0; i < snn_net_param_count(net[1]); i++) {
        const snn_tensor *v = &snn_net_param(net[1], i)->value;
        float scale[8], most;
        int n, c, levels = (1 << (bits - 1)) - 1;
        if (!strstr(snn_net_param(net[1], i)->name, ".weight")) continue;
        n = (int)snn_tensor_count(v) / v->shape[0];
        CHECK(snn_quantise_weights(v->data, scale, v->data, v->shape[0], n, bits) == SNN_OK);
        for (k = 0; k < v->shape[0]; k++) { /* its definition: the nearest whole multiples */
            const float *w = snn_net_param(net[0], i)->value.data + k * n;
            for (most = 0.0f, c = 0; c < n; c++)
                most = (float)fmax((double)most, fabs((double)w[c]));
            CHECK(fabs((double)(scale[k] * (float)levels - most)) < 1e-6);
            for (c = 0; c < n; c++) {
                const double steps = (double)v->data[k * n + c] / (double)scale[k];
                CHECK(fabs(steps - floor(steps + 0.5)) < 1e-4 && fabs(steps) < levels + 0.5);
                CHECK(fabs((double)(v->data[k * n + c] - w[c])) < 0.5001 * (double)scale[k]);
            }
        }
    }
    CHECK(snn_net_params_changed(net[1]) == SNN_OK);
    for (k = 0; k < 2; k++) {
        snn_tensor in;
        size_t room;
        got[k] = run_row(&r, net[k], 1);
        room = got[k].total;
        in = snn_net_dspikes(net[k], 0);
        put_tensor(&got[k], &room, &in);
    }
    same_result(&got[0], &got[1], 1e-6, "rounded weights");
}

/* Folding norms into the layers before them changes no evaluation; how many go. */
static const struct {
    const char *layers;
    int folds;
} fold_rows[] = {
    {"conv:4 k3 | norm:batch | leaky b.9 t.4 | flat | fc:5 | norm:batch | leaky b.9 t.2", 2},
    {"conv:4 k3 g2 | norm:threshold a.8 t.5 | leaky b.9 t.4 | conv:3 k2 | norm:batch noaff", 2},
    {"flat | fc:6 | norm:threshold noaff t.4 | leaky b.9 t.4", 1},
    {"reshape:2,1,36 | conv1:4 k3 | norm:batch eps.1 | leaky b.9 t.4", 1},
    {"conv:4 k3 | norm:batch | norm:batch | leaky b.9 t.4", 1},
    {"flat | fc:6 wb6 | norm:batch | leaky b.9 t.4", 1},
    {"conv:4 k3 nobias | norm:batch | leaky b.9 t.4", 0},
    {"conv:4 k3 @a | norm:batch | add@a | leaky b.9 t.4", 0},
    {"flat | fc:6 | norm:layer | leaky b.9 t.4 | fc:4 | norm:time | leaky b.9 t.2", 0},
    {"conv:4 k3 | leaky b.9 t.3 | norm:batch", 0},
    {"conv:4 k3 | max:2 | norm:batch", 0},
    {"flat | fc:6 | reshape:2,1,3 | norm:batch", 0},
    {"norm:batch | flat | fc:3", 0},
};

static void net_folded(int row, int input)
{
    net_row r = {"fold", SNN_INPUT_DENSE, 2, 6, 6, 5, 4, fold_rows[row].layers};
    result before, after;
    snn_net *net;
    int i, k, folds, node;
    r.input = (snn_input_kind)input;
    net = build_row(&r, NULL);
    if (!net) return;
    snn_net_train(net, 1);
    for (i = 0; i < 3; i++)
        CHECK(snn_net_forward(net, row_input(&r, (uint32_t)(850 + i))) == SNN_OK);
    for (node = 0; snn_net_node_name(net, node); node++) {
        const snn_param *w = node_param(net, node, "weight"), *b = node_param(net, node, "bias");
        if (strncmp(snn_net_node_name(net, node), "norm", 4) || !w) continue;
        for (k = 0; k < (int)snn_tensor_count(&w->value); k++) {
            w->value.data[k] *= 0.8f + 0.1f * (float)k;
            if (b && k < (int)snn_tensor_count(&b->value)) b->value.data[k] = 0.1f * (float)k;
        }
    }
    CHECK(snn_net_params_changed(net) == SNN_OK && snn_net_train(net, 0) == SNN_OK);
    before = run_row(&r, net, 0);
    folds = snn_net_fold(net);
    if (folds != fold_rows[row].folds) fail("%d folded", folds);
    after = run_row(&r, net, 0);
    after.total = after.membranes, before.total = before.membranes;
    same_result(&after, &before, folds ? 1e-4 : 0.0, "folded");
    for (node = 0; folds && snn_net_node_name(net, node); node++)
        for (i = 0; i < 4; i++) { /* the first norms are the identity now */
            static const char *const part[] = {"weight", "bias", "running_mean", "running_var"};
            const snn_param *p = node_param(net, node, part[i]);
            if (!p || strncmp(p->name, "norm", 4) || folds-- <= 0) continue;
            folds += i < 3;
            for (k = 0; k < (int)snn_tensor_count(&p->value); k++)
                if (!(fabs((double)p->value.data[k] - (i == 0 || i == 3 ? 1.0 : 0.0)) < 0.11))
                    fail("%s is %g", p->name, (double)p->value.data[k]);
        }
}

/* debug = 1: the first NaN or infinity of a pass is an error that says where; then the net goes on.
 * What is damaged: a parameter, all of it; or input step 2, which is finite but overflows. */
static const struct {
    const char *name, *layers, *param;
    float value;
    const char *words;
} debug_rows[] = {
#define MLP "fc:5 | leaky b.9 t.2 | fc:3 | leaky b.9 t.1"
    {"bias", MLP, "fc2.bias", NAN, "forward fc2 step~0,"},
    {"weight", MLP, "fc1.weight", NAN, "forward fc1 step~0,"},
    {"huge", MLP, "fc1.weight", 3e38f, "forward fc1 step~0,"},
    {"input", MLP, "", 3e38f, "forward fc1 step~2,"},
    {"last", "fc:5 | leaky b.9 t.2 | fc:3", "fc2.weight", -INFINITY, "forward fc2 step~0,"},
    {"conv", "conv:3 k2 | leaky b.9 t.2", "conv1.bias", INFINITY, "forward conv1 step~0,"},
    {"chain", "conv:3 k2 | avg:2 s1 | leaky b.9 t.2", "conv1.weight", NAN, "forward conv1 step~0,"},
    {"chain_max", "conv:3 k2 | max:2 | leaky b.9", "conv1.weight", NAN, "forward conv1 step~0,"},
    {"norm", "conv:3 k2 | norm:batch | leaky b.9 t.2", "norm1.bias", NAN, "forward norm1 step~0,"},
    {"neuron", "fc:5 | leaky b.9 name=mid | fc:3", "mid.beta", NAN, "forward mid step~0,"},
    {"readout", "fc:5 | li b.9", "li1.v_rest", NAN, "forward li1 step~0,"},
#undef MLP
};

static void net_debug(int row, int checkpoint)
{
    net_row r = {"debug", SNN_INPUT_DENSE, 2, 3, 3, 4, 3, debug_rows[row].layers};
    const int inputs = 18;
    snn_net *net;
    float *x = row_input(&r, 500), *wild = row_input(&r, 500), *old;
    const snn_param *p;
    result before, after;
    int i;
    ZERO(snn_net_desc, d);
    d.debug = 1;
    d.checkpoint = checkpoint;
    net = build_row(&r, &d);
    if (!net) return;
    snn_net_train(net, 0);
    CHECK(snn_net_forward(net, x) == SNN_OK);
    before = capture(net);
    p = snn_net_find_param(net, debug_rows[row].param);
    old = floats(p ? snn_tensor_count(&p->value) : 0);
    for (i = 0; p && i < (int)snn_tensor_count(&p->value); i++) {
        old[i] = p->value.data[i];
        p->value.data[i] = debug_rows[row].value;
    }
    for (i = 0; i < (int)row_frame(&r) * r.T; i++)
        if (!p && i / (int)row_frame(&r) == 2)
            wild[i] = snn_net_find_param(net, "fc1.weight")->value.data[i % inputs] > 0.0f
                          ? debug_rows[row].value
                          : -debug_rows[row].value;
        else if (debug_rows[row].value == 3e38f) wild[i] = 3.0f;
    CHECK(snn_net_params_changed(net) == SNN_OK && snn_net_forward(net, wild) == SNN_ERR_NAN);
    note("%s", snn_net_error(net));
    if (!has_words(snn_net_error(net), debug_rows[row].words))
        fail("\"%s\" should mention %s", snn_net_error(net), debug_rows[row].words);
    for (i = 0; p && i < (int)snn_tensor_count(&p->value); i++) p->value.data[i] = old[i];
    CHECK(snn_net_params_changed(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    after = capture(net);
    same_result(&after, &before, 0.0, "after the error");
}

/* A NaN among the gradients given to backward; without debug it is the user's own. */
static void net_debug_backward(int node_name, int debug)
{
    static const net_row r = {"debug", SNN_INPUT_DENSE, 4, 0, 0, 4, 3,
                              "fc:5 | leaky b.9 t.2 | fc:3 | leaky b.9 t.1"};
    static const char *const names[] = {"lif2", "lif1"};
    snn_net *net;
    snn_status s;
    snn_tensor g;
    ZERO(snn_net_desc, d);
    d.debug = debug;
    net = keep_net(open_row(&r, &d, NULL, 0));
    snn_net_record(net, 2, SNN_RECORD_SPIKES | SNN_RECORD_GRADIENT);
    CHECK(snn_net_build(net) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
    CHECK(snn_net_forward(net, row_input(&r, 500)) == SNN_OK);
    g = snn_net_dspikes(net, snn_net_node(net, names[node_name]));
    g.data[snn_tensor_count(&g) / 2] = NAN; /* the first of step 2 */
    s = snn_net_backward(net);
    note("%s", snn_net_error(net));
    CHECK(s == (debug ? SNN_ERR_NAN : SNN_OK));
    if (debug && !has_words(snn_net_error(net), node_name ? "backward lif1 step~2" :
                                                            "backward lif2 step~2"))
        fail("\"%s\" should mention %s and step 2", snn_net_error(net), names[node_name]);
}

/* Layers without a spike are called dead, those that hardly ever rest saturated; no others are. */
static void net_print_health(int a, int b)
{
    static const net_row r = {
        "health", SNN_INPUT_DENSE, 8, 0, 0, 6, 3,
        "fc:9 @a | leaky b.9 t999 name=silent | from@a | leaky b.9 t-9 keep name=always | fc:6 | "
        "leaky b.9 t.2 name=usual | fc:4 | li b.9 name=readout"};
    snn_net *net = build_row(&r, NULL);
    char text[4096], line[256];
    int pass, dead, saturated;
    const char *at;
    (void)a, (void)b;
    if (!net) return;
    for (pass = 0; pass < 2; pass++) {
        if (pass) CHECK(snn_net_forward(net, row_input(&r, 500)) == SNN_OK);
        CHECK(snn_net_print(net, text, sizeof text) < sizeof text);
        for (at = text; *at; at += strcspn(at, "\n") + 1) {
            snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
            dead = pass && !strncmp(line, "silent ", 7);
            saturated = pass && !strncmp(line, "always ", 7);
            if ((strstr(line, "dead") != NULL) != dead ||
                (strstr(line, "saturated") != NULL) != saturated)
                fail("pass %d: %s", pass, line);
        }
        CHECK(strstr(text, "silent") && strstr(text, "always") && strstr(text, "readout"));
    }
}

static void net_names(int a, int b)
{
    static const net_row r = {
        "names", SNN_INPUT_CONSTANT, 1, 6, 6, 2, 1,
        "conv:2 k3 | leaky b.9 | flat | fc:4 name=head | leaky b.9 lb per name=out | fc:2 nobias"};
    static const char *const params[] = {"conv1.weight", "conv1.bias", "head.weight",
                                         "head.bias", "out.beta", "fc1.weight"};
    snn_net *net = build_row(&r, NULL);
    snn_tensor values, grads;
    int i;
    (void)a, (void)b;
    if (!net) return;
    CHECK(snn_net_node(net, "conv1") == 1 && snn_net_node(net, "lif1") == 2 &&
          snn_net_node(net, "head") == 4);
    CHECK(snn_net_node(net, "nothing") == (int)SNN_ERR_NOT_FOUND && snn_net_output(net) == 6);
    CHECK(!snn_net_node_name(net, 7) && !snn_net_node_name(net, -1));
    for (i = 0; i < COUNT_OF(params); i++) {
        const snn_param *p = snn_net_find_param(net, params[i]);
        if (!p || !p->value.data || !p->grad.data) fail("no %s", params[i]);
    }
    values = snn_net_values(net);
    grads = snn_net_grads(net);
    for (i = 0; i < snn_net_param_count(net); i++) { /* the trained ones lie in the two blocks */
        const snn_param *p = snn_net_param(net, i);
        size_t at = p->grad.data ? (size_t)(p->value.data - values.data) : 0;
        if (!p->grad.data) continue;
        CHECK(at + snn_tensor_count(&p->value) <= snn_tensor_count(&values));
        CHECK(p->grad.data == grads.data + at);
    }
    CHECK(!snn_net_find_param(net, "fc1.bias") && !snn_net_find_param(net, "conv1"));
    CHECK(!snn_net_param(net, -1) && !snn_net_param(net, snn_net_param_count(net)));
    CHECK(snn_net_find_param(net, "conv1.weight")->value.ndim == 4 &&
          snn_net_find_param(net, "head.weight")->value.ndim == 2);
    CHECK(snn_net_find_param(net, "head.weight")->value.shape[0] == 4 &&
          snn_net_find_param(net, "head.weight")->value.shape[1] == 32);
}

/* Initial weights: bounds and deviations of each rule; other seeds, other weights. */
static void net_init(int rule, int b)
{
    enum { in = 300, out = 200 };
    static const double bound[] = {0.05773503, 0.2 * 0.70710678, 0, 0.10954451, 0, 0, 0};
    static const double deviation[] = {0.03333333, 0.08164966, 0.08164966, 0.06324555,
                                       0.06324555, 0.0577350,  0};
    double sum = 0.0, square = 0.0, most = 0.0, dot = 0.0, norm = 0.0;
    const float *w[2] = {NULL, NULL};
    int i, k, x;
    snn_net *net = NULL;
    (void)b;
    for (i = 0; i < 2; i++) {
        ZERO(snn_net_desc, d);
        ZERO(snn_linear_desc, fc);
        d.seed = (uint64_t)i + 1;
        fc.out_features = out;
        fc.init = (snn_init)rule;
        if (rule == (int)SNN_INIT_CONSTANT) fc.init_gain = 0.25f;
        CHECK(snn_net_create(&net, &d) == SNN_OK);
        keep_net(net);
        x = snn_linear(net, snn_input(net, in, 0, 0), &fc);
        CHECK(x == 1 && snn_net_build(net) == SNN_OK);
        w[i] = snn_net_find_param(net, "fc1.weight")
                   ? snn_net_find_param(net, "fc1.weight")->value.data
                   : NULL;
        if (!w[i]) {
            fail("no weights");
            return;
        }
    }
    for (i = 0; i < in * out; i++) {
        double v = (double)w[0][i];
        sum += v;
        square += v * v;
        if (fabs(v) > most) most = fabs(v);
    }
    for (k = 0; k < in; k++) {
        dot += (double)w[0][k] * (double)w[0][in + k];
        norm += (double)w[0][k] * (double)w[0][k];
    }
    note("deviation %.5f largest %.5f", sqrt(square / (double)(in * out)), most);
    if (rule == (int)SNN_INIT_CONSTANT) {
        CHECK(most == 0.25 && sum == 0.25 * (double)(in * out));
        return;
    }
    CHECK(fabs(sum / (double)(in * out)) < 0.002 &&
          fabs(sqrt(square / (double)(in * out)) - deviation[rule]) < 0.001);
    if (bound[rule] > 0.0) CHECK(most <= bound[rule] * 1.00001 && most > bound[rule] * 0.99);
    if (rule == (int)SNN_INIT_ORTHOGONAL) CHECK(fabs(dot) < 1e-4 && fabs(norm - 1.0) < 1e-4);
    CHECK(memcmp(w[0], w[1], in * out * sizeof(float)) != 0);
}

/* ---- memory ---- */

typedef struct counter {
    size_t live;
    long calls, fail_at, wrong;
    int closed;
} counter;

static void *count_alloc(size_t size, void *user)
{
    counter *c = (counter *)user;
    char *p;
    if (++c->calls == c->fail_at || c->closed || size > ((size_t)1 << 28)) return NULL;
    p = (char *)malloc(size + 64);
    if (!p) return NULL;
    memcpy(p, &size, sizeof size);
    memset(p + 64, 0xc5, size); /* nobody promised zeros */
    c->live += size;
    return p + 64;
}

static void count_free(void *pointer, size_t size, void *user)
{
    counter *c = (counter *)user;
    size_t real;
    if (!pointer) return;
    memcpy(&real, (char *)pointer - 64, sizeof real);
    if (real != size) c->wrong++;
    c->live -= real;
    free((char *)pointer - 64);
}

static void count_into(snn_net_desc *d, counter *c)
{
    memset(c, 0, sizeof *c);
    d->allocator.alloc = count_alloc;
    d->allocator.free = count_free;
    d->allocator.user = c;
}

static const char *const memory_options[] = {"default",    "inference",    "dense",
                                             "checkpoint", "moments_none", "smooth",
                                             "gradient_steps", "half_traces"};

static void memory_desc(snn_net_desc *d, int option)
{
    if (option == 1) d->inference = 1;
    if (option == 2) d->spikes = SNN_SPIKES_DENSE;
    if (option == 3) d->checkpoint = 3;
    if (option == 4) d->moments = -1;
    if (option == 5) d->spikes = SNN_SPIKES_SMOOTH;
    if (option == 6) d->gradient_steps = 2;
    if (option == 7) d->half_traces = 1;
}

/* The promise before build, the bytes allocated, and a buffer of exactly that size agree. */
static void memory_exact(int row, int option)
{
    const net_row *r = &rows[row];
    counter c;
    snn_net *net, *in;
    size_t promise;
    int offset;
    char *buffer;
    result ra, rb;
    ZERO(snn_net_desc, d);
    memory_desc(&d, option);
    count_into(&d, &c);
    net = open_row(r, &d, NULL, 0);
    promise = snn_net_memory(net);
    if (snn_net_build(net) != SNN_OK) fail("%s", snn_net_error(net));
    if (promise == 0 || promise != c.live)
        fail("promised %lu, allocated %lu", (unsigned long)promise, (unsigned long)c.live);
    CHECK(snn_net_memory(net) == promise);
    ra = run_row(r, net, d.inference == 0);
    snn_net_destroy(net);
    if (c.live || c.wrong)
        fail("%lu bytes leak, %ld frees of a wrong size", (unsigned long)c.live, c.wrong);
    buffer = (char *)keep_bytes(promise + 16);
    count_into(&d, &c);
    c.closed = 1;
    for (offset = 0; offset < 4; offset += 3) { /* any alignment */
        memset(buffer, 0x3b, promise + 16);
        in = open_row(r, &d, buffer + offset, promise);
        if (!in || snn_net_build(in) != SNN_OK) {
            fail("a buffer of %lu bytes at +%d is refused: %s", (unsigned long)promise, offset,
                 in ? snn_net_error(in) : "");
            return;
        }
        rb = run_row(r, in, d.inference == 0);
        same_result(&rb, &ra, 0.0, "in a buffer");
        snn_net_destroy(in);
        if (buffer[offset + (int)promise] != 0x3b || (offset && buffer[0] != 0x3b))
            fail("wrote outside the buffer");
    }
    in = open_row(r, &d, buffer, promise - 1);
    CHECK(in && snn_net_build(in) == SNN_ERR_MEMORY && strlen(snn_net_error(in)) > 10);
    snn_net_destroy(in);
    CHECK(c.calls == 0);
}

static void memory_create_in(int a, int b)
{
    static const net_row r = {"small", SNN_INPUT_CONSTANT, 3, 0, 0, 2, 1, "fc:2 | leaky b.9"};
    size_t size, ok = 0;
    char *buffer = (char *)keep_bytes(65536);
    ZERO(snn_net_desc, d);
    (void)a, (void)b;
    d.max_layers = 4;
    for (size = 0; size < 65536; size += 137) { /* any size is refused politely or works */
        snn_net *net = open_row(&r, &d, buffer, size);
        if (net && snn_net_build(net) == SNN_OK) ok++;
        else CHECK(!net || snn_net_build(net) == SNN_ERR_MEMORY);
        snn_net_destroy(net);
    }
    CHECK(ok > 0);
}

/* Nothing allocates after build. */
static void memory_silent(int row, int b)
{
    const net_row *r = &rows[row];
    counter c;
    snn_net *net;
    float *x = row_input(r, 500), loss;
    int *y, frames = r->input == SNN_INPUT_CONSTANT ? 1 : r->T;
    void *file;
    char text[64];
    snn_data data;
    snn_loss_desc l;
    ZERO(snn_optim_desc, o);
    ZERO(snn_net_desc, d);
    (void)b;
    count_into(&d, &c);
    net = keep_net(open_row(r, &d, NULL, 0));
    CHECK(snn_net_build(net) == SNN_OK);
    c.closed = 1;
    c.calls = 0;
    CHECK(snn_net_forward(net, x) == SNN_OK);
    y = row_labels(r, row_classes(net));
    row_loss(r, &l);
    o.lr = 0.01f;
    CHECK(snn_net_loss(net, &l, y, &loss) == SNN_OK && snn_net_backward(net) == SNN_OK);
    CHECK(snn_net_optim_step(net, &o) == SNN_OK && snn_net_zero_grad(net) == SNN_OK);
    CHECK(snn_train_step(net, &o, &l, x, y) >= 0.0f);
    CHECK(snn_train_truncated(net, &o, &l, x, y, r->T) >= 0.0f);
    CHECK(snn_net_step(net, x) == SNN_OK && snn_net_continue(net, x, 1) == SNN_OK &&
          snn_net_reset(net) == SNN_OK);
    memset(&data, 0, sizeof data);
    data.x = x;
    data.y = y;
    data.count = 1;
    data.features = (int)row_features(r) * frames;
    CHECK(snn_evaluate(net, &data, SNN_ACCURACY_RATE) >= 0.0);
    file = keep_bytes(snn_net_save_size(net));
    CHECK(snn_net_save_to(net, file, snn_net_save_size(net)) == snn_net_save_size(net));
    CHECK(snn_net_load_from(net, file, snn_net_save_size(net)) == SNN_OK);
    CHECK(snn_net_print(net, text, sizeof text) > 0);
    if (c.calls) fail("%ld allocations after build", c.calls);
    c.closed = 0;
}

/* The k-th allocation fails, k = 1, 2, ..., until all succeeds. b 1: opening a saved model. */
static void memory_kth(int row, int open)
{
    const net_row *r = &rows[row];
    counter c;
    snn_status s = SNN_ERR_MEMORY;
    snn_net *net = NULL, *source = open ? build_row(r, NULL) : NULL;
    size_t size = source ? snn_net_save_size(source) : 0;
    void *file = keep_bytes(size);
    char error[256];
    long k;
    ZERO(snn_net_desc, d);
    if (source) snn_net_save_to(source, file, size);
    for (k = 1; k < 500 && s != SNN_OK; k++) {
        count_into(&d, &c);
        c.fail_at = k;
        net = NULL;
        if (open) {
            d.steps = r->T;
            s = snn_net_open_from(&net, &d, file, size, error);
            CHECK(s == SNN_OK || (net == NULL && strlen(error) > 0));
        } else {
            d.batch = r->B;
            d.steps = r->T;
            d.input = r->input;
            s = snn_net_create(&net, &d);
            CHECK(s == SNN_OK || net == NULL);
            if (net) {
                lay(net, snn_input(net, r->c, r->h, r->w), r->layers);
                s = snn_net_build(net);
                CHECK(s == SNN_OK || strlen(snn_net_error(net)) > 0);
            }
        }
        if (s != SNN_OK && s != SNN_ERR_MEMORY) fail("k = %ld: %s", k, snn_status_name(s));
        if (s != SNN_OK && k >= c.calls + 1) {
            fail("k = %ld fails though nothing was refused", k);
            break;
        }
        snn_net_destroy(net);
        if (c.live || c.wrong) fail("k = %ld: %lu bytes leak", k, (unsigned long)c.live);
    }
    CHECK(s == SNN_OK && k > 2);
}

/* ---- files ---- */

static void *saved(const snn_net *net, size_t *size)
{
    void *file;
    *size = snn_net_save_size(net);
    file = keep_bytes(*size + 8);
    memset(file, 0, *size + 8);
    if (*size < 16 || snn_net_save_to(net, file, *size) != *size)
        fail("saving writes another number of bytes");
    return file;
}

static size_t header_size(const void *file)
{
    const unsigned char *p = (const unsigned char *)file;
    size_t n = 0;
    int i;
    for (i = 7; i >= 0; i--) n = n << 8 | p[i];
    return n;
}

/* Outputs, gradients (they show the surrogates) and parameters; noise depends on the seed. */
static result opened_result(const net_row *r, snn_net *net)
{
    result all = run_row(r, net, 1);
    if (strstr(r->layers, "stochastic")) all.total = all.membranes;
    put_parameters(&all, net);
    return all;
}

static void io_round_trip(int row, int b)
{
    const net_row *r = &rows[row];
    const char *path = "build_test_snn.tmp.safetensors";
    snn_net *one, *two, *three = NULL, *four = NULL;
    result ra, rb, rc;
    size_t size, i, data = 0;
    void *file, *again;
    char error[256];
    FILE *f;
    ZERO(snn_net_desc, d);
    (void)b;
    one = build_row(r, &d);
    d.seed = 1234;
    two = build_row(r, &d);
    if (!one || !two) return;
    train_row(r, one, 2);
    snn_net_train(one, 0);
    snn_net_train(two, 0);
    ra = opened_result(r, one);
    file = saved(one, &size);
    CHECK(header_size(file) % 8 == 0 && header_size(file) + 8 < size + 1);
    for (i = 0; i < (size_t)snn_net_param_count(one); i++)
        data += snn_tensor_count(&snn_net_param(one, (int)i)->value) * 4;
    CHECK(size == 8 + header_size(file) + data && ((char *)file)[8] == '{');
    again = keep_bytes(size);
    if (snn_net_save_to(one, again, size - 1) != 0) fail("saving into too small a buffer");
    if (snn_net_load_from(two, file, size) != SNN_OK) fail("load: %s", snn_net_error(two));
    rb = opened_result(r, two);
    same_result(&rb, &ra, 0.0, "loaded");
    again = saved(two, &i);
    CHECK(i == size && !memcmp(file, again, size)); /* saving is reproducible */
    if (snn_net_save(one, path) != SNN_OK) fail("save: %s", snn_net_error(one));
    f = fopen(path, "rb");
    CHECK(f && fread(again, 1, size, f) == size && fgetc(f) == EOF && !memcmp(file, again, size));
    if (f) fclose(f);
    memset(&d, 0, sizeof d);
    d.steps = r->T;
    d.batch = r->B;
    d.seed = 77;
    d.input = r->input;
    if (snn_net_open(&three, &d, path, error) != SNN_OK) fail("open: %s", error);
    if (snn_net_open_from(&four, &d, file, size, error) != SNN_OK)
        fail("open from memory: %s", error);
    remove(path);
    if (!three || !four) return;
    keep_net(three);
    keep_net(four);
    snn_net_train(three, 0);
    snn_net_train(four, 0);
    rb = opened_result(r, three);
    same_result(&rb, &ra, 0.0, "opened");
    rc = opened_result(r, four);
    same_result(&rc, &ra, 0.0, "opened from memory");
    CHECK(snn_net_load(three, "no such file") == SNN_ERR_IO &&
          strstr(snn_net_error(three), "no such file"));
}

static size_t parameters_into(const snn_net *net, float *out)
{
    size_t n = 0, k;
    int i;
    for (i = 0; i < snn_net_param_count(net); i++) {
        const snn_tensor *t = &snn_net_param(net, i)->value;
        k = snn_tensor_count(t);
        if (n + k <= 4096) memcpy(out + n, t->data, k * sizeof(float));
        n += k;
    }
    return n;
}

/* Tries a damaged file on a net: it may be refused, and then nothing has changed. */
static snn_status try_load(snn_net *net, const void *file, size_t size, int refused)
{
    static float before[4096], after[4096];
    size_t n = parameters_into(net, before);
    void *exact = malloc(size ? size : 1); /* its own block, so that a sanitizer sees overreads */
    snn_status s;
    if (!exact) exit(2);
    memcpy(exact, file, size);
    s = snn_net_load_from(net, exact, size);
    free(exact);
    if (refused && s == SNN_OK) fail("a bad file of %lu bytes is accepted", (unsigned long)size);
    if (s != SNN_OK && (parameters_into(net, after) != n || !same_bits(before, after, n)))
        fail("a refused file of %lu bytes changed the net", (unsigned long)size);
    if (s != SNN_OK && strlen(snn_net_error(net)) < 8) fail("no sentence");
    return s;
}

static snn_status try_open(const void *file, size_t size, int refused)
{
    counter c;
    snn_net *net = NULL;
    snn_status s;
    char error[256];
    ZERO(snn_net_desc, d);
    count_into(&d, &c);
    memset(error, 'x', sizeof error);
    s = snn_net_open_from(&net, &d, file, size, error);
    if (refused && s == SNN_OK) fail("a bad file of %lu bytes is opened", (unsigned long)size);
    if (s == SNN_OK && (!net || snn_net_forward(net, NULL) != SNN_OK))
        fail("opened, but does not run");
    if (s != SNN_OK && (net || !memchr(error, 0, sizeof error) || strlen(error) < 8))
        fail("no sentence");
    snn_net_destroy(net);
    if (c.live || c.wrong) fail("%lu bytes leak", (unsigned long)c.live);
    return s;
}

static const net_row file_row = {
    "file", SNN_INPUT_CONSTANT, 1, 5, 5, 2, 1,
    "conv:2 k2 | leaky b.9 t.2 lt | max:2 | flat | fc:3 | leaky b.8"};

static void io_truncated(int a, int b)
{
    snn_net *net = build_row(&file_row, NULL);
    size_t size, n;
    char *file, *longer;
    (void)a, (void)b;
    if (!net) return;
    file = (char *)saved(net, &size);
    for (n = 0; n < size; n++) {
        try_load(net, file, n, 1);
        try_open(file, n, 1);
    }
    longer = (char *)keep_bytes(size + 8);
    memset(longer, 0, size + 8);
    memcpy(longer, file, size);
    try_load(net, longer, size + 8, 1);
    CHECK(try_load(net, file, size, 0) == SNN_OK && try_open(file, size, 0) == SNN_OK);
    CHECK(snn_net_load_from(net, NULL, 100) == SNN_ERR_NULL);
}

static void io_mutated(int seed, int b)
{
    snn_net *net = build_row(&file_row, NULL);
    size_t size, header, at;
    unsigned char *file;
    int k, round, ok = 0;
    (void)b;
    if (!net) return;
    file = (unsigned char *)saved(net, &size);
    header = header_size(file);
    for (k = 0; k < 1500; k++) {
        unsigned char old[4];
        size_t where[4];
        int n = 1 + k % 4;
        for (round = 0; round < n; round++) {
            static const char likely[] = "{}[]\":,0123456789-e.\\ntfu\n\0\xff";
            uint32_t u = snn_random((uint64_t)seed, (uint32_t)round, 1, (uint32_t)k);
            at = n == 1 ? (size_t)k % (header + 8) : (u >> 8) % (header + 8);
            where[round] = at;
            old[round] = file[at];
            file[at] = u % 3 ? (unsigned char)likely[(u >> 2) % (sizeof likely - 1)]
                             : (unsigned char)(u >> 24);
        }
        ok += try_load(net, file, size, 0) == SNN_OK;
        try_open(file, size, 0);
        while (round-- > 0) file[where[round]] = old[round];
    }
    note("%d of %d accepted", ok, k);
    CHECK(ok < k * 3 / 4 && try_load(net, file, size, 0) == SNN_OK);
}

/* Headers written by others and by attackers, for a net of one linear layer (2,3) with bias. */
#define TENSOR(name, shape, place)                                                                 \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" place "]}"
#define WEIGHT TENSOR("fc1.weight", "2,3", "0,24")
#define AND_BIAS(weight) "{" weight "," BIAS "}"
#define BIAS TENSOR("fc1.bias", "2", "24,32")
static const struct {
    const char *name, *header;
    int fine;
} headers[] = {
    {"plain", "{" WEIGHT "," BIAS "}", 1},
    {"order", "{" BIAS "," WEIGHT "}", 1},
    {"spaces",
     " {\n \"fc1.weight\" : { \"data_offsets\" : [ 0 , 24 ] , \"shape\":[ 2,3 "
     "],\t\"dtype\":\"F32\"} ,\r\n" BIAS " }   ",
     1},
    {"metadata",
     "{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\\\"}{\\u0041\\\\\"}," WEIGHT "," BIAS "}", 1},
    {"empty", "", 0},
    {"no_tensors", "{}", 0},
    {"no_bias", "{" WEIGHT "}", 0},
    {"other_name", AND_BIAS(TENSOR("fc2.weight", "2,3", "0,24")), 0},
    {"transposed", AND_BIAS(TENSOR("fc1.weight", "3,2", "0,24")), 0},
    {"flat", AND_BIAS(TENSOR("fc1.weight", "6", "0,24")), 0},
    {"negative_shape", AND_BIAS(TENSOR("fc1.weight", "-2,-3", "0,24")), 0},
    {"huge_shape", AND_BIAS(TENSOR("fc1.weight", "4294967298,4294967299", "0,24")), 0},
    {"many_axes", AND_BIAS(TENSOR("fc1.weight", "2,3,1,1,1,1,1,1,1,1,1", "0,24")), 0},
    {"half",
     "{\"fc1.weight\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,24]}," BIAS "}", 0},
    {"no_dtype", "{\"fc1.weight\":{\"shape\":[2,3],\"data_offsets\":[0,24]}," BIAS "}", 0},
    {"no_shape", "{\"fc1.weight\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}," BIAS "}", 0},
    {"no_offsets", "{\"fc1.weight\":{\"dtype\":\"F32\",\"shape\":[2,3]}," BIAS "}", 0},
    {"short_offsets", AND_BIAS(TENSOR("fc1.weight", "2,3", "0,20")), 0},
    {"reversed_offsets", AND_BIAS(TENSOR("fc1.weight", "2,3", "24,0")), 0},
    {"far_offsets", AND_BIAS(TENSOR("fc1.weight", "2,3", "16,40")), 0},
    {"huge_offsets",
     AND_BIAS(TENSOR("fc1.weight", "2,3", "18446744073709551592,18446744073709551616")), 0},
    {"negative_offsets", AND_BIAS(TENSOR("fc1.weight", "2,3", "-24,0")), 0},
    {"one_offset", AND_BIAS(TENSOR("fc1.weight", "2,3", "0")), 0},
    {"unclosed", "{" WEIGHT "," BIAS, 0},
    {"unclosed_text", "{" WEIGHT ",\"fc1.bias", 0},
    {"no_comma", "{" WEIGHT BIAS "}", 0},
    {"array", "[1]", 0},
    {"number", "17", 0},
    {"tail", "{" WEIGHT "," BIAS "}}", 0},
    {"twice", "{" WEIGHT "," WEIGHT "," BIAS "}", 0},
    {"word", "{\"fc1.weight\":null," BIAS "}", 0},
};

static void io_header(int row, int b)
{
    static const net_row r = {"file", SNN_INPUT_CONSTANT, 3, 0, 0, 1, 1, "fc:2"};
    snn_net *net = build_row(&r, NULL);
    size_t n = strlen(headers[row].header), i;
    unsigned char *file = (unsigned char *)keep_bytes(n + 40);
    float data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)b;
    if (!net) return;
    memset(file, 0, 8);
    file[0] = (unsigned char)(n & 255);
    file[1] = (unsigned char)(n >> 8);
    memcpy(file + 8, headers[row].header, n);
    memcpy(file + 8 + n, data, 32);
    CHECK((try_load(net, file, n + 40, !headers[row].fine) == SNN_OK) == headers[row].fine);
    if (!headers[row].fine) return;
    for (i = 0; i < 6; i++) CHECK(snn_net_find_param(net, "fc1.weight")->value.data[i] == data[i]);
    CHECK(snn_net_find_param(net, "fc1.bias")->value.data[1] == 8.0f);
}

static void io_length(int which, int b)
{
    static const uint64_t lengths[] = {0, 1, 0x7fffffff, (uint64_t)1 << 32, (uint64_t)1 << 63,
                                       ~(uint64_t)0, ~(uint64_t)7};
    snn_net *net = build_row(&file_row, NULL);
    size_t size;
    char *file;
    int i;
    (void)b;
    if (!net) return;
    file = (char *)saved(net, &size);
    for (i = 0; i < 8; i++) file[i] = (char)(lengths[which] >> (8 * i) & 255);
    try_load(net, file, size, 1);
    try_open(file, size, 1);
}

static void io_deep(int text, int b)
{
    static const char *const open[] = {"[", "{\"a\":", "{\"__metadata__\":{\"a\":"};
    snn_net *net = build_row(&file_row, NULL);
    size_t n = 300000, i, k = strlen(open[text]);
    char *file = (char *)keep_bytes(n);
    (void)b;
    memset(file, ' ', n);
    memset(file, 0, 8);
    file[0] = (char)((n - 8) & 255);
    file[1] = (char)((n - 8) >> 8 & 255);
    file[2] = (char)((n - 8) >> 16);
    for (i = 8; i + k < n; i += k) memcpy(file + i, open[text], k);
    if (net) try_load(net, file, n, 1);
    try_open(file, n, 1);
}

static void io_nan(int kind, int b)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    snn_net *net = build_row(&file_row, NULL);
    size_t size;
    char *file;
    (void)b;
    if (!net) return;
    file = (char *)saved(net, &size);
    memcpy(file + size - 4 * (size_t)(kind + 1), &bad[kind], 4);
    CHECK(try_load(net, file, size, 1) == SNN_ERR_NAN);
    CHECK(try_open(file, size, 1) == SNN_ERR_NAN);
}

static void io_other_net(int a, int b)
{
    snn_net *net = build_row(&file_row, NULL), *other = build_row(&rows[0], NULL);
    size_t size;
    void *file;
    (void)a, (void)b;
    if (!net || !other) return;
    file = saved(other, &size);
    CHECK(try_load(net, file, size, 1) == SNN_ERR_MISMATCH);
    CHECK(snn_net_forward(net, row_input(&file_row, 500)) == SNN_OK); /* still usable */
}

static const struct {
    const char *name;
    unsigned char bytes[24];
    size_t size;
    int fine;
} idx_files[] = {
    {"labels", {0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9}, 11, 1},
    {"images", {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4}, 20, 1},
    {"no_items", {0, 0, 8, 1, 0, 0, 0, 0}, 8, 1},
    {"nothing", {0}, 0, 0},
    {"short_magic", {0, 0, 8}, 3, 0},
    {"wrong_magic", {1, 0, 8, 1, 0, 0, 0, 1, 5}, 9, 0},
    {"floats", {0, 0, 13, 1, 0, 0, 0, 1, 5, 5, 5, 5}, 12, 0},
    {"no_axes", {0, 0, 8, 0, 5}, 5, 0},
    {"many_axes", {0, 0, 8, 200, 0, 0, 0, 1}, 8, 0},
    {"short_shape", {0, 0, 8, 2, 0, 0, 0, 1, 0, 0}, 10, 0},
    {"short_data", {0, 0, 8, 1, 0, 0, 0, 3, 7, 8}, 10, 0},
    {"huge", {0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff, 1}, 9, 0},
    {"wraps", {0, 0, 8, 3, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 4, 1}, 17, 0},
    {"wraps_64", {0, 0, 8, 4, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, 21, 0},
};

static void io_idx(int row, int b)
{
    const char *path = "build_test_snn.tmp.idx";
    void *exact = malloc(idx_files[row].size ? idx_files[row].size : 1);
    snn_idx idx;
    snn_status s;
    size_t n;
    FILE *f;
    (void)b;
    if (!exact) exit(2);
    memcpy(exact, idx_files[row].bytes, idx_files[row].size);
    s = snn_idx_parse(&idx, exact, idx_files[row].size);
    CHECK((s == SNN_OK) == idx_files[row].fine);
    if (row == 0) CHECK(idx.ndim == 1 && idx.shape[0] == 3 && idx.count == 3 && idx.data[2] == 9);
    if (row == 1) CHECK(idx.ndim == 3 && idx.shape[2] == 2 && idx.count == 4 && idx.data[3] == 4);
    for (n = 0; row == 1 && n < 20; n++) CHECK(snn_idx_parse(&idx, exact, n) != SNN_OK);
    free(exact);
    f = fopen(path, "wb");
    if (f) {
        fwrite(idx_files[row].bytes, 1, idx_files[row].size, f);
        fclose(f);
        s = snn_idx_load(&idx, path);
        CHECK((s == SNN_OK) == idx_files[row].fine);
        if (s == SNN_OK && row == 1) CHECK(idx.count == 4 && idx.data[0] == 1);
        snn_idx_free(&idx); /* also after a failure */
        remove(path);
    }
    CHECK(snn_idx_load(&idx, "no/such/file") == SNN_ERR_IO);
    CHECK(snn_idx_parse(NULL, path, 3) == SNN_ERR_NULL &&
          snn_idx_parse(&idx, NULL, 3) == SNN_ERR_NULL);
}

/* ---- learning rules on plain arrays ---- */

/* a synapse in double: size of a change of w */
static double stdp_size(const snn_stdp_desc *d, double w, int grows)
{
    const double a = given(grows ? d->a_post : d->a_pre, 1.0), mu = given(d->mu, 1.0);
    if (d->bound == SNN_STDP_ADDITIVE) return a;
    if (d->bound == SNN_STDP_TIMES_W) return a * w;
    return a * pow(grows ? given(d->w_max, 1.0) - w : w - (double)d->w_min, mu);
}

static void stdp_trace(const snn_stdp_desc *d, double *trace, const float *s, int n, double tau)
{
    const double decay = d->exponential ? exp(-1.0 / tau) : 1.0 - 1.0 / tau;
    int i;
    for (i = 0; i < n; i++)
        trace[i] = d->nearest && s[i] != 0.0f ? 1.0 : trace[i] * decay + (double)s[i];
}

static double stdp_error(const float *got, const double *expected, int n)
{
    double worst = 0.0;
    int i;
    for (i = 0; i < n; i++) {
        const double e = fabs((double)got[i] - expected[i]) / (1.0 + fabs(expected[i]));
        if (!(e <= worst)) worst = e;
    }
    return worst;
}

static void stdp_spikes(float *s, int n, float value, uint32_t stream)
{
    int i;
    for (i = 0; i < n; i++) s[i] = uniform(0.0f, 1.0f, stream, (size_t)i) < 0.3f ? value : 0.0f;
}

static const snn_stdp_bound stdp_bounds[] = {SNN_STDP_TIMES_W, SNN_STDP_ADDITIVE, SNN_STDP_SOFT};
static const char *const stdp_names[] = {"times_w", "additive", "soft"};

/* mode: 1 exponential, 2 nearest, 4 sizes and bounds other than the defaults */
static void stdp_desc(snn_stdp_desc *d, int bound, int mode)
{
    memset(d, 0, sizeof *d);
    d->tau_pre = 3.7f, d->tau_post = 6.2f;
    d->bound = stdp_bounds[bound];
    d->exponential = mode & 1, d->nearest = mode >> 1 & 1;
    if (mode & 4) d->a_pre = 1.3f, d->a_post = 0.6f, d->w_min = -0.5f, d->w_max = 2, d->mu = 0.4f;
}

static void rules_stdp_linear(int bound, int mode)
{
    enum { T = 20, B = 3, I = 7, O = 5 };
    float pre[B * I], post[B * O], tp[B * I], tq[B * O], w[O * I], dw[O * I], alone[O * I];
    float e[B * O * I], tp2[B * I], tq2[B * O];
    double x[B * I], y[B * O], sum[O * I], each[B * O * I], by_sample[O * I];
    int t, b, o, i;
    snn_stdp_desc d;
    stdp_desc(&d, bound, mode);
    memset(tp, 0, sizeof tp), memset(tq, 0, sizeof tq);
    memset(tp2, 0, sizeof tp2), memset(tq2, 0, sizeof tq2);
    memset(x, 0, sizeof x), memset(y, 0, sizeof y);
    for (i = 0; i < O * I; i++) {
        w[i] = uniform(0.05f, 0.95f, 900, (size_t)i);
        sum[i] = by_sample[i] = (double)(dw[i] = alone[i] = (float)i); /* they are added to */
    }
    for (t = 0; t < T; t++) {
        const float value = d.nearest || t % 2 ? 1.0f : 0.5f; /* spikes may be graded */
        stdp_spikes(pre, B * I, value, 901 + 2 * (uint32_t)t);
        stdp_spikes(post, B * O, value, 902 + 2 * (uint32_t)t);
        memset(e, 0x7f, sizeof e); /* this one is written */
        stdp_trace(&d, x, pre, B * I, (double)d.tau_pre);
        stdp_trace(&d, y, post, B * O, (double)d.tau_post);
        for (b = 0; b < B; b++)
            for (o = 0; o < O; o++)
                for (i = 0; i < I; i++) {
                    const int at = o * I + i;
                    each[b * O * I + at] =
                        stdp_size(&d, (double)w[at], 1) * (double)post[b * O + o] * x[b * I + i] -
                        stdp_size(&d, (double)w[at], 0) * y[b * O + o] * (double)pre[b * I + i];
                    sum[at] += each[b * O * I + at];
                }
        CHECK(snn_stdp_linear(&d, B, I, O, pre, post, tp, tq, w, dw, e) == SNN_OK);
        CHECK(snn_stdp_linear(&d, B, I, O, pre, post, tp2, tq2, w, alone, NULL) == SNN_OK);
        CHECK(stdp_error(e, each, B * O * I) < 1e-5);
        for (i = 0; i < B * O * I; i++) by_sample[i % (O * I)] += (double)e[i];
        if (t % 5 == 4) { /* the eligibility alone */
            memset(e, 0, sizeof e);
            memcpy(tp2, tp, sizeof tp), memcpy(tq2, tq, sizeof tq);
            stdp_trace(&d, x, pre, B * I, (double)d.tau_pre);
            stdp_trace(&d, y, post, B * O, (double)d.tau_post);
            CHECK(snn_stdp_linear(&d, B, I, O, pre, post, tp, tq, w, NULL, e) == SNN_OK);
            CHECK(snn_stdp_linear(&d, B, I, O, pre, post, tp2, tq2, w, NULL, NULL) == SNN_OK);
        }
        CHECK(stdp_error(tp, x, B * I) < 1e-5 && stdp_error(tq, y, B * O) < 1e-5);
    }
    CHECK(stdp_error(dw, sum, O * I) < 1e-4);
    CHECK(stdp_error(dw, by_sample, O * I) < 1e-5); /* dw is the sum of the eligibilities */
    CHECK(same_bits(dw, alone, O * I) && same_bits(tp, tp2, B * I) && same_bits(tq, tq2, B * O));
}

/* Silence moves traces and nothing else. */
static void rules_stdp_silent(int bound, int mode)
{
    enum { B = 2, I = 9, O = 4 };
    float zeros[B * I], tp[B * I], tq[B * O], w[O * I], dw[O * I], kept[O * I], e[B * O * I];
    double x[B * I], y[B * O];
    int i;
    ZERO(snn_conv2d_desc, c);
    snn_stdp_desc d;
    stdp_desc(&d, bound, mode);
    memset(zeros, 0, sizeof zeros), memset(e, 0x7f, sizeof e);
    for (i = 0; i < B * I; i++) x[i] = (double)(tp[i] = (float)i);
    for (i = 0; i < B * O; i++) y[i] = (double)(tq[i] = (float)i);
    for (i = 0; i < O * I; i++) w[i] = 0.5f, kept[i] = dw[i] = i ? (float)i : -0.0f;
    for (i = 0; i < 2; i++) {
        stdp_trace(&d, x, zeros, B * I, (double)d.tau_pre);
        stdp_trace(&d, y, zeros, B * O, (double)d.tau_post);
    }
    CHECK(snn_stdp_linear(&d, B, I, O, zeros, zeros, tp, tq, w, dw, e) == SNN_OK);
    c.out_channels = 4, c.kernel = 3; /* on one 3 x 3 channel it is the same layer */
    CHECK(snn_stdp_conv2d(&d, &c, B, 1, 3, 3, zeros, zeros, tp, tq, w, dw) == SNN_OK);
    CHECK(same_bits(dw, kept, O * I));
    CHECK(stdp_error(tp, x, B * I) < 1e-5 && stdp_error(tq, y, B * O) < 1e-5);
    for (i = 0; i < B * O * I; i++) CHECK(e[i] == 0.0f);
}

static const struct {
    int B, I, H, W, O, kh, kw, sh, sw, ph, pw;
} stdp_convs[] = {
    {2, 3, 5, 6, 4, 3, 3, 1, 1, 0, 0}, {3, 2, 6, 5, 3, 2, 3, 2, 1, 1, 2},
    {1, 1, 7, 7, 2, 3, 2, 3, 2, 2, 0}, {2, 2, 1, 9, 3, 1, 3, 1, 2, 0, 1}, /* along one axis */
    {2, 1, 3, 3, 2, 1, 1, 2, 2, 0, 0}, {1, 2, 2, 2, 2, 5, 5, 1, 1, 2, 2},
    {2, 2, 4, 4, 1, 2, 2, 4, 4, 3, 1},
};

static void rules_stdp_conv(int row, int mode)
{
    const int B = stdp_convs[row].B, I = stdp_convs[row].I, H = stdp_convs[row].H,
              W = stdp_convs[row].W, O = stdp_convs[row].O, kh = stdp_convs[row].kh,
              kw = stdp_convs[row].kw, sh = stdp_convs[row].sh, sw = stdp_convs[row].sw,
              ph = stdp_convs[row].ph, pw = stdp_convs[row].pw, hp = H + 2 * ph, wp = W + 2 * pw,
              oh = (hp - kh) / sh + 1, ow = (wp - kw) / sw + 1;
    enum { MOST = 512, T = 6 };
    float pre[MOST], padded[MOST], post[MOST], tp[MOST], tq[MOST], w[MOST], dw[MOST];
    double x[MOST], y[MOST], sum[MOST];
    int t, b, i, o, r, c, k, l;
    ZERO(snn_conv2d_desc, conv);
    snn_stdp_desc d;
    stdp_desc(&d, row % 3, mode);
    if (mode == 0) d.tau_pre = 0.5f; /* a decay of -1: traces cancel at a spike */
    conv.out_channels = O, conv.kernel_h = kh, conv.kernel_w = kw, conv.no_bias = 1;
    conv.stride_h = sh, conv.stride_w = sw, conv.padding_h = ph, conv.padding_w = pw;
    if (kh == kw) conv.kernel = kh, conv.kernel_h = conv.kernel_w = 0;
    if (sh == sw) conv.stride = sh, conv.stride_h = conv.stride_w = 0;
    if (ph == pw) conv.padding = ph, conv.padding_h = conv.padding_w = 0;
    memset(tp, 0, sizeof tp), memset(tq, 0, sizeof tq);
    memset(x, 0, sizeof x), memset(y, 0, sizeof y);
    for (i = 0; i < O * I * kh * kw; i++) {
        w[i] = uniform(0.05f, 0.95f, 950, (size_t)i);
        sum[i] = (double)(dw[i] = (float)i);
    }
    for (t = 0; t < T; t++) {
        stdp_spikes(pre, B * I * H * W, 1.0f, 960 + 2 * (uint32_t)t);
        stdp_spikes(post, B * O * oh * ow, 1.0f, 961 + 2 * (uint32_t)t);
        memset(padded, 0, sizeof padded);
        for (b = 0; b < B * I; b++)
            for (r = 0; r < H; r++)
                for (c = 0; c < W; c++)
                    padded[(b * hp + r + ph) * wp + c + pw] = pre[(b * H + r) * W + c];
        stdp_trace(&d, x, padded, B * I * hp * wp, (double)d.tau_pre);
        stdp_trace(&d, y, post, B * O * oh * ow, (double)d.tau_post);
        for (o = 0; o < O * I * kh * kw; o++) {
            const int to = o / (I * kh * kw);
            i = o / (kh * kw) % I, k = o / kw % kh, l = o % kw;
            for (b = 0; b < B; b++)
                for (r = 0; r < oh; r++)
                    for (c = 0; c < ow; c++) {
                        const int from = ((b * I + i) * hp + r * sh + k) * wp + c * sw + l;
                        const int at = ((b * O + to) * oh + r) * ow + c;
                        sum[o] += stdp_size(&d, (double)w[o], 1) * (double)post[at] * x[from] -
                                  stdp_size(&d, (double)w[o], 0) * y[at] * (double)padded[from];
                    }
        }
        CHECK(snn_stdp_conv2d(&d, &conv, B, I, H, W, pre, post, tp, tq, w, dw) == SNN_OK);
        CHECK(stdp_error(tp, x, B * I * hp * wp) < 1e-5);
        CHECK(stdp_error(tq, y, B * O * oh * ow) < 1e-5);
        if (!(stdp_error(dw, sum, O * I * kh * kw) < 1e-4))
            fail("step %d: weight change is off by %g", t, stdp_error(dw, sum, O * I * kh * kw));
    }
}

/* Weights beyond their bounds do not become NaN. */
static void rules_stdp_outside(int a, int b)
{
    const float pre[2] = {1, 1}, post[2] = {1, 1}, w[4] = {-3.0f, 0.0f, 1.0f, 4.0f};
    float tp[2] = {1, 1}, tq[2] = {1, 1}, dw[4] = {0, 0, 0, 0};
    int i;
    snn_stdp_desc d;
    (void)a, (void)b;
    stdp_desc(&d, 2, 0);
    d.mu = 0.5f;
    CHECK(snn_stdp_linear(&d, 1, 2, 2, pre, post, tp, tq, w, dw, NULL) == SNN_OK);
    for (i = 0; i < 4; i++) CHECK(fabs((double)dw[i]) < 100.0);
    CHECK(dw[0] > 0.0f && dw[3] < 0.0f);
}

/* ---- events ---- */

/* A copy of exactly this size, so that a sanitizer sees a read behind it. */
static unsigned char *exact_copy(const void *bytes, size_t size)
{
    unsigned char *p = (unsigned char *)keep_bytes(size);
    if (size) memcpy(p, bytes, size);
    return p;
}

static void events_nmnist(int a, int b)
{
    static const unsigned char file[] = {
        3, 4, 0x80, 0, 10, /* bright at 10 */   7, 240, 0x00, 0, 20, /* the clock ran over */
        5, 6, 0x01, 2, 3,  /* dark */           9, 240, 0xff, 255, 255,
        255, 255, 0x80, 0, 0};
    static const snn_event expected[] = {{10, 3, 4, 1},
                                         {8192 + 20, 7, 240, 0},
                                         {8192 + 0x10203, 5, 6, 0},
                                         {16384 + 0x7fffff, 9, 240, 1},
                                         {16384, 255, 255, 1}};
    snn_event out[6];
    int max, n, i;
    (void)a, (void)b;
    for (max = 0; max <= 5; max++) {
        memset(out, 0x55, sizeof out);
        CHECK(snn_events_nmnist(out, max, file, sizeof file) == 5); /* also without room for all */
        for (i = 0; i < 6; i++) {
            const snn_event *e = &expected[i < 5 ? i : 0];
            if (i < max)
                CHECK(out[i].t == e->t && out[i].x == e->x && out[i].y == e->y && out[i].p == e->p);
            else
                CHECK(out[i].t == 0x55555555u && out[i].x == 0x5555 && out[i].p == 0x55);
        }
    }
    CHECK(snn_events_nmnist(NULL, 0, file, sizeof file) == 5);
    for (n = 0; n < (int)sizeof file; n++) {
        i = snn_events_nmnist(out, 6, exact_copy(file, (size_t)n), (size_t)n);
        CHECK(n % 5 ? i < 0 : i == n / 5);
    }
}

static const char aedat_header[] = "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
                                   "#Start-Time: 0\r\n#!END-HEADER\r\n";
enum { AEDAT_HEADER = sizeof aedat_header - 1 };

static void put32(unsigned char *b, uint32_t v)
{
    int i;
    for (i = 0; i < 4; i++) b[i] = (unsigned char)(v >> 8 * i & 255u);
}

static size_t put_packet(unsigned char *b, int type, uint32_t bytes, uint32_t number)
{
    memset(b, 0, 28);
    b[0] = (unsigned char)type, b[2] = 1;
    put32(b + 4, bytes), put32(b + 8, 4);
    put32(b + 16, number), put32(b + 20, number), put32(b + 24, number);
    return 28;
}

/* Header, polarity packet of 3, a packet of another type (2 of 12 bytes), polarity packet of 2; the
 * events are at 100, 200, ... us, x = 10, 11, ..., y = 8000 - x, polarity in turns. */
static size_t aedat_file(unsigned char *file)
{
    size_t n = AEDAT_HEADER;
    int k;
    memcpy(file, aedat_header, n);
    for (k = 0; k < 5; k++) {
        const uint32_t x = 10 + (uint32_t)k, y = 8000 - x;
        if (k == 0) n += put_packet(file + n, 1, 8, 3);
        if (k == 3) {
            n += put_packet(file + n, 0, 12, 2);
            memset(file + n, 0xff, 24);
            n += put_packet(file + n + 24, 1, 8, 2) + 24;
        }
        put32(file + n, x << 17 | y << 2 | (uint32_t)(k % 2) << 1 | 1u);
        put32(file + n + 4, 100 * (uint32_t)(k + 1));
        n += 8;
    }
    return n;
}

static void events_aedat(int a, int b)
{
    unsigned char file[512];
    snn_event out[6];
    size_t size = aedat_file(file), n;
    int max, i, first = AEDAT_HEADER + 28 + 24;
    (void)a, (void)b;
    for (max = 0; max <= 5; max++) {
        memset(out, 0x55, sizeof out);
        CHECK(snn_events_aedat(out, max, file, size, 0, 1000) == 5);
        for (i = 0; i < max; i++)
            CHECK(out[i].t == 100u * (unsigned)(i + 1) && out[i].x == 10 + i &&
                  out[i].y == 7990 - i && out[i].p == i % 2);
        CHECK(out[max].t == 0x55555555u);
    }
    CHECK(snn_events_aedat(NULL, 0, file, size, 200, 500) == 3); /* start is in, end is not */
    CHECK(snn_events_aedat(out, 6, file, size, 200, 500) == 3 && out[0].t == 200 &&
          out[2].t == 400);
    CHECK(snn_events_aedat(out, 6, file, size, 501, 0xffffffffu) == 0);
    for (n = 0; n < size; n++) { /* a file may end behind a packet, and nowhere else */
        const int whole = n == AEDAT_HEADER      ? 0
                          : (int)n == first      ? 3
                          : (int)n == first + 52 ? 3
                                                 : -1;
        i = snn_events_aedat(out, 6, exact_copy(file, n), n, 0, 1000);
        if (whole < 0 ? i >= 0 : i != whole) fail("cut to %d bytes: %d", (int)n, i);
    }
}

/* Headers of packets that promise what is not there. */
static const struct {
    const char *name;
    int type;
    uint32_t bytes, number;
} aedat_packets[] = {
    {"many", 1, 8, 0xffffffffu},
    {"wraps", 1, 8, 0x20000000u},
    {"wraps_by_one", 1, 8, 0x20000001u},
    {"one_more", 1, 8, 5},
    {"size_0", 1, 0, 4},
    {"size_4", 1, 4, 8}, /* as many bytes as there are */
    {"size_1", 1, 1, 32},
    {"size_7", 1, 7, 4},
    {"huge", 1, 0xffffffffu, 1},
    {"huge_both", 1, 0xfffffff8u, 0xfffffff8u},
    {"other_many", 2, 8, 0xffffffffu},
    {"other_wraps", 2, 0x10000u, 0x10000u},
    {"other_size_0", 2, 0, 0xffffffffu},
};

static void events_aedat_packet(int row, int b)
{
    unsigned char file[AEDAT_HEADER + 28 + 32];
    snn_event out[8];
    (void)b;
    memset(file, 1, sizeof file);
    memcpy(file, aedat_header, AEDAT_HEADER);
    put_packet(file + AEDAT_HEADER, aedat_packets[row].type, aedat_packets[row].bytes,
               aedat_packets[row].number);
    CHECK(snn_events_aedat(out, 8, exact_copy(file, sizeof file), sizeof file, 0, 0xffffffffu) < 0);
    put_packet(file + AEDAT_HEADER, 1, 8, 4); /* with the right one it is a file */
    CHECK(snn_events_aedat(out, 8, exact_copy(file, sizeof file), sizeof file, 0, 0xffffffffu) ==
          4);
}

static void events_shd(int a, int b)
{
    static const float times[] = {0.25f, 0.0f, 1.0000015f, 0.0105763f};
    static const int units[] = {3, 699, 0, 65535};
    static const float bad_times[] = {-0.1f, NAN, INFINITY, -INFINITY, 1e9f};
    static const int bad_units[] = {-1, 65536, 0x7fffffff};
    snn_event out[5];
    int i, max;
    (void)a, (void)b;
    for (max = 0; max <= 4; max++) {
        memset(out, 0x55, sizeof out);
        CHECK(snn_events_shd(out, max, times, units, 4) == 4);
        for (i = 0; i < max; i++)
            CHECK(out[i].t == (uint32_t)(times[i] * 1e6f) && out[i].x == units[i] &&
                  out[i].y == 0 && out[i].p == 0);
        CHECK(out[max].t == 0x55555555u);
    }
    CHECK(snn_events_shd(NULL, 0, times, units, 4) == 4);
    for (i = 0; i < COUNT_OF(bad_times); i++)
        CHECK(snn_events_shd(out, 5, &bad_times[i], units, 1) < 0);
    for (i = 0; i < COUNT_OF(bad_units); i++)
        CHECK(snn_events_shd(out, 5, times, &bad_units[i], 1) < 0);
}

static const struct {
    int steps, width, height, downsample;
    uint32_t dt;
} frame_rows[] = {
    {9, 32, 24, 0, 1000}, {6, 33, 21, 2, 0}, {13, 40, 30, 5, 700}, {1, 8, 8, 8, 5000},
    {5, 29, 30, 3, 1},    {4, 40, 1, 4, 1999},
};

/* option: 1 reverse, 2 no_polarity, 4 binary */
static void events_frames(int row, int option)
{
    enum { N = 700 };
    snn_event events[N];
    snn_status status;
    const int T = frame_rows[row].steps;
    const int ds = frame_rows[row].downsample ? frame_rows[row].downsample : 1;
    const int w = frame_rows[row].width / ds, tall = frame_rows[row].height > 1;
    const int h = tall ? frame_rows[row].height / ds : 1, P = option & 2 ? 1 : 2;
    const uint32_t dt = frame_rows[row].dt ? frame_rows[row].dt : 1000;
    const size_t n = (size_t)(T * P * w * h);
    float *out = floats(n), *expected = floats(n);
    int i, inside = 0;
    ZERO(snn_frames_desc, d);
    for (i = 0; i < N; i++) {
        events[i].t = 70000u + (i ? (uint32_t)i * dt * (uint32_t)(T + 2) / N : 0);
        events[i].x = (uint16_t)uniform(0.0f, 44.0f, 980, (size_t)i);
        events[i].y = (uint16_t)(tall ? uniform(0.0f, 33.0f, 981, (size_t)i) : 0.0f);
        events[i].p = uniform(0.0f, 1.0f, 982, (size_t)i) < 0.4f;
    }
    events[0].x = 60000; /* starts the clock from outside */
    events[N / 2].t = 3; /* before the first one: in no frame */
    events[N / 3] = events[N / 3 + 1]; /* two in one cell */
    d.steps = T, d.width = frame_rows[row].width, d.height = frame_rows[row].height;
    d.downsample = frame_rows[row].downsample, d.dt = frame_rows[row].dt;
    d.reverse = option & 1, d.no_polarity = option >> 1 & 1, d.binary = option >> 2 & 1;
    for (i = 0; i < N; i++) {
        const double step = floor(((double)events[i].t - (double)events[0].t) / (double)dt);
        const int x = events[i].x / ds, y = tall ? events[i].y / ds : events[i].y;
        float *cell;
        if (step < 0.0 || step >= (double)T || x >= w || y >= h) continue;
        cell = expected + (((int)step * P + (P == 2 ? events[i].p : 0)) * h + y) * w +
               (d.reverse ? w - 1 - x : x);
        *cell = d.binary ? 1.0f : *cell + 1.0f;
        inside++;
    }
    memset(out, 0x7f, n * sizeof(float));
    status = snn_event_frames(out, events, N, &d);
    if (status != SNN_OK) fail("%s", snn_status_name(status));
    CHECK(inside > 10 && same_bits(out, expected, n));
    events[1].p = 255, events[1].x = events[1].y = 0xffff; /* whatever an event holds */
    events[2].p = 7, events[2].x = events[2].y = 0;
    CHECK(snn_event_frames(out, events, N, &d) == SNN_OK);
    CHECK(snn_event_frames(out, events, 0, &d) == SNN_OK);
    for (i = 0; i < (int)n; i++) CHECK(out[i] == 0.0f);
    events[1] = events[2], events[1].t = 3; /* nor does the clock wrap around to the last steps */
    d.dt = 4000000000u;
    CHECK(snn_event_frames(out, events, 2, &d) == SNN_OK);
    for (i = 0; i < (int)n; i++) CHECK(out[i] == 0.0f);
}

/* ---- NIR ---- */

static void nir_round_trip(int a, int b)
{
    static const float decays[] = {0.01f, 0.3f, 0.5f, 0.9f, 0.99f, 0.9999f};
    static const float steps[] = {1e-4f, 1e-3f, 1.0f};
    int i, k, s;
    (void)a, (void)b;
    for (s = 0; s < COUNT_OF(steps); s++)
        for (i = 0; i < COUNT_OF(decays); i++)
            for (k = -1; k < COUNT_OF(decays); k++) {
                const float alpha = k < 0 ? 0.0f : decays[k], theta = 0.3f + 0.2f * (float)i;
                const double tau = (double)steps[s] / (1.0 - (double)decays[i]);
                float back[3];
                snn_nir_neuron node;
                memset(&node, 0x55, sizeof node);
                CHECK(snn_nir_export(&node, alpha, decays[i], theta, steps[s]) == SNN_OK);
                CHECK(fabs((double)node.tau_mem / tau - 1.0) < 1e-5);
                CHECK(fabs((double)(node.r * steps[s] / node.tau_mem) - 1.0) < 1e-5);
                CHECK(node.v_leak == 0.0f && node.v_reset == 0.0f && node.v_threshold == theta);
                CHECK((node.tau_syn > 0.0f) == (k >= 0));
                CHECK(snn_nir_import(&back[0], &back[1], &back[2], &node, steps[s]) == SNN_OK);
                CHECK(fabs((double)(back[0] - alpha)) < 1e-6 && back[2] == theta &&
                      fabs((double)(back[1] - decays[i])) < 1e-6);
            }
}

static const snn_nir_neuron nir_nodes[] = {
    {5e-4f, 0, 5, 0, 0, 0, 0.8f},     {5e-4f, 0, 2, 0, 0, 0, 0.5f},
    {2e-3f, 0, 35, 0, 0, 0, 1.1f},
    {5e-4f, 3e-4f, 5, 3, 0, 0, 2.5f}, {5e-4f, 3e-4f, 2.5f, 9, 0, 0, 3.5f},
};

/* A net of what was imported spikes as the node itself does, integrated by Euler with its dt. */
static void nir_net(int row, int b)
{
    enum { T = 80, N = 12 };
    const snn_nir_neuron *node = &nir_nodes[row];
    const double dt = 1e-4;
    float alpha, beta, theta, x[T * N];
    double v, current, input;
    int t, i, spikes = 0, id, fired;
    snn_net *net = NULL;
    snn_tensor s;
    ZERO(snn_net_desc, d);
    ZERO(snn_neuron_desc, n);
    (void)b;
    CHECK(snn_nir_import(&alpha, &beta, &theta, node, (float)dt) == SNN_OK);
    for (i = 0; i < T * N; i++) x[i] = uniform(-0.3f, 0.9f, 990, (size_t)i);
    d.steps = T, d.input = SNN_INPUT_DENSE;
    n.beta = beta, n.alpha = alpha, n.threshold = theta;
    n.reset = SNN_RESET_ZERO, n.no_reset_delay = 1;
    CHECK(snn_net_create(&net, &d) == SNN_OK);
    keep_net(net);
    id = snn_input(net, N, 0, 0);
    id = node->tau_syn > 0.0f ? snn_synaptic(net, id, &n) : snn_leaky(net, id, &n);
    CHECK(snn_net_build(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    s = snn_net_spikes(net, id);
    for (i = 0; i < N; i++)
        for (v = current = 0.0, t = 0; t < T; t++) {
            input = (double)x[t * N + i];
            if (node->tau_syn > 0.0f) {
                current += dt / (double)node->tau_syn * ((double)node->w_in * input - current);
                input = current;
            }
            v += dt / (double)node->tau_mem * ((double)node->r * input - v);
            fired = v > (double)node->v_threshold;
            if (fired) v = 0.0;
            spikes += fired;
            if ((s.data[t * N + i] != 0.0f) != fired) {
                fail("neuron %d, step %d: fires %d instead of %d", i, t, !fired, fired);
                return;
            }
        }
    CHECK(spikes > 20 && spikes < T * N / 2);
}

/* ---- bad input ---- */

/* Layers that must be refused, and words that the sentence must contain. The input is 2 x 6 x 6. */
static const struct {
    const char *name, *layers;
    snn_status status; /* SNN_OK: any error */
    const char *words;
} bad_layers[] = {
    {"linear_no_out", "flat | fc:0", SNN_OK, "out_features"},
    {"linear_negative", "flat | fc:-3", SNN_OK, "out_features"},
    {"linear_huge", "flat | fc:2000000000", SNN_OK, "fc1"},
    {"conv_no_out", "conv:0 k3", SNN_OK, "out_channels"},
    {"conv_no_kernel", "conv:3", SNN_OK, "kernel"},
    {"conv_half_kernel", "conv:3 kw2", SNN_OK, "kernel"},
    {"conv_kernel_large", "conv:3 k7", SNN_ERR_SHAPE, "conv1 6 7"},
    {"conv_kernel_negative", "conv:3 k-1", SNN_OK, "kernel"},
    {"conv_stride_negative", "conv:3 k3 s-1", SNN_OK, "stride"},
    {"conv_padding_negative", "conv:3 k3 p-1", SNN_OK, "padding"},
    {"conv_dilation_negative", "conv:3 k3 d-1", SNN_OK, "dilation"},
    {"conv_groups_in", "conv:3 k3 g3", SNN_ERR_SHAPE, "groups 3 2"},
    {"conv_groups_out", "conv:3 k3 g2", SNN_ERR_SHAPE, "groups 3 2"},
    {"conv_groups_negative", "conv:2 k3 g-2", SNN_OK, "groups"},
    {"conv_on_vector", "flat | conv:3 k3", SNN_ERR_SHAPE, "conv1 axes"},
    {"conv_huge_kernel", "conv:3 k2000000000 p1000000000", SNN_OK, "conv1"},
    {"conv_output_padding", "conv:2 k3 s2 op1", SNN_OK, "conv1 output padding"},
    {"conv_weight_bits", "conv:2 k3 wb9", SNN_ERR_ARGUMENT, "conv1 8 9"},
    {"linear_weight_bits", "flat | fc:2 wb1", SNN_ERR_ARGUMENT, "fc1 2 1"},
    {"linear_weight_bits_negative", "flat | fc:2 wb-4", SNN_ERR_ARGUMENT, "fc1 -4"},
    {"conv1d_on_image", "conv1:3 k3", SNN_ERR_SHAPE, "conv1d conv1 2 6"},
    {"conv1d_on_vector", "flat | conv1:3 k3", SNN_ERR_SHAPE, "conv1d conv1 axes"},
    {"conv1d_large", "reshape:2,1,36 | conv1:3 k37", SNN_ERR_SHAPE, "conv1d 37 36"},
    {"conv1d_no_out", "reshape:2,1,36 | conv1:0 k3", SNN_OK, "out_channels"},
    {"conv1d_no_kernel", "reshape:2,1,36 | conv1:3", SNN_OK, "kernel"},
    {"conv1d_weight_bits", "reshape:2,1,36 | conv1:2 k2 wb1", SNN_ERR_ARGUMENT, "conv1 1"},
    {"transpose_no_out", "convt:0 k3", SNN_OK, "out_channels"},
    {"transpose_no_kernel", "convt:3", SNN_OK, "conv_transpose2d kernel"},
    {"transpose_groups", "convt:3 k3 g2", SNN_ERR_SHAPE, "groups 3 2"},
    {"transpose_nothing_left", "convt:3 k1 p3", SNN_ERR_SHAPE, "conv_transpose2d deconv1 0"},
    {"transpose_output_padding", "convt:3 k3 s2 op2", SNN_OK, "output padding stride 2"},
    {"transpose_output_padding_negative", "convt:3 k3 s2 op-1", SNN_OK, "output padding -1"},
    {"transpose_on_vector", "flat | convt:3 k3", SNN_ERR_SHAPE, "conv_transpose2d axes"},
    {"transpose_huge", "convt:3 k3 s65536 ", SNN_ERR_SHAPE, "deconv1"},
    {"transpose_weight_bits", "convt:3 k3 wb9", SNN_ERR_ARGUMENT, "deconv1 9"},
    {"norm_kind", "norm:nothing", SNN_ERR_ARGUMENT, "norm1 kind 4"},
    {"norm_eps_negative", "norm:batch eps-1", SNN_OK, "norm1 eps"},
    {"norm_eps_nan", "norm:batch epsnan", SNN_OK, "norm1 eps"},
    {"norm_momentum_large", "norm:batch mom1.5", SNN_OK, "norm1 momentum 1.5"},
    {"norm_momentum_nan", "norm:layer momnan", SNN_OK, "norm1 momentum"},
    {"norm_alpha_nan", "norm:threshold anan", SNN_OK, "norm1"},
    {"norm_steps_negative", "norm:time ns-2", SNN_OK, "norm1 steps -2"},
    {"graded_nan", "graded:nan", SNN_ERR_NAN, "graded factor"},
    {"delay_zero", "delay:0", SNN_ERR_ARGUMENT, "delay1 0"},
    {"delay_negative", "delay:-3", SNN_ERR_ARGUMENT, "delay1 -3"},
    {"delay_huge", "delay:2000000000", SNN_ERR_ARGUMENT, "delay1"},
    {"multiply_shapes", "conv:2 k3 @a | conv:2 k3 | mul@a", SNN_ERR_SHAPE, "multiply1 2 4"},
    {"iand_shapes", "flat | iand@i", SNN_ERR_SHAPE, "iand1 72 6"},
    {"truncated_no_steps", "flat | truncated_leaky tau3", SNN_OK, "state_leaky1"},
    {"truncated_one_input", "flat | fc:9 | truncated_leaky ks3 tau3", SNN_ERR_SHAPE, "9 of 2"},
    {"bio_one_input", "reshape:3,4,6 | bio_lif", SNN_ERR_SHAPE, "bio1 3 multiple 2"},
    {"lif_no_beta", "lif", SNN_OK, "lif1 beta"},
    {"lif_refractory_negative", "lif b.9 ref-1", SNN_OK, "lif1"},
    {"lif_rest_nan", "lif b.9 restnan", SNN_ERR_NAN, "lif1 v_rest"},
    {"lif_reset_inf", "lif b.9 vresetinf", SNN_ERR_NAN, "lif1 v_reset"},
    {"li_no_beta", "li", SNN_OK, "li1 beta"},
    {"coarse_no_tau", "coarse_lif", SNN_OK, "coarse1"},
    {"qcfs_levels", "qcfs c1:.5", SNN_OK, "qcfs1"},
    {"adex_sharpness_negative", "adex b.9 c5:-1", SNN_OK, "adex1"},
    {"max_no_kernel", "max:0", SNN_OK, "kernel"},
    {"avg_large", "avg:7", SNN_ERR_SHAPE, "7 6"},
    {"sum_negative", "sum:-2", SNN_OK, "kernel"},
    {"max_padding", "max:2 p2", SNN_OK, "padding"},
    {"max_on_vector", "flat | max:2", SNN_ERR_SHAPE, "pool1 axes"},
    {"leaky_no_beta", "leaky", SNN_OK, "lif1 beta"},
    {"reshape_count", "reshape:5,5,3", SNN_ERR_SHAPE, "72 5 x 5 x 3"},
    {"reshape_negative", "reshape:-2,-6,6", SNN_OK, ""},
    {"reshape_huge", "reshape:65536,65536,72", SNN_OK, ""},
    {"add_shapes", "conv:2 k3 @a | conv:2 k3 | add@a", SNN_ERR_SHAPE, "2 4"},
    {"concat_shapes", "conv:2 k3 @a | conv:2 k3 | cat@a", SNN_ERR_SHAPE, "2 4"},
    {"dropout_negative", "drop:-.1", SNN_OK, "dropout"},
    {"dropout_large", "drop:1.5", SNN_OK, "dropout"},
    {"dropout_nan", "drop:nan", SNN_OK, "dropout"},
    {"scale_nan", "scale:nan", SNN_OK, "scale"},
    {"beta_nan", "leaky bnan", SNN_OK, "beta"},
    {"threshold_inf", "leaky b.9 tinf", SNN_OK, "threshold"},
    {"inhibition_image", "conv:3 k3 | leaky b.9 inh", SNN_OK, "inhibition"},
    {"same_name", "conv:3 k3 name=a | flat | fc:3 name=a", SNN_OK, "\"a\""},
    {"long_name", "flat | fc:3 name=abcdefghijklmnopqrstuvwxyz", SNN_OK, NULL},
    {"first_error_stays", "flat | fc:0 name=first | fc:-1 name=second", SNN_OK, "first"},
};

static snn_status logged_status;
static int logged_calls;
static void remember(snn_status status, const char *sentence, void *user)
{
    logged_calls++;
    if (logged_status == SNN_OK) logged_status = status;
    if (!sentence || strlen(sentence) < 8 || user != &logged_calls) fail("logger");
}

static void bad_layer(int row, int b)
{
    snn_net *net = NULL;
    snn_status s;
    int id;
    ZERO(snn_net_desc, d);
    (void)b;
    d.logger.log = remember;
    d.logger.user = &logged_calls;
    logged_status = SNN_OK;
    logged_calls = 0;
    CHECK(snn_net_create(&net, &d) == SNN_OK);
    keep_net(net);
    id = lay(net, snn_input(net, 2, 6, 6), bad_layers[row].layers);
    s = snn_net_build(net);
    if (!bad_layers[row].words) { /* allowed */
        if (s != SNN_OK || id < 0) fail("%s", snn_net_error(net));
        return;
    }
    if (s == SNN_OK) {
        fail("is accepted");
        return;
    }
    note("%s", snn_net_error(net));
    if (id != (int)s && id >= 0) note("found in build");
    if (bad_layers[row].status != SNN_OK && s != bad_layers[row].status)
        fail("status %s", snn_status_name(s));
    if (!has_words(snn_net_error(net), bad_layers[row].words))
        fail("\"%s\" should mention %s", snn_net_error(net), bad_layers[row].words);
    if (strlen(snn_net_error(net)) < 15) fail("no sentence: \"%s\"", snn_net_error(net));
    CHECK(logged_calls >= 1 && logged_status == s);
    CHECK(snn_net_memory(net) == 0 && snn_net_forward(net, NULL) < 0 && snn_net_build(net) == s);
}

/* One call each that must be refused. */
static const char bad_calls[] =
    "input_nan create_null create_null_out batch_negative steps_negative batch_huge one_hook "
    "input_zero input_negative input_huge input_twice linear_null conv_null pool_null "
    "leaky_null node_unknown node_negative net_null no_layers record_after_build "
    "record_unknown layer_after_build build_twice forward_before_build "
    "backward_before_forward step_before_build continue_zero continue_too_long "
    "inference_backward inference_train loss_label_high loss_label_negative "
    "loss_null_labels loss_kind loss_of_each optim_no_lr optim_null views_unknown too_many_layers "
    "neuron_null surrogate_unknown surrogate_no_function checkpoint_negative "
    "floor_negative floor_above_one floor_nan gradient_steps_negative "
    "evaluate_features evaluate_null evaluate_nan isa_unavailable neuron_def_broken "
    "gradcheck_not_smooth save_before_build moments_missing loss_before_forward "
    "input_kind norm_null conv1d_null transpose_null multiply_unknown iand_unknown norm_unknown "
    "graded_unknown delay_unknown norm_threshold_checkpoint fold_before_build rates_unrecorded "
    "rates_no_gradient rates_unknown_node subset_null subset_index subset_too_many split_share "
    "split_null round_bits round_null evaluate_kind ";

static void bad_call(int a, int b)
{
    static const net_row r = {
        "bad", SNN_INPUT_DENSE, 4, 0, 0, 3, 2, "fc:5 | leaky b.9 t.2 | fc:3 | leaky b.9 t.1"};
    static const char built[] = /* on a built net; the others on one without layers */
        "build_twice record_after_build layer_after_build backward_before_forward continue_zero "
        "continue_too_long loss_label_high loss_label_negative loss_null_labels loss_kind "
        "optim_no_lr optim_null views_unknown evaluate_features evaluate_null evaluate_nan "
        "gradcheck_not_smooth moments_missing loss_before_forward inference_backward "
        "inference_train input_nan rates_unrecorded rates_no_gradient rates_unknown_node "
        "evaluate_kind";
    const char *name = strchr(g_name, '/') + 1;
    int later = strstr(built, name) != NULL;
    int y[2] = {0, 1}, s = 0, i, x;
    float *in = row_input(&r, 500), loss = 0.0f, worst;
    snn_net *net = NULL, *other = NULL;
    snn_data data;
    ZERO(snn_net_desc, d);
    ZERO(snn_neuron_desc, nn);
    ZERO(snn_linear_desc, fc);
    ZERO(snn_norm_desc, nm);
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    ZERO(snn_rate_desc, rate);
    (void)a, (void)b;
    o.lr = 0.01f;
    nn.beta = 0.9f;
    fc.out_features = 2;
    l.kind = SNN_LOSS_CE_COUNT;
    memset(&data, 0, sizeof data);
    d.inference = !strncmp(name, "inference", 9);
    if (!strcmp(name, "moments_missing")) d.moments = -1;
    if (later) {
        net = keep_net(open_row(&r, &d, NULL, 0));
        if (!strcmp(name, "rates_no_gradient")) snn_net_record(net, 2, SNN_RECORD_SPIKES);
        if (snn_net_build(net) != SNN_OK) net = NULL;
    }
    else {
        CHECK(snn_net_create(&net, &d) == SNN_OK);
        keep_net(net);
    }
    if (!net) return;
    memset(&d, 0, sizeof d);
#define IS(text) (!strcmp(name, text))
    if (IS("create_null")) s = snn_net_create(&other, NULL);
    if (IS("create_null_out")) s = snn_net_create(NULL, &d);
    if (IS("batch_negative")) d.batch = -1, s = snn_net_create(&other, &d);
    if (IS("steps_negative")) d.steps = -1, s = snn_net_create(&other, &d);
    if (IS("checkpoint_negative")) d.checkpoint = -1, s = snn_net_create(&other, &d);
    if (IS("gradient_steps_negative")) d.gradient_steps = -1, s = snn_net_create(&other, &d);
    if (IS("floor_negative")) d.gradient_floor = -0.1f, s = snn_net_create(&other, &d);
    if (IS("floor_above_one")) d.gradient_floor = 1.5f, s = snn_net_create(&other, &d);
    if (IS("floor_nan")) d.gradient_floor = (float)NAN, s = snn_net_create(&other, &d);
    if (IS("input_kind")) d.input = (snn_input_kind)3, s = snn_net_create(&other, &d);
    if (IS("isa_unavailable")) d.isa = (snn_isa)7, s = snn_net_create(&other, &d);
    if (IS("one_hook")) d.allocator.alloc = count_alloc, s = snn_net_create(&other, &d);
    if (IS("batch_huge")) {
        d.batch = d.steps = 1 << 24;
        CHECK(snn_net_create(&other, &d) == SNN_OK || other == NULL);
        lay(other, snn_input(other, 1000, 1000, 1000), "leaky b.9");
        s = snn_net_build(other);
        CHECK(s == (int)SNN_ERR_TOO_LARGE || s == (int)SNN_ERR_MEMORY);
    }
    if (IS("input_nan")) in[5] = NAN, s = snn_net_forward(net, in);
    if (IS("input_zero")) s = snn_input(net, 0, 0, 0);
    if (IS("input_negative")) s = snn_input(net, 3, -1, 4);
    if (IS("input_huge")) s = snn_input(net, 2000000000, 2000000000, 2000000000);
    if (IS("input_twice")) CHECK(snn_input(net, 3, 0, 0) == 0), s = snn_input(net, 3, 0, 0);
    x = later || strstr(name, "input") ? 0 : snn_input(net, 2, 6, 6);
    if (IS("linear_null")) s = snn_linear(net, x, NULL);
    if (IS("conv_null")) s = snn_conv2d(net, x, NULL);
    if (IS("pool_null")) s = snn_max_pool2d(net, x, NULL);
    if (IS("leaky_null")) s = snn_leaky(net, x, NULL);
    if (IS("conv1d_null")) s = snn_conv1d(net, x, NULL);
    if (IS("transpose_null")) s = snn_conv_transpose2d(net, x, NULL);
    if (IS("norm_null")) s = snn_norm(net, x, NULL);
    if (IS("norm_unknown")) s = snn_norm(net, 17, &nm);
    if (IS("multiply_unknown")) s = snn_multiply(net, x, 17);
    if (IS("iand_unknown")) s = snn_iand(net, -3, x);
    if (IS("graded_unknown")) s = snn_graded_spikes(net, 17, 1.0f);
    if (IS("delay_unknown")) s = snn_delay(net, 17, 1);
    if (IS("fold_before_build")) s = snn_net_fold(net);
    if (IS("norm_threshold_checkpoint")) {
        d.steps = 4, d.checkpoint = 2;
        CHECK(snn_net_create(&other, &d) == SNN_OK);
        nm.kind = SNN_NORM_THRESHOLD;
        s = snn_norm(other, snn_input(other, 3, 0, 0), &nm);
        CHECK(s == (int)SNN_ERR_UNSUPPORTED && has_words(snn_net_error(other), "norm1 checkpoint"));
    }
    if (IS("subset_null")) s = snn_data_subset(&data, NULL, 2, 0);
    data.x = in, data.y = y, data.count = 2, data.features = 4;
    if (IS("subset_index")) s = snn_data_subset(&data, &data, 2, 2);
    if (IS("subset_too_many")) s = snn_data_subset(&data, &data, 3, 0);
    if (IS("split_share")) s = snn_data_split(y, 2, 1.5f, 1);
    if (IS("split_null")) s = snn_data_split(NULL, 2, 0.5f, 1);
    if (IS("round_bits")) {
        s = snn_quantise_weights(in, NULL, in, 2, 3, 9);
        CHECK(snn_quantise_weights(in, NULL, in, 2, 3, 1) == SNN_ERR_ARGUMENT);
    }
    if (IS("round_null")) s = snn_quantise_weights(NULL, NULL, in, 2, 3, 4);
    if (IS("neuron_null")) s = snn_neuron(net, x, NULL, &nn);
    if (IS("node_unknown")) s = snn_linear(net, 17, &fc);
    if (IS("node_negative")) s = snn_linear(net, -5, &fc);
    if (IS("surrogate_unknown")) nn.surrogate = (snn_surrogate_kind)15, s = snn_leaky(net, x, &nn);
    if (IS("surrogate_no_function"))
        nn.surrogate = SNN_CUSTOM_SURROGATE, s = snn_leaky(net, x, &nn);
    if (IS("neuron_def_broken")) {
        snn_neuron_def def = *snn_neuron_info(SNN_LEAKY);
        def.step = NULL;
        s = snn_neuron(net, x, &def, &nn);
        def.step = snn_neuron_info(SNN_LEAKY)->step;
        def.states = 99;
        CHECK(snn_neuron(net, x, &def, &nn) < 0);
    }
    if (IS("too_many_layers"))
        for (i = 0; i < 100; i++) s = x = snn_scale(net, x, 1.5f);
    if (IS("no_layers")) CHECK(snn_net_create(&other, &d) == SNN_OK), s = snn_net_build(other);
    if (IS("record_unknown")) s = snn_net_record(net, 55, SNN_RECORD_SPIKES);
    if (IS("forward_before_build")) s = snn_net_forward(net, in);
    if (IS("step_before_build")) s = snn_net_step(net, in);
    if (IS("save_before_build"))
        CHECK(snn_net_save_to(net, in, 8) == 0), s = snn_net_load_from(net, in, 8);
    if (IS("record_after_build")) s = snn_net_record(net, 1, SNN_RECORD_SPIKES);
    if (IS("layer_after_build")) s = snn_linear(net, 1, &fc);
    if (IS("build_twice")) s = snn_net_build(net);
    if (IS("backward_before_forward")) s = snn_net_backward(net);
    if (IS("loss_before_forward")) s = snn_net_loss(net, &l, y, &loss);
    if (later && !strstr(name, "before") && !strstr(name, "nan"))
        CHECK(snn_net_forward(net, in) == SNN_OK || strstr(name, "after") || strstr(name, "twice"));
    if (IS("continue_zero")) s = snn_net_continue(net, in, 0);
    if (IS("continue_too_long")) s = snn_net_continue(net, in, 4);
    if (IS("inference_backward")) s = snn_net_backward(net);
    if (IS("inference_train")) s = snn_train_step(net, &o, &l, in, y) < 0.0f ? -1 : 0;
    if (IS("moments_missing")) s = snn_train_step(net, &o, &l, in, y) < 0.0f ? -1 : 0;
    if (IS("loss_label_high")) y[1] = 3, s = snn_net_loss(net, &l, y, &loss);
    if (IS("loss_label_negative")) y[1] = -1, s = snn_net_loss(net, &l, y, &loss);
    if (IS("loss_null_labels")) s = snn_net_loss(net, &l, NULL, &loss);
    if (IS("loss_kind")) l.kind = (snn_loss_kind)15, s = snn_net_loss(net, &l, y, &loss);
    if (IS("loss_of_each")) l.reduction = SNN_NONE, s = snn_net_loss(net, &l, y, &loss);
    if (!strncmp(name, "rates", 5)) { /* node 2 is the hidden neurons */
        rate.node = IS("rates_unknown_node") ? 55 : 2;
        rate.l1 = 0.1f;
        l.rates = &rate, l.num_rates = 1;
        s = snn_net_loss(net, &l, y, &loss);
        CHECK(has_words(snn_net_error(net), "rates SNN_RECORD_SPIKES"));
    }
    if (IS("optim_no_lr")) o.lr = 0.0f, s = snn_net_optim_step(net, &o);
    if (IS("optim_null")) s = snn_net_optim_step(net, NULL);
    if (IS("gradcheck_not_smooth")) s = snn_net_gradcheck(net, in, y, &l, 1e-3f, &worst);
    if (IS("evaluate_kind")) {
        data.features = 12, data.count = 1;
        s = snn_evaluate(net, &data, (snn_metric)7) < 0.0 ? -1 : 0;
    } else if (!strncmp(name, "evaluate", 8)) {
        data.x = IS("evaluate_null") ? NULL : in;
        data.y = y;
        data.count = 1;
        data.features = IS("evaluate_nan") ? 12 : 5;
        if (IS("evaluate_nan")) in[7] = (float)NAN;
        s = snn_evaluate(net, &data, SNN_ACCURACY_RATE) < 0.0 ? -1 : 0;
    }
    if (IS("views_unknown")) {
        s = snn_net_spikes(net, 9).data || snn_net_membrane(net, -1).data ||
                    snn_net_state(net, 2, 5).data || snn_net_state(net, 1, 0).data ||
                    snn_net_dspikes(net, 99).data || snn_net_dstate(net, 0, 0).data
                ? 0
                : -1;
        CHECK(snn_net_spikes(NULL, 0).data == NULL);
    }
    if (IS("net_null")) {
        CHECK(snn_net_forward(NULL, in) == SNN_ERR_NULL && snn_net_build(NULL) == SNN_ERR_NULL &&
              snn_net_backward(NULL) == SNN_ERR_NULL);
        CHECK(snn_net_step(NULL, in) == SNN_ERR_NULL && snn_net_reset(NULL) == SNN_ERR_NULL &&
              snn_net_zero_grad(NULL) == SNN_ERR_NULL);
        CHECK(snn_net_continue(NULL, in, 1) == SNN_ERR_NULL &&
              snn_net_train(NULL, 1) == SNN_ERR_NULL);
        CHECK(snn_net_memory(NULL) == 0 && snn_net_error(NULL) != NULL &&
              snn_net_save_size(NULL) == 0 && snn_net_param_count(NULL) <= 0);
        CHECK(snn_linear(NULL, 0, &fc) < 0 && snn_leaky(NULL, 0, &nn) < 0 &&
              snn_flatten(NULL, 0) < 0 && snn_add(NULL, 0, 0) < 0);
        CHECK(snn_norm(NULL, 0, &nm) < 0 && snn_multiply(NULL, 0, 0) < 0 &&
              snn_iand(NULL, 0, 0) < 0 && snn_delay(NULL, 0, 1) < 0 &&
              snn_graded_spikes(NULL, 0, 1.0f) < 0 && snn_net_fold(NULL) < 0);
        CHECK(snn_net_loss(NULL, &l, y, &loss) == SNN_ERR_NULL &&
              snn_net_optim_step(NULL, &o) == SNN_ERR_NULL);
        CHECK(snn_net_load_from(NULL, in, 8) == SNN_ERR_NULL && snn_net_print(NULL, NULL, 0) == 0 &&
              !snn_net_param(NULL, 0));
        CHECK(snn_net_node(NULL, "fc1") < 0 && snn_net_node(net, NULL) < 0 &&
              !snn_net_find_param(net, NULL));
        snn_net_destroy(NULL);
        s = snn_input(NULL, 1, 0, 0);
    }
#undef IS
    if (s >= 0) fail("is accepted (%d)", s);
    if (net && later && s < 0 && !strstr(name, "views")) {
        note("%s", snn_net_error(net));
        CHECK(strlen(snn_net_error(net)) >= 8);
    }
    if (other) keep_net(other);
}

/* The same for functions on plain arrays, which leave what they were given as it was. */
static const char bad_arrays[] =
    "stdp_desc_null stdp_pre_null stdp_post_null stdp_traces_null stdp_w_null stdp_no_batch "
    "stdp_batch_negative stdp_no_inputs stdp_no_outputs stdp_no_tau stdp_tau_negative stdp_tau_nan "
    "stdp_tau_infinite stdp_size_nan stdp_bound_unknown stdp_conv_null stdp_conv_dw_null "
    "stdp_conv_dilation stdp_conv_dilation_w stdp_conv_groups stdp_conv_no_kernel "
    "stdp_conv_kernel_too_large stdp_conv_no_channels stdp_conv_stride stdp_conv_padding "
    "stdp_conv_no_image stdp_conv_huge_image nmnist_null nmnist_room_negative aedat_null "
    "aedat_empty aedat_no_header aedat_room_negative shd_times_null shd_units_null shd_negative "
    "frames_desc_null frames_out_null frames_events_null frames_count_negative frames_no_steps "
    "frames_steps_negative frames_no_width frames_no_height frames_width_negative "
    "frames_downsample_negative frames_downsample_too_large frames_downsample_too_tall "
    "frames_too_large nir_node_null nir_out_null nir_export_null nir_leak nir_reset nir_leak_nan "
    "nir_tau_0 nir_tau_short nir_tau_negative nir_tau_nan nir_syn_short nir_syn_negative "
    "nir_syn_infinite nir_r_0 nir_r_nan nir_w_in_nan nir_threshold_nan nir_threshold_overflow "
    "nir_dt_0 nir_dt_nan nir_export_beta_1 nir_export_beta_negative nir_export_alpha_1 "
    "nir_export_nan nir_export_dt ";

static void bad_array(int a, int b)
{
    const char *name = strchr(g_name, '/') + 1;
    float m[64], kept[64], *dw = m + 48, *pre = m, *post = m + 16;
    snn_event events[4];
    int B = 1, I = 2, O = 2, H = 3, s = 0, max = 4, n = 2, i;
    static const int units[2] = {1, 2};
    snn_nir_neuron node = nir_nodes[3], changed;
    float dt = 1e-4f, alpha = 0.9f, beta = 0.9f;
    snn_stdp_desc d;
    ZERO(snn_conv2d_desc, c);
    ZERO(snn_frames_desc, f);
    (void)a, (void)b;
    for (i = 0; i < 64; i++) kept[i] = m[i] = (float)(i % 2);
    memset(events, 0, sizeof events);
    stdp_desc(&d, 2, 0);
    c.out_channels = 1, c.kernel = 2;
    f.steps = 2, f.width = f.height = 4;
#define IS(text) (!strcmp(name, text))
    if (IS("stdp_no_batch")) B = 0;
    if (IS("stdp_batch_negative")) B = -1;
    if (IS("stdp_no_inputs")) I = 0;
    if (IS("stdp_no_outputs")) O = 0;
    if (IS("stdp_no_tau")) d.tau_post = 0.0f;
    if (IS("stdp_tau_negative")) d.tau_pre = -1.0f;
    if (IS("stdp_tau_nan")) d.tau_pre = NAN;
    if (IS("stdp_tau_infinite")) d.tau_post = INFINITY;
    if (IS("stdp_size_nan")) d.a_post = NAN;
    if (IS("stdp_bound_unknown")) d.bound = (snn_stdp_bound)9;
    if (IS("stdp_conv_dilation")) c.dilation = 2;
    if (IS("stdp_conv_dilation_w")) c.dilation_w = 2;
    if (IS("stdp_conv_groups")) c.groups = 2;
    if (IS("stdp_conv_no_kernel")) c.kernel = 0;
    if (IS("stdp_conv_kernel_too_large")) c.kernel = 4;
    if (IS("stdp_conv_no_channels")) c.out_channels = 0;
    if (IS("stdp_conv_stride")) c.stride = -1;
    if (IS("stdp_conv_padding")) c.padding = -1;
    if (IS("stdp_conv_no_image")) H = 0;
    if (IS("stdp_conv_huge_image")) H = 0x7fffffff, c.padding = 0x7fffffff;
    if (!strncmp(name, "stdp", 4) && strncmp(name, "stdp_conv", 9))
        s = snn_stdp_linear(IS("stdp_desc_null") ? NULL : &d, B, I, O,
                            IS("stdp_pre_null") ? NULL : pre, IS("stdp_post_null") ? NULL : post,
                            IS("stdp_traces_null") ? NULL : m + 24, m + 32,
                            IS("stdp_w_null") ? NULL : m + 40, dw, NULL);
    if (!strncmp(name, "stdp", 4)) {
        const int linear = strncmp(name, "stdp_conv", 9) != 0;
        if (linear && s >= 0) fail("snn_stdp_linear accepts it");
        if (!IS("stdp_no_outputs"))
            s = snn_stdp_conv2d(IS("stdp_desc_null") ? NULL : &d,
                                IS("stdp_conv_null") ? NULL : &c, B, I, H, 3,
                                IS("stdp_pre_null") ? NULL : pre,
                                IS("stdp_post_null") ? NULL : post,
                                IS("stdp_traces_null") ? NULL : m + 24, m + 44,
                                IS("stdp_w_null") ? NULL : m + 40,
                                IS("stdp_conv_dw_null") ? NULL : dw);
    }
    if (IS("nmnist_room_negative") || IS("aedat_room_negative")) max = -1;
    if (!strncmp(name, "nmnist", 6))
        s = snn_events_nmnist(events, max, IS("nmnist_null") ? NULL : m, 10);
    if (!strncmp(name, "aedat", 5))
        s = snn_events_aedat(events, max, IS("aedat_null")        ? NULL
                                          : IS("aedat_no_header") ? (const void *)"AER-DAT3.1"
                                                                  : (const void *)aedat_header,
                             IS("aedat_empty") ? 0 : 10, 0, 9);
    if (IS("shd_negative")) n = -1;
    if (!strncmp(name, "shd", 3))
        s = snn_events_shd(events, 4, IS("shd_times_null") ? NULL : m,
                           IS("shd_units_null") ? NULL : units, n);
    if (IS("frames_count_negative")) n = -1;
    if (IS("frames_no_steps")) f.steps = 0;
    if (IS("frames_steps_negative")) f.steps = -3;
    if (IS("frames_no_width")) f.width = 0;
    if (IS("frames_no_height")) f.height = 0;
    if (IS("frames_width_negative")) f.width = -4;
    if (IS("frames_downsample_negative")) f.downsample = -2;
    if (IS("frames_downsample_too_large")) f.downsample = 5;
    if (IS("frames_downsample_too_tall")) f.downsample = 4, f.height = 3;
    if (IS("frames_too_large")) f.steps = 0x7fffffff, f.width = f.height = 0xffff;
    if (!strncmp(name, "frames", 6))
        s = snn_event_frames(IS("frames_out_null") ? NULL : m,
                             IS("frames_events_null") ? NULL : events, n,
                             IS("frames_desc_null") ? NULL : &f);
    changed = node;
    if (IS("nir_leak")) changed.v_leak = 0.1f;
    if (IS("nir_reset")) changed.v_reset = -0.1f;
    if (IS("nir_leak_nan")) changed.v_leak = NAN;
    if (IS("nir_tau_0")) changed.tau_mem = 0.0f;
    if (IS("nir_tau_short")) changed.tau_mem = 0.9e-4f;
    if (IS("nir_tau_negative")) changed.tau_mem = -1.0f;
    if (IS("nir_tau_nan")) changed.tau_mem = NAN;
    if (IS("nir_syn_short")) changed.tau_syn = 0.9e-4f;
    if (IS("nir_syn_negative")) changed.tau_syn = -1.0f;
    if (IS("nir_syn_infinite")) changed.tau_syn = INFINITY;
    if (IS("nir_r_0")) changed.r = 0.0f;
    if (IS("nir_r_nan")) changed.r = NAN;
    if (IS("nir_w_in_nan")) changed.w_in = NAN;
    if (IS("nir_threshold_nan")) changed.v_threshold = NAN;
    if (IS("nir_threshold_overflow")) changed.r = 1e-30f, changed.v_threshold = 1e30f;
    if (IS("nir_dt_0")) dt = 0.0f;
    if (IS("nir_dt_nan")) dt = NAN;
    if (!strncmp(name, "nir", 3) && strncmp(name, "nir_export", 10))
        s = snn_nir_import(IS("nir_out_null") ? NULL : m, m + 1, m + 2,
                           IS("nir_node_null") ? NULL : &changed, dt);
    if (IS("nir_export_beta_1")) beta = 1.0f;
    if (IS("nir_export_beta_negative")) beta = -0.1f;
    if (IS("nir_export_alpha_1")) alpha = 1.0f;
    if (IS("nir_export_nan")) beta = NAN;
    if (IS("nir_export_dt")) dt = -1e-4f;
    if (!strncmp(name, "nir_export", 10)) {
        s = snn_nir_export(IS("nir_export_null") ? NULL : &node, alpha, beta, 1.0f, dt);
        CHECK(!memcmp(&node, &nir_nodes[3], sizeof node));
    }
#undef IS
    if (s >= 0) fail("is accepted (%d)", s);
    if (strstr(name, "_null") && s != (int)SNN_ERR_NULL)
        fail("status %s", snn_status_name((snn_status)s));
    CHECK(same_bits(m, kept, 64));
}

/* ---- trainer ---- */

static const net_row toy_row = {
    "toy", SNN_INPUT_CONSTANT, 8, 0, 0, 10, 16, "fc:24 | leaky b.9 t.5 | fc:4 | leaky b.9 t.5"};

static float *toy_data(int *y, int n)
{
    float *x = floats((size_t)n * 8);
    int i, k;
    for (i = 0; i < n; i++) {
        y[i] = i % 4;
        for (k = 0; k < 8; k++)
            x[i * 8 + k] =
                uniform(0.0f, 0.4f, 800, (size_t)(i * 8 + k)) + (k / 2 == y[i] ? 0.8f : 0.0f);
    }
    return x;
}

static snn_metric metric_of(int loss)
{
    switch ((snn_loss_kind)loss) {
    case SNN_LOSS_CE_TEMPORAL:
    case SNN_LOSS_MSE_TEMPORAL: return SNN_ACCURACY_TEMPORAL;
    case SNN_LOSS_CE_MEMBRANE:
    case SNN_LOSS_CE_MAX_MEMBRANE:
    case SNN_LOSS_MSE_MEMBRANE: return SNN_ACCURACY_MEMBRANE;
    default: return SNN_ACCURACY_RATE;
    }
}

/* optim 4: Adam on weights of 4 bits */
static void train_learns(int loss, int optim)
{
    static const net_row few_bits = {"toy", SNN_INPUT_CONSTANT, 8, 0, 0, 10, 16,
                                     "fc:24 wb4 | leaky b.9 t.5 | fc:4 wb4 | leaky b.9 t.5"};
    int y[64], i, n = 64;
    float *x = toy_data(y, n), first = 0.0f, last = 0.0f;
    double before, after;
    snn_net *net = build_row(optim == 4 ? &few_bits : &toy_row, NULL);
    snn_data data;
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    if (!net) return;
    l.kind = (snn_loss_kind)loss;
    l.correct_rate = 0.8f;
    l.incorrect_rate = 0.2f;
    if (loss == (int)SNN_LOSS_MSE_TEMPORAL) l.set_targets = 1, l.off_target = 9.0f;
    o.kind = (snn_optim_kind)(optim % 4);
    o.lr = optim == (int)SNN_SGD ? 0.002f : 0.01f;
    o.momentum = optim == (int)SNN_SGD ? 0.9f : 0.0f;
    memset(&data, 0, sizeof data);
    data.x = x;
    data.y = y;
    data.count = n;
    data.features = 8;
    before = snn_evaluate(net, &data, metric_of(loss));
    for (i = 0; i < 120; i++) {
        last = snn_train_step(net, &o, &l, x + (i % 4) * 16 * 8, y + (i % 4) * 16);
        if (last < -1.0f + 1e-6f && l.kind != SNN_LOSS_CE_TEMPORAL) fail("%s", snn_net_error(net));
        if (i == 0) first = last;
    }
    after = snn_evaluate(net, &data, metric_of(loss));
    note("loss %.3f to %.3f, accuracy %.2f to %.2f", (double)first, (double)last, before, after);
    CHECK(last < 0.8f * first && before < 0.5 && after > 0.9);
}

/* The net's update against snn_optim_update by hand: groups, freezing, clipping. */
static const char *const update_names[] = {"adam",   "adamw",  "sgd",        "rmsprop",  "nesterov",
                                           "groups", "frozen", "clip_value", "clip_norm"};

static void train_update(int which, int b)
{
    static const snn_param_group groups[] = {
        {"fc1.bias", 0, 0.3f, 0, 0, 0}, {"fc1", 0.5f, 0, 0, 0, 0}, {"fc2.w", 0, 0, 1, 0, 0}};
    int y[16], i, k, step, moved = 0;
    float *x = toy_data(y, 16), *p[8], *m[8], *v[8];
    snn_net *net = build_row(&toy_row, NULL);
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    (void)b;
    if (!net) return;
    l.kind = SNN_LOSS_CE_MEMBRANE;
    o.kind = which < 4 ? (snn_optim_kind)which : which == 4 ? SNN_SGD : SNN_ADAM;
    if (which == 2 || which == 4 || which == 3) o.momentum = 0.8f;
    o.nesterov = which == 4;
    o.weight_decay = which == 8 ? 0.0f : 0.05f;
    o.lr = 0.02f;
    if (which == 5 || which == 6) o.groups = groups + (which == 6), o.num_groups = 2;
    if (which == 7) o.clip_value = 0.01f;
    if (which == 8) o.clip_norm = 0.1f;
    for (i = 0; i < snn_net_param_count(net) && i < 8; i++) {
        size_t n = snn_tensor_count(&snn_net_param(net, i)->value);
        p[i] = floats(n);
        m[i] = floats(n);
        v[i] = floats(n);
        memcpy(p[i], snn_net_param(net, i)->value.data, n * sizeof(float));
    }
    for (step = 1; step <= 4; step++) {
        float loss, scale = 1.0f;
        double norm = 0.0;
        CHECK(snn_net_zero_grad(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
        CHECK(snn_net_loss(net, &l, y, &loss) == SNN_OK && snn_net_backward(net) == SNN_OK);
        for (i = 0; i < snn_net_param_count(net); i++) {
            const snn_param *q = snn_net_param(net, i);
            for (k = 0; q->grad.data && k < (int)snn_tensor_count(&q->grad); k++)
                norm += (double)q->grad.data[k] * (double)q->grad.data[k];
        }
        if (which == 8) CHECK(sqrt(norm) > 0.1), scale = (float)(0.1 / (sqrt(norm) + 1e-6));
        for (i = 0; i < snn_net_param_count(net); i++) {
            const snn_param *q = snn_net_param(net, i);
            size_t n = snn_tensor_count(&q->value);
            snn_optim_desc own = o;
            float *g = floats(n);
            if (!q->grad.data) continue;
            for (k = 0; k < (int)n; k++) {
                g[k] = q->grad.data[k] * scale;
                if (which == 7) g[k] = g[k] > 0.01f ? 0.01f : g[k] < -0.01f ? -0.01f : g[k];
            }
            own.groups = NULL;
            own.num_groups = 0;
            own.clip_value = own.clip_norm = 0.0f;
            if (which == 5 && !strcmp(q->name, "fc1.bias")) own.weight_decay += 0.3f;
            else if (which >= 5 && which <= 6 && !strncmp(q->name, "fc1", 3)) own.lr *= 0.5f;
            else if (which == 6 && !strcmp(q->name, "fc2.weight")) continue;
            CHECK(snn_optim_update(&own, step, p[i], g, m[i], v[i], n) == SNN_OK);
        }
        CHECK(snn_net_optim_step(net, &o) == SNN_OK);
        for (i = 0; i < snn_net_param_count(net); i++) {
            const snn_param *q = snn_net_param(net, i);
            if (!q->grad.data) continue;
            moved += !same_bits(q->value.data, p[i], 1);
            if (!(worst_relative(q->value.data, p[i], snn_tensor_count(&q->value)) < 2e-6))
                fail("%s in step %d", q->name, step);
        }
    }
    note("%d first elements differ in the last bits", moved);
}

/* A data set that is no multiple of the batch: the same share as counting by hand. */
static void train_evaluate(int metric, int bytes)
{
    enum { n = 39 };
    int y[n], i, right = 0, guess[16];
    unsigned char raw[n * 8];
    float *x = toy_data(y, n);
    snn_net *net = build_row(&toy_row, NULL);
    snn_data data;
    double share;
    if (!net) return;
    for (i = 0; i < n; i++) y[i] = (i * i + i / 3) % 4; /* labels the net has not learnt */
    for (i = 0; i < n * 8; i++) raw[i] = (unsigned char)(x[i] * 200.0f);
    memset(&data, 0, sizeof data);
    data.x = bytes ? NULL : x;
    data.bytes = bytes ? raw : NULL;
    data.y = y;
    data.count = n;
    data.features = 8;
    share = snn_evaluate(net, &data, (snn_metric)metric);
    for (i = 0; i < n; i += 16) {
        float batch[128];
        int labels[16], k, real = snn_batch(&data, NULL, i, 16, 0, batch, labels);
        snn_tensor out;
        CHECK(real == (n - i < 16 ? n - i : 16) && snn_net_forward(net, batch) == SNN_OK);
        out = metric == (int)SNN_ACCURACY_MEMBRANE ? snn_net_membrane(net, snn_net_output(net))
                                                   : snn_net_spikes(net, snn_net_output(net));
        CHECK(snn_predict((snn_metric)metric, 10, 16, 4, out.data, guess, 0) == SNN_OK);
        for (k = 0; k < real; k++) right += guess[k] == y[i + k];
        for (k = 0; k < 16; k++) CHECK(labels[k] == y[i + k < n ? i + k : n - 1]);
    }
    if (fabs(share - (double)right / (double)n) > 1e-9)
        fail("%g, by hand %d of %d", share, right, n);
}

static void train_batch(int a, int b)
{
    enum { N = 5, F = 6 };
    float x[N * F], out[4 * F];
    unsigned char raw[N * F];
    int y[N] = {4, 3, 2, 1, 0}, order[N] = {3, 0, 4, 1, 2}, labels[4], i, k, t;
    snn_data data;
    (void)a, (void)b;
    for (i = 0; i < N * F; i++) x[i] = (float)i, raw[i] = (unsigned char)(i * 8);
    memset(&data, 0, sizeof data);
    data.x = x;
    data.y = y;
    data.count = N;
    data.features = F;
    CHECK(snn_batch(&data, order, 3, 4, 0, out, labels) == 2);
    for (i = 0; i < 4; i++) { /* samples 1, 2, then the last repeated */
        int sample = order[i < 2 ? 3 + i : 4];
        CHECK(labels[i] == y[sample]);
        for (k = 0; k < F; k++) CHECK(out[i * F + k] == x[sample * F + k]);
    }
    CHECK(snn_batch(&data, order, 0, 4, 3, out, labels) == 4);
    for (t = 0; t < 3; t++)
        for (i = 0; i < 4; i++)
            for (k = 0; k < 2; k++) CHECK(out[(t * 4 + i) * 2 + k] == x[order[i] * F + t * 2 + k]);
    data.x = NULL;
    data.bytes = raw;
    CHECK(snn_batch(&data, NULL, 1, 1, 0, out, labels) == 1);
    for (k = 0; k < F; k++) CHECK(fabs((double)out[k] - (F + k) * 8 / 255.0) < 1e-6);
}

/* Parts of a data set, which share nothing; a held-out share of its indices. */
static void train_parts(int a, int b)
{
    enum { N = 23, F = 3 };
    float x[N * F];
    unsigned char raw[N * F];
    int y[N], order[N], other[N], seen[N], parts, idx, i, held, moved;
    snn_data data, part;
    (void)a, (void)b;
    memset(&data, 0, sizeof data);
    data.x = x, data.bytes = raw, data.y = y, data.count = N, data.features = F;
    for (i = 0; i < N; i++) y[i] = i;
    for (parts = 0; parts <= N; parts += 1 + parts / 4) {
        const int n = parts > 1 ? N / parts : N;
        for (idx = 0; idx < (parts > 1 ? parts : 1); idx++) {
            memset(&part, 0x55, sizeof part);
            CHECK(snn_data_subset(&part, &data, parts, idx) == SNN_OK);
            CHECK(part.count == n && part.features == F && part.y == y + n * idx);
            CHECK(part.x == x + n * idx * F && part.bytes == raw + n * idx * F);
        }
        CHECK(snn_data_subset(&part, &data, parts, idx) == SNN_ERR_ARGUMENT &&
              snn_data_subset(&part, &data, parts, -1) == SNN_ERR_ARGUMENT);
    }
    data.bytes = NULL; /* what is not there stays away; the part may be the whole's own desc */
    CHECK(snn_data_subset(&data, &data, 4, 3) == SNN_OK && !data.bytes && data.y == y + 15);
    for (held = 0; held <= N; held++) {
        const float share = ((float)held + 0.5f) / (float)N;
        memset(seen, 0, sizeof seen);
        i = snn_data_split(order, N, held < N ? share : 1.0f, 9);
        if (i != held) fail("%d held out instead of %d", i, held);
        CHECK(snn_data_split(other, N, held < N ? share : 1.0f, 9) == held);
        CHECK(!memcmp(order, other, sizeof order));
        for (i = moved = 0; i < N; i++) {
            if (order[i] < 0 || order[i] >= N || seen[order[i]]++) fail("no permutation");
            if (i > N - held && order[i] < order[i - 1]) fail("held-out samples are not ascending");
            moved += i < N - held && i > 0 && order[i] < order[i - 1];
        }
        if (N - held > 6) CHECK(moved > 0);
        snn_data_split(other, N, held < N ? share : 1.0f, 10);
        if (held < N - 1) CHECK(memcmp(order, other, sizeof order) != 0);
    }
}

static void train_schedules(int a, int b)
{
    ZERO(snn_schedule_desc, d);
    int k;
    (void)a, (void)b;
    d.lr = 0.5f;
    for (k = 0; k < 40; k += 3) CHECK(snn_schedule(&d, k) == 0.5f);
    d.kind = SNN_SCHEDULE_STEP;
    d.step_size = 4;
    for (k = 0; k < 13; k++)
        CHECK(fabs((double)snn_schedule(&d, k) - 0.5 * pow(0.1, k / 4)) < 1e-7);
    d.kind = SNN_SCHEDULE_COSINE;
    d.period = 10;
    d.min_lr = 0.1f;
    for (k = 0; k <= 10; k++)
        CHECK(fabs((double)snn_schedule(&d, k) -
                   (0.1 + 0.2 * (1.0 + cos(3.14159265358979 * k / 10)))) < 1e-6);
    d.kind = SNN_SCHEDULE_ONE_CYCLE;
    d.period = 100;
    CHECK(fabs((double)snn_schedule(&d, 0) - 0.02) < 1e-6 &&
          snn_schedule(&d, 15) > snn_schedule(&d, 5));
    for (k = 0; k < 100; k++)
        CHECK(snn_schedule(&d, k) <= 0.5f + 1e-6f && snn_schedule(&d, k) > 0.0f);
    CHECK(fabs((double)snn_schedule(&d, 29) - 0.5) < 2e-3 && snn_schedule(&d, 99) < 1e-3f);
    d.kind = SNN_SCHEDULE_CONSTANT;
    d.warmup = 5;
    for (k = 1; k < 5; k++) CHECK(snn_schedule(&d, k) > snn_schedule(&d, k - 1));
    CHECK(fabs((double)snn_schedule(&d, 0) - 0.1) < 1e-6 && snn_schedule(&d, 5) == 0.5f &&
          snn_schedule(&d, 9) == 0.5f);
}

/* Truncated training against forward / continue, loss, backward, update by hand. */
static void train_truncated(int total, int b)
{
    net_row r = toy_row;
    int y[16], k, n, i;
    float *x = toy_data(y, 16), *p, average, by_hand = 0.0f, loss;
    snn_net *one, *two;
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    (void)b;
    r.T = 4;
    one = build_row(&r, NULL);
    two = build_row(&r, NULL);
    if (!one || !two) return;
    l.kind = SNN_LOSS_CE_MEMBRANE;
    o.lr = 0.01f;
    average = snn_train_truncated(one, &o, &l, x, y, total);
    CHECK(snn_net_reset(two) == SNN_OK);
    for (k = 0; k < total; k += n) {
        n = total - k < 4 ? total - k : 4;
        CHECK(snn_net_zero_grad(two) == SNN_OK && snn_net_continue(two, x, n) == SNN_OK);
        CHECK(snn_net_loss(two, &l, y, &loss) == SNN_OK && snn_net_backward(two) == SNN_OK &&
              snn_net_optim_step(two, &o) == SNN_OK);
        by_hand += loss / (n == 4 ? (float)total / 4.0f : (float)(total % 4));
    }
    if (!(fabs((double)average - (double)by_hand) < 1e-5 * (1.0 + fabs((double)by_hand))))
        fail("%g, by hand %g", (double)average, (double)by_hand);
    for (i = 0; i < snn_net_param_count(one); i++) {
        p = snn_net_param(two, i)->value.data;
        if (!same_bits(snn_net_param(one, i)->value.data, p,
                       snn_tensor_count(&snn_net_param(one, i)->value)))
            fail("%s", snn_net_param(one, i)->name);
    }
}

/* ---- the registries ---- */

static void mark(const net_row *table, int count, int *layers, int *neurons)
{
    int i, k, n;
    for (i = 0; i < count; i++) {
        const snn_net *net = keep_net(open_row(&table[i], NULL, NULL, 0));
        for (n = 0; net && n < net->count; n++) {
            layers[net->node[n].op]++;
            for (k = 0; k < (int)SNN_NEURON_COUNT; k++)
                neurons[k] += net->node[n].neuron.def == snn_neuron_info((snn_neuron_kind)k);
        }
    }
}

static void fill_rows(void)
{
    static char layers[SNN_NEURON_COUNT][200];
    int kinds[SNN__LAYER_COUNT] = {0}, neurons[SNN_NEURON_COUNT] = {0}, k;
    const net_row plain = {NULL, SNN_INPUT_CONSTANT, 9, 0, 0, 8, 3, NULL};
    memcpy(rows, fixed_rows, sizeof fixed_rows);
    row_count = COUNT_OF(fixed_rows);
    mark(fixed_rows, row_count, kinds, neurons);
    release();
    for (k = 0; k < (int)SNN_NEURON_COUNT; k++) {
        const snn_neuron_def *def = snn_neuron_info((snn_neuron_kind)k);
        const int inputs = def->inputs > 1 ? def->inputs : 1;
        if (neurons[k]) continue;
        snprintf(layers[k], sizeof layers[k],
                 "fc:%d | %s b.85 a.9 t.2 lc | fc:%d | %s b.8 a.7 t.15", 9 * inputs, def->name,
                 5 * inputs, def->name);
        rows[row_count] = plain;
        rows[row_count].name = def->name;
        rows[row_count++].layers = layers[k];
    }
}

/* A new layer of the registry must be in a row of the net tables; neurons come by themselves. */
static void registry_rows(int a, int b)
{
    int loop[SNN__LAYER_COUNT] = {0}, smooth[SNN__LAYER_COUNT] = {0};
    int ignored[SNN_NEURON_COUNT] = {0}, i;
    (void)a, (void)b;
    mark(rows, ROWS, loop, ignored);
    mark(gradient_rows, GRADIENT_ROWS, smooth, ignored);
    for (i = 0; i < (int)SNN__LAYER_COUNT; i++) {
        if (!loop[i]) fail("no row of rows[] has the layer %s", snn__op_table[i].name);
        if (!smooth[i]) fail("no row of gradient_rows[] has the layer %s", snn__op_table[i].name);
    }
}

/* ---- spike-timing rules: orders, in place, rewards, supervision ---- */

static double stdp_f(const snn_stdp_desc *d, double w, int grows)
{
    const double room = grows ? (double)d->w_max - w : w - (double)d->w_min;
    if (d->bound == SNN_STDP_ADDITIVE) return 1.0;
    if (d->bound == SNN_STDP_TIMES_W) return w;
    if (d->bound == SNN_STDP_SOFT && d->mu == 1.0f) return room;
    if (d->bound == SNN_STDP_SOFT) return room > 0.0 ? pow(room, (double)d->mu) : 0.0;
    return exp((double)d->beta * (room - (double)d->w_max + (double)d->w_min));
}
static double stdp_clip(const snn_stdp_desc *d, double w)
{
    return d->clip ? fmin(fmax(w, (double)d->w_min), (double)d->w_max) : w;
}
static void stdp_take(const snn_stdp_desc *d, double *trace, const float *s, int n)
{
    stdp_trace(d, trace, s, n, 1e30); /* takes spikes without decay, for exponential traces */
}

/* All orders, bounds and options as their definition reads, in double; few spikes and many. mode: 1
 * in place, 2 nearest, 4 triplets, 8 x_tar, 16 no clip. */
static void rules_stdp_orders(int which, int mode)
{
    enum { T = 8, B = 2, I = 150, O = 5 };
    static float pre[B * I], post[B * O], tp[2 * B * I], tq[2 * B * O], w[O * I], dw[O * I];
    static float e[B * O * I];
    static double x[2][B * I], y[2][B * O], v[O * I], each[B * O * I];
    const int in_place = mode & 1;
    int t, b, o, i;
    ZERO(snn_stdp_desc, d);
    d.order = (snn_stdp_order)(which / 4), d.bound = (snn_stdp_bound)(which % 4);
    d.exponential = 1, d.nearest = mode >> 1 & 1, d.clip = !(mode & 16);
    d.tau_pre = 4.0f, d.tau_post = 6.0f, d.a_pre = 0.11f, d.a_post = 0.13f;
    d.w_min = -0.25f, d.w_max = 0.75f, d.mu = which % 8 < 4 ? 1.0f : 0.5f, d.beta = 1.5f;
    if (mode & 4) d.tau_pre2 = 9.0f, d.tau_post2 = 8.0f, d.a_pre3 = 0.07f, d.a_post3 = 0.05f;
    if (mode & 8) d.x_tar = 0.4f, d.a_pre = 0.0f;
    memset(tp, 0, sizeof tp), memset(tq, 0, sizeof tq), memset(x, 0, sizeof x);
    memset(y, 0, sizeof y), memset(dw, 0, sizeof dw);
    for (i = 0; i < O * I; i++) {
        w[i] = uniform(-0.2f, 0.7f, 970, (size_t)i);
        v[i] = in_place ? (double)w[i] : 0.0;
    }
    for (t = 0; t < T; t++) {
        for (i = 0; i < B * I; i++)
            pre[i] = (float)(uniform(0, 1, 971 + (uint32_t)t, (size_t)i) < (t % 2 ? 0.4f : 0.03f));
        stdp_spikes(post, B * O, 1.0f, 991 + (uint32_t)t);
        for (i = 0; i < B * I; i++) x[0][i] *= exp(-1 / 4.0), x[1][i] *= exp(-1 / 9.0);
        for (i = 0; i < B * O; i++) y[0][i] *= exp(-1 / 6.0), y[1][i] *= exp(-1 / 8.0);
        if (d.order == SNN_STDP_TRACES_FIRST) stdp_take(&d, y[0], post, B * O);
        for (b = 0; b < B; b++) {
            if (d.order == SNN_STDP_TRACES_FIRST) stdp_take(&d, x[0] + b * I, pre + b * I, I);
            for (o = 0; o < O; o++)
                for (i = 0; i < I; i++) {
                    const int at = o * I + i, turn = in_place && d.order == SNN_STDP_IN_TURN;
                    double now = in_place ? v[at] : (double)w[at], trace = x[0][b * I + i];
                    double up, down;
                    down = (double)pre[b * I + i] * y[0][b * O + o] * stdp_f(&d, now, 0) *
                           ((double)d.a_pre + (double)d.a_pre3 * x[1][b * I + i]);
                    if (turn) down = now - stdp_clip(&d, now - down), now -= down;
                    if (d.order == SNN_STDP_IN_TURN) /* pre is in its trace by now */
                        stdp_take(&d, &trace, pre + b * I + i, 1);
                    up = trace * stdp_f(&d, now, 1) - (double)d.x_tar *
                         stdp_f(&d, now, d.bound != SNN_STDP_EXPONENTIAL);
                    up *= (double)post[b * O + o] *
                          ((double)d.a_post + (double)d.a_post3 * y[1][b * O + o]);
                    each[b * O * I + at] = up - down;
                    v[at] = !in_place ? v[at] + up - down
                                      : stdp_clip(&d, turn ? now + up : now + up - down);
                }
        }
        if (d.order != SNN_STDP_TRACES_FIRST)
            stdp_take(&d, x[0], pre, B * I), stdp_take(&d, y[0], post, B * O);
        stdp_take(&d, x[1], pre, B * I), stdp_take(&d, y[1], post, B * O);
        CHECK(snn_stdp_linear(&d, B, I, O, pre, post, tp, tq, w, in_place ? w : dw, e) == SNN_OK);
        CHECK(stdp_error(e, each, B * O * I) < 1e-5);
        CHECK(stdp_error(in_place ? w : dw, v, O * I) < 1e-5);
        CHECK(stdp_error(tp, x[0], B * I) < 1e-5 && stdp_error(tq, y[0], B * O) < 1e-5);
        if (mode & 4)
            CHECK(stdp_error(tp + B * I, x[1], B * I) < 1e-5 &&
                  stdp_error(tq + B * O, y[1], B * O) < 1e-5);
    }
}

/* A convolution whose kernel is the whole image is the linear layer. */
static void rules_stdp_whole_image(int order, int mode)
{
    enum { B = 2, I = 12, O = 3 };
    float pre[B * I], post[B * O], tp[2][2 * B * I], tq[2][2 * B * O], w[2][O * I];
    int t, i;
    ZERO(snn_conv2d_desc, c);
    ZERO(snn_stdp_desc, d);
    d.order = (snn_stdp_order)order, d.bound = SNN_STDP_SOFT, d.clip = 1;
    d.tau_pre = 3.0f, d.tau_post = 4.0f, d.a_pre = d.a_post = 0.3f;
    if (mode & 1) d.a_pre3 = d.a_post3 = 0.2f, d.tau_pre2 = d.tau_post2 = 7.0f;
    if (mode & 2) d.x_tar = 0.3f;
    c.out_channels = O, c.kernel_h = 2, c.kernel_w = 3;
    memset(tp, 0, sizeof tp), memset(tq, 0, sizeof tq);
    for (i = 0; i < O * I; i++) w[0][i] = w[1][i] = uniform(0, 1, 980, (size_t)i);
    for (t = 0; t < 12; t++) {
        stdp_spikes(pre, B * I, 1.0f, 981 + 2 * (uint32_t)t);
        stdp_spikes(post, B * O, 1.0f, 982 + 2 * (uint32_t)t);
        CHECK(snn_stdp_linear(&d, B, I, O, pre, post, tp[0], tq[0], w[0], w[0], NULL) == SNN_OK);
        CHECK(snn_stdp_conv2d(&d, &c, B, 2, 2, 3, pre, post, tp[1], tq[1], w[1], w[1]) == SNN_OK);
        for (i = 0; i < O * I; i++) CHECK(fabs((double)(w[0][i] - w[1][i])) < 1e-6);
        CHECK(same_bits(tp[0], tp[1], 2 * B * I) && same_bits(tq[0], tq[1], 2 * B * O));
    }
}

/* Means, dopamine and steps without a reward; a batch is its samples one after the other. */
static void rules_reward(int a, int b)
{
    enum { B = 3, N = 10 };
    float w[N], alone[N], z[B * N], z2[B * N], e[B * N], r[B];
    snn_reward state[B], state2[B];
    double mean = 0, dopamine = 0;
    int t, i;
    ZERO(snn_reward_desc, d);
    (void)a, (void)b;
    d.lr = 0.3f, d.tau = 5.0f, d.gain = 0.5f, d.tau_dopamine = 2.0f, d.tau_mean = 4.0f;
    d.clip = 1, d.w_min = -0.3f;
    memset(z, 0, sizeof z), memset(z2, 0, sizeof z2);
    memset(state, 0, sizeof state), memset(state2, 0, sizeof state2);
    for (i = 0; i < N; i++) w[i] = alone[i] = uniform(0, 1, 1, (size_t)i);
    for (t = 0; t < 20; t++) {
        const int rewarded = t % 3 == 0;
        for (i = 0; i < B * N; i++) e[i] = uniform(-1, 1, 2 + (uint32_t)t, (size_t)i);
        for (i = 0; i < B; i++) r[i] = uniform(-1, 2, 50 + (uint32_t)t, (size_t)i);
        CHECK(snn_reward_update(&d, B, N, w, z, e, state, rewarded ? r : NULL) == SNN_OK);
        for (i = 0; i < B; i++)
            CHECK(snn_reward_update(&d, 1, N, alone, z2 + i * N, e + i * N, state2 + i,
                                    rewarded ? r + i : NULL) == SNN_OK);
        dopamine = dopamine * exp(-0.5) + (rewarded ? (double)r[0] - mean : 0.0);
        if (rewarded) mean += ((double)r[0] - mean) / 4.0;
        CHECK(fabs((double)state[0].mean - mean) < 1e-5);
        CHECK(fabs((double)state[0].dopamine - dopamine) < 1e-5);
    }
    CHECK(same_bits(w, alone, N) && same_bits(z, z2, B * N));
    for (i = 0; i < N; i++) CHECK(w[i] >= -0.3f && w[i] <= 1.0f);
    memset(&d, 0, sizeof d); /* without memory: w += lr r e */
    d.lr = 0.5f, r[0] = -2.0f;
    CHECK(snn_reward_update(&d, 1, N, w, NULL, e, NULL, r) == SNN_OK);
    for (i = 0; i < N; i++) CHECK(fabs((double)(w[i] - alone[i] + e[i])) < 1e-6);
}

/* ReSuMe has arrived where the trains are the same; PES goes down the slope of the error. */
static void rules_supervised(int a, int b)
{
    enum { I = 6, O = 2 };
    const float both[O] = {1, 1}, one[O] = {1, 0}, target[O] = {0.3f, -0.8f};
    float pre[I], trace[2 * I], trace2[2 * I], w[O * I], w2[O * I], out[O], error[O];
    int i, o, t;
    ZERO(snn_resume_desc, d);
    (void)a, (void)b;
    d.lr = 0.1f, d.tau = 5.0f, d.a = 0.02f;
    memset(trace, 0, sizeof trace), memset(trace2, 0, sizeof trace2);
    for (i = 0; i < O * I; i++) w[i] = w2[i] = uniform(-1, 1, 3, (size_t)i);
    for (t = 0; t < 10; t++) {
        stdp_spikes(pre, I, 1.0f, 1000 + (uint32_t)t);
        d.actual_tau = 0.0f;
        CHECK(snn_resume_linear(&d, 1, I, O, pre, both, t < 5 ? both : one, trace, w) == SNN_OK);
        d.actual_tau = 5.0f; /* a trace of its own, with the same values */
        CHECK(snn_resume_linear(&d, 1, I, O, pre, both, t < 5 ? both : one, trace2, w2) == SNN_OK);
        CHECK(same_bits(trace, trace2, I) && same_bits(trace, trace2 + I, I));
        for (i = 0; i < O * I; i++) CHECK(fabs((double)(w[i] - w2[i])) < 1e-6);
        if (t == 4)
            for (i = 0; i < O * I; i++) CHECK(w[i] == uniform(-1, 1, 3, (size_t)i));
    }
    for (i = 0; i < I; i++) { /* the second output fired and should not have */
        CHECK(w[i] == uniform(-1, 1, 3, (size_t)i));
        CHECK(w[I + i] < uniform(-1, 1, 3, (size_t)(I + i)));
    }
    memcpy(w2, w, sizeof w);
    CHECK(snn_pes_linear(0.1f, 1, I, O, pre, target, w, out) == SNN_OK);
    for (o = 0; o < O; o++) {
        double y = 0.0;
        for (i = 0; i < I; i++) y += (double)w2[o * I + i] * (double)pre[i];
        CHECK(fabs((double)out[o] - y) < 1e-6);
        error[o] = target[o] - out[o];
        for (i = 0; i < I; i++)
            CHECK(fabs((double)(w[o * I + i] - w2[o * I + i]) -
                       0.1 * ((double)target[o] - y) * (double)pre[i]) < 1e-6);
    }
    CHECK(snn_pes_linear(0.1f, 1, I, O, pre, error, w2, NULL) == SNN_OK);
    CHECK(same_bits(w, w2, O * I));
}

/* Neuron 0 answers to both classes, 1 to class 1 alone: shares count as well as spikes. */
static void rules_vote(int a, int b)
{
    const float counts[2 * 3] = {3, 0, 0, 2, 1, 0}, test[3] = {4, 3, 9};
    const int y[2] = {0, 1};
    float rates[6], score[2];
    int assign[3], vote = -1;
    (void)a, (void)b;
    CHECK(snn_assign_labels(2, 3, 2, counts, y, rates, assign) == SNN_OK);
    CHECK(assign[0] == 0 && assign[1] == 1 && assign[2] == -1);
    CHECK(snn_vote(1, 3, 2, test, assign, NULL, score, &vote) == SNN_OK);
    CHECK(score[0] == 4.0f && score[1] == 3.0f && vote == 0);
    CHECK(snn_vote(1, 3, 2, test, assign, rates, score, &vote) == SNN_OK);
    CHECK(fabs((double)score[0] - 4 * 0.6) < 1e-6 && score[1] == 3.0f && vote == 1);
}

/* Every bad input has an error, and nothing has changed. */
static void rules_bad(int which, int b)
{
    float m[64], kept[64], *dw = m + 32;
    const int late[2] = {0, 5}, y[2] = {0, 1};
    int s = SNN_OK, k[4] = {0, 1, 0, 1}, B = 1, i;
    snn_reward state = {0, 0};
    ZERO(snn_stdp_desc, sd);
    ZERO(snn_reward_desc, rd);
    ZERO(snn_first_spike_desc, fd);
    ZERO(snn_resume_desc, ud);
    (void)b;
    for (i = 0; i < 64; i++) kept[i] = m[i] = (float)(i % 2);
    sd.tau_pre = sd.tau_post = 3.0f, rd.lr = 0.1f, rd.tau = 2.0f, ud.lr = 0.1f, ud.tau = 4.0f;
    switch (which) {
    case 0: sd.a_pre3 = 1.0f; break; /* without its time constant */
    case 1: sd.a_post3 = NAN; break;
    case 2: sd.order = (snn_stdp_order)3; break;
    case 3: sd.clip = 1, sd.w_min = 2.0f; break;
    case 4: sd.x_tar = INFINITY; break;
    case 5: sd.beta = NAN; break;
    case 6: rd.lr = 0.0f; break;
    case 7: rd.tau = -1.0f; break;
    case 8: rd.tau_mean = 0.5f; break;
    case 9: rd.clip = 1, rd.w_min = 2.0f; break;
    case 10: m[1] = kept[1] = NAN; break; /* the reward */
    case 11: rd._end = 1; break;
    case 12: fd.hits = 3, fd.decisions = 2; break;
    case 13: fd.wrong_after = NAN; break;
    case 14: fd._start = 1; break;
    case 15: ud.tau = 0.0f; break;
    case 16: ud.actual_gain = NAN; break;
    case 17: ud._end = 1; break;
    case 18: ud.lr = 0.0f; break;
    case 19: k[0] = -1; break;
    case 20: k[1] = 2; break;
    default: B = 0; break;
    }
    if (which < 6 || which > 20)
        s = snn_stdp_linear(&sd, B, 2, 2, m, m + 4, m + 8, m + 12, m + 20, dw, NULL);
    if ((which >= 6 && which < 12) || (which > 20 && s < 0))
        s = snn_reward_update(&rd, B, 4, dw, m + 8, m + 4, &state, m + 1);
    if ((which >= 12 && which < 15) || (which > 20 && s < 0))
        s = snn_stdp_first_spike(&fd, 2 * B, 2, late, late, y, m, dw);
    if ((which >= 15 && which < 19) || (which > 20 && s < 0))
        s = snn_resume_linear(&ud, B, 2, 2, m, m + 4, m + 8, m + 12, dw);
    if (which == 19 || (which > 20 && s < 0)) s = snn_assign_labels(2 * B, 2, 2, m, k, dw, k + 2);
    if (which == 20 || (which > 20 && s < 0)) s = snn_vote(2 * B, 2, 2, m, k, NULL, dw, k + 2);
    if (which > 20 && s < 0) s = snn_pes_linear(0.1f, B, 2, 2, m, m + 4, dw, NULL);
    if (which > 20 && s < 0) s = snn_normalise_rows(dw, 2 * B, 2, 1.0f, 0);
    CHECK(s < 0);
    CHECK(!memcmp(m, kept, sizeof m) && k[2] == 0 && k[3] == 1 && state.mean == 0.0f);
}

/* ---- online and local rules, encoders of other frameworks ---- */

static float *random_floats(size_t n, float lo, float hi, uint32_t stream)
{
    float *x = floats(n);
    size_t i;
    for (i = 0; i < n; i++) x[i] = uniform(lo, hi, stream, i);
    return x;
}
static float *random_spikes(size_t n, float rate, uint32_t stream)
{
    float *x = random_floats(n, 0.0f, 1.0f, stream);
    size_t i;
    for (i = 0; i < n; i++) x[i] = x[i] < rate ? 1.0f : 0.0f;
    return x;
}

/* The papers' equations in double, a synapse at a time, in the order in which they stand there. */
static const snn_online_desc online_rows[] = {
    {0, 0, 0, 0, 0, 0, 0, NULL, 0},          {0, 0.9f, 0, 0, 0, 0, 0, NULL, 0},
    {0, 0.8f, 0.6f, 0, 0, 0, 0, NULL, 0},    {0, 0.8f, 0.6f, 1, 0, 0, 0, NULL, 0},
    {0, 0.8f, 0, 1, 0, 0, 0.7f, NULL, 0},    {0, 0.9f, 0, 0, 0.2f, 0.97f, 0, NULL, 0},
    {0, 0.9f, 0, 0, 0.2f, 0.97f, 0.8f, NULL, 0}};

static void online_reference(int row, int parts)
{
    enum { B = 3, I = 21, O = 5, T = 9 };
    snn_online_desc d = online_rows[row];
    float *pre = random_spikes(T * B * I, 0.3f, 1), *psi = random_floats(T * B * O, -0.5f, 1, 2);
    float *signal = random_floats(T * B * O, -1, 1, 3), *w = random_floats(O * I, -1, 1, 4);
    float *dw = floats(O * I), *db = floats(O), *dpre = floats(B * I), *want = floats(O * I);
    float *state = floats(snn_online_size(&d, B, I, O)), *bias = floats(O), *back = floats(B * I);
    int t, b, i, o;
    for (i = 0; i < T * B * O; i++) psi[i] = psi[i] > 0.0f ? psi[i] : 0.0f;
    for (t = 0; t < T; t++) {
        const float *x = pre + t * B * I, *s = signal + t * B * O;
        if (parts) CHECK(snn_online_trace(&d, B, I, x, state) != NULL);
        if (t == 4) s = NULL; /* nothing is learnt here, the traces go on */
        CHECK(snn_online_linear(&d, B, I, O, parts ? NULL : x, psi + t * B * O, s, w, state, dw, db,
                                dpre) == SNN_OK);
    }
    for (o = 0; o < O; o++)
        for (i = 0; i < I; i++) {
            double sum = 0.0;
            for (b = 0; b < B; b++) {
                double q = 0, p = 0, p1 = 0, a = 0, f = 0, h1 = 0;
                for (t = 0; t < T; t++) {
                    const double h = (double)psi[(t * B + b) * O + o];
                    const double k = d.normalise ? 1 - (double)d.decay : 1;
                    q = (double)d.decay * q + k * (double)pre[(t * B + b) * I + i];
                    p = (double)d.decay2 * p + (d.normalise ? 1 - (double)d.decay2 : 1) * q;
                    if (d.decay2 == 0.0f) p = q;
                    a = h1 * p1 + ((double)d.adaptation_decay - h1 * (double)d.adaptation) * a;
                    f = (double)d.smooth * f + h * (p - (double)d.adaptation * a);
                    if (t != 4) sum += (double)signal[(t * B + b) * O + o] * f;
                    p1 = p, h1 = h;
                }
            }
            want[o * I + i] = (float)sum;
        }
    for (t = 0; t < T; t++)
        for (b = 0; b < B; b++)
            for (o = 0; o < O; o++) {
                const float g = signal[(t * B + b) * O + o] * psi[(t * B + b) * O + o];
                if (t != 4) bias[o] += g;
                for (i = 0; t == T - 1 && i < I; i++) back[b * I + i] += g * w[o * I + i];
            }
    if (!(worst_relative(dw, want, O * I) < 1e-5)) fail("dw");
    if (!(worst_relative(db, bias, O) < 1e-5)) fail("db");
    if (!(worst_relative(dpre, back, B * I) < 1e-5)) fail("dpre");
}

/* With the neuron's own dV/dV as carry the rule is backpropagation through time, reset included. */
static void online_exact(int immediate, int b)
{
    enum { I = 13, O = 7, T = 12 };
    float *x = random_spikes(T * I, 0.4f, 1), *w = random_floats(O * I, -0.4f, 0.8f, 2);
    float *signal = random_floats(T * O, -1, 1, 3), *now = floats(T * O), *psi = floats(O);
    float *u = floats((T + 1) * 2 * O), *spk = floats(O), *carry = floats(O), *dx = floats(O);
    float *dw = floats(O * I), *want = floats(O * I), *du = floats(2 * O), *state;
    ZERO(snn_online_desc, d);
    ZERO(snn_neuron_desc, n);
    snn_neuron_model m;
    int t, o;
    (void)b;
    d.carry = carry;
    state = floats(snn_online_size(&d, 1, I, O));
    n.beta = 0.8f, n.reset = SNN_RESET_SUBTRACT;
    n.surrogate = SNN_HAT, n.surrogate_p0 = 0.7f, n.surrogate_p1 = 0.9f;
    CHECK(snn_neuron_init(&m, snn_neuron_info(immediate ? SNN_LIF : SNN_LEAKY), &n) == SNN_OK);
    for (t = 0; t < T; t++) {
        float *s[2], *v = now + t * O;
        s[0] = u + (t + 1) * 2 * O, s[1] = s[0] + O;
        memcpy(s[0], u + t * 2 * O, 2 * O * sizeof(float));
        CHECK(snn_dense_forward(v, x + t * I, w, NULL, 1, I, O) == SNN_OK);
        snn_neuron_forward(&m, O, spk, s, v);
        for (o = 0; o < O; o++) /* the slope of the last step is still in psi */
            carry[o] = 0.8f * (immediate ? 1.0f - psi[o] : 1.0f);
        for (o = 0; o < O; o++) psi[o] = s[0][o] + (immediate ? spk[o] : 0.0f) - 1.0f;
        snn_surrogate_grad(&m.surrogate, O, psi, NULL, psi);
        CHECK(snn_online_linear(&d, 1, I, O, x + t * I, psi, signal + t * O, NULL, state, dw, NULL,
                                NULL) == SNN_OK);
    }
    for (t = T - 1; t >= 0; t--) {
        float *ds[2], *dp[SNN_MAX_PARAMS + 1] = {NULL};
        const float *s[2];
        ds[0] = du, ds[1] = du + O, s[0] = u + t * 2 * O, s[1] = s[0] + O;
        snn_neuron_backward(&m, O, dx, ds, dp, s, now + t * O, signal + t * O);
        CHECK(snn_dense_backward(NULL, want, NULL, dx, x + t * I, NULL, 1, I, O) == SNN_OK);
    }
    if (!(worst_relative(dw, want, O * I) < 1e-5)) fail("%g", worst_relative(dw, want, O * I));
}

/* SLAYER against sums over the kernels as they are written. */
static double alpha_kernel(double t, double tau) { return t / tau * exp(1.0 - t / tau); }
static void slayer_reference(int a_, int b_)
{
    enum { T = 30, B = 2, I = 70, O = 6 };
    float *x = random_spikes(T * B * I, 0.2f, 1), *w = random_floats(O * I, -0.2f, 0.3f, 2);
    float *a = floats(T * B * I), *u = floats(T * B * O), *s = floats(T * B * O);
    float *e = random_floats(T * B * O, -1, 1, 3), *e0 = floats(T * B * O), *dw = floats(O * I);
    float *dx = floats(T * B * I), *ra = floats(T * B * I), *ru = floats(T * B * O);
    float *rw = floats(O * I), *rx = floats(T * B * I);
    ZERO(snn_slayer_desc, d);
    int t, k, b, i, o, spikes = 0;
    (void)a_, (void)b_;
    d.tau = 3, d.tau_refractory = 1.5f, d.threshold = 0.8f, d.height = 0.7f, d.steepness = 2;
    memcpy(e0, e, T * B * O * sizeof(float));
    CHECK(snn_slayer_forward(&d, T, B, I, O, x, w, a, u, s) == SNN_OK);
    CHECK(snn_slayer_backward(&d, T, B, I, O, a, u, w, e, dw, dx) == SNN_OK);
    for (t = 0; t < T; t++)
        for (b = 0; b < B; b++) {
            for (i = 0; i < I; i++)
                for (k = 0; k <= t; k++)
                    ra[(t * B + b) * I + i] +=
                        (float)alpha_kernel(t - k, 3) * x[(k * B + b) * I + i];
            for (o = 0; o < O; o++) {
                double sum = 0.0;
                for (i = 0; i < I; i++)
                    sum += (double)w[o * I + i] * (double)ra[(t * B + b) * I + i];
                for (k = 0; k < t; k++)
                    sum -= 1.6 * alpha_kernel(t - k, 1.5) * (double)s[(k * B + b) * O + o];
                ru[(t * B + b) * O + o] = (float)sum;
                spikes += s[(t * B + b) * O + o] > 0.0f;
                CHECK(s[(t * B + b) * O + o] == (u[(t * B + b) * O + o] >= 0.8f ? 1.0f : 0.0f));
            }
        }
    CHECK(spikes > 20 && worst_relative(a, ra, T * B * I) < 1e-5);
    CHECK(worst_relative(u, ru, T * B * O) < 1e-5);
    for (t = 0; t < T; t++)
        for (b = 0; b < B; b++)
            for (o = 0; o < O; o++) {
                const int at = (t * B + b) * O + o;
                const double g =
                    0.7 * exp(-2.0 * fabs((double)ru[at] - 0.8)) * (double)e0[at];
                for (i = 0; i < I; i++) {
                    rw[o * I + i] += (float)(g * (double)ra[(t * B + b) * I + i]);
                    for (k = 0; k <= t; k++)
                        rx[(k * B + b) * I + i] +=
                            (float)(g * alpha_kernel(t - k, 3) * (double)w[o * I + i]);
                }
            }
    CHECK(worst_relative(dw, rw, O * I) < 1e-5 && worst_relative(dx, rx, T * B * I) < 1e-5);
}

/* Gradients against central differences; the loss of extreme samples stays finite. */
static void forward_forward_gradient(int mean, int negative)
{
    enum { B = 4, I = 9, O = 6 };
    float *x = random_floats(B * I, 0, 1, 1), *w = random_floats(O * (I + 1), -1, 1, 2);
    float *h = floats(B * O), *dw = floats(O * (I + 1)), *want = floats(O * (I + 1));
    float up, down, G[B];
    ZERO(snn_forward_forward_desc, d);
    int k;
    d.mean = mean, d.negative = negative, d.threshold = 0.9f;
    CHECK(snn_forward_forward(&d, B, I, O, x, w, w + O * I, h, G, NULL, dw, dw + O * I) == SNN_OK);
    CHECK(G[0] > 0.0f && G[0] != G[1]);
    for (k = 0; k < O * (I + 1); k++) {
        const float keep = w[k];
        w[k] = keep + 0.01f;
        snn_forward_forward(&d, B, I, O, x, w, w + O * I, h, NULL, &up, NULL, NULL);
        w[k] = keep - 0.01f;
        snn_forward_forward(&d, B, I, O, x, w, w + O * I, h, NULL, &down, NULL, NULL);
        w[k] = keep;
        want[k] = (up - down) / 0.02f;
    }
    if (!(worst_relative(dw, want, O * (I + 1)) < 2e-3))
        fail("%g", worst_relative(dw, want, O * (I + 1)));
    for (k = 0; k < O * (I + 1); k++) w[k] *= 1e4f;
    snn_forward_forward(&d, B, I, O, x, w, w + O * I, h, G, &up, NULL, NULL);
    CHECK(up >= 0.0f && up <= G[0] + G[1] + G[2] + G[3]);
    memset(x, 0, B * I * sizeof(float)); /* no length to divide by */
    snn_forward_forward(&d, B, I, O, x, w, w + O * I, h, G, NULL, dw, NULL);
    CHECK(snn__all_finite(dw, O * I) && snn__all_finite(G, B));
}

/* Windows counted again at every step; a batch is the sum of its samples. */
static void bpstdp_windows(int window, int b_)
{
    enum { T = 20, B = 3, I = 8, O = 4 };
    const int label[B] = {2, 0, 3};
    float *x = random_spikes(T * B * I, 0.15f, 1), *s = random_spikes(T * B * O, 0.15f, 2);
    float *z = random_spikes(T * B, 0.5f, 3), *w = random_floats(O * I, -1, 1, 4), *dw, *want;
    float *in = floats((size_t)(window + 1) * B * I), *out = floats((size_t)(window + 1) * B * O);
    float xi[B * O], back[B * I], n[I];
    int t, b, i, o, k;
    (void)b_;
    dw = floats(O * I), want = floats(O * I);
    for (t = 0; t < T; t++) {
        CHECK(snn_bpstdp_error(window, t, B, O, s + t * B * O, label, z + t * B, out, xi) == 0);
        CHECK(snn_bpstdp_linear(window, t, B, I, O, x + t * B * I, xi, w, in, dw, back) == SNN_OK);
        for (b = 0; b < B; b++) {
            float sums[I] = {0};
            memset(n, 0, sizeof n);
            for (k = t; k >= 0 && k > t - window; k--)
                for (i = 0; i < I; i++) n[i] += x[(k * B + b) * I + i];
            for (o = 0; o < O; o++) {
                float fired = 0.0f, e;
                for (k = t; k >= 0 && k > t - window; k--) fired += s[(k * B + b) * O + o];
                e = o == label[b] ? fired == 0.0f : -(float)(fired > 0.0f);
                e = z[t * B + b] != 0.0f ? e : 0.0f;
                CHECK(xi[b * O + o] == e);
                for (i = 0; i < I; i++) {
                    want[o * I + i] += e * n[i];
                    sums[i] += e * w[o * I + i];
                }
            }
            for (i = 0; i < I; i++)
                CHECK(fabs((double)(back[b * I + i] - (n[i] > 0.0f ? sums[i] : 0.0f))) < 1e-6);
        }
    }
    CHECK(worst_relative(dw, want, O * I) < 1e-6);
}

static void encode_others(int a, int b)
{
    enum { T = 4000, n = 4 };
    static const float data[n] = {0.0f, 0.3f, 0.7f, 1.0f}, hz[n] = {0.0f, 20.0f, 100.0f, 333.0f};
    static const float every[n] = {0, 4, 2, 1};
    float *out = floats(T * n), *same = floats(T * n), sum[n], draws[2 * n] = {0};
    int i, t;
    (void)a, (void)b;
    CHECK(snn_encode_periodic(out, data, T, n, 1, 0) == SNN_OK);
    for (i = 0; i < n; i++)
        for (t = 0; t < T; t++)
            CHECK(out[t * n + i] == (i && (t + 1) % (int)every[i] == 0 ? 1.0f : 0.0f));
    CHECK(snn_encode_periodic(out, data, T, n, 1, 1) == SNN_OK);
    CHECK(snn_decode_sum(sum, out, T, n, 1.0f / T, 0) == SNN_OK);
    for (i = 0; i < n; i++) CHECK(fabs((double)(sum[i] - data[i])) < 1e-3);
    CHECK(snn_encode_draws(out, data, draws, 2, n, 1, 0) == SNN_OK && out[0] == 1.0f);
    CHECK(snn_encode_draws(out, data, draws, 2, n, 1, 1) == SNN_OK && out[1] == 0.0f);
    /* a zero interval counts as one step: 333 Hz lose 5 of themselves by that */
    CHECK(snn_encode_poisson(out, hz, T, n, 1e-3f, 5) == SNN_OK);
    CHECK(snn_decode_sum(sum, out, T, n, 1e3f / T, 0) == SNN_OK);
    note("%g %g %g %g Hz", (double)sum[0], (double)sum[1], (double)sum[2], (double)sum[3]);
    for (i = 0; i < n; i++)
        CHECK(fabs((double)(sum[i] - hz[i])) <= (i == 3 ? 20.0 : 0.08 * (double)hz[i]));
    CHECK(snn_encode_poisson(same, hz, 100, n, 1e-3f, 5) == SNN_OK);
    CHECK(same_bits(out, same, 100 * n));
    CHECK(snn_encode_poisson(same, hz, T, n - 1, 1e-3f, 5) == SNN_OK);
    for (t = 0; t < T; t++) CHECK(same[t * (n - 1) + 2] == out[t * n + 2]);
}

/* Each call with one thing wrong: an error, and nothing is written. */
static void rules_bad_input(int a, int b)
{
    float m[64], kept[64], *o = m + 16;
    int label[2] = {0, 1}, gaps[8] = {1, 1, 1, 1, 1, 1, 1, 1}, i;
    ZERO(snn_online_desc, d);
    ZERO(snn_slayer_desc, s);
    ZERO(snn_forward_forward_desc, f);
    (void)a, (void)b;
    for (i = 0; i < 64; i++) kept[i] = m[i] = (float)(i % 2);
    s.tau = 2;
#define BAD(call, status) CHECK((call) == (status) && same_bits(m, kept, 64))
    BAD(snn_dense_forward(o, NULL, m, NULL, 1, 2, 2), SNN_ERR_NULL);
    BAD(snn_dense_forward(o, m, m, NULL, 1, 0, 2), SNN_ERR_SHAPE);
    BAD(snn_dense_backward(o, NULL, NULL, m, m, NULL, 1, 2, 2), SNN_ERR_NULL);
    BAD(snn_dense_backward(NULL, o, NULL, m, m, m, -1, 2, 2), SNN_ERR_SHAPE);
#define LINEAR(d, B, state) snn_online_linear(d, B, 2, 2, m, m, m, m, state, o, o + 4, NULL)
    BAD(LINEAR(NULL, 1, o + 8), SNN_ERR_NULL);
    BAD(LINEAR(&d, 0, o + 8), SNN_ERR_SHAPE);
    BAD(LINEAR(&d, 1, NULL), SNN_ERR_NULL);
    BAD(snn_online_linear(&d, 1, 2, 2, m, m, m, NULL, o + 8, o, NULL, o + 4), SNN_ERR_NULL);
    CHECK(snn_online_size(&d, 1, 0, 2) == 0 && snn_online_size(NULL, 1, 2, 2) == 0);
    CHECK(snn_online_size(&d, 2, 3, 5) == 6 + 10 && !snn_online_trace(&d, 1, 2, m, NULL));
    d.smooth = NAN;
    BAD(LINEAR(&d, 1, o + 8), SNN_ERR_ARGUMENT);
    d.smooth = 0, d.decay = 1.5f;
    BAD(LINEAR(&d, 1, o + 8), SNN_ERR_ARGUMENT);
    d.decay = 0, d._end = 1;
    BAD(LINEAR(&d, 1, o + 8), SNN_ERR_DESC);
    BAD(snn_slayer_forward(NULL, 1, 1, 2, 2, m, m, o, o + 4, o + 8), SNN_ERR_NULL);
    BAD(snn_slayer_forward(&s, 0, 1, 2, 2, m, m, o, o + 4, o + 8), SNN_ERR_SHAPE);
    BAD(snn_slayer_forward(&s, 1 << 20, 1 << 20, 2, 2, m, m, o, o, o), SNN_ERR_TOO_LARGE);
    BAD(snn_slayer_backward(&s, 1, 1, 2, 2, m, m, NULL, o, o + 4, o + 8), SNN_ERR_NULL);
    s.tau = -1;
    BAD(snn_slayer_backward(&s, 1, 1, 2, 2, m, m, m, o, o + 4, o + 8), SNN_ERR_ARGUMENT);
    BAD(snn_alpha_filter(NAN, 2, 2, m, o, 0), SNN_ERR_ARGUMENT);
    BAD(snn_forward_forward(&f, 1, 2, 2, m, m, NULL, o, NULL, NULL, NULL, NULL), SNN_ERR_NULL);
    f.threshold = INFINITY;
    BAD(snn_forward_forward(&f, 1, 2, 2, m, m, m, o, NULL, NULL, NULL, NULL), SNN_ERR_ARGUMENT);
    BAD(snn_bpstdp_error(3, 0, 2, 1, m, label, NULL, o, o + 8), SNN_ERR_ARGUMENT);
    BAD(snn_bpstdp_error(0, 0, 1, 2, m, label, NULL, o, o + 8), SNN_ERR_ARGUMENT);
    BAD(snn_bpstdp_linear(3, -1, 1, 2, 2, m, m, m, o, o + 8, NULL), SNN_ERR_ARGUMENT);
    BAD(snn_bpstdp_linear(3, 0, 1, 2, 2, m, m, NULL, o, o + 8, o + 12), SNN_ERR_NULL);
    BAD(snn_encode_draws(o, m, NULL, 2, 2, 1, 0), SNN_ERR_NULL);
    BAD(snn_encode_periodic(o, m, 2, 2, NAN, 0), SNN_ERR_ARGUMENT);
    BAD(snn_encode_poisson(o, m, 2, 2, 0, 0), SNN_ERR_ARGUMENT);
    gaps[5] = -1;
    BAD(snn_encode_intervals(o, gaps, m, 3, 2), SNN_ERR_ARGUMENT);
    BAD(snn_decode_sum(o, m, 0, 2, 1, 0), SNN_ERR_ARGUMENT);
    m[1] = kept[1] = -1.0f;
    BAD(snn_encode_poisson(o, m, 2, 2, 1e-3f, 0), SNN_ERR_ARGUMENT);
    m[1] = kept[1] = NAN;
    BAD(snn_encode_poisson(o, m, 2, 2, 1e-3f, 0), SNN_ERR_NAN);
#undef BAD
#undef LINEAR
}

/* -- evolution strategy, bounds of parameter groups -- */

static snn_es_desc es_desc(int population)
{
    ZERO(snn_es_desc, d);
    d.population = population;
    d.sigma = 0.2f;
    d.seed = 5;
    return d;
}

/* Members and gradient by the definition, in double, with the ranks from counting. */
static void es_reference(int population, int equal)
{
    enum { n = 37, most = 64 };
    const snn_es_desc d = es_desc(population);
    const uint32_t generation = 3;
    float theta[n], own[n], g[n], again[n], shorter[n], fitness[most];
    double expected[n], sum, scale = 1e-3;
    int i, m, k;
    memset(expected, 0, sizeof expected);
    for (i = 0; i < n; i++) theta[i] = uniform(-1.0f, 1.0f, 910, (size_t)i);
    for (m = 0; m < population; m++) /* equal: few values, so that most ranks are shared */
        fitness[m] = equal ? (float)(m * m % 3) : uniform(-1.0f, 1.0f, 911, (size_t)m);
    for (m = population - 1; m >= 0; m--) { /* any order */
        double below = 0.0, u;
        for (k = 0; k < population; k++)
            below += fitness[k] < fitness[m] ? 1.0 : fitness[k] == fitness[m] && k != m ? 0.5 : 0.0;
        u = below / (population - 1) - 0.5;
        CHECK(snn_es_sample(&d, generation, m, n, theta, own) == SNN_OK);
        CHECK(snn_es_sample(&d, generation, m, 5, theta, shorter) == SNN_OK);
        CHECK(same_bits(own, shorter, 5));
        memcpy(again, theta, sizeof again);
        CHECK(snn_es_sample(&d, generation, m, n, again, again) == SNN_OK);
        CHECK(same_bits(own, again, n));
        CHECK(snn_es_sample(&d, generation, m ^ 1, n, theta, again) == SNN_OK);
        for (i = 0; i < n; i++) {
            const double e = (m % 2 ? -1.0 : 1.0) *
                             (double)snn_normal(5, generation, (uint32_t)m / 2, (uint32_t)i);
            expected[i] -= u * e / (population * 0.2);
            CHECK(fabs((double)own[i] - (double)theta[i] - 0.2 * e) < 1e-6);
            CHECK(fabs((double)own[i] + (double)again[i] - 2.0 * (double)theta[i]) < 1e-6);
        }
    }
    for (i = 0; i < n; i++) g[i] = 7.0f; /* is written, not added to */
    CHECK(snn_es_gradient(&d, generation, n, fitness, g) == SNN_OK);
    for (sum = 0.0, i = 0; i < n; i++) {
        if (fabs(expected[i]) > scale) scale = fabs(expected[i]);
        if (fabs((double)g[i] - expected[i]) > sum) sum = fabs((double)g[i] - expected[i]);
    }
    if (!(sum / scale < 2e-6)) fail("gradient is off by %g of %g", sum, scale);
    for (m = 0; m < population; m++) fitness[m] = expf(3.0f * fitness[m]); /* the same order */
    CHECK(snn_es_gradient(&d, generation, n, fitness, again) == SNN_OK && same_bits(g, again, n));
    for (m = 0; m < population; m++) fitness[m] = 4.5f;
    CHECK(snn_es_gradient(&d, generation, n, fitness, g) == SNN_OK);
    for (i = 0; i < n; i++) CHECK(g[i] == 0.0f);
}

/* A quadratic's maximum, by each optimiser. */
static void es_quadratic(int kind, int b)
{
    enum { n = 12, population = 24 };
    const snn_es_desc d = es_desc(population);
    float theta[n] = {0}, own[n], g[n], m1[n] = {0}, m2[n] = {0}, fitness[population];
    double distance = 0.0;
    int i, k, m;
    ZERO(snn_optim_desc, o);
    (void)b;
    o.kind = (snn_optim_kind)kind;
    o.lr = kind == (int)SNN_SGD ? 0.2f : 0.05f;
    for (k = 0; k < 300; k++) {
        for (m = 0; m < population; m++) {
            CHECK(snn_es_sample(&d, (uint32_t)k, m, n, theta, own) == SNN_OK);
            for (fitness[m] = 0.0f, i = 0; i < n; i++)
                fitness[m] -= (own[i] - 0.1f * (float)i) * (own[i] - 0.1f * (float)i);
        }
        CHECK(snn_es_gradient(&d, (uint32_t)k, n, fitness, g) == SNN_OK);
        CHECK(snn_optim_update(&o, k + 1, theta, g, m1, m2, n) == SNN_OK);
    }
    for (i = 0; i < n; i++) distance += pow((double)theta[i] - 0.1 * i, 2.0);
    note("%g from the maximum, at first %g", sqrt(distance), sqrt(5.06));
    CHECK(sqrt(distance) < 0.3);
}

/* snn_es_sample over snn_net_values also fills the padding between parameters: nothing reads it. */
static void es_padding(int row, int b)
{
    snn_net *net = build_row(&rows[row], NULL);
    float *x = row_input(&rows[row], 920), *before;
    snn_tensor out, v;
    size_t n, i;
    int k;
    (void)b;
    if (!net) return;
    CHECK(snn_net_train(net, 0) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    v = snn_net_values(net);
    out = snn_net_spikes(net, snn_net_output(net));
    n = snn_tensor_count(&out);
    before = floats(n);
    memcpy(before, out.data, n * sizeof(float));
    for (k = 0; k < snn_net_param_count(net); k++) {
        const snn_param *p = snn_net_param(net, k);
        if (!p->grad.data) continue;
        i = (size_t)(p->value.data - v.data) + snn_tensor_count(&p->value);
        for (; i % SNN__LANES && i < (size_t)v.shape[0]; i++) v.data[i] = 1e3f;
    }
    CHECK(snn_net_params_changed(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
    CHECK(same_bits(before, out.data, n));
}

static void es_bad(int a, int b)
{
    const snn_es_desc good = es_desc(4);
    float x[4] = {1, 2, 3, 4}, y[4] = {5, 6, 7, 8}, fitness[4] = {1, 2, 3, 4};
    const float kept[4] = {5, 6, 7, 8};
    snn_es_desc d = good;
    (void)a, (void)b;
#define BOTH(desc, n, error)                                                                       \
    CHECK(snn_es_sample(desc, 0, 0, n, x, y) == error &&                                           \
          snn_es_gradient(desc, 0, n, fitness, y) == error)
    BOTH(NULL, 4, SNN_ERR_NULL);
    BOTH(&good, 0, SNN_ERR_SHAPE);
    BOTH(&good, (size_t)0x80000000u, SNN_ERR_TOO_LARGE);
    d._start = 1, BOTH(&d, 4, SNN_ERR_DESC), d = good;
    d._end = 1, BOTH(&d, 4, SNN_ERR_DESC), d = good;
    d.population = 0, BOTH(&d, 4, SNN_ERR_ARGUMENT);
    d.population = 3, BOTH(&d, 4, SNN_ERR_ARGUMENT);
    d.population = -2, BOTH(&d, 4, SNN_ERR_ARGUMENT), d = good;
    d.sigma = -0.1f, BOTH(&d, 4, SNN_ERR_ARGUMENT);
    d.sigma = NAN, BOTH(&d, 4, SNN_ERR_ARGUMENT);
#undef BOTH
    CHECK(snn_es_sample(&good, 0, 0, 4, NULL, y) == SNN_ERR_NULL);
    CHECK(snn_es_sample(&good, 0, 0, 4, x, NULL) == SNN_ERR_NULL);
    CHECK(snn_es_sample(&good, 0, -1, 4, x, y) == SNN_ERR_ARGUMENT);
    CHECK(snn_es_sample(&good, 0, 4, 4, x, y) == SNN_ERR_ARGUMENT);
    CHECK(snn_es_gradient(&good, 0, 4, NULL, y) == SNN_ERR_NULL);
    CHECK(snn_es_gradient(&good, 0, 4, fitness, NULL) == SNN_ERR_NULL);
    fitness[3] = NAN;
    CHECK(snn_es_gradient(&good, 0, 4, fitness, y) == SNN_ERR_NAN);
    fitness[3] = -INFINITY;
    CHECK(snn_es_gradient(&good, 0, 4, fitness, y) == SNN_ERR_NAN);
    CHECK(same_bits(y, kept, 4));
}

/* An update with bounds is the one without, clipped; frozen ones stay where they are. Then bad
 * bounds. */
static void train_bounds(int kind, int b)
{
    static const snn_param_group open[] = {{"fc1", 0, 0, 0, 0, 0}, {"fc2.w", 0, 0, 1, 0, 0}};
    snn_param_group closed[] = {{"fc1", 0, 0, 0, 0.0f, 0.05f}, {"fc2.w", 0, 0, 1, 1.0f, 2.0f}};
    int y[16], i, k, step, at_bound = 0;
    float *x = toy_data(y, 16), loss;
    snn_net *net[2];
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    (void)b;
    l.kind = SNN_LOSS_CE_MEMBRANE;
    o.kind = (snn_optim_kind)kind;
    o.lr = 0.02f;
    o.num_groups = 2;
    for (k = 0; k < 2; k++)
        if (!(net[k] = build_row(&toy_row, NULL))) return;
    for (step = 0; step < 3; step++) {
        for (k = 0; k < 2; k++) {
            o.groups = k ? closed : open;
            CHECK(snn_net_zero_grad(net[k]) == SNN_OK && snn_net_forward(net[k], x) == SNN_OK);
            CHECK(snn_net_loss(net[k], &l, y, &loss) == SNN_OK);
            CHECK(snn_net_backward(net[k]) == SNN_OK && snn_net_optim_step(net[k], &o) == SNN_OK);
        }
        for (i = 0; i < snn_net_param_count(net[0]); i++) {
            const snn_param *p = snn_net_param(net[0], i), *q = snn_net_param(net[1], i);
            for (k = 0; p->grad.data && k < (int)snn_tensor_count(&p->value); k++) {
                float *v = &p->value.data[k];
                if (!strncmp(p->name, "fc1", 3)) {
                    at_bound += *v < 0.0f || *v > 0.05f;
                    *v = *v < 0.0f ? 0.0f : *v > 0.05f ? 0.05f : *v;
                }
                if (!same_bits(v, &q->value.data[k], 1)) fail("%s in step %d", p->name, step);
            }
        }
        snn_net_params_changed(net[0]);
    }
    CHECK(at_bound > 100);
    for (k = 0; k < 4; k++) { /* nothing changes, not even the other groups */
        const snn_tensor u = snn_net_values(net[0]), v = snn_net_values(net[1]);
        closed[0].lo = k == 0 ? 0.1f : k == 1 ? NAN : 0.0f;
        closed[0].hi = k == 2 ? NAN : k == 3 ? INFINITY : 0.05f;
        CHECK(snn_net_optim_step(net[1], &o) == SNN_ERR_ARGUMENT);
        CHECK(has_words(snn_net_error(net[1]), "fc1 lo hi"));
        CHECK(same_bits(u.data, v.data, snn_tensor_count(&u)));
    }
}

/* ConductanceLIF by hand: an input spike of weight 1 moves a resting membrane by 0.005 * 65 mV, an
 * inhibitory one by -0.005 * 35; a firing one stands still at v_reset for 10 steps. */
static void conductance_by_hand(int exponential, int b)
{
    enum { N = 20 }; /* more than a piece of plain arrays */
    float s[4][N], x[2 * N], spk[N], *state[4], theta[N];
    double g = 2.0, k;
    int i, t;
    snn_neuron_model m;
    ZERO(snn_conductance_lif_desc, d);
    (void)b;
    d.custom[2] = (float)exponential;
    CHECK(snn_neuron_init(&m, snn_neuron_info(SNN_CONDUCTANCE_LIF), &d) == SNN_OK);
    for (i = 0; i < 4; i++) state[i] = s[i];
    for (i = 0; i < N; i++) theta[i] = i < 2 ? -52.0f : -30.0f, x[i] = x[N + i] = 0.0f;
    m.param[0] = theta;
    snn_neuron_start(&m, N, state);
    x[0] = 1.0f, x[N + 1] = 1.0f;
    snn_neuron_forward(&m, N, spk, state, x);
    k = exponential ? (1.0 - exp(-0.005 * g)) / g : 0.005;
    CHECK(fabs((double)s[0][0] - (-65.0 + k * 65.0)) < 2e-5);
    CHECK(fabs((double)s[0][1] - (-65.0 - k * 35.0)) < 2e-5);
    CHECK(fabs((double)s[1][0] - exp(-0.5)) < 1e-6 && fabs((double)s[2][1] - exp(-0.25)) < 1e-6);
    CHECK(s[0][2] == -65.0f && s[1][2] == 0.0f && s[2][2] == 0.0f);
    x[0] = 80.0f, x[N + 1] = 0.0f, x[19] = 40.0f;
    snn_neuron_forward(&m, N, spk, state, x);
    CHECK(spk[0] == 1.0f && spk[19] == 0.0f && s[0][0] == -65.0f && s[0][19] > -54.0f);
    for (t = 0; t < 10; t++) {
        snn_neuron_forward(&m, N, spk, state, x);
        CHECK(spk[0] == 0.0f && s[0][0] == -65.0f);
    }
    CHECK(s[1][0] > 100.0f); /* conductances go on */
    snn_neuron_forward(&m, N, spk, state, x);
    CHECK(spk[0] == 1.0f);
    d.refractory = -1.0f; /* none: fires at every step */
    CHECK(snn_neuron_init(&m, snn_neuron_info(SNN_CONDUCTANCE_LIF), &d) == SNN_OK);
    s[3][0] = 0.0f, m.param[0] = theta;
    for (t = 0; t < 5; t++) {
        snn_neuron_forward(&m, N, spk, state, x);
        CHECK(spk[0] == 1.0f && s[0][0] == -65.0f);
    }
}

static void rules_homeostasis(int a, int b)
{
    enum { N = 37, T = 200 };
    const float nan = NAN, decay = 0.97f, plus = 0.3f, base = -52.0f;
    float theta[N], threshold[N], spikes[N], kept[2 * N];
    double want[N];
    int i, t;
    (void)a, (void)b;
    for (i = 0; i < N; i++) want[i] = (double)(theta[i] = uniform(0.0f, 2.0f, 820, (size_t)i));
    CHECK(snn_homeostasis(N, theta, threshold, NULL, base, decay, plus) == SNN_OK);
    for (i = 0; i < N; i++) CHECK(fabs((double)threshold[i] + 52.0 - 0.97 * want[i]) < 1e-5);
    for (t = 0; t < T; t++) {
        for (i = 0; i < N; i++) {
            spikes[i] = snn_uniform(3, 1, (uint32_t)t, (uint32_t)i) < 0.2f ? 1.0f : 0.0f;
            want[i] = want[i] * (double)decay + (double)(plus * spikes[i]);
        }
        CHECK(snn_homeostasis(N, theta, threshold, spikes, base, decay, plus) == SNN_OK);
    }
    for (i = 0; i < N; i++)
        CHECK(fabs((double)theta[i] - want[i]) < 1e-5 &&
              fabs((double)threshold[i] - (-52.0 + (double)decay * want[i])) < 1e-5);
    memcpy(kept, theta, sizeof theta);
    memcpy(kept + N, threshold, sizeof threshold);
    CHECK(snn_homeostasis(N, NULL, threshold, spikes, base, decay, plus) == SNN_ERR_NULL);
    CHECK(snn_homeostasis(N, theta, NULL, spikes, base, decay, plus) == SNN_ERR_NULL);
    CHECK(snn_homeostasis(0, theta, threshold, spikes, base, decay, plus) == SNN_ERR_SHAPE);
    CHECK(snn_homeostasis(N, theta, threshold, spikes, base, 1.1f, plus) == SNN_ERR_ARGUMENT);
    CHECK(snn_homeostasis(N, theta, threshold, spikes, base, -0.1f, plus) == SNN_ERR_ARGUMENT);
    CHECK(snn_homeostasis(N, theta, threshold, spikes, base, nan, plus) == SNN_ERR_ARGUMENT);
    CHECK(snn_homeostasis(N, theta, threshold, spikes, nan, decay, plus) == SNN_ERR_NAN);
    CHECK(snn_homeostasis(N, theta, threshold, spikes, base, decay, nan) == SNN_ERR_NAN);
    CHECK(same_bits(theta, kept, N) && same_bits(threshold, kept + N, N));
}

/* ---- layers that learn in the step ---- */

/* A layer with a rule and a twin without, whose weights the plain function moves from outside:
 * kinds 0 linear, 1 linear of few bits, 2 conv2d, 3 conv1d, 4 linear with reward. */
static int learning_net(snn_net **out, int kind, int attach, const snn_stdp_desc *d,
                        const snn_reward_desc *reward, int inference)
{
    int node, layer;
    ZERO(snn_net_desc, nd);
    ZERO(snn_linear_desc, fc);
    ZERO(snn_conv2d_desc, conv);
    ZERO(snn_leaky_desc, lif);
    nd.batch = 2, nd.steps = 1, nd.seed = 5, nd.input = SNN_INPUT_SPIKES, nd.inference = inference;
    fc.out_features = 7, fc.no_bias = 1, fc.weight_bits = kind == 1 ? 4 : 0;
    fc.init = SNN_INIT_XAVIER_UNIFORM, fc.init_gain = 2;
    conv.out_channels = 3, conv.kernel_w = 3, conv.kernel_h = kind == 3 ? 1 : 3, conv.stride = 2;
    conv.padding_w = 1, conv.padding_h = kind == 3 ? 0 : 1;
    lif.beta = 0.8f, lif.threshold = 0.3f;
    if (snn_net_create(out, &nd) != SNN_OK) return -1;
    keep_net(*out);
    node = snn_input(*out, 2, kind == 3 ? 1 : 6, 7);
    if (kind == 2) layer = snn_conv2d(*out, node, &conv);
    else if (kind == 3) layer = snn_conv1d(*out, node, &conv);
    else layer = snn_linear(*out, snn_flatten(*out, node), &fc);
    node = snn_leaky(*out, layer, &lif);
    if (kind == 2 || kind == 3) node = snn_flatten(*out, node);
    fc.out_features = 4, fc.weight_bits = 0;
    if (attach) CHECK(snn_net_stdp(*out, layer, d, reward) == SNN_OK);
    snn_net_record(*out, layer + 1, SNN_RECORD_SPIKES);
    snn_leaky(*out, snn_linear(*out, node, &fc), &lif);
    CHECK(snn_net_build(*out) == SNN_OK);
    return layer;
}
static void rules_net_stdp(int kind, int order)
{
    snn_net *net, *twin;
    ZERO(snn_stdp_desc, d);
    ZERO(snn_reward_desc, reward);
    const int conv = kind == 2 || kind == 3;
    const int I = kind == 3 ? 14 : 84, O = kind == 2 ? 36 : kind == 3 ? 12 : 7;
    float *pre_trace = floats(800), *post_trace = floats(300), *z = floats(2 * 84 * 7);
    float *e = floats(2 * 84 * 7), *x = floats(168), r[2];
    snn_conv2d_desc c;
    snn_reward state[2];
    int layer, t, i, round;
    size_t n, changed = 0;
    d.tau_pre = 5, d.tau_post = 7, d.order = (snn_stdp_order)order, d.bound = SNN_STDP_SOFT;
    d.a_pre = 0.05f, d.a_post = 0.1f, d.a_post3 = 0.02f, d.tau_post2 = 9, d.clip = 1, d.w_min = -1;
    reward.lr = 0.1f, reward.tau = 4, reward.tau_mean = 6;
    memset(&c, 0, sizeof c);
    memset(state, 0, sizeof state);
    c.out_channels = 3, c.kernel_w = 3, c.kernel_h = kind == 3 ? 1 : 3, c.stride = 2;
    c.padding_w = 1, c.padding_h = kind == 3 ? 0 : 1;
    layer = learning_net(&net, kind, 1, &d, kind == 4 ? &reward : NULL, order == 2);
    if (layer < 0 || learning_net(&twin, kind, 0, &d, NULL, 0) < 0) return;
    for (round = 0; round < 2; round++) {
        float *w = snn_net_param(twin, 0)->value.data;
        n = snn_tensor_count(&snn_net_param(twin, 0)->value);
        CHECK(snn_net_reset(net) == SNN_OK && snn_net_reset(twin) == SNN_OK);
        memset(pre_trace, 0, 800 * sizeof(float)), memset(post_trace, 0, 300 * sizeof(float));
        memset(z, 0, 2 * 84 * 7 * sizeof(float)), memset(state, 0, sizeof state);
        for (t = 0; t < 20; t++) {
            const float *mine = snn_net_find_param(net, snn_net_param(twin, 0)->name)->value.data;
            snn_tensor a, b;
            for (i = 0; i < 2 * I; i++)
                x[i] = snn_bernoulli(0.2f, 7, (uint32_t)round, (uint32_t)t, (uint32_t)i) ? 1.0f : 0;
            r[0] = uniform(-1, 1, 950, (size_t)t), r[1] = uniform(-1, 1, 951, (size_t)t);
            CHECK(snn_net_step(net, x) == SNN_OK && snn_net_step(twin, x) == SNN_OK);
            a = snn_net_spikes(net, layer + 1), b = snn_net_spikes(twin, layer + 1);
            if (memcmp(a.data, b.data, snn_tensor_count(&a) * sizeof(float)))
                fail("other spikes in step %d", t);
            if (conv)
                snn_stdp_conv2d(&d, &c, 2, 2, kind == 3 ? 1 : 6, 7, x, b.data, pre_trace,
                                post_trace, w, w);
            else
                snn_stdp_linear(&d, 2, I, O, x, b.data, pre_trace, post_trace, w,
                                kind == 4 ? NULL : w, kind == 4 ? e : NULL);
            if (kind == 4) {
                snn_reward_update(&reward, 2, n, w, z, e, state, t % 3 ? r : NULL);
                CHECK(snn_net_learn(net, t % 3 ? r : NULL) == SNN_OK);
                CHECK(snn_net_learn(net, r) == SNN_ERR_STATE);
            }
            if (memcmp(w, mine, n * sizeof(float))) fail("other weights after step %d", t);
            CHECK(snn_net_params_changed(twin) == SNN_OK);
            for (i = 0; i < (int)snn_tensor_count(&b); i++) changed += b.data[i] != 0.0f;
        }
        if (order == 2) continue;
        /* the readout learns by backward, the layer below only by its rule */
        CHECK(snn_net_train(net, 0) == SNN_OK && snn_net_step(net, x) == SNN_OK);
        CHECK(snn_net_find_param(net, conv ? "fc1.weight" : "fc2.weight")->grad.data != NULL);
        CHECK(snn_net_find_param(net, snn_net_param(twin, 0)->name)->grad.data == NULL);
        CHECK(snn_net_backward(net) == SNN_OK && snn_net_train(net, 1) == SNN_OK);
        CHECK(snn_net_step(twin, x) == SNN_OK);
        if (memcmp(w, snn_net_find_param(net, snn_net_param(twin, 0)->name)->value.data,
                   n * sizeof(float)))
            fail("learned at rest");
    }
    CHECK(changed > 100);
}

/* Without reset, and through one step through two layers, gradients forward in time are those of
 * backpropagation. */
static void rules_net_online(int layers, int unused)
{
    enum { B = 3, I = 9, H = 6, O = 4, T = 8 };
    const int steps = layers == 1 ? T : 1;
    snn_net *net[2];
    ZERO(snn_online_desc, d);
    float *x = floats((size_t)(T * B * I)), *g = floats((size_t)(T * B * O));
    int k, t, i, node, fc[2] = {0, 0};
    (void)unused;
    d.decay = 0.9f;
    for (i = 0; i < T * B * I; i++) x[i] = uniform(-1, 1, 960, (size_t)i);
    for (i = 0; i < T * B * O; i++) g[i] = uniform(-1, 1, 961, (size_t)i);
    for (k = 0; k < 2; k++) {
        ZERO(snn_net_desc, nd);
        ZERO(snn_linear_desc, ld);
        ZERO(snn_leaky_desc, lif);
        nd.batch = B, nd.steps = steps, nd.input = SNN_INPUT_DENSE, nd.seed = 3;
        lif.beta = 0.9f, lif.threshold = 0.2f, lif.reset = SNN_RESET_NONE;
        lif.surrogate = SNN_FAST_SIGMOID, lif.surrogate_p0 = 2;
        CHECK(snn_net_create(&net[k], &nd) == SNN_OK);
        keep_net(net[k]);
        node = snn_input(net[k], I, 0, 0);
        for (i = 0; i < layers; i++) {
            ld.out_features = i + 1 < layers ? H : O;
            ld.no_bias = steps > 1; /* a bias has no trace */
            fc[i] = snn_linear(net[k], node, &ld);
            node = snn_leaky(net[k], fc[i], &lif);
            if (k) CHECK(snn_net_online(net[k], fc[i], &d) == SNN_OK);
        }
        CHECK(snn_net_build(net[k]) == SNN_OK);
    }
    CHECK(snn_net_forward(net[0], x) == SNN_OK && snn_net_zero_grad(net[0]) == SNN_OK);
    memcpy(snn_net_dspikes(net[0], node).data, g, (size_t)(steps * B * O) * sizeof(float));
    CHECK(snn_net_backward(net[0]) == SNN_OK);
    CHECK(snn_net_reset(net[1]) == SNN_OK && snn_net_zero_grad(net[1]) == SNN_OK);
    for (t = 0; t < steps; t++) {
        CHECK(snn_net_step(net[1], x + t * B * I) == SNN_OK);
        memcpy(snn_net_signal(net[1], fc[layers - 1]).data, g + t * B * O, B * O * sizeof(float));
        CHECK(snn_net_learn(net[1], NULL) == SNN_OK);
        CHECK(snn_net_signal(net[1], fc[0]).data[0] == 0.0f);
    }
    for (k = 0; k < snn_net_param_count(net[0]); k++) {
        const snn_param *a = snn_net_param(net[0], k), *b = snn_net_param(net[1], k);
        float most = 1e-3f, worst = 0;
        for (i = 0; a->grad.data && i < (int)snn_tensor_count(&a->grad); i++) {
            const float e = a->grad.data[i] - b->grad.data[i];
            most = fabsf(a->grad.data[i]) > most ? fabsf(a->grad.data[i]) : most;
            worst = fabsf(e) > worst ? fabsf(e) : worst;
        }
        if (!(worst <= 1e-5f * most)) fail("%s differs by %g of %g", a->name, (double)worst,
                                           (double)most);
    }
}
static void rules_net_bad(int which, int unused)
{
    snn_net *net;
    snn_status s = SNN_OK;
    int x, fc, lif, pool;
    ZERO(snn_net_desc, nd);
    ZERO(snn_linear_desc, ld);
    ZERO(snn_leaky_desc, neuron);
    ZERO(snn_stdp_desc, d);
    ZERO(snn_reward_desc, r);
    ZERO(snn_online_desc, o);
    (void)unused;
    d.tau_pre = d.tau_post = which == 0 ? 0.0f : 5.0f;
    r.lr = which == 1 ? NAN : 0.1f;
    o.decay = which == 2 ? -1.0f : 0.5f;
    nd.inference = which == 3;
    ld.out_features = 4, neuron.beta = 0.5f;
    CHECK(snn_net_create(&net, &nd) == SNN_OK);
    keep_net(net);
    x = snn_input(net, 1, 4, 4);
    fc = snn_linear(net, snn_flatten(net, x), &ld);
    if (which == 4) s = snn_net_stdp(net, fc, &d, NULL); /* nobody reads it yet */
    lif = snn_leaky(net, fc, &neuron);
    pool = which == 5 ? snn_scale(net, fc, 2.0f) : 0;
    if (which == 5) snn_add(net, lif, pool);
    if (which == 0 || which == 1 || which == 5)
        s = snn_net_stdp(net, fc, &d, which == 1 ? &r : NULL);
    if (which == 2 || which == 3) s = snn_net_online(net, fc, &o);
    if (which == 6) s = snn_net_stdp(net, lif, &d, NULL);
    if (which == 7) s = snn_net_stdp(net, 99, &d, NULL);
    if (which >= 8) CHECK(snn_net_build(net) == SNN_OK);
    if (which == 8) s = snn_net_stdp(net, fc, &d, NULL);
    if (which == 9) s = snn_net_learn(net, NULL);
    if (which == 10) s = snn_net_stdp(net, fc, NULL, NULL);
    if (which == 11) s = snn_net_signal(net, fc).data ? SNN_OK : SNN_ERR_STATE;
    CHECK(s < 0);
    if (which < 10) CHECK(snn_net_error(net)[0] != 0);
}

/* ---- conversion ---- */

static int convert_ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}
/* percentiles of n values with ties, against sorting; bad calls change nothing */
static void convert_percentile(int n, int positive)
{
    static const double percents[] = {0, 12.5, 50, 99, 99.9, 100};
    float *x = floats((size_t)n), *sorted = floats((size_t)n), *keep = floats((size_t)n), got = -7;
    int i, k, m = 0;
    for (i = 0; i < n; i++) keep[i] = (float)floor((double)uniform(-40.0f, 60.0f, 900, (size_t)i));
    for (i = 0; i < n; i++)
        if (!positive || keep[i] > 0.0f) sorted[m++] = keep[i];
    qsort(sorted, (size_t)m, sizeof *sorted, convert_ascending);
    for (k = 0; k < COUNT_OF(percents); k++) {
        const double at = (m - 1) * (percents[k] / 100.0);
        double want = 0.0;
        if (m) want = (double)sorted[(int)at];
        if ((int)at + 1 < m) want += (at - (int)at) * ((double)sorted[(int)at + 1] - want);
        memcpy(x, keep, (size_t)n * sizeof(float));
        CHECK(snn_percentile(&got, x, (size_t)n, percents[k], positive) == SNN_OK);
        if (!(fabs((double)got - want) < 1e-5 * (1.0 + fabs(want))))
            fail("%g %%: %g, should be %g", percents[k], (double)got, want);
    }
    memcpy(x, keep, (size_t)n * sizeof(float));
    CHECK(snn_percentile(NULL, x, 1, 50, 0) == SNN_ERR_NULL);
    CHECK(snn_percentile(&got, NULL, 1, 50, 0) == SNN_ERR_NULL);
    CHECK(snn_percentile(&got, x, 0, 50, 0) == SNN_ERR_ARGUMENT);
    CHECK(snn_percentile(&got, x, (size_t)n, 100.1, 0) == SNN_ERR_ARGUMENT);
    CHECK(snn_percentile(&got, x, (size_t)n, (double)NAN, 0) == SNN_ERR_ARGUMENT);
    CHECK(same_bits(x, keep, (size_t)n));
    x[n / 2] = NAN;
    CHECK(snn_percentile(&got, x, (size_t)n, 50, 0) == SNN_ERR_NAN);
}

/* Nets to convert, on 2 x 8 x 8 inputs in [0,1]; the last is VGG16 with few channels. */
static const char *const convert_rows[] = {
    "flat | fc:20 | relu | fc:12 | relu | fc:5",
    "conv:6 k3 | relu | avg:2 | conv:5 k3 p1 nobias | relu | flat | drop:.4 | fc:9 | relu | fc:4",
    "conv:4 k3 p1 | norm:batch | relu @a | conv:4 k3 p1 | add@a | relu | sum:2 | flat | fc:4 | "
    "relu",
    "conv:4 k3 | relu @a | conv:3 k3 p1 | relu | scale:.5 | cat@a | flat | fc:5",
    "max:2 | conv:4 k3 | max:2 | relu | flat | fc:6 | qcfs t1.5 c1:1000000 | fc:4",
    "flat | fc:8 | qcfs per t.9 c1:1000000 | fc:3 | qcfs t.7 c1:1000000",
    "convt:3 k2 s2 | relu | avg:4 | flat | fc:4",
    "conv:4 k3 p1 | relu | conv:4 k3 p1 | relu | avg:2 | conv:6 k3 p1 | relu | conv:6 k3 p1 | relu "
    "| avg:2 | conv:8 k3 p1 | relu | conv:8 k3 p1 | relu | conv:8 k3 p1 | relu | avg:2 | conv:8 k3 "
    "p1 | relu | conv:8 k3 p1 | relu | conv:8 k3 p1 | relu | conv:8 k3 p1 | relu | conv:8 k3 p1 | "
    "relu | conv:8 k3 p1 | relu | flat | fc:24 | relu | fc:24 | relu | fc:10"};
enum { CONVERT_B = 4, CONVERT_N = 128, CONVERT_VGG = 7 };
static const char *const convert_names[] = {"max", "percentile", "diehl", "model", "spike_norm",
                                            "qcfs"};
static int convertible(int row, int method)
{
    if (method == (int)SNN_CONVERT_QCFS) return row == 5;
    return method != (int)SNN_CONVERT_MODEL || row < 6; /* in VGG's last layers sums are hopeless */
}

/* a row, its norms folded, every node recorded, and inputs in [0,1] */
static snn_net *convert_source(int row, snn_data *data)
{
    const net_row r = {"ann", SNN_INPUT_CONSTANT, 2, 8, 8, 1, CONVERT_B, convert_rows[row]};
    snn_net *net = keep_net(open_row(&r, NULL, NULL, 0));
    float *x = floats(CONVERT_B * CONVERT_N);
    int i;
    for (i = 1; i < net->count; i++) snn_net_record(net, i, SNN_RECORD_SPIKES);
    CHECK(snn_net_build(net) == SNN_OK && snn_net_train(net, 0) == SNN_OK);
    for (i = 0; i < snn_net_param_count(net); i++) {
        const snn_tensor *v = &snn_net_param(net, i)->value;
        size_t k;
        for (k = 0; v->ndim > 1 && k < snn_tensor_count(v); k++)
            v->data[k] *= row == CONVERT_VGG ? 4.0f : 2.4f;
        if (strcmp(snn_net_param(net, i)->name, "qcfs1.threshold")) continue;
        for (k = 0; k < snn_tensor_count(v); k++) v->data[k] *= 0.8f + 0.1f * (float)k;
    }
    snn_net_params_changed(net);
    snn_net_fold(net);
    for (i = 0; i < CONVERT_B * CONVERT_N; i++) x[i] = uniform(0.0f, 1.0f, 901, (size_t)i);
    memset(data, 0, sizeof *data);
    data->x = x;
    data->count = CONVERT_B;
    data->features = CONVERT_N;
    CHECK(snn_net_forward(net, x) == SNN_OK);
    return net;
}
static float convert_lambda(const snn_net *net, int node, size_t i)
{
    const snn_tensor *v = &node_param(net, node, "threshold")->value;
    return v->data[i * snn_tensor_count(v) / (size_t)net->node[node].n];
}

/* The mean output of every neuron and of the net comes to the old net's, by every method; lam is
 * no less than the activations it is the maximum of, and the same for any batch. */
static void convert_rates(int row, int method)
{
    enum { T = 1500 };
    snn_data data;
    snn_net *ann = convert_source(row, &data), *net = NULL, *other = NULL;
    int node, k;
    ZERO(snn_convert_desc, d);
    d.method = (snn_convert_method)method;
    d.channel_wise = row % 2;
    d.percentile = 100.0f;
    d.sweep_steps = 40;
    d.record = SNN_RECORD_SPIKES;
    d.net.inference = 1;
    for (k = 0; k < 2; k++) {
        d.net.batch = k ? CONVERT_B : CONVERT_B - 1;
        d.net.steps = k ? T : 1;
        if (snn_net_convert(k ? &net : &other, ann, &d, &data) != SNN_OK) {
            fail("%s", snn_net_error(ann));
            return;
        }
        keep_net(k ? net : other);
    }
    CHECK(snn_net_forward(net, data.x) == SNN_OK);
    for (node = 0; node < net->count; node++) {
        const snn_tensor s = snn_net_spikes(net, node);
        const int old = snn_net_node(ann, snn_net_node_name(net, node));
        const snn_tensor a = snn_net_spikes(ann, old);
        const int neuron = net->node[node].op == SNN__NEURON;
        const size_t n = CONVERT_B * (size_t)net->node[node].n;
        double worst = 0.0, scale = 1e-3, sum;
        size_t i, t;
        if (!neuron && node != net->count - 1) continue;
        for (i = 0; i < n; i++) {
            const double want = (double)a.data[i];
            const float lambda =
                neuron ? convert_lambda(net, node, i % (size_t)net->node[node].n) : 0.0f;
            for (sum = 0.0, t = 0; t < T; t++) sum += (double)s.data[t * n + i];
            worst = fmax(worst, fabs(sum / T - want));
            scale = fmax(scale, neuron ? (double)lambda : fabs(want));
            if (neuron && method != (int)SNN_CONVERT_SPIKE_NORM && !(want <= lambda * 1.00001f))
                fail("%s: an activation %g over %g", net->node[node].name, want, (double)lambda);
            if (neuron && lambda != convert_lambda(other, node, i % (size_t)net->node[node].n))
                fail("%s: lam depends on the batch", net->node[node].name);
        }
        note("%s: off by %.4f of %.3g", net->node[node].name, worst, scale);
        if (!(worst < (method == (int)SNN_CONVERT_MODEL && !neuron ? 0.1 : 0.01) * scale))
            fail("%s: off by %.2g of %.2g", net->node[node].name, worst, scale);
    }
}

/* A silent channel has the layer's lam, a silent layer 1; the last current, summed, decides. */
static void convert_silent(int a, int b)
{
    static const net_row r = {
        "silent", SNN_INPUT_CONSTANT, 1, 6, 6, 1, 3,
        "conv:3 k3 | relu | flat | fc:4 | relu | fc:3"};
    snn_net *ann = build_row(&r, NULL), *net = NULL;
    float *w = snn_net_find_param(ann, "conv1.weight")->value.data, most = 0.0f;
    float *v = snn_net_find_param(ann, "fc1.weight")->value.data;
    snn_data data;
    int i, y[3];
    ZERO(snn_convert_desc, d);
    (void)a, (void)b;
    for (i = 0; i < 27; i++) w[i] = (i / 9 == 1 ? -1.0f : 1.0f) * (float)fabs((double)w[i]);
    for (i = 0; i < 192; i++) v[i] = -(float)fabs((double)v[i]);
    memset(snn_net_find_param(ann, "conv1.bias")->value.data, 0, 3 * sizeof(float));
    memset(snn_net_find_param(ann, "fc1.bias")->value.data, 0, 4 * sizeof(float));
    snn_net_params_changed(ann);
    memset(&data, 0, sizeof data);
    data.x = row_input(&r, 500), data.y = y, data.count = 3, data.features = 36;
    d.channel_wise = 1;
    d.net.steps = 200;
    d.net.batch = 2;
    CHECK(snn_net_convert(&net, ann, &d, &data) == SNN_OK);
    keep_net(net);
    for (i = 0; i < 48; i += 32)
        most = (float)fmax((double)most, (double)convert_lambda(net, 2, (size_t)i));
    CHECK(most > 0.0f && convert_lambda(net, 2, 16) == most && convert_lambda(net, 5, 0) == 1.0f);
    CHECK(snn_net_forward(ann, data.x) == SNN_OK);
    snn_predict(SNN_ACCURACY_MEMBRANE, 1, 3, 3, snn_net_spikes(ann, 6).data, y, 0);
    CHECK(snn_evaluate(net, &data, SNN_ACCURACY_MEMBRANE) == 1.0);
}

/* Spike for spike the net with W lam_before/lam, b/lam, thresholds and spikes of 1, in double. */
static void convert_normalised(int zero, int half)
{
    enum { T = 80, IN = 128 };
    static const int size[] = {IN, 20, 12};
    snn_data data;
    snn_net *ann = convert_source(0, &data), *net = NULL;
    int b, l, t, i, o, fired = 0;
    ZERO(snn_convert_desc, d);
    d.reset = zero ? SNN_RESET_ZERO : SNN_RESET_DEFAULT;
    d.start = half ? 0.5f : 0.0f;
    d.net.steps = T;
    d.net.batch = CONVERT_B;
    d.record = SNN_RECORD_SPIKES;
    CHECK(snn_net_convert(&net, ann, &d, &data) == SNN_OK);
    keep_net(net);
    CHECK(net && snn_net_forward(net, data.x) == SNN_OK);
    for (b = 0; net && b < CONVERT_B; b++) {
        double v[2][20], s[3][IN];
        for (i = 0; i < 20; i++) v[0][i] = v[1][i] = half ? 0.5 : 0.0;
        for (i = 0; i < IN; i++) s[0][i] = (double)data.x[b * IN + i];
        for (t = 0; t < T; t++)
            for (l = 1; l < 3; l++) {
                const int node = snn_net_node(net, l == 1 ? "relu1" : "relu2");
                const snn_tensor out = snn_net_spikes(net, node);
                const float *w = snn_net_find_param(ann, l == 1 ? "fc1.weight" : "fc2.weight")
                                     ->value.data;
                const float *bias = snn_net_find_param(ann, l == 1 ? "fc1.bias" : "fc2.bias")
                                        ->value.data;
                const double lambda = (double)convert_lambda(net, node, 0);
                const double before = l == 1 ? 1.0 : (double)convert_lambda(net, node - 2, 0);
                for (o = 0; o < size[l]; o++) {
                    double *u = &v[l - 1][o], z = (double)bias[o] / lambda;
                    for (i = 0; i < size[l - 1]; i++)
                        z += (double)w[o * size[l - 1] + i] * before / lambda * s[l - 1][i];
                    *u += z;
                    s[l][o] = *u >= 1.0 - 1e-6;
                    if (s[l][o] > 0.0) *u = zero ? 0.0 : *u - 1.0;
                    fired += s[l][o] > 0.0;
                    if ((out.data[(t * CONVERT_B + b) * size[l] + o] > 0.0f) != (s[l][o] > 0.0))
                        fail("neuron %d of layer %d, step %d", o, l, t);
                }
            }
    }
    CHECK(fired > 500);
}
/* Bernoulli spikes at the input, thresholds by Spike-Norm on such trains or by the images. */
static void convert_spikes(int trains, int b)
{
    enum { T = 1200 };
    snn_data data;
    snn_net *ann = convert_source(0, &data), *net = NULL;
    float *x = floats(T * CONVERT_B * CONVERT_N), *y = floats(T * CONVERT_B * CONVERT_N);
    snn_tensor a, s;
    int i, t;
    ZERO(snn_convert_desc, d);
    (void)b;
    CHECK(snn_encode_rate(x, data.x, T, CONVERT_B * CONVERT_N, 1, 0, 0, 5) == SNN_OK);
    for (t = 0; t < T; t++)
        for (i = 0; i < CONVERT_B * CONVERT_N; i++) /* a sample is [T][N] */
            y[(i / CONVERT_N * T + t) * CONVERT_N + i % CONVERT_N] =
                x[t * CONVERT_B * CONVERT_N + i];
    if (trains) {
        d.method = SNN_CONVERT_SPIKE_NORM;
        data.x = y;
        data.features = T * CONVERT_N;
    }
    d.net.input = SNN_INPUT_SPIKES;
    d.net.steps = T;
    d.net.batch = CONVERT_B;
    CHECK(snn_net_convert(&net, ann, &d, &data) == SNN_OK);
    keep_net(net);
    CHECK(net && snn_net_forward(net, x) == SNN_OK);
    a = snn_net_spikes(ann, snn_net_output(ann));
    s = snn_net_spikes(net, snn_net_output(net));
    for (i = 0; s.data && i < CONVERT_B * 5; i++) {
        double sum = 0.0;
        for (t = 0; t < T; t++) sum += (double)s.data[t * CONVERT_B * 5 + i];
        if (!(fabs(sum / T - (double)a.data[i]) < 0.1))
            fail("output %d is %g, was %g", i, sum / T, (double)a.data[i]);
    }
}

/* A converted net survives its file; and the k-th allocation fails, k = 1, 2, ... */
static void convert_memory(int method, int b)
{
    snn_data data;
    snn_net *ann = convert_source(3, &data), *net = NULL, *again = NULL;
    snn_status s = SNN_ERR_MEMORY;
    size_t size;
    void *file;
    counter c;
    long k;
    ZERO(snn_convert_desc, d);
    (void)b;
    d.method = (snn_convert_method)method;
    d.channel_wise = 1;
    d.net.steps = 12;
    for (k = 1; k < 40 && s != SNN_OK; k++) {
        count_into(&d.net, &c);
        c.fail_at = k;
        s = snn_net_convert(&net, ann, &d, &data);
        CHECK(s == SNN_OK ? net != NULL : s == SNN_ERR_MEMORY && !net &&
                                              has_words(snn_net_error(ann), "convert memory"));
        if (s == SNN_OK) {
            c.fail_at = 0;
            size = snn_net_save_size(net);
            file = keep_bytes(size);
            CHECK(snn_net_save_to(net, file, size) == size);
            CHECK(snn_net_open_from(&again, &d.net, file, size, NULL) == SNN_OK);
            CHECK(snn_net_forward(net, data.x) == SNN_OK);
            CHECK(snn_net_forward(again, data.x) == SNN_OK);
            CHECK(same_bits(snn_net_spikes(net, net->count - 1).data,
                            snn_net_spikes(again, again->count - 1).data, 12 * 5));
            snn_net_destroy(again);
        }
        snn_net_destroy(net);
        if (c.live || c.wrong) fail("k = %ld: %lu bytes leak", k, (unsigned long)c.live);
    }
    CHECK(s == SNN_OK && k > 3);
}

/* what is wrong, in which net, what the sentence says */
static const struct {
    const char *name, *layers, *words;
    snn_status status;
} convert_bad_rows[] = {
    {"canary", "fc:3 | relu", "desc", SNN_ERR_DESC},
    {"net_canary", "fc:3 | relu", "desc", SNN_ERR_DESC},
    {"method", "fc:3 | relu", "method", SNN_ERR_ARGUMENT},
    {"no_steps", "fc:3 | relu", "steps", SNN_ERR_ARGUMENT},
    {"percentile_nan", "fc:3 | relu", "percentile", SNN_ERR_ARGUMENT},
    {"start_nan", "fc:3 | relu", "start", SNN_ERR_ARGUMENT},
    {"reset_none", "fc:3 | relu", "reset", SNN_ERR_ARGUMENT},
    {"no_data", "fc:3 | relu", "calibration", SNN_ERR_NULL},
    {"no_samples", "fc:3 | relu", "calibration", SNN_ERR_NULL},
    {"features", "fc:3 | relu", "127 128", SNN_ERR_SHAPE},
    {"nan", "fc:3 | relu", "input NaN", SNN_ERR_NAN},
    {"overflow", "fc:3 | scale:1e30 | scale:1e30 | relu", "relu1", SNN_ERR_NAN},
    {"norm", "fc:6 | norm:batch | relu", "norm1 snn_net_fold", SNN_ERR_UNSUPPORTED},
    {"leaky", "fc:6 | leaky b.9 | relu", "lif1 leaky", SNN_ERR_UNSUPPORTED},
    {"recurrent", "fc:6 | relu lin", "relu1 recurrence", SNN_ERR_UNSUPPORTED},
    {"multiply", "fc:6 | relu @a | mul@a", "multiply1", SNN_ERR_UNSUPPORTED},
    {"delay", "fc:6 | delay:2 | relu", "delay1", SNN_ERR_UNSUPPORTED},
    {"no_relu", "fc:6", "relu", SNN_ERR_UNSUPPORTED},
    {"qcfs", "fc:6 | relu", "relu1 qcfs", SNN_ERR_UNSUPPORTED},
    {"model", "reshape:2,8,8 | convt:2 k2 | relu", "deconv1 MODEL", SNN_ERR_UNSUPPORTED},
};
static void convert_bad(int row, int b)
{
    net_row r = {"bad", SNN_INPUT_CONSTANT, CONVERT_N, 0, 0, 1, CONVERT_B, NULL};
    const char *name = convert_bad_rows[row].name;
    snn_net *ann, *net;
    float *x = floats(CONVERT_B * CONVERT_N), *before;
    snn_tensor out;
    snn_status s;
    ZERO(snn_convert_desc, d);
    ZERO(snn_data, data);
    (void)b;
    r.layers = convert_bad_rows[row].layers;
    ann = net = build_row(&r, NULL);
    if (!ann) return;
    snn_net_train(ann, 0);
    x[5] = 1.0f;
    CHECK(snn_net_forward(ann, x) == SNN_OK);
    out = snn_net_spikes(ann, snn_net_output(ann));
    before = floats(snn_tensor_count(&out));
    memcpy(before, out.data, snn_tensor_count(&out) * sizeof(float));
    data.x = x, data.count = CONVERT_B, data.features = CONVERT_N;
    d.net.steps = 5;
    if (!strcmp(name, "canary")) d._end = 1;
    if (!strcmp(name, "net_canary")) d.net._start = 1;
    if (!strcmp(name, "method")) d.method = (snn_convert_method)99;
    if (!strcmp(name, "no_steps")) d.net.steps = 0;
    if (!strcmp(name, "percentile_nan")) d.percentile = NAN;
    if (!strcmp(name, "start_nan")) d.start = NAN;
    if (!strcmp(name, "reset_none")) d.reset = SNN_RESET_NONE;
    if (!strcmp(name, "no_samples")) data.count = 0;
    if (!strcmp(name, "features")) data.features = 127;
    if (!strcmp(name, "nan")) x[7] = NAN;
    if (!strcmp(name, "qcfs")) d.method = SNN_CONVERT_QCFS;
    if (!strcmp(name, "model")) d.method = SNN_CONVERT_MODEL;
    s = snn_net_convert(&net, ann, &d, strcmp(name, "no_data") ? &data : NULL);
    if (s == SNN_OK || net) fail("is accepted");
    if (s != convert_bad_rows[row].status) fail("%s", snn_status_name(s));
    note("%s", snn_net_error(ann));
    if (!has_words(snn_net_error(ann), convert_bad_rows[row].words))
        fail("says \"%s\"", snn_net_error(ann));
    out = snn_net_spikes(ann, snn_net_output(ann));
    CHECK(same_bits(before, out.data, snn_tensor_count(&out)));
    CHECK(snn_net_convert(NULL, ann, &d, &data) == SNN_ERR_NULL);
    CHECK(snn_net_convert(&net, ann, NULL, &data) == SNN_ERR_NULL);
    CHECK(snn_net_convert(&net, NULL, &d, &data) == SNN_ERR_NULL);
}

/* ---- exact spike times ---- */

enum { TIMES_IN = 6, TIMES_OUT = 4, TIMES_DELAYS = 5 };
enum { TIMES_W = TIMES_IN * TIMES_OUT * TIMES_DELAYS };
static const float times_delay[TIMES_DELAYS] = {1, 3, 4, 7, 9};

/* Brute force: the first time on a fine grid where the sum of responses reaches theta, refined. */
static double times_first(const snn_spikeprop_desc *d, const float *t_in, const float *w)
{
    double tau = given(d->tau, 7), theta = given(d->theta, 1), lo = 0, hi = 0, x = 0, t;
    int n, i, k;
    for (n = 1; n < 200000 + 60 && (x < theta || n > 200000); n++) {
        t = n <= 200000 ? n * 5e-4 : 0.5 * (lo + hi); /* grid up to 100, then halves */
        for (x = 0, i = 0; i < TIMES_IN; i++)
            for (k = 0; k < TIMES_DELAYS; k++) {
                double a = (t - (double)t_in[i] - (double)d->delay[k]) / tau;
                if (a > 0) x += (double)w[i * TIMES_DELAYS + k] * a * exp(1 - a);
            }
        if (x >= theta && n <= 200000) hi = t, lo = t - 5e-4, n = 200000;
        else if (n > 200000) *(x < theta ? &lo : &hi) = t;
    }
    return hi > 0 ? hi : (double)SNN_NEVER;
}

/* Times against brute force, gradients against differences of exact times; two samples. */
static void times_spikeprop(int seed, int negative)
{
    enum { B = 2 };
    float x[B * TIMES_IN], w[TIMES_W], t[B * TIMES_OUT], slope[B * TIMES_OUT], g[B * TIMES_OUT];
    float dw[TIMES_W], dx[B * TIMES_IN], t2[B * TIMES_OUT], s2[B * TIMES_OUT];
    snn_spike spikes[TIMES_IN * TIMES_DELAYS + TIMES_OUT];
    double state[2 * TIMES_OUT];
    int i, j, b;
    ZERO(snn_spikeprop_desc, d);
    d.delay = times_delay, d.delays = TIMES_DELAYS, d.slope_min = -1, d.theta = 0.9f;
    for (i = 0; i < B * TIMES_IN; i++) x[i] = uniform(-2, 8, 340 + (uint32_t)seed, (size_t)i);
    x[1] = SNN_NEVER;
    for (i = 0; i < TIMES_W; i++) {
        w[i] = uniform(negative ? -0.25f : 0, 0.4f, 360 + (uint32_t)seed, (size_t)i);
        if (i >= TIMES_W - TIMES_IN * TIMES_DELAYS) w[i] = 0.01f; /* the last one stays silent */
        dw[i] = 0;
    }
    CHECK(snn_spikeprop_forward(&d, B, TIMES_IN, TIMES_OUT, t, slope, x, w, spikes, state) ==
          SNN_OK);
    for (b = 0; b < B; b++)
        for (j = 0; j < TIMES_OUT; j++) {
            float got = t[b * TIMES_OUT + j];
            double want = times_first(&d, x + b * TIMES_IN, w + j * TIMES_IN * TIMES_DELAYS);
            CHECK(fabs((double)got - want) <= 1e-6 * want + (want < 1e30 ? 1e-6 : 0));
            CHECK((got == SNN_NEVER) == (slope[b * TIMES_OUT + j] == 0));
            CHECK(j < TIMES_OUT - 1 || got == SNN_NEVER);
            g[b * TIMES_OUT + j] = uniform(-1, 1, 303, (size_t)(b * TIMES_OUT + j));
            /* where x only grazes theta differences tell little */
            if (slope[b * TIMES_OUT + j] < 0.06f) g[b * TIMES_OUT + j] = 0;
        }
    CHECK(snn_spikeprop_backward(&d, B, TIMES_IN, TIMES_OUT, dw, dx, NULL, g, t, slope, x, w) ==
          SNN_OK);
    for (i = 0; i < TIMES_W + B * TIMES_IN; i++) {
        float *p = i < TIMES_W ? &w[i] : &x[i - TIMES_W], keep = *p, h = 1e-3f;
        double got = (double)(i < TIMES_W ? dw[i] : dx[i - TIMES_W]), want = 0;
        int side, same = 1;
        if (keep == SNN_NEVER) CHECK(got == 0);
        for (side = -1; side <= 1 && keep < SNN_NEVER; side += 2) {
            *p = keep + (float)side * h;
            CHECK(snn_spikeprop_forward(&d, B, TIMES_IN, TIMES_OUT, t2, s2, x, w, spikes, state) ==
                  SNN_OK);
            for (j = 0; j < B * TIMES_OUT; j++) {
                same &= (t2[j] < SNN_NEVER) == (t[j] < SNN_NEVER) &&
                        fabsf(s2[j] - slope[j]) <= 0.02f * slope[j]; /* no arrival in between */
                want += side * (double)g[j] * (double)(t2[j] < SNN_NEVER ? t2[j] : 0) /
                        (2 * (double)h);
            }
        }
        *p = keep;
        if (same && fabs(got - want) > 2e-2 * (fabs(want) + 0.3))
            fail("gradient %d is %g, by differences %g", i, got, want);
    }
    /* on a grid: the first step that is not before the exact time, where x still holds */
    d.step = 0.25f, d.t_end = 60;
    CHECK(snn_spikeprop_forward(&d, B, TIMES_IN, TIMES_OUT, t2, s2, x, w, spikes, state) == SNN_OK);
    for (j = 0; j < B * TIMES_OUT; j++)
        CHECK(t2[j] >= t[j] && (t2[j] == SNN_NEVER || t2[j] * 4 == floorf(t2[j] * 4)));
}

/* Gradients of weights and input times against differences, for several time constants. */
static void times_eventprop(int seed, int which)
{
    enum { I = 5, O = 3, N = 20, MAX = 500 };
    static const float tau[][2] = {{20, 5}, {10, 10}, {10, 10.001f}, {4, 12}};
    snn_spike in[N], out[MAX], moved[MAX];
    float w[O * I], dw[O * I], dt[N], g[MAX];
    double state[2 * O], want, slowest = 0;
    int i, k, n, m, side;
    ZERO(snn_eventprop_desc, d);
    d.tau_mem = tau[which][0], d.tau_syn = tau[which][1], d.t_end = 90;
    for (k = 0; k < N; k++) {
        in[k].t = (double)uniform(0, 60, 310 + (uint32_t)seed, (size_t)k), in[k].neuron = k % I;
        in[k].slope = 0;
    }
    for (i = 0; i < O * I; i++) {
        w[i] = uniform(-0.5f, 3, 311 + (uint32_t)seed, (size_t)i) * d.tau_mem / 8 /
               (d.tau_syn > 8 ? 2.0f : 1.0f);
        dw[i] = 0;
    }
    snn_spikes_sort(in, N);
    n = snn_eventprop_forward(&d, I, O, out, MAX, in, N, w, state);
    CHECK(n > O);
    for (k = 0; k < n; k++) g[k] = uniform(-1, 1, 312, (size_t)out[k].neuron);
    for (k = 0; k < n; k++)
        if (out[k].slope < 0.05f) slowest = 1; /* it grazes: differences tell little */
    for (k = 1; k < n; k++) CHECK(out[k - 1].t <= out[k].t && out[k].t <= 90);
    CHECK(snn_eventprop_forward(&d, I, O, moved, n - 1, in, N, w, state) == SNN_ERR_TOO_LARGE);
    CHECK(snn_eventprop_backward(&d, I, O, dw, dt, g, out, n, in, N, w, state) == SNN_OK);
    for (i = 0; i < O * I + N && !slowest; i++) {
        double h = 1e-5, got = (double)(i < O * I ? dw[i] : dt[i - O * I]);
        float keep = w[i < O * I ? i : 0];
        double kept = in[i < O * I ? 0 : i - O * I].t;
        for (want = 0, m = n, side = -1; side <= 1; side += 2) {
            if (i < O * I) {
                w[i] = keep + (float)side * 2e-5f;
                h = ((double)w[i] - (double)keep) * side;
            } else in[i - O * I].t = kept + side * h;
            for (k = 1; k < N; k++)
                if (in[k - 1].t > in[k].t) m = -1; /* moved past its neighbour */
            if (m == n) m = snn_eventprop_forward(&d, I, O, moved, MAX, in, N, w, state);
            for (k = 0; k < m && m == n; k++)
                want += side * (double)uniform(-1, 1, 312, (size_t)moved[k].neuron) * moved[k].t /
                        (2 * h);
            if (i < O * I) w[i] = keep;
            else in[i - O * I].t = kept;
        }
        if (m == n && fabs(got - want) > 1e-2 * (fabs(want) + 0.1))
            fail("gradient %d is %g, by differences %g", i, got, want);
    }
    note("%d spikes%s", n, slowest > 0 ? ", one grazes" : "");
}

/* Bad input: a status, and nothing written. */
static void times_bad(int a, int b)
{
    float x[2] = {0, 1}, w[4] = {1, 1, 1, 1}, t[2] = {7, 7}, s[2] = {7, 7}, lo = 0, hi = 1;
    float nan = 0;
    uint32_t bits = 0x7fc00000u;
    double state[4];
    snn_spike in[2] = {{1, 0, 0}, {2, 1, 0}}, out[6];
    ZERO(snn_spikeprop_desc, sp);
    ZERO(snn_eventprop_desc, ev);
    ZERO(snn_population_desc, pop);
    (void)a, (void)b;
    memcpy(&nan, &bits, sizeof nan);
    sp.delay = times_delay, sp.delays = 1, ev.tau_mem = 4, ev.tau_syn = 2, pop.fields = 4;
#define FORWARD snn_spikeprop_forward(&sp, 1, 2, 2, t, s, x, w, out, state)
#define EVENTS snn_eventprop_forward(&ev, 2, 2, out, 6, in, 2, w, state)
#define POPULATION snn_encode_population(&pop, 1, 1, t, NULL, x, &lo, &hi)
#define WRONG(field, value, call, error) \
    do { \
        float kept_ = (field); \
        (field) = (value); \
        CHECK((snn_status)(call) == (error)); \
        (field) = kept_; \
    } while (0)
    WRONG(sp.tau, -1, FORWARD, SNN_ERR_ARGUMENT);
    WRONG(sp.theta, nan, FORWARD, SNN_ERR_ARGUMENT);
    WRONG(sp.step, 1, FORWARD, SNN_ERR_ARGUMENT); /* steps without an end */
    WRONG(sp.w_min, 1, FORWARD, SNN_ERR_ARGUMENT);
    WRONG(x[1], nan, FORWARD, SNN_ERR_NAN);
    WRONG(ev.tau_syn, 0, EVENTS, SNN_ERR_ARGUMENT);
    WRONG(ev.theta, -1, EVENTS, SNN_ERR_ARGUMENT);
    WRONG(pop.beta, nan, POPULATION, SNN_ERR_ARGUMENT);
    WRONG(hi, 0, POPULATION, SNN_ERR_ARGUMENT);
    WRONG(x[0], nan, POPULATION, SNN_ERR_NAN);
    sp._start = 1, ev._end = 1, pop._end = 1;
    CHECK(FORWARD == SNN_ERR_DESC && EVENTS == (int)SNN_ERR_DESC && POPULATION == SNN_ERR_DESC);
    sp._start = 0, ev._end = 0, pop._end = 0;
    sp.delays = 0, pop.fields = 2;
    CHECK(FORWARD == SNN_ERR_SHAPE && POPULATION == SNN_ERR_ARGUMENT);
    sp.delays = 1;
    CHECK(snn_spikeprop_update(&sp, 1, NULL, w) == SNN_ERR_NULL);
    CHECK(snn_spikeprop_backward(&sp, 1, 2, 2, w, x, NULL, s, t, s, x, NULL) == SNN_ERR_NULL);
    in[1].neuron = 2;
    CHECK(EVENTS == (int)SNN_ERR_ARGUMENT);
    in[1].neuron = 1, in[1].t = 0.5; /* not sorted */
    CHECK(EVENTS == (int)SNN_ERR_ARGUMENT);
    CHECK(t[0] == 7 && s[0] == 7 && x[1] == 1 && w[0] == 1);
#undef FORWARD
#undef EVENTS
#undef POPULATION
#undef WRONG
}

/* ---- all cases ---- */

static void add_all(void)
{
    const char *word;
    int i, k, m;
    fill_rows();
    add(core_status, 0, 0, "core/status");
    add(core_tensor, 0, 0, "core/tensor");
    add(core_uniform, 0, 0, "core/rng_uniform");
    add(core_normal, 0, 0, "core/rng_normal");
    add(core_order, 0, 0, "core/rng_order");
    add(core_permutation, 0, 0, "core/permutation");
    add(core_pack, 0, 0, "core/pack");
    for (i = 0; i < 40; i++)
        add(core_canary, i / 2, i % 2, "core/canary_%d_%s", i / 2, i % 2 ? "end" : "start");
    for (i = (int)SNN_ISA_SCALAR; i <= (int)snn_isa_best(); i++)
        for (k = 0; k < 2; k++)
            for (m = 0; m < COUNT_OF(kernel_checks); m++)
                add(kernel_checks[m].check, i, k, "kernels/%s%s%s", kernel_checks[m].name,
                    snn_isa_name((snn_isa)i), k ? "_exact" : "");
    add(kernels_sizes, 0, 0, "kernels/sizes");
    add(surrogate_names, 0, 0, "surrogates/names");
    for (i = 0; i < (int)SNN_SURROGATE_COUNT; i++) {
        const char *name = snn_surrogate_name((snn_surrogate_kind)i);
        for (k = 0; k < 2; k++) {
            add(surrogate_values, i, k, "surrogates/values_%s_%d", name, k);
            add(surrogate_integral, i, k, "surrogates/primitive_%s_%d", name, k);
        }
    }
    add(registry_rows, 0, 0, "net/every_registry_row_is_tested");
    add(neuron_infos, 0, 0, "neurons/infos");
    for (i = 0; i < COUNT_OF(neuron_formulas); i++)
        add(neuron_equations, i, 0, "neurons/equations %s", neuron_formulas[i].layers);
    for (i = 0; i < 2 * COUNT_OF(detach_rows); i++)
        add(neuron_detach, i / 2, i % 2, "neurons/%s %s", i % 2 ? "detached" : "attached",
            detach_rows[i / 2]);
    for (i = 0; i < (int)SNN_NEURON_COUNT; i++) {
        const snn_neuron_def *def = snn_neuron_info((snn_neuron_kind)i);
        for (k = 0; k < COUNT_OF(neuron_options); k++)
            if ((!*neuron_options[k].only || !strcmp(neuron_options[k].only, def->name)) &&
                /* without its reset Izhikevich's membrane runs to infinity */
                (i != (int)SNN_IZHIKEVICH || !strstr(neuron_options[k].words, "inh")))
                add(neuron_plain, i, k, "neurons/%s_plain %s", neuron_makers[i].name,
                    neuron_options[k].words);
        for (k = 0; k < 24; k++)
            add(gradient_neuron, i, k, "neurons/%s_gradient %s %s %s", neuron_makers[i].name,
                resets[k % 3], delays[k / 3 % 2], learns[k / 6]);
    }
    for (i = 0; i < (int)SNN_SURROGATE_COUNT; i++)
        for (k = 0; k < 2 && i != (int)SNN_STOCHASTIC; k++)
            add(gradient_surrogate, i, k, "neurons/surrogate_%s%s",
                snn_surrogate_name((snn_surrogate_kind)i), k ? "_now" : "");
    for (i = 0; i < 6; i++)
        add(gradient_state, i % 3, i / 3, "neurons/state_gradient %s %s", resets[i % 3],
            delays[i / 3]);
    add(gradient_fades, 0, 0, "net/gradient_fades");
    for (i = 0; i < 8; i++)
        add(optim_fades, i / 2, i % 2, "optim/moments_fade_%d%s", i / 2, i % 2 ? "_momentum" : "");
    add(optim_small, 0, 0, "optim/small_gradients");
    add(soft_lif_equation, 0, 0, "neuron/soft_lif_equation");
    for (i = 0; i < COUNT_OF(window_layers); i++)
        for (k = 0; k < 3; k++)
            add(layer_windows, i, k, "layers/windows %s, %s", window_layers[i], input_names[k]);
    for (i = 0; i < COUNT_OF(simple_layers); i++)
        for (k = 0; k < 3; k++)
            add(layer_simple, i, k, "layers/values %s, %s", simple_layers[i], input_names[k]);
    for (i = 1; i < 12; i += 2)
        for (k = 0; k < 3; k++)
            add(layer_delay_chunks, i, k, "layers/delay_%d_chunks_%s", i, input_names[k]);
    for (i = 0; i < COUNT_OF(norm_rows); i++)
        for (k = 0; k < 6; k++)
            add(layer_norm, i, k, "layers/values %s, %s %s", norm_rows[i], input_names[k / 2],
                k % 2 ? "image" : "vector");
    for (i = 0; i < GRADIENT_ROWS; i++) add(gradient_row, i, 0, "layers/%s", gradient_rows[i].name);
    for (i = 0; i < ROWS; i++)
        if (differentiable(&rows[i]))
            add(gradient_row, i, 1, "layers/net_%s", rows[i].name);
    for (i = 0; i < (int)SNN_LOSS_COUNT; i++) {
        for (k = 0; k < COUNT_OF(loss_options); k++)
            add(loss_gradient, i, k, "loss/%s_%s", snn_loss_name((snn_loss_kind)i),
                loss_options[k]);
        for (k = 0; k < GRADIENT_ROWS; k++)
            if (i != (int)SNN_LOSS_CE_TEMPORAL && i != (int)SNN_LOSS_MSE_TEMPORAL)
                add(net_gradcheck, k, i, "loss/gradcheck_%s_%s", snn_loss_name((snn_loss_kind)i),
                    gradient_rows[k].name);
    }
    for (i = 0; i < COUNT_OF(rate_prices); i++) {
        add(loss_rates, i, 0, "loss/rates_%s", rate_prices[i].name);
        for (k = 0; k < 2; k++)
            add(loss_rates_net, i, k, "loss/rates_%s_%s", k ? "and_another" : "of_a_net",
                rate_prices[i].name);
    }
    for (i = 0; i < ROWS; i++) {
        const char *name = rows[i].name;
        add(net_alive, i, 0, "net/alive_%s", name);
        add(net_in_parts, i, 0, "net/step_equals_sequence_%s", name);
        add(net_in_parts, i, -1, "net/step_equals_sequence_inference_%s", name);
        add(net_in_parts, i, 1, "net/chunks_1_%s", name);
        add(net_in_parts, i, 3, "net/chunks_3_%s", name);
        add(net_inference, i, 0, "net/inference_%s", name);
        for (k = 0; k < V_DET; k++)
            if (!whole_pass(&rows[i]) || k < V_K1 || (k > V_K7 && k != V_KG))
                add(net_variant, i, k, "net/%s_%s", variant_names[k], name);
        for (k = (int)SNN_ISA_SIMD128; k <= (int)snn_isa_best(); k++) {
            add(net_variant, i, V_DET + 100 * k, "net/%s_%s_%s", variant_names[V_DET],
                snn_isa_name((snn_isa)k), name);
            add(net_variant, i, V_ISA + 100 * k, "net/%s_%s_%s", variant_names[V_ISA],
                snn_isa_name((snn_isa)k), name);
        }
        add(net_stats, i, 0, "net/stats_%s", name);
        add(net_print, i, 0, "net/print_%s", name);
        for (k = 0; k < COUNT_OF(memory_options); k++)
            if (!whole_pass(&rows[i]) || strcmp(memory_options[k], "checkpoint"))
            add(memory_exact, i, k, "memory/exact_%s_%s", memory_options[k], name);
        add(memory_silent, i, 0, "memory/silent_%s", name);
        add(memory_kth, i, 0, "alloc/kth_failure_%s", name);
        add(memory_kth, i, 1, "alloc/kth_failure_open_%s", name);
        add(io_round_trip, i, 0, "io/round_trip_%s", name);
    }
    add(net_synops, 0, 0, "net/synops");
    add(net_segments, 0, 0, "net/gradient_steps_chosen");
    add(net_segments, 1, 0, "net/gradient_steps_chosen_recurrent");
    for (i = 0; i < 10; i++) {
        static const int outs[5] = {260, 272, 288, 520, 1000};
        add(net_blocks, i % 2, outs[i / 2], "net/gradient_blocks%s_%d", i % 2 ? "_dense" : "",
            outs[i / 2]);
    }
    add(quant_range, 0, 0, "net/quant_range_below");
    add(quant_range, 1, 0, "net/quant_range_above");
    add(net_pool_1x1, 0, 0, "net/max_pool_of_1x1");
    add(net_pool_kept, 0, 0, "net/max_pool_kept");
    add(net_accumulates, 0, 0, "net/accumulates");
    add(net_accumulates, 1, 0, "net/accumulates_recorded");
    add(net_half, 0, 0, "net/half_traces");
    add(net_half, 1, 0, "net/half_traces_fit");
    add(net_floor, 0, 0, "net/gradient_floor");
    for (i = 0; i < 4; i++)
        add(net_words, i / 2, i % 2, "net/packed_input%s%s", i / 2 ? "_step" : "",
            i % 2 ? "_recorded" : "");
    add(net_dropout, 0, 0, "net/dropout");
    add(net_step_frames, 0, 0, "net/step_frames");
    add(net_names, 0, 0, "net/names");
    add(net_print_health, 0, 0, "net/print_dead_saturated");
    for (i = 0; i < COUNT_OF(round_rows); i++)
        for (k = 2; k <= 8; k++) add(net_rounded, i, k, "net/weights_of_%d_bits_%d", k, i);
    for (i = 0; i < COUNT_OF(fold_rows); i++)
        for (k = 0; k < 2; k++)
            add(net_folded, i, k, "net/fold %s, %s", fold_rows[i].layers, input_names[k]);
    for (i = 0; i < COUNT_OF(debug_rows); i++)
        for (k = 0; k < 2; k++)
            add(net_debug, i, k, "net/debug_%s%s", debug_rows[i].name, k ? "_checkpoint" : "");
    for (i = 0; i < 4; i++)
        add(net_debug_backward, i / 2, i % 2, "net/debug_backward_%s_%s",
            i / 2 ? "hidden" : "output", i % 2 ? "on" : "off");
    for (i = 0; i <= (int)SNN_INIT_CONSTANT; i++) add(net_init, i, 0, "net/init_%d", i);
    add(memory_create_in, 0, 0, "memory/create_in");
    add(io_truncated, 0, 0, "io/truncated");
    for (i = 0; i < 3; i++) add(io_mutated, i + 1, 0, "io/mutated_%d", i);
    for (i = 0; i < COUNT_OF(headers); i++) add(io_header, i, 0, "io/header_%s", headers[i].name);
    for (i = 0; i < 7; i++) add(io_length, i, 0, "io/length_%d", i);
    for (i = 0; i < 3; i++) add(io_deep, i, 0, "io/deep_%d", i);
    for (i = 0; i < 3; i++) add(io_nan, i, 0, "io/nan_%d", i);
    add(io_other_net, 0, 0, "io/other_net");
    for (i = 0; i < COUNT_OF(idx_files); i++) add(io_idx, i, 0, "io/idx_%s", idx_files[i].name);
    for (i = 0; i < COUNT_OF(stdp_bounds); i++)
        for (k = 0; k < 8; k++) {
            static const char *const modes[] = {
                "", " exp", " nearest", " exp nearest", " sizes", " exp sizes", " nearest sizes",
                " exp nearest sizes"};
            add(rules_stdp_linear, i, k, "rules/stdp_linear %s%s", stdp_names[i], modes[k]);
            add(rules_stdp_silent, i, k, "rules/stdp_silent %s%s", stdp_names[i], modes[k]);
        }
    for (i = 0; i < COUNT_OF(stdp_convs); i++)
        for (k = 0; k < 8; k++) add(rules_stdp_conv, i, k, "rules/stdp_conv_%d_%d", i, k);
    add(rules_stdp_outside, 0, 0, "rules/stdp_weights_out_of_bounds");
    for (i = 0; i < 12; i++)
        for (k = 0; k < 32; k++) add(rules_stdp_orders, i, k, "rules/stdp_order_%d_%d", i, k);
    for (i = 0; i < 3; i++)
        for (k = 0; k < 4; k++) add(rules_stdp_whole_image, i, k, "rules/stdp_whole_%d_%d", i, k);
    add(rules_reward, 0, 0, "rules/reward");
    add(rules_supervised, 0, 0, "rules/resume_pes");
    add(rules_vote, 0, 0, "rules/vote");
    for (i = 0; i < 22; i++) add(rules_bad, i, 0, "rules/bad_%d", i);

    for (i = 0; i < COUNT_OF(online_rows); i++)
        for (k = 0; k < 2; k++)
            add(online_reference, i, k, "rules/online_%d%s", i, k ? "_in_parts" : "");
    add(online_exact, 0, 0, "rules/online_exact_leaky");
    add(online_exact, 1, 0, "rules/online_exact_lif");
    add(slayer_reference, 0, 0, "rules/slayer");
    for (i = 0; i < 4; i++)
        add(forward_forward_gradient, i / 2, i % 2, "rules/forward_forward_%s_%s",
            i / 2 ? "mean" : "sum", i % 2 ? "negative" : "positive");
    for (i = 1; i < 8; i += 3) add(bpstdp_windows, i, 0, "rules/bpstdp_window_%d", i);
    add(encode_others, 0, 0, "encode/periodic_poisson_draws");
    add(rules_bad_input, 0, 0, "badinput/online_and_local_rules");

    for (i = 2; i <= 64; i += i < 8 ? 2 : 28)
        for (k = 0; k < 2; k++) add(es_reference, i, k, "rules/es_%d%s", i, k ? "_equal" : "");
    for (i = 0; i <= (int)SNN_RMSPROP; i++) add(es_quadratic, i, 0, "rules/es_quadratic_%d", i);
    for (i = 0; i < ROWS; i++) add(es_padding, i, 0, "rules/es_padding_%s", rows[i].name);
    add(es_bad, 0, 0, "rules/es_bad_input");
    for (i = 0; i <= (int)SNN_RMSPROP; i++) add(train_bounds, i, 0, "train/bounds_%d", i);

    add(conductance_by_hand, 0, 0, "neurons/conductance_by_hand euler");
    add(conductance_by_hand, 1, 0, "neurons/conductance_by_hand exponential");
    add(rules_homeostasis, 0, 0, "rules/homeostasis");

    for (i = 0; i < 5; i++)
        for (k = 0; k < 3; k++) add(rules_net_stdp, i, k, "rules/net_stdp_%d_order_%d", i, k);
    for (i = 1; i < 3; i++) add(rules_net_online, i, 0, "rules/net_online_%d", i);
    for (i = 0; i < 12; i++) add(rules_net_bad, i, 0, "rules/net_bad_%d", i);
    for (i = 1; i < 2000; i = 3 * i + 1)
        for (k = 0; k < 2; k++)
            add(convert_percentile, i, k, "convert/percentile_%d%s", i, k ? "_positive" : "");
    for (i = 0; i < COUNT_OF(convert_rows); i++)
        for (k = 0; k < COUNT_OF(convert_names); k++)
            if (convertible(i, k))
                add(convert_rates, i, k, "convert/%s_%d", convert_names[k], i);
    add(convert_silent, 0, 0, "convert/silent");
    for (i = 0; i < 4; i++)
        add(convert_normalised, i / 2, i % 2, "convert/equals_scaled_weights%s%s",
            i / 2 ? "_zero" : "", i % 2 ? "_half" : "");
    for (i = 0; i < 2; i++) add(convert_spikes, i, 0, "convert/spikes_%d", i);
    for (k = 0; k < 5; k += 2) add(convert_memory, k, 0, "convert/memory_%s", convert_names[k]);
    for (i = 0; i < COUNT_OF(convert_bad_rows); i++)
        add(convert_bad, i, 0, "convert/bad_%s", convert_bad_rows[i].name);
    for (i = 0; i < 8; i++) {
        add(times_spikeprop, i, i & 1, "rules/times_spikeprop_%d", i);
        for (k = 0; k < 4; k++) add(times_eventprop, i, k, "rules/times_eventprop_%d_%d", i, k);
    }
    add(times_bad, 0, 0, "rules/times_bad_input");
    add(events_nmnist, 0, 0, "events/nmnist");
    add(events_aedat, 0, 0, "events/aedat");
    for (i = 0; i < COUNT_OF(aedat_packets); i++)
        add(events_aedat_packet, i, 0, "events/aedat_packet_%s", aedat_packets[i].name);
    add(events_shd, 0, 0, "events/shd");
    for (i = 0; i < COUNT_OF(frame_rows); i++)
        for (k = 0; k < 8; k++)
            add(events_frames, i, k, "events/frames_%d%s%s%s", i, k & 1 ? "_reverse" : "",
                k & 2 ? "_no_polarity" : "", k & 4 ? "_binary" : "");
    add(nir_round_trip, 0, 0, "nir/round_trip");
    for (i = 0; i < COUNT_OF(nir_nodes); i++) add(nir_net, i, 0, "nir/net_equals_node_%d", i);
    for (i = 0; i < COUNT_OF(bad_layers); i++)
        add(bad_layer, i, 0, "badinput/%s", bad_layers[i].name);
    for (word = bad_calls; *word; word += strcspn(word, " ") + 1)
        add(bad_call, 0, 0, "badinput/%.*s", (int)strcspn(word, " "), word);
    for (word = bad_arrays; *word; word += strcspn(word, " ") + 1)
        add(bad_array, 0, 0, "badinput/%.*s", (int)strcspn(word, " "), word);
    for (i = 0; i < (int)SNN_LOSS_COUNT; i++)
        add(train_learns, i, 0, "train/learns_%s", snn_loss_name((snn_loss_kind)i));
    for (i = 1; i < 4; i++)
        add(train_learns, (int)SNN_LOSS_CE_MEMBRANE, i, "train/learns_optimiser_%d", i);
    add(train_learns, (int)SNN_LOSS_CE_COUNT, 4, "train/learns_weights_of_4_bits");
    add(train_parts, 0, 0, "train/data_subset_split");
    for (i = 0; i < COUNT_OF(update_names); i++)
        add(train_update, i, 0, "train/update_%s", update_names[i]);
    for (i = 0; i < 6; i++)
        add(train_evaluate, i / 2, i % 2, "train/evaluate_%d_%s", i / 2,
            i % 2 ? "bytes" : "floats");
    add(train_batch, 0, 0, "train/batch");
    add(train_schedules, 0, 0, "train/schedules");
    for (i = 4; i < 14; i += 3) add(train_truncated, i, 0, "train/truncated_%d", i);
}

int main(int argc, char **argv)
{
    const char *filter = "";
    int i, list = 0, passed = 0, failed = 0;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) list = 1;
        else if (!strcmp(argv[i], "--verbose")) g_verbose = 1;
        else filter = argv[i];
    }
#ifdef _OPENMP
    omp_set_num_threads(1); /* more only where they are compared: these nets are tiny */
#endif
    add_all();
    for (i = 0; i < g_case_count; i++) {
        if (!strstr(g_cases[i].name, filter)) continue;
        if (list) {
            printf("%s\n", g_cases[i].name);
            continue;
        }
        g_name = g_cases[i].name;
        g_fails = 0;
        g_cases[i].run(g_cases[i].a, g_cases[i].b);
        release();
        if (g_fails) failed++;
        else passed++;
        if (g_verbose) printf("%s %s\n", g_fails ? "FAIL" : "ok  ", g_name);
    }
    if (!list) {
        printf("rows: %d neurons, %d layers, %d surrogates, %d losses, %d optimisers, "
               "%d schedules, %d norms, %d initialisations, %d metrics\n",
               (int)SNN_NEURON_COUNT, (int)SNN__LAYER_COUNT, (int)SNN_SURROGATE_COUNT,
               (int)SNN_LOSS_COUNT, (int)SNN_RMSPROP + 1, (int)SNN_SCHEDULE_ONE_CYCLE + 1,
               (int)SNN_NORM_LAYER + 1, (int)SNN_INIT_CONSTANT + 1, (int)SNN_ACCURACY_MEMBRANE + 1);
        printf("%d passed, %d failed\n", passed, failed);
    }
    return failed != 0 || (!list && passed == 0);
}
