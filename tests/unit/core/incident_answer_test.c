/* What follows an incident: it is rotated, by the broker or by a person; and which
 * secrets are in danger. */
#include "common/incidents.h"
#include "core/danger.h"
#include "store/exposure.h"

/* ---- rotate ---- */

static void
test_rotate_is_done_at_once_and_without_grace(void **state)
{
    (void)state;
    begin("a/turn", HOUR_S);
    check_ok(set_on_leak("a/turn", "rotate"));
    (void)start_leaky("ag://a/turn"); /* it has the old one: not waited for */
    see("a/turn", 1, true, 0);
    wait_for_answer("done");
    check_current("a/turn", 2);
    assert_int_equal(state_of("a/turn", 1), VERSION_DESTROYED);
    close_newest();
}

static void
test_what_is_observed_is_retired_and_what_is_new_is_turned_again(void **state)
{
    (void)state;
    begin("a/twice", HOUR_S);
    check_run("a/twice", "rotated"); /* 1 is observed, for its grace */
    check_ok(set_on_leak("a/twice", "rotate"));
    see("a/twice", 2, true, 0);
    wait_for_answer("done");
    check_current("a/twice", 3);
    assert_int_equal(state_of("a/twice", 1), VERSION_DESTROYED);
    assert_int_equal(state_of("a/twice", 2), VERSION_DESTROYED);
    close_newest();
    check_run("a/twice", "rotated");
    see("a/twice", 3, true, 0);
    wait_for_answer("done");
    check_current("a/twice", 4);
    assert_int_equal(state_of("a/twice", 3), VERSION_DESTROYED);
    close_newest();
}

static void
test_what_is_not_current_needs_a_person(void **state)
{
    (void)state;
    begin("a/old", HOUR_S);
    put("a/old", "put-by-a-person", NULL); /* 1 may work at its provider */
    check_ok(set_on_leak("a/old", "rotate"));
    see("a/old", 1, true, 0);
    wait_for_answer("failed");
    check_current("a/old", 2);
    close_newest();
}

static void
test_from_an_incident_a_person_has_it_rotated(void **state)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    char id[32];

    (void)state;
    begin("a/hand", HOUR_S);
    see("a/hand", 1, true, 0);
    check_newest("answer", "record");
    newest("incident", id, sizeof(id));
    check_ok(core_incident_rotate(flow.core, &call, id, &answer));
    assert_int_equal(json_integer_value(json_object_get(answer, "rotated")), 1);
    check_current("a/hand", 2);
    check_newest("answer", "done");
    close_newest();
}

/* ---- after a task ---- */

static enum ag_err
do_expose(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    const struct exposure_row *seen = request;

    (void)core;
    (void)ret;
    check_ok(exposure_note(tx, seen, NULL));
    return core_note(tx, call, AUDIT_DELIVERED, seen->task_id, seen->secret_id,
                     json_object());
}

static void
expose(const char *name, enum verb verb, int64_t task_id)
{
    struct call call = call_of(flow.operator_peer);
    struct exposure_row seen = {.verb = verb, .task_id = task_id};

    seen.secret_id = secret_id_of(name, &seen.version);
    check_ok(act(do_expose, &call, &seen, NULL));
}

struct trip {
    int64_t task_id;
};

static enum ag_err
do_trip(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    (void)core;
    (void)call;
    (void)ret;
    return incident_tripped(tx, ((const struct trip *)request)->task_id,
                            "wrong_host", "proxy");
}

static void
test_after_a_task_is_rotated_what_it_had_in_its_hands(void **state)
{
    static const char *const WANT[] = {"t/leaked", "t/env", "t/file"};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *rotated = NULL;
    const json_t *rotate = NULL;
    char id[24];
    int64_t leaky = 0;

    (void)state;
    begin("t/env", 0);
    begin("t/file", 0);
    begin("t/proxy", 0);
    begin("t/leaked", 0);
    begin("t/gone", 0);
    leaky = start_leaky("ag://t/env");
    expose("t/file", VERB_FILE, leaky);
    expose("t/file", VERB_FILE, leaky);
    expose("t/env", VERB_ENV, leaky);
    expose("t/proxy", VERB_PROXY, leaky); /* it stayed with the broker */
    expose("t/gone", VERB_ENV, leaky);
    put("t/gone", "it was changed since", NULL);
    see("t/leaked", 1, true, leaky); /* a service said it */
    (void)snprintf(id, sizeof(id), "%lld", (long long)leaky);
    check_ok(record_exposure(flow.core, NULL, id, &answer));
    rotate = json_object_get(answer, "rotate");
    assert_int_equal(json_array_size(rotate), AG_COUNT(WANT));
    for (size_t i = 0; i < AG_COUNT(WANT); i++) {
        assert_string_equal(text_at(json_array_get(rotate, i), "secret"),
                            WANT[i]);
    }
    /* It trips a wire: one incident of the task, and from it all of these. */
    for (int i = 0; i < 3; i++) {
        check_ok(act(do_trip, &call, &(struct trip){leaky}, NULL));
    }
    check_ok(act(do_trip, &call, &(struct trip){0}, NULL));
    check_ok(act(do_trip, &call, &(struct trip){999999}, NULL));
    assert_int_equal(open_count(), 2);
    check_newest("source", "tripwire");
    check_newest("secret", "");
    check_newest("seen", "3");
    newest("incident", id, sizeof(id));
    check_ok(core_incident_rotate(flow.core, &call, id, &rotated));
    for (size_t i = 0; i < AG_COUNT(WANT); i++) {
        check_current(WANT[i], 2);
    }
    check_current("t/proxy", 1);
}

static void
test_secrets_are_ranked_by_danger(void **state)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *dangers = NULL;
    json_int_t last = 1000;

    (void)state;
    put("t/quiet", "a-value-nobody-has-seen", NULL);
    begin("t/proxy", 0);
    check_ok(leaked("t/proxy", 0, NULL));
    check_ok(core_dangers(flow.core, &answer));
    dangers = json_object_get(answer, "dangers");
    assert_string_equal(text_at(json_array_get(dangers, 0), "secret"),
                        "t/proxy");
    assert_string_equal(
        json_string_value(json_array_get(
            json_object_get(json_array_get(dangers, 0), "why"), 0)),
        "incident");
    for (size_t i = 0; i < json_array_size(dangers); i++) {
        json_int_t score = json_integer_value(
            json_object_get(json_array_get(dangers, i), "score"));

        assert_true(score <= last);
        last = score;
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rotate_is_done_at_once_and_without_grace),
        TEST(test_what_is_observed_is_retired_and_what_is_new_is_turned_again),
        TEST(test_what_is_not_current_needs_a_person),
        TEST(test_from_an_incident_a_person_has_it_rotated),
        TEST(test_after_a_task_is_rotated_what_it_had_in_its_hands),
        TEST(test_secrets_are_ranked_by_danger),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
