/* Private keys as OpenSSH keeps them: what ssh-keygen makes is read, and it
 * reads what is made here. */
#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "base/buf.h"
#include "common/arena.h"
#include "crypt/armour.h"
#include "crypt/sshkey.h"

static char dir[] = "/tmp/ag-sshkey-XXXXXX";

static int
run(const char *command)
{
    return system(command); // NOLINT(cert-env33-c): a test, its own directory
}

static int
setup(void **state)
{
    assert_int_equal(arena_set_up(state), 0);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(run("ssh-keygen -q -t ed25519 -N '' -C 'me at home' -f a; "
                         "ssh-keygen -q -t ed25519 -N secret -f locked; "
                         "ssh-keygen -q -t ecdsa -N '' -f other; "
                         "ssh-keygen -q -t ed25519 -N '' -C '' -f bare"),
                     0);
    return 0;
}

static int
teardown(void **state)
{
    assert_int_equal(run("rm -f a a.pub locked locked.pub other other.pub bare "
                         "bare.pub made made.pub"),
                     0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(dir), 0);
    return arena_tear_down(state);
}

static void
slurp(const char *name, struct buf *out)
{
    FILE *f = fopen(name, "re");
    uint8_t *to = NULL;

    assert_non_null(f);
    buf_init(out, 16384, BUF_PLAIN);
    check_ok(buf_room(out, 8192, &to));
    buf_grew(out, fread(to, 1, 8192, f));
    assert_int_equal(fclose(f), 0);
}

static void
open_file(const char *name, struct sshkey *ret)
{
    AG_AUTO(buf) struct buf text = {0};

    slurp(name, &text);
    check_ok(sshkey_open(buf_view(&text), ret));
}

static void
check_line(const char *name, const char *public)
{
    AG_AUTO(sshkey) struct sshkey key = {0};
    AG_AUTO(buf) struct buf line = {0};
    AG_AUTO(buf) struct buf want = {0};

    open_file(name, &key);
    slurp(public, &want);
    buf_init(&line, SSHKEY_LINE_MAX_BYTES, BUF_PLAIN);
    check_ok(sshkey_line(&key, &line));
    check_ok(buf_add_byte(&line, '\n'));
    check_span(buf_view(&line), buf_cstr(&want));
}

static void
test_the_public_line_is_as_in_the_file_beside(void **state)
{
    (void)state;
    check_line("a", "a.pub");
}

static void
test_without_a_comment_nothing_follows_the_key(void **state)
{
    AG_AUTO(sshkey) struct sshkey key = {0};
    AG_AUTO(buf) struct buf line = {0};

    (void)state;
    open_file("bare", &key);
    buf_init(&line, SSHKEY_LINE_MAX_BYTES, BUF_PLAIN);
    check_ok(sshkey_line(&key, &line));
    assert_int_equal(line.len, 80); /* ssh-ed25519, a blank, 68 of base64 */
}

/* OpenSSH derives the public half anew, and finds the comment. */
static void
test_openssh_reads_what_is_made(void **state)
{
    static const uint8_t SEED[SSHKEY_SEED_BYTES] = {1, 2, 3};
    static const uint8_t CHECK[SSHKEY_CHECK_BYTES] = {9, 9, 9, 9};
    AG_AUTO(buf) struct buf text = {0};
    FILE *f = NULL;

    (void)state;
    buf_init(&text, ARMOUR_MAX_BYTES, BUF_WIPE);
    check_ok(sshkey_add(SEED, CHECK, span_str("new one"), &text));
    check_ok(buf_add_byte(&text, '\n'));
    assert_int_equal(umask(077) & 0, 0);
    f = fopen("made", "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(run("ssh-keygen -y -f made >made.pub"), 0);
    check_line("made", "made.pub");
    assert_int_equal(run("grep -q 'new one$' made.pub"), 0);
}

static void
check_refused(const char *name, enum ag_err want)
{
    AG_AUTO(sshkey) struct sshkey key = {0};
    AG_AUTO(buf) struct buf text = {0};

    slurp(name, &text);
    check_err(sshkey_open(buf_view(&text), &key), want);
    assert_null(key.der);
}

static void
test_other_keys_are_told_apart(void **state)
{
    (void)state;
    check_refused("locked", AG_EUNSUPPORTED);
    check_refused("other", AG_EUNSUPPORTED);
    check_refused("a.pub", AG_EINVAL);
}

/* Whatever is cut off or turned over is refused, or a key; nothing is read past
 * its end (asan). */
static void
test_damaged_files_are_refused(void **state)
{
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err = AG_OK;

    (void)state;
    slurp("a", &text);
    for (size_t i = 0; i < text.len; i++) {
        AG_AUTO(sshkey) struct sshkey cut = {0};
        AG_AUTO(sshkey) struct sshkey turned = {0};
        uint8_t was = text.ptr[i];

        if (i < text.len - 1) { /* without its newline it is whole */
            check_err(sshkey_open(span_of(text.ptr, i), &cut), AG_EINVAL);
        }
        text.ptr[i] = was == 'A' ? 'B' : 'A';
        err = sshkey_open(buf_view(&text), &turned);
        assert_true(err == AG_OK || err == AG_EINVAL || err == AG_EUNSUPPORTED);
        text.ptr[i] = was;
    }
}

static void
test_a_comment_that_is_no_line_is_not_told(void **state)
{
    static const uint8_t NUMBERS[SSHKEY_SEED_BYTES] = {1};
    AG_AUTO(sshkey) struct sshkey key = {0};
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(buf) struct buf line = {0};

    (void)state;
    buf_init(&text, ARMOUR_MAX_BYTES, BUF_WIPE);
    buf_init(&line, SSHKEY_LINE_MAX_BYTES, BUF_PLAIN);
    check_ok(sshkey_add(NUMBERS, NUMBERS, span_str("a\nssh-ed25519 AAAA evil"),
                        &text));
    check_ok(sshkey_open(buf_view(&text), &key));
    check_err(sshkey_line(&key, &line), AG_EINVAL);
    assert_int_equal(line.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_public_line_is_as_in_the_file_beside),
        cmocka_unit_test(test_without_a_comment_nothing_follows_the_key),
        cmocka_unit_test(test_openssh_reads_what_is_made),
        cmocka_unit_test(test_other_keys_are_told_apart),
        cmocka_unit_test(test_damaged_files_are_refused),
        cmocka_unit_test(test_a_comment_that_is_no_line_is_not_told),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
