#include "audio/analysis.h"
#include "base/config.h"
#include "base/option_private.h"
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a number may carry behind it, in terms of the option's own unit. */
static const struct unit {
    const char *unit, *written;
    double times, over; /* both, so that 35 ms is 0.035 s to the last bit */
} units[] = {
    {"s", "s", 1, 1},       {"s", "sec", 1, 1},    {"s", "ms", 1, 1000},    {"s", "min", 60, 1},
    {"s", "h", 3600, 1},    {"ms", "ms", 1, 1},    {"ms", "s", 1000, 1},    {"dB", "dB", 1, 1},
    {"dBFS", "dBFS", 1, 1}, {"dBFS", "dB", 1, 1},  {"Hz", "Hz", 1, 1},      {"Hz", "kHz", 1000, 1},
    {"MB", "MB", 1, 1},     {"MB", "GB", 1000, 1}, {"MB", "kB", 1, 1000},   {"days", "days", 1, 1},
    {"days", "d", 1, 1},    {"days", "h", 1, 24},  {"days", "weeks", 7, 1}, {"%", "%", 1, 1},
};

static double get_number(const struct option *o, const void *base)
{
    const void *field = (const char *)base + o->offset;
    if (o->type == OPTION_INT || o->type == OPTION_CHOICE)
        return *(const int *)field;
    return o->size == sizeof(float) ? (double)*(const float *)field : *(const double *)field;
}

static void set_number(const struct option *o, void *base, double value)
{
    void *field = option_at(o, base);
    if (o->type == OPTION_INT || o->type == OPTION_CHOICE)
        *(int *)field = (int)value;
    else if (o->size == sizeof(float))
        *(float *)field = (float)value;
    else
        *(double *)field = value;
}

static const struct option_word *word_find(const struct option *o, const char *text)
{
    for (const struct option_word *w = o->words; w && w->word; w++)
        if (strcasecmp(w->word, text) == 0)
            return w;
    return NULL;
}

/* "a, b or c" */
static void word_list(const struct option *o, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const struct option_word *w = o->words; w && w->word && used < size; w++) {
        const char *between = w == o->words ? "" : w[1].word ? ", " : " or ";
        used += (size_t)snprintf(out + used, size - used, "%s%s", between, w->word);
    }
}

void option_allowed(const struct option *o, char *out, size_t size)
{
    char words[96];
    word_list(o, words, sizeof words);
    switch (o->type) {
    case OPTION_INT:
    case OPTION_NUMBER:
        snprintf(out, size, "%s%s%s from %.9g to %.9g%s%s", words, *words ? ", or " : "",
                 o->type == OPTION_INT ? "a whole number" : "a number", o->min, o->max, *o->unit ? " " : "", o->unit);
        return;
    case OPTION_BOOL:
        snprintf(out, size, "on or off (also yes, no, true, false, 1, 0)");
        return;
    case OPTION_TEXT:
        snprintf(out, size, "text of up to %zu bytes", o->size - 1);
        return;
    case OPTION_PATH:
        snprintf(out, size, "a path of up to %zu bytes", o->size - 1);
        return;
    case OPTION_HOST:
        snprintf(out, size, "a host name or an IP address");
        return;
    case OPTION_HOSTS:
        snprintf(out, size, "host names, or IP addresses, with commas between them");
        return;
    case OPTION_TOPIC:
        snprintf(out, size, "an MQTT topic without wildcards (+, #), not beginning or ending with /");
        return;
    case OPTION_URL:
        snprintf(out, size, "an address that begins with http:// or https://, up to %zu bytes", o->size - 1);
        return;
    case OPTION_COMMAND:
        snprintf(out, size, "/path/to/program and its arguments, up to %zu bytes (no shell)", o->size - 1);
        return;
    case OPTION_MESSAGE:
        snprintf(out, size, "text of up to %zu bytes, with ${label}, ${score} and other values of the event",
                 o->size - 1);
        return;
    case OPTION_NAMES:
        if (o->words)
            snprintf(out, size, "%s, with commas between them", words);
        else
            snprintf(out, size, "class names, [a-z0-9_], with commas between them");
        return;
    case OPTION_CHANNEL:
        snprintf(out, size, "mix, or a channel's number from %.0f to %.0f", o->min, o->max);
        return;
    case OPTION_CHOICE:
    case OPTION_WORD:
        snprintf(out, size, "%s", words);
        return;
    case OPTION_THRESHOLD:
        snprintf(out, size,
                 "auto+12 dB (above the noise floor, 0 to 60), -40 dBFS (-120 to 0), a linear RMS such as 0.03 "
                 "(up to 1), or off");
        return;
    case OPTION_HOURS:
        snprintf(out, size, "%stwo times of the day such as 22:00-07:00", o->words ? "always, or " : "");
        return;
    case OPTION_LABELS:
        snprintf(out, size, "class names, [a-z0-9_], with commas between them");
        return;
    }
}

