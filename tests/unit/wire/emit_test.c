/* The writer: what it writes is what jansson reads back. */
#include "base/buf.h"
#include "common/check.h"
#include "wire/emit.h"
#include "wire/json.h"

static void
test_every_kind_of_item(void **state)
{
    AG_AUTO(buf) struct buf out;
    struct emit e;

    (void)state;
    buf_init(&out, 4096, BUF_WIPE);
    emit_start(&e, &out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "s", "a\"b\\c\n\t\x01\x7f\xc3\xa4");
    emit_str(&e, "left_out", NULL);
    emit_int(&e, "i", INT64_MIN);
    emit_bool(&e, "t", true);
    emit_time(&e, "at", 0);
    emit_time(&e, "never", -1);
    emit_base64(&e, "b", span_of("\x00\xff", 2));
    emit_raw(&e, "raw", span_str("[1]"));
    emit_open(&e, "list", '[');
    emit_int(&e, NULL, 1);
    emit_open(&e, NULL, '{');
    emit_close(&e, '}');
    emit_close(&e, ']');
    emit_close(&e, '}');
    check_ok(emit_end(&e));
    assert_string_equal(
        buf_cstr(&out),
        "{\"s\":\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\xc3\xa4\","
        "\"i\":-9223372036854775808,\"t\":true,"
        "\"at\":\"1970-01-01T00:00:00.000Z\",\"never\":null,\"b\":\"AP8=\","
        "\"raw\":[1],\"list\":[1,{}]}");
}

static void
test_every_byte_survives(void **state)
{
    AG_AUTO(buf) struct buf out;
    AG_AUTO(wjson) json_t *tree = NULL;
    char text[128];
    struct emit e;

    (void)state;
    for (size_t i = 1; i < sizeof(text); i++) {
        text[i - 1] = (char)i;
    }
    text[sizeof(text) - 1] = '\0';
    buf_init(&out, 4096, BUF_PLAIN);
    emit_start(&e, &out);
    emit_open(&e, NULL, '[');
    emit_str(&e, NULL, text);
    emit_close(&e, ']');
    check_ok(emit_end(&e));
    check_ok(wjson_parse(buf_view(&out), WJSON_MAX_BYTES, &tree));
    assert_string_equal(json_string_value(json_array_get(tree, 0)), text);
}

static void
test_first_failure_sticks(void **state)
{
    AG_AUTO(buf) struct buf out;
    struct emit e;

    (void)state;
    buf_init(&out, 8, BUF_PLAIN);
    emit_start(&e, &out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "name", "too long for this");
    emit_int(&e, "i", 1);
    emit_close(&e, '}');
    check_err(emit_end(&e), AG_ELIMIT);
    buf_clear(&out);
    emit_start(&e, &out);
    emit_span(&e, NULL, span_of("\xff", 1));
    check_err(emit_end(&e), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_item),
        cmocka_unit_test(test_every_byte_survives),
        cmocka_unit_test(test_first_failure_sticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
