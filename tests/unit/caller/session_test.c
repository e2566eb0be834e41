/* Approved sessions and proofs: who is covered, until when. */
#include "caller/session.h"
#include "common/check.h"

enum {
    NOW = 1000,
    LATER = 9000,
    MUCH_LATER = 18000,
};

/* A shell of session 50 started this one. */
static struct proc_facts
in_session(pid_t pid)
{
    struct proc_facts facts = {
        .self = {.pid = pid, .start_ticks = 700},
        .sid = 50,
        .leader_start_ticks = 500,
        .parent_sid = 50,
        .tty = 34816,
        .chain_count = 2,
        .chain = {{.pid = 50, .start_ticks = 500}, {.pid = 1}},
    };

    return facts;
}

static int
begin(void **state)
{
    struct sessions *s = NULL;

    check_ok(sessions_new(&s));
    *state = s;
    return 0;
}

static int
finish(void **state)
{
    sessions_free(*state);
    return 0;
}

static void
test_an_approval_is_for_the_session_and_ends(void **state)
{
    struct proc_facts who = in_session(60);
    struct proc_facts mate = in_session(61);

    assert_int_equal(sessions_until(*state, &who, NOW), 0);
    check_ok(sessions_approve(*state, &who, NOW, LATER));
    assert_int_equal(sessions_until(*state, &who, NOW), LATER);
    assert_int_equal(sessions_until(*state, &mate, NOW), LATER);
    assert_int_equal(sessions_until(*state, &who, LATER), 0);
    assert_int_equal(sessions_count(*state, NOW), 1);
    assert_int_equal(sessions_count(*state, LATER), 0);
}

static void
test_another_session_leader_or_terminal_is_not_it(void **state)
{
    struct proc_facts who = in_session(60);
    struct proc_facts other = who;

    check_ok(sessions_approve(*state, &who, NOW, LATER));
    other.sid = 51; /* setsid */
    assert_int_equal(sessions_until(*state, &other, NOW), 0);
    other = who;
    other.leader_start_ticks = 501; /* the number was given again */
    assert_int_equal(sessions_until(*state, &other, NOW), 0);
    other = who;
    other.tty = 0; /* it let go of the terminal */
    assert_int_equal(sessions_until(*state, &other, NOW), 0);
}

static void
test_a_dead_leader_approves_nothing(void **state)
{
    struct proc_facts who = in_session(60);

    check_ok(sessions_approve(*state, &who, NOW, LATER));
    who.leader_start_ticks = 0;
    assert_int_equal(sessions_until(*state, &who, NOW), 0);
    check_err(sessions_approve(*state, &who, NOW, LATER), AG_EUNTRACED);
    check_err(sessions_prove(*state, &who, NOW, LATER), AG_EOPERATOR);
    assert_int_equal(sessions_proof_until(*state, &who, NOW), 0);
    who = in_session(60);
    who.sid = 0;
    check_err(sessions_approve(*state, &who, NOW, LATER), AG_EUNTRACED);
}

static void
test_an_approval_never_gets_shorter(void **state)
{
    struct proc_facts who = in_session(60);

    check_ok(sessions_approve(*state, &who, NOW, LATER));
    check_ok(sessions_approve(*state, &who, NOW, LATER - 1));
    assert_int_equal(sessions_until(*state, &who, NOW), LATER);
    check_ok(sessions_approve(*state, &who, NOW, LATER + 1));
    assert_int_equal(sessions_until(*state, &who, NOW), LATER + 1);
    assert_int_equal(sessions_count(*state, NOW), 1);
}

