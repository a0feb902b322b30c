/* What became of clips since the start: for health. */
#ifndef EARSHOT_CLIP_FIGURES_H
#define EARSHOT_CLIP_FIGURES_H

#include <stdint.h>

struct clip_figures {
    uint64_t stored, speech,
        failed;           /* clips kept; not kept because somebody talked; not kept for want of room or rights */
    uint64_t lost_frames; /* samples that are zeros in a clip, or missing */
    uint64_t bytes;       /* of the stored ones */
    char problem[160];    /* "" or why clips are not kept at the moment */
};

#endif
