/* shim install. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "move/profile_set.h"
#include "profile/load.h"
#include "shim_acts.h"

enum {
    NAMES_MAX_COUNT = 256, /* of one call */
    LINE_MAX_BYTES = 64 * 1024,
};

/* ---- what a shim gives its command ---- */

/* What was asked for, the same for every name. */
struct wish {
    const char *profile; /* --profile, or NULL */
    json_t *options;     /* behind `--`: array of texts, may be empty */
};

static bool
names_profile(const json_t *options)
{
    const json_t *word;
    size_t i;

    json_array_foreach(options, i, word)
    {
        const char *text = json_string_value(word);

        if (strcmp(text, "--profile") == 0 ||
            strncmp(text, "--profile=", 10) == 0) {
            return true;
        }
    }
    return false;
}

static bool
has_command(const struct profile *p, const char *name)
{
    for (size_t i = 0; i < p->run->commands.count; i++) {
        if (strcmp(p->run->commands.items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The profile that a command is for; NULL without one. */
static enum ag_err
profile_of(const struct profiles *ps, const char *command, const char **ret)
{
    const char *found = NULL;

    for (size_t i = 0; i < profiles_count(ps); i++) {
        const struct profile *p = profiles_at(ps, i);

        if (has_command(p, command) && found != NULL) {
            return err_why(AG_EUSAGE,
                           "%s is a command of the profiles %s and %s; say "
                           "which: --profile",
                           command, found, p->name);
        }
        found = has_command(p, command) ? p->name : found;
    }
    *ret = found;
    return AG_OK;
}

/* "P" and "P=SECRET". */
static enum ag_err
check_profile(const struct profiles *ps, const char *given)
{
    char name[PROFILE_NAME_MAX_BYTES + 1];
    const struct profile *found;
    size_t len = strcspn(given, "=");

    if (len >= sizeof(name)) {
        return err_why(AG_EUSAGE, "--profile: the name is too long");
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)len, given);
    return profile_find(ps, name, &found);
}

/* The words of `run` for this command. */
static enum ag_err
options_for(const struct profiles *ps, const struct wish *wish,
            const char *name, json_t **ret)
{
    const char *profile = wish->profile;
    json_auto_t *options = json_array();
    enum ag_err err = AG_OK;

    if (profile == NULL && !names_profile(wish->options)) {
        err = profile_of(ps, name, &profile);
    }
    if (err == AG_OK && profile == NULL &&
        json_array_size(wish->options) == 0) {
        err = err_why(AG_EUSAGE,
                      "no profile knows the command %s; say which it is for: "
                      "auth-guard shim install %s --profile P",
                      name, name);
    }
    if (err == AG_OK && profile != NULL &&
        (json_array_append_new(options, json_string("--profile")) != 0 ||
         json_array_append_new(options, json_string(profile)) != 0)) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK && json_array_extend(options, wish->options) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(options);
    }
    return err;
}

/* ---- install ---- */

/* The words behind `--`, taken off the end of argv. */
static enum ag_err
take_options(int *argc, char **argv, json_t **ret)
{
    json_t *options = json_array();
    int at = 1;

    while (at < *argc && strcmp(argv[at], "--") != 0) {
        at++;
    }
    for (int i = at + 1; i < *argc; i++) {
        if (json_array_append_new(options, json_string(argv[i])) != 0) {
            json_decref(options);
            return err_why(AG_EUSAGE, "the options are not UTF-8 text");
        }
    }
    argv[at] = NULL;
    *argc = at;
    *ret = options;
    return AG_OK;
}

static enum ag_err
check_options(struct cli *cli, const json_t *options)
{
    int argc = 0;
    char **argv = shim_run_words(options, "command", NULL, 0, &argc);
    enum ag_err err =
        argv == NULL ? AG_ENOMEM : verb_run_check(cli, argc, argv);

    free(argv);
    return err;
}

/* The record of one name; nothing is written yet. Without a word about options
 * an old shim keeps its own: it is made anew because the program changed. */
static enum ag_err
prepare(const struct profiles *ps, const struct wish *wish, int dir_fd,
        const char *name, json_t **ret)
{
    json_auto_t *record = NULL;
    json_auto_t *old = NULL;
    json_t *options = NULL;
    bool says = wish->profile != NULL || json_array_size(wish->options) > 0;
    enum ag_err err = shim_name_check(name);

    if (err == AG_OK) {
        err = shim_find(dir_fd, name, shim_path_variable(), &record);
    }
    if (err == AG_OK && !says && shim_read(dir_fd, name, &old) == AG_OK) {
        options = json_incref(json_object_get(old, "options"));
    } else if (err == AG_OK) {
        err = options_for(ps, wish, name, &options);
    }
    if (err == AG_OK && json_object_set_new(record, "options", options) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(record);
    }
    return err;
}

static enum ag_err
own_program(char out[PATH_BYTES])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);

    if (n <= 0 || n >= PATH_BYTES - 1) {
        return err_why(AG_EIO, "the place of auth-guard itself is not known");
    }
    out[n] = '\0';
    return AG_OK;
}

/* All or, when one of them can't be made, none. */
static enum ag_err
prepare_all(const struct profiles *ps, const struct wish *wish, int dir_fd,
            const struct args *args, json_t *records)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < args->count; i++) {
        json_t *record = NULL;

        err = prepare(ps, wish, dir_fd, args->words[i], &record);
        if (err == AG_OK && json_array_append_new(records, record) != 0) {
            err = AG_ENOMEM;
        }
    }
    return err;
}

