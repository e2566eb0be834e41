#include "base/parse.h"

#include <string.h>

enum {
    SEGMENT_MAX_BYTES = 64,
    ENV_NAME_MAX_BYTES = 128,
    MS_PER_S = 1000,
};

/* Ten years: a longer life is a mistake, and sums of two can't overflow. */
static const uint64_t DURATION_MAX_MS = UINT64_C(10) * 366 * 24 * 3600 * 1000;

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool
is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool
is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

enum ag_err
parse_u64(struct span text, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0')) {
        return AG_EINVAL;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)text.ptr[i] - '0';

        if (!is_digit(text.ptr[i]) ||
            __builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return AG_EINVAL;
        }
    }
    if (value > max) {
        return AG_EINVAL;
    }
    *ret = value;
    return AG_OK;
}

enum ag_err
parse_duration_ms(struct span text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } UNITS[] = {
        {"", MS_PER_S},
        {"ms", 1},
        {"s", MS_PER_S},
        {"m", UINT64_C(60) * MS_PER_S},
        {"h", UINT64_C(3600) * MS_PER_S},
        {"d", UINT64_C(86400) * MS_PER_S},
    };

    size_t digits = 0;
    uint64_t number = 0;

    while (digits < text.len && is_digit(text.ptr[digits])) {
        digits++;
    }
    for (size_t i = 0; i < AG_COUNT(UNITS); i++) {
        if (!span_is(span_sub(text, digits, text.len), UNITS[i].unit)) {
            continue;
        }
        if (parse_u64(span_of(text.ptr, digits), DURATION_MAX_MS / UNITS[i].ms,
                      &number) != AG_OK) {
            break;
        }
        *ret_ms = (int64_t)(number * UNITS[i].ms);
        return AG_OK;
    }
    return err_why(AG_EINVAL, "a duration is a number with ms, s, m, h or d, "
                              "such as 15m, and at most ten years");
}

