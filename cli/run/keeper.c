#include "run/keeper.h"

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/fence.h"
#include "run/relay.h"
#include "run/sweep.h"
#include "run/term.h"
#include "run/view.h"

struct keeper {
    const struct keeper_spec *spec;
    struct child_spec command; /* with the PTY filled in */
    int line;
    int signals;
    pid_t child;
    pid_t relay; /* 0: nobody has called yet, the lines are ours to watch */
    struct relay_line lines[RELAY_LINES_MAX_COUNT];
    size_t line_count;
};

static enum ag_err
say(int line, const struct keeper_message *message, const int *fds,
    size_t fd_count)
{
    return fd_send(line, span_of(message, sizeof(*message)), fds, fd_count);
}

__attribute__((noreturn)) static void
fail(int line, int step, int errno_value, const char *text)
{
    struct keeper_message message = {
        .what = KEEPER_FAILED, .value = errno_value, .step = step};

    (void)snprintf(message.text, sizeof(message.text), "%s", text);
    (void)!say(line, &message, NULL, 0);
    _exit(125);
}

/* ---- files ---- */

static enum ag_err
open_file(int jail_fd, const struct keeper_file *file, int ret_fds[2])
{
    int flags =
        O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (file->made ? 0 : O_CREAT | O_EXCL);
    AG_AUTO(fd) int dir_fd = -1;
    int fd;

    if (mkdirat(jail_fd, file->dir, 0700) != 0 && errno != EEXIST) {
        return AG_EIO;
    }
    dir_fd = openat(jail_fd, file->dir,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    fd = dir_fd < 0 ? -1 : openat(dir_fd, file->name, flags, 0600);
    if (fd < 0) {
        return AG_EIO;
    }
    if (file->mode != 0600 && fchmod(fd, file->mode) != 0) {
        close(fd);
        return AG_EIO;
    }
    ret_fds[0] = fd;
    ret_fds[1] = FD_TAKE(dir_fd);
    return AG_OK;
}

static void
open_files(const struct keeper *k)
{
    const struct keeper_spec *spec = k->spec;
    int jail_fd = spec->file_count == 0
                      ? -1
                      : open(spec->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; i < spec->file_count; i++) {
        struct keeper_message message = {.what = KEEPER_FILE,
                                         .value = (int32_t)i};
        int fds[2] = {-1, -1};

        if (open_file(jail_fd, &spec->files[i], fds) != AG_OK) {
            fail(k->line, CHILD_STEP_SETUP, errno, "making the private file");
        }
        if (say(k->line, &message, fds, 2) != AG_OK) {
            _exit(125);
        }
        close(fds[0]);
        close(fds[1]);
    }
    fd_close(jail_fd);
}

/* Without a tmpfs of its own the directory goes with the task. */
void
keeper_remove_files(const struct keeper_spec *spec)
{
    if (spec->kind == JAIL_NONE && spec->file_count > 0) {
        sweep_dir(spec->dir);
    }
}

/* ---- terminal ---- */

/* Made here, inside: its other end is the only way to it from outside, and the
 * person's own terminals are not in this devpts. */
static void
open_pty(struct keeper *k)
{
    struct keeper_message message = {.what = KEEPER_TTY};
    struct pty pty = {-1, -1};

    if (!k->spec->pty) {
        return;
    }
    if (pty_open(k->spec->pty_model, &pty) != AG_OK) {
        fail(k->line, CHILD_STEP_SETUP, errno, "making a terminal");
    }
    for (size_t i = 0; i < AG_COUNT(k->command.stdio); i++) {
        if (k->command.stdio[i] < 0) {
            k->command.stdio[i] = pty.slave_fd;
        }
    }
    k->command.tty_fd = pty.slave_fd;
    if (say(k->line, &message, &pty.master_fd, 1) != AG_OK) {
        _exit(125);
    }
    close(pty.master_fd);
}

/* ---- the end ---- */

/* The supervisor may not have read yet what the command wrote last. It is told
 * the end by the end of our side of the line and takes the files away itself;
 * only when it is gone they are left to us. */
static void
leave_files(const struct keeper *k)
{
    struct keeper_message message = {0};
    int fds[2] = {-1, -1};

    (void)shutdown(k->line, SHUT_WR);
    while (keeper_hear(k->line, &message, fds) == AG_OK) {
    }
    keeper_remove_files(k->spec);
}

/* As process 1 our exit is enough: the kernel kills the rest and waits. */
__attribute__((noreturn)) static void
finish(const struct keeper *k)
{
    if (k->spec->kind != JAIL_FULL) {
        jail_kill_descendants();
        leave_files(k);
    }
    _exit(0);
}

/* ---- the command ---- */

static void
start_child(struct keeper *k)
{
    k->child = fork();
    if (k->child < 0) {
        fail(k->line, CHILD_STEP_SETUP, errno, "fork");
    }
    if (k->child == 0) {
        enum child_step step = CHILD_STEP_SETUP;
        int failed;

        jail_shut_in(k->spec->kind);
        if (k->spec->fence_fd > 0 && fence_enter(k->spec->fence_fd) != AG_OK) {
            fail(k->line, CHILD_STEP_SETUP, errno, "entering the fence");
        }
        failed = child_exec(&k->command, &step);

        fail(k->line, (int)step, failed, k->command.argv[0]);
    }
    /* The child does it too: whoever is first, a signal finds the group. */
    (void)setpgid(k->child, k->child);
}

/* Nothing is kept open here that the streams' ends depend on. */
static void
close_all_but_own(struct keeper *k)
{
    int *own[2 + RELAY_LINES_MAX_COUNT] = {&k->line, &k->signals};
    int count = 2;

    for (size_t i = 0; i < k->line_count; i++) {
        own[count++] = &k->lines[i].fd;
    }
    /* Out of the way first: one of them may have the other's number. */
    for (int i = 0; i < count; i++) {
        *own[i] = fcntl(*own[i], F_DUPFD_CLOEXEC, 3 + count);
    }
    for (int i = 0; i < count; i++) {
        *own[i] = dup3(*own[i], i, O_CLOEXEC);
        if (*own[i] != i) {
            finish(k);
        }
    }
    (void)close_range((unsigned int)count, ~0U, 0);
}

/* ---- the way out ---- */

/* Only when somebody calls: most commands never do. When the task has killed it,
 * the next call has a new one. */
static void
start_relay(struct keeper *k)
{
    k->relay = fork();
    if (k->relay == 0) {
        fd_close(k->line);
        fd_close(k->signals);
        relay_serve(k->lines, k->line_count);
    }
    if (k->relay < 0) {
        k->relay = 0;
        for (size_t i = 0; i < k->line_count; i++) {
            fd_close(accept(k->lines[i].fd, NULL, NULL)); /* not for ever */
        }
    }
}

static void
end_relay(struct keeper *k)
{
    if (k->relay > 0) {
        (void)kill(k->relay, SIGKILL);
        (void)waitpid(k->relay, NULL, 0);
        k->relay = 0;
    }
}

static void
on_children(struct keeper *k)
{
    struct signalfd_siginfo info;
    struct keeper_message message = {0};
    int status = 0;
    pid_t pid;

    (void)!read(k->signals, &info, sizeof(info));
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        k->relay = pid == k->relay && !WIFSTOPPED(status) ? 0 : k->relay;
        if (pid != k->child) {
            continue;
        }
        if (!WIFSTOPPED(status)) {
            end_relay(k);
        }
        message.what = WIFSTOPPED(status) ? KEEPER_STOPPED : KEEPER_ENDED;
        message.value = WIFSTOPPED(status) ? WSTOPSIG(status) : status;
        /* Whoever lost its parent is ours: no child means nobody at all. Then
         * the supervisor need not wait until the namespaces are torn down. */
        message.step = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
        (void)!say(k->line, &message, NULL, 0);
        if (!WIFSTOPPED(status)) {
            finish(k);
        }
    }
}

