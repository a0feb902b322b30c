#include "daemon/teach/verdict.h"

#include "daemon/store/schema.h"
#include "daemon/store/store.h"
#include "model/labels.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUSY_MS  2000
#define ID_LEAST 8 /* characters of an event's id that may stand for it */

#define COLUMNS "event_id, label, verdict, model, given_ms, start_ms, score, embedding, model_hash"

int verdict_check(const char *verdict, struct err *err)
{
    if (label_valid(verdict))
        return 0;
    return err_set(err,
                   "\"%.64s\": allowed are right, wrong, or the label of what it was ([a-z0-9_]+, at most %d of them)",
                   verdict, LABEL_SIZE - 1);
}

int verdict_check_id(const char *event_id, struct err *err)
{
    size_t n = strlen(event_id);

    if (n >= ID_LEAST && n < UUID_SIZE && strspn(event_id, "0123456789abcdef-") == n)
        return 0;
    return err_set(err, "\"%.64s\" is no event's id: it has %d of 0-9, a-f and -; its first %d or more will do",
                   event_id, UUID_SIZE - 1, ID_LEAST);
}

static int trouble(const char *dir, sqlite3 *db, struct err *err)
{
    schema_explain(dir, db, sqlite3_errcode(db), err);
    return -1;
}

/* Never schema_open, which is for the one daemon at its start: it says that nothing goes on any more. */
static sqlite3 *open_db(const char *dir, bool write, struct err *err)
{
    char path[PATH_MAX];
    sqlite3 *db = NULL;

    if (!write)
        return schema_open_read(dir, err);
    sqlite3 *look = schema_open_read(dir, err); /* is it there, and ours? */
    if (!look)
        return NULL;
    sqlite3_close(look);
    snprintf(path, sizeof path, "%s/" STORE_FILE, dir);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        trouble(dir, db, err);
        sqlite3_close(db);
        return NULL;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    return db;
}

static sqlite3_stmt *prepare(const char *dir, sqlite3 *db, const char *sql, const char *id, struct err *err)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
        trouble(dir, db, err);
        return NULL;
    }
    if (id)
        sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    return s;
}

static void take_text(char *out, size_t size, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(out, size, "%.*s", (int)size - 1, text ? text : "");
}

/* Of a statement that gives COLUMNS. */
static void take_row(sqlite3_stmt *s, struct verdict_row *row)
{
    const unsigned char *data = sqlite3_column_blob(s, 7);
    int bytes = sqlite3_column_bytes(s, 7);

    memset(row, 0, sizeof *row);
    take_text(row->event_id, sizeof row->event_id, s, 0);
    take_text(row->label, sizeof row->label, s, 1);
    take_text(row->verdict, sizeof row->verdict, s, 2);
    take_text(row->model, sizeof row->model, s, 3);
    row->given_ms = sqlite3_column_int64(s, 4);
    row->start_ms = sqlite3_column_int64(s, 5);
    row->score = sqlite3_column_double(s, 6);
    row->model_hash = (uint64_t)sqlite3_column_int64(s, 8);
    if (data && bytes % 2 == 0 && bytes / 2 <= EVENT_EMBEDDING)
        row->n_embedding = (unsigned)bytes / 2;
    for (size_t i = 0; data && i < row->n_embedding; i++)
        row->embedding[i] = (uint16_t)(data[2 * i] | data[2 * i + 1] << 8);
}

/* The whole id that `text` stands for, from that table. */
static int whole_id(const char *dir, sqlite3 *db, const char *table, const char *text, char out[UUID_SIZE],
                    struct err *err)
{
    char sql[160];

    if (verdict_check_id(text, err) < 0)
        return -1;
    snprintf(sql, sizeof sql, "SELECT event_id FROM %s WHERE event_id >= ?1 AND event_id < ?1 || 'g' LIMIT 2", table);
    sqlite3_stmt *s = prepare(dir, db, sql, text, err);
    if (!s)
        return -1;
    int rc = sqlite3_step(s) == SQLITE_ROW    ? 0
             : strcmp(table, "verdicts") == 0 ? err_set(err, "nothing was said of an event %s", text)
                                              : err_set(err, "there is no event %s in the history", text);
    if (rc == 0)
        take_text(out, UUID_SIZE, s, 0);
    if (rc == 0 && sqlite3_step(s) == SQLITE_ROW)
        rc = err_set(err, "several events begin with %s: give more of the id", text);
    sqlite3_finalize(s);
    return rc;
}

static int read_one(const char *dir, sqlite3 *db, const char *id, struct verdict_row *out, struct err *err)
{
    sqlite3_stmt *s = prepare(dir, db, "SELECT " COLUMNS " FROM verdicts WHERE event_id = ?1", id, err);

    if (!s)
        return -1;
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : err_set(err, "nothing was said of event %s", id);
    if (rc == 0)
        take_row(s, out);
    sqlite3_finalize(s);
    return rc;
}

static int run(const char *dir, sqlite3 *db, sqlite3_stmt *s, struct err *err)
{
    if (!s)
        return -1;
    int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : trouble(dir, db, err);
    sqlite3_finalize(s);
    return rc;
}

