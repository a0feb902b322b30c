/* What somebody who waits for a sound asks: was it told at all while it lasted, how soon, and how often for nothing?
 *
 * An annotated sound is `heard` where a sound of its class was told whose start lies within [onset - collar, offset + collar]: an
 * alarm of ten seconds that is told from its second second on is heard, though its onset is no hit in the strict sense. A heard
 * sound whose start lies in no annotated one of its class, widened so, is a false alarm. */
#ifndef EARSHOT_HEARD_H
#define EARSHOT_HEARD_H

#include "evaluate/timed.h"
#include <stdbool.h>

struct heard {
    bool heard;
    bool under_way; /* not heard, but the class was on already when it began: the earlier sound did not end for it */
    double delay_s; /* from the onset until the decision was there, of the earliest one; NaN where not heard */
    double start_error; /* s, the start that was told minus the onset; NaN where not heard */
};

/* One class of one stream, both sorted by onset. out: [n_ref]. Returns the number of false alarms; false_alarm, where not NULL,
 * [n_det]. */
size_t heard_find(const struct timed *ref, size_t n_ref, const struct timed *det, size_t n_det, double collar,
                  struct heard *out, bool *false_alarm);

#endif
