/* What became of every annotated sound of some streams, and figures over any choice of them. */
#ifndef EARSHOT_OUTCOMES_H
#define EARSHOT_OUTCOMES_H

#include "evaluate/event_match.h"
#include "evaluate/heard.h"
#include <stdint.h>

struct outcome {
    unsigned label;
    int snr;           /* index of its signal-to-noise ratio in a list of them (snr_list), -1: nobody said */
    bool listened;     /* the gate was open for some of it */
    bool hit;          /* in the strict sense: matched one to one by its onset */
    struct heard told; /* in the lenient one */
};

/* What was told of one class. */
struct told_count {
    uint64_t told;
    uint64_t false_alarms; /* in no annotated sound of the class (heard.h) */
    uint64_t unmatched;    /* matched to none by the onset: false alarms, second starts and late ones */
};

struct outcomes {
    struct outcome *outcome; /* [n], in no order */
    size_t n, room;
    struct told_count *told; /* [n_labels] */
    size_t n_labels;
};

int outcomes_new(struct outcomes *h, size_t n_labels); /* -1: no memory */
void outcomes_free(struct outcomes *h);
void outcomes_clear(struct outcomes *h); /* as it was when new */

/* Adds one stream; both lists as timed_sort leaves them. `rule` without offsets: its collar is that of `heard` as well. bin tells the
 * snr index of an annotated sound. -1: no memory. */
int outcomes_add(struct outcomes *h, const struct match_rule *rule, const struct timed_list *ref,
                 const struct timed_list *det, int (*bin)(const void *ctx, float snr), const void *ctx);
int outcomes_merge(struct outcomes *to, const struct outcomes *from);

struct outcome_figures {
    uint64_t events, listened, hits, heard;
    uint64_t soon;                  /* heard, and known within soon_s of the onset */
    uint64_t under_way;             /* not heard, but the class was on already */
    double delay_median, delay_p90; /* s from the onset until the decision was there, of heard ones; NaN without any */
    double start_median, start_abs_p90; /* s: told start minus onset; 90th percentile of its size */
};

/* Over events of the labels in member[n_labels] (NULL: all) and of one snr index (-1: all of them). -1: no memory. */
int outcomes_figures(const struct outcomes *h, const bool *member, int snr, double soon_s, struct outcome_figures *out);

/* Told of the labels in member (NULL: all). */
struct told_count outcomes_told(const struct outcomes *h, const bool *member);

/* The signal-to-noise ratios that occur, as whole dB; where there are more than SNR_MAX of them, in steps of 5 dB from -15 to 40. */
enum { SNR_MAX = 12 };
struct snr_list {
    int db[SNR_MAX]; /* [n], rising */
    size_t n;
    bool coarse;
};
void snr_list_add(struct snr_list *s, const struct timed_list *ref);
int snr_list_find(const void *snr_list, float snr); /* index; -1: NaN */

#endif
