#include "base/config.h"
#include "base/config_private.h"
#include "base/options.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define FLOOR_DBFS (-60.0)

int config_init(struct config *c, struct err *err)
{
    memset(c, 0, sizeof *c);
    c->gate.floor_dbfs = FLOOR_DBFS;
    for (const struct option *o = options; o->section; o++) {
        if (o->type == OPTION_LABELS || config_list(o->section))
            continue;
        if (option_parse(o, c, o->preset, err))
            return err_prefix(err, "built-in default of %s.%s: ", o->section, o->name);
    }
    return 0;
}

void config_free(struct config *c)
{
    free(c->rules);
    free(c->actions);
    free(c->webhooks);
    config_forget_lists(c);
}

void config_forget_lists(struct config *c)
{
    c->rules = NULL;
    c->actions = NULL;
    c->webhooks = NULL;
    c->n_rules = c->n_actions = c->n_webhooks = 0;
}

/* "a, b c": sets the mode of each. Nothing: no class has that mode any more. */
static int set_labels(struct config *c, const struct option *o, const char *text, struct err *err)
{
    const char *const between = ", \t";
    int mode = (int)o->max;

    for (const char *p = text + strspn(text, between); *p;) {
        size_t n = strcspn(p, between);
        if (!config_label_valid(p, n))
            return config_refuse_label("a class name", p, n, err);
        p += n + strspn(p + n, between);
    }
    for (size_t i = 0; !*text && i < c->n_rules; i++)
        if (c->rules[i].mode == mode)
            c->rules[i].mode = CLASS_DEFAULT;
    for (const char *p = text + strspn(text, between); *p;) {
        size_t n = strcspn(p, between);
        long rule = config_row(c, config_list("class"), p, n, err);
        if (rule < 0)
            return -1;
        c->rules[rule].mode = mode;
        p += n + strspn(p + n, between);
    }
    return 0;
}

int config_set_option(struct config *c, long row, const struct option *o, const char *text, struct err *err)
{
    if (o->type == OPTION_LABELS)
        return set_labels(c, o, text, err);
    return option_parse(o, row < 0 ? c : config_list_at(c, config_list(o->section), (size_t)row), text, err);
}

int config_unknown_section(const char *name, struct err *err)
{
    char word[64]; /* "clas dog": the first one is mistyped */
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, " \t"), name);
    struct text_nearest near = {.word = word};
    char list[512];
    size_t used = 0;

    for (const struct section *s = sections; s->name; s++) {
        text_nearest_try(&near, s->name);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s[%s%s]", used ? " " : "", s->name,
                                 config_list(s->name) ? " NAME" : "");
    }
    if (near.best)
        return err_set(err, "unknown section [%.60s], did you mean [%s%s]? There are %s", name, near.best,
                       config_list(near.best) ? " NAME" : "", list);
    return err_set(err, "unknown section [%.60s]; there are %s", name, list);
}

static bool is_password(const char *section, const char *name)
{
    return strcmp(section, "mqtt") == 0 &&
           (strcmp(name, "password") == 0 || strcmp(name, "passwd") == 0 || strcmp(name, "pass") == 0);
}

int config_unknown_option(const char *section, const char *name, struct err *err)
{
    struct text_nearest near = {.word = name};
    const char *elsewhere = NULL;
    char list[320];
    size_t used = 0;

    if (is_password(section, name))
        return err_set(err,
                       "a password does not stand here, where others can read it; allowed: password_file = FILE with "
                       "the "
                       "password in its first line, the systemd credential mqtt-password, or the environment variable "
                       "EARSHOT_MQTT_PASSWORD");
    list[0] = '\0';
    for (const struct option *o = options; o->section; o++) {
        if (strcmp(o->section, section) == 0) {
            text_nearest_try(&near, o->name);
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", o->name);
        } else if (!elsewhere && strcmp(o->name, name) == 0)
            elsewhere = o->section;
    }
    if (near.best)
        return err_set(err, "unknown option \"%.60s\" in [%s], did you mean %s?", name, section, near.best);
    if (elsewhere)
        return err_set(err, "unknown option \"%.60s\" in [%s]: it stands in [%s]. Here there are %s", name, section,
                       elsewhere, list);
    return err_set(err, "unknown option \"%.60s\" in [%s]; there are %s", name, section, list);
}

