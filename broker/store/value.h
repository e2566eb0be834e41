/*
 * value.h - a value sealed under a data key of its own, which is wrapped under
 * the wrap key: versions and wraps.
 * Floor: store. Depends on: crypt/keyring, crypt/seal.
 *
 * For this room only. `at` names table, row and version; its column is filled
 * in here ("wrapped", "value").
 */
#ifndef AG_STORE_VALUE_H
#define AG_STORE_VALUE_H

#include "base/buf.h"
#include "crypt/keyring.h"
#include "crypt/seal.h"
#include "store/db.h"

struct secret;

enum {
    VALUE_WRAPPED_MAX_BYTES = KEYRING_WRAPPED_BYTES,
    VALUE_SEALED_MAX_BYTES = SEAL_PLAIN_MAX_BYTES + SEAL_OVERHEAD_BYTES,
};

AG_CHECK AG_NONNULL enum ag_err value_seal(struct db_read *r, struct seal_at at,
                                           const struct secret *value,
                                           struct buf *wrapped,
                                           struct buf *sealed);

/* Ownership: *ret is the caller's. */
AG_CHECK AG_NONNULL enum ag_err value_open(struct db_read *r, struct seal_at at,
                                           struct span wrapped,
                                           struct span sealed,
                                           struct secret **ret);

#endif
