/*
 * The texts a token has one after the other: a renewal ends the one before, an
 * answer may get lost, and a copy ends everything that hangs from the token.
 */
#include "common/broker.h"
#include "core/renewal.h"
#include "core/state.h"
#include "store/tokens.h"

static enum ag_err
do_renew(struct core *core, struct db_tx *tx, const struct call *call,
         const void *request, json_t **ret)
{
    (void)request;
    return core_token_renew(core, tx, call, 0, ret);
}

static enum ag_err
do_role(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_role_create(core, tx, call, request, ret);
}

struct renewed {
    char text[64];
    int64_t generation;
};

static enum ag_err
renew_call(const struct call *call, struct renewed *ret)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    enum ag_err err = act(do_renew, call, NULL, &answer);

    if (err == AG_OK) {
        (void)snprintf(ret->text, sizeof(ret->text), "%s",
                       text_at(answer, "token"));
        ret->generation =
            json_integer_value(json_object_get(answer, "generation"));
    }
    return err;
}

static enum ag_err
renew(const char *text, struct renewed *ret)
{
    struct call call = {0};
    enum ag_err err =
        access_renewal(flow.core, flow.task_peer, span_str(text), &call);

    if (err == AG_OK) {
        err = renew_call(&call, ret);
        access_done(flow.core, &call);
    }
    return err;
}

/* The events of one kind so far. */
static int
recorded(const char *kind)
{
    AG_AUTO(wjson) json_t *tail = NULL;
    json_t *event = NULL;
    size_t index = 0;
    int count = 0;

    check_ok(record_audit(flow.core, -1, 500, &tail));
    json_array_foreach(json_object_get(tail, "rows"), index, event)
    {
        count += strcmp(text_at(event, "kind"), kind) == 0 ? 1 : 0;
    }
    return count;
}

static void
set_overlap(int64_t overlap_ms)
{
    struct core_settings settings = {.session_ms = 600000,
                                     .proof_ms = 600000,
                                     .task_ttl_ms = 600000,
                                     .task_ttl_max_ms = 600000,
                                     .wrap_ttl_max_ms = 600000,
                                     .renew_overlap_ms = overlap_ms,
                                     .task_tokens_max = 5,
                                     .marker = "[redacted:%s]"};

    core_set_settings(flow.core, &settings);
}

