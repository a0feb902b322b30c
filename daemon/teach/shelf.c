#include "daemon/teach/shelf.h"

#include "base/json.h"
#include "base/when.h"
#include "daemon/teach/kept.h"
#include "daemon/teach/taught.h"
#include "daemon/teach/teacher.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEACH "teach"

void shelf_print(json_t *o)
{
    char *text = o ? json_dumps(o, JSON_LINE) : NULL;

    if (text)
        puts(text);
    free(text);
    json_decref(o);
}

static int fail(const struct err *err)
{
    return cmd_fail(EXIT_FAILED, TEACH, "%s", err->text);
}

static int wrong_count(const struct shelf_request *r, const char *name, const char *wants)
{
    return cmd_fail(EXIT_USAGE, TEACH, "%s takes %s, not %zu words", name, wants, r->n);
}

static int read_file(const struct shelf_request *r, struct taughtfile *f, struct err *err)
{
    char path[PATH_MAX];

    *f = (struct taughtfile){0};
    return taught_path(r->dir, path, sizeof path, err) < 0 ? -1 : taughtfile_read(f, path, false, err);
}

/* Is it of the model in use? */
static bool of_this(const struct shelf_request *r, const struct taught_class *c)
{
    char path[PATH_MAX];
    uint64_t hash;

    return model_find(r->cx->config.model.file, path, sizeof path, NULL) == 0 &&
           teach_model_hash(path, &hash, NULL) == 0 && hash == c->hash;
}

static int list(const struct shelf_request *r)
{
    struct taughtfile f;
    struct err err;
    char day[WHEN_TEXT];

    if (r->n)
        return wrong_count(r, "list", "nothing more");
    if (r->cx->json) {
        json_t *o = taught_json(r->dir, &err);
        if (!o)
            return fail(&err);
        shelf_print(o);
        return EXIT_GOOD;
    }
    if (read_file(r, &f, &err) < 0)
        return fail(&err);
    if (f.n_classes)
        printf("%-24s %8s %6s  %-10s  %s\n", "label", "examples", "sounds", "taught", "model");
    for (size_t i = 0; i < f.n_classes; i++) {
        const struct taught_class *c = &f.classes[i];
        when_day(c->taught_ms, day);
        size_t kept = kept_count(r->dir, c);
        printf("%-24s %8zu %6zu  %-10s  %s%s\n", c->label, c->n_examples, kept, day, c->model,
               of_this(r, c) ? ""
               : kept        ? " (not the one in use, or another version of it: not heard, earshot teach relearn)"
                             : " (not the one in use, or another version of it: not heard, teach it again)");
    }
    if (f.n_corrections)
        printf("%zu correction%s of the model's own sounds: earshot label --list\n", f.n_corrections,
               f.n_corrections == 1 ? "" : "s");
    if (!f.n_classes && !f.n_corrections)
        printf("nothing was taught yet: earshot teach NAME FILE...\n");
    taughtfile_free(&f);
    return EXIT_GOOD;
}

static void show_class(const struct shelf_request *r, const struct taught_class *c)
{
    char when[WHEN_TEXT];

    when_text(c->taught_ms, when);
    printf("%s (%s)\ntaught %s to %s%s\n", c->label, c->name, when, c->model,
           of_this(r, c)           ? ""
           : kept_count(r->dir, c) ? ", which is another one than is in use: not heard, earshot teach relearn"
                                   : ", which is another one than is in use: not heard, teach it again");
    if (!isnan(c->recall))
        printf("each example left out in turn, %.0f %% would be found from the others\n", 100 * (double)c->recall);
    printf("threshold 0.5, set for %.2g false alarm%s an hour of sound\n", (double)c->false_alarms_h,
           c->false_alarms_h == 1 ? "" : "s");
    for (size_t i = 0; i < c->n_examples; i++) {
        const struct taught_example *e = &c->examples[i];
        printf("  %s", e->source);
        if (!isnan(e->duration_s))
            printf(", %.2f s at %.0f dBFS", (double)e->duration_s, (double)e->rms_dbfs);
        if (!isnan(e->score))
            printf(", %.2f from the others", (double)e->score);
        puts(kept_has(r->dir, c->label, e) ? "" : ", no sound kept");
    }
}

static int show(const struct shelf_request *r)
{
    struct taughtfile f;
    struct err err;
    int code = EXIT_GOOD;

    if (r->n != 1)
        return wrong_count(r, "show", "one label");
    if (read_file(r, &f, &err) < 0)
        return fail(&err);
    const struct taught_class *c = taughtfile_find(&f, r->words[0]);
    if (!c) {
        taught_unknown(&f, r->words[0], &err);
        code = fail(&err);
    } else if (r->cx->json) {
        json_t *all = taught_json(r->dir, &err);
        shelf_print(json_incref(json_array_get(json_object_get(all, "classes"), (size_t)(c - f.classes))));
        json_decref(all);
    } else {
        show_class(r, c);
    }
    taughtfile_free(&f);
    return code;
}

