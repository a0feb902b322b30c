#include "daemon/store/schema.h"
#include "daemon/store/store_read.h"
#include "tests/store_help.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

struct place {
    char dir[64];
    struct taker taker;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->dir, "/tmp/earshot-store-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    pthread_mutex_init(&p->taker.lock, NULL);
    p->taker.room = 1000;
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
    pthread_mutex_destroy(&p->taker.lock);
    free(p);
    return 0;
}

static struct store *open_with(struct place *p, const struct store_params *params)
{
    struct store_taker calls = taker_calls(&p->taker);
    struct err err;
    struct store *s = store_new(params, &err);

    assert_non_null(s);
    p->taker.n = p->taker.held = 0;
    store_set_taker(s, &calls);
    return s;
}

static struct store *open_store(struct place *p)
{
    struct store_params params = store_defaults(p->dir);
    return open_with(p, &params);
}

static bool add_row(void *ctx, const struct store_row *row)
{
    struct store_row *last = ctx;

    *last = *row;
    assert_string_equal(row->source, "mic");
    return true;
}

static struct store_reader *reader(const char *dir)
{
    struct err err;
    struct store_reader *r = store_read_open(dir, &err);
    if (!r)
        print_error("%s\n", err.text);
    assert_non_null(r);
    return r;
}

