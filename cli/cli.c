#include "cli.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "body.h"
#include "client.h"
#include "tty.h"

enum ag_err
cli_init(struct cli *cli)
{
    const char *token = getenv("AUTH_GUARD_TOKEN");

    cli->client = NULL;
    cli->token = token != NULL && *token != '\0' ? token : NULL;
    cli->exit_code = -1;
    cli->hardened = false;
    cli->completing = NULL;
    out_init(&cli->out);
    return paths_find(&cli->paths);
}

void
cli_done(struct cli *cli)
{
    client_close(AG_TAKE(cli->client));
}

void
cli_harden_bare(struct cli *cli)
{
    (void)cli;
#ifndef AG_SANITIZED /* leak checking needs ptrace */
    struct rlimit none = {0};

    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
#endif
}

enum ag_err
cli_harden(struct cli *cli)
{
    enum ag_err err;

    if (cli->hardened) {
        return AG_OK;
    }
    cli_harden_bare(cli);
    err = secret_arena_open(SECRET_ARENA_CLI_BYTES);
    cli->hardened = err == AG_OK;
    return err;
}

enum ag_err
cli_connect(struct cli *cli)
{
    return cli->client == NULL ? client_open(cli->paths.api_sock, &cli->client)
                               : AG_OK;
}

bool
cli_vault_absent(const struct cli *cli)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/vault.db", cli->paths.home);

    return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) != 0 &&
           errno == ENOENT;
}

static enum ag_err
call_once(struct cli *cli, const struct client_request *rq, json_t **ret)
{
    enum ag_err err = cli_connect(cli);

    return err == AG_OK ? client_call(cli->client, rq, ret) : err;
}

static enum ag_err
call_secret_once(struct cli *cli, const struct client_request *rq,
                 struct secret **ret)
{
    enum ag_err err = cli_harden(cli);

    if (err == AG_OK) {
        err = cli_connect(cli);
    }
    return err == AG_OK ? client_call_secret(cli->client, rq, ret) : err;
}

static enum ag_err
send_proof(struct cli *cli, const struct secret *passphrase)
{
    AG_AUTO(secret) struct secret *body = NULL;
    enum ag_err err = body_make(
        NULL, &(struct body_member){.name = "passphrase", .value = passphrase},
        1, &body);

    if (err == AG_OK) {
        out_progress(&cli->out, "checking the passphrase");
        err = call_once(
            cli,
            &(struct client_request){.method = "POST",
                                     .path = "/v1/proof",
                                     .secret_body = body,
                                     .timeout_ms = CLIENT_SLOW_TIMEOUT_MS},
            NULL);
        out_progress(&cli->out, NULL);
    }
    return err;
}

enum ag_err
cli_prove(struct cli *cli, const struct secret *passphrase)
{
    AG_AUTO(secret) struct secret *asked = NULL;
    enum ag_err err;

    if (passphrase != NULL) {
        return send_proof(cli, passphrase);
    }
    err = tty_passphrase(cli, "Passphrase of the vault", TTY_ASK_ONCE, &asked);
    return err == AG_OK ? send_proof(cli, asked) : err;
}

enum ag_err
cli_call(struct cli *cli, const char *method, const char *path,
         const json_t *body, json_t **ret)
{
    struct client_request rq = {
        .method = method, .path = path, .body = body, .token = cli->token};
    enum ag_err err = call_once(cli, &rq, ret);

    if (err == AG_EPROOF && cli->token == NULL) {
        err = cli_prove(cli, NULL);
        if (err == AG_OK) {
            err = call_once(cli, &rq, ret);
        }
    }
    return err;
}

enum ag_err
cli_call_secret(struct cli *cli, const struct client_request *rq,
                struct secret **ret)
{
    struct client_request with_token = *rq;
    enum ag_err err;

    if (with_token.token == NULL) {
        with_token.token = cli->token;
    }
    err = call_secret_once(cli, &with_token, ret);
    if (err == AG_EPROOF && with_token.token == NULL) {
        err = cli_prove(cli, NULL);
        if (err == AG_OK) {
            err = call_secret_once(cli, &with_token, ret);
        }
    }
    return err;
}

enum ag_err
cli_call_text(struct cli *cli, const char *path, struct buf *out)
{
    struct client_request rq = {
        .method = "GET", .path = path, .token = cli->token};
    enum ag_err err = cli_connect(cli);

    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(cli->client != NULL);
    return client_call_text(cli->client, &rq, out);
}
