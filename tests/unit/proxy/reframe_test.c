/* One direction of a WebSocket: what its search lets out, in frames made anew;
 * what it holds back; and each step of it at fault. */
#include "common/frames.h"
#include "proxy/reframe.h"

/* A search that holds the last `holds` bytes of a message until it ends, writes
 * capital letters, and fails at its `fails_at`-th call. */
static struct {
    struct reframe r;
    enum frame_side side;
    struct buf in;
    struct buf sent;
    uint8_t held[64];
    size_t held_len;
    size_t holds;
    const char *whole_is; /* in place of a control frame's payload */
    int begun;
    int finished;
    int calls;
    int fails_at; /* 0: never */
} t;

static enum ag_err
called(void)
{
    return ++t.calls == t.fails_at ? AG_EFOREIGN : AG_OK;
}

static enum ag_err
add_upper(struct buf *out, struct span part)
{
    for (size_t i = 0; i < part.len; i++) {
        uint8_t c = part.ptr[i];

        check_ok(
            buf_add_byte(out, c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c));
    }
    return AG_OK;
}

static enum ag_err
on_begin(void *ctx)
{
    (void)ctx;
    assert_int_equal(t.begun, t.finished);
    t.begun++;
    return called();
}

static enum ag_err
on_feed(void *ctx, struct span part, struct buf *out)
{
    size_t from = out->len;

    (void)ctx;
    check_ok(add_upper(out, span_of(t.held, t.held_len)));
    check_ok(add_upper(out, part));
    t.held_len = out->len - from < t.holds ? out->len - from : t.holds;
    memcpy(t.held, out->ptr + out->len - t.held_len, t.held_len);
    buf_truncate(out, out->len - t.held_len);
    return called();
}

static enum ag_err
on_finish(void *ctx, struct buf *out)
{
    (void)ctx;
    t.finished++;
    check_ok(add_upper(out, span_of(t.held, t.held_len)));
    t.held_len = 0;
    return called();
}

static enum ag_err
on_whole(void *ctx, struct span payload, struct buf *out)
{
    (void)ctx;
    check_ok(
        add_upper(out, t.whole_is != NULL ? span_str(t.whole_is) : payload));
    return called();
}

static enum ag_err
on_sent(void *ctx, struct span frame)
{
    (void)ctx;
    check_ok(buf_add(&t.sent, frame));
    return called();
}

static void
begin(enum frame_side side, size_t holds)
{
    const struct reframe_search search = {.begin = on_begin,
                                          .feed = on_feed,
                                          .finish = on_finish,
                                          .whole = on_whole};
    const struct sink out = {.feed = on_sent};

    memset(&t, 0, sizeof(t));
    t.side = side;
    t.holds = holds;
    buf_init(&t.in, FRAMES_MAX_BYTES, BUF_PLAIN);
    buf_init(&t.sent, FRAMES_MAX_BYTES, BUF_PLAIN);
    reframe_init(&t.r, side, &search, &out);
}

static void
put(enum frame_kind kind, bool last, const char *text)
{
    frames_put_text(&t.in, t.side, kind, last, text);
}

static enum ag_err
feed(size_t step)
{
    struct span all = buf_view(&t.in);
    enum ag_err err = AG_OK;

    for (size_t at = 0; err == AG_OK && at < all.len; at += step) {
        err = reframe_feed(&t.r, span_sub(all, at, step));
    }
    return err;
}

static void
end(void)
{
    reframe_done(&t.r);
    buf_done(&t.in);
    buf_done(&t.sent);
}

/* In any parts, of either side. */
static void
check_all(void (*fill)(void), size_t holds, const char *want)
{
    for (int side = FRAME_OF_CLIENT; side <= FRAME_OF_SERVICE; side++) {
        for (size_t step = 1; step < 200; step += 33) {
            begin((enum frame_side)side, holds);
            fill();
            check_ok(feed(step));
            frames_check(t.side, buf_view(&t.sent), want);
            end();
        }
    }
}

/* ---- messages ---- */

