/* A live meter: through the running daemon, which alone may have the microphone, else with the microphone itself. */
#include "audio/downmix.h"
#include "audio/miccheck.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/args.h"
#include "daemon/capture.h"
#include "daemon/cmd.h"
#include "daemon/control.h"
#include "daemon/level_json.h"
#include "daemon/level_meter.h"
#include "daemon/levels_files.h"
#include "daemon/sound_meter.h"
#include "daemon/statedir.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define INTERVAL_NS 100000000LL /* between two lines of --json, two drawings of the bar */
#define PLAIN_EVERY 10          /* intervals to a line where nothing can be drawn over */
#define POLL_MS     10
#define MODEL_RATE  16000 /* any will do: what the model would hear is thrown away */
#define ANSWER_S    3.0

struct meter {
    const char *command;
    bool json, terminal;
    double seconds; /* 0: until Ctrl-C */
    int signals;    /* signalfd */
    int64_t begin_ns;
    unsigned shown;
    struct level_report report;
    float peak_dbfs; /* highest since the last line */
    char said[300];
    const char *state_dir;
    json_t *reply; /* the daemon's last, as it came; NULL where there is none */
    struct meter_seen seen;
};

/* Over, by Ctrl-C or --seconds? Waits up to ms for the former. */
static bool over(const struct meter *m, int ms)
{
    struct pollfd p = {.fd = m->signals, .events = POLLIN};
    if (poll(&p, 1, ms) > 0)
        return true;
    return m->seconds > 0 && (double)(clock_ns(CLOCK_MONOTONIC) - m->begin_ns) >= m->seconds * 1e9;
}

static int columns(void)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col - 1 : 79;
}

/* What the level meter's needle shows: "LAF   45.2 dB(A)". */
static void sound_now(const struct level_report *r, char *out, size_t size)
{
    double laf = (double)r->sound.now.laf + r->sound.calibration.offset_db;
    out[0] = '\0';
    if (r->sound.on && isfinite(laf))
        snprintf(out, size, " LAF %6.1f %s", laf, r->sound.calibration.calibrated ? "dB(A)" : "dBFS(A)");
}

static void show_text(struct meter *m)
{
    char line[320], state[300] = "", sound[32];
    const struct level_report *r = &m->report;
    bool ok = strcmp(r->input_state, "ok") == 0;
    if (!ok || *r->input_problem)
        snprintf(state, sizeof state, "input %s%s%s", r->input_state, *r->input_problem ? ": " : "", r->input_problem);
    if (strcmp(state, m->said) != 0) {
        printf("%s%s\n", m->terminal ? "\r\033[K" : "", *state ? state : "input ok");
        snprintf(m->said, sizeof m->said, "%s", state);
    }
    if (!ok)
        return;
    sound_now(r, sound, sizeof sound);
    meter_line(&r->levels, line, sizeof line, (m->terminal ? columns() : 140) - (int)strlen(sound));
    if (m->terminal)
        printf("\r%s%s\033[K", line, sound);
    else if (m->shown % PLAIN_EVERY == PLAIN_EVERY - 1)
        printf("%s%s\n", line, sound);
}

static void print_line(const json_t *o)
{
    json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
    putchar('\n');
}

/* Every INTERVAL_NS. -1: nobody reads it any more. */
static int show(struct meter *m)
{
    struct analysis_levels *l = &m->report.levels;
    if (m->peak_dbfs > l->peak_dbfs)
        l->peak_dbfs = m->peak_dbfs;
    if (strcmp(m->report.input_state, "ok") == 0)
        meter_see(&m->seen, l);
    if (m->json && m->reply) {
        json_object_del(m->reply, "ok");
        print_line(m->reply);
    } else if (m->json) {
        json_t *o = level_json(&m->report);
        print_line(o);
        json_decref(o);
    } else {
        show_text(m);
    }
    if (m->json || m->shown % PLAIN_EVERY == PLAIN_EVERY - 1)
        m->peak_dbfs = -INFINITY;
    m->shown++;
    return cmd_flush();
}

static void finish(struct meter *m)
{
    char advice[400];
    if (m->json)
        return;
    meter_advice(&m->seen, &m->report.levels, advice, sizeof advice);
    printf("%s%s\n", m->terminal ? "\n" : "", advice);
    if (m->report.sound.on && !m->report.sound.calibration.calibrated)
        printf("Sound levels are uncalibrated, so in dBFS(A): `earshot calibrate` makes decibels of them.\n");
}

/* --- through the daemon --- */

