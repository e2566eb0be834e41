/* Rules of minting (mint.h): a member of the secret's sealed description. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/detail.h"
#include "core/holds.h"
#include "core/incident.h"
#include "core/mint_impl.h"
#include "core/state.h"
#include "core/values.h"

enum {
    MS_PER_S = 1000,
};

#define MEMBER "mint" /* of the description */

void
mint_rule_done(struct mint_rule *rule)
{
    json_decref(AG_TAKE(rule->tree));
}

bool
mint_has_rule(const struct secret_row *row)
{
    AG_AUTO(wjson) json_t *detail = NULL;

    /* Most have not even the word, and are asked at each use. */
    if (row->detail == NULL || strstr(row->detail, "\"" MEMBER "\"") == NULL) {
        return false;
    }
    /* Of what can't be read nothing else may be done either. */
    return detail_of_secret(row, &detail) != AG_OK ||
           json_object_get(detail, MEMBER) != NULL;
}

const char *
mint_minter_of(const json_t *detail)
{
    return json_string_value(
        json_object_get(json_object_get(detail, MEMBER), "minter"));
}

/* All that can be wrong with a rule is found here, made or read. Takes a
 * reference of its own. */
static enum ag_err
read_tree(json_t *tree, struct mint_rule *ret)
{
    const char *name = json_string_value(json_object_get(tree, "minter"));
    struct reference source = {0};
    enum ag_err err = minter_find(name != NULL ? name : "", &ret->minter);

    ret->source = json_string_value(json_object_get(tree, "source"));
    ret->ttl_ms = json_integer_value(json_object_get(tree, "ttl_ms"));
    ret->params = json_object_get(tree, "params");
    if (err == AG_OK) {
        err = ret->source != NULL
                  ? parse_reference(span_str(ret->source), &source)
                  : AG_EINVAL;
    }
    if (err == AG_OK && !json_is_object(ret->params)) {
        err = err_why(AG_EINVAL, "params: an object");
    }
    if (err == AG_OK && (ret->ttl_ms < (int64_t)MINT_TTL_LEAST_S * MS_PER_S ||
                         ret->ttl_ms > (int64_t)MINT_TTL_MOST_S * MS_PER_S)) {
        err = err_why(AG_EINVAL, "ttl: %d seconds to %d days", MINT_TTL_LEAST_S,
                      MINT_TTL_MOST_S / (24 * 3600));
    }
    if (err == AG_OK) {
        err = ret->minter->check(ret->params);
    }
    if (err == AG_OK) {
        ret->tree = json_incref(tree);
    }
    return err;
}

/* What the vault holds was checked; now it may be another's doing that it does
 * not pass (a library that is not here any more). */
static enum ag_err
as_kept(enum ag_err err)
{
    return err == AG_EINVAL ? err_why(AG_ECORRUPT, "a mint rule can't be read")
                            : err;
}

enum ag_err
mint_rule_of(const struct secret_row *row, struct mint_rule *ret)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    json_t *tree = NULL;
    enum ag_err err =
        mint_has_rule(row) ? detail_of_secret(row, &detail) : AG_ENOTFOUND;

    if (err != AG_OK) {
        return err;
    }
    tree = json_object_get(detail, MEMBER);
    return tree != NULL ? as_kept(read_tree(tree, ret)) : AG_ENOTFOUND;
}

enum ag_err
mint_rule_read(const char *plan, struct mint_rule *ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    enum ag_err err = wjson_parse(span_str(plan), MINTED_PLAN_MAX_BYTES, &tree);

    return err == AG_OK ? as_kept(read_tree(tree, ret)) : err;
}

enum ag_err
mint_source(struct core *core, struct db_read *r, const struct mint_rule *rule,
            struct secret **ret)
{
    return value_by_reference(core, r, rule->source, ret);
}

enum ag_err
mint_source_held(struct core *core, struct db_read *r,
                 const struct secret_row *minted, const struct mint_rule *rule)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    struct reference ref = {0};
    enum ag_err err = parse_reference(span_str(rule->source), &ref);

    if (err == AG_OK) {
        err = secret_named(r, ref.name, &row);
    }
    if (err == AG_OK && holds_check(core->holds, row.id, row.name) != AG_OK) {
        err = err_why(AG_EONHOLD,
                      "what %s is minted with is on hold until the operator "
                      "lets it go",
                      minted->name);
    }
    return err;
}

/* ---- set ---- */

