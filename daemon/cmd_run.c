/* earshot run: the daemon. Start-up reads as a list, shutdown mirrors it. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/alarms_file.h"
#include "daemon/args.h"
#include "daemon/capture.h"
#include "daemon/clips/clips.h"
#include "daemon/cmd.h"
#include "daemon/cmdline.h"
#include "daemon/commands.h"
#include "daemon/devices.h"
#include "daemon/pipeline.h"
#include "daemon/run_config.h"
#include "daemon/run_control.h"
#include "daemon/run_levels.h"
#include "daemon/run_outputs.h"
#include "daemon/service.h"
#include "daemon/statedir.h"
#include "daemon/teach/watch.h"
#include "model/model.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS          500
#define SAVE_FLOOR_EVERY 1200 /* ticks: 10 minutes */
#define FLUSH_END_S      5.0  /* the input ended: nobody waits for us */
#define FLUSH_CLIPS_S    0.25 /* of that second, for clips that are under way */
#define FLUSH_TERM_S     0.45 /* systemd, or a person, does: the whole stop stays under a second */

struct daemon {
    struct cmd_context *cx;
    struct service *service;
    struct state_lock *lock;
    char state_dir[4096];
    struct pipeline *pipeline;
    struct clips *clips; /* NULL: none are kept */
    struct run_outputs outputs;
    struct run_levels levels;
    struct run_config config;
    struct commands *commands;
    struct daemon_control in; /* what outputs ask of us */
    struct run_control *control;
    struct taught_watch *taught; /* NULL: nobody looks */
    unsigned alarms_tick;        /* ticks in which unseen alarms could not be saved */
    bool has_state, fast;
};

static int set_from_output(void *ctx, const char *name, const void *payload, size_t size, struct err *err)
{
    struct daemon *d = ctx;

    return commands_put(d->commands, COMMAND_MQTT, name, payload, size, NULL, err);
}

static void open_log(const struct config *c)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    enum log_level level = LOG_LEVEL_INFO;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(c->log.level, names[i]) == 0)
            level = (enum log_level)i;
    log_open(service_stderr_is_journal() ? LOG_PRIORITY : LOG_PLAIN, level);
}

/* The store's thread, while the directory could not be had at the start: perhaps somebody has put it right. */
static int state_ready(void *ctx, struct err *err)
{
    struct daemon *d = ctx;

    if (d->lock)
        return 0;
    if (state_dir_make(d->state_dir, err) < 0)
        return -1;
    d->lock = state_lock(d->state_dir, err);
    return d->lock ? 0 : -1;
}

/* Without a state directory the daemon hears and tells all the same: it only keeps nothing. */
static int open_state(struct daemon *d, struct err *err)
{
    struct err why;

    if (state_dir_find(d->cx, d->state_dir, sizeof d->state_dir, &why) < 0) {
        log_warn("%s; going on without: there is no history, events that are not sent yet do not survive the daemon's "
                 "end, and the noise floor is learned anew at each start",
                 why.text);
        if (state_dir_choose(d->cx, d->state_dir, sizeof d->state_dir, &why) < 0)
            d->state_dir[0] = '\0';
        return 0;
    }
    d->lock = state_lock(d->state_dir, err);
    if (!d->lock)
        return -1;
    d->has_state = true;
    double floor_dbfs;
    if (state_load_floor(d->state_dir, &floor_dbfs, &why) == 0)
        d->cx->config.gate.floor_dbfs = floor_dbfs;
    return 0;
}

static void save_floor(struct daemon *d)
{
    struct analysis_levels l;
    struct err why;

    pipeline_levels(d->pipeline, &l);
    if (d->has_state && l.blocks > 100 && isfinite(l.floor_dbfs) &&
        state_save_floor(d->state_dir, (double)l.floor_dbfs, &why) < 0)
        log_warn("%s", why.text);
}

static int open_outputs(struct daemon *d, struct err *err)
{
    d->in.ctx = d;
    d->in.set = set_from_output;
    d->in.state_dir = d->has_state ? d->state_dir : "";
    d->in.labels = pipeline_labels(d->pipeline, &d->in.n_labels);
    struct output *alarms = output_alarms_new();
    if (!alarms)
        return err_set(err, "out of memory");
    d->outputs.list[d->outputs.n++] = alarms;
    struct err why;
    if (d->has_state && alarms_load(alarms, d->state_dir, &why) < 0)
        log_warn("%s; going on without", why.text);
    run_config_start(&d->config, d->pipeline, &d->outputs);
    d->commands = commands_new(&d->config, alarms);
    if (!d->commands)
        return err_set(err, "out of memory or file descriptors");
    d->in.pipeline = d->pipeline;
    d->in.commands = d->commands;
    const struct run_state state = {*d->state_dir ? d->state_dir : NULL, d->has_state ? NULL : state_ready, d};
    return run_outputs_open(&d->outputs, &d->cx->config, d->cx->json, &state, &d->in, err);
}

