#include "daemon/sound_meter.h"

#include "base/ring.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

#define QUEUE    64         /* rows; they are taken twice a second */
#define SLACK_NS 5000000    /* blocks of the input do not end at whole seconds to the nanosecond */
#define STEP_NS  2000000000 /* a period that ends this much too late, or before it began: the clock was set */

struct sound_meter {
    struct soundlevel *level; /* NULL: no stream, or one that cannot be measured */
    struct ring *rows;
    const atomic_bool *stop;
    bool third_octave;
    struct {
        int64_t length_ns; /* 0: no such period */
        bool begun, aligned;
        int64_t start_ns, due_ns;
    } period[SOUNDLEVEL_PERIODS];
    int64_t now_ns; /* UTC at the end of what was measured */
    unsigned rate;
};

struct sound_meter *sound_meter_new(const struct config *config, const atomic_bool *stop, struct err *err)
{
    struct sound_meter *m = calloc(1, sizeof *m);
    if (!m || !(m->rows = ring_new(sizeof(struct sound_row), QUEUE))) {
        free(m);
        err_set(err, "no memory for the level meter");
        return NULL;
    }
    m->stop = stop;
    m->third_octave = config->level.third_octave;
    m->period[SOUNDLEVEL_SHORT].length_ns = llround(config->level.interval * 1e9);
    m->period[SOUNDLEVEL_LONG].length_ns = llround(config->level.keep * 1e9);
    m->period[SOUNDLEVEL_LONG].aligned = true;
    return m;
}

void sound_meter_free(struct sound_meter *m)
{
    if (!m)
        return;
    soundlevel_free(m->level);
    ring_free(m->rows);
    free(m);
}

static void begin_period(struct sound_meter *m, int i, int64_t utc_ns)
{
    int64_t length = m->period[i].length_ns;
    m->period[i].begun = true;
    m->period[i].start_ns = utc_ns;
    m->period[i].due_ns = m->period[i].aligned ? ((utc_ns + SLACK_NS) / length + 1) * length : utc_ns + length;
}

static struct sound_row *reserve(struct sound_meter *m)
{
    struct sound_row *row = ring_reserve(m->rows);
    while (!row && m->stop && !atomic_load_explicit(m->stop, memory_order_relaxed)) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        row = ring_reserve(m->rows);
    }
    return row;
}

static void end_period(struct sound_meter *m, int i, int64_t utc_ns, bool flush)
{
    struct sound_row spare = {0}, *row = reserve(m), *r = row ? row : &spare;
    r->period = (enum soundlevel_period)i;
    if (m->level)
        soundlevel_take(m->level, r->period, flush, &r->figures);
    else
        soundlevel_nothing(&r->figures);
    int64_t heard_ns = llround((r->figures.measured_s + r->figures.lost_s) * 1e9);
    bool stepped = utc_ns < m->period[i].start_ns || utc_ns > m->period[i].due_ns + STEP_NS;
    r->figures.start_ns = m->period[i].start_ns;
    r->figures.end_ns = stepped ? m->period[i].start_ns + heard_ns : utc_ns;
    if (row)
        ring_commit(m->rows);
    begin_period(m, i, utc_ns);
}

void sound_meter_clock(struct sound_meter *m, int64_t utc_ns)
{
    m->now_ns = utc_ns;
    for (int i = 0; i < SOUNDLEVEL_PERIODS; i++)
        if (m->period[i].length_ns == 0)
            continue;
        else if (!m->period[i].begun)
            begin_period(m, i, utc_ns);
        else if (utc_ns >= m->period[i].due_ns - SLACK_NS || utc_ns < m->period[i].start_ns)
            end_period(m, i, utc_ns, false);
}

void sound_meter_end(struct sound_meter *m)
{
    for (int i = 0; i < SOUNDLEVEL_PERIODS && m->level; i++)
        if (m->period[i].length_ns > 0 && m->period[i].begun) {
            end_period(m, i, m->now_ns, true);
            m->period[i].begun = false;
        }
}

int sound_meter_begin(struct sound_meter *m, unsigned rate, double gain, struct err *err)
{
    sound_meter_end(m);
    soundlevel_free(m->level);
    for (int i = 0; i < SOUNDLEVEL_PERIODS; i++)
        m->period[i].begun = false;
    m->rate = rate;
    m->level = soundlevel_new(
        &(struct soundlevel_params){.rate = rate, .full_scale = gain, .third_octave = m->third_octave}, err);
    return m->level ? 0 : -1;
}

void sound_meter_do(struct sound_meter *m, const float *x, size_t n)
{
    if (!m->level)
        return;
    soundlevel_do(m->level, x, n);
    m->now_ns += (int64_t)(n * 1000000000ULL / m->rate);
}

void sound_meter_lost(struct sound_meter *m, uint64_t frames)
{
    if (m->level)
        soundlevel_lost(m->level, frames);
}

void sound_meter_skip(struct sound_meter *m)
{
    if (m->level)
        soundlevel_skip(m->level);
}

void sound_meter_get_now(const struct sound_meter *m, struct soundlevel_now *out)
{
    *out = (struct soundlevel_now){.laf = -INFINITY, .las = -INFINITY};
    if (m->level)
        soundlevel_get_now(m->level, out);
}

bool sound_meter_take(struct sound_meter *m, struct sound_row *out)
{
    const struct sound_row *row = ring_peek(m->rows);
    if (!row)
        return false;
    *out = *row;
    ring_release(m->rows);
    return true;
}
