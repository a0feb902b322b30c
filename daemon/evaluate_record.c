#include "daemon/evaluate_record.h"

#include "daemon/sound.h"
#include "model/recogniser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 };
#define NO_ITEM ((size_t)-1)

/* Turns starts and ends of events into a list of sounds. */
struct listener {
    const struct model_info *model;
    struct timed_list *told;
    size_t *open; /* [n_labels]: the sound under way, NO_ITEM */
    double now_s;
    bool no_memory;
};

struct recorder {
    struct classify_params params;
    struct recogniser *recogniser;
    struct analysis *analysis; /* of the file at hand */
    struct recording *out;
    struct listener listener;
    float block[BLOCK];
};

static int listener_new(struct listener *l, const struct model_info *model)
{
    *l = (struct listener){.model = model, .open = malloc(model->n_labels * sizeof *l->open)};
    return l->open ? 0 : -1;
}

static void listener_begin(struct listener *l, struct timed_list *told)
{
    l->told = told;
    l->now_s = 0;
    l->no_memory = false;
    for (size_t i = 0; i < l->model->n_labels; i++)
        l->open[i] = NO_ITEM;
}

static void listen(void *ctx, const struct event *event)
{
    struct listener *l = ctx;
    size_t i = 0;

    while (i < l->model->n_labels && strcmp(l->model->labels[i], event->label) != 0)
        i++;
    if (i == l->model->n_labels) /* `unknown` */
        return;
    if (event->type == EVENT_START) {
        struct timed t = {.label = (unsigned)i,
                          .onset = (double)event->start_position / event->device_rate,
                          .offset = (double)event->end_position / event->device_rate,
                          .known = l->now_s,
                          .snr = NAN};
        l->open[i] = l->told->n;
        l->no_memory |= timed_add(l->told, &t) < 0;
    } else if (event->type == EVENT_END && l->open[i] < l->told->n) {
        l->told->item[l->open[i]].offset = (double)event->end_position / event->device_rate;
        l->open[i] = NO_ITEM;
    }
}

void recording_free(struct recording *r)
{
    timed_free(&r->told);
    free(r->info);
    free(r->now_s);
    free(r->scores);
    *r = (struct recording){0};
}

static int make_room(struct recording *r)
{
    if (r->n < r->room)
        return 0;
    size_t room = r->room ? 2 * r->room : 256;
    struct window_info *info = realloc(r->info, room * sizeof *info);
    if (!info)
        return -1;
    r->info = info;
    double *now_s = realloc(r->now_s, room * sizeof *now_s);
    if (!now_s)
        return -1;
    r->now_s = now_s;
    float *scores = realloc(r->scores, room * r->n_labels * sizeof *scores);
    if (!scores)
        return -1;
    r->scores = scores;
    r->room = room;
    return 0;
}

/* Frames come in blocks of 10 ms to the analysis, which counts one only when it is through: a window is there no earlier than its
 * own last sample. */
static double now_s(const struct analysis *a, const struct window_info *info)
{
    struct analysis_levels levels;

    analysis_get_levels(a, &levels);
    uint64_t now = levels.position > info->end_position ? levels.position : info->end_position;
    return (double)now / info->device_rate;
}

static void hear(void *ctx, const struct window *w)
{
    struct recorder *r = ctx;
    struct recording *out = r->out;

    r->listener.now_s = now_s(r->analysis, &w->info);
    const float *scores = recogniser_do(r->recogniser, w, listen, &r->listener);
    analysis_set_busy(r->analysis, decision_busy(recogniser_decision(r->recogniser)));
    if (make_room(out) < 0) {
        r->listener.no_memory = true;
        return;
    }
    out->info[out->n] = w->info;
    out->now_s[out->n] = r->listener.now_s;
    float *kept = out->scores + out->n * out->n_labels;
    if (scores)
        memcpy(kept, scores, out->n_labels * sizeof *kept);
    else
        memset(kept, 0, out->n_labels * sizeof *kept);
    out->n++;
}

