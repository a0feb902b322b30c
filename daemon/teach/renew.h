/* What was taught to another model, or another version of it, learned anew from the sounds that are kept of its examples (kept.h). */
#ifndef EARSHOT_RENEW_H
#define EARSHOT_RENEW_H

#include "daemon/teach/teacher.h"
#include <stdbool.h>

enum renewing {
    RENEW_VERSIONS, /* what was taught to a model of the same name: a new version of it takes its place. No way back is cut off: the old
                       file of that name is gone */
    RENEW_ALL /* ... and to others */
};

/* What came of it, as words: lists of labels, cut to fit; "": none. */
struct renewed {
    size_t n;         /* classes that are of this model now */
    char labels[300]; /* theirs */
    char partly
        [300]; /* of these, those without some of their examples ("bell (3 of 5)"): no sound is kept of the others */
    char silent[300]; /* those that stay as they are, for no sound is kept of any example: they are not heard */
    char known[300];  /* ... for the model has a sound of that label itself now */
};

/* The examples' windows of f's classes made anew, by t's model; nothing is fitted yet: hash is t's then, w NULL. Classes of
 * which nothing can be used stay as they are. -1: err; f is in order, but partly of the one and of the other. */
int renew_examples(const char *dir, const struct teacher *t, double hop_s, enum renewing which, struct taughtfile *f,
                   struct renewed *out, struct err *err);

/* Is there anything in STATE/taught that RENEW_VERSIONS would learn anew? model: name or path. */
bool renew_needed(const char *dir, const char *model);

/* "front_gate learned anew for this earshot-s; ..." What there is to say; "": nothing. */
void renew_text(const struct renewed *r, const char *model, char *out, size_t size);

#endif
