/* Decoders of base64, base32, base62 and hex: what decodes encodes back to the
 * same text (base32: to its canonical form), the rest is refused. */
#include <string.h>

#include "base/encode.h"
#include "base/secret.h"

int LLVMFuzzerInitialize(const int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(const int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    AG_ASSERT(secret_arena_open((size_t)1024 * 1024) == AG_OK);
    return 0;
}

static void
check_base64(struct span text)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    AG_AUTO(buf) struct buf again;

    buf_init(&again, (size_t)1024 * 1024, BUF_WIPE);
    if (decode_base64_secret(text, &plain) == AG_OK) {
        AG_ASSERT(encode_base64(secret_view(plain), &again) == AG_OK);
        AG_ASSERT(span_equal(buf_view(&again), text));
    }
}

static void
check_base32(struct span text)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    AG_AUTO(secret) struct secret *canon = NULL;
    AG_AUTO(secret) struct secret *again = NULL;

    if (decode_base32_secret(text, &plain) == AG_OK) {
        AG_ASSERT(encode_base32_secret(secret_view(plain), &canon) == AG_OK);
        AG_ASSERT(secret_len(canon) == text.len);
        AG_ASSERT(decode_base32_secret(secret_view(canon), &again) == AG_OK);
        AG_ASSERT(secret_equal(plain, again));
    }
}

static void
check_base62(struct span text)
{
    uint8_t number[32];
    char again[43];

    if (text.len == sizeof(again) &&
        decode_base62(text, number, sizeof(number)) == AG_OK) {
        AG_ASSERT(encode_base62(span_of(number, sizeof(number)), sizeof(again),
                                again) == AG_OK);
        AG_ASSERT(memcmp(again, text.ptr, sizeof(again)) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);

    check_base64(text);
    check_base32(text);
    check_base62(text);
    AG_ASSERT(secret_arena_used_bytes() == 0);
    return 0;
}
