/* The certificate that https is served with. */
#ifndef EARSHOT_HTTP_TLS_H
#define EARSHOT_HTTP_TLS_H

#include "base/config.h"
#include "base/err.h"
#include <sys/stat.h>
#include <time.h>

struct tls_files {
    char *cert, *key; /* PEM; malloc'ed */
    time_t expires;   /* of the first certificate */
    struct timespec changed[2];
};

/* Reads [web] tls_cert and tls_key and looks whether they are what they should be and belong together. -1: err, out is empty. */
int tls_read(const struct config *config, struct tls_files *out, struct err *err);
void tls_forget(struct tls_files *t);

/* Have the files changed since they were read? */
bool tls_changed(const struct config *config, const struct tls_files *t);

#endif
