#include "base/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/earshot-npy-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        size_t shape[NPY_DIMS], dims;
    } rows[] = {{{1}, 1}, {{40}, 1}, {{0}, 1}, {{0, 7}, 2}, {{3, 4}, 2}, {{2, 3, 4}, 3}, {{1, 2, 1, 2, 1, 2, 1, 2}, 8}};
    float data[64];
    for (size_t i = 0; i < 64; i++)
        data[i] = (float)i * 0.37f - 3;

    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct err err;
        size_t shape[NPY_DIMS], dims, total = 1;
        if (npy_write(path, data, rows[r].shape, rows[r].dims, &err) < 0)
            fail_msg("%s", err.text);
        float *back = npy_read(path, shape, &dims, &err);
        if (!back)
            fail_msg("%s", err.text);
        assert_int_equal(dims, rows[r].dims);
        for (size_t i = 0; i < dims; i++) {
            assert_int_equal(shape[i], rows[r].shape[i]);
            total *= shape[i];
        }
        assert_memory_equal(back, data, total * sizeof *data);
        free(back);
    }
}

/* The very bytes that NumPy writes for np.save(path, np.array([[1, 2], [3, 4]], '<f4')). */
static void test_bytes(void **state)
{
    (void)state;
    struct err err;
    const float data[] = {1, 2, 3, 4};
    const size_t shape[] = {2, 2};
    char bytes[160], want[128 + 16];
    memset(want, ' ', 128);
    memcpy(want, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(want + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 59);
    want[127] = '\n';
    memcpy(want + 128, data, 16);

    assert_int_equal(npy_write(path, data, shape, 2, &err), 0);
    FILE *f = fopen(path, "rb");
    assert_int_equal(fread(bytes, 1, sizeof bytes, f), sizeof want);
    fclose(f);
    assert_memory_equal(bytes, want, sizeof want);
}

static void test_growing(void **state)
{
    (void)state;
    struct err err;
    const size_t item[] = {2, 3};
    size_t shape[NPY_DIMS], dims;
    float data[24] = {1, 2, 3};
    struct npy_writer *w = npy_create(path, item, 2, &err);
    assert_non_null(w);
    assert_int_equal(npy_append(w, data, 1, &err), 0);
    assert_int_equal(npy_append(w, data, 0, &err), 0);
    assert_int_equal(npy_append(w, data, 3, &err), 0);
    assert_int_equal(npy_finish(w, &err), 0);
    float *back = npy_read(path, shape, &dims, &err);
    assert_non_null(back);
    assert_true(dims == 3 && shape[0] == 4 && shape[1] == 2 && shape[2] == 3);
    assert_true(back[0] == 1 && back[6] == 1 && back[8] == 3);
    free(back);

    /* abandoned: what was there stays */
    w = npy_create(path, item, 2, &err);
    assert_non_null(w);
    npy_abandon(w);
    npy_abandon(NULL);
    back = npy_read(path, shape, &dims, &err);
    assert_non_null(back);
    free(back);
}

static void test_cannot_write(void **state)
{
    (void)state;
    struct err err = {""};
    const float one = 1;
    const size_t item[NPY_DIMS + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_null(npy_create("/nowhere/at/all.npy", item, 1, &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all.npy"));
    assert_null(npy_create(path, item, NPY_DIMS, &err));
    assert_int_equal(npy_write(path, &one, item, 0, &err), -1);
    assert_int_equal(npy_write(path, &one, item, NPY_DIMS + 1, &err), -1);
}

static void write_header(const char *text, unsigned length, size_t data)
{
    FILE *f = fopen(path, "wb");
    const unsigned char prefix[] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)length, (unsigned char)(length >> 8)};
    fwrite(prefix, sizeof prefix, 1, f);
    fputs(text, f);
    for (size_t i = 0; i < data; i++)
        fputc(0, f);
    fclose(f);
}

static void test_refused(void **state)
{
    (void)state;
#define HEAD "{'descr': '<f4', 'fortran_order': False, 'shape': "
    static const struct {
        const char *text;
        unsigned length; /* 0: that of the text */
        size_t data;
    } rows[] = {
        {"", 0, 0},
        {"", 60000, 0},
        {HEAD "(2, 2), }\n", 1000, 16},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", 0, 16},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", 0, 8},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", 0, 16},
        {"{'descr': '<f4', 'fortran_order': False, }\n", 0, 16},
        {HEAD "(2, 2), }\n", 0, 15},
        {HEAD "(2, 2), }\n", 0, 17},
        {HEAD "(2, -2), }\n", 0, 16},
        {HEAD "(2, x), }\n", 0, 16},
        {HEAD "(2, 2", 0, 16},
        {HEAD "(4294967295, 4294967295, 4294967295), }\n", 0, 16},
        {HEAD "(4294967295, 4294967295), }\n", 0, 16},
        {HEAD "(18446744073709551617,), }\n", 0, 16},
        {HEAD "(1, 1, 1, 1, 1, 1, 1, 1, 1), }\n", 0, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        size_t shape[NPY_DIMS], dims;
        write_header(rows[i].text, rows[i].length ? rows[i].length : (unsigned)strlen(rows[i].text), rows[i].data);
        if (npy_read(path, shape, &dims, &err))
            fail_msg("row %zu was read", i);
        assert_non_null(strstr(err.text, path));
    }
    struct err err = {""};
    size_t shape[NPY_DIMS], dims;
    assert_null(npy_read("/nowhere/at/all.npy", shape, &dims, &err));
    assert_non_null(strstr(err.text, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_bytes),   cmocka_unit_test(test_growing),
        cmocka_unit_test(test_cannot_write), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("npy", tests, make_file, remove_file);
}
