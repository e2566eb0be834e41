/* Grants: patterns, fields, grades, and that a child is never wider. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/grant.h"

static void
test_pattern_covers_only_below_its_directory(void **state)
{
    (void)state;
    assert_true(pattern_covers("*", "github/bot"));
    assert_true(pattern_covers("github/bot", "github/bot"));
    assert_true(pattern_covers("github/*", "github/bot"));
    assert_true(pattern_covers("github/*", "github/team/*"));
    assert_false(pattern_covers("github/*", "github"));
    assert_false(pattern_covers("github/*", "githubx/bot"));
    assert_false(pattern_covers("github/bot", "github/bot2"));
    assert_false(pattern_covers("github/bot", "github/*"));
    assert_false(pattern_covers("github/bot", "*"));
}

static void
test_field_covers_itself_and_below(void **state)
{
    (void)state;
    assert_true(field_covers("", "/tokens/access_token"));
    assert_true(field_covers("/tokens", "/tokens/access_token"));
    assert_true(field_covers("/tokens", "/tokens"));
    assert_false(field_covers("/tokens", "/tokens2"));
    assert_false(field_covers("/tokens/a", "/tokens"));
    assert_false(field_covers("/tokens", ""));
}

static void
test_a_worse_grade_is_not_allowed(void **state)
{
    (void)state;
    assert_true(verb_allowed(VERB_PROXY, GRADE_PROXY));
    assert_true(verb_allowed(VERB_FILE, GRADE_ENV));
    assert_true(verb_allowed(VERB_READ, GRADE_ENV));
    assert_false(verb_allowed(VERB_ENV, GRADE_FILE));
    assert_false(verb_allowed(VERB_READ, GRADE_FILE));
    assert_false(verb_allowed(VERB_FILE, GRADE_SIGN));
    assert_false(verb_allowed(VERB_SIGN, GRADE_PROXY));
    assert_false(verb_allowed(VERB_REVEAL, GRADE_ENV));
}

static void
test_find_needs_name_field_and_verb(void **state)
{
    const struct grant grants[] = {
        {"codex/default", "/tokens", VERB_FILE, GRANT_USES_UNLIMITED},
        {"github/*", "", VERB_ENV, 3},
    };

    (void)state;
    assert_ptr_equal(
        grant_find(grants, 2, "codex/default", "/tokens/id", VERB_FILE),
        &grants[0]);
    assert_null(grant_find(grants, 2, "codex/default", NULL, VERB_FILE));
    assert_null(
        grant_find(grants, 2, "codex/default", "/tokens/id", VERB_READ));
    assert_ptr_equal(grant_find(grants, 2, "github/bot", NULL, VERB_ENV),
                     &grants[1]);
    assert_null(grant_find(grants, 2, "gitlab/bot", NULL, VERB_ENV));
    assert_null(grant_find(NULL, 0, "github/bot", NULL, VERB_ENV));
}

static void
test_a_child_is_never_wider(void **state)
{
    const struct grant parent[] = {{"github/*", "/a", VERB_ENV, 5}};
    const struct grant same = {"github/*", "/a", VERB_ENV, 5};
    const struct grant narrow = {"github/bot", "/a/b", VERB_ENV, 1};
    const struct grant wide_name = {"*", "/a", VERB_ENV, 1};
    const struct grant wide_field = {"github/bot", "", VERB_ENV, 1};
    const struct grant wide_verb = {"github/bot", "/a", VERB_READ, 1};
    const struct grant wide_uses = {"github/bot", "/a", VERB_ENV, 6};
    const struct grant endless = {"github/bot", "/a", VERB_ENV,
                                  GRANT_USES_UNLIMITED};

    (void)state;
    assert_int_equal(grants_narrow(parent, 1, &same, 1), AG_OK);
    assert_int_equal(grants_narrow(parent, 1, &narrow, 1), AG_OK);
    assert_int_equal(grants_narrow(parent, 1, &wide_name, 1), AG_EWIDER);
    assert_int_equal(grants_narrow(parent, 1, &wide_field, 1), AG_EWIDER);
    assert_int_equal(grants_narrow(parent, 1, &wide_verb, 1), AG_EWIDER);
    assert_int_equal(grants_narrow(parent, 1, &wide_uses, 1), AG_EWIDER);
    assert_int_equal(grants_narrow(parent, 1, &endless, 1), AG_EWIDER);
    assert_int_equal(grants_narrow(NULL, 0, &narrow, 1), AG_EWIDER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern_covers_only_below_its_directory),
        cmocka_unit_test(test_field_covers_itself_and_below),
        cmocka_unit_test(test_a_worse_grade_is_not_allowed),
        cmocka_unit_test(test_find_needs_name_field_and_verb),
        cmocka_unit_test(test_a_child_is_never_wider),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
