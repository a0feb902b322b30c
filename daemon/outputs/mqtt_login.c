#include "daemon/outputs/mqtt_login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD_SIZE 1024

/* 1: read, 0: not there, -1: err. */
static int read_secret(const char *path, char out[PASSWORD_SIZE], struct err *err)
{
    /* O_NONBLOCK: a FIFO in its place must not hold us up */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    ssize_t n = fd < 0 ? -1 : read(fd, out, PASSWORD_SIZE);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return err_set(err, "password file %s: %s", path, strerror(saved));
    if (n == PASSWORD_SIZE)
        return err_set(err, "password file %s: longer than %d bytes", path, PASSWORD_SIZE - 1);
    if (memchr(out, '\0', (size_t)n))
        return err_set(err, "password file %s: holds a NUL byte", path);
    out[n] = '\0';
    if (n && out[n - 1] == '\n')
        out[--n] = '\0';
    if (n && out[n - 1] == '\r')
        out[--n] = '\0';
    return n ? 1 : err_set(err, "password file %s: empty", path);
}

static int find_secret(const struct config *config, char out[PASSWORD_SIZE], struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY"), *env = getenv("EARSHOT_MQTT_PASSWORD");

    if (config->mqtt.password_file[0]) {
        int found = read_secret(config->mqtt.password_file, out, err);
        return found ? found : err_set(err, "password file %s: %s", config->mqtt.password_file, strerror(ENOENT));
    }
    if (folder && *folder) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/mqtt-password", folder) < (int)sizeof path) {
            int found = read_secret(path, out, err);
            if (found)
                return found;
        }
    }
    if (!env || !*env)
        return 0;
    if (snprintf(out, PASSWORD_SIZE, "%s", env) >= PASSWORD_SIZE)
        return err_set(err, "EARSHOT_MQTT_PASSWORD: longer than %d bytes", PASSWORD_SIZE - 1);
    return 1;
}

int mqtt_login_password(struct mosquitto *m, const struct config *config, struct err *err)
{
    char password[PASSWORD_SIZE];

    err->text[0] = '\0';
    int found = find_secret(config, password, err);
    if (found > 0 && !config->mqtt.username[0])
        err_set(err, "there is a password but no mqtt.username: the password is not used");
    int rc = MOSQ_ERR_SUCCESS;
    if (config->mqtt.username[0])
        rc = mosquitto_username_pw_set(m, config->mqtt.username, found > 0 ? password : NULL);
    explicit_bzero(password, sizeof password);
    return rc == MOSQ_ERR_SUCCESS ? 0 : -1;
}

/* OpenSSL would ask for the passphrase of an encrypted key on the terminal, for ever. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return 0;
}

/* libmosquitto says no more of a file than that something was wrong. */
static int readable(const char *option, const char *path, struct err *err)
{
    if (*path && access(path, R_OK) != 0)
        return err_set(err, "mqtt.%s %s: %s", option, path, strerror(errno));
    return 0;
}

int mqtt_login_tls(struct mosquitto *m, const struct config *config, struct err *err)
{
    const char *ca = config->mqtt.ca_file, *cert = config->mqtt.cert_file, *key = config->mqtt.key_file;

    if (readable("ca_file", ca, err) || readable("cert_file", cert, err) || readable("key_file", key, err))
        return -1;
    int rc = MOSQ_ERR_SUCCESS;
    if (!*ca)
        rc = mosquitto_int_option(m, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    /* libmosquitto takes a client certificate only together with authorities: Debian's, beside OpenSSL's defaults */
    if (rc == MOSQ_ERR_SUCCESS && (*ca || *cert))
        rc = mosquitto_tls_set(m, *ca ? ca : NULL, *ca ? NULL : "/etc/ssl/certs", *cert ? cert : NULL,
                               *cert ? key : NULL, no_passphrase);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_tls_insecure_set(m, false);
    return rc == MOSQ_ERR_SUCCESS ? 0 : err_set(err, "TLS: %s", mosquitto_strerror(rc));
}
