#include "crypt/box.h"

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"

enum {
    VERSION_1 = 1
};

_Static_assert((int)BOX_OVERHEAD_BYTES == 1 + (int)crypto_box_SEALBYTES,
               "layout differs");
_Static_assert((int)BOX_PUBLIC_BYTES == (int)crypto_box_PUBLICKEYBYTES,
               "public key");

/* Both halves of the key pair. *ret is the caller's. */
static enum ag_err
key_pair(const struct secret *seed, uint8_t public_key[BOX_PUBLIC_BYTES],
         struct secret **ret)
{
    struct secret *pair;
    enum ag_err err;

    if (secret_len(seed) != crypto_box_SEEDBYTES) {
        return err_why(AG_EINVAL, "a box needs a seed of %d bytes",
                       (int)crypto_box_SEEDBYTES);
    }
    err = secret_new(crypto_box_SECRETKEYBYTES, &pair);
    if (err != AG_OK) {
        return err;
    }
    (void)crypto_box_seed_keypair(public_key, secret_bytes(pair),
                                  secret_view(seed).ptr);
    *ret = pair;
    return AG_OK;
}

enum ag_err
box_public(const struct secret *seed, uint8_t out[BOX_PUBLIC_BYTES])
{
    AG_AUTO(secret) struct secret *key = NULL;

    return key_pair(seed, out, &key);
}

enum ag_err
box_seal(const uint8_t public_key[BOX_PUBLIC_BYTES], struct span plain,
         struct buf *out)
{
    uint8_t *to;
    enum ag_err err;

    if (plain.len > BOX_PLAIN_MAX_BYTES) {
        return err_why(AG_ELIMIT, "%zu bytes are above the limit of %d",
                       plain.len, BOX_PLAIN_MAX_BYTES);
    }
    err = buf_room(out, plain.len + BOX_OVERHEAD_BYTES, &to);
    if (err != AG_OK) {
        return err;
    }
    to[0] = VERSION_1;
    if (crypto_box_seal(to + 1, plain.ptr, plain.len, public_key) != 0) {
        return err_why(AG_EINVAL, "the vault's public key is not a valid one");
    }
    buf_grew(out, plain.len + BOX_OVERHEAD_BYTES);
    return AG_OK;
}

enum ag_err
box_open(const struct secret *seed, struct span blob, struct secret **ret)
{
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(secret) struct secret *plain = NULL;
    uint8_t public_key[BOX_PUBLIC_BYTES];
    enum ag_err err;

    if (blob.len < BOX_OVERHEAD_BYTES || blob.ptr[0] != VERSION_1) {
        return err_why(AG_ECORRUPT, "this is not a sealed box");
    }
    if (blob.len - BOX_OVERHEAD_BYTES > BOX_PLAIN_MAX_BYTES) {
        return err_why(AG_ELIMIT, "a sealed box is too large");
    }
    err = key_pair(seed, public_key, &key);
    err =
        err != AG_OK ? err : secret_new(blob.len - BOX_OVERHEAD_BYTES, &plain);
    if (err != AG_OK) {
        return err;
    }
    if (crypto_box_seal_open(secret_bytes(plain), blob.ptr + 1, blob.len - 1,
                             public_key, secret_view(key).ptr) != 0) {
        return err_why(AG_ECORRUPT, "a sealed box is damaged, or was made for "
                                    "another vault");
    }
    *ret = AG_TAKE(plain);
    return AG_OK;
}
