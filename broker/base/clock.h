/*
 * clock.h - the time, in 64-bit milliseconds, from one place so that tests can
 * stand it still.
 * Floor: base. Depends on: nothing.
 */
#ifndef AG_BASE_CLOCK_H
#define AG_BASE_CLOCK_H

#include <stdint.h>

enum {
    CLOCK_TEXT_BYTES = sizeof("2026-01-01T00:00:00.000Z"),
};

/* Wall clock since 1970, and a clock that never goes back. */
int64_t clock_wall_ms(void);
int64_t clock_steady_ms(void);

/* Tests only: both clocks stand at this until called with -1. */
void clock_fix_ms(int64_t now_ms);

/* RFC 3339 in UTC, e.g. 2026-01-01T00:00:00.000Z, with its NUL. */
void clock_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES]);

/* Days since 1970-01-01 as a date of the Gregorian calendar; month and day
 * count from 1. */
void clock_date(int64_t days, int *year, int *month, int *day);

#endif
