/* What at the start of a line is no part of what it says. */
#include "redact/format_lines.h"

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static size_t
blanks(struct span text)
{
    size_t n = 0;

    while (n < text.len && is_blank(text.ptr[n])) {
        n++;
    }
    return n;
}

/* "-", "*" or "+" of a list, with its blank. */
static size_t
bullet(struct span text)
{
    return text.len >= 2 && memchr("-*+", text.ptr[0], 3) != NULL &&
                   is_blank(text.ptr[1])
               ? 1
               : 0;
}

enum {
    DIGITS_MAX_COUNT = 5, /* of a line's number; more may be a value */
};

/* A number and what ends it: of a list or of a line. */
static size_t
number(struct span text)
{
    static const char *const ENDS[] = {
        ".", ")", ":", "|", "\t", "\xe2\x86\x92", "\xe2\x94\x82"};
    size_t n = 0;

    while (n < text.len && is_digit(text.ptr[n])) {
        n++;
    }
    for (size_t i = 0; n > 0 && n <= DIGITS_MAX_COUNT && i < AG_COUNT(ENDS);
         i++) {
        if (span_starts(span_sub(text, n, text.len), span_str(ENDS[i]))) {
            return n + strlen(ENDS[i]);
        }
    }
    return 0;
}

/* Quotes, and the side of a box. */
static size_t
side(struct span text)
{
    static const char *const SIDES[] = {">", "|", "\xe2\x94\x82"};

    for (size_t i = 0; i < AG_COUNT(SIDES); i++) {
        if (span_starts(text, span_str(SIDES[i]))) {
            return strlen(SIDES[i]);
        }
    }
    return 0;
}

static size_t
markdown_len(struct span line)
{
    size_t len = 0;
    size_t step = 1;

    while (step > 0 && len < line.len) {
        struct span rest = span_sub(line, len, line.len);

        step = blanks(rest);
        step = step > 0 ? step : side(rest);
        step = step > 0 ? step : bullet(rest);
        step = step > 0 ? step : number(rest);
        len += step;
    }
    return len;
}

size_t
format_mark_len(enum format format, struct span line)
{
    size_t len = 0;

    if (format == STREAM_DIFF) {
        len = line.len > 0 && memchr("+- <>", line.ptr[0], 5) != NULL ? 1 : 0;
    } else {
        len = markdown_len(line);
    }
    return len < FORMAT_MARK_MAX_BYTES ? len : FORMAT_MARK_MAX_BYTES;
}
