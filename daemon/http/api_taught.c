/* What this box was taught. */
#include "base/clock.h"
#include "base/json.h"
#include "daemon/http/live.h"
#include "daemon/teach/taught.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void get_taught(struct web *w, struct request *r)
{
    const char *dir = web_state_dir(w);
    struct err err;
    json_t *taught = *dir ? taught_json(dir, &err) : json_pack("{s:[], s:[]}", "classes", "corrections");

    if (taught)
        reply_json(r, 200, taught);
    else
        reply_problem(r, 503, "%s", err.text);
}

static void delete_taught(struct web *w, struct request *r)
{
    struct err err = {"there is no state directory, and so nothing that was taught"};

    if (!*web_state_dir(w) || taught_forget(web_state_dir(w), request_param(r, "label"), &err) < 0)
        reply_problem(r, 404, "%s", err.text);
    else
        reply_json(r, 200, json_pack("{s:b}", "ok", 1));
}

const struct route routes_taught[] = {
    {.method = "GET",
     .path = "/api/v1/taught",
     .flags = ROUTE_WORKER,
     .handle = get_taught,
     .summary = "The sounds that were taught to this box, and the corrections that verdicts have led to.",
     .schema =
         "{'type':'object','required':['classes','corrections'],'properties':{'classes':{'type':'array','items':{"
         "'type':'object','required':['label','name','examples','threshold'],'properties':{'label':{'type':'string'},"
         "'name':{'type':'string'},'examples':{'type':'integer'},'threshold':{'type':['number','null']}}}},"
         "'corrections':{'type':'array','items':{'type':'object'}}}}",
     .problems = "503"},
    {.method = "DELETE",
     .path = "/api/v1/taught/{label}",
     .flags = ROUTE_WORKER,
     .handle = delete_taught,
     .summary = "Forgets a sound that was taught.",
     .schema = "{'type':'object','required':['ok'],'properties':{'ok':{'type':'boolean'}}}",
     .problems = "404"},
    {.method = NULL},
};
