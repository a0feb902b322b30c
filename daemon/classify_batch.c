#include "daemon/classify_batch.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/classify_print.h"
#include "daemon/cmd.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* One file's output, held back until its turn. */
struct entry {
    bool done;
    bool failed;
    int64_t journal_at; /* >= 0: done by an earlier run, its text is there */
    char *text;         /* for stdout, NULL: none */
    char *complaint;    /* for stderr */
};

struct batch {
    const struct classify_batch_params *p;

    pthread_mutex_t lock; /* guards what follows, and each entry until it is done */
    pthread_cond_t news;
    size_t next; /* file to be taken */
    size_t done, recalled;
    double seconds; /* of sound so far */
    bool stop;      /* nobody reads the output any more, or the journal cannot be written */
    struct err journal_err;
    struct entry *entries;
};

struct job {
    struct batch *batch;
    struct classifier *classifier;
    pthread_t thread;
    bool started;
};

static void note_progress(void *ctx, double seconds)
{
    struct batch *b = ctx;

    pthread_mutex_lock(&b->lock);
    b->seconds += seconds;
    pthread_mutex_unlock(&b->lock);
}

static int print_result(FILE *out, const struct classify_batch_params *p, const char *file,
                        const struct classification *c)
{
    return p->format == CLASSIFY_JSON  ? classify_json(out, file, c, p->top)
           : p->format == CLASSIFY_CSV ? classify_csv(out, file, c, p->top)
                                       : classify_table(out, file, c, p->top);
}

static void classify_one(struct job *job, const char *file, struct entry *e)
{
    struct batch *b = job->batch;
    struct err err = {""};
    const struct classification *c = classifier_do(job->classifier, file, note_progress, b, &err);
    size_t size;

    e->failed = !c || c->broken;
    if (c) {
        FILE *out = open_memstream(&e->text, &size);
        int rc = out ? print_result(out, b->p, file, c) : -1;
        if ((out && fclose(out) != 0) || rc < 0) {
            free(e->text);
            e->text = NULL;
            e->failed = true;
            err_set(&err, "%s: no memory", file);
        }
    }
    if (e->failed)
        e->complaint = strdup(err.text);
}

/* A recording as the journal knows it. */
static bool look_up(const char *file, int64_t *size, int64_t *mtime_ns)
{
    struct stat st;

    if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *size = st.st_size;
    *mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return true;
}

/* Called with the lock. */
static void keep_result(struct batch *b, size_t i, const struct entry *e, bool known, int64_t size, int64_t mtime_ns)
{
    b->entries[i] = *e;
    b->entries[i].done = true;
    b->done++;
    if (b->p->journal && known && !e->failed && !b->stop &&
        classify_journal_put(b->p->journal, b->p->files[i], size, mtime_ns, e->text, &b->journal_err) < 0)
        b->stop = true;
}

static void *work(void *arg)
{
    struct job *job = arg;
    struct batch *b = job->batch;

    pthread_mutex_lock(&b->lock);
    while (!b->stop && b->next < b->p->n_files) {
        size_t i = b->next++;
        struct entry e = {.journal_at = -1};
        int64_t size = 0, mtime_ns = 0;
        if (b->entries[i].done)
            continue;
        pthread_mutex_unlock(&b->lock);
        bool known = look_up(b->p->files[i], &size, &mtime_ns); /* before: a change meanwhile shows the next time */
        classify_one(job, b->p->files[i], &e);
        pthread_mutex_lock(&b->lock);
        keep_result(b, i, &e, known, size, mtime_ns);
        pthread_cond_signal(&b->news);
    }
    pthread_cond_signal(&b->news);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* What an earlier run did. */
static void recall(struct batch *b)
{
    int64_t size, mtime_ns;

    for (size_t i = 0; i < b->p->n_files; i++) {
        struct entry *e = &b->entries[i];
        e->journal_at = b->p->journal && look_up(b->p->files[i], &size, &mtime_ns)
                            ? classify_journal_find(b->p->journal, b->p->files[i], size, mtime_ns)
                            : -1;
        e->done = e->journal_at >= 0;
        b->recalled += e->done;
    }
    b->done = b->recalled;
}

/* Waits until file i is done; meanwhile a line of progress where somebody watches. Called with the lock. */
static void wait_for(struct batch *b, size_t i, double begun_s, bool watched)
{
    while (!b->entries[i].done && !b->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!watched) {
            pthread_cond_wait(&b->news, &b->lock);
            continue;
        }
        pthread_cond_timedwait(&b->news, &b->lock, &until);
        double spent = clock_s(CLOCK_MONOTONIC) - begun_s;
        fprintf(stderr, "\r\033[K%zu of %zu files, %.0f s of sound, %.0f times real time", b->done, b->p->n_files,
                b->seconds, spent > 0 ? b->seconds / spent : 0);
    }
    if (watched)
        fputs("\r\033[K", stderr);
}

