/*
 * variants.h - the forms in which a value turns up in output: one row each,
 * and a generator that writes a form piece by piece, so that no form need be
 * stored.
 * Floor: redact. Depends on: base/span, redact/escape.
 *
 * All forms here are tier P0. A base64 form is a *core*: the characters that
 * the value alone determines at one of the three alignments; those its
 * neighbours share are cut off. So value + newline, `user:value` and a larger
 * blob are covered. Sources: RFC 4648 (base64, hex), RFC 8259 (JSON), RFC 3986
 * and HTML's form encoding (percent, +), XML 1.0 section 2.4 and 4.6.
 */
#ifndef AG_REDACT_VARIANTS_H
#define AG_REDACT_VARIANTS_H

#include "base/attr.h"
#include "base/span.h"
#include "redact/escape.h"

/* clang-format off */
/* of each: its enum and its name in reports */
#define AG_VARIANTS(X)                             \
    X(VARIANT_RAW,                "raw")            \
    X(VARIANT_LF,                 "line-ends")      \
    X(VARIANT_CRLF,               "line-ends")      \
    X(VARIANT_TTY,                "line-ends")      \
    X(VARIANT_JOINED,             "joined")         \
    X(VARIANT_JSON,               "json")           \
    X(VARIANT_JSON_SLASH,         "json-slash")     \
    X(VARIANT_JSON_ASCII,         "json-ascii")     \
    X(VARIANT_JSON_UPPER,         "json-ascii")     \
    X(VARIANT_JSON_SLASH_ASCII,   "json-slash")     \
    X(VARIANT_JSON_HTML,          "json-html")      \
    X(VARIANT_JSON_CONTROL,       "json")           \
    X(VARIANT_JSON_DEL,           "json")           \
    X(VARIANT_JSON2_DEL,          "json-in-json")   \
    X(VARIANT_JSON2,              "json-in-json")   \
    X(VARIANT_JSON2_CONTROL,      "json-in-json")   \
    X(VARIANT_JSON2_SLASH,        "json-in-json")   \
    X(VARIANT_JSON2_ASCII,        "json-in-json")   \
    X(VARIANT_JSON2_UPPER,        "json-in-json")   \
    X(VARIANT_JSON2_SLASH_ASCII,  "json-in-json")   \
    X(VARIANT_JSON2_HTML,         "json-in-json")   \
    X(VARIANT_URL,                "percent")        \
    X(VARIANT_URL_LOWER,          "percent")        \
    X(VARIANT_URL_PATH,           "percent")        \
    X(VARIANT_URL_MARKS,          "percent")        \
    X(VARIANT_FORM,               "percent-plus")   \
    X(VARIANT_FORM_LOWER,         "percent-plus")   \
    X(VARIANT_FORM_WEB,           "percent-plus")   \
    X(VARIANT_XML_TEXT,           "xml")            \
    X(VARIANT_XML_ATTR,           "xml")            \
    X(VARIANT_XML_ALL,            "xml")            \
    X(VARIANT_XML_39,             "xml")            \
    X(VARIANT_XML_X27,            "xml")            \
    X(VARIANT_XML_34,             "xml")            \
    X(VARIANT_SH_SINGLE,          "shell")          \
    X(VARIANT_SH_PYTHON,          "shell")          \
    X(VARIANT_SH_DOUBLE,          "shell")          \
    X(VARIANT_QUOTED,             "quoted")         \
    X(VARIANT_HEX,                "hex")            \
    X(VARIANT_HEX_UPPER,          "hex")            \
    X(VARIANT_B64_0,              "base64")         \
    X(VARIANT_B64_1,              "base64")         \
    X(VARIANT_B64_2,              "base64")         \
    X(VARIANT_URL64_0,            "base64url")      \
    X(VARIANT_URL64_1,            "base64url")      \
    X(VARIANT_URL64_2,            "base64url")      \
    X(VARIANT_B64X2_00,           "base64-twice")   \
    X(VARIANT_B64X2_01,           "base64-twice")   \
    X(VARIANT_B64X2_02,           "base64-twice")   \
    X(VARIANT_B64X2_10,           "base64-twice")   \
    X(VARIANT_B64X2_11,           "base64-twice")   \
    X(VARIANT_B64X2_12,           "base64-twice")   \
    X(VARIANT_B64X2_20,           "base64-twice")   \
    X(VARIANT_B64X2_21,           "base64-twice")   \
    X(VARIANT_B64X2_22,           "base64-twice")   \
    X(VARIANT_B64_JSON_0,         "base64-json")    \
    X(VARIANT_B64_JSON_1,         "base64-json")    \
    X(VARIANT_B64_JSON_2,         "base64-json")    \
    X(VARIANT_B64_ASCII_0,        "base64-json")    \
    X(VARIANT_B64_ASCII_1,        "base64-json")    \
    X(VARIANT_B64_ASCII_2,        "base64-json")    \
    X(VARIANT_B64_HTML_0,         "base64-json")    \
    X(VARIANT_B64_HTML_1,         "base64-json")    \
    X(VARIANT_B64_HTML_2,         "base64-json")

