/* Error texts for the user, handed up as return values.
 *
 * A function that can fail takes `struct err *err` last and returns -1 (or NULL) with err->text filled: what is wrong,
 * where, and what is allowed. Only main() turns that into a line on stderr and an exit code. */
#ifndef EARSHOT_ERR_H
#define EARSHOT_ERR_H

#define ERR_TEXT 1024

struct err {
    char text[ERR_TEXT]; /* one line, no newline at its end, no "error:" before it */
};

/* Writes the text (cut to fit). `err` may be NULL: the caller does not want it. Returns -1, always, so that
 * `return err_set(err, ...)` reads as one step. */
int err_set(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "fmt" before the text that is there: err_prefix(err, "%s: ", path). Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
