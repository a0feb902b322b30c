/* bench features | latency PORT FILE EARSHOT ARG... : what `make bench` measures inside a program of its own (bench.sh prints the
 * table). Not a test: these machines are shared, and a figure is no verdict. */
#include "audio/audiofile.h"
#include "audio/resample.h"
#include "audio/soundlevel.h"
#include "base/clock.h"
#include "features/features.h"
#include "model/recogniser.h"
#include "teach/background.h"
#include "teach/taughtfile.h"

#include <fcntl.h>
#include <math.h>
#include <mosquitto.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* --- features ------------------------------------------------------------------------------------------------------- */

static void bench_feature(const char *name, const char *text, const struct param *params, size_t n_params)
{
    enum { RUNS = 201 };
    double ms[RUNS];
    struct err err;
    size_t rows, cols, n = 0;
    struct feature *f = feature_new(name, params, n_params, 5 * 48000, &err);

    if (!f) {
        fprintf(stderr, "bench: %s: %s\n", name, err.text);
        exit(1);
    }
    n = feature_rate(f);
    feature_shape(f, n, &rows, &cols);
    float *x = malloc(n * sizeof *x), *out = malloc(rows * cols * sizeof *out);
    if (!x || !out)
        exit(1);
    for (size_t i = 0; i < n; i++)
        x[i] = 0.1f * sinf((float)(i * i % 1009));
    for (int r = 0; r < RUNS; r++) {
        double t = now();
        feature_do(f, x, n, out);
        ms[r] = (now() - t) * 1e3;
    }
    qsort(ms, RUNS, sizeof *ms, compare);
    printf("%s\t%.3f\n", text, ms[RUNS / 2]);
    free(x);
    free(out);
    feature_free(f);
}

/* CPU of a second of sound, in ms; what else runs on the machine is not counted. */
static void bench_level(const char *text, bool third_octave)
{
    enum { SECONDS = 60, PIECE = 480 };
    struct err err;
    struct soundlevel *m =
        soundlevel_new(&(struct soundlevel_params){.rate = 48000, .full_scale = 1, .third_octave = third_octave}, &err);
    float x[PIECE];
    uint32_t seed = 1;

    if (!m) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
    for (int i = 0; i < PIECE; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (float)(int32_t)seed / 2147483648.0f * 0.1f;
    }
    double t = clock_s(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < SECONDS * 100; i++)
        soundlevel_do(m, x, PIECE);
    printf("%s\t%.3f\n", text, (clock_s(CLOCK_THREAD_CPUTIME_ID) - t) * 1e3 / SECONDS);
    soundlevel_free(m);
}

static int features(void)
{
    static const struct param mean[] = {{"pooling", "mean"}};
    bench_feature("logmel", "log-mel, 64 bands, 16 kHz", NULL, 0);
    bench_feature("mfcc", "MFCC-40 mean, 22.05 kHz", mean, 1);
    bench_feature("nrdt", "NRDT, 44.1 kHz", NULL, 0);
    bench_level("sound level meter, 48 kHz", false);
    bench_level("  with thirds of octaves", true);
    return 0;
}

/* --- latency -------------------------------------------------------------------------------------------------------- */

enum { RATE = 48000, PIECE = RATE / 100, TRIALS = 20 };

/* Monotonic s at which the trial's first start event arrived, 0: not yet; relaxed: nothing else is read on the strength of it. */
static _Atomic double start_seen;

static void on_message(struct mosquitto *m, void *u, const struct mosquitto_message *msg)
{
    static const char start[] = "\"event_type\":\"start\"";
    double t = now(), none = 0;
    (void)m;
    (void)u;
    if (memmem(msg->payload, (size_t)msg->payloadlen, start, sizeof start - 1))
        atomic_compare_exchange_strong_explicit(&start_seen, &none, t, memory_order_relaxed, memory_order_relaxed);
}