static void
test_a_proof_is_shared_by_children_of_one_parent(void **state)
{
    struct proc_facts giver = in_session(60);
    struct proc_facts sibling = in_session(61);
    struct proc_facts cousin = in_session(62);

    cousin.chain[0] = (struct proc_ref){.pid = 55, .start_ticks = 600};
    check_err(sessions_prove(*state, &giver, NOW, LATER), AG_EOPERATOR);
    check_ok(sessions_approve(*state, &giver, NOW, MUCH_LATER));
    check_ok(sessions_prove(*state, &giver, NOW, LATER));
    assert_int_equal(sessions_proof_until(*state, &giver, NOW), LATER);
    assert_int_equal(sessions_proof_until(*state, &sibling, NOW), LATER);
    assert_int_equal(sessions_proof_until(*state, &cousin, NOW), 0);
    assert_int_equal(sessions_proof_until(*state, &giver, LATER), 0);
    /* The parent's pid again, another process. */
    sibling.chain[0].start_ticks++;
    assert_int_equal(sessions_proof_until(*state, &sibling, NOW), 0);
}

static void
test_orphans_share_no_proof(void **state)
{
    struct proc_facts giver = in_session(60);
    struct proc_facts orphan = in_session(61);

    giver.chain[0] = (struct proc_ref){.pid = 1, .start_ticks = 1};
    giver.parent_sid = 1;
    giver.chain_count = 1;
    orphan = giver;
    orphan.self.pid = 61;
    check_ok(sessions_approve(*state, &giver, NOW, LATER));
    check_ok(sessions_prove(*state, &giver, NOW, LATER));
    assert_int_equal(sessions_proof_until(*state, &giver, NOW), LATER);
    assert_int_equal(sessions_proof_until(*state, &orphan, NOW), 0);
    orphan.chain_count = 0;
    assert_int_equal(sessions_proof_until(*state, &orphan, NOW), 0);
}

static void
test_a_proof_ends_with_its_session(void **state)
{
    struct proc_facts who = in_session(60);

    check_ok(sessions_approve(*state, &who, NOW, LATER));
    check_ok(sessions_prove(*state, &who, NOW, MUCH_LATER));
    assert_int_equal(sessions_proof_until(*state, &who, LATER), 0);
}

static void
test_lock_forgets_all(void **state)
{
    struct proc_facts who = in_session(60);

    check_ok(sessions_approve(*state, &who, NOW, LATER));
    check_ok(sessions_prove(*state, &who, NOW, LATER));
    sessions_forget(*state);
    assert_int_equal(sessions_until(*state, &who, NOW), 0);
    assert_int_equal(sessions_proof_until(*state, &who, NOW), 0);
    check_ok(sessions_approve(*state, &who, NOW, LATER));
    assert_int_equal(sessions_proof_until(*state, &who, NOW), 0);
}

static void
test_when_full_the_first_to_end_goes(void **state)
{
    struct proc_facts who = in_session(60);

    for (int i = 0; i < SESSION_MAX_COUNT + 1; i++) {
        who.sid = 100 + i;
        who.parent_sid = who.sid;
        check_ok(sessions_approve(*state, &who, NOW, LATER + i));
        check_ok(sessions_prove(*state, &who, NOW, LATER + i));
    }
    assert_int_equal(sessions_count(*state, NOW), SESSION_MAX_COUNT);
    assert_int_equal(sessions_until(*state, &who, NOW),
                     LATER + SESSION_MAX_COUNT);
    assert_int_equal(sessions_proof_until(*state, &who, NOW),
                     LATER + SESSION_MAX_COUNT);
    who.sid = who.parent_sid = 100;
    assert_int_equal(sessions_until(*state, &who, NOW), 0);
    who.sid = who.parent_sid = 101;
    assert_int_equal(sessions_until(*state, &who, NOW), LATER + 1);
}

int
main(void)
{
#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        WITH_TABLE(test_an_approval_is_for_the_session_and_ends),
        WITH_TABLE(test_another_session_leader_or_terminal_is_not_it),
        WITH_TABLE(test_a_dead_leader_approves_nothing),
        WITH_TABLE(test_an_approval_never_gets_shorter),
        WITH_TABLE(test_a_proof_is_shared_by_children_of_one_parent),
        WITH_TABLE(test_orphans_share_no_proof),
        WITH_TABLE(test_a_proof_ends_with_its_session),
        WITH_TABLE(test_lock_forgets_all),
        WITH_TABLE(test_when_full_the_first_to_end_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
