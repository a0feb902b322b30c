/* Recorded sounds through the very path that the microphone takes: analysis, features, model, decision. `earshot classify` and
 * whoever else wants to know what a file holds. */
#ifndef EARSHOT_CLASSIFY_H
#define EARSHOT_CLASSIFY_H

#include "audio/analysis.h"
#include "base/err.h"
#include "event/event.h"
#include "model/decision.h"
#include "model/model.h"
#include "model/vocabulary.h"
#include <stdbool.h>
#include <stddef.h>

struct classify_params {
    struct gate_params gate;
    bool no_gate; /* events from a gate that is always open */
    double hop_s;
    enum vocabulary_choice vocabulary;
    const char *taught; /* the file of what was taught (recogniser_new_taught), NULL: none */
    struct decision_params decision;
};

/* What one model made of one file. */
struct verdict {
    const struct model_info *model;
    /* [n_labels], pooled as the model wants it (model/pool.h) over the windows every hop from sample 0, the tail padded with zeros,
     * whatever the gate does. */
    const float *scores;
    const struct event *events; /* all of type end, by their start; `unknown` only where decision.unknown asks for it */
    size_t n_events;
};

struct classification {
    double duration_s; /* of what could be read */
    bool broken;       /* the file ended in an error; what came before it was classified */
    const struct verdict *verdicts;
    size_t n_verdicts;
};

struct classifier;

/* One for each thread. model_paths: files, as model_find gives them. */
struct classifier *classifier_new(const struct classify_params *params, const char *const *model_paths, size_t n_models,
                                  struct err *err);
void classifier_free(struct classifier *c);

/* The i-th model; the classifier's. */
const struct model_info *classifier_model(const struct classifier *c, size_t i);

/* What of the taught is not heard (recogniser_note) by the i-th. */
const char *classifier_note(const struct classifier *c, size_t i);

/* Called now and then with the seconds of sound read since the last call. */
typedef void classify_progress(void *ctx, double seconds);

/* What comes by while a sound is listened to, for those who show it. Each may be NULL. */
struct classify_tap {
    void *ctx;
    void (*samples)(void *ctx, const float *x, size_t n); /* mono, at the sound's rate */
    /* The first model's scores [n_labels] of each window that was looked at: of the whole sound, where it is not silent, and of its gate. */
    void (*window)(void *ctx, double start_s, const float *scores);
    void (*gated)(void *ctx, const struct window_info *info); /* the windows of its gate, and the word that it closed */
};
void classifier_set_tap(struct classifier *c, const struct classify_tap *tap); /* copied; NULL: none */

/* Streams the file: memory does not grow with its length, but for the events in it. The result is the classifier's, until
 * the next call. NULL: the file cannot be read. With `broken`, err is filled as well. */
const struct classification *classifier_do(struct classifier *c, const char *path, classify_progress *progress,
                                           void *ctx, struct err *err);

struct sound;
/* The same of a sound that is open; it stays the caller's, and so does `name`, which events and error texts name. */
const struct classification *classifier_do_sound(struct classifier *c, struct sound *s, const char *name,
                                                 classify_progress *progress, void *ctx, struct err *err);

#endif
