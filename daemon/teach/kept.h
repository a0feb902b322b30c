/* The sounds of examples, kept so that what was taught can be learned anew for another model, or another version of it:
 * STATE/examples/LABEL-HASH.flac, 16 bits, readable by owner and group alone; the hash is of the example's source and kind. A sound
 * that is not there any more is no error anywhere: the example's embeddings are what counts.
 *
 * Changes are made by who holds the lock on what is taught (taught.h). */
#ifndef EARSHOT_KEPT_H
#define EARSHOT_KEPT_H

#include "base/err.h"
#include "daemon/teach/lesson.h"
#include "teach/taughtfile.h"
#include <stdbool.h>

#define KEPT_FOLDER "examples"
#define KEPT_MOST   15.0  /* s of an example */
#define KEPT_AROUND 0.5   /* s before and after what the gate let through, kept with it */
#define KEPT_BYTES  200e6 /* of all together; what comes then is not kept */

bool kept_has(const char *dir, const char *label, const struct taught_example *e);

/* Of so many examples of the class, how many have their sound. */
size_t kept_count(const char *dir, const struct taught_class *c);

/* Keeps what of t lies between from_s and to_s, with KEPT_AROUND; of more than KEPT_MOST that around its loudest. In the place of what
 * was kept of that example. -1: err; nothing is kept of it then. */
int kept_put(const char *dir, const char *label, const struct taught_example *e, const struct take *t, double from_s,
             double to_s, struct err *err);

/* -1: nothing is kept, or it cannot be read; err. The take is the caller's. */
int kept_take(const char *dir, const char *label, const struct taught_example *e, struct take *t, struct err *err);

/* Takes away what belongs to none of the examples that the class has in f now; f has no such class: all of it. */
void kept_sweep(const char *dir, const char *label, const struct taughtfile *f);

#endif
