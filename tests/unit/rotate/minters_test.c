/* github-app and aws-sts, against a service that checks who asks. */
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "common/check.h"
#include "common/provider.h"
#include "rotate/minter.h"
#include "rotate/service.h"
#include "tls/rs256.h"
#include "wire/json.h"

enum {
    HOUR_MS = 3600 * 1000,
};

static struct upstream *u;

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

/* ---- what is told and what is said ---- */

static json_t *
tree_of(const char *text)
{
    json_t *tree = NULL;

    check_ok(wjson_parse(span_str(text), strlen(text), &tree));
    return tree;
}

/* %s is where the service is. */
static void
act(const char *name, const char *params, const char *source,
    struct minter_call *call, struct minter_answer *ret)
{
    AG_AUTO(secret) struct secret *from = NULL;
    AG_AUTO(wjson) json_t *tree = NULL;
    const struct minter *minter = NULL;
    char text[1024];

    (void)snprintf(text, sizeof(text), "{\"endpoint\":\"%s%s\",%s}",
                   provider.url, strcmp(name, "aws-sts") == 0 ? "" : "/api/v3",
                   params);
    tree = tree_of(text);
    check_ok(secret_from(span_str(source), &from));
    check_ok(minter_find(name, &minter));
    check_ok(minter->check(tree));
    call->handle = "ag_7_handle";
    call->params = tree;
    call->source = from;
    call->upstream = u;
    call->now_ms = call->now_ms != 0 ? call->now_ms : clock_wall_ms();
    call->expires_ms =
        call->expires_ms != 0 ? call->expires_ms : call->now_ms + HOUR_MS;
    check_ok(minter->act(call, ret));
    assert_true(ret->outcome == ROTATOR_DONE || ret->value == NULL);
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

static size_t
alive(const char *what)
{
    AG_AUTO(wjson) json_t *state = control("state");

    return json_object_size(json_object_get(state, what));
}

static void
check_said(const struct minter_answer *answer, enum rotator_outcome outcome,
           const char *code)
{
    assert_string_equal(answer->code, code);
    assert_int_equal(answer->outcome, outcome);
}

/* ---- github-app ---- */

#define APP  "\"app\":1234,\"installation\":77"
#define APPS "\"app\":\"1234\",\"installation\":\"77\""

static void
mint_token(const char *params, struct minter_answer *ret)
{
    struct minter_call call = {.act = MINTER_MINT};

    act("github-app", params, provider.key, &call, ret);
}

static void
test_a_token_is_made_and_revoked(void **state)
{
    AG_AUTO(minter_answer) struct minter_answer made = {0};
    AG_AUTO(minter_answer) struct minter_answer gone = {0};
    AG_AUTO(minter_answer) struct minter_answer again = {0};
    struct minter_call call = {.act = MINTER_REVOKE};
    json_t *tokens = NULL;
    json_t *tree = NULL;

    (void)state;
    json_decref(control("reset"));
    mint_token(APPS ",\"repositories\":[\"site\"],\"permissions\":["
                    "\"contents:read\",\"issues:write\"]",
               &made);
    check_said(&made, ROTATOR_DONE, "");
    assert_true(secret_len(made.value) > 400); /* the long kind */
    assert_in_range((uint64_t)(made.expires_ms - clock_wall_ms()),
                    HOUR_MS - 60000, HOUR_MS + 1000);
    tree = control("state");
    tokens = json_object_iter_value(
        json_object_iter(json_object_get(tree, "tokens")));
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(tokens, "repositories"), 0)),
                        "site");
    tokens = json_object_get(tokens, "permissions");
    assert_int_equal(json_object_size(tokens), 2);
    assert_string_equal(json_string_value(json_object_get(tokens, "issues")),
                        "write");
    json_decref(tree);
    call.value = made.value;
    act("github-app", APP, provider.key, &call, &gone);
    check_said(&gone, ROTATOR_DONE, "");
    assert_int_equal(alive("tokens"), 0);
    act("github-app", APP, provider.key, &call, &again);
    check_said(&again, ROTATOR_DONE, "dead_already");
}

