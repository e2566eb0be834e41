#include "hook/reach.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "hook/credential.h"
#include "hook/shell.h"

enum {
    NESTED_MAX = 4, /* sh -c "sh -c …" */
};

struct reach {
    struct credentials *credentials;
    struct buf *out;
    unsigned nested;
    bool is_pending; /* what it found goes into the next command */
};

static bool
is_one_of(const char *text, const char *const *list)
{
    while (*list != NULL && strcmp(*list, text) != 0) {
        list++;
    }
    return *list != NULL;
}

/* ---- names of variables ---- */

static bool
ends_with(struct span text, const char *end)
{
    size_t len = strlen(end);

    return text.len >= len &&
           strncasecmp((const char *)text.ptr + text.len - len, end, len) == 0;
}

bool
reach_is_secret_name(struct span name)
{
    static const char *const ends[] = {
        "TOKEN",       "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY",
        "CREDENTIALS", "_KEY",   "_PASS",    "_PWD",   "_PAT",       "_PW"};

    if (name.len == 0 || ends_with(name, "PUBLIC_KEY")) {
        return false;
    }
    for (size_t i = 0; i < AG_COUNT(ends); i++) {
        if (ends_with(name, ends[i])) {
            return true;
        }
    }
    return false;
}

/* Is one set in this environment, which the agent's commands have too? */
static bool
environment_has_secret(void)
{
    for (char **e = environ; e != NULL && *e != NULL; e++) {
        struct span name = span_str(*e);

        name.len = span_find(name, '=');
        if (reach_is_secret_name(name) && strlen(*e) > name.len + 1) {
            return true;
        }
    }
    return false;
}

static bool
first_secret_name(const char *variables, struct span *ret)
{
    while (*variables != '\0') {
        struct span name = span_of(variables, strcspn(variables, " "));

        if (reach_is_secret_name(name)) {
            *ret = name;
            return true;
        }
        variables += name.len + 1;
    }
    return false;
}

/* ---- which command ---- */

