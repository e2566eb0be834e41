/* Refusals of the proxy: on the record before they are told, and what trips
 * the wire ends the tasks concerned. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/incident.h"
#include "core/permit_impl.h"
#include "core/state.h"
#include "profile/placeholder.h"
#include "store/tasks.h"

static bool
trips(enum ag_err why)
{
    return why == AG_EFOREIGN || why == AG_EENDED || why == AG_EHOST;
}

/* ---- whose ---- */

enum ag_err
permit_owner(struct core *core, const struct call *call, uint64_t id)
{
    AG_AUTO(proxied) struct proxied *set = NULL;
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(task_row) struct task_row row = {0};
    int64_t owner = proxied_id_task(id);
    enum ag_err err = AG_OK;

    if (call->task_id == owner) {
        return AG_EPLACE;
    }
    if (running_proxied(core->running, owner, &set) == AG_OK) {
        return AG_EFOREIGN;
    }
    err = store_read(core->store, &r);
    if (err == AG_OK) {
        err = tasks_get(r, owner, &row);
    }
    if (err == AG_ENOTFOUND) {
        return AG_OK;
    }
    return err == AG_OK ? AG_EENDED : err;
}

/* ---- the record ---- */

struct refusing {
    struct core_job job;
    const struct call *call;
    enum ag_err why;
    struct span service;
    int64_t owner; /* of the placeholder, 0 without */
    bool ends;
    enum fold_row row;
};

/* Who used it, and whose it is if that one ran: what they saw is in doubt. */
static enum ag_err
trip(struct db_tx *tx, const struct refusing *r)
{
    enum ag_err err =
        incident_tripped(tx, r->call->task_id, err_code(r->why), "proxy");

    return err == AG_OK && r->why == AG_EFOREIGN
               ? incident_tripped(tx, r->owner, err_code(r->why), "proxy")
               : err;
}

static enum ag_err
run_refusing(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct refusing *r = (const struct refusing *)job;
    enum ag_err err = core_note(
        tx, r->call, r->ends ? AUDIT_TRIPWIRE : AUDIT_POLICY_DENIED,
        r->call->task_id, 0,
        json_pack("{s:s, s:s%, s:I, s:s*}", "code", err_code(r->why), "service",
                  (const char *)r->service.ptr, r->service.len, "owner",
                  (json_int_t)r->owner, "more", permit_more(r->row)));

    if (err == AG_OK && r->ends) {
        err = trip(tx, r);
    }
    /* Of these one may be no task, or both the same: that is passed over. */
    if (err == AG_OK && r->ends) {
        err = core_end_task(core, tx, r->owner, END_ALARM, -1);
    }
    if (err == AG_OK && r->ends) {
        err = core_end_task(core, tx, r->call->task_id, END_ALARM, -1);
    }
    return err;
}

static const char *
says(enum ag_err why, const char *kept)
{
    switch ((int)why) {
    case AG_EFOREIGN:
        return "a placeholder of another task; both are ended";
    case AG_EENDED:
        return "a placeholder of a task that has ended; this one is ended too";
    case AG_EPLACE:
        return "a placeholder stands where no value belongs";
    default:
        return kept;
    }
}

enum ag_err
permit_toll(struct core *core, const struct call *call, enum ag_err why,
            struct span service, enum fold_row *ret_row)
{
    char text[STORE_WHY_BYTES];
    char to[FOLD_TEXT_BYTES];

    (void)atomic_fetch_add(&core->refused_count, 1);
    if (core_need_open(core) != AG_OK) {
        *ret_row = FOLD_ROW; /* there is no record to be filled */
        return AG_OK;
    }
    (void)snprintf(to, sizeof(to), "%.*s", (int)service.len,
                   (const char *)service.ptr);
    *ret_row = folds_note(core->folds, fold_caller(call), FOLD_REFUSED, to,
                          clock_steady_ms());
    if (*ret_row != FOLD_COUNTED) {
        return AG_OK;
    }
    (void)snprintf(text, sizeof(text), "%s", err_text(why));
    return err_why(AG_ERATE,
                   "refused more than %d times within a minute, this time "
                   "with %s: %s",
                   FOLDS_ROWS_PER_MINUTE, err_code(why), text);
}

static enum ag_err
refuse(struct core *core, struct refusing *r)
{
    char text[STORE_WHY_BYTES];
    enum ag_err err;

    r->job.run = run_refusing;
    (void)snprintf(text, sizeof(text), "%s", says(r->why, err_text(r->why)));
    err = permit_toll(core, r->call, err_why(r->why, "%s", text), r->service,
                      &r->row);
    /* What ends a task always has a row: there is one of these. */
    if (err != AG_OK && !r->ends) {
        return err;
    }
    if (r->ends) {
        live_revoke_task(core->live, r->owner);
    }
    /* Without a record it is refused all the same. */
    if (core_write_wait(core, &r->job) != AG_OK && r->ends) {
        core_cut_task(core, r->owner, end_reason_text(END_ALARM));
        core_cut_task(core, r->call->task_id, end_reason_text(END_ALARM));
    }
    return err_why(r->why, "%s", text);
}

