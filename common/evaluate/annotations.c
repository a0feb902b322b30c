#include "evaluate/annotations.h"

#include "base/csv.h"
#include "base/text.h"
#include "evaluate/realname.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NO_COLUMN = -1, TEXT_SIZE = 512, FIELD_SHOWN = 64 };

struct reader {
    const char *path;
    const struct annotation_params *p;
    annotation_tell *tell;
    void *ctx;
    struct timed_list *out;
    int onset, offset, label, snr, file; /* columns */
    bool wrong, no_memory, ambiguous;
    unsigned unsorted_line; /* first one that begins before the one above it, 0: none */
    double last_onset;
    char *real;            /* the stream's one name */
    struct realname names; /* for those of the rows */
    size_t own, others;    /* rows for this stream, for other files */
    char elsewhere[64];    /* the first of those that has the stream's name in another folder */
};

/* "PATH:LINE: text"; line 0: "PATH: text" */
static void tell(struct reader *r, bool wrong, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(struct reader *r, bool wrong, unsigned line, const char *fmt, ...)
{
    char text[TEXT_SIZE], whole[TEXT_SIZE + 256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (line)
        snprintf(whole, sizeof whole, "%.200s:%u: %s", r->path, line, text);
    else
        snprintf(whole, sizeof whole, "%.200s: %s", r->path, text);
    r->wrong |= wrong;
    r->tell(r->ctx, wrong, whole);
}

static int find_column(const struct csv *c, const char *const *names)
{
    for (; *names; names++)
        for (size_t i = 0; i < c->n; i++)
            if (strcasecmp(c->field[i], *names) == 0)
                return (int)i;
    return NO_COLUMN;
}

static bool is_time(const char *text)
{
    double x;
    const char *end;

    return text_number(text, &x, &end) && !*end;
}

/* The first row: a header, or already an event. Returns whether it is an event, -1 where it is neither. */
static int read_header(struct reader *r, const struct csv *c)
{
    static const char *const onset[] = {"onset", "start_s", "event_onset", NULL};
    static const char *const offset[] = {"offset", "end_s", "event_offset", NULL};
    static const char *const label[] = {"label", "event_label", NULL};
    static const char *const snr[] = {"snr", "snr_db", NULL};
    static const char *const file[] = {"filename", "file", "audio", "path", NULL};

    r->snr = r->file = NO_COLUMN;
    if (c->n >= 3 && is_time(c->field[0]) && is_time(c->field[1])) {
        r->onset = 0;
        r->offset = 1;
        r->label = 2;
        return 1;
    }
    if (c->n >= 4 && is_time(c->field[1]) && is_time(c->field[2])) {
        r->file = 0;
        r->onset = 1;
        r->offset = 2;
        r->label = 3;
        return 1;
    }
    r->onset = find_column(c, onset);
    r->offset = find_column(c, offset);
    r->label = find_column(c, label);
    r->snr = find_column(c, snr);
    r->file = find_column(c, file);
    if (r->onset != NO_COLUMN && r->offset != NO_COLUMN && r->label != NO_COLUMN)
        return 0;
    tell(r, true, c->line, "neither a header with onset, offset and label (comma or tab between them) nor an event");
    return -1;
}

static const char *field(const struct csv *c, int column)
{
    return column != NO_COLUMN && (size_t)column < c->n ? c->field[column] : "";
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Does a row for the file `name` speak of this stream? It does by the same path, from the list's folder on, or where the stream's path
 * ends with it: a list knows nothing of the folders above a data set's. */
static bool is_own(struct reader *r, const char *name)
{
    const char *slash = strrchr(r->path, '/');
    char *joined = NULL, *real = NULL;

    while (strncmp(name, "./", 2) == 0)
        name += 2;
    size_t n = strlen(name), whole = strlen(r->real);
    if (n && n < whole && r->real[whole - n - 1] == '/' && strcmp(r->real + whole - n, name) == 0)
        return true;
    if (strcmp(last_part(name), last_part(r->real)) != 0)
        return false;
    if (name[0] == '/' || !slash)
        real = realname_of(&r->names, name);
    else if (asprintf(&joined, "%.*s/%s", (int)(slash - r->path), r->path, name) >= 0)
        real = realname_of(&r->names, joined);
    bool same = real && strcmp(real, r->real) == 0;
    r->no_memory |= !real;
    if (!same && !*r->elsewhere)
        snprintf(r->elsewhere, sizeof r->elsewhere, "%s", name);
    free(joined);
    free(real);
    return same;
}

/* Is the row's event for this stream? Counts, and tells a name that may be another stream's. */
static bool take_file(struct reader *r, const struct csv *c)
{
    const char *name = field(c, r->file);

    if (!is_own(r, name)) {
        r->others++;
        return false;
    }
    r->own++;
    if (r->p->twin && !strchr(name, '/') && !r->ambiguous) {
        r->ambiguous = true;
        tell(r, true, c->line, "%.*s may be %.150s or %.150s; its folder is needed", FIELD_SHOWN, name, r->p->sound,
             r->p->twin);
    }
    return true;
}

static bool read_time(struct reader *r, const struct csv *c, int column, const char *name, double *out)
{
    const char *text = field(c, column), *end;

    if (text_number(text, out, &end) && !*end && *out >= 0)
        return true;
    tell(r, true, c->line, "%s %.*s: seconds since the stream began are needed, 0 or more", name, FIELD_SHOWN,
         *text ? text : "(empty)");
    return false;
}

static bool read_label(struct reader *r, const struct csv *c, unsigned *out)
{
    const char *text = field(c, r->label);
    struct text_nearest near = {.word = text};

    for (size_t i = 0; i < r->p->n_labels; i++) {
        if (strcmp(r->p->labels[i], text) == 0) {
            *out = (unsigned)i;
            return true;
        }
        text_nearest_try(&near, r->p->labels[i]);
    }
    if (near.best)
        tell(r, true, c->line, "unknown label %.*s; is %s meant?", FIELD_SHOWN, text, near.best);
    else
        tell(r, true, c->line, "unknown label %.*s: neither the model nor the list of sounds has it", FIELD_SHOWN,
             *text ? text : "(empty)");
    return false;
}

static bool read_snr(struct reader *r, const struct csv *c, float *out)
{
    const char *text = field(c, r->snr), *end;
    double x;

    *out = NAN;
    if (!*text)
        return true;
    if (text_number(text, &x, &end) && !*end) {
        *out = (float)x;
        return true;
    }
    tell(r, true, c->line, "snr %.*s: a number of dB is needed, or nothing", FIELD_SHOWN, text);
    return false;
}

static void read_event(struct reader *r, const struct csv *c)
{
    struct timed e = {.line = c->line};

    if (r->file != NO_COLUMN) {
        if (!take_file(r, c))
            return;
        /* DESED says so of a file without events */
        if (!*field(c, r->onset) && !*field(c, r->offset) && !*field(c, r->label))
            return;
    }
    bool onset = read_time(r, c, r->onset, "onset", &e.onset), offset = read_time(r, c, r->offset, "offset", &e.offset);
    bool label = read_label(r, c, &e.label), snr = read_snr(r, c, &e.snr);
    if (onset && offset && e.offset <= e.onset) {
        tell(r, true, c->line, "offset %g is not after onset %g", e.offset, e.onset);
        return;
    }
    if (!onset || !offset || !label || !snr)
        return;
    if (e.onset < r->last_onset && !r->unsorted_line)
        r->unsorted_line = c->line;
    r->last_onset = e.onset;
    r->no_memory |= timed_add(r->out, &e) < 0;
}

/* In a sorted list: those of one label that overlap. */
static void settle_overlaps(struct reader *r)
{
    struct timed *item = r->out->item;
    size_t kept = 0, n = item ? r->out->n : 0;

    for (size_t i = 0; i < n; i++) {
        struct timed *e = &item[i], *before = kept ? &item[kept - 1] : NULL;
        if (!before || before->label != e->label || e->onset >= before->offset) {
            item[kept++] = *e;
            continue;
        }
        tell(r, !r->p->merge, e->line, "%s from %g to %g overlaps the one of line %u, from %g to %g%s",
             r->p->labels[e->label], e->onset, e->offset, before->line, before->onset, before->offset,
             r->p->merge ? ": taken as one" : " (--merge-overlaps takes them as one)");
        before->offset = fmax(before->offset, e->offset);
    }
    r->out->n = kept;
}

static void conclude(struct reader *r)
{
    timed_sort(r->out);
    settle_overlaps(r);
    if (r->unsorted_line)
        tell(r, false, r->unsorted_line, "begins before the event above it; the events were put in order");
    if (r->file != NO_COLUMN && r->own == 0) {
        tell(r, true, 0, "no line is for %.200s; %s%s%s", r->p->sound, *r->elsewhere ? "there is one for " : "",
             *r->elsewhere ? r->elsewhere : "its name with empty fields says that there are no events",
             *r->elsewhere ? ", which is another file" : "");
        return;
    }
    if (r->others)
        tell(r, false, 0, "%zu lines are for other files than %s and were passed over", r->others,
             last_part(r->p->sound));
    if (r->out->n == 0 && !r->wrong)
        tell(r, false, 0, "no events for %s", last_part(r->p->sound));
}

int annotations_read(const char *path, const struct annotation_params *p, struct timed_list *out, annotation_tell *say,
                     void *ctx)
{
    struct reader r = {.path = path, .p = p, .tell = say, .ctx = ctx, .out = out, .snr = NO_COLUMN, .file = NO_COLUMN};
    struct csv c;
    struct err err;
    r.real = realname_of(&r.names, p->sound);
    if (!r.real) {
        tell(&r, true, 0, "no memory for its events");
        realname_free(&r.names);
        return -1;
    }
    int more = csv_open(&c, path, &err) < 0 ? -1 : 1;
    bool first = true, usable = true;

    while (more > 0 && usable && (more = csv_next(&c, &err)) > 0) {
        int event = first ? read_header(&r, &c) : 1;
        first = false;
        usable = event >= 0;
        if (event > 0)
            read_event(&r, &c);
    }
    if (more < 0) {
        r.wrong = true;
        say(ctx, true, err.text);
    } else if (usable) {
        conclude(&r);
    }
    if (r.no_memory)
        tell(&r, true, 0, "no memory for its events");
    csv_close(&c);
    realname_free(&r.names);
    free(r.real);
    return r.wrong ? -1 : 0;
}

int annotations_check(const char *path, const struct annotation_params *p, struct timed_list *list, double duration_s,
                      annotation_tell *say, void *ctx)
{
    struct reader r = {.path = path, .p = p, .tell = say, .ctx = ctx, .out = list};

    for (size_t i = 0; i < list->n; i++) {
        struct timed *e = &list->item[i];
        if (e->offset <= duration_s)
            continue;
        if (e->onset >= duration_s || e->offset > duration_s + ANNOTATION_SLACK_S)
            tell(&r, true, e->line, "%s from %g to %g lies outside of %s, which is %g s long", p->labels[e->label],
                 e->onset, e->offset, last_part(p->sound), duration_s);
        else
            e->offset = duration_s;
    }
    return r.wrong ? -1 : 0;
}
