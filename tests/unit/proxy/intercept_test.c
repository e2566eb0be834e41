// WRAP: upstream_dial upstream_cancel peer_check
/* TLS of a task's client that ends at the broker: what it is shown, what passes
 * both ways, and how either side ends it. */
#include <gnutls/gnutls.h>

#include "core/proxied.h"
#include "tls/authority.h"
#include "unit/proxy/forward_rig.h"
#include "unit/proxy/hellos.h"

static const char HOST[] = "api.example";

/* A client that trusts the task's authority. */
struct client {
    int fd;
    gnutls_session_t tls;
    gnutls_certificate_credentials_t trust;
};

/* `pem`: whom it trusts; NULL: the task's authority. */
static int
shake_hands(struct client *c, const char *pem, const char *alpn)
{
    AG_AUTO(proxied) struct proxied *set = NULL;
    struct span own;
    gnutls_datum_t text;
    const gnutls_datum_t protocol = {(uint8_t *)(uintptr_t)alpn,
                                     (unsigned)strlen(alpn)};
    int code = 0;

    check_ok(running_proxied(flow.core->running, sender.id, &set));
    own = authority_pem(set->authority);
    text = pem == NULL ? (gnutls_datum_t){(uint8_t *)(uintptr_t)own.ptr,
                                          (unsigned)own.len}
                       : (gnutls_datum_t){(uint8_t *)(uintptr_t)pem,
                                          (unsigned)strlen(pem)};
    c->fd = rig_tunnel("api.example:443");
    assert_int_equal(gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&c->trust), 0);
    assert_true(gnutls_certificate_set_x509_trust_mem(
                    c->trust, &text, GNUTLS_X509_FMT_PEM) >= 0);
    assert_int_equal(gnutls_set_default_priority(c->tls), 0);
    assert_int_equal(
        gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->trust), 0);
    assert_int_equal(
        gnutls_server_name_set(c->tls, GNUTLS_NAME_DNS, HOST, strlen(HOST)), 0);
    assert_int_equal(gnutls_alpn_set_protocols(c->tls, &protocol, 1, 0), 0);
    gnutls_session_set_verify_cert(c->tls, HOST, 0);
    gnutls_transport_set_int(c->tls, c->fd);
    do {
        code = gnutls_handshake(c->tls);
    } while (code < 0 && gnutls_error_is_fatal(code) == 0);
    return code;
}

static void
let_go(struct client *c)
{
    gnutls_deinit(c->tls);
    gnutls_certificate_free_credentials(c->trust);
    (void)close(c->fd);
}

/* With its HTTP side. */
static int
begin_one(struct client *c)
{
    assert_int_equal(shake_hands(c, NULL, "http/1.1"), 0);
    return rig_wait_served();
}

static void
tls_say(struct client *c, const char *text)
{
    assert_int_equal(gnutls_record_send(c->tls, text, strlen(text)),
                     strlen(text));
}

static ssize_t
tls_read(struct client *c, void *out, size_t len)
{
    ssize_t n = 0;

    do {
        n = gnutls_record_recv(c->tls, out, len);
    } while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN);
    return n;
}

static void
tls_hear(struct client *c, const char *want)
{
    char got[RIG_TEXT_BYTES];
    size_t at = 0;

    while (at < strlen(want)) {
        ssize_t n = tls_read(c, got + at, strlen(want) - at);

        assert_true(n > 0);
        at += (size_t)n;
    }
    assert_memory_equal(got, want, at);
}

static void
test_both_ways(void **state)
{
    struct client c;
    int http = begin_one(&c);

    (void)state;
    assert_string_equal(rig.authorities[0], "api.example");
    assert_int_equal(rig.dials, 0);
    tls_say(&c, "GET / HTTP/1.1\r\n");
    rig_hear_text(http, "GET / HTTP/1.1\r\n");
    rig_say_text(http, "HTTP/1.1 200 OK\r\n");
    tls_hear(&c, "HTTP/1.1 200 OK\r\n");
    let_go(&c);
    rig_hear_end(http, "");
}

