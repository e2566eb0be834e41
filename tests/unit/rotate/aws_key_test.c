/* Acts of aws-access-key, against a service that checks who asks. */
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "common/check.h"
#include "common/provider.h"
#include "rotate/rotator.h"
#include "rotate/service.h"
#include "wire/json.h"

static struct upstream *u;
static char key[512]; /* the user's first, as it is stored */

static int
setup(void **state)
{
    struct upstream_limits limits = upstream_limits_default();

    (void)state;
    check_ok(secret_arena_open((size_t)1024 * 1024));
    provider_start();
    check_ok(upstream_new(&limits, NULL, &u));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    upstream_free(u);
    assert_int_equal(secret_arena_used_bytes(), 0);
    return provider_stop();
}

static json_t *
control(const char *what)
{
    AG_AUTO(service_answer) struct service_answer answer = {0};
    struct service_base base = {0};
    json_t *tree = NULL;
    char target[64];
    struct service_request request = {
        .base = &base, .method = "GET", .target = target, .owner = 1};

    (void)snprintf(target, sizeof(target), "/control/%s", what);
    check_ok(service_base_read(provider.url, true, &base));
    check_ok(service_call(u, &request, &answer));
    check_ok(
        wjson_parse(secret_view(answer.body), SERVICE_ANSWER_MAX_BYTES, &tree));
    return tree;
}

static void
fresh_user(void)
{
    AG_AUTO(wjson) json_t *tree = control("reset");
    size_t len = json_dumpb(tree, key, sizeof(key) - 1, 0);

    assert_true(len < sizeof(key));
    key[len] = '\0';
}

static size_t
key_count(void)
{
    AG_AUTO(wjson) json_t *state = control("state");

    return json_object_size(json_object_get(state, "keys"));
}

static void
act(struct rotator_call *call, const char *old, const struct secret *new,
    struct rotator_answer *ret)
{
    AG_AUTO(secret) struct secret *old_value = NULL;
    AG_AUTO(wjson)
    json_t *params = json_pack("{s:s}", "endpoint", provider.url);
    const struct rotator *rotator = NULL;

    if (old != NULL) {
        check_ok(secret_from(span_str(old), &old_value));
    }
    check_ok(rotator_find("aws-access-key", &rotator));
    check_ok(rotator->check(params));
    call->rotation_id = 7;
    call->secret_name = "aws/ci";
    call->started_ms =
        call->started_ms != 0 ? call->started_ms : clock_wall_ms();
    call->params = params;
    call->old_value = old_value;
    call->new_value = new;
    call->upstream = u;
    check_ok(rotator->act(call, ret));
    assert_true(ret->outcome == ROTATOR_DONE || ret->value == NULL);
}

static void
check_act(enum rotator_act what, const struct secret *new,
          enum rotator_outcome outcome, const char *code)
{
    AG_AUTO(rotator_answer) struct rotator_answer answer = {0};
    struct rotator_call call = {.act = what};

    act(&call, key, new, &answer);
    assert_string_equal(answer.code, code);
    assert_int_equal(answer.outcome, outcome);
}

/* A user with a second key, made by `prepare`. */
static struct secret *
prepared(void)
{
    struct rotator_answer answer = {0};
    struct rotator_call call = {.act = ROTATOR_PREPARE};

    fresh_user();
    act(&call, key, NULL, &answer);
    assert_int_equal(answer.outcome, ROTATOR_DONE);
    assert_non_null(answer.value);
    assert_int_equal(key_count(), 2);
    return answer.value;
}

/* ---- */

static void
test_a_key_is_made_verified_and_the_old_one_deleted(void **state)
{
    AG_AUTO(secret) struct secret *new = prepared();

    (void)state;
    check_act(ROTATOR_VERIFY, new, ROTATOR_DONE, "");
    check_act(ROTATOR_RETIRE, new, ROTATOR_DONE, "");
    assert_int_equal(key_count(), 1);
    check_act(ROTATOR_RETIRE, new, ROTATOR_DONE, ""); /* again */
    assert_int_equal(key_count(), 1);
    check_act(ROTATOR_VERIFY, new, ROTATOR_DONE, "");
}

