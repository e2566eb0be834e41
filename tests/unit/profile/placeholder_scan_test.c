/* Placeholders found in text: where they stand, and however it is cut. */
#include "base/buf.h"
#include "common/arena.h"
#include "profile/placeholder.h"
#include "redact/sink.h"

enum {
    HITS_MAX = 16,
    TEXT_MAX_BYTES = 64 * 1024,
};

static struct secret *key;

static int
setup(void **state)
{
    assert_int_equal(arena_set_up(state), 0);
    check_ok(secret_new(32, &key));
    memset(secret_bytes(key), 11, 32);
    return 0;
}

static int
teardown(void **state)
{
    secret_free(key);
    return arena_tear_down(state);
}

struct hits {
    struct placeholder_hit hit[HITS_MAX];
    size_t count;
};

static enum ag_err
note(void *arg, const struct placeholder_hit *hit)
{
    struct hits *hits = arg;

    assert_true(hits->count < HITS_MAX);
    hits->hit[hits->count++] = *hit;
    return AG_OK;
}

static struct hits
scan(struct span text, size_t part)
{
    AG_AUTO(placeholder_scan) struct placeholder_scan *s = NULL;
    struct hits hits = {.count = 0};
    struct sink sink;

    check_ok(placeholder_scan_new(key, note, &hits, &s));
    sink = (struct sink){s, placeholder_scan_feed, placeholder_scan_finish};
    for (size_t at = 0; at < text.len; at += part) {
        check_ok(sink_feed(&sink, span_sub(text, at, part)));
    }
    check_ok(sink_finish(&sink));
    return hits;
}

#define A10 "aB3dE6gH9k"
#define A20 A10 "Qw2eRt5yU8"
#define A30 A20 "zX4cV7bN1m"
#define A40 A30 A10
#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NTUwMDAwMDB9." A40 "abA"

static const struct profile_shape GITHUB = {.prefix = "ghp_",
                                            .min_len = 40,
                                            .max_len = 40,
                                            .alphabet = ALPHABET_ALNUM,
                                            .checksum = CHECKSUM_CRC32_BASE62};
static const struct profile_shape AWS = {.prefix = "AKIA",
                                         .min_len = 20,
                                         .max_len = 20,
                                         .alphabet = ALPHABET_BASE32};
static const struct profile_shape SK = {.prefix = "sk-ant-api03-",
                                        .alphabet = ALPHABET_BASE64URL};
static const struct profile_shape B64 = {.alphabet = ALPHABET_BASE64};
static const struct profile_shape SHORT = {.prefix = "glpat-",
                                           .alphabet = ALPHABET_BASE64URL};

static const struct {
    const struct profile_shape *shape;
    const char *real;
} VALUES[] = {
    {&GITHUB, "ghp_" A30 "123456"},
    {&AWS, "AKIAQ3EGRFQ7ZJX2M5NK"},
    {&SK, "sk-ant-api03-" A40 "-_" A40},
    {&B64, A40 "+/" A20 "ab=="},
    {&SHORT, "glpat-" A10 "12345678"},
    {NULL, JWT},
    {NULL, A40},
    {NULL, "0123456789abcdef0123456789abcdef"},
    {NULL, "7c0ffee1-1234-4abc-9def-0123456789ab"},
    {NULL, "some-words-with_dashes-as-a-passphrase"},
    {NULL, "tok-" A40 "-"},
    {NULL, "tok-" A40 "_-"},
};

static const char *const AROUND[][2] = {
    {"", ""},
    {"token ", "\n"},
    {"Authorization: Bearer ", "\r\n"},
    {"{\"key\":\"", "\"}"},
    {"export KEY=", "; echo"},
    {"https://me:", "@host/path"},
    {"https://host/t/", "/v1/x?y=z"},
    {"'", "'"},
    {"(", ")."},
};

static void
check_found(struct span made, uint64_t id, const char *const *around,
            size_t part)
{
    AG_AUTO(buf) struct buf text = {0};
    size_t at = strlen(around[0]);
    struct hits hits;

    buf_init(&text, TEXT_MAX_BYTES, BUF_PLAIN);
    check_ok(buf_add_str(&text, around[0]));
    check_ok(buf_add(&text, made));
    check_ok(buf_add_str(&text, around[1]));
    hits = scan(buf_view(&text), part);
    if (hits.count != 1) {
        fail_msg("%zu hits in %s", hits.count, buf_cstr(&text));
    }
    assert_true(hits.hit[0].id == id);
    assert_in_range(hits.hit[0].offset, at, at + made.len - 1);
    assert_in_range(hits.hit[0].offset + hits.hit[0].len, at + 1,
                    at + made.len);
}