/* key: "section.name" or "class.LABEL.name", without NUL. Finds the option and, in a list, the row, or makes it. */
static const struct option *locate(struct config *c, const char *key, size_t n, long *row, struct err *err)
{
    char section[64], name[64];
    const char *dot = memchr(key, '.', n), *last = memrchr(key, '.', n);

    *row = -1;
    if (!dot || (size_t)(dot - key) >= sizeof section || (size_t)(key + n - last - 1) >= sizeof name) {
        err_set(err, "not SECTION.OPTION=VALUE");
        return NULL;
    }
    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    snprintf(name, sizeof name, "%.*s", (int)(key + n - last - 1), last + 1);
    const struct config_list *list = config_list(section);
    if (list && last == dot) {
        err_set(err, "not %s.NAME.OPTION=VALUE", section);
        return NULL;
    }
    const struct option *o = option_find(section, name);
    if (o && !list && last != dot)
        o = NULL;
    if (!o) {
        bool known = false;
        for (const struct section *s = sections; s->name; s++)
            known |= strcmp(s->name, section) == 0;
        if (known)
            config_unknown_option(section, last == dot || list ? name : dot + 1, err);
        else
            config_unknown_section(section, err);
        return NULL;
    }
    if (list && (*row = config_row(c, list, dot + 1, (size_t)(last - dot - 1), err)) < 0)
        return NULL;
    return o;
}

int config_set(struct config *c, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    size_t n = equals ? (size_t)(equals - assignment) : strlen(assignment);
    long row;
    const struct option *o = locate(c, assignment, n, &row, err);

    if (!o)
        return -1;
    if (!equals) {
        char allowed[256];
        option_allowed(o, allowed, sizeof allowed);
        return err_set(err, "a value is missing; allowed: %s", allowed);
    }
    return config_set_option(c, row, o, equals + 1, err);
}

bool config_is_option(const char *key)
{
    struct config scratch = {0};
    long row;
    bool found = locate(&scratch, key, strcspn(key, "="), &row, NULL) != NULL;
    config_free(&scratch);
    return found;
}

static int check_mqtt(const struct config *c, struct err *err)
{
    bool cert = c->mqtt.cert_file[0], key = c->mqtt.key_file[0];

    if (cert != key)
        return err_set(err, "[mqtt] %s is given but %s is not: a certificate and its key belong together",
                       cert ? "cert_file" : "key_file", cert ? "key_file" : "cert_file");
    if (!c->mqtt.tls && (cert || c->mqtt.ca_file[0]))
        return err_set(err,
                       "[mqtt] %s is given but the connection would not be encrypted: set tls = on, or take it out",
                       cert ? "cert_file" : "ca_file");
    if (c->mqtt.password_file[0] && !c->mqtt.username[0])
        return err_set(err,
                       "[mqtt] password_file is given but username is not: a broker takes no password without a name");
    return 0;
}

static int check_web(const struct config *c, struct err *err)
{
    bool cert = c->web.tls_cert[0], key = c->web.tls_key[0];

    if (cert != key)
        return err_set(err, "[web] %s is given but %s is not: a certificate and its key belong together",
                       cert ? "tls_cert" : "tls_key", cert ? "tls_key" : "tls_cert");
    return 0;
}

static int check_lists(const struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->n_actions; i++)
        if (!c->actions[i].exec[0])
            return err_set(err, "[action %s] exec is missing; allowed: /path/to/program and its arguments",
                           c->actions[i].name);
    for (size_t i = 0; i < c->n_webhooks; i++) {
        const struct webhook_config *w = &c->webhooks[i];
        if (!w->content_type[0])
            return err_set(err, "[webhook %s] content_type is empty; allowed: a type such as application/json",
                           w->name);
    }
    return 0;
}

