/* What the filter vouches for: hashes of what it read and wrote, the set, and
 * what a second look at the output finds. */
#include <sodium.h>

#include "unit/privsep/filter_rig.h"

static struct filter_vouch vouch;
static bool has_vouch;

static void
on_vouched(void *arg, const struct filter_report *report)
{
    has_vouch = report->vouch != NULL;
    if (has_vouch) {
        vouch = *report->vouch;
    }
    on_end(arg, report);
}

static void
open_vouched_as(struct fixture *f, struct stream *s, const char *marker,
                enum format format)
{
    struct filter_route route = {
        .options = {.vouch = true, .marker = marker, .format = format},
        .ended = on_vouched,
        .arg = s};
    int in[2];
    int out[2];

    memset(s, 0, sizeof(*s));
    has_vouch = false;
    (void)sem_init(&s->ended, 0, 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    route.src_fd = in[0];
    route.dst_fd = out[1];
    check_ok(filter_stream(f->filter, &route, &s->id));
    fd_close(in[0]);
    fd_close(out[1]);
    s->in = in[1];
    s->out = out[0];
}

static void
open_vouched(struct fixture *f, struct stream *s, const char *marker)
{
    open_vouched_as(f, s, marker, STREAM_TEXT);
}

static void
check_hash(const uint8_t *got, const char *text)
{
    uint8_t want[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(want, (const uint8_t *)text, strlen(text));
    assert_memory_equal(got, want, sizeof(want));
}

static void
test_both_sides_are_hashed_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    uint64_t epoch = 0;

    load(f, 1, "github/bot", VALUE);
    epoch = commit(f);
    open_vouched(f, &s, NULL);
    say(&s, "a " VALUE);
    hear(&s, "a [redacted:github/bot]");
    say(&s, " b");
    fd_close(s.in);
    hear(&s, " b");
    s.in = -1;
    shut(&s, AG_OK);
    assert_true(has_vouch);
    check_hash(vouch.in_sha256, "a " VALUE " b");
    check_hash(vouch.out_sha256, "a [redacted:github/bot] b");
    assert_int_equal(s.bytes_in, strlen("a " VALUE " b"));
    assert_int_equal(vouch.residual, 0);
    assert_int_equal(vouch.first_epoch, epoch);
    assert_int_equal(vouch.last_epoch, epoch);
    assert_int_equal(vouch.value_count, 1);
    assert_int_equal(vouch.rule_count, 0);
}

/* A marker that brings what the filter itself has let out. */
static void
test_a_second_look_finds_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "github/bot", VALUE);
    load(f, 2, "other", "name-of-a-secret-31415926");
    (void)commit(f);
    open_vouched(f, &s, "<name-of-a-secret-31415926>");
    say(&s, "a " VALUE " b " VALUE "\n");
    hear(&s, "a <name-of-a-secret-31415926> b <name-of-a-secret-31415926>\n");
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 2);
    assert_int_equal(vouch.residual, 2);
}

static void
test_a_set_is_known_by_its_values(void **state)
{
    struct fixture *f = *state;
    uint8_t first[FILTER_HASH_BYTES];
    uint64_t epoch = 0;
    struct stream s;

    load(f, 1, "github/bot", VALUE);
    load(f, 2, "other", "another-value-31415926");
    epoch = commit(f);
    open_vouched(f, &s, NULL);
    shut(&s, AG_OK);
    memcpy(first, vouch.set_digest, sizeof(first));
    /* In another order, and with a token beside them. */
    check_ok(filter_drop(f->filter, 1));
    (void)commit(f);
    open_vouched(f, &s, NULL);
    load(f, 1, "github/bot", VALUE);
    {
        AG_AUTO(secret) struct secret *token = NULL;

        check_ok(secret_from(span_str("token-of-a-task-2718281828"), &token));
        check_ok(filter_load(f->filter, 1ULL << 63, "auth-guard/token", token,
                             FILTER_LOAD_SPARE));
    }
    (void)commit(f);
    shut(&s, AG_OK);
    assert_memory_equal(first, vouch.set_digest, sizeof(first));
    assert_int_equal(vouch.value_count, 2);
    /* It was begun with one set and ended with another. */
    assert_int_equal(vouch.first_epoch, epoch + 1);
    assert_int_equal(vouch.last_epoch, epoch + 2);
    load(f, 2, "other", "another-value-31415927");
    (void)commit(f);
    open_vouched(f, &s, NULL);
    shut(&s, AG_OK);
    assert_memory_not_equal(first, vouch.set_digest, sizeof(first));
}

