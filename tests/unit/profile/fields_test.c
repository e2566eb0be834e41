/* Fields of a value in every format: the secret ones and the asked one. */
#include "base/buf.h"
#include "base/secret.h"
#include "common/check.h"
#include "profile/fields.h"

/* Collected as `POINTER=VALUE` lines. */
struct bag {
    struct buf text;
    size_t count;
};

static enum ag_err
collect(void *arg, const char *pointer, struct secret *value)
{
    struct bag *bag = arg;
    struct span v = secret_view(value);
    enum ag_err err = buf_fmt(&bag->text, "%s=%.*s\n", pointer, (int)v.len,
                              (const char *)v.ptr);

    bag->count++;
    secret_free(value);
    return err;
}

static const char *
secrets_of(struct bag *bag, const char *content, enum file_format format,
           const char *const *patterns)
{
    struct profile_file file = {.format = format};

    while (patterns != NULL && patterns[file.secrets.count] != NULL) {
        file.secrets.count++;
    }
    file.secrets.items = patterns;
    buf_clear(&bag->text);
    bag->count = 0;
    check_ok(fields_secret(span_str(content), &file, collect, bag));
    return buf_cstr(&bag->text);
}

static int
setup(void **state)
{
    struct bag *bag = calloc(1, sizeof(*bag));

    buf_init(&bag->text, 1 << 20, BUF_PLAIN);
    *state = bag;
    return secret_arena_open(SECRET_ARENA_CLI_BYTES) == AG_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    struct bag *bag = *state;

    buf_done(&bag->text);
    free(bag);
    if (secret_arena_used_bytes() != 0) {
        return -1;
    }
    secret_arena_close();
    return 0;
}

static void
test_json_declared(void **state)
{
    static const char *const PATTERNS[] = {"/tokens/access_token", "/a/*/key",
                                           "/deep/**", NULL};

    assert_string_equal(
        secrets_of(*state,
                   "{\"tokens\":{\"access_token\":\"one\\u0021\\n\","
                   "\"account_id\":\"public-public\"},"
                   "\"a\":{\"x\":{\"key\":\"two\"},\"y\":{\"no\":\"three\"}},"
                   "\"deep\":{\"er\":[{\"z\":\"four\"},5,null,true,\"\"]}}",
                   FORMAT_JSON, PATTERNS),
        "/tokens/access_token=one!\n\n/a/x/key=two\n/deep/er/0/z=four\n"
        "/deep/er/1=5\n");
}

static void
test_json_undeclared_takes_long_strings(void **state)
{
    assert_string_equal(
        secrets_of(*state,
                   "{\"type\":\"oauth\",\"t\":\"abcdefghijklm\","
                   "\"at\":\"2026-01-01T00:00:00Z\",\"u\":\"https://x.y/zzzz\","
                   "\"db\":\"https://me:s3cr%40t-pw@h/x\","
                   "\"p\":\"/usr/lib/x/y/z\",\"n\":12345678901234567,"
                   "\"s\":\"12345678901234\",\"e\":\"${SOME_VARIABLE}\"}",
                   FORMAT_JSON, NULL),
        "/t=abcdefghijklm\n/db=s3cr@t-pw\n");
}

static void
test_json_in_a_secret_is_opened(void **state)
{
    static const char *const PATTERNS[] = {"/*/token", NULL};

    assert_string_equal(
        secrets_of(
            *state,
            "[drive]\ntype = drive\n"
            "token = {\"access_token\":\"inner-secret-1\",\"x\":\"y\"}\n",
            FORMAT_INI, PATTERNS),
        "/drive/token=inner-secret-1\n"
        "/drive/token={\"access_token\":\"inner-secret-1\",\"x\":\"y\"}\n");
}

static void
test_malformed_is_one_secret(void **state)
{
    static const char *const PATTERNS[] = {"/a", NULL};

    assert_string_equal(
        secrets_of(*state, "{\"a\":\"x\"\n", FORMAT_JSON, PATTERNS),
        "={\"a\":\"x\"\n");
}

static void
test_ini(void **state)
{
    static const char *const PATTERNS[] = {"/*/aws_secret_access_key",
                                           "/*_authToken", NULL};

    assert_string_equal(
        secrets_of(*state,
                   "; comment\n//registry.npmjs.org/:_authToken=npm_abc\n"
                   "//x/:_authToken=${NPM_TOKEN}\n"
                   "[default]\r\naws_access_key_id = AKIA\r\n"
                   "aws_secret_access_key = wJal/r=XUt\r\n"
                   "s3 =\n  max = 5\n[ two ]\n"
                   "aws_secret_access_key=\"quo\\\"ted\"\nskip-me\n",
                   FORMAT_INI, PATTERNS),
        "/~1~1registry.npmjs.org~1:_authToken=npm_abc\n"
        "/default/aws_secret_access_key=wJal/r=XUt\n"
        "/two/aws_secret_access_key=quo\"ted\n");
}

