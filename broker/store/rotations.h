/*
 * rotations.h - the journal of rotations: one row each, written before and
 * after every act that a provider could notice.
 * Floor: store. Depends on: store/row, store/words.
 *
 * Which step follows which is rotate/steps.h's to say; here rows are kept. The
 * plan is a copy of the rule's, so that a rule that changes meanwhile does not
 * change a rotation under way.
 */
#ifndef AG_STORE_ROTATIONS_H
#define AG_STORE_ROTATIONS_H

#include <stddef.h>

#include "store/rotation_rules.h"
#include "store/words.h"

enum {
    ROTATION_CODE_BYTES = 64, /* [a-z0-9_.-], with its NUL */
    ROTATION_ENDED_MAX_COUNT =
        64, /* ended ones of each secret: five years of one a month; the
               record has all */
};

struct rotation_row {
    int64_t id;
    int64_t secret_id;
    enum rotation_state state;
    int64_t old_version;
    int64_t new_version; /* 0: there is none yet */
    int64_t attempts;    /* of this state's act, those begun */
    int64_t created_ms;
    int64_t changed_ms;
    int64_t due_ms; /* nothing is to be done before; 0: at once */
    char code[ROTATION_CODE_BYTES]; /* why it is as it is; or empty */
    char *plan;
};

void rotation_row_done(struct rotation_row *row);
AG_DEFINE_CLEANUP_INPLACE(rotation_row, rotation_row_done)

AG_CHECK AG_NONNULL enum ag_err rotations_get(struct db_read *r, int64_t id,
                                              struct rotation_row *ret);

/* The open rotation of a secret. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err rotations_open_of(struct db_read *r,
                                                  int64_t secret_id,
                                                  struct rotation_row *ret);

AG_CHECK AG_NONNULL enum ag_err rotations_open_count(struct db_read *r,
                                                     uint64_t *ret);

/* Ids of secrets whose open rotation is due, or was changed at a time that is
 * yet to come (the clock was wrong then); at most `cap`, the longest due
 * first. */
AG_CHECK AG_NONNULL enum ag_err rotations_due(struct db_read *r, int64_t now_ms,
                                              int64_t *out, size_t cap,
                                              size_t *ret_count);

typedef enum ag_err (*rotations_each_fn)(const struct rotation_row *row,
                                         void *arg);
/* Newest first, at most `limit`; of one secret, or of all (0). */
AG_CHECK enum ag_err rotations_each(struct db_read *r, int64_t secret_id,
                                    int64_t limit, rotations_each_fn each,
                                    void *arg);

/* Is this version the old or the new one of an open rotation? */
AG_CHECK AG_NONNULL enum ag_err rotations_hold(struct db_read *r,
                                               int64_t secret_id,
                                               int64_t version, bool *ret);

/* How many tasks alive were given this version itself: as a file, in the
 * environment, or to read. */
AG_CHECK AG_NONNULL enum ag_err rotations_readers(struct db_read *r,
                                                  int64_t secret_id,
                                                  int64_t version,
                                                  int64_t *ret_count);

/* Adds the row when its id is 0 (then it is ROTATION_PREPARING, and old ones of
 * the secret leave), else writes back all that may change. Times of the row are
 * set. */
AG_CHECK AG_NONNULL enum ag_err rotations_write(struct db_tx *tx,
                                                struct rotation_row *row);

#endif
