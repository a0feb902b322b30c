#include "daemon/pipeline.h"

#include "base/log.h"
#include "daemon/pipeline_internal.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

void eventfd_wake(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void pipeline_set_recogniser(struct pipeline *p, struct recogniser *r)
{
    p->recogniser = r;
    pthread_mutex_lock(&p->figures_lock);
    snprintf(p->model_name, sizeof p->model_name, "%s", recogniser_model(r)->name);
    pthread_mutex_unlock(&p->figures_lock);
    const char *device = p->config.input.device;
    decision_set_source(recogniser_decision(r), strcmp(device, "-") == 0           ? "stdin"
                                                : strncmp(device, "file:", 5) == 0 ? device + 5
                                                                                   : device);
}

void pipeline_decision_params(const struct config *config, struct decision_params *out)
{
    *out = (struct decision_params){
        .threshold = config->decision.threshold,
        .confirm = config->decision.confirm,
        .release_s = config->decision.release,
        .cooldown_s = config->decision.cooldown,
        .close_ratio = config->decision.close_ratio,
        .hop_s = config->model.hop,
        .context_s = config->decision.context,
        .unknown = config->decision.unknown,
        .rules = config->rules,
        .n_rules = config->n_rules,
    };
}

struct pipeline *pipeline_new(const struct config *config, bool fast, struct err *err)
{
    struct pipeline *p = calloc(1, sizeof *p);
    if (!p) {
        err_set(err, "out of memory");
        return NULL;
    }
    p->wake_worker = p->end_fd = -1;
    p->config = *config;
    config_forget_lists(&p->config);
    p->gate_wanted = config->gate;
    p->fast = fast;
    p->patient = fast || strcmp(config->input.device, "-") == 0;
    p->hung_at = UINT64_MAX;
    p->began_ns = clock_ns(CLOCK_MONOTONIC);
    pthread_mutex_init(&p->request.lock, NULL);
    pthread_mutex_init(&p->figures_lock, NULL);
    atomic_init(&p->listening, config->input.listening);
    gate_threshold_text(&config->gate.threshold, p->threshold_text, sizeof p->threshold_text);
    /* before the first block: nothing is known, and 0 would be full scale */
    p->levels = (struct analysis_levels){.rms_dbfs = -INFINITY, .peak_dbfs = -INFINITY, .threshold_dbfs = -INFINITY};
    p->levels.floor_dbfs = (float)config->gate.floor_dbfs;
    p->gain = downmix_gain(config->input.gain_db);
    miccheck_init(&p->miccheck);
    if (downmix_parse(config->input.channel, &p->channel, err) < 0)
        goto fail;

    p->sound.on = config->level.enabled;
    p->sound.now = (struct soundlevel_now){.laf = -INFINITY, .las = -INFINITY};
    soundlevel_nothing(&p->sound.last);
    if (config->level.enabled && !(p->meter = sound_meter_new(config, fast ? &p->stop : NULL, err)))
        goto fail;

    struct recogniser *r = pipeline_load_model(config, &p->model_file, err);
    if (!r)
        goto fail;
    pipeline_set_recogniser(p, r);
    p->model_rate = recogniser_rate(r);
    p->window_s = recogniser_window_s(r);

    p->windows = p->hearing = pipeline_make_windows(p->model_rate, p->window_s);
    p->live = live_tap_new();
    p->timebase = timebase_new(48000); /* set to the input's rate when its first block comes */
    p->wake_worker = eventfd(0, EFD_CLOEXEC);
    p->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pipeline_add_labels(p, recogniser_model(r)) < 0 || !p->windows || !p->live || !p->timebase ||
        p->wake_worker < 0 || p->end_fd < 0) {
        err_set(err, "out of memory or file descriptors");
        goto fail;
    }
    return p;
fail:
    pipeline_free(p);
    return NULL;
}

void pipeline_set_clips(struct pipeline *p, struct clips *clips)
{
    p->clips = clips;
}

struct live_tap *pipeline_live(struct pipeline *p)
{
    return p->live;
}

int pipeline_start(struct pipeline *p, struct output *const *outputs, size_t n_outputs, struct err *err)
{
    p->outputs = outputs;
    p->n_outputs = n_outputs;
    p->capture = capture_new(&p->config, p->fast, err);
    if (!p->capture)
        return -1;
    p->blocks = capture_ring(p->capture);
    if (pthread_create(&p->worker_thread, NULL, worker_main, p) != 0)
        return err_set(err, "no thread can be made: %s", strerror(errno));
    if (pthread_create(&p->analysis_thread, NULL, analysis_main, p) != 0) {
        atomic_store_explicit(&p->ended, true, memory_order_release); /* as end_of_input does */
        eventfd_wake(p->wake_worker);
        pthread_join(p->worker_thread, NULL);
        return err_set(err, "no thread can be made: %s", strerror(errno));
    }
    p->started = true;
    return 0;
}

