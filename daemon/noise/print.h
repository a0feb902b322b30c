/* A noise report as text, JSON lines, CSV and a picture. */
#ifndef EARSHOT_NOISE_PRINT_H
#define EARSHOT_NOISE_PRINT_H

#include "daemon/noise/report.h"
#include <stdio.h>

struct noise_period {
    int64_t since_ms, until_ms; /* that was asked for, until no later than now */
    bool hours;                 /* the text lists them, too */
};

/* For people, in local time. */
void noise_print_text(FILE *out, const struct noise_report *r, const struct noise_period *p);

/* An object a line: kind "period", then each "day", then each "hour". Levels in dB with two decimals, null where nothing was
 * measured; unit and calibrated in each. Times of days are dates of local time, those of hours UTC. */
void noise_print_json(FILE *out, const struct noise_report *r, const struct noise_period *p);

/* The same with one header: kind,start,measured_s,length_s,laeq,lafmax,lcpeak,l10,l50,l90,lday,levening,lnight,lden,unit */
void noise_print_csv(FILE *out, const struct noise_report *r, const struct noise_period *p);

/* LAeq over the 24 hours of the day (of several days their mean by energy), with the loudest LAFmax of each; SVG 1.1 that needs no
 * other file. */
void noise_draw(FILE *out, const struct noise_report *r, const struct noise_period *p);

#endif
