#include "daemon/run_config.h"

#include "base/log.h"
#include "base/options.h"
#include "daemon/cmdline.h"
#include "daemon/run_labels.h"
#include <stdlib.h>
#include <string.h>

/* --- what commands changed and nobody kept ----------------------------------------------------------------------------- */

static char *find_set(struct run_config *r, const char *key)
{
    for (size_t i = 0; i < RUN_CONFIG_SET; i++)
        if (strcmp(r->set[i], key) == 0)
            return r->set[i];
    return NULL;
}

static void note_set(struct run_config *r, const char *key, bool set)
{
    char *place = find_set(r, key);

    if (set && !place && (place = find_set(r, "")))
        snprintf(place, SETTINGS_KEY, "%s", key);
    else if (!set && place)
        place[0] = '\0';
}

/* --- start ---------------------------------------------------------------------------------------------------------- */

static void take_over(struct run_config *r, struct config *fresh)
{
    config_free(&r->cx->config);
    r->cx->config = *fresh;
    *fresh = (struct config){0};
}

/* The noise floor is no option: it was learned, and read before. */
static int read_again(struct run_config *r, struct config *fresh, struct err *err)
{
    int rc = cmdline_reload(r->cx, fresh, err);

    fresh->gate.floor_dbfs = r->cx->config.gate.floor_dbfs;
    return rc;
}

void run_config_open(struct run_config *r, struct cmd_context *cx, const char *state_dir)
{
    struct config fresh;
    struct err err;

    r->cx = cx;
    settings_open(&r->settings, state_dir);
    if (!r->settings.n)
        return;
    cx->settings = &r->settings;
    if (read_again(r, &fresh, &err) == 0) {
        take_over(r, &fresh);
    } else {
        settings_set_aside(&r->settings, err.text);
        config_free(&fresh);
    }
    cx->settings = &r->settings;
}

int run_config_give_up(struct run_config *r, const char *why, struct err *err)
{
    struct config fresh;

    if (!r->settings.n)
        return -1;
    settings_set_aside(&r->settings, why);
    int rc = read_again(r, &fresh, err);
    if (rc == 0)
        take_over(r, &fresh);
    config_free(&fresh);
    return rc;
}

void run_config_tell_labels(struct run_config *r)
{
    size_t n;
    const char *const *labels = pipeline_labels(r->pipeline, &n);

    run_labels_tell(r->outputs, labels, n, &r->cx->config, r->pipeline);
}

static bool among(const char *label, const char *const *labels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(labels[i], label) == 0)
            return true;
    return false;
}

/* A model with other sounds takes over: for that moment the outputs know those of both, so that no event of either comes as one of an
 * unknown sound. */
static void on_labels(void *ctx, const char *const *fresh, size_t n_fresh)
{
    struct run_config *r = ctx;
    size_t n_old, n = n_fresh;
    const char *const *old = pipeline_labels(r->pipeline, &n_old);
    const char **both = calloc(n_old + n_fresh + 1, sizeof *both);

    if (!both)
        return;
    memcpy(both, fresh, n_fresh * sizeof *both);
    for (size_t i = 0; i < n_old; i++)
        if (!among(old[i], fresh, n_fresh))
            both[n++] = old[i];
    run_labels_tell(r->outputs, both, n, &r->cx->config, r->pipeline);
    free(both);
}

void run_config_start(struct run_config *r, struct pipeline *p, struct run_outputs *outputs)
{
    r->pipeline = p;
    r->outputs = outputs;
    pipeline_on_labels(p, on_labels, r);
}

/* --- one option ----------------------------------------------------------------------------------------------------- */

static int apply(struct run_config *r, const char *key, const struct config *fresh, struct err *err)
{
    char text[OPTION_VALUE];

    if (strcmp(key, "gate.threshold") == 0) {
        gate_threshold_text(&fresh->gate.threshold, text, sizeof text);
        return pipeline_set(r->pipeline, "threshold", text, err);
    }
    if (strcmp(key, "input.listening") == 0)
        return pipeline_set(r->pipeline, "listening", fresh->input.listening ? "ON" : "OFF", err);
    if (strncmp(key, "decision.", 9) == 0)
        return pipeline_set_rules(r->pipeline, fresh, err);
    return pipeline_reload(r->pipeline, fresh, true, err);
}

static int change(struct run_config *r, const char *key, const char *value, struct err *err)
{
    char text[SETTINGS_KEY + SETTINGS_VALUE + 2];
    struct config fresh;

    snprintf(text, sizeof text, "%s=%s", key, value);
    int rc = config_copy(&fresh, &r->cx->config, err);
    if (rc == 0 && config_set(&fresh, text, err) == 0 && config_check(&fresh, err) == 0 &&
        apply(r, key, &fresh, err) == 0)
        take_over(r, &fresh);
    else
        rc = -1;
    config_free(&fresh);
    if (strcmp(key, "model.file") == 0)
        run_config_tell_labels(r); /* also where it failed half way */
    return rc;
}

