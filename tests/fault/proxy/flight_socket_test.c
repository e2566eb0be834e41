// WRAP: upstream_start upstream_cancel upstream_resume
// WRAP: buf_add placeholder_scan_new
/* Each of what a WebSocket's message needs fails in turn: it comes whole or not
 * at all, its connection ends then, and nothing stays behind. */
#include "common/fault.h"
#include "profile/placeholder.h"
#include "unit/proxy/socket_rig.h"

enum {
    RUNS_MAX_COUNT = 100,
};

FAULT_WRAPPER(enum ag_err, buf_add, (struct buf * b, struct span bytes),
              (b, bytes), AG_ENOMEM)
FAULT_WRAPPER(enum ag_err, placeholder_scan_new,
              (const struct secret *key, placeholder_hit_fn hit, void *arg,
               struct placeholder_scan **ret),
              (key, hit, arg, ret), AG_ENOMEM)

/* What it is to be as frames_check() has it. */
struct message {
    enum frame_kind kind;
    const char *text;
    const char *whole;
};

static const struct message MESSAGES[] = {
    {FRAME_TEXT, "what is here\n", "(1 13!what is here\n)"},
    {FRAME_BINARY, "and a word", "(2 10!and a word)"},
    {FRAME_PING, "asked", "(9 5!asked)"},
    {FRAME_CLOSE, "\x03\xe8 enough", "(8 9!\x03\xe8 enough)"},
};

/* Returns whether a call failed. */
static bool
say_once(const struct message *message, bool up, unsigned nth, bool all_later)
{
    AG_AUTO(buf) struct buf frame;
    bool fired = false;

    buf_init(&frame, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put_text(&frame, up ? FRAME_OF_CLIENT : FRAME_OF_SERVICE,
                    message->kind, true, message->text);
    fault_arm(nth);
    fault.all_later = all_later;
    if (up) {
        client_says(buf_view(&frame));
    } else {
        service_says(buf_view(&frame));
    }
    fired = fault_done();
    if (!fired && up) {
        check_service_got(message->whole);
    } else if (!fired) {
        check_client_got(message->whole);
    } else {
        assert_int_equal(client_hears(), PROXY_END);
        check_client_got(all_later ? "" : "(8 2!\x03\xf3)");
        check_service_got("");
    }
    return fired;
}

static void
say_all(void **state, bool up, bool all_later)
{
    for (size_t i = 0; i < AG_COUNT(MESSAGES); i++) {
        unsigned n = 1;

        while (say_once(&MESSAGES[i], up, n, all_later)) {
            n++;
            assert_true(n < RUNS_MAX_COUNT);
            (void)end(state);
            (void)begin(state);
        }
        assert_true(n > 3);
        (void)end(state);
        (void)begin(state);
    }
}

static void
test_what_a_client_says(void **state)
{
    say_all(state, true, false);
    say_all(state, true, true);
}

static void
test_what_a_service_says(void **state)
{
    say_all(state, false, false);
    say_all(state, false, true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_client_says),
        TEST(test_what_a_service_says),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
