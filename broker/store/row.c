#include "store/row.h"

#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "crypt/seal.h"
#include "store/audit.h"

enum {
    SEALED_MAX_BYTES = KEY_ID_BYTES + SEAL_OVERHEAD_BYTES + BODY_MAX_BYTES,
};

void
row_init(struct row *row)
{
    memset(row, 0, sizeof(*row));
    buf_init(&row->body, BODY_MAX_BYTES, BUF_WIPE);
}

void
row_done(struct row *row)
{
    buf_done(&row->body);
}

static void
put_le(uint8_t *out, uint64_t value, size_t bytes)
{
    size_t i;

    for (i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t
key_id_of(struct span named)
{
    return (uint32_t)named.ptr[0] | (uint32_t)named.ptr[1] << 8 |
           (uint32_t)named.ptr[2] << 16 | (uint32_t)named.ptr[3] << 24;
}

/* The tag of a row whose body is `sealed`, under the key named in tag. */
static void
make_tag(const uint8_t *vault_id, const struct table *t, const struct row *row,
         struct span sealed, const struct secret *key, uint8_t tag[TAG_BYTES])
{
    crypto_generichash_state state;
    uint8_t head[DB_VAULT_ID_BYTES + 1 + 8 + 8 * ROW_INTS_MAX];
    uint8_t len[8];
    struct span k = secret_view(key);
    size_t at = DB_VAULT_ID_BYTES;
    size_t i;

    memcpy(head, vault_id, DB_VAULT_ID_BYTES);
    head[at++] = (uint8_t)t->id;
    put_le(head + at, (uint64_t)row->id, 8);
    at += 8;
    for (i = 0; i < t->ints; i++, at += 8) {
        put_le(head + at, (uint64_t)row->ints[i], 8);
    }
    (void)crypto_generichash_init(&state, k.ptr, k.len, TAG_HASH_BYTES);
    (void)crypto_generichash_update(&state, head, at);
    for (i = 0; i < t->blobs + (t->body ? 1U : 0U); i++) {
        struct span blob = i < t->blobs ? row->blobs[i] : sealed;

        put_le(len, blob.len, 8);
        (void)crypto_generichash_update(&state, len, sizeof(len));
        if (blob.len > 0) {
            (void)crypto_generichash_update(&state, blob.ptr, blob.len);
        }
    }
    (void)crypto_generichash_final(&state, tag + KEY_ID_BYTES, TAG_HASH_BYTES);
    wipe(&state, sizeof(state));
}

enum ag_err
row_seal(struct db_read *r, const struct seal_at *at, struct span plain,
         struct buf *out)
{
    const struct keys *keys = db_keys(r);
    struct seal_at place = *at;
    const struct secret *key;
    uint32_t id = 0;
    enum ag_err err;

    if (keys == NULL) {
        return AG_ELOCKED;
    }
    key = keys_current(keys, KEY_META, &id);
    place.vault_id = db_vault_id(r);
    err = buf_add_u32le(out, id);
    return err != AG_OK ? err : seal_make(key, &place, plain, out);
}

enum ag_err
row_unseal(struct db_read *r, const struct seal_at *at, struct span sealed,
           struct buf *out)
{
    const struct keys *keys = db_keys(r);
    const struct secret *key = NULL;
    struct seal_at place = *at;

    if (keys == NULL) {
        return AG_ELOCKED;
    }
    if (sealed.len > KEY_ID_BYTES) {
        key = keys_find(keys, KEY_META, key_id_of(sealed));
    }
    if (key == NULL) {
        return err_why(AG_ECORRUPT, "table %s, row %lld: its key is unknown",
                       at->table, (long long)at->row);
    }
    place.vault_id = db_vault_id(r);
    return seal_open_buf(
        key, &place, span_sub(sealed, KEY_ID_BYTES, sealed.len - KEY_ID_BYTES),
        out);
}

enum ag_err
row_digest(struct db_read *r, const struct table *t, int64_t id,
           struct span tag, uint8_t digest[TX_DIGEST_BYTES])
{
    const struct secret *key = keys_find(db_keys(r), KEY_ROW, key_id_of(tag));
    uint8_t part[TX_DIGEST_BYTES];
    uint8_t text[1 + 1 + 8 + TAG_BYTES];
    struct span k;
    size_t i;

    if (key == NULL || tag.len != TAG_BYTES) {
        return err_why(AG_ECORRUPT, "table %s, row %lld: its key is unknown",
                       t->name, (long long)id);
    }
    k = secret_view(key);
    text[0] = 'd'; /* no tag's input is as short */
    text[1] = (uint8_t)t->id;
    put_le(text + 2, (uint64_t)id, 8);
    memcpy(text + 10, tag.ptr, TAG_BYTES);
    (void)crypto_generichash(part, sizeof(part), text, sizeof(text), k.ptr,
                             k.len);
    for (i = 0; i < sizeof(part); i++) {
        digest[i] ^= part[i];
    }
    return AG_OK;
}

enum ag_err
row_next_id(struct db_tx *tx, const struct table *t, int64_t *ret)
{
    const struct ask ask = {.sql = t->next};

    return query_number(&tx->self.conn, &ask, ret);
}

/* The digest without the row's former state, if it has one. */
static enum ag_err
digest_out(struct db_tx *tx, const struct table *t, int64_t id)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(&tx->self.conn, t->tag, &q);

    if (err != AG_OK) {
        return err;
    }
    query_int(&q, id);
    err = query_row(&q);
    if (err == AG_ENOTFOUND) {
        return AG_OK;
    }
    if (err != AG_OK) {
        return err;
    }
    return row_digest(&tx->self, t, id, query_col_blob(&q, 0),
                      tx->end.digests[t->digest - 1]);
}

/* Marks are on the record before the list is full. */
static enum ag_err
add_mark(struct db_tx *tx, const struct table *t, const struct row *row)
{
    uint8_t mark[TX_MARK_BYTES];
    enum ag_err err;

    if (tx->mark_count == TX_MARKS_MAX_COUNT) {
        err = audit_note(tx, AUDIT_ROWS, 0, 0, NULL);
        if (err != AG_OK) {
            return err;
        }
    }
    mark[0] = (uint8_t)t->id;
    put_le(mark + 1, (uint64_t)row->id, 8);
    memcpy(mark + 9, row->tag, TAG_BYTES);
    err = buf_add(&tx->marks, span_of(mark, sizeof(mark)));
    if (err == AG_OK) {
        tx->mark_count++;
    }
    return err;
}

static void
bind_row(struct query *q, const struct table *t, const struct row *row,
         struct span sealed)
{
    size_t i;

    query_int(q, row->id);
    for (i = 0; i < t->ints; i++) {
        if (((unsigned)t->refs >> i & 1U) != 0) {
            query_ref(q, row->ints[i]);
        } else {
            query_int(q, row->ints[i]);
        }
    }
    for (i = 0; i < t->blobs; i++) {
        query_blob(q, row->blobs[i]);
    }
    if (t->body) {
        query_blob(q, sealed);
    }
    query_blob(q, span_of(row->tag, TAG_BYTES));
}

static enum ag_err
write_sealed(struct db_tx *tx, const struct table *t, struct row *row,
             struct span sealed)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = AG_OK;

    if (t->digest != 0) {
        err = digest_out(tx, t, row->id);
        if (err == AG_OK) {
            err =
                row_digest(&tx->self, t, row->id, span_of(row->tag, TAG_BYTES),
                           tx->end.digests[t->digest - 1]);
        }
    }
    if (err == AG_OK) {
        err = query_start(&tx->self.conn, t->put, &q);
    }
    if (err == AG_OK) {
        bind_row(&q, t, row, sealed);
        err = query_run(&q);
    }
    return err != AG_OK ? err : add_mark(tx, t, row);
}

