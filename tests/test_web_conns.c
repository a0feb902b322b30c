/* Who is cut where many come. */
#include "daemon/http/conns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define N (CONNS_CROWDED + 2)

static struct conns conns;
static struct conn *list[N];
static int ends[N][2];

static void come(int i, enum conn_state state)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
    list[i] = conns_add(&conns, ends[i][0]);
    assert_non_null(list[i]);
    if (state != CONN_WAITING)
        conns_state(&conns, list[i], state);
}

static bool is_cut(int i)
{
    char byte;

    return recv(ends[i][1], &byte, 1, MSG_DONTWAIT) == 0;
}

static int begin(void **state)
{
    const struct rlimit files = {2 * N + 100, 2 * N + 100};
    struct rlimit now;

    (void)state;
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < files.rlim_cur)
        setrlimit(RLIMIT_NOFILE, &files);
    conns_init(&conns);
    return 0;
}

static int end(void **state)
{
    uint64_t n_cut;

    (void)state;
    for (int i = 0; i < N; i++) {
        if (!list[i])
            continue;
        conns_remove(&conns, list[i]);
        list[i] = NULL;
        close(ends[i][0]);
        close(ends[i][1]);
    }
    unsigned left = conns_count(&conns, &n_cut);
    conns_clear(&conns);
    return left == 0 ? 0 : -1;
}

static void test_crowd(void **state)
{
    uint64_t n_cut;

    (void)state;
    come(0, CONN_BUSY); /* a stream */
    come(1, CONN_REPLY);
    for (int i = 2; i < CONNS_CROWDED; i++)
        come(i, CONN_WAITING);
    assert_int_equal(conns_count(&conns, &n_cut), CONNS_CROWDED);
    assert_int_equal(n_cut, 0);
    conns_state(&conns, list[2], CONN_BODY);
    conns_state(&conns, list[2], CONN_WAITING); /* said something just now */
    come(CONNS_CROWDED, CONN_WAITING);
    assert_true(is_cut(3)); /* the one that has waited longest */
    assert_false(is_cut(0) || is_cut(1) || is_cut(2) || is_cut(4));
    come(CONNS_CROWDED + 1, CONN_WAITING);
    assert_true(is_cut(4)); /* the next, not the same one again */
    conns_count(&conns, &n_cut);
    assert_int_equal(n_cut, 2);
    conns_tick(&conns);
    conns_count(&conns, &n_cut);
    assert_int_equal(n_cut, 2); /* nobody is late yet */
}

static void test_slow_replies(void **state)
{
    (void)state;
    come(0, CONN_BUSY);
    for (int i = 1; i < CONNS_CROWDED; i++)
        come(i, CONN_REPLY);
    come(CONNS_CROWDED, CONN_REPLY);
    for (int i = 0; i <= CONNS_CROWDED; i++)
        assert_false(is_cut(i)); /* they have just begun */
    for (int i = 0; i <= CONNS_CROWDED; i++)
        list[i]->since_ms -= CONNS_GRACE + 1000;
    come(CONNS_CROWDED + 1, CONN_WAITING);
    assert_false(is_cut(0)); /* streams are ours */
    assert_true(is_cut(1));
    assert_false(is_cut(2));
}

static void test_late(void **state)
{
    static const struct {
        enum conn_state state;
        int64_t ms;
        bool late;
    } cases[] = {{CONN_WAITING, 19000, false}, {CONN_WAITING, 21000, true}, {CONN_BODY, 21000, true},
                 {CONN_BUSY, 9000000, false},  {CONN_LARGE, 500000, false}, {CONN_LARGE, 601000, true},
                 {CONN_REPLY, 59000, false},   {CONN_REPLY, 61000, true}};
    const int n = sizeof cases / sizeof *cases;

    (void)state;
    for (int i = 0; i < n; i++)
        come(i, cases[i].state);
    for (int i = 0; i < n; i++)
        list[i]->since_ms -= cases[i].ms;
    conns_tick(&conns);
    for (int i = 0; i < n; i++)
        assert_int_equal(is_cut(i), cases[i].late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_crowd, begin, end),
                                       cmocka_unit_test_setup_teardown(test_slow_replies, begin, end),
                                       cmocka_unit_test_setup_teardown(test_late, begin, end)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
