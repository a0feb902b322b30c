/* What the measurements mean. */
#include "audio/coherence.h"
#include "daemon/dataset/dataset.h"
#include "train/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 5, IMBALANCE = 10 };
#define SHORT_S     0.1
#define SILENT_DBFS (-60.0)
#define CLIPPED     0.001
#define OFFSET      0.02

/* --- single clips ---------------------------------------------------------------------------------------------------------------- */

static void judge_clip(struct dataset *d, const struct dataset_clip *c)
{
    if (c->state != CLIP_GOOD)
        dataset_say(d, DATASET_ERROR, c->state == CLIP_BROKEN ? "broken" : "unreadable", "%s: %s", c->name,
                    c->error ? c->error : "no memory");
    if (c->state == CLIP_UNREADABLE)
        return;
    if (c->peak_dbfs <= SILENT_DBFS)
        dataset_say(d, DATASET_HINT, "silent", "%s: nothing is louder than %.0f dBFS", c->name, c->peak_dbfs);
    if (c->duration_s < SHORT_S)
        dataset_say(d, DATASET_HINT, "short", "%s: %.0f ms long", c->name, 1000 * c->duration_s);
    if (c->clipped > CLIPPED)
        dataset_say(d, DATASET_HINT, "clipped", "%s: clipped, %.1f %% of its samples are at full scale", c->name,
                    100 * c->clipped);
    if (fabs(c->offset) > OFFSET)
        dataset_say(d, DATASET_HINT, "offset", "%s: an offset of %.3f, its middle is not zero", c->name, c->offset);
}

/* --- classes --------------------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int sum_class(struct dataset *d, size_t label)
{
    struct dataset_class *k = &d->classes[label];
    double *lengths = malloc((d->n + 1) * sizeof *lengths);

    if (!lengths)
        return -1;
    for (size_t i = 0; i < d->n; i++) {
        if (d->clips[i].label != label)
            continue;
        k->files++;
        if (d->clips[i].state == CLIP_UNREADABLE)
            continue;
        lengths[k->good++] = d->clips[i].duration_s;
        k->seconds += d->clips[i].duration_s;
    }
    qsort(lengths, k->good, sizeof *lengths, by_value);
    if (k->good) {
        k->shortest_s = lengths[0];
        k->median_s = (lengths[(k->good - 1) / 2] + lengths[k->good / 2]) / 2;
        k->longest_s = lengths[k->good - 1];
    }
    free(lengths);
    return 0;
}

static void judge_classes(struct dataset *d)
{
    size_t most = 0, least = 0;

    for (size_t i = 0; i < d->n_labels; i++) {
        const struct dataset_class *k = &d->classes[i];
        if (k->files == 0)
            dataset_say(d, DATASET_HINT, "empty_class", "class %s: no recording", d->labels[i]);
        else if (k->good == 0)
            dataset_say(d, DATASET_ERROR, "empty_class", "class %s: none of its %zu files can be read", d->labels[i],
                        k->files);
        else if (k->good < FEW)
            dataset_say(d, DATASET_HINT, "small_class",
                        "class %s: %zu recording%s, too few to learn from and to measure on", d->labels[i], k->good,
                        k->good == 1 ? "" : "s");
        most = k->good > d->classes[most].good ? i : most;
        if (k->good && (!d->classes[least].good || k->good < d->classes[least].good))
            least = i;
    }
    if (d->n_labels == 1)
        dataset_say(d, DATASET_HINT, "one_class", "one class alone, %s: there is nothing to tell it from",
                    d->labels[0]);
    else if (d->classes[most].good > IMBALANCE * d->classes[least].good)
        dataset_say(d, DATASET_HINT, "imbalance",
                    "unbalanced: %s has %zu recordings, %s %zu; a guess at the first is right without hearing anything",
                    d->labels[most], d->classes[most].good, d->labels[least], d->classes[least].good);
}

/* A class that has a rate of its own is told by that: what lies above the others' half rate is there, or is not. */
static void judge_rates(struct dataset *d)
{
    for (size_t i = 0; i < d->n_labels && d->n_labels > 1; i++) {
        unsigned rate = 0;
        bool one = true, elsewhere = false, others = false;
        for (size_t k = 0; k < d->n; k++)
            if (d->clips[k].label == i && d->clips[k].rate) {
                one &= !rate || d->clips[k].rate == rate;
                rate = d->clips[k].rate;
            }
        for (size_t k = 0; k < d->n; k++) {
            others |= d->clips[k].label != i && d->clips[k].rate;
            elsewhere |= d->clips[k].label != i && d->clips[k].rate == rate;
        }
        if (rate && one && others && !elsewhere && d->classes[i].good > 1)
            dataset_say(d, DATASET_HINT, "rate_tells",
                        "class %s: all of it at %u Hz, and nothing else: a model may learn the rate, not the sound",
                        d->labels[i], rate);
    }
}

