/* One clip, from its start to its end. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/clips/clip_name.h"
#include "daemon/clips/clip_recorder_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 65536

/* --- its file ---------------------------------------------------------------------------------------------------------- */

static void drop(struct clip_recorder *r, struct clip *c, enum clip_fate fate)
{
    clip_file_abandon(c->file);
    c->file = NULL;
    if (fate == CLIP_SPEECH)
        c->speech = true;
    else
        c->failed = true;
    if (!c->maybe) { /* else nobody may ever have asked for it */
        r->figures.speech += fate == CLIP_SPEECH;
        r->figures.failed += fate == CLIP_FAILED;
    }
    if (r->fate && !c->all)
        r->fate(r->ctx, c->serial, fate);
}

static void fail(struct clip_recorder *r, struct clip *c, const struct err *err)
{
    recorder_complain(r, err);
    drop(r, c, CLIP_FAILED);
}

/* A name for the file while it is written: the final one where it is known already. */
static void working_name(struct clip_recorder *r, const struct clip *c, char out[CLIP_SIZE])
{
    struct clip_name n = {.utc_ms = c->start_ns / 1000000, .label = "unknown"};

    if (*c->name) {
        memcpy(out, c->name, CLIP_SIZE);
        return;
    }
    snprintf(n.id, sizeof n.id, "%08" PRIx32, (uint32_t)c->serial);
    snprintf(n.extension, sizeof n.extension, "%s", clip_format_extension(r->config.clips.format));
    clip_name_write(&n, out);
}

static bool open_file(struct clip_recorder *r, struct clip *c)
{
    char start[RFC3339_SIZE], name[CLIP_SIZE], comment[256];
    struct err err;

    rfc3339_utc(start, c->start_ns);
    snprintf(comment, sizeof comment, "%s; start %s, %.3f s into the file; event_id %s",
             *c->label ? c->label : "unknown", start, (double)(c->onset - c->from) / r->rate,
             *c->event_id ? c->event_id : "-");
    working_name(r, c, name);
    if (clip_folder_make(r->dir, &err) < 0 ||
        !(c->file = clip_file_create(r->dir, name, r->config.clips.format, r->rate, *c->label ? c->label : "unknown",
                                     comment, &err))) {
        fail(r, c, &err);
        return false;
    }
    return true;
}

/* Samples [c->next, to), which are all held. Those of speech, in a file of `all`, become zeros. */
static void write_held(struct clip_recorder *r, struct clip *c, uint64_t to)
{
    static const int16_t silence[CLIP_BLOCK];
    struct err err;

    while (c->next < to && !c->failed) {
        const int16_t *x;
        struct span s;
        size_t n = clip_buffer_read(&r->buffer, c->next, &x);
        n = n < to - c->next ? n : (size_t)(to - c->next);
        if (c->all && recorder_speech(r, c->next, c->next + n, &s)) {
            if (s.from > c->next) {
                n = (size_t)(s.from - c->next);
            } else {
                n = n < s.to - c->next ? n : (size_t)(s.to - c->next);
                n = n < CLIP_BLOCK ? n : CLIP_BLOCK;
                x = silence;
            }
        }
        if (clip_file_write(c->file, x, n, &err) < 0)
            fail(r, c, &err);
        c->next += n;
    }
}

/* Samples that the buffer has lost already: they came too late to be judged or asked for. */
static void skip_missing(struct clip_recorder *r, struct clip *c)
{
    if (c->next >= r->buffer.first)
        return;
    r->figures.lost_frames += r->buffer.first - c->next;
    log_warn("clip of %s: %" PRIu64 " samples are missing in it", *c->label ? c->label : "unknown",
             r->buffer.first - c->next);
    c->next = r->buffer.first;
}

static void write_up_to(struct clip_recorder *r, struct clip *c, uint64_t to)
{
    if (c->next >= to)
        return;
    if (c->speech || c->failed) {
        c->next = to;
        return;
    }
    skip_missing(r, c);
    if (c->next < to && (c->file || open_file(r, c)))
        write_held(r, c, to);
    c->next = c->next < to ? to : c->next;
}

/* --- its end ----------------------------------------------------------------------------------------------------------- */

static void stored(struct clip_recorder *r, const struct clip *c, uint64_t bytes, double seconds)
{
    if (r->complained)
        log_info("clips are kept again");
    r->complained = false;
    r->figures.problem[0] = '\0';
    r->figures.stored++;
    r->figures.bytes += bytes;
    log_debug("clip %s: %.1f s, %" PRIu64 " bytes", c->name, seconds, bytes);
}

/* What its files' place costs others. */
static int make_room(struct clip_recorder *r, const struct clip *c, uint64_t bytes, struct err *err)
{
    struct clip_entry coming = {.bytes = bytes, .utc_ms = c->start_ns / 1000000};
    struct clip_quota quota = recorder_quota(r);

    memcpy(coming.label, c->label, sizeof coming.label);
    return clip_folder_keep(r->dir, &quota, &coming, clock_ms(CLOCK_REALTIME), err) < 0 ? -1 : 0;
}