/* A verdict that is given again keeps the embedding that was copied: the event itself may be gone by now. */
static int put(const char *dir, sqlite3 *db, const char *id, const char *verdict, struct err *err)
{
    static const char again[] = "UPDATE verdicts SET verdict = ?2, given_ms = ?3 WHERE event_id = ?1";
    static const char first[] =
        "INSERT INTO verdicts (" COLUMNS
        ") SELECT e.event_id, e.label, ?2, e.model, ?3, e.start_ms, e.score, m.data, NULL "
        "FROM events e LEFT JOIN embeddings m ON m.event = e.id WHERE e.event_id = ?1 AND e.test = 0";
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *s = prepare(dir, db, i ? first : again, id, err);
        if (!s)
            return -1;
        sqlite3_bind_text(s, 2, verdict, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
        if (run(dir, db, s, err) < 0)
            return -1;
        if (sqlite3_changes(db) > 0)
            return 0;
    }
    return err_set(err, "event %s is one of `earshot test`: there is nothing to learn of it", id);
}

/* Somebody is to learn of it. Where it cannot be made, the next verdict may. */
static void note_due(const char *dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/" VERDICT_DUE, dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd >= 0)
        close(fd);
}

int verdict_set(const char *dir, const char *event_id, const char *verdict, struct verdict_row *out, struct err *err)
{
    char id[UUID_SIZE];
    struct verdict_row row;

    if (verdict_check(verdict, err) < 0)
        return -1;
    sqlite3 *db = open_db(dir, true, err);
    if (!db)
        return -1;
    struct err none;
    int rc = whole_id(dir, db, "verdicts", event_id, id, &none); /* may be there when the event itself is gone */
    if (rc < 0)
        rc = whole_id(dir, db, "events", event_id, id, err);
    if (rc == 0)
        rc = put(dir, db, id, verdict, err);
    if (rc == 0)
        rc = read_one(dir, db, id, out ? out : &row, err);
    if (rc == 0)
        note_due(dir);
    sqlite3_close(db);
    return rc;
}

int verdict_undo(const char *dir, const char *event_id, struct verdict_row *out, struct err *err)
{
    char id[UUID_SIZE];
    struct verdict_row row;
    sqlite3 *db = open_db(dir, true, err);

    if (!db)
        return -1;
    int rc = whole_id(dir, db, "verdicts", event_id, id, err);
    if (rc == 0)
        rc = read_one(dir, db, id, out ? out : &row, err);
    if (rc == 0)
        rc = run(dir, db, prepare(dir, db, "DELETE FROM verdicts WHERE event_id = ?1", id, err), err);
    if (rc == 0)
        note_due(dir);
    sqlite3_close(db);
    return rc;
}

int verdict_each(const char *dir, bool (*fn)(void *ctx, const struct verdict_row *row), void *ctx, struct err *err)
{
    struct verdict_row row;
    char path[PATH_MAX];
    struct stat st;
    int n = 0, rc = SQLITE_ROW;

    snprintf(path, sizeof path, "%s/" STORE_FILE, dir);
    if (stat(path, &st) < 0 || st.st_size == 0) /* not there, or being made */
        return 0;
    sqlite3 *db = open_db(dir, false, err);
    if (!db)
        return -1;
    sqlite3_stmt *s = NULL;
    /* written by an earshot that knew no verdicts: there is none */
    if (sqlite3_prepare_v2(db, "SELECT " COLUMNS " FROM verdicts ORDER BY given_ms, event_id", -1, &s, NULL) !=
        SQLITE_OK)
        rc = SQLITE_DONE;
    while (rc == SQLITE_ROW && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        take_row(s, &row);
        n++;
        if (!fn(ctx, &row))
            rc = SQLITE_DONE;
    }
    if (rc != SQLITE_DONE)
        n = trouble(dir, db, err);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

int verdict_tie(const char *dir, const char *model, uint64_t hash, struct err *err)
{
    char path[PATH_MAX];
    struct stat st;
    sqlite3_stmt *s = NULL;
    int rc = 0;

    snprintf(path, sizeof path, "%s/" STORE_FILE, dir);
    if (stat(path, &st) < 0 || st.st_size == 0) /* not there, or being made */
        return 0;
    sqlite3 *db = open_db(dir, true, err);
    if (!db)
        return -1;
    /* a database of before there were verdicts holds none */
    if (sqlite3_prepare_v2(db, "UPDATE verdicts SET model_hash = ?2 WHERE model = ?1 AND model_hash IS NULL", -1, &s,
                           NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, model, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)hash);
        rc = run(dir, db, s, err);
    }
    sqlite3_close(db);
    return rc;
}

bool verdict_of(sqlite3 *db, const char *event_id, char out[VERDICT_SIZE])
{
    sqlite3_stmt *s = NULL;
    bool found = false;

    if (sqlite3_prepare_v2(db, "SELECT verdict FROM verdicts WHERE event_id = ?1", -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, event_id, -1, SQLITE_STATIC);
        found = sqlite3_step(s) == SQLITE_ROW;
        if (found)
            take_text(out, VERDICT_SIZE, s, 0);
    }
    sqlite3_finalize(s);
    return found;
}
