#include "core/permit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/secret.h"
#include "core/permit_find.h"
#include "core/permit_impl.h"
#include "core/proxied.h"
#include "core/state.h"
#include "core/values.h"

void
permit_done(struct permit *permit)
{
    for (size_t i = 0; i < permit->edit_count; i++) {
        secret_free(permit->edits[i].text);
    }
    free(AG_TAKE(permit->edits));
    permit->edit_count = 0;
    matcher_unref(AG_TAKE(permit->filter));
    permit_meter_free(AG_TAKE(permit->meter));
}

/* ---- which host ---- */

static enum ag_err
find_host(struct proxied *set, struct deciding *d)
{
    if (d->ask->via != REQUEST_REVERSE) {
        return permit_host(set, d);
    }
    for (size_t i = 0; i < set->count; i++) {
        d->place =
            places_serve(&set->items[i].places, d->ask->service, d->host_text);
        if (d->place != NULL) {
            d->host = span_str(d->host_text);
            return AG_OK;
        }
    }
    return err_why(AG_ESERVICE, "this task may call no service '%.*s'",
                   (int)d->ask->service.len, (const char *)d->ask->service.ptr);
}

/* "host:8080" apart; "[::1]" keeps its brackets. */
static enum ag_err
split_host(const struct deciding *d, struct permit *ret)
{
    struct span host = d->host;
    size_t at = host.len;
    uint64_t port = 0;
    enum ag_err err = AG_OK;

    while (at > 0 && host.ptr[at - 1] >= '0' && host.ptr[at - 1] <= '9') {
        at--;
    }
    if (at > 1 && at < host.len && host.ptr[at - 1] == ':') {
        err = parse_u64(span_sub(host, at, host.len), UINT16_MAX, &port);
        host = span_sub(host, 0, at - 1);
    }
    if (err != AG_OK || host.len >= sizeof(ret->host)) {
        return err_why(AG_EINVAL, "the service's host has no such port");
    }
    (void)snprintf(ret->host, sizeof(ret->host), "%.*s", (int)host.len,
                   (const char *)host.ptr);
    ret->port = (uint16_t)port;
    ret->inner = d->place->inner;
    ret->plain = d->place->plain;
    return AG_OK;
}

/* ---- which values, and where ---- */

/* Is this placeholder one of the item's own, for that field? Deliveries of
 * other verbs have none: that one is a second belt. */
static bool
is_for(struct core *core, int64_t task_id, uint64_t id,
       const struct proxied_item *item, const char *field)
{
    struct delivery delivery = {0};

    return proxied_id_task(id) == task_id &&
           running_part(core->running, task_id, proxied_id_delivery(id),
                        proxied_id_part(id), &delivery) == AG_OK &&
           delivery.verb == VERB_PROXY &&
           delivery.secret_id == item->secret_id &&
           strcmp(delivery.field, field) == 0;
}

static void
mark(struct finds *finds, uint64_t id, size_t where)
{
    for (size_t i = 0; i < finds->count; i++) {
        if (finds->items[i].id == id && finds->items[i].where == where) {
            finds->items[i].used++;
        }
    }
}

static size_t
where_of(const struct place *place, const struct request_found *found)
{
    return place->in == PLACE_QUERY   ? FIND_QUERY
           : place->in == PLACE_FIELD ? FIND_BODY
                                      : found->field;
}

/* The value that belongs at this place, if its placeholder stands there. */
static enum ag_err
take_place(struct core *core, struct deciding *d, struct proxied_item *item,
           const struct place *place)
{
    AG_AUTO(request_found) struct request_found found = {0};
    uint64_t id = 0;
    enum ag_err err = request_look(place, &d->request, &found);

    /* What is not there is an empty text, too: that is no placeholder. */
    if (err != AG_OK || !found.there) {
        return err;
    }
    err = finds_read(&d->finds, d->key, found.value, &id);
    if (err != AG_OK) {
        return err == AG_ENOTFOUND ? AG_OK : err;
    }
    if (!is_for(core, d->task_id, id, item, place->field)) {
        /* Left as a stray; another task's is one in any spelling. */
        return proxied_id_task(id) == d->task_id
                   ? AG_OK
                   : finds_note(&d->finds, id, where_of(place, &found));
    }
    if (d->settled &&
        (place->plain != d->place->plain || place->inner != d->place->inner)) {
        return err_why(AG_EPLACE, "two places of one request are reached in "
                                  "different ways");
    }
    d->place = place;
    d->settled = true;
    mark(&d->finds, id, where_of(place, &found));
    return permit_edit(core, d, item, place, &found);
}

