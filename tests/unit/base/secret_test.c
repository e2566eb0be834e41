/* The arena: locked, guarded, wiped, never shared with a child or a core. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/secret.h"
#include "common/check.h"
#include "common/smaps.h"

enum {
    SMALL_ARENA_BYTES = 64 * 1024
};

static int
open_small(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SMALL_ARENA_BYTES));
    return 0;
}

static int
close_arena(void **state)
{
    (void)state;
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
    return 0;
}

/* Runs `body` in a child and gives how it ended. */
static int
in_child(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)close(STDERR_FILENO);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool
is_zero(const uint8_t *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (ptr[i] != 0) {
            return false;
        }
    }
    return true;
}

static void
test_without_an_arena_there_is_no_secret(void **state)
{
    struct secret *s = NULL;

    (void)state;
    check_err(secret_new(8, &s), AG_EMEMLOCK);
    assert_non_null(strstr(err_text(AG_EMEMLOCK), "not open"));
    assert_int_equal(secret_arena_backing(), SECRET_BACKING_NONE);
    secret_free(NULL);
    secret_arena_close();
}

static void
test_odd_sizes_and_a_second_open_are_refused(void **state)
{
    (void)state;
    check_err(secret_arena_open(0), AG_EINVAL);
    check_err(secret_arena_open(1000), AG_EINVAL);
    check_err(secret_arena_open((size_t)1 << 40), AG_EINVAL);
    check_ok(secret_arena_open(SMALL_ARENA_BYTES));
    assert_int_not_equal(secret_arena_backing(), SECRET_BACKING_NONE);
    check_err(secret_arena_open(SMALL_ARENA_BYTES), AG_EINVAL);
    secret_arena_close();
    check_ok(secret_arena_open(SMALL_ARENA_BYTES));
    secret_arena_close();
}

static void
low_limit(void)
{
    struct rlimit none = {0, 0};

    /* an ordinary user: the limit does not bind root */
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 ||
        (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)) {
        _exit(1);
    }
    if (secret_arena_open(SMALL_ARENA_BYTES) != AG_EMEMLOCK ||
        strstr(err_text(AG_EMEMLOCK), "ulimit -l") == NULL ||
        secret_arena_backing() != SECRET_BACKING_NONE) {
        _exit(2);
    }
}

static void
test_a_low_limit_is_an_error_that_names_it(void **state)
{
    (void)state;
    assert_int_equal(in_child(low_limit), 0);
}

static void
test_a_secret_is_zero_and_its_own(void **state)
{
    struct secret *a = NULL;
    struct secret *b = NULL;

    (void)state;
    check_ok(secret_new(100, &a));
    assert_int_equal(secret_len(a), 100);
    assert_true(is_zero(secret_bytes(a), 100));
    memset(secret_bytes(a), 0xaa, 100);
    check_ok(secret_from(secret_view(a), &b));
    assert_ptr_not_equal(secret_bytes(a), secret_bytes(b));
    assert_true(secret_equal(a, b));
    secret_bytes(b)[99] ^= 1;
    assert_false(secret_equal(a, b));
    secret_free(a);
    secret_free(b);
}

static void
test_equality(void **state)
{
    struct secret *a = NULL;
    struct secret *none = NULL;

    (void)state;
    check_ok(secret_from(span_str("abc"), &a));
    check_ok(secret_new(0, &none));
    assert_true(secret_equal_span(a, span_str("abc")));
    assert_false(secret_equal_span(a, span_str("abd")));
    assert_false(secret_equal_span(a, span_str("abcd")));
    assert_true(secret_equal_span(none, span_of(NULL, 0)));
    assert_false(secret_equal(a, none));
    secret_free(a);
    secret_free(none);
}

static void
test_freed_memory_is_wiped(void **state)
{
    static const size_t LENS[] = {0, 1, 24, 25, 100, 2040, 2041, 4096, 9000};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(LENS); i++) {
        struct secret *s = NULL;
        const uint8_t *was;

        check_ok(secret_new(LENS[i], &s));
        was = secret_bytes(s);
        memset(secret_bytes(s), 0x5a, LENS[i]);
        secret_free(s);
        assert_true(is_zero(was, LENS[i] + 8)); /* the canary too */
    }
}

