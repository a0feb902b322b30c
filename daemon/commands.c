#include "daemon/commands.h"

#include "base/json.h"
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "daemon/alarms.h"
#include "daemon/statedir.h"
#include "daemon/teach/taught.h"
#include "daemon/teach/verdict.h"
#include "model/model.h"
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct request {
    char name[COMMAND_NAME];
    struct command_payload payload;
    enum command_origin origin;
    unsigned ticket;
};

struct commands {
    struct run_config *config;
    struct output *alarms;
    struct commands_tester tester;
    int wake;

    pthread_mutex_t lock; /* guards what follows; held for copies only */
    struct request waiting[COMMANDS_WAIT];
    size_t first, n;
    unsigned tickets;
    struct command_result results[COMMANDS_WAIT]; /* of ticket t: at t % COMMANDS_WAIT */
    char told[10][COMMAND_VALUE];                 /* settings as last told to the outputs, by row */
    struct config in_force;                       /* a copy, for other threads; copied: it is there */
    bool copied;
};

/* --- the table ------------------------------------------------------------------------------------------------------ */

/* Of the models that lie in the folders, by name: a path from the network is none of our business. */
struct wanted {
    const char *name;
    bool found;
    char list[400];
    size_t used;
};

static void look_at_model(void *ctx, const char *name, const char *path)
{
    struct wanted *w = ctx;

    (void)path;
    w->found |= strcmp(name, w->name) == 0;
    if (w->used < sizeof w->list)
        w->used += (size_t)snprintf(w->list + w->used, sizeof w->list - w->used, "%s%s", w->used ? ", " : "", name);
}

static int check_model(const char *value, struct err *err)
{
    struct wanted w = {.name = value};

    model_each(look_at_model, &w);
    return w.found ? 0 : err_set(err, "no model of that name; there are: %s", w.used ? w.list : "none");
}

static int do_ack(struct commands *c, const char *value, struct err *err)
{
    char *text = alarms_acknowledge(c->alarms, value, err);

    if (!text)
        return -1;
    const struct run_outputs *o = c->config->outputs;
    for (size_t i = 0; i < o->n; i++)
        if (o->list[i]->setting)
            o->list[i]->setting(o->list[i], "ack", text);
    free(text);
    return 0;
}

static int do_test(struct commands *c, const char *value, struct err *err)
{
    return c->tester.begin ? c->tester.begin(c->tester.ctx, value, err) : err_set(err, "not ready for a test yet");
}

static int state_dir_of(struct commands *c, char *dir, size_t size, struct err *err)
{
    return c->config->settings.path[0] ? state_dir_look(c->config->cx, dir, size, err)
                                       : err_set(err, "there is no state directory, so nothing is kept or learned");
}

/* "EVENT_ID VERDICT", "EVENT_ID undo": what is learned of it comes by itself (daemon/teach/watch.h). */
static int do_label(struct commands *c, const char *value, struct err *err)
{
    char dir[4096], id[UUID_SIZE], verdict[VERDICT_SIZE];

    if (sscanf(value, "%36s %47s", id, verdict) != 2)
        return err_set(err, "allowed: {\"event_id\": ID, \"verdict\": \"right\", \"wrong\", a label or null}");
    if (state_dir_of(c, dir, sizeof dir, err) < 0)
        return -1;
    return strcmp(verdict, "undo") == 0 ? verdict_undo(dir, id, NULL, err) : verdict_set(dir, id, verdict, NULL, err);
}

static int do_forget(struct commands *c, const char *value, struct err *err)
{
    char dir[4096];

    return state_dir_of(c, dir, sizeof dir, err) < 0 ? -1 : taught_forget(dir, value, err);
}

static const struct row {
    const char *name;
    const char *key;                                  /* the option that it stands for; NULL: an action */
    int (*check)(const char *value, struct err *err); /* beyond what the option allows; may be NULL */
    int (*run)(struct commands *c, const char *value, struct err *err); /* an action's */
} rows[] = {
    {"threshold", "gate.threshold", NULL, NULL},
    {"listening", "input.listening", NULL, NULL},
    {"model", "model.file", check_model, NULL},
    {"cooldown", "decision.cooldown", NULL, NULL},
    {"min_score", "decision.threshold", NULL, NULL},
    {"ack", NULL, NULL, do_ack},
    {"test", NULL, NULL, do_test},
    {"label", NULL, NULL, do_label},
    {"forget", NULL, NULL, do_forget},
};
#define ROWS (sizeof rows / sizeof *rows)
_Static_assert(ROWS <= sizeof((struct commands *)0)->told / COMMAND_VALUE, "a place for what each row was told as");

