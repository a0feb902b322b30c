/* Figures of labelled clips on cases small enough to be worked out by hand: the answers stand here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluate/clipreport.h"
#include "evaluate/clipscore.h"
#include "evaluate/confusion.h"
#include "evaluate/interval.h"
#include "evaluate/picture.h"
#include "evaluate/reliability.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIX(a, b) assert_true(fabs((a) - (b)) < 1e-6)

/* Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I, method 3. */
static void wilson_as_published(void **state)
{
    static const struct {
        size_t hits, n;
        double low, high;
    } cases[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct share s = share_of(cases[i].hits, cases[i].n), rest = share_of(cases[i].n - cases[i].hits, cases[i].n);
        assert_true(fabs(s.low - cases[i].low) < 5.1e-5);
        assert_true(fabs(s.high - cases[i].high) < 5.1e-5);
        SIX(s.low, 1 - rest.high);
        SIX(s.high, 1 - rest.low);
        SIX(s.value, (double)cases[i].hits / (double)cases[i].n);
    }
}

static void no_cases_no_share(void **state)
{
    struct share none = share_of(0, 0), all = share_of(7, 7);
    (void)state;

    assert_true(isnan(none.value) && none.low == 0 && none.high == 1);
    assert_true(all.value == 1 && all.high == 1 && all.low > 0.6 && all.low < 0.7); /* 7 / (7 + 1.96^2) = 0.6457 */
    SIX(all.low, 7 / (7 + 1.959963984540054 * 1.959963984540054));
}

/* scores and whether positive, in the order given: "0.9+ 0.8- ..." */
static double precision_of(const char *text)
{
    struct ranked cases[16];
    size_t n = 0;
    char *end;

    for (; *text; text = *end == ' ' ? end + 1 : end) {
        cases[n].score = strtof(text, &end);
        cases[n++].positive = *end++ == '+';
    }
    return clipscore_average_precision(cases, n);
}

static void average_precision(void **state)
{
    (void)state;
    SIX(precision_of("0.9+ 0.8- 0.7+ 0.6-"), (1.0 + 2.0 / 3) / 2);
    SIX(precision_of("0.6- 0.7+ 0.9+ 0.8-"), (1.0 + 2.0 / 3) / 2); /* the order given does not matter */
    SIX(precision_of("0.9+ 0.8+ 0.1- 0.0-"), 1);
    SIX(precision_of("0.9- 0.8- 0.1+"), 1.0 / 3);
    SIX(precision_of("0.9- 0.8+ 0.7- 0.6+ 0.5+"), (1.0 / 2 + 2.0 / 4 + 3.0 / 5) / 3);
    assert_true(isnan(precision_of("0.9- 0.8-")));
    assert_true(isnan(precision_of("")));
}

/* Cases with one score are one step: half of the recall at precision 1, the other half at 2 of 3. */
static void average_precision_with_ties(void **state)
{
    (void)state;
    SIX(precision_of("0.9+ 0.5+ 0.5- 0.1-"), 0.5 * 1 + 0.5 * 2 / 3);
    SIX(precision_of("0.9+ 0.5- 0.5+ 0.1-"), 0.5 * 1 + 0.5 * 2 / 3);
    SIX(precision_of("0.3- 0.3- 0.3+ 0.3-"), 0.25);
    SIX(precision_of("1+ 1- 0+ 0- 0-"), 0.5 * 0.5 + 0.5 * 0.4);
}

/* Five clips, four labels. What is first: b (by its name: equal to c), a, a, d, c. */
enum { A, B, C, D };
static const char *const labels[] = {"a", "b", "c", "d"};
static const float scores[] = {
    0.1f, 0.4f, 0.4f, 0.1f, /* is b */
    0.7f, 0.1f, 0.1f, 0.1f, /* is a */
    0.5f, 0.3f, 0.2f, 0.0f, /* is b */
    0.2f, 0.1f, 0.3f, 0.4f, /* is c */
    0.1f, 0.0f, 0.8f, 0.1f, /* is c */
};
static const unsigned truth[] = {B, A, B, C, C};
static const struct clipset set = {.n = 5, .n_labels = 4, .labels = labels, .scores = scores, .truth = truth};

static void ranks_and_ties(void **state)
{
    static const bool all_but_a[] = {false, true, true, true};
    (void)state;

    assert_int_equal(clipscore_rank(&set, 0, B, NULL), 0);
    assert_int_equal(clipscore_rank(&set, 0, C, NULL), 1);
    assert_int_equal(clipscore_rank(&set, 0, A, NULL), 2);
    assert_int_equal(clipscore_rank(&set, 0, D, NULL), 3);
    assert_int_equal(clipscore_best(&set, 0, NULL), B);
    assert_int_equal(clipscore_best(&set, 2, NULL), A);
    assert_int_equal(clipscore_best(&set, 2, all_but_a), B);
    assert_int_equal(clipscore_rank(&set, 2, B, all_but_a), 0);
    assert_int_equal(clipscore_best(&set, 3, NULL), D);
}

