/* Does somebody talk in it? Looks at every sample of what is about to be kept, whatever the gate let through before: the pre-roll
 * and the pauses of a sound were never looked at by anybody. It has a model of its own, as it runs beside the worker. */
#ifndef EARSHOT_CLIP_JUDGE_H
#define EARSHOT_CLIP_JUDGE_H

#include "base/err.h"
#include "model/vocabulary.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clip_judge;

/* A window was judged. What lies before `settled` will not be looked at again. */
typedef void clip_judge_sink(void *ctx, uint64_t from, uint64_t to, uint64_t settled, bool speech,
                             const float *embedding);

/* Loads the model. threshold: score of a private label (model/speech.h) from which on a window holds speech. -1 where the model has
 * no label for speech, or, where embeddings are wanted, gives none. */
struct clip_judge *clip_judge_new(const char *model_path, enum vocabulary_choice vocabulary, double hop_s,
                                  double threshold, bool embeddings, struct err *err);
void clip_judge_free(struct clip_judge *j);

double clip_judge_window_s(const struct clip_judge *j);
size_t clip_judge_embedding_size(const struct clip_judge *j); /* floats; 0: not asked for */

/* What follows begins with number `position` of a stream of that rate. */
int clip_judge_begin(struct clip_judge *j, unsigned rate, uint64_t position, struct err *err);
/* x NULL: zeros. */
void clip_judge_do(struct clip_judge *j, const int16_t *x, size_t n, clip_judge_sink *sink, void *ctx);
/* Nothing follows: judges the rest. */
void clip_judge_end(struct clip_judge *j, clip_judge_sink *sink, void *ctx);

#endif
