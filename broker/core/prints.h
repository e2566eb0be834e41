/*
 * prints.h - the redaction set as fingerprints, for machines without the vault
 * (redact/prints.h says what they tell).
 * Floor: core. Depends on: core/redaction, redact/prints.
 */
#ifndef AG_CORE_PRINTS_H
#define AG_CORE_PRINTS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct call;
struct core;
struct db_tx;

struct prints_request {
    const char *prefix; /* of the secrets' names; NULL: all */
    bool names;         /* else they are numbered */
};

/*
 * POST /v1/redaction-set. *ret: {set: base64, secrets, values, left_out: [{name,
 * field, reason}]}. On record, durably, before it goes out. Writer.
 * Errors: AG_ENOTFOUND no secret has that prefix; AG_ELIMIT with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err
core_redaction_set(struct core *core, struct db_tx *tx, const struct call *call,
                   const struct prints_request *request, json_t **ret);

#endif
