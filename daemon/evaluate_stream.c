#include "daemon/evaluate_stream.h"

int evaluate_stream_run(const struct evaluate *e, const struct evaluate_stream *streams, size_t n)
{
    (void)e;
    (void)n;
    return cmd_fail(EXIT_FAILED, EVALUATE, "%s: streams are not evaluated yet", streams[0].sound);
}