static int64_t number(const char *dir, const char *sql)
{
    struct store_reader *r = reader(dir);
    sqlite3_stmt *s;

    assert_int_equal(sqlite3_prepare_v2(store_read_db(r), sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    store_read_close(r);
    return n;
}

/* start, update and end of one class in one sound are one row; what was told last stands there */
static void test_row(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct event e = make_event(EVENT_START, "dog_bark", true);
    struct store_row row;
    uint16_t embedding[EVENT_EMBEDDING];
    struct err err;

    e.n_embedding = 256;
    for (unsigned i = 0; i < 256; i++)
        e.embedding[i] = (uint16_t)(i * 251);
    store_put_event(s, &e);
    assert_true(wait_count(&p->taker, 1));
    struct store_reader *r = reader(p->dir); /* while the daemon writes */
    assert_int_equal(store_read_events(r, &(struct store_filter){0}, add_row, &row, &err), 1);
    assert_int_equal(row.ended, EVENT_GOES_ON);
    assert_int_equal(row.start_ms, e.start_ns / 1000000);
    assert_true(fabs(row.rms_dbfs + 21.3) < 1e-9 || fabs(row.rms_dbfs + 21.2) < 1e-9);
    assert_int_equal(store_read_embedding(r, row.id, embedding, EVENT_EMBEDDING), 256);
    assert_memory_equal(embedding, e.embedding, sizeof embedding);

    e.type = EVENT_END;
    e.score = 0.95f;
    e.end_ns += 1000000000;
    e.notify = false;
    strcpy(e.clip, "a.flac");
    uuid7(e.id, wall_ns());
    store_put_event(s, &e);
    assert_true(store_flush(s, 5));
    assert_int_equal(store_read_events(r, &(struct store_filter){.min_score = 0.9}, add_row, &row, &err), 1);
    assert_int_equal(row.ended, EVENT_ENDED);
    assert_int_equal(row.end_ms, e.end_ns / 1000000);
    assert_true(row.notify);
    store_read_close(r);
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM events WHERE clip = 'a.flac' AND label = 'dog_bark'"), 1);
}

/* a message is in the outbox when it is handed on, and leaves it when it was delivered; the rest is replayed, in order */
static void test_outbox(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct event e[5];

    for (int i = 0; i < 5; i++) {
        e[i] = make_event(EVENT_START, "siren", i != 2);
        store_put_event(s, &e[i]);
    }
    assert_true(wait_count(&p->taker, 5));
    for (int i = 0; i < 5; i++) {
        assert_string_equal(p->taker.got[i].id, e[i].id);
        assert_int_equal(p->taker.got[i].seq > 0, i != 2);
    }
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox WHERE channel = 'mqtt'"), 4);
    store_outbox_done(s, p->taker.got[1].seq);
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox"), 3);

    s = open_store(p);
    assert_true(wait_count(&p->taker, 3));
    assert_true(p->taker.got[0].replayed);
    assert_string_equal(p->taker.got[0].id, e[0].id);
    assert_string_equal(p->taker.got[1].id, e[3].id);
    assert_string_equal(p->taker.got[2].id, e[4].id);
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM events WHERE ended = 2"), 5); /* nobody ended them */
}

/* what the taker has no room for waits on the disk, and what comes after it as well */
static void test_room(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct event e[100];

    p->taker.room = 10;
    for (int i = 0; i < 100; i++) {
        e[i] = make_event(i % 2 ? EVENT_END : EVENT_START, "siren", true);
        store_put_event(s, &e[i]);
    }
    assert_true(store_flush(s, 5));
    unsigned next = 0;
    for (int round = 0; next < 100 && round < 200; round++) {
        int64_t done[100];
        unsigned n_done = 0;
        pthread_mutex_lock(&p->taker.lock);
        for (unsigned i = 0; i < p->taker.n; i++)
            if (p->taker.got[i].seq > 0) { /* -1: the present alone */
                assert_string_equal(p->taker.got[i].id, e[next++].id);
                done[n_done++] = p->taker.got[i].seq;
            }
        p->taker.n = p->taker.held = 0;
        pthread_mutex_unlock(&p->taker.lock);
        while (n_done)
            store_outbox_done(s, done[--n_done]);
        store_outbox_more(s);
        nap_ms(10);
    }
    assert_int_equal(next, 100);
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox"), 0);
}

static bool add_level(void *ctx, const struct store_level *l)
{
    *(struct store_level *)ctx = *l;
    return true;
}

static void test_levels(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct store_level l = {.interval_s = 60, .laeq = 41.237f, .lafmax = 60, .lcpeak = NAN, .n_bands = 3}, got;
    struct err err;

    for (int i = 0; i < 7; i++) {
        l.time_ms = 1000 * i;
        l.bands[2] = 12.5f;
        store_put_level(s, &l);
    }
    store_free(s, 5);
    struct store_reader *r = reader(p->dir);
    assert_int_equal(store_read_levels(r, 0, 0, add_level, &got, &err), 7);
    assert_int_equal(got.time_ms, 6000);
    assert_true(fabsf(got.laeq - 41.24f) < 1e-4f);
    assert_true(isnan(got.lcpeak));
    assert_int_equal(got.n_bands, 3);
    assert_true(fabsf(got.bands[2] - 12.5f) < 1e-6f);
    assert_int_equal(store_read_levels(r, 2000, 5000, add_level, &got, &err), 3);
    store_read_close(r);
}

static unsigned count_aside(const char *dir, const char *part)
{
    DIR *d = opendir(dir);
    unsigned n = 0;

    for (struct dirent *e; (e = readdir(d));)
        n += strstr(e->d_name, part) && !strstr(e->d_name, "-wal") && !strstr(e->d_name, "-shm");
    closedir(d);
    return n;
}

static void write_file(const char *dir, const char *name, const void *bytes, size_t size, off_t at)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0 && pwrite(fd, bytes, size, at) == (ssize_t)size);
    close(fd);
}

static void exec(const char *dir, const char *sql)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/" STORE_FILE, dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void store_one(struct place *p)
{
    struct store *s = open_store(p);
    struct event e = make_event(EVENT_START, "siren", true);
    struct store_figures f;

    unsigned before = taker_count(&p->taker);
    store_put_event(s, &e);
    for (int i = 0; i < 1000 && taker_count(&p->taker) == before; i++)
        nap_ms(5);
    store_get_figures(s, &f);
    assert_true(f.on_disk);
    assert_int_equal(f.stored, 1);
    store_free(s, 5);
}

