/*
 * Where the views are entered: each where a byte stands that it reads
 * otherwise and a form may reach across, with what stood before it.
 *
 * A form of at least eight bytes that reaches across a step has some bytes
 * before it and some behind it, of what the view gives. So among the runs of
 * four bytes around the step five in a row are the form's.
 */
#include "redact/tetrads.h"
#include "redact/view_impl.h"

enum {
    TILE_BLOCKS_COUNT = 16,                 /* looked at at once */
    BEFORE_BYTES = VIEW_FORM_MIN_BYTES - 1, /* of a step, looked at */
    AFTER_BYTES = VIEW_FORM_MIN_BYTES,
    COMMON_MAX_BYTES = 32,
    QUICK_BYTES =
        16, /* a step that is quick, and what is looked at behind it */
    INDENT_BYTES = 24, /* of one that is quick */
    ESC = 0x1b,
    DEL = 0x7f,
};

/* Of the eight bytes of a word. */
#define HIGH_BITS     0x8080808080808080ULL
#define LETTER_BITS   0x4040404040404040ULL
#define BLANKS        0x2020202020202020ULL
#define DIGIT_HIGHS   0x3030303030303030ULL
#define HIGH_HALVES   0xf0f0f0f0f0f0f0f0ULL
#define LOW_HALVES    0x0f0f0f0f0f0f0f0fULL
#define DIGIT_CARRIES 0x0404040404040404ULL /* behind ; one is carried */
#define CARRY_BITS    0x1010101010101010ULL

/* ---- may a form reach across? ---- */

/* Around a step: what the view gives, the last before it at [BEFORE_BYTES - 1]. */
struct around {
    uint8_t bytes[BEFORE_BYTES + AFTER_BYTES];
    size_t before; /* how many are known before it */
    size_t after;
    bool gives; /* the step gives some of those behind it */
    bool is_known;
};

/* The steps from text[at] on; *end and *carry are those of the first. */
static void
look_behind(struct reading *r, enum view_id id, ptrdiff_t at, ptrdiff_t *end,
            unsigned int *carry, struct around *ret)
{
    const bool *marks = VIEW_ROWS[id].marks;
    ptrdiff_t len = (ptrdiff_t)r->in->text.len;
    uint8_t *out = ret->bytes + BEFORE_BYTES;
    ptrdiff_t first = at;
    unsigned int now = 0;

    while (ret->after < AFTER_BYTES && at < len) {
        struct step step;
        size_t i;

        if (now == 0 && !marks[r->in->text.ptr[at]]) {
            out[ret->after++] = r->in->text.ptr[at++];
            continue;
        }
        step = VIEW_ROWS[id].step(&r->text, at, &now);
        if (step.kind != STEP_TEXT) {
            return;
        }
        for (i = 0; i < step.out_len && ret->after < AFTER_BYTES; i++) {
            out[ret->after++] = step.out[i];
        }
        if (at == first) {
            *end = at + (ptrdiff_t)step.used;
            *carry = now;
            ret->gives = step.out_len > 0;
            if (ret->before == 0 && !ret->gives) {
                ret->is_known = true; /* nothing is before it */
                return;
            }
        }
        at += (ptrdiff_t)step.used;
    }
    ret->is_known = ret->after == AFTER_BYTES || r->in->is_at_end;
}

/* Do five runs in a row of four bytes each, one byte apart, reach across, and
 * may all be some form's? */
static bool
may_reach_across(const struct matcher *set, const struct around *a)
{
    size_t i = BEFORE_BYTES - a->before;
    size_t last = a->gives ? BEFORE_BYTES : BEFORE_BYTES - 1;
    size_t end = BEFORE_BYTES + a->after;

    while (i <= last && i + VIEW_FORM_MIN_BYTES <= end) {
        size_t left = VIEW_FORM_TETRADS_COUNT;

        while (left > 0 &&
               tetrads_may_have(set, tetrad_load(a->bytes + i + left - 1))) {
            left--;
        }
        if (left == 0) {
            return true;
        }
        i += left;
    }
    return false;
}

/* A step that is common. */
struct common {
    size_t end; /* in the text, with some bytes to spare; 0: it isn't one */
    bool gives;
    uint8_t byte; /* what it gives */
};

