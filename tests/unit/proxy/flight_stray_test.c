// WRAP: upstream_start upstream_cancel upstream_resume permit_stray
/* A placeholder of another task's in what a client sends: whatever the service
 * takes while it is decided on, and after, nothing of it goes out. */
#include "unit/proxy/socket_rig.h"

enum {
    MANY_COUNT = 40,
    LONG_BYTES = 150 * 1024, /* more than one frame of ours */
    SHOWN_CHARS = 12,        /* of a placeholder, by which it would be known */
};

/* What it says while it is decided on a placeholder. */
static struct {
    int count;
    bool owner_ends;
    size_t taken_bytes; /* by the service, before it is known */
} decided;

static bool owner_runs;

static void
take(void)
{
    if (wire.started > 0) {
        service_takes(&t.to_service, FRAMES_MAX_BYTES);
    }
}

static void
end_owner(void)
{
    if (owner_runs) {
        end_party(&owner);
    }
    owner_runs = false;
}

enum ag_err __real_permit_stray(struct core *core, const struct call *call,
                                uint64_t id);
enum ag_err __wrap_permit_stray(struct core *core, const struct call *call,
                                uint64_t id);

enum ag_err
__wrap_permit_stray(struct core *core, const struct call *call, uint64_t id)
{
    enum ag_err err;

    decided.count++;
    take();
    decided.taken_bytes = t.to_service.len;
    if (decided.owner_ends && id == owner.key_id) {
        end_owner();
    }
    err = __real_permit_stray(core, call, id);
    take();
    return err;
}

static int
begin_two(void **state)
{
    memset(&decided, 0, sizeof(decided));
    start_party(&owner, 2000);
    owner_runs = true;
    return begin(state);
}

static int
end_two(void **state)
{
    (void)end(state);
    end_owner();
    return 0;
}

/* ---- in messages ---- */

/* In parts of that many bytes; the service takes whatever it can behind each. */
static void
say_in_parts(struct span bytes, size_t part)
{
    for (size_t at = 0; at < bytes.len;) {
        size_t n = flight_take(t.flight, span_sub(bytes, at, part));

        assert_true(n > 0);
        at += n;
        take();
    }
}

static void
say_frame(struct frame frame, const char *before, const char *key, size_t part)
{
    static char text[LONG_BYTES + 2048];
    AG_AUTO(buf) struct buf bytes;
    int len = snprintf(text, sizeof(text), "%s%s", before, key);

    assert_in_range(len, 0, sizeof(text) - 1);
    buf_init(&bytes, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put(&bytes, FRAME_OF_CLIENT, frame, span_str(text));
    say_in_parts(buf_view(&bytes), part);
}

static const char *
many_before(int way)
{
    static char text[LONG_BYTES + 1];
    size_t at = 0;

    if (way == 4) {
        memset(text, ' ', LONG_BYTES);
        text[LONG_BYTES] = '\0';
        return text;
    }
    for (int i = 0; i < MANY_COUNT; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s ",
                               sender.keys[0]);
    }
    return text;
}

/* All ways to have it in a message: at its end, in fragments, in a frame that
 * is none of a message, in a Close, behind much and behind many of its own. */
static void
say(int way, size_t part)
{
    char first[SHOWN_CHARS + 1];

    switch (way) {
    case 0:
        say_frame((struct frame){.kind = FRAME_TEXT, .last = true}, "see ",
                  owner.key, part);
        break;
    case 1:
        (void)snprintf(first, sizeof(first), "%.*s", SHOWN_CHARS, owner.key);
        say_frame((struct frame){.kind = FRAME_TEXT}, "see ", first, part);
        say_frame((struct frame){.kind = FRAME_CONTINUES, .last = true}, "",
                  owner.key + SHOWN_CHARS, part);
        break;
    case 2:
        say_frame((struct frame){.kind = FRAME_PING, .last = true}, "",
                  owner.key, part);
        break;
    case 3:
        say_frame((struct frame){.kind = FRAME_CLOSE, .last = true}, "\x03\xe8",
                  owner.key, part);
        break;
    default:
        say_frame((struct frame){.kind = FRAME_BINARY, .last = true},
                  many_before(way), owner.key, part);
        break;
    }
}

enum {
    WAYS_COUNT = 6,
};

