/* Learning on this box: what is learned of a sound's examples, of the other sounds that were taught, of the background that ships beside the
 * model, and of verdicts on what was heard. */
#ifndef EARSHOT_TEACHER_H
#define EARSHOT_TEACHER_H

#include "daemon/teach/verdict.h"
#include "model/model.h"
#include "teach/background.h"
#include "teach/learn.h"
#include "teach/taughtfile.h"
#include <limits.h>

/* All verdicts that there are. */
struct verdicts {
    struct verdict_row *rows;
    size_t n;
};
int verdicts_load(struct verdicts *v, const char *dir, struct err *err);
void verdicts_free(struct verdicts *v);

/* Fields are to be read only. */
struct teacher {
    char model_path[PATH_MAX], model_name[64];
    uint64_t hash;
    struct background background;
    struct learn_params params;
};

/* model: name or path. -1: there is no such model, or no background of just this one beside it (what to do is said). */
int teacher_open(struct teacher *t, const char *model, double hop_s, struct err *err);
void teacher_close(struct teacher *t);

/* "/usr/share/earshot/models/earshot-s.onnx" -> "earshot-s" */
void teacher_model_name(const char *path, char out[64]);

/* Fits class c (which may stand in f or not) anew: head, figures, its examples' scores. c->label, dims, hash and examples are given. */
int teacher_fit(const struct teacher *t, const struct taughtfile *f, const struct verdicts *v, struct taught_class *c,
                struct err *err);

/* What verdicts c would be fitted with (taught_class.verdicts). */
uint64_t teacher_verdicts(const struct teacher *t, const struct verdicts *v, const struct taught_class *c);

/* --- corrections of the model's own classes: correct.c --------------------------------------------------------------- */

#define CORRECT_REDUCTION 0.3f /* what is left of the score where a correction holds */
#define CORRECT_REACH     0.6f /* cosine from which on it does, at the farthest */
#define CORRECT_EACH      0.10 /* share of the sounds of the class that are known that one may touch, ... */
#define CORRECT_ALL       0.25 /* ... and all of the class together; what would go beyond is not used */

/* Makes f's corrections of the verdicts that say a class of the model's own was wrong: replaces those that are there. *unused: how many verdicts
 * are not, because too much of the class would be held back. Labels of f's classes are none of the model's own. */
int teacher_correct(const struct teacher *t, const struct verdicts *v, struct taughtfile *f, size_t *unused,
                    struct err *err);

#endif
