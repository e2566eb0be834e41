/* What goes out of a request, and what comes in of an answer. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "common/check.h"
#include "proxy/answer.h"
#include "proxy/proxy.h"
#include "proxy/rebuild.h"
#include "proxy/sieve.h"
#include "redact/matcher.h"

enum {
    ARENA_BYTES = 1024 * 1024,
};

/* Too large for a stack. */
static struct rebuilt out;
static struct permit permit;

#define SECRET_TEXT "sk-0123456789abcdefghijklmn"

static const char VALUE[] = SECRET_TEXT;
static const char ECHO[] = "Bearer " SECRET_TEXT "!";

static void
test_targets(void **state)
{
    static const char *const BAD[] = {"/",       "/p",
                                      "/p/",     "/p//a",
                                      "/t/s/a",  "/t/0/s",
                                      "/t/-1/s", "/t/1x/s",
                                      "/t/1",    "/t/1/",
                                      "/x/s/a",  "p/s/a",
                                      "/t//s",   "/t/99999999999999999999/s"};
    struct target t = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(target_read(span_str(BAD[i]), &t), AG_EINVAL);
    }
    check_ok(target_read(span_str("/p/api.x:8080/a/b?c=1?d"), &t));
    check_span(t.service, "api.x:8080");
    check_span(t.path, "/a/b");
    check_span(t.query, "c=1?d");
    assert_int_equal(t.task_id, 0);
    check_ok(target_read(span_str("/t/12/api"), &t));
    assert_int_equal(t.task_id, 12);
    check_span(t.path, "/");
    assert_int_equal(t.query.len, 0);
}

/* The one field that is left of a request with `name: value` and a Connection
 * that names X-Hop. */
static size_t
left_of(const char *name, const char *value)
{
    const struct request_field fields[] = {
        {span_str("Connection"), span_str("close, x-hop")},
        {span_str(name), span_str(value)}};
    const struct request_ask ask = {
        .path = span_str("/"), .fields = fields, .field_count = 2};
    size_t count = 0;

    memset(&out, 0, sizeof(out));
    memset(&permit, 0, sizeof(permit));
    check_ok(rebuild(&ask, &permit, &out));
    count = out.field_count;
    rebuilt_done(&out);
    return count;
}

static void
test_fields_of_the_way_stay_behind(void **state)
{
    static const char *const GONE[] = {"Connection",
                                       "Keep-Alive",
                                       "TE",
                                       "Trailer",
                                       "Upgrade",
                                       "Host",
                                       "Expect",
                                       "Transfer-Encoding",
                                       "Content-Length",
                                       "Via",
                                       "Forwarded",
                                       "X-Forwarded-For",
                                       "x-forwarded-host",
                                       "X-Real-IP",
                                       "X-Hop",
                                       "Proxy-Authorization",
                                       "proxy-x",
                                       "Accept-Encoding",
                                       "X-Vault-Token",
                                       "Transfer_Encoding",
                                       "X_Forwarded_For",
                                       "Range",
                                       "range",
                                       "If-Range",
                                       "Request-Range",
                                       "x-ms-range",
                                       "A-IM",
                                       "X-HTTP-Method-Override",
                                       "x-http-method-override",
                                       "X_HTTP_Method_Override",
                                       "X-HTTP-Method",
                                       "X-Method-Override",
                                       "X-Original-URL",
                                       "X-Original-URI",
                                       "X-Rewrite-URL",
                                       "X-Envoy-Original-Path",
                                       "X-Host",
                                       "X-HTTP-Host-Override",
                                       "Destination",
                                       "Proxy"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(GONE); i++) {
        assert_int_equal(left_of(GONE[i], "x"), 0);
    }
    assert_int_equal(left_of("Authorization", "Bearer agt_x"), 0);
    assert_int_equal(left_of("Authorization", "bearer AGT_x"), 0);
    assert_int_equal(left_of("Authorization", "Bearer sk-x"), 1);
    assert_int_equal(left_of("Cookie", "a=b"), 1);
    assert_int_equal(left_of("X-Hopper", "1"), 1);
    assert_int_equal(left_of("X-Original", "1"), 1);
    assert_int_equal(left_of("Ranges", "1"), 1);
    assert_int_equal(left_of("X-HTTP-Methods", "1"), 1);
}

