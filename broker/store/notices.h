/*
 * notices.h - what the program of a rule is to be told of a rotation: on record
 * with what is told, so that it is told after a crash too.
 * Floor: store. Depends on: store/row.
 */
#ifndef AG_STORE_NOTICES_H
#define AG_STORE_NOTICES_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/parse.h"

struct db_read;
struct db_tx;

enum {
    NOTICE_EVENT_BYTES = 32,           /* with its NUL */
    NOTICE_CODE_BYTES = 64,            /* [a-z0-9_.-], with its NUL */
    NOTICE_INPUT_MAX_BYTES = 2 * 1024, /* names and numbers, as JSON */
    NOTICE_TOLD_MAX_COUNT = 1000,      /* told ones; the record has all */
};

struct notice_row {
    int64_t id;
    int64_t secret_id;
    int64_t rotation_id;
    int64_t created_ms;
    int64_t told_ms; /* 0: it waits */
    char program[NAME_MAX_BYTES + 1];
    char event[NOTICE_EVENT_BYTES];
    char code[NOTICE_CODE_BYTES]; /* why it could not be told; or empty */
    char *input;                  /* what it reads */
};

void notice_row_done(struct notice_row *row);
AG_DEFINE_CLEANUP_INPLACE(notice_row, notice_row_done)

/* The oldest that waits. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err notices_waiting(struct db_read *r,
                                                struct notice_row *ret);

/* The newest of a rotation with an id of at least `from`. Errors:
 * AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err notices_of(struct db_read *r,
                                           int64_t rotation_id, int64_t from,
                                           struct notice_row *ret);

/* The id that the next one gets. */
AG_CHECK AG_NONNULL enum ag_err notices_next_id(struct db_read *r,
                                                int64_t *ret);

/* Adds the row when its id is 0 (old ones that were told leave), else writes back
 * told_ms and the code. */
AG_CHECK AG_NONNULL enum ag_err notices_write(struct db_tx *tx,
                                              struct notice_row *row);

#endif
