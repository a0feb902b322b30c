/* Recognition of windows: features -> model -> decision. What the daemon's worker thread and `earshot classify` run. */
#ifndef EARSHOT_RECOGNISER_H
#define EARSHOT_RECOGNISER_H

#include "model/decision.h"
#include "model/model.h"
#include "model/vocabulary.h"

struct recogniser;

/* Loads the model, makes its feature extractor and the decision stage. vocabulary: whose names the model answers with.
 * `decision`: thresholds come from the model and the rules, so does a negative context_s. Allocates everything; recogniser_do
 * nothing. */
struct recogniser *recogniser_new(const char *model_path, enum vocabulary_choice vocabulary,
                                  const struct decision_params *decision, struct err *err);
/* The same with what was taught beside it: the classes of the file (teach/taughtfile.h) that are of this model come behind the model's
 * own labels, everywhere; the own ones' scores stay as they are, bit by bit, but for corrections. taught NULL, or not there: nothing is. A file that
 * cannot be read, and classes of other models, are no error: recogniser_note says so. */
struct recogniser *recogniser_new_taught(const char *model_path, enum vocabulary_choice vocabulary, const char *taught,
                                         const struct decision_params *decision, struct err *err);
void recogniser_free(struct recogniser *r);

/* What of the taught is not heard, and why: one line; "": nothing is missing. */
const char *recogniser_note(const struct recogniser *r);

/* The decision stage as recogniser_new makes it for a model. */
struct decision *recogniser_make_decision(const struct model_info *model, const struct decision_params *decision,
                                          struct err *err);

/* With the taught labels. calibration, which is of the model's own, is NULL where there are any. */
const struct model_info *recogniser_model(const struct recogniser *r);
unsigned recogniser_rate(const struct recogniser *r); /* Hz that windows must have */
double recogniser_window_s(const struct recogniser *r);

/* One window in, events out through the sink. Returns the window's scores (n_labels, valid until the next call), NULL for an
 * empty window. */
const float *recogniser_do(struct recogniser *r, const struct window *w, event_sink *sink, void *ctx);

/* Scores of any samples without the decision stage (classify's `top`): n <= window length at recogniser_rate. */
const float *recogniser_scores(struct recogniser *r, const float *x, size_t n);

/* The model's embedding of the window that was last looked at; model_info's embedding_size of them, NULL where it gives none. */
const float *recogniser_embedding(const struct recogniser *r);

void recogniser_finish(struct recogniser *r, event_sink *sink, void *ctx);
struct decision *recogniser_decision(struct recogniser *r);

#endif
