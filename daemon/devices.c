#include "daemon/devices.h"
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <portaudio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

size_t devices_read(struct device *out, size_t max)
{
    static const PaHostApiTypeId rank[] = {paALSA, paOSS, paJACK}; /* a JACK server that dies takes PortAudio with it */
    PaDeviceIndex count = Pa_GetDeviceCount(), standard = Pa_GetDefaultInputDevice();
    size_t n = 0;

    for (PaDeviceIndex i = 0; i < count && n < max; i++) {
        const PaDeviceInfo *info = Pa_GetDeviceInfo(i);
        if (!info || info->maxInputChannels < 1)
            continue;
        const PaHostApiInfo *host = Pa_GetHostApiInfo(info->hostApi);
        struct device *d = &out[n++];
        memset(d, 0, sizeof *d);
        d->number = i;
        snprintf(d->name, sizeof d->name, "%s", info->name);
        snprintf(d->host_api, sizeof d->host_api, "%s", host ? host->name : "?");
        d->host_rank = (int)(sizeof rank / sizeof *rank);
        for (int k = 0; host && k < (int)(sizeof rank / sizeof *rank); k++)
            if (rank[k] == host->type)
                d->host_rank = k;
        d->channels = info->maxInputChannels;
        d->rate = info->defaultSampleRate;
        d->low_latency = info->defaultLowInputLatency;
        d->is_default = i == standard;
    }
    return n;
}

/* In the child. Whole structs through the pipe: both ends are this very program. */
static void child(int fd, size_t max)
{
    struct err err = {""};
    char verdict = 'E';
    struct device *d = calloc(max, sizeof *d);
    size_t n = 0;

    devices_prepare();
    if (d && !devices_check_alsa(&err)) {
        PaError e = Pa_Initialize();
        if (e == paNoError) {
            n = devices_read(d, max);
            verdict = 'D';
        } else {
            err_set(&err, "PortAudio does not start: %s", Pa_GetErrorText(e));
        }
    }
    const void *body = verdict == 'D' ? (const void *)d : (const void *)err.text;
    size_t size = verdict == 'D' ? n * sizeof *d : strlen(err.text);
    bool told = write(fd, &verdict, 1) == 1;
    for (size_t at = 0; told && at < size;) {
        ssize_t w = write(fd, (const char *)body + at, size - at);
        if (w <= 0)
            break;
        at += (size_t)w;
    }
    _exit(0); /* no Pa_Terminate: it may hang as well */
}

/* Everything that the child says, until it ends or the time is over. Returns the bytes, -1 on time-out. */
static ssize_t read_all(int fd, char *buffer, size_t size, double timeout_s)
{
    double end = clock_s(CLOCK_MONOTONIC) + timeout_s;
    for (size_t at = 0;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        double left = end - clock_s(CLOCK_MONOTONIC);
        if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) == 0)
            return -1;
        ssize_t r = read(fd, buffer + at, size - at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return (ssize_t)at;
        at += (size_t)r;
    }
}

int devices_list(struct device *out, size_t max, size_t *n, double timeout_s, struct err *err)
{
    int fd[2];
    *n = 0;
    size_t size = 1 + max * sizeof *out + ERR_TEXT;
    char *buffer = calloc(1, size + 1);
    if (!buffer || pipe2(fd, 0)) {
        free(buffer);
        return err_set(err, "cannot ask for devices: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        child(fd[1], max);
    }
    close(fd[1]);
    ssize_t got = pid > 0 ? read_all(fd[0], buffer, size, timeout_s) : 0;
    close(fd[0]);
    int status = 0;
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    int result = 0;
    if (got > 0 && buffer[0] == 'D') {
        *n = (size_t)(got - 1) / sizeof *out;
        memcpy(out, buffer + 1, *n * sizeof *out);
    } else if (got > 0) {
        result = err_set(err, "%s", buffer + 1);
    } else if (got < 0) {
        result = err_set(err, "the sound server does not answer (PortAudio said nothing for %g s)", timeout_s);
    } else {
        result = err_set(err, "PortAudio cannot list the devices%s",
                         WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT
                             ? ": it gave up (is the ALSA configuration whole?)"
                             : "");
    }
    free(buffer);
    return result;
}

/* ALSA's " (hw:1,0)" tells the card's number, which changes when it is plugged elsewhere. */
static size_t stem(const char *name)
{
    const char *hw = strstr(name, " (hw:");
    return hw ? (size_t)(hw - name) : strlen(name);
}

static bool same_stem(const char *a, const char *b)
{
    return stem(a) == stem(b) && strncasecmp(a, b, stem(a)) == 0;
}

/* The better of two candidates: the earlier host API, then the lower number. */
static int better(const struct device *d, int best, size_t i)
{
    return best < 0 || d[i].host_rank < d[best].host_rank ? (int)i : best;
}

static int find_by_name(const struct device *d, size_t n, const char *name)
{
    int exact = -1, alike = -1, part = -1;
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(d[i].name, name) == 0)
            exact = better(d, exact, i);
        else if (same_stem(d[i].name, name))
            alike = better(d, alike, i);
        else if (strcasestr(d[i].name, name))
            part = better(d, part, i);
    }
    return exact >= 0 ? exact : alike >= 0 ? alike : part;
}

int devices_find(const struct device *d, size_t n, const char *wanted, const char *remembered)
{
    if (!*wanted || strcmp(wanted, "default") == 0) {
        int first = -1;
        for (size_t i = 0; i < n; i++) {
            if (d[i].is_default)
                return (int)i;
            first = better(d, first, i);
        }
        return first;
    }
    if (strspn(wanted, "0123456789") != strlen(wanted))
        return find_by_name(d, n, wanted);
    for (size_t i = 0; i < n; i++) /* the number as it was at the start */
        if (!*remembered && strlen(wanted) < 6 && d[i].number == atoi(wanted))
            return (int)i;
    for (size_t i = 0; *remembered && i < n; i++)
        if (strcasecmp(d[i].name, remembered) == 0)
            return (int)i;
    for (size_t i = 0; *remembered && i < n; i++)
        if (same_stem(d[i].name, remembered))
            return (int)i;
    return -1;
}

void devices_text(const struct device *d, size_t n, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "%s", n ? "" : "none");
    for (size_t i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%d %s", i ? ", " : "", d[i].number, d[i].name);
}
