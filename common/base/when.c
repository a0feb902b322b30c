#include "base/when.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND   INT64_C(1000)
#define HOUR     (3600 * SECOND)
#define DAY      (24 * HOUR)
#define MOST     1000000 /* of a unit: keeps every sum far from overflow */
#define YEAR_MIN 1970
#define YEAR_MAX 9999

/* Rounds down, before 1970 too. */
static time_t seconds_of(int64_t ms)
{
    return (time_t)(ms / SECOND - (ms % SECOND < 0));
}

static struct tm local_of(int64_t ms)
{
    time_t t = seconds_of(ms);
    struct tm tm = {0};

    localtime_r(&t, &tm);
    return tm;
}

static int64_t ms_of(struct tm *tm)
{
    tm->tm_isdst = -1;
    return (int64_t)mktime(tm) * SECOND;
}

/* Exactly `n` digits, or -1. */
static int digits(const char **p, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)(*p)[i]))
            return -1;
        value = 10 * value + ((*p)[i] - '0');
    }
    *p += n;
    return value;
}

static bool skip(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static bool take_date(const char **p, struct tm *tm)
{
    int year = digits(p, 4);
    if (year < YEAR_MIN || year > YEAR_MAX || !skip(p, '-'))
        return false;
    int month = digits(p, 2);
    if (month < 1 || month > 12 || !skip(p, '-'))
        return false;
    int day = digits(p, 2);
    if (day < 1 || day > month_days(year, month))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

/* HH:MM[:SS[.fraction]] */
static bool take_clock(const char **p, struct tm *tm, int *ms)
{
    *ms = 0;
    tm->tm_hour = digits(p, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || !skip(p, ':'))
        return false;
    tm->tm_min = digits(p, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59)
        return false;
    tm->tm_sec = 0;
    if (!skip(p, ':'))
        return true;
    tm->tm_sec = digits(p, 2);
    if (tm->tm_sec < 0 || tm->tm_sec > 59)
        return false;
    if (!skip(p, '.'))
        return true;
    if (!isdigit((unsigned char)**p))
        return false;
    for (int unit = 100; isdigit((unsigned char)**p); ++*p, unit /= 10)
        *ms += unit * (**p - '0');
    return true;
}

/* Z or an offset. false: neither. *offset_s: east of Greenwich. */
static bool take_zone(const char **p, int *offset_s)
{
    *offset_s = 0;
    if (skip(p, 'Z') || skip(p, 'z'))
        return true;
    int sign = **p == '-' ? -1 : 1;
    if (!skip(p, '+') && !skip(p, '-'))
        return false;
    int h = digits(p, 2);
    bool colon = skip(p, ':');
    int m = h >= 0 && (colon || **p) ? digits(p, 2) : 0;
    *offset_s = sign * (h * 3600 + m * 60);
    return h >= 0 && h <= 23 && m >= 0 && m <= 59;
}

/* A date, a time of the day, or both with or without a zone. */
static bool take_moment(const char *p, int64_t now_ms, int64_t *out)
{
    struct tm tm = local_of(now_ms);
    int ms = 0, offset_s;
    bool dated = strlen(p) > 4 && p[4] == '-';

    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    if (dated && !take_date(&p, &tm))
        return false;
    if (dated && !*p) {
        *out = ms_of(&tm);
        return true;
    }
    if (dated && !skip(&p, 'T') && !skip(&p, 't') && !skip(&p, ' '))
        return false;
    if (!take_clock(&p, &tm, &ms))
        return false;
    if (!*p) {
        *out = ms_of(&tm) + ms;
        return true;
    }
    if (!dated || !take_zone(&p, &offset_s) || *p)
        return false;
    *out = ((int64_t)timegm(&tm) - offset_s) * SECOND + ms;
    return true;
}

/* Days, and milliseconds besides. */
struct span {
    int days;
    int64_t ms;
};

static bool take_span(const char *p, struct span *out)
{
    static const struct {
        const char *name;
        int days;
        int64_t ms;
    } units[] = {{"weeks", 7, 0},
                 {"week", 7, 0},
                 {"days", 1, 0},
                 {"day", 1, 0},
                 {"hours", 0, HOUR},
                 {"hour", 0, HOUR},
                 {"minutes", 0, HOUR / 60},
                 {"minute", 0, HOUR / 60},
                 {"min", 0, HOUR / 60},
                 {"seconds", 0, SECOND},
                 {"second", 0, SECOND},
                 {"sec", 0, SECOND},
                 {"w", 7, 0},
                 {"d", 1, 0},
                 {"h", 0, HOUR},
                 {"m", 0, HOUR / 60},
                 {"s", 0, SECOND}};

    *out = (struct span){0, 0};
    do {
        char *end;
        if (!isdigit((unsigned char)*p))
            return false;
        long n = strtol(p, &end, 10);
        if (n > MOST)
            return false;
        for (p = end; *p == ' '; p++)
            ;
        size_t i = 0, length = strspn(p, "abcdefghijklmnopqrstuvwxyz");
        while (i < sizeof units / sizeof *units &&
               (strlen(units[i].name) != length || strncmp(units[i].name, p, length) != 0))
            i++;
        if (i == sizeof units / sizeof *units)
            return false;
        out->days += (int)n * units[i].days;
        out->ms += n * units[i].ms;
        for (p += length; *p == ' '; p++)
            ;
    } while (*p && out->days < 10 * MOST);
    return !*p;
}

static bool take_word(const char *text, int64_t now_ms, int64_t *out)
{
    static const struct {
        const char *word;
        int day;
    } days[] = {{"today", 0}, {"yesterday", -1}, {"tomorrow", 1}};

    if (strcmp(text, "now") == 0) {
        *out = now_ms;
        return true;
    }
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        if (strcmp(text, days[i].word) == 0) {
            struct tm tm = local_of(now_ms);
            tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
            tm.tm_mday += days[i].day;
            *out = ms_of(&tm);
            return true;
        }
    return false;
}

static bool take_epoch(const char *text, int64_t *out)
{
    char *end;

    if (*text != '@' || !isdigit((unsigned char)text[1]) || strlen(text) > 13)
        return false;
    *out = strtoll(text + 1, &end, 10) * SECOND;
    return !*end;
}

int when_parse(const char *text, int64_t now_ms, int64_t *out, struct err *err)
{
    struct span ago;

    if (take_word(text, now_ms, out) || take_epoch(text, out) || take_moment(text, now_ms, out))
        return 0;
    if (take_span(text, &ago)) {
        struct tm tm = local_of(now_ms);
        tm.tm_mday -= ago.days;
        *out = (ago.days ? ms_of(&tm) + (now_ms - SECOND * (int64_t)seconds_of(now_ms)) : now_ms) - ago.ms;
        return 0;
    }
    return err_set(err,
                   "\"%.64s\" is no moment; allowed: 2026-11-21, 2026-11-21T09:30 (local), 2026-11-21T08:30:00Z, 09:30 "
                   "(today), 2h, 90min, 3d, 1w (ago), now, today, yesterday",
                   text);
}

int when_parse_span(const char *text, int64_t *out, struct err *err)
{
    struct span s;

    if (!take_span(text, &s) || s.days * DAY + s.ms <= 0)
        return err_set(err, "\"%.64s\" is no length of time; allowed: 30s, 15min, 1h, 2h30min, 1d, 1w", text);
    *out = s.days * DAY + s.ms;
    return 0;
}

void when_text(int64_t ms, char out[WHEN_TEXT])
{
    struct tm tm = local_of(ms);

    strftime(out, WHEN_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
}

void when_day(int64_t ms, char out[WHEN_TEXT])
{
    struct tm tm = local_of(ms);

    strftime(out, WHEN_TEXT, "%Y-%m-%d", &tm);
}

void when_local(int64_t ms, char out[WHEN_TEXT])
{
    struct tm tm = local_of(ms);
    size_t n = strftime(out, WHEN_TEXT, "%Y-%m-%dT%H:%M:%S%z", &tm);

    if (n > 5 && n + 1 < WHEN_TEXT) { /* +0100 -> +01:00 */
        memmove(out + n - 1, out + n - 2, 3);
        out[n - 2] = ':';
    }
}

void when_utc(int64_t ms, char out[WHEN_TEXT])
{
    time_t t = seconds_of(ms);
    struct tm tm = {0};

    gmtime_r(&t, &tm);
    size_t n = strftime(out, WHEN_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, WHEN_TEXT - n, ".%03dZ", (int)(ms - SECOND * (int64_t)t));
}

int when_hour_number(int64_t ms)
{
    return local_of(ms).tm_hour;
}

/* Is the same hour on the wall, without a change of clocks in between? */
static bool same_hour(int64_t a, int64_t b)
{
    struct tm x = local_of(a), y = local_of(b);

    return x.tm_hour == y.tm_hour && x.tm_mday == y.tm_mday && x.tm_gmtoff == y.tm_gmtoff;
}

struct when_range when_hour_of(int64_t ms)
{
    struct tm tm = local_of(ms);
    int64_t second = SECOND * (int64_t)seconds_of(ms);
    struct when_range r = {second - SECOND * (tm.tm_min * 60 + tm.tm_sec), 0};

    r.end_ms = r.begin_ms + HOUR;
    /* clocks that are changed by less than an hour, or within one: minute by minute, since that is rare */
    while (r.begin_ms < second && !same_hour(r.begin_ms, ms))
        r.begin_ms += 60 * SECOND;
    while (r.end_ms - SECOND > second && !same_hour(r.end_ms - SECOND, ms))
        r.end_ms -= 60 * SECOND;
    return r;
}

struct when_range when_day_of(int64_t ms)
{
    struct tm first = local_of(ms), next;
    struct when_range r;

    first.tm_hour = first.tm_min = first.tm_sec = 0;
    next = first;
    next.tm_mday++;
    r.begin_ms = ms_of(&first);
    r.end_ms = ms_of(&next);
    /* midnight left out, or there twice: the day is what has its date */
    if (r.begin_ms > ms)
        r.begin_ms = SECOND * (int64_t)seconds_of(ms);
    if (r.end_ms <= ms)
        r.end_ms = SECOND * (int64_t)seconds_of(ms) + SECOND;
    return r;
}
