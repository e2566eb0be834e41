#include "core/renewal.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "core/issue.h"
#include "core/state.h"
#include "core/tokens.h"
#include "store/roles.h"
#include "store/tokens.h"

enum {
    HEX_BYTES = 2 * TOKEN_HASH_BYTES + 1,
};

/* ---- the line in a row's scope ---- */

static enum ag_err
read_hash(const json_t *line, const char *key, uint8_t out[TOKEN_HASH_BYTES])
{
    const char *hex = json_string_value(json_object_get(line, key));
    size_t len = 0;

    return hex != NULL && strlen(hex) == HEX_BYTES - 1 &&
                   sodium_hex2bin(out, TOKEN_HASH_BYTES, hex, HEX_BYTES - 1,
                                  NULL, &len, NULL) == 0 &&
                   len == TOKEN_HASH_BYTES
               ? AG_OK
               : AG_ECORRUPT;
}

static enum ag_err
read_line(json_t *tree, struct live_line *line)
{
    json_int_t before = 0;
    json_int_t at = 0;
    int used = 0;
    enum ag_err err = json_unpack(tree, "{s:I, s:I, s:b}", "before_generation",
                                  &before, "at", &at, "used", &used) == 0
                          ? AG_OK
                          : AG_ECORRUPT;

    if (err == AG_OK) {
        err = read_hash(tree, "hash", line->hash);
    }
    if (err == AG_OK) {
        err = read_hash(tree, "text", line->text);
    }
    if (err == AG_OK) {
        err = read_hash(tree, "before", line->before);
    }
    line->before_generation = before;
    line->renewed_ms = at;
    line->used = used != 0;
    return err;
}

/* An empty scope is no text, and a row that was never renewed has no line. */
static enum ag_err
scope_tree(const struct token_row *row, json_t **ret)
{
    if (row->scope == NULL || row->scope[0] == '\0') {
        *ret = json_object();
        return *ret != NULL ? AG_OK : AG_ENOMEM;
    }
    return wjson_parse(span_str(row->scope), TOKEN_SCOPE_MAX_BYTES, ret);
}

enum ag_err
renewal_read(const struct token_row *row, struct live_line **ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    json_t *there = NULL;
    struct live_line *line = NULL;
    enum ag_err err = scope_tree(row, &tree);

    if (err != AG_OK) {
        return err;
    }
    there = json_object_get(tree, "line");
    if (there == NULL) {
        *ret = NULL;
        return AG_OK;
    }
    line = calloc(1, sizeof(*line));
    if (line == NULL) {
        return AG_ENOMEM;
    }
    line->generation = row->generation;
    err = read_line(there, line);
    if (err != AG_OK) {
        free(line);
        return err_why(err, "table token, row %lld is damaged",
                       (long long)row->id);
    }
    *ret = line;
    return AG_OK;
}

static enum ag_err
write_line(struct db_tx *tx, struct token_row *row,
           const struct live_line *line)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    char hash[HEX_BYTES];
    char text[HEX_BYTES];
    char before[HEX_BYTES];
    char *scope = NULL;
    enum ag_err err = scope_tree(row, &tree);

    if (err != AG_OK) {
        return err;
    }
    (void)sodium_bin2hex(hash, HEX_BYTES, line->hash, TOKEN_HASH_BYTES);
    (void)sodium_bin2hex(text, HEX_BYTES, line->text, TOKEN_HASH_BYTES);
    (void)sodium_bin2hex(before, HEX_BYTES, line->before, TOKEN_HASH_BYTES);
    if (json_object_set_new(
            tree, "line",
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "hash", hash, "text",
                      text, "before", before, "before_generation",
                      (json_int_t)line->before_generation, "at",
                      (json_int_t)line->renewed_ms, "used", (int)line->used)) !=
        0) {
        return AG_ENOMEM;
    }
    err = core_dump(tree, &scope);
    if (err == AG_OK) {
        free(row->scope);
        row->scope = scope;
        row->generation = line->generation;
        err = tokens_update(tx, row);
    }
    return err;
}

/* ---- a text that is shown ---- */

enum ag_err
renewal_find(struct core *core, struct span text,
             uint8_t hash[TOKEN_HASH_BYTES], struct live_seen *seen,
             struct live_token **ret)
{
    uint8_t line[TOKEN_HASH_BYTES];
    struct live_token *token = NULL;
    enum ag_err err = core_token_hash(core, TOKEN_TASK, text, hash);

