/* Server-sent events (WHATWG HTML, 9.2): hubs, and the clients that watch them.
 *
 * A message is made once and shared by all who wait for it. A client whose queue is empty is suspended: its connection costs nothing
 * until a message or a heartbeat wakes it. Locks: the hub's, and within it libmicrohttpd's own (suspend, resume), never the other way
 * round. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/http/internal.h"

#include <stdlib.h>
#include <string.h>

#define BEAT_MS     10000
#define REPLAY_MOST 1000
#define BLOCK_SIZE  4096
#define RETRY_LINE  "retry: 2000\n\n"

struct message {
    unsigned refs; /* under the hub's lock */
    size_t size;
    char id[UUID_SIZE]; /* "" without one */
    char text[];
};

struct queue {
    struct message **list; /* a ring */
    size_t first, n, size;
};

struct sse_client {
    struct sse_client *prev, *next;
    struct sse_hub *hub;
    struct MHD_Connection *connection;
    bool suspended; /* by us, for want of a message */
    bool over;      /* to be cut: too far behind, or the daemon ends */
    struct message **replay;
    size_t n_replay, replayed;
    struct queue queue;
    struct message *now; /* of which `done` bytes are sent */
    size_t done;
};

struct sse_hub {
    struct sse_hub *next; /* of the web's list */
    struct web *web;
    pthread_mutex_t lock;
    struct sse_client *clients;
    size_t queue, most;
    unsigned held;   /* clients, and the web's list: the last frees */
    int64_t beat_ms; /* when all were last sent something */
    bool over;
    atomic_uint watching; /* written under the lock; read anywhere, relaxed: nothing else hangs on it */
};

/* --- messages ------------------------------------------------------------------------------------------------------- */

static void unref(struct message *m)
{
    if (m && --m->refs == 0)
        free(m);
}

static struct message *make(const char *event, const char *id, const char *data)
{
    size_t most = (event ? strlen(event) : 0) + (id ? strlen(id) : 0) + strlen(data) + 32;
    struct message *m = malloc(sizeof *m + most);

    if (!m)
        return NULL;
    int n = snprintf(m->text, most, "%s%s%s%s%s%sdata: %s\n\n", id ? "id: " : "", id ? id : "", id ? "\n" : "",
                     event ? "event: " : "", event ? event : "", event ? "\n" : "", data);
    m->size = (size_t)n;
    m->refs = 1;
    snprintf(m->id, sizeof m->id, "%s", id ? id : "");
    return m;
}

static struct message *make_line(const char *line)
{
    struct message *m = malloc(sizeof *m + strlen(line) + 1);

    if (!m)
        return NULL;
    m->size = strlen(line);
    memcpy(m->text, line, m->size + 1);
    m->refs = 1;
    m->id[0] = '\0';
    return m;
}

/* --- clients, all under the hub's lock -------------------------------------------------------------------------------- */

static void wake(struct sse_client *c)
{
    if (!c->suspended)
        return;
    c->suspended = false;
    MHD_resume_connection(c->connection);
}

static void push(struct sse_client *c, struct message *m)
{
    struct queue *q = &c->queue;

    if (c->over)
        return;
    if (q->n == q->size) {
        c->over = true;
    } else {
        m->refs++;
        q->list[(q->first + q->n++) % q->size] = m;
    }
    wake(c);
}

/* One of the replay was told. It stays for its id, with which the same may be published yet; its text, up to a thousand times over, goes. */
static struct message *shrink(struct message *m)
{
    struct message *small = realloc(m, sizeof *m);

    if (small)
        m = small;
    return m;
}

static struct message *next_message(struct sse_client *c)
{
    struct queue *q = &c->queue;

    if (c->replayed < c->n_replay)
        return c->replay[c->replayed++];
    while (q->n) {
        struct message *m = q->list[q->first];
        bool had = false;
        q->first = (q->first + 1) % q->size;
        q->n--;
        for (size_t i = 0; i < c->n_replay && m->id[0] && !had; i++)
            had = strcmp(c->replay[i]->id, m->id) == 0;
        if (!had)
            return m;
        unref(m);
    }
    return NULL;
}