static struct common
common_shown(const uint8_t *text, size_t start)
{
    const size_t end = start + COMMON_MAX_BYTES;
    size_t at = start + 1;

    if (text[start] == '\n') {
        while (at < end && text[at] == ' ') {
            at++;
        }
        return (struct common){.end = at < end && text[at] != '\t' ? at : 0};
    }
    if (text[start] != ESC || text[at] != '[') {
        return (struct common){0};
    }
    at++;
    while (at < end && text[at] >= '0' && text[at] <= ';') {
        at++;
    }
    return (struct common){.end =
                               text[at] >= '@' && text[at] <= '~' ? at + 1 : 0};
}

/* Of \\n, \\u001b and the like. */
static struct common
common_escape(const uint8_t *text, size_t at)
{
    static const uint8_t BYTES[256] = {
        ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
        ['"'] = '"',  ['/'] = '/',  ['\\'] = '\\',
    };
    uint8_t next = text[at + 1];
    int byte;

    if (BYTES[next] != 0) {
        return (struct common){at + 2, true, BYTES[next]};
    }
    if (next != 'u' || text[at + 2] != '0' || text[at + 3] != '0') {
        return (struct common){0};
    }
    byte = view_byte(text + at + 4);
    if (byte < 0 || byte >= 0x80) {
        return (struct common){0};
    }
    return (struct common){at + 6, true, (uint8_t)byte};
}

static struct common
common_at(const struct span text, enum view_id id, size_t at)
{
    /* A letter behind them, and the bytes that are looked at behind that. */
    if (at + COMMON_MAX_BYTES + 1 + TETRAD_BYTES > text.len) {
        return (struct common){0};
    }
    if (id == VIEW_SHOWN) {
        return common_shown(text.ptr, at);
    }
    if (text.ptr[at] == '\\') {
        return common_escape(text.ptr, at);
    }
    return (struct common){
        .end = text.ptr[at] == '=' && text.ptr[at + 1] == '\n' ? at + 2 : 0};
}

/* Does no form have the bytes on both sides of a step, or what it gives? */
static bool
is_apart(const struct reading *r, enum view_id id, size_t from, size_t at,
         const struct common *step)
{
    const struct matcher *set = r->in->set;
    const uint8_t *text = r->in->text.ptr;
    uint8_t next = text[step->end];
    bool is_plain = !VIEW_ROWS[id].marks[next];

    if (!step->gives) {
        return is_plain && !tetrads_may_join(set, text[at - 1], next);
    }
    if (from < at && tetrads_may_join(set, text[at - 1], step->byte)) {
        return false;
    }
    return is_plain ? !tetrads_may_join(set, step->byte, next)
                    : !tetrads_may_begin(set, step->byte);
}

/* The same for steps that are common, at once: by two of the runs, of which any
 * five in a row have one. */
static bool
is_passed_over(struct reading *r, enum view_id id, size_t from, size_t at)
{
    const bool *marks = VIEW_ROWS[id].marks;
    const uint8_t *text = r->in->text.ptr;
    struct common step = common_at(r->in->text, id, at);
    uint32_t before;
    uint32_t behind;

    if (step.end == 0) {
        return false;
    }
    if ((from < at || step.gives) && !is_apart(r, id, from, at, &step)) {
        if (at - from < TETRAD_BYTES || marks[text[step.end]] ||
            marks[text[step.end + 1]] || marks[text[step.end + 2]] ||
            marks[text[step.end + 3]]) {
            return false;
        }
        before = tetrad_load(text + at - TETRAD_BYTES);
        behind = tetrad_load(text + step.end);
        before = before >> 8 | (step.gives ? step.byte : behind) << 24;
        behind = step.gives ? behind : behind << 8 | text[at - 1];
        if (tetrads_may_have(r->in->set, before) ||
            tetrads_may_have(r->in->set, behind)) {
            return false;
        }
    }
    r->v->list[id].pos = r->in->offset + step.end;
    r->v->list[id].clean = r->v->list[id].pos;
    return true;
}

/* At text[at] stands what this view reads otherwise. Before it the view reads
 * the text as it is. */
