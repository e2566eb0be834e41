#include "core/redaction.h"

#include <string.h>

#include "base/secret.h"
#include "core/state.h"
#include "core/values.h"
#include "privsep/filter.h"
#include "profile/fields.h"
#include "redact/strength.h"
#include "store/versions.h"

/* An id in the set: the version's row, then the field's index. */
_Static_assert(FIELDS_MAX_COUNT <= 1 << FILTER_GROUP_BITS,
               "fields need more bits");

/* One pass over the fields of a value; index 0 is the whole. */
struct pass {
    struct core *core;
    const struct secret_row *row;
    uint64_t id;
    bool structured; /* its lines are syntax, its fields are the secrets */
    json_t *warnings;
    redaction_shown_fn shown;
    void *arg;
    enum ag_err (*each)(struct pass *pass, const char *pointer,
                        const struct secret *value);
};

static enum ag_err
each_field(void *arg, const char *pointer, struct secret *value)
{
    struct pass *pass = arg;
    enum ag_err err = AG_OK;

    pass->id++;
    err = pass->each(pass, pointer, value);
    secret_free(value);
    return err;
}

/* The whole value, then its fields. A value that is not of its format has no
 * fields: then only the whole counts. */
static enum ag_err
walk(struct pass *pass, int64_t version_id, const struct secret *value)
{
    const struct profile_file *file = NULL;
    enum file_format format = FORMAT_OPAQUE;
    enum ag_err err = AG_OK;

    file = value_fields(pass->core, pass->row, secret_view(value));
    format = file != NULL ? file->format : format_guess(secret_view(value));
    pass->structured = format != FORMAT_OPAQUE && format != FORMAT_PEM;
    pass->id = (uint64_t)version_id << FILTER_GROUP_BITS;
    err = pass->each(pass, "", value);
    if (err != AG_OK) {
        return err;
    }
    err = fields_secret(secret_view(value), file, each_field, pass);
    return err == AG_EINVAL ? AG_OK : err;
}

static enum ag_err
load_one(struct pass *pass, const char *pointer, const struct secret *value)
{
    enum filter_load_flags flags = pass->structured && pointer[0] == '\0'
                                       ? FILTER_LOAD_NO_LINES
                                       : FILTER_LOAD_PLAIN;

    if (secret_len(value) > FILTER_VALUE_MAX_BYTES) {
        return AG_OK;
    }
    return filter_load(pass->core->parts.filter, pass->id, pass->row->name,
                       value, flags);
}

/* ---- for who asks ---- */

static enum ag_err
show_one(struct pass *pass, const char *pointer, const struct secret *value)
{
    const bool is_syntax = pass->structured && pointer[0] == '\0';

    return pass->shown(pass->arg, pass->row, pointer, is_syntax, value);
}

struct showing {
    struct core *core;
    redaction_shown_fn shown;
    void *arg;
};

static enum ag_err
show_version(const struct secret_row *row, const struct version_row *version,
             const struct secret *value, void *arg)
{
    const struct showing *s = arg;
    struct pass pass = {.core = s->core,
                        .row = row,
                        .each = show_one,
                        .shown = s->shown,
                        .arg = s->arg};

    return walk(&pass, version->id, value);
}

enum ag_err
redaction_each(struct core *core, struct db_read *r, redaction_shown_fn shown,
               void *arg)
{
    struct showing s = {core, shown, arg};

    return versions_live_each(r, show_version, &s);
}

enum ag_err
redaction_entries(struct core *core, const struct secret_row *row,
                  const struct secret *value, redaction_shown_fn shown,
                  void *arg)
{
    struct pass pass = {
        .core = core, .row = row, .each = show_one, .shown = shown, .arg = arg};

    return walk(&pass, 0, value);
}

static enum ag_err
warn_one(struct pass *pass, const char *pointer, const struct secret *value)
{
    const char *why = strength_warning(strength_of(secret_view(value)));
    json_t *sentence = NULL;

    /* A value without a format is its own only field: said once. */
    if (why == NULL ||
        (pointer[0] == '\0' && json_array_size(pass->warnings) > 0)) {
        return AG_OK;
    }
    sentence = json_sprintf("%s%s%s: %s", pass->row->name,
                            pointer[0] != '\0' ? "#" : "", pointer, why);
    if (sentence == NULL || json_array_append_new(pass->warnings, sentence)) {
        return AG_ENOMEM;
    }
    return AG_OK;
}

/* Under the lock. */
static enum ag_err
add(struct core *core, const struct secret_row *row, int64_t version_id,
    const struct secret *value)
{
    struct pass pass = {.core = core, .row = row, .each = load_one};

    core->set_waits = true;
    atomic_store(&core->values_wait, true);
    return walk(&pass, version_id, value);
}

