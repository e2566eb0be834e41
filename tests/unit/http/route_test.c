/* Matching and decoding of paths. */
#include "common/check.h"
#include "http/route.h"

static enum ag_err
run(struct request *rq)
{
    (void)rq;
    return AG_OK;
}

static const struct route ROWS[] = {
    {.method = "GET", .pattern = "/v1/secrets", .run = run},
    {.method = "GET", .pattern = "/v1/secrets/{name}", .run = run},
    {.method = "PUT", .pattern = "/v1/secrets/{name}", .run = run},
    {.method = "GET", .pattern = "/v1/tokens/self", .run = run},
    {.method = "DELETE", .pattern = "/v1/tasks/{id}", .run = run},
};
static const struct route_set SET = {ROWS, AG_COUNT(ROWS)};

static struct request rq;

static enum ag_err
find(const char *method, const char *path)
{
    memset(&rq, 0, sizeof(rq));
    return route_find(&SET, method, span_str(path), &rq);
}

static void
test_matching(void **state)
{
    (void)state;
    check_ok(find("GET", "/v1/secrets"));
    assert_ptr_equal(rq.route, &ROWS[0]);
    check_ok(find("PUT", "/v1/secrets/codex%2Fdefault"));
    assert_ptr_equal(rq.route, &ROWS[2]);
    assert_string_equal(rq.param[0], "codex/default");
    check_ok(find("DELETE", "/v1/tasks/aZ_-9"));
    assert_string_equal(rq.param[0], "aZ_-9");
    check_err(find("GET", "/v1/secrets/"), AG_ENOTFOUND);
    check_err(find("GET", "/v1//secrets"), AG_ENOTFOUND);
    check_err(find("GET", "/v1/secrets/a/b"), AG_ENOTFOUND);
    check_err(find("GET", "/v1"), AG_ENOTFOUND);
    check_err(find("GET", "/"), AG_ENOTFOUND);
    check_err(find("GET", ""), AG_ENOTFOUND);
    check_err(find("GET", "/V1/secrets"), AG_ENOTFOUND);
    check_err(find("GET", "/v1/secret%73"), AG_ENOTFOUND);
}

static void
test_methods(void **state)
{
    (void)state;
    check_err(find("DELETE", "/v1/secrets/a"), AG_EMETHOD);
    assert_string_equal(rq.reply.allow_text, "GET, PUT");
    check_err(find("get", "/v1/secrets/a"), AG_EMETHOD);
    check_err(find("HEAD", "/v1/tokens/self"), AG_EMETHOD);
    assert_string_equal(rq.reply.allow_text, "GET");
}

static void
test_parameters_are_strict(void **state)
{
    static const char *const BAD[] = {
        "/v1/secrets/a%2fb", "/v1/secrets/%61",      "/v1/secrets/a%2",
        "/v1/secrets/a%",    "/v1/secrets/a%00",     "/v1/secrets/a%zz",
        "/v1/secrets/..",    "/v1/secrets/a%2F..",   "/v1/secrets/A",
        "/v1/secrets/a%20b", "/v1/secrets/a+b",      "/v1/secrets/%2Fa",
        "/v1/secrets/a%2F",  "/v1/secrets/a%2F%2Fb",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        if (find("GET", BAD[i]) != AG_EINVAL) {
            fail_msg("%s should be refused", BAD[i]);
        }
    }
    check_err(find("DELETE", "/v1/tasks/a.b"), AG_EINVAL);
    check_err(find("DELETE", "/v1/tasks/a%2Fb"), AG_EINVAL);
    check_err(
        find("DELETE",
             "/v1/tasks/"
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             "aaaaa"),
        AG_EINVAL);
}

static void
test_decoding_has_a_cap(void **state)
{
    char out[4];

    (void)state;
    check_ok(route_decode(span_str("a%2F"), sizeof(out), out));
    assert_string_equal(out, "a/");
    check_ok(route_decode(span_str("abc"), sizeof(out), out));
    check_err(route_decode(span_str("abcd"), sizeof(out), out), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_parameters_are_strict),
        cmocka_unit_test(test_decoding_has_a_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
