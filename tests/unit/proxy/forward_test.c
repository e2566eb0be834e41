// WRAP: upstream_dial upstream_cancel peer_check
/* The forward proxy's connections from their first byte to their last: heads,
 * refusals, tunnels, limits, and the end of all of them. */
#include "common/rows.h"
#include "unit/proxy/forward_rig.h"
#include "unit/proxy/hellos.h"

/* ---- heads ---- */

/* What is no CONNECT is the HTTP side's, from its first byte. */
static void
test_what_is_no_connect(void **state)
{
    int fd = rig_connect();
    int served = -1;

    (void)state;
    rig_say_text(fd, "GET http://open.example/ HTTP/1.1\r\n");
    served = rig_wait_served();
    assert_string_equal(rig.authorities[0], "");
    rig_hear_text(served, "GET http://open.example/ HTTP/1.1\r\n");
    rig_say_text(served, "answer");
    rig_hear_text(fd, "answer");
    (void)close(fd);
}

static void
test_a_head_in_parts(void **state)
{
    static const char HEAD[] = "CONNECT open.example:443 HTTP/1.1\r\n"
                               "Host: open.example:443\r\n\r\n";
    int fd = rig_connect();

    (void)state;
    for (size_t i = 0; i < sizeof(HEAD) - 1; i++) {
        rig_say(fd, HEAD + i, 1);
        (void)poll(NULL, 0, i < 10 ? 20 : 0);
    }
    rig_established(fd);
    (void)close(fd);
}

static void
check_head(const char *head, const char *says)
{
    int fd = rig_connect();

    rig_say_text(fd, head);
    rig_hear_end(fd, says);
    assert_int_equal(rig.dials, 0);
    (void)close(fd);
}

static void
test_heads_that_are_refused(void **state)
{
    (void)state;
    check_head("CONNECT open.example HTTP/1.1\r\n\r\n", "bad_request");
    check_head("CONNECT 0x7f.1:443 HTTP/1.1\r\n\r\n", "address_refused");
    check_head("CONNECT other.example:443 HTTP/1.1\r\n\r\n",
               "host_not_allowed this task may not reach other.example");
    check_head("CONNECT api.example:8443 HTTP/1.1\r\n\r\n", "host_not_allowed");
}

/* It may read why although it said more than was read. */
static void
test_a_refusal_is_read(void **state)
{
    static char more[256 * 1024];
    int fd = rig_connect();

    (void)state;
    rig_say_text(fd, "CONNECT other.example:443 HTTP/1.1\r\n\r\n");
    check_ok(fd_set_nonblock(fd, true));
    for (int i = 0; i < 20; i++) {
        (void)!send(fd, more, sizeof(more), MSG_NOSIGNAL);
        (void)poll(NULL, 0, 5);
    }
    check_ok(fd_set_nonblock(fd, false));
    rig_hear_end(fd, "host_not_allowed");
    (void)close(fd);
}

static void
test_who_is_no_task(void **state)
{
    int fd = rig_connect_as(make_peer(STRANGER_PID, 902, 1));

    (void)state;
    rig_say_text(fd, "CONNECT open.example:443 HTTP/1.1\r\n\r\n");
    rig_hear_end(fd, "denied");
    (void)close(fd);
}

static void
test_a_slow_head(void **state)
{
    int fd = -1;

    (void)state;
    rig.limits.head_s = 1;
    forward_set_limits(rig.forward, &rig.limits);
    fd = rig_connect();
    rig_say_text(fd, "CONNECT open.exa");
    rig_hear_end(fd, "");
    (void)close(fd);
}

/* ---- dialing ---- */

static void
test_where_it_dials(void **state)
{
    char wanted[RIG_TEXT_BYTES];
    int fd = rig_tunnel("127.0.0.1:8443");

    (void)state;
    (void)snprintf(wanted, sizeof(wanted), "127.0.0.1:8443 %u 1",
                   (unsigned)sender.id);
    assert_string_equal(rig.dialed, wanted);
    (void)close(fd);
}

