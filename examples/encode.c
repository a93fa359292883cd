/* encode - three ways to turn one digit into spikes: rate, latency and delta coding
 *
 *     cc -O2 examples/encode.c -o encode -lm && ./encode
 *     ./encode [DIR [NUMBER]]        (another folder of MNIST files, another test digit)
 *
 *   rate     a bright pixel spikes often: at each step with its brightness as probability
 *   latency  a bright pixel spikes early, each pixel at most once
 *   delta    a signal spikes where it changes: the digit is read column by column, from left to
 *            right, and + and - mark where a row gets brighter or darker
 *
 * Expected: the digit, the outlines that delta coding finds, and rasters of the lit pixels of one
 * row (pixels downwards, time to the right); then three lines that end in `ok`, else it exits with
 * 1. */
#define SNN_IMPLEMENTATION
#include "../snn.h"
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, STEPS = 40, ROW = 14 };

static int report(int right)
{
    printf(": %s\n", right ? "ok" : "WRONG");
    return right;
}

int main(int argc, char **argv)
{
    const char *dirs[] = { "examples/data", "data", "../examples/data" };
    static float digit[PIXELS], columns[PIXELS], rate[STEPS * PIXELS], latency[STEPS * PIXELS];
    static float delta[PIXELS], times[PIXELS];
    char path[1024];
    snn_idx images;
    int i, r, c, t, good = 1, found = 0, number = argc > 2 ? atoi(argv[2]) : 3;

    for (i = 0; i < (argc > 1 ? 1 : 3) && !found; i++) {
        snprintf(path, sizeof path, "%s/t10k-images-idx3-ubyte", argc > 1 ? argv[1] : dirs[i]);
        found = snn_idx_load(&images, path) == SNN_OK;
    }
    if (!found || number < 0 || ((size_t)number + 1) * PIXELS > images.count) {
        fprintf(stderr, "no digit %d in %s\nusage: encode [DIR [NUMBER]]\n", number, path);
        return 2;
    }
    for (i = 0; i < PIXELS; i++) {
        digit[i] = (float)images.data[number * PIXELS + i] / 255.0f;
        columns[i % SIDE * SIDE + i / SIDE] = digit[i]; /* [time = column][row] */
    }
    snn_idx_free(&images);

    /* all pixels are coded, those of one row are drawn */
    snn_latency_desc early = { .threshold = 0.1f, .linear = 1, .normalize = 1, .clip = 1 };
    if (snn_encode_rate(rate, digit, STEPS, PIXELS, 1, 0, 0, 1) != SNN_OK ||
        snn_encode_latency(latency, times, digit, STEPS, PIXELS, &early) != SNN_OK ||
        snn_encode_delta(delta, columns, SIDE, SIDE, 0.3f, 0, 1) != SNN_OK)
        return 2;

    printf("%-30s  delta coding of its columns\n", "the digit");
    for (r = 0; r < SIDE; r++) {
        for (c = 0; c < SIDE; c++) putchar(" .:-=+*#%@"[(int)(digit[r * SIDE + c] * 9.99f)]);
        printf("%s", r == ROW ? " <  " : "    ");
        for (t = 0; t < SIDE; t++) putchar("-.+"[(int)delta[t * SIDE + r] + 1]);
        printf("\n");
    }
    printf("\n%-*s  latency coding\n", STEPS, "rate coding of row <");
    for (c = 0; c < SIDE; c++) {
        i = ROW * SIDE + c;
        if (digit[i] <= 0) continue;
        for (t = 0; t < STEPS; t++) putchar(rate[t * PIXELS + i] > 0 ? '|' : '.');
        printf("  ");
        for (t = 0; t < STEPS; t++) putchar(latency[t * PIXELS + i] > 0 ? '|' : '.');
        printf("  %3.0f %%\n", (double)digit[i] * 100);
    }

    /* rate: as many spikes as the brightness promises; a sum of coin flips strays by a few
     * deviations */
    double spikes = 0, mean = 0, variance = 0;
    for (i = 0; i < STEPS * PIXELS; i++) spikes += (double)rate[i];
    for (i = 0; i < PIXELS; i++) {
        mean += STEPS * (double)digit[i];
        variance += STEPS * (double)digit[i] * (1 - (double)digit[i]);
    }
    printf("\nrate coding: %.0f spikes, %.0f promised", spikes, mean);
    good &= report((spikes - mean) * (spikes - mean) <= 16 * variance);

    /* latency: one spike for each pixel above the threshold, never later for a brighter one */
    int bright = 0, once = 1, order = 1;
    for (i = 0; i < PIXELS; i++) {
        float n = 0;
        for (t = 0; t < STEPS; t++) n += latency[t * PIXELS + i];
        bright += digit[i] >= early.threshold;
        once &= n == (digit[i] >= early.threshold ? 1.0f : 0.0f);
        for (c = 0; c < i; c++)
            if (digit[c] >= early.threshold && digit[i] >= early.threshold)
                order &= (digit[c] - digit[i]) * (times[c] - times[i]) <= 0;
    }
    printf("latency coding: one spike each for %d pixels, the brightest first", bright);
    good &= report(once && order);

    /* delta: a mark exactly where two neighbours in a row differ by the threshold */
    int up = 0, down = 0, edges = 1;
    for (i = 0; i < PIXELS; i++) {
        float change = columns[i] - (i < SIDE ? 0 : columns[i - SIDE]);
        up += delta[i] > 0;
        down += delta[i] < 0;
        edges &= (delta[i] > 0) == (change >= 0.3f) && (delta[i] < 0) == (change <= -0.3f);
    }
    printf("delta coding: %d rises, %d falls", up, down);
    good &= report(edges && up > 0 && down > 0);
    return good ? 0 : 1;
}
