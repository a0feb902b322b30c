#include "base/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* every finite half is itself again */
static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++)
        if ((h & 0x7c00) != 0x7c00)
            assert_int_equal(half_from_float(half_to_float((uint16_t)h)), h);
}

/* whatever lies between two halves becomes the nearer one, ties the even one: against the distances, not against another converter */
static void test_nearest(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7bff; h++) {
        float low = half_to_float((uint16_t)h), high = half_to_float((uint16_t)(h + 1)), middle = (low + high) / 2;
        assert_int_equal(half_from_float(nextafterf(middle, low)), h);
        assert_int_equal(half_from_float(nextafterf(middle, high)), h + 1);
        assert_int_equal(half_from_float(middle), h % 2 ? h + 1 : h);
        assert_int_equal(half_from_float(-nextafterf(middle, low)), h | 0x8000);
    }
}

static void test_known(void **state)
{
    (void)state;
    assert_int_equal(half_from_float(1), 0x3c00);
    assert_int_equal(half_from_float(-2), 0xc000);
    assert_int_equal(half_from_float(0.1f), 0x2e66);
    assert_int_equal(half_from_float(65504), 0x7bff);
    assert_int_equal(half_from_float(1e9f), 0x7bff);
    assert_int_equal(half_from_float(-INFINITY), 0xfbff);
    assert_int_equal(half_from_float(NAN), 0);
    assert_int_equal(half_from_float(-0.0f), 0x8000);
    assert_true(isinf(half_to_float(0x7c00)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_nearest),
                                       cmocka_unit_test(test_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
