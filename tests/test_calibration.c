#include "daemon/calibration.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[80];
static struct config config;

static int set_up(void **state)
{
    (void)state;
    struct err err;
    strcpy(dir, "/tmp/earshot-calibration-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/calibration", dir);
    return config_init(&config, &err);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    config_free(&config);
    return rmdir(dir);
}

static void save(const char *device, double offset)
{
    struct err err = {""};
    struct calibration c = {.offset_db = offset, .how = "tone", .time = "2026-01-01T00:00:00.000Z"};
    if (calibration_save(dir, &config, device, &c, 94, &err) < 0)
        fail_msg("%s", err.text);
}

static struct calibration find(const char *device)
{
    struct err err = {""};
    struct calibration c;
    if (calibration_find(dir, &config, device, &c, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static void test_kept(void **state)
{
    (void)state;
    struct calibration_seen seen = {0};
    assert_true(!find("USB mic").calibrated && find("USB mic").offset_db == 0);
    calibration_changed(dir, &seen);
    assert_false(calibration_changed(dir, &seen));
    save("USB mic: Audio (hw:1,0)", 125.5);
    assert_true(calibration_changed(dir, &seen));
    assert_false(calibration_changed(dir, &seen));
    save("Other \"mic\" \xff", 110);
    struct calibration c = find("USB mic: Audio (hw:3,0)"); /* ALSA's number changes */
    assert_true(c.calibrated && fabs(c.offset_db - 125.5) < 1e-9);
    assert_string_equal(c.how, "tone");
    assert_string_equal(c.time, "2026-01-01T00:00:00.000Z");
    assert_false(find("USB mic: Audi").calibrated);
    save("USB mic: Audio (hw:1,0)", 126.25); /* in the place of the one before */
    assert_true(fabs(find("USB mic: Audio").offset_db - 126.25) < 1e-9);

    config.input.gain_db = 6; /* the same microphone reads 6 dB more */
    assert_true(fabs(find("USB mic: Audio").offset_db - 120.25) < 1e-9);
    config.input.gain_db = 0;
    strcpy(config.input.channel, "2");
    assert_false(find("USB mic: Audio").calibrated);
    strcpy(config.input.channel, "mix");

    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0007, 0);
    FILE *f = fopen(path, "r");
    int lines = 0;
    for (int ch; (ch = getc(f)) != EOF;)
        lines += ch == '\n';
    fclose(f);
    assert_int_equal(lines, 2);
}

/* A data sheet's -26 dBFS (a full-scale sine being 0) at 94 dB is -29.01 dBFS here, so that 0 dBFS is 123.01 dB. */
static void test_stated(void **state)
{
    (void)state;
    assert_true(fabs(calibration_stated(-26, 0) - 123.0103) < 1e-3);
    assert_true(fabs(calibration_stated(-26, 10) - 113.0103) < 1e-3);
    save("mic", 100);
    config.level.sensitivity = -26;
    struct calibration c = find("mic");
    assert_true(c.calibrated && fabs(c.offset_db - 123.0103) < 1e-3);
    assert_string_equal(c.how, "stated");
    assert_true(find("any other").calibrated);
    config.level.sensitivity = LEVEL_CALIBRATED;
    assert_true(find("mic").offset_db == 100);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "nonsense\n",
        "{\"device\":\"mic\"}\n",
        "{\"device\":\"mic\",\"channel\":\"mix\",\"gain_db\":0,\"offset_db\":\"120\"}\n",
        "{\"device\":\"mic\",\"channel\":\"mix\",\"gain_db\":0,\"offset_db\":1e9}\n",
        "{\"device\":\"mic\",\"channel\":\"mix\",\"gain_db\":0,\"offset_db\":100}\n[]\n",
    };
    struct err err;
    struct calibration c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FILE *f = fopen(path, "w");
        fputs(bad[i], f);
        fclose(f);
        err.text[0] = '\0';
        assert_int_equal(calibration_find(dir, &config, "mic", &c, &err), -1);
        assert_false(c.calibrated);
        assert_non_null(strstr(err.text, i == 4 ? "calibration:2" : "calibration:1"));
        /* what is not understood is not thrown away either */
        assert_int_equal(calibration_save(dir, &config, "mic", &(struct calibration){.how = "tone"}, 94, &err), -1);
        char fresh[96];
        snprintf(fresh, sizeof fresh, "%s.new", path);
        assert_int_equal(access(fresh, F_OK), -1);
    }
    unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(calibration_find(dir, &config, "mic", &c, &err), -1);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(calibration_find(dir, &config, "mic", &c, &err), -1);
    rmdir(path);
    assert_int_equal(calibration_save("/nonexistent", &config, "mic", &c, 94, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent"));
    assert_int_equal(calibration_find("", &config, "mic", &c, &err), 0); /* no state directory */
    assert_false(c.calibrated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
