/* Receipts of a file, held against what they are said to be of. */
#include "common/receipts.h"
#include "common/scratch.h"
#include "receipt_check.h"
#include "receipt_pem.h"

static char receipts[128];
static char in_one[128];
static char in_two[128];
static char out_both[128];
static char one_print[RECEIPT_PRINT_BYTES];
static size_t seen;

static const char *
path_of(const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", scratch.path, name);
    return out;
}

static void
put_file(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text), 0600);
}

/* Two receipts: of "one" that came out as "ONE.", of "two" as "TWO". */
static void
put_receipts(void)
{
    static const char PAIRS[2][2][8] = {{"one", "ONE."}, {"two", "TWO"}};
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf openings = {0};
    char hex[2 * RECEIPT_OPENING_BYTES + 1];

    buf_init(&text, 4 * (size_t)RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    buf_init(&openings, 1024, BUF_PLAIN);
    (void)sodium_bin2hex(hex, sizeof(hex), RECEIPT_OPENING,
                         sizeof(RECEIPT_OPENING));
    for (size_t i = 0; i < 2; i++) {
        AG_AUTO(buf) struct buf line = {0};
        struct receipt *r = receipt_sample(PAIRS[i][0], PAIRS[i][1]);

        buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
        (void)stpcpy(r->subject, "owner/repo#7");
        receipt_line(r, 1, &line);
        receipt_print(r->key, one_print);
        check_ok(buf_fmt(&text, "%s\n", buf_cstr(&line)));
        check_ok(buf_fmt(&openings, "%s\n", hex));
    }
    put_file("r", buf_cstr(&text));
    put_file("r.opening", buf_cstr(&openings));
}

static int
set_up(void **state)
{
    (void)scratch_open(state);
    (void)path_of("r", receipts);
    (void)path_of("one", in_one);
    (void)path_of("two", in_two);
    (void)path_of("out", out_both);
    put_receipts();
    put_file("one", "one");
    put_file("two", "two");
    put_file("out", "ONE.TWO");
    return 0;
}

static enum ag_err
count(void *ctx, const struct receipt *r, const char *line)
{
    size_t *counted = ctx;

    (void)line;
    assert_string_equal(r->subject, "owner/repo#7");
    (*counted)++;
    return AG_OK;
}

static enum ag_err
check(const struct receipt_against *against)
{
    seen = 0;
    return receipt_check_file(receipts, against, count, &seen);
}

static struct receipt_against
all_of_it(void)
{
    return (struct receipt_against){.subject = "owner/repo#7",
                                    .print = one_print,
                                    .inputs = {2, {in_one, in_two}},
                                    .output = out_both};
}

static void
test_what_is_so_holds(void **state)
{
    struct receipt_against against = all_of_it();

    (void)state;
    check_ok(check(&against));
    assert_int_equal(seen, 2);
    against = (struct receipt_against){.subject = NULL};
    check_ok(check(&against));
}

static void
check_changed(const struct receipt_against *against, int fd, off_t at)
{
    char byte = 0;
    char changed = 0;
    enum ag_err err;

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    changed = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &changed, 1, at), 1);
    err = check(against);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    if (err != AG_ERECEIPT && err != AG_ENEWER) {
        fail_msg("byte %ld: %s", (long)at, err_code(err));
    }
}

static void
test_each_changed_byte_of_each_file_is_noticed(void **state)
{
    static const char *const NAMES[] = {"one", "two", "out", "r", "r.opening"};
    const struct receipt_against against = all_of_it();

    (void)state;
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        int fd = openat(scratch.fd, NAMES[i], O_RDWR | O_CLOEXEC);
        struct stat st;

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        for (off_t at = 0; at < st.st_size; at++) {
            check_changed(&against, fd, at);
        }
        (void)close(fd);
    }
    check_ok(check(&against));
}

static void
test_more_and_less_is_noticed(void **state)
{
    struct receipt_against against = all_of_it();

    (void)state;
    put_file("one", "one ");
    check_err(check(&against), AG_ERECEIPT);
    put_file("one", "one");
    put_file("out", "ONE.TWO ");
    check_err(check(&against), AG_ERECEIPT);
    put_file("out", "ONE.TW");
    check_err(check(&against), AG_ERECEIPT);
    put_file("out", "ONE.TWO");
    against.inputs.count = 1;
    check_err(check(&against), AG_ERECEIPT);
    against.inputs.count = 3;
    against.inputs.items[2] = in_two;
    check_err(check(&against), AG_ERECEIPT);
}

/* The same receipts, shown for something else. */
static void
test_a_replay_is_noticed(void **state)
{
    struct receipt_against against = all_of_it();

    (void)state;
    against.subject = "owner/repo#8";
    check_err(check(&against), AG_ERECEIPT);
    against = all_of_it();
    against.inputs.items[0] = in_two;
    against.inputs.items[1] = in_one;
    check_err(check(&against), AG_ERECEIPT);
    against = all_of_it();
    against.output = in_one;
    check_err(check(&against), AG_ERECEIPT);
}

