/* [action NAME], [webhook NAME]: sections that stand once for each name; command lines taken apart. */
#include "base/argv.h"
#include "base/config.h"
#include "base/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void start(struct config *c)
{
    struct err err;
    if (config_init(c, &err) < 0)
        fail_msg("%s", err.text);
}

static int read_text(struct config *c, const char *text, FILE *report, struct err *err)
{
    char path[] = "/tmp/earshot-named.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int rc = config_read(c, path, report, err);
    unlink(path);
    return rc;
}

static void test_sections(void **state)
{
    (void)state;
    struct config c;
    struct err err = {""};
    start(&c);
    int rc = read_text(&c,
                       "[action flash]\nexec = \"/usr/bin/my lamp\" \"on\"\nlabel = siren\nlabel = co_alarm, siren\n"
                       "[webhook phone]\nurl = https://ntfy.sh/x?y=1\nbody = ${label} at ${time}\nmax_age = 5 min\n"
                       "[action door]\nexec = /bin/true\nevent = both\nmin_score = 0.4\nrate = off\ntest = yes\n"
                       "[action flash]\ngroup = alarm,vehicle\ntimeout = 500 ms\n",
                       NULL, &err);
    if (rc)
        fail_msg("%s", err.text);
    assert_int_equal(c.n_actions, 2);
    assert_int_equal(c.n_webhooks, 1);
    assert_string_equal(c.actions[0].name, "flash");
    assert_string_equal(c.actions[0].exec, "\"/usr/bin/my lamp\" \"on\"");
    assert_string_equal(c.actions[0].when.label, "siren, co_alarm");
    assert_string_equal(c.actions[0].when.group, "alarm, vehicle");
    assert_true(c.actions[0].timeout == 0.5 && c.actions[0].when.rate == 10 && !c.actions[0].when.test);
    assert_int_equal(c.actions[0].when.event, CHOICE_START);
    assert_int_equal(c.actions[1].when.event, CHOICE_BOTH);
    assert_true(c.actions[1].when.min_score == 0.4 && c.actions[1].when.rate == 0 && c.actions[1].when.test);
    assert_string_equal(c.webhooks[0].url, "https://ntfy.sh/x?y=1");
    assert_string_equal(c.webhooks[0].content_type, "application/json");
    assert_true(c.webhooks[0].max_age == 300 && c.webhooks[0].timeout == 10);
    assert_int_equal(config_check(&c, NULL), 0);
    assert_int_equal(config_set(&c, "action.flash.label=", &err), 0);
    assert_string_equal(c.actions[0].when.label, "");
    assert_int_equal(config_set(&c, "webhook.other.url=http://[::1]:8080/x", &err), 0);
    assert_int_equal(c.n_webhooks, 2);

    struct config copy = c;
    config_forget_lists(&copy);
    assert_true(!copy.actions && !copy.webhooks && !copy.rules && !copy.n_actions);
    config_free(&c);
    config_free(&c);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *says;
    } rows[] = {
        {"[action]\nexec = /bin/true\n", 1, "the action is missing; allowed: [action NAME]"},
        {"[action My Lamp]\n", 1, "\"My Lamp\" is not a name, did you mean my_lamp"},
        {"[acton x]\n", 1, "did you mean [action NAME]?"},
        {"[action x]\nexec = bin/true\n", 2, "\"bin/true\" is not an absolute path; allowed: /path/to/program"},
        {"[action x]\nexec = ~/x\n", 2, "\"~/x\" is not an absolute path"},
        {"[action x]\nexec = /bin/echo 'a\n", 2, "a ' that does not end"},
        {"[action x]\nexec = /bin/echo a\\\n", 2, "a \\ at the end"},
        {"[action x]\nexec = /bin/echo a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7\n", 2,
         "more than 32 arguments"},
        {"[action x]\nlabel = Smoke Alarm!\n", 2, "is not a class name"},
        {"[action x]\nlabel = siren, Dog-Bark\n", 2, "did you mean dog_bark"},
        {"[action x]\ngroup = alarms\n", 2, "\"alarms\" is none of them; allowed: alarm, animal, human"},
        {"[action x]\nevent = update\n", 2, "start, end or both"},
        {"[action x]\nmin_score = 2\n", 2, "from 0 to 1"},
        {"[action x]\ntimeout = 0\n", 2, "from 0.1 to 3600 s"},
        {"[action x]\nrate = 601\n", 2, "off, or a whole number from 1 to 600"},
        {"[action x]\nurl = http://x\n", 2, "it stands in [webhook]"},
        {"[action x]\nexce = /bin/true\n", 2, "did you mean exec?"},
        {"[webhook x]\nurl = ftp://x/y\n", 2, "neither http nor https; allowed: an address that begins with http://"},
        {"[webhook x]\nurl = file:///etc/passwd\n", 2, "neither http nor https"},
        {"[webhook x]\nurl = ntfy.sh/x\n", 2, "not a URL"},
        {"[webhook x]\nurl = http:///x\n", 2, "no host in it"},
        {"[webhook x]\nurl = http://:80/x\n", 2, "no host in it"},
        {"[webhook x]\nurl = https://me:pass@host/\n", 2, "they belong into the secret_file"},
        {"[webhook x]\nurl = http://host/a b\n", 2, "must be written as %"},
        {"[webhook x]\nbody = $label\n", 2, "\"$label\" is no value of an event; allowed: ${NAME}"},
        {"[webhook x]\nbody = ${labl}\n", 2, "\"${labl}\" is no value"},
        {"[webhook x]\nsecret_file = ~/x\n", 2, "~ is not replaced"},
        {"[webhook x]\nmax_age = 5\n", 2, "from 10 to 2592000 s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        struct err err = {""};
        char place[16];
        start(&c);
        assert_int_equal(read_text(&c, rows[i].text, NULL, &err), -1);
        snprintf(place, sizeof place, ":%u: ", rows[i].line);
        if (!strstr(err.text, place) || !strstr(err.text, rows[i].says))
            fail_msg("row %zu, wanted %s...%s..., got %s", i, place, rows[i].says, err.text);
        config_free(&c);
    }
}

