/* rotate: secrets by name, or all that is due; for people and for cron. */
#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "client.h"
#include "complete.h"
#include "rotate.h"
#include "verb.h"

enum {
    LINES_MAX_COUNT = 50,            /* of one mail; the rest is counted */
    RUN_TIMEOUT_MS = 60 * 60 * 1000, /* programs may take their time */
    PAGES_MAX_COUNT = 1000,          /* of a run over very many secrets */
};

/* ---- what to say ---- */

static const char *
sentence_of(const json_t *item, char *out, size_t size)
{
    const char *result = out_member(item, "result");
    long long old_version = out_member_int(item, "old_version");
    long long new_version = out_member_int(item, "new_version");
    const char *waits = out_member(item, "waits_for");
    const char *until = out_member(item, "until"); /* "-": now */
    bool has_until = json_is_string(json_object_get(item, "until"));

    bool refreshed = strcmp(out_member(item, "rotator"), "oauth2") == 0;

    if (strcmp(result, "done") == 0 && refreshed) {
        (void)snprintf(out, size,
                       "version %lld is current; the service takes %lld no "
                       "more",
                       new_version, old_version);
    } else if (strcmp(result, "needs_person") == 0 && refreshed) {
        (void)snprintf(out, size,
                       "%s: the service wants a new login; log in anew with "
                       "its tool, then: auth-guard adopt",
                       out_member(item, "code"));
    } else if (strcmp(result, "done") == 0) {
        (void)snprintf(out, size, "version %lld is current; %lld is destroyed",
                       new_version, old_version);
    } else if (strcmp(result, "revoked") == 0) {
        (void)snprintf(out, size, "version %lld is revoked at its provider",
                       old_version);
    } else if (strcmp(result, "not_current") == 0) {
        (void)snprintf(out, size, "what leaked is not the current version");
    } else if (strcmp(out_member(item, "code"), "no_rule") == 0) {
        (void)snprintf(out, size,
                       "it has no rule; see: auth-guard rotate rule "
                       "set");
    } else if (strcmp(waits, "tasks") == 0) {
        (void)snprintf(
            out, size, "version %lld is current; %lld waits for %lld task(s)",
            new_version, old_version, (long long)out_member_int(item, "tasks"));
    } else if (strcmp(result, "rotated") == 0 ||
               strcmp(result, "waiting") == 0) {
        (void)snprintf(out, size, "version %lld is current; %lld until %s",
                       new_version, old_version, until);
    } else {
        (void)snprintf(out, size, "%s, %s after %lld tries%s%s",
                       out_member(item, "code"), out_member(item, "state"),
                       (long long)out_member_int(item, "attempts"),
                       has_until ? "; again at " : "", has_until ? until : "");
    }
    return out;
}

static enum out_tone
tone_of(const char *result)
{
    return strcmp(result, "failed") == 0         ? OUT_WARN
           : strcmp(result, "needs_person") == 0 ? OUT_BAD
                                                 : OUT_PLAIN;
}

static void
say_steps(const struct cli *cli, const json_t *item)
{
    const json_t *steps = json_object_get(item, "steps");
    char line[160] = "";
    size_t at = 0;

    for (size_t i = 0; i < json_array_size(steps) && at < sizeof(line); i++) {
        const json_t *step = json_array_get(steps, i);
        int put = snprintf(line + at, sizeof(line) - at, "%s%s (%s)",
                           i > 0 ? ", " : "", out_member(step, "act"),
                           out_member(step, "by"));

        at += put > 0 ? (size_t)put : 0;
    }
    out_line(&cli->out, OUT_PLAIN, "%s: would %s; grace %llds",
             out_member(item, "secret"), line,
             (long long)out_member_int(item, "grace_s"));
}

static void
say_items(const struct cli *cli, const json_t *items, bool dry_run)
{
    size_t count = json_array_size(items);

    for (size_t i = 0; i < count && i < LINES_MAX_COUNT; i++) {
        const json_t *item = json_array_get(items, i);
        const char *result = out_member(item, "result");
        char text[200];

        if (dry_run) {
            say_steps(cli, item);
        } else {
            bool untold = strcmp(out_member(item, "notify"), "failed") == 0;

            out_line(&cli->out, tone_of(result), "%s: %s: %s%s",
                     out_member(item, "secret"), result,
                     sentence_of(item, text, sizeof(text)),
                     untold ? "; its program could not be told" : "");
        }
    }
    if (count > LINES_MAX_COUNT) {
        out_line(&cli->out, OUT_PLAIN,
                 "... and %zu more; see: auth-guard "
                 "rotate log",
                 count - LINES_MAX_COUNT);
    }
}

/* ---- the run ---- */

static enum ag_err
ask_at(struct cli *cli, const char *path, const json_t *body, json_t **ret)
{
    const struct client_request rq = {.method = "POST",
                                      .path = path,
                                      .body = body,
                                      .token = cli->token,
                                      .timeout_ms = RUN_TIMEOUT_MS};
    enum ag_err err = cli_connect(cli);

    return err == AG_OK ? client_call(cli->client, &rq, ret) : err;
}

static enum ag_err
ask(struct cli *cli, const json_t *body, json_t **ret)
{
    return ask_at(cli, "/v1/rotations", body, ret);
}

/* What an incident says is to be rotated. */
static enum ag_err
ask_incident(struct cli *cli, const char *id, json_t **ret)
{
    AG_AUTO(buf) struct buf path;
    enum ag_err err;

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    err = client_path(&path, "/v1/incidents/%s/rotate", id);
    return err == AG_OK ? ask_at(cli, buf_cstr(&path), NULL, ret) : err;
}

