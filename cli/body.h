/*
 * body.h - JSON text that carries a value, written and read in locked memory
 * only: neither jansson nor malloc ever has a copy.
 * Floor: cli. Depends on: base/secret, jansson.
 */
#ifndef AG_CLI_BODY_H
#define AG_CLI_BODY_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

/* One secret member, as a JSON string: escaped text or base64 of the bytes. */
struct body_member {
    const char *name;
    const struct secret *value;
    bool base64;
};

/*
 * {public members…, secret members…}. `object` may be NULL.
 * Errors: AG_EINVAL when text is not UTF-8, AG_ELIMIT, AG_EMEMLOCK, AG_ENOMEM.
 */
AG_CHECK enum ag_err body_make(const json_t *object,
                               const struct body_member *members, size_t count,
                               struct secret **ret);

/*
 * The string member `name` of the object `text`, unescaped into locked memory;
 * the other members, without it, as *ret_rest (may be NULL).
 * Errors: AG_ECORRUPT when the text is not such an object.
 */
AG_CHECK enum ag_err body_take(const struct secret *text, const char *name,
                               struct secret **ret_value, json_t **ret_rest);

#endif
