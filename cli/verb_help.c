#include <stdio.h>

#include "args.h"
#include "verb.h"

static const char VERSION[] = AG_VERSION;

enum ag_err
verb_version(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "version",
        .about = "Prints the version of this program.",
    };
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (cli->out.json) {
        printf("{\"version\":\"%s\"}\n", VERSION);
    } else {
        printf("auth-guard %s\n", VERSION);
    }
    return AG_OK;
}

static void
print_verbs(void)
{
    puts("auth-guard lets agents use credentials without having them.\n\n"
         "usage: auth-guard VERB [options] …");
    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        if (v->run == NULL) {
            printf("\n%s%s", v->summary, v->summary[0] == '\0' ? "" : ":\n");
        } else {
            printf("  %-12s %s\n", v->name, v->summary);
        }
    }
    puts("\nNew here? auth-guard init, then auth-guard scan, then auth-guard "
         "adopt FILE.");
}

static enum ag_err
print_verbs_json(const struct out *out)
{
    json_auto_t *list = json_array();

    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        if (v->run != NULL &&
            json_array_append_new(list, json_pack("{s:s,s:s}", "name", v->name,
                                                  "summary", v->summary)) !=
                0) {
            return AG_ENOMEM;
        }
    }
    return out_json(out, list);
}

enum ag_err
verb_help(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "help [VERB]",
        .about = "Lists the verbs, or explains one.",
        .words_max = 1,
    };
    struct args args;
    const struct verb *v;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK) {
        return err;
    }
    if (args.count == 1) {
        char help[] = "--help";
        char *verb_argv[] = {args.words[0], help, NULL};

        v = verb_find(args.words[0]);
        return v == NULL
                   ? err_why(AG_EUSAGE, "there is no verb '%s'", args.words[0])
                   : v->run(cli, 2, verb_argv);
    }
    if (cli->out.json) {
        return print_verbs_json(&cli->out);
    }
    if (!args.help) {
        print_verbs();
    }
    return AG_OK;
}
