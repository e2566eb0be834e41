#include <string.h>

#include "profile/fields.h"
#include "profile/load.h"
#include "profile/placeholder.h"
#include "profile/placeholder_parts.h"

/* Which shape a value has, of what the profiles state. */

enum {
    /* A shorter prefix is no proof that a value of another profile is that. */
    FOREIGN_PREFIX_MIN_BYTES = 3,
};

size_t
text_padding(struct span text)
{
    size_t count = 0;

    while (count < 2 && count < text.len &&
           text.ptr[text.len - 1 - count] == '=') {
        count++;
    }
    return count;
}

static bool
is_one_of(uint8_t c, const char *bytes)
{
    return c != '\0' && strchr(bytes, c) != NULL;
}

static bool
in_alphabet(enum shape_alphabet alphabet, uint8_t c)
{
    switch (alphabet) {
    case ALPHABET_ANY:
        return true;
    case ALPHABET_ALNUM:
        return code_is_alnum(c);
    case ALPHABET_HEX:
        return is_one_of(c, "0123456789abcdefABCDEF");
    case ALPHABET_BASE64:
        return code_is_alnum(c) || c == '+' || c == '/';
    case ALPHABET_BASE64URL:
        return code_is_alnum(c) || c == '-' || c == '_';
    case ALPHABET_JWT:
        return false; /* what is a JWT is seen without a shape */
    case ALPHABET_ALPHA:
        return is_one_of(c, FILL_LETTERS);
    case ALPHABET_BASE32:
        return is_one_of(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    }
    return false;
}

bool
shape_has_padding(const struct profile_shape *s)
{
    return s->alphabet == ALPHABET_BASE64 || s->alphabet == ALPHABET_BASE64URL;
}

bool
shape_fits(const struct profile_shape *s, struct span value)
{
    struct span prefix = span_str(s->prefix);
    size_t end = value.len - (shape_has_padding(s) ? text_padding(value) : 0);

    if (!span_starts(value, prefix) || value.len == prefix.len ||
        value.len < (size_t)s->min_len ||
        (s->max_len != 0 && value.len > (size_t)s->max_len)) {
        return false;
    }
    for (size_t i = prefix.len; i < end; i++) {
        if (!in_alphabet(s->alphabet, value.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool
speaks_of(const struct profile_shape *s, const char *pointer)
{
    return s->field == NULL ? pointer[0] == '\0'
                            : field_match(s->field, pointer);
}

static const struct profile_shape *
longest_prefix(const struct profiles *ps, struct span value)
{
    const struct profile_shape *best = NULL;
    size_t longest = FOREIGN_PREFIX_MIN_BYTES - 1;

    for (size_t i = 0; i < profiles_count(ps); i++) {
        const struct profile *p = profiles_at(ps, i);

        for (size_t k = 0; k < p->shapes.count; k++) {
            const struct profile_shape *s = &p->shapes.items[k];

            if (span_str(s->prefix).len > longest && shape_fits(s, value)) {
                longest = strlen(s->prefix);
                best = s;
            }
        }
    }
    return best;
}

const struct profile_shape *
placeholder_shape(const struct profiles *ps, const struct profile *p,
                  const char *pointer, struct span value)
{
    for (size_t i = 0; p != NULL && i < p->shapes.count; i++) {
        const struct profile_shape *s = &p->shapes.items[i];

        if (speaks_of(s, pointer) && shape_fits(s, value)) {
            return s;
        }
    }
    return ps == NULL ? NULL : longest_prefix(ps, value);
}
