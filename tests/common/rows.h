/*
 * rows.h - the record as a test looks at it: its last row, or that of the last
 * refusal; on top of broker.h.
 */
#ifndef AG_TESTS_ROWS_H
#define AG_TESTS_ROWS_H

#include "common/broker.h"
#include "core/state.h"

struct last_row {
    bool refusals; /* of these only */
    enum audit_kind kind;
    int64_t task_id;
    char json[512];
    int count; /* how many there are */
};

/* Those that were only counted have a row together, whenever it comes. */
static inline bool
rows_is_refusal(const struct audit_row *row)
{
    static const char FOLDED[] = "\"folded\"";

    return (row->kind == AUDIT_TRIPWIRE || row->kind == AUDIT_POLICY_DENIED) &&
           memmem(row->json.ptr, row->json.len, FOLDED, sizeof(FOLDED) - 1) ==
               NULL;
}

static inline enum ag_err
rows_on_row(const struct audit_row *row, void *arg)
{
    struct last_row *last = arg;

    if (last->refusals && !rows_is_refusal(row)) {
        return AG_OK;
    }
    last->kind = (enum audit_kind)row->kind;
    last->task_id = row->task_id;
    (void)snprintf(last->json, sizeof(last->json), "%.*s", (int)row->json.len,
                   (const char *)row->json.ptr);
    last->count++;
    return AG_OK;
}

static inline struct last_row
rows_last(bool refusals)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct last_row last = {.refusals = refusals};

    check_ok(store_read(flow.core->store, &r));
    check_ok(audit_each(r, 0, UINT32_MAX, rows_on_row, &last));
    return last;
}

static inline void
rows_check(const struct last_row *last, enum audit_kind kind, int64_t task_id,
           const char *part)
{
    assert_int_equal(last->kind, kind);
    assert_int_equal(last->task_id, task_id);
    if (strstr(last->json, part) == NULL) {
        fail_msg("%s is not in %s", part, last->json);
    }
}

#endif
