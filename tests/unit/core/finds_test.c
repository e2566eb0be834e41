/* Which placeholders stand in a field, and what is read only once. */
#include "base/buf.h"
#include "base/encode.h"
#include "base/secret.h"
#include "common/check.h"
#include "core/permit_find.h"
#include "core/recent.h"
#include "crypt/token.h"
#include "profile/placeholder.h"

enum {
    ARENA_BYTES = 1024 * 1024,
    ONE = 0x10203,
    TWO = 0x40506,
};

#define REAL "sk-0123456789abcdefABCDEFghijklmnop"

static struct secret *key;
static char one[64];
static char two[64];

static void
make(uint64_t id, char *text, size_t room)
{
    AG_AUTO(buf) struct buf out = {0};

    buf_init(&out, 64, BUF_PLAIN);
    check_ok(placeholder_make(key, id, NULL, span_str(REAL), &out));
    (void)snprintf(text, room, "%s", buf_cstr(&out));
}

static int
set_up(void **state)
{
    static const uint8_t BYTES[PLACEHOLDER_KEY_BYTES] = {7};

    (void)state;
    check_ok(secret_arena_open(ARENA_BYTES));
    check_ok(secret_from(span_of(BYTES, sizeof(BYTES)), &key));
    make(ONE, one, sizeof(one));
    make(TWO, two, sizeof(two));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_free(key);
    secret_arena_close();
    return 0;
}

static bool
has(const struct finds *f, uint64_t id)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].id == id && f->items[i].where == 0) {
            return true;
        }
    }
    return false;
}

/* Of one field: `before`, the first placeholder, `between`, the second. */
static struct finds
finds_of(const char *before, const char *a, const char *between, const char *b)
{
    static char value[256];
    struct request_field field = {.name = span_str("X-Key")};
    const struct request_ask ask = {
        .path = span_str("/"), .fields = &field, .field_count = 1};
    struct finds f = {0};

    (void)snprintf(value, sizeof(value), "%s%s%s%s", before, a, between, b);
    field.value = span_str(value);
    check_ok(finds_make(key, &ask, &f));
    return f;
}

static void
test_one_that_ends_a_field_hides_no_other(void **state)
{
    static const char *const BETWEEN[] = {" ", " x ", ",", ", ", ":", "=", "/"};
    struct finds f = finds_of("Bearer ", one, "", "");

    (void)state;
    assert_int_equal(f.count, 1);
    assert_true(has(&f, ONE));
    f = finds_of("a longer text of many words before: ", one, "", "");
    assert_int_equal(f.count, 1);
    assert_true(has(&f, ONE));
    for (size_t i = 0; i < AG_COUNT(BETWEEN); i++) {
        f = finds_of("", two, BETWEEN[i], one);
        assert_int_equal(f.count, 2);
        assert_true(has(&f, ONE) && has(&f, TWO));
        f = finds_of("", one, BETWEEN[i], "and more");
        assert_int_equal(f.count, 1);
        assert_true(has(&f, ONE));
    }
    f = finds_of("Bearer ", "nothing-of-ours-0123456789", "", "");
    assert_int_equal(f.count, 0);
}

/* By where it lies, and only what was a placeholder as a whole. */
static void
test_what_was_read_is_not_read_again(void **state)
{
    static const uint8_t OTHER[PLACEHOLDER_KEY_BYTES] = {9};
    AG_AUTO(secret) struct secret *other = NULL;
    char text[128];
    char copy[128];
    struct request_field field = {.name = span_str("X-Key")};
    const struct request_ask ask = {
        .path = span_str("/"), .fields = &field, .field_count = 1};
    struct finds f = {0};
    struct span word = {0};
    uint64_t id = 0;

    (void)state;
    (void)snprintf(text, sizeof(text), "Bearer %s", one);
    (void)snprintf(copy, sizeof(copy), "%s", one);
    field.value = span_str(text);
    check_ok(secret_from(span_of(OTHER, sizeof(OTHER)), &other));
    check_ok(finds_make(key, &ask, &f));
    word = span_sub(span_str(text), strlen("Bearer "), strlen(text));
    check_ok(finds_read(&f, other, word, &id));
    assert_int_equal(id, ONE);
    check_err(finds_read(&f, other, span_str(copy), &id), AG_ENOTFOUND);
    check_err(finds_read(&f, other, span_str(text), &id), AG_ENOTFOUND);
    check_err(finds_read(&f, other, span_sub(word, 0, word.len - 1), &id),
              AG_ENOTFOUND);
    id = 0;
    check_ok(finds_read(&f, key, span_str(copy), &id));
    assert_int_equal(id, ONE);
}

