/*
 * crash - kills a program at its n-th system call, for the crash tests.
 *
 *   crash [-a] N COMMAND…
 *
 * Runs COMMAND and counts the system calls of all its threads and children; at
 * the entry of the N-th everything is killed with SIGKILL, the call itself not
 * carried out. With -a counting begins at SIGUSR1 (a server that first gets
 * ready); SIGTERM then ends the watch and the command.
 *
 * Only calls that can change something outside the process count: those that
 * merely look, wait or manage memory are skipped, so that every point tried is
 * another state of the world. The tracer is there before the program makes
 * itself undumpable; nothing could attach later. Exit 137: killed at call N;
 * else the command's own code. The last line on stderr is `calls K`.
 */
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "base/attr.h"

enum {
    TRACED_MAX_COUNT = 256, /* threads and children of one command */
    EXIT_KILLED = 137,
    EXIT_USAGE = 64,
    EXIT_FAULT = 70,
};

/*
 * Calls that change files, sockets or other processes. One that looks, receives,
 * waits or gives up what the end of the process gives up as well (close, locks)
 * is left out: killed before it, the world is as before the next that counts.
 */
static const long CHANGING[] = {
    SYS_write,     SYS_pwrite64, SYS_writev,     SYS_pwritev,
    SYS_rename,    SYS_renameat, SYS_renameat2,  SYS_unlink,
    SYS_unlinkat,  SYS_link,     SYS_linkat,     SYS_symlink,
    SYS_symlinkat, SYS_mkdir,    SYS_mkdirat,    SYS_rmdir,
    SYS_ftruncate, SYS_truncate, SYS_fallocate,  SYS_fsync,
    SYS_fdatasync, SYS_chmod,    SYS_fchmod,     SYS_fchmodat,
    SYS_fchown,    SYS_fchownat, SYS_utimensat,  SYS_sendmsg,
    SYS_sendto,    SYS_connect,  SYS_kill,       SYS_pidfd_send_signal,
    SYS_shutdown,  SYS_mount,    SYS_umount2,    SYS_execve,
    SYS_clone,     SYS_clone3,   SYS_vfork,      SYS_fork,
    SYS_splice,    SYS_creat,    SYS_tee,        SYS_copy_file_range,
    SYS_msync,     SYS_bind,     SYS_exit_group,
};

struct traced {
    pid_t pids[TRACED_MAX_COUNT];
    size_t count;
};

static volatile sig_atomic_t stop_asked;
static volatile sig_atomic_t is_armed;

static void
on_signal(int sig)
{
    if (sig == SIGUSR1) {
        is_armed = 1;
    } else {
        stop_asked = 1;
    }
}

static bool
is_changing(unsigned long long call, const unsigned long long *args)
{
    if (call == SYS_openat) {
        return (args[2] & (O_CREAT | O_TRUNC)) != 0;
    }
    for (size_t i = 0; i < AG_COUNT(CHANGING); i++) {
        if ((unsigned long long)CHANGING[i] == call) {
            return true;
        }
    }
    return false;
}

static void
remember(struct traced *t, pid_t pid)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->pids[i] == pid) {
            return;
        }
    }
    if (t->count < TRACED_MAX_COUNT) {
        t->pids[t->count++] = pid;
    }
}

static void
forget(struct traced *t, pid_t pid)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->pids[i] == pid) {
            t->pids[i] = t->pids[--t->count];
            return;
        }
    }
}

static void
kill_all(const struct traced *t)
{
    for (size_t i = 0; i < t->count; i++) {
        (void)kill(t->pids[i], SIGKILL);
    }
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR) {
    }
}

static const long OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                            PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                            PTRACE_O_TRACEEXEC;

/* The tracer's side: takes the stopped `pid` over and lets it go on. */
static bool
seize(pid_t pid, struct traced *t)
{
    int status;

    if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS | PTRACE_O_EXITKILL) != 0 ||
        ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 ||
        waitpid(pid, &status, __WALL) != pid) {
        return false;
    }
    remember(t, pid);
    return ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0;
}

/* Waits until the other side closes or writes, then becomes the command. */
static _Noreturn void
become(int gate, char **argv)
{
    char byte;

    (void)!read(gate, &byte, 1);
    (void)close(gate);
    (void)execvp(argv[0], argv);
    _exit(127);
}

