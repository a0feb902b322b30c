/* Was a WAV file cut off? libsndfile plays what there is of one without a word. Reads the RIFF header's chunks itself (the 1991 "Multimedia
 * Programming Interface and Data Specifications", chapter 2); the file may be anybody's. */
#ifndef EARSHOT_WAVCUT_H
#define EARSHOT_WAVCUT_H

#include <stdbool.h>
#include <stdint.h>

/* true: a WAV file whose chunk of sound claims more bytes than there are; *have of *claimed are there. A length that stands for "not
 * known", as programs write it that cannot go back (0, 0x7ffff000 and above), claims nothing. The position of fd does not change. */
bool wavcut(int fd, uint64_t *have, uint64_t *claimed);

#endif
