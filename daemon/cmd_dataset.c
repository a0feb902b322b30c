/* earshot dataset: a collection of labelled recordings, before anything is learned from it. */
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/dataset/dataset.h"

#include <string.h>

enum { JOBS_MAX = 256 };
#define NAME "dataset"

static int check(struct dataset *d, const char *folder, const char *list, size_t jobs, bool json)
{
    struct err err;

    if ((list ? dataset_list_csv(d, list, &err) : dataset_list_folder(d, folder, &err)) < 0 ||
        dataset_listen(d, jobs, &err) < 0 || dataset_judge(d, &err) < 0)
        return cmd_fail(EXIT_FAILED, NAME, "%s", err.text);
    if (!json)
        dataset_print(stdout, d);
    else if (dataset_print_json(stdout, d) < 0)
        return cmd_fail(EXIT_FAILED, NAME, "no memory");
    return d->errors ? EXIT_FAILED : EXIT_GOOD;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_CSV, FLAG_JOBS };
    static const struct arg_flag flags[] = {[FLAG_CSV] = {"csv", 0, "LIST"}, [FLAG_JOBS] = {"jobs", 'j', "N"}, {0}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    const char *plain[2] = {NULL, NULL}, *list = NULL;
    struct dataset d = {0};
    long jobs = 1;
    int n = 0;

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        switch (flag) {
        case FLAG_CSV:
            list = a.value;
            break;
        case FLAG_JOBS:
            if (args_int(&a, 1, JOBS_MAX, &jobs) < 0)
                return EXIT_USAGE;
            break;
        case ARGS_PLAIN:
            if (n == 2)
                return args_unexpected(&a);
            plain[n++] = a.value;
            break;
        default:
            return EXIT_USAGE;
        }
    if (n == 0 || strcmp(plain[0], "check") != 0)
        return cmd_fail(EXIT_USAGE, NAME, "%s%.60s%s (see earshot dataset --help)", n ? "there is no \"" : "what? ",
                        n ? plain[0] : "", n ? "\"; allowed: check" : "allowed: check");
    if (!plain[1] == !list)
        return cmd_fail(EXIT_USAGE, NAME, "check: a folder, or --csv LIST: one of the two is needed");
    int code = check(&d, plain[1], list, (size_t)jobs, cx->json);
    dataset_free(&d);
    return code;
}

const struct command cmd_dataset = {
    .name = NAME,
    .summary = "check a collection of recordings before learning from it or measuring on it",
    .usage =
        "usage: earshot dataset check FOLDER | --csv LIST [-j N]\n"
        "\n"
        "Reads a folder for each class, with recordings in it and below, or a list as `earshot evaluate --clips` takes "
        "it\n"
        "(columns path and label, and fold where there is such), and says how many there are of each class, how long,\n"
        "and at which rates. To be put right (exit code 1): files that cannot be read or break off; the same sound "
        "under\n"
        "two names; the same sound, or recording, in two folds. To be known (exit code 0): the same sound twice, "
        "silence,\n"
        "clipping, classes that are few, uneven, or told by their sample rate alone.\n"
        "\n"
        "The same sound is found again in other formats, at other levels and rates, and cut: by an acoustic\n"
        "fingerprint, from half a second on.\n"
        "\n"
        "      --csv LIST  recordings in a CSV file with a header\n"
        "  -j, --jobs N    files at once (1)\n"
        "      --json      an object a line: each file, class, pair, problem; then a summary\n",
    .run = run,
};
