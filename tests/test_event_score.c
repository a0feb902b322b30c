/* Cases small enough to be counted by hand; the answers stand beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluate/event_score.h"
#include "evaluate/segment_score.h"
#include "tests/timed_help.h"

#include <string.h>

enum { DOG, BELL, RAIN, N_LABELS };

static const struct match_rule onset = {.collar = 0.5}, onset2 = {.collar = 0.2};
static const struct match_rule both = {.collar = 0.5, .offsets = true, .offset_share = 0.5};

static struct sed_count classes[N_LABELS], all;

/* Counts from scratch; frees the lists. */
static void score(const struct match_rule *rule, struct timed_list ref, struct timed_list det)
{
    memset(classes, 0, sizeof classes);
    memset(&all, 0, sizeof all);
    assert_int_equal(event_score_add(rule, &ref, &det, N_LABELS, classes, &all, NULL), 0);
    timed_free(&ref);
    timed_free(&det);
}

static void score_segments(double duration_s, struct timed_list ref, struct timed_list det)
{
    memset(classes, 0, sizeof classes);
    memset(&all, 0, sizeof all);
    assert_int_equal(segment_score_add(1, duration_s, &ref, &det, N_LABELS, classes, &all, NULL), 0);
    timed_free(&ref);
    timed_free(&det);
}

static void expect(const struct sed_count *c, unsigned ref, unsigned det, unsigned hits, unsigned substitutions,
                   unsigned deletions, unsigned insertions)
{
    assert_int_equal(c->ref, ref);
    assert_int_equal(c->det, det);
    assert_int_equal(c->hits, hits);
    assert_int_equal(c->substitutions, substitutions);
    assert_int_equal(c->deletions, deletions);
    assert_int_equal(c->insertions, insertions);
}

static void hits_misses_and_false_ones(void **state)
{
    (void)state;
    /* dog: 1.0 is found at 1.3, 5.0 is missed; bell: 8.0 found; rain: told at 20 for nothing */
    score(&onset, SOUNDS({DOG, 1, 2}, {DOG, 5, 6}, {BELL, 8, 9}),
          SOUNDS({DOG, 1.3, 2}, {BELL, 8.2, 9}, {RAIN, 20, 21}));
    expect(&classes[DOG], 2, 1, 1, 0, 1, 0);
    expect(&classes[BELL], 1, 1, 1, 0, 0, 0);
    expect(&classes[RAIN], 0, 1, 0, 0, 0, 1);
    expect(&all, 3, 3, 2, 0, 1, 1);
    assert_float_equal(sed_precision(&all), 2.0 / 3, 1e-6);
    assert_float_equal(sed_recall(&all), 2.0 / 3, 1e-6);
    assert_float_equal(sed_f1(&all), 2.0 / 3, 1e-6);
    assert_float_equal(sed_error_rate(&all), 2.0 / 3, 1e-6);
    assert_float_equal(sed_f1(&classes[DOG]), 2.0 / 3, 1e-6);
    assert_float_equal(sed_f1(&classes[RAIN]), 0, 1e-6);
    assert_true(isnan(sed_recall(&classes[RAIN])));
    assert_true(isnan(sed_error_rate(&classes[RAIN])));
    /* rain is annotated nowhere: the mean is that of dog (2/3) and bell (1) */
    assert_float_equal(sed_macro(classes, N_LABELS, sed_f1), (2.0 / 3 + 1) / 2, 1e-6);
    assert_float_equal(sed_macro(classes, N_LABELS, sed_recall), (0.5 + 1) / 2, 1e-6);
    assert_float_equal(sed_macro(classes, N_LABELS, sed_error_rate), (0.5 + 0) / 2, 1e-6);
}

static void a_class_never_told_has_precision_0_in_the_mean(void **state)
{
    (void)state;
    score(&onset, SOUNDS({DOG, 1, 2}, {BELL, 8, 9}), SOUNDS({DOG, 1, 2}));
    assert_true(isnan(sed_precision(&classes[BELL])));
    assert_float_equal(sed_macro(classes, N_LABELS, sed_precision), 0.5, 1e-6);
}

static void one_to_one(void **state)
{
    (void)state;
    /* one sound, told twice near its onset: a hit and an insertion */
    score(&onset, SOUNDS({DOG, 10, 12}), SOUNDS({DOG, 9.8, 12}, {DOG, 10.2, 12}));
    expect(&classes[DOG], 1, 2, 1, 0, 0, 1);
    /* two sounds, one told between them: a hit and a deletion */
    score(&onset, SOUNDS({DOG, 10, 10.2}, {DOG, 10.4, 11}), SOUNDS({DOG, 10.3, 11}));
    expect(&classes[DOG], 2, 1, 1, 0, 1, 0);
}

