/* What an evaluation of streams found, for programs and for people. */
#ifndef EARSHOT_EVALUATE_STREAM_RESULT_H
#define EARSHOT_EVALUATE_STREAM_RESULT_H

#include "daemon/evaluate_stream_figures.h"
#include "evaluate/sweep.h"
#include "model/model.h"
#include <stdio.h>

/* Some classes that stand together. */
struct stream_group {
    char name[48];
    bool *member;  /* [n_labels] */
    double budget; /* false alarms an hour that thresholds are chosen for, NaN: none */
    double
        spent; /* what the choice has, with its labels that keep their thresholds; NaN: no threshold keeps the budget */
};

/* What became of the threshold of a label. */
enum stream_choice {
    CHOICE_NONE,    /* none was looked for */
    CHOICE_KEPT,    /* chosen, within the budget */
    CHOICE_OVER,    /* chosen, though the budget is kept by none */
    CHOICE_NO_SOUND /* no sound of it is annotated: it keeps the one that it has */
};

/* One stream. */
struct stream_file {
    const char *sound, *annotations; /* paths */
    struct timed_list ref;
    struct stream_figures figures; /* where all went well */
    unsigned rate;                 /* Hz of the file */
    bool failed;
    char *complaint; /* why it failed; NULL */
};

struct vocabulary;

struct streams_result {
    const struct model_info *model;
    const char *const *labels; /* [n_labels]: the model's, then those that only the list of sounds has */
    size_t n_labels, n_own;
    const float *thresholds; /* [n_own]: in force */

    const struct stream_file *files; /* [n_files] */
    size_t n_files, n_failed;
    struct stream_figures all;
    struct sweep sweep;
    struct snr_list snrs;

    struct stream_group *groups; /* [n_groups] */
    size_t n_groups;
    struct vocabulary *vocabulary; /* the list of sounds, NULL where there is none */

    double budget;               /* of each class, NaN: none was given */
    bool choice;                 /* thresholds were chosen, for classes or groups */
    size_t *chosen;              /* [n_labels]: index of a threshold of the sweep, where there is one */
    enum stream_choice *choices; /* [n_labels] */
    double elapsed_s;
    bool verbose;
};

/* False alarms an hour; NaN without any time. */
double stream_per_hour(const struct streams_result *r, double count);

/* One JSON object on one line. -1: no memory. */
int evaluate_stream_json(FILE *out, const struct streams_result *r);

/* Tables. */
void evaluate_stream_text(FILE *out, const struct streams_result *r);

/* The sweep as CSV: threshold by threshold all classes, then the groups. */
void evaluate_stream_sweep(FILE *out, const struct streams_result *r);

/* Was one chosen for the label? */
static inline bool stream_is_chosen(const struct streams_result *r, size_t label)
{
    return r->choices[label] == CHOICE_KEPT || r->choices[label] == CHOICE_OVER;
}

/* "label threshold", a line for each class that one was chosen for. */
void evaluate_stream_thresholds(FILE *out, const struct streams_result *r);

/* Recall over false alarms an hour as SVG: a curve for each group, and for each signal-to-noise ratio of the first one. */
void evaluate_stream_picture(FILE *out, const struct streams_result *r);

#endif
