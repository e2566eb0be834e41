/* The value in the placeholder's stead, and the record of its use. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/holds.h"
#include "core/mint.h"
#include "core/permit_impl.h"
#include "core/state.h"
#include "core/values.h"
#include "store/exposure.h"
#include "store/grants.h"
#include "store/leases.h"
#include "store/tasks.h"
#include "store/uses.h"

/* ---- values ---- */

static enum ag_err
stored_value(struct core *core, const struct proxied_item *item,
             const struct value_wish *wish, struct version_row *version,
             struct secret **ret)
{
    struct value_wish of_row = *wish;
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = secrets_get(r, item->secret_id, &row);
    }
    if (err == AG_OK && row.removed_ms != 0) {
        err = err_why(AG_ENOTFOUND, "%s is not in the vault any more",
                      item->name);
    }
    of_row.row = &row;
    return err == AG_OK ? value_of(core, r, &of_row, version, ret) : err;
}

/* From the shelf if it is there, by a name that no secret has: whoever reads a
 * secret by its name must not find there what only the proxy may use. A second
 * belt, as is whose it is: who reads looks at the version, and a secret that is
 * made anew begins another epoch. */
static enum ag_err
read_value(struct core *core, const struct deciding *d,
           const struct proxied_item *item, const char *field,
           struct version_row *version, struct secret **ret)
{
    const struct value_wish wish = {.field = field, .task_id = d->task_id};
    char name[NAME_MAX_BYTES + 2];
    struct shelf_item shelved = {
        .name = name, .field = field, .epoch = store_epoch(core->store)};
    enum ag_err err;

    if (item->is_minted) {
        return stored_value(core, item, &wish, version, ret);
    }
    (void)snprintf(name, sizeof(name), "%%%s", item->name);
    err = shelf_get(core->shelf, &shelved, ret);
    if (err == AG_OK && shelved.secret_id == item->secret_id) {
        version->id = shelved.version_id;
        version->number = shelved.version;
        return AG_OK;
    }
    if (err == AG_OK) {
        secret_free(AG_TAKE(*ret)); /* of an older secret of that name */
    }
    err = stored_value(core, item, &wish, version, ret);
    if (err == AG_OK) {
        shelved.secret_id = item->secret_id;
        shelved.version_id = version->id;
        shelved.version = version->number;
        shelf_put(core->shelf, &shelved, *ret);
    }
    return err;
}

/* ---- edits ---- */

static enum ag_err
add_edit(struct deciding *d, const struct permit_edit *edit)
{
    struct permit *permit = d->permit;
    struct permit_edit *edits = NULL;

    if (permit->edit_count == PERMIT_EDITS_MAX_COUNT) {
        secret_free(edit->text);
        return err_why(AG_ELIMIT, "too many values in one request");
    }
    /* One by one: mostly there is one. */
    edits = reallocarray(permit->edits, permit->edit_count + 1, sizeof(*edits));
    if (edits == NULL) {
        secret_free(edit->text);
        return AG_ENOMEM;
    }
    permit->edits = edits;
    permit->edits[permit->edit_count++] = *edit;
    return AG_OK;
}

/* Headers that go along, from other fields of the same secret. */
static enum ag_err
add_withs(struct core *core, struct deciding *d,
          const struct proxied_item *item, const struct place *place)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < place->with.count && err == AG_OK; i++) {
        const struct profile_with *with = &place->with.items[i];
        struct permit_edit edit = {.kind = PERMIT_ADD};
        struct version_row version = {0};

        err = read_value(core, d, item, with->field, &version, &edit.text);
        if (err == AG_ENOTFOUND) {
            err = AG_OK; /* a login without it */
            continue;
        }
        if (err == AG_OK) {
            err = permit_check_line(item, edit.text);
        }
        (void)snprintf(edit.name, sizeof(edit.name), "%s", with->name);
        if (err == AG_OK) {
            err = add_edit(d, &edit);
        } else {
            secret_free(edit.text);
        }
    }
    return err;
}

static void
note_used(struct deciding *d, struct proxied_item *item,
          const struct version_row *version)
{
    for (size_t i = 0; i < d->used_count; i++) {
        if (d->used[i].item == item) {
            return;
        }
    }
    if (d->used_count < PERMIT_EDITS_MAX_COUNT) {
        d->used[d->used_count++] =
            (struct permit_used){item, version->id, version->number};
    }
}

