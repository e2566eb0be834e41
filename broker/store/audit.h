/*
 * audit.h - the record: a keyed hash chain, one row per event, written in the
 * transaction of what it records.
 * Floor: store. Depends on: crypt/chain, crypt/seal, store/row.
 *
 * Row: seq | wall_ms | kind | key id | sealed body | chain, where chain =
 * keyed BLAKE2b over the previous chain and all the others. The sealed body
 * holds the ids, the JSON text, and which rows of which tables the job changed
 * with the tags they got: so a row that was put back, edited or removed behind
 * the broker's back differs from the record and is named (audit_check.h).
 */
#ifndef AG_STORE_AUDIT_H
#define AG_STORE_AUDIT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct db_read;
struct db_tx;

/* clang-format off */
/* Numbers are on disk and texts in exports: add at the end, change nothing. */
#define AUDIT_KINDS(X)                                                         \
    X(AUDIT_VAULT_CREATED,      1, "vault.created")                            \
    X(AUDIT_VAULT_UNLOCKED,     2, "vault.unlocked")                           \
    X(AUDIT_VAULT_LOCKED,       3, "vault.locked")                             \
    X(AUDIT_VAULT_REKEYED,      4, "vault.rekeyed")                            \
    X(AUDIT_VAULT_RESTORED,     5, "vault.restored") /* rollback accepted */   \
    X(AUDIT_VAULT_RECOVERED,    6, "vault.recovered") /* found at the start */ \
    X(AUDIT_UNLOCK_FAILED,      7, "unlock.failed")                            \
    X(AUDIT_PROOF_GIVEN,        8, "proof.given")                              \
    X(AUDIT_PROOF_FAILED,       9, "proof.failed")                             \
    X(AUDIT_SLOT_ADDED,        10, "slot.added")                               \
    X(AUDIT_SLOT_REMOVED,      11, "slot.removed")                             \
    X(AUDIT_PASSPHRASE_SET,    12, "passphrase.changed")                       \
    X(AUDIT_SECRET_PUT,        13, "secret.put")                               \
    X(AUDIT_SECRET_PATCHED,    14, "secret.patched")                           \
    X(AUDIT_SECRET_REMOVED,    15, "secret.removed")                           \
    X(AUDIT_SECRET_REVEALED,   16, "secret.revealed")                          \
    X(AUDIT_SECRET_READ,       17, "secret.read")                              \
    X(AUDIT_VERSION_ROLLED,    18, "version.rollback")                         \
    X(AUDIT_VERSION_DESTROYED, 19, "version.destroyed")                        \
    X(AUDIT_WRITE_BACK,        20, "version.writeback")                        \
    X(AUDIT_TASK_STARTED,      21, "task.started")                             \
    X(AUDIT_TASK_BOUND,        22, "task.bound")                               \
    X(AUDIT_TASK_ENDED,        23, "task.ended")                               \
    X(AUDIT_TOKEN_CREATED,     24, "token.created")                            \
    X(AUDIT_TOKEN_RENEWED,     25, "token.renewed")                            \
    X(AUDIT_TOKEN_REVOKED,     26, "token.revoked")                            \
    X(AUDIT_TOKEN_REFUSED,     27, "token.refused")                            \
    X(AUDIT_TOKEN_ALARM,       28, "token.alarm") /* outside its tree */       \
    X(AUDIT_DELIVERED,         29, "value.delivered")                          \
    X(AUDIT_LEASE_ENDED,       30, "lease.ended")                              \
    X(AUDIT_WRAPPED,           31, "wrap.created")                             \
    X(AUDIT_UNWRAPPED,         32, "wrap.opened")                              \
    X(AUDIT_UNWRAP_ALARM,      33, "wrap.alarm")                               \
    X(AUDIT_ROLE_CREATED,      34, "role.created")                             \
    X(AUDIT_ROLE_ENDED,        35, "role.ended")                               \
    X(AUDIT_MOVE_STARTED,      36, "move.started")                             \
    X(AUDIT_MOVE_STEP,         37, "move.step")                                \
    X(AUDIT_MOVE_ENDED,        38, "move.ended")                               \
    X(AUDIT_USES,              39, "uses")                                     \
    X(AUDIT_STREAM_ENDED,      40, "stream.ended")                             \
    X(AUDIT_TRIPWIRE,          41, "redact.tripwire")                          \
    X(AUDIT_CALLER_REFUSED,    42, "caller.refused")                           \
    X(AUDIT_POLICY_DENIED,     43, "policy.denied")                            \
    X(AUDIT_PROFILE_TRUSTED,   44, "profile.trusted")                          \
    X(AUDIT_BROKER_STARTED,    45, "broker.started")                           \
    X(AUDIT_BROKER_STOPPED,    46, "broker.stopped")                           \
    X(AUDIT_AUDIT_EXPORTED,    47, "audit.exported")                           \
    X(AUDIT_ROWS,               48, "rows") /* more rows of the next event */  \
    X(AUDIT_USES_LOST,          49, "uses.lost") /* gone from the journal */   \
    X(AUDIT_REKEY_STARTED,      50, "rekey.started")                           \
    X(AUDIT_LOGIN_REFRESHED,    51, "login.refreshed")                         \
    X(AUDIT_LOGIN_FAILED,       52, "login.refresh_failed")                    \
    X(AUDIT_LOGIN_NEEDED,       53, "login.needed") /* refused for good */     \
    X(AUDIT_TUNNEL_OPENED,      54, "tunnel.opened")                           \
    X(AUDIT_HOST_CALLED,        55, "host.called") /* without a value */       \
    X(AUDIT_SET_EXPORTED,       56, "redaction_set.exported")                  \
    X(AUDIT_RECEIPT_SIGNED,     57, "receipt.signed")                          \
    X(AUDIT_ROTATION_RULE_SET,  58, "rotation.rule_set")                       \
    X(AUDIT_ROTATION_RULE_GONE, 59, "rotation.rule_removed")                   \
    X(AUDIT_ROTATION_STARTED,   60, "rotation.started")                        \
    X(AUDIT_ROTATION_ACT,       61, "rotation.act") /* is about to be tried */ \
    X(AUDIT_ROTATION_STEP,      62, "rotation.step")                           \
    X(AUDIT_ROTATION_ENDED,     63, "rotation.ended")                          \
    X(AUDIT_PROGRAM_SET,        64, "program.set")                             \
    X(AUDIT_PROGRAM_REMOVED,    65, "program.removed")                         \
    X(AUDIT_TOKEN_CLONED,       66, "token.cloned")                            \
    X(AUDIT_TOKEN_IN_USE,       67, "token.in_use") /* first after a renewal */ \
    X(AUDIT_INCIDENT_OPENED,    68, "incident.opened")                         \
    X(AUDIT_INCIDENT_SEEN,      69, "incident.seen_again")                     \
    X(AUDIT_INCIDENT_ANSWERED,  70, "incident.answered") /* by the broker */   \
    X(AUDIT_INCIDENT_CLOSED,    71, "incident.closed")                         \
    X(AUDIT_MINT_RULE_SET,      72, "mint.rule_set")                           \
    X(AUDIT_MINT_RULE_GONE,     73, "mint.rule_removed")                       \
    X(AUDIT_MINT_STARTED,       74, "mint.started") /* is about to be tried */ \
    X(AUDIT_MINTED,             75, "mint.minted")                             \
    X(AUDIT_MINT_FAILED,        76, "mint.failed")                             \
    X(AUDIT_MINT_RENEWED,       77, "mint.renewed")                            \
    X(AUDIT_MINT_ENDED,         78, "mint.ended")                              \
    X(AUDIT_MINT_LEAKED,        79, "mint.leaked") /* is revoked now */        \
    X(AUDIT_ROTATION_TOLD,      80, "rotation.told") /* to a program */        \
    X(AUDIT_ROWS_LEFT,          81, "rows.left") /* old ones of a journal */

