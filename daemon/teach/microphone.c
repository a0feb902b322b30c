#include "daemon/teach/microphone.h"

#include "audio/downmix.h"
#include "daemon/capture.h"
#include "daemon/control.h"
#include "daemon/devices.h"
#include "daemon/teach/tape_json.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)MICROPHONE_FRAMES >= (int)TAPE_FRAMES && (int)MICROPHONE_FRAMES >= BLOCK_SAMPLES,
               "room for what comes at a time");
enum { WAIT_MS = 20, TRIES = 10 };
#define ANSWER_S 10.0

struct microphone {
    struct control_client *daemon; /* or */
    struct capture *capture;
    int channel;
    float gain;
};

struct microphone *microphone_open(const struct cmd_context *cx, const char *state_dir, struct err *err)
{
    struct microphone *m = calloc(1, sizeof *m);
    struct err none;

    if (!m) {
        err_set(err, "no memory");
        return NULL;
    }
    m->daemon = control_connect(state_dir, &none);
    if (m->daemon) {
        if (control_send(m->daemon, json_pack("{s:s}", "cmd", "record"), err) == 0)
            return m;
        goto fail;
    }
    devices_prepare();
    m->gain = downmix_gain(cx->config.input.gain_db);
    if (downmix_parse(cx->config.input.channel, &m->channel, err) == 0 &&
        (m->capture = capture_new(&cx->config, false, err)))
        return m;
fail:
    microphone_close(m);
    return NULL;
}

void microphone_close(struct microphone *m)
{
    if (!m)
        return;
    control_close(m->daemon);
    if (m->capture)
        capture_free(m->capture);
    free(m);
}

bool microphone_of_daemon(const struct microphone *m)
{
    return m->daemon;
}

static int read_capture(struct microphone *m, float *out, unsigned *rate, struct err *err)
{
    struct ring *ring = capture_ring(m->capture);
    const struct audio_block *b;
    struct capture_state state;

    for (int i = 0; i < TRIES; i++) {
        if ((b = ring_peek(ring))) {
            int n = b->frames;
            bool end = b->flags & BLOCK_END;
            *rate = b->rate;
            if (n)
                downmix_do(b->samples, b->frames, b->channels, m->channel, m->gain, out);
            ring_release(ring);
            if (n || !end)
                return n;
            return err_set(err, "the input has ended");
        }
        poll(NULL, 0, WAIT_MS);
    }
    capture_get_state(m->capture, &state);
    if (strcmp(state.state, "absent") == 0 || strcmp(state.state, "ended") == 0)
        return err_set(err, "no microphone: %s", *state.reason ? state.reason : state.state);
    return 0;
}

int microphone_read(struct microphone *m, float *out, unsigned *rate, struct err *err)
{
    if (!m->daemon)
        return read_capture(m, out, rate, err);
    json_t *reply = control_receive(m->daemon, ANSWER_S, err);
    int n = reply ? tape_read(reply, out, rate, err) : -1;
    json_decref(reply);
    return n;
}
