/* What the recorder makes of the word of what was heard. */
#include "base/log.h"
#include "daemon/clips/clip_recorder_private.h"

#include <math.h>
#include <string.h>

static struct clip *find(struct clip_recorder *r, uint64_t serial)
{
    for (unsigned i = 0; i < CLIPS_AT_ONCE; i++)
        if (r->clips[i].used && !r->clips[i].all && r->clips[i].serial == serial)
            return &r->clips[i];
    return NULL;
}

static uint64_t after(const struct clip_recorder *r, uint64_t heard)
{
    return heard + (uint64_t)llround(r->config.clips.postroll * r->rate);
}

static void note_start(struct clip_recorder *r, const struct clip_note *n)
{
    struct clip *c = clip_begin(r, n);

    if (!c) {
        log_warn("clip of %s is not kept: %d others are being written", n->label, CLIPS_AT_ONCE);
        r->figures.failed++;
        if (r->fate)
            r->fate(r->ctx, n->serial, CLIP_FAILED);
        return;
    }
    c->end = after(r, n->to);
    bool judged = r->judging;
    recorder_judge(r);
    unsigned n_kept = r->n_recent < RECENT ? r->n_recent : RECENT;
    for (unsigned i = 0; judged && i < n_kept && clip_judge_embedding_size(r->judge) > 0; i++) {
        const struct recent *e = &r->recent[(r->n_recent - n_kept + i) % RECENT];
        if (e->x && e->to > c->from)
            clip_embedding(c, e->x, clip_judge_embedding_size(r->judge));
    }
}

static void note_end(struct clip_recorder *r, struct clip *c, const struct clip_note *n)
{
    c->end = after(r, n->to);
    c->ended = true;
    if (c->maybe) {
        c->maybe = false;
        memcpy(c->label, n->label, sizeof c->label);
        memcpy(c->event_id, n->event_id, sizeof c->event_id);
        memcpy(c->name, n->name, sizeof c->name);
        r->figures.speech += c->speech; /* not counted while nobody had asked for it */
        r->figures.failed += c->failed;
    }
}

static void note_close(struct clip_recorder *r)
{
    for (unsigned i = 0; i < CLIPS_AT_ONCE; i++) {
        struct clip *c = &r->clips[i];
        if (c->used && !c->all && c->maybe && !c->ended)
            clip_forget(c); /* nobody has asked for it */
        else if (c->used && !c->all)
            c->ended = true;
    }
}

bool clip_recorder_note(struct clip_recorder *r, const struct clip_note *n)
{
    if (n->stream > r->stream)
        return false;
    if (n->stream < r->stream || !r->rate)
        return true; /* its clips ended with the stream */
    struct clip *c = find(r, n->serial);
    switch (n->type) {
    case NOTE_START:
    case NOTE_MAYBE:
        note_start(r, n);
        break;
    case NOTE_HEARD:
        if (c && !c->ended)
            c->end = after(r, n->to);
        break;
    case NOTE_END:
        if (c && !c->ended)
            note_end(r, c, n);
        break;
    case NOTE_SPEECH:
        if (r->judge)
            recorder_add_speech(r, n->from, n->to);
        break;
    case NOTE_CLOSE:
        note_close(r);
        break;
    }
    recorder_advance(r);
    return true;
}
