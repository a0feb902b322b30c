#include "daemon/cmdline.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/instance.h"
#include "daemon/settings.h"
#include "daemon/statedir.h"
#include "daemon/teach/taught.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cmd_assignment {
    char *text; /* "section.name=value" */
    char *flag; /* as it was written, for messages */
};

/* The state of one walk over argv. */
struct walk {
    const struct command *const *commands;
    const struct command *command; /* NULL until its name came by */
    struct cmd_context *cx;
    char **argv;
    int argc, used;
    char **rest; /* what is left for the command */
    int n_rest;
    const char *config, *instance;
    char config_path[128]; /* where none is named */
    bool help, version;
};

/* Short for an option, where the command takes them. */
static const struct {
    const char *flag, *key;
} input_flags[] = {
    {"input", "input.device"}, {"model", "model.file"}, {"rate", "input.rate"}, {"channels", "input.channels"}};

static const char SHARED_HELP[] =
    "Flags of all commands:\n"
    "  --config FILE           read FILE instead of " CONFIG_DEFAULT_PATH "\n"
    "  --SECTION.OPTION=VALUE  set an option of the configuration, such as --gate.hold=\"1 s\";\n"
    "                          --class.NAME.OPTION=VALUE for one class. earshot.conf(5) lists them all\n"
    "  --instance NAME         of several daemons on this box, the one of NAME: /etc/earshot/NAME.conf and its own "
    "folders\n"
    "  --state-dir DIR         folder for what is remembered between runs\n"
    "  --json                  output for programs, one object a line\n"
    "  --help, --version\n";

static const char INPUT_HELP[] = "Short for options:\n"
                                 "  --input WHAT  --input.device   --model MODEL  --model.file\n"
                                 "  --rate HZ     --input.rate     --channels N   --input.channels\n"
                                 "\n";

int cmd_fail(int code, const char *name, const char *fmt, ...)
{
    char text[4096];
    va_list ap;

    fflush(stdout);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *c = text; *c; c++) /* what a file holds must not steer the terminal */
        if (((unsigned char)*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f)
            *c = '?';
    fprintf(stderr, "earshot %s: %s\n", name, text);
    return code;
}

int cmd_flush(void)
{
    return fflush(stdout) == EOF || ferror(stdout) ? -1 : 0;
}

/* For messages before a command is known, and as a prefix of others. */
static int fail(const struct walk *w, const char *text)
{
    if (w->command)
        return cmd_fail(EXIT_USAGE, w->command->name, "%s", text);
    fprintf(stderr, "earshot: %s\n", text);
    return EXIT_USAGE;
}

static int add_assignment(struct cmd_context *cx, const char *flag, const char *key, const char *value, struct err *err)
{
    struct cmd_assignment *more = realloc(cx->assignments, (cx->n_assignments + 1) * sizeof *more);
    if (!more)
        return err_set(err, "no memory");
    cx->assignments = more;
    struct cmd_assignment *a = &more[cx->n_assignments];
    *a = (struct cmd_assignment){NULL, strdup(flag)};
    if (!a->flag || asprintf(&a->text, "%s=%s", key, value) < 0) {
        free(a->flag);
        return err_set(err, "no memory");
    }
    cx->n_assignments++;
    return 0;
}

static int apply(const struct cmd_assignment *a, struct config *c, struct err *err)
{
    const char *value = strchr(a->text, '=') + 1;
    if (config_set(c, a->text, err) < 0)
        return err_prefix(err, "%s=%.100s: ", a->flag, value);
    return 0;
}

int cmdline_apply(const struct cmd_context *cx, struct config *c, struct err *err)
{
    for (size_t i = 0; i < cx->n_assignments; i++)
        if (apply(&cx->assignments[i], c, err) < 0)
            return -1;
    return 0;
}

/* Where what was taught stands, for all who listen. */
static void find_taught(const struct cmd_context *cx, struct config *c)
{
    char dir[PATH_MAX];
    struct err none;
    size_t size = sizeof c->model.taught_file;

    c->model.taught_file[0] = '\0';
    if (!c->model.taught || state_dir_look(cx, dir, sizeof dir, &none) < 0)
        return;
    int n = snprintf(c->model.taught_file, size, "%s/" TAUGHT_FILE, dir);
    if (n < 0 || (size_t)n >= size)
        c->model.taught_file[0] = '\0';
}

int cmdline_reload(const struct cmd_context *cx, struct config *fresh, struct err *err)
{
    if (config_init(fresh, err) < 0 || (*cx->config_path && config_read(fresh, cx->config_path, NULL, err) < 0) ||
        (cx->settings && settings_apply(cx->settings, fresh, err) < 0) || cmdline_apply(cx, fresh, err) < 0)
        return -1;
    instance_node(fresh);
    find_taught(cx, fresh);
    return config_check(fresh, err);
}

