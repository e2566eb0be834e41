/*
 * The scanners of all formats (.env, netrc, ini, …): the first byte chooses
 * one. What checks out walks without an error, every secret lies within the
 * input's length, and each field that a walk names can be asked for.
 */
#include <string.h>

#include "base/secret.h"
#include "profile/fields.h"

int LLVMFuzzerInitialize(const int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(const int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    AG_ASSERT(secret_arena_open((size_t)4 * 1024 * 1024) == AG_OK);
    return 0;
}

struct seen {
    size_t limit;
    char last[FIELD_POINTER_MAX_BYTES + 1];
};

static enum ag_err
see(void *arg, const char *pointer, struct secret *value)
{
    struct seen *seen = arg;

    AG_ASSERT(secret_len(value) <= seen->limit);
    AG_ASSERT(strlen(pointer) <= FIELD_POINTER_MAX_BYTES);
    memcpy(seen->last, pointer, strlen(pointer) + 1);
    secret_free(value);
    return AG_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const PATTERNS[] = {"/**"};
    struct profile_file file = {.secrets = {PATTERNS, 1}};
    struct secret *one = NULL;
    struct span content;
    struct seen seen;
    enum ag_err err;

    if (size == 0 || size > (size_t)64 * 1024) {
        return 0;
    }
    file.format = (enum file_format)(data[0] % (FORMAT_SQLITE + 1));
    content = span_of(data + 1, size - 1);
    seen = (struct seen){.limit = content.len};
    err = fields_secret(content, &file, see, &seen);
    AG_ASSERT(err == AG_OK);
    if (fields_check(content, file.format) == AG_OK && seen.last[0] != '\0' &&
        field_pointer_check(span_str(seen.last)) == AG_OK) {
        err = field_get(content, file.format, span_str(seen.last), &one);
        AG_ASSERT(err == AG_OK);
        secret_free(one);
    }
    file.secrets.count = 0;
    err = fields_secret(content, NULL, see, &seen);
    AG_ASSERT(err == AG_OK);
    AG_ASSERT(secret_arena_used_bytes() == 0);
    return 0;
}
