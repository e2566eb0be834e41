/*
 * keys.h - the vault's own keys while it is open: metadata, audit, head, rows,
 * use journal.
 * Floor: store. Depends on: crypt/keyring, crypt/seal, libsodium.
 *
 * They are random, kept wrapped in table data_key and named by id: so a rekey
 * wraps a handful of keys instead of sealing a million rows anew. It adds fresh
 * ones for what is written from then on; what was written before names its key
 * and stays readable. They live in locked memory from unlock to lock.
 *
 * Threads: a `struct keys` doesn't change once it is in use.
 */
#ifndef AG_STORE_KEYS_H
#define AG_STORE_KEYS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;
struct keyring;
struct keys;
struct secret;

/* The numbers are on disk. */
enum key_purpose {
    KEY_META = 1,  /* seals bodies of rows and of the record */
    KEY_AUDIT = 2, /* chain of the record */
    KEY_HEAD = 3,  /* seals vault.head */
    KEY_ROW = 4,   /* tags of rows */
    KEY_USES = 5,  /* chain of the use journal; kept at a rekey, since records
                      live for milliseconds */
};

enum {
    KEY_PURPOSES_COUNT = 5,
    KEYS_MAX_COUNT =
        4 * 64,       /* 63 rekeys; each key is a slot of locked memory */
    KEY_ID_BYTES = 4, /* in front of what names its key */
    TAG_HASH_BYTES = 16,
    TAG_BYTES = KEY_ID_BYTES + TAG_HASH_BYTES,
};

struct key_row {
    int64_t id;
    enum key_purpose purpose;
};

AG_CHECK AG_NONNULL enum ag_err keys_new(struct keys **ret);
/* Wipes. NULL is allowed. */
void keys_free(struct keys *k);
AG_DEFINE_CLEANUP(keys, keys_free)

/* Unwraps one row of data_key and adds it; in order of id, the last of a
 * purpose is its current one. Errors: AG_ECORRUPT, AG_ELIMIT, AG_ELOCKED. */
AG_CHECK AG_NONNULL enum ag_err keys_load(struct keys *k, struct keyring *ring,
                                          const struct key_row *row,
                                          struct span wrapped);

/* A new random key, wrapped into `wrapped`. */
AG_CHECK AG_NONNULL enum ag_err keys_make(struct keys *k, struct keyring *ring,
                                          const struct key_row *row,
                                          struct buf *wrapped);

/* The wrapped form of a key under another keyring. */
AG_CHECK AG_NONNULL enum ag_err keys_wrap(const struct keys *k,
                                          struct keyring *ring,
                                          const struct key_row *row,
                                          struct buf *wrapped);

/* A second set of the same keys, to be grown by a rekey. */
AG_CHECK AG_NONNULL enum ag_err keys_copy(const struct keys *k,
                                          struct keys **ret);

/* Has it a current key for every purpose? */
AG_NONNULL bool keys_complete(const struct keys *k);

/* The current key of a purpose and its id; asserted to exist. */
AG_NONNULL const struct secret *
keys_current(const struct keys *k, enum key_purpose purpose, uint32_t *ret_id);

/* By id; NULL when there is none of that purpose. */
AG_NONNULL const struct secret *
keys_find(const struct keys *k, enum key_purpose purpose, uint32_t id);

/* The nth key's id and purpose, oldest first; false after the last. */
AG_NONNULL bool keys_at(const struct keys *k, size_t nth, struct key_row *ret);

/* The keys in order of age, newest first: at 0, 1, … until NULL. */
AG_NONNULL const struct secret *
keys_newest(const struct keys *k, enum key_purpose purpose, size_t nth);

#endif
