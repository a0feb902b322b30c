#include "daemon/command.h"

#include "base/json.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* NUL counts: a value is text to its end. */
static bool has_control(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return true;
    return false;
}

static int take_text(const char *text, size_t n, struct command_payload *out, struct err *err)
{
    for (; n && blank(*text); n--)
        text++;
    while (n && blank(text[n - 1]))
        n--;
    if (!n)
        return err_set(err, "empty");
    if (n >= sizeof out->value)
        return err_set(err, "%zu bytes (at most %zu)", n, sizeof out->value - 1);
    if (has_control(text, n))
        return err_set(err, "control character");
    memcpy(out->value, text, n);
    out->value[n] = '\0';
    return 0;
}

static int take_value(const json_t *value, struct command_payload *out, struct err *err)
{
    if (json_is_string(value))
        return take_text(json_string_value(value), json_string_length(value), out, err);
    if (json_is_boolean(value))
        snprintf(out->value, sizeof out->value, "%s", json_is_true(value) ? "on" : "off");
    else if (json_is_integer(value))
        snprintf(out->value, sizeof out->value, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(out->value, sizeof out->value, "%.12g", json_real_value(value));
    else if (json_is_null(value))
        out->reset = true;
    else
        return err_set(err, "\"value\" is missing or no plain value; allowed: text, a number, true, false, null");
    return 0;
}

/* {"event_id": ID, "verdict": WORD or null}, of set/label: as "ID WORD", "ID undo". */
static int take_verdict(const json_t *o, struct command_payload *out, struct err *err)
{
    const char *id = json_string_value(json_object_get(o, "event_id"));
    const json_t *verdict = json_object_get(o, "verdict");
    const char *word = json_is_null(verdict) ? "undo" : json_string_value(verdict);
    char text[COMMAND_VALUE];

    if (!id || !word || json_object_size(o) != 2)
        return err_set(err, "allowed: \"event_id\": text and \"verdict\": text or null, and nothing besides");
    int n = snprintf(text, sizeof text, "%s %s", id, word);
    return n < 0 || (size_t)n >= sizeof text ? err_set(err, "too long") : take_text(text, (size_t)n, out, err);
}

static int take_object(const char *text, size_t n, struct command_payload *out, struct err *err)
{
    json_error_t why;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    const char *key;
    json_t *member;
    int rc = 0;

    if (!o)
        return err_set(err, "no JSON object: %.100s", why.text);
    if (json_object_get(o, "event_id")) {
        rc = take_verdict(o, out, err);
        json_decref(o);
        return rc;
    }
    json_object_foreach(o, key, member)
    {
        if (strcmp(key, "persist") == 0 && json_is_boolean(member))
            out->persist = json_is_true(member);
        else if (strcmp(key, "value") != 0)
            rc = err_set(err, "\"%.40s\" in the JSON object; allowed: \"value\", and \"persist\": true or false", key);
    }
    if (rc == 0)
        rc = take_value(json_object_get(o, "value"), out, err);
    json_decref(o);
    return rc;
}

int command_payload_read(const void *payload, size_t size, struct command_payload *out, struct err *err)
{
    const char *text = payload;

    *out = (struct command_payload){.value = ""};
    if (size > COMMAND_PAYLOAD)
        return err_set(err, "%zu bytes (at most %d)", size, COMMAND_PAYLOAD);
    if (!text_is_utf8(text, size))
        return err_set(err, "not UTF-8");
    size_t skip = 0;
    while (skip < size && blank(text[skip]))
        skip++;
    if (skip < size && text[skip] == '{')
        return take_object(text, size, out, err);
    return take_text(text, size, out, err);
}

char *command_result_json(const struct command_result *r)
{
    json_t *o = json_pack("{s:b, s:o, s:o, s:b}", "ok", r->ok, "value", r->value[0] ? json_text(r->value) : json_null(),
                          "error", r->error[0] ? json_text(r->error) : json_null(), "persist", r->persist);
    char *text = o ? json_dumps(o, JSON_LINE) : NULL;

    json_decref(o);
    return text;
}