void pipeline_stop(struct pipeline *p)
{
    if (p->started) {
        atomic_store_explicit(&p->stop, true, memory_order_relaxed);
        pthread_join(p->analysis_thread, NULL); /* sets `ended`, which ends the worker */
        pthread_join(p->worker_thread, NULL);
        p->started = false;
    }
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    pipeline_stop(p);
    capture_free(p->capture);
    analysis_free(p->analysis);
    sound_meter_free(p->meter);
    timebase_free(p->timebase);
    if (p->hearing != p->windows)
        ring_free(p->hearing);
    ring_free(p->windows);
    if (!p->request.swap.analysed)
        ring_free(p->request.swap.windows);
    recogniser_free(p->request.swap.recogniser);
    recogniser_free(p->request.recogniser);
    decision_free(p->request.rules);
    recogniser_free(p->recogniser);
    pipeline_free_labels(p->labels);
    live_tap_free(p->live);
    ring_free(p->tape);
    if (p->wake_worker >= 0)
        close(p->wake_worker);
    if (p->end_fd >= 0)
        close(p->end_fd);
    pthread_mutex_destroy(&p->figures_lock);
    pthread_mutex_destroy(&p->request.lock);
    free(p);
}

int pipeline_end_fd(const struct pipeline *p)
{
    return p->end_fd;
}

bool pipeline_input_broke(struct pipeline *p)
{
    struct capture_state c;

    capture_get_state(p->capture, &c);
    return strcmp(c.state, "ended") == 0 && *c.reason;
}

void pipeline_levels(struct pipeline *p, struct analysis_levels *out)
{
    pthread_mutex_lock(&p->figures_lock);
    *out = p->levels;
    pthread_mutex_unlock(&p->figures_lock);
}

void pipeline_health(struct pipeline *p, struct health *out)
{
    struct capture_state c;

    *out = (struct health){.version = EARSHOT_VERSION};
    capture_get_state(p->capture, &c);
    snprintf(out->input, sizeof out->input, "%s", c.name);
    snprintf(out->input_state, sizeof out->input_state, "%s", c.state);
    out->rate = c.rate;
    out->channels = c.channels;
    out->overruns = c.overruns;
    out->recoveries = c.recoveries;
    out->lost_frames = atomic_load_explicit(&p->lost, memory_order_relaxed);
    out->windows = atomic_load_explicit(&p->windows_done, memory_order_relaxed);
    out->windows_dropped = atomic_load_explicit(&p->windows_dropped, memory_order_relaxed);
    out->events = atomic_load_explicit(&p->events, memory_order_relaxed);
    out->uptime_s = (double)(clock_ns(CLOCK_MONOTONIC) - p->began_ns) / 1e9;
    out->ring_fill_percent = (unsigned)(100 * ring_used(p->blocks) / ring_capacity(p->blocks));
    out->keeps_clips = p->clips;
    if (p->clips)
        clips_figures(p->clips, &out->clips);
    out->listening = atomic_load_explicit(&p->listening, memory_order_relaxed);

    pthread_mutex_lock(&p->figures_lock);
    out->queue_depth = (unsigned)ring_used(p->windows);
    out->levels = p->levels;
    out->sound = p->sound;
    snprintf(out->input_problem, sizeof out->input_problem, "%s", *c.reason ? c.reason : p->mic_problem);
    snprintf(out->threshold, sizeof out->threshold, "%s", p->threshold_text);
    snprintf(out->model, sizeof out->model, "%s", p->model_name);
    pthread_mutex_unlock(&p->figures_lock);
}

bool pipeline_progress(struct pipeline *p)
{
    struct capture_state c;
    capture_get_state(p->capture, &c);
    uint64_t consumed = atomic_load_explicit(&p->consumed, memory_order_relaxed);
    uint64_t windows = atomic_load_explicit(&p->windows_done, memory_order_relaxed);

    /* a pipe may fall silent for as long as it likes, a device may not */
    bool fed = c.live ? c.progress != p->seen_capture : true;
    bool analysing = consumed != p->seen_consumed || (ring_used(p->blocks) == 0 && fed);
    pthread_mutex_lock(&p->figures_lock);
    bool working = windows != p->seen_windows || ring_used(p->windows) == 0;
    pthread_mutex_unlock(&p->figures_lock);
    p->seen_consumed = consumed;
    p->seen_capture = c.progress;
    p->seen_windows = windows;
    return analysing && working;
}

static int set_threshold(struct pipeline *p, const char *value, struct err *err)
{
    struct gate_threshold t;
    char text[sizeof p->threshold_text];

    if (gate_threshold_parse(value, &t, err) < 0)
        return -1;
    gate_threshold_text(&t, text, sizeof text);
    pthread_mutex_lock(&p->request.lock);
    p->gate_wanted.threshold = t;
    p->request.gate = p->gate_wanted;
    p->request.gate_new = true;
    pthread_mutex_unlock(&p->request.lock);

    pthread_mutex_lock(&p->figures_lock);
    memcpy(p->threshold_text, text, sizeof text);
    pthread_mutex_unlock(&p->figures_lock);
    log_info("gate threshold is now %s", text);
    return 0;
}

static int set_listening(struct pipeline *p, const char *value, struct err *err)
{
    bool on = strcasecmp(value, "ON") == 0;

    if (!on && strcasecmp(value, "OFF") != 0)
        return err_set(err, "listening = \"%.32s\": allowed are ON and OFF", value);
    pthread_mutex_lock(&p->request.lock);
    p->request.listening = on;
    p->request.listening_new = true;
    pthread_mutex_unlock(&p->request.lock);
    log_info("listening is %s", on ? "ON" : "OFF");
    return 0;
}

int pipeline_set(struct pipeline *p, const char *name, const char *value, struct err *err)
{
    if (strcmp(name, "threshold") == 0)
        return set_threshold(p, value, err);
    if (strcmp(name, "listening") == 0)
        return set_listening(p, value, err);
    return err_set(err, "\"%.32s\" cannot be set: allowed are threshold, listening", name);
}
