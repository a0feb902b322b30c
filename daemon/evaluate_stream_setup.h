/* What an evaluation of streams is told on its command line, made into what it works with. All functions print their errors. */
#ifndef EARSHOT_EVALUATE_STREAM_SETUP_H
#define EARSHOT_EVALUATE_STREAM_SETUP_H

#include "daemon/evaluate_stream.h"
#include "daemon/evaluate_stream_result.h"

/* Streams from the command line and the list. The texts are the list's own: stream_set_free. */
struct stream_set {
    struct stream_file *files; /* [n] with sound and annotations alone */
    size_t n, room;
    size_t n_bad; /* rows of the list that were left out, and named */
};
int stream_set_read(struct stream_set *s, const struct evaluate_streams *what); /* exit code */
void stream_set_free(struct stream_set *s);

/* Names of all labels that an annotation may have: the model's, then those that only the list of sounds has. Returns an exit code. */
int stream_labels_read(struct streams_result *r);
void stream_labels_free(struct streams_result *r);

/* The groups with their budgets; labels are those of the result. Returns an exit code. */
int stream_groups_read(struct streams_result *r, const struct evaluate_streams *what);
void stream_groups_free(struct streams_result *r);

/* "earshot evaluate: text" on stderr, fit for a terminal. */
void stream_complain(const char *text);

#endif
