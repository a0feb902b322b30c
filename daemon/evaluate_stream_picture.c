/* Recall over false alarms an hour, drawn as SVG. */
#include "daemon/evaluate_stream_result.h"
#include "evaluate/picture.h"

#include <math.h>

enum { WIDTH = 720, HEIGHT = 480, LEFT = 70, RIGHT = 190, TOP = 40, BOTTOM = 60 };

/* False alarms an hour run in decades from 0.1 to 100; what is less lies at the left edge. */
#define LOW  0.1
#define HIGH 100.0
enum { DECADES = 3 };

static const char *const colours[] = {"#1f5fa8", "#c2541b", "#2f7d32", "#7b3f9e",
                                      "#9c6b00", "#007a87", "#b0246b", "#5b5b5b"};
enum { N_COLOURS = sizeof colours / sizeof *colours };

static double x_of(double per_hour)
{
    double at = log10(fmin(fmax(per_hour, LOW), HIGH) / LOW) / log10(HIGH / LOW);
    return LEFT + at * (WIDTH - LEFT - RIGHT);
}

static double y_of(double recall)
{
    return HEIGHT - BOTTOM - recall * (HEIGHT - TOP - BOTTOM);
}

static void text(FILE *out, double x, double y, const char *anchor, const char *words)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    picture_text(out, words);
    fputs("</text>\n", out);
}

static void draw_axes(FILE *out)
{
    char words[32];

    for (int i = 0; i <= 10; i += 2) {
        double y = y_of(i / 10.0);
        fprintf(out, "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>\n", LEFT, y, WIDTH - RIGHT);
        snprintf(words, sizeof words, "%d %%", 10 * i);
        text(out, LEFT - 8, y + 4, "end", words);
    }
    for (int decade = 0; decade <= DECADES; decade++) {
        double x = LOW * pow(10, decade);
        fprintf(out, "<path d=\"M%.1f %dV%d\" stroke=\"#ddd\"/>\n", x_of(x), TOP, HEIGHT - BOTTOM);
        snprintf(words, sizeof words, "%g%s", x, decade ? "" : " or less");
        text(out, x_of(x), HEIGHT - BOTTOM + 20, "middle", words);
    }
    text(out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 15, "middle", "false alarms an hour");
    text(out, LEFT, TOP - 15, "start", "sounds heard, one threshold for all labels of the curve");
}

/* One curve with its name beside the drawing. snr -1: all sounds. */
static void draw_curve(FILE *out, const struct streams_result *r, const bool *member, int snr, const char *name,
                       unsigned number)
{
    struct sweep_events e = sweep_events_of(&r->sweep, member);
    uint32_t events = snr < 0 ? e.all : e.snr[snr];
    const char *colour = colours[number % N_COLOURS], *dash = snr < 0 ? "" : " stroke-dasharray=\"6 3\"";
    double y = TOP + 10 + 20.0 * number;

    if (events == 0)
        return;
    fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s d=\"", colour, dash);
    for (size_t k = r->sweep.n_thresholds; k-- > 0;) {
        struct sweep_point p = sweep_pool(&r->sweep, k, member);
        fprintf(out, "%s%.1f %.1f", k + 1 == r->sweep.n_thresholds ? "M" : " ",
                x_of(stream_per_hour(r, p.false_alarms)),
                y_of((double)(snr < 0 ? p.heard : p.heard_snr[snr]) / events));
    }
    fprintf(out, "\"/>\n<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s d=\"M%d %.1fh24\"/>\n", colour, dash,
            WIDTH - RIGHT + 14, y);
    text(out, WIDTH - RIGHT + 44, y + 4, "start", name);
}

void evaluate_stream_picture(FILE *out, const struct streams_result *r)
{
    const bool *first = r->n_groups ? r->groups[0].member : NULL;
    unsigned number = 0;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    draw_axes(out);
    if (r->n_groups == 0)
        draw_curve(out, r, NULL, -1, "all labels", number++);
    for (size_t g = 0; g < r->n_groups; g++)
        draw_curve(out, r, r->groups[g].member, -1, r->groups[g].name, number++);
    for (size_t i = 0; i < r->snrs.n; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s, %d dB", r->n_groups ? r->groups[0].name : "all labels", r->snrs.db[i]);
        draw_curve(out, r, first, (int)i, name, number++);
    }
    fputs("</svg>\n", out);
}
