#include "daemon/teach/lesson.h"

#include "audio/analysis.h"
#include "daemon/sound.h"
#include "model/pool.h"
#include "model/recogniser.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLEAN = 12 }; /* windows of an example */
_Static_assert(CLEAN <= (int)TAUGHT_WINDOWS, "what a file holds of an example");
#define NEAR_DB  15.0 /* windows that far below the loudest are pauses */
#define FLOOR_DB 12.0 /* above the quiet parts of the recording */
#define DEEP_DB  30.0 /* below its loudest: what always counts as sound */

struct lesson {
    struct recogniser *recogniser;
    double hop_s;
    size_t dims;
};

/* Windows of one recording as they come from the analysis. */
struct cut {
    size_t samples; /* of a window */
    float *x;       /* [n][samples] */
    double *level;  /* [n] */
    size_t n, room;
    uint64_t first, last; /* device frames: from the first opening to the last window's end */
    unsigned openings;
    uint64_t sound;
    bool no_memory;
};

struct lesson *lesson_new(const char *model_path, double hop_s, struct err *err)
{
    struct decision_params d = {.confirm = 1, .release_s = 3, .close_ratio = 0.6, .hop_s = hop_s};
    struct lesson *l = calloc(1, sizeof *l);

    if (!l) {
        err_set(err, "no memory");
        return NULL;
    }
    l->hop_s = hop_s;
    l->recogniser = recogniser_new(model_path, VOCABULARY_OWN, &d, err);
    if (l->recogniser) {
        l->dims = recogniser_model(l->recogniser)->embedding_size;
        if (l->dims > 0)
            return l;
        err_set(err, "the model %s gives no embedding, so nothing can be taught to it; earshot-s does",
                recogniser_model(l->recogniser)->name);
    }
    lesson_free(l);
    return NULL;
}

void lesson_free(struct lesson *l)
{
    if (l)
        recogniser_free(l->recogniser);
    free(l);
}

const struct model_info *lesson_model(const struct lesson *l)
{
    return recogniser_model(l->recogniser);
}

/* --- recordings ------------------------------------------------------------------------------------------------------- */

int take_read(struct take *t, const char *path, struct err *err)
{
    struct sound *s = sound_open(path, err);
    long n;

    *t = (struct take){.samples = NULL};
    if (!s)
        return -1;
    t->rate = sound_rate(s);
    size_t most = (size_t)(LESSON_MOST * t->rate);
    t->samples = malloc((most + 4096) * sizeof *t->samples);
    if (!t->samples) {
        sound_close(s);
        return err_set(err, "%s: no memory", path);
    }
    while ((n = sound_read(s, t->samples + t->n, 4096, err)) > 0 && t->n < most)
        t->n += (size_t)n;
    t->cut = t->n >= most;
    sound_close(s);
    if (n < 0 && t->n == 0) {
        take_free(t);
        return -1;
    }
    if (n < 0)
        snprintf(t->broken, sizeof t->broken, "%.299s", err->text);
    return 0;
}

void take_free(struct take *t)
{
    free(t->samples);
    *t = (struct take){.samples = NULL};
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The gate's threshold for a recording that is known as a whole: above its quiet parts; where there are none (a machine that runs all
 * along) far below its loudest. */
static int choose_threshold(const struct take *t, double *peak, double *threshold, bool *steady)
{
    size_t size = t->rate / 100, n = size ? t->n / size : 0;
    double *level = n ? malloc(n * sizeof *level) : NULL;

    *peak = -120;
    if (!level)
        return -1;
    for (size_t i = 0; i < n; i++)
        level[i] = pool_level(t->samples + i * size, size);
    qsort(level, n, sizeof *level, by_value);
    *peak = level[n - 1];
    *threshold = fmax(level[n / 5] + FLOOR_DB, *peak - DEEP_DB);
    *steady = *threshold > *peak - 6;
    if (*steady)
        *threshold = *peak - DEEP_DB;
    *threshold = fmax(*threshold, -90);
    free(level);
    return 0;
}

static void take_window(void *ctx, const struct window *w)
{
    struct cut *c = ctx;

    if (w->info.sound != c->sound && !w->info.empty) {
        if (!c->openings++)
            c->first = w->info.open_position;
        c->sound = w->info.sound;
    }
    if (w->info.empty || c->no_memory)
        return;
    c->last = w->info.end_position;
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        float *x = realloc(c->x, room * c->samples * sizeof *x);
        if (x)
            c->x = x;
        double *level = realloc(c->level, room * sizeof *level);
        if (level)
            c->level = level;
        c->no_memory = !x || !level;
        if (c->no_memory)
            return;
        c->room = room;
    }
    memcpy(c->x + c->n * c->samples, w->samples, c->samples * sizeof *c->x);
    c->level[c->n++] = pool_level(w->samples, w->info.valid);
}

