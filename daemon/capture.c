#include "daemon/capture.h"
#include "daemon/capture_link.h"
#include "daemon/devices.h"

#include <stdlib.h>
#include <string.h>

#define ASK_DEVICES_S 3.0

struct capture {
    struct capture_link *link;
    struct capture_source source;
};

struct capture *capture_new(const struct config *config, bool fast, struct err *err)
{
    const char *device = config->input.device;
    bool file = strncmp(device, "file:", 5) == 0, standard_input = strcmp(device, "-") == 0;

    struct capture *c = calloc(1, sizeof *c);
    if (!c || !(c->link = capture_link_new(!file && !standard_input, ""))) {
        free(c);
        err_set(err, "no memory for the input");
        return NULL;
    }
    int e = file             ? capture_file_start(c->link, config, fast, &c->source, err)
            : standard_input ? capture_stdin_start(c->link, config, &c->source, err)
                             : capture_portaudio_start(c->link, config, &c->source, err);
    if (e == 0)
        return c;
    capture_link_drop(c->link);
    free(c);
    return NULL;
}

struct ring *capture_ring(struct capture *c)
{
    return c->link->rt.ring;
}

void capture_get_state(struct capture *c, struct capture_state *out)
{
    struct capture_link *l = c->link;
    pthread_mutex_lock(&l->lock);
    *out = l->state;
    pthread_mutex_unlock(&l->lock);
    out->overruns = atomic_load_explicit(&l->rt.overruns, memory_order_relaxed);
    out->lost_frames = atomic_load_explicit(&l->rt.lost_frames, memory_order_relaxed);
    out->progress = atomic_load_explicit(&l->rt.blocks, memory_order_relaxed) +
                    atomic_load_explicit(&l->steps, memory_order_relaxed);
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    c->source.stop(c->source.self);
    capture_link_drop(c->link);
    free(c);
}

bool capture_any_device(void)
{
    struct device *d = calloc(MAX_DEVICES, sizeof *d);
    size_t n = 0;
    bool any = d && devices_list(d, MAX_DEVICES, &n, ASK_DEVICES_S, NULL) == 0 && n > 0;
    free(d);
    return any;
}
