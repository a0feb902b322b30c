/* A class on its way into STATE/taught: examples are added one by one, then it is fitted and put in, and what came of it is said. */
#ifndef EARSHOT_SCHOOL_H
#define EARSHOT_SCHOOL_H

#include "daemon/teach/lesson.h"
#include "daemon/teach/teacher.h"
#include <jansson.h>

enum { SCHOOL_LABEL = LABEL_SIZE };

struct school;

/* "Our door bell" -> "our_door_bell". -1: err; nothing is left of it, or it is a word of its own (list, right, wrong ...). */
int school_label(const char *name, char label[SCHOOL_LABEL], struct err *err);

struct school_params {
    const char *dir;   /* the state directory */
    const char *clips; /* folder of clips, where the sounds of events are found; "": none */
    const char *model, *name;
    double hop_s;
    bool replace; /* examples that are there already are forgotten, else they stay */
    bool keep;    /* the examples' sounds (kept.h) */
};

/* NULL: err; also where the model knows a sound of that label itself. Holds the lock on what is taught until school_free. */
struct school *school_new(const struct school_params *p, struct err *err);
void school_free(struct school *s);

/* -1: err says why it is not usable; the others go on. One of the same source replaces it. */
int school_add(struct school *s, const struct take *t, const char *source, enum taught_kind kind, struct err *err);
/* From the embedding that history keeps of an event; its clip, where there is one, is kept as its sound. */
int school_add_event(struct school *s, const char *event_id, struct err *err);

size_t school_usable(const struct school *s); /* examples that were added now */

/* Fits and stores. -1: err. */
int school_finish(struct school *s, struct err *err);

/* What came of it, for people, with warnings and what to do about them; or as JSON. After school_finish. */
void school_tell(const struct school *s);
json_t *school_json(const struct school *s);

#endif
