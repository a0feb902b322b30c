#include "daemon/outputs/output_thread.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

int output_thread_start(struct output_thread *t, void *(*fn)(void *), void *arg)
{
    pthread_condattr_t attr;
    sigset_t all, before;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->change, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&t->lock, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        output_thread_clear(t);
    return rc;
}

bool output_thread_join(struct output_thread *t, double seconds)
{
    pthread_t thread = t->thread;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (int64_t)(seconds * 1e9);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;

    pthread_mutex_lock(&t->lock);
    while (!t->ended && pthread_cond_timedwait(&t->change, &t->lock, &until) != ETIMEDOUT)
        ;
    bool ended = t->ended;
    t->abandoned = !ended;
    pthread_mutex_unlock(&t->lock);
    if (ended)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    return ended;
}

bool output_thread_abandoned(struct output_thread *t)
{
    pthread_mutex_lock(&t->lock);
    bool abandoned = t->abandoned;
    pthread_mutex_unlock(&t->lock);
    return abandoned;
}

bool output_thread_hold(struct output_thread *t)
{
    pthread_mutex_lock(&t->lock);
    if (!t->abandoned)
        return true;
    pthread_mutex_unlock(&t->lock);
    return false;
}

void output_thread_release(struct output_thread *t)
{
    pthread_mutex_unlock(&t->lock);
}

bool output_thread_end(struct output_thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    bool abandoned = t->abandoned;
    pthread_cond_signal(&t->change);
    pthread_mutex_unlock(&t->lock);
    return abandoned;
}

void output_thread_clear(struct output_thread *t)
{
    pthread_cond_destroy(&t->change);
    pthread_mutex_destroy(&t->lock);
}
