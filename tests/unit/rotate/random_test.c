/* Parameters of the rotators, and values made by them. */
#include <string.h>

#include "base/secret.h"
#include "common/arena.h"
#include "common/check.h"
#include "rotate/rotator.h"
#include "wire/json.h"

static json_t *
tree_of(const char *text)
{
    json_t *tree = NULL;

    check_ok(wjson_parse(span_str(text), strlen(text), &tree));
    return tree;
}

static enum ag_err
check_params(const char *rotator, const char *text)
{
    const struct rotator *r = NULL;
    json_t *params = tree_of(text);
    enum ag_err err = AG_OK;

    check_ok(rotator_find(rotator, &r));
    err = r->check(params);
    json_decref(params);
    return err;
}

static struct secret *
make(const char *text)
{
    const struct rotator *r = NULL;
    struct secret *value = NULL;
    json_t *params = tree_of(text);

    check_ok(rotator_find("random", &r));
    check_ok(r->check(params));
    check_ok(r->make(params, &value));
    json_decref(params);
    return value;
}

static bool
has_any(const struct secret *value, const char *letters)
{
    struct span view = secret_view(value);

    for (size_t i = 0; i < view.len; i++) {
        if (strchr(letters, view.ptr[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void
test_a_value_has_its_length_and_letters(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        AG_AUTO(secret)
        struct secret *value =
            make("{\"length\":12,\"alphabet\":\"ascii\",\"require\":[\"lower\","
                 "\"upper\",\"digit\",\"symbol\"]}");

        assert_int_equal(secret_len(value), 12);
        assert_true(has_any(value, "abcdefghijklmnopqrstuvwxyz"));
        assert_true(has_any(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
        assert_true(has_any(value, "0123456789"));
        assert_true(has_any(value, "!#$%&()*+,-./:;<=>?@[]^_{|}~"));
        assert_false(has_any(value, " \"'\\`\n"));
    }
}

static void
test_values_differ_and_default_to_32_letters_and_digits(void **state)
{
    AG_AUTO(secret) struct secret *one = make("{}");
    AG_AUTO(secret) struct secret *two = make("{}");
    AG_AUTO(secret) struct secret *hex = make("{\"alphabet\":\"hex\"}");

    (void)state;
    assert_int_equal(secret_len(one), 32);
    assert_false(secret_equal(one, two));
    assert_false(has_any(one, "-_!"));
    assert_false(has_any(hex, "ghijklmnopqrstuvwxyzABCDEF"));
}

static void
test_wrong_parameters_are_refused(void **state)
{
    static const char *const BAD[] = {
        "{\"length\":11}",
        "{\"length\":1025}",
        "{\"length\":\"20\"}",
        "{\"alphabet\":\"klingon\"}",
        "{\"require\":[\"emoji\"]}",
        "{\"alphabet\":\"digits\",\"require\":[\"lower\"]}",
        "{\"program\":\"x\"}",
        "{\"generate\":true}",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(check_params("random", BAD[i]), AG_EINVAL);
    }
    check_ok(check_params("random", "{\"length\":1024}"));
    check_err(check_params("command", "{}"), AG_EINVAL);
    check_err(check_params("command", "{\"program\":\"A b\"}"), AG_EINVAL);
    check_err(check_params("command", "{\"program\":\"x\",\"length\":20}"),
              AG_EINVAL);
    check_err(check_params("command", "{\"program\":\"x\",\"generate\":true,"
                                      "\"length\":2}"),
              AG_EINVAL);
    check_ok(check_params("command", "{\"program\":\"x\"}"));
    check_ok(check_params("command", "{\"program\":\"x\",\"generate\":true,"
                                     "\"length\":20}"));
}

static void
test_a_program_that_makes_the_value_is_not_given_one(void **state)
{
    const struct rotator *r = NULL;
    struct secret *value = NULL;
    json_t *params = tree_of("{\"program\":\"x\"}");

    (void)state;
    check_ok(rotator_find("command", &r));
    check_err(r->make(params, &value), AG_ENOTFOUND);
    assert_null(value);
    json_decref(params);
    check_err(rotator_find("magic", &r), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_has_its_length_and_letters),
        cmocka_unit_test(
            test_values_differ_and_default_to_32_letters_and_digits),
        cmocka_unit_test(test_wrong_parameters_are_refused),
        cmocka_unit_test(test_a_program_that_makes_the_value_is_not_given_one),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
