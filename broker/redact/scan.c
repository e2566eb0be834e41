#include "redact/scan.h"

#include "redact/strength.h"

void
scan_begin(struct scan *s, const struct scan_request *request)
{
    s->set = request->set;
    s->text = request->text;
    s->behind = request->behind;
    s->marked = NULL;
    s->limit = request->limit;
    s->flags = request->flags;
    s->tile = 0;
    s->tile_end = 0;
    s->next = 0;
    if ((s->flags & SCAN_FOR_TASK) != 0) {
        memset(s->starts, 0, sizeof(s->starts));
    }
}

/* ---- where a form may start ---- */

static uint64_t *
starts_of_tile(struct scan *s)
{
    return s->starts + s->tile % STARTS_COUNT / 64;
}

static bool
next_tile(struct scan *s)
{
    bool is_for_task = (s->flags & SCAN_FOR_TASK) != 0;

    if (s->tile_end >= s->limit) {
        return false;
    }
    if (is_for_task) { /* those ahead stay */
        memset(starts_of_tile(s), 0, SCAN_TILE_BYTES / 8);
    }
    s->tile = s->tile_end;
    s->next = s->tile;
    s->tile_end = s->limit - s->tile < SCAN_TILE_BYTES
                      ? s->limit
                      : s->tile + SCAN_TILE_BYTES;
    if (!is_for_task) {
        memset(starts_of_tile(s), 0, SCAN_TILE_BYTES / 8);
    }
    scan_find_starts(s);
    if (s->tile_end % 64 != 0) { /* a task's are found ahead of the limit too */
        starts_of_tile(s)[(s->tile_end - s->tile) / 64] &=
            (1ULL << s->tile_end % 64) - 1;
    }
    return true;
}

static bool
next_start(struct scan *s, size_t *ret)
{
    for (;;) {
        size_t at = s->next - s->tile;
        size_t word = at / 64;

        while (s->next < s->tile_end) {
            uint64_t bits = starts_of_tile(s)[word] >> (at % 64);

            if (bits != 0) {
                *ret = s->next + (size_t)__builtin_ctzll(bits);
                s->next = *ret + 1;
                return true;
            }
            word++;
            at = word * 64;
            s->next = s->tile + at;
        }
        if (!next_tile(s)) {
            return false;
        }
    }
}

/* ---- whole tokens ---- */

static bool
is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static bool
is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/* The byte `back` before `start`; 0, a border, before the stream began. */
static uint8_t
byte_before(const struct scan *s, size_t start, size_t back)
{
    if (back <= start) {
        return s->text.ptr[start - back];
    }
    back -= start;
    return back <= s->behind.len ? s->behind.ptr[s->behind.len - back] : 0;
}

/* Do `digits` hex digits stand before `start`? */
static bool
hex_before(const struct scan *s, size_t start, size_t digits)
{
    size_t back;

    for (back = 1; back <= digits; back++) {
        if (!is_hex(byte_before(s, start, back))) {
            return false;
        }
    }
    return true;
}

/* The end of a sequence such as ESC [ 1 ; 3 2 m. */
static bool
control_before(const struct scan *s, size_t start)
{
    size_t back;

    for (back = 2; back < MATCHER_BEHIND_BYTES; back++) {
        uint8_t c = byte_before(s, start, back);

        if (c == '[') {
            return byte_before(s, start, back + 1) == 0x1b;
        }
        if (!(c >= '0' && c <= '9') && c != ';' && c != '?') {
            return false;
        }
    }
    return false;
}

/* Does what stands before `start` end an escape, and so belong to nobody's
 * word? \n, %20, \u0022 and the end of a colour sequence. */
static bool
ends_escape(const struct scan *s, size_t start)
{
    if (byte_before(s, start, 2) == '\\') {
        return strchr("nrtbfv0", byte_before(s, start, 1)) != NULL;
    }
    if (byte_before(s, start, 3) == '%' && hex_before(s, start, 2)) {
        return true;
    }
    if (byte_before(s, start, 6) == '\\' && byte_before(s, start, 5) == 'u' &&
        hex_before(s, start, 4)) {
        return true;
    }
    return control_before(s, start);
}

enum border {
    BORDER_YES,
    BORDER_NO,
    BORDER_UNKNOWN, /* the next byte is not there yet */
};

