/* What becomes of a file of placeholders that the tool rewrites. */
#include "unit/core/grade_rig.h"

static void
test_placeholders_never_replace_values(void **state)
{
    AG_AUTO(secret) struct secret *file = NULL;
    AG_AUTO(secret) struct secret *later = NULL;
    AG_AUTO(secret) struct secret *moved = NULL;
    AG_AUTO(secret) struct secret *told = NULL;
    struct take_result result;
    char access[1024];

    (void)state;
    put("codex/default", LOGIN(ACCESS, REFRESH, OLD_TIME), NULL);
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_PROOF));
    file = handed(0);
    result = wrote(secret_view(file), AG_OK);
    assert_false(result.changed);
    assert_false(result.replace);
    /* Nothing but what is not secret: not the task's to say. */
    later = changed(file, span_str(OLD_TIME), "2999-01-01T00:00:00Z");
    result = wrote(secret_view(later), AG_OK);
    assert_false(result.changed);
    /* In another field, or in one that is not secret. */
    (void)snprintf(access, sizeof(access), "%.*s",
                   (int)member(file, "access_token").len,
                   (const char *)member(file, "access_token").ptr);
    moved = changed(file, member(file, "refresh_token"), access);
    (void)wrote(secret_view(moved), AG_EFILE);
    told = changed(file, span_str("acc-1"), access);
    (void)wrote(secret_view(told), AG_EFILE);
    (void)wrote(span_str("{nonsense"), AG_EINVAL);
    check_stored("codex/default", LOGIN(ACCESS, REFRESH, OLD_TIME));
    end();
}

static void
check_retained(int64_t version, const char *want)
{
    struct call call = call_of(flow.operator_peer);
    struct got got = {.request = {.name = "codex/default", .version = version}};
    struct got *request = &got;

    check_ok(act(do_get, &call, &request, NULL));
    check_span(secret_view(got.value), want);
    secret_free(got.value);
}

static void
check_beside(const struct take_result *result)
{
    assert_true(result->changed);
    assert_true(result->retained);
    assert_true(result->replace);
    assert_string_equal(result->name, "codex/default");
    check_stored("codex/default", LOGIN(ACCESS, REFRESH, OLD_TIME));
}

static enum ag_err
do_rollback(struct core *core, struct db_tx *tx, const struct call *call,
            const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_rollback(core, tx, call, "codex/default",
                                *(const int64_t *)request);
}

/* Of the same account, newer, whole: only the person may work by it. */
static void
test_a_login_of_the_tasks_own_waits_for_the_person(void **state)
{
    AG_AUTO(secret) struct secret *renewed = NULL;
    AG_AUTO(wjson) json_t *ledger = NULL;
    struct call call = call_of(flow.operator_peer);
    struct take_result result = {0};

    (void)state;
    hand_file_to_new_task();
    result = wrote(span_str(LOGIN(ACCESS_2, REFRESH_2, NEW_TIME)), AG_OK);
    check_beside(&result);
    check_retained(result.version, LOGIN(ACCESS_2, REFRESH_2, NEW_TIME));
    /* Redacted from now on. */
    check_gone(ACCESS_2);
    check_gone(REFRESH_2);
    /* What belongs there now: placeholders of the login that stays. */
    renewed = handed(0);
    assert_false(holds(renewed, ACCESS_2));
    assert_false(holds(renewed, REFRESH_2));
    assert_true(holds(renewed, OLD_TIME));
    assert_false(wrote(secret_view(renewed), AG_OK).changed);
    /* The task has seen what it wrote. */
    check_ok(record_exposure(flow.core, NULL, text_at(started.answer, "id"),
                             &ledger));
    assert_string_equal(
        text_at(json_array_get(json_object_get(ledger, "exposure"), 0),
                "grade"),
        "file");
    end();
    check_ok(act(do_rollback, &call, &result.version, NULL));
    check_stored("codex/default", LOGIN(ACCESS_2, REFRESH_2, NEW_TIME));
    result.version = 1;
    check_ok(act(do_rollback, &call, &result.version, NULL));
}

static void
test_what_is_ours_in_it_keeps_its_value(void **state)
{
    AG_AUTO(secret) struct secret *file = handed_file_of_new_task();
    AG_AUTO(secret)
    struct secret *half = changed(file, member(file, "access_token"), ACCESS_2);
    AG_AUTO(secret)
    struct secret *newer =
        changed(half, span_str(OLD_TIME), "2026-03-03T00:00:00Z");
    struct take_result result = wrote(secret_view(newer), AG_OK);

    (void)state;
    check_beside(&result);
    check_retained(result.version,
                   LOGIN(ACCESS_2, REFRESH, "2026-03-03T00:00:00Z"));
    end();
}

static void
test_an_older_login_or_anothers_is_kept_beside(void **state)
{
    AG_AUTO(secret) struct secret *other = NULL;
    AG_AUTO(secret)
    struct secret *login =
        secret_of(LOGIN(ACCESS_2, REFRESH, "2026-09-09T00:00:00Z"));
    struct take_result result = {0};

    (void)state;
    hand_file_to_new_task();
    result = wrote(span_str(LOGIN(ACCESS_2, REFRESH, "2025-01-01T00:00:00Z")),
                   AG_OK);
    check_beside(&result);
    other = changed(login, span_str("acc-1"), "acc-2");
    result = wrote(secret_view(other), AG_OK);
    check_beside(&result);
    end();
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placeholders_never_replace_values),
        cmocka_unit_test(test_a_login_of_the_tasks_own_waits_for_the_person),
        cmocka_unit_test(test_what_is_ours_in_it_keeps_its_value),
        cmocka_unit_test(test_an_older_login_or_anothers_is_kept_beside),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
