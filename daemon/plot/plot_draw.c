/* Three panels below each other, over one axis of time. */
#include "base/base64.h"
#include "base/png.h"
#include "base/text.h"
#include "daemon/plot/plot.h"
#include "evaluate/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1000, LEFT = 74, RIGHT = 116, WAVE_TOP = 78, WAVE = 130, BAND_TOP = WAVE_TOP + WAVE + 22, BAND = 256 };
enum { ROW = 22, ROWS_GAP = 24, PIXELS = 4, RANGE_DB = 70 };
#define SPAN ((double)(WIDTH - LEFT - RIGHT))

struct canvas {
    FILE *out;
    const struct sound_plot *p;
    double bottom, height;   /* of the lowest panel, of the whole */
    int low_dbfs, high_dbfs; /* of the spectrogram's colours */
    uint8_t palette[256][3];
};

static const char *const colours[] = {"#3b82c4", "#e08214", "#2f9e6e", "#b565a7", "#b8a01f", "#3aa6b9", "#d1495b"};

static double x_of(const struct canvas *c, double s)
{
    return LEFT + s / c->p->duration_s * SPAN;
}

/* Text for the inside of an element, in any script. */
static void words(FILE *out, const char *text)
{
    size_t n = strlen(text);

    if (!text_is_utf8(text, n)) {
        picture_text(out, text);
        return;
    }
    for (const char *t = text; *t; t++) {
        char one[2] = {*t, '\0'};
        if ((unsigned char)*t >= 0x80)
            fputc(*t, out);
        else
            picture_text(out, one);
    }
}

static void text(FILE *out, double x, double y, const char *anchor, const char *class, const char *more,
                 const char *line)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\"%s>", x, y, anchor, class, more);
    words(out, line);
    fputs("</text>\n", out);
}

static void upright(FILE *out, double y, const char *line)
{
    fprintf(out, "<text transform=\"translate(20 %.1f) rotate(-90)\" text-anchor=\"middle\" class=\"pale\">", y);
    words(out, line);
    fputs("</text>\n", out);
}

static void begin(const struct canvas *c)
{
    fprintf(c->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" version=\"1.1\" "
            "width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" font-family=\"DejaVu Sans, Helvetica, Arial, "
            "sans-serif\" font-size=\"12\">\n"
            "<style>.paper{fill:#fff}.ink{fill:#222}.pale{fill:#555}.grid{stroke:#ddd;fill:none}.axis{stroke:#888;"
            "fill:none}.wave{fill:#3b6ea5}.open{fill:#fff3d6}.over{stroke:#fff;stroke-opacity:.25;fill:none}\n"
            "@media (prefers-color-scheme: dark){.paper{fill:#15171b}.ink{fill:#e6e6e6}.pale{fill:#aaa}"
            ".grid{stroke:#373b42}.wave{fill:#7fb2e5}.open{fill:#3b3420}}</style>\n"
            "<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n",
            WIDTH, c->height, WIDTH, c->height);
}

static void draw_title(const struct canvas *c)
{
    const struct sound_plot *p = c->p;
    const char *slash = strrchr(p->file, '/');
    char line[200], clipped[64] = "";

    if (p->clipped)
        snprintf(clipped, sizeof clipped, ", %llu samples at full scale", (unsigned long long)p->clipped);
    snprintf(line, sizeof line, "%.2f s at %u Hz, peak %.1f dBFS, RMS %.1f dBFS%s%s", p->duration_s, p->rate,
             p->peak_dbfs, p->rms_dbfs, clipped, p->broken ? "; it breaks off here" : "");
    text(c->out, LEFT, 30, "start", "ink", " font-size=\"16\" font-weight=\"bold\"",
         slash && slash[1] ? slash + 1 : p->file);
    text(c->out, LEFT, 50, "start", "pale", "", line);
}

/* --- outline --------------------------------------------------------------------------------------------------------------------- */

