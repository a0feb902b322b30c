#include "daemon/clips/clip_folder.h"
#include "daemon/doctor.h"
#include "daemon/statedir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char remedy[] = "give it to the user that earshot runs as, or choose another one with [clips] dir; the "
                             "service may write elsewhere only where a drop-in has ReadWritePaths=";

/* MB that the clips in it take up. */
static double taken(const char *dir)
{
    double bytes = 0;
    size_t n;
    struct clip_entry *e = clip_folder_list(dir, &n, NULL);

    for (size_t i = 0; e && i < n; i++)
        bytes += (double)e[i].bytes;
    free(e);
    return bytes / 1e6;
}

static bool can_be_made(const char *dir)
{
    char parent[4096];

    snprintf(parent, sizeof parent, "%s", dir);
    size_t n = strlen(parent);
    while (n > 1 && parent[n - 1] == '/')
        parent[--n] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    return access(slash ? parent : ".", W_OK | X_OK) == 0;
}

static void check_folder(struct doctor *d, const char *dir)
{
    double most = d->cx->config.clips.max_size;
    struct statvfs fs;
    struct stat st;

    if (stat(dir, &st) < 0 && errno == ENOENT && can_be_made(dir)) { /* not here: it would be root's where root looks */
        doctor_say(d, DOCTOR_OK, "clips", NULL, "%s is made with the first one", dir);
        return;
    }
    bool there = stat(dir, &st) == 0;
    if (there && !S_ISDIR(st.st_mode)) {
        doctor_say(d, DOCTOR_FAIL, "clips", remedy, "%s is not a folder", dir);
        return;
    }
    if (!there || access(dir, R_OK | W_OK | X_OK) < 0) {
        doctor_say(d, DOCTOR_FAIL, "clips", remedy, "%s: %s", dir, strerror(errno));
        return;
    }
    double used = taken(dir), left = most - used;
    double room = statvfs(dir, &fs) == 0 ? (double)fs.f_bavail * (double)fs.f_frsize / 1e6 : left;
    if (room < left)
        doctor_say(d, DOCTOR_WARN, "clips", "lower [clips] max_size, or make room there",
                   "%s may grow by %.0f MB, and %.0f MB are free", dir, left, room);
    else
        doctor_say(d, DOCTOR_OK, "clips", NULL, "%s, %.0f of %.0f MB", dir, used, most);
}

void doctor_clips(struct doctor *d)
{
    const struct config *c = &d->cx->config;
    char state[4096], dir[4096];
    struct err err;

    if (c->clips.record == CLIPS_OFF)
        return;
    bool has_state = !c->clips.dir[0] && state_dir_find(d->cx, state, sizeof state, &err) == 0;
    if (clip_folder_path(c, has_state ? state : NULL, dir, sizeof dir, &err) < 0)
        doctor_say(d, DOCTOR_FAIL, "clips", remedy, "%s", err.text);
    else
        check_folder(d, dir);
}
