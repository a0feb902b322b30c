/* What was heard, how soon, and the choice of thresholds: cases to be counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluate/sweep.h"
#include "tests/timed_help.h"

#include <string.h>

enum { DOG, ALARM, RAIN, N_LABELS };

static const struct match_rule rule = {.collar = 0.5};
static struct snr_list snrs;

static struct outcomes outcomes_of(struct timed_list ref, struct timed_list det)
{
    struct outcomes o;

    assert_int_equal(outcomes_new(&o, N_LABELS), 0);
    snr_list_add(&snrs, &ref);
    assert_int_equal(outcomes_add(&o, &rule, &ref, &det, snr_list_find, &snrs), 0);
    timed_free(&ref);
    timed_free(&det);
    return o;
}

static int fresh_snrs(void **state)
{
    (void)state;
    snrs = (struct snr_list){0};
    return 0;
}

static struct outcome_figures figures(const struct outcomes *o, const bool *member, int snr)
{
    struct outcome_figures f;

    assert_int_equal(outcomes_figures(o, member, snr, 4, &f), 0);
    return f;
}

static void heard_while_it_lasts(void **state)
{
    /* an alarm from 10 to 20 s; told as from: */
    static const struct {
        double start;
        bool heard, hit;
    } cases[] = {{10, true, true},    {10.5, true, true}, {10.6, true, false}, {11.5, true, false}, {9.5, true, true},
                 {9.4, false, false}, {20, true, false},  {20.5, true, false}, {20.6, false, false}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcomes o = outcomes_of(SOUNDS({ALARM, 10, 20}), SOUNDS({ALARM, cases[i].start, 22}));
        struct outcome_figures f = figures(&o, NULL, -1);
        struct told_count t = outcomes_told(&o, NULL);
        print_message("told as from %g s\n", cases[i].start);
        assert_int_equal(f.events, 1);
        assert_int_equal(f.heard, cases[i].heard);
        assert_int_equal(f.hits, cases[i].hit);
        assert_int_equal(t.told, 1);
        assert_int_equal(t.false_alarms, !cases[i].heard);
        assert_int_equal(t.unmatched, !cases[i].hit);
        outcomes_free(&o);
    }
}

static void another_label_is_not_heard_and_is_false(void **state)
{
    struct outcomes o = outcomes_of(SOUNDS({ALARM, 10, 20}), SOUNDS({DOG, 10, 12}));
    bool alarms[N_LABELS] = {[ALARM] = true}, dogs[N_LABELS] = {[DOG] = true};
    (void)state;

    assert_int_equal(figures(&o, NULL, -1).heard, 0);
    assert_int_equal(outcomes_told(&o, NULL).false_alarms, 1);
    assert_int_equal(outcomes_told(&o, alarms).false_alarms, 0);
    assert_int_equal(outcomes_told(&o, dogs).false_alarms, 1);
    assert_int_equal(figures(&o, dogs, -1).events, 0);
    assert_int_equal(figures(&o, alarms, -1).events, 1);
    outcomes_free(&o);
}

static void a_second_start_is_unmatched_but_no_false_alarm(void **state)
{
    struct outcomes o = outcomes_of(SOUNDS({ALARM, 10, 20}), SOUNDS({ALARM, 10.1, 12}, {ALARM, 17, 20}));
    (void)state;

    assert_int_equal(outcomes_told(&o, NULL).false_alarms, 0);
    assert_int_equal(outcomes_told(&o, NULL).unmatched, 1);
    assert_int_equal(figures(&o, NULL, -1).heard, 1);
    outcomes_free(&o);
}

static void a_sound_that_ran_on_is_under_way(void **state)
{
    /* two barks, 2 s apart, told as one: the second was not told anew, but the dog was on */
    struct outcomes o = outcomes_of(SOUNDS({DOG, 10, 10.5}, {DOG, 12.5, 13}), SOUNDS({DOG, 10, 13}));
    struct outcome_figures f = figures(&o, NULL, -1);
    (void)state;

    assert_int_equal(f.heard, 1);
    assert_int_equal(f.under_way, 1);
    outcomes_free(&o);
}

