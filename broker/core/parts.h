/*
 * parts.h - the fields of a document of placeholders, in the order of their
 * numbers: which value the n-th stands for.
 * Floor: core. Depends on: base/err.
 */
#ifndef AG_CORE_PARTS_H
#define AG_CORE_PARTS_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    PARTS_MAX_COUNT = 256, /* 8 bits of a placeholder's number */
};

struct parts {
    size_t count;
    char *pointers[PARTS_MAX_COUNT]; /* RFC 6901 */
};

AG_CHECK AG_NONNULL enum ag_err parts_new(struct parts **ret);
void parts_free(struct parts *parts);
AG_DEFINE_CLEANUP(parts, parts_free)

/* Errors: AG_ELIMIT with a sentence; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err parts_add(struct parts *parts,
                                          const char *pointer);

/* The field of number `part` into `field`, which stays as it is when `parts` is
 * NULL: then there is one value, number 0. Errors: AG_ENOTFOUND no such part. */
AG_CHECK enum ag_err parts_name(const struct parts *parts, size_t part,
                                char *field, size_t cap);

#endif
