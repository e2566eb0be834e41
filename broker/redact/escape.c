#include "redact/escape.h"

#include <string.h>

#include "base/parse.h"

static const char LOWER[] = "0123456789abcdef";
static const char UPPER[] = "0123456789ABCDEF";

static bool
is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static bool
is_in(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

/* Bytes whose presence is a trait. */
static const struct {
    const char *bytes;
    unsigned int trait;
} TRAITS[] = {
    {"\"\\", TRAIT_JSON},   {"/", TRAIT_SLASH},       {"&<>", TRAIT_MARKUP},
    {"\n", TRAIT_LINES},    {"\r", TRAIT_CR},         {" ", TRAIT_SPACE},
    {"!'()*", TRAIT_MARKS}, {"~*", TRAIT_FORM_MARKS}, {"'", TRAIT_APOSTROPHE},
    {"\"", TRAIT_QUOTE},    {"\\\"$`", TRAIT_SHELL},
};

static unsigned int
traits_of_byte(uint8_t c)
{
    unsigned int traits = 0;
    size_t i;

    if (is_unreserved(c) && c != '~') {
        return 0; /* most bytes */
    }
    for (i = 0; i < AG_COUNT(TRAITS); i++) {
        traits |= is_in(c, TRAITS[i].bytes) ? TRAITS[i].trait : 0U;
    }
    if (c < 0x20) {
        traits |= TRAIT_JSON;
        traits |= is_in(c, "\b\f\n\r\t") ? 0U : TRAIT_CONTROL;
    }
    traits |= c == 0x7f ? TRAIT_DEL : 0U;
    if (c != '~') {
        traits |= TRAIT_RESERVED;
        traits |= c >> 4 > 9 || (c & 15) > 9 ? TRAIT_LETTERED : 0U;
    }
    return traits;
}

unsigned int
escape_traits(struct span raw)
{
    unsigned int traits = 0;
    uint8_t high = 0;
    size_t i;

    for (i = 0; i < raw.len; i++) {
        traits |= traits_of_byte(raw.ptr[i]);
        high |= raw.ptr[i];
    }
    if (((high & 0x80) != 0 || (traits & TRAIT_DEL) != 0) &&
        parse_is_utf8(raw)) {
        traits |= TRAIT_UTF8;
    }
    return traits;
}

/* The character at in[0]; a broken sequence is one byte, as itself. */
static uint32_t
utf8_char(const uint8_t *in, size_t avail, size_t *used)
{
    static const uint8_t LEADS[] = {0xc0, 0xe0, 0xf0, 0xf8};
    uint32_t c = in[0];
    size_t len;
    size_t i;

    *used = 1;
    for (len = 2; len <= 4; len++) {
        if ((in[0] & LEADS[len - 1]) == LEADS[len - 2]) {
            break;
        }
    }
    if (c < 0x80 || len > 4 || avail < len) {
        return c;
    }
    c = in[0] & (0x7fU >> len);
    for (i = 1; i < len; i++) {
        c = c << 6 | (in[i] & 0x3fU);
    }
    *used = len;
    return c;
}

static size_t
put_u(uint32_t unit, unsigned int arg, uint8_t *out)
{
    const char *digits = (arg & JSON_UPPER) != 0 ? UPPER : LOWER;
    int i;

    out[0] = '\\';
    out[1] = 'u';
    for (i = 0; i < 4; i++) {
        out[2 + i] = (uint8_t)digits[unit >> (12 - 4 * i) & 15];
    }
    return 6;
}

static size_t
put_short(uint8_t c, unsigned int arg, uint8_t *out)
{
    static const char FROM[] = "\"\\\b\f\n\r\t";
    static const char TO[] = "\"\\bfnrt";
    const char *at = c == 0 ? NULL : strchr(FROM, c);

    if (at == NULL) {
        return put_u(c, arg, out);
    }
    out[0] = '\\';
    out[1] = (uint8_t)TO[at - FROM];
    return 2;
}

static size_t
json_once(unsigned int arg, const uint8_t *in, size_t avail, uint8_t *out,
          size_t *used)
{
    uint8_t c = in[0];
    uint32_t code;

    *used = 1;
    if (c < 0x20 || c == '"' || c == '\\') {
        return put_short(c, arg, out);
    }
    if (c == '/' && (arg & JSON_SLASH) != 0) {
        out[0] = '\\';
        out[1] = '/';
        return 2;
    }
    if (is_in(c, "<>&") && (arg & JSON_HTML) != 0) {
        return put_u(c, arg, out);
    }
    if (c == 0x7f && (arg & (JSON_ASCII | JSON_DEL)) != 0) {
        return put_u(c, arg, out);
    }
    if (c < 0x80 || (arg & JSON_ASCII) == 0) {
        out[0] = c;
        return 1;
    }
    code = utf8_char(in, avail, used);
    if (code < 0x10000) {
        return put_u(code, arg, out);
    }
    code -= 0x10000;
    (void)put_u(0xd800 + (code >> 10 & 0x3ff), arg, out);
    return 6 + put_u(0xdc00 + (code & 0x3ff), arg, out + 6);
}

size_t
escape_json(unsigned int arg, const uint8_t *in, size_t avail, uint8_t *out,
            size_t *used)
{
    uint8_t once[ESCAPE_OUT_MAX_BYTES];
    size_t once_len;
    size_t len = 0;
    size_t i;

    if ((arg & JSON_TWICE) == 0) {
        return json_once(arg, in, avail, out, used);
    }
    once_len = json_once(arg, in, avail, once, used);
    for (i = 0; i < once_len; i++) {
        size_t one = 0;

        /* What is beyond ASCII now was meant to stay so. */
        len += json_once(arg & (JSON_SLASH | JSON_HTML), once + i, 1, out + len,
                         &one);
    }
    return len;
}

size_t
escape_url(unsigned int arg, const uint8_t *in, size_t avail, uint8_t *out,
           size_t *used)
{
    const char *digits = (arg & URL_LOWER) != 0 ? LOWER : UPPER;
    uint8_t c = in[0];
    bool stays = is_unreserved(c);

    (void)avail;
    *used = 1;
    if ((arg & URL_FORM) != 0) {
        stays = (stays && c != '~') || c == '*';
    }
    stays = stays || (c == '/' && (arg & URL_PATH) != 0) ||
            (is_in(c, "!'()*") && (arg & URL_MARKS) != 0);
    if (stays) {
        out[0] = c;
        return 1;
    }
    if (c == ' ' && (arg & URL_PLUS) != 0) {
        out[0] = '+';
        return 1;
    }
    out[0] = '%';
    out[1] = (uint8_t)digits[c >> 4];
    out[2] = (uint8_t)digits[c & 15];
    return 3;
}

struct swap {
    uint8_t from;
    const char *to;
};

enum {
    SWAPS_MAX_COUNT = 6, /* five entities and the end */
};

static const struct swap SWAPS[TABLE_COUNT][SWAPS_MAX_COUNT] = {
    [TABLE_XML_TEXT] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}},
    [TABLE_XML_ATTR] = {{'&', "&amp;"},
                        {'<', "&lt;"},
                        {'>', "&gt;"},
                        {'"', "&quot;"}},
    [TABLE_XML_ALL] = {{'&', "&amp;"},
                       {'<', "&lt;"},
                       {'>', "&gt;"},
                       {'"', "&quot;"},
                       {'\'', "&apos;"}},
    [TABLE_XML_39] = {{'&', "&amp;"},
                      {'<', "&lt;"},
                      {'>', "&gt;"},
                      {'"', "&quot;"},
                      {'\'', "&#39;"}},
    [TABLE_XML_X27] = {{'&', "&amp;"},
                       {'<', "&lt;"},
                       {'>', "&gt;"},
                       {'"', "&quot;"},
                       {'\'', "&#x27;"}},
    [TABLE_XML_34] = {{'&', "&amp;"},
                      {'<', "&lt;"},
                      {'>', "&gt;"},
                      {'"', "&#34;"},
                      {'\'', "&#39;"}},
    [TABLE_SH_SINGLE] = {{'\'', "'\\''"}},
    [TABLE_SH_PYTHON] = {{'\'', "'\"'\"'"}},
    [TABLE_SH_DOUBLE] = {{'\\', "\\\\"},
                         {'"', "\\\""},
                         {'$', "\\$"},
                         {'`', "\\`"}},
    [TABLE_QUOTED] = {{'\\', "\\\\"}, {'\'', "\\'"}, {'\n', "\\n"}},
};

size_t
escape_table(unsigned int arg, const uint8_t *in, size_t avail, uint8_t *out,
             size_t *used)
{
    const struct swap *swap;

    (void)avail;
    *used = 1;
    for (swap = SWAPS[arg]; swap->to != NULL; swap++) {
        if (swap->from == in[0]) {
            size_t len = strlen(swap->to);

            memcpy(out, swap->to, len);
            return len;
        }
    }
    out[0] = in[0];
    return 1;
}

size_t
escape_lines(unsigned int arg, const uint8_t *in, size_t avail, uint8_t *out,
             size_t *used)
{
    static const char *const ENDS[] = {[LINES_LF] = "\n",
                                       [LINES_CRLF] = "\r\n",
                                       [LINES_BLANK] = " ",
                                       [LINES_TTY] = "\r\n"};
    size_t len;

    *used = 1;
    if (in[0] == '\r' && avail > 1 && in[1] == '\n' && arg != LINES_TTY) {
        *used = 2;
    } else if (in[0] != '\n') {
        out[0] = in[0];
        return 1;
    }
    len = strlen(ENDS[arg]);
    memcpy(out, ENDS[arg], len);
    return len;
}
