/* Two panels below each other: events by hour of day, levels over time. */
#include "base/when.h"
#include "daemon/history/plot.h"
#include "evaluate/picture.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum {
    WIDTH = 920,
    HEIGHT = 700,
    LEFT = 70,
    RIGHT = 180,
    TOP = 84,
    PANEL = 230, /* height of each */
    SECOND = TOP + PANEL + 110
};
#define SPAN ((double)(WIDTH - LEFT - RIGHT))

/* Told apart by eyes that do not tell red from green, and seen on white as on black. */
static const char *const colours[PLOT_LABELS + 1] = {"#3b82c4", "#e08214", "#2f9e6e", "#b565a7",
                                                     "#b8a01f", "#3aa6b9", "#d1495b", "#8a8a8a"};

static void begin(FILE *out)
{
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"13\">\n"
        "<style>.paper{fill:#fff}.ink{fill:#222}.pale{fill:#555}.grid{stroke:#ddd;fill:none}"
        ".axis{stroke:#888;fill:none}\n"
        "@media (prefers-color-scheme: dark){.paper{fill:#15171b}.ink{fill:#e6e6e6}.pale{fill:#aaa}"
        ".grid{stroke:#373b42}}</style>\n"
        "<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
}

static void text(FILE *out, double x, double y, const char *anchor, const char *class, const char *more,
                 const char *words)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\"%s>", x, y, anchor, class, more);
    picture_text(out, words);
    fputs("</text>\n", out);
}

static void upright(FILE *out, double y, const char *words)
{
    fprintf(out, "<text transform=\"translate(18 %.1f) rotate(-90)\" text-anchor=\"middle\" class=\"pale\">", y);
    picture_text(out, words);
    fputs("</text>\n", out);
}

static void draw_title(FILE *out, const struct plot *p)
{
    char from[WHEN_TEXT], to[WHEN_TEXT], words[160];

    when_text(p->begin_ms, from);
    when_text(p->end_ms, to);
    snprintf(words, sizeof words, "%.16s to %.16s, local time: %" PRId64 " event%s", from, to, p->events,
             p->events == 1 ? "" : "s");
    text(out, LEFT, 28, "start", "ink", " font-size=\"16\" font-weight=\"bold\"", "What was heard");
    text(out, LEFT, 48, "start", "pale", "", words);
}

/* A step of 1, 2 or 5 times a power of ten, so that about five make `most`. */
static double nice_step(double most)
{
    double step = pow(10, floor(log10(fmax(most, 1) / 5)));

    step = step < 1 ? 1 : step;
    return most / step > 25 ? 10 * step : most / step > 10 ? 5 * step : most / step > 5 ? 2 * step : step;
}

/* --- events by hour of day ------------------------------------------------------------------------------------------------------- */

static double tallest(const struct plot *p)
{
    int64_t most = 0;

    for (int h = 0; h < 24; h++) {
        int64_t sum = 0;
        for (size_t i = 0; i <= p->n_labels; i++)
            sum += p->hours[i][h];
        most = sum > most ? sum : most;
    }
    return (double)most;
}

static void draw_bar(FILE *out, const struct plot *p, int h, double scale)
{
    double width = SPAN / 24, y = TOP + PANEL;

    for (size_t i = 0; i <= p->n_labels; i++) {
        double height = (double)p->hours[i][h] * scale;
        const char *label = i < p->n_labels ? p->labels[i] : "others";
        if (p->hours[i][h] == 0)
            continue;
        y -= height;
        fprintf(out, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"%s\"><title>%02d:00-%02d:59 ",
                LEFT + h * width + 2, y, width - 4, height, i < p->n_labels ? colours[i] : colours[PLOT_LABELS], h, h);
        picture_text(out, label);
        fprintf(out, ": %" PRId64 "</title></rect>\n", p->hours[i][h]);
    }
}

static void draw_legend(FILE *out, const struct plot *p)
{
    double y = TOP + 8;
    char words[80];

    for (size_t i = 0; i <= p->n_labels; i++) {
        if (p->count[i] == 0)
            continue;
        fprintf(out, "<rect x=\"%d\" y=\"%.1f\" width=\"12\" height=\"12\" fill=\"%s\"/>\n", WIDTH - RIGHT + 16, y,
                i < p->n_labels ? colours[i] : colours[PLOT_LABELS]);
        snprintf(words, sizeof words, "%.20s", i < p->n_labels ? p->labels[i] : "others");
        text(out, WIDTH - RIGHT + 34, y + 11, "start", "ink", " font-size=\"12\"", words);
        snprintf(words, sizeof words, "%" PRId64, p->count[i]);
        text(out, WIDTH - RIGHT + 34, y + 25, "start", "pale", " font-size=\"11\"", words);
        y += 31;
    }
}

