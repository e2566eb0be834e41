/* Answers in each coding, cut anywhere: the same text, or none. */
#include "common/coded.h"

#define TEXT "{\"key\": \"sk-0123456789abcdefghijklmn\"}\n"

#define MIB ((size_t)1024 * 1024)

static void
check_undone(const char *names, struct span coded, const char *want)
{
    for (size_t part = 1; part <= coded.len; part++) {
        AG_AUTO(buf) struct buf out = {0};

        buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
        check_ok(coded_undo(names, coded, part, &out));
        check_span(buf_view(&out), want);
    }
    assert_int_equal(atomic_load(&coded_memory.used_bytes), 0);
}

static void
check_refused(const char *names, struct span coded)
{
    for (size_t part = 1; part <= coded.len;
         part += part < 64 ? 1 : coded.len) {
        AG_AUTO(buf) struct buf out = {0};

        buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
        check_err(coded_undo(names, coded, part, &out), AG_EENCODED);
    }
    assert_int_equal(atomic_load(&coded_memory.used_bytes), 0);
}

static void
test_names(void **state)
{
    static const struct {
        const char *list;
        size_t count; /* 9: refused */
    } CASES[] = {
        {"gzip", 1},
        {"X-GZip", 1},
        {"deflate", 1},
        {"zstd", 1},
        {"identity", 0},
        {"", 0},
        {" gzip\t, zstd ", 2},
        {"gzip,identity", 1},
        {", ,gzip,", 1},
        {"br", 9},
        {"compress", 9},
        {"aws-chunked", 9},
        {"gzip;q=1", 9},
        {"gzip zstd", 9},
        {"gzipp", 9},
        {"gzi", 9},
        {"gzip, br", 9},
        {"gzip, gzip, gzip", 9},
        {"*", 9},
        {"dcb", 9},
        {"zstd\n", 9},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(CASES); i++) {
        struct decode_codings all = {0};
        enum ag_err err = decode_read_codings(span_str(CASES[i].list), &all);

        check_err(err, CASES[i].count == 9 ? AG_EENCODED : AG_OK);
        if (err == AG_OK) {
            assert_int_equal(all.count, CASES[i].count);
        } else {
            assert_null(strstr(err_text(err), "br"));
        }
    }
}

/* Two fields are one list, in the order they stand in. */
static void
test_names_of_two_fields(void **state)
{
    struct decode_codings all = {0};

    (void)state;
    check_ok(decode_read_codings(span_str("zstd"), &all));
    check_ok(decode_read_codings(span_str("gzip"), &all));
    assert_int_equal(all.count, 2);
    assert_int_equal(all.at[0], DECODE_ZSTD);
    assert_int_equal(all.at[1], DECODE_GZIP);
    check_err(decode_read_codings(span_str("deflate"), &all), AG_EENCODED);
}

static void
test_each_coding_in_any_parts(void **state)
{
    (void)state;
    for (int form = 0; form < CODED_FORM_COUNT; form++) {
        AG_AUTO(buf) struct buf coded = {0};
        AG_AUTO(buf) struct buf none = {0};

        buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
        buf_init(&none, CODED_MAX_BYTES, BUF_PLAIN);
        coded_add((enum coded_form)form, span_str(TEXT), &coded);
        coded_add((enum coded_form)form, span_str(""), &none);
        check_undone(coded_name((enum coded_form)form), buf_view(&coded), TEXT);
        check_undone(coded_name((enum coded_form)form), buf_view(&none), "");
    }
}

static void
test_two_codings(void **state)
{
    (void)state;
    for (int inner = 0; inner < CODED_FORM_COUNT; inner++) {
        for (int outer = 0; outer < CODED_FORM_COUNT; outer++) {
            AG_AUTO(buf) struct buf once = {0};
            AG_AUTO(buf) struct buf twice = {0};
            char names[32];

            buf_init(&once, CODED_MAX_BYTES, BUF_PLAIN);
            buf_init(&twice, CODED_MAX_BYTES, BUF_PLAIN);
            coded_add((enum coded_form)inner, span_str(TEXT), &once);
            coded_add((enum coded_form)outer, buf_view(&once), &twice);
            (void)snprintf(names, sizeof(names), "%s, %s",
                           coded_name((enum coded_form)inner),
                           coded_name((enum coded_form)outer));
            check_undone(names, buf_view(&twice), TEXT);
            for (size_t len = 1; len < twice.len; len++) {
                check_refused(names, span_sub(buf_view(&twice), 0, len));
            }
        }
    }
}

/* An answer without a body says all the same how it would be encoded. */
static void
test_nothing_at_all_is_whole(void **state)
{
    static const char *const NAMES[] = {"gzip", "deflate", "zstd",
                                        "gzip, zstd"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        AG_AUTO(buf) struct buf out = {0};

        buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
        check_ok(coded_undo(NAMES[i], (struct span){0}, 1, &out));
        assert_int_equal(out.len, 0);
    }
}

