#include "core/preview.h"

#include "core/call.h"
#include "core/isolation.h"
#include "core/promise.h"
#include "core/proxied.h"
#include "core/state.h"
#include "policy/places.h"
#include "store/tasks.h"

/* ---- what was decided, as data ---- */

static enum ag_err
append(json_t *list, json_t *item)
{
    return json_array_append_new(list, item) == 0 ? AG_OK : AG_ENOMEM;
}

static enum ag_err
values_of(const struct promises *p, json_t *list)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < p->delivery_count && err == AG_OK; i++) {
        json_t *item = json_copy(p->described[i]);
        const char *secret = json_string_value(json_object_get(item, "secret"));
        json_t *best =
            secret != NULL ? json_object_get(p->downgraded, secret) : NULL;

        if (best != NULL && json_object_set(item, "instead_of", best) != 0) {
            json_decref(item);
            return AG_ENOMEM;
        }
        err = append(list, item);
    }
    return err;
}

static enum ag_err
grants_of(const struct promises *p, json_t *list)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < p->grant_count && err == AG_OK; i++) {
        err = append(list,
                     json_pack("{s:s, s:s, s:s}", "secret", p->grants[i].secret,
                               "field", p->grants[i].field, "verb",
                               verb_text(p->grants[i].verb)));
    }
    return err;
}

static const char *
in_text(enum place_in in)
{
    switch (in) {
    case PLACE_HEADER:
        return "header";
    case PLACE_BASIC:
        return "basic";
    case PLACE_QUERY:
        return "query";
    case PLACE_FIELD:
        return "json";
    }
    return "";
}

static enum ag_err
places_list(const struct proxied *set, json_t *list)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < set->count; i++) {
        const struct place_list *places = &set->items[i].places.places;

        for (size_t k = 0; k < places->count && err == AG_OK; k++) {
            const struct place *place = &places->items[k];

            err = append(
                list,
                json_pack(
                    "{s:s, s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:b}", "secret",
                    set->items[i].name, "hosts", places_texts(&place->hosts),
                    "paths", places_texts(&place->paths), "methods",
                    places_texts(&place->methods), "in", in_text(place->in),
                    "name", place->name, "inner", (int)place->inner, "plain",
                    (int)place->plain, "optional", (int)place->optional));
        }
    }
    return err;
}

static enum ag_err
allow_of(const struct task_request *request, json_t *list)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < request->allow_count && err == AG_OK; i++) {
        err = append(list, json_string(request->allow[i]));
    }
    return err;
}

static enum ag_err
describe(const struct promises *p, const struct task_request *request,
         bool passphrase, json_t **ret)
{
    AG_AUTO(task_row) struct task_row row = {0};
    AG_AUTO(wjson)
    json_t *answer =
        json_pack("{s:b, s:[], s:[], s:[], s:O, s:O, s:[]}", "passphrase",
                  (int)passphrase, "values", "grants", "places", "urls",
                  p->urls, "args", p->args, "allow");
    enum ag_err err = answer != NULL ? AG_OK : AG_ENOMEM;

    if (err == AG_OK) {
        err = values_of(p, json_object_get(answer, "values"));
    }
    if (err == AG_OK) {
        err = grants_of(p, json_object_get(answer, "grants"));
    }
    if (err == AG_OK) {
        err = places_list(p->proxied, json_object_get(answer, "places"));
    }
    if (err == AG_OK) {
        err = allow_of(request, json_object_get(answer, "allow"));
    }
    if (err == AG_OK) {
        err = isolation_keep(request->isolation, &row);
    }
    if (err == AG_OK) {
        err = isolation_show(&row, answer);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- */

static enum ag_err
decide(struct core *core, struct db_tx *tx, const struct call *call,
       const struct task_request *request, json_t **ret)
{
    AG_AUTO(promises) struct promises *p = NULL;
    struct call word = *call;
    enum ag_err err = promises_make(core, tx, call, request, &p);
    bool costs = err == AG_EPROOF && call->who == CALLER_OPERATOR;

    if (costs) {
        word.who = CALLER_PROOF; /* as if it were given: nothing stays */
        err = promises_make(core, tx, &word, request, &p);
    }
    return err == AG_OK ? describe(p, request, costs, ret) : err;
}

enum ag_err
core_task_preview(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct task_request *request, json_t **ret)
{
    enum ag_err err = decide(core, tx, call, request, ret);

    db_tx_discard(tx);
    return err;
}