static void
test_shrink_wipes_what_is_cut_off(void **state)
{
    struct secret *s = NULL;

    (void)state;
    check_ok(secret_new(64, &s));
    memset(secret_bytes(s), 0x5a, 64);
    secret_shrink(s, 10);
    assert_int_equal(secret_len(s), 10);
    assert_int_equal(secret_view(s).len, 10);
    assert_true(is_zero(secret_bytes(s) + 10 + 8, 64 - 10));
    secret_shrink(s, 10);
    secret_shrink(s, 0);
    secret_free(s);
}

static void
test_too_large_is_refused(void **state)
{
    struct secret *s = NULL;

    (void)state;
    check_err(secret_new(SECRET_MAX_BYTES + 1, &s), AG_ELIMIT);
    check_err(secret_new(SIZE_MAX, &s), AG_ELIMIT);
    check_err(secret_new(SECRET_MAX_BYTES, &s), AG_EMEMLOCK);
    assert_null(s);
}

static void
test_a_full_arena_refuses_and_recovers(void **state)
{
    static struct secret *all[SMALL_ARENA_BYTES / 32];
    struct secret *s = NULL;
    size_t count = 0;

    (void)state;
    while (secret_new(20, &all[count]) == AG_OK) {
        memset(secret_bytes(all[count]), (int)count, 20);
        count++;
    }
    assert_int_equal(count, SMALL_ARENA_BYTES / 32);
    check_err(secret_new(20, &s), AG_EMEMLOCK);
    assert_non_null(strstr(err_text(AG_EMEMLOCK), "64 KiB"));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(secret_bytes(all[i])[19], (uint8_t)i);
        secret_free(all[i]);
    }
    /* one spare page is kept for the class, and given up when needed */
    check_ok(secret_new(SMALL_ARENA_BYTES - 8, &s));
    secret_free(s);
}

static void
test_ten_thousand_values_fit_the_daemons_arena(void **state)
{
    enum {
        COUNT = 10000
    };
    static struct secret *all[COUNT];

    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_DAEMON_BYTES));
    for (size_t i = 0; i < COUNT; i++) {
        check_ok(secret_new(100, &all[i]));
    }
    assert_true(secret_arena_used_bytes() < SECRET_ARENA_DAEMON_BYTES / 3);
    for (size_t i = 0; i < COUNT; i++) {
        secret_free(all[i]);
    }
    assert_int_equal(secret_arena_used_bytes(), 0);
    secret_arena_close();
}

static struct secret *shared;

static void
write_past_the_end(void)
{
    struct secret *s = NULL;
    volatile size_t past = 100;

    if (secret_arena_open(SMALL_ARENA_BYTES) != AG_OK ||
        secret_new(100, &s) != AG_OK) {
        _exit(1);
    }
    secret_bytes(s)[past] ^= 1;
    secret_free(s);
}

static void
write_before_the_block(void)
{
    struct secret *s = NULL;
    volatile uint8_t *p;

    if (secret_arena_open(SMALL_ARENA_BYTES) != AG_OK ||
        secret_new(SMALL_ARENA_BYTES - 8, &s) != AG_OK) {
        _exit(1);
    }
    p = secret_bytes(s);
    p[-1] = 1;
}

static void
write_behind_the_block(void)
{
    struct secret *s = NULL;
    volatile uint8_t *p;

    if (secret_arena_open(SMALL_ARENA_BYTES) != AG_OK ||
        secret_new(SMALL_ARENA_BYTES - 8, &s) != AG_OK) {
        _exit(1);
    }
    p = secret_bytes(s);
    p[SMALL_ARENA_BYTES] = 1;
}

static void
give_twice(void)
{
    struct secret *a = NULL;
    struct secret *b = NULL;
    uint8_t *ptr;

    if (secret_arena_open(SMALL_ARENA_BYTES) != AG_OK ||
        secret_new(100, &a) != AG_OK || secret_new(100, &b) != AG_OK) {
        _exit(1);
    }
    ptr = secret_bytes(a);
    secret_free(a);
    arena_give(ptr);
}