/* Two or four digits at `at`; -1 when something else stands there. */
static int64_t
digits_at(struct span text, size_t at, size_t count)
{
    int64_t value = 0;

    for (size_t i = at; i < at + count; i++) {
        if (i >= text.len || !is_digit(text.ptr[i])) {
            return -1;
        }
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

static bool
char_at(struct span text, size_t at, const char *any_of)
{
    return at < text.len && text.ptr[at] != '\0' &&
           strchr(any_of, text.ptr[at]) != NULL;
}

/* Source: Howard Hinnant, chrono-compatible low-level date algorithms. */
static int64_t
days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400; /* years from 0 on only */
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

static int64_t
days_in_month(int64_t year, int64_t month)
{
    static const uint8_t DAYS[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return DAYS[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool
is_date(int64_t year, int64_t month, int64_t day)
{
    return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days_in_month(year, month);
}

/* YYYY-MM-DDThh:mm:ss, the first 19 characters. */
static bool
parse_date_time(struct span text, int64_t *ret_s)
{
    int64_t year = digits_at(text, 0, 4);
    int64_t month = digits_at(text, 5, 2);
    int64_t day = digits_at(text, 8, 2);
    int64_t hour = digits_at(text, 11, 2);
    int64_t minute = digits_at(text, 14, 2);
    int64_t second = digits_at(text, 17, 2);

    if (!char_at(text, 4, "-") || !char_at(text, 7, "-") ||
        !char_at(text, 10, "Tt ") || !char_at(text, 13, ":") ||
        !char_at(text, 16, ":")) {
        return false;
    }
    if (!is_date(year, month, day) || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60) {
        return false;
    }
    *ret_s = days_from_civil(year, month, day) * 86400 + hour * 3600 +
             minute * 60 + second;
    return true;
}

/* ".123456" at *at, cut to milliseconds; absent is 0. */
static bool
parse_fraction(struct span text, size_t *at, int64_t *ret_ms)
{
    int64_t scale = 100;
    size_t first = *at + 1;

    *ret_ms = 0;
    if (!char_at(text, *at, ".")) {
        return true;
    }
    for (*at = first; *at < text.len && is_digit(text.ptr[*at]); ++*at) {
        *ret_ms += (text.ptr[*at] - '0') * scale;
        scale /= 10;
    }
    return *at > first && *at - first <= 9;
}

/* "Z" or "+hh:mm" to the end of the text. */
static bool
parse_offset(struct span text, size_t at, int64_t *ret_s)
{
    int64_t hour = digits_at(text, at + 1, 2);
    int64_t minute = digits_at(text, at + 4, 2);

    *ret_s = 0;
    if (char_at(text, at, "Zz")) {
        return text.len == at + 1;
    }
    if (!char_at(text, at, "+-") || !char_at(text, at + 3, ":") || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || text.len != at + 6) {
        return false;
    }
    *ret_s = (hour * 3600 + minute * 60) * (text.ptr[at] == '-' ? -1 : 1);
    return true;
}

enum ag_err
parse_time_ms(struct span text, int64_t *ret_ms)
{
    size_t at = 19;
    int64_t seconds;
    int64_t fraction_ms;
    int64_t offset_s;

    if (!parse_date_time(text, &seconds) ||
        !parse_fraction(text, &at, &fraction_ms) ||
        !parse_offset(text, at, &offset_s) || seconds < offset_s) {
        return err_why(AG_EINVAL, "a time is written as in RFC 3339, such as "
                                  "2026-01-01T00:00:00Z");
    }
    *ret_ms = (seconds - offset_s) * MS_PER_S + fraction_ms;
    return AG_OK;
}

static bool
is_name_char(uint8_t c)
{
    return is_lower(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
}

static enum ag_err
check_segment(struct span segment)
{
    if (segment.len == 0) {
        return err_why(AG_EINVAL, "a name has no empty parts between '/'");
    }
    if (segment.len > SEGMENT_MAX_BYTES) {
        return err_why(AG_EINVAL,
                       "each part of a name has at most %d "
                       "characters",
                       SEGMENT_MAX_BYTES);
    }
    if (span_is(segment, ".") || span_is(segment, "..")) {
        return err_why(AG_EINVAL, "'.' and '..' are not parts of a name");
    }
    for (size_t i = 0; i < segment.len; i++) {
        if (!is_name_char(segment.ptr[i])) {
            return err_why(AG_EINVAL, "a name is made of a-z 0-9 . _ - and /");
        }
    }
    return AG_OK;
}

enum ag_err
parse_name(struct span text)
{
    size_t at = 0;

    if (text.len == 0 || text.len > NAME_MAX_BYTES) {
        return err_why(AG_EINVAL, "a name has 1 to %d characters",
                       NAME_MAX_BYTES);
    }
    while (at <= text.len) {
        struct span rest = span_sub(text, at, text.len);
        size_t len = span_find(rest, '/');
        enum ag_err err = check_segment(span_sub(rest, 0, len));

        if (err != AG_OK) {
            return err;
        }
        at += len + 1;
    }
    return AG_OK;
}

enum ag_err
parse_name_pattern(struct span text)
{
    if (span_is(text, "*")) {
        return AG_OK;
    }
    if (text.len > 2 && span_is(span_sub(text, text.len - 2, 2), "/*")) {
        return parse_name(span_sub(text, 0, text.len - 2));
    }
    return parse_name(text);
}

enum ag_err
parse_env_name(struct span text)
{
    bool fits = text.len > 0 && text.len <= ENV_NAME_MAX_BYTES &&
                !is_digit(text.ptr[0]);

    for (size_t i = 0; fits && i < text.len; i++) {
        uint8_t c = text.ptr[i];

        fits = is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
    }
    if (!fits) {
        return err_why(AG_EINVAL, "a variable's name is made of letters, "
                                  "digits and _, and begins with no digit");
    }
    return AG_OK;
}

/* RFC 6901 in a URI fragment: "~" only as ~0 and ~1, "%" only with two hex
 * digits, and no control characters. */
static bool
is_pointer(struct span text)
{
    if (text.len == 0 || text.ptr[0] != '/' || !parse_is_text(text)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        struct span next = span_sub(text, i + 1, 2);
        uint8_t c = text.ptr[i];

        if (c <= ' ' || (c == '~' && !char_at(next, 0, "01")) ||
            (c == '%' &&
             (next.len < 2 || !is_hex(next.ptr[0]) || !is_hex(next.ptr[1])))) {
            return false;
        }
    }
    return true;
}

enum ag_err
parse_reference(struct span text, struct reference *ret)
{
    static const char SCHEME[] = "ag://";
    struct reference ref;
    size_t hash;
    enum ag_err err;

    if (text.len > REFERENCE_MAX_BYTES) {
        return err_why(AG_EINVAL, "a reference has at most %d characters",
                       REFERENCE_MAX_BYTES);
    }
    if (span_starts(text, span_str(SCHEME))) {
        text = span_sub(text, sizeof(SCHEME) - 1, text.len);
    }
    hash = span_find(text, '#');
    ref.name = span_sub(text, 0, hash);
    ref.pointer = span_sub(text, hash + 1, text.len);
    err = parse_name(ref.name);
    if (err != AG_OK) {
        return err;
    }
    if (hash < text.len && !is_pointer(ref.pointer)) {
        return err_why(AG_EINVAL,
                       "behind '#' stands a JSON pointer that begins "
                       "with '/', such as #/tokens/access_token");
    }
    *ret = ref;
    return AG_OK;
}

/* Bytes of the UTF-8 character at the front, 0 if it is none.
 * Source: Unicode 15 table 3-7 (no surrogates, no overlong forms). */
static size_t
utf8_char(struct span text)
{
    static const struct {
        uint8_t first_low;
        uint8_t first_high;
        uint8_t second_low;
        uint8_t second_high;
        uint8_t len;
    } ROWS[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t r = 0; r < AG_COUNT(ROWS); r++) {
        if (text.ptr[0] < ROWS[r].first_low ||
            text.ptr[0] > ROWS[r].first_high) {
            continue;
        }
        if (text.len < ROWS[r].len ||
            (ROWS[r].len > 1 && (text.ptr[1] < ROWS[r].second_low ||
                                 text.ptr[1] > ROWS[r].second_high))) {
            return 0;
        }
        for (size_t i = 2; i < ROWS[r].len; i++) {
            if ((text.ptr[i] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return ROWS[r].len;
    }
    return 0;
}

/* Bytes of ASCII at the front, in steps of eight. */
static size_t
ascii_run(struct span text)
{
    size_t n = 0;

    while (n + sizeof(uint64_t) <= text.len) {
        uint64_t eight;

        memcpy(&eight, text.ptr + n, sizeof(eight));
        if ((eight & 0x8080808080808080) != 0) {
            break;
        }
        n += sizeof(eight);
    }
    return n;
}

bool
parse_is_utf8(struct span bytes)
{
    size_t at = ascii_run(bytes);

    while (at < bytes.len) {
        size_t len = utf8_char(span_sub(bytes, at, bytes.len));

        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

bool
parse_is_text(struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];

        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) {
            return false;
        }
    }
    return parse_is_utf8(bytes);
}
