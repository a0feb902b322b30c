#include "daemon/classify_journal.h"
#include "base/clock.h"
#include "base/fnv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "earshot classify journal 1\n"
#define LAST  "end of settings\n"

enum { CHECK_DIGITS = 16, SETTINGS_MAX = 1 << 20 };

/* A line that counts. 32 bytes for each file of an archive. */
struct record {
    uint64_t key; /* of path, size and time */
    int64_t at;   /* in the file */
    uint64_t order;
};

struct classify_journal {
    char *path;
    int fd;
    FILE *f; /* the same file, to read */
    int64_t end;
    struct record *records; /* by key, and of the same key the newest first */
    size_t n, room;
    unsigned unsynced;
    double synced_s;
};

/* The parts of a line, within it. */
struct fields {
    int64_t size, mtime_ns;
    char *path, *text;
};

static uint64_t key_of(const char *path, int64_t size, int64_t mtime_ns)
{
    uint64_t h = fnv_add(FNV_START, path, strlen(path) + 1);

    h = fnv_add(h, &size, sizeof size);
    return fnv_add(h, &mtime_ns, sizeof mtime_ns);
}

static void write_escaped(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '\n':
            fputs("\\n", out);
            break;
        case '\t':
            fputs("\\t", out);
            break;
        case '\\':
            fputs("\\\\", out);
            break;
        default:
            fputc(*text, out);
        }
}

static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '\\' && text[1]) {
            text++;
            *to++ = *text == 'n' ? '\n' : *text == 't' ? '\t' : *text;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

/* Takes a line apart, newline included; false where it is torn or damaged. */
static bool split(char *line, size_t n, struct fields *out)
{
    char *end;

    if (n < CHECK_DIGITS + 2 || line[n - 1] != '\n' || line[CHECK_DIGITS] != '\t' || memchr(line, 0, n))
        return false;
    line[--n] = '\0';
    uint64_t check = strtoull(line, &end, 16);
    if (end != line + CHECK_DIGITS || check != fnv_add(FNV_START, line + CHECK_DIGITS + 1, n - CHECK_DIGITS - 1))
        return false;
    out->size = strtoll(end + 1, &end, 10);
    if (*end != '\t')
        return false;
    out->mtime_ns = strtoll(end + 1, &end, 10);
    if (*end != '\t')
        return false;
    out->path = end + 1;
    out->text = strchr(out->path, '\t');
    if (!out->text)
        return false;
    *out->text++ = '\0';
    unescape(out->path);
    unescape(out->text);
    return true;
}

static int add_record(struct classify_journal *j, uint64_t key, int64_t at)
{
    if (j->n == j->room) {
        size_t room = j->room ? 2 * j->room : 256;
        struct record *more = realloc(j->records, room * sizeof *more);
        if (!more)
            return -1;
        j->records = more;
        j->room = room;
    }
    j->records[j->n] = (struct record){key, at, j->n};
    j->n++;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->order > y->order ? -1 : x->order < y->order;
}

/* The first line that differs, of the journal's settings and ours. */
static int settings_differ(const struct classify_journal *j, const char *theirs, const char *ours, struct err *err)
{
    while (*ours || *theirs) {
        size_t n = strcspn(theirs, "\n"), m = strcspn(ours, "\n");
        if (n != m || strncmp(theirs, ours, n) != 0)
            return err_set(err,
                           "%s: was begun with other settings (there \"%.*s\", now \"%.*s\"): take those, or another "
                           "journal",
                           j->path, n < 200 ? (int)n : 200, theirs, m < 200 ? (int)m : 200, ours);
        theirs += n + (theirs[n] == '\n');
        ours += m + (ours[m] == '\n');
    }
    return 0;
}

static int write_all(struct classify_journal *j, const char *bytes, size_t n, struct err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pwrite(j->fd, bytes + done, n - done, j->end + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int reason = got < 0 ? errno : EIO;
            if (ftruncate(j->fd, j->end) < 0) { /* a torn line: the next reader takes it for what it is */
            }
            return err_set(err, "%s: cannot be written: %s", j->path, strerror(reason));
        }
        done += (size_t)got;
    }
    j->end += (int64_t)n;
    return 0;
}

