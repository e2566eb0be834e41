/* hook: what other programs ask, installed where they look for it. */
#include <unistd.h>

#include "acts.h"
#include "args.h"
#include "hook/hook.h"

enum ag_err
hook_program(char out[PATH_BYTES])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);

    if (n <= 0 || n >= PATH_BYTES - 1) {
        return err_why(AG_EIO, "the place of auth-guard itself is not known");
    }
    out[n] = '\0';
    return AG_OK;
}

static enum ag_err
hook_install(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"claude", "before Claude Code runs a tool, and behind it",
         hook_install_agent},
        {"codex", "the same for the Codex CLI", hook_install_agent},
        {"command", "before gh or the like sends a text", hook_install_command},
        {"git", "before a commit and a push", hook_install_git},
    };
    static const struct act_table table = {
        "hook install", "Has a program ask auth-guard.", acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}

static enum ag_err
hook_remove(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"claude", "its other hooks stay", hook_remove_agent},
        {"codex", "its other hooks stay", hook_remove_agent},
        {"command", "its script is taken away", hook_remove_command},
        {"git", "what was there before is put back", hook_remove_git},
    };
    static const struct act_table table = {
        "hook remove", "Has a program ask no more.", acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}

static enum ag_err
hook_run(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"claude", "an event of Claude Code", hook_run_agent},
        {"codex", "an event of the Codex CLI", hook_run_agent},
        {"git", "a hook of a repository", hook_run_git},
        {"post", "a command that sends texts to others", hook_run_post},
    };
    static const struct act_table table = {
        "hook run", "What an installed hook calls.", acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}

static enum ag_err
hook_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"TOOL", "tool", false},
                                                {"HOOK", "hook", false},
                                                {"STATE", "state", false},
                                                {"PLACE", "place", false}};
    static const struct arg_spec spec = {
        .usage = "hook list",
        .about = "Lists the hooks of the repository you stand in, of all your "
                 "repositories, and of\nagents: installed, or also runs NAME: "
                 "another hook that was there before."};
    json_auto_t *rows = json_array();
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = hook_list_git(cli, rows);
    if (err == AG_OK) {
        err = hook_list_agents(cli, rows);
    }
    if (err != AG_OK || !cli->out.json) {
        return err == AG_OK ? acts_rows(cli, rows, columns, AG_COUNT(columns))
                            : err;
    }
    answer = json_pack("{s:O}", "hooks", rows);
    return answer == NULL ? AG_ENOMEM : out_json(&cli->out, answer);
}

enum ag_err
verb_hook(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"install", "have a program ask", hook_install},
        {"list", "those there are", hook_list},
        {"remove", "take them away", hook_remove},
        {"run", "what they call", hook_run},
    };
    static const struct act_table table = {
        "hook",
        "Hooks have other programs ask auth-guard before they commit, push, "
        "post or run\nsomething.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
