// WRAP: buf_add
/* Memory that is not there, at each place where a frame is made: an error, and
 * of a frame either all was sent or nothing. */
#include "common/fault.h"
#include "common/frames.h"
#include "proxy/reframe.h"

FAULT_WRAPPER(enum ag_err, buf_add, (struct buf * b, struct span bytes),
              (b, bytes), AG_ENOMEM)

static struct buf in;
static struct buf sent;

static enum ag_err
on_begin(void *ctx)
{
    (void)ctx;
    return AG_OK;
}

static enum ag_err
on_feed(void *ctx, struct span part, struct buf *out)
{
    (void)ctx;
    return buf_add(out, part);
}

static enum ag_err
on_finish(void *ctx, struct buf *out)
{
    (void)ctx;
    (void)out;
    return AG_OK;
}

static enum ag_err
on_sent(void *ctx, struct span frame)
{
    (void)ctx;
    for (size_t i = 0; i < frame.len; i++) {
        check_ok(buf_add_byte(&sent, frame.ptr[i]));
    }
    return AG_OK;
}

static void
test_the_nth_piece_of_memory_is_not_there(void **state)
{
    const struct reframe_search search = {.begin = on_begin,
                                          .feed = on_feed,
                                          .finish = on_finish,
                                          .whole = on_feed};
    const struct sink out = {.feed = on_sent};
    enum ag_err err = AG_OK;
    unsigned n = 0;

    (void)state;
    buf_init(&in, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put_text(&in, FRAME_OF_CLIENT, FRAME_TEXT, false, "he");
    frames_put_text(&in, FRAME_OF_CLIENT, FRAME_PING, true, "p");
    frames_put_text(&in, FRAME_OF_CLIENT, FRAME_CONTINUES, true, "llo");
    frames_put_text(&in, FRAME_OF_CLIENT, FRAME_CLOSE, true, "\x03\xe8w");
    for (n = 1;; n++) {
        struct frames_seen seen;
        struct reframe r;

        buf_init(&sent, FRAMES_MAX_BYTES, BUF_PLAIN);
        reframe_init(&r, FRAME_OF_CLIENT, &search, &out);
        fault_arm(n);
        err = reframe_feed(&r, buf_view(&in));
        reframe_done(&r);
        if (!fault_done()) {
            break;
        }
        check_err(err, AG_ENOMEM);
        frames_read(FRAME_OF_CLIENT, buf_view(&sent), &seen);
        assert_true(seen.text.len == 0 ||
                    seen.text.ptr[seen.text.len - 1] == ')');
        buf_done(&seen.text);
        buf_done(&sent);
    }
    check_ok(err);
    frames_check(FRAME_OF_CLIENT, buf_view(&sent),
                 "(1 2-he)(9 1!p)(0 3!llo)(8 3!\x03\xe8w)");
    assert_true(n > 10);
    buf_done(&sent);
    buf_done(&in);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_nth_piece_of_memory_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
