/* The store's statements on its open database: one thread's alone. Each returns an SQLite result code; SQLITE_OK is 0. */
#ifndef EARSHOT_STORE_SQL_H
#define EARSHOT_STORE_SQL_H

#include "daemon/store/store.h"
#include <sqlite3.h>

enum {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_EVENT,
    SQL_EMBEDDING,
    SQL_LEVEL,
    SQL_MESSAGE,
    SQL_DONE,
    SQL_LATER,
    SQL_LOAD,
    SQL_STATEMENTS
};

struct sql {
    sqlite3 *db; /* NULL: not open */
    sqlite3_stmt *statement[SQL_STATEMENTS];
    bool full; /* PRAGMA synchronous is FULL, else NORMAL */
};

/* Prepares the statements on a database that schema_open opened; it belongs to `q` in any case. */
int sql_open(struct sql *q, sqlite3 *db);
void sql_close(struct sql *q);

/* full: what is committed is on the disk, not only in the system's memory. */
int sql_begin(struct sql *q, bool full);
int sql_commit(struct sql *q);
void sql_rollback(struct sql *q); /* also where there is no transaction */

int sql_put_event(struct sql *q, const struct event *e);
int sql_put_level(struct sql *q, const struct store_level *l);
int sql_put_message(struct sql *q, int64_t seq, const char *channel, const char *id, int64_t created_ms,
                    const void *payload, size_t size);
int sql_done(struct sql *q, int64_t seq);
int sql_later(struct sql *q, int64_t seq, int64_t due_ms);

/* The messages of a channel behind seq `after`, oldest first, at most `limit`: calls fn for each until it returns false. Returns how many
 * there were (fn's last one, where it returned false, counted), -1: *rc says why. */
struct sql_message {
    int64_t seq, created_ms, due_ms;
    const char *id;
    unsigned attempts;
    const void *payload;
    size_t size;
};
int sql_load(struct sql *q, const char *channel, int64_t after, int limit,
             bool (*fn)(void *ctx, const struct sql_message *m), void *ctx, int *rc);

/* A single number; `rc` (may be NULL): the code. 0 where it failed or there is none. */
int64_t sql_number(struct sql *q, const char *statement, int *rc);

/* A statement with up to two numbers for its ?1 and ?2. */
int sql_run(struct sql *q, const char *statement, int64_t a, int64_t b);

#endif
