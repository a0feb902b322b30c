#include "evaluate/picture.h"

#include <math.h>
#include <string.h>

/* Everything in pixels of the picture. */
struct layout {
    double cell, font, left, top, width, height;
};

void picture_text(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text < ' ' || *text > '~' ? '?' : *text, out);
        }
}

/* Many labels get small cells: 60 of them are as wide as a screen. */
static struct layout lay_out(const struct confusion *c)
{
    struct layout l = {.cell = c->n_cols > 30 ? 16 : 24};
    size_t longest = 0;

    for (size_t k = 0; k < c->n_cols; k++) {
        size_t n = strlen(c->labels[c->cols[k]]);
        longest = n > longest ? n : longest;
    }
    l.font = l.cell > 16 ? 13 : 11;
    l.left = 24 + 0.62 * l.font * (double)longest;
    l.top = l.left + 32;
    l.width = l.left + l.cell * (double)c->n_cols + 120;
    l.height = l.top + l.cell * (double)c->n_rows + 60;
    l.width = fmax(l.width, l.left + 600); /* the legend */
    return l;
}

/* From white to the colour at full share; by the root, so that one clip of forty can be seen. */
static void fill_of(double share, bool right, int rgb[3])
{
    static const int blue[3] = {8, 69, 148}, red[3] = {165, 15, 21};
    double at = sqrt(share);

    for (int i = 0; i < 3; i++)
        rgb[i] = (int)lround(255 + at * ((right ? blue : red)[i] - 255));
}

static void draw_cell(FILE *out, const struct confusion *c, const struct layout *l, size_t row, size_t col)
{
    size_t count = c->count[row * c->n_cols + col];
    double share = (double)count / (double)c->total[row];
    double x = l->left + l->cell * (double)col, y = l->top + l->cell * (double)row;
    int rgb[3];

    if (!count)
        return;
    fill_of(share, c->rows[row] == c->cols[col], rgb);
    fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#%02x%02x%02x\">", x, y, l->cell,
            l->cell, rgb[0], rgb[1], rgb[2]);
    fprintf(out, "<title>%s heard as %s: %zu of %zu</title></rect>\n", c->labels[c->rows[row]], c->labels[c->cols[col]],
            count, c->total[row]);
    double size = l->cell * (count < 100 ? 0.56 : count < 1000 ? 0.46 : 0.36);
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" fill=\"%s\" text-anchor=\"middle\">%zu</text>\n",
            x + l->cell / 2, y + l->cell / 2 + 0.36 * size, size, share > 0.25 ? "#fff" : "#000", count);
}

/* Lines between the cells, every fifth darker, so that the eye finds its way from a label to a cell. */
static void draw_grid(FILE *out, const struct confusion *c, const struct layout *l)
{
    double right = l->left + l->cell * (double)c->n_cols, bottom = l->top + l->cell * (double)c->n_rows;

    for (size_t i = 0; i <= c->n_cols; i++)
        fprintf(out, "<path d=\"M%.1f %.1fV%.1f\" stroke=\"%s\"/>\n", l->left + l->cell * (double)i, l->top, bottom,
                i % 5 ? "#e4e4e4" : "#b8b8b8");
    for (size_t i = 0; i <= c->n_rows; i++)
        fprintf(out, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"%s\"/>\n", l->left, l->top + l->cell * (double)i, right,
                i % 5 ? "#e4e4e4" : "#b8b8b8");
}

static void draw_labels(FILE *out, const struct confusion *c, const struct layout *l)
{
    double end = l->left + l->cell * (double)c->n_cols + 8;

    for (size_t i = 0; i < c->n_rows; i++) {
        double y = l->top + l->cell * ((double)i + 0.5) + 0.36 * l->font;
        size_t right = 0;
        for (size_t k = 0; k < c->n_cols; k++)
            right += c->cols[k] == c->rows[i] ? c->count[i * c->n_cols + k] : 0;
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", l->left - 6, y,
                c->labels[c->rows[i]]);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" fill=\"#555\">%.0f %% of %zu</text>\n", end, y,
                100.0 * (double)right / (double)c->total[i], c->total[i]);
    }
    for (size_t k = 0; k < c->n_cols; k++)
        fprintf(out, "<text transform=\"translate(%.1f %.1f) rotate(-90)\">%s</text>\n",
                l->left + l->cell * ((double)k + 0.5) + 0.36 * l->font, l->top - 6, c->labels[c->cols[k]]);
}

static void draw_legend(FILE *out, const struct confusion *c, const struct layout *l)
{
    static const double shares[] = {0.02, 0.1, 0.25, 0.5, 1};
    enum { N = sizeof shares / sizeof shares[0], BOX = 42 };
    double y = l->top + l->cell * (double)c->n_rows + 22;
    int rgb[3];

    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">share of a row</text>\n", l->left - 6, y + 12);
    for (int wrong = 0; wrong < 2; wrong++) {
        double left = l->left + wrong * (N * BOX + 60);
        for (int i = 0; i < N; i++) {
            double x = left + i * BOX;
            fill_of(shares[i], !wrong, rgb);
            fprintf(out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"16\" fill=\"#%02x%02x%02x\"/>"
                    "<text x=\"%.1f\" y=\"%.1f\" font-size=\"10\" fill=\"%s\" text-anchor=\"middle\">%.0f %%</text>\n",
                    x, y, BOX, rgb[0], rgb[1], rgb[2], x + BOX / 2.0, y + 12, shares[i] > 0.25 ? "#fff" : "#000",
                    100 * shares[i]);
        }
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", left + N * BOX + 6, y + 12, wrong ? "wrong" : "right");
    }
}

void picture_confusion(FILE *out, const struct confusion *c, const char *title)
{
    struct layout l = lay_out(c);

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" "
            "font-size=\"%.0f\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            l.width, l.height, l.width, l.height, l.font);
    fputs("<text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">", out);
    picture_text(out, title);
    fputs("</text>\n", out);
    fprintf(out, "<text x=\"12\" y=\"%.1f\" fill=\"#555\">is &#8595; heard as &#8594;</text>\n", l.top - 8);
    for (size_t i = 0; i < c->n_rows; i++)
        for (size_t k = 0; k < c->n_cols; k++)
            draw_cell(out, c, &l, i, k);
    draw_grid(out, c, &l);
    draw_labels(out, c, &l);
    draw_legend(out, c, &l);
    fputs("</svg>\n", out);
}