int option_refuse(const struct option *o, const char *what, struct err *err)
{
    char allowed[256];
    option_allowed(o, allowed, sizeof allowed);
    return err_set(err, "%s; allowed: %s", what, allowed);
}

static int refuse_words(const struct option *o, const char *text, struct err *err)
{
    struct text_nearest near = {.word = text};
    for (const struct option_word *w = o->words; w && w->word; w++)
        text_nearest_try(&near, w->word);
    if (!near.best)
        return option_refuse(o, "unknown value", err);
    char what[96];
    snprintf(what, sizeof what, "unknown value (did you mean %s?)", near.best);
    return option_refuse(o, what, err);
}

/* Takes the unit that follows a number into account. False: it is none of the option's. */
static bool apply_unit(const struct option *o, const char *text, double *value)
{
    while (isblank((unsigned char)*text))
        text++;
    if (!*text)
        return true;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].unit, o->unit) == 0 && strcasecmp(units[i].written, text) == 0) {
            *value = *value * units[i].times / units[i].over;
            return true;
        }
    return false;
}

/* Within the range, or one of the named values ("off" is 0: so is 0). */
static bool in_range(const struct option *o, double value)
{
    for (const struct option_word *w = o->words; w && w->word; w++)
        if (w->value == value)
            return true;
    return value >= o->min && value <= o->max;
}

static int parse_number(const struct option *o, void *base, const char *text, struct err *err)
{
    const struct option_word *w = word_find(o, text);
    const char *end;
    double value;

    if (w) {
        set_number(o, base, w->value);
        return 0;
    }
    if (!*text)
        return option_refuse(o, "no value", err);
    if (!text_number(text, &value, &end))
        return option_refuse(o, "not a number", err);
    if (!apply_unit(o, end, &value)) {
        char what[128];
        end += strspn(end, " \t");
        if (*end == ',')
            snprintf(what, sizeof what, "not a number (the decimal sign is a point)");
        else if (strchr(end, '#'))
            snprintf(what, sizeof what, "not a number (a comment behind a value begins with \" ;\")");
        else
            snprintf(what, sizeof what, "\"%.32s\" behind the number is not understood", end);
        return option_refuse(o, what, err);
    }
    if (o->type == OPTION_INT && value != floor(value))
        return option_refuse(o, "not a whole number", err);
    if (!in_range(o, value))
        return option_refuse(o, "out of range", err);
    set_number(o, base, value);
    return 0;
}

static int parse_bool(const struct option *o, void *base, const char *text, struct err *err)
{
    static const char *const words[] = {"off", "no", "false", "0", "on", "yes", "true", "1"};
    for (size_t i = 0; i < 8; i++)
        if (strcasecmp(words[i], text) == 0) {
            *(bool *)option_at(o, base) = i >= 4;
            return 0;
        }
    return option_refuse(o, *text ? "neither on nor off" : "no value", err);
}

static int parse_channel(const struct option *o, void *base, const char *text, struct err *err)
{
    const char *end;
    long number;
    if (strcasecmp(text, "mix") == 0)
        snprintf(option_at(o, base), o->size, "mix");
    else if (!text_int(text, &number, &end) || *end)
        return option_refuse(o, *text ? "not a channel" : "no value", err);
    else if ((double)number < o->min || (double)number > o->max)
        return option_refuse(o, "out of range", err);
    else
        snprintf(option_at(o, base), o->size, "%ld", number);
    return 0;
}

/* "7:05" or "07:05"; 24:00 is the end of the day. Minutes, or -1. */
static int time_of_day(const char *text, const char **end)
{
    int part[2];
    for (int i = 0; i < 2; i++) {
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 2 || (i == 1 && digits != 2))
            return -1;
        part[i] = atoi(text);
        text += digits;
        if (i == 0 && *text++ != ':')
            return -1;
    }
    *end = text;
    int minutes = part[0] * 60 + part[1];
    return part[1] < 60 && minutes <= 24 * 60 ? minutes : -1;
}

