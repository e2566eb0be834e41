#include "privsep/runner_exec.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/fdx.h"

#ifndef MFD_EXEC /* Linux 6.3 */
#define MFD_EXEC 0x0010U
#endif

enum {
    PIECE_BYTES = 64 * 1024,
    ASIDE_FD = 20, /* above all that a program gets */
    PROGRAM_FD = 9,
    STRAYS_ROUNDS_COUNT = 200, /* of 1 ms; less than helper_stop() waits */
};

/* ---- a copy of the program ---- */

static enum ag_err
make_copy(int *ret_fd)
{
    int fd =
        memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd < 0 && errno == EACCES) {
        return err_why(AG_EUNSUPPORTED,
                       "this system executes nothing from memory "
                       "(sysctl vm.memfd_noexec is 2): no program on record "
                       "can be started");
    }
    if (fd < 0) {
        return err_from_errno(errno);
    }
    *ret_fd = fd;
    return AG_OK;
}

/* Copies and hashes the same bytes. */
static enum ag_err
copy(int from, int to, uint8_t hash[RUNNER_HASH_BYTES])
{
    static uint8_t piece[PIECE_BYTES];
    crypto_hash_sha256_state state;
    size_t total = 0;
    ssize_t got = 1;
    enum ag_err err = AG_OK;

    (void)crypto_hash_sha256_init(&state);
    while (err == AG_OK && got > 0) {
        got = read(from, piece, sizeof(piece));
        if (got < 0) {
            return err_from_errno(errno);
        }
        total += (size_t)got;
        if (total > RUNNER_PROGRAM_MAX_BYTES) {
            return AG_EFILE;
        }
        (void)crypto_hash_sha256_update(&state, piece, (size_t)got);
        err = fd_write_all(to, span_of(piece, (size_t)got));
    }
    (void)crypto_hash_sha256_final(&state, hash);
    return err;
}

enum ag_err
runner_load(const char *path, const uint8_t hash[RUNNER_HASH_BYTES],
            int *ret_fd)
{
    AG_AUTO(fd) int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    AG_AUTO(fd) int made = -1;
    uint8_t found[RUNNER_HASH_BYTES];
    struct stat facts;
    enum ag_err err = AG_OK;

    if (file < 0) {
        return err_from_errno(errno);
    }
    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return AG_EFILE;
    }
    err = make_copy(&made);
    if (err == AG_OK) {
        err = copy(file, made, found);
    }
    if (err != AG_OK) {
        return err;
    }
    if (sodium_memcmp(found, hash, sizeof(found)) != 0) {
        return err_why(AG_ECHANGED, "%s is not what was put on record", path);
    }
    if (fcntl(made, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        return err_from_errno(errno);
    }
    *ret_fd = FD_TAKE(made);
    return AG_OK;
}

/* ---- the child ---- */

/* Descriptors by their number in the program, all of them above ASIDE_FD. */
struct ends {
    int in;
    int out;
    int nowhere;
    int values[RUNNER_FDS_COUNT];
    int program;
};

static void
ends_close(struct ends *e)
{
    fd_close(e->in);
    fd_close(e->out);
    fd_close(e->nowhere);
    fd_close(e->program);
    for (size_t i = 0; i < RUNNER_FDS_COUNT; i++) {
        fd_close(e->values[i]);
    }
}

AG_DEFINE_CLEANUP_INPLACE(ends, ends_close)

/* Between fork and exec: calls that are safe after a signal alone. */
static _Noreturn void
become(const struct ends *e, char *const argv[], pid_t parent)
{
    static char path[] =
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char locale[] = "LC_ALL=C.UTF-8";
    static char home[] = "HOME=/nonexistent"; /* unset, many ask getpwuid() */
    char *const envp[] = {path, locale, home, NULL};
    bool failed = signal(SIGPIPE, SIG_DFL) == SIG_ERR || setsid() < 0 ||
                  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
                  getppid() != parent || dup2(e->in, STDIN_FILENO) < 0 ||
                  dup2(e->out, STDOUT_FILENO) < 0 ||
                  dup2(e->nowhere, STDERR_FILENO) < 0;

    for (int i = 0; !failed && i < RUNNER_FDS_COUNT; i++) {
        failed = dup2(e->values[i], RUNNER_OLD_FD + i) < 0;
    }
    /* A script is opened anew by its interpreter, by this number. */
    if (!failed && dup2(e->program, PROGRAM_FD) >= 0) {
        (void)syscall(SYS_execveat, PROGRAM_FD, "", argv, envp, AT_EMPTY_PATH);
    }
    _exit(127);
}

static enum ag_err
aside(int fd, int *ret)
{
    *ret = fcntl(fd, F_DUPFD_CLOEXEC, ASIDE_FD);
    return *ret >= 0 ? AG_OK : err_from_errno(errno);
}

static enum ag_err
pipe_aside(int *ret_read, int *ret_write)
{
    int ends[2];
    enum ag_err err = AG_OK;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    err = aside(ends[0], ret_read);
    if (err == AG_OK) {
        err = aside(ends[1], ret_write);
    }
    fd_close(ends[0]);
    fd_close(ends[1]);
    return err;
}

