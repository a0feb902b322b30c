/* Lists of sounds written down as {label, onset, offset}. */
#ifndef EARSHOT_TIMED_HELP_H
#define EARSHOT_TIMED_HELP_H

#include "evaluate/timed.h"

#include <math.h>

/* rows leave out what they do not need */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct sound_row {
    unsigned label;
    double onset, offset;
    double known; /* 0: as the offset */
    double snr;   /* 0: nobody said */
};

static struct timed_list sounds(const struct sound_row *rows, size_t n)
{
    struct timed_list list = {0};

    for (size_t i = 0; i < n; i++) {
        struct timed t = {.label = rows[i].label,
                          .onset = rows[i].onset,
                          .offset = rows[i].offset,
                          .known = rows[i].known != 0 ? rows[i].known : rows[i].offset,
                          .snr = rows[i].snr != 0 ? (float)rows[i].snr : NAN,
                          .line = (unsigned)i + 1};
        assert_int_equal(timed_add(&list, &t), 0);
    }
    timed_sort(&list);
    return list;
}

#define SOUNDS(...)                                                                                                    \
    sounds((const struct sound_row[]){__VA_ARGS__},                                                                    \
           sizeof((const struct sound_row[]){__VA_ARGS__}) / sizeof(struct sound_row))
#define NO_SOUNDS ((struct timed_list){0})

#endif
