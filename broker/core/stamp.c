#include "core/stamp.h"

#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "core/parts.h"
#include "core/proxied.h"
#include "core/state.h"
#include "core/values.h"
#include "profile/placeholder.h"

/* ---- out ---- */

/* What placeholders are made under. */
struct stamping {
    struct core *core;
    const struct stamp *stamp;
    const struct secret_row *row;
    const struct secret *key;
    uint64_t id;
};

static enum ag_err
make_one(const struct stamping *s, struct span real, struct buf *out)
{
    const char *field = s->stamp->delivery->field;
    const struct profile_shape *shape =
        placeholder_shape(s->core->parts.profiles,
                          value_profile(s->core, s->row, NULL), field, real);

    return placeholder_make(s->key, s->id, shape, real, out);
}

static enum ag_err
note_field(void *arg, const struct placeholder_field *field)
{
    struct parts *parts = arg;

    if (field->dummy || field->partial) {
        return err_why(AG_EUNSUPPORTED,
                       "%s: there is no placeholder of this value",
                       field->pointer);
    }
    return parts_add(parts, field->pointer);
}

static enum ag_err
make_document(const struct stamping *s, struct span real, struct buf *out)
{
    AG_AUTO(parts) struct parts *parts = NULL;
    enum ag_err err = parts_new(&parts);
    const struct placeholder_want want = {
        .key = s->key,
        .id = s->id,
        .profiles = s->core->parts.profiles,
        .profile = s->stamp->delivery->profile,
        .file_index = s->stamp->delivery->file_index,
        .each = note_field,
        .arg = parts};

    if (err == AG_OK) {
        err = placeholder_document(&want, real, out);
    }
    return err == AG_OK ? running_set_parts(s->core->running, s->stamp->task_id,
                                            s->stamp->index, AG_TAKE(parts))
                        : err;
}

enum ag_err
stamp_make(struct core *core, const struct stamp *stamp,
           const struct secret_row *row, struct secret *real,
           struct secret **ret)
{
    AG_AUTO(secret) struct secret *owned = real;
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(buf) struct buf text = {0};
    struct stamping s = {.core = core, .stamp = stamp, .row = row};
    enum ag_err err = proxied_id(stamp->task_id, stamp->index, &s.id);

    buf_init(&text, PROXIED_FILE_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = core_key(core, KDF_PLACEHOLDER, &key);
    }
    s.key = key;
    if (err == AG_OK) {
        err = stamp->delivery->profile != NULL
                  ? make_document(&s, secret_view(owned), &text)
                  : make_one(&s, secret_view(owned), &text);
    }
    return err == AG_OK ? secret_from(buf_view(&text), ret) : err;
}

/* ---- back ---- */

struct undoing {
    struct core *core;
    struct db_read *r;
    const struct stamp *stamp;
    const struct secret_row *row;
};

static enum ag_err
misplaced(const char *pointer)
{
    return err_why(AG_EFILE,
                   "a placeholder stands at %s, where it is not for; the "
                   "version in the vault stays",
                   pointer);
}

static enum ag_err
put_back(void *arg, const char *pointer, uint64_t id, struct secret **ret)
{
    const struct undoing *u = arg;
    struct delivery delivery = {0};
    struct version_row version = {0};

    if (proxied_id_task(id) != u->stamp->task_id ||
        proxied_id_delivery(id) != u->stamp->index ||
        running_part(u->core->running, u->stamp->task_id, u->stamp->index,
                     proxied_id_part(id), &delivery) != AG_OK ||
        strcmp(delivery.field, pointer) != 0) {
        return misplaced(pointer);
    }
    return value_of(u->core, u->r,
                    &(struct value_wish){u->row, pointer, 0, u->stamp->task_id},
                    &version, ret);
}

static enum ag_err
on_left(void *arg, const struct placeholder_hit *hit)
{
    (void)arg;
    (void)hit;
    return misplaced("a field that is not secret");
}

/* None may be left anywhere: the vault would keep it for a value. */
static enum ag_err
check_left(const struct secret *key, struct span text)
{
    AG_AUTO(placeholder_scan) struct placeholder_scan *scan = NULL;
    enum ag_err err = placeholder_scan_new(key, on_left, NULL, &scan);

    if (err == AG_OK) {
        err = placeholder_scan_feed(scan, text);
    }
    return err == AG_OK ? placeholder_scan_finish(scan) : err;
}

enum ag_err
stamp_undo(struct core *core, struct db_read *r, const struct stamp *stamp,
           const struct secret *content, bool *ret_new, struct secret **ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(secret) struct secret *key = NULL;
    AG_AUTO(buf) struct buf text = {0};
    struct undoing u = {core, r, stamp, &row};
    struct placeholder_undo how = {.profile = stamp->delivery->profile,
                                   .file_index = stamp->delivery->file_index,
                                   .value = put_back,
                                   .arg = &u};
    enum ag_err err = secrets_get(r, stamp->delivery->secret_id, &row);

    buf_init(&text, PROXIED_FILE_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK) {
        err = core_key(core, KDF_PLACEHOLDER, &key);
    }
    if (err == AG_OK) {
        how.key = key;
        err = placeholder_undo(&how, secret_view(content), &text);
    }
    if (err == AG_OK) {
        err = check_left(key, buf_view(&text));
    }
    if (err != AG_OK) {
        return err;
    }
    *ret_new = how.others_count > 0;
    return *ret_new ? secret_from(buf_view(&text), ret) : AG_OK;
}
