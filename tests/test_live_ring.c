/* The ring behind the events' stream: whoever comes back gets what was missed, once and in order, from the ring or with word that the
 * history has to help; ids of any form; and threads that join while others publish. */
#include "daemon/http/live_ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A client: the numbers (data) that came, in order, and the id of the last. */
struct client {
    unsigned got[4096];
    size_t n;
    char id[LIVE_ID];
    bool watching;
};

static void take(struct client *c, const char *id, const char *data)
{
    assert_true(c->n < sizeof c->got / sizeof *c->got);
    c->got[c->n++] = (unsigned)strtoul(data, NULL, 10);
    snprintf(c->id, sizeof c->id, "%s", id);
}

static void publish(void *ctx, const char *kind, const char *id, const char *data)
{
    struct client *c = ctx;

    assert_string_equal(kind, "event");
    if (c && c->watching)
        take(c, id, data);
}

static bool begin(void *ctx)
{
    return ((struct client *)ctx)->watching = true;
}

static bool refuse(void *ctx)
{
    (void)ctx;
    return false;
}

/* Joins; true: the ring alone has all that was missed. */
static bool join(struct live_ring *r, struct client *c)
{
    struct live_place from;
    struct live_missed m;

    live_place_read(c->id[0] ? c->id : NULL, &from);
    assert_int_equal(live_ring_join(r, &from, begin, c, &m), 0);
    for (size_t i = 0; i < m.n; i++)
        take(c, m.messages[i].id, m.messages[i].data);
    if (!c->id[0])
        snprintf(c->id, sizeof c->id, "%s", m.here);
    bool whole = !m.history;
    live_missed_free(&m);
    return whole;
}

static void put(struct live_ring *r, struct client *c, unsigned number)
{
    struct event e = {.type = EVENT_UPDATE, .test = true};
    char data[16];

    snprintf(data, sizeof data, "%u", number);
    assert_int_equal(live_ring_put(r, "event", data, &e, publish, c), 0);
}

static void nothing_twice_nothing_left_out(void **state)
{
    struct live_ring *r = live_ring_new();
    struct client c = {.n = 0};

    (void)state;
    put(r, &c, 1); /* before it came: not its business */
    assert_true(join(r, &c));
    assert_int_equal(c.n, 0);
    put(r, &c, 2);
    c.watching = false;
    put(r, &c, 3);
    put(r, &c, 4);
    assert_true(join(r, &c));
    put(r, &c, 5);
    assert_true(join(r, &c)); /* at once again */
    for (unsigned i = 6; i < 6 + LIVE_RING; i++) {
        c.watching = false;
        put(r, &c, i);
    }
    assert_true(join(r, &c)); /* exactly what the ring holds */
    for (unsigned i = 0; i < c.n; i++)
        assert_int_equal(c.got[i], i + 2);
    assert_int_equal(c.n, 4 + LIVE_RING);
    c.watching = false;
    for (unsigned i = 0; i < LIVE_RING + 1; i++)
        put(r, &c, 1000 + i);
    assert_false(join(r, &c)); /* one more than that */
    live_ring_free(r);
}

static void another_daemon(void **state)
{
    struct live_ring *a = live_ring_new(), *b = live_ring_new();
    struct client c = {.n = 0};

    (void)state;
    assert_true(join(a, &c));
    put(a, &c, 1);
    c.watching = false;
    put(b, NULL, 7);
    assert_false(join(b, &c)); /* what a told after 1 is in the history, what b told is all news */
    assert_int_equal(c.n, 2);
    assert_int_equal(c.got[1], 7);
    put(b, &c, 8);
    assert_true(join(b, &c));
    assert_int_equal(c.n, 3);
    live_ring_free(a);
    live_ring_free(b);
}

static void tell(struct live_ring *r, struct client *c, enum event_type type, unsigned n)
{
    struct event e = {.type = type};

    snprintf(e.event_id, sizeof e.event_id, "%08x-0000-7000-8000-000000000000", n);
    assert_int_equal(live_ring_put(r, "event", "0", &e, publish, c), 0);
}

static void ids_know_what_is_open(void **state)
{
    struct live_ring *r = live_ring_new();
    struct client c = {.n = 0};
    struct live_place p;
    char again[LIVE_ID];

    (void)state;
    assert_true(join(r, &c));
    tell(r, &c, EVENT_START, 1);
    tell(r, &c, EVENT_START, 2);
    tell(r, &c, EVENT_UPDATE, 1);
    live_place_read(c.id, &p);
    assert_true(p.known && p.n_open == 2 && strncmp(p.latest, "00000002-", 9) == 0);
    live_place_write(&p, again);
    assert_string_equal(again, c.id);
    tell(r, &c, EVENT_END, 1);
    tell(r, &c, EVENT_END, 3); /* unknown: an end is all there is */
    live_place_read(c.id, &p);
    assert_true(p.known && p.n_open == 1 && strncmp(p.open[0], "00000002-", 9) == 0);
    assert_memory_equal(p.latest, "00000003-", 9);
    for (unsigned i = 0; i < 2 * LIVE_OPEN; i++)
        tell(r, &c, EVENT_START, 10 + i);
    live_place_read(c.id, &p);
    assert_true(p.known && p.n_open == LIVE_OPEN);
    tell(r, &c, EVENT_END, 2);
    live_place_read(c.id, &p);
    assert_int_equal(p.n_open, LIVE_OPEN - 1);
    live_ring_free(r);
}

