/* passphrase, slot, rekey: what opens the vault. */
#include "acts.h"
#include "args.h"
#include "base/secret.h"
#include "body.h"
#include "client.h"
#include "keyfile.h"
#include "tty.h"
#include "verb.h"

static enum ag_err
slow_post(struct cli *cli, const char *path, const json_t *public_part,
          const struct body_member *members, size_t count, struct secret **ret)
{
    AG_AUTO(secret) struct secret *body = NULL;
    enum ag_err err = cli_harden(cli);

    if (err == AG_OK) {
        err = body_make(public_part, members, count, &body);
    }
    if (err != AG_OK) {
        return err;
    }
    out_progress(&cli->out, "deriving the key");
    err = cli_call_secret(
        cli,
        &(struct client_request){.method = "POST",
                                 .path = path,
                                 .secret_body = body,
                                 .timeout_ms = CLIENT_SLOW_TIMEOUT_MS},
        ret);
    out_progress(&cli->out, NULL);
    return err;
}

static enum ag_err
read_new(struct cli *cli, const char *new_file, struct secret **ret)
{
    if (new_file == NULL && tty_passphrase_from_file()) {
        return err_why(AG_EUSAGE, "the old passphrase comes from a file; name "
                                  "a file for the new one: --new-file FILE");
    }
    if (new_file == NULL) {
        return tty_passphrase(cli, "New passphrase", TTY_ASK_NEW, ret);
    }
    return tty_passphrase_file(cli, new_file, TTY_ASK_NEW, ret);
}

enum ag_err
verb_passphrase(struct cli *cli, int argc, char **argv)
{
    const char *new_file = NULL;
    const struct arg_opt opts[] = {
        {"new-file", ARG_TEXT, &new_file, "FILE",
         "read the new passphrase from a private file"},
    };
    const struct arg_spec spec = {
        .usage = "passphrase [options]",
        .about = "Changes the passphrase. The old one is asked for first.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
    };
    AG_AUTO(secret) struct secret *old_one = NULL;
    AG_AUTO(secret) struct secret *new_one = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = tty_passphrase(cli, "Old passphrase", TTY_ASK_ONCE, &old_one);
    if (err == AG_OK) {
        err = read_new(cli, new_file, &new_one);
    }
    if (err == AG_OK) {
        err = cli_prove(cli, old_one);
    }
    if (err == AG_OK) {
        struct body_member members[] = {{.name = "old", .value = old_one},
                                        {.name = "new", .value = new_one}};

        err = slow_post(cli, "/v1/passphrase", NULL, members, 2, NULL);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "The passphrase is changed.");
    }
    return err;
}

/* The recovery code of an answer, shown once; with --json the answer. */
static enum ag_err
show_code(const struct cli *cli, const struct secret *answer, const char *words)
{
    AG_AUTO(secret) struct secret *code = NULL;
    enum ag_err err = AG_OK;

    if (!cli->out.json) {
        err = body_take(answer, "recovery_code", &code, NULL);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "%s", words);
        err = out_bytes(secret_view(code != NULL ? code : answer));
    }
    return err == AG_OK ? out_bytes(span_str("\n")) : err;
}

enum ag_err
verb_rekey(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "rekey",
        .about =
            "Makes new keys and wraps every value's key anew, in one "
            "transaction. For when\na copy of the vault and its passphrase "
            "may be in other hands. The passphrase stays;\nkey files and "
            "recovery codes of before open nothing any more, and a new "
            "recovery\ncode is shown once.",
    };
    AG_AUTO(secret) struct secret *passphrase = NULL;
    AG_AUTO(secret) struct secret *answer = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = tty_passphrase(cli, "Passphrase of the vault", TTY_ASK_ONCE,
                         &passphrase);
    if (err == AG_OK) {
        err = cli_prove(cli, passphrase);
    }
    if (err == AG_OK) {
        err = slow_post(
            cli, "/v1/rekey", NULL,
            &(struct body_member){.name = "passphrase", .value = passphrase}, 1,
            &answer);
    }
    return err == AG_OK
               ? show_code(cli, answer,
                           "Every value has new keys. The recovery code and "
                           "key files of before open nothing any more; the new "
                           "code, shown this once:")
               : err;
}

static enum ag_err
slot_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"SLOT", "id", true},
        {"KIND", "kind", false},
        {"MADE", "when:created", false}};
    static const struct arg_spec spec = {.usage = "slot list",
                                         .about = "Lists the unlock slots."};

    return acts_list(cli,
                     &(struct act_list){&spec, "/v1/slots", "slots", columns,
                                        AG_COUNT(columns)},
                     argc, argv);
}

static enum ag_err
slot_add_recovery(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "slot add-recovery",
        .about = "Makes a further recovery code and shows it once."};
    struct args args;
    AG_AUTO(secret) struct secret *answer = NULL;
    json_auto_t *public_part = json_pack("{s:s}", "kind", "recovery");
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = slow_post(cli, "/v1/slots", public_part, NULL, 0, &answer);
    return err == AG_OK ? show_code(cli, answer,
                                    "A further recovery code, shown this once:")
                        : err;
}

static enum ag_err
slot_add_key(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "slot add-key FILE",
        .about = "Lets a key file (32 random bytes or more, mode 0600) open "
                 "the vault.",
        .words_min = 1,
        .words_max = 1};
    struct args args;
    AG_AUTO(secret) struct secret *key = NULL;
    json_auto_t *public_part = json_pack("{s:s}", "kind", "key");
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = keyfile_read(cli, args.words[0], &key);
    if (err == AG_OK) {
        err = slow_post(
            cli, "/v1/slots", public_part,
            &(struct body_member){.name = "key", .value = key, .base64 = true},
            1, NULL);
    }
    if (err == AG_OK) {
        out_say(&cli->out,
                "The key file opens the vault: auth-guard unlock "
                "--key-file %s",
                args.words[0]);
    }
    return err;
}

static enum ag_err
slot_remove(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_SLOTS,
        .usage = "slot remove ID",
        .about = "Takes a way to unlock away. The passphrase can't be removed, "
                 "only changed.",
        .words_min = 1,
        .words_max = 1};

    return acts_call(cli,
                     &(struct act_call){.spec = &spec,
                                        .method = "DELETE",
                                        .path = "/v1/slots/%s",
                                        .what = "Slot",
                                        .sentence = "is gone"},
                     argc, argv);
}

enum ag_err
verb_slot(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"list", "the ways to unlock", slot_list},
        {"add-key", "a key file, for machines", slot_add_key},
        {"add-recovery", "a recovery code, for the day the passphrase is lost",
         slot_add_recovery},
        {"remove", "take one away", slot_remove},
    };
    static const struct act_table table = {
        "slot", "Ways to unlock besides the passphrase.", acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
