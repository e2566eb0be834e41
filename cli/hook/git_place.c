#include "hook/git_place.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli.h"
#include "hook/git.h"

static enum ag_err
ask_path(const char *const *words, char out[PATH_BYTES])
{
    const struct git_call call = {
        .words = words, .stdin_fd = -1, .quiet = true};
    AG_AUTO(buf) struct buf answer;
    enum ag_err err;

    buf_init(&answer, PATH_BYTES - 1, BUF_PLAIN);
    err = git_answer(&call, &answer);
    if (err == AG_OK) {
        (void)snprintf(out, PATH_BYTES, "%s", buf_cstr(&answer));
    }
    return err;
}

static enum ag_err
own_path(const struct cli *cli, char out[PATH_BYTES])
{
    const char *slash = strrchr(cli->paths.config, '/');
    int n = slash == NULL
                ? -1
                : snprintf(out, PATH_BYTES, "%.*s/git/auth-guard-hooks",
                           (int)(slash - cli->paths.config), cli->paths.config);

    return n > 0 && n < PATH_BYTES
               ? AG_OK
               : err_why(AG_EINVAL, "the path of the settings is too long");
}

/* Of all repositories: where git looks by the person's configuration, or a
 * directory of our own, of which git is to be told. */
static enum ag_err
global_path(const struct cli *cli, struct git_place *ret)
{
    static const char *const words[] = {"config", "--global", "--type=path",
                                        "core.hooksPath", NULL};
    char own[PATH_BYTES];
    enum ag_err err = own_path(cli, own);

    if (err != AG_OK) {
        return err;
    }
    err = ask_path(words, ret->path);
    if (err == AG_EINVAL) { /* it is not set */
        err_clear();
        (void)stpcpy(ret->path, own);
        err = AG_OK;
    }
    ret->own = strcmp(ret->path, own) == 0;
    return err;
}

/* By whatever name it has there. */
static bool
is_same(const char *path, const char *other)
{
    struct stat a;
    struct stat b;

    return strcmp(path, other) == 0 ||
           (stat(path, &a) == 0 && stat(other, &b) == 0 &&
            a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

/* Of one repository: not ours of all, where git looks in one without a hooks
 * path of its own. */
static enum ag_err
own_of_one(const struct cli *cli, const struct git_place *p)
{
    char own[PATH_BYTES];
    enum ag_err err = own_path(cli, own);

    return err == AG_OK && is_same(p->path, own)
               ? err_why(AG_ECONFLICT,
                         "%s has the hooks of all repositories: say --global",
                         p->path)
               : err;
}

enum ag_err
git_place_find(const struct cli *cli, bool global, const char *dir,
               struct git_place *ret)
{
    const char *const words[] = {
        "-C",         dir,     "rev-parse", "--path-format=absolute",
        "--git-path", "hooks", NULL};
    enum ag_err err;

    ret->dir_fd = -1;
    ret->own = false;
    if (global) {
        return global_path(cli, ret);
    }
    err = ask_path(words, ret->path);
    if (err == AG_EINVAL) {
        return err_why(AG_EINVAL, "%s is in no git repository", dir);
    }
    return err == AG_OK ? own_of_one(cli, ret) : err;
}

/* With what is missing of its parents. */
static enum ag_err
make_dir(const char *path)
{
    char part[PATH_BYTES];
    size_t len = strlen(path);

    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        (void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
        if (mkdir(part, 0755) != 0 && errno != EEXIST) {
            return err_why(err_from_errno(errno), "%s: %s", part,
                           strerrordesc_np(errno));
        }
    }
    return AG_OK;
}

enum ag_err
git_place_open(struct git_place *p)
{
    p->dir_fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return p->dir_fd >= 0 ? AG_OK
                          : err_why(err_from_errno(errno), "%s: %s", p->path,
                                    strerrordesc_np(errno));
}

enum ag_err
git_place_tell(const struct git_place *p)
{
    const char *const words[] = {"config", "--global", "core.hooksPath",
                                 p->path, NULL};
    char answer[PATH_BYTES];

    return ask_path(words, answer);
}

enum ag_err
git_place_forget(const struct git_place *p)
{
    static const char *const words[] = {"config", "--global", "--unset",
                                        "core.hooksPath", NULL};
    char answer[PATH_BYTES];
    enum ag_err err = ask_path(words, answer);

    (void)rmdir(p->path); /* stays if there is something else in it */
    return err;
}

enum ag_err
git_place_make(const struct git_place *p)
{
    return make_dir(p->path);
}
