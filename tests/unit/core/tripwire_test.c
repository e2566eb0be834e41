/* What a task may ask of the filter: so many questions, so few hits on values it
 * has no grant for, and no names. */
#include "common/broker.h"
#include "core/handout.h"
#include "core/redaction.h"
#include "core/state.h"
#include "core/tripwire.h"
#include "store/incidents.h"

static void
ask_as_task(const char *text, enum ag_err want)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = {0};

    check_ok(
        access_check(flow.core, flow.task_peer, span_str(task.token), &call));
    check_err(record_redact(flow.core, &call, span_str(text), &answer), want);
    if (want == AG_OK) {
        assert_string_equal(text_at(answer, "text"), "[redacted]");
        assert_int_equal(json_object_size(json_object_get(answer, "counts")),
                         0);
    }
    access_done(flow.core, &call);
}

/* What it had in its hands is an incident of its own. */
static void
check_in_doubt(int64_t task_id)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(incident_row) struct incident_row row = {0};
    const struct incident_row of = {.task_id = task_id};

    check_ok(store_read(flow.core->store, &r));
    check_ok(incidents_open_of(r, &of, &row));
    assert_int_equal(row.source, INCIDENT_TRIPWIRE);
}

static void
test_guessing_by_the_filter_ends_the_task(void **state)
{
    static const char FOREIGN[] = "another-value-98765432-of-no-grant";

    (void)state;
    put("foreign/one", FOREIGN, NULL);
    start_task();
    for (int i = 0; i < TRIPWIRE_HITS_MAX_COUNT; i++) {
        ask_as_task(FOREIGN, AG_OK);
    }
    assert_null(ended_reason);
    ask_as_task(FOREIGN, AG_OK);
    assert_string_equal(ended_reason, "alarm");
    check_err(show_token(flow.task_peer, task.token), AG_EREVOKED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

/* What `run` writes where the task can read it: counted while it runs. */
static void
test_guessing_by_ones_own_output_ends_the_task(void **state)
{
    struct stream_terms terms = {.audience = FILTER_OPERATOR};
    AG_AUTO(wjson)
    json_t *own =
        json_pack("{s:i, s:i}", "github/bot", 99, REDACTION_TOKEN_NAME, 99);
    AG_AUTO(wjson)
    json_t *foreign =
        json_pack("{s:i}", "foreign/one", (int)TRIPWIRE_HITS_MAX_COUNT + 1);

    (void)state;
    start_task();
    terms.task_id = strtoll(task.id, NULL, 10);
    handout_stream_hits(flow.core, &terms, foreign); /* a person's eyes */
    terms.audience = FILTER_TASK;
    handout_stream_hits(flow.core, &terms, own);
    handout_stream_hits(flow.core, &terms, NULL);
    assert_null(ended_reason);
    handout_stream_hits(flow.core, &terms, foreign);
    assert_string_equal(ended_reason, "alarm");
    check_in_doubt(terms.task_id);
    handout_lost(flow.core, terms.task_id);
}

static void
test_questions_to_the_filter_are_counted(void **state)
{
    (void)state;
    start_task();
    for (int i = 0; i < TRIPWIRE_ASKS_MAX_COUNT; i++) {
        ask_as_task(VALUE, AG_OK); /* granted: never a tripwire */
    }
    ask_as_task(VALUE, AG_ERATE);
    assert_null(ended_reason);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

/* After a commit that failed the rows still say that the tokens live. */
static void
test_a_task_that_was_cut_off_stays_so_when_the_rows_are_read_again(void **state)
{
    (void)state;
    start_task();
    core_cut_task(flow.core, strtoll(task.id, NULL, 10), "alarm");
    assert_string_equal(ended_reason, "alarm");
    check_err(show_token(flow.task_peer, task.token), AG_EREVOKED);
    core_reload(flow.core);
    check_err(show_token(flow.task_peer, task.token), AG_EREVOKED);
    handout_lost(flow.core, strtoll(task.id, NULL, 10));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guessing_by_the_filter_ends_the_task),
        cmocka_unit_test(test_guessing_by_ones_own_output_ends_the_task),
        cmocka_unit_test(test_questions_to_the_filter_are_counted),
        cmocka_unit_test(
            test_a_task_that_was_cut_off_stays_so_when_the_rows_are_read_again),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
