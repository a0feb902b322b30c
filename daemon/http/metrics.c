#include "daemon/http/metrics.h"

#include "base/clock.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const double latency_bounds[METRICS_BUCKETS] = {0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5},
                    request_bounds[METRICS_BUCKETS] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5};

void metrics_init(struct metrics *m)
{
    *m = (struct metrics){.n_labels = 0};
    pthread_mutex_init(&m->lock, NULL);
}

void metrics_clear(struct metrics *m)
{
    pthread_mutex_destroy(&m->lock);
}

/* --- counted ------------------------------------------------------------------------------------------------------------ */

static void add(struct histogram *h, const double *bounds, double value)
{
    size_t i = 0;

    while (i < METRICS_BUCKETS && value > bounds[i])
        i++;
    h->counts[i]++;
    h->sum += value;
}

static void count_start(struct metrics *m, const char *label)
{
    size_t i = 0;

    while (i < m->n_labels && strcmp(m->events[i].label, label) != 0)
        i++;
    if (i == METRICS_LABELS) {
        m->other++;
        return;
    }
    if (i == m->n_labels)
        snprintf(m->events[m->n_labels++].label, LABEL_SIZE, "%s", label);
    m->events[i].n++;
}

void metrics_event(struct metrics *m, const struct event *event, int64_t now_ns)
{
    double latency = (double)(now_ns - event->end_ns) * 1e-9;

    if (event->test)
        return;
    pthread_mutex_lock(&m->lock);
    if (event->type == EVENT_START)
        count_start(m, event->label);
    if (event->type != EVENT_END && latency >= 0) /* a start or an update tells of what was just heard */
        add(&m->latency, latency_bounds, latency);
    pthread_mutex_unlock(&m->lock);
}

void metrics_answer(struct metrics *m, unsigned status, double seconds)
{
    size_t i = 0;

    pthread_mutex_lock(&m->lock);
    while (i < METRICS_STATUS && m->answers[i].status && m->answers[i].status != status)
        i++;
    if (i < METRICS_STATUS) {
        m->answers[i].status = status;
        m->answers[i].n++;
    }
    if (seconds >= 0)
        add(&m->requests, request_bounds, seconds);
    pthread_mutex_unlock(&m->lock);
}

/* --- told --------------------------------------------------------------------------------------------------------------- */

static void head(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP earshot_%s %s\n# TYPE earshot_%s %s\n", name, help, name, type);
}

static void one(FILE *f, const char *name, const char *type, const char *help, double value)
{
    if (isnan(value))
        return;
    head(f, name, type, help);
    fprintf(f, "earshot_%s %.15g\n", name, value);
}

/* A label's value: \, " and newlines are escaped. */
static void quoted(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            fputc('\\', f);
        if (*text == '\n')
            fputs("\\n", f);
        else
            fputc(*text, f);
    }
    fputc('"', f);
}

static void of(FILE *f, const char *name, const char *key, const char *value, double number)
{
    fprintf(f, "earshot_%s{%s=", name, key);
    quoted(f, value);
    fprintf(f, "} %.15g\n", number);
}

