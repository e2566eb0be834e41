/* Whether, and how, a profile's value can be used at grade proxy. */
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "core/downgrade.h"
#include "core/parts.h"
#include "core/promise_impl.h"
#include "core/proxied.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/values.h"
#include "profile/fields.h"
#include "profile/placeholder.h"
#include "store/tasks.h"

/* What a way is tried with. */
struct trying {
    struct core *core;
    const struct profile *profile;
    const struct profile_file *file; /* NULL: the value has no file */
    const struct secret *key;
    const struct secret *value;
};

/* The field, if it is there and is more than null. */
static enum ag_err
field_of(const struct trying *t, const char *field, struct secret **ret)
{
    struct secret *value = NULL;
    enum file_format format =
        t->file != NULL ? t->file->format : format_guess(secret_view(t->value));
    enum ag_err err =
        field == NULL || field[0] == '\0'
            ? secret_from(secret_view(t->value), &value)
            : field_get(secret_view(t->value), format, span_str(field), &value);

    if (err == AG_OK &&
        (secret_len(value) == 0 || span_is(secret_view(value), "null"))) {
        secret_free(value);
        err = AG_ENOTFOUND;
    }
    if (err == AG_OK) {
        *ret = value;
    }
    return err == AG_EINVAL ? AG_ENOTFOUND : err;
}

static enum ag_err
lacks(const struct trying *t, const char *what)
{
    return err_why(AG_ENOTFOUND, "%s can't be used at grade proxy with %s",
                   t->profile->title, what);
}

static enum ag_err
try_env(const struct trying *t, const struct profile_env *env)
{
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(buf) struct buf text = {0};
    const char *field = env->field != NULL ? env->field : "";
    enum ag_err err = field_of(t, field, &value);

    buf_init(&text, PLACEHOLDER_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = placeholder_make(t->key, 0,
                               placeholder_shape(t->core->parts.profiles,
                                                 t->profile, field,
                                                 secret_view(value)),
                               secret_view(value), &text);
    }
    return err == AG_EUNSUPPORTED || err == AG_ENOTFOUND || err == AG_ELIMIT
               ? lacks(t, "a value of which there is no placeholder")
               : err;
}

/* A look-alike that nobody recognises, or a part of a field, could not be told
 * from a new value when the tool writes its file. */
static enum ag_err
each_field(void *arg, const struct placeholder_field *field)
{
    size_t *count = arg;

    *count += 1;
    return field->dummy || field->partial || *count > PARTS_MAX_COUNT
               ? AG_EUNSUPPORTED
               : AG_OK;
}

static enum ag_err
try_file(const struct trying *t)
{
    AG_AUTO(buf) struct buf text = {0};
    size_t count = 0;
    const struct placeholder_want want = {
        .key = t->key,
        .profiles = t->core->parts.profiles,
        .profile = t->profile,
        .file_index = (size_t)(t->file - t->profile->files.items),
        .each = each_field,
        .arg = &count};
    enum ag_err err = AG_OK;

    buf_init(&text, PROXIED_FILE_MAX_BYTES, BUF_PLAIN);
    err = placeholder_document(&want, secret_view(t->value), &text);
    return err == AG_EUNSUPPORTED || err == AG_EINVAL || err == AG_ELIMIT
               ? lacks(t, "a file of which not every secret has a placeholder")
               : err;
}

static enum ag_err
try_way(const struct trying *t, const struct profile_way *way)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < way->needs.count; i++) {
        AG_AUTO(secret) struct secret *value = NULL;

        err = field_of(t, way->needs.items[i], &value);
    }
    if (err == AG_ENOTFOUND) {
        return lacks(t, "a login of this kind");
    }
    for (size_t i = 0; err == AG_OK && i < way->env.count; i++) {
        err = try_env(t, &way->env.items[i]);
    }
    return err == AG_OK && way->file ? try_file(t) : err;
}

static enum ag_err
way_of(struct core *core, const struct profile *profile,
       const struct secret_row *row, const struct secret *value,
       const struct profile_way **ret)
{
    AG_AUTO(secret) struct secret *key = NULL;
    struct trying t = {.core = core, .profile = profile, .value = value};
    enum ag_err err = core_key(core, KDF_PLACEHOLDER, &key);

    if (err != AG_OK) {
        return err;
    }
    t.key = key;
    t.file = promise_file(profile, row);
    err = AG_ENOTFOUND;
    for (size_t i = 0; err == AG_ENOTFOUND && i < profile->run->proxy.count;
         i++) {
        err = try_way(&t, &profile->run->proxy.items[i]);
        if (err == AG_OK) {
            *ret = &profile->run->proxy.items[i];
        }
    }
    return err;
}

