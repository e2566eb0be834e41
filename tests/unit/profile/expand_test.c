/* Path templates and patterns. */
#include "common/check.h"
#include "profile/expand.h"

static const char *
get(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "SET") == 0        ? "/set/"
           : strcmp(name, "RELATIVE") == 0 ? "not/absolute"
           : strcmp(name, "EMPTY") == 0    ? ""
                                           : NULL;
}

static void
test_expand(void **state)
{
    static const struct {
        const char *tmpl;
        const char *want; /* NULL: nothing */
    } ROWS[] = {
        {"~/.a/b", "/home/me/.a/b"},
        {"/etc/x", "/etc/x"},
        {"${SET}/x", "/set/x"},
        {"${SET:-~/.y}/x", "/set/x"},
        {"${UNSET:-~/.y}/x", "/home/me/.y/x"},
        {"${UNSET:-${ALSO:-~/.z}/q}/x", "/home/me/.z/q/x"},
        {"${UNSET:-${SET}/q}/x", "/set/q/x"},
        {"${RELATIVE:-/d}/x", "/d/x"},
        {"${EMPTY:-/d}/x", "/d/x"},
        {"${UNSET}/x", NULL},
        {"${A:-~}/.gemini/f", "/home/me/.gemini/f"},
    };
    struct expand_env env = {.home = "/home/me", .get = get};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        AG_AUTO(buf) struct buf out = {0};
        enum ag_err err;

        buf_init(&out, EXPAND_MAX_BYTES, BUF_PLAIN);
        err = expand_path(ROWS[i].tmpl, &env, EXPAND_USUAL, &out);
        if (ROWS[i].want == NULL) {
            assert_int_equal(err, AG_ENOTFOUND);
            assert_int_equal(out.len, 0);
            continue;
        }
        check_ok(err);
        assert_string_equal(buf_cstr(&out), ROWS[i].want);
    }
}

static void
test_defaults_pass_over_variables(void **state)
{
    struct expand_env env = {.home = "/h", .get = get};
    AG_AUTO(buf) struct buf out = {0};

    (void)state;
    buf_init(&out, EXPAND_MAX_BYTES, BUF_PLAIN);
    check_ok(expand_path("${SET:-~/.y}/x", &env, EXPAND_DEFAULTS, &out));
    assert_string_equal(buf_cstr(&out), "/h/.y/x");
    buf_clear(&out);
    check_err(expand_path("${SET}/x", &env, EXPAND_DEFAULTS, &out),
              AG_ENOTFOUND);
    env.home = NULL;
    check_err(expand_path("~/x", &env, EXPAND_USUAL, &out), AG_EINVAL);
}

static void
test_malformed_templates(void **state)
{
    static const char *const BAD[] = {
        "",
        "x/y",
        "~you/x",
        "/a/${B",
        "/a/$B",
        "/a/${1}",
        "/a/${B:+x}",
        "/a/${}",
        "~/${A:-",
        "/a/\x01",
        "${A:-${B:-${C:-${D:-${E:-/x}}}}}",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        if (expand_check(BAD[i]) != AG_EINVAL) {
            fail_msg("taken: %s", BAD[i]);
        }
    }
    check_ok(expand_check("${A:-${B:-~/.c}/d}/e*.json"));
}

static void
test_globs(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool want;
    } ROWS[] = {
        {"id_*", "id_rsa", true},
        {"id_*", "xid_rsa", false},
        {"*", ".hidden", false},
        {".*", ".hidden", true},
        {"*.json", "a.json", true},
        {"*.json", "a.jsonx", false},
        {"a*b*c", "aXbYc", true},
        {"a*b*c", "aXbY", false},
        {"", "", true},
        {"*", "", true},
        {".env.*", ".env.", true},
        {"a", "b", false},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        if (glob_match(ROWS[i].pattern, ROWS[i].text) != ROWS[i].want) {
            fail_msg("%s on %s", ROWS[i].pattern, ROWS[i].text);
        }
    }
    assert_true(glob_match_path("/h/*/x.json", "/h/a/x.json"));
    assert_false(glob_match_path("/h/*/x.json", "/h/a/b/x.json"));
    assert_false(glob_match_path("/h/*", "/h/a/b"));
    assert_false(glob_match_path("/h/*/x", "/h/a"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_defaults_pass_over_variables),
        cmocka_unit_test(test_malformed_templates),
        cmocka_unit_test(test_globs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