static void test_whole(void **state)
{
    (void)state;
    struct config c;
    struct err err;
    start(&c);
    assert_int_equal(config_set(&c, "action.x.label=siren", &err), 0);
    assert_int_equal(config_check(&c, &err), -1);
    assert_non_null(strstr(err.text, "[action x] exec is missing"));
    config_set(&c, "action.x.exec=/bin/true", &err);
    assert_int_equal(config_check(&c, &err), 0);
    config_set(&c, "webhook.y.content_type=", &err);
    assert_int_equal(config_check(&c, &err), -1);
    assert_non_null(strstr(err.text, "[webhook y] content_type is empty"));
    assert_int_equal(config_set(&c, "action.exec=/bin/true", &err), -1);
    assert_non_null(strstr(err.text, "not action.NAME.OPTION=VALUE"));
    config_free(&c);
}

static void differs(void *ctx, const char *key, const char *from, const char *to, bool reloadable)
{
    (void)reloadable;
    char *text = ctx;
    snprintf(text + strlen(text), 1024 - strlen(text), "%s: %s -> %s\n", key, from, to);
}

/* Written and read back they are the same: long lists go over several lines. */
static void test_round_trip(void **state)
{
    (void)state;
    struct config c, back;
    struct err err = {""};
    char *text = NULL, difference[1024] = "", names[CONFIG_NAMES + 32] = "action.x.label=";
    size_t size = 0;

    start(&c);
    start(&back);
    for (int i = 0; i < 32; i++)
        sprintf(names + strlen(names), "%slabel_no_%d", i ? "," : "", i);
    assert_int_equal(config_set(&c, names, &err), 0);
    config_set(&c, "action.x.exec=\"/a b/c\" 'd \"e' \\ f \"g\"", &err);
    config_set(&c, "action.x.event=end", &err);
    config_set(&c, "webhook.w.url=http://h/", &err);
    config_set(&c, "webhook.w.body={\"text\": \"${label} $$\"}", &err);
    config_set(&c, "webhook.w.group=alarm, tool", &err);
    config_set(&c, "webhook.w.test=on", &err);
    FILE *out = open_memstream(&text, &size);
    config_write(&c, out, false);
    fclose(out);
    if (read_text(&back, text, NULL, &err) < 0)
        fail_msg("%s\n%s", err.text, text);
    config_diff(&c, &back, differs, difference);
    assert_string_equal(difference, "");
    config_set(&back, "webhook.w.rate=3", &err);
    config_set(&back, "action.y.late=on", &err);
    config_diff(&c, &back, differs, difference);
    assert_string_equal(difference, "action.y.late: off -> on\nwebhook.w.rate: 60 -> 3\n");
    free(text);
    config_free(&c);
    config_free(&back);
}