/* Under the same keyring, whatever key is shown; what was no placeholder is
 * read each time. */
static void
test_what_was_read_lately_is_known(void **state)
{
    static const uint8_t OTHER[PLACEHOLDER_KEY_BYTES] = {9};
    AG_AUTO(secret) struct secret *other = NULL;
    AG_AUTO(recent) struct recent *recent = NULL;
    char text[128];
    struct request_field field = {.name = span_str("X-Key")};
    const struct request_ask ask = {
        .path = span_str("/"), .fields = &field, .field_count = 1};
    struct finds f = {0};

    (void)state;
    (void)snprintf(text, sizeof(text), "Bearer %s", one);
    field.value = span_str(text);
    check_ok(secret_from(span_of(OTHER, sizeof(OTHER)), &other));
    check_ok(recent_new(&recent));
    f = (struct finds){.recent = recent, .keyring = 1};
    check_ok(finds_make(other, &ask, &f));
    assert_int_equal(f.count, 0);
    check_ok(finds_make(key, &ask, &f));
    assert_true(f.count == 1 && has(&f, ONE));
    f = (struct finds){.recent = recent, .keyring = 1};
    check_ok(finds_make(other, &ask, &f));
    assert_true(f.count == 1 && has(&f, ONE));
    f = (struct finds){.recent = recent, .keyring = 2};
    check_ok(finds_make(other, &ask, &f));
    assert_int_equal(f.count, 0);
}

/* One of a value of short words: no word of it is one, nor holds its number. */
static void
test_one_with_blanks_in_it(void **state)
{
    AG_AUTO(buf) struct buf made = {0};
    struct finds f;

    (void)state;
    buf_init(&made, 128, BUF_PLAIN);
    check_ok(placeholder_make(
        key, TWO, NULL, span_str("abcd efgh ijkl mnop qrst uvwx 1234 5678 abc"),
        &made));
    f = finds_of("", buf_cstr(&made), "", "");
    assert_true(has(&f, TWO));
}

/* Also behind a user that is longer than placeholders have. */
static void
test_one_that_is_a_password(void **state)
{
    static const size_t USERS[] = {0, 5000, 4};
    static char plain[6000];
    struct request_field field = {.name = span_str("Authorization")};
    const struct request_ask ask = {
        .path = span_str("/"), .fields = &field, .field_count = 1};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(USERS); i++) {
        AG_AUTO(buf) struct buf text = {0};
        struct finds f = {0};

        memset(plain, 'u', USERS[i]);
        (void)snprintf(plain + USERS[i], sizeof(plain) - USERS[i], ":%s", one);
        buf_init(&text, 2 * sizeof(plain), BUF_PLAIN);
        check_ok(buf_add_str(&text, "Basic "));
        check_ok(encode_base64(span_str(plain), &text));
        field.value = buf_view(&text);
        check_ok(finds_make(key, &ask, &f));
        assert_true(has(&f, ONE));
        /* Kept is what is one as a whole; what was decoded is gone. */
        assert_int_equal(f.known_count, i + 1 == AG_COUNT(USERS));
    }
}

