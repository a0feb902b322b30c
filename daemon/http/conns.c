#include "daemon/http/conns.h"

#include "base/clock.h"
#include <stdlib.h>
#include <sys/socket.h>

/* ms that a state may last, 0: any */
static const int64_t limits[] = {
    [CONN_WAITING] = 20000, [CONN_BODY] = 20000, [CONN_LARGE] = 600000, [CONN_BUSY] = 0, [CONN_REPLY] = 60000};

void conns_init(struct conns *c)
{
    *c = (struct conns){.first = NULL};
    pthread_mutex_init(&c->lock, NULL);
}

void conns_clear(struct conns *c)
{
    pthread_mutex_destroy(&c->lock);
}

static void unlink_one(struct conns *c, struct conn *conn)
{
    *(conn->prev ? &conn->prev->next : &c->first) = conn->next;
    *(conn->next ? &conn->next->prev : &c->last) = conn->prev;
}

static void append(struct conns *c, struct conn *conn)
{
    conn->since_ms = clock_ms(CLOCK_MONOTONIC);
    conn->next = NULL;
    conn->prev = c->last;
    *(c->last ? &c->last->next : &c->first) = conn;
    c->last = conn;
}

/* The socket is closed by libmicrohttpd, which finds it ended. It is still open here: who closes it takes it out of the list before. */
static void cut(struct conns *c, struct conn *conn)
{
    if (conn->cut)
        return;
    conn->cut = true;
    c->cut++;
    shutdown(conn->fd, SHUT_RDWR);
}

/* The list begins with whoever is in its state for longest. */
static void make_room(struct conns *c)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    struct conn *slow = NULL;

    for (struct conn *conn = c->first; conn; conn = conn->next) {
        if (conn->cut)
            continue;
        if (conn->state == CONN_WAITING) {
            cut(c, conn);
            return;
        }
        if (!slow && limits[conn->state] && now - conn->since_ms > CONNS_GRACE)
            slow = conn;
    }
    if (slow)
        cut(c, slow);
}

struct conn *conns_add(struct conns *c, int fd)
{
    struct conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return NULL;
    conn->fd = fd;
    pthread_mutex_lock(&c->lock);
    if (++c->n > CONNS_CROWDED)
        make_room(c);
    append(c, conn);
    pthread_mutex_unlock(&c->lock);
    return conn;
}

void conns_remove(struct conns *c, struct conn *conn)
{
    if (!conn)
        return;
    pthread_mutex_lock(&c->lock);
    unlink_one(c, conn);
    c->n--;
    pthread_mutex_unlock(&c->lock);
    free(conn);
}

void conns_state(struct conns *c, struct conn *conn, enum conn_state state)
{
    if (!conn)
        return;
    pthread_mutex_lock(&c->lock);
    conn->state = state;
    unlink_one(c, conn);
    append(c, conn);
    pthread_mutex_unlock(&c->lock);
}

void conns_tick(struct conns *c)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);

    pthread_mutex_lock(&c->lock);
    for (struct conn *conn = c->first; conn; conn = conn->next)
        if (limits[conn->state] && now - conn->since_ms > limits[conn->state])
            cut(c, conn);
    pthread_mutex_unlock(&c->lock);
}

unsigned conns_count(struct conns *c, uint64_t *n_cut)
{
    pthread_mutex_lock(&c->lock);
    unsigned n = c->n;
    *n_cut = c->cut;
    pthread_mutex_unlock(&c->lock);
    return n;
}