static void test_many(void **state)
{
    (void)state;
    struct config c;
    struct err err = {""};
    char text[64];

    start(&c);
    for (int i = 0; i < 32; i++) {
        snprintf(text, sizeof text, "action.a%d.exec=/bin/true", i);
        assert_int_equal(config_set(&c, text, &err), 0);
    }
    assert_int_equal(config_set(&c, "action.more.exec=/bin/true", &err), -1);
    assert_non_null(strstr(err.text, "more than 32 sections [action NAME]"));
    char longest[1024] = "action.a0.label=";
    for (int i = 0; i < 40; i++)
        sprintf(longest + strlen(longest), "some_label_%d,", i);
    assert_int_equal(config_set(&c, longest, &err), -1);
    assert_non_null(strstr(err.text, "too many of them; a group is shorter"));
    config_free(&c);
}

static void test_argv(void **state)
{
    (void)state;
    static const struct {
        const char *line, *args; /* args with | between them */
    } rows[] = {
        {"/bin/x", "/bin/x"},
        {"  /bin/x \t a  b ", "/bin/x|a|b"},
        {"/bin/x 'a b' \"c d\"", "/bin/x|a b|c d"},
        {"/bin/x '' \"\"", "/bin/x||"},
        {"'/my dir/x' --a='b c'd", "/my dir/x|--a=b cd"},
        {"/bin/x a\\ b \\'c\\\" \"d\\\"e\" 'f\\g'", "/bin/x|a b|'c\"|d\"e|f\\g"},
        {"/bin/x $HOME *.c > out | y; z `w` ~", "/bin/x|$HOME|*.c|>|out|||y;|z|`w`|~"},
    };
    struct argv a;
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char joined[256] = "";
        if (argv_split(&a, rows[i].line, &err) < 0)
            fail_msg("%s: %s", rows[i].line, err.text);
        for (int k = 0; k < a.n; k++)
            sprintf(joined + strlen(joined), "%s%s", k ? "|" : "", a.arg[k]);
        assert_string_equal(joined, rows[i].args);
        assert_null(a.arg[a.n]);
    }
    char line[1024] = "/bin/x ";
    memset(line + 7, 'a', 400);
    assert_int_equal(argv_split(&a, line, &err), -1);
    assert_non_null(strstr(err.text, "longer than"));
    assert_int_equal(argv_split(&a, "  ", &err), -1);
    assert_non_null(strstr(err.text, "no program"));
}

/* a copy has lists of its own: both are freed, and a row more in one is none in the other */
static void test_copy(void **state)
{
    (void)state;
    struct config c, twin;
    struct err err;

    start(&c);
    for (int i = 0; i < 40; i++) {
        char text[64];
        snprintf(text, sizeof text, "class.sound_%d.confirm=2", i);
        assert_int_equal(config_set(&c, text, &err), 0);
    }
    assert_int_equal(config_set(&c, "action.a.exec=/bin/true", &err), 0);
    assert_int_equal(config_set(&c, "webhook.w.url=http://host/", &err), 0);
    assert_int_equal(config_copy(&twin, &c, &err), 0);
    for (int i = 40; i < 70; i++) {
        char text[64];
        snprintf(text, sizeof text, "class.sound_%d.confirm=2", i);
        assert_int_equal(config_set(&twin, text, &err), 0);
    }
    assert_int_equal(config_set(&twin, "action.b.exec=/bin/false", &err), 0);
    assert_int_equal(c.n_rules, 40);
    assert_int_equal(c.n_actions, 1);
    config_free(&c);
    assert_int_equal(twin.n_rules, 70);
    assert_int_equal(twin.n_actions, 2);
    assert_string_equal(twin.actions[0].exec, "/bin/true");
    assert_string_equal(twin.actions[1].exec, "/bin/false");
    assert_int_equal(twin.n_webhooks, 1);
    assert_string_equal(twin.webhooks[0].url, "http://host/");
    config_free(&twin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),   cmocka_unit_test(test_bad),  cmocka_unit_test(test_whole),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_many), cmocka_unit_test(test_argv),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
