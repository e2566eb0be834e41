#include "crypt/kdf.h"

#include <sodium.h>

#include "base/secret.h"

static const char CONTEXT[crypto_kdf_CONTEXTBYTES] = {'a', 'g', 'v', 'a',
                                                      'u', 'l', 't', '1'};

_Static_assert((int)KDF_KEY_BYTES == (int)crypto_kdf_KEYBYTES, "root key");
_Static_assert((int)KDF_KEY_BYTES <= (int)crypto_generichash_KEYBYTES_MAX,
               "keyed hash");

enum ag_err
kdf_root_new(struct secret **ret)
{
    struct secret *root;
    enum ag_err err = secret_new(KDF_KEY_BYTES, &root);

    if (err != AG_OK) {
        return err;
    }
    randombytes_buf(secret_bytes(root), KDF_KEY_BYTES);
    *ret = root;
    return AG_OK;
}

enum ag_err
kdf_subkey(const struct secret *root, enum kdf_key purpose, struct secret **ret)
{
    struct secret *key;
    enum ag_err err;

    AG_ASSERT(purpose >= KDF_WRAP && purpose < KDF_KEY_END);
    if (secret_len(root) != KDF_KEY_BYTES) {
        return err_why(AG_EINVAL, "a root key has %d bytes", KDF_KEY_BYTES);
    }
    err = secret_new(KDF_KEY_BYTES, &key);
    if (err != AG_OK) {
        return err;
    }
    (void)crypto_kdf_derive_from_key(secret_bytes(key), KDF_KEY_BYTES,
                                     (uint64_t)purpose, CONTEXT,
                                     secret_view(root).ptr);
    *ret = key;
    return AG_OK;
}

void
kdf_hash(const struct secret *key, struct span data,
         uint8_t out[KDF_HASH_BYTES])
{
    struct span k = secret_view(key);

    AG_ASSERT(k.len == KDF_KEY_BYTES);
    (void)crypto_generichash(out, KDF_HASH_BYTES, data.ptr, data.len, k.ptr,
                             k.len);
}
