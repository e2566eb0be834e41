// LINKS: privsep
/* TCP callers, with real processes and the real witness: traced to their task,
 * positively outside, or not to be found. */
#include "unit/caller/callers.h"

static struct peer *
connect_tcp(struct callers *f, size_t actor)
{
    struct peer *p = NULL;
    int sock;

    assert_true(actor_do(actor, ACT_CONNECT_4, f->port) >= 0);
    sock = accept4(f->tcp_listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(sock >= 0);
    check_ok(peer_from_tcp(sock, &p));
    (void)close(sock);
    return p;
}

static void
test_a_tcp_caller_is_traced_to_its_task(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;

    start_operator_with_task(f);
    assert_true(actor_forks(0, ACT_FORK, 1));
    p = connect_tcp(f, 1);
    assert_int_equal(peer_transport(p), PEER_TCP);
    assert_null(peer_facts(p));
    assert_int_equal(decide(f, p, CALLER_TOKEN_TASK).class, CALLER_OTHER);
    assert_int_equal(decide(f, p, CALLER_TOKEN_TASK).why, AG_EUNTRACED);
    check_ok(peer_check(p));
    check_ok(peer_trace(p, f->source, f->tree, TASK));
    assert_int_equal(peer_pid(p), actors.pid[1]);
    check_class(f, p, CALLER_TASK);
    check_ok(peer_trace(p, f->source, f->tree, OTHER_TASK)); /* stays */
    check_class(f, p, CALLER_TASK);
    actor_end_below(0, 1);
    check_err(peer_check(p), AG_EPROCESS);
}

static void
test_a_tcp_caller_outside_the_task_is_positively_outside(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;
    AG_AUTO(peer) struct peer *root = NULL;

    start_operator_with_task(f);
    actor_start(2);
    p = connect_tcp(f, 2);
    check_err(peer_trace(p, f->source, f->tree, TASK), AG_EPROCESS);
    assert_int_equal(decide(f, p, CALLER_TOKEN_TASK).class, CALLER_OTHER);
    /* With a role's token all trees are asked; outside them it is a service,
     * and never an operator, though its session is approved. */
    approve(f, 2);
    check_ok(peer_trace(p, f->source, f->tree, 0));
    assert_int_equal(decide(f, p, CALLER_TOKEN_ROLE).class, CALLER_SERVICE);
    check_class(f, p, CALLER_NEIGHBOUR);
    /* The supervisor is not in its own tree. */
    root = connect_tcp(f, 0);
    check_err(peer_trace(root, f->source, f->tree, TASK), AG_EPROCESS);
    /* A token whose task has ended: nothing can be said. */
    check_err(peer_trace(root, f->source, f->tree, OTHER_TASK), AG_EUNTRACED);
}

static void
test_a_role_token_in_a_tree_makes_no_service(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;

    start_operator_with_task(f);
    assert_true(actor_forks(0, ACT_FORK, 1));
    p = connect_tcp(f, 1);
    check_ok(peer_trace(p, f->source, f->tree, 0));
    assert_int_equal(decide(f, p, CALLER_TOKEN_ROLE).class, CALLER_TASK);
}

static void
test_a_tcp_caller_that_cannot_be_found_is_only_refused(void **state)
{
    struct callers *f = *state;
    AG_AUTO(peer) struct peer *p = NULL;
    AG_AUTO(peer) struct peer *unbound = NULL;

    start_operator_with_task(f);
    assert_true(actor_forks(0, ACT_FORK, 1));
    p = connect_tcp(f, 1);
    assert_int_equal(actor_do(1, ACT_UNDUMPABLE, 0), 0);
    check_err(peer_trace(p, f->source, f->tree, TASK), AG_EUNTRACED);
    assert_int_equal(decide(f, p, CALLER_TOKEN_TASK).class, CALLER_OTHER);
    assert_int_equal(decide(f, p, CALLER_TOKEN_ROLE).class, CALLER_OTHER);
    unbound = connect_tcp(f, 1);
    assert_int_equal(decide(f, unbound, CALLER_TOKEN_TASK_UNBOUND).task_id,
                     OTHER_TASK);
}

int
main(int argc, char **argv)
{
#define WITH_ALL(test)                                                         \
    cmocka_unit_test_setup_teardown(test, callers_begin, callers_end)
    const struct CMUnitTest tests[] = {
        WITH_ALL(test_a_tcp_caller_is_traced_to_its_task),
        WITH_ALL(test_a_tcp_caller_outside_the_task_is_positively_outside),
        WITH_ALL(test_a_role_token_in_a_tree_makes_no_service),
        WITH_ALL(test_a_tcp_caller_that_cannot_be_found_is_only_refused),
    };

    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_WITNESS)) == 0) {
        return witness_main(SPAWN_CHANNEL_FD);
    }
    actor_lead_session();
    actor_drop_root();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
