/*
 * Where the view of dumps is entered: where twelve bytes at a multiple of eight
 * are digits and marks, and at the text's end. A match that counts has, at or
 * before its start, a stretch of VIEW_STRETCH_BYTES of these without a break.
 */
#include "redact/tetrads.h"
#include "redact/view_impl.h"

enum {
    BEFORE_END_BYTES = VIEW_STRETCH_BYTES - 1,
    LOOK_BYTES = 12,
    BACK_MAX_BYTES = 32, /* a stretch that is longer was entered before */
};

_Static_assert(LOOK_BYTES + VIEW_DUMP_STEP_BYTES - 1 <= VIEW_STRETCH_BYTES,
               "a stretch without a look");

enum {
    DUMP_DIGIT = 1,
    DUMP_MARK = 2,
    DUMP_DIGITS_MAX = 4,
    DUMP_RUN_MAX_COUNT = 32, /* bytes looked at, at once */
    NUMBER_BYTES = 3,        /* two digits and a mark */
    PLACE_MIN_DIGITS = 6,    /* at a line's start, as view_dump.c has it */
    PLACE_MAX_DIGITS = 16,
    LINE_START_MAX_BYTES = 1 + PLACE_MAX_DIGITS + 2,
};

static const uint8_t DUMP_BYTES[256] = {
    ['0'] = DUMP_DIGIT, ['1'] = DUMP_DIGIT, ['2'] = DUMP_DIGIT,
    ['3'] = DUMP_DIGIT, ['4'] = DUMP_DIGIT, ['5'] = DUMP_DIGIT,
    ['6'] = DUMP_DIGIT, ['7'] = DUMP_DIGIT, ['8'] = DUMP_DIGIT,
    ['9'] = DUMP_DIGIT, ['a'] = DUMP_DIGIT, ['b'] = DUMP_DIGIT,
    ['c'] = DUMP_DIGIT, ['d'] = DUMP_DIGIT, ['e'] = DUMP_DIGIT,
    ['f'] = DUMP_DIGIT, ['A'] = DUMP_DIGIT, ['B'] = DUMP_DIGIT,
    ['C'] = DUMP_DIGIT, ['D'] = DUMP_DIGIT, ['E'] = DUMP_DIGIT,
    ['F'] = DUMP_DIGIT, [' '] = DUMP_MARK,  [':'] = DUMP_MARK,
    ['-'] = DUMP_MARK,  [','] = DUMP_MARK,  ['x'] = DUMP_MARK,
    ['X'] = DUMP_MARK,  ['\n'] = DUMP_MARK, ['\r'] = DUMP_MARK,
    ['\t'] = DUMP_MARK,
};

const uint8_t VIEW_DIGITS[256] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff,
};

/* May these be the bytes of a dump? Its numbers have two digits or four. */
static bool
is_stretch(const uint8_t *at)
{
    bool is_whole = false; /* the number begins here */
    size_t digits = 0;
    bool has_mark = false;
    size_t i;

    for (i = 0; i < LOOK_BYTES; i++) {
        uint8_t kind = DUMP_BYTES[at[i]];

        if (kind == DUMP_DIGIT) {
            digits++;
            continue;
        }
        if (kind == 0 || digits > DUMP_DIGITS_MAX ||
            (is_whole && digits % 2 != 0 && (at[i] | 0x20) != 'x')) {
            return false;
        }
        has_mark = true;
        is_whole = true;
        digits = 0;
    }
    return has_mark && digits <= DUMP_DIGITS_MAX;
}

/* Numbers of two digits, as step_dumped() would read them. */
struct dumped {
    size_t count;
    size_t end; /* behind the last one and its mark */
    uint8_t bytes[DUMP_RUN_MAX_COUNT];
    size_t at[DUMP_RUN_MAX_COUNT]; /* in the text */
};

/* Behind a line's end and the place that may begin the next line, where that is
 * quickly told; else `at` itself. */
static size_t
next_line(struct span text, size_t at)
{
    size_t start = at + 1;
    size_t len = 0;

    if (at + LINE_START_MAX_BYTES > text.len || text.ptr[at] != '\n') {
        return at;
    }
    while (len < PLACE_MAX_DIGITS &&
           DUMP_BYTES[text.ptr[start + len]] == DUMP_DIGIT) {
        len++;
    }
    if (len < PLACE_MIN_DIGITS) {
        return len == 2 ? start : at;
    }
    at = text.ptr[start + len] == ':' && text.ptr[start + len + 1] == ' '
             ? start + len + 2
             : at;
    return at;
}

