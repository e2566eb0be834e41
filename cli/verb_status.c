/* status: what is running, and what to type next. Answers without a broker. */
#include <string.h>

#include "args.h"
#include "client.h"
#include "move/recover.h"
#include "verb.h"

enum {
    LABEL_WIDTH = 10,
};

/* What to type, by what was found; the first row that fits. */
static const char *
advice(bool broker, const char *vault, bool operator_here)
{
    if (strcmp(vault, "absent") == 0) {
        return "auth-guard init";
    }
    if (!broker || strcmp(vault, "locked") == 0 || !operator_here) {
        return "auth-guard unlock";
    }
    return NULL;
}

/* What the broker takes the caller for, in words. */
static void
print_caller(const struct cli *cli, const json_t *caller, bool here)
{
    if (strcmp(out_member(caller, "class"), "task") == 0) {
        out_line(&cli->out, OUT_PLAIN, "%-*s inside task %lld", LABEL_WIDTH,
                 "session", (long long)out_member_int(caller, "task"));
        return;
    }
    out_line(&cli->out, OUT_PLAIN, "%-*s %s", LABEL_WIDTH, "session",
             here ? "the operator's" : "not approved");
}

static void
print_minted(const struct cli *cli, const json_t *counts)
{
    long long live = out_member_int(counts, "minted");
    long long waiting = out_member_int(counts, "revokes_wait");
    long long failed = out_member_int(counts, "revokes_failed");

    if (live + waiting > 0) {
        out_line(&cli->out, failed > 0 ? OUT_WARN : OUT_PLAIN,
                 "%-*s %lld in use, %lld to be revoked (%lld tried in vain); "
                 "see: auth-guard mint list",
                 LABEL_WIDTH, "minted", live, waiting, failed);
    }
}

static void
print_counts(const struct cli *cli, const json_t *counts)
{
    long long logins = out_member_int(counts, "needs_login");
    long long rotations = out_member_int(counts, "open_rotations");
    long long incidents = out_member_int(counts, "open_incidents");

    out_line(&cli->out, OUT_PLAIN, "%-*s %lld", LABEL_WIDTH, "secrets",
             (long long)out_member_int(counts, "secrets"));
    out_line(&cli->out, OUT_PLAIN, "%-*s %lld running", LABEL_WIDTH, "tasks",
             (long long)out_member_int(counts, "tasks"));
    if (logins > 0) {
        out_line(
            &cli->out, OUT_WARN,
            "%-*s %lld refused by the service, a new login is needed; see: "
            "auth-guard list",
            LABEL_WIDTH, "logins", logins);
    }
    if (rotations > 0) {
        out_line(&cli->out, OUT_PLAIN,
                 "%-*s %lld under way; see: auth-guard rotate log", LABEL_WIDTH,
                 "rotations", rotations);
    }
    if (incidents > 0) {
        out_line(&cli->out, OUT_BAD,
                 "%-*s %lld open; see: auth-guard incident list", LABEL_WIDTH,
                 "incidents", incidents);
    }
    print_minted(cli, counts);
}

/* Only what is wrong with it: most have no use for it. */
static void
print_runner(const struct cli *cli, const json_t *runner)
{
    if (json_is_false(json_object_get(runner, "alive"))) {
        out_line(&cli->out, OUT_WARN,
                 "%-*s has ended: secrets that a program rotates are not "
                 "rotated; run: auth-guard stop, then auth-guard unlock",
                 LABEL_WIDTH, "runner");
    }
}

static void
print_state(const struct cli *cli, const json_t *status, const char *vault)
{
    bool open = strcmp(vault, "open") == 0;
    const json_t *counts = json_object_get(status, "counts");
    const json_t *caller = json_object_get(status, "caller");
    const char *home = json_string_value(json_object_get(status, "home"));
    bool here = strncmp(out_member(caller, "class"), "operator", 8) == 0;
    bool inside = strcmp(out_member(caller, "class"), "task") == 0;
    const char *next = inside ? NULL : advice(status != NULL, vault, here);

    out_line(&cli->out, status != NULL ? OUT_GOOD : OUT_WARN, "%-*s %s",
             LABEL_WIDTH, "broker", status != NULL ? "running" : "not running");
    out_line(&cli->out, open ? OUT_GOOD : OUT_WARN, "%-*s %s%s%s", LABEL_WIDTH,
             "vault", vault, inside ? "" : ", in ",
             inside         ? ""
             : home != NULL ? home
                            : cli->paths.home);
    out_line(&cli->out, OUT_PLAIN, "%-*s %s", LABEL_WIDTH, "sockets",
             cli->paths.run);
    if (status != NULL && open) {
        print_caller(cli, caller, here);
    }
    print_runner(cli, json_object_get(status, "runner"));
    if (counts != NULL) {
        print_counts(cli, counts);
    }
    if (next != NULL) {
        out_line(&cli->out, OUT_BOLD, "%-*s %s", LABEL_WIDTH, "next", next);
    }
}

enum ag_err
verb_status(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "status",
        .about = "Says whether the broker runs, whether the vault is open, and "
                 "what to type next.\nStarts nothing; finishes or undoes what "
                 "a crash "
                 "left of adopt and release."};
    json_auto_t *status = NULL;
    const char *vault;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = cli_call(cli, "GET", "/v1/status", NULL, &status);
    if (err != AG_OK && err != AG_ENOBROKER) {
        return err;
    }
    vault = status != NULL          ? out_member(status, "vault")
            : cli_vault_absent(cli) ? "absent"
                                    : "locked";
    if (strcmp(vault, "open") == 0) {
        (void)!moves_recover(cli, NULL); /* it says what it finds */
    }
    if (!cli->out.json) {
        print_state(cli, status, vault);
        return AG_OK;
    }
    if (status == NULL) {
        status = json_pack("{s:b,s:s}", "broker", 0, "vault", vault);
    } else {
        (void)json_object_set_new(status, "broker", json_true());
    }
    return status == NULL ? AG_ENOMEM : out_json(&cli->out, status);
}