static int parse_hours(const struct option *o, void *base, const char *text, struct err *err)
{
    int *hours = option_at(o, base);
    const char *p;

    if (word_find(o, text)) {
        hours[0] = hours[1] = -1;
        return 0;
    }
    int from = time_of_day(text, &p);
    if (from < 0 || from == 24 * 60)
        return option_refuse(o, *text ? "not two times of the day" : "no value", err);
    while (isblank((unsigned char)*p))
        p++;
    if (*p++ != '-')
        return option_refuse(o, "not two times of the day", err);
    while (isblank((unsigned char)*p))
        p++;
    int to = time_of_day(p, &p);
    if (to < 0 || *p)
        return option_refuse(o, "not two times of the day", err);
    if (to == 24 * 60)
        to = 0;
    if (from == to)
        return option_refuse(o, "the same time twice", err);
    hours[0] = from;
    hours[1] = to;
    return 0;
}

int option_parse(const struct option *o, void *base, const char *text, struct err *err)
{
    const struct option_word *w;

    switch (o->type) {
    case OPTION_INT:
    case OPTION_NUMBER:
        return parse_number(o, base, text, err);
    case OPTION_BOOL:
        return parse_bool(o, base, text, err);
    case OPTION_CHANNEL:
        return parse_channel(o, base, text, err);
    case OPTION_CHOICE:
    case OPTION_WORD:
        w = word_find(o, text);
        if (!w)
            return refuse_words(o, text, err);
        if (o->type == OPTION_CHOICE)
            set_number(o, base, w->value);
        else
            snprintf(option_at(o, base), o->size, "%s", w->word);
        return 0;
    case OPTION_THRESHOLD:
        return gate_threshold_parse(text, option_at(o, base), err)
                   ? option_refuse(o, *text ? "not a threshold" : "no value", err)
                   : 0;
    case OPTION_HOURS:
        return parse_hours(o, base, text, err);
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_HOST:
    case OPTION_HOSTS:
    case OPTION_TOPIC:
    case OPTION_URL:
    case OPTION_COMMAND:
    case OPTION_MESSAGE:
        return option_parse_text(o, base, text, err);
    case OPTION_NAMES:
        return option_parse_names(o, base, text, err);
    case OPTION_LABELS:
        break;
    }
    return err_set(err, "has no value of its own");
}

/* The shortest text that reads back as the same number. */
static void number_text(const struct option *o, double value, char out[OPTION_VALUE])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        double back = strtod(out, NULL);
        if (o->size == sizeof(float) && o->type == OPTION_NUMBER ? (float)back == (float)value : back == value)
            break;
    }
    if (*o->unit) {
        strcat(out, " ");
        strcat(out, o->unit);
    }
}

void option_text(const struct option *o, const void *base, char out[OPTION_VALUE])
{
    const void *field = (const char *)base + o->offset;
    const int *hours = field;
    double value;

    out[0] = '\0';
    switch (o->type) {
    case OPTION_INT:
    case OPTION_NUMBER:
    case OPTION_CHOICE:
        value = get_number(o, base);
        for (const struct option_word *w = o->words; w && w->word; w++)
            if (w->value == value) {
                snprintf(out, OPTION_VALUE, "%s", w->word);
                return;
            }
        number_text(o, value, out);
        return;
    case OPTION_BOOL:
        snprintf(out, OPTION_VALUE, "%s", *(const bool *)field ? "on" : "off");
        return;
    case OPTION_THRESHOLD:
        gate_threshold_text(field, out, OPTION_VALUE);
        return;
    case OPTION_HOURS:
        if (hours[0] < 0)
            snprintf(out, OPTION_VALUE, "always");
        else
            snprintf(out, OPTION_VALUE, "%02d:%02d-%02d:%02d", hours[0] / 60, hours[0] % 60, hours[1] / 60,
                     hours[1] % 60);
        return;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_HOST:
    case OPTION_HOSTS:
    case OPTION_TOPIC:
    case OPTION_CHANNEL:
    case OPTION_WORD:
    case OPTION_URL:
    case OPTION_COMMAND:
    case OPTION_MESSAGE:
    case OPTION_NAMES:
        snprintf(out, OPTION_VALUE, "%s", (const char *)field);
        return;
    case OPTION_LABELS:
        return;
    }
}
