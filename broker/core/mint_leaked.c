/* A credential that leaked is revoked before its task ends (mint.h). */
#include "core/mint_impl.h"
#include "core/state.h"

struct leaking {
    struct core_job job;
    const struct call *call;
    int64_t secret_id;
    int64_t version;
    int64_t row_id; /* found; 0: none */
};

struct finding {
    int64_t version;
    int64_t row_id;
};

static enum ag_err
note_version(const struct minted_row *row, void *arg)
{
    struct finding *f = arg;

    if (row->version == f->version) {
        f->row_id = row->id;
    }
    return AG_OK;
}

enum ag_err
mint_open_of(struct db_read *r, int64_t secret_id, int64_t version,
             int64_t *ret_row_id)
{
    struct finding f = {.version = version};
    enum ag_err err =
        minted_open_each(r, secret_id, INT64_MAX, note_version, &f);

    *ret_row_id = f.row_id;
    return err;
}

static enum ag_err
note(const struct leaking *l, struct db_tx *tx, const struct minted_row *row)
{
    AG_AUTO(secret_row) struct secret_row secret = {0};
    enum ag_err err = secrets_get(db_tx_read(tx), row->secret_id, &secret);

    return err == AG_OK
               ? core_note(tx, l->call, AUDIT_MINT_LEAKED, row->task_id,
                           row->secret_id,
                           json_pack("{s:I, s:s, s:s, s:I}", "minted",
                                     (json_int_t)row->id, "name", secret.name,
                                     "handle", row->handle, "version",
                                     (json_int_t)row->version))
               : err;
}

/* One that is being revoked already keeps its times. */
static enum ag_err
run_leaking(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct leaking *l = (struct leaking *)job;
    AG_AUTO(minted_row) struct minted_row row = {0};
    enum ag_err err =
        mint_open_of(db_tx_read(tx), l->secret_id, l->version, &l->row_id);

    (void)core;
    if (err == AG_OK) {
        err = l->row_id != 0 ? minted_get(db_tx_read(tx), l->row_id, &row)
                             : AG_ENOTFOUND;
    }
    if (err != AG_OK || row.state == MINTED_REVOKING) {
        return err;
    }
    row.state = MINTED_REVOKING;
    row.due_ms = 0;
    row.attempts = 0;
    err = minted_write(tx, &row);
    return err == AG_OK ? note(l, tx, &row) : err;
}

enum ag_err
mint_leaked(struct core *core, const struct call *call, int64_t secret_id,
            int64_t version, struct minted_row *ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct leaking l = {.job.run = run_leaking,
                        .call = call,
                        .secret_id = secret_id,
                        .version = version};
    enum ag_err err = core_write_wait(core, &l.job);

    if (err != AG_OK) {
        return err;
    }
    mints_settle(core->mints, l.row_id);
    err = store_read(core->store, &r);
    return err == AG_OK ? minted_get(r, l.row_id, ret) : err;
}
