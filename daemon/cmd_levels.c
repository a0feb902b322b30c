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
    struct analysis_levels levels;
    float peak_dbfs; /* highest since the last line */
    char state[32], problem[256], said[300];
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

static void show_text(struct meter *m)
{
    char line[320], state[300] = "";
    bool ok = strcmp(m->state, "ok") == 0;
    if (!ok || *m->problem)
        snprintf(state, sizeof state, "input %s%s%s", m->state, *m->problem ? ": " : "", m->problem);
    if (strcmp(state, m->said) != 0) {
        printf("%s%s\n", m->terminal ? "\r\033[K" : "", *state ? state : "input ok");
        snprintf(m->said, sizeof m->said, "%s", state);
    }
    if (!ok)
        return;
    meter_line(&m->levels, line, sizeof line, m->terminal ? columns() : 120);
    if (m->terminal)
        printf("\r%s\033[K", line);
    else if (m->shown % PLAIN_EVERY == PLAIN_EVERY - 1)
        printf("%s\n", line);
}

/* Every INTERVAL_NS. -1: nobody reads it any more. */
static int show(struct meter *m)
{
    if (m->peak_dbfs > m->levels.peak_dbfs)
        m->levels.peak_dbfs = m->peak_dbfs;
    if (strcmp(m->state, "ok") == 0)
        meter_see(&m->seen, &m->levels);
    if (m->json) {
        json_t *o = level_json(&m->levels, m->state, m->problem);
        json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
        putchar('\n');
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
    meter_advice(&m->seen, &m->levels, advice, sizeof advice);
    printf("%s%s\n", m->terminal ? "\n" : "", advice);
}

/* --- through the daemon --- */

static int follow_daemon(struct meter *m, struct control_client *daemon, struct err *err)
{
    if (control_send(daemon, json_pack("{s:s}", "cmd", "levels"), err))
        return cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
    while (!over(m, 0)) {
        json_t *reply = control_receive(daemon, ANSWER_S, err);
        int e =
            reply ? level_read(reply, &m->levels, m->state, sizeof m->state, m->problem, sizeof m->problem, err) : -1;
        json_decref(reply);
        if (e)
            return over(m, 0) ? EXIT_GOOD : cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
        m->peak_dbfs = fmaxf(m->peak_dbfs, m->levels.peak_dbfs);
        if (show(m))
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
    struct miccheck check;
    int channel;
    float gain;
    uint32_t epoch;
    uint64_t frame; /* that should come next */
    bool ended;
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
    if (b->frame > s->frame)
        analysis_lost(s->analysis, b->frame - s->frame);
    s->frame = b->frame + b->frames;
    downmix_do(b->samples, b->frames, b->channels, s->channel, s->gain, mono);
    analysis_do(s->analysis, mono, b->frames);
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
        analysis_get_levels(s->analysis, &m->levels);
        m->peak_dbfs = fmaxf(m->peak_dbfs, m->levels.peak_dbfs);
    }
    return 0;
}

static void take_state(struct meter *m, struct listener *s)
{
    struct capture_state state;
    capture_get_state(s->capture, &state);
    snprintf(m->state, sizeof m->state, "%s", s->ended ? "ended" : state.state);
    snprintf(m->problem, sizeof m->problem, "%s",
             *state.reason ? state.reason
             : s->analysis ? miccheck_do(&s->check, &m->levels)
                           : "");
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
    s.capture = capture_new(config, false, err);
    if (!s.capture)
        return cmd_fail(EXIT_FAILED, m->command, "%s", err->text);
    miccheck_init(&s.check);
    int code = listen_until_over(m, &s, err);
    capture_free(s.capture);
    analysis_free(s.analysis);
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
    m.levels =
        (struct analysis_levels){.rms_dbfs = -120, .peak_dbfs = -120, .floor_dbfs = (float)cx->config.gate.floor_dbfs};

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        if (flag == ARGS_PLAIN)
            return args_unexpected(&a);
        if (flag != FLAG_SECONDS || args_number(&a, 0.1, 1e6, &m.seconds))
            return EXIT_USAGE;
    }
    struct err err = {""};
    char dir[4096] = "";
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
    .summary = "show a live level meter, to find a threshold for the gate",
    .usage =
        "usage: earshot levels [--json] [--seconds N]\n"
        "\n"
        "Shows what the microphone hears: level and peak in dBFS, the noise floor (:), the level at which the gate\n"
        "opens (|), and whether it is open. Ends with Ctrl-C and advice on [gate] threshold. Where the output is no\n"
        "terminal: a line a second; with --json: one object every 0.1 s.\n"
        "\n"
        "While the daemon runs, it is asked, and shows the levels that it works with. Without a daemon, or with any\n"
        "option set on the command line, the microphone is opened here.\n"
        "\n"
        "  -s, --seconds N   stop after N seconds\n",
    .input_flags = true,
    .run = run,
};
