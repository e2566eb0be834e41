#include "base/buf.h"
#include "base/encode.h"
#include "store/audit_check.h"
#include "wire/emit.h"

enum {
    CHAIN_HEX_BYTES = 2 * AUDIT_CHAIN_BYTES,
};

struct export
{
    struct buf *out;
    uint64_t last;
};

static enum ag_err
export_row(const struct audit_row *row, void *arg)
{
    struct export *job = arg;
    AG_AUTO(buf) struct buf hex;
    const char *kind = audit_kind_text(row->kind);
    size_t before = job->out->len;
    struct emit e;
    enum ag_err err;

    buf_init(&hex, CHAIN_HEX_BYTES, BUF_PLAIN);
    err = encode_hex(span_of(row->chain, AUDIT_CHAIN_BYTES), &hex);
    if (err != AG_OK) {
        return err;
    }
    emit_start(&e, job->out);
    emit_open(&e, NULL, '{');
    emit_int(&e, "seq", (int64_t)row->seq);
    emit_time(&e, "time", row->wall_ms);
    emit_str(&e, "kind", kind == NULL ? "unknown" : kind);
    emit_int(&e, "task", row->task_id);
    emit_int(&e, "token", row->token_id);
    emit_int(&e, "secret", row->secret_id);
    emit_raw(&e, "body", row->json);
    emit_span(&e, "chain", buf_view(&hex));
    emit_close(&e, '}');
    err = emit_end(&e);
    if (err == AG_OK) {
        err = buf_add_byte(job->out, '\n');
    }
    if (err != AG_OK) {
        buf_truncate(job->out, before); /* whole lines only */
        return err;
    }
    job->last = row->seq;
    return AG_OK;
}

enum ag_err
audit_export(struct db_read *r, uint64_t after, uint32_t limit, struct buf *out,
             uint64_t *ret_last)
{
    struct export job = {.out = out, .last = after};
    enum ag_err err = audit_each(r, after, limit, export_row, &job);

    /* A full buffer ends this piece; the next call goes on from there. */
    if (err == AG_ELIMIT && job.last > after) {
        err = AG_OK;
    }
    if (err == AG_OK) {
        *ret_last = job.last;
    }
    return err;
}
