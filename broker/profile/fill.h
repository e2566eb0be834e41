/*
 * fill.h - the characters of a placeholder that carry nothing: a keyed stream,
 * the same for the same id and length.
 * Floor: profile. Depends on: profile/code, base/secret, libsodium.
 */
#ifndef AG_PROFILE_FILL_H
#define AG_PROFILE_FILL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct secret;

struct fill {
    uint8_t seed[32];
    uint8_t block[64];
    uint64_t count;
    size_t at;
};

/* `key` has CODE_KEY_BYTES (asserted). */
AG_NONNULL void fill_init(struct fill *f, const struct secret *key, uint64_t id,
                          size_t len);
/* Wipes. */
AG_NONNULL void fill_done(struct fill *f);
AG_DEFINE_CLEANUP_INPLACE(fill, fill_done)

AG_NONNULL uint8_t fill_byte(struct fill *f);

/* One of `alphabet`, each as likely. */
AG_NONNULL uint8_t fill_char(struct fill *f, const char *alphabet);

/* A letter of the same case for a letter, a digit for a digit; any other
 * character is kept. */
AG_NONNULL uint8_t fill_class(struct fill *f, uint8_t c);

extern const char FILL_LETTERS[];
extern const char FILL_BASE64URL[];

#endif