static void
test_found_wherever_it_stands(void **state)
{
    static const size_t PARTS[] = {1, 2, 3, 7, 16, 33, 100, 4096};

    (void)state;
    for (size_t v = 0; v < AG_COUNT(VALUES); v++) {
        AG_AUTO(buf) struct buf made = {0};

        buf_init(&made, TEXT_MAX_BYTES, BUF_PLAIN);
        check_ok(placeholder_make(key, v + 77, VALUES[v].shape,
                                  span_str(VALUES[v].real), &made));
        for (size_t i = 0; i < AG_COUNT(AROUND) * AG_COUNT(PARTS); i++) {
            check_found(buf_view(&made), v + 77, AROUND[i / AG_COUNT(PARTS)],
                        PARTS[i % AG_COUNT(PARTS)]);
        }
    }
}

/* Two in a row, one behind 100 KiB of other text and within a long word. */
static void
test_several_and_far_away(void **state)
{
    AG_AUTO(buf) struct buf text = {0};
    struct hits hits;
    size_t at;

    (void)state;
    buf_init(&text, (size_t)1024 * 1024, BUF_PLAIN);
    check_ok(
        placeholder_make(key, 1, &GITHUB, span_str(VALUES[0].real), &text));
    check_ok(buf_add_str(&text, " "));
    check_ok(
        placeholder_make(key, 2, &GITHUB, span_str(VALUES[0].real), &text));
    for (size_t i = 0; i < 10000; i++) {
        check_ok(buf_fmt(&text, " word%zu", i));
    }
    check_ok(buf_add_str(&text, "/"));
    at = text.len;
    for (size_t i = 0; i < 1000; i++) {
        check_ok(buf_add_str(&text, "x_"));
    }
    check_ok(placeholder_make(key, 3, NULL, span_str(A40), &text));
    for (size_t part = 1; part < 100000; part *= 3) {
        hits = scan(buf_view(&text), part);
        assert_int_equal(hits.count, 3);
        assert_true(hits.hit[0].id == 1 && hits.hit[0].offset == 0 &&
                    hits.hit[0].len == 40);
        assert_true(hits.hit[1].id == 2 && hits.hit[1].offset == 41);
        assert_true(hits.hit[2].id == 3 && hits.hit[2].offset == at &&
                    hits.hit[2].len == 2040);
    }
}

/* What stands behind one is no part of it, be it of a word. */
static void
test_punctuation_behind_it(void **state)
{
    AG_AUTO(buf) struct buf text = {0};
    struct hits hits;

    (void)state;
    buf_init(&text, TEXT_MAX_BYTES, BUF_PLAIN);
    check_ok(placeholder_make(key, 5, &SK, span_str(VALUES[2].real), &text));
    check_ok(buf_add_str(&text, "_-- "));
    for (size_t part = 1; part < 200; part++) {
        hits = scan(buf_view(&text), part);
        assert_int_equal(hits.count, 1);
        assert_true(hits.hit[0].id == 5);
    }
}

static enum ag_err
stop(void *arg, const struct placeholder_hit *hit)
{
    (void)arg;
    (void)hit;
    return AG_EDENIED;
}

static void
test_the_callee_may_end_it(void **state)
{
    AG_AUTO(placeholder_scan) struct placeholder_scan *s = NULL;
    AG_AUTO(buf) struct buf text = {0};

    (void)state;
    buf_init(&text, TEXT_MAX_BYTES, BUF_PLAIN);
    check_ok(placeholder_make(key, 1, NULL, span_str(A40), &text));
    check_ok(placeholder_scan_new(key, stop, NULL, &s));
    check_ok(placeholder_scan_feed(s, buf_view(&text)));
    check_err(placeholder_scan_finish(s), AG_EDENIED);
}

/* Its own source, a real value and base64 hold none. */
static void
test_other_text_holds_none(void **state)
{
    AG_AUTO(buf) struct buf text = {0};
    uint8_t *to = NULL;
    FILE *f = fopen(AG_SOURCE_DIR "/broker/profile/profile.h", "re");
    struct hits hits;

    (void)state;
    assert_non_null(f);
    buf_init(&text, TEXT_MAX_BYTES, BUF_PLAIN);
    check_ok(buf_room(&text, 32768, &to));
    buf_grew(&text, fread(to, 1, 32768, f));
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0; i < AG_COUNT(VALUES); i++) {
        check_ok(buf_fmt(&text, "%s\n", VALUES[i].real));
    }
    hits = scan(buf_view(&text), 1000);
    assert_int_equal(hits.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_wherever_it_stands),
        cmocka_unit_test(test_several_and_far_away),
        cmocka_unit_test(test_punctuation_behind_it),
        cmocka_unit_test(test_the_callee_may_end_it),
        cmocka_unit_test(test_other_text_holds_none),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
