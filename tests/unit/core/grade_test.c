/* What a profile's tool is given at which grade, and who may say otherwise. */
#include "unit/core/grade_rig.h"

/* ---- which grade ---- */

static void
test_the_best_grade_is_the_default(void **state)
{
    AG_AUTO(secret) struct secret *value = NULL;
    const json_t *args = NULL;
    char field[GRANT_FIELD_BYTES];

    (void)state;
    put("codex/default", API_LOGIN, NULL);
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_PROOF));
    assert_int_equal(
        json_array_size(json_object_get(started.answer, "deliveries")), 1);
    check_delivery(0, "env", "proxy");
    value = handed(0);
    assert_int_equal(secret_len(value), strlen(API_KEY));
    assert_false(holds(value, API_KEY));
    assert_true(holds(value, "sk-proj-"));
    check_ok(part_name(0, 0, field, sizeof(field)));
    assert_string_equal(field, "/OPENAI_API_KEY");
    check_err(part_name(0, 1, field, sizeof(field)), AG_ENOTFOUND);
    args = json_array_get(json_object_get(started.answer, "args"), 0);
    assert_non_null(args);
    end();
}

static void
test_a_login_of_another_kind_goes_another_way(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    char field[GRANT_FIELD_BYTES];

    (void)state;
    put("codex/default", LOGIN(ACCESS, REFRESH, OLD_TIME), NULL);
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_OPERATOR));
    check_delivery(0, "file", "proxy");
    file = handed(0);
    assert_false(holds(file, ACCESS));
    assert_false(holds(file, REFRESH));
    assert_false(holds(file, ID_TOKEN));
    assert_true(holds(file, "acc-1"));
    assert_true(holds(file, OLD_TIME));
    check_ok(part_name(0, 0, field, sizeof(field)));
    assert_string_equal(field, "/tokens/id_token");
    check_ok(part_name(0, 1, field, sizeof(field)));
    assert_string_equal(field, "/tokens/access_token");
    check_err(part_name(0, 3, field, sizeof(field)), AG_ENOTFOUND);
    check_err(part_name(1, 0, field, sizeof(field)), AG_ENOTFOUND);
    end();
}

/* However a task spells the host: no way past the broker's own refresh. */
static void
test_a_service_is_known_by_any_spelling(void **state)
{
    static const char *const services[] = {"chatgpt.com", "chatgpt.com:443",
                                           "ChatGPT.com:443"};
    static const char *const refreshes[] = {
        "auth.openai.com", "auth.openai.com:443", "AUTH.openai.com"};
    const struct span path = span_str("/oauth/token");
    int64_t id = 0;

    (void)state;
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_OPERATOR));
    id = refresh_of_service(flow.core, started.id, span_str(services[0]));
    assert_true(id != 0);
    for (size_t i = 0; i < AG_COUNT(services); i++) {
        assert_int_equal(
            refresh_of_service(flow.core, started.id, span_str(services[i])),
            id);
        assert_int_equal(
            refresh_at(flow.core, started.id, span_str(refreshes[i]), path),
            id);
    }
    assert_int_equal(
        refresh_at(flow.core, started.id, span_str("auth.openai.com:80"), path),
        0);
    assert_int_equal(
        refresh_at(flow.core, started.id, span_str("auth.openai.com."), path),
        0);
    end();
}

static void
test_two_tasks_share_a_login_at_proxy_only(void **state)
{
    const char *const name = "codex";
    const struct task_request request = {
        .name = "tool", .profiles = &name, .profile_count = 1};
    struct call call = call_of(flow.stranger_peer);
    AG_AUTO(wjson) json_t *second = NULL;

    (void)state;
    call.who = CALLER_PROOF;
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_PROOF));
    check_ok(act(do_start, &call, &request, &second));
    handout_lost(flow.core, strtoll(text_at(second, "id"), NULL, 10));
    end();
    check_ok(start("codex", TASK_GRADE_FILE, CALLER_PROOF));
    check_err(act(do_start, &call, &request, &second), AG_EHELD);
    end();
}

