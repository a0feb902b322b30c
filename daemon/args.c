#include "daemon/args.h"
#include "base/text.h"
#include "daemon/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int bad(const struct args *a, const char *text, const char *detail)
{
    cmd_fail(EXIT_USAGE, a->argv[0], "%s%s (see earshot %s --help)", text, detail, a->argv[0]);
    return ARGS_BAD;
}

static int unknown_flag(const struct args *a, const char *argument, const char *name)
{
    struct text_nearest near = {.word = name};
    for (const struct arg_flag *f = a->flags; f && f->name; f++)
        text_nearest_try(&near, f->name);
    char text[160];
    if (near.best)
        snprintf(text, sizeof text, "unknown flag %.64s; did you mean --%.64s?", argument, near.best);
    else
        snprintf(text, sizeof text, "unknown flag %.64s", argument);
    return bad(a, text, "");
}

/* `given`: the value that stands in the same argument, or NULL. */
static int take(struct args *a, int index, const char *given)
{
    const struct arg_flag *f = &a->flags[index];
    a->flag = f->name;
    a->value = given;
    if (!f->value) {
        if (given)
            return bad(a, "no value is taken by --", f->name);
        return index;
    }
    if (!given) {
        if (a->used >= a->argc)
            return bad(a, "a value is missing after --", f->name);
        a->value = a->argv[a->used];
        if (a->value[0] == '-' && a->value[1] == '-')
            return bad(a, "a value is missing after --", f->name);
        a->used++;
    }
    return index;
}

static int long_flag(struct args *a, const char *argument)
{
    const char *name = argument + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);

    for (int i = 0; a->flags && a->flags[i].name; i++)
        if (strlen(a->flags[i].name) == len && strncmp(a->flags[i].name, name, len) == 0)
            return take(a, i, equals ? equals + 1 : NULL);
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), name);
    return unknown_flag(a, argument, word);
}

int args_next(struct args *a)
{
    if (a->used == 0)
        a->used = 1;
    a->flag = a->value = NULL;
    if (a->used >= a->argc)
        return ARGS_END;

    const char *argument = a->argv[a->used++];
    if (!a->plain && strcmp(argument, "--") == 0) {
        a->plain = true;
        if (a->used >= a->argc)
            return ARGS_END;
        argument = a->argv[a->used++];
    }
    if (a->plain || argument[0] != '-' || !argument[1]) {
        a->value = argument;
        return ARGS_PLAIN;
    }
    if (argument[1] == '-')
        return long_flag(a, argument);
    for (int i = 0; a->flags && a->flags[i].name; i++)
        if (a->flags[i].letter && a->flags[i].letter == argument[1])
            return take(a, i, argument[2] ? argument + 2 : NULL);
    if (isdigit((unsigned char)argument[1])) { /* a negative number */
        a->value = argument;
        return ARGS_PLAIN;
    }
    return unknown_flag(a, argument, argument + 1);
}

int args_int(const struct args *a, long min, long max, long *out)
{
    const char *end;
    if (!text_int(a->value, out, &end) || *end || *out < min || *out > max) {
        cmd_fail(EXIT_USAGE, a->argv[0], "--%s %.64s: a whole number from %ld to %ld is needed", a->flag, a->value, min,
                 max);
        return -1;
    }
    return 0;
}

int args_number(const struct args *a, double min, double max, double *out)
{
    const char *end;
    if (!text_number(a->value, out, &end) || *end || *out < min || *out > max) {
        cmd_fail(EXIT_USAGE, a->argv[0], "--%s %.64s: a number from %.9g to %.9g is needed", a->flag, a->value, min,
                 max);
        return -1;
    }
    return 0;
}

int args_unexpected(const struct args *a)
{
    bad(a, "unexpected argument ", a->value);
    return EXIT_USAGE;
}