/* With -a: the command is our child. */
static pid_t
trace_child(char **argv, struct traced *t)
{
    int gate[2];
    pid_t pid = pipe(gate) == 0 ? fork() : -1;

    if (pid == 0) {
        (void)close(gate[1]);
        become(gate[0], argv);
    }
    if (pid < 0 || !seize(pid, t)) {
        return -1;
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    return pid;
}

/*
 * Else: this process becomes the command, so that its parent, and what the
 * broker holds of it, is the caller's; an orphan traces it. They talk over a
 * socket pair: the tracer's pid, leave to trace, go. Returns in the tracer.
 */
static pid_t
trace_self(char **argv, struct traced *t)
{
    pid_t self = getpid();
    pid_t tracer = 0;
    int line[2];
    pid_t pid = socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0 ? fork() : -1;
    char byte = 0;

    if (pid > 0) {
        (void)close(line[1]);
        (void)waitpid(pid, NULL, 0);
        (void)!read(line[0], &tracer, sizeof(tracer));
        (void)prctl(PR_SET_PTRACER, (unsigned long)tracer, 0, 0, 0);
        (void)!write(line[0], &byte, 1);
        become(line[0], argv);
    }
    if (pid < 0 || fork() != 0) {
        _exit(EXIT_FAULT);
    }
    (void)close(line[0]);
    tracer = getpid();
    (void)!write(line[1], &tracer, sizeof(tracer));
    (void)!read(line[1], &byte, 1);
    if (!seize(self, t)) {
        return -1;
    }
    (void)!write(line[1], &byte, 1);
    (void)close(line[1]);
    return self;
}

/* True when this stop is the entry of a call that counts. */
static bool
counts(pid_t pid)
{
    struct ptrace_syscall_info info;

    memset(&info, 0, sizeof(info));
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0) {
        return false;
    }
    return info.op == PTRACE_SYSCALL_INFO_ENTRY &&
           is_changing(info.entry.nr,
                       (const unsigned long long *)info.entry.args);
}

/* Lets a stopped thread go on; what it was stopped by decides the signal. */
static void
resume(pid_t pid, int status)
{
    int sig = WSTOPSIG(status);
    int event = status >> 16;

    if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
        (void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
        return;
    }
    if (sig == (SIGTRAP | 0x80) || event != 0) {
        sig = 0;
    }
    (void)ptrace(PTRACE_SYSCALL, pid, NULL, (long)sig);
}

static bool
is_entry(int status)
{
    return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

static int
exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* One report of the kernel. Returns true when the target is reached. */
static bool
take_step(struct traced *t, pid_t pid, int status, long target, long *seen)
{
    remember(t, pid);
    *seen += is_armed && is_entry(status) && counts(pid);
    if (*seen == target) {
        return true;
    }
    resume(pid, status);
    return false;
}

/*
 * Follows everything until the n-th counted call, the end of the last process,
 * or until we are asked to stop. Returns our exit code.
 */
static int
follow(struct traced *t, pid_t leader, long target, long *ret_seen)
{
    int leader_code = 0;

    while (t->count > 0 && !stop_asked) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);

        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid < 0) {
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            forget(t, pid);
            leader_code = pid == leader ? exit_code(status) : leader_code;
            continue;
        }
        if (take_step(t, pid, status, target, ret_seen)) {
            kill_all(t);
            return EXIT_KILLED;
        }
    }
    return leader_code;
}

int
main(int argc, char **argv)
{
    struct traced t = {.count = 0};
    struct sigaction act;
    long target;
    long seen = 0;
    pid_t leader;
    int code;

    is_armed = argc < 2 || strcmp(argv[1], "-a") != 0;
    if (!is_armed) {
        argc--;
        argv++;
    }
    if (argc < 3) {
        (void)fputs("usage: crash [-a] N COMMAND...\n", stderr);
        return EXIT_USAGE;
    }
    target = strtol(argv[1], NULL, 10);
    memset(&act, 0, sizeof(act));
    act.sa_handler = on_signal; /* no SA_RESTART: waitpid returns */
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGUSR1, &act, NULL);
    leader = is_armed ? trace_self(argv + 2, &t) : trace_child(argv + 2, &t);
    if (leader < 0) {
        perror("crash: start");
        return EXIT_FAULT;
    }
    code = follow(&t, leader, target, &seen);
    if (stop_asked) {
        kill_all(&t);
    }
    (void)fprintf(stderr, "calls %ld\n", seen);
    return code;
}
