/* A stream that is only searched: where hits are, and not a byte of the text. */
#include "unit/privsep/filter_rig.h"

enum {
    FAR_BYTES = 200 * 1024, /* several reads */
};

static void
open_places(struct fixture *f, struct stream *s, enum filter_audience audience)
{
    const struct filter_options options = {.audience = audience,
                                           .places = true};

    check_ok(try_open(f, s, &options));
}

static void
test_places_in_the_text(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    open_places(f, &s, FILTER_OPERATOR);
    say(&s, "one " VALUE "\ntwo " BASE64 "\nand");
    fd_close(s.in);
    s.in = -1;
    hear(&s, "4 raw github/bot\n49 base64 github/bot\n");
    hear_end(&s);
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 2);
    assert_int_equal(s.rows, 2);
}

static void
test_a_task_is_not_told_whose_value(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    open_places(f, &s, FILTER_TASK);
    say(&s, VALUE "\n");
    fd_close(s.in);
    s.in = -1;
    hear(&s, "0 raw -\n");
    hear_end(&s);
    shut(&s, AG_OK);
}

/* The value comes in two pieces with a pause between them, which in a text that
 * is passed on would let a part of it out. */
static void
test_a_pause_hides_nothing(void **state)
{
    struct fixture *f = *state;
    struct pollfd pfd = {.events = POLLIN};
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    open_places(f, &s, FILTER_OPERATOR);
    say(&s, "x ghp_38aIBnYYURLgfB0eKJkwreH");
    pfd.fd = s.out;
    assert_int_equal(poll(&pfd, 1, 200), 0);
    say(&s, "BIgJLVHKtP3sk");
    fd_close(s.in);
    s.in = -1;
    hear(&s, "2 raw github/bot\n");
    hear_end(&s);
    shut(&s, AG_OK);
}

static void
test_far_into_a_text(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(FAR_BYTES + 1);
    struct stream s;

    assert_non_null(text);
    memset(text, '.', FAR_BYTES);
    text[FAR_BYTES] = '\0';
    load(f, 7, "github/bot", VALUE);
    (void)commit(f);
    open_places(f, &s, FILTER_OPERATOR);
    say(&s, text);
    say(&s, VALUE);
    fd_close(s.in);
    s.in = -1;
    hear(&s, "204800 raw github/bot\n");
    hear_end(&s);
    shut(&s, AG_OK);
    assert_int_equal(s.bytes_out, strlen("204800 raw github/bot\n"));
    free(text);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_places_in_the_text),
        RIG_ROW(test_a_task_is_not_told_whose_value),
        RIG_ROW(test_a_pause_hides_nothing),
        RIG_ROW(test_far_into_a_text),
    };
    int ret = 0;

    if (rig_is_helper(argc, argv, &ret)) {
        return ret;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