static void
check_dial(enum ag_err err, bool refused, const char *says)
{
    int fd = rig_connect();

    rig.dial_err = err;
    rig.dial_refused = refused;
    rig_say_text(fd, "CONNECT open.example:443 HTTP/1.1\r\n\r\n");
    rig_hear_end(fd, says);
    (void)close(fd);
}

static void
test_dials_that_fail(void **state)
{
    (void)state;
    check_dial(AG_EUNREACHABLE, false, "as told");
    check_dial(AG_EADDRESS, false,
               "address_refused as told; if that is meant: run --allow "
               "HOST:PORT,inner");
    check_dial(AG_EBUSY, true, "busy not even begun");
}

static void
test_a_client_that_leaves_while_it_dials(void **state)
{
    int fd = rig_connect();

    (void)state;
    rig.dial_err = AG_EBLOCKS;
    rig_say_text(fd, "CONNECT open.example:443 HTTP/1.1\r\n\r\n");
    rig_wait(&rig.dials, 1);
    (void)close(fd);
    /* It is not looked at meanwhile; the end of its task cuts it. */
    core_cut_task(flow.core, sender.id, "alarm");
    end_sender();
    rig_wait(&rig.cancels, 1);
    start_sender(NULL, 0);
}

/* ---- tunnels ---- */

static void
test_a_tunnel(void **state)
{
    struct made hello = greeting("open.example", 16);
    int fd = rig_tunnel("open.example:443");
    int service = rig_wait_service();

    (void)state;
    rig_say(fd, hello.bytes, hello.len);
    rig_hear(service, hello.bytes, hello.len);
    rig_say_text(service, "from the service");
    rig_hear_text(fd, "from the service");
    rig_say_text(fd, "from the client");
    rig_hear_text(service, "from the client");
    /* One side's end is passed on, the other goes on. */
    (void)shutdown(fd, SHUT_WR);
    rig_hear_end(service, "");
    rig_say_text(service, "last");
    rig_hear_text(fd, "last");
    (void)shutdown(service, SHUT_WR);
    rig_hear_end(fd, "");
    (void)close(fd);
}

static void
check_greeting(const void *bytes, size_t len)
{
    static const uint8_t ALERT[] = {21, 3, 3, 0, 2, 2, 112};
    struct last_row last;
    int fd = -1;
    char byte;

    rig.dials = 0;
    fd_close(rig.service_fd);
    fd = rig_tunnel("open.example:443");
    rig_say(fd, bytes, len);
    if (len > 0 && ((const uint8_t *)bytes)[0] == 22) {
        rig_hear(fd, ALERT, sizeof(ALERT));
    }
    rig_hear_end(fd, "");
    (void)close(fd);
    /* Not a byte of it went on. */
    assert_true(recv(rig.service_fd, &byte, 1, 0) <= 0);
    last = rows_last(true);
    rows_check(&last, AUDIT_POLICY_DENIED, sender.id,
               "\"code\":\"wrong_server_name\"");
    rows_check(&last, AUDIT_POLICY_DENIED, sender.id,
               "\"service\":\"open.example\"");
}

static void
test_greetings_that_are_refused(void **state)
{
    struct made other = greeting("other.example", 2000);
    struct made none = greeting(NULL, 2000);
    struct made ext = {0};
    struct made hidden = {0};

    (void)state;
    check_greeting(other.bytes, other.len);
    check_greeting(none.bytes, none.len);
    put_name(&ext, "open.example", 0);
    put_number(&ext, 0xfe0d, 2);
    put_number(&ext, 0, 2);
    hidden = message(&ext);
    hidden = records(&hidden, 2000);
    check_greeting(hidden.bytes, hidden.len);
    check_greeting("SSH-2.0-x\r\n", 11);
    check_greeting("\x16\x02\x00\x00\x05\x01", 6);
}

