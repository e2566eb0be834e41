/*
 * state.h - what the use cases share: the struct behind `struct core`.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_STATE_H
#define AG_CORE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>

#include "caller/session.h"
#include "caller/ticket.h"
#include "caller/tree.h"
#include "core/core.h"
#include "core/folds.h"
#include "core/late.h"
#include "core/live.h"
#include "core/recent.h"
#include "core/running.h"
#include "core/shelf.h"
#include "crypt/keyring.h"
#include "profile/load.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/secrets.h"
#include "store/store.h"
#include "wire/json.h"

struct holds;
struct responder;

struct core {
    struct core_parts parts;
    pthread_mutex_t settings_lock;
    struct core_settings settings;
    atomic_bool audit_strict; /* of the settings, for the quick read */
    /* Held by init, unlock, lock, rekey and the passphrase change: one at a
     * time. Never taken on the writer thread. */
    pthread_mutex_t vault_lock;
    _Atomic(enum vault_state) state;
    struct store *store; /* NULL while VAULT_ABSENT; set once by init */
    /* Replaced at each unlock and rekey; the one before is wiped at once but
     * freed a generation later, so that who just read the pointer may use it
     * (and is told AG_ELOCKED). */
    struct keyring *_Atomic keyring;
    struct keyring *retired;
    atomic_uint_fast64_t keyring_count; /* how many there were */
    pthread_mutex_t set_lock; /* the redaction set has one caller at a time */
    bool set_waits;           /* under it: there is something to commit */
    atomic_bool values_wait; /* the same of a value, no token; written so too */
    struct live_tokens *live;
    struct shelf *shelf;
    struct recent *recent;
    struct running_table *running;
    struct late *late; /* ends of tasks that are to be written still */
    struct sessions *sessions;
    struct tree *tree;
    struct tickets *tickets;
    struct folds *folds; /* rows of the record that repeat */
    struct refresher *refresher;
    struct mints *mints;
    atomic_bool rotation_stops; /* the broker ends: no run goes on */
    atomic_int rotation_turns;  /* steps of rotations under way */
    struct rotation_worker *rotation_worker; /* NULL: none was started */
    struct holds *holds;         /* secrets that are not handed out */
    struct responder *responder; /* rotates what leaked */
    pthread_mutex_t rotate_lock; /* one secret rotates at a time */
    pthread_mutex_t tell_lock;   /* one program is told of it at a time */
    atomic_bool *trusted;        /* by a profile's index: trust_stands() */
    uid_t own_uid;
    int64_t started_ms; /* wall */
    int64_t swept_ms; /* steady: the last housekeeping job; core_tick()'s own */
    /* Steady: the next may be then; INT64_MAX while one is under way. */
    atomic_int_fast64_t sweep_after_ms;
    atomic_int_fast64_t busy_ms; /* steady clock of the last use: auto-lock */
    atomic_int_fast64_t refused_count;
    atomic_int_fast64_t passphrase_wait_ms; /* no try before (steady clock) */
    atomic_int passphrase_misses;           /* in a row */
};

/* A copy of the settings. */
AG_NONNULL struct core_settings core_settings_of(struct core *core);

/* AG_OK while open, AG_ELOCKED or AG_ENOVAULT. */
AG_CHECK AG_NONNULL enum ag_err core_need_open(struct core *core);

/* Adds "key": RFC 3339 text to an object; 0 becomes null. */
AG_CHECK AG_NONNULL enum ag_err core_set_time(json_t *object, const char *key,
                                              int64_t wall_ms);

/* Puts a keyring in the place of the current one (see `retired`). */
void core_set_keyring(struct core *core, struct keyring *fresh);

/* Which keyring it is now; asked before a key of it is. Never the same twice. */
AG_NONNULL uint64_t core_keyring_number(struct core *core);

/* The table of live tokens anew from the rows. */
AG_NONNULL void core_reload(struct core *core);

/* The hash a token, or a wrap, is stored under. Errors: AG_ETOKEN, AG_ELOCKED.
 */
AG_CHECK AG_NONNULL enum ag_err core_token_hash(struct core *core,
                                                enum token_kind kind,
                                                struct span text,
                                                uint8_t out[TOKEN_HASH_BYTES]);

/* The same of what a token shares with its renewed copies. */
AG_CHECK AG_NONNULL enum ag_err core_token_line(struct core *core,
                                                enum token_kind kind,
                                                struct span text,
                                                uint8_t out[TOKEN_HASH_BYTES]);

/* A copy of one of the vault's keys, the caller's. Threads: any, also while it is
 * locked. Errors: AG_ELOCKED; those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err
core_key(struct core *core, enum kdf_key purpose, struct secret **ret);

/* The JSON text of a tree, to be freed with free(). Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err core_dump(const json_t *tree, char **ret);

/*
 * Appends the audit row of a use case. `body` is stolen (dropped in every
 * case; NULL: AG_ENOMEM, so json_pack() may stand in the call) and gets the
 * caller: its class, pid and session.
 */
AG_CHECK enum ag_err core_note(struct db_tx *tx, const struct call *call,
                               enum audit_kind kind, int64_t task_id,
                               int64_t secret_id, json_t *body);

/* An id as it stands in the API: a decimal text. Errors: AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err core_parse_id(const char *text, int64_t *ret);

/* Ends a task in memory at once, whatever the disk says: its line is told, its
 * tokens are dead, also when the rows are read again (core_reload()). */
AG_NONNULL void core_cut_task(struct core *core, int64_t id,
                              const char *reason);

/* Ends a task for a reason of ours: rows, tokens, tickets; its line is told.
 * Writer. Ended already, or its start never was durable: AG_OK. */
AG_CHECK AG_NONNULL enum ag_err core_end_task(struct core *core,
                                              struct db_tx *tx, int64_t id,
                                              enum end_reason reason,
                                              int64_t exit_code);

#endif
