/* Acoustic fingerprints: copies are found however they were treated, other recordings of the same thing are not. */
#include "audio/coherence.h"
#include "audio/fingerprint.h"
#include "audio/resample.h"

#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulated.h"
#include "synth.h"

enum { RATE = 16000, LENGTH = 4 * RATE, KINDS = 6 };

static uint32_t next_random(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    return *s ^= *s << 5;
}

static float noise(uint32_t *s)
{
    return (float)((double)next_random(s) / 2147483648.0 - 1);
}

/* Sounds as houses have them, each take another: rain, steps, an alarm over a fan, a siren, a dog, a hum. */
static void make(int kind, uint32_t take, float *x)
{
    uint32_t s = take * 2654435761u + (uint32_t)kind + 1;
    double low = 0, phase = 0, rate = 0.5 + next_random(&s) / 4294967296.0, at = next_random(&s) / 4294967296.0;

    for (int i = 0; i < LENGTH; i++) {
        double t = (double)i / RATE, n = (double)noise(&s);
        low += 0.08 * (n - low);
        double beat = fmod(t * rate * 2, 1), tone = fmod(t, 1) < 0.5 ? sin(2 * TEST_PI * 3150 * t) : 0;
        phase += 2 * TEST_PI * (800 + 500 * sin(2 * TEST_PI * (rate * t + at))) / RATE;
        double v = kind == 0   ? 0.2 * n
                   : kind == 1 ? n * exp(-30 * beat) * 0.6 + 0.002 * n
                   : kind == 2 ? 0.3 * tone + 0.1 * low
                   : kind == 3 ? 0.3 * sin(phase) + 0.2 * sin(2 * phase) + 0.01 * n
                   : kind == 4 ? low * 2 * exp(-8 * beat) + 0.001 * n
                               : 0.2 * sin(2 * TEST_PI * 100 * t) + 0.05 * low;
        x[i] = (float)v;
    }
}

/* At FINGERPRINT_RATE. */
struct wave {
    float *x;
    size_t n;
};

/* What samples of a and b, as much as 4 s, have in common where the match says. */
static double together(const struct wave *a, const struct wave *b, const struct fingerprint_match *m)
{
    enum { SLACK = 256 };
    long from = m->shift < 0 ? -m->shift : 0, n = 4L * FINGERPRINT_RATE;
    long at_a = FINGERPRINT_MIDDLE(from), at_b = FINGERPRINT_MIDDLE(from + m->shift);

    n = (long)a->n - at_a < n ? (long)a->n - at_a : n;
    n = (long)b->n - at_b - SLACK < n ? (long)b->n - at_b - SLACK : n;
    float *x = malloc((size_t)n * sizeof *x), *y = calloc((size_t)n + 2 * SLACK, sizeof *y);
    assert_true(n > 1000 && at_b >= SLACK);
    memcpy(x, a->x + at_a, (size_t)n * sizeof *x);
    memcpy(y, b->x + at_b - SLACK, ((size_t)n + 2 * SLACK) * sizeof *y);
    double c = coherence(x, y, (size_t)n, SLACK);
    free(x);
    free(y);
    return c;
}

static void take_wave(const float *x, size_t n, unsigned rate, struct wave *out)
{
    assert_int_equal(resample_all(x, n, rate, FINGERPRINT_RATE, RESAMPLE_FAST, &out->x, &out->n, NULL), 0);
}

static void take_print(const float *x, size_t n, unsigned rate, struct fingerprint_print *out)
{
    struct fingerprint *f = fingerprint_new(NULL);

    assert_non_null(f);
    assert_int_equal(fingerprint_begin(f, rate, NULL), 0);
    for (size_t i = 0, piece = 1; i < n; i += piece, piece = piece * 3 % 4093 + 1)
        assert_int_equal(fingerprint_do(f, x + i, piece < n - i ? piece : n - i), 0);
    assert_int_equal(fingerprint_finish(f, out), 0);
    fingerprint_free(f);
}

/* Through a file of that format and back. */
static void recode(float *x, size_t n, int format)
{
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = format};
    int fd = memfd_create("copy", MFD_CLOEXEC);
    SNDFILE *f = sf_open_fd(fd, SFM_WRITE, &info, SF_FALSE);

    if (!f)
        fail_msg("format %x: %s", (unsigned)format, sf_strerror(NULL));
    for (size_t i = 0; i < n; i += 1000) /* libsndfile 1.2 overruns its stack with long blocks of Vorbis */
        sf_write_float(f, x + i, (sf_count_t)(n - i < 1000 ? n - i : 1000));
    sf_close(f);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    info = (SF_INFO){0};
    f = sf_open_fd(fd, SFM_READ, &info, SF_TRUE);
    assert_non_null(f);
    sf_count_t got = sf_read_float(f, x, (sf_count_t)n);
    for (size_t i = got > 0 ? (size_t)got : 0; i < n; i++)
        x[i] = 0;
    sf_close(f);
}

enum { GAIN, VORBIS, ALAW, CUT, RATE_CHANGED, ALL_AT_ONCE, TREATMENTS };

