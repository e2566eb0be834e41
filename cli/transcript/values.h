/*
 * values.h - every text in a database through the filter, and which become
 * what.
 * Floor: cli. Depends on: transcript/changes, transcript/passage.
 *
 * Thousands of texts go as one stream, told apart by a line of one 0x1e. No
 * value of a vault and no rule takes such a line; where one is missing all the
 * same (a private key whose lines are rows), the half of the texts before it and
 * the half behind are passed again, each by itself, and so on down to one text,
 * which has no border to lose. A text with a 0x1e of its own is passed alone.
 */
#ifndef AG_CLI_TRANSCRIPT_VALUES_H
#define AG_CLI_TRANSCRIPT_VALUES_H

#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "transcript/passage.h"
#include "transcript/sqlite.h"

enum {
    VALUES_PASS_COUNT = 16 * 1024, /* texts of one stream */
    VALUES_PASS_BYTES =
        4 * 1024 * 1024, /* the same, if there is more than one */
    VALUE_MIN_BYTES = 4, /* no secret is shorter */
    VALUE_MAX_BYTES = 256 * 1024 * 1024, /* one; it is held twice */
};

struct values;

/* Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err values_new(struct values **ret);
void values_free(struct values *v);
AG_DEFINE_CLEANUP(values, values_free)

/*
 * All texts of `db`; once. `name` is the database's for reports.
 * Errors: those of passage_run() and sqlite_err(); AG_ELIMIT a text that is too
 *         long, or too much that changes.
 */
AG_CHECK AG_NONNULL enum ag_err values_pass(struct values *v, sqlite3 *db,
                                            struct passage *passage,
                                            const char *name);

/* How many hits there were, and {NAME: n}; borrowed. */
AG_NONNULL int64_t values_hits(const struct values *v);
AG_NONNULL json_t *values_counts(const struct values *v);

/*
 * Changes them in that database; changes_apply().
 * Errors: those of changes_apply().
 */
AG_CHECK AG_NONNULL enum ag_err values_apply(struct values *v, sqlite3 *db);

#endif
