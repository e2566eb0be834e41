/*
 * receipts.h - receipts of streams: what the filter vouches for, put on the
 * record, then signed with the vault's key (wire/receipt.h).
 * Floor: core. Depends on: wire/receipt, crypt/sign, privsep/filter, store/audit.
 *
 * What is in one comes from the filter process and the vault; whoever asks for
 * it gives the subject alone. The row of the record comes first: a receipt that
 * exists is on it.
 */
#ifndef AG_CORE_RECEIPTS_H
#define AG_CORE_RECEIPTS_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"
#include "wire/receipt.h"

struct buf;
struct filter_report;
struct stream_terms;

/* How a receipt tells which secrets were found. */
enum receipt_names {
    RECEIPT_NAMES_HASHED, /* keyed by the vault, another in each receipt */
    RECEIPT_NAMES_PLAIN,
    RECEIPT_NAMES_COUNT,
};

struct receipt_draft;

/* Errors: AG_EINVAL subject; AG_EDENIED a stream for a task's eyes: it would be
 * told what is in the vault; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
receipt_draft_new(const char *subject, enum receipt_names names,
                  const struct stream_terms *terms, struct receipt_draft **ret);
void receipt_draft_free(struct receipt_draft *d);
AG_DEFINE_CLEANUP(receipt_draft, receipt_draft_free)

/* Fills it in. Threads: the filter's; blocks: no. */
AG_NONNULL void receipt_draft_fill(struct receipt_draft *d,
                                   const struct filter_report *report);

/*
 * Durably on the record, then the signed line appended to `out`; `opening` is
 * what its input was sealed with.
 * Errors: AG_EFILTER the filter did not vouch; AG_ELOCKED; those of the writer:
 *         no record, no receipt. Blocks.
 */
AG_CHECK AG_NONNULL enum ag_err
receipt_draft_sign(struct core *core, struct receipt_draft *d, struct buf *out,
                   uint8_t opening[RECEIPT_OPENING_BYTES]);

/* GET /v1/receipts/key. *ret: {key, fingerprint}. */
AG_CHECK AG_NONNULL enum ag_err receipts_key(struct core *core, json_t **ret);

/*
 * POST /v1/receipts/check: is this line on the record? *ret: {seq, time, names}
 * with the names in clear.
 * Errors: AG_ERECEIPT with a sentence; AG_ENEWER; AG_ECORRUPT the record itself
 *         does not verify there.
 */
AG_CHECK AG_NONNULL enum ag_err receipts_check(struct core *core,
                                               const char *line, json_t **ret);

/*
 * The secrets that a receipt of this vault names: [NAME, …]; with `fingerprint`
 * ("~" and hex, as it stands in there) that one alone. NULL: all.
 * Errors: as above; AG_ENOTFOUND it has no such fingerprint, or no secret.
 */
AG_CHECK enum ag_err receipts_secrets(struct core *core, const char *line,
                                      const char *fingerprint, json_t **ret);

#endif