static void delays(void **state)
{
    /* known 1.0, 2.0, 3.0, 4.0, 4.5 s after the onset; starts 0, 0.1, -0.2, 0.4, 1.0 s after it */
    struct outcomes o = outcomes_of(
        SOUNDS({DOG, 10, 11}, {DOG, 20, 21}, {DOG, 30, 31}, {DOG, 40, 41}, {DOG, 50, 51}, {DOG, 60, 61}),
        SOUNDS({DOG, 10, 11, 11}, {DOG, 20.1, 21, 22}, {DOG, 29.8, 31, 33}, {DOG, 40.4, 42, 44}, {DOG, 51, 53, 54.5}));
    struct outcome_figures f = figures(&o, NULL, -1);
    (void)state;

    assert_int_equal(f.events, 6);
    assert_int_equal(f.heard, 5);
    assert_int_equal(f.soon, 4); /* 4.0 s is within 4 s */
    assert_int_equal(f.hits, 4);
    assert_float_equal(f.delay_median, 3.0, 1e-6);
    assert_float_equal(f.delay_p90, 4.3, 1e-6); /* 0.6 of the way from the fourth, 4.0, to the fifth, 4.5 */
    assert_float_equal(f.start_median, 0.1, 1e-6);
    assert_float_equal(f.start_abs_p90, 0.76, 1e-6); /* 0, 0.1, 0.2, 0.4, 1.0 */
    outcomes_free(&o);
}

static void the_earliest_decision_counts(void **state)
{
    struct outcomes o = outcomes_of(SOUNDS({DOG, 10, 20}), SOUNDS({DOG, 10.2, 11, 13}, {DOG, 11.5, 12, 12.5}));
    (void)state;

    assert_float_equal(figures(&o, NULL, -1).delay_median, 2.5, 1e-6);
    assert_float_equal(figures(&o, NULL, -1).start_median, 1.5, 1e-6);
    outcomes_free(&o);
}

static void nothing_at_all(void **state)
{
    struct outcomes o = outcomes_of(NO_SOUNDS, NO_SOUNDS);
    struct outcome_figures f = figures(&o, NULL, -1);
    (void)state;

    assert_int_equal(f.events + f.heard + f.hits + f.soon, 0);
    assert_true(isnan(f.delay_median) && isnan(f.delay_p90) && isnan(f.start_median));
    outcomes_free(&o);
}

static void by_signal_to_noise_ratio(void **state)
{
    struct outcomes o =
        outcomes_of(SOUNDS({DOG, 10, 11, 0, 10}, {DOG, 20, 21, 0, 5}, {DOG, 30, 31, 0, 10.2}, {DOG, 40, 41}),
                    SOUNDS({DOG, 10, 11}, {DOG, 20, 21}, {DOG, 40, 41}));
    (void)state;

    assert_int_equal(snrs.n, 2);
    assert_int_equal(snrs.db[0], 5);
    assert_int_equal(snrs.db[1], 10);
    assert_false(snrs.coarse);
    assert_int_equal(figures(&o, NULL, 0).events, 1);
    assert_int_equal(figures(&o, NULL, 0).heard, 1);
    assert_int_equal(figures(&o, NULL, 1).events, 2);
    assert_int_equal(figures(&o, NULL, 1).heard, 1);
    assert_int_equal(figures(&o, NULL, -1).events, 4);
    outcomes_free(&o);
}

static void many_ratios_are_taken_in_steps_of_5_db(void **state)
{
    struct timed_list list = {0};
    (void)state;

    for (int i = -30; i < 60; i++) {
        struct timed t = {.onset = i + 30, .offset = i + 30.5, .snr = (float)i};
        assert_int_equal(timed_add(&list, &t), 0);
    }
    snr_list_add(&snrs, &list);
    assert_true(snrs.coarse);
    assert_int_equal(snrs.n, SNR_MAX);
    for (size_t i = 0; i < SNR_MAX; i++)
        assert_int_equal(snrs.db[i], -15 + 5 * (int)i);
    assert_int_equal(snr_list_find(&snrs, 11), snr_list_find(&snrs, 9));
    assert_int_not_equal(snr_list_find(&snrs, 11), snr_list_find(&snrs, 13));
    assert_int_equal(snr_list_find(&snrs, -100), 0);
    assert_int_equal(snr_list_find(&snrs, NAN), -1);
    timed_free(&list);
}

/* --- sweep ---------------------------------------------------------------------------------------------------------- */

/* Ten hours in which a class has the given false alarms and heard sounds (of 10) at and above some thresholds. */
struct stairs {
    double threshold;
    unsigned false_alarms, heard;
};

static void fill(struct sweep *s, unsigned label, const struct stairs *steps, size_t n, unsigned events)
{
    s->hours = 10;
    s->events[label].all = events;
    for (size_t k = 0; k < s->n_thresholds; k++) {
        struct sweep_point *p = &s->point[k * s->n_labels + label];
        for (size_t i = 0; i < n; i++)
            if (s->thresholds[k] <= steps[i].threshold + 1e-9) {
                p->false_alarms = steps[i].false_alarms;
                p->heard = steps[i].heard;
            }
    }
}

