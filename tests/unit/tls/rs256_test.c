/* Signatures of RSA keys, checked by openssl; and keys that are none. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "tls/rs256.h"

static char dir[64];

static void
shell(const char *command)
{
    char whole[512];

    (void)snprintf(whole, sizeof(whole), "cd '%s' && { %s; } >/dev/null 2>&1",
                   dir, command);
    // NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe)
    assert_int_equal(system(whole), 0);
}

static int
setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-rs256-XXXXXX");
    assert_non_null(mkdtemp(dir));
    shell("openssl genrsa -traditional -out one.pem 2048 && "
          "openssl pkcs8 -topk8 -nocrypt -in one.pem -out eight.pem && "
          "openssl rsa -in one.pem -pubout -out one.pub && "
          "openssl rsa -in one.pem -aes128 -passout pass:word -out shut.pem && "
          "openssl genrsa -out short.pem 1024 && "
          "openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 "
          "-out pss.pem && "
          "openssl ecparam -name prime256v1 -genkey -noout -out ec.pem");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    shell("rm -rf \"$PWD\"");
    return 0;
}

static struct span
key_of(const char *name)
{
    static char text[8192];
    char path[96];
    FILE *in = NULL;
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    in = fopen(path, "re");
    assert_non_null(in);
    len = fread(text, 1, sizeof(text), in);
    (void)fclose(in);
    return span_of(text, len);
}

static void
write_file(const char *name, const void *bytes, size_t len)
{
    char path[96];
    FILE *out = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    out = fopen(path, "we");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void
test_a_signature_holds_in_either_spelling_of_the_key(void **state)
{
    static const char *const KEYS[] = {"one.pem", "eight.pem"};
    static const char TEXT[] = "head.claims";
    uint8_t out[RS256_MAX_BYTES];
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(KEYS); i++) {
        check_ok(rs256_sign(key_of(KEYS[i]), span_str(TEXT), out, &len));
        assert_int_equal(len, 256);
        write_file("signature", out, len);
        write_file("text", TEXT, strlen(TEXT));
        shell("openssl dgst -sha256 -verify one.pub -signature signature text");
    }
}

static void
test_what_is_no_such_key_is_refused(void **state)
{
    static const char *const BAD[] = {"shut.pem", "short.pem", "ec.pem",
                                      "pss.pem", "one.pub"};
    uint8_t out[RS256_MAX_BYTES];
    size_t len = 7;
    struct span whole = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(rs256_sign(key_of(BAD[i]), span_str("x"), out, &len),
                  AG_EINVAL);
    }
    whole = key_of("one.pem");
    for (size_t cut = 0; cut < whole.len - 40; cut += 97) {
        check_err(rs256_sign(span_of(whole.ptr, cut), span_str("x"), out, &len),
                  AG_EINVAL);
    }
    assert_int_equal(len, 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signature_holds_in_either_spelling_of_the_key),
        cmocka_unit_test(test_what_is_no_such_key_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
