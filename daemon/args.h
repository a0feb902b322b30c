/* A command's own arguments: one table of flags, one loop. What all commands share (--config,
 * --section.name=value, --json,
 * --help ...) was taken out by cmdline_run before.
 *
 *     enum { FLAG_OUTPUT, FLAG_FAST };
 *     static const struct arg_flag flags[] = {[FLAG_OUTPUT] = {"output", 'o', "FILE"}, [FLAG_FAST] = {"fast",
 * 0, NULL}, {0}}; struct args a = {.flags = flags, .argc = argc, .argv = argv}; for (int flag; (flag =
 * args_next(&a)) != ARGS_END;) switch (flag) { case FLAG_OUTPUT: path = a.value; break; case FLAG_FAST: fast
 * = true; break; case ARGS_PLAIN: file = a.value; break; default: return EXIT_USAGE;       // ARGS_BAD: the
 * message is on stderr already
 *         }
 *
 * Takes --name VALUE, --name=VALUE, -n VALUE, -nVALUE, flags and plain arguments in any order; after "--" all
 * is plain; "-" and negative numbers are plain. */
#ifndef EARSHOT_ARGS_H
#define EARSHOT_ARGS_H

#include <stdbool.h>

struct arg_flag {
    const char *name;  /* without its dashes; the table ends with NULL */
    char letter;       /* short form, 0: none */
    const char *value; /* what the value is, "FILE"; NULL: takes none */
};

struct args {
    const struct arg_flag *flags;
    int argc;
    char **argv;       /* argv[0] is the command's name, for messages */
    const char *value; /* the flag's value, or the plain argument */
    const char *flag;  /* the flag's name, NULL for a plain argument */
    int used;          /* arguments taken so far; start with 0 */
    bool plain;        /* "--" was there */
};

enum { ARGS_END = -1, ARGS_PLAIN = -2, ARGS_BAD = -3 };

/* Index into flags, or one of the above. */
int args_next(struct args *a);

/* The value at hand as a whole number or a decimal one within min..max. -1: said on stderr, with what is
 * allowed. */
int args_int(const struct args *a, long min, long max, long *out);
int args_number(const struct args *a, double min, double max, double *out);

/* For a command without plain arguments (or with one too many): says so; returns EXIT_USAGE. */
int args_unexpected(const struct args *a);

#endif
