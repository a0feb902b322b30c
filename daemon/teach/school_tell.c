/* What came of teaching: figures, and where something is not as it should be, that and what to do. */
#include "base/json.h"
#include "daemon/teach/school_private.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ODD_SCORE  0.5f /* an example that the others would not find ... */
#define POOR_SHARE 0.6f /* ... and how many of them may be like that */
#define SAME_SHARE 0.5  /* examples that the model knows under one name of its own */

struct telling {
    const struct school *s;
    const struct taught_class *c;
    json_t *warnings;
};

static void __attribute__((format(printf, 2, 3))) warn(struct telling *t, const char *fmt, ...)
{
    char text[700];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_array_append_new(t->warnings, json_text(text));
}

static const char *short_name(const struct taught_example *e)
{
    const char *slash = strrchr(e->source, '/');
    return slash && slash[1] ? slash + 1 : e->source;
}

/* Was something noted of that example? Those of before and those of events have no notes. */
static const struct lesson_notes *notes_of(const struct telling *t, size_t i)
{
    bool noted = t->s->notes[i].known != NOT_NOTED && t->c->examples[i].kind != TAUGHT_FROM_HISTORY;
    return noted ? &t->s->notes[i] : NULL;
}

static void look_at_levels(struct telling *t)
{
    for (size_t i = 0; i < t->c->n_examples; i++) {
        const struct lesson_notes *n = notes_of(t, i);
        if (n && n->peak_dbfs < LESSON_QUIET)
            warn(t,
                 "%s is quiet (loudest %.0f dBFS): what the room adds may be learned instead; record it nearer, or "
                 "with more "
                 "[input] gain",
                 short_name(&t->c->examples[i]), n->peak_dbfs);
    }
}

static void look_at_disagreement(struct telling *t)
{
    size_t odd = 0, n = t->c->n_examples, first = n;

    for (size_t i = 0; i < n; i++)
        if (t->c->examples[i].score < ODD_SCORE) { /* false for NaN */
            first = odd++ ? first : i;
        }
    if (n == 1)
        warn(t, "one example says little of how the sound varies: give it 4 more (earshot teach %s FILE...)",
             t->c->label);
    else if (t->c->recall < POOR_SHARE)
        warn(t,
             "the examples disagree: of %zu, %zu would not be found from the others. Are they all the same sound? More "
             "of them, "
             "nearer to the microphone and without other sounds, help",
             n, odd);
    else if (odd > 0)
        warn(t,
             "%s is unlike the others (score %.2f without it): listen to it again, and leave it out if it is something "
             "else "
             "(earshot teach %s --replace FILE...)",
             short_name(&t->c->examples[first]), (double)t->c->examples[first].score, t->c->label);
}

static void look_at_known(struct telling *t)
{
    const struct model_info *m = lesson_model(t->s->lesson);
    size_t best = 0, noted = 0, label = m->n_labels;

    for (size_t k = 0; k < m->n_labels; k++) {
        size_t n = 0;
        for (size_t i = 0; i < t->c->n_examples; i++) {
            const struct lesson_notes *notes = notes_of(t, i);
            n += notes && notes->known == k;
        }
        if (n > best) {
            best = n;
            label = k;
        }
    }
    for (size_t i = 0; i < t->c->n_examples; i++)
        noted += notes_of(t, i) != NULL;
    if (best > 0 && (double)best >= SAME_SHARE * (double)noted)
        warn(t,
             "%zu of %zu examples sound like %s to the model: both will be told. Where %s is all that you want to hear "
             "of it, put "
             "mode = ignore into [class %s]",
             best, noted, m->labels[label], t->c->label, m->labels[label]);
}

/* Does another taught class take the examples for its own? */
static void look_at_taught(struct telling *t)
{
    const struct taughtfile *f = &t->s->file;

    for (size_t k = 0; k < f->n_classes; k++) {
        const struct taught_class *o = &f->classes[k];
        size_t n = 0;
        if (o == t->c || o->hash != t->c->hash)
            continue;
        for (size_t i = 0; i < t->c->n_examples; i++) {
            float z = o->bias;
            for (size_t d = 0; d < o->dims; d++)
                z += o->w[d] * t->c->examples[i].windows[d];
            n += z >= 0;
        }
        if (2 * n > t->c->n_examples)
            warn(t,
                 "%zu of %zu examples sound like %s, which was taught before: teach that one anew too (earshot teach "
                 "%s with "
                 "one more example), so that it learns the difference, or forget one of them",
                 n, t->c->n_examples, o->label, o->label);
    }
}

static struct telling look(const struct school *s)
{
    struct telling t = {.s = s, .c = taughtfile_find(&s->file, s->label), .warnings = json_array()};

    look_at_levels(&t);
    look_at_disagreement(&t);
    look_at_known(&t);
    look_at_taught(&t);
    if (s->unkept > 0)
        warn(&t,
             "of %zu examples the sound is not kept (%s): another version of the model would need them taught again",
             s->unkept, s->why);
    return t;
}

static void print_example(const struct telling *t, size_t i)
{
    const struct taught_example *e = &t->c->examples[i];
    const struct lesson_notes *n = notes_of(t, i);
    char length[48] = "", score[48] = "";

    if (!isnan(e->duration_s))
        snprintf(length, sizeof length, ", %.2f s at %.0f dBFS", (double)e->duration_s, (double)e->rms_dbfs);
    if (!isnan(e->score))
        snprintf(score, sizeof score, ", found from the others with %.2f", (double)e->score);
    printf("  %s%s%s%s\n", short_name(e), length, score, n || e->kind == TAUGHT_FROM_HISTORY ? "" : " (from before)");
}

void school_tell(const struct school *s)
{
    struct telling t = look(s);
    size_t found = 0, i;
    json_t *w;

    for (i = 0; i < t.c->n_examples; i++)
        found += t.c->examples[i].score >= 0.5f;
    printf("%s: taught from %zu example%s", t.c->label, t.c->n_examples, t.c->n_examples == 1 ? "" : "s");
    if (t.c->n_examples > 1)
        printf("; %zu of them would be found from the others", found);
    printf("; threshold set for %.2g false alarm%s an hour of sound\n", (double)t.c->false_alarms_h,
           t.c->false_alarms_h > 1.5f ? "s" : "");
    for (i = 0; i < t.c->n_examples; i++)
        print_example(&t, i);
    json_array_foreach(t.warnings, i, w) fprintf(stderr, "earshot teach: warning: %s\n", json_string_value(w));
    json_decref(t.warnings);
}

json_t *school_json(const struct school *s)
{
    struct telling t = look(s);
    json_t *examples = json_array();

    for (size_t i = 0; i < t.c->n_examples; i++) {
        const struct taught_example *e = &t.c->examples[i];
        json_array_append_new(examples, json_pack("{s:o, s:o, s:o, s:o}", "source", json_text(e->source), "rms_dbfs",
                                                  json_decimal((double)e->rms_dbfs, 1), "duration_s",
                                                  json_decimal((double)e->duration_s, 2), "score",
                                                  json_decimal((double)e->score, 3)));
    }
    return json_pack("{s:s, s:o, s:i, s:o, s:o, s:o, s:o}", "label", t.c->label, "name", json_text(t.c->name),
                     "examples", (int)t.c->n_examples, "recall", json_decimal((double)t.c->recall, 2),
                     "false_alarms_per_hour", json_decimal((double)t.c->false_alarms_h, 2), "sources", examples,
                     "warnings", t.warnings);
}