enum ag_err
row_write(struct db_tx *tx, const struct table *t, struct row *row)
{
    AG_AUTO(buf) struct buf sealed;
    const struct keys *keys = db_keys(&tx->self);
    struct seal_at at = {.table = t->name, .column = "body", .row = row->id};
    const struct secret *key;
    uint32_t key_id = 0;
    enum ag_err err = AG_OK;

    buf_init(&sealed, SEALED_MAX_BYTES, BUF_PLAIN);
    if (keys == NULL) {
        return AG_ELOCKED;
    }
    AG_ASSERT(row->id > 0 && tx->open);
    if (t->body) {
        err = row_seal(&tx->self, &at, buf_view(&row->body), &sealed);
    }
    if (err != AG_OK) {
        return err;
    }
    key = keys_current(keys, KEY_ROW, &key_id);
    put_le(row->tag, key_id, KEY_ID_BYTES);
    make_tag(db_vault_id(&tx->self), t, row, buf_view(&sealed), key, row->tag);
    return write_sealed(tx, t, row, buf_view(&sealed));
}

enum ag_err
row_remove(struct db_tx *tx, const struct table *t, int64_t id)
{
    /* No row has the tag that is all zeros: no key has the id 0. */
    const struct row gone = {.id = id};
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = AG_OK;

    AG_ASSERT(id > 0 && tx->open);
    if (t->digest != 0) {
        err = digest_out(tx, t, id);
    }
    if (err == AG_OK) {
        err = query_start(&tx->self.conn, t->drop, &q);
    }
    if (err == AG_OK) {
        query_int(&q, id);
        err = query_run(&q);
    }
    return err != AG_OK ? err : add_mark(tx, t, &gone);
}

/* Columns into the row; *ret_sealed and *ret_tag are views. */
static enum ag_err
read_columns(const struct table *t, struct query *q, struct row *ret,
             struct span *ret_sealed, struct span *ret_tag)
{
    int column = 1;
    size_t i;
    enum ag_err err = query_want(q, 0, SQLITE_INTEGER);