static void
on_line(struct keeper *k)
{
    struct keeper_message message = {0};
    int fds[2] = {-1, -1};

    if (keeper_hear(k->line, &message, fds) != AG_OK) {
        finish(k); /* the supervisor is gone */
    }
    if (message.what == KEEPER_SIGNAL && k->child > 0) {
        (void)kill(-k->child, message.value);
    }
}

_Static_assert(RELAY_LINES_MAX_COUNT == 2, "watch() looks at two");

__attribute__((noreturn)) static void
watch(struct keeper *k)
{
    for (;;) {
        struct pollfd fds[2 + RELAY_LINES_MAX_COUNT] = {
            {.fd = k->line, .events = POLLIN},
            {.fd = k->signals, .events = POLLIN}};

        for (size_t i = 0; i < k->line_count; i++) {
            fds[2 + i] = (struct pollfd){
                .fd = k->relay == 0 ? k->lines[i].fd : -1, .events = POLLIN};
        }
        if (poll(fds, 2 + k->line_count, -1) < 0 && errno != EINTR) {
            finish(k);
        }
        if (((fds[2].revents | fds[3].revents) & POLLIN) != 0) {
            start_relay(k);
        }
        if ((fds[1].revents & POLLIN) != 0) {
            on_children(k);
        }
        if (fds[0].revents != 0) {
            on_line(k);
        }
    }
}

