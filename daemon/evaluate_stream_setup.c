#include "daemon/evaluate_stream_setup.h"

#include "base/csv.h"
#include "base/text.h"
#include "daemon/classify_print.h"
#include "model/vocabulary.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_MAX 3600.0

void stream_complain(const char *text)
{
    /* a name may hold anything; a newline stands between the lines of several complaints */
    while (*text) {
        size_t n = strcspn(text, "\n");
        char *line = strndup(text, n);
        fputs("earshot " EVALUATE ": ", stderr);
        print_name(stderr, line ? line : "no memory");
        fputc('\n', stderr);
        free(line);
        text += n + (text[n] == '\n');
    }
}

/* Takes both texts over. */
static int add_stream(struct stream_set *s, char *sound, char *annotations)
{
    if (sound && annotations && s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 16;
        struct stream_file *more = realloc(s->files, room * sizeof *more);
        if (more) {
            s->files = more;
            s->room = room;
        }
    }
    if (!sound || !annotations || s->n == s->room) {
        free(sound);
        free(annotations);
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    }
    s->files[s->n++] = (struct stream_file){.sound = sound, .annotations = annotations};
    return EXIT_GOOD;
}

/* `name` beside the list, unless it stands for itself. */
static char *beside(const char *list, const char *name)
{
    const char *slash = strrchr(list, '/');
    char *path = NULL;

    if (name[0] == '/' || !slash)
        return strdup(name);
    return asprintf(&path, "%.*s/%s", (int)(slash - list), list, name) < 0 ? NULL : path;
}

static int column(const struct csv *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->field[i], name) == 0)
            return (int)i;
    return -1;
}

/* A row that cannot be used is named and left out. */
static int read_row(struct stream_set *s, const struct csv *c, int audio, int annotations)
{
    struct err err;
    const char *a = (size_t)audio < c->n ? c->field[audio] : "";
    const char *b = (size_t)annotations < c->n ? c->field[annotations] : "";

    if (!*a || !*b) {
        err_set(&err, "%s:%u: audio and annotations are needed, two files; %s is missing", c->path, c->line,
                *a   ? "annotations"
                : *b ? "audio"
                     : "either");
        stream_complain(err.text);
        s->n_bad++;
        return EXIT_GOOD;
    }
    return add_stream(s, beside(c->path, a), beside(c->path, b));
}

static int read_list(struct stream_set *s, const char *path)
{
    struct csv c;
    struct err err;
    int code = EXIT_GOOD, more = -1;

    if (csv_open(&c, path, &err) == 0)
        more = csv_next(&c, &err);
    int audio = more > 0 ? column(&c, "audio") : -1, annotations = more > 0 ? column(&c, "annotations") : -1;
    if (more >= 0 && (audio < 0 || annotations < 0)) {
        err_set(&err, "%s:1: a header with the columns audio and annotations is needed", path);
        more = -1;
    }
    while (more > 0 && code == EXIT_GOOD && (more = csv_next(&c, &err)) > 0)
        code = read_row(s, &c, audio, annotations);
    csv_close(&c);
    if (more < 0)
        return cmd_fail(EXIT_FAILED, EVALUATE, "--streams %s", err.text);
    if (code == EXIT_GOOD && s->n == 0)
        return cmd_fail(EXIT_FAILED, EVALUATE, "--streams %s: no stream in it%s", path,
                        s->n_bad ? " that can be used" : "");
    return code;
}

int stream_set_read(struct stream_set *s, const struct evaluate_streams *what)
{
    int code = what->list ? read_list(s, what->list) : EXIT_GOOD;

    for (size_t i = 0; i < what->n && code == EXIT_GOOD; i++)
        code = add_stream(s, strdup(what->streams[i].sound), strdup(what->streams[i].annotations));
    return code;
}

void stream_set_free(struct stream_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct stream_file *f = &s->files[i];
        free((char *)f->sound);
        free((char *)f->annotations);
        free(f->complaint);
        timed_free(&f->ref);
        stream_figures_free(&f->figures);
    }
    free(s->files);
}

static bool has_label(const char *const *labels, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(labels[i], name) == 0)
            return true;
    return false;
}

int stream_labels_read(struct streams_result *r)
{
    char path[PATH_MAX];
    struct err err;

    /* a folder of models without a list is no fault; one with a broken list is */
    if (vocabulary_find(path, sizeof path, &err) == 0) {
        r->vocabulary = vocabulary_load(path, &err);
        if (!r->vocabulary)
            return cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    }
    size_t n_sounds = r->vocabulary ? vocabulary_count(r->vocabulary) : 0;
    const char **labels = calloc(r->model->n_labels + n_sounds, sizeof *labels);
    if (!labels)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    r->n_labels = r->n_own = r->model->n_labels;
    memcpy(labels, r->model->labels, r->n_own * sizeof *labels);
    for (size_t i = 0; i < n_sounds; i++) {
        const char *slug = vocabulary_sound(r->vocabulary, i)->slug;
        if (!has_label(labels, r->n_own, slug))
            labels[r->n_labels++] = slug;
    }
    r->labels = labels;
    return EXIT_GOOD;
}

