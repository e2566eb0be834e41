/*
 * grant.h - what people write for a grant: SECRET:VERB[:FIELD].
 * Floor: cli. Depends on: args, jansson, base/parse.
 */
#ifndef AG_CLI_GRANT_H
#define AG_CLI_GRANT_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct arg_list;

/* The `grants` array of a request. Errors: AG_EUSAGE with a sentence. */
AG_CHECK AG_NONNULL enum ag_err grant_list(const struct arg_list *texts,
                                           json_t **ret);

#endif
