#include "daemon/http/live_ring.h"

#include "base/clock.h"
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct live_ring {
    pthread_mutex_t lock;
    struct live_message list[LIVE_RING]; /* message NUMBER is at NUMBER % LIVE_RING */
    size_t n;
    struct live_place now; /* of the latest message */
};

/* --- ids ------------------------------------------------------------------------------------------------------------- */

static bool read_uuid(const char **text, char out[UUID_SIZE])
{
    const char *p = *text;

    for (int i = 0; i < UUID_SIZE - 1; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? p[i] != '-' : !isxdigit((unsigned char)p[i]))
            return false;
    memcpy(out, p, UUID_SIZE - 1);
    out[UUID_SIZE - 1] = '\0';
    *text = p + UUID_SIZE - 1;
    return true;
}

/* Digits up to the dot. */
static bool read_number(const char **text, int base, size_t most, uint64_t *out)
{
    char *end;
    size_t n = strspn(*text, base == 16 ? "0123456789abcdef" : "0123456789");

    if (n == 0 || n > most || (*text)[n] != '.')
        return false;
    *out = strtoull(*text, &end, base);
    *text += n + 1;
    return true;
}

void live_place_read(const char *id, struct live_place *out)
{
    uint64_t boot;

    *out = (struct live_place){.known = false};
    if (!id || !read_number(&id, 16, 8, &boot) || !read_number(&id, 10, 18, &out->number) ||
        !read_uuid(&id, out->latest))
        return;
    out->boot = (uint32_t)boot;
    while (*id == '.' && out->n_open < LIVE_OPEN) {
        id++;
        if (!read_uuid(&id, out->open[out->n_open]))
            return;
        out->n_open++;
    }
    out->known = !*id;
}

void live_place_write(const struct live_place *p, char out[LIVE_ID])
{
    int n = snprintf(out, LIVE_ID, "%08x.%llu.%s", (unsigned)p->boot, (unsigned long long)p->number, p->latest);

    for (size_t i = 0; i < p->n_open; i++)
        n += snprintf(out + n, LIVE_ID - (size_t)n, ".%s", p->open[i]);
}

/* --- messages -------------------------------------------------------------------------------------------------------- */

struct live_ring *live_ring_new(void)
{
    struct live_ring *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    pthread_mutex_init(&r->lock, NULL);
    if (getrandom(&r->now.boot, sizeof r->now.boot, 0) != sizeof r->now.boot || r->now.boot == 0)
        r->now.boot = (uint32_t)clock_ns(CLOCK_REALTIME) | 1; /* 0 is no daemon's: see live_place_write */
    r->now.known = true;
    uuid7(r->now.latest, clock_ns(CLOCK_REALTIME)); /* whatever began before is of no concern */
    return r;
}

static void clear(struct live_message *m)
{
    free(m->id);
    free(m->data);
    *m = (struct live_message){.id = NULL};
}

void live_ring_free(struct live_ring *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < LIVE_RING; i++)
        clear(&r->list[i]);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* What begins and what ends. */
static void follow(struct live_place *p, const struct event *e)
{
    size_t i = 0;

    while (i < p->n_open && strcmp(p->open[i], e->event_id) != 0)
        i++;
    bool open = i < p->n_open;
    if (e->type == EVENT_START || (e->type == EVENT_END && !open))
        memcpy(p->latest, e->event_id, UUID_SIZE);
    if (e->type == EVENT_START && !open && p->n_open < LIVE_OPEN)
        memcpy(p->open[p->n_open++], e->event_id, UUID_SIZE);
    if (e->type == EVENT_END && open) {
        memmove(p->open[i], p->open[i + 1], (p->n_open - 1 - i) * sizeof *p->open);
        p->n_open--;
    }
}

int live_ring_put(struct live_ring *r, const char *kind, const char *data, const struct event *event,
                  void (*publish)(void *ctx, const char *kind, const char *id, const char *data), void *ctx)
{
    char id[LIVE_ID];
    bool heard = event && !event->test;

    pthread_mutex_lock(&r->lock);
    struct live_place next = r->now;
    next.number++;
    if (heard)
        follow(&next, event);
    live_place_write(&next, id);
    struct live_message fresh = {.id = strdup(id), .data = strdup(data)};
    bool good = fresh.id && fresh.data;
    if (good) {
        snprintf(fresh.kind, sizeof fresh.kind, "%s", kind);
        if (heard)
            memcpy(fresh.event_id, event->event_id, UUID_SIZE);
        struct live_message *place = &r->list[next.number % LIVE_RING];
        clear(place);
        *place = fresh;
        r->n += r->n < LIVE_RING;
        r->now = next;
        publish(ctx, kind, fresh.id, fresh.data);
    } else {
        clear(&fresh);
    }
    pthread_mutex_unlock(&r->lock);
    return good ? 0 : -1;
}

/* --- joining --------------------------------------------------------------------------------------------------------- */

static int copy(struct live_message *out, const struct live_message *m)
{
    *out = *m;
    out->id = strdup(m->id);
    out->data = strdup(m->data);
    return out->id && out->data ? 0 : -1;
}

static int fill(const struct live_ring *r, const struct live_place *from, struct live_missed *out)
{
    uint64_t oldest = r->now.number - r->n + 1, first = oldest;

    live_place_write(&r->now, out->here);
    if (!from->known)
        return 0;
    if (from->boot == r->now.boot && from->number <= r->now.number && from->number + 1 >= oldest)
        first = from->number + 1;
    else
        out->history = true;
    out->messages = calloc(r->now.number + 1 - first + 1, sizeof *out->messages);
    if (!out->messages)
        return -1;
    for (uint64_t i = first; i <= r->now.number; i++)
        if (copy(&out->messages[out->n++], &r->list[i % LIVE_RING]) < 0)
            return -1;
    return 0;
}

int live_ring_join(struct live_ring *r, const struct live_place *from, bool (*join)(void *ctx), void *ctx,
                   struct live_missed *out)
{
    *out = (struct live_missed){.history = false};
    pthread_mutex_lock(&r->lock);
    int rc = join(ctx) ? fill(r, from, out) : 0;
    pthread_mutex_unlock(&r->lock);
    if (rc < 0)
        live_missed_free(out);
    return rc;
}

void live_missed_free(struct live_missed *m)
{
    for (size_t i = 0; i < m->n; i++)
        clear(&m->messages[i]);
    free(m->messages);
    *m = (struct live_missed){.history = false};
}
