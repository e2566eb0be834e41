/* selflock.h: the system calls' half. */
#ifndef AG_SANITIZED

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <sched.h>

#include <seccomp.h>

#include "daemon/selflock.h"

#define CALL(name) SCMP_SYS(name)

enum {
    TYPE_MASK = 0xf, /* of a socket's type; above it are CLOEXEC, NONBLOCK */
};

/* What an HTTP server with a database, threads and passed descriptors does. */
static const int ALLOWED[] = {
    /* memory */
    CALL(brk),
    CALL(madvise),
    CALL(mlock),
    CALL(mlock2),
    CALL(mremap),
    CALL(msync),
    CALL(munlock),
    CALL(munmap),
    /* descriptors */
    CALL(close),
    CALL(dup),
    CALL(fcntl),
    CALL(fdatasync),
    CALL(flock),
    CALL(fstat),
    CALL(fstatfs),
    CALL(fsync),
    CALL(ftruncate),
    CALL(lseek),
    CALL(pread64),
    CALL(pwrite64),
    CALL(pwritev2), /* handover: a write that does not block */
    CALL(read),
    CALL(readv),
    CALL(write),
    CALL(writev),
    CALL(pwritev2), /* a value into a pipe, without blocking */
    CALL(fallocate),
    CALL(splice), /* the tunnels of the forward proxy */
    /* files by name: Landlock says which */
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(fchown),
    CALL(getcwd),
    CALL(getdents64),
    CALL(lstat),
    CALL(mkdir),
    CALL(mkdirat),
    CALL(newfstatat),
    CALL(open),
    CALL(openat),
    CALL(readlink),
    CALL(readlinkat),
    CALL(rename),
    CALL(renameat),
    CALL(renameat2),
    CALL(stat),
    CALL(statx),
    CALL(unlink),
    CALL(unlinkat),
    CALL(utimensat),
    /* sockets: what is accepted is served; which are made, see below */
    CALL(accept4),
    CALL(connect),
    CALL(getpeername),
    CALL(getsockname),
    CALL(getsockopt),
    CALL(recvfrom),
    CALL(recvmsg),
    CALL(sendmmsg), /* the resolver: A and AAAA at once */
    CALL(sendmsg),
    CALL(sendto),
    CALL(sendfile),
    CALL(setsockopt),
    CALL(shutdown),
    /* waiting */
    CALL(clock_getres),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(epoll_wait),
    CALL(eventfd2),
    CALL(futex),
    CALL(gettimeofday),
    CALL(nanosleep),
    CALL(pipe2),
    CALL(poll),
    CALL(ppoll),
    CALL(restart_syscall),
    CALL(sched_getaffinity),
    CALL(sched_yield),
    CALL(select),
    CALL(pselect6),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    /* threads, signals, ends */
    CALL(exit),
    CALL(exit_group),
    CALL(gettid),
    CALL(rseq),
    CALL(rt_sigaction),
    CALL(rt_sigpending),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigtimedwait),
    CALL(set_robust_list),
    CALL(sigaltstack),
    CALL(tgkill),
    /* the helpers and the tasks' supervisors, by pidfd or to reap */
    CALL(kill),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(wait4),
    CALL(waitid),
    /* about this process */
    CALL(getegid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getpid),
    CALL(getppid),
    CALL(getrandom),
    CALL(getrlimit),
    CALL(getrusage),
    CALL(getuid),
    CALL(prctl),
    CALL(sysinfo),
    CALL(umask),
    CALL(uname),
};

/* Nothing of ours does this by mistake. */
static const int KILLS[] = {
    CALL(bpf),    CALL(execve),           CALL(execveat),
    CALL(fork),   CALL(init_module),      CALL(kexec_load),
    CALL(mount),  CALL(perf_event_open),  CALL(pivot_root),
    CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev),
    CALL(setns),  CALL(unshare),          CALL(userfaultfd),
    CALL(vfork),
};

static int
add_conditional(scmp_filter_ctx ctx)
{
    const struct scmp_arg_cmp no_exec =
        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp thread =
        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    int failed =
        seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, CALL(mmap), 1, &no_exec);

    if (failed == 0) {
        failed = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, CALL(mprotect), 1,
                                        &no_exec);
    }
    if (failed == 0) {
        failed = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, CALL(clone), 1,
                                        &thread);
    }
    /* Its flags lie in memory, where a filter can't look: glibc then uses
     * clone(). */
    if (failed == 0) {
        failed = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
    }
    return failed;
}

/* What calls to services and the resolver need: TCP and UDP, the pairs by which
 * libcurl's threads wake each other, and how much a datagram holds. */
static int
add_sockets(scmp_filter_ctx ctx)
{
    static const int FAMILIES[] = {AF_INET, AF_INET6};
    static const int TYPES[] = {SOCK_STREAM, SOCK_DGRAM};
    const struct scmp_arg_cmp local = SCMP_A0(SCMP_CMP_EQ, AF_UNIX);
    const struct scmp_arg_cmp waiting = SCMP_A1(SCMP_CMP_EQ, FIONREAD);
    int failed = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, CALL(socketpair),
                                        1, &local);

    if (failed == 0) {
        failed = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1,
                                        &waiting);
    }
    for (size_t i = 0; i < AG_COUNT(FAMILIES) * AG_COUNT(TYPES); i++) {
        const struct scmp_arg_cmp kind[] = {
            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)FAMILIES[i / 2]),
            SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, (scmp_datum_t)TYPES[i % 2]),
        };

        if (failed == 0) {
            failed = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, CALL(socket),
                                            AG_COUNT(kind), kind);
        }
    }
    return failed;
}

static int
fill(scmp_filter_ctx ctx)
{
    int failed = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

    for (size_t i = 0; failed == 0 && i < AG_COUNT(ALLOWED); i++) {
        failed = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    }
    for (size_t i = 0; failed == 0 && i < AG_COUNT(KILLS); i++) {
        failed = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, KILLS[i], 0);
    }
    if (failed == 0) {
        failed = add_conditional(ctx);
    }
    if (failed == 0) {
        failed = add_sockets(ctx);
    }
    return failed == 0 ? seccomp_load(ctx) : failed;
}

enum ag_err
selflock_calls(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int failed;

    if (ctx == NULL) {
        return AG_ENOMEM;
    }
    failed = fill(ctx);
    seccomp_release(ctx);
    if (failed != 0) {
        return err_why(AG_EUNSUPPORTED,
                       "this system has no seccomp filters (error %d)",
                       -failed);
    }
    return AG_OK;
}

#else
/* ISO C wants something in every file. */
extern int syscalls_left_out;
#endif
