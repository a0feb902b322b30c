/* earshot calibrate: what turns the input's dBFS into decibels, from a calibrator's tone or as stated. */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/args.h"
#include "daemon/calibration.h"
#include "daemon/devices.h"
#include "daemon/statedir.h"
#include "daemon/tone_source.h"
#include "event/event.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_LEVEL   94.0
#define DEFAULT_SECONDS 30.0
#define NAME_SECONDS    5.0 /* that an input may take to say its name */

struct calibrate {
    const char *command;
    struct cmd_context *cx;
    char dir[4096];
    double level_db, sensitivity, seconds;
    bool stated;
    struct tone_heard heard;
};

static double now_s(void)
{
    return clock_s(CLOCK_MONOTONIC);
}

/* Says what is heard, once for each kind of it. */
static void say(struct calibrate *c, enum tone_verdict *said, bool absent)
{
    char text[256];
    enum tone_verdict v = absent ? TONE_NONE : c->heard.tone.verdict;
    if (c->cx->json || v == *said || v == TONE_NONE)
        return;
    *said = v;
    tone_text(&c->heard.tone, text, sizeof text);
    fprintf(stderr, "heard: %s\n", text);
}

static int no_tone(const struct calibrate *c, bool ended)
{
    char text[256];
    if (strcmp(c->heard.input_state, "ok") != 0 && c->heard.tone.verdict == TONE_NONE)
        return cmd_fail(EXIT_FAILED, c->command, "the input is %s: nothing can be heard",
                        *c->heard.input_state ? c->heard.input_state : "absent");
    tone_text(&c->heard.tone, text, sizeof text);
    return cmd_fail(EXIT_FAILED, c->command,
                    "no tone of %.0f Hz that stood still for %.0f s %s; last heard: %s. Nothing was changed", TONE_HZ,
                    TONE_SECONDS, ended ? "before the input ended" : "in the time given", text);
}

/* Waits until the tone has stood still for long enough. */
static int hear_tone(struct calibrate *c, struct tone_source *s)
{
    double end = now_s() + c->seconds;
    enum tone_verdict said = TONE_NONE;
    struct err err;

    if (!c->cx->json)
        fprintf(stderr, "Put the calibrator on the microphone: %g dB, 1 kHz. Listening for up to %g s.\n", c->level_db,
                c->seconds);
    for (int rc = 1; rc > 0 && now_s() < end;) {
        rc = tone_source_next(s, &c->heard, &err);
        if (rc < 0)
            return cmd_fail(EXIT_FAILED, c->command, "%s", err.text);
        bool absent = strcmp(c->heard.input_state, "ok") != 0;
        const struct tone_state *t = &c->heard.tone;
        if (t->verdict == TONE_GOOD && t->steady_s >= TONE_SECONDS)
            return EXIT_GOOD;
        say(c, &said, absent);
        if (rc == 0)
            return no_tone(c, true);
    }
    return no_tone(c, false);
}

/* A stated sensitivity belongs to an input, too: what is it called? */
static int hear_name(struct calibrate *c, struct tone_source *s)
{
    double end = now_s() + NAME_SECONDS;
    struct err err;
    for (int rc = 1; rc > 0 && now_s() < end;) {
        rc = tone_source_next(s, &c->heard, &err);
        if (rc < 0)
            return cmd_fail(EXIT_FAILED, c->command, "%s", err.text);
        if (*c->heard.device)
            return EXIT_GOOD;
    }
    return cmd_fail(EXIT_FAILED, c->command, "the input is %s: what is stated has to be of one that is there",
                    *c->heard.input_state ? c->heard.input_state : "absent");
}

static void report(const struct calibrate *c, const struct calibration *found)
{
    const struct tone_heard *h = &c->heard;
    if (c->cx->json) {
        json_t *o = json_pack("{s:o, s:s, s:f, s:s, s:o}", "device", json_text(h->device), "channel", h->channel,
                              "gain_db", h->gain_db, "how", found->how, "offset_db", json_decimal(found->offset_db, 3));
        if (!c->stated) {
            json_object_set_new(o, "level_db", json_decimal(c->level_db, 2));
            json_object_set_new(o, "level_dbfs", json_decimal(h->tone.mean_dbfs, 3));
            json_object_set_new(o, "hz", json_decimal(h->tone.hz, 2));
            json_object_set_new(o, "span_db", json_decimal(h->tone.span_db, 3));
        }
        json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
        return;
    }
    if (!c->stated)
        printf("%s: the tone, %.1f Hz, is %.2f dBFS and moved by %.2f dB.\n", h->device, h->tone.hz, h->tone.mean_dbfs,
               h->tone.span_db);
    printf("%s, channel %s, gain %g dB: 0 dBFS is %.2f dB from now on (kept in %s/calibration).\n", h->device,
           h->channel, h->gain_db, found->offset_db, c->dir);
    if (c->cx->config.level.sensitivity < LEVEL_CALIBRATED)
        printf("But [level] sensitivity of the configuration goes before this: set it to \"calibration\".\n");
}

