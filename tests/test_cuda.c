/* test_cuda.c - snn_cuda.h against the engine of snn.h
 *
 *     cc -O2 -ffp-contract=off tests/test_cuda.c -o build/test_cuda -lm     without a GPU
 *     nvcc -O3 -std=c++17 -fmad=false -arch=native -x cu tests/test_cuda.c -lcublas -o test_cuda
 *     build/test_cuda [--verbose] [filter]
 *
 * Every row of test_snn.c's table of nets, so every layer and neuron, is built twice, and the twins
 * must agree: spikes exactly, membranes to 1e-5 (with half_traces to a half's last place, as the
 * last bit of a sum decides how it is rounded), gradients to 1e-4 of the largest, losses and
 * parameters after some training. By the first line the device is tests/cuda_shim.h, which runs the
 * very kernels in plain C; by the second a real one. */
#define main test_snn_main
#include "test_snn.c"
#undef main
#include "../snn_cuda.h"
#ifndef __CUDACC__
    #define SNN_CUDA_SHIM
    #include "cuda_shim.h"
#endif
#define SNN_CUDA_IMPLEMENTATION
#include "../snn_cuda.h"

/* how a row's net is built: words of the names */
static const char *const variants[] = {"plain", "recorded", "dense", "gradients1",
                                       "gradients3 recorded", "gradients3 dense",
                                       "window4 gradients2", "window4 recorded", "half",
                                       "half window4 gradients2", "floor", "debug window4"};
enum { PLAIN, ALL_RECORDED, DENSE, SEGMENTS = 5, WINDOWS, RECORDED_WINDOWS, HALF, HALF_WINDOWS,
       FLOOR, DEBUG, VARIANTS };

static snn_cuda_desc launches; /* one by one, not as graphs */

/* One of the twins. device: 1, or 2 with plain launches. recorded: every node keeps and takes all
 * there is; else buffers are shared. */
static snn_net *twin(const net_row *r, int variant, int device, const snn_net_desc *over)
{
    const char *how = variants[variant];
    snn_net *net;
    int i;
    ZERO(snn_net_desc, d);
    if (over) d = *over;
    d.deterministic = 1;
    d.seed = 3;
    if (strstr(how, "dense")) d.spikes = SNN_SPIKES_DENSE;
    if (strstr(how, "gradients")) d.gradient_steps = strstr(how, "gradients")[9] - '0';
    if (strstr(how, "floor")) d.gradient_floor = 0.05f;
    if (strstr(how, "debug")) d.debug = 1;
    if (strstr(how, "half")) d.half_traces = 1;
    if (strstr(how, "window") && !says(r, "norm:threshold")) d.checkpoint = 4;
    launches.no_graphs = 1;
    if (device) d.backend = snn_cuda_backend(device == 2 ? &launches : NULL);
    net = keep_net(open_row(r, &d, NULL, 0));
    for (i = 0; strstr(how, "recorded") && net && i < net->count; i++)
        CHECK(snn_net_record(net, i, 15) == SNN_OK);
    if (net && snn_net_build(net) != SNN_OK && !device)
        fail("%s is not built: %s", r->name, snn_net_error(net));
    return net;
}
static int twins(const net_row *r, int variant, const snn_net_desc *over, snn_net **cpu,
                 snn_net **gpu)
{
    *cpu = twin(r, variant, 0, over);
    *gpu = twin(r, variant, 1, over);
    if (*gpu && (*gpu)->built) return *cpu && (*cpu)->built;
    fail("%s: %s", r->name, *gpu ? snn_net_error(*gpu) : "no net");
    return 0;
}

static void near_tensor(snn_tensor a, snn_tensor b, double tolerance, const char *what, int node)
{
    size_t n = a.data ? snn_tensor_count(&a) : 0, i;
    double d;
    if (!a.data != !b.data || (b.data && snn_tensor_count(&b) != n)) {
        fail("%s of node %d: one has it, the other has not", what, node);
        return;
    }
    for (i = 0; tolerance == 0.0 && i < n; i++)
        if (a.data[i] != b.data[i]) {
            fail("%s of node %d: %lu is %.9g, should be %.9g", what, node, (unsigned long)i,
                 (double)a.data[i], (double)b.data[i]);
            return;
        }
    d = n && tolerance > 0.0 ? worst_relative(a.data, b.data, n) : 0.0;
    if (!(d <= tolerance)) fail("%s of node %d differ by %.1e", what, node, d);
}
static void near_signals(const snn_net *a, const snn_net *b)
{
    const double least = b->desc.half_traces ? 5e-4 : 1e-5;
    int i, k;
    for (i = 1; i < a->count; i++) {
        near_tensor(snn_net_spikes(a, i), snn_net_spikes(b, i),
                    b->node[b->node[i].root].op == SNN__NEURON &&
                            !b->node[b->node[i].root].desc.output_membrane ? 0.0 : least,
                    "spikes", i);
        near_tensor(snn_net_membrane(a, i), snn_net_membrane(b, i), least, "membranes", i);
        for (k = 0; k < SNN_MAX_STATES; k++) {
            near_tensor(snn_net_trace(a, i, k), snn_net_trace(b, i, k), least, "traces", i);
            near_tensor(snn_net_state(a, i, k), snn_net_state(b, i, k), least, "states", i);
        }
    }
}
/* The bias of a layer before a batch norm changes nothing: its gradient is what rounding leaves,
 * and an optimiser takes that anywhere. */
static int idle_bias(const snn_net *net, int k)
{
    const int x = net->param[k].node;
    int i, idle = 0;
    for (i = x + 1; i < net->count; i++)
        idle |= net->node[i].op == SNN__NORM && net->node[i].in[0] == x &&
                net->node[i].i[SNN__NORM_KIND] != SNN_NORM_LAYER;
    return idle && strstr(net->param[k].name, ".bias") != NULL;
}
/* With the many levels of the table's row a qcfs' threshold takes its gradient from the distance of
 * a value to its level, which is of the size of rounding. */