static int sync_now(struct classify_journal *j, struct err *err)
{
    j->unsynced = 0;
    j->synced_s = clock_s(CLOCK_MONOTONIC);
    if (fdatasync(j->fd) < 0 && errno != EINVAL)
        return err_set(err, "%s: cannot be written to the disk: %s", j->path, strerror(errno));
    return 0;
}

/* Does the file begin as a journal does, as far as it goes? */
static bool looks_right(const struct classify_journal *j)
{
    char first[sizeof MAGIC - 1];
    ssize_t n = pread(j->fd, first, sizeof first, 0);

    return n >= 0 && memcmp(first, MAGIC, (size_t)n) == 0;
}

/* -1: it is no journal, or another's. 1: a good head was read; 0: there is none, or it was torn off while it was written. */
static int read_head(struct classify_journal *j, const char *settings, struct err *err)
{
    char *head = NULL, *line = NULL, *expected = NULL;
    size_t n = 0, room = 0;
    ssize_t got;
    int rc = -1;
    bool whole = false;

    if (!looks_right(j))
        return err_set(err, "%s: this is no journal of earshot classify; it stays as it is", j->path);
    FILE *all = open_memstream(&head, &n);
    if (!all || asprintf(&expected, "%s%s%s", MAGIC, settings, LAST) < 0) {
        expected = NULL;
        err_set(err, "%s: no memory", j->path);
        goto done;
    }
    while (!whole && n < SETTINGS_MAX && (got = getline(&line, &room, j->f)) > 0) {
        fwrite(line, 1, (size_t)got, all);
        fflush(all);
        whole = strcmp(line, LAST) == 0;
    }
    fflush(all);
    if (whole) {
        head[n - (sizeof LAST - 1)] = '\0';
        rc = settings_differ(j, head + sizeof MAGIC - 1, settings, err) < 0 ? -1 : 1;
    } else if (strncmp(expected, head, n) == 0) {
        rc = 0;
    } else {
        err_set(err, "%s: its settings are damaged; delete it to begin anew", j->path);
    }

done:
    if (all)
        fclose(all);
    free(head);
    free(line);
    free(expected);
    return rc;
}

static int begin(struct classify_journal *j, const char *settings, struct err *err)
{
    char *head;

    if (asprintf(&head, "%s%s%s", MAGIC, settings, LAST) < 0)
        return err_set(err, "%s: no memory", j->path);
    j->end = 0;
    int rc = ftruncate(j->fd, 0) < 0 ? err_set(err, "%s: %s", j->path, strerror(errno))
                                     : write_all(j, head, strlen(head), err);
    free(head);
    return rc < 0 ? -1 : sync_now(j, err);
}

/* Indexes what is done. A torn line at the end is cut off, so that the next one begins on a line of its own. */
static int read_records(struct classify_journal *j, size_t *damaged, struct err *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = 0;

    j->end = ftello(j->f);
    while (rc == 0 && (n = getline(&line, &room, j->f)) > 0) {
        struct fields f;
        bool ended = line[n - 1] == '\n';
        if (split(line, (size_t)n, &f))
            rc = add_record(j, key_of(f.path, f.size, f.mtime_ns), j->end);
        else
            ++*damaged;
        if (!ended)
            break;
        j->end += n;
    }
    free(line);
    if (rc < 0)
        return err_set(err, "%s: no memory", j->path);
    if (ferror(j->f) || ftruncate(j->fd, j->end) < 0)
        return err_set(err, "%s: %s", j->path, strerror(errno));
    if (j->n)
        qsort(j->records, j->n, sizeof *j->records, by_key);
    return 0;
}