static void
test_what_github_refuses_is_refused(void **state)
{
    static const struct {
        const char *params;
        const char *code;
    } ROWS[] = {
        {"\"app\":\"4321\",\"installation\":77", "key_refused"},
        {"\"app\":1234,\"installation\":78", "installation_unknown"},
        {APP ",\"repositories\":\"other\"", "parameters_refused"},
        {APP ",\"permissions\":\"admin:write\"", "parameters_refused"},
    };

    (void)state;
    json_decref(control("reset"));
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        AG_AUTO(minter_answer) struct minter_answer answer = {0};

        mint_token(ROWS[i].params, &answer);
        check_said(&answer, ROTATOR_REFUSED, ROWS[i].code);
    }
    assert_int_equal(alive("tokens"), 0);
}

static const struct {
    const char *fault;
    enum rotator_outcome outcome;
    const char *code;
    size_t left; /* at the service */
} FAULTS[] = {
    {"throttled", ROTATOR_LATER, "http_429", 0},
    {"limited", ROTATOR_LATER, "http_403", 0},
    {"refused", ROTATOR_REFUSED, "http_403", 0},
    {"busy", ROTATOR_LATER, "http_503", 0},
    {"error_before", ROTATOR_UNSURE, "http_500", 0},
    {"error_after", ROTATOR_UNSURE, "http_500", 1},
    {"drop_before", ROTATOR_UNSURE, "upstream_broken", 0},
    {"drop_after", ROTATOR_UNSURE, "upstream_broken", 1},
    {"garbage", ROTATOR_UNSURE, "garbage", 1},
    {"cut", ROTATOR_UNSURE, "garbage", 1},
    {"flood", ROTATOR_UNSURE, "limit", 1},
    {"redirect", ROTATOR_UNSURE, "http_302", 1},
};

static void
test_what_may_have_been_made_is_unsure(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(FAULTS); i++) {
        AG_AUTO(minter_answer) struct minter_answer answer = {0};

        json_decref(control("reset"));
        provider_fault("mint", FAULTS[i].fault);
        mint_token(APP, &answer);
        check_said(&answer, FAULTS[i].outcome, FAULTS[i].code);
        assert_int_equal(alive("tokens"), FAULTS[i].left);
    }
}

static void
test_a_revoke_is_done_only_when_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(FAULTS); i++) {
        AG_AUTO(minter_answer) struct minter_answer made = {0};
        AG_AUTO(minter_answer) struct minter_answer gone = {0};
        AG_AUTO(minter_answer) struct minter_answer again = {0};
        struct minter_call call = {.act = MINTER_REVOKE};

        json_decref(control("reset"));
        mint_token(APP, &made);
        call.value = made.value;
        provider_fault("revoke", FAULTS[i].fault);
        act("github-app", APP, provider.key, &call, &gone);
        /* A 204 has no body to be wrong; libcurl sends what has none again
         * when a connection at rest is gone. */
        if (gone.outcome == ROTATOR_DONE) {
            assert_int_equal(alive("tokens"), 0);
        } else {
            assert_int_equal(gone.outcome, FAULTS[i].outcome);
        }
        act("github-app", APP, provider.key, &call, &again);
        assert_int_equal(again.outcome, ROTATOR_DONE);
        assert_int_equal(alive("tokens"), 0);
    }
}

static void
test_a_token_that_nobody_heard_of_ends_by_itself(void **state)
{
    AG_AUTO(minter_answer) struct minter_answer early = {0};
    AG_AUTO(minter_answer) struct minter_answer late = {0};
    struct minter_call call = {.act = MINTER_REVOKE};

    (void)state;
    act("github-app", APP, provider.key, &call, &early);
    check_said(&early, ROTATOR_LATER, "ends_by_itself");
    call.now_ms = call.expires_ms;
    act("github-app", APP, provider.key, &call, &late);
    check_said(&late, ROTATOR_DONE, "ended_by_itself");
}

#define EMPTY_KEY                                                              \
    "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"

static void
check_suits(const char *name, const char *source, const char *why)
{
    AG_AUTO(secret) struct secret *from = NULL;
    AG_AUTO(wjson) json_t *params = json_object();
    const struct minter *minter = NULL;

    check_ok(secret_from(span_str(source), &from));
    check_ok(minter_find(name, &minter));
    check_err(minter->suits(params, from), why == NULL ? AG_OK : AG_EINVAL);
    assert_true(why == NULL || strstr(err_text(AG_EINVAL), why) != NULL);
}

