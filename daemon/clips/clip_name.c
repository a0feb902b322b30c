#include "daemon/clips/clip_name.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STAMP 20 /* 20261121T120003.120Z */

void clip_name_write(const struct clip_name *n, char out[CLIP_SIZE])
{
    int64_t ms = n->utc_ms > 0 ? n->utc_ms : 0;
    time_t s = (time_t)(ms / 1000);
    struct tm tm;

    if (!gmtime_r(&s, &tm) || tm.tm_year > 9999 - 1900) {
        memset(&tm, 0, sizeof tm);
        tm.tm_mday = 1;
        tm.tm_year = 70;
    }
    char stamp[64];
    snprintf(stamp, sizeof stamp, "%04d%02d%02dT%02d%02d%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
    snprintf(out, CLIP_SIZE, "%.20s_%.47s_%.8s.%.4s", stamp, n->label, n->id, n->extension);
}

void clip_name_part(const char *name, char out[CLIP_PART_SIZE])
{
    snprintf(out, CLIP_PART_SIZE, ".%s.part", name);
}

/* `digits` of them, or -1. */
static int number(const char *text, int digits)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + text[i] - '0';
    }
    return value;
}

static bool read_stamp(const char *s, int64_t *utc_ms)
{
    struct tm tm = {.tm_year = number(s, 4) - 1900,
                    .tm_mon = number(s + 4, 2) - 1,
                    .tm_mday = number(s + 6, 2),
                    .tm_hour = number(s + 9, 2),
                    .tm_min = number(s + 11, 2),
                    .tm_sec = number(s + 13, 2)};
    int ms = number(s + 16, 3);

    if (s[8] != 'T' || s[15] != '.' || s[19] != 'Z' || ms < 0 || tm.tm_year < -1900 || tm.tm_mon < 0 ||
        tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
        tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
        return false;
    *utc_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return true;
}

static bool known_extension(const char *e)
{
    return strcmp(e, "flac") == 0 || strcmp(e, "wav") == 0 || strcmp(e, "npy") == 0;
}

bool clip_name_read(const char *file, struct clip_name *out, bool *part)
{
    char text[CLIP_PART_SIZE];
    size_t n = strlen(file);
    bool unfinished = file[0] == '.' && n > 6 && strcmp(file + n - 5, ".part") == 0;

    *out = (struct clip_name){0};
    if (part)
        *part = unfinished;
    if ((unfinished && !part) || n >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)(unfinished ? n - 6 : n), unfinished ? file + 1 : file);
    n = strlen(text);
    if (unfinished && n > 5 &&
        strcmp(text + n - 5, ".part") == 0) /* of an array, which has a temporary name of its own */
        text[n -= 5] = '\0';
    char *dot = strrchr(text, '.');
    if (n < STAMP + 2 || n >= CLIP_SIZE || text[STAMP] != '_' || !read_stamp(text, &out->utc_ms) ||
        dot < text + STAMP || !known_extension(dot + 1))
        return false;
    snprintf(out->extension, sizeof out->extension, "%.4s", dot + 1);
    *dot = '\0';
    char *id = strrchr(text + STAMP, '_');
    if (id == text + STAMP || strlen(id + 1) != CLIP_ID_SIZE - 1 ||
        strspn(id + 1, "0123456789abcdef") != CLIP_ID_SIZE - 1)
        return false;
    memcpy(out->id, id + 1, CLIP_ID_SIZE);
    *id = '\0';
    const char *label = text + STAMP + 1;
    size_t length = strlen(label);
    if (length == 0 || length >= LABEL_SIZE || strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
        return false;
    memcpy(out->label, label, length + 1);
    return true;
}

void clip_name_id(const char event_id[UUID_SIZE], char out[CLIP_ID_SIZE])
{
    size_t n = strlen(event_id);

    snprintf(out, CLIP_ID_SIZE, "%s", n >= CLIP_ID_SIZE - 1 ? event_id + n - (CLIP_ID_SIZE - 1) : "00000000");
}
