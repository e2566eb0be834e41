/*
 * An answer of a service, and the value it is for: the input is the status (two
 * bytes), the length of the value (two), the value, the answer. Whatever comes,
 * it is one of the three outcomes; new content has the same shape as the old
 * and can be refreshed again; a code is a word.
 */
#include <string.h>

#include "base/secret.h"
#include "profile/fields.h"
#include "rotate/oauth2.h"

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

static const struct profile_replace REPLACES[] = {
    {"access_token", "/t/a"},
    {"refresh_token", "/t/r"},
};
static const char *const PERMANENT[] = {"reused"};
static const struct profile_refresh REFRESH = {
    .body = REFRESH_BODY_FORM,
    .client_id = "c",
    .refresh_field = "/t/r",
    .access_field = "/t/a",
    .expiry = EXPIRY_JWT,
    .expiry_field = "/t/a",
    .stamp_field = "/s",
    .replaces = {REPLACES, 2},
    .permanent = {PERMANENT, 1},
};

static void
check(const struct oauth2_login *login, const struct oauth2_result *got)
{
    struct oauth2_login next = *login;

    AG_ASSERT(strlen(got->code) > 0);
    AG_ASSERT((got->outcome == OAUTH2_FRESH) == (got->content != NULL));
    AG_ASSERT(got->outcome != OAUTH2_DENIED ||
              strcmp(got->code, "reused") == 0);
    AG_ASSERT(got->retry_after_ms >= 0 &&
              got->retry_after_ms <= OAUTH2_RETRY_MAX_MS);
    if (got->content == NULL) {
        return;
    }
    next.content = secret_view(got->content);
    AG_ASSERT(fields_check(next.content, FORMAT_JSON) == AG_OK);
    if (oauth2_check(login) == AG_OK) {
        AG_ASSERT(oauth2_check(&next) == AG_OK);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oauth2_login login = {&REFRESH, FORMAT_JSON, {NULL, 0}};
    struct oauth2_answer answer = {0};
    struct oauth2_result got = {0};
    struct secret *body = NULL;
    int64_t ms = 0;
    size_t len = 0;

    if (size < 4 || size > (size_t)80 * 1024) {
        return 0;
    }
    answer.status = data[0] % 2 == 0 ? 200 : 100 + (data[1] * 2);
    len = (size_t)data[2] | (size_t)data[3] << 8;
    login.content = span_sub(span_of(data + 4, size - 4), 0, len);
    answer.body = span_sub(span_of(data + 4, size - 4), len, size);
    answer.retry_after = span_sub(answer.body, 0, 8);
    if (oauth2_body(&login, &body) == AG_OK) {
        secret_free(body);
    }
    (void)!oauth2_expiry(&login, &ms);
    if (oauth2_read(&login, &answer, &got) == AG_OK) {
        check(&login, &got);
    }
    oauth2_result_done(&got);
    AG_ASSERT(secret_arena_used_bytes() == 0);
    return 0;
}
