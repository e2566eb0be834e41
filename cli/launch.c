#include "launch.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <spawn.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "cli.h"
#include "client.h"

static const char PROGRAM[] = "auth-guardd";
static const char LOG_NAME[] = "broker.log";

enum {
    LOG_MAX_BYTES = 1024 * 1024, /* begun anew above this */
    TAIL_BYTES = 512,            /* of the log, for the error sentence */
    STEP_MIN_MS = 1,
    STEP_MAX_MS = 50,
    LATE_MS = 500,     /* another broker may have won the race to start */
    LEAVING_MS = 5000, /* a broker that ends: its tasks are given a second */
    ENV_MAX_COUNT = 4096,
};

/* `dir`/…/auth-guardd beside our own program, if it can be run. */
static bool
beside(const char *own_dir, const char *below, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/%s%s", own_dir, below, PROGRAM);

    return n > 0 && n < PATH_BYTES && access(out, X_OK) == 0;
}

static bool
in_path(char out[PATH_BYTES])
{
    const char *dir = getenv("PATH");

    while (dir != NULL && *dir != '\0') {
        size_t len = strcspn(dir, ":");
        int n = snprintf(out, PATH_BYTES, "%.*s/%s", (int)len, dir, PROGRAM);

        /* Never from the directory we happen to stand in. */
        if (dir[0] == '/' && n > 0 && n < PATH_BYTES &&
            access(out, X_OK) == 0) {
            return true;
        }
        dir += len + (dir[len] == ':' ? 1 : 0);
    }
    return false;
}

static enum ag_err
find_program(char out[PATH_BYTES])
{
    char own[PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    if (n > 0) {
        own[n] = '\0';
        slash = strrchr(own, '/');
        if (slash != NULL) {
            *slash = '\0';
            if (beside(own, "", out) ||
                beside(own, "../libexec/auth-guard/", out)) {
                return AG_OK;
            }
        }
    }
    return in_path(out) ? AG_OK
                        : err_why(AG_ENOTFOUND,
                                  "the program %s was found neither beside "
                                  "auth-guard nor in PATH; install both",
                                  PROGRAM);
}

static enum ag_err
open_log(int run_fd, int *ret_fd)
{
    struct stat st;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;

    *ret_fd = openat(run_fd, LOG_NAME, flags, 0600);
    if (*ret_fd < 0) {
        return err_why(err_from_errno(errno), "%s can't be opened", LOG_NAME);
    }
    if (fstat(*ret_fd, &st) == 0 && st.st_size > LOG_MAX_BYTES) {
        (void)!ftruncate(*ret_fd, 0);
    }
    return AG_OK;
}

/* The environment of the broker: ours without what proves the operator. */
static void
broker_env(char **out)
{
    size_t n = 0;

    for (char **e = environ; *e != NULL && n < ENV_MAX_COUNT - 1; e++) {
        if (strncmp(*e, "AUTH_GUARD_PASSPHRASE_FILE=", 27) != 0 &&
            strncmp(*e, "AUTH_GUARD_TOKEN=", 17) != 0) {
            out[n++] = *e;
        }
    }
    out[n] = NULL;
}

static enum ag_err
spawn(const char *program, int log_fd, pid_t *ret)
{
    char *argv[] = {(char[]){"auth-guardd"}, NULL};
    char **env = calloc(ENV_MAX_COUNT, sizeof(*env));
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t all;
    sigset_t none;
    int failed;

    if (env == NULL) {
        return AG_ENOMEM;
    }
    broker_env(env);
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGKILL);
    (void)sigdelset(&all, SIGSTOP);
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
    (void)posix_spawn_file_actions_adddup2(&files, 0, 1);
    (void)posix_spawn_file_actions_adddup2(&files, log_fd, 2);
    /* What the person's shell holds open (a lock, a pipe) is not the broker's to
     * keep. */
    (void)posix_spawn_file_actions_addclosefrom_np(&files, 3);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID |
                                              POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawnattr_setsigdefault(&attr, &all);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    failed = posix_spawn(ret, program, &files, &attr, argv, env);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attr);
    free(env);
    return failed == 0 ? AG_OK
                       : err_why(err_from_errno(failed), "%s: %s", program,
                                 strerrordesc_np(failed));
}

