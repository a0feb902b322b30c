#include "base/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The whole file with a newline and a NUL behind it. */
static int read_all(struct csv *c, FILE *f, struct err *err)
{
    struct stat st;
    size_t room = 4096, n = 0;

    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, "%s: is a folder, not a file", c->path);
    for (;;) {
        char *more = realloc(c->text, room + 2);
        if (!more)
            return err_set(err, "%s: no memory", c->path);
        c->text = more;
        n += fread(c->text + n, 1, room - n, f);
        if (n < room)
            break;
        if (room >= CSV_MAX)
            return err_set(err, "%s: more than %d MB", c->path, CSV_MAX >> 20);
        room *= 2;
    }
    if (ferror(f))
        return err_set(err, "%s: %s", c->path, strerror(errno));
    if (memchr(c->text, 0, n))
        return err_set(err, "%s: is no text: it has NUL bytes", c->path);
    if (n == 0 || c->text[n - 1] != '\n')
        c->text[n++] = '\n';
    c->text[n] = 0;
    c->end = c->text + n;
    return 0;
}

int csv_open(struct csv *c, const char *path, struct err *err)
{
    *c = (struct csv){.path = path, .next_line = 1, .separator = ','};
    FILE *f = fopen(path, "re");

    if (!f)
        return err_set(err, "%s: %s", path, strerror(errno));
    int rc = read_all(c, f, err);
    fclose(f);
    if (rc < 0) {
        csv_close(c);
        return -1;
    }
    c->at = c->text;
    if (strncmp(c->at, "\xef\xbb\xbf", 3) == 0)
        c->at += 3;
    size_t first = strcspn(c->at, "\n");
    if (memchr(c->at, '\t', first) && !memchr(c->at, ',', first))
        c->separator = '\t';
    return 0;
}

void csv_close(struct csv *c)
{
    free(c->text);
    free(c->field);
    c->text = NULL;
    c->field = NULL;
}

static int add_field(struct csv *c, char *text, struct err *err)
{
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        char **more = realloc(c->field, room * sizeof *more);
        if (!more)
            return err_set(err, "%s:%u: no memory", c->path, c->line);
        c->field = more;
        c->room = room;
    }
    c->field[c->n++] = text;
    return 0;
}

/* c->at stands behind the opening quote. Unquotes in place; then c->at is behind the closing one. */
static int take_quoted(struct csv *c, char **field, struct err *err)
{
    char *out = *field = c->at;

    for (; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            if (c->at[1] != '"')
                break;
            c->at++;
        }
        c->next_line += *c->at == '\n';
        *out++ = *c->at;
    }
    if (c->at == c->end)
        return err_set(err, "%s:%u: a quote (\") that begins in this line does not end", c->path, c->line);
    c->at++;
    if (*c->at == '\r' && c->at[1] == '\n')
        c->at++;
    if (*c->at != c->separator && *c->at != '\n')
        return err_set(err, "%s:%u: text behind a closing quote; a quote inside a quoted field is written \"\"",
                       c->path, c->line);
    *out = 0; /* `out` is never past the closing quote */
    return 0;
}

static void take_plain(struct csv *c, char **field)
{
    *field = c->at;
    while (*c->at != c->separator && *c->at != '\n')
        c->at++;
    if (*c->at == '\n' && c->at > *field && c->at[-1] == '\r')
        c->at[-1] = 0;
}

int csv_next(struct csv *c, struct err *err)
{
    char *field, ended;

    while (c->at < c->end && (*c->at == '\n' || (*c->at == '\r' && c->at[1] == '\n'))) {
        c->at += *c->at == '\r' ? 2 : 1;
        c->next_line++;
    }
    c->n = 0;
    c->line = c->next_line;
    if (c->at >= c->end)
        return 0;
    do {
        if (*c->at == '"') {
            c->at++;
            if (take_quoted(c, &field, err) < 0)
                return -1;
        } else {
            take_plain(c, &field);
        }
        ended = *c->at;
        *c->at++ = 0;
        if (add_field(c, field, err) < 0)
            return -1;
    } while (ended != '\n');
    c->next_line++;
    return 1;
}

void csv_write(FILE *out, const char *field)
{
    if (!strpbrk(field, ",\"\t\r\n")) {
        fputs(field, out);
        return;
    }
    fputc('"', out);
    for (; *field; field++) {
        if (*field == '"')
            fputc('"', out);
        fputc(*field, out);
    }
    fputc('"', out);
}