static pid_t spawn(char **argv, int *in)
{
    int p[2];
    if (pipe(p) != 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[0], 0);
        close(p[0]);
        close(p[1]);
        p[1] = open("/dev/null", O_WRONLY); /* for its events: our own stdout is for figures */
        dup2(p[1], 1);
        close(p[1]);
        execv(argv[0], argv);
        _exit(127);
    }
    close(p[0]);
    *in = p[1];
    return pid;
}

static short *load(const char *path, size_t *n)
{
    struct err err;
    struct audiofile *f = audiofile_open(path, &err);
    if (!f) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
    unsigned rate = audiofile_rate(f);
    float *x = malloc(10 * rate * sizeof *x), *y;
    long got = audiofile_read_mono(f, -1, x, 10 * rate, &err);
    audiofile_close(f);
    if (got <= 0 || resample_all(x, (size_t)got, rate, RATE, RESAMPLE_MEDIUM, &y, n, &err) < 0)
        exit(1);
    short *s = malloc(*n * sizeof *s);
    for (size_t i = 0; i < *n; i++)
        s[i] = (short)lrintf(32767 * fminf(fmaxf(y[i], -1), 1));
    free(x);
    free(y);
    return s;
}

/* Number of the first 10 ms piece above -40 dBFS: where the gate opens (bench.sh sets that threshold). */
static size_t first_loud(const short *s, size_t n)
{
    for (size_t k = 0; (k + 1) * PIECE <= n; k++) {
        double sum = 0;
        for (size_t i = 0; i < PIECE; i++)
            sum += (double)s[k * PIECE + i] * s[k * PIECE + i];
        if (sqrt(sum / PIECE) > 327.68)
            return k;
    }
    exit(1);
}

static int latency(int port, const char *file, double preroll, double window, char **argv)
{
    size_t n;
    short *s = load(file, &n);
    size_t open = first_loud(s, n);
    static short silence[PIECE];
    double ms[TRIALS];
    int in, got = 0;

    signal(SIGPIPE, SIG_IGN);
    mosquitto_lib_init();
    struct mosquitto *m = mosquitto_new(NULL, true, NULL);
    mosquitto_message_callback_set(m, on_message);
    if (mosquitto_connect(m, "127.0.0.1", port, 60) != 0) {
        fprintf(stderr, "bench: no broker at port %d\n", port);
        return 1;
    }
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_loop_start(m);
    mosquitto_subscribe(m, NULL, "earshot/+/event", 1);
    pid_t pid = spawn(argv, &in);

    double t0 = now() + 1;
    /* the window ends with this piece, counted from the one in which the sound begins */
    size_t last = open + (size_t)ceil((window - preroll) * 100) - 1;
    for (size_t trial = 0, k = 0; trial < TRIALS; trial++) {
        double written = 0;
        atomic_store_explicit(&start_seen, 0, memory_order_relaxed);
        for (size_t i = 0; i < 350; i++, k++) {
            double wait = t0 + (double)k * 0.01 - now();
            if (wait > 0)
                nanosleep(&(struct timespec){(time_t)wait, (long)((wait - floor(wait)) * 1e9)}, NULL);
            /* half a second of silence, then the sound's first one and a half, then silence until the gate has closed */
            const short *piece = i >= 50 && i < 200 && (i - 50 + 1) * PIECE <= n ? s + (i - 50) * PIECE : silence;
            if (write(in, piece, sizeof silence) != (ssize_t)sizeof silence)
                return 1;
            if (i == 50 + last)
                written = now();
        }
        double seen = atomic_load_explicit(&start_seen, memory_order_relaxed);
        if (seen > written)
            ms[got++] = (seen - written) * 1e3;
    }
    close(in);
    waitpid(pid, NULL, 0);
    mosquitto_loop_stop(m, true);
    mosquitto_destroy(m);
    free(s);
    if (got < TRIALS / 2) {
        fprintf(stderr, "bench: only %d of %d sounds arrived\n", got, TRIALS);
        return 1;
    }
    qsort(ms, (size_t)got, sizeof *ms, compare);
    printf("%.1f %.1f %d\n", ms[got / 2], ms[got - 1], got);
    return 0;
}

