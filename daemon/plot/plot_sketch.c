#include "daemon/plot/plot.h"

#include "daemon/classify_print.h"
#include <math.h>
#include <string.h>

enum { WAVE_ROWS = 9, BAND_ROWS = 16, MARGIN = 8, COLUMNS_MAX = 240 };

struct sheet {
    const struct sound_plot *p;
    unsigned width;
    double column_s;
};

/* Least and greatest sample within a column, of those points that begin in it. */
static void outline(const struct sheet *s, unsigned column, double *low, double *high)
{
    const struct waveform *w = &s->p->waveform;
    double step = (double)w->per / s->p->rate;
    size_t from = (size_t)(column * s->column_s / step), to = (size_t)((column + 1) * s->column_s / step);

    *low = *high = 0;
    for (size_t i = from; i < w->n && (i == from || i < to); i++) {
        *low = fmin(*low, (double)w->min[i]);
        *high = fmax(*high, (double)w->max[i]);
    }
}

static void sketch_wave(FILE *out, const struct sheet *s)
{
    char rows[WAVE_ROWS][COLUMNS_MAX + 1];
    double top = 1e-4, low, high;

    for (unsigned x = 0; x < s->width; x++) {
        outline(s, x, &low, &high);
        top = fmax(top, fmax(-low, high));
    }
    for (int y = 0; y < WAVE_ROWS; y++) {
        memset(rows[y], y == WAVE_ROWS / 2 ? '-' : ' ', s->width);
        rows[y][s->width] = '\0';
    }
    for (unsigned x = 0; x < s->width; x++) {
        outline(s, x, &low, &high);
        int from = (int)lround((1 - high / top) * (WAVE_ROWS - 1) / 2),
            to = (int)lround((1 - low / top) * (WAVE_ROWS - 1) / 2);
        for (int y = from; y <= to && to > from; y++)
            rows[y][x] = '|';
    }
    for (int y = 0; y < WAVE_ROWS; y++) {
        if (y % (WAVE_ROWS / 2) == 0)
            fprintf(out, "%*.3f ", MARGIN - 1, top * (1 - 2.0 * y / (WAVE_ROWS - 1)));
        else
            fprintf(out, "%*s", MARGIN, "");
        fprintf(out, "%s\n", rows[y]);
    }
}

/* The loudest of the cells that a character stands for, 0..255. */
static int loudest(const struct sheet *s, unsigned column, int row)
{
    const struct sonogram_picture *g = &s->p->sonogram;
    size_t from = (size_t)(column * s->column_s / g->step_s), to = (size_t)((column + 1) * s->column_s / g->step_s);
    int most = 0, per = BANDLEVELS / BAND_ROWS;

    for (size_t i = from; i < g->columns && (i == from || i < to); i++)
        for (int b = row * per; b < (row + 1) * per; b++)
            most = g->data[i * BANDLEVELS + (size_t)b] > most ? g->data[i * BANDLEVELS + (size_t)b] : most;
    return most;
}

static void sketch_bands(FILE *out, const struct sheet *s)
{
    static const char shades[] = " .:-=+*#%@";
    int top = 1;

    for (unsigned x = 0; x < s->width; x++)
        for (int row = 0; row < BAND_ROWS; row++) {
            int v = loudest(s, x, row);
            top = v > top ? v : top;
        }
    for (int row = BAND_ROWS - 1; row >= 0; row--) {
        double hz = bandlevels_hz((row + 0.5) * BANDLEVELS / BAND_ROWS, s->p->sonogram.top_hz);
        if (row % 3 == 0)
            fprintf(out, "%*.0f Hz ", MARGIN - 4, hz);
        else
            fprintf(out, "%*s", MARGIN, "");
        for (unsigned x = 0; x < s->width; x++) {
            int below = top - loudest(s, x, row); /* in 1/255 of 100 dB; a shade is 6 dB */
            int shade = 9 - (int)(below / 255.0 * 100 / 6);
            fputc(shades[shade < 0 ? 0 : shade], out);
        }
        fputc('\n', out);
    }
}

static void sketch_times(FILE *out, const struct sheet *s)
{
    char line[COLUMNS_MAX + 32], at[24];
    double step = sound_plot_step(s->p->duration_s, (int)s->width / 12);
    size_t used = 0;

    memset(line, ' ', sizeof line);
    for (int i = 0; i * step <= s->p->duration_s; i++) {
        size_t x = (size_t)(i * step / s->column_s);
        sound_plot_time(i * step, step, at, sizeof at);
        if (x < used || x + strlen(at) > s->width)
            continue;
        memcpy(line + x, at, strlen(at));
        used = x + strlen(at) + 1;
    }
    line[used] = '\0';
    fprintf(out, "%*s%s\n", MARGIN, "", line);
}

static void sketch_labels(FILE *out, const struct sheet *s)
{
    const struct sound_plot *p = s->p;
    char line[COLUMNS_MAX + 1];

    memset(line, ' ', s->width);
    line[s->width] = '\0';
    for (size_t i = 0; i < p->n_open; i++)
        for (unsigned x = (unsigned)(p->open[i].start_s / s->column_s);
             x < s->width && x * s->column_s < p->open[i].end_s; x++)
            line[x] = '~';
    fprintf(out, "%*s%s gate open\n", MARGIN, "", line);
    for (size_t k = 0; k < p->n_labels; k++) {
        memset(line, ' ', s->width);
        for (size_t i = 0; i < p->n_events; i++)
            for (unsigned x = (unsigned)(p->events[i].start_s / s->column_s);
                 p->events[i].label == k && x < s->width && x * s->column_s < p->events[i].end_s; x++)
                line[x] = '=';
        fprintf(out, "%*s%s %s %.2f\n", MARGIN, "", line, p->labels[k].label, (double)p->labels[k].score);
    }
    if (!p->n_labels)
        fprintf(out, "%*sno sound was recognised\n", MARGIN, "");
}

void sound_plot_sketch(FILE *out, const struct sound_plot *p, unsigned columns)
{
    unsigned margin = MARGIN + (p->has_labels ? 24 : 0), width = columns > margin + 20 ? columns - margin : 20;
    struct sheet s = {.p = p, .width = width < COLUMNS_MAX ? width : COLUMNS_MAX};

    s.column_s = p->duration_s / s.width;
    print_name(out, p->file);
    fprintf(out, "  %.2f s, %u Hz, peak %.1f dBFS, RMS %.1f dBFS\n", p->duration_s, p->rate, p->peak_dbfs, p->rms_dbfs);
    sketch_wave(out, &s);
    fputc('\n', out);
    sketch_bands(out, &s);
    sketch_times(out, &s);
    if (p->has_labels)
        sketch_labels(out, &s);
}
