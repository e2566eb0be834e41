/*
 * name_hash.h - keyed hashes that rows are found by.
 * Floor: store. Depends on: crypt/keyring, store/db.
 *
 * For this room only. The label keeps the kinds apart: a secret and a role of
 * the same name have different hashes.
 */
#ifndef AG_STORE_NAME_HASH_H
#define AG_STORE_NAME_HASH_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/db.h"

enum {
    NAME_HASH_BYTES = 32,
    NAME_HASHED_MAX_BYTES = 255,
};

enum name_label {
    NAME_SECRET = 's',
    NAME_ROLE = 'r',
    NAME_ACCESSOR = 'a',
};

/* Errors: AG_ELOCKED; AG_EINVAL longer than NAME_HASHED_MAX_BYTES. */
AG_CHECK AG_NONNULL enum ag_err name_hash(struct db_read *r,
                                          enum name_label label,
                                          struct span name,
                                          uint8_t out[NAME_HASH_BYTES]);

#endif
