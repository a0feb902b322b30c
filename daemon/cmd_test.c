#include "base/json.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/control.h"
#include "daemon/statedir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_S 10 /* s; the daemon's own limit for a test is shorter */

static const char usage[] = "usage: earshot test LABEL [--json]\n"
                            "\n"
                            "Lets the running daemon tell an event of that label, marked as a test, through every "
                            "output, as if the sound had been\n"
                            "heard for a second, and says which output got an acknowledgement. LABEL is one of the "
                            "model's (earshot model show).\n"
                            "\n"
                            "  --json    one object: label, outputs: [{name, ok, ms, text}]\n"
                            "\n"
                            "Exit code 0 if all outputs succeeded, 1 if one did not or no daemon runs.\n";

static void print_line(const json_t *output)
{
    const char *name = json_string_value(json_object_get(output, "name"));
    const char *text = json_string_value(json_object_get(output, "text"));
    bool ok = json_is_true(json_object_get(output, "ok"));
    double ms = json_number_value(json_object_get(output, "ms"));

    printf("%s: %s", name ? name : "?", text ? text : "no answer");
    if (ok)
        printf(ms < 1 ? " in under 1 ms" : " in %.0f ms", ms);
    else
        printf(" (FAILED)");
    putchar('\n');
}

/* 1 if every output in the daemon's answer succeeded. */
static int all_good(const json_t *outputs)
{
    size_t i, good = 0;
    json_t *output;

    json_array_foreach(outputs, i, output) good += json_is_true(json_object_get(output, "ok"));
    return good && good == json_array_size(outputs);
}

static int run_test(const struct cmd_context *cx, struct control_client *c, const char *label)
{
    struct err err;
    json_t *request = json_pack("{s:s, s:o}", "cmd", "test", "label", json_text(label)), *answer = NULL;

    if (!request || control_send(c, request, &err) || !(answer = control_receive(c, ANSWER_S, &err)))
        return cmd_fail(EXIT_FAILED, "test", "%s", request ? err.text : "no memory");

    const json_t *outputs = json_object_get(answer, "outputs");
    int good = all_good(outputs);
    size_t i;
    json_t *output;
    if (cx->json) {
        json_dumpf(answer, stdout, JSON_LINE);
        putchar('\n');
    } else {
        json_array_foreach(outputs, i, output) print_line(output);
    }
    json_decref(answer);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    static const struct arg_flag flags[] = {{NULL, 0, NULL}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    const char *label = NULL;
    char dir[CONFIG_TEXT];
    struct err err;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        if (flag != ARGS_PLAIN)
            return EXIT_USAGE;
        if (label)
            return args_unexpected(&a);
        label = a.value;
    }
    if (!label)
        return cmd_fail(EXIT_USAGE, "test", "which label? (earshot test LABEL; \"earshot model show\" lists them)");

    struct control_client *c = control_connect(state_dir_find(cx, dir, sizeof dir, &err) == 0 ? dir : NULL, &err);
    if (!c)
        return cmd_fail(EXIT_FAILED, "test",
                        "%s (the daemon is started by \"earshot run\" or \"systemctl start earshot\")", err.text);
    int rc = run_test(cx, c, label);
    control_close(c);
    return rc;
}

const struct command cmd_test = {
    .name = "test",
    .summary = "send a test event through every output of the running daemon",
    .usage = usage,
    .run = run,
};
