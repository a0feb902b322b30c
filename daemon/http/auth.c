#include "daemon/http/auth.h"

#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define MAC       32
#define HEX       64 /* its length as text */
#define CODES     8
#define PEERS     32
#define FILE_NAME "web-sessions"

struct pass {
    uint8_t mac[MAC];
    int64_t until_s; /* UTC; 0: free */
};

struct peer {
    uint8_t address[16];
    unsigned failures;
    int64_t since_s; /* CLOCK_MONOTONIC */
};

struct auth {
    char *token;     /* NULL: everybody is signed in */
    char path[4096]; /* "": sessions are not kept */
    pthread_mutex_t lock;
    struct pass sessions[AUTH_SESSIONS], codes[CODES];
    struct peer peers[PEERS];
};

/* --- secrets ---------------------------------------------------------------------------------------------------------- */

static int64_t now_s(clockid_t id)
{
    return clock_ms(id) / 1000;
}

/* purpose: so that a code is no session. -1: no memory. */
static int mac_of(const struct auth *a, char purpose, const char *secret, uint8_t out[MAC])
{
    char text[AUTH_SECRET + 1];
    int n = snprintf(text, sizeof text, "%c%s", purpose, secret);

    if (n < 0 || (size_t)n >= sizeof text)
        return -1;
    int rc = gnutls_hmac_fast(GNUTLS_MAC_SHA256, a->token, strlen(a->token), text, (size_t)n, out);
    explicit_bzero(text, sizeof text);
    return rc;
}

static int make_secret(char out[AUTH_SECRET])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t raw[AUTH_SECRET - 1];

    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return -1;
    for (size_t i = 0; i < sizeof raw; i++)
        out[i] = digits[raw[i] & 63];
    out[AUTH_SECRET - 1] = '\0';
    explicit_bzero(raw, sizeof raw);
    return 0;
}

/* Looks at all of them. NULL: none. */
static struct pass *find(struct pass *list, size_t n, const uint8_t mac[MAC])
{
    struct pass *found = NULL;
    int64_t now = now_s(CLOCK_REALTIME);

    for (size_t i = 0; i < n; i++)
        if (gnutls_memcmp(list[i].mac, mac, MAC) == 0 && list[i].until_s > now)
            found = &list[i];
    return found;
}

static void put(struct pass *list, size_t n, const uint8_t mac[MAC], int64_t until_s)
{
    struct pass *place = &list[0];

    for (size_t i = 1; i < n; i++)
        if (list[i].until_s < place->until_s) /* a free one, or the one that ends first */
            place = &list[i];
    memcpy(place->mac, mac, MAC);
    place->until_s = until_s;
}

/* --- what is kept ------------------------------------------------------------------------------------------------------ */

static bool read_hex(const char *text, uint8_t mac[MAC])
{
    for (size_t i = 0; i < MAC; i++) {
        unsigned byte;
        if (strspn(text + 2 * i, "0123456789abcdef") < 2 || sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        mac[i] = (uint8_t)byte;
    }
    return true;
}

/* Lines that are none are left out: the worst that can happen is to have to sign in again. */
static void load(struct auth *a)
{
    int fd = *a->path ? open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW) : -1;
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    char line[160];

    if (!f) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (size_t n = 0; n < AUTH_SESSIONS && fgets(line, sizeof line, f);) {
        struct pass *p = &a->sessions[n];
        if (strlen(line) > HEX && line[HEX] == ' ' && read_hex(line, p->mac) &&
            (p->until_s = strtoll(line + HEX + 1, NULL, 10)) > now_s(CLOCK_REALTIME))
            n++;
        else
            *p = (struct pass){.until_s = 0};
    }
    fclose(f);
}

static bool write_all(const struct auth *a, FILE *f)
{
    for (size_t i = 0; i < AUTH_SESSIONS; i++) {
        if (a->sessions[i].until_s <= now_s(CLOCK_REALTIME))
            continue;
        for (size_t k = 0; k < MAC; k++)
            fprintf(f, "%02x", a->sessions[i].mac[k]);
        fprintf(f, " %" PRId64 "\n", a->sessions[i].until_s);
    }
    return fflush(f) == 0 && !ferror(f) && fsync(fileno(f)) == 0;
}

static void save(const struct auth *a)
{
    char fresh[sizeof a->path + 8];

    if (!*a->path)
        return;
    snprintf(fresh, sizeof fresh, "%s.new", a->path);
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f && fd >= 0)
        close(fd);
    bool good = f && write_all(a, f);
    if (f && fclose(f) != 0)
        good = false;
    if (good && rename(fresh, a->path) == 0)
        return;
    log_warn("web: %s cannot be written: %s; a restart ends the sessions", a->path, strerror(errno));
    unlink(fresh);
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

struct auth *auth_new(const char *token, const char *state_dir, struct err *err)
{
    struct auth *a = calloc(1, sizeof *a);

    if (!a || (token && !(a->token = strdup(token)))) {
        free(a);
        err_set(err, "web: out of memory");
        return NULL;
    }
    pthread_mutex_init(&a->lock, NULL);
    if (*state_dir && snprintf(a->path, sizeof a->path, "%s/" FILE_NAME, state_dir) >= (int)sizeof a->path)
        a->path[0] = '\0';
    if (token)
        load(a);
    return a;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    if (a->token)
        explicit_bzero(a->token, strlen(a->token));
    free(a->token);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

bool auth_needed(const struct auth *a)
{
    return a->token != NULL;
}

/* --- attempts ------------------------------------------------------------------------------------------------------------ */

/* That address's row; a new one takes the place of the oldest. */
static struct peer *peer_of(struct auth *a, const uint8_t address[16])
{
    struct peer *oldest = &a->peers[0];
    int64_t now = now_s(CLOCK_MONOTONIC);

