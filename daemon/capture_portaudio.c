/* Sound from a PortAudio device, for ever: when it goes away, it is looked for until it is back.
 *
 * Pa_Initialize, Pa_OpenStream and Pa_AbortStream can block until a hung sound server goes on, which may be never. So the
 * worker thread alone calls PortAudio, and nothing waits for it: the monitor thread, which never calls PortAudio, says so when
 * the worker hangs and shows the daemon's watchdog that the recovery is alive; capture_free leaves a hanging worker behind.
 * What that one may still touch it holds a reference to, and frees when it comes back. */
#include "audio/downmix.h"
#include "base/log.h"
#include "daemon/capture_link.h"
#include "daemon/devices.h"

#include <portaudio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_MS       50 /* how often the worker looks at its stream */
#define MONITOR_MS     100
#define STALL_NS       1200000000LL /* no callback for this long: something is wrong (noticed within 2 s is the promise) */
#define FIRST_NS       1800000000LL /* ... for the first callback of a stream: some servers take their time */
#define PATIENCE_NS    3000000000LL /* a stalled stream may come back by itself; after that it is opened anew */
#define HANG_NS        1500000000LL /* a PortAudio call that takes longer hangs */
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 5000
#define STOP_MS        250
#define MIX_CHANNELS   8 /* a device with more is a virtual one ("32 channels"): two are asked for */

/* PortAudio's state belongs to the process: one worker at a time, also where a capture is replaced by another while its worker
 * hangs. */
static pthread_mutex_t portaudio = PTHREAD_MUTEX_INITIALIZER;

struct device_source {
    struct capture_link *link;
    char wanted[CONFIG_TEXT];
    char channel_text[16];
    int channel, channels, rate; /* as configured; channels and rate 0: choose */
    double latency_s;            /* 0: choose */
    pthread_t worker, monitor;

    /* The worker's own. */
    struct device found[MAX_DEVICES];
    char remembered[DEVICE_NAME]; /* name of the device that was open before */
    PaStream *stream;
    bool initialised, opened_once;

    /* Guarded by link->lock. */
    const char *call; /* the PortAudio call that the worker is in, NULL: none */
    int64_t call_ns;  /* since when */
    bool worker_done;
    unsigned holders; /* worker, owner */
};

static void release(struct device_source *s)
{
    struct capture_link *l = s->link;
    pthread_mutex_lock(&l->lock);
    unsigned left = --s->holders;
    pthread_mutex_unlock(&l->lock);
    if (left == 0) {
        free(s);
        capture_link_drop(l);
    }
}

static void calling(struct device_source *s, const char *call)
{
    pthread_mutex_lock(&s->link->lock);
    s->call = call;
    s->call_ns = clock_ns(CLOCK_MONOTONIC);
    pthread_mutex_unlock(&s->link->lock);
    atomic_fetch_add_explicit(&s->link->steps, 1, memory_order_relaxed);
}

static int on_audio(const void *input, void *output, unsigned long frames, const PaStreamCallbackTimeInfo *time,
                    PaStreamCallbackFlags flags, void *user)
{
    struct capture_rt *rt = user;
    int64_t now = clock_ns(CLOCK_MONOTONIC), age = rt->latency_ns;
    (void)output;

    /* the difference alone: which clock PortAudio reads depends on its version */
    double delta = time ? time->currentTime - time->inputBufferAdcTime : -1;
    if (time && time->inputBufferAdcTime > 0 && delta >= 0 && delta < 3)
        age = (int64_t)(delta * 1e9);
    capture_rt_push(rt, input, frames, now, age, (flags & paInputOverflow) != 0);
    return paContinue;
}

static const char *host_error(PaError e)
{
    if (e == paUnanticipatedHostError && Pa_GetLastHostErrorInfo() && *Pa_GetLastHostErrorInfo()->errorText)
        return Pa_GetLastHostErrorInfo()->errorText;
    return Pa_GetErrorText(e);
}

/* Why there is no input. The first reason of a loss stands, the attempts after it are for the debug log. */
static void away(struct device_source *s, const char *text)
{
    struct capture_link *l = s->link;
    log_debug("input: %s", text);
    pthread_mutex_lock(&l->lock);
    bool known = strcmp(l->state.state, "lost") == 0;
    pthread_mutex_unlock(&l->lock);
    if (!s->opened_once)
        capture_link_state(l, "absent", "%s (tried again until it is there)", text);
    else if (!known)
        capture_link_state(l, "lost", "%s (tried again until it is back)", text);
}