static void draw_gate(const struct canvas *c, double top, double height)
{
    for (size_t i = 0; i < c->p->n_open; i++) {
        double from = x_of(c, c->p->open[i].start_s), to = x_of(c, fmin(c->p->open[i].end_s, c->p->duration_s));
        fprintf(c->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"open\"/>\n", from, top,
                fmax(to - from, 0.5), height);
    }
}

/* Up to full scale where it is loud; a quiet recording is shown larger, and the axis says so. */
static double wave_scale(const struct waveform *w)
{
    static const double tops[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5};
    float most = 0;

    for (size_t i = 0; i < w->n; i++)
        most = fmaxf(most, fmaxf(-w->min[i], w->max[i]));
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
        if ((double)most <= tops[i])
            return tops[i];
    return 1;
}

static void draw_wave(const struct canvas *c)
{
    const struct waveform *w = &c->p->waveform;
    double top = wave_scale(w), middle = WAVE_TOP + WAVE / 2.0, step = (double)w->per / c->p->rate;
    char line[32];

    for (int i = -2; i <= 2; i++) {
        double y = middle - i * WAVE / 4.0;
        fprintf(c->out, "<path d=\"M%d %.1fh%.1f\" class=\"%s\"/>\n", LEFT, y, SPAN, i ? "grid" : "axis");
        snprintf(line, sizeof line, "%g", top * i / 2);
        text(c->out, LEFT - 8, y + 4, "end", "pale", "", line);
    }
    fputs("<path class=\"wave\" d=\"M", c->out);
    for (size_t i = 0; i < w->n; i++)
        fprintf(c->out, "%.1f %.2f ", x_of(c, ((double)i + 0.5) * step),
                middle - 0.3 - (double)w->max[i] / top * WAVE / 2);
    for (size_t i = w->n; i-- > 0;)
        fprintf(c->out, "%.1f %.2f ", x_of(c, ((double)i + 0.5) * step),
                middle + 0.3 - (double)w->min[i] / top * WAVE / 2);
    fputs("z\"/>\n", c->out);
    upright(c->out, middle, "amplitude");
}

/* --- spectrogram ----------------------------------------------------------------------------------------------------------------- */

/* From night to daylight, each step lighter than the one before. */
static void fill_palette(uint8_t palette[256][3])
{
    static const double stops[][3] = {{9, 11, 24},   {36, 34, 96},   {96, 38, 128},  {168, 50, 112},
                                      {224, 88, 72}, {247, 158, 62}, {252, 250, 205}};
    enum { STOPS = sizeof stops / sizeof stops[0] };

    for (int i = 0; i < 256; i++) {
        double at = i / 255.0 * (STOPS - 1);
        int k = at >= STOPS - 1 ? STOPS - 2 : (int)at;
        for (int rgb = 0; rgb < 3; rgb++)
            palette[i][rgb] = (uint8_t)lround(stops[k][rgb] + (at - k) * (stops[k + 1][rgb] - stops[k][rgb]));
    }
}

/* The loudest moment is the lightest; what is RANGE_DB below it, the darkest. */
static void choose_range(struct canvas *c)
{
    uint8_t most = 0;

    for (size_t i = 0; i < c->p->sonogram.columns * BANDLEVELS; i++)
        most = c->p->sonogram.data[i] > most ? c->p->sonogram.data[i] : most;
    double top = BANDLEVELS_FLOOR_DBFS + most / 255.0 * -BANDLEVELS_FLOOR_DBFS;
    c->high_dbfs = (int)(5 * ceil(fmax(top, -60) / 5));
    c->low_dbfs = c->high_dbfs - RANGE_DB;
}

static uint8_t colour_of(const struct canvas *c, uint8_t level)
{
    double db = BANDLEVELS_FLOOR_DBFS + level / 255.0 * -BANDLEVELS_FLOOR_DBFS;
    double at = (db - c->low_dbfs) / RANGE_DB * 255;

    return at <= 0 ? 0 : at >= 255 ? 255 : (uint8_t)lround(at);
}

