/* Incidents on a real store with a real filter: what opens one, what is counted
 * to it, what follows by the secret's rule. */
#include <unistd.h>

#include "common/rotating.h"
#include "core/danger.h"
#include "core/incident.h"
#include "store/exposure.h"
#include "store/versions.h"

enum {
    WAIT_MAX_COUNT = 1000, /* looks of 10 ms */
};

static int64_t
version_row_of(const char *name, int64_t number)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct version_row version = {0};
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);

    check_ok(store_read(flow.core->store, &r));
    check_ok(versions_get(r, id, number, &version));
    return version.id;
}

/* The filter found the whole value of a version in the output of `task_id`. */
static void
see(const char *name, int64_t number, bool is_sure, int64_t task_id)
{
    const struct incident_sight sight = {
        .value_id = (uint64_t)version_row_of(name, number) << FILTER_GROUP_BITS,
        .form = "base64",
        .is_sure = is_sure,
        .count = 3};

    incident_seen(flow.core, task_id, &sight, 1);
}

static json_t *
list(bool all)
{
    json_t *answer = NULL;

    check_ok(core_incident_list(flow.core, all, &answer));
    return answer;
}

/* The newest one's member, as text in *out. */
static void
newest(const char *member, char *out, size_t size)
{
    AG_AUTO(wjson) json_t *answer = list(true);
    const json_t *value = json_object_get(
        json_array_get(json_object_get(answer, "incidents"), 0), member);

    if (json_is_integer(value)) {
        (void)snprintf(out, size, "%lld", (long long)json_integer_value(value));
    } else {
        (void)snprintf(out, size, "%s",
                       json_is_string(value) ? json_string_value(value) : "-");
    }
}

static void
check_newest(const char *member, const char *want)
{
    char text[256];

    newest(member, text, sizeof(text));
    assert_string_equal(text, want);
}

static size_t
open_count(void)
{
    AG_AUTO(wjson) json_t *answer = list(false);

    return json_array_size(json_object_get(answer, "incidents"));
}

static void
close_newest(void)
{
    struct call call = call_of(flow.operator_peer);
    char id[32];

    newest("incident", id, sizeof(id));
    check_ok(core_incident_close(flow.core, &call, id, NULL));
}

static enum ag_err
do_patch(struct core *core, struct db_tx *tx, const struct call *call,
         const void *request, json_t **ret)
{
    (void)ret;
    return core_secret_patch(core, tx, call, request);
}

static enum ag_err
set_on_leak(const char *name, const char *word)
{
    struct call call = call_of(flow.operator_peer);
    const struct patch_request request = {.name = name, .on_leak = word};

    return act(do_patch, &call, &request, NULL);
}

static enum ag_err
leaked(const char *name, int64_t version, json_t **ret)
{
    struct call call = call_of(flow.operator_peer);
    const char *const names[] = {name};
    const struct leaked_request request = {
        .names = names, .name_count = 1, .version = version};
    json_t *answer = NULL;
    enum ag_err err = core_leaked(flow.core, &call, &request, &answer);

    if (ret != NULL && err == AG_OK) {
        *ret = answer;
    } else {
        json_decref(answer);
    }
    return err;
}

/* The broker's own thread has done what it will do. */
static void
wait_for_answer(const char *want)
{
    char text[32] = "";

    for (int i = 0; i < WAIT_MAX_COUNT; i++) {
        newest("answer", text, sizeof(text));
        if (strcmp(text, want) == 0) {
            return;
        }
        (void)usleep(10000);
    }
    assert_string_equal(text, want);
}

static enum version_state
state_of(const char *name, int64_t number)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct version_row version = {0};
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);

    check_ok(store_read(flow.core->store, &r));
    check_ok(versions_get(r, id, number, &version));
    return version.state;
}

static int64_t
start_leaky(const char *ref)
{
    struct call call = call_of(flow.operator_peer);
    const struct task_env_request env = {.var = "X", .ref = ref};
    const struct task_request request = {
        .name = "leaky", .env = &env, .env_count = 1};
    AG_AUTO(wjson) json_t *answer = NULL;
    int64_t id = 0;

    check_ok(act(do_start, &call, &request, &answer));
    check_ok(core_parse_id(text_at(answer, "id"), &id));
    return id;
}

static void
unlock(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);
    const struct unlock_request request = {.passphrase = passphrase};

    check_ok(vault_unlock(flow.core, &call, &request, &answer));
}

/* ---- sightings ---- */

static void
test_one_is_open_and_what_comes_again_is_counted(void **state)
{
    AG_AUTO(wjson) json_t *again = NULL;

    (void)state;
    put("a/seen", "the-value-that-leaks", NULL);
    see("a/seen", 1, true, 0);
    check_newest("secret", "a/seen");
    check_newest("source", "output");
    check_newest("answer", "record");
    check_newest("seen", "3");
    for (int i = 0; i < 20; i++) {
        see("a/seen", 1, true, 0);
    }
    check_ok(leaked("a/seen", 0, &again));
    assert_false(json_is_true(json_object_get(
        json_array_get(json_object_get(again, "incidents"), 0), "new")));
    assert_int_equal(open_count(), 1);
    check_newest("seen", "64");
    /* Another version is another one; and so it is after the first is closed. */
    put("a/seen", "another-value-of-it", NULL);
    see("a/seen", 2, true, 0);
    assert_int_equal(open_count(), 2);
    check_newest("version", "2");
    close_newest();
    see("a/seen", 2, true, 0);
    assert_int_equal(open_count(), 2);
    check_newest("seen", "3");
    close_newest();
}

