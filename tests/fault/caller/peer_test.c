// WRAP: calloc malloc getsockopt poll
/* Memory and system calls that fail while a caller is established: it is then
 * refused or unknown, never somebody, and nothing is left open. */
#include <sys/socket.h>

#include <poll.h>
#include <unistd.h>

#include "caller/class.h"
#include "caller/peer.h"
#include "caller/session.h"
#include "caller/ticket.h"
#include "caller/tree.h"
#include "common/fault.h"
#include "common/fdcount.h"

FAULT_WRAPPER(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAULT_WRAPPER(void *, malloc, (size_t size), (size), NULL)
FAULT_WRAPPER(int, getsockopt,
              (int fd, int level, int name, void *value, socklen_t *len),
              (fd, level, name, value, len), -1)
FAULT_WRAPPER(int, poll, (struct pollfd * fds, nfds_t count, int wait_ms),
              (fds, count, wait_ms), -1)

static enum ag_err
fake_facts(void *ctx, pid_t pid, struct proc_facts *ret)
{
    (void)ctx;
    if (fault_now()) {
        return AG_ETIMEOUT;
    }
    *ret = (struct proc_facts){.self = {.pid = pid, .start_ticks = 1},
                               .uid = geteuid()};
    return AG_OK;
}

static enum caller_class
class_of(const struct peer *p)
{
    struct tree *tree = NULL;
    struct sessions *sessions = NULL;
    struct caller_question question = {.own_uid = geteuid(), .peer = p};
    struct caller_answer answer;

    check_ok(tree_new(&tree));
    check_ok(sessions_new(&sessions));
    question.tree = tree;
    question.sessions = sessions;
    answer = caller_decide(&question);
    sessions_free(sessions);
    tree_free(tree);
    return answer.class;
}

/* The n-th call fails, and with `all` every one after it. */
static bool
establish_with_fault(unsigned nth, bool all)
{
    const struct proc_source source = {.facts = fake_facts};
    struct peer *p = NULL;
    size_t before = fd_count_open();
    enum ag_err err;
    bool fired;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    fault_arm(nth);
    fault.all_later = all;
    err = peer_from_unix(pair[0], &source, &p);
    fired = fault_done();
    if (err == AG_OK) {
        assert_int_equal(class_of(p), fired ? CALLER_OTHER : CALLER_NEIGHBOUR);
        peer_free(p);
    } else {
        assert_true(fired);
        assert_true(err == AG_ENOMEM || err == AG_EIO);
        assert_null(p);
    }
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(fd_count_open(), before);
    return fired;
}

static void
test_a_caller_half_known_is_nobody(void **state)
{
    unsigned n = 1;

    (void)state;
    while (establish_with_fault(n, false)) {
        n++;
    }
    assert_true(n > 5);
    for (unsigned i = 1; i < n; i++) {
        assert_true(establish_with_fault(i, true));
    }
}

static void
test_tables_that_cannot_be_made_are_not(void **state)
{
    struct tree *tree = NULL;
    struct sessions *sessions = NULL;
    struct tickets *tickets = NULL;

    (void)state;
    fault_arm(1);
    check_err(tree_new(&tree), AG_ENOMEM);
    fault_arm(1);
    check_err(sessions_new(&sessions), AG_ENOMEM);
    fault_arm(1);
    check_err(tickets_new(&tickets), AG_ENOMEM);
    (void)fault_done();
    assert_null(tree);
    assert_null(sessions);
    assert_null(tickets);
}

static void
test_a_table_of_tickets_that_cannot_grow_stays(void **state)
{
    const struct ticket what = {.kind = TICKET_LIFE, .task_id = 3};
    AG_AUTO(tickets) struct tickets *tickets = NULL;
    char text[TICKET_TEXT_BYTES];
    size_t refused = 0;

    (void)state;
    check_ok(tickets_new(&tickets));
    for (size_t i = 0; i < TICKET_MAX_COUNT; i++) {
        fault_arm(1);
        if (tickets_issue(tickets, &what, 0, text) != AG_OK) {
            (void)fault_done();
            assert_int_equal(tickets_count(tickets), i);
            check_ok(tickets_issue(tickets, &what, 0, text));
            refused++;
        }
    }
    (void)fault_done();
    assert_true(refused > 1); /* it did grow */
    assert_int_equal(tickets_count(tickets), TICKET_MAX_COUNT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_caller_half_known_is_nobody),
        cmocka_unit_test(test_tables_that_cannot_be_made_are_not),
        cmocka_unit_test(test_a_table_of_tickets_that_cannot_grow_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
