/* The heads of what was taught, beside a model's own scores: one dot product a class. And the corrections of the model's own classes. */
#ifndef EARSHOT_HEADS_H
#define EARSHOT_HEADS_H

#include "model/model.h"
#include "teach/taughtfile.h"

struct heads;

/* Those of the file's classes and corrections that are of this model (hash) and whose labels the model has not got itself; *foreign (may
 * be NULL): how many classes are of other models. Copies what it needs. NULL: no memory. */
struct heads *heads_new(const struct taughtfile *f, const struct model_info *model, uint64_t hash, size_t *foreign,
                        struct err *err);
void heads_free(struct heads *h);

size_t heads_n(const struct heads *h);
const char *heads_label(const struct heads *h, size_t i);
bool heads_empty(const struct heads *h); /* no class and no correction */

/* scores: [the model's + heads_n]: the first are the model's, lowered where a correction holds; the others are written. Allocates
 * nothing. Where there is no correction the model's stay as they are, bit by bit. */
void heads_do(struct heads *h, const float *embedding, float *scores);

#endif
