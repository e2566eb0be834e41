#include "core/handout.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/holds.h"
#include "core/incident.h"
#include "core/intake.h"
#include "core/mint.h"
#include "core/proxied.h"
#include "core/redaction.h"
#include "core/stamp.h"
#include "core/state.h"
#include "core/tripwire.h"
#include "core/turned.h"
#include "core/values.h"
#include "store/exposure.h"
#include "store/leases.h"
#include "store/tasks.h"
#include "store/versions.h"

/* Redeems a ticket for its own process on its own line. */
static enum ag_err
redeem(struct core *core, const struct handout_line *on, enum ticket_kind kind,
       const char *text, struct ticket *ret)
{
    const struct proc_facts *facts = peer_facts(on->peer);
    struct ticket_shown shown = {
        .text = span_str(text),
        .kind = kind,
        .connection_id = on->connection_id,
        .now_ms = clock_steady_ms(),
    };
    enum ag_err err = core_need_open(core);

    if (err == AG_OK) {
        err = peer_check(on->peer);
    }
    if (err == AG_OK && facts == NULL) {
        err = AG_EUNTRACED;
    }
    if (err != AG_OK) {
        return err;
    }
    shown.by = facts->self;
    return tickets_redeem(core->tickets, &shown, ret);
}

enum ag_err
handout_attach(struct core *core, const struct handout_line *on,
               const char *ticket, const struct life_listener *line,
               int64_t *ret_task_id)
{
    struct ticket found = {0};
    enum ag_err err = redeem(core, on, TICKET_LIFE, ticket, &found);

    if (err == AG_OK) {
        err = running_attach(core->running, found.task_id, line);
    }
    if (err == AG_OK) {
        *ret_task_id = found.task_id;
    }
    return err;
}

int64_t
handout_task_of(struct core *core, const struct peer *peer)
{
    const struct proc_facts *facts = peer_facts(peer);

    return facts != NULL ? tree_task_of(core->tree, facts) : 0;
}

/* ---- a value goes out ---- */

struct delivering {
    struct core_job job;
    int64_t task_id;
    int64_t index;
    struct delivery delivery;
    struct secret *value;
};

/* In the place of the value what looks like it. No lease and no exposure: the
 * task has seen nothing, and what it does with it is on record by itself. */
static enum ag_err
make_placeholder(struct core *core, struct delivering *d,
                 const struct secret_row *row)
{
    const struct stamp stamp = {d->task_id, (size_t)d->index, &d->delivery};
    struct secret *real = AG_TAKE(d->value);

    return stamp_make(core, &stamp, row, real, &d->value);
}

static enum ag_err
note_delivery(struct db_tx *tx, const struct delivering *d,
              const struct secret_row *row, int64_t version)
{
    return core_note(tx, NULL, AUDIT_DELIVERED, d->task_id, row->id,
                     json_pack("{s:s, s:s, s:I, s:s}", "name", row->name,
                               "field", d->delivery.field, "version",
                               (json_int_t)version, "grade",
                               verb_text(d->delivery.verb)));
}

/* A login that was rewritten since the task began goes out as it is now. */
static enum ag_err
run_delivery(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct delivering *d = (struct delivering *)job;
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(lease_row) struct lease_row lease = {0};
    AG_AUTO(task_row) struct task_row task = {0};
    struct db_read *r = db_tx_read(tx);
    struct version_row version = {0};
    struct exposure_row seen = {.task_id = d->task_id,
                                .verb = d->delivery.verb,
                                .secret_id = d->delivery.secret_id};
    enum ag_err err = secrets_get(r, d->delivery.secret_id, &row);

    if (err == AG_OK) {
        err = tasks_get(r, d->task_id, &task);
    }
    if (err == AG_OK && task.ended_ms != 0) {
        err = AG_EREVOKED;
    }
    if (err == AG_OK) {
        err = holds_check(core->holds, row.id, row.name);
    }
    if (err == AG_OK) {
        err = value_of(
            core, r,
            &(struct value_wish){&row, d->delivery.field, 0, d->task_id},
            &version, &d->value);
    }
    if (err == AG_OK && d->delivery.verb == VERB_PROXY) {
        err = make_placeholder(core, d, &row);
        return err == AG_OK ? note_delivery(tx, d, &row, version.number) : err;
    }
    if (err != AG_OK) {
        return err;
    }
    lease.task_id = d->task_id;
    lease.secret_id = row.id;
    lease.version = version.number;
    lease.verb = d->delivery.verb;
    lease.expires_ms = task.deadline_ms;
    seen.version = version.number;
    err = leases_add(tx, &lease);
    if (err == AG_OK) {
        err = exposure_note(tx, &seen, NULL);
    }
    if (err == AG_OK) {
        err = note_delivery(tx, d, &row, version.number);
    }
    if (err == AG_OK) {
        running_delivered(core->running, d->task_id, (size_t)d->index, lease.id,
                          version.number);
    }
    return err;
}

