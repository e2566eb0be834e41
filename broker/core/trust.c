#include "core/trust.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/secret.h"
#include "core/redaction.h"
#include "core/state.h"
#include "store/versions.h"

enum {
    HASH_TEXT_BYTES = 2 * PROFILE_HASH_BYTES + 1,
};

static void
name_of(const struct profile *profile, char out[NAME_MAX_BYTES + 1])
{
    (void)snprintf(out, NAME_MAX_BYTES + 1, "auth-guard/profile/%s",
                   profile->name);
}

static enum ag_err
hash_text(const struct profile *profile, struct buf *out)
{
    buf_init(out, HASH_TEXT_BYTES, BUF_PLAIN);
    return encode_hex(span_of(profile->hash, sizeof(profile->hash)), out);
}

/* The hash on record, or AG_ENOTFOUND. */
static enum ag_err
trusted_hash(struct db_read *r, const struct profile *profile,
             struct secret **ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    char name[NAME_MAX_BYTES + 1];
    enum ag_err err = AG_OK;

    name_of(profile, name);
    err = secrets_find(r, span_str(name), &row);
    return err == AG_OK ? versions_value(r, row.id, 0, NULL, ret) : err;
}

static enum ag_err
check(struct db_read *r, const struct profile *profile)
{
    AG_AUTO(secret) struct secret *known = NULL;
    AG_AUTO(buf) struct buf hash = {0};
    enum ag_err err = AG_OK;

    if (profile->origin == ORIGIN_SHIPPED) {
        return AG_OK;
    }
    err = hash_text(profile, &hash);
    if (err != AG_OK) {
        return err;
    }
    err = trusted_hash(r, profile, &known);
    if (err != AG_OK && err != AG_ENOTFOUND) {
        return err;
    }
    if (err == AG_OK && secret_equal_span(known, buf_view(&hash))) {
        return AG_OK;
    }
    return err_why(AG_EDENIED,
                   "the profile %s is one of your own and %s; read it, then: "
                   "auth-guard profiles --trust %s",
                   profile->name,
                   err == AG_OK ? "has changed since you trusted it"
                                : "is not trusted yet",
                   profile->name);
}

enum ag_err
trust_find(struct core *core, struct db_read *r, const char *name,
           const struct profile **ret)
{
    const struct profile *profile = NULL;
    enum ag_err err = profile_find(core->parts.profiles, name, &profile);

    if (err == AG_OK) {
        err = check(r, profile);
    }
    if (err == AG_OK) {
        *ret = profile;
    }
    return err;
}

/* ---- as it stands ---- */

enum ag_err
trust_new(struct core *core)
{
    size_t count = profiles_count(core->parts.profiles);

    core->trusted = calloc(count + 1, sizeof(*core->trusted));
    return core->trusted != NULL ? AG_OK : AG_ENOMEM;
}

bool
trust_stands(const struct core *core, const struct profile *profile)
{
    size_t count = profiles_count(core->parts.profiles);

    if (profile->origin == ORIGIN_SHIPPED) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (profiles_at(core->parts.profiles, i) == profile) {
            return atomic_load(&core->trusted[i]);
        }
    }
    return false;
}

enum ag_err
trust_load(struct core *core, struct db_read *r)
{
    size_t count = profiles_count(core->parts.profiles);
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = check(r, profiles_at(core->parts.profiles, i));
        atomic_store(&core->trusted[i], err == AG_OK);
        err = err == AG_EDENIED ? AG_OK : err;
    }
    return err;
}

/* ---- and is given ---- */

static enum ag_err
keep_hash(struct db_tx *tx, const struct profile *profile,
          const struct secret *hash)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct version_row version = {0};
    struct version_new add = {.value = hash,
                              .state = VERSION_CURRENT,
                              .if_version = -1,
                              .maker = MAKER_OPERATOR};
    char name[NAME_MAX_BYTES + 1];
    enum ag_err err = AG_OK;

    name_of(profile, name);
    err = secrets_find(db_tx_read(tx), span_str(name), &row);
    if (err == AG_ENOTFOUND) {
        (void)snprintf(row.name, sizeof(row.name), "%s", name);
        row.kind = SECRET_OPAQUE;
        row.min_grade = GRADE_PROXY;
        err = secrets_add(tx, &row);
    }
    if (err != AG_OK) {
        return err;
    }
    add.secret_id = row.id;
    return versions_add(tx, &add, &version);
}

enum ag_err
core_profile_trust(struct core *core, struct db_tx *tx, const struct call *call,
                   const char *name)
{
    AG_AUTO(secret) struct secret *hash = NULL;
    AG_AUTO(buf) struct buf text = {0};
    const struct profile *profile = NULL;
    enum ag_err err = profile_find(core->parts.profiles, name, &profile);

    if (err == AG_OK && profile->origin == ORIGIN_SHIPPED) {
        err =
            err_why(AG_EINVAL, "%s comes with auth-guard and is trusted", name);
    }
    if (err == AG_OK) {
        err = hash_text(profile, &text);
    }
    if (err == AG_OK) {
        err = secret_from(buf_view(&text), &hash);
    }
    if (err == AG_OK) {
        err = keep_hash(tx, profile, hash);
    }
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_PROFILE_TRUSTED, 0, 0,
                        json_pack("{s:s, s:s%}", "profile", name, "hash",
                                  (const char *)text.ptr, text.len));
    }
    if (err == AG_OK) {
        err = trust_load(core, db_tx_read(tx));
    }
    /* What is secret of its values, it says from now on. */
    return err == AG_OK ? redaction_refill(core, db_tx_read(tx), name) : err;
}
