/* Bodies through the filter process, and sets of many and of large values. */
#include "unit/privsep/filter_rig.h"

enum {
    MANY_VALUES = 10000,
};

/* ---- bodies ---- */

static void
note(void *arg, const struct filter_report *report)
{
    *(uint64_t *)arg = report->hits;
}

static void
check_body(struct fixture *f, const struct filter_options *options,
           const char *in, const char *want, uint64_t want_hits)
{
    AG_AUTO(buf) struct buf out = {0};
    uint64_t hits = 99;

    buf_init(&out, FILTER_BODY_MAX_BYTES, BUF_WIPE);
    check_ok(filter_body(f->filter, span_str(in), options, &out, note, &hits));
    check_span(buf_view(&out), want);
    assert_int_equal(hits, want_hits);
}

static void
test_a_body(void **state)
{
    struct fixture *f = *state;
    const struct filter_options person = {.audience = FILTER_OPERATOR};
    const struct filter_options task = {.audience = FILTER_TASK};
    const struct filter_options plain = {.marker = "***"};
    const struct filter_options bad = {.marker = "%s %d"};
    AG_AUTO(buf) struct buf out = {0};

    buf_init(&out, 64, BUF_PLAIN);
    check_err(filter_body(f->filter, span_str("x"), &person, &out, NULL, NULL),
              AG_ELOCKED);
    load(f, 1, "a", VALUE);
    load(f, 2, "pin", "q7Zk2");
    (void)commit(f);
    check_body(f, &person, "", "", 0);
    check_body(f, &person, "no end " VALUE, "no end [redacted:a]", 1);
    check_body(f, &person, "pin q7Zk2.", "pin [redacted:pin].", 1);
    check_body(f, &task, "pin q7Zk2. " VALUE, "pin q7Zk2. [redacted:a]", 1);
    check_body(f, &plain, VALUE "\n", "***\n", 1);
    check_err(filter_body(f->filter, span_str("x"), &bad, &out, NULL, NULL),
              AG_EINVAL);
    check_err(filter_body(f->filter,
                          span_str("a longer text than its buffer may hold, "
                                   "which is sixty-four bytes and no more"),
                          &person, &out, NULL, NULL),
              AG_ELIMIT);
}

static void
test_a_large_body(void **state)
{
    struct fixture *f = *state;
    const struct filter_options options = {.audience = FILTER_TASK};
    AG_AUTO(buf) struct buf in = {0};
    AG_AUTO(buf) struct buf out = {0};
    uint64_t hits = 0;
    size_t lines = 0;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    buf_init(&in, FILTER_BODY_MAX_BYTES, BUF_PLAIN);
    buf_init(&out, FILTER_BODY_MAX_BYTES, BUF_PLAIN);
    while (in.len + 100 < FILTER_BODY_MAX_BYTES) {
        check_ok(buf_fmt(&in, "line %zu: %s\n", lines++, VALUE));
    }
    check_ok(
        filter_body(f->filter, buf_view(&in), &options, &out, note, &hits));
    assert_int_equal(hits, lines);
    assert_null(memmem(out.ptr, out.len, VALUE, strlen(VALUE)));
    check_ok(buf_add(&in, span_of(in.ptr, 50)));
    assert_int_equal(out.len, in.len - 50 - lines * (40 - 12));
}

/* ---- sizes ---- */

static void
random_value(char *out, uint32_t seed)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
    size_t i;

    memcpy(out, "ghp_", 4);
    for (i = 4; i < 40; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out[i] = ALPHABET[x % 62];
    }
    out[40] = 0;
}

static void
test_ten_thousand_values_fit_the_default_limit(void **state)
{
    struct fixture *f = *state;
    struct filter_stats stats;
    struct stream s;
    char value[64];
    char name[64];
    uint32_t i;

    for (i = 0; i < MANY_VALUES; i++) {
        random_value(value, i);
        (void)snprintf(name, sizeof(name), "team/service-%u", i);
        load(f, i, name, value);
    }
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    random_value(value, MANY_VALUES);
    load(f, MANY_VALUES, "new", value); /* old and new set at once */
    (void)commit(f);
    check_ok(filter_stats(f->filter, &stats));
    print_message("%llu values, %llu forms, %llu KiB locked\n",
                  (unsigned long long)stats.value_count,
                  (unsigned long long)stats.entry_count,
                  (unsigned long long)stats.locked_bytes / 1024);
    assert_int_equal(stats.value_count, MANY_VALUES + 1);
    assert_true(stats.locked_bytes < LOCK_LIMIT_BYTES / 2);
    for (i = 0; i <= MANY_VALUES; i += 1000) {
        random_value(value, i);
        say(&s, value);
        say(&s, "\n");
        (void)snprintf(name, sizeof(name), "[redacted:team/service-%u]\n", i);
        hear(&s, i == MANY_VALUES ? "[redacted:new]\n" : name);
    }
    shut(&s, AG_OK);
}