/* Those from text[at] on, as long as there is one mark behind each, or a line's
 * end. */
static void
read_run(struct span text, size_t at, struct dumped *ret)
{
    ret->count = 0;
    while (at + NUMBER_BYTES <= text.len && ret->count < DUMP_RUN_MAX_COUNT) {
        int byte = view_byte(text.ptr + at);

        if (byte < 0 || (text.ptr[at + 2] != ' ' && text.ptr[at + 2] != ':')) {
            break;
        }
        ret->at[ret->count] = at;
        ret->bytes[ret->count++] = (uint8_t)byte;
        at += NUMBER_BYTES;
        if (at < text.len && text.ptr[at] == '\n') {
            at = next_line(text, at);
        }
    }
    ret->end = at;
}

/* Of a form in the run all neighbours are some form's: a look at few of them
 * tells that there is none, and none that begins there and goes on. */
static bool
may_have_form(const struct matcher *set, const struct dumped *run)
{
    const uint8_t *bytes = run->bytes;
    size_t i;

    if (run->count <= TETRAD_BYTES) {
        return true;
    }
    for (i = VIEW_FORM_MIN_BYTES - 1; i < run->count;
         i += VIEW_FORM_MIN_BYTES - 1) {
        if (tetrads_may_join(set, bytes[i - 1], bytes[i])) {
            return true;
        }
    }
    for (i = run->count - TETRAD_BYTES; i < run->count; i++) {
        if (!tetrads_may_join(set, bytes[i - 1], bytes[i])) {
            return false;
        }
    }
    return true;
}

/* How many of the bytes no form has a part of: all but fewer than the shortest
 * form has, or all before one that may be there. */
static size_t
count_passed(const struct matcher *set, const struct dumped *run)
{
    size_t i = 0;

    if (!may_have_form(set, run)) {
        return run->count - TETRAD_BYTES;
    }
    while (i + VIEW_FORM_MIN_BYTES <= run->count) {
        size_t left = VIEW_FORM_TETRADS_COUNT;

        while (left > 0 &&
               tetrads_may_have(set, tetrad_load(run->bytes + i + left - 1))) {
            left--;
        }
        if (left == 0) {
            break;
        }
        i += left;
    }
    return i;
}

/* Does nothing of a dump go on at text[at], nor in the next line? */
static bool
is_over(struct span text, size_t at)
{
    size_t digits = 0;

    at += at < text.len && text.ptr[at] == '\n' ? 1 : 0;
    while (at < text.len && DUMP_BYTES[text.ptr[at]] == DUMP_DIGIT) {
        at++;
        digits++;
    }
    if (at == text.len) {
        return false;
    }
    return digits == 0 ? DUMP_BYTES[text.ptr[at]] == 0
                       : digits == 3 || digits == 5 ||
                             (view_is_word(text.ptr[at]) &&
                              (text.ptr[at] | 0x20) != 'x');
}

/* Passes over the numbers from view->pos on that no form can have a part of.
 * False: there is nothing more to read. */
static bool
pass_over(struct reading *r, size_t from)
{
    struct view *view = &r->v->list[VIEW_DUMPED];
    struct span text = r->in->text;
    struct dumped run = {.count = 0};
    bool goes_on;
    size_t passed;
    size_t i;

    if (from > 0 && view_is_word(text.ptr[from - 1])) {
        return true;
    }
    do {
        read_run(text, from, &run);
        passed = count_passed(r->in->set, &run);
        goes_on = passed > 0 && passed + VIEW_FORM_MIN_BYTES > run.count;
        if (goes_on && is_over(text, run.end)) {
            view->pos = r->in->offset + run.end;
            return false;
        }
        for (i = 0; i < passed; i++) {
            view->pos = r->in->offset + run.at[i];
            view_note_number(view, 2);
        }
        from = passed > 0 ? run.at[passed] : from;
        view->pos = r->in->offset + from;
    } while (goes_on && run.count == DUMP_RUN_MAX_COUNT);
    return true;
}

