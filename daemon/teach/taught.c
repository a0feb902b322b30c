#include "daemon/teach/taught.h"

#include "base/json.h"
#include "base/when.h"
#include "daemon/teach/kept.h"
#include "daemon/teach/teacher.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { LOCK_TRIES = 600, LOCK_MS = 50 };

int taught_path(const char *dir, char *out, size_t size, struct err *err)
{
    int n = snprintf(out, size, "%s/" TAUGHT_FILE, dir);
    return n < 0 || (size_t)n >= size ? err_set(err, "%s: the path is too long", dir) : 0;
}

int taught_lock(const char *dir, struct err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/" TAUGHT_FILE ".lock", dir);

    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, "%s: the path is too long", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd < 0)
        return err_set(err, "%s: %s", path, strerror(errno));
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        poll(NULL, 0, LOCK_MS);
    }
    close(fd);
    return err_set(err, "%s: another earshot is learning; try again", path);
}

void taught_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* --- to be seen ----------------------------------------------------------------------------------------------------- */

static json_t *number(float v, int decimals)
{
    return json_decimal((double)v, decimals);
}

static const char *kind_name(enum taught_kind kind)
{
    return kind == TAUGHT_FROM_FILE ? "file" : kind == TAUGHT_FROM_MICROPHONE ? "microphone" : "history";
}

static json_t *class_json(const char *dir, const struct taught_class *c)
{
    char when[WHEN_TEXT], hash[20];
    json_t *examples = json_array();
    size_t windows = 0;

    for (size_t i = 0; i < c->n_examples; i++) {
        const struct taught_example *e = &c->examples[i];
        windows += e->n;
        json_array_append_new(examples, json_pack("{s:o, s:s, s:o, s:o, s:o, s:b}", "source", json_text(e->source),
                                                  "from", kind_name(e->kind), "rms_dbfs", number(e->rms_dbfs, 1),
                                                  "duration_s", number(e->duration_s, 2), "score", number(e->score, 3),
                                                  "sound", kept_has(dir, c->label, e)));
    }
    when_utc(c->taught_ms, when);
    snprintf(hash, sizeof hash, "%016" PRIx64, c->hash);
    return json_pack("{s:s, s:o, s:i, s:i, s:f, s:s, s:s, s:s, s:o, s:o, s:o}", "label", c->label, "name",
                     json_text(c->name), "examples", (int)c->n_examples, "windows", (int)windows, "threshold", 0.5,
                     "model", c->model, "model_hash", hash, "taught", when, "recall", number(c->recall, 2),
                     "false_alarms_per_hour", number(c->false_alarms_h, 2), "sources", examples);
}

json_t *taught_json(const char *dir, struct err *err)
{
    struct taughtfile f;
    char path[PATH_MAX];

    if (taught_path(dir, path, sizeof path, err) < 0 || taughtfile_read(&f, path, false, err) < 0)
        return NULL;
    json_t *classes = json_array(), *corrections = json_array();
    for (size_t i = 0; i < f.n_classes; i++)
        json_array_append_new(classes, class_json(dir, &f.classes[i]));
    for (size_t i = 0; i < f.n_corrections; i++)
        json_array_append_new(corrections,
                              json_pack("{s:s, s:s, s:o, s:o}", "label", f.corrections[i].label, "event_id",
                                        f.corrections[i].event_id, "reach", number(f.corrections[i].reach, 3),
                                        "reduction", number(f.corrections[i].reduction, 2)));
    taughtfile_free(&f);
    return json_pack("{s:o, s:o}", "classes", classes, "corrections", corrections);
}

/* --- changes -------------------------------------------------------------------------------------------------------- */

