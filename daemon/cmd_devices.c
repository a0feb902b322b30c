#include "base/json.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/devices.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_S 3.0

static void print_json(const struct device *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *o =
            json_pack("{s:i, s:o, s:s, s:i, s:i, s:b}", "number", d[i].number, "name", json_text(d[i].name), "host_api",
                      d[i].host_api, "channels", d[i].channels, "rate", (int)d[i].rate, "default", d[i].is_default);
        json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
    }
}

static void print_table(const struct device *d, size_t n)
{
    printf("number  channels  rate      name\n");
    for (size_t i = 0; i < n; i++)
        printf("%6d  %8d  %6.0f Hz  %s (%s)%s\n", d[i].number, d[i].channels, d[i].rate, d[i].name, d[i].host_api,
               d[i].is_default ? "  <- default" : "");
    printf("\nChoose one with [input] device = NAME (a part of it will do), or --input NAME.\n");
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct args a = {.argc = argc, .argv = argv};
    int flag = args_next(&a);
    if (flag == ARGS_PLAIN)
        return args_unexpected(&a);
    if (flag != ARGS_END)
        return EXIT_USAGE;

    struct device *d = calloc(MAX_DEVICES, sizeof *d);
    struct err err = {"no memory"};
    size_t n = 0;
    int code = EXIT_GOOD;
    if (!d || devices_list(d, MAX_DEVICES, &n, TIMEOUT_S, &err))
        code = cmd_fail(EXIT_FAILED, argv[0], "%s", err.text);
    else if (n == 0)
        code = cmd_fail(EXIT_FAILED, argv[0], "there is no capture device (earshot doctor says why)");
    else
        (cx->json ? print_json : print_table)(d, n);
    free(d);
    return code;
}

const struct command cmd_devices = {
    .name = "devices",
    .summary = "list the microphones",
    .usage = "usage: earshot devices [--json]\n"
             "\n"
             "Lists the capture devices that [input] device may name. With --json one object a line: number, name,\n"
             "host_api, channels, rate, default. Exit code 1 where there is none, or the sound server does not answer\n"
             "within 3 s.\n",
    .run = run,
};