    for (size_t i = 0; i < PEERS; i++) {
        struct peer *p = &a->peers[i];
        if (p->failures && memcmp(p->address, address, sizeof p->address) == 0) {
            if (now - p->since_s >= AUTH_PAUSE_S)
                p->failures = 0;
            return p;
        }
        if (!p->failures || p->since_s < oldest->since_s)
            oldest = p;
    }
    oldest->failures = 0;
    memcpy(oldest->address, address, sizeof oldest->address);
    return oldest;
}

static enum auth_result judge(struct auth *a, const uint8_t address[16], bool (*right)(struct auth *, const char *),
                              const char *secret)
{
    pthread_mutex_lock(&a->lock);
    struct peer *p = peer_of(a, address);
    enum auth_result result = p->failures >= AUTH_FAILURES ? AUTH_PAUSED : right(a, secret) ? AUTH_OK : AUTH_WRONG;
    if (result == AUTH_OK)
        p->failures = 0;
    else if (result == AUTH_WRONG && p->failures++ == 0)
        p->since_s = now_s(CLOCK_MONOTONIC);
    bool last = result == AUTH_WRONG && p->failures == AUTH_FAILURES;
    pthread_mutex_unlock(&a->lock);
    if (last)
        log_warn("web: %d wrong attempts to sign in from one address; none is taken from there for up to %d s",
                 AUTH_FAILURES, AUTH_PAUSE_S);
    return result;
}

/* Compared by their digests: those have one length. */
static bool token_right(struct auth *a, const char *token)
{
    uint8_t theirs[MAC], ours[MAC];

    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, "token", 5, token, strlen(token), theirs) == 0 &&
           gnutls_hmac_fast(GNUTLS_MAC_SHA256, "token", 5, a->token, strlen(a->token), ours) == 0 &&
           gnutls_memcmp(theirs, ours, MAC) == 0;
}

static bool code_right(struct auth *a, const char *code)
{
    uint8_t mac[MAC];
    struct pass *p = mac_of(a, 'c', code, mac) == 0 ? find(a->codes, CODES, mac) : NULL;

    if (p)
        *p = (struct pass){.until_s = 0};
    return p != NULL;
}

enum auth_result auth_token(struct auth *a, const uint8_t peer[16], const char *token)
{
    return a->token ? judge(a, peer, token_right, token) : AUTH_OK;
}

enum auth_result auth_code(struct auth *a, const uint8_t peer[16], const char *code)
{
    return a->token ? judge(a, peer, code_right, code) : AUTH_OK;
}

bool auth_session(struct auth *a, const char *session)
{
    uint8_t mac[MAC];

    if (!a->token || mac_of(a, 's', session, mac) != 0)
        return !a->token;
    pthread_mutex_lock(&a->lock);
    bool found = find(a->sessions, AUTH_SESSIONS, mac) != NULL;
    pthread_mutex_unlock(&a->lock);
    return found;
}

/* --- what is handed out -------------------------------------------------------------------------------------------------- */

static int hand_out(struct auth *a, char purpose, struct pass *list, size_t n, int64_t seconds, char out[AUTH_SECRET])
{
    uint8_t mac[MAC];

    if (!a->token || make_secret(out) < 0 || mac_of(a, purpose, out, mac) != 0)
        return -1;
    pthread_mutex_lock(&a->lock);
    put(list, n, mac, now_s(CLOCK_REALTIME) + seconds);
    if (list == a->sessions)
        save(a);
    pthread_mutex_unlock(&a->lock);
    return 0;
}

int auth_begin_session(struct auth *a, char out[AUTH_SECRET])
{
    return hand_out(a, 's', a->sessions, AUTH_SESSIONS, AUTH_SESSION_S, out);
}

int auth_make_code(struct auth *a, char out[AUTH_SECRET])
{
    return hand_out(a, 'c', a->codes, CODES, AUTH_CODE_S, out);
}

bool auth_renew_session(struct auth *a, const char *session)
{
    int64_t until_s = now_s(CLOCK_REALTIME) + AUTH_SESSION_S;
    uint8_t mac[MAC];

    if (!a->token || mac_of(a, 's', session, mac) != 0)
        return false;
    pthread_mutex_lock(&a->lock);
    struct pass *p = find(a->sessions, AUTH_SESSIONS, mac);
    bool due = p && until_s - p->until_s >= AUTH_RENEW_S;
    if (due) {
        p->until_s = until_s;
        save(a);
    }
    pthread_mutex_unlock(&a->lock);
    return due;
}

void auth_end_session(struct auth *a, const char *session)
{
    uint8_t mac[MAC];

    if (!a->token || mac_of(a, 's', session, mac) != 0)
        return;
    pthread_mutex_lock(&a->lock);
    struct pass *p = find(a->sessions, AUTH_SESSIONS, mac);
    if (p) {
        *p = (struct pass){.until_s = 0};
        save(a);
    }
    pthread_mutex_unlock(&a->lock);
}
