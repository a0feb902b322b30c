/* libFuzzer: any bytes as a configuration file, then its lines as flags. What was taken must come back the same from what is
 * written. Run by `make fuzz`. */
#include "base/config.h"
#include "base/log.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void differ(void *ctx, const char *key, const char *from, const char *to, bool reloadable)
{
    (void)ctx;
    (void)reloadable;
    fprintf(stderr, "%s was \"%s\", came back as \"%s\"\n", key, from, to);
    /* what config_write may leave out, and says so: see `fits` in config_write.c */
    if (strlen(from) + strlen(key) < 150 && !strstr(from, ";") && text_is_utf8(from, strlen(from)))
        abort();
}

static int in_memory(const void *data, size_t size, char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd < 0 || write(fd, data, size) != (ssize_t)size ? -1 : fd;
}

static void flags(struct config *c, const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *state = NULL;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        struct err err;
        config_set(c, line, &err);
        config_is_option(line);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c, back;
    struct err err = {""};
    char path[64], *written = NULL;
    size_t n = 0;
    FILE *report = fopen("/dev/null", "w");

    log_open(LOG_PLAIN, LOG_LEVEL_ERROR);
    int fd = in_memory(data, size, path);
    if (fd < 0 || config_init(&c, &err) < 0)
        abort();
    config_read(&c, path, report, &err);
    close(fd);
    flags(&c, data, size);
    config_check(&c, &err);

    FILE *out = open_memstream(&written, &n);
    config_write(&c, out, size & 1);
    fclose(out);
    fd = in_memory(written, n, path);
    if (fd < 0 || config_init(&back, &err) < 0)
        abort();
    if (config_read(&back, path, NULL, &err) < 0) {
        fprintf(stderr, "%s\n%s", err.text, written);
        abort();
    }
    config_diff(&c, &back, differ, NULL);
    close(fd);
    free(written);
    fclose(report);
    config_free(&c);
    config_free(&back);
    return 0;
}
