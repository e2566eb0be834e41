/* The greeting of a TLS client: read from any cut, refused when it is not one. */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "proxy/hello.h"
#include "unit/proxy/hellos.h"

/* What stands behind the scratch is nobody's to write. */
static struct {
    uint8_t bytes[HELLO_MAX_BYTES];
    uint8_t behind[HELLO_MAX_BYTES];
} room;

static uint8_t *const scratch = room.bytes;

static enum hello_result
read_made(const struct made *m, struct hello *ret)
{
    return hello_read(span_of(m->bytes, m->len), scratch, ret);
}

static struct guard_host
host(const char *text)
{
    struct guard_host h = {0};

    check_ok(guard_read_host(span_str(text), &h));
    return h;
}

static void
test_any_records_and_any_cut(void **state)
{
    static const size_t SIZES[] = {1, 3, 16, 2000};
    const struct guard_host wanted = host("api.example.org");
    const struct guard_host other = host("example.org");

    (void)state;
    for (size_t i = 0; i < AG_COUNT(SIZES); i++) {
        struct made m = greeting("API.example.org", SIZES[i]);
        struct hello hello = {0};

        for (size_t cut = 0; cut < m.len; cut++) {
            assert_int_equal(hello_read(span_of(m.bytes, cut), scratch, &hello),
                             HELLO_MORE);
        }
        assert_int_equal(read_made(&m, &hello), HELLO_WHOLE);
        assert_true(hello_is_for(&hello, &wanted));
        assert_false(hello_is_for(&hello, &other));
        assert_false(hello.encrypted);
        /* Early data behind it is not looked at. */
        put_bytes(&m, "\x17\x03\x03\x00\x01x", 6);
        assert_int_equal(read_made(&m, &hello), HELLO_WHOLE);
    }
}

static void
test_without_a_name(void **state)
{
    struct made m = greeting(NULL, 2000);
    const struct guard_host name = host("example.org");
    const struct guard_host address = host("1.2.3.4");
    struct hello hello = {0};

    (void)state;
    assert_int_equal(read_made(&m, &hello), HELLO_WHOLE);
    assert_false(hello_is_for(&hello, &name));
    assert_true(hello_is_for(&hello, &address));
}

static void
test_a_name_is_for_no_address(void **state)
{
    struct made m = greeting("example.org", 2000);
    const struct guard_host address = host("1.2.3.4");
    struct hello hello = {0};

    (void)state;
    assert_int_equal(read_made(&m, &hello), HELLO_WHOLE);
    assert_false(hello_is_for(&hello, &address));
}

static void
test_an_encrypted_one_is_noticed(void **state)
{
    struct made ext = {0};
    struct made m;
    struct hello hello = {0};

    (void)state;
    put_name(&ext, "example.org", 0);
    put_number(&ext, 0xfe0d, 2);
    put_number(&ext, 0, 2);
    m = message(&ext);
    m = records(&m, 2000);
    assert_int_equal(read_made(&m, &hello), HELLO_WHOLE);
    assert_true(hello.encrypted);
}

static void
check_malformed(const struct made *ext)
{
    struct made m = message(ext);
    struct hello hello = {0};

    m = records(&m, 2000);
    assert_int_equal(read_made(&m, &hello), HELLO_MALFORMED);
}

static void
test_bad_names(void **state)
{
    static const char *const BAD[] = {"",    "a b", "1.2.3.4", "a.",
                                      "::1", "a/b", "a:443"};
    struct made ext = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        ext.len = 0;
        put_name(&ext, BAD[i], 0);
        check_malformed(&ext);
    }
    ext.len = 0;
    put_name(&ext, "example.org", 1);
    check_malformed(&ext);
    ext.len = 0;
    put_name(&ext, "example.org", 0);
    put_name(&ext, "example.org", 0);
    check_malformed(&ext);
    /* Two names in one list. */
    ext.len = 0;
    put_number(&ext, 0, 2);
    put_number(&ext, 10, 2);
    put_number(&ext, 8, 2);
    put_bytes(&ext, "\0\0\1a\0\0\1b", 8);
    check_malformed(&ext);
    /* A byte behind the list. */
    ext.len = 0;
    put_number(&ext, 0, 2);
    put_number(&ext, 7, 2);
    put_number(&ext, 4, 2);
    put_bytes(&ext, "\0\0\1a?", 5);
    check_malformed(&ext);
}

static void
test_other_messages(void **state)
{
    struct made m = greeting("example.org", 2000);
    struct made changed = m;
    struct hello hello = {0};

    (void)state;
    assert_int_equal(
        hello_read(span_str("GET / HTTP/1.1\r\n"), scratch, &hello),
        HELLO_NOT_TLS);
    assert_int_equal(hello_read(span_str("SSH-2.0-x\r\n"), scratch, &hello),
                     HELLO_NOT_TLS);
    changed.bytes[1] = 2; /* SSL 2 */
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    changed = m;
    changed.bytes[5] = 2; /* a ServerHello */
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    changed = m;
    changed.bytes[3] = 0; /* an empty record */
    changed.bytes[4] = 0;
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    changed = m;
    changed.bytes[3] = 0x41; /* longer than a record may be */
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    changed = m;
    changed.bytes[6] = 1; /* longer than is taken */
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    changed = m;
    changed.bytes[8]--; /* something shares its record */
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
}

