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
    bool quote = n > 0 && (isblank((unsigned char)text[0]) || isblank((unsigned char)text[n - 1]) ||
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

/* mode stands in [decision]'s lists */
static void write_rules(const struct config *c, FILE *out)
{
    for (size_t i = 0; i < c->n_rules; i++) {
        bool header = false;
        for (const struct option *o = options; o->section; o++) {
            char text[OPTION_VALUE];
            if (strcmp(o->section, "class") != 0 || o->type == OPTION_CHOICE)
                continue;
            option_text(o, &c->rules[i], text);
            if (strcmp(text, o->preset) == 0)
                continue;
            if (!header)
                fprintf(out, "\n[class %s]\n", c->rules[i].label);
            header = true;
            write_value(out, o, text, false);
        }
    }
}

static void write_class_help(const struct section *s, FILE *out)
{
    fputc('\n', out);
    write_comment(out, s->help);
    fputs("#[class smoke_alarm]\n", out);
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, "class") == 0) {
            write_help(out, o);
            fprintf(out, "#%s = %s\n", o->name, o->preset);
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
        if (strcmp(s->name, "class") != 0)
            write_section(s, c, out, comments);
        else if (comments)
            write_class_help(s, out);
    }
    write_rules(c, out);
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
        fprintf(out, ".SS [%s]\n", strcmp(s->name, "class") == 0 ? "class NAME" : s->name);
        write_roff(out, s->help);
        fputc('\n', out);
        for (const struct option *o = options; o->section; o++)
            if (strcmp(o->section, s->name) == 0)
                man_option(out, o);
    }
}