static const struct row *find_row(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static int refuse_name(const char *name, struct err *err)
{
    struct text_nearest near = {.word = name};
    char list[160];
    size_t used = 0;

    for (size_t i = 0; i < ROWS; i++) {
        text_nearest_try(&near, rows[i].name);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", rows[i].name);
    }
    return err_set(err, "no such command%s%s%s; allowed: %s", near.best ? ", did you mean " : "",
                   near.best ? near.best : "", near.best ? "?" : "", list);
}

/* The value in force, as it is published; "" for an action. */
static void in_force(const struct commands *c, const struct row *row, char out[COMMAND_VALUE])
{
    char section[SETTINGS_KEY], text[OPTION_VALUE] = "";

    if (row->key) {
        const char *dot = strchr(row->key, '.');
        snprintf(section, sizeof section, "%.*s", (int)(dot - row->key), row->key);
        option_text(option_find(section, dot + 1), &c->config->cx->config, text);
    }
    if (row->key && strcmp(row->name, "listening") == 0)
        for (char *p = text; *p; p++)
            *p = (char)toupper((unsigned char)*p);
    snprintf(out, COMMAND_VALUE, "%.*s", COMMAND_VALUE - 1, text);
}

/* --- asking --------------------------------------------------------------------------------------------------------- */

struct commands *commands_new(struct run_config *config, struct output *alarms)
{
    struct commands *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->config = config;
    c->alarms = alarms;
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake < 0) {
        free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void commands_free(struct commands *c)
{
    if (!c)
        return;
    if (c->copied)
        config_free(&c->in_force);
    pthread_mutex_destroy(&c->lock);
    close(c->wake);
    free(c);
}

void commands_set_test(struct commands *c, const struct commands_tester *tester)
{
    pthread_mutex_lock(&c->lock);
    c->tester = *tester;
    pthread_mutex_unlock(&c->lock);
}

json_t *commands_test_report(struct commands *c)
{
    pthread_mutex_lock(&c->lock);
    struct commands_tester t = c->tester;
    pthread_mutex_unlock(&c->lock);
    return t.report ? t.report(t.ctx) : NULL;
}

size_t commands_alarms(struct commands *c, struct alarm out[ALARMS_KEPT])
{
    return alarms_list(c->alarms, out);
}

const char *commands_for(const char *key)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].key && strcmp(rows[i].key, key) == 0)
            return rows[i].name;
    return NULL;
}

