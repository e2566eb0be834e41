#include "store/audit.h"

#include <string.h>

#include "crypt/chain.h"
#include "store/audit_cursor.h"
#include "store/row.h"

static const char SQL_ADD[] =
    "INSERT INTO audit (seq, wall_ms, kind, key_id, body, chain)"
    " VALUES (?, ?, ?, ?, ?, ?)";

enum {
    SEALED_MAX_BYTES =
        KEY_ID_BYTES + SEAL_OVERHEAD_BYTES + AUDIT_BODY_MAX_BYTES,
};

_Static_assert((int)AUDIT_BODY_MAX_BYTES <= (int)SEAL_PLAIN_MAX_BYTES,
               "a full row of the record must fit one seal");
_Static_assert((int)AUDIT_CHAIN_BYTES == (int)CHAIN_BYTES, "chain differs");
_Static_assert((int)TX_CHAIN_BYTES == (int)CHAIN_BYTES, "chain differs");

const char *
audit_kind_text(int64_t kind)
{
    static const struct {
        int64_t kind;
        const char *text;
    } TABLE[] = {

#define AUDIT_KIND_ROW(name, number, text) {(number), (text)},
        AUDIT_KINDS(AUDIT_KIND_ROW)
#undef AUDIT_KIND_ROW
    };
    size_t i;

    for (i = 0; i < AG_COUNT(TABLE); i++) {
        if (TABLE[i].kind == kind) {
            return TABLE[i].text;
        }
    }
    return NULL;
}

static enum ag_err
make_body(struct db_tx *tx, const struct audit_event *event, struct buf *out)
{
    struct span json = event->json.len == 0 ? span_str("{}") : event->json;
    enum ag_err err;

    if (json.len > AUDIT_JSON_MAX_BYTES) {
        return err_why(AG_ELIMIT, "audit: %zu bytes of JSON, at most %d",
                       json.len, AUDIT_JSON_MAX_BYTES);
    }
    if (json.ptr[0] != '{' || json.ptr[json.len - 1] != '}') {
        return err_why(AG_EINVAL, "audit: the body is not a JSON object");
    }
    err = buf_add_u64le(out, (uint64_t)event->task_id);
    if (err == AG_OK) {
        err = buf_add_u64le(out, (uint64_t)event->token_id);
    }
    if (err == AG_OK) {
        err = buf_add_u64le(out, (uint64_t)event->secret_id);
    }
    if (err == AG_OK) {
        err = buf_add(out, span_of(tx->end.digests, TX_DIGESTS_BYTES));
    }
    if (err == AG_OK) {
        err = buf_add_u32le(out, (uint32_t)tx->mark_count);
    }
    if (err == AG_OK && tx->mark_count > 0) {
        err = buf_add(out, buf_view(&tx->marks));
    }
    return err != AG_OK ? err : buf_add(out, json);
}

static enum ag_err
add_row(struct db_tx *tx, const struct audit_link *link, const uint8_t *chain)
{
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(&tx->self.conn, SQL_ADD, &q);

    if (err != AG_OK) {
        return err;
    }
    query_int(&q, (int64_t)link->seq);
    query_int(&q, link->wall_ms);
    query_int(&q, link->kind);
    query_int(&q, link->key_id);
    query_blob(&q, link->body);
    query_blob(&q, span_of(chain, AUDIT_CHAIN_BYTES));
    return query_run(&q);
}

enum ag_err
audit_append(struct db_tx *tx, const struct audit_event *event,
             uint64_t *ret_seq)
{
    AG_AUTO(buf) struct buf plain;
    AG_AUTO(buf) struct buf sealed;
    const struct keys *keys = db_keys(&tx->self);
    struct audit_link link = {.seq = tx->end.seq + 1,
                              .wall_ms = tx->now_ms,
                              .kind = (int64_t)event->kind};
    struct seal_at at = {
        .table = "audit", .column = "body", .row = (int64_t)link.seq};
    uint8_t chain[AUDIT_CHAIN_BYTES];
    enum ag_err err;

    buf_init(&plain, AUDIT_BODY_MAX_BYTES, BUF_WIPE);
    buf_init(&sealed, SEALED_MAX_BYTES, BUF_PLAIN);
    if (keys == NULL) {
        return AG_ELOCKED;
    }
    err = make_body(tx, event, &plain);
    if (err == AG_OK) {
        err = row_seal(&tx->self, &at, buf_view(&plain), &sealed);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)keys_current(keys, KEY_AUDIT, &link.key_id);
    link.body = buf_view(&sealed);
    err = audit_link(&tx->self, tx->end.chain, &link, chain);
    if (err == AG_OK) {
        err = add_row(tx, &link, chain);
    }
    if (err != AG_OK) {
        return err;
    }
    tx->end.seq = link.seq;
    memcpy(tx->end.chain, chain, sizeof(chain));
    buf_clear(&tx->marks);
    tx->mark_count = 0;
    if (ret_seq != NULL) {
        *ret_seq = link.seq;
    }
    return AG_OK;
}

enum ag_err
audit_note(struct db_tx *tx, enum audit_kind kind, int64_t task_id,
           int64_t secret_id, const char *json)
{
    struct audit_event event = {
        .kind = kind,
        .task_id = task_id,
        .secret_id = secret_id,
        .json = json == NULL ? span_of(NULL, 0) : span_str(json),
    };

    return audit_append(tx, &event, NULL);
}
