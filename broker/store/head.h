/*
 * head.h - vault.head: the end of the record, sealed outside the database, so
 * that an older copy of vault.db or a cut record shows.
 * Floor: store. Depends on: crypt/chain, store/keys, base/fdx, base/fsx.
 *
 * Two slots in one file (crypt/chain.h), written in turn after each commit and
 * synced within USES_FOLD_MS: the head is never ahead of a durable record, and
 * after a crash may be a little behind it.
 * Threads: the thread that owns the writer.
 */
#ifndef AG_STORE_HEAD_H
#define AG_STORE_HEAD_H

#include "base/attr.h"
#include "base/err.h"
#include "crypt/chain.h"

struct head;
struct keys;

/* A new file with one head in it, durable. Replaces what is there. */
AG_CHECK AG_NONNULL enum ag_err head_create(int dir_fd, const struct keys *keys,
                                            const uint8_t *vault_id,
                                            const struct chain_head *first);

/*
 * Opens the file and reads the newest head.
 * Errors: AG_EROLLBACK the file is missing or no slot verifies (sentence);
 *         AG_EMODE; AG_EIO; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err head_open(int dir_fd, const struct keys *keys,
                                          const uint8_t *vault_id,
                                          struct chain_head *ret_newest,
                                          struct head **ret);
/* Syncs. NULL is allowed. */
void head_close(struct head *h);
AG_DEFINE_CLEANUP(head, head_close)

/* Writes the next slot (not synced). */
AG_CHECK AG_NONNULL enum ag_err head_put(struct head *h,
                                         const struct keys *keys,
                                         const uint8_t *vault_id,
                                         const struct chain_head *newest);

AG_CHECK AG_NONNULL enum ag_err head_sync(struct head *h);

/* The newest head of the file as it is now, for audit_verify(). */
AG_CHECK AG_NONNULL enum ag_err head_read(int dir_fd, const struct keys *keys,
                                          const uint8_t *vault_id,
                                          struct chain_head *ret);

#endif
