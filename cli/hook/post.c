/* hook run post: a command that sends what it is called with to others. */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/fdx.h"
#include "cli.h"
#include "hook/added.h"
#include "hook/guard.h"
#include "hook/hook.h"
#include "hook/search.h"

enum {
    PART_BYTES = 64 * 1024,
};

#define NOTHING_DEVICE makedev(1, 3) /* /dev/null */

struct post {
    struct added *added;
    char *const *words; /* of the command, NULL-ended */
    size_t count;
    int stdin_fd; /* what it read there, to be read again; or -1 */
};

static bool
is_one_of(const char *text, const char *const *list)
{
    while (*list != NULL && strcmp(*list, text) != 0) {
        list++;
    }
    return *list != NULL;
}

/* Acts that are given secrets on purpose. */
static bool
is_for_secrets(const struct post *p)
{
    static const char *const acts[] = {"auth", "secret", "variable", "config",
                                       NULL};

    return p->count > 1 && is_one_of(p->words[1], acts);
}

/* Acts of which plain words are files that are sent. */
static bool
sends_files(const struct post *p)
{
    static const char *const acts[] = {"gist", "snippet", "release", NULL};

    return p->count > 1 && is_one_of(p->words[1], acts);
}

/* ---- texts ---- */

static enum ag_err
add_fd(struct post *p, const char *name, int fd)
{
    uint8_t *part = malloc(PART_BYTES);
    ssize_t n = 1;
    enum ag_err err = part == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK) {
        err = added_text(p->added, name, NULL);
    }
    while (err == AG_OK && n != 0) {
        n = read(fd, part, PART_BYTES);
        if (n > 0) {
            err = added_text_part(p->added, span_of(part, (size_t)n));
        } else if (n < 0 && errno != EINTR) {
            err = err_from_errno(errno);
        }
    }
    if (part != NULL) {
        explicit_bzero(part, PART_BYTES);
    }
    free(part);
    return err;
}

static enum ag_err
add_stdin(struct post *p)
{
    enum ag_err err =
        p->stdin_fd >= 0 ? AG_OK : search_spool(STDIN_FILENO, &p->stdin_fd);

    if (err == AG_OK) {
        err = add_fd(p, "stdin", p->stdin_fd);
    }
    return err == AG_OK && lseek(p->stdin_fd, 0, SEEK_SET) < 0
               ? err_from_errno(errno)
               : err;
}

/* A pipe, a terminal, a device: read once, and then it has gone. */
static bool
is_stream(const struct stat *st)
{
    return !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) &&
           !(S_ISCHR(st->st_mode) && st->st_rdev == NOTHING_DEVICE);
}

/* What can't be opened is the command's to complain of. */
static enum ag_err
add_file(struct post *p, const char *path)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;

    if (strcmp(path, "-") == 0) {
        return add_stdin(p);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return AG_OK;
    }
    if (fstat(fd, &st) != 0 || is_stream(&st)) {
        return err_why(AG_EFILE,
                       "%s can't be looked through before it is sent; write it "
                       "to a file, or give it on stdin by -",
                       path);
    }
    return S_ISREG(st.st_mode) ? add_fd(p, path, fd) : AG_OK;
}

static bool
takes_file(const char *option, size_t len)
{
    static const char *const names[] = {
        "-F",      "--body-file",    "--notes-file",       "--file",
        "--input", "--message-file", "--description-file", NULL};

    for (const char *const *name = names; *name != NULL; name++) {
        if (strlen(*name) == len && strncmp(*name, option, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Each word is text; some name files besides: behind an option for one, with
 * the option (--body-file=X, -FX), as @X and KEY=@X. */
static enum ag_err
add_word(struct post *p, size_t i)
{
    const char *word = p->words[i];
    size_t name_len = strcspn(word, "=");
    const char *value = word[name_len] == '=' ? word + name_len + 1 : word;
    enum ag_err err = added_text(p->added, "its arguments", NULL);

    if (err == AG_OK) {
        err = added_text_part(p->added, span_str(word));
    }
    if (err != AG_OK) {
        return err;
    }
    if (value[0] == '@') {
        return add_file(p, value + 1);
    }
    if (value != word && takes_file(word, name_len)) {
        return add_file(p, value);
    }
    if (i > 1 && takes_file(p->words[i - 1], strlen(p->words[i - 1]))) {
        return add_file(p, word);
    }
    if (strncmp(word, "-F", 2) == 0 && word[2] != '\0') {
        return add_file(p, word + 2);
    }
    return sends_files(p) && i > 2 && (word[0] != '-' || word[1] == '\0')
               ? add_file(p, word)
               : AG_OK;
}

/* ---- the act ---- */

static enum ag_err
start(const struct post *p)
{
    if (p->stdin_fd >= 0 && dup2(p->stdin_fd, STDIN_FILENO) < 0) {
        return err_from_errno(errno);
    }
    (void)execvp(p->words[0], p->words);
    return err_why(err_from_errno(errno), "%s can't be started: %s",
                   p->words[0], strerrordesc_np(errno));
}

enum ag_err
hook_run_post(struct cli *cli, int argc, char **argv)
{
    struct guard_terms terms = {
        .done = "nothing was sent",
        .mend = "Say it without.",
        .anyway = "What is no secret is sent by calling the program itself."};
    const struct arg_opt opts[] = {
        {"require-vault", ARG_FLAG, &terms.must_know, NULL,
         "refuse while values of the vault can't be looked for"},
    };
    const struct arg_spec spec = {
        .usage = "hook run post [options] -- COMMAND [ARGUMENT…]",
        .about =
            "Looks through what the command is called with: its words, and the "
            "files and the\nstdin that it is told to send (-F, --body-file, "
            "--input, @FILE, …). When there is a\nsecret in it nothing is "
            "sent, exit code 1; else the command runs. Of auth,\nsecret, "
            "variable and config nothing is looked through: they are given "
            "secrets on\npurpose. What is typed into an editor is not seen.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = SIZE_MAX,
        .stop_at_word = true};
    AG_AUTO(added) struct added *added = NULL;
    struct post p = {.stdin_fd = -1};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    p.words = args.words;
    p.count = args.count;
    if (!is_for_secrets(&p)) {
        err = added_new(&added);
        p.added = added;
        for (size_t i = 1; err == AG_OK && i < p.count; i++) {
            err = add_word(&p, i);
        }
        if (err == AG_OK) {
            err = guard_added(cli, &terms, added);
        }
    }
    return err == AG_OK ? start(&p) : err;
}