static int keep(struct calibrate *c)
{
    struct tone_heard *h = &c->heard;
    struct calibration found = {.calibrated = true};
    struct config as = c->cx->config; /* of the input that was heard: the daemon's, if it was the daemon's */
    struct err err;

    snprintf(as.input.channel, sizeof as.input.channel, "%s", h->channel);
    as.input.gain_db = h->gain_db;
    snprintf(found.how, sizeof found.how, "%s", c->stated ? "stated" : "tone");
    rfc3339_utc(found.time, clock_ns(CLOCK_REALTIME));
    found.offset_db = c->stated ? calibration_stated(c->sensitivity, h->gain_db) : c->level_db - h->tone.mean_dbfs;
    if (calibration_save(c->dir, &as, h->device, &found, c->stated ? 94 : c->level_db, &err) < 0)
        return cmd_fail(EXIT_FAILED, c->command, "%s", err.text);
    report(c, &found);
    return EXIT_GOOD;
}

static int calibrate(struct calibrate *c)
{
    struct err err;
    if (state_dir_find(c->cx, c->dir, sizeof c->dir, &err) < 0)
        return cmd_fail(EXIT_FAILED, c->command, "%s", err.text);
    log_open(LOG_PLAIN, LOG_LEVEL_ERROR); /* this itself says how the input fares */
    struct tone_source *s = tone_source_open(c->cx, c->dir, &err);
    if (!s)
        return cmd_fail(EXIT_FAILED, c->command, "%s", err.text);
    int code = c->stated ? hear_name(c, s) : hear_tone(c, s);
    tone_source_close(s);
    return code == EXIT_GOOD ? keep(c) : code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_LEVEL, FLAG_SENSITIVITY, FLAG_SECONDS };
    static const struct arg_flag flags[] = {[FLAG_LEVEL] = {"level", 'l', "DB"},
                                            [FLAG_SENSITIVITY] = {"sensitivity", 0, "DBFS"},
                                            [FLAG_SECONDS] = {"seconds", 's', "N"},
                                            {0}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    struct calibrate c = {.command = argv[0], .cx = cx, .level_db = DEFAULT_LEVEL, .seconds = DEFAULT_SECONDS};
    bool level = false;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        int rc = 0;
        if (flag == FLAG_LEVEL)
            rc = args_number(&a, 60, 140, &c.level_db);
        else if (flag == FLAG_SENSITIVITY)
            rc = args_number(&a, -120, 0, &c.sensitivity);
        else if (flag == FLAG_SECONDS)
            rc = args_number(&a, TONE_SECONDS, 3600, &c.seconds);
        else
            return flag == ARGS_PLAIN ? args_unexpected(&a) : EXIT_USAGE;
        if (rc)
            return EXIT_USAGE;
        level |= flag == FLAG_LEVEL;
        c.stated |= flag == FLAG_SENSITIVITY;
    }
    if (c.stated && level)
        return cmd_fail(EXIT_USAGE, argv[0], "--level is of a tone, --sensitivity of a data sheet: one of the two");
    devices_prepare();
    return calibrate(&c);
}

const struct command cmd_calibrate = {
    .name = "calibrate",
    .summary = "make decibels of the level meter's dBFS, by a sound calibrator or a data sheet",
    .usage =
        "usage: earshot calibrate [--level DB] [--seconds N]\n"
        "       earshot calibrate --sensitivity DBFS\n"
        "\n"
        "Listens for the tone of a sound calibrator (1 kHz, 94 dB) on the microphone and keeps what 0 dBFS is in\n"
        "decibels, for this input, channel and gain. The tone has to be clean and to stand still for three seconds;\n"
        "noise, another frequency, a level that moves and clipping are refused. The running daemon is asked for what\n"
        "it hears, and uses the result at once. Without a daemon, or with any option set on the command line, the\n"
        "microphone is opened here.\n"
        "\n"
        "  -l, --level DB        the calibrator's level (94)\n"
        "  -s, --seconds N       listen for up to N seconds (30)\n"
        "  --sensitivity DBFS    no tone: the level at 94 dB that the microphone's data sheet states, such as -26; a\n"
        "                        full-scale sine is 0 dBFS there. Levels are as right as that figure is.\n"
        "  --json                one object\n"
        "\n"
        "Exit code 0 if a calibration was kept, 1 if not: then nothing is changed.\n",
    .input_flags = true,
    .run = run,
};
