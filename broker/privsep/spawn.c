#include "privsep/spawn.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spawn.h>

#include "base/fdx.h"
#include "privsep/channel.h"

enum {
    LEAVE_MS = 500, /* to end by itself; the runner's STRAYS_ROUNDS fit in */
    SOCKET_BUFFER_BYTES = 4 * 1024 * 1024, /* questions that may queue up */
};

struct helper {
    pid_t pid;
    int pidfd; /* -1 on kernels before 5.3 */
    struct channel *channel;
};

static const char *const ARGUMENTS[] = {
    [SPAWN_FILTER] = "--filter",
    [SPAWN_WITNESS] = "--witness",
    [SPAWN_RUNNER] = "--runner",
};

const char *
spawn_argument(enum spawn_kind kind)
{
    return ARGUMENTS[kind];
}

/* Both ends close on exec; dup2 to SPAWN_CHANNEL_FD lifts that in the child. */
static enum ag_err
make_pair(int *ours, int *theirs)
{
    const int bytes = SOCKET_BUFFER_BYTES;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return err_from_errno(errno);
    }
    /* Cut to the system's limit without a word, which is enough too. */
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    *ours = pair[0];
    *theirs = pair[1];
    return AG_OK;
}

static int
add_actions(posix_spawn_file_actions_t *actions, int theirs)
{
    int failed =
        posix_spawn_file_actions_adddup2(actions, theirs, SPAWN_CHANNEL_FD);

    if (failed == 0) {
        failed = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
                                                  "/dev/null", O_RDONLY, 0);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO,
                                                  "/dev/null", O_WRONLY, 0);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_addclosefrom_np(actions,
                                                          SPAWN_CHANNEL_FD + 1);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_addchdir_np(actions, "/");
    }
    return failed;
}

/* Signals as a new program expects them, and a session of its own: a ^C at
 * the broker's terminal is not the helper's. */
static int
add_attributes(posix_spawnattr_t *attr)
{
    sigset_t all;
    sigset_t none;
    int failed;

    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    failed = posix_spawnattr_setsigdefault(attr, &all);
    if (failed == 0) {
        failed = posix_spawnattr_setsigmask(attr, &none);
    }
    if (failed == 0) {
        failed = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSID);
    }
    return failed;
}

/* The environment: empty, but for a sanitizer's own settings. */
static size_t
make_environment(char *out[4])
{
    size_t count = 0;

#ifdef AG_SANITIZED
    for (char **e = environ; *e != NULL && count < 3; e++) {
        if (strncmp(*e, "ASAN_", 5) == 0 || strncmp(*e, "TSAN_", 5) == 0 ||
            strncmp(*e, "UBSAN_", 6) == 0) {
            out[count++] = *e;
        }
    }
#endif
    out[count] = NULL;
    return count;
}

static int
execute(enum spawn_kind kind, const posix_spawn_file_actions_t *actions,
        const posix_spawnattr_t *attr, pid_t *ret_pid)
{
    char program[] = "auth-guardd";
    char argument[16] = {0};
    char *argv[] = {program, argument, NULL};
    char *envp[4];

    (void)make_environment(envp);
    (void)stpncpy(argument, ARGUMENTS[kind], sizeof(argument) - 1);
    return posix_spawn(ret_pid, "/proc/self/exe", actions, attr, argv, envp);
}

static enum ag_err
start(enum spawn_kind kind, int theirs, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int failed;

    if (posix_spawn_file_actions_init(&actions) != 0) {
        return AG_ENOMEM;
    }
    if (posix_spawnattr_init(&attr) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return AG_ENOMEM;
    }
    failed = add_actions(&actions, theirs);
    if (failed == 0) {
        failed = add_attributes(&attr);
    }
    if (failed == 0) {
        failed = execute(kind, &actions, &attr, ret_pid);
    }
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        return err_why(AG_EIO, "can't start %s: %s", ARGUMENTS[kind],
                       strerrordesc_np(failed));
    }
    return AG_OK;
}

static void
reap(struct helper *h)
{
    int status;

    while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR) {
    }
    fd_close(h->pidfd);
}

enum ag_err
spawn_helper(enum spawn_kind kind, const struct channel_hooks *hooks,
             struct helper **ret)
{
    struct helper *h = calloc(1, sizeof(*h));
    AG_AUTO(fd) int ours = -1;
    AG_AUTO(fd) int theirs = -1;
    enum ag_err err = h == NULL ? AG_ENOMEM : make_pair(&ours, &theirs);

    if (err == AG_OK) {
        err = start(kind, theirs, &h->pid);
    }
    if (err != AG_OK) {
        free(h);
        return err;
    }
    h->pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
    /* Else the helper's end would stay open here and never read its end. */
    fd_close(FD_TAKE(theirs));
    err = channel_open(FD_TAKE(ours), hooks, &h->channel);
    if (err != AG_OK) {
        (void)kill(h->pid, SIGKILL);
        reap(h);
        free(h);
        return err;
    }
    *ret = h;
    return AG_OK;
}

struct channel *
helper_channel(struct helper *h)
{
    return h->channel;
}

pid_t
helper_pid(const struct helper *h)
{
    return h->pid;
}

void
helper_stop(struct helper *h)
{
    struct pollfd pfd;

    if (h == NULL) {
        return;
    }
    channel_close(h->channel);
    pfd = (struct pollfd){.fd = h->pidfd, .events = POLLIN};
    if (h->pidfd < 0 || poll(&pfd, 1, LEAVE_MS) <= 0) {
        (void)kill(h->pid, SIGKILL); /* not reaped yet: the pid is still its */
    }
    reap(h);
    free(h);
}
