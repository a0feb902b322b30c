#include "daemon/http/openapi.h"

#include "base/text.h"
#include <ctype.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM "application/problem+json"

struct maker {
    struct err *err;
    bool failed;
    const char *where; /* the route or schema at hand, for errors */
};

/* C text with ' for ". */
static json_t *parse(struct maker *m, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    json_error_t e;

    if (!copy)
        return json_object();
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *o = json_loads(copy, JSON_REJECT_DUPLICATES, &e);
    free(copy);
    if (o)
        return o;
    m->failed = true;
    err_set(m->err, "%s: column %d: %s", m->where, e.column, e.text);
    return json_object();
}

static json_t *ref(const char *name)
{
    char text[96];

    snprintf(text, sizeof text, "#/components/schemas/%s", name);
    return json_pack("{s:s}", "$ref", text);
}

/* --- parameters --------------------------------------------------------------------------------------------------------- */

static json_t *number(double value)
{
    return value == (double)(json_int_t)value ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *param_schema(const struct query_param *p)
{
    static const char *const types[] = {[PARAM_TEXT] = "string",  [PARAM_INT] = "integer", [PARAM_NUMBER] = "number",
                                        [PARAM_BOOL] = "boolean", [PARAM_TIME] = "string", [PARAM_WORD] = "string"};
    json_t *s = json_pack("{s:s}", "type", types[p->type]);

    if (p->type == PARAM_INT || p->type == PARAM_NUMBER) {
        json_object_set_new(s, "minimum", number(p->min));
        json_object_set_new(s, "maximum", number(p->max));
    }
    if (p->type == PARAM_WORD) {
        json_t *words = json_array();
        for (const char *w = p->words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
            json_array_append_new(words, json_stringn(w, strcspn(w, "|")));
        json_object_set_new(s, "enum", words);
    }
    if (p->preset) {
        double value;
        const char *end;
        bool numeric = (p->type == PARAM_INT || p->type == PARAM_NUMBER) && text_number(p->preset, &value, &end);
        json_object_set_new(s, "default",
                            numeric                 ? number(value)
                            : p->type == PARAM_BOOL ? json_boolean(*p->preset == '1' || *p->preset == 't')
                                                    : json_string(p->preset));
    }
    return s;
}

static json_t *params_of(const struct route *r)
{
    json_t *list = json_array();

    for (const char *p = strchr(r->path, '{'); p; p = strchr(p + 1, '{'))
        json_array_append_new(list, json_pack("{s:o, s:s, s:b, s:{s:s, s:s, s:i}}", "name",
                                              json_stringn(p + 1, strcspn(p + 1, "}")), "in", "path", "required", 1,
                                              "schema", "type", "string", "pattern", "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$",
                                              "maxLength", WEB_PARAM - 1));
    for (const struct query_param *p = r->params; p && p->name; p++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", p->name, "in", "query", "description",
                                              p->help ? p->help : "", "schema", param_schema(p)));
    return list;
}

/* --- body and answers --------------------------------------------------------------------------------------------------- */

static json_t *content(const char *type, json_t *schema)
{
    return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *body_of(struct maker *m, const struct route *r)
{
    json_t *types = json_object();

    if (r->body == BODY_JSON)
        json_object_set_new(types, "application/json", json_pack("{s:o}", "schema", parse(m, r->body_schema)));
    for (const char *t = r->body == BODY_STREAM ? r->body_types : NULL; t;
         t = strchr(t, '|') ? strchr(t, '|') + 1 : NULL) {
        char type[96];
        snprintf(type, sizeof type, "%.*s", (int)strcspn(t, "|"), t);
        bool form = strncmp(type, "multipart/", 10) == 0;
        json_object_set_new(types, type,
                            form ? json_pack("{s:{s:s, s:[s], s:{s:{s:s, s:s}}}}", "schema", "type", "object",
                                             "required", "file", "properties", "file", "type", "string",
                                             "contentMediaType", "application/octet-stream")
                                 : json_object());
    }
    return json_pack("{s:o, s:b}", "content", types, "required", r->body == BODY_STREAM);
}

static void add_answer(json_t *answers, unsigned status, json_t *body)
{
    char key[12];

    snprintf(key, sizeof key, "%u", status);
    const char *phrase = MHD_get_reason_phrase_for(status);
    json_t *answer = json_pack("{s:s}", "description", phrase ? phrase : key);
    if (body)
        json_object_set_new(answer, "content", body);
    json_object_set_new(answers, key, answer);
}

static void add_problem(json_t *answers, unsigned status)
{
    add_answer(answers, status, content(PROBLEM, ref("Problem")));
}

static json_t *success(struct maker *m, const struct route *r)
{
    if (r->flags & ROUTE_STREAM) /* what stands after data: */
        return content("text/event-stream", json_pack("{s:s, s:o}", "type", "string", "x-data", parse(m, r->schema)));
    if (r->type && !*r->type)
        return NULL;
    if (r->type && strcmp(r->type, "application/json") != 0)
        return strncmp(r->type, "text/", 5) == 0 ? content(r->type, json_pack("{s:s}", "type", "string"))
                                                 : content(r->type, json_object());
    return content("application/json", parse(m, r->schema));
}

static json_t *answers_of(struct maker *m, const struct route *r)
{
    json_t *answers = json_object();

    add_answer(answers, r->status ? r->status : 200, success(m, r));
    add_problem(answers, 400);
    if (!(r->flags & ROUTE_OPEN))
        add_problem(answers, 401);
    add_problem(answers, 403);
    add_problem(answers, 421);
    if (r->flags & ROUTE_WORKER)
        add_problem(answers, 503);
    if (!(r->flags & ROUTE_OPEN))
        add_problem(answers, 429);
    if (r->body == BODY_JSON)
        add_problem(answers, 415);
    if (r->body != BODY_NONE)
        add_problem(answers, 413);
    for (const char *p = r->problems; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        add_problem(answers, (unsigned)strtoul(p, NULL, 10));
    return answers;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

/* "get_events_id_ack" */
static void operation_id(const struct route *r, char *out, size_t size)
{
    const char *path = strncmp(r->path, "/api/v1", 7) == 0 ? r->path + 7 : r->path;
    size_t n = 0;

    for (const char *p = r->method; *p && n + 1 < size; p++)
        out[n++] = (char)tolower((unsigned char)*p);
    for (; *path && n + 1 < size; path++)
        if (isalnum((unsigned char)*path))
            out[n++] = *path;
        else if (n && out[n - 1] != '_' && *path != '}')
            out[n++] = '_';
    out[n] = '\0';
}

static json_t *operation(struct maker *m, const struct route *r, bool token)
{
    char id[96];

    operation_id(r, id, sizeof id);
    json_t *o = json_pack("{s:s, s:s}", "operationId", id, "summary", r->summary ? r->summary : "");
    json_t *params = params_of(r);
    if (json_array_size(params))
        json_object_set_new(o, "parameters", params);
    else
        json_decref(params);
    if (r->body != BODY_NONE)
        json_object_set_new(o, "requestBody", body_of(m, r));
    json_object_set_new(o, "responses", answers_of(m, r));
    if (token && r->flags & ROUTE_OPEN)
        json_object_set_new(o, "security", json_array());
    return o;
}

static json_t *paths_of(struct maker *m, const struct route *const *routes, bool token)
{
    json_t *paths = json_object();

    for (; *routes; routes++)
        for (const struct route *r = *routes; r->method; r++) {
            char method[16] = "";
            if (r->flags & ROUTE_UNLISTED)
                continue;
            for (size_t i = 0; r->method[i] && i + 1 < sizeof method; i++)
                method[i] = (char)tolower((unsigned char)r->method[i]);
            json_t *path = json_object_get(paths, r->path);
            if (!path)
                json_object_set_new(paths, r->path, path = json_object());
            m->where = r->path;
            json_object_set_new(path, method, operation(m, r, token));
        }
    return paths;
}

static json_t *schemas_of(struct maker *m, const struct web_schema *const *schemas)
{
    json_t *all = json_object();

    m->where = "Problem";
    json_object_set_new(all, "Problem",
                        parse(m, "{'type':'object','required':['type','title','status','detail'],'properties':{"
                                 "'type':{'type':'string'},'title':{'type':'string'},'status':{'type':'integer'},"
                                 "'detail':{'type':'string'}}}"));
    for (; *schemas; schemas++)
        for (const struct web_schema *s = *schemas; s->name; s++) {
            m->where = s->name;
            json_object_set_new(all, s->name, parse(m, s->schema));
        }
    return all;
}

json_t *openapi_make(const struct route *const *routes, const struct web_schema *const *schemas, bool token,
                     struct err *err)
{
    struct maker m = {.err = err};
    json_t *paths = paths_of(&m, routes, token), *all = schemas_of(&m, schemas);
    json_t *o = json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:o, s:{s:o}}", "openapi", "3.1.0", "info", "title",
        "earshot", "version", EARSHOT_VERSION, "description",
        "What a box hears: its state, its events, its settings. Times are RFC 3339 in UTC; problems are RFC 9457.",
        "license", "name", "MIT", "identifier", "MIT", "servers", "url", "/", "paths", paths, "components", "schemas",
        all);
    if (token && o) {
        json_object_set_new(json_object_get(o, "components"), "securitySchemes",
                            json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s}}", "token", "type", "http", "scheme", "bearer",
                                      "session", "type", "apiKey", "in", "cookie", "name", "earshot_PORT"));
        json_object_set_new(o, "security", json_pack("[{s:[]}, {s:[]}]", "token", "session"));
    }
    if (!o || m.failed) {
        json_decref(o);
        if (!m.failed)
            err_set(err, "out of memory");
        return NULL;
    }
    return o;
}
