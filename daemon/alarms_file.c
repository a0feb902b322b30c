#include "daemon/alarms_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALARMS_FILE "alarms"
#define PATH_SIZE   4200
#define LINE_SIZE   256

static void path_of(char out[PATH_SIZE], const char *dir, const char *end)
{
    snprintf(out, PATH_SIZE, "%s/" ALARMS_FILE "%s", dir, end);
}

static bool read_line(const char *line, struct alarm *out)
{
    int end = -1;

    *out = (struct alarm){.alarm = true, .ended = true};
    _Static_assert(UUID_SIZE == 37 && LABEL_SIZE == 48, "the lengths below");
    return sscanf(line, "%36[0-9a-f-] %47[a-z0-9_] %" SCNd64 " %f %n", out->event_id, out->label, &out->start_ns,
                  &out->score, &end) == 4 &&
           end > 0 && line[end] == '\0' && strlen(out->event_id) == UUID_SIZE - 1 && out->start_ns > 0 &&
           out->score >= 0 && out->score <= 1;
}

int alarms_load(struct output *alarms, const char *dir, struct err *err)
{
    char path[PATH_SIZE], line[LINE_SIZE];

    path_of(path, dir, "");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_set(err, "cannot open %s: %s", path, strerror(errno));
    FILE *f = fdopen(fd, "r");
    if (!f) {
        close(fd);
        return err_set(err, "out of memory");
    }
    int rc = 0;
    for (int n = 1; rc == 0 && n <= ALARMS_KEPT && fgets(line, sizeof line, f); n++) {
        struct alarm one;
        if (read_line(line, &one))
            alarms_put(alarms, &one);
        else
            rc = err_set(err,
                         "%s, line %d: not an alarm that was kept: an event's id, its label, its start in nanoseconds "
                         "since 1970 and its score from 0 to 1 should stand there",
                         path, n);
    }
    if (rc == 0 && ferror(f))
        rc = err_set(err, "cannot read %s: %s", path, strerror(errno));
    fclose(f);
    if (rc == 0)
        alarms_written(alarms, alarms_changes(alarms));
    return rc;
}

static int write_all(int fd, const struct alarm *list, size_t n)
{
    while (n-- > 0)
        if (list[n].alarm && !list[n].acknowledged && !list[n].test &&
            dprintf(fd, "%s %s %" PRId64 " %.4f\n", list[n].event_id, list[n].label, list[n].start_ns,
                    (double)list[n].score) < 0)
            return -1;
    return fdatasync(fd); /* on the disk before it takes the old one's place */
}

int alarms_save(struct output *alarms, const char *dir, struct err *err)
{
    char path[PATH_SIZE], fresh[PATH_SIZE];
    uint64_t changes = alarms_changes(alarms);

    if (alarms_is_written(alarms, changes))
        return 0;
    struct alarm *list = calloc(ALARMS_KEPT, sizeof *list);
    if (!list)
        return err_set(err, "out of memory");
    size_t n = alarms_list(alarms, list);
    path_of(path, dir, "");
    path_of(fresh, dir, ".new");
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0660);
    bool good = fd >= 0 && write_all(fd, list, n) == 0;
    int why = errno;
    free(list);
    if (fd >= 0 && close(fd) < 0 && good) {
        good = false;
        why = errno;
    }
    if (good && rename(fresh, path) < 0) {
        good = false;
        why = errno;
    }
    if (good) {
        alarms_written(alarms, changes);
        return 0;
    }
    if (fd >= 0)
        unlink(fresh);
    return err_set(err, "alarms that nobody has seen yet cannot be kept in %s: %s", path, strerror(why));
}
