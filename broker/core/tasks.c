#include "core/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/allowed.h"
#include "core/downgrade.h"
#include "core/isolation.h"
#include "core/issue.h"
#include "core/lead.h"
#include "core/mint.h"
#include "core/promise.h"
#include "core/proxied.h"
#include "core/redaction.h"
#include "core/state.h"
#include "core/values.h"
#include "store/exposure.h"
#include "store/grants.h"
#include "store/leases.h"
#include "store/tasks.h"

/* ---- start: rows ---- */

struct starting {
    struct core *core;
    struct db_tx *tx;
    const struct call *call;
    const struct task_request *request;
    struct task_row row;
    struct promises *promises;
    int64_t grant_ids[GRANTS_MAX_COUNT];
    struct grant_set *grants;
    struct issued issued;
    json_t *answer;
};

static void
starting_done(struct starting *s)
{
    task_row_done(&s->row);
    promises_free(s->promises);
    grant_set_release(s->grants);
    issued_done(&s->issued);
    json_decref(s->answer);
}

AG_DEFINE_CLEANUP_INPLACE(starting, starting_done)

static void
copy_text(char *out, size_t cap, const char *text)
{
    (void)snprintf(out, cap, "%s", text != NULL ? text : "");
}

static enum ag_err
add_row(struct starting *s)
{
    const struct core_settings settings = core_settings_of(s->core);
    const struct proc_facts *facts = peer_facts(s->call->peer);
    int64_t ttl_ms =
        s->request->ttl_ms != 0 ? s->request->ttl_ms : settings.task_ttl_ms;
    enum ag_err err;

    if (facts == NULL) {
        return AG_EUNTRACED;
    }
    if (tree_task_rooted_at(s->core->tree, facts->self) != 0) {
        return err_why(AG_EEXISTS, "process %d runs a task already",
                       (int)facts->self.pid);
    }
    if (ttl_ms > settings.task_ttl_max_ms) {
        return err_why(AG_EINVAL, "ttl: a task may last %lld s at most",
                       (long long)(settings.task_ttl_max_ms / 1000));
    }
    copy_text(s->row.name, sizeof(s->row.name), s->request->name);
    copy_text(s->row.purpose, sizeof(s->row.purpose), s->request->purpose);
    copy_text(s->row.repository, sizeof(s->row.repository),
              s->request->repository);
    s->row.deadline_ms = db_tx_now_ms(s->tx) + ttl_ms;
    s->row.exit_code = -1;
    s->row.root_pid = facts->self.pid;
    s->row.root_start = (int64_t)facts->self.start_ticks;
    err = isolation_keep(s->request->isolation, &s->row);
    if (err == AG_OK) {
        err = allowed_keep(s->request, &s->row);
    }
    if (err == AG_OK) {
        err = downgrades_keep(s->promises->downgraded, &s->row);
    }
    return err == AG_OK ? tasks_add(s->tx, &s->row) : err;
}

static enum ag_err
add_grants(struct starting *s)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < s->promises->grant_count && err == AG_OK; i++) {
        const struct grant *grant = &s->promises->grants[i];
        AG_AUTO(grant_row)
        struct grant_row row = {
            .task_id = s->row.id,
            .verb = grant->verb,
            .uses_max = grant->uses == GRANT_USES_UNLIMITED ? 0 : grant->uses,
        };

        copy_text(row.secret, sizeof(row.secret), grant->secret);
        copy_text(row.field, sizeof(row.field), grant->field);
        err = grants_add(s->tx, &row);
        s->grant_ids[i] = row.id;
    }
    return err == AG_OK ? grant_set_new(s->promises->grants, s->grant_ids,
                                        s->promises->grant_count, &s->grants)
                        : err;
}

static enum ag_err
add_token(struct starting *s)
{
    const struct issue what = {.task_id = s->row.id,
                               .expires_ms = s->row.deadline_ms,
                               .max_ms = s->row.deadline_ms,
                               .uses = GRANT_USES_UNLIMITED,
                               .grants = s->grants};

    return issue_row(s->core, s->tx, &what, &s->issued);
}

