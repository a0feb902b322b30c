#include "base/json.h"
#include "daemon/dataset/dataset.h"

/* Steals the object. */
static int put(FILE *out, json_t *o)
{
    int rc = o ? json_dumpf(o, out, JSON_LINE | JSON_PRESERVE_ORDER) : -1;

    json_decref(o);
    fputc('\n', out);
    return rc;
}

static json_t *clip_json(const struct dataset *d, const struct dataset_clip *c)
{
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", "file", "file", json_text(c->name), "class",
                          json_text(d->labels[c->label]), "fold", json_text(c->fold), "error", json_text(c->error));

    if (!o || c->state == CLIP_UNREADABLE)
        return o;
    json_object_set_new(o, "duration_s", json_decimal(c->duration_s, 4));
    json_object_set_new(o, "rate", json_integer(c->rate));
    json_object_set_new(o, "peak_dbfs", json_decimal(c->peak_dbfs, 1));
    json_object_set_new(o, "rms_dbfs", json_decimal(c->rms_dbfs, 1));
    json_object_set_new(o, "clipped", json_decimal(c->clipped, 5));
    json_object_set_new(o, "silent", json_decimal(c->silent, 4));
    json_object_set_new(o, "offset", json_decimal(c->offset, 5));
    return o;
}

static json_t *class_json(const struct dataset *d, size_t i)
{
    const struct dataset_class *k = &d->classes[i];

    return json_pack("{s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "kind", "class", "class", json_text(d->labels[i]),
                     "files", (json_int_t)k->files, "readable", (json_int_t)k->good, "duration_s",
                     json_decimal(k->seconds, 3), "shortest_s", json_decimal(k->shortest_s, 4), "median_s",
                     json_decimal(k->median_s, 4), "longest_s", json_decimal(k->longest_s, 4));
}

/* offset_s: where in a the beginning of b lies. */
static json_t *pair_json(const struct dataset *d, const struct dataset_pair *p)
{
    const struct dataset_clip *a = &d->clips[p->match.a], *b = &d->clips[p->match.b];

    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "kind", "pair", "a", json_text(a->name), "b",
                     json_text(b->name), "class_a", json_text(d->labels[a->label]), "class_b",
                     json_text(d->labels[b->label]), "identical", (int)p->identical, "common_s",
                     json_decimal((double)p->match.words * FINGERPRINT_WORD_S, 2), "offset_s",
                     json_decimal(-(double)p->match.shift * FINGERPRINT_WORD_S, 2), "distance",
                     json_decimal(p->match.distance, 3), "coherence", json_decimal(p->coherence, 3));
}

int dataset_print_json(FILE *out, const struct dataset *d)
{
    size_t unread = 0;
    int rc = 0;

    for (size_t i = 0; i < d->n; i++) {
        unread += d->clips[i].state == CLIP_UNREADABLE;
        rc |= put(out, clip_json(d, &d->clips[i]));
    }
    for (size_t i = 0; i < d->n_labels; i++)
        rc |= put(out, class_json(d, i));
    for (size_t i = 0; i < d->n_pairs; i++)
        rc |= put(out, pair_json(d, &d->pairs[i]));
    for (size_t i = 0; i < d->n_problems; i++)
        rc |= put(out, json_pack("{s:s, s:s, s:s, s:o}", "kind", "problem", "severity",
                                 d->problems[i].severity == DATASET_ERROR ? "error" : "hint", "problem",
                                 d->problems[i].kind, "text", json_text(d->problems[i].text)));
    rc |= put(out, json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I}", "kind", "summary", "source",
                             json_text(d->source), "files", (json_int_t)d->n, "unreadable", (json_int_t)unread,
                             "classes", (json_int_t)d->n_labels, "duration_s", json_decimal(d->seconds, 3), "pairs",
                             (json_int_t)d->n_pairs, "recordings", (json_int_t)d->recordings, "errors",
                             (json_int_t)d->errors, "hints", (json_int_t)(d->n_problems - d->errors)));
    return rc ? -1 : 0;
}