/* No part of it, nor the end of its message. */
static void
check_nothing_of_it(void)
{
    struct frames_seen seen;

    take();
    frames_read(FRAME_OF_CLIENT, buf_view(&t.to_service), &seen);
    if (seen.text.len > 0 &&
        (memmem(seen.text.ptr, seen.text.len, owner.key, SHOWN_CHARS) != NULL ||
         memchr(seen.text.ptr, '!', seen.text.len) != NULL)) {
        fail_msg("it went out: %.300s", buf_cstr(&seen.text));
    }
    buf_done(&seen.text);
}

static void
test_one_of_another_task_does_not_go_out(void **state)
{
    static const size_t PARTS[] = {1, 7, 4096, LONG_BYTES};

    for (size_t i = 0; i < WAYS_COUNT * AG_COUNT(PARTS); i++) {
        int way = (int)(i / AG_COUNT(PARTS));

        say(way, PARTS[i % AG_COUNT(PARTS)]);
        assert_true(decided.count > 0);
        check_nothing_of_it();
        assert_int_equal(client_hears(), PROXY_END);
        check_client_got("(8 2!\x03\xf0)");
        assert_string_equal(ended_reason, "alarm");
        assert_string_equal(owner.reason, "alarm");
        /* Nor does anything behind it. */
        say_frame((struct frame){.kind = FRAME_TEXT, .last = true}, "more", "",
                  1);
        check_nothing_of_it();
        (void)end_two(state);
        (void)begin_two(state);
    }
}

/* Then it is one of a task that has ended: nobody can put it to use, and texts
 * hold such. But it was not sent before that was known. */
static void
test_the_other_ends_at_that_moment(void **state)
{
    char want[1100];

    (void)state;
    decided.owner_ends = true;
    say(0, 1);
    assert_int_equal(decided.count, 1);
    assert_int_equal(decided.taken_bytes, 0);
    (void)snprintf(want, sizeof(want), "(1 %zu!see %s)",
                   strlen("see ") + strlen(owner.key), owner.key);
    check_service_got(want);
    assert_null(ended_reason);
}

/* ---- in a body ---- */

static void
ask_with_body(void)
{
    const struct request_field fields[] = {
        {span_str("Content-Type"), span_str("text/plain")},
        {span_str("Authorization"), span_str(bearer(sender.keys[0]))}};
    const struct proxy_request request = {.method = span_str("POST"),
                                          .target =
                                              span_str("/p/api.example/x"),
                                          .fields = fields,
                                          .field_count = AG_COUNT(fields),
                                          .body_bytes = PROXY_BODY_CHUNKED,
                                          .peer = flow.task_peer};

    flight_end(t.flight);
    memset(&wire, 0, sizeof(wire));
    t.flight = NULL;
    check_ok(flight_begin(t.proxy, &request, true, &CLIENT, &t.flight));
}

/* Also where much of it is on its way already, and at its end. */
static void
test_nor_in_a_body(void **state)
{
    static const size_t PARTS[] = {1, 7, 4096};
    static char text[LONG_BYTES + 1100];

    for (size_t i = 0; i < 4 * AG_COUNT(PARTS); i++) {
        size_t before = i / AG_COUNT(PARTS) % 2 == 0 ? 0 : LONG_BYTES;
        const char *behind = i / AG_COUNT(PARTS) < 2 ? " here" : "";

        ask_with_body();
        memset(text, 'x', before);
        (void)snprintf(text + before, sizeof(text) - before, " see %s%s",
                       owner.key, behind);
        for (size_t at = 0; at < strlen(text) && t.err == AG_OK;) {
            at += flight_take(t.flight, span_sub(span_str(text), at,
                                                 PARTS[i % AG_COUNT(PARTS)]));
            take();
        }
        if (t.err == AG_OK) {
            flight_taken(t.flight);
        }
        take();
        assert_true(decided.count > 0);
        assert_int_equal(t.err, AG_EFOREIGN);
        assert_true(before == 0 || t.to_service.len > before / 2);
        assert_true(t.to_service.len == 0 ||
                    memmem(t.to_service.ptr, t.to_service.len, owner.key,
                           SHOWN_CHARS) == NULL);
        assert_string_equal(owner.reason, "alarm");
        (void)end_two(state);
        (void)begin_two(state);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin_two, end_two)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_of_another_task_does_not_go_out),
        TEST(test_the_other_ends_at_that_moment),
        TEST(test_nor_in_a_body),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
