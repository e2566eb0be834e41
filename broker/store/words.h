/*
 * words.h - the words the vault stores as small numbers, and their texts.
 * Floor: store. Depends on: base/err, base/span.
 *
 * Numbers are on disk: rows are added at the end, never renumbered. The texts
 * are part of the API. *_text() is static; *_parse() is exact and answers
 * AG_EINVAL with a sentence that lists what is allowed.
 */
#ifndef AG_STORE_WORDS_H
#define AG_STORE_WORDS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/* clang-format off */
#define SECRET_KINDS(X)                                                        \
    X(SECRET_OPAQUE,   1, "opaque")                                            \
    X(SECRET_FILE,     2, "file")                                              \
    X(SECRET_LOGIN,    3, "login")                                             \
    X(SECRET_SSH_KEY,  4, "ssh-key")                                           \
    X(SECRET_APP_KEY,  5, "app-key")                                           \
    X(SECRET_PASSWORD, 6, "password")                                          \
    X(SECRET_CERT,     7, "certificate")

/* Delivery grades, best first: a bigger number travels further. */
#define GRADES(X)                                                              \
    X(GRADE_PROXY, 1, "proxy")                                                 \
    X(GRADE_SIGN,  2, "sign")                                                  \
    X(GRADE_FILE,  3, "file")                                                  \
    X(GRADE_ENV,   4, "env")

/* What a grant lets a task do, and what a use was. */
#define VERBS(X)                                                               \
    X(VERB_PROXY,  1, "proxy")                                                 \
    X(VERB_SIGN,   2, "sign")                                                  \
    X(VERB_FILE,   3, "file")                                                  \
    X(VERB_ENV,    4, "env")                                                   \
    X(VERB_READ,   5, "read")                                                  \
    X(VERB_REVEAL, 6, "reveal") /* the operator's own get; never in a grant */

#define VERSION_STATES(X)                                                      \
    X(VERSION_PENDING,   1, "pending")                                         \
    X(VERSION_CURRENT,   2, "current")                                         \
    X(VERSION_RETAINED,  3, "retained")                                        \
    X(VERSION_DESTROYED, 4, "destroyed")                                       \
    X(VERSION_RELEASED,  5, "released")

/* Who made a version; unknown: it is older than the record of it. */
#define VERSION_MAKERS(X)                                                      \
    X(MAKER_UNKNOWN,  0, "")                                                   \
    X(MAKER_OPERATOR, 1, "operator")                                           \
    X(MAKER_ROTATION, 2, "rotation")                                           \
    X(MAKER_REFRESH,  3, "refresh") /* of a login, by the broker */            \
    X(MAKER_TASK,     4, "task")                                               \
    X(MAKER_MINT,     5, "mint")

#define SLOT_KINDS(X)                                                          \
    X(SLOT_PASSPHRASE, 1, "passphrase")                                        \
    X(SLOT_KEY,        2, "key")                                               \
    X(SLOT_RECOVERY,   3, "recovery")

#define ROLE_KINDS(X)                                                          \
    X(ROLE_ROTATOR, 1, "rotator")                                              \
    X(ROLE_RUNNER,  2, "runner")                                               \
    X(ROLE_AUDITOR, 3, "auditor")                                              \
    X(ROLE_BACKUP,  4, "backup")

/* Why a task, token, lease or role ended. */
#define END_REASONS(X)                                                         \
    X(END_NONE,    0, "")                                                      \
    X(END_DONE,    1, "done")    /* the task's process ended by itself */      \
    X(END_EXPIRED, 2, "expired")                                               \
    X(END_REVOKED, 3, "revoked") /* somebody said so */                        \
    X(END_LOCKED,  4, "locked")                                                \
    X(END_BROKER,  5, "broker")  /* found open by the next start */            \
    X(END_ALARM,   6, "alarm")   /* used from outside its process tree */      \
    X(END_LOST,    7, "lost")    /* the supervisor's connection ended */       \
    X(END_PARENT,  8, "parent")  /* what it hung from ended */                 \
    X(END_REKEY,   9, "rekey")

#define MOVE_KINDS(X)                                                          \
    X(MOVE_ADOPT,   1, "adopt")                                                \
    X(MOVE_RELEASE, 2, "release")

/* open -> taken -> erasing -> done; open or taken -> undone; erasing ->
 * conflict. For a release: open -> taken (the file is written and durable)
 * -> erasing (the file is the authority) -> done. */