static int noisy(const snn_net *net, int k)
{
    return strstr(net->param[k].name, "qcfs") != NULL;
}
static void near_gradients(const snn_net *a, const snn_net *b)
{
    int i, k;
    for (i = 0; i < a->params; i++) { /* a scalar's is one sum of many numbers that cancel */
        const int one = snn_tensor_count(&a->param[i].value) == 1, noise = noisy(a, i);
        if (!idle_bias(a, i))
            near_tensor(snn_net_param(a, i)->grad, snn_net_param(b, i)->grad,
                        noise ? 5e-3 : one ? 1e-3 : 1e-4, a->param[i].name, a->param[i].node);
    }
    for (i = 0; i < a->count; i++) {
        near_tensor(snn_net_dspikes(a, i), snn_net_dspikes(b, i), 1e-4, "dspikes", i);
        for (k = 0; k < SNN_MAX_STATES + 1; k++)
            near_tensor(snn_net_dstate(a, i, k), snn_net_dstate(b, i, k), 1e-4, "dstates", i);
    }
}
static void near_values(const snn_net *a, const snn_net *b, double tolerance)
{
    int i;
    size_t k;
    for (i = 0; i < a->params; i++) { /* running means move with an idle bias */
        const snn_tensor g = snn_net_param(b, i)->grad;
        double largest = g.data ? 0.0 : 1.0;
        for (k = 0; g.data && k < snn_tensor_count(&g); k++)
            if (fabs((double)g.data[k]) > largest) largest = fabs((double)g.data[k]);
        if (tolerance > 0.0 && (idle_bias(a, i) || strstr(a->param[i].name, "running_mean") ||
                                largest < 1e-6)) /* only rounding, which optimisers blow up */
            continue;
        near_tensor(snn_net_param(a, i)->value, snn_net_param(b, i)->value, tolerance,
                    a->param[i].name, a->param[i].node);
    }
}
/* Gradients of one's own into every node that takes them. */
static void push_all(snn_net *net)
{
    int i, k;
    size_t j;
    for (i = 0; i < net->count; i++)
        for (k = -1; k < SNN_MAX_STATES; k++) {
            snn_tensor t = k < 0 ? snn_net_dspikes(net, i) : snn_net_dtrace(net, i, k);
            if (net->node[i].root != i) continue;
            if (k >= 0 && net->node[i].op != SNN__NEURON) continue;
            for (j = 0; t.data && j < snn_tensor_count(&t); j++)
                t.data[j] = uniform(-1.0f, 1.0f, (uint32_t)(600 + 10 * i + k), j);
        }
    CHECK(snn_net_backward(net) == SNN_OK);
}

/* spikes of the last pass, also where it is not stored whole or was run again */
static void near_counts(snn_net *const *net)
{
    int i, k;
    for (i = 0; i < net[0]->count; i++) {
        snn_layer_stats s[2];
        for (k = 0; k < 2; k++) CHECK(snn_net_stats(net[k], i, &s[k]) == SNN_OK);
        if (s[0].spikes != s[1].spikes)
            fail("node %d has %g spikes, should have %g", i, s[0].spikes, s[1].spikes);
    }
}

/* a pass, its gradients, another without zeroing them, evaluation, single steps, chunks */
static void cuda_pass(int row, int variant)
{
    const net_row *r = &rows[row];
    const size_t frame = row_frame(r);
    snn_net *net[2];
    float *x = row_input(r, 500), *x2 = row_input(r, 501);
    int k, t;
    if (!twins(r, variant, NULL, &net[1], &net[0])) return;
    for (k = 0; k < 2; k++) {
        CHECK(snn_net_zero_grad(net[k]) == SNN_OK);
        CHECK(snn_net_forward(net[k], x) == SNN_OK);
    }
    near_signals(net[0], net[1]);
    for (k = 0; k < 2; k++) push_all(net[k]);
    near_gradients(net[0], net[1]);
    near_counts(net);
    for (k = 0; k < 2; k++) {
        CHECK(snn_net_forward(net[k], x2) == SNN_OK);
        push_all(net[k]);
    }
    near_gradients(net[0], net[1]);
    near_signals(net[0], net[1]);
    for (k = 0; k < 2; k++)
        CHECK(snn_net_train(net[k], 0) == SNN_OK && snn_net_forward(net[k], x) == SNN_OK);
    near_signals(net[0], net[1]);
    near_counts(net);
    for (k = 0; k < 2; k++)
        CHECK(snn_net_train(net[k], 1) == SNN_OK && snn_net_reset(net[k]) == SNN_OK);
    for (t = 0; t < r->T; t++) {
        const float *now = r->input != SNN_INPUT_CONSTANT ? x + (size_t)t * frame : t ? NULL : x;
        for (k = 0; k < 2; k++) CHECK(snn_net_step(net[k], now) == SNN_OK);
        near_signals(net[0], net[1]);
    }
    for (k = 0; k < 2; k++) CHECK(snn_net_reset(net[k]) == SNN_OK);
    for (t = 0; t < r->T; t += 3) {
        const int steps = r->T - t < 3 ? r->T - t : 3;
        const float *now = r->input == SNN_INPUT_CONSTANT ? x : x + (size_t)t * frame;
        for (k = 0; k < 2; k++) {
            CHECK(snn_net_continue(net[k], now, steps) == SNN_OK);
            push_all(net[k]);
        }
        near_signals(net[0], net[1]);
        near_gradients(net[0], net[1]);
        near_counts(net);
    }
    CHECK(snn_cuda_memory(net[0]) > 0 && snn_cuda_memory(net[1]) == 0);
}

/* a net for inference shares the place of what no one reads any more */
static void cuda_inference(int row, int variant)
{
    const net_row *r = &rows[row];
    snn_net *net[3];
    float *x = row_input(r, 500);
    int k, t;
    ZERO(snn_net_desc, d);
    d.inference = 1;
    if (!twins(r, variant, &d, &net[1], &net[0])) return;
    for (k = 0; k < 2; k++) CHECK(snn_net_forward(net[k], x) == SNN_OK);
    near_signals(net[0], net[1]);
    near_counts(net);
    for (t = 0; t < 3; t++)
        for (k = 0; k < 2; k++) CHECK(snn_net_step(net[k], t ? NULL : x) == SNN_OK);
    near_signals(net[0], net[1]);
    near_counts(net);
    net[2] = twin(r, variant, 1, NULL);
    CHECK(snn_cuda_memory(net[0]) < snn_cuda_memory(net[2]));
}

/* one pass there and back of both nets */
static void near_pass(snn_net *const *net, const net_row *r)
{
    int k;
    for (k = 0; k < 2; k++) {
        CHECK(snn_net_zero_grad(net[k]) == SNN_OK);
        CHECK(snn_net_forward(net[k], row_input(r, 500)) == SNN_OK);
        push_all(net[k]);
    }
    near_signals(net[0], net[1]);
    near_gradients(net[0], net[1]);
}

