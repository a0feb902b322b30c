#include "base/json.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/control.h"
#include "daemon/statedir.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_S 10 /* s; a model may take a while to load */

static const char usage[] =
    "usage: earshot set [NAME VALUE] [--persist] [--json]\n"
    "       earshot set NAME --reset\n"
    "\n"
    "Changes a setting of the running daemon, without a gap in what it hears. Without NAME: lists all settings.\n"
    "\n"
    "  threshold VALUE   gate threshold, such as auto+12 dB, -40 dBFS or off\n"
    "  listening on|off  off: nothing is heard until it is on again\n"
    "  model NAME        another model (earshot model list); the sounds that are on end\n"
    "  cooldown TIME     for this long after a notified sound, further ones of the kind are not notified\n"
    "  min_score SCORE   score that a sound must reach, 0 to 1, or \"model\": each its own\n"
    "  ack WHAT          acknowledges a sound: its event_id, its label, or all\n"
    "  test LABEL        sends a test event (earshot test also reports on it)\n"
    "\n"
    "  --persist   keep it over a restart: it goes before the configuration file from now on\n"
    "  --reset     back to what the configuration says\n"
    "  --json      one object\n"
    "\n"
    "Exit code 0 if it is set, 1 if it was refused or no daemon runs.\n";

struct wish {
    const char *name, *value;
    bool persist, reset;
};

static void print_settings(const json_t *answer)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(answer, "settings"), name, value)
        printf("%-10s %s\n", name, json_string_value(value));
}

static int ask(const struct cmd_context *cx, struct control_client *c, const struct wish *w)
{
    json_t *value = w->reset ? json_null() : json_text(w->value), *request, *answer = NULL;
    struct err err;

    if (w->name)
        request = json_pack("{s:s, s:o, s:o}", "cmd", "set", "name", json_text(w->name), "value", value);
    else
        request = json_pack("{s:s}", "cmd", "settings");
    if (w->name && w->persist)
        json_object_set_new(request, "persist", json_true());
    if (!request || control_send(c, request, &err) || !(answer = control_receive(c, ANSWER_S, &err)))
        return cmd_fail(EXIT_FAILED, "set", "%s", request ? err.text : "no memory");
    if (cx->json) {
        json_dumpf(answer, stdout, JSON_LINE);
        putchar('\n');
    } else if (w->name) {
        printf("%s: %s%s\n", w->name, json_string_value(json_object_get(answer, "value")),
               w->persist ? " (kept over a restart)" : "");
    } else {
        print_settings(answer);
    }
    json_decref(answer);
    return EXIT_GOOD;
}

static int check(const struct wish *w)
{
    if (w->reset && (!w->name || w->value || w->persist))
        return cmd_fail(EXIT_USAGE, "set", "--reset goes with a NAME alone");
    if (w->name && !w->value && !w->reset)
        return cmd_fail(EXIT_USAGE, "set", "which value? (earshot set %s VALUE; earshot set --help)", w->name);
    if (w->persist && !w->name)
        return cmd_fail(EXIT_USAGE, "set", "--persist goes with NAME and VALUE");
    return EXIT_GOOD;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_PERSIST, FLAG_RESET };
    static const struct arg_flag flags[] = {
        [FLAG_PERSIST] = {"persist", 0, NULL}, [FLAG_RESET] = {"reset", 0, NULL}, {NULL, 0, NULL}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    struct wish w = {NULL};
    char dir[CONFIG_TEXT];
    struct err err;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        if (flag == FLAG_PERSIST)
            w.persist = true;
        else if (flag == FLAG_RESET)
            w.reset = true;
        else if (flag != ARGS_PLAIN)
            return EXIT_USAGE;
        else if (!w.name)
            w.name = a.value;
        else if (!w.value)
            w.value = a.value;
        else
            return args_unexpected(&a);
    }
    int code = check(&w);
    if (code != EXIT_GOOD)
        return code;
    struct control_client *c = control_connect(state_dir_find(cx, dir, sizeof dir, &err) == 0 ? dir : NULL, &err);
    if (!c)
        return cmd_fail(EXIT_FAILED, "set",
                        "%s (the daemon is started by \"earshot run\" or \"systemctl start earshot\")", err.text);
    code = ask(cx, c, &w);
    control_close(c);
    return code;
}

const struct command cmd_set = {
    .name = "set",
    .summary = "change a setting of the running daemon",
    .usage = usage,
    .run = run,
};