static bool
is_assignment(const char *word)
{
    size_t len = strcspn(word, "=");

    return word[len] == '=' && len > 0 &&
           strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789_") == len;
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static bool
is_argument(const struct shell_word *w)
{
    return w->place == SHELL_ARGUMENT;
}

/* Where the command that does the work stands: behind assignments, words of
 * the language, and commands that run another. `*ret_env`: the last of these
 * was env. */
static size_t
skip_runners(const struct shell_command *c, bool *ret_env)
{
    static const char *const runners[] = {
        "sudo",  "doas",   "command", "exec",    "nohup",   "nice", "time",
        "xargs", "setsid", "stdbuf",  "timeout", "builtin", "env",  NULL};
    static const char *const language[] = {"{",     "!",    "if",   "then",
                                           "do",    "else", "elif", "while",
                                           "until", "(",    NULL};
    bool behind_runner = false;
    size_t i = 0;

    *ret_env = false;
    for (; i < c->count; i++) {
        const char *text = c->words[i].text;

        if (!is_argument(&c->words[i]) || is_assignment(text) ||
            is_one_of(text, language)) {
            continue;
        }
        if (is_one_of(base_name(text), runners)) {
            behind_runner = true;
            *ret_env = strcmp(base_name(text), "env") == 0;
            continue;
        }
        /* Its options and durations. */
        if (!(behind_runner &&
              (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')))) {
            break;
        }
    }
    return i;
}

static size_t
argument_count(const struct shell_command *c, size_t from)
{
    size_t n = 0;

    for (size_t i = from; i < c->count; i++) {
        n += is_argument(&c->words[i]) ? 1 : 0;
    }
    return n;
}

/* ---- what is printed ---- */

static enum ag_err
prints(struct reach *r, struct span name)
{
    return buf_fmt(r->out, "prints $%.*s, which looks like a secret",
                   (int)name.len, (const char *)name.ptr);
}

static enum ag_err
prints_all(struct reach *r)
{
    return environment_has_secret()
               ? buf_add_str(r->out, "prints the environment, in which there "
                                     "are secrets")
               : AG_OK;
}

/* echo, printf, cat <<<: of what stands in their words. */
static enum ag_err
check_echo(struct reach *r, const struct shell_command *c, size_t from,
           bool only_text)
{
    struct span name;
    enum ag_err err = AG_OK;

    for (size_t i = from; err == AG_OK && r->out->len == 0 && i < c->count;
         i++) {
        const struct shell_word *w = &c->words[i];

        if ((w->place == SHELL_TEXT || (!only_text && is_argument(w))) &&
            first_secret_name(w->variables, &name)) {
            err = prints(r, name);
            r->is_pending = c->is_piped;
        }
    }
    return err;
}

/* printenv NAME, declare -p NAME: names as words. */
static enum ag_err
check_names(struct reach *r, const struct shell_command *c, size_t from)
{
    size_t names = 0;
    enum ag_err err = AG_OK;

    for (size_t i = from; err == AG_OK && r->out->len == 0 && i < c->count;
         i++) {
        const struct shell_word *w = &c->words[i];

        AG_ASSERT(w->text != NULL);
        if (!is_argument(w) || w->text[0] == '-') {
            continue;
        }
        names++;
        if (reach_is_secret_name(span_str(w->text))) {
            err = prints(r, span_str(w->text));
        }
    }
    return err == AG_OK && names == 0 ? prints_all(r) : err;
}

static enum ag_err
check_printing(struct reach *r, const struct shell_command *c, size_t at)
{
    static const char *const echoes[] = {"echo", "printf", "print", NULL};
    static const char *const shows[] = {"printenv", "declare", "typeset",
                                        "export", NULL};
    const char *name = base_name(c->words[at].text);
    const char *first = at + 1 < c->count && is_argument(&c->words[at + 1])
                            ? c->words[at + 1].text
                            : NULL;

    if (is_one_of(name, echoes)) {
        return check_echo(r, c, at + 1, false);
    }
    if (strcmp(name, "set") == 0) {
        return argument_count(c, at + 1) == 0 ? prints_all(r) : AG_OK;
    }
    if (strcmp(name, "printenv") == 0 ||
        (is_one_of(name, shows) &&
         (first == NULL || (first[0] == '-' && strchr(first, 'p') != NULL)))) {
        return check_names(r, c, at + 1);
    }
    return check_echo(r, c, at + 1, true);
}

/* ---- what is read ---- */

static unsigned
flags_of(const char *name, const struct shell_word *w)
{
    static const char *const trees[] = {"cp",   "tar", "zip", "rsync", "scp",
                                        "grep", "rg",  "ag",  "7z",    NULL};

    return (w->is_quoted ? 0U : CREDENTIAL_PATTERN) |
           (is_one_of(name, trees) ? CREDENTIAL_BELOW : 0U);
}

/* Only of names: they tell that a file is there, not what is in it. */
static bool
reads_nothing(const struct shell_command *c, size_t at)
{
    static const char *const commands[] = {
        "ls",       "stat",   "test",  "[",       "[[",       "rm",
        "chmod",    "chown",  "touch", "mkdir",   "rmdir",    "cd",
        "echo",     "printf", "print", "dirname", "basename", "realpath",
        "readlink", "which",  "du",    "unset",   NULL};
    static const char *const acts[] = {"adopt", "scan", "redact", "release",
                                       NULL};
    const char *name = base_name(c->words[at].text);

    if (strcmp(name, "auth-guard") == 0) {
        return at + 1 < c->count && is_one_of(c->words[at + 1].text, acts);
    }
    return is_one_of(name, commands);
}

/* `--file=PATH`, `@PATH`, and the word itself. */
static enum ag_err
check_word(struct reach *r, const struct shell_word *w, unsigned flags)
{
    const char *text = w->text;
    const char *value = strchr(text, '=');
    bool is_found = false;
    enum ag_err err;

    if (text[0] == '-' || text[0] == '@') {
        text = value != NULL ? value + 1 : text + 1;
        text += *text == '@' ? 1 : 0;
    }
    if (*text == '\0' || strlen(text) >= 4096) {
        return AG_OK;
    }
    err = buf_add_str(r->out, "reads ");
    if (err == AG_OK) {
        err = credential_find(r->credentials, text, flags, r->out, &is_found);
    }
    if (err == AG_OK && !is_found) {
        buf_clear(r->out);
    }
    return err;
}

static enum ag_err
check_reading(struct reach *r, const struct shell_command *c, size_t at)
{
    const char *name = at < c->count ? base_name(c->words[at].text) : "";
    bool only_from = at < c->count && reads_nothing(c, at);
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && r->out->len == 0 && i < c->count; i++) {
        const struct shell_word *w = &c->words[i];

        if (w->place == SHELL_FROM ||
            (!only_from && is_argument(w) && i != at)) {
            err = check_word(r, w, flags_of(name, w));
        }
    }
    return err;
}

/* ---- one command ---- */

static enum ag_err check_command(void *ctx, const struct shell_command *c);

/* sh -c TEXT, eval TEXT. */
static enum ag_err
check_nested(struct reach *r, const struct shell_command *c, size_t at)
{
    static const char *const shells[] = {"sh",  "bash", "dash", "zsh",
                                         "ksh", "ash",  NULL};
    const char *name = base_name(c->words[at].text);
    bool is_text = strcmp(name, "eval") == 0;
    enum ag_err err = AG_OK;

    if ((!is_text && !is_one_of(name, shells)) || r->nested == NESTED_MAX) {
        return AG_OK;
    }
    r->nested++;
    for (size_t i = at + 1; err == AG_OK && i < c->count; i++) {
        const char *text = c->words[i].text;

        if (is_text) {
            err = shell_read(span_str(text), check_command, r);
        } else if (text[0] == '-' && text[1] != '-' &&
                   strchr(text, 'c') != NULL) {
            is_text = true;
        }
    }
    r->nested--;
    return err;
}

/* docker login --password-stdin, gh auth login --with-token, auth-guard put:
 * what is piped there is not printed. */
static bool
takes_secret(const struct shell_command *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *text = c->words[i].text;

        if (strcmp(text, "--with-token") == 0 ||
            strcmp(base_name(text), "auth-guard") == 0 ||
            (text[0] == '-' && ends_with(span_str(text), "-stdin"))) {
            return true;
        }
    }
    return false;
}

/* In turn, up to the first that is found. */
static enum ag_err
check_work(struct reach *r, const struct shell_command *c, size_t at)
{
    enum ag_err err = check_reading(r, c, at);

    if (at == c->count) {
        return err;
    }
    if (strcmp(c->words[at].text, "cd") == 0 && at + 1 < c->count) {
        credentials_cd(r->credentials, c->words[at + 1].text);
    }
    if (err == AG_OK && r->out->len == 0) {
        err = check_printing(r, c, at);
    }
    return err == AG_OK && r->out->len == 0 ? check_nested(r, c, at) : err;
}

static enum ag_err
check_command(void *ctx, const struct shell_command *c)
{
    struct reach *r = ctx;
    bool is_env = false;
    size_t at = skip_runners(c, &is_env);
    enum ag_err err = AG_OK;

    if (r->is_pending && takes_secret(c)) {
        buf_clear(r->out);
    }
    r->is_pending = false;
    if (r->out->len > 0) {
        return AG_OK; /* one is enough */
    }
    if (at == c->count && is_env) {
        err = prints_all(r);
    }
    return err == AG_OK && r->out->len == 0 ? check_work(r, c, at) : err;
}

enum ag_err
reach_command(struct credentials *credentials, struct span command,
              struct buf *out)
{
    struct reach r = {.credentials = credentials, .out = out};

    return shell_read(command, check_command, &r);
}

enum ag_err
reach_path(struct credentials *credentials, const char *path, bool is_below,
           struct buf *out)
{
    struct reach r = {.credentials = credentials, .out = out};
    const struct shell_word w = {.text = path, .variables = ""};

    return check_word(&r, &w, is_below ? CREDENTIAL_BELOW : CREDENTIAL_FILE);
}
