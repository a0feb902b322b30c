#include "daemon/ffmpeg.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Containers and codecs only. No playlists, concatenations, image sequences or captures: those open other files. */
#define FORMATS                                                                                                        \
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,amr,amrnb,amrwb,asf,avi,flv,caf,mp3,mpeg,mpegts,ogg,flac,wav,w64,aiff," \
    "au,ac3,eac3,dts,ape,tta,wv,tak,mpc,mpc8,rm,gsm,voc,xwma"

enum { HEADER = 24, CHANNELS_MAX = 256, BUFFER = 65536, RATE_MIN = 1000, RATE_MAX = 768000, EXIT_ABSENT = 127 };

struct ffmpeg {
    pid_t pid;
    int audio, complaints; /* pipes from the child's stdout and stderr, -1: closed */
    unsigned rate, channels;
    uint64_t frames_left;
    int status;          /* of waitpid, valid when pid is 0 */
    char last_line[160]; /* of its complaints */
    size_t url_length;
    size_t used, have; /* bytes in the buffer */
    unsigned char buffer[BUFFER];
};

static void limit(int resource, rlim_t most)
{
    struct rlimit l = {most, most};

    setrlimit(resource, &l);
}

/* Between fork and exec of a program with threads: nothing that takes a lock or allocates. */
static void become_ffmpeg(char *const argv[], int audio, int complaints, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(audio, 1) < 0 || dup2(complaints, 2) < 0)
        _exit(1);
    limit(RLIMIT_CPU, FFMPEG_CPU_S);
    limit(RLIMIT_AS, (rlim_t)FFMPEG_MEMORY_MIB << 20);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CORE, 0);
    execvp(argv[0], argv);
    _exit(errno == ENOENT ? EXIT_ABSENT : 126);
}

