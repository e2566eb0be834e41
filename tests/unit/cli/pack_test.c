/* gzip and zstd: there and back, in parts, damaged, too much of it. */
#include "base/fdx.h"
#include "common/transcripts.h"
#include "transcript/kind.h"
#include "transcript/pack.h"
#include "transcript/packed.h"

static const enum pack_kind KINDS[] = {PACK_GZIP, PACK_ZSTD};

static int
open_file(const char *name, int flags)
{
    int fd = openat(scratch.fd, name, flags | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* Appends what `from` has, packed, to `to`. */
static void
pack(enum pack_kind kind, const char *from, const char *to)
{
    int src = open_file(from, O_RDONLY);
    int dst = open_file(to, O_WRONLY | O_CREAT | O_APPEND);

    check_ok(pack_load(kind));
    check_ok(pack_close(kind, src, dst));
    assert_int_equal(close(src), 0);
    assert_int_equal(close(dst), 0);
}

static enum ag_err
unpack(enum pack_kind kind, const char *from, const char *to)
{
    int src = open_file(from, O_RDONLY);
    int dst = open_file(to, O_WRONLY | O_CREAT | O_TRUNC);
    enum ag_err err = pack_open(kind, src, dst);

    assert_int_equal(close(src), 0);
    assert_int_equal(close(dst), 0);
    return err;
}

static void
remove_all(void)
{
    static const char *const NAMES[] = {"text", "packed", "back", "cut"};

    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        (void)unlinkat(scratch.fd, NAMES[i], 0);
    }
}

static void
test_there_and_back_in_several_members(void **state)
{
    static char big[200 * 1000];

    (void)state;
    for (size_t i = 0; i + 8 < sizeof(big); i += 8) {
        (void)snprintf(big + i, 9, "%08zx", i * i * 2654435761U % 0xffffffffU);
    }
    for (size_t i = 0; i < AG_COUNT(KINDS); i++) {
        uint8_t head[16];
        size_t len = 0;
        int fd;

        remove_all();
        scratch_write("text", big, strlen(big), 0600);
        pack(KINDS[i], "text", "packed");
        scratch_write("text", "the end", 7, 0600);
        pack(KINDS[i], "text", "packed");
        check_ok(unpack(KINDS[i], "packed", "back"));
        assert_int_equal(strlen(transcript_read(scratch.fd, "back")),
                         strlen(big) + 7);
        assert_memory_equal(transcript_text, big, strlen(big));
        assert_string_equal(transcript_text + strlen(big), "the end");
        fd = open_file("packed", O_RDONLY);
        assert_int_equal(pack_kind_of(fd), KINDS[i]);
        check_ok(pack_peek(KINDS[i], fd, head, sizeof(head), &len));
        assert_int_equal(len, sizeof(head));
        assert_memory_equal(head, big, sizeof(head));
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
        assert_int_equal(close(fd), 0);
    }
}

static void
test_what_is_cut_damaged_or_followed_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(KINDS); i++) {
        size_t len;
        int fd;

        remove_all();
        scratch_write("text", "some text of it", 15, 0600);
        pack(KINDS[i], "text", "packed");
        (void)transcript_read(scratch.fd, "packed");
        fd = open_file("packed", O_RDONLY);
        len = (size_t)lseek(fd, 0, SEEK_END);
        assert_int_equal(close(fd), 0);
        for (size_t cut = 4; cut < len; cut++) {
            scratch_write("cut", transcript_text, cut, 0600);
            check_err(unpack(KINDS[i], "cut", "back"), AG_ECORRUPT);
        }
        transcript_text[len - 6] ^= 1; /* its checksum */
        transcript_text[len - 2] ^= 1;
        scratch_write("cut", transcript_text, len, 0600);
        check_err(unpack(KINDS[i], "cut", "back"), AG_ECORRUPT);
        transcript_text[len - 6] ^= 1;
        transcript_text[len - 2] ^= 1;
        memcpy(transcript_text + len, "more", 4);
        scratch_write("cut", transcript_text, len + 4, 0600);
        check_err(unpack(KINDS[i], "cut", "back"), AG_ECORRUPT);
    }
}

