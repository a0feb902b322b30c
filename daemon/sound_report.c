#include "daemon/sound_report.h"

#include "base/json.h"
#include "event/event.h"
#include <math.h>
#include <stdio.h>

#define DECIMALS  2
#define ALL_OF_IT 16000.0F /* Hz; class 1's last frequency with a lower limit */

static void set(json_t *o, const char *key, double dbfs, const struct calibration *c)
{
    json_object_set_new(o, key, json_decimal(dbfs + c->offset_db, DECIMALS));
}

void sound_json_now(json_t *o, const struct sound_report *r)
{
    set(o, "laf", r->now.laf, &r->calibration);
    set(o, "las", r->now.las, &r->calibration);
    json_object_set_new(o, "calibrated", json_boolean(r->calibration.calibrated));
    json_object_set_new(o, "unit", json_string(r->calibration.calibrated ? "dB" : "dBFS"));
}

static void set_spectrum(json_t *o, const struct sound_report *r)
{
    const struct soundlevel_figures *f = &r->last;
    if (f->n_bands == 0)
        return;
    json_t *hz = json_array(), *leq = json_array();
    for (unsigned i = 0; i < f->n_bands; i++) {
        json_array_append_new(hz, json_decimal(thirdoctave_nominal(i), 1));
        json_array_append_new(leq, json_decimal((double)f->band[i] + r->calibration.offset_db, DECIMALS));
    }
    json_object_set_new(o, "third_octave", json_pack("{s:o, s:o}", "hz", hz, "leq", leq));
}

void sound_json_period(json_t *o, const struct sound_report *r)
{
    const struct soundlevel_figures *f = &r->last;
    const struct {
        const char *key;
        float dbfs;
    } levels[] = {
        {"laeq", f->laeq},     {"lceq", f->lceq},     {"lzeq", f->lzeq}, {"lafmax", f->lafmax}, {"lafmin", f->lafmin},
        {"lasmax", f->lasmax}, {"lcpeak", f->lcpeak}, {"l10", f->l10},   {"l50", f->l50},       {"l90", f->l90},
    };
    char time[RFC3339_SIZE];

    sound_json_now(o, r);
    if (r->number == 0)
        return;
    rfc3339_utc(time, f->start_ns);
    json_object_set_new(o, "start", json_string(time));
    json_object_set_new(o, "interval_s", json_decimal(f->measured_s, 3));
    json_object_set_new(o, "lost_s", json_decimal(f->lost_s, 3));
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        set(o, levels[i].key, levels[i].dbfs, &r->calibration);
    json_object_set_new(o, "overloads", json_integer(f->overloads));
    set_spectrum(o, r);
    json_object_set_new(o, "class1_to_hz", json_decimal(f->class1_hz, 1));
}

const char *sound_unit(const struct calibration *c, char weighting)
{
    if (c->calibrated)
        return weighting == 'A' ? "dB(A)" : weighting == 'C' ? "dB(C)" : "dB(Z)";
    return weighting == 'A'   ? "dBFS(A), uncalibrated"
           : weighting == 'C' ? "dBFS(C), uncalibrated"
                              : "dBFS(Z), uncalibrated";
}

void sound_class1_text(const struct soundlevel_figures *f, char *out, size_t size)
{
    out[0] = '\0';
    if (f->rate > 0 && f->class1_hz < ALL_OF_IT)
        snprintf(out, size, "at %u Hz the weightings hold class 1 of IEC 61672-1 up to %g Hz", f->rate,
                 (double)f->class1_hz);
}

/* "-" where the sound was too short for it. */
static const char *decibels(double dbfs, const struct calibration *c, char out[16])
{
    if (isfinite(dbfs))
        snprintf(out, 16, "%.2f", dbfs + c->offset_db);
    else
        snprintf(out, 16, "-");
    return out;
}

void sound_text(const struct soundlevel_figures *f, const struct calibration *c, char *out, size_t size)
{
    double add = c->offset_db;
    char text[10][16];
    int used = snprintf(out, size,
                        "LAeq   %7s %s over %.1f s\n"
                        "LAFmax %7s %s   LAFmin %s   LASmax %s\n"
                        "LCpeak %7s %s   LCeq %s   LZeq %s\n"
                        "L10    %7s %s   L50 %s   L90 %s",
                        decibels(f->laeq, c, text[0]), sound_unit(c, 'A'), f->measured_s,
                        decibels(f->lafmax, c, text[1]), sound_unit(c, 'A'), decibels(f->lafmin, c, text[2]),
                        decibels(f->lasmax, c, text[3]), decibels(f->lcpeak, c, text[4]), sound_unit(c, 'C'),
                        decibels(f->lceq, c, text[5]), decibels(f->lzeq, c, text[6]), decibels(f->l10, c, text[7]),
                        sound_unit(c, 'A'), decibels(f->l50, c, text[8]), decibels(f->l90, c, text[9]));
    for (unsigned i = 0; i < f->n_bands && used > 0 && (size_t)used < size; i++)
        used += snprintf(out + used, size - (size_t)used, "%s%7g Hz %7.2f",
                         i == 0       ? "\nThirds of octaves, unweighted:\n"
                         : i % 5 == 0 ? "\n"
                                      : "   ",
                         thirdoctave_nominal(i), (double)f->band[i] + add);
}
