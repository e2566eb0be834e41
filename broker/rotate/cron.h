/*
 * cron.h - a cron expression of five fields, in UTC.
 * Floor: rotate. Depends on: base/span, base/clock.
 *
 * Minute 0-59, hour 0-23, day of the month 1-31, month 1-12, day of the week
 * 0-7 (0 and 7 are Sunday); each "*", numbers, ranges "a-b", steps "/n", and
 * lists of these; months and days of the week also by three letters. As in
 * POSIX crontab(1): when both days are restricted, either will do. "@hourly",
 * "@daily", "@weekly", "@monthly" and "@yearly" are short for what one expects.
 */
#ifndef AG_ROTATE_CRON_H
#define AG_ROTATE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    CRON_MAX_BYTES = 200,
};

struct cron {
    uint64_t minutes;
    uint32_t hours;
    uint32_t days;
    uint16_t months;
    uint8_t weekdays;
    bool days_all;
    bool weekdays_all;
};

/* Errors: AG_EINVAL with a sentence, also for a day that never comes (February
 * 30). */
AG_CHECK AG_NONNULL enum ag_err cron_parse(struct span text, struct cron *ret);

/* The first minute it names that begins after `after_ms`.
 * Errors: AG_ENOTFOUND none within eight years. */
AG_CHECK AG_NONNULL enum ag_err cron_next(const struct cron *cron,
                                          int64_t after_ms, int64_t *ret_ms);

#endif
