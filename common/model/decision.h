/* Decisions: scores of successive windows in, sound events out. Each class lives on its own within a gate opening.
 *
 * Pure: no clock, no threads, no allocation after decision_new; times are those in the windows. */
#ifndef EARSHOT_DECISION_H
#define EARSHOT_DECISION_H

#include "audio/window.h"
#include "base/err.h"
#include "event/event.h"
#include <stddef.h>

/* One class's rules. NaN / negative: take the default (the model's threshold, the decision_params' values). */
struct class_rule {
    char label[LABEL_SIZE];
    float threshold;     /* score that opens, 0..1 */
    int confirm;         /* windows in a row that must pass; default 1 for alarms, else params.confirm */
    double release_s;    /* s below the closing threshold before the end */
    double cooldown_s;   /* s after a notified start in which further ones are not notified */
    int active_from, active_to; /* minutes of the local day, -1: always; from > to goes over midnight; outside: not notified */
    int mode;            /* CLASS_DEFAULT, CLASS_ALLOW, CLASS_IGNORE (makes no events at all) */
};
enum { CLASS_DEFAULT, CLASS_ALLOW, CLASS_IGNORE };

struct decision_params {
    int confirm;         /* 1.. */
    double release_s;    /* 3 */
    double cooldown_s;   /* 0 */
    double close_ratio;  /* closing threshold = ratio * opening threshold, 0..1 (0.6) */
    double hop_s;        /* between two windows of one sound */
    bool unknown;        /* publish `unknown` (it is logged in any case) */
    const struct class_rule *rules; /* copied */
    size_t n_rules;      /* a rule whose label the model does not have is ignored here; the caller warns */
};

typedef void event_sink(void *ctx, const struct event *event);

struct decision;
struct decision *decision_new(const struct decision_params *params, const char *const *labels, const float *thresholds,
                              size_t n_labels, const char *model_name, struct err *err);
void decision_free(struct decision *d);

/* One window in order. scores: n_labels, ignored where info->empty. Calls sink for each event that it decides. */
void decision_do(struct decision *d, const struct window_info *info, const float *scores, event_sink *sink, void *ctx);

/* Ends everything that is on (the stream stopped), each with end type. */
void decision_finish(struct decision *d, event_sink *sink, void *ctx);

/* Is a class other than `background` (and unknown) on? The noise floor does not rise meanwhile. */
bool decision_busy(const struct decision *d);

/* Sets the text that events carry as source. */
void decision_set_source(struct decision *d, const char *source);

/* Classes whose group is alarm (confirm 1 by default): smoke_alarm, siren, ... */
bool label_is_alarm(const char *label);

#endif
