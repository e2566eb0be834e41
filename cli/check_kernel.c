/* What the kernel offers: limits, namespaces, Landlock, peers. */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "check.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* asm-generic/socket.h, Linux 6.5 */
#endif

enum {
    MEMLOCK_NEED_BYTES = 8 * 1024 * 1024, /* broker and filter, each its own */
    LANDLOCK_NETWORK_ABI = 4,
};

void
check_memlock(struct cli *cli, struct check_result *ret)
{
    struct rlimit lim;

    (void)cli;
    if (getrlimit(RLIMIT_MEMLOCK, &lim) != 0) {
        check_says(ret, CHECK_NOTE, "can't be told");
    } else if (lim.rlim_cur == RLIM_INFINITY || geteuid() == 0) {
        check_says(ret, CHECK_GOOD, "unlimited");
    } else if (lim.rlim_cur < MEMLOCK_NEED_BYTES) {
        check_says(ret, CHECK_BAD, "%llu KiB, needed are %d",
                   (unsigned long long)lim.rlim_cur / 1024,
                   MEMLOCK_NEED_BYTES / 1024);
        check_advises(ret,
                      lim.rlim_max >= MEMLOCK_NEED_BYTES
                          ? "ulimit -l %d before auth-guard unlock"
                          : "ask root for 'memlock %d' in "
                            "/etc/security/limits.conf",
                      MEMLOCK_NEED_BYTES / 1024);
    } else {
        check_says(ret, CHECK_GOOD, "%llu KiB",
                   (unsigned long long)lim.rlim_cur / 1024);
    }
}

void
check_memfd_secret(struct cli *cli, struct check_result *ret)
{
    AG_AUTO(fd) int fd = -1;

    (void)cli;
#ifdef SYS_memfd_secret
    fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
#endif
    if (fd >= 0) {
        check_says(ret, CHECK_GOOD,
                   "memfd_secret: not even the kernel maps it");
    } else {
        check_says(ret, CHECK_NOTE, "locked pages, left out of cores");
        check_advises(ret, "kernel 6.5 or newer has memfd_secret on");
    }
}

/* 0 when a child can make the namespaces of `run`, else its errno. */
static int
try_namespaces(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        int flags = CLONE_NEWNS | CLONE_NEWPID;

        flags |= geteuid() == 0 ? 0 : CLONE_NEWUSER;
        _exit(unshare(flags) == 0 ? 0 : errno & 0xff);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return EAGAIN;
    }
    return WEXITSTATUS(status);
}

void
check_namespaces(struct cli *cli, struct check_result *ret)
{
    int failed = try_namespaces();

    (void)cli;
    if (failed == 0) {
        check_says(ret, CHECK_GOOD, "private mounts and processes for tasks");
        return;
    }
    check_says(ret, CHECK_NOTE, "not allowed here: %s",
               strerrordesc_np(failed));
    check_advises(ret, "run then keeps tasks apart by Landlock alone and says "
                       "what that lacks; strict and offline refuse; files are "
                       "in XDG_RUNTIME_DIR, open to your other programs; root "
                       "can allow them: sysctl "
                       "kernel.unprivileged_userns_clone=1, "
                       "kernel.apparmor_restrict_unprivileged_userns=0");
}

void
check_landlock(struct cli *cli, struct check_result *ret)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                       LANDLOCK_CREATE_RULESET_VERSION);

    (void)cli;
    if (abi >= LANDLOCK_NETWORK_ABI) {
        check_says(ret, CHECK_GOOD, "level %ld", abi);
    } else if (abi > 0) {
        check_says(ret, CHECK_NOTE, "level %ld, files only", abi);
        check_advises(ret, "kernel 6.7 or newer confines the network too");
    } else {
        check_says(ret, CHECK_NOTE, "not there");
        check_advises(ret, "the broker is confined by seccomp alone");
    }
}

void
check_peerpidfd(struct cli *cli, struct check_result *ret)
{
    int pair[2] = {-1, -1};
    int pidfd = -1;
    socklen_t len = sizeof(pidfd);

    (void)cli;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 &&
        getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0) {
        check_says(ret, CHECK_GOOD, "callers are held by pidfd");
    } else {
        check_says(ret, CHECK_NOTE, "callers are told by pid and start time");
        check_advises(ret, "kernel 6.5 or newer has SO_PEERPIDFD");
    }
    fd_close(pidfd);
    fd_close(pair[0]);
    fd_close(pair[1]);
}

void
check_ptrace(struct cli *cli, struct check_result *ret)
{
    char scope = '0';
    AG_AUTO(fd)
    int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);

    (void)cli;
    if (fd >= 0 && read(fd, &scope, 1) == 1 && scope != '0') {
        check_says(ret, CHECK_GOOD, "ptrace_scope %c", scope);
        return;
    }
    check_says(ret, CHECK_NOTE, "your programs may trace each other");
    check_advises(ret, "broker, filter and prompts forbid it themselves; root "
                       "can forbid it for all: sysctl "
                       "kernel.yama.ptrace_scope=1");
}
