/*
 * rotation_rules.h - when and how a secret rotates: one living row per secret.
 * Floor: store. Depends on: store/row.
 *
 * The plan is JSON that core makes and reads (core/rotation_plan.h); here it is
 * sealed. What is due is found by an index, without opening a row.
 */
#ifndef AG_STORE_ROTATION_RULES_H
#define AG_STORE_ROTATION_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct db_read;
struct db_tx;

enum {
    ROTATION_PLAN_MAX_BYTES = 4 * 1024, /* schedule, rotator, parameters */
};

struct rotation_rule_row {
    int64_t id;
    int64_t secret_id;
    int64_t created_ms;
    int64_t changed_ms;
    int64_t next_ms;    /* due then */
    int64_t reach_ms;   /* further from now it can't be by the rule */
    int64_t removed_ms; /* 0: it stands */
    char *plan;         /* JSON object */
};

void rotation_rule_row_done(struct rotation_rule_row *row);
AG_DEFINE_CLEANUP_INPLACE(rotation_rule_row, rotation_rule_row_done)

/* The living rule of a secret. Errors: AG_ENOTFOUND, AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err
rotation_rules_of(struct db_read *r, int64_t secret_id,
                  struct rotation_rule_row *ret);

typedef enum ag_err (*rotation_rules_each_fn)(
    const struct rotation_rule_row *row, void *arg);
/* Of living secrets and removed ones alike, oldest first. */
AG_CHECK enum ag_err
rotation_rules_each(struct db_read *r, rotation_rules_each_fn each, void *arg);

/*
 * Ids of secrets whose rule is due, or lies further ahead than it can, and that
 * have no open rotation; at most `cap`, the longest due first.
 */
AG_CHECK AG_NONNULL enum ag_err rotation_rules_due(struct db_read *r,
                                                   int64_t now_ms, int64_t *out,
                                                   size_t cap,
                                                   size_t *ret_count);

/* Adds the row when its id is 0 (one living rule per secret: AG_EEXISTS is the
 * schema's), else writes back next_ms, reach_ms, removed_ms and plan. Times of
 * the row are set. */
AG_CHECK AG_NONNULL enum ag_err
rotation_rules_write(struct db_tx *tx, struct rotation_rule_row *row);

#endif
