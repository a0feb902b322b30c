#include "base/json.h"
#include "daemon/args.h"
#include "daemon/cmdline.h"
#include "daemon/doctor.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void doctor_say(struct doctor *d, enum doctor_result result, const char *check, const char *remedy, const char *fmt,
                ...)
{
    static const char *const words[] = {"ok", "warn", "FAIL"}, *const keys[] = {"ok", "warn", "fail"};
    char text[1200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (result == DOCTOR_FAIL)
        d->failed = true;
    if (d->cx->json) {
        json_t *o = json_pack("{s:s, s:s, s:o, s:o}", "check", check, "result", keys[result], "text", json_text(text),
                              "remedy", json_text(remedy));
        json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
    } else {
        printf("%-4s  %s: %s%s%s\n", words[result], check, text, remedy ? "; " : "", remedy ? remedy : "");
    }
    fflush(stdout); /* the next check may take seconds */
}

/* The others go on with the defaults where the configuration is broken. */
static void check_config(struct doctor *d)
{
    struct cmd_context *cx = d->cx;
    struct config fresh;
    struct err err;

    if (cmdline_reload(cx, &fresh, &err) < 0) {
        config_free(&fresh);
        doctor_say(d, DOCTOR_FAIL, "configuration",
                   "`earshot config check` lists all bad lines (what follows goes by the defaults)", "%s", err.text);
        return;
    }
    config_free(&cx->config);
    cx->config = fresh;
    if (*cx->config_path)
        doctor_say(d, DOCTOR_OK, "configuration", NULL, "%s", cx->config_path);
    else
        doctor_say(d, DOCTOR_OK, "configuration", NULL, "no %s: built-in defaults", CONFIG_DEFAULT_PATH);
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct args a = {.argc = argc, .argv = argv};
    struct doctor d = {.cx = cx};
    int flag = args_next(&a);

    if (flag == ARGS_PLAIN)
        return args_unexpected(&a);
    if (flag != ARGS_END)
        return EXIT_USAGE;
    check_config(&d);
    doctor_sound(&d);
    doctor_model(&d);
    doctor_state(&d);
    doctor_clips(&d);
    doctor_actions(&d);
    doctor_broker(&d);
    doctor_web(&d);
    doctor_clock(&d);
    if (!cx->json && geteuid() == 0)
        printf("\nThis was looked at as root. What the service may do: sudo -u earshot earshot doctor\n");
    return d.failed ? EXIT_FAILED : EXIT_GOOD;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .summary = "check everything that has to work, and say what to do where it does not",
    .usage =
        "usage: earshot doctor [--json]\n"
        "\n"
        "A line for each of configuration, sound devices and the rights to them, sound servers, microphone, model,\n"
        "state directory, folder of clips, actions, webhooks, broker, page and clock: ok, warn or FAIL, what was\n"
        "found, and the remedy.\n"
        "With --json one object a line: check, result (ok, warn, fail), text, remedy.\n"
        "Exit code 0 if nothing failed, else 1. Takes at most ten seconds, whatever hangs.\n",
    .run = run,
    .raw_config = true,
    .input_flags = true,
};