/* clang-format on */

enum audit_kind {
#define AUDIT_KIND_ENUM(name, number, text) name = (number),
    AUDIT_KINDS(AUDIT_KIND_ENUM)
#undef AUDIT_KIND_ENUM
};

enum {
    AUDIT_CHAIN_BYTES = 32,
    AUDIT_JSON_MAX_BYTES = 16 * 1024, /* one event */
};

/* 0 where there is none; json is an object in text, or empty for "{}". Never a
 * value of a secret. */
struct audit_event {
    enum audit_kind kind;
    int64_t task_id;
    int64_t token_id;
    int64_t secret_id;
    struct span json;
};

/* "secret.put"; NULL when the number is unknown (a newer program's). */
const char *audit_kind_text(int64_t kind);

/*
 * Adds the row. It covers every row changed since the last audit_append() of
 * this job. *ret_seq may be NULL.
 * Errors: AG_EINVAL, AG_ELIMIT json; AG_ELOCKED; AG_EIO, AG_ENOSPACE, …
 */
AG_CHECK enum ag_err audit_append(struct db_tx *tx,
                                  const struct audit_event *event,
                                  uint64_t *ret_seq);

/* Shorthand: audit_append with a JSON text, which may be NULL. */
AG_CHECK enum ag_err audit_note(struct db_tx *tx, enum audit_kind kind,
                                int64_t task_id, int64_t secret_id,
                                const char *json);

/* One row, verified against its own chain value's neighbours. Borrowed for the
 * call. */
struct audit_row {
    uint64_t seq;
    int64_t wall_ms;
    int64_t kind;
    int64_t task_id;
    int64_t token_id;
    int64_t secret_id;
    struct span json;
    const uint8_t *chain; /* AUDIT_CHAIN_BYTES */
};

typedef enum ag_err (*audit_each_fn)(const struct audit_row *row, void *arg);

/* Rows with seq > after, oldest first, at most limit. Errors: AG_ECORRUPT
 * naming the row. */
AG_CHECK enum ag_err audit_each(struct db_read *r, uint64_t after,
                                uint32_t limit, audit_each_fn each, void *arg);

/* The newest `count` rows, oldest of them first. */
AG_CHECK enum ag_err audit_tail(struct db_read *r, uint32_t count,
                                audit_each_fn each, void *arg);

/* Sequence number and chain value of the newest row (0 and the genesis value
 * when there is none). */
AG_CHECK AG_NONNULL enum ag_err audit_newest(struct db_read *r,
                                             uint64_t *ret_seq,
                                             uint8_t chain[AUDIT_CHAIN_BYTES]);

#endif