static void ids_of_any_form(void **state)
{
    static const char *const bad[] = {"",
                                      "1",
                                      ".",
                                      "x.1.00000001-0000-7000-8000-000000000000",
                                      "1.x.00000001-0000-7000-8000-000000000000",
                                      "1.1.00000001-0000-7000-8000-00000000000",
                                      "1.1.00000001-0000-7000-8000-000000000000x",
                                      "1.1.00000001-0000-7000-8000-000000000000.",
                                      "123456789.1.00000001-0000-7000-8000-000000000000",
                                      "1.1234567890123456789.00000001-0000-7000-8000-000000000000",
                                      "1.1.00000001-0000-7000-8000-000000000000.00000001-0000-7000-8000-00000000000'"};
    struct live_place p;
    char *longest = calloc(1, 2 * LIVE_ID);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        live_place_read(bad[i], &p);
        assert_false(p.known);
    }
    live_place_read(NULL, &p);
    assert_false(p.known);
    live_place_read("1.1.00000001-0000-7000-8000-000000000000", &p);
    assert_true(p.known);
    strcpy(longest, "ffffffff.123456789012345678");
    for (int i = 0; i <= LIVE_OPEN; i++)
        strcat(longest, ".00000001-0000-7000-8000-000000000000");
    live_place_read(longest, &p);
    assert_true(p.known && p.n_open == LIVE_OPEN);
    strcat(longest, ".00000001-0000-7000-8000-000000000000");
    live_place_read(longest, &p);
    assert_false(p.known);
    free(longest);
}

static void who_is_refused_gets_nothing(void **state)
{
    struct live_ring *r = live_ring_new();
    struct live_place from = {.known = true};
    struct live_missed m;

    (void)state;
    put(r, NULL, 1);
    assert_int_equal(live_ring_join(r, &from, refuse, NULL, &m), 0);
    assert_true(m.n == 0 && !m.history);
    live_missed_free(&m);
    live_ring_free(r);
}

/* --- threads --------------------------------------------------------------------------------------------------------- */

#define ROUNDS  3000
#define CLIENTS 3

/* A client as the hub has it: what is published waits in a queue, which goes with the connection. */
struct visitor {
    struct live_ring *ring;
    pthread_mutex_t lock;
    bool watching;
    struct waiting {
        unsigned number;
        char id[LIVE_ID];
    } queue[LIVE_RING];
    size_t n;
    unsigned last; /* number that it got last; 0: none */
    char id[LIVE_ID];
    bool broken; /* something came twice, or not at all */
    unsigned visits;
};

static void queue_for_all(void *ctx, const char *kind, const char *id, const char *data)
{
    struct visitor *all = ctx;

    (void)kind;
    for (int i = 0; i < CLIENTS; i++) {
        struct visitor *v = &all[i];
        pthread_mutex_lock(&v->lock);
        if (v->watching && v->n < LIVE_RING) {
            v->queue[v->n].number = (unsigned)strtoul(data, NULL, 10);
            snprintf(v->queue[v->n++].id, LIVE_ID, "%s", id);
        }
        pthread_mutex_unlock(&v->lock);
    }
}

static void *tell_many(void *arg)
{
    struct visitor *all = arg;
    struct event e = {.type = EVENT_UPDATE, .test = true};
    char data[16];

    for (unsigned i = 1; i <= ROUNDS; i++) {
        snprintf(data, sizeof data, "%u", i);
        live_ring_put(all->ring, "event", data, &e, queue_for_all, all);
        if (i % 8 == 0)
            sched_yield();
    }
    return NULL;
}

static bool enter(void *ctx)
{
    struct visitor *v = ctx;

    pthread_mutex_lock(&v->lock);
    v->watching = true;
    v->n = 0;
    pthread_mutex_unlock(&v->lock);
    return true;
}

static void got(struct visitor *v, unsigned number, const char *id)
{
    v->broken |= v->last && number != v->last + 1;
    v->last = number;
    snprintf(v->id, sizeof v->id, "%s", id);
}

static void *visit(void *arg)
{
    struct visitor *v = arg;
    struct live_missed m;
    struct live_place from;

    while (v->last < ROUNDS) {
        live_place_read(v->id[0] ? v->id : NULL, &from);
        if (live_ring_join(v->ring, &from, enter, v, &m) < 0)
            break;
        if (m.history) /* slower than the ring is long: begin anew from there */
            v->last = 0;
        for (size_t i = 0; i < m.n; i++)
            got(v, (unsigned)strtoul(m.messages[i].data, NULL, 10), m.messages[i].id);
        if (!v->id[0])
            snprintf(v->id, sizeof v->id, "%s", m.here);
        live_missed_free(&m);
        sched_yield();
        pthread_mutex_lock(&v->lock);
        size_t n = v->n / 2 + 1; /* of what waits; the rest is lost with the connection */
        for (size_t i = 0; i < n && i < v->n; i++)
            got(v, v->queue[i].number, v->queue[i].id);
        v->watching = false;
        pthread_mutex_unlock(&v->lock);
        v->visits++;
    }
    return NULL;
}

static void threads(void **state)
{
    static struct visitor all[CLIENTS];
    struct live_ring *r = live_ring_new();
    pthread_t teller, visitors[CLIENTS];

    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        all[i].ring = r;
        pthread_mutex_init(&all[i].lock, NULL);
        assert_int_equal(pthread_create(&visitors[i], NULL, visit, &all[i]), 0);
    }
    assert_int_equal(pthread_create(&teller, NULL, tell_many, all), 0);
    pthread_join(teller, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(visitors[i], NULL);
        assert_false(all[i].broken);
        assert_int_equal(all[i].last, ROUNDS);
        print_message("client %d came %u times\n", i, all[i].visits);
        pthread_mutex_destroy(&all[i].lock);
    }
    live_ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_twice_nothing_left_out), cmocka_unit_test(another_daemon),
        cmocka_unit_test(ids_know_what_is_open),          cmocka_unit_test(ids_of_any_form),
        cmocka_unit_test(who_is_refused_gets_nothing),    cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
