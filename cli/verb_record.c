/* exposure and audit: the record, read. */
#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "client.h"
#include "verb.h"

/* "What must be rotated after this task?" */
static void
say_rotate(const struct cli *cli, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        out_line(&cli->out, OUT_WARN, "to rotate: %s, version %lld (%s%s)%s",
                 out_member(item, "secret"),
                 (long long)out_member_int(item, "version"),
                 out_member(item, "grade"),
                 json_is_true(json_object_get(item, "leaked")) ? ", it leaked"
                                                               : "",
                 json_is_true(json_object_get(item, "minted"))
                     ? ", minted: it is revoked"
                 : json_is_true(json_object_get(item, "has_rule"))
                     ? ""
                     : ", by hand: it has no rule of rotation");
    }
}

enum ag_err
verb_exposure(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"SECRET", "secret", false},
        {"VERSION", "version", true},
        {"TASK", "task", false},
        {"HOW", "grade", false},
        {"INSTEAD OF", "instead_of", false},
        {"FIRST", "when:first", false},
        {"LAST", "when:last", false},
        {"TIMES", "times", true},
        {"TASK NAME", "task_name", false}};
    const char *task = NULL;
    const struct arg_opt opts[] = {
        {"task", ARG_TEXT, &task, "ID", "what this task could have seen"}};
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "exposure NAME | --task ID",
        .about =
            "Answers: who could have seen this secret, and what could this "
            "task have seen?\nWhat it lists for a bad task is what must be "
            "rotated.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = 1};
    AG_AUTO(buf) struct buf path;
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    if ((task != NULL) == (args.count == 1)) {
        return err_why(AG_EUSAGE, "say one: a secret's name, or --task ID");
    }
    err = task != NULL
              ? client_path(&path, "/v1/exposure?task=%s", task)
              : client_path(&path, "/v1/exposure?secret=%s", args.words[0]);
    if (err == AG_OK) {
        err = cli_call(cli, "GET", buf_cstr(&path), NULL, &answer);
    }
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    if (json_object_get(answer, "needs_login") != NULL) {
        const char *code = out_member(answer, "needs_login");

        out_say(&cli->out,
                strcmp(code, "unusable_answer") == 0
                    ? "%s needs login: what the service answered to a refresh "
                      "could not be kept (%s)."
                    : "%s needs login: the service refused it (%s).",
                args.words[0], code);
    }
    err = acts_rows(cli, json_object_get(answer, "exposure"), columns,
                    AG_COUNT(columns));
    say_rotate(cli, json_object_get(answer, "rotate"));
    return err;
}

static enum ag_err
audit_tail(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"SEQ", "seq", true},
                                                {"WHEN", "when:time", false},
                                                {"TASK", "some:task", true},
                                                {"WHAT", "kind", false},
                                                {"DETAIL", "body", false}};
    int64_t after = -1;
    int64_t limit = 20;
    char path[128];
    const struct arg_opt opts[] = {
        {"after", ARG_COUNT, &after, "SEQ", "rows after this one"},
        {"limit", ARG_COUNT, &limit, "N", "so many (20)"}};
    const struct arg_spec spec = {.usage = "audit tail [options]",
                                  .about = "The newest rows of the record.",
                                  .opts = opts,
                                  .opt_count = AG_COUNT(opts)};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (after >= 0) {
        snprintf(path, sizeof(path), "/v1/audit?after=%lld&limit=%lld",
                 (long long)after, (long long)limit);
    } else {
        snprintf(path, sizeof(path), "/v1/audit?limit=%lld", (long long)limit);
    }
    return acts_table(cli, path, "rows", columns, AG_COUNT(columns));
}

static enum ag_err
audit_verify(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "audit verify",
        .about =
            "Checks the whole chain: edits, gaps and truncation are named. "
            "Exit 65 if any."};
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    out_progress(&cli->out, "checking the record");
    err = cli_call(cli, "GET", "/v1/audit/verify", NULL, &answer);
    out_progress(&cli->out, NULL);
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    out_line(&cli->out, OUT_GOOD, "The record is whole: %lld rows.",
             (long long)out_member_int(answer, "rows"));
    return AG_OK;
}

/* The export is lines of JSON, not one value: it is passed on as text. */
static enum ag_err
audit_export(struct cli *cli, int argc, char **argv)
{
    int64_t after = 0;
    char path[128];
    const struct arg_opt opts[] = {
        {"after", ARG_COUNT, &after, "SEQ", "rows after this one"}};
    const struct arg_spec spec = {
        .usage = "audit export [options] >FILE",
        .about =
            "Writes the record as JSON lines with chain values. Kept "
            "elsewhere, it shows a\nvault that was rolled back as a whole.",
        .opts = opts,
        .opt_count = AG_COUNT(opts)};
    AG_AUTO(buf) struct buf text;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&text, CLIENT_BODY_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    snprintf(path, sizeof(path), "/v1/audit/export?after=%lld",
             (long long)after);
    err = cli_call_text(cli, path, &text);
    return err == AG_OK ? out_bytes(buf_view(&text)) : err;
}

enum ag_err
verb_audit(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"tail", "the newest rows", audit_tail},
        {"verify", "is it whole?", audit_verify},
        {"export", "as JSON lines", audit_export},
    };
    static const struct act_table table = {
        "audit",
        "What was done, by whom, to what: a chain nobody can change "
        "quietly.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
