#include "redact/rule_gate.h"

#include <string.h>

#include "base/cpu.h"
#include "redact/lanes.h"

enum {
    SEEN_BYTES = 64, /* of what follows a keyword: a bit each */
    NAME_MAX_BYTES = 36,
    CLOSING_MAX_BYTES = 11,
    TAG_MAX_BYTES = 48,
    QUOTED_MAX_BYTES = 20,
    RUN_BYTES = 24,
    RUN_BEHIND_BYTES = 20,
    VALUE_BEHIND_BYTES = 27,
};

const char *const RULE_GATE_NAMES[] = {"none", "sign",  "tag", "quote",
                                       "run",  "value", NULL};

/* What vendors' names for their keys say of them. */
static const char *const VALUE_WORDS[] = {
    "key", "token", "secret", "access", "auth",    "pass",    "private", "pat",
    "sid", "api",   "cred",   "client", "licence", "license", NULL};

/* What follows a keyword. A byte that has not come may be any: its bit is set in
 * `missing`. */
struct behind {
    uint8_t text[SEEN_BYTES];
    uint64_t missing;
};

/* ---- kinds of bytes ---- */

static inline lanes
run_in(lanes c) /* \w - */
{
    const int8_t letter = 'a' - INT8_MIN - 256;

    return ((c >= '0') & (c <= '9')) | (((c | 0x20) - letter) < INT8_MIN + 26) |
           (c == '_') | (c == '-');
}

static inline lanes
value_in(lanes c)
{
    return run_in(c) | (c == '.') | (c == '+') | (c == '/');
}

static inline lanes
quote_in(lanes c)
{
    return (c == '"') | (c == '\'');
}

static inline lanes
before_value_in(lanes c)
{
    return quote_in(c) | (c == ' ') | ((c >= '\t') & (c <= '\r')) | (c == '=') |
           (c == ':') | (c == '>') | (c == ',') | (c == '(') | (c == '`');
}

static inline lanes
angle_in(lanes c)
{
    return c == '>';
}

/* Those that are, or may be. Inlined, with what `is_in` is. */
AG_EACH_CPU uint64_t
bits(const struct behind *b, lanes (*is_in)(lanes))
{
    uint64_t result = b->missing;

    for (unsigned i = 0; i < SEEN_BYTES; i += LANES) {
        lanes c;

        memcpy(&c, b->text + i, sizeof(c));
        result |= lanes_bits(is_in(c)) << i;
    }
    return result;
}

static bool
is_name(uint8_t c)
{
    uint8_t lower = c | 0x20;

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_closing(uint8_t c)
{
    return is_blank(c) || c == '\\' || c == '"' || c == '\'' || c == ']' ||
           c == ')';
}

static bool
is_sign(uint8_t c)
{
    return (c >= '<' && c <= '?') || c == ':' || c == ',' || c == '|';
}

/* ---- gates ---- */

static inline bool
is_missing(const struct behind *b, unsigned at)
{
    return (b->missing >> at & 1) != 0;
}

/* No byte is of two of the steps, so there is one way to read them. In most text
 * the first bytes tell. */
static bool
has_sign(const struct behind *b)
{
    unsigned at = 0;
    unsigned name;

    while (at < NAME_MAX_BYTES && !is_missing(b, at) && is_name(b->text[at])) {
        at++;
    }
    name = at;
    while (at - name < CLOSING_MAX_BYTES && !is_missing(b, at) &&
           is_closing(b->text[at])) {
        at++;
    }
    return is_missing(b, at) || is_sign(b->text[at]);
}

static bool
has_tag(const struct behind *b)
{
    return bits(b, angle_in) << (SEEN_BYTES - 1 - TAG_MAX_BYTES) != 0;
}

static bool
has_quote(const struct behind *b)
{
    uint64_t quotes = bits(b, quote_in)
                          << (SEEN_BYTES - 1 - QUOTED_MAX_BYTES) >>
                      (SEEN_BYTES - 1 - QUOTED_MAX_BYTES);
    unsigned at;

    if (quotes == 0) {
        return false;
    }
    at = (unsigned)__builtin_ctzll(quotes) + 1;
    return is_missing(b, at) || is_blank(b->text[at]);
}

/* Where sixteen bits follow each other, the first of them stays. */
static inline uint64_t
sixteen(uint64_t bits)
{
    bits &= bits >> 1;
    bits &= bits >> 2;
    bits &= bits >> 4;
    return bits & bits >> 8;
}

static bool
has_run(const struct behind *b)
{
    uint64_t from = sixteen(bits(b, run_in));

    from &= from >> (RUN_BYTES - 16);
    return from << (SEEN_BYTES - 1 - RUN_BEHIND_BYTES) != 0;
}

static bool
has_value(const struct behind *b, uint64_t from)
{
    from &= bits(b, before_value_in) << 1;
    return from << (SEEN_BYTES - 1 - VALUE_BEHIND_BYTES) != 0;
}

const char *const *
rule_gate_words(enum rule_gate gate)
{
    return gate == RULE_GATE_VALUE ? VALUE_WORDS : NULL;
}

/* `from`: where there are runs that may be a value. */
static bool
is_open(enum rule_gate gate, const struct behind *b, uint64_t from)
{
    switch (gate) {
    case RULE_GATE_SIGN:
        return has_sign(b);
    case RULE_GATE_TAG:
        return has_tag(b);
    case RULE_GATE_QUOTE:
        return has_quote(b);
    case RULE_GATE_RUN:
        return from != 0 && has_run(b);
    case RULE_GATE_VALUE:
        return from != 0 && has_value(b, from);
    case RULE_GATE_NONE:
    case RULE_GATE_COUNT:
        break;
    }
    return false;
}

unsigned
rule_gate_open(unsigned gates, struct span text)
{
    struct behind b = {.missing = 0};
    size_t len = text.len < SEEN_BYTES ? text.len : (size_t)SEEN_BYTES;
    unsigned open = 0;
    uint64_t from;

    if (len < SEEN_BYTES) {
        b.missing = ~0ULL << len;
    }
    if (len > 0) {
        memcpy(b.text, text.ptr, len);
    }
    from = sixteen(bits(&b, value_in));
    for (; gates != 0; gates &= gates - 1) {
        enum rule_gate gate = (enum rule_gate)__builtin_ctz(gates);

        open |= is_open(gate, &b, from) ? 1U << gate : 0;
    }
    return open;
}
