/* hook install git, hook remove git. */
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
#include "hook/git_place.h"
#include "hook/hook.h"
#include "shim.h"

enum {
    SCRIPT_MAX_BYTES = 8 * PATH_BYTES,
    SCRIPT_MODE = 0755, /* as git's own; there is nothing secret in it */
    NAME_BYTES = 96,
};

static const char MARK[] = "#!/bin/sh\n# Made by auth-guard hook install git; ";
static const char KEPT_END[] = ".before-auth-guard";

/* The first CHECKED_COUNT look for secrets. A directory for all repositories
 * has all of them, or the repositories' own would not run any more. */
static const char *const NAMES[] = {"pre-commit",
                                    "commit-msg",
                                    "pre-push",
                                    "applypatch-msg",
                                    "pre-applypatch",
                                    "post-applypatch",
                                    "pre-merge-commit",
                                    "post-commit",
                                    "prepare-commit-msg",
                                    "pre-rebase",
                                    "post-checkout",
                                    "post-merge",
                                    "post-rewrite",
                                    "pre-auto-gc",
                                    "push-to-checkout",
                                    "sendemail-validate",
                                    "reference-transaction",
                                    "pre-receive",
                                    "update",
                                    "post-receive",
                                    "post-update",
                                    "proc-receive",
                                    "post-index-change",
                                    "p4-changelist",
                                    "p4-prepare-changelist",
                                    "p4-post-changelist",
                                    "p4-pre-submit"};

enum {
    CHECKED_COUNT = 3,
};

/* ---- one script ---- */

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

static bool
is_there(int dir_fd, const char *name)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
kept_name(const char *name, char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, "%s%s", name, KEPT_END);
}

/* "$0" is the script: what it was before lies beside it. */
static enum ag_err
script_text(const char *name, const char *options, struct buf *out)
{
    const char *home = getenv("AUTH_GUARD_HOME");
    char program[PATH_BYTES];
    enum ag_err err = hook_program(program);

    if (err == AG_OK) {
        err = buf_fmt(out,
                      "%sauth-guard hook remove git takes it away.\n"
                      "program=",
                      MARK);
    }
    if (err == AG_OK) {
        err = shim_add_quoted(out, program);
    }
    if (err == AG_OK && home != NULL && *home != '\0') {
        err = buf_add_str(out, "\nhome=");
        if (err == AG_OK) {
            err = shim_add_quoted(out, home);
        }
        if (err == AG_OK) {
            err = buf_add_str(out, "\nexport AUTH_GUARD_HOME="
                                   "\"${AUTH_GUARD_HOME:-$home}\"");
        }
    }
    return err != AG_OK
               ? err
               : buf_fmt(out,
                         "\nif [ ! -x \"$program\" ]; then\n"
                         "    echo \"auth-guard: $program is gone, so that "
                         "nothing was looked for; install it, or take this "
                         "hook away: rm $0\" >&2\n"
                         "    exit 1\n"
                         "fi\n"
                         "exec \"$program\" hook run git %s %s \"$@\"\n",
                         options, name);
}

static enum ag_err
write_script(int dir_fd, const char *name, struct span text)
{
    char temporary[NAME_BYTES];
    AG_AUTO(fd) int fd = -1;
    enum ag_err err;

    (void)snprintf(temporary, sizeof(temporary), ".%s.auth-guard", name);
    (void)unlinkat(dir_fd, temporary, 0);
    fd = openat(dir_fd, temporary,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                SCRIPT_MODE);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    err = fd_write_all(fd, text);
    if (err == AG_OK && renameat(dir_fd, temporary, dir_fd, name) != 0) {
        err = err_from_errno(errno);
    }
    if (err != AG_OK) {
        (void)unlinkat(dir_fd, temporary, 0);
    }
    return err;
}

/* What is there goes on under another name, without a moment in which neither
 * is there. */
static enum ag_err
keep_other(const struct git_place *p, const char *name)
{
    char kept[NAME_BYTES];

    if (!is_there(p->dir_fd, name) || is_ours(p->dir_fd, name)) {
        return AG_OK;
    }
    kept_name(name, kept);
    if (is_there(p->dir_fd, kept)) {
        return err_why(AG_ECONFLICT,
                       "%s has both %s and %s, which was put aside before; "
                       "make them one",
                       p->path, name, kept);
    }
    if (linkat(p->dir_fd, name, p->dir_fd, kept, 0) != 0 &&
        renameat(p->dir_fd, name, p->dir_fd, kept) != 0) {
        return err_from_errno(errno);
    }
    return AG_OK;
}

/* ---- install ---- */

struct wish {
    bool global;
    bool must_know;
    bool wanted[CHECKED_COUNT];
};

static enum ag_err
install_one(const struct git_place *p, const struct wish *w, const char *name)
{
    AG_AUTO(buf) struct buf text;
    char options[NAME_BYTES];
    enum ag_err err;

    buf_init(&text, SCRIPT_MAX_BYTES, BUF_PLAIN);
    (void)snprintf(options, sizeof(options), "%s%s",
                   w->must_know ? "--require-vault " : "",
                   p->own ? "--chain-repository"
                          : "--chain \"$0.before-auth-guard\"");
    err = script_text(name, options, &text);
    if (err == AG_OK && !p->own) {
        err = keep_other(p, name);
    }
    return err == AG_OK ? write_script(p->dir_fd, name, buf_view(&text)) : err;
}

