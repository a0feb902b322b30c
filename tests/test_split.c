/* Splits of clips: what is of one recording, shares and folds against what they promise, leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/group.h"
#include "train/split.h"

#include <math.h>
#include <string.h>

static void check_freesound(const char *path, const char *id)
{
    size_t n = 0;
    const char *found = group_freesound(path, &n);

    assert_true(!found == !id);
    if (id)
        assert_true(strlen(id) == n && strncmp(found, id, n) == 0);
}

static void test_groups(void **state)
{
    (void)state;
    check_freesound("esc/1-100032-A-0.wav", "100032");
    check_freesound("0-158737-A-0.opus", "158737");
    check_freesound("fold1/7383-3-0-1.wav", "7383");
    check_freesound("102-1-2-3", "102");
    check_freesound("2024-11-21.wav", NULL);
    check_freesound("2024-11-21-1530-1.wav", NULL);
    check_freesound("bell.wav", NULL);
    check_freesound("1-100032-a-0.wav", NULL);
    check_freesound("", NULL);

    const char *key[] = {"a", NULL, "b", "a", NULL, "c", NULL};
    uint64_t content[] = {1, 2, 3, 4, 3, 0, 0};
    size_t group[7], expect[] = {0, 1, 2, 0, 2, 3, 4};
    assert_int_equal(group_clips(key, content, 7, group), 5);
    assert_memory_equal(group, expect, sizeof group);
    uint64_t chain[] = {1, 2, 3, 5, 3, 5, 0}; /* a - (3, 5) - c: all that hang together */
    assert_int_equal(group_clips(key, chain, 7, group), 4);
    assert_int_equal(group[0], group[5]);
}

/* 300 clips of 4 labels in groups of 1 to 9, some groups with two labels; the last label has one group. */
enum { CLIPS = 300 };
static struct split_clips clips_at_random(uint64_t seed, unsigned *label, size_t *group)
{
    struct random r;
    size_t g = 0, left = 0;

    random_seed(&r, seed, 9);
    for (size_t i = 0; i < CLIPS; i++) {
        if (left == 0) {
            left = 1 + random_below(&r, 9);
            g += i > 0;
        }
        left--;
        group[i] = g;
        label[i] = (unsigned)(g + (random_below(&r, 12) == 0)) % 3;
    }
    for (size_t i = CLIPS - 5; i < CLIPS; i++) {
        label[i] = 3;
        group[i] = g + 1;
    }
    return (struct split_clips){CLIPS, 4, g + 2, label, group};
}

static void test_split(void **state)
{
    (void)state;
    unsigned label[CLIPS];
    size_t group[CLIPS], fold[CLIPS], a, b, count;
    bool taken[CLIPS], again[CLIPS];

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct split_clips c = clips_at_random(seed, label, group);
        struct random r, same;
        size_t of[4] = {0}, all[4] = {0}, in[5] = {0};
        random_seed(&r, seed, 0);
        random_seed(&same, seed, 0);
        assert_int_equal(split_share(&c, NULL, 0.3, &r, taken), 0);
        assert_int_equal(split_share(&c, NULL, 0.3, &same, again), 0);
        assert_memory_equal(taken, again, sizeof taken);
        assert_int_equal(split_leak(&c, taken, NULL, &a, &b, &count), 0);
        for (size_t i = 0; i < CLIPS; i++) {
            of[label[i]] += taken[i];
            all[label[i]]++;
        }
        for (size_t k = 0; k < 3; k++) /* groups of nine at most: half of one off, and what a second label brings */
            assert_true(fabs((double)of[k] - 0.3 * (double)all[k]) <= 10);
        assert_int_equal(of[3], 0);

        assert_int_equal(split_folds(&c, 5, &r, fold), 0);
        for (size_t i = 0; i < CLIPS; i++) {
            assert_true(fold[i] < 5);
            in[fold[i]]++;
        }
        for (size_t f = 0; f < 5; f++) {
            assert_true(in[f] > 40 && in[f] < 80);
            for (size_t i = 0; i < CLIPS; i++)
                taken[i] = fold[i] == f;
            assert_int_equal(split_leak(&c, taken, NULL, &a, &b, &count), 0);
        }
    }
}

static void test_leak(void **state)
{
    (void)state;
    unsigned label[] = {0, 0, 1, 1, 1};
    size_t group[] = {0, 1, 2, 2, 2}, a = 9, b = 9, count = 9;
    bool side[] = {false, true, false, true, true}, skip[] = {false, false, true, false, false};
    struct split_clips c = {5, 2, 3, label, group};

    assert_int_equal(split_leak(&c, side, NULL, &a, &b, &count), 1);
    assert_true(a == 2 && b == 3 && count == 2);
    assert_int_equal(split_leak(&c, side, skip, &a, &b, &count), 0);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_leak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
