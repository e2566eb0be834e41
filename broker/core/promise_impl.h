/*
 * promise_impl.h - the parts a promise is made of: promise.c has those by
 * reference and by profile, promise_proxy.c those that go through the proxy.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_PROMISE_IMPL_H
#define AG_CORE_PROMISE_IMPL_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/promise.h"

struct db_read;
struct secret_row;
struct task_proxy_request;

/* Errors: AG_ELIMIT, AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err promise_grant(struct promises *p,
                                              const char *secret,
                                              const char *field, enum verb verb,
                                              int64_t uses);

/* A secret that must be there and may travel so far. Errors: AG_ENOTFOUND,
 * AG_EGRADE, AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err promise_secret(struct db_read *r,
                                               const char *name, enum verb verb,
                                               struct secret_row *row);

/* `described` is stolen; NULL: AG_ENOMEM. */
AG_CHECK enum ag_err promise_delivery(struct promises *p,
                                      const struct delivery *delivery,
                                      json_t *described);

/* A value that goes through the proxy; where it may go is sealed already. */
AG_CHECK AG_NONNULL enum ag_err
promise_proxied(struct db_read *r, const struct task_proxy_request *wish,
                struct promises *p);

#endif
