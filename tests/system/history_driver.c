/* history.sh's hand on the database: fills one as the store would have, and writes events as the daemon does while somebody reads.
 *
 *     driver DIR fill EVENTS LEVELS DAYS END_MS   rows spread over the days before END_MS (UTC ms)
 *     driver DIR write                            a line of standard input is an event: "start|update|end NUMBER LABEL SCORE"; "test"
 *                                                 behind it for a test event. Answers "." when it is stored
 *     driver DIR newer                            marks the database as one of a later version
 */
#include "daemon/store/schema.h"
#include "daemon/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t state = 88172645463325252u; /* xorshift64 (Marsaglia 2003): the same rows each time */

static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

static void must(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        fprintf(stderr, "driver: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static void fill_events(sqlite3 *db, long n, double span_ms, int64_t end_ms)
{
    static const char *const labels[] = {"dog_bark",  "speech",          "car_horn",       "doorbell", "siren",
                                         "footsteps", "door_wood_knock", "vacuum_cleaner", "rain",     "smoke_alarm"};
    uint16_t embedding[64] = {0x3c00, 0xc000, 0x3800}; /* 1, -2, 0.5 */
    char id[64], top[128];
    sqlite3_stmt *s, *e;

    must(db, sqlite3_prepare_v2(
                 db,
                 "INSERT INTO events (id, event_id, sound_id, label, score, start_ms, end_ms, ended, "
                 "peak_dbfs, rms_dbfs, segments, lost_frames, source, model, notify, test, clip, top) VALUES "
                 "(?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10, 0, 'mic', 'earshot-s', 1, ?11, NULL, ?12)",
                 -1, &s, NULL));
    must(db, sqlite3_prepare_v2(db, "INSERT INTO embeddings VALUES (?1, ?2)", -1, &e, NULL));
    for (long i = 0; i < n; i++) {
        int64_t start = end_ms - (int64_t)(span_ms * (double)(n - i) / (double)n);
        double u = uniform(), score = 0.3 + 0.7 * uniform();
        const char *label = labels[(int)(10 * u * u)];
        snprintf(id, sizeof id, "%08lx-0000-7000-8000-%012lx", i, i);
        snprintf(top, sizeof top, "[[\"%s\",%.4f],[\"rain\",0.0100]]", label, score);
        sqlite3_bind_int64(s, 1, i + 1);
        sqlite3_bind_text(s, 2, id, -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(s, 3, id, -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(s, 4, label, -1, SQLITE_STATIC);
        sqlite3_bind_double(s, 5, (double)(int)(score * 10000) / 10000);
        sqlite3_bind_int64(s, 6, start);
        sqlite3_bind_int64(s, 7, start + 1000 + (int)(20000 * uniform()));
        sqlite3_bind_double(s, 8, -10);
        sqlite3_bind_double(s, 9, -30);
        sqlite3_bind_int64(s, 10, 4);
        sqlite3_bind_int64(s, 11, i % 1000 == 7);
        sqlite3_bind_text(s, 12, top, -1, SQLITE_TRANSIENT);
        must(db, sqlite3_step(s));
        sqlite3_reset(s);
        if (i % 10 == 0) {
            sqlite3_bind_int64(e, 1, i + 1);
            sqlite3_bind_blob(e, 2, embedding, sizeof embedding, SQLITE_STATIC);
            must(db, sqlite3_step(e));
            sqlite3_reset(e);
        }
    }
    sqlite3_finalize(s);
    sqlite3_finalize(e);
}

static void fill_levels(sqlite3 *db, long n, double span_ms, int64_t end_ms)
{
    sqlite3_stmt *s;

    must(db,
         sqlite3_prepare_v2(db,
                            "INSERT INTO levels (time_ms, interval_s, laeq, lafmax, lcpeak, l10, l50, l90, calibrated, "
                            "bands) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, NULL)",
                            -1, &s, NULL));
    for (long i = 0; i < n; i++) {
        int64_t time = end_ms - (int64_t)(span_ms * (double)(n - 1 - i) / (double)n);
        int hour = (int)(time / 3600000 % 24);
        double laeq = (hour < 6 ? 30 : 45) + 10 * uniform();
        sqlite3_bind_int64(s, 1, time);
        sqlite3_bind_double(s, 2, span_ms / 1e3 / (double)n);
        const double figures[] = {laeq, laeq + 15 * uniform() + 3, laeq + 35, laeq + 3, laeq - 2, laeq - 6};
        for (int k = 0; k < 6; k++)
            sqlite3_bind_double(s, 3 + k, figures[k]);
        must(db, sqlite3_step(s));
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
}

static int fill(const char *dir, char **argv)
{
    double span_ms = atof(argv[2]) * 86400e3;
    struct err err;
    sqlite3 *db;

    if (schema_open(dir, &db, &err) != SCHEMA_GOOD) {
        fprintf(stderr, "driver: %s\n", err.text);
        return 1;
    }
    must(db, sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN", NULL, NULL, NULL));
    fill_events(db, atol(argv[0]), span_ms, atoll(argv[3]));
    fill_levels(db, atol(argv[1]), span_ms, atoll(argv[3]));
    must(db, sqlite3_exec(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL));
    sqlite3_close(db);
    return 0;
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int put(struct store *s, const char *line)
{
    struct event e = {.n_top = 1, .segments = 2, .notify = true, .peak_dbfs = -6, .rms_dbfs = -20};
    char type[8], test[8] = "";
    unsigned number;
    double score;

    if (sscanf(line, "%7s %u %47s %lf %7s", type, &number, e.label, &score, test) < 4)
        return -1;
    e.type = *type == 's' ? EVENT_START : *type == 'u' ? EVENT_UPDATE : EVENT_END;
    e.score = e.top[0].score = (float)score;
    e.test = *test;
    e.start_ns = now_ns() - 1000000000;
    e.end_ns = now_ns();
    uuid7(e.id, now_ns());
    snprintf(e.event_id, sizeof e.event_id, "00000000-0000-7000-8000-%012u", number);
    snprintf(e.sound_id, sizeof e.sound_id, "00000000-0000-7000-8000-%012u", number);
    snprintf(e.top[0].label, sizeof e.top[0].label, "%s", e.label);
    snprintf(e.source, sizeof e.source, "mic");
    snprintf(e.model, sizeof e.model, "earshot-s");
    store_put_event(s, &e);
    return 0;
}

static int write_events(const char *dir)
{
    struct store_params p = {.dir = dir, .history = true, .outbox_max = 1000, .late_retry_s = 0.1};
    struct err err;
    struct store *s = store_new(&p, &err);
    struct store_figures f;
    char line[256];
    uint64_t put_so_far = 0;

    if (!s)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        put_so_far += put(s, line) == 0;
        do {
            nanosleep(&(struct timespec){0, 2000000}, NULL);
            store_get_figures(s, &f);
        } while (f.stored < put_so_far);
        puts(".");
        fflush(stdout);
    }
    store_free(s, 5);
    return 0;
}

static int newer(const char *dir)
{
    char path[4096];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/" STORE_FILE, dir);
    must(NULL, sqlite3_open(path, &db));
    must(db, sqlite3_exec(db, "PRAGMA user_version = 999", NULL, NULL, NULL));
    sqlite3_close(db);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[2], "fill") == 0)
        return fill(argv[1], argv + 3);
    if (argc == 3 && strcmp(argv[2], "write") == 0)
        return write_events(argv[1]);
    if (argc == 3 && strcmp(argv[2], "newer") == 0)
        return newer(argv[1]);
    return 2;
}