static void as_many_pairs_as_there_can_be(void **state)
{
    (void)state;
    /* 10.0..11.0 may have both of those that were told (offsets within 0.5 s), 10.3..12.3 (within 1 s) only the first of them: 10.0
     * must leave it to 10.3 though it is the nearer one, and take 10.4 */
    score(&both, SOUNDS({DOG, 10.0, 11.0}, {DOG, 10.3, 12.3}), SOUNDS({DOG, 10.2, 11.4}, {DOG, 10.4, 10.9}));
    expect(&classes[DOG], 2, 2, 2, 0, 0, 0);
    /* onsets alone, a chain in which each may have two */
    score(&onset, SOUNDS({DOG, 1.0, 1.05}, {DOG, 1.7, 1.8}, {DOG, 2.2, 2.3}),
          SOUNDS({DOG, 0.6, 0.7}, {DOG, 1.3, 1.4}, {DOG, 2.0, 2.1}));
    expect(&classes[DOG], 3, 3, 3, 0, 0, 0);
}

static void greedy_order_does_not_matter(void **state)
{
    (void)state;
    /* 5.0..6.4 may have both (within 0.7 s of its end), 5.05..5.6 only the first that was told: the first pair that a loop over both
     * lists meets is not the one to keep */
    score(&both, SOUNDS({DOG, 5.0, 6.4}, {DOG, 5.05, 5.6}), SOUNDS({DOG, 4.6, 6.0}, {DOG, 5.2, 7.0}));
    expect(&classes[DOG], 2, 2, 2, 0, 0, 0);
}

