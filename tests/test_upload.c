/* Files that somebody sent: the process that looks through them, what it may not do, and who waits for it. The program that is started is
 * this very one. */
#include "base/base64.h"
#include "base/json.h"
#include "daemon/classify.h"
#include "daemon/classify_print.h"
#include "daemon/classify_settings.h"
#include "daemon/cmdline.h"
#include "daemon/upload/sandbox.h"
#include "daemon/upload/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulated.h"
#include "synth.h"

#define SIREN "tests/data/siren.flac"

/* --- the sandbox ----------------------------------------------------------------------------------------------------------------- */

static bool refused(long rc)
{
    return rc < 0 && errno == EPERM;
}

/* Bits of what was not refused as it should be; 0: all is well. */
static int try_all(void)
{
    static const struct sockaddr local = {.sa_family = AF_UNIX};
    const struct sandbox_limits limits = {.cpu_s = 5, .memory = 32 << 20, .output = 1 << 20};
    struct err err;
    struct stat st;
    char *const none[] = {NULL};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int s = socket(AF_UNIX, SOCK_STREAM, 0), bad = 0; /* what is open already may not be used either */

    if (sandbox_enter(&limits, &err) < 0)
        return 99;
    bad |= !refused(socket(AF_INET, SOCK_STREAM, 0)) || !refused(socket(AF_UNIX, SOCK_DGRAM, 0)) ? 1 : 0;
    bad |= !refused(connect(s, &local, sizeof local)) || !refused(bind(s, &local, sizeof local)) ? 1 : 0;
    bad |= !refused(open("/etc/passwd", O_RDONLY)) || !refused(open("/tmp/x", O_WRONLY | O_CREAT, 0600)) ? 2 : 0;
    bad |= !refused(unlink("/tmp/x")) || !refused(mkdir("/tmp/x", 0700)) || !refused(chdir("/")) ? 2 : 0;
    bad |= !refused(lstat("/etc/passwd", &st)) ? 2 : 0;
    bad |= !refused(fork()) || !refused(execve("/bin/true", none, none)) ? 4 : 0;
    bad |= !refused(kill(getppid(), 0)) || !refused(ptrace(PTRACE_TRACEME, 0, 0, 0)) ? 8 : 0;
    bad |= !refused(mprotect(page, 4096, PROT_READ | PROT_EXEC)) ? 16 : 0;
    errno = 0;
    bad |= mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ? 16 : 0;
    bad |= mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED
               ? 32
               : 0; /* beyond its memory */
    void *volatile small = malloc(1 << 20);
    bad |= !small || write(STDOUT_FILENO, "", 0) != 0 ? 64 : 0; /* what it needs works */
    return bad;
}

