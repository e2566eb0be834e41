/*
 * moves.h - the journal of adopt and release: every step of a credential's way
 * between its file and the vault, so that a crash leaves one good copy and the
 * next start knows which.
 * Floor: store. Depends on: store/words, store/row.
 */
#ifndef AG_STORE_MOVES_H
#define AG_STORE_MOVES_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/words.h"

struct db_read;
struct db_tx;
struct secret;

enum {
    MOVE_DETAIL_MAX_BYTES = 16 * 1024, /* paths, inode, mode, times */
    MOVES_OPEN_MAX_COUNT = 1024,       /* unfinished at one time */
    MOVE_DIGEST_BYTES = 32,
};

struct move_row {
    int64_t id;
    enum move_kind kind;
    enum move_state state;
    int64_t secret_id; /* 0 until the secret exists */
    int64_t version;   /* 0 until taken */
    int64_t created_ms;
    int64_t changed_ms;
    bool has_digest; /* keyed hash of the file's bytes (moves_digest()) */
    uint8_t digest[MOVE_DIGEST_BYTES];
    char *detail; /* JSON object, sealed; NULL reads as "{}" */
};

void move_row_done(struct move_row *row);
AG_DEFINE_CLEANUP_INPLACE(move_row, move_row_done)

/* Keyed hash of a file's content, to recognise it after a crash. */
AG_CHECK AG_NONNULL enum ag_err moves_digest(struct db_read *r,
                                             const struct secret *content,
                                             uint8_t out[MOVE_DIGEST_BYTES]);

AG_CHECK AG_NONNULL enum ag_err moves_get(struct db_read *r, int64_t id,
                                          struct move_row *ret);

typedef enum ag_err (*moves_each_fn)(const struct move_row *row, void *arg);
/* Neither done, undone nor in conflict: open, taken, erasing; oldest first. */
AG_CHECK enum ag_err moves_open_each(struct db_read *r, moves_each_fn each,
                                     void *arg);
AG_CHECK AG_NONNULL enum ag_err moves_open_count(struct db_read *r,
                                                 uint64_t *ret);

/* Fills in id, state MOVE_OPEN and times. Errors: AG_EINVAL, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err moves_add(struct db_tx *tx,
                                          struct move_row *row);

/*
 * Takes the step row->state -> `state` and writes back secret_id, version,
 * digest and detail too; row->state is then `state`. The row must be as
 * moves_get() gave it in this job.
 * Errors: AG_ECONFLICT that step is not allowed from there (words.h).
 */
AG_CHECK AG_NONNULL enum ag_err
moves_step(struct db_tx *tx, struct move_row *row, enum move_state state);

#endif
