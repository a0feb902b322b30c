/* Power cuts. A file system of our own below SQLite remembers of each file what was synced, and each write since. A cut keeps what was
 * synced, and of the later writes any, each whole, torn or not at all, whatever their order: more than a disk may do. What was handed on
 * to be published before the cut must be found in the outbox after it. */
#include "daemon/store/schema.h"
#include "tests/store_help.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#define FILES  3
#define SECTOR 512

struct image {
    unsigned char *bytes;
    sqlite3_int64 size, room;
};

struct later {
    struct later *next;
    sqlite3_int64 at; /* -1: truncated to `size` */
    sqlite3_int64 size;
    unsigned char bytes[];
};

/* What a cut leaves of a file, by its name's end. */
static struct disk {
    const char *suffix;
    struct image synced;
    struct later *later, **last;
} disks[FILES] = {{.suffix = "-wal"}, {.suffix = "-journal"}, {.suffix = ".db"}};
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t seed;
static unsigned long writes, syncs;

struct file {
    sqlite3_file base;
    struct disk *disk; /* NULL: none that a cut matters to */
    sqlite3_file *real;
};

static unsigned dice(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((seed >> 33) % n);
}

static void image_resize(struct image *m, sqlite3_int64 size)
{
    if (size > m->room) {
        m->room = size * 2;
        m->bytes = realloc(m->bytes, (size_t)m->room);
        assert_non_null(m->bytes);
    }
    if (size > m->size)
        memset(m->bytes + m->size, 0, (size_t)(size - m->size));
    m->size = size;
}

static void image_write(struct image *m, const unsigned char *bytes, sqlite3_int64 at, sqlite3_int64 n)
{
    if (at + n > m->size)
        image_resize(m, at + n);
    memcpy(m->bytes + at, bytes, (size_t)n);
}

static void note(struct disk *d, const void *bytes, sqlite3_int64 at, sqlite3_int64 size)
{
    struct later *l = malloc(sizeof *l + (at < 0 ? 0 : (size_t)size));

    assert_non_null(l);
    l->next = NULL;
    l->at = at;
    l->size = size;
    if (at >= 0)
        memcpy(l->bytes, bytes, (size_t)size);
    pthread_mutex_lock(&disk_lock);
    if (!d->last)
        d->last = &d->later;
    *d->last = l;
    d->last = &l->next;
    writes++;
    pthread_mutex_unlock(&disk_lock);
}

static void settle(struct disk *d)
{
    for (struct later *l = d->later, *next; l; l = next) {
        next = l->next;
        if (l->at < 0)
            image_resize(&d->synced, l->size);
        else
            image_write(&d->synced, l->bytes, l->at, l->size);
        free(l);
    }
    d->later = NULL;
    d->last = &d->later;
}

/* --- the file system: all as below, and remembered ---------------------------------------------------------------------- */

#define BELOW(f) (((struct file *)(f))->real)

static int vfs_close(sqlite3_file *f)
{
    int rc = BELOW(f)->pMethods->xClose(BELOW(f));
    free(BELOW(f));
    return rc;
}

static int vfs_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
    return BELOW(f)->pMethods->xRead(BELOW(f), out, n, at);
}

static int vfs_write(sqlite3_file *f, const void *in, int n, sqlite3_int64 at)
{
    struct file *file = (struct file *)f;
    int rc = file->real->pMethods->xWrite(file->real, in, n, at);
    if (!rc && file->disk)
        note(file->disk, in, at, n);
    return rc;
}

static int vfs_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct file *file = (struct file *)f;
    int rc = file->real->pMethods->xTruncate(file->real, size);
    if (!rc && file->disk)
        note(file->disk, NULL, -1, size);
    return rc;
}

static int vfs_sync(sqlite3_file *f, int flags)
{
    struct file *file = (struct file *)f;
    (void)flags; /* the files below are not synced: they are not what is looked at after the cut */
    pthread_mutex_lock(&disk_lock);
    syncs++;
    if (file->disk)
        settle(file->disk);
    pthread_mutex_unlock(&disk_lock);
    return SQLITE_OK;
}

static int vfs_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return BELOW(f)->pMethods->xFileSize(BELOW(f), size);
}

static int vfs_lock(sqlite3_file *f, int level)
{
    return BELOW(f)->pMethods->xLock(BELOW(f), level);
}

