/* One thread waits for all: for jobs, for what the processes say and for their end, for clients that go away, and for time limits. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/upload/upload_process.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PLACES = UPLOAD_AT_ONCE + UPLOAD_WAITING, FDS = 1 + 3 * PLACES };

/* A job from uploads_put to its done. */
struct place {
    bool taken;
    struct upload_job job;
    uint64_t number; /* in the order they came */
    int64_t until;   /* ms: waited or worked for too long */
    struct upload_process process;
};

struct uploads {
    pthread_mutex_t lock; /* guards what follows */
    struct upload_settings settings;
    struct upload_job fresh[UPLOAD_WAITING]; /* the thread has not seen them yet */
    size_t n_fresh, in_all;                  /* in_all: fresh ones and taken places */
    bool started, stop;

    pthread_t thread;
    int wake;
    /* The thread's own. */
    struct place places[PLACES];
    uint64_t numbers;
};

struct uploads *uploads_new(const struct config *config, const char *state_dir, struct err *err)
{
    struct uploads *u = calloc(1, sizeof *u);

    if (!u) {
        err_set(err, "no memory");
        return NULL;
    }
    pthread_mutex_init(&u->lock, NULL);
    snprintf(u->settings.state_dir, sizeof u->settings.state_dir, "%s", state_dir);
    u->settings.sound_s = UPLOAD_SOUND_S;
    u->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (u->wake < 0)
        err_set(err, "eventfd: %s", strerror(errno));
    if (u->wake < 0 || uploads_configure(u, config, err) < 0) {
        uploads_free(u);
        return NULL;
    }
    return u;
}

void uploads_free(struct uploads *u)
{
    if (!u)
        return;
    uploads_stop(u);
    if (u->wake >= 0)
        close(u->wake);
    free(u->settings.text);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

int uploads_configure(struct uploads *u, const struct config *config, struct err *err)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out)
        config_write(config, out, false);
    if (!out || fclose(out) != 0) {
        free(text);
        return err_set(err, "no memory");
    }
    pthread_mutex_lock(&u->lock);
    free(u->settings.text);
    u->settings.text = text;
    pthread_mutex_unlock(&u->lock);
    return 0;
}

void uploads_limit(struct uploads *u, unsigned sound_s)
{
    u->settings.sound_s = sound_s;
}

