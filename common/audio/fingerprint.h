/* Are two recordings the same sound? A print of a recording survives another codec, rate, level and a cut; two recordings of the same thing
 * have different ones.
 *
 * The method is that of J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002, with other figures and
 * logarithms, since clips are short and sounds are not music: at 8 kHz, under a Hann window of 256 ms every 16 ms, the levels L(n,m) of 33
 * bands, equally wide on a logarithmic scale from 200 to 3000 Hz. Bit m of word n says whether
 * L(n,m) - L(n,m+1) is more than it was 64 ms before. A level that all bands share, a filter and the codec's noise change few of them; where
 * two recordings have nothing to do with each other, half of the bits differ.
 *
 * A pair is looked for by words that both have, where each of the four bits that were the least clear may differ; it is judged by the
 * share of bits that differ over all that the two have in common, silence left out. Words follow each other closely and are
 * not independent: what counts as the same was measured (tests/test_fingerprint.c), not computed. Pure tones that glide alike, as
 * sirens do, may pass for each other: who wants to be sure compares the samples where the words say (audio/coherence.h). */
#ifndef EARSHOT_FINGERPRINT_H
#define EARSHOT_FINGERPRINT_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_WORD_S 0.016
#define FINGERPRINT_RATE   8000 /* Hz */
/* The sample, at FINGERPRINT_RATE, that is in the middle of word i. */
#define FINGERPRINT_MIDDLE(i) (128 * ((i) + 4))
enum { FINGERPRINT_WORDS_MAX = 112500 }; /* of a recording: half an hour; what follows is not looked at */

struct fingerprint_word {
    uint32_t bits;
    unsigned weak : 20;   /* four numbers of bits, five bits each: the least clear first */
    unsigned audible : 1; /* not silence, and at most 45 dB below the loudest word of the recording */
};

struct fingerprint_print {
    struct fingerprint_word *word; /* [n], owned by whoever took it */
    size_t n;
};

struct fingerprint;

/* One for many recordings, one after the other; one thread. */
struct fingerprint *fingerprint_new(struct err *err);
void fingerprint_free(struct fingerprint *f);

/* A new recording at so many Hz. -1: err. */
int fingerprint_begin(struct fingerprint *f, unsigned rate, struct err *err);
/* n mono samples, any n. -1: no memory. */
int fingerprint_do(struct fingerprint *f, const float *x, size_t n);
/* The end of it: its print, to be freed (word). A recording of less than 64 ms has no word. -1: no memory. */
int fingerprint_finish(struct fingerprint *f, struct fingerprint_print *out);

/* Word i of a against word i + shift of b, of those audible in both. Returns the share of bits that differ, *words: how many were
 * compared; 1 where there are none. */
double fingerprint_distance(const struct fingerprint_print *a, const struct fingerprint_print *b, long shift,
                            size_t *words);

/* The same sound, by the distance over so many words? Under 24 words (0.4 s) never. */
bool fingerprint_same(double distance, size_t words);

struct fingerprint_match {
    size_t a, b;     /* a < b */
    long shift;      /* word i of a is word i + shift of b */
    size_t words;    /* compared */
    double distance; /* share of bits that differ */
};

/* All pairs among n prints that are the same sound, by a, then b; *out is the caller's to free. progress may be NULL: called now and
 * then with how many prints have been looked at. -1: no memory. */
int fingerprint_pairs(const struct fingerprint_print *prints, size_t n, void (*progress)(void *ctx, size_t done),
                      void *ctx, struct fingerprint_match **out, size_t *n_out, struct err *err);

#endif
