/* What modules and routes ask for: the rest of the daemon, and what it told last. */
#include "daemon/http/auth.h"
#include "daemon/http/internal.h"

#include <string.h>

void *web_state(struct web *w, enum web_module_id id)
{
    return w->states[id];
}

void web_set_state(struct web *w, enum web_module_id id, void *state)
{
    w->states[id] = state;
}

struct pipeline *web_pipeline(struct web *w)
{
    return w->control ? w->control->pipeline : NULL;
}

struct commands *web_commands(struct web *w)
{
    return w->control ? w->control->commands : NULL;
}

struct store *web_store(struct web *w)
{
    return w->store;
}

const char *web_state_dir(struct web *w)
{
    return w->control ? w->control->state_dir : "";
}

const struct config *web_config(struct web *w)
{
    return &w->config;
}

void web_health(struct web *w, struct health *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->health;
    pthread_mutex_unlock(&w->lock);
}

size_t web_labels(struct web *w, struct output_label *out, size_t most)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->labels.n;
    if (n)
        memcpy(out, w->labels.list, (n < most ? n : most) * sizeof *out);
    pthread_mutex_unlock(&w->lock);
    return n;
}

bool web_is_tls(struct web *w)
{
    return w->config.web.tls_cert[0] != '\0';
}

bool web_needs_sign_in(struct web *w)
{
    return auth_needed(w->auth);
}