/* Whoever the password is of, the user is another word. */
static void
test_a_user_beside_a_password(void **state)
{
    static const char *const SCHEMES[] = {"Basic ", ""};
    char shown[TOKEN_TEXT_BYTES];
    char plain[256];
    struct request_field field = {.name = span_str("X-Auth")};
    const struct request_ask ask = {
        .path = span_str("/"), .fields = &field, .field_count = 1};

    (void)state;
    token_new_text(TOKEN_TASK, shown);
    for (size_t i = 0; i < 2 * AG_COUNT(SCHEMES); i++) {
        AG_AUTO(buf) struct buf text = {0};
        struct finds f = {0};
        bool has_token = i >= AG_COUNT(SCHEMES);

        (void)snprintf(plain, sizeof(plain), "%s:%s", has_token ? shown : two,
                       one);
        buf_init(&text, 512, BUF_PLAIN);
        check_ok(buf_add_str(&text, SCHEMES[i % AG_COUNT(SCHEMES)]));
        check_ok(encode_base64(span_str(plain), &text));
        field.value = buf_view(&text);
        if (has_token) {
            check_err(finds_make(key, &ask, &f), AG_EPLACE);
        } else {
            check_ok(finds_make(key, &ask, &f));
            assert_int_equal(f.count, 2);
            assert_true(has(&f, ONE) && has(&f, TWO));
        }
    }
}

/* The shortest one that is found in a text. */
static void
test_a_short_one_in_a_short_text(void **state)
{
    static const struct profile_shape SHAPE = {
        .prefix = "", .min_len = 18, .max_len = 18, .alphabet = ALPHABET_ALNUM};
    AG_AUTO(buf) struct buf made = {0};
    struct finds f;

    (void)state;
    buf_init(&made, 64, BUF_PLAIN);
    check_ok(placeholder_make(key, TWO, &SHAPE, span_str("a1B2c3D4e5F6g7H8i9"),
                              &made));
    f = finds_of("", buf_cstr(&made), ",", "");
    assert_true(has(&f, TWO));
}

/* ---- as many as there may be ---- */

static enum ag_err
find_many(size_t count, struct finds *ret)
{
    AG_AUTO(buf) struct buf query = {0};
    struct request_ask ask = {.path = span_str("/")};

    buf_init(&query, 4096, BUF_PLAIN);
    for (size_t i = 0; i < count; i++) {
        char text[64];

        make(0x100 + i, text, sizeof(text));
        check_ok(buf_add_str(&query, "&k="));
        check_ok(buf_add_str(&query, text));
    }
    ask.query = buf_view(&query);
    return finds_make(key, &ask, ret);
}

static void
test_a_request_has_not_too_many(void **state)
{
    struct finds most = {0};
    struct finds more = {0};

    (void)state;
    check_ok(find_many(FINDS_MAX_COUNT, &most));
    assert_int_equal(most.count, FINDS_MAX_COUNT);
    check_err(find_many(FINDS_MAX_COUNT + 1, &more), AG_EPLACE);
    assert_non_null(strstr(err_text(AG_EPLACE), "too many placeholders"));
}

/* What is not kept is read again, no more. */
static void
test_only_some_are_kept(void **state)
{
    struct request_field fields[FINDS_KNOWN_MAX_COUNT + 1];
    const struct request_ask ask = {.path = span_str("/"),
                                    .fields = fields,
                                    .field_count = AG_COUNT(fields)};
    struct finds f = {0};
    uint64_t id = 0;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(fields); i++) {
        fields[i] = (struct request_field){span_str("X-Key"), span_str(one)};
    }
    check_ok(finds_make(key, &ask, &f));
    assert_int_equal(f.count, AG_COUNT(fields));
    assert_int_equal(f.known_count, FINDS_KNOWN_MAX_COUNT);
    check_ok(finds_read(&f, key, span_str(one), &id));
    assert_int_equal(id, ONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_ends_a_field_hides_no_other),
        cmocka_unit_test(test_what_was_read_is_not_read_again),
        cmocka_unit_test(test_what_was_read_lately_is_known),
        cmocka_unit_test(test_one_with_blanks_in_it),
        cmocka_unit_test(test_one_that_is_a_password),
        cmocka_unit_test(test_a_user_beside_a_password),
        cmocka_unit_test(test_a_short_one_in_a_short_text),
        cmocka_unit_test(test_a_request_has_not_too_many),
        cmocka_unit_test(test_only_some_are_kept),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
