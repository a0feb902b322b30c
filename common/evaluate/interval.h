/* Shares with an interval: how far a figure from so few cases can be trusted. */
#ifndef EARSHOT_EVALUATE_INTERVAL_H
#define EARSHOT_EVALUATE_INTERVAL_H

#include <stddef.h>

struct share {
    size_t hits, n;
    double value;     /* hits / n; NaN where n is 0 */
    double low, high; /* 95 % interval; 0 and 1 where n is 0 */
};

/* The score interval of E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), at
 * z = 1.959964: it stays within 0..1 and holds for shares near 0 and 1, where the textbook's normal one does not. The cases are
 * taken as independent: clips cut from one recording are not, and the truth is wider then. hits <= n. */
struct share share_of(size_t hits, size_t n);

#endif
