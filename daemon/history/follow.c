/* New events as they are stored, whatever becomes of the daemon and of the file meanwhile. */
#include "base/clock.h"
#include "daemon/cmd.h"
#include "daemon/history/history.h"
#include "daemon/store/schema.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 200, GOING_ON = 64, STORED_WITHIN_MS = 2000 };

struct follow {
    const struct history_request *q;
    struct store_reader *reader; /* NULL: there is no history at the moment */
    dev_t dev;
    ino_t inode;
    bool frozen; /* opened as it lies there: changes do not show */
    int64_t version;
    int64_t last_id;
    char last_event[UUID_SIZE]; /* its event_id: another one there says that a purge had numbers begin anew */
    int64_t looked_ms;          /* UTC */
    struct going_on {
        int64_t id;
        bool told;        /* else its score was too low so far */
    } going_on[GOING_ON]; /* events that have no end yet */
    unsigned n_going_on;
    bool said, past_told;
};

static bool tell(const struct follow *f, const struct store_row *row)
{
    if (row->score < f->q->filter.min_score)
        return false;
    history_print_event(stdout, f->q->format, row, NULL, 0);
    return true;
}

static void tell_old(void *ctx, const struct store_row *row)
{
    struct follow *f = ctx;
    bool told = tell(f, row);

    if (row->ended == EVENT_GOES_ON && f->n_going_on < GOING_ON)
        f->going_on[f->n_going_on++] = (struct going_on){row->id, told};
}

static void remember(struct follow *f, int64_t id, const char *event_id)
{
    f->last_id = id;
    snprintf(f->last_event, sizeof f->last_event, "%s", event_id);
}

static bool tell_new(void *ctx, const struct store_row *row)
{
    struct follow *f = ctx;

    remember(f, row->id, row->event_id);
    tell_old(f, row);
    return true;
}

struct again {
    const struct follow *f;
    struct going_on *event; /* id 0: it is over */
};

/* An event that went on: told again when it has ended. Its score may have risen meanwhile. */
static bool look_again(void *ctx, const struct store_row *row)
{
    struct again *a = ctx;

    if (row->id != a->event->id) {
        a->event->id = 0;
    } else if (row->ended != EVENT_GOES_ON) {
        tell(a->f, row);
        a->event->id = 0;
    } else if (!a->event->told) {
        a->event->told = tell(a->f, row);
    }
    return false;
}

static int check_going_on(struct follow *f, struct err *err)
{
    for (unsigned i = f->n_going_on; i-- > 0;) {
        struct again a = {f, &f->going_on[i]};
        struct store_filter one = {.since_ms = INT64_MIN, .limit = 1, .after_id = f->going_on[i].id - 1};
        if (!one.after_id) /* 0 asks for no such thing */
            one.after_id = -1;
        int64_t n = store_read_events(f->reader, &one, look_again, &a, err);
        if (n < 0)
            return -1;
        if (n == 0 || a.event->id == 0) /* purged, or over */
            memmove(&f->going_on[i], &f->going_on[i + 1], (--f->n_going_on - i) * sizeof f->going_on[0]);
    }
    return 0;
}

