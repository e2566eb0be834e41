#include "store/name_hash.h"

#include <string.h>

#include "base/secret.h"
#include "crypt/keyring.h"

enum ag_err
name_hash(struct db_read *r, enum name_label label, struct span name,
          uint8_t out[NAME_HASH_BYTES])
{
    uint8_t text[1 + NAME_HASHED_MAX_BYTES];
    struct keyring *ring = db_ring(r);
    enum ag_err err;

    if (ring == NULL) {
        return AG_ELOCKED;
    }
    if (name.len > NAME_HASHED_MAX_BYTES) {
        return err_why(AG_EINVAL, "a name of %zu bytes; at most %d", name.len,
                       NAME_HASHED_MAX_BYTES);
    }
    text[0] = (uint8_t)label;
    if (name.len > 0) {
        memcpy(text + 1, name.ptr, name.len);
    }
    err = keyring_hash(ring, KDF_NAME, span_of(text, 1 + name.len), out);
    wipe(text, sizeof(text));
    return err;
}
