/*
 * Placeholders of single values against the published formats: prefix, length,
 * alphabet, checksum; JWT; key files. The formats are written down here anew.
 */
#include <jansson.h>
#include <regex.h>
#include <sodium.h>

#include "base/encode.h"
#include "common/arena.h"
#include "profile/load.h"
#include "profile/placeholder.h"

enum {
    OUT_MAX_BYTES = 128 * 1024,
};

static const uint64_t ID = 0xbeef12345678;

static struct secret *key;
static struct secret *other_key;
static struct profiles *profiles;

static int
setup(void **state)
{
    check_ok(secret_arena_open((size_t)1024 * 1024));
    check_ok(secret_new(32, &key));
    check_ok(secret_new(32, &other_key));
    memset(secret_bytes(key), 7, 32); /* fixed: 17 bits of a tag may meet */
    memset(secret_bytes(other_key), 9, 32);
    check_ok(profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles));
    (void)state;
    return 0;
}

static int
teardown(void **state)
{
    profiles_free(profiles);
    secret_free(key);
    secret_free(other_key);
    return arena_tear_down(state);
}

/* The placeholder of a value as text; its id comes back, and no other key
 * knows it. */
static void
make(const struct profile_shape *shape, const char *real, struct buf *out)
{
    uint64_t id = 0;

    buf_init(out, OUT_MAX_BYTES, BUF_PLAIN);
    check_ok(placeholder_make(key, ID, shape, span_str(real), out));
    check_ok(placeholder_read(key, buf_view(out), &id));
    assert_true(id == ID);
    check_err(placeholder_read(other_key, buf_view(out), &id), AG_ENOTFOUND);
    check_err(placeholder_read(key, span_str(real), &id), AG_ENOTFOUND);
    assert_string_not_equal(buf_cstr(out), real);
    check_ok(buf_add_byte(out, '='));
    check_err(placeholder_read(key, buf_view(out), &id), AG_ENOTFOUND);
    buf_truncate(out, out->len - 1);
}

static const struct profile_shape *
shape_of(const char *profile, const char *pointer, const char *real)
{
    const struct profile *p = NULL;

    check_ok(profile_find(profiles, profile, &p));
    return placeholder_shape(profiles, p, pointer, span_str(real));
}

static void
check_pattern(const char *pattern, const char *text)
{
    regex_t re;

    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&re, text, 0, NULL, 0) != 0) {
        fail_msg("%s does not match %s", text, pattern);
    }
    regfree(&re);
}

