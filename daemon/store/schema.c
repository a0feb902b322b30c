#include "daemon/store/schema.h"

#include "daemon/store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUSY_MS 2000 /* for another process that writes, such as a purge */

/* Version n of the schema is what the first n steps make. A step is never changed once it was released: a later one goes on from it. */
static const char *const steps[SCHEMA_VERSION] = {
    /* A row of events is one event_id. embeddings stands apart, so that events stays small to look through. */
    "CREATE TABLE events ("
    " id INTEGER PRIMARY KEY," /* order of arrival */
    " event_id TEXT NOT NULL UNIQUE,"
    " sound_id TEXT NOT NULL,"
    " label TEXT NOT NULL,"
    " score REAL NOT NULL,"
    " start_ms INTEGER NOT NULL,"
    " end_ms INTEGER NOT NULL,"       /* up to where it was heard (so far) */
    " ended INTEGER NOT NULL,"        /* 0 goes on, 1 ended, 2 cut off: the daemon was gone before the end */
    " peak_dbfs REAL, rms_dbfs REAL," /* NULL: a test event */
    " segments INTEGER NOT NULL,"
    " lost_frames INTEGER NOT NULL,"
    " source TEXT NOT NULL,"
    " model TEXT NOT NULL,"
    " notify INTEGER NOT NULL,"
    " test INTEGER NOT NULL,"
    " clip TEXT,"          /* path within the clips' folder */
    " top TEXT NOT NULL);" /* JSON: [[label, score], ...], best first */
    /* all that is looked for and counted by: questions of a million rows are answered from the index alone */
    "CREATE INDEX events_time ON events(start_ms, label, score, test);"
    "CREATE INDEX events_label ON events(label, start_ms, score, test);"
    "CREATE INDEX events_going_on ON events(id) WHERE ended = 0;"
    "CREATE TABLE embeddings ("
    " event INTEGER PRIMARY KEY REFERENCES events(id),"
    " data BLOB NOT NULL);" /* IEEE 754 half precision, little endian: of the window that decided */
    "CREATE TABLE outbox ("
    " seq INTEGER PRIMARY KEY,"
    " channel TEXT NOT NULL," /* 'mqtt', 'webhook:NAME' */
    " id TEXT NOT NULL,"      /* of the message */
    " created_ms INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " due_ms INTEGER NOT NULL," /* not to be tried before */
    " payload BLOB NOT NULL);"
    "CREATE INDEX outbox_channel ON outbox(channel, seq);"
    "CREATE TABLE levels ("
    " id INTEGER PRIMARY KEY,"
    " time_ms INTEGER NOT NULL," /* end of the interval */
    " interval_s REAL NOT NULL,"
    " laeq REAL, lafmax REAL, lcpeak REAL, l10 REAL, l50 REAL, l90 REAL,"
    " calibrated INTEGER NOT NULL," /* 1: dB SPL, 0: dB re full scale */
    " bands BLOB);"                 /* third octaves: IEEE 754 single precision, little endian */
    "CREATE INDEX levels_time ON levels(time_ms);",
    /* What people said of events; it outlives them, and so does the copy of the embedding that is learned from. */
    "CREATE TABLE verdicts ("
    " event_id TEXT PRIMARY KEY NOT NULL,"
    " label TEXT NOT NULL,"   /* what the event was told as */
    " verdict TEXT NOT NULL," /* 'right', 'wrong', or the label of what it was */
    " model TEXT NOT NULL,"
    " model_hash INTEGER," /* of its file, when the verdict was first learned from */
    " given_ms INTEGER NOT NULL,"
    " start_ms INTEGER NOT NULL," /* of the event */
    " score REAL NOT NULL,"
    " embedding BLOB);", /* as in embeddings */
};

static int number(sqlite3 *db, const char *sql, sqlite3_int64 *out)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    *out = 0;
    if (!rc && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(s, 0);
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_CORRUPT;
    }
    sqlite3_finalize(s);
    return rc;
}

enum schema_state schema_trouble(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return SCHEMA_GOOD;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SCHEMA_DAMAGED;
    case SQLITE_ERROR: /* a table or column of ours is not there */
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
        return SCHEMA_FOREIGN;
    default:
        return SCHEMA_FAILED;
    }
}

