#include "rotate/cron.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"

enum {
    MINUTE_MS = 60 * 1000,
    DAY_MINUTES = 24 * 60,
    THURSDAY = 4,         /* 1970-01-01 */
    YEARS_DAYS = 8 * 366, /* February 29, over a year that is no leap year */
    FIELD_COUNT = 5,
    WORD_BYTES = 3,
    DIGITS_MAX_COUNT = 3,
};

struct field {
    const char *what;
    const char *words; /* three letters each, from `low` on; NULL: none */
    unsigned low;
    unsigned high;
};

static const struct field FIELDS[FIELD_COUNT] = {
    {"minute", NULL, 0, 59},
    {"hour", NULL, 0, 23},
    {"day of the month", NULL, 1, 31},
    {"month", "janfebmaraprmayjunjulaugsepoctnovdec", 1, 12},
    {"day of the week", "sunmontuewedthufrisat", 0, 7},
};

static const struct {
    const char *name;
    const char *text;
} SHORT[] = {
    {"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"}, {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
};

/* The text up to `stop`, which is skipped. */
static struct span
cut(struct span *rest, uint8_t stop)
{
    size_t len = span_find(*rest, stop);
    struct span head = span_sub(*rest, 0, len);

    *rest = span_sub(*rest, len + 1, rest->len);
    return head;
}

static enum ag_err
bad(const struct field *field)
{
    return err_why(AG_EINVAL, "cron: the %s is %u to %u, *, a-b, */n or a list",
                   field->what, field->low, field->high);
}

/* As crontabs have them: "5" and "05". */
static bool
read_digits(struct span text, unsigned *ret)
{
    unsigned number = 0;

    if (text.len == 0 || text.len > DIGITS_MAX_COUNT) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *ret = number;
    return true;
}

/* A month or a day of the week by its first three letters. */
static bool
read_word(const struct field *field, struct span text, unsigned *ret)
{
    char low[WORD_BYTES + 1] = "";
    const char *at = NULL;

    if (text.len != WORD_BYTES || field->words == NULL) {
        return false;
    }
    for (size_t i = 0; i < WORD_BYTES; i++) {
        low[i] = (char)(text.ptr[i] | 0x20); /* ASCII */
    }
    at = strstr(field->words, low);
    if (at == NULL || (at - field->words) % WORD_BYTES != 0) {
        return false;
    }
    *ret = field->low + (unsigned)((at - field->words) / WORD_BYTES);
    return true;
}

static enum ag_err
read_number(const struct field *field, struct span text, unsigned *ret)
{
    unsigned number = 0;

    if (!read_word(field, text, &number) && !read_digits(text, &number)) {
        return bad(field);
    }
    if (number < field->low || number > field->high) {
        return bad(field);
    }
    *ret = number;
    return AG_OK;
}

/* One part of a list: "*", "a", "a-b", each with "/n". */
static enum ag_err
read_part(const struct field *field, struct span part, uint64_t *bits)
{
    bool stepped = span_find(part, '/') < part.len;
    struct span step_text = part;
    struct span range = cut(&step_text, '/');
    bool ranged = span_find(range, '-') < range.len;
    struct span high_text = range;
    struct span low_text = cut(&high_text, '-');
    unsigned low = field->low;
    unsigned high = field->high;
    unsigned step = 1;
    enum ag_err err = AG_OK;

    if (stepped && (!read_digits(step_text, &step) || step == 0)) {
        return bad(field);
    }
    if (!span_is(range, "*")) {
        err = read_number(field, low_text, &low);
        high = ranged || !stepped ? low : field->high;
        if (err == AG_OK && ranged) {
            err = read_number(field, high_text, &high);
        }
    }
    if (err != AG_OK) {
        return err;
    }
    if (high < low) {
        return bad(field);
    }
    for (unsigned at = low; at <= high; at += step) {
        *bits |= UINT64_C(1) << at;
    }
    return AG_OK;
}

static enum ag_err
read_field(const struct field *field, struct span text, uint64_t *ret)
{
    uint64_t bits = 0;
    bool more = true;
    enum ag_err err = AG_OK;

    while (err == AG_OK && more) {
        more = span_find(text, ',') < text.len;
        err = read_part(field, cut(&text, ','), &bits);
    }
    if (err == AG_OK) {
        *ret = bits;
    }
    return err;
}

static struct span
spelled_out(struct span text)
{
    for (size_t i = 0; i < AG_COUNT(SHORT); i++) {
        if (span_is(text, SHORT[i].name)) {
            return span_str(SHORT[i].text);
        }
    }
    return text;
}

static size_t
count_words(struct span text)
{
    size_t count = 0;

    while (text.len > 0) {
        count += cut(&text, ' ').len > 0 ? 1 : 0;
    }
    return count;
}

enum ag_err
cron_parse(struct span text, struct cron *ret)
{
    struct span rest = spelled_out(text);
    size_t count = count_words(rest);
    uint64_t bits[FIELD_COUNT] = {0};
    bool all[FIELD_COUNT] = {false};
    struct cron cron = {0};
    int64_t first_ms = 0;

    if (count != FIELD_COUNT) {
        return err_why(AG_EINVAL,
                       "cron: %zu field%s where five belong: minute, hour, day "
                       "of the month, month, day of the week, like \"30 3 * * "
                       "1-5\", or @daily",
                       count, count == 1 ? "" : "s");
    }
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        struct span word = cut(&rest, ' ');
        enum ag_err err = AG_OK;

        while (word.len == 0 && rest.len > 0) {
            word = cut(&rest, ' ');
        }
        all[i] = word.len > 0 && word.ptr[0] == '*';
        err = read_field(&FIELDS[i], word, &bits[i]);
        if (err != AG_OK) {
            return err;
        }
    }
    cron.minutes = bits[0];
    cron.hours = (uint32_t)bits[1];
    cron.days = (uint32_t)bits[2];
    cron.months = (uint16_t)bits[3];
    /* 7 is Sunday too. */
    cron.weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f);
    cron.days_all = all[2];
    cron.weekdays_all = all[4];
    if (cron_next(&cron, 0, &first_ms) != AG_OK) {
        return err_why(AG_EINVAL, "cron: there is no such day");
    }
    *ret = cron;
    return AG_OK;
}