/* --- the same twice -------------------------------------------------------------------------------------------------------------- */

static int add_pair(struct dataset *d, size_t *room, const struct fingerprint_match *m, bool identical, double together)
{
    if (d->n_pairs == *room) {
        size_t more_room = *room ? 2 * *room : 64;
        struct dataset_pair *more = realloc(d->pairs, more_room * sizeof *more);
        if (!more)
            return -1;
        d->pairs = more;
        *room = more_room;
    }
    d->pairs[d->n_pairs++] = (struct dataset_pair){*m, identical, together};
    return 0;
}

struct content {
    uint64_t content;
    size_t clip;
};

static int by_content(const void *a, const void *b)
{
    const struct content *x = a, *y = b;

    if (x->content != y->content)
        return x->content < y->content ? -1 : 1;
    return (x->clip > y->clip) - (x->clip < y->clip);
}

/* Of clips with the very same samples each is paired with the first, and only that one is compared with others. */
static int pair_identical(struct dataset *d, size_t *room, struct fingerprint_print *prints)
{
    struct content *all = malloc(d->n * sizeof *all);
    size_t n = 0;
    int rc = all ? 0 : -1;

    for (size_t i = 0; all && i < d->n; i++)
        if (d->clips[i].state != CLIP_UNREADABLE && d->clips[i].peak_dbfs > SILENT_DBFS)
            all[n++] = (struct content){d->clips[i].content, i};
    if (n)
        qsort(all, n, sizeof *all, by_content);
    for (size_t i = 1, first = 0; rc == 0 && i < n; i++) {
        if (all[i].content != all[first].content) {
            first = i;
            continue;
        }
        size_t a = all[first].clip, b = all[i].clip;
        prints[b].n = 0;
        rc = add_pair(d, room, &(struct fingerprint_match){.a = a, .b = b, .words = d->clips[a].print.n}, true, 1);
    }
    free(all);
    return rc;
}

