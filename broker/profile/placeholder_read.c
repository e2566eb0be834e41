#include "base/encode.h"
#include "profile/placeholder.h"
#include "profile/placeholder_parts.h"

/* Whose number stands in a text: every grammar is tried, since nothing but the
 * text says which it is. */

enum {
    CHECKED_MIN_CHARS = 11, /* before a checksum: CODE_BITS_MIN in base62 */
};

static bool
try_read(const struct secret *key, enum code_grammar grammar, struct span text,
         size_t end, enum code_check check, uint64_t *ret_id)
{
    struct code code;

    return code_find(grammar, text, end, &code) &&
           code_get(key, &code, text, check, ret_id);
}

/* The last characters are the checksum of the run they end? */
static bool
has_checksum(struct span text)
{
    char want[ENCODE_CHECKSUM_CHARS];
    size_t start = text.len;
    size_t end = text.len - sizeof(want);

    /* 2^32 is below 5 * 62^5: no sum starts with a higher digit. */
    if (text.len < sizeof(want) || text.ptr[end] > '4') {
        return false;
    }
    while (start > 0 && code_is_alnum(text.ptr[start - 1])) {
        start--;
    }
    if (text.len - start < sizeof(want) + CHECKED_MIN_CHARS) {
        return false;
    }
    encode_checksum(span_sub(text, start, end - start), want);
    return span_equal(span_of(want, sizeof(want)),
                      span_sub(text, end, sizeof(want)));
}

bool
number_read(const struct secret *key, struct span text, enum code_check check,
            uint64_t *ret_id)
{
    static const enum code_grammar GRAMMARS[] = {CODE_CLASS, CODE_HEX,
                                                 CODE_HEX_UPPER, CODE_BASE32};

    size_t end = text.len - text_padding(text);

    if (end == 0) {
        return false;
    }
    if (try_read(key, CODE_BASE62, text, end, check, ret_id) ||
        (text.ptr[end - 1] == BASE64_LAST &&
         try_read(key, CODE_BASE62, text, end - 1, check, ret_id)) ||
        (has_checksum(text) &&
         try_read(key, CODE_BASE62, text, end - ENCODE_CHECKSUM_CHARS, check,
                  ret_id))) {
        return true;
    }
    for (size_t i = 0; i < AG_COUNT(GRAMMARS); i++) {
        if (try_read(key, GRAMMARS[i], text, text.len, check, ret_id)) {
            return true;
        }
    }
    return false;
}

enum ag_err
placeholder_read(const struct secret *key, struct span text, uint64_t *ret_id)
{
    if (text.len == 0 || text.len > PLACEHOLDER_MAX_BYTES) {
        return AG_ENOTFOUND;
    }
    if (key_is_armour(text)) {
        return key_read(key, text, ret_id);
    }
    return number_read(key, text, CODE_WHOLE, ret_id) ||
                   basic_read(key, text, ret_id)
               ? AG_OK
               : AG_ENOTFOUND;
}
