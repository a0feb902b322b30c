#include "evaluate/picture.h"

#include <math.h>

/* The square of shares over scores, and the bars of clips below it. */
enum {
    LEFT = 70,
    TOP = 60,
    SIDE = 420,
    GAP = 50,
    BARS = 110,
    WIDTH = LEFT + SIDE + 30,
    HEIGHT = TOP + SIDE + GAP + BARS + 60
};

static double x_of(double score)
{
    return LEFT + score * SIDE;
}

static double y_of(double share)
{
    return TOP + (1 - share) * SIDE;
}

static void draw_axes(FILE *out)
{
    for (int i = 0; i <= 5; i++) {
        double v = i / 5.0;
        fprintf(out, "<path d=\"M%.1f %dV%d\" stroke=\"#ddd\"/><path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>\n", x_of(v),
                TOP, TOP + SIDE, LEFT, y_of(v), LEFT + SIDE);
        fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.1f</text>\n", LEFT - 8, y_of(v) + 4, v);
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.1f</text>\n", x_of(v), TOP + SIDE + 18, v);
    }
    fprintf(out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#555\" stroke-dasharray=\"5 4\"/>\n", x_of(0), y_of(0),
            x_of(1), y_of(1));
    fprintf(out, "<text transform=\"translate(22 %d) rotate(-90)\" text-anchor=\"middle\">share that is right</text>\n",
            TOP + SIDE / 2);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">score of the best label</text>\n", LEFT + SIDE / 2,
            TOP + SIDE + 36);
}

/* Each bin's share that is right; what lies between it and the mean score, the line, is the error. */
static void draw_bins(FILE *out, const struct reliability *c)
{
    double width = (double)SIDE / RELIABILITY_BINS, bottom = TOP + SIDE + GAP + BARS;
    size_t most = 1;

    for (int b = 0; b < RELIABILITY_BINS; b++)
        most = c->bin[b].n > most ? c->bin[b].n : most;
    for (int b = 0; b < RELIABILITY_BINS; b++) {
        double x = x_of((double)b / RELIABILITY_BINS), right = c->bin[b].right, score = c->bin[b].score;
        if (!c->bin[b].n)
            continue;
        fprintf(
            out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#2b6cb0\"><title>scores %.3f to %.3f: "
            "mean %.3f, right %.3f, %zu clips</title></rect>\n",
            x + 1, y_of(fmin(right, score)), width - 2, y_of(0) - y_of(fmin(right, score)),
            (double)b / RELIABILITY_BINS, (b + 1.0) / RELIABILITY_BINS, score, right, c->bin[b].n);
        fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" fill-opacity=\"0.45\"/>\n",
                x + 1, y_of(fmax(right, score)), width - 2, fabs(right - score) * SIDE,
                right < score ? "#c53030" : "#dd8a00");
        fprintf(out, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#000\" stroke-width=\"2\"/>\n", x + 1, y_of(score),
                x + width - 1);
        double height = (double)c->bin[b].n / (double)most * (BARS - 16);
        fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#888\"/>", x + 1,
                bottom - height, width - 2, height);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"10\" text-anchor=\"middle\">%zu</text>\n", x + width / 2,
                bottom - height - 3, c->bin[b].n);
    }
    fprintf(out, "<path d=\"M%d %.1fH%d\" stroke=\"#555\"/>\n", LEFT, bottom, LEFT + SIDE);
    fprintf(out, "<text transform=\"translate(22 %.1f) rotate(-90)\" text-anchor=\"middle\">clips</text>\n",
            bottom - BARS / 2.0);
}

void picture_reliability(FILE *out, const struct reliability *c, const char *title)
{
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    fputs("<text x=\"12\" y=\"22\" font-size=\"14\" font-weight=\"bold\">", out);
    picture_text(out, title);
    fprintf(out, "</text>\n<text x=\"12\" y=\"42\">ECE %.3f, greatest error %.3f, Brier score %.3f, %zu clips</text>\n",
            c->ece, c->max_error, c->brier, c->n);
    draw_axes(out);
    draw_bins(out, c);
    double y = HEIGHT - 20;
    fprintf(
        out,
        "<path d=\"M%d %.1fh16\" stroke=\"#000\" stroke-width=\"2\"/><text x=\"%d\" y=\"%.1f\">mean score</text>"
        "<rect x=\"%d\" y=\"%.1f\" width=\"16\" height=\"10\" fill=\"#c53030\" fill-opacity=\"0.45\"/><text x=\"%d\" "
        "y=\"%.1f\">too sure</text>"
        "<rect x=\"%d\" y=\"%.1f\" width=\"16\" height=\"10\" fill=\"#dd8a00\" fill-opacity=\"0.45\"/><text x=\"%d\" "
        "y=\"%.1f\">too careful</text>\n",
        LEFT, y - 4, LEFT + 22, y, LEFT + 120, y - 9, LEFT + 142, y, LEFT + 220, y - 9, LEFT + 242, y);
    fputs("</svg>\n", out);
}
