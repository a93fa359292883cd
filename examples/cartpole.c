/* cartpole - a small spiking net learns to balance a pole, from nothing but how long it stood
 *
 *     cc -O2 examples/cartpole.c -o cartpole -lm && ./cartpole          (-fopenmp: on all cores)
 *
 * The cart-pole of Barto, Sutton and Anderson (1983), without friction: a cart on rails, pushed
 * left or right with 10 N every 20 ms, must keep the pole on it within 12 degrees and itself within
 * 2.4 m for 500 steps. A net 4-16-1 (Leaky neurons, and a leaky integrator whose sign is the push)
 * takes one step a push. It learns without gradients, by the evolution strategy of
 * snn_es_gradient, whose members run in parallel and give the same result on any number of cores.
 *
 * Expected: ten seeds, each solved in 5 to 50 generations, then balancing all 500 steps from 100
 * starts it never saw, or 495 in the mean, else it exits with 1; the time of a tick, about half a
 * microsecond; spikes of an episode, with <stb/stb_image_write.h> also in cartpole.png. It takes a
 * few seconds. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <math.h>
#include <stdio.h>
#include <time.h>
#ifdef _OPENMP
    #include <omp.h>
#else
    #define omp_get_wtime() ((double)clock() / CLOCKS_PER_SEC)
#endif
#if defined(__has_include)
    #if __has_include(<stb/stb_image_write.h>)
        #define STB_IMAGE_WRITE_IMPLEMENTATION
        #include <stb/stb_image_write.h>
    #endif
#endif

enum { HIDDEN = 16, STEPS = 500, SEEDS = 10, GENERATIONS = 200, TICKS = 1000000 };
enum { MEMBERS = 32, EPISODES = 4, STARTS = 100, CHECKS = 200, SHOWN = 90 };
enum { LEARN = 3, CHECK = 1, TEST = 2 }; /* streams of starts: LEARN + k is generation k's */

typedef struct cart { float x, v, angle, spin; } cart; /* m, m/s, rad, rad/s */
static cart path[STEPS];                               /* the last episode, its spikes and pushes */
static float raster[STEPS][HIDDEN + 1];

/* One step of 20 ms, explicit Euler; 0 when the pole or the cart has left its bounds. */
static int cart_step(cart *c, float force)
{
    const float g = 9.8f, pole = 0.1f, mass = 1.1f, half = 0.5f, dt = 0.02f;
    const float s = sinf(c->angle), k = cosf(c->angle);
    const float push = (force + pole * half * c->spin * c->spin * s) / mass;
    const float turn = (g * s - k * push) / (half * (4.0f / 3 - pole * k * k / mass));
    c->x += dt * c->v;
    c->v += dt * (push - pole * half * turn * k / mass);
    c->angle += dt * c->spin;
    c->spin += dt * turn;
    return fabsf(c->x) <= 2.4f && fabsf(c->angle) <= 12 * 3.14159265f / 180;
}

/* One step of the net: the push that it decides on. */
static float decide(snn_net *net, const cart *c)
{
    const float x[4] = { c->x / 2.4f, c->v / 2, c->angle / 0.2f, c->spin / 2 };
    snn_net_step(net, x);
    return snn_net_spikes(net, snn_net_output(net)).data[0] > 0 ? 10.0f : -10.0f;
}

/* Steps that the net balances, the mean over `starts`. Learning starts up to twice as far from the
 * middle as the test does. */
static float balance(snn_net *net, uint64_t seed, uint32_t stream, int starts)
{
    const float wide = stream == TEST ? 0.05f : 0.1f;
    float force, start[4];
    int i, k, t, sum = 0;
    for (k = 0; k < starts; k++, sum += t) {
        for (i = 0; i < 4; i++)
            start[i] = wide * (2 * snn_uniform(seed, stream, (uint32_t)k, (uint32_t)i) - 1);
        cart c = { start[0], start[1], start[2], start[3] };
        snn_net_reset(net);
        for (t = 0; t < STEPS; t++) {
            force = decide(net, &c);
            if (stream == TEST) {
                path[t] = c, raster[t][HIDDEN] = force;
                memcpy(raster[t], snn_net_spikes(net, 2).data, HIDDEN * sizeof(float));
            }
            if (!cart_step(&c, force)) break;
        }
    }
    return (float)sum / (float)starts;
}

