#include "store/audit_cursor.h"

#include <string.h>

#include "crypt/chain.h"
#include "store/row.h"

static const char SQL_AFTER[] =
    "SELECT seq, wall_ms, kind, key_id, body, chain FROM audit"
    " WHERE seq > ? ORDER BY seq";
static const char SQL_CHAIN[] = "SELECT chain FROM audit WHERE seq = ?";
static const char SQL_NEWEST[] = "SELECT coalesce(max(seq), 0) FROM audit";

enum {
    COL_SEQ,
    COL_WALL,
    COL_KIND,
    COL_KEY,
    COL_BODY,
    COL_CHAIN,
};

static void
put_u64(uint8_t out[8], uint64_t value)
{
    size_t i;

    for (i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t
get_le(const uint8_t *in, size_t bytes)
{
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < bytes; i++) {
        value |= (uint64_t)in[i] << (8 * i);
    }
    return value;
}

enum ag_err
audit_link(struct db_read *r, const uint8_t previous[AUDIT_CHAIN_BYTES],
           const struct audit_link *link, uint8_t out[AUDIT_CHAIN_BYTES])
{
    const struct keys *keys = db_keys(r);
    const struct secret *key;
    uint8_t numbers[4][8];
    struct span parts[2];

    if (keys == NULL) {
        return AG_ELOCKED;
    }
    key = keys_find(keys, KEY_AUDIT, link->key_id);
    if (key == NULL) {
        return err_why(AG_ECORRUPT, "audit row %llu: its key is unknown",
                       (unsigned long long)link->seq);
    }
    put_u64(numbers[0], link->seq);
    put_u64(numbers[1], (uint64_t)link->wall_ms);
    put_u64(numbers[2], (uint64_t)link->kind);
    put_u64(numbers[3], link->key_id);
    parts[0] = span_of(numbers, sizeof(numbers));
    parts[1] = link->body;
    chain_step(key, previous, parts, AG_COUNT(parts), out);
    return AG_OK;
}

enum ag_err
audit_genesis(struct db_read *r, uint8_t out[AUDIT_CHAIN_BYTES])
{
    const struct keys *keys = db_keys(r);
    const struct secret *oldest = NULL;
    const struct secret *key;
    size_t i;

    if (keys == NULL) {
        return AG_ELOCKED;
    }
    for (i = 0; (key = keys_newest(keys, KEY_AUDIT, i)) != NULL; i++) {
        oldest = key;
    }
    AG_ASSERT(oldest != NULL);
    chain_start(oldest, "audit", db_vault_id(r), out);
    return AG_OK;
}

enum ag_err
audit_chain_at(struct db_read *r, uint64_t seq, uint8_t out[AUDIT_CHAIN_BYTES])
{
    AG_AUTO(query) struct query q = {0};
    struct span chain;
    enum ag_err err;

    if (seq == 0) {
        return audit_genesis(r, out);
    }
    err = query_start(&r->conn, SQL_CHAIN, &q);
    if (err != AG_OK) {
        return err;
    }
    query_int(&q, (int64_t)seq);
    err = query_row(&q);
    if (err != AG_OK) {
        return err;
    }
    chain = query_col_blob(&q, 0);
    if (chain.len != AUDIT_CHAIN_BYTES) {
        return err_why(AG_ECORRUPT, "audit row %llu is damaged",
                       (unsigned long long)seq);
    }
    memcpy(out, chain.ptr, AUDIT_CHAIN_BYTES);
    return AG_OK;
}

enum ag_err
audit_cursor_open(struct db_read *r, uint64_t after, struct audit_cursor *ret)
{
    enum ag_err err;

    memset(ret, 0, sizeof(*ret));
    buf_init(&ret->body, AUDIT_BODY_MAX_BYTES, BUF_WIPE);
    ret->r = r;
    ret->seq = after;
    err = audit_chain_at(r, after, ret->chain);
    if (err == AG_OK) {
        err = query_start(&r->conn, SQL_AFTER, &ret->q);
    }
    if (err == AG_OK) {
        query_int(&ret->q, (int64_t)after);
    }
    return err;
}

void
audit_cursor_done(struct audit_cursor *c)
{
    query_done(&c->q);
    buf_done(&c->body);
}

static enum ag_err
fail(struct audit_cursor *c, enum audit_fault fault, const char *what)
{
    c->fault = fault;
    return err_why(AG_ECORRUPT, "audit row %llu %s",
                   (unsigned long long)(c->seq + 1), what);
}

/* Ids, digest, marks and JSON of the opened body. */
static enum ag_err
split_body(struct audit_cursor *c, struct audit_entry *ret)
{
    struct span body = buf_view(&c->body);
    size_t marks_len;

    if (body.len < AUDIT_BODY_HEAD_BYTES) {
        return fail(c, AUDIT_FAULT_ROW, "has a body that is too short");
    }
    marks_len =
        (size_t)get_le(body.ptr + AUDIT_BODY_HEAD_BYTES - 4, 4) * TX_MARK_BYTES;
    if (marks_len > body.len - AUDIT_BODY_HEAD_BYTES) {
        return fail(c, AUDIT_FAULT_ROW, "has a body that is too short");
    }
    ret->row.task_id = (int64_t)get_le(body.ptr, 8);
    ret->row.token_id = (int64_t)get_le(body.ptr + 8, 8);
    ret->row.secret_id = (int64_t)get_le(body.ptr + 16, 8);
    ret->digests = span_sub(body, 24, TX_DIGESTS_BYTES);
    ret->marks = span_sub(body, AUDIT_BODY_HEAD_BYTES, marks_len);
    ret->row.json = span_sub(body, AUDIT_BODY_HEAD_BYTES + marks_len, body.len);
    return AG_OK;
}

static enum ag_err
read_link(struct audit_cursor *c, struct audit_link *ret)
{
    static const int TYPES[] = {SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                                SQLITE_INTEGER, SQLITE_BLOB,    SQLITE_BLOB};
    int64_t key_id;
    int i;

    for (i = 0; i < (int)AG_COUNT(TYPES); i++) {
        if (query_want(&c->q, i, TYPES[i]) != AG_OK) {
            return fail(c, AUDIT_FAULT_ROW, "has a column of another type");
        }
    }
    key_id = query_col_int(&c->q, COL_KEY);
    *ret = (struct audit_link){
        .seq = (uint64_t)query_col_int(&c->q, COL_SEQ),
        .wall_ms = query_col_int(&c->q, COL_WALL),
        .kind = query_col_int(&c->q, COL_KIND),
        .key_id = key_id < 0 || key_id > UINT32_MAX ? 0 : (uint32_t)key_id,
        .body = query_col_blob(&c->q, COL_BODY),
    };
    return AG_OK;
}

enum ag_err
audit_cursor_next(struct audit_cursor *c, struct audit_entry *ret)
{
    struct audit_link link = {0};
    struct seal_at at = {.table = "audit", .column = "body"};
    uint8_t chain[AUDIT_CHAIN_BYTES];
    struct span stored;
    enum ag_err err = query_row(&c->q);

    if (err != AG_OK) {
        return err;
    }
    err = read_link(c, &link);
    if (err != AG_OK) {
        return err;
    }
    if (link.seq != c->seq + 1) {
        return fail(c, AUDIT_FAULT_GAP, "is missing");
    }
    err = audit_link(c->r, c->chain, &link, chain);
    stored = query_col_blob(&c->q, COL_CHAIN);
    if (err != AG_OK || stored.len != sizeof(chain) ||
        !chain_equal(stored.ptr, chain)) {
        return fail(c, AUDIT_FAULT_ROW, "was changed, or follows one that was");
    }
    at.row = (int64_t)link.seq;
    buf_clear(&c->body);
    err = row_unseal(c->r, &at, link.body, &c->body);
    if (err != AG_OK) {
        return err == AG_ECORRUPT
                   ? fail(c, AUDIT_FAULT_ROW, "has a body that does not open")
                   : err;
    }
    ret->row = (struct audit_row){.seq = link.seq,
                                  .wall_ms = link.wall_ms,
                                  .kind = link.kind,
                                  .chain = c->chain};
    err = split_body(c, ret);
    if (err == AG_OK) {
        memcpy(c->chain, chain, sizeof(chain));
        c->seq = link.seq;
    }
    return err;
}

enum ag_err
audit_newest(struct db_read *r, uint64_t *ret_seq,
             uint8_t chain[AUDIT_CHAIN_BYTES])
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(&r->conn, SQL_NEWEST, &q);

    if (err == AG_OK) {
        err = query_row(&q);
    }
    if (err == AG_OK) {
        *ret_seq = (uint64_t)query_col_int(&q, 0);
        err = audit_chain_at(r, *ret_seq, chain);
    }
    return err;
}