static enum border
token_border(const struct scan *s, size_t start, size_t len)
{
    const uint8_t *form = s->text.ptr + start;

    if (is_word(form[0]) && is_word(byte_before(s, start, 1)) &&
        !ends_escape(s, start)) {
        return BORDER_NO;
    }
    if (!is_word(form[len - 1])) {
        return BORDER_YES;
    }
    if (start + len < s->text.len) {
        return is_word(form[len]) ? BORDER_NO : BORDER_YES;
    }
    return (s->flags & SCAN_AT_END) != 0 ? BORDER_YES : BORDER_UNKNOWN;
}

/* ---- what stands at a start ---- */

static bool
is_wanted(const struct scan *s, const struct matcher *part, uint32_t ref)
{
    return (s->flags & (SCAN_FOR_TASK | SCAN_STRONG)) == 0 ||
           !set_is_weak(part, ref);
}

/*
 * The longest form that is a beginning of `text`. The greatest form not
 * greater than the text either is it or shares `common` bytes with the text,
 * and then a shorter one can only be found within these.
 */
static void
find_longest(struct scan *s, struct span text, size_t upto,
             struct scan_hit *hit)
{
    const struct matcher *part = hit->part;

    while (upto > 0) {
        uint32_t ref = part->entries[upto - 1].ref;
        struct set_order order = set_compare(part, ref, text, &s->scratch);
        enum border border = BORDER_YES;

        if (order.is_whole && is_wanted(s, part, ref)) {
            if (order.common < STRENGTH_FULL_MIN_BYTES) {
                border = token_border(s, hit->start, order.common);
            }
            if (border == BORDER_UNKNOWN) {
                hit->is_open = true;
            }
            if (border != BORDER_NO) {
                hit->len = order.common;
                hit->ref = ref;
                return;
            }
        }
        text.len = order.is_whole ? order.common - 1 : order.common;
        if (text.len < KEY_BYTES) {
            return;
        }
        upto = entries_upto(part, text, &s->scratch);
    }
}

static struct scan_hit
look_in(struct scan *s, const struct matcher *part, size_t start)
{
    struct span text = span_sub(s->text, start, s->text.len - start);
    size_t upto = entries_upto(part, text, &s->scratch);
    struct scan_hit hit = {.start = start, .part = part};

    if ((s->flags & SCAN_AT_END) == 0 && upto < part->entry_count &&
        entries_may_begin(part, upto, text)) {
        hit.is_open =
            set_compare(part, part->entries[upto].ref, text, &s->scratch)
                .is_open;
    }
    if (text.len >= KEY_BYTES && upto > 0 &&
        entries_may_begin(part, upto - 1, text)) {
        find_longest(s, text, upto, &hit);
    }
    return hit;
}

/* Of equal forms the base's counts: it was there first. */
static bool
look_at(struct scan *s, size_t start, struct scan_hit *ret)
{
    const struct matcher *base = s->set->base;
    struct scan_hit own;

    *ret = look_in(s, base != NULL ? base : s->set, start);
    if (base != NULL) {
        own = look_in(s, s->set, start);
        own.is_open = own.is_open || ret->is_open;
        ret->is_open = own.is_open;
        if (own.len > ret->len) {
            *ret = own;
        }
    }
    return ret->is_open || ret->len > 0;
}

bool
scan_next(struct scan *s, struct scan_hit *ret)
{
    size_t start;

    while (next_start(s, &start)) {
        if (look_at(s, start, ret)) {
            return true;
        }
    }
    return false;
}

static size_t
shortest_open_in(struct scan *s, const struct matcher *part, size_t start)
{
    struct span text = span_sub(s->text, start, s->text.len - start);
    size_t i = entries_upto(part, text, &s->scratch);
    size_t shortest = SIZE_MAX;

    for (; i < part->entry_count; i++) {
        uint32_t ref = part->entries[i].ref;
        size_t len;

        if (!set_compare(part, ref, text, &s->scratch).is_open) {
            break;
        }
        len = variant_len(set_form(ref), set_raw(part, ref));
        if (len < shortest) {
            shortest = len;
        }
    }
    return shortest;
}

size_t
scan_shortest_open(struct scan *s, size_t start)
{
    const struct matcher *base = s->set->base;
    size_t own = shortest_open_in(s, s->set, start);
    size_t below = base == NULL ? SIZE_MAX : shortest_open_in(s, base, start);

    return own < below ? own : below;
}