static int start_portaudio(struct device_source *s, struct err *err)
{
    if (devices_check_alsa(err))
        return -1;
    calling(s, "Pa_Initialize");
    PaError e = Pa_Initialize();
    calling(s, NULL);
    if (e != paNoError)
        return err_set(err, "PortAudio does not start: %s", host_error(e));
    s->initialised = true;
    return 0;
}

static const struct device *choose(struct device_source *s, struct err *err)
{
    size_t n = devices_read(s->found, MAX_DEVICES);
    int i = devices_find(s->found, n, s->wanted, s->remembered);
    if (i >= 0)
        return &s->found[i];
    char have[300];
    devices_text(s->found, n, have, sizeof have);
    if (n == 0)
        err_set(err, "no capture device");
    else
        err_set(err, "no capture device \"%.80s\"; there are: %s", s->wanted, have);
    return NULL;
}

static int channel_count(const struct device_source *s, const struct device *d, struct err *err)
{
    int n = s->channels > 0               ? s->channels
            : s->channel >= 0             ? s->channel + 1
            : d->channels <= MIX_CHANNELS ? d->channels
                                          : 2;
    if (n > d->channels)
        return err_set(err, "%s has %d channel%s; [input] channel = %s asks for more", d->name, d->channels,
                       d->channels == 1 ? "" : "s", s->channel_text);
    return n;
}

static int open_stream(struct device_source *s, const struct device *d, struct err *err)
{
    static const int rates[] = {0, 48000, 44100, 32000, 16000, 96000, 8000};
    struct capture_rt *rt = &s->link->rt;
    int channels = channel_count(s, d, err);
    if (channels < 0)
        return -1;
    PaStreamParameters p = {.device = d->number,
                            .channelCount = channels,
                            .sampleFormat = paFloat32,
                            .suggestedLatency = s->latency_s > 0 ? s->latency_s : d->low_latency};
    PaError e = paInvalidSampleRate;
    int rate = 0;

    /* only where the user leaves it open, another rate than the default is tried */
    for (size_t i = 0; i < sizeof rates / sizeof *rates && e == paInvalidSampleRate; i++) {
        rate = s->rate > 0 ? s->rate : i == 0 ? (int)d->rate : rates[i];
        capture_rt_begin(rt, (unsigned)rate, (unsigned)channels, (int64_t)(p.suggestedLatency * 1e9));
        calling(s, "Pa_OpenStream");
        e = Pa_OpenStream(&s->stream, &p, NULL, rate, (unsigned long)rate / 100, paClipOff | paDitherOff, on_audio, rt);
        calling(s, NULL);
        if (s->rate > 0)
            break;
    }
    if (e != paNoError) {
        s->stream = NULL;
        return err_set(err, "%s cannot be opened at %d Hz: %s", d->name, rate, host_error(e));
    }
    const PaStreamInfo *info = Pa_GetStreamInfo(s->stream);
    if (info && info->inputLatency > 0)
        rt->latency_ns = (int64_t)(info->inputLatency * 1e9);
    capture_link_opened(s->link, d->name, (unsigned)rate, (unsigned)channels);
    calling(s, "Pa_StartStream");
    e = Pa_StartStream(s->stream);
    calling(s, NULL);
    return e == paNoError ? 0 : err_set(err, "%s does not start: %s", d->name, host_error(e));
}

static int session_open(struct device_source *s)
{
    struct err err = {""};
    const struct device *d;
    if (start_portaudio(s, &err) || !(d = choose(s, &err)) || open_stream(s, d, &err)) {
        away(s, err.text);
        return -1;
    }
    snprintf(s->remembered, sizeof s->remembered, "%s", d->name);
    return 0;
}

static void session_close(struct device_source *s)
{
    if (s->stream) {
        calling(s, "Pa_AbortStream");
        Pa_AbortStream(s->stream);
        calling(s, "Pa_CloseStream");
        Pa_CloseStream(s->stream);
        s->stream = NULL;
    }
    if (s->initialised) {
        calling(s, "Pa_Terminate");
        Pa_Terminate();
        s->initialised = false;
    }
    calling(s, NULL);
}

