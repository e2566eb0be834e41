/*
 * live.h - the table of live tokens in memory, so that checking one asks no
 * database. Filled at unlock, changed by the writer after its commit.
 * Floor: core. Depends on: policy/grant, pthread.
 */
#ifndef AG_CORE_LIVE_H
#define AG_CORE_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "crypt/token.h"
#include "policy/grant.h"

struct live_tokens;

enum {
    LIVE_FIRST_GENERATION = 1,
};

/* Grants of one token; children that have the same share it. */
struct grant_set {
    atomic_int refs;
    size_t count;
    int64_t ids[GRANTS_MAX_COUNT]; /* rows of the store */
    struct grant grants[];
};

/*
 * The texts of a token that was renewed: each is of the same line, and one is
 * in force. Whatever else is of the line was in force once, and is a copy.
 */
struct live_line {
    uint8_t hash[TOKEN_HASH_BYTES];   /* of the line: the token's place */
    uint8_t text[TOKEN_HASH_BYTES];   /* of the text in force */
    uint8_t before[TOKEN_HASH_BYTES]; /* of the last that was used before it */
    int64_t generation;               /* of the text in force */
    int64_t before_generation;
    int64_t renewed_ms; /* wall clock */
    bool used;          /* the text in force was shown since */
};

/* Fields but the atomic ones never change while the token is in the table; a
 * renewal or revocation replaces `expires_ms` and `revoked`, and a renewal
 * `hash` and `line` (live_set_line()), which only the table looks at. */
struct live_token {
    uint8_t hash[TOKEN_HASH_BYTES]; /* of its text, or its line's */
    struct live_line *line;         /* NULL: never renewed */
    int64_t id;
    int64_t parent_id; /* 0: none */
    int64_t task_id;   /* 0: a role's */
    char accessor[TOKEN_TEXT_BYTES];
    int role; /* enum role_kind, or 0 for a task's token */
    bool unbound;
    int64_t max_ms; /* hard maximum, wall clock */
    atomic_int_fast64_t expires_ms;
    atomic_int_fast64_t uses_left; /* GRANT_USES_UNLIMITED, or what is left */
    atomic_uint generation;
    atomic_bool revoked;
    struct grant_set *grants;
    /* The one version this token read last, whose delivery is on record: a
     * task mostly reads one thing again and again. */
    atomic_int_fast64_t delivered_version_id;
    /* The store's epoch before the commit that put it there: it is durable
     * once the epoch is greater. Written before delivered_version_id. */
    atomic_uint_fast64_t delivered_epoch;
    atomic_int refs;              /* the table's and the borrowers' */
    bool in_family;               /* live_revoke_family()'s own */
    struct live_token *task_next; /* the table's: tokens of the same task */
    struct live_token **task_link;
};

AG_CHECK AG_NONNULL enum ag_err live_new(struct live_tokens **ret);
void live_free(struct live_tokens *table);
AG_DEFINE_CLEANUP(live_tokens, live_free)

/*
 * Puts a copy of `token` in. The table takes over the caller's reference on
 * token->grants, and token->line, also on error. Errors: AG_ENOMEM; AG_EEXISTS; AG_ELIMIT.
 */
AG_CHECK AG_NONNULL enum ag_err live_add(struct live_tokens *table,
                                         const struct live_token *token);

/* What a text is to the token of its line. */
struct live_seen {
    enum live_text {
        LIVE_NOW,    /* the one in force */
        LIVE_BEFORE, /* the one it took the place of */
        LIVE_OLD,    /* one before that, or one that never arrived */
    } text;

    bool used;          /* the one in force was shown */
    int64_t generation; /* of the text that was shown; 0: LIVE_OLD */
    int64_t in_force;   /* of the text in force */
    int64_t renewed_ms;
};

/*
 * The token of a line, and which of its texts has the hash `text`. Borrowed
 * until live_release(); NULL: no renewed token has that line.
 */
AG_NONNULL struct live_token *
live_find_line(struct live_tokens *table, const uint8_t line[TOKEN_HASH_BYTES],
               const uint8_t text[TOKEN_HASH_BYTES], struct live_seen *ret);

/* A renewal, or the first use after one: the token is found by its line from
 * now on. `line` is copied. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err live_set_line(struct live_tokens *table,
                                              struct live_token *token,
                                              const struct live_line *line);

/* Borrowed until live_release(); NULL when not there. */
AG_NONNULL struct live_token *live_find(struct live_tokens *table,
                                        const uint8_t hash[TOKEN_HASH_BYTES]);
AG_NONNULL struct live_token *live_find_accessor(struct live_tokens *table,
                                                 const char *accessor);
void live_release(struct live_token *token);
AG_DEFINE_CLEANUP(live_token, live_release)

/* Takes one use; AG_EUSEDUP when none is left, AG_EREVOKED when it was revoked
 * since it was shown. live_unspend() gives it back
 * when what it was for failed. */
AG_CHECK AG_NONNULL enum ag_err live_spend(struct live_token *token);
AG_NONNULL void live_unspend(struct live_token *token);

/*
 * Marks the token `id` of a task (0: of a role) and all below it revoked. They
 * stay in the table until live_sweep() drops those whose hard maximum is past,
 * or live_task_trim().
 * Errors: AG_ENOMEM, and then none is marked.
 */
AG_CHECK AG_NONNULL enum ag_err live_revoke_family(struct live_tokens *table,
                                                   int64_t task_id, int64_t id);
/* 0 is no task: nothing happens. */
AG_NONNULL void live_revoke_task(struct live_tokens *table, int64_t task_id);
AG_NONNULL void live_sweep(struct live_tokens *table, int64_t now_ms);
AG_NONNULL void live_clear(struct live_tokens *table);

/* The tokens of a task that are in the table, dead ones too. */
AG_NONNULL size_t live_task_count(struct live_tokens *table, int64_t task_id);

/* Drops those of a task that are revoked (with them all below is) or past
 * their hard maximum, and returns how many are left. What they were is told by
 * their rows from then on. */
AG_NONNULL size_t live_task_trim(struct live_tokens *table, int64_t task_id,
                                 int64_t now_ms);

/* Calls visit for every token, under the table's read lock. */
AG_NONNULL void
live_each(struct live_tokens *table,
          void (*visit)(void *arg, const struct live_token *token), void *arg);

AG_NONNULL size_t live_count(struct live_tokens *table);

/* A set of `count` grants, with one reference. */
AG_CHECK enum ag_err grant_set_new(const struct grant *grants,
                                   const int64_t *ids, size_t count,
                                   struct grant_set **ret);
AG_NONNULL struct grant_set *grant_set_share(struct grant_set *set);
void grant_set_release(struct grant_set *set);
AG_DEFINE_CLEANUP(grant_set, grant_set_release)

#endif