    if (err != AG_OK) {
        return err;
    }
    token = live_find(core->live, hash);
    if (token != NULL) {
        *seen = (struct live_seen){.used = true,
                                   .generation = LIVE_FIRST_GENERATION,
                                   .in_force = LIVE_FIRST_GENERATION};
        *ret = token;
        return AG_OK;
    }
    err = core_token_line(core, TOKEN_TASK, text, line);
    if (err != AG_OK) {
        return err;
    }
    token = live_find_line(core->live, line, hash, seen);
    if (token == NULL) {
        return AG_ENOTFOUND;
    }
    *ret = token;
    return AG_OK;
}

/* A clock that was set back makes it no longer. */
static bool
overlaps(struct core *core, const struct live_seen *seen, int64_t wall_ms)
{
    int64_t since_ms = wall_ms - seen->renewed_ms;

    return since_ms >= 0 && since_ms < core_settings_of(core).renew_overlap_ms;
}

enum ag_err
renewal_check(struct core *core, const struct live_seen *seen, bool renews,
              int64_t wall_ms)
{
    switch (seen->text) {
    case LIVE_NOW:
        return AG_OK;
    case LIVE_BEFORE:
        if (overlaps(core, seen, wall_ms) || (renews && !seen->used)) {
            return AG_OK;
        }
        return seen->used ? AG_ECLONED : AG_ERENEWED;
    case LIVE_OLD:
        return AG_ECLONED;
    }
    return AG_EINTERNAL;
}

struct first_use {
    struct core_job job;
    const struct call *call;
};

static enum ag_err
run_first_use(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct first_use *u = (const struct first_use *)job;
    AG_AUTO(token_row) struct token_row row = {0};
    struct live_line *line = NULL;
    enum ag_err err = tokens_get(db_tx_read(tx), u->call->token->id, &row);

    if (err == AG_OK) {
        err = renewal_read(&row, &line);
    }
    /* Renewed once more meanwhile, or somebody was first: nothing to say. */
    if (err == AG_OK && line != NULL && !line->used &&
        line->generation == u->call->shown_generation) {
        line->used = true;
        err = write_line(tx, &row, line);
        if (err == AG_OK) {
            err = core_note(tx, u->call, AUDIT_TOKEN_IN_USE, row.task_id, 0,
                            json_pack("{s:s, s:I}", "accessor", row.accessor,
                                      "generation",
                                      (json_int_t)line->generation));
        }
        if (err == AG_OK) {
            err = live_set_line(core->live, u->call->token, line);
        }
    }
    free(line);
    return err;
}

enum ag_err
renewal_first_use(struct core *core, const struct call *call)
{
    struct first_use use = {.job.run = run_first_use, .call = call};

    return core_write_wait(core, &use.job);
}

static enum ag_err
end_role(struct core *core, struct db_tx *tx, const struct live_token *token)
{
    AG_AUTO(token_row) struct token_row row = {0};
    enum ag_err err = live_revoke_family(core->live, 0, token->id);

    if (err == AG_OK) {
        err = tokens_get(db_tx_read(tx), token->id, &row);
    }
    return err == AG_OK ? roles_end(tx, row.role_id, END_ALARM) : err;
}

enum ag_err
renewal_cloned(struct core *core, struct db_tx *tx, const struct call *call,
               const struct live_token *token)
{
    enum ag_err err =
        token->task_id != 0
            ? core_end_task(core, tx, token->task_id, END_ALARM, -1)
            : end_role(core, tx, token);

    return err != AG_OK
               ? err
               : core_note(
                     tx, call, AUDIT_TOKEN_CLONED, token->task_id, 0,
                     json_pack("{s:s, s:s, s:I}", "code", err_code(AG_ECLONED),
                               "accessor", token->accessor, "generation",
                               (json_int_t)atomic_load(&token->generation)));
}

/* ---- renew ---- */

struct renewing {
    struct core *core;
    struct db_tx *tx;
    const struct call *call;
    struct token_row row;
    struct live_line *there; /* NULL: its first renewal */
    struct live_line line;
};

static void
renewing_done(struct renewing *r)
{
    token_row_done(&r->row);
    free(AG_TAKE(r->there));
}

AG_DEFINE_CLEANUP_INPLACE(renewing, renewing_done)