static enum permit_edit_kind
kind_of(const struct place *place)
{
    return place->in == PLACE_QUERY   ? PERMIT_QUERY
           : place->in == PLACE_FIELD ? PERMIT_BODY
                                      : PERMIT_FIELD;
}

enum ag_err
permit_edit(struct core *core, struct deciding *d, struct proxied_item *item,
            const struct place *place, const struct request_found *found)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct permit_edit edit = {.kind = kind_of(place),
                               .field = found->field,
                               .at = found->at,
                               .len = found->len};
    struct version_row version = {0};
    enum ag_err err = holds_check(core->holds, item->secret_id, item->name);

    if (err == AG_OK && item->is_minted) {
        err = mint_there(core, d->task_id, item->secret_id);
    }
    if (err == AG_ENOTFOUND) {
        d->mint_id = item->secret_id;
        note_used(d, item, &version);
        return AG_OK;
    }
    if (err == AG_OK) {
        err = read_value(core, d, item, place->field, &version, &value);
    }
    if (err == AG_OK) {
        err = permit_text(place, found, secret_view(value), &edit.text);
    }
    if (err == AG_OK) {
        err = permit_check_line(item, edit.text);
    }
    if (err != AG_OK) {
        secret_free(edit.text);
        return err;
    }
    note_used(d, item, &version);
    err = add_edit(d, &edit);
    return err == AG_OK ? add_withs(core, d, item, place) : err;
}

/* ---- the record ---- */

struct using
{
    struct core_job job;
    const struct deciding *d;
    enum fold_row row; /* of a call without a value */
};

/* The grant, of which a use is left. */
static enum ag_err
grant_left(struct db_read *r, const struct proxied_item *item,
           struct grant_row *ret)
{
    enum ag_err err = grants_get(r, item->grant_id, ret);

    return err == AG_OK && ret->uses_count >= ret->uses_max
               ? err_why(AG_EGRANTUSED, "the grant on %s has no uses left",
                         item->name)
               : err;
}

static enum ag_err
count_use(struct db_tx *tx, const struct proxied_item *item)
{
    AG_AUTO(grant_row) struct grant_row row = {0};
    enum ag_err err = AG_OK;

    if (item->uses == GRANT_USES_UNLIMITED) {
        return AG_OK;
    }
    err = grant_left(db_tx_read(tx), item, &row);
    row.uses_count++;
    return err == AG_OK ? grants_update(tx, &row) : err;
}

enum ag_err
permit_may_use(struct core *core, const struct deciding *d)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t now_ms = clock_steady_ms();
    enum ag_err err = store_read(core->store, &r);

    for (size_t i = 0; err == AG_OK && i < d->used_count; i++) {
        AG_AUTO(grant_row) struct grant_row row = {0};

        if (d->used[i].item->uses != GRANT_USES_UNLIMITED) {
            err = grant_left(r, d->used[i].item, &row);
        }
    }
    if (err == AG_OK) {
        err = permit_spend(d, now_ms);
    }
    if (err == AG_OK) {
        permit_unspend(d, now_ms);
    }
    return err;
}

/* Lease, exposure and record of a value's first use by a task. */
static enum ag_err
record_one(struct db_tx *tx, const struct deciding *d,
           const struct permit_used *used)
{
    AG_AUTO(lease_row)
    struct lease_row lease = {.task_id = d->task_id,
                              .secret_id = used->item->secret_id,
                              .version = used->version,
                              .verb = VERB_PROXY};
    AG_AUTO(task_row) struct task_row task = {0};
    const struct exposure_row seen = {.secret_id = used->item->secret_id,
                                      .version = used->version,
                                      .task_id = d->task_id,
                                      .verb = VERB_PROXY};
    enum ag_err err = count_use(tx, used->item);

    if (err == AG_OK) {
        err = tasks_get(db_tx_read(tx), d->task_id, &task);
    }
    if (err == AG_OK && task.ended_ms != 0) {
        err = AG_EREVOKED;
    }
    lease.expires_ms = task.deadline_ms;
    /* Further counted uses of one version are under its first lease; of first
     * uses at one moment each has its own. */
    if (err == AG_OK &&
        atomic_load(&used->item->used_version_id) != used->version_id) {
        err = leases_add(tx, &lease);
    }
    if (err == AG_OK) {
        err = exposure_note(tx, &seen, NULL);
    }
    return err == AG_OK
               ? core_note(tx, d->ask->call, AUDIT_SECRET_READ, d->task_id,
                           used->item->secret_id,
                           json_pack("{s:s, s:I, s:s, s:s%}", "name",
                                     used->item->name, "version",
                                     (json_int_t)used->version, "verb",
                                     verb_text(VERB_PROXY), "host",
                                     (const char *)d->host.ptr, d->host.len))
               : err;
}

