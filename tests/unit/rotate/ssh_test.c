/* The rotator of SSH keys: what it makes a new key of, and what it refuses. */
#include <sodium.h>

#include "base/buf.h"
#include "common/arena.h"
#include "crypt/armour.h"
#include "crypt/sshkey.h"
#include "rotate/rotator.h"
#include "wire/json.h"

static const struct rotator *ssh;

static int
setup(void **state)
{
    assert_int_equal(arena_set_up(state), 0);
    check_ok(rotator_find("ssh", &ssh));
    return 0;
}

static void
check_params(const char *text, enum ag_err want)
{
    AG_AUTO(wjson) json_t *params = NULL;

    check_ok(wjson_parse(span_str(text), 1024, &params));
    check_err(ssh->check(params), want);
}

static void
test_it_takes_a_program_and_nothing_else(void **state)
{
    (void)state;
    check_params("{\"program\":\"install\"}", AG_OK);
    check_params("{}", AG_EINVAL);
    check_params("{\"program\":\"../install\"}", AG_EINVAL);
    check_params("{\"program\":\"install\",\"length\":32}", AG_EINVAL);
    check_params("{\"program\":\"install\",\"generate\":true}", AG_EINVAL);
}

static struct secret *
key_with(const char *comment, const char *tail)
{
    static const uint8_t SEED[SSHKEY_SEED_BYTES] = {7, 7, 7};
    AG_AUTO(buf) struct buf text = {0};
    struct secret *value = NULL;

    buf_init(&text, ARMOUR_MAX_BYTES, BUF_WIPE);
    check_ok(sshkey_add(SEED, SEED, span_str(comment), &text));
    check_ok(buf_add(&text, span_str(tail)));
    check_ok(secret_from(buf_view(&text), &value));
    return value;
}

static void
test_a_new_key_has_the_comment_and_the_end_of_the_old(void **state)
{
    static const char *const TAILS[] = {"", "\n", "\r\n"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(TAILS); i++) {
        AG_AUTO(secret) struct secret *old = key_with("me@home", TAILS[i]);
        AG_AUTO(secret) struct secret *one = NULL;
        AG_AUTO(secret) struct secret *two = NULL;
        AG_AUTO(sshkey) struct sshkey was = {0};
        AG_AUTO(sshkey) struct sshkey is = {0};
        struct span text;

        check_ok(ssh->make_from(old, &one));
        check_ok(ssh->make_from(old, &two));
        assert_false(secret_equal(one, two));
        check_ok(sshkey_open(secret_view(old), &was));
        text = secret_view(one);
        check_ok(sshkey_open(text, &is));
        check_span(is.comment, "me@home");
        assert_false(span_equal(was.seed, is.seed));
        assert_false(span_equal(was.public, is.public));
        assert_int_equal(text.len - armour_trim(text).len, strlen(TAILS[i]));
    }
}

static void
check_not_made(const struct secret *old)
{
    struct secret *made = NULL;

    check_err(ssh->make_from(old, &made), AG_EINVAL);
    assert_null(made);
}

static void
test_what_is_no_such_key_is_refused(void **state)
{
    AG_AUTO(secret) struct secret *word = NULL;
    AG_AUTO(secret) struct secret *lines = key_with("a\nb", "");

    (void)state;
    check_ok(secret_from(span_str("hunter2hunter2"), &word));
    check_not_made(word);
    check_not_made(lines);
}

/* The three places where a file has the public half. */
static void
test_a_public_half_of_another_key_is_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        AG_AUTO(secret) struct secret *whole = key_with("c", "");
        AG_AUTO(secret) struct secret *value = NULL;
        AG_AUTO(sshkey) struct sshkey key = {0};
        AG_AUTO(buf) struct buf text = {0};
        const uint8_t *at = NULL;
        uint8_t *der = NULL;

        check_ok(sshkey_open(secret_view(whole), &key));
        assert_true(sshkey_is_pair(&key));
        at = which == 0   ? key.public.ptr
             : which == 1 ? key.behind.ptr
                          : key.outside.ptr + key.outside.len - 1;
        der = secret_bytes(key.der);
        der[at - der] ^= 1;
        buf_init(&text, ARMOUR_MAX_BYTES, BUF_WIPE);
        check_ok(
            armour_add("OPENSSH PRIVATE KEY", 70, secret_view(key.der), &text));
        check_ok(secret_from(buf_view(&text), &value));
        check_not_made(value);
        assert_non_null(strstr(err_text(AG_EINVAL), "public half"));
    }
}

/* It would be begun, and could be neither done nor undone. */
static void
test_a_comment_that_can_not_be_told_is_refused(void **state)
{
    char text[258];
    AG_AUTO(secret) struct secret *latin = key_with("caf\xe9", "");
    AG_AUTO(secret) struct secret *most = NULL;
    AG_AUTO(secret) struct secret *more = NULL;
    AG_AUTO(secret) struct secret *made = NULL;

    (void)state;
    memset(text, '"', sizeof(text));
    text[257] = '\0';
    more = key_with(text, "");
    text[256] = '\0';
    most = key_with(text, "");
    check_not_made(latin);
    check_not_made(more);
    check_ok(ssh->make_from(most, &made));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_takes_a_program_and_nothing_else),
        cmocka_unit_test(test_a_new_key_has_the_comment_and_the_end_of_the_old),
        cmocka_unit_test(test_what_is_no_such_key_is_refused),
        cmocka_unit_test(test_a_public_half_of_another_key_is_refused),
        cmocka_unit_test(test_a_comment_that_can_not_be_told_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, arena_tear_down);
}