/* The last line the broker wrote, for the person. */
static enum ag_err
gave_up(const struct cli *cli, int run_fd)
{
    AG_AUTO(fd) int fd = openat(run_fd, LOG_NAME, O_RDONLY | O_CLOEXEC);
    char tail[TAIL_BYTES + 1] = "";
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    char *line = tail;
    ssize_t n = 0;

    if (size > 0) {
        n = pread(fd, tail, TAIL_BYTES,
                  size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    }
    while (n > 0 && tail[n - 1] == '\n') {
        n--;
    }
    tail[n > 0 ? n : 0] = '\0';
    if (strrchr(tail, '\n') != NULL) {
        line = strrchr(tail, '\n') + 1;
    }
    return err_why(AG_ESTART, "the broker gave up: %s (more in %s/%s)",
                   *line == '\0' ? "it said nothing" : line, cli->paths.run,
                   LOG_NAME);
}

static enum ag_err
ask_health(struct cli *cli)
{
    const struct client_request health = {.method = "GET",
                                          .path = "/v1/health"};

    return client_call(cli->client, &health, NULL);
}

/* Its sockets are there before it has looked at the vault, and take connections
 * of which nothing comes when it gives up: it must answer. */
static enum ag_err
open_answering(struct cli *cli)
{
    enum ag_err err = client_open(cli->paths.admin_sock, &cli->client);

    if (err == AG_OK && ask_health(cli) != AG_OK) {
        client_close(AG_TAKE(cli->client));
        return AG_ENOBROKER;
    }
    return err;
}

static enum ag_err
wait_ready(struct cli *cli, pid_t pid, int run_fd)
{
    int64_t now_ms = clock_steady_ms();
    int64_t deadline_ms = now_ms + LAUNCH_READY_MS;
    long step_ms = STEP_MIN_MS;
    bool ended = false;
    enum ag_err err = AG_ENOBROKER;

    while (err == AG_ENOBROKER && now_ms < deadline_ms) {
        struct timespec pause = {.tv_nsec = step_ms * 1000000};
        int status;

        (void)nanosleep(&pause, NULL);
        err = open_answering(cli);
        now_ms = clock_steady_ms();
        if (!ended && waitpid(pid, &status, WNOHANG) == pid) {
            ended = true;
            deadline_ms = now_ms + LATE_MS;
        }
        step_ms = step_ms * 2 > STEP_MAX_MS ? STEP_MAX_MS : step_ms * 2;
    }
    if (err != AG_ENOBROKER) {
        return err;
    }
    if (ended) {
        return gave_up(cli, run_fd);
    }
    return err_why(AG_ETIMEOUT,
                   "the broker was started but isn't ready after "
                   "%d s; see %s/%s",
                   LAUNCH_READY_MS / 1000, cli->paths.run, LOG_NAME);
}

/*
 * Connects to a broker that answers. One that is on its way out still takes
 * connections for a moment: that is waited for.
 */
static enum ag_err
find_running(struct cli *cli)
{
    const struct timespec pause = {.tv_nsec = STEP_MAX_MS * 1000000L};
    int64_t deadline_ms = clock_steady_ms() + LEAVING_MS;
    enum ag_err err = client_open(cli->paths.api_sock, &cli->client);

    while (err == AG_OK && ask_health(cli) != AG_OK) {
        client_close(AG_TAKE(cli->client));
        if (clock_steady_ms() >= deadline_ms) {
            return AG_ENOBROKER;
        }
        (void)nanosleep(&pause, NULL);
        err = client_open(cli->paths.api_sock, &cli->client);
    }
    return err;
}

enum ag_err
launch_broker(struct cli *cli)
{
    char program[PATH_BYTES];
    AG_AUTO(fd) int run_fd = -1;
    AG_AUTO(fd) int log_fd = -1;
    pid_t pid = 0;
    enum ag_err err;

    if (cli->client != NULL) {
        return AG_OK;
    }
    err = find_running(cli);
    if (err != AG_ENOBROKER ||
        strcmp(cli->paths.api_sock, cli->paths.admin_sock) != 0) {
        return err;
    }
    err = find_program(program);
    if (err == AG_OK) {
        err = fs_private_dir(cli->paths.run, &run_fd);
    }
    if (err == AG_OK) {
        err = open_log(run_fd, &log_fd);
    }
    if (err == AG_OK) {
        out_progress(&cli->out, "starting the broker");
        err = spawn(program, log_fd, &pid);
    }
    if (err == AG_OK) {
        err = wait_ready(cli, pid, run_fd);
    }
    out_progress(&cli->out, NULL);
    return err;
}
