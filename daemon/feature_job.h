/* Audio files to one NumPy array: what `earshot features` does once its command line is read. */
#ifndef EARSHOT_FEATURE_JOB_H
#define EARSHOT_FEATURE_JOB_H

#include "audio/load.h"
#include "base/err.h"
#include "base/npy.h"
#include "features/features.h"
#include "model/model.h"
#include <stdbool.h>
#include <stdio.h>

enum { FEATURE_PARAMS_MAX = 64 };

enum give { GIVE_FEATURES, GIVE_EMBEDDING, GIVE_SCORES };

/* The first part is filled by the caller, the second by the job. */
struct feature_job {
    const char *feature, *output, *index; /* output, index: may be NULL */
    const struct param *params;
    size_t n_params;
    struct model *model; /* NULL: features alone, whatever `give` says; owned by the caller */
    enum give give;
    double window_s, hop_s; /* window_s 0: whole files, features only; hop_s 0: the window's length */
    enum resample_quality quality;

    struct feature *f;
    size_t max_samples;     /* that f takes */
    size_t window, hop;     /* samples */
    struct npy_writer *npy; /* made with the first item, whose shape all others must have */
    FILE *csv;
    size_t cols, count;
    struct loaded sound; /* one file */
    float *out;          /* one matrix */
    size_t out_room;
    float *scores, *embedding; /* the model's, where there is one */
    double spent_s, audio_s;   /* CPU time in features and model, and the sound it was for */
};

/* Makes the extractor, and the index file with its header. -1 with err: what is wrong with feature, parameters or window;
 * *usage says whether the command line is to blame. */
int feature_job_start(struct feature_job *job, bool *usage, struct err *err);
/* One file: its items go to the output, its row to the index. -1 with err naming the file. */
int feature_job_file(struct feature_job *job, const char *path, struct err *err);
/* Completes output and index. */
int feature_job_finish(struct feature_job *job, struct err *err);
/* Frees what the job made; an output that was not finished is removed. */
void feature_job_free(struct feature_job *job);

#endif
