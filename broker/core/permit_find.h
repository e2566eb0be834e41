/*
 * permit_find.h - which placeholders stand where in the head of a request.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_PERMIT_FIND_H
#define AG_CORE_PERMIT_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "policy/request.h"

struct recent;
struct secret;

enum {
    FINDS_MAX_COUNT = 32,
    FINDS_SCAN_MIN_BYTES = 16,
    FINDS_KNOWN_MAX_COUNT = 4,
};

/* Not a field's index. */
static const size_t FIND_PATH = (size_t)-1;
static const size_t FIND_QUERY = (size_t)-2;
static const size_t FIND_BODY = (size_t)-3;

struct find {
    uint64_t id;
    size_t where; /* a field's index, or FIND_... */
    /* Where they are counted, in query and body: how often it stands there;
     * and of these, where its value belongs. */
    size_t seen;
    size_t used;
    bool placed;  /* where a value belongs: it was to be used */
    bool history; /* of an ended task, in a text */
};

/* A text of the request's own that was read as a whole, by where it lies. */
struct find_known {
    struct span text;
    uint64_t id;
};

/* `recent` may be NULL; else `keyring` says under which its key is read. */
struct finds {
    struct recent *recent;
    uint64_t keyring;
    size_t count;
    struct find items[FINDS_MAX_COUNT];
    size_t known_count;
    struct find_known known[FINDS_KNOWN_MAX_COUNT];
};

/* *ret is {0} before, but for `recent` and `keyring`. Errors: AG_EPLACE more than FINDS_MAX_COUNT, or
 * a token of the broker's anywhere but where it is shown to the broker. */
AG_CHECK AG_NONNULL enum ag_err finds_make(const struct secret *key,
                                           const struct request_ask *ask,
                                           struct finds *ret);

/* placeholder_read(), without reading again what finds_make() has: the request
 * is as it was then. Errors: those. */
AG_CHECK AG_NONNULL enum ag_err finds_read(const struct finds *f,
                                           const struct secret *key,
                                           struct span text, uint64_t *ret_id);

/* Another's stands where a value belongs; also in another spelling (escapes),
 * which finds_make() does not see. Errors as above. */
AG_CHECK AG_NONNULL enum ag_err finds_note(struct finds *f, uint64_t id,
                                           size_t where);

#endif
