/* The recovery code: slot.h describes it. */
#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/secret.h"
#include "crypt/slot.h"

enum {
    CODE_BYTES = SLOT_RECOVERY_BYTES + SLOT_RECOVERY_CHECK_BYTES,
    GROUP_CHARS = 4,
    CODE_CHARS = CODE_BYTES * 8 / 5,
};

_Static_assert(CODE_BYTES % 5 == 0 && CODE_CHARS % GROUP_CHARS == 0,
               "whole characters and groups");
_Static_assert((int)SLOT_RECOVERY_TEXT_BYTES ==
                   CODE_CHARS + CODE_CHARS / GROUP_CHARS - 1,
               "text length differs");

static void
checksum(const uint8_t *code, uint8_t out[SLOT_RECOVERY_CHECK_BYTES])
{
    static const uint8_t LABEL[] = "auth-guard recovery code";
    uint8_t hash[crypto_generichash_BYTES];

    (void)crypto_generichash(hash, sizeof(hash), code, SLOT_RECOVERY_BYTES,
                             LABEL, sizeof(LABEL));
    memcpy(out, hash, SLOT_RECOVERY_CHECK_BYTES);
    wipe(hash, sizeof(hash));
}

enum ag_err
slot_recovery_new(struct secret **ret)
{
    AG_AUTO(secret) struct secret *code = NULL;
    AG_AUTO(secret) struct secret *chars = NULL;
    AG_AUTO(secret) struct secret *text = NULL;
    const uint8_t *from;
    uint8_t *to;
    enum ag_err err = secret_new(CODE_BYTES, &code);

    if (err != AG_OK) {
        return err;
    }
    randombytes_buf(secret_bytes(code), SLOT_RECOVERY_BYTES);
    checksum(secret_bytes(code), secret_bytes(code) + SLOT_RECOVERY_BYTES);
    err = encode_base32_secret(secret_view(code), &chars);
    err = err != AG_OK ? err : secret_new(SLOT_RECOVERY_TEXT_BYTES, &text);
    if (err != AG_OK) {
        return err;
    }
    from = secret_view(chars).ptr;
    to = secret_bytes(text);
    for (size_t i = 0; i < CODE_CHARS; i++) {
        if (i > 0 && i % GROUP_CHARS == 0) {
            *to++ = '-';
        }
        *to++ = from[i];
    }
    *ret = AG_TAKE(text);
    return AG_OK;
}

/* What was typed without dashes and white space. */
static enum ag_err
squeeze(struct span typed, struct secret **ret)
{
    AG_AUTO(secret) struct secret *chars = NULL;
    size_t len = 0;
    enum ag_err err = secret_new(CODE_CHARS, &chars);

    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < typed.len; i++) {
        uint8_t c = typed.ptr[i];

        if (c == '-' || c == ' ' || (c >= '\t' && c <= '\r')) {
            continue;
        }
        if (len < CODE_CHARS) {
            secret_bytes(chars)[len] = c;
        }
        len++;
    }
    if (len != CODE_CHARS) {
        return err_why(AG_EINVAL,
                       "a recovery code has %d letters and digits, "
                       "not %zu",
                       CODE_CHARS, len);
    }
    *ret = AG_TAKE(chars);
    return AG_OK;
}

enum ag_err
slot_recovery_parse(struct span typed, struct secret **ret)
{
    AG_AUTO(secret) struct secret *chars = NULL;
    AG_AUTO(secret) struct secret *code = NULL;
    uint8_t want[SLOT_RECOVERY_CHECK_BYTES];
    enum ag_err err = squeeze(typed, &chars);

    if (err != AG_OK) {
        return err;
    }
    err = decode_base32_secret(secret_view(chars), &code);
    if (err == AG_EINVAL) {
        return err_why(AG_EINVAL, "a recovery code has no letter U and no "
                                  "punctuation but '-'");
    }
    if (err != AG_OK) {
        return err;
    }
    checksum(secret_bytes(code), want);
    if (sodium_memcmp(want, secret_bytes(code) + SLOT_RECOVERY_BYTES,
                      sizeof(want)) != 0) {
        return err_why(AG_EINVAL, "the recovery code has a slip: its checksum "
                                  "does not match");
    }
    secret_shrink(code, SLOT_RECOVERY_BYTES);
    *ret = AG_TAKE(code);
    return AG_OK;
}