enum ag_err
redaction_add(struct core *core, const struct secret_row *row,
              int64_t version_id, const struct secret *value)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&core->set_lock);
    err = add(core, row, version_id, value);
    (void)pthread_mutex_unlock(&core->set_lock);
    return err;
}

/* Under the lock. One that stays in the set hides too much, not too little. */
static void
drop(struct core *core, int64_t version_id)
{
    core->set_waits = true;
    (void)!filter_drop_group(core->parts.filter,
                             (uint64_t)version_id << FILTER_GROUP_BITS);
}

void
redaction_gone(void *arg, int64_t version_id)
{
    struct core *core = arg;

    (void)pthread_mutex_lock(&core->set_lock);
    drop(core, version_id);
    (void)pthread_mutex_unlock(&core->set_lock);
}

enum ag_err
redaction_fits(const struct secret *value)
{
    return secret_len(value) <= FILTER_VALUE_MAX_BYTES
               ? AG_OK
               : err_why(AG_ELIMIT,
                         "a value may have %d bytes at most: what is larger "
                         "could not be redacted",
                         FILTER_VALUE_MAX_BYTES);
}

enum ag_err
redaction_warn(struct core *core, const struct secret_row *row,
               const struct secret *value, json_t *warnings)
{
    struct pass pass = {
        .core = core, .row = row, .warnings = warnings, .each = warn_one};

    return walk(&pass, 0, value);
}

enum ag_err
redaction_commit(struct core *core)
{
    uint64_t epoch = 0;
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&core->set_lock);
    if (core->set_waits) {
        err = filter_commit(core->parts.filter, &epoch);
        core->set_waits = err != AG_OK;
    }
    if (!core->set_waits) {
        atomic_store(&core->values_wait, false);
    }
    (void)pthread_mutex_unlock(&core->set_lock);
    return err;
}

enum ag_err
core_hide(struct core *core)
{
    return redaction_commit(core);
}

bool
core_must_hide(const struct core *core)
{
    return atomic_load(&core->values_wait);
}

/* Tokens have ids of their own in the set, beside those of versions. */
static uint64_t
token_id_of(int64_t id)
{
    return 1ULL << 63 | (uint64_t)id;
}

enum ag_err
redaction_add_token(struct core *core, int64_t id, const struct secret *text)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&core->set_lock);
    core->set_waits = true;
    err = filter_load(core->parts.filter, token_id_of(id), REDACTION_TOKEN_NAME,
                      text, FILTER_LOAD_SPARE);
    (void)pthread_mutex_unlock(&core->set_lock);
    return err;
}

void
redaction_drop_token(struct core *core, int64_t id)
{
    (void)pthread_mutex_lock(&core->set_lock);
    core->set_waits = true;
    /* A dead token that stays in the set hides nothing that matters. */
    (void)!filter_drop(core->parts.filter, token_id_of(id));
    (void)pthread_mutex_unlock(&core->set_lock);
}

static enum ag_err
fill_one(const struct secret_row *row, const struct version_row *version,
         const struct secret *value, void *arg)
{
    return redaction_add(arg, row, version->id, value);
}

struct refilling {
    struct core *core;
    const char *profile;
};

static enum ag_err
refill_one(const struct secret_row *row, const struct version_row *version,
           const struct secret *value, void *arg)
{
    const struct refilling *f = arg;
    enum ag_err err = AG_OK;

    if (strcmp(row->profile, f->profile) != 0) {
        return AG_OK;
    }
    /* At once: a commit in between would have tasks print it. */
    (void)pthread_mutex_lock(&f->core->set_lock);
    drop(f->core, version->id);
    err = add(f->core, row, version->id, value);
    (void)pthread_mutex_unlock(&f->core->set_lock);
    return err;
}

enum ag_err
redaction_refill(struct core *core, struct db_read *r, const char *profile)
{
    struct refilling f = {core, profile};

    return versions_live_each(r, refill_one, &f);
}

enum ag_err
redaction_know(struct core *core)
{
    AG_AUTO(secret) struct secret *key = NULL;
    enum ag_err err = core_key(core, KDF_PLACEHOLDER, &key);

    return err == AG_OK ? filter_know(core->parts.filter, key) : err;
}

enum ag_err
redaction_fill(struct core *core, struct db_read *r)
{
    enum ag_err err;

    (void)pthread_mutex_lock(&core->set_lock);
    core->set_waits = true; /* an empty set is a set too */
    (void)pthread_mutex_unlock(&core->set_lock);
    err = redaction_know(core);
    if (err == AG_OK) {
        err = versions_live_each(r, fill_one, core);
    }
    return err == AG_OK ? redaction_commit(core) : err;
}