static enum ag_err
make_ends(int program_fd, const struct runner_job *job, struct ends *e,
          int *ret_output)
{
    const int given[RUNNER_FDS_COUNT] = {job->old_fd, job->new_fd, job->out_fd};
    AG_AUTO(fd) int input = -1;
    AG_AUTO(fd) int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    enum ag_err err = nowhere < 0 ? AG_EIO : aside(nowhere, &e->nowhere);

    if (err == AG_OK) {
        err = aside(program_fd, &e->program);
    }
    if (err == AG_OK) {
        err = pipe_aside(&e->in, &input);
    }
    if (err == AG_OK) {
        err = fd_write_all(input, job->input);
    }
    if (err == AG_OK) {
        err = pipe_aside(ret_output, &e->out);
    }
    for (size_t i = 0; err == AG_OK && i < RUNNER_FDS_COUNT; i++) {
        err = aside(given[i] >= 0 ? given[i] : nowhere, &e->values[i]);
    }
    return err;
}

/* ---- its end ---- */

/* Takes what is there; false at the end, or when it is more than it may be.
 * errno is EAGAIN when nothing was there, else not. */
static bool
drain(int fd, struct buf *output)
{
    uint8_t piece[1024];
    ssize_t got = 0;
    bool more = false;

    errno = 0;
    got = read(fd, piece, sizeof(piece));
    if (got < 0) {
        return errno == EINTR || errno == EAGAIN;
    }
    more = got > 0 && buf_add(output, span_of(piece, (size_t)got)) == AG_OK;
    sodium_memzero(piece, sizeof(piece));
    return more;
}

enum watched {
    WATCHED_END,  /* its own */
    WATCHED_TIME, /* its time is up */
    WATCHED_CUT,  /* the broker says so, or is gone */
};

/* What it leaves running can keep its output open, so its own end decides. A
 * packet that comes meanwhile is a cancellation: there is nothing else. */
static enum watched
watch(int pidfd, int output_fd, int channel_fd, int64_t limit_ms,
      struct buf *output)
{
    int64_t end_ms = clock_steady_ms() + limit_ms;
    bool reads = true;
    int64_t left_ms = limit_ms;

    while (left_ms > 0) {
        struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                               {.fd = reads ? output_fd : -1, .events = POLLIN},
                               {.fd = channel_fd, .events = POLLIN}};

        (void)poll(fds, AG_COUNT(fds), (int)left_ms);
        if (fds[2].revents != 0) {
            return WATCHED_CUT;
        }
        if (fds[1].revents != 0) {
            reads = drain(output_fd, output);
        } else if (fds[0].revents != 0) {
            return WATCHED_END;
        }
        left_ms = end_ms - clock_steady_ms();
    }
    return WATCHED_TIME;
}

/* Whose parent is gone becomes this process's child, as a subreaper's. */
static void
kill_children(void)
{
    char text[1024];
    char *at = text;
    ssize_t got = 0;
    AG_AUTO(fd)
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        got = read(fd, text, sizeof(text) - 1);
    }
    text[got > 0 ? got : 0] = '\0';
    while (*at != '\0') {
        int pid = 0;
        int used = 0;

        // NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers
        if (sscanf(at, "%d %n", &pid, &used) != 1 || used <= 0) {
            return;
        }
        (void)kill(pid, SIGKILL);
        at += used;
    }
}

static void
reap_all(pid_t pid, int *ret_status)
{
    for (int i = 0; i < STRAYS_ROUNDS_COUNT; i++) {
        int status = 0;
        pid_t got = 0;

        kill_children();
        do {
            got = waitpid(-1, &status, WNOHANG);
            if (got == pid) {
                *ret_status = status;
            }
        } while (got > 0);
        if (got < 0) {
            return; /* there is none left */
        }
        (void)poll(NULL, 0, 1);
    }
}

enum ag_err
runner_exec(int program_fd, int channel_fd, const struct runner_job *job,
            struct runner_result *ret, struct buf *output)
{
    AG_AUTO(ends) struct ends e = {-1, -1, -1, {-1, -1, -1}, -1};
    AG_AUTO(fd) int read_fd = -1;
    AG_AUTO(fd) int pidfd = -1;
    const char *slash = strrchr(job->path, '/');
    char name[64];
    char act[16];
    char *const argv[] = {name, act, NULL};
    pid_t parent = getpid();
    pid_t pid = 0;
    int status = 0;
    enum watched end = WATCHED_END;
    enum ag_err err = make_ends(program_fd, job, &e, &read_fd);

    (void)snprintf(name, sizeof(name), "%s",
                   slash != NULL ? slash + 1 : job->path);
    (void)snprintf(act, sizeof(act), "%s", job->act);
    if (err == AG_OK) {
        err = fd_set_nonblock(read_fd, true);
    }
    if (err != AG_OK) {
        return err;
    }
    pid = fork();
    if (pid == 0) {
        become(&e, argv, parent);
    }
    if (pid < 0) {
        return err_from_errno(errno);
    }
    ends_close(&e);
    e = (struct ends){-1, -1, -1, {-1, -1, -1}, -1};
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    end = watch(pidfd, read_fd, channel_fd, job->limit_ms, output);
    ret->timed_out = end == WATCHED_TIME;
    ret->cut_off = end == WATCHED_CUT;
    (void)kill(pid, SIGKILL); /* not reaped yet: the pid is still its */
    reap_all(pid, &status);
    while (drain(read_fd, output) && errno != EAGAIN) {
    }
    ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return AG_OK;
}