static void
test_what_did_not_end_well_is_not_vouched_for(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "github/bot", VALUE);
    (void)commit(f);
    open_vouched(f, &s, NULL);
    check_ok(filter_cancel(f->filter, s.id));
    shut(&s, AG_EREVOKED);
    assert_false(has_vouch);
    check_ok(try_open(f, &s, NULL));
    shut(&s, AG_OK);
    assert_false(has_vouch); /* it was not asked for */
}

/* Larger than any buffer, by pieces that fit none. */
static void
test_a_long_text_is_hashed_whole(void **state)
{
    enum {
        LINES = 20000,
    };

    static const char LINE[] = "a line of a text without secrets\n";
    struct fixture *f = *state;
    crypto_hash_sha256_state hash;
    uint8_t want[crypto_hash_sha256_BYTES];
    struct stream s;

    load(f, 1, "github/bot", VALUE);
    (void)commit(f);
    (void)crypto_hash_sha256_init(&hash);
    open_vouched(f, &s, NULL);
    for (int i = 0; i < LINES; i++) {
        say(&s, LINE);
        hear(&s, LINE);
        (void)crypto_hash_sha256_update(&hash, (const uint8_t *)LINE,
                                        strlen(LINE));
    }
    (void)crypto_hash_sha256_final(&hash, want);
    shut(&s, AG_OK);
    assert_memory_equal(vouch.in_sha256, want, sizeof(want));
    assert_memory_equal(vouch.out_sha256, want, sizeof(want));
}

/* Escaped as JSON may: found and gone, and both sides hashed as they were. */
static void
test_records_are_vouched_for(void **state)
{
    static const char IN[] =
        "{\"a\":\"\\u0067hp_38aIBnYYURLgfB0eKJkwreHBIgJLVHKtP3sk\"}\n";
    static const char OUT[] = "{\"a\":\"[redacted:github/bot]\"}\n";
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "github/bot", VALUE);
    (void)commit(f);
    open_vouched_as(f, &s, NULL, STREAM_JSONL);
    say(&s, IN);
    hear(&s, OUT);
    shut(&s, AG_OK);
    assert_true(has_vouch);
    check_hash(vouch.in_sha256, IN);
    check_hash(vouch.out_sha256, OUT);
    assert_int_equal(s.hits, 1);
    assert_int_equal(vouch.residual, 0);
}

#define DELTA(text) "{\"item_id\":\"i\",\"delta\":\"" text "\"}\n"

/* A value that is whole only where the parts are read as one text: what the
 * marker of the first makes of it the second look finds, as that format. */
static void
test_the_second_look_is_as_the_first(void **state)
{
    static const char IN[] = DELTA("a " VALUE) DELTA("sc-3141 b");
    static const char OUT[] = DELTA("a nm-of-a-") DELTA("sc-3141 b");
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "github/bot", VALUE);
    load(f, 2, "other", "nm-of-a-sc-3141");
    (void)commit(f);
    open_vouched_as(f, &s, "nm-of-a-", STREAM_JSONL);
    say(&s, IN);
    fd_close(s.in);
    s.in = -1;
    hear(&s, OUT);
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 1);
    assert_int_equal(vouch.residual, 1);
}

/* No string of a record has the value, and yet who reads the text does. */
static void
test_what_reaches_over_strings_is_left(void **state)
{
    static const char TEXT[] = "{\"pin\":\"4821\",\"user\":\"ann-Q7z\"}\n";
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "github/bot", "\"4821\",\"user\":\"ann-Q7z\"");
    (void)commit(f);
    open_vouched_as(f, &s, NULL, STREAM_JSONL);
    say(&s, TEXT);
    hear(&s, TEXT);
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 0);
    assert_int_equal(vouch.residual, 1);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_both_sides_are_hashed_as_they_were),
        RIG_ROW(test_a_second_look_finds_what_is_left),
        RIG_ROW(test_a_set_is_known_by_its_values),
        RIG_ROW(test_what_did_not_end_well_is_not_vouched_for),
        RIG_ROW(test_a_long_text_is_hashed_whole),
        RIG_ROW(test_records_are_vouched_for),
        RIG_ROW(test_the_second_look_is_as_the_first),
        RIG_ROW(test_what_reaches_over_strings_is_left),
    };
    int code = 0;

    if (rig_is_helper(argc, argv, &code)) {
        return code;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
