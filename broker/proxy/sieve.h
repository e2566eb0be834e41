/*
 * sieve.h - filters in the form that answers no guesses (redact/redactor.h,
 * REDACTOR_TASK), a few kept for the next answer: making one locks memory.
 * Floor: proxy. Depends on: redact/redactor.
 */
#ifndef AG_PROXY_SIEVE_H
#define AG_PROXY_SIEVE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct matcher;
struct redactor;
struct sieves;
struct sink;

#define SIEVE_MARKER "[redacted]"

enum {
    SIEVES_KEPT_MAX_COUNT = 8, /* of two pages each, mostly */
};

AG_CHECK AG_NONNULL enum ag_err sieves_new(struct sieves **ret);
/* None may be out. NULL is allowed. */
void sieves_free(struct sieves *all);
AG_DEFINE_CLEANUP(sieves, sieves_free)

/*
 * One of those kept, or a new one; sieve_begin() comes next.
 * Ownership: *ret is the caller's, sieves_give(). Errors: AG_EMEMLOCK,
 * AG_ENOMEM. Threads: any.
 */
AG_CHECK AG_NONNULL enum ag_err sieves_take(struct sieves *all,
                                            struct redactor **ret);

/* Nothing of what went through it is left. NULL is allowed. Threads: any. */
void sieves_give(struct sieves *all, struct redactor *sieve);

/*
 * Another text, into `next`, through `filter`; *hits, if given, counts what
 * was found. Both are borrowed until the text is finished.
 * Errors: AG_EMEMLOCK, AG_ENOMEM.
 */
AG_CHECK enum ag_err sieve_begin(struct redactor *sieve,
                                 const struct matcher *filter,
                                 const struct sink *next, size_t *hits);

#endif
