/* What of a webhook must not stand in the configuration: headers such as Authorization, and an address that is a secret itself. */
#ifndef EARSHOT_WEBHOOK_SECRET_H
#define EARSHOT_WEBHOOK_SECRET_H

#include "base/config.h"

#define SECRET_HEADERS 16
#define SECRET_SIZE    8192

struct webhook_secret {
    char text[SECRET_SIZE];                  /* what the others point into: do not copy the struct */
    const char *url;                         /* of the configuration or of the secret */
    const char *headers[SECRET_HEADERS + 1]; /* "Name: value", ends with NULL */
    size_t n;
};

/* Reads config's secret_file, else the credential webhook-NAME, else there is none. Lines that begin with http:// or https:// are the
 * address, others are headers; empty ones and those that begin with # are left out. -1: it cannot be read, a line is neither, or there is
 * no address anywhere; err never shows what is in it. */
int webhook_secret_read(struct webhook_secret *s, const struct webhook_config *config, struct err *err);
void webhook_secret_wipe(struct webhook_secret *s);

/* "https://host:port/...": for messages, where the path may be a secret. */
void webhook_secret_place(const char *url, char *out, size_t size);

#endif