/* "pre-commit,pre-push" */
static enum ag_err
take_names(const char *list, struct wish *w)
{
    for (size_t i = 0; i < CHECKED_COUNT; i++) {
        w->wanted[i] = list == NULL;
    }
    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");
        bool known = false;

        for (size_t i = 0; i < CHECKED_COUNT; i++) {
            if (span_is(span_of(list, len), NAMES[i])) {
                w->wanted[i] = true;
                known = true;
            }
        }
        if (!known) {
            return err_why(AG_EUSAGE,
                           "--hooks has pre-commit, commit-msg and pre-push, "
                           "not %.*s",
                           (int)len, list);
        }
        list += len + (list[len] == ',' ? 1 : 0);
    }
    return AG_OK;
}

static enum ag_err
install(const struct cli *cli, struct git_place *p, const struct wish *w)
{
    enum ag_err err = git_place_make(p);

    if (err == AG_OK) {
        err = git_place_open(p);
    }
    for (size_t i = 0; err == AG_OK && i < AG_COUNT(NAMES); i++) {
        if (i < CHECKED_COUNT ? w->wanted[i] : p->own) {
            err = install_one(p, w, NAMES[i]);
        }
        if (err == AG_OK && i < CHECKED_COUNT && w->wanted[i]) {
            out_say(&cli->out, "%s/%s asks auth-guard now.", p->path, NAMES[i]);
        }
    }
    fd_close(p->dir_fd);
    return err == AG_OK && p->own ? git_place_tell(p) : err;
}

enum ag_err
hook_install_git(struct cli *cli, int argc, char **argv)
{
    struct wish w = {.global = false};
    const char *names = NULL;
    const struct arg_opt opts[] = {
        {"global", ARG_FLAG, &w.global, NULL,
         "in all your repositories that have no hooks path of\ntheir own; "
         "their own hooks go on running"},
        {"hooks", ARG_TEXT, &names, "NAME,…",
         "of pre-commit, commit-msg, pre-push; all three\nunless said "
         "otherwise"},
        {"require-vault", ARG_FLAG, &w.must_know, NULL,
         "refuse while the vault is locked; else rules alone\nare used then, "
         "and it is said"},
    };
    const struct arg_spec spec = {
        .usage = "hook install git [options] [DIR]",
        .about =
            "Has git ask before a commit (what is staged, the message) and "
            "before a push (the\nnew commits): values of the vault and what "
            "rules take for a secret are refused,\nwith the place and how to "
            "mend it. A hook that is there already is kept and run\ntoo. DIR "
            "is a repository; without it the one you stand in. Files that git "
            "takes\nfor binary are not looked into.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = 1};
    struct git_place p;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (w.global && args.count > 0) {
        return err_why(AG_EUSAGE, "--global is for no directory");
    }
    err = take_names(names, &w);
    if (err == AG_OK) {
        err = git_place_find(cli, w.global,
                             args.count > 0 ? args.words[0] : ".", &p);
    }
    return err == AG_OK ? install(cli, &p, &w) : err;
}

/* ---- remove ---- */

static enum ag_err
remove_one(const struct git_place *p, const char *name, size_t *count)
{
    char kept[NAME_BYTES];

    if (!is_ours(p->dir_fd, name)) {
        return AG_OK;
    }
    kept_name(name, kept);
    ++*count;
    if (renameat(p->dir_fd, kept, p->dir_fd, name) == 0) {
        return AG_OK;
    }
    return errno == ENOENT && unlinkat(p->dir_fd, name, 0) == 0
               ? AG_OK
               : err_from_errno(errno);
}

enum ag_err
hook_remove_git(struct cli *cli, int argc, char **argv)
{
    bool global = false;
    const struct arg_opt opts[] = {
        {"global", ARG_FLAG, &global, NULL, "those of all your repositories"},
    };
    const struct arg_spec spec = {
        .usage = "hook remove git [options] [DIR]",
        .about = "Takes git's hooks away; those that were there before are put "
                 "back.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = 1};
    struct git_place p;
    size_t count = 0;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = git_place_find(cli, global, args.count > 0 ? args.words[0] : ".", &p);
    if (err == AG_OK) {
        err = git_place_open(&p);
    }
    for (size_t i = 0; err == AG_OK && i < AG_COUNT(NAMES); i++) {
        err = remove_one(&p, NAMES[i], &count);
    }
    if (err == AG_OK && count == 0) {
        err = err_why(AG_ENOTFOUND, "%s has no hook of auth-guard", p.path);
    }
    fd_close(p.dir_fd);
    if (err == AG_OK && p.own) {
        err = git_place_forget(&p);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "The hooks in %s ask auth-guard no more.", p.path);
    }
    return err;
}

/* ---- list ---- */

static enum ag_err
list_place(const struct git_place *p, const char *tool, json_t *rows)
{
    char kept[NAME_BYTES];

    for (size_t i = 0; i < CHECKED_COUNT; i++) {
        if (!is_ours(p->dir_fd, NAMES[i])) {
            continue;
        }
        kept_name(NAMES[i], kept);
        if (json_array_append_new(
                rows, json_pack("{s:s, s:s, s:s, s:s}", "tool", tool, "hook",
                                NAMES[i], "state",
                                p->own ? "runs the repository's own too"
                                : is_there(p->dir_fd, kept)
                                    ? "runs the one before too"
                                    : "ready",
                                "place", p->path)) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

enum ag_err
hook_list_git(struct cli *cli, json_t *rows)
{
    char last[PATH_BYTES] = "";
    enum ag_err err = AG_OK;

    /* That of all first: without one of its own it is the repository's too. */
    for (int global = 1; err == AG_OK && global >= 0; global--) {
        struct git_place p;

        if (git_place_find(cli, global == 1, ".", &p) != AG_OK ||
            strcmp(last, p.path) == 0 || git_place_open(&p) != AG_OK) {
            err_clear(); /* no repository here, or no hooks */
            continue;
        }
        (void)stpcpy(last, p.path);
        err = list_place(&p, global == 1 ? "git, all" : "git", rows);
        fd_close(p.dir_fd);
    }
    return err;
}