/* One answer. 0: go on; 1: nobody reads it any more; -1: none came. */
static int take_answer(struct meter *m, struct control_client *daemon, struct err *err)
{
    m->reply = control_receive(daemon, ANSWER_S, err);
    int rc = m->reply && level_read(m->reply, &m->report, err) == 0 ? 0 : -1;
    m->peak_dbfs = fmaxf(m->peak_dbfs, m->report.levels.peak_dbfs);
    if (rc == 0)
        rc = show(m) != 0;
    json_decref(m->reply);
    m->reply = NULL;
    return rc;
}

static int follow_daemon(struct meter *m, struct control_client *daemon, struct err *err)
{
    if (control_send(daemon, json_pack("{s:s}", "cmd", "levels"), err))
        return cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
    while (!over(m, 0)) {
        int rc = take_answer(m, daemon, err);
        if (rc < 0)
            return over(m, 0) ? EXIT_GOOD : cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
        if (rc > 0)
            break;
    }
    finish(m);
    return EXIT_GOOD;
}

/* --- with the microphone itself --- */

struct listener {
    const struct config *config;
    struct capture *capture;
    struct analysis *analysis; /* NULL until the first block told the rate */
    struct sound_meter *meter; /* NULL: switched off */
    struct miccheck check;
    int channel;
    float gain;
    uint32_t epoch;
    uint64_t frame;         /* that should come next */
    bool ended, calibrated; /* the latter: looked for */
};

static void ignore_window(void *ctx, const struct window *window)
{
    (void)ctx;
    (void)window;
}

/* For a new stream, whose rate may be another. The noise floor is carried over. */
static int begin_stream(struct listener *s, unsigned rate, struct err *err)
{
    struct analysis_params p = {.device_rate = rate,
                                .model_rate = MODEL_RATE,
                                .window_s = 1,
                                .hop_s =
                                    s->config->model.hop > 0 && s->config->model.hop <= 1 ? s->config->model.hop : 0.5,
                                .gate = s->config->gate};
    struct analysis_levels before;
    if (s->analysis) {
        analysis_get_levels(s->analysis, &before);
        p.gate.floor_dbfs = before.floor_dbfs;
    }
    analysis_free(s->analysis);
    s->analysis = analysis_new(&p, NULL, ignore_window, NULL, err);
    s->frame = 0;
    struct err why;
    if (s->meter && sound_meter_begin(s->meter, rate, s->gain, &why) < 0)
        log_warn("no sound levels: %s", why.text);
    return s->analysis ? 0 : -1;
}

static int take_block(struct listener *s, const struct audio_block *b, struct err *err)
{
    float mono[BLOCK_SAMPLES];
    if (b->frames && (b->epoch != s->epoch || !s->analysis)) {
        if (begin_stream(s, b->rate, err))
            return -1;
        s->epoch = b->epoch;
    }
    s->ended = b->flags & BLOCK_END;
    if (!b->frames)
        return 0;
    uint64_t gap = b->frame > s->frame ? b->frame - s->frame : 0;
    if (gap > 0)
        analysis_lost(s->analysis, gap);
    s->frame = b->frame + b->frames;
    downmix_do(b->samples, b->frames, b->channels, s->channel, s->gain, mono);
    analysis_do(s->analysis, mono, b->frames);
    if (s->meter) {
        sound_meter_clock(s->meter, clock_ns(CLOCK_REALTIME));
        sound_meter_lost(s->meter, gap);
        sound_meter_do(s->meter, mono, b->frames);
    }
    return 0;
}

/* All that the ring holds. */
static int take_blocks(struct meter *m, struct listener *s, struct err *err)
{
    struct ring *ring = capture_ring(s->capture);
    const struct audio_block *b;
    while (!s->ended && (b = ring_peek(ring))) {
        int e = take_block(s, b, err);
        ring_release(ring);
        if (e)
            return -1;
        if (!s->analysis)
            continue;
        analysis_get_levels(s->analysis, &m->report.levels);
        m->peak_dbfs = fmaxf(m->peak_dbfs, m->report.levels.peak_dbfs);
    }
    return 0;
}

static void take_sound(struct meter *m, struct listener *s, const char *device)
{
    struct sound_report *r = &m->report.sound;
    struct sound_row row;
    struct err err;
    if (!s->meter)
        return;
    if (!s->calibrated && *device) {
        if (calibration_find(m->state_dir, s->config, device, &r->calibration, &err) < 0)
            log_error("%s; sound levels are uncalibrated", err.text);
        s->calibrated = true;
    }
    sound_meter_get_now(s->meter, &r->now);
    while (sound_meter_take(s->meter, &row))
        if (row.period == SOUNDLEVEL_SHORT) {
            r->last = row.figures;
            r->number++;
        }
}

