/* The filter as a process of its own: sets, streams, how they end, and what
 * is left when it is killed. */
#include "unit/privsep/filter_rig.h"

/* ---- streams ---- */

static void
test_a_stream_is_redacted_and_reported(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    assert_int_equal(commit(f), 1);
    check_ok(try_open(f, &s, NULL));
    say(&s, "one " VALUE "\n");
    hear(&s, "one [redacted:github/bot]\n");
    say(&s, "two " VALUE "\nthree " BASE64 "\n");
    hear(&s, "two [redacted:github/bot]\nthree [redacted:github/bot]w==\n");
    fd_close(s.in);
    s.in = -1;
    hear_end(&s);
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 3);
    assert_int_equal(s.rows, 2);
    assert_int_equal(s.row_id, 7);
    assert_string_equal(s.row_name, "github/bot");
    assert_string_equal(s.row_form, "raw");
    assert_int_equal(s.row_count, 2);
    assert_int_equal(s.row_offset, 4);
    assert_int_equal(s.bytes_in, 4 + 40 + 1 + 4 + 40 + 1 + 6 + 56 + 1);
}

static void
test_without_a_set_nothing_passes(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    check_err(try_open(f, &s, NULL), AG_ELOCKED);
    fd_close(s.in);
    fd_close(s.out);
    assert_int_equal(commit(f), 1); /* of an empty vault */
    check_ok(try_open(f, &s, NULL));
    say(&s, "text\n");
    hear(&s, "text\n");
    shut(&s, AG_OK);
}

static void
test_a_wipe_ends_streams_and_forgets(void **state)
{
    struct fixture *f = *state;
    struct filter_stats stats;
    struct stream s;
    struct stream late;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "before ghp_38aIBnYYURLgfB0e"); /* held: it may go on */
    hear(&s, "before ");
    check_ok(filter_wipe(f->filter));
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_ELOCKED);
    check_err(try_open(f, &late, NULL), AG_ELOCKED);
    fd_close(late.in);
    fd_close(late.out);
    fd_close(s.in);
    fd_close(s.out);
    check_ok(filter_stats(f->filter, &stats));
    assert_int_equal(stats.epoch, 0);
    assert_int_equal(stats.value_count, 0);
    load(f, 2, "b", VALUE);
    assert_int_equal(commit(f), 2);
    check_ok(try_open(f, &s, NULL));
    say(&s, VALUE "\n");
    hear(&s, "[redacted:b]\n");
    shut(&s, AG_OK);
}

static void
test_a_commit_holds_for_live_streams(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    uint64_t epoch;

    epoch = commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, VALUE "\n");
    hear(&s, VALUE "\n");
    load(f, 1, "late", VALUE);
    assert_int_equal(commit(f), epoch + 1);
    assert_int_equal(commit(f), epoch + 1);
    say(&s, VALUE "\n");
    hear(&s, "[redacted:late]\n");
    check_ok(filter_drop(f->filter, 1));
    load(f, 2, "other", "another-Value-5519");
    (void)commit(f);
    say(&s, VALUE " another-Value-5519\n");
    hear(&s, VALUE " [redacted:other]\n");
    load(f, 2, "renamed", "another-Value-5519");
    load(f, 2, "replaced", "third+Value+8841");
    (void)commit(f);
    say(&s, "another-Value-5519 third+Value+8841\n");
    hear(&s, "another-Value-5519 [redacted:replaced]\n");
    shut(&s, AG_OK);
}

static void
test_held_bytes_meet_the_next_set(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "first", "ABCDEFGH-first-12345");
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "x ABCDEFGH-");
    hear(&s, "x ");
    load(f, 2, "second", "ABCDEFGH-second-678");
    (void)commit(f);
    say(&s, "second-678\n");
    /* A quarter may have been shown if the machine was slow: 20 ms. */
    fd_close(s.in);
    s.in = -1;
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_OK);
    assert_int_equal(s.hits, 1);
    assert_string_equal(s.row_name, "second");
    fd_close(s.out);
}

static void
test_idle_shows_at_most_a_quarter(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "$ ghp_38aIBnY");
    hear(&s, "$ ghp_38aIBn"); /* 10 of 40 characters, without more input */
    say(&s, "YURLgfB0eKJkwreHBIgJLVHKtP3sk\n");
    hear(&s, "[redacted:a]\n");
    shut(&s, AG_OK);
}

static void
test_hits_are_told_while_a_stream_runs(void **state)
{
    const struct filter_options task = {.audience = FILTER_TASK};
    struct fixture *f = *state;
    struct stream s;
    struct stream person;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &person, NULL));
    say(&person, VALUE "\n");
    hear(&person, "[redacted:a]\n");
    wait_sem(&person.told); /* a task's output is read by a person too */
    shut(&person, AG_OK);
    check_ok(try_open(f, &s, &task));
    say(&s, "no hit\n");
    hear(&s, "no hit\n");
    assert_int_equal(sem_trywait(&s.told), -1);
    say(&s, VALUE "\n" VALUE "\n");
    wait_sem(&s.told);
    assert_int_equal(s.hits_so_far, 2);
    /* At once or, without more input, a little later; each but once. */
    say(&s, VALUE "\n");
    while (s.hits_so_far < 3) {
        wait_sem(&s.told);
    }
    assert_int_equal(s.hits_so_far, 3);
    hear(&s, "[redacted:a]\n[redacted:a]\n[redacted:a]\n");
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 3);
    assert_int_equal(sem_trywait(&s.told), -1);
}