static enum ag_err
take_item(struct core *core, struct deciding *d, struct proxied_item *item,
          enum ag_err *best)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < item->places.places.count && err == AG_OK; i++) {
        const struct place *place = &item->places.places.items[i];
        enum ag_err allowed = request_allows(place, &d->request);

        if (d->ask->via != REQUEST_REVERSE &&
            place->plain != (d->ask->via == REQUEST_PLAIN)) {
            continue;
        }
        /* Of all refusals the one that got farthest is told. */
        if (allowed == AG_OK || *best == AG_EHOST ||
            (*best == AG_EVERB && allowed == AG_EPATH)) {
            *best = allowed;
        }
        if (allowed == AG_OK) {
            d->place = d->allowed ? d->place : place;
            d->allowed = true;
            err = take_place(core, d, item, place);
        }
    }
    return err;
}

static const char *
refusal(enum ag_err err)
{
    return err == AG_EVERB   ? "no value may be used there with that method"
           : err == AG_EPATH ? "that path of the service may not be called"
                             : "no value of this task goes to that host";
}

static enum ag_err
take_all(struct core *core, struct deciding *d)
{
    enum ag_err best = AG_EHOST;
    enum ag_err err = AG_OK;

    if (d->open) {
        return AG_OK;
    }
    for (size_t i = 0; i < d->set->count && err == AG_OK; i++) {
        err = take_item(core, d, &d->set->items[i], &best);
    }
    if (err == AG_OK && best != AG_OK) {
        return err_why(best, "%s", refusal(best));
    }
    return err;
}

/* ---- placeholders where none belongs ---- */

static bool
item_goes_to(const struct proxied_item *item, struct span host)
{
    for (size_t i = 0; i < item->places.places.count; i++) {
        if (place_covers(&item->places.places.items[i], host)) {
            return true;
        }
    }
    return false;
}

static bool
goes_to(const struct proxied *set, int64_t secret_id, struct span host)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].secret_id == secret_id &&
            item_goes_to(&set->items[i], host)) {
            return true;
        }
    }
    return false;
}

/* Whose it is decides what it comes to; AG_OK: nobody's, a stranger's text. */
static enum ag_err
judge(struct core *core, struct deciding *d, uint64_t id)
{
    struct delivery delivery = {0};
    enum ag_err err = permit_owner(core, d->ask->call, id);

    if (err != AG_EPLACE || d->set == NULL) {
        return err;
    }
    if (running_delivery(core->running, d->task_id, proxied_id_delivery(id),
                         &delivery) == AG_OK &&
        !goes_to(d->set, delivery.secret_id, d->host)) {
        return AG_EHOST;
    }
    return AG_EPLACE;
}

/* A text tells of it, as an agent's transcript does; nobody tried to use it. */
static bool
is_history(const struct find *find, enum ag_err what)
{
    return what == AG_EENDED && find->where == FIND_BODY && !find->placed;
}

static enum ag_err
check_strays(struct core *core, struct deciding *d)
{
    enum ag_err worst = AG_OK;

    for (size_t i = 0; i < d->finds.count; i++) {
        enum ag_err err = d->finds.items[i].used >= d->finds.items[i].seen
                              ? AG_OK
                              : judge(core, d, d->finds.items[i].id);

        if (is_history(&d->finds.items[i], err)) {
            d->finds.items[i].history = true;
            continue;
        }
        if (err != AG_OK && (worst == AG_OK || worst == AG_EPLACE)) {
            worst = err;
            d->stray_id = d->finds.items[i].id;
        }
    }
    return worst;
}

/* ---- no placeholder at all ---- */

static const char *
where_text(const struct place *place)
{
    return place->in == PLACE_QUERY   ? "parameter"
           : place->in == PLACE_FIELD ? "JSON field"
                                      : "header";
}

/* Is there a place in the body that this request may use? */
static bool
may_be_in_body(const struct deciding *d)
{
    for (size_t i = 0; i < d->set->count; i++) {
        const struct place_list *list = &d->set->items[i].places.places;

        for (size_t k = 0; k < list->count; k++) {
            if (list->items[k].in == PLACE_FIELD &&
                request_allows(&list->items[k], &d->request) == AG_OK) {
                return true;
            }
        }
    }
    return false;
}

/* Without its value a request to a service of the task's does not go out,
 * unless one of the places it may use says so. */
static enum ag_err
check_missing(const struct deciding *d)
{
    if (d->open) {
        return AG_OK;
    }
    for (size_t i = 0; i < d->set->count; i++) {
        const struct place_list *list = &d->set->items[i].places.places;

        for (size_t k = 0; k < list->count; k++) {
            if (list->items[k].optional &&
                request_allows(&list->items[k], &d->request) == AG_OK) {
                return AG_OK;
            }
        }
    }
    if (d->place->in == PLACE_BASIC) {
        return err_why(AG_EMISSINGUSER,
                       "%.*s is called with basic authentication, the "
                       "placeholder as its password",
                       (int)d->host.len, (const char *)d->host.ptr);
    }
    return err_why(AG_EMISSING,
                   "%.*s is called with the placeholder in the %s %s, which "
                   "was not there",
                   (int)d->host.len, (const char *)d->host.ptr,
                   where_text(d->place), d->place->name);
}

