/* Any text in any chain of codings, cut at random: the same text. A byte of it
 * changed, or its end cut off: never a crash, and a gzip's text or none. */
#include "common/coded.h"
#include "common/prop.h"

enum {
    RUNS_COUNT = 400,
    TEXT_MAX_BYTES = 200000,
};

/* Now random, now repeated. */
static void
random_text(struct buf *out)
{
    size_t want = prop_below(TEXT_MAX_BYTES);

    while (out->len < want) {
        uint8_t part[64];
        size_t len = 1 + prop_below(sizeof(part));
        size_t times = prop_below(3) == 0 ? prop_below(2000) : 1;

        prop_bytes(part, len);
        for (size_t i = 0; i < times && out->len < want; i++) {
            check_ok(buf_add(out, span_of(part, len)));
        }
    }
}

static enum ag_err
undo(const struct decode_codings *codings, struct span in, struct buf *out)
{
    AG_AUTO(decode) struct decode *d = NULL;
    enum ag_err err = decode_new(codings, &coded_memory, &d);

    while (err == AG_OK && in.len > 0) {
        size_t len = 1 + prop_below(prop_below(2) == 0 ? 20 : 20000);

        err = coded_feed(d, span_sub(in, 0, len), out);
        in = span_sub(in, len, in.len);
    }
    return err == AG_OK ? decode_finish(d) : err;
}

static void
random_coded(struct buf *text, struct decode_codings *codings)
{
    size_t layers = 1 + prop_below(2);

    for (size_t i = 0; i < layers; i++) {
        enum coded_form form = (enum coded_form)prop_below(CODED_FORM_COUNT);
        AG_AUTO(buf) struct buf coded = {0};

        buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
        coded_add(form, buf_view(text), &coded);
        check_ok(decode_read_codings(span_str(coded_name(form)), codings));
        text->len = 0;
        check_ok(buf_add(text, buf_view(&coded)));
    }
}

static void
run_one(void)
{
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf coded = {0};
    AG_AUTO(buf) struct buf out = {0};
    struct decode_codings codings = {0};

    buf_init(&text, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
    random_text(&text);
    check_ok(buf_add(&coded, buf_view(&text)));
    random_coded(&coded, &codings);
    check_ok(undo(&codings, buf_view(&coded), &out));
    assert_true(span_equal(buf_view(&out), buf_view(&text)));
    out.len = 0;
    check_err(undo(&codings,
                   span_sub(buf_view(&coded), 0, 1 + prop_below(coded.len - 1)),
                   &out),
              AG_EENCODED);
    out.len = 0;
    coded.ptr[prop_below(coded.len)] ^= (uint8_t)(1U << prop_below(8));
    if (undo(&codings, buf_view(&coded), &out) == AG_OK &&
        codings.at[codings.count - 1] == DECODE_GZIP) {
        assert_true(span_equal(buf_view(&out), buf_view(&text)));
    }
    assert_int_equal(atomic_load(&coded_memory.used_bytes), 0);
}

static void
test_any_text_comes_back(void **state)
{
    uint64_t runs = prop_begin(RUNS_COUNT);

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        run_one();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_text_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
