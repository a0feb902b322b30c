/* Events for people and programs on the spot: readable lines or JSON on stdout, or entries of the journal with a field for each
 * value. A thread of its own writes, because a pipe that nobody reads or a hung journald blocks. */
#include "base/json.h"
#include "base/log.h"
#include "base/ring.h"
#include "daemon/outputs/acks.h"
#include "daemon/outputs/output.h"
#include "daemon/outputs/output_thread.h"
#include "daemon/service.h"
#include "model/decision.h"
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#define QUEUE 256 /* events; far more than one sound makes while a terminal is stopped for a moment */
#define LINE  2048

enum format { TEXT, JSON, JOURNAL };

struct journal {
    struct output output; /* first: what the daemon holds */
    enum format format;
    struct ring *ring;
    pthread_mutex_t
        producers; /* the ring takes one at a time; a test event comes from another thread than the worker */
    sem_t filled;
    struct output_thread thread;
    struct acks *acks;
    /* Counters and flags: each stands for itself, nothing else is published by them: relaxed. `stopping` is followed by a
     * sem_post, which orders it. */
    atomic_uint_fast64_t dropped, sent;
    atomic_bool stopping;
    bool complained; /* about a stdout that takes nothing; journal thread */
};

static void clock_text(char out[16], int64_t utc_ns)
{
    time_t t = (time_t)(utc_ns / 1000000000);
    struct tm tm;

    localtime_r(&t, &tm);
    strftime(out, 16, "%H:%M:%S", &tm);
}

static const char *remark(const struct event *e)
{
    return e->test ? "  (test)" : !e->notify ? "  (not notified)" : "";
}

static double seconds(const struct event *e)
{
    return (double)(e->end_ns - e->start_ns) * 1e-9;
}

/* "dog_bark 0.83 -21 dBFS", and of an end its length. A test event has no level. */
static void sentence(const struct event *e, char *out, size_t size)
{
    char ended[40] = "", level[24] = "";

    if (e->type == EVENT_END)
        snprintf(ended, sizeof ended, " ended after %.1f s,", seconds(e));
    if (isfinite(e->rms_dbfs))
        snprintf(level, sizeof level, " %.0f dBFS", (double)e->rms_dbfs);
    snprintf(out, size, "%s%s %.2f%s%s%s", e->label, ended, (double)e->score, level,
             e->lost_frames ? "  (audio was lost)" : "", remark(e));
}

