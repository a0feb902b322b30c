#include "base/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_sizes(void **state)
{
    (void)state;
    assert_null(ring_new(0, 4));
    assert_null(ring_new(4, 0));
    assert_null(ring_new(SIZE_MAX, 1));
    assert_null(ring_new(1, SIZE_MAX));
    assert_null(ring_new(SIZE_MAX / 4, 8));
    ring_free(NULL);

    static const struct {
        size_t asked, got;
    } rows[] = {{1, 1}, {2, 2}, {3, 4}, {64, 64}, {65, 128}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ring *r = ring_new(10, rows[i].asked);
        assert_non_null(r);
        assert_int_equal(ring_capacity(r), rows[i].got);
        ring_free(r);
    }
}

static void test_edges(void **state)
{
    (void)state;
    struct ring *r = ring_new(100, 4);
    assert_null(ring_peek(r));
    int next_in = 0, next_out = 0;
    for (int round = 0; round < 10; round++) {
        while (ring_used(r) < 4) {
            int *slot = ring_reserve(r);
            assert_non_null(slot);
            assert_int_equal((uintptr_t)slot % 64, 0);
            *slot = next_in++;
            ring_commit(r);
        }
        assert_null(ring_reserve(r));
        /* leaves another remainder each round, so that the edges fall on every slot */
        for (int i = 0; i < 4 - round % 4; i++) {
            const int *slot = ring_peek(r);
            assert_non_null(slot);
            assert_ptr_equal(slot, ring_peek(r));
            assert_int_equal(*slot, next_out++);
            ring_release(r);
        }
    }
    for (; next_out < next_in; next_out++) {
        assert_int_equal(*(const int *)ring_peek(r), next_out);
        ring_release(r);
    }
    assert_null(ring_peek(r));
    ring_free(r);
}

/* A slot that is reserved and not committed is not seen, and is reserved again. */
static void test_reserve_twice(void **state)
{
    (void)state;
    struct ring *r = ring_new(8, 2);
    void *a = ring_reserve(r);
    assert_ptr_equal(a, ring_reserve(r));
    assert_null(ring_peek(r));
    ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_reserve_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
