/* The dumps among the views: hexdump -C, xxd, and digits with marks between. */
#include "redact/view_steps.h"

enum {
    PLACE_MIN_DIGITS = 6, /* of the place that begins a dump's line */
    PLACE_MAX_DIGITS = 16,
    COLUMN_MIN_BYTES = 2, /* of the bytes as text */
    COLUMN_MAX_BYTES = 34,
    INDENT_MAX_BYTES = 16,
    BLANKS_MAX_BYTES = 64, /* that fill up a last line */
};

static const struct step MORE = {.kind = STEP_MORE};

static struct step
drop(size_t used)
{
    return (struct step){.kind = STEP_TEXT, .used = used};
}

static struct step
stop(size_t used)
{
    return (struct step){.kind = STEP_BREAK, .used = used};
}

static int
digit(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_word(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t
digits_at(const struct step_text *t, ptrdiff_t at, size_t skip)
{
    size_t len = 0;

    while (len <= PLACE_MAX_DIGITS &&
           digit(step_peek(t, at, skip + len)) >= 0) {
        len++;
    }
    return len;
}

/* Does the text end behind `skip` bytes and may go on? */
static bool
is_cut(const struct step_text *t, ptrdiff_t at, size_t skip)
{
    return !t->is_at_end && step_peek(t, at, skip) < 0;
}

/* What begins a line: blanks, and the place of its first byte. */
static struct step
line_start(const struct step_text *t, ptrdiff_t at, size_t used)
{
    size_t end = used + INDENT_MAX_BYTES;
    size_t len;
    int c;

    while (used < end &&
           (step_peek(t, at, used) == ' ' || step_peek(t, at, used) == '\t')) {
        used++;
    }
    len = digits_at(t, at, used);
    if (is_cut(t, at, used + len) || is_cut(t, at, used + len + 1)) {
        return MORE;
    }
    c = step_peek(t, at, used + len);
    if (len >= PLACE_MIN_DIGITS && len <= PLACE_MAX_DIGITS &&
        (c == ':' || (c == ' ' && step_peek(t, at, used + len + 1) == ' '))) {
        used += len + 1;
    }
    return drop(used);
}

/* The column with the bytes as text, `blanks` behind text[at], to its line's
 * end. Of one byte none goes on in the next line. */
static struct step
column(const struct step_text *t, ptrdiff_t at, size_t blanks)
{
    size_t len;

    for (len = 0; len < COLUMN_MAX_BYTES; len++) {
        int c = step_peek(t, at, blanks + len);
        int next = step_peek(t, at, blanks + len + 1);

        if (c < 0 || (c == '\r' && next < 0)) {
            return t->is_at_end ? stop(blanks) : MORE;
        }
        if (c == '\n' || (c == '\r' && next == '\n')) {
            break;
        }
    }
    if (len == COLUMN_MAX_BYTES || (len > 0 && len < COLUMN_MIN_BYTES)) {
        return stop(blanks);
    }
    return (struct step){.kind = STEP_ASIDE, .used = blanks + len};
}

/* Two blanks or more: in the middle of a line, or before its column. */
static struct step
gap(const struct step_text *t, ptrdiff_t at)
{
    size_t blanks = 2;
    size_t len;

    while (blanks < BLANKS_MAX_BYTES && step_peek(t, at, blanks) == ' ') {
        blanks++;
    }
    len = digits_at(t, at, blanks);
    if (is_cut(t, at, blanks + len)) {
        return MORE;
    }
    if ((len == 2 || len == 4) && step_peek(t, at, blanks + len) <= ' ') {
        return drop(blanks);
    }
    return column(t, at, blanks);
}

/* Do digits at text[at] begin a number? */
static bool
is_start(const struct step_text *t, ptrdiff_t at)
{
    int before = step_peek(t, at - 1, 0);

    if ((before | 0x20) == 'x' && before > 0 &&
        step_peek(t, at - 2, 0) == '0') {
        before = step_peek(t, at - 3, 0);
    }
    return !is_word(before);
}

/* Two digits are a byte, four are two. */
static struct step
digits(const struct step_text *t, ptrdiff_t at)
{
    size_t len = digits_at(t, at, 0);
    struct step step = {.kind = STEP_TEXT, .used = len, .out_len = len / 2};
    int next = step_peek(t, at, len);
    size_t i;

    if (!is_start(t, at)) {
        return stop(len);
    }
    if (len <= 4 && next < 0 && !t->is_at_end) {
        return MORE;
    }
    if (len == 1 && step_peek(t, at, 0) == '0' && (next | 0x20) == 'x') {
        return drop(2);
    }
    if ((len != 2 && len != 4) || is_word(next)) {
        return stop(len);
    }
    for (i = 0; i < step.out_len; i++) {
        step.out[i] = (uint8_t)(digit(step_peek(t, at, 2 * i)) * 16 +
                                digit(step_peek(t, at, 2 * i + 1)));
    }
    return step;
}

struct step
step_dumped(const struct step_text *t, ptrdiff_t at, unsigned int *carry)
{
    int c = step_peek(t, at, 0);

    *carry = 0; /* a step is whole */
    if (digit(c) >= 0) {
        return digits(t, at);
    }
    if (t->is_fresh && (c == ' ' || c == '\n' || c == '\r')) {
        return drop(1);
    }
    switch (c) {
    case '\r':
        if (is_cut(t, at, 1)) {
            return MORE;
        }
        return step_peek(t, at, 1) == '\n' ? line_start(t, at, 2) : stop(1);
    case '\n':
        return line_start(t, at, 1);
    case ' ':
        if (is_cut(t, at, 1)) {
            return MORE;
        }
        return step_peek(t, at, 1) == ' ' ? gap(t, at) : drop(1);
    case ':':
    case '-':
    case ',':
        return drop(1);
    default:
        return stop(1);
    }
}
