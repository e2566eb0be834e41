/* The list of failures: codes are unique, sentences are kept per thread. */
#include <sys/wait.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "common/check.h"

static void
test_codes_are_unique_and_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < AG_ERR_COUNT; i++) {
        enum ag_err err = (enum ag_err)i;

        assert_int_equal(err_from_code(err_code(err)), err);
        assert_in_range(err_http(err), 200, 599);
        assert_in_range(err_exit(err), 0, 125);
        assert_true(strlen(err_text(err)) > 3);
    }
    assert_int_equal(err_from_code("nonsense"), AG_EINTERNAL);
    assert_int_equal(err_from_code(NULL), AG_EINTERNAL);
    assert_string_equal(err_code((enum ag_err)AG_ERR_COUNT), "internal");
    assert_string_equal(err_code((enum ag_err) - 1), "internal");
}

static void
test_a_sentence_belongs_to_its_error(void **state)
{
    (void)state;
    assert_int_equal(err_why(AG_EINVAL, "ttl_s: %d is below 1", 0), AG_EINVAL);
    assert_string_equal(err_text(AG_EINVAL), "ttl_s: 0 is below 1");
    assert_string_equal(err_text(AG_EIO), "reading or writing failed");
    err_clear();
    assert_string_equal(err_text(AG_EINVAL), "the input is not valid");
    assert_string_equal(err_text(AG_OK), "done");
}

static void
test_a_sentence_may_hold_the_one_before(void **state)
{
    (void)state;
    (void)!err_why(AG_EINVAL, "a field is missing");
    (void)!err_why(AG_EINVAL, "profile x: %s; see %s", err_text(AG_EINVAL),
                   "y");
    assert_string_equal(err_text(AG_EINVAL),
                        "profile x: a field is missing; see y");
    err_clear();
}

static void
test_a_long_sentence_is_cut(void **state)
{
    char text[4096];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(err_why(AG_EIO, "%s", text), AG_EIO);
    assert_in_range(strlen(err_text(AG_EIO)), 100, 511);
    err_clear();
}

static void *
other_thread(void *arg)
{
    (void)arg;
    assert_int_equal(err_why(AG_EINVAL, "theirs"), AG_EINVAL);
    return NULL;
}

static void
test_a_sentence_is_the_threads_own(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(err_why(AG_EINVAL, "mine"), AG_EINVAL);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(err_text(AG_EINVAL), "mine");
    err_clear();
}

static void
test_errno_is_translated(void **state)
{
    static const struct {
        int number;
        enum ag_err err;
    } ROWS[] = {
        {ENOSPC, AG_ENOSPACE},    {EDQUOT, AG_ENOSPACE},
        {ENOMEM, AG_ENOMEM},      {ENOENT, AG_ENOTFOUND},
        {ENOTDIR, AG_ENOTFOUND},  {EEXIST, AG_EEXISTS},
        {EACCES, AG_EDENIED},     {EPERM, AG_EDENIED},
        {EROFS, AG_EDENIED},      {EAGAIN, AG_EBUSY},
        {ETIMEDOUT, AG_ETIMEOUT}, {EIO, AG_EIO},
        {EPIPE, AG_EIO},          {0, AG_EIO},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        assert_int_equal(err_from_errno(ROWS[i].number), ROWS[i].err);
    }
}

static void
test_a_failed_assertion_aborts(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        int out[2];

        (void)signal(SIGABRT, SIG_DFL);
        if (pipe(out) != 0 || dup2(out[1], STDERR_FILENO) < 0) {
            _exit(1);
        }
        AG_ASSERT(child != 0);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_unique_and_read_back),
        cmocka_unit_test(test_a_sentence_belongs_to_its_error),
        cmocka_unit_test(test_a_sentence_may_hold_the_one_before),
        cmocka_unit_test(test_a_long_sentence_is_cut),
        cmocka_unit_test(test_a_sentence_is_the_threads_own),
        cmocka_unit_test(test_errno_is_translated),
        cmocka_unit_test(test_a_failed_assertion_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
