/*
 * arena.h - the guarded, locked block that all secrets live in, and its
 * allocator. Only secret.c uses it.
 * Floor: base. Depends on: base/err, libsodium.
 *
 * Pages of 4 KiB. A page serves slots of one size class, or belongs to a run of
 * whole pages. All bookkeeping lies outside the block, so a stray write into a
 * secret can't reach it. Free memory is always zero: what is given back has
 * been wiped by the caller, so taking costs no clearing.
 */
#ifndef AG_BASE_ARENA_H
#define AG_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"

/* Maps and locks `bytes`. Errors: AG_EINVAL (open already, odd size),
 * AG_EMEMLOCK with a sentence, AG_ENOMEM. */
AG_CHECK enum ag_err arena_open(size_t bytes);
void arena_close(void);
enum secret_backing arena_backing(void);
size_t arena_size_bytes(void);
size_t arena_used_bytes(void);

/* `len` zero bytes (1 or more). Errors: AG_EMEMLOCK with a sentence.
 * Threads: safe. */
AG_CHECK AG_NONNULL enum ag_err arena_take(size_t len, uint8_t **ret);

/* Gives back what arena_take() gave; it must be zero again. Threads: safe. */
AG_NONNULL void arena_give(const uint8_t *ptr);

#endif
