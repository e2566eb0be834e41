/* Parsers against libc and against what they printed. */
#include <inttypes.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"
#include "common/prop.h"

static void
check_number(void)
{
    uint64_t value;
    uint64_t back = 0;
    char text[32];

    prop_bytes(&value, sizeof(value));
    value >>= prop_below(64);
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    check_ok(parse_u64(span_str(text), UINT64_MAX, &back));
    assert_true(back == value);
    if (value > 0) {
        check_err(parse_u64(span_str(text), value - 1, &back), AG_EINVAL);
    }
}

/* Our text of a time against strftime's, and read back. */
static void
check_time(void)
{
    int64_t ms = (int64_t)(prop_below((size_t)1 << 47));
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char want[64];
    char text[CLOCK_TEXT_BYTES];
    int64_t back = -1;
    size_t len;

    assert_non_null(gmtime_r(&s, &tm));
    len = strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(want + len, sizeof(want) - len, ".%03dZ", (int)(ms % 1000));
    clock_text(ms, text);
    assert_string_equal(text, want);
    check_ok(parse_time_ms(span_str(text), &back));
    assert_int_equal(back, ms);
}

/* A name by the rule, letter by letter. */
static bool
model_name(const char *text)
{
    size_t len = strlen(text);
    size_t from = 0;

    if (len == 0 || len > NAME_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        if (text[i] == '/' || text[i] == '\0') {
            size_t part = i - from;

            if (part == 0 || part > 64 ||
                (part <= 2 && strspn(text + from, ".") >= part)) {
                return false;
            }
            from = i + 1;
        } else if (strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", text[i]) ==
                   NULL) {
            return false;
        }
    }
    return true;
}

static void
check_name(void)
{
    char text[300] = {0};
    size_t len =
        prop_below(10) == 0 ? prop_below(sizeof(text) - 1) : prop_below(8);
    struct reference ref;

    for (size_t i = 0; i < len; i++) {
        text[i] = "abz09._-/./.A*#"[prop_below(prop_below(20) == 0 ? 15 : 12)];
    }
    assert_int_equal(parse_name(span_str(text)) == AG_OK, model_name(text));
    if (model_name(text)) {
        check_ok(parse_reference(span_str(text), &ref));
        check_span(ref.name, text);
    }
}

static void
test_parsers_agree_with_models(void **state)
{
    uint64_t runs = prop_begin(20000);

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        check_number();
        check_time();
        check_name();
    }
}

enum {
    MODEL_MAX_BYTES = 2000
};

/* A buffer against a plain array. */
static void
buffer_step(struct buf *b, char *model, size_t *len)
{
    char part[64];
    size_t n = prop_below(sizeof(part));
    enum ag_err err;

    switch (prop_below(4)) {
    case 0:
        *len = prop_below(*len + 1);
        buf_truncate(b, *len);
        break;
    default:
        prop_bytes(part, n);
        err = buf_add(b, span_of(part, n));
        assert_int_equal(err, *len + n > b->max ? AG_ELIMIT : AG_OK);
        if (err == AG_OK) {
            memcpy(model + *len, part, n);
            *len += n;
        }
        break;
    }
    assert_true(span_equal(buf_view(b), span_of(model, *len)));
}

static void
test_a_buffer_is_a_capped_array(void **state)
{
    uint64_t runs = prop_begin(20000);
    static char model[MODEL_MAX_BYTES + 64];

    (void)state;
    for (int wiping = 0; wiping < 2; wiping++) {
        AG_AUTO(buf) struct buf b;
        size_t len = 0;

        buf_init(&b, MODEL_MAX_BYTES, wiping == 0 ? BUF_PLAIN : BUF_WIPE);
        for (uint64_t i = 0; i < runs; i++) {
            buffer_step(&b, model, &len);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsers_agree_with_models),
        cmocka_unit_test(test_a_buffer_is_a_capped_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