static int vfs_unlock(sqlite3_file *f, int level)
{
    return BELOW(f)->pMethods->xUnlock(BELOW(f), level);
}

static int vfs_reserved(sqlite3_file *f, int *out)
{
    return BELOW(f)->pMethods->xCheckReservedLock(BELOW(f), out);
}

static int vfs_control(sqlite3_file *f, int op, void *arg)
{
    return BELOW(f)->pMethods->xFileControl(BELOW(f), op, arg);
}

static int vfs_sector(sqlite3_file *f)
{
    (void)f;
    return SECTOR;
}

static int vfs_device(sqlite3_file *f)
{
    (void)f;
    return 0; /* promises nothing */
}

static int vfs_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return BELOW(f)->pMethods->xShmMap(BELOW(f), page, size, extend, out);
}

static int vfs_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return BELOW(f)->pMethods->xShmLock(BELOW(f), offset, n, flags);
}

static void vfs_shm_barrier(sqlite3_file *f)
{
    BELOW(f)->pMethods->xShmBarrier(BELOW(f));
}

static int vfs_shm_unmap(sqlite3_file *f, int delete)
{
    return BELOW(f)->pMethods->xShmUnmap(BELOW(f), delete);
}

static const sqlite3_io_methods methods = {
    2,          vfs_close,   vfs_read,     vfs_write,       vfs_truncate,  vfs_sync,
    vfs_size,   vfs_lock,    vfs_unlock,   vfs_reserved,    vfs_control,   vfs_sector,
    vfs_device, vfs_shm_map, vfs_shm_lock, vfs_shm_barrier, vfs_shm_unmap, NULL,
    NULL};

static sqlite3_vfs below, ours;

static struct disk *disk_of(const char *name)
{
    size_t n = strlen(name);

    for (unsigned i = 0; i < FILES; i++) {
        size_t k = strlen(disks[i].suffix);
        if (n > k && strcmp(name + n - k, disks[i].suffix) == 0)
            return &disks[i];
    }
    return NULL;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = (struct file *)f;

    (void)vfs;
    *file = (struct file){.real = calloc(1, (size_t)below.szOsFile)};
    assert_non_null(file->real);
    file->disk = name ? disk_of(name) : NULL;
    int rc = below.xOpen(&below, name, file->real, flags, out);
    if (rc)
        free(file->real);
    else
        file->base.pMethods = &methods;
    return rc;
}

/* A name that went, and the folder was synced; else it is still there after the cut. */
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct disk *d = disk_of(name);

    (void)vfs;
    pthread_mutex_lock(&disk_lock);
    if (d && sync) {
        settle(d);
        d->synced.size = 0;
    }
    pthread_mutex_unlock(&disk_lock);
    return below.xDelete(&below, name, sync);
}

static void install(void)
{
    below = *sqlite3_vfs_find(NULL);
    ours = below;
    ours.zName = "power";
    ours.szOsFile = (int)sizeof(struct file);
    ours.xOpen = vfs_open;
    ours.xDelete = vfs_delete;
    assert_int_equal(sqlite3_vfs_register(&ours, 1), SQLITE_OK);
}

static void forget_disks(void)
{
    for (unsigned i = 0; i < FILES; i++) {
        settle(&disks[i]);
        free(disks[i].synced.bytes);
        disks[i].synced = (struct image){0};
    }
}

/* The cut: what the folder holds after it. */
static void cut(const char *to)
{
    char path[128];

    for (unsigned i = 0; i < FILES; i++) {
        struct disk *d = &disks[i];
        struct image m = {0};
        image_resize(&m, d->synced.size);
        if (m.size)
            memcpy(m.bytes, d->synced.bytes, (size_t)m.size);
        for (const struct later *l = d->later; l; l = l->next) {
            if (l->at < 0) {
                if (dice(2))
                    image_resize(&m, l->size);
                continue;
            }
            for (sqlite3_int64 k = 0; k < l->size; k += SECTOR) /* a sector is the least that a disk writes */
                if (dice(2))
                    image_write(&m, l->bytes + k, l->at + k, l->size - k < SECTOR ? l->size - k : SECTOR);
        }
        snprintf(path, sizeof path, "%s/" STORE_FILE "%s", to, *d->suffix == '-' ? d->suffix : "");
        unlink(path);
        if (m.size) {
            int fd = open(path, O_WRONLY | O_CREAT, 0600);
            assert_true(fd >= 0 && write(fd, m.bytes, (size_t)m.size) == m.size);
            close(fd);
        }
        free(m.bytes);
    }
}