static void
test_toml(void **state)
{
    static const char *const PATTERNS[] = {
        "/registry/token", "/registries/*/token", "/contexts/*/token", NULL};

    assert_string_equal(
        secrets_of(
            *state,
            "# c\n[registry]\ntoken = \"cio\\tone\" # end\n"
            "[registries.my-reg]\ntoken = 'lit\\eral'\nindex = [1,\n 2]\n"
            "[registries.\"a.b\"]\ntoken = \"\"\"\nmulti\nline\"\"\"\n"
            "[[contexts]]\nname='a'\ntoken=\"t0\"\n"
            "[[contexts]]\ntoken=\"t1\"\nd=2026-01-01T00:00:00Z\n",
            FORMAT_TOML, PATTERNS),
        "/registry/token=cio\tone\n/registries/my-reg/token=lit\\eral\n"
        "/registries/a.b/token=multi\nline\n/contexts/0/token=t0\n"
        "/contexts/1/token=t1\n");
    assert_string_equal(secrets_of(*state,
                                   "registries = { x = { token = \"in\" } }\n"
                                   "registry.token = \"dot\"",
                                   FORMAT_TOML, PATTERNS),
                        "/registries/x/token=in\n/registry/token=dot\n");
}

static void
test_yaml(void **state)
{
    static const char *const GH[] = {"/*/oauth_token", "/*/users/*/oauth_token",
                                     NULL};
    static const char *const KUBE[] = {"/users/*/user/token",
                                       "/users/*/user/client-key-data", NULL};

    assert_string_equal(
        secrets_of(*state,
                   "github.com:\n    users:\n        bot:\n"
                   "            oauth_token: gho_one\n"
                   "    git_protocol: https\n    oauth_token: \"gho\\x5ftwo\"\n"
                   "    user: bot # who\nghe.example:\n"
                   "    oauth_token: 'it''s'\n",
                   FORMAT_YAML, GH),
        "/github.com/users/bot/oauth_token=gho_one\n"
        "/github.com/oauth_token=gho_two\n/ghe.example/oauth_token=it's\n");
    assert_string_equal(
        secrets_of(*state,
                   "apiVersion: v1\nkind: Config\npreferences: {}\n"
                   "clusters:\n- cluster:\n    server: https://a:6443\n"
                   "  name: c\nusers:\n- name: a\n  user:\n    token: tok-a\n"
                   "-\n  name: b\n  user:\n    client-key-data: |\n"
                   "      line1\n      line2\ncurrent-context: x\n",
                   FORMAT_YAML, KUBE),
        "/users/0/user/token=tok-a\n"
        "/users/1/user/client-key-data=line1\nline2\n");
    assert_string_equal(secrets_of(*state,
                                   "{\"users\":[{\"user\":{\"token\":\"j\"}}]}",
                                   FORMAT_YAML, KUBE),
                        "/users/0/user/token=j\n");
}

static void
test_env(void **state)
{
    static const char *const PATTERNS[] = {"/*KEY*", "/*PASSWORD*", NULL};

    assert_string_equal(
        secrets_of(*state,
                   "# comment\nexport API_KEY=\"a\\nb $X\" # tail\n"
                   "DB_PASSWORD='sin gle'\nPORT=80\nEMPTY_KEY=\n"
                   "BARE_KEY=ab#c # not this\n"
                   "DATABASE_URL=postgres://u:p%40ss@h:5/d\n"
                   "PEM_KEY=\"-----BEGIN X-----\nMII\n-----END X-----\"\n"
                   "INDIRECT_KEY=${OTHER}\n",
                   FORMAT_ENV, PATTERNS),
        "/API_KEY=a\nb $X\n/DB_PASSWORD=sin gle\n/BARE_KEY=ab#c\n"
        "/DATABASE_URL=p@ss\n"
        "/PEM_KEY=-----BEGIN X-----\nMII\n-----END X-----\n");
}

