#include "core/places.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "core/detail.h"
#include "core/state.h"
#include "core/tasks.h"
#include "core/trust.h"
#include "core/values.h"

enum {
    HOST_TEXT_BYTES = 320,
    PATH_TEXT_BYTES = 512,
};

/* ---- sealing ---- */

enum ag_err
places_seal(const struct profile *profile, json_t *detail)
{
    json_t *list = NULL;
    enum ag_err err = places_of_profile(profile, &list);

    if (err != AG_OK) {
        return err;
    }
    if (json_object_set_new(detail, "places", list) != 0) {
        return AG_ENOMEM;
    }
    if (profile->refresh == NULL) {
        (void)json_object_del(detail, "refresh");
        return AG_OK;
    }
    return json_object_set_new(detail, "refresh",
                               json_string(profile->refresh->url)) == 0
               ? AG_OK
               : AG_ENOMEM;
}

enum ag_err
places_seal_row(const struct profile *profile, struct secret_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err == AG_OK) {
        err = places_seal(profile, detail);
    }
    return err == AG_OK ? detail_set_secret(row, detail) : err;
}

enum ag_err
places_sealed(const struct secret_row *row, struct places *ret)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    return err == AG_OK ? places_read(detail, ret) : err;
}

/* ---- the operator's own words ---- */

struct wanted {
    char host[HOST_TEXT_BYTES];
    char path[PATH_TEXT_BYTES]; /* a pattern, or "" */
    bool plain;
};

static const char *
behind_scheme(const char *url, bool *ret_plain)
{
    *ret_plain = strncmp(url, "http://", 7) == 0;
    if (*ret_plain) {
        return url + 7;
    }
    return strncmp(url, "https://", 8) == 0 ? url + 8 : "";
}

/* http[s]://HOST[:PORT][/PATH], nothing else. */
static enum ag_err
read_url(const char *url, struct wanted *ret)
{
    const char *rest = behind_scheme(url, &ret->plain);
    size_t len = strcspn(rest, "/?#@");
    size_t path_len = strlen(rest + len);

    if (len == 0 || len >= sizeof(ret->host) ||
        path_len + 3 > sizeof(ret->path) ||
        strcspn(rest + len, "?#@*") != path_len) {
        return err_why(AG_EINVAL, "upstream: needs https://HOST[:PORT][/PATH]");
    }
    for (size_t i = 0; i < len; i++) {
        ret->host[i] =
            (char)(rest[i] >= 'A' && rest[i] <= 'Z' ? rest[i] | 0x20 : rest[i]);
    }
    while (path_len > 0 && rest[len + path_len - 1] == '/') {
        path_len--;
    }
    if (path_len > 0) {
        (void)snprintf(ret->path, sizeof(ret->path), "%.*s/*", (int)path_len,
                       rest + len);
    }
    return AG_OK;
}

/* Where in a request a wish puts the value; no name is the usual header's. */
struct spot {
    const char *in;
    const char *name;
};

static struct spot
spot_of(const struct task_proxy_request *wish)
{
    if (wish->query != NULL) {
        return (struct spot){"query", wish->query};
    }
    if (wish->basic != NULL) {
        return (struct spot){"basic", wish->basic};
    }
    if (wish->json != NULL) {
        return (struct spot){"field", wish->json};
    }
    return (struct spot){"header", wish->header};
}

/* The place that a wish describes. */
static enum ag_err
describe(const struct task_proxy_request *wish, const char *field,
         const struct wanted *to, json_t **ret)
{
    struct spot spot = spot_of(wish);
    const char *name = spot.name != NULL ? spot.name : "Authorization";
    const char *bare = spot.name != NULL ? "{}" : "Bearer {}";
    const char *format = wish->format != NULL ? wish->format : bare;
    json_t *item = json_pack(
        "{s:[s], s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:[s*]}", "hosts", to->host,
        "field", field, "in", spot.in, "name", name, "format", format, "inner",
        (int)wish->inner, "plain", (int)to->plain, "optional",
        (int)wish->optional, "paths", to->path[0] != '\0' ? to->path : NULL);

    if (item == NULL) {
        return AG_ENOMEM;
    }
    *ret = item;
    return AG_OK;
}

/* The index of the place among them, or their count. */
static size_t
index_of(const struct places *sealed, const struct place *place)
{
    size_t i = 0;

    while (i < sealed->places.count &&
           !place_equal(&sealed->places.items[i], place)) {
        i++;
    }
    return i;
}

