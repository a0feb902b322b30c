/* The options of the configuration: all of them with their help, and those that a command can change. */
#include "base/config.h"
#include "base/json.h"
#include "base/options.h"
#include "base/text.h"
#include "daemon/http/live.h"
#include <stdlib.h>
#include <string.h>

#define KEY  64
#define NEAR 4 /* slips of the pen */

/* A row of a section that stands once for each name: [class siren]. */
static bool is_named(const struct option *o)
{
    return strcmp(o->section, "class") == 0 || strcmp(o->section, "action") == 0 || strcmp(o->section, "webhook") == 0;
}

/* Where a secret lies is nobody's business either. */
static bool is_secret(const struct option *o)
{
    return strstr(o->name, "password") || strstr(o->name, "token") || strstr(o->name, "secret") ||
           strstr(o->name, "key_file") || strstr(o->name, "tls_key");
}

static void key_of(const struct option *o, char out[KEY])
{
    snprintf(out, KEY, "%s.%s", o->section, o->name);
}

static const char *type_name(enum option_type type)
{
    static const char *const names[] = {
        [OPTION_INT] = "integer",   [OPTION_NUMBER] = "number",   [OPTION_BOOL] = "boolean",
        [OPTION_TEXT] = "text",     [OPTION_PATH] = "path",       [OPTION_HOST] = "host",
        [OPTION_TOPIC] = "topic",   [OPTION_URL] = "url",         [OPTION_COMMAND] = "command",
        [OPTION_NAMES] = "names",   [OPTION_MESSAGE] = "message", [OPTION_CHANNEL] = "channel",
        [OPTION_CHOICE] = "choice", [OPTION_WORD] = "choice",     [OPTION_THRESHOLD] = "threshold",
        [OPTION_HOURS] = "hours",   [OPTION_LABELS] = "labels",   [OPTION_HOSTS] = "hosts"};

    return names[type];
}

/* "a, b": the classes with that rule. */
static json_t *labels_value(const struct option *o, const struct config *c)
{
    json_t *list = json_array();
    size_t size = 1;

    for (size_t i = 0; i < c->n_rules; i++)
        if (c->rules[i].mode == (int)o->min) {
            json_array_append_new(list, json_string(c->rules[i].label));
            size += LABEL_SIZE + 2;
        }
    char *text = calloc(1, size);
    for (size_t i = 0; text && i < json_array_size(list); i++)
        strcat(strcat(text, i ? ", " : ""), json_string_value(json_array_get(list, i)));
    json_decref(list);
    json_t *value = text ? json_string(text) : json_null();
    free(text);
    return value;
}

static json_t *value_json(const struct option *o, const struct config *c)
{
    char text[OPTION_VALUE];

    if (is_secret(o))
        return json_null();
    if (o->type == OPTION_LABELS)
        return labels_value(o, c);
    option_text(o, c, text);
    return json_text(text);
}

static json_t *choices_json(const struct option *o)
{
    json_t *list = json_array();

    for (const struct option_word *word = o->words; word && word->word; word++)
        json_array_append_new(list, json_string(word->word));
    if (o->type == OPTION_BOOL) {
        json_array_append_new(list, json_string("on"));
        json_array_append_new(list, json_string("off"));
    }
    return list;
}

static json_t *option_json(const struct option *o, const struct config *c)
{
    bool number = o->type == OPTION_INT || o->type == OPTION_NUMBER;
    char key[KEY];

    key_of(o, key);
    bool writable = commands_for(key) != NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:s, s:b}", "key", key, "section",
                     o->section, "name", o->name, "type", type_name(o->type), "value", value_json(o, c), "default",
                     json_string(o->preset), "unit", o->unit, "min", number ? json_decimal(o->min, 9) : json_null(),
                     "max", number ? json_decimal(o->max, 9) : json_null(), "choices", choices_json(o), "help", o->help,
                     "applies",
                     writable        ? "now"
                     : o->reloadable ? "reload"
                                     : "restart",
                     "writable", writable);
}

static void get_settings(struct web *w, struct request *r)
{
    json_t *list = json_array();
    struct config c;
    struct err err;

    if (commands_config(web_commands(w), &c, &err) < 0) {
        json_decref(list);
        reply_problem(r, 503, "%s", err.text);
        return;
    }
    for (const struct option *o = options; o->section; o++)
        if (!is_named(o))
            json_array_append_new(list, option_json(o, &c));
    config_free(&c);
    reply_json(r, 200, json_pack("{s:o}", "settings", list));
}

/* --- changing -------------------------------------------------------------------------------------------------------- */

