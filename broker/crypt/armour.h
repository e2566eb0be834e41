/*
 * armour.h - bytes between lines of BEGIN and END, as private keys lie in files.
 * Floor: crypt. Depends on: base/encode, base/secret, base/buf.
 */
#ifndef AG_CRYPT_ARMOUR_H
#define AG_CRYPT_ARMOUR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum {
    ARMOUR_MAX_BYTES = 4096, /* a text that is made: one key */
};

/* "-----BEGIN …": a private key or another thing in armour. */
bool armour_is(struct span text);

/* The text without the line ends behind it. */
struct span armour_trim(struct span text);

/* What stands in the armour `name`. Errors: AG_EINVAL another name, or no
 * base64; those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err armour_open(struct span text, const char *name,
                                            struct secret **ret);

/* Appends `der` in armour, without a newline at its end. Errors: AG_ELIMIT,
 * AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err armour_add(const char *name, size_t line_chars,
                                           struct span der, struct buf *out);

#endif