/* Where a port was said it may be anything, and the service may begin. */
static void
test_any_protocol(void **state)
{
    int fd = rig_tunnel("mail.example:2525");
    int service = rig_wait_service();

    (void)state;
    rig_say_text(service, "220 mail\r\n");
    rig_hear_text(fd, "220 mail\r\n");
    rig_say_text(fd, "EHLO x\r\n");
    rig_hear_text(service, "EHLO x\r\n");
    (void)close(fd);
    rig_hear_end(service, "");
}

/* It may also only listen. */
static void
test_a_client_that_only_listens(void **state)
{
    int fd = rig_tunnel("mail.example:2525");
    int service = rig_wait_service();

    (void)state;
    (void)shutdown(fd, SHUT_WR);
    rig_hear_end(service, "");
    rig_say_text(service, "all of it");
    (void)shutdown(service, SHUT_WR);
    rig_hear_end(fd, "all of it");
    (void)close(fd);
}

/* A greeting of TLS must name the host wherever it comes. */
static void
test_nor_may_it_name_another_there(void **state)
{
    struct made other = greeting("other.example", 2000);
    int fd = rig_tunnel("mail.example:2525");
    int service = rig_wait_service();

    (void)state;
    rig_say(fd, other.bytes, other.len);
    rig_hear_end(service, "");
    (void)close(fd);
}

static void
test_much_passes(void **state)
{
    enum {
        MUCH_BYTES = 4 * 1024 * 1024
    };

    static uint8_t text[64 * 1024];
    int fd = rig_tunnel("mail.example:2525");
    int service = rig_wait_service();
    size_t said = 0;
    size_t heard = 0;

    (void)state;
    rig_say_text(fd, "x");
    rig_hear_text(service, "x");
    check_ok(fd_set_nonblock(service, true));
    while (heard < MUCH_BYTES) {
        struct pollfd both[] = {{.fd = fd, .events = POLLIN},
                                {.fd = service, .events = POLLOUT}};
        ssize_t n = 0;

        assert_true(poll(both, said < MUCH_BYTES ? 2 : 1, RIG_WAIT_S * 1000) >
                    0);
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = (uint8_t)((said + i) % 251);
        }
        n = said < MUCH_BYTES ? send(service, text, sizeof(text), MSG_NOSIGNAL)
                              : 0;
        said += n > 0 ? (size_t)n : 0;
        n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(text[i], (heard + (size_t)i) % 251);
        }
        heard += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
}

/* ---- what ends them ---- */

static void
test_it_ends_with_its_task(void **state)
{
    int fd = rig_tunnel("mail.example:2525");
    int service = rig_wait_service();

    (void)state;
    core_cut_task(flow.core, sender.id, "alarm");
    end_sender();
    rig_hear_end(fd, "");
    rig_hear_end(service, "");
    (void)close(fd);
    start_sender(NULL, 0);
}

static void
test_it_ends_with_the_lock(void **state)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    const struct unlock_request request = {.passphrase = passphrase};
    struct call person = call_of(flow.operator_peer);
    int fd = rig_tunnel("mail.example:2525");

    (void)state;
    check_ok(vault_lock(flow.core, &person));
    rig_hear_end(fd, "");
    (void)close(fd);
    check_ok(vault_unlock(flow.core, &person, &request, &answer));
    end_sender();
    start_sender(NULL, 0);
}

/* A process that has gone, its socket with somebody else. */
static void
test_it_ends_with_its_process(void **state)
{
    int fd = rig_tunnel("mail.example:2525");

    (void)state;
    atomic_store(&rig.peer_is_gone, 1);
    rig_hear_end(fd, "");
    (void)close(fd);
}

