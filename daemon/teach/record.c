#include "daemon/teach/record.h"

#include "base/clock.h"
#include "base/when.h"
#include "daemon/level_meter.h"
#include "daemon/teach/microphone.h"
#include "model/pool.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sndfile.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNTDOWN_S = 3, AGAIN = 2, BAR = 40, WAVE_ROWS = 7, WAVE_COLUMNS = 72 };
#define PATIENCE_S 10.0 /* for a microphone that gives nothing */

struct recorder {
    const struct record_params *p;
    struct microphone *m;
    float block[MICROPHONE_FRAMES];
    bool terminal;
};

/* What people are told while it records goes to stderr: stdout is for the result. */
static void show_level(struct recorder *r, const float *x, size_t n, double left_s)
{
    struct analysis_levels l = {
        .rms_dbfs = (float)pool_level(x, n), .floor_dbfs = METER_LOW, .threshold_dbfs = METER_LOW};
    char bar[BAR + 1];
    float peak = 0;

    if (!r->terminal || n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(x[i]));
    l.peak_dbfs = peak > 0 ? 20 * log10f(peak) : METER_LOW;
    meter_bar(&l, bar, BAR);
    fprintf(stderr, "\r  [%s] %6.1f dBFS  %4.1f s ", bar, (double)l.rms_dbfs, fmax(left_s, 0));
}

/* What comes is heard and forgotten meanwhile: a microphone needs a moment to be there. */
static int count_down(struct recorder *r, unsigned number, struct err *err)
{
    double until = clock_s(CLOCK_MONOTONIC) + COUNTDOWN_S, heard = clock_s(CLOCK_MONOTONIC);
    unsigned rate = 0;
    int said = COUNTDOWN_S + 1;

    fprintf(stderr, "%s, %u of %u: make the sound after \"now\" ... ", r->p->label, number, r->p->takes);
    for (double now; (now = clock_s(CLOCK_MONOTONIC)) < until || rate == 0;) {
        int left = (int)ceil(until - now);
        if (left < said && left > 0)
            fprintf(stderr, "%d ", said = left);
        int n = microphone_read(r->m, r->block, &rate, err);
        if (n > 0)
            heard = now;
        else if (n == 0 && now > heard + PATIENCE_S)
            n = err_set(err, "the microphone gives nothing");
        if (n < 0) {
            fputc('\n', stderr);
            return -1;
        }
    }
    fprintf(stderr, "now\n");
    return 0;
}

static int record_one(struct recorder *r, struct take *t, struct err *err)
{
    double heard = clock_s(CLOCK_MONOTONIC);
    size_t most = 0;

    *t = (struct take){.samples = NULL};
    for (;;) {
        unsigned rate = t->rate;
        int n = microphone_read(r->m, r->block, &rate, err);
        if (n < 0)
            break;
        if (n == 0 && clock_s(CLOCK_MONOTONIC) < heard + PATIENCE_S)
            continue;
        if (n == 0) {
            err_set(err, "the microphone gives nothing");
            break;
        }
        heard = clock_s(CLOCK_MONOTONIC);
        if (rate != t->rate ||
            !t->samples) { /* the first block; or another device took over, and the take begins anew */
            t->rate = rate;
            t->n = 0;
            most = (size_t)(r->p->seconds * rate);
            float *more = realloc(t->samples, (most + MICROPHONE_FRAMES) * sizeof *more);
            if (!more) {
                err_set(err, "no memory");
                break;
            }
            t->samples = more;
        }
        memcpy(t->samples + t->n, r->block, (size_t)n * sizeof *t->samples);
        t->n += (size_t)n;
        show_level(r, r->block, (size_t)n, r->p->seconds - (double)t->n / rate);
        if (t->n >= most) {
            t->n = most;
            fputs(r->terminal ? "\n" : "", stderr);
            return 0;
        }
    }
    take_free(t);
    return -1;
}

static void draw_wave(const struct take *t)
{
    float peak[WAVE_COLUMNS] = {0}, most = 1e-6f;
    const int middle = WAVE_ROWS / 2;

    for (size_t i = 0; i < t->n; i++) {
        float *p = &peak[i * WAVE_COLUMNS / t->n];
        *p = fmaxf(*p, fabsf(t->samples[i]));
        most = fmaxf(most, *p);
    }
    for (int row = middle; row >= -middle; row--) {
        fputs("  ", stderr);
        for (int c = 0; c < WAVE_COLUMNS; c++)
            fputc(peak[c] / most * (float)middle >= (float)abs(row) - 0.5f && (row == 0 || peak[c] > 0) ? '#' : ' ',
                  stderr);
        fputc('\n', stderr);
    }
    fprintf(stderr, "  %.1f s, loudest %.0f dBFS\n", (double)t->n / t->rate, (double)(20 * log10f(most)));
}

/* Of what it says, nothing is shown. Spawned, not forked: what sound libraries do in a forked child may end it. */
static bool play_with(const char *program, char *path)
{
    char name[16], *argv[] = {name, path, NULL};
    posix_spawn_file_actions_t files;
    int status = 1;
    pid_t child;

    snprintf(name, sizeof name, "%s", program);
    if (posix_spawn_file_actions_init(&files) != 0)
        return false;
    bool started = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
                   posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
                   posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
                   posix_spawnp(&child, program, &files, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&files);
    while (started && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return started && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* In memory alone: whatever happens, no recording is left behind. The player finds it among the files that it inherits. */
static void play(const struct take *t)
{
    SF_INFO info = {.samplerate = (int)t->rate, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    int fd = memfd_create("take.wav", 0);
    SNDFILE *f = fd >= 0 ? sf_open_fd(fd, SFM_WRITE, &info, 0) : NULL;
    bool played = false;
    char path[40];

    if (f) {
        sf_writef_float(f, t->samples, (sf_count_t)t->n);
        sf_close(f);
        fputs("  playing it\n", stderr);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        played = play_with("pw-play", path) || play_with("paplay", path) || play_with("aplay", path);
    }
    if (fd >= 0)
        close(fd);
    if (!played)
        fprintf(stderr, "  it cannot be played: pw-play, paplay and aplay are not there, or find no loudspeaker\n");
}

int record_takes(const struct record_params *p, struct school *s, struct err *err)
{
    struct recorder *r = calloc(1, sizeof *r);
    int rc = 0;

    if (!r)
        return err_set(err, "no memory");
    r->p = p;
    r->terminal = isatty(STDERR_FILENO);
    r->m = microphone_open(p->cx, p->state_dir, err);
    if (!r->m)
        rc = -1;
    for (unsigned i = 0, failed = 0; rc == 0 && i < p->takes;) {
        struct take t = {.samples = NULL};
        char name[TAUGHT_SOURCE], now[WHEN_TEXT];
        struct err why;
        when_text(clock_ms(CLOCK_REALTIME), now);
        snprintf(name, sizeof name, "take %u of %s", i + 1, now);
        rc = count_down(r, i + 1, err) < 0 || record_one(r, &t, err) < 0 ? -1 : 0;
        if (rc == 0 && p->wave)
            draw_wave(&t);
        if (rc == 0 && p->play)
            play(&t);
        if (rc == 0 && school_add(s, &t, name, TAUGHT_FROM_MICROPHONE, &why) < 0) {
            bool again = failed++ < AGAIN;
            fprintf(stderr, "earshot teach: take %u: %s: %s\n", i + 1, why.text, again ? "once more" : "left out");
            i += !again;
            failed = again ? failed : 0;
        } else {
            failed = 0;
            i++;
        }
        take_free(&t);
    }
    microphone_close(r->m);
    free(r);
    return rc;
}