/* A message of the largest size, in records that would join to a larger one. */
static void
test_joined_records_have_a_bound(void **state)
{
    static uint8_t bytes[2 * (HELLO_MAX_BYTES + 5)];
    const size_t first = HELLO_MAX_BYTES - 1;
    struct made head = {0};
    struct hello hello = {0};

    (void)state;
    put_number(&head, 0x160301, 3);
    put_number(&head, first, 2);
    put_number(&head, 1, 1);
    put_number(&head, HELLO_MAX_BYTES - 4, 3);
    memcpy(bytes, head.bytes, head.len);
    head.len = 0;
    put_number(&head, 0x160301, 3);
    put_number(&head, HELLO_MAX_BYTES, 2);
    memcpy(bytes + 5 + first, head.bytes, head.len);
    memset(bytes + 5 + first + 5, 'x', HELLO_MAX_BYTES);
    assert_int_equal(hello_read(span_of(bytes, 5 + first), scratch, &hello),
                     HELLO_MORE);
    /* Known from its head alone, and when it is there. */
    assert_int_equal(hello_read(span_of(bytes, 5 + first + 5), scratch, &hello),
                     HELLO_MALFORMED);
    assert_int_equal(hello_read(span_of(bytes, 5 + first + 5 + HELLO_MAX_BYTES),
                                scratch, &hello),
                     HELLO_MALFORMED);
    for (size_t i = 0; i < sizeof(room.behind); i++) {
        assert_int_equal(room.behind[i], 0);
    }
}

/* Where the fields of message() begin. */
enum {
    AT_VERSION = 4,
    AT_SESSION = AT_VERSION + 2 + 32,
    AT_SUITES = AT_SESSION + 1,
    AT_METHODS = AT_SUITES + 2 + 2,
};

/* `count` bytes more at `at`, behind a length of `width` that they are added
 * to. */
static enum hello_result
read_longer(size_t at, size_t width, size_t count)
{
    struct made ext = {0};
    struct made m;
    struct hello hello = {0};

    put_name(&ext, "example.org", 0);
    m = message(&ext);
    memmove(m.bytes + at + width + count, m.bytes + at + width,
            m.len - at - width);
    m.len += count;
    m.bytes[at + width - 1] = (uint8_t)(m.bytes[at + width - 1] + count);
    m.bytes[3] = (uint8_t)(m.len - 4);
    m = records(&m, 2000);
    return read_made(&m, &hello);
}

/* The same without `count` of the bytes that are there. */
static enum hello_result
read_shorter(size_t at, size_t width, size_t count)
{
    struct made ext = {0};
    struct made m;
    struct hello hello = {0};

    m = message(&ext);
    memmove(m.bytes + at + width, m.bytes + at + width + count,
            m.len - at - width - count);
    m.len -= count;
    m.bytes[at + width - 1] = (uint8_t)(m.bytes[at + width - 1] - count);
    m.bytes[3] = (uint8_t)(m.len - 4);
    m = records(&m, 2000);
    return read_made(&m, &hello);
}

static void
test_fields_have_their_lengths(void **state)
{
    (void)state;
    assert_int_equal(read_longer(AT_SESSION, 1, 32), HELLO_WHOLE);
    assert_int_equal(read_longer(AT_SESSION, 1, 33), HELLO_MALFORMED);
    assert_int_equal(read_longer(AT_SUITES, 2, 2), HELLO_WHOLE);
    assert_int_equal(read_longer(AT_SUITES, 2, 1), HELLO_MALFORMED);
    assert_int_equal(read_shorter(AT_SUITES, 2, 2), HELLO_MALFORMED);
    assert_int_equal(read_longer(AT_METHODS, 1, 1), HELLO_WHOLE);
    assert_int_equal(read_shorter(AT_METHODS, 1, 0), HELLO_WHOLE);
    assert_int_equal(read_shorter(AT_METHODS, 1, 1), HELLO_MALFORMED);
}

/* Its last field but one, as a client without extensions ends: no name. */
static void
test_without_extensions(void **state)
{
    const struct made none = {0};
    const struct guard_host name = host("example.org");
    struct made m = message(&none);
    struct made cut = m;
    struct hello hello = {0};

    (void)state;
    cut.len -= 2;
    cut.bytes[3] = (uint8_t)(cut.len - 4);
    cut = records(&cut, 2000);
    assert_int_equal(read_made(&cut, &hello), HELLO_WHOLE);
    assert_false(hello_is_for(&hello, &name));
    /* A byte behind the extensions, and half of their length. */
    put_number(&m, 0, 1);
    m.bytes[3]++;
    cut = records(&m, 2000);
    assert_int_equal(read_made(&cut, &hello), HELLO_MALFORMED);
    m.len -= 2;
    m.bytes[3] = (uint8_t)(m.bytes[3] - 2);
    cut = records(&m, 2000);
    assert_int_equal(read_made(&cut, &hello), HELLO_MALFORMED);
}

static void
test_other_records_between(void **state)
{
    struct made m = greeting("example.org", 16);
    struct made changed = m;
    struct hello hello = {0};

    (void)state;
    changed.bytes[5 + 16] = 23; /* the second record carries data */
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    changed = m;
    changed.bytes[5 + 16 + 1] = 2;
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    /* An empty record, first and in between. */
    for (size_t at = 0; at <= 5 + 16; at += 5 + 16) {
        changed = m;
        memmove(changed.bytes + at + 5, m.bytes + at, m.len - at);
        memcpy(changed.bytes + at, "\x16\x03\x01\0\0", 5);
        changed.len += 5;
        assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
    }
    changed = m;
    changed.bytes[5 + AT_VERSION] = 2;
    assert_int_equal(read_made(&changed, &hello), HELLO_MALFORMED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_records_and_any_cut),
        cmocka_unit_test(test_without_a_name),
        cmocka_unit_test(test_a_name_is_for_no_address),
        cmocka_unit_test(test_an_encrypted_one_is_noticed),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_other_messages),
        cmocka_unit_test(test_joined_records_have_a_bound),
        cmocka_unit_test(test_fields_have_their_lengths),
        cmocka_unit_test(test_without_extensions),
        cmocka_unit_test(test_other_records_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