/* The outer coding is whole, of what it holds there is nothing. */
static void
test_an_inner_coding_that_is_not_there(void **state)
{
    AG_AUTO(buf) struct buf coded = {0};

    (void)state;
    buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
    coded_add(CODED_GZIP, span_str(""), &coded);
    check_refused("zstd, gzip", buf_view(&coded));
}

static void
test_members_and_frames_follow_one_another(void **state)
{
    static const uint8_t SKIPPED[] = {0x5a, 0x2a, 0x4d, 0x18, 3, 0,
                                      0,    0,    1,    2,    3};

    (void)state;
    for (int form = 0; form < CODED_FORM_COUNT; form++) {
        AG_AUTO(buf) struct buf coded = {0};
        const char *name = coded_name((enum coded_form)form);

        buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
        coded_add((enum coded_form)form, span_str(TEXT), &coded);
        coded_add((enum coded_form)form, span_str(""), &coded);
        coded_add((enum coded_form)form, span_str("more"), &coded);
        if (form == CODED_ZSTD) {
            check_ok(buf_add(&coded, span_of(SKIPPED, sizeof(SKIPPED))));
        }
        if (form == CODED_GZIP || form == CODED_ZSTD) {
            check_undone(name, buf_view(&coded), TEXT "more");
        } else {
            check_refused(name, buf_view(&coded));
        }
    }
}

static void
test_what_breaks_off_or_goes_on(void **state)
{
    static const char *const BEHIND[] = {"x", "\n", "<html>", "(\xb5/"};

    (void)state;
    for (int form = 0; form < CODED_FORM_COUNT; form++) {
        AG_AUTO(buf) struct buf coded = {0};
        const char *name = coded_name((enum coded_form)form);
        size_t whole = 0;

        buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
        coded_add((enum coded_form)form, span_str(TEXT), &coded);
        whole = coded.len;
        for (size_t len = 1; len < whole; len++) {
            check_refused(name, span_sub(buf_view(&coded), 0, len));
        }
        for (size_t i = 0; i < AG_COUNT(BEHIND); i++) {
            check_ok(buf_add_str(&coded, BEHIND[i]));
            check_refused(name, buf_view(&coded));
            coded.len = whole;
        }
        check_ok(buf_add_byte(&coded, 0));
        check_refused(name, buf_view(&coded));
    }
}

/* Checksums are looked at: a turned bit is none of the text, or an error. */
static void
test_what_is_not_what_it_says(void **state)
{
    static const char *const TEXTS[] = {
        "not really",      "\x1f\x8bnot really",   "{\"plain\": 1}",
        "\x28\xb5\x2f",    "\x25\xb5\x2f\xfd old", "\x1e\xb5\x2f\xfd older",
        "\x78\xbbxxxxdict"};
    static const char *const NAMES[] = {"gzip", "deflate", "zstd"};
    const struct decode_codings codings = {.at = {DECODE_ZSTD}, .count = 1};
    AG_AUTO(decode) struct decode *d = NULL;
    AG_AUTO(buf) struct buf coded = {0};
    struct span old = span_str("\x25");
    struct span out = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(TEXTS); i++) {
        for (size_t k = 0; k < AG_COUNT(NAMES); k++) {
            check_refused(NAMES[k], span_str(TEXTS[i]));
        }
    }
    /* The first byte is enough: the library is not asked what it knows. */
    check_ok(decode_new(&codings, &coded_memory, &d));
    check_err(decode_next(d, &old, &out), AG_EENCODED);
    decode_free(AG_TAKE(d));
    buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
    coded_add(CODED_GZIP, span_str(TEXT), &coded);
    coded.ptr[coded.len - 6] ^= 1; /* of the CRC */
    check_refused("gzip", buf_view(&coded));
}

/* ---- how much ---- */

static struct span
zeros(size_t len)
{
    static uint8_t *all;

    if (all == NULL) {
        all = calloc(1, (size_t)CODED_MAX_BYTES);
        assert_non_null(all);
    }
    return span_of(all, len);
}

static void
check_size(enum coded_form form, size_t len, bool passes)
{
    AG_AUTO(buf) struct buf coded = {0};
    AG_AUTO(buf) struct buf out = {0};

    buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
    coded_add(form, zeros(len), &coded);
    check_err(coded_undo(coded_name(form), buf_view(&coded), 1000, &out),
              passes ? AG_OK : AG_EENCODED);
    if (passes) {
        assert_int_equal(out.len, len);
    } else {
        /* Nor was it let out before it was noticed. */
        assert_true(out.len <=
                    DECODE_FREE_BYTES + DECODE_RATIO_MAX * coded.len);
    }
}

