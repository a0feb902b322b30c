/* Lists of sounds with their times: what was annotated in a stream, and what was heard in it. */
#ifndef EARSHOT_TIMED_H
#define EARSHOT_TIMED_H

#include <stdbool.h>
#include <stddef.h>

struct timed {
    unsigned label;
    double onset, offset; /* s since the stream began */
    double known;         /* heard ones: s at which the decision was there; annotated ones: not used */
    float snr;            /* annotated ones: dB, NaN where nobody said; heard ones: not used */
    unsigned line;        /* annotated ones: of the file */
    bool listened;        /* annotated ones: the gate was open for some of it */
};

struct timed_list {
    struct timed *item; /* [n] */
    size_t n, room;
};

/* 0, or -1 without memory. */
int timed_add(struct timed_list *list, const struct timed *item);
void timed_free(struct timed_list *list); /* empty afterwards */

/* By label, within it by onset, within that by offset. */
void timed_sort(struct timed_list *list);

/* By onset, whatever the label. */
void timed_sort_onset(struct timed *item, size_t n);

/* The items of one label in a list sorted by timed_sort; NULL where there is none. */
const struct timed *timed_of(const struct timed_list *list, unsigned label, size_t *n);

#endif
