/*
 * renewal.h - the texts a token has one after the other. A renewal gives a new
 * text of the next generation, and the one before ends: shown again once the
 * new one was, it is a copy, and everything that hangs from the token goes.
 * Floor: core. Depends on: core/live, crypt/token, store/tokens.
 *
 * A client whose answer was lost renews again with the text it has: that is
 * good for as long as nobody has shown the new one.
 * The row keeps the hash of the first text. Its scope has a member "line":
 * {hash, text, before: hex; before_generation, at, used} (struct live_line);
 * the generation in force is the row's column.
 */
#ifndef AG_CORE_RENEWAL_H
#define AG_CORE_RENEWAL_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/call.h"
#include "core/live.h"

struct core;
struct core_job;
struct db_tx;
struct token_row;

/* The live token of a text, old ones too. Ownership: live_release().
 * Errors: AG_ETOKEN, AG_ELOCKED; AG_ENOTFOUND: `hash` is the text's. */
AG_CHECK AG_NONNULL enum ag_err renewal_find(struct core *core,
                                             struct span text,
                                             uint8_t hash[TOKEN_HASH_BYTES],
                                             struct live_seen *seen,
                                             struct live_token **ret);

/*
 * May the text be used (`renews`: to renew only)?
 * Errors: AG_ERENEWED another took its place, which nobody has shown yet;
 *         AG_ECLONED it is a copy.
 */
AG_CHECK AG_NONNULL enum ag_err renewal_check(struct core *core,
                                              const struct live_seen *seen,
                                              bool renews, int64_t wall_ms);

/* The text in force is shown for the first time: the one before ends for good,
 * durably. Blocks: for the record. Errors: those of the store. */
AG_CHECK AG_NONNULL enum ag_err renewal_first_use(struct core *core,
                                                  const struct call *call);

/* A copy was shown: ends the task, or the role, and puts it on the record.
 * Writer. */
AG_CHECK AG_NONNULL enum ag_err renewal_cloned(struct core *core,
                                               struct db_tx *tx,
                                               const struct call *call,
                                               const struct live_token *token);

/* The line of a row; NULL in *ret: it was never renewed. The caller's, free().
 * Errors: AG_ECORRUPT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err renewal_read(const struct token_row *row,
                                             struct live_line **ret);

#endif
