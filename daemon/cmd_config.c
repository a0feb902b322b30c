#include "base/config_private.h"
#include "base/json.h"
#include "base/options.h"
#include "base/text.h"
#include "daemon/args.h"
#include "daemon/cmdline.h"

#include <stdlib.h>
#include <string.h>

static const char NO_FILE[] = "no configuration file (" CONFIG_DEFAULT_PATH ")";

static void print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(object);
}

/* "PATH:12: text" or "PATH: text", taken apart. */
static json_t *problem_json(const char *path, const char *line)
{
    size_t n = strlen(path);
    long number = 0;
    const char *end;
    bool warning = false;

    if (strncmp(line, path, n) == 0 && line[n] == ':') {
        line += n + 1;
        if (text_int(line, &number, &end) && *end == ':')
            line = end + 1;
        line += strspn(line, " ");
    }
    if (strncmp(line, "warning: ", 9) == 0) {
        warning = true;
        line += 9;
    }
    return json_pack("{s:o, s:s, s:o}", "line", number > 0 ? json_integer(number) : json_null(), "level",
                     warning ? "warning" : "error", "text", json_text(line));
}

static void check_json(const char *path, bool good, char *lines)
{
    json_t *problems = json_array();
    char *state = NULL;

    for (char *line = strtok_r(lines, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        json_array_append_new(problems, problem_json(path, line));
    print_json(json_pack("{s:o, s:b, s:o}", "file", *path ? json_text(path) : json_null(), "good", good, "problems",
                         problems));
}

/* All bad lines of the file, else what is wrong with flags or the whole. */
static bool check_all(struct cmd_context *cx, const char *path, FILE *report)
{
    struct config c;
    struct err err = {""};
    bool lines = false;
    int rc = config_init(&c, &err);

    if (rc == 0 && *path) {
        long before = ftell(report);
        rc = config_read(&c, path, report, &err);
        lines = rc < 0 && ftell(report) > before; /* else it could not even be read */
    }
    if (rc == 0)
        rc = cmdline_apply(cx, &c, &err);
    if (rc == 0 && config_check(&c, &err) < 0)
        rc = *path ? err_prefix(&err, "%s: ", path) : -1;
    if (rc < 0 && !lines)
        fprintf(report, "%s\n", err.text);
    config_free(&c);
    return rc == 0;
}

static int check(struct cmd_context *cx, const char *path)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *report = open_memstream(&lines, &size);

    if (!report)
        return cmd_fail(EXIT_FAILED, "config", "no memory");
    bool good = check_all(cx, path, report);
    if (fclose(report) != 0 || !lines) {
        free(lines);
        return cmd_fail(EXIT_FAILED, "config", "no memory");
    }
    if (cx->json) {
        check_json(path, good, lines);
    } else {
        fputs(lines, stderr);
        if (good)
            printf("%s: good%s\n", *path ? path : NO_FILE, *path ? "" : ", built-in defaults and flags are");
    }
    free(lines);
    return good ? EXIT_GOOD : EXIT_USAGE;
}

static json_t *value_json(const struct option *o, const void *base)
{
    char text[OPTION_VALUE];
    const char *end;
    long whole;
    double number;

    option_text(o, base, text);
    if (o->type == OPTION_BOOL)
        return json_boolean(strcmp(text, "on") == 0);
    if (o->type == OPTION_INT && text_int(text, &whole, &end))
        return json_integer(whole);
    if (o->type == OPTION_NUMBER && text_number(text, &number, &end))
        return json_real(number);
    return json_text(text);
}

static json_t *section_json(const char *section, const void *base)
{
    json_t *object = json_object();
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, section) == 0 && o->type != OPTION_LABELS)
            json_object_set_new(object, o->name, value_json(o, base));
    return object;
}

static void show_json(const struct cmd_context *cx)
{
    const struct config *c = &cx->config;
    json_t *all = json_object();

    json_object_set_new(all, "config_file", *cx->config_path ? json_text(cx->config_path) : json_null());
    for (const struct section *s = sections; s->name; s++)
        if (!config_list(s->name))
            json_object_set_new(all, s->name, section_json(s->name, c));
    for (const struct config_list *l = config_lists; l->section; l++) {
        json_t *rows = json_object();
        for (size_t i = 0; i < config_list_count(c, l); i++)
            json_object_set_new(rows, config_list_at(c, l, i), section_json(l->section, config_list_at(c, l, i)));
        json_object_set_new(all, l->section, rows);
    }
    print_json(all);
}

static void print_change(void *ctx, const char *key, const char *from, const char *to, bool reloadable)
{
    (void)ctx;
    (void)reloadable;
    printf("%s = %s ; default %s\n", key, to, *from ? from : "(empty)");
}

static int show(struct cmd_context *cx, bool changed)
{
    struct config defaults;
    struct err err;

    config_free(&cx->config);
    if (cmdline_reload(cx, &cx->config, &err) < 0)
        return cmd_fail(EXIT_USAGE, "config", "%s", err.text);
    if (changed) {
        if (config_init(&defaults, &err) < 0)
            return cmd_fail(EXIT_FAILED, "config", "%s", err.text);
        config_diff(&defaults, &cx->config, print_change, NULL);
    } else if (cx->json) {
        show_json(cx);
    } else {
        printf("# in force: %s%s%s\n", *cx->config_path ? cx->config_path : NO_FILE,
               *cx->config_path ? "" : ", built-in defaults", cx->n_assignments ? " and flags" : "");
        config_write(&cx->config, stdout, false);
    }
    return EXIT_GOOD;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_CHANGED };
    static const struct arg_flag flags[] = {[FLAG_CHANGED] = {"changed", 0, NULL}, {NULL, 0, NULL}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    const char *plain[2] = {NULL, NULL};
    size_t n = 0;
    bool changed = false;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        if (flag == FLAG_CHANGED)
            changed = true;
        else if (flag != ARGS_PLAIN)
            return EXIT_USAGE;
        else if (n == 2 || (n == 1 && strcmp(plain[0], "check") != 0))
            return args_unexpected(&a);
        else
            plain[n++] = a.value;
    }
    const char *what = plain[0] ? plain[0] : "show";
    if (changed && strcmp(what, "show") != 0)
        return cmd_fail(EXIT_USAGE, "config", "--changed goes with show alone");
    if (strcmp(what, "check") == 0)
        return check(cx, plain[1] ? plain[1] : cx->config_path);
    if (strcmp(what, "show") == 0)
        return show(cx, changed);
    if (strcmp(what, "default") == 0)
        config_write(&cx->config, stdout, true);
    else if (strcmp(what, "man") == 0) /* the option list of earshot.conf(5); for the build alone */
        config_write_man(stdout);
    else
        return cmd_fail(EXIT_USAGE, "config", "%s is none of check, show, default", what);
    return EXIT_GOOD;
}

const struct command cmd_config = {
    .name = "config",
    .summary = "check, show and print configuration files",
    .usage = "usage: earshot config check [FILE]\n"
             "       earshot config [show] [--changed]\n"
             "       earshot config default\n"
             "\n"
             "  check    says what is wrong with FILE, else with the file in use, line by line;\n"
             "           exit code 2 if anything is\n"
             "  show     the values in force, as a valid file; --changed: those that are not the default\n"
             "  default  a file with every option, explained and commented out\n",
    .raw_config = true,
    .run = run,
};
