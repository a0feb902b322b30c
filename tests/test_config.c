#include "base/config.h"
#include "base/options.h"
#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int make_file(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/earshot-config.XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void start(struct config *c)
{
    struct err err;
    if (config_init(c, &err) < 0)
        fail_msg("%s", err.text);
}

/* All that is reported about the text; the caller frees it. */
static char *report_of(const char *text, size_t size, int want, struct err *err)
{
    struct config c;
    char *lines = NULL;
    size_t n = 0;
    FILE *report = open_memstream(&lines, &n);

    put(text, size);
    start(&c);
    int rc = config_read(&c, path, report, err);
    fclose(report);
    config_free(&c);
    if (rc != want)
        fail_msg("gave %d for:\n%s\nwith: %s", rc, text, lines);
    return lines;
}

static void test_defaults(void **state)
{
    (void)state;
    struct config c;
    start(&c);
    assert_string_equal(c.input.device, "default");
    assert_string_equal(c.input.channel, "mix");
    assert_int_equal(c.input.rate, 0);
    assert_int_equal(c.gate.threshold.kind, THRESHOLD_AUTO);
    assert_true(c.gate.threshold.db == 12 && c.gate.hysteresis_db == 6 && c.gate.hold_s == 0.5);
    assert_true(c.gate.preroll_s == 0.25 && c.gate.min_duration_s == 0.05 && c.gate.highpass_hz == 40);
    assert_true(c.gate.floor_dbfs == -60);
    assert_string_equal(c.model.file, "earshot-s");
    assert_true(c.model.window == 0 && c.model.hop == 0.5);
    assert_true(c.decision.threshold == -1 && c.decision.confirm == 2 && c.decision.release == 3);
    assert_true(c.decision.cooldown == 0 && c.decision.close_ratio == 0.6 && c.decision.late_after == 30);
    assert_false(c.decision.unknown);
    assert_true(c.mqtt.enabled && !c.mqtt.tls);
    assert_string_equal(c.mqtt.host, "localhost");
    assert_string_equal(c.mqtt.base, "earshot");
    assert_string_equal(c.mqtt.node, "");
    assert_int_equal(c.mqtt.port, 1883);
    assert_int_equal(c.mqtt.version, 0);
    assert_int_equal(c.mqtt.keepalive, 30);
    assert_int_equal(c.mqtt.queue, 1000);
    assert_true(c.level.interval == 10 && c.mqtt.health_interval == 60);
    assert_string_equal(c.log.level, "info");
    assert_string_equal(c.log.format, "auto");
    assert_int_equal(c.n_rules, 0);
    assert_int_equal(config_check(&c, NULL), 0);
    config_free(&c);
    config_free(&c);
}

/* Every row is whole: what is missing here would come out in a message or in the man page. */
static void test_table(void **state)
{
    (void)state;
    const char *last = "";
    for (const struct option *o = options; o->section; o++) {
        char allowed[256];
        bool known = false;
        for (const struct section *s = sections; s->name; s++)
            known |= strcmp(s->name, o->section) == 0;
        assert_true(known);
        assert_ptr_equal(option_find(o->section, o->name), o);
        assert_true(strlen(o->help) > 10 && o->help[strlen(o->help) - 1] == '.');
        option_allowed(o, allowed, sizeof allowed);
        assert_true(strlen(allowed) > 4 && strlen(allowed) < sizeof allowed - 1);
        if (strcmp(last, o->section) != 0) /* rows of a section stand together: none before has it */
            for (const struct option *p = options; p < o; p++)
                assert_string_not_equal(p->section, o->section);
        last = o->section;
    }
    assert_null(option_find("gate", "rate"));
}