/* What was shown may have been renewed since it was looked at. That answer is
 * not lost but on its way, so its text stays the one in force: of two made here
 * the one before would be taken for a copy. */
static enum ag_err
check_shown(const struct renewing *r)
{
    int64_t shown = r->call->shown_generation;
    bool meanwhile = r->row.generation > r->call->seen_generation;

    if (shown == r->row.generation ||
        (r->there != NULL && !r->there->used && !meanwhile &&
         shown == r->there->before_generation)) {
        return AG_OK;
    }
    return r->there != NULL && !r->there->used
               ? err_why(AG_ERENEWED, "the token was renewed meanwhile by "
                                      "another call; use what that answered, "
                                      "or renew it again if that is lost")
               : err_why(AG_ERENEWED, "the token was renewed meanwhile, and "
                                      "its new text is in use");
}

/* The text after the one that was shown; an answer that got lost had one that
 * never was in use, so it is no part of the line. */
static enum ag_err
next_line(struct renewing *r)
{
    struct span text = secret_view(r->call->next);
    bool again = r->call->shown_generation != r->row.generation;
    enum ag_err err = core_token_line(r->core, TOKEN_TASK, text, r->line.hash);

    if (err == AG_OK) {
        err = core_token_hash(r->core, TOKEN_TASK, text, r->line.text);
    }
    memcpy(r->line.before,
           again              ? r->there->before
           : r->there != NULL ? r->there->text
                              : r->row.hash,
           TOKEN_HASH_BYTES);
    r->line.before_generation = r->call->shown_generation;
    r->line.generation = r->row.generation + 1;
    r->line.renewed_ms = db_tx_now_ms(r->tx);
    r->line.used = false;
    return err;
}

/* Up to the hard end, as Vault does. */
static void
set_end(struct renewing *r, int64_t ttl_ms)
{
    int64_t end_ms =
        ttl_ms != 0 ? db_tx_now_ms(r->tx) + ttl_ms : r->row.max_expires_ms;

    r->row.expires_ms =
        end_ms < r->row.max_expires_ms ? end_ms : r->row.max_expires_ms;
}

static enum ag_err
answer(const struct renewing *r, json_t **ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    struct span text = secret_view(r->call->next);
    enum ag_err err = token_describe(r->call->token, &tree);

    if (err == AG_OK &&
        (json_object_set_new(tree, "token",
                             json_stringn((const char *)text.ptr, text.len)) !=
             0 ||
         json_object_set_new(tree, "generation",
                             json_integer(r->line.generation)) != 0)) {
        err = AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = core_set_time(tree, "expires_at", r->row.expires_ms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(tree);
    }
    return err;
}

enum ag_err
core_token_renew(struct core *core, struct db_tx *tx, const struct call *call,
                 int64_t ttl_ms, json_t **ret)
{
    AG_AUTO(renewing)
    struct renewing r = {.core = core, .tx = tx, .call = call};
    AG_AUTO(wjson) json_t *tree = NULL;
    enum ag_err err = AG_OK;

    if (call->token == NULL || call->next == NULL) {
        return err_why(AG_ENOTOKEN, "no token was shown");
    }
    err = tokens_get(db_tx_read(tx), call->token->id, &r.row);
    if (err == AG_OK) {
        err = renewal_read(&r.row, &r.there);
    }
    if (err == AG_OK) {
        err = check_shown(&r);
    }
    if (err == AG_OK) {
        err = next_line(&r);
    }
    if (err != AG_OK) {
        return err;
    }
    set_end(&r, ttl_ms);
    err = write_line(tx, &r.row, &r.line);
    if (err == AG_OK && r.there == NULL) {
        err = tokens_add_line(tx, r.row.id, r.line.hash);
    }
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_TOKEN_RENEWED, r.row.task_id, 0,
                        json_pack("{s:s, s:I}", "accessor", r.row.accessor,
                                  "generation", (json_int_t)r.line.generation));
    }
    if (err == AG_OK) {
        err = answer(&r, &tree);
    }
    if (err == AG_OK) {
        err = issue_hide(core, r.row.task_id, r.row.id, call->next);
    }
    if (err == AG_OK) {
        err = live_set_line(core->live, call->token, &r.line);
    }
    if (err == AG_OK) {
        atomic_store(&call->token->expires_ms, r.row.expires_ms);
        *ret = AG_TAKE(tree);
    }
    return err;
}
