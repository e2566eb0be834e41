#include "redact/screen.h"

enum {
    ESC = 0x1b,
    BEL = 0x07,
    DEL = 0x7f,
    NUMBER_MAX = 99999, /* no mode is larger */
};

enum mode {
    MODE_ALTERNATE = 1,
    MODE_PASTE = 2,
    MODE_SYNC = 4,
};

/* ---- columns ---- */

struct range {
    uint32_t first;
    uint32_t last;
};

/* Gaps that no character fills are closed. */
static const struct range WIDE[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},
    {0x23e9, 0x23ec},   {0x23f0, 0x23f0},   {0x23f3, 0x23f3},
    {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},
    {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},
    {0x26f2, 0x26f3},   {0x26f5, 0x26f5},   {0x26fa, 0x26fa},
    {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},
    {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
    {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},
    {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
    {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97c},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},
    {0xfe30, 0xfe6b},   {0xff01, 0xff60},   {0xffe0, 0xffe6},
    {0x16fe0, 0x18d08}, {0x1aff0, 0x1b2fb}, {0x1f004, 0x1f004},
    {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
    {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c},
    {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3},
    {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e},
    {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
    {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a},
    {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f},
    {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d7},
    {0x1f6dc, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
    {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945},
    {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

/* Marks on the character before, and what only steers others: those of the
 * scripts that passwords are written in. */
static const struct range NONE[] = {
    {0x80, 0x9f},     {0x300, 0x36f},     {0x483, 0x489},   {0x591, 0x5bd},
    {0x610, 0x61a},   {0x64b, 0x65f},     {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
    {0x200b, 0x200f}, {0x202a, 0x202e},   {0x2060, 0x2064}, {0x20d0, 0x20ff},
    {0x302a, 0x302d}, {0x3099, 0x309a},   {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff}, {0xe0001, 0xe01ef},
};

static bool
is_in(const struct range *ranges, size_t count, uint32_t code)
{
    size_t from = 0;

    while (from < count) {
        size_t middle = from + (count - from) / 2;

        if (code < ranges[middle].first) {
            count = middle;
        } else if (code > ranges[middle].last) {
            from = middle + 1;
        } else {
            return true;
        }
    }
    return false;
}

static unsigned
columns_of(uint32_t code)
{
    if (code < NONE[0].first) {
        return 1;
    }
    if (is_in(NONE, AG_COUNT(NONE), code)) {
        return 0;
    }
    return is_in(WIDE, AG_COUNT(WIDE), code) ? 2 : 1;
}

/* ---- what moves ---- */

static void
draw(struct screen *s)
{
    s->lines = SCREEN_LINES_COUNT;
}

static void
draw_line(struct screen *s)
{
    if (s->line_has_text) {
        s->line_is_drawn = true;
    }
}

static void
reset(struct screen *s)
{
    *s = (struct screen){.state = SCREEN_TEXT};
}

static void
end_line(struct screen *s)
{
    s->line_has_text = false;
    s->line_is_back = false;
    s->line_is_drawn = false;
    if (s->lines > 0) {
        s->lines--;
    }
}

/* A character by itself. */
static void
take_single(struct screen *s, uint8_t byte)
{
    switch (byte) {
    case '\n':
    case '\v':
    case '\f':
        end_line(s);
        break;
    case '\r':
        s->line_is_back = s->line_has_text;
        break;
    case '\b':
        draw_line(s);
        break;
    default:
        break;
    }
}

static void
take_number(struct screen *s)
{
    switch (s->number) {
    case 47:
    case 1047:
    case 1049:
        s->modes |= MODE_ALTERNATE;
        break;
    case 2004:
        s->modes |= MODE_PASTE;
        break;
    case 2026:
        s->modes |= MODE_SYNC;
        break;
    default:
        break;
    }
    s->number = 0;
}

static void
set_modes(struct screen *s, bool on)
{
    if (on) {
        s->set |= s->modes;
        return;
    }
    if ((s->modes & s->set & MODE_SYNC) != 0) {
        draw(s); /* what it drew stays where it is */
    }
    if ((s->modes & s->set & MODE_ALTERNATE) != 0) {
        s->lines = 0;
        s->set &= ~(unsigned)MODE_SYNC;
    }
    s->set &= ~s->modes;
}

/* The last byte of a sequence whose first ones were ESC [. */
static void
take_control(struct screen *s, uint8_t final)
{
    take_number(s);
    if (s->mark == '?' && (final == 'h' || final == 'l')) {
        set_modes(s, final == 'h');
    }
    if (s->mark != 0 || s->is_odd) {
        return;
    }
    switch (final) {
    case 'A': /* up, down, to a place, to a line, back to a place */
    case 'B':
    case 'E':
    case 'F':
    case 'H':
    case 'L':
    case 'M':
    case 'S':
    case 'T':
    case 'd':
    case 'e':
    case 'f':
    case 'r':
    case 'u':
        draw(s);
        break;
    case 'C': /* within the line */
    case 'D':
    case 'G':
    case 'P':
    case 'Z':
    case '@':
    case '`':
    case 'a':
        draw_line(s);
        break;
    default:
        break;
    }
}

/* ---- sequences ---- */

static bool
is_intermediate(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x30;
}

static enum screen_byte
begin_sequence(struct screen *s, uint8_t byte)
{
    if (byte < 0x20) { /* is done within it */
        s->state = SCREEN_ESCAPE;
        take_single(s, byte);
        return SCREEN_BYTE_INSIDE;
    }
    if (is_intermediate(byte)) {
        s->state = SCREEN_CHARSET;
        return SCREEN_BYTE_INSIDE;
    }
    switch (byte) {
    case '[':
        s->state = SCREEN_CONTROL;
        s->mark = 0;
        s->is_odd = false;
        s->number = 0;
        s->modes = 0;
        return SCREEN_BYTE_INSIDE;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        s->state = SCREEN_STRING;
        return SCREEN_BYTE_STRING;
    case 'M': /* up, scrolling */
    case '8': /* back to a place */
        draw(s);
        break;
    case 'c':
        reset(s);
        break;
    default:
        break;
    }
    s->state = SCREEN_TEXT;
    return SCREEN_BYTE_LAST;
}

/* Whatever the final byte means elsewhere, it names a set here. */
static enum screen_byte
go_on_charset(struct screen *s, uint8_t byte)
{
    if (byte < 0x20) {
        take_single(s, byte);
    } else if (!is_intermediate(byte)) {
        s->state = SCREEN_TEXT;
        return SCREEN_BYTE_LAST;
    }
    return SCREEN_BYTE_INSIDE;
}

static enum screen_byte
go_on_control(struct screen *s, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        if (s->number <= NUMBER_MAX) {
            s->number = s->number * 10 + (byte - (uint32_t)'0');
        }
    } else if (byte == ';' || byte == ':') {
        take_number(s);
    } else if (byte >= '<' && byte <= '?') {
        s->mark = byte;
    } else if (byte >= 0x40 && byte < DEL) {
        s->state = SCREEN_TEXT;
        take_control(s, byte);
        return SCREEN_BYTE_LAST;
    } else if (is_intermediate(byte)) {
        s->is_odd = true;
    } else {
        take_single(s, byte); /* is done within it */
    }
    return SCREEN_BYTE_INSIDE;
}

static enum screen_byte
go_on(struct screen *s, uint8_t byte)
{
    switch (s->state) {
    case SCREEN_ESCAPE:
        return begin_sequence(s, byte);
    case SCREEN_CHARSET:
        return go_on_charset(s, byte);
    case SCREEN_CONTROL:
        return go_on_control(s, byte);
    case SCREEN_STRING_END:
        if (byte != '\\') { /* broken off by another sequence */
            return begin_sequence(s, byte);
        }
        s->state = SCREEN_TEXT;
        break;
    case SCREEN_STRING:
    case SCREEN_TEXT:
        if (byte == BEL) {
            s->state = SCREEN_TEXT;
        }
        break;
    }
    return SCREEN_BYTE_STRING;
}

/* ---- text ---- */

static enum screen_byte
show(struct screen *s, unsigned columns, unsigned *ret_columns)
{
    if (s->line_is_back) {
        s->line_is_back = false;
        s->line_is_drawn = true;
    }
    s->line_has_text = true;
    *ret_columns = columns;
    return SCREEN_BYTE_SHOWN;
}

/* Begins a character of several bytes. What is none takes a column. */
static enum screen_byte
begin_character(struct screen *s, uint8_t byte, unsigned *ret_columns)
{
    s->left = byte >= 0xf0 && byte < 0xf8   ? 3
              : byte >= 0xe0 && byte < 0xf0 ? 2
              : byte >= 0xc2 && byte < 0xe0 ? 1
                                            : 0;
    s->code = byte & (0x3fU >> s->left);
    return s->left > 0 ? SCREEN_BYTE_PART : show(s, 1, ret_columns);
}

static enum screen_byte
take_text(struct screen *s, uint8_t byte, unsigned *ret_columns)
{
    if (s->left > 0 && byte >= 0x80 && byte < 0xc0) {
        s->left--;
        s->code = s->code << 6 | (byte & 0x3fU);
        return s->left > 0 ? SCREEN_BYTE_PART
                           : show(s, columns_of(s->code), ret_columns);
    }
    s->left = 0;
    if (byte >= 0x80) {
        return begin_character(s, byte, ret_columns);
    }
    if (byte >= 0x20 && byte != DEL) {
        return show(s, 1, ret_columns);
    }
    take_single(s, byte);
    return SCREEN_BYTE_SINGLE;
}

/* ---- the module's face ---- */

enum screen_byte
screen_step(struct screen *s, uint8_t byte, unsigned *ret_columns)
{
    bool is_string = s->state == SCREEN_STRING || s->state == SCREEN_STRING_END;

    *ret_columns = 0;
    if (byte == ESC) {
        s->left = 0;
        s->state = is_string ? SCREEN_STRING_END : SCREEN_ESCAPE;
        return is_string ? SCREEN_BYTE_STRING : SCREEN_BYTE_INSIDE;
    }
    if (byte == 0x18 || byte == 0x1a) { /* CAN, SUB: none of it */
        s->left = 0;
        s->state = SCREEN_TEXT;
        return SCREEN_BYTE_LAST;
    }
    return s->state == SCREEN_TEXT ? take_text(s, byte, ret_columns)
                                   : go_on(s, byte);
}

void
screen_pass(struct screen *s, struct span text)
{
    unsigned columns = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        bool is_more = s->state == SCREEN_TEXT && s->left == 0 &&
                       s->line_has_text && !s->line_is_back && byte >= 0x20 &&
                       byte < DEL;

        if (!is_more) { /* most is, and changes nothing */
            (void)screen_step(s, byte, &columns);
        }
    }
}

bool
screen_is_drawn(const struct screen *s)
{
    return s->set != 0 || s->lines > 0 || s->line_is_drawn || s->line_is_back;
}

size_t
screen_columns(const struct screen *s, struct span text)
{
    struct screen copy = *s;
    size_t sum = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned columns = 0;

        (void)screen_step(&copy, text.ptr[i], &columns);
        sum += columns;
    }
    return sum;
}