static int print_entry(struct batch *b, size_t i)
{
    struct entry *e = &b->entries[i];
    struct err err;
    int rc = 0;

    if (e->journal_at >= 0 && !(e->text = classify_journal_text(b->p->journal, e->journal_at, b->p->files[i], &err))) {
        e->failed = true;
        e->complaint = strdup(err.text);
    }
    if (e->text) {
        fputs(e->text, stdout);
        if (b->p->format == CLASSIFY_TABLE && i + 1 < b->p->n_files)
            putchar('\n');
        rc = cmd_flush();
    }
    if (e->failed) {
        fputs("earshot classify: ", stderr);
        print_name(stderr, e->complaint ? e->complaint : b->p->files[i]);
        fputc('\n', stderr);
    }
    free(e->text);
    free(e->complaint);
    e->text = e->complaint = NULL;
    return rc;
}

/* Prints in the order of the arguments as files get done. Returns the exit code. */
static int print_all(struct batch *b)
{
    bool watched = isatty(STDERR_FILENO);
    double begun_s = clock_s(CLOCK_MONOTONIC);
    size_t failures = 0;

    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->p->n_files && !b->stop; i++) {
        wait_for(b, i, begun_s, watched);
        if (!b->entries[i].done)
            break;
        pthread_mutex_unlock(&b->lock);
        int rc = print_entry(b, i);
        failures += b->entries[i].failed;
        pthread_mutex_lock(&b->lock);
        b->stop |= rc < 0;
    }
    bool journal_failed = *b->journal_err.text;
    pthread_mutex_unlock(&b->lock);
    if (journal_failed)
        return cmd_fail(EXIT_FAILED, "classify", "%s", b->journal_err.text);
    if (b->p->journal)
        fprintf(stderr, "earshot classify: %zu files: %zu done before, %zu now, %zu failed\n", b->p->n_files,
                b->recalled, b->p->n_files - b->recalled - failures, failures);
    return failures ? EXIT_FAILED : EXIT_GOOD;
}

/* Returns an exit code: a model that cannot be used is wrong usage. */
static int start_jobs(struct batch *b, struct job *jobs, size_t n)
{
    const struct classify_batch_params *p = b->p;
    struct err err;

    for (size_t i = 0; i < n; i++) {
        jobs[i].batch = b;
        jobs[i].classifier = classifier_new(p->params, p->models, p->n_models, &err);
        if (!jobs[i].classifier)
            return cmd_fail(EXIT_USAGE, "classify", "%s", err.text);
    }
    for (size_t i = 0; n && i < p->n_models; i++)
        if (*classifier_note(jobs[0].classifier, i))
            log_warn("%s", classifier_note(jobs[0].classifier, i));
    for (size_t i = 0; i < n; i++) {
        int rc = pthread_create(&jobs[i].thread, NULL, work, &jobs[i]);
        if (rc != 0 && i == 0)
            return cmd_fail(EXIT_FAILED, "classify", "cannot start a thread: %s", strerror(rc));
        jobs[i].started = rc == 0; /* fewer do it as well, only later */
    }
    return EXIT_GOOD;
}

static void drop(struct batch *b, struct job *jobs, size_t n)
{
    for (size_t i = 0; jobs && i < n; i++) {
        if (jobs[i].started)
            pthread_join(jobs[i].thread, NULL);
        classifier_free(jobs[i].classifier);
    }
    for (size_t i = 0; b->entries && i < b->p->n_files; i++) {
        free(b->entries[i].text);
        free(b->entries[i].complaint);
    }
    pthread_cond_destroy(&b->news);
    pthread_mutex_destroy(&b->lock);
    free(b->entries);
    free(jobs);
}

int classify_batch(const struct classify_batch_params *p)
{
    struct batch b = {.p = p, .journal_err = {""}};
    size_t n = p->jobs < p->n_files ? p->jobs : p->n_files;
    struct job *jobs = calloc(n ? n : 1, sizeof *jobs);
    pthread_condattr_t attr;
    int code;

    b.entries = calloc(p->n_files ? p->n_files : 1, sizeof *b.entries);
    pthread_mutex_init(&b.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b.news, &attr);
    pthread_condattr_destroy(&attr);
    if (p->format == CLASSIFY_CSV)
        classify_csv_header(stdout);
    if (jobs && b.entries) {
        recall(&b);
        code = start_jobs(&b, jobs, n);
    } else {
        code = cmd_fail(EXIT_FAILED, "classify", "no memory");
    }
    if (code == EXIT_GOOD)
        code = print_all(&b);
    drop(&b, jobs, n);
    return code;
}
