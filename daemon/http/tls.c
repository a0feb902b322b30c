#include "daemon/http/tls.h"

#include "daemon/http/token.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST (1 << 20)

/* `secret`: nobody but owner and group may read it. */
static char *read_file(const char *option, const char *path, bool secret, struct timespec *changed, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;

    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(err, "[web] %s %s: %s", option, path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > MOST) {
        err_set(err, "[web] %s %s: no file of a certificate's or key's size", option, path);
    } else if (secret && secret_check(option, path, &st, err) < 0) {
        text = NULL; /* err says why */
    } else if ((text = calloc(1, (size_t)st.st_size + 1)) && read(fd, text, (size_t)st.st_size) != st.st_size) {
        err_set(err, "[web] %s %s: cannot be read to its end", option, path);
        free(text);
        text = NULL;
    } else if (!text) {
        err_set(err, "[web] %s %s: out of memory", option, path);
    } else {
        *changed = st.st_mtim;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

static gnutls_datum_t datum(char *text)
{
    return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

static int check_cert(const struct config *c, struct tls_files *t, struct err *err)
{
    gnutls_datum_t pem = datum(t->cert);
    gnutls_x509_crt_t crt;

    if (gnutls_x509_crt_init(&crt) < 0)
        return err_set(err, "out of memory");
    int rc = gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM);
    if (rc == 0)
        t->expires = gnutls_x509_crt_get_expiration_time(crt);
    gnutls_x509_crt_deinit(crt);
    return rc == 0 ? 0
                   : err_set(err, "[web] tls_cert %s: no certificate (PEM): %s", c->web.tls_cert, gnutls_strerror(rc));
}

static int check_key(const struct config *c, struct tls_files *t, struct err *err)
{
    gnutls_datum_t pem = datum(t->key);
    gnutls_x509_privkey_t key;

    if (gnutls_x509_privkey_init(&key) < 0)
        return err_set(err, "out of memory");
    int rc = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_x509_privkey_deinit(key);
    if (rc == GNUTLS_E_DECRYPTION_FAILED)
        return err_set(err, "[web] tls_key %s: it is encrypted; allowed: a key without a passphrase", c->web.tls_key);
    return rc == 0 ? 0 : err_set(err, "[web] tls_key %s: no key (PEM): %s", c->web.tls_key, gnutls_strerror(rc));
}

static int check_pair(const struct config *c, struct tls_files *t, struct err *err)
{
    gnutls_datum_t cert = datum(t->cert), key = datum(t->key);
    gnutls_certificate_credentials_t both;

    if (gnutls_certificate_allocate_credentials(&both) < 0)
        return err_set(err, "out of memory");
    int rc = gnutls_certificate_set_x509_key_mem(both, &cert, &key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(both);
    if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return err_set(err, "[web] tls_key %s is not the key of tls_cert %s", c->web.tls_key, c->web.tls_cert);
    return rc >= 0 ? 0
                   : err_set(err, "[web] tls_cert %s, tls_key %s: %s", c->web.tls_cert, c->web.tls_key,
                             gnutls_strerror(rc));
}

int tls_read(const struct config *config, struct tls_files *out, struct err *err)
{
    *out = (struct tls_files){.cert = NULL};
    out->cert = read_file("tls_cert", config->web.tls_cert, false, &out->changed[0], err);
    out->key = out->cert ? read_file("tls_key", config->web.tls_key, true, &out->changed[1], err) : NULL;
    if (out->key && check_cert(config, out, err) == 0 && check_key(config, out, err) == 0 &&
        check_pair(config, out, err) == 0)
        return 0;
    tls_forget(out);
    return -1;
}

void tls_forget(struct tls_files *t)
{
    if (t->key)
        explicit_bzero(t->key, strlen(t->key));
    free(t->key);
    free(t->cert);
    t->key = t->cert = NULL;
}

static bool differs(const char *path, const struct timespec *then)
{
    struct stat st;

    return stat(path, &st) == 0 && (st.st_mtim.tv_sec != then->tv_sec || st.st_mtim.tv_nsec != then->tv_nsec);
}

bool tls_changed(const struct config *config, const struct tls_files *t)
{
    return differs(config->web.tls_cert, &t->changed[0]) || differs(config->web.tls_key, &t->changed[1]);
}
