/* Messages by table: every type, every bound, and that a refused message
 * leaves nothing behind. */
#include "common/check.h"
#include "unit/wire/sample.h"
#include "wire/json.h"

enum {
    ARENA_BYTES = 256 * 1024,
};

static void
check_refused(const char *text, enum ag_err want, const char *says)
{
    struct sample out;
    struct sample zero;

    memset(&zero, 0, sizeof(zero));
    memset(&out, 0xa5, sizeof(out));
    check_err(msg_decode(&SAMPLE, span_str(text), WJSON_MAX_BYTES, &out), want);
    if (strstr(err_text(want), says) == NULL) {
        fail_msg("%s: says \"%s\", not \"%s\"", text, err_text(want), says);
    }
    assert_memory_equal(&out, &zero, sizeof(out));
    assert_int_equal(secret_arena_used_bytes(), 0);
}

static void
test_every_type(void **state)
{
    static const char TEXT[] =
        "{\"value\":\"s3cret\",\"name\":\"a/b\",\"ttl_s\":60,\"unbound\":false,"
        "\"kind\":\"text\",\"words\":[\"x\",\"y\"],"
        "\"items\":[{\"secret\":\"c\"},{\"secret\":\"d\",\"uses\":9}],"
        "\"part\":{\"path\":\"/p\",\"key\":\"k\"}}";
    struct sample out;
    const struct sample_item *items;

    (void)state;
    check_ok(msg_decode(&SAMPLE, span_str(TEXT), WJSON_MAX_BYTES, &out));
    check_span(secret_view(out.value), "s3cret");
    assert_string_equal(out.name, "a/b");
    assert_int_equal(out.ttl_s, 60);
    assert_false(out.unbound);
    assert_int_equal(out.kind, 0);
    assert_int_equal(out.words.count, 2);
    assert_string_equal(((char **)out.words.items)[1], "y");
    assert_int_equal(out.items.count, 2);
    items = out.items.items;
    assert_string_equal(items[0].secret, "c");
    assert_int_equal(items[0].uses, -1);
    assert_int_equal(items[1].uses, 9);
    assert_string_equal(out.part->path, "/p");
    check_span(secret_view(out.part->key), "k");
    msg_done(&SAMPLE, &out);
    assert_null(out.value);
    assert_int_equal(secret_arena_used_bytes(), 0);
    msg_done(&SAMPLE, &out);
}

static void
test_absent_and_null(void **state)
{
    struct sample out;

    (void)state;
    check_ok(msg_decode(&SAMPLE,
                        span_str("{\"value\":\"xx\",\"name\":null,"
                                 "\"words\":null,\"part\":null}"),
                        WJSON_MAX_BYTES, &out));
    assert_null(out.name);
    assert_int_equal(out.ttl_s, 30);
    assert_true(out.unbound);
    assert_int_equal(out.kind, 1);
    assert_int_equal(out.words.count, 0);
    assert_null(out.part);
    msg_done(&SAMPLE, &out);
    check_err(msg_absent(&SAMPLE, &out), AG_EINVAL);
}

static void
test_refusals_name_the_field(void **state)
{
    (void)state;
    check_refused("[]", AG_EINVAL, "an object was expected");
    check_refused("{}", AG_EINVAL, "value: is missing");
    check_refused("{\"value\":null}", AG_EINVAL, "value: is missing");
    check_refused("{\"value\":1}", AG_EINVAL, "value: must be a string");
    check_refused("{\"value\":\"\"}", AG_EINVAL, "value: must not be empty");
    check_refused("{\"value\":\"x\"}", AG_EINVAL, "value: shorter than 2");
    check_refused("{\"value\":\"01234567890123456789012345678901234567890\"}",
                  AG_ELIMIT, "value: longer than 40");
    check_refused("{\"value\":\"xx\",\"ttl_s\":0}", AG_EINVAL,
                  "ttl_s: 0 is below 1");
    check_refused("{\"value\":\"xx\",\"ttl_s\":61}", AG_EINVAL,
                  "ttl_s: 61 is above 60");
    check_refused("{\"value\":\"xx\",\"ttl_s\":1.0}", AG_EINVAL,
                  "ttl_s: must be a whole number");
    check_refused("{\"value\":\"xx\",\"ttl_s\":\"1\"}", AG_EINVAL,
                  "ttl_s: must be a whole number");
    check_refused("{\"value\":\"xx\",\"unbound\":0}", AG_EINVAL,
                  "unbound: must be true or false");
    check_refused("{\"value\":\"xx\",\"kind\":\"hex\"}", AG_EINVAL, "kind: ");
    check_refused("{\"value\":\"xx\",\"name\":\"../x\"}", AG_EINVAL, "name");
    check_refused("{\"value\":\"xx\",\"words\":\"a\"}", AG_EINVAL,
                  "words: must be a list");
    check_refused("{\"value\":\"xx\",\"words\":[\"a\",1]}", AG_EINVAL,
                  "words: must be a list of strings");
    check_refused("{\"value\":\"xx\",\"words\":[\"\"]}", AG_EINVAL,
                  "none empty");
    check_refused("{\"value\":\"xx\",\"words\":[\"a\",\"b\",\"c\",\"d\"]}",
                  AG_ELIMIT, "words: more than 3");
    check_refused("{\"value\":\"xx\",\"items\":[{\"secret\":\"c\"},{}]}",
                  AG_EINVAL, "secret: is missing");
    check_refused("{\"value\":\"xx\",\"items\":[1]}", AG_EINVAL,
                  "an object was expected");
    check_refused("{\"value\":\"xx\",\"part\":{\"path\":\"p\",\"key\":\"\"}}",
                  AG_EINVAL, "key: must not be empty");
    check_refused("{\"value\":\"xx\",\"colour\":1}", AG_EINVAL,
                  "colour: no such field");
    check_refused("{\"value\":\"xx\",\"part\":{\"path\":\"p\",\"colour\":1}}",
                  AG_EINVAL, "colour: no such field");
}

static void
test_keys_are_not_quoted_when_they_may_be_values(void **state)
{
    (void)state;
    check_refused("{\"value\":\"xx\",\"sk-CANARY\":1}", AG_EINVAL,
                  "no such field");
    assert_null(strstr(err_text(AG_EINVAL), "CANARY"));
}

static void
test_tolerant_specs_pass_over_unknown_fields(void **state)
{
    struct msg_spec tolerant = SAMPLE;
    struct sample out;

    (void)state;
    tolerant.flags = MSG_TOLERANT;
    check_ok(msg_decode(&tolerant, span_str("{\"value\":\"xx\",\"new\":1}"),
                        WJSON_MAX_BYTES, &out));
    msg_done(&tolerant, &out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_absent_and_null),
        cmocka_unit_test(test_refusals_name_the_field),
        cmocka_unit_test(test_keys_are_not_quoted_when_they_may_be_values),
        cmocka_unit_test(test_tolerant_specs_pass_over_unknown_fields),
    };

    if (secret_arena_open(ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