/* An alarm is up until somebody has seen it, whatever becomes of the daemon meanwhile. */
static void save_alarms(struct daemon *d, bool last)
{
    struct err why;

    if (d->has_state && d->outputs.n && alarms_save(d->outputs.list[0], d->state_dir, &why) < 0 &&
        (last || d->alarms_tick++ % SAVE_FLOOR_EVERY == 0)) /* a full disk is told now and then, not twice a second */
        log_warn("%s", why.text);
}

static void tick(struct daemon *d, unsigned n)
{
    save_alarms(d, false);
    service_watchdog(d->service, pipeline_progress(d->pipeline));
    run_levels_tick(&d->levels, d->pipeline, &d->cx->config, d->outputs.store);
    run_outputs_tick(&d->outputs, d->pipeline, d->service, n);
    if (n % SAVE_FLOOR_EVERY == SAVE_FLOOR_EVERY - 1)
        save_floor(d);
}

static void reload(struct daemon *d)
{
    service_reloading(d->service);
    run_config_reload(&d->config);
    open_log(&d->cx->config);
    commands_announce(d->commands);
    run_levels_recheck(&d->levels);
    service_ready(d->service);
}

/* Returns the seconds that outputs may take to flush. */
static double loop(struct daemon *d)
{
    struct pollfd fds[] = {{service_fd(d->service), POLLIN, 0},
                           {pipeline_end_fd(d->pipeline), POLLIN, 0},
                           {commands_fd(d->commands), POLLIN, 0},
                           {taught_watch_fd(d->taught), POLLIN, 0}};
    int64_t next = clock_ms(CLOCK_MONOTONIC);

    for (unsigned n = 0;;) {
        int64_t wait = next - clock_ms(CLOCK_MONOTONIC);
        if (wait <= 0) {
            tick(d, n++);
            next += TICK_MS * (1 + -wait / TICK_MS);
            continue;
        }
        if (poll(fds, sizeof fds / sizeof *fds, (int)wait) < 0 && errno != EINTR)
            log_error("poll: %s", strerror(errno));
        if (fds[0].revents) {
            switch (service_take(d->service)) {
            case SERVICE_STOP:
                return FLUSH_TERM_S;
            case SERVICE_RELOAD:
                reload(d);
                break;
            case SERVICE_NONE:
                break;
            }
        }
        if (fds[2].revents)
            commands_run(d->commands);
        if (fds[3].revents && taught_watch_take(d->taught, d->cx->config.model.file, d->cx->config.model.hop))
            run_config_taught(&d->config);
        if (fds[1].revents) {
            log_info("the input has ended");
            return FLUSH_END_S;
        }
    }
}

/* What was set and kept must not keep the daemon from starting: a model may be gone since. */
static int open_pipeline(struct daemon *d, struct err *err)
{
    d->pipeline = pipeline_new(&d->cx->config, d->fast, err);
    if (!d->pipeline && run_config_give_up(&d->config, err->text, err) == 0)
        d->pipeline = pipeline_new(&d->cx->config, d->fast, err);
    return d->pipeline ? 0 : -1;
}

static int open_clips(struct daemon *d, struct err *err)
{
    const struct config *c = &d->cx->config;

    if (c->clips.record == CLIPS_OFF)
        return 0;
    if (!d->has_state && !c->clips.dir[0]) {
        log_warn("clips are not kept: there is no state directory, and [clips] dir names no folder");
        return 0;
    }
    d->clips = clips_new(c, d->has_state ? d->state_dir : NULL, d->in.labels, d->in.n_labels, err);
    if (!d->clips)
        return -1;
    pipeline_set_clips(d->pipeline, d->clips);
    return 0;
}

/* Before the model is loaded: what is taught from then on is seen. */
static void open_taught(struct daemon *d)
{
    struct err err;

    if (d->has_state && !(d->taught = taught_watch_new(d->state_dir, &err)))
        log_warn("%s", err.text);
}

static int start(struct daemon *d, struct err *err)
{
    if (!*d->cx->config_path)
        log_info("no configuration file: built-in defaults");
    if (open_state(d, err) < 0)
        return -1;
    run_config_open(&d->config, d->cx, d->has_state ? d->state_dir : NULL);
    open_log(&d->cx->config);
    run_levels_init(&d->levels, d->has_state ? d->state_dir : "");
    open_taught(d);
    if (open_pipeline(d, err) < 0 || open_outputs(d, err) < 0 || open_clips(d, err) < 0)
        return -1;
    if (pipeline_start(d->pipeline, d->outputs.list, d->outputs.n, err) < 0)
        return -1;
    struct health h;
    pipeline_health(d->pipeline, &h);
    log_info("model %s, %zu labels; gate threshold %s", h.model, d->in.n_labels, h.threshold);
    d->control = run_control_new(d->pipeline, &d->outputs, d->commands, d->has_state ? d->state_dir : NULL);
    if (!d->control)
        return err_set(err, "out of memory");
    commands_announce(d->commands);
    run_config_tell_labels(&d->config);
    taught_watch_begin(d->taught, d->cx->config.model.file, d->cx->config.model.hop);
    return 0;
}