/* the trainer: loss, gradients, optimiser; nothing but x, y and the loss crosses over */
static void cuda_train(int row, int optimiser)
{
    const net_row *r = &rows[row];
    snn_net *net[2];
    float *x = row_input(r, 500), loss[2];
    int i, k, *y;
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    const snn_param_group groups[2] = {{"fc1", 0.5f, 0.01f, 0, -.2f, .25f},
                                       {"lif", 0.0f, 0.0f, 1, 0.0f, 0.0f}};
    if (!twins(r, optimiser == 7       ? HALF_WINDOWS
                  : optimiser % 3 == 1 ? SEGMENTS
                  : optimiser % 3 == 2 ? WINDOWS
                                       : PLAIN, NULL, &net[1], &net[0]))
        return;
    y = row_labels(r, net[1]->node[net[1]->count - 1].n);
    row_loss(r, &l);
    o.kind = (snn_optim_kind)(optimiser % 4);
    o.lr = o.kind == SNN_SGD ? 0.05f : 0.002f;
    o.eps = 1e-4f; /* so that no step is made of what rounding leaves of a gradient */
    if (optimiser & 4) {
        o.momentum = 0.9f;
        o.weight_decay = 0.01f;
        o.clip_norm = 0.1f;
        o.clip_value = 0.05f;
        o.nesterov = o.kind == SNN_SGD;
        o.groups = groups;
        o.num_groups = 2;
    }
    for (i = 0; i < 4; i++) {
        for (k = 0; k < 2; k++) loss[k] = snn_train_step(net[k], &o, &l, x, y);
        if (!(fabs((double)loss[0] - (double)loss[1]) <= 1e-4 * (1.0 + fabs((double)loss[1]))))
            fail("step %d: loss %.9g, should be %.9g", i, (double)loss[0], (double)loss[1]);
        if (loss[1] < 0.0f) fail("%s", snn_net_error(net[1]));
    }
    near_values(net[0], net[1], optimiser == 7 ? 1e-3 : 2e-4); /* of halves their last place */
}

/* every loss, with its options, and prices on rates */
static void cuda_loss(int kind, int options)
{
    static const net_row r = {"losses", SNN_INPUT_DENSE, 9, 0, 0, 8, 4,
                              "fc:20 | leaky b.9 t.2 @a | fc:6 | leaky b.9 t.1"};
    static const float weight[6] = {1, 2, .5f, 3, 1, .7f}, on[2] = {0, 2}, off[2] = {5, 7};
    snn_net *net[2];
    float *x = row_input(&r, 500), loss[2] = {0, 0};
    int k, y[8] = {0, 2, 1, 1, 0, 2, 1, 0};
    ZERO(snn_loss_desc, l);
    snn_rate_desc rates[2];
    ZERO(snn_net_desc, d);
    if (!twins(&r, ALL_RECORDED, &d, &net[1], &net[0])) return;
    memset(rates, 0, sizeof rates);
    l.kind = (snn_loss_kind)kind;
    l.reduction = options == 1 ? SNN_SUM : SNN_MEAN;
    l.correct_rate = 0.8f;
    l.incorrect_rate = 0.2f;
    if (options == 1) l.weight = weight;
    if (options == 1 || options == 2) l.population = 3;
    if (options == 2) l.l1_rate = 0.01f;
    if (options == 2) l.tolerance = 1.0f;
    if (options == 3) {
        l.reciprocal = 1;
        l.time_var_targets = kind == SNN_LOSS_CE_RATE || kind == SNN_LOSS_CE_MEMBRANE ||
                             kind == SNN_LOSS_MSE_MEMBRANE;
        if (kind == SNN_LOSS_MSE_TEMPORAL) {
            l.multi_spike = 2;
            l.on_times = on;
            l.off_times = off;
        }
    }
    if (options == 4) {
        rates[0].node = rates[1].node = 2;
        rates[0].l1 = 0.01f;
        rates[0].lower = 0.4f, rates[0].lower_weight = 2.0f;
        rates[1].upper = 0.1f, rates[1].upper_weight = 3.0f;
        rates[1].per_layer = 1;
        l.rates = rates;
        l.num_rates = 2;
    }
    for (k = 0; k < 2; k++) {
        CHECK(snn_net_zero_grad(net[k]) == SNN_OK);
        CHECK(snn_net_forward(net[k], x) == SNN_OK);
        if (snn_net_loss(net[k], &l, y, &loss[k]) != SNN_OK) fail("%s", snn_net_error(net[k]));
        CHECK(snn_net_backward(net[k]) == SNN_OK);
    }
    if (!(fabs((double)loss[0] - (double)loss[1]) <= 1e-5 * (1.0 + fabs((double)loss[1]))))
        fail("loss %.9g, should be %.9g", (double)loss[0], (double)loss[1]);
    near_gradients(net[0], net[1]);
    near_tensor(snn_net_dmembrane(net[0], 4), snn_net_dmembrane(net[1], 4), 1e-4, "dmembrane", 4);
}

/* every neuron with every reset, delay, way to learn, and recurrence */
static void cuda_neuron(int kind, int options)
{
    static const char *const reset[] = {"", "sub", "zero", "keep"};
    static const char *const how[] = {
        "", "now", "per lb la lt lg lc f1.2", "one per V.3", "lin", "rconv rk3", "now mem lt",
        "before now detach q5", "lb la lt lg lc stochastic", "lin now lb lt norec"};
    const snn_neuron_def *def = snn_neuron_info((snn_neuron_kind)kind);
    const int inputs = def->inputs > 1 ? def->inputs : 1;
    char layers[300];
    net_row r;
    snn_net *net[2];
    int k;
    memset(&r, 0, sizeof r);
    if (inputs > 1 && strstr(how[options / 4], "one")) return;
    snprintf(layers, sizeof layers,
             "conv:%d k3 p1 | %s b.85 a.9 t.25 tau5 ks2 fast_sigmoid %s %s | flat | fc:4 | "
             "leaky b.9 t.1", 2 * inputs, def->name, reset[options % 4], how[options / 4]);
    r.name = def->name;
    r.input = options % 3 ? SNN_INPUT_DENSE : SNN_INPUT_CONSTANT;
    r.c = 2, r.h = 4, r.w = 3;
    r.T = 21; /* more than a stretch of the tape, and no multiple of one */
    r.B = 2;
    r.layers = layers;
    for (k = 0; k < 2; k++) {
        const int variant = !k ? ALL_RECORDED : options % 3 ? WINDOWS + options % 2 : SEGMENTS;
        if (!twins(&r, variant, NULL, &net[1], &net[0])) return;
        near_pass(net, &r);
    }
}

/* surrogates; the last of them stands for decays outside [0,1], for inhibition and for a layer norm
 * of more rows than one thread adds up */