/* Has anybody else written since the last look? */
static bool changed(struct follow *f)
{
    sqlite3_stmt *s = NULL;
    int64_t version = 0;

    if (sqlite3_prepare_v2(store_read_db(f->reader), "PRAGMA data_version", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        version = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    bool new = version != f->version || f->frozen;
    f->version = version;
    return new;
}

/* A number, and a text beside it, of the first row. 1, 0: none, -1: err. */
static int ask(struct follow *f, const char *sql, int64_t parameter, int64_t *id, char text[UUID_SIZE], struct err *err)
{
    sqlite3 *db = store_read_db(f->reader);
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, parameter);
        rc = sqlite3_step(s);
    }
    if (rc == SQLITE_ROW) {
        const char *found = (const char *)sqlite3_column_text(s, 1);
        *id = sqlite3_column_int64(s, 0);
        snprintf(text, UUID_SIZE, "%s", found ? found : "");
    } else if (rc != SQLITE_DONE) {
        history_trouble(db, err);
    }
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* Where a purge took the newest events away, their numbers are given anew: what is old then is told by its time. */
static int find_place(struct follow *f, struct err *err)
{
    char event[UUID_SIZE];
    int64_t id;
    int rc = f->last_id ? ask(f, "SELECT id, event_id FROM events WHERE id = ?1", f->last_id, &id, event, err) : 0;

    if (rc < 0 || (rc > 0 && strcmp(event, f->last_event) == 0) || !f->last_id)
        return rc < 0 ? -1 : 0;
    rc = ask(f, "SELECT id, event_id FROM events WHERE end_ms < ?1 ORDER BY id DESC LIMIT 1",
             f->looked_ms - STORED_WITHIN_MS, &id, event, err);
    remember(f, rc > 0 ? id : 0, rc > 0 ? event : "");
    return rc < 0 ? -1 : 0;
}

static int tell_changes(struct follow *f, struct err *err)
{
    struct store_filter filter = f->q->filter;

    if (check_going_on(f, err) < 0 || find_place(f, err) < 0)
        return -1;
    filter.min_score = 0;
    filter.after_id = f->last_id ? f->last_id : -1;
    return store_read_events(f->reader, &filter, tell_new, f, err) < 0 ? -1 : 0;
}

static void path_of(const struct follow *f, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/" STORE_FILE, f->q->dir);
}

static void drop(struct follow *f)
{
    store_read_close(f->reader);
    f->reader = NULL;
}

/* A file of the same name that is another: set aside and begun anew. Its events are new ones. */
static bool same_file(struct follow *f)
{
    char path[PATH_MAX];
    struct stat st;

    path_of(f, path);
    return stat(path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->inode;
}

/* Opens what is there. 1: opened, 0: there is none (yet), -1: err, it cannot be read. */
static int open_again(struct follow *f, struct err *err)
{
    char path[PATH_MAX];
    struct stat st;

    path_of(f, path);
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_set(err, "%s: %s", path, strerror(errno));
    if (f->inode && (st.st_ino != f->inode || st.st_dev != f->dev)) {
        remember(f, 0, "");
        f->n_going_on = 0;
    }
    f->reader = store_read_open(f->q->dir, err);
    if (!f->reader)
        return st.st_size == 0 ? 0 : -1;
    sqlite3 *db = store_read_db(f->reader);
    f->frozen = sqlite3_uri_boolean(sqlite3_db_filename(db, "main"), "immutable", 0);
    f->dev = st.st_dev;
    f->inode = st.st_ino;
    f->version = -1;
    return 1;
}

/* One that comes while the past is told is told later, as new. */
static void tell_past_row(void *ctx, const struct store_row *row)
{
    struct follow *f = ctx;

    if (row->id <= f->last_id)
        tell_old(f, row);
}

/* What is there already, and where new begins. */
static int tell_past(struct follow *f, struct err *err)
{
    struct history_walk w = {.reader = f->reader, .filter = f->q->filter, .limit = f->q->limit};
    int64_t n = 1;

    if (ask(f, "SELECT id, event_id FROM events ORDER BY id DESC LIMIT ?1", 1, &f->last_id, f->last_event, err) < 0)
        return -1;
    while (n > 0 && (n = history_walk_page(&w, tell_past_row, f, err)) > 0)
        if (cmd_flush() < 0)
            break;
    return n < 0 ? -1 : 0;
}

/* Waits a moment. false: nobody reads any more. */
static bool rest(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    fflush(stdout);
    poll(&out, 1, POLL_MS);
    bool gone = out.revents & (POLLERR | POLLHUP | POLLNVAL);
    if (out.revents && !gone) /* a terminal or file that has something to say all the time: no busy loop */
        poll(NULL, 0, POLL_MS);
    return !gone && cmd_flush() == 0;
}

static void say_once(struct follow *f, const char *text)
{
    if (!f->said)
        cmd_fail(EXIT_FAILED, "history", "%s", text);
    f->said = true;
}

/* 1: told what there is; 0: nothing can be read at the moment; -1: err. */
static int look(struct follow *f, struct err *err)
{
    if (f->reader && (f->frozen || !same_file(f)))
        drop(f);
    int rc = f->reader ? 1 : open_again(f, err);
    if (rc <= 0)
        return rc;
    f->said = false;
    if (!f->past_told) {
        f->past_told = true;
        return tell_past(f, err) < 0 ? -1 : 1;
    }
    int64_t now = clock_ms(CLOCK_REALTIME);
    rc = changed(f) && tell_changes(f, err) < 0 ? -1 : 1;
    f->looked_ms = now;
    return rc;
}

int history_follow(const struct history_request *q)
{
    struct follow f = {.q = q};
    struct err err;
    bool first = true;

    history_event_header(stdout, q->format, false);
    do {
        int rc = look(&f, &err);
        if (rc < 0 && first)
            return cmd_fail(EXIT_FAILED, "history", "%s", err.text);
        if (rc == 0)
            err_set(&err, "%s: there is no history yet; waiting for it", q->dir);
        if (rc <= 0) { /* it may be about to be set aside, or to be made: tried again */
            say_once(&f, err.text);
            f.past_told = true; /* all that comes is new */
            drop(&f);
        }
        first = false;
    } while (rest());
    drop(&f);
    return EXIT_GOOD;
}
