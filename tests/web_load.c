/* web_load: as many viewers as the page may have, each with both streams open, and requests at a steady rate besides.
 *
 *   web_load PORT WATCHERS REQUESTS-PER-SECOND SECONDS PATH...
 *
 * Requests go over a few connections that are kept alive, path after path; one that is due while all are busy waits, and its time counts
 * from when it was due. Prints one JSON object. Exit code: 0 if every request was answered by 200 and every stream held to the end. One
 * thread, one clock. */
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASKERS 8
#define HEAD   4096
#define LINE   "\nevent: level\n"
#define PIECE  65536

struct link {
    int fd;
    bool stream, levels;
    /* a stream's: how much of LINE was seen at the end of the last piece */
    size_t match;
    uint64_t messages, bytes;
    /* an asker's */
    bool busy;
    double due;
    char head[HEAD];
    size_t n_head;
    long left; /* bytes of the body, -1: the head is not there yet */
    bool good;
};

struct load {
    int port, epoll;
    const char *const *paths;
    int n_paths;
    struct link *links; /* askers first */
    size_t n_links;
    uint64_t asked, answered, refused, broken;
    float *ms;
};

static struct link *dial(struct load *l, struct link *k)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    int one = 1;

    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    k->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    k->left = -1;
    if (connect(k->fd, (struct sockaddr *)&a, sizeof a) < 0) {
        fprintf(stderr, "web_load: port %d: %s\n", l->port, strerror(errno));
        exit(1);
    }
    setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(k->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = k};
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, k->fd, &e);
    return k;
}

static void ask(struct load *l, struct link *k, const char *path)
{
    char text[512];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, l->port);

    if (write(k->fd, text, (size_t)n) != n)
        l->broken++;
}

/* Messages of the levels' stream, wherever a piece is cut. */
static void take_stream(struct link *k, const char *p, size_t n)
{
    k->bytes += n;
    for (size_t i = 0; i < n; i++) {
        k->match = p[i] == LINE[k->match] ? k->match + 1 : p[i] == LINE[0];
        if (k->match == sizeof LINE - 1) {
            k->messages++;
            k->match = 1; /* its end is the next one's beginning */
        }
    }
}

static void answered(struct load *l, struct link *k)
{
    l->ms[l->answered++] = (float)((clock_s(CLOCK_MONOTONIC) - k->due) * 1e3);
    l->refused += !k->good;
    k->busy = false;
    k->n_head = 0;
    k->left = -1;
}

static void take_answer(struct load *l, struct link *k, const char *p, size_t n)
{
    while (n && k->left < 0) {
        if (k->n_head == HEAD - 1) {
            l->broken++;
            return;
        }
        k->head[k->n_head++] = *p++;
        k->head[k->n_head] = '\0';
        n--;
        if (k->n_head < 4 || memcmp(k->head + k->n_head - 4, "\r\n\r\n", 4) != 0)
            continue;
        const char *length = strcasestr(k->head, "\r\nContent-Length:");
        k->good = strncmp(k->head, "HTTP/1.1 200", 12) == 0;
        k->left = length ? strtol(length + 17, NULL, 10) : 0;
    }
    if (k->left < 0)
        return;
    k->left -= (long)n;
    if (k->left <= 0 && k->busy)
        answered(l, k);
}

static void hear(struct load *l, struct link *k)
{
    static char piece[PIECE];
    ssize_t n = read(k->fd, piece, sizeof piece);

    if (n > 0 && k->stream)
        take_stream(k, piece, (size_t)n);
    else if (n > 0)
        take_answer(l, k, piece, (size_t)n);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    l->broken++;
    close(k->fd);
    k->fd = -1;
    if (!k->stream) { /* an asker begins anew */
        *k = (struct link){.fd = -1};
        dial(l, k);
    }
}

static void run(struct load *l, double rate, double seconds)
{
    double begin = clock_s(CLOCK_MONOTONIC), now;
    struct epoll_event events[64];
    uint64_t todo = (uint64_t)(rate * seconds);

    while ((now = clock_s(CLOCK_MONOTONIC)) < begin + seconds + (l->answered < todo ? 5 : 0)) {
        for (int i = 0; i < ASKERS && l->asked < todo && begin + (double)l->asked / rate <= now; i++) {
            struct link *k = &l->links[i];
            if (k->busy)
                continue;
            k->busy = true;
            k->due = begin + (double)l->asked / rate;
            ask(l, k, l->paths[l->asked++ % (uint64_t)l->n_paths]);
        }
        int n = epoll_wait(l->epoll, events, 64, 1);
        for (int i = 0; i < n; i++)
            hear(l, events[i].data.ptr);
    }
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int report(const struct load *l, unsigned watchers, double seconds)
{
    uint64_t least = UINT64_MAX, most = 0, alive = 0;

    for (size_t i = ASKERS; i < l->n_links; i++) {
        const struct link *k = &l->links[i];
        alive += k->fd >= 0 && k->bytes > 0;
        if (!k->levels)
            continue;
        least = k->messages < least ? k->messages : least;
        most = k->messages > most ? k->messages : most;
    }
    qsort(l->ms, l->answered, sizeof *l->ms, compare);
    float none = 0, *ms = l->answered ? l->ms : &none;
    size_t last = l->answered ? l->answered - 1 : 0;
    printf(
        "{\"requests\":%llu,\"answered\":%llu,\"refused\":%llu,\"broken\":%llu,\"per_second\":%.0f,\"median_ms\":%.2f,"
        "\"p99_ms\":%.2f,\"slowest_ms\":%.2f,\"streams\":%llu,\"levels_each\":[%llu,%llu]}\n",
        (unsigned long long)l->asked, (unsigned long long)l->answered, (unsigned long long)l->refused,
        (unsigned long long)l->broken, (double)l->answered / seconds, (double)ms[last / 2], (double)ms[last * 99 / 100],
        (double)ms[last], (unsigned long long)alive, (unsigned long long)(watchers ? least : 0),
        (unsigned long long)most);
    return l->answered == l->asked && !l->refused && !l->broken && alive == 2 * watchers ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: web_load PORT WATCHERS REQUESTS-PER-SECOND SECONDS PATH...\n");
        return 2;
    }
    unsigned watchers = (unsigned)atoi(argv[2]);
    double rate = atof(argv[3]), seconds = atof(argv[4]);
    struct load l = {.port = atoi(argv[1]),
                     .epoll = epoll_create1(EPOLL_CLOEXEC),
                     .paths = (const char *const *)argv + 5,
                     .n_paths = argc - 5,
                     .n_links = ASKERS + 2 * watchers};

    signal(SIGPIPE, SIG_IGN);
    l.links = calloc(l.n_links, sizeof *l.links);
    l.ms = calloc((size_t)(rate * seconds) + 1, sizeof *l.ms);
    if (!l.links || !l.ms)
        return 1;
    for (size_t i = 0; i < l.n_links; i++) {
        struct link *k = dial(&l, &l.links[i]);
        k->stream = i >= ASKERS;
        k->levels = k->stream && i % 2;
        if (k->stream)
            ask(&l, k, k->levels ? "/api/v1/levels/stream" : "/api/v1/events/stream");
    }
    run(&l, rate, seconds);
    return report(&l, watchers, seconds);
}