static void
test_a_bomb_is_refused(void **state)
{
    static const uint8_t zeros[64 * 1024];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(KINDS); i++) {
        int fd;

        remove_all();
        fd = open_file("text", O_WRONLY | O_CREAT);
        for (size_t n = 0; n <= PACK_SMALL_BYTES / sizeof(zeros); n++) {
            check_ok(fd_write_all(fd, span_of(zeros, sizeof(zeros))));
        }
        assert_int_equal(close(fd), 0);
        pack(KINDS[i], "text", "packed");
        check_err(unpack(KINDS[i], "packed", "back"), AG_ELIMIT);
        /* Well before the end. */
        fd = open_file("back", O_RDONLY);
        assert_true(lseek(fd, 0, SEEK_END) <= PACK_SMALL_BYTES);
        assert_int_equal(close(fd), 0);
    }
}

static void
check_kind(const char *name, enum kind want)
{
    enum kind kind = KIND_EMPTY;
    enum pack_kind packing = PACK_NONE;
    int fd = open_file(name, O_RDONLY);

    check_ok(kind_of(fd, &kind, &packing));
    assert_int_equal(kind, want);
    assert_int_equal(close(fd), 0);
}

static void
test_what_is_text(void **state)
{
    (void)state;
    scratch_write("text", "abc\n", 4, 0600);
    check_kind("text", KIND_TEXT);
    scratch_write("text", "", 0, 0600);
    check_kind("text", KIND_EMPTY);
    scratch_write("text", "a\0c\n", 4, 0600);
    check_kind("text", KIND_BINARY);
    pack(PACK_ZSTD, "text", "packed");
    check_kind("packed", KIND_BINARY);
    scratch_write("text",
                  "\xff\xfe"
                  "a\0",
                  4, 0600);
    check_kind("text", KIND_TEXT);
    remove_all();
    scratch_write("text", "abc\n", 4, 0600);
    pack(PACK_GZIP, "text", "packed");
    check_kind("packed", KIND_TEXT);
}

static enum ag_err
fail_pass(void *ctx, const char *name, int src_fd, int dst_fd, json_t **ret)
{
    (void)ctx;
    (void)name;
    (void)src_fd;
    (void)dst_fd;
    (void)ret;
    return err_why(AG_EFILTER, "it is gone");
}

/* Its threads end with it, however much there would have been. */
static void
test_a_filter_between(void **state)
{
    struct passage passage = {.run = transcript_pass};
    struct passage broken = {.run = fail_pass};
    struct packed text = {.kind = PACK_NONE};
    json_t *report = NULL;

    (void)state;
    for (size_t i = 0; i < AG_COUNT(KINDS); i++) {
        remove_all();
        scratch_write("text", "a " TRANSCRIPT_VALUE, 14, 0600);
        pack(KINDS[i], "text", "packed");
        text.kind = KINDS[i];
        text.src_fd = open_file("packed", O_RDONLY);
        text.dst_fd = open_file("cut", O_WRONLY | O_CREAT);
        check_ok(packed_run(&passage, "x", &text, &report));
        assert_int_equal(json_integer_value(json_object_get(report, "hits")),
                         1);
        json_decref(report);
        check_ok(unpack(KINDS[i], "cut", "back"));
        assert_string_equal(transcript_read(scratch.fd, "back"), "a [x]");
        assert_int_equal(lseek(text.src_fd, 0, SEEK_SET), 0);
        check_err(packed_run(&broken, "x", &text, &report), AG_EFILTER);
        assert_string_equal(err_text(AG_EFILTER), "it is gone");
        assert_int_equal(close(text.src_fd), 0);
        assert_int_equal(close(text.dst_fd), 0);
    }
}

int
main(void)
{
#define TEST(fn)                                                               \
    cmocka_unit_test_setup_teardown(fn, scratch_open, scratch_close)
    const struct CMUnitTest tests[] = {
        TEST(test_there_and_back_in_several_members),
        TEST(test_what_is_cut_damaged_or_followed_is_refused),
        TEST(test_a_bomb_is_refused),
        TEST(test_what_is_text),
        TEST(test_a_filter_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
