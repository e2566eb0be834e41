#include "core/issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "core/redaction.h"
#include "core/renewal.h"
#include "core/state.h"
#include "store/grants.h"
#include "store/roles.h"
#include "store/tokens.h"

_Static_assert((int)TOKEN_HASH_BYTES == (int)TOKEN_HASH_LEN_BYTES,
               "hash length differs");

enum {
    UNLIMITED_ROW = 0, /* how the rows say GRANT_USES_UNLIMITED */
};

/* ---- the scope of a child: which of its task's grants it has ---- */

static enum ag_err
scope_text(const struct grant_set *set, char **ret)
{
    AG_AUTO(wjson) json_t *scope = json_pack("{s:[]}", "grants");
    json_t *list = json_object_get(scope, "grants");

    for (size_t i = 0; i < set->count; i++) {
        const struct grant *g = &set->grants[i];
        json_t *item = json_pack("{s:I, s:s, s:s, s:s}", "id",
                                 (json_int_t)set->ids[i], "secret", g->secret,
                                 "field", g->field, "verb", verb_text(g->verb));

        if (json_array_append_new(list, item) != 0) {
            return AG_ENOMEM;
        }
    }
    return scope != NULL ? core_dump(scope, ret) : AG_ENOMEM;
}

static enum ag_err
make_text(struct core *core, struct issued *out)
{
    enum ag_err err = token_new(TOKEN_TASK, &out->text);

    if (err == AG_OK) {
        err = core_token_hash(core, TOKEN_TASK, secret_view(out->text),
                              out->token.hash);
    }
    token_new_text(TOKEN_ACCESSOR, out->token.accessor);
    return err;
}

static void
fill_live(const struct issue *what, struct live_token *token)
{
    token->parent_id = what->parent != NULL ? what->parent->id : 0;
    token->task_id = what->task_id;
    token->role = what->role;
    token->unbound = what->unbound;
    token->max_ms = what->max_ms;
    atomic_init(&token->expires_ms, what->expires_ms);
    atomic_init(&token->uses_left, what->uses);
    atomic_init(&token->generation, LIVE_FIRST_GENERATION);
    atomic_init(&token->revoked, false);
    atomic_init(&token->delivered_version_id, 0);
    atomic_init(&token->delivered_epoch, 0);
    token->grants = grant_set_share(what->grants);
}

enum ag_err
issue_row(struct core *core, struct db_tx *tx, const struct issue *what,
          struct issued *ret)
{
    AG_AUTO(token_row)
    struct token_row row = {
        .parent_id = what->parent != NULL ? what->parent->id : 0,
        .task_id = what->task_id,
        .role_id = what->role_id,
        .flags = what->role != 0
                     ? TOKEN_ROLE
                     : (what->unbound ? TOKEN_UNBOUND : TOKEN_BOUND),
        .expires_ms = what->expires_ms,
        .max_expires_ms = what->max_ms,
        .uses_max =
            what->uses == GRANT_USES_UNLIMITED ? UNLIMITED_ROW : what->uses,
    };
    AG_AUTO(issued) struct issued out = {0};
    enum ag_err err = make_text(core, &out);

    if (err == AG_OK && what->parent != NULL) {
        err = scope_text(what->grants, &row.scope);
    }
    if (err != AG_OK) {
        return err;
    }
    fill_live(what, &out.token);
    memcpy(row.hash, out.token.hash, sizeof(row.hash));
    (void)snprintf(row.accessor, sizeof(row.accessor), "%s",
                   out.token.accessor);
    err = tokens_add(tx, &row);
    if (err != AG_OK) {
        return err;
    }
    out.token.id = row.id;
    *ret = out;
    out = (struct issued){0};
    return AG_OK;
}

enum ag_err
issue_live(struct core *core, const struct issued *issued)
{
    struct live_token token = issued->token;

    token.grants = grant_set_share(issued->token.grants);
    return live_add(core->live, &token);
}

void
issued_done(struct issued *issued)
{
    secret_free(AG_TAKE(issued->text));
    grant_set_release(AG_TAKE(issued->token.grants));
}

