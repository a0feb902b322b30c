/* earshot train: a model from recordings of one's own. */
#include "daemon/train/asked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The body of a head: its window, and half of it from one to the next. */
static int find_body(struct train_asked *r, const struct config *c)
{
    struct gather_params *g = &r->train.gather;
    struct err err;

    if (model_find(r->model ? r->model : c->model.file, r->model_path, sizeof r->model_path, &err) < 0)
        return cmd_fail(EXIT_USAGE, TRAIN, "%s", err.text);
    struct model *m = model_load(r->model_path, &err);
    if (!m)
        return cmd_fail(EXIT_USAGE, TRAIN, "%s", err.text);
    size_t size = model_info(m)->embedding_size;
    g->window_s = model_info(m)->window_s;
    g->hop_s = g->window_s / 2;
    model_free(m);
    if (!size)
        return cmd_fail(EXIT_USAGE, TRAIN, "%s: the graph has no output called \"embedding\" to put layers on",
                        r->model_path);
    g->model = r->train.model = r->model_path;
    return EXIT_GOOD;
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0777) < 0) { /* what is wrong shows when it is used */
    }
}

/* $XDG_CACHE_HOME/earshot, ~/.cache/earshot, or none. */
static void find_cache(struct train_asked *r)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (r->cache) {
        r->train.gather.cache = *r->cache ? r->cache : NULL;
        return;
    }
    if (xdg && *xdg == '/')
        snprintf(r->cache_path, sizeof r->cache_path, "%s", xdg);
    else if (home && *home == '/')
        snprintf(r->cache_path, sizeof r->cache_path, "%s/.cache", home);
    else
        return;
    make_folder(r->cache_path);
    size_t n = strlen(r->cache_path);
    snprintf(r->cache_path + n, sizeof r->cache_path - n, "/earshot");
    r->train.gather.cache = r->cache_path;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct train_asked r = {.train = {.cx = cx,
                                      .threshold = 0.6,
                                      .kind = TRAIN_HEAD,
                                      .plan = {.test = 0.3, .check = 0.1},
                                      .rounds = {.save_s = 5},
                                      .gather = {.window_s = 4, .jobs = cores > 0 ? (size_t)cores : 1}}};
    int code = train_asked_read(&r, argc, argv);

    if (code != EXIT_GOOD)
        return code;
    train_asked_fill(&r);
    find_cache(&r);
    if (r.train.kind == TRAIN_HEAD) {
        code = find_body(&r, &cx->config);
    } else {
        r.train.gather.feature = "mfcc";
        r.train.gather.hop_s = r.train.gather.window_s;
    }
    return code == EXIT_GOOD ? train_run(&r.train) : code;
}

const struct command cmd_train = {
    .name = TRAIN,
    .summary = "make a model from recordings of your own",
    .usage =
        "usage: earshot train [FLAG...] DIR\n"
        "       earshot train [FLAG...] --csv FILE\n"
        "\n"
        "Learns labels from recordings and writes a model for --model. DIR holds a folder for each label, with "
        "recordings in\n"
        "it or in folders below. FILE is CSV with a header: path (relative to the file), label, and where there are "
        "such: fold,\n"
        "group. What cannot be read is named and left out.\n"
        "\n"
        "  -o, --output FILE    the model (DIR.onnx, here, where there is none yet)\n"
        "      --report DIR     writes there: confusion.svg, curve.svg, clips.csv, report.txt, report.json\n"
        "      --json           one object with all figures\n"
        "\n"
        "  -k, --kind head      layers on another model's embedding: needs the fewest recordings (the default)\n"
        "      --kind mfcc-mlp  the classic: the mean of 40 MFCCs over a window, and a dense net\n"
        "  -m, --model MODEL    whose embedding (default: [model] file); it becomes a part of what is written\n"
        "      --layers LIST    hidden units, or none (mfcc-mlp 100,200,100; head none)\n"
        "      --preset NAME    100-200-100 or 200-300, nets that were published for mean MFCCs\n"
        "      --dropout SHARE  of the hidden units (mfcc-mlp 0.5; head 0.3)\n"
        "      --epochs N       at most (mfcc-mlp 200, head 100)\n"
        "      --patience N     epochs without a better one after which it stops (mfcc-mlp 40, head 15); 0: never\n"
        "      --batch N        windows a step (mfcc-mlp 32, head 64)\n"
        "      --rate NUMBER    Adam's (0.001); --decay NUMBER: of the weights (mfcc-mlp 0, head 1)\n"
        "      --window SECONDS of mfcc-mlp (4): longer recordings are several, shorter ones are filled up\n"
        "      --seed N         the same recordings, settings and seed give the same weights (0)\n"
        "\n"
        "What is measured. Clips of one recording are alike: a net that has heard one of them knows the others, and "
        "figures\n"
        "from such a split say nothing. So whole recordings are kept apart; which clips are of one is said by\n"
        "\n"
        "      --groups COLUMN  a column of the list, or an extended regular expression over the clips' names: what "
        "its first\n"
        "                       parenthesis matches (default: the column group; else Freesound's numbers in names as "
        "ESC-50\n"
        "                       and UrbanSound8K have them). Clips of equal sound are always of one\n"
        "      --test SHARE     of each label's clips that is measured on (0.3); 0: all are trained on\n"
        "      --check SHARE    of the others that chooses the epoch (0.1); 0: the last epoch is kept\n"
        "      --test-folds LIST  the folds that are measured on, such as 4 or 1,3\n"
        "      --folds N        deals N folds and leaves each out once; --folds fold: those of the column. The model "
        "that\n"
        "                       is written then learns from all clips; the figures are those of its siblings\n"
        "      --drop-leaks     where folds tear a recording apart: leaves out what would be trained on. Without it "
        "such folds are\n"
        "                       refused, with a pair of clips that shows it\n"
        "      --allow-leaks    splits clip by clip, or takes folds as they are: what others' figures would look like\n"
        "\n"
        "      --threshold SCORE  from which on a sound counts as known (0.6), for all labels\n"
        "      --licence TEXT, --description TEXT  for the model's file\n"
        "  -j, --jobs N         recordings at once (all processors)\n"
        "      --cache DIR      keeps what was computed of recordings ($XDG_CACHE_HOME/earshot, ~/.cache/earshot);\n"
        "                       --no-cache: nothing is kept\n"
        "      --save-every SECONDS  between two savings of the state (5), FILE.state. The same command goes on from "
        "there, and\n"
        "                       ends with the weights that it would have had\n"
        "\n"
        "Exit code: 0 where a model was written, even where files were left out; 1 where not; 2 where flags are "
        "wrong.\n",
    .run = run,
};