/* While the stream is open. Returns whether any audio came. */
static bool watch(struct device_source *s)
{
    struct capture_link *l = s->link;
    uint64_t seen = atomic_load_explicit(&l->rt.callbacks, memory_order_relaxed);
    int64_t last = clock_ns(CLOCK_MONOTONIC), limit = FIRST_NS;
    bool any = false;

    while (!capture_link_wait(l, WATCH_MS)) {
        int64_t now = clock_ns(CLOCK_MONOTONIC);
        uint64_t n = atomic_load_explicit(&l->rt.callbacks, memory_order_relaxed);
        if (Pa_IsStreamActive(s->stream) != 1) { /* reads a flag, does not block */
            capture_link_state(l, "lost", "%s: unplugged, or its sound server ended (tried again until it is back)",
                               s->remembered);
            break;
        }
        if (n != seen) {
            seen = n;
            last = now;
            limit = STALL_NS;
            any = s->opened_once = true;
            capture_link_state(l, "ok", "%s", "");
        } else if (now - last > limit) {
            capture_link_state(l, "stalled", "%s delivers nothing: it is suspended, or its sound server hangs",
                               s->remembered);
            if (now - last > limit + PATIENCE_NS)
                break;
        }
    }
    return any;
}

static bool take_portaudio(struct device_source *s)
{
    while (pthread_mutex_trylock(&portaudio) != 0) {
        capture_link_state(s->link, "stalled",
                           "an earlier input still hangs in PortAudio: the sound server does not answer");
        if (capture_link_wait(s->link, MONITOR_MS))
            return false;
    }
    return true;
}

static void *worker_thread(void *arg)
{
    struct device_source *s = arg;
    unsigned backoff = BACKOFF_MIN_MS;

    if (take_portaudio(s)) {
        while (!atomic_load(&s->link->stop)) {
            if (session_open(s) == 0 && watch(s))
                backoff = BACKOFF_MIN_MS;
            session_close(s);
            capture_link_wait(s->link, backoff);
            backoff = backoff * 2 < BACKOFF_MAX_MS ? backoff * 2 : BACKOFF_MAX_MS;
        }
        pthread_mutex_unlock(&portaudio);
    }
    pthread_mutex_lock(&s->link->lock);
    s->worker_done = true;
    pthread_cond_broadcast(&s->link->wake);
    pthread_mutex_unlock(&s->link->lock);
    release(s);
    return NULL;
}

/* The worker may end its call between the look and the word: it tells how things are right after. */
static void *monitor_thread(void *arg)
{
    struct device_source *s = arg;
    struct capture_link *l = s->link;

    while (!capture_link_wait(l, MONITOR_MS)) {
        pthread_mutex_lock(&l->lock);
        bool hangs = s->call && clock_ns(CLOCK_MONOTONIC) - s->call_ns > HANG_NS;
        bool ok = strcmp(l->state.state, "ok") == 0;
        const char *call = s->call;
        pthread_mutex_unlock(&l->lock);
        if (hangs)
            capture_link_state(l, "stalled", "the sound server does not answer (%s hangs)", call);
        if (!ok)
            atomic_fetch_add_explicit(&l->steps, 1, memory_order_relaxed);
    }
    return NULL;
}

static void device_stop(void *self)
{
    struct device_source *s = self;
    struct capture_link *l = s->link;
    struct timespec until;

    capture_link_stop(l);
    pthread_join(s->monitor, NULL);
    capture_deadline(&until, STOP_MS);
    pthread_mutex_lock(&l->lock);
    while (!s->worker_done && pthread_cond_timedwait(&l->wake, &l->lock, &until) == 0)
        ;
    bool done = s->worker_done;
    const char *call = s->call ? s->call : "?";
    pthread_mutex_unlock(&l->lock);
    if (done) {
        pthread_join(s->worker, NULL);
    } else {
        log_warn("input: %s hangs, not waited for", call);
        pthread_detach(s->worker);
    }
    release(s);
}

int capture_portaudio_start(struct capture_link *l, const struct config *config, struct capture_source *source,
                            struct err *err)
{
    struct device_source *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, "no memory for the input");
    if (downmix_parse(config->input.channel, &s->channel, err)) {
        free(s);
        return err_prefix(err, "[input] ");
    }
    devices_prepare();
    s->link = capture_link_hold(l);
    s->holders = 2;
    snprintf(s->wanted, sizeof s->wanted, "%s", *config->input.device ? config->input.device : "default");
    snprintf(s->channel_text, sizeof s->channel_text, "%s", config->input.channel);
    s->channels = config->input.channels;
    s->rate = config->input.rate;
    s->latency_s = config->input.latency_ms / 1000;

    int e = pthread_create(&s->monitor, NULL, monitor_thread, s);
    if (e == 0) {
        e = pthread_create(&s->worker, NULL, worker_thread, s);
        if (e == 0) {
            *source = (struct capture_source){.self = s, .stop = device_stop};
            return 0;
        }
        capture_link_stop(l);
        pthread_join(s->monitor, NULL);
    }
    free(s);
    capture_link_drop(l);
    return err_set(err, "no thread for the input: %s", strerror(e));
}