int config_check(const struct config *c, struct err *err)
{
    int channel = atoi(c->input.channel); /* 0: mix */

    if (!c->input.device[0])
        return err_set(err, "[input] device is empty; allowed: default, a name, a number, file:PATH or -");
    if (!c->model.file[0])
        return err_set(err, "[model] file is empty; allowed: a model's name (`earshot model list`) or path");
    if (c->model.window > 0 && c->model.hop > c->model.window)
        return err_set(err,
                       "[model] hop = %g s is longer than window = %g s: sound between two windows would go unheard",
                       c->model.hop, c->model.window);
    if (c->input.channels > 0 && channel > c->input.channels)
        return err_set(err, "[input] channel = %d, but channels = %d", channel, c->input.channels);
    if (c->level.evening_from != c->level.day_to)
        return err_set(
            err, "[level] evening begins at %02d:%02d, but day ends at %02d:%02d; allowed: no gap between them",
            c->level.evening_from / 60, c->level.evening_from % 60, c->level.day_to / 60, c->level.day_to % 60);
    if ((c->level.day_to - c->level.day_from + 1440) % 1440 +
            (c->level.evening_to - c->level.evening_from + 1440) % 1440 >=
        1440)
        return err_set(err, "[level] day and evening take all of the 24 hours; allowed: a rest that is the night");
    return check_mqtt(c, err) < 0 || check_web(c, err) < 0 || config_check_clips(c, err) < 0 ? -1 : check_lists(c, err);
}

struct difference {
    void (*fn)(void *ctx, const char *key, const char *from, const char *to, bool reloadable);
    void *ctx;
};

static void compare(const struct difference *d, const struct option *o, const char *prefix, const void *a,
                    const void *b)
{
    char from[OPTION_VALUE], to[OPTION_VALUE], key[96];
    option_text(o, a, from);
    option_text(o, b, to);
    if (strcmp(from, to) == 0)
        return;
    snprintf(key, sizeof key, "%s.%s", prefix, o->name);
    d->fn(d->ctx, key, from, to, o->reloadable);
}

const struct class_rule *config_find_rule(const struct config *c, const char *label)
{
    return config_list_find(c, config_list("class"), label);
}

static void compare_rows(const struct difference *d, const struct config_list *l, const void *a, const void *b)
{
    char prefix[80];
    snprintf(prefix, sizeof prefix, "%s.%s", l->section, (const char *)a);
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, l->section) == 0)
            compare(d, o, prefix, a, b);
}

/* A row that only one side has is compared with one of defaults. */
static void compare_lists(const struct difference *d, const struct config_list *l, const struct config *a,
                          const struct config *b)
{
    struct config none = {0};

    for (int side = 0; side < 2; side++) {
        const struct config *c = side ? b : a, *other = side ? a : b;
        for (size_t i = 0; i < config_list_count(c, l); i++) {
            const char *here = config_list_at(c, l, i), *there = config_list_find(other, l, here);
            if (side && there)
                continue;
            if (!there) {
                long made = config_row(&none, l, here, strlen(here), NULL);
                if (made < 0)
                    continue;
                there = config_list_at(&none, l, (size_t)made);
            }
            compare_rows(d, l, side ? there : here, side ? here : there);
        }
    }
    config_free(&none);
}

void config_diff(const struct config *a, const struct config *b,
                 void (*fn)(void *ctx, const char *key, const char *from, const char *to, bool reloadable), void *ctx)
{
    const struct difference d = {fn, ctx};

    for (const struct option *o = options; o->section; o++)
        if (o->type != OPTION_LABELS && !config_list(o->section))
            compare(&d, o, o->section, a, b);
    for (const struct config_list *l = config_lists; l->section; l++)
        compare_lists(&d, l, a, b);
}
