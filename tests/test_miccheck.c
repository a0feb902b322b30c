#include "audio/miccheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Runs `seconds` of blocks, ten checks a second, and returns the last verdict. */
struct mic {
    struct miccheck check;
    struct analysis_levels levels;
    double clip_credit;
};
enum kind { LIVE, ZEROS, CONSTANT };

static const char *run(struct mic *m, double seconds, enum kind kind, double clip_percent)
{
    const char *text = "";
    for (int i = 0; i < (int)(seconds * 100 + 0.5); i++) {
        m->levels.blocks++;
        m->clip_credit += clip_percent / 100;
        if (m->clip_credit >= 1) {
            m->clip_credit -= 1;
            m->levels.clipped_blocks++;
        }
        m->levels.zero_run = kind == ZEROS ? m->levels.zero_run + 1 : 0;
        m->levels.constant_run = kind == CONSTANT ? m->levels.constant_run + 1 : 0;
        m->levels.rms_dbfs = kind == ZEROS ? -120 : -30;
        if (i % 10 == 9)
            text = miccheck_do(&m->check, &m->levels);
    }
    return text;
}

static void begins(const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, with);
}

static void zeros(void **state)
{
    struct mic m = {.clip_credit = 0};
    (void)state;
    miccheck_init(&m.check);
    assert_string_equal(run(&m, 9.8, ZEROS, 0), "");
    begins(run(&m, 0.3, ZEROS, 0), "only zeros");
    begins(run(&m, 0.2, LIVE, 0), "only zeros"); /* a pulse ends nothing */
    begins(run(&m, 5, ZEROS, 0), "only zeros");
    assert_string_equal(run(&m, 1.2, LIVE, 0), "");
    assert_string_equal(run(&m, 5, ZEROS, 0), ""); /* ten seconds anew */
}

static void constant(void **state)
{
    struct mic m = {.clip_credit = 0};
    (void)state;
    miccheck_init(&m.check);
    assert_string_equal(run(&m, 9.8, CONSTANT, 0), "");
    begins(run(&m, 0.3, CONSTANT, 0), "level never moves (-30.0 dBFS)");
    assert_string_equal(run(&m, 1.2, LIVE, 0), "");
}

static void clipping(void **state)
{
    struct mic m = {.clip_credit = 0};
    (void)state;
    miccheck_init(&m.check);
    assert_string_equal(run(&m, 60, LIVE, 0.9), "");
    begins(run(&m, 20, LIVE, 2.5), "clipping in 2.5 % of blocks");
    begins(run(&m, 20, LIVE, 0.7), "clipping in 0.7 %"); /* between the two thresholds it stays */
    assert_string_equal(run(&m, 20, LIVE, 0.3), "");
    begins(run(&m, 3, LIVE, 100), "clipping"); /* told before the ten seconds are over */
}

static void new_stream(void **state)
{
    struct mic m = {.clip_credit = 0};
    (void)state;
    miccheck_init(&m.check);
    begins(run(&m, 30, ZEROS, 0), "only zeros");
    memset(&m.levels, 0, sizeof m.levels);
    assert_string_equal(run(&m, 5, LIVE, 0), "");
    begins(run(&m, 15, ZEROS, 0), "only zeros");
}

static void good_microphone(void **state)
{
    struct mic m = {.clip_credit = 0};
    (void)state;
    miccheck_init(&m.check);
    for (int i = 0; i < 20; i++) {
        assert_string_equal(run(&m, 3, LIVE, 0.1), "");
        assert_string_equal(run(&m, 8, ZEROS, 0), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros),      cmocka_unit_test(constant),        cmocka_unit_test(clipping),
        cmocka_unit_test(new_stream), cmocka_unit_test(good_microphone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