static void
wait_for_go(const struct keeper *k)
{
    struct keeper_message message = {.what = KEEPER_READY};
    int fds[2] = {-1, -1};

    if (say(k->line, &message, NULL, 0) != AG_OK) {
        finish(k);
    }
    if (!k->spec->at_once && (keeper_hear(k->line, &message, fds) != AG_OK ||
                              message.what != KEEPER_GO)) {
        finish(k);
    }
}

/* A session of its own; the command's group is not orphaned in it, so that ^Z
 * stops it. The keeper leads and is never in the foreground. */
static void
make_session(const struct keeper *k)
{
    int tty = k->command.tty_fd;

    if (setsid() < 0) {
        fail(k->line, CHILD_STEP_SETUP, errno, "setsid");
    }
    if (tty >= 0 && ioctl(tty, TIOCSCTTY, 0) != 0) {
        fail(k->line, CHILD_STEP_SETUP, errno, "taking the terminal");
    }
}

__attribute__((noreturn)) static void
keeper_main(const struct keeper_spec *spec, int line)
{
    struct keeper k = {
        .spec = spec, .command = spec->child, .line = line, .signals = -1};
    sigset_t children;
    bool whole = spec->kind == JAIL_FULL;
    enum ag_err err = jail_enter(
        spec->kind, spec->view,
        spec->file_count > 0 && spec->kind != JAIL_NONE ? spec->dir : NULL);

    if (err != AG_OK) {
        fail(line, err == AG_EUNSUPPORTED ? KEEPER_NO_NAMESPACES : KEEPER_JAIL,
             0, err_text(err));
    }
    if (spec->view != NULL) {
        memcpy(k.lines, spec->view->lines, sizeof(k.lines));
        k.line_count = spec->view->line_count;
    }
    /* Without a PID namespace the end of the line tells, and there is work to
     * do then; with one the kernel does it all. */
    (void)prctl(PR_SET_PDEATHSIG, whole ? SIGKILL : 0, 0, 0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, whole ? 0 : 1, 0, 0, 0);
    if (geteuid() != 0) {
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    open_pty(&k);
    open_files(&k);
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    k.signals = signalfd(-1, &children, SFD_CLOEXEC);
    if (k.signals < 0) {
        fail(line, CHILD_STEP_SETUP, errno, "signalfd");
    }
    make_session(&k);
    wait_for_go(&k);
    start_child(&k);
    close_all_but_own(&k);
    watch(&k);
}

enum ag_err
keeper_start(const struct keeper_spec *spec, pid_t *ret_pid, int *ret_line)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return err_from_errno(errno);
    }
    pid = jail_clone(spec->kind, spec->view);
    if (pid == 0) {
        close(pair[0]);
        keeper_main(spec, pair[1]);
    }
    if (pid < 0) {
        int failed = errno;

        close(pair[0]);
        close(pair[1]);
        return err_why(jail_is_refusal(failed) ? AG_EUNSUPPORTED : AG_EIO,
                       "the kernel refuses namespaces: %s",
                       strerrordesc_np(failed));
    }
    close(pair[1]);
    *ret_pid = pid;
    *ret_line = pair[0];
    return AG_OK;
}

enum ag_err
keeper_tell(int line, enum keeper_hears what, int value)
{
    struct keeper_message message = {.what = (int32_t)what, .value = value};

    return say(line, &message, NULL, 0) == AG_OK ? AG_OK : AG_EIO;
}

enum ag_err
keeper_hear(int line, struct keeper_message *ret, int ret_fds[2])
{
    int fds[FD_PASS_MAX_COUNT];
    size_t fd_count = 0;
    size_t len = 0;
    enum ag_err err = fd_recv(line, ret, sizeof(*ret), &len, fds, &fd_count);

    ret_fds[0] = -1;
    ret_fds[1] = -1;
    for (size_t i = 0; err == AG_OK && i < fd_count; i++) {
        if (i < 2) {
            ret_fds[i] = fds[i];
        } else {
            fd_close(fds[i]);
        }
    }
    return err == AG_OK && len == sizeof(*ret) ? AG_OK : AG_EIO;
}
