#include "model/decision.h"
#include "model/policy.h"
#include "model/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONTEXT_S   1.5
#define CONTEXT_MAX 1024 /* windows */
#define UPDATE_S    1.0
#define SLACK_S     0.001 /* positions of windows are rounded to frames */
#define NS          1000000000

struct class_state {
    struct policy policy;
    bool on, notify;
    unsigned run;           /* votes in a row, while not on */
    uint64_t told_position; /* where the last start or update was told */
    bool notified;          /* ever */
    int64_t notified_ns;    /* start of the last notified event */
    char event_id[UUID_SIZE];
    struct tally tally;
};

struct decision {
    size_t n;
    char (*labels)[LABEL_SIZE];
    struct class_state *classes;
    float *recent; /* n * n_recent: the last scores of each class in this sound, a ring */
    unsigned n_recent;
    bool unknown;
    char model[sizeof((struct event *)0)->model], source[sizeof((struct event *)0)->source];

    /* the sound under way */
    uint64_t sound; /* 0: none */
    char sound_id[UUID_SIZE];
    uint32_t windows;
    uint32_t full;           /* valid samples of a whole window */
    bool partial;            /* the newest window is the rest of the sound, and less than a whole one */
    bool sure;               /* some class was on in it */
    struct tally whole;      /* all windows of it, for `unknown` */
    bool told;               /* an event in this window */
    uint64_t lost_untold;    /* frames lost since an event last said so */
    struct window_info last; /* newest window with samples */

    const uint16_t *embedding; /* of the window */
    unsigned n_embedding;
    uint16_t nearest[EVENT_EMBEDDING]; /* of the window with the highest score in `whole` */

    struct event event; /* the one being told: no half kilobyte on the stack, nothing allocated */
};

struct decision *decision_new(const struct decision_params *p, const char *const *labels, const float *thresholds,
                              size_t n_labels, const char *model_name, struct err *err)
{
    struct decision *d = calloc(1, sizeof *d);

    if (!d)
        goto no_memory;
    tzset(); /* localtime_r may leave it out */
    d->n = n_labels;
    d->unknown = p->unknown;
    double context_s = p->context_s < 0 ? CONTEXT_S : p->context_s;
    d->n_recent = p->hop_s > 0 ? (unsigned)fmin(fmax(round(context_s / p->hop_s), 1), CONTEXT_MAX) : 3;
    d->labels = calloc(n_labels, sizeof *d->labels);
    d->classes = calloc(n_labels, sizeof *d->classes);
    d->recent = calloc(n_labels, d->n_recent * sizeof *d->recent);
    if (!d->labels || !d->classes || !d->recent)
        goto no_memory;
    strncat(d->model, model_name, sizeof d->model - 1);
    for (size_t i = 0; i < n_labels; i++) {
        if (strlen(labels[i]) >= LABEL_SIZE) {
            err_set(err, "class %s: a label has at most %d characters", labels[i], LABEL_SIZE - 1);
            goto fail;
        }
        strcpy(d->labels[i], labels[i]);
    }
    bool allow_list = policy_allow_list(p, labels, n_labels);
    for (size_t i = 0; i < n_labels; i++)
        if (policy_make(&d->classes[i].policy, labels[i], thresholds[i], p, allow_list, err) < 0)
            goto fail;
    return d;

no_memory:
    err_set(err, "no memory for the decisions of %zu classes", n_labels);
fail:
    decision_free(d);
    return NULL;
}

void decision_free(struct decision *d)
{
    if (!d)
        return;
    free(d->labels);
    free(d->classes);
    free(d->recent);
    free(d);
}

void decision_take_rules(struct decision *d, const struct decision *from)
{
    for (size_t i = 0; i < d->n && i < from->n; i++)
        d->classes[i].policy = from->classes[i].policy;
    d->unknown = from->unknown;
}

void decision_set_source(struct decision *d, const char *source)
{
    d->source[0] = '\0';
    strncat(d->source, source, sizeof d->source - 1);
}

void decision_set_embedding(struct decision *d, const uint16_t *values, size_t n)
{
    d->embedding = values;
    d->n_embedding = n <= EVENT_EMBEDDING ? (unsigned)n : 0;
}