/* One at a time, replaced and dropped now and then: always what was said. */
static void
test_many_small_commits(void **state)
{
    enum {
        VALUES = 300,
    };
    struct fixture *f = *state;
    const struct filter_options person = {.audience = FILTER_OPERATOR};
    struct filter_stats stats;
    char value[64];
    uint32_t i;

    for (i = 0; i < VALUES; i++) {
        random_value(value, i);
        load(f, i, "before", value);
        assert_int_equal(commit(f), i + 1);
    }
    check_ok(filter_stats(f->filter, &stats));
    assert_int_equal(stats.value_count, VALUES);
    for (i = 0; i < VALUES; i += 50) {
        random_value(value, i);
        check_body(f, &person, value, "[redacted:before]", 1);
        load(f, i, "after", value);
        (void)commit(f);
        check_body(f, &person, value, "[redacted:after]", 1);
        check_ok(filter_drop(f->filter, i));
        (void)commit(f);
        check_body(f, &person, value, value, 0);
    }
    random_value(value, VALUES - 1);
    load(f, 1000000, "twin", value);
    (void)commit(f);
    check_body(f, &person, value, "[redacted:before]", 1);
    check_ok(filter_drop(f->filter, VALUES - 1));
    (void)commit(f);
    check_body(f, &person, value, "[redacted:twin]", 1);
}

/* A value with its fields goes at once, however many fields it had; the one
 * beside it, and one that is loaded anew afterwards, stay. */
static void
test_a_group_is_dropped_whole(void **state)
{
    enum {
        FIELDS = 40,
    };

    static const uint64_t group = 1 << FILTER_GROUP_BITS;
    struct fixture *f = *state;
    const struct filter_options person = {.audience = FILTER_OPERATOR};
    struct filter_stats stats;
    char value[64];
    uint32_t i;

    for (i = 0; i < FIELDS; i++) {
        random_value(value, i);
        load(f, group + i, "one", value);
        random_value(value, FIELDS + i);
        load(f, 2 * group + i, "two", value);
    }
    random_value(value, 0);
    load(f, 3 * group, "twin", value);
    (void)commit(f);
    check_ok(filter_drop_group(f->filter, group + 7));
    (void)commit(f);
    check_ok(filter_stats(f->filter, &stats));
    assert_int_equal(stats.value_count, FIELDS + 1);
    check_body(f, &person, value, "[redacted:twin]", 1);
    random_value(value, 1);
    check_body(f, &person, value, value, 0);
    random_value(value, FIELDS + 1);
    check_body(f, &person, value, "[redacted:two]", 1);
    check_ok(filter_drop_group(f->filter, 2 * group));
    load(f, 2 * group + 1, "again", value);
    (void)commit(f);
    check_body(f, &person, value, "[redacted:again]", 1);
    check_ok(filter_stats(f->filter, &stats));
    assert_int_equal(stats.value_count, 2);
}

