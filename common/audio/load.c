#include "audio/load.h"

#include "audio/audiofile.h"

#include <stdlib.h>

enum { BLOCK = 8192 };

int loaded_grow(struct loaded *l, size_t n, struct err *err)
{
    if (n <= l->room)
        return 0;
    size_t more = n + n / 2;
    float *bigger = realloc(l->x, more * sizeof *bigger);
    if (!bigger)
        return err_set(err, "no memory for %zu samples", n);
    l->x = bigger;
    l->room = more;
    return 0;
}

static int read_all(struct loaded *l, struct audiofile *file, struct resample *resample, const char *path,
                    unsigned rate, size_t most, struct err *err)
{
    float block[BLOCK];
    long got;

    l->n = 0;
    do {
        got = audiofile_read_mono(file, -1, block, BLOCK, err);
        if (got < 0)
            return -1;
        size_t room = resample_room(resample, (size_t)got);
        if (l->n + room > most)
            return err_set(err, "%s: longer than %zu samples at %u Hz", path, most, rate);
        if (loaded_grow(l, l->n + room, err) < 0)
            return err_prefix(err, "%s: ", path);
        l->n += resample_do(resample, block, (size_t)got, l->x + l->n, room, got == 0);
    } while (got > 0);
    return 0;
}

int load_mono(struct loaded *l, const char *path, unsigned rate, enum resample_quality quality, size_t most,
              struct err *err)
{
    struct audiofile *file = audiofile_open(path, err);

    if (!file)
        return -1;
    struct resample *resample = resample_new(audiofile_rate(file), rate, quality, err);
    int rc = resample ? read_all(l, file, resample, path, rate, most, err) : err_prefix(err, "%s: ", path);
    resample_free(resample);
    audiofile_close(file);
    return rc;
}
