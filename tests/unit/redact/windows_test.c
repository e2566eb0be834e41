/* What a task's text must agree with before anything is compared. */
#include "common/check.h"
#include "redact/matcher_impl.h"

enum {
    /* The search may meet a wrong block by chance, one in millions: of so many
     * sets, each with keys of its own, one meets none. */
    TRIES = 3,
};

#define HEAD "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
#define CLAIMS                                                                 \
    "eyJzdWIiOiJ1c2VyLTEyMzQ1Njc4IiwiaXNzIjoiaHR0cHM6Ly9hdXRoLmV4YW1wbGUub3Jn" \
    "I"                                                                        \
    "iwiYXVkIjoiaHR0cHM6Ly9hcGkuZXhhbXBsZS5vcmciLCJleHAiOjE3NjQzNjAwMDB9."
#define SIGNATURE "q0Xb7dKpZr1tVw5NcYh8LmQ2sGfJ4uTaEo9iRkPz6xM"
#define JWT       HEAD CLAIMS SIGNATURE
#define TOKEN     "sk-proj-Zr1tVw5NcYh8LmQ2sGfJ4uTaEo9iRkPz6xMq0Xb7"
#define ARMOUR    "-----BEGIN PRIVATE KEY-----\n"
#define BODY                                                                   \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgq0Xb7dKpZr1tVw5N\n"       \
    "cYh8LmQ2sGfJ4uTaEo9iRkPz6xMhRANCAATPz6xMq0Xb7dKpZr1tVw5NcYh8LmQ2\n"       \
    "sGfJ4uTaEo9iRkPz6xMq0Xb7dKpZr1tVw5NcYh8L\n"
#define PEM  ARMOUR BODY "-----END PRIVATE KEY-----"
#define HOST "@main.cluster.database.production.internal.example.org:5432/app"
#define DSN  "postgres://application:wR7kTq9Zb2" HOST

static struct matcher *
set_of(const char *value)
{
    const struct matcher_value one = {
        .id = 1, .name = span_str("n"), .value = span_str(value)};
    struct matcher *set = NULL;

    check_ok(matcher_build(&one, 1, &set));
    return set;
}

/* How many starts of forms a task's search finds worth comparing. */
static size_t
starts_in(const struct matcher *set, struct span text)
{
    uint64_t starts[STARTS_COUNT / 64] = {0};
    size_t count = 0;

    windows_find(set, text, 0, text.len, starts);
    for (size_t i = 0; i < AG_COUNT(starts); i++) {
        count += (size_t)__builtin_popcountll(starts[i]);
    }
    return count;
}

static bool
is_told(const char *value, struct span guess)
{
    bool told = true;

    for (size_t i = 0; told && i < TRIES; i++) {
        struct matcher *set = set_of(value);

        told = starts_in(set, guess) > 0;
        matcher_unref(set);
    }
    return told;
}

/* No beginning, up to `known` characters, makes a difference. */
static void
check_beginnings(const char *value, size_t known)
{
    for (size_t len = 1; len <= known; len++) {
        assert_false(is_told(value, span_of(value, len)));
    }
    assert_true(is_told(value, span_str(value)));
}

/* Nor any end of up to `known`, at its place. */
static void
check_ends(const char *value, size_t known)
{
    size_t whole = strlen(value);
    char guess[1024];

    assert_true(whole < sizeof(guess));
    for (size_t len = 1; len <= known; len++) {
        memset(guess, '.', sizeof(guess));
        memcpy(guess + whole - len, value + whole - len, len);
        assert_false(is_told(value, span_of(guess, whole)));
    }
}

static void
test_nothing_is_told_before_a_whole_block_agrees(void **state)
{
    (void)state;
    check_beginnings(TOKEN, sizeof(TOKEN) - 6);
    check_ends(TOKEN, 31);
    check_beginnings("q7RtWz90LmXc", 9);
    check_ends("q7RtWz90LmXc", 9);
    check_beginnings("q7RtWz90", 7);
    check_ends("q7RtWz90", 7);
    check_beginnings("q7RtWz90LmXcVb5NpK2e", 15);
    check_ends("q7RtWz90LmXcVb5NpK2e", 15);
}

static void
test_what_can_be_known_of_a_value_tells_nothing(void **state)
{
    (void)state;
    check_beginnings(JWT, sizeof(JWT) - 6);
    check_beginnings(ARMOUR "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"
                            "q0Xb7dKpZr1tVw5N",
                     sizeof(ARMOUR) + 50);
    check_ends(PEM, 60);
    check_ends(DSN, sizeof(HOST) + 9);
    check_beginnings(DSN,
                     31); /* all of it but two characters of the password */
    check_ends("{\"token\":\"q7RtWz90LmXcVb5NpK2eq7RtWz90LmXc\",\"token_type\":"
               "\"bearer\",\"scope\":\"openid profile email offline\"}",
               80);
}

static void
test_each_set_has_keys_of_its_own(void **state)
{
    struct matcher *one = set_of(TOKEN);
    struct matcher *other = set_of(TOKEN);

    (void)state;
    assert_memory_not_equal(one->window_keys, other->window_keys,
                            WINDOW_KEYS_BYTES);
    matcher_unref(one);
    matcher_unref(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_told_before_a_whole_block_agrees),
        cmocka_unit_test(test_what_can_be_known_of_a_value_tells_nothing),
        cmocka_unit_test(test_each_set_has_keys_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