    ret->id = query_col_int(q, 0);
    for (i = 0; i < t->ints && err == AG_OK; i++, column++) {
        ret->ints[i] = query_col_int(q, column); /* NULL reads as 0 */
        if (((unsigned)t->refs >> i & 1U) == 0) {
            err = query_want(q, column, SQLITE_INTEGER);
        }
    }
    for (i = 0; i < t->blobs && err == AG_OK; i++, column++) {
        err = query_want(q, column, SQLITE_BLOB);
        ret->blobs[i] = query_col_blob(q, column);
    }
    if (t->body && err == AG_OK) {
        err = query_want(q, column, SQLITE_BLOB);
        *ret_sealed = query_col_blob(q, column);
        column++;
    }
    if (err == AG_OK) {
        err = query_want(q, column, SQLITE_BLOB);
        *ret_tag = query_col_blob(q, column);
    }
    return err;
}

static enum ag_err
check_tag(struct db_read *r, const struct table *t, const struct row *row,
          struct span sealed, struct span tag)
{
    const struct keys *keys = db_keys(r);
    const struct secret *key = NULL;
    uint8_t want[TAG_BYTES];

    if (keys == NULL) {
        return AG_ELOCKED;
    }
    if (tag.len == TAG_BYTES) {
        key = keys_find(keys, KEY_ROW, key_id_of(tag));
    }
    if (key != NULL) {
        make_tag(db_vault_id(r), t, row, sealed, key, want);
    }
    if (key == NULL ||
        sodium_memcmp(want + KEY_ID_BYTES, tag.ptr + KEY_ID_BYTES,
                      TAG_HASH_BYTES) != 0) {
        return err_why(AG_ECORRUPT,
                       "table %s, row %lld was changed from "
                       "outside",
                       t->name, (long long)row->id);
    }
    return AG_OK;
}

enum ag_err
row_read(struct db_read *r, const struct table *t, struct query *q,
         struct row *ret)
{
    struct span sealed = span_of(NULL, 0);
    struct span tag = span_of(NULL, 0);
    enum ag_err err = read_columns(t, q, ret, &sealed, &tag);

    if (err == AG_OK) {
        err = check_tag(r, t, ret, sealed, tag);
    }
    if (err != AG_OK) {
        return err;
    }
    memcpy(ret->tag, tag.ptr, TAG_BYTES);
    if (t->body) {
        struct seal_at at = {
            .table = t->name, .column = "body", .row = ret->id};

        buf_clear(&ret->body);
        err = row_unseal(r, &at, sealed, &ret->body);
    }
    return err;
}

enum ag_err
row_get(struct db_read *r, const struct table *t, int64_t id, struct query *q,
        struct row *ret)
{
    enum ag_err err = query_start(&r->conn, t->get, q);

    if (err != AG_OK) {
        return err;
    }
    query_int(q, id);
    err = query_row(q);
    return err != AG_OK ? err : row_read(r, t, q, ret);
}

enum ag_err
row_find(struct db_read *r, const struct table *t, const char *sql,
         struct span hash, struct query *q, struct row *ret)
{
    enum ag_err err = query_start(&r->conn, sql, q);

    if (err != AG_OK) {
        return err;
    }
    query_blob(q, hash);
    err = query_row(q);
    return err != AG_OK ? err : row_read(r, t, q, ret);
}

enum ag_err
row_one(struct db_read *r, enum table_id table, int64_t id, row_take_fn take,
        void *to)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_get(r, table_of(table), id, &q, &row);
    return err == AG_OK ? take(&row, to) : err;
}

enum ag_err
row_by_hash(struct db_read *r, enum table_id table, const char *sql,
            struct span hash, row_take_fn take, void *to)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err;

    row_init(&row);
    err = row_find(r, table_of(table), sql, hash, &q, &row);
    return err == AG_OK ? take(&row, to) : err;
}

enum ag_err
rows_each(struct db_read *r, const struct rows_walk *walk)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    const struct table *t = table_of(walk->table);
    enum ag_err err = query_ask(&r->conn, &walk->ask, &q);

    row_init(&row);
    while (err == AG_OK) {
        err = query_row(&q);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = row_read(r, t, &q, &row);
        }
        if (err == AG_OK) {
            err = walk->take(&row, walk->arg);
        }
    }
    return err;
}

enum ag_err
rows_first(struct db_read *r, const struct rows_walk *walk)
{
    AG_AUTO(query) struct query q = {0};
    AG_AUTO(row) struct row row;
    enum ag_err err = query_ask(&r->conn, &walk->ask, &q);

    row_init(&row);
    if (err == AG_OK) {
        err = query_row(&q);
    }
    if (err == AG_OK) {
        err = row_read(r, table_of(walk->table), &q, &row);
    }
    return err == AG_OK ? walk->take(&row, walk->arg) : err;
}

enum ag_err
row_check(struct db_read *r, const struct table *t, struct query *q,
          int64_t *ret_id, struct span *ret_tag)
{
    struct row row = {0};
    struct span sealed = span_of(NULL, 0);
    enum ag_err err = read_columns(t, q, &row, &sealed, ret_tag);

    *ret_id = row.id;
    return err != AG_OK ? err : check_tag(r, t, &row, sealed, *ret_tag);
}
