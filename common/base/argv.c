#include "base/argv.h"

#include <string.h>

static int put(struct argv *a, size_t *used, char c, struct err *err)
{
    if (*used >= sizeof a->text - 1)
        return err_set(err, "the command is longer than %d bytes", ARGV_TEXT - 1);
    a->text[(*used)++] = c;
    return 0;
}

/* One argument, from *p on; *p ends behind it. */
static int take(struct argv *a, size_t *used, const char **p, struct err *err)
{
    char quote = '\0';

    for (; **p && (quote || !strchr(" \t", **p)); (*p)++) {
        char c = **p;
        if (c == quote && quote) {
            quote = '\0';
            continue;
        }
        if (!quote && (c == '"' || c == '\'')) {
            quote = c;
            continue;
        }
        if (c == '\\' && quote != '\'') {
            c = *++*p;
            if (!c)
                return err_set(err, "a \\ at the end; allowed: before a character that is to be taken as it is");
        }
        if (put(a, used, c, err) < 0)
            return -1;
    }
    return quote ? err_set(err, "a %c that does not end; allowed: pairs of them", quote) : put(a, used, '\0', err);
}

int argv_split(struct argv *a, const char *line, struct err *err)
{
    size_t used = 0;

    a->n = 0;
    for (const char *p = line + strspn(line, " \t"); *p; p += strspn(p, " \t")) {
        if (a->n == ARGV_MAX)
            return err_set(err, "more than %d arguments", ARGV_MAX);
        a->arg[a->n++] = a->text + used;
        if (take(a, &used, &p, err) < 0)
            return -1;
    }
    a->arg[a->n] = NULL;
    if (!a->n)
        return err_set(err, "no program");
    if (a->arg[0][0] != '/')
        return err_set(err,
                       "\"%.100s\" is not an absolute path; allowed: /path/to/program and its arguments (no shell)",
                       a->arg[0]);
    return 0;
}
