/*
 * marks.h - what the record says every row's tag must be: filled from the marks
 * of the record's rows, then held against the tables.
 * Floor: store. Depends on: store/tables, store/tx.
 *
 * For this room only. Ids are dense, so it is one array per table, some 21
 * bytes a row, for the time of one audit_verify().
 */
#ifndef AG_STORE_MARKS_H
#define AG_STORE_MARKS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "store/tables.h"

struct marks;

enum mark_state {
    MARK_NONE,   /* never on the record, or removed */
    MARK_WANTED, /* on the record, not met yet */
    MARK_MET,
};

AG_CHECK AG_NONNULL enum ag_err marks_new(struct marks **ret);
void marks_free(struct marks *m);
AG_DEFINE_CLEANUP(marks, marks_free)

/* TX_MARK_BYTES each. Errors: AG_ENOMEM, AG_ECORRUPT unknown table or id. */
AG_CHECK AG_NONNULL enum ag_err marks_add(struct marks *m, struct span bytes);

/* Is `tag` what the record has? MARK_NONE, MARK_WANTED when it differs,
 * MARK_MET when it is right; the row then counts as met. */
AG_NONNULL enum mark_state marks_meet(struct marks *m, const struct table *t,
                                      int64_t id, struct span tag);

/* The first row of the table that is on the record and was not met; 0: none. */
AG_NONNULL int64_t marks_missing(const struct marks *m, const struct table *t);

#endif
