/* task list, show, end. */
#include "acts.h"
#include "args.h"
#include "verb.h"

static enum ag_err
task_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"TASK", "id", false},
        {"NAME", "name", false},
        {"RUNNING", "running", false},
        {"STARTED", "when:started", false},
        {"ENDS", "when:deadline", false},
        {"ENDED BY", "reason", false},
        {"PURPOSE", "purpose", false}};
    static const struct arg_spec spec = {
        .usage = "task list", .about = "Lists the tasks, newest first."};

    return acts_list(cli,
                     &(struct act_list){&spec, "/v1/tasks", "tasks", columns,
                                        AG_COUNT(columns)},
                     argc, argv);
}

static enum ag_err
task_show(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_TASKS,
        .usage = "task show ID",
        .about = "Shows a task: grants, deadline, deliveries, hits.",
        .words_min = 1,
        .words_max = 1};

    return acts_show_named(cli, &spec, "/v1/tasks/%s", argc, argv);
}

static enum ag_err
task_end(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_TASKS,
        .usage = "task end ID",
        .about = "Ends a task: processes killed, files gone, tokens and leases "
                 "revoked.",
        .words_min = 1,
        .words_max = 1};

    return acts_call(cli,
                     &(struct act_call){.spec = &spec,
                                        .method = "DELETE",
                                        .path = "/v1/tasks/%s",
                                        .what = "Task",
                                        .sentence = "is ended"},
                     argc, argv);
}

enum ag_err
verb_task(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"list", "running and recent tasks", task_list},
        {"show", "one of them", task_show},
        {"end", "end one now", task_end},
    };
    static const struct act_table table = {
        "task",
        "A task is one piece of work by one process tree; auth-guard "
        "run starts one.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
