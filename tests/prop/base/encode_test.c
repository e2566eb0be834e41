/* Encodings there and back, and against slow models. */
#include "base/encode.h"
#include "common/arena.h"
#include "common/prop.h"

enum {
    LEN_MAX_BYTES = 100
};

static void
check_hex_and_base64(struct span in)
{
    AG_AUTO(buf) struct buf text;
    AG_AUTO(secret) struct secret *plain = NULL;
    char model[4 * LEN_MAX_BYTES];

    buf_init(&text, 1000, BUF_PLAIN);
    check_ok(encode_hex(in, &text));
    assert_string_equal(buf_cstr(&text),
                        sodium_bin2hex(model, sizeof(model), in.ptr, in.len));
    buf_clear(&text);
    check_ok(encode_base64(in, &text));
    (void)sodium_bin2base64(model, sizeof(model), in.ptr, in.len,
                            sodium_base64_VARIANT_ORIGINAL);
    assert_string_equal(buf_cstr(&text), model);
    check_ok(decode_base64_secret(buf_view(&text), &plain));
    assert_true(span_equal(in, secret_view(plain)));
}

static void
check_base32(struct span in)
{
    AG_AUTO(secret) struct secret *text = NULL;
    AG_AUTO(secret) struct secret *back = NULL;

    check_ok(encode_base32_secret(in, &text));
    assert_int_equal(secret_len(text), (in.len * 8 + 4) / 5);
    check_ok(decode_base32_secret(secret_view(text), &back));
    assert_true(span_equal(in, secret_view(back)));
}

/* One digit at a time, by long division of bytes. */
static void
model_base62(struct span in, char *out, size_t digits)
{
    static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz";
    uint8_t number[LEN_MAX_BYTES];

    memcpy(number, in.ptr, in.len);
    for (size_t d = digits; d-- > 0;) {
        unsigned rest = 0;

        for (size_t i = 0; i < in.len; i++) {
            unsigned part = rest << 8 | number[i];

            number[i] = (uint8_t)(part / 62);
            rest = part % 62;
        }
        out[d] = DIGITS[rest];
    }
}

static void
check_base62(struct span in)
{
    size_t digits = in.len * 8 / 5 + 1 + prop_below(4); /* 62 > 2^5 */
    char text[LEN_MAX_BYTES * 2];
    char model[LEN_MAX_BYTES * 2];
    uint8_t back[LEN_MAX_BYTES];

    in.len = in.len < 64 ? in.len : 64;
    check_ok(encode_base62(in, digits, text));
    model_base62(in, model, digits);
    assert_memory_equal(text, model, digits);
    check_ok(decode_base62(span_of(text, digits), back, in.len));
    assert_memory_equal(back, in.ptr, in.len);
}

/* Anything that decodes encodes to itself: there is one text per value. */
static void
check_one_text(void)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    AG_AUTO(buf) struct buf again;
    uint8_t text[16];
    size_t len = 4 * prop_below(4);

    for (size_t i = 0; i < len; i++) {
        text[i] = (uint8_t) "AZaz09+/=gQw"[prop_below(12)];
    }
    buf_init(&again, 100, BUF_PLAIN);
    if (decode_base64_secret(span_of(text, len), &plain) == AG_OK) {
        check_ok(encode_base64(secret_view(plain), &again));
        assert_true(span_equal(buf_view(&again), span_of(text, len)));
    }
}

static void
test_there_and_back(void **state)
{
    uint64_t runs = prop_begin(3000);
    uint8_t bytes[LEN_MAX_BYTES];

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        struct span in = span_of(bytes, prop_below(LEN_MAX_BYTES));

        prop_bytes(bytes, sizeof(bytes));
        if (prop_below(4) == 0) {
            memset(bytes, 0, prop_below(sizeof(bytes)));
        }
        check_hex_and_base64(in);
        check_base32(in);
        check_base62(in);
        check_one_text();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