/* --- what is taught ------------------------------------------------------------------------------------------------- */

enum { TAUGHT = 50, WINDOWS = 400, ROUNDS = 9 };

/* A file of 50 classes with heads of no meaning: what they cost does not depend on it. */
static int write_taught(const char *model, size_t dims, const char *path, struct err *err)
{
    struct taughtfile f = {0};
    uint64_t hash;
    int rc = teach_model_hash(model, &hash, err);

    for (int i = 0; i < TAUGHT && rc == 0; i++) {
        struct taught_class c = {.hash = hash, .dims = dims, .n_examples = 1};
        snprintf(c.label, sizeof c.label, "taught_%d", i);
        c.w = malloc(dims * sizeof *c.w);
        c.examples = calloc(1, sizeof *c.examples);
        c.examples[0] = (struct taught_example){.n = 1, .windows = calloc(dims, sizeof(float))};
        for (size_t k = 0; k < dims; k++)
            c.w[k] = (float)((i * 31 + (int)k * 17) % 101 - 50) / 500;
        rc = taughtfile_put(&f, &c, err);
    }
    if (rc == 0)
        rc = taughtfile_write(&f, path, err);
    taughtfile_free(&f);
    return rc;
}

static double time_windows(struct recogniser *r, const float *x, size_t n)
{
    double t = clock_s(CLOCK_THREAD_CPUTIME_ID);

    for (int i = 0; i < WINDOWS; i++)
        recogniser_scores(r, x, n);
    return (clock_s(CLOCK_THREAD_CPUTIME_ID) - t) * 1e3 / WINDOWS;
}

/* A window's time (features, network) without and with 50 taught sounds, the least of rounds by turns: ms. */
static int taught(const char *model)
{
    const struct decision_params d = {.confirm = 1, .release_s = 3, .close_ratio = 0.6, .hop_s = 0.5, .context_s = -1};
    char path[] = "/tmp/bench-taught-XXXXXX";
    struct err err = {""};
    double plain_ms = INFINITY, taught_ms = INFINITY;
    int fd = mkstemp(path), rc = 1;
    struct recogniser *plain = recogniser_new(model, VOCABULARY_OWN, &d, &err), *more = NULL;
    size_t n = plain ? (size_t)(recogniser_window_s(plain) * recogniser_rate(plain)) : 0;
    float *x = calloc(n + 1, sizeof *x);

    if (plain && x && fd >= 0 && write_taught(model, recogniser_model(plain)->embedding_size, path, &err) == 0)
        more = recogniser_new_taught(model, VOCABULARY_OWN, path, &d, &err);
    for (size_t i = 0; more && i < n; i++)
        x[i] = 0.3f * sinf(0.05f * (float)i);
    for (int i = 0; more && i < ROUNDS; i++) {
        plain_ms = fmin(plain_ms, time_windows(plain, x, n));
        taught_ms = fmin(taught_ms, time_windows(more, x, n));
    }
    if (more && recogniser_model(more)->n_taught == TAUGHT) {
        printf("%.4f %.4f\n", plain_ms, taught_ms);
        rc = 0;
    } else {
        fprintf(stderr, "bench: %s\n", err.text);
    }
    if (fd >= 0)
        close(fd);
    unlink(path);
    recogniser_free(plain);
    recogniser_free(more);
    free(x);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "taught") == 0)
        return taught(argv[2]);
    if (argc == 2 && strcmp(argv[1], "features") == 0)
        return features();
    if (argc > 6 && strcmp(argv[1], "latency") == 0)
        return latency(atoi(argv[2]), argv[3], atof(argv[4]), atof(argv[5]), argv + 6);
    fprintf(stderr, "usage: bench features | bench taught MODEL.onnx | bench latency PORT FILE PREROLL_S WINDOW_S "
                    "EARSHOT ARG...\n");
    return 2;
}
