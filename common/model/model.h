/* A model: a plain ONNX file whose metadata_props say what earshot must know beyond the graph (see DESIGN "Model file" and
 * models/README.md). A file is hostile input: everything is checked before anything is built. */
#ifndef EARSHOT_MODEL_H
#define EARSHOT_MODEL_H

#include "base/err.h"
#include "features/features.h"
#include <stddef.h>
#include <stdint.h>

enum activation { ACTIVATION_NONE /* the graph ends in probabilities */, ACTIVATION_SIGMOID, ACTIVATION_SOFTMAX };

/* How the scores of a recording's windows become one (see pool.h). */
enum pooling { POOLING_MEAN_SCORE, POOLING_MEAN_LOGIT, POOLING_LOUD_LOGIT };

/* Makes scores mean what they say: of the windows with a score of 0.8, four in five hold the sound. score = sigmoid(scale *
 * logit + bias), of each label (J. Platt, "Probabilistic outputs for support vector machines", 1999; with one scale for all
 * labels and no bias the temperature scaling of C. Guo et al., "On calibration of modern neural networks", 2017). */
struct platt {
    float scale, bias; /* scale > 0: the order of scores of one label stays */
};

struct model;
struct vocabulary;

struct model_info {
    char name[64]; /* file name without folder and .onnx */
    const char *path;
    const char *feature; /* "logmel", "mfcc", "nrdt" */
    const struct param *feature_params;
    size_t n_feature_params;
    double window_s; /* length of audio that one inference looks at */
    enum activation activation;
    const struct platt *calibration; /* [n_labels]; NULL: none. model_run applies it */
    enum pooling pooling;
    double context_s; /* s of windows that the decision stage judges together; -1: it does not say */
    size_t n_labels;
    const char *const *labels; /* [n_labels], slugs, in the order of the scores */
    size_t n_taught;           /* the last ones of them are none of the model's own (recogniser.h) */
    const float *thresholds;   /* [n_labels], 0..1, from the metadata; the decision stage's default */
    size_t embedding_size;     /* 0: the graph has no output called "embedding" */
    size_t rows, cols;         /* feature matrix that the graph's input takes */
    uint64_t parameters, macs; /* weights; multiply-adds of one inference */
    size_t n_layers;
    size_t weight_bytes; /* memory that the weights hold, once */
};

/* Loads, checks, builds. The feature's matrix is checked against the graph's input, the labels against its output. On
 * failure NULL and err->text: what is wrong, where in the file, what is allowed. */
struct model *model_load(const char *path, struct err *err);
void model_free(struct model *m);

/* From now on the model answers with the sounds of labels.csv: a sound's score is the highest of the labels that mean it
 * (vocabulary_label), labels that mean none are dropped. n_labels, labels, thresholds and calibration of model_info change. Once for a model;
 * v may go away afterwards. -1: none is left. */
int model_use_vocabulary(struct model *m, const struct vocabulary *v, struct err *err);

/* Owned by the model. */
const struct model_info *model_info(const struct model *m);

/* Any metadata value by full key ("earshot.licence"), or NULL. */
const char *model_metadata(const struct model *m, const char *key);

/* features: rows * cols floats as feature_do gives them. scores: n_labels, calibrated, after the activation, 0..1. embedding: may be
 * NULL, else embedding_size. Allocates nothing. One thread at a time for one model. Never gives NaN for finite input. */
void model_run(struct model *m, const float *features, float *scores, float *embedding);

/* NAME or path -> path. A NAME without '/' and ".onnx" is looked for in $EARSHOT_MODELS, ../models beside the binary's folder,
 * PREFIX/share/earshot/models; the error lists where it looked and what is there. */
int model_find(const char *name_or_path, char *path, size_t size, struct err *err);

/* A file that lies beside the models, such as labels.csv: its path in the first of those folders that has it. */
int model_find_file(const char *file, char *path, size_t size, struct err *err);

/* Calls fn for every model that model_find finds by name, folder by folder and sorted within each; one that an earlier folder
 * hides is left out. Returns how many. */
size_t model_each(void (*fn)(void *ctx, const char *name, const char *path), void *ctx);
/* The folders that are searched, ", " between them. */
void model_folders(char *text, size_t size);

#endif