static void
test_edits(void **state)
{
    const struct request_field fields[] = {
        {span_str("Authorization"), span_str("Bearer placeholder")},
        {span_str("x-account"), span_str("mine")},
        {span_str("X_Account"), span_str("mine too")}};
    const struct request_ask ask = {.path = span_str("/a"),
                                    .query = span_str("x=1&k=PPP&y=QQ&z"),
                                    .fields = fields,
                                    .field_count = 3};
    static const char *const TEXTS[] = {"two", "one", "Bearer V", "theirs"};

    (void)state;
    memset(&out, 0, sizeof(out));
    memset(&permit, 0, sizeof(permit));
    permit.edit_count = AG_COUNT(TEXTS);
    permit.edits = calloc(permit.edit_count, sizeof(*permit.edits));
    assert_non_null(permit.edits);
    permit.edits[0] =
        (struct permit_edit){.kind = PERMIT_QUERY, .at = 12, .len = 2};
    permit.edits[1] =
        (struct permit_edit){.kind = PERMIT_QUERY, .at = 6, .len = 3};
    permit.edits[2] = (struct permit_edit){.kind = PERMIT_FIELD};
    permit.edits[3] =
        (struct permit_edit){.kind = PERMIT_ADD, .name = "X-Account"};
    for (size_t i = 0; i < AG_COUNT(TEXTS); i++) {
        check_ok(secret_from(span_str(TEXTS[i]), &permit.edits[i].text));
    }
    check_ok(rebuild(&ask, &permit, &out));
    check_span(buf_view(&out.target), "/a?x=1&k=one&y=two&z");
    assert_int_equal(out.field_count, 2);
    check_span(out.fields[0].value, "Bearer V");
    assert_true(out.fields[0].secret);
    check_span(out.fields[1].name, "X-Account");
    check_span(out.fields[1].value, "theirs");
    assert_true(out.fields[1].secret);
    rebuilt_done(&out);
    permit_done(&permit);
}

static struct matcher *
filter_of(const char *value)
{
    const struct matcher_value one = {
        .id = 1, .name = span_str("secret"), .value = span_str(value)};
    struct matcher *m = NULL;

    check_ok(matcher_build(&one, 1, &m));
    return m;
}

static enum ag_err
head_with(int status, const struct upstream_field *fields, size_t count,
          struct proxy_head *ret)
{
    AG_AUTO(matcher) struct matcher *filter = filter_of(VALUE);
    const struct upstream_head head = {
        .status = status, .fields = fields, .field_count = count};

    AG_AUTO(sieves) struct sieves *all = NULL;
    struct redactor *sieve = NULL;
    enum ag_err err;

    memset(ret, 0, sizeof(*ret));
    check_ok(sieves_new(&all));
    check_ok(sieves_take(all, &sieve));
    err = answer_head(&head, filter, sieve, ret);
    sieves_give(all, sieve);
    return err;
}

static enum ag_err
head_of(const struct upstream_field *fields, size_t count,
        struct proxy_head *ret)
{
    return head_with(200, fields, count, ret);
}

static void
test_heads_of_answers(void **state)
{
    struct proxy_head *h = calloc(1, sizeof(*h));
    const struct upstream_field fields[] = {
        {.name = span_str("content-length"), .value = span_str("12")},
        {.name = span_str("connection"), .value = span_str("x-hop")},
        {.name = span_str("x-hop"), .value = span_str("1")},
        {.name = span_str("x-echo"), .value = span_str(ECHO)},
        {.name = span_str("set-cookie"), .value = span_str("a=b")}};

    (void)state;
    assert_non_null(h);
    check_ok(head_of(fields, AG_COUNT(fields), h));
    assert_int_equal(h->body_bytes, 12);
    assert_int_equal(h->field_count, 2);
    check_span(h->fields[0].name, "x-echo");
    check_span(h->fields[0].value, "Bearer [redacted]!");
    check_span(h->fields[1].value, "a=b");
    proxy_head_done(h);
    free(h);
}

