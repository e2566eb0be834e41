// WRAP: upstream_start upstream_cancel upstream_resume
/* A WebSocket through the proxy, its service and its client played event by
 * event: the handshake, messages both ways, and everything that ends it. */
#include "unit/proxy/socket_rig.h"

/* ---- the handshake ---- */

static void
test_the_handshake(void **state)
{
    char wanted[128];

    (void)state;
    assert_true(t.says_upgrade);
    assert_true((wire.flags & UPSTREAM_UPGRADE) != 0);
    assert_int_equal(wire.body_bytes, UPSTREAM_BODY_NONE);
    assert_non_null(strstr(wire.fields, "Upgrade: websocket\n"));
    assert_non_null(strstr(wire.fields, "Sec-WebSocket-Key: dGhlIHNhbX"));
    assert_null(strstr(wire.fields, "Extensions"));
    (void)snprintf(wanted, sizeof(wanted), "Authorization: Bearer %s\n", VALUE);
    assert_non_null(strstr(wire.fields, wanted));
    assert_int_equal(client_hears(), PROXY_WAIT);
    assert_true(flight_wanted(t.flight));
}

static void
test_answers_that_switch_to_nothing(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } FIELDS[] = {
        {"Upgrade", "h2c"},
        {"Sec-WebSocket-Accept", "again"},
        {"Sec-WebSocket-Extensions", "permessage-deflate"},
        {"Content-Encoding", "gzip"},
    };

    for (size_t i = 0; i < AG_COUNT(FIELDS); i++) {
        ask_again(state);
        service_answers(101, FIELDS[i].name, FIELDS[i].value);
        assert_int_equal(t.err, AG_EUPSTREAM);
        assert_int_equal(t.status, 0);
        assert_int_equal(client_hears(), PROXY_BROKEN);
    }
}

/* One that is refused is an ordinary answer, and nothing goes up any more. */
static void
test_a_refused_handshake(void **state)
{
    const struct upstream_field field = {span_str("Content-Type"),
                                         span_str("text/plain"), false};
    const struct upstream_head head = {403, &field, 1};
    uint8_t byte;
    size_t len = 0;

    ask_again(state);
    wire.events->on_head(wire.ctx, &head);
    (void)wire.events->on_body(wire.ctx, span_str("no\n"));
    wire.events->on_end(wire.ctx, AG_OK);
    assert_int_equal(t.status, 403);
    assert_false(t.says_upgrade);
    assert_int_equal(wire.events->on_send(wire.ctx, &byte, 1, &len),
                     UPSTREAM_WAIT);
    assert_int_equal(len, 0);
}

/* ---- messages ---- */

static void
test_messages_both_ways(void **state)
{
    (void)state;
    client_says_frame(FRAME_TEXT, true, "up");
    client_says_frame(FRAME_PING, true, "p");
    check_service_got("(1 2!up)(9 1!p)");
    client_says_frame(FRAME_TEXT, true, "again");
    check_service_got("(1 5!again)");
    service_says_frame(FRAME_BINARY, true, "down\n");
    service_says_frame(FRAME_PONG, true, "p");
    check_client_got("(2 5!down\n)(10 1!p)");
    assert_int_equal(client_hears(), PROXY_WAIT);
}

static void
test_the_value_is_in_no_message(void **state)
{
    char text[128];

    (void)state;
    (void)snprintf(text, sizeof(text), "you are %s!", VALUE);
    service_says_frame(FRAME_TEXT, true, text);
    service_says_frame(FRAME_TEXT, false, "you are sk-flow-01234");
    service_says_frame(FRAME_CONTINUES, true, "56789abcdefghij");
    service_says_frame(FRAME_PING, true, VALUE);
    (void)snprintf(text, sizeof(text), "\x03\xe8%s", VALUE);
    service_says_frame(FRAME_CLOSE, true, text);
    check_client_got(
        "(1 19!you are [redacted]!)"
        "(1 18!you are [redacted])(9 10![redacted])(8 12!\x03\xe8[redacted])");
}

/* Its own is worth nothing to anybody. */
static void
test_a_placeholder_of_its_own_goes_on(void **state)
{
    char text[600];
    char want[700];

    (void)state;
    (void)snprintf(text, sizeof(text), "I am %.500s.", sender.keys[0]);
    (void)snprintf(want, sizeof(want), "(1 %zu!%s)", strlen(text), text);
    client_says_frame(FRAME_TEXT, true, text);
    check_service_got(want);
    assert_null(ended_reason);
}

/* A word that may yet become one waits; what came before it does not. */
static void
test_a_word_waits_for_its_end(void **state)
{
    (void)state;
    client_says_frame(FRAME_TEXT, false, "one two");
    service_takes(&t.to_service, FRAMES_MAX_BYTES);
    frames_check(FRAME_OF_CLIENT, buf_view(&t.to_service), "(1 4-one )");
    client_says_frame(FRAME_CONTINUES, false, "three four");
    client_says_frame(FRAME_CONTINUES, true, "");
    check_service_got("(1 4-one )(0 9-twothree )(0 4!four)");
}

