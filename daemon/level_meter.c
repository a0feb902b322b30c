#include "daemon/level_meter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ADVICE_ABOVE_DB 12.0F    /* over the background, as auto+12 dB has it */
#define ADVICE_LEAST_DB 6.0F     /* nearer to the background would open for nothing */
#define ADVICE_BELOW_DB 6.0F     /* under the loudest: that sound is to open the gate */
#define BACKGROUND      0.2      /* the share of the time in which it is no louder; sounds may fill the rest */
#define BACKGROUND_MIN  (-80.0F) /* no microphone is quieter: digital silence is not a room's */
#define MIN_SAMPLES     20       /* two seconds */

#define TAIL_WIDTH 35 /* "peak -100 floor -100 opens at -100.0" nearly: the bar keeps its length */

static int column(float dbfs, int width)
{
    float at = (dbfs - METER_LOW) / -METER_LOW * (float)(width - 1);
    return !(at > 0) ? 0 : at > (float)(width - 1) ? width - 1 : (int)lroundf(at);
}

void meter_bar(const struct analysis_levels *l, char *out, int width)
{
    if (width < 1)
        width = 1;
    memset(out, ' ', (size_t)width);
    out[width] = '\0';
    memset(out, '=', (size_t)column(l->rms_dbfs, width));
    out[column(l->floor_dbfs, width)] = ':';
    out[column(l->peak_dbfs, width)] = '*';
    if (isfinite(l->threshold_dbfs))
        out[column(l->threshold_dbfs, width)] = '|';
}

void meter_line(const struct analysis_levels *l, char *out, size_t size, int columns)
{
    char tail[80], threshold[24] = "always open", bar[161];
    if (isfinite(l->threshold_dbfs))
        snprintf(threshold, sizeof threshold, "opens at %.1f", (double)l->threshold_dbfs);
    snprintf(tail, sizeof tail, "peak %.0f floor %.0f %s", (double)l->peak_dbfs, (double)l->floor_dbfs, threshold);
    int width = columns - (12 + 2 + 1 + TAIL_WIDTH + 5);
    meter_bar(l, bar, width < 10 ? 10 : width > 160 ? 160 : width);
    int n = snprintf(out, size, "%6.1f dBFS [%s] %-*s %s", (double)l->rms_dbfs, bar, TAIL_WIDTH, tail,
                     l->open ? "OPEN" : "");
    if (columns > 0 && n > columns && columns < (int)size)
        out[columns] = '\0'; /* a narrow terminal must not wrap: the line is drawn over */
}

void meter_see(struct meter_seen *s, const struct analysis_levels *l)
{
    float at = roundf(l->rms_dbfs) + (METER_BINS - 1);
    int i = !(at > 0) ? 0 : at > METER_BINS - 1 ? METER_BINS - 1 : (int)at;
    s->bin[i]++;
    s->n++;
    s->open += l->open;
}

float meter_percentile(const struct meter_seen *s, double share)
{
    double want = share * s->n, sum = 0;
    for (int i = 0; i < METER_BINS; i++) {
        sum += s->bin[i];
        if (sum > 0 && sum >= want)
            return (float)(i - (METER_BINS - 1));
    }
    return 0;
}

void meter_advice(const struct meter_seen *s, const struct analysis_levels *last, char *out, size_t size)
{
    if (s->n < MIN_SAMPLES) {
        snprintf(out, size, "Too little was heard for advice on the threshold: let it run for some seconds.");
        return;
    }
    float background = fmaxf(meter_percentile(s, BACKGROUND), BACKGROUND_MIN), loudest = meter_percentile(s, 1);
    float advice = background + ADVICE_ABOVE_DB;
    if (advice > loudest - ADVICE_BELOW_DB)
        advice = loudest - ADVICE_BELOW_DB;
    int n = snprintf(out, size, "Background %.0f dBFS, loudest %.0f dBFS, gate open for %.0f %% of the time",
                     (double)background, (double)loudest, 100.0 * s->open / s->n);
    if (isfinite(last->threshold_dbfs) && n < (int)size)
        n += snprintf(out + n, size - (size_t)n, " (it opens at %.1f dBFS now)", (double)last->threshold_dbfs);
    if (n >= (int)size)
        return;
    if (advice < background + ADVICE_LEAST_DB)
        snprintf(out + n, size - (size_t)n,
                 ".\nNothing stood out from the background. Make the sound that is to be recognised while this runs.");
    else
        snprintf(out + n, size - (size_t)n,
                 ".\nA fixed threshold that parts the two: [gate] threshold = %.0f dBFS\n"
                 "The default, auto+12 dB, follows a background that changes.",
                 (double)advice);
}
