/* A collection of labelled recordings, looked at as a whole before anything is learned from it or measured on it. */
#ifndef EARSHOT_DATASET_H
#define EARSHOT_DATASET_H

#include "audio/fingerprint.h"
#include "base/err.h"
#include "evaluate/manifest.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum dataset_state { CLIP_GOOD, CLIP_UNREADABLE, CLIP_BROKEN /* what came before the break was measured */ };

struct dataset_clip {
    char *path;       /* owned */
    const char *name; /* for people: behind the folder, or as the list has it */
    size_t label;     /* index into labels */
    const char *fold; /* NULL: not known */

    enum dataset_state state;
    char *error; /* why it is not good; owned */
    double duration_s;
    unsigned rate;
    double peak_dbfs, rms_dbfs;
    double offset;    /* mean of all samples */
    double clipped;   /* share of samples in runs of three and more at full scale */
    double silent;    /* share of blocks of 10 ms under -70 dBFS */
    uint64_t content; /* of the samples: equal where they are */
    struct fingerprint_print print;
};

struct dataset_pair {
    struct fingerprint_match match; /* of clips */
    bool identical;                 /* sample for sample */
    double coherence;               /* audio/coherence.h, of up to 4 s; 1 where identical */
};

enum dataset_severity { DATASET_ERROR, DATASET_HINT };

/* One line for people. */
struct dataset_problem {
    enum dataset_severity severity;
    const char *kind; /* one word, for programs */
    char *text;
};

struct dataset_class {
    size_t files, good;
    double seconds, shortest_s, median_s, longest_s; /* of the good ones */
};

struct dataset {
    const char *source; /* folder or list, as given */
    struct dataset_clip *clips;
    size_t n, room;
    char **labels; /* [n_labels], sorted where they are folders, else as they come */
    size_t n_labels;
    struct manifest manifest; /* of a list */
    size_t not_sound;         /* files whose names do not end as those of recordings do */
    double elapsed_s, seconds;

    struct dataset_class *classes; /* [n_labels] */
    struct dataset_pair *pairs;
    size_t n_pairs;
    size_t recordings, shared; /* Freesound's numbers in the names: how many there are, and clips that share one */
    struct dataset_problem *problems;
    size_t n_problems, problems_room;
    size_t errors;
    bool no_memory;
};

/* A folder for each class, with recordings in it and in folders below; hidden entries are passed over, links to folders not followed.
 * What cannot be read becomes a problem. -1: nothing can be made of it, err says why. */
int dataset_list_folder(struct dataset *d, const char *folder, struct err *err);
/* CSV as `earshot evaluate --clips` takes it: path, label, and where there is such a column fold. */
int dataset_list_csv(struct dataset *d, const char *path, struct err *err);

/* Reads all clips, `jobs` at a time, with progress on stderr where somebody watches. -1: err. */
int dataset_listen(struct dataset *d, size_t jobs, struct err *err);

/* Finds pairs, sums classes up and says what is wrong. -1: no memory. */
int dataset_judge(struct dataset *d, struct err *err);

/* How much the samples of the two swing together where the match says that they are the same; 0: cannot be read again. */
double dataset_coherence(const struct dataset *d, const struct fingerprint_match *m);

void dataset_free(struct dataset *d);

/* Adds a problem, printf-like. */
void dataset_say(struct dataset *d, enum dataset_severity severity, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

void dataset_print(FILE *out, const struct dataset *d); /* a table and lines, names made fit for a terminal */
/* An object a line: {"kind": "file", ...} for each clip, then "class", "pair", "problem", and one "summary". -1: no memory. */
int dataset_print_json(FILE *out, const struct dataset *d);

#endif
