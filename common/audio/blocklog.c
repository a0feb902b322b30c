#include "audio/blocklog.h"

#include <math.h>
#include <stdlib.h>

#include "audio/level.h"

#define BEFORE      8 /* blocks */
#define MIN_RISE_DB 6.0f

int blocklog_init(struct blocklog *b, size_t capacity)
{
    *b = (struct blocklog){.capacity = capacity};
    b->entries = calloc(capacity, sizeof *b->entries);
    return b->entries ? 0 : -1;
}

void blocklog_free(struct blocklog *b)
{
    free(b->entries);
    b->entries = NULL;
}

void blocklog_add(struct blocklog *b, const struct blocklog_entry *e)
{
    b->entries[b->n++ % b->capacity] = *e;
}

static const struct blocklog_entry *entry(const struct blocklog *b, uint64_t i)
{
    return &b->entries[i % b->capacity];
}

static uint64_t oldest(const struct blocklog *b)
{
    return b->n > b->capacity ? b->n - b->capacity : 0;
}

/* The first block that ends after `position`. */
static uint64_t find(const struct blocklog *b, uint64_t position)
{
    uint64_t i = b->n;
    while (i > oldest(b) && entry(b, i - 1)->position + entry(b, i - 1)->frames > position)
        i--;
    return i;
}

struct blocklog_figures blocklog_figures(const struct blocklog *b, uint64_t from, uint64_t to)
{
    double energy = 0, frames = 0;
    float peak = 0;
    for (uint64_t i = find(b, from); i < b->n && entry(b, i)->position < to; i++) {
        const struct blocklog_entry *e = entry(b, i);
        uint64_t begin = e->position > from ? e->position : from;
        uint64_t end = e->position + e->frames < to ? e->position + e->frames : to;
        energy += (double)e->power * (double)(end - begin);
        frames += (double)(end - begin);
        peak = fmaxf(peak, e->peak);
    }
    return (struct blocklog_figures){
        .rms_dbfs = level_dbfs(frames > 0 ? energy / frames : 0),
        .peak_dbfs = level_dbfs((double)peak * peak),
    };
}

uint64_t blocklog_onset(const struct blocklog *b, uint64_t from, uint64_t to, float floor_dbfs)
{
    float best = MIN_RISE_DB;
    uint64_t onset = from;
    for (uint64_t i = find(b, from); i < b->n && entry(b, i)->position < to; i++) {
        if (entry(b, i)->position < from || i < oldest(b) + BEFORE)
            continue;
        float before = 0;
        for (uint64_t j = i - BEFORE; j < i; j++)
            before += fmaxf(entry(b, j)->dbfs, floor_dbfs) / BEFORE;
        float rise = entry(b, i)->dbfs - before;
        if (rise > best) {
            best = rise;
            onset = entry(b, i)->position;
        }
    }
    return onset;
}