#define MOVE_STATES(X)                                                         \
    X(MOVE_OPEN,     1, "open")                                                \
    X(MOVE_TAKEN,    2, "taken")                                               \
    X(MOVE_ERASING,  3, "erasing")                                             \
    X(MOVE_DONE,     4, "done")                                                \
    X(MOVE_UNDONE,   5, "undone")                                              \
    X(MOVE_CONFLICT, 6, "conflict")
/* A rotation's journal: rotate/steps.h has the steps. The first six are open;
 * the schema knows that number. */
#define ROTATION_STATES(X)                                                     \
    X(ROTATION_PREPARING, 1, "preparing")                                      \
    X(ROTATION_PREPARED,  2, "prepared")                                       \
    X(ROTATION_VERIFIED,  3, "verified")                                       \
    X(ROTATION_OBSERVING, 4, "observing")                                      \
    X(ROTATION_RETIRING,  5, "retiring")                                       \
    X(ROTATION_UNDOING,   6, "undoing")                                        \
    X(ROTATION_DONE,      7, "done")                                           \
    X(ROTATION_UNDONE,    8, "undone")                                         \
    X(ROTATION_ABANDONED, 9, "abandoned") /* its secret is gone */

/* A minted credential: minting -> live -> revoking -> ended; one that no revoke
 * could reach is lost when it has ended by itself. The first three are open; the
 * schema knows that number. */
#define MINTED_STATES(X)                                                       \
    X(MINTED_MINTING,  1, "minting")                                           \
    X(MINTED_LIVE,     2, "live")                                              \
    X(MINTED_REVOKING, 3, "revoking")                                          \
    X(MINTED_ENDED,    4, "ended")                                             \
    X(MINTED_LOST,     5, "lost")
/* clang-format on */

#define AG_WORD_ENUM(name, number, text) name = (number),

enum secret_kind {
    SECRET_KINDS(AG_WORD_ENUM)
};

enum grade {
    GRADES(AG_WORD_ENUM)
};

enum verb {
    VERBS(AG_WORD_ENUM)
};

enum version_state {
    VERSION_STATES(AG_WORD_ENUM)
};

enum version_maker {
    VERSION_MAKERS(AG_WORD_ENUM)
};

enum slot_kind {
    SLOT_KINDS(AG_WORD_ENUM)
};

enum role_kind {
    ROLE_KINDS(AG_WORD_ENUM)
};

enum end_reason {
    END_REASONS(AG_WORD_ENUM)
};

enum move_kind {
    MOVE_KINDS(AG_WORD_ENUM)
};

enum move_state {
    MOVE_STATES(AG_WORD_ENUM)
};

enum rotation_state {
    ROTATION_STATES(AG_WORD_ENUM)
};

enum minted_state {
    MINTED_STATES(AG_WORD_ENUM)
};

const char *secret_kind_text(enum secret_kind value);
const char *grade_text(enum grade value);
const char *verb_text(enum verb value);
const char *version_state_text(enum version_state value);
const char *version_maker_text(enum version_maker value);
const char *slot_kind_text(enum slot_kind value);
const char *role_kind_text(enum role_kind value);
const char *end_reason_text(enum end_reason value);
const char *move_kind_text(enum move_kind value);
const char *move_state_text(enum move_state value);
const char *rotation_state_text(enum rotation_state value);
const char *minted_state_text(enum minted_state value);

AG_CHECK AG_NONNULL enum ag_err secret_kind_parse(struct span text,
                                                  enum secret_kind *ret);
AG_CHECK AG_NONNULL enum ag_err grade_parse(struct span text, enum grade *ret);
AG_CHECK AG_NONNULL enum ag_err verb_parse(struct span text, enum verb *ret);
AG_CHECK AG_NONNULL enum ag_err role_kind_parse(struct span text,
                                                enum role_kind *ret);
AG_CHECK AG_NONNULL enum ag_err move_kind_parse(struct span text,
                                                enum move_kind *ret);

/* Is `number`, as read from a row, a value of the enum? */
bool secret_kind_known(int64_t number);
bool grade_known(int64_t number);
bool verb_known(int64_t number);
bool version_state_known(int64_t number);
bool version_maker_known(int64_t number);
bool slot_kind_known(int64_t number);
bool role_kind_known(int64_t number);
bool end_reason_known(int64_t number);
bool move_kind_known(int64_t number);
bool move_state_known(int64_t number);
bool rotation_state_known(int64_t number);
bool minted_state_known(int64_t number);

#endif
