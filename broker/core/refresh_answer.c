/* The login of a task's, and the broker's answer in the service's stead. */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "core/detail.h"
#include "core/proxied.h"
#include "core/refresh_impl.h"
#include "core/running.h"
#include "core/state.h"
#include "core/values.h"
#include "profile/fields.h"
#include "profile/placeholder.h"
#include "wire/emit.h"

enum {
    EXPIRES_MIN_S = 60, /* of an answer: no tool is to ask again at once */
    EXPIRES_UNKNOWN_S = 3600,
    PORT_HTTPS = 443,
};

/* ---- which login ---- */

int64_t
refresh_of_service(struct core *core, int64_t task_id, struct span service)
{
    AG_AUTO(proxied) struct proxied *set = NULL;
    char host[GUARD_AUTHORITY_BYTES];

    if (running_proxied(core->running, task_id, &set) != AG_OK) {
        return 0;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].places.refresh != NULL &&
            places_serve(&set->items[i].places, service, host) != NULL) {
            return set->items[i].secret_id;
        }
    }
    return 0;
}

int64_t
refresh_at(struct core *core, int64_t task_id, struct span authority,
           struct span path)
{
    AG_AUTO(proxied) struct proxied *set = NULL;
    struct oauth2_url url = {0};
    char key[GUARD_AUTHORITY_BYTES];

    if (running_proxied(core->running, task_id, &set) != AG_OK ||
        guard_authority_key(authority, PORT_HTTPS, key) != AG_OK) {
        return 0;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].places.refresh != NULL &&
            oauth2_url_read(set->items[i].places.refresh, &url) == AG_OK &&
            span_is(url.authority, key) && span_equal(url.path, path)) {
            return set->items[i].secret_id;
        }
    }
    return 0;
}

/* ---- the task's placeholders ---- */

struct answering {
    struct core *core;
    int64_t task_id;
    struct secret_row row;
    const struct profile *profile;
    const struct profile_file *file;
    const struct profile_refresh *way;
    enum file_format format;
    struct secret *content;
    struct secret *key;  /* of placeholders */
    struct buf document; /* the whole with placeholders, once made */
};

static void
answering_done(struct answering *a)
{
    secret_row_done(&a->row);
    secret_free(a->content);
    secret_free(a->key);
    buf_done(&a->document);
}

AG_DEFINE_CLEANUP_INPLACE(answering, answering_done)

static enum ag_err
open_login(struct core *core, int64_t task_id, int64_t secret_id,
           struct answering *a)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    enum ag_err err = core_need_open(core);

    a->core = core;
    a->task_id = task_id;
    buf_init(&a->document, PLACEHOLDER_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = keyring_key(core->keyring, KDF_PLACEHOLDER, &a->key);
    }
    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err == AG_OK) {
        err = secrets_get(r, secret_id, &a->row);
    }
    if (err == AG_OK) {
        err = versions_value(r, secret_id, 0, NULL, &a->content);
    }
    if (err != AG_OK) {
        return err;
    }
    a->profile = value_profile(core, &a->row, &a->file);
    a->way = login_way(core, &a->row, &a->format);
    return a->way != NULL && a->profile != NULL ? AG_OK : AG_ENOTFOUND;
}

/* The delivery of this field alone, or of the whole; the former wins. */
static bool
find_delivery(const struct answering *a, const char *field, size_t *ret)
{
    struct delivery delivery = {0};
    bool found = false;

    for (size_t i = 0;
         running_delivery(a->core->running, a->task_id, i, &delivery) == AG_OK;
         i++) {
        bool mine =
            delivery.verb == VERB_PROXY && delivery.secret_id == a->row.id;

        if (mine && strcmp(delivery.field, field) == 0) {
            *ret = i;
            return true;
        }
        if (mine && delivery.field[0] == '\0' && !found) {
            *ret = i;
            found = true;
        }
    }
    return found;
}

/* Of a whole file: what stands in that field of the file as the task has it. */
static enum ag_err
of_document(struct answering *a, uint64_t id, const char *field,
            struct secret **ret)
{
    const struct placeholder_want want = {
        .key = a->key,
        .id = id,
        .profiles = a->core->parts.profiles,
        .profile = a->file != NULL ? a->profile : NULL,
        .file_index =
            a->file != NULL ? (size_t)(a->file - a->profile->files.items) : 0};
    enum ag_err err = AG_OK;