static void
test_another_key_is_noticed(void **state)
{
    struct receipt_against against = all_of_it();
    const uint8_t key[RECEIPT_KEY_BYTES] = {7};
    char print[RECEIPT_PRINT_BYTES];

    (void)state;
    receipt_print(key, print);
    against.print = print;
    check_err(check(&against), AG_ERECEIPT);
}

static void
test_one_that_confesses_is_refused(void **state)
{
    struct receipt_against against = {.subject = NULL};
    struct receipt *r = receipt_sample("one", "ONE.");
    AG_AUTO(buf) struct buf line = {0};

    (void)state;
    buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    r->residual = 1;
    (void)stpcpy(r->subject, "owner/repo#7");
    receipt_line(r, 1, &line);
    put_file("r", buf_cstr(&line));
    check_err(check(&against), AG_ERECEIPT);
    put_receipts();
}

static void
test_files_without_receipts_are_refused(void **state)
{
    static const char *const BAD[] = {"", "\n", "{}\n", "x"};
    struct receipt_against against = {.subject = NULL};
    static char longest[RECEIPT_LINE_MAX_BYTES + 3];

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        put_file("r", BAD[i]);
        check_err(check(&against), AG_ERECEIPT);
    }
    memset(longest, ' ', sizeof(longest) - 1);
    put_file("r", longest);
    check_err(check(&against), AG_ERECEIPT);
    put_receipts();
    check_ok(check(&against));
    /* What stands behind a NUL would be hidden. */
    {
        int fd = openat(scratch.fd, "r", O_RDWR | O_CLOEXEC);
        off_t end = lseek(fd, -1, SEEK_END);

        assert_true(end > 0);
        assert_int_equal(write(fd, "\0more\n", 6), 6);
        (void)close(fd);
    }
    check_err(check(&against), AG_ERECEIPT);
    put_receipts();
}

static void
test_an_opening_has_one_spelling(void **state)
{
    const struct receipt_against against = all_of_it();
    char path[128];
    FILE *file = fopen(path_of("r.opening", path), "r+e");
    int byte = 0;

    (void)state;
    assert_non_null(file);
    while (byte < 'a' || byte > 'f') {
        byte = getc(file);
    }
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    assert_int_equal(putc(byte - 'a' + 'A', file), byte - 'a' + 'A');
    (void)fclose(file);
    check_err(check(&against), AG_ERECEIPT);
    put_receipts();
    check_ok(check(&against));
}

static void
test_a_missing_opening_is_said(void **state)
{
    struct receipt_against against = all_of_it();
    char other[128];

    (void)state;
    assert_int_equal(unlinkat(scratch.fd, "r.opening", 0), 0);
    check_err(check(&against), AG_ENOTFOUND);
    against.inputs.count = 0;
    check_ok(check(&against)); /* without inputs it is not needed */
    put_receipts();
    assert_int_equal(renameat(scratch.fd, "r.opening", scratch.fd, "elsewhere"),
                     0);
    against = all_of_it();
    against.opening = path_of("elsewhere", other);
    check_ok(check(&against));
    put_receipts();
}

static void
test_a_key_is_read_as_it_is_printed(void **state)
{
    const uint8_t key[RECEIPT_KEY_BYTES] = {1, 2, 3};
    char pem[RECEIPT_PEM_BYTES];
    char path[128];
    char want[RECEIPT_PRINT_BYTES];
    char print[RECEIPT_PRINT_BYTES];

    (void)state;
    receipt_pem_put(key, pem);
    receipt_print(key, want);
    put_file("k", pem);
    check_ok(receipt_pem_print(path_of("k", path), print));
    assert_string_equal(print, want);
    check_ok(receipt_pem_print(want, print));
    assert_string_equal(print, want);
    check_err(receipt_pem_print("SHA256:short", print), AG_EINVAL);
    check_err(receipt_pem_print(path_of("none", path), print), AG_ENOTFOUND);
    for (size_t i = 0; i < strlen(pem); i++) {
        bool is_key = true;

        pem[i] ^= 1;
        put_file("k", pem);
        is_key = receipt_pem_print(path_of("k", path), print) == AG_OK;
        assert_false(is_key && strcmp(print, want) == 0);
        pem[i] ^= 1;
    }
    put_file("k", "more\n");
    check_err(receipt_pem_print(path_of("k", path), print), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_so_holds),
        cmocka_unit_test(test_each_changed_byte_of_each_file_is_noticed),
        cmocka_unit_test(test_more_and_less_is_noticed),
        cmocka_unit_test(test_a_replay_is_noticed),
        cmocka_unit_test(test_another_key_is_noticed),
        cmocka_unit_test(test_one_that_confesses_is_refused),
        cmocka_unit_test(test_files_without_receipts_are_refused),
        cmocka_unit_test(test_an_opening_has_one_spelling),
        cmocka_unit_test(test_a_missing_opening_is_said),
        cmocka_unit_test(test_a_key_is_read_as_it_is_printed),
    };

    return cmocka_run_group_tests(tests, set_up, scratch_close);
}