static void
test_a_thousandfold_is_refused_beyond_a_mebibyte(void **state)
{
    (void)state;
    check_size(CODED_GZIP, MIB, true);
    check_size(CODED_ZSTD, MIB, true);
    check_size(CODED_GZIP, 31 * MIB, true); /* 1028 times, and the first MiB */
    check_size(CODED_ZSTD, 2 * MIB, false);
    check_size(CODED_ZSTD, 31 * MIB, false);
}

/* What lies between two codings counts: it is work, though nothing comes out. */
static void
test_a_thousandfold_in_the_middle_is_refused(void **state)
{
    AG_AUTO(buf) struct buf frames = {0};
    AG_AUTO(buf) struct buf coded = {0};
    AG_AUTO(buf) struct buf out = {0};
    static const uint8_t SKIPPED[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0xf0, 1};

    (void)state;
    buf_init(&frames, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
    check_ok(buf_add(&frames, span_of(SKIPPED, sizeof(SKIPPED))));
    check_ok(buf_add(&frames, zeros(31 * MIB)));
    coded_add(CODED_ZSTD, buf_view(&frames), &coded);
    check_err(coded_undo("zstd, zstd", buf_view(&coded), 1000, &out),
              AG_EENCODED);
    assert_int_equal(out.len, 0);
}

static void
test_windows(void **state)
{
    AG_AUTO(buf) struct buf largest = {0};
    AG_AUTO(buf) struct buf larger = {0};

    (void)state;
    buf_init(&largest, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&larger, CODED_MAX_BYTES, BUF_PLAIN);
    coded_window(23, TEXT, &largest);
    coded_window(24, TEXT, &larger);
    check_undone("zstd", buf_view(&largest), TEXT);
    check_refused("zstd", buf_view(&larger));
}

/* An event that is longer than what is given at once. */
static void
flush_zstd(ZSTD_CCtx *c, struct span text, struct buf *out)
{
    uint8_t part[4096];
    ZSTD_inBuffer in = {.src = text.ptr, .size = text.len};
    ZSTD_outBuffer to = {.dst = part, .size = sizeof(part)};

    assert_int_equal(ZSTD_compressStream2(c, &to, &in, ZSTD_e_flush), 0);
    check_ok(buf_add(out, span_of(part, to.pos)));
}

static void
flush_gzip(z_stream *z, struct span text, struct buf *out)
{
    uint8_t part[4096];

    z->next_in = (Bytef *)(uintptr_t)text.ptr;
    z->avail_in = (uInt)text.len;
    z->next_out = part;
    z->avail_out = sizeof(part);
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    check_ok(buf_add(out, span_of(part, sizeof(part) - z->avail_out)));
}

/* It comes out at once, whatever comes later. */
static void
check_flushed(enum decode_coding coding, struct span text)
{
    const struct decode_codings codings = {.at = {coding}, .count = 1};
    AG_AUTO(decode) struct decode *d = NULL;
    AG_AUTO(buf) struct buf coded = {0};
    AG_AUTO(buf) struct buf out = {0};
    ZSTD_CCtx *c = ZSTD_createCCtx();
    z_stream z = {0};

    assert_non_null(c);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
    buf_init(&coded, CODED_MAX_BYTES, BUF_PLAIN);
    buf_init(&out, CODED_MAX_BYTES, BUF_PLAIN);
    check_ok(decode_new(&codings, &coded_memory, &d));
    for (int i = 0; i < 3; i++) {
        coded.len = 0;
        out.len = 0;
        if (coding == DECODE_ZSTD) {
            flush_zstd(c, text, &coded);
        } else {
            flush_gzip(&z, text, &coded);
        }
        check_ok(coded_feed(d, buf_view(&coded), &out));
        assert_true(span_equal(buf_view(&out), text));
    }
    check_err(decode_finish(d), AG_EENCODED);
    (void)deflateEnd(&z);
    (void)ZSTD_freeCCtx(c);
}

static void
test_what_is_flushed_is_there(void **state)
{
    (void)state;
    check_flushed(DECODE_GZIP, span_str("data: 1\n\n"));
    check_flushed(DECODE_ZSTD, span_str("data: 1\n\n"));
    check_flushed(DECODE_GZIP, zeros(100000));
    check_flushed(DECODE_ZSTD, zeros(100000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_of_two_fields),
        cmocka_unit_test(test_each_coding_in_any_parts),
        cmocka_unit_test(test_two_codings),
        cmocka_unit_test(test_nothing_at_all_is_whole),
        cmocka_unit_test(test_an_inner_coding_that_is_not_there),
        cmocka_unit_test(test_members_and_frames_follow_one_another),
        cmocka_unit_test(test_what_breaks_off_or_goes_on),
        cmocka_unit_test(test_what_is_not_what_it_says),
        cmocka_unit_test(test_a_thousandfold_is_refused_beyond_a_mebibyte),
        cmocka_unit_test(test_a_thousandfold_in_the_middle_is_refused),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_what_is_flushed_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
