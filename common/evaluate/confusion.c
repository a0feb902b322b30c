#include "evaluate/confusion.h"

#include <stdlib.h>
#include <string.h>

enum { OCCURS = 1, HEARD = 2 };

/* marks: [n_labels] */
static void find_labels(struct confusion *c, const struct clipset *set, unsigned char *marks)
{
    for (size_t i = 0; i < set->n; i++) {
        marks[set->truth[i]] |= OCCURS;
        marks[clipscore_best(set, i, NULL)] |= HEARD;
    }
    for (size_t k = 0; k < set->n_labels; k++)
        if (marks[k] & OCCURS) {
            c->rows[c->n_rows++] = (unsigned)k;
            c->cols[c->n_cols++] = (unsigned)k;
        }
    for (size_t k = 0; k < set->n_labels; k++)
        if (marks[k] == HEARD)
            c->cols[c->n_cols++] = (unsigned)k;
}

int confusion_init(struct confusion *c, const struct clipset *set)
{
    size_t n = set->n_labels, *place = calloc(2 * n, sizeof *place);
    unsigned char *marks = calloc(n, 1);
    int rc = -1;

    *c = (struct confusion){
        .labels = set->labels, .rows = calloc(n, sizeof *c->rows), .cols = calloc(n, sizeof *c->cols)};
    if (!place || !marks || !c->rows || !c->cols)
        goto done;
    find_labels(c, set, marks);
    c->count = calloc(c->n_rows * c->n_cols + 1, sizeof *c->count);
    c->total = calloc(c->n_rows + 1, sizeof *c->total);
    if (!c->count || !c->total)
        goto done;
    for (size_t i = 0; i < c->n_rows; i++)
        place[c->rows[i]] = i;
    for (size_t i = 0; i < c->n_cols; i++)
        place[n + c->cols[i]] = i;
    for (size_t i = 0; i < set->n; i++) {
        size_t row = place[set->truth[i]];
        c->count[row * c->n_cols + place[n + clipscore_best(set, i, NULL)]]++;
        c->total[row]++;
    }
    rc = 0;

done:
    free(place);
    free(marks);
    if (rc < 0)
        confusion_free(c);
    return rc;
}

void confusion_free(struct confusion *c)
{
    free(c->rows);
    free(c->cols);
    free(c->count);
    free(c->total);
    *c = (struct confusion){0};
}

static int is_before(const struct mistake *a, const struct mistake *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    return a->row != b->row ? a->row < b->row : a->col < b->col;
}

size_t confusion_mistakes(const struct confusion *c, struct mistake *out, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->n_rows * c->n_cols; i++) {
        struct mistake m = {i / c->n_cols, i % c->n_cols, c->count[i]};
        if (m.count == 0 || c->rows[m.row] == c->cols[m.col])
            continue;
        size_t at = kept < n ? kept++ : n;
        for (; at > 0 && is_before(&m, &out[at - 1]); at--)
            if (at < n)
                out[at] = out[at - 1];
        if (at < n)
            out[at] = m;
    }
    return kept;
}

void confusion_write(FILE *out, const struct confusion *c)
{
    fputs("label", out);
    for (size_t k = 0; k < c->n_cols; k++)
        fprintf(out, ",%s", c->labels[c->cols[k]]);
    fputc('\n', out);
    for (size_t i = 0; i < c->n_rows; i++) {
        fputs(c->labels[c->rows[i]], out);
        for (size_t k = 0; k < c->n_cols; k++)
            fprintf(out, ",%zu", c->count[i * c->n_cols + k]);
        fputc('\n', out);
    }
}
