/* Who may ask: the token's file, sessions and codes, host and origin. */
#include "daemon/http/auth.h"
#include "daemon/http/guard.h"
#include "daemon/http/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN "0123456789abcdefXYZ"
static const uint8_t here[16] = {1}, there[16] = {2};
static char folder[] = "/tmp/test_web_auth.XXXXXX";

static void write_file(const char *path, const char *text, mode_t mode)
{
    unlink(path); /* one that may not be written to */
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static int read_token(const char *text, mode_t mode, char out[TOKEN_SIZE], struct err *err)
{
    static struct config c;

    snprintf(c.web.token_file, sizeof c.web.token_file, "%s/token", folder);
    write_file(c.web.token_file, text, mode);
    return token_read(&c, out, err);
}

static void test_token_file(void **state)
{
    char out[TOKEN_SIZE], longest[400];
    struct err err;

    (void)state;
    assert_int_equal(read_token(TOKEN "\n", 0640, out, &err), 1);
    assert_string_equal(out, TOKEN);
    assert_int_equal(read_token(TOKEN "\r\n", 0400, out, &err), 1);
    assert_string_equal(out, TOKEN);
    const struct {
        const char *text;
        mode_t mode;
        const char *says;
    } bad[] = {{TOKEN "\n", 0644, "chmod o="},
               {"short\n", 0600, "at least 16"},
               {"", 0600, "at least 16"},
               {TOKEN "\n" TOKEN "\n", 0600, "one line"},
               {"0123456789 abcdefXYZ", 0600, "blank"},
               {"0123456789\xc3\xa4"
                "bcdefXYZ",
                0600, "ASCII"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_token(bad[i].text, bad[i].mode, out, &err), -1);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_non_null(strstr(err.text, "token_file"));
        assert_null(strstr(err.text, "abcdef"));
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(read_token(longest, 0600, out, &err), -1);
}

static void test_token_absent(void **state)
{
    static struct config c;
    char out[TOKEN_SIZE];
    struct err err;

    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("EARSHOT_WEB_TOKEN");
    assert_int_equal(token_read(&c, out, &err), 0);
    setenv("EARSHOT_WEB_TOKEN", TOKEN, 1);
    assert_int_equal(token_read(&c, out, &err), 1);
    assert_string_equal(out, TOKEN);
    unsetenv("EARSHOT_WEB_TOKEN");
    snprintf(c.web.token_file, sizeof c.web.token_file, "%s/none", folder);
    assert_int_equal(token_read(&c, out, &err), -1);
    c.web.token_file[0] = '\0';
}

static void test_sessions(void **state)
{
    char session[AUTH_SECRET], other[AUTH_SECRET], code[AUTH_SECRET], path[64], line[200];
    struct err err;
    struct auth *a = auth_new(TOKEN, folder, &err);

    (void)state;
    assert_non_null(a);
    assert_true(auth_needed(a));
    assert_int_equal(auth_token(a, here, TOKEN), AUTH_OK);
    assert_int_equal(auth_token(a, here, TOKEN "x"), AUTH_WRONG);
    assert_int_equal(auth_token(a, here, ""), AUTH_WRONG);
    assert_int_equal(auth_begin_session(a, session), 0);
    assert_int_equal(auth_begin_session(a, other), 0);
    assert_true(auth_session(a, session));
    assert_false(auth_session(a, ""));
    assert_false(auth_session(a, TOKEN));
    assert_int_equal(auth_make_code(a, code), 0);
    assert_false(auth_session(a, code)); /* a code is no session, nor the other way round */
    assert_int_equal(auth_code(a, here, session), AUTH_WRONG);
    assert_int_equal(auth_code(a, here, code), AUTH_OK);
    assert_int_equal(auth_code(a, here, code), AUTH_WRONG); /* once */
    auth_end_session(a, other);
    assert_false(auth_session(a, other));
    auth_free(a);

    /* kept over a restart, by nothing that lets anybody in */
    snprintf(path, sizeof path, "%s/web-sessions", folder);
    FILE *f = fopen(path, "r");
    struct stat st;
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_non_null(fgets(line, sizeof line, f));
    assert_null(strstr(line, session));
    assert_null(fgets(line, sizeof line, f));
    fclose(f);
    a = auth_new(TOKEN, folder, &err);
    assert_true(auth_session(a, session));
    assert_false(auth_session(a, other));
    auth_free(a);
    a = auth_new(TOKEN "2", folder, &err); /* another token ends them */
    assert_false(auth_session(a, session));
    auth_free(a);
}

/* One that is used does not end. */
static void test_renewed(void **state)
{
    char session[AUTH_SECRET], path[64], line[200];
    struct err err;
    long long until, now = (long long)time(NULL);

    (void)state;
    snprintf(path, sizeof path, "%s/web-sessions", folder);
    unlink(path);
    struct auth *a = auth_new(TOKEN, folder, &err);
    assert_int_equal(auth_begin_session(a, session), 0);
    assert_false(auth_renew_session(a, session)); /* too early */
    auth_free(a);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    snprintf(line + 64, sizeof line - 64, " %lld\n", now + 100); /* as it is nearly a year later */
    write_file(path, line, 0600);
    a = auth_new(TOKEN, folder, &err);
    assert_false(auth_renew_session(a, "another"));
    assert_true(auth_session(a, session));
    assert_true(auth_renew_session(a, session));
    assert_false(auth_renew_session(a, session));
    auth_free(a);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*s %lld", &until), 1);
    assert_true(until >= now + AUTH_SESSION_S);
    fclose(f);
    unlink(path);
}

static void test_bad_file(void **state)
{
    char path[64], session[AUTH_SECRET];
    struct err err;

    (void)state;
    snprintf(path, sizeof path, "%s/web-sessions", folder);
    write_file(path,
               "\n \nx\n00 99999999999\n"
               "0000000000000000000000000000000000000000000000000000000000000000 99999999999\n"
               "zz00000000000000000000000000000000000000000000000000000000000000 99999999999\n"
               "0000000000000000000000000000000000000000000000000000000000000000\n"
               "0000000000000000000000000000000000000000000000000000000000000000 -5\n",
               0600);
    struct auth *a = auth_new(TOKEN, folder, &err);
    assert_false(auth_session(a, ""));
    assert_int_equal(auth_begin_session(a, session), 0);
    assert_true(auth_session(a, session));
    auth_free(a);
    unlink(path);
}

static void test_most(void **state)
{
    char first[AUTH_SECRET], last[AUTH_SECRET];
    struct err err;
    struct auth *a = auth_new(TOKEN, "", &err);

    (void)state;
    assert_int_equal(auth_begin_session(a, first), 0);
    for (int i = 0; i < AUTH_SESSIONS; i++)
        assert_int_equal(auth_begin_session(a, last), 0);
    assert_true(auth_session(a, last));
    auth_free(a);
}

static void test_guessing(void **state)
{
    struct err err;
    struct auth *a = auth_new(TOKEN, "", &err);

    (void)state;
    for (int i = 0; i < AUTH_FAILURES; i++)
        assert_int_equal(auth_token(a, here, "guess"), AUTH_WRONG);
    assert_int_equal(auth_token(a, here, TOKEN), AUTH_PAUSED);
    assert_int_equal(auth_token(a, there, TOKEN), AUTH_OK); /* others are not kept out */
    auth_free(a);
}

static void test_none_needed(void **state)
{
    char session[AUTH_SECRET];
    struct err err;
    struct auth *a = auth_new(NULL, "", &err);

    (void)state;
    assert_false(auth_needed(a));
    assert_true(auth_session(a, "whatever"));
    assert_int_equal(auth_begin_session(a, session), -1);
    auth_free(a);
}

static void test_host(void **state)
{
    const struct guard g = {{"box.example.org", NULL}, "ears.example.net, 203.0.113.5"};
    static const char *const good[] = {"localhost",        "LocalHost:8765",  "127.0.0.1:8765",     "127.1.2.3",
                                       "[::1]:8765",       "box.example.org", "BOX:8765",           "box.local",
                                       "box.local.",       "192.0.2.7:8765",  "ears.example.net:1", "203.0.113.5",
                                       "ears.example.net."};
    static const char *const bad[] = {"",
                                      "evil.example",
                                      "localhost.evil.example",
                                      "evil.example:8765",
                                      "box.evil.example",
                                      "192.0.2.8",
                                      "example.net",
                                      "ears.example.ne",
                                      "[::2]",
                                      "127.0.0.1.evil.example",
                                      "127.0.0.1:80:80",
                                      "localhost:",
                                      "localhost:123456",
                                      "localhost@evil.example",
                                      "[::1",
                                      "::1",
                                      "local host",
                                      ","};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!guard_host(&g, good[i], "::ffff:192.0.2.7"))
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (guard_host(&g, bad[i], "192.0.2.7"))
            fail_msg("%s is taken", bad[i]);
    assert_false(guard_host(&g, NULL, NULL));
    assert_true(guard_host(&g, "[2001:db8::7]:8765", "2001:db8:0::7"));
}

static void test_origin(void **state)
{
    (void)state;
    assert_true(guard_origin("http://box.local:8765", "box.local:8765"));
    assert_true(guard_origin("http://BOX.local", "box.local:80"));
    assert_true(guard_origin("https://box.local", "box.local"));
    assert_true(guard_origin("https://box.local", "box.local:443"));
    assert_true(guard_origin("http://[::1]:8765", "[::1]:8765"));
    assert_false(guard_origin("null", "box.local"));
    assert_false(guard_origin("", "box.local"));
    assert_false(guard_origin("http://evil.example", "box.local"));
    assert_false(guard_origin("http://box.local:3000", "box.local:8765"));
    assert_false(guard_origin("http://box.local", "box.local:8765"));
    assert_false(guard_origin("file://box.local", "box.local"));
    assert_false(guard_origin("http://box.local.evil.example", "box.local"));
    assert_false(guard_origin("http://box.local/", "box.local"));
    assert_false(guard_origin("http://box.local", NULL));
    assert_true(guard_site(NULL) && guard_site("none") && guard_site("same-origin"));
    assert_false(guard_site("same-site") || guard_site("cross-site") || guard_site(""));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int clear_folder(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "%s/token", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_token_file), cmocka_unit_test(test_token_absent),
                                       cmocka_unit_test(test_sessions),   cmocka_unit_test(test_renewed),
                                       cmocka_unit_test(test_bad_file),   cmocka_unit_test(test_most),
                                       cmocka_unit_test(test_guessing),   cmocka_unit_test(test_none_needed),
                                       cmocka_unit_test(test_host),       cmocka_unit_test(test_origin)};

    return cmocka_run_group_tests(tests, make_folder, clear_folder);
}
