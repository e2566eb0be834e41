#include "rotate/schedule.h"

enum {
    MINUTE_MS = 60 * 1000,
    DAY_MINUTES = 24 * 60,
    THURSDAY = 4, /* 1970-01-01 */
    WEEK_DAYS = 7,
    GAPS_COUNT = 4, /* of a cron expression, looked at for its longest */
    TIME_BYTES = sizeof("00:00") - 1,
    WEEK_ALL = 0x7f,
};

#define DAY_MS (INT64_C(1) * DAY_MINUTES * MINUTE_MS)

/* ---- windows ---- */

static enum ag_err
bad_window(void)
{
    return err_why(AG_EINVAL, "window: write it as \"02:00-05:00\" or "
                              "\"mon-fri 02:00-05:00\", in UTC");
}

/* Two digits, or -1. */
static int
two_digits(const uint8_t *at)
{
    return at[0] >= '0' && at[0] <= '9' && at[1] >= '0' && at[1] <= '9'
               ? (at[0] - '0') * 10 + (at[1] - '0')
               : -1;
}

static enum ag_err
read_time(struct span text, int *ret_min)
{
    int hour = two_digits(text.ptr);
    int minute = two_digits(text.ptr + 3);

    if (text.ptr[2] != ':' || hour < 0 || minute < 0 || minute > 59 ||
        hour * 60 + minute > DAY_MINUTES) {
        return bad_window();
    }
    *ret_min = hour * 60 + minute;
    return AG_OK;
}

/* Days of the week as cron has them. */
static enum ag_err
read_days(struct span text, uint8_t *ret)
{
    char line[SCHEDULE_WINDOW_MAX_BYTES + sizeof("0 0 * * ")] = "0 0 * * ";
    size_t at = sizeof("0 0 * * ") - 1;
    struct cron cron = {0};

    for (size_t i = 0; i < text.len; i++) {
        line[at++] = (char)text.ptr[i];
    }
    if (cron_parse(span_of(line, at), &cron) != AG_OK) {
        return bad_window();
    }
    *ret = cron.weekdays;
    return AG_OK;
}

enum ag_err
window_parse(struct span text, struct window *ret)
{
    size_t space = span_find(text, ' ');
    bool has_days = space < text.len;
    struct span times = has_days ? span_sub(text, space + 1, text.len) : text;
    struct window window = {.weekdays = WEEK_ALL};
    enum ag_err err = AG_OK;

    if (text.len > SCHEDULE_WINDOW_MAX_BYTES ||
        times.len != 2 * TIME_BYTES + 1 || times.ptr[TIME_BYTES] != '-') {
        return bad_window();
    }
    if (has_days) {
        err = read_days(span_sub(text, 0, space), &window.weekdays);
    }
    if (err == AG_OK) {
        err = read_time(span_sub(times, 0, TIME_BYTES), &window.from_min);
    }
    if (err == AG_OK) {
        err = read_time(span_sub(times, TIME_BYTES + 1, TIME_BYTES),
                        &window.to_min);
    }
    if (err == AG_OK && window.from_min == DAY_MINUTES) {
        return bad_window();
    }
    if (err == AG_OK) {
        *ret = window;
    }
    return err;
}

/* Both in ms; of the window that begins on this day, if there is one. */
static bool
window_on(const struct window *w, int64_t day, int64_t *from, int64_t *to)
{
    int length_min = w->to_min - w->from_min;

    length_min += length_min <= 0 ? DAY_MINUTES : 0;
    *from = day * DAY_MS + (int64_t)w->from_min * MINUTE_MS;
    *to = *from + (int64_t)length_min * MINUTE_MS;
    return ((unsigned)w->weekdays >> (unsigned)((day + THURSDAY) % WEEK_DAYS) &
            1U) != 0;
}

/* The first moment from `at_ms` on that is in a window, and that window's end;
 * yesterday's may still be open. */
static int64_t
move_in(const struct schedule *s, int64_t at_ms, int64_t *ret_end)
{
    int64_t best = INT64_MAX;

    for (int64_t day = at_ms / DAY_MS - 1;
         day <= at_ms / DAY_MS + WEEK_DAYS && best == INT64_MAX; day++) {
        for (size_t i = 0; i < s->window_count; i++) {
            int64_t from = 0;
            int64_t to = 0;

            if (!window_on(&s->windows[i], day, &from, &to) || to <= at_ms) {
                continue;
            }
            from = from < at_ms ? at_ms : from;
            if (from < best) {
                best = from;
                *ret_end = to;
            }
        }
    }
    return best;
}

int64_t
schedule_admit(const struct schedule *s, int64_t at_ms)
{
    int64_t end = 0;

    return s->window_count == 0 ? at_ms : move_in(s, at_ms, &end);
}

/* ---- the next time ---- */

static int64_t
part_of(int64_t whole_ms, uint32_t pick)
{
    /* In seconds, so that ten years times 2^32 fit. */
    return whole_ms / 1000 * (int64_t)(pick >> 1) / INT32_MAX * 1000;
}

/* The longest of the next few pauses, doubled: months differ, and so do
 * weekends. */
static int64_t
cron_reach(const struct cron *cron, int64_t now_ms)
{
    int64_t longest = 0;
    int64_t last = now_ms;

    for (int i = 0; i < GAPS_COUNT; i++) {
        int64_t next = 0;

        if (cron_next(cron, last, &next) != AG_OK) {
            break;
        }
        longest = next - last > longest ? next - last : longest;
        last = next;
    }
    return 2 * longest;
}

enum ag_err
schedule_next(const struct schedule *s, int64_t now_ms, uint32_t pick,
              struct due *ret)
{
    struct due due = {now_ms + s->every_ms, s->every_ms};
    int64_t jittered = 0;
    int64_t end = 0;

    if (s->every_ms == 0) {
        enum ag_err err = cron_next(&s->cron, now_ms, &due.next_ms);

        if (err != AG_OK) {
            return err;
        }
        due.reach_ms = cron_reach(&s->cron, now_ms);
    }
    due.reach_ms += s->jitter_ms + 1;
    jittered = due.next_ms + part_of(s->jitter_ms, pick);
    if (s->window_count > 0) {
        due.next_ms = move_in(s, jittered, &end);
        if (due.next_ms == INT64_MAX) {
            return AG_ENOTFOUND;
        }
        /* Who had to wait for a window does not begin at its first minute
         * with all others. */
        if (due.next_ms != jittered) {
            int64_t room = end - due.next_ms - 1;

            due.next_ms +=
                part_of(room < s->jitter_ms ? room : s->jitter_ms, pick);
        }
        due.reach_ms += (WEEK_DAYS + 1) * DAY_MS;
    } else {
        due.next_ms = jittered;
    }
    *ret = due;
    return AG_OK;
}
