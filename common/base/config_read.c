/* The INI reader. inih takes name and value apart and cuts comments off; lines are read and counted here,
 * because inih cuts long ones silently, parses the rest as further lines, and miscounts from there on.
 * Section headers are handled here too: inih cuts names at 49 bytes. */
#include "base/config_private.h"
#include "base/log.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE     (8UL << 20) /* bytes: beyond it this is no configuration file */
#define MAX_REPORTED 1000        /* bad lines */

struct reader {
    struct config *c;
    FILE *file, *report;
    const char *path;
    struct err *err;      /* the first bad line */
    unsigned long line;   /* number of the one at hand */
    unsigned long handed; /* number of the one that inih has to take apart, 0: none */
    unsigned long bytes;
    size_t bad;
    const char *section; /* "" none, NULL an unknown one: what stands in it is not looked at */
    long row;            /* of a section with a name, else -1 */
    unsigned long *seen; /* line on which each option was given: those of sections, then all for each row of a list */
    size_t n_options;
};

static void complain(struct reader *r, const struct err *what)
{
    r->bad++;
    if (r->bad == 1)
        err_set(r->err, "%s:%lu: %s", r->path, r->line, what->text);
    if (!r->report || r->bad > MAX_REPORTED)
        return;
    fprintf(r->report, "%s:%lu: %s\n", r->path, r->line, what->text);
    if (r->bad == MAX_REPORTED)
        fprintf(r->report, "%s: further bad lines are not listed\n", r->path);
}

__attribute__((format(printf, 2, 3))) static void warn(struct reader *r, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (r->report)
        fprintf(r->report, "%s:%lu: warning: %s\n", r->path, r->line, text);
    else
        log_warn("%s:%lu: %s", r->path, r->line, text);
}

static void complain_text(struct reader *r, const char *text)
{
    struct err what;
    err_set(&what, "%s", text);
    complain(r, &what);
}

/* For messages: control characters shown as ?. */
static void printable(const char *text, char out[64])
{
    size_t n = 0;
    for (; n < 60 && text[n]; n++)
        out[n] = iscntrl((unsigned char)text[n]) ? '?' : text[n];
    memcpy(out + n, text[n] ? "..." : "", text[n] ? 4 : 1);
}

/* text: what stands between the brackets, without blanks around it */
static void enter_section(struct reader *r, char *text)
{
    struct err what;
    r->section = NULL;
    r->row = -1;
    size_t word = strcspn(text, " \t");
    for (const struct config_list *l = config_lists; l->section; l++) {
        if (strncmp(text, l->section, word) != 0 || l->section[word])
            continue;
        char *name = text + word + strspn(text + word, " \t");
        if (!*name)
            err_set(&what, "the %s is missing; allowed: [%s NAME]", l->section, l->section);
        else if ((r->row = config_row(r->c, l, name, strlen(name), &what)) >= 0)
            r->section = l->section;
        if (!r->section)
            complain(r, &what);
        return;
    }
    for (const struct section *s = sections; s->name; s++)
        if (strcmp(s->name, text) == 0)
            r->section = s->name;
    if (r->section)
        return;
    char shown[64];
    printable(text, shown);
    config_unknown_section(shown, &what);
    complain(r, &what);
}

static void section_line(struct reader *r, char *line)
{
    char *end = strchr(line, ']');
    if (!end) {
        r->section = NULL;
        complain_text(r, "the ] that ends the section's name is missing");
        return;
    }
    char *behind = end + 1 + strspn(end + 1, " \t");
    if (*behind && *behind != ';' && *behind != '#') {
        r->section = NULL;
        complain_text(r, "text behind the ] of a section; allowed: a comment that begins with ; or #");
        return;
    }
    while (end > line + 1 && isblank((unsigned char)end[-1]))
        end--;
    *end = '\0';
    enter_section(r, line + 1 + strspn(line + 1, " \t"));
}

struct line {
    char text[CONFIG_MAX_LINE + 8]; /* without its end, cut to what fits */
    size_t whole;                   /* bytes that it had */
    bool nul;                       /* a NUL byte among them */
};

/* False at the end of the file. Blanks before the text are left out: inih would take an indented line for
 * more of the value before it. */
static bool get_line(struct reader *r, struct line *l)
{
    int ch;
    size_t n = 0;

    l->whole = 0;
    l->nul = false;
    while ((ch = getc(r->file)) != EOF && ch != '\n' && r->bytes <= MAX_FILE) {
        r->bytes++;
        if (l->whole == 0 && isblank(ch))
            continue;
        l->nul |= ch == '\0';
        if (l->whole++ == n && n + 1 < sizeof l->text)
            l->text[n++] = (char)ch;
    }
    if (ch == EOF && l->whole == 0)
        return false;
    r->line++;
    while (n > 0 && l->whole == n && isspace((unsigned char)l->text[n - 1]))
        l->whole = --n;
    l->text[n] = '\0';
    return true;
}

