/*
 * cli.h - what every verb is given: where things are, how to print, one
 * connection to the broker. Verbs are rows of the table in verb.c.
 * Floor: cli. Depends on: base, jansson, out, client.
 *
 * A verb is one function in verb_NAME.c:
 *
 *     enum ag_err verb_list(struct cli *cli, int argc, char **argv);
 *
 * argv[0] is the verb's own name. It parses by args_parse() (which answers
 * --help and takes --json), prints its product by out_*, and returns. What it
 * returns is turned into a sentence on stderr (or a JSON object with --json)
 * and an exit code by main, once. A verb never calls exit().
 */
#ifndef AG_CLI_CLI_H
#define AG_CLI_CLI_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/paths.h"
#include "out.h"

struct buf;
struct client;
struct client_request;
struct secret;

struct cli {
    struct out out;
    struct paths paths;
    struct client *client; /* NULL until cli_connect() */
    const char *token;     /* $AUTH_GUARD_TOKEN, or NULL; borrowed */
    int exit_code;         /* a verb's own answer (run); -1: from the error */
    bool hardened;         /* cli_harden() was done */
    char **completing;     /* the words of a line, only looked at; complete.h */
};

/* Fills *cli from the environment. Errors: those of paths_find(). */
AG_CHECK AG_NONNULL enum ag_err cli_init(struct cli *cli);
AG_NONNULL /* Is there no vault where ours would be? By the file; asks no broker. */
    AG_NONNULL bool
    cli_vault_absent(const struct cli *cli);
void cli_done(struct cli *cli);

/*
 * Makes this process non-dumpable and core-less and opens the arena of locked
 * memory. Every verb that asks for a passphrase or sees a value calls it before
 * it does; a second call does nothing. cli_harden_bare() leaves the arena out.
 * Errors: AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err cli_harden(struct cli *cli);
AG_NONNULL void cli_harden_bare(struct cli *cli);

/*
 * One call of the API. `body` may be NULL (no body) and is borrowed; `path`
 * starts with /v1/ and is encoded already (see client_path()). With
 * proof_required the passphrase is asked for once, shown to the broker, and the
 * call repeated.
 *
 * Ownership: on AG_OK *ret is the caller's (json_decref); `ret` may be NULL.
 * Errors: AG_ENOBROKER when nobody answers, AG_EDENIED when another user does;
 *         else the code of the broker's problem+json, with its sentence.
 */
AG_CHECK enum ag_err cli_call(struct cli *cli, const char *method,
                              const char *path, const json_t *body,
                              json_t **ret);

/* The connection that cli_call() makes when there is none, made now. Errors:
 * AG_ENOBROKER, AG_EDENIED. */
AG_CHECK AG_NONNULL enum ag_err cli_connect(struct cli *cli);

/* GET of something that is not JSON (an export), appended to `out`. */
AG_CHECK AG_NONNULL enum ag_err cli_call_text(struct cli *cli, const char *path,
                                              struct buf *out);

/* Gives the broker a fresh proof: `passphrase`, or asked for when NULL. */
AG_CHECK enum ag_err cli_prove(struct cli *cli,
                               const struct secret *passphrase);

/* The same as cli_call() for a request or an answer that carries a value: `rq` as in
 * client.h, the answer's JSON text in locked memory (`ret` may be NULL). */
AG_CHECK enum ag_err cli_call_secret(struct cli *cli,
                                     const struct client_request *rq,
                                     struct secret **ret);

#endif
