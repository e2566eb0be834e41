#include "store/audit_check.h"

#include <stdio.h>
#include <string.h>

#include "crypt/chain.h"
#include "store/audit_cursor.h"
#include "store/head.h"
#include "store/marks.h"
#include "store/row.h"
#include "store/store_db.h"

/* ---- digests of the small tables ------------------------------------------------- */

static enum ag_err
digest_table(struct db_read *r, const struct table *t, uint8_t *digest)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(db_conn(r), t->all, &q);

    while (err == AG_OK) {
        struct span tag = span_of(NULL, 0);
        int64_t id = 0;

        err = query_row(&q);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = row_check(r, t, &q, &id, &tag);
        }
        if (err == AG_OK) {
            err = row_digest(r, t, id, tag, digest);
        }
    }
    return err;
}

enum ag_err
digest_check(struct db_read *r, unsigned number, const uint8_t *want)
{
    uint8_t digest[TX_DIGEST_BYTES] = {0};
    unsigned id;
    enum ag_err err = AG_OK;

    for (id = 1; id < TABLE_END && err == AG_OK; id++) {
        const struct table *t = table_find(id);

        if (t != NULL && t->digest == number) {
            err = digest_table(r, t, digest);
        }
    }
    if (err == AG_OK && !chain_equal(digest, want)) {
        err = err_why(AG_ECORRUPT,
                      "rows of the vault were put back or removed from "
                      "outside; run: auth-guard stop, put a good copy in the "
                      "place of vault.db and its -wal, then run: auth-guard "
                      "unlock --accept-rollback");
    }
    return err;
}

enum ag_err
audit_verify_small(struct store *s)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct tx_end end;
    unsigned number;
    enum ag_err err = store_read(s, &r);

    if (err == AG_OK) {
        err = audit_find_end(r, UINT64_MAX, &end);
    }
    for (number = 1; number <= TX_DIGESTS_COUNT && err == AG_OK; number++) {
        err = digest_check(r, number, end.digests[number - 1]);
    }
    return err;
}

/* ---- the whole record --------------------------------------------------------------- */

struct check {
    struct db_read *r;
    struct marks *marks;
    struct audit_report *report;
    struct chain_head head;
    bool has_head;
};

__attribute__((format(printf, 3, 4))) static void
found(struct check *c, enum audit_fault fault, const char *fmt, ...)
{
    va_list args;

    if (c->report->fault != AUDIT_FAULT_NONE) {
        return; /* the first one counts */
    }
    c->report->fault = fault;
    va_start(args, fmt);
    (void)vsnprintf(c->report->text, sizeof(c->report->text), fmt, args);
    va_end(args);
}

/* The row the head stands for. */
static void
check_at_head(struct check *c, uint64_t seq, const uint8_t *chain)
{
    if (c->has_head && seq == c->head.seq &&
        !chain_equal(chain, c->head.chain)) {
        c->report->seq = seq;
        found(c, AUDIT_FAULT_HEAD, "audit row %llu differs from vault.head",
              (unsigned long long)seq);
    }
}

static enum ag_err
check_record(struct check *c)
{
    AG_AUTO(audit_cursor) struct audit_cursor cursor = {0};
    struct audit_entry entry;
    enum ag_err err = audit_cursor_open(c->r, 0, &cursor);

    if (err == AG_OK) {
        check_at_head(c, 0, cursor.chain);
    }
    while (err == AG_OK) {
        err = audit_cursor_next(&cursor, &entry);
        if (err == AG_OK) {
            c->report->rows++;
            check_at_head(c, cursor.seq, cursor.chain);
            err = marks_add(c->marks, entry.marks);
        }
    }
    if (err == AG_ECORRUPT) {
        c->report->seq = cursor.seq + 1;
        found(c,
              cursor.fault == AUDIT_FAULT_NONE ? AUDIT_FAULT_ROW : cursor.fault,
              "%s", err_text(err));
        return AG_OK;
    }
    if (err != AG_ENOTFOUND) {
        return err;
    }
    if (c->has_head && cursor.seq < c->head.seq) {
        c->report->seq = cursor.seq;
        found(c, AUDIT_FAULT_CUT,
              "the record ends at row %llu, vault.head knows %llu",
              (unsigned long long)cursor.seq, (unsigned long long)c->head.seq);
    }
    return AG_OK;
}

