#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/parse.h"
#include "base/secret.h"
#include "profile/placeholder_parts.h"

/* base64(user:password), as Docker and npm keep what goes into basic
 * authentication (RFC 7617): a client takes it apart, so the placeholder is the
 * password's and stands inside. */

enum {
    READ_MAX_BYTES = 1024, /* user and password of a text that is read */
};

/* Where the password begins; 0: it is no such text. */
static size_t
password_at(struct span text)
{
    size_t colon = span_find(text, ':');

    return colon > 0 && colon + 1 < text.len && parse_is_text(text) &&
                   span_find(text, '\n') == text.len
               ? colon + 1
               : 0;
}

/* Strict, and only letters that libsodium reads alike everywhere. */
static bool
is_base64(struct span text)
{
    size_t end = text.len;

    while (end > 0 && text.len - end < 2 && text.ptr[end - 1] == '=') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        if (!code_is_alnum(text.ptr[i]) && text.ptr[i] != '+' &&
            text.ptr[i] != '/') {
            return false;
        }
    }
    return text.len % 4 == 0 && end > 0;
}

enum ag_err
basic_open(struct span text, struct secret **ret)
{
    AG_AUTO(secret) struct secret *pair = NULL;
    enum ag_err err =
        is_base64(text) ? decode_base64_secret(text, &pair) : AG_EINVAL;

    if (err == AG_OK && password_at(secret_view(pair)) == 0) {
        err = AG_EINVAL;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(pair);
    }
    return err;
}

enum ag_err
basic_make(const struct making *m, const struct secret *pair, struct buf *out)
{
    AG_AUTO(buf) struct buf made = {0};
    struct span text = secret_view(pair);
    size_t at = password_at(text);
    enum ag_err err;

    buf_init(&made, SECRET_MAX_BYTES, BUF_WIPE);
    err = buf_add(&made, span_sub(text, 0, at));
    if (err == AG_OK) {
        err = plain_make(m, span_sub(text, at, text.len), &made);
    }
    return err == AG_OK ? encode_base64(buf_view(&made), out) : err;
}

bool
basic_read(const struct secret *key, struct span text, uint64_t *ret_id)
{
    uint8_t pair[READ_MAX_BYTES];
    size_t len = 0;
    size_t at = 0;
    bool found = false;

    if (is_base64(text) &&
        sodium_base642bin(pair, sizeof(pair), (const char *)text.ptr, text.len,
                          NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) == 0) {
        at = password_at(span_of(pair, len));
    }
    if (at > 0) {
        found =
            number_read(key, span_of(pair + at, len - at), CODE_WHOLE, ret_id);
    }
    wipe(pair, sizeof(pair));
    return found;
}