/* A bad file: on which line, and a phrase of what is said. One bad line each. */
static void test_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *says;
    } rows[] = {
        {"[gate]\nhold = abc\n", 2, "hold = abc: not a number; allowed: a number from 0 to 60 s"},
        {"[gate]\nhold =\n", 2, "no value"},
        {"[gate]\nhold = nan\n", 2, "not a number"},
        {"[gate]\nhold = inf\n", 2, "not a number"},
        {"[gate]\nhold = -inf\n", 2, "not a number"},
        {"[gate]\nhold = infinity\n", 2, "not a number"},
        {"[gate]\nhold = 0x1p3\n", 2, "\"x1p3\" behind the number"},
        {"[gate]\nhold = 1e999\n", 2, "not a number"},
        {"[gate]\nhold = 1 2\n", 2, "\"2\" behind the number"},
        {"[gate]\nhold = 1 s s\n", 2, "behind the number"},
        {"[gate]\nhold = 1 dB\n", 2, "\"dB\" behind the number"},
        {"[gate]\nhold = 61\n", 2, "out of range; allowed: a number from 0 to 60 s"},
        {"[gate]\nhold = 2 min\n", 2, "out of range"},
        {"[gate]\nhold = -1\n", 2, "out of range"},
        {"[gate]\nhold = 0,5 s\n", 2, "decimal sign is a point"},
        {"[gate]\nhold = 1 s # long\n", 2, "comment behind a value begins with"},
        {"[gate]\nhold = .\n", 2, "not a number"},
        {"[gate]\nhold = 1e\n", 2, "behind the number"},
        {"[gate]\nthreshold = loud\n", 2, "auto+12 dB"},
        {"[gate]\nthreshold = 3 dBFS\n", 2, "not a threshold"},
        {"[gate]\nhighpass = 4 Hz\n", 2, "off, or a number from 5 to 1000 Hz"},
        {"[input]\nrate = 44100.5\n", 2, "not a whole number"},
        {"[input]\nrate = 99999999999999999999\n", 2, "out of range; allowed: auto, or a whole number from 4000"},
        {"[input]\nrate = 1000\n", 2, "out of range"},
        {"[input]\nchannel = 0\n", 2, "channel's number from 1 to 64"},
        {"[input]\nchannel = left\n", 2, "not a channel; allowed: mix"},
        {"[input]\nchannel = 1.5\n", 2, "not a channel"},
        {"[mqtt]\nport = 70000\n", 2, "from 1 to 65535"},
        {"[mqtt]\nport = 0\n", 2, "out of range"},
        {"[mqtt]\nenabled = maybe\n", 2, "neither on nor off; allowed: on or off"},
        {"[mqtt]\nversion = 4\n", 2, "auto, 5 or 3.1.1"},
        {"[mqtt]\nhost = mqtt://broker\n", 2, "a URL is not taken"},
        {"[mqtt]\nhost = broker:1883\n", 2, "the port has an option of its own"},
        {"[mqtt]\nhost =\n", 2, "no value"},
        {"[mqtt]\nhost = my broker\n", 2, "not a host name"},
        {"[web]\nallowed_hosts = http://box.lan/x\n", 2, "a URL is not taken"},
        {"[web]\nallowed_hosts = box.lan, box.lan:8765\n", 2, "the port has an option of its own"},
        {"[mqtt]\nbase = house/#\n", 2, "wildcards"},
        {"[mqtt]\nbase = /house\n", 2, "empty level"},
        {"[mqtt]\npassword = geheim\n", 2, "password_file"},
        {"[mqtt]\nca_file = ~/ca.pem\n", 2, "home directory"},
        {"[log]\nlevel = inof\n", 2, "did you mean info?"},
        {"[log]\nlevel = loud\n", 2, "error, warn, info or debug"},
        {"[decision]\nignore = Dog Bark, music!\n", 2, "is not a class name"},
        {"[class dog_bark]\nactive = 22:00\n", 2, "22:00-07:00"},
        {"[class dog_bark]\nactive = 25:00-07:00\n", 2, "two times of the day"},
        {"[class dog_bark]\nactive = 22:60-07:00\n", 2, "two times of the day"},
        {"[class dog_bark]\nactive = 22:00-22:00\n", 2, "the same time twice"},
        {"[class dog_bark]\nactive = 22:00-07:00x\n", 2, "two times of the day"},
        {"[class dog_bark]\nactive = 022:00-07:00\n", 2, "two times of the day"},
        {"[class dog_bark]\nmode = alow\n", 2, "did you mean allow?"},
        {"[class dog_bark]\nthreshold = 2\n", 2, "default, or a number from 0 to 1"},
        {"[class dog_bark]\nconfirm = 0\n", 2, "out of range"},
        {"[class dog_bark]\nhold = 1\n", 2, "it stands in [gate]"},
        {"[class Dog-Bark]\nthreshold = 2\n", 1, "did you mean dog_bark"},
        {"[class]\nthreshold = 2\n", 1, "allowed: [class NAME]"},
        {"[class a.b]\n", 1, "is not a class name"},
        {"[class aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", 1, "is not a class name"},
        {"[gaet]\nhold = 1\n", 1, "unknown section [gaet], did you mean [gate]?"},
        {"[clas dog]\nhold = 1\n", 1, "did you mean [class NAME]?"},
        {"[telegram]\nport = 8765\n", 1, "unknown section [telegram]"},
        {"[]\n", 1, "unknown section []"},
        {"[gate\nhold = 1\n", 1, "the ] that ends"},
        {"[gate] hold = 1\n", 1, "text behind the ]"},
        {"\n\n[gate]\nhod = 1\n", 4, "unknown option \"hod\" in [gate], did you mean hold?"},
        {"[gate]\nrate = 1\n", 2, "it stands in [input]"},
        {"[gate]\nxyzzy = 1\n", 2, "there are threshold, hysteresis, hold"},
        {"hold = 1\n", 1, "before any section"},
        {"[gate]\nhold\n", 2, "no = in the line"},
        {"[gate]\nhold ; = 1\n", 2, "no = in the line"},
        {"[gate]\n= 1\n", 2, "no name before the ="},
        {"[gate]\nhold = 1\n\nhold", 4, "no = in the line"},
        {"[gate]\nhold = 1\rpreroll = 1\n", 2, "carriage return"},
        {"[gate]\nhold = 1\x1b[2J\n", 2, "control character"},
        {"[input]\ndevice = caf\xe9\n", 2, "not UTF-8"},
        {"[input]\ndevice = \xed\xa0\x80\n", 2, "not UTF-8"},
        {"[gate]\n; comment\n# another\n\n   hold = x\n", 5, "hold = x"},
    };
    assert_true(sizeof rows / sizeof *rows >= 40);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        char place[96];
        char *lines = report_of(rows[i].text, strlen(rows[i].text), -1, &err);
        snprintf(place, sizeof place, "%s:%u: ", path, rows[i].line);
        if (strncmp(lines, place, strlen(place)) != 0 || !strstr(lines, rows[i].says))
            fail_msg("row %zu, wanted %s...%s..., got %s", i, place, rows[i].says, lines);
        if (strchr(lines, '\n') != lines + strlen(lines) - 1)
            fail_msg("row %zu: more than one line: %s", i, lines);
        if (strncmp(err.text, lines, strlen(lines) - 1) != 0)
            fail_msg("row %zu: err has %s, the report %s", i, err.text, lines);
        free(lines);
    }
}

