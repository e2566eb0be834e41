/*
 * escape.h - the text escapes among the forms: how JSON, URLs, XML and shells
 * write one character of a value.
 * Floor: redact. Depends on: base/span.
 */
#ifndef AG_REDACT_ESCAPE_H
#define AG_REDACT_ESCAPE_H

#include "base/attr.h"
#include "base/span.h"

enum {
    ESCAPE_OUT_MAX_BYTES = 16, /* a surrogate pair in JSON in JSON takes 14 */
};

/* Properties of a value that make a form differ from the value itself. */
enum escape_trait {
    TRAIT_JSON = 1 << 0,        /* " \ or a control byte */
    TRAIT_SLASH = 1 << 1,       /* / */
    TRAIT_UTF8 = 1 << 2,        /* what writers of ASCII escape, valid UTF-8 */
    TRAIT_MARKUP = 1 << 3,      /* & < > */
    TRAIT_LINES = 1 << 4,       /* a newline inside */
    TRAIT_CR = 1 << 5,          /* a carriage return inside */
    TRAIT_RESERVED = 1 << 6,    /* anything but RFC 3986 unreserved */
    TRAIT_LETTERED = 1 << 7,    /* such a byte whose hex has a letter */
    TRAIT_SPACE = 1 << 8,       /* a blank */
    TRAIT_MARKS = 1 << 9,       /* ! ' ( ) * which encodeURIComponent keeps */
    TRAIT_FORM_MARKS = 1 << 10, /* ~ * where form encodings differ */
    TRAIT_APOSTROPHE = 1 << 11,
    TRAIT_QUOTE = 1 << 12,
    TRAIT_SHELL = 1 << 13,   /* \ " $ ` */
    TRAIT_CONTROL = 1 << 14, /* a control byte that JSON writes as \u */
    TRAIT_DEL = 1 << 15,     /* 0x7f, which some writers take for one */
};

/* All traits of `raw`, or'ed. */
unsigned int escape_traits(struct span raw);

/*
 * An escape writes the character at in[0] (`avail` > 0 bytes are there) as
 * `arg` says, sets *used to what it took of the input and returns the length
 * of what it wrote, at most ESCAPE_OUT_MAX_BYTES.
 */
typedef size_t (*escape_fn)(unsigned int arg, const uint8_t *in, size_t avail,
                            uint8_t *out, size_t *used);

enum escape_json_arg {
    JSON_PLAIN = 0,
    JSON_SLASH = 1, /* \/ */
    JSON_ASCII = 2, /* beyond ASCII as \u, and 0x7f, as Python does */
    JSON_UPPER = 4, /* its digits in upper case */
    JSON_HTML = 8,  /* < > & as \u, as Go does */
    JSON_TWICE = 16,
    JSON_DEL = 32, /* 0x7f as \u, as jq does */
};

size_t escape_json(unsigned int arg, const uint8_t *in, size_t avail,
                   uint8_t *out, size_t *used);

enum escape_url_arg {
    URL_PLAIN = 0,
    URL_LOWER = 1,
    URL_PLUS = 2,  /* blank as + */
    URL_PATH = 4,  /* / stays */
    URL_MARKS = 8, /* ! ' ( ) * stay */
    URL_FORM = 16, /* * stays, ~ does not (WHATWG form encoding) */
};

size_t escape_url(unsigned int arg, const uint8_t *in, size_t avail,
                  uint8_t *out, size_t *used);

/* One row per byte that has a replacement, ended by a NULL text. */
enum escape_table_arg {
    TABLE_XML_TEXT,  /* & < > */
    TABLE_XML_ATTR,  /* and " */
    TABLE_XML_ALL,   /* and ' as &apos; */
    TABLE_XML_39,    /* ' as &#39; */
    TABLE_XML_X27,   /* ' as &#x27; */
    TABLE_XML_34,    /* ' as &#39;, " as &#34; (Go) */
    TABLE_SH_SINGLE, /* ' as '\'' */
    TABLE_SH_PYTHON, /* ' as '"'"' */
    TABLE_SH_DOUBLE, /* \ " $ ` with a backslash */
    TABLE_QUOTED,    /* \ ' with a backslash: repr, C, JavaScript */
    TABLE_COUNT,
};

size_t escape_table(unsigned int arg, const uint8_t *in, size_t avail,
                    uint8_t *out, size_t *used);

enum escape_lines_arg {
    LINES_LF,
    LINES_CRLF,
    LINES_BLANK, /* one blank for each line end */
    LINES_TTY,   /* \r before each newline, as a terminal puts it */
};

size_t escape_lines(unsigned int arg, const uint8_t *in, size_t avail,
                    uint8_t *out, size_t *used);

#endif
