/* Segment-based counts: is a class active in a segment of the stream, and was it heard in it?
 *
 * Mesaros, Heittola, Virtanen 2016 (see event_score.h), section 3.1: the stream is cut into segments of equal length from its
 * beginning; a class is active in every segment that one of its sounds touches. In each segment, substitutions are the smaller of
 * misses and false ones over all classes, deletions and insertions what is left of them. */
#ifndef EARSHOT_SEGMENT_SCORE_H
#define EARSHOT_SEGMENT_SCORE_H

#include "base/err.h"
#include "evaluate/event_score.h"
#include "evaluate/timed.h"

/* Adds one stream's counts to classes[n_labels] and `all`. Both lists as timed_sort leaves them, labels below n_labels; what lies
 * beyond duration_s lengthens the stream. segment_s > 0. -1: no memory, or too long. */
int segment_score_add(double segment_s, double duration_s, const struct timed_list *ref, const struct timed_list *det,
                      size_t n_labels, struct sed_count *classes, struct sed_count *all, struct err *err);

#endif
