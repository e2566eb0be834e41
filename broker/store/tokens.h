/*
 * tokens.h - what the vault keeps of a token: its keyed hash, its accessor,
 * what it may, until when, from whom it descends.
 * Floor: store. Depends on: store/words, store/row, crypt/token.
 *
 * The broker holds live tokens in a table of its own (core) filled by
 * tokens_live_each(), which walks an index of unrevoked tokens by end: a
 * million old ones cost nothing. Dead ones are found by hash, so that the
 * answer can say why.
 */
#ifndef AG_STORE_TOKENS_H
#define AG_STORE_TOKENS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;

enum {
    TOKEN_HASH_LEN_BYTES = 32,
    TOKEN_ACCESSOR_MAX_BYTES = 63,     /* the text, aga_… */
    TOKEN_SCOPE_MAX_BYTES = 16 * 1024, /* JSON */
    TOKEN_DEPTH_MAX_COUNT = 16,        /* child of a child of … */
};

enum token_flags {
    TOKEN_BOUND = 0,
    TOKEN_UNBOUND = 1, /* usable outside the task's process tree */
    TOKEN_ROLE = 2,    /* of a role (roles.h) */
};

struct token_row {
    int64_t id;
    uint8_t hash[TOKEN_HASH_LEN_BYTES]; /* keyed, of the token's bytes */
    char accessor[TOKEN_ACCESSOR_MAX_BYTES + 1];
    int64_t parent_id; /* 0: none */
    int64_t task_id;   /* 0: none */
    int64_t role_id;   /* 0: none */
    uint32_t depth;    /* 0: no parent */
    enum token_flags flags;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t max_expires_ms; /* renewing stops here */
    int64_t generation;     /* from 1, grows with each renewal */
    int64_t uses_max;       /* 0: no limit */
    int64_t uses_count;     /* of a limited token; folded in by the journal */
    int64_t revoked_ms;     /* 0: not */
    enum end_reason end_reason;
    char *scope; /* JSON object, sealed: its narrower grants; NULL reads "{}" */
};

void token_row_done(struct token_row *row);
AG_DEFINE_CLEANUP_INPLACE(token_row, token_row_done)

/* Errors: AG_ENOTFOUND, AG_ECORRUPT, AG_ELOCKED. Whether it is alive is the
 * caller's to judge. */
AG_CHECK AG_NONNULL enum ag_err tokens_get(struct db_read *r, int64_t id,
                                           struct token_row *ret);
AG_CHECK AG_NONNULL enum ag_err
tokens_by_hash(struct db_read *r, const uint8_t hash[TOKEN_HASH_LEN_BYTES],
               struct token_row *ret);

/* By the hash of what its texts share, if it ever was renewed. */
AG_CHECK AG_NONNULL enum ag_err
tokens_by_line(struct db_read *r, const uint8_t line[TOKEN_HASH_LEN_BYTES],
               struct token_row *ret);

typedef enum ag_err (*tokens_each_fn)(const struct token_row *row, void *arg);

/* Neither revoked nor expired at now_ms; parents before their children. */
AG_CHECK enum ag_err tokens_live_each(struct db_read *r, int64_t now_ms,
                                      tokens_each_fn each, void *arg);

/* Fills in id, created_ms, depth, generation. Errors: AG_EEXISTS hash or accessor;
 * AG_EINVAL; AG_ELIMIT depth; AG_EREVOKED the parent was revoked. */
AG_CHECK AG_NONNULL enum ag_err tokens_add(struct db_tx *tx,
                                           struct token_row *row);

/* At its first renewal: the hash of what all its texts share. Errors: AG_EEXISTS. */
AG_CHECK AG_NONNULL enum ag_err
tokens_add_line(struct db_tx *tx, int64_t token_id,
                const uint8_t line[TOKEN_HASH_LEN_BYTES]);

/* Writes back expires_ms, generation, uses_count and scope. */
AG_CHECK AG_NONNULL enum ag_err tokens_update(struct db_tx *tx,
                                              struct token_row *row);

/* Adds to uses_count of a token that has a limit; others are left alone (the
 * use journal's fold). Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err tokens_count_uses(struct db_tx *tx, int64_t id,
                                                  int64_t count);

/*
 * Revokes the token and everything below it that is not revoked yet.
 * `each` (may be NULL) is called with each id that was, the token itself
 * first; *ret_count counts them. Revoked already: AG_OK, 0.
 */
typedef void (*tokens_revoked_fn)(int64_t token_id, void *arg);

struct revoke {
    enum end_reason reason;
    tokens_revoked_fn each;
    void *arg;
};

AG_CHECK AG_NONNULL enum ag_err tokens_revoke_tree(struct db_tx *tx,
                                                   int64_t token_id,
                                                   const struct revoke *how,
                                                   uint64_t *ret_count);

/* The same for all tokens of a task, and for every live token (lock, rekey). */
AG_CHECK AG_NONNULL enum ag_err tokens_revoke_task(struct db_tx *tx,
                                                   int64_t task_id,
                                                   const struct revoke *how,
                                                   uint64_t *ret_count);
AG_CHECK AG_NONNULL enum ag_err tokens_revoke_all(struct db_tx *tx,
                                                  const struct revoke *how,
                                                  uint64_t *ret_count);

#endif