/* All of them, in order, and what is good counts all the same. */
static void test_several_bad_lines(void **state)
{
    (void)state;
    static const char text[] =
        "[gate]\nhold = x\nhysteresis = 7\n[nix]\na = 1\nb = 2\n[input\nrate = 1\n[mqtt]\nport = x\n";
    struct err err = {""};
    char want[1024];
    char *lines = report_of(text, strlen(text), -1, &err);
    static const unsigned at[] = {2, 4, 7, 10};
    char *line = lines;
    for (size_t i = 0; i < 4; i++, line = strchr(line, '\n') + 1) {
        snprintf(want, sizeof want, "%s:%u: ", path, at[i]);
        assert_memory_equal(line, want, strlen(want));
    }
    assert_string_equal(line, "");
    assert_non_null(strstr(err.text, ":2: hold = x"));
    assert_non_null(strstr(err.text, "(and 3 more bad lines"));
    free(lines);
}

/* What can be written in more than one way, and what it comes to. */
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *assignment;
        const char *text;
    } rows[] = {
        {"gate.hold=0.5", "0.5 s"},
        {"gate.hold=500 ms", "0.5 s"},
        {"gate.hold=500ms", "0.5 s"},
        {"gate.hold=35 ms", "0.035 s"},
        {"gate.hold=+.5 sec", "0.5 s"},
        {"gate.hold=1e0 S", "1 s"},
        {"gate.hold=1.5", "1.5 s"},
        {"gate.hold=0.1 min", "6 s"},
        {"gate.hysteresis=12 dB", "12 dB"},
        {"gate.hysteresis=12DB", "12 dB"},
        {"gate.highpass=0.04 kHz", "40 Hz"},
        {"gate.highpass=off", "off"},
        {"gate.highpass=0", "off"},
        {"gate.threshold=-40", "-40 dBFS"},
        {"gate.threshold=0.1", "-20 dBFS"},
        {"gate.threshold=auto + 9 dB", "auto+9 dB"},
        {"gate.threshold=OFF", "off"},
        {"input.rate=AUTO", "auto"},
        {"input.rate=0", "auto"},
        {"input.rate=44.1 kHz", "44100 Hz"},
        {"input.latency=0.1 s", "100 ms"},
        {"input.gain_db=-6", "-6 dB"},
        {"input.channel=MIX", "mix"},
        {"input.channel=2", "2"},
        {"input.channel=+2", "2"},
        {"input.device=USB = Mic #2", "USB = Mic #2"},
        {"input.device=caf\xc3\xa9", "caf\xc3\xa9"},
        {"mqtt.enabled=no", "off"},
        {"mqtt.enabled=FALSE", "off"},
        {"mqtt.enabled=0", "off"},
        {"mqtt.tls=yes", "on"},
        {"mqtt.tls=true", "on"},
        {"mqtt.tls=1", "on"},
        {"mqtt.version=3.1.1", "3.1.1"},
        {"mqtt.host=fe80::1%eth0", "fe80::1%eth0"},
        {"level.interval=off", "off"},
        {"mqtt.queue=1e3", "1000"},
        {"decision.cooldown=1 h", "3600 s"},
        {"decision.threshold=model", "model"},
        {"decision.threshold=0.7", "0.7"},
        {"class.dog_bark.threshold=0.3", "0.3"},
        {"class.dog_bark.threshold=default", "default"},
        {"class.dog_bark.active=7:05-22:00", "07:05-22:00"},
        {"class.dog_bark.active=22:00 - 07:00", "22:00-07:00"},
        {"class.dog_bark.active=18:00-24:00", "18:00-00:00"},
        {"class.dog_bark.active=always", "always"},
        {"class.dog_bark.mode=ignore", "ignore"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        struct err err = {""};
        char text[OPTION_VALUE], section[32], name[32];
        start(&c);
        if (config_set(&c, rows[i].assignment, &err) < 0)
            fail_msg("%s: %s", rows[i].assignment, err.text);
        assert_true(config_is_option(rows[i].assignment));
        sscanf(rows[i].assignment, "%31[^.].", section);
        sscanf(rows[i].assignment, strcmp(section, "class") ? "%*[^.].%31[^=]" : "%*[^.].%*[^.].%31[^=]", name);
        const struct option *o = option_find(section, name);
        assert_non_null(o);
        option_text(o, strcmp(section, "class") ? (void *)&c : (void *)&c.rules[0], text);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("%s came to %s", rows[i].assignment, text);
        config_free(&c);
    }
}