static void
test_a_renewal_ends_the_text_before(void **state)
{
    struct renewed second = {0};
    struct renewed third = {0};
    int renewals = recorded("token.renewed");

    (void)state;
    start_task();
    check_ok(renew(task.token, &second));
    assert_int_equal(second.generation, 2);
    assert_string_not_equal(second.text, task.token);
    /* Nobody has used the new one: no copy is proved, and nothing ends. */
    check_err(read_as_task(task.token, "github/bot"), AG_ERENEWED);
    check_ok(read_as_task(second.text, "github/bot"));
    check_ok(renew(second.text, &third));
    assert_int_equal(third.generation, 3);
    check_ok(read_as_task(third.text, "github/bot"));
    assert_int_equal(recorded("token.renewed"), renewals + 2);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_a_copy_ends_the_task(void **state)
{
    struct renewed second = {0};
    int clones = recorded("token.cloned");

    (void)state;
    start_task();
    make_child((struct token_request){.ttl_ms = 60000}, AG_OK);
    check_ok(renew(task.token, &second));
    check_ok(read_as_task(second.text, "github/bot"));
    check_ok(read_as_task(task.child, "github/bot"));
    check_err(read_as_task(task.token, "github/bot"), AG_ECLONED);
    assert_int_equal(recorded("token.cloned"), clones + 1);
    assert_string_equal(ended_reason, "alarm");
    check_err(read_as_task(second.text, "github/bot"), AG_EREVOKED);
    check_err(read_as_task(task.child, "github/bot"), AG_EREVOKED);
    check_err(read_as_task(task.token, "github/bot"), AG_EREVOKED);
    assert_int_equal(recorded("token.cloned"), clones + 1);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

/* The copy may be the one that renews. */
static void
test_a_copy_that_renews_ends_the_task(void **state)
{
    struct renewed second = {0};
    struct renewed again = {0};

    (void)state;
    start_task();
    check_ok(renew(task.token, &second));
    check_ok(read_as_task(second.text, "github/bot"));
    check_err(renew(task.token, &again), AG_ECLONED);
    check_err(read_as_task(second.text, "github/bot"), AG_EREVOKED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_a_lost_answer_is_asked_for_again(void **state)
{
    struct renewed lost = {0};
    struct renewed second = {0};
    struct renewed third = {0};

    (void)state;
    start_task();
    check_ok(renew(task.token, &lost));
    check_ok(renew(task.token, &lost));
    check_ok(renew(task.token, &second));
    assert_int_equal(second.generation, 4);
    check_ok(read_as_task(second.text, "github/bot"));
    /* And of what was renewed before, the same. */
    check_ok(renew(second.text, &third));
    check_ok(renew(second.text, &third));
    check_ok(read_as_task(third.text, "github/bot"));
    /* Whoever has the lost answer has a copy. */
    check_err(read_as_task(lost.text, "github/bot"), AG_ECLONED);
    check_err(read_as_task(third.text, "github/bot"), AG_EREVOKED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_an_old_generation_is_a_copy_also_while_a_new_one_waits(void **state)
{
    struct renewed second = {0};
    struct renewed third = {0};

    (void)state;
    start_task();
    check_ok(renew(task.token, &second));
    check_ok(renew(second.text, &third)); /* by which the second was used */
    check_err(renew(task.token, &third), AG_ECLONED);
    check_err(read_as_task(second.text, "github/bot"), AG_EREVOKED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

/* Both were looked at before either was renewed. */
static void
test_two_renewals_at_once_give_one_text(void **state)
{
    struct renewed second = {0};
    struct renewed other = {0};
    struct call one = {0};
    struct call two = {0};

    (void)state;
    start_task();
    check_ok(
        access_renewal(flow.core, flow.task_peer, span_str(task.token), &one));
    check_ok(
        access_renewal(flow.core, flow.task_peer, span_str(task.token), &two));
    check_ok(renew_call(&one, &second));
    check_ok(read_as_task(second.text, "github/bot"));
    check_err(renew_call(&two, &other), AG_ERENEWED);
    check_ok(read_as_task(second.text, "github/bot"));
    access_done(flow.core, &one);
    access_done(flow.core, &two);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

/* Nobody has used the new text yet, so a second one would end an honest task. */
static void
test_of_two_renewals_at_once_the_first_counts(void **state)
{
    struct renewed second = {0};
    struct renewed other = {0};
    struct call one = {0};
    struct call two = {0};

    (void)state;
    start_task();
    check_ok(
        access_renewal(flow.core, flow.task_peer, span_str(task.token), &one));
    check_ok(
        access_renewal(flow.core, flow.task_peer, span_str(task.token), &two));
    check_ok(renew_call(&one, &second));
    check_err(renew_call(&two, &other), AG_ERENEWED);
    access_done(flow.core, &one);
    access_done(flow.core, &two);
    /* Its answer got lost after all: asked for again. */
    check_ok(
        access_renewal(flow.core, flow.task_peer, span_str(task.token), &one));
    check_ok(
        access_renewal(flow.core, flow.task_peer, span_str(task.token), &two));
    check_ok(renew_call(&one, &second));
    assert_int_equal(second.generation, 3);
    check_err(renew_call(&two, &other), AG_ERENEWED);
    access_done(flow.core, &one);
    access_done(flow.core, &two);
    check_ok(read_as_task(second.text, "github/bot"));
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_a_child_is_renewed_by_itself(void **state)
{
    struct renewed second = {0};

    (void)state;
    start_task();
    make_child((struct token_request){.ttl_ms = 1000, .max_ttl_ms = 60000},
               AG_OK);
    check_ok(renew(task.child, &second));
    check_ok(read_as_task(second.text, "github/bot"));
    check_ok(read_as_task(task.token, "github/bot"));
    check_err(read_as_task(task.child, "github/bot"), AG_ECLONED);
    check_err(read_as_task(task.token, "github/bot"), AG_EREVOKED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_a_new_text_is_redacted(void **state)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct renewed second = {0};
    struct call call = call_of(flow.operator_peer);

    (void)state;
    start_task();
    check_ok(renew(task.token, &second));
    check_ok(core_hide(flow.core));
    check_ok(record_redact(flow.core, &call, span_str(second.text), &answer));
    assert_string_equal(text_at(answer, "text"), "[redacted:auth-guard/token]");
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_an_old_text_is_enough_to_revoke(void **state)
{
    struct renewed second = {0};
    struct call call = call_of(flow.operator_peer);
    const struct revoke_request request = {.token = task.token};

    (void)state;
    start_task();
    check_ok(renew(task.token, &second));
    check_ok(act(do_revoke, &call, &request, NULL));
    check_err(read_as_task(second.text, "github/bot"), AG_EREVOKED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static void
test_an_overlap_is_a_setting(void **state)
{
    struct renewed second = {0};

    (void)state;
    start_task();
    set_overlap(60000);
    check_ok(renew(task.token, &second));
    check_ok(read_as_task(task.token, "github/bot"));
    check_ok(read_as_task(second.text, "github/bot"));
    check_ok(read_as_task(task.token, "github/bot"));
    /* It reads on, and makes no second line of texts. */
    check_err(renew(task.token, &second), AG_ERENEWED);
    set_overlap(0);
    check_err(read_as_task(task.token, "github/bot"), AG_ECLONED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

static enum ag_err
check_at(enum live_text text, bool used, bool renews, int64_t wall_ms)
{
    const struct live_seen seen = {
        .text = text, .used = used, .renewed_ms = 100000};

    return renewal_check(flow.core, &seen, renews, wall_ms);
}

static void
test_a_clock_set_back_is_no_longer_overlap(void **state)
{
    (void)state;
    set_overlap(10000);
    check_ok(check_at(LIVE_BEFORE, true, false, 100000));
    check_ok(check_at(LIVE_BEFORE, true, false, 109999));
    check_err(check_at(LIVE_BEFORE, true, false, 110000), AG_ECLONED);
    check_err(check_at(LIVE_BEFORE, true, false, 99999), AG_ECLONED);
    check_err(check_at(LIVE_BEFORE, false, false, 110000), AG_ERENEWED);
    check_ok(check_at(LIVE_BEFORE, false, true, 110000));
    check_err(check_at(LIVE_BEFORE, true, true, 110000), AG_ECLONED);
    check_err(check_at(LIVE_OLD, false, true, 100000), AG_ECLONED);
    check_ok(check_at(LIVE_NOW, false, false, 99999));
    set_overlap(0);
}

static void
test_a_services_copy_ends_its_role(void **state)
{
    const struct role_request role = {.name = "nightly", .kind = "auditor"};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *roles = NULL;
    struct renewed second = {0};
    char first[64];
    int clones = recorded("token.cloned");

    (void)state;
    check_ok(act(do_role, &call, &role, &answer));
    (void)snprintf(first, sizeof(first), "%s", text_at(answer, "token"));
    check_ok(renew(first, &second));
    check_ok(show_token(flow.stranger_peer, second.text));
    check_err(show_token(flow.stranger_peer, first), AG_ECLONED);
    check_err(show_token(flow.stranger_peer, second.text), AG_EREVOKED);
    assert_int_equal(recorded("token.cloned"), clones + 1);
    check_ok(core_roles_list(flow.core, &roles));
    assert_int_equal(json_array_size(json_object_get(roles, "roles")), 0);
}

static void
check_damaged(const char *text)
{
    char scope[160];
    const struct token_row row = {.id = 7, .generation = 2, .scope = scope};
    struct live_line *there = NULL;

    (void)snprintf(scope, sizeof(scope), "%s", text);
    check_err(renewal_read(&row, &there), AG_ECORRUPT);
    assert_null(there);
}

static void
test_a_damaged_line_is_told(void **state)
{
    const struct token_row row = {.id = 7, .generation = 2};
    struct live_line *there = NULL;

    (void)state;
    check_damaged("{\"line\":{}}");
    check_damaged("{\"line\":7}");
    check_damaged(
        "{\"line\":{\"hash\":\"00\",\"text\":\"00\",\"before\":\"00\","
        "\"before_generation\":1,\"at\":1,\"used\":true}}");
    check_ok(renewal_read(&row, &there));
    assert_null(there);
}

/* Long after its end it is in no table: its rows tell it from one that never
 * was. */
static void
test_what_was_renewed_is_known_when_it_is_over(void **state)
{
    struct renewed second = {0};
    struct renewed third = {0};
    AG_AUTO(secret) struct secret *nobody = NULL;
    char text[64];

    (void)state;
    start_task();
    check_ok(renew(task.token, &second));
    check_ok(read_as_task(second.text, "github/bot"));
    check_ok(renew(second.text, &third));
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
    live_sweep(flow.core->live, INT64_MAX);
    check_err(read_as_task(third.text, "github/bot"), AG_EREVOKED);
    check_err(read_as_task(second.text, "github/bot"), AG_EREVOKED);
    check_err(read_as_task(task.token, "github/bot"), AG_EREVOKED);
    check_ok(token_new(TOKEN_TASK, &nobody));
    (void)snprintf(text, sizeof(text), "%.*s", (int)secret_view(nobody).len,
                   (const char *)secret_view(nobody).ptr);
    check_err(read_as_task(text, "github/bot"), AG_ENOTOKEN);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_renewal_ends_the_text_before),
        cmocka_unit_test(test_a_copy_ends_the_task),
        cmocka_unit_test(test_a_copy_that_renews_ends_the_task),
        cmocka_unit_test(test_a_lost_answer_is_asked_for_again),
        cmocka_unit_test(
            test_an_old_generation_is_a_copy_also_while_a_new_one_waits),
        cmocka_unit_test(test_two_renewals_at_once_give_one_text),
        cmocka_unit_test(test_of_two_renewals_at_once_the_first_counts),
        cmocka_unit_test(test_a_child_is_renewed_by_itself),
        cmocka_unit_test(test_a_new_text_is_redacted),
        cmocka_unit_test(test_an_old_text_is_enough_to_revoke),
        cmocka_unit_test(test_an_overlap_is_a_setting),
        cmocka_unit_test(test_a_clock_set_back_is_no_longer_overlap),
        cmocka_unit_test(test_a_services_copy_ends_its_role),
        cmocka_unit_test(test_a_damaged_line_is_told),
        cmocka_unit_test(test_what_was_renewed_is_known_when_it_is_over),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
