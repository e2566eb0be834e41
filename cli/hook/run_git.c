/* hook run git: what the scripts in a hooks directory call. */
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
#include "hook/added.h"
#include "hook/git.h"
#include "hook/guard.h"
#include "hook/hook.h"
#include "hook/pushed.h"
#include "hook/search.h"

enum {
    ANSWER_MAX_BYTES = 16 * 1024,    /* a path, an object's name */
    MESSAGE_MAX_BYTES = 1024 * 1024, /* of one commit; longer is a mistake */
};

/* What one hook is called with. */
struct call {
    struct cli *cli;
    struct added *added;
    char *const *words; /* git's, NULL-ended */
    size_t word_count;
    int stdin_fd; /* read once and kept, or -1 */
};

struct git_hook {
    const char *name;
    enum ag_err (*gather)(struct call *c);
    bool keeps_stdin; /* another hook is to have it too */
    bool before;      /* ours is first: the other may send something off */
    struct guard_terms terms;
};

/* ---- pre-commit ---- */

/* Of a branch without commits: all that is staged is new. */
static enum ag_err
base_tree(struct buf *out)
{
    static const char *const head[] = {"rev-parse", "-q", "--verify", "HEAD",
                                       NULL};
    static const char *const empty[] = {"hash-object", "-t", "tree",
                                        "/dev/null", NULL};
    const struct git_call ask = {.words = head, .stdin_fd = -1, .quiet = true};
    const struct git_call make = {.words = empty, .stdin_fd = -1};
    enum ag_err err = git_answer(&ask, out);

    if (err == AG_EINVAL) {
        err_clear();
        buf_clear(out);
        err = git_answer(&make, out);
    }
    return err;
}

static enum ag_err
gather_staged(struct call *c)
{
    AG_AUTO(buf) struct buf base;
    const char *words[GIT_WORDS_MAX_COUNT] = {PUSHED_DIFF_CONFIG, "diff-index",
                                              "--cached", PUSHED_DIFF_OPTIONS};
    const struct git_call call = {.words = words, .stdin_fd = -1};
    size_t n = 0;
    enum ag_err err;

    buf_init(&base, ANSWER_MAX_BYTES, BUF_PLAIN);
    err = base_tree(&base);
    if (err != AG_OK) {
        return err;
    }
    while (words[n] != NULL) {
        n++;
    }
    words[n++] = buf_cstr(&base);
    words[n] = "--";
    err = git_run(&call, added_diff, c->added);
    return err == AG_OK ? added_diff_end(c->added) : err;
}

/* ---- commit-msg ---- */

/* What git cuts off itself, with `commit -v`: from the line with the scissors
 * on. */
static size_t
without_diff(struct span text)
{
    static const char SCISSORS[] =
        " ------------------------ >8 ------------------------";

    for (size_t at = 0; at < text.len;) {
        struct span line = span_sub(text, at, text.len);

        line.len = span_find(line, '\n');
        if (line.len > 0 &&
            span_equal(span_sub(line, 1, line.len), span_str(SCISSORS))) {
            return at;
        }
        at += line.len + 1;
    }
    return text.len;
}

static enum ag_err
read_file(const char *path, struct buf *out)
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;

    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    while (n != 0) {
        uint8_t *room = NULL;
        enum ag_err err = buf_room(out, 4096, &room);

        if (err != AG_OK) {
            return err;
        }
        n = read(fd, room, 4096);
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        buf_grew(out, n > 0 ? (size_t)n : 0);
    }
    return AG_OK;
}

static enum ag_err
gather_message(struct call *c)
{
    AG_AUTO(buf) struct buf text;
    enum ag_err err;

    if (c->word_count != 1) {
        return err_why(AG_EUSAGE, "commit-msg has one argument, the file with "
                                  "the message");
    }
    buf_init(&text, MESSAGE_MAX_BYTES, BUF_WIPE);
    err = read_file(c->words[0], &text);
    if (err == AG_OK) {
        err = added_text(c->added, "the message", NULL);
    }
    return err == AG_OK ? added_text_part(
                              c->added, span_sub(buf_view(&text), 0,
                                                 without_diff(buf_view(&text))))
                        : err;
}

/* ---- pre-push ---- */

static enum ag_err
gather_pushed(struct call *c)
{
    if (c->word_count != 2) {
        return err_why(AG_EUSAGE, "pre-push has two arguments, a remote and "
                                  "its address");
    }
    return pushed_gather(c->stdin_fd, c->words[0], c->words[1], c->added);
}

/* ---- the other hook ---- */

/* In a directory for all repositories: the repository's own. */
static enum ag_err
repository_hook(const char *name, struct buf *out)
{
    static const char *const words[] = {"rev-parse", "--git-common-dir", NULL};
    const struct git_call call = {.words = words, .stdin_fd = -1};
    enum ag_err err = git_answer(&call, out);

    return err == AG_OK ? buf_fmt(out, "/hooks/%s", name) : err;
}

