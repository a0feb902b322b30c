/* The stages together: which samples come out, where they lie, and when. */
#include "audio/analysis.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "audio/resample.h"
#include "base/timebase.h"
#include "emulated.h"
#include "synth.h"

static const unsigned RATES[] = {8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000};
#define N_RATES (sizeof RATES / sizeof *RATES)

static struct analysis *make(const struct analysis_params *p, struct collector *c)
{
    struct err err = {""};
    struct analysis *a = analysis_new(p, NULL, collect, c, &err);
    if (!a)
        fail_msg("%s", err.text);
    *c = (struct collector){.width = analysis_window_samples(a)};
    return a;
}

static void run_whole(const struct analysis_params *p, const float *x, size_t n, size_t chunk, struct collector *c)
{
    struct analysis *a = make(p, c);
    uint32_t seed = 99;
    for (size_t i = 0; i < n;) {
        size_t k = chunk ? chunk : 1 + synth_random(&seed) % 3000;
        k = k < n - i ? k : n - i;
        analysis_do(a, x + i, k);
        i += k;
    }
    analysis_flush(a);
    analysis_free(a);
}

/* Noise at noise_dbfs with bursts of tone and noise at -20: [from_s, to_s) pairs. */
static float *bursts(unsigned rate, double noise_dbfs, double seconds, const double (*on)[2], size_t n_on, size_t *n)
{
    *n = (size_t)(seconds * rate);
    float *x = malloc(*n * sizeof *x);
    uint32_t seed = 7;
    for (size_t i = 0; i < *n; i++) {
        double t = (double)i / rate;
        double v = synth_gain(noise_dbfs) * synth_noise(&seed);
        for (size_t k = 0; k < n_on; k++)
            if (t >= on[k][0] && t < on[k][1])
                v += 0.1 * sin(2 * TEST_PI * 1234.5 * t) + 0.05 * synth_noise(&seed);
        x[i] = (float)v;
    }
    return x;
}

static const double TWO_SOUNDS[2][2] = {{2.003, 4.4}, {6.2217, 6.5}};

static void assert_whole(const struct collector *c)
{
    uint64_t sound = 0;
    bool over = true;
    uint32_t index = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct window_info *w = &c->info[i];
        if (over) {
            assert_int_equal(w->sound, ++sound);
            index = 0;
        }
        assert_int_equal(w->sound, sound);
        assert_int_equal(w->index, index++);
        assert_true(w->valid <= c->width && (w->valid == 0) == w->empty);
        over = w->last;
    }
    assert_true(over);
}

/* What comes out of the gate is what a converter that ran from the first sample would have given. */
static void test_same_as_continuous(void **state)
{
    (void)state;
    for (size_t r = 0; r < N_RATES; r += rate_step()) {
        size_t n, n_all;
        float *x = bursts(RATES[r], -30, 8, TWO_SOUNDS, 2, &n), *all;
        assert_int_equal(resample_all(x, n, RATES[r], 16000, RESAMPLE_DEFAULT, &all, &n_all, NULL), 0);
        struct analysis_params p = synth_params(RATES[r], 16000);
        p.gate.threshold = (struct gate_threshold){THRESHOLD_FIXED, -24}; /* so that all is loud before the opening */
        p.gate.hysteresis_db = 3;
        struct collector c;
        run_whole(&p, x, n, 480, &c);
        assert_whole(&c);
        assert_int_equal(collector_lasts(&c), 2);
        double worst = 0;
        size_t compared = 0;
        for (size_t i = 0; i < c.n; i++) {
            uint64_t m = (c.info[i].position * 16000 + RATES[r] / 2) / RATES[r];
            /* upsampling: several model samples share a device frame; the window begins on one of them */
            double best = INFINITY;
            for (uint64_t first = m > 2 ? m - 2 : 0; first <= m + 2; first++) {
                double d = 0;
                for (size_t k = 0; k < c.info[i].valid && first + k < n_all; k++)
                    d = fmax(d, fabs((double)c.samples[i * c.width + k] - all[first + k]));
                best = fmin(best, d);
            }
            worst = fmax(worst, best);
            compared += c.info[i].valid;
            for (size_t k = c.info[i].valid; k < c.width; k++)
                assert_true(c.samples[i * c.width + k] == 0);
        }
        printf("%6u Hz: %zu samples in %zu windows, worst difference %.1e\n", RATES[r], compared, c.n, worst);
        assert_true(compared > 40000);
        assert_true(worst < 1e-6);
        collector_free(&c);
        free(all);
        free(x);
    }
}