static bool
is_day(const struct cron *cron, int64_t days)
{
    int year = 0;
    int month = 0;
    int day = 0;
    bool by_date = false;
    bool by_weekday =
        ((unsigned)cron->weekdays >> (unsigned)((days + THURSDAY) % 7) & 1U) !=
        0;

    clock_date(days, &year, &month, &day);
    if (((unsigned)cron->months >> (unsigned)month & 1U) == 0) {
        return false;
    }
    by_date = (cron->days >> (unsigned)day & 1U) != 0;
    return cron->days_all || cron->weekdays_all ? by_date && by_weekday
                                                : by_date || by_weekday;
}

enum ag_err
cron_next(const struct cron *cron, int64_t after_ms, int64_t *ret_ms)
{
    int64_t minute = after_ms / MINUTE_MS + 1;
    int64_t day = minute / DAY_MINUTES;
    int64_t last = day + YEARS_DAYS;
    int64_t at = minute % DAY_MINUTES;

    for (; day <= last; day++, at = 0) {
        if (!is_day(cron, day)) {
            continue;
        }
        for (; at < DAY_MINUTES; at++) {
            if ((cron->hours >> (unsigned)(at / 60) & 1U) != 0 &&
                (cron->minutes >> (unsigned)(at % 60) & 1U) != 0) {
                *ret_ms = (day * DAY_MINUTES + at) * MINUTE_MS;
                return AG_OK;
            }
        }
    }
    return AG_ENOTFOUND;
}
