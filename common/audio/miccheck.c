#include "audio/miccheck.h"

#include <stdio.h>
#include <string.h>

#define BLOCKS_10S 1000 /* blocks of 10 ms */
#define BLOCKS_1S  100
#define CLIP_ON    1.0 /* percent */
#define CLIP_OFF   0.5
#define CLIP_ON_BLOCKS                                                                                                 \
    10 /* CLIP_ON of BLOCKS_10S: told as soon as it is certain, not at the stretch's end  \
                           */

void miccheck_init(struct miccheck *m)
{
    memset(m, 0, sizeof *m);
}

/* On after `run` reached 10 s, off when no such block was seen for 1 s: a single noise pulse between zeros
 * ends nothing. */
static bool run_state(bool was, uint64_t run, uint64_t blocks, uint64_t *last)
{
    if (run > 0)
        *last = blocks;
    if (run >= BLOCKS_10S)
        return true;
    return was && blocks - *last < BLOCKS_1S;
}

static void check_clipping(struct miccheck *m, const struct analysis_levels *l)
{
    uint64_t n = l->blocks - m->blocks, clipped = l->clipped_blocks - m->clipped;
    bool over = clipped > CLIP_ON_BLOCKS;

    if (n < BLOCKS_10S && !over)
        return;
    if (n < BLOCKS_10S) {
        if (!m->clipping)
            m->clipped_percent = 100.0 * (double)clipped / BLOCKS_10S;
        m->clipping = true;
        return; /* the stretch goes on: its end gives the true figure */
    }
    m->clipped_percent = 100.0 * (double)clipped / (double)n;
    m->clipping = m->clipped_percent > (m->clipping ? CLIP_OFF : CLIP_ON);
    m->blocks = l->blocks;
    m->clipped = l->clipped_blocks;
}

const char *miccheck_do(struct miccheck *m, const struct analysis_levels *l)
{
    if (l->blocks < m->blocks || l->clipped_blocks < m->clipped || l->blocks < m->last_zero ||
        l->blocks < m->last_constant)
        miccheck_init(m);

    m->zeros = run_state(m->zeros, l->zero_run, l->blocks, &m->last_zero);
    /* a steady hum or a calibrator's tone also stands still for a moment: only a whole 10 s run counts, and
     * one moving block ends the run, so `constant_run > 0` says nothing until it is long */
    m->stuck = run_state(m->stuck, l->constant_run >= BLOCKS_1S ? l->constant_run : 0, l->blocks, &m->last_constant);
    check_clipping(m, l);

    m->text[0] = '\0';
    if (m->zeros)
        snprintf(m->text, sizeof m->text, "only zeros: the microphone is muted, unplugged or dead");
    else if (m->stuck)
        snprintf(m->text, sizeof m->text, "level never moves (%.1f dBFS): a stuck input", (double)l->rms_dbfs);
    else if (m->clipping)
        snprintf(m->text, sizeof m->text, "clipping in %.1f %% of blocks: turn the input gain down",
                 m->clipped_percent);
    return m->text;
}
