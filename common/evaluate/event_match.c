#include "evaluate/event_match.h"

#include <math.h>
#include <stdlib.h>

/* Working memory of one matching. */
struct matcher {
    const struct match_rule *rule;
    const struct timed *ref, *det;
    size_t n_ref, n_det;
    size_t *partner; /* [n_ref] */
    size_t *taken;   /* [n_det]: the annotated sound that has it */
    size_t *from;    /* [n_det]: the annotated sound that a path came from */
    size_t *seen;    /* [n_det]: 1 + the annotated sound of the last search that came by */
    size_t *queue;   /* [n_ref] */
};

static bool may_match(const struct match_rule *rule, const struct timed *ref, const struct timed *det)
{
    if (fabs(ref->onset - det->onset) > rule->collar + MATCH_SLACK_S)
        return false;
    double length = ref->offset - ref->onset;
    return !rule->offsets ||
           fabs(ref->offset - det->offset) <= fmax(rule->collar, rule->offset_share * length) + MATCH_SLACK_S;
}

/* First heard sound whose onset is not too early for this one. */
static size_t first_near(const struct matcher *m, const struct timed *ref)
{
    double earliest = ref->onset - m->rule->collar - 2 * MATCH_SLACK_S;
    size_t from = 0, to = m->n_det;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (m->det[middle].onset < earliest)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Hands `det` to the annotated sound that the path came from, that one's former partner to the one before it, and so on. */
static void turn_path(struct matcher *m, size_t det)
{
    while (det != MATCH_NONE) {
        size_t ref = m->from[det], before = m->partner[ref];
        m->partner[ref] = det;
        m->taken[det] = ref;
        det = before;
    }
}

/* Looks for a path from an annotated sound without partner to a heard one that is free, breadth first. */
static bool augment(struct matcher *m, size_t start)
{
    size_t head = 0, tail = 0;

    m->queue[tail++] = start;
    while (head < tail) {
        size_t r = m->queue[head++];
        double latest = m->ref[r].onset + m->rule->collar + 2 * MATCH_SLACK_S;
        for (size_t d = first_near(m, &m->ref[r]); d < m->n_det && m->det[d].onset <= latest; d++) {
            if (m->seen[d] == start + 1 || !may_match(m->rule, &m->ref[r], &m->det[d]))
                continue;
            m->seen[d] = start + 1;
            m->from[d] = r;
            if (m->taken[d] == MATCH_NONE) {
                turn_path(m, d);
                return true;
            }
            m->queue[tail++] = m->taken[d];
        }
    }
    return false;
}

long event_match(const struct match_rule *rule, const struct timed *ref, size_t n_ref, const struct timed *det,
                 size_t n_det, size_t *partner)
{
    long pairs = 0;

    for (size_t r = 0; r < n_ref; r++)
        partner[r] = MATCH_NONE;
    if (n_ref == 0 || n_det == 0)
        return 0;
    size_t *memory = calloc(3 * n_det + n_ref, sizeof *memory);
    if (!memory)
        return -1;
    struct matcher m = {.rule = rule,
                        .ref = ref,
                        .det = det,
                        .n_ref = n_ref,
                        .n_det = n_det,
                        .partner = partner,
                        .taken = memory,
                        .from = memory + n_det,
                        .seen = memory + 2 * n_det,
                        .queue = memory + 3 * n_det};
    for (size_t d = 0; d < n_det; d++)
        m.taken[d] = MATCH_NONE;
    for (size_t r = 0; r < n_ref; r++)
        pairs += augment(&m, r);
    free(memory);
    return pairs;
}
