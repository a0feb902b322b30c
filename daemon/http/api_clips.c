/* Recordings of what was heard, by the name that an event gives. */
#include "daemon/clips/clip_folder.h"
#include "daemon/clips/clip_name.h"
#include "daemon/http/live.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A plain file of that folder, or -1. */
static int open_clip(const char *folder, const char *name)
{
    struct stat st;
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = dir >= 0 ? openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;

    if (dir >= 0)
        close(dir);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void get_clip(struct web *w, struct request *r)
{
    const char *id = request_param(r, "id"), *state = web_state_dir(w);
    struct clip_name name;
    char folder[4096];
    struct err err;
    int fd = -1;

    bool known = clip_name_read(id, &name, NULL);
    bool sound = known && (strcmp(name.extension, "flac") == 0 || strcmp(name.extension, "wav") == 0);
    if (sound && clip_folder_path(web_config(w), *state ? state : NULL, folder, sizeof folder, &err) == 0)
        fd = open_clip(folder, id);
    if (fd < 0)
        reply_problem(r, 404, "there is no clip of that name (any more)");
    else
        reply_file(r, name.extension[0] == 'f' ? "audio/flac" : "audio/wav", fd);
}

const struct route routes_clips[] = {
    {.method = "GET",
     .path = "/api/v1/clips/{id}",
     .flags = ROUTE_WORKER,
     .handle = get_clip,
     .type = "audio/*",
     .summary = "A recording, by an event's `clip`: FLAC or WAV, all of it or a Range.",
     .problems = "404|416"},
    {.method = NULL},
};
