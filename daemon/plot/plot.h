/* The picture of a recording: outline, spectrogram, and where asked for what was recognised when. */
#ifndef EARSHOT_PLOT_H
#define EARSHOT_PLOT_H

#include "audio/waveform.h"
#include "features/sonogram.h"
#include <stdbool.h>
#include <stdio.h>

enum { SOUND_PLOT_LABELS = 14 };

struct sound_plot_span {
    double start_s, end_s;
};

struct sound_plot {
    const char *file; /* any bytes */
    unsigned rate;
    double duration_s;
    double peak_dbfs, rms_dbfs;
    uint64_t clipped; /* samples at full scale */
    bool broken;      /* it broke off: the picture is of what came before */
    struct waveform waveform;
    struct sonogram_picture sonogram;

    bool has_labels; /* what follows was asked for */
    const char *model;
    struct sound_plot_span *open; /* [n_open], the gate */
    size_t n_open;
    struct sound_plot_label {
        const char *label;
        float score; /* the highest */
        double start_s;
    } labels[SOUND_PLOT_LABELS]; /* in the order of their first start */
    size_t n_labels, left_out;   /* left_out: labels for which there is no row */
    struct sound_plot_event {
        size_t label;
        double start_s, end_s;
        float score;
    } * events; /* [n_events] */
    size_t n_events;
};

/* SVG 1.1 that needs no other file; light or dark as the viewer prefers. -1: no memory. */
int sound_plot_draw(FILE *out, const struct sound_plot *p);

/* The same for a terminal of so many columns, in plain characters. */
void sound_plot_sketch(FILE *out, const struct sound_plot *p, unsigned columns);

/* Ticks for an axis of so many seconds: a step that makes about `most` of them, and a time as text: "0.5 s", "12 s", "1:30", "1:02:00". */
double sound_plot_step(double seconds, int most);
void sound_plot_time(double seconds, double step, char *out, size_t size);

#endif
