/* The thread of an output, which may hang where nothing can be done about it (a connection, a pipe that nobody reads): it is
 * waited for as long as the stop may take, and left behind with its memory if that was not enough. */
#ifndef EARSHOT_OUTPUT_THREAD_H
#define EARSHOT_OUTPUT_THREAD_H

#include <pthread.h>
#include <stdbool.h>

struct output_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool ended, abandoned;
};

/* Runs fn(arg) with all signals blocked: signals are main's, and a pipe that broke is an error of write(2). 0 or an errno. */
int output_thread_start(struct output_thread *t, void *(*fn)(void *), void *arg);

/* Waits up to `seconds` and joins. false: it hangs, and is abandoned. Whatever holds t is the thread's from then on. */
bool output_thread_join(struct output_thread *t, double seconds);

/* The thread itself: should it give up? */
bool output_thread_abandoned(struct output_thread *t);

/* The thread itself: true: it was not abandoned, and will not be until output_thread_release, so that what the others own is still there.
 * Between the two it must not wait for anything. */
bool output_thread_hold(struct output_thread *t);
void output_thread_release(struct output_thread *t);

/* The thread's last word. true: it was abandoned, and frees what it lived on (output_thread_clear included); false: it touches
 * nothing of it any more. */
bool output_thread_end(struct output_thread *t);

void output_thread_clear(struct output_thread *t);

#endif
