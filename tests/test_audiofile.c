#include "audio/audiofile.h"

#include <math.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* libsndfile 1.2.0 loses this when an Ogg file turns out to be broken while it is opened. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:vorbis_info_init\n";
}

enum { RATE = 16000, WHOLE = 20000 };

static char folder[] = "/tmp/earshot-audiofile-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Channel c holds a sine of 100 * (c + 1) Hz, peak 0.5. */
static float sample(size_t i, int c, int rate)
{
    return (float)(0.5 * sin(2 * M_PI * 100 * (c + 1) * (double)i / rate));
}

static const char *write_audio(const char *name, int format, int rate, int channels, size_t frames)
{
    const char *path = in_folder(name);
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    if (!f)
        fail_msg("%s: %s", path, sf_strerror(NULL));
    float *x = calloc(frames + 1, (size_t)channels * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < frames; i++)
        for (int c = 0; c < channels; c++)
            x[i * (size_t)channels + (size_t)c] = sample(i, c, rate);
    assert_int_equal(sf_writef_float(f, x, (sf_count_t)frames), frames);
    free(x);
    sf_close(f);
    return path;
}

static const char *write_bytes(const char *name, const void *bytes, size_t size)
{
    const char *path = in_folder(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
    return path;
}

/* Reads all of it in chunks of an odd size. Returns the frames; *broken: it ended in an error. */
static size_t read_all(const char *path, int channel, float *out, size_t room, struct err *err, int *broken)
{
    struct audiofile *f = audiofile_open(path, err);
    if (!f)
        fail_msg("%s", err->text);
    size_t n = 0;
    long got;
    do {
        size_t chunk = room - n < 777 ? room - n : 777;
        got = audiofile_read_mono(f, channel, out + n, chunk, err);
        assert_true(got <= (long)chunk);
        n += got > 0 ? (size_t)got : 0;
    } while (got > 0 && n < room);
    *broken = got < 0;
    audiofile_close(f);
    return n;
}

static float buffer[1 << 19];

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int format, rate, channels;
        double tolerance; /* of a sample; lossy: 0, only the length and level are looked at */
    } rows[] = {
        {"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 2e-4},
        {"b.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 8000, 1, 2e-2},
        {"c.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 48000, 2, 1e-6},
        {"d.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 192000, 1, 1e-6},
        {"e.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 44100, 8, 2e-4},
        {"f.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 44100, 2, 2e-4},
        {"g.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 22050, 1, 2e-4},
        {"h.au", SF_FORMAT_AU | SF_FORMAT_PCM_16, 11025, 1, 2e-4},
        {"i.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 44100, 2, 0},
        {"j.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 48000, 1, 0},
        {"k.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 16000, 1, 0},
        {"l.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 2, 0},
        {"misnamed.txt", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 2e-4},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int broken, channels = rows[r].channels;
        struct err err = {""};
        const char *path = write_audio(rows[r].name, rows[r].format, rows[r].rate, channels, WHOLE);
        struct audiofile *f = audiofile_open(path, &err);
        if (!f)
            fail_msg("%s", err.text);
        assert_int_equal(audiofile_rate(f), rows[r].rate);
        assert_int_equal(audiofile_channels(f), channels);
        audiofile_close(f);

        size_t n = read_all(path, -1, buffer, sizeof buffer / sizeof *buffer, &err, &broken);
        assert_false(broken);
        if (rows[r].tolerance == 0) {
            double sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += (double)buffer[i] * buffer[i];
            double level = 10 * log10(sum / (double)n), mixed = channels == 1 ? -9.03 : -12.04;
            if (n < WHOLE || n > WHOLE + 4000 || fabs(level - mixed) > 1)
                fail_msg("%s: %zu frames, %.2f dB", rows[r].name, n, level);
            continue;
        }
        assert_int_equal(n, WHOLE);
        for (int channel = -1; channel < channels; channel++) {
            n = read_all(path, channel, buffer, sizeof buffer / sizeof *buffer, &err, &broken);
            assert_int_equal(n, WHOLE);
            for (size_t i = 0; i < n; i++) {
                double want = 0;
                for (int c = 0; c < channels; c++)
                    want += channel == -1  ? sample(i, c, rows[r].rate) / (double)channels
                            : c == channel ? sample(i, c, rows[r].rate)
                                           : 0;
                if (fabs(buffer[i] - want) > rows[r].tolerance)
                    fail_msg("%s, channel %d, frame %zu: %g, not %g", rows[r].name, channel, i, (double)buffer[i],
                             want);
            }
        }
    }
}

static void test_interleaved(void **state)
{
    (void)state;
    struct err err;
    const char *path = write_audio("two.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, RATE, 2, 10000);
    struct audiofile *f = audiofile_open(path, &err);
    assert_non_null(f);
    assert_int_equal(audiofile_frames(f), 10000);
    assert_int_equal(audiofile_read_mono(f, 0, buffer, 100, &err), 100);
    assert_int_equal(audiofile_read(f, buffer, 20000, &err), 9900); /* goes on where mono reading stopped */
    for (size_t i = 0; i < 9900; i++)
        for (int c = 0; c < 2; c++)
            assert_true(fabsf(buffer[2 * i + (size_t)c] - sample(i + 100, c, RATE)) < 1e-6f);
    assert_int_equal(audiofile_read(f, buffer, 10, &err), 0);
    assert_int_equal(audiofile_read_mono(f, 2, buffer, 10, &err), -1);
    assert_non_null(strstr(err.text, "has no channel 3, only 2"));
    assert_int_equal(audiofile_read_mono(f, -2, buffer, 10, &err), -1);
    audiofile_close(f);
    audiofile_close(NULL);
}

static void test_one_sample_and_nan(void **state)
{
    (void)state;
    struct err err;
    int broken;
    const char *path = write_audio("one.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE, 1, 1);
    assert_int_equal(read_all(path, -1, buffer, 100, &err, &broken), 1);
    assert_false(broken);

    path = in_folder("nan.wav");
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    const float odd[] = {0.5f, NAN, INFINITY, -0.5f};
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    sf_write_float(f, odd, 4);
    sf_close(f);
    assert_int_equal(read_all(path, -1, buffer, 100, &err, &broken), 4);
    assert_false(broken);
    assert_true(buffer[0] == 0.5f && isnan(buffer[1]) && isinf(buffer[2]) && buffer[3] == -0.5f);
}

/* A header that promises more than is there, as of a recording that was cut off. */
static void test_truncated(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int format;
    } rows[] = {
        {"cut.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16},          {"cut.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16},
        {"cut.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},          {"cut.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS},
        {"cut.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const char *path = write_audio(rows[r].name, rows[r].format, RATE, 1, 10 * RATE);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        for (int part = 0; part < 16; part++) { /* from much to little */
            struct err err = {""};
            assert_int_equal(truncate(path, st.st_size * (16 - part) / 17), 0);
            struct audiofile *f = audiofile_open(path, &err);
            if (!f) {
                assert_non_null(strstr(err.text, path));
                continue;
            }
            size_t n = 0;
            long got;
            while ((got = audiofile_read_mono(f, -1, buffer, 5000, &err)) > 0)
                n += (size_t)got;
            if (got < 0)
                assert_non_null(strstr(err.text, path));
            if (part < 8 && n < RATE) /* what is whole before the cut is given */
                fail_msg("%s, cut to %d/17: only %zu frames", rows[r].name, 16 - part, n);
            assert_true(n <= 10 * RATE + 4000);
            assert_true(audiofile_read_mono(f, -1, buffer, 5000, &err) <= 0);
            audiofile_close(f);
        }
    }
}

/* A WAV header by hand: 16-bit. */
static size_t wav_header(unsigned char *h, unsigned rate, unsigned channels, uint32_t data_size)
{
    const uint32_t riff_size = 36 + data_size, format_size = 16, byte_rate = rate * channels * 2, rate32 = rate;
    const uint16_t pcm = 1, channels16 = (uint16_t)channels, align = (uint16_t)(channels * 2), bits = 16;

    memcpy(h, "RIFF", 4);
    memcpy(h + 4, &riff_size, 4);
    memcpy(h + 8, "WAVEfmt ", 8);
    memcpy(h + 16, &format_size, 4);
    memcpy(h + 20, &pcm, 2);
    memcpy(h + 22, &channels16, 2);
    memcpy(h + 24, &rate32, 4);
    memcpy(h + 28, &byte_rate, 4);
    memcpy(h + 32, &align, 2);
    memcpy(h + 34, &bits, 2);
    memcpy(h + 36, "data", 4);
    memcpy(h + 40, &data_size, 4);
    return 44;
}

/* Frame counts that lie: what is there is read, and memory is not taken for what is not. */
static void test_lying_headers(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0xffffffff, 0x7fffffff, 0xfffffff0, 100};
    unsigned char bytes[44 + 2000] = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct err err = {""};
        int broken;
        wav_header(bytes, RATE, 1, sizes[i]);
        const char *path = write_bytes("lie.wav", bytes, sizeof bytes);
        size_t n = read_all(path, -1, buffer, 5000, &err, &broken);
        if (n != (sizes[i] == 100 ? 50 : 1000))
            fail_msg("data size %u: %zu frames", (unsigned)sizes[i], n);
    }
}

static void test_refused(void **state)
{
    (void)state;
    unsigned char bytes[4096];
    struct err err = {""};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 97 + 13);
    write_bytes("garbage.wav", bytes, sizeof bytes);
    write_bytes("zero.wav", bytes, 0);
    write_bytes("magic.wav", "RIFF", 4);
    write_bytes("text.mp3", "this is no music\n", 17);
    size_t n = wav_header(bytes, RATE, 1, 0);
    write_bytes("empty.wav", bytes, n);
    wav_header(bytes, 0, 1, 2000);
    write_bytes("norate.wav", bytes, 2044);
    wav_header(bytes, 7, 1, 2000);
    write_bytes("slow.wav", bytes, 2044);
    wav_header(bytes, 4000000, 1, 2000);
    write_bytes("fast.wav", bytes, 2044);
    wav_header(bytes, RATE, 0, 2000);
    write_bytes("nochannel.wav", bytes, 2044);
    wav_header(bytes, RATE, 1000, 2000);
    write_bytes("wide.wav", bytes, 2044);
    mkdir(in_folder("folder.wav"), 0700);

    static const struct {
        const char *name, *says;
    } rows[] = {
        {"absent.wav", "No such file"},
        {"garbage.wav", "not an audio file"},
        {"zero.wav", "is empty"},
        {"magic.wav", "not an audio file"},
        {"text.mp3", "not an audio"},
        {"empty.wav", "holds no audio"},
        {"norate.wav", ""},
        {"slow.wav", "7 Hz, 1000 to 768000"},
        {"fast.wav", "4000000 Hz"},
        {"nochannel.wav", ""},
        {"wide.wav", "1000 channels"},
        {"folder.wav", "is a directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = in_folder(rows[i].name);
        err.text[0] = '\0';
        if (audiofile_open(path, &err))
            fail_msg("%s was opened", path);
        if (!strstr(err.text, path) || !strstr(err.text, rows[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", path, err.text, rows[i].says);
    }
}

/* Bytes of good files turned over: no crash, no endless reading; an error or some samples. */
static void test_damaged(void **state)
{
    (void)state;
    static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16,          SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
                                  SF_FORMAT_OGG | SF_FORMAT_VORBIS,          SF_FORMAT_OGG | SF_FORMAT_OPUS,
                                  SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, SF_FORMAT_AIFF | SF_FORMAT_PCM_16};
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 20, s = seed;
    static unsigned char bytes[1 << 18];

    print_message("SEED=%u\n", seed);
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
        FILE *file = fopen(write_audio("whole", formats[k], RATE, 1, WHOLE), "rb");
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        for (int i = 0; i < 40; i++) {
            size_t where = (unsigned)rand_r(&s) % (i % 2 ? size : size < 100 ? size : 100), total = 0;
            unsigned char was = bytes[where];
            struct err err = {""};
            bytes[where] ^= (unsigned char)(1 + rand_r(&s) % 255);
            struct audiofile *f = audiofile_open(write_bytes("damaged", bytes, size), &err);
            bytes[where] = was;
            if (!f) {
                assert_true(err.text[0]);
                continue;
            }
            long got;
            while (total < 100 * WHOLE && (got = audiofile_read_mono(f, -1, buffer, 20000, &err)) > 0)
                total += (size_t)got;
            assert_true(total < 100 * WHOLE);
            audiofile_close(f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_one_sample_and_nan),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_lying_headers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests_name("audiofile", tests, make_folder, remove_folder);
}
