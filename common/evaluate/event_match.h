/* Which of the sounds that were heard answer to which of the annotated ones: one to one, and as many pairs as there can be.
 *
 * An annotated and a heard sound may be a pair where the onsets lie at most `collar` apart and, where offsets count, the offsets at
 * most the larger of `collar` and `offset_share` of the annotated sound's length (Mesaros, Heittola, Virtanen: "Metrics for
 * polyphonic sound event detection", Applied Sciences 6(6), 2016, section 3.2; the conditions are those of the toolbox sed_eval).
 * The pairs are a maximum matching of the bipartite graph, found by augmenting paths (Berge 1957): taking for each sound in turn the
 * first partner that will do can leave a pair out. What lies on the border counts, to a microsecond. */
#ifndef EARSHOT_EVENT_MATCH_H
#define EARSHOT_EVENT_MATCH_H

#include "evaluate/timed.h"
#include <stdbool.h>

struct match_rule {
    double collar; /* s */
    bool offsets;
    double offset_share; /* of the annotated sound's length */
};

#define MATCH_SLACK_S 1e-6
#define MATCH_NONE    ((size_t)-1)

/* Both sorted by onset; labels are not looked at. partner: [n_ref], the index of the heard sound or MATCH_NONE. Returns how many
 * pairs there are, -1 without memory. */
long event_match(const struct match_rule *rule, const struct timed *ref, size_t n_ref, const struct timed *det,
                 size_t n_det, size_t *partner);

#endif