/* To the event that was filled. */
static void add_embedding(struct decision *d, const uint16_t *values)
{
    d->event.n_embedding = d->n_embedding;
    memcpy(d->event.embedding, values, d->n_embedding * sizeof *values);
}

bool decision_busy(const struct decision *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->classes[i].on && !d->classes[i].policy.silent)
            return true;
    return false;
}

static double seconds(const struct window_info *info, uint64_t from, uint64_t to)
{
    return info->device_rate && to > from ? (double)(to - from) / info->device_rate : 0;
}

static void fill_event(struct decision *d, enum event_type type, const char *label, const char *event_id,
                       const struct tally *t, bool notify)
{
    struct event *e = &d->event;

    memset(e, 0, sizeof *e);
    e->type = type;
    uuid7(e->id, d->last.end_ns);
    memcpy(e->event_id, event_id, UUID_SIZE);
    memcpy(e->sound_id, d->sound_id, UUID_SIZE);
    memcpy(e->label, label, LABEL_SIZE);
    e->score = t->score;
    for (e->n_top = 0; e->n_top < t->n_top; e->n_top++) {
        memcpy(e->top[e->n_top].label, d->labels[t->top[e->n_top].label], LABEL_SIZE);
        e->top[e->n_top].score = t->top[e->n_top].score;
    }
    memcpy(e->source, d->source, sizeof e->source);
    memcpy(e->model, d->model, sizeof e->model);
    e->start_ns = t->start_ns;
    e->end_ns = t->end_ns;
    e->start_position = t->start_position;
    e->end_position = t->end_position;
    e->device_rate = d->last.device_rate;
    e->peak_dbfs = t->peak_dbfs;
    e->rms_dbfs = t->weight > 0 && t->energy > 0 ? fmaxf((float)(10 * log10(t->energy / t->weight)), -120) : -120;
    e->segments = t->segments;
    e->lost_frames = t->lost_frames;
    e->notify = notify;
}

static void tell(struct decision *d, enum event_type type, struct class_state *c, event_sink *sink, void *ctx)
{
    if (c->policy.silent)
        return;
    fill_event(d, type, d->labels[c - d->classes], c->event_id, &c->tally, c->notify);
    if (type == EVENT_START && d->n_embedding)
        add_embedding(d, d->embedding);
    c->told_position = d->last.end_position;
    d->told = true;
    sink(ctx, &d->event);
}

static void start(struct decision *d, struct class_state *c, event_sink *sink, void *ctx)
{
    int64_t ns = c->tally.start_ns;
    /* A clock that was set back must not keep an alarm silent: the future is no cooldown. */
    bool cooling = c->notified && ns >= c->notified_ns && (double)(ns - c->notified_ns) < c->policy.cooldown_s * NS;

    c->on = true;
    c->run = 0;
    c->notify = !cooling && policy_active(&c->policy, ns);
    if (c->notify) {
        c->notified = true;
        c->notified_ns = ns;
    }
    d->sure = true;
    uuid7(c->event_id, ns);
    tell(d, EVENT_START, c, sink, ctx);
}

static void end(struct decision *d, struct class_state *c, event_sink *sink, void *ctx)
{
    c->on = false;
    tell(d, EVENT_END, c, sink, ctx);
}

static bool votes(const struct decision *d, size_t i, float score)
{
    const struct class_state *c = &d->classes[i];
    const float *recent = d->recent + i * d->n_recent;
    unsigned n = d->windows < d->n_recent ? d->windows : d->n_recent; /* this window among them */
    float sum = 0;

    if (score >= c->policy.threshold)
        return true;
    for (unsigned k = 0; k < n; k++)
        sum += recent[k];
    return score >= c->policy.closing && sum >= c->policy.threshold * (float)n;
}

