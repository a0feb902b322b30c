/* A noise report from the level meter's rows: LAeq by hour of local time; Lday, Levening, Lnight and Lden by day; maxima and percentiles
 * of the whole. Figures without files, so that they can be tested with rows made by hand.
 *
 * Lden = 10 lg ((Td 10^(Lday/10) + Te 10^((Levening+5)/10) + Tn 10^((Lnight+10)/10)) / 24), Td, Te, Tn the hours that the three have:
 * Directive 2002/49/EC, annex I, which has 12, 4 and 8. (There the three are averages over a year.) A day begins with its day time and
 * has the night that follows it.
 *
 * Percentiles of a long time come from those of its rows: within a row the level is taken to be spread evenly between LAFmax, L10, L50,
 * L90 and as far below L90 as that is below L50. */
#ifndef EARSHOT_NOISE_REPORT_H
#define EARSHOT_NOISE_REPORT_H

#include "base/err.h"
#include "daemon/store/store.h"
#include <stdbool.h>
#include <stdint.h>

enum noise_part { NOISE_DAY, NOISE_EVENING, NOISE_NIGHT, NOISE_PARTS };

struct noise_hours {
    int day_from, day_to, evening_to; /* minutes of the local day; the evening begins where the day ends */
};

struct noise_sum {
    double measured_s, energy; /* of 10^(LAeq/10), s */
    float lafmax, lcpeak;      /* NAN: none */
    int64_t lafmax_ms;         /* UTC: end of the row that has it */
};

struct noise_hour {
    int64_t start_ms; /* UTC; of local time, whole */
    int hour;         /* 0 to 23 */
    struct noise_sum sum;
};

struct noise_day {
    int year, month, day;
    struct noise_sum part[NOISE_PARTS];
    double length_s[NOISE_PARTS]; /* that they had: clocks may have been set forward or back */
};

struct noise_report {
    struct noise_hours hours;
    bool calibrated;   /* of the rows that count */
    double left_out_s; /* of rows that are of the other kind */
    struct noise_sum total, part[NOISE_PARTS];
    struct noise_hour *hour;
    struct noise_day *day;
    size_t n_hours, n_days;
    size_t hours_room, days_room; /* private from here */
    double *bin, binned_s;
};

/* NULL: no memory. */
struct noise_report *noise_report_new(const struct noise_hours *hours, bool calibrated);
void noise_report_free(struct noise_report *r);

/* Rows in order of time. A row counts where the middle of its interval lies; one without LAeq not at all. -1: no memory. */
int noise_report_add(struct noise_report *r, const struct store_level *level, struct err *err);

double noise_laeq(const struct noise_sum *s);                              /* NAN: nothing was measured */
double noise_lden(const struct noise_hours *h, const struct noise_sum *p); /* NAN: one of the three is missing */
double noise_exceeded(const struct noise_report *r, double share);         /* L10: 0.1; NAN: unknown */
enum noise_part noise_part_of(const struct noise_hours *h, int minute);    /* of the local day */

#endif
