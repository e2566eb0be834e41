#include "redact/rule_score.h"

#include <string.h>
#include <strings.h>

#include "redact/rule_words.h"

enum {
    FRACTION_BITS = 16,
    PIECE_CHARS = 2,
    DISTINCT_MIN_COUNT = 4, /* "xxxx-xxxx", "0000", "****" have fewer */
};

static struct span
clip(struct span text)
{
    return span_sub(text, 0, RULE_SCORE_MAX_BYTES);
}

/* log2 of n >= 1, with 16 bits behind the point, a bit a squaring. */
static uint64_t
log2_of(uint64_t n)
{
    uint64_t whole = 63 - (uint64_t)__builtin_clzll(n);
    uint64_t x = n << 31 >> whole; /* 1.0 .. 2.0 with 31 bits */
    uint64_t result = whole;

    for (int i = 0; i < FRACTION_BITS; i++) {
        x = x * x >> 31;
        result <<= 1;
        if (x >> 32 != 0) {
            x >>= 1;
            result |= 1;
        }
    }
    return result;
}

uint32_t
rule_score_entropy(struct span text)
{
    uint64_t counts[256] = {0};
    uint64_t sum = 0;

    text = clip(text);
    if (text.len == 0) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        counts[text.ptr[i]]++;
    }
    for (size_t i = 0; i < 256; i++) {
        sum += counts[i] == 0 ? 0 : counts[i] * log2_of(counts[i]);
    }
    /* H = log n - (sum of c log c) / n */
    return (uint32_t)((log2_of(text.len) - sum / text.len) * 100 >>
                      FRACTION_BITS);
}

static bool
is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

uint32_t
rule_score_efficiency(struct span text)
{
    size_t pieces_x2 = 0; /* halves: a single character is half a piece */
    size_t at = 0;

    text = clip(text);
    if (text.len == 0) {
        return 0;
    }
    while (at < text.len) {
        size_t word = is_letter(text.ptr[at])
                          ? rule_words_longest(span_sub(text, at, text.len))
                          : 0;

        at += word > 0 ? word : 1;
        pieces_x2 += word > 0 ? PIECE_CHARS : 1;
    }
    return (uint32_t)(text.len * 100 * PIECE_CHARS / pieces_x2);
}

/* ---- placeholders ---- */

/* At the start: names of where the value is to be had. */
static const char *const REFERENCES[] = {
    "${",     "$(",        "{{",       "<%",       "<",           "%(",
    "%{",     "#{",        "[",        "...",      "process.env", "os.environ",
    "os.get", "getenv",    "env.",     "secrets.", "vault:",      "ag://",
    "op://",  "data.",     "var.",     "config.",  "self.",       "this.",
    "null",   "undefined", "none",     "true",     "false",       "function",
    "@env",   "!vault",    "arn:aws:", "ssm:",     "ref+",        "file://",
};

/* Anywhere, in any case. In lower case. */
static const char *const EXAMPLES[] = {
    "example",   "placeholder", "changeme",  "change_me", "change-me",
    "dummy",     "redacted",    "xxxx",      "****",      "your_",
    "your-",     "yourpass",    "yourtoken", "yourkey",   "yoursecret",
    "my_secret", "mysecret",    "insert",    "<your",     "removed",
    "sanitized", "replace",     "notreal",   "not-real",  "not_real",
    "fakefake",  "my_test",     "foobar",    "00000000",  "11111111",
    "-----",
};

static bool
starts_with_any(struct span text)
{
    for (size_t i = 0; i < AG_COUNT(REFERENCES); i++) {
        size_t len = strlen(REFERENCES[i]);

        if (text.len >= len &&
            strncasecmp((const char *)text.ptr, REFERENCES[i], len) == 0) {
            return true;
        }
    }
    /* $NAME, not "$" within a password */
    return text.len >= 3 && text.ptr[0] == '$' && is_letter(text.ptr[1]) &&
           is_letter(text.ptr[2]);
}

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool
contains(struct span text, const char *word)
{
    size_t len = strlen(word);

    for (size_t at = 0; at + len <= text.len; at++) {
        if (lower(text.ptr[at]) == (uint8_t)word[0] &&
            strncasecmp((const char *)text.ptr + at, word, len) == 0) {
            return true;
        }
    }
    return false;
}

/* `seen`: which bytes the text has. Most words have one that it has not. */
static bool
contains_any(struct span text, const bool seen[256])
{
    for (size_t i = 0; i < AG_COUNT(EXAMPLES); i++) {
        const char *c = EXAMPLES[i];

        while (*c != '\0' &&
               (seen[(uint8_t)*c] ||
                (is_letter((uint8_t)*c) && seen[(uint8_t)*c & 0xdf]))) {
            c++;
        }
        if (*c == '\0' && contains(text, EXAMPLES[i])) {
            return true;
        }
    }
    return false;
}

bool
rule_score_is_placeholder(struct span text)
{
    bool seen[256] = {false};
    size_t distinct = 0;

    text = clip(text);
    for (size_t i = 0; i < text.len; i++) {
        distinct += seen[text.ptr[i]] ? 0 : 1;
        seen[text.ptr[i]] = true;
    }
    return distinct < DISTINCT_MIN_COUNT || starts_with_any(text) ||
           contains_any(text, seen);
}
