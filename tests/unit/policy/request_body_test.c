/* What stands at a place of a JSON body, and of which bodies nothing does. */
#include "base/secret.h"
#include "common/check.h"
#include "policy/request.h"

enum {
    ARENA_BYTES = 65536,
};

static const struct place PLACE = {
    .in = PLACE_FIELD, .name = "/a/key", .format = "x {}"};

static const struct request_field JSON = {
    {(const uint8_t *)"Content-Type", 12},
    {(const uint8_t *)"application/json ; charset=x", 28}};

static enum ag_err
look(const char *body, struct request_found *ret)
{
    const struct request_ask ask = {
        .fields = &JSON, .field_count = 1, .body = span_str(body)};

    request_found_done(ret);
    return request_look(&PLACE, &ask, ret);
}

/* Where it is spelled, and what it says. */
static void
test_a_field_by_its_path(void **state)
{
    static const char PLAIN[] =
        "{\"key\": \"x no\", \"a\": {\"key\": \"x yes\"}}";
    static const char ESCAPED[] =
        "{\"\\u0061\": {\"key\": \"\\u0078 \\u0079es\"}}";
    AG_AUTO(request_found) struct request_found f = {0};

    (void)state;
    check_ok(look(PLAIN, &f));
    assert_true(f.there);
    check_span(f.value, "yes");
    assert_int_equal(f.at, strstr(PLAIN, "x yes") - PLAIN);
    assert_int_equal(f.len, strlen("x yes"));
    check_ok(look(ESCAPED, &f));
    assert_true(f.there);
    check_span(f.value, "yes");
    assert_int_equal(f.at, strstr(ESCAPED, "\\u0078") - ESCAPED);
    assert_int_equal(f.len, strlen("\\u0078 \\u0079es"));
}

static void
test_bodies_without_it(void **state)
{
    static const char *const BODIES[] = {
        "",
        "{}",
        "[]",
        "\"x yes\"",
        "{\"key\": \"x yes\"}",
        "{\"a\": [{\"key\": \"x yes\"}]}",
        "{\"a\": {\"key\": {\"key\": \"x yes\"}}}",
        /* not as its format says */
        "{\"a\": {\"key\": \"\"}}",
        "{\"a\": {\"key\": \"yes\"}}",
        "{\"a\": {\"key\": \"x \"}}",
        /* no strings */
        "{\"a\": {\"key\": 12}}",
        "{\"a\": {\"key\": null}}",
        "{\"a\": {\"key\": true}}",
        /* no JSON, though it began as such */
        "{\"a\": {\"key\": \"x yes\"}",
        "{\"a\": {\"key\": \"x yes\"}}}",
        "{\"a\": {\"key\": \"x yes\"}} {}",
        "{\"a\": {\"key\": \"x yes\",}}",
        "a: {key: \"x yes\"}",
    };
    AG_AUTO(request_found) struct request_found f = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BODIES); i++) {
        check_ok(look(BODIES[i], &f));
        if (f.there) {
            fail_msg("found in %s", BODIES[i]);
        }
    }
}

/* Whichever of them a service takes. */
static void
test_one_that_comes_twice(void **state)
{
    static const char *const BODIES[] = {
        "{\"a\": {\"key\": \"x yes\", \"key\": \"x no\"}}",
        "{\"a\": {\"key\": \"x yes\", \"key\": 12}}",
        "{\"a\": {\"key\": null, \"key\": \"x yes\"}}",
        "{\"a\": {\"key\": \"x yes\"}, \"a\": {\"key\": \"x no\"}}",
    };
    AG_AUTO(request_found) struct request_found f = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BODIES); i++) {
        check_err(look(BODIES[i], &f), AG_EPLACE);
        assert_non_null(strstr(err_text(AG_EPLACE), "/a/key comes twice"));
    }
}

static bool
is_read_as(const char *name, const char *value, const char *type)
{
    AG_AUTO(request_found) struct request_found f = {0};
    const struct request_field fields[] = {
        {span_str(name), span_str(value)},
        {span_str("content-type"), span_str(type)}};
    const struct request_ask ask = {
        .fields = fields,
        .field_count = AG_COUNT(fields),
        .body = span_str("{\"a\": {\"key\": \"x yes\"}}")};

    check_ok(request_look(&PLACE, &ask, &f));
    return f.there;
}

/* Of every type that is said, and not encoded. */
static void
test_what_a_body_is_said_to_be(void **state)
{
    (void)state;
    assert_true(is_read_as("X", "y", "application/json"));
    assert_true(is_read_as("X", "y", "Application/JSON; charset=utf-8"));
    assert_true(
        is_read_as("Content-Type", "application/json", "application/json"));
    assert_false(is_read_as("X", "y", "application/jsonl"));
    assert_false(is_read_as("X", "y", "text/plain; a=application/json"));
    assert_false(is_read_as("X", "y", ""));
    assert_false(is_read_as("Content-Type", "text/plain", "application/json"));
    assert_false(is_read_as("Content-Type", "application/json", "text/plain"));
    assert_false(is_read_as("Content-Encoding", "gzip", "application/json"));
    assert_false(
        is_read_as("content-encoding", "identity", "application/json"));
}

static void
test_a_body_of_no_type(void **state)
{
    AG_AUTO(request_found) struct request_found f = {0};
    const struct request_ask ask = {
        .body = span_str("{\"a\": {\"key\": \"x yes\"}}")};

    (void)state;
    check_ok(request_look(&PLACE, &ask, &f));
    assert_false(f.there);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_field_by_its_path),
        cmocka_unit_test(test_bodies_without_it),
        cmocka_unit_test(test_one_that_comes_twice),
        cmocka_unit_test(test_what_a_body_is_said_to_be),
        cmocka_unit_test(test_a_body_of_no_type),
    };

    if (secret_arena_open(ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