enum ag_err
audit_find_end(struct db_read *r, uint64_t from, struct tx_end *ret)
{
    AG_AUTO(audit_cursor) struct audit_cursor c = {0};
    struct audit_entry entry;
    struct tx_end end = {0};
    uint64_t newest = 0;
    enum ag_err err = audit_newest(r, &newest, end.chain);

    if (err != AG_OK) {
        return err;
    }
    from = from > newest ? newest : from;
    err = audit_cursor_open(r, from == 0 ? 0 : from - 1, &c);
    while (err == AG_OK) {
        err = audit_cursor_next(&c, &entry);
        if (err == AG_OK) {
            memcpy(end.digests, entry.digests.ptr, TX_DIGESTS_BYTES);
        }
    }
    if (err != AG_ENOTFOUND) {
        return err;
    }
    end.seq = c.seq;
    memcpy(end.chain, c.chain, AUDIT_CHAIN_BYTES);
    *ret = end;
    return AG_OK;
}

/* ---- reading for the use cases ------------------------------------------ */

enum ag_err
audit_each(struct db_read *r, uint64_t after, uint32_t limit,
           audit_each_fn each, void *arg)
{
    AG_AUTO(audit_cursor) struct audit_cursor c = {0};
    struct audit_entry entry;
    uint64_t newest = 0;
    uint8_t chain[AUDIT_CHAIN_BYTES];
    uint32_t done;
    enum ag_err err = audit_newest(r, &newest, chain);

    if (err != AG_OK || after >= newest) {
        return err;
    }
    err = audit_cursor_open(r, after, &c);
    if (err == AG_ENOTFOUND) {
        return err_why(AG_ECORRUPT, "audit row %llu is missing",
                       (unsigned long long)after);
    }
    for (done = 0; err == AG_OK && done < limit; done++) {
        err = audit_cursor_next(&c, &entry);
        if (err == AG_OK) {
            err = each(&entry.row, arg);
        } else if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
    }
    return err;
}

enum ag_err
audit_tail(struct db_read *r, uint32_t count, audit_each_fn each, void *arg)
{
    uint64_t newest = 0;
    uint8_t chain[AUDIT_CHAIN_BYTES];
    enum ag_err err = audit_newest(r, &newest, chain);

    if (err != AG_OK) {
        return err;
    }
    return audit_each(r, newest > count ? newest - count : 0, count, each, arg);
}