static void draw_hours(FILE *out, const struct plot *p)
{
    double most = tallest(p), step = nice_step(most), top = fmax(ceil(most / step), 1) * step;
    char words[32];

    text(out, LEFT, TOP - 12, "start", "ink", " font-weight=\"bold\"", "Events by hour of day");
    int steps = (int)lround(top / step);
    for (int i = 0; i <= steps; i++) {
        double v = i * step, y = TOP + PANEL - v / top * PANEL;
        fprintf(out, "<path d=\"M%d %.1fh%.1f\" class=\"%s\"/>\n", LEFT, y, SPAN, i ? "grid" : "axis");
        snprintf(words, sizeof words, "%.0f", v);
        text(out, LEFT - 8, y + 4, "end", "pale", "", words);
    }
    for (int h = 0; h < 24; h++)
        draw_bar(out, p, h, PANEL / top);
    for (int h = 0; h <= 24; h += 3) {
        double x = LEFT + h * SPAN / 24;
        fprintf(out, "<path d=\"M%.1f %dv5\" class=\"axis\"/>\n", x, TOP + PANEL);
        snprintf(words, sizeof words, "%02d:00", h);
        text(out, x, TOP + PANEL + 20, "middle", "pale", "", words);
    }
    text(out, LEFT + SPAN / 2, TOP + PANEL + 42, "middle", "pale", "", "hour of day, local time");
    upright(out, TOP + PANEL / 2.0, "number of events");
    draw_legend(out, p);
    if (p->events == 0)
        text(out, LEFT + SPAN / 2, TOP + PANEL / 2.0, "middle", "pale", "", "no event in this time");
}

/* --- levels over time ------------------------------------------------------------------------------------------------------------ */

static double bin_level(const struct plot_bin *b, int which)
{
    if (b->seconds <= 0)
        return NAN;
    return which == 0   ? b->loudest
           : which == 1 ? 10 * log10(b->power / b->seconds)
           : b->quiet_n ? b->quiet_sum / b->quiet_n
                        : NAN;
}

static bool level_range(const struct plot *p, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < PLOT_BINS; i++)
        for (int which = 0; which < 3; which++) {
            double db = bin_level(&p->bins[i], which);
            if (isfinite(db)) {
                *low = fmin(*low, db);
                *high = fmax(*high, db);
            }
        }
    if (*low > *high)
        return false;
    *low = floor(*low / 10) * 10;
    *high = fmax(ceil(*high / 10) * 10, *low + 10);
    return true;
}

/* A line, broken where nothing was measured for longer than a bin or a row lasts. */
static void draw_line(FILE *out, const struct plot *p, int which, double low, double high)
{
    static const char *const styles[] = {"stroke=\"#e08214\" stroke-width=\"1\" stroke-opacity=\"0.8\"",
                                         "stroke=\"#3b82c4\" stroke-width=\"2\"",
                                         "stroke=\"#2f9e6e\" stroke-width=\"1.2\""};
    double bin_s = (double)(p->end_ms - p->begin_ms) / 1e3 / PLOT_BINS;
    int last = -1, points = 0;

    fprintf(out, "<path fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" %s d=\"", styles[which]);
    for (int i = 0; i < PLOT_BINS; i++) {
        double db = bin_level(&p->bins[i], which);
        if (!isfinite(db))
            continue;
        bool joined = last >= 0 && (i - last) * bin_s <= 2.1 * fmax(bin_s, p->bins[i].longest_s);
        fprintf(out, "%s%.1f %.1f", joined ? "L" : "M", LEFT + (i + 0.5) * SPAN / PLOT_BINS,
                SECOND + PANEL - (db - low) / (high - low) * PANEL);
        if (!joined)
            fputs("h0.1", out); /* a point on its own is seen as well */
        last = i;
        points++;
    }
    fprintf(out, "%s\"/>\n", points ? "" : "M0 0");
}

/* Hours between ticks (below 24), or days. */
static int tick_hours(double hours)
{
    static const int steps[] = {1, 2, 3, 6, 12};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (hours / steps[i] <= 10)
            return steps[i];
    return 24 * (int)ceil(hours / 24 / 10);
}

