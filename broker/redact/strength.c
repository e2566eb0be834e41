#include "redact/strength.h"

#include <strings.h>

enum {
    /* Characters that tell something new: not the last one again, not its
     * neighbour in the alphabet, not one that was there twice already. */
    NOVEL_MIN_COUNT = 4,
    SEEN_MAX_COUNT = 2,
    NUMBER_MIN_DIGITS = 6, /* shorter: a port, a year, a count */
    WORD_MAX_BYTES = 24,   /* the longest of the words, with room */
};

/* What stands in configuration and prose without being anyone's secret. */
static const char *const COMMON_WORDS[] = {
    "admin",    "administrator", "anonymous",  "authorization", "azerty",
    "changeit", "changeme",      "default",    "disabled",      "enabled",
    "example",  "false",         "guest",      "letmein",       "localhost",
    "login",    "monkey",        "mysql",      "none",          "null",
    "passw0rd", "password",      "postgres",   "private",       "production",
    "qwerty",   "qwertyui",      "qwertyuiop", "redacted",      "root",
    "secret",   "staging",       "string",     "system",        "test",
    "testing",  "token",         "true",       "undefined",     "unknown",
    "user",     "username",      "value",      "welcome",       "xxxxxxxx",
};

static bool
is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span
strength_trimmed(struct span value)
{
    while (value.len > 0 && is_blank(value.ptr[value.len - 1])) {
        value.len--;
    }
    while (value.len > 0 && is_blank(value.ptr[0])) {
        value = span_sub(value, 1, value.len - 1);
    }
    return value;
}

static size_t
novel_count(struct span s)
{
    uint8_t seen[256] = {0};
    size_t novel = 0;
    size_t i;

    for (i = 0; i < s.len && novel < NOVEL_MIN_COUNT; i++) {
        int step = i == 0 ? 9 : s.ptr[i] - s.ptr[i - 1];

        if ((step < -1 || step > 1) && seen[s.ptr[i]] < SEEN_MAX_COUNT) {
            novel++;
        }
        if (seen[s.ptr[i]] < SEEN_MAX_COUNT) {
            seen[s.ptr[i]]++;
        }
    }
    return novel;
}

static bool
is_short_number(struct span s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
    }
    return s.len < NUMBER_MIN_DIGITS;
}

/* A common word, also with digits or marks behind it ("password1!"). */
static bool
is_common(struct span s)
{
    size_t word;
    size_t i;

    for (word = s.len; word > 0; word--) {
        uint8_t c = (uint8_t)(s.ptr[word - 1] | 0x20);

        if (c >= 'a' && c <= 'z') {
            break;
        }
    }
    if (word == 0 || word > WORD_MAX_BYTES || s.len - word > 4) {
        return false;
    }
    for (i = 0; i < AG_COUNT(COMMON_WORDS); i++) {
        struct span common = span_str(COMMON_WORDS[i]);

        if ((common.len == word || common.len == s.len) &&
            strncasecmp((const char *)s.ptr, COMMON_WORDS[i], common.len) ==
                0) {
            return true;
        }
    }
    return false;
}

enum strength
strength_of(struct span value)
{
    struct span s = strength_trimmed(value);

    if (s.len < STRENGTH_TOKEN_MIN_BYTES) {
        return STRENGTH_SHORT;
    }
    if (novel_count(s) < NOVEL_MIN_COUNT || is_short_number(s) ||
        is_common(s)) {
        return STRENGTH_GUESSABLE;
    }
    return s.len < STRENGTH_FULL_MIN_BYTES ? STRENGTH_TOKEN : STRENGTH_FULL;
}

const char *
strength_warning(enum strength strength)
{
    switch (strength) {
    case STRENGTH_FULL:
        return NULL;
    case STRENGTH_TOKEN:
        return "the value has fewer than 8 characters: it is redacted only "
               "where it stands as a word of its own, and not in what a task "
               "reads";
    case STRENGTH_SHORT:
        return "the value has fewer than 4 characters: it is not redacted";
    case STRENGTH_GUESSABLE:
        return "the value is a common word, a short number or a simple run: "
               "it is not redacted";
    }
    return NULL;
}

bool
strength_is_redacted(enum strength strength)
{
    return strength == STRENGTH_FULL || strength == STRENGTH_TOKEN;
}
