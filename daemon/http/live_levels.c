/* Ten messages a second to those who watch the level: a thread that sleeps, and is not even there, while nobody does. */
#include "daemon/http/live.h"

#include "base/base64.h"
#include "base/log.h"
#include "daemon/pipeline.h"
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define STACK   ((size_t)256 * 1024)
#define LOOK_MS 20 /* the analysis looks at the microphone every 40 ms */

struct live_levels {
    struct web *web;
    struct sse_hub *hub;
    pthread_mutex_t lock;
    pthread_cond_t change;
    pthread_t thread;
    bool made, stop; /* the thread is to be joined; is to end */
};

/* --- a message ------------------------------------------------------------------------------------------------------- */

static void decibels(char out[16], float db)
{
    if (isfinite(db))
        snprintf(out, 16, "%.1f", (double)db);
    else
        snprintf(out, 16, "null");
}

static void tell(struct sse_hub *hub, const struct live_level *l)
{
    char time[RFC3339_SIZE], rms[16], peak[16], floor[16], threshold[16], spectrum[BASE64_SIZE(MELCOLUMN_BANDS)],
        text[400];

    rfc3339_utc(time, l->utc_ns);
    decibels(rms, l->rms_dbfs);
    decibels(peak, l->peak_dbfs);
    decibels(floor, l->floor_dbfs);
    decibels(threshold, l->threshold_dbfs);
    base64_encode(l->bands, MELCOLUMN_BANDS, spectrum);
    snprintf(text, sizeof text,
             "{\"time\":\"%s\",\"rms_dbfs\":%s,\"peak_dbfs\":%s,\"floor_dbfs\":%s,\"threshold_dbfs\":%s,"
             "\"gate\":\"%s\",\"spectrum\":\"%s\"}",
             time, rms, peak, floor, threshold, l->open ? "open" : "closed", spectrum);
    sse_publish(hub, "level", NULL, text);
}

/* --- the thread ------------------------------------------------------------------------------------------------------ */

static bool stopped(struct live_levels *m)
{
    pthread_mutex_lock(&m->lock);
    bool stop = m->stop;
    pthread_mutex_unlock(&m->lock);
    return stop;
}

/* false: it is to end. */
static bool await_watcher(struct live_levels *m)
{
    pthread_mutex_lock(&m->lock);
    while (!m->stop && !sse_watching(m->hub))
        pthread_cond_wait(&m->change, &m->lock);
    bool go_on = !m->stop;
    pthread_mutex_unlock(&m->lock);
    return go_on;
}

static void show(struct live_levels *m, struct live_tap *tap)
{
    struct live_level level;
    struct err err;

    if (live_tap_watch(tap, &err) < 0) {
        log_warn("web: levels cannot be shown: %s", err.text);
        poll(NULL, 0, 1000);
        return;
    }
    while (sse_watching(m->hub) && !stopped(m)) {
        while (live_tap_take(tap, &level))
            tell(m->hub, &level);
        poll(NULL, 0, LOOK_MS);
    }
    live_tap_unwatch(tap);
}

static void *levels_main(void *arg)
{
    struct live_levels *m = arg;

    prctl(PR_SET_NAME, "web-levels");
    while (await_watcher(m))
        show(m, pipeline_live(web_pipeline(m->web)));
    return NULL;
}

struct live_levels *live_levels_new(struct web *w, struct sse_hub *hub)
{
    struct live_levels *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->web = w;
    m->hub = hub;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->change, NULL);
    return m;
}

int live_levels_wake(struct live_levels *m, struct err *err)
{
    pthread_attr_t attr;
    int rc = 0;

    if (!web_pipeline(m->web))
        return err_set(err, "there is no input");
    pthread_mutex_lock(&m->lock);
    if (!m->made && !m->stop) {
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK);
        m->made = pthread_create(&m->thread, &attr, levels_main, m) == 0;
        pthread_attr_destroy(&attr);
        rc = m->made ? 0 : err_set(err, "no thread can be made");
    }
    pthread_cond_signal(&m->change);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

void live_levels_stop(struct live_levels *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    bool made = m->made;
    m->made = false;
    pthread_cond_signal(&m->change);
    pthread_mutex_unlock(&m->lock);
    if (made)
        pthread_join(m->thread, NULL);
}

void live_levels_free(struct live_levels *m)
{
    if (!m)
        return;
    live_levels_stop(m);
    pthread_cond_destroy(&m->change);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
