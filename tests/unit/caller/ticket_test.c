/* Tickets: one use, one process, one connection, 30 seconds. */
#include <sodium.h>

#include "caller/ticket.h"
#include "common/check.h"

static const struct proc_ref ME = {.pid = 10, .start_ticks = 20};
static const struct proc_ref REUSED = {.pid = 10, .start_ticks = 21};

/* Who shows a ticket. */
static struct proc_ref shower;

static int
begin(void **state)
{
    struct tickets *t = NULL;

    shower = ME;
    assert_true(sodium_init() >= 0);
    check_ok(tickets_new(&t));
    *state = t;
    return 0;
}

static int
finish(void **state)
{
    tickets_free(*state);
    return 0;
}

static enum ag_err
redeem(struct tickets *t, struct span text, enum ticket_kind kind,
       uint64_t connection_id, int64_t now_ms, struct ticket *ret)
{
    const struct ticket_shown shown = {.text = text,
                                       .kind = kind,
                                       .by = shower,
                                       .connection_id = connection_id,
                                       .now_ms = now_ms};

    return tickets_redeem(t, &shown, ret);
}

static struct ticket
ticket_of(enum ticket_kind kind)
{
    return (struct ticket){.kind = kind,
                           .task_id = 3,
                           .lease_id = 4,
                           .subject_id = 5,
                           .version = 6,
                           .process = ME};
}

static void
test_a_ticket_is_good_once(void **state)
{
    const struct ticket what = ticket_of(TICKET_DELIVER);
    char text[TICKET_TEXT_BYTES];
    struct ticket got;

    check_ok(tickets_issue(*state, &what, 1000, text));
    assert_memory_equal(text, "agx_", 4);
    assert_int_equal(strlen(text), TICKET_TEXT_BYTES - 1);
    check_ok(redeem(*state, span_str(text), TICKET_DELIVER, 1, 1001, &got));
    assert_int_equal(got.task_id, 3);
    assert_int_equal(got.lease_id, 4);
    assert_int_equal(got.subject_id, 5);
    assert_int_equal(got.version, 6);
    check_err(redeem(*state, span_str(text), TICKET_DELIVER, 1, 1001, &got),
              AG_ETICKET);
    assert_int_equal(tickets_count(*state), 0);
}

static void
test_what_is_not_right_is_refused_and_costs_nothing(void **state)
{
    const struct ticket what = ticket_of(TICKET_DELIVER);
    char text[TICKET_TEXT_BYTES];
    char wrong[TICKET_TEXT_BYTES];
    struct ticket got;

    check_ok(tickets_issue(*state, &what, 1000, text));
    memcpy(wrong, text, sizeof(wrong));
    wrong[20] = wrong[20] == 'A' ? 'B' : 'A';
    check_err(redeem(*state, span_str(wrong), TICKET_DELIVER, 1, 1001, &got),
              AG_ETICKET);
    check_err(redeem(*state, span_of(text, 20), TICKET_DELIVER, 1, 1001, &got),
              AG_ETICKET);
    check_err(redeem(*state, span_of(NULL, 0), TICKET_DELIVER, 1, 1001, &got),
              AG_ETICKET);
    check_err(redeem(*state, span_str(text), TICKET_TAKE, 1, 1001, &got),
              AG_ETICKET);
    shower = REUSED;
    check_err(redeem(*state, span_str(text), TICKET_DELIVER, 1, 1001, &got),
              AG_ETICKET);
    shower = ME;
    check_ok(redeem(*state, span_str(text), TICKET_DELIVER, 1, 1001, &got));
}

static void
test_a_ticket_gets_too_old(void **state)
{
    const struct ticket what = ticket_of(TICKET_LIFE);
    char text[TICKET_TEXT_BYTES];
    struct ticket got;

    check_ok(tickets_issue(*state, &what, 1000, text));
    check_err(redeem(*state, span_str(text), TICKET_LIFE, 1,
                     1000 + TICKET_FIRST_USE_MS, &got),
              AG_ETICKET);
    check_ok(redeem(*state, span_str(text), TICKET_LIFE, 1,
                    999 + TICKET_FIRST_USE_MS, &got));
}

static void
test_a_reusable_one_stays_with_its_connection(void **state)
{
    struct ticket what = ticket_of(TICKET_TAKE);
    char text[TICKET_TEXT_BYTES];
    struct ticket got;

    what.reusable = true;
    check_ok(tickets_issue(*state, &what, 1000, text));
    for (int i = 0; i < 3; i++) {
        check_ok(redeem(*state, span_str(text), TICKET_TAKE, 7,
                        1001 + i * 3600000, &got));
    }
    check_err(redeem(*state, span_str(text), TICKET_TAKE, 8, 1001, &got),
              AG_ETICKET);
    tickets_drop_task(*state, what.task_id);
    check_err(redeem(*state, span_str(text), TICKET_TAKE, 7, 1001, &got),
              AG_ETICKET);
}

static void
test_dropping_by_task_and_all(void **state)
{
    struct ticket what = ticket_of(TICKET_STREAM);
    char texts[3][TICKET_TEXT_BYTES];
    struct ticket got;

    for (size_t i = 0; i < 3; i++) {
        what.task_id = (int64_t)i;
        check_ok(tickets_issue(*state, &what, 1000, texts[i]));
    }
    tickets_drop_task(*state, 1);
    check_err(redeem(*state, span_str(texts[1]), TICKET_STREAM, 1, 1001, &got),
              AG_ETICKET);
    check_ok(redeem(*state, span_str(texts[2]), TICKET_STREAM, 1, 1001, &got));
    tickets_drop_all(*state);
    check_err(redeem(*state, span_str(texts[0]), TICKET_STREAM, 1, 1001, &got),
              AG_ETICKET);
}

static void
test_when_full_the_stale_make_room(void **state)
{
    const struct ticket what = ticket_of(TICKET_STREAM);
    char text[TICKET_TEXT_BYTES];

    for (int i = 0; i < TICKET_MAX_COUNT; i++) {
        check_ok(tickets_issue(*state, &what, 1000 + i, text));
    }
    check_err(tickets_issue(*state, &what, 2000, text), AG_ELIMIT);
    check_ok(tickets_issue(*state, &what, 1000 + TICKET_FIRST_USE_MS, text));
    assert_int_equal(tickets_count(*state), TICKET_MAX_COUNT);
}

int
main(void)
{
#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        WITH_TABLE(test_a_ticket_is_good_once),
        WITH_TABLE(test_what_is_not_right_is_refused_and_costs_nothing),
        WITH_TABLE(test_a_ticket_gets_too_old),
        WITH_TABLE(test_a_reusable_one_stays_with_its_connection),
        WITH_TABLE(test_dropping_by_task_and_all),
        WITH_TABLE(test_when_full_the_stale_make_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