/* How far back from text[here] it may reach. */
static size_t
stretch_start(const struct reading *r, size_t here)
{
    size_t at = here;

    while (at > 0 && here - at < BACK_MAX_BYTES &&
           !view_has_passed(r, VIEW_DUMPED, at - 1) &&
           DUMP_BYTES[r->in->text.ptr[at - 1]] != 0) {
        at--;
    }
    return at;
}

/* The stretch that text[here] is in. Its start is in *ret; false: it is too
 * short. */
static bool
find_stretch(const struct reading *r, size_t here, size_t *ret)
{
    struct span text = r->in->text;
    size_t at = stretch_start(r, here);
    size_t digits = 0;
    bool is_whole = false; /* the number begins within the stretch */

    for (*ret = at; at < text.len; at++) {
        uint8_t kind = DUMP_BYTES[text.ptr[at]];
        bool is_bad = kind == 0;

        if (kind == DUMP_DIGIT) {
            digits++;
            is_bad = digits > DUMP_DIGITS_MAX;
        } else {
            is_bad = is_bad || (is_whole && digits % 2 != 0 &&
                                (text.ptr[at] | 0x20) != 'x');
            is_whole = true;
            digits = 0;
        }
        if (is_bad && at >= here) {
            return at - *ret >= VIEW_STRETCH_BYTES;
        }
        if (is_bad) {
            *ret = at + (kind == DUMP_DIGIT ? 1 : 0);
        }
        if (at >= here + LOOK_BYTES && at - *ret >= VIEW_STRETCH_BYTES) {
            return true;
        }
    }
    return true;
}

void
view_enter_dump(struct reading *r, size_t here)
{
    struct view *view = &r->v->list[VIEW_DUMPED];
    struct span text = r->in->text;
    size_t from;

    if (here + LOOK_BYTES > text.len || view_has_passed(r, VIEW_DUMPED, here) ||
        !is_stretch(text.ptr + here) || !find_stretch(r, here, &from)) {
        return;
    }
    while (from < here && DUMP_BYTES[text.ptr[from]] == DUMP_MARK) {
        from++;
    }
    view_begin_dump(view, r->in->offset + from);
    if (!pass_over(r, from)) {
        return;
    }
    for (;;) {
        view_read(r, VIEW_DUMPED, VIEW_BATCH_BYTES);
        if (view_has_passed(r, VIEW_DUMPED, here)) {
            return;
        }
        view_begin_dump(view, view->pos);
    }
}

/* The fifth digit of a number and those behind it. */
static uint64_t
long_numbers(uint64_t before, uint64_t digits)
{
    uint64_t pairs = digits & (digits << 1 | before >> 63);
    uint64_t pairs_before = before & before << 1;

    pairs &= pairs << 2 | pairs_before >> 62;
    return pairs & (digits << 4 | before >> 60);
}

void
view_enter_dumps(struct reading *r, size_t at, const struct view_bits *bits)
{
    const struct view *view = &r->v->list[VIEW_DUMPED];
    struct view_bits before = bits[-1];
    struct view_bits own = *bits;
    uint64_t ends;

    own.dump &= ~long_numbers(before.digits, own.digits);
    before.dump &= ~long_numbers(0, before.digits);
    ends = view_ends_of_stretches(&before, &own);
    while (ends != 0 && !view->is_cut) {
        uint64_t start = r->in->offset + at - BEFORE_END_BYTES;
        size_t end = (size_t)__builtin_ctzll(ends);

        view_enter_dump(r, at + end - BEFORE_END_BYTES);
        ends &= ends - 1;
        if (view->pos >= start + VIEW_BLOCK_BYTES) {
            return; /* it has passed them all */
        }
        if (view->pos > start) {
            ends &= ~0ULL << (view->pos - start);
        }
    }
}

void
view_enter_dump_at_end(struct reading *r)
{
    struct view *view = &r->v->list[VIEW_DUMPED];
    struct span text = r->in->text;
    size_t from = stretch_start(r, text.len);

    if (from == text.len) {
        return;
    }
    view->pos = r->in->offset + from;
    do {
        view_begin_dump(view, view->pos);
        view_read(r, VIEW_DUMPED, VIEW_BATCH_BYTES);
    } while (!view_has_passed(r, VIEW_DUMPED, text.len - 1));
}
