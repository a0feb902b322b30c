#include "audio/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* window 10, hop 5 (or as given), first sample numbered 100: how many whole windows, then what is left over. */
static void test_table(void **state)
{
    (void)state;
    static const struct {
        size_t hop, total, windows, tail;
    } rows[] = {
        {5, 0, 0, 0},  {5, 1, 0, 1},  {5, 9, 0, 9},      {5, 10, 1, 0},         {5, 11, 1, 6},  {5, 14, 1, 9},
        {5, 15, 2, 0}, {5, 16, 2, 6}, {10, 10, 1, 0},    {10, 11, 1, 1},        {10, 20, 2, 0}, {3, 12, 1, 9},
        {3, 13, 2, 0}, {1, 12, 3, 0}, {5, 1000, 199, 0}, {7, 1000, 142, 6 + 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t chunk = 1; chunk < 30; chunk += 3) {
            struct segment s;
            assert_int_equal(segment_init(&s, 10, rows[i].hop, 40), 0);
            segment_begin(&s, 100);
            float out[10];
            size_t windows = 0;
            for (size_t at = 0; at < rows[i].total;) {
                float x[30];
                size_t n = chunk < rows[i].total - at ? chunk : rows[i].total - at;
                for (size_t k = 0; k < n; k++)
                    x[k] = (float)(at + k + 1);
                segment_add(&s, x, n);
                at += n;
                for (;;) {
                    assert_int_equal(s.index, windows);
                    assert_int_equal(s.first, 100 + windows * rows[i].hop);
                    if (!segment_next(&s, out))
                        break;
                    for (size_t k = 0; k < 10; k++)
                        assert_true(out[k] == (float)(windows * rows[i].hop + k + 1));
                    windows++;
                }
            }
            assert_int_equal(windows, rows[i].windows);
            size_t tail = segment_tail(&s, out);
            size_t left = rows[i].total - windows * rows[i].hop; /* from where the next window would begin */
            size_t want = rows[i].tail == 0 ? 0 : left;
            assert_int_equal(tail, want);
            for (size_t k = 0; want && k < 10; k++)
                assert_true(out[k] == (k < tail ? (float)(windows * rows[i].hop + k + 1) : 0));
            assert_int_equal(s.covered, 100 + rows[i].total);
            assert_int_equal(segment_tail(&s, out), 0);
            segment_free(&s);
        }
    }
}

/* What is held back uncut comes out whole. */
static void test_held(void **state)
{
    (void)state;
    struct segment s;
    assert_int_equal(segment_init(&s, 10, 5, 100), 0);
    segment_begin(&s, 0);
    float x[100], out[10];
    for (size_t k = 0; k < 100; k++)
        x[k] = (float)k;
    segment_add(&s, x, 60);
    segment_add(&s, x + 60, 40);
    for (size_t i = 0; i < 19; i++) {
        assert_true(segment_next(&s, out));
        assert_true(out[0] == (float)(i * 5) && out[9] == (float)(i * 5 + 9));
    }
    assert_false(segment_next(&s, out));
    assert_int_equal(segment_tail(&s, out), 0);
    segment_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_held)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
