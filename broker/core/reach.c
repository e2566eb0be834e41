#include "core/reach.h"

#include <stdio.h>

#include "core/permit_impl.h"
#include "core/proxied.h"
#include "core/state.h"
#include "tls/authority.h"

enum {
    PORT_HTTPS = 443,
};

const struct allow *
reach_allowed(const struct proxied *set, const struct guard_host *host,
              uint16_t port)
{
    for (size_t i = 0; i < set->allow_count; i++) {
        if (allow_covers(&set->allow[i], host, port)) {
            return &set->allow[i];
        }
    }
    return NULL;
}

/* ---- does a value go there? ---- */

const struct place *
reach_place(const struct proxied *set, struct span host, bool plain)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct place_list *list = &set->items[i].places.places;

        for (size_t k = 0; k < list->count; k++) {
            if (list->items[k].plain == plain &&
                place_covers(&list->items[k], host)) {
                return &list->items[k];
            }
        }
    }
    return NULL;
}

/* ---- the record ---- */

struct noting {
    struct core_job job;
    const struct call *call;
    enum audit_kind kind;
    enum ag_err why;
    const char *host;
    enum fold_row row;
};

static enum ag_err
run_noting(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct noting *n = (const struct noting *)job;
    int64_t task_id = n->call->who == CALLER_TASK ? n->call->task_id : 0;

    (void)core;
    return core_note(tx, n->call, n->kind, task_id, 0,
                     n->why == AG_OK
                         ? json_pack("{s:s, s:s*}", "host", n->host, "more",
                                     permit_more(n->row))
                         : json_pack("{s:s, s:s, s:s*}", "code",
                                     err_code(n->why), "service", n->host,
                                     "more", permit_more(n->row)));
}

static enum ag_err
note(struct core *core, struct noting *n)
{
    n->job.run = run_noting;
    return core_write_wait(core, &n->job);
}

static enum ag_err
refuse(struct core *core, const struct call *call, const char *host,
       enum ag_err why)
{
    char text[STORE_WHY_BYTES];
    struct noting n = {
        .call = call, .kind = AUDIT_POLICY_DENIED, .why = why, .host = host};
    enum ag_err err;

    (void)snprintf(text, sizeof(text), "%s", err_text(why));
    err = permit_toll(core, call, why, span_str(host), &n.row);
    if (err != AG_OK) {
        return err;
    }
    /* Without a record it is refused all the same. */
    (void)!note(core, &n);
    return err_why(why, "%s", text);
}

/* ---- the decision ---- */

void
reach_done(struct reach *reach)
{
    leaf_release(AG_TAKE(reach->leaf));
}

static enum ag_err
look(struct core *core, const struct call *call, const struct guard_host *host,
     uint16_t port, struct reach *ret)
{
    AG_AUTO(proxied) struct proxied *set = NULL;
    char text[GUARD_AUTHORITY_BYTES];
    const struct allow *allow = NULL;
    enum ag_err err = core_need_open(core);

    if (err == AG_OK && call->who != CALLER_TASK) {
        err = err_why(AG_EDENIED,
                      "the proxy serves the processes of a task; "
                      "a caller of class %s has none",
                      caller_class_name(call->who));
    }
    if (err == AG_OK) {
        err = running_proxied(core->running, call->task_id, &set);
    }
    if (err != AG_OK) {
        return err;
    }
    guard_write_authority(host, port, PORT_HTTPS, text);
    *ret = (struct reach){.how = REACH_INTERCEPT, .task_id = call->task_id};
    if (reach_place(set, span_str(text), false) != NULL) {
        return set->authority != NULL
                   ? authority_leaf(set->authority, host->text, &ret->leaf)
                   : err_why(AG_ENOTALLOWED,
                             "requests to %s go to the address that url-env "
                             "gave",
                             text);
    }
    allow = reach_allowed(set, host, port);
    if (allow == NULL) {
        proxied_turn_away(set, text);
        return err_why(AG_ENOTALLOWED,
                       "this task may not reach %s; to let it: run --allow %s",
                       text, text);
    }
    ret->how = REACH_TUNNEL;
    ret->inner = allow->inner;
    ret->any_protocol = allow_any_protocol(allow);
    return AG_OK;
}

enum ag_err
reach_decide(struct core *core, const struct call *call,
             const struct guard_host *host, uint16_t port, struct reach *ret)
{
    char text[GUARD_AUTHORITY_BYTES];
    struct noting n = {.call = call, .kind = AUDIT_TUNNEL_OPENED, .host = text};
    AG_AUTO(reach) struct reach found = {0};
    enum ag_err err = look(core, call, host, port, &found);

    guard_write_authority(host, port, PORT_HTTPS, text);
    if (err != AG_OK) {
        return refuse(core, call, text, err);
    }
    if (found.how == REACH_TUNNEL) {
        n.row = core_fold(core, call, FOLD_TUNNEL, text);
        err = n.row != FOLD_COUNTED ? note(core, &n) : AG_OK;
    }
    if (err == AG_OK) {
        core_used(core);
        *ret = found;
        found.leaf = NULL;
    }
    return err;
}

enum ag_err
reach_refuse(struct core *core, const struct call *call,
             const struct guard_host *host, uint16_t port, enum ag_err why)
{
    char text[GUARD_AUTHORITY_BYTES];

    guard_write_authority(host, port, PORT_HTTPS, text);
    return refuse(core, call, text, why);
}
