/* libFuzzer harness for model files: whatever the bytes, they are refused or they run. Run by `make fuzz`,
 * from the small models that tests/test_operators, test_elementwise and test_quantised leave with SAVE=FOLDER. */
#include "model/engine.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err;
    struct graph *g = graph_parse(bytes, size, &err);
    struct engine *e = g ? engine_new(g, &err) : NULL;

    graph_free(g);
    if (e && engine_input(e)->n < 100000 && engine_stats(e)->macs < 10000000) {
        float *x = calloc(engine_input(e)->n, sizeof *x), *none[16] = {NULL};

        engine_run(e, x, none);
        free(x);
    }
    engine_free(e);
    return 0;
}