/* One placeholder too many at wrong places is a search for one that works. */
static bool
is_search(struct core *core, const struct call *call, enum ag_err why)
{
    return why == AG_EPLACE && running_stray(core->running, call->task_id) >
                                   PERMIT_STRAYS_MAX_COUNT;
}

enum ag_err
permit_refuse(struct core *core, const struct deciding *d, enum ag_err why)
{
    struct refusing r = {.call = d->ask->call,
                         .why = why,
                         .service = d->ask->service,
                         .owner = proxied_id_task(d->stray_id)};

    /* Without a placeholder none of these is to be had: a second belt. */
    r.ends =
        (trips(why) && d->stray_id != 0) || is_search(core, d->ask->call, why);
    if (why == AG_EHOST && d->stray_id != 0) {
        (void)!err_why(AG_EHOST, "a placeholder of a value that does not go to "
                                 "that host; the task is ended");
    }
    return refuse(core, &r);
}

/* ---- in a body ---- */

struct telling {
    struct core_job job;
    const struct call *call;
    int64_t owner;
};

static enum ag_err
run_telling(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct telling *t = (const struct telling *)job;

    (void)core;
    return core_note(tx, t->call, AUDIT_TRIPWIRE,
                     t->call->who == CALLER_TASK ? t->call->task_id : 0, 0,
                     json_pack("{s:s, s:s, s:I, s:s}", "code",
                               err_code(AG_EENDED), "found", "body", "owner",
                               (json_int_t)t->owner, "more",
                               permit_more(FOLD_LAST_ROW)));
}

enum ag_err
permit_history(struct core *core, const struct call *call, uint64_t id)
{
    struct telling t = {
        .job.run = run_telling, .call = call, .owner = proxied_id_task(id)};
    char owner[FOLD_TEXT_BYTES];

    /* The same text comes again with each turn of a model. */
    (void)snprintf(owner, sizeof(owner), "%lld", (long long)t.owner);
    return folds_note(core->folds, fold_caller(call), FOLD_HISTORY, owner,
                      clock_steady_ms()) != FOLD_COUNTED
               ? core_write_wait(core, &t.job)
               : AG_OK;
}

enum ag_err
permit_stray(struct core *core, const struct call *call, uint64_t id)
{
    struct refusing r = {.call = call,
                         .why = permit_owner(core, call, id),
                         .service = span_str("body"),
                         .owner = proxied_id_task(id)};

    /* Its own is worth nothing to any service, and an agent sends its model
     * whatever it has read: its environment, its login file. */
    if (r.why == AG_OK || r.why == AG_EPLACE) {
        return AG_OK;
    }
    /* Nobody can put it to use, and a transcript may hold one. */
    if (r.why == AG_EENDED) {
        return permit_history(core, call, id);
    }
    r.ends = trips(r.why);
    return refuse(core, &r);
}

struct permit_scan {
    struct placeholder_scan *scan;
    struct secret *key; /* a copy: a lock may come meanwhile */
    permit_hit_fn hit;
    void *arg;
};

static enum ag_err
on_hit(void *arg, const struct placeholder_hit *hit)
{
    const struct permit_scan *scan = arg;

    return scan->hit(scan->arg, hit->id);
}

void
permit_scan_free(struct permit_scan *scan)
{
    if (scan != NULL) {
        placeholder_scan_free(scan->scan);
        secret_free(scan->key);
        free(scan);
    }
}

enum ag_err
permit_scan_new(struct core *core, permit_hit_fn hit, void *arg,
                struct permit_scan **ret)
{
    struct permit_scan *scan = calloc(1, sizeof(*scan));
    enum ag_err err =
        scan != NULL ? core_key(core, KDF_PLACEHOLDER, &scan->key) : AG_ENOMEM;

    if (err == AG_OK) {
        scan->hit = hit;
        scan->arg = arg;
        err = placeholder_scan_new(scan->key, on_hit, scan, &scan->scan);
    }
    if (err != AG_OK) {
        permit_scan_free(scan);
        return err;
    }
    *ret = scan;
    return AG_OK;
}

enum ag_err
permit_scan_feed(struct permit_scan *scan, struct span part)
{
    return placeholder_scan_feed(scan->scan, part);
}

enum ag_err
permit_scan_finish(struct permit_scan *scan)
{
    return placeholder_scan_finish(scan->scan);
}