static enum ag_err
run_using(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct using *using = (const struct using *)job;
    const struct deciding *d = using->d;
    enum ag_err err = AG_OK;

    (void)core;
    if (d->open) {
        return core_note(tx, d->ask->call, AUDIT_HOST_CALLED, d->task_id, 0,
                         json_pack("{s:s, s:s*}", "host", d->host_text, "more",
                                   permit_more(using->row)));
    }
    for (size_t i = 0; i < d->used_count && err == AG_OK; i++) {
        err = record_one(tx, d, &d->used[i]);
    }
    return err;
}

/* Not before the commit: what was rolled back is not on the record. */
static void
note_known(const struct deciding *d)
{
    for (size_t i = 0; i < d->used_count; i++) {
        atomic_store(&d->used[i].item->used_version_id, d->used[i].version_id);
    }
}

/* Lease and exposure of this version are there already, and durable. */
static bool
is_known(const struct core *core, const struct permit_used *used)
{
    return used->item->uses == GRANT_USES_UNLIMITED &&
           !atomic_load(&core->audit_strict) &&
           atomic_load(&used->item->used_version_id) == used->version_id;
}

static void
add_sent(struct permit_sent *sent, const struct permit_used *used)
{
    for (size_t i = 0; i < sent->count; i++) {
        if (sent->of[i].secret_id == used->item->secret_id) {
            return;
        }
    }
    AG_ASSERT(sent->count < AG_COUNT(sent->of)); /* no more were used */
    sent->of[sent->count].secret_id = used->item->secret_id;
    sent->of[sent->count++].version = used->version;
}

/* Which secrets went out, and which login. */
static void
say_sent(struct deciding *d)
{
    for (size_t i = 0; i < d->used_count; i++) {
        add_sent(&d->permit->sent, &d->used[i]);
        if (d->used[i].item->places.refresh != NULL) {
            d->permit->login_id = d->used[i].item->secret_id;
            d->permit->login_version = d->used[i].version;
        }
    }
}

/* Those with lease and exposure are a line of the journal each. */
static enum ag_err
use_known(struct core *core, const struct deciding *d)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < d->used_count && err == AG_OK; i++) {
        const struct use use = {.task_id = d->task_id,
                                .secret_id = d->used[i].item->secret_id,
                                .version = d->used[i].version,
                                .verb = VERB_PROXY};

        err = store_use(core->store, &use);
    }
    return err;
}

static enum ag_err
use_new(struct core *core, const struct deciding *d)
{
    struct using using = {.job.run = run_using, .d = d};
    enum ag_err err = AG_OK;

    if (d->open) {
        using.row = core_fold(core, d->ask->call, FOLD_CALLED, d->host_text);
    }
    if (using.row == FOLD_COUNTED) {
        return AG_OK;
    }
    err = core_write_wait(core, &using.job);

    if (err == AG_OK) {
        note_known(d);
    }
    return err;
}

enum ag_err
permit_use(struct core *core, struct deciding *d)
{
    int64_t now_ms = clock_steady_ms();
    enum ag_err err = AG_OK;
    bool known = !d->open; /* without a value there is no journal */

    say_sent(d);
    for (size_t i = 0; i < d->used_count; i++) {
        known = known && is_known(core, &d->used[i]);
    }
    if (!known && d->quick) {
        return AG_EBLOCKS;
    }
    err = permit_spend(d, now_ms);
    if (err != AG_OK) {
        return err;
    }
    err = known ? use_known(core, d) : use_new(core, d);
    if (err != AG_OK) {
        permit_unspend(d, now_ms);
    }
    atomic_store(&core->busy_ms, now_ms);
    return err;
}
