/* From a recording to an example of a sound: trimmed by the gate, cut into windows as the daemon cuts them, those as embeddings of a
 * model. Copies at other levels and over noise, in other rooms and by other microphones were tried too: heads that learned from them heard
 * less at the same number of false alarms (models/teach.md). */
#ifndef EARSHOT_LESSON_H
#define EARSHOT_LESSON_H

#include "base/err.h"
#include "model/model.h"
#include "teach/taughtfile.h"

#define LESSON_QUIET (-45.0) /* dBFS of the loudest 10 ms: under it a warning, ... */
#define LESSON_MUTE  (-65.0) /* ... under it nothing to learn from */
#define LESSON_MOST  60.0    /* s of a recording; what is longer is cut, said so */

struct lesson;

/* model_path: as model_find gives it. NULL with err: it has no embedding. */
struct lesson *lesson_new(const char *model_path, double hop_s, struct err *err);
void lesson_free(struct lesson *l);
const struct model_info *lesson_model(const struct lesson *l);

/* A recording as it is: mono, any rate. */
struct take {
    float *samples;
    size_t n;
    unsigned rate;
    bool cut;         /* it was longer */
    char broken[300]; /* why it ends before its end; "": it does not */
};

int take_read(struct take *t, const char *path, struct err *err); /* as classify reads files: libsndfile, else ffmpeg */
void take_free(struct take *t);

struct lesson_notes {
    double peak_dbfs;    /* of the loudest 10 ms */
    double from_s, to_s; /* what the gate let through: from its first opening to its last closing */
    double sound_s;      /* while it was open */
    unsigned openings;
    size_t
        known; /* the model's own label that the clean windows score highest for, n_labels: none reaches its threshold */
    float known_score; /* the best window's */
};

/* Fills out (windows are the caller's to free by taught_example_free; source and kind are not touched). -1 with err: nothing to learn
 * from: too quiet, too short; `notes` is filled as far as it is known. */
int lesson_example(struct lesson *l, const struct take *t, struct taught_example *out, struct lesson_notes *notes,
                   struct err *err);

#endif