static void draw_tick(FILE *out, const struct plot *p, int64_t ms, bool day)
{
    double x = LEFT + (double)(ms - p->begin_ms) / (double)(p->end_ms - p->begin_ms) * SPAN;
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char words[32];

    localtime_r(&t, &tm);
    strftime(words, sizeof words, day ? "%b %e" : "%H:%M", &tm);
    fprintf(out, "<path d=\"M%.1f %dV%d\" class=\"grid\"/>\n", x, SECOND, SECOND + PANEL + 5);
    text(out, x, SECOND + PANEL + 20, "middle", "pale", "", words);
}

/* At full hours of the clock on the wall, or at midnights; its changes are followed. */
static void draw_times(FILE *out, const struct plot *p)
{
    int step = tick_hours((double)(p->end_ms - p->begin_ms) / 3.6e6), days = 0;

    for (int64_t t = p->begin_ms; t <= p->end_ms;) {
        struct when_range r = step < 24 ? when_hour_of(t) : when_day_of(t);
        int hour = when_hour_number(r.begin_ms);
        bool due = step < 24 ? hour % step == 0 : days++ % (step / 24) == 0;
        if (due && r.begin_ms >= p->begin_ms)
            draw_tick(out, p, r.begin_ms, step >= 24 || hour == 0);
        else if (due && step >= 24)
            days--; /* the first midnight within is the first tick */
        t = r.end_ms;
    }
}

static void draw_level_legend(FILE *out, const struct plot *p)
{
    static const char *const names[][2] = {{"LAFmax", "#e08214"}, {"LAeq", "#3b82c4"}, {"L90", "#2f9e6e"}};
    static const char *const meaning[] = {"loudest moment", "average", "background"};
    char words[96];

    for (int i = 0; i < 3; i++) {
        double y = SECOND + 14 + 34 * i;
        fprintf(out, "<path d=\"M%d %.1fh14\" stroke=\"%s\" stroke-width=\"3\"/>\n", WIDTH - RIGHT + 14, y - 4,
                names[i][1]);
        text(out, WIDTH - RIGHT + 34, y, "start", "ink", " font-size=\"12\"", names[i][0]);
        text(out, WIDTH - RIGHT + 34, y + 14, "start", "pale", " font-size=\"11\"", meaning[i]);
    }
    if (p->left_out) {
        snprintf(words, sizeof words, "%" PRId64 " of %" PRId64 " rows left out:", p->left_out, p->rows);
        text(out, WIDTH - RIGHT + 14, SECOND + 130, "start", "pale", " font-size=\"11\"", words);
        text(out, WIDTH - RIGHT + 14, SECOND + 144, "start", "pale", " font-size=\"11\"",
             p->calibrated ? "before the calibration" : "calibrated otherwise");
    }
}

static void draw_levels(FILE *out, const struct plot *p)
{
    double low, high;
    char words[32];

    text(out, LEFT, SECOND - 12, "start", "ink", " font-weight=\"bold\"", "Sound level over time");
    if (!level_range(p, &low, &high)) {
        fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"grid\"/>\n", LEFT, SECOND, SPAN,
                PANEL);
        text(out, LEFT + SPAN / 2, SECOND + PANEL / 2.0, "middle", "pale", "", "no level was stored in this time");
        return;
    }
    int step = high - low > 80 ? 20 : 10, steps = (int)(high - low) / step;
    for (int i = 0; i <= steps; i++) {
        double db = low + i * step, y = SECOND + PANEL - (db - low) / (high - low) * PANEL;
        fprintf(out, "<path d=\"M%d %.1fh%.1f\" class=\"%s\"/>\n", LEFT, y, SPAN, i ? "grid" : "axis");
        snprintf(words, sizeof words, "%.0f", db);
        text(out, LEFT - 8, y + 4, "end", "pale", "", words);
    }
    draw_times(out, p);
    for (int which = 0; which < 3; which++)
        draw_line(out, p, which, low, high);
    text(out, LEFT + SPAN / 2, SECOND + PANEL + 42, "middle", "pale", "", "time, local");
    upright(out, SECOND + PANEL / 2.0, p->calibrated ? "dB(A) re 20 uPa" : "dB(A) re full scale, not calibrated");
    draw_level_legend(out, p);
}

void plot_draw(FILE *out, const struct plot *p)
{
    begin(out);
    draw_title(out, p);
    draw_hours(out, p);
    draw_levels(out, p);
    fputs("</svg>\n", out);
}
