#include "crypt/sign.h"

#include <sodium.h>

#include "base/secret.h"

_Static_assert((int)SIGN_KEY_BYTES == (int)crypto_sign_PUBLICKEYBYTES, "key");
_Static_assert((int)SIGN_BYTES == (int)crypto_sign_BYTES, "signature");

/* Both halves; the secret one holds the seed too. */
static enum ag_err
pair_of(const struct secret *seed, uint8_t public_half[SIGN_KEY_BYTES],
        struct secret **ret)
{
    enum ag_err err;

    if (secret_len(seed) != crypto_sign_SEEDBYTES) {
        return err_why(AG_EINVAL, "a signing key's seed has %d bytes",
                       (int)crypto_sign_SEEDBYTES);
    }
    err = secret_new(crypto_sign_SECRETKEYBYTES, ret);
    if (err != AG_OK) {
        return err;
    }
    (void)crypto_sign_seed_keypair(public_half, secret_bytes(*ret),
                                   secret_view(seed).ptr);
    return AG_OK;
}

enum ag_err
sign_key(const struct secret *seed, uint8_t out[SIGN_KEY_BYTES])
{
    AG_AUTO(secret) struct secret *pair = NULL;

    return pair_of(seed, out, &pair);
}

enum ag_err
sign_make(const struct secret *seed, struct span message,
          uint8_t out[SIGN_BYTES])
{
    AG_AUTO(secret) struct secret *pair = NULL;
    uint8_t key[SIGN_KEY_BYTES];
    enum ag_err err = pair_of(seed, key, &pair);

    if (err == AG_OK) {
        (void)crypto_sign_detached(out, NULL, message.ptr, message.len,
                                   secret_view(pair).ptr);
    }
    return err;
}

bool
sign_check(const uint8_t key[SIGN_KEY_BYTES], struct span message,
           const uint8_t made[SIGN_BYTES])
{
    return crypto_sign_verify_detached(made, message.ptr, message.len, key) ==
           0;
}
