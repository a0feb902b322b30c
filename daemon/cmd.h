/* Sub-commands are records: name, one line of help, usage, run. main.c holds the table. */
#ifndef EARSHOT_CMD_H
#define EARSHOT_CMD_H

#include "base/config.h"
#include "base/err.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define CONFIG_DEFAULT_PATH "/etc/earshot/earshot.conf"

struct settings;

/* What every sub-command gets: the flags that all share are already taken out of argv. */
struct cmd_context {
    struct config config;               /* defaults, file and --section.name=value flags, checked */
    const char *config_path;            /* the file that was read, "" where there is none */
    const char *state_dir;              /* --state-dir, NULL where not given */
    const struct settings *settings;    /* kept in the state directory: read behind the file; NULL: none */
    bool json;                          /* --json */
    struct cmd_assignment *assignments; /* flags that set options, in order; for cmdline_reload */
    size_t n_assignments;
};

struct command {
    const char *name;
    const char *summary; /* one line, for the list; NULL: not in it */
    const char *usage;   /* all of --help, first line "usage: earshot NAME ..." */
    /* argv[0] is the sub-command's name, the rest is for args_next (daemon/args.h). Returns an exit code; prints its own
     * errors through cmd_fail. */
    int (*run)(struct cmd_context *cx, int argc, char **argv);
    bool raw_config;  /* leaves reading the configuration to run: it must work with a bad one */
    bool input_flags; /* takes --input, --model, --rate, --channels: short for --input.device=, --model.file=, ... */
};

extern const struct command cmd_calibrate, cmd_run, cmd_classify, cmd_devices, cmd_levels, cmd_model, cmd_config,
    cmd_features, cmd_doctor, cmd_test, cmd_evaluate, cmd_set, cmd_clips, cmd_history, cmd_noise, cmd_classify_upload,
    cmd_plot, cmd_dataset, cmd_train, cmd_teach, cmd_label;

/* Flushes stdout. -1: nobody reads it any more, or it cannot be written: a command that goes on for long stops then, and
 * returns what it would have returned; cmdline_run says what is worth saying. */
int cmd_flush(void);

/* "earshot NAME: text" on stderr; returns code. */
int cmd_fail(int code, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
