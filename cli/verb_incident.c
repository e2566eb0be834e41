/* incident: what leaked, or may have; leaked: a person says what did. */
#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "client.h"
#include "verb.h"

enum {
    LABEL_WIDTH = 10,
};

static enum ag_err
incident_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"ID", "incident", true},
        {"SECRET", "secret", false},
        {"VERSION", "some:version", true},
        {"TASK", "task", false},
        {"SOURCE", "source", false},
        {"ANSWER", "answer", false},
        {"SEEN", "seen", true},
        {"OPENED", "when:opened", false},
        {"CLOSED", "when:closed", false}};
    bool all = false;
    const struct arg_opt opts[] = {
        {"all", ARG_FLAG, &all, NULL, "closed ones too"}};
    const struct arg_spec spec = {.usage = "incident list [--all]",
                                  .about =
                                      "The open incidents, the newest first.",
                                  .opts = opts,
                                  .opt_count = AG_COUNT(opts)};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    return acts_table(cli, all ? "/v1/incidents?all=1" : "/v1/incidents",
                      "incidents", columns, AG_COUNT(columns));
}

/* ---- show ---- */

/* Is there such a text, and is it not empty? out_member() is never empty. */
static bool
has(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));

    return text != NULL && *text != '\0';
}

static void
say_sightings(const struct cli *cli, const json_t *seen)
{
    for (size_t i = 0; i < json_array_size(seen); i++) {
        const json_t *item = json_array_get(seen, i);
        const json_t *what = json_object_get(item, "what");
        const json_t *note = json_object_get(item, "note");
        long long task = (long long)out_member_int(item, "task");
        char of_task[32] = "";

        if (task != 0) {
            (void)snprintf(of_task, sizeof(of_task), " of task %lld", task);
        }
        out_line(&cli->out, OUT_PLAIN, "%-*s %s: %s%s%s%s, %lld time(s)%s%s%s",
                 LABEL_WIDTH, i == 0 ? "seen" : "", out_member(item, "time"),
                 out_member(item, "where"), of_task, what != NULL ? ", " : "",
                 what != NULL ? json_string_value(what) : "",
                 (long long)out_member_int(item, "count"),
                 json_is_true(json_object_get(item, "sure"))
                     ? ""
                     : ", perhaps by chance",
                 note != NULL ? ": " : "",
                 note != NULL ? json_string_value(note) : "");
    }
}

static void
say_readers(const struct cli *cli, const json_t *readers)
{
    for (size_t i = 0; i < json_array_size(readers); i++) {
        const json_t *item = json_array_get(readers, i);
        bool task = has(item, "task");

        out_line(
            &cli->out, OUT_PLAIN, "%-*s %s%s %s, %lld time(s), last %s",
            LABEL_WIDTH, i == 0 ? "readers" : "",
            task ? "task " : "a person or the broker",
            task ? out_member(item, "task") : "", out_member(item, "grade"),
            (long long)out_member_int(item, "times"), out_member(item, "last"));
    }
}

static void
say_rest(const struct cli *cli, const json_t *answer)
{
    const json_t *reach = json_object_get(answer, "reach");
    const json_t *rotate = json_object_get(answer, "rotate");

    for (size_t i = 0; i < json_array_size(reach); i++) {
        out_line(&cli->out, OUT_PLAIN, "%-*s %s", LABEL_WIDTH,
                 i == 0 ? "reaches" : "",
                 json_string_value(json_array_get(reach, i)));
    }
    for (size_t i = 0; i < json_array_size(rotate); i++) {
        const json_t *item = json_array_get(rotate, i);

        out_line(&cli->out, OUT_WARN, "%-*s %s, version %lld%s", LABEL_WIDTH,
                 i == 0 ? "to rotate" : "", out_member(item, "secret"),
                 (long long)out_member_int(item, "version"),
                 json_is_true(json_object_get(item, "minted"))
                     ? ", minted: it is revoked"
                 : json_is_true(json_object_get(item, "has_rule"))
                     ? ""
                     : ", by hand: it has no rule of rotation");
    }
}

static void
say_incident(const struct cli *cli, const json_t *answer)
{
    if (has(answer, "secret")) {
        out_line(&cli->out, OUT_BAD, "%-*s %s, version %lld (%s)", LABEL_WIDTH,
                 "secret", out_member(answer, "secret"),
                 (long long)out_member_int(answer, "version"),
                 out_member(answer, "state"));
    }
    if (has(answer, "task")) {
        out_line(&cli->out, OUT_PLAIN, "%-*s %s %s", LABEL_WIDTH, "task",
                 out_member(answer, "task"), out_member(answer, "task_name"));
    }
    out_line(&cli->out, OUT_PLAIN, "%-*s %s", LABEL_WIDTH, "answer",
             out_member(answer, "answer"));
    out_line(&cli->out, OUT_PLAIN, "%-*s %s", LABEL_WIDTH, "opened",
             out_member(answer, "opened"));
    if (json_is_string(json_object_get(answer, "closed"))) {
        out_line(&cli->out, OUT_PLAIN, "%-*s %s", LABEL_WIDTH, "closed",
                 out_member(answer, "closed"));
    }
    say_sightings(cli, json_object_get(answer, "seen_at"));
    say_readers(cli, json_object_get(answer, "readers"));
    say_rest(cli, answer);
}

static enum ag_err
incident_show(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_INCIDENTS,
        .usage = "incident show ID",
        .about = "What leaked and where it was seen, who could have seen it, "
                 "where it gets in,\nand what is to be rotated: auth-guard "
                 "rotate --from-incident ID does it.",
        .words_min = 1,
        .words_max = 1};
    AG_AUTO(buf) struct buf path;
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = client_path(&path, "/v1/incidents/%s", args.words[0]);
    if (err == AG_OK) {
        err = cli_call(cli, "GET", buf_cstr(&path), NULL, &answer);
    }
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    say_incident(cli, answer);
    return AG_OK;
}

static enum ag_err
incident_close(struct cli *cli, int argc, char **argv)
{
    const char *note = NULL;
    const struct arg_opt opts[] = {
        {"note", ARG_TEXT, &note, "TEXT", "for the record: what came of it"}};
    const struct arg_spec spec = {
        .names = ARG_NAMES_INCIDENTS,
        .usage = "incident close [--note TEXT] ID",
        .about = "Closes an incident; a secret that it kept on hold is handed "
                 "out again.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    AG_AUTO(buf) struct buf path;
    json_auto_t *body = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    body = json_pack("{s:s*}", "note", note);
    err = body != NULL
              ? client_path(&path, "/v1/incidents/%s/close", args.words[0])
              : AG_ENOMEM;
    if (err == AG_OK) {
        err = cli_call(cli, "POST", buf_cstr(&path), body, NULL);
    }
    if (err != AG_OK) {
        return err;
    }
    if (cli->out.json) {
        json_auto_t *done = json_object();

        return out_json(&cli->out, done);
    }
    out_say(&cli->out, "Incident %s is closed.", args.words[0]);
    return AG_OK;
}

enum ag_err
verb_incident(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"list", "the open ones", incident_list},
        {"show", "one, with all that is known", incident_show},
        {"close", "end one", incident_close},
    };
    static const struct act_table table = {
        "incident",
        "What leaked, or may have. One is opened when a value stands in a "
        "task's output,\nwhen a task trips a wire, or by auth-guard leaked. "
        "What follows is the secret's\nrule: auth-guard rotate rule set "
        "--on-leak record|hold|rotate NAME.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
