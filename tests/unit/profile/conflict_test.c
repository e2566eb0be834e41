/* Which of two versions of a login wins. */
#include "base/secret.h"
#include "common/check.h"
#include "profile/conflict.h"
#include "profile/load.h"

static struct profiles *profiles;

static enum conflict_winner
decide(const char *profile, const char *current, const char *incoming)
{
    AG_AUTO(secret) struct secret *a = NULL;
    AG_AUTO(secret) struct secret *b = NULL;
    const struct profile *p = NULL;
    enum conflict_winner winner = WINNER_SAME;

    if (profile != NULL) {
        check_ok(profile_find(profiles, profile, &p));
    }
    check_ok(secret_from(span_str(current), &a));
    check_ok(secret_from(span_str(incoming), &b));
    check_ok(conflict_decide(p, 0, a, b, &winner));
    return winner;
}

static void
test_codex_goes_by_last_refresh(void **state)
{
    static const char OLD[] = "{\"last_refresh\":\"2026-01-01T00:00:00Z\"}";
    static const char NEW[] = "{\"last_refresh\":\"2026-01-01T00:00:01Z\"}";

    (void)state;
    assert_int_equal(decide("codex", OLD, NEW), WINNER_INCOMING);
    assert_int_equal(decide("codex", NEW, OLD), WINNER_CURRENT);
    assert_int_equal(decide("codex", NEW, NEW), WINNER_SAME);
    assert_int_equal(decide("codex", "{}", OLD), WINNER_INCOMING);
    assert_int_equal(decide("codex", OLD, "{}"), WINNER_CURRENT);
    assert_int_equal(decide("codex", "{}", "{ }"), WINNER_INCOMING);
}

static void
test_another_account_is_no_refresh(void **state)
{
    static const char ONE[] = "{\"tokens\":{\"account_id\":\"a\"}}";
    static const char TWO[] = "{\"tokens\":{\"account_id\":\"b\"}}";

    (void)state;
    assert_int_equal(decide("codex", ONE, TWO), WINNER_OTHER_LOGIN);
    /* Nor is one without: the next could name any. */
    assert_int_equal(decide("codex", ONE, "{\"tokens\":{}}"),
                     WINNER_OTHER_LOGIN);
    assert_int_equal(decide("codex", "{\"tokens\":{}}", TWO), WINNER_INCOMING);
}

static void
test_claude_goes_by_milliseconds(void **state)
{
    static const char OLD[] = "{\"claudeAiOauth\":{\"expiresAt\":"
                              "1790000000000}}";
    static const char NEW[] = "{\"claudeAiOauth\":{\"expiresAt\":"
                              "1790000000001}}";

    (void)state;
    assert_int_equal(decide("claude", OLD, NEW), WINNER_INCOMING);
    assert_int_equal(decide("claude", NEW, OLD), WINNER_CURRENT);
}

static void
test_what_can_not_be_read_never_wins(void **state)
{
    (void)state;
    assert_int_equal(decide("codex", "{\"a\":1}", "{\"a\":"), WINNER_CURRENT);
    assert_int_equal(decide("gh", "a: 1", "a: {"), WINNER_CURRENT);
    assert_int_equal(decide("gh", "a: 1", "a: 2"), WINNER_INCOMING);
}

static void
test_what_holds_no_secret_never_wins(void **state)
{
    static const char LOGIN[] = "{\"OPENAI_API_KEY\":\"sk-proj-1\"}";

    (void)state;
    assert_int_equal(decide("codex", LOGIN, "{\"a\":1}"), WINNER_CURRENT);
    assert_int_equal(decide("codex", LOGIN, "{\"OPENAI_API_KEY\":\"\"}"),
                     WINNER_CURRENT);
    assert_int_equal(
        decide("codex", LOGIN, "{\"OPENAI_API_KEY\":\"sk-proj-2\"}"),
        WINNER_INCOMING);
    assert_int_equal(decide("codex", "{\"a\":1}", LOGIN), WINNER_INCOMING);
}

static void
test_without_a_profile_the_last_wins(void **state)
{
    (void)state;
    assert_int_equal(decide(NULL, "a", "b"), WINNER_INCOMING);
    assert_int_equal(decide(NULL, "a", "a"), WINNER_SAME);
    assert_int_equal(decide("openai", "a", "b"), WINNER_INCOMING);
}

static int
setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    check_ok(profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    profiles_free(profiles);
    return secret_arena_used_bytes() == 0 ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codex_goes_by_last_refresh),
        cmocka_unit_test(test_another_account_is_no_refresh),
        cmocka_unit_test(test_claude_goes_by_milliseconds),
        cmocka_unit_test(test_what_can_not_be_read_never_wins),
        cmocka_unit_test(test_what_holds_no_secret_never_wins),
        cmocka_unit_test(test_without_a_profile_the_last_wins),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
