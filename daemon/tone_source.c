#include "daemon/tone_source.h"

#include "audio/downmix.h"
#include "daemon/capture.h"
#include "daemon/control.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_S 3.0
#define POLL_NS  10000000L

struct tone_source {
    struct control_client *daemon; /* NULL: the rest is used */
    struct capture *capture;
    const struct config *config;
    struct tonecheck check;
    int channel;
    float gain;
    bool begun, ended;
    uint32_t epoch;
    uint64_t frame; /* that should come next */
    unsigned since; /* samples since the last answer */
};

struct tone_source *tone_source_open(const struct cmd_context *cx, const char *state_dir, struct err *err)
{
    struct tone_source *s = calloc(1, sizeof *s);
    const struct config *c = &cx->config;
    if (!s) {
        err_set(err, "no memory");
        return NULL;
    }
    s->config = c;
    s->gain = downmix_gain(c->input.gain_db);
    /* what was set on the command line is not what the daemon runs with */
    if (cx->n_assignments == 0 && (s->daemon = control_connect(state_dir, err))) {
        if (control_send(s->daemon, json_pack("{s:s}", "cmd", "tone"), err) == 0)
            return s;
        goto fail;
    }
    if (downmix_parse(c->input.channel, &s->channel, err) < 0) {
        err_prefix(err, "[input] ");
        goto fail;
    }
    s->capture = capture_new(c, strncmp(c->input.device, "file:", 5) == 0, err);
    if (s->capture)
        return s;
fail:
    tone_source_close(s);
    return NULL;
}

void tone_source_close(struct tone_source *s)
{
    if (!s)
        return;
    control_close(s->daemon);
    if (s->capture)
        capture_free(s->capture);
    free(s);
}

static void take_block(struct tone_source *s, const struct audio_block *b)
{
    float mono[BLOCK_SAMPLES];
    s->ended = b->flags & BLOCK_END;
    if (!b->frames)
        return;
    if (!s->begun || b->epoch != s->epoch) {
        tonecheck_init(&s->check, b->rate, (double)s->gain);
        s->begun = true;
        s->epoch = b->epoch;
        s->frame = b->frame;
    }
    if (b->frame > s->frame || b->flags & BLOCK_OVERFLOW)
        tonecheck_lost(&s->check);
    s->frame = b->frame + b->frames;
    downmix_do(b->samples, b->frames, b->channels, s->channel, s->gain, mono);
    tonecheck_do(&s->check, mono, b->frames);
    s->since += b->frames;
}

/* Until 0.1 s of sound came, or as much time passed. */
static void listen(struct tone_source *s)
{
    struct ring *ring = capture_ring(s->capture);
    s->since = 0;
    for (int i = 0; i < 10 && !s->ended; i++) {
        const struct audio_block *b;
        while (!s->ended && !(s->begun && s->since >= s->check.frame) && (b = ring_peek(ring))) {
            take_block(s, b);
            ring_release(ring);
        }
        if (s->begun && s->since >= s->check.frame)
            return;
        nanosleep(&(struct timespec){0, POLL_NS}, NULL);
    }
}

static int listen_here(struct tone_source *s, struct tone_heard *out)
{
    struct capture_state state;
    listen(s);
    capture_get_state(s->capture, &state);
    out->tone = s->check.state;
    out->gain_db = s->config->input.gain_db;
    snprintf(out->device, sizeof out->device, "%s", state.name);
    snprintf(out->channel, sizeof out->channel, "%s", s->config->input.channel);
    /* a file that was read ahead of us has ended, but not for us */
    bool ok = !s->ended && strcmp(state.state, "ended") == 0 && !*state.reason;
    snprintf(out->input_state, sizeof out->input_state, "%s", ok ? "ok" : state.state);
    return !s->ended;
}

int tone_source_next(struct tone_source *s, struct tone_heard *out, struct err *err)
{
    if (!s->daemon)
        return listen_here(s, out);
    json_t *reply = control_receive(s->daemon, ANSWER_S, err);
    int rc = reply ? tone_read(reply, out, err) : -1;
    json_decref(reply);
    return rc < 0 ? -1 : 1;
}