static void cuda_surrogate(int kind, int option)
{
    char layers[200];
    net_row r;
    snn_net *net[2];
    int k;
    memset(&r, 0, sizeof r);
    if (kind == SNN_CUSTOM_SURROGATE) return;
    snprintf(layers, sizeof layers, "fc:9 | leaky b.9 t.3 %s %s | fc:3 | leaky b.9 t.1",
             kind < (int)SNN_SURROGATE_COUNT ? snn_surrogate_name((snn_surrogate_kind)kind)
             : option == 3 ? "| norm:layer"
             : option == 2 ? "inh f2 zero now lt lg | lif b.9 t.2 inh | rleaky b.9 t.2 inh"
             : option ? "b1.2 lb | synaptic b-.3 a1.4 t.2 lb la per"
                      : "b-.2 lb per | synaptic b1.2 a.4 t.2 lb la",
             option == 1 && kind < (int)SNN_SURROGATE_COUNT ? "now" : "");
    r.name = "surrogate";
    r.input = SNN_INPUT_DENSE;
    r.c = 8, r.T = 18, r.B = 3;
    r.layers = layers;
    for (k = 0; k < 3; k++) {
        if (!twins(&r, k == 2 ? WINDOWS : k ? SEGMENTS : PLAIN, NULL, &net[1], &net[0])) return;
        near_pass(net, &r);
    }
}

/* two runs, and two orders of threads, give the same bits */
static void cuda_repeat(int row, int b)
{
    const net_row *r = &rows[row];
    snn_net *net[2];
    float *x = row_input(r, 500);
    int i, k, *y;
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    (void)b;
    if (!twins(r, PLAIN, NULL, &net[1], &net[0])) return;
    net[1] = twin(r, PLAIN, 1, NULL);
    y = row_labels(r, net[0]->node[net[0]->count - 1].n);
    row_loss(r, &l);
    o.lr = 0.01f;
    for (k = 0; k < 2; k++) {
#ifdef SNN_CUDA_SHIM
        shim.backwards = k;
#endif
        for (i = 0; i < 3; i++)
            if (snn_train_step(net[k], &o, &l, x, y) < 0.0f) fail("%s", snn_net_error(net[k]));
    }
#ifdef SNN_CUDA_SHIM
    shim.backwards = 0;
#endif
    near_values(net[0], net[1], 0.0);
}

/* One of a row of calls in which everything changes that a graph has of the call before: inputs,
 * times, rates, the optimiser, losses, steps of a pass, parameters, modes. Returns a loss. */
static float graph_call(snn_net *net, const net_row *r, int i)
{
    const size_t frame = row_frame(r);
    float *x = row_input(r, 500 + (uint32_t)(i % 5)), loss = 0.0f;
    int *y = row_labels(r, net->node[net->count - 1].n), t;
    snn_param_group group = {"fc1", 0.0f, 0.0f, 0, -.3f, .3f};
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    row_loss(r, &l);
    o.lr = 0.001f * (float)(1 + i % 4);
    o.kind = i > 8 ? SNN_SGD : SNN_ADAM;
    if (i > 10) o.weight_decay = 0.01f, o.clip_norm = 0.1f * (float)(i % 3);
    if (i > 20) o.groups = &group, o.num_groups = 1;
    if (i > 14) l.l1_rate = 0.001f * (float)(i % 2);
    y[0] = i % net->node[net->count - 1].n;
    switch (i % 13) {
    case 3: { /* parameters by hand */
        const snn_tensor w = snn_net_values(net);
        for (t = 0; t < (int)w.shape[0]; t++) w.data[t] *= 0.99f;
        CHECK(snn_net_params_changed(net) == SNN_OK);
        break;
    }
    case 5: /* chunks, the last shorter */
        if (r->input == SNN_INPUT_CONSTANT)
            return snn_train_truncated(net, &o, &l, x, y, r->T + (r->T + 1) / 2);
        CHECK(snn_net_reset(net) == SNN_OK);
        for (t = 0; t < r->T; t += 2) {
            const int steps = r->T - t < 2 ? r->T - t : 2;
            CHECK(snn_net_continue(net, x + (size_t)t * frame, steps) == SNN_OK);
            CHECK(snn_net_zero_grad(net) == SNN_OK && snn_net_loss(net, &l, y, &loss) == SNN_OK);
            CHECK(snn_net_backward(net) == SNN_OK && snn_net_optim_step(net, &o) == SNN_OK);
        }
        return loss;
    case 8: /* single steps, in training and without */
    case 9:
        CHECK(snn_net_train(net, i % 13 == 8) == SNN_OK && snn_net_reset(net) == SNN_OK);
        for (t = 0; t < r->T; t++)
            CHECK(snn_net_step(net, r->input != SNN_INPUT_CONSTANT ? x + (size_t)t * frame
                                    : t % 3                        ? NULL
                                                                   : x) == SNN_OK);
        CHECK(snn_net_loss(net, &l, y, &loss) == SNN_OK && snn_net_train(net, 1) == SNN_OK);
        return loss;
    case 11: /* two passes without a reset, and gradients of both */
        CHECK(snn_net_zero_grad(net) == SNN_OK && snn_net_forward(net, x) == SNN_OK);
        CHECK(snn_net_loss(net, &l, y, NULL) == SNN_OK && snn_net_backward(net) == SNN_OK);
        CHECK(snn_net_continue(net, x, r->T) == SNN_OK);
        CHECK(snn_net_loss(net, &l, y, &loss) == SNN_OK && snn_net_backward(net) == SNN_OK);
        CHECK(snn_net_optim_step(net, &o) == SNN_OK);
        return loss;
    default: break;
    }
    return snn_train_step(net, &o, &l, x, y);
}
/* graphs, launches and the CPU agree, the first two in every bit; trouble: what the driver
 * refuses, or 5: everything is recorded, 6 to 8: runs in segments, in windows, on halves too */
static void cuda_graph(int row, int trouble)
{
    const net_row *r = &rows[row];
    snn_net *net[3];
    float loss[3];
    int i, k;
#ifdef SNN_CUDA_SHIM
    memset(&shim, 0, sizeof shim);
    shim.no_capture = trouble == 1;
    shim.no_graph = trouble == 2;
    shim.no_change = trouble == 3;
    shim.no_pinned = trouble == 4;
#endif
    for (k = 0; k < 3; k++) {
        net[k] = twin(r, trouble == 8   ? HALF_WINDOWS
                         : trouble == 7 ? WINDOWS
                         : trouble == 6 ? SEGMENTS
                         : trouble == 5 ? ALL_RECORDED
                                        : PLAIN, k, NULL);
        if (!net[k] || !net[k]->built) return;
    }
    for (i = 0; i < 39; i++) {
        for (k = 0; k < 3; k++) loss[k] = graph_call(net[k], r, i);
        if (loss[1] != loss[2])
            fail("call %d: loss %.9g, launched one by one %.9g", i, (double)loss[1],
                 (double)loss[2]);
        if (i < (trouble > 5 ? 6 : 8) && /* then a last bit flips a spike */
            !(fabs((double)loss[1] - (double)loss[0]) <= 1e-4 * (1.0 + fabs((double)loss[0]))))
            fail("call %d: loss %.9g, should be %.9g", i, (double)loss[1], (double)loss[0]);
        if (g_fails > 3) break;
    }
    near_values(net[1], net[2], 0.0);
    for (i = 0; i < net[1]->count; i++)
        for (k = 0; k < net[1]->node[i].states; k++)
            near_tensor(snn_net_state(net[1], i, k), snn_net_state(net[2], i, k), 0.0, "states", i);
#ifdef SNN_CUDA_SHIM
    CHECK(trouble == 1 || trouble == 2 ? shim.plays == 0 : shim.plays > 39);
    CHECK(shim.races == 0);
    memset(&shim, 0, sizeof shim);
#endif
}