static void thresholds_rise(void **state)
{
    size_t n;
    const double *t = sweep_thresholds(&n);
    (void)state;

    assert_true(n >= 99 && t[0] > 0 && t[n - 1] < 1);
    for (size_t i = 1; i < n; i++)
        assert_true(t[i] > t[i - 1]);
}

static void a_stream_adds_to_the_sweep(void **state)
{
    struct outcomes o = outcomes_of(SOUNDS({DOG, 10, 11, 0, 10}, {ALARM, 20, 30, 0, 5}),
                                    SOUNDS({DOG, 10, 11, 11}, {ALARM, 25, 30, 26}, {RAIN, 50, 60}));
    struct sweep s, other;
    bool animals[N_LABELS] = {[DOG] = true, [RAIN] = true};
    (void)state;

    assert_int_equal(sweep_new(&s, N_LABELS), 0);
    assert_int_equal(sweep_new(&other, N_LABELS), 0);
    for (size_t k = 0; k < s.n_thresholds; k++)
        sweep_add(&s, k, &o, 4);
    sweep_add(&other, 0, &o, 4);
    sweep_merge(&s, &other);
    struct sweep_point p = sweep_pool(&s, 0, NULL), q = sweep_pool(&s, 1, animals);
    assert_int_equal(p.told, 6);
    assert_int_equal(p.heard, 4);
    assert_int_equal(p.hits, 2);
    assert_int_equal(p.soon, 2); /* the alarm was known after 6 s */
    assert_int_equal(p.false_alarms, 2);
    assert_int_equal(p.unmatched, 4);
    assert_int_equal(p.heard_snr[0], 2);
    assert_int_equal(q.told, 2);
    assert_int_equal(q.heard, 1);
    assert_int_equal(q.heard_snr[0], 0);
    assert_int_equal(q.heard_snr[1], 1);
    assert_int_equal(sweep_events_of(&s, NULL).all, 4);
    assert_int_equal(sweep_events_of(&s, animals).all, 2);
    assert_int_equal(sweep_at(&s, 1, ALARM)->told, 1);
    outcomes_free(&o);
    sweep_free(&s);
    sweep_free(&other);
}

/* The threshold, negative where it is over the budget. */
static double chosen(const struct sweep *s, unsigned label, double budget, double lowest)
{
    bool kept;
    double threshold = s->thresholds[sweep_choose(s, label, budget, lowest, &kept)];
    return kept ? threshold : -threshold;
}

static void what_hears_the_most_within_the_budget(void **state)
{
    struct sweep s;
    (void)state;

    assert_int_equal(sweep_new(&s, N_LABELS), 0);
    fill(&s, DOG, (struct stairs[]){{0.7, 2, 5}, {0.5, 9, 8}, {0.3, 1, 9}}, 3, 10);
    assert_float_equal(chosen(&s, DOG, 0.2, 0.05), 0.51, 1e-6);  /* 2 in 10 h are allowed; 0.3 does not count */
    assert_float_equal(chosen(&s, DOG, 0.19, 0.05), 0.71, 1e-6); /* 1.9 are not 2 */
    assert_float_equal(chosen(&s, DOG, 0, 0.05), 0.71, 1e-6);
    assert_float_equal(chosen(&s, DOG, 0.9, 0.05), 0.05, 1e-6);
    assert_float_equal(chosen(&s, DOG, 0.9, 0.2), 0.2, 1e-6);
    assert_float_equal(chosen(&s, RAIN, 0, 0.01), 0.01, 1e-6);         /* never told */
    fill(&s, DOG, (struct stairs[]){{0.7, 2, 5}, {0.4, 0, 1}}, 2, 10); /* below 0.4 it is on all the time: one start */
    assert_float_equal(chosen(&s, DOG, 0.2, 0.05), 0.41, 1e-6);
    assert_float_equal(chosen(&s, DOG, 0, 0.05), 0.71, 1e-6);
    fill(&s, ALARM, (struct stairs[]){{1, 3, 10}}, 1, 10);
    assert_float_equal(chosen(&s, ALARM, 0.2, 0.05), -0.05, 1e-6); /* not one is better */
    assert_float_equal(chosen(&s, ALARM, 0.3, 0.05), 0.05, 1e-6);
    /* 2 false alarms at the top already; they hear 6 from 0.8 down, what is below is dearer */
    fill(&s, ALARM, (struct stairs[]){{1, 2, 4}, {0.8, 2, 6}, {0.5, 3, 9}}, 3, 10);
    assert_float_equal(chosen(&s, ALARM, 0.1, 0.05), -0.51, 1e-6);
    assert_float_equal(chosen(&s, ALARM, 0.1, 0.6), -0.6, 1e-6);
    sweep_free(&s);
}