static int cut_take(const struct lesson *l, const struct take *t, double threshold, struct cut *c, struct err *err)
{
    struct analysis_params a = {.device_rate = t->rate,
                                .model_rate = recogniser_rate(l->recogniser),
                                .window_s = recogniser_window_s(l->recogniser),
                                .hop_s = l->hop_s,
                                .gate = {.threshold = {THRESHOLD_FIXED, threshold},
                                         .hysteresis_db = 6,
                                         .hold_s = 0.5,
                                         .preroll_s = 0.25,
                                         .min_duration_s = 0.03,
                                         .highpass_hz = 0,
                                         .floor_dbfs = -60}};
    struct analysis *x = analysis_new(&a, NULL, take_window, c, err);

    if (!x)
        return -1;
    c->samples = analysis_window_samples(x);
    analysis_do(x, t->samples, t->n);
    analysis_flush(x);
    analysis_free(x);
    return c->no_memory ? err_set(err, "no memory for %zu samples", t->n) : 0;
}

static void cut_free(struct cut *c)
{
    free(c->x);
    free(c->level);
}

/* --- embeddings ------------------------------------------------------------------------------------------------------- */

static void embed(struct lesson *l, const float *x, size_t n, struct taught_example *out)
{
    recogniser_scores(l->recogniser, x, n);
    memcpy(out->windows + out->n++ * l->dims, recogniser_embedding(l->recogniser), l->dims * sizeof *out->windows);
}

/* What the model itself takes a window for. */
static void note_known(const struct lesson *l, const float *scores, struct lesson_notes *notes)
{
    const struct model_info *m = recogniser_model(l->recogniser);

    for (size_t i = 0; i < m->n_labels; i++)
        if (scores[i] >= m->thresholds[i] && scores[i] > notes->known_score &&
            strcmp(m->labels[i], "background") != 0) {
            notes->known = i;
            notes->known_score = scores[i];
        }
}

/* The loudest windows, in their order; at most CLEAN. */
static void add_clean(struct lesson *l, const struct cut *c, struct taught_example *out, struct lesson_notes *notes)
{
    double loudest = -INFINITY, least;
    double *sorted = malloc(c->n * sizeof *sorted);

    for (size_t i = 0; i < c->n; i++)
        loudest = fmax(loudest, c->level[i]);
    least = loudest - NEAR_DB;
    if (sorted && c->n > CLEAN) {
        memcpy(sorted, c->level, c->n * sizeof *sorted);
        qsort(sorted, c->n, sizeof *sorted, by_value);
        least = fmax(least, sorted[c->n - CLEAN]);
    }
    free(sorted);
    for (size_t i = 0; i < c->n && out->n < CLEAN; i++)
        if (c->level[i] >= least) {
            embed(l, c->x + i * c->samples, c->samples, out);
            note_known(l, recogniser_scores(l->recogniser, c->x + i * c->samples, c->samples), notes);
        }
    out->n_clean = out->n;
    out->rms_dbfs = (float)loudest;
}

int lesson_example(struct lesson *l, const struct take *t, struct taught_example *out, struct lesson_notes *notes,
                   struct err *err)
{
    struct cut gated = {0};
    double threshold = 0;
    bool steady = false;
    int rc = -1;

    *notes = (struct lesson_notes){.known = recogniser_model(l->recogniser)->n_labels};
    out->n = out->n_clean = 0;
    if (choose_threshold(t, &notes->peak_dbfs, &threshold, &steady) < 0)
        return err_set(err, "%.3f s is too short to learn from", t->rate ? (double)t->n / t->rate : 0);
    if (notes->peak_dbfs < LESSON_MUTE)
        return err_set(err,
                       "too quiet to learn from: nothing above %.0f dBFS; nearer to the microphone, or with more gain",
                       notes->peak_dbfs);
    if (steady && notes->peak_dbfs < LESSON_QUIET)
        return err_set(err, "nothing stands out of the noise of the room (%.0f dBFS)", notes->peak_dbfs);
    if (cut_take(l, t, threshold, &gated, err) < 0)
        goto done;
    if (gated.n == 0) {
        err_set(err, "no sound of 0.03 s and longer in it");
        goto done;
    }
    notes->openings = gated.openings;
    notes->from_s = (double)gated.first / t->rate;
    notes->to_s = (double)gated.last / t->rate;
    out->windows = malloc(CLEAN * l->dims * sizeof *out->windows);
    if (!out->windows) {
        err_set(err, "no memory");
        goto done;
    }
    out->duration_s = (float)(notes->to_s - notes->from_s);
    add_clean(l, &gated, out, notes);
    rc = 0;
done:
    cut_free(&gated);
    return rc;
}