/* Runs it if there is one; *ret_code 0 if not. */
static enum ag_err
run_other(const struct call *c, const char *path, int *ret_code)
{
    char **words;
    enum ag_err err;

    *ret_code = 0;
    if (access(path, X_OK) != 0) {
        return AG_OK;
    }
    words = calloc(c->word_count + 2, sizeof(*words));
    if (words == NULL) {
        return AG_ENOMEM;
    }
    memcpy(&words[0], &path, sizeof(path));
    for (size_t i = 0; i < c->word_count; i++) {
        words[i + 1] = c->words[i];
    }
    if (c->stdin_fd >= 0 && lseek(c->stdin_fd, 0, SEEK_SET) < 0) {
        free(words);
        return err_from_errno(errno);
    }
    err = git_program(words, c->stdin_fd, ret_code);
    free(words);
    return err;
}

/* ---- the act ---- */

static const struct git_hook HOOKS[] = {
    {.name = "pre-commit",
     .gather = gather_staged,
     .terms = {.done = "nothing was committed",
               .mend = "Mend it and stage it again (git add).",
               .anyway = "What is no secret is committed by git commit "
                         "--no-verify."}},
    {.name = "commit-msg",
     .gather = gather_message,
     .terms = {.is_silent = true, /* pre-commit has said it */
               .done = "nothing was committed",
               .mend = "Say it without.",
               .anyway = "What is no secret is committed by git commit "
                         "--no-verify."}},
    {.name = "pre-push",
     .gather = gather_pushed,
     .keeps_stdin = true,
     .before = true,
     .terms = {.done = "nothing was pushed",
               .mend = "Take it out of the commits (git rebase -i, or git "
                       "commit --amend): a later commit that removes it does "
                       "not.",
               .anyway = "What is no secret is pushed by git push "
                         "--no-verify."}},
};

/* NULL: one that is only passed on to the other. */
static const struct git_hook *
find_hook(const char *name)
{
    for (size_t i = 0; i < AG_COUNT(HOOKS); i++) {
        if (strcmp(HOOKS[i].name, name) == 0) {
            return &HOOKS[i];
        }
    }
    return NULL;
}

static enum ag_err
look(struct call *c, const struct git_hook *hook, bool must_know)
{
    AG_AUTO(added) struct added *added = NULL;
    struct guard_terms terms = hook->terms;
    enum ag_err err = added_new(&added);

    terms.must_know = must_know;
    c->added = added;
    if (err == AG_OK) {
        err = hook->gather(c);
    }
    return err == AG_OK ? guard_added(c->cli, &terms, added) : err;
}

static enum ag_err
run_both(struct call *c, const struct git_hook *hook, const char *other,
         bool must_know)
{
    int code = 0;
    enum ag_err err = AG_OK;

    if (hook != NULL && hook->before) {
        err = look(c, hook, must_know);
    }
    if (err == AG_OK) {
        err = run_other(c, other, &code);
    }
    if (err == AG_OK && code != 0) {
        c->cli->exit_code = code;
        return AG_OK;
    }
    if (err == AG_OK && hook != NULL && !hook->before) {
        err = look(c, hook, must_know);
    }
    return err;
}

enum ag_err
hook_run_git(struct cli *cli, int argc, char **argv)
{
    const char *chain = NULL;
    bool chain_repository = false;
    bool must_know = false;
    const struct arg_opt opts[] = {
        {"chain", ARG_TEXT, &chain, "FILE",
         "run that hook too; what it says counts"},
        {"chain-repository", ARG_FLAG, &chain_repository, NULL,
         "the same with the repository's own"},
        {"require-vault", ARG_FLAG, &must_know, NULL,
         "refuse while values of the vault can't be looked for"},
    };
    const struct arg_spec spec = {
        .usage = "hook run git [options] HOOK [ARGUMENT…]",
        .about = "What the scripts of auth-guard hook install git call: looks "
                 "through what is staged,\nthe message, or what is pushed. "
                 "Exit code 1 when there is a secret in it.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = SIZE_MAX, /* post-update has all refs */
        .stop_at_word = true};
    AG_AUTO(buf) struct buf other;
    AG_AUTO(fd) int kept = -1;
    struct call c = {.cli = cli, .stdin_fd = -1};
    const struct git_hook *hook;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&other, ANSWER_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    hook = find_hook(args.words[0]);
    c.words = args.words + 1;
    c.word_count = args.count - 1;
    if (hook != NULL && hook->keeps_stdin) {
        err = search_spool(STDIN_FILENO, &kept);
        c.stdin_fd = kept;
    }
    if (err == AG_OK && chain_repository) {
        err = repository_hook(args.words[0], &other);
    } else if (err == AG_OK && chain != NULL) {
        err = buf_add_str(&other, chain);
    }
    return err == AG_OK ? run_both(&c, hook, buf_cstr(&other), must_know) : err;
}