static void
fill_messages(void)
{
    put(FRAME_TEXT, true, "hello");
    put(FRAME_BINARY, true, "bytes");
    put(FRAME_TEXT, true, "");
}

static void
test_messages(void **state)
{
    (void)state;
    check_all(fill_messages, 0, "(1 5!HELLO)(2 5!BYTES)(1 0!)");
    check_all(fill_messages, 64, "(1 5!HELLO)(2 5!BYTES)(1 0!)");
}

static void
fill_fragments(void)
{
    put(FRAME_TEXT, false, "he");
    put(FRAME_PING, true, "p");
    put(FRAME_CONTINUES, false, "l");
    put(FRAME_CONTINUES, false, "");
    put(FRAME_PONG, true, "");
    put(FRAME_CONTINUES, true, "lo");
    put(FRAME_BINARY, true, "x");
}

/* What a fragment has let out goes on when it ends; a control frame between
 * waits for none of it. */
static void
test_fragments(void **state)
{
    (void)state;
    check_all(fill_fragments, 0,
              "(1 2-HE)(9 1!P)(0 1-L)(10 0!)(0 2!LO)(2 1!X)");
    check_all(fill_fragments, 2, "(9 1!P)(1 1-H)(10 0!)(0 4!ELLO)(2 1!X)");
    check_all(fill_fragments, 64, "(9 1!P)(10 0!)(1 5!HELLO)(2 1!X)");
    begin(FRAME_OF_SERVICE, 0);
    fill_fragments();
    check_ok(feed(1000));
    assert_int_equal(t.begun, 2);
    assert_int_equal(t.finished, 2);
    end();
}

/* No more of it is kept than a block; at rest there is nothing. */
static void
test_a_long_message_goes_on_in_blocks(void **state)
{
    static char text[3 * REFRAME_BLOCK_BYTES + 10];
    struct frames_seen seen;

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t step = 1000; step < sizeof(text); step *= 3) {
        begin(FRAME_OF_CLIENT, 3);
        frames_put(&t.in, t.side,
                   (struct frame){.kind = FRAME_BINARY, .last = true},
                   span_of(text, sizeof(text)));
        check_ok(feed(step));
        frames_read(t.side, buf_view(&t.sent), &seen);
        assert_int_equal(seen.count, 4);
        assert_int_equal(seen.longest, REFRAME_BLOCK_BYTES);
        assert_null(t.r.text.ptr);
        buf_done(&seen.text);
        end();
    }
    /* Once a whole block and a byte are there it does not wait for more. */
    begin(FRAME_OF_SERVICE, 0);
    frames_put(&t.in, t.side,
               (struct frame){.kind = FRAME_BINARY, .last = true},
               span_of(text, sizeof(text)));
    buf_truncate(&t.in, REFRAME_BLOCK_BYTES + 10);
    check_ok(feed(1000));
    assert_int_equal(t.sent.len, 0);
    buf_truncate(&t.in, 0);
    check_ok(reframe_feed(&t.r, span_str("x")));
    frames_read(t.side, buf_view(&t.sent), &seen);
    assert_int_equal(seen.count, 1);
    buf_done(&seen.text);
    end();
}

/* ---- control frames ---- */

