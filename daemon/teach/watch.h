/* The running daemon and what is taught: it sees when STATE/taught was replaced, by whomever, and learns of verdicts as they come (verdict.h's
 * mark), on a thread that nobody waits for. */
#ifndef EARSHOT_TAUGHT_WATCH_H
#define EARSHOT_TAUGHT_WATCH_H

#include "base/err.h"
#include <stdbool.h>

struct taught_watch;

/* dir: the state directory. NULL: err; the daemon goes on without. */
struct taught_watch *taught_watch_new(const char *dir, struct err *err);

/* Readable when there is something to take; -1 for NULL. */
int taught_watch_fd(const struct taught_watch *w);

/* Was the file replaced or taken away? Begins to learn where there are verdicts to learn of, for that model; the file is replaced then, in
 * a while. Main thread. */
bool taught_watch_take(struct taught_watch *w, const char *model, double hop_s);

/* Verdicts that came while no daemon ran, and a version of the model that another one was before what was taught was taught. */
void taught_watch_begin(struct taught_watch *w, const char *model, double hop_s);

/* What is being learned is waited for, 0.2 s at most, else left behind. */
void taught_watch_free(struct taught_watch *w);

#endif