static snn_net *build(uint64_t seed, int inference)
{
    snn_net_desc desc = { .inference = inference, .input = SNN_INPUT_DENSE, .seed = seed };
    snn_net *net = NULL;
    int x;
    if (snn_net_create(&net, &desc) != SNN_OK) return NULL;
    x = snn_linear(net, snn_input(net, 4, 0, 0), &(snn_linear_desc){ .out_features = HIDDEN });
    x = snn_leaky(net, x, &(snn_leaky_desc){ .beta = 0.8f, .threshold = 0.5f });
    snn_net_record(net, x, SNN_RECORD_SPIKES);
    x = snn_linear(net, x, &(snn_linear_desc){ .out_features = 1 });
    snn_li(net, x, &(snn_li_desc){ .beta = 0.5f });
    return snn_net_build(net) == SNN_OK ? net : NULL;
}

/* Trains until the net balances from all starts of the check; returns the generations. Each member
 * has a net, so that any thread can run it. */
static int learn(snn_net *net, snn_net **member, uint64_t seed)
{
    const snn_es_desc es = { .population = MEMBERS, .seed = seed };
    const snn_optim_desc adam = { .lr = 0.07f };
    const snn_tensor theta = snn_net_values(net);
    const size_t n = snn_tensor_count(&theta);
    float fitness[MEMBERS];
    uint32_t k;
    int m;
    for (k = 1; k <= GENERATIONS; k++) {
#ifdef _OPENMP
        #pragma omp parallel for schedule(dynamic, 1)
#endif
        for (m = 0; m < MEMBERS; m++) {
            snn_es_sample(&es, k, m, n, theta.data, snn_net_values(member[m]).data);
            snn_net_params_changed(member[m]);
            fitness[m] = balance(member[m], seed, LEARN + k, EPISODES);
        }
        snn_es_gradient(&es, k, n, fitness, snn_net_grads(net).data);
        snn_net_optim_step(net, &adam);
        if (balance(net, seed, CHECK, CHECKS) >= STEPS) break;
    }
    return (int)k;
}

/* The beginning of the last test: a row a neuron, the last one the pushes; time to the right. */
static void draw(void)
{
    int t, i;
    for (i = 0; i <= HIDDEN; i++) {
        printf("%2d  ", i);
        for (t = 0; t < SHOWN; t++)
            putchar(i < HIDDEN ? ".|"[raster[t][i] > 0] : "<>"[raster[t][i] > 0]);
        printf("\n");
    }
#ifdef STB_IMAGE_WRITE_IMPLEMENTATION
    enum { WIDTH = 2 * STEPS, BAND = 8, HEIGHT = BAND * (HIDDEN + 2) + 64 };
    static unsigned char image[HEIGHT][WIDTH];
    for (t = 0; t < STEPS; t++) { /* spikes, push, angle within 3 degrees */
        for (i = 0; i < BAND * (HIDDEN + 1); i++)
            image[i][2 * t] = raster[t][i / BAND] > 0 && i % BAND ? 255 : 0;
        i = HEIGHT - 32 - (int)(path[t].angle * 640);
        if (i > BAND * (HIDDEN + 1) && i < HEIGHT) image[i][2 * t] = image[i][2 * t + 1] = 255;
    }
    if (stbi_write_png("cartpole.png", WIDTH, HEIGHT, 1, image, WIDTH))
        printf("cartpole.png: all %d steps, and the angle of the pole\n", STEPS);
#endif
}

int main(void)
{
    snn_net *net = NULL, *member[MEMBERS];
    int seed, k, passed = 0;
    double start, mean;
    for (k = 0; k < MEMBERS; k++)
        if ((member[k] = build(0, 1)) == NULL) return 2;
    for (seed = 1; seed <= SEEDS; seed++) {
        snn_net_destroy(net);
        if ((net = build((uint64_t)seed, 0)) == NULL) return 2;
        k = learn(net, member, (uint64_t)seed);
        mean = (double)balance(net, (uint64_t)seed, TEST, STARTS);
        passed += mean >= STEPS - 5;
        printf("seed %2d: %2d generations, then %.1f of %d steps on average from %d new starts\n",
               seed, k, mean, STEPS, STARTS);
        fflush(stdout);
    }
    start = omp_get_wtime();
    for (k = 0; k < TICKS; k++) decide(net, &path[k % STEPS]);
    printf("%.2f us a tick\n\n", (omp_get_wtime() - start) * 1e6 / TICKS);
    draw();
    printf("%d of %d seeds learnt it\n", passed, SEEDS);
    snn_net_destroy(net);
    for (k = 0; k < MEMBERS; k++) snn_net_destroy(member[k]);
    return passed == SEEDS ? 0 : 1;
}