/* The place that a wish describes, as it is sealed: `*ret` holds it alone. */
static enum ag_err
described(const json_t *item, struct places *ret)
{
    AG_AUTO(wjson) json_t *detail = json_pack("{s:[O]}", "places", item);

    return detail != NULL ? places_read(detail, ret) : AG_ENOMEM;
}

static enum ag_err
describe_wish(const struct task_proxy_request *wish, const char *field,
              struct wanted *to, json_t **item, struct places *ret)
{
    enum ag_err err = read_url(wish->upstream, to);

    if (err == AG_OK) {
        err = describe(wish, field, to, item);
    }
    return err == AG_OK ? described(*item, ret) : err;
}

static enum ag_err
keep_described(const struct task_proxy_request *wish, const char *field,
               struct places *places)
{
    AG_AUTO(wjson) json_t *item = NULL;
    AG_AUTO(places) struct places place = {0};
    struct wanted to = {0};
    enum ag_err err = describe_wish(wish, field, &to, &item, &place);

    if (err == AG_OK) {
        places_keep(places, index_of(places, &place.places.items[0]));
    }
    return err;
}

static const struct place *
first_of_field(const struct places *places, const char *field,
               size_t *ret_count)
{
    const struct place *first = NULL;

    *ret_count = 0;
    for (size_t i = places->places.count; i-- > 0;) {
        if (strcmp(places->places.items[i].field, field) == 0) {
            first = &places->places.items[i];
            (*ret_count)++;
        }
    }
    return first;
}

static bool
any_of_profile(const struct places *places)
{
    for (size_t i = 0; i < places->places.count; i++) {
        if (places->places.items[i].service != NULL) {
            return true;
        }
    }
    return false;
}

enum ag_err
places_wished(const struct task_proxy_request *wish, const char *field,
              struct places *places, const struct place **ret)
{
    bool by_profile = wish->upstream == NULL && any_of_profile(places);
    const struct place *place = NULL;
    size_t count = 0;
    enum ag_err err =
        wish->upstream != NULL ? keep_described(wish, field, places) : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    if (by_profile) {
        places_keep_profile(places);
    }
    place = first_of_field(places, field, &count);
    if (place == NULL) {
        return err_why(AG_EINVAL,
                       "%s goes nowhere; say where: upstream=https://HOST",
                       wish->ref);
    }
    if (!by_profile && count > 1) {
        return err_why(AG_EINVAL,
                       "%s goes to several places; say which: "
                       "upstream=https://HOST",
                       wish->ref);
    }
    if (!by_profile) {
        places_keep(places, (size_t)(place - places->places.items));
        place = &places->places.items[0];
    }
    *ret = place;
    return AG_OK;
}

/* ---- widening ---- */

static enum ag_err
need_proof(const struct call *call, const struct secret_row *row,
           const char *where)
{
    return call->who == CALLER_PROOF
               ? AG_OK
               : err_why(AG_EPROOF,
                         "%s has never gone to %s; that it may is your word, "
                         "with the passphrase",
                         row->name, where);
}

static enum ag_err
keep(struct db_tx *tx, const struct call *call, struct secret_row *row,
     json_t *detail, const char *where)
{
    struct places checked = {0};
    enum ag_err err = places_read(detail, &checked);

    places_done(&checked);
    if (err == AG_OK) {
        err = detail_set_secret(row, detail);
    }
    if (err == AG_OK) {
        err = secrets_update(tx, row);
    }
    return err == AG_OK ? core_note(tx, call, AUDIT_SECRET_PATCHED, 0, row->id,
                                    json_pack("{s:s, s:s}", "name", row->name,
                                              "place", where))
                        : err;
}

static enum ag_err
widen_by_url(struct db_tx *tx, const struct call *call,
             const struct task_proxy_request *wish, const char *field,
             struct secret_row *row)
{
    struct wanted to = {0};
    AG_AUTO(wjson) json_t *detail = NULL;
    AG_AUTO(wjson) json_t *item = NULL;
    AG_AUTO(places) struct places sealed = {0};
    AG_AUTO(places) struct places place = {0};
    json_t *list = NULL;
    enum ag_err err = describe_wish(wish, field, &to, &item, &place);