static void test_bad_assignments(void **state)
{
    (void)state;
    static const struct {
        const char *assignment, *says;
    } rows[] = {
        {"", "SECTION.OPTION=VALUE"},
        {"hold=1", "SECTION.OPTION=VALUE"},
        {"gate.hold", "a value is missing; allowed: a number from 0 to 60 s"},
        {"gate.hod=1", "did you mean hold?"},
        {"gaet.hold=1", "did you mean [gate]?"},
        {"gate.x.hold=1", "unknown option"},
        {"class.hold=1", "class.NAME.OPTION=VALUE"},
        {"class.Dog.threshold=1", "did you mean dog"},
        {"class..threshold=1", "is not a class name"},
        {"class.dog.treshold=1", "did you mean threshold?"},
        {"mqtt.password=x", "password_file"},
        {"gate.hold= 1", "not a number"},
        {".=", "unknown section"},
        {"gate.hold=1\n", "behind the number"},
        {"input.device=a\nb", "control character"},
    };
    struct config c;
    start(&c);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        if (config_set(&c, rows[i].assignment, &err) != -1)
            fail_msg("%s was taken", rows[i].assignment);
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s: wanted %s, got %s", rows[i].assignment, rows[i].says, err.text);
    }
    char big[1024];
    struct err err = {""};
    snprintf(big, sizeof big, "input.device=%0*d", CONFIG_TEXT, 0);
    assert_int_equal(config_set(&c, big, &err), -1);
    assert_non_null(strstr(err.text, "too long; allowed: text of up to 255 bytes"));
    assert_string_equal(c.input.device, "default"); /* as before */
    snprintf(big, sizeof big, "%0*d.x=1", 900, 0);
    assert_int_equal(config_set(&c, big, &err), -1);
    config_free(&c);
}