/* Wherever in a head it stands, in whatever form: none of it is passed on. */
static void
test_a_value_anywhere_in_a_head(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } CASES[] = {
        {"X-Echo", ECHO},
        {"Set-Cookie", "sid=" SECRET_TEXT "; Path=/"},
        {"Location", "https://api.x/?key=" SECRET_TEXT},
        {"WWW-Authenticate", "Bearer realm=\"" SECRET_TEXT "\""},
        {"Content-Type", "text/plain; x=" SECRET_TEXT},
        {"X-B64", "c2stMDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"},
        {"X-Hex", "736b2d303132333435363738396162636465666768696a6b6c6d6e"},
        {SECRET_TEXT, "1"},
        {"X-" SECRET_TEXT "-Y", "1"},
        {"X-SK-0123456789ABCDEFGHIJKLMN", "1"},
        {"x-736b2d303132333435363738396162636465666768696a6b6c6d6e", "1"},
    };
    struct proxy_head *h = calloc(1, sizeof(*h));

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        const struct upstream_field fields[] = {
            {.name = span_str("X-Before"), .value = span_str("before")},
            {.name = span_str(CASES[i].name),
             .value = span_str(CASES[i].value)},
            {.name = span_str("X-After"), .value = span_str("after")}};
        bool named = strcmp(CASES[i].value, "1") == 0;

        check_ok(head_of(fields, AG_COUNT(fields), h));
        assert_int_equal(h->field_count, named ? 2 : 3);
        check_span(h->fields[0].name, "X-Before");
        check_span(h->fields[0].value, "before");
        check_span(h->fields[h->field_count - 1].name, "X-After");
        check_span(h->fields[h->field_count - 1].value, "after");
        if (!named) {
            assert_non_null(memmem(h->fields[1].value.ptr,
                                   h->fields[1].value.len, "[redacted]", 10));
        }
        proxy_head_done(h);
    }
    free(h);
}

/* Nor in the sentence of a refusal. */
static void
test_refusals_quote_nothing(void **state)
{
    const struct upstream_field fields[] = {
        {.name = span_str("Content-Encoding"), .value = span_str(VALUE)},
        {.name = span_str("Content-Length"), .value = span_str(VALUE)}};
    struct proxy_head *h = calloc(1, sizeof(*h));

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < AG_COUNT(fields); i++) {
        enum ag_err err = head_of(&fields[i], 1, h);

        assert_true(err == AG_EENCODED || err == AG_EUPSTREAM);
        assert_null(strstr(err_text(err), "sk-0"));
        proxy_head_done(h);
    }
    free(h);
}

static void
test_parts_are_refused(void **state)
{
    static const struct {
        int status;
        enum ag_err err;
    } CASES[] = {{200, AG_OK},       {206, AG_EPARTIAL}, {226, AG_EPARTIAL},
                 {416, AG_EPARTIAL}, {304, AG_OK},       {404, AG_OK}};
    struct proxy_head *h = calloc(1, sizeof(*h));

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        check_err(head_with(CASES[i].status, NULL, 0, h), CASES[i].err);
        proxy_head_done(h);
    }
    free(h);
}

static void
test_answers_that_are_refused(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        enum ag_err err;
    } CASES[] = {
        {"Content-Encoding", "br", AG_EENCODED},
        {"content-encoding", "aws-chunked", AG_EENCODED},
        {"Content-Encoding", "gzip, gzip, gzip", AG_EENCODED},
        {"Content-Encoding", "identity", AG_OK},
        {"Transfer-Encoding", "gzip, chunked", AG_EENCODED},
        {"transfer-encoding", "gzip", AG_EENCODED},
        {"Transfer-Encoding", "", AG_EENCODED},
        {"Transfer-Encoding", "Chunked", AG_OK},
        {"Content-Length", "+1", AG_EUPSTREAM},
        {"Content-Length", "1, 1", AG_EUPSTREAM},
        {"Content-Length", "", AG_EUPSTREAM},
    };
    struct proxy_head *h = calloc(1, sizeof(*h));

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        const struct upstream_field field = {.name = span_str(CASES[i].name),
                                             .value = span_str(CASES[i].value)};

        check_err(head_of(&field, 1, h), CASES[i].err);
        proxy_head_done(h);
    }
    free(h);
}