/* ---- the whole ---- */

static enum ag_err
check_caller(const struct permit_ask *ask)
{
    if (ask->call->who != CALLER_TASK) {
        return err_why(AG_EDENIED,
                       "the proxy serves the processes of a task; "
                       "a caller of class %s has none",
                       caller_class_name(ask->call->who));
    }
    return ask->path_task_id != 0 && ask->path_task_id != ask->call->task_id
               ? err_why(AG_EPROCESS, "the path names another task")
               : AG_OK;
}

/* In the order of what a refusal may tell: first who asks. */
static enum ag_err
decide_values(struct core *core, struct deciding *d, struct permit *ret)
{
    enum ag_err err = check_caller(d->ask);

    if (err == AG_OK) {
        err = running_proxied(core->running, d->task_id, &d->set);
    }
    if (err == AG_OK) {
        err = find_host(d->set, d);
    }
    if (err == AG_OK) {
        d->request.host = d->host;
        err = request_check_path(d->request.path);
    }
    if (err == AG_OK) {
        err = take_all(core, d);
    }
    return err == AG_OK ? split_host(d, ret) : err;
}

static enum ag_err
decide(struct core *core, struct deciding *d, struct permit *ret)
{
    enum ag_err strays = AG_OK;
    enum ag_err err = finds_make(d->key, &d->request, &d->finds);

    if (err != AG_OK) {
        return err;
    }
    err = decide_values(core, d, ret);
    strays = check_strays(core, d);
    /* One's own at a place that was not even looked at. */
    if (strays == AG_EPLACE && err != AG_OK) {
        d->stray_id = 0;
        return err;
    }
    if (strays == AG_OK && err == AG_OK && d->used_count == 0) {
        ret->in_body = d->request.body_follows && may_be_in_body(d);
        return ret->in_body ? AG_OK : check_missing(d);
    }
    return strays != AG_OK ? strays : err;
}

bool
permit_stands(struct core *core, int64_t task_id)
{
    AG_AUTO(proxied) struct proxied *set = NULL;

    return core_need_open(core) == AG_OK &&
           running_proxied(core->running, task_id, &set) == AG_OK;
}

static void
deciding_done(struct deciding *d)
{
    proxied_release(d->set);
    secret_free(AG_TAKE(d->key));
}

AG_DEFINE_CLEANUP_INPLACE(deciding, deciding_done)

static enum ag_err
note_history(struct core *core, const struct deciding *d)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < d->finds.count; i++) {
        const struct find *find = &d->finds.items[i];

        if (find->history) {
            err = d->quick ? AG_EBLOCKS
                           : permit_history(core, d->ask->call, find->id);
        }
    }
    return err;
}

/* Nothing speaks against the use of a value that is to be made first. */
static enum ag_err
let_mint(struct core *core, const struct deciding *d, struct permit *ret)
{
    enum ag_err err = permit_may_use(core, d);

    if (err == AG_OK) {
        permit_done(ret); /* of others that it uses too */
        ret->mint_id = d->mint_id;
    }
    return err;
}

static enum ag_err
let_out(struct core *core, struct deciding *d, struct permit *ret)
{
    enum ag_err err = permit_filter(core, d);

    if (err == AG_OK) {
        err = permit_meter_new(d, &ret->meter);
    }
    if (err == AG_OK) {
        err = note_history(core, d);
    }
    return err == AG_OK ? permit_use(core, d) : err;
}

enum ag_err
permit_decide(struct core *core, const struct permit_ask *ask, bool quick,
              struct permit *ret)
{
    AG_AUTO(deciding)
    struct deciding d = {
        .ask = ask,
        .request = ask->request,
        .task_id = ask->call->task_id,
        .quick = quick,
        .finds = {.recent = core->recent, .keyring = core_keyring_number(core)},
        .permit = ret};
    enum ag_err err = core_need_open(core);

    ret->task_id = d.task_id;
    ret->in_body = false;
    ret->mint_id = 0;
    if (err == AG_OK) {
        err = core_key(core, KDF_PLACEHOLDER, &d.key);
    }
    if (err == AG_OK) {
        err = decide(core, &d, ret);
    }
    if (err == AG_OK && ret->in_body) {
        return AG_OK;
    }
    if (err == AG_OK) {
        err = d.mint_id != 0 ? let_mint(core, &d, ret) : let_out(core, &d, ret);
    }
    if (err != AG_OK && quick) {
        err = AG_EBLOCKS; /* a refusal is on the record: that waits */
    } else if (err != AG_OK) {
        err = permit_refuse(core, &d, err);
    }
    if (err != AG_OK) {
        permit_done(ret);
    }
    return err;
}
