/* The strict decoder: any text, into a message with every type of field. */
#include "unit/wire/sample.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return secret_arena_open(1024 * 1024) == AG_OK ? 0 : 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample out;
    AG_AUTO(wjson) json_t *tree = NULL;

    if (msg_decode(&SAMPLE, span_of(data, size), WJSON_MAX_BYTES, &out) ==
        AG_OK) {
        msg_done(&SAMPLE, &out);
    }
    (void)!wjson_parse(span_of(data, size), WJSON_MAX_BYTES, &tree);
    AG_ASSERT(secret_arena_used_bytes() == 0);
    return 0;
}
