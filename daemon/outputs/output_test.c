#include "base/clock.h"
#include "daemon/outputs/output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SOUND_S 1.0    /* length of the test sound: long enough for a lamp that follows it to be seen */
#define POLL_NS 500000 /* between two looks for acknowledgements */

static void compose(struct event *e, const char *label, const char *model)
{
    int64_t utc = clock_ns(CLOCK_REALTIME);

    *e = (struct event){.type = EVENT_START,
                        .score = 1,
                        .n_top = 1,
                        .start_ns = utc,
                        .end_ns = utc,
                        .segments = 1,
                        .notify = true,
                        .peak_dbfs = NAN, /* nothing was heard */
                        .rms_dbfs = NAN,
                        .test = true};
    uuid7(e->id, utc);
    uuid7(e->event_id, utc);
    uuid7(e->sound_id, utc);
    snprintf(e->label, sizeof e->label, "%s", label);
    snprintf(e->top[0].label, sizeof e->top[0].label, "%s", label);
    e->top[0].score = 1;
    snprintf(e->source, sizeof e->source, "test");
    snprintf(e->model, sizeof e->model, "%s", model);
}

static void compose_end(struct event *e)
{
    int64_t utc = clock_ns(CLOCK_REALTIME);

    e->type = EVENT_END;
    e->end_ns = utc;
    uuid7(e->id, utc);
}

/* One look at an output that has not answered yet; true when it did. */
static bool look(struct output *o, const char *id, struct output_report *r, int64_t since)
{
    int result = o->acknowledged ? o->acknowledged(o, id, r->text, sizeof r->text) : 1;

    if (!o->acknowledged)
        snprintf(r->text, sizeof r->text, "handed over (it does not say what became of it)");
    if (!result)
        return false;
    r->ok = result > 0;
    r->ms = (double)(clock_ns(CLOCK_MONOTONIC) - since) * 1e-6;
    return true;
}

size_t output_test(struct output *const *outputs, size_t n, size_t internal, const char *label, const char *model,
                   double timeout_s, const atomic_bool *cancel, struct output_report *reports)
{
    const struct timespec nap = {.tv_nsec = POLL_NS};
    size_t failed = 0, open = n;
    struct event e;

    compose(&e, label, model);
    char id[UUID_SIZE];
    memcpy(id, e.id, sizeof id);
    int64_t since = clock_ns(CLOCK_MONOTONIC);
    for (size_t i = 0; i < n; i++)
        reports[i] = (struct output_report){.name = outputs[i]->name, .ms = -1};
    for (size_t i = 0; i < n + internal; i++)
        outputs[i]->event(outputs[i], &e);
    bool ended = false;
    for (double t = 0; (open && t < timeout_s) || !ended; nanosleep(&nap, NULL)) {
        t = (double)(clock_ns(CLOCK_MONOTONIC) - since) * 1e-9;
        for (size_t i = 0; i < n; i++)
            if (reports[i].ms < 0 && look(outputs[i], id, &reports[i], since))
                open--;
        bool cancelled = cancel && atomic_load_explicit(cancel, memory_order_relaxed);
        if (cancelled)
            timeout_s = 0;
        if (ended || (t < SOUND_S && !cancelled))
            continue;
        compose_end(&e);
        for (size_t i = 0; i < n + internal; i++)
            outputs[i]->event(outputs[i], &e);
        ended = true;
    }
    for (size_t i = 0; i < n; i++)
        failed += !reports[i].ok;
    return failed;
}