static void
test_a_source_that_is_no_key_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        "not a key",
        EMPTY_KEY,
    };
    char pem[sizeof(provider.key)];

    (void)state;
    for (size_t i = 0; i <= AG_COUNT(BAD); i++) {
        AG_AUTO(minter_answer) struct minter_answer answer = {0};
        struct minter_call call = {.act = MINTER_MINT};

        (void)snprintf(pem, sizeof(pem), "%s", provider.key);
        pem[strlen(pem) / 2] = '\0'; /* cut */
        act("github-app", APP, i < AG_COUNT(BAD) ? BAD[i] : pem, &call,
            &answer);
        check_said(&answer, ROTATOR_REFUSED, "not_a_private_key");
        check_suits("github-app", i < AG_COUNT(BAD) ? BAD[i] : pem, ".pem");
    }
    check_suits("github-app", provider.key, NULL);
}

/* ---- aws-sts ---- */

#define ROLE  "\"role\":\"arn:aws:iam::123456789012:role/agent\""
#define OUTER "\"role\":\"arn:aws:iam::123456789012:role/outside\""

static char aws_key[512];

static void
fresh_user(void)
{
    AG_AUTO(wjson) json_t *key = control("reset");

    assert_true(json_dumpb(key, aws_key, sizeof(aws_key), 0) < sizeof(aws_key));
    aws_key[json_dumpb(key, aws_key, sizeof(aws_key), 0)] = '\0';
}

static void
mint_session(const char *params, int64_t ttl_ms, struct minter_answer *ret)
{
    struct minter_call call = {.act = MINTER_MINT,
                               .now_ms = clock_wall_ms(),
                               .expires_ms = clock_wall_ms() + ttl_ms};

    act("aws-sts", params, aws_key, &call, ret);
}

static void
test_a_source_that_is_no_access_key_is_told(void **state)
{
    (void)state;
    fresh_user();
    check_suits("aws-sts", aws_key, NULL);
    check_suits("aws-sts", "{\"AccessKeyId\":\"AKIA\"}", "section default");
}

static void
test_a_session_is_made_of_a_role(void **state)
{
    static const struct {
        int64_t ttl_ms;
        int64_t life_ms;
    } LIVES[] = {{10000, 900000}, {HOUR_MS, HOUR_MS}, {99999000, 43200000}};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LIVES); i++) {
        AG_AUTO(minter_answer) struct minter_answer made = {0};
        AG_AUTO(wjson) json_t *value = NULL;
        json_t *tree = NULL;
        json_t *session = NULL;

        fresh_user();
        mint_session(ROLE ",\"policy\":{\"Version\":\"2012-10-17\"}",
                     LIVES[i].ttl_ms, &made);
        check_said(&made, ROTATOR_DONE, "");
        check_ok(wjson_parse(secret_view(made.value), 8192, &value));
        assert_int_equal(json_object_size(value), 5);
        assert_int_equal(json_integer_value(json_object_get(value, "Version")),
                         1);
        tree = control("state");
        session = json_object_get(
            json_object_get(tree, "sessions"),
            json_string_value(json_object_get(value, "AccessKeyId")));
        assert_true(json_equal(json_object_get(session, "secret"),
                               json_object_get(value, "SecretAccessKey")));
        assert_true(json_equal(json_object_get(session, "token"),
                               json_object_get(value, "SessionToken")));
        assert_string_equal(
            json_string_value(json_object_get(session, "session")),
            "ag_7_handle");
        assert_string_equal(
            json_string_value(json_object_get(session, "policy")),
            "{\"Version\":\"2012-10-17\"}");
        json_decref(tree);
        assert_in_range((uint64_t)(made.expires_ms - clock_wall_ms()),
                        (uint64_t)LIVES[i].life_ms - 12000,
                        (uint64_t)LIVES[i].life_ms + 1000);
    }
}

static void
test_a_role_of_others_wants_its_external_id(void **state)
{
    AG_AUTO(minter_answer) struct minter_answer refused = {0};
    AG_AUTO(minter_answer) struct minter_answer made = {0};

    (void)state;
    fresh_user();
    mint_session(OUTER, HOUR_MS, &refused);
    check_said(&refused, ROTATOR_REFUSED, "access_denied");
    mint_session(OUTER ",\"external_id\":\"shared-42\"", HOUR_MS, &made);
    check_said(&made, ROTATOR_DONE, "");
}

