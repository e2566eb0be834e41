/*
 * verb.h - the table of verbs and its dispatcher.
 * Floor: cli. Depends on: cli.
 */
#ifndef AG_CLI_VERB_H
#define AG_CLI_VERB_H

#include "cli.h"

struct verb {
    const char *name;
    const char *summary; /* one line of `auth-guard help` */
    enum ag_err (*run)(struct cli *cli, int argc, char **argv);
};

/* Rows in the order of the help, ended by a row without a name; a row without
 * `run` is a heading. */
extern const struct verb verb_table[];

/* The row of `name`, or NULL. */
AG_NONNULL const struct verb *verb_find(const char *name);

/* Runs argv[1]; returns the exit code of the process. */
AG_NONNULL int verb_main(struct cli *cli, int argc, char **argv);

/* Verbs, one per row; in verb_<file>.c. */
typedef enum ag_err verb_fn(struct cli *cli, int argc, char **argv);
verb_fn verb_init, verb_unlock, verb_lock, verb_stop, verb_status, verb_doctor;
verb_fn verb_put, verb_get, verb_list, verb_rm, verb_versions, verb_rollback;
verb_fn verb_scan, verb_adopt, verb_release;
verb_fn verb_redaction_set;
verb_fn verb_run, verb_render, verb_redact, verb_task, verb_token, verb_role;
verb_fn verb_wrap, verb_unwrap, verb_exposure, verb_audit, verb_profiles;
verb_fn verb_incident, verb_leaked;
verb_fn verb_shim, verb_hook, verb_receipt, verb_watch, verb_rotate;
verb_fn verb_mint, verb_completion;
verb_fn verb_slot, verb_passphrase, verb_rekey, verb_version, verb_help;

/* Are these words, the last of them a command, what `run` takes? Runs nothing.
 * Errors: AG_EUSAGE with a sentence. */
AG_CHECK AG_NONNULL enum ag_err verb_run_check(struct cli *cli, int argc,
                                               char **argv);

#endif
