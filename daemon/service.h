/* The daemon's side of systemd and of Unix: readiness, watchdog, status text, signals. Works the same without systemd. */
#ifndef EARSHOT_SERVICE_H
#define EARSHOT_SERVICE_H

#include "base/err.h"
#include <stdbool.h>

struct service;

enum service_signal { SERVICE_NONE, SERVICE_STOP /* SIGTERM, SIGINT */, SERVICE_RELOAD /* SIGHUP */ };

/* Blocks the signals and opens a descriptor for them: call before any thread is made, so that all inherit the mask. */
struct service *service_new(struct err *err);
void service_free(struct service *s);

int service_fd(const struct service *s); /* readable when a signal has come */
enum service_signal service_take(struct service *s);

void service_ready(struct service *s);
void service_reloading(struct service *s); /* followed by service_ready */
void service_stopping(struct service *s);

/* STATUS=; sent when it differs from the last one. */
void service_status(struct service *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Once a tick: feeds the watchdog if there was progress. Says once in the log when there was none for half the watchdog's time. */
void service_watchdog(struct service *s, bool progress);

/* Is stderr the journal's? ($JOURNAL_STREAM names its device and inode.) */
bool service_stderr_is_journal(void);

#endif
