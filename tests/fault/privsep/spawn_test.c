// WRAP: calloc socketpair posix_spawn pthread_create posix_spawn_file_actions_adddup2 posix_spawn_file_actions_addopen posix_spawn_file_actions_addclosefrom_np posix_spawnattr_setflags
/* Starting a helper fails at every step: no process, no descriptor, no thread
 * is left. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include <spawn.h>

#include "common/fault.h"
#include "common/fdcount.h"
#include "privsep/spawn.h"
#include "privsep/witness.h"

FAULT_WRAPPER(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAULT_WRAPPER(int, socketpair, (int domain, int type, int protocol, int *pair),
              (domain, type, protocol, pair), -1)
FAULT_WRAPPER(int, posix_spawn,
              (pid_t * pid, const char *path,
               const posix_spawn_file_actions_t *actions,
               const posix_spawnattr_t *attr, char *const *argv,
               char *const *envp),
              (pid, path, actions, attr, argv, envp), EAGAIN)
FAULT_WRAPPER(int, pthread_create,
              (pthread_t * thread, const pthread_attr_t *attr,
               void *(*main_fn)(void *), void *arg),
              (thread, attr, main_fn, arg), EAGAIN)
FAULT_WRAPPER(int, posix_spawn_file_actions_adddup2,
              (posix_spawn_file_actions_t * actions, int fd, int new_fd),
              (actions, fd, new_fd), ENOMEM)
FAULT_WRAPPER(int, posix_spawn_file_actions_addopen,
              (posix_spawn_file_actions_t * actions, int fd, const char *path,
               int flags, mode_t mode),
              (actions, fd, path, flags, mode), ENOMEM)
FAULT_WRAPPER(int, posix_spawn_file_actions_addclosefrom_np,
              (posix_spawn_file_actions_t * actions, int fd), (actions, fd),
              ENOMEM)
FAULT_WRAPPER(int, posix_spawnattr_setflags,
              (posix_spawnattr_t * attr, short flags), (attr, flags), EINVAL)

static bool
start_with_fault(unsigned nth, bool all)
{
    struct witness *w = NULL;
    size_t before = fd_count_open();
    struct proc_facts facts;
    enum ag_err err;
    bool fired;

    fault_arm(nth);
    fault.all_later = all;
    err = witness_start(NULL, NULL, &w);
    /* The reader's own memory may have been the one that failed. */
    if (err == AG_OK) {
        const struct proc_source *source = witness_source(w);

        err = source->facts(source->ctx, getpid(), &facts);
        fired = fault_done();
        assert_int_equal(err, fired ? AG_EUNTRACED : AG_OK);
        witness_stop(w);
    } else {
        fired = fault_done();
        assert_true(fired);
        assert_null(w);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(fd_count_open(), before);
    return fired;
}

static void
test_a_start_that_fails_leaves_nothing(void **state)
{
    unsigned n = 1;

    (void)state;
    while (start_with_fault(n, false)) {
        n++;
    }
    assert_true(n > 8);
    for (unsigned i = 1; i < n; i++) {
        assert_true(start_with_fault(i, true));
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_start_that_fails_leaves_nothing),
    };

    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_WITNESS)) == 0) {
        return witness_main(SPAWN_CHANNEL_FD);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