static enum ag_err
note_start(struct starting *s)
{
    json_t *grants = json_array();
    json_t *body = NULL;

    for (size_t i = 0; i < s->promises->grant_count; i++) {
        const struct grant *g = &s->promises->grants[i];

        if (json_array_append_new(
                grants,
                json_sprintf("%s %s%s%s", verb_text(g->verb), g->secret,
                             g->field[0] != '\0' ? "#" : "", g->field)) != 0) {
            json_decref(grants);
            return AG_ENOMEM;
        }
    }
    body = json_pack("{s:s, s:s, s:s, s:o}", "name", s->row.name, "purpose",
                     s->row.purpose, "repository", s->row.repository, "grants",
                     grants);
    if (body == NULL || isolation_show(&s->row, body) != AG_OK ||
        allowed_show(&s->row, body) != AG_OK ||
        (json_object_size(s->promises->downgraded) > 0 &&
         json_object_set(body, "downgraded", s->promises->downgraded) != 0)) {
        json_decref(body);
        return AG_ENOMEM;
    }
    return core_note(s->tx, s->call, AUDIT_TASK_STARTED, s->row.id, 0, body);
}

/* ---- start: memory and the answer ---- */

static enum ag_err
ticket(struct starting *s, struct ticket what, json_t **ret)
{
    char text[TICKET_TEXT_BYTES];
    enum ag_err err = AG_OK;

    what.task_id = s->row.id;
    what.process = peer_facts(s->call->peer)->self;
    err = tickets_issue(s->core->tickets, &what, clock_steady_ms(), text);
    if (err == AG_OK) {
        *ret = json_string(text);
        err = *ret != NULL ? AG_OK : AG_ENOMEM;
    }
    return err;
}

