/* Journals keep the newest rows of what has ended; what leaves is on the record,
 * and out of the digest. */
#include "common/tamper.h"
#include "store/incidents.h"
#include "store/minted.h"
#include "store/notices.h"
#include "store/rotations.h"
#include "store/shed.h"
#include "wire/json.h"

/* So many rows of a journal, each ended, in one job. */
struct rows {
    int64_t secret_id;
    int64_t task_id;
    int count;
    enum ag_err (*add)(struct db_tx *tx, const struct rows *rows);
    bool fails; /* the job, at its end */
};

static enum ag_err
add_rotation(struct db_tx *tx, const struct rows *rows)
{
    char plan[] = "{}";
    struct rotation_row row = {
        .secret_id = rows->secret_id, .old_version = 1, .plan = plan};
    enum ag_err err = rotations_write(tx, &row);

    row.state = ROTATION_DONE;
    return err == AG_OK ? rotations_write(tx, &row) : err;
}

static enum ag_err
add_open_incident(struct db_tx *tx, void *arg)
{
    const int64_t *secret_id = arg;
    char detail[] = "{}";
    struct incident_row row = {.secret_id = *secret_id,
                               .version = 2,
                               .source = INCIDENT_SAID,
                               .answer = ANSWER_RECORD,
                               .seen_count = 1,
                               .detail = detail};

    return incidents_write(tx, &row);
}

static enum ag_err
add_incident(struct db_tx *tx, const struct rows *rows)
{
    char detail[] = "{}";
    struct incident_row row = {.secret_id = rows->secret_id,
                               .version = 1,
                               .source = INCIDENT_SAID,
                               .answer = ANSWER_RECORD,
                               .seen_count = 1,
                               .detail = detail};
    enum ag_err err = incidents_write(tx, &row);

    row.closed_ms = 1;
    return err == AG_OK ? incidents_write(tx, &row) : err;
}

static enum ag_err
add_minted(struct db_tx *tx, const struct rows *rows)
{
    char plan[] = "{}";
    struct minted_row row = {.secret_id = rows->secret_id,
                             .task_id = rows->task_id,
                             .state = MINTED_MINTING,
                             .expires_ms = 1,
                             .plan = plan};
    enum ag_err err = minted_next_id(tx, &row.id);

    if (err == AG_OK) {
        err = minted_write(tx, &row);
    }
    row.state = MINTED_ENDED;
    return err == AG_OK ? minted_write(tx, &row) : err;
}

static enum ag_err
add_notice(struct db_tx *tx, const struct rows *rows)
{
    char input[] = "{}";
    struct notice_row row = {.secret_id = rows->secret_id,
                             .rotation_id = 1,
                             .program = "teller",
                             .event = "rotated",
                             .input = input};
    enum ag_err err = notices_write(tx, &row);

    row.told_ms = 1;
    return err == AG_OK ? notices_write(tx, &row) : err;
}

static enum ag_err
add_waiting_notice(struct db_tx *tx, void *arg)
{
    const int64_t *secret_id = arg;
    char input[] = "{}";
    struct notice_row row = {.secret_id = *secret_id,
                             .rotation_id = 2,
                             .program = "teller",
                             .event = "rotated",
                             .input = input};

    return notices_write(tx, &row);
}

static enum ag_err
add_all(struct db_tx *tx, void *arg)
{
    const struct rows *rows = arg;
    enum ag_err err = AG_OK;

    for (int i = 0; i < rows->count && err == AG_OK; i++) {
        err = rows->add(tx, rows);
    }
    return err == AG_OK && rows->fails ? AG_EDENIED : err;
}

static int64_t
number(const char *sql)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    const struct ask ask = {.sql = sql};
    int64_t got = 0;

    check_ok(query_number(db_conn(r), &ask, &got));
    return got;
}

static const char SQL_ROTATIONS[] = "SELECT count(*) FROM rotation";
static const char SQL_NEWEST[] = "SELECT max(id) FROM rotation";
static const char SQL_OLDEST[] = "SELECT min(id) FROM rotation";
static const char SQL_INCIDENTS[] = "SELECT count(*) FROM incident";
static const char SQL_MINTED[] = "SELECT count(*) FROM minted";
static const char SQL_NOTICES[] = "SELECT count(*) FROM notice";

struct told {
    int rows;
    int64_t secret_id;
    int64_t count;
    char table[32];
};

