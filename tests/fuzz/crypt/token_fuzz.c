/* Token text and recovery codes. A random text never carries a right checksum,
 * so each input is also made into a token and changed at one place. */
#include <string.h>

#include "base/secret.h"
#include "crypt/slot.h"
#include "crypt/token.h"

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
check_as_text(struct span text)
{
    for (int kind = TOKEN_TASK; kind <= TOKEN_PASS; kind++) {
        uint8_t raw[TOKEN_RAW_BYTES];
        char again[TOKEN_TEXT_BYTES];

        if (token_parse((enum token_kind)kind, text, raw) == AG_OK) {
            token_text((enum token_kind)kind, span_of(raw, sizeof(raw)), again);
            AG_ASSERT(span_is(text, again));
        }
    }
}

/* 32 bytes of the input as a token; the next two say where and what changes. */
static void
check_as_bytes(struct span in)
{
    uint8_t raw[TOKEN_RAW_BYTES];
    char text[TOKEN_TEXT_BYTES];
    size_t at;

    if (in.len < TOKEN_RAW_BYTES + 2) {
        return;
    }
    token_text(TOKEN_TASK, span_of(in.ptr, TOKEN_RAW_BYTES), text);
    AG_ASSERT(token_parse(TOKEN_TASK, span_str(text), raw) == AG_OK);
    AG_ASSERT(memcmp(raw, in.ptr, sizeof(raw)) == 0);
    at = in.ptr[TOKEN_RAW_BYTES] % TOKEN_CHARS;
    if ((uint8_t)text[at] != in.ptr[TOKEN_RAW_BYTES + 1]) {
        text[at] = (char)in.ptr[TOKEN_RAW_BYTES + 1];
        AG_ASSERT(token_parse(TOKEN_TASK, span_of(text, TOKEN_CHARS), raw) ==
                  AG_ETOKEN);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(secret) struct secret *code = NULL;
    struct span in = span_of(data, size);

    check_as_text(in);
    check_as_bytes(in);
    if (slot_recovery_parse(in, &code) == AG_OK) {
        AG_ASSERT(secret_len(code) == SLOT_RECOVERY_BYTES);
    }
    return 0;
}