static void shares_of_clips(void **state)
{
    static const size_t last[] = {3, 4};
    struct clip_figures f;
    bool own[4];
    (void)state;

    assert_int_equal(clipscore_own_labels(&set, (struct clip_choice){NULL, 5}, own), 3);
    assert_true(own[A] && own[B] && own[C] && !own[D]);
    clipscore_figures(&set, (struct clip_choice){NULL, 5}, own, &f);
    assert_int_equal(f.top1.hits, 3);
    assert_int_equal(f.top3.hits, 5);
    assert_int_equal(f.top5.hits, 5);
    assert_int_equal(f.own.hits, 4); /* without d the fourth is right */
    assert_int_equal(f.own.n, 5);
    assert_int_equal(clipscore_own_labels(&set, (struct clip_choice){last, 2}, own), 1);
    clipscore_figures(&set, (struct clip_choice){last, 2}, own, &f);
    assert_int_equal(f.top1.hits, 1);
    assert_int_equal(f.own.hits, 2);
}

static void figures_of_each_label(void **state)
{
    struct class_figures c[4];
    struct macro_figures m;
    (void)state;

    assert_int_equal(clipscore_classes(&set, c), 0);
    assert_int_equal(c[A].support, 1);
    assert_int_equal(c[A].predicted, 2);
    SIX(c[A].precision, 0.5);
    SIX(c[A].recall, 1);
    SIX(c[A].f1, 2.0 / 3);
    SIX(c[A].average_precision, 1); /* 0.7 above all others */
    SIX(c[B].precision, 1);
    SIX(c[B].recall, 0.5);
    SIX(c[B].f1, 2.0 / 3);
    SIX(c[B].average_precision, 1);                   /* 0.4 and 0.3 */
    SIX(c[C].average_precision, (1.0 + 2.0 / 3) / 2); /* 0.8, then the first clip's 0.4, then 0.3 */
    assert_int_equal(c[D].support, 0);
    assert_int_equal(c[D].predicted, 1);
    SIX(c[D].precision, 0);
    assert_true(isnan(c[D].recall) && isnan(c[D].average_precision));
    clipscore_macro(c, 4, &m);
    assert_int_equal(m.n, 3);
    SIX(m.recall, (1 + 0.5 + 0.5) / 3);
    SIX(m.f1, 2.0 / 3);
    SIX(m.average_precision, (1 + 1 + 5.0 / 6) / 3);
}

static void confusion_table(void **state)
{
    static const size_t counts[] = {1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1};
    static const char csv[] = "label,a,b,c,d\na,1,0,0,0\nb,1,1,0,0\nc,0,0,1,1\n";
    struct mistake m[8];
    struct confusion c;
    char text[200] = "";
    (void)state;

    assert_int_equal(confusion_init(&c, &set), 0);
    assert_int_equal(c.n_rows, 3);
    assert_int_equal(c.n_cols, 4); /* d was heard, and is no clip's label: last */
    assert_memory_equal(c.count, counts, sizeof counts);
    assert_int_equal(c.total[1], 2);
    assert_int_equal(confusion_mistakes(&c, m, 8), 2);
    assert_true(m[0].row == 1 && m[0].col == 0 && m[0].count == 1);
    assert_true(m[1].row == 2 && m[1].col == 3 && m[1].count == 1);
    assert_int_equal(confusion_mistakes(&c, m, 1), 1);
    assert_true(m[0].row == 1 && m[0].col == 0);
    FILE *f = fmemopen(text, sizeof text, "w");
    confusion_write(f, &c);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, csv);
    confusion_free(&c);
}

/* 3 of x heard as y, 1 as z; 2 of y heard as z: the most frequent first, whatever stands before. */
static void mistakes_in_their_order(void **state)
{
    static const char *const xyz[] = {"x", "y", "z"};
    static const unsigned is[] = {0, 0, 0, 0, 1, 1, 2}, heard[] = {1, 2, 1, 1, 2, 2, 2};
    float s[7 * 3] = {0};
    struct mistake m[2];
    struct confusion c;
    (void)state;

    for (size_t i = 0; i < 7; i++)
        s[i * 3 + heard[i]] = 1;
    assert_int_equal(confusion_init(&c, &(struct clipset){7, 3, xyz, s, is}), 0);
    assert_int_equal(confusion_mistakes(&c, m, 2), 2);
    assert_true(m[0].row == 0 && m[0].col == 1 && m[0].count == 3);
    assert_true(m[1].row == 1 && m[1].col == 2 && m[1].count == 2);
    confusion_free(&c);
}