static int start(struct ffmpeg *f, const char *path, struct err *err)
{
    int audio[2] = {-1, -1}, complaints[2] = {-1, -1};
    size_t room = strlen(path) + sizeof "file:";
    char *url = malloc(room);
    pid_t parent = getpid();

    if (!url)
        return err_set(err, "no memory");
    f->url_length = room - 1;
    snprintf(url, room, "file:%s", path); /* neither an option nor a protocol, whatever it is called */
    char *const argv[] = {"ffmpeg",
                          "-nostdin",
                          "-hide_banner",
                          "-loglevel",
                          "error",
                          "-protocol_whitelist",
                          "file,pipe",
                          "-format_whitelist",
                          FORMATS,
                          "-threads",
                          "1",
                          "-i",
                          url,
                          "-map",
                          "0:a:0",
                          "-map_metadata",
                          "-1",
                          "-c:a",
                          "pcm_f32be",
                          "-f",
                          "au",
                          "pipe:1",
                          NULL};
    if (pipe2(audio, O_CLOEXEC) == 0 && pipe2(complaints, O_CLOEXEC) == 0)
        f->pid = fork();
    else
        f->pid = -1;
    if (f->pid == 0)
        become_ffmpeg(argv, audio[1], complaints[1], parent);
    int why = errno;
    free(url);
    if (audio[1] >= 0)
        close(audio[1]);
    if (complaints[1] >= 0)
        close(complaints[1]);
    f->audio = audio[0];
    f->complaints = complaints[0];
    if (f->pid < 0) {
        f->pid = 0;
        return err_set(err, "cannot start ffmpeg: %s", strerror(why));
    }
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Keeps the last line: what ffmpeg says last is why it gave up. */
static void read_complaints(struct ffmpeg *f)
{
    char text[1024];
    ssize_t n = read(f->complaints, text, sizeof text - 1);

    if (n <= 0) {
        if (n == 0 || errno != EINTR)
            close_fd(&f->complaints);
        return;
    }
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = '\0';
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    /* "file:PATH: Invalid data ...": the path is in our own message already */
    if (strncmp(line, "file:", 5) == 0 && strlen(line) > f->url_length + 2 && line[f->url_length] == ':')
        line += f->url_length + 2;
    if (*line)
        snprintf(f->last_line, sizeof f->last_line, "%.*s", (int)sizeof f->last_line - 1, line);
    for (char *c = f->last_line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

/* One more piece of audio into the buffer. 1: got some, 0: the end, -1: it says nothing. */
static int fill(struct ffmpeg *f, struct err *err)
{
    memmove(f->buffer, f->buffer + f->used, f->have - f->used);
    f->have -= f->used;
    f->used = 0;
    int64_t deadline = clock_ms(CLOCK_MONOTONIC) + FFMPEG_STALL_S * 1000LL; /* complaints are no sign of life */
    while (f->audio >= 0) {
        int64_t left = deadline - clock_ms(CLOCK_MONOTONIC);
        struct pollfd fds[] = {{.fd = f->audio, .events = POLLIN}, {.fd = f->complaints, .events = POLLIN}};
        int ready = left > 0 ? poll(fds, 2, (int)left) : 0;
        if (ready == 0)
            return err_set(err, "ffmpeg gave nothing for %d s", FFMPEG_STALL_S);
        if (ready < 0 && errno != EINTR)
            return err_set(err, "poll: %s", strerror(errno));
        if (ready < 0)
            continue;
        if (fds[1].revents)
            read_complaints(f);
        if (!fds[0].revents)
            continue;
        ssize_t n = read(f->audio, f->buffer + f->have, sizeof f->buffer - f->have);
        if (n > 0) {
            f->have += (size_t)n;
            return 1;
        }
        if (n == 0 || errno != EINTR)
            close_fd(&f->audio);
    }
    return 0;
}

/* The rest of its complaints, then its exit status. It has closed its output: if it goes on for long, it is ended. */
static void reap(struct ffmpeg *f)
{
    int64_t deadline = clock_ms(CLOCK_MONOTONIC) + FFMPEG_STALL_S * 1000LL;

    for (int64_t left; f->complaints >= 0 && (left = deadline - clock_ms(CLOCK_MONOTONIC)) > 0;) {
        struct pollfd fd = {.fd = f->complaints, .events = POLLIN};
        if (poll(&fd, 1, (int)left) > 0)
            read_complaints(f);
    }
    close_fd(&f->complaints);
    while (waitpid(f->pid, &f->status, WNOHANG) == 0) {
        if (clock_ms(CLOCK_MONOTONIC) >= deadline)
            kill(f->pid, SIGKILL);
        poll(NULL, 0, 5);
    }
    f->pid = 0;
}

static int verdict(struct ffmpeg *f, struct err *err)
{
    if (f->pid)
        reap(f);
    if (WIFSIGNALED(f->status) && WTERMSIG(f->status) == SIGXCPU)
        return err_set(err, "ffmpeg took more than %d s of CPU time", FFMPEG_CPU_S);
    if (WIFSIGNALED(f->status))
        return err_set(err, "ffmpeg was ended by signal %d (%s)", WTERMSIG(f->status), strsignal(WTERMSIG(f->status)));
    if (WEXITSTATUS(f->status) != 0)
        return err_set(err, "ffmpeg: %s", f->last_line[0] ? f->last_line : "it failed without a word");
    return 0;
}

static uint32_t big_endian(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int need(struct ffmpeg *f, size_t bytes, struct err *err)
{
    while (f->have - f->used < bytes) {
        int got = fill(f, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return verdict(f, err) < 0 ? -1 : err_set(err, "ffmpeg found no sound in it");
    }
    return 0;
}

/* Sun/NeXT .au: magic, offset of the samples, their size (unknown in a pipe), encoding, rate, channels. */
static int read_header(struct ffmpeg *f, struct err *err)
{
    if (need(f, HEADER, err) < 0)
        return -1;
    uint32_t offset = big_endian(f->buffer + 4), encoding = big_endian(f->buffer + 12);
    f->rate = big_endian(f->buffer + 16);
    f->channels = big_endian(f->buffer + 20);
    if (memcmp(f->buffer, ".snd", 4) != 0 || offset < HEADER || offset > BUFFER / 2 || encoding != 6)
        return err_set(err, "ffmpeg gave something else than asked for");
    if (f->rate < RATE_MIN || f->rate > RATE_MAX || f->channels < 1 || f->channels > CHANNELS_MAX)
        return err_set(err, "%u Hz, %u channels; supported are %d to %d Hz, 1 to %d channels", f->rate, f->channels,
                       RATE_MIN, RATE_MAX, CHANNELS_MAX);
    f->frames_left = (uint64_t)FFMPEG_SOUND_S * f->rate;
    if (need(f, offset + 4 * (size_t)f->channels, err) < 0) /* one frame at least */
        return -1;
    f->used = offset;
    return 0;
}

struct ffmpeg *ffmpeg_open(const char *path, bool *absent, struct err *err)
{
    struct ffmpeg *f = calloc(1, sizeof *f);

    *absent = false;
    if (!f) {
        err_set(err, "no memory");
        return NULL;
    }
    f->audio = f->complaints = -1;
    if (start(f, path, err) < 0 || read_header(f, err) < 0)
        goto fail;
    return f;

fail:
    *absent = f->pid == 0 && WIFEXITED(f->status) && WEXITSTATUS(f->status) == EXIT_ABSENT;
    if (*absent)
        err_set(err, "ffmpeg is not installed");
    ffmpeg_close(f);
    return NULL;
}

void ffmpeg_close(struct ffmpeg *f)
{
    if (!f)
        return;
    close_fd(&f->audio);
    close_fd(&f->complaints);
    if (f->pid) {
        kill(f->pid, SIGKILL);
        while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    free(f);
}

unsigned ffmpeg_rate(const struct ffmpeg *f)
{
    return f->rate;
}

static float mean_of(const unsigned char *frame, unsigned channels)
{
    float sum = 0;

    for (unsigned c = 0; c < channels; c++) {
        uint32_t bits = big_endian(frame + 4 * (size_t)c);
        float x;
        memcpy(&x, &bits, sizeof x);
        sum += x;
    }
    return sum / (float)channels;
}

long ffmpeg_read_mono(struct ffmpeg *f, float *out, size_t frames, struct err *err)
{
    size_t width = 4 * (size_t)f->channels, n = 0;

    if (f->frames_left == 0)
        return err_set(err, "more than %d h of sound", FFMPEG_SOUND_S / 3600);
    while (f->have - f->used < width) {
        int got = fill(f, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return verdict(f, err);
    }
    for (; n < frames && n < f->frames_left && f->have - f->used >= width; n++) {
        out[n] = mean_of(f->buffer + f->used, f->channels);
        f->used += width;
    }
    f->frames_left -= n;
    return (long)n;
}
