/* neuron - one Leaky integrate-and-fire neuron without a net: current in, membrane and spikes out
 *
 *     cc -O2 examples/neuron.c -o neuron -lm && ./neuron
 *
 * The current X rises in three steps. The membrane follows it, U' = 0.9 U + X, towards X / 0.1;
 * where that is above the threshold 1 the neuron spikes, each spike takes the threshold away again
 * one step later, and the more current, the more spikes.
 *
 * Expected: a chart of spikes, membrane and current over 68 steps, and `spikes: 0 2 5` (one number
 * a step of the current); any other numbers and it exits with 1. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>

enum { STEPS = 68, PHASES = 3, ROWS = 12 };

int main(void)
{
    const float current[PHASES] = { 0.09f, 0.15f, 0.3f }, top = 1.2f;
    const int begin[PHASES + 1] = { 4, 20, 44, 64 }, expected[PHASES] = { 0, 2, 5 };
    const snn_leaky_desc desc = { .beta = 0.9f };
    snn_neuron_model neuron;
    float x[STEPS] = { 0 }, membrane[STEPS], spike[STEPS];
    float u = 0, *state[1] = { &u }; /* Leaky has one state */
    int t, phase, row, count[PHASES] = { 0 }, wrong = 0;

    if (snn_neuron_init(&neuron, snn_neuron_info(SNN_LEAKY), &desc) != SNN_OK) return 2;
    for (phase = 0; phase < PHASES; phase++)
        for (t = begin[phase]; t < begin[phase + 1]; t++) x[t] = current[phase];
    for (t = 0; t < STEPS; t++) {
        snn_neuron_forward(&neuron, 1, &spike[t], state, &x[t]);
        membrane[t] = u;
        for (phase = 0; phase < PHASES; phase++)
            count[phase] += spike[t] > 0 && x[t] == current[phase];
    }

    printf("   spikes  ");
    for (t = 0; t < STEPS; t++) putchar(spike[t] > 0 ? '|' : ' ');
    printf("\n");
    for (row = ROWS; row-- > 0;) { /* a bar of # up to the membrane, a line at the threshold */
        float low = top * (float)row / ROWS, high = top * (float)(row + 1) / ROWS;
        int threshold = low <= 1.0f && 1.0f < high;
        printf("%s  ", threshold ? "threshold" : row == ROWS / 2 ? " membrane" : "         ");
        for (t = 0; t < STEPS; t++) putchar(membrane[t] > low ? '#' : threshold ? '-' : ' ');
        printf("\n");
    }
    printf("  current  ");
    for (t = 0; t < STEPS; t++)
        putchar(x[t] <= 0 ? '_' : x[t] < 0.1f ? '.' : x[t] < 0.2f ? '-' : '=');
    printf("\n           _ 0   . %.2f   - %.2f   = %.2f\n\nspikes:", (double)current[0],
           (double)current[1], (double)current[2]);
    for (phase = 0; phase < PHASES; phase++) {
        printf(" %d", count[phase]);
        wrong += count[phase] != expected[phase];
    }
    printf("\n");
    return wrong != 0;
}
