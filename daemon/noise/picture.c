#include "daemon/noise/print.h"

#include "base/when.h"
#include <math.h>

/* Pixels of the picture. */
enum { LEFT = 56, TOP = 64, CELL = 30, PLOT_H = 300, WIDTH = LEFT + 24 * CELL + 24, HEIGHT = TOP + PLOT_H + 72 };

struct scale {
    double low, high; /* dB at the bottom and the top */
};

struct of_day {
    struct noise_sum hour[24];
};

static double y_of(const struct scale *s, double level)
{
    return TOP + PLOT_H * (s->high - fmin(fmax(level, s->low), s->high)) / (s->high - s->low);
}

static void gather(const struct noise_report *r, struct of_day *d)
{
    for (int i = 0; i < 24; i++)
        d->hour[i] = (struct noise_sum){.lafmax = NAN, .lcpeak = NAN};
    for (size_t i = 0; i < r->n_hours; i++) {
        const struct noise_hour *h = &r->hour[i];
        struct noise_sum *s = &d->hour[h->hour];
        s->energy += h->sum.energy;
        s->measured_s += h->sum.measured_s;
        if (!(s->lafmax >= h->sum.lafmax))
            s->lafmax = h->sum.lafmax;
    }
}

/* Whole tens around all that is drawn. */
static struct scale fit(const struct of_day *d)
{
    struct scale s = {INFINITY, -INFINITY};
    for (int i = 0; i < 24; i++) {
        s.low = fmin(s.low, noise_laeq(&d->hour[i])); /* fmin passes NaN over */
        s.high = fmax(s.high, fmax(noise_laeq(&d->hour[i]), (double)d->hour[i].lafmax));
    }
    if (!isfinite(s.low) || !isfinite(s.high))
        return (struct scale){0, 100};
    s.low = 10 * floor((s.low - 5) / 10);
    s.high = fmax(10 * ceil((s.high + 1) / 10), s.low + 20);
    return s;
}

static void draw_parts(FILE *out, const struct noise_report *r)
{
    static const char *const fill[] = {"#fff8e1", "#ffe6cc", "#dfe6f2"};
    for (int m = 0; m < 24 * 60; m += 15)
        fprintf(out, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", LEFT + m * CELL / 60.0,
                TOP, CELL / 4.0 + 0.5, PLOT_H, fill[noise_part_of(&r->hours, m)]);
}

static void draw_axes(FILE *out, const struct scale *s, const char *unit)
{
    for (int i = 0; s->low + 10 * i <= s->high; i++) {
        double db = s->low + 10 * i;
        fprintf(out,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#999\" stroke-width=\"0.5\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f</text>\n",
                LEFT, LEFT + 24 * CELL, y_of(s, db), y_of(s, db), LEFT - 6, y_of(s, db) + 4, db);
    }
    for (int h = 0; h <= 24; h += 3)
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%02d:00</text>\n", LEFT + h * CELL,
                TOP + PLOT_H + 18, h);
    fprintf(out, "<text x=\"8\" y=\"%d\">%s</text>\n", TOP - 10, unit);
}

static void draw_hour(FILE *out, const struct scale *s, int hour, const struct noise_sum *sum)
{
    double laeq = noise_laeq(sum), max = (double)sum->lafmax, x = LEFT + hour * CELL;
    if (isfinite(laeq))
        fprintf(out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"#3b6ea5\"><title>%02d:00 LAeq %.1f, "
                "LAFmax %.1f, %.1f h measured</title></rect>\n",
                x + 4, y_of(s, laeq), CELL - 8, y_of(s, s->low) - y_of(s, laeq), hour, laeq, max,
                sum->measured_s / 3600);
    if (isfinite(max))
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"#b3261e\"/>\n", x + CELL / 2.0, y_of(s, max));
}

static void draw_title(FILE *out, const struct noise_report *r, const struct noise_period *p)
{
    char since[WHEN_TEXT], until[WHEN_TEXT];
    double lden = noise_lden(&r->hours, r->part), length = (double)(p->until_ms - p->since_ms) / 1000;
    when_text(p->since_ms, since);
    when_text(p->until_ms, until);
    fprintf(out, "<text x=\"%d\" y=\"22\" font-size=\"15\">Sound level by hour of day, %.16s to %.16s</text>\n", LEFT,
            since, until);
    fprintf(out, "<text x=\"%d\" y=\"42\">LAeq %.1f, ", LEFT, noise_laeq(&r->total));
    if (isfinite(lden))
        fprintf(out, "Lden %.1f, ", lden);
    fprintf(out, "measured %.0f %% of the time</text>\n",
            length > 0 ? fmin(100, floor(100 * r->total.measured_s / length + 0.05)) : 0);
}

void noise_draw(FILE *out, const struct noise_report *r, const struct noise_period *p)
{
    struct of_day d;
    gather(r, &d);
    struct scale s = fit(&d);
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    draw_title(out, r, p);
    draw_parts(out, r);
    draw_axes(out, &s, r->calibrated ? "dB(A)" : "dBFS(A), uncalibrated");
    for (int h = 0; h < 24; h++)
        draw_hour(out, &s, h, &d.hour[h]);
    fprintf(out,
            "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"#3b6ea5\"/><text x=\"%d\" y=\"%d\">LAeq</text>\n"
            "<circle cx=\"%d\" cy=\"%d\" r=\"3.5\" fill=\"#b3261e\"/><text x=\"%d\" y=\"%d\">LAFmax</text>\n"
            "<text x=\"%d\" y=\"%d\">background: day, evening, night</text>\n</svg>\n",
            LEFT, HEIGHT - 34, LEFT + 18, HEIGHT - 24, LEFT + 80, HEIGHT - 28, LEFT + 90, HEIGHT - 24, LEFT + 170,
            HEIGHT - 24);
}