/* What it is shown is of the task's authority, and of no other. */
static void
test_nobody_else_trusts_it(void **state)
{
    const char *const hosts[] = {HOST};
    AG_AUTO(authority_keys) struct authority_keys *keys = NULL;
    AG_AUTO(authority) struct authority *other = NULL;
    AG_AUTO(buf) struct buf pem;
    struct client c;

    (void)state;
    check_ok(authority_keys_new(&keys));
    check_ok(authority_new(keys, "another task's", hosts, 1,
                           ((int64_t)time(NULL) + 3600) * 1000, &other));
    buf_init(&pem, 8192, BUF_PLAIN);
    check_ok(buf_add(&pem, authority_pem(other)));
    assert_int_equal(shake_hands(&c, buf_cstr(&pem), "http/1.1"),
                     GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
    let_go(&c);
}

/* The HTTP side has no other protocol. */
static void
test_only_http1(void **state)
{
    struct client c;

    (void)state;
    assert_true(shake_hands(&c, NULL, "h2") < 0);
    let_go(&c);
}

static void
test_a_greeting_for_another(void **state)
{
    struct made hello = greeting("open.example", 2000);
    static const uint8_t ALERT[] = {21, 3, 3, 0, 2, 2, 112};
    int fd = rig_tunnel("api.example:443");

    (void)state;
    rig_say(fd, hello.bytes, hello.len);
    rig_hear(fd, ALERT, sizeof(ALERT));
    rig_hear_end(fd, "");
    assert_int_equal(rig.served, 0);
    (void)close(fd);
}

/* Its greeting is good, and what follows is not TLS. */
static void
test_a_handshake_that_breaks(void **state)
{
    struct made hello = greeting(HOST, 2000);
    int fd = rig_tunnel("api.example:443");

    (void)state;
    rig_say(fd, hello.bytes, hello.len);
    rig_say_text(fd, "GET / HTTP/1.1\r\n\r\n");
    rig_hear_end(fd, "");
    assert_int_equal(rig.served, 0);
    (void)close(fd);
}

static void
test_a_slow_handshake(void **state)
{
    struct made hello = greeting(HOST, 16);
    int fd = -1;

    (void)state;
    rig.limits.head_s = 1;
    forward_set_limits(rig.forward, &rig.limits);
    fd = rig_tunnel("api.example:443");
    rig_say(fd, hello.bytes, 30);
    rig_hear_end(fd, "");
    (void)close(fd);
}

/* The client's end is passed on, and the answer still comes. */
static void
test_a_client_that_says_it_has_ended(void **state)
{
    struct client c;
    int http = begin_one(&c);

    (void)state;
    tls_say(&c, "all I have");
    assert_int_equal(gnutls_bye(c.tls, GNUTLS_SHUT_WR), 0);
    rig_hear_end(http, "all I have");
    rig_say_text(http, "the answer");
    tls_hear(&c, "the answer");
    let_go(&c);
}

/* The HTTP side's end is one of TLS: nothing was cut off. */
static void
test_the_http_side_ends(void **state)
{
    struct client c;
    int http = begin_one(&c);
    char byte;

    (void)state;
    rig_say_text(http, "the last");
    (void)shutdown(http, SHUT_WR);
    tls_hear(&c, "the last");
    assert_int_equal(tls_read(&c, &byte, 1), 0);
    let_go(&c);
}

/* One that only closes its connection. */
static void
test_a_client_that_is_gone(void **state)
{
    struct client c;
    int http = begin_one(&c);

    (void)state;
    tls_say(&c, "half a requ");
    rig_hear_text(http, "half a requ");
    (void)shutdown(c.fd, SHUT_RDWR);
    rig_hear_end(http, "");
    let_go(&c);
}

static void
test_it_ends_with_its_task(void **state)
{
    struct client c;
    int http = begin_one(&c);

    (void)state;
    core_cut_task(flow.core, sender.id, "alarm");
    end_sender();
    rig_hear_end(http, "");
    let_go(&c);
    start_sender(NULL, 0);
}

/* ---- much ---- */

enum {
    MUCH_BYTES = 3 * 1024 * 1024 + 17,
};

static uint8_t
nth(size_t i)
{
    return (uint8_t)(i % 251);
}

/* A thread of its own for what the client sends. */
static void *
send_much(void *arg)
{
    static uint8_t text[MUCH_BYTES];
    struct client *c = arg;
    size_t at = 0;

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = nth(i);
    }
    while (at < sizeof(text)) {
        ssize_t n = gnutls_record_send(c->tls, text + at, sizeof(text) - at);

        AG_ASSERT(n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
        at += n > 0 ? (size_t)n : 0;
    }
    return NULL;
}

static void
test_much_goes_up(void **state)
{
    struct client c;
    int http = begin_one(&c);
    pthread_t sender_thread;
    uint8_t part[5000];
    size_t at = 0;

    (void)state;
    assert_int_equal(pthread_create(&sender_thread, NULL, send_much, &c), 0);
    (void)poll(NULL, 0, 100); /* until there is no room for more */
    while (at < MUCH_BYTES) {
        ssize_t n = recv(http, part, sizeof(part), 0);

        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(part[i], nth(at + (size_t)i));
        }
        at += (size_t)n;
    }
    assert_int_equal(at, MUCH_BYTES);
    assert_int_equal(pthread_join(sender_thread, NULL), 0);
    let_go(&c);
}

static void *
say_much(void *arg)
{
    static uint8_t text[MUCH_BYTES];
    size_t at = 0;

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = nth(i);
    }
    while (at < sizeof(text)) {
        ssize_t n =
            send(*(const int *)arg, text + at, sizeof(text) - at, MSG_NOSIGNAL);

        AG_ASSERT(n > 0);
        at += (size_t)n;
    }
    return NULL;
}

static void
test_much_comes_down(void **state)
{
    struct client c;
    int http = begin_one(&c);
    pthread_t sender_thread;
    uint8_t part[5000];
    size_t at = 0;

    (void)state;
    assert_int_equal(pthread_create(&sender_thread, NULL, say_much, &http), 0);
    (void)poll(NULL, 0, 100);
    while (at < MUCH_BYTES) {
        ssize_t n = tls_read(&c, part, sizeof(part));

        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(part[i], nth(at + (size_t)i));
        }
        at += (size_t)n;
    }
    assert_int_equal(pthread_join(sender_thread, NULL), 0);
    let_go(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_ways),
        TEST(test_nobody_else_trusts_it),
        TEST(test_only_http1),
        TEST(test_a_greeting_for_another),
        TEST(test_a_handshake_that_breaks),
        TEST(test_a_slow_handshake),
        TEST(test_a_client_that_says_it_has_ended),
        TEST(test_the_http_side_ends),
        TEST(test_a_client_that_is_gone),
        TEST(test_it_ends_with_its_task),
        TEST(test_much_goes_up),
        TEST(test_much_comes_down),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