static void owner(const char *path, char *out, size_t size)
{
    struct stat st;

    out[0] = '\0';
    if (stat(path, &st) < 0 || access(path, R_OK | W_OK) == 0)
        return;
    const struct passwd *pw = getpwuid(st.st_uid);
    snprintf(out, size, " (%s belongs to %s, mode %03o; earshot runs as user %u)", path, pw ? pw->pw_name : "another",
             st.st_mode & 0777u, (unsigned)getuid());
}

void schema_explain(const char *dir, sqlite3 *db, int rc, struct err *err)
{
    char path[PATH_MAX], whose[PATH_MAX + 128];
    int system = db ? sqlite3_system_errno(db) : 0;

    snprintf(path, sizeof path, "%s/" STORE_FILE, dir);
    owner(path, whose, sizeof whose);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        err_set(err, "%s: the disk is full", path);
        return;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        err_set(err, "%s: another process has locked it", path);
        return;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        err_set(err, "%s cannot be %s: %s%s", path, (rc & 0xff) == SQLITE_READONLY ? "written" : "opened",
                system ? strerror(system) : sqlite3_errstr(rc), whose);
        return;
    default:
        err_set(err, "%s: %s%s%s%s", path, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), system ? ": " : "",
                system ? strerror(system) : "", whose);
        return;
    }
}

/* A file of our own mode, where there is none: SQLite would make it by the umask alone, readable by all, and its companions take its
 * mode. */
static int make_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0660);
    struct stat st;

    if (fd < 0 && errno != EACCES && errno != EROFS && errno != EPERM)
        return err_set(err, "%s cannot be opened: %s", path,
                       errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    if (fd < 0) {
        int why = errno;
        char whose[PATH_MAX + 128];
        owner(path, whose, sizeof whose);
        return err_set(err, "%s cannot be opened: %s%s", path, strerror(why), whose);
    }
    bool plain = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    close(fd);
    return plain ? 0 : err_set(err, "%s is no regular file", path);
}

/* Is it ours, and of which version? 0: an empty one. */
static enum schema_state look(sqlite3 *db, const char *path, sqlite3_int64 *version, struct err *err)
{
    sqlite3_int64 application = 0, tables = 0;
    int rc = number(db, "PRAGMA application_id", &application);

    if (!rc)
        rc = number(db, "PRAGMA user_version", version);
    if (!rc)
        rc = number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc) {
        enum schema_state state = schema_trouble(rc);
        err_set(err, "%s: %s", path, sqlite3_errmsg(db));
        return state == SCHEMA_FOREIGN ? SCHEMA_DAMAGED : state;
    }
    if (tables == 0 && application == 0 && *version == 0)
        return SCHEMA_GOOD;
    if (application != SCHEMA_APPLICATION || *version < 1) {
        err_set(err, "%s is a database of something else than earshot", path);
        return SCHEMA_FOREIGN;
    }
    if (*version > SCHEMA_VERSION) {
        err_set(err, "%s is of a newer earshot: version %lld of its tables, this one knows %d", path,
                (long long)*version, SCHEMA_VERSION);
        return SCHEMA_NEWER;
    }
    return SCHEMA_GOOD;
}

static int migrate(sqlite3 *db, sqlite3_int64 version)
{
    char stamp[96];
    int rc = SQLITE_OK;

    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d", SCHEMA_APPLICATION,
             SCHEMA_VERSION);
    if (version == SCHEMA_VERSION)
        return SQLITE_OK;
    rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (sqlite3_int64 v = version; v < SCHEMA_VERSION && !rc; v++)
        rc = sqlite3_exec(db, steps[v], NULL, NULL, NULL);
    if (!rc)
        rc = sqlite3_exec(db, stamp, NULL, NULL, NULL);
    if (!rc)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Journal mode and freeing of pages are properties of the file; the first can only be set where nothing was written yet. */
static int prepare(sqlite3 *db, sqlite3_int64 version)
{
    static const char settings[] = "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA journal_size_limit = 4194304;"
                                   "PRAGMA cache_size = -512;" /* kB: the daemon's memory is small */
                                   "PRAGMA foreign_keys = OFF";
    int rc = version ? SQLITE_OK : sqlite3_exec(db, "PRAGMA auto_vacuum = INCREMENTAL", NULL, NULL, NULL);

    if (!rc)
        rc = sqlite3_exec(db, settings, NULL, NULL, NULL);
    if (!rc)
        rc = migrate(db, version);
    /* what was going on when the daemon last ended has no end any more */
    return rc ? rc : sqlite3_exec(db, "UPDATE events SET ended = 2 WHERE ended = 0", NULL, NULL, NULL);
}