static void
test_an_undo_deletes_the_new_one(void **state)
{
    AG_AUTO(secret) struct secret *new = prepared();

    (void)state;
    check_act(ROTATOR_UNDO, new, ROTATOR_DONE, "");
    check_act(ROTATOR_UNDO, new, ROTATOR_DONE, "");
    assert_int_equal(key_count(), 1);
    check_act(ROTATOR_VERIFY, new, ROTATOR_LATER, "key_unknown");
}

static void
test_a_key_that_nobody_heard_of_is_found_by_its_age(void **state)
{
    struct secret *new = NULL;

    (void)state;
    new = prepared();
    secret_free(new);
    check_act(ROTATOR_UNDO, NULL, ROTATOR_DONE, "");
    assert_int_equal(key_count(), 1);
    /* A prepare that is repeated makes it anew. */
    new = prepared();
    secret_free(new);
    check_act(ROTATOR_PREPARE, NULL, ROTATOR_DONE, "");
    assert_int_equal(key_count(), 2);
}

static void
test_a_key_of_before_is_somebodys(void **state)
{
    AG_AUTO(rotator_answer) struct rotator_answer answer = {0};
    struct rotator_call call = {.act = ROTATOR_UNDO};

    (void)state;
    fresh_user();
    json_decref(control("second"));
    check_act(ROTATOR_PREPARE, NULL, ROTATOR_REFUSED, "two_keys");
    check_act(ROTATOR_UNDO, NULL, ROTATOR_DONE, "");
    assert_int_equal(key_count(), 2);
    /* Our clock went back: nothing can be told. */
    call.started_ms = clock_wall_ms() + INT64_C(3600000);
    act(&call, key, NULL, &answer);
    assert_int_equal(key_count(), 2);
}

static void
test_what_is_not_certain_is_unsure(void **state)
{
    static const struct {
        const char *action;
        const char *fault;
        const char *code;
        enum rotator_act act;
        enum rotator_outcome outcome;
    } ROWS[] = {
        {"ListAccessKeys", "garbage", "garbage", ROTATOR_PREPARE,
         ROTATOR_LATER},
        {"ListAccessKeys", "refused", "access_denied", ROTATOR_PREPARE,
         ROTATOR_REFUSED},
        {"GetCallerIdentity", "garbage", "garbage", ROTATOR_VERIFY,
         ROTATOR_UNSURE},
        {"GetCallerIdentity", "cut", "garbage", ROTATOR_VERIFY, ROTATOR_UNSURE},
        {"GetCallerIdentity", "refused", "access_denied", ROTATOR_VERIFY,
         ROTATOR_REFUSED},
        {"GetCallerIdentity", "throttled", "throttled", ROTATOR_VERIFY,
         ROTATOR_LATER},
        {"UpdateAccessKey", "garbage", "garbage", ROTATOR_RETIRE,
         ROTATOR_UNSURE},
        {"DeleteAccessKey", "error_before", "http_500", ROTATOR_RETIRE,
         ROTATOR_UNSURE},
        {"DeleteAccessKey", "cut", "garbage", ROTATOR_UNDO, ROTATOR_UNSURE},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        AG_AUTO(secret) struct secret *new = prepared();

        provider_fault(ROWS[i].action, ROWS[i].fault);
        check_act(ROWS[i].act, new, ROWS[i].outcome, ROWS[i].code);
    }
}

static void
test_a_value_that_is_no_key_is_refused(void **state)
{
    AG_AUTO(secret) struct secret *same = NULL;

    (void)state;
    fresh_user();
    check_ok(secret_from(span_str(key), &same));
    check_act(ROTATOR_RETIRE, same, ROTATOR_REFUSED, "same_key");
    check_act(ROTATOR_UNDO, same, ROTATOR_REFUSED, "same_key");
    check_act(ROTATOR_RETIRE, NULL, ROTATOR_REFUSED, "value_gone");
    (void)snprintf(key, sizeof(key), "a password");
    check_act(ROTATOR_PREPARE, NULL, ROTATOR_REFUSED, "not_an_access_key");
    assert_int_equal(key_count(), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_made_verified_and_the_old_one_deleted),
        cmocka_unit_test(test_an_undo_deletes_the_new_one),
        cmocka_unit_test(test_a_key_that_nobody_heard_of_is_found_by_its_age),
        cmocka_unit_test(test_a_key_of_before_is_somebodys),
        cmocka_unit_test(test_what_is_not_certain_is_unsure),
        cmocka_unit_test(test_a_value_that_is_no_key_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
