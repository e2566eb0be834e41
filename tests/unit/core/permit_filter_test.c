// WRAP: permit_filter
/* What of a task's secrets is taken out of the answers of a service. */
#include "common/permits.h"
#include "core/permit_impl.h"
#include "core/state.h"
#include "redact/matcher.h"

#define API "https://api.example"
#define WISH(...)                                                              \
    ((const struct task_proxy_request[]){{.uses = -1, __VA_ARGS__}})

enum {
    FIELDS_LIMIT = 256, /* of all secrets of one task */
    KEEPS = SECRET_RETAIN_DEFAULT_COUNT,
};

/* A value that comes while it is decided on the one before; NULL: none. */
static const char *comes_then;

static void
put_as(const char *name, const char *profile, const char *content)
{
    AG_AUTO(secret) struct secret *value = secret_of(content);
    struct call call = call_of(flow.operator_peer);
    const struct put_request request = {
        .name = name, .value = value, .profile = profile, .if_version = -1};

    call.who = CALLER_PROOF;
    check_ok(act(do_put, &call, &request, NULL));
}

enum ag_err __real_permit_filter(struct core *core, struct deciding *d);
enum ag_err __wrap_permit_filter(struct core *core, struct deciding *d);

enum ag_err
__wrap_permit_filter(struct core *core, struct deciding *d)
{
    if (comes_then != NULL) {
        put_as("odd/one", NULL, comes_then);
    }
    return __real_permit_filter(core, d);
}

static bool
filtered(const struct permit *permit, const char *text)
{
    for (size_t i = 0; i < matcher_count(permit->filter); i++) {
        if (span_is(matcher_value_at(permit->filter, i).value, text)) {
            return true;
        }
    }
    return false;
}

static enum ag_err
ask(const char *service, struct permit *permit)
{
    return send_into(&(struct sent){.service = service,
                                    .name = "Authorization",
                                    .value = bearer(sender.keys[0])},
                     permit);
}

static void
start_odd(void)
{
    start_sender(
        WISH(.ref = "ag://odd/one#/pin", .upstream = API, .key_env = "K"), 1);
}

static void
test_each_value_is_in_it_once(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    put_as("odd/one", NULL,
           "{\"pin\": \"a-value-0123456789abcdefgh\", \"again\": "
           "\"a-value-0123456789abcdefgh\", \"more\": "
           "\"another-9876543210abcdefgh\"}");
    start_odd();
    check_ok(ask("api.example", &permit));
    assert_int_equal(matcher_count(permit.filter), 2);
    assert_true(filtered(&permit, "a-value-0123456789abcdefgh"));
    assert_true(filtered(&permit, "another-9876543210abcdefgh"));
}

/* A login without one has nothing there that could come back. */
static void
test_what_is_empty_is_not(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    put_as("odd/one", NULL, "{\"pin\": \"\"}");
    put_as("odd/one", NULL, "{\"pin\": \"a-value-0123456789abcdefgh\"}");
    start_odd();
    check_ok(ask("api.example", &permit));
    assert_int_equal(matcher_count(permit.filter), 1);
}

static void
put_fields(int count)
{
    static char text[FIELDS_LIMIT * 60];
    size_t at = 0;

    for (int i = 0; i < count; i++) {
        at += (size_t)snprintf(
            text + at, sizeof(text) - at,
            "%s\"f%d\": \"a-value-0123456789abcdefgh-%d\"",
            i == 0 ? "{\"pin\": \"a-value-0123456789abcdefgh-0\", " : ", ", i,
            i);
        assert_true(at < sizeof(text) - 1);
    }
    (void)snprintf(text + at, sizeof(text) - at, "}");
    put_as("odd/one", NULL, text);
}

static void
test_it_has_a_limit(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};
    AG_AUTO(permit) struct permit refused = {0};

    (void)state;
    put_fields(FIELDS_LIMIT);
    start_odd();
    check_ok(ask("api.example", &permit));
    assert_int_equal(matcher_count(permit.filter), FIELDS_LIMIT);
    put_fields(FIELDS_LIMIT + 1);
    check_err(ask("api.example", &refused), AG_ELIMIT);
    assert_null(refused.filter);
}

/* By the file's own form, whatever the content looks like; all that is declared,
 * also what is not sent; not what goes along, which the task may know. */
static void
test_a_file_says_what_is_secret(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    put_as("declared/default", "declared",
           "KEY=the-first-0123456789abcdefgh\nACCOUNT=the-first-account\n");
    put_as("declared/default", "declared",
           "KEY=the-second-0123456789abcdefgh\nOTHER=the-other-"
           "0123456789abcdefgh\n"
           "ACCOUNT=the-second-account\n");
    start_sender(WISH(.ref = "ag://declared/default#/KEY", .key_env = "K"), 1);
    check_ok(ask("declared.example", &permit));
    assert_true(filtered(&permit, "the-first-0123456789abcdefgh"));
    assert_true(filtered(&permit, "the-second-0123456789abcdefgh"));
    assert_true(filtered(&permit, "the-other-0123456789abcdefgh"));
    assert_false(filtered(&permit, "the-first-account"));
    assert_false(filtered(&permit, "the-second-account"));
}

