/*
 * shelf.h - values that tasks read again and again, kept at hand: sealed under
 * a key that lives from unlock to lock, opened anew for each read. It saves
 * the database, not the decryption.
 * Floor: core. Depends on: crypt/seal, base/secret, pthread.
 *
 * What is on the shelf is good for one epoch of the store (store_epoch(): it
 * grows with every commit), so nothing stale is ever read.
 */
#ifndef AG_CORE_SHELF_H
#define AG_CORE_SHELF_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct secret;
struct shelf;

enum {
    SHELF_PLACES_COUNT = 256,     /* values read often; others push them out */
    SHELF_VALUE_MAX_BYTES = 1024, /* tokens and keys; larger are read anew */
    SHELF_KEY_MAX_BYTES = 320,    /* name and field together */
};

/* Which value, and what the reader must know of it. */
struct shelf_item {
    const char *name;
    const char *field; /* never NULL */
    uint64_t epoch;    /* read before the value was */
    int64_t secret_id;
    int64_t version_id;
    int64_t version;
};

AG_CHECK AG_NONNULL enum ag_err shelf_new(struct shelf **ret);
void shelf_free(struct shelf *s);
AG_DEFINE_CLEANUP(shelf, shelf_free)

/* A new key, or none (lock): what was there is gone. Errors: AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err shelf_open(struct shelf *s);
AG_NONNULL void shelf_close(struct shelf *s);

/* Puts a value there, if it fits. Threads: safe. */
AG_NONNULL void shelf_put(struct shelf *s, const struct shelf_item *item,
                          const struct secret *value);

/*
 * Looks for item->name and item->field of item->epoch; fills in the ids.
 * Ownership: *ret is the caller's. Errors: AG_ENOTFOUND (read it anew).
 */
AG_CHECK AG_NONNULL enum ag_err
shelf_get(struct shelf *s, struct shelf_item *item, struct secret **ret);

#endif
