/* Keeps ALSA, JACK and PortAudio off stderr, and asks ALSA what PortAudio would assert on. */
#include "base/log.h"
#include "daemon/devices.h"

#include <alsa/asoundlib.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void alsa_says(const char *file, int line, const char *function, int error, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    (void)file;
    (void)line;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_debug("ALSA: %s: %s%s%s", function, text, error ? ": " : "", error ? snd_strerror(error) : "");
}

static void jack_says(const char *text)
{
    log_debug("JACK: %s", text);
}

/* PortAudio prints "Expression '...' failed in ..." through stdio's stderr, three lines for every failed attempt to open a
 * device that is not there, and has no switch for it. stderr is a variable in glibc ("normal variables that you can set just
 * like any others"): ours hands such lines to the log at debug level and lets all others through. */
static ssize_t stderr_write(void *cookie, const char *text, size_t size)
{
    static const char noise[] = "Expression '";
    (void)cookie;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t)(end - text) + 1 - at : size - at;
        if (n >= sizeof noise && memcmp(text + at, noise, sizeof noise - 1) == 0)
            log_debug("PortAudio: %.*s", (int)(end ? n - 1 : n), text + at);
        else if (write(STDERR_FILENO, text + at, n) < 0)
            break; /* a stderr that is gone is nobody's business */
        at += n;
    }
    return (ssize_t)size;
}

void devices_prepare(void)
{
    static bool done; /* of the process, like the three libraries' own state */
    if (done)
        return;
    done = true;
    if (!getenv("JACK_NO_START_SERVER"))
        setenv("JACK_NO_START_SERVER", "1", 1);

    snd_lib_error_set_handler(alsa_says);
    /* libportaudio may or may not have loaded libjack: ours is no dependency of its own */
    void (*set_error)(void (*)(const char *)), (*set_info)(void (*)(const char *));
    *(void **)&set_error = dlsym(RTLD_DEFAULT, "jack_set_error_function");
    *(void **)&set_info = dlsym(RTLD_DEFAULT, "jack_set_info_function");
    if (set_error)
        set_error(jack_says);
    if (set_info)
        set_info(jack_says);

    FILE *filtered = fopencookie(NULL, "w", (cookie_io_functions_t){.write = stderr_write});
    if (filtered) {
        setvbuf(filtered, NULL, _IOLBF, 1024);
        stderr = filtered;
    }
}

int devices_check_alsa(struct err *err)
{
    snd_config_t *top = NULL, *pcm = NULL;
    snd_config_update_t *update = NULL;
    int e = snd_config_update_r(&top, &update, NULL);
    if (e >= 0 && top)
        e = snd_config_search(top, "pcm", &pcm);
    if (update)
        snd_config_update_free(update);
    if (top)
        snd_config_delete(top);
    if (e >= 0)
        return 0;
    const char *path = getenv("ALSA_CONFIG_PATH");
    return err_set(err, "the ALSA configuration%s%s cannot be used: %s", path ? " " : "", path ? path : "",
                   e == -ENOENT ? "unreadable, or without a pcm in it" : snd_strerror(e));
}
