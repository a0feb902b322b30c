#include "base/config.h"
#include "base/config_private.h"
#include "base/options.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FLOOR_DBFS (-60.0)

int config_init(struct config *c, struct err *err)
{
    memset(c, 0, sizeof *c);
    c->gate.floor_dbfs = FLOOR_DBFS;
    for (const struct option *o = options; o->section; o++) {
        if (o->type == OPTION_LABELS || strcmp(o->section, "class") == 0)
            continue;
        if (option_parse(o, c, o->preset, err))
            return err_prefix(err, "built-in default of %s.%s: ", o->section, o->name);
    }
    return 0;
}

void config_free(struct config *c)
{
    free(c->rules);
    c->rules = NULL;
    c->n_rules = 0;
}

bool config_label_valid(const char *label, size_t n)
{
    if (n == 0 || n >= LABEL_SIZE)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)label[i]) && !isdigit((unsigned char)label[i]) && label[i] != '_')
            return false;
    return true;
}

static int refuse_label(const char *label, size_t n, struct err *err)
{
    char slug[LABEL_SIZE];
    size_t m = 0;
    bool usable = n > 0 && n < sizeof slug;

    for (size_t i = 0; usable && i < n; i++) {
        unsigned char ch = (unsigned char)label[i];
        if (isalnum(ch))
            slug[m++] = (char)tolower(ch);
        else if (isblank(ch) || ch == '-' || ch == '_')
            slug[m++] = '_';
        else
            usable = false;
    }
    slug[m < sizeof slug ? m : 0] = '\0';
    err_set(err, "\"%.*s\" is not a class name%s%s; allowed: 1 to %d of a-z, 0-9, _", (int)(n < 60 ? n : 60), label,
            usable ? ", did you mean " : "", usable ? slug : "", LABEL_SIZE - 1);
    return -1;
}

long config_rule(struct config *c, const char *label, size_t n, struct err *err)
{
    if (!config_label_valid(label, n))
        return refuse_label(label, n, err);
    for (size_t i = 0; i < c->n_rules; i++)
        if (strlen(c->rules[i].label) == n && memcmp(c->rules[i].label, label, n) == 0)
            return (long)i;
    if (c->n_rules >= CONFIG_MAX_RULES)
        return err_set(err, "more than %d classes with rules of their own", CONFIG_MAX_RULES);
    if (c->n_rules % 32 == 0) {
        struct class_rule *more = realloc(c->rules, (c->n_rules + 32) * sizeof *more);
        if (!more)
            return err_set(err, "no memory");
        c->rules = more;
    }
    struct class_rule *r = &c->rules[c->n_rules];
    memset(r, 0, sizeof *r);
    memcpy(r->label, label, n);
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, "class") == 0 && option_parse(o, r, o->preset, err))
            return -1;
    return (long)c->n_rules++;
}

/* "a, b c": sets the mode of each. Nothing: no class has that mode any more. */
static int set_labels(struct config *c, const struct option *o, const char *text, struct err *err)
{
    const char *const between = ", \t";
    int mode = (int)o->max;

    for (const char *p = text + strspn(text, between); *p;) {
        size_t n = strcspn(p, between);
        if (!config_label_valid(p, n))
            return refuse_label(p, n, err);
        p += n + strspn(p + n, between);
    }
    for (size_t i = 0; !*text && i < c->n_rules; i++)
        if (c->rules[i].mode == mode)
            c->rules[i].mode = CLASS_DEFAULT;
    for (const char *p = text + strspn(text, between); *p;) {
        size_t n = strcspn(p, between);
        long rule = config_rule(c, p, n, err);
        if (rule < 0)
            return -1;
        c->rules[rule].mode = mode;
        p += n + strspn(p + n, between);
    }
    return 0;
}

int config_set_option(struct config *c, long rule, const struct option *o, const char *text, struct err *err)
{
    if (o->type == OPTION_LABELS)
        return set_labels(c, o, text, err);
    return option_parse(o, rule < 0 ? (void *)c : (void *)&c->rules[rule], text, err);
}

