/*
 * lockmem.h - a locked mapping of any size for the redaction set and for text
 * in transit: never swapped, not in core files, wiped when unmapped. The
 * process's secret arena is fixed and small; this is for the filter.
 * Floor: redact. Depends on: base/secret (wipe).
 */
#ifndef AG_REDACT_LOCKMEM_H
#define AG_REDACT_LOCKMEM_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct lockmem {
    void *ptr; /* NULL when nothing is mapped */
    size_t len;
};

/*
 * Maps and locks at least `len` zeroed bytes. *ret must be empty or zeroed.
 * Errors: AG_EMEMLOCK with a sentence that names the limit and the fix;
 *         AG_ENOMEM.
 * Threads: safe.
 */
AG_CHECK AG_NONNULL enum ag_err lockmem_init(size_t len, struct lockmem *ret);

/* Wipes and unmaps; an empty one is allowed. */
AG_NONNULL void lockmem_done(struct lockmem *m);
AG_DEFINE_CLEANUP_INPLACE(lockmem, lockmem_done)

/* Bytes locked by all mappings: the tests' leak and budget check. */
size_t lockmem_used_bytes(void);

#endif