static void the_border_of_the_collar_counts(void **state)
{
    (void)state;
    score(&onset, SOUNDS({DOG, 10, 12}), SOUNDS({DOG, 10.5, 12}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
    score(&onset, SOUNDS({DOG, 10, 12}), SOUNDS({DOG, 9.5, 12}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
    score(&onset, SOUNDS({DOG, 10, 12}), SOUNDS({DOG, 10.50001, 12}));
    expect(&classes[DOG], 1, 1, 0, 0, 1, 1);
    /* 0.1 + 0.2 is not 0.3 in binary, and must not decide */
    score(&onset2, SOUNDS({DOG, 0.1, 2}), SOUNDS({DOG, 0.3, 2}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
    score(&onset2, SOUNDS({DOG, 0.1, 2}), SOUNDS({DOG, 0.30001, 2}));
    expect(&classes[DOG], 1, 1, 0, 0, 1, 1);
}

static void offsets_within_the_collar_or_half_of_the_length(void **state)
{
    (void)state;
    /* 10 s long: 5 s at the end are allowed */
    score(&both, SOUNDS({DOG, 10, 20}), SOUNDS({DOG, 10, 15}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
    score(&both, SOUNDS({DOG, 10, 20}), SOUNDS({DOG, 10, 14.99}));
    expect(&classes[DOG], 1, 1, 0, 0, 1, 1);
    score(&both, SOUNDS({DOG, 10, 20}), SOUNDS({DOG, 10, 25}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
    /* 0.4 s long: the collar is more than half of it */
    score(&both, SOUNDS({DOG, 10, 10.4}), SOUNDS({DOG, 10, 10.9}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
    score(&both, SOUNDS({DOG, 10, 10.4}), SOUNDS({DOG, 10, 10.91}));
    expect(&classes[DOG], 1, 1, 0, 0, 1, 1);
    /* the annotated length counts, not the one that was told */
    score(&both, SOUNDS({DOG, 10, 11}), SOUNDS({DOG, 10, 15}));
    expect(&classes[DOG], 1, 1, 0, 0, 1, 1);
}

static void a_wrong_label_is_a_substitution(void **state)
{
    (void)state;
    score(&onset, SOUNDS({DOG, 10, 12}, {DOG, 20, 22}), SOUNDS({BELL, 10.1, 12}, {RAIN, 30, 31}));
    expect(&classes[DOG], 2, 0, 0, 0, 2, 0);
    expect(&classes[BELL], 0, 1, 0, 0, 0, 1);
    expect(&all, 2, 2, 0, 1, 1, 1);
    assert_float_equal(sed_error_rate(&all), 1.5, 1e-6);
    /* a sound that has its hit is not substituted as well */
    score(&onset, SOUNDS({DOG, 10, 12}), SOUNDS({DOG, 10, 12}, {BELL, 10, 12}));
    expect(&all, 1, 2, 1, 0, 0, 1);
}

static void labels_do_not_mix(void **state)
{
    (void)state;
    /* two sounds at once, told the other way round at the same times: both right */
    score(&onset, SOUNDS({DOG, 10, 12}, {BELL, 10, 12}), SOUNDS({BELL, 10.2, 12}, {DOG, 10.3, 12}));
    expect(&all, 2, 2, 2, 0, 0, 0);
}

static void nothing_annotated_nothing_told(void **state)
{
    (void)state;
    score(&onset, NO_SOUNDS, NO_SOUNDS);
    expect(&all, 0, 0, 0, 0, 0, 0);
    assert_true(isnan(sed_f1(&all)) && isnan(sed_precision(&all)) && isnan(sed_error_rate(&all)));
    assert_true(isnan(sed_macro(classes, N_LABELS, sed_f1)));
    score(&onset, NO_SOUNDS, SOUNDS({DOG, 1, 2}));
    expect(&all, 0, 1, 0, 0, 0, 1);
    assert_float_equal(sed_f1(&all), 0, 1e-6);
    score(&onset, SOUNDS({DOG, 1, 2}), NO_SOUNDS);
    expect(&all, 1, 0, 0, 0, 1, 0);
    assert_float_equal(sed_f1(&all), 0, 1e-6);
    assert_float_equal(sed_error_rate(&all), 1, 1e-6);
    score_segments(10, NO_SOUNDS, NO_SOUNDS);
    expect(&all, 0, 0, 0, 0, 0, 0);
    score_segments(0, NO_SOUNDS, NO_SOUNDS);
    expect(&all, 0, 0, 0, 0, 0, 0);
}

static void all_of_it_false(void **state)
{
    (void)state;
    score(&onset, SOUNDS({DOG, 1, 2}, {DOG, 3, 4}), SOUNDS({BELL, 10, 11}, {BELL, 20, 21}, {BELL, 30, 31}));
    expect(&all, 2, 3, 0, 0, 2, 3);
    assert_float_equal(sed_error_rate(&all), 2.5, 1e-6);
}

static void counts_of_streams_add_up(void **state)
{
    struct timed_list ref = SOUNDS({DOG, 1, 2}), same = SOUNDS({DOG, 1, 2}), none = NO_SOUNDS;
    (void)state;

    memset(classes, 0, sizeof classes);
    memset(&all, 0, sizeof all);
    assert_int_equal(event_score_add(&onset, &ref, &same, N_LABELS, classes, &all, NULL), 0);
    assert_int_equal(event_score_add(&onset, &ref, &none, N_LABELS, classes, &all, NULL), 0);
    expect(&all, 2, 1, 1, 0, 1, 0);
    expect(&classes[DOG], 2, 1, 1, 0, 1, 0);
    timed_free(&ref);
    timed_free(&same);
}

static void segments_that_a_sound_touches_are_active(void **state)
{
    (void)state;
    /* annotated 1.2..3.5: segments 1, 2, 3; told 2.0..5.0: 2, 3, 4, for 5.0 ends with the fifth second */
    score_segments(10, SOUNDS({DOG, 1.2, 3.5}), SOUNDS({DOG, 2, 5}));
    expect(&classes[DOG], 3, 3, 2, 0, 1, 1);
    expect(&all, 3, 3, 2, 0, 1, 1); /* the miss and the false one lie in different segments: no substitution */
    assert_float_equal(sed_f1(&all), 2.0 / 3, 1e-6);
    assert_float_equal(sed_error_rate(&all), 2.0 / 3, 1e-6);
    /* the same, one segment each with a hair over the border */
    score_segments(10, SOUNDS({DOG, 1.0, 2.0000001}), SOUNDS({DOG, 0.9999999999, 2}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
}

static void substitutions_within_a_segment(void **state)
{
    (void)state;
    /* second 0: dog missed, bell told: a substitution. Second 1: dog and rain missed, bell told: one substitution, one deletion.
     * Second 2: bell told for nothing. */
    score_segments(3, SOUNDS({DOG, 0, 2}, {RAIN, 1, 2}), SOUNDS({BELL, 0, 3}));
    expect(&all, 3, 3, 0, 2, 1, 1);
    assert_float_equal(sed_error_rate(&all), 4.0 / 3, 1e-6);
}

static void sounds_of_one_label_share_a_segment(void **state)
{
    (void)state;
    score_segments(5, SOUNDS({DOG, 1.1, 1.2}, {DOG, 1.5, 1.9}),
                   SOUNDS({DOG, 1.3, 1.4}, {DOG, 1.6, 1.7}, {DOG, 1.8, 1.9}));
    expect(&classes[DOG], 1, 1, 1, 0, 0, 0);
}

static void what_was_told_behind_the_end_still_counts(void **state)
{
    (void)state;
    score_segments(2, NO_SOUNDS, SOUNDS({DOG, 1, 3.2}));
    expect(&all, 0, 3, 0, 0, 0, 3);
}

/* Maximum matching, checked against trying everything. */
static unsigned best_of_all(const struct match_rule *rule, const struct timed *ref, size_t n_ref,
                            const struct timed *det, size_t n_det, unsigned used)
{
    if (n_ref == 0)
        return 0;
    unsigned best = best_of_all(rule, ref + 1, n_ref - 1, det, n_det, used);
    for (size_t d = 0; d < n_det; d++) {
        size_t partner;
        if (used & 1u << d || event_match(rule, ref, 1, det + d, 1, &partner) == 0)
            continue;
        unsigned with = 1 + best_of_all(rule, ref + 1, n_ref - 1, det, n_det, used | 1u << d);
        best = with > best ? with : best;
    }
    return best;
}

static void as_many_as_trying_everything_finds(void **state)
{
    unsigned seed = 20261121, differs_from_first_fit = 0;
    (void)state;

    print_message("seed %u\n", seed);
    for (int round = 0; round < 400; round++) {
        struct timed ref[5], det[5];
        size_t partner[5];
        for (int i = 0; i < 5; i++) {
            double a = (seed = seed * 1664525 + 1013904223) / 4294967296.0 * 2;
            double b = (seed = seed * 1664525 + 1013904223) / 4294967296.0 * 2;
            ref[i] = (struct timed){.onset = a, .offset = a + 0.2 + b};
            a = (seed = seed * 1664525 + 1013904223) / 4294967296.0 * 2;
            b = (seed = seed * 1664525 + 1013904223) / 4294967296.0 * 2;
            det[i] = (struct timed){.onset = a, .offset = a + 0.2 + b};
        }
        timed_sort_onset(ref, 5);
        timed_sort_onset(det, 5);
        const struct match_rule *rule = round % 2 ? &both : &onset2;
        long pairs = event_match(rule, ref, 5, det, 5, partner);
        assert_int_equal(pairs, best_of_all(rule, ref, 5, det, 5, 0));
        unsigned used = 0;
        long first_fit = 0;
        for (int r = 0; r < 5; r++) {
            size_t p;
            assert_true(partner[r] == MATCH_NONE || event_match(rule, &ref[r], 1, &det[partner[r]], 1, &p) == 1);
            for (int q = 0; q < r; q++)
                assert_true(partner[r] == MATCH_NONE || partner[q] != partner[r]);
            for (unsigned d = 0; d < 5; d++)
                if (!(used & 1u << d) && event_match(rule, &ref[r], 1, &det[d], 1, &p) == 1) {
                    used |= 1u << d;
                    first_fit++;
                    break;
                }
        }
        differs_from_first_fit += first_fit < pairs;
    }
    assert_true(differs_from_first_fit > 5); /* else the rounds show nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_misses_and_false_ones),
        cmocka_unit_test(a_class_never_told_has_precision_0_in_the_mean),
        cmocka_unit_test(one_to_one),
        cmocka_unit_test(as_many_pairs_as_there_can_be),
        cmocka_unit_test(greedy_order_does_not_matter),
        cmocka_unit_test(the_border_of_the_collar_counts),
        cmocka_unit_test(offsets_within_the_collar_or_half_of_the_length),
        cmocka_unit_test(a_wrong_label_is_a_substitution),
        cmocka_unit_test(labels_do_not_mix),
        cmocka_unit_test(nothing_annotated_nothing_told),
        cmocka_unit_test(all_of_it_false),
        cmocka_unit_test(counts_of_streams_add_up),
        cmocka_unit_test(segments_that_a_sound_touches_are_active),
        cmocka_unit_test(substitutions_within_a_segment),
        cmocka_unit_test(sounds_of_one_label_share_a_segment),
        cmocka_unit_test(what_was_told_behind_the_end_still_counts),
        cmocka_unit_test(as_many_as_trying_everything_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