bool cmdline_has_flag(const struct cmd_context *cx, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < cx->n_assignments; i++)
        if (strncmp(cx->assignments[i].text, key, n) == 0 && cx->assignments[i].text[n] == '=')
            return true;
    return false;
}

int cmdline_set(struct cmd_context *cx, const char *key, const char *value, struct err *err)
{
    char flag[64];
    snprintf(flag, sizeof flag, "--%s", key);
    if (add_assignment(cx, flag, key, value, err) < 0)
        return -1;
    if (apply(&cx->assignments[cx->n_assignments - 1], &cx->config, err) < 0)
        return -1;
    return config_check(&cx->config, err);
}

/* The value of the flag at hand: behind its '=', or the next argument. NULL: there is none, said so. */
static const char *take_value(struct walk *w, const char *argument, const char *equals)
{
    char text[160];

    if (equals)
        return equals + 1;
    if (w->used < w->argc && strncmp(w->argv[w->used], "--", 2) != 0)
        return w->argv[w->used++];
    snprintf(text, sizeof text, "a value is missing after %.64s", argument);
    fail(w, text);
    return NULL;
}

static int take_assignment(struct walk *w, const char *argument, const char *key, const char *equals)
{
    char flag[80];
    struct err err;

    if (strchr(key, '.') && !equals && !config_is_option(key)) { /* its message is better than "value is missing" */
        struct config scratch = {0};
        config_set(&scratch, key, &err);
        config_free(&scratch);
        err_prefix(&err, "%.64s: ", argument);
        return fail(w, err.text);
    }
    const char *value = take_value(w, argument, equals);
    if (!value)
        return EXIT_USAGE;
    snprintf(flag, sizeof flag, "%.*s", (int)(equals ? equals - argument : (long)strlen(argument)), argument);
    char name[80];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(key, "="), key);
    if (add_assignment(w->cx, flag, name, value, &err) < 0)
        return fail(w, err.text);
    return EXIT_GOOD;
}

static int take_once(struct walk *w, const char *argument, const char *equals, const char **out)
{
    if (*out) {
        char text[96];
        snprintf(text, sizeof text, "%.*s is given twice", (int)strcspn(argument, "="), argument);
        return fail(w, text);
    }
    *out = take_value(w, argument, equals);
    return *out ? EXIT_GOOD : EXIT_USAGE;
}

static bool is(const char *argument, const char *equals, const char *flag)
{
    size_t n = equals ? (size_t)(equals - argument) : strlen(argument);
    return strlen(flag) == n && strncmp(argument, flag, n) == 0;
}

/* A flag that all commands share, or a command's own, which is kept for it. */
static int take_flag(struct walk *w, char *argument)
{
    const char *equals = strchr(argument, '=');
    size_t name_length = equals ? (size_t)(equals - argument) : strlen(argument);
    char text[160];

    if (is(argument, equals, "--config"))
        return take_once(w, argument, equals, &w->config);
    if (is(argument, equals, "--instance"))
        return take_once(w, argument, equals, &w->instance);
    if (is(argument, equals, "--state-dir"))
        return take_once(w, argument, equals, &w->cx->state_dir);
    bool *toggle = is(argument, equals, "--json")                                     ? &w->cx->json
                   : is(argument, equals, "--help") || strcmp(argument, "-h") == 0    ? &w->help
                   : is(argument, equals, "--version") || strcmp(argument, "-V") == 0 ? &w->version
                                                                                      : NULL;
    if (toggle && equals) {
        snprintf(text, sizeof text, "no value is taken by %.*s", (int)name_length, argument);
        return fail(w, text);
    }
    if (toggle) {
        *toggle = true;
        return EXIT_GOOD;
    }
    if (argument[1] == '-' && memchr(argument, '.', name_length))
        return take_assignment(w, argument, argument + 2, equals);
    for (size_t i = 0; w->command && w->command->input_flags && i < sizeof input_flags / sizeof input_flags[0]; i++)
        if (argument[1] == '-' && is(argument + 2, equals, input_flags[i].flag))
            return take_assignment(w, argument, input_flags[i].key, equals);
    if (!w->command) {
        snprintf(text, sizeof text, "unknown flag %.64s (flags of a command stand behind its name; see earshot --help)",
                 argument);
        return fail(w, text);
    }
    w->rest[w->n_rest++] = argument;
    return EXIT_GOOD;
}

