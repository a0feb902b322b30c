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
void recogniser_free(struct recogniser *r);

/* The decision stage as recogniser_new makes it for a model. */
struct decision *recogniser_make_decision(const struct model_info *model, const struct decision_params *decision,
                                          struct err *err);

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
