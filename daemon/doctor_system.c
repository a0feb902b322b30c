#include "base/text.h"
#include "daemon/doctor.h"
#include "daemon/statedir.h"
#include "daemon/teach/kept.h"
#include "daemon/teach/taught.h"
#include "model/model.h"
#include "model/vocabulary.h"
#include "teach/background.h"
#include "teach/taughtfile.h"

#include <math.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define EARLIEST 1735689600 /* 2025-01-01: earshot is younger than that */
#define LEAST_MB 20

/* A rule for a class that the model does not know does nothing, and a mistyped one should not go unnoticed. */
static void check_rules(struct doctor *d, const struct model_info *info, const struct taughtfile *taught)
{
    const struct config *c = &d->cx->config;

    for (size_t i = 0; i < c->n_rules; i++) {
        const char *label = c->rules[i].label;
        struct text_nearest near = {.word = label};
        bool known = strcmp(label, "unknown") == 0 || taughtfile_find(taught, label);
        for (size_t k = 0; k < info->n_labels && !known; k++) {
            known = strcmp(info->labels[k], label) == 0;
            text_nearest_try(&near, info->labels[k]);
        }
        if (!known)
            doctor_say(d, DOCTOR_WARN, "classes", "`earshot model show NAME` lists those of the model",
                       "there are rules for %s, which %s does not know%s%s%s", label, info->name,
                       near.best ? " (did you mean " : "", near.best ? near.best : "", near.best ? "?)" : "");
    }
}

/* Sounds that are taken for known and that nobody listens for. */
static void read_taught(struct doctor *d, const struct model_info *info, const char *model, struct taughtfile *f)
{
    char dir[3900], path[4096], missed[300] = "";
    size_t n = 0, used = 0, kept = 0;
    uint64_t hash = 0;
    struct err err;

    *f = (struct taughtfile){0};
    if (state_dir_look(d->cx, dir, sizeof dir, NULL) < 0 || taught_path(dir, path, sizeof path, NULL) < 0)
        return;
    if (taughtfile_read(f, path, true, &err) < 0) {
        *f = (struct taughtfile){0};
        doctor_say(d, DOCTOR_FAIL, "taught sounds", "move that file away, and teach them again", "%s", err.text);
        return;
    }
    if (!f->n_classes || teach_model_hash(model, &hash, NULL) < 0)
        return;
    for (size_t i = 0; i < f->n_classes; i++)
        if (f->classes[i].hash != hash) {
            if (used < sizeof missed - LABEL_SIZE - 32)
                used +=
                    (size_t)snprintf(missed + used, sizeof missed - used, "%s%s%s", n ? ", " : "", f->classes[i].label,
                                     kept_count(dir, &f->classes[i]) ? "" : " (no sound of it is kept)");
            kept += kept_count(dir, &f->classes[i]) > 0;
            n++;
        }
    if (n)
        doctor_say(
            d, DOCTOR_WARN, "taught sounds",
            kept == n ? "earshot teach relearn learns them anew, from the sounds that are kept of them"
            : kept
                ? "earshot teach relearn learns those anew of which sounds are kept; teach the others again (earshot "
                  "teach NAME --replace FILE...)"
                : "teach them again, from the sounds (earshot teach NAME --replace FILE...)",
            "%zu of %zu are not heard, for they were taught to another model, or another version, than this %s: %s", n,
            f->n_classes, info->name, missed);
    else
        doctor_say(d, DOCTOR_OK, "taught sounds", NULL, "%zu", f->n_classes);
}

void doctor_model(struct doctor *d)
{
    const struct config *c = &d->cx->config;
    char path[4096];
    struct err err;

    if (model_find(c->model.file, path, sizeof path, &err) < 0) {
        doctor_say(d, DOCTOR_FAIL, "model", "`earshot model list` shows those that are installed", "%s", err.text);
        return;
    }
    struct model *m = model_load(path, &err);
    if (!m || vocabulary_apply((enum vocabulary_choice)c->model.vocabulary, m, &err) < 0) {
        doctor_say(d, DOCTOR_FAIL, "model", "take another one, or install earshot anew", "%s", err.text);
        model_free(m);
        return;
    }
    const struct model_info *info = model_info(m);
    if (c->model.window > 0 && fabs(c->model.window - info->window_s) > 1e-6)
        doctor_say(d, DOCTOR_FAIL, "model", "take [model] window out", "%s looks at %g s, but [model] window = %g s",
                   info->name, info->window_s, c->model.window);
    else if (c->model.hop > info->window_s)
        doctor_say(d, DOCTOR_FAIL, "model", "make [model] hop shorter",
                   "%s looks at %g s, but [model] hop = %g s: sound in between would go unheard", info->name,
                   info->window_s, c->model.hop);
    else
        doctor_say(d, DOCTOR_OK, "model", NULL, "%s, %zu classes, %s", info->name, info->n_labels, path);
    struct taughtfile taught;
    read_taught(d, info, path, &taught);
    check_rules(d, info, &taught);
    taughtfile_free(&taught);
    model_free(m);
}

void doctor_state(struct doctor *d)
{
    char dir[4096];
    struct err err;
    struct statvfs fs;

    if (state_dir_find(d->cx, dir, sizeof dir, &err) < 0) {
        doctor_say(d, DOCTOR_FAIL, "state directory",
                   "give it to the user that earshot runs as, or choose another one with [state] dir", "%s", err.text);
        return;
    }
    if (statvfs(dir, &fs) == 0 && (double)fs.f_bavail * (double)fs.f_frsize < LEAST_MB * 1e6) {
        doctor_say(d, DOCTOR_WARN, "state directory", "make room there", "less than %d MB are free at %s", LEAST_MB,
                   dir);
        return;
    }
    struct state_lock *lock = state_lock(dir, &err);
    state_unlock(lock);
    doctor_say(d, DOCTOR_OK, "state directory", NULL, "%s%s", dir, lock ? "" : ", a daemon has it");
}

void doctor_clock(struct doctor *d)
{
    struct timex t = {0};
    time_t now = time(NULL);
    int state = adjtimex(&t);

    if (now < EARLIEST) {
        struct tm tm;
        char date[32] = "?";
        if (gmtime_r(&now, &tm))
            strftime(date, sizeof date, "%Y-%m-%d", &tm);
        doctor_say(d, DOCTOR_FAIL, "clock", "set it: sudo timedatectl set-ntp true", "it says %s", date);
    } else if ((state < 0 || state == TIME_ERROR || (t.status & STA_UNSYNC)) &&
               access("/run/systemd/timesync/synchronized", F_OK) != 0) {
        doctor_say(d, DOCTOR_WARN, "clock",
                   "sudo timedatectl set-ntp true, or install chrony; events carry the time that this clock says",
                   "nothing keeps it right, as far as the kernel knows");
    } else {
        doctor_say(d, DOCTOR_OK, "clock", NULL, "synchronised");
    }
}