static void
test_a_worse_grade_is_the_operators_word(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    AG_AUTO(wjson) json_t *ledger = NULL;
    const json_t *row = NULL;

    (void)state;
    check_err(start("codex", TASK_GRADE_FILE, CALLER_OPERATOR), AG_EPROOF);
    check_ok(start("codex", TASK_GRADE_FILE, CALLER_PROOF));
    check_delivery(0, "file", "file");
    file = handed(0);
    assert_true(holds(file, ACCESS));
    check_ok(record_exposure(flow.core, "codex/default", NULL, &ledger));
    row = json_array_get(json_object_get(ledger, "exposure"), 0);
    assert_string_equal(text_at(row, "grade"), "file");
    assert_string_equal(text_at(row, "instead_of"), "proxy");
    end();
}

static void
test_what_was_the_best_is_no_downgrade(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    AG_AUTO(wjson) json_t *ledger = NULL;

    (void)state;
    put("gh/default", "github.com:\n    oauth_token: gho_no_shape_here\n",
        NULL);
    check_ok(start("gh", TASK_GRADE_BEST, CALLER_OPERATOR));
    check_delivery(0, "file", "file");
    file = handed(0);
    assert_non_null(file);
    check_ok(record_exposure(flow.core, "gh/default", NULL, &ledger));
    assert_null(json_object_get(
        json_array_get(json_object_get(ledger, "exposure"), 0), "instead_of"));
    end();
}

static void
test_no_word_overrules_the_secret(void **state)
{
    (void)state;
    put("codex/proxied", LOGIN(ACCESS, REFRESH, OLD_TIME), "proxy");
    check_err(start("codex=codex/proxied", TASK_GRADE_FILE, CALLER_PROOF),
              AG_EGRADE);
    check_ok(start("codex=codex/proxied", TASK_GRADE_BEST, CALLER_PROOF));
    end();
    put("gh/proxied", "github.com:\n    oauth_token: gho_x\n", "proxy");
    check_err(start("gh=gh/proxied", TASK_GRADE_BEST, CALLER_PROOF), AG_EGRADE);
    check_err(start("codex=codex/none", TASK_GRADE_BEST, CALLER_PROOF),
              AG_ENOTFOUND);
}

static void
test_a_grade_that_can_not_be_had_is_said(void **state)
{
    (void)state;
    check_err(start("gh", TASK_GRADE_PROXY, CALLER_PROOF), AG_EUNSUPPORTED);
    check_err(start("codex", TASK_GRADE_SIGN, CALLER_PROOF), AG_EUNSUPPORTED);
    put("codex/brief", "{\"OPENAI_API_KEY\":\"sk-short\"}", "env");
    check_err(start("codex=codex/brief", TASK_GRADE_PROXY, CALLER_PROOF),
              AG_EUNSUPPORTED);
    check_ok(start("codex=codex/brief", TASK_GRADE_BEST, CALLER_PROOF));
    check_delivery(0, "file", "file");
    end();
    check_ok(start("codex=codex/brief", TASK_GRADE_ENV, CALLER_PROOF));
    check_delivery(0, "env", "env");
    end();
    check_err(start("codex", TASK_GRADE_ENV, CALLER_PROOF), AG_EUNSUPPORTED);
}

static void
test_where_it_may_go_is_sealed_with_proof(void **state)
{
    (void)state;
    put("codex/unsealed", API_LOGIN, NULL);
    check_err(start("codex=codex/unsealed", TASK_GRADE_BEST, CALLER_OPERATOR),
              AG_EPROOF);
    check_ok(start("codex=codex/unsealed", TASK_GRADE_BEST, CALLER_PROOF));
    end();
    check_ok(start("codex=codex/unsealed", TASK_GRADE_BEST, CALLER_OPERATOR));
    end();
}

/* ---- by the pattern of a grant ---- */

static void
put_login(const char *name, const char *text)
{
    AG_AUTO(secret) struct secret *value = secret_of(text);
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {.name = name,
                                        .value = value,
                                        .profile = "openai",
                                        .min_grade = "env",
                                        .if_version = -1};

    check_ok(act(do_put, &call, &request, NULL));
}