static enum ag_err
deliver(struct core *core, const struct ticket *ticket, struct secret **ret)
{
    struct delivering d = {.job.run = run_delivery,
                           .task_id = ticket->task_id,
                           .index = ticket->subject_id};
    enum ag_err err = running_delivery(core->running, ticket->task_id,
                                       (size_t)ticket->subject_id, &d.delivery);

    if (err == AG_OK) {
        err = mint_get(core, ticket->task_id, d.delivery.secret_id);
    }
    if (err == AG_OK) {
        err = core_hide(core); /* where it fails nothing is on the record */
    }
    if (err == AG_OK) {
        err = core_write_wait(core, &d.job);
    }
    /* The set must hold the value before anybody can print it: the one that was
     * read, which may be newer than the above. */
    if (err == AG_OK) {
        err = core_hide(core);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(d.value);
    }
    secret_free(d.value);
    return err;
}

enum ag_err
handout_value(struct core *core, const struct handout_line *on,
              const char *ticket, struct secret **ret)
{
    struct ticket found = {0};
    enum ag_err err = redeem(core, on, TICKET_DELIVER, ticket, &found);

    if (err != AG_OK) {
        return err;
    }
    return found.task_id != 0 ? deliver(core, &found, ret)
                              : intake_release(core, &found, ret);
}

enum ag_err
handout_take(struct core *core, const struct handout_line *on,
             const char *ticket, const struct secret *content,
             struct take_result *ret)
{
    struct ticket found = {0};
    enum ag_err err = redeem(core, on, TICKET_TAKE, ticket, &found);

    if (err != AG_OK) {
        return err;
    }
    err = found.task_id != 0 ? intake_write_back(core, &found, content, ret)
                             : intake_move(core, &found, content, ret);
    return err == AG_OK ? redaction_commit(core) : err;
}

/* ---- streams ---- */

enum ag_err
handout_stream(struct core *core, const struct handout_line *on,
               const char *ticket, enum filter_audience audience,
               struct stream_terms *ret)
{
    const struct core_settings settings = core_settings_of(core);
    struct ticket found = {0};
    enum ag_err err = redeem(core, on, TICKET_STREAM, ticket, &found);

    if (err == AG_OK) {
        err = redaction_commit(core);
    }
    if (err != AG_OK) {
        return err;
    }
    /* A stream that a task asked for by itself could tell it what is in the
     * set; what the supervisor relays is for the operator's eyes. */
    ret->audience = found.version != 0 ? FILTER_TASK : audience;
    ret->rules = FILTER_RULES_NONE;
    ret->places = false;
    ret->format = STREAM_TEXT;
    ret->task_id = found.task_id;
    ret->is_output = found.task_id != 0 && found.version == 0;
    (void)snprintf(ret->marker, sizeof(ret->marker), "%s",
                   ret->audience == FILTER_TASK ? TRIPWIRE_MARKER
                                                : settings.marker);
    return AG_OK;
}

struct hits {
    struct core_job job;
    int64_t task_id;
    json_t *counts;
    json_int_t more; /* of names that one event has no room for */
};

static enum ag_err
run_hits(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct hits *h = (const struct hits *)job;

    (void)core;
    return core_note(tx, NULL, AUDIT_STREAM_ENDED, h->task_id, 0,
                     h->more > 0 ? json_pack("{s:O, s:I}", "hits", h->counts,
                                             "more", h->more)
                                 : json_pack("{s:O}", "hits", h->counts));
}

void
handout_stream_ended(struct core *core, const struct stream_terms *terms,
                     const json_t *counts)
{
    struct hits h = {.job.run = run_hits,
                     .task_id = terms->task_id,
                     .counts = json_object()};
    const char *name = NULL;
    json_t *count = NULL;
    int64_t sum = 0;
    size_t bytes = 0;

    json_object_foreach((json_t *)(uintptr_t)counts, name, count)
    {
        sum += json_integer_value(count);
        bytes += strlen(name) + 32; /* and its number */
        if (bytes > AUDIT_JSON_MAX_BYTES / 2 ||
            json_object_set(h.counts, name, count) != 0) {
            h.more += json_integer_value(count);
        }
    }
    if (sum > 0) {
        running_hit(core->running, terms->task_id, sum);
        /* The stream has ended whatever becomes of this row. */
        (void)!core_write_wait(core, &h.job);
    }
    json_decref(h.counts);
}