/* CRC-32 bit by bit, and base62, for themselves. */
static void
check_checksum(struct span random, struct span sum)
{
    static const char DIGITS[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint32_t crc = ~0U;

    for (size_t i = 0; i < random.len; i++) {
        crc ^= random.ptr[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
        }
    }
    crc = ~crc;
    for (size_t i = sum.len; i > 0; i--) {
        assert_int_equal(sum.ptr[i - 1], DIGITS[crc % 62]);
        crc /= 62;
    }
    assert_int_equal(crc, 0);
}

/* Made-up values of the published formats; none was ever issued. */
#define A10  "aB3dE6gH9k"
#define A20  A10 "Qw2eRt5yU8"
#define A30  A20 "zX4cV7bN1m"
#define A36  A30 "Lp0oI9"
#define A40  A30 A10
#define A80  A40 A40
#define A160 A80 A80
#define H32  "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

static const struct {
    const char *profile;
    const char *pointer;
    const char *real;
    const char *pattern;
    size_t random; /* where the checksummed part begins; 0: no checksum */
} FORMATS[] = {
    {"github", "", "ghp_" A36, "^ghp_[0-9A-Za-z]{36}$", 4},
    {"github", "", "gho_" A36, "^gho_[0-9A-Za-z]{36}$", 4},
    {"github", "", "ghu_" A36, "^ghu_[0-9A-Za-z]{36}$", 4},
    {"github", "", "ghs_" A36, "^ghs_[0-9A-Za-z]{36}$", 4},
    {"github", "", "ghs_12345_" A80 "." A80 "." A40,
     "^ghs_[0-9]{5}_[0-9A-Za-z]{80}[.][0-9A-Za-z]{80}[.][0-9A-Za-z]{40}$", 0},
    {"github", "", "github_pat_" A20 "Zz_" A40 A10 "123456789",
     "^github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}$", 0},
    {"gh", "/github.com/oauth_token", "gho_" A36, "^gho_[0-9A-Za-z]{36}$", 4},
    {"gh", "/github.com/users/me/oauth_token", "ghp_" A36,
     "^ghp_[0-9A-Za-z]{36}$", 4},
    {"npm", "/~1~1registry.npmjs.org~1:_authToken", "npm_" A36,
     "^npm_[0-9A-Za-z]{36}$", 4},
    {"dotenv", "/NPM_TOKEN", "npm_" A36, "^npm_[0-9A-Za-z]{36}$", 4},
    {"huggingface", "", "hf_abcdefghijKLMNOPqrstUVWXyzabcdEFGH",
     "^hf_[A-Za-z]{34}$", 0},
    {"openai", "", "sk-" A40 "abcdefgh", "^sk-[0-9A-Za-z]{48}$", 0},
    {"openai", "", "sk-proj-" A40 "-_" A40 "T3BlbkFJ" A40,
     "^sk-proj-[0-9A-Za-z]{40}-_[0-9A-Za-z]{88}$", 0},
    {"codex", "/OPENAI_API_KEY", "sk-svcacct-" A80,
     "^sk-svcacct-[0-9A-Za-z_-]{80}$", 0},
    {"anthropic", "", "sk-ant-api03-" A80 "-" A10 "_AA",
     "^sk-ant-api03-[0-9A-Za-z_-]{94}$", 0},
    {"claude", "/claudeAiOauth/accessToken", "sk-ant-oat01-" A80 A10 "-QAAA",
     "^sk-ant-oat01-[0-9A-Za-z_-]{95}$", 0},
    {"aws", "/work/aws_access_key_id", "AKIAQ3EGRFQ7ZJX2M5NK",
     "^AKIA[A-Z2-7]{16}$", 0},
    {"aws", "/work/aws_access_key_id", "ASIAQ3EGRFQ7ZJX2M5NK",
     "^ASIA[A-Z2-7]{16}$", 0},
    {"dotenv", "/AWS_ACCESS_KEY_ID", "AKIAQ3EGRFQ7ZJX2M5NK",
     "^AKIA[A-Z2-7]{16}$", 0},
    {"aws", "/work/aws_secret_access_key",
     "wJalrXUtnFEMI/K7MDENG/bPxRfiCY+" A10 "/",
     "^[0-9A-Za-z+/]{31}[0-9A-Za-z]{9}", 0},
    {"aws", "/work/aws_session_token", A160 "ab==", "^[0-9A-Za-z]{161}A==$", 0},
    {"glab", "/hosts/gitlab.com/token", "glpat-" A20,
     "^glpat-[0-9A-Za-z_-]{20}$", 0},
    {"pypi", "/pypi/password", "pypi-" A160 "_-" A10,
     "^pypi-[0-9A-Za-z_-]{172}$", 0},
    {"vault", "", "hvs." A80 "-" A20, "^hvs[.][0-9A-Za-z_-]{101}$", 0},
    {"gemini", "/access_token", "ya29." A160, "^ya29[.][0-9A-Za-z_-]{160}$", 0},
    {"gemini", "/refresh_token", "1//0" A80 "-" A10, "^1//[0-9A-Za-z_-]{92}$",
     0},
    {"gemini", "/GEMINI_API_KEY", "AIza" A30 "_-abc", "^AIza[0-9A-Za-z_-]{35}$",
     0},
    {"slack", "/T1/token", "xoxb-123456789012-1234567890123-" A20 "abcd",
     "^xoxb-[0-9]{12}-[0-9]{13}-[0-9A-Za-z]{24}$", 0},
    {"stripe", "/default/live_mode_api_key", "sk_live_" A20 "abcd",
     "^sk_live_[0-9A-Za-z]{24}$", 0},
    {"pulumi", "/accessTokens/https:~1~1api.pulumi.com", "pul-" H32 "01234567",
     "^pul-[0-9a-f]{40}$", 0},
    {"databricks", "/DEFAULT/token", "dapi" H32, "^dapi[0-9a-f]{32}$", 0},
    {"cargo", "/registry/token", "cio" A30 "ab", "^cio[0-9A-Za-z]{32}$", 0},
    {"snyk", "/api", "7c0ffee1-1234-4abc-9def-0123456789ab",
     "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}$", 0},
    {"kaggle", "/key", H32, "^[0-9a-f]{32}$", 0},
    {"circleci", "/token", "0123456789ABCDEF0123456789ABCDEF01234567",
     "^[0-9A-F]{40}$", 0},
    {"rclone", "/s3/secret_access_key", "Correct7-horse.BATTERY9 staple/x!",
     "^[A-Z][a-z]{6}[0-9]-[a-z]{5}[.][A-Z]{7}[0-9] [a-z]{6}/[a-z]!$", 0},
};

static void
test_each_format_is_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(FORMATS); i++) {
        AG_AUTO(buf) struct buf out = {0};
        const char *real = FORMATS[i].real;

        make(shape_of(FORMATS[i].profile, FORMATS[i].pointer, real), real,
             &out);
        assert_int_equal(out.len, strlen(real));
        check_pattern(FORMATS[i].pattern, buf_cstr(&out));
        if (FORMATS[i].random > 0) {
            check_checksum(span_sub(buf_view(&out), FORMATS[i].random, 30),
                           span_sub(buf_view(&out), 34, 6));
        }
    }
}