static int run_daemon(struct daemon *d)
{
    struct err err;

    mallopt(M_ARENA_MAX,
            1); /* no thread allocates much, or often: one of its own for each would hold memory that nobody uses */
    d->service = service_new(&err);
    if (!d->service)
        return cmd_fail(EXIT_FAILED, "run", "%s", err.text);
    open_log(&d->cx->config);

    int code = EXIT_GOOD;
    double flush_s = 0;
    if (start(d, &err) == 0) {
        service_ready(d->service);
        flush_s = loop(d);
        service_stopping(d->service);
        save_floor(d);
        struct health h;
        pipeline_health(d->pipeline, &h);
        run_outputs_tell_losses(&d->outputs, &h, UINT_MAX);
        if (pipeline_input_broke(d->pipeline))
            code = EXIT_FAILED;
    } else {
        code = cmd_fail(EXIT_USAGE, "run", "%s", err.text);
    }
    run_control_stop(d->control);
    if (d->pipeline)
        pipeline_stop(d->pipeline);
    while (d->control &&
           run_levels_tick(&d->levels, d->pipeline, &d->cx->config, d->outputs.store)) /* NULL: nothing was started */
        run_outputs_tick(&d->outputs, d->pipeline, d->service, 1);
    save_alarms(d, true);
    clips_stop(d->clips, flush_s > FLUSH_TERM_S ? flush_s : FLUSH_CLIPS_S);
    run_outputs_close(&d->outputs, flush_s);
    taught_watch_free(d->taught);
    run_control_free(d->control);
    commands_free(d->commands);
    pipeline_free(d->pipeline);
    state_unlock(d->lock);
    service_free(d->service);
    return code;
}

/* The demo recording lies beside the models that ship. */
static int use_demo(struct cmd_context *cx, struct err *err)
{
    char path[CONFIG_TEXT - 32], device[CONFIG_TEXT];

    if (model_find("earshot-s", path, sizeof path, err) < 0)
        return -1;
    char *slash = strrchr(path, '/');
    snprintf(device, sizeof device, "file:%.*s/demo.flac", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return cmdline_set(cx, "input.device", device, err); /* a reload must not ask for the microphone again */
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_FAST, FLAG_OR_DEMO };
    static const struct arg_flag flags[] = {
        [FLAG_FAST] = {"fast", 0, NULL},
        [FLAG_OR_DEMO] = {"or-demo", 0, NULL},
        {NULL, 0, NULL},
    };
    struct daemon d = {.cx = cx};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    bool or_demo = false;
    struct err err;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        switch (flag) {
        case FLAG_FAST:
            d.fast = true;
            break;
        case FLAG_OR_DEMO:
            or_demo = true;
            break;
        case ARGS_PLAIN:
            return args_unexpected(&a);
        default:
            return EXIT_USAGE;
        }
    }
    devices_prepare();
    if (d.fast && strncmp(cx->config.input.device, "file:", 5) != 0)
        return cmd_fail(EXIT_USAGE, "run", "--fast goes with --input file:PATH alone");
    if (or_demo && strcmp(cx->config.input.device, "default") == 0 && !capture_any_device()) {
        if (use_demo(cx, &err) < 0)
            return cmd_fail(EXIT_FAILED, "run", "%s", err.text);
        fprintf(stderr, "no capture device on this machine: listening to the bundled demo recording instead\n");
    }
    return run_daemon(&d);
}

const struct command cmd_run = {
    .name = "run",
    .summary = "listen, recognise, and tell (the daemon, in the foreground)",
    .usage = "usage: earshot run [--input WHAT] [--model MODEL] [--fast] [--or-demo] [--SECTION.NAME=VALUE ...]\n"
             "\n"
             "Listens until SIGTERM or Ctrl-C, or until the input ends.\n"
             "\n"
             "  --input WHAT     a device: \"default\", its name, part of it, or its number (see earshot devices);\n"
             "                   file:PATH, played at the speed of a microphone; - for raw s16le on stdin\n"
             "  --rate HZ        sample rate of stdin (16000), or the one to ask of the device (its own)\n"
             "  --channels N     interleaved channels on stdin (1)\n"
             "  --fast           with file:PATH: as fast as it goes\n"
             "  --model MODEL    name or path of a model (earshot-s)\n"
             "  --or-demo        on a machine without any capture device listen to the bundled demo recording\n"
             "  --json           events as JSON, one a line, on stdout\n"
             "\n"
             "SIGHUP reads the configuration again. Exit code: 0 clean stop, 1 it failed or the input broke off, 2 "
             "wrong usage\n"
             "or configuration.\n",
    .input_flags = true,
    .run = run,
};