    if (a->document.len == 0) {
        err =
            placeholder_document(&want, secret_view(a->content), &a->document);
    }
    return err == AG_OK ? field_get(buf_view(&a->document), a->format,
                                    span_str(field), ret)
                        : err;
}

static enum ag_err
of_field(struct answering *a, uint64_t id, const char *field,
         struct secret **ret)
{
    AG_AUTO(secret) struct secret *real = NULL;
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err =
        field_get(secret_view(a->content), a->format, span_str(field), &real);

    buf_init(&text, PLACEHOLDER_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = placeholder_make(a->key, id,
                               placeholder_shape(a->core->parts.profiles,
                                                 a->profile, field,
                                                 secret_view(real)),
                               secret_view(real), &text);
    }
    return err == AG_OK ? secret_from(buf_view(&text), ret) : err;
}

/* AG_ENOTFOUND: the task has none for it. */
static enum ag_err
placeholder_of(struct answering *a, const char *field, struct secret **ret)
{
    struct delivery delivery = {0};
    size_t index = 0;
    uint64_t id = 0;
    enum ag_err err = find_delivery(a, field, &index)
                          ? proxied_id(a->task_id, index, &id)
                          : AG_ENOTFOUND;

    if (err == AG_OK) {
        err = running_delivery(a->core->running, a->task_id, index, &delivery);
    }
    if (err != AG_OK) {
        return err;
    }
    return delivery.field[0] == '\0' ? of_document(a, id, field, ret)
                                     : of_field(a, id, field, ret);
}

static int64_t
expires_in(const struct answering *a)
{
    const struct oauth2_login login = {a->way, a->format,
                                       secret_view(a->content)};
    int64_t ms = 0;
    int64_t left_s = EXPIRES_UNKNOWN_S;

    if (oauth2_expiry(&login, &ms) == AG_OK) {
        left_s = (ms - clock_wall_ms()) / 1000;
    }
    return left_s > EXPIRES_MIN_S ? left_s : EXPIRES_MIN_S;
}

enum ag_err
refresh_answer(struct core *core, int64_t task_id, int64_t secret_id,
               struct buf *out)
{
    AG_AUTO(answering) struct answering a = {0};
    struct emit e;
    enum ag_err err = open_login(core, task_id, secret_id, &a);

    if (err != AG_OK) {
        return err;
    }
    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    for (size_t i = 0; err == AG_OK && i < a.way->replaces.count; i++) {
        AG_AUTO(secret) struct secret *text = NULL;

        err = placeholder_of(&a, a.way->replaces.items[i].field, &text);
        if (err == AG_OK) {
            emit_span(&e, a.way->replaces.items[i].member, secret_view(text));
        } else if (err == AG_ENOTFOUND || err == AG_EUNSUPPORTED) {
            err = AG_OK;
        }
    }
    emit_str(&e, "token_type", "Bearer");
    emit_int(&e, "expires_in", expires_in(&a));
    emit_close(&e, '}');
    return err == AG_OK ? emit_end(&e) : err;
}

enum ag_err
refresh_denial(struct core *core, int64_t secret_id, struct buf *out)
{
    AG_AUTO(answering) struct answering a = {0};
    AG_AUTO(wjson) json_t *detail = NULL;
    const char *code = "invalid_grant";
    struct emit e;
    enum ag_err err = open_login(core, 0, secret_id, &a);

    if (err == AG_OK) {
        err = detail_of_secret(&a.row, &detail);
    }
    if (err != AG_OK) {
        return err;
    }
    /* In words that its tool knows. */
    if (refresh_is_needed(&a.row, detail, &code) &&
        strcmp(code, OAUTH2_UNUSABLE) == 0) {
        code = a.way->permanent.count > 0 ? a.way->permanent.items[0]
                                          : "invalid_grant";
    }
    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "error", code);
    emit_str(&e, "error_description",
             "the service refused this login for good; log in anew with its "
             "tool outside of a task, then: auth-guard adopt");
    emit_close(&e, '}');
    return emit_end(&e);
}
