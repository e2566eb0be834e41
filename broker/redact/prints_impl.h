/*
 * prints_impl.h - the file of fingerprints (prints.h), as its writer and its
 * reader share it. Nobody else includes it.
 * Floor: redact.
 */
#ifndef AG_REDACT_PRINTS_IMPL_H
#define AG_REDACT_PRINTS_IMPL_H

#include <sodium.h>

#include "redact/gram.h"
#include "redact/prints.h"

#define PRINTS_MAGIC "AGPRINT1"

enum {
    MAGIC_BYTES = 8,
    KEY_BYTES = 32,
    PRINT_BYTES = 16,
    HEAD_BYTES = MAGIC_BYTES + KEY_BYTES + 8 + 4 + 4,
    FORM_ROW_BYTES = 8 + PRINT_BYTES + 4 + 2 + 2 + 1 + 1,
    SUM_BYTES = 32,
};

_Static_assert(crypto_shorthash_KEYBYTES <= KEY_BYTES, "half of the key");
_Static_assert(MATCHER_PIECE_MAX_BYTES *VARIANT_GROWTH_MAX <= UINT16_MAX,
               "a form's length");

/* The two fingerprints. */
AG_NONNULL uint64_t prints_extent(const uint8_t key[KEY_BYTES],
                                  struct span extent);
AG_NONNULL void prints_whole(const uint8_t key[KEY_BYTES], struct span form,
                             uint8_t out[PRINT_BYTES]);

/* Of a file: all but the sum itself. */
AG_NONNULL void prints_sum(struct span file, uint8_t out[SUM_BYTES]);

#endif