static int put_image(const struct canvas *c, const uint8_t *pixels, unsigned width, unsigned height, const char *place)
{
    size_t size = 0;
    uint8_t *png = png_indexed(pixels, width, height, c->palette, &size);
    char *coded = png ? malloc(BASE64_SIZE(size)) : NULL;

    if (coded) {
        base64_encode(png, size, coded);
        fprintf(c->out, "<image %s preserveAspectRatio=\"none\" xlink:href=\"data:image/png;base64,%s\"/>\n", place,
                coded);
    }
    free(png);
    free(coded);
    return coded ? 0 : -1;
}

/* The lowest band is the last row. */
static int draw_image(const struct canvas *c)
{
    const struct sonogram_picture *s = &c->p->sonogram;
    uint8_t *pixels = calloc(s->columns + 1, BANDLEVELS);
    char place[128];

    if (!pixels)
        return -1;
    for (size_t i = 0; i < s->columns; i++)
        for (size_t b = 0; b < BANDLEVELS; b++)
            pixels[(BANDLEVELS - 1 - b) * s->columns + i] = colour_of(c, s->data[i * BANDLEVELS + b]);
    snprintf(place, sizeof place, "x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"%d\"", LEFT, BAND_TOP,
             fmin((double)s->columns * s->step_s / c->p->duration_s, 1) * SPAN, BAND);
    int rc = put_image(c, pixels, (unsigned)s->columns, BANDLEVELS, place);
    free(pixels);
    return rc;
}

static int draw_scale(const struct canvas *c)
{
    uint8_t ramp[256];
    char place[128], line[32];

    for (int i = 0; i < 256; i++)
        ramp[i] = (uint8_t)(255 - i);
    snprintf(place, sizeof place, "x=\"%d\" y=\"%d\" width=\"14\" height=\"%d\"", WIDTH - RIGHT + 20, BAND_TOP, BAND);
    int rc = put_image(c, ramp, 1, 256, place);
    for (int db = c->high_dbfs; db >= c->low_dbfs; db -= 10) {
        snprintf(line, sizeof line, "%d", db);
        text(c->out, WIDTH - RIGHT + 40, BAND_TOP + (double)(c->high_dbfs - db) / RANGE_DB * BAND + 4, "start", "pale",
             "", line);
    }
    text(c->out, WIDTH - RIGHT + 20, BAND_TOP - 8, "start", "pale", "", "dBFS a band");
    return rc;
}

static int draw_bands(const struct canvas *c)
{
    static const double marks[] = {100, 200, 500, 1000, 2000, 4000, 8000};
    double top_hz = c->p->sonogram.top_hz, last_y = 1e9;
    char line[32];

    if (c->p->sonogram.columns && draw_image(c) < 0)
        return -1;
    for (size_t i = 0; i < sizeof marks / sizeof *marks && marks[i] <= top_hz; i++) {
        double low = 0, high = BANDLEVELS; /* of the band that has this frequency in its middle */
        for (int k = 0; k < 40; k++)
            *(bandlevels_hz((low + high) / 2, top_hz) < marks[i] ? &low : &high) = (low + high) / 2;
        double y = BAND_TOP + BAND - (low + 0.5) * PIXELS;
        if (y < BAND_TOP - PIXELS || last_y - y < 12)
            continue;
        y = fmax(y, BAND_TOP);
        fprintf(c->out, "<path d=\"M%d %.1fh%.1f\" class=\"over\"/>\n", LEFT, y, SPAN);
        snprintf(line, sizeof line, marks[i] < 1000 ? "%.0f" : "%.0fk", marks[i] < 1000 ? marks[i] : marks[i] / 1000);
        text(c->out, LEFT - 8, y + 4, "end", "pale", "", line);
        last_y = y;
    }
    upright(c->out, BAND_TOP + BAND / 2.0, "frequency, Hz");
    return draw_scale(c);
}

/* --- what was recognised --------------------------------------------------------------------------------------------------------- */