/* What is said of the encoded bytes doesn't hold for those that go on. */
static void
test_heads_of_encoded_answers(void **state)
{
    const struct upstream_field fields[] = {
        {.name = span_str("Content-Encoding"), .value = span_str("zstd")},
        {.name = span_str("Content-Length"), .value = span_str("12")},
        {.name = span_str("ETag"), .value = span_str("\"a\"")},
        {.name = span_str("Vary"), .value = span_str("Accept-Encoding")},
        {.name = span_str("Content-MD5"), .value = span_str("x")},
        {.name = span_str("Digest"), .value = span_str("x")},
        {.name = span_str("Content-Digest"), .value = span_str("x")},
        {.name = span_str("Repr-Digest"), .value = span_str("x")},
        {.name = span_str("etag"), .value = span_str("\"second\"")},
        {.name = span_str("content-encoding"), .value = span_str("gzip")}};
    struct proxy_head *h = calloc(1, sizeof(*h));

    (void)state;
    assert_non_null(h);
    check_ok(head_of(fields, AG_COUNT(fields), h));
    assert_int_equal(h->body_bytes, PROXY_BODY_CHUNKED);
    assert_int_equal(h->codings.count, 2);
    assert_int_equal(h->codings.at[0], DECODE_ZSTD);
    assert_int_equal(h->codings.at[1], DECODE_GZIP);
    assert_int_equal(h->field_count, 2);
    check_span(h->fields[0].value, "W/\"a\"");
    check_span(h->fields[1].value, "Accept-Encoding");
    proxy_head_done(h);
    check_ok(head_of(fields + 1, AG_COUNT(fields) - 3, h)); /* not encoded */
    assert_int_equal(h->codings.count, 0);
    assert_int_equal(h->body_bytes, 12);
    assert_int_equal(h->field_count, AG_COUNT(fields) - 4);
    check_span(h->fields[0].value, "\"a\"");
    proxy_head_done(h);
    free(h);
}

/* Weak ones stay, values in them don't, endless ones are left out. */
static void
test_etags_of_encoded_answers(void **state)
{
    char endless[ANSWER_ETAG_MAX_BYTES];
    struct proxy_head *h = calloc(1, sizeof(*h));

    const struct {
        const char *value;
        const char *want; /* NULL: none */
    } CASES[] = {{"W/\"a\"", "W/\"a\""},
                 {"", "W/"},
                 {"\"" SECRET_TEXT "\"", "W/\"[redacted]\""},
                 {endless, NULL},
                 {endless + 1, endless + 1}};

    (void)state;
    assert_non_null(h);
    memset(endless, 'x', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        const struct upstream_field fields[] = {
            {.name = span_str("Content-Encoding"), .value = span_str("gzip")},
            {.name = span_str("ETag"), .value = span_str(CASES[i].value)}};

        check_ok(head_of(fields, AG_COUNT(fields), h));
        assert_int_equal(h->field_count, CASES[i].want == NULL ? 0 : 1);
        if (CASES[i].want == endless + 1) {
            assert_int_equal(h->fields[0].value.len, ANSWER_ETAG_MAX_BYTES);
        } else if (CASES[i].want != NULL) {
            check_span(h->fields[0].value, CASES[i].want);
        }
        proxy_head_done(h);
    }
    free(h);
}

static void
test_two_lengths_are_none(void **state)
{
    const struct upstream_field fields[] = {
        {.name = span_str("Content-Length"), .value = span_str("1")},
        {.name = span_str("content-length"), .value = span_str("1")}};
    const struct upstream_field chunked[] = {
        {.name = span_str("Content-Length"), .value = span_str("1")},
        {.name = span_str("transfer-encoding"), .value = span_str("chunked")},
        {.name = span_str("Content-Length"), .value = span_str("1")}};
    struct proxy_head *h = calloc(1, sizeof(*h));

    (void)state;
    assert_non_null(h);
    check_err(head_of(fields, 2, h), AG_EUPSTREAM);
    proxy_head_done(h);
    check_err(head_of(chunked, 2, h), AG_EUPSTREAM);
    proxy_head_done(h);
    check_err(head_of(chunked + 1, 2, h), AG_EUPSTREAM);
    proxy_head_done(h);
    check_ok(head_of(chunked + 1, 1, h));
    assert_int_equal(h->field_count, 0);
    proxy_head_done(h);
    free(h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_fields_of_the_way_stay_behind),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_heads_of_answers),
        cmocka_unit_test(test_a_value_anywhere_in_a_head),
        cmocka_unit_test(test_refusals_quote_nothing),
        cmocka_unit_test(test_parts_are_refused),
        cmocka_unit_test(test_answers_that_are_refused),
        cmocka_unit_test(test_heads_of_encoded_answers),
        cmocka_unit_test(test_etags_of_encoded_answers),
        cmocka_unit_test(test_two_lengths_are_none),
    };

    if (secret_arena_open(ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