static void take_state(struct meter *m, struct listener *s)
{
    struct capture_state state;
    capture_get_state(s->capture, &state);
    snprintf(m->report.input_state, sizeof m->report.input_state, "%s", s->ended ? "ended" : state.state);
    snprintf(m->report.input_problem, sizeof m->report.input_problem, "%s",
             *state.reason ? state.reason
             : s->analysis ? miccheck_do(&s->check, &m->report.levels)
                           : "");
    take_sound(m, s, state.name);
}

static int listen_until_over(struct meter *m, struct listener *s, struct err *err)
{
    int64_t next = clock_ns(CLOCK_MONOTONIC) + INTERVAL_NS;
    while (!over(m, POLL_MS) && !s->ended) {
        if (take_blocks(m, s, err))
            return cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
        if (clock_ns(CLOCK_MONOTONIC) < next)
            continue;
        next += INTERVAL_NS;
        take_state(m, s);
        if (show(m))
            break;
    }
    finish(m);
    return EXIT_GOOD;
}

static int listen_here(struct meter *m, const struct config *config, struct err *err)
{
    struct listener s = {.config = config, .gain = downmix_gain(config->input.gain_db)};
    if (downmix_parse(config->input.channel, &s.channel, err))
        return cmd_fail(EXIT_USAGE, m->command, "[input] %s", err->text);
    log_open(LOG_PLAIN, LOG_LEVEL_ERROR); /* the meter itself says how the input fares */
    m->report.sound.on = config->level.enabled;
    if (config->level.enabled && !(s.meter = sound_meter_new(config, NULL, err)))
        return cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
    s.capture = capture_new(config, false, err);
    if (!s.capture) {
        sound_meter_free(s.meter);
        return cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
    }
    miccheck_init(&s.check);
    int code = listen_until_over(m, &s, err);
    capture_free(s.capture);
    analysis_free(s.analysis);
    sound_meter_free(s.meter);
    return code;
}

/* Ctrl-C is an ordinary end. Blocked before any thread is made, so that all of them leave it to the signalfd. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_SECONDS };
    static const struct arg_flag flags[] = {[FLAG_SECONDS] = {"seconds", 's', "N"}, {0}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    struct meter m = {.command = argv[0], .json = cx->json, .terminal = isatty(STDOUT_FILENO), .peak_dbfs = -INFINITY};
    m.report.levels =
        (struct analysis_levels){.rms_dbfs = -120, .peak_dbfs = -120, .floor_dbfs = (float)cx->config.gate.floor_dbfs};
    m.report.sound.now = (struct soundlevel_now){.laf = -INFINITY, .las = -INFINITY};
    int files = 0;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        if (flag == ARGS_PLAIN)
            argv[files++] = argv[a.used - 1]; /* in place: what was read is not looked at again */
        else if (flag != FLAG_SECONDS || args_number(&a, 0.1, 1e6, &m.seconds))
            return EXIT_USAGE;
    }
    if (files > 0)
        return levels_files(cx, m.command, argv, files);
    struct err err = {""};
    char dir[4096] = "";
    m.state_dir = dir;
    if (state_dir_find(cx, dir, sizeof dir, &err))
        dir[0] = '\0'; /* the daemon may be reached at another place all the same */
    m.signals = open_signals();
    m.begin_ns = clock_ns(CLOCK_MONOTONIC);
    /* what was set on the command line is not what the daemon runs with */
    struct control_client *daemon = cx->n_assignments == 0 ? control_connect(dir, &err) : NULL;
    int code = daemon ? follow_daemon(&m, daemon, &err) : listen_here(&m, &cx->config, &err);
    control_close(daemon);
    close(m.signals);
    return code;
}

const struct command cmd_levels = {
    .name = "levels",
    .summary = "show a live level meter, to find a threshold for the gate; measure recordings",
    .usage =
        "usage: earshot levels [--json] [--seconds N]\n"
        "       earshot levels [--json] FILE...\n"
        "\n"
        "Shows what the microphone hears: level and peak in dBFS, the noise floor (:), the level at which the gate\n"
        "opens (|), and whether it is open. Ends with Ctrl-C and advice on [gate] threshold. Where the output is no\n"
        "terminal: a line a second; with --json: one object every 0.1 s.\n"
        "\n"
        "While the daemon runs, it is asked, and shows the levels that it works with. Without a daemon, or with any\n"
        "option set on the command line, the microphone is opened here.\n"
        "\n"
        "LAF is the sound level, A-weighted, Fast: in dB(A) once the input is calibrated (see earshot calibrate).\n"
        "\n"
        "With FILE: LAeq, LAFmax, LCpeak, L10, L50, L90 and more of each recording as a whole (the mean of its\n"
        "channels). --level.sensitivity=DBFS says what 94 dB are in it, a full-scale sine being 0 dBFS.\n"
        "\n"
        "  -s, --seconds N   stop after N seconds\n",
    .input_flags = true,
    .run = run,
};
