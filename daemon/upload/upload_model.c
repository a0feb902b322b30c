#include "daemon/upload/upload.h"
#include "model/model.h"

#include <stdio.h>
#include <string.h>

struct wanted {
    const char *name;
    char *path; /* [PATH_MAX] */
};

static void look_at(void *ctx, const char *name, const char *path)
{
    const struct wanted *want = ctx;

    if (strcmp(name, want->name) == 0)
        snprintf(want->path, PATH_MAX, "%s", path);
}

bool upload_find_model(const char *name, char path[PATH_MAX])
{
    struct wanted want = {name, path};

    path[0] = '\0';
    model_each(look_at, &want);
    return path[0] != '\0';
}