void
handout_stream_hits(struct core *core, const struct stream_terms *terms,
                    const json_t *fresh)
{
    if (fresh != NULL && terms->audience == FILTER_TASK) {
        tripwire_count(core, terms->task_id, fresh);
    }
}

void
handout_stream_seen(struct core *core, const struct stream_terms *terms,
                    const struct incident_sight *sights, size_t count)
{
    if (terms->is_output) {
        incident_seen(core, terms->task_id, sights, count);
    }
}

/* ---- the end of a task ---- */

struct ending {
    struct core_job job;
    int64_t task_id;
    enum end_reason reason;
    int exit_code;
};

static enum ag_err
run_ending(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct ending *e = (const struct ending *)job;

    return core_end_task(core, tx, e->task_id, e->reason, e->exit_code);
}

/* The line is gone, so nothing of the tree is left: its root may be forgotten.
 * What can't be written now (disk full) is written as soon as it can be. */
static enum ag_err
finish(struct core *core, int64_t task_id, enum end_reason reason,
       int exit_code)
{
    struct ending e = {.job.run = run_ending,
                       .task_id = task_id,
                       .reason = reason,
                       .exit_code = exit_code};
    enum ag_err err = core_write_wait(core, &e.job);

    if (err != AG_OK) {
        late_add(core->late, task_id, reason, exit_code);
    }
    running_remove(core->running, task_id);
    tree_remove(core->tree, task_id);
    return err;
}

static enum ag_err
exposed_one(const struct exposure_row *row, void *arg)
{
    json_t *item = json_pack(
        "{s:I, s:I, s:s}", "secret", (json_int_t)row->secret_id, "version",
        (json_int_t)row->version, "verb", verb_text(row->verb));

    return json_array_append_new(arg, item) == 0 ? AG_OK : AG_ENOMEM;
}

enum {
    EXPOSED_MAX_COUNT = 100, /* of one task, in its receipt */
};

enum ag_err
handout_finish(struct core *core, int64_t task_id, int exit_code, json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(proxied) struct proxied *set = NULL;
    char id[24];
    int64_t hits = running_hits(core->running, task_id);
    enum ag_err err = AG_OK;

    (void)!running_proxied(core->running, task_id, &set); /* as it ends */
    err = finish(core, task_id, END_DONE, exit_code);

    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(id, sizeof(id), "%lld", (long long)task_id);
    answer = json_pack("{s:s, s:I, s:[]}", "task", id, "hits", (json_int_t)hits,
                       "exposed");
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    err = exposure_of_task_each(r, task_id, EXPOSED_MAX_COUNT, exposed_one,
                                json_object_get(answer, "exposed"));
    if (err == AG_OK && set != NULL) {
        (void)pthread_mutex_lock(&set->lock);
        err = turned_show(set->turned, answer);
        (void)pthread_mutex_unlock(&set->lock);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

void
handout_lost(struct core *core, int64_t task_id)
{
    (void)!finish(core, task_id, END_LOST, -1);
}

enum ag_err
handout_streams(struct core *core, const struct call *call, size_t count,
                json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "streams");
    const struct proc_facts *facts = peer_facts(call->peer);
    struct ticket what = {.kind = TICKET_STREAM};
    enum ag_err err = AG_OK;

    if (answer == NULL || facts == NULL) {
        return answer == NULL ? AG_ENOMEM : AG_EUNTRACED;
    }
    what.process = facts->self;
    /* Marks the audience; see handout_stream(). */
    what.version = call->who == CALLER_TASK ? 1 : 0;
    what.task_id = call->task_id;
    if (call->who == CALLER_TASK) {
        err = tripwire_ask(core, call->task_id);
    }
    for (size_t i = 0; i < count && err == AG_OK; i++) {
        char text[TICKET_TEXT_BYTES];

        err = tickets_issue(core->tickets, &what, clock_steady_ms(), text);
        if (err == AG_OK &&
            json_array_append_new(json_object_get(answer, "streams"),
                                  json_string(text)) != 0) {
            err = AG_ENOMEM;
        }
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}