/* Rows of the record that say what left. */
static enum ag_err
see(const struct audit_row *row, void *arg)
{
    struct told *told = arg;
    AG_AUTO(wjson) json_t *json = NULL;

    if (row->kind != AUDIT_ROWS_LEFT) {
        return AG_OK;
    }
    check_ok(wjson_parse(row->json, AUDIT_JSON_MAX_BYTES, &json));
    (void)snprintf(told->table, sizeof(told->table), "%s",
                   json_string_value(json_object_get(json, "table")));
    told->rows++;
    told->count += json_integer_value(json_object_get(json, "count"));
    told->secret_id = row->secret_id;
    return AG_OK;
}

static struct told
told(void)
{
    AG_AUTO(db_read) struct db_read *r = vault_read();
    struct told all = {0};

    check_ok(audit_each(r, 0, UINT32_MAX, see, &all));
    return all;
}

static void
test_the_newest_rotations_of_each_secret_stay(void **state)
{
    struct rows one = {.secret_id = vault_put("one", "v"),
                       .count = 2 * ROTATION_ENDED_MAX_COUNT,
                       .add = add_rotation};
    struct rows other = {.secret_id = vault_put("other", "v"),
                         .count = ROTATION_ENDED_MAX_COUNT,
                         .add = add_rotation};
    struct told said;

    (void)state;
    check_ok(vault_do(add_all, &other));
    assert_int_equal(told().rows, 0);
    check_ok(vault_do(add_all, &one));
    said = told();
    assert_string_equal(said.table, "rotation");
    assert_int_equal(said.secret_id, one.secret_id);
    assert_int_equal(said.count, INT64_C(3) * ROTATION_ENDED_MAX_COUNT -
                                     number(SQL_ROTATIONS));
    assert_in_range(number(SQL_ROTATIONS), 2 * ROTATION_ENDED_MAX_COUNT,
                    2 * ROTATION_ENDED_MAX_COUNT + SHED_LEAST_COUNT);
    assert_int_equal(number(SQL_OLDEST), 1); /* the other's */
    assert_int_equal(number(SQL_NEWEST), 3 * ROTATION_ENDED_MAX_COUNT);
    vault_check_sound();
    vault_reopen();
    vault_check_sound();
}

static enum ag_err
add_live(struct db_tx *tx, void *arg)
{
    struct minted_row *row = arg;
    enum ag_err err = minted_next_id(tx, &row->id);

    return err == AG_OK ? minted_write(tx, row) : err;
}

/* What is open is kept, whatever its age. */
static void
test_what_is_open_stays(void **state)
{
    char plan[] = "{}";
    struct minted_row live = {
        .state = MINTED_LIVE, .expires_ms = 1, .plan = plan};
    struct rows rows = {.count = 2 * MINTED_ENDED_MAX_COUNT, .add = add_minted};
    struct minted_counts counts = {0};
    AG_AUTO(db_read) struct db_read *r = NULL;

    (void)state;
    rows.secret_id = live.secret_id = vault_put("one", "v");
    rows.task_id = live.task_id = vault_add_task("t");
    check_ok(vault_do(add_live, &live));
    check_ok(vault_do(add_all, &rows));
    assert_true(told().rows > 0);
    r = vault_read();
    check_ok(minted_count(r, live.secret_id, &counts));
    assert_int_equal(counts.live, 1);
    vault_check_sound();
}

/* A job that fails takes nothing away. */
static void
test_a_job_that_fails_takes_none(void **state)
{
    struct rows rows = {.secret_id = vault_put("one", "v"),
                        .count = ROTATION_ENDED_MAX_COUNT,
                        .add = add_rotation};

    (void)state;
    check_ok(vault_do(add_all, &rows));
    rows.count = 50;
    rows.fails = true;
    check_err(vault_do(add_all, &rows), AG_EDENIED);
    assert_int_equal(number(SQL_ROTATIONS), ROTATION_ENDED_MAX_COUNT);
    assert_int_equal(number(SQL_NEWEST), ROTATION_ENDED_MAX_COUNT);
    vault_check_sound();
}

static void
test_what_left_is_not_put_back(void **state)
{
    struct rows rows = {.secret_id = vault_put("one", "v"),
                        .count = ROTATION_ENDED_MAX_COUNT,
                        .add = add_rotation};
    struct audit_report report;

    (void)state;
    check_ok(vault_do(add_all, &rows));
    tamper("CREATE TABLE past AS SELECT * FROM rotation WHERE id = 2");
    rows.count = 2 * SHED_LEAST_COUNT;
    check_ok(vault_do(add_all, &rows));
    vault_check_sound();
    tamper("INSERT INTO rotation SELECT * FROM past");
    check_err(audit_verify_small(vault.s), AG_ECORRUPT);
    check_ok(audit_verify(vault.s, &report));
    assert_int_equal(report.fault, AUDIT_FAULT_EXTRA);
    assert_string_equal(report.table, "rotation");
    assert_int_equal(report.table_row, 2);
}

