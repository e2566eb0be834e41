/*
 * store_db.h - the database behind a store, for this room only.
 * Floor: store. Depends on: store/store, store/db.
 */
#ifndef AG_STORE_STORE_DB_H
#define AG_STORE_STORE_DB_H

#include "store/db.h"
#include "store/store.h"

AG_NONNULL struct db *store_db(struct store *s);

#endif
