/* Under an emulator (tests/system/arm64.sh) arithmetic takes twenty times as long. What is the same for every rate is done for some of
 * them there: each compiled loop runs, and all rates are covered on the machine itself. */
#ifndef EARSHOT_TESTS_EMULATED_H
#define EARSHOT_TESTS_EMULATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static inline bool emulated(void)
{
    return getenv("EARSHOT_EMULATED") != NULL;
}

/* The step through a table of rates: 1, or every third under an emulator. */
static inline size_t rate_step(void)
{
    return emulated() ? 3 : 1;
}

#endif