/* Where none says so what goes along may be one, however little it looks it. */
static void
test_what_goes_along_is_in_it(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    put_as("two/default", "two",
           "{\"key\": \"sk-two-0123456789abcdef\", \"account\": "
           "\"acc-1\"}");
    start_sender(WISH(.ref = "ag://two/default#/key", .key_env = "K"), 1);
    check_ok(send_into(&(struct sent){.service = "two.example",
                                      .name = "X-Key",
                                      .value = sender.keys[0]},
                       &permit));
    assert_true(filtered(&permit, "sk-two-0123456789abcdef"));
    assert_true(filtered(&permit, "acc-1"));
}

/* An older value that the field can't be read of, of another form or without
 * it, was never sent either. */
static void
test_an_earlier_value_without_it(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    put_as("declared/default", "declared", "this is no line of such a file\n");
    put_as("declared/default", "declared",
           "OTHER=the-other-0123456789abcdefgh\n");
    put_as("declared/default", "declared",
           "KEY=the-third-0123456789abcdefgh\n");
    start_sender(WISH(.ref = "ag://declared/default#/KEY", .key_env = "K"), 1);
    check_ok(ask("declared.example", &permit));
    assert_true(filtered(&permit, "the-third-0123456789abcdefgh"));
}

/* What is destroyed is not asked for. */
static void
test_values_that_are_not_kept(void **state)
{
    char text[80];
    char kept[48];
    AG_AUTO(permit) struct permit permit = {0};

    (void)state;
    for (int i = 0; i < KEEPS + 2; i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"pin\": \"a-pin-0123456789abcdefgh-%d\"}", i);
        put_as("odd/one", NULL, text);
    }
    start_odd();
    check_ok(ask("api.example", &permit));
    for (int i = 0; i < KEEPS + 2; i++) {
        (void)snprintf(kept, sizeof(kept), "a-pin-0123456789abcdefgh-%d", i);
        assert_int_equal(filtered(&permit, kept), i > 0);
    }
}

/* Nor is one that was removed: the others go on. */
static void
test_a_secret_that_is_gone(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};
    struct call call = call_of(flow.operator_peer);

    (void)state;
    put_as("odd/one", NULL, "{\"pin\": \"a-value-0123456789abcdefgh\"}");
    put_as("odd/two", NULL, "another-9876543210abcdefgh");
    start_sender(
        ((const struct task_proxy_request[]){{.uses = -1,
                                              .ref = "ag://odd/one#/pin",
                                              .upstream = API,
                                              .key_env = "K"},
                                             {.uses = -1,
                                              .ref = "ag://odd/two",
                                              .upstream = "https://b.example",
                                              .key_env = "L"}}),
        2);
    check_ok(act(do_remove, &call, "odd/two", NULL));
    check_ok(ask("api.example", &permit));
    assert_true(filtered(&permit, "a-value-0123456789abcdefgh"));
    assert_false(filtered(&permit, "another-9876543210abcdefgh"));
}

/* The one that would go out is not the one that is filtered: it stays. */
static void
test_a_value_that_changes_at_that_moment(void **state)
{
    AG_AUTO(permit) struct permit permit = {0};
    AG_AUTO(permit) struct permit refused = {0};

    (void)state;
    put_as("odd/one", NULL, "{\"pin\": \"a-value-0123456789abcdefgh\"}");
    start_odd();
    comes_then = "{\"pin\": \"the-next-0123456789abcdefgh\"}";
    check_err(ask("api.example", &refused), AG_EBUSY);
    assert_null(refused.filter);
    comes_then = NULL;
    check_ok(ask("api.example", &permit));
    assert_true(filtered(&permit, "the-next-0123456789abcdefgh"));
}

static int
begin(void **state)
{
    (void)state;
    comes_then = NULL;
    sender.id = 0;
    return 0;
}

/* Each has secrets of its own. */
static int
end(void **state)
{
    static const char *const NAMES[] = {"odd/one", "odd/two", "two/default",
                                        "declared/default"};
    struct call call = call_of(flow.operator_peer);

    (void)state;
    end_sender();
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        (void)act(do_remove, &call, NAMES[i], NULL);
    }
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_value_is_in_it_once),
        TEST(test_what_is_empty_is_not),
        TEST(test_it_has_a_limit),
        TEST(test_a_file_says_what_is_secret),
        TEST(test_what_goes_along_is_in_it),
        TEST(test_an_earlier_value_without_it),
        TEST(test_values_that_are_not_kept),
        TEST(test_a_secret_that_is_gone),
        TEST(test_a_value_that_changes_at_that_moment),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    flow.profile_dir = AG_SOURCE_DIR "/tests/data/profiles";
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