static enum ag_err
put_ticket(struct starting *s, struct ticket what, json_t *object,
           const char *key)
{
    json_t *text = NULL;
    enum ag_err err = ticket(s, what, &text);

    if (err != AG_OK) {
        return err;
    }
    return json_object_set_new(object, key, text) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
answer_streams(struct starting *s)
{
    json_t *streams = json_object_get(s->answer, "streams");

    for (size_t i = 0; i < s->request->stream_count; i++) {
        json_t *text = NULL;
        enum ag_err err =
            ticket(s, (struct ticket){.kind = TICKET_STREAM}, &text);

        if (err != AG_OK) {
            return err;
        }
        if (json_array_append_new(streams, text) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

static enum ag_err
answer_deliveries(struct starting *s)
{
    json_t *list = json_object_get(s->answer, "deliveries");
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < s->promises->delivery_count && err == AG_OK; i++) {
        json_t *item = s->promises->described[i];
        const struct delivery *d = &s->promises->deliveries[i];

        /* A file of placeholders is given again when a tool wrote values. */
        err = put_ticket(
            s,
            (struct ticket){.kind = TICKET_DELIVER,
                            .reusable = d->watch && d->verb == VERB_PROXY,
                            .subject_id = (int64_t)i},
            item, "ticket");
        if (err == AG_OK && s->promises->deliveries[i].watch) {
            err = put_ticket(s,
                             (struct ticket){.kind = TICKET_TAKE,
                                             .reusable = true,
                                             .subject_id = (int64_t)i},
                             item, "take");
        }
        if (err == AG_OK && json_array_append(list, item) != 0) {
            err = AG_ENOMEM;
        }
    }
    return err;
}

static enum ag_err
answer(struct starting *s)
{
    enum ag_err err = issued_answer(&s->issued, &s->answer);

    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(s->answer, "id",
                            json_sprintf("%lld", (long long)s->row.id)) != 0 ||
        json_object_set_new(s->answer, "streams", json_array()) != 0 ||
        json_object_set_new(s->answer, "deliveries", json_array()) != 0 ||
        json_object_set(s->answer, "args", s->promises->args) != 0 ||
        json_object_set(s->answer, "unset", s->promises->unset) != 0 ||
        json_object_set(s->answer, "urls", s->promises->urls) != 0) {
        return AG_ENOMEM;
    }
    err =
        put_ticket(s, (struct ticket){.kind = TICKET_LIFE}, s->answer, "life");
    if (err == AG_OK) {
        err = answer_streams(s);
    }
    if (err == AG_OK) {
        err = answer_deliveries(s);
    }
    if (err == AG_OK) {
        err = isolation_answer(s->core, s->request->isolation, s->answer);
    }
    if (err == AG_OK) {
        err = lead_answer(s->request, s->promises->proxied, s->answer);
    }
    return err == AG_OK ? promise_spill_key(s->core, s->answer) : err;
}

static enum ag_err
run_it(struct starting *s)
{
    struct running *task = calloc(1, sizeof(*task));
    enum ag_err err = AG_OK;

    if (task == NULL) {
        return AG_ENOMEM;
    }
    task->id = s->row.id;
    task->deadline_ms = s->row.deadline_ms;
    task->attach_by_ms = clock_steady_ms() + TICKET_FIRST_USE_MS;
    task->delivery_count = s->promises->delivery_count;
    memcpy(task->deliveries, s->promises->deliveries, sizeof(task->deliveries));
    proxied_bind(s->promises->proxied, s->grant_ids);
    task->grants = grant_set_share(s->grants);
    task->proxied = proxied_share(s->promises->proxied);
    task->token_id = s->issued.token.id;
    err = running_add(s->core->running, task);
    free(task);
    if (err != AG_OK) {
        return err;
    }
    err = tree_add(s->core->tree, peer_facts(s->call->peer)->self, s->row.id);
    if (err == AG_OK) {
        err = answer(s);
    }
    if (err == AG_OK) {
        err = redaction_add_token(s->core, s->issued.token.id, s->issued.text);
    }
    if (err == AG_OK) {
        err = issue_live(s->core, &s->issued);
    }
    if (err != AG_OK) {
        running_remove(s->core->running, s->row.id);
        tree_remove(s->core->tree, s->row.id);
        tickets_drop_task(s->core->tickets, s->row.id);
    }
    return err;
}

enum ag_err
core_task_start(struct core *core, struct db_tx *tx, const struct call *call,
                const struct task_request *request, json_t **ret)
{
    AG_AUTO(starting)
    struct starting s = {
        .core = core, .tx = tx, .call = call, .request = request};
    enum ag_err err = promises_make(core, tx, call, request, &s.promises);

    if (err == AG_OK) {
        err = add_row(&s);
    }
    if (err == AG_OK) {
        err = add_grants(&s);
    }
    if (err == AG_OK) {
        err = add_token(&s);
    }
    if (err == AG_OK) {
        err = note_start(&s);
    }
    if (err == AG_OK) {
        err = lead_prepare(request, s.row.id, s.row.deadline_ms,
                           s.promises->proxied);
    }
    if (err == AG_OK) {
        err = run_it(&s);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(s.answer);
    }
    return err;
}

/* ---- the end ---- */

enum ag_err
core_end_task(struct core *core, struct db_tx *tx, int64_t id,
              enum end_reason reason, int64_t exit_code)
{
    int64_t hidden[RUNNING_HIDDEN_COUNT + 1];
    size_t hidden_count = 0;
    enum ag_err err = tasks_end(tx, id, reason, exit_code);

    if (err == AG_ECONFLICT || err == AG_ENOTFOUND) {
        return AG_OK;
    }
    if (err == AG_OK) {
        err = mints_end_task(core, tx, id);
    }
    if (err == AG_OK) {
        err = core_note(tx, NULL, AUDIT_TASK_ENDED, id, 0,
                        json_pack("{s:s, s:I, s:I}", "reason",
                                  end_reason_text(reason), "exit",
                                  (json_int_t)exit_code, "hits",
                                  (json_int_t)running_hits(core->running, id)));
    }
    if (err != AG_OK) {
        return err;
    }
    hidden_count = running_hidden(core->running, id, hidden);
    for (size_t i = 0; i < hidden_count; i++) {
        redaction_drop_token(core, hidden[i]);
    }
    live_revoke_task(core->live, id);
    tickets_drop_task(core->tickets, id);
    (void)running_tell(core->running, id, end_reason_text(reason));
    folds_write_task(core, id);
    return AG_OK;
}

enum ag_err
core_task_end(struct core *core, struct db_tx *tx, const struct call *call,
              const char *id)
{
    AG_AUTO(task_row) struct task_row row = {0};
    int64_t number = 0;
    enum ag_err err = core_parse_id(id, &number);

    if (err == AG_OK) {
        err = task_numbered(db_tx_read(tx), number, &row);
    }
    if (err != AG_OK) {
        return err;
    }
    if (row.ended_ms != 0) {
        return err_why(AG_ECONFLICT, "task %s has ended already", id);
    }
    err = core_note(tx, call, AUDIT_TOKEN_REVOKED, number, 0, json_object());
    return err == AG_OK ? core_end_task(core, tx, number, END_REVOKED, -1)
                        : err;
}