/* The name of a new file is on the disk as well, not only its content. */
static void sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int file_path(char path[PATH_MAX], const char *dir, struct err *err)
{
    int n = snprintf(path, PATH_MAX, "%s/" STORE_FILE, dir);
    return n < 0 || n >= PATH_MAX - 64 ? err_set(err, "%s: the path is too long", dir) : 0;
}

enum schema_state schema_open(const char *dir, sqlite3 **out, struct err *err)
{
    enum schema_state state = SCHEMA_FAILED;
    char path[PATH_MAX];
    sqlite3 *db = NULL;
    sqlite3_int64 version = 0;

    *out = NULL;
    if (file_path(path, dir, err) < 0 || make_file(path, err) < 0)
        return SCHEMA_FAILED;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc) {
        schema_explain(dir, db, rc, err);
    } else {
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_timeout(db, BUSY_MS);
        state = look(db, path, &version, err);
    }
    if (state == SCHEMA_GOOD && (rc = prepare(db, version)) != SQLITE_OK) {
        state = schema_trouble(rc);
        schema_explain(dir, db, rc, err);
    }
    if (state == SCHEMA_GOOD) {
        sync_dir(dir);
        *out = db;
    } else {
        sqlite3_close(db);
    }
    return state;
}

static int open_read(const char *path, const char *how, sqlite3 **db)
{
    char uri[3 * PATH_MAX] = "file:", *end = uri + 5;

    for (const char *p = path; *p && end < uri + sizeof uri - 64; p++)
        end += *p == '?' || *p == '#' || *p == '%' ? sprintf(end, "%%%02X", (unsigned char)*p) : sprintf(end, "%c", *p);
    strcpy(end, how);
    int rc = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_int64 tables;
    if (rc)
        return rc;
    sqlite3_extended_result_codes(*db, 1);
    sqlite3_busy_timeout(*db, BUSY_MS);
    return number(*db, "SELECT count(*) FROM sqlite_schema", &tables);
}

sqlite3 *schema_open_read(const char *dir, struct err *err)
{
    char path[PATH_MAX], wal[PATH_MAX + 8];
    sqlite3 *db = NULL;
    sqlite3_int64 version = 0;
    struct stat st;

    if (file_path(path, dir, err) < 0)
        return NULL;
    if (stat(path, &st) < 0) {
        err_set(err, "there is no history in %s: %s", path, strerror(errno));
        return NULL;
    }
    int rc = open_read(path, "", &db);
    snprintf(wal, sizeof wal, "%s-wal", path);
    /* no daemon, and no right to make its companions: nobody writes it, so it can be read as it lies there */
    if (schema_trouble(rc) == SCHEMA_FAILED && (stat(wal, &st) < 0 || st.st_size == 0)) {
        sqlite3_close(db);
        db = NULL;
        rc = open_read(path, "?immutable=1", &db);
    }
    if (rc) {
        schema_explain(dir, db, rc, err);
    } else if (look(db, path, &version, err) == SCHEMA_GOOD) {
        if (version > 0)
            return db;
        err_set(err, "%s is empty: nothing was stored yet", path);
    }
    sqlite3_close(db);
    return NULL;
}

static int move(const char *from, const char *to, const char *suffix)
{
    char a[PATH_MAX + 8], b[PATH_MAX + 64];

    snprintf(a, sizeof a, "%s%s", from, suffix);
    snprintf(b, sizeof b, "%s%s", to, suffix);
    return rename(a, b);
}

int schema_set_aside(const char *dir, const char *why, char *aside, size_t size, struct err *err)
{
    char path[PATH_MAX], stamp[24];
    time_t now = time(NULL);
    struct tm tm;

    if (file_path(path, dir, err) < 0)
        return -1;
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    snprintf(aside, size, "%s.%s-%s", path, why, stamp);
    for (unsigned i = 2; access(aside, F_OK) == 0 && i < 1000; i++)
        snprintf(aside, size, "%s.%s-%s-%u", path, why, stamp, i);
    /* the log first: a database that found the log of another beside it would take it for its own */
    if ((move(path, aside, "-wal") < 0 && errno != ENOENT) || (move(path, aside, "-shm") < 0 && errno != ENOENT) ||
        move(path, aside, "") < 0)
        return err_set(err, "%s cannot be set aside: %s", path, strerror(errno));
    sync_dir(dir);
    return 0;
}
