/* The file of what a box was taught: for each class the linear head that scores it, how it came about, and the embeddings of its examples,
 * so that it can be learned anew; and where the model's own classes were told to be wrong. A file is hostile input: everything is
 * checked. What `earshot teach export` writes is the same file with one class in it.
 *
 *   "earshot taught 1\n", u32 classes, u32 corrections; where there are corrections, what embeddings are like elsewhere: u64 model hash,
 *   u32 dims, f32 mean[dims], deviation[dims]
 *   class: text label, name, model; u64 model hash; i64 ms UTC; u32 dims; f32 w[dims], bias, recall, false alarms an hour; u64 verdicts;
 *          u32 examples, each: text source; u8 kind; f32 rms dBFS, duration s, score; u16 windows, u16 clean ones, each window: f32 scale, i8[dims]
 *   correction: text label, event id; f32 reach, reduction; f16 direction[dims]
 *   u64 FNV-1a of all before
 * text: u8 length and its bytes. Little endian throughout. */
#ifndef EARSHOT_TAUGHTFILE_H
#define EARSHOT_TAUGHTFILE_H

#include "base/err.h"
#include "event/event.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TAUGHT_CLASSES = 200,
    TAUGHT_EXAMPLES = 200, /* of a class */
    TAUGHT_WINDOWS = 64,   /* of an example */
    TAUGHT_CORRECTIONS = 500,
    TAUGHT_SOURCE = 200, /* bytes of an example's source, with its NUL */
};
#define TAUGHT_FILE_MOST (256u << 20)

enum taught_kind { TAUGHT_FROM_FILE, TAUGHT_FROM_MICROPHONE, TAUGHT_FROM_HISTORY };

/* One example: windows of it, those that were cut from it as it is (clean) first, then changed ones. */
struct taught_example {
    char source[TAUGHT_SOURCE]; /* path, event id */
    enum taught_kind kind;
    float rms_dbfs, duration_s; /* NaN: not known */
    float score;                /* by a head that was fitted without it, 0..1; NaN: it is the only one */
    unsigned n, n_clean;
    float *windows; /* [n][dims] */
};

struct taught_class {
    char label[LABEL_SIZE], name[64], model[64];
    uint64_t hash;     /* teach_model_hash of the model whose embeddings these are */
    int64_t taught_ms; /* UTC */
    size_t dims;
    float *w, bias;               /* score = 1 / (1 + exp(-(w . embedding + bias))); 0.5 is the threshold */
    float recall, false_alarms_h; /* expected, from the examples and the background */
    uint64_t verdicts;            /* tells apart which verdicts it was fitted with; 0: none */
    size_t n_examples;
    struct taught_example *examples;
};

/* Holds one of the model's own classes back near an embedding that was a wrong alarm of it: where the cosine between its direction and
 * that of what is heard, both as (embedding - mean) / deviation, is `reach` or more. */
struct taught_correction {
    char label[LABEL_SIZE], event_id[UUID_SIZE];
    float reach;      /* 0..1 */
    float reduction;  /* the score is multiplied by that, 0..1 */
    float *direction; /* [dims], of length 1 */
};

/* What embeddings of a model are like elsewhere. */
struct taught_standard {
    uint64_t hash;
    size_t dims;
    float *mean, *deviation; /* [dims]; deviations above 0 */
};

struct taughtfile {
    size_t n_classes, n_corrections;
    struct taught_class *classes;
    struct taught_correction *corrections;
    struct taught_standard standard; /* of the corrections; dims 0: there are none */
};

/* heads_only: the examples' windows are checked and left out: what listening needs. A file that is not there is one of nothing. Error
 * texts begin with the path. */
int taughtfile_read(struct taughtfile *f, const char *path, bool heads_only, struct err *err);
int taughtfile_parse(struct taughtfile *f, const void *bytes, size_t size, bool heads_only, struct err *err);

/* Replaces the file as a whole, also in a power cut; with nothing that taughtfile_read would refuse. */
int taughtfile_write(const struct taughtfile *f, const char *path, struct err *err);
void taughtfile_free(struct taughtfile *f);

/* NULL: none. */
struct taught_class *taughtfile_find(const struct taughtfile *f, const char *label);

/* Takes the class over (its memory is the file's then), in the place of one of the same label, else at the end. -1: no memory, too
 * many. */
int taughtfile_put(struct taughtfile *f, struct taught_class *c, struct err *err);
void taughtfile_remove(struct taughtfile *f, const struct taught_class *c);

void taught_class_free(struct taught_class *c);
void taught_example_free(struct taught_example *e);

#endif