static enum ag_err
make_tree(const struct mint_rule_request *q, json_t **ret)
{
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(wjson)
    json_t *tree = json_pack(
        "{s:s, s:s, s:I, s:O}", "minter", q->minter, "source", q->source,
        "ttl_ms", (json_int_t)q->ttl_s * MS_PER_S, "params", q->params);
    enum ag_err err = tree != NULL ? AG_OK : AG_ENOMEM;

    buf_init(&text, MINTED_PLAN_MAX_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = wjson_dump(tree, &text);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(tree);
    }
    return err == AG_ELIMIT ? err_why(AG_EINVAL, "params: %d bytes at most",
                                      MINTED_PLAN_MAX_BYTES)
                            : err;
}

/* The row it is put on: one that is there and has no value of its own, or new. */
static enum ag_err
row_for(struct db_tx *tx, const char *name, struct secret_row *row)
{
    enum ag_err err = secret_name_free(span_str(name));

    if (err == AG_OK) {
        err = secrets_find(db_tx_read(tx), span_str(name), row);
    }
    if (err == AG_OK && row->current_version != 0) {
        return err_why(AG_ECONFLICT,
                       "%s has a value of its own; a secret that is minted "
                       "has none: take another name",
                       name);
    }
    if (err != AG_ENOTFOUND) {
        return err;
    }
    row->kind = SECRET_OPAQUE;
    row->min_grade = GRADE_ENV;
    row->retain_count = SECRET_RETAIN_DEFAULT_COUNT;
    (void)snprintf(row->name, sizeof(row->name), "%s", name);
    return secrets_add(tx, row);
}

static enum ag_err
put_rule(struct db_tx *tx, struct secret_row *row, json_t *tree)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    enum ag_err err = detail_of_secret(row, &detail);

    if (err != AG_OK) {
        return err;
    }
    if ((tree != NULL ? json_object_set(detail, MEMBER, tree)
                      : json_object_del(detail, MEMBER)) != 0) {
        return AG_ENOMEM;
    }
    err = detail_set_secret(row, detail);
    return err == AG_OK ? secrets_update(tx, row) : err;
}

static enum ag_err
rule_item(const char *name, const struct mint_rule *rule, json_t **ret)
{
    AG_AUTO(wjson) json_t *item = json_deep_copy(rule->tree);

    if (item == NULL ||
        json_object_set_new(item, "secret", json_string(name)) != 0) {
        return AG_ENOMEM;
    }
    *ret = AG_TAKE(item);
    return AG_OK;
}

enum ag_err
core_mint_rule_set(struct core *core, struct db_tx *tx, const struct call *call,
                   const struct mint_rule_request *request, json_t **ret)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(mint_rule) struct mint_rule rule = {0};
    AG_AUTO(wjson) json_t *tree = NULL;
    AG_AUTO(secret) struct secret *source = NULL;
    enum ag_err err = make_tree(request, &tree);

    if (err == AG_OK) {
        err = read_tree(tree, &rule);
    }
    if (err == AG_OK) {
        err = mint_source(core, db_tx_read(tx), &rule, &source);
    }
    if (err == AG_OK) {
        err = rule.minter->suits(rule.params, source);
    }
    if (err == AG_OK) {
        err = row_for(tx, request->name, &row);
    }
    if (err == AG_OK) {
        err = put_rule(tx, &row, tree);
    }
    if (err == AG_OK) {
        err =
            core_note(tx, call, AUDIT_MINT_RULE_SET, 0, row.id,
                      json_pack("{s:s, s:O}", "name", row.name, "rule", tree));
    }
    return err == AG_OK ? rule_item(row.name, &rule, ret) : err;
}

/* ---- shown, removed ---- */

static enum ag_err
find_rule(struct db_read *r, const char *name, struct secret_row *row,
          struct mint_rule *rule)
{
    enum ag_err err = secret_named(r, span_str(name), row);

    if (err == AG_OK) {
        err = mint_rule_of(row, rule);
        err =
            err == AG_ENOTFOUND
                ? err_why(err, "%s has no mint rule; see: auth-guard mint set",
                          name)
                : err;
    }
    return err;
}

