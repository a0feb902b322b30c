/* The API's own description. */
#include "daemon/http/auth.h"
#include "daemon/http/internal.h"
#include "daemon/http/openapi.h"

static void openapi(struct web *w, struct request *r)
{
    struct err err = {""};
    json_t *o = openapi_make(route_tables, schema_tables, auth_needed(w->auth), &err);

    if (o)
        reply_json(r, 200, o);
    else
        reply_problem(r, 500, "%s", err.text);
}

const struct route routes_openapi[] = {
    {.method = "GET",
     .path = "/api/v1/openapi.json",
     .flags = ROUTE_OPEN | ROUTE_WORKER,
     .handle = openapi,
     .summary = "This description (OpenAPI 3.1).",
     .schema = "{'type':'object'}"},
    {.method = NULL},
};
