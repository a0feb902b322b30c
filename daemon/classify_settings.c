#include "daemon/classify_settings.h"
#include "base/fnv.h"
#include "base/options.h"
#include "daemon/pipeline.h"
#include "model/model.h"
#include "model/vocabulary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void classify_take_config(struct classify_params *out, const struct config *c)
{
    out->gate = c->gate;
    out->hop_s = c->model.hop;
    out->vocabulary = (enum vocabulary_choice)c->model.vocabulary;
    out->taught = *c->model.taught_file ? c->model.taught_file : NULL;
    pipeline_decision_params(c, &out->decision);
}

/* By contents: a model that was trained anew under its old name is another. */
static int write_file(FILE *out, const char *key, const char *path, struct err *err)
{
    unsigned char bytes[16384];
    uint64_t hash = FNV_START, size = 0;
    const char *name = strrchr(path, '/');
    FILE *f = fopen(path, "re");

    if (!f)
        return err_set(err, "%s: %s", path, strerror(errno));
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0; size += n)
        hash = fnv_add(hash, bytes, n);
    int failed = ferror(f);
    fclose(f);
    if (failed)
        return err_set(err, "%s: cannot be read", path);
    fprintf(out, "%s = %s, %" PRIu64 " bytes, %016" PRIx64 "\n", key, name ? name + 1 : path, size, hash);
    return 0;
}

/* Of the sections that results depend on; where the model lies does not matter. */
static int matters(const struct option *o)
{
    return strcmp(o->section, "gate") == 0 || strcmp(o->section, "decision") == 0 ||
           (strcmp(o->section, "model") == 0 && strcmp(o->name, "file") != 0);
}

static void write_options(FILE *out, const struct config *c)
{
    char text[OPTION_VALUE];

    for (const struct option *o = options; o->section; o++)
        if (matters(o) && o->type != OPTION_LABELS) {
            option_text(o, c, text);
            fprintf(out, "%s.%s = %s\n", o->section, o->name, text);
        }
    for (size_t i = 0; i < c->n_rules; i++)
        for (const struct option *o = options; o->section; o++) {
            if (strcmp(o->section, "class") != 0)
                continue;
            option_text(o, &c->rules[i], text);
            if (strcmp(text, o->preset) != 0)
                fprintf(out, "class.%s.%s = %s\n", c->rules[i].label, o->name, text);
        }
}

char *classify_settings(const struct config *c, const char *const *model_paths, size_t n_models, const char *more,
                        struct err *err)
{
    char *text = NULL, labels[4096];
    size_t size;
    int rc = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        err_set(err, "no memory");
        return NULL;
    }
    fprintf(out, "version = %s\n%s", EARSHOT_VERSION, more);
    for (size_t i = 0; rc == 0 && i < n_models; i++)
        rc = write_file(out, "model", model_paths[i], err);
    if (rc == 0 && c->model.vocabulary == VOCABULARY_EARSHOT &&
        model_find_file("labels.csv", labels, sizeof labels, NULL) == 0)
        rc = write_file(out, "labels", labels, err);
    if (rc == 0 && *c->model.taught_file && access(c->model.taught_file, F_OK) == 0)
        rc = write_file(out, "taught", c->model.taught_file, err);
    write_options(out, c);
    if (fclose(out) != 0 && rc == 0)
        rc = err_set(err, "no memory");
    if (rc == 0)
        return text;
    free(text);
    return NULL;
}