static void
test_faults_of_sts(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(FAULTS); i++) {
        AG_AUTO(minter_answer) struct minter_answer answer = {0};

        fresh_user();
        provider_fault("AssumeRole", FAULTS[i].fault);
        mint_session(ROLE, HOUR_MS, &answer);
        assert_int_equal(answer.outcome, FAULTS[i].outcome);
        assert_int_equal(alive("sessions"), FAULTS[i].left);
    }
}

static void
test_a_session_of_aws_ends_by_itself(void **state)
{
    AG_AUTO(minter_answer) struct minter_answer early = {0};
    AG_AUTO(minter_answer) struct minter_answer late = {0};
    AG_AUTO(minter_answer) struct minter_answer bad = {0};
    struct minter_call call = {.act = MINTER_REVOKE};

    (void)state;
    act("aws-sts", ROLE, "{}", &call, &early);
    check_said(&early, ROTATOR_LATER, "ends_by_itself");
    call.now_ms = call.expires_ms + 1;
    act("aws-sts", ROLE, "{}", &call, &late);
    check_said(&late, ROTATOR_DONE, "ended_by_itself");
    call = (struct minter_call){.act = MINTER_MINT};
    act("aws-sts", ROLE, "{}", &call, &bad);
    check_said(&bad, ROTATOR_REFUSED, "not_an_access_key");
}

/* ---- parameters ---- */

static void
test_wrong_parameters_are_refused(void **state)
{
    static const struct {
        const char *minter;
        const char *params;
    } BAD[] = {
        {"github-app", "{}"},
        {"github-app", "{\"app\":1}"},
        {"github-app", "{\"app\":0,\"installation\":7}"},
        {"github-app", "{\"app\":\"a b\",\"installation\":7}"},
        {"github-app", "{\"app\":1,\"installation\":\"7/../8\"}"},
        {"github-app", "{\"app\":1,\"installation\":-7}"},
        {"github-app", "{" APP ",\"repositories\":[]}"},
        {"github-app", "{" APP ",\"repositories\":[\"a/b\"]}"},
        {"github-app", "{" APP ",\"repositories\":[1]}"},
        {"github-app", "{" APP ",\"permissions\":\"contents\"}"},
        {"github-app", "{" APP ",\"permissions\":\"contents:all\"}"},
        {"github-app", "{" APP ",\"permissions\":{\"contents\":\"read\"}}"},
        {"github-app", "{" APP ",\"endpoint\":\"http://ghe.example\"}"},
        {"github-app", "{" APP ",\"endpoint\":7}"},
        {"github-app", "{" APP ",\"repository\":\"site\"}"},
        {"aws-sts", "{}"},
        {"aws-sts", "{\"role\":\"agent\"}"},
        {"aws-sts", "{\"role\":\"arn:aws:iam::1:user/x\"}"},
        {"aws-sts", "{" ROLE ",\"policy\":\"no\"}"},
        {"aws-sts", "{" ROLE ",\"policy\":[]}"},
        {"aws-sts", "{" ROLE ",\"policy\":\"[]\"}"},
        {"aws-sts", "{" ROLE ",\"external_id\":\"x\"}"},
        {"aws-sts", "{" ROLE ",\"external_id\":\"a b\"}"},
        {"aws-sts", "{" ROLE ",\"section\":\"a/b\"}"},
        {"aws-sts", "{" ROLE ",\"region\":\"x y\"}"},
        {"aws-sts", "{" ROLE ",\"app\":1}"},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        const struct minter *minter = NULL;
        AG_AUTO(wjson) json_t *tree = tree_of(BAD[i].params);

        check_ok(minter_find(BAD[i].minter, &minter));
        check_err(minter->check(tree), AG_EINVAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_is_made_and_revoked),
        cmocka_unit_test(test_what_github_refuses_is_refused),
        cmocka_unit_test(test_what_may_have_been_made_is_unsure),
        cmocka_unit_test(test_a_revoke_is_done_only_when_it_is),
        cmocka_unit_test(test_a_token_that_nobody_heard_of_ends_by_itself),
        cmocka_unit_test(test_a_source_that_is_no_key_is_refused),
        cmocka_unit_test(test_a_source_that_is_no_access_key_is_told),
        cmocka_unit_test(test_a_session_is_made_of_a_role),
        cmocka_unit_test(test_a_role_of_others_wants_its_external_id),
        cmocka_unit_test(test_faults_of_sts),
        cmocka_unit_test(test_a_session_of_aws_ends_by_itself),
        cmocka_unit_test(test_wrong_parameters_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
