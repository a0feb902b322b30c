/* /metrics */
#include "daemon/http/internal.h"

#include <string.h>

static void metrics(struct web *w, struct request *r)
{
    struct metrics_server s = {.watchers = sse_watching_all(w)};
    struct health h;

    web_health(w, &h);
    s.connections = conns_count(&w->conns, &s.cut);
    char *text = metrics_text(&w->metrics, &h, &s);
    if (text)
        reply_owned(r, 200, "text/plain; version=0.0.4; charset=utf-8", text, strlen(text));
    else
        reply_problem(r, 503, "out of memory");
}

const struct route routes_metrics[] = {
    {.method = "GET",
     .path = "/metrics",
     .flags = ROUTE_WORKER,
     .handle = metrics,
     .type = "text/plain",
     .summary = "Figures for Prometheus."},
    {.method = NULL},
};