static void
test_a_quiet_one_is_closed(void **state)
{
    int fd = -1;

    (void)state;
    rig.limits.idle_s = 1;
    forward_set_limits(rig.forward, &rig.limits);
    fd = rig_tunnel("mail.example:2525");
    rig_hear_end(fd, "");
    (void)close(fd);
    /* Before its greeting it has only the time of a head. */
    rig.limits.idle_s = 600;
    rig.limits.head_s = 1;
    forward_set_limits(rig.forward, &rig.limits);
    fd = rig_tunnel("open.example:443");
    rig_hear_end(fd, "");
    (void)close(fd);
}

/* ---- how many ---- */

static void
test_a_task_has_so_many(void **state)
{
    int first = -1;
    int second = -1;

    (void)state;
    rig.limits.connections_per_task = 1;
    forward_set_limits(rig.forward, &rig.limits);
    first = rig_tunnel("mail.example:2525");
    second = rig_connect();
    rig_say_text(second, "CONNECT mail.example:2525 HTTP/1.1\r\n\r\n");
    rig_hear_end(second, "busy too many connections of this task");
    (void)close(second);
    (void)close(first);
}

/* Who says nothing gives way to who does. */
static void
test_the_silent_give_way(void **state)
{
    int silent[12];
    int fd = -1;

    (void)state;
    rig.limits.connections = 8;
    forward_set_limits(rig.forward, &rig.limits);
    for (size_t i = 0; i < AG_COUNT(silent); i++) {
        silent[i] = rig_connect();
    }
    fd = rig_tunnel("mail.example:2525");
    rig_hear_end(silent[0], "busy");
    for (size_t i = 0; i < AG_COUNT(silent); i++) {
        (void)close(silent[i]);
    }
    (void)close(fd);
}

/* In every state at once, and nothing stays behind. */
static void
test_the_end_of_all(void **state)
{
    int fds[6];
    size_t before = 0;
    struct made hello = greeting("open.example", 2000);

    (void)state;
    forward_free(rig.forward);
    before = fd_count_open();
    rig_start();
    fds[0] = rig_connect();
    fds[1] = rig_connect();
    rig_say_text(fds[1], "CONNECT op");
    fds[2] = rig_connect();
    rig_say_text(fds[2], "CONNECT other.example:443 HTTP/1.1\r\n\r\n");
    rig_hear_text(fds[2], "host_not_allowed");
    fds[3] = rig_tunnel("open.example:443");
    rig_say(fds[3], hello.bytes, hello.len);
    rig_hear(rig.service_fd, hello.bytes, hello.len);
    fd_close(rig.service_fd);
    rig.service_fd = -1;
    fds[4] = rig_tunnel("api.example:443");
    rig_say(fds[4], hello.bytes, 20);
    rig.dial_err = AG_EBLOCKS;
    fds[5] = rig_connect();
    rig_say_text(fds[5], "CONNECT open.example:443 HTTP/1.1\r\n\r\n");
    rig_wait(&rig.dials, 2);
    forward_free(rig.forward);
    for (size_t i = 0; i < AG_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
    assert_int_equal(fd_count_open(), before);
    rig_start();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_no_connect),
        TEST(test_a_head_in_parts),
        TEST(test_heads_that_are_refused),
        TEST(test_a_refusal_is_read),
        TEST(test_who_is_no_task),
        TEST(test_a_slow_head),
        TEST(test_where_it_dials),
        TEST(test_dials_that_fail),
        TEST(test_a_client_that_leaves_while_it_dials),
        TEST(test_a_tunnel),
        TEST(test_greetings_that_are_refused),
        TEST(test_any_protocol),
        TEST(test_a_client_that_only_listens),
        TEST(test_nor_may_it_name_another_there),
        TEST(test_much_passes),
        TEST(test_it_ends_with_its_task),
        TEST(test_it_ends_with_the_lock),
        TEST(test_it_ends_with_its_process),
        TEST(test_a_quiet_one_is_closed),
        TEST(test_a_task_has_so_many),
        TEST(test_the_silent_give_way),
        TEST(test_the_end_of_all),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
