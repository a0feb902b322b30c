#include "daemon/run_levels.h"

#include "base/log.h"
#include <stdio.h>
#include <string.h>

void run_levels_init(struct run_levels *l, const char *state_dir)
{
    *l = (struct run_levels){.state_dir = state_dir};
    soundlevel_nothing(&l->report.last);
}

static void say(const struct calibration *c, const char *device)
{
    if (c->calibrated)
        log_info("sound levels of %s: calibrated (%s), 0 dBFS is %.2f dB", device, c->how, c->offset_db);
    else
        log_info("sound levels of %s: uncalibrated, so in dBFS; `earshot calibrate` makes decibels of them", device);
}

/* Again where another device was opened, the file was written to, or the configuration read anew. */
static void calibrate(struct run_levels *l, const struct config *config, const char *device)
{
    struct calibration c;
    struct err err;
    bool other = strcmp(l->device, device) != 0;

    if (!*device)
        return;
    snprintf(l->device, sizeof l->device, "%s", device);
    if (calibration_find(l->state_dir, config, device, &c, &err) < 0)
        log_warn("%s; sound levels are uncalibrated", err.text);
    const struct calibration *was = &l->report.calibration;
    if (!l->looked || other || c.calibrated != was->calibrated || c.offset_db != was->offset_db)
        say(&c, device);
    l->report.calibration = c;
    l->looked = true;
}

/* A period in which nothing was heard leaves no row: that is what it was. */
static void keep(const struct soundlevel_figures *f, const struct calibration *c, struct store *store)
{
    float add = (float)c->offset_db;
    struct store_level row = {
        .time_ms = f->end_ns / 1000000,
        .interval_s = f->measured_s,
        .laeq = f->laeq + add,
        .lafmax = f->lafmax + add,
        .lcpeak = f->lcpeak + add,
        .l10 = f->l10 + add,
        .l50 = f->l50 + add,
        .l90 = f->l90 + add,
        .calibrated = c->calibrated,
    };
    row.n_bands = f->n_bands;
    for (unsigned i = 0; i < f->n_bands; i++)
        row.bands[i] = f->band[i] + add;
    if (f->measured_s > 0)
        store_put_level(store, &row);
}

void run_levels_recheck(struct run_levels *l)
{
    l->seen.inode = -1;
}

bool run_levels_tick(struct run_levels *l, struct pipeline *p, const struct config *config, struct store *store)
{
    struct sound_row row;
    struct health h;

    pipeline_health(p, &h);
    if (!h.sound.on)
        return false;
    if (!l->looked || calibration_changed(l->state_dir, &l->seen) || strcmp(l->device, h.input) != 0)
        calibrate(l, config, h.input);
    uint64_t before = l->report.number;
    while (l->report.number == before && pipeline_take_sound(p, &row))
        if (row.period == SOUNDLEVEL_SHORT) {
            l->report.last = row.figures;
            l->report.number++;
        } else if (store) {
            keep(&row.figures, &l->report.calibration, store);
        }
    pipeline_tell_sound(p, &l->report);
    return l->report.number != before;
}
