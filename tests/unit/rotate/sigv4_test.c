/* Signatures: the examples that AWS publishes, and one with a session token. */
#include <string.h>

#include "common/check.h"
#include "rotate/sigv4.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const struct sigv4_field VANILLA[] = {
    {"host", {(const uint8_t *)"example.amazonaws.com", 21}},
    {"x-amz-date", {(const uint8_t *)"20150830T123600Z", 16}},
};

static struct sigv4_request
vanilla(void)
{
    return (struct sigv4_request){
        .method = "GET",
        .path = "/",
        .query = "",
        .fields = VANILLA,
        .field_count = AG_COUNT(VANILLA),
        .key_id = "AKIDEXAMPLE",
        .secret_key = span_str(SECRET),
        .region = "us-east-1",
        .service = "service",
        .date = "20150830T123600Z",
    };
}

static void
check_signed(const struct sigv4_request *request, const char *want)
{
    AG_AUTO(buf) struct buf out;

    buf_init(&out, 1024, BUF_PLAIN);
    check_ok(sigv4_sign(request, &out));
    assert_string_equal(buf_cstr(&out), want);
}

static void
test_published_examples_are_signed_as_published(void **state)
{
    const struct sigv4_field list_users[] = {
        {"content-type",
         span_str("application/x-www-form-urlencoded; charset=utf-8")},
        {"host", span_str("iam.amazonaws.com")},
        VANILLA[1],
    };
    const struct sigv4_field form[] = {
        {"content-type", span_str("application/x-www-form-urlencoded")},
        VANILLA[0],
        VANILLA[1],
    };
    struct sigv4_request request = vanilla();

    (void)state;
    check_signed(&request,
                 "AWS4-HMAC-SHA256 "
                 "Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
                 "aws4_request, SignedHeaders=host;x-amz-date, Signature="
                 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fb"
                 "f31");
    request.method = "POST";
    request.fields = form;
    request.field_count = AG_COUNT(form);
    request.body = span_str("Param1=value1");
    check_signed(&request,
                 "AWS4-HMAC-SHA256 "
                 "Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
                 "aws4_request, SignedHeaders=content-type;host;x-amz-date, "
                 "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d"
                 "196a0fe09473a");
    request = vanilla();
    request.query = "Action=ListUsers&Version=2010-05-08";
    request.fields = list_users;
    request.field_count = AG_COUNT(list_users);
    request.service = "iam";
    check_signed(&request,
                 "AWS4-HMAC-SHA256 "
                 "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
                 "SignedHeaders=content-type;host;x-amz-date, Signature="
                 "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b"
                 "5d7");
}

static void
test_a_session_token_is_signed_too(void **state)
{
    const struct sigv4_field fields[] = {
        {"content-type",
         span_str("application/x-www-form-urlencoded; charset=utf-8")},
        {"host", span_str("127.0.0.1:8080")},
        {"x-amz-date", span_str("20991231T235959Z")},
        {"x-amz-security-token", span_str("dG9rZW4=")},
    };
    const struct sigv4_request request = {
        .method = "POST",
        .path = "/base/",
        .query = "",
        .fields = fields,
        .field_count = AG_COUNT(fields),
        .body = span_str("Action=GetCallerIdentity&Version=2011-06-15"),
        .key_id = "ASIAEXAMPLE",
        .secret_key = span_str(SECRET),
        .region = "eu-central-1",
        .service = "sts",
        .date = "20991231T235959Z",
    };

    (void)state;
    check_signed(
        &request,
        "AWS4-HMAC-SHA256 "
        "Credential=ASIAEXAMPLE/20991231/eu-central-1/sts/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
        "Signature="
        "fc6e647d68a3ba1ff010e4ed9bc6351083fe1541fbf73d4ae9d561138f7ecc76");
}

static void
test_a_date_is_spelled_as_aws_wants_it(void **state)
{
    char date[SIGV4_DATE_BYTES];

    (void)state;
    sigv4_date(INT64_C(1440938160999), date);
    assert_string_equal(date, "20150830T123600Z");
    sigv4_date(0, date);
    assert_string_equal(date, "19700101T000000Z");
}

static void
test_a_key_of_no_length_or_too_much_is_refused(void **state)
{
    AG_AUTO(buf) struct buf out;
    struct sigv4_request request = vanilla();
    char key[SIGV4_SECRET_MAX_BYTES + 1];

    (void)state;
    buf_init(&out, 1024, BUF_PLAIN);
    memset(key, 'k', sizeof(key));
    request.secret_key = span_of(key, sizeof(key));
    check_err(sigv4_sign(&request, &out), AG_EINVAL);
    request.secret_key = span_of(NULL, 0);
    check_err(sigv4_sign(&request, &out), AG_EINVAL);
    assert_int_equal(out.len, 0);
    request.secret_key = span_of(key, SIGV4_SECRET_MAX_BYTES);
    check_ok(sigv4_sign(&request, &out));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_examples_are_signed_as_published),
        cmocka_unit_test(test_a_session_token_is_signed_too),
        cmocka_unit_test(test_a_date_is_spelled_as_aws_wants_it),
        cmocka_unit_test(test_a_key_of_no_length_or_too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
