/* hook install command: a script of the command's name, before it in PATH. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "cli.h"
#include "hook/hook.h"
#include "shim.h"

enum {
    SCRIPT_MAX_BYTES = 8 * PATH_BYTES,
    SCRIPT_MODE = 0755,
};

static const char MARK[] =
    "#!/bin/sh\n# Made by auth-guard hook install command; ";

static bool
is_ours(int dir_fd, const char *name)
{
    AG_AUTO(fd)
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char head[sizeof(MARK)] = "";

    return fd >= 0 &&
           read(fd, head, sizeof(MARK) - 1) == (ssize_t)sizeof(MARK) - 1 &&
           strcmp(head, MARK) == 0;
}

/* --dir, or ~/.local/bin. */
static enum ag_err
open_dir(const char *given, char path[PATH_BYTES], int *ret)
{
    const char *home = getenv("HOME");
    int n = given != NULL ? snprintf(path, PATH_BYTES, "%s", given)
                          : snprintf(path, PATH_BYTES, "%s/.local/bin",
                                     home == NULL ? "" : home);

    if (n < 0 || n >= PATH_BYTES) {
        return err_why(AG_ELIMIT, "the directory has too long a name");
    }
    *ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? err_why(err_from_errno(errno), "%s: %s", path,
                              strerrordesc_np(errno))
                    : AG_OK;
}

static enum ag_err
script_text(const char *command, bool must_know, struct buf *out)
{
    char program[PATH_BYTES];
    enum ag_err err = hook_program(program);

    if (err == AG_OK) {
        err = buf_fmt(out,
                      "%sauth-guard hook remove command takes it away.\n"
                      "program=",
                      MARK);
    }
    if (err == AG_OK) {
        err = shim_add_quoted(out, program);
    }
    if (err == AG_OK) {
        err = buf_fmt(out,
                      "\nif [ ! -x \"$program\" ]; then\n"
                      "    echo \"auth-guard: $program is gone, so that "
                      "nothing was looked for; install it, or take this "
                      "script away: rm $0\" >&2\n"
                      "    exit 1\n"
                      "fi\n"
                      "exec \"$program\" hook run post %s-- ",
                      must_know ? "--require-vault " : "");
    }
    if (err == AG_OK) {
        err = shim_add_quoted(out, command);
    }
    return err == AG_OK ? buf_add_str(out, " \"$@\"\n") : err;
}

static enum ag_err
write_script(int dir_fd, const char *name, struct span text)
{
    char temporary[SHIM_NAME_MAX_BYTES + 16];
    AG_AUTO(fd) int fd = -1;
    enum ag_err err;

    (void)snprintf(temporary, sizeof(temporary), ".%s.auth-guard", name);
    (void)unlinkat(dir_fd, temporary, 0);
    fd = openat(dir_fd, temporary,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                SCRIPT_MODE);
    err = fd < 0 ? err_from_errno(errno) : fd_write_all(fd, text);
    if (err == AG_OK && renameat(dir_fd, temporary, dir_fd, name) != 0) {
        err = err_from_errno(errno);
    }
    if (err != AG_OK) {
        (void)unlinkat(dir_fd, temporary, 0);
    }
    return err;
}

static bool
is_shim(const struct cli *cli, const char *name)
{
    AG_AUTO(fd) int dir_fd = -1;
    json_auto_t *record = NULL;
    bool is_one = shim_dir_open(&cli->paths, false, &dir_fd) == AG_OK &&
                  shim_read(dir_fd, name, &record) == AG_OK;

    err_clear();
    return is_one;
}

static enum ag_err
install(struct cli *cli, int dir_fd, const char *dir, const char *name,
        bool must_know)
{
    AG_AUTO(buf) struct buf text;
    json_auto_t *record = NULL;
    const char *set = getenv("PATH");
    const char *places = set == NULL ? "" : set;
    const char *command;
    struct stat st;
    enum ag_err err = shim_find(dir_fd, name, places, &record);

    buf_init(&text, SCRIPT_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK) {
        return err;
    }
    command = json_string_value(json_object_get(record, "path"));
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        !is_ours(dir_fd, name)) {
        return err_why(AG_EEXISTS,
                       "%s/%s is there already, and not ours; name another "
                       "directory by --dir",
                       dir, name);
    }
    if (is_shim(cli, name)) {
        return err_why(AG_EEXISTS,
                       "%s is a shim, which would be passed by; take it away, "
                       "install this, and make it anew: auth-guard shim",
                       name);
    }
    if (!shim_is_first(dir_fd, places, command)) {
        return err_why(AG_EINVAL,
                       "%s does not come before %s in PATH: nobody would find "
                       "the script there",
                       dir, command);
    }
    err = script_text(command, must_know, &text);
    if (err == AG_OK) {
        err = write_script(dir_fd, name, buf_view(&text));
    }
    if (err == AG_OK) {
        out_say(&cli->out, "%s/%s asks auth-guard now, then runs %s.", dir,
                name, command);
    }
    return err;
}

enum ag_err
hook_install_command(struct cli *cli, int argc, char **argv)
{
    const char *given = NULL;
    bool must_know = false;
    const struct arg_opt opts[] = {
        {"dir", ARG_TEXT, &given, "DIR",
         "where the script goes; ~/.local/bin unless said\notherwise"},
        {"require-vault", ARG_FLAG, &must_know, NULL,
         "refuse while values of the vault can't be looked for;\n"
         "else rules alone are used then"},
    };
    const struct arg_spec spec = {
        .usage = "hook install command [options] NAME",
        .about = "Has a command that sends texts to others (gh, glab, a "
                 "ticket's) ask: a script of its\nname, which comes before it "
                 "in PATH and calls auth-guard hook run post.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    AG_AUTO(fd) int dir_fd = -1;
    char dir[PATH_BYTES];
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = shim_name_check(args.words[0]);
    if (err == AG_OK) {
        err = open_dir(given, dir, &dir_fd);
    }
    return err == AG_OK ? install(cli, dir_fd, dir, args.words[0], must_know)
                        : err;
}

enum ag_err
hook_remove_command(struct cli *cli, int argc, char **argv)
{
    const char *given = NULL;
    const struct arg_opt opts[] = {
        {"dir", ARG_TEXT, &given, "DIR", "where the script is"},
    };
    const struct arg_spec spec = {.usage = "hook remove command [options] NAME",
                                  .about = "Has a command ask no more.",
                                  .opts = opts,
                                  .opt_count = AG_COUNT(opts),
                                  .words_min = 1,
                                  .words_max = 1};
    AG_AUTO(fd) int dir_fd = -1;
    char dir[PATH_BYTES];
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = shim_name_check(args.words[0]);
    if (err == AG_OK) {
        err = open_dir(given, dir, &dir_fd);
    }
    if (err != AG_OK) {
        return err;
    }
    if (!is_ours(dir_fd, args.words[0])) {
        return err_why(AG_ENOTFOUND, "%s has no %s of auth-guard", dir,
                       args.words[0]);
    }
    if (unlinkat(dir_fd, args.words[0], 0) != 0) {
        return err_from_errno(errno);
    }
    out_say(&cli->out, "%s asks auth-guard no more.", args.words[0]);
    return AG_OK;
}