static int find_command(struct walk *w, char *name)
{
    struct text_nearest near = {.word = name};
    char text[160];

    for (const struct command *const *c = w->commands; *c; c++) {
        if (strcmp((*c)->name, name) == 0) {
            w->command = *c;
            w->rest[w->n_rest++] = name;
            return EXIT_GOOD;
        }
        if ((*c)->summary)
            text_nearest_try(&near, (*c)->name);
    }
    if (strcmp(name, "help") == 0 && !w->help) {
        w->help = true;
        return EXIT_GOOD;
    }
    if (near.best)
        snprintf(text, sizeof text, "unknown command %.64s, did you mean %s? (see earshot --help)", name, near.best);
    else
        snprintf(text, sizeof text, "unknown command %.64s (see earshot --help)", name);
    return fail(w, text);
}

static int walk_arguments(struct walk *w)
{
    while (w->used < w->argc) {
        char *argument = w->argv[w->used++];
        int code = EXIT_GOOD;
        if (w->command && strcmp(argument, "--") == 0) {
            for (w->used--; w->used < w->argc;)
                w->rest[w->n_rest++] = w->argv[w->used++];
        } else if (argument[0] == '-' && argument[1]) {
            code = take_flag(w, argument);
        } else if (!w->command) {
            code = find_command(w, argument);
        } else {
            w->rest[w->n_rest++] = argument;
        }
        if (code != EXIT_GOOD)
            return code;
    }
    return EXIT_GOOD;
}

static void print_help(const struct walk *w, FILE *out)
{
    if (w->command) {
        fprintf(out, "%s\n%s%s", w->command->usage, w->command->input_flags ? INPUT_HELP : "", SHARED_HELP);
        return;
    }
    fputs("usage: earshot COMMAND [ARGUMENT...]\n\nListens to a microphone, tells what it hears, and says so over "
          "MQTT.\n\n"
          "Commands:\n",
          out);
    for (const struct command *const *c = w->commands; *c; c++)
        if ((*c)->summary)
            fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    fprintf(out, "\n`earshot COMMAND --help` says more about one.\n\n%s", SHARED_HELP);
}

static enum log_level log_level_of(const struct config *c)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++)
        if (strcmp(c->log.level, names[i]) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

/* A file that was named must be there; the default one may be missing. */
static int load_config(struct walk *w)
{
    struct cmd_context *cx = w->cx;
    struct err err;

    const char *name = w->instance ? w->instance : instance_name();
    if ((w->instance || *name) && instance_set(name, &err) < 0)
        return fail(w, err.text);
    instance_config(w->config_path, sizeof w->config_path);
    if (w->config)
        cx->config_path = w->config;
    else if (*name || access(w->config_path, F_OK) == 0 || errno != ENOENT)
        cx->config_path = w->config_path;
    int rc = w->command->raw_config ? config_init(&cx->config, &err) : cmdline_reload(cx, &cx->config, &err);
    if (rc < 0)
        return fail(w, err.text);
    log_open(LOG_PLAIN, log_level_of(&cx->config));
    return EXIT_GOOD;
}

static int run(struct walk *w)
{
    int code = walk_arguments(w);
    if (code != EXIT_GOOD)
        return code;
    if (w->version) {
        puts("earshot " EARSHOT_VERSION);
        return EXIT_GOOD;
    }
    if (w->help) {
        print_help(w, stdout);
        return EXIT_GOOD;
    }
    if (!w->command) {
        print_help(w, stderr);
        return EXIT_USAGE;
    }
    code = load_config(w);
    if (code != EXIT_GOOD)
        return code;
    w->rest[w->n_rest] = NULL;
    return w->command->run(w->cx, w->n_rest, w->rest);
}

/* What was printed must have arrived: a full disk is a failure. A reader that left (| head) is not. */
static int close_stdout(int code)
{
    errno = 0;
    if (cmd_flush() == 0)
        return code;
    int why = errno;
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (why == EPIPE || (poll(&out, 1, 0) > 0 && (out.revents & POLLERR)))
        return code;
    fprintf(stderr, "earshot: cannot write to standard output%s%s\n", why ? ": " : "", why ? strerror(why) : "");
    return code == EXIT_GOOD ? EXIT_FAILED : code;
}

/* A standard stream that is closed would be taken by the next file that is opened: what is meant for a terminal would end up
 * in it. These are open for the wrong direction, so that their use fails as that of a closed one does. */
static void fill_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return;
}

int cmdline_run(const struct command *const *commands, int argc, char **argv)
{
    struct cmd_context cx = {.config_path = ""};
    struct walk w = {.commands = commands, .cx = &cx, .argc = argc, .argv = argv, .used = 1};

    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN);
    w.rest = calloc((size_t)argc + 2, sizeof *w.rest);
    int code = w.rest ? run(&w) : fail(&w, "no memory");
    code = close_stdout(code);
    for (size_t i = 0; i < cx.n_assignments; i++) {
        free(cx.assignments[i].text);
        free(cx.assignments[i].flag);
    }
    free(cx.assignments);
    config_free(&cx.config);
    free(w.rest);
    return code;
}
