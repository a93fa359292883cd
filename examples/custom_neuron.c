/* custom_neuron - a neuron of your own, with its backward pass, checked and trained
 *
 *     cc -O2 examples/custom_neuron.c -o custom_neuron -lm && ./custom_neuron
 *
 * The neuron is an adaptive integrate-and-fire one (Bellec et al. 2018): each spike raises its own
 * threshold by kappa, and that fades slowly, by rho a step. R is last step's spike:
 *
 *     a' = rho a + R          u' = beta u + x - R theta          spikes where u' > theta + kappa a'
 *
 * The library fires where state 0 > parameter 0, so state 0 is v = u - kappa a and state 1 is a.
 * The task: two pulses, which came first? The silence between them outlasts the membranes (beta
 * 0.5); only a tired neuron still knows of the first pulse.
 *
 * Expected: the gradient check's error, below 0.01; the accuracy with plain Leaky neurons, near
 * 50 %, and with these, above 90 %. Exits with 1 when it misses either. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
enum { THETA, BETA, RHO, KAPPA, PARAMS };
enum { BATCH = 64, STEPS = 40, INPUTS = 2, HIDDEN = 16, CLASSES = 2, ROUNDS = 300 };

static void adaptive_step(const snn_neuron_block *b)
{
    const float *theta = b->param[THETA], *kappa = b->param[KAPPA];
    float *v = b->state[0], *a = b->state[1];
    for (int i = 0; i < b->n; i++) {
        float r = v[i] > theta[i], u = v[i] + kappa[i] * a[i];
        u = b->param[BETA][i] * (1 - b->zero * r) * u + b->x[i] - b->sub * r * theta[i];
        a[i] = b->param[RHO][i] * a[i] + r;
        v[i] = u - kappa[i] * a[i];
        b->drive[i] = v[i] - theta[i];
    }
}

/* The same lines from the last to the first, each turned into its gradients; r is a constant. */
static void adaptive_grad(const snn_neuron_block *b)
{
    const float *v = b->state[0], *a = b->state[1]; /* before the step */
    for (int i = 0; i < b->n; i++) {
        float rho = b->param[RHO][i], kappa = b->param[KAPPA][i], r = v[i] > b->param[THETA][i];
        float decay = b->param[BETA][i] * (1 - b->zero * r);
        float du = b->dstate[0][i] + b->ddrive[i];
        float da = b->dstate[1][i] - kappa * du;
        b->dparam[THETA][i] -= b->ddrive[i] + b->sub * r * du;
        b->dparam[BETA][i] += (1 - b->zero * r) * (v[i] + kappa * a[i]) * du;
        b->dparam[RHO][i] += a[i] * da;
        b->dparam[KAPPA][i] += (decay * a[i] - (rho * a[i] + r)) * du;
        b->dx[i] = du;
        b->dstate[0][i] = decay * du;
        b->dstate[1][i] = rho * da + kappa * decay * du;
    }
}

static const snn_neuron_def adaptive = {
    .name = "adaptive", .prefix = "alif", .title = "Adaptive integrate-and-fire",
    .states = 2, .state_name = { "mem", "adaptation" },
    .params = PARAMS, .param = {
        { "threshold", 1.0f, 0, 0, 0 }, { "beta", 0.5f, 0, 0, SNN_PARAM_CLAMP01 },
        { "rho", 0.97f, 0, 0, SNN_PARAM_CLAMP01 }, { "kappa", 0.3f, 0, 0, 0 } },
    .reset = SNN_RESET_SUBTRACT, .step = adaptive_step, .grad = adaptive_grad
};

/* Trials, time first: a pulse of 5 steps on one line, 15 or more silent steps, one on the other. */
static void trials(float *x, int *y, uint32_t round)
{
    for (int k = 0; k < BATCH; k++) {
        uint32_t bits = snn_random(7, 0, round, (uint32_t)k);
        int first = 1 + (int)(bits >> 8) % 6, second = first + 20 + (int)(bits >> 16) % 8;
        y[k] = (int)(bits & 1);
        for (int t = 0; t < STEPS; t++) {
            x[(t * BATCH + k) * INPUTS + y[k]] = t >= first && t < first + 5;
            x[(t * BATCH + k) * INPUTS + 1 - y[k]] = t >= second && t < second + 5;
        }
    }
}

static snn_net *build(int use_adaptive, snn_spike_mode spikes)
{
    snn_net_desc desc = { .batch = BATCH, .steps = STEPS, .seed = 1, .input = SNN_INPUT_DENSE,
                          .spikes = spikes };
    snn_neuron_desc hidden = { .beta = 0.5f, .learn_threshold = 1, .learn_custom = use_adaptive };
    snn_net *net = NULL;
    int x;
    if (snn_net_create(&net, &desc) != SNN_OK) return NULL;
    x = snn_linear(net, snn_input(net, INPUTS, 0, 0), &(snn_linear_desc){ .out_features = HIDDEN });
    x = use_adaptive ? snn_neuron(net, x, &adaptive, &hidden) : snn_leaky(net, x, &hidden);
    x = snn_linear(net, x, &(snn_linear_desc){ .out_features = CLASSES });
    snn_leaky(net, x, &(snn_leaky_desc){ .beta = 0.5f });
    return snn_net_build(net) == SNN_OK ? net : NULL;
}

int main(void)
{
    static float x[STEPS * BATCH * INPUTS];
    float worst = 1;
    int y[BATCH], use_adaptive;
    double accuracy[2] = { 0, 0 };
    snn_loss_desc loss = { .kind = SNN_LOSS_CE_COUNT };
    snn_optim_desc adam = { .lr = 1e-2f };
    snn_net *net = build(1, SNN_SPIKES_SMOOTH);
    trials(x, y, 0);
    snn_status status = snn_net_gradcheck(net, x, y, &loss, 1e-3f, &worst);
    printf("gradient check: %s, worst error %.1e\n", snn_status_text(status), (double)worst);
    snn_net_destroy(net);
    for (use_adaptive = 0; use_adaptive < 2; use_adaptive++) {
        net = build(use_adaptive, SNN_SPIKES_PACKED);
        for (uint32_t round = 0; round < ROUNDS + 10; round++) {
            trials(x, y, round);
            if (round < ROUNDS && snn_train_step(net, &adam, &loss, x, y) < 0) return 2;
            if (round < ROUNDS) continue; /* then ten rounds of new trials */
            snn_net_forward(net, x);
            accuracy[use_adaptive] += 10 * snn_accuracy(SNN_ACCURACY_RATE, STEPS, BATCH, CLASSES,
                snn_net_spikes(net, snn_net_output(net)).data, y, 0);
        }
        snn_net_destroy(net);
        printf("%-8s  %.1f %%\n", use_adaptive ? "adaptive" : "leaky", accuracy[use_adaptive]);
    }
    return status == SNN_OK && worst < 0.01f && accuracy[1] > 90 ? 0 : 1;
}
