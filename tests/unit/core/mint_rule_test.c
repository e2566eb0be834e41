/* Which secrets have a mint rule: a member of their own, not a word. */
#include "common/arena.h"
#include "common/check.h"
#include "core/mint.h"
#include "store/secrets.h"

static bool
has_rule(const char *detail)
{
    char text[128];
    struct secret_row row = {.detail = detail != NULL ? text : NULL};

    (void)snprintf(text, sizeof(text), "%s", detail != NULL ? detail : "");
    return mint_has_rule(&row);
}

static void
test_a_rule_is_a_member_of_the_description(void **state)
{
    (void)state;
    assert_true(has_rule("{\"mint\":{\"minter\":\"postgres\"}}"));
    assert_true(has_rule("{\"profile\":\"x\", \"mint\" : {}}"));
    assert_false(has_rule(NULL));
    assert_false(has_rule("{}"));
    assert_false(has_rule("{\"profile\":\"mint\"}"));
    assert_false(has_rule("{\"fields\":{\"mint\":1}}"));
    assert_false(has_rule("{\"fields\":[{\"mint\":{}}]}"));
    assert_false(has_rule("{\"note\":\"\\\"mint\\\":\"}"));
}

/* Nothing may be done with it that is for those without. */
static void
test_one_that_cannot_be_read_counts_as_one(void **state)
{
    (void)state;
    assert_true(has_rule("{\"mint\":"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rule_is_a_member_of_the_description),
        cmocka_unit_test(test_one_that_cannot_be_read_counts_as_one),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
