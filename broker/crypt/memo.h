/*
 * memo.h - what the last token shown at one place hashed to, so that who shows
 * the same one again is known without parsing and hashing it again. The token
 * itself is not kept: only a tag of its text under a random key.
 * Floor: crypt. Depends on: crypt/token, libsodium.
 *
 * Tag: SipHash-2-4 with 128 bits, under a key of 128 bits that lives as long as
 * the memo. To be taken for the token shown before, another text must meet the
 * tag by chance, 2^-128, without a way to try in quiet.
 */
#ifndef AG_CRYPT_MEMO_H
#define AG_CRYPT_MEMO_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "crypt/token.h"

enum {
    MEMO_KEY_BYTES = 16,
    MEMO_TAG_BYTES = 16,
};

/* Zeros: nothing is remembered. Threads: one at a time. */
struct token_memo {
    bool filled;
    uint8_t key[MEMO_KEY_BYTES];
    uint8_t tag[MEMO_TAG_BYTES];
    uint8_t hash[TOKEN_HASH_BYTES];
};

/* The hash of this very text, if it is the one remembered. Constant time in
 * its content. */
AG_NONNULL bool token_memo_find(const struct token_memo *memo, struct span text,
                                uint8_t out[TOKEN_HASH_BYTES]);

/* Remembers that `text`, which token_hash() has found good, has this hash. */
AG_NONNULL void token_memo_keep(struct token_memo *memo, struct span text,
                                const uint8_t hash[TOKEN_HASH_BYTES]);

#endif