static void
enter(struct reading *r, enum view_id id, size_t at)
{
    struct view *view = &r->v->list[id];
    size_t most = matcher_longest_bytes(r->in->set);
    uint64_t offset = r->in->offset;
    size_t from = view->clean > offset ? (size_t)(view->clean - offset) : 0;
    struct around a = {.before = at - from};
    unsigned int carry = 0;
    ptrdiff_t end = 0;

    if (is_passed_over(r, id, from, at)) {
        return;
    }
    a.before = a.before < BEFORE_BYTES ? a.before : BEFORE_BYTES;
    memcpy(a.bytes + BEFORE_BYTES - a.before, r->in->text.ptr + at - a.before,
           a.before);
    look_behind(r, id, (ptrdiff_t)at, &end, &carry, &a);
    if (a.is_known && !may_reach_across(r->in->set, &a)) {
        view->pos = offset + (uint64_t)end;
        view->clean = view->pos;
        view->carry = carry;
        return;
    }
    view_read_from(r, id, at - from > most ? at - most : from, at);
}

/* The bits 0x80 of the bytes that are no printable ASCII. */
static inline uint64_t
unprintable_in(uint64_t word)
{
    return (word | ~((word | HIGH_BITS) - BLANKS)) & HIGH_BITS;
}

/* Behind the most common steps of all, a line's end and ESC [ digits letter: a
 * place in the text; 0: it is another. */
static inline size_t
quick_end(const uint8_t *text, size_t at)
{
    uint64_t word = set_load(text + at + 2);
    uint64_t letters = word & ~(word >> 1) & LETTER_BITS; /* none >= 0x80 */
    uint64_t before;

    if (text[at] == '\n') {
        return at + 1;
    }
    before = ((letters & -letters) >> 6) - 1;
    if (text[at] != ESC || text[at + 1] != '[' || letters == 0 ||
        ((word ^ DIGIT_HIGHS) & before & HIGH_HALVES) != 0 ||
        ((((word & LOW_HALVES) + DIGIT_CARRIES) & before) & CARRY_BITS) != 0) {
        return 0;
    }
    at += 2 + (size_t)__builtin_ctzll(letters) / 8;
    return text[at] == DEL ? 0 : at + 1;
}

/* Behind an indent of few blanks, where something shows; 0: it isn't one. */
static inline size_t
quick_indent(struct span text, size_t at)
{
    const size_t end = at + INDENT_BYTES;
    uint64_t others = 0;

    while (others == 0 && at < end && at + WORD_BYTES <= text.len) {
        others = set_load(text.ptr + at) ^ BLANKS;
        at += others == 0 ? WORD_BYTES : (size_t)__builtin_ctzll(others) / 8;
    }
    return others != 0 && text.ptr[at] > ' ' ? at : 0;
}

/* Behind one or more of them, where something plain follows that has bytes
 * behind it; 0: it doesn't. */
static inline size_t
quick_ends(struct span text, size_t at)
{
    size_t end = 0;

    do {
        if (at + QUICK_BYTES > text.len) {
            return 0;
        }
        end = quick_end(text.ptr, at);
        if (text.ptr[at] == '\n' && text.ptr[end] == ' ') {
            end = quick_indent(text, end);
        }
        if (end == 0 || end + TETRAD_BYTES > text.len) {
            return 0;
        }
        at = end;
    } while (text.ptr[end] == '\n' || text.ptr[end] == ESC);
    return text.ptr[end] >= ' ' && text.ptr[end] < 0x80 ? end : 0;
}

/* As is_passed_over(), for these. */
static inline bool
is_passed_quickly(struct reading *r, size_t at)
{
    struct view *view = &r->v->list[VIEW_SHOWN];
    const uint8_t *text = r->in->text.ptr;
    uint64_t here = r->in->offset + at;
    size_t end;

    if (view->is_cut || view->pos > here) {
        return false;
    }
    end = quick_ends(r->in->text, at);
    if (end == 0) {
        return false;
    }
    if (at > 0 && view->clean < here &&
        tetrads_may_join(r->in->set, text[at - 1], text[end])) {
        uint32_t behind = tetrad_load(text + end);
        uint32_t before;

        if (at < TETRAD_BYTES || view->clean + TETRAD_BYTES > here ||
            (uint32_t)unprintable_in(behind) != 0) {
            return false;
        }
        before = tetrad_load(text + at - TETRAD_BYTES);
        if (tetrads_may_have(r->in->set, before >> 8 | behind << 24) ||
            tetrads_may_have(r->in->set, behind << 8 | before >> 24)) {
            return false;
        }
    }
    view->pos = r->in->offset + end;
    view->clean = view->pos;
    return true;
}

