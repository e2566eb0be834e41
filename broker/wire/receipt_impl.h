/*
 * receipt_impl.h - what writing a receipt (receipt.c) and reading one
 * (receipt_read.c) share. Nobody else includes it.
 * Floor: wire.
 */
#ifndef AG_WIRE_RECEIPT_IMPL_H
#define AG_WIRE_RECEIPT_IMPL_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "wire/receipt.h"

#define RECEIPT_TYPE_PREFIX "application/vnd.auth-guard.receipt."
#define RECEIPT_TYPE        RECEIPT_TYPE_PREFIX "v1+json"

enum {
    RECEIPT_PAE_MAX_BYTES =
        RECEIPT_PAYLOAD_MAX_BYTES + 256, /* the type, two lengths */
};

extern const char *const RECEIPT_TIERS[RECEIPT_TIER_COUNT];
extern const char *const RECEIPT_LEVELS[RECEIPT_LEVEL_COUNT];

/* DSSE's pre-authentication encoding: what is signed. */
AG_CHECK AG_NONNULL enum ag_err receipt_put_pae(struct span payload,
                                                struct buf *out);

#endif