int config_unknown_section(const char *name, struct err *err)
{
    char word[64]; /* "clas dog": the first one is mistyped */
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, " \t"), name);
    struct text_nearest near = {.word = word};
    char list[160];
    size_t used = 0;

    for (const struct section *s = sections; s->name; s++) {
        bool class = strcmp(s->name, "class") == 0;
        text_nearest_try(&near, s->name);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s[%s]", used ? " " : "",
                                 class ? "class NAME" : s->name);
    }
    if (near.best)
        return err_set(err, "unknown section [%.60s], did you mean [%s]? There are %s", name,
                       strcmp(near.best, "class") == 0 ? "class NAME" : near.best, list);
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

/* key: "section.name" or "class.LABEL.name", without NUL. Finds the row and, for a class, makes its rule. */
static const struct option *locate(struct config *c, const char *key, size_t n, long *rule, struct err *err)
{
    char section[64], name[64];
    const char *dot = memchr(key, '.', n), *last = memrchr(key, '.', n);

    *rule = -1;
    if (!dot || (size_t)(dot - key) >= sizeof section || (size_t)(key + n - last - 1) >= sizeof name) {
        err_set(err, "not SECTION.OPTION=VALUE");
        return NULL;
    }
    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    snprintf(name, sizeof name, "%.*s", (int)(key + n - last - 1), last + 1);
    bool class = strcmp(section, "class") == 0;
    if (class && last == dot) {
        err_set(err, "not class.NAME.OPTION=VALUE");
        return NULL;
    }
    const struct option *o = option_find(section, name);
    if (o && !class && last != dot)
        o = NULL;
    if (!o) {
        bool known = false;
        for (const struct section *s = sections; s->name; s++)
            known |= strcmp(s->name, section) == 0;
        if (known)
            config_unknown_option(section, last == dot || class ? name : dot + 1, err);
        else
            config_unknown_section(section, err);
        return NULL;
    }
    if (class && (*rule = config_rule(c, dot + 1, (size_t)(last - dot - 1), err)) < 0)
        return NULL;
    return o;
}

int config_set(struct config *c, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    size_t n = equals ? (size_t)(equals - assignment) : strlen(assignment);
    long rule;
    const struct option *o = locate(c, assignment, n, &rule, err);

    if (!o)
        return -1;
    if (!equals) {
        char allowed[256];
        option_allowed(o, allowed, sizeof allowed);
        return err_set(err, "a value is missing; allowed: %s", allowed);
    }
    return config_set_option(c, rule, o, equals + 1, err);
}

bool config_is_option(const char *key)
{
    struct config scratch = {0};
    long rule;
    bool found = locate(&scratch, key, strcspn(key, "="), &rule, NULL) != NULL;
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
    return check_mqtt(c, err);
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
    for (size_t i = 0; i < c->n_rules; i++)
        if (strcmp(c->rules[i].label, label) == 0)
            return &c->rules[i];
    return NULL;
}

static void compare_rules(const struct difference *d, const struct class_rule *a, const struct class_rule *b)
{
    char prefix[80];
    snprintf(prefix, sizeof prefix, "class.%s", a->label);
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, "class") == 0)
            compare(d, o, prefix, a, b);
}

void config_diff(const struct config *a, const struct config *b,
                 void (*fn)(void *ctx, const char *key, const char *from, const char *to, bool reloadable), void *ctx)
{
    const struct difference d = {fn, ctx};

    for (const struct option *o = options; o->section; o++)
        if (o->type != OPTION_LABELS && strcmp(o->section, "class") != 0)
            compare(&d, o, o->section, a, b);

    struct config none = {0}; /* a rule that only one side has is compared with one of defaults */
    for (int side = 0; side < 2; side++) {
        const struct config *c = side ? b : a, *other = side ? a : b;
        for (size_t i = 0; i < c->n_rules; i++) {
            const struct class_rule *here = &c->rules[i], *there = config_find_rule(other, here->label);
            if (side && there)
                continue;
            if (!there) {
                long made = config_rule(&none, here->label, strlen(here->label), NULL);
                if (made < 0)
                    continue;
                there = &none.rules[made];
            }
            compare_rules(&d, side ? there : here, side ? here : there);
        }
    }
    config_free(&none);
}