/* --- the test ----------------------------------------------------------------------------------------------------------- */

struct published {
    char id[UUID_SIZE];
    bool delivered;
};

static bool in_outbox(sqlite3 *db, const char *id)
{
    sqlite3_stmt *s;

    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM outbox WHERE id = ?1", -1, &s, NULL), SQLITE_OK);
    sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    bool there = sqlite3_column_int(s, 0) == 1;
    sqlite3_finalize(s);
    return there;
}

static void check_sound(sqlite3 *db)
{
    sqlite3_stmt *s;

    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
    sqlite3_finalize(s);
}

/* Feeds the store for a while, cuts, and looks at what is left. Returns how many were published before the cut. */
static unsigned one_cut(const char *dir, const char *after, struct taker *t)
{
    static struct published list[GOT_MOST];
    struct store_params params = store_defaults(dir);
    struct store_taker calls = taker_calls(t);
    struct err err;
    struct store *s = store_new(&params, &err);
    unsigned n = 0, events = 5 + dice(200), acked = 0;
    bool *delivered = calloc(GOT_MOST, sizeof *delivered);

    assert_non_null(s);
    store_set_taker(s, &calls);
    for (unsigned i = 0; i < events; i++) {
        struct event e = make_event(dice(2) ? EVENT_START : EVENT_END, "siren", dice(5) > 0);
        e.n_embedding = EVENT_EMBEDDING;
        store_put_event(s, &e);
        if (dice(4) == 0)
            nap_ms((int)dice(8));
        unsigned at = taker_count(t);
        if (at && dice(3) == 0) {
            unsigned k = dice(at);
            if (t->got[k].seq > 0 && !delivered[k]) {
                delivered[k] = true;
                acked++;
                store_outbox_done(s, t->got[k].seq);
            }
        }
    }
    if (dice(2))
        nap_ms((int)dice(1500)); /* deliveries are written after a second */
    /* first what was published, then the disk: nothing that was published in between is asked for */
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->n; i++)
        if (t->got[i].seq > 0 && !delivered[i])
            memcpy(list[n++].id, t->got[i].id, UUID_SIZE);
    pthread_mutex_unlock(&t->lock);
    pthread_mutex_lock(&disk_lock);
    cut(after);
    pthread_mutex_unlock(&disk_lock);
    store_free(s, 10);
    free(delivered);

    sqlite3 *db;
    if (schema_open(after, &db, &err) != SCHEMA_GOOD)
        fail_msg("%s", err.text);
    check_sound(db);
    for (unsigned i = 0; i < n; i++)
        if (!in_outbox(db, list[i].id))
            fail_msg("published message %u of %u is not in the outbox after the cut (%u delivered)", i, n, acked);
    sqlite3_close(db);
    return n;
}

static void test_power_cuts(void **state)
{
    const char *given = getenv("EARSHOT_SEED"), *rounds = getenv("EARSHOT_CUTS");
    unsigned cuts = rounds ? (unsigned)atoi(rounds) : 12, published = 0;
    struct taker *t = calloc(1, sizeof *t);
    (void)state;

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)wall_ns();
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_non_null(t);
    pthread_mutex_init(&t->lock, NULL);
    for (unsigned i = 0; i < cuts; i++) {
        char dir[] = "/tmp/earshot-power-XXXXXX", after[] = "/tmp/earshot-after-XXXXXX", command[128];
        assert_non_null(mkdtemp(dir));
        assert_non_null(mkdtemp(after));
        t->n = t->held = 0;
        t->room = GOT_MOST;
        published += one_cut(dir, after, t);
        forget_disks();
        snprintf(command, sizeof command, "rm -rf %s %s", dir, after);
        assert_int_equal(system(command), 0);
    }
    print_message("%u cuts, %u messages had been published and not delivered: all were found; %lu writes, %lu syncs\n",
                  cuts, published, writes, syncs);
    assert_true(published > cuts);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_cuts)};
    install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