static void
test_overruns_are_caught(void **state)
{
    int status = in_child(write_past_the_end);

    (void)state;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_int_not_equal(in_child(write_before_the_block), 0);
    assert_int_not_equal(in_child(write_behind_the_block), 0);
    status = in_child(give_twice);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
child_starts_without(void)
{
    struct secret *s = NULL;

    if (secret_arena_backing() != SECRET_BACKING_NONE ||
        secret_new(8, &s) != AG_EMEMLOCK) {
        _exit(1);
    }
    if (secret_arena_open(SMALL_ARENA_BYTES) != AG_OK ||
        secret_new(8, &s) != AG_OK) {
        _exit(2);
    }
    secret_free(s);
    secret_arena_close();
}

/* clone(2) without glibc's knowledge, as a jail makes its first process. */
static int
in_bare_clone(void (*body)(void))
{
    int status = 0;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void
child_reads_the_parents(void)
{
    volatile uint8_t *p = secret_bytes(shared);

    _exit(p[0] == 0 ? 3 : 4);
}

static void
test_a_child_inherits_nothing(void **state)
{
    int status;

    (void)state;
    check_ok(secret_from(span_str("the parent's"), &shared));
    assert_int_equal(in_child(child_starts_without), 0);
    assert_int_equal(in_bare_clone(child_starts_without), 0);
    status = in_child(child_reads_the_parents);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) >= 3);
    assert_memory_equal(secret_bytes(shared), "the parent's", 12);
    secret_free(shared);
}

static void
test_the_kernel_locks_and_does_not_dump_it(void **state)
{
    struct secret *s = NULL;

    (void)state;
    check_ok(secret_new(8, &s));
    smaps_check_private(secret_bytes(s));
    secret_free(s);
}

enum {
    THREAD_ROUNDS = 20000
};

static void *
churn(void *arg)
{
    unsigned salt = *(unsigned *)arg;
    struct secret *held[8] = {NULL};

    for (unsigned i = 0; i < THREAD_ROUNDS; i++) {
        unsigned at = (i * 7 + salt) % 8;
        size_t len = (i * 37 + salt * 11) % 300;

        if (held[at] != NULL) {
            struct span v = secret_view(held[at]);

            AG_ASSERT(v.len == 0 || v.ptr[v.len - 1] == (uint8_t)salt);
        }
        secret_free(held[at]);
        held[at] = NULL;
        AG_ASSERT(secret_new(len, &held[at]) == AG_OK);
        memset(secret_bytes(held[at]), (int)salt, len);
    }
    for (unsigned i = 0; i < 8; i++) {
        secret_free(held[i]);
    }
    return NULL;
}

static void
test_threads_share_it(void **state)
{
    pthread_t threads[4];
    unsigned salts[4] = {1, 2, 3, 4};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &salts[i]),
                         0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_an_arena_there_is_no_secret),
        cmocka_unit_test(test_odd_sizes_and_a_second_open_are_refused),
        cmocka_unit_test(test_a_low_limit_is_an_error_that_names_it),
        cmocka_unit_test_setup_teardown(test_a_secret_is_zero_and_its_own,
                                        open_small, close_arena),
        cmocka_unit_test_setup_teardown(test_equality, open_small, close_arena),
        cmocka_unit_test_setup_teardown(test_freed_memory_is_wiped, open_small,
                                        close_arena),
        cmocka_unit_test_setup_teardown(test_shrink_wipes_what_is_cut_off,
                                        open_small, close_arena),
        cmocka_unit_test_setup_teardown(test_too_large_is_refused, open_small,
                                        close_arena),
        cmocka_unit_test_setup_teardown(test_a_full_arena_refuses_and_recovers,
                                        open_small, close_arena),
        cmocka_unit_test(test_ten_thousand_values_fit_the_daemons_arena),
        cmocka_unit_test(test_overruns_are_caught),
        cmocka_unit_test_setup_teardown(test_a_child_inherits_nothing,
                                        open_small, close_arena),
        cmocka_unit_test_setup_teardown(
            test_the_kernel_locks_and_does_not_dump_it, open_small,
            close_arena),
        cmocka_unit_test_setup_teardown(test_threads_share_it, open_small,
                                        close_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
