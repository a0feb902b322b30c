#include "base/config_private.h"
#include "model/speech.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIKELY_RATE  48000.0 /* where the device's own is taken, which nobody knows yet */
#define SAMPLE_BYTES 2.0
#define HEADER_BYTES 65536.0 /* more than any header; a FLAC of noise is a little larger than its samples */

static int check_classes(const struct config *c, struct err *err)
{
    const char *const between = ", \t";
    size_t n;

    for (const char *p = c->clips.classes + strspn(c->clips.classes, between); *p; p += n + strspn(p + n, between)) {
        char label[LABEL_SIZE];
        n = strcspn(p, between);
        if (!config_label_valid(p, n))
            return err_set(err, "[clips] classes: \"%.*s\" is not a class or a group; allowed: a-z, 0-9, _",
                           (int)(n < 60 ? n : 60), p);
        snprintf(label, sizeof label, "%.*s", (int)n, p);
        if (label_is_private(label) && c->clips.speech == SPEECH_DROP)
            return err_set(
                err,
                "[clips] classes has %s, but with speech = drop nothing of it would be kept: take it out, or "
                "set speech = features or keep",
                label);
    }
    return 0;
}

/* Could the quota hold the longest file that the other options allow? */
static int check_room(const struct config *c, struct err *err)
{
    bool all = c->clips.record == CLIPS_ALL;
    double rate = c->input.rate > 0 ? c->input.rate : LIKELY_RATE;
    double length = all ? c->clips.file_length : c->clips.max_length;
    double needed = (length * rate * SAMPLE_BYTES + HEADER_BYTES) / 1e6;
    double share = all ? 1 : c->clips.class_share / 100;

    if (needed <= c->clips.max_size * share)
        return 0;
    if (needed > c->clips.max_size)
        return err_set(
            err,
            "[clips] max_size = %g MB is less than one file: %s = %g s at %g Hz may take %.1f MB; allow more, or "
            "shorter files",
            c->clips.max_size, all ? "file_length" : "max_length", length, rate, needed);
    return err_set(
        err,
        "[clips] class_share = %g %% of max_size = %g MB is less than one file: max_length = %g s at %g Hz may "
        "take %.1f MB; allow more, or shorter files",
        c->clips.class_share, c->clips.max_size, length, rate, needed);
}

int config_check_clips(const struct config *c, struct err *err)
{
    if (c->clips.record == CLIPS_OFF)
        return 0;
    if (c->clips.record == CLIPS_ALL && c->clips.speech == SPEECH_FEATURES)
        return err_set(
            err, "[clips] speech = features goes with record = sounds alone; with record = all speech is silenced "
                 "in the file (drop) or kept (keep)");
    if (c->clips.record == CLIPS_SOUNDS) {
        if (strspn(c->clips.classes, ", \t") == strlen(c->clips.classes) && !c->clips.save_all && !c->clips.unknown)
            return err_set(err, "[clips] record = sounds, but nothing is asked for: name classes, or set save_all or "
                                "unknown");
        if (c->clips.preroll + c->clips.postroll >= c->clips.max_length)
            return err_set(err,
                           "[clips] max_length = %g s leaves no room for a sound beside preroll = %g s and postroll = "
                           "%g s",
                           c->clips.max_length, c->clips.preroll, c->clips.postroll);
        if (check_classes(c, err) < 0)
            return -1;
    }
    return check_room(c, err);
}
