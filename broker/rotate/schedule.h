/*
 * schedule.h - when a secret is due: pure arithmetic on times.
 * Floor: rotate. Depends on: rotate/cron.
 *
 * An interval or a cron expression, in UTC; then jitter, so that not all are
 * due at one moment; then windows, outside of which nothing begins. However
 * many times were missed, what is due is due once: the next time is counted
 * from now, never from when it should have been.
 */
#ifndef AG_ROTATE_SCHEDULE_H
#define AG_ROTATE_SCHEDULE_H

#include <stddef.h>

#include "rotate/cron.h"

enum {
    SCHEDULE_WINDOWS_MAX_COUNT = 8,
    SCHEDULE_WINDOW_MAX_BYTES = 64,
    SCHEDULE_EVERY_LEAST_MS = 1000,
};

/* Longest interval: ten years. */
#define SCHEDULE_EVERY_MAX_MS (INT64_C(3660) * 24 * 3600 * 1000)

/* "mon-fri 02:00-05:00" or "22:00-04:00": of these weekdays, from and to in
 * minutes of the day; to <= from ends on the next day. */
struct window {
    uint8_t weekdays; /* bit 0 is Sunday */
    int from_min;
    int to_min;
};

struct schedule {
    int64_t every_ms; /* 0: by cron */
    struct cron cron;
    int64_t jitter_ms;
    struct window windows[SCHEDULE_WINDOWS_MAX_COUNT];
    size_t window_count; /* 0: always */
};

AG_CHECK AG_NONNULL enum ag_err window_parse(struct span text,
                                             struct window *ret);

/* `at_ms` itself when it lies in a window, or none are said; else when the next
 * one begins (INT64_MAX: never). */
AG_NONNULL int64_t schedule_admit(const struct schedule *s, int64_t at_ms);

struct due {
    int64_t next_ms;
    int64_t reach_ms; /* the furthest from now that the schedule can give: a
                         later time was made by a clock that was wrong */
};

/* The next time after `now_ms`. `pick`, any random number, chooses within the
 * jitter. Errors: AG_ENOTFOUND it never comes. */
AG_CHECK AG_NONNULL enum ag_err schedule_next(const struct schedule *s,
                                              int64_t now_ms, uint32_t pick,
                                              struct due *ret);

#endif