/* Why it cannot be set here. */
static void refuse(struct live_batch *b, const char *key)
{
    const struct option *found = NULL;
    char name[KEY], nearest[KEY] = "";
    unsigned distance = NEAR + 1;

    for (const struct option *o = options; o->section; o++) {
        key_of(o, name);
        if (strcmp(name, key) == 0)
            found = o;
    }
    if (found || config_is_option(key)) {
        live_batch_refuse(b, key,
                          "not to be changed here: it stands in the configuration file, and takes effect with %s",
                          found && !found->reloadable ? "a restart (systemctl restart earshot)"
                                                      : "a reload (systemctl reload earshot)");
        return;
    }
    for (const struct option *o = options; o->section; o++) {
        key_of(o, name);
        if (commands_for(name) && text_distance(key, name, NEAR) < distance) {
            distance = text_distance(key, name, NEAR);
            memcpy(nearest, name, sizeof nearest);
        }
    }
    live_batch_refuse(b, key, "no such setting%s%s%s", *nearest ? ", did you mean " : "", nearest, *nearest ? "?" : "");
}

static bool reply_results(struct live *l, struct live_batch *b)
{
    json_t *results = json_object();

    (void)l;
    for (size_t i = 0; i < b->n; i++) {
        const struct live_command *c = &b->commands[i];
        json_object_set_new(results, c->key,
                            json_pack("{s:b, s:o, s:o}", "ok", c->result.ok, "value",
                                      c->result.value[0] ? json_text(c->result.value) : json_null(), "error",
                                      c->result.error[0] ? json_text(c->result.error) : json_null()));
    }
    reply_json(b->request, 200, json_pack("{s:o}", "results", results));
    return false;
}

/* As a payload of set/NAME: {"value": ..., "persist": ...}; null forgets what was kept, which goes without "persist". */
static void ask(struct live *l, struct live_batch *b, const char *key, json_t *value, bool persist)
{
    json_t *payload = json_pack("{s:O}", "value", value);

    if (persist && !json_is_null(value))
        json_object_set_new(payload, "persist", json_true());
    char *text = json_dumps(payload, JSON_LINE);
    if (text)
        live_batch_add(l, b, key, commands_for(key), text);
    free(text);
    json_decref(payload);
}

static void patch_settings(struct web *w, struct request *r)
{
    const json_t *persist = json_object_get(request_json(r), "persist");
    json_t *values = json_object_get(request_json(r), "values"), *value;
    struct live *l = live_of(w);
    const char *key;

    if (!json_is_object(values) || !json_object_size(values) || json_object_size(values) > LIVE_COMMANDS ||
        (persist && !json_is_boolean(persist))) {
        reply_problem(
            r, 400,
            "allowed: {\"values\": {\"gate.threshold\": \"-40 dBFS\", ...}, \"persist\": true or false}, up to "
            "%d values",
            LIVE_COMMANDS);
        return;
    }
    struct live_batch *b = live_batch_new(r, reply_results);
    if (!b)
        return;
    json_object_foreach(values, key, value)
    {
        if (strlen(key) < sizeof b->commands[0].key && commands_for(key))
            ask(l, b, key, value, json_is_true(persist));
        else
            refuse(b, key);
    }
    live_batch_go(l, b);
}

const struct web_schema schemas_settings[] = {
    {"Setting",
     "{'type':'object','required':['key','section','name','type','value','default','unit','min','max','choices','help',"
     "'applies','writable'],'properties':{'key':{'type':'string'},'section':{'type':'string'},'name':{'type':'string'},"
     "'type':{'type':'string'},'value':{'type':['string','null']},'default':{'type':'string'},'unit':{'type':'string'},"
     "'min':{'type':['number','null']},'max':{'type':['number','null']},'choices':{'type':'array','items':{'type':"
     "'string'}},'help':{'type':'string'},'applies':{'enum':['now','reload','restart']},'writable':{'type':'boolean'}}"
     "}"},
    {NULL, NULL},
};

const struct route routes_settings[] = {
    {.method = "GET",
     .path = "/api/v1/settings",
     .flags = ROUTE_WORKER,
     .handle = get_settings,
     .summary = "Every option of the configuration with its value in force; secrets are null.",
     .schema = "{'type':'object','required':['settings'],'properties':{'settings':{'type':'array','items':"
               "{'$ref':'#/components/schemas/Setting'}}}}",
     .problems = "503"},
    {.method = "PATCH",
     .path = "/api/v1/settings",
     .handle = patch_settings,
     .body = BODY_JSON,
     .summary = "Sets what is writable, as MQTT's set/NAME does; null puts back what the configuration says. With "
                "persist it is kept "
                "over a restart. Each is told of by itself: some may have been set and others not.",
     .body_schema = "{'type':'object','required':['values'],'properties':{'values':{'type':'object','minProperties':1,"
                    "'maxProperties':16,'additionalProperties':{'type':['string','number','boolean','null']}},"
                    "'persist':{'type':'boolean'}}}",
     .schema =
         "{'type':'object','required':['results'],'properties':{'results':{'type':'object','additionalProperties':"
         "{'type':'object','required':['ok','value','error'],'properties':{'ok':{'type':'boolean'},'value':{'type':"
         "['string','null']},'error':{'type':['string','null']}}}}}}"},
    {.method = NULL},
};
