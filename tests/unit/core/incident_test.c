/* Incidents on a real store with a real filter: what opens one, what is counted
 * to it, what is held. What is rotated: incident_answer_test.c. */
#include "common/incidents.h"

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

/* Sixteen of the longest notes are more than a row takes. */
static void
test_long_notes_keep_nothing_from_being_counted(void **state)
{
    char note[INCIDENT_NOTE_MAX_BYTES + 1] = {0};
    const char *const names[] = {"a/noted"};
    const struct leaked_request request = {
        .names = names, .name_count = 1, .note = note};
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *shown = NULL;
    char id[32];

    (void)state;
    put("a/noted", "a-value-with-many-notes", NULL);
    memset(note, '"', INCIDENT_NOTE_MAX_BYTES);
    for (int i = 0; i < 40; i++) {
        AG_AUTO(wjson) json_t *answer = NULL;

        check_ok(core_leaked(flow.core, &call, &request, &answer));
    }
    check_ok(set_on_leak("a/noted", "hold"));
    see("a/noted", 1, true, 0);
    check_newest("seen", "43");
    newest("incident", id, sizeof(id));
    check_ok(core_incident_show(flow.core, id, &shown));
    assert_true(json_array_size(json_object_get(shown, "seen_at")) >= 8);
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
test_hold_keeps_back_what_was_promised(void **state)
{
    struct secret *value = NULL;

    (void)state;
    start_task();
    check_ok(set_on_leak("github/bot", "hold"));
    check_ok(leaked("github/bot", 0, NULL));
    check_err(handout_value(flow.core, &line, task.env_ticket, &value),
              AG_EONHOLD);
    close_newest();
}

static enum ag_err
do_wrap(struct core *core, struct db_tx *tx, const struct call *call,
        const void *request, json_t **ret)
{
    return core_wrap_make(core, tx, call, request, ret);
}

static enum ag_err
do_unwrap(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    enum ag_err outcome = AG_OK;
    enum ag_err err = core_wrap_open(core, tx, call, request, &value, &outcome);

    (void)ret;
    return err == AG_OK ? outcome : err;
}

/* Wrapped while it was free: that is not what a task has. */
static void
test_hold_keeps_a_wrap_closed(void **state)
{
    const struct wrap_request request = {.ref = "ag://github/bot"};
    struct call call = {0};
    AG_AUTO(wjson) json_t *answer = NULL;
    const char *text = NULL;

    (void)state;
    start_task();
    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.token), &call));
    check_ok(act(do_wrap, &call, &request, &answer));
    text = text_at(answer, "token");
    check_ok(set_on_leak("github/bot", "hold"));
    check_ok(leaked("github/bot", 0, NULL));
    check_err(act(do_unwrap, &call, text, NULL), AG_EONHOLD);
    check_err(act(do_unwrap, &call, text, NULL), AG_EONHOLD);
    close_newest();
    check_ok(act(do_unwrap, &call, text, NULL)); /* its only opening */
    check_err(act(do_unwrap, &call, text, NULL), AG_EUNWRAPPED);
    check_ok(set_on_leak("github/bot", "record"));
    access_done(flow.core, &call);
}

/* What a person, or the task itself, has redacted is no output of its. */
static void
test_only_the_output_of_a_task_opens_one(void **state)
{
    struct stream_terms terms = {.audience = FILTER_OPERATOR};
    struct incident_sight sight = {.form = "raw", .is_sure = true, .count = 1};

    (void)state;
    put("a/out", "a-value-in-an-output", NULL);
    sight.value_id = (uint64_t)version_row_of("a/out", 1) << FILTER_GROUP_BITS;
    handout_stream_seen(flow.core, &terms, &sight, 1);
    assert_int_equal(open_count(), 0);
    terms.is_output = true;
    handout_stream_seen(flow.core, &terms, &sight, 1);
    assert_int_equal(open_count(), 1);
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

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_open_and_what_comes_again_is_counted),
        TEST(test_sightings_that_are_kept_are_the_first_and_the_newest),
        TEST(test_long_notes_keep_nothing_from_being_counted),
        TEST(test_what_can_not_be_said_is_refused),
        TEST(test_hold_lets_no_new_task_have_it),
        TEST(test_hold_ends_what_a_task_reads_again_and_again),
        TEST(test_hold_keeps_back_what_was_promised),
        TEST(test_hold_keeps_a_wrap_closed),
        TEST(test_only_the_output_of_a_task_opens_one),
        TEST(test_what_is_not_sure_is_only_recorded),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
