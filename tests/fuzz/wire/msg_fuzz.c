/* The strict decoder: any text, into a message with every type of field and
 * through pointers and the walk. */
#include "unit/wire/sample.h"
#include "wire/json.h"

enum {
    STEP_MAX_BYTES = 500, /* a longer step of a pointer is refused */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return secret_arena_open(1024 * 1024) == AG_OK ? 0 : 1;
}

static enum ag_err
visit(void *ctx, struct span pointer, struct span text)
{
    json_t *at = NULL;

    (void)text;
    /* What the walk names can be found again. */
    AG_ASSERT(pointer.len > STEP_MAX_BYTES ||
              wjson_at(ctx, pointer, &at) == AG_OK);
    return AG_OK;
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
    if (wjson_parse(span_of(data, size), WJSON_MAX_BYTES, &tree) == AG_OK) {
        (void)!wjson_walk(tree, visit, tree);
    }
    AG_ASSERT(secret_arena_used_bytes() == 0);
    return 0;
}
