/* libFuzzer: any bytes as a file of what was taught, and as a background; their check sums are put right, so that what is behind them is
 * reached. `make fuzz`. */
#include "base/fnv.h"
#include "teach/background.h"
#include "teach/taughtfile.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *bytes = malloc(size + 8);
    struct taughtfile f;
    struct background b;
    struct err err;

    if (!bytes)
        return 0;
    if (size)
        memcpy(bytes, data, size);
    uint64_t sum = fnv_add(FNV_START, bytes, size);
    for (int i = 0; i < 8; i++)
        bytes[size + (size_t)i] = (unsigned char)(sum >> (8 * i));
    if (taughtfile_parse(&f, bytes, size + 8, size % 2 != 0, &err) == 0)
        taughtfile_free(&f);
    if (background_parse(&b, bytes, size + 8, &err) == 0)
        background_free(&b);
    free(bytes);
    return 0;
}