static void
test_netrc(void **state)
{
    static const char *const PATTERNS[] = {"/*/password", NULL};

    assert_string_equal(
        secrets_of(*state,
                   "# c\nmachine a.b login u password p1\n"
                   "machine c\n  login \"u 2\"\n  password \"p \\\"2\"\n"
                   "macdef init\ncd /x\npassword no\n\n"
                   "default login anonymous password p3\n",
                   FORMAT_NETRC, PATTERNS),
        "/a.b/password=p1\n/c/password=p \"2\n/default/password=p3\n");
    /* A comment stands where a key may, not where a value is due. */
    assert_string_equal(
        secrets_of(*state,
                   "machine a.b # c\nlogin u password #p1#x # tail\n"
                   "#machine no\nmachine c login u\npassword\t#p2\n"
                   "machine e password\n# c\np4\n",
                   FORMAT_NETRC, PATTERNS),
        "/a.b/password=#p1#x\n/c/password=#p2\n/e/password=p4\n");
}

static void
test_pgpass_and_urls(void **state)
{
    static const char *const PATTERNS[] = {"/*/password", NULL};

    assert_string_equal(secrets_of(*state,
                                   "# c\nh\\:1:5432:db:me:p\\:w\\\\\n"
                                   "*:*:*:*:second\n",
                                   FORMAT_PGPASS, PATTERNS),
                        "/0/password=p:w\\\n/1/password=second\n");
    assert_string_equal(secrets_of(*state,
                                   "https://u:tok%2Fen@github.com\n\n"
                                   "http://x:y@h/p@q\n",
                                   FORMAT_URLS, PATTERNS),
                        "/0/password=tok/en\n/1/password=y\n");
}

static void
test_whole_values(void **state)
{
    assert_string_equal(secrets_of(*state, "hf_abc\n", FORMAT_OPAQUE, NULL),
                        "=hf_abc\n");
    assert_string_equal(secrets_of(*state,
                                   "-----BEGIN A-----\nx\n-----END A-----\n",
                                   FORMAT_PEM, NULL),
                        "=-----BEGIN A-----\nx\n-----END A-----\n");
}

static void
test_get(void **state)
{
    static const char JSON[] =
        "{\"a\":{\"b/c\":[1,{\"d~\":\"x\\ty\"}]},\"e\":\"1\",\"e\":\"2\"}";

    static const struct {
        const char *pointer;
        const char *want; /* NULL: not found */
    } ROWS[] = {
        {"/a/b~1c/1/d~0", "x\ty"},
        {"/a/b~1c/0", "1"},
        {"/a/b~1c", "[1,{\"d~\":\"x\\ty\"}]"},
        {"/e", "2"},
        {"", JSON},
        {"/a/b", NULL},
        {"/a/b~1c/2", NULL},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        AG_AUTO(secret) struct secret *got = NULL;
        enum ag_err err = field_get(span_str(JSON), FORMAT_JSON,
                                    span_str(ROWS[i].pointer), &got);

        if (ROWS[i].want == NULL) {
            assert_int_equal(err, AG_ENOTFOUND);
            continue;
        }
        check_ok(err);
        check_span(secret_view(got), ROWS[i].want);
    }
}

static void
test_get_refuses_a_malformed_pointer(void **state)
{
    struct secret *got = NULL;

    (void)state;
    check_err(field_get(span_str("{}"), FORMAT_JSON, span_str("a"), &got),
              AG_EINVAL);
    check_err(field_get(span_str("{}"), FORMAT_JSON, span_str("/a~2"), &got),
              AG_EINVAL);
    check_err(field_get(span_str("{}"), FORMAT_JSON, span_str("/a~"), &got),
              AG_EINVAL);
    assert_null(got);
}

