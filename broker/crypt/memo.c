#include "crypt/memo.h"

#include <string.h>

#include <sodium.h>

_Static_assert((int)MEMO_KEY_BYTES == (int)crypto_shorthash_siphashx24_KEYBYTES,
               "key differs");
_Static_assert((int)MEMO_TAG_BYTES == (int)crypto_shorthash_siphashx24_BYTES,
               "tag differs");

static void
make_tag(const struct token_memo *memo, struct span text,
         uint8_t out[MEMO_TAG_BYTES])
{
    (void)crypto_shorthash_siphashx24(out, text.ptr, text.len, memo->key);
}

bool
token_memo_find(const struct token_memo *memo, struct span text,
                uint8_t out[TOKEN_HASH_BYTES])
{
    uint8_t tag[MEMO_TAG_BYTES];

    if (!memo->filled || text.len != TOKEN_CHARS) {
        return false;
    }
    make_tag(memo, text, tag);
    if (sodium_memcmp(tag, memo->tag, sizeof(tag)) != 0) {
        return false;
    }
    memcpy(out, memo->hash, TOKEN_HASH_BYTES);
    return true;
}

void
token_memo_keep(struct token_memo *memo, struct span text,
                const uint8_t hash[TOKEN_HASH_BYTES])
{
    AG_ASSERT(text.len == TOKEN_CHARS);
    if (!memo->filled) {
        randombytes_buf(memo->key, sizeof(memo->key));
    }
    make_tag(memo, text, memo->tag);
    memcpy(memo->hash, hash, TOKEN_HASH_BYTES);
    memo->filled = true;
}