/* A page of a long run into the first one's answer. */
static enum ag_err
add_page(json_t *answer, const json_t *page)
{
    static const char *const COUNTS[] = {"rotated", "failed", "needs_person"};

    for (size_t i = 0; i < AG_COUNT(COUNTS); i++) {
        json_int_t sum =
            out_member_int(answer, COUNTS[i]) + out_member_int(page, COUNTS[i]);

        if (json_object_set_new(answer, COUNTS[i], json_integer(sum)) != 0) {
            return AG_ENOMEM;
        }
    }
    return json_array_extend(json_object_get(answer, "items"),
                             json_object_get(page, "items")) == 0
               ? AG_OK
               : AG_ENOMEM;
}

/* The broker answers a hundred at a time; what fails stays due, so a page with
 * a failure is the last. */
static enum ag_err
ask_all(struct cli *cli, const json_t *body, json_t **ret)
{
    json_auto_t *answer = NULL;
    bool more = false;
    enum ag_err err = ask(cli, body, &answer);

    more = err == AG_OK && json_is_true(json_object_get(answer, "more")) &&
           !json_is_true(json_object_get(body, "dry_run"));
    for (int i = 0; err == AG_OK && more && i < PAGES_MAX_COUNT; i++) {
        json_auto_t *page = NULL;

        err = ask(cli, body, &page);
        if (err == AG_OK) {
            more = json_is_true(json_object_get(page, "more")) &&
                   out_member_int(page, "failed") == 0;
            err = add_page(answer, page);
        }
    }
    if (err == AG_OK) {
        *ret = json_incref(answer);
    }
    return err;
}

/* The exit code of a cron job: the errors' rows have it. */
static enum ag_err
outcome_of(const json_t *answer)
{
    long long failed = out_member_int(answer, "failed");
    long long person = out_member_int(answer, "needs_person");

    if (person > 0) {
        return err_why(AG_EPERSON,
                       "%lld need%s a person, %lld failed; see: auth-guard "
                       "rotate log",
                       person, person == 1 ? "s" : "", failed);
    }
    return failed > 0 ? err_why(AG_EROTATION,
                                "%lld failed and will be tried again; see: "
                                "auth-guard rotate log",
                                failed)
                      : AG_OK;
}

static enum ag_err
report(struct cli *cli, const json_t *answer, bool dry_run)
{
    const json_t *items = json_object_get(answer, "items");
    enum ag_err err = AG_OK;

    if (cli->out.json) {
        err = out_json(&cli->out, answer);
    } else if (json_array_size(items) > 0) {
        say_items(cli, items, dry_run);
    } else if (cli->out.stderr_terminal) {
        out_say(&cli->out, "Nothing is due."); /* cron mails whatever is said */
    }
    return err == AG_OK ? outcome_of(answer) : err;
}

static json_t *
body_of(const struct args *args, bool due, bool dry_run)
{
    json_t *names = json_array();

    for (size_t i = 0; names != NULL && i < args->count; i++) {
        if (json_array_append_new(names, json_string(args->words[i])) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    return json_pack("{s:o, s:b, s:b}", "names", names, "due", due ? 1 : 0,
                     "dry_run", dry_run ? 1 : 0);
}

static enum ag_err
rotate_now(struct cli *cli, int argc, char **argv)
{
    bool due = false;
    bool dry_run = false;
    const char *incident = NULL;
    const struct arg_opt opts[] = {
        {"due", ARG_FLAG, &due, NULL, "all whose rule says so; for cron"},
        {"dry-run", ARG_FLAG, &dry_run, NULL, "say what would happen"},
        {"from-incident", ARG_TEXT, &incident, "ID",
         "what auth-guard incident show ID says is to be rotated,\nat once and "
         "without grace"}};
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "rotate [--dry-run] NAME… | --due | --from-incident ID",
        .about =
            "Rotates secrets by their rules, and goes on with rotations that "
            "are under way:\nthe new value is sealed, verified and made "
            "current; the old one stays until the\ngrace is over and no task "
            "holds it. Exit 0: nothing was due or all went well,\n3: some "
            "failed and will be tried again, 4: some need a person.\n\n"
            "auth-guard rotate rule set|show|list|remove   when and how\n"
            "auth-guard rotate program add|list|remove     programs on record\n"
            "auth-guard rotate log [NAME]                  the journal",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = ARG_LIST_MAX_COUNT};
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if ((due ? 1 : 0) + (args.count > 0 ? 1 : 0) + (incident != NULL ? 1 : 0) !=
        1) {
        return err_why(AG_EUSAGE, "say one: secrets' names, --due or "
                                  "--from-incident");
    }
    if (incident != NULL && dry_run) {
        return err_why(AG_EUSAGE, "what --from-incident would rotate: "
                                  "auth-guard incident show");
    }
    body = body_of(&args, due, dry_run);
    if (body == NULL) {
        return AG_ENOMEM;
    }
    out_progress(&cli->out, "rotating");
    err = incident != NULL ? ask_incident(cli, incident, &answer)
                           : ask_all(cli, body, &answer);
    out_progress(&cli->out, NULL);
    return err == AG_OK ? report(cli, answer, dry_run) : err;
}

enum ag_err
verb_rotate(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"rule", "when and how a secret rotates", rotate_rule},
        {"program", "programs on record", rotate_program},
        {"log", "the journal", rotate_log},
    };

    if (cli->completing != NULL && argc == 2) {
        complete_acts(acts, AG_COUNT(acts), argv[1]); /* and names, below */
        return rotate_now(cli, argc, argv);
    }
    for (size_t i = 0; argc > 1 && i < AG_COUNT(acts); i++) {
        if (strcmp(argv[1], acts[i].name) == 0) {
            return acts[i].run(cli, argc - 1, argv + 1);
        }
    }
    return rotate_now(cli, argc, argv);
}
