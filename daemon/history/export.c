/* Everything that the history holds, for other programs. */
#include "base/outfile.h"
#include "daemon/cmd.h"
#include "daemon/history/history.h"
#include "event/event.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct export
{
    const struct history_request *q;
    struct store_reader *reader;
    FILE *out;
};

static void export_event(void *ctx, const struct store_row *row)
{
    const struct export *x = ctx;
    uint16_t embedding[EVENT_EMBEDDING];
    unsigned n = store_read_embedding(x->reader, row->id, embedding, EVENT_EMBEDDING);

    history_print_event(x->out, x->q->format, row, embedding, n);
}

static void export_level(void *ctx, const struct store_level *level)
{
    const struct export *x = ctx;

    history_print_level(x->out, x->q->format, level);
}

/* A page is put together in memory and written when nothing is read from the database. */
static int write_pages(struct export *x, FILE *to, bool levels, struct err *err)
{
    const struct store_filter *f = &x->q->filter;
    struct history_walk events = {.reader = x->reader, .filter = *f, .limit = x->q->limit};
    struct history_level_walk rows = {
        .reader = x->reader, .since_ms = f->since_ms, .until_ms = f->until_ms, .limit = x->q->limit};
    int64_t n = 1;

    if (levels)
        history_level_header(to, x->q->format);
    else
        history_event_header(to, x->q->format, true);
    while (n > 0) {
        char *page = NULL;
        size_t size = 0;
        x->out = open_memstream(&page, &size);
        if (!x->out)
            return err_set(err, "no memory");
        n = levels ? history_level_page(&rows, export_level, x, err) : history_walk_page(&events, export_event, x, err);
        if (fclose(x->out) != 0 && n > 0)
            n = err_set(err, "no memory");
        if (n > 0)
            fwrite(page, 1, size, to);
        free(page);
        if (ferror(to))
            break; /* whoever closes it says so */
    }
    return n < 0 ? -1 : 0;
}

static int write_file(struct export *x, const char *path, bool levels, struct err *err)
{
    struct outfile o;

    if (outfile_open(&o, path, err) < 0)
        return -1;
    if (write_pages(x, o.f, levels, err) == 0)
        return outfile_finish(&o, err);
    outfile_abandon(&o);
    return -1;
}

/* Both, into a folder that is made where it is missing. */
static int write_folder(struct export *x, struct err *err)
{
    const char *ending = x->q->format == HISTORY_CSV ? "csv" : "jsonl";
    char path[PATH_MAX];

    if (mkdir(x->q->out, 0777) < 0 && errno != EEXIST)
        return err_set(err, "%s: %s", x->q->out, strerror(errno));
    for (int levels = 0; levels < 2; levels++) {
        int n = snprintf(path, sizeof path, "%s/%s.%s", x->q->out, levels ? "levels" : "events", ending);
        if (n < 0 || n >= (int)sizeof path)
            return err_set(err, "%s: the path is too long", x->q->out);
        if (write_file(x, path, levels, err) < 0)
            return -1;
    }
    return 0;
}

int history_export(const struct history_request *q)
{
    struct export x = {.q = q, .reader = history_open(q)};
    bool levels = q->what == HISTORY_LEVELS;
    struct err err;

    if (!x.reader)
        return EXIT_FAILED;
    int rc = q->what == HISTORY_BOTH ? write_folder(&x, &err)
             : q->out                ? write_file(&x, q->out, levels, &err)
                                     : write_pages(&x, stdout, levels, &err);
    store_read_close(x.reader);
    return rc < 0 ? cmd_fail(EXIT_FAILED, "history", "%s", err.text) : EXIT_GOOD;
}