/* debug: the CPU's sentence, forward and backward, and the next pass is well again */
static void cuda_debug(int which, int variant)
{
    net_row r = {"debug", SNN_INPUT_DENSE, 2, 3, 3, 9, 3, NULL};
    const int forward = which < COUNT_OF(debug_rows);
    snn_net *net[2];
    float *wild = row_input(&r, 500);
    int i, k;
    ZERO(snn_net_desc, d);
    d.debug = 1;
    r.layers = forward ? debug_rows[which].layers : debug_rows[0].layers;
    if (!twins(&r, variant, &d, &net[1], &net[0])) return;
    for (k = 0; k < 2; k++) {
        const snn_param *p =
            forward ? snn_net_find_param(net[k], debug_rows[which].param) : NULL;
        const size_t n = p ? snn_tensor_count(&p->value) : 0;
        float *old = floats(n + 1);
        snn_tensor t;
        if (p) memcpy(old, p->value.data, n * sizeof(float));
        if (p) p->value.data[n / 2] = debug_rows[which].value;
        if (forward && !p) /* finite as an input, but not as a current */
            for (i = 5 * 18; i < 6 * 18; i++)
                wild[i] = snn_net_find_param(net[k], "fc1.weight")->value.data[i % 18] > 0.0f
                              ? 3e38f
                              : -3e38f;
        else if (forward && debug_rows[which].value == 3e38f)
            for (i = 0; i < 9 * 3 * 18; i++) wild[i] = 3.0f;
        CHECK(snn_net_params_changed(net[k]) == SNN_OK);
        CHECK((snn_net_forward(net[k], wild) == SNN_OK) == !forward);
        if (!forward) {
            t = which % 2 ? snn_net_dmembrane(net[k], 4) : snn_net_dspikes(net[k], 4);
            t.data[snn_tensor_count(&t) * 2 / 3] = which % 2 ? INFINITY : (float)NAN;
            CHECK(snn_net_backward(net[k]) == SNN_ERR_NAN);
            t.data[snn_tensor_count(&t) * 2 / 3] = 0.0f;
        }
        if (p) memcpy(p->value.data, old, n * sizeof(float));
    }
    note("%s", snn_net_error(net[0]));
    if (strcmp(snn_net_error(net[0]), snn_net_error(net[1])))
        fail("\"%s\", should be \"%s\"", snn_net_error(net[0]), snn_net_error(net[1]));
    for (k = 0; k < 2; k++) CHECK(snn_net_params_changed(net[k]) == SNN_OK);
    near_pass(net, &r);
}

/* Weights of few bits, whose sums are the same in any order: currents are rounded to the same
 * halves, and every membrane is the same. */
static void cuda_halves(int which, int b)
{
    static const char *const layers[] = {
        "fc:40 | leaky b.8 t.4 | fc:24 | synaptic b.5 a.75 | fc:6 | leaky b.9 t.2",
        "conv:6 k3 p1 | max:2 k2 | leaky b.5 t.3 | convt:3 k2 s2 | leaky b.5 t.2 | conv:4 k3 | "
        "avg:2 k2 | leaky b.5 t.2 | flat | fc:6 | leaky b.5 t.2",
        "conv:6 k3 p1 | leaky b.5 t.3 @a | conv:6 k3 p1 | leaky b.5 t.3 | add@a | leaky b.5 t.3 | "
        "scale:.3 | rleaky b.5 t.2 | flat | fc:6 | leaky b.5 t.2"};
    net_row r;
    snn_net *net[3];
    int i, k, same = 1;
    size_t j;
    (void)b;
    memset(&r, 0, sizeof r);
    r.name = "halves";
    r.input = SNN_INPUT_SPIKES;
    r.c = 3, r.h = 6, r.w = 6, r.T = 9, r.B = 3;
    r.layers = layers[which];
    for (i = 0; i < 3; i++) {
        net[i] = twin(&r, i < 2 ? HALF_WINDOWS : WINDOWS, !i, NULL);
        if (!net[i] || !net[i]->built) {
            fail("%s", net[i] ? snn_net_error(net[i]) : "no net");
            return;
        }
        for (k = 0; k < net[i]->params; k++) {
            const snn_tensor v = snn_net_param(net[i], k)->value;
            for (j = 0; j < snn_tensor_count(&v); j++)
                v.data[j] = floorf(v.data[j] * 16384.0f) / 16384.0f;
        }
        CHECK(snn_net_params_changed(net[i]) == SNN_OK);
        CHECK(snn_net_forward(net[i], row_input(&r, 500)) == SNN_OK);
        push_all(net[i]);
    }
    near_gradients(net[0], net[1]);
    for (i = 1; i < net[0]->count; i++)
        for (k = 0; k < net[0]->node[i].states; k++) {
            const snn_tensor is = snn_net_state(net[0], i, k), whole = snn_net_state(net[2], i, k);
            near_tensor(is, snn_net_state(net[1], i, k), 0.0, "states", i);
            same &= !memcmp(is.data, whole.data, snn_tensor_count(&is) * sizeof(float));
        }
    if (same) fail("nothing is rounded");
}

/* Device memory in signals of hidden layers, [T][B][n] floats. A layer has currents, whose place
 * their gradients take, spikes, which are floats where all steps are one segment and else bytes, a
 * state every 16 steps; all together have a segment of spikes' gradients, another of halves', and
 * one of spikes for products; the last layer has a neuron. */