static void draw_event(const struct canvas *c, const struct sound_plot_event *e, double top)
{
    const char *colour = colours[e->label % (sizeof colours / sizeof *colours)];
    double from = x_of(c, e->start_s), to = x_of(c, fmin(e->end_s, c->p->duration_s));

    fprintf(
        c->out,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"3\" fill=\"%s\" fill-opacity=\"%.2f\"><title>",
        from, top + 3, fmax(to - from, 2), ROW - 6, colour, 0.35 + 0.65 * (double)e->score);
    words(c->out, c->p->labels[e->label].label);
    fprintf(c->out, " %.2f, %.2f to %.2f s</title></rect>\n", (double)e->score, e->start_s, e->end_s);
}

static void draw_labels(const struct canvas *c)
{
    const struct sound_plot *p = c->p;
    double top = BAND_TOP + BAND + ROWS_GAP;
    char line[96];

    draw_gate(c, top, ROW * (double)(p->n_labels ? p->n_labels : 1));
    for (size_t i = 0; i < p->n_labels; i++) {
        fprintf(c->out, "<path d=\"M%d %.1fh%.1f\" class=\"grid\"/>\n", LEFT, top + ROW * (double)(i + 1), SPAN);
        snprintf(line, sizeof line, "%.17s", p->labels[i].label);
        text(c->out, WIDTH - RIGHT + 6, top + ROW * (double)i + 15, "start", "ink", " font-size=\"11\"", line);
    }
    for (size_t i = 0; i < p->n_events; i++)
        draw_event(c, &p->events[i], top + ROW * (double)p->events[i].label);
    if (!p->n_labels)
        text(c->out, LEFT + SPAN / 2, top + 15, "middle", "pale", "",
             p->n_open ? "no sound was recognised" : "the gate never opened");
    fprintf(c->out, "<rect x=\"%d\" y=\"10\" width=\"12\" height=\"12\" class=\"open\" stroke=\"#888\"/>\n",
            WIDTH - RIGHT - 250);
    text(c->out, WIDTH - RIGHT - 234, 20, "start", "pale", " font-size=\"11\"", "gate open");
    snprintf(line, sizeof line, "bars: sounds that %.40s heard", p->model);
    text(c->out, WIDTH - RIGHT - 160, 20, "start", "pale", " font-size=\"11\"", line);
    if (!p->left_out)
        return;
    snprintf(line, sizeof line, "%zu more", p->left_out);
    text(c->out, WIDTH - RIGHT + 6, c->bottom + 14, "start", "pale", " font-size=\"11\"", line);
}

static void draw_times(const struct canvas *c)
{
    double step = sound_plot_step(c->p->duration_s, 12);
    char line[32];

    for (int i = 0; i * step <= c->p->duration_s * (1 + 1e-9); i++) {
        double x = x_of(c, i * step);
        fprintf(c->out, "<path d=\"M%.1f %dv%d\" class=\"grid\"/>\n", x, WAVE_TOP, WAVE);
        fprintf(c->out, "<path d=\"M%.1f %.1fv5\" class=\"axis\"/>\n", x, c->bottom);
        sound_plot_time(i * step, step, line, sizeof line);
        text(c->out, x, c->bottom + 19, "middle", "pale", "", line);
    }
}

int sound_plot_draw(FILE *out, const struct sound_plot *p)
{
    struct canvas c = {.out = out, .p = p, .bottom = BAND_TOP + BAND};

    if (p->has_labels)
        c.bottom += ROWS_GAP + ROW * (double)(p->n_labels ? p->n_labels : 1);
    c.height = c.bottom + 36;
    fill_palette(c.palette);
    choose_range(&c);
    begin(&c);
    draw_title(&c);
    draw_gate(&c, WAVE_TOP, WAVE);
    draw_times(&c);
    draw_wave(&c);
    int rc = draw_bands(&c);
    if (p->has_labels)
        draw_labels(&c);
    fputs("</svg>\n", out);
    return rc;
}