static void
test_malformed_input_is_refused(void **state)
{
    static const struct {
        enum file_format format;
        const char *text;
    } ROWS[] = {
        {FORMAT_JSON, ""},
        {FORMAT_JSON, "{\"a\":1,}"},
        {FORMAT_JSON, "{\"a\":01}"},
        {FORMAT_JSON, "{\"a\":\"\t\"}"},
        {FORMAT_JSON, "{\"a\":\"\\x41\"}"},
        {FORMAT_JSON, "{\"a\":\"\\ud800\"}"},
        {FORMAT_JSON, "{\"a\":1} x"},
        {FORMAT_JSON, "{\"a\":1"},
        {FORMAT_JSON, "{'a':1}"},
        {FORMAT_JSON, "{\"a\":\"\xff\"}"},
        {FORMAT_JSON, "{\"a\":tru}"},
        {FORMAT_YAML, "just words"},
        {FORMAT_YAML, "a: &x b"},
        {FORMAT_YAML, "a:\n    b: 1\n  c: 2"},
        {FORMAT_YAML, "a: {b: c}"},
        {FORMAT_YAML, "a:\n- {b: c}"},
        {FORMAT_YAML, "a:\n- b: 1\n  c: {d: e}"},
        {FORMAT_YAML, "a: [{b: c}]"},
        {FORMAT_YAML, "a:\n- [{b: c}]"},
        {FORMAT_YAML, "a: \"open"},
        {FORMAT_YAML, "a:\n\tb: 1"},
        {FORMAT_INI, "[open\n"},
        {FORMAT_INI, "two words\n"},
        {FORMAT_INI, "=x\n"},
        {FORMAT_TOML, "a = \n"},
        {FORMAT_TOML, "a = \"x\" y\n"},
        {FORMAT_TOML, "[a\nb=1"},
        {FORMAT_TOML, "a = [1, 2"},
        {FORMAT_ENV, "no equals\n"},
        {FORMAT_ENV, "A=\"open\n"},
        {FORMAT_NETRC, "machine\n"},
        {FORMAT_NETRC, "login x\n"},
        {FORMAT_NETRC, "hello world\n"},
        {FORMAT_PGPASS, "a:b:c:d\n"},
        {FORMAT_URLS, "https://github.com\n"},
        {FORMAT_PEM, "not a key\n"},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        if (fields_check(span_str(ROWS[i].text), ROWS[i].format) != AG_EINVAL) {
            fail_msg("row %zu: %s is taken", i, ROWS[i].text);
        }
    }
}

static void
test_limits(void **state)
{
    char deep[2 * (FIELD_DEPTH_MAX + 2) + 1];
    AG_AUTO(buf) struct buf many = {0};

    (void)state;
    memset(deep, '[', FIELD_DEPTH_MAX + 2);
    memset(deep + FIELD_DEPTH_MAX + 2, ']', FIELD_DEPTH_MAX + 2);
    deep[sizeof(deep) - 1] = '\0';
    check_err(fields_check(span_str(deep), FORMAT_JSON), AG_ELIMIT);
    check_err(fields_check(span_of(deep + 2, sizeof(deep) - 5), FORMAT_JSON),
              AG_OK);
    buf_init(&many, 1 << 20, BUF_PLAIN);
    for (size_t i = 0; i < FIELDS_MAX_COUNT + 1; i++) {
        check_ok(buf_fmt(&many, "A%zu=1\n", i));
    }
    check_err(fields_check(buf_view(&many), FORMAT_ENV), AG_ELIMIT);
}

static void
test_match(void **state)
{
    static const struct {
        const char *pattern;
        const char *pointer;
        bool want;
    } ROWS[] = {
        {"", "", true},
        {"/a", "/a", true},
        {"/a", "/a/b", false},
        {"/*", "/a", true},
        {"/*", "/a/b", false},
        {"/**", "/a/b", true},
        {"/**", "", true},
        {"/a/**", "/a", true},
        {"/a/**", "/b", false},
        {"/**/t", "/a/b/t", true},
        {"/**/t", "/t", true},
        {"/**/t", "/t/x", false},
        {"/*_k", "/a_k", true},
        {"/*_k", "/_k", true},
        {"/*_k", "/k", false},
        {"/**/a/**/b", "/x/a/y/a/b", true},
        {"/a*b*c", "/aXbYbZc", true},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        if (field_match(ROWS[i].pattern, ROWS[i].pointer) != ROWS[i].want) {
            fail_msg("%s on %s", ROWS[i].pattern, ROWS[i].pointer);
        }
    }
}

static void
test_guess(void **state)
{
    (void)state;
    assert_int_equal(format_guess(span_str(" {\"a\":1}")), FORMAT_JSON);
    assert_int_equal(format_guess(span_str("{a")), FORMAT_OPAQUE);
    assert_int_equal(format_guess(span_str("sk-abc")), FORMAT_OPAQUE);
    assert_int_equal(format_guess(span_str("")), FORMAT_OPAQUE);
    assert_int_equal(
        format_guess(span_str("-----BEGIN K-----\n-----END K-----\n")),
        FORMAT_PEM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_declared),
        cmocka_unit_test(test_json_undeclared_takes_long_strings),
        cmocka_unit_test(test_json_in_a_secret_is_opened),
        cmocka_unit_test(test_malformed_is_one_secret),
        cmocka_unit_test(test_ini),
        cmocka_unit_test(test_toml),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_env),
        cmocka_unit_test(test_netrc),
        cmocka_unit_test(test_pgpass_and_urls),
        cmocka_unit_test(test_whole_values),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_get_refuses_a_malformed_pointer),
        cmocka_unit_test(test_malformed_input_is_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_guess),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
