/* earshot train, once its command line is read. */
#ifndef EARSHOT_TRAIN_H
#define EARSHOT_TRAIN_H

#include "daemon/cmd.h"
#include "daemon/train/gather.h"
#include "daemon/train/plan.h"
#include "daemon/train/rounds.h"

#define TRAIN "train"

enum train_kind { TRAIN_MFCC_MLP, TRAIN_HEAD };

struct train {
    /* The command line. */
    const struct cmd_context *cx;
    const char *folder, *csv; /* one of them */
    const char *output;       /* NULL: after the folder */
    const char *report;       /* folder, NULL: none */
    const char *model;        /* path of the body, for a head */
    const char *groups, *licence, *description;
    enum train_kind kind;
    struct gather_params gather;
    struct plan_params plan;
    struct rounds_params rounds;
    double threshold;

    /* What comes of it. */
    struct train_list list;
    struct gathered sounds;
    struct train_plan parts;
    struct train_rounds result;
    const char *source;   /* folder or csv */
    char *path, *state;   /* of the model; of what says where training stands */
    struct param *params; /* [n_params] of the MFCCs */
    size_t n_params;
};

/* Returns an exit code, errors printed. */
int train_run(struct train *t);

/* Of the net: "40-100-200-100-10". */
void train_shape_text(const struct train *t, char *text, size_t size);
/* Accuracy as one line, also for the model's file. */
struct clipreport;
void train_accuracy_text(const struct train *t, const struct clipreport *r, char *text, size_t size);

/* The model's file. */
int train_write_model(const struct train *t, const struct clipreport *r, struct err *err);

/* What was found: to stdout, and the files in the folder of --report. -1: said so on stderr. */
int train_report(const struct train *t);

#endif
