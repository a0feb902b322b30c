/* A picture of palette colours as PNG (ISO/IEC 15948), uncompressed within (stored blocks of RFC 1951): a few tens of kB for what stands in
 * an SVG, and no library. */
#ifndef EARSHOT_PNG_H
#define EARSHOT_PNG_H

#include <stddef.h>
#include <stdint.h>

/* pixels: [height][width] indices into palette, [256][3] of red, green, blue. Returns the file's bytes, *size of them, the caller's to
 * free; NULL: no memory, or an edge is 0 or above 16384. */
uint8_t *png_indexed(const uint8_t *pixels, unsigned width, unsigned height, const uint8_t palette[256][3],
                     size_t *size);

#endif