static int write_all(const char *text, size_t n)
{
    while (n) {
        ssize_t w = write(STDOUT_FILENO, text, n);
        if (w < 0 && errno == EAGAIN) { /* somebody made our terminal non-blocking */
            struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (w < 0 && errno != EINTR) {
            return -errno;
        }
        if (w > 0) {
            text += w;
            n -= (size_t)w;
        }
    }
    return 0;
}

static int write_text(const struct event *e)
{
    char line[LINE], at[16], what[LINE - 32];

    clock_text(at, e->type == EVENT_END ? e->end_ns : e->start_ns);
    sentence(e, what, sizeof what);
    int n = snprintf(line, sizeof line, "%s  %s\n", at, what);
    return write_all(line, (size_t)n);
}

static int write_json(const struct event *e)
{
    char line[LINE + 1];
    int n = event_json(e, line, LINE);

    if (n < 0)
        return -EMSGSIZE;
    line[n] = '\n';
    return write_all(line, (size_t)n + 1);
}

/* Empty for a test event, which has no level. */
static void level_text(char out[16], float dbfs)
{
    out[0] = '\0';
    if (isfinite(dbfs))
        snprintf(out, 16, "%.1f", (double)dbfs);
}

static int write_journal(const struct event *e)
{
    char what[LINE], start[RFC3339_SIZE], end[RFC3339_SIZE], peak[16], rms[16];
    bool alarm = e->type == EVENT_START && e->notify && label_is_alarm(e->label);

    sentence(e, what, sizeof what);
    rfc3339_utc(start, e->start_ns);
    rfc3339_utc(end, e->end_ns);
    level_text(peak, e->peak_dbfs);
    level_text(rms, e->rms_dbfs);
    /* fields of a start have no END and DURATION_S: they are the last, behind a NULL */
    bool ended = e->type == EVENT_END;
    char end_field[RFC3339_SIZE + 8], duration_field[40], clip_field[CLIP_SIZE + 8];
    snprintf(end_field, sizeof end_field, "END=%s", end);
    snprintf(duration_field, sizeof duration_field, "DURATION_S=%.3f", seconds(e));
    snprintf(clip_field, sizeof clip_field, "CLIP=%s", e->clip);
    return sd_journal_send("MESSAGE=%s", what, "PRIORITY=%d", alarm ? LOG_NOTICE : LOG_INFO, "EVENT_TYPE=%s",
                           event_type_name(e->type), "LABEL=%s", e->label, "SCORE=%.3f", (double)e->score,
                           "MESSAGE_UUID=%s", e->id, "EVENT_ID=%s", e->event_id, "SOUND_ID=%s", e->sound_id, "START=%s",
                           start, "PEAK_DBFS=%s", peak, "RMS_DBFS=%s", rms, "SEGMENTS=%" PRIu32, e->segments,
                           "LOST_FRAMES=%" PRIu64, e->lost_frames, "SOURCE=%s", e->source, "MODEL=%s", e->model,
                           "NOTIFY=%d", e->notify, "TEST=%d", e->test, ended ? "%s" : NULL, end_field, "%s",
                           duration_field, *e->clip ? "%s" : NULL, clip_field, NULL);
}

static void tell(struct journal *j, const struct event *e)
{
    static const char *const where[] = {"written to standard output", "written to standard output",
                                        "written to the journal"};

    if (e->type == EVENT_UPDATE && j->format != JSON)
        return;
    int rc = j->format == TEXT ? write_text(e) : j->format == JSON ? write_json(e) : write_journal(e);
    if (rc < 0) {
        atomic_fetch_add_explicit(&j->dropped, 1, memory_order_relaxed);
        if (!j->complained)
            log_warn("events cannot be %s: %s (counted from here on)", where[j->format], strerror(-rc));
        j->complained = true;
    } else {
        atomic_fetch_add_explicit(&j->sent, 1, memory_order_relaxed);
        j->complained = false;
    }
    if (e->test)
        acks_put(j->acks, e->id, rc < 0 ? -1 : 1, rc < 0 ? strerror(-rc) : where[j->format]);
}

static void journal_free(struct journal *j)
{
    if (!j)
        return;
    sem_destroy(&j->filled);
    pthread_mutex_destroy(&j->producers);
    ring_free(j->ring);
    acks_free(j->acks);
    free(j);
}

static void *run(void *arg)
{
    struct journal *j = arg;

    /* what is left when stop has given us up is not written any more: it was counted and logged */
    while (!output_thread_abandoned(&j->thread)) {
        const struct event *e = ring_peek(j->ring);
        if (e) {
            tell(j, e);
            ring_release(j->ring);
        } else if (atomic_load_explicit(&j->stopping, memory_order_relaxed)) {
            break;
        } else {
            sem_wait(&j->filled);
        }
    }
    if (output_thread_end(&j->thread)) {
        output_thread_clear(&j->thread);
        journal_free(j);
    }
    return NULL;
}

static void journal_event(struct output *o, const struct event *event)
{
    struct journal *j = (struct journal *)o;

    pthread_mutex_lock(&j->producers);
    struct event *place = ring_reserve(j->ring);
    if (place) {
        *place = *event;
        ring_commit(j->ring);
    }
    pthread_mutex_unlock(&j->producers);
    if (place)
        sem_post(&j->filled);
    else
        atomic_fetch_add_explicit(&j->dropped, 1, memory_order_relaxed);
}

static void journal_counters(struct output *o, uint64_t *queued, uint64_t *dropped, uint64_t *sent)
{
    struct journal *j = (struct journal *)o;

    *queued = ring_used(j->ring);
    *dropped = atomic_load_explicit(&j->dropped, memory_order_relaxed);
    *sent = atomic_load_explicit(&j->sent, memory_order_relaxed);
}

static int journal_acknowledged(struct output *o, const char *id, char *text, size_t size)
{
    struct journal *j = (struct journal *)o;
    int result = acks_find(j->acks, id, text, size);

    if (!result)
        snprintf(text, size, "%s does not take it", j->format == JOURNAL ? "the journal" : "standard output");
    return result;
}

static void journal_stop(struct output *o, double flush_s)
{
    struct journal *j = (struct journal *)o;

    atomic_store_explicit(&j->stopping, true, memory_order_relaxed);
    sem_post(&j->filled);
    size_t left = ring_used(j->ring);
    if (!output_thread_join(&j->thread, flush_s)) {
        log_warn("events cannot be written: up to %zu were left", left);
        return;
    }
    uint64_t dropped = atomic_load_explicit(&j->dropped, memory_order_relaxed);
    if (dropped)
        log_warn("%" PRIu64 " events were not written", dropped);
    output_thread_clear(&j->thread);
    journal_free(j);
}

static int choose(const char *name, enum format *format, struct err *err)
{
    if (strcmp(name, "auto") == 0)
        *format = service_stderr_is_journal() ? JOURNAL : TEXT;
    else if (strcmp(name, "text") == 0)
        *format = TEXT;
    else if (strcmp(name, "json") == 0)
        *format = JSON;
    else if (strcmp(name, "journal") == 0)
        *format = JOURNAL;
    else
        return err_set(err, "log.format: \"%s\" is none (allowed: auto, text, json, journal)", name);
    /* sd_journal_send says nothing of it */
    if (*format == JOURNAL && access("/run/systemd/journal/socket", F_OK) != 0) {
        log_warn("log.format is journal, but there is no journald here: events go to standard output");
        *format = TEXT;
    }
    return 0;
}

struct output *output_journal_new(const char *format, struct err *err)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j || choose(format, &j->format, err)) {
        if (!j)
            err_set(err, "journal: no memory");
        free(j);
        return NULL;
    }
    sem_init(&j->filled, 0, 0);
    pthread_mutex_init(&j->producers, NULL);
    j->ring = ring_new(sizeof(struct event), QUEUE);
    j->acks = acks_new();
    j->output = (struct output){.name = "journal",
                                .event = journal_event,
                                .counters = journal_counters,
                                .acknowledged = journal_acknowledged,
                                .stop = journal_stop};

    int rc = j->ring && j->acks ? output_thread_start(&j->thread, run, j) : ENOMEM;
    if (rc) {
        err_set(err, "journal: %s", strerror(rc));
        journal_free(j);
        return NULL;
    }
    return &j->output;
}