void stream_labels_free(struct streams_result *r)
{
    free((void *)r->labels);
    vocabulary_free(r->vocabulary);
}

static int find_label(const struct streams_result *r, const char *name, size_t length, struct text_nearest *near)
{
    for (size_t i = 0; i < r->n_labels; i++) {
        if (strlen(r->labels[i]) == length && strncmp(r->labels[i], name, length) == 0)
            return (int)i;
        text_nearest_try(near, r->labels[i]);
    }
    return -1;
}

static int read_members(struct streams_result *r, struct stream_group *g, const char *text, const char *list)
{
    for (;;) {
        size_t n = strcspn(list, ",");
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), list);
        struct text_nearest near = {.word = word};
        int label = find_label(r, list, n, &near);
        if (label < 0)
            return cmd_fail(EXIT_USAGE, EVALUATE, "--group %.100s: unknown label %s%s%s%s", text,
                            *word ? word : "(empty)", near.best ? "; is " : "", near.best ? near.best : "",
                            near.best ? " meant?" : "");
        g->member[label] = true;
        if (!list[n])
            return EXIT_GOOD;
        list += n + 1;
    }
}

/* The labels that the list of sounds has in that group. */
static int take_members(struct streams_result *r, struct stream_group *g, const char *name)
{
    bool any = false;

    for (size_t i = 0; i < r->n_labels && r->vocabulary; i++) {
        const struct sound *s = vocabulary_slug(r->vocabulary, r->labels[i]);
        g->member[i] = s && strcmp(sound_group_name(s->group), name) == 0;
        any |= g->member[i];
    }
    if (any)
        return EXIT_GOOD;
    return cmd_fail(EXIT_USAGE, EVALUATE, "--group %.100s: a group of labels.csv or NAME=LABEL,LABEL... is needed",
                    name);
}

static struct stream_group *find_group(const struct streams_result *r, const char *name, size_t length)
{
    for (size_t i = 0; i < r->n_groups; i++)
        if (strlen(r->groups[i].name) == length && strncmp(r->groups[i].name, name, length) == 0)
            return &r->groups[i];
    return NULL;
}

static int read_group(struct streams_result *r, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    struct stream_group *g = &r->groups[r->n_groups];

    if (length == 0 || length >= sizeof g->name)
        return cmd_fail(EXIT_USAGE, EVALUATE,
                        "--group %.100s: NAME or NAME=LABEL,LABEL... is needed, the name of 1 to %zu characters", text,
                        sizeof g->name - 1);
    if (find_group(r, text, length))
        return cmd_fail(EXIT_USAGE, EVALUATE, "--group %.100s: there is a group of that name already", text);
    *g = (struct stream_group){.budget = NAN, .spent = NAN, .member = calloc(r->n_labels, sizeof *g->member)};
    r->n_groups++;
    memcpy(g->name, text, length);
    if (!g->member)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    return equals ? read_members(r, g, text, equals + 1) : take_members(r, g, text);
}

/* A label has one threshold: it cannot be chosen for two budgets. */
static int share_no_label(const struct streams_result *r, const struct stream_group *g)
{
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct stream_group *other = &r->groups[i];
        for (size_t k = 0; other != g && !isnan(other->budget) && k < r->n_labels; k++)
            if (g->member[k] && other->member[k])
                return cmd_fail(EXIT_USAGE, EVALUATE,
                                "--choose-group: %s is in both %s and %s; give one of them a budget", r->labels[k],
                                other->name, g->name);
    }
    return EXIT_GOOD;
}

static int read_budget(struct streams_result *r, const char *text)
{
    const char *equals = strchr(text, '='), *end;
    struct stream_group *g = equals ? find_group(r, text, (size_t)(equals - text)) : NULL;
    double budget;

    if (!g)
        return cmd_fail(EXIT_USAGE, EVALUATE, "--choose-group %.100s: NAME=NUMBER is needed, the name of a --group",
                        text);
    if (!text_number(equals + 1, &budget, &end) || *end || !(budget >= 0 && budget <= BUDGET_MAX))
        return cmd_fail(EXIT_USAGE, EVALUATE, "--choose-group %.100s: false alarms an hour are needed, 0 to %g", text,
                        BUDGET_MAX);
    if (!isnan(g->budget))
        return cmd_fail(EXIT_USAGE, EVALUATE, "--choose-group %.100s: the group has a budget already", text);
    g->budget = budget;
    return share_no_label(r, g);
}

int stream_groups_read(struct streams_result *r, const struct evaluate_streams *what)
{
    int code = EXIT_GOOD;

    r->groups = calloc(what->n_groups + 1, sizeof *r->groups);
    if (!r->groups)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    for (size_t i = 0; i < what->n_groups && code == EXIT_GOOD; i++)
        code = read_group(r, what->groups[i]);
    for (size_t i = 0; i < what->n_group_budgets && code == EXIT_GOOD; i++)
        code = read_budget(r, what->group_budgets[i]);
    return code;
}

void stream_groups_free(struct streams_result *r)
{
    for (size_t i = 0; i < r->n_groups; i++)
        free(r->groups[i].member);
    free(r->groups);
}
