/*
 * github_params.h - the parameters of github-app, as its rule has them.
 * Floor: rotate, and only this folder includes it. Depends on: jansson,
 * rotate/service.
 */
#ifndef AG_ROTATE_GITHUB_PARAMS_H
#define AG_ROTATE_GITHUB_PARAMS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct buf;
struct service_base;

enum {
    GITHUB_INSTALLATION_BYTES = 24, /* digits, with a NUL */
};

/* All of them, strictly. Errors: AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err github_check(const json_t *params);

/* Where its API is. Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err github_base(const json_t *params,
                                            struct service_base *ret);

/* The installation's number; false: it is none. */
AG_CHECK AG_NONNULL bool
github_installation(const json_t *params, char out[GITHUB_INSTALLATION_BYTES]);

/* Appends what a token is asked for with: {"repositories", "permissions"}, each
 * only if the rule has it. Errors: AG_ENOMEM, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err github_body(const json_t *params,
                                            struct buf *out);

#endif