/* Bit-identical whatever the size of the chunks. */
static void test_chunks(void **state)
{
    (void)state;
    static const size_t chunks[] = {0, 1, 7, 441, 1024, 100000000};
    for (size_t r = 0; r < N_RATES; r += rate_step()) {
        size_t n;
        float *x = bursts(RATES[r], -70, 8, TWO_SOUNDS, 2, &n);
        struct analysis_params p = synth_params(RATES[r], 16000);
        p.gate.preroll_s = 0.2537; /* not whole blocks */
        struct collector want;
        run_whole(&p, x, n, RATES[r] / 100, &want);
        for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
            struct collector c;
            run_whole(&p, x, n, chunks[k], &c);
            assert_int_equal(c.n, want.n);
            assert_memory_equal(c.info, want.info, c.n * sizeof *c.info);
            assert_memory_equal(c.samples, want.samples, c.n * c.width * sizeof *c.samples);
            collector_free(&c);
        }
        collector_free(&want);
        free(x);
    }
}

/* A click at a known sample is found at the sample of the window that the positions say. */
static void test_positions(void **state)
{
    (void)state;
    for (size_t r = 0; r < N_RATES; r += rate_step()) {
        unsigned rate = RATES[r];
        for (uint64_t click = rate * 2 + 12345; click < rate * 2 + 12345 + 4; click++) {
            size_t n = rate * 5;
            float *x = calloc(n, sizeof *x);
            /* half a millisecond wide, so that it has a clear top at 16 kHz too */
            long half = rate / 4000;
            for (long k = -half; k <= half; k++)
                x[click + (uint64_t)k] = (float)(0.5 + 0.5 * cos(TEST_PI * (double)k / (double)half));
            struct analysis_params p = synth_params(rate, 16000);
            p.gate.min_duration_s = 0;
            p.gate.highpass_hz = 0;
            struct collector c;
            run_whole(&p, x, n, 1000, &c);
            assert_int_equal(c.n, 1);
            const struct window_info *w = &c.info[0];
            /* the block that the click's flank first fills lies at most a block and the flank before its top */
            assert_in_range(w->open_position, click - (uint64_t)half - rate / 100 - 1, click);
            uint64_t block = (w->open_position * 100 + rate - 1) / rate;
            assert_int_equal(w->open_position, block * rate / 100);
            uint64_t preroll = w->open_position - w->position;
            /* and the converter's reach, up to 24 samples at the lower rate */
            double reach = rate == 16000 ? 0 : 24 * fmax(1, rate / 16000.0), slack = 2 + rate / 16000.0;
            assert_true((double)preroll >= 0.25 * rate - slack && (double)preroll <= 0.25 * rate + reach + slack);
            size_t top = 0;
            for (size_t k = 0; k < c.width; k++)
                if (c.samples[k] > c.samples[top])
                    top = k;
            double expected = (double)(click - w->position) * 16000 / rate;
            if (fabs((double)top - expected) > 1.01)
                fail_msg("%u Hz: click at %.2f, found at %zu", rate, expected, top);
            assert_int_equal(w->start_ns, (int64_t)((double)w->position * 1e9 / rate));
            assert_true(w->onset_ns > w->start_ns && w->last && !w->empty);
            /* open block, then half a second of hold */
            assert_true(fabs((double)(w->end_position - w->open_position) - 0.51 * rate) < 0.012 * rate);
            assert_true(fabs((double)w->valid - (double)(w->end_position - w->position) * 16000 / rate) < 2);
            collector_free(&c);
            free(x);
        }
    }
}