/* Letters and digits of the real value are not there at their places, but for
 * what chance and the prefix leave. */
static void
test_nothing_of_the_value_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(FORMATS); i++) {
        AG_AUTO(buf) struct buf out = {0};
        const char *real = FORMATS[i].real;
        const struct profile_shape *s =
            shape_of(FORMATS[i].profile, FORMATS[i].pointer, real);
        size_t from = s == NULL || s->prefix == NULL ? 0 : strlen(s->prefix);
        size_t run = 0;

        make(s, real, &out);
        for (size_t k = from; k < out.len; k++) {
            bool same = real[k] == (char)out.ptr[k];
            bool fixed = strchr("-_./+= !", real[k]) != NULL;

            run = !same ? 0 : fixed ? run : run + 1;
            assert_in_range(run, 0, 5);
        }
    }
}

static void
test_the_same_makes_the_same_and_another_id_another(void **state)
{
    AG_AUTO(buf) struct buf a = {0};
    AG_AUTO(buf) struct buf b = {0};
    AG_AUTO(buf) struct buf c = {0};

    (void)state;
    make(NULL, A40, &a);
    make(NULL, A40, &b);
    assert_true(span_equal(buf_view(&a), buf_view(&b)));
    buf_init(&c, OUT_MAX_BYTES, BUF_PLAIN);
    check_ok(placeholder_make(key, ID + 1, NULL, span_str(A40), &c));
    assert_false(span_equal(buf_view(&a), buf_view(&c)));
}

static void
test_what_has_no_placeholder_is_said(void **state)
{
    static const char *const SHORT[] = {"hunter2", "123456789012345678",
                                        "0123456789abcde", "aB3dE6gH9k",
                                        "!!!!!!!!!!!!!!!!!!!!!!!!"};
    static const struct profile_shape PADDED = {.prefix = "sk-",
                                                .alphabet = ALPHABET_BASE64};
    AG_AUTO(buf) struct buf out = {0};

    (void)state;
    buf_init(&out, OUT_MAX_BYTES, BUF_PLAIN);
    check_ok(buf_add_str(&out, "before"));
    check_err(placeholder_make(key, ID, &PADDED, span_str("sk-="), &out),
              AG_EUNSUPPORTED);
    check_err(placeholder_make(key, ID, &PADDED, span_str("sk-=="), &out),
              AG_EUNSUPPORTED);
    for (size_t i = 0; i < AG_COUNT(SHORT); i++) {
        check_err(placeholder_make(key, ID, NULL, span_str(SHORT[i]), &out),
                  AG_EUNSUPPORTED);
    }
    check_err(placeholder_make(key, ID, NULL,
                               span_str("-----BEGIN RSA PRIVATE KEY-----\n"
                                        "AAAA\n"
                                        "-----END RSA PRIVATE KEY-----\n"),
                               &out),
              AG_EUNSUPPORTED);
    check_err(placeholder_make(key, 1ULL << 48, NULL, span_str(A40), &out),
              AG_EINVAL);
    check_err(placeholder_make(key, ID, NULL, span_str(""), &out), AG_EINVAL);
    check_span(buf_view(&out), "before");
}

