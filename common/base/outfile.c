#include "base/outfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void forget(struct outfile *o)
{
    free(o->path);
    free(o->part);
    *o = (struct outfile){0};
}

int outfile_open(struct outfile *o, const char *path, struct err *err)
{
    struct stat st;
    /* behind /dev/stdout there may be a regular file: its link there must stay what it is */
    bool direct = (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) ||
                  strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;

    *o = (struct outfile){.path = strdup(path)};
    if (!o->path || (!direct && asprintf(&o->part, "%s.part", path) < 0)) {
        o->part = NULL;
        forget(o);
        return err_set(err, "%s: no memory", path);
    }
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        errno = EISDIR;
    else
        o->f = fopen(direct ? path : o->part, "we");
    if (o->f)
        return 0;
    err_set(err, "%s: %s", path, strerror(errno));
    forget(o);
    return -1;
}

int outfile_finish(struct outfile *o, struct err *err)
{
    int rc = 0;

    if (!o->f)
        return 0;
    errno = 0;
    bool failed = fflush(o->f) != 0 || ferror(o->f);
    int why = errno;
    if (fclose(o->f) != 0 && !failed) {
        failed = true;
        why = errno;
    }
    if (!failed && o->part && rename(o->part, o->path) < 0) {
        failed = true;
        why = errno;
    }
    if (failed) {
        rc = err_set(err, "%s: %s", o->path, why ? strerror(why) : "cannot be written");
        if (o->part)
            unlink(o->part);
    }
    forget(o);
    return rc;
}

void outfile_abandon(struct outfile *o)
{
    if (!o->f)
        return;
    fclose(o->f);
    if (o->part)
        unlink(o->part);
    forget(o);
}
