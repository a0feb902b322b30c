/* What capture devices there are, and which of them is meant by what the user wrote. */
#ifndef EARSHOT_DEVICES_H
#define EARSHOT_DEVICES_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

#define MAX_DEVICES 256
#define DEVICE_NAME 128

struct device {
    int number; /* PortAudio's; changes when devices come and go */
    char name[DEVICE_NAME];
    char host_api[32];  /* "ALSA", "JACK Audio Connection Kit" ... */
    int host_rank;      /* where two host APIs know a device, the lower one is taken */
    int channels;       /* the most it records at once */
    double rate;        /* Hz, its default */
    double low_latency; /* s, its default for low latency */
    bool is_default;
};

/* Of an initialised PortAudio; the thread that owns it. Returns the count (outputs alone are left out). */
size_t devices_read(struct device *out, size_t max);

/* The same from a child process that gets `timeout_s`: a hung sound server hangs the child, an ALSA configuration that PortAudio
 * asserts on kills the child. -1 with err where it said nothing in that time. The child is forked, so call this before
 * threads are made (in a forked copy of a threaded process another thread's lock may stay held; the time limit would then say
 * that the server does not answer). */
int devices_list(struct device *out, size_t max, size_t *n, double timeout_s, struct err *err);

/* wanted: "" or "default", a number, a name, a part of a name (case ignored). remembered: the name of the device that it was
 * before, or "": then that one is meant whatever its number is now, also where ALSA's "(hw:1,0)" has changed. Returns an
 * index into d, -1 for none. */
int devices_find(const struct device *d, size_t n, const char *wanted, const char *remembered);

/* "0 default, 1 USB Audio ..." for messages; "none" where there is none. */
void devices_text(const struct device *d, size_t n, char *out, size_t size);

/* Once, before threads are made: no JACK server is started for us (and then waited for), and what ALSA, JACK and PortAudio print
 * on stderr becomes debug lines of the log. */
void devices_prepare(void);

/* Pa_Initialize asserts on an ALSA configuration without a `pcm`: ask ALSA first. Contacts no sound server. */
int devices_check_alsa(struct err *err);

#endif