/* ---- both ends ---- */

static void
test_both_say_close(void **state)
{
    (void)state;
    client_says_frame(FRAME_CLOSE, true, "\x03\xe8");
    client_says_frame(FRAME_TEXT, true, "too late");
    check_service_got("(8 2!\x03\xe8)");
    assert_int_equal(client_hears(), PROXY_WAIT);
    service_says_frame(FRAME_CLOSE, true, "\x03\xe8");
    assert_int_equal(client_hears(), PROXY_END);
    check_client_got("(8 2!\x03\xe8)");
}

/* The client's answer must reach the service first. */
static void
test_the_end_waits_for_the_last_frame(void **state)
{
    int woken = 0;

    (void)state;
    service_says_frame(FRAME_CLOSE, true, "\x03\xe8");
    assert_int_equal(client_hears(), PROXY_WAIT);
    client_says_frame(FRAME_CLOSE, true, "\x03\xe8");
    assert_int_equal(client_hears(), PROXY_WAIT);
    woken = t.woken;
    check_service_got("(8 2!\x03\xe8)");
    assert_int_equal(client_hears(), PROXY_END);
    assert_true(t.woken > woken);
}

static void
test_a_client_that_leaves(void **state)
{
    (void)state;
    client_says_frame(FRAME_TEXT, true, "x");
    flight_left(t.flight);
    assert_int_equal(client_hears(), PROXY_BROKEN);
    /* With a Close it has ended in order. */
    (void)end(state);
    (void)begin(state);
    client_says_frame(FRAME_CLOSE, true, "");
    flight_left(t.flight);
    assert_int_equal(client_hears(), PROXY_WAIT);
    check_service_got("(8 0!)");
    service_says_frame(FRAME_CLOSE, true, "");
    assert_int_equal(client_hears(), PROXY_END);
}

static void
test_a_service_that_closes(void **state)
{
    (void)state;
    service_says_frame(FRAME_TEXT, true, "last\n");
    wire.events->on_end(wire.ctx, AG_OK);
    assert_int_equal(client_hears(), PROXY_END);
    check_client_got("(1 5!last\n)");
    (void)end(state);
    (void)begin(state);
    wire.events->on_end(wire.ctx, err_why(AG_EUPSTREAM, "it broke"));
    assert_int_equal(client_hears(), PROXY_BROKEN);
}

static void
test_what_is_no_frame(void **state)
{
    (void)state;
    client_says(span_of("\x81\x01x", 3)); /* no mask */
    assert_int_equal(client_hears(), PROXY_END);
    check_client_got("(8 2!\x03\xea)");
    (void)end(state);
    (void)begin(state);
    service_says(span_of("\xc1\x01x", 3)); /* a reserved bit */
    assert_int_equal(client_hears(), PROXY_END);
    check_client_got("(8 2!\x03\xea)");
    /* Whatever comes then is read for nothing. */
    service_says_frame(FRAME_TEXT, true, "more\n");
    client_says_frame(FRAME_TEXT, true, "more");
    assert_int_equal(client_hears(), PROXY_END);
    check_client_got("");
    check_service_got("");
}