static void cuda_memory(int a, int b)
{
    static const net_row r = {"memory", SNN_INPUT_CONSTANT, 2, 0, 0, 512, 4,
                              "fc:64 | leaky b.9 | fc:64 | leaky b.9 | fc:64 | leaky b.9 | fc:1 | "
                              "leaky b.9"};
    static const struct {
        int gradients, window, half;
        double signals;
    } want[] = {{0, 0, 0, 3 + 2 + 3. / 16 + 1}, /* the first currents are constant */
                {64, 0, 0, 3 * .25 + 2 + 3. / 16 + 2 / 8.},
                {64, 128, 0, (3 * .25 + 2 + 3. / 16) / 4 + 2 / 8.},
                {64, 0, 1, 3 * .25 + 1 + 3. / 16 + 3 / 8.},
                {64, 128, 1, (3 * .25 + 1 + 3. / 16) / 4 + 3 / 8.}};
    const double unit = 512 * 4 * 64 * sizeof(float);
    snn_net *net;
    int i;
    (void)a, (void)b;
    for (i = 0; i < COUNT_OF(want); i++) {
        double is;
        ZERO(snn_net_desc, d);
        d.backend = snn_cuda_backend(NULL);
        d.gradient_steps = want[i].gradients;
        d.checkpoint = want[i].window;
        d.half_traces = want[i].half;
        net = build_row(&r, &d);
        if (!net) return;
        is = (double)(snn_cuda_memory(net) - snn__cu_of(net)->c.workspace) -
             (double)sizeof(float) * (2 * SNN__CU_PART + 4 * (double)net->trained) -
             (double)sizeof(double) * 2 * SNN__CU_LANES;
        is /= unit;
        if (!(fabs(is - want[i].signals) <= 0.15)) /* the last layer, states */
            fail("%d gradients, window %d%s: %.3f signals, should be %.3f", want[i].gradients,
                 want[i].window, want[i].half ? ", halves" : "", is, want[i].signals);
    }
    for (i = 0; i < 2; i++) { /* without being told: a small net is one segment */
        net_row wide = {"wide", SNN_INPUT_CONSTANT, 1, 0, 0, 40, 1024, "fc:600 | leaky b.9 | fc:1"};
        ZERO(snn_net_desc, d);
        d.backend = snn_cuda_backend(NULL);
        if (i) wide.B = 64;
        net = build_row(&wide, &d);
        if (net && net->segment != (i ? 40 : 14))
            fail("%d samples have segments of %d", wide.B, net->segment);
    }
}

/* what is written into views counts, what is asked for stays current, files go both ways */
static void cuda_views(int a, int b)
{
    static const net_row r = {"views", SNN_INPUT_CONSTANT, 9, 0, 0, 6, 3,
                              "fc:12 | lif b.9 t.3 rest.1 | fc:4 | alif b.9 t.1"};
    snn_net *net[2];
    float *x = row_input(&r, 500);
    snn_tensor spikes[2], w[2], g[2], s[2], in;
    size_t i, size;
    int k, t, y[3] = {0, 1, 2};
    double right[2];
    void *file;
    ZERO(snn_data, data);
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    (void)a, (void)b;
    if (!twins(&r, PLAIN, NULL, &net[1], &net[0])) return;
    for (k = 0; k < 2; k++) {
        spikes[k] = snn_net_spikes(net[k], 4);
        w[k] = snn_net_find_param(net[k], "fc1.weight")->value;
        g[k] = snn_net_grads(net[k]);
        s[k] = snn_net_state(net[k], 2, 0);
        for (i = 0; i < snn_tensor_count(&w[k]); i++) w[k].data[i] *= 1.5f;
        CHECK(snn_net_params_changed(net[k]) == SNN_OK && snn_net_reset(net[k]) == SNN_OK);
        for (i = 0; i < snn_tensor_count(&s[k]); i++) s[k].data[i] += 0.01f * (float)i;
        in = snn_net_input(net[k]);
        memcpy(in.data, x, snn_tensor_count(&in) * sizeof(float));
        CHECK(snn_net_zero_grad(net[k]) == SNN_OK);
        for (t = 0; t < 2; t++) {
            CHECK(snn_net_continue(net[k], NULL, 6) == SNN_OK);
            push_back(net[k]);
        }
        for (i = 0; i < snn_tensor_count(&g[k]); i++) g[k].data[i] *= 0.5f;
    }
    near_tensor(spikes[0], spikes[1], 0.0, "held spikes", 4);
    near_tensor(s[0], s[1], 1e-5, "held states", 2);
    near_tensor(g[0], g[1], 1e-4, "held gradients", 0);
    o.kind = SNN_SGD;
    o.lr = 0.1f;
    for (k = 0; k < 2; k++) CHECK(snn_net_optim_step(net[k], &o) == SNN_OK);
    near_tensor(w[0], w[1], 1e-4, "held weights", 1);
    data.x = x, data.y = y, data.count = 3, data.features = 9;
    for (t = 0; t < 3; t++) {
        for (k = 0; k < 2; k++) right[k] = snn_evaluate(net[k], &data, (snn_metric)t);
        CHECK(right[0] == right[1] && right[0] >= 0.0);
    }
    net[1] = twin(&r, PLAIN, 1, NULL); /* untouched by views: the file fetches what it needs */
    for (t = 0; t < 2; t++) CHECK(snn_train_step(net[1], &o, &l, x, y) >= 0.0f);
    size = snn_net_save_size(net[1]);
    file = keep_bytes(size);
    CHECK(snn_net_save_to(net[1], file, size) == size);
    net[0] = twin(&r, PLAIN, 0, NULL);
    CHECK(snn_net_load_from(net[0], file, size) == SNN_OK);
    near_values(net[0], net[1], 0.0);
    CHECK(snn_net_forward(net[0], x) == SNN_OK && snn_net_forward(net[1], x) == SNN_OK);
    near_signals(net[0], net[1]);
    CHECK(snn_net_save_to(net[0], file, size) == size);
    net[1] = twin(&r, PLAIN, 1, NULL);
    CHECK(snn_net_load_from(net[1], file, size) == SNN_OK);
    near_values(net[1], net[0], 0.0);
}

