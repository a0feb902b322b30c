#include "base/config_private.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

#define WIDTH 100 /* of comments */

/* Help text as comment lines; ` ` as it is. */
static void write_comment(FILE *out, const char *text)
{
    size_t column = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (column > 0 && column + 1 + n > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, "%s%.*s", column ? " " : "# ", (int)n, p);
        column += n + (column ? 1 : 2);
        p += n + strspn(p + n, " ");
    }
    fputc('\n', out);
}

/* Can the value stand in a file, so that it reads back the same? */
static bool fits(const struct option *o, const char *text)
{
    return strlen(o->name) + strlen(text) + 5 <= CONFIG_MAX_LINE && !strstr(text, " ;") && !strstr(text, "\t;") &&
           text[0] != ';' && text_is_utf8(text, strlen(text));
}

static void write_value(FILE *out, const struct option *o, const char *text, bool off)
{
    size_t n = strlen(text);
    bool quote = n > 0 && o->type != OPTION_COMMAND &&
                 (isblank((unsigned char)text[0]) || isblank((unsigned char)text[n - 1]) ||
                  (n > 1 && text[0] == '"' && text[n - 1] == '"'));

    if (!fits(o, text))
        fprintf(out, "# %s: only as a flag, --%s.%s=%s\n", o->name, o->section, o->name, text);
    else
        fprintf(out, "%s%s = %s%s%s\n", off ? "#" : "", o->name, quote ? "\"" : "", text, quote ? "\"" : "");
}

static void write_labels(FILE *out, const struct option *o, const struct config *c, bool comments)
{
    bool any = false;
    for (size_t i = 0; i < c->n_rules; i++)
        if (c->rules[i].mode == (int)o->max) {
            write_value(out, o, c->rules[i].label, false);
            any = true;
        }
    if (!any && comments)
        fprintf(out, "#%s =\n", o->name);
}

static void write_help(FILE *out, const struct option *o)
{
    char allowed[256], line[320];
    option_allowed(o, allowed, sizeof allowed);
    snprintf(line, sizeof line, "Allowed: %s.%s", allowed, o->reloadable ? "" : " A change needs a restart.");
    fputc('\n', out);
    write_comment(out, o->help);
    write_comment(out, line);
}

static void write_section(const struct section *s, const struct config *c, FILE *out, bool comments)
{
    fputc('\n', out);
    if (comments)
        write_comment(out, s->help);
    fprintf(out, "[%s]\n", s->name);
    for (const struct option *o = options; o->section; o++) {
        char text[OPTION_VALUE];
        if (strcmp(o->section, s->name) != 0)
            continue;
        if (comments)
            write_help(out, o);
        if (o->type == OPTION_LABELS) {
            write_labels(out, o, c, comments);
            continue;
        }
        option_text(o, c, text);
        write_value(out, o, text, comments && strcmp(text, o->preset) == 0);
    }
}

/* A list of names, as many lines as it takes. */
static void write_names(FILE *out, const struct option *o, const char *text)
{
    const size_t room = CONFIG_MAX_LINE - strlen(o->name) - 5;

    while (*text) {
        size_t n = strlen(text);
        if (n > room)
            for (n = room; n > 0 && text[n] != ',';)
                n--;
        fprintf(out, "%s = %.*s\n", o->name, (int)n, text);
        text += n + strspn(text + n, ", ");
    }
}

/* The mode of a class stands in [decision]'s lists. */
static void write_row(const struct config_list *l, const void *row, FILE *out)
{
    bool header = false;

    for (const struct option *o = options; o->section; o++) {
        char text[OPTION_VALUE];
        if (strcmp(o->section, l->section) != 0 || (o->type == OPTION_CHOICE && strcmp(o->name, "mode") == 0))
            continue;
        option_text(o, row, text);
        if (strcmp(text, o->preset) == 0)
            continue;
        if (!header)
            fprintf(out, "\n[%s %s]\n", l->section, (const char *)row);
        header = true;
        if (o->type == OPTION_NAMES)
            write_names(out, o, text);
        else
            write_value(out, o, text, false);
    }
}

static void write_list_help(const struct section *s, FILE *out)
{
    static const char *const examples[][2] = {
        {"class", "smoke_alarm"}, {"action", "flash"}, {"webhook", "phone"}, {NULL, NULL}};

    fputc('\n', out);
    write_comment(out, s->help);
    for (size_t i = 0; examples[i][0]; i++)
        if (strcmp(examples[i][0], s->name) == 0)
            fprintf(out, "#[%s %s]\n", s->name, examples[i][1]);
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, s->name) == 0) {
            write_help(out, o);
            fprintf(out, "#%s =%s%s\n", o->name, *o->preset ? " " : "", o->preset);
        }
}

void config_write(const struct config *c, FILE *out, bool comments)
{
    if (comments)
        fputs("# earshot.conf: configuration of earshot. Every option is here; what begins with # is a "
              "comment, and options\n"
              "# that are commented out show their defaults. `earshot config check` says what is wrong with "
              "a file,\n"
              "# `earshot config show` what is in force. Any option can also be given as a flag: "
              "--gate.hold=\"1 s\".\n"
              "# Times take ms, s, min or h. A comment behind a value begins with \" ;\".\n",
              out);
    for (const struct section *s = sections; s->name; s++) {
        if (!config_list(s->name))
            write_section(s, c, out, comments);
        else if (comments)
            write_list_help(s, out);
    }
    for (const struct config_list *l = config_lists; l->section; l++)
        for (size_t i = 0; i < config_list_count(c, l); i++)
            write_row(l, config_list_at(c, l, i), out);
}

/* roff: `x` in bold, backslashes, hyphens and leading dots made safe */
static void write_roff(FILE *out, const char *text)
{
    bool bold = false;
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", out);
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '~') {
            fputs("\\(ti", out);
        } else {
            fputc(*text, out);
        }
    }
}

static void man_option(FILE *out, const struct option *o)
{
    char allowed[256];
    option_allowed(o, allowed, sizeof allowed);
    fprintf(out, ".TP\n.BR %s \" = ", o->name);
    write_roff(out, *o->preset ? o->preset : "(empty)");
    fputs("\"\n", out);
    write_roff(out, o->help);
    fputs("\nAllowed: ", out);
    write_roff(out, allowed);
    fprintf(out, ".%s\n", o->reloadable ? "\nApplied on reload." : "");
}

void config_write_man(FILE *out)
{
    for (const struct section *s = sections; s->name; s++) {
        fprintf(out, ".SS [%s%s]\n", s->name, config_list(s->name) ? " NAME" : "");
        write_roff(out, s->help);
        fputc('\n', out);
        for (const struct option *o = options; o->section; o++)
            if (strcmp(o->section, s->name) == 0)
                man_option(out, o);
    }
}
