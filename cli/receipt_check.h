/*
 * receipt_check.h - is what a receipt says so? Without a vault or a broker.
 * Floor: cli. Depends on: wire/receipt, crypt/sign.
 */
#ifndef AG_CLI_RECEIPT_CHECK_H
#define AG_CLI_RECEIPT_CHECK_H

#include <stdbool.h>

#include "args.h"
#include "base/attr.h"
#include "base/err.h"
#include "wire/receipt.h"

/* Beside a file of receipts, what its inputs were sealed with. */
#define RECEIPT_OPENING_ENDS ".opening"

enum {
    RECEIPT_FILE_MAX_COUNT = 4096, /* receipts: as many as `redact` writes */
};

/* What is held against the receipts of a file. */
struct receipt_against {
    const char *subject;    /* of all; NULL: any */
    const char *print;      /* who must have signed them; NULL: anybody */
    struct arg_list inputs; /* as many as there are receipts, or none */
    const char *opening;    /* their openings, a line each; NULL: beside them */
    const char *output; /* what came out for all of them, one after another, or
                           NULL */
};

/* One that holds; borrowed for the call. `line` has no newline. */
typedef enum ag_err (*receipt_each_fn)(void *ctx, const struct receipt *r,
                                       const char *line);

/*
 * Reads the receipts of `path` ("-": stdin), a line each, checks every one and
 * gives it to `each`.
 * Errors: AG_ERECEIPT with a sentence: one does not hold, or not for this;
 *         AG_ENEWER; AG_EUSAGE; those of open() and read(); those of `each`.
 */
AG_CHECK AG_NONNULL enum ag_err
receipt_check_file(const char *path, const struct receipt_against *against,
                   receipt_each_fn each, void *ctx);

#endif
