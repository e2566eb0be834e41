/* What was minted and leaked is revoked at its provider before its task ends. */
#include "common/incidents.h"
#include "common/minting.h"

static enum ag_err
note_state(const struct minted_row *row, void *arg)
{
    *(enum minted_state *)arg = row->state;
    return AG_OK;
}

/* Of the only one that is open. */
static enum minted_state
open_state(void)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum minted_state state = MINTED_LOST;

    check_ok(store_read(flow.core->store, &r));
    check_ok(minted_open_each(r, 0, 1, note_state, &state));
    return state;
}

static int64_t
made_for(int64_t task_id)
{
    AG_AUTO(secret) struct secret *value = NULL;
    int64_t version = 0;

    check_ok(get(task_id));
    check_ok(value_for(task_id, &value, &version));
    return version;
}

static void
test_it_is_revoked_at_once_and_made_anew(void **state)
{
    int64_t one = start_one();
    int64_t two = start_one();
    int64_t leaked_version = 0;
    int64_t other = 0;

    (void)state;
    script(NULL, 0);
    check_ok(set_on_leak("db/app", "rotate"));
    leaked_version = made_for(one);
    other = made_for(two);
    see("db/app", leaked_version, true, one);
    wait_for_answer("done");
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
    assert_int_equal(state_of("db/app", leaked_version), VERSION_DESTROYED);
    assert_int_equal(made_for(two), other); /* the other task's own */
    assert_int_not_equal(made_for(one), leaked_version);
    assert_int_equal(pgfake_count(&fake, "CREATE ROLE"), 3);
    close_newest();
    end_one(one);
    end_one(two);
    wait_open(0);
}

static void
test_a_guess_revokes_nothing(void **state)
{
    int64_t one = start_one();

    (void)state;
    script(NULL, 0);
    check_ok(set_on_leak("db/app", "rotate"));
    see("db/app", made_for(one), false, one);
    check_newest("answer", "record");
    assert_int_equal(open_state(), MINTED_LIVE);
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 0);
}

static void
check_rotate(const char *id, const char *want)
{
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *item = NULL;

    check_ok(core_incident_rotate(flow.core, &call, id, &answer));
    item = json_array_get(json_object_get(answer, "items"), 0);
    assert_string_equal(text_at(item, "result"), want);
}

/* Under "rotate" as long as it works. */
static void
check_listed(const char *id, bool want)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *list = NULL;
    const json_t *item = NULL;

    check_ok(core_incident_show(flow.core, id, &answer));
    list = json_object_get(answer, "rotate");
    assert_int_equal(json_array_size(list), want ? 1 : 0);
    if (want) {
        item = json_array_get(list, 0);
        assert_string_equal(text_at(item, "secret"), "db/app");
        assert_true(json_is_true(json_object_get(item, "minted")));
        assert_true(json_is_true(json_object_get(item, "has_rule")));
        assert_int_equal(
            json_integer_value(json_object_get(item, "version")),
            json_integer_value(json_object_get(answer, "version")));
    }
}

/* After a task: what was minted for it and leaked, and not another's. */
static void
test_it_is_listed_after_its_task(void **state)
{
    int64_t one = start_one();
    int64_t two = start_one();
    AG_AUTO(wjson) json_t *list = json_array();
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t version = 0;

    (void)state;
    script(NULL, 0);
    (void)made_for(two);
    version = made_for(one);
    see("db/app", version, true, one);
    check_ok(store_read(flow.core->store, &r));
    check_ok(incident_rotate_of_task(r, one, list));
    db_read_close(AG_TAKE(r));
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(list, 0), "version")),
        version);
    close_newest();
    end_one(one);
    end_one(two);
    wait_open(0);
}

static void
test_a_person_has_it_revoked_and_a_failure_is_tried_again(void **state)
{
    static const char *const ONCE[] = {NULL, NULL, "2BP01"};
    int64_t one = start_one();
    char id[32];

    (void)state;
    script(ONCE, AG_COUNT(ONCE));
    see("db/app", made_for(one), true, one);
    check_newest("answer", "record"); /* there is no rule */
    newest("incident", id, sizeof(id));
    check_listed(id, true);
    check_rotate(id, "failed");
    assert_int_equal(open_state(), MINTED_REVOKING);
    check_newest("answer", "record");
    check_rotate(id, "failed"); /* its pause is kept */
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 1);
    set_clock(now_ms + 1001);
    check_rotate(id, "revoked");
    assert_int_equal(pgfake_count(&fake, "DROP ROLE"), 2);
    check_newest("answer", "done");
    wait_open(0);
    check_rotate(id, "not_current"); /* nothing is left of it */
    check_listed(id, false);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MINTING(test_it_is_revoked_at_once_and_made_anew),
        MINTING(test_a_guess_revokes_nothing),
        MINTING(test_it_is_listed_after_its_task),
        MINTING(test_a_person_has_it_revoked_and_a_failure_is_tried_again),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
