/* What is remembered of the stream: samples, blocks, gaps. */
#include "audio/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "audio/blocklog.h"
#include "audio/positions.h"
#include "synth.h"

static void assert_holds(const struct history *h)
{
    const float *x;
    size_t n;
    uint64_t at = h->first;
    assert_true(h->end - h->first <= h->size);
    for (; (n = history_read(h, at, &x)) > 0; at += n)
        for (size_t i = 0; i < n; i++)
            assert_true(x[i] == (float)(at + i));
    assert_int_equal(at, h->end);
    assert_int_equal(history_read(h, h->end, &x), 0);
    if (h->first > 0)
        assert_int_equal(history_read(h, h->first - 1, &x), 0);
}

/* Random pushes and changes of size; every sample that should be there is, with its own value. */
static void test_history(void **state)
{
    (void)state;
    uint32_t seed = 20240611;
    struct history h;
    assert_int_equal(history_init(&h, 500), 0);
    history_resize(&h, 100);
    uint64_t held = 0;
    for (int step = 0; step < 20000; step++) {
        float x[700];
        size_t n = synth_random(&seed) % (step % 50 ? 60 : 700);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(h.end + i);
        held = held + n < h.size ? held + n : h.size;
        history_push(&h, x, n);
        assert_int_equal(h.end - h.first, held);
        assert_holds(&h);
        if (synth_random(&seed) % 10 == 0) {
            history_resize(&h, 1 + synth_random(&seed) % 500);
            held = held < h.size ? held : h.size;
            assert_int_equal(h.end - h.first, held);
            assert_holds(&h);
        }
    }
    history_free(&h);
}

static void test_blocklog(void **state)
{
    (void)state;
    struct blocklog b;
    assert_int_equal(blocklog_init(&b, 100), 0);
    for (unsigned i = 0; i < 250; i++) {
        float dbfs = i >= 200 && i < 210 ? -20 : i == 180 ? -50 : -60;
        struct blocklog_entry e = {.position = i * 80,
                                   .frames = 80,
                                   .power = powf(10, dbfs / 10),
                                   .dbfs = dbfs,
                                   .peak = i == 205 ? 0.5f : 0.1f};
        blocklog_add(&b, &e);
    }
    struct blocklog_figures f = blocklog_figures(&b, 200 * 80, 210 * 80);
    assert_true(fabsf(f.rms_dbfs + 20) < 0.01f && fabsf(f.peak_dbfs + 6.02f) < 0.01f);
    f = blocklog_figures(&b, 190 * 80, 210 * 80);
    assert_true(fabsf(f.rms_dbfs + 23.01f) < 0.01f);
    f = blocklog_figures(&b, 210 * 80 - 40, 210 * 80 + 40); /* half a block counts half */
    assert_true(fabsf(f.rms_dbfs + 23.01f) < 0.01f && fabsf(f.peak_dbfs + 20) < 0.01f);
    f = blocklog_figures(&b, 300 * 80, 400 * 80); /* nothing known */
    assert_true(f.rms_dbfs == -120 && f.peak_dbfs == -120);
    assert_int_equal(blocklog_onset(&b, 160 * 80, 249 * 80, -70), 200 * 80);
    assert_int_equal(blocklog_onset(&b, 160 * 80, 190 * 80, -70), 180 * 80);
    assert_int_equal(blocklog_onset(&b, 160 * 80, 190 * 80, -52), 160 * 80); /* it stirs under the floor */
    assert_int_equal(blocklog_onset(&b, 211 * 80, 249 * 80, -70), 211 * 80);
    blocklog_free(&b);
}

static void test_positions(void **state)
{
    (void)state;
    struct positions p = {0};
    assert_int_equal(positions_device(&p, 1234), 1234);
    for (unsigned i = 1; i <= 20; i++)
        positions_gap(&p, i * 1000, 10);
    assert_int_equal(positions_device(&p, 20000), 20200);
    assert_int_equal(positions_device(&p, 19999), 20189);
    assert_int_equal(positions_device(&p, 13000), 13130);
    assert_int_equal(positions_device(&p, 12999), 13119);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_blocklog),
        cmocka_unit_test(test_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
