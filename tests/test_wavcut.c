#include "audio/wavcut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void put(unsigned char *b, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        b[i] = (unsigned char)(v >> 8 * i);
}

/* A header with a chunk of that length before the sound, which claims so many bytes; `there` of them are. */
static bool cut(uint32_t other, uint32_t claims, size_t there, uint64_t *have, uint64_t *claimed)
{
    unsigned char b[4096] = "RIFF....WAVEfmt ";
    size_t n = 12 + 8 + 16;

    put(b + 16, 16);
    if (other) {
        memcpy(b + n, "LIST", 4);
        put(b + n + 4, other);
        n += 8 + other + (other & 1);
    }
    memcpy(b + n, "data", 4);
    put(b + n + 4, claims);
    n += 8 + there;
    int fd = memfd_create("wav", MFD_CLOEXEC);
    assert_int_equal(write(fd, b, n), n);
    bool is = wavcut(fd, have, claimed);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), n);
    close(fd);
    return is;
}

static void test_lengths(void **state)
{
    (void)state;
    static const uint32_t others[] = {0, 1, 26, 27, 1000};
    uint64_t have, claimed;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(cut(others[i], 1000, 1000, &have, &claimed));
        assert_false(cut(others[i], 1000, 1001, &have, &claimed)); /* what follows is another chunk */
        assert_true(cut(others[i], 1000, 999, &have, &claimed));
        assert_true(have == 999 && claimed == 1000);
        assert_true(cut(others[i], 1000, 0, &have, &claimed));
        /* written by who could not go back */
        assert_false(cut(others[i], 0, 1000, &have, &claimed));
        assert_false(cut(others[i], UINT32_MAX, 1000, &have, &claimed));
        assert_false(cut(others[i], 0x7ffff000, 1000, &have, &claimed));
        assert_true(cut(others[i], 0x7fffefff, 1000, &have, &claimed));
    }
}

static void test_others(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "RIFF", "RIFF....WAVE", "RIFX....WAVEdata\xff\xff\0\0", "fLaC", "RIFF....AVI data\xff\xff\xff\0"};
    uint64_t have, claimed;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = memfd_create("wav", MFD_CLOEXEC);
        assert_true(write(fd, texts[i], strlen(texts[i])) >= 0);
        assert_false(wavcut(fd, &have, &claimed));
        close(fd);
    }
    assert_false(wavcut(-1, &have, &claimed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lengths), cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