struct recorder *recorder_new(const struct classify_params *params, const char *model_path, struct err *err)
{
    struct recorder *r = calloc(1, sizeof *r);

    if (!r) {
        err_set(err, "no memory");
        return NULL;
    }
    r->params = *params;
    r->recogniser = recogniser_new_taught(model_path, params->vocabulary, params->taught, &params->decision, err);
    if (!r->recogniser)
        goto fail;
    if (listener_new(&r->listener, recogniser_model(r->recogniser)) < 0) {
        err_set(err, "%s: no memory", model_path);
        goto fail;
    }
    return r;

fail:
    recorder_free(r);
    return NULL;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    recogniser_free(r->recogniser);
    free(r->listener.open);
    free(r);
}

const struct model_info *recorder_model(const struct recorder *r)
{
    return recogniser_model(r->recogniser);
}

static struct analysis *make_analysis(struct recorder *r, unsigned rate, struct err *err)
{
    struct analysis_params a = {.device_rate = rate,
                                .model_rate = recogniser_rate(r->recogniser),
                                .window_s = recogniser_window_s(r->recogniser),
                                .hop_s = r->params.hop_s,
                                .gate = r->params.gate,
                                .no_gate = r->params.no_gate};

    return analysis_new(&a, NULL, hear, r, err);
}

static int hear_all(struct recorder *r, struct sound *s, classify_progress *progress, void *ctx, struct err *err)
{
    uint64_t frames = 0;
    long n;

    while ((n = sound_read(s, r->block, BLOCK, err)) > 0) {
        frames += (uint64_t)n;
        analysis_do(r->analysis, r->block, (size_t)n);
        if (progress)
            progress(ctx, (double)n / sound_rate(s));
    }
    analysis_flush(r->analysis);
    r->out->duration_s = (double)frames / sound_rate(s);
    r->listener.now_s = r->out->duration_s;
    recogniser_finish(r->recogniser, listen, &r->listener);
    timed_sort(&r->out->told);
    return n < 0 ? -1 : 0;
}

int recorder_do(struct recorder *r, const char *path, classify_progress *progress, void *ctx, struct recording *out,
                struct err *err)
{
    struct sound *s = sound_open(path, err);
    int rc = -1;

    recording_free(out);
    if (!s)
        return -1;
    out->rate = sound_rate(s);
    out->n_labels = recogniser_model(r->recogniser)->n_labels;
    r->out = out;
    listener_begin(&r->listener, &out->told);
    decision_set_source(recogniser_decision(r->recogniser), path);
    r->analysis = make_analysis(r, out->rate, err);
    if (r->analysis)
        rc = hear_all(r, s, progress, ctx, err);
    else
        err_prefix(err, "%s: ", path);
    if (rc == 0 && r->listener.no_memory)
        rc = err_set(err, "%s: no memory for what was heard", path);
    analysis_free(r->analysis);
    r->analysis = NULL;
    sound_close(s);
    return rc;
}

bool recording_listened(const struct recording *r, double from_s, double to_s)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct window_info *w = &r->info[i];
        if (!w->empty && (double)w->position < to_s * w->device_rate &&
            (double)w->end_position > from_s * w->device_rate)
            return true;
    }
    return false;
}

int recording_replay(const struct recording *r, const struct model_info *model, const struct decision_params *params,
                     struct timed_list *told, struct err *err)
{
    struct listener l = {0};
    struct decision *d = recogniser_make_decision(model, params, err);

    told->n = 0;
    if (!d)
        return -1;
    if (listener_new(&l, model) < 0) {
        decision_free(d);
        return err_set(err, "no memory");
    }
    listener_begin(&l, told);
    for (size_t i = 0; i < r->n; i++) {
        l.now_s = r->now_s[i];
        decision_do(d, &r->info[i], r->info[i].empty ? NULL : r->scores + i * r->n_labels, listen, &l);
    }
    l.now_s = r->duration_s;
    decision_finish(d, listen, &l);
    timed_sort(told);
    decision_free(d);
    free(l.open);
    return l.no_memory ? err_set(err, "no memory for what was told") : 0;
}
