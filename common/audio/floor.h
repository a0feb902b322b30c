/* The noise floor: minimum statistics of block levels, after R. Martin, "Noise power spectral density estimation based on optimal
 * smoothing and minimum statistics" (2001), for one broad band.
 *
 * Block powers are averaged over FLOOR_SMOOTH_BLOCKS. The floor falls to that average at once, and rises towards its minimum
 * over the last FLOOR_WINDOW_S seconds by at most 1 dB a second; not while `busy`, and not before a whole window was heard, so
 * that a sound that is there from sample 0 is not taken for the room.
 *
 * The minimum of a noise that swings (traffic) lies well below its mean, and a gate some decibels above the minimum would open
 * for the noise itself. Martin corrects this bias by the noise's variance; here it is measured: how far the level is above
 * the minimum in the mean, while the gate is closed, 0 to FLOOR_MAX_BIAS_DB. */
#ifndef EARSHOT_FLOOR_H
#define EARSHOT_FLOOR_H

#include <stdbool.h>

/* 0.2 s: a single quiet 10 ms block (between two wheels on cobbles, between two cycles of a rumble) is not the room; the
 * pauses of speech and of alarms are, and are longer. */
#define FLOOR_SMOOTH_BLOCKS 20
#define FLOOR_PART_BLOCKS   50
#define FLOOR_PARTS         12
#define FLOOR_WINDOW_S      (FLOOR_PARTS * FLOOR_PART_BLOCKS / 100)
#define FLOOR_MIN_DBFS      (-90.0)
#define FLOOR_MAX_BIAS_DB   5.0

struct noise_floor {
    double dbfs, bias_db;
    double powers[FLOOR_SMOOTH_BLOCKS];
    unsigned n_powers, at;    /* filled so far; next place */
    double part[FLOOR_PARTS]; /* minima of the last half seconds, dBFS */
    unsigned n_parts, part_at;
    double part_min; /* of the half second under way */
    unsigned part_blocks;
};

void floor_init(struct noise_floor *f, double dbfs);
/* One 10 ms block's mean square. Blocks of digital silence say nothing about the room and must not be given. */
void floor_do(struct noise_floor *f, double power, bool gate_open, bool busy);

#endif