/* neither a damaged nor a foreign file nor one of a later version is written to: each is set aside, whole */
static void test_set_aside(void **state)
{
    struct place *p = *state;
    char junk[8192];

    memset(junk, 'x', sizeof junk);
    write_file(p->dir, STORE_FILE, junk, sizeof junk, 0);
    store_one(p);
    assert_int_equal(count_aside(p->dir, "history.db.damaged-"), 1);
    exec(p->dir, "PRAGMA user_version = 99");
    store_one(p);
    assert_int_equal(count_aside(p->dir, "history.db.newer-"), 1);
    exec(p->dir, "PRAGMA application_id = 4711");
    store_one(p);
    assert_int_equal(count_aside(p->dir, "history.db.foreign-"), 1);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM events"), 1);
}

/* another file of ours whose tables are gone */
static void test_tables_gone(void **state)
{
    struct place *p = *state;

    store_one(p);
    exec(p->dir, "DROP TABLE events");
    store_one(p);
    assert_int_equal(count_aside(p->dir, "history.db.foreign-"), 1);
}

/* pages of events are spoilt: it is found out when they are used, and what is unsent is carried over */
static void test_damage_in_use(void **state)
{
    struct place *p = *state;
    char junk[4096];
    struct event first = make_event(EVENT_START, "siren", true);

    struct store *s = open_store(p);
    store_put_event(s, &first);
    assert_true(store_flush(s, 5));
    store_free(s, 5);
    int64_t root = number(p->dir, "SELECT rootpage FROM sqlite_schema WHERE name = 'events'");
    memset(junk, 0x55, sizeof junk);
    write_file(p->dir, STORE_FILE, junk, sizeof junk, (root - 1) * 4096);

    s = open_store(p);
    struct event e = make_event(EVENT_START, "siren", true);
    store_put_event(s, &e);
    for (int i = 0; i < 1000 && count_aside(p->dir, "history.db.damaged-") == 0; i++)
        nap_ms(5);
    assert_true(store_flush(s, 5));
    store_free(s, 5);
    assert_int_equal(count_aside(p->dir, "history.db.damaged-"), 1);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM events"), 1);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox"), 2);
}

/* taken away while in use: a new one is begun, nothing goes to a file that has no name */
static void test_taken_away(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct event e = make_event(EVENT_START, "siren", true);
    char path[128];

    store_put_event(s, &e);
    assert_true(store_flush(s, 5));
    for (const char *const *x = (const char *const[]){"", "-wal", "-shm", NULL}; *x; x++) {
        snprintf(path, sizeof path, "%s/" STORE_FILE "%s", p->dir, *x);
        unlink(path);
    }
    e = make_event(EVENT_START, "rain", true);
    store_put_event(s, &e);
    assert_true(store_flush(s, 5));
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM events WHERE label = 'rain'"), 1);
}

/* The disk can be read, but takes nothing: what waits in the outbox is brought all the same, so that it goes before what comes now. */
static void test_replay_while_failing(void **state)
{
    struct place *p = *state;
    struct store_params params = store_defaults(p->dir);
    struct store_figures f = {.on_disk = true};
    struct event e[31];
    char path[128];
    sqlite3 *db;

    params.late_retry_s = 3600;
    p->taker.room = 10;
    struct store *s = open_with(p, &params);
    for (int i = 0; i < 30; i++) {
        e[i] = make_event(EVENT_START, "siren", true);
        store_put_event(s, &e[i]);
    }
    assert_true(store_flush(s, 5));
    snprintf(path, sizeof path, "%s/" STORE_FILE, p->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    e[30] = make_event(EVENT_END, "siren", true);
    store_put_event(s, &e[30]);
    for (int i = 0; i < 1000 && f.on_disk; i++) {
        nap_ms(5);
        store_get_figures(s, &f);
    }
    assert_false(f.on_disk);
    unsigned next = 0;
    for (int round = 0; next < 30 && round < 200; round++) {
        pthread_mutex_lock(&p->taker.lock);
        unsigned n = p->taker.n;
        int64_t done[GOT_MOST];
        unsigned n_done = 0;
        for (unsigned i = 0; i < n; i++)
            if (p->taker.got[i].seq > 0) {
                assert_string_equal(p->taker.got[i].id, e[next++].id);
                done[n_done++] = p->taker.got[i].seq;
            }
        p->taker.n = p->taker.held = 0;
        pthread_mutex_unlock(&p->taker.lock);
        while (n_done)
            store_outbox_done(s, done[--n_done]);
        store_outbox_more(s);
        nap_ms(10);
    }
    assert_int_equal(next, 30);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(store_flush(s, 5));
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox"), 1);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM events"), 31);
}

