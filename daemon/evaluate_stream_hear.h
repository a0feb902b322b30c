/* Streams heard and compared with their annotations, several at a time. */
#ifndef EARSHOT_EVALUATE_STREAM_HEAR_H
#define EARSHOT_EVALUATE_STREAM_HEAR_H

#include "daemon/evaluate.h"
#include "daemon/evaluate_record.h"
#include "daemon/evaluate_stream_result.h"
#include "evaluate/annotations.h"

struct stream_work {
    const struct evaluate *common;
    struct recorder **recorders; /* [common->jobs], one for each thread */
    const struct annotation_params *annotations;
    const struct snr_list *snrs;
    struct stream_file
        *files; /* [n_files], with their annotations; figures, rate, failed and complaint are filled in */
    size_t n_files;
    struct sweep *sweep; /* counts of all streams are added */
};

/* Hears all of them; with a line of progress where stderr is a terminal. -1: no thread or no memory, said so. */
int stream_hear(const struct stream_work *work);

#endif
