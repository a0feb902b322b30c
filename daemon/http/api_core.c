/* Is the daemon there, and does it hear? For those who watch over it. */
#include "daemon/http/web.h"

#include <string.h>

static void healthz(struct web *w, struct request *r)
{
    (void)w;
    reply_text(r, 200, "text/plain; charset=utf-8", "ok\n");
}

/* 503 where it should hear and does not: the microphone is gone, or not open yet. */
static void readyz(struct web *w, struct request *r)
{
    struct health h;

    web_health(w, &h);
    if (!h.version)
        reply_problem(r, 503, "starting");
    else if (h.listening && strcmp(h.input_state, "ok") != 0)
        reply_problem(r, 503, "the input is not there: %s", h.input_state);
    else
        reply_text(r, 200, "text/plain; charset=utf-8", "ready\n");
}

const struct route routes_core[] = {
    {.method = "GET",
     .path = "/healthz",
     .flags = ROUTE_OPEN,
     .handle = healthz,
     .type = "text/plain",
     .summary = "200 as long as the daemon runs."},
    {.method = "GET",
     .path = "/readyz",
     .flags = ROUTE_OPEN,
     .handle = readyz,
     .type = "text/plain",
     .problems = "503",
     .summary = "200 while the daemon hears, or is told not to; 503 while its input is missing."},
    {.method = NULL},
};
