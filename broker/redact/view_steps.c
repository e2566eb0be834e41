#include "redact/view_steps.h"

#include <string.h>

enum {
    SEQUENCE_MAX_BYTES = 32, /* of CSI; longer is none */
    INDENT_MAX_BYTES = 64,   /* behind a line's end */
    ESC = 0x1b,
    DEL = 0x7f,
};

/* What is under way, in the lowest bits of a carry; a count is above them. */
enum carried {
    CARRY_NONE,
    CARRY_ESC,
    CARRY_CSI,
    CARRY_CHARSET,
    CARRY_INDENT,
};

enum {
    CARRY_COUNT_SHIFT = 3,
};

static const struct step MORE = {.kind = STEP_MORE};

static struct step
drop(size_t used)
{
    return (struct step){.kind = STEP_TEXT, .used = used};
}

static struct step
byte_step(size_t used, uint8_t c)
{
    return (struct step){
        .kind = STEP_TEXT, .used = used, .out_len = 1, .out = {c}};
}

static struct step
same(const struct step_text *t, ptrdiff_t at)
{
    return byte_step(1, (uint8_t)step_peek(t, at, 0));
}

static int
peek(const struct step_text *t, ptrdiff_t at, size_t ahead)
{
    return step_peek(t, at, ahead);
}

/* Where the text ends: it must be told without what follows, or can't. */
static struct step
at_end_or_more(const struct step_text *t, struct step step)
{
    return t->is_at_end ? step : MORE;
}

/* ---- what goes on over a part's end ---- */

/* Within a sequence terminals pass over DEL. */
static bool
is_carried_on(unsigned int *carry, int c)
{
    unsigned int count = *carry >> CARRY_COUNT_SHIFT;

    switch ((enum carried)(*carry & ((1U << CARRY_COUNT_SHIFT) - 1))) {
    case CARRY_ESC:
        if (c == DEL) {
            return true;
        }
        *carry = CARRY_NONE;
        if (c == '[') {
            *carry = CARRY_CSI;
        } else if (c == '(' || c == ')') {
            *carry = CARRY_CHARSET;
        }
        return c >= ' ';
    case CARRY_CHARSET:
        *carry = c == DEL ? *carry : CARRY_NONE;
        return c >= ' ';
    case CARRY_CSI:
        if (((c >= 0x20 && c <= 0x3f) || c == DEL) &&
            count < SEQUENCE_MAX_BYTES) {
            *carry += 1U << CARRY_COUNT_SHIFT;
            return true;
        }
        *carry = CARRY_NONE;
        return c >= 0x40 && c < DEL;
    case CARRY_INDENT:
        if ((c == ' ' || c == '\t') && count < INDENT_MAX_BYTES) {
            *carry += 1U << CARRY_COUNT_SHIFT;
            return true;
        }
        *carry = CARRY_NONE;
        return false;
    case CARRY_NONE:
        break;
    }
    return false;
}

/* What of the text from text[at + used] on is carried on goes with the step. */
static struct step
with_carried(const struct step_text *t, ptrdiff_t at, struct step step,
             unsigned int *carry)
{
    while (*carry != CARRY_NONE && step.used < STEP_MAX_BYTES) {
        int c = step_peek(t, at, step.used);

        if (c < 0 || !is_carried_on(carry, c)) {
            break;
        }
        step.used++;
    }
    return step;
}

static struct step
drop_and_carry(const struct step_text *t, ptrdiff_t at, size_t used,
               unsigned int *carry, enum carried what)
{
    *carry = (unsigned int)what;
    return with_carried(t, at, drop(used), carry);
}

/* Is text[at] what is carried on? Then it, and more, is dropped in *ret. */
static bool
goes_on(const struct step_text *t, ptrdiff_t at, unsigned int *carry,
        struct step *ret)
{
    if (*carry == CARRY_NONE) {
        return false;
    }
    *ret = with_carried(t, at, drop(0), carry);
    return ret->used > 0;
}

/* ---- what is shown ---- */

/* Do three bytes, of which the first two may, begin such a character? */
static bool
takes_no_room(int first, int second, int third)
{
    if (first == 0xef) {
        return third == 0xbf;
    }
    if (second == 0x80) {
        return (third >= 0x8b && third <= 0x8f) ||
               (third >= 0xaa && third <= 0xae);
    }
    return third >= 0xa0 && third <= 0xa4;
}

/* UTF-8 of a character that takes no room: soft hyphen, U+200B to U+200F,
 * U+202A to U+202E, U+2060 to U+2064, U+FEFF. */
