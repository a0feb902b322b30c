/* The picture of `earshot history plot`: what it shows, and how it is drawn. */
#ifndef EARSHOT_HISTORY_PLOT_H
#define EARSHOT_HISTORY_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PLOT_LABELS = 7, PLOT_BINS = 380 };

struct plot {
    int64_t begin_ms, end_ms; /* UTC */
    int64_t events;           /* all of them */
    /* Events by hour of day, local time: the most frequent labels, then the others together in hours[n_labels]. */
    char labels[PLOT_LABELS][48];
    size_t n_labels;
    int64_t hours[PLOT_LABELS + 1][24];
    int64_t count[PLOT_LABELS + 1];
    /* Levels, in bins of the same length; seconds 0: nothing was measured. */
    struct plot_bin {
        double seconds, power, quiet_sum; /* of laeq by power, of l90 */
        double longest_s;                 /* of a row's interval */
        double loudest;                   /* lafmax */
        int quiet_n;
    } bins[PLOT_BINS];
    bool calibrated; /* dB SPL; else dB re full scale. Of the newest row; others are left out and counted */
    int64_t left_out, rows;
};

/* SVG 1.1 that needs no other file; light or dark as the viewer prefers. */
void plot_draw(FILE *out, const struct plot *p);

#endif
