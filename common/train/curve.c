#include "train/curve.h"

#include "evaluate/picture.h"

#include <math.h>

/* Pixels: two plots, one above the other. */
enum { WIDTH = 720, LEFT = 64, RIGHT = 24, TOP = 56, HEIGHT = 220, GAP = 48, BOTTOM = 48 };

struct plot {
    FILE *out;
    double top, low, high; /* pixels; values at its lower and upper edge */
    size_t n;              /* epochs */
};

static double x_of(const struct plot *p, size_t epoch)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (p->n > 1 ? (double)(epoch - 1) / (double)(p->n - 1) : 0.5);
}

static double y_of(const struct plot *p, double value)
{
    return p->top + HEIGHT * (p->high - value) / (p->high - p->low);
}

/* 1, 2 or 5 times a power of ten, about a fifth of the range. */
static double step_of(double range)
{
    double ten = pow(10, floor(log10(range / 5))), part = range / 5 / ten;

    return ten * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

static void draw_axes(const struct plot *p, const char *name, bool shares)
{
    double step = step_of(p->high - p->low);
    size_t epochs = (size_t)fmax(1, step_of((double)p->n));

    for (int i = (int)ceil(p->low / step); i * step <= p->high + 1e-9; i++) {
        double v = i * step;
        fprintf(p->out, "<path d=\"M%d %.1fH%d\" stroke=\"#e0e0e0\"/>\n", LEFT, y_of(p, v), WIDTH - RIGHT);
        fprintf(p->out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6, y_of(p, v) + 4);
        if (shares)
            fprintf(p->out, "%.0f %%</text>\n", 100 * v);
        else
            fprintf(p->out, "%.3g</text>\n", v);
    }
    for (size_t e = epochs; e <= p->n; e += epochs)
        fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>\n", x_of(p, e),
                p->top + HEIGHT + 18, e);
    fprintf(p->out, "<path d=\"M%d %.1fV%.1fH%d\" stroke=\"#555\" fill=\"none\"/>\n", LEFT, p->top, p->top + HEIGHT,
            WIDTH - RIGHT);
    fprintf(p->out, "<text x=\"%d\" y=\"%.1f\" font-weight=\"bold\">%s</text>\n", LEFT, p->top - 8, name);
}

static double value_of(const struct fit_point *p, int which)
{
    return which == 0 ? p->loss : which == 1 ? p->check_loss : p->check_right;
}

static void draw_line(const struct plot *p, const struct fit_point *points, int which, const char *colour)
{
    char begin = 'M';

    fputs("<path d=\"", p->out);
    for (size_t i = 0; i < p->n; i++) {
        double v = value_of(&points[i], which);
        if (!isfinite(v))
            continue;
        fprintf(p->out, "%c%.1f %.1f", begin, x_of(p, i + 1), y_of(p, fmin(v, p->high)));
        begin = 'L';
    }
    if (begin == 'M') /* nothing was checked */
        fputs("M0 0", p->out);
    fprintf(p->out, "\" stroke=\"%s\" stroke-width=\"1.8\" fill=\"none\"/>\n", colour);
}

static void draw_best(const struct plot *p, size_t best)
{
    if (best)
        fprintf(p->out, "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#238b45\" stroke-dasharray=\"4 3\"/>\n", x_of(p, best),
                p->top, p->top + HEIGHT);
}

static void draw_legend(FILE *out, size_t best)
{
    static const struct {
        const char *colour, *text;
        int at;
    } entries[] = {{"#084594", "trained on", 190}, {"#a50f15", "checked", 320}};

    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        fprintf(out, "<path d=\"M%d %dh24\" stroke=\"%s\" stroke-width=\"2\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
                entries[i].at, TOP - 12, entries[i].colour, entries[i].at + 30, TOP - 8, entries[i].text);
    if (best)
        fprintf(
            out,
            "<path d=\"M430 %dh24\" stroke=\"#238b45\" stroke-dasharray=\"4 3\"/><text x=\"460\" y=\"%d\">kept: epoch "
            "%zu</text>\n",
            TOP - 12, TOP - 8, best);
}

void curve_picture(FILE *out, const struct fit_point *points, size_t n, size_t best, const char *title)
{
    struct plot loss = {out, TOP, 0, 0, n}, right = {out, TOP + HEIGHT + GAP, 0, 1, n};
    int height = TOP + 2 * HEIGHT + GAP + BOTTOM;

    for (size_t i = 0; i < n; i++) { /* a check that runs away must not flatten all else */
        double checked = isfinite(points[i].check_loss) ? fmin(points[i].check_loss, 3 * points[0].loss) : 0;
        loss.high = fmax(loss.high, fmax(points[i].loss, checked));
    }
    loss.high = loss.high > 0 && isfinite(loss.high) ? 1.05 * loss.high : 1;
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        WIDTH, height, WIDTH, height);
    fputs("<text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">", out);
    picture_text(out, title);
    fputs("</text>\n", out);
    draw_axes(&loss, "loss", false);
    draw_legend(out, best);
    draw_best(&loss, best);
    draw_line(&loss, points, 0, "#084594");
    draw_line(&loss, points, 1, "#a50f15");
    draw_axes(&right, "right, of what is checked", true);
    draw_best(&right, best);
    draw_line(&right, points, 2, "#a50f15");
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">epoch</text>\n</svg>\n", WIDTH - RIGHT, height - 12);
}