static struct step
zero_width(const struct step_text *t, ptrdiff_t at)
{
    int first = peek(t, at, 0);
    int second = peek(t, at, 1);
    int third = peek(t, at, 2);

    if (second < 0) {
        return at_end_or_more(t, same(t, at));
    }
    if (first == 0xc2) {
        return second == 0xad ? drop(2) : same(t, at);
    }
    if (!step_may_be_zero_width(first, second)) {
        return same(t, at);
    }
    if (third < 0) {
        return at_end_or_more(t, same(t, at));
    }
    return takes_no_room(first, second, third) ? drop(3) : same(t, at);
}

struct step
step_shown(const struct step_text *t, ptrdiff_t at, unsigned int *carry)
{
    struct step step;

    if (goes_on(t, at, carry, &step)) {
        return step;
    }
    switch (peek(t, at, 0)) {
    case '\0':
    case '\a':
    case '\r':
        return drop(1);
    case '\b':
        return (struct step){.kind = STEP_ERASE, .used = 1};
    case '\n':
        return drop_and_carry(t, at, 1, carry, CARRY_INDENT);
    case ESC:
        return drop_and_carry(t, at, 1, carry, CARRY_ESC);
    case 0xc2:
    case 0xe2:
    case 0xef:
        return zero_width(t, at);
    default:
        return same(t, at);
    }
}

/* The length of a line's end behind `skip` bytes; 0: there is none. */
static size_t
line_end(const struct step_text *t, ptrdiff_t at, size_t skip)
{
    if (peek(t, at, skip) == '\n') {
        return 1;
    }
    return peek(t, at, skip) == '\r' && peek(t, at, skip + 1) == '\n' ? 2 : 0;
}

/* A mark, and no line's end behind it as far as can be told. */
static struct step
no_line_end(const struct step_text *t, ptrdiff_t at)
{
    if (peek(t, at, 1) < 0 || (peek(t, at, 1) == '\r' && peek(t, at, 2) < 0)) {
        return at_end_or_more(t, same(t, at));
    }
    return same(t, at);
}

/* ---- escapes ---- */

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

struct number {
    size_t len;
    uint32_t value;
    bool may_go_on; /* the text ends here */
};

/* Up to `most` digits behind `skip` bytes. */
static struct number
number_at(const struct step_text *t, ptrdiff_t at, size_t skip, int base,
          size_t most)
{
    struct number n = {0};

    while (n.len < most) {
        int c = peek(t, at, skip + n.len);
        int d = digit(c);

        n.may_go_on = c < 0 && !t->is_at_end;
        if (c < 0 || d < 0 || d >= base) {
            break;
        }
        n.value = n.value * (uint32_t)base + (uint32_t)d;
        n.len++;
    }
    return n;
}

static struct step
character(size_t used, uint32_t c)
{
    struct step step = {.kind = STEP_TEXT, .used = used};

    if (c < 0x80) {
        return byte_step(used, (uint8_t)c);
    }
    if (c < 0x800) {
        step.out[0] = (uint8_t)(0xc0 | c >> 6);
        step.out[1] = (uint8_t)(0x80 | (c & 0x3f));
        step.out_len = 2;
    } else if (c < 0x10000) {
        step.out[0] = (uint8_t)(0xe0 | c >> 12);
        step.out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        step.out[2] = (uint8_t)(0x80 | (c & 0x3f));
        step.out_len = 3;
    } else {
        step.out[0] = (uint8_t)(0xf0 | (c >> 18 & 7));
        step.out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        step.out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        step.out[3] = (uint8_t)(0x80 | (c & 0x3f));
        step.out_len = 4;
    }
    return step;
}

/* \uXXXX, of which two may be one character. */
static struct step
unicode(const struct step_text *t, ptrdiff_t at)
{
    struct number high = number_at(t, at, 2, 16, 4);
    struct number low;

    if (high.len < 4) {
        return high.may_go_on ? MORE : byte_step(2, 'u');
    }
    if (high.value < 0xd800 || high.value > 0xdbff) {
        return character(6, high.value);
    }
    if (peek(t, at, 6) < 0 || (peek(t, at, 6) == '\\' && peek(t, at, 7) < 0)) {
        return at_end_or_more(t, character(6, high.value));
    }
    if (peek(t, at, 6) != '\\' || peek(t, at, 7) != 'u') {
        return character(6, high.value);
    }
    low = number_at(t, at, 8, 16, 4);
    if (low.may_go_on) {
        return MORE;
    }
    if (low.len < 4 || low.value < 0xdc00 || low.value > 0xdfff) {
        return character(6, high.value);
    }
    return character(12, 0x10000 + ((high.value - 0xd800) << 10) +
                             (low.value - 0xdc00));
}