static int open_file(struct classify_journal *j, struct err *err)
{
    struct stat st;

    j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (j->fd < 0 || fstat(j->fd, &st) < 0)
        return err_set(err, "%s: %s", j->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s: not a regular file", j->path);
    if (flock(j->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return err_set(err, "%s: another process works with it; each shard needs a journal of its own", j->path);
    int again = dup(j->fd);
    j->f = again < 0 ? NULL : fdopen(again, "r");
    if (!j->f) {
        if (again >= 0)
            close(again);
        return err_set(err, "%s: %s", j->path, strerror(errno));
    }
    return 0;
}

static void drop(struct classify_journal *j)
{
    if (j->f)
        fclose(j->f);
    if (j->fd >= 0)
        close(j->fd);
    free(j->records);
    free(j->path);
    free(j);
}

struct classify_journal *classify_journal_open(const char *path, const char *settings, size_t *damaged, struct err *err)
{
    struct classify_journal *j = calloc(1, sizeof *j);
    int head;

    *damaged = 0;
    if (!j || !(j->path = strdup(path))) {
        free(j);
        err_set(err, "%s: no memory", path);
        return NULL;
    }
    j->fd = -1;
    j->synced_s = clock_s(CLOCK_MONOTONIC);
    if (open_file(j, err) < 0 || (head = read_head(j, settings, err)) < 0 ||
        (head ? read_records(j, damaged, err) : begin(j, settings, err)) < 0) {
        drop(j);
        return NULL;
    }
    return j;
}

int classify_journal_close(struct classify_journal *j, struct err *err)
{
    int rc = sync_now(j, err);

    drop(j);
    return rc;
}

int64_t classify_journal_find(const struct classify_journal *j, const char *path, int64_t size, int64_t mtime_ns)
{
    uint64_t key = key_of(path, size, mtime_ns);
    size_t low = 0, high = j->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (j->records[mid].key < key)
            low = mid + 1;
        else
            high = mid;
    }
    return low < j->n && j->records[low].key == key ? j->records[low].at : -1;
}

char *classify_journal_text(const struct classify_journal *j, int64_t at, const char *path, struct err *err)
{
    char *line = NULL, *text = NULL;
    size_t room = 0;
    struct fields f;
    ssize_t n = fseeko(j->f, at, SEEK_SET) < 0 ? -1 : getline(&line, &room, j->f);

    if (n > 0 && split(line, (size_t)n, &f) && strcmp(f.path, path) == 0)
        text = strdup(f.text);
    if (!text)
        err_set(err, "%s: what it held of %s cannot be read any more", j->path, path);
    free(line);
    return text;
}

int classify_journal_put(struct classify_journal *j, const char *path, int64_t size, int64_t mtime_ns, const char *text,
                         struct err *err)
{
    char *line = NULL, check[CHECK_DIGITS + 1];
    size_t n;
    FILE *out = open_memstream(&line, &n);

    if (!out)
        return err_set(err, "%s: no memory", j->path);
    fprintf(out, "%0*d\t%" PRId64 "\t%" PRId64 "\t", CHECK_DIGITS, 0, size, mtime_ns);
    write_escaped(out, path);
    fputc('\t', out);
    write_escaped(out, text);
    if (fclose(out) != 0) {
        free(line);
        return err_set(err, "%s: no memory", j->path);
    }
    snprintf(check, sizeof check, "%016" PRIx64, fnv_add(FNV_START, line + CHECK_DIGITS + 1, n - CHECK_DIGITS - 1));
    memcpy(line, check, CHECK_DIGITS);
    line[n] = '\n'; /* where the stream put its NUL */
    int rc = write_all(j, line, n + 1, err);
    free(line);
    if (rc == 0 &&
        (++j->unsynced >= CLASSIFY_JOURNAL_BATCH || clock_s(CLOCK_MONOTONIC) - j->synced_s >= CLASSIFY_JOURNAL_SECONDS))
        rc = sync_now(j, err);
    return rc;
}