static int forget(const struct shelf_request *r)
{
    struct err err;

    if (!r->n)
        return wrong_count(r, "forget", "labels");
    for (size_t i = 0; i < r->n; i++) {
        if (taught_forget(r->dir, r->words[i], &err) < 0)
            return fail(&err);
        if (!r->cx->json)
            printf("%s is forgotten\n", r->words[i]);
    }
    return EXIT_GOOD;
}

static int relearn(const struct shelf_request *r)
{
    const struct config *c = &r->cx->config;
    struct renewed renewed;
    char text[1000];
    struct err err;

    if (r->n)
        return wrong_count(r, "relearn", "nothing more");
    if (taught_relearn(r->dir, c->model.file, c->model.hop, RENEW_ALL, &renewed, NULL, 0, &err) < 0)
        return fail(&err);
    renew_text(&renewed, "model", text, sizeof text);
    if (r->cx->json)
        shelf_print(json_pack("{s:i, s:s}", "learned", (int)renewed.n, "told", text));
    else
        puts(*text ? text : "all that was taught is of this model: nothing to learn anew");
    return *renewed.silent ? EXIT_FAILED : EXIT_GOOD;
}

static int export_class(const struct shelf_request *r)
{
    struct taughtfile f;
    struct err err;
    char path[PATH_MAX];
    int code = EXIT_GOOD;

    if (r->n != 1)
        return wrong_count(r, "export", "one label");
    snprintf(path, sizeof path, "%s.taught", r->words[0]);
    if (read_file(r, &f, &err) < 0)
        return fail(&err);
    struct taught_class *c = taughtfile_find(&f, r->words[0]);
    struct taughtfile one = {.n_classes = 1, .classes = c};
    if ((!c && taught_unknown(&f, r->words[0], &err) < 0) ||
        taughtfile_write(&one, r->output ? r->output : path, &err) < 0)
        code = fail(&err);
    else if (!r->cx->json)
        printf("%s written\n", r->output ? r->output : path);
    taughtfile_free(&f);
    return code;
}

/* All classes of one file into another. */
static int take_over(const char *dir, struct taughtfile *to, struct taughtfile *from, const char *path, uint64_t hash,
                     const char *model, struct err *err)
{
    for (size_t i = 0; i < from->n_classes; i++)
        if (from->classes[i].hash != hash)
            return err_set(
                err,
                "%s: %s was taught to another model (%s, of other contents) than this %s, to which it says nothing; "
                "teach it from its recordings",
                path, from->classes[i].label, from->classes[i].model, model);
    for (size_t i = 0; i < from->n_classes; i++) {
        char label[LABEL_SIZE];
        memcpy(label, from->classes[i].label, sizeof label);
        printf("%s: %zu examples taken over\n", label, from->classes[i].n_examples);
        struct taught_class *before = taughtfile_find(to, label);
        if (before)
            taughtfile_remove(to, before);
        kept_sweep(dir, label, to); /* those were of other examples, whatever their names */
        if (taughtfile_put(to, &from->classes[i], err) < 0)
            return -1;
    }
    return 0;
}

static int import_one(const struct shelf_request *r, const char *path, struct taughtfile *to, uint64_t hash,
                      struct err *err)
{
    struct taughtfile from;

    if (access(path, R_OK) < 0)
        return err_set(err, "%s: %s", path, strerror(errno));
    if (taughtfile_read(&from, path, false, err) < 0)
        return -1;
    int rc = take_over(r->dir, to, &from, path, hash, r->cx->config.model.file, err);
    taughtfile_free(&from);
    return rc;
}

static int import(const struct shelf_request *r)
{
    char model[PATH_MAX], path[PATH_MAX];
    struct taughtfile f = {0};
    struct err err;
    uint64_t hash;

    if (!r->n)
        return wrong_count(r, "import", "files");
    if (model_find(r->cx->config.model.file, model, sizeof model, &err) < 0 || teach_model_hash(model, &hash, &err) < 0)
        return fail(&err);
    int lock = taught_lock(r->dir, &err), rc = lock;
    if (rc >= 0)
        rc = taught_path(r->dir, path, sizeof path, &err);
    if (rc == 0)
        rc = taughtfile_read(&f, path, false, &err);
    for (size_t i = 0; i < r->n && rc == 0; i++)
        rc = import_one(r, r->words[i], &f, hash, &err);
    if (rc == 0)
        rc = taughtfile_write(&f, path, &err);
    taughtfile_free(&f);
    taught_unlock(lock);
    return rc < 0 ? fail(&err) : EXIT_GOOD;
}

const struct shelf_command *shelf_find(const char *name)
{
    static const struct shelf_command commands[] = {
        {"list", list, true},           {"show", show, true},      {"forget", forget, false},
        {"export", export_class, true}, {"import", import, false}, {"relearn", relearn, false},
    };

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
