/* What a client of the events' stream missed: from the ring of the last messages, and where that does not reach back far enough, from the
 * history, as one message for each sound that began or ended meanwhile. */
#include "daemon/http/live.h"

#include "base/clock.h"
#include "base/json.h"
#include "daemon/history/print.h"
#include "daemon/store/schema.h"
#include <stdlib.h>
#include <string.h>

#define MOST       500        /* sounds out of the history: the newest */
#define BEFORE_MS  86400000LL /* how long before it was told of a sound may have begun */
#define LATE_AFTER 30000      /* ms */

struct missed_row {
    char event_id[UUID_SIZE];
    int ended;
    char *data;
};

struct resume {
    struct live *live;
    struct sse_client *client;
    struct request *request;
    struct sse_hub *hub;
    const struct live_missed *missed;
    struct live_place place;
    int64_t latest_row; /* number of the row `place.latest`; 0: it is not there */
    struct missed_row rows[MOST];
    size_t n;
};

/* The message that the end of the sound, or its start where it goes on, would have been. */
static char *row_text(struct live *l, const struct store_row *row)
{
    json_t *o = history_event_json(row);
    bool late = clock_ms(CLOCK_REALTIME) - row->start_ms > LATE_AFTER;

    json_object_set_new(o, "schema", json_integer(1));
    json_object_set_new(o, "id", json_text(row->event_id));
    json_object_set_new(o, "event_type", json_string(row->ended == EVENT_GOES_ON ? "start" : "end"));
    json_object_set_new(o, "late", json_boolean(late));
    live_add_names(l, o, row->label);
    char *text = json_dumps(o, JSON_LINE | JSON_PRESERVE_ORDER);
    json_decref(o);
    return text;
}

static bool in_ring(const struct resume *s, const char *event_id)
{
    for (size_t i = 0; i < s->missed->n; i++)
        if (strcmp(s->missed->messages[i].event_id, event_id) == 0)
            return true;
    return false;
}

static bool take_row(void *ctx, const struct store_row *row)
{
    struct resume *s = ctx;

    if (row->test || in_ring(s, row->event_id) || s->n == MOST)
        return s->n < MOST;
    if (!s->latest_row && strcmp(row->event_id, s->place.latest) <= 0)
        return true; /* it began before: their order is that of time */
    struct missed_row *out = &s->rows[s->n];
    snprintf(out->event_id, sizeof out->event_id, "%s", row->event_id);
    out->ended = row->ended;
    out->data = row_text(s->live, row);
    s->n += out->data != NULL;
    return true;
}

static bool take_number(void *ctx, const struct store_row *row)
{
    ((struct resume *)ctx)->latest_row = row->id;
    return true;
}

static void tell_row(struct resume *s, struct missed_row *row)
{
    char id[LIVE_ID];

    live_place_write(&s->place, id);
    sse_replay(s->client, "event", id, row->data);
}

/* Sounds that were on when the client left, and have ended. */
static void tell_ended(struct resume *s, struct store_reader *r)
{
    for (size_t i = 0; i < s->place.n_open;) {
        struct store_filter one = {.event_id = s->place.open[i], .since_ms = INT64_MIN};
        s->n = 0;
        s->latest_row = 1; /* whatever its place */
        if (store_read_events(r, &one, take_row, s, NULL) < 0 || !s->n || s->rows[0].ended == EVENT_GOES_ON) {
            if (s->n)
                free(s->rows[0].data);
            i++;
            continue;
        }
        memmove(s->place.open[i], s->place.open[i + 1], (s->place.n_open - 1 - i) * sizeof *s->place.open);
        s->place.n_open--;
        tell_row(s, &s->rows[0]);
        free(s->rows[0].data);
    }
    s->n = 0;
}

/* Milliseconds of a UUIDv7. */
static int64_t time_of(const char *uuid)
{
    char digits[13];

    memcpy(digits, uuid, 8);
    memcpy(digits + 8, uuid + 9, 4);
    digits[12] = '\0';
    return (int64_t)strtoull(digits, NULL, 16);
}

static void tell_new(struct resume *s)
{
    while (s->n) { /* newest first */
        struct missed_row *row = &s->rows[--s->n];
        memcpy(s->place.latest, row->event_id, UUID_SIZE);
        if (row->ended == EVENT_GOES_ON && s->place.n_open < LIVE_OPEN)
            memcpy(s->place.open[s->place.n_open++], row->event_id, UUID_SIZE);
        tell_row(s, row);
        free(row->data);
    }
}

static void tell_history(struct resume *s)
{
    struct store_reader *r = live_history(s->live->web, NULL);
    const struct store_filter latest = {.event_id = s->place.latest, .since_ms = INT64_MIN};
    struct store_filter later = {.since_ms = INT64_MIN, .newest_first = true};

    if (!r)
        return;
    s->place.boot = 0; /* nobody's: what follows is found in the history again */
    s->place.number = 0;
    tell_ended(s, r);
    s->latest_row = 0;
    store_read_events(r, &latest, take_number, s, NULL);
    later.after_id = s->latest_row;
    if (!s->latest_row)
        later.since_ms = time_of(s->place.latest) - BEFORE_MS;
    store_read_events(r, &later, take_row, s, NULL);
    tell_new(s);
    store_read_close(r);
}

static bool join(void *ctx)
{
    struct resume *s = ctx;

    s->client = sse_open(s->request, s->hub);
    return s->client != NULL;
}

void live_resume(struct live *l, struct request *r)
{
    struct resume *s = calloc(1, sizeof *s);
    struct live_missed missed;

    if (!s) {
        reply_problem(r, 503, "out of memory");
        return;
    }
    *s = (struct resume){.live = l, .request = r, .hub = l->events, .missed = &missed};
    live_place_read(request_header(r, "Last-Event-ID"), &s->place);
    if (live_ring_join(l->ring, &s->place, join, s, &missed) < 0)
        reply_problem(r, 503, "out of memory");
    if (s->client && missed.history)
        tell_history(s);
    for (size_t i = 0; s->client && i < missed.n; i++)
        sse_replay(s->client, missed.messages[i].kind, missed.messages[i].id, missed.messages[i].data);
    if (s->client && (missed.history || !s->place.known)) {
        json_t *state = live_state_json(l);
        char *text = json_dumps(state, JSON_LINE | JSON_PRESERVE_ORDER);
        if (text)
            sse_replay(s->client, "status", missed.here, text);
        free(text);
        json_decref(state);
    }
    live_missed_free(&missed);
    free(s);
}