enum ag_err
core_mint_rule_show(struct core *core, const char *name, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(mint_rule) struct mint_rule rule = {0};
    AG_AUTO(wjson) json_t *detail = NULL;
    AG_AUTO(wjson) json_t *item = NULL;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = find_rule(r, name, &row, &rule);
    }
    if (err == AG_OK) {
        err = detail_of_secret(&row, &detail);
    }
    if (err == AG_OK) {
        err = rule_item(row.name, &rule, &item);
    }
    if (err == AG_OK &&
        json_object_set_new(item, "on_leak",
                            json_string(incident_rule_of(detail))) != 0) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

enum ag_err
core_mint_rule_remove(struct core *core, struct db_tx *tx,
                      const struct call *call, const char *name)
{
    AG_AUTO(secret_row) struct secret_row row = {0};
    AG_AUTO(mint_rule) struct mint_rule rule = {0};
    enum ag_err err = find_rule(db_tx_read(tx), name, &row, &rule);

    (void)core;
    if (err == AG_OK) {
        err = put_rule(tx, &row, NULL);
    }
    return err == AG_OK ? core_note(tx, call, AUDIT_MINT_RULE_GONE, 0, row.id,
                                    json_pack("{s:s}", "name", row.name))
                        : err;
}

static enum ag_err
add_rule(const struct secret_row *row, void *arg)
{
    AG_AUTO(mint_rule) struct mint_rule rule = {0};
    json_t *item = NULL;
    enum ag_err err = mint_rule_of(row, &rule);

    if (err == AG_OK) {
        err = rule_item(row->name, &rule, &item);
    }
    if (err == AG_OK && json_array_append_new(arg, item) != 0) {
        err = AG_ENOMEM;
    }
    return err == AG_ENOTFOUND ? AG_OK : err;
}

enum ag_err
core_mint_rule_list(struct core *core, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "rules");
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK && answer == NULL) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = secrets_each(r, span_str(""), add_rule,
                           json_object_get(answer, "rules"));
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- what was made ---- */

struct listing {
    struct db_read *r;
    json_t *items;
};

static enum ag_err
add_minted(const struct minted_row *row, void *arg)
{
    const struct listing *listing = arg;
    AG_AUTO(secret_row) struct secret_row secret = {0};
    AG_AUTO(wjson) json_t *item = NULL;
    enum ag_err err = secrets_get(listing->r, row->secret_id, &secret);

    if (err != AG_OK) {
        return err;
    }
    item = json_pack("{s:I, s:s, s:s, s:I, s:s, s:I, s:I, s:s}", "minted",
                     (json_int_t)row->id, "secret", secret.name, "handle",
                     row->handle, "task", (json_int_t)row->task_id, "state",
                     minted_state_text(row->state), "version",
                     (json_int_t)row->version, "attempts",
                     (json_int_t)row->attempts, "code", row->code);
    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "expires", row->expires_ms);
    if (err == AG_OK) {
        err = core_set_time(item, "due",
                            row->state == MINTED_MINTING ? 0 : row->due_ms);
    }
    return err == AG_OK &&
                   json_array_append_new(listing->items, AG_TAKE(item)) != 0
               ? AG_ENOMEM
               : err;
}

enum ag_err
core_mint_list(struct core *core, json_t **ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "minted");
    struct listing listing = {.items = json_object_get(answer, "minted")};
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK && answer == NULL) {
        err = AG_ENOMEM;
    }
    listing.r = r;
    if (err == AG_OK) {
        err = minted_open_each(r, 0, MINT_LIST_MAX_COUNT, add_minted, &listing);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

enum ag_err
mint_none_open(struct db_read *r, const struct secret_row *row)
{
    struct minted_counts counts = {0};
    enum ag_err err = minted_count(r, row->id, &counts);

    return err == AG_OK && counts.open > 0
               ? err_why(AG_ECONFLICT,
                         "%llu credential(s) minted of %s are not revoked yet; "
                         "see: auth-guard mint list",
                         (unsigned long long)counts.open, row->name)
               : err;
}

enum ag_err
mint_version(struct db_read *r, const struct secret_row *row, int64_t task_id,
             int64_t *ret)
{
    AG_AUTO(minted_row) struct minted_row minted = {0};
    enum ag_err err = AG_OK;

    if (task_id == 0) {
        return err_why(AG_ENOTFOUND,
                       "%s is minted for each task, and has no value of its "
                       "own",
                       row->name);
    }
    err = minted_live_of(r, task_id, row->id, &minted);
    if (err == AG_ENOTFOUND) {
        return err_why(err, "nothing was minted of %s for this task yet",
                       row->name);
    }
    if (err == AG_OK) {
        *ret = minted.version;
    }
    return err;
}