static void
test_control_frames_are_searched_whole(void **state)
{
    static char long_text[FRAME_CONTROL_MAX_BYTES + 2];
    static char fits[FRAME_CONTROL_MAX_BYTES + 1];

    (void)state;
    memset(long_text, 'l', sizeof(long_text) - 1);
    memset(fits, 'F', sizeof(fits) - 1);
    begin(FRAME_OF_SERVICE, 0);
    put(FRAME_PING, true, "ping");
    put(FRAME_CLOSE, true, "\x03\xe8why");
    check_ok(feed(1));
    frames_check(t.side, buf_view(&t.sent), "(9 4!PING)(8 5!\x03\xe8WHY)");
    assert_true(t.r.reader.closed);
    end();
    /* What has become too long is left out, but for the code. */
    begin(FRAME_OF_SERVICE, 0);
    t.whole_is = long_text;
    put(FRAME_PING, true, "ping");
    put(FRAME_CLOSE, true, "\x03\xe8why");
    check_ok(feed(1));
    frames_check(t.side, buf_view(&t.sent), "(9 0!)(8 2!\x03\xe8)");
    end();
    begin(FRAME_OF_SERVICE, 0);
    t.whole_is = fits;
    put(FRAME_PONG, true, "x");
    check_ok(feed(1));
    assert_int_equal(t.sent.len, 2 + FRAME_CONTROL_MAX_BYTES);
    end();
    /* The code is no text. */
    begin(FRAME_OF_SERVICE, 0);
    put(FRAME_CLOSE, true, "\x0f\xa0");
    check_ok(feed(1));
    assert_int_equal(t.calls, 1); /* it was sent, and not searched */
    frames_check(t.side, buf_view(&t.sent), "(8 2!\x0f\xa0)");
    end();
}

static void
test_nothing_goes_on_behind_a_close(void **state)
{
    (void)state;
    begin(FRAME_OF_CLIENT, 0);
    put(FRAME_TEXT, false, "half");
    put(FRAME_CLOSE, true, "");
    put(FRAME_CONTINUES, true, "rest");
    put(FRAME_TEXT, true, "more");
    check_ok(feed(1000));
    frames_check(t.side, buf_view(&t.sent), "(1 4-HALF)(8 0!)");
    end();
}

static void
test_a_close_of_our_own(void **state)
{
    const struct sink out = {.feed = on_sent};

    (void)state;
    for (int side = FRAME_OF_CLIENT; side <= FRAME_OF_SERVICE; side++) {
        begin((enum frame_side)side, 0);
        check_ok(reframe_close(t.side, FRAME_CODE_POLICY, &out));
        frames_check(t.side, buf_view(&t.sent), "(8 2!\x03\xf0)");
        end();
    }
}

/* A mask that can be foretold would let a client write what it likes to the
 * wire. */
static void
test_masks_are_new(void **state)
{
    struct span sent;

    (void)state;
    begin(FRAME_OF_CLIENT, 0);
    put(FRAME_TEXT, true, "same");
    put(FRAME_TEXT, true, "same");
    check_ok(feed(1000));
    sent = buf_view(&t.sent);
    assert_int_equal(sent.len, 2 * (2 + FRAME_MASK_BYTES + 4));
    assert_true(memcmp(sent.ptr + 2, sent.ptr + sent.len / 2 + 2,
                       FRAME_MASK_BYTES) != 0);
    end();
}

/* ---- faults ---- */

/* Whatever fails, it is told, and nothing of what failed was sent. */
static void
test_each_step_may_fail(void **state)
{
    int n = 0;

    (void)state;
    for (n = 1;; n++) {
        enum ag_err err = AG_OK;

        begin(FRAME_OF_CLIENT, 1);
        t.fails_at = n;
        fill_fragments();
        err = feed(3);
        if (t.calls < n) {
            check_ok(err);
            end();
            break;
        }
        check_err(err, AG_EFOREIGN);
        assert_int_equal(t.calls, n);
        end();
    }
    assert_true(n > 12);
}

static void
test_what_is_no_frame_is_refused(void **state)
{
    (void)state;
    begin(FRAME_OF_CLIENT, 0);
    frames_put_text(&t.in, FRAME_OF_SERVICE, FRAME_TEXT, true, "no mask");
    check_err(feed(1), AG_EINVAL);
    assert_int_equal(t.sent.len, 0);
    end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_a_long_message_goes_on_in_blocks),
        cmocka_unit_test(test_control_frames_are_searched_whole),
        cmocka_unit_test(test_nothing_goes_on_behind_a_close),
        cmocka_unit_test(test_a_close_of_our_own),
        cmocka_unit_test(test_masks_are_new),
        cmocka_unit_test(test_each_step_may_fail),
        cmocka_unit_test(test_what_is_no_frame_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
