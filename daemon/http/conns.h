/* The connections: who has been waited for for too long is cut, and where there are many, whoever has said nothing for longest makes
 * room for those who come, or else whoever takes longest over a body or a reply. So neither half-open connections nor those that drip
 * keep others out. */
#ifndef EARSHOT_HTTP_CONNS_H
#define EARSHOT_HTTP_CONNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CONNS_MOST    400  /* at a time: a hundred viewers with two streams each, and their requests */
#define CONNS_CROWDED 300  /* from here on one goes for each that comes */
#define CONNS_GRACE   2000 /* ms that a body or a reply has at least, however crowded it is */

enum conn_state {
    CONN_WAITING, /* for a request's headers, the first's or the next's */
    CONN_BODY,    /* for its body */
    CONN_LARGE,   /* for a large one, or for the client to take a file */
    CONN_BUSY,    /* for ourselves, and streams: no limit */
    CONN_REPLY,   /* for the client to take the reply */
};

struct conn {
    struct conn *prev, *next; /* of all, in the order of `since`: the longest first */
    int fd;
    enum conn_state state;
    int64_t since_ms; /* CLOCK_MONOTONIC, of the state */
    bool cut;
};

struct conns {
    pthread_mutex_t lock;
    struct conn *first, *last;
    unsigned n;
    uint64_t cut; /* so far */
};

void conns_init(struct conns *c);
void conns_clear(struct conns *c);

/* libmicrohttpd's thread. new: NULL without memory. */
struct conn *conns_add(struct conns *c, int fd);
void conns_remove(struct conns *c, struct conn *conn);
void conns_state(struct conns *c, struct conn *conn, enum conn_state state); /* conn may be NULL */

void conns_tick(struct conns *c); /* once a second: cuts who is late */
unsigned conns_count(struct conns *c, uint64_t *cut);

#endif