static void drop_hub(struct sse_hub *h)
{
    bool last = --h->held == 0;

    pthread_mutex_unlock(&h->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static void free_client(void *arg)
{
    struct sse_client *c = arg;
    struct sse_hub *h = c->hub;

    pthread_mutex_lock(&h->lock);
    *(c->prev ? &c->prev->next : &h->clients) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    atomic_fetch_sub_explicit(&h->watching, 1, memory_order_relaxed);
    for (size_t i = 0; i < c->n_replay; i++)
        if (c->replay[i] != c->now)
            unref(c->replay[i]);
    for (size_t i = 0; i < c->queue.n; i++)
        unref(c->queue.list[(c->queue.first + i) % c->queue.size]);
    unref(c->now);
    drop_hub(h);
    free(c->replay);
    free(c->queue.list);
    free(c);
}

/* libmicrohttpd's thread: there is room in the socket. */
static ssize_t read_client(void *arg, uint64_t pos, char *buf, size_t max)
{
    struct sse_client *c = arg;
    size_t used = 0;

    (void)pos;
    pthread_mutex_lock(&c->hub->lock);
    while (used < max && !c->over) {
        if (!c->now) {
            c->now = next_message(c);
            c->done = 0;
        }
        if (!c->now)
            break;
        size_t n = c->now->size - c->done < max - used ? c->now->size - c->done : max - used;
        memcpy(buf + used, c->now->text + c->done, n);
        used += n;
        c->done += n;
        if (c->done < c->now->size)
            break;
        bool replayed = c->replayed && c->now == c->replay[c->replayed - 1];
        if (replayed)
            c->replay[c->replayed - 1] = shrink(c->now);
        else
            unref(c->now);
        c->now = NULL;
    }
    bool over = c->over;
    if (!used && !over) {
        c->suspended = true;
        MHD_suspend_connection(c->connection);
    }
    pthread_mutex_unlock(&c->hub->lock);
    return used ? (ssize_t)used : over ? MHD_CONTENT_READER_END_OF_STREAM : 0;
}

/* --- the handler's side ------------------------------------------------------------------------------------------------ */

static struct sse_client *new_client(struct sse_hub *h, struct MHD_Connection *connection)
{
    struct sse_client *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->queue.size = h->queue;
    c->queue.list = calloc(h->queue, sizeof *c->queue.list);
    if (!c->queue.list) {
        free(c);
        return NULL;
    }
    c->hub = h;
    c->connection = connection;
    return c;
}

static bool enter(struct sse_hub *h, struct sse_client *c)
{
    pthread_mutex_lock(&h->lock);
    bool room = !h->over && atomic_load_explicit(&h->watching, memory_order_relaxed) < h->most;
    if (room) {
        struct message *first = make_line(RETRY_LINE);
        c->next = h->clients;
        if (c->next)
            c->next->prev = c;
        h->clients = c;
        h->held++;
        atomic_fetch_add_explicit(&h->watching, 1, memory_order_relaxed);
        if (first) {
            push(c, first);
            unref(first);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return room;
}

struct sse_client *sse_open(struct request *r, struct sse_hub *h)
{
    struct sse_client *c = r->status ? NULL : new_client(h, r->connection);

    if (!c || !enter(h, c)) {
        if (c)
            free(c->queue.list);
        free(c);
        reply_problem(r, 503, "too many watch already");
        return NULL;
    }
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_client, c, free_client);
    if (!r->response) {
        free_client(c);
        reply_problem(r, 503, "out of memory");
        return NULL;
    }
    r->status = 200;
    r->stream = true;
    reply_header(r, "Content-Type", "text/event-stream");
    reply_header(r, "X-Accel-Buffering", "no"); /* nginx holds streams back otherwise */
    return c;
}

void sse_replay(struct sse_client *c, const char *event, const char *id, const char *data)
{
    struct message *m = c->n_replay < REPLAY_MOST ? make(event, id, data) : NULL;

    if (m && c->n_replay % 32 == 0) {
        struct message **more = realloc(c->replay, (c->n_replay + 32) * sizeof *more);
        if (!more) {
            free(m);
            return;
        }
        c->replay = more;
    }
    if (m)
        c->replay[c->n_replay++] = m;
}

/* --- hubs ------------------------------------------------------------------------------------------------------------ */

struct sse_hub *sse_hub_new(struct web *w, size_t queue, size_t most_clients)
{
    struct sse_hub *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->web = w;
    h->queue = queue;
    h->most = most_clients;
    h->held = 1;
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_lock(&w->lock);
    h->next = w->hubs;
    w->hubs = h;
    pthread_mutex_unlock(&w->lock);
    return h;
}

void sse_hub_free(struct sse_hub *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->web->lock);
    for (struct sse_hub **p = &h->web->hubs; *p; p = &(*p)->next)
        if (*p == h) {
            *p = h->next;
            break;
        }
    pthread_mutex_unlock(&h->web->lock);
    pthread_mutex_lock(&h->lock);
    h->over = true;
    drop_hub(h);
}

unsigned sse_watching(const struct sse_hub *h)
{
    return atomic_load_explicit(&h->watching, memory_order_relaxed);
}

unsigned sse_watching_all(struct web *w)
{
    unsigned n = 0;

    pthread_mutex_lock(&w->lock);
    for (const struct sse_hub *h = w->hubs; h; h = h->next)
        n += sse_watching(h);
    pthread_mutex_unlock(&w->lock);
    return n;
}

static void publish(struct sse_hub *h, struct message *m)
{
    if (!m)
        return;
    for (struct sse_client *c = h->clients; c; c = c->next)
        push(c, m);
    unref(m);
}

void sse_publish(struct sse_hub *h, const char *event, const char *id, const char *data)
{
    if (!sse_watching(h))
        return;
    struct message *m = make(event, id, data);
    pthread_mutex_lock(&h->lock);
    publish(h, m);
    pthread_mutex_unlock(&h->lock);
}

/* A comment, so that both sides notice where the other is gone. */
void sse_beat(struct web *w)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);

    for (struct sse_hub *h = w->hubs; h; h = h->next) {
        pthread_mutex_lock(&h->lock);
        if (h->clients && now - h->beat_ms >= BEAT_MS) {
            h->beat_ms = now;
            publish(h, make_line(": alive\n\n"));
        }
        pthread_mutex_unlock(&h->lock);
    }
}

void sse_end_all(struct web *w)
{
    for (struct sse_hub *h = w->hubs; h; h = h->next) {
        pthread_mutex_lock(&h->lock);
        h->over = true;
        for (struct sse_client *c = h->clients; c; c = c->next) {
            c->over = true;
            wake(c);
        }
        pthread_mutex_unlock(&h->lock);
    }
}
