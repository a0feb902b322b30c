#include "daemon/teach/watch.h"

#include "base/log.h"
#include "daemon/teach/taught.h"
#include "daemon/teach/verdict.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define STOP_S 0.2
enum { TRIES = 5, AGAIN_MS = 2000 };

/* Shared with the thread that learns; who of the two is the last one frees it. */
struct job {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool running, again, left; /* left: nobody is there any more */
    bool failed;               /* the last time, which was told; the thread's own */
    char dir[PATH_MAX], model[PATH_MAX];
    double hop_s;
};

struct taught_watch {
    int fd;
    struct job *job;
};

struct taught_watch *taught_watch_new(const char *dir, struct err *err)
{
    struct taught_watch *w = calloc(1, sizeof *w);
    struct job *j = calloc(1, sizeof *j);

    if (!w || !j) {
        free(w);
        free(j);
        err_set(err, "no memory");
        return NULL;
    }
    w->job = j;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->done, NULL);
    snprintf(j->dir, sizeof j->dir, "%s", dir);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd >= 0 && inotify_add_watch(w->fd, dir, IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE) >= 0)
        return w;
    err_set(err, "%s cannot be watched: %s; what is taught from now on is heard after a reload", dir, strerror(errno));
    taught_watch_free(w);
    return NULL;
}

int taught_watch_fd(const struct taught_watch *w)
{
    return w ? w->fd : -1;
}

static void destroy(struct job *j)
{
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->done);
    free(j);
}

static void *learn(void *arg)
{
    struct job *j = arg;
    char note[400], anew[1000];
    struct renewed renewed;
    struct err err;
    int tries = 0;

    pthread_mutex_lock(&j->lock);
    do {
        char model[PATH_MAX];
        double hop_s = j->hop_s;
        snprintf(model, sizeof model, "%s", j->model);
        j->again = false;
        pthread_mutex_unlock(&j->lock);
        bool good = taught_relearn(j->dir, model, hop_s, RENEW_VERSIONS, &renewed, note, sizeof note, &err) == 0;
        if (!good && !j->failed)
            log_warn("nothing is learned of what was said of events: %s", err.text);
        j->failed = !good;
        if (good && renewed.n > 0) {
            renew_text(&renewed, "version of the model", anew, sizeof anew);
            log_info("taught sounds: %s", anew);
        } else if (good)
            log_info("learned of what was said of events: %s", note);
        bool later = !good && tries++ < TRIES && renew_needed(j->dir, model);
        if (later) /* something else has the files at the moment; a taught sound that is not heard is worth waiting for */
            poll(NULL, 0, AGAIN_MS);
        pthread_mutex_lock(&j->lock);
        j->again |= later;
    } while (j->again && !j->left);
    j->running = false;
    bool mine = j->left;
    pthread_cond_signal(&j->done);
    pthread_mutex_unlock(&j->lock);
    if (mine)
        destroy(j);
    return NULL;
}

static void begin(struct job *j, const char *model, double hop_s)
{
    pthread_attr_t detached;
    pthread_t thread;

    pthread_mutex_lock(&j->lock);
    snprintf(j->model, sizeof j->model, "%s", model);
    j->hop_s = hop_s;
    j->again = true;
    bool start = !j->running;
    j->running = true;
    pthread_mutex_unlock(&j->lock);
    if (!start)
        return;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, learn, j) != 0) {
        j->running = false; /* there is no other thread to see it */
        log_warn("nothing is learned of what was said of events: no thread can be made");
    }
    pthread_attr_destroy(&detached);
}

/* What is being learned already goes by another name. */
static bool is_due(const struct taught_watch *w)
{
    char due[PATH_MAX + 16];

    snprintf(due, sizeof due, "%s/" VERDICT_DUE, w->job->dir);
    return access(due, F_OK) == 0;
}

void taught_watch_begin(struct taught_watch *w, const char *model, double hop_s)
{
    char taken[PATH_MAX + 16];

    if (!w)
        return;
    snprintf(taken, sizeof taken, "%s/" VERDICT_TAKEN, w->job->dir);
    if (is_due(w) || access(taken, F_OK) == 0 || renew_needed(w->job->dir, model))
        begin(w->job, model, hop_s);
}

bool taught_watch_take(struct taught_watch *w, const char *model, double hop_s)
{
    _Alignas(struct inotify_event) char buffer[4096];
    bool changed = false, due = false, free_again = false;
    ssize_t n;

    if (!w)
        return false;
    while ((n = read(w->fd, buffer, sizeof buffer)) > 0)
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(void *)p;
            changed |= (e->len && strcmp(e->name, TAUGHT_FILE) == 0) || (e->mask & IN_Q_OVERFLOW);
            due |= e->len && strcmp(e->name, VERDICT_DUE) == 0 && (e->mask & IN_CLOSE_WRITE);
            free_again |= e->len && strcmp(e->name, TAUGHT_FILE ".lock") == 0 && (e->mask & IN_CLOSE_WRITE);
            p += sizeof *e + e->len;
        }
    if (due || (free_again && is_due(w))) /* somebody taught for longer than we wait, and has ended */
        begin(w->job, model, hop_s);
    return changed;
}

void taught_watch_free(struct taught_watch *w)
{
    struct timespec until;

    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(STOP_S * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->job->lock);
    while (w->job->running && pthread_cond_timedwait(&w->job->done, &w->job->lock, &until) == 0)
        ;
    bool mine = !w->job->running;
    w->job->left = true;
    pthread_mutex_unlock(&w->job->lock);
    if (mine)
        destroy(w->job);
    free(w);
}
