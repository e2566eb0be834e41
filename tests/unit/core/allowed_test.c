/* Hosts that a task may reach without a credential: taken, kept, shown. */
#include <stdlib.h>

#include "base/wipealloc.h"
#include "common/check.h"
#include "core/allowed.h"
#include "core/call.h"
#include "core/proxied.h"
#include "core/tasks.h"
#include "store/tasks.h"
#include "wire/json.h"

static enum ag_err
take(enum caller_class who, const char *const *texts, size_t count,
     struct proxied **ret)
{
    const struct call call = {.who = who};
    const struct task_request request = {.allow = texts, .allow_count = count};

    check_ok(proxied_new(0, ret));
    return allowed_take(&call, &request, *ret);
}

static void
check_taken(enum caller_class who, const char *text, enum ag_err want,
            const char *says)
{
    AG_AUTO(proxied) struct proxied *set = NULL;

    check_err(take(who, &text, 1, &set), want);
    if (says != NULL) {
        assert_non_null(strstr(err_text(want), says));
    }
}

static void
test_what_is_taken(void **state)
{
    static const char *const TEXTS[] = {"one.example", "*.two.example:8443",
                                        "127.0.0.1:80,inner"};
    AG_AUTO(proxied) struct proxied *set = NULL;
    AG_AUTO(proxied) struct proxied *none = NULL;

    (void)state;
    check_ok(take(CALLER_OPERATOR, TEXTS, AG_COUNT(TEXTS), &set));
    assert_int_equal(set->allow_count, 3);
    assert_string_equal(set->allow[0].host.text, "one.example");
    assert_false(set->allow[0].inner);
    assert_true(set->allow[1].below);
    assert_int_equal(set->allow[1].port, 8443);
    assert_true(set->allow[2].inner);
    check_ok(take(CALLER_OPERATOR, NULL, 0, &none));
    assert_null(none->allow);
    assert_int_equal(none->allow_count, 0);
}

static void
test_what_is_inside_is_a_persons_word(void **state)
{
    (void)state;
    check_taken(CALLER_OPERATOR, "127.0.0.1:80,inner", AG_OK, NULL);
    check_taken(CALLER_SERVICE, "127.0.0.1:80,inner", AG_EOPERATOR,
                "127.0.0.1:80,inner lies inside: only the operator gives it");
    check_taken(CALLER_SERVICE, "one.example", AG_OK, NULL);
}

static void
test_what_is_refused(void **state)
{
    static const char *texts[ALLOW_MAX_COUNT + 1];
    AG_AUTO(proxied) struct proxied *most = NULL;
    AG_AUTO(proxied) struct proxied *more = NULL;
    AG_AUTO(proxied) struct proxied *bad = NULL;

    (void)state;
    check_taken(CALLER_OPERATOR, "http://one.example", AG_EINVAL,
                "'http://one.example'");
    check_taken(CALLER_OPERATOR, "", AG_EINVAL, "no such host");
    for (size_t i = 0; i < AG_COUNT(texts); i++) {
        texts[i] = "one.example";
    }
    check_ok(take(CALLER_OPERATOR, texts, ALLOW_MAX_COUNT, &most));
    check_err(take(CALLER_OPERATOR, texts, ALLOW_MAX_COUNT + 1, &more),
              AG_ELIMIT);
    assert_null(more->allow);
    /* A bad one behind a good one: the task does not start. */
    texts[1] = "*.com";
    check_err(take(CALLER_OPERATOR, texts, 2, &bad), AG_EINVAL);
}

/* ---- on record ---- */

static void
check_shown(const struct task_row *row, const char *want)
{
    AG_AUTO(wjson) json_t *object = json_object();
    char *text = NULL;

    check_ok(allowed_show(row, object));
    text = json_dumps(json_object_get(object, "allow"), JSON_COMPACT);
    assert_string_equal(text, want);
    wipe_free(text);
}

static void
test_kept_and_shown_as_it_was_said(void **state)
{
    static const char *const TEXTS[] = {"One.Example", "*.two.example:8443"};
    const struct task_request request = {.allow = TEXTS,
                                         .allow_count = AG_COUNT(TEXTS)};
    const struct task_request nothing = {0};
    struct task_row row = {.id = 1};
    struct task_row none = {.id = 2};

    (void)state;
    row.detail = strdup("{\"isolation\":\"none\"}");
    check_ok(allowed_keep(&request, &row));
    check_shown(&row, "[\"One.Example\",\"*.two.example:8443\"]");
    /* What others wrote there stays. */
    assert_non_null(strstr(row.detail, "\"isolation\":\"none\""));
    check_ok(allowed_keep(&nothing, &none));
    assert_null(none.detail);
    check_shown(&none, "[]");
    task_row_done(&row);
    task_row_done(&none);
}

static void
test_a_row_that_says_something_else(void **state)
{
    static const char *const TEXTS[] = {"one.example"};
    const struct task_request request = {.allow = TEXTS, .allow_count = 1};
    AG_AUTO(wjson) json_t *object = json_object();
    struct task_row row = {.id = 1};

    (void)state;
    row.detail = strdup("{\"allow\": 7}");
    check_shown(&row, "[]");
    free(row.detail);
    row.detail = strdup("{");
    check_err(allowed_show(&row, object), AG_EINVAL);
    assert_null(json_object_get(object, "allow"));
    check_err(allowed_keep(&request, &row), AG_EINVAL);
    assert_string_equal(row.detail, "{");
    task_row_done(&row);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_what_is_inside_is_a_persons_word),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_kept_and_shown_as_it_was_said),
        cmocka_unit_test(test_a_row_that_says_something_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