enum ag_err
issued_answer(const struct issued *issued, json_t **ret)
{
    struct span text = secret_view(issued->text);
    AG_AUTO(wjson)
    json_t *answer = json_pack(
        "{s:s%, s:s, s:I}", "token", (const char *)text.ptr, text.len,
        "accessor", issued->token.accessor, "generation", (json_int_t)1);
    enum ag_err err = AG_OK;

    if (answer == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(answer, "expires_at",
                        atomic_load(&issued->token.expires_ms));
    if (err == AG_OK) {
        err = core_set_time(answer, "renew_until", issued->token.max_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

static bool
is_hidden(struct core *core, int64_t task_id, int64_t token_id)
{
    int64_t ids[RUNNING_HIDDEN_COUNT + 1];
    size_t count = running_hidden(core->running, task_id, ids);

    for (size_t i = 0; i < count; i++) {
        if (ids[i] == token_id) {
            return true;
        }
    }
    return false;
}

enum ag_err
issue_hide(struct core *core, int64_t task_id, int64_t token_id,
           const struct secret *text)
{
    int64_t oldest_id = 0;

    if (!is_hidden(core, task_id, token_id) &&
        !running_hide(core->running, task_id, token_id, clock_steady_ms(),
                      &oldest_id)) {
        return AG_OK;
    }
    if (oldest_id != 0) {
        redaction_drop_token(core, oldest_id);
    }
    return redaction_add_token(core, token_id, text);
}

/* ---- from the rows ---- */

struct gathered {
    struct grant grants[GRANTS_MAX_COUNT];
    int64_t ids[GRANTS_MAX_COUNT];
    size_t count;
};

static enum ag_err
gather_grant(const struct grant_row *row, void *arg)
{
    struct gathered *g = arg;
    struct grant *grant = &g->grants[g->count];

    if (row->ended_ms != 0 || g->count == GRANTS_MAX_COUNT) {
        return AG_OK;
    }
    (void)snprintf(grant->secret, sizeof(grant->secret), "%s", row->secret);
    (void)snprintf(grant->field, sizeof(grant->field), "%.255s", row->field);
    grant->verb = row->verb;
    grant->uses =
        row->uses_max == UNLIMITED_ROW ? GRANT_USES_UNLIMITED : row->uses_max;
    g->ids[g->count++] = row->id;
    return AG_OK;
}

static enum ag_err
gather_scope(const char *scope, struct gathered *g)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    json_t *item = NULL;
    size_t index = 0;
    enum ag_err err =
        wjson_parse(span_str(scope), TOKEN_SCOPE_MAX_BYTES, &tree);

    if (err != AG_OK) {
        return err;
    }
    json_array_foreach(json_object_get(tree, "grants"), index, item)
    {
        struct grant_row row = {.uses_max = UNLIMITED_ROW};
        const char *secret = json_string_value(json_object_get(item, "secret"));
        const char *field = json_string_value(json_object_get(item, "field"));
        const char *verb = json_string_value(json_object_get(item, "verb"));

        if (secret == NULL || field == NULL || verb == NULL ||
            verb_parse(span_str(verb), &row.verb) != AG_OK) {
            return AG_ECORRUPT;
        }
        row.id = json_integer_value(json_object_get(item, "id"));
        (void)snprintf(row.secret, sizeof(row.secret), "%s", secret);
        (void)snprintf(row.field, sizeof(row.field), "%s", field);
        err = gather_grant(&row, g);
        if (err != AG_OK) {
            return err;
        }
    }
    return AG_OK;
}

struct loading {
    struct core *core;
    struct db_read *read;
};

static enum ag_err
gather(struct db_read *r, const struct token_row *row, struct gathered *g)
{
    g->count = 0;
    if (row->parent_id != 0 && row->scope != NULL) {
        return gather_scope(row->scope, g);
    }
    return row->task_id != 0
               ? grants_of_task_each(r, row->task_id, gather_grant, g)
               : AG_OK;
}

static enum ag_err
load_role(struct db_read *r, const struct token_row *row, int *ret)
{
    struct role_row role = {0};
    enum ag_err err = AG_OK;

    if (row->role_id == 0) {
        return AG_OK;
    }
    err = roles_get(r, row->role_id, &role);
    if (err == AG_OK) {
        *ret = (int)role.kind;
    }
    return err;
}

static enum ag_err
load_one(const struct token_row *row, void *arg)
{
    struct loading *l = arg;
    struct gathered *g = calloc(1, sizeof(*g));
    AG_AUTO(grant_set) struct grant_set *set = NULL;
    struct issue what = {
        .task_id = row->task_id,
        .unbound = row->flags == TOKEN_UNBOUND,
        .expires_ms = row->expires_ms,
        .max_ms = row->max_expires_ms,
        .uses = row->uses_max == UNLIMITED_ROW
                    ? GRANT_USES_UNLIMITED
                    : row->uses_max - row->uses_count,
    };
    struct live_token token = {.id = row->id};
    struct live_line *line = NULL;
    enum ag_err err = g != NULL ? gather(l->read, row, g) : AG_ENOMEM;

    if (err == AG_OK) {
        err = grant_set_new(g->grants, g->ids, g->count, &set);
    }
    if (err == AG_OK) {
        err = load_role(l->read, row, &what.role);
    }
    free(g);
    if (err == AG_OK) {
        err = renewal_read(row, &line);
    }
    if (err != AG_OK) {
        return err;
    }
    what.grants = set;
    fill_live(&what, &token);
    token.parent_id = row->parent_id;
    memcpy(token.hash, line != NULL ? line->hash : row->hash,
           sizeof(token.hash));
    token.line = line; /* live_add() takes it over */
    (void)snprintf(token.accessor, sizeof(token.accessor), "%.53s",
                   row->accessor);
    atomic_store(&token.generation, (unsigned)row->generation);
    return live_add(l->core->live, &token);
}

enum ag_err
issue_load(struct core *core, struct db_read *r)
{
    struct loading l = {.core = core, .read = r};

    live_clear(core->live);
    return tokens_live_each(r, clock_wall_ms(), load_one, &l);
}