    if (err == AG_OK) {
        err = detail_of_secret(row, &detail);
    }
    if (err == AG_OK) {
        err = places_read(detail, &sealed);
    }
    if (err != AG_OK) {
        return err;
    }
    if (index_of(&sealed, &place.places.items[0]) < sealed.places.count) {
        return AG_OK;
    }
    list = json_object_get(detail, "places");
    if (list == NULL) {
        list = json_array();
        if (json_object_set_new(detail, "places", list) != 0) {
            return AG_ENOMEM;
        }
    }
    err = need_proof(call, row, to.host);
    if (err != AG_OK) {
        return err;
    }
    return json_array_append(list, item) == 0
               ? keep(tx, call, row, detail, to.host)
               : AG_ENOMEM;
}

/* Where `fresh` leads and `sealed` does not, or NULL; a refresh is a place too. */
static const char *
widened(const struct places *sealed, const struct places *fresh)
{
    for (size_t i = 0; i < fresh->places.count; i++) {
        const struct place *place = &fresh->places.items[i];

        if (index_of(sealed, place) == sealed->places.count) {
            return place->hosts.items[0];
        }
    }
    return fresh->refresh == NULL ||
                   (sealed->refresh != NULL &&
                    strcmp(sealed->refresh, fresh->refresh) == 0)
               ? NULL
               : fresh->refresh;
}

/* What the operator's own words opened is kept beside the profile's. */
static enum ag_err
add_own(json_t *before, json_t *list)
{
    json_t *each = NULL;
    size_t i = 0;

    json_array_foreach(before, i, each)
    {
        if (json_object_get(each, "service") == NULL &&
            json_array_append(list, each) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

enum ag_err
places_reseal(const struct call *call, const struct profile *profile,
              struct secret_row *row)
{
    AG_AUTO(places) struct places sealed = {0};
    AG_AUTO(places) struct places fresh = {0};
    AG_AUTO(wjson) json_t *detail = NULL;
    AG_AUTO(wjson) json_t *before = NULL;
    const char *wider = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err == AG_OK) {
        err = places_read(detail, &sealed);
    }
    if (err == AG_OK) {
        before = json_incref(json_object_get(detail, "places"));
        err = places_seal(profile, detail);
    }
    if (err == AG_OK) {
        err = places_read(detail, &fresh);
    }
    if (err != AG_OK) {
        return err;
    }
    wider = widened(&sealed, &fresh);
    err = wider != NULL ? need_proof(call, row, wider) : AG_OK;
    if (err == AG_OK) {
        err = add_own(before, json_object_get(detail, "places"));
    }
    return err == AG_OK ? detail_set_secret(row, detail) : err;
}

enum ag_err
places_of(struct db_tx *tx, const struct call *call,
          const struct profile *profile, struct secret_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err != AG_OK || json_object_get(detail, "places") != NULL) {
        return err;
    }
    err = need_proof(call, row, profile->name);
    if (err == AG_OK) {
        err = places_seal(profile, detail);
    }
    return err == AG_OK ? keep(tx, call, row, detail, profile->name) : err;
}

/* A secret from before places were sealed. */
static enum ag_err
widen_by_profile(struct core *core, struct db_tx *tx, const struct call *call,
                 struct secret_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const struct profile *profile = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err != AG_OK || json_object_get(detail, "places") != NULL) {
        return err;
    }
    if (row->profile[0] == '\0') {
        return err_why(AG_EINVAL,
                       "%s goes nowhere yet; say where: upstream=https://HOST",
                       row->name);
    }
    err = trust_find(core, db_tx_read(tx), row->profile, &profile);
    return err == AG_OK ? places_of(tx, call, profile, row) : err;
}

static enum ag_err
widen_one(struct core *core, struct db_tx *tx, const struct call *call,
          const struct task_proxy_request *wish)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct reference ref = {0};
    char field[GRANT_FIELD_BYTES];
    enum ag_err err = parse_reference(span_str(wish->ref), &ref);

    if (err == AG_OK && ref.pointer.len >= sizeof(field)) {
        err = err_why(AG_EINVAL, "the field in '%.80s' is too long", wish->ref);
    }
    if (err == AG_OK) {
        err = secret_named(db_tx_read(tx), ref.name, &row);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(field, sizeof(field), "%.*s", (int)ref.pointer.len,
                   (const char *)ref.pointer.ptr);
    return wish->upstream != NULL ? widen_by_url(tx, call, wish, field, &row)
                                  : widen_by_profile(core, tx, call, &row);
}

enum ag_err
places_widen(struct core *core, struct db_tx *tx, const struct call *call,
             const struct task_request *task)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < task->proxy_count && err == AG_OK; i++) {
        err = widen_one(core, tx, call, &task->proxies[i]);
    }
    return err;
}