static enum ag_err
write_all(int dir_fd, const json_t *records)
{
    const char *home = getenv("AUTH_GUARD_HOME");
    char program[PATH_BYTES];
    const json_t *record;
    size_t i;
    enum ag_err err = own_program(program);

    json_array_foreach(records, i, record)
    {
        if (err == AG_OK) {
            err = shim_write(dir_fd, record, program,
                             home != NULL && *home != '\0' ? home : NULL);
        }
    }
    return err;
}

/* How the person's shell is told, and in which file it would be. */
static const char *
path_line(const char *dir, struct buf *line)
{
    const char *shell = getenv("SHELL");
    const char *base = shell == NULL ? NULL : strrchr(shell, '/');
    enum ag_err err;

    base = base == NULL ? "sh" : base + 1;
    if (strcmp(base, "fish") == 0) {
        err = buf_fmt(line, "fish_add_path --prepend --move '%s'", dir);
    } else {
        err = buf_fmt(line, "export PATH='%s':\"$PATH\"", dir);
    }
    if (err != AG_OK) {
        return NULL;
    }
    return strcmp(base, "fish") == 0   ? "~/.config/fish/config.fish"
           : strcmp(base, "zsh") == 0  ? "~/.zshrc"
           : strcmp(base, "bash") == 0 ? "~/.bashrc"
                                       : "~/.profile";
}

static bool
all_first(int dir_fd, const json_t *records)
{
    const json_t *record;
    bool first = true;
    size_t i;

    json_array_foreach(records, i, record)
    {
        first = first && shim_is_first(dir_fd, shim_path_variable(),
                                       shim_member(record, "path"));
    }
    return first;
}

/* The line on stdout, where it can be appended to a file; words on stderr. */
static enum ag_err
print_installed(const struct cli *cli, int dir_fd, const char *dir,
                json_t *records)
{
    AG_AUTO(buf) struct buf line;
    bool first = all_first(dir_fd, records);
    json_auto_t *answer = NULL;
    const json_t *record;
    const char *file;
    size_t i;

    buf_init(&line, LINE_MAX_BYTES, BUF_PLAIN);
    file = path_line(dir, &line);
    if (file == NULL) {
        return AG_ENOMEM;
    }
    if (cli->out.json) {
        answer = json_pack("{s:s, s:s*, s:O}", "dir", dir, "line",
                           first ? NULL : buf_cstr(&line), "shims", records);
        return answer == NULL ? AG_ENOMEM : out_json(&cli->out, answer);
    }
    json_array_foreach(records, i, record)
    {
        AG_AUTO(buf) struct buf means;

        buf_init(&means, LINE_MAX_BYTES, BUF_PLAIN);
        if (shim_meaning(record, &means) != AG_OK) {
            return AG_ENOMEM;
        }
        out_say(&cli->out, "%s, which is %s, now means: %s",
                shim_member(record, "name"), shim_member(record, "path"),
                buf_cstr(&means));
    }
    if (!first) {
        out_say(&cli->out,
                "The shims are not first in PATH yet. This line, at the end of "
                "%s, does that:",
                file);
        out_line(&cli->out, OUT_PLAIN, "%s", buf_cstr(&line));
    }
    return AG_OK;
}

static enum ag_err
install(struct cli *cli, const struct wish *wish, const struct args *args)
{
    AG_AUTO(profiles) struct profiles *ps = NULL;
    AG_AUTO(fd) int dir_fd = -1;
    json_auto_t *records = json_array();
    char dir[PATH_BYTES];
    enum ag_err err = check_options(cli, wish->options);

    if (err == AG_OK) {
        err = shim_dir(&cli->paths, dir);
    }
    if (err == AG_OK) {
        err = profile_set_load(cli, &ps);
    }
    if (err == AG_OK && wish->profile != NULL) {
        err = check_profile(ps, wish->profile);
    }
    if (err == AG_OK) {
        err = shim_dir_open(&cli->paths, true, &dir_fd);
    }
    if (err == AG_OK) {
        err = prepare_all(ps, wish, dir_fd, args, records);
    }
    if (err == AG_OK) {
        err = write_all(dir_fd, records);
    }
    return err == AG_OK ? print_installed(cli, dir_fd, dir, records) : err;
}

enum ag_err
shim_install(struct cli *cli, int argc, char **argv)
{
    struct wish wish = {.profile = NULL};
    json_auto_t *options = NULL;
    const struct arg_opt opts[] = {
        {"profile", ARG_TEXT, &wish.profile, "P[=SECRET]",
         "the login it gets; else the profile that knows\nthe command"},
    };
    const struct arg_spec spec = {
        .usage = "shim install [options] NAME… [-- OPTION OF RUN…]",
        .about = "Makes a small script for each NAME that starts the program "
                 "found now in PATH by\nauth-guard run. It starts nothing "
                 "else: when the program has changed, it says so\nand wants to "
                 "be installed again (without options it keeps its own). "
                 "Prints the\nline that puts the scripts first in PATH, where "
                 "that is not done; start-up\nfiles are left alone.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = NAMES_MAX_COUNT};
    struct args args;
    enum ag_err err = AG_OK;

    if (cli->completing == NULL) { /* the -- may be an option being typed */
        err = take_options(&argc, argv, &options);
    }
    if (err != AG_OK) {
        return err;
    }
    err = args_parse(cli, &spec, argc, argv, &args);
    if (err != AG_OK || args.help) {
        return err;
    }
    wish.options = options;
    return install(cli, &wish, &args);
}