/* Tokens without end: the newest are known, memory stays bounded. */
static void
test_spare_values_are_bounded(void **state)
{
    enum {
        TOKENS = 20000,
    };
    struct fixture *f = *state;
    const struct filter_options person = {.audience = FILTER_OPERATOR};
    struct filter_stats stats;
    char value[64];
    uint32_t i;

    load(f, 1, "secret", VALUE);
    (void)commit(f);
    for (i = 0; i < TOKENS; i++) {
        AG_AUTO(secret) struct secret *s = NULL;

        random_value(value, i);
        check_ok(secret_from(span_str(value), &s));
        check_ok(
            filter_load(f->filter, 1000 + i, "token", s, FILTER_LOAD_SPARE));
    }
    (void)commit(f);
    check_ok(filter_stats(f->filter, &stats));
    assert_true(stats.value_count <= 2 * FILTER_SPARE_MAX_COUNT + 1);
    assert_true(stats.locked_bytes < LOCK_LIMIT_BYTES / 4);
    check_body(f, &person, VALUE, "[redacted:secret]", 1);
    random_value(value, TOKENS - FILTER_SPARE_MAX_COUNT);
    check_body(f, &person, value, "[redacted:token]", 1);
    random_value(value, 0);
    check_body(f, &person, value, value, 0);
    for (i = 0; i < TOKENS; i++) {
        check_ok(filter_drop(f->filter, 1000 + i));
    }
    (void)commit(f);
    check_body(f, &person, VALUE, "[redacted:secret]", 1);
}

static void
test_a_value_of_the_largest_size(void **state)
{
    struct fixture *f = *state;
    AG_AUTO(secret) struct secret *big = NULL;
    AG_AUTO(secret) struct secret *larger = NULL;
    AG_AUTO(buf) struct buf out = {0};
    const struct filter_options options = {.audience = FILTER_OPERATOR};
    uint64_t hits = 0;
    size_t i;

    check_ok(secret_new(FILTER_VALUE_MAX_BYTES, &big));
    for (i = 0; i + 40 <= FILTER_VALUE_MAX_BYTES; i += 40) {
        char value[64];

        random_value(value, (uint32_t)i);
        memcpy(secret_bytes(big) + i, value, 40);
    }
    memset(secret_bytes(big) + i, 'z', FILTER_VALUE_MAX_BYTES - i);
    load(f, 1, "small", VALUE);
    check_ok(filter_load(f->filter, 2, "big", big, FILTER_LOAD_PLAIN));
    (void)commit(f);
    buf_init(&out, FILTER_BODY_MAX_BYTES, BUF_PLAIN);
    check_ok(
        filter_body(f->filter, secret_view(big), &options, &out, note, &hits));
    check_span(buf_view(&out), "[redacted:big]");
    assert_int_equal(hits, 1);
    check_ok(secret_new(FILTER_VALUE_MAX_BYTES + 1, &larger));
    check_err(filter_load(f->filter, 3, "larger", larger, FILTER_LOAD_PLAIN),
              AG_ELIMIT);
}

static void *
wipe_meanwhile(void *arg)
{
    struct fixture *f = arg;

    check_ok(filter_wipe(f->filter));
    return NULL;
}

/* A lock in the middle of a body is told as what it is. */
static void
test_a_body_during_a_wipe_is_whole_or_locked(void **state)
{
    enum {
        RUNS = 200,
    };

    static char text[FILTER_BODY_MAX_BYTES];
    struct fixture *f = *state;
    const struct filter_options options = {.audience = FILTER_OPERATOR};

    (void)signal(SIGPIPE, SIG_IGN);
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < RUNS; i++) {
        AG_AUTO(buf) struct buf out = {0};
        pthread_t wiper;
        enum ag_err err;

        load(f, 1, "a", VALUE);
        (void)commit(f);
        buf_init(&out, (size_t)2 * FILTER_BODY_MAX_BYTES, BUF_PLAIN);
        assert_int_equal(pthread_create(&wiper, NULL, wipe_meanwhile, f), 0);
        err = filter_body(f->filter, span_of(text, sizeof(text)), &options,
                          &out, NULL, NULL);
        assert_int_equal(pthread_join(wiper, NULL), 0);
        if (err != AG_OK) {
            check_err(err, AG_ELOCKED);
        } else {
            assert_int_equal(out.len, sizeof(text));
        }
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_a_body),
        RIG_ROW(test_a_large_body),
        RIG_ROW(test_ten_thousand_values_fit_the_default_limit),
        RIG_ROW(test_many_small_commits),
        RIG_ROW(test_a_group_is_dropped_whole),
        RIG_ROW(test_spare_values_are_bounded),
        RIG_ROW(test_a_value_of_the_largest_size),
        RIG_ROW(test_a_body_during_a_wipe_is_whole_or_locked),
    };
    int ret = 0;

    if (rig_is_helper(argc, argv, &ret)) {
        return ret;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
