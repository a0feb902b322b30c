/* Decisions: scores of successive windows in, sound events out. Each class lives on its own within a gate
 * opening.
 *
 * A window votes for a class where its score reaches the threshold; or where the mean of the last
 * context_s of windows does and its own score at least the closing threshold: a dip between good windows does not break a
 * run. The mean only ever adds votes, so it delays no start. `confirm` votes in a row start the event, dated
 * at the onset in the first of them; a sound that is over before there were so many windows starts and ends
 * at once if all of them voted, the last one aside where it is only the padded rest. From then on the windows at or above the closing threshold are the
 * event: its score is their highest, its level their peak and energy mean, its end that of the last of them.
 * It ends after release_s without one, or with the gate opening. Updates come at most once a second, and only
 * while the class is heard. A second start in the same opening is a new event with its own event_id.
 *
 * `background` and `unknown` as labels of a model make no events, nor do ignored classes. A sound in which no
 * class at all was sure (background and ignored ones count as sure) is told as one event of type end, label
 * `unknown`, score the highest there was. Cooldown, active hours and `unknown` only clear event.notify, which
 * is decided at the start and holds to the end.
 *
 * Pure: no clock, no threads, no allocation after decision_new; times are those in the windows. */
#ifndef EARSHOT_DECISION_H
#define EARSHOT_DECISION_H

#include "audio/window.h"
#include "base/err.h"
#include "event/event.h"
#include <stddef.h>

/* One class's rules. NaN / negative: take the default (the model's threshold, the decision_params' values).
 * Of two rules for one label the later one wins, value by value. */
struct class_rule {
    char label[LABEL_SIZE];
    float threshold;            /* score that opens, 0..1 */
    int confirm;                /* windows in a row that must pass; default 1 for alarms, else params.confirm */
    double release_s;           /* s below the closing threshold before the end */
    double cooldown_s;          /* s after a notified start in which further ones are not notified */
    int active_from, active_to; /* minutes of the local day, -1 or equal: always; from > to goes over
                                 * midnight; a sound that starts outside is not notified */
    int mode; /* CLASS_DEFAULT, CLASS_ALLOW (where there is one, classes without it are ignored), CLASS_IGNORE
               * (makes no events at all) */
};
enum { CLASS_DEFAULT, CLASS_ALLOW, CLASS_IGNORE };

struct decision_params {
    double threshold;   /* opening threshold of every class without a rule's own; 0 or less: each its own from
                           the model */
    int confirm;        /* 1.. */
    double release_s;   /* 3 */
    double cooldown_s;  /* 0 */
    double close_ratio; /* closing threshold = ratio * opening threshold, 0..1 (0.6) */
    double hop_s;       /* between two windows of one sound */
    double context_s;   /* windows of this long vote together; 0: none; negative: 1.5 */
    bool unknown;       /* publish `unknown` (it is logged in any case) */
    const struct class_rule *rules; /* copied */
    size_t n_rules;                 /* a rule whose label the model does not have is ignored here; the caller warns */
};

typedef void event_sink(void *ctx, const struct event *event);

struct decision;
struct decision *decision_new(const struct decision_params *params, const char *const *labels, const float *thresholds,
                              size_t n_labels, const char *model_name, struct err *err);
void decision_free(struct decision *d);

/* One window in order. scores: n_labels, ignored where info->empty. Calls sink for each event that it
 * decides. */
void decision_do(struct decision *d, const struct window_info *info, const float *scores, event_sink *sink, void *ctx);

/* The embedding of the windows that come from here on, half precision (at most EVENT_EMBEDDING values, else none is taken): read at each
 * decision_do, into the start that is decided then, and of `unknown` into its end, of the window that came nearest to a class. */
void decision_set_embedding(struct decision *d, const uint16_t *values, size_t n);

/* The stream stopped: like the end of the gate opening, where one is under way. */
void decision_finish(struct decision *d, event_sink *sink, void *ctx);

/* Is a class on that makes events (not background, not ignored)? The noise floor does not rise meanwhile. */
bool decision_busy(const struct decision *d);

/* From now on d decides by the thresholds, cooldowns and other rules of one that was made for the same labels (recogniser_make_decision).
 * What is on goes on. The time that windows are judged together over stays d's own. */
void decision_take_rules(struct decision *d, const struct decision *from);

/* Sets the text that events carry as source. */
void decision_set_source(struct decision *d, const char *source);

/* A sound that calls for action at once: confirm is 1 by default. */
bool label_is_alarm(const char *label);

#endif