int taught_unknown(const struct taughtfile *f, const char *label, struct err *err)
{
    char list[600] = "";
    size_t used = 0;

    for (size_t i = 0; i < f->n_classes && used < sizeof list - LABEL_SIZE - 2; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", f->classes[i].label);
    return err_set(err, "nothing was taught under the name %.60s; there is: %s", label, used ? list : "nothing");
}

int taught_forget(const char *dir, const char *label, struct err *err)
{
    struct taughtfile f = {0};
    char path[PATH_MAX];
    int lock = taught_lock(dir, err), rc = -1;

    if (lock < 0)
        return -1;
    if (taught_path(dir, path, sizeof path, err) == 0 && taughtfile_read(&f, path, false, err) == 0) {
        struct taught_class *c = taughtfile_find(&f, label);
        if (!c)
            taught_unknown(&f, label, err);
        else {
            taughtfile_remove(&f, c);
            rc = taughtfile_write(&f, path, err);
            if (rc == 0)
                kept_sweep(dir, label, &f);
        }
    }
    taughtfile_free(&f);
    taught_unlock(lock);
    return rc;
}

/* Classes whose verdicts changed, and the corrections. Returns how many classes were fitted anew, -1: err. */
static int relearn(const struct teacher *t, const struct verdicts *v, struct taughtfile *f, size_t *unused,
                   struct err *err)
{
    int n = 0;

    for (size_t i = 0; i < f->n_classes; i++) {
        struct taught_class *c = &f->classes[i];
        if (c->hash != t->hash || (c->w && c->verdicts == teacher_verdicts(t, v, c)))
            continue;
        if (teacher_fit(t, f, v, c, err) < 0)
            return -1;
        n++;
    }
    return teacher_correct(t, v, f, unused, err) < 0 ? -1 : n;
}

static void describe(const struct taughtfile *f, int fitted, size_t unused, char *note, size_t size)
{
    int n = snprintf(note, size, "%d taught sound%s learned anew, %zu correction%s of the model's own in force", fitted,
                     fitted == 1 ? "" : "s", f->n_corrections, f->n_corrections == 1 ? "" : "s");
    if (unused && n >= 0 && (size_t)n < size)
        snprintf(
            note + n, size - (size_t)n,
            "; %zu not used: with %s too much of that sound would go unheard, a higher [class NAME] threshold is the "
            "way then",
            unused, unused == 1 ? "it" : "them");
}

/* What is due goes by another name until it is learned: who is killed over it finds it again. */
static void take_due(const char *dir)
{
    char path[PATH_MAX], taken[PATH_MAX];

    snprintf(path, sizeof path, "%s/" VERDICT_DUE, dir);
    snprintf(taken, sizeof taken, "%s/" VERDICT_TAKEN, dir);
    rename(path, taken);
}

static void forget_due(const char *dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/" VERDICT_TAKEN, dir);
    unlink(path);
}

int taught_relearn(const char *dir, const char *model, double hop_s, enum renewing which, struct renewed *renewed,
                   char *note, size_t size, struct err *err)
{
    struct renewed unasked = {0};
    struct teacher t;
    struct taughtfile f = {0};
    struct verdicts v = {0};
    char path[PATH_MAX], unwanted[256];
    size_t unused = 0;
    int rc = -1, fitted = 0;

    renewed = renewed ? renewed : &unasked;
    *renewed = (struct renewed){0};
    if (teacher_open(&t, model, hop_s, err) < 0)
        return -1;
    int lock = taught_lock(dir, err);
    if (lock >= 0)
        take_due(dir); /* before what is due is looked at: what comes from here on makes it anew */
    if (lock >= 0 && taught_path(dir, path, sizeof path, err) == 0 && taughtfile_read(&f, path, false, err) == 0 &&
        verdict_tie(dir, t.model_name, t.hash, err) == 0 && verdicts_load(&v, dir, err) == 0 &&
        renew_examples(dir, &t, hop_s, which, &f, renewed, err) == 0)
        fitted = rc = relearn(&t, &v, &f, &unused, err);
    if (rc >= 0)
        rc = taughtfile_write(&f, path, err);
    if (rc == 0)
        forget_due(dir);
    if (rc == 0)
        describe(&f, fitted, unused, note ? note : unwanted, note ? size : sizeof unwanted);
    verdicts_free(&v);
    taughtfile_free(&f);
    taught_unlock(lock);
    teacher_close(&t);
    malloc_trim(0); /* the background was a hundred times what stays */
    return rc;
}