/* ---- ends ---- */

static void
test_cancel_while_waiting_for_input(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    check_ok(filter_cancel(f->filter, s.id));
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EREVOKED);
    hear_end(&s);
    check_ok(filter_cancel(f->filter, s.id));
    fd_close(s.in);
    fd_close(s.out);
}

static void
test_cancel_and_commit_while_the_reader_sleeps(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    char block[4096];
    struct filter_stats stats;

    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    memset(block, 'x', sizeof(block));
    check_ok(fd_set_nonblock(s.in, true));
    for (;;) { /* until both pipes are full and the thread is stuck */
        struct pollfd pfd = {.fd = s.in, .events = POLLOUT};

        if (poll(&pfd, 1, 50) == 0) {
            break;
        }
        (void)!write(s.in, block, sizeof(block));
    }
    load(f, 1, "a", VALUE);
    (void)commit(f); /* must not wait for the sleeper */
    check_ok(filter_stats(f->filter, &stats));
    assert_int_equal(stats.stream_count, 1);
    check_ok(filter_cancel(f->filter, s.id));
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EREVOKED);
    fd_close(s.in);
    fd_close(s.out);
}

static void
test_a_reader_that_goes_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    fd_close(s.out);
    say(&s, "nobody reads this\n");
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EIO);
    fd_close(s.in);
}

static void
test_a_killed_helper_lets_nothing_through(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    uint64_t epoch;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "text ghp_38aIBnYYURLgfB0eKJkwreHBIgJLVHKtP3");
    hear(&s, "text ");
    assert_int_equal(kill(filter_pid(f->filter), SIGKILL), 0);
    wait_sem(&f->died);
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EFILTER);
    assert_false(filter_is_alive(f->filter));
    check_err(filter_commit(f->filter, &epoch), AG_EFILTER);
    check_err(try_open(f, &(struct stream){.in = -1}, NULL), AG_EFILTER);
    fd_close(s.in);
    /* At most the quarter of an idle value, never the rest. */
    {
        char rest[64] = {0};
        ssize_t n = read(s.out, rest, sizeof(rest) - 1);

        assert_true(n >= 0 && n <= 10);
        assert_memory_equal(rest, VALUE, (size_t)n);
        hear_end(&s);
    }
    fd_close(s.out);
}

static void
test_a_terminal_ends_with_its_last_user(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    struct filter_route route = {.ended = on_end, .arg = &s};
    int out[2];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int slave;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    memset(&s, 0, sizeof(s));
    (void)sem_init(&s.ended, 0, 0);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    route.src_fd = master;
    route.dst_fd = out[1];
    check_ok(filter_stream(f->filter, &route, &s.id));
    fd_close(out[1]);
    s.out = out[0];
    assert_int_equal(fcntl(master, F_GETFL) & O_NONBLOCK, 0);
    check_ok(fd_write_all(slave, span_str("tty " VALUE "\n")));
    hear(&s, "tty [redacted:a]\r\n");
    fd_close(slave);
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_OK);
    hear_end(&s);
    fd_close(master);
    fd_close(s.out);
}

static void
test_only_so_many_streams(void **state)
{
    struct fixture *f = *state;
    static struct stream s[FILTER_STREAMS_MAX_COUNT + 1];
    size_t i;

    (void)commit(f);
    for (i = 0; i < FILTER_STREAMS_MAX_COUNT; i++) {
        check_ok(try_open(f, &s[i], NULL));
    }
    check_err(try_open(f, &s[i], NULL), AG_ELIMIT);
    fd_close(s[i].in);
    fd_close(s[i].out);
    for (i = 0; i < FILTER_STREAMS_MAX_COUNT; i++) {
        say(&s[i], "still\n");
        hear(&s[i], "still\n");
        shut(&s[i], AG_OK);
    }
    check_ok(try_open(f, &s[0], NULL));
    shut(&s[0], AG_OK);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_a_stream_is_redacted_and_reported),
        RIG_ROW(test_without_a_set_nothing_passes),
        RIG_ROW(test_a_wipe_ends_streams_and_forgets),
        RIG_ROW(test_a_commit_holds_for_live_streams),
        RIG_ROW(test_held_bytes_meet_the_next_set),
        RIG_ROW(test_idle_shows_at_most_a_quarter),
        RIG_ROW(test_hits_are_told_while_a_stream_runs),
        RIG_ROW(test_cancel_while_waiting_for_input),
        RIG_ROW(test_cancel_and_commit_while_the_reader_sleeps),
        RIG_ROW(test_a_reader_that_goes_ends_the_stream),
        RIG_ROW(test_a_killed_helper_lets_nothing_through),
        RIG_ROW(test_a_terminal_ends_with_its_last_user),
        RIG_ROW(test_only_so_many_streams),
    };
    int ret = 0;

    if (rig_is_helper(argc, argv, &ret)) {
        return ret;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
