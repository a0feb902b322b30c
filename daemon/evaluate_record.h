/* A stream heard once, with all that the decision stage was given: to decide it again with other thresholds without running the
 * model again. */
#ifndef EARSHOT_EVALUATE_RECORD_H
#define EARSHOT_EVALUATE_RECORD_H

#include "daemon/classify.h"
#include "evaluate/timed.h"
#include "model/model.h"

/* Zero before the first use. */
struct recording {
    double duration_s;
    unsigned rate;            /* Hz, of the file */
    struct timed_list told;   /* what the decision stage told while it was heard: sorted by timed_sort */
    struct window_info *info; /* [n] */
    double *now_s;            /* [n]: s of the stream that had come when the window was there */
    float *scores;            /* [n * n_labels] */
    size_t n, room, n_labels;
};

void recording_free(struct recording *r); /* zero afterwards */

/* One for each thread. */
struct recorder;
struct recorder *recorder_new(const struct classify_params *params, const char *model_path, struct err *err);
void recorder_free(struct recorder *r);
const struct model_info *recorder_model(const struct recorder *r);

/* Hears the whole file, through the same stages and in the same order as classifier_do: the events are the very same. -1: the file
 * cannot be read to its end. Whatever was in `out` is gone. */
int recorder_do(struct recorder *r, const char *path, classify_progress *progress, void *ctx, struct recording *out,
                struct err *err);

/* Was some window cut from between these seconds? */
bool recording_listened(const struct recording *r, double from_s, double to_s);

/* Decides the recording again. With the parameters that it was heard with, `told` is what r->told is. With others, the gate is still
 * the one of that hearing: a class that is on holds the noise floor and the gate (analysis_set_busy). `told` is emptied first, and
 * sorted by timed_sort. */
int recording_replay(const struct recording *r, const struct model_info *model, const struct decision_params *params,
                     struct timed_list *told, struct err *err);

#endif
