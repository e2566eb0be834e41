/*
 * plan_proxy.h - one --proxy of `auth-guard run`: a list of KEY=VALUE with
 * commas between them.
 * Floor: cli/run. Depends on: jansson, base/parse.
 *
 * secret=REF is needed; upstream=URL says where the value may go (a new place
 * needs the passphrase); url-env=VAR gets the address to call instead, and
 * key-env=VAR the placeholder. Where it stands: header=NAME, query=NAME,
 * basic=USER or json=POINTER (RFC 6901, into a body of 64 KiB at most), with
 * format=TEXT ({} is the value); without them it is
 * Authorization: Bearer. Bounds: uses=N requests in all, rate=N/s, N/m or N/h,
 * bytes=N of bodies both ways. `inner` allows an upstream on this machine or its
 * networks, `optional` requests without the value.
 */
#ifndef AG_CLI_RUN_PLAN_PROXY_H
#define AG_CLI_RUN_PLAN_PROXY_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

/* Appends what `text` says to `list`. Errors: AG_EUSAGE; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err plan_proxy(const char *text, json_t *list);

#endif
