#include "redact/pieces.h"

#include <stdatomic.h>
#include <string.h>

#include "redact/strength.h"

enum {
    /* Two cores of base64 of neighbouring pieces meet from 3 bytes on. */
    PIECE_OVERLAP_BYTES = 8,
};

/* Not in the middle of a character, so that escapes of \u see it whole. */
static size_t
char_border(struct span s, size_t at)
{
    size_t back = at;

    while (back > 0 && at - back < 3 && (s.ptr[back] & 0xc0) == 0x80) {
        back--;
    }
    return (s.ptr[back] & 0xc0) == 0x80 ? at : back;
}

static bool
walk_whole(struct span value, piece_fn visit, void *ctx)
{
    size_t step = MATCHER_PIECE_MAX_BYTES - PIECE_OVERLAP_BYTES;
    size_t count;
    size_t size;
    size_t i;

    if (value.len <= MATCHER_PIECE_MAX_BYTES) {
        return visit(ctx, value, false);
    }
    count = (value.len - PIECE_OVERLAP_BYTES + step - 1) / step;
    size = (value.len + count - 1) / count;
    for (i = 0; i < count; i++) {
        size_t from =
            i == 0 ? 0 : char_border(value, i * size - PIECE_OVERLAP_BYTES / 2);
        size_t to =
            i + 1 == count
                ? value.len
                : char_border(value, (i + 1) * size + PIECE_OVERLAP_BYTES / 2);

        if (!visit(ctx, span_sub(value, from, to - from), false)) {
            return false;
        }
    }
    return true;
}

static bool
is_secret_line(struct span line)
{
    return line.len >= MATCHER_LINE_MIN_BYTES &&
           line.len <= MATCHER_PIECE_MAX_BYTES &&
           !span_starts(line, span_str("-----BEGIN ")) &&
           !span_starts(line, span_str("-----END ")) &&
           strength_of(line) == STRENGTH_FULL;
}

bool
pieces_walk(struct span value, enum matcher_flags flags, piece_fn visit,
            void *ctx)
{
    struct span rest = strength_trimmed(value);

    if (!walk_whole(rest, visit, ctx)) {
        return false;
    }
    if ((flags & MATCHER_NO_LINES) != 0 || span_find(rest, '\n') == rest.len) {
        return true;
    }
    while (rest.len > 0) {
        size_t end = span_find(rest, '\n');
        struct span line = strength_trimmed(span_sub(rest, 0, end));

        if (is_secret_line(line) && !visit(ctx, line, true)) {
            return false;
        }
        rest = span_sub(rest, end + 1, rest.len);
    }
    return true;
}

/* Escapes never make a newline, and forms of line ends keep the count of them;
 * a carriage return that ends no line could become or hide one. */
enum matcher_cut
pieces_cut(struct span value)
{
    enum matcher_cut cut = MATCHER_CUT_LINE;
    bool fresh = false; /* nothing but carriage returns since a newline */

    value = strength_trimmed(value);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];

        if (c == '\r' && (fresh || value.ptr[i + 1] != '\n')) {
            return MATCHER_CUT_NONE;
        }
        if (c == '\n' && fresh) {
            return MATCHER_CUT_NONE;
        }
        if (c == '\n') {
            cut = MATCHER_CUT_BLANK;
        }
        fresh = c == '\n';
    }
    return cut;
}

size_t
pieces_line_ends(struct span value)
{
    size_t count = 0;

    value = strength_trimmed(value);
    for (size_t i = 0; i < value.len; i++) {
        count += value.ptr[i] == '\n' ? 1 : 0;
    }
    return count;
}

static bool
ends_blank(struct span text)
{
    size_t at = text.len - 1;

    while (at > 0 && text.ptr[at - 1] == '\r') {
        at--;
    }
    return at > 0 && text.ptr[at - 1] == '\n';
}

size_t
matcher_cut_in(const struct matcher *m, struct span text, size_t from)
{
    enum matcher_cut cut = matcher_cut(m);

    while (cut != MATCHER_CUT_NONE && text.len > from) {
        const uint8_t *at = memrchr(text.ptr + from, '\n', text.len - from);

        if (at == NULL) {
            return 0;
        }
        text.len = (size_t)(at - text.ptr) + 1;
        if (cut == MATCHER_CUT_LINE || ends_blank(text)) {
            return text.len;
        }
        text.len--;
    }
    return 0;
}

/* Rounded up, since it can be seen by when something is let out. */
static size_t
lines_behind(const struct matcher *m)
{
    size_t most = matcher_line_ends(m);
    size_t count = 1;

    while (count < most) {
        count *= 2;
    }
    return count;
}

size_t
matcher_lines_in(const struct matcher *m, struct span text)
{
    size_t behind = lines_behind(m);

    for (; text.len > 0; behind--) {
        const uint8_t *at = memrchr(text.ptr, '\n', text.len);

        if (at == NULL) {
            return 0;
        }
        text.len = (size_t)(at - text.ptr);
        if (behind == 0) {
            return text.len + 1;
        }
    }
    return 0;
}

size_t
matcher_line_in(const struct matcher *m, struct span text)
{
    size_t at = span_find(text, '\n');

    return matcher_cut(m) != MATCHER_CUT_NONE && at < text.len ? at + 1
                                                               : text.len;
}

static atomic_ullong enabled_forms = ~0ULL;

void
matcher_enable_forms(uint64_t mask)
{
    atomic_store(&enabled_forms, mask);
}

bool
pieces_has_form(enum variant form, struct span raw, bool is_line,
                unsigned int traits, size_t *ret_len)
{
    size_t least = variant_is_core(form) ? STRENGTH_FULL_MIN_BYTES
                                         : STRENGTH_TOKEN_MIN_BYTES;

    if ((atomic_load(&enabled_forms) >> form & 1) == 0 ||
        (is_line && !variant_is_text(form)) ||
        !variant_applies(form, raw, traits)) {
        return false;
    }
    *ret_len = variant_len(form, raw);
    return *ret_len >= least;
}