/* Nor is what its client had said before sent any more. */
static void
test_a_fault_is_the_end_of_what_waits(void **state)
{
    static char text[4 * WAITING_BYTES];
    AG_AUTO(buf) struct buf frame;

    (void)state;
    client_says_frame(FRAME_TEXT, true, "not sent yet");
    service_says(span_of("\xc1\x01x", 3));
    check_service_got("");
    memset(text, ' ', sizeof(text));
    buf_init(&frame, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put(&frame, FRAME_OF_CLIENT,
               (struct frame){.kind = FRAME_BINARY, .last = true},
               span_of(text, sizeof(text)));
    client_says(buf_view(&frame)); /* as much as it likes, for nothing */
    check_service_got("");
}

/* ---- limits ---- */

static void
test_bytes_are_counted_both_ways(void **state)
{
    (void)end(state);
    start_wish(100);
    ask();
    service_answers(101, "", "");
    client_says_frame(FRAME_BINARY, true,
                      "forty bytes of a message of the client's.");
    check_service_got("(2 41!forty bytes of a message of the client's.)");
    service_says_frame(FRAME_BINARY, true,
                       "forty bytes of the service's as "
                       "well.\n");
    check_client_got("(2 38!forty bytes of the service's as well.\n)");
    service_says_frame(FRAME_BINARY, true, "and more than are left\n");
    assert_int_equal(client_hears(), PROXY_END);
    check_client_got("(8 2!\x03\xf0)");
}

/* A service that reads nothing holds its client, and none of it is lost. */
static void
test_a_service_that_is_slow(void **state)
{
    static char text[4 * WAITING_BYTES];
    AG_AUTO(buf) struct buf frame;
    struct frames_seen seen;
    size_t at = 0;
    size_t n = 1;

    (void)state;
    memset(text, ' ', sizeof(text));
    buf_init(&frame, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put(&frame, FRAME_OF_CLIENT,
               (struct frame){.kind = FRAME_BINARY, .last = true},
               span_of(text, sizeof(text)));
    while (at < frame.len) {
        n = flight_take(t.flight, span_sub(buf_view(&frame), at, 8192));
        at += n;
        if (n == 0) {
            int woken = t.woken;

            assert_true(at >= WAITING_BYTES);
            service_takes(&t.to_service, t.to_service.len + WAITING_BYTES);
            assert_true(t.woken > woken);
        }
    }
    service_takes(&t.to_service, FRAMES_MAX_BYTES);
    frames_read(FRAME_OF_CLIENT, buf_view(&t.to_service), &seen);
    assert_int_equal(seen.longest, 64 * 1024);
    assert_true(seen.text.len > sizeof(text));
    buf_done(&seen.text);
}

/* It asked and got nothing: it is told when there is something. */
static void
test_a_service_that_waits(void **state)
{
    uint8_t byte;
    size_t len = 0;
    int resumed = wire.resumed;

    (void)state;
    assert_int_equal(wire.events->on_send(wire.ctx, &byte, 1, &len),
                     UPSTREAM_WAIT);
    client_says_frame(FRAME_TEXT, true, "there");
    assert_int_equal(wire.resumed, resumed + 1);
    client_says_frame(FRAME_TEXT, true, "and more");
    assert_int_equal(wire.resumed, resumed + 1);
}

/* Nor is more read of it than its client takes. */
static void
test_a_client_that_is_slow(void **state)
{
    static char text[100 * 1024];
    AG_AUTO(buf) struct buf frame;
    int said = 0;
    int resumed = wire.resumed;

    (void)state;
    memset(text, '\n', sizeof(text));
    buf_init(&frame, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put(&frame, FRAME_OF_SERVICE,
               (struct frame){.kind = FRAME_BINARY, .last = true},
               span_of(text, sizeof(text)));
    while (said < 20 &&
           wire.events->on_body(wire.ctx, buf_view(&frame)) == UPSTREAM_GO) {
        said++;
    }
    assert_in_range(said, 1, 4);
    assert_int_equal(client_hears(), PROXY_WAIT);
    assert_int_equal(wire.resumed, resumed + 1);
}

static void
test_what_is_cut_ends(void **state)
{
    uint8_t byte;
    size_t len = 0;

    (void)state;
    client_says_frame(FRAME_TEXT, true, "not sent yet");
    flight_cut(t.flight);
    assert_int_equal(client_hears(), PROXY_BROKEN);
    assert_int_equal(wire.events->on_send(wire.ctx, &byte, 1, &len),
                     UPSTREAM_WAIT);
    assert_int_equal(flight_take(t.flight, span_str("any")), 3);
}

static void
lock_and(void (*then)(void))
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    const struct unlock_request request = {.passphrase = passphrase};
    struct call person = call_of(flow.operator_peer);

    check_ok(vault_lock(flow.core, &person));
    then();
    check_ok(vault_unlock(flow.core, &person, &request, &answer));
}

static void
check_not_wanted(void)
{
    assert_false(flight_wanted(t.flight));
}

static void
say_more(void)
{
    client_says_frame(FRAME_TEXT, true, "too late");
}

/* Its task or the vault: whoever looks after it cuts it then. */
static void
test_what_is_not_wanted(void **state)
{
    (void)state;
    assert_true(flight_wanted(t.flight));
    lock_and(check_not_wanted);
}

/* Nor does a message begin until then. */
static void
test_a_message_of_a_locked_vault(void **state)
{
    (void)state;
    client_says_frame(FRAME_TEXT, true, "in time");
    check_service_got("(1 7!in time)");
    lock_and(say_more);
    check_service_got("");
    assert_int_equal(client_hears(), PROXY_END);
    check_client_got("(8 2!\x03\xf0)");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_handshake),
        TEST(test_answers_that_switch_to_nothing),
        TEST(test_a_refused_handshake),
        TEST(test_messages_both_ways),
        TEST(test_the_value_is_in_no_message),
        TEST(test_a_placeholder_of_its_own_goes_on),
        TEST(test_a_word_waits_for_its_end),
        TEST(test_both_say_close),
        TEST(test_the_end_waits_for_the_last_frame),
        TEST(test_a_client_that_leaves),
        TEST(test_a_service_that_closes),
        TEST(test_what_is_no_frame),
        TEST(test_a_fault_is_the_end_of_what_waits),
        TEST(test_bytes_are_counted_both_ways),
        TEST(test_a_service_that_is_slow),
        TEST(test_a_service_that_waits),
        TEST(test_a_client_that_is_slow),
        TEST(test_what_is_cut_ends),
        TEST(test_what_is_not_wanted),
        TEST(test_a_message_of_a_locked_vault),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