static int run_apart(int (*what)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(what());
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

static void test_sandbox(void **state)
{
    (void)state;
    int status = run_apart(try_all);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 99) {
        print_message("no seccomp here: nothing to be seen\n"); /* an emulator: the process refuses to go on */
        return;
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int compute_for_ever(void)
{
    const struct sandbox_limits limits = {.cpu_s = 1, .memory = 32 << 20, .output = 0};
    struct err err;

    if (sandbox_enter(&limits, &err) < 0)
        return 99;
    for (volatile unsigned long i = 0;; i++)
        ;
}

static void test_processor_time(void **state)
{
    (void)state;
    int status = run_apart(compute_for_ever);

    assert_true((WIFEXITED(status) && WEXITSTATUS(status) == 99) ||
                (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU));
}

/* --- jobs ------------------------------------------------------------------------------------------------------------------------ */

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t told;
    int done;
    struct upload_answer answer;
};

static void take(void *ctx, struct upload_answer *a)
{
    struct outcome *o = ctx;

    pthread_mutex_lock(&o->lock);
    o->done++;
    o->answer = *a;
    a->json = NULL;
    pthread_cond_broadcast(&o->told);
    pthread_mutex_unlock(&o->lock);
}

static void wait_for(struct outcome *o)
{
    pthread_mutex_lock(&o->lock);
    while (!o->done)
        pthread_cond_wait(&o->told, &o->lock);
    assert_int_equal(o->done, 1);
    pthread_mutex_unlock(&o->lock);
}

#define OUTCOME                                                                                                        \
    {                                                                                                                  \
        .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER                                            \
    }

static struct uploads *open_uploads(struct config *c)
{
    struct err err;

    assert_int_equal(config_init(c, &err), 0);
    struct uploads *u = uploads_new(c, "", &err);
    assert_non_null(u);
    return u;
}

static int temporary(const void *bytes, size_t n)
{
    int fd = memfd_create("upload", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    return fd;
}

/* json: the caller's to free */
static enum upload_result look_through(struct uploads *u, int file, const char *name, const char *model, char **json,
                                       char text[UPLOAD_TEXT])
{
    struct outcome o = OUTCOME;
    struct upload_job job = {.file = file, .client = -1, .done = take, .ctx = &o};

    snprintf(job.name, sizeof job.name, "%s", name);
    snprintf(job.model, sizeof job.model, "%s", model);
    assert_true(uploads_put(u, &job));
    wait_for(&o);
    snprintf(text, UPLOAD_TEXT, "%s", o.answer.text);
    if (json)
        *json = o.answer.json;
    else
        free(o.answer.json);
    return o.answer.result;
}

/* What earshot classify --json prints. */
static char *classified(const struct config *c, const char *path, const char *name)
{
    struct classify_params params = {0};
    char model[PATH_MAX], *text = NULL;
    const char *models = model;
    struct err err;
    size_t size;

    classify_take_config(&params, c);
    assert_int_equal(model_find(c->model.file, model, sizeof model, &err), 0);
    struct classifier *k = classifier_new(&params, &models, 1, &err);
    assert_non_null(k);
    FILE *out = open_memstream(&text, &size);
    classify_json(out, name, classifier_do(k, path, NULL, NULL, &err), 5);
    fclose(out);
    classifier_free(k);
    return text;
}

static bool no_seccomp(struct uploads *u)
{
    char text[UPLOAD_TEXT];

    if (emulated()) /* /proc/self/exe is the emulator there, and filters are not had */
        return true;
    bool none = look_through(u, open(SIREN, O_RDONLY | O_CLOEXEC), "", "", NULL, text) == UPLOAD_FAILED &&
                strstr(text, "seccomp");

    if (none)
        print_message("%s\n", text);
    return none;
}

static void test_same_answer(void **state)
{
    (void)state;
    static const char *const files[] = {SIREN, "tests/data/knock.flac", "tests/data/silence.flac"};
    struct config c;
    struct uploads *u = open_uploads(&c);
    char text[UPLOAD_TEXT];

    for (size_t i = 0; i < sizeof files / sizeof *files && !no_seccomp(u); i++) {
        char *json = NULL, *want = classified(&c, files[i], "sound (1).flac");
        int result = look_through(u, open(files[i], O_RDONLY | O_CLOEXEC), "sound (1).flac", "", &json, text);
        if (result != UPLOAD_GOOD)
            fail_msg("%s: %d %s", files[i], result, text);
        /* word for word up to where the summary begins */
        char *more = strstr(json, ",\"waveform\":");
        assert_non_null(more);
        assert_int_equal(strncmp(json, want, (size_t)(more - json)), 0);
        assert_string_equal(want + (more - json), "}\n");
        json_t *o = json_loads(json, 0, NULL);
        const json_t *w = json_object_get(o, "waveform"), *s = json_object_get(o, "spectrogram");
        double duration = json_number_value(json_object_get(o, "duration_s"));
        assert_int_equal(json_array_size(json_object_get(w, "min")), json_array_size(json_object_get(w, "max")));
        assert_true(fabs(duration - json_number_value(json_object_get(w, "step_s")) *
                                        (double)json_array_size(json_object_get(w, "min"))) < 0.02);
        assert_int_equal(json_string_length(json_object_get(s, "data")),
                         BASE64_SIZE(64 * (size_t)json_integer_value(json_object_get(s, "columns"))) - 1);
        assert_true(i == 2 || json_array_size(json_object_get(o, "windows")) > 0);
        json_decref(o);
        free(json);
        free(want);
    }
    uploads_free(u);
    config_free(&c);
}

static void test_settings(void **state)
{
    (void)state;
    struct config c;
    struct uploads *u = open_uploads(&c);
    char text[UPLOAD_TEXT], *json = NULL;
    struct err err;

    if (!no_seccomp(u)) {
        assert_int_equal(config_set(&c, "class.siren.threshold=1", &err), 0);
        assert_int_equal(config_set(&c, "decision.ignore=speech, music", &err), 0);
        assert_int_equal(uploads_configure(u, &c, &err), 0);
        char *want = classified(&c, SIREN, "a");
        assert_int_equal(look_through(u, open(SIREN, O_RDONLY | O_CLOEXEC), "a", "", &json, text), UPLOAD_GOOD);
        assert_int_equal(strncmp(json, want, strlen(want) - 2), 0);
        assert_non_null(strstr(want, "\"events\":[]"));
        free(json);
        free(want);
        assert_int_equal(look_through(u, open(SIREN, O_RDONLY | O_CLOEXEC), "", "/no/such.onnx", NULL, text),
                         UPLOAD_FAILED);
        assert_non_null(strstr(text, "such.onnx"));
    }
    uploads_free(u);
    config_free(&c);
}

/* The first so many bytes of a file. */
static int part_of(const char *path, double share)
{
    char bytes[100000];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof bytes);

    close(fd);
    assert_true(n > 0);
    return temporary(bytes, (size_t)((double)n * share));
}

static void test_bad_files(void **state)
{
    (void)state;
    struct config c;
    struct uploads *u = open_uploads(&c);
    char text[UPLOAD_TEXT];

    if (!no_seccomp(u)) {
        assert_int_equal(look_through(u, temporary("hello\n", 6), "a\033[31m.wav", "", NULL, text), UPLOAD_NOT_AUDIO);
        assert_string_equal(text, "a?[31m.wav: not an audio file that can be read: Format not recognised.");
        assert_int_equal(look_through(u, temporary("", 0), "", "", NULL, text), UPLOAD_NOT_AUDIO);
        assert_string_equal(text, "the file: is empty");
        assert_int_equal(look_through(u, part_of(SIREN, 0.6), "", "", NULL, text), UPLOAD_BROKEN);
        assert_non_null(strstr(text, "broken after"));
        /* its own name may look like a flag */
        assert_int_equal(look_through(u, part_of(SIREN, 1), "--config", "", NULL, text), UPLOAD_GOOD);
    }
    uploads_free(u);
    config_free(&c);
}

/* Minutes of nothing, in a few bytes. */
static int endless(void)
{
    int fd = memfd_create("upload", MFD_CLOEXEC);
    SF_INFO info = {.samplerate = 8000, .channels = 1, .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    SNDFILE *f = sf_open_fd(fd, SFM_WRITE, &info, SF_FALSE);
    static const short zeros[65536];

    assert_non_null(f);
    for (int64_t n = 0; n < INT64_C(8000) * 180; n += 65536)
        assert_int_equal(sf_write_short(f, zeros, 65536), 65536);
    sf_close(f);
    return fd;
}

static void test_too_long(void **state)
{
    (void)state;
    struct config c;
    struct uploads *u = open_uploads(&c);
    char text[UPLOAD_TEXT];

    uploads_limit(u, 120);
    if (!no_seccomp(u)) {
        assert_int_equal(look_through(u, endless(), "", "", NULL, text), UPLOAD_TOO_LONG);
        assert_string_equal(text, "the file: holds more than 2 minutes of sound");
    }
    uploads_free(u);
    config_free(&c);
}

/* --- processes that do not end --------------------------------------------------------------------------------------------------- */

/* Of any thread of ours; 0: none but that one. */
static pid_t one_child(pid_t but)
{
    char line[64] = "";
    FILE *f = popen("cat /proc/$PPID/task/*/children", "r"); /* the shell itself is one of them: before it, ours */

    assert_non_null(f);
    while (fscanf(f, "%63s", line) == 1) {
        char path[96], name[32] = "";
        snprintf(path, sizeof path, "/proc/%.60s/comm", line);
        FILE *comm = fopen(path, "re");
        if (comm && fscanf(comm, "%31s", name) == 1 && strcmp(name, "earshot-upload") == 0 &&
            strtol(line, NULL, 10) != but) {
            fclose(comm);
            pclose(f);
            return (pid_t)strtol(line, NULL, 10);
        }
        if (comm)
            fclose(comm);
    }
    pclose(f);
    return 0;
}

/* A job whose process was stopped in the middle. */
static pid_t hang(struct uploads *u, struct outcome *o, int client, pid_t but)
{
    struct upload_job job = {.file = endless(), .client = client, .done = take, .ctx = o};
    pid_t pid = 0;

    assert_true(uploads_put(u, &job));
    for (int i = 0; i < 1000 && !pid; i++) {
        poll(NULL, 0, 2);
        pid = one_child(but);
    }
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    return pid;
}

static void assert_gone(pid_t pid)
{
    assert_true(kill(pid, 0) < 0 && errno == ESRCH);
}

static void test_client_goes(void **state)
{
    (void)state;
    struct config c;
    struct uploads *u = open_uploads(&c);
    struct outcome o = OUTCOME;
    int line[2];

    if (no_seccomp(u)) {
        uploads_free(u);
        config_free(&c);
        return;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
    pid_t pid = hang(u, &o, line[0], 0);
    assert_int_equal(o.done, 0);
    close(line[1]);
    wait_for(&o);
    assert_int_equal(o.answer.result, UPLOAD_GONE);
    assert_gone(pid);
    close(line[0]);
    uploads_free(u);
    config_free(&c);
}

static void test_crowd_and_stop(void **state)
{
    (void)state;
    struct config c;
    struct uploads *u = open_uploads(&c);
    struct outcome o[UPLOAD_AT_ONCE + UPLOAD_WAITING];
    pid_t pid[UPLOAD_AT_ONCE];
    size_t n = UPLOAD_AT_ONCE + UPLOAD_WAITING;

    if (no_seccomp(u)) {
        uploads_free(u);
        config_free(&c);
        return;
    }
    for (size_t i = 0; i < n; i++)
        o[i] = (struct outcome)OUTCOME;
    for (size_t i = 0; i < UPLOAD_AT_ONCE; i++)
        pid[i] = hang(u, &o[i], -1, i ? pid[0] : 0);
    for (size_t i = UPLOAD_AT_ONCE; i < n; i++) {
        struct upload_job job = {.file = temporary("x", 1), .client = -1, .done = take, .ctx = &o[i]};
        assert_true(uploads_put(u, &job));
    }
    struct upload_job more = {.file = temporary("x", 1), .client = -1, .done = take, .ctx = NULL};
    assert_false(uploads_put(u, &more));
    uploads_stop(u);
    for (size_t i = 0; i < n; i++) {
        wait_for(&o[i]);
        assert_int_equal(o[i].answer.result, UPLOAD_STOPPED);
    }
    for (size_t i = 0; i < UPLOAD_AT_ONCE; i++)
        assert_gone(pid[i]);
    more.file = temporary("x", 1);
    assert_false(uploads_put(u, &more));
    uploads_free(u);
    config_free(&c);
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xef\xbe", "/+++"}}; /* RFC 4648, 10 */
    char out[16];

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(BASE64_SIZE(strlen(pairs[i][0])), strlen(pairs[i][1]) + 1);
        base64_encode(pairs[i][0], strlen(pairs[i][0]), out);
        assert_string_equal(out, pairs[i][1]);
    }
}

int main(int argc, char **argv)
{
    static const struct command *const commands[] = {&cmd_classify_upload, NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),      cmocka_unit_test(test_sandbox),     cmocka_unit_test(test_processor_time),
        cmocka_unit_test(test_same_answer), cmocka_unit_test(test_settings),    cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_too_long),    cmocka_unit_test(test_client_goes), cmocka_unit_test(test_crowd_and_stop),
    };

    if (argc > 1)
        return cmdline_run(commands, argc, argv);
    char models[PATH_MAX];
    assert_non_null(realpath("models", models));
    setenv("EARSHOT_MODELS", models, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
