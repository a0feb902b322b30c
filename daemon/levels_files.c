#include "daemon/levels_files.h"

#include "audio/downmix.h"
#include "base/json.h"
#include "daemon/sound.h"
#include "daemon/sound_report.h"
#include <stdio.h>

#define PIECE 4096 /* frames */

static int measure(const struct config *c, struct sound *s, struct soundlevel_figures *out, struct err *err)
{
    float x[PIECE], gain = downmix_gain(c->input.gain_db);
    struct soundlevel *m = soundlevel_new(&(struct soundlevel_params){.rate = sound_rate(s),
                                                                      .full_scale = (double)gain,
                                                                      .third_octave = c->level.third_octave},
                                          err);
    long got = -1;

    while (m && (got = sound_read(s, x, PIECE, err)) > 0) {
        for (long i = 0; i < got; i++)
            x[i] *= gain;
        soundlevel_do(m, x, (size_t)got);
    }
    if (m)
        soundlevel_take(m, SOUNDLEVEL_SHORT, true, out);
    soundlevel_free(m);
    return got < 0 ? -1 : 0;
}

static void print_json(const char *file, const struct sound_report *r)
{
    json_t *o = json_pack("{s:o, s:i}", "file", json_text(file), "rate", (int)r->last.rate);
    sound_json_period(o, r);
    json_object_del(o, "laf"); /* a needle at the end of a file says nothing */
    json_object_del(o, "las");
    json_object_del(o, "start");
    json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(o);
}

static void print_text(const char *file, const struct sound_report *r)
{
    char text[2048], class1[160];
    sound_text(&r->last, &r->calibration, text, sizeof text);
    printf("%s\n%s\n", file, text);
    if (r->last.overloads > 0)
        printf("Full scale is reached in %u of %u blocks of 10 ms: the sound was louder than that.\n",
               r->last.overloads, r->last.blocks);
    if (r->last.lost_s > 0)
        printf("%.2f s hold no numbers and were left out.\n", r->last.lost_s);
    sound_class1_text(&r->last, class1, sizeof class1);
    if (*class1)
        printf("Note: %s.\n", class1);
}

int levels_files(struct cmd_context *cx, const char *command, char *const *files, int n)
{
    int code = EXIT_GOOD;
    struct err err;

    for (int i = 0; i < n; i++) {
        struct sound_report r = {.on = true, .number = 1};
        struct sound *s = sound_open(files[i], &err);
        if (!s || measure(&cx->config, s, &r.last, &err) < 0) {
            code = cmd_fail(EXIT_FAILED, command, "%s", err.text);
            sound_close(s);
            continue;
        }
        sound_close(s);
        if (calibration_find("", &cx->config, files[i], &r.calibration, &err) < 0) /* of [level] sensitivity alone */
            return cmd_fail(EXIT_FAILED, command, "%s", err.text);
        if (cx->json)
            print_json(files[i], &r);
        else
            print_text(files[i], &r);
        if (cmd_flush())
            return code;
    }
    return code;
}