static void a_group_spends_its_budget_where_it_hears_the_most(void **state)
{
    struct sweep s;
    size_t k[N_LABELS] = {0};
    bool both[N_LABELS] = {[DOG] = true, [ALARM] = true};
    (void)state;

    assert_int_equal(sweep_new(&s, N_LABELS), 0);
    /* dog: 4 false alarms buy 2 more; alarm: 4 buy 6 more, and 8 further ones 1 more */
    fill(&s, DOG, (struct stairs[]){{1, 0, 4}, {0.6, 4, 6}}, 2, 10);
    fill(&s, ALARM, (struct stairs[]){{1, 0, 2}, {0.8, 4, 8}, {0.4, 12, 9}}, 3, 10);
    assert_float_equal(sweep_choose_group(&s, both, 0.5, 0.05, k), 0.4, 1e-6);
    assert_int_equal(sweep_at(&s, k[ALARM], ALARM)->heard, 8);
    assert_int_equal(sweep_at(&s, k[DOG], DOG)->heard, 4);
    assert_float_equal(sweep_choose_group(&s, both, 0.8, 0.05, k), 0.8, 1e-6);
    assert_int_equal(sweep_at(&s, k[ALARM], ALARM)->heard, 8);
    assert_int_equal(sweep_at(&s, k[DOG], DOG)->heard, 6);
    assert_float_equal(sweep_choose_group(&s, both, 2, 0.05, k), 1.6, 1e-6);
    assert_int_equal(sweep_at(&s, k[ALARM], ALARM)->heard, 9);
    assert_float_equal(sweep_choose_group(&s, both, 0, 0.05, k), 0, 1e-6);
    assert_int_equal(sweep_at(&s, k[ALARM], ALARM)->heard, 2);
    assert_int_equal(sweep_at(&s, k[DOG], DOG)->heard, 4);
    /* not even the highest thresholds keep it */
    fill(&s, ALARM, (struct stairs[]){{1, 7, 10}}, 1, 10);
    assert_true(isnan(sweep_choose_group(&s, both, 0.5, 0.05, k)));
    sweep_free(&s);
}

static void where_thresholds_are_alike_the_middle_is_taken(void **state)
{
    struct sweep s;
    size_t k[N_LABELS] = {0};
    bool dogs[N_LABELS] = {[DOG] = true}, rain[N_LABELS] = {[RAIN] = true};
    (void)state;

    assert_int_equal(sweep_new(&s, N_LABELS), 0);
    /* all are heard from 0.8 down, the first false alarm comes at 0.2 */
    fill(&s, DOG, (struct stairs[]){{0.8, 0, 10}, {0.2, 1, 10}}, 2, 10);
    sweep_choose_group(&s, dogs, 1, 0.05, k);
    assert_float_equal(s.thresholds[k[DOG]], 0.5, 0.011);
    /* never annotated, false below 0.4: nothing to hear, so only that it stays silent counts */
    fill(&s, RAIN, (struct stairs[]){{0.4, 5, 0}}, 1, 0);
    sweep_choose_group(&s, rain, 1, 0.05, k);
    assert_true(s.thresholds[k[RAIN]] > 0.6 && s.thresholds[k[RAIN]] < 0.8);
    sweep_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(heard_while_it_lasts, fresh_snrs),
        cmocka_unit_test_setup(another_label_is_not_heard_and_is_false, fresh_snrs),
        cmocka_unit_test_setup(a_second_start_is_unmatched_but_no_false_alarm, fresh_snrs),
        cmocka_unit_test_setup(a_sound_that_ran_on_is_under_way, fresh_snrs),
        cmocka_unit_test_setup(delays, fresh_snrs),
        cmocka_unit_test_setup(the_earliest_decision_counts, fresh_snrs),
        cmocka_unit_test_setup(nothing_at_all, fresh_snrs),
        cmocka_unit_test_setup(by_signal_to_noise_ratio, fresh_snrs),
        cmocka_unit_test_setup(many_ratios_are_taken_in_steps_of_5_db, fresh_snrs),
        cmocka_unit_test(thresholds_rise),
        cmocka_unit_test_setup(a_stream_adds_to_the_sweep, fresh_snrs),
        cmocka_unit_test(what_hears_the_most_within_the_budget),
        cmocka_unit_test(a_group_spends_its_budget_where_it_hears_the_most),
        cmocka_unit_test(where_thresholds_are_alike_the_middle_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
