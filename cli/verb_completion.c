/* completion: scripts for shells, and what they ask. */
#include <stdio.h>

#include "acts.h"
#include "args.h"
#include "complete.h"
#include "verb.h"

static enum ag_err
print_script(struct cli *cli, const struct arg_spec *spec, int argc,
             char **argv, const char *script)
{
    struct args args;
    enum ag_err err = args_parse(cli, spec, argc, argv, &args);

    if (err == AG_OK && !args.help) {
        (void)fputs(script, stdout);
    }
    return err;
}

static enum ag_err
completion_bash(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "completion bash",
        .about = "Prints the script; in ~/.bashrc: source <(auth-guard "
                 "completion bash)"};

    return print_script(cli, &spec, argc, argv, complete_bash);
}

static enum ag_err
completion_fish(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "completion fish",
        .about = "Prints the script; in ~/.config/fish/config.fish: "
                 "auth-guard completion fish | source"};

    return print_script(cli, &spec, argc, argv, complete_fish);
}

static enum ag_err
completion_zsh(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "completion zsh",
        .about = "Prints the script; in ~/.zshrc, after compinit: source "
                 "<(auth-guard completion zsh)"};

    return print_script(cli, &spec, argc, argv, complete_zsh);
}

static enum ag_err
completion_words(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "completion words -- WORD…",
        .about = "What may stand at the last WORD of auth-guard WORD…, a line "
                 "each; the scripts\nask it.",
        .words_min = 1,
        .words_max = SIZE_MAX,
        .stop_at_word = true};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    return err != AG_OK || args.help
               ? err
               : complete_words(cli, args.count, args.words);
}

enum ag_err
verb_completion(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"bash", "the script for bash", completion_bash},
        {"fish", "the script for fish", completion_fish},
        {"zsh", "the script for zsh", completion_zsh},
        {"words", "what the scripts ask", completion_words},
    };
    static const struct act_table table = {
        "completion",
        "Verbs, options and names by the Tab key. The package puts the scripts "
        "where the\nshells look for them; a script asks the program, so it "
        "never is out of date. Names\nof secrets and tasks are offered where "
        "the session is approved.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
