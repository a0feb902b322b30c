#include "daemon/cmdline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cmd_fail(int code, const char *name, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "earshot %s: ", name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return code;
}

int cmd_flush(void)
{
    return fflush(stdout) == EOF || ferror(stdout) ? -1 : 0;
}

int cmdline_run(const struct command *const *commands, int argc, char **argv)
{
    struct cmd_context cx = {.config_path = ""};

    for (; argc > 1 && *commands; commands++)
        if (strcmp((*commands)->name, argv[1]) == 0)
            return (*commands)->run(&cx, argc - 1, argv + 1);
    fprintf(stderr, "usage: earshot COMMAND [ARGUMENT...]\n");
    return EXIT_USAGE;
}
