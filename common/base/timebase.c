#include "base/timebase.h"

#include <math.h>
#include <stdlib.h>

/* The loop. Frames are predicted to come at
 *
 *     mono(frame) = anchor_ns + (frame - anchor_frame) * period_ns
 *
 * and each update says how late a block really was. Scheduling makes blocks late, in bursts, by anything; nothing makes them
 * early. So the truth is the lower envelope of what is seen:
 *  - a block before its time proves the line too late: the line is moved to it at once;
 *  - lateness counts only as the least of a whole interval, and half of it is taken at the interval's end: one punctual block
 *    in it is enough, whatever stalls the others sat through;
 *  - what had to be corrected, over the interval's length, corrects the period: a second-order loop, whose second state
 *    is the sound card's error. Intervals grow from 1 s to 10 s; the first two only find the line, as the very first block
 *    may have been late by anything. More than NOT_A_CLOCK_NS in an interval was a stall and says nothing of the period.
 *
 * The poles at full length, in intervals: z^2 - 1.4 z + 0.5, inside the unit circle, overshoot of a few per cent. With a callback
 * every 10 ms, late by 0 to 30 ms at random, an interval's least is under 0.1 ms, so that the period wanders by about 1 ppm.
 *
 * A block that is more than JUMP_NS late is either a stall, whose backlog follows in a burst, or audio that was never recorded
 * (source suspended, frames lost unseen). A second tells: if not one block of it was less late, the line moves. */
#define PHASE_GAIN       0.5
#define RATE_GAIN        0.1
#define FAST_RATE_GAIN   0.7 /* in the first minute, for errors that jitter cannot make: a nominal rate that is wrong */
#define FAST_FROM        2e-3 /* ... of the interval */
#define FAST_INTERVALS   8
#define LINE_INTERVALS   2
#define NOT_A_CLOCK_NS   150000000.0
#define FIRST_INTERVAL_S 1
#define INTERVAL_S       10
#define MAX_RATE_ERROR   0.1
#define JUMP_NS          500000000.0
#define JUMP_WAIT_NS     1000000000.0
#define STEP_NS          100000000

struct timebase {
    double nominal_ns, period_ns; /* of a frame */
    bool anchored;
    uint64_t anchor_frame;
    int64_t anchor_ns;

    uint64_t begin_frame; /* of the interval under way */
    double interval_s;
    unsigned intervals; /* ended, up to FAST_INTERVALS */
    double least_late;  /* ns, against the line as it is now */
    double moved_back;  /* ns by which early blocks moved the line in this interval, <= 0 */

    bool jumped; /* a block over JUMP_NS late was seen, at jump_ns on the monotonic clock */
    int64_t jump_ns;
    double jump_least;

    bool wall_known;
    int64_t wall_minus_mono_ns;
};

struct timebase *timebase_new(unsigned nominal_rate)
{
    struct timebase *t = calloc(1, sizeof *t);
    if (t)
        timebase_reset(t, nominal_rate);
    return t;
}

void timebase_free(struct timebase *t)
{
    free(t);
}

/* What is known of the wall clock outlives a stream. */
void timebase_reset(struct timebase *t, unsigned nominal_rate)
{
    *t = (struct timebase){
        .nominal_ns = 1e9 / (nominal_rate ? nominal_rate : 1),
        .wall_known = t->wall_known,
        .wall_minus_mono_ns = t->wall_minus_mono_ns,
    };
    t->period_ns = t->nominal_ns;
}

static int64_t predict(const struct timebase *t, uint64_t frame)
{
    return t->anchor_ns + llround((double)(int64_t)(frame - t->anchor_frame) * t->period_ns);
}

static void begin_interval(struct timebase *t, uint64_t frame, double seconds)
{
    t->begin_frame = frame;
    t->interval_s = seconds;
    t->least_late = INFINITY;
    t->moved_back = 0;
}

static void anchor(struct timebase *t, uint64_t frame, int64_t mono_ns)
{
    t->anchored = true;
    t->anchor_frame = frame;
    t->anchor_ns = mono_ns;
    t->jumped = false;
    begin_interval(t, frame, FIRST_INTERVAL_S);
}

static void end_interval(struct timebase *t, uint64_t frame)
{
    double length_ns = (double)(frame - t->begin_frame) * t->nominal_ns;
    bool early = t->moved_back < 0;
    double error = early ? t->moved_back : t->least_late;
    double gain = RATE_GAIN;
    if (t->intervals < LINE_INTERVALS || fabs(error) > NOT_A_CLOCK_NS)
        gain = 0;
    else if (t->intervals < FAST_INTERVALS && fabs(error) > FAST_FROM * length_ns)
        gain = FAST_RATE_GAIN;
    t->intervals += t->intervals < FAST_INTERVALS;

    t->anchor_ns = predict(t, frame) + (early ? 0 : llround(PHASE_GAIN * error));
    t->anchor_frame = frame;
    t->period_ns *= 1 + gain * error / length_ns;
    t->period_ns = fmin(fmax(t->period_ns, t->nominal_ns * (1 - MAX_RATE_ERROR)), t->nominal_ns * (1 + MAX_RATE_ERROR));
    begin_interval(t, frame, fmin(t->interval_s * 2, INTERVAL_S));
}

/* Is this block part of a gap (see above) whose nature is not known yet? Re-anchors once it is. */
static bool in_jump(struct timebase *t, uint64_t frame, int64_t mono_ns, double late)
{
    if (late <= JUMP_NS) {
        t->jumped = false; /* it was a stall, and the backlog has been worked off */
        return false;
    }
    if (!t->jumped) {
        t->jumped = true;
        t->jump_ns = mono_ns;
        t->jump_least = late;
    }
    t->jump_least = fmin(t->jump_least, late);
    if ((double)(mono_ns - t->jump_ns) >= JUMP_WAIT_NS)
        anchor(t, frame, mono_ns - llround(late - t->jump_least));
    return true;
}

void timebase_update(struct timebase *t, uint64_t frame, int64_t mono_ns)
{
    if (!t->anchored || frame < t->begin_frame) {
        anchor(t, frame, mono_ns);
        return;
    }
    double late = (double)(mono_ns - predict(t, frame));
    if (in_jump(t, frame, mono_ns, late))
        return;
    if (late < 0) {
        t->anchor_ns += llround(late);
        t->moved_back += late;
        late = 0;
    }
    t->least_late = fmin(t->least_late, late);
    if ((double)(frame - t->begin_frame) * t->nominal_ns >= t->interval_s * 1e9)
        end_interval(t, frame);
}

int64_t timebase_wall(struct timebase *t, int64_t wall_minus_mono_ns, bool in_sound)
{
    int64_t step = wall_minus_mono_ns - t->wall_minus_mono_ns;
    bool stepped = t->wall_known && (step > STEP_NS || step < -STEP_NS);
    if (stepped && in_sound)
        return 0;
    t->wall_known = true;
    t->wall_minus_mono_ns = wall_minus_mono_ns;
    return stepped ? step : 0;
}

int64_t timebase_utc(const struct timebase *t, uint64_t frame)
{
    return predict(t, frame) + t->wall_minus_mono_ns;
}

double timebase_rate(const struct timebase *t)
{
    return 1e9 / t->period_ns;
}