static void sentence(snn_net *net, snn_status want, const char *words)
{
    snn_status s = net ? snn_net_build(keep_net(net)) : SNN_ERR_NULL;
    if (s != want || !has_words(snn_net_error(net), words))
        fail("status %d (wanted %d): %s", (int)s, (int)want, net ? snn_net_error(net) : "no net");
}
static void cuda_sentences(int a, int b)
{
    net_row r = {"sentences", SNN_INPUT_CONSTANT, 9, 0, 0, 6, 3, "fc:4 name=out | leaky b.9 t.1"};
    static const char *const layers[][2] = {
        {"fc:4 | leaky b.9 custom name=three", "three surrogate~of~your~own"}};
    snn_net *net;
    snn_neuron_def own;
    float *x = row_input(&r, 500), times[12] = {0}, loss = 7.0f;
    int i, y[3] = {0, 1, 2};
    (void)a, (void)b;
    for (i = 0; i < COUNT_OF(layers); i++) {
        ZERO(snn_net_desc, d);
        d.backend = snn_cuda_backend(NULL);
        r.layers = layers[i][0];
        sentence(open_row(&r, &d, NULL, 0), SNN_ERR_UNSUPPORTED, layers[i][1]);
    }
    r.layers = "fc:4 name=out | leaky b.9 t.1";
    {
        ZERO(snn_net_desc, d);
        d.backend = snn_cuda_backend(NULL);
        d.spikes = SNN_SPIKES_SMOOTH;
        sentence(open_row(&r, &d, NULL, 0), SNN_ERR_UNSUPPORTED, "SNN_SPIKES_SMOOTH");
    }
    for (i = 0; i < 4; i++) {
        ZERO(snn_net_desc, d);
        ZERO(snn_cuda_desc, c);
        d.backend = snn_cuda_backend(&c);
        if (i == 0) c._start = 1;
        if (i == 1) c._end = 1;
        if (i == 2) c.math = (snn_cuda_math)7;
        if (i == 3) c.device = 99;
        sentence(open_row(&r, &d, NULL, 0),
                 i < 2 ? SNN_ERR_DESC : i == 2 ? SNN_ERR_ARGUMENT : SNN_ERR_DEVICE,
                 i < 2 ? "zero-initialised" : i == 2 ? "math 7" : "device 99");
    }
    {
        ZERO(snn_net_desc, d);
        ZERO(snn_neuron_desc, lif);
        ZERO(snn_loss_desc, l);
        ZERO(snn_optim_desc, o);
        d.backend = snn_cuda_backend(NULL);
        own = *snn_neuron_info(SNN_LEAKY);
        lif.beta = 0.9f;
        if (snn_net_create(&net, &d) != SNN_OK) return;
        snn_neuron(net, snn_input(net, 4, 0, 0), &own, &lif);
        sentence(net, SNN_ERR_UNSUPPORTED, "a~neuron~of~your~own");
        d.batch = 3;
        d.steps = 6;
        r.layers = "fc:4 name=out | leaky b.9 t.1";
        net = build_row(&r, &d);
        if (!net) return;
        CHECK(snn_net_forward(net, x) == SNN_OK);
        l.reduction = SNN_NONE;
        CHECK(snn_net_loss(net, &l, y, &loss) == SNN_ERR_UNSUPPORTED && loss == 7.0f);
        l.reduction = SNN_MEAN;
        l.kind = SNN_LOSS_MSE_TEMPORAL;
        l.times = times;
        CHECK(snn_net_loss(net, &l, NULL, &loss) == SNN_ERR_UNSUPPORTED && loss == 7.0f);
        l.times = NULL;
        y[1] = 4;
        CHECK(snn_net_loss(net, &l, y, &loss) == SNN_ERR_ARGUMENT && loss == 7.0f);
        y[1] = 1;
        CHECK(snn_net_loss(net, &l, y, &loss) == SNN_OK && loss != 7.0f);
        CHECK(snn_net_backward(net) == SNN_OK && snn_net_backward(net) == SNN_ERR_STATE);
        o.lr = -1.0f;
        CHECK(snn_net_optim_step(net, &o) == SNN_ERR_ARGUMENT);
        x[2] = (float)NAN;
        CHECK(snn_net_forward(net, x) == SNN_ERR_NAN);
    }
}

#ifdef SNN_CUDA_SHIM
/* A script of one's own calls: whatever differs from the call before is done as it now is. */
typedef struct probe_args {
    float *to;
    float value;
} probe_args;
SNN__KERNEL(probe_set, probe_args) { a->to[i] = a->value; }
SNN__KERNEL(probe_add, probe_args) { a->to[i] += a->value; }
typedef struct probe {
    snn__cu *c;
    float *to, *host, value;
    size_t n, zeros;
    int kernels, other, columns, sends;
} probe;
static void probe_run(snn_net *net, const void *what)
{
    const probe *p = (const probe *)what;
    probe_args a;
    int k;
    (void)net;
    memset(&a, 0, sizeof a);
    a.to = p->to;
    a.value = p->value;
    snn__cu_zero(p->c, p->to + 8, p->zeros * sizeof(float));
    if (p->other) SNN__LAUNCH(p->c, probe_add, p->n, a);
    else SNN__LAUNCH(p->c, probe_set, p->n, a);
    snn__cu_gemm(p->c, 0, 0, 1, p->columns, 1, p->to, p->to, 1.0f, p->to + 8);
    if (p->sends) snn__cu_send(p->c, p->to + 12, p->host, sizeof(float));
    for (k = 0; k < p->kernels; k++) SNN__LAUNCH(p->c, probe_add, p->n, a);
    snn__cu_copy(p->c, p->to + 16, p->to, 4 * sizeof(float));
}
static void *probe_alloc(size_t size, void *user) { return *(int *)user ? malloc(size) : NULL; }
static void probe_free(void *pointer, size_t size, void *user)
{
    (void)size, (void)user;
    free(pointer);
}
static void cuda_script(int change, int b)
{
    float is[24], wanted[24], host = 3.0f;
    int i, j, k, memory = change != 8;
    snn_allocator hooks = {probe_alloc, probe_free, NULL};
    ZERO(snn__cu, c);
    ZERO(snn__cu_script, s);
    ZERO(probe, p);
    (void)b;
    memset(&shim, 0, sizeof shim);
    for (k = 0; k < 24; k++) is[k] = wanted[k] = (float)k;
    hooks.user = &memory;
    s.memory = &hooks;
    p.c = &c;
    p.host = &host;
    for (i = 0; i < 24; i++) {
        p.n = change == 1 && i % 2 ? 3 : 4;
        p.value = change == 1 || change == 2 ? (float)i : 2.0f;
        p.kernels = change == 3 && i % 4 == 3 ? 1 : 2;
        p.other = change == 4 && i % 4 == 3;
        p.columns = change == 5 && i % 4 == 3 ? 2 : 3;
        p.zeros = change == 6 && i % 4 == 3 ? 5 : 6;
        p.sends = change == 7;
        host = (float)i;
        for (j = 0; j < 2; j++) {
            p.to = j ? wanted : is;
            snn__cu_perform(&c, j ? NULL : &s, probe_run, NULL, &p);
        }
        for (k = 0; k < 24; k++)
            if (is[k] != wanted[k])
                fail("call %d: %d is %g, should be %g", i, k, (double)is[k], (double)wanted[k]);
    }
    CHECK(c.error == NULL && shim.plays == (change < 3 ? 23 : change < 7 ? 14 : 0));
    CHECK((s.state == SNN__CU_PLAIN) == (change > 2));
    snn__cu_forget(&s);
    free(s.list);
    CHECK(shim.allocs == shim.frees);
}