static void histogram(FILE *f, const char *name, const char *help, const struct histogram *h, const double *bounds)
{
    uint64_t n = 0;

    head(f, name, "histogram", help);
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        fprintf(f, "earshot_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[i], n += h->counts[i]);
    n += h->counts[METRICS_BUCKETS];
    fprintf(f, "earshot_%s_bucket{le=\"+Inf\"} %" PRIu64 "\nearshot_%s_sum %.9g\nearshot_%s_count %" PRIu64 "\n", name,
            n, name, h->sum, name, n);
}

static void tell_heard(FILE *f, const struct metrics *m)
{
    head(f, "events_total", "counter", "Sounds that were recognised, by class.");
    for (size_t i = 0; i < m->n_labels; i++)
        of(f, "events_total", "label", m->events[i].label, (double)m->events[i].n);
    if (m->other)
        of(f, "events_total", "label", "other", (double)m->other);
    histogram(f, "event_latency_seconds", "From the end of the audio that decided an event to its being told.",
              &m->latency, latency_bounds);
}

static void tell_input(FILE *f, const struct health *h)
{
    one(f, "listening", "gauge", "1 while it listens, 0 while it is told not to.", h->listening);
    one(f, "input_up", "gauge", "1 while the microphone delivers audio.", strcmp(h->input_state, "ok") == 0);
    one(f, "input_overruns_total", "counter", "Times that audio came faster than it was taken.", (double)h->overruns);
    one(f, "input_lost_frames_total", "counter", "Audio frames that there was no room for.", (double)h->lost_frames);
    one(f, "input_recoveries_total", "counter", "Times that the input came back.", (double)h->recoveries);
    one(f, "windows_total", "counter", "Windows of audio that the model has looked at.", (double)h->windows);
    one(f, "windows_dropped_total", "counter", "Windows that nobody could look at in time.",
        (double)h->windows_dropped);
    one(f, "level_dbfs", "gauge", "Level of the sound.",
        isfinite(h->levels.rms_dbfs) ? (double)h->levels.rms_dbfs : NAN);
    one(f, "level_floor_dbfs", "gauge", "Level of the background.",
        isfinite(h->levels.floor_dbfs) ? (double)h->levels.floor_dbfs : NAN);
}

static void tell_outputs(FILE *f, const struct health *h)
{
    static const char *const names[] = {"output_queued", "output_dropped_total", "output_sent_total"},
                             *const types[] = {"gauge", "counter", "counter"},
                             *const help[] = {"Messages that wait, by output.", "Messages that were lost, by output.",
                                              "Messages that were delivered, by output."};

    for (size_t k = 0; k < 3; k++) {
        head(f, names[k], types[k], help[k]);
        for (size_t i = 0; i < h->n_outputs; i++) {
            const struct output_counters *c = &h->outputs[i];
            of(f, names[k], "output", c->name, (double)(k == 0 ? c->queued : k == 1 ? c->dropped : c->sent));
        }
    }
    head(f, "output_connected", "gauge", "1 while the other side is connected, by output.");
    for (size_t i = 0; i < h->n_outputs; i++)
        if (h->outputs[i].links)
            of(f, "output_connected", "output", h->outputs[i].name, h->outputs[i].connected);
}

static void tell_kept(FILE *f, const struct health *h)
{
    if (h->keeps_clips) {
        one(f, "clips_stored_total", "counter", "Recordings that were kept.", (double)h->clips.stored);
        one(f, "clips_speech_total", "counter", "Recordings that were not kept because somebody talked.",
            (double)h->clips.speech);
        one(f, "clips_failed_total", "counter", "Recordings that could not be kept.", (double)h->clips.failed);
    }
    if (h->has_store)
        one(f, "history_bytes", "gauge", "Size of the history.", (double)h->store.bytes);
}

static void tell_process(FILE *f, const struct health *h)
{
    struct rusage u;
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");

    head(f, "build_info", "gauge", "1, with the version and the model.");
    fprintf(f, "earshot_build_info{version=\"%s\",model=", h->version ? h->version : "");
    quoted(f, h->model);
    fputs("} 1\n", f);
    one(f, "start_time_seconds", "gauge", "When the daemon began, since 1970.",
        floor(clock_s(CLOCK_REALTIME) - h->uptime_s));
    if (getrusage(RUSAGE_SELF, &u) == 0)
        one(f, "cpu_seconds_total", "counter", "Processor time used.",
            (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6);
    if (statm && fscanf(statm, "%*d %ld", &pages) == 1)
        one(f, "resident_memory_bytes", "gauge", "Memory in use.", (double)pages * (double)sysconf(_SC_PAGESIZE));
    if (statm)
        fclose(statm);
}

static void tell_server(FILE *f, const struct metrics *m, const struct metrics_server *s)
{
    char code[12];

    one(f, "http_connections", "gauge", "Connections to the web server.", s->connections);
    one(f, "http_connections_cut_total", "counter", "Connections that were cut because they were too slow.",
        (double)s->cut);
    one(f, "http_watchers", "gauge", "Streams that are watched.", s->watchers);
    head(f, "http_requests_total", "counter", "Requests answered, by status.");
    for (size_t i = 0; i < METRICS_STATUS && m->answers[i].status; i++) {
        snprintf(code, sizeof code, "%u", m->answers[i].status);
        of(f, "http_requests_total", "code", code, (double)m->answers[i].n);
    }
    histogram(f, "http_request_duration_seconds", "From a request's headers to its reply, streams left aside.",
              &m->requests, request_bounds);
}

char *metrics_text(struct metrics *m, const struct health *health, const struct metrics_server *server)
{
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);

    if (!f)
        return NULL;
    tell_process(f, health);
    tell_input(f, health);
    tell_outputs(f, health);
    tell_kept(f, health);
    pthread_mutex_lock(&m->lock);
    tell_heard(f, m);
    tell_server(f, m, server);
    pthread_mutex_unlock(&m->lock);
    bool failed = ferror(f);
    if (fclose(f) == 0 && !failed)
        return out;
    free(out);
    return NULL;
}
