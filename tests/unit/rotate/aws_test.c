/* Access keys as they are stored, where AWS is, and what may be said of it. */
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "common/arena.h"
#include "common/check.h"
#include "rotate/aws.h"
#include "wire/json.h"

static json_t *
tree_of(const char *text)
{
    json_t *tree = NULL;

    check_ok(wjson_parse(span_str(text), strlen(text), &tree));
    return tree;
}

static enum ag_err
site_of(const char *text, enum aws_service service, struct aws_site *ret)
{
    AG_AUTO(wjson) json_t *params = tree_of(text);

    return aws_site_of(params, service, ret);
}

static enum ag_err
read_key(const char *text, const char *section, struct aws_key *ret)
{
    AG_AUTO(secret) struct secret *value = NULL;

    check_ok(secret_from(span_str(text), &value));
    return aws_key_read(value, section, ret);
}

static void
test_a_key_is_read_from_json_and_from_a_file(void **state)
{
    AG_AUTO(aws_key) struct aws_key json = {0};
    AG_AUTO(aws_key) struct aws_key file = {0};

    (void)state;
    check_ok(read_key("{\"Version\":1,\"AccessKeyId\":\"AKIA1\","
                      "\"SecretAccessKey\":\"s/1\",\"SessionToken\":\"t\"}",
                      NULL, &json));
    assert_string_equal(json.id, "AKIA1");
    assert_true(secret_equal_span(json.secret, span_str("s/1")));
    assert_true(secret_equal_span(json.token, span_str("t")));
    check_ok(read_key("[default]\naws_access_key_id=AKIA2\n"
                      "aws_secret_access_key=s2\n[w]\n"
                      "aws_access_key_id = AKIA3\naws_secret_access_key = s3\n",
                      "w", &file));
    assert_string_equal(file.id, "AKIA3");
    assert_true(secret_equal_span(file.secret, span_str("s3")));
    assert_null(file.token);
}

static void
test_what_is_no_key_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        "AKIA1",
        "{}",
        "{\"AccessKeyId\":\"AKIA1\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"\"}",
        "{\"AccessKeyId\":\"A\\nX: y\",\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"a b\"}",
        "{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}",
        "[other]\naws_access_key_id=A\naws_secret_access_key=s\n",
    };
    struct aws_key key = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(read_key(BAD[i], NULL, &key), AG_EINVAL);
        assert_null(key.secret);
    }
}

static void
test_another_key_takes_its_place_and_all_else_stays(void **state)
{
    static const char FILE_TEXT[] =
        "# mine\n[default]\naws_access_key_id = AKIA1\n"
        "aws_secret_access_key = s1\nregion = x\n[w]\naws_access_key_id=W\n";
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(secret) struct secret *made = NULL;

    (void)state;
    check_ok(secret_from(span_str(FILE_TEXT), &value));
    check_ok(aws_key_replace(value, NULL, "AKIA22", span_str("s/2+"), &made));
    assert_true(secret_equal_span(
        made, span_str("# mine\n[default]\naws_access_key_id = AKIA22\n"
                       "aws_secret_access_key = s/2+\nregion = x\n[w]\n"
                       "aws_access_key_id=W\n")));
}

static void
check_host(const char *params, enum aws_service service, const char *host,
           const char *region)
{
    struct aws_site site = {0};

    check_ok(site_of(params, service, &site));
    assert_string_equal(site.base.authority, host);
    assert_string_equal(site.region, region);
    assert_false(site.base.inner);
}

static void
test_each_partition_has_its_hosts(void **state)
{
    (void)state;
    check_host("{}", AWS_IAM, "iam.amazonaws.com", "us-east-1");
    check_host("{}", AWS_STS, "sts.us-east-1.amazonaws.com", "us-east-1");
    check_host("{\"region\":\"eu-central-1\"}", AWS_IAM, "iam.amazonaws.com",
               "us-east-1");
    check_host("{\"region\":\"eu-central-1\"}", AWS_STS,
               "sts.eu-central-1.amazonaws.com", "eu-central-1");
    check_host("{\"region\":\"cn-northwest-1\"}", AWS_IAM,
               "iam.cn-north-1.amazonaws.com.cn", "cn-north-1");
    check_host("{\"region\":\"cn-northwest-1\"}", AWS_STS,
               "sts.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1");
    check_host("{\"region\":\"us-gov-east-1\"}", AWS_IAM,
               "iam.us-gov.amazonaws.com", "us-gov-west-1");
}

static void
test_an_endpoint_that_is_named_may_be_inner(void **state)
{
    static const char *const BAD[] = {
        "{\"region\":\"\"}",           "{\"region\":\"a.b\"}",
        "{\"region\":\"-a\"}",         "{\"region\":1}",
        "{\"endpoint\":\"http://x\"}", "{\"endpoint\":1}",
    };
    struct aws_site site = {0};

    (void)state;
    check_ok(site_of("{\"endpoint\":\"https://vpce.example/x\","
                     "\"region\":\"eu-west-1\"}",
                     AWS_STS, &site));
    assert_string_equal(site.base.authority, "vpce.example");
    assert_true(site.base.inner);
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(site_of(BAD[i], AWS_STS, &site), AG_EINVAL);
    }
}

static void
test_a_form_is_encoded(void **state)
{
    AG_AUTO(buf) struct buf form;

    (void)state;
    buf_init(&form, 256, BUF_PLAIN);
    check_ok(aws_form_add(&form, "A", "b c~-_.9"));
    check_ok(aws_form_add(&form, "P", "{\"a\":\"*\"}+/=&\xc3\xa4"));
    assert_string_equal(buf_cstr(&form),
                        "A=b%20c~-_.9&P=%7B%22a%22%3A%22%2A%22%7D%2B%2F%3D%26%"
                        "C3%A4");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_read_from_json_and_from_a_file),
        cmocka_unit_test(test_what_is_no_key_is_refused),
        cmocka_unit_test(test_another_key_takes_its_place_and_all_else_stays),
        cmocka_unit_test(test_each_partition_has_its_hosts),
        cmocka_unit_test(test_an_endpoint_that_is_named_may_be_inner),
        cmocka_unit_test(test_a_form_is_encoded),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