enum ag_err
promise_way(struct core *core, struct db_read *r, const struct profile *profile,
            const struct secret_row *row, const struct profile_way **ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct version_row version = {0};
    enum ag_err err = AG_OK;

    if (profile->run->proxy.count == 0) {
        return err_why(AG_ENOTFOUND, "%s can't be used at grade proxy yet",
                       profile->title);
    }
    err = value_of(core, r, &(struct value_wish){.row = row}, &version, &value);
    return err == AG_OK ? way_of(core, profile, row, value, ret) : err;
}

/* ---- a worse one ---- */

enum ag_err
promise_downgrade(const struct promising *m, const struct secret_row *row,
                  enum verb best, enum verb verb)
{
    if (verb <= best) {
        return AG_OK;
    }
    if (m->call->who != CALLER_PROOF) {
        return err_why(AG_EPROOF,
                       "%s can be used at grade %s; that it travels as %s is "
                       "your word, with the passphrase",
                       row->name, verb_text(best), verb_text(verb));
    }
    return json_object_set_new(m->p->downgraded, row->name,
                               json_string(verb_text(best))) == 0
               ? AG_OK
               : AG_ENOMEM;
}

/* AG_OK: it can be had at grade proxy; AG_ENOTFOUND. Of a profile that is not
 * trusted nothing is believed: it could say that there is no better way. */
static enum ag_err
has_better(struct core *core, struct db_read *r, const struct secret_row *row)
{
    const struct profile *profile = NULL;
    const struct profile_way *way = NULL;
    enum ag_err err = row->profile[0] == '\0'
                          ? AG_ENOTFOUND
                          : trust_find(core, r, row->profile, &profile);

    if (err == AG_OK) {
        err = promise_way(core, r, profile, row, &way);
    }
    return err == AG_EDENIED ? AG_OK : err;
}

enum ag_err
promise_by_name(const struct promising *m, const struct secret_row *row,
                enum verb verb)
{
    enum ag_err err = verb <= VERB_PROXY
                          ? AG_ENOTFOUND
                          : has_better(m->core, db_tx_read(m->tx), row);

    if (err == AG_OK) {
        return promise_downgrade(m, row, VERB_PROXY, verb);
    }
    return err == AG_ENOTFOUND ? AG_OK : err;
}

/* ---- by a pattern ---- */

struct matching {
    const struct promising *m;
    const char *pattern;
    enum verb verb;
};

static enum ag_err
each_match(const struct secret_row *row, void *arg)
{
    const struct matching *w = arg;

    return row->current_version != 0 && pattern_covers(w->pattern, row->name) &&
                   verb_allowed(w->verb, row->min_grade)
               ? promise_by_name(w->m, row, w->verb)
               : AG_OK;
}

enum ag_err
promise_by_pattern(const struct promising *m, const char *pattern,
                   enum verb verb)
{
    struct matching w = {.m = m, .pattern = pattern, .verb = verb};
    size_t len = strcspn(pattern, "*");

    return verb <= VERB_PROXY
               ? AG_OK
               : secrets_each(db_tx_read(m->tx), span_of(pattern, len),
                              each_match, &w);
}

enum ag_err
promise_may_read(struct core *core, struct db_read *r, int64_t task_id,
                 const struct secret_row *row)
{
    AG_AUTO(task_row) struct task_row task = {0};
    enum ag_err err = AG_OK;
    bool said = running_names(core->running, task_id, row->name);

    err = said ? AG_ENOTFOUND : has_better(core, r, row);
    if (err != AG_OK) {
        return err == AG_ENOTFOUND ? AG_OK : err;
    }
    err = tasks_get(r, task_id, &task);
    if (err == AG_OK) {
        err = downgrades_has(&task, row->name, &said);
    }
    if (err != AG_OK || said) {
        return err;
    }
    return err_why(AG_EGRADE,
                   "%s can be used at grade proxy, and was not there to be "
                   "read when this task began; to let a task read it: "
                   "--grant %s:read",
                   row->name, row->name);
}
