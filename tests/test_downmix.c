#include "audio/downmix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void parses(void **state)
{
    static const struct {
        const char *text;
        int result, channel;
    } cases[] = {
        {"mix", 0, DOWNMIX_MIX},
        {"", 0, DOWNMIX_MIX},
        {"1", 0, 0},
        {"2", 0, 1},
        {"64", 0, 63},
        {"0", -1, 0},
        {"65", -1, 0},
        {"-1", -1, 0},
        {"left", -1, 0},
        {"1x", -1, 0},
        {" 1", -1, 0},
        {"+1", -1, 0},
        {"99999999999999999999", -1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int channel = 99;
        struct err err = {""};
        assert_int_equal(downmix_parse(cases[i].text, &channel, &err), cases[i].result);
        if (cases[i].result == 0)
            assert_int_equal(channel, cases[i].channel);
        else
            assert_non_null(strstr(err.text, "mix or a number from 1 to 64"));
    }
}

static void inverted_pair_cancels(void **state)
{
    float x[200], out[100];
    (void)state;
    for (int i = 0; i < 100; i++) {
        x[2 * i] = sinf((float)i * 0.3F);
        x[2 * i + 1] = -x[2 * i];
    }
    downmix_do(x, 100, 2, DOWNMIX_MIX, 1, out);
    for (int i = 0; i < 100; i++)
        assert_true(out[i] == 0);
    downmix_do(x, 100, 2, 1, 2, out);
    for (int i = 0; i < 100; i++)
        assert_true(out[i] == -2 * sinf((float)i * 0.3F));
}

static void mix_is_the_mean(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 4, 8};
    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        unsigned n = counts[k];
        float x[8 * 10], out[10];
        for (unsigned i = 0; i < 10; i++)
            for (unsigned c = 0; c < n; c++)
                x[i * n + c] = (float)i / 16 + (float)c / 8;
        downmix_do(x, 10, n, DOWNMIX_MIX, 1, out);
        for (unsigned i = 0; i < 10; i++)
            assert_float_equal(out[i], (float)i / 16 + (float)(n - 1) / 16, 1e-6);
        downmix_do(x, 10, n, (int)n - 1, 1, x); /* in place */
        assert_float_equal(x[3], 3.0F / 16 + (float)(n - 1) / 8, 1e-6);
    }
}

static void missing_channel_is_silence(void **state)
{
    float x[4] = {1, 1, 1, 1}, out[4] = {9, 9, 9, 9};
    (void)state;
    downmix_do(x, 4, 1, 1, 1, out);
    for (int i = 0; i < 4; i++)
        assert_true(out[i] == 0);
}

static void gain(void **state)
{
    (void)state;
    assert_float_equal(downmix_gain(0), 1, 1e-7);
    assert_float_equal(downmix_gain(20), 10, 1e-5);
    assert_float_equal(downmix_gain(-6.0206), 0.5, 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(inverted_pair_cancels),
        cmocka_unit_test(mix_is_the_mean),
        cmocka_unit_test(missing_channel_is_silence),
        cmocka_unit_test(gain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
