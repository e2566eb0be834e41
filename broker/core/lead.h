/*
 * lead.h - how a task's clients are led to the forward proxy: by variables, and
 * by an authority that they trust where the broker ends their TLS.
 * Floor: core. Depends on: core/proxied, tls/authority.
 */
#ifndef AG_CORE_LEAD_H
#define AG_CORE_LEAD_H

#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct authority_keys;
struct proxied;
struct task_request;

/* For task_request.keys, before the writer has it; *ret stays NULL where no
 * value can need an authority. Errors: AG_ENOMEM, AG_EINTERNAL. */
AG_CHECK AG_NONNULL enum ag_err lead_keys(const struct task_request *request,
                                          struct authority_keys **ret);

/*
 * Makes the authority of a task that is led there and has a value that goes
 * somewhere by https, of request->keys; others have none. Errors: AG_ENOMEM,
 * AG_EINVAL, AG_ELIMIT; AG_EINTERNAL there are no keys.
 */
AG_CHECK AG_NONNULL enum ag_err lead_prepare(const struct task_request *request,
                                             int64_t task_id, int64_t until_ms,
                                             struct proxied *set);

/*
 * Sets `forward`, what the command line needs: {wanted, urls: [VAR…], no_proxy:
 * [VAR…], set: {VAR: text…}, ca?, files: [VAR…]}. `wanted`: the task has hosts
 * to allow, or a value without an address of its own; an isolated one is led
 * there anyway. Errors: AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err lead_answer(const struct task_request *request,
                                            const struct proxied *set,
                                            json_t *answer);

#endif