static void keep_file(struct clip_recorder *r, struct clip *c)
{
    struct err err;
    double seconds = (double)clip_file_frames(c->file) / r->rate;

    if (clip_file_complete(c->file, &err) < 0 || make_room(r, c, clip_file_bytes(c->file), &err) < 0) {
        fail(r, c, &err);
        return;
    }
    uint64_t bytes = clip_file_bytes(c->file);
    int rc = clip_file_finish(c->file, c->name, &err);
    c->file = NULL;
    if (rc < 0)
        fail(r, c, &err);
    else
        stored(r, c, bytes, seconds);
}

static void keep_embeddings(struct clip_recorder *r, struct clip *c)
{
    size_t size = clip_judge_embedding_size(r->judge);
    uint64_t bytes = c->n_embeddings * size * sizeof(float) + 128;
    struct clip_name n;
    struct err err;

    if (c->n_embeddings == 0 || !clip_name_read(c->name, &n, NULL))
        return;
    snprintf(n.extension, sizeof n.extension, "npy");
    clip_name_write(&n, c->name);
    if (clip_folder_make(r->dir, &err) < 0 || make_room(r, c, bytes, &err) < 0 ||
        clip_file_embeddings(r->dir, c->name, c->embeddings, c->n_embeddings, size, &err) < 0) {
        fail(r, c, &err);
        return;
    }
    stored(r, c, bytes, 0);
}

static void finish(struct clip_recorder *r, struct clip *c)
{
    if (!c->maybe && !c->failed) {
        if (c->speech && clip_judge_embedding_size(r->judge) > 0)
            keep_embeddings(r, c);
        else if (c->file)
            keep_file(r, c);
    }
    clip_forget(c);
}

void clip_forget(struct clip *c)
{
    clip_file_abandon(c->file);
    free(c->embeddings);
    *c = (struct clip){0};
}

/* --- its way ----------------------------------------------------------------------------------------------------------- */

struct clip *clip_begin(struct clip_recorder *r, const struct clip_note *n)
{
    struct clip *c = NULL;
    bool all = r->config.clips.record == CLIPS_ALL;
    double share = all ? 1 : r->quota.class_share;
    double seconds = all ? r->config.clips.file_length : r->config.clips.max_length;
    uint64_t longest = (uint64_t)llround(seconds * r->rate),
             before = (uint64_t)llround(r->config.clips.preroll * r->rate);
    double room = ((double)r->quota.bytes * share - HEADER_BYTES) / sizeof(int16_t);

    for (unsigned i = 0; i < CLIPS_AT_ONCE && !c; i++)
        c = r->clips[i].used ? NULL : &r->clips[i];
    if (!c)
        return NULL;
    if ((double)longest > room) /* the device's rate is higher than anybody thought when the quota was checked */
        longest = room > r->rate ? (uint64_t)room : r->rate;
    *c = (struct clip){.used = true,
                       .all = all,
                       .maybe = n->type == NOTE_MAYBE,
                       .serial = n->serial,
                       .start_ns = n->start_ns,
                       .onset = n->from};
    memcpy(c->label, n->label, sizeof c->label);
    memcpy(c->event_id, n->event_id, sizeof c->event_id);
    memcpy(c->name, n->name, sizeof c->name);
    c->from = all ? n->from : n->from > before ? n->from - before : 0;
    if (c->from < r->buffer.first)
        c->from = r->buffer.first;
    if (c->onset < c->from)
        c->onset = c->from;
    c->next = c->from;
    c->cap = c->from + longest;
    c->end = all ? c->cap : c->from;
    return c;
}

/* Up to where it may be written now. */
static uint64_t limit(const struct clip_recorder *r, const struct clip *c)
{
    uint64_t to = c->all ? c->cap : c->end, keep = r->buffer.size - r->rate;
    uint64_t leaving = r->buffer.end > keep ? r->buffer.end - keep : 0; /* what the buffer will not hold much longer */

    if (!c->all && c->maybe)
        to = c->from;
    if (!c->ended && !c->all && to < leaving)
        to = leaving;
    if (to > c->cap)
        to = c->cap;
    if (r->judge) {
        uint64_t judged = r->settled > r->margin ? r->settled - r->margin : 0;
        to = to < judged ? to : judged;
    }
    return to < r->buffer.end ? to : r->buffer.end;
}

bool clip_advance(struct clip_recorder *r, struct clip *c)
{
    uint64_t to = limit(r, c), end = c->end < c->cap ? c->end : c->cap;

    if (!c->all && !c->speech && !c->failed && recorder_speech(r, c->from, to > end && c->ended ? end : to, NULL))
        drop(r, c, CLIP_SPEECH);
    write_up_to(r, c, to);
    if ((c->maybe && !c->ended) || c->next < (c->ended || c->all ? end : c->cap))
        return true;
    finish(r, c);
    return false;
}

void clip_cut(struct clip_recorder *r, struct clip *c)
{
    c->ended = true;
    if (c->end > r->buffer.end)
        c->end = r->buffer.end;
    if (c->cap > c->end)
        c->cap = c->end;
    if (clip_advance(r, c))
        finish(r, c);
}

void clip_embedding(struct clip *c, const float *x, size_t size)
{
    if (c->n_embeddings == c->room) {
        size_t room = c->room ? c->room * 2 : 16;
        float *more = realloc(c->embeddings, room * size * sizeof *more);
        if (!more)
            return;
        c->embeddings = more;
        c->room = room;
    }
    memcpy(c->embeddings + c->n_embeddings++ * size, x, size * sizeof *x);
}
