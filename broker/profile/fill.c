#include "profile/fill.h"

#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "profile/code.h"

/* What the seed is a hash of, before id and length: no step of code.c. */
static const uint8_t PURPOSE[8] = {'f', 'i', 'l', 'l', 'e', 'r', '-', '1'};

const char FILL_LETTERS[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const char FILL_BASE64URL[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

static void
put_u64(uint8_t out[8], uint64_t value)
{
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

void
fill_init(struct fill *f, const struct secret *key, uint64_t id, size_t len)
{
    uint8_t text[24];
    struct span k = secret_view(key);

    AG_ASSERT(k.len == CODE_KEY_BYTES);
    *f = (struct fill){.at = sizeof(f->block)};
    memcpy(text, PURPOSE, sizeof(PURPOSE));
    put_u64(text + 8, id);
    put_u64(text + 16, len);
    (void)crypto_generichash(f->seed, sizeof(f->seed), text, sizeof(text),
                             k.ptr, k.len);
}

void
fill_done(struct fill *f)
{
    wipe(f, sizeof(*f));
}

uint8_t
fill_byte(struct fill *f)
{
    if (f->at == sizeof(f->block)) {
        uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

        put_u64(nonce, f->count++);
        (void)crypto_stream_chacha20(f->block, sizeof(f->block), nonce,
                                     f->seed);
        f->at = 0;
    }
    return f->block[f->at++];
}

uint8_t
fill_char(struct fill *f, const char *alphabet)
{
    size_t count = strlen(alphabet);
    size_t even = 256 - 256 % count; /* above it some would come more often */
    uint8_t byte = fill_byte(f);

    while (byte >= even) {
        byte = fill_byte(f);
    }
    return (uint8_t)alphabet[byte % count];
}

uint8_t
fill_class(struct fill *f, uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return fill_char(f, "0123456789");
    }
    if (c >= 'a' && c <= 'z') {
        return fill_char(f, "abcdefghijklmnopqrstuvwxyz");
    }
    return c >= 'A' && c <= 'Z' ? fill_char(f, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
                                : c;
}
