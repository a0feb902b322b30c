/* A WAV header from anybody. */
#include "audio/wavcut.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint64_t have, claimed;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    if (wavcut(fd, &have, &claimed) && (have >= claimed || have > size))
        abort();
    close(fd);
    return 0;
}