int commands_config(struct commands *c, struct config *out, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    int rc = c->copied ? config_copy(out, &c->in_force, err) : err_set(err, "the daemon is starting");
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static int enqueue(struct commands *c, struct request *r, struct err *err)
{
    uint64_t one = 1;

    pthread_mutex_lock(&c->lock);
    bool full = c->n == COMMANDS_WAIT;
    if (!full) {
        r->ticket = ++c->tickets;
        c->waiting[(c->first + c->n++) % COMMANDS_WAIT] = *r;
    }
    pthread_mutex_unlock(&c->lock);
    if (full)
        return err_set(err, "set/%s: %d commands wait already", r->name, COMMANDS_WAIT);
    while (write(c->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return 0;
}

int commands_put(struct commands *c, enum command_origin origin, const char *name, const void *payload, size_t size,
                 unsigned *ticket, struct err *err)
{
    struct request r = {.origin = origin};
    const struct row *row = find_row(name);

    if (!row) {
        refuse_name(name, err);
        return err_prefix(err, "set/%.*s: ", COMMAND_NAME - 1, name);
    }
    snprintf(r.name, sizeof r.name, "%s", name);
    if (command_payload_read(payload, size, &r.payload, err) < 0)
        return err_prefix(err, "set/%s: ", name);
    if (!row->key && (r.payload.persist || r.payload.reset))
        return err_set(err, "set/%s: it is no setting: there is nothing to keep or to put back", name);
    if (r.payload.persist && r.payload.reset)
        return err_set(err, "set/%s: \"value\": null forgets what was kept: it goes without \"persist\"", name);
    if (enqueue(c, &r, err) < 0)
        return -1;
    if (ticket)
        *ticket = r.ticket;
    return 0;
}

int commands_result(struct commands *c, unsigned ticket, struct command_result *out)
{
    pthread_mutex_lock(&c->lock);
    const struct command_result *r = &c->results[ticket % COMMANDS_WAIT];
    int rc = r->ticket == ticket ? 1 : r->ticket > ticket ? -1 : 0;
    if (rc == 1)
        *out = *r;
    pthread_mutex_unlock(&c->lock);
    return rc;
}

json_t *commands_settings(struct commands *c)
{
    json_t *o = json_object();

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].key)
            json_object_set_new(o, rows[i].name, json_text(c->told[i]));
    pthread_mutex_unlock(&c->lock);
    return o;
}

/* --- carrying out, on the main thread --------------------------------------------------------------------------------- */

int commands_fd(const struct commands *c)
{
    return c->wake;
}

static void copy_config(struct commands *c)
{
    struct config fresh, old;
    struct err err;

    if (config_copy(&fresh, &c->config->cx->config, &err) < 0)
        return; /* the one before goes on being shown */
    pthread_mutex_lock(&c->lock);
    old = c->in_force;
    bool any = c->copied;
    c->in_force = fresh;
    c->copied = true;
    pthread_mutex_unlock(&c->lock);
    if (any)
        config_free(&old);
}

void commands_announce(struct commands *c)
{
    const struct run_outputs *o = c->config->outputs;
    char value[COMMAND_VALUE];

    copy_config(c);
    for (size_t k = 0; k < ROWS; k++) {
        in_force(c, &rows[k], value);
        if (!rows[k].key || strcmp(value, c->told[k]) == 0)
            continue;
        pthread_mutex_lock(&c->lock);
        memcpy(c->told[k], value, sizeof value);
        pthread_mutex_unlock(&c->lock);
        for (size_t i = 0; i < o->n; i++)
            if (o->list[i]->setting)
                o->list[i]->setting(o->list[i], rows[k].name, value);
    }
}

static int carry_out(struct commands *c, const struct row *row, const struct request *r, struct err *err)
{
    const char *value = r->payload.value;

    if (!row->key)
        return row->run(c, value, err);
    if (r->payload.reset)
        return run_config_reset(c->config, row->key, err);
    if (row->check && row->check(value, err) < 0)
        return -1;
    return run_config_set(c->config, row->key, value, r->payload.persist, err);
}

static void tell_result(struct commands *c, const struct command_result *result)
{
    const struct run_outputs *o = c->config->outputs;

    pthread_mutex_lock(&c->lock);
    c->results[result->ticket % COMMANDS_WAIT] = *result;
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < o->n; i++)
        if (o->list[i]->result)
            o->list[i]->result(o->list[i], result);
}

static void run_one(struct commands *c, const struct request *r)
{
    const struct row *row = find_row(r->name);
    struct command_result result = {.origin = r->origin, .ticket = r->ticket};
    struct err err = {""};

    memcpy(result.name, r->name, sizeof result.name);
    result.ok = carry_out(c, row, r, &err) == 0;
    result.persist = result.ok && r->payload.persist;
    commands_announce(c); /* before the result: who reads that finds the setting changed */
    in_force(c, row, result.value);
    if (!row->key && result.ok)
        memcpy(result.value, r->payload.value, sizeof result.value);
    if (!result.ok)
        snprintf(result.error, sizeof result.error, "%.*s", (int)sizeof result.error - 1, err.text);
    else if (row->key)
        log_info("set/%s: %s%s", r->name, result.value,
                 r->payload.reset ? ", as configured"
                 : result.persist ? ", kept over a restart"
                                  : "");
    else
        log_info("set/%s %s", r->name, r->payload.value);
    tell_result(c, &result);
}

void commands_run(struct commands *c)
{
    struct request r;
    uint64_t count;
    bool any;

    if (read(c->wake, &count, sizeof count) < 0 && errno != EAGAIN)
        return;
    do {
        pthread_mutex_lock(&c->lock);
        if ((any = c->n > 0)) {
            r = c->waiting[c->first];
            c->first = (c->first + 1) % COMMANDS_WAIT;
            c->n--;
        }
        pthread_mutex_unlock(&c->lock);
        if (any)
            run_one(c, &r);
    } while (any);
}