static struct step
backslash(const struct step_text *t, ptrdiff_t at, unsigned int *carry)
{
    static const char NAMES[] = "abefnrtv";
    static const char BYTES[] = "\a\b\x1b\f\n\r\t\v";
    int c = peek(t, at, 1);
    struct number n;
    const char *name;

    if (line_end(t, at, 1) > 0) {
        return drop_and_carry(t, at, 1 + line_end(t, at, 1), carry,
                              CARRY_INDENT);
    }
    if (c < 0 || c == '\r') {
        return no_line_end(t, at);
    }
    if (c == 'u') {
        return unicode(t, at);
    }
    if (c == 'x') {
        n = number_at(t, at, 2, 16, 2);
        if (n.may_go_on) {
            return MORE;
        }
        return n.len == 2 ? byte_step(4, (uint8_t)n.value) : byte_step(2, 'x');
    }
    if (c >= '0' && c <= '3') {
        n = number_at(t, at, 1, 8, 3);
        if (n.may_go_on) {
            return MORE;
        }
        return byte_step(1 + n.len, (uint8_t)n.value);
    }
    name = strchr(NAMES, c);
    if (name != NULL && c != 0) {
        return byte_step(2, (uint8_t)BYTES[name - NAMES]);
    }
    return byte_step(2, (uint8_t)c);
}

static struct step
percent(const struct step_text *t, ptrdiff_t at)
{
    struct number n = number_at(t, at, 1, 16, 2);

    if (n.may_go_on) {
        return MORE;
    }
    return n.len == 2 ? byte_step(3, (uint8_t)n.value) : same(t, at);
}

/* &#…; and &#x…; */
static struct step
numeric_entity(const struct step_text *t, ptrdiff_t at)
{
    bool is_hex = (peek(t, at, 2) | 0x20) == 'x' && peek(t, at, 2) > 0;
    size_t skip = is_hex ? 3 : 2;
    struct number n = number_at(t, at, skip, is_hex ? 16 : 10, 7);

    if (n.may_go_on || peek(t, at, skip + n.len) < 0) {
        return at_end_or_more(t, same(t, at));
    }
    if (n.len == 0 || peek(t, at, skip + n.len) != ';') {
        return same(t, at);
    }
    return character(skip + n.len + 1, n.value);
}

static struct step
entity(const struct step_text *t, ptrdiff_t at)
{
    static const struct {
        const char *name;
        uint8_t byte;
    } ROWS[] = {{"amp;", '&'},    {"lt;", '<'},     {"gt;", '>'},
                {"quot;", '"'},   {"apos;", '\''},  {"sol;", '/'},
                {"plus;", '+'},   {"equals;", '='}, {"lowbar;", '_'},
                {"period;", '.'}, {"colon;", ':'},  {"commat;", '@'},
                {"nbsp;", ' '}};

    size_t i;

    if (peek(t, at, 1) == '#') {
        return numeric_entity(t, at);
    }
    for (i = 0; i < AG_COUNT(ROWS); i++) {
        size_t len = 0;

        while (ROWS[i].name[len] != '\0' &&
               peek(t, at, 1 + len) == ROWS[i].name[len]) {
            len++;
        }
        if (ROWS[i].name[len] == '\0') {
            return byte_step(1 + len, ROWS[i].byte);
        }
        if (peek(t, at, 1 + len) < 0) {
            return at_end_or_more(t, same(t, at));
        }
    }
    return same(t, at);
}

struct step
step_unescaped(const struct step_text *t, ptrdiff_t at, unsigned int *carry)
{
    struct step step;

    if (goes_on(t, at, carry, &step)) {
        return step;
    }
    switch (peek(t, at, 0)) {
    case '\\':
        return backslash(t, at, carry);
    case '%':
        return percent(t, at);
    case '&':
        return entity(t, at);
    default:
        return same(t, at);
    }
}

struct step
step_mail(const struct step_text *t, ptrdiff_t at, unsigned int *carry)
{
    struct number n;
    size_t i;

    *carry = 0; /* a step is whole */
    if (peek(t, at, 0) != '=') {
        return same(t, at);
    }
    n = number_at(t, at, 1, 16, 2);
    for (i = 1; i <= n.len; i++) {
        if (peek(t, at, i) >= 'a') {
            return same(t, at); /* digits are in upper case */
        }
    }
    if (n.may_go_on) {
        return MORE;
    }
    if (n.len == 2) {
        return byte_step(3, (uint8_t)n.value);
    }
    if (line_end(t, at, 1) > 0) {
        return drop(1 + line_end(t, at, 1));
    }
    return no_line_end(t, at);
}
