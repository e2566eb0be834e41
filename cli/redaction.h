/*
 * redaction.h - one text through the filter: the broker's for what the vault
 * knows, then this process's rules, or these alone. The text goes as
 * descriptors; without rules here no byte of it passes through this process.
 * Floor: cli. Depends on: base, jansson.
 */
#ifndef AG_CLI_REDACTION_H
#define AG_CLI_REDACTION_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "cli.h"
#include "formats.h"
#include "receipt_ask.h"
#include "rules.h"
#include "session.h"

struct redaction {
    struct cli *cli;
    enum rule_level_word rules;
    struct format_wish format;
    bool is_local; /* without a vault: known values can't be looked for */
    struct rule_stage *stage; /* rules in this process, or NULL; owned */
    struct session *session;  /* owned */
    struct receipt_ask receipt;
};

/*
 * The broker's filter is connected, unless r->is_local. The caller closes also
 * what did not open.
 * Errors: AG_ENOBROKER, AG_ELOCKED, AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err redaction_open(struct redaction *r);

/*
 * struct passage's run(), with a struct redaction.
 * Errors: AG_EFILTER: it broke off; what is after that was not passed on.
 *         AG_ELOCKED; those of read and write.
 */
AG_CHECK AG_NONNULL enum ag_err redaction_run(void *ctx, const char *name,
                                              int src_fd, int dst_fd,
                                              json_t **ret_report);

AG_NONNULL void redaction_close(struct redaction *r);

/* Whoever read our output has gone, as `head` does: no error, and the end that
 * every filter in a pipe takes. */
void redaction_end_as_filters_do(void);

#endif