/* failures of the driver, one at each of its calls; what crosses over in a training step */
static void cuda_driver(int a, int b)
{
    net_row r = {"driver", SNN_INPUT_CONSTANT, 9, 0, 0, 6, 3,
                 "fc:12 | leaky b.9 t.3 lb | lapicque b.9 t.1 | fc:4 | leaky b.9 t.1"};
    float *x = row_input(&r, 500);
    int i, k, y[3] = {0, 1, 2}, done = 0, said = 0, allocs;
    void *memory;
    size_t size;
    snn_net *net;
    ZERO(snn_net_desc, d);
    ZERO(snn_loss_desc, l);
    ZERO(snn_optim_desc, o);
    (void)a, (void)b;
    memset(&shim, 0, sizeof shim);
    d.backend = snn_cuda_backend(NULL);
    o.lr = 0.01f;
    shim.no_device = 1;
    sentence(open_row(&r, &d, NULL, 0), SNN_ERR_DEVICE, "cuda: device~0 no~CUDA-capable~device");
    shim.no_device = 0;
    shim.no_memory = 1;
    sentence(open_row(&r, &d, NULL, 0), SNN_ERR_MEMORY, "cuda: device~0 bytes");
    shim.no_memory = 0;
    /* the i-th call fails: a sentence, and the next step works again; while a graph is captured
     * there need not be one, as the call is launched instead */
    for (i = 1; !done; i++) {
        float loss = 0.0f;
        shim.fail_after = i;
        net = open_row(&r, &d, NULL, 0);
        if (snn_net_build(net) == SNN_OK) {
            for (k = 0; k < 4 && loss >= 0.0f; k++) loss = snn_train_step(net, &o, &l, x, y);
            done = shim.fail_after > 0;
            said += loss < 0.0f;
            if (loss < 0.0f && !has_words(snn_net_error(net), "cuda: asked~to~fail"))
                fail("call %d: loss %g, %s", i, (double)loss, snn_net_error(net));
            if (loss >= 0.0f && k == 1 && !done) fail("call %d: no sentence", i);
            shim.fail_after = 0;
            CHECK(snn_train_step(net, &o, &l, x, y) >= 0.0f);
        } else CHECK(has_words(snn_net_error(net), "cuda: build asked~to~fail"));
        shim.fail_after = 0;
        snn_net_destroy(net);
    }
    CHECK(i > 100 && said > 60 && shim.allocs == shim.frees);
    r.layers = "fc:12 | leaky b.9 t.3 lb | fc:4 | leaky b.9 t.1";
    net = open_row(&r, &d, NULL, 0);
    size = snn_net_memory(net);
    snn_net_destroy(net);
    memory = keep_bytes(size);
    net = open_row(&r, &d, memory, size); /* in the caller's buffer */
    CHECK(net != NULL && snn_net_build(net) == SNN_OK && snn_net_memory(net) == size);
    for (i = 0; net && i < 3; i++) {
        allocs = shim.allocs;
        shim.sent = shim.fetched = 0;
        CHECK(snn_train_step(net, &o, &l, x, y) >= 0.0f);
        CHECK(shim.allocs == allocs);
        if (i) /* the batch, its labels; the loss */
            CHECK(shim.sent == 27 * sizeof(float) + 3 * sizeof(int) && shim.fetched == 8);
    }
    snn_net_destroy(net);
    CHECK(shim.allocs == shim.frees);
}
#endif

int main(int argc, char **argv)
{
    const char *filter = "";
    int i, k, passed = 0, failed = 0;
    snn_net *cpu, *gpu;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--verbose")) g_verbose = 1;
        else filter = argv[i];
    }
#ifdef _OPENMP
    omp_set_num_threads(1);
#endif
    fill_rows();
    g_name = "cuda";
    if (!twins(&rows[0], PLAIN, NULL, &cpu, &gpu)) { /* no GPU: one sentence, not a thousand */
        printf("0 passed, 1 failed\n");
        release();
        return 1;
    }
    release();
    for (i = 0; i < ROWS; i++) {
        for (k = 0; k < VARIANTS; k++)
            add(cuda_pass, i, k, "cuda/pass_%s_%s", rows[i].name, variants[k]);
        for (k = 0; k < 8; k++) add(cuda_train, i, k, "cuda/train_%s_%d", rows[i].name, k);
        for (k = 0; k < 3; k++)
            add(cuda_inference, i, k, "cuda/inference_%s_%s", rows[i].name, variants[k]);
        add(cuda_repeat, i, 0, "cuda/repeat_%s", rows[i].name);
        for (k = 0; k < 9; k++)
            if (!k || k > 5 || i % 6 == 0)
                add(cuda_graph, i, k, "cuda/graph_%s_%d", rows[i].name, k);
    }
    for (i = 0; i < (int)SNN_NEURON_COUNT; i++)
        for (k = 0; k < 40; k++)
            add(cuda_neuron, i, k, "cuda/neuron_%s_%d",
                snn_neuron_info((snn_neuron_kind)i)->name, k);
    for (i = 0; i <= (int)SNN_SURROGATE_COUNT; i++)
        for (k = 0; k < (i == (int)SNN_SURROGATE_COUNT ? 4 : 2); k++)
            add(cuda_surrogate, i, k, "cuda/surrogate_%s_%d",
                i < (int)SNN_SURROGATE_COUNT ? snn_surrogate_name((snn_surrogate_kind)i) : "clamp",
                k);
    for (i = 0; i < (int)SNN_LOSS_COUNT; i++)
        for (k = 0; k < 5; k++)
            add(cuda_loss, i, k, "cuda/loss_%s_%d", snn_loss_name((snn_loss_kind)i), k);
    for (i = 0; i < 3; i++) add(cuda_halves, i, 0, "cuda/halves_%d", i);
    /* but for 0 times infinity: NaN in a matrix product, nothing where spikes are walked */
    for (i = 0; i < 2 * (COUNT_OF(debug_rows) + 2); i++)
        if (i / 2 >= COUNT_OF(debug_rows) || strcmp(debug_rows[i / 2].name, "last"))
            add(cuda_debug, i / 2, i % 2 ? WINDOWS : PLAIN, "cuda/debug_%d_%s", i / 2,
                variants[i % 2 ? WINDOWS : PLAIN]);
    add(cuda_memory, 0, 0, "cuda/memory");
    add(cuda_views, 0, 0, "cuda/views");
    add(cuda_sentences, 0, 0, "cuda/sentences");
#ifdef SNN_CUDA_SHIM
    add(cuda_driver, 0, 0, "cuda/driver");
    for (i = 0; i < 9; i++) add(cuda_script, i, 0, "cuda/script_%d", i);
#endif
    for (i = 0; i < g_case_count; i++) {
        if (!strstr(g_cases[i].name, filter)) continue;
        g_name = g_cases[i].name;
        g_fails = 0;
        g_cases[i].run(g_cases[i].a, g_cases[i].b);
        release();
        if (g_fails) failed++;
        else passed++;
        if (g_verbose) printf("%s %s\n", g_fails ? "FAIL" : "ok  ", g_name);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
