/* What people say of an event: right, wrong, or what it was instead. */
#include "base/json.h"
#include "daemon/http/live.h"
#include "daemon/teach/verdict.h"
#include <string.h>

static void tell(struct web *w, const struct verdict_row *row, bool given)
{
    live_tell(
        live_of(w), "verdict",
        json_pack("{s:s, s:o}", "event_id", row->event_id, "verdict", given ? json_string(row->verdict) : json_null()));
}

static void reply_noted(struct request *r, const struct verdict_row *row)
{
    char text[256];
    bool right = strcmp(row->verdict, VERDICT_RIGHT) == 0, wrong = strcmp(row->verdict, VERDICT_WRONG) == 0;

    snprintf(text, sizeof text, "noted: it was %s%s%s", wrong ? "not " : "", right || wrong ? row->label : row->verdict,
             row->n_embedding ? "" : "; nothing can be learned of it, as the model gave no embedding of it");
    reply_json(r, 200, json_pack("{s:b, s:s}", "ok", 1, "text", text));
}

static void post_label(struct web *w, struct request *r)
{
    const char *verdict = json_string_value(json_object_get(request_json(r), "verdict"));
    struct verdict_row row;
    struct err err = {"allowed: {\"verdict\": \"right\"}, \"wrong\", or the label of what it was"};

    if (!verdict || verdict_check(verdict, &err) < 0) {
        reply_problem(r, 400, "%s", err.text);
        return;
    }
    if (verdict_set(web_state_dir(w), request_param(r, "id"), verdict, &row, &err) < 0) {
        reply_problem(r, 404, "%s", err.text);
        return;
    }
    tell(w, &row, true);
    reply_noted(r, &row);
}

static void delete_label(struct web *w, struct request *r)
{
    struct verdict_row row;
    struct err err;

    if (verdict_undo(web_state_dir(w), request_param(r, "id"), &row, &err) < 0) {
        reply_problem(r, 404, "%s", err.text);
        return;
    }
    tell(w, &row, false);
    reply_json(r, 200, json_pack("{s:b, s:s}", "ok", 1, "text", "taken back"));
}

#define ANSWER                                                                                                         \
    "{'type':'object','required':['ok','text'],'properties':{'ok':{'type':'boolean'},'text':{'type':'string'}}}"

const struct route routes_verdict[] = {
    {.method = "POST",
     .path = "/api/v1/events/{id}/label",
     .flags = ROUTE_WORKER,
     .handle = post_label,
     .body = BODY_JSON,
     .summary = "Says whether an event was right, wrong, or what it was instead; replaces what was said before.",
     .body_schema = "{'type':'object','required':['verdict'],'properties':{'verdict':{'type':'string','pattern':"
                    "'^[a-z0-9_]+$'}}}",
     .schema = ANSWER,
     .problems = "404"},
    {.method = "DELETE",
     .path = "/api/v1/events/{id}/label",
     .flags = ROUTE_WORKER,
     .handle = delete_label,
     .summary = "Takes that back.",
     .schema = ANSWER,
     .problems = "404"},
    {.method = NULL},
};
