#include "redact/variants.h"

#include <string.h>

#include "base/secret.h"

enum kind {
    KIND_RAW,
    KIND_TEXT,
    KIND_HEX,
    KIND_CORE,      /* arg: alignment, with CORE_URL */
    KIND_TEXT_CORE, /* base64 of an escaped value; `align` */
    KIND_CORE2,     /* arg: alignment inside, times 4, plus that outside */
};

enum {
    CORE_URL = 4,
    HEX_UPPER = 1,
    SKIP_BYTES = 64, /* written at a time to be left out */
};

struct row {
    escape_fn escape; /* KIND_TEXT */
    unsigned int arg;
    unsigned int needs; /* traits without which the form is a repetition */
    enum kind kind;
    unsigned int align;
};

#define TEXT(fn, arg, needs) escape_##fn, (arg), (needs), KIND_TEXT, 0
#define JSON_CORE(arg, needs, align)                                           \
    escape_json, (arg), (needs), KIND_TEXT_CORE, (align)
#define CORE(arg)      NULL, (arg), 0, KIND_CORE, 0
#define CORE2(in, out) NULL, (in)*4 + (out), 0, KIND_CORE2, 0

/* clang-format off */
static const struct row ROWS[VARIANT_COUNT] = {
    [VARIANT_RAW] = {NULL, 0, 0, KIND_RAW, 0},
    [VARIANT_LF] = {TEXT(lines, LINES_LF, TRAIT_CR | TRAIT_LINES)},
    [VARIANT_CRLF] = {TEXT(lines, LINES_CRLF, TRAIT_LINES)},
    [VARIANT_TTY] = {TEXT(lines, LINES_TTY, TRAIT_CR | TRAIT_LINES)},
    [VARIANT_JOINED] = {TEXT(lines, LINES_BLANK, TRAIT_LINES)},
    [VARIANT_JSON] = {TEXT(json, JSON_PLAIN, TRAIT_JSON)},
    [VARIANT_JSON_SLASH] = {TEXT(json, JSON_SLASH, TRAIT_SLASH)},
    [VARIANT_JSON_ASCII] = {TEXT(json, JSON_ASCII, TRAIT_UTF8)},
    [VARIANT_JSON_UPPER] = {TEXT(json, JSON_ASCII | JSON_UPPER, TRAIT_UTF8)},
    [VARIANT_JSON_SLASH_ASCII] = {TEXT(json, JSON_SLASH | JSON_ASCII, TRAIT_SLASH | TRAIT_UTF8)},
    [VARIANT_JSON_HTML] = {TEXT(json, JSON_HTML, TRAIT_MARKUP)},
    [VARIANT_JSON_CONTROL] = {TEXT(json, JSON_UPPER, TRAIT_CONTROL)},
    [VARIANT_JSON2_CONTROL] = {TEXT(json, JSON_TWICE | JSON_UPPER, TRAIT_CONTROL)},
    [VARIANT_JSON_DEL] = {TEXT(json, JSON_DEL, TRAIT_DEL)},
    [VARIANT_JSON2_DEL] = {TEXT(json, JSON_TWICE | JSON_DEL, TRAIT_DEL)},
    [VARIANT_JSON2] = {TEXT(json, JSON_TWICE, TRAIT_JSON)},
    [VARIANT_JSON2_SLASH] = {TEXT(json, JSON_TWICE | JSON_SLASH, TRAIT_SLASH)},
    [VARIANT_JSON2_ASCII] = {TEXT(json, JSON_TWICE | JSON_ASCII, TRAIT_UTF8)},
    [VARIANT_JSON2_UPPER] = {TEXT(json, JSON_TWICE | JSON_ASCII | JSON_UPPER, TRAIT_UTF8)},
    [VARIANT_JSON2_SLASH_ASCII] = {TEXT(json, JSON_TWICE | JSON_SLASH | JSON_ASCII, TRAIT_SLASH | TRAIT_UTF8)},
    [VARIANT_JSON2_HTML] = {TEXT(json, JSON_TWICE | JSON_HTML, TRAIT_MARKUP)},
    [VARIANT_URL] = {TEXT(url, URL_PLAIN, TRAIT_RESERVED)},
    [VARIANT_URL_LOWER] = {TEXT(url, URL_LOWER, TRAIT_LETTERED)},
    [VARIANT_URL_PATH] = {TEXT(url, URL_PATH, TRAIT_SLASH)},
    [VARIANT_URL_MARKS] = {TEXT(url, URL_MARKS, TRAIT_MARKS)},
    [VARIANT_FORM] = {TEXT(url, URL_PLUS, TRAIT_SPACE)},
    [VARIANT_FORM_LOWER] = {TEXT(url, URL_PLUS | URL_LOWER, TRAIT_SPACE | TRAIT_LETTERED)},
    [VARIANT_FORM_WEB] = {TEXT(url, URL_PLUS | URL_FORM, TRAIT_FORM_MARKS)},
    [VARIANT_XML_TEXT] = {TEXT(table, TABLE_XML_TEXT, TRAIT_MARKUP)},
    [VARIANT_XML_ATTR] = {TEXT(table, TABLE_XML_ATTR, TRAIT_QUOTE)},
    [VARIANT_XML_ALL] = {TEXT(table, TABLE_XML_ALL, TRAIT_APOSTROPHE)},
    [VARIANT_XML_39] = {TEXT(table, TABLE_XML_39, TRAIT_APOSTROPHE)},
    [VARIANT_XML_X27] = {TEXT(table, TABLE_XML_X27, TRAIT_APOSTROPHE)},
    [VARIANT_XML_34] = {TEXT(table, TABLE_XML_34, TRAIT_QUOTE)},
    [VARIANT_SH_SINGLE] = {TEXT(table, TABLE_SH_SINGLE, TRAIT_APOSTROPHE)},
    [VARIANT_SH_PYTHON] = {TEXT(table, TABLE_SH_PYTHON, TRAIT_APOSTROPHE)},
    [VARIANT_SH_DOUBLE] = {TEXT(table, TABLE_SH_DOUBLE, TRAIT_SHELL)},
    [VARIANT_QUOTED] = {TEXT(table, TABLE_QUOTED, TRAIT_APOSTROPHE)},
    [VARIANT_HEX] = {NULL, 0, 0, KIND_HEX, 0},
    [VARIANT_HEX_UPPER] = {NULL, HEX_UPPER, 0, KIND_HEX, 0},
    [VARIANT_B64_0] = {CORE(0)},
    [VARIANT_B64_1] = {CORE(1)},
    [VARIANT_B64_2] = {CORE(2)},
    [VARIANT_URL64_0] = {CORE(0 | CORE_URL)},
    [VARIANT_URL64_1] = {CORE(1 | CORE_URL)},
    [VARIANT_URL64_2] = {CORE(2 | CORE_URL)},
    [VARIANT_B64X2_00] = {CORE2(0, 0)},
    [VARIANT_B64X2_01] = {CORE2(0, 1)},
    [VARIANT_B64X2_02] = {CORE2(0, 2)},
    [VARIANT_B64X2_10] = {CORE2(1, 0)},
    [VARIANT_B64X2_11] = {CORE2(1, 1)},
    [VARIANT_B64X2_12] = {CORE2(1, 2)},
    [VARIANT_B64X2_20] = {CORE2(2, 0)},
    [VARIANT_B64X2_21] = {CORE2(2, 1)},
    [VARIANT_B64X2_22] = {CORE2(2, 2)},
    [VARIANT_B64_JSON_0] = {JSON_CORE(JSON_PLAIN, TRAIT_JSON, 0)},
    [VARIANT_B64_JSON_1] = {JSON_CORE(JSON_PLAIN, TRAIT_JSON, 1)},
    [VARIANT_B64_JSON_2] = {JSON_CORE(JSON_PLAIN, TRAIT_JSON, 2)},
    [VARIANT_B64_ASCII_0] = {JSON_CORE(JSON_ASCII, TRAIT_UTF8, 0)},
    [VARIANT_B64_ASCII_1] = {JSON_CORE(JSON_ASCII, TRAIT_UTF8, 1)},
    [VARIANT_B64_ASCII_2] = {JSON_CORE(JSON_ASCII, TRAIT_UTF8, 2)},
    [VARIANT_B64_HTML_0] = {JSON_CORE(JSON_HTML, TRAIT_MARKUP, 0)},
    [VARIANT_B64_HTML_1] = {JSON_CORE(JSON_HTML, TRAIT_MARKUP, 1)},
    [VARIANT_B64_HTML_2] = {JSON_CORE(JSON_HTML, TRAIT_MARKUP, 2)},
};
/* clang-format on */