static void test_forms(void **state)
{
    (void)state;
    struct config c;
    struct err err = {""};
    static const char text[] = "\xef\xbb\xbf[gate]\r\n"
                               "  hold = 1 s ; a comment\r\n"
                               "\r\n"
                               "preroll: 0.1\r\n"
                               "[ input ] # here too\n"
                               "device = \"  USB  \"\n"
                               "\t[mqtt]\n"
                               "    username = a;b#c ;d\n"
                               "    node =\n"
                               "[gate]\n"
                               "hysteresis=3";
    put(text, sizeof text - 1);
    start(&c);
    if (config_read(&c, path, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(c.gate.hold_s == 1 && c.gate.preroll_s == 0.1 && c.gate.hysteresis_db == 3);
    assert_string_equal(c.input.device, "  USB  ");
    assert_string_equal(c.mqtt.username, "a;b#c");
    config_free(&c);

    /* nothing at all, comments alone, a BOM alone: all good */
    static const char *const empty[] = {"", "\n\n", "# x", "\xef\xbb\xbf", "\xef\xbb\xbf# x\n", "   \t ", "[gate]"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        free(report_of(empty[i], strlen(empty[i]), 0, &err));
}

static void test_nul_and_long_lines(void **state)
{
    (void)state;
    struct err err = {""};
    static const char nul[] = "[gate]\nhold = 1\0\npreroll = x\n";
    char *lines = report_of(nul, sizeof nul - 1, -1, &err), place[96];
    snprintf(place, sizeof place, "%s:2: a NUL byte", path);
    assert_memory_equal(lines, place, strlen(place));
    snprintf(place, sizeof place, "%s:3: preroll = x", path);
    assert_non_null(strstr(lines, place)); /* the line after it is counted right */
    free(lines);

    static const char utf16[] = "\xff\xfe[\0g\0a\0t\0e\0]\0\n\0";
    lines = report_of(utf16, sizeof utf16 - 1, -1, &err);
    assert_non_null(strstr(lines, ":1: a NUL byte; allowed: UTF-8"));
    free(lines);

    /* exactly at the limit, one beyond it, and far beyond; a comment may be as long as it likes */
    for (int size = 190; size <= 191; size++) {
        char text[2000];
        int n = snprintf(text, sizeof text, "[input]\ndevice = %0*d\nrate = x\n", size - 9, 0);
        lines = report_of(text, (size_t)n, -1, &err);
        assert_true((strstr(lines, ":2: the line is too long") != NULL) == (size > 190));
        assert_non_null(strstr(lines, ":3: rate = x"));
        free(lines);
    }
    size_t n = 100000;
    char *big = malloc(n + 32);
    memset(big, 'x', n);
    memcpy(big, "[gate]\nhold = ", 14);
    memcpy(big + n, "\npreroll = y\n", 14);
    lines = report_of(big, n + 13, -1, &err);
    assert_non_null(strstr(lines, ":2: the line is too long; allowed: up to 190 bytes"));
    assert_non_null(strstr(lines, ":3: preroll = y"));
    free(lines);
    big[7] = '#';
    lines = report_of(big, n + 13, -1, &err);
    assert_null(strstr(lines, "too long"));
    free(lines);
    free(big);
}

static void test_not_a_file(void **state)
{
    (void)state;
    struct config c;
    struct err err = {""};
    start(&c);
    assert_int_equal(config_read(&c, "/nonexistent/earshot.conf", NULL, &err), -1);
    assert_string_equal(err.text, "cannot open /nonexistent/earshot.conf: No such file or directory");
    assert_int_equal(config_read(&c, "/tmp", NULL, &err), -1);
    assert_string_equal(err.text, "cannot read /tmp: Is a directory");
    assert_int_equal(config_read(&c, "/dev/zero", NULL, &err), -1);
    assert_non_null(strstr(err.text, "larger than 8 MiB"));
    assert_int_equal(config_read(&c, "/dev/null", NULL, &err), 0);
    config_free(&c);
}

/* 10^5 lines: the last one is named rightly, and it takes no time to speak of. */
static void test_many_lines(void **state)
{
    (void)state;
    struct err err = {""};
    char *text = NULL, place[96];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < 33333; i++)
        fprintf(out, "[class c%d]\nthreshold = 0.%d\ncooldown = %d\n", i % 1000, i % 90 + 10, i % 3000);
    fprintf(out, "[nix]\n");
    fclose(out);
    char *lines = report_of(text, size, -1, &err);
    snprintf(place, sizeof place, "%s:100000: unknown section", path);
    assert_non_null(strstr(lines, place));
    free(lines);
    free(text);

    out = open_memstream(&text, &size);
    for (int i = 0; i < 2000; i++)
        fprintf(out, "[class c%d]\nthreshold = 0.5\n", i);
    fclose(out);
    lines = report_of(text, size, -1, &err);
    assert_non_null(strstr(lines, ":2049: more than 1024 sections [class NAME]"));
    free(lines);
    free(text);
}

static void test_duplicates_and_lists(void **state)
{
    (void)state;
    struct config c;
    struct err err = {""};
    static const char text[] = "[gate]\nhold = 1\n[decision]\nignore = speech\nignore = music, rain\n[gate]\nhold = 2\n"
                               "[class rain]\nrelease = 1\n[class siren]\nrelease = 1\n[class rain]\nrelease = 2\n";
    char *lines = report_of(text, strlen(text), 0, &err), want[512];
    snprintf(want, sizeof want,
             "%s:7: warning: hold was given on line 2 already; this one counts\n"
             "%s:13: warning: release was given on line 9 already; this one counts\n",
             path, path);
    assert_string_equal(lines, want);
    free(lines);

    start(&c);
    assert_int_equal(config_read(&c, path, stderr, &err), 0);
    assert_true(c.gate.hold_s == 2);
    assert_int_equal(c.n_rules, 4);
    static const char *const ignored[] = {"speech", "music", "rain"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(config_find_rule(&c, ignored[i])->mode, CLASS_IGNORE);
    assert_int_equal(config_find_rule(&c, "siren")->mode, CLASS_DEFAULT);
    assert_true(config_find_rule(&c, "rain")->release_s == 2);
    assert_true(config_find_rule(&c, "siren")->threshold < 0 && config_find_rule(&c, "siren")->confirm < 0);
    assert_int_equal(config_find_rule(&c, "siren")->active_from, -1);
    assert_null(config_find_rule(&c, "nix"));

    /* a flag adds to the list; empty takes it back */
    assert_int_equal(config_set(&c, "decision.ignore=siren,", &err), 0);
    assert_int_equal(config_find_rule(&c, "siren")->mode, CLASS_IGNORE);
    assert_int_equal(config_find_rule(&c, "speech")->mode, CLASS_IGNORE);
    assert_int_equal(config_set(&c, "decision.allow=speech", &err), 0);
    assert_int_equal(config_set(&c, "decision.ignore=", &err), 0);
    assert_int_equal(config_find_rule(&c, "siren")->mode, CLASS_DEFAULT);
    assert_int_equal(config_find_rule(&c, "speech")->mode, CLASS_ALLOW);
    assert_int_equal(config_set(&c, "class.night.active=22:30-06:15", &err), 0);
    assert_int_equal(config_find_rule(&c, "night")->active_from, 22 * 60 + 30);
    assert_int_equal(config_find_rule(&c, "night")->active_to, 6 * 60 + 15);
    config_free(&c);
}

static void count(void *ctx, const char *key, const char *from, const char *to, bool reloadable)
{
    (void)reloadable;
    print_message("%s: %s -> %s\n", key, from, to);
    ++*(int *)ctx;
}

static void expect_same(const struct config *a, const struct config *b)
{
    int differences = 0;
    config_diff(a, b, count, &differences);
    assert_int_equal(differences, 0);
}

static void write_and_read(const struct config *c, bool comments, struct config *back)
{
    struct err err = {""};
    char *lines = NULL;
    size_t n = 0;
    FILE *out = fopen(path, "w"), *report = open_memstream(&lines, &n);
    assert_non_null(out);
    config_write(c, out, comments);
    assert_int_equal(fclose(out), 0);
    start(back);
    int rc = config_read(back, path, report, &err);
    fclose(report);
    if (rc < 0 || *lines)
        fail_msg("%s", lines);
    free(lines);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const flags[] = {
        "input.device=file:/tmp/a b; c.wav",
        "input.rate=48000",
        "input.channel=3",
        "input.gain_db=-3.3",
        "input.latency=12.5",
        "gate.threshold=0.03",
        "gate.hold=0.3333333333333333",
        "gate.highpass=off",
        "model.file=/a/very long/path",
        "model.window=0.975",
        "model.hop=0.4875",
        "decision.threshold=0.123456789",
        "decision.unknown=on",
        "decision.allow=siren",
        "decision.ignore=rain,music",
        "mqtt.enabled=off",
        "mqtt.username=\"quoted\"",
        "mqtt.node= blank ",
        "mqtt.version=3.1.1",
        "level.interval=off",
        "mqtt.tls=on",
        "log.level=debug",
        "log.format=json",
        "state.dir=/tmp/x",
        "class.siren.threshold=0.1",
        "class.siren.confirm=3",
        "class.dog_bark.release=0.1",
        "class.dog_bark.cooldown=1 min",
        "class.dog_bark.active=22:00-7:00",
        "class.rain.threshold=0.7",
    };
    struct config c, back, defaults;
    struct err err = {""};
    start(&c);
    start(&defaults);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (config_set(&c, flags[i], &err) < 0)
            fail_msg("%s: %s", flags[i], err.text);
    for (int comments = 0; comments < 2; comments++) {
        write_and_read(&c, comments, &back);
        expect_same(&c, &back);
        config_free(&back);
        write_and_read(&defaults, comments, &back);
        expect_same(&defaults, &back);
        config_free(&back);
    }
    int differences = 0;
    config_diff(&defaults, &c, count, &differences);
    assert_int_equal(differences, 30 + 1); /* ignore sets two modes */
    config_free(&c);
}

/* What cannot stand in a file is still a valid file, and says so. */
static void test_unwritable(void **state)
{
    (void)state;
    struct config c, back;
    struct err err = {""};
    char line[512], text[64] = "";
    start(&c);
    assert_int_equal(config_set(&c, "input.device=file:a ;b", &err), 0);
    snprintf(line, sizeof line, "model.file=%0*d", 220, 0);
    assert_int_equal(config_set(&c, line, &err), 0);
    write_and_read(&c, false, &back);
    assert_string_equal(back.input.device, "default");
    assert_string_equal(back.model.file, "earshot-s");
    FILE *in = fopen(path, "r");
    while (fgets(line, sizeof line, in) && !strstr(line, "only as a flag"))
        ;
    fclose(in);
    snprintf(text, sizeof text, "%.60s", line);
    assert_string_equal(text, "# device: only as a flag, --input.device=file:a ;b\n");
    config_free(&c);
    config_free(&back);
}

static void test_whole(void **state)
{
    (void)state;
    static const struct {
        const char *flags[3];
        const char *says; /* NULL: good */
    } rows[] = {
        {{"model.hop=2", "model.window=1"}, "hop = 2 s is longer than window = 1 s"},
        {{"model.hop=2"}, NULL},
        {{"mqtt.tls=on", "mqtt.cert_file=/c"}, "cert_file is given but key_file is not"},
        {{"mqtt.tls=on", "mqtt.key_file=/k"}, "key_file is given but cert_file is not"},
        {{"mqtt.tls=on", "mqtt.key_file=/k", "mqtt.cert_file=/c"}, NULL},
        {{"mqtt.ca_file=/c"}, "set tls = on"},
        {{"mqtt.password_file=/p"}, "username is not"},
        {{"mqtt.password_file=/p", "mqtt.username=u"}, NULL},
        {{"input.channel=3", "input.channels=2"}, "channel = 3, but channels = 2"},
        {{"input.channel=2", "input.device=-"}, NULL},
        {{"input.channel=2", "input.device=-", "input.channels=2"}, NULL},
        {{"input.device="}, "device is empty"},
        {{"model.file="}, "file is empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        struct err err = {""};
        start(&c);
        for (size_t k = 0; k < 3 && rows[i].flags[k]; k++)
            assert_int_equal(config_set(&c, rows[i].flags[k], &err), 0);
        int rc = config_check(&c, &err);
        if ((rc < 0) != (rows[i].says != NULL) || (rc < 0 && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu: %d, %s", i, rc, err.text);
        config_free(&c);
    }
}

struct seen {
    char text[512];
};

static void note(void *ctx, const char *key, const char *from, const char *to, bool reloadable)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%s:%s>%s%s|", key, from, to, reloadable ? "" : "!");
}

static void test_diff(void **state)
{
    (void)state;
    struct config a, b;
    struct seen s = {""};
    start(&a);
    start(&b);
    assert_int_equal(config_set(&a, "class.siren.threshold=0.5", NULL), 0);
    assert_int_equal(config_set(&b, "class.rain.mode=ignore", NULL), 0);
    assert_int_equal(config_set(&b, "gate.hold=1", NULL), 0);
    assert_int_equal(config_set(&b, "mqtt.host=broker", NULL), 0);
    config_diff(&a, &b, note, &s);
    assert_string_equal(s.text, "gate.hold:0.5 s>1 s|mqtt.host:localhost>broker!|class.siren.threshold:0.5>default|"
                                "class.rain.mode:default>ignore|");
    config_free(&a);
    config_free(&b);
}

static char *slurp(FILE *in)
{
    char *text = NULL;
    size_t n = 0;
    assert_non_null(in);
    assert_true(getdelim(&text, &n, 0, in) > 0);
    fclose(in);
    return text;
}

/* The files in the tree are what the table gives: make them anew with `earshot config default >conf/earshot.conf`, and
 * conf/man/make.sh. */
static void test_shipped_files(void **state)
{
    (void)state;
    struct config c;
    char *made = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&made, &n);
    start(&c);
    config_write(&c, out, true);
    fclose(out);
    char *shipped = slurp(fopen("conf/earshot.conf", "r"));
    assert_string_equal(shipped, made);
    free(shipped);
    free(made);

    made = NULL;
    out = open_memstream(&made, &n);
    config_write_man(out);
    fclose(out);
    shipped = slurp(fopen("conf/man/earshot.conf.5", "r"));
    assert_non_null(strstr(shipped, made));
    free(shipped);
    free(made);
    config_free(&c);
}

static void test_text(void **state)
{
    (void)state;
    const char *end;
    double d;
    long l;
    assert_true(text_number("-1.5e1x", &d, &end) && d == -15 && *end == 'x');
    assert_true(text_number("1e+", &d, &end) && d == 1 && *end == 'e');
    assert_false(text_number(" 1", &d, &end) || text_number("e1", &d, &end) || text_number("+", &d, &end));
    assert_true(text_int("+12 ", &l, &end) && l == 12 && *end == ' ');
    assert_false(text_int(" 1", &l, &end) || text_int("99999999999999999999", &l, &end) || text_int("-", &l, &end));
    assert_int_equal(text_distance("hold", "hold", 3), 0);
    assert_int_equal(text_distance("hodl", "hold", 3), 1); /* two swapped */
    assert_int_equal(text_distance("HOLD", "hold", 3), 0);
    assert_int_equal(text_distance("kitten", "sitting", 5), 3);
    assert_int_equal(text_distance("abc", "xyz", 2), 3);
    assert_int_equal(text_distance("", "ab", 3), 2);
    assert_true(text_is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x94", 10));
    assert_false(text_is_utf8("\xc0\x80", 2) || text_is_utf8("\xf4\x90\x80\x80", 4) || text_is_utf8("\xe2\x82", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_several_bad_lines),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bad_assignments),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_nul_and_long_lines),
        cmocka_unit_test(test_not_a_file),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_duplicates_and_lists),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_shipped_files),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests_name("config", tests, make_file, remove_file);
}