/* Windows lie a hop apart, none is missing, and each comes as soon as its last sample and the converter's reach are in. */
static void test_latency(void **state)
{
    (void)state;
    for (size_t r = 0; r < N_RATES; r += rate_step()) {
        unsigned rate = RATES[r];
        size_t n;
        static const double on[1][2] = {{1.5, 7.5}};
        float *x = bursts(rate, -70, 8, on, 1, &n);
        struct analysis_params p = synth_params(rate, 16000);
        struct collector c;
        struct analysis *a = make(&p, &c);
        double worst = 0;
        for (size_t i = 0, seen = 0; i < n; i++) {
            analysis_do(a, x + i, 1);
            for (; seen < c.n; seen++) {
                const struct window_info *w = &c.info[seen];
                if (w->last)
                    continue;
                double late_ms = 1000.0 * ((double)i + 1 - (double)w->end_position) / rate;
                worst = fmax(worst, late_ms);
                /* a card that gives whole blocks of 10 ms must not keep it waiting for one more */
                double block_end =
                    (double)w->open_position + (p.window_s + w->index * p.hop_s - p.gate.preroll_s) * rate;
                assert_true((double)i + 1 <= block_end + 1);
                if (seen > 0)
                    assert_true(fabs((double)(w->position - c.info[seen - 1].position) - rate * 0.5) <= 1);
            }
        }
        printf("%6u Hz: last sample to window %.2f ms\n", rate, worst);
        assert_true(worst < 2.6 && c.n >= 12);
        analysis_free(a);
        collector_free(&c);
        free(x);
    }
}

/* Sounds of various lengths: how many windows, what the last one holds. Preroll 0.2, hold 0.3. */
static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        double on_s;
        size_t messages;
        bool empty, dropped;
        double last_valid_s;
    } rows[] = {
        {0.02, 1, true, true, 0},     /* under min_duration */
        {0.1, 1, false, false, 0.6},  /* padded: 0.2 + 0.1 + 0.3 */
        {0.5, 1, true, false, 0},     /* 0.2 + 0.5 + 0.3 = one window, to the sample; replaced below */
        {0.7, 2, false, false, 0.7},  /* 1.2 s: [0, 1) and what is left from 0.5 */
        {1.1, 3, false, false, 0.6},  /* 1.6 s */
        {5.0, 10, false, false, 1.0}, /* 5.5 s: replaced below */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double on[1][2] = {{2, 2 + rows[i].on_s}};
        size_t n;
        float *x = bursts(16000, -70, 9, on, 1, &n);
        struct analysis_params p = synth_params(16000, 16000);
        p.gate.preroll_s = 0.2;
        p.gate.hold_s = 0.3;
        p.gate.highpass_hz = 0;
        struct collector c;
        run_whole(&p, x, n, 512, &c);
        assert_whole(&c);
        assert_int_equal(collector_lasts(&c), 1);
        const struct window_info *last = &c.info[c.n - 1];
        assert_true(last->last);
        if (i == 2) {
            assert_int_equal(c.n, 2);
            assert_true(last->empty && !last->dropped && c.info[0].valid == 16000);
        } else if (i == 5) {
            assert_int_equal(c.n, 11);
            assert_true(last->empty);
        } else {
            assert_int_equal(c.n, rows[i].messages);
            assert_int_equal(last->empty, rows[i].empty);
            assert_int_equal(last->valid, (int)lround(rows[i].last_valid_s * 16000));
        }
        assert_int_equal(last->dropped, rows[i].dropped);
        collector_free(&c);
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_continuous),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
