/* Placeholders of private keys: what OpenSSH and OpenSSL make of them. */
#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "common/arena.h"
#include "profile/placeholder.h"

static const uint64_t ID = 0x123456789abc;

static char dir[] = "/tmp/ag-key-XXXXXX";
static struct secret *key;

static int
run(const char *command)
{
    return system(command); // NOLINT(cert-env33-c): a test, its own directory
}

static int
setup(void **state)
{
    assert_int_equal(arena_set_up(state), 0);
    check_ok(secret_new(32, &key));
    memset(secret_bytes(key), 3, 32);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    return 0;
}

static int
teardown(void **state)
{
    assert_int_equal(chdir("/"), 0);
    secret_free(key);
    (void)rmdir(dir);
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
spill(const char *name, struct span text)
{
    FILE *f = fopen(name, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, 0600), 0);
}

/* The placeholder of the key in the file `real`, in the file `made`. */
static void
make(struct buf *out)
{
    AG_AUTO(buf) struct buf real = {0};
    uint64_t id = 0;

    slurp("real", &real);
    buf_init(out, 16384, BUF_PLAIN);
    check_ok(placeholder_make(key, ID, NULL, buf_view(&real), out));
    check_ok(placeholder_read(key, buf_view(out), &id));
    assert_true(id == ID);
    check_err(placeholder_read(key, buf_view(&real), &id), AG_ENOTFOUND);
    assert_false(span_equal(buf_view(out), buf_view(&real)));
    spill("made", buf_view(out));
}

/* A changed letter in the key or its comment is noticed. */
static void
check_each_change(struct buf *text)
{
    uint64_t id = 0;

    for (size_t i = 0; i < text->len; i++) {
        uint8_t was = text->ptr[i];

        text->ptr[i] = was == 'A' ? 'B' : 'A';
        if (i + 1 < text->len) {
            check_err(placeholder_read(key, buf_view(text), &id), AG_ENOTFOUND);
        }
        text->ptr[i] = was;
    }
}

static void
test_openssh_reads_its_format(void **state)
{
    static const char *const COMMENTS[] = {
        "me@host", "", "a longer comment, with words and =signs= in it"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(COMMENTS); i++) {
        AG_AUTO(buf) struct buf out = {0};
        AG_AUTO(buf) struct buf public = {0};
        char command[256];

        (void)snprintf(command, sizeof(command),
                       "ssh-keygen -q -t ed25519 -N '' -C '%s' -f real",
                       COMMENTS[i]);
        assert_int_equal(run(command), 0);
        make(&out);
        check_each_change(&out);
        assert_int_equal(run("ssh-keygen -y -P '' -f made > made.pub"), 0);
        slurp("made.pub", &public);
        assert_true(span_starts(buf_view(&public), span_str("ssh-ed25519 ")));
        assert_non_null(strstr(buf_cstr(&public), COMMENTS[i]));
        assert_int_not_equal(run("cmp -s made.pub real.pub"), 0);
        /* and it signs */
        assert_int_equal(run("ssh-keygen -q -Y sign -n t -f made < made.pub "
                             "> sig 2>&1"),
                         0);
        assert_int_equal(run("rm real real.pub made made.pub sig"), 0);
    }
}

static void
test_openssl_reads_pkcs8(void **state)
{
    AG_AUTO(buf) struct buf out = {0};

    (void)state;
    assert_int_equal(run("openssl genpkey -algorithm ed25519 -out real"), 0);
    make(&out);
    check_each_change(&out);
    assert_int_equal(run("openssl pkey -in made -noout"), 0);
    assert_int_equal(run("rm real made"), 0);
}

static void
check_refused(const char *command)
{
    AG_AUTO(buf) struct buf real = {0};
    AG_AUTO(buf) struct buf out = {0};

    assert_int_equal(run(command), 0);
    slurp("real", &real);
    buf_init(&out, 16384, BUF_PLAIN);
    check_err(placeholder_make(key, ID, NULL, buf_view(&real), &out),
              AG_EUNSUPPORTED);
    assert_int_equal(out.len, 0);
    assert_int_equal(run("rm -f real real.pub"), 0);
}

static void
test_other_keys_have_none(void **state)
{
    (void)state;
    check_refused("ssh-keygen -q -t rsa -b 2048 -N '' -f real");
    check_refused("ssh-keygen -q -t ecdsa -N '' -f real");
    check_refused("ssh-keygen -q -t ed25519 -N 'long enough' -f real");
    check_refused("openssl genpkey -algorithm rsa -out real 2>/dev/null");
    check_refused("openssl genpkey -algorithm x25519 -out real");
}

/* Cut anywhere, and with lengths that lie, it is refused and read nowhere
 * else. */
static void
test_broken_keys(void **state)
{
    AG_AUTO(buf) struct buf real = {0};

    (void)state;
    assert_int_equal(
        run("ssh-keygen -q -t ed25519 -N '' -C c -f real && rm real.pub"), 0);
    slurp("real", &real);
    for (size_t i = 11; i < real.len - 1; i++) {
        AG_AUTO(buf) struct buf out = {0};
        uint64_t id = 0;

        buf_init(&out, 16384, BUF_PLAIN);
        check_err(placeholder_make(key, ID, NULL,
                                   span_sub(buf_view(&real), 0, i), &out),
                  AG_EUNSUPPORTED);
        check_err(placeholder_read(key, span_sub(buf_view(&real), 0, i), &id),
                  AG_ENOTFOUND);
    }
    assert_int_equal(run("rm real"), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openssh_reads_its_format),
        cmocka_unit_test(test_openssl_reads_pkcs8),
        cmocka_unit_test(test_other_keys_have_none),
        cmocka_unit_test(test_broken_keys),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
