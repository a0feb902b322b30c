#include "daemon/classify.h"

#include "daemon/sound.h"
#include "model/pool.h"
#include "model/recogniser.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, RECENT = 16 };

/* One model listening to one file. */
struct ear {
    struct recogniser *recogniser;
    struct analysis *gated, *whole; /* whole: NULL where the gate is always open: then one pass serves both */
    size_t window;                  /* samples */
    struct pool *pool;              /* of all windows */
    float *scores;                  /* [n_labels], what pool gives in the end */
    struct event *events;
    size_t n_events, room;
    bool no_memory;
    const struct classify_tap *tap; /* the classifier's; NULL in all but the first */
    unsigned rate;                  /* of the sound */

    /* Scores of the last windows of the whole file. A gate that opened with the first sample cuts the very same ones, as it does in
     * most recorded clips: half of the work. */
    struct {
        uint64_t position;
        uint32_t valid; /* 0: none */
    } recent[RECENT];
    float *recent_scores; /* [RECENT * n_labels] */
    unsigned next_recent;
};

struct classifier {
    struct classify_params params;
    struct classify_tap tap;
    struct ear *ears;
    struct verdict *verdicts;
    size_t n;
    struct classification result;
    float block[BLOCK];
};

static void keep_event(void *ctx, const struct event *event)
{
    struct ear *e = ctx;
    bool unwanted = strcmp(event->label, "unknown") == 0 && !event->notify;

    if (event->type != EVENT_END || unwanted)
        return;
    if (e->n_events == e->room) {
        size_t room = e->room ? 2 * e->room : 16;
        struct event *more = realloc(e->events, room * sizeof *more);
        if (!more) {
            e->no_memory = true;
            return;
        }
        e->events = more;
        e->room = room;
    }
    e->events[e->n_events++] = *event;
}

static void show_window(const struct ear *e, const struct window_info *w, const float *scores)
{
    if (e->tap && e->tap->window)
        e->tap->window(e->tap->ctx, (double)w->position / e->rate, scores);
}

static void hear_whole(void *ctx, const struct window *w)
{
    struct ear *e = ctx;
    size_t n = recogniser_model(e->recogniser)->n_labels;
    unsigned i = e->next_recent;

    if (w->info.empty)
        return;
    double level = pool_level(w->samples, w->info.valid);
    if (!pool_wants(e->pool, level))
        return;
    const float *scores = recogniser_scores(e->recogniser, w->samples, e->window);
    pool_add(e->pool, level, scores);
    show_window(e, &w->info, scores);
    e->recent[i].position = w->info.position;
    e->recent[i].valid = w->info.valid;
    memcpy(e->recent_scores + i * n, scores, n * sizeof *scores);
    e->next_recent = (i + 1) % RECENT;
}

static const float *recall(const struct ear *e, const struct window_info *w)
{
    for (unsigned i = 0; i < RECENT; i++)
        if (e->recent[i].valid && e->recent[i].valid == w->valid && e->recent[i].position == w->position)
            return e->recent_scores + i * recogniser_model(e->recogniser)->n_labels;
    return NULL;
}

static void hear_gated(void *ctx, const struct window *w)
{
    struct ear *e = ctx;
    const float *scores = w->info.empty ? NULL : recall(e, &w->info);
    bool shown = scores != NULL;

    if (e->tap && e->tap->gated)
        e->tap->gated(e->tap->ctx, &w->info);
    if (scores)
        decision_do(recogniser_decision(e->recogniser), &w->info, scores, keep_event, e);
    else
        scores = recogniser_do(e->recogniser, w, keep_event, e);
    analysis_set_busy(e->gated, decision_busy(recogniser_decision(e->recogniser)));
    if (!e->whole && scores)
        pool_add(e->pool, pool_level(w->samples, w->info.valid), scores);
    if (scores && !shown)
        show_window(e, &w->info, scores);
}

static void ear_close(struct ear *e)
{
    analysis_free(e->gated);
    analysis_free(e->whole);
    e->gated = e->whole = NULL;
}

/* Ready for a new file. */
static int ear_open(struct ear *e, const struct classify_params *p, const char *path, unsigned rate, struct err *err)
{
    struct analysis_params a = {.device_rate = rate,
                                .model_rate = recogniser_rate(e->recogniser),
                                .window_s = recogniser_window_s(e->recogniser),
                                .hop_s = p->hop_s,
                                .gate = p->gate,
                                .no_gate = p->no_gate};

    e->n_events = 0;
    e->rate = rate;
    memset(e->recent, 0, sizeof e->recent);
    pool_reset(e->pool);
    decision_set_source(recogniser_decision(e->recogniser), path);
    e->gated = analysis_new(&a, NULL, hear_gated, e, err);
    if (!e->gated)
        return -1;
    e->window = analysis_window_samples(e->gated);
    if (!p->no_gate) {
        a.no_gate = true;
        a.gate.highpass_hz = 0; /* nobody asks for its levels */
        e->whole = analysis_new(&a, NULL, hear_whole, e, err);
        if (!e->whole)
            return -1;
    }
    return 0;
}

static void ear_do(struct ear *e, const float *x, size_t n)
{
    if (e->whole)
        analysis_do(e->whole, x, n);
    analysis_do(e->gated, x, n);
}