static void treat(int how, const float *x, struct fingerprint_print *out, struct wave *wave)
{
    static const size_t cut = 11687; /* 0.73 s: between two words */
    float *y = malloc(LENGTH * sizeof *y), *z = NULL;
    size_t n = LENGTH, n_z = 0;
    unsigned rate = RATE;

    memcpy(y, x, LENGTH * sizeof *y);
    if (how == CUT || how == ALL_AT_ONCE) {
        n = LENGTH / 2;
        memmove(y, y + cut, n * sizeof *y);
    }
    for (size_t i = 0; i < n && (how == GAIN || how == ALL_AT_ONCE); i++)
        y[i] *= how == GAIN ? 0.05f : 0.4f;
    if (how == VORBIS || how == ALL_AT_ONCE)
        recode(y, n, SF_FORMAT_OGG | SF_FORMAT_VORBIS);
    if (how == ALAW)
        recode(y, n, SF_FORMAT_WAV | SF_FORMAT_ALAW);
    if (how == RATE_CHANGED || how == ALL_AT_ONCE) {
        rate = 11025;
        assert_int_equal(resample_all(y, n, RATE, rate, RESAMPLE_MEDIUM, &z, &n_z, NULL), 0);
    }
    take_print(z ? z : y, z ? n_z : n, rate, out);
    take_wave(z ? z : y, z ? n_z : n, rate, wave);
    free(z);
    free(y);
}

static void test_copies(void **state)
{
    (void)state;
    float *x = malloc(LENGTH * sizeof *x);

    for (int kind = 0; kind < (emulated() ? 1 : KINDS); kind++) /* each takes seconds under the emulator */
        for (int how = 0; how < TREATMENTS; how++) {
            struct fingerprint_print p[2];
            struct wave w[2];
            struct fingerprint_match *m;
            size_t n;
            make(kind, 7, x);
            take_print(x, LENGTH, RATE, &p[0]);
            take_wave(x, LENGTH, RATE, &w[0]);
            treat(how, x, &p[1], &w[1]);
            assert_int_equal(fingerprint_pairs(p, 2, NULL, NULL, &m, &n, NULL), 0);
            if (n != 1)
                fail_msg("sound %d, treatment %d: not found", kind, how);
            double shift_s = (double)m[0].shift * FINGERPRINT_WORD_S;
            double c = together(&w[0], &w[1], &m[0]);
            print_message("sound %d, treatment %d: %.3f over %zu words, coherence %.2f\n", kind, how, m[0].distance,
                          m[0].words, c);
            assert_true(c >= COHERENCE_SAME);
            free(w[0].x);
            free(w[1].x);
            /* a steady hum is the same everywhere */
            if (kind != 5 && fabs(shift_s - (how == CUT || how == ALL_AT_ONCE ? -11687.0 / RATE : 0)) > 0.02)
                fail_msg("sound %d, treatment %d: shifted by %.3f s", kind, how, shift_s);
            free(m);
            free(p[0].word);
            free(p[1].word);
        }
    free(x);
}

/* Thirty takes of each kind: they sound alike, and no two are the same. */
static void test_other_takes(void **state)
{
    (void)state;
    enum { TAKES = 30 };
    float *x = malloc(LENGTH * sizeof *x);
    struct fingerprint_print p[KINDS * TAKES];
    struct wave w[KINDS * TAKES];
    struct fingerprint_match *m;
    size_t n;
    const int takes = emulated() ? 8 : TAKES; /* each takes a second there */

    for (int i = 0; i < KINDS * takes; i++) {
        make(i / takes, 100 + (uint32_t)(i % takes), x);
        take_print(x, LENGTH, RATE, &p[i]);
        take_wave(x, LENGTH, RATE, &w[i]);
    }
    assert_int_equal(fingerprint_pairs(p, (size_t)(KINDS * takes), NULL, NULL, &m, &n, NULL), 0);
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(m[i].a / (size_t)takes == 3); /* gliding tones alone */
        most = fmax(most, together(&w[m[i].a], &w[m[i].b], &m[i]));
    }
    print_message("%zu pairs of sirens glide alike; coherence at most %.2f\n", n, most);
    assert_true(most < COHERENCE_SAME);
    free(m);
    for (int i = 0; i < KINDS * takes; i++) {
        free(p[i].word);
        free(w[i].x);
    }
    free(x);
}

static void test_edges(void **state)
{
    (void)state;
    float *x = calloc(LENGTH, sizeof *x);
    struct fingerprint_print p[4];
    struct fingerprint_match *m;
    size_t n, words;

    take_print(x, LENGTH, RATE, &p[0]); /* silence is nothing that two have in common */
    take_print(x, LENGTH, RATE, &p[1]);
    for (size_t i = 0; i < LENGTH; i++)
        x[i] = i % 3 ? NAN : INFINITY;
    take_print(x, LENGTH, 48000, &p[2]);
    take_print(x, 0, RATE, &p[3]);
    for (int i = 0; i < 4; i++)
        for (size_t k = 0; k < p[i].n; k++)
            assert_false(p[i].word[k].audible);
    assert_int_equal(fingerprint_pairs(p, 4, NULL, NULL, &m, &n, NULL), 0);
    assert_int_equal(n, 0);
    free(m);
    assert_true(fingerprint_distance(&p[0], &p[1], 5, &words) == 1 && words == 0);
    assert_true(fingerprint_distance(&p[0], &p[3], -500, &words) == 1 && words == 0);
    assert_int_equal(fingerprint_pairs(p, 0, NULL, NULL, &m, &n, NULL), 0);
    assert_int_equal(n, 0);
    free(m);
    assert_false(fingerprint_same(0, 23));
    assert_true(fingerprint_same(0.15, 24) && !fingerprint_same(0.25, 30) && fingerprint_same(0.25, 100));
    for (int i = 0; i < 4; i++)
        free(p[i].word);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copies), cmocka_unit_test(test_other_takes),
                                       cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
