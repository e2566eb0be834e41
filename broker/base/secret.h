/*
 * secret.h - the one place a secret may live: a slot of a guarded, locked
 * arena, wiped when freed, left out of core files and forked children.
 * Floor: base. Depends on: base/err, base/span, libsodium (wipe, compare).
 *
 * The arena is one mapping, memfd_secret where the kernel has it, else an
 * mlock'ed MADV_DONTDUMP block between guard pages; the lock is verified at
 * secret_arena_open(). It never grows: when it is full, AG_EMEMLOCK.
 */
#ifndef AG_BASE_SECRET_H
#define AG_BASE_SECRET_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum {
    SECRET_MAX_BYTES = 256 * 1024, /* one value with its base64 and framing */
    SECRET_ARENA_DAEMON_BYTES = 4 * 1024 * 1024,
    SECRET_ARENA_CLI_BYTES = 512 * 1024,
};

enum secret_backing {
    SECRET_BACKING_NONE,  /* arena not open */
    SECRET_BACKING_MEMFD, /* memfd_secret: not even the kernel maps it */
    SECRET_BACKING_MLOCK, /* mlock + MADV_DONTDUMP */
};

/*
 * Opens the process's arena of `bytes` (a multiple of the page size). Call
 * once, before any other thread; a second call is AG_EINVAL. A child, by fork()
 * or clone(), starts without an arena (the block is not mapped there) and may
 * open its own; secrets of the parent must not be touched in it.
 * Errors: AG_EMEMLOCK with a sentence that names the limit and the fix.
 */
AG_CHECK enum ag_err secret_arena_open(size_t bytes);
enum secret_backing secret_arena_backing(void);
/* Wipes and unmaps; every secret must have been freed. For tests. */
void secret_arena_close(void);

/* Bytes in use by live secrets: the tests' leak check. */
size_t secret_arena_used_bytes(void);

/*
 * A zeroed secret of `len` bytes (0 is allowed).
 * Ownership: the caller's, freed with secret_free().
 * Errors: AG_ELIMIT (len > SECRET_MAX_BYTES), AG_EMEMLOCK (arena full or not
 *         open; with a sentence), AG_ENOMEM.
 * Threads: safe.
 */
AG_CHECK AG_NONNULL enum ag_err secret_new(size_t len, struct secret **ret);
AG_CHECK AG_NONNULL enum ag_err secret_from(struct span bytes,
                                            struct secret **ret);

/* Wipes and releases. NULL is allowed. */
void secret_free(struct secret *s);
AG_DEFINE_CLEANUP(secret, secret_free)

/* Borrowed until secret_free(). */
AG_NONNULL struct span secret_view(const struct secret *s);
AG_NONNULL uint8_t *secret_bytes(struct secret *s);
AG_NONNULL size_t secret_len(const struct secret *s);

/* Makes it shorter, wiping what is cut off; the memory is given back only by
 * secret_free(). `len` must not exceed its length. */
AG_NONNULL void secret_shrink(struct secret *s, size_t len);

/* Constant time in the content; the lengths may show. */
AG_NONNULL bool secret_equal(const struct secret *a, const struct secret *b);
AG_NONNULL bool secret_equal_span(const struct secret *a, struct span b);

/* Wipes memory that is not a secret's own: stack blocks, library buffers. */
void wipe(void *ptr, size_t len);

#endif