/* Why the line cannot be taken at all, or NULL. */
static const char *line_problem(const struct reader *r, const struct line *l)
{
    if (r->bytes > MAX_FILE)
        return "the file is larger than 8 MiB: not a configuration file";
    if (l->nul)
        return "a NUL byte; allowed: UTF-8 text";
    if (l->whole > CONFIG_MAX_LINE)
        return "the line is too long; allowed: up to " CONFIG_STRING(
            CONFIG_MAX_LINE) " bytes (a longer value can be given as a flag)";
    if (!text_is_utf8(l->text, l->whole))
        return "not UTF-8 text";
    for (const char *p = l->text; *p; p++)
        if (iscntrl((unsigned char)*p) && *p != '\t')
            return *p == '\r' ? "a carriage return in the line; allowed: lines that end with LF or CR LF"
                              : "a control character; allowed: text";
    return NULL;
}

/* inih did not call the handler for the line that it got last. */
static void check_handed(struct reader *r)
{
    if (r->handed)
        complain_text(r, "no = in the line; allowed: OPTION = VALUE, [SECTION], or a comment that begins with ; or #");
    r->handed = 0;
}

/* inih's reader, with fgets' contract. Whatever inih need not see reaches it as an empty line. */
static char *read_line(char *out, int size, void *context)
{
    struct reader *r = context;
    struct line l;

    check_handed(r);
    if (r->bytes > MAX_FILE || !get_line(r, &l))
        return NULL;
    char *text = l.text;
    if (r->line == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3 + strspn(text + 3, " \t");
    snprintf(out, (size_t)size, "\n");
    const char *problem = line_problem(r, &l);
    bool comment = *text == ';' || *text == '#';
    if (problem && (!comment || r->bytes > MAX_FILE)) {
        complain_text(r, problem);
        if (*text == '[')
            r->section = NULL;
    } else if (*text == '[') {
        section_line(r, text);
    } else if (*text && !comment && r->section) {
        r->handed = r->line;
        snprintf(out, (size_t)size, "%s\n", text);
    }
    return out;
}

static void note_duplicate(struct reader *r, const struct option *o)
{
    if (o->type == OPTION_LABELS || o->type == OPTION_NAMES)
        return;
    size_t row = r->row < 0 ? 0 : config_list(o->section)->place + (size_t)r->row + 1;
    size_t slot = (size_t)(o - options) + row * r->n_options;
    if (r->seen[slot])
        warn(r, "%s was given on line %lu already; this one counts", o->name, r->seen[slot]);
    r->seen[slot] = r->line;
}

static int handle(void *context, const char *section, const char *name, const char *value)
{
    struct reader *r = context;
    struct err what;
    char plain[CONFIG_MAX_LINE + 8], shown[64];

    (void)section; /* r->section: see above */
    r->handed = 0;
    if (!*name)
        return complain_text(r, "no name before the =; allowed: OPTION = VALUE"), 1;
    if (!*r->section)
        return complain_text(r, "an option before any section; allowed: after a line such as [input]"), 1;
    const struct option *o = option_find(r->section, name);
    if (!o) {
        printable(name, shown);
        config_unknown_option(r->section, shown, &what);
        return complain(r, &what), 1;
    }
    size_t n = strlen(value);
    bool quoted = o->type != OPTION_COMMAND && n >= 2 && value[0] == '"' && value[n - 1] == '"';
    snprintf(plain, sizeof plain, "%.*s", (int)(quoted ? n - 2 : n), value + quoted);
    note_duplicate(r, o);
    if (config_set_option(r->c, r->row, o, plain, &what)) {
        printable(value, shown);
        err_prefix(&what, "%s = %s: ", o->name, shown);
        complain(r, &what);
    }
    return 1;
}

static int parse(struct reader *r)
{
    char more[80];

    do
        r->n_options++;
    while (options[r->n_options].section);
    r->seen = calloc((CONFIG_MAX_ROWS + 1) * r->n_options, sizeof *r->seen);
    if (!r->seen)
        return err_set(r->err, "no memory");
    int rc = ini_parse_stream(read_line, r, handle, r);
    check_handed(r);
    free(r->seen);
    if (ferror(r->file))
        return err_set(r->err, "cannot read %s: %s", r->path, strerror(errno));
    if (rc < 0 && !r->bad)
        return err_set(r->err, "%s: no memory", r->path);
    if (r->bad > 1)
        snprintf(more, sizeof more, " (and %zu more bad line%s: earshot config check)", r->bad - 1,
                 r->bad > 2 ? "s" : "");
    if (r->bad > 1 && strlen(r->err->text) + strlen(more) < sizeof r->err->text)
        strcat(r->err->text, more);
    return r->bad ? -1 : 0;
}

int config_read(struct config *c, const char *path, FILE *report, struct err *err)
{
    struct err own = {""};
    struct reader r = {.c = c, .report = report, .path = path, .err = err ? err : &own, .section = "", .row = -1};

    r.file = fopen(path, "re");
    if (!r.file)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    errno = 0;
    int rc = parse(&r);
    fclose(r.file);
    return rc;
}