static enum ag_err
start_by(const char *pattern, const char *verb, enum caller_class who)
{
    const struct task_grant_request grant = {
        .secret = pattern, .verb = verb, .uses = -1};
    const struct task_request request = {
        .name = "reader", .grants = &grant, .grant_count = 1};
    struct call call = call_of(flow.operator_peer);
    enum ag_err err;

    forget();
    call.who = who;
    err = act(do_start, &call, &request, &started.answer);
    if (err == AG_OK) {
        started.id = strtoll(text_at(started.answer, "id"), NULL, 10);
        (void)snprintf(task.token, sizeof(task.token), "%s",
                       text_at(started.answer, "token"));
    }
    return err;
}

static void
test_a_pattern_is_as_bad_as_its_worst(void **state)
{
    AG_AUTO(wjson) json_t *ledger = NULL;

    (void)state;
    put("team/plain", VALUE, NULL);
    check_ok(start_by("team/*", "read", CALLER_OPERATOR));
    check_ok(read_as_task(task.token, "team/plain"));
    end();
    put_login("team/login", API_KEY);
    check_err(start_by("team/*", "read", CALLER_OPERATOR), AG_EPROOF);
    check_err(start_by("*", "read", CALLER_OPERATOR), AG_EPROOF);
    check_err(start_by("team/*", "env", CALLER_OPERATOR), AG_EPROOF);
    check_ok(start_by("other/*", "read", CALLER_OPERATOR));
    end();
    check_ok(start_by("team/*", "read", CALLER_PROOF));
    check_ok(read_text_as_task(task.token, "team/login", API_KEY));
    check_ok(read_as_task(task.token, "team/plain"));
    end();
    check_ok(record_exposure(flow.core, "team/login", NULL, &ledger));
    assert_string_equal(
        text_at(json_array_get(json_object_get(ledger, "exposure"), 0),
                "instead_of"),
        "proxy");
}

static void
test_what_a_pattern_matches_later_was_not_approved(void **state)
{
    (void)state;
    check_ok(start_by("team/*", "read", CALLER_PROOF));
    put("team/later", VALUE, NULL);
    put_login("team/late-login", API_KEY);
    check_ok(read_as_task(task.token, "team/later"));
    check_err(read_text_as_task(task.token, "team/late-login", API_KEY),
              AG_EGRADE);
    check_ok(read_text_as_task(task.token, "team/login", API_KEY));
    check_err(read_text_as_task(task.token, "team/late-login", API_KEY),
              AG_EGRADE);
    /* Nor by a narrower token of its own. */
    make_child(
        (struct token_request){
            .grants =
                &(const struct task_grant_request){
                    .secret = "team/late-login", .verb = "read", .uses = -1},
            .grant_count = 1},
        AG_OK);
    check_err(read_text_as_task(task.child, "team/late-login", API_KEY),
              AG_EGRADE);
    end();
    check_ok(start_by("team/late-login", "read", CALLER_PROOF));
    check_ok(read_text_as_task(task.token, "team/late-login", API_KEY));
    end();
}

/* One named while it had no better way stays what it was. */
static void
test_what_was_named_is_approved(void **state)
{
    (void)state;
    put("team/turned", API_KEY, NULL);
    check_ok(start_by("team/turned", "read", CALLER_OPERATOR));
    put_login("team/turned", API_KEY);
    check_ok(read_text_as_task(task.token, "team/turned", API_KEY));
    end();
    check_err(start_by("team/turned", "read", CALLER_OPERATOR), AG_EPROOF);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_best_grade_is_the_default),
        cmocka_unit_test(test_a_login_of_another_kind_goes_another_way),
        cmocka_unit_test(test_a_service_is_known_by_any_spelling),
        cmocka_unit_test(test_two_tasks_share_a_login_at_proxy_only),
        cmocka_unit_test(test_a_worse_grade_is_the_operators_word),
        cmocka_unit_test(test_what_was_the_best_is_no_downgrade),
        cmocka_unit_test(test_no_word_overrules_the_secret),
        cmocka_unit_test(test_a_grade_that_can_not_be_had_is_said),
        cmocka_unit_test(test_where_it_may_go_is_sealed_with_proof),
        cmocka_unit_test(test_a_pattern_is_as_bad_as_its_worst),
        cmocka_unit_test(test_what_a_pattern_matches_later_was_not_approved),
        cmocka_unit_test(test_what_was_named_is_approved),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
