/* What of a request's head is kept. */
#include "common/check.h"
#include "proxy/kept_ask.h"

static void
test_all_but_the_brokers_own_tokens(void **state)
{
    char token[] = "Bearer agt_0123456789";
    const struct request_field fields[] = {
        {span_str("Accept"), span_str("*/*")},
        {span_str("Authorization"), span_str(token)},
        {span_str("X-Vault-Token"), span_str("agt_1")},
        {span_str("X-Api-Key"), span_str("k")},
    };
    const struct permit_ask ask = {
        .path_task_id = 7,
        .request = {.path = span_str("/x"),
                    .fields = fields,
                    .field_count = AG_COUNT(fields)},
    };
    struct kept_ask kept = {0};

    (void)state;
    kept_ask_init(&kept, &ask);
    memset(token, 0, sizeof(token) - 1); /* as http/pass does */
    assert_int_equal(kept.ask.path_task_id, 7);
    assert_true(span_is(kept.ask.request.path, "/x"));
    assert_ptr_equal(kept.ask.request.fields, kept.fields);
    assert_int_equal(kept.ask.request.field_count, 2);
    assert_true(span_is(kept.fields[0].name, "Accept"));
    assert_true(span_is(kept.fields[1].name, "X-Api-Key"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_but_the_brokers_own_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
