/* Moments as people write them, and the hours and days of local time that they lie in. UTC milliseconds since 1970 inside; local
 * time is the process's (TZ, /etc/localtime), with whatever daylight-saving rules it has. */
#ifndef EARSHOT_WHEN_H
#define EARSHOT_WHEN_H

#include "base/err.h"
#include <stdint.h>

/* Takes
 *     2026-11-21T09:30:00.123Z, ...+01:00   RFC 3339; seconds, their fraction and the zone may be left out (local time then), and
 *                                           a blank may stand for the T
 *     2026-11-21                            the first moment of that day
 *     09:30, 09:30:15                       today
 *     2h, 90min, 30s, 3d, 1w, 1d12h         that long ago; days and weeks by the calendar, so that 1d is yesterday at this time on a
 *                                           day of 23 hours as well
 *     now, today, yesterday, tomorrow       the last three: the first moment of the day
 *     @1700000000                           seconds since 1970
 * -1: err says what is allowed. A local time that a change of clocks leaves out is taken as if the clocks had not been changed yet;
 * one that comes twice is one of the two. */
int when_parse(const char *text, int64_t now_ms, int64_t *out_ms, struct err *err);

/* A length of time: "1h", "15min", "2h30min", "3d", "1w" (days of 24 hours). */
int when_parse_span(const char *text, int64_t *out_ms, struct err *err);

enum { WHEN_TEXT = 40 };
void when_text(int64_t ms, char out[WHEN_TEXT]);  /* "2026-11-21 09:30:00", local */
void when_local(int64_t ms, char out[WHEN_TEXT]); /* "2026-11-21T09:30:00+01:00", local, RFC 3339 */
void when_utc(int64_t ms, char out[WHEN_TEXT]);   /* "2026-11-21T08:30:00.000Z" */
void when_day(int64_t ms, char out[WHEN_TEXT]);   /* "2026-11-21", local */

/* The hour of local time that ms lies in: begins at a full hour of the clock on the wall (or at a change of clocks) and ends where
 * the next begins. An hour that comes twice in autumn is two, a day has 23 to 25. */
struct when_range {
    int64_t begin_ms, end_ms; /* begin <= ms < end */
};
struct when_range when_hour_of(int64_t ms);
struct when_range when_day_of(int64_t ms);

int when_hour_number(int64_t ms); /* 0..23, local */

#endif
