/* The web as an output: what the daemon tells goes to the modules by a thread of its own, the teller. */
#include "daemon/http/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/http/auth.h"
#include "daemon/http/token.h"
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INBOX       256
#define NOTES_MOST  256
#define RETRY_TICKS 5 /* seconds between two attempts at a port that is taken */

/* --- told by the daemon ------------------------------------------------------------------------------------------------- */

static void count(_Atomic uint64_t *n)
{
    atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static void web_event(struct output *o, const struct event *event)
{
    struct web *w = (struct web *)o;

    if (!event_inbox_put(w->inbox, event))
        count(&w->dropped);
}

static void web_tell_health(struct output *o, const struct health *health)
{
    struct web *w = (struct web *)o;

    pthread_mutex_lock(&w->lock);
    w->health = *health;
    w->health_due = true;
    pthread_mutex_unlock(&w->lock);
    event_inbox_wake(w->inbox);
}

static void put_note(struct web *w, struct web_note *note)
{
    pthread_mutex_lock(&w->lock);
    bool room = note && w->n_notes < NOTES_MOST;
    if (room) {
        *w->notes_end = note;
        w->notes_end = &note->next;
        w->n_notes++;
    }
    pthread_mutex_unlock(&w->lock);
    if (room) {
        event_inbox_wake(w->inbox);
    } else if (note) {
        free(note->value);
        free(note);
    }
}

static void web_setting(struct output *o, const char *name, const char *value)
{
    struct web_note *note = calloc(1, sizeof *note);

    if (note) {
        note->kind = NOTE_SETTING;
        snprintf(note->name, sizeof note->name, "%s", name);
        note->value = strdup(value);
    }
    put_note((struct web *)o, note);
}

static void web_tell_labels(struct output *o, const struct output_label *labels, size_t n)
{
    struct web *w = (struct web *)o;
    struct output_label *copy = malloc((n + !n) * sizeof *copy);
    struct web_note *note = calloc(1, sizeof *note);

    if (copy) {
        memcpy(copy, labels, n * sizeof *copy);
        pthread_mutex_lock(&w->lock);
        free(w->labels.list);
        w->labels = (struct web_label_list){copy, n};
        pthread_mutex_unlock(&w->lock);
    }
    if (note)
        note->kind = NOTE_LABELS;
    put_note(w, note);
}

static void web_result(struct output *o, const struct command_result *result)
{
    bool ours = result->origin == COMMAND_WEB || strcmp(result->name, "label") == 0;
    struct web_note *note = ours ? calloc(1, sizeof *note) : NULL;

    if (note) {
        note->kind = NOTE_RESULT;
        note->result = *result;
    }
    put_note((struct web *)o, note);
}

static void web_counters(struct output *o, uint64_t *queued, uint64_t *dropped, uint64_t *sent)
{
    struct web *w = (struct web *)o;

    *queued = event_inbox_used(w->inbox);
    *dropped = atomic_load_explicit(&w->dropped, memory_order_relaxed);
    *sent = atomic_load_explicit(&w->sent, memory_order_relaxed);
}

static int web_acknowledged(struct output *o, const char *id, char *text, size_t size)
{
    struct web *w = (struct web *)o;
    uint64_t n_cut;

    pthread_mutex_lock(&w->lock);
    bool told = strcmp(w->test_id, id) == 0;
    pthread_mutex_unlock(&w->lock);
    if (told)
        snprintf(text, size, "handed on to the page (%u connections)", conns_count(&w->conns, &n_cut));
    return told;
}

/* --- the teller --------------------------------------------------------------------------------------------------------- */

static void tell_event(struct web *w, const struct event *event)
{
    for (const struct web_module *const *m = web_modules; *m; m++)
        if ((*m)->event)
            (*m)->event(w, event);
    count(&w->sent);
    metrics_event(&w->metrics, event, clock_ns(CLOCK_REALTIME));
    if (!event->test)
        return;
    pthread_mutex_lock(&w->lock);
    memcpy(w->test_id, event->id, sizeof w->test_id);
    pthread_mutex_unlock(&w->lock);
}

static struct web_note *take_note(struct web *w)
{
    pthread_mutex_lock(&w->lock);
    struct web_note *note = w->notes;
    if (note) {
        w->notes = note->next;
        w->n_notes--;
        if (!w->notes)
            w->notes_end = &w->notes;
    }
    pthread_mutex_unlock(&w->lock);
    return note;
}

static void tell_note(struct web *w, const struct web_note *note)
{
    for (const struct web_module *const *m = web_modules; *m; m++) {
        if (note->kind == NOTE_SETTING && (*m)->setting && note->value)
            (*m)->setting(w, note->name, note->value);
        if (note->kind == NOTE_LABELS && (*m)->labels)
            (*m)->labels(w);
        if (note->kind == NOTE_RESULT && (*m)->result)
            (*m)->result(w, &note->result);
    }
}

static void look_after_server(struct web *w, unsigned tick)
{
    bool again;

    if (tick % RETRY_TICKS != 0)
        return;
    if (w->server)
        server_renew(w);
    else
        server_start(w, &again, NULL);
}

/* What requests and streams needed is given back when the last of them is gone: nobody watching costs what nobody watching costs. */
static void give_back(struct web *w)
{
    uint64_t n_cut;

    if (conns_count(&w->conns, &n_cut)) {
        w->used = true;
    } else if (w->used) {
        w->used = false;
        malloc_trim(0);
    }
}

/* About once a second. */
static void tell_health(struct web *w, unsigned tick)
{
    struct health h;

    web_health(w, &h);
    for (const struct web_module *const *m = web_modules; *m; m++)
        if ((*m)->health)
            (*m)->health(w, &h);
    conns_tick(&w->conns);
    sse_beat(w);
    look_after_server(w, tick);
    give_back(w);
}

static bool health_is_due(struct web *w)
{
    pthread_mutex_lock(&w->lock);
    bool due = w->health_due;
    w->health_due = false;
    pthread_mutex_unlock(&w->lock);
    return due;
}

static void *teller(void *arg)
{
    struct web *w = arg;
    struct pollfd fd = {event_inbox_fd(w->inbox), POLLIN, 0};

    for (unsigned tick = 1; !atomic_load(&w->stopping);) {
        poll(&fd, 1, -1);
        event_inbox_calm(w->inbox);
        for (const struct event *e; (e = event_inbox_peek(w->inbox)); event_inbox_release(w->inbox))
            tell_event(w, e);
        for (struct web_note *note; (note = take_note(w));) {
            tell_note(w, note);
            free(note->value);
            free(note);
        }
        if (health_is_due(w))
            tell_health(w, tick++);
    }
    output_thread_end(&w->teller);
    return NULL;
}

/* --- start and stop ----------------------------------------------------------------------------------------------------- */

static void web_free(struct web *w)
{
    for (const struct web_module *const *m = web_modules; *m; m++)
        if (w->opened[(*m)->id] && (*m)->close)
            (*m)->close(w);
    for (struct web_note *note; (note = take_note(w));) {
        free(note->value);
        free(note);
    }
    if (w->told)
        output_thread_clear(&w->teller);
    event_inbox_free(w->inbox);
    auth_free(w->auth);
    conns_clear(&w->conns);
    metrics_clear(&w->metrics);
    pthread_mutex_destroy(&w->lock);
    free(w->labels.list);
    free(w);
}

/* Everything that is under way is answered; what cannot be within the time is left as it is, with all that it stands on. */
static bool calm(struct web *w, double seconds)
{
    for (int ms = (int)(seconds * 1000); atomic_load(&w->in_flight) && ms > 0; ms -= 5)
        poll(NULL, 0, 5);
    return atomic_load(&w->in_flight) == 0;
}

static void web_stop(struct output *o, double flush_s)
{
    struct web *w = (struct web *)o;

    atomic_store(&w->stopping, true);
    event_inbox_wake(w->inbox);
    if (w->told && !output_thread_join(&w->teller, flush_s)) {
        log_warn("web: a part of it hangs; it is left behind");
        return;
    }
    for (const struct web_module *const *m = web_modules; *m; m++)
        if (w->opened[(*m)->id] && (*m)->end)
            (*m)->end(w);
    if (!calm(w, flush_s)) {
        log_warn("web: %u requests are left unanswered", atomic_load(&w->in_flight));
        return;
    }
    workers_free(w->workers);
    sse_end_all(w);
    server_stop(w);
    web_free(w);
}

static int open_modules(struct web *w, struct err *err)
{
    for (const struct web_module *const *m = web_modules; *m; m++) {
        if ((*m)->open && (*m)->open(w, err) < 0)
            return -1;
        w->opened[(*m)->id] = true;
    }
    return 0;
}

static int open_auth(struct web *w, struct err *err)
{
    char token[TOKEN_SIZE];
    int found = token_read(&w->config, token, err);

    if (found < 0)
        return -1;
    w->auth = auth_new(found ? token : NULL, web_state_dir(w), err);
    explicit_bzero(token, sizeof token);
    if (gethostname(w->host_name, sizeof w->host_name - 1) < 0)
        w->host_name[0] = '\0';
    snprintf(w->cookie, sizeof w->cookie, "earshot_%d", w->config.web.port);
    return w->auth ? 0 : -1;
}

static int open_all(struct web *w, struct err *err)
{
    bool again;

    w->inbox = event_inbox_new(INBOX);
    w->workers = workers_new(w);
    if (!w->inbox || !w->workers)
        return err_set(err, "web: out of memory");
    if (open_auth(w, err) < 0 || open_modules(w, err) < 0)
        return -1;
    if (server_start(w, &again, err) < 0) {
        if (!again)
            return -1;
        log_warn("web: %s; it is tried again every %d s", err->text, RETRY_TICKS);
    }
    w->told = output_thread_start(&w->teller, teller, w) == 0;
    return w->told ? 0 : err_set(err, "web: no thread can be made");
}

struct output *output_web_new(const struct config *config, const struct daemon_control *control, struct store *store,
                              struct err *err)
{
    struct web *w = calloc(1, sizeof *w);

    if (!w) {
        err_set(err, "web: out of memory");
        return NULL;
    }
    w->output = (struct output){.name = "web",
                                .event = web_event,
                                .health = web_tell_health,
                                .setting = web_setting,
                                .labels = web_tell_labels,
                                .result = web_result,
                                .counters = web_counters,
                                .acknowledged = web_acknowledged,
                                .stop = web_stop};
    w->config = *config;
    config_forget_lists(&w->config);
    w->control = control;
    w->store = store;
    w->notes_end = &w->notes;
    pthread_mutex_init(&w->lock, NULL);
    conns_init(&w->conns);
    metrics_init(&w->metrics);
    if (open_all(w, err) == 0)
        return &w->output;
    workers_free(w->workers);
    server_stop(w);
    web_free(w);
    return NULL;
}