static void wake(struct uploads *u)
{
    uint64_t one = 1;

    while (write(u->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* --- the thread ------------------------------------------------------------------------------------------------------------------ */

/* Tells, and makes room. */
static void finish(struct uploads *u, struct place *p, struct upload_answer *a)
{
    upload_process_end(&p->process);
    if (p->job.file >= 0)
        close(p->job.file);
    p->taken = false;
    pthread_mutex_lock(&u->lock);
    u->in_all--;
    pthread_mutex_unlock(&u->lock);
    p->job.done(p->job.ctx, a);
    free(a->json);
}

static void give_up(struct uploads *u, struct place *p, enum upload_result result, const char *why)
{
    struct upload_answer a = {.result = result};

    snprintf(a.text, sizeof a.text, "%.*s", (int)sizeof a.text - 1, why);
    finish(u, p, &a);
}

static void take_fresh(struct uploads *u)
{
    uint64_t count;

    (void)!read(u->wake, &count, sizeof count);
    pthread_mutex_lock(&u->lock);
    for (size_t i = 0, at = 0; i < u->n_fresh; i++) {
        while (u->places[at].taken)
            at++;
        struct place *p = &u->places[at];
        *p = (struct place){.taken = true,
                            .job = u->fresh[i],
                            .number = ++u->numbers,
                            .until = clock_ms(CLOCK_MONOTONIC) + UPLOAD_WAIT_S * 1000LL};
        upload_process_init(&p->process);
    }
    u->n_fresh = 0;
    pthread_mutex_unlock(&u->lock);
}

static struct place *next_waiting(struct uploads *u)
{
    struct place *first = NULL;
    size_t running = 0;

    for (size_t i = 0; i < PLACES; i++) {
        struct place *p = &u->places[i];
        running += p->taken && p->process.child.pid;
        if (p->taken && !p->process.child.pid && (!first || p->number < first->number))
            first = p;
    }
    return running < UPLOAD_AT_ONCE ? first : NULL;
}

static void start_waiting(struct uploads *u)
{
    struct place *p;
    struct err err;

    while ((p = next_waiting(u))) {
        pthread_mutex_lock(&u->lock);
        int rc = upload_process_start(&p->process, &p->job, &u->settings, &err);
        pthread_mutex_unlock(&u->lock);
        if (rc < 0) {
            log_warn("cannot look through what was sent: %s", err.text);
            give_up(u, p, UPLOAD_FAILED, err.text);
            continue;
        }
        p->until = clock_ms(CLOCK_MONOTONIC) + UPLOAD_WALL_S * 1000LL;
    }
}

/* Three descriptors a place: what it says twice, and its client. */
static void list_fds(const struct uploads *u, struct pollfd fds[FDS])
{
    fds[0] = (struct pollfd){u->wake, POLLIN, 0};
    for (size_t i = 0; i < PLACES; i++) {
        const struct place *p = &u->places[i];
        struct pollfd *f = &fds[1 + 3 * i];
        f[0] = (struct pollfd){p->taken ? p->process.out : -1, POLLIN, 0};
        f[1] = (struct pollfd){p->taken ? p->process.complaints : -1, POLLIN, 0};
        f[2] = (struct pollfd){p->taken ? p->job.client : -1, POLLRDHUP, 0};
    }
}

static int wait_ms(const struct uploads *u)
{
    int64_t first = INT64_MAX, now = clock_ms(CLOCK_MONOTONIC);

    for (size_t i = 0; i < PLACES; i++)
        if (u->places[i].taken && u->places[i].until < first)
            first = u->places[i].until;
    return first == INT64_MAX ? -1 : first <= now ? 0 : (int)(first - now);
}

static void look_at(struct uploads *u, struct place *p, const struct pollfd *f)
{
    struct upload_answer a = {.result = UPLOAD_FAILED};

    if (f[2].revents) {
        give_up(u, p, UPLOAD_GONE, "the client has closed the connection");
        return;
    }
    if (f[0].revents)
        upload_process_read(&p->process);
    if (f[1].revents)
        upload_process_hear(&p->process);
    if (p->process.child.pid && p->process.out < 0 && p->process.complaints < 0) {
        upload_process_answer(&p->process, &a);
        finish(u, p, &a);
        return;
    }
    if (clock_ms(CLOCK_MONOTONIC) < p->until)
        return;
    if (p->process.child.pid)
        give_up(u, p, UPLOAD_TOO_LONG, "looking through it takes too long");
    else
        give_up(u, p, UPLOAD_BUSY, "other files are being looked through");
}

static void *serve(void *arg)
{
    struct uploads *u = arg;
    struct pollfd fds[FDS];
    bool stop = false;

    pthread_setname_np(pthread_self(), "uploads");
    while (!stop) {
        start_waiting(u);
        list_fds(u, fds);
        if (poll(fds, FDS, wait_ms(u)) < 0)
            continue; /* EINTR */
        for (size_t i = 0; i < PLACES; i++)
            if (u->places[i].taken)
                look_at(u, &u->places[i], &fds[1 + 3 * i]);
        if (fds[0].revents)
            take_fresh(u);
        pthread_mutex_lock(&u->lock);
        stop = u->stop;
        pthread_mutex_unlock(&u->lock);
    }
    take_fresh(u);
    for (size_t i = 0; i < PLACES; i++)
        if (u->places[i].taken)
            give_up(u, &u->places[i], UPLOAD_STOPPED, "earshot is being stopped");
    return NULL;
}

/* --- from other threads ---------------------------------------------------------------------------------------------------------- */

bool uploads_put(struct uploads *u, const struct upload_job *job)
{
    pthread_mutex_lock(&u->lock);
    bool good = !u->stop && u->in_all < PLACES && u->n_fresh < UPLOAD_WAITING;
    if (good && !u->started) {
        int rc = pthread_create(&u->thread, NULL, serve, u);
        good = u->started = rc == 0;
        if (rc)
            log_warn("no thread to look through what was sent: %s", strerror(rc));
    }
    if (good) {
        u->fresh[u->n_fresh++] = *job;
        u->in_all++;
    }
    pthread_mutex_unlock(&u->lock);
    if (good)
        wake(u);
    else if (job->file >= 0)
        close(job->file);
    return good;
}

void uploads_stop(struct uploads *u)
{
    pthread_mutex_lock(&u->lock);
    bool join = u->started;
    u->stop = true;
    u->started = false;
    pthread_mutex_unlock(&u->lock);
    if (!join)
        return;
    wake(u);
    pthread_join(u->thread, NULL);
}
