#include "audio/floor.h"

#include <math.h>

#include "audio/level.h"

#define RISE_DB_PER_BLOCK 0.01 /* 1 dB a second */
#define BIAS_BLOCKS       1000 /* time constant of the bias: 10 s */

void floor_init(struct noise_floor *f, double dbfs)
{
    *f = (struct noise_floor){.dbfs = fmax(dbfs, FLOOR_MIN_DBFS), .part_min = INFINITY};
}

static double smoothed(const struct noise_floor *f)
{
    double sum = 0;
    for (unsigned i = 0; i < FLOOR_SMOOTH_BLOCKS; i++)
        sum += f->powers[i];
    return fmax(level_dbfs(sum / FLOOR_SMOOTH_BLOCKS), FLOOR_MIN_DBFS);
}

static double window_minimum(const struct noise_floor *f)
{
    double min = f->part_min;
    for (unsigned i = 0; i < FLOOR_PARTS; i++)
        min = fmin(min, f->part[i]);
    return min;
}

void floor_do(struct noise_floor *f, double power, bool gate_open, bool busy)
{
    f->powers[f->at] = power;
    f->at = (f->at + 1) % FLOOR_SMOOTH_BLOCKS;
    if (f->n_powers < FLOOR_SMOOTH_BLOCKS && ++f->n_powers < FLOOR_SMOOTH_BLOCKS)
        return;

    double level = smoothed(f);
    f->part_min = fmin(f->part_min, level);
    if (level + f->bias_db < f->dbfs)
        f->dbfs = level + f->bias_db;
    if (f->n_parts == FLOOR_PARTS && !busy) {
        double min = window_minimum(f);
        if (!gate_open)
            f->bias_db += (fmin(level - min, FLOOR_MAX_BIAS_DB) - f->bias_db) / BIAS_BLOCKS;
        f->dbfs = fmax(f->dbfs, fmin(f->dbfs + RISE_DB_PER_BLOCK, min + f->bias_db));
    }

    if (++f->part_blocks == FLOOR_PART_BLOCKS) {
        f->part[f->part_at] = f->part_min;
        f->part_at = (f->part_at + 1) % FLOOR_PARTS;
        if (f->n_parts < FLOOR_PARTS)
            f->n_parts++;
        f->part_min = INFINITY;
        f->part_blocks = 0;
    }
}
