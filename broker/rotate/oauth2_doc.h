/*
 * oauth2_doc.h - a stored value with some of its fields replaced, all else
 * byte for byte.
 * Floor: rotate, and only this folder includes it.
 */
#ifndef AG_ROTATE_OAUTH2_DOC_H
#define AG_ROTATE_OAUTH2_DOC_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"

struct secret;

enum {
    OAUTH2_CHANGES_MAX_COUNT = 64 + 2, /* a profile's list, expiry, stamp */
};

struct oauth2_change {
    const char *field;
    struct span value;
};

struct oauth2_doc {
    struct oauth2_change changes[OAUTH2_CHANGES_MAX_COUNT];
    size_t count;
    char expiry[CLOCK_TEXT_BYTES]; /* what a change may borrow */
    char stamp[CLOCK_TEXT_BYTES];
};

/* Both are borrowed. False: too many. */
AG_CHECK AG_NONNULL bool oauth2_doc_add(struct oauth2_doc *doc,
                                        const char *field, struct span value);

/*
 * The content with the fields that it has replaced. A number stays a number, a
 * null of JSON becomes a text.
 * Ownership: *ret is the caller's.
 * Errors: AG_EINVAL the content is not of its format; AG_ELIMIT; AG_EMEMLOCK,
 *         AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err oauth2_doc_make(const struct oauth2_doc *doc,
                                                struct span content,
                                                enum file_format format,
                                                struct secret **ret);

#endif
