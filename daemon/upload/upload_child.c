/* earshot classify-upload: not for people. The daemon starts it for each sound that was sent (daemon/upload/upload.h). What the file
 * does not decide comes first: configuration, model, all that lies on the disk. Then the doors are closed, and the file is looked at. */
#include "audio/wavcut.h"
#include "base/json.h"
#include "daemon/args.h"
#include "daemon/classify.h"
#include "daemon/classify_print.h"
#include "daemon/classify_settings.h"
#include "daemon/cmd.h"
#include "daemon/sound.h"
#include "daemon/upload/sandbox.h"
#include "daemon/upload/upload.h"
#include "daemon/upload/upload_summary.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FLAG_NAME, FLAG_PARENT, FLAG_LONGEST, TOP = 5 };
static const struct arg_flag flags[] = {[FLAG_NAME] = {"name", 0, "NAME"},
                                        [FLAG_PARENT] = {"parent", 0, "PID"},
                                        [FLAG_LONGEST] = {"longest", 0, "SECONDS"},
                                        {NULL, 0, NULL}};

struct job {
    const char *name;
    struct classifier *classifier;
    struct classify_params params;
    double seconds; /* of sound so far */
    long longest_s;
    struct err err;
};

/* The last line on standard error is what the client reads. */
static enum upload_result fail(const struct job *j, enum upload_result result)
{
    fprintf(stderr, "%s\n", j->err.text);
    return result;
}

/* Ends with the daemon, and stays out of the way of listening. */
static int settle(long parent, struct err *err)
{
    const struct sched_param none = {.sched_priority = 0};

    prctl(PR_SET_NAME, "earshot-upload");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent && getppid() != (pid_t)parent)
        return err_set(err, "the daemon has ended");
    if (setpriority(PRIO_PROCESS, 0, 10) < 0) /* the service's sandbox does not let it */
        sched_setscheduler(0, SCHED_IDLE, &none);
    return 0;
}

/* Far beyond what a house records: what goes on for longer was made to. */
static void watch_length(void *ctx, double seconds)
{
    struct job *j = ctx;

    j->seconds += seconds;
    if (j->seconds <= (double)j->longest_s)
        return;
    err_set(&j->err, "%s: holds more than %ld minutes of sound", j->name ? j->name : "the file", j->longest_s / 60);
    fail(j, UPLOAD_TOO_LONG);
    _exit(UPLOAD_TOO_LONG);
}

static enum upload_result answer(struct job *j, struct sound *s, struct summary *summary)
{
    const char *shown = j->name ? j->name : "the file";
    const struct classification *c = classifier_do_sound(j->classifier, s, shown, watch_length, j, &j->err);

    if (!c || c->broken)
        return fail(j, UPLOAD_BROKEN);
    json_t *o = classify_json_object(j->name ? j->name : "", c, TOP);
    if (o && !j->name)
        json_object_set_new(o, "file", json_null());
    if (!o || summary_json(summary, o) < 0 || json_dumpf(o, stdout, JSON_LINE) < 0 || putchar('\n') == EOF ||
        fflush(stdout) == EOF) {
        err_set(&j->err, "no memory for the answer");
        return fail(j, UPLOAD_TOO_LONG);
    }
    return UPLOAD_GOOD;
}

static enum upload_result look(struct job *j)
{
    bool broken;
    uint64_t have, claimed;
    const struct sandbox_limits limits = {
        .cpu_s = UPLOAD_CPU_S, .memory = (size_t)UPLOAD_MEMORY_MIB << 20, .output = (size_t)UPLOAD_ANSWER_MIB << 20};

    if (sandbox_enter(&limits, &j->err) < 0)
        return fail(j, UPLOAD_FAILED);
    if (wavcut(STDIN_FILENO, &have, &claimed)) {
        err_set(&j->err, "%s: breaks off: of %" PRIu64 " bytes of sound %" PRIu64 " are there",
                j->name ? j->name : "the file", claimed, have);
        return fail(j, UPLOAD_BROKEN);
    }
    struct sound *s = sound_open_fd(STDIN_FILENO, j->name ? j->name : "the file", &broken, &j->err);
    if (!s)
        return fail(j, broken ? UPLOAD_BROKEN : UPLOAD_NOT_AUDIO);
    struct summary *summary = summary_new(j->classifier, sound_rate(s), j->params.hop_s, &j->err);
    return summary ? answer(j, s, summary) : fail(j, UPLOAD_BROKEN);
}

static int read_arguments(struct job *j, long *parent, int argc, char **argv)
{
    struct args a = {.flags = flags, .argc = argc, .argv = argv};

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        switch (flag) {
        case FLAG_NAME:
            j->name = a.value;
            break;
        case FLAG_PARENT:
            if (args_int(&a, 1, INT_MAX, parent) < 0)
                return -1;
            break;
        case FLAG_LONGEST:
            if (args_int(&a, 1, UPLOAD_SOUND_S, &j->longest_s) < 0)
                return -1;
            break;
        case ARGS_PLAIN:
            args_unexpected(&a);
            return -1;
        default:
            return -1;
        }
    return 0;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct job j = {.longest_s = UPLOAD_SOUND_S};
    long parent = 0;
    char path[PATH_MAX];
    const char *model = path;

    if (read_arguments(&j, &parent, argc, argv) < 0)
        return EXIT_USAGE;
    classify_take_config(&j.params, &cx->config);
    if (settle(parent, &j.err) < 0 || model_find(cx->config.model.file, path, sizeof path, &j.err) < 0)
        return fail(&j, UPLOAD_FAILED);
    j.classifier = classifier_new(&j.params, &model, 1, &j.err);
    closefrom(STDERR_FILENO + 1); /* the configuration, where it came so */
    enum upload_result result = j.classifier ? look(&j) : fail(&j, UPLOAD_FAILED);
    /* Nothing is freed: the end of the process does that, and what runs at an ordinary exit would be in vain here. */
    fflush(stderr);
    _exit(result);
}

const struct command cmd_classify_upload = {
    .name = "classify-upload",
    .summary = NULL, /* not in the list */
    .usage =
        "usage: earshot classify-upload [--name NAME] [--parent PID] [--longest SECONDS] <FILE\n"
        "\n"
        "What the daemon starts for a sound that was sent to its page: FILE is looked through without any right to\n"
        "open, start or reach anything. See earshot classify for files of your own.\n",
    .run = run,
};