/* The text of an option as a configuration has it. */
static void text_of(const struct config *c, const char *key, char out[OPTION_VALUE])
{
    char section[SETTINGS_KEY];
    const char *dot = strchr(key, '.');

    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    option_text(option_find(section, dot + 1), c, out);
}

int run_config_set(struct run_config *r, const char *key, const char *value, bool persist, struct err *err)
{
    char text[OPTION_VALUE];

    if (persist && !r->settings.path[0])
        return err_set(err, "nothing can be kept over a restart: there is no state directory");
    if (change(r, key, value, err) < 0)
        return -1;
    text_of(&r->cx->config, key, text); /* as it is written in a file, however it was put */
    if (persist && settings_keep(&r->settings, key, text, err) < 0) {
        note_set(r, key, true);
        return err_prefix(err, "in force now, but not kept over a restart: ");
    }
    r->cx->settings = &r->settings;
    if (persist && cmdline_has_flag(r->cx, key))
        log_warn("%s = %s is kept, but the flag --%s goes before it at the next start", key, value, key);
    if (!persist && settings_find(&r->settings, key))
        log_info("%s = %s until the next reload or start: %s is what is kept", key, value,
                 settings_find(&r->settings, key));
    note_set(r, key, !persist);
    return 0;
}

static int without_kept(struct run_config *r, struct config *out, struct err *err)
{
    const struct settings *kept = r->cx->settings;

    r->cx->settings = NULL;
    int rc = cmdline_reload(r->cx, out, err);
    r->cx->settings = kept;
    return rc;
}

int run_config_reset(struct run_config *r, const char *key, struct err *err)
{
    char text[OPTION_VALUE];
    struct config plain;
    int rc = without_kept(r, &plain, err);

    if (rc == 0) {
        text_of(&plain, key, text);
        rc = change(r, key, text, err);
    }
    config_free(&plain);
    if (rc == 0 && settings_find(&r->settings, key))
        rc = settings_keep(&r->settings, key, NULL, err);
    if (rc == 0)
        note_set(r, key, false);
    return rc;
}

static void tell_taught(const struct run_config *r)
{
    size_t n, taught = 0;
    const char *const *labels = pipeline_labels(r->pipeline, &n);

    for (size_t i = 0; i < n; i++)
        taught += pipeline_is_taught(r->pipeline, labels[i]);
    log_info("what was taught is read anew: %zu sound%s in use", taught, taught == 1 ? "" : "s");
}

void run_config_taught(struct run_config *r)
{
    struct err err;

    if (!*r->cx->config.model.taught_file)
        return;
    if (pipeline_reload(r->pipeline, &r->cx->config, true, &err) < 0)
        log_warn("what was taught is not in use yet: %s", err.text);
    else
        tell_taught(r);
    run_config_tell_labels(r);
}

/* --- SIGHUP --------------------------------------------------------------------------------------------------------- */

/* Options of the model and of the decisions: they take a new recogniser, all others leave the sounds that are on alone. */
static void note_recognition(void *ctx, const char *key, const char *from, const char *to, bool reloadable)
{
    static const char *const parts[] = {"model.", "decision.", "class."};
    bool *differs = ctx;

    (void)from;
    (void)to;
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        *differs |= reloadable && strncmp(key, parts[i], strlen(parts[i])) == 0;
}

static void say_difference(void *ctx, const char *key, const char *from, const char *to, bool reloadable)
{
    log_info("reload: %s = %s (was %s%s)%s", key, to, from, find_set(ctx, key) ? ", set by a command and not kept" : "",
             reloadable ? "" : ": needs a restart");
}

/* Where the file says something else than what was set and kept, which goes before it. */
static void say_kept(struct run_config *r)
{
    struct config plain;
    char text[OPTION_VALUE];

    if (without_kept(r, &plain, NULL) == 0)
        for (size_t i = 0; i < r->settings.n; i++) {
            const struct setting *s = &r->settings.list[i];
            text_of(&plain, s->key, text);
            if (strcmp(text, s->value) != 0)
                log_info("reload: %s stays %s, which was set and kept; the configuration says %s", s->key, s->value,
                         text);
        }
    config_free(&plain);
}

static int apply_all(struct run_config *r, const struct config *fresh, struct err *err)
{
    bool recognition = false;

    config_diff(&r->cx->config, fresh, note_recognition, &recognition);
    if (pipeline_reload(r->pipeline, fresh, recognition, err) < 0)
        return -1;
    if (fresh->input.listening != r->cx->config.input.listening)
        return pipeline_set(r->pipeline, "listening", fresh->input.listening ? "ON" : "OFF", err);
    return 0;
}

void run_config_reload(struct run_config *r)
{
    struct config fresh;
    struct err err;

    if (cmdline_reload(r->cx, &fresh, &err) < 0 || apply_all(r, &fresh, &err) < 0) {
        log_error("reload: %s; everything stays as it was", err.text);
        run_config_tell_labels(r);
    } else {
        config_diff(&r->cx->config, &fresh, say_difference, r);
        say_kept(r);
        take_over(r, &fresh);
        memset(r->set, 0, sizeof r->set);
        run_config_tell_labels(r);
        log_info("reload: done");
    }
    config_free(&fresh);
}