/* Two bins: 0.95 twice, right once; 0.65 twice, right twice. */
static void calibration_by_hand(void **state)
{
    static const float s[] = {0.95f, 0.05f, 0.95f, 0.05f, 0.35f, 0.65f, 0.65f, 0.35f};
    static const unsigned is[] = {A, B, B, A};
    struct reliability c;
    (void)state;

    reliability_of(&(struct clipset){4, 2, labels, s, is}, &c);
    assert_int_equal(c.bin[14].n, 2);
    assert_int_equal(c.bin[9].n, 2); /* 0.6 to 0.667 */
    SIX(c.bin[14].right, 0.5);
    SIX(c.bin[14].score, 0.95);
    SIX(c.ece, 0.5 * 0.45 + 0.5 * 0.35);
    SIX(c.max_error, 0.45);
    SIX(c.brier, (2 * 0.05 * 0.05 + 2 * 0.95 * 0.95 + 4 * 0.35 * 0.35) / 4);
    assert_true(isnan(c.bin[0].score));
    reliability_of(&(struct clipset){0, 2, labels, s, is}, &c);
    assert_true(isnan(c.ece) && isnan(c.brier));
}

static void calibration_at_the_edges(void **state)
{
    static const float s[] = {0, 0, 1, 0};
    static const unsigned is[] = {A, A};
    struct reliability c;
    (void)state;

    reliability_of(&(struct clipset){2, 2, labels, s, is}, &c);
    assert_int_equal(c.bin[0].n, 1);
    assert_int_equal(c.bin[14].n, 1);
    SIX(c.ece, 0.5); /* sure of nothing and right */
}

static void groups_by_data_set_and_fold(void **state)
{
    static const struct clip clips[] = {{.dataset = "us8k", .fold = "10"},
                                        {.dataset = "us8k", .fold = "2"},
                                        {.dataset = "us8k", .fold = "10"},
                                        {.dataset = "esc50", .fold = ""},
                                        {.dataset = "esc50", .fold = "1"}};
    struct clipreport r;
    (void)state;

    assert_int_equal(clipreport_init(&r, &set, clips), 0);
    assert_int_equal(r.n_datasets, 2);
    assert_string_equal(r.datasets[0].dataset, "esc50");
    assert_int_equal(r.datasets[0].figures.top1.n, 2);
    assert_int_equal(r.datasets[0].figures.top1.hits, 1);
    assert_int_equal(r.datasets[0].n_own, 1);
    assert_int_equal(r.datasets[0].figures.own.hits, 2);
    assert_int_equal(r.datasets[1].n_own, 2);
    assert_null(r.datasets[0].fold);
    assert_int_equal(r.n_folds, 4);
    assert_string_equal(r.folds[0].fold, "1");
    assert_string_equal(r.folds[1].fold, "");  /* numbers first */
    assert_string_equal(r.folds[2].fold, "2"); /* before 10 */
    assert_string_equal(r.folds[3].fold, "10");
    assert_int_equal(r.folds[3].figures.top1.n, 2);
    assert_int_equal(r.folds[3].figures.top1.hits, 1);
    assert_int_equal(r.n_own, 3);
    clipreport_free(&r);
}

static void no_groups_without_columns(void **state)
{
    static const struct clip clips[5] = {{0}};
    struct clipreport r;
    (void)state;

    assert_int_equal(clipreport_init(&r, &set, clips), 0);
    assert_int_equal(r.n_datasets + r.n_folds, 0);
    assert_int_equal(r.all.top1.hits, 3);
    clipreport_free(&r);
}

static void picture_text_is_harmless(void **state)
{
    char text[100] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    (void)state;

    picture_text(f, "<a & \"b\">\n\xff.csv");
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, "&lt;a &amp; &quot;b&quot;&gt;??.csv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_as_published),
        cmocka_unit_test(no_cases_no_share),
        cmocka_unit_test(average_precision),
        cmocka_unit_test(average_precision_with_ties),
        cmocka_unit_test(ranks_and_ties),
        cmocka_unit_test(shares_of_clips),
        cmocka_unit_test(figures_of_each_label),
        cmocka_unit_test(confusion_table),
        cmocka_unit_test(mistakes_in_their_order),
        cmocka_unit_test(calibration_by_hand),
        cmocka_unit_test(calibration_at_the_edges),
        cmocka_unit_test(groups_by_data_set_and_fold),
        cmocka_unit_test(no_groups_without_columns),
        cmocka_unit_test(picture_text_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