static void
found_row(struct check *c, enum audit_fault fault, const struct table *t,
          int64_t id)
{
    static const char *const WHAT[] = {
        [AUDIT_FAULT_ALTERED] = "is not as the record has it",
        [AUDIT_FAULT_MISSING] = "is gone",
        [AUDIT_FAULT_EXTRA] = "was never on the record",
    };

    if (c->report->fault == AUDIT_FAULT_NONE) {
        (void)snprintf(c->report->table, sizeof(c->report->table), "%s",
                       t->name);
        c->report->table_row = id;
    }
    found(c, fault, "table %s, row %lld %s", t->name, (long long)id,
          WHAT[fault]);
}

static enum ag_err
check_rows(struct check *c, const struct table *t, struct query *q)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && c->report->fault == AUDIT_FAULT_NONE) {
        struct span tag = span_of(NULL, 0);
        int64_t id = 0;
        enum mark_state state;

        err = query_row(q);
        if (err != AG_OK) {
            break;
        }
        err = row_check(c->r, t, q, &id, &tag);
        if (err != AG_OK && err != AG_ECORRUPT) {
            break; /* not the row's fault */
        }
        state = marks_meet(c->marks, t, id, tag);
        if (state == MARK_NONE) {
            found_row(c, AUDIT_FAULT_EXTRA, t, id);
            err = AG_OK;
        } else if (err == AG_ECORRUPT || state == MARK_WANTED) {
            found_row(c, AUDIT_FAULT_ALTERED, t, id);
            err = AG_OK;
        } else {
            c->report->table_rows++;
        }
    }
    return err == AG_ENOTFOUND ? AG_OK : err;
}

static enum ag_err
check_table(struct check *c, const struct table *t)
{
    AG_AUTO(query) struct query q = {0};
    int64_t missing;
    enum ag_err err = query_start(db_conn(c->r), t->all, &q);

    if (err == AG_OK) {
        err = check_rows(c, t, &q);
    }
    if (err != AG_OK || c->report->fault != AUDIT_FAULT_NONE) {
        return err;
    }
    missing = marks_missing(c->marks, t);
    if (missing != 0) {
        found_row(c, AUDIT_FAULT_MISSING, t, missing);
    }
    return AG_OK;
}

/* The head is read before the snapshot, so it can't be ahead of it. */
static enum ag_err
read_head(struct check *c, struct store *s)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = store_read(s, &r);

    if (err == AG_OK) {
        err = head_read(store_dir_fd(s), db_keys(r), db_vault_id(r), &c->head);
        c->has_head = err == AG_OK;
    }
    if (err == AG_EROLLBACK) {
        found(c, AUDIT_FAULT_HEAD, "%s", err_text(err));
        return AG_OK;
    }
    return err;
}

static const char SQL_INTEGRITY[] = "PRAGMA integrity_check(1)";

/* An index that lost an entry would hide a row that is there. */
static enum ag_err
check_file(struct check *c)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(db_conn(c->r), SQL_INTEGRITY, &q);

    if (err == AG_OK) {
        err = query_row(&q);
    }
    if (err == AG_OK && !span_is(query_col_blob(&q, 0), "ok")) {
        found(c, AUDIT_FAULT_FILE, "vault.db: %.*s",
              (int)query_col_blob(&q, 0).len,
              (const char *)query_col_blob(&q, 0).ptr);
    }
    return err;
}

enum ag_err
audit_verify(struct store *s, struct audit_report *ret)
{
    AG_AUTO(marks) struct marks *marks = NULL;
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct audit_report report = {0};
    struct check c = {.report = &report};
    unsigned id;
    enum ag_err err = marks_new(&marks);

    if (err == AG_OK) {
        err = read_head(&c, s);
    }
    if (err == AG_OK) {
        err = store_read(s, &r);
    }
    if (err != AG_OK) {
        return err;
    }
    c.marks = marks;
    c.r = r;
    err = check_record(&c);
    for (id = 1; id < TABLE_END && err == AG_OK; id++) {
        const struct table *t = table_find(id);

        if (t != NULL && report.fault == AUDIT_FAULT_NONE) {
            err = check_table(&c, t);
        }
    }
    if (err == AG_OK && report.fault == AUDIT_FAULT_NONE) {
        err = check_file(&c);
    }
    if (err == AG_ECORRUPT) {
        found(&c, AUDIT_FAULT_FILE, "%s", err_text(err));
        err = AG_OK;
    }
    if (err == AG_OK) {
        *ret = report;
    }
    return err;
}
