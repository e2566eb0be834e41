/* Compiled rules from a file: what is no such file is refused, with its name. */
// LINKS: redact
#include <fcntl.h>
#include <unistd.h>

#include "common/rules.h"
#include "common/scratch.h"

static const char RULES[] =
    "{\"rules\":1,\"group\":\"x\",\"title\":\"X\",\"items\":["
    "{\"id\":\"token\",\"service\":\"X\",\"description\":\"d\","
    "\"source\":\"s\",\"regex\":\"tt_[a-z0-9]{36}\",\"until\":\"end\","
    "\"gate\":\"run\",\"keywords\":[\"tt_\",\"t_\"],\"tail\":\"a-z0-9\","
    "\"allow\":[\"^tt_a\"],"
    "\"examples\":[\"«tt_0123456789abcdefghijklmnopqrstuvwxyz»\"],"
    "\"negatives\":[\"y\"]}]}";

static struct buf pack;

static int
begin(void **state)
{
    struct rule_book *book = NULL;

    buf_init(&pack, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    check_ok(rule_book_load_one(span_str(RULES), "x.json", &book));
    check_ok(rule_compile(book, RULE_LEVEL_DEFAULT, &pack));
    rule_book_free(book);
    return scratch_open(state);
}

static int
end(void **state)
{
    buf_done(&pack);
    return scratch_close(state);
}

static void
write_file(size_t len, mode_t mode)
{
    scratch_write("default.rules", pack.ptr, len, mode);
}

static enum ag_err
load(void)
{
    const struct rule_source source = {.dir = scratch.path,
                                       .level = RULES_DEFAULT};
    AG_AUTO(rule_set) struct rule_set *set = NULL;
    enum ag_err err = rule_set_load(&source, &set);

    if (err == AG_OK) {
        assert_int_equal(rule_set_count(set), 1);
        assert_string_equal(rule_set_at(set, 0)->id, "token");
        assert_string_equal(rule_set_at(set, 0)->service, "X");
        check_span(rule_set_at(set, 0)->until, "end");
        check_span(rule_set_at(set, 0)->keywords[1], "t_");
        assert_string_equal(rule_set_at(set, 0)->allow[0], "^tt_a");
    } else {
        assert_null(set);
    }
    return err;
}

static void
test_a_file_is_loaded(void **state)
{
    (void)state;
    check_err(load(), AG_ENOTFOUND);
    write_file(pack.len, 0644);
    check_ok(load());
}

static void
test_what_others_may_write_is_refused(void **state)
{
    (void)state;
    write_file(pack.len, 0664);
    check_err(load(), AG_EMODE);
    write_file(pack.len, 0646);
    check_err(load(), AG_EMODE);
    write_file(pack.len, 0600);
    check_ok(load());
    assert_int_equal(renameat(scratch.fd, "default.rules", scratch.fd, "other"),
                     0);
    assert_int_equal(symlinkat("other", scratch.fd, "default.rules"), 0);
    assert_int_not_equal(load(), AG_OK);
    assert_int_equal(unlinkat(scratch.fd, "default.rules", 0), 0);
    assert_int_equal(mkdirat(scratch.fd, "default.rules", 0700), 0);
    check_err(load(), AG_EMODE);
    assert_int_equal(unlinkat(scratch.fd, "default.rules", AT_REMOVEDIR), 0);
}

static void
test_a_damaged_file_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < pack.len; len += len < 400 ? 1 : 97) {
        write_file(len, 0600);
        check_err(load(), AG_ECORRUPT);
    }
    for (size_t i = 0; i < 8; i++) {
        pack.ptr[i] ^= 1;
        write_file(pack.len, 0600);
        pack.ptr[i] ^= 1;
        check_err(load(), AG_ECORRUPT);
    }
    write_file(pack.len, 0600);
    check_ok(load());
}

/* The last but the databases are ten numbers and three classes of bytes. */
static void
test_a_gate_that_is_none_is_refused(void **state)
{
    const char last[] = "^tt_a";
    uint8_t *at = memmem(pack.ptr, pack.len, last, strlen(last));

    (void)state;
    assert_non_null(at);
    at += strlen(last) + (size_t)9 * 4;
    assert_int_equal(*at, RULE_GATE_RUN);
    *at = RULE_GATE_COUNT;
    write_file(pack.len, 0600);
    check_err(load(), AG_ECORRUPT);
    *at = RULE_GATE_COUNT - 1;
    write_file(pack.len, 0600);
    check_ok(load());
    *at = RULE_GATE_RUN;
}

/* Where the length of the last database is. */
static size_t
last_length_at(void)
{
    AG_AUTO(rule_pack) struct rule_pack *p = NULL;
    struct span gated;

    check_ok(rule_pack_read(buf_view(&pack), &p));
    gated = rule_pack_parts(p).gated;
    assert_true(gated.len > 0);
    return (size_t)(gated.ptr - pack.ptr) - 4;
}

/* A gate without the database, and the database without a gate. */
static void
test_a_gate_is_of_what_is_in_the_second_database(void **state)
{
    const char last[] = "^tt_a";
    uint8_t *gate = memmem(pack.ptr, pack.len, last, strlen(last));
    size_t at = last_length_at();
    uint8_t len[4];

    (void)state;
    assert_non_null(gate);
    gate += strlen(last) + (size_t)9 * 4;
    *gate = RULE_GATE_NONE;
    write_file(pack.len, 0600);
    check_err(load(), AG_ECORRUPT);
    memcpy(len, pack.ptr + at, sizeof(len));
    memset(pack.ptr + at, 0, sizeof(len));
    write_file(at + sizeof(len), 0600);
    check_ok(load());
    *gate = RULE_GATE_RUN;
    write_file(at + sizeof(len), 0600);
    check_err(load(), AG_ECORRUPT);
    memcpy(pack.ptr + at, len, sizeof(len));
    write_file(pack.len, 0600);
    check_ok(load());
}

static void
test_a_file_has_a_limit(void **state)
{
    int fd;

    (void)state;
    write_file(pack.len, 0600);
    fd = openat(scratch.fd, "default.rules", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, RULE_PACK_MAX_BYTES), 0);
    check_err(load(), AG_ECORRUPT);
    assert_int_equal(ftruncate(fd, (off_t)RULE_PACK_MAX_BYTES + 1), 0);
    check_err(load(), AG_ELIMIT);
    assert_int_equal(close(fd), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_loaded),
        cmocka_unit_test(test_what_others_may_write_is_refused),
        cmocka_unit_test(test_a_damaged_file_is_refused),
        cmocka_unit_test(test_a_gate_that_is_none_is_refused),
        cmocka_unit_test(test_a_gate_is_of_what_is_in_the_second_database),
        cmocka_unit_test(test_a_file_has_a_limit),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