static int by_clips(const void *a, const void *b)
{
    const struct fingerprint_match *x = &((const struct dataset_pair *)a)->match;
    const struct fingerprint_match *y = &((const struct dataset_pair *)b)->match;

    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

static int find_pairs(struct dataset *d, struct err *err)
{
    struct fingerprint_print *prints = calloc(d->n, sizeof *prints);
    struct fingerprint_match *found = NULL;
    size_t n = 0, room = 0;

    if (!prints)
        return err_set(err, "no memory");
    for (size_t i = 0; i < d->n; i++)
        prints[i] = d->clips[i].print;
    int rc = pair_identical(d, &room, prints);
    if (rc == 0)
        rc = fingerprint_pairs(prints, d->n, NULL, NULL, &found, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        double together = dataset_coherence(d, &found[i]);
        if (together >= COHERENCE_SAME)
            rc = add_pair(d, &room, &found[i], false, together);
    }
    free(found);
    free(prints);
    if (rc < 0)
        return err_set(err, "no memory");
    if (d->n_pairs)
        qsort(d->pairs, d->n_pairs, sizeof *d->pairs, by_clips);
    return 0;
}

static void judge_pair(struct dataset *d, const struct dataset_pair *p)
{
    const struct dataset_clip *a = &d->clips[p->match.a], *b = &d->clips[p->match.b];
    char how[96] = "sample for sample";

    if (!p->identical)
        snprintf(how, sizeof how, "%.1f s in common, %.0f %% of the fingerprint differs",
                 (double)p->match.words * FINGERPRINT_WORD_S, 100 * p->match.distance);
    if (a->label != b->label)
        dataset_say(d, DATASET_ERROR, "two_labels", "%s and %s are the same sound (%s), under two names", a->name,
                    b->name, how);
    else if (a->fold && b->fold && strcmp(a->fold, b->fold) != 0)
        dataset_say(
            d, DATASET_ERROR, "leak",
            "%s (fold %s) and %s (fold %s) are the same sound (%s): what is learned in one is no test in the other",
            a->name, a->fold, b->name, b->fold, how);
    else
        dataset_say(d, DATASET_HINT, "twice", "%s and %s are the same sound (%s)", a->name, b->name, how);
}

/* --- Freesound's numbers --------------------------------------------------------------------------------------------------------- */

struct number {
    unsigned long long number;
    size_t clip;
};

static int by_number(const void *a, const void *b)
{
    const struct number *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->clip > y->clip) - (x->clip < y->clip);
}

/* The clips of one recording, n of them. */
static void judge_recording(struct dataset *d, const struct number *r, size_t n)
{
    const struct dataset_clip *first = &d->clips[r[0].clip];

    d->recordings++;
    d->shared += n > 1 ? n : 0;
    for (size_t i = 1; i < n; i++) {
        const struct dataset_clip *c = &d->clips[r[i].clip];
        if (!first->fold || !c->fold || strcmp(first->fold, c->fold) == 0)
            continue;
        dataset_say(
            d, DATASET_ERROR, "leak",
            "Freesound's recording %llu lies in folds %s and %s (%s, %s): what is learned in one is no test in the "
            "other",
            r[0].number, first->fold, c->fold, first->name, c->name);
        return;
    }
}

static int judge_recordings(struct dataset *d)
{
    struct number *all = malloc(d->n * sizeof *all);
    size_t n = 0, length;

    if (!all)
        return -1;
    for (size_t i = 0; i < d->n; i++) {
        const char *digits = group_freesound(d->clips[i].name, &length);
        if (digits && length < 18)
            all[n++] = (struct number){strtoull(digits, NULL, 10), i};
    }
    if (n)
        qsort(all, n, sizeof *all, by_number);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && all[end].number == all[i].number; end++)
            ;
        judge_recording(d, all + i, end - i);
    }
    free(all);
    if (d->shared)
        dataset_say(
            d, DATASET_HINT, "recordings",
            "%zu files share a recording with others, by Freesound's numbers in their names: a split has to keep "
            "these together (earshot train does)",
            d->shared);
    return 0;
}

int dataset_judge(struct dataset *d, struct err *err)
{
    d->classes = calloc(d->n_labels, sizeof *d->classes);
    if (!d->classes)
        return err_set(err, "no memory");
    for (size_t i = 0; i < d->n_labels; i++)
        if (sum_class(d, i) < 0)
            return err_set(err, "no memory");
    if (find_pairs(d, err) < 0)
        return -1;
    for (size_t i = 0; i < d->n; i++)
        judge_clip(d, &d->clips[i]);
    for (size_t i = 0; i < d->n_pairs; i++)
        judge_pair(d, &d->pairs[i]);
    if (judge_recordings(d) < 0)
        return err_set(err, "no memory");
    judge_classes(d);
    judge_rates(d);
    return d->no_memory ? err_set(err, "no memory") : 0;
}