/* What else a hole may be named after: no forms that could be written, but ways
 * to look at the text (fragments.h, view.h). */
#define AG_LOOKS(X)                                \
    X(VARIANT_FRAGMENT,           "fragment")       \
    X(VARIANT_ANSI,               "ansi")           \
    X(VARIANT_ESCAPED,            "escaped")        \
    X(VARIANT_MAIL,               "quoted-printable") \
    X(VARIANT_HEXDUMP,            "hexdump")

/* clang-format on */

enum variant {
#define AG_VARIANT_ENUM(id, name) id,
    AG_VARIANTS(AG_VARIANT_ENUM) VARIANT_COUNT, /* of forms */
    VARIANT_LOOKS_BEGIN = VARIANT_COUNT - 1,
    AG_LOOKS(AG_VARIANT_ENUM)
#undef AG_VARIANT_ENUM
    VARIANT_NAMED_COUNT, /* of all that have a name */
};

enum {
    /* The longest output for one input byte: JSON in JSON, "\\u0001". */
    VARIANT_GROWTH_MAX = 7,
};

/* The name a report uses, e.g. "base64". Several forms share one. Static. */
const char *variant_name(enum variant form);

/*
 * Writes one form of one value, piece by piece. Fields are the module's own.
 */
struct variant_gen {
    struct span raw;
    size_t pos; /* in raw, or of the next character of a base64 form */
    enum variant form;
    uint16_t bits; /* base64 of an escaped text: bits not yet written */
    uint8_t bit_count;
    uint8_t carry_len; /* an escape that did not fit the last piece */
    uint8_t carry_at;
    uint8_t carry[ESCAPE_OUT_MAX_BYTES];
};

/* `raw` is borrowed as long as the generator is used. */
AG_NONNULL void variant_begin(struct variant_gen *gen, enum variant form,
                              struct span raw);

/* The next bytes of the form, at most `cap`; fewer only at its end, then 0. */
AG_NONNULL size_t variant_next(struct variant_gen *gen, uint8_t *out,
                               size_t cap);

/* Leaves out the next `len` bytes, which must be there. */
AG_NONNULL void variant_skip(struct variant_gen *gen, size_t len);

/* Length of the whole form. */
size_t variant_len(enum variant form, struct span raw);

/*
 * False when the form of `raw` does not exist (JSON in ASCII of bytes that are
 * not UTF-8, line ends where there are none) or is the same as an earlier row
 * (JSON of a value without anything to escape). Some that are the same still
 * pass; whoever collects forms compares them. `traits` is escape_traits(raw).
 */
bool variant_applies(enum variant form, struct span raw, unsigned int traits);

/* Forms of text, as opposed to those of bytes (hex, base64). */
bool variant_is_text(enum variant form);

/* Cores of base64: what stands around them belongs to the same word. */
bool variant_is_core(enum variant form);

/* Is this the name of a way to look, not of a form? */
AG_NONNULL bool variant_is_look(const char *name);

#endif