/* A byte that some view may read otherwise. */
static void
look_at(struct reading *r, size_t at)
{
    const uint8_t *text = r->in->text.ptr;
    int next = at + 1 < r->in->text.len ? text[at + 1] : -1;
    enum view_id id = VIEW_SHOWN;

    switch (text[at]) {
    case '%':
        if (next >= 0 && !view_is_hex(next)) {
            return;
        }
        id = VIEW_UNESCAPED;
        break;
    case '\\':
    case '&':
        id = VIEW_UNESCAPED;
        break;
    case '=':
        if (next >= 0 && !view_is_hex(next) && next != '\r' && next != '\n') {
            return;
        }
        id = VIEW_MAIL;
        break;
    case 0xc2:
    case 0xe2:
    case 0xef:
        if (next >= 0 && !step_may_be_zero_width(text[at], next)) {
            return;
        }
        break;
    default:
        if (!VIEW_ROWS[VIEW_SHOWN].marks[text[at]]) {
            return;
        }
        break;
    }
    if (!view_has_passed(r, id, at)) {
        enter(r, id, at);
    }
}

/* ---- all of the text ---- */

/* All marks that the views have. */
static const bool LOOKED_AT[256] = {
    ['\0'] = true, ['\a'] = true, ['\b'] = true, ['\n'] = true, ['\r'] = true,
    [ESC] = true,  [0xc2] = true, [0xe2] = true, [0xef] = true, ['\\'] = true,
    ['%'] = true,  ['&'] = true,  ['='] = true};

/* What of the text's end is no whole block; of a stretch that ends there the
 * start may be before. */
static void
look_at_rest(struct reading *r, size_t at)
{
    size_t len = r->in->text.len;
    size_t back = at < VIEW_STRETCH_BYTES ? at : VIEW_STRETCH_BYTES;
    size_t here;

    for (here = at - back / VIEW_DUMP_STEP_BYTES * VIEW_DUMP_STEP_BYTES;
         here < len; here += VIEW_DUMP_STEP_BYTES) {
        view_enter_dump(r, here);
    }
    for (; at < len; at++) {
        if (LOOKED_AT[r->in->text.ptr[at]]) {
            look_at(r, at);
        }
    }
    view_enter_dump_at_end(r);
}

/* The first byte that some view has not read. */
static size_t
start_of(const struct reading *r)
{
    uint64_t first = r->in->offset + r->in->text.len;
    size_t i;

    for (i = 0; i < VIEW_COUNT; i++) {
        uint64_t pos = r->v->list[i].pos;

        first = !r->v->list[i].is_cut && pos < first ? pos : first;
    }
    return first > r->in->offset ? (size_t)(first - r->in->offset) : 0;
}

/* The bytes of a block that some view may read otherwise. */
static inline void
look_at_marks(struct reading *r, size_t at, uint64_t marks)
{
    for (; marks != 0; marks &= marks - 1) {
        size_t here = at + (size_t)__builtin_ctzll(marks);

        if (!is_passed_quickly(r, here)) {
            look_at(r, here);
        }
    }
}

void
view_enter_all(struct reading *r)
{
    struct span text = r->in->text;
    struct view_bits bits[TILE_BLOCKS_COUNT + 1] = {{0}}; /* and before */
    size_t at = start_of(r);

    while (at + VIEW_BLOCK_BYTES <= text.len) {
        size_t count = (text.len - at) / VIEW_BLOCK_BYTES;
        size_t i;

        count = count < TILE_BLOCKS_COUNT ? count : TILE_BLOCKS_COUNT;
        view_bits_of(text.ptr + at, count, bits + 1);
        for (i = 1; i <= count; i++) {
            look_at_marks(r, at, bits[i].marks);
            if ((view_eights(bits[i - 1].dump) | view_eights(bits[i].dump)) !=
                    0 &&
                view_ends_of_stretches(&bits[i - 1], &bits[i]) != 0) {
                view_enter_dumps(r, at, &bits[i]);
            }
            at += VIEW_BLOCK_BYTES;
        }
        bits[0] = bits[count];
    }
    look_at_rest(r, at);
}
