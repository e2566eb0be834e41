/*
 * log.h - one line per event on stderr, as `key=value`: names and ids, never a
 * value. Floors below 5 do not log.
 * Floor: base. Depends on: base/clock.
 */
#ifndef AG_BASE_LOG_H
#define AG_BASE_LOG_H

enum log_level {
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG,
};

void log_set_level(enum log_level level);

/* Pairs of const char * key and value, ended by NULL. */
void log_event(enum log_level level, const char *event, ...)
    __attribute__((sentinel));

#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__, (char *)0)
#define log_warn(...)  log_event(LOG_WARN, __VA_ARGS__, (char *)0)
#define log_info(...)  log_event(LOG_INFO, __VA_ARGS__, (char *)0)
#define log_debug(...) log_event(LOG_DEBUG, __VA_ARGS__, (char *)0)

#endif
