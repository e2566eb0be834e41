#include "hook/git.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spawn.h>

#include "base/buf.h"
#include "base/fdx.h"

enum {
    READ_BYTES = 64 * 1024, /* what a pipe holds */
};

static enum ag_err
spawn_git(const struct git_call *call, int out_fd, pid_t *ret)
{
    char *argv[GIT_WORDS_MAX_COUNT + 2];
    posix_spawn_file_actions_t files;
    size_t n = 0;
    int failed;

    argv[n++] = (char[]){"git"};
    for (size_t i = 0; call->words[i] != NULL; i++) {
        AG_ASSERT(n <= GIT_WORDS_MAX_COUNT);
        memcpy(&argv[n++], &call->words[i], sizeof(argv[0]));
    }
    argv[n] = NULL;
    (void)posix_spawn_file_actions_init(&files);
    if (call->stdin_fd >= 0) {
        (void)posix_spawn_file_actions_adddup2(&files, call->stdin_fd, 0);
    } else {
        (void)posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY,
                                               0);
    }
    (void)posix_spawn_file_actions_adddup2(&files, out_fd, 1);
    if (call->quiet) {
        (void)posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY,
                                               0);
    }
    failed = posix_spawnp(ret, "git", &files, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    return failed == 0        ? AG_OK
           : failed == ENOENT ? err_why(AG_ENOTFOUND, "git is not in PATH")
                              : err_from_errno(failed);
}

static enum ag_err
read_parts(int fd, git_part_fn *part, void *ctx)
{
    uint8_t *block = malloc(READ_BYTES);
    ssize_t n = 1;
    enum ag_err err = block == NULL ? AG_ENOMEM : AG_OK;

    while (err == AG_OK && n != 0) {
        n = read(fd, block, READ_BYTES);
        if (n > 0) {
            err = part(ctx, span_of(block, (size_t)n));
        } else if (n < 0 && errno != EINTR) {
            err = err_from_errno(errno);
        }
    }
    if (block != NULL) {
        explicit_bzero(block, READ_BYTES);
    }
    free(block);
    return err;
}

static int
wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

enum ag_err
git_run(const struct git_call *call, git_part_fn *part, void *ctx)
{
    int pair[2];
    pid_t pid = 0;
    int code;
    enum ag_err err;

    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    err = spawn_git(call, pair[1], &pid);
    fd_close(pair[1]);
    if (err == AG_OK) {
        err = read_parts(pair[0], part, ctx);
        fd_close(pair[0]);
        code = wait_for(pid);
        return err != AG_OK || code == 0
                   ? err
                   : err_why(AG_EINVAL, "git %s failed (exit code %d)",
                             call->words[0], code);
    }
    fd_close(pair[0]);
    return err;
}

static enum ag_err
gather(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

enum ag_err
git_answer(const struct git_call *call, struct buf *out)
{
    enum ag_err err = git_run(call, gather, out);

    if (err == AG_OK && out->len > 0 && out->ptr[out->len - 1] == '\n') {
        buf_truncate(out, out->len - 1);
    }
    return err;
}

enum ag_err
git_program(char *const *words, int stdin_fd, int *ret_code)
{
    posix_spawn_file_actions_t files;
    pid_t pid = 0;
    int failed;

    (void)posix_spawn_file_actions_init(&files);
    if (stdin_fd >= 0) {
        (void)posix_spawn_file_actions_adddup2(&files, stdin_fd, 0);
    }
    failed = posix_spawn(&pid, words[0], &files, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    if (failed != 0) {
        return err_why(err_from_errno(failed), "%s can't be started: %s",
                       words[0], strerrordesc_np(failed));
    }
    *ret_code = wait_for(pid);
    return AG_OK;
}