static void
test_what_stays_may_not_go(void **state)
{
    struct rows rows = {.secret_id = vault_put("one", "v"),
                        .count =
                            ROTATION_ENDED_MAX_COUNT + 2 * SHED_LEAST_COUNT,
                        .add = add_rotation};
    struct audit_report report;

    (void)state;
    check_ok(vault_do(add_all, &rows));
    tamper("DELETE FROM rotation WHERE id = (SELECT min(id) FROM rotation)");
    check_err(audit_verify_small(vault.s), AG_ECORRUPT);
    check_ok(audit_verify(vault.s, &report));
    assert_int_equal(report.fault, AUDIT_FAULT_MISSING);
}

static void
test_the_newest_closed_incidents_stay(void **state)
{
    struct rows rows = {.secret_id = vault_put("one", "v"),
                        .count = INCIDENT_CLOSED_MAX_COUNT + 1,
                        .add = add_incident};
    AG_AUTO(db_read) struct db_read *r = NULL;
    uint64_t open = 0;

    (void)state;
    check_ok(vault_do(add_open_incident, &rows.secret_id));
    check_ok(vault_do(add_all, &rows));
    assert_int_equal(number(SQL_INCIDENTS), INCIDENT_CLOSED_MAX_COUNT + 2);
    assert_int_equal(told().rows, 0);
    rows.count = 200;
    check_ok(vault_do(add_all, &rows));
    assert_in_range(number(SQL_INCIDENTS), INCIDENT_CLOSED_MAX_COUNT + 1,
                    INCIDENT_CLOSED_MAX_COUNT + SHED_LEAST_COUNT);
    assert_string_equal(told().table, "incident");
    r = vault_read();
    check_ok(incidents_open_count(r, &open));
    assert_int_equal(open, 1); /* the oldest */
    vault_check_sound();
}

static void
test_the_newest_ended_of_what_was_minted_stay(void **state)
{
    struct rows rows = {.secret_id = vault_put("one", "v"),
                        .task_id = vault_add_task("t"),
                        .count = MINTED_ENDED_MAX_COUNT + 100,
                        .add = add_minted};

    (void)state;
    check_ok(vault_do(add_all, &rows));
    assert_in_range(number(SQL_MINTED), MINTED_ENDED_MAX_COUNT,
                    MINTED_ENDED_MAX_COUNT + SHED_LEAST_COUNT);
    assert_string_equal(told().table, "minted");
    assert_int_equal(told().secret_id, rows.secret_id);
    vault_check_sound();
}

static void
test_the_newest_notices_that_were_told_stay(void **state)
{
    struct rows rows = {.secret_id = vault_put("one", "v"),
                        .count = NOTICE_TOLD_MAX_COUNT + 100,
                        .add = add_notice};
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(notice_row) struct notice_row waiting = {0};

    (void)state;
    check_ok(vault_do(add_waiting_notice, &rows.secret_id));
    check_ok(vault_do(add_all, &rows));
    assert_in_range(number(SQL_NOTICES), NOTICE_TOLD_MAX_COUNT + 1,
                    NOTICE_TOLD_MAX_COUNT + 1 + SHED_LEAST_COUNT);
    assert_string_equal(told().table, "notice");
    r = vault_read();
    check_ok(notices_waiting(r, &waiting));
    assert_int_equal(waiting.id, 1); /* the oldest */
    vault_check_sound();
}

/* Not each row costs another one of the record. */
static void
test_they_leave_several_at_a_time(void **state)
{
    struct rows rows = {.secret_id = vault_put("one", "v"),
                        .count = ROTATION_ENDED_MAX_COUNT,
                        .add = add_rotation};

    (void)state;
    check_ok(vault_do(add_all, &rows));
    rows.count = SHED_LEAST_COUNT + 1;
    check_ok(vault_do(add_all, &rows));
    assert_int_equal(told().rows, 1);
    assert_int_equal(told().count, SHED_LEAST_COUNT);
}

#define SHED(test)                                                             \
    cmocka_unit_test_setup_teardown(test, vault_set_up, vault_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SHED(test_the_newest_rotations_of_each_secret_stay),
        SHED(test_what_is_open_stays),
        SHED(test_a_job_that_fails_takes_none),
        SHED(test_what_left_is_not_put_back),
        SHED(test_what_stays_may_not_go),
        SHED(test_the_newest_closed_incidents_stay),
        SHED(test_the_newest_ended_of_what_was_minted_stay),
        SHED(test_the_newest_notices_that_were_told_stay),
        SHED(test_they_leave_several_at_a_time),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