/* The least that is taken, one below is not. */
static void
test_the_shortest_values(void **state)
{
    static const struct profile_shape ALNUM = {.prefix = "x-",
                                               .alphabet = ALPHABET_ALNUM};
    AG_AUTO(buf) struct buf out = {0};

    (void)state;
    make(&ALNUM, "x-" A10 "1", &out); /* 65 bits */
    check_err(placeholder_make(key, ID, &ALNUM, span_str("x-" A10), &out),
              AG_EUNSUPPORTED);
    buf_done(&out);
    make(NULL, "0123456789abcdef", &out); /* 64 bits */
    buf_done(&out);
    make(NULL, "09876543210987654321", &out); /* 66 bits */
}

/* ---- JWT ---- */

static void
jwt(struct buf *out, const char *payload, size_t signature)
{
    static const char HEADER[] = "{\"alg\":\"RS256\",\"kid\":\"k-1\"}";
    char text[4096];

    buf_init(out, OUT_MAX_BYTES, BUF_PLAIN);
    (void)sodium_bin2base64(text, sizeof(text), (const uint8_t *)HEADER,
                            strlen(HEADER),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    check_ok(buf_fmt(out, "%s.", text));
    (void)sodium_bin2base64(text, sizeof(text), (const uint8_t *)payload,
                            strlen(payload),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    check_ok(buf_fmt(out, "%s.", text));
    for (size_t i = 0; i < signature; i++) {
        check_ok(buf_add_byte(out, (uint8_t)("Qw2eR_t5yU8-"[i % 12])));
    }
}

static json_t *
part_of(struct span token, size_t index)
{
    uint8_t bin[4096];
    size_t len = 0;
    struct span rest = token;
    json_t *json;

    for (; index > 0; index--) {
        size_t dot = span_find(rest, '.');

        rest = span_sub(rest, dot + 1, rest.len);
    }
    rest.len = span_find(rest, '.');
    assert_int_equal(
        sodium_base642bin(bin, sizeof(bin), (const char *)rest.ptr, rest.len,
                          NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING),
        0);
    json = json_loadb((const char *)bin, len, 0, NULL);
    return json;
}

static const char *
text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void
check_claims(struct span token)
{
    json_t *header = part_of(token, 0);
    json_t *payload = part_of(token, 1);
    const json_t *own = json_object_get(payload, "https://api.example/auth");

    assert_string_equal(text_of(header, "kid"), "k-1");
    assert_true(json_integer_value(json_object_get(payload, "exp")) ==
                4102444800);
    assert_int_equal(json_integer_value(json_object_get(payload, "iat")), 1754);
    assert_string_equal(text_of(payload, "email"), "me@example.org");
    assert_int_equal(json_integer_value(json_object_get(own, "exp")), 5);
    assert_string_equal(text_of(own, "jti"), "inner");
    assert_string_not_equal(text_of(payload, "jti"), "0d8a-77Ax");
    check_pattern("^[a-z]-[0-9][A-Z][0-9]_[A-Z][a-z][A-Z][0-9][A-Z][a-z]$",
                  text_of(payload, "nonce"));
    assert_string_not_equal(text_of(payload, "nonce"), "n-0S6_WzA2Mj");
    json_decref(header);
    json_decref(payload);
}

/* It decodes, as a strict reader does, and is another. */
static void
check_signature(struct span token, struct span real, size_t len)
{
    struct span signature = span_sub(token, token.len - len, len);
    uint8_t bin[600];
    size_t got = 0;

    assert_int_equal(token.len, real.len);
    assert_int_equal(token.ptr[token.len - len - 1], '.');
    assert_int_equal(
        sodium_base642bin(bin, sizeof(bin), (const char *)signature.ptr,
                          signature.len, NULL, &got, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING),
        0);
    assert_false(span_equal(signature, span_sub(real, real.len - len, len)));
}

static void
test_a_jwt_keeps_its_claims(void **state)
{
    static const char PAYLOAD[] =
        "{\"iss\": \"https://auth.example\", \"exp\": 1755000000, "
        "\"jti\": \"0d8a-77\\u0041x\", \"nonce\":\"n-0S6_WzA2Mj\", "
        "\"https://api.example/auth\": {\"plan\": \"pro\", \"exp\": 5, "
        "\"jti\": \"inner\"}, \"email\": \"me@example.org\", \"iat\": 1754}";
    /* HS256, ES256, ES384, RS256, RS4096 */
    static const size_t SIGNATURES[] = {43, 86, 128, 342, 683};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(SIGNATURES); i++) {
        AG_AUTO(buf) struct buf real = {0};
        AG_AUTO(buf) struct buf out = {0};

        jwt(&real, PAYLOAD, SIGNATURES[i] - 1);
        check_ok(buf_add_byte(&real, 'A'));
        make(shape_of("codex", "/tokens/access_token", buf_cstr(&real)),
             buf_cstr(&real), &out);
        check_claims(buf_view(&out));
        check_signature(buf_view(&out), buf_view(&real), SIGNATURES[i]);
    }
}

static void
test_odd_tokens(void **state)
{
    AG_AUTO(buf) struct buf real = {0};
    AG_AUTO(buf) struct buf out = {0};
    json_t *payload;

    (void)state;
    /* exp of other lengths, many of it; no exp at all */
    jwt(&real,
        "{\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,"
        "\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,"
        "\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1,\"exp\":1}",
        86);
    real.ptr[real.len - 1] = 'A';
    make(NULL, buf_cstr(&real), &out);
    payload = part_of(buf_view(&out), 1);
    assert_true(json_integer_value(json_object_get(payload, "exp")) ==
                4102444800);
    json_decref(payload);
    buf_done(&out);
    buf_done(&real);
    jwt(&real, "{}", 43);
    make(NULL, buf_cstr(&real), &out);
    buf_done(&out);
    buf_done(&real);
    /* the signature is too short to hold a number; "none" has none */
    jwt(&real, "{\"exp\":1}", 12);
    buf_init(&out, OUT_MAX_BYTES, BUF_PLAIN);
    check_err(placeholder_make(key, ID, NULL, buf_view(&real), &out),
              AG_EUNSUPPORTED);
    assert_int_equal(out.len, 0);
    buf_done(&out);
    /* five parts are no JWT of ours: as any text */
    check_ok(buf_add_str(&real, "." A40 "." A40));
    make(NULL, buf_cstr(&real), &out);
}

/* A client takes the user out of it, and sends the password on its own. */
static void
test_basic_authentication(void **state)
{
    AG_AUTO(buf) struct buf out = {0};
    AG_AUTO(secret) struct secret *pair = NULL;
    struct span password;
    uint64_t id = 0;

    (void)state;
    make(NULL, "bWU6YUIzZEU2Z0g5a1F3MmVSdDV5VTg=", &out);
    check_ok(decode_base64_secret(buf_view(&out), &pair));
    assert_true(span_starts(secret_view(pair), span_str("me:")));
    password = span_sub(secret_view(pair), 3, secret_len(pair));
    assert_int_equal(password.len, 20);
    check_ok(placeholder_read(key, password, &id));
    assert_true(id == ID);
    /* too short a password, no user, no text */
    buf_clear(&out);
    check_err(
        placeholder_make(key, ID, NULL, span_str("bWU6aHVudGVyMg=="), &out),
        AG_EUNSUPPORTED);
    assert_int_equal(out.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_format_is_kept),
        cmocka_unit_test(test_nothing_of_the_value_stays),
        cmocka_unit_test(test_the_same_makes_the_same_and_another_id_another),
        cmocka_unit_test(test_what_has_no_placeholder_is_said),
        cmocka_unit_test(test_the_shortest_values),
        cmocka_unit_test(test_a_jwt_keeps_its_claims),
        cmocka_unit_test(test_odd_tokens),
        cmocka_unit_test(test_basic_authentication),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
