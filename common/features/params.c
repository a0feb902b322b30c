#include "features/params.h"

#include "base/text.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN = 48 };

/* Keys and values come from files: what is shown of them is short and printable. */
static const char *shown(char out[SHOWN], const char *text)
{
    size_t i = 0;
    for (; i + 4 < SHOWN && text[i]; i++)
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    snprintf(out + i, SHOWN - i, "%s", text[i] ? "..." : "");
    return out;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void range_of(const char *allowed, double *lo, double *hi)
{
    const char *end;
    text_number(strchr(allowed, ' ') + 1, lo, &end);
    text_number(strstr(allowed, "..") + 2, hi, &end);
}

/* `stop` is what may follow the number besides the end of the text. Returns where it ended, NULL if it is not allowed. */
static const char *read_number(const char *text, bool integer, double lo, double hi, char stop)
{
    const char *end;
    double v;
    long i;

    if (integer ? !text_int(text, &i, &end) : !text_number(text, &v, &end))
        return NULL;
    if (integer)
        v = (double)i;
    return (*end == stop || !*end) && v >= lo && v <= hi ? end : NULL;
}

static bool read_list(const char *text, double lo, double hi)
{
    for (size_t n = 1; n <= PARAM_LIST; n++) {
        text = read_number(text, true, lo, hi, ',');
        if (!text)
            return false;
        if (!*text)
            return true;
        text++;
    }
    return false;
}

static bool read_word(const char *text, const char *allowed)
{
    size_t len = strlen(text);
    for (;; allowed++) {
        size_t word = strcspn(allowed, "|");
        if (word == len && memcmp(allowed, text, len) == 0)
            return true;
        allowed += word;
        if (!*allowed)
            return false;
    }
}

static bool value_allowed(const char *value, const char *allowed)
{
    bool integer = starts_with(allowed, "integer "), number = starts_with(allowed, "number ");
    bool list = starts_with(allowed, "list ");
    if (!integer && !number && !list)
        return read_word(value, allowed);

    double lo, hi;
    range_of(allowed, &lo, &hi);
    return list ? read_list(value, lo, hi) : read_number(value, integer, lo, hi, '\0') != NULL;
}

static size_t row_of(const struct param_spec *spec, size_t n_spec, const char *key)
{
    size_t i = 0;
    while (i < n_spec && strcmp(spec[i].name, key) != 0)
        i++;
    return i;
}

static int unknown_key(const struct param_spec *spec, size_t n_spec, const char *key, struct err *err)
{
    char names[ERR_TEXT - 128] = "", part[SHOWN];
    size_t used = 0;
    struct text_nearest near = {.word = shown(part, key)};

    for (size_t i = 0; i < n_spec; i++)
        text_nearest_try(&near, spec[i].name);
    if (near.best)
        return err_set(err, "unknown parameter \"%s\"; did you mean %s?", part, near.best);
    for (size_t i = 0; i < n_spec && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? " " : "", spec[i].name);
    return err_set(err, "unknown parameter \"%s\"; there are: %s", part, names);
}

int params_read(struct param_set *set, const struct param_spec *spec, size_t n_spec, const struct param *given,
                size_t n_given, struct err *err)
{
    bool seen[PARAM_ROWS] = {false};

    set->spec = spec;
    set->n_spec = n_spec;
    for (size_t i = 0; i < n_spec; i++)
        set->value[i] = spec[i].default_value;

    for (size_t g = 0; g < n_given; g++) {
        char part[SHOWN];
        size_t i = row_of(spec, n_spec, given[g].key);
        if (i == n_spec)
            return unknown_key(spec, n_spec, given[g].key, err);
        if (seen[i])
            return err_set(err, "%s is given twice", spec[i].name);
        if (!value_allowed(given[g].value, spec[i].allowed))
            return err_set(err, "%s = \"%s\": allowed is %s", spec[i].name, shown(part, given[g].value),
                           spec[i].allowed);
        seen[i] = true;
        set->value[i] = given[g].value;
    }
    return 0;
}

static const char *value_of(const struct param_set *set, const char *key)
{
    size_t i = row_of(set->spec, set->n_spec, key);
    return i < set->n_spec ? set->value[i] : "";
}

long param_integer(const struct param_set *set, const char *key)
{
    const char *end;
    long v = 0;
    text_int(value_of(set, key), &v, &end);
    return v;
}

double param_number(const struct param_set *set, const char *key)
{
    const char *end;
    double v = 0;
    text_number(value_of(set, key), &v, &end);
    return v;
}

bool param_is(const struct param_set *set, const char *key, const char *word)
{
    return strcmp(value_of(set, key), word) == 0;
}

size_t param_list(const struct param_set *set, const char *key, long out[PARAM_LIST])
{
    size_t n = 0;
    const char *text = value_of(set, key);
    while (n < PARAM_LIST && text_int(text, &out[n], &text)) {
        n++;
        text += *text == ',';
    }
    return n;
}