static int by_start(const void *a, const void *b)
{
    const struct event *x = a, *y = b;

    if (x->start_position != y->start_position)
        return x->start_position < y->start_position ? -1 : 1;
    return strcmp(x->id, y->id); /* as they were told */
}

static void ear_finish(struct ear *e, struct verdict *out)
{
    if (e->whole)
        analysis_flush(e->whole);
    analysis_flush(e->gated);
    recogniser_finish(e->recogniser, keep_event, e);

    const struct model_info *info = recogniser_model(e->recogniser);
    pool_scores(e->pool, e->scores);
    if (e->n_events)
        qsort(e->events, e->n_events, sizeof *e->events, by_start);
    *out = (struct verdict){.model = info, .scores = e->scores, .events = e->events, .n_events = e->n_events};
}

static int ear_new(struct ear *e, const struct classify_params *p, const char *model_path, struct err *err)
{
    e->recogniser = recogniser_new_taught(model_path, p->vocabulary, p->taught, &p->decision, err);
    if (!e->recogniser)
        return -1;
    size_t n = recogniser_model(e->recogniser)->n_labels;
    e->pool = pool_new(recogniser_model(e->recogniser)->pooling, n, err);
    if (!e->pool)
        return err_prefix(err, "%s: ", model_path);
    e->scores = calloc(n, sizeof *e->scores);
    e->recent_scores = calloc(n * RECENT, sizeof *e->recent_scores);
    if (!e->scores || !e->recent_scores)
        return err_set(err, "%s: no memory", model_path);
    return 0;
}

struct classifier *classifier_new(const struct classify_params *params, const char *const *model_paths, size_t n_models,
                                  struct err *err)
{
    struct classifier *c = calloc(1, sizeof *c);

    if (!c) {
        err_set(err, "no memory");
        return NULL;
    }
    c->params = *params;
    c->ears = calloc(n_models, sizeof *c->ears);
    c->verdicts = calloc(n_models, sizeof *c->verdicts);
    if (!c->ears || !c->verdicts) {
        err_set(err, "no memory");
        goto fail;
    }
    c->n = n_models;
    for (size_t i = 0; i < n_models; i++)
        if (ear_new(&c->ears[i], params, model_paths[i], err) < 0)
            goto fail;
    return c;

fail:
    classifier_free(c);
    return NULL;
}

void classifier_free(struct classifier *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->ears && i < c->n; i++) {
        ear_close(&c->ears[i]);
        recogniser_free(c->ears[i].recogniser);
        pool_free(c->ears[i].pool);
        free(c->ears[i].scores);
        free(c->ears[i].recent_scores);
        free(c->ears[i].events);
    }
    free(c->ears);
    free(c->verdicts);
    free(c);
}

const struct model_info *classifier_model(const struct classifier *c, size_t i)
{
    return recogniser_model(c->ears[i].recogniser);
}

const char *classifier_note(const struct classifier *c, size_t i)
{
    return recogniser_note(c->ears[i].recogniser);
}

/* Returns the frames heard, -1 with err where nothing could be. `broken`, with err, when the end was not the end. */
static int64_t listen(struct classifier *c, struct sound *s, classify_progress *progress, void *ctx, bool *broken,
                      struct err *err)
{
    int64_t frames = 0;
    long n;

    while ((n = sound_read(s, c->block, BLOCK, err)) > 0) {
        frames += n;
        if (c->tap.samples)
            c->tap.samples(c->tap.ctx, c->block, (size_t)n);
        for (size_t i = 0; i < c->n; i++)
            ear_do(&c->ears[i], c->block, (size_t)n);
        if (progress)
            progress(ctx, (double)n / sound_rate(s));
    }
    *broken = n < 0;
    for (size_t i = 0; i < c->n; i++)
        ear_finish(&c->ears[i], &c->verdicts[i]);
    return n < 0 && frames == 0 ? -1 : frames;
}

void classifier_set_tap(struct classifier *c, const struct classify_tap *tap)
{
    c->tap = tap ? *tap : (struct classify_tap){0};
    c->ears[0].tap = tap ? &c->tap : NULL;
}

const struct classification *classifier_do(struct classifier *c, const char *path, classify_progress *progress,
                                           void *ctx, struct err *err)
{
    struct sound *s = sound_open(path, err);

    if (!s)
        return NULL;
    const struct classification *result = classifier_do_sound(c, s, path, progress, ctx, err);
    sound_close(s);
    return result;
}

const struct classification *classifier_do_sound(struct classifier *c, struct sound *s, const char *name,
                                                 classify_progress *progress, void *ctx, struct err *err)
{
    const struct classification *result = NULL;
    bool broken;

    for (size_t i = 0; i < c->n; i++) {
        c->ears[i].no_memory = false;
        if (ear_open(&c->ears[i], &c->params, name, sound_rate(s), err) < 0) {
            err_prefix(err, "%s: ", name);
            goto done;
        }
    }
    int64_t frames = listen(c, s, progress, ctx, &broken, err);
    if (frames < 0)
        goto done;
    for (size_t i = 0; i < c->n; i++)
        if (c->ears[i].no_memory) {
            err_set(err, "%s: no memory for its events", name);
            goto done;
        }
    c->result = (struct classification){
        .duration_s = (double)frames / sound_rate(s), .broken = broken, .verdicts = c->verdicts, .n_verdicts = c->n};
    result = &c->result;

done:
    for (size_t i = 0; i < c->n; i++)
        ear_close(&c->ears[i]);
    return result;
}
