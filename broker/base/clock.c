#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
    S_PER_DAY = 24 * 60 * 60,
};

static _Atomic int64_t fixed_ms = -1;

static int64_t
read_ms(clockid_t id)
{
    int64_t fixed = atomic_load_explicit(&fixed_ms, memory_order_relaxed);
    struct timespec now = {0};

    if (fixed >= 0) {
        return fixed;
    }
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * MS_PER_S + (int64_t)now.tv_nsec / NS_PER_MS;
}

int64_t
clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t
clock_steady_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

void
clock_fix_ms(int64_t now_ms)
{
    atomic_store_explicit(&fixed_ms, now_ms, memory_order_relaxed);
}

/* The year is counted from March so that the leap day comes last.
 * Source: Howard Hinnant, chrono-compatible low-level date algorithms. */
void
clock_date(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2 ? 1 : 0));
}

/* Two or more digits at out, most significant first. */
static void
put_digits(char *out, int count, int64_t value)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + (int)(value % 10));
        value /= 10;
    }
}

void
clock_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES])
{
    static const char SHAPE[CLOCK_TEXT_BYTES] = "0000-00-00T00:00:00.000Z";
    const int64_t ms_per_day = (int64_t)S_PER_DAY * MS_PER_S;
    const int64_t last_ms = INT64_C(253402300799999); /* end of year 9999 */
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > last_ms ? last_ms : wall_ms;
    int64_t in_day = ms % ms_per_day;
    int64_t s = in_day / MS_PER_S;
    int year;
    int month;
    int day;

    for (int i = 0; i < CLOCK_TEXT_BYTES; i++) {
        out[i] = SHAPE[i];
    }
    clock_date(ms / ms_per_day, &year, &month, &day);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, s / 3600);
    put_digits(out + 14, 2, s / 60 % 60);
    put_digits(out + 17, 2, s % 60);
    put_digits(out + 20, 3, in_day % MS_PER_S);
}
