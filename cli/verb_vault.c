/* init, unlock, lock, stop: the vault's own life. */
#include <sys/syscall.h>

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "base/secret.h"
#include "body.h"
#include "client.h"
#include "keyfile.h"
#include "launch.h"
#include "move/recover.h"
#include "tty.h"
#include "verb.h"

enum {
    STOP_WAIT_MS = 5000, /* tasks are given a second of it */
};

/* A slow call (key derivation) with one secret member; the answer, which may
 * carry a recovery code, in locked memory. */
static enum ag_err
slow_call(struct cli *cli, const char *path, const json_t *open_part,
          const struct body_member *member, struct secret **ret)
{
    AG_AUTO(secret) struct secret *body = NULL;
    enum ag_err err = body_make(open_part, member, 1, &body);

    if (err == AG_OK) {
        err = launch_broker(cli);
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

/* Is there a vault? By the word of the broker, which is started for it. */
static enum ag_err
ask_vault(struct cli *cli, bool *ret)
{
    json_auto_t *status = NULL;
    const char *state;
    enum ag_err err = launch_broker(cli);

    if (err == AG_OK) {
        err = cli_call(cli, "GET", "/v1/status", NULL, &status);
    }
    if (err != AG_OK) {
        return err;
    }
    state = out_member(status, "vault");
    *ret = strcmp(state, "open") == 0 || strcmp(state, "locked") == 0;
    return AG_OK;
}

/* These two refuse early what the broker would refuse late, after a passphrase
 * was thought up and typed. */
static enum ag_err
check_no_vault(struct cli *cli)
{
    bool there = false;
    enum ag_err err = ask_vault(cli, &there);

    return err == AG_OK && there
               ? err_why(AG_EEXISTS,
                         "there is a vault in %s already; run: auth-guard "
                         "unlock",
                         cli->paths.home)
               : err;
}

static enum ag_err
check_vault(struct cli *cli)
{
    bool there = false;
    enum ag_err err = ask_vault(cli, &there);

    return err == AG_OK && !there
               ? err_why(AG_ENOVAULT,
                         "there is no vault in %s yet; run: auth-guard init",
                         cli->paths.home)
               : err;
}

static enum ag_err
show_recovery(const struct cli *cli, const struct secret *code)
{
    out_line(&cli->out, OUT_GOOD,
             "The vault is made and open for this "
             "session: %s",
             cli->paths.home);
    out_line(&cli->out, OUT_PLAIN, "%s", "");
    out_line(&cli->out, OUT_PLAIN,
             "Recovery code, shown this once; write it "
             "down and keep it away from this machine:");
    out_line(&cli->out, OUT_PLAIN, "%s", "");
    enum ag_err err = out_bytes(span_str("    "));
    if (err == AG_OK) {
        err = out_bytes(secret_view(code));
    }
    if (err == AG_OK) {
        err = out_bytes(span_str("\n"));
    }
    out_line(&cli->out, OUT_PLAIN, "%s", "");
    out_line(&cli->out, OUT_PLAIN,
             "Next: auth-guard scan finds plaintext "
             "credentials, auth-guard adopt moves them in.");
    return err;
}

enum ag_err
verb_init(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "init [options]",
        .about = "Makes the vault: asks for a passphrase twice and prints a "
                 "recovery "
                 "code\nonce. The session is then the operator's. Without a "
                 "terminal the passphrase\nis read from the file named by "
                 "AUTH_GUARD_PASSPHRASE_FILE.",
    };
    AG_AUTO(secret) struct secret *passphrase = NULL;
    AG_AUTO(secret) struct secret *answer = NULL;
    AG_AUTO(secret) struct secret *code = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = check_no_vault(cli);
    if (err == AG_OK) {
        err = tty_passphrase(cli, "New passphrase for the vault", TTY_ASK_NEW,
                             &passphrase);
    }
    if (err == AG_OK) {
        err = slow_call(
            cli, "/v1/init", NULL,
            &(struct body_member){.name = "passphrase", .value = passphrase},
            &answer);
    }
    if (err != AG_OK) {
        return err;
    }
    if (cli->out.json) {
        err = out_bytes(secret_view(answer));
        return err == AG_OK ? out_bytes(span_str("\n")) : err;
    }
    err = body_take(answer, "recovery_code", &code, NULL);
    return err == AG_OK ? show_recovery(cli, code) : err;
}

struct unlock_options {
    const char *key_file;
    bool recovery;
    bool accept_rollback;
};

static enum ag_err
ask_key(struct cli *cli, const struct unlock_options *opt,
        struct secret **ret_value, struct body_member *ret)
{
    enum ag_err err;

    if (opt->key_file != NULL) {
        *ret = (struct body_member){.name = "key", .base64 = true};
        err = keyfile_read(cli, opt->key_file, ret_value);
    } else if (opt->recovery) {
        *ret = (struct body_member){.name = "recovery_code"};
        err = tty_secret_line(cli, "Recovery code", ret_value);
    } else {
        *ret = (struct body_member){.name = "passphrase"};
        err = tty_passphrase(cli, "Passphrase of the vault", TTY_ASK_ONCE,
                             ret_value);
    }
    ret->value = *ret_value;
    return err;
}

static enum ag_err
show_unlocked(struct cli *cli, const struct secret *answer)
{
    struct span text = secret_view(answer); /* no secret in this one */
    json_auto_t *said = json_loadb((const char *)text.ptr, text.len,
                                   JSON_REJECT_DUPLICATES, NULL);
    char when[OUT_WHEN_BYTES];
    const json_t *sentence;
    size_t i;

    if (said == NULL) {
        return err_why(AG_ECORRUPT, "the broker's answer is not JSON");
    }
    if (cli->out.json) {
        return out_json(&cli->out, said);
    }
    json_array_foreach(json_object_get(said, "found"), i, sentence)
    {
        out_warn(&cli->out, "%s",
                 json_is_string(sentence) ? json_string_value(sentence)
                                          : "something was left over");
    }
    if (json_is_true(json_object_get(said, "operator"))) {
        out_say(
            &cli->out,
            "The vault is open; this session is the operator's "
            "and ends %s.",
            out_when(json_string_value(json_object_get(said, "until")), when));
    } else {
        out_say(&cli->out, "The vault is open; nobody was made operator (only "
                           "the passphrase does).");
    }
    return AG_OK;
}

enum ag_err
verb_unlock(struct cli *cli, int argc, char **argv)
{
    struct unlock_options opt = {0};
    const struct arg_opt opts[] = {
        {"key-file", ARG_TEXT, &opt.key_file, "FILE",
         "unlock by a key file slot instead"},
        {"recovery", ARG_FLAG, &opt.recovery, NULL,
         "unlock by the recovery code instead"},
        {"accept-rollback", ARG_FLAG, &opt.accept_rollback, NULL,
         "take an older vault as it is, after a restore of yours"},
    };
    const struct arg_spec spec = {
        .usage = "unlock [options]",
        .about =
            "Opens the vault, starting the broker if none runs. The passphrase "
            "makes this\nterminal session the operator's; a key file or the "
            "recovery code only opens.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
    };
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(secret) struct secret *answer = NULL;
    json_auto_t *accepted = NULL;
    struct body_member member = {0};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (opt.accept_rollback) {
        accepted = json_pack("{s:b}", "accept_rollback", 1);
    }
    if (opt.key_file != NULL && opt.recovery) {
        return err_why(AG_EUSAGE, "--key-file and --recovery exclude each "
                                  "other");
    }
    err = check_vault(cli);
    if (err == AG_OK) {
        err = ask_key(cli, &opt, &value, &member);
    }
    if (err == AG_OK) {
        err = slow_call(cli, "/v1/unlock", accepted, &member, &answer);
    }
    if (err == AG_OK) {
        err = show_unlocked(cli, answer);
    }
    if (err == AG_OK) {
        (void)!moves_recover(cli, NULL); /* it says what it finds */
    }
    return err;
}

/* lock and stop: one POST, one sentence. What is so already is no failure. */
static enum ag_err
plain_post(struct cli *cli, const char *path, const char *sentence)
{
    json_auto_t *answer = NULL;
    enum ag_err err = cli_call(cli, "POST", path, NULL, &answer);

    if (err == AG_ELOCKED) {
        sentence = "The vault was locked already.";
    } else if (err == AG_ENOBROKER && !cli_vault_absent(cli)) {
        sentence = "No broker is running; the vault is locked.";
    } else if (err != AG_OK) {
        return err;
    }
    if (answer == NULL) {
        answer = json_object();
    }
    out_say(&cli->out, "%s", sentence);
    return cli->out.json ? out_json(&cli->out, answer) : AG_OK;
}

enum ag_err
verb_lock(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "lock",
        .about = "Revokes every token, ends every task, then wipes the keys. "
                 "The broker stays.",
    };
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    return err != AG_OK || args.help
               ? err
               : plain_post(cli, "/v1/lock", "The vault is locked.");
}

/* The broker's process, or -1: by its own word, since the peer of a socket that
 * the service manager made is the service manager. */
static int
broker_pidfd(struct cli *cli)
{
    json_auto_t *status = NULL;
    json_int_t pid = 0;

    if (cli_call(cli, "GET", "/v1/status", NULL, &status) == AG_OK) {
        pid = json_integer_value(json_object_get(status, "pid"));
    }
    return pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
}

enum ag_err
verb_stop(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "stop",
        .about = "Locks the vault and ends the broker.",
    };
    AG_AUTO(fd) int broker = -1;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    broker = broker_pidfd(cli);
    err = plain_post(cli, "/v1/stop", "The broker ends.");
    if (err == AG_OK && broker >= 0) {
        struct pollfd pfd = {.fd = broker, .events = POLLIN};

        /* Whoever starts the next one must not meet this one's lock. */
        (void)poll(&pfd, 1, STOP_WAIT_MS);
    }
    return err;
}
