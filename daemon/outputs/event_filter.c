#include "daemon/outputs/event_filter.h"

#include "base/log.h"
#include "base/options.h"
#include "model/vocabulary.h"
#include <stdlib.h>
#include <string.h>

#define RECENT 64 /* sounds and labels remembered; far more than are on at a time */

struct event_filter {
    struct event_choice when;
    char (*labels)[LABEL_SIZE]; /* of the groups, n of them */
    size_t n;
    struct {
        char event_id[UUID_SIZE];
        bool went;
    } starts[RECENT]; /* the latest; a ring */
    size_t next_start;
    struct {
        char label[LABEL_SIZE];
        double when;
    } cooling[RECENT]; /* label "": unused */
    double *times;     /* of the latest when.rate that went; a ring */
    size_t next_time;
};

static int add_label(struct event_filter *f, const char *label)
{
    if (f->n % 32 == 0) {
        char(*more)[LABEL_SIZE] = realloc(f->labels, (f->n + 32) * sizeof *more);
        if (!more)
            return -1;
        f->labels = more;
    }
    snprintf(f->labels[f->n++], LABEL_SIZE, "%s", label);
    return 0;
}

/* All sounds of the groups, and what the model calls them where it has names of its own. */
static int add_groups(struct event_filter *f, const char *const *labels, size_t n_labels, struct err *err)
{
    char path[4096];
    struct vocabulary *v = vocabulary_find(path, sizeof path, err) < 0 ? NULL : vocabulary_load(path, err);
    int rc = v ? 0 : -1;

    for (size_t i = 0; v && rc == 0 && i < vocabulary_count(v); i++) {
        const struct sound *s = vocabulary_sound(v, i);
        if (option_names_have(f->when.group, sound_group_name(s->group)) && add_label(f, s->slug) < 0)
            rc = err_set(err, "no memory");
    }
    for (size_t i = 0; v && rc == 0 && i < n_labels; i++) {
        const struct sound *s = vocabulary_label(v, labels[i]);
        if (s && option_names_have(f->when.group, sound_group_name(s->group)) && add_label(f, labels[i]) < 0)
            rc = err_set(err, "no memory");
    }
    vocabulary_free(v);
    return rc;
}

static void warn_unknown(const struct event_choice *when, const char *owner, const char *const *labels, size_t n_labels)
{
    char name[LABEL_SIZE];

    for (const char *p = when->label; n_labels && *p; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ", "), i = 0;
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        while (i < n_labels && strcmp(labels[i], name) != 0)
            i++;
        if (i == n_labels && strcmp(name, "unknown") != 0)
            log_warn("%s: the model has no label %s: it will not be heard", owner, name);
        p += n;
    }
}

struct event_filter *event_filter_new(const struct event_choice *when, const char *owner, const char *const *labels,
                                      size_t n_labels, struct err *err)
{
    struct event_filter *f = calloc(1, sizeof *f);

    if (!f) {
        err_set(err, "%s: no memory", owner);
        return NULL;
    }
    f->when = *when;
    if (when->rate > 0 && !(f->times = calloc((size_t)when->rate, sizeof *f->times))) {
        err_set(err, "%s: no memory", owner);
        goto fail;
    }
    for (int i = 0; i < when->rate; i++)
        f->times[i] = -1e9;
    if (when->group[0] && add_groups(f, labels, n_labels, err) < 0) {
        err_prefix(err, "%s: group: ", owner);
        goto fail;
    }
    warn_unknown(when, owner, labels, n_labels);
    return f;
fail:
    event_filter_free(f);
    return NULL;
}

void event_filter_free(struct event_filter *f)
{
    if (!f)
        return;
    free(f->labels);
    free(f->times);
    free(f);
}

static bool has_label(const struct event_filter *f, const char *label)
{
    if (!f->when.label[0] && !f->when.group[0])
        return true;
    if (option_names_have(f->when.label, label))
        return true;
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->labels[i], label) == 0)
            return true;
    return false;
}

bool event_filter_wants(const struct event_filter *f, const struct event *e)
{
    bool type = e->type == EVENT_START ? f->when.event != CHOICE_END
                : e->type == EVENT_END ? f->when.event != CHOICE_START
                                       : false;

    return type && e->notify && (!e->test || f->when.test) && (double)e->score >= f->when.min_score &&
           has_label(f, e->label);
}

static bool cooling(struct event_filter *f, const char *label, double now)
{
    size_t place = 0;

    if (f->when.cooldown <= 0)
        return false;
    for (size_t i = 0; i < RECENT; i++) {
        if (strcmp(f->cooling[i].label, label) == 0) {
            place = i;
            if (now - f->cooling[i].when < f->when.cooldown)
                return true;
            break;
        }
        if (f->cooling[i].when < f->cooling[place].when || !f->cooling[i].label[0])
            place = i;
        if (!f->cooling[i].label[0])
            break;
    }
    snprintf(f->cooling[place].label, LABEL_SIZE, "%s", label);
    f->cooling[place].when = now;
    return false;
}

static enum event_verdict judge(struct event_filter *f, const struct event *e, double now)
{
    double *oldest = f->times ? &f->times[f->next_time] : NULL;

    if (oldest && now - *oldest < 60)
        return EVENT_TOO_MANY;
    if (cooling(f, e->label, now))
        return EVENT_COOLING;
    if (oldest) {
        *oldest = now;
        f->next_time = (f->next_time + 1) % (size_t)f->when.rate;
    }
    return EVENT_GO;
}

enum event_verdict event_filter_pass(struct event_filter *f, const struct event *e, double now)
{
    if (f->when.event == CHOICE_BOTH && e->type == EVENT_END)
        for (size_t i = 0; i < RECENT; i++)
            if (strcmp(f->starts[i].event_id, e->event_id) == 0)
                return f->starts[i].went ? EVENT_GO : EVENT_COOLING;
    enum event_verdict v = judge(f, e, now);
    if (e->type == EVENT_START) {
        size_t i = f->next_start++ % RECENT;
        snprintf(f->starts[i].event_id, UUID_SIZE, "%s", e->event_id);
        f->starts[i].went = v == EVENT_GO;
    }
    return v;
}
