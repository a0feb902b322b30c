/* The model that a pipeline listens with: loaded, checked against the configuration, put in while it runs. */
#include "base/log.h"
#include "base/text.h"
#include "daemon/pipeline_internal.h"
#include <math.h>
#include <string.h>

/* A rule may come from a section of its own or from a list. */
static void warn_label(const struct model_info *m, const char *label)
{
    struct text_nearest near = {.word = label};

    for (size_t i = 0; i < m->n_labels; i++)
        text_nearest_try(&near, m->labels[i]);
    log_warn("the model %s has no label %s%s%s%s: [class %s], or its place in a list of [decision], does nothing",
             m->name, label, near.best ? ", did you mean " : "", near.best ? near.best : "", near.best ? "?" : "",
             label);
}

static int check_windows(const struct config *config, double window_s, const char *path, struct err *err)
{
    double window = config->model.window, hop = config->model.hop;

    if (window > 0 && fabs(window - window_s) > 1e-3)
        return err_set(err, "[model] window = %g s: the model %s looks at %g s; leave the option out, or say that",
                       window, path, window_s);
    if (hop > window_s)
        return err_set(
            err, "[model] hop = %g s: the model %s looks at %g s at a time, and what lies between would go unheard",
            hop, path, window_s);
    return 0;
}

struct recogniser *pipeline_load_model(const struct config *config, struct stat *file, struct err *err)
{
    char path[4096];
    struct decision_params decision;

    if (model_find(config->model.file, path, sizeof path, err) < 0)
        return NULL;
    pipeline_decision_params(config, &decision);
    if (stat(path, file) < 0)
        *file = (struct stat){0}; /* the loader says why */
    const char *taught = *config->model.taught_file ? config->model.taught_file : NULL;
    struct recogniser *r =
        recogniser_new_taught(path, (enum vocabulary_choice)config->model.vocabulary, taught, &decision, err);
    if (!r)
        return NULL;
    if (*recogniser_note(r))
        log_warn("%s", recogniser_note(r));
    if (check_windows(config, recogniser_window_s(r), path, err) < 0) {
        recogniser_free(r);
        return NULL;
    }
    for (size_t i = 0; i < config->n_rules; i++) {
        const struct model_info *m = recogniser_model(r);
        size_t k = 0;
        while (k < m->n_labels && strcmp(m->labels[k], config->rules[i].label) != 0)
            k++;
        if (k == m->n_labels)
            warn_label(m, config->rules[i].label);
    }
    return r;
}

struct recogniser *pipeline_successor(struct pipeline *p, const struct config *config, struct stat *file,
                                      struct err *err)
{
    struct config kept = *config;
    kept.model.hop = p->config.model.hop; /* windows go on as they were; config_diff says that it needs a restart */
    kept.model.vocabulary = p->config.model.vocabulary;
    return pipeline_load_model(&kept, file, err);
}

bool pipeline_model_replaced(const struct pipeline *p, const struct config *config)
{
    const struct stat *old = &p->model_file;
    struct stat now;
    struct err err;
    char path[4096];

    if (model_find(config->model.file, path, sizeof path, &err) < 0 || stat(path, &now) < 0)
        return false;
    return now.st_dev != old->st_dev || now.st_ino != old->st_ino || now.st_size != old->st_size ||
           now.st_mtim.tv_sec != old->st_mtim.tv_sec || now.st_mtim.tv_nsec != old->st_mtim.tv_nsec;
}

int pipeline_set_rules(struct pipeline *p, const struct config *config, struct err *err)
{
    struct config kept = *config;
    struct decision_params params;

    kept.model.hop = p->config.model.hop;
    pipeline_decision_params(&kept, &params);
    pthread_mutex_lock(&p->request.lock); /* the worker only tries it: no recogniser is put in meanwhile */
    const struct recogniser *r = p->request.recogniser ? p->request.recogniser : p->recogniser;
    struct decision *rules = recogniser_make_decision(recogniser_model(r), &params, err);
    if (rules) {
        decision_free(p->request.rules);
        p->request.rules = rules;
    }
    pthread_mutex_unlock(&p->request.lock);
    eventfd_wake(p->wake_worker);
    return rules ? 0 : -1;
}