static const char B64[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

/* Where in the value's bits the first whole character of a core begins, when
 * 0, 1 or 2 bytes of somebody else's stand before it in the group of three. */
static const uint8_t CORE_SKIP_BITS[3] = {0, 4, 2};

static size_t
core_len(size_t raw_len, unsigned int align)
{
    size_t bits = raw_len * 8;
    size_t skip = CORE_SKIP_BITS[align];

    return bits < skip ? 0 : (bits - skip) / 6;
}

static uint8_t
sextet(uint8_t high, uint8_t low, size_t bit)
{
    unsigned int both = (unsigned int)high << 8 | low;

    return (uint8_t)(both >> (10 - bit % 8) & 63);
}

/* Character `index` of a core; a character never reaches past the value. */
static uint8_t
core_char(struct span raw, unsigned int align, unsigned int url, size_t index)
{
    size_t bit = CORE_SKIP_BITS[align] + 6 * index;
    size_t byte = bit / 8;
    uint8_t low = byte + 1 < raw.len ? raw.ptr[byte + 1] : 0;

    return (uint8_t)B64[url][sextet(raw.ptr[byte], low, bit)];
}

static uint8_t
core2_char(struct span raw, unsigned int arg, size_t index)
{
    unsigned int inner = arg / 4;
    size_t inner_len = core_len(raw.len, inner);
    size_t bit = CORE_SKIP_BITS[arg % 4] + 6 * index;
    size_t at = bit / 8;
    uint8_t low = at + 1 < inner_len ? core_char(raw, inner, 0, at + 1) : 0;

    return (uint8_t)B64[0][sextet(core_char(raw, inner, 0, at), low, bit)];
}

const char *
variant_name(enum variant form)
{
    static const char *const NAMES[VARIANT_NAMED_COUNT] = {
#define AG_VARIANT_NAME(id, name) [id] = (name),
        AG_VARIANTS(AG_VARIANT_NAME) AG_LOOKS(AG_VARIANT_NAME)
#undef AG_VARIANT_NAME
    };

    return NAMES[form];
}

bool
variant_is_look(const char *name)
{
    for (int i = VARIANT_COUNT; i < VARIANT_NAMED_COUNT; i++) {
        if (strcmp(variant_name((enum variant)i), name) == 0) {
            return true;
        }
    }
    return false;
}

void
variant_begin(struct variant_gen *gen, enum variant form, struct span raw)
{
    gen->raw = raw;
    gen->pos = 0;
    gen->form = form;
    gen->carry_len = 0;
    gen->carry_at = 0;
    gen->bits = 0;
    gen->bit_count = 0;
}

static size_t
next_raw(struct variant_gen *gen, uint8_t *out, size_t cap)
{
    size_t left = gen->raw.len - gen->pos;
    size_t len = left < cap ? left : cap;

    if (len > 0) {
        memcpy(out, gen->raw.ptr + gen->pos, len);
    }
    gen->pos += len;
    return len;
}

/* The next byte of the escaped text; false at its end. */
static bool
next_escaped(struct variant_gen *gen, uint8_t *out)
{
    const struct row *row = &ROWS[gen->form];
    size_t used;

    if (gen->carry_at == gen->carry_len) {
        if (gen->pos == gen->raw.len) {
            return false;
        }
        gen->carry_len =
            (uint8_t)row->escape(row->arg, gen->raw.ptr + gen->pos,
                                 gen->raw.len - gen->pos, gen->carry, &used);
        gen->carry_at = 0;
        gen->pos += used;
    }
    *out = gen->carry[gen->carry_at++];
    return true;
}

static size_t
next_text(struct variant_gen *gen, uint8_t *out, size_t cap)
{
    size_t len = 0;

    while (len < cap && next_escaped(gen, &out[len])) {
        len++;
    }
    return len;
}

static size_t
next_text_core(struct variant_gen *gen, uint8_t *out, size_t cap)
{
    bool at_start = gen->pos == 0;
    size_t len = 0;
    uint8_t byte;

    while (len < cap) {
        if (gen->bit_count < 6) {
            if (!next_escaped(gen, &byte)) {
                break;
            }
            gen->bits = (uint16_t)(gen->bits << 8 | byte);
            gen->bit_count = (uint8_t)(gen->bit_count + 8);
            if (at_start) {
                gen->bit_count =
                    (uint8_t)(gen->bit_count -
                              CORE_SKIP_BITS[ROWS[gen->form].align]);
                at_start = false;
            }
            continue;
        }
        gen->bit_count = (uint8_t)(gen->bit_count - 6);
        out[len++] = (uint8_t)B64[0][gen->bits >> gen->bit_count & 63];
    }
    return len;
}

static size_t
next_chars(struct variant_gen *gen, uint8_t *out, size_t cap)
{
    static const char HEX[2][17] = {"0123456789abcdef", "0123456789ABCDEF"};
    const struct row *row = &ROWS[gen->form];
    size_t left = variant_len(gen->form, gen->raw) - gen->pos;
    size_t len = left < cap ? left : cap;
    size_t i;

    for (i = 0; i < len; i++) {
        size_t at = gen->pos + i;

        if (row->kind == KIND_HEX) {
            uint8_t c = gen->raw.ptr[at / 2];

            out[i] = (uint8_t)HEX[row->arg][at % 2 == 0 ? c >> 4 : c & 15];
        } else if (row->kind == KIND_CORE) {
            out[i] = core_char(gen->raw, row->arg % CORE_URL,
                               row->arg / CORE_URL, at);
        } else {
            out[i] = core2_char(gen->raw, row->arg, at);
        }
    }
    gen->pos += len;
    return len;
}

size_t
variant_next(struct variant_gen *gen, uint8_t *out, size_t cap)
{
    switch (ROWS[gen->form].kind) {
    case KIND_RAW:
        return next_raw(gen, out, cap);
    case KIND_TEXT:
        return next_text(gen, out, cap);
    case KIND_TEXT_CORE:
        return next_text_core(gen, out, cap);
    case KIND_HEX:
    case KIND_CORE:
    case KIND_CORE2:
        return next_chars(gen, out, cap);
    }
    return 0;
}

static void
skip_written(struct variant_gen *gen, size_t len)
{
    uint8_t out[SKIP_BYTES];

    while (len > 0) {
        size_t some = len < sizeof(out) ? len : sizeof(out);

        AG_ASSERT(variant_next(gen, out, some) == some);
        len -= some;
    }
    wipe(out, sizeof(out));
}

void
variant_skip(struct variant_gen *gen, size_t len)
{
    switch (ROWS[gen->form].kind) {
    case KIND_RAW:
    case KIND_HEX:
    case KIND_CORE:
    case KIND_CORE2:
        gen->pos += len; /* counts what was written */
        break;
    case KIND_TEXT:
    case KIND_TEXT_CORE:
        skip_written(gen, len);
        break;
    }
}

static size_t
text_len(const struct row *row, struct span raw)
{
    uint8_t out[ESCAPE_OUT_MAX_BYTES];
    size_t total = 0;
    size_t pos = 0;

    while (pos < raw.len) {
        size_t used = 0;

        total +=
            row->escape(row->arg, raw.ptr + pos, raw.len - pos, out, &used);
        pos += used;
    }
    return total;
}

size_t
variant_len(enum variant form, struct span raw)
{
    const struct row *row = &ROWS[form];

    switch (row->kind) {
    case KIND_RAW:
        return raw.len;
    case KIND_TEXT:
        return text_len(row, raw);
    case KIND_TEXT_CORE:
        return core_len(text_len(row, raw), row->align);
    case KIND_HEX:
        return raw.len * 2;
    case KIND_CORE:
        return core_len(raw.len, row->arg % CORE_URL);
    case KIND_CORE2:
        return core_len(core_len(raw.len, row->arg / 4), row->arg % 4);
    }
    return 0;
}

/* The two alphabets differ in two characters only; most cores have neither. */
static bool
has_url_char(unsigned int align, struct span raw)
{
    size_t len = core_len(raw.len, align);
    size_t i;

    for (i = 0; i < len; i++) {
        uint8_t c = core_char(raw, align, 0, i);

        if (c == '+' || c == '/') {
            return true;
        }
    }
    return false;
}

bool
variant_applies(enum variant form, struct span raw, unsigned int traits)
{
    const struct row *row = &ROWS[form];

    if ((traits & row->needs) != row->needs) {
        return false;
    }
    if (row->kind == KIND_CORE && row->arg >= CORE_URL) {
        return has_url_char(row->arg % CORE_URL, raw);
    }
    return true;
}

bool
variant_is_text(enum variant form)
{
    return ROWS[form].kind == KIND_RAW || ROWS[form].kind == KIND_TEXT;
}

bool
variant_is_core(enum variant form)
{
    return ROWS[form].kind == KIND_CORE || ROWS[form].kind == KIND_CORE2 ||
           ROWS[form].kind == KIND_TEXT_CORE;
}
