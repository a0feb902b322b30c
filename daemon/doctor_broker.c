/* The broker is tried in a child process: looking up a name and connecting may block for minutes. */
#include "base/clock.h"
#include "daemon/doctor.h"
#include "daemon/outputs/mqtt_link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 5000

/* What the child found out. Both ends of the pipe are this very program, forked. */
struct attempt {
    bool up;
    int version;
    char reason[200];  /* why not */
    char warning[300]; /* about the password */
};

static void ignore_ack(void *ctx, int mid, int reason)
{
    (void)ctx;
    (void)mid;
    (void)reason;
}

static void ignore_message(void *ctx, const struct mosquitto_message *message)
{
    (void)ctx;
    (void)message;
}

/* Another client id and other topics than the daemon's: the broker would throw that one out, and its status must stay. */
static int make_names(const struct config *c, struct mqtt_names *names, struct err *err)
{
    char base[CONFIG_TEXT + MQTT_NODE];
    if (mqtt_names_init(names, c->mqtt.base, c->mqtt.node, err) < 0)
        return -1;
    int n = snprintf(base, sizeof base, "%.*s/doctor", (int)sizeof base - 16, names->base);
    if (n < 0 || (size_t)n >= sizeof names->base)
        return err_set(err, "[mqtt] base and node are too long together");
    memcpy(names->base, base, (size_t)n + 1);
    snprintf(names->client_id, sizeof names->client_id, "earshot-doctor-%ld", (long)getpid() % 1000000);
    return 0;
}

/* True: try the older protocol. */
static bool try_version(const struct config *c, const struct mqtt_names *names, int version, struct attempt *a)
{
    const struct mqtt_link_handler handler = {.acked = ignore_ack,
                                              .message = ignore_message}; /* it subscribes to nothing */
    struct err warning, err;
    struct mqtt_link *link = mqtt_link_open(c, names, version, &handler, &warning, &err);
    enum mqtt_link_state state = LINK_HANDSHAKE;
    bool older = false;

    a->version = version;
    snprintf(a->warning, sizeof a->warning, "%.*s", (int)sizeof a->warning - 1, warning.text);
    if (!link) {
        snprintf(a->reason, sizeof a->reason, "%.*s", (int)sizeof a->reason - 1, err.text);
        return false;
    }
    while (state == LINK_HANDSHAKE) /* the parent has the time limit */
        state = mqtt_link_poll(link, -1, 100);
    a->up = state == LINK_UP;
    if (a->up) {
        mqtt_link_goodbye(link);
    } else {
        snprintf(a->reason, sizeof a->reason, "%s", mqtt_link_reason(link));
        older = mqtt_link_too_new(link);
    }
    mqtt_link_close(link);
    return older;
}

static void child(const struct config *c, int fd)
{
    struct attempt a = {0};
    struct mqtt_names names;
    struct err err;

    mosquitto_lib_init();
    if (make_names(c, &names, &err) < 0)
        snprintf(a.reason, sizeof a.reason, "%.*s", (int)sizeof a.reason - 1, err.text);
    else if (try_version(c, &names, c->mqtt.version ? c->mqtt.version : 5, &a) && c->mqtt.version == 0)
        try_version(c, &names, 3, &a);
    _exit(write(fd, &a, sizeof a) == (ssize_t)sizeof a ? 0 : 1);
}

static void try_broker(const struct config *c, struct attempt *a)
{
    int fd[2];
    int64_t end = clock_ms(CLOCK_MONOTONIC) + TIMEOUT_MS;
    pid_t pid = -1;

    *a = (struct attempt){0};
    snprintf(a->reason, sizeof a->reason, "it does not answer within %d s", TIMEOUT_MS / 1000);
    fflush(stdout);
    if (pipe(fd) < 0 || (pid = fork()) < 0) {
        snprintf(a->reason, sizeof a->reason, "cannot try: %s", strerror(errno));
        return;
    }
    if (pid == 0) {
        close(fd[0]);
        child(c, fd[1]);
    }
    close(fd[1]);
    struct pollfd p = {.fd = fd[0], .events = POLLIN};
    for (int64_t left; (left = end - clock_ms(CLOCK_MONOTONIC)) > 0;) {
        struct attempt got;
        int n = poll(&p, 1, (int)left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0 && read(fd[0], &got, sizeof got) == (ssize_t)sizeof got)
            *a = got;
        else if (n > 0)
            snprintf(a->reason, sizeof a->reason, "the attempt ended without a word");
        break;
    }
    close(fd[0]);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static const char *remedy(const struct config *c, const char *reason)
{
    if (strncmp(reason, "TLS", 3) == 0 || strstr(reason, "TLS handshake"))
        return "check [mqtt] ca_file, that host is the name in the broker's certificate, and that port is its TLS port";
    if (strstr(reason, "the broker refused"))
        return "check [mqtt] username and the password, and what the broker allows that user";
    if (strstr(reason, "no address"))
        return "check [mqtt] host";
    if (strstr(reason, "Connection refused"))
        return "is it running (systemctl status mosquitto), does it listen to the network, and is [mqtt] port right? "
               "Without a broker set [mqtt] enabled = off";
    if (strstr(reason, "closed the connection") && !c->mqtt.tls)
        return "if that is its TLS port, set [mqtt] tls = on";
    return "check [mqtt] host and port, the network, and firewalls on the way";
}

static bool is_local(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

void doctor_broker(struct doctor *d)
{
    const struct config *c = &d->cx->config;
    struct attempt a;
    struct config defaults;

    if (!c->mqtt.enabled) {
        doctor_say(d, DOCTOR_OK, "broker", NULL, "switched off: [mqtt] enabled = off");
        return;
    }
    try_broker(c, &a);
    if (*a.warning)
        doctor_say(d, DOCTOR_WARN, "password", "put [mqtt] password_file or the credential right", "%s", a.warning);
    if (a.up) {
        doctor_say(d, DOCTOR_OK, "broker", NULL, "%s:%d, MQTT %s%s", c->mqtt.host, c->mqtt.port,
                   a.version == 5 ? "5" : "3.1.1", c->mqtt.tls ? ", encrypted" : "");
        if (c->mqtt.username[0] && !c->mqtt.tls && !is_local(c->mqtt.host))
            doctor_say(d, DOCTOR_WARN, "broker", "set [mqtt] tls = on",
                       "the password goes through the network unencrypted");
        return;
    }
    /* nobody asked for this broker: then its absence is no failure */
    bool asked = config_init(&defaults, NULL) < 0 || strcmp(c->mqtt.host, defaults.mqtt.host) != 0 ||
                 c->mqtt.port != defaults.mqtt.port || c->mqtt.username[0] || c->mqtt.tls;
    doctor_say(d, asked ? DOCTOR_FAIL : DOCTOR_WARN, "broker", remedy(c, a.reason), "%s:%d: %s", c->mqtt.host,
               c->mqtt.port, a.reason);
}
