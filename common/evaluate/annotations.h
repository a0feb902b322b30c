/* What sounds when in a recorded stream, as somebody wrote it down. Two forms, read alike:
 *
 *   CSV with a header: onset, offset and label in any order (start_s and end_s, event_label are taken as well), in seconds since
 *   the stream began. Where there is a column snr, it is in dB. A column filename (file, audio, path) makes it a list for several
 *   streams, of which the rows for this one count: those whose file, from the list's folder on, is this one, and those with which its
 *   path ends (a.wav, day/a.wav for /data/day/a.wav). A row with the name alone says that nothing sounds. Further columns are not read.
 *   Tab-separated without header, as sed_eval and DESED have it: onset, offset, label; or file, onset, offset, label. */
#ifndef EARSHOT_ANNOTATIONS_H
#define EARSHOT_ANNOTATIONS_H

#include "base/err.h"
#include "evaluate/timed.h"
#include <stdbool.h>

struct annotation_params {
    const char *sound;         /* the stream's path, for a column of file names */
    const char *twin;          /* another stream of that last part, for which the same list is read; NULL */
    const char *const *labels; /* [n_labels]: those that an event may have */
    size_t n_labels;
    bool merge; /* events of one label that overlap become one; false: they are an error */
};

/* Told of every line that is wrong (`wrong`: then annotations_read fails at its end) or changed on the way (a notice). The text
 * begins with "PATH:LINE: " or "PATH: ". */
typedef void annotation_tell(void *ctx, bool wrong, const char *text);

/* Wrong: a time that is no number or negative, offset <= onset, a label that is not in `labels`, two events of one label that
 * overlap (with `merge` a notice), a line with too few fields, a list with file names of which none is this stream's, a name without its
 * folder that may be the twin's as well, a header without the columns that there must be, an snr that is no
 * number. A notice: lines that are not in order of time, lines for other files, no event at all. `out` is sorted by timed_sort, and
 * freed by the caller also where this fails (-1). Reads on after a wrong line, so that all of them are told. */
int annotations_read(const char *path, const struct annotation_params *p, struct timed_list *out, annotation_tell *tell,
                     void *ctx);

/* The stream turned out to be this long: events that end after it are told as wrong, and -1; those that end by less than
 * ANNOTATION_SLACK_S too late, as rounding makes them, are cut without a word. */
#define ANNOTATION_SLACK_S 0.05
int annotations_check(const char *path, const struct annotation_params *p, struct timed_list *list, double duration_s,
                      annotation_tell *tell, void *ctx);

#endif
