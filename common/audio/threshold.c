#include "audio/analysis.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AUTO_DEFAULT_DB 12.0
#define AUTO_MAX_DB     60.0
#define FIXED_MIN_DBFS  (-120.0)

static const char ALLOWED[] =
    "\"auto+12 dB\" (above the noise floor, 0 to 60), \"-40 dBFS\" (-120 to 0), a linear RMS such as "
    "0.03 (above 0, up to 1) or \"off\" (always open)";

static const char *skip_blanks(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* A plain decimal number (strtod alone would take "nan", "inf" and hexadecimal). NULL if there is none. */
static const char *number(const char *p, double *out)
{
    size_t n = strspn(p, "+-.0123456789eE");
    char text[32];
    if (n == 0 || n >= sizeof text)
        return NULL;
    if (!isdigit((unsigned char)p[n - 1]) && p[n - 1] != '.')
        return NULL;
    memcpy(text, p, n);
    text[n] = '\0';
    char *end;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out) ? p + n : NULL;
}

/* What follows the number: 0 nothing, 1 one of the units, -1 something else. */
static int unit(const char *p, const char *a, const char *b)
{
    p = skip_blanks(p);
    size_t n = strlen(p);
    while (n > 0 && isspace((unsigned char)p[n - 1]))
        n--;
    if (n == 0)
        return 0;
    if ((n == strlen(a) && strncasecmp(p, a, n) == 0) || (b && n == strlen(b) && strncasecmp(p, b, n) == 0))
        return 1;
    return -1;
}

static int parse_auto(const char *p, struct gate_threshold *out)
{
    *out = (struct gate_threshold){THRESHOLD_AUTO, AUTO_DEFAULT_DB};
    p = skip_blanks(p);
    if (*p == '\0')
        return 0;
    if (*p != '+')
        return -1;
    p = skip_blanks(p + 1);
    if (!isdigit((unsigned char)*p) && *p != '.')
        return -1;
    p = number(p, &out->db);
    return p && unit(p, "dB", NULL) >= 0 && out->db >= 0 && out->db <= AUTO_MAX_DB ? 0 : -1;
}

static int parse_level(const char *p, struct gate_threshold *out)
{
    double value;
    p = number(p, &value);
    if (!p)
        return -1;
    int has_unit = unit(p, "dBFS", "dB");
    if (has_unit < 0)
        return -1;
    /* "0" is an RMS that nothing is below: refused rather than guessed at. "0 dBFS" says what it means. */
    if (!has_unit && value > 0 && value <= 1)
        value = 20 * log10(value);
    else if (!has_unit && value >= 0)
        return -1;
    if (value < FIXED_MIN_DBFS || value > 0)
        return -1;
    *out = (struct gate_threshold){THRESHOLD_FIXED, value};
    return 0;
}

int gate_threshold_parse(const char *text, struct gate_threshold *out, struct err *err)
{
    struct gate_threshold t = {THRESHOLD_OFF, 0};
    const char *p = skip_blanks(text);
    int rc;
    if (strncasecmp(p, "auto", 4) == 0)
        rc = parse_auto(p + 4, &t);
    else if (strncasecmp(p, "off", 3) == 0)
        rc = *skip_blanks(p + 3) == '\0' ? 0 : -1;
    else
        rc = parse_level(p, &t);
    if (rc)
        return err_set(err, "threshold \"%.60s\" is not valid; allowed: %s", text, ALLOWED);
    *out = t;
    return 0;
}

void gate_threshold_text(const struct gate_threshold *t, char *out, size_t size)
{
    switch (t->kind) {
    case THRESHOLD_AUTO:
        snprintf(out, size, "auto+%.6g dB", t->db);
        break;
    case THRESHOLD_FIXED:
        snprintf(out, size, "%.6g dBFS", t->db);
        break;
    case THRESHOLD_OFF:
        snprintf(out, size, "off");
        break;
    }
}