struct late_disk {
    atomic_bool there;
    char delivered[UUID_SIZE];
};

static int disk_ready(void *ctx, struct err *err)
{
    return atomic_load(&((struct late_disk *)ctx)->there) ? 0 : err_set(err, "not there yet");
}

static struct late_disk *late_disk; /* the taker's own context is another */

static bool not_delivered(void *ctx, const char *id)
{
    (void)ctx;
    return strcmp(id, late_disk->delivered) != 0;
}

/* The disk comes back when the daemon is about to end and the publisher is gone already: what was handed on from memory and not
 * delivered is in the outbox then, for the next run, and what was delivered is not. */
static void test_end(void **state)
{
    struct place *p = *state;
    struct late_disk disk = {.there = false};
    struct store_params params = store_defaults(p->dir);
    struct store_taker calls = taker_calls(&p->taker);
    struct event e[3];
    struct err err;

    late_disk = &disk;
    params.ready = disk_ready;
    params.ready_ctx = &disk;
    params.late_retry_s = 3600;
    calls.pending = not_delivered;
    struct store *s = store_new(&params, &err);
    assert_non_null(s);
    store_set_taker(s, &calls);
    for (int i = 0; i < 3; i++) {
        e[i] = make_event(EVENT_START, "siren", i != 2);
        store_put_event(s, &e[i]);
    }
    strcpy(disk.delivered, e[0].id);
    assert_true(wait_count(&p->taker, 3));
    assert_int_equal(p->taker.got[1].seq, 0);
    assert_false(store_flush(s, 0.2));
    store_set_taker(s, NULL);
    atomic_store(&disk.there, true);
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM events"), 3);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox"), 1);

    p->taker.n = p->taker.held = 0;
    s = open_store(p);
    assert_true(wait_count(&p->taker, 1));
    assert_string_equal(p->taker.got[0].id, e[1].id);
    store_free(s, 5);
}

/* other channels: in order, one at a time, with patience after a failure */
static void test_webhook(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct store_message m;
    struct err err;
    double due;

    assert_int_equal(store_outbox_put(s, "webhook:a", "1", "one", 3, &err), 0);
    assert_int_equal(store_outbox_put(s, "webhook:a", "2", "two", 3, &err), 0);
    assert_int_equal(store_outbox_put(s, "webhook:b", "3", "three", 5, &err), 0);
    assert_true(store_flush(s, 5));
    assert_int_equal(store_outbox_next(s, "webhook:a", 5, &m, &due), 1);
    assert_string_equal(m.payload, "one");
    assert_true(m.key > 0);
    free(m.payload);
    store_outbox_later(s, m.key, 0.3);
    assert_int_equal(store_outbox_next(s, "webhook:a", 5, &m, &due), 0);
    assert_true(due > 0 && due <= 0.3);
    nap_ms(350);
    assert_int_equal(store_outbox_next(s, "webhook:a", 5, &m, &due), 1);
    assert_string_equal(m.payload, "one");
    assert_int_equal(m.attempts, 1);
    free(m.payload);
    store_outbox_done(s, m.key);
    assert_int_equal(store_outbox_next(s, "webhook:a", 5, &m, &due), 1);
    assert_string_equal(m.payload, "two");
    free(m.payload);
    store_outbox_done(s, m.key);
    assert_int_equal(store_outbox_next(s, "webhook:a", 5, &m, &due), 0);
    assert_true(due < 0);
    assert_int_equal(store_outbox_put(s, "webhook:a", "4", "x", 4000000, &err), -1);
    store_free(s, 5);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox WHERE channel = 'webhook:b'"), 1);
    assert_int_equal(number(p->dir, "SELECT count(*) FROM outbox"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_outbox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tables_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replay_while_failing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_webhook, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
