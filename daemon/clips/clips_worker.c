/* What the worker hands over: which events shall have a file, how far they were heard, where somebody talked. */
#include "daemon/clips/clip_choice.h"
#include "daemon/clips/clip_name.h"
#include "daemon/clips/clips_private.h"
#include "model/speech.h"

#include <stdio.h>
#include <string.h>

static bool hand(struct clips *c, const struct clip_note *note)
{
    struct clip_note *n = ring_reserve(c->notes);

    if (!n) {
        atomic_fetch_add_explicit(&c->notes_lost, 1, memory_order_relaxed);
        return false;
    }
    *n = *note;
    n->stream = c->stream;
    ring_commit(c->notes);
    sem_post(&c->filled);
    return true;
}

static struct clips_open *find(struct clips *c, const char *event_id)
{
    for (unsigned i = 0; i < CLIPS_OPEN; i++)
        if (c->open[i].serial && !c->open[i].maybe && strcmp(c->open[i].event_id, event_id) == 0)
            return &c->open[i];
    return NULL;
}

static struct clips_open *find_maybe(struct clips *c)
{
    for (unsigned i = 0; i < CLIPS_OPEN; i++)
        if (c->open[i].serial && c->open[i].maybe)
            return &c->open[i];
    return NULL;
}

static struct clips_open *vacant(struct clips *c)
{
    for (unsigned i = 0; i < CLIPS_OPEN; i++)
        if (!c->open[i].serial) {
            c->open[i] = (struct clips_open){.serial = ++c->serial};
            return &c->open[i];
        }
    atomic_fetch_add_explicit(&c->notes_lost, 1, memory_order_relaxed);
    return NULL;
}

static void make_name(const struct clips *c, const struct event *e, const char *extension, char out[CLIP_SIZE])
{
    struct clip_name n = {.utc_ms = e->start_ns / 1000000};

    memcpy(n.label, e->label, sizeof n.label);
    clip_name_id(e->event_id, n.id);
    snprintf(n.extension, sizeof n.extension, "%s", extension ? extension : c->config.clips.format ? "wav" : "flac");
    clip_name_write(&n, out);
}

/* Behind the longest file of a sound that begins there; a little more than it can be. */
static uint64_t longest(const struct clips *c, uint64_t from, uint32_t rate)
{
    return from + (uint64_t)(c->config.clips.max_length * rate);
}

static bool asked_for(const struct clips *c, const char *label)
{
    if (c->config.clips.record != CLIPS_SOUNDS)
        return false;
    for (size_t i = 0; i < c->n_labels; i++)
        if (strcmp(c->labels[i], label) == 0)
            return c->wanted[i];
    return c->config.clips.save_all || clip_choice_names(&c->config, label); /* it was taught since */
}

static void speech(struct clips *c, uint64_t from, uint64_t to)
{
    struct clip_note n = {.type = NOTE_SPEECH, .from = from, .to = to};

    hand(c, &n);
    for (unsigned i = 0; i < CLIPS_OPEN; i++) /* it may take the writer a moment to find out */
        if (c->open[i].serial && from < c->open[i].until)
            atomic_store_explicit(&c->fates[c->open[i].serial % CLIPS_FATES], c->open[i].serial * 2 + 1,
                                  memory_order_relaxed);
}

void clips_window(struct clips *c, const struct window_info *info)
{
    if (info->stream != c->stream) { /* the writer ends what was under way by itself */
        memset(c->open, 0, sizeof c->open);
        c->stream = info->stream;
    }
    if (info->index > 0 || info->empty || !c->config.clips.unknown || c->config.clips.record != CLIPS_SOUNDS)
        return;
    struct clips_open *o = vacant(c);
    struct clip_note n = {.type = NOTE_MAYBE,
                          .from = info->open_position,
                          .to = info->end_position,
                          .start_ns = info->onset_ns,
                          .serial = o ? o->serial : 0};
    if (!o)
        return;
    o->maybe = true;
    o->until = longest(c, info->open_position, info->device_rate);
    if (!hand(c, &n))
        o->serial = 0;
}

void clips_scores(struct clips *c, const struct window_info *info, const float *scores)
{
    bool heard = false;

    if (c->config.clips.speech != SPEECH_KEEP && scores && !info->empty)
        for (size_t i = 0; i < c->n_labels; i++)
            heard |= c->private[i] && !((double)scores[i] < c->config.clips.speech_threshold);
    if (heard)
        speech(c, info->position, info->end_position);
    if (info->last) {
        struct clip_note n = {.type = NOTE_CLOSE};
        hand(c, &n);
        memset(c->open, 0, sizeof c->open);
    }
}

static void start(struct clips *c, const struct event *e)
{
    if (!asked_for(c, e->label))
        return;
    struct clips_open *o = vacant(c);
    if (!o)
        return;
    struct clip_note n = {.type = NOTE_START,
                          .serial = o->serial,
                          .from = e->start_position,
                          .to = e->end_position,
                          .start_ns = e->start_ns};
    memcpy(n.label, e->label, sizeof n.label);
    memcpy(n.event_id, e->event_id, sizeof n.event_id);
    make_name(c, e, NULL, n.name);
    o->until = longest(c, e->start_position, e->device_rate);
    memcpy(o->event_id, e->event_id, sizeof o->event_id);
    memcpy(o->name, n.name, sizeof o->name);
    if (!hand(c, &n))
        o->serial = 0;
}

static void end(struct clips *c, struct event *e, struct clips_open *o)
{
    struct clip_note n = {.type = NOTE_END, .serial = o->serial, .to = e->end_position};
    uint64_t fate = atomic_load_explicit(&c->fates[o->serial % CLIPS_FATES], memory_order_relaxed);

    memcpy(n.label, e->label, sizeof n.label);
    memcpy(n.event_id, e->event_id, sizeof n.event_id);
    make_name(c, e, NULL, n.name);
    bool handed = hand(c, &n), dropped = fate / 2 == o->serial;
    if (handed && dropped && fate % 2 && c->config.clips.speech == SPEECH_FEATURES)
        make_name(c, e, "npy", e->clip);
    else if (handed && !dropped)
        memcpy(e->clip, n.name, sizeof e->clip);
    o->serial = 0;
}

void clips_event(struct clips *c, struct event *e)
{
    struct clips_open *o = find(c, e->event_id);

    if (c->config.clips.speech != SPEECH_KEEP && label_is_private(e->label))
        speech(c, e->start_position, e->end_position);
    switch (e->type) {
    case EVENT_START:
        start(c, e);
        break;
    case EVENT_UPDATE:
        if (o) {
            struct clip_note n = {.type = NOTE_HEARD, .serial = o->serial, .to = e->end_position};
            hand(c, &n);
        }
        break;
    case EVENT_END:
        if (!o && strcmp(e->label, "unknown") == 0)
            o = find_maybe(c);
        if (o)
            end(c, e, o);
        break;
    }
}