static void class_window(struct decision *d, size_t i, const struct window_info *info, const float *scores,
                         event_sink *sink, void *ctx)
{
    struct class_state *c = &d->classes[i];
    float score = score_sane(scores[i]);

    d->recent[i * d->n_recent + (d->windows - 1) % d->n_recent] = score;
    if (c->on) {
        c->tally.lost_frames += info->lost_frames;
        if (score >= c->policy.closing) {
            tally_add(&c->tally, info, score, scores, d->n);
            if (!info->last && seconds(info, c->told_position, info->end_position) >= UPDATE_S - SLACK_S)
                tell(d, EVENT_UPDATE, c, sink, ctx);
        } else if (seconds(info, c->tally.end_position, info->end_position) >= c->policy.release_s - SLACK_S) {
            end(d, c, sink, ctx);
        }
        return;
    }
    if (!votes(d, i, score)) {
        c->run = d->partial && c->run ? c->run + 1 : 0; /* the rest of a sound need not vote against it */
        return;
    }
    if (c->run++ == 0)
        tally_begin(&c->tally, info, d->lost_untold);
    else
        c->tally.lost_frames += info->lost_frames;
    tally_add(&c->tally, info, score, scores, d->n);
    if (c->run >= c->policy.confirm)
        start(d, c, sink, ctx);
}

static void tell_unknown(struct decision *d, event_sink *sink, void *ctx)
{
    static const char label[LABEL_SIZE] = "unknown";
    char id[UUID_SIZE];

    uuid7(id, d->whole.start_ns);
    fill_event(d, EVENT_END, label, id, &d->whole, d->unknown);
    add_embedding(d, d->nearest);
    sink(ctx, &d->event);
}

static void close_sound(struct decision *d, event_sink *sink, void *ctx)
{
    d->told = false;
    for (size_t i = 0; i < d->n; i++) {
        struct class_state *c = &d->classes[i];
        /* Over before it could be confirmed: then all that there was must have voted. */
        if (!c->on && c->run > 0 && c->run == d->windows)
            start(d, c, sink, ctx);
        if (c->on)
            end(d, c, sink, ctx);
        c->run = 0;
    }
    if (d->told)
        d->lost_untold = 0;
    if (d->windows > 0 && !d->sure)
        tell_unknown(d, sink, ctx);
    d->sound = 0;
}

static void sound_window(struct decision *d, const struct window_info *info, const float *scores, event_sink *sink,
                         void *ctx)
{
    float best = 0;

    d->windows++;
    d->told = false;
    d->full = d->windows == 1 ? info->valid : d->full;
    d->partial = info->last && info->valid < d->full;
    d->last = *info;
    d->lost_untold += info->lost_frames;
    if (d->windows == 1)
        tally_begin(&d->whole, info, d->lost_untold);
    else
        d->whole.lost_frames += info->lost_frames;
    for (size_t i = 0; i < d->n; i++)
        if (!label_is_silence(d->labels[i]))
            best = fmaxf(best, score_sane(scores[i]));
    if (best > d->whole.score && d->n_embedding)
        memcpy(d->nearest, d->embedding, d->n_embedding * sizeof *d->embedding);
    tally_add(&d->whole, info, best, scores, d->n);
    for (size_t i = 0; i < d->n; i++)
        class_window(d, i, info, scores, sink, ctx);
    if (d->told)
        d->lost_untold = 0; /* not earlier: each class that began in this window says so */
}

/* Frames lost behind the last window of a sound: its ends say so, else the next event. Those of a dropped opening the next
 * window tells of again. */
static void lost_at_end(struct decision *d, const struct window_info *info)
{
    if (info->dropped)
        return;
    d->lost_untold += info->lost_frames;
    d->whole.lost_frames += info->lost_frames;
    for (size_t i = 0; i < d->n; i++)
        if (d->classes[i].on || d->classes[i].run > 0)
            d->classes[i].tally.lost_frames += info->lost_frames;
}

void decision_do(struct decision *d, const struct window_info *info, const float *scores, event_sink *sink, void *ctx)
{
    if (d->sound != 0 && info->sound != d->sound)
        close_sound(d, sink, ctx); /* its `last` was lost on the way */
    if (d->sound == 0) {
        d->partial = false;
        d->sound = info->sound;
        d->windows = 0;
        d->sure = false;
        uuid7(d->sound_id, info->start_ns);
    }
    if (info->empty)
        lost_at_end(d, info);
    else
        sound_window(d, info, scores, sink, ctx);
    if (info->last)
        close_sound(d, sink, ctx);
}

void decision_finish(struct decision *d, event_sink *sink, void *ctx)
{
    if (d->sound != 0)
        close_sound(d, sink, ctx);
}
