/*
 * lockmem.h - a locked mapping of any size for the redaction set and for text
 * in transit: never swapped, not in core files, wiped when unmapped. The
 * process's secret arena is fixed and small; this is for the filter.
 * Floor: redact. Depends on: base/secret (wipe).
 */
#ifndef AG_REDACT_LOCKMEM_H
#define AG_REDACT_LOCKMEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct lockmem {
    void *ptr; /* NULL when nothing is mapped */
    size_t len;
    bool is_text;
    bool is_unlocked; /* see lockmem_init_late() */
};

/*
 * Maps and locks at least `len` zeroed bytes. *ret must be empty or zeroed.
 * Errors: AG_EMEMLOCK with a sentence that names the limit and the fix;
 *         AG_ENOMEM.
 * Threads: safe.
 */
AG_CHECK AG_NONNULL enum ag_err lockmem_init(size_t len, struct lockmem *ret);

/*
 * The same for text in transit, which is not to take the room that the values
 * need: all of it together gets two thirds of what they leave of the limit.
 * Errors: AG_EMEMLOCK also when that share is taken.
 */
AG_CHECK AG_NONNULL enum ag_err lockmem_init_text(size_t len,
                                                  struct lockmem *ret);

/*
 * The same for a text that is under way and needs more than it began with. It
 * does not end for that: where lockmem_init_text() would refuse, or the
 * kernel does, the mapping is not locked, only wiped and kept out of core files.
 * Errors: AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err lockmem_init_late(size_t len,
                                                  struct lockmem *ret);

/* Wipes and unmaps; an empty one is allowed. */
AG_NONNULL void lockmem_done(struct lockmem *m);
AG_DEFINE_CLEANUP_INPLACE(lockmem, lockmem_done)

/* Bytes locked by all mappings: the tests' leak and budget check. And those of
 * mappings that are not locked. */
size_t lockmem_used_bytes(void);
size_t lockmem_unlocked_bytes(void);

#endif
