/* Log lines. One line each, no newline at its end.
 *
 * Where they go is set at start-up and at a reload (log_open). Any thread but the capture callback's. Default: readable lines on
 * stderr. */
#ifndef EARSHOT_LOG_H
#define EARSHOT_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_style {
    LOG_PLAIN,    /* "12:34:56.789 warn  text": for people */
    LOG_PRIORITY, /* "<4>text": stderr is the journal's; systemd turns <N> into the priority */
};

/* Lines above `level` are not written. */
void log_open(enum log_style style, enum log_level level);

void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