static void
test_sightings_that_are_kept_are_the_first_and_the_newest(void **state)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *seen = NULL;
    char id[32];

    (void)state;
    put("a/many", "a-value-seen-many-times", NULL);
    check_ok(leaked("a/many", 0, NULL));
    for (int i = 0; i < 3 * INCIDENT_KEEP_COUNT; i++) {
        see("a/many", 1, true, 0);
    }
    newest("incident", id, sizeof(id));
    check_ok(core_incident_show(flow.core, id, &answer));
    seen = json_object_get(answer, "seen_at");
    assert_int_equal(json_array_size(seen), INCIDENT_KEEP_COUNT);
    assert_string_equal(text_at(json_array_get(seen, 0), "where"), "said");
    assert_string_equal(text_at(json_array_get(seen, 1), "where"), "output");
    assert_string_equal(text_at(answer, "state"), "current");
    close_newest();
}

static void
test_what_can_not_be_said_is_refused(void **state)
{
    const char *const twice[] = {"a/seen", "a/none"};
    struct call call = call_of(flow.operator_peer);
    struct leaked_request request = {.names = twice, .name_count = 2};
    size_t before = 0;
    json_t *answer = NULL;
    char id[32];

    (void)state;
    put("a/seen", "the-value-that-leaks", NULL);
    check_ok(leaked("a/seen", 1, NULL));
    close_newest();
    check_err(leaked("a/none", 0, NULL), AG_ENOTFOUND);
    check_err(leaked("a/seen", 99, NULL), AG_ENOTFOUND);
    /* All or none: the first of these is there. */
    check_err(core_leaked(flow.core, &call, &request, &answer), AG_ENOTFOUND);
    request.version = 1;
    check_err(core_leaked(flow.core, &call, &request, &answer), AG_EINVAL);
    request = (struct leaked_request){.name_count = 0};
    check_err(core_leaked(flow.core, &call, &request, &answer), AG_EINVAL);
    request = (struct leaked_request){
        .names = twice, .name_count = 1, .fingerprint = "~00"};
    check_err(core_leaked(flow.core, &call, &request, &answer), AG_EINVAL);
    assert_int_equal(open_count(), before);
    newest("incident", id, sizeof(id));
    check_err(core_incident_close(flow.core, &call, id, NULL), AG_ECONFLICT);
    check_err(core_incident_close(flow.core, &call, "0", NULL), AG_EINVAL);
    check_err(core_incident_show(flow.core, "99999", &answer), AG_ENOTFOUND);
}

/* ---- hold ---- */

static void
test_hold_lets_no_new_task_have_it(void **state)
{
    struct call call = call_of(flow.operator_peer);
    const struct task_env_request env = {.var = "X", .ref = "ag://a/hold"};
    const struct task_request request = {
        .name = "late", .env = &env, .env_count = 1};

    (void)state;
    put("a/hold", "a-value-to-be-held", NULL);
    check_err(set_on_leak("a/hold", "burn"), AG_EINVAL);
    check_err(set_on_leak("a/hold", "rotate"), AG_EINVAL); /* no rule */
    check_ok(set_on_leak("a/hold", "hold"));
    check_ok(leaked("a/hold", 0, NULL));
    check_newest("answer", "hold");
    check_err(act(do_start, &call, &request, NULL), AG_EONHOLD);
    /* It is in the rows: a lock does not end it. */
    check_ok(vault_lock(flow.core, &call));
    unlock();
    call = call_of(flow.operator_peer);
    check_err(act(do_start, &call, &request, NULL), AG_EONHOLD);
    close_newest();
    check_ok(act(do_start, &call, &request, NULL));
}

static void
test_hold_ends_what_a_task_reads_again_and_again(void **state)
{
    (void)state;
    start_task();
    check_ok(read_as_task(task.token, "github/bot"));
    check_ok(read_as_task(task.token, "github/bot")); /* from the shelf */
    check_ok(set_on_leak("github/bot", "hold"));
    check_ok(read_as_task(task.token, "github/bot"));
    check_ok(read_as_task(task.token, "github/bot"));
    check_ok(leaked("github/bot", 0, NULL));
    check_err(read_as_task(task.token, "github/bot"), AG_EONHOLD);
    close_newest();
    check_ok(read_as_task(task.token, "github/bot"));
    check_ok(set_on_leak("github/bot", "record"));
}

static void
test_what_is_not_sure_is_only_recorded(void **state)
{
    (void)state;
    put("a/hold", "another-value-held", NULL);
    check_ok(set_on_leak("a/hold", "hold"));
    see("a/hold", 1, false, 0); /* a part of it, or as a reader would see it */
    check_newest("answer", "record");
    see("a/hold", 1, true, 0); /* and then all of it */
    check_newest("answer", "hold");
    close_newest();
    put("a/short", "x7Kq2", NULL); /* met by chance, or guessed */
    check_ok(set_on_leak("a/short", "hold"));
    see("a/short", 1, true, 0);
    check_newest("answer", "record");
    close_newest();
}

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

#define TEST(test)                                                             \
    cmocka_unit_test_setup_teardown(test, open_with_clock, close_with_clock)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_open_and_what_comes_again_is_counted),
        TEST(test_sightings_that_are_kept_are_the_first_and_the_newest),
        TEST(test_what_can_not_be_said_is_refused),
        TEST(test_hold_lets_no_new_task_have_it),
        TEST(test_hold_ends_what_a_task_reads_again_and_again),
        TEST(test_what_is_not_sure_is_only_recorded),
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
