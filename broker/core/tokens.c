#include "core/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/issue.h"
#include "core/state.h"
#include "store/tokens.h"

enum {
    TOKENS_LIST_MAX_COUNT = 200,
};

/* ---- create ---- */

struct creating {
    struct core *core;
    struct db_tx *tx;
    const struct call *call;
    const struct token_request *request;
    const struct live_token *parent; /* what it hangs from; borrowed */
    struct live_token *found;        /* owned, when looked up by task */
    struct grant_set *grants;
    struct issued issued;
};

static void
creating_done(struct creating *c)
{
    live_release(c->found);
    grant_set_release(c->grants);
    issued_done(&c->issued);
}

AG_DEFINE_CLEANUP_INPLACE(creating, creating_done)

struct root_search {
    int64_t task_id;
    char accessor[TOKEN_TEXT_BYTES];
};

static void
match_root(void *arg, const struct live_token *token)
{
    struct root_search *search = arg;

    if (token->task_id == search->task_id && token->parent_id == 0 &&
        !atomic_load(&token->revoked)) {
        (void)snprintf(search->accessor, sizeof(search->accessor), "%s",
                       token->accessor);
    }
}

/* The operator names a task: the child hangs from that task's first token. */
static enum ag_err
find_parent(struct creating *c)
{
    struct root_search search = {0};
    enum ag_err err = AG_OK;

    if (c->request->task == NULL) {
        c->parent = c->call->token;
        return c->parent != NULL && c->parent->role == 0
                   ? AG_OK
                   : err_why(AG_EINVAL,
                             "name a task, or show the token that the new one "
                             "is to be a child of");
    }
    if (c->call->who == CALLER_TASK) {
        return err_why(AG_EDENIED, "a task makes tokens for itself only, as "
                                   "children of the one it shows");
    }
    err = core_parse_id(c->request->task, &search.task_id);
    if (err != AG_OK) {
        return err;
    }
    live_each(c->core->live, match_root, &search);
    c->found = search.accessor[0] != '\0'
                   ? live_find_accessor(c->core->live, search.accessor)
                   : NULL;
    c->parent = c->found;
    return c->found != NULL ? AG_OK
                            : err_why(AG_ENOTFOUND, "task %s does not run",
                                      c->request->task);
}

static enum ag_err
read_grants(const struct token_request *request, struct grant *grants)
{
    enum ag_err err = AG_OK;

    if (request->grant_count > GRANTS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    for (size_t i = 0; i < request->grant_count && err == AG_OK; i++) {
        const struct task_grant_request *wish = &request->grants[i];

        err = parse_name_pattern(span_str(wish->secret));
        if (err == AG_OK) {
            err = verb_parse(span_str(wish->verb), &grants[i].verb);
        }
        if (err == AG_OK && wish->uses != GRANT_USES_UNLIMITED) {
            err = err_why(AG_EINVAL, "uses of a token made from another are "
                                     "limited as a whole: give 'uses' beside "
                                     "'grants'");
        }
        (void)snprintf(grants[i].secret, sizeof(grants[i].secret), "%s",
                       wish->secret);
        (void)snprintf(grants[i].field, sizeof(grants[i].field), "%s",
                       wish->field != NULL ? wish->field : "");
        grants[i].uses = GRANT_USES_UNLIMITED;
    }
    return err;
}

/* Each grant of the child counts as a use of the parent's that covers it. */
static void
inherit(const struct grant_set *parent, struct grant *grants, int64_t *ids,
        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < parent->count; k++) {
            const struct grant *p = &parent->grants[k];

            if (p->verb == grants[i].verb &&
                pattern_covers(p->secret, grants[i].secret) &&
                field_covers(p->field, grants[i].field)) {
                ids[i] = parent->ids[k];
                grants[i].uses = p->uses;
                break;
            }
        }
    }
}

static enum ag_err
narrow(struct creating *c)
{
    const struct grant_set *parent = c->parent->grants;
    struct grant *grants = NULL;
    int64_t ids[GRANTS_MAX_COUNT] = {0};
    enum ag_err err = AG_OK;

    if (c->request->grant_count == 0) {
        c->grants = grant_set_share(c->parent->grants);
        return AG_OK;
    }
    grants = calloc(GRANTS_MAX_COUNT, sizeof(*grants));
    if (grants == NULL) {
        return AG_ENOMEM;
    }
    err = read_grants(c->request, grants);
    inherit(parent, grants, ids, c->request->grant_count);
    if (err == AG_OK) {
        err = grants_narrow(parent->grants, parent->count, grants,
                            c->request->grant_count);
    }
    if (err == AG_OK) {
        err = grant_set_new(grants, ids, c->request->grant_count, &c->grants);
    }
    free(grants);
    return err;
}

/* Ends, uses and binding; what is asked beyond the parent's is refused. */
static enum ag_err
limits(const struct creating *c, struct issue *what)
{
    const struct token_request *request = c->request;
    int64_t now_ms = db_tx_now_ms(c->tx);
    int64_t max_ms =
        request->max_ttl_ms != 0 ? request->max_ttl_ms : request->ttl_ms;

    what->expires_ms = request->ttl_ms != 0
                           ? now_ms + request->ttl_ms
                           : atomic_load(&c->parent->expires_ms);
    what->max_ms = max_ms != 0 ? now_ms + max_ms : c->parent->max_ms;
    what->uses = request->uses != 0 ? request->uses : GRANT_USES_UNLIMITED;
    what->unbound = request->unbound || c->parent->unbound;
    if (what->max_ms > c->parent->max_ms || what->expires_ms > what->max_ms) {
        return err_why(AG_EWIDER,
                       "ttl: the child would outlive its parent's hard end");
    }
    /* Its children would each have uses of their own. */
    if (atomic_load(&c->parent->uses_left) != GRANT_USES_UNLIMITED) {
        return err_why(AG_EWIDER,
                       "uses: a token that is good for so many uses has no "
                       "children");
    }
    if (request->unbound && c->call->who == CALLER_TASK) {
        return err_why(AG_EWIDER, "only the operator may make a token that is "
                                  "not bound to the task's processes");
    }
    return AG_OK;
}

/* What a task makes in a loop ends here, and not with the broker's memory. */
static enum ag_err
check_room(const struct creating *c)
{
    const struct core_settings settings = core_settings_of(c->core);
    size_t max_count = (size_t)settings.task_tokens_max;
    int64_t task_id = c->parent->task_id;

    if (live_task_count(c->core->live, task_id) < max_count ||
        live_task_trim(c->core->live, task_id, db_tx_now_ms(c->tx)) <
            max_count) {
        return AG_OK;
    }
    return err_why(AG_ELIMIT,
                   "task %lld has %zu live tokens, as many as it may have; "
                   "revoke some, give them a shorter ttl, or raise [task] "
                   "tokens_max in settings.ini",
                   (long long)task_id, max_count);
}

enum ag_err
core_token_create(struct core *core, struct db_tx *tx, const struct call *call,
                  const struct token_request *request, json_t **ret)
{
    AG_AUTO(creating)
    struct creating c = {
        .core = core, .tx = tx, .call = call, .request = request};
    AG_AUTO(wjson) json_t *answer = NULL;
    struct issue what = {0};
    enum ag_err err = find_parent(&c);

    if (err == AG_OK) {
        err = narrow(&c);
    }
    if (err == AG_OK) {
        err = limits(&c, &what);
    }
    if (err == AG_OK) {
        err = check_room(&c);
    }
    if (err != AG_OK) {
        return err;
    }
    what.task_id = c.parent->task_id;
    what.parent = c.parent;
    what.grants = c.grants;
    err = issue_row(core, tx, &what, &c.issued);
    if (err == AG_OK) {
        err = core_note(tx, call, AUDIT_TOKEN_CREATED, what.task_id, 0,
                        json_pack("{s:s, s:I, s:b}", "accessor",
                                  c.issued.token.accessor, "parent",
                                  (json_int_t)c.parent->id, "unbound",
                                  (int)what.unbound));
    }
    if (err == AG_OK) {
        err = issued_answer(&c.issued, &answer);
    }
    if (err == AG_OK) {
        err = issue_hide(core, what.task_id, c.issued.token.id, c.issued.text);
    }
    if (err == AG_OK) {
        err = issue_live(core, &c.issued);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return err;
}

/* ---- look-up ---- */

static enum ag_err
add_grants(const struct grant_set *set, json_t *item)
{
    json_t *list = json_array();

    for (size_t i = 0; i < set->count; i++) {
        const struct grant *g = &set->grants[i];
        json_t *grant = json_pack("{s:s, s:s, s:s, s:I}", "secret", g->secret,
                                  "field", g->field, "verb", verb_text(g->verb),
                                  "uses", (json_int_t)g->uses);

        if (json_array_append_new(list, grant) != 0) {
            json_decref(list);
            return AG_ENOMEM;
        }
    }
    return json_object_set_new(item, "grants", list) == 0 ? AG_OK : AG_ENOMEM;
}

enum ag_err
token_describe(const struct live_token *token, json_t **ret)
{
    AG_AUTO(wjson)
    json_t *item = json_pack(
        "{s:s, s:I, s:s, s:b, s:b, s:I, s:I}", "accessor", token->accessor,
        "task", (json_int_t)token->task_id, "role",
        token->role != 0 ? role_kind_text((enum role_kind)token->role) : "",
        "unbound", (int)token->unbound, "revoked",
        (int)atomic_load(&token->revoked), "uses_left",
        (json_int_t)atomic_load(&token->uses_left), "generation",
        (json_int_t)atomic_load(&token->generation));
    enum ag_err err = AG_OK;

    if (item == NULL) {
        return AG_ENOMEM;
    }
    err = core_set_time(item, "expires_at", atomic_load(&token->expires_ms));
    if (err == AG_OK) {
        err = core_set_time(item, "renew_until", token->max_ms);
    }
    if (err == AG_OK) {
        err = add_grants(token->grants, item);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(item);
    }
    return err;
}

enum ag_err
core_token_self(struct core *core, const struct call *call, json_t **ret)
{
    (void)core;
    return call->token != NULL ? token_describe(call->token, ret)
                               : err_why(AG_ENOTOKEN, "no token was shown");
}

enum ag_err
token_by_accessor(struct core *core, const struct call *call,
                  const char *accessor, struct live_token **ret)
{
    struct live_token *token = live_find_accessor(core->live, accessor);

    if (token != NULL && call->who == CALLER_TASK &&
        token->task_id != call->task_id) {
        live_release(token);
        token = NULL;
    }
    if (token == NULL) {
        return err_why(AG_ENOTFOUND, "no live token has that accessor");
    }
    *ret = token;
    return AG_OK;
}

enum ag_err
core_token_lookup(struct core *core, const struct call *call,
                  const char *accessor, json_t **ret)
{
    AG_AUTO(live_token) struct live_token *token = NULL;
    enum ag_err err = token_by_accessor(core, call, accessor, &token);

    return err == AG_OK ? token_describe(token, ret) : err;
}

struct listing {
    int64_t task_id; /* 0: all */
    json_t *items;
    enum ag_err err;
};

static void
list_one(void *arg, const struct live_token *token)
{
    struct listing *listing = arg;
    json_t *item = NULL;

    if ((listing->task_id != 0 && token->task_id != listing->task_id) ||
        atomic_load(&token->revoked) || listing->err != AG_OK ||
        json_array_size(listing->items) >= TOKENS_LIST_MAX_COUNT) {
        return;
    }
    listing->err = token_describe(token, &item);
    if (listing->err == AG_OK &&
        json_array_append_new(listing->items, item) != 0) {
        listing->err = AG_ENOMEM;
    }
}

enum ag_err
core_tokens_list(struct core *core, const struct call *call, const char *task,
                 json_t **ret)
{
    AG_AUTO(wjson) json_t *answer = json_pack("{s:[]}", "tokens");
    struct listing listing = {0};

    (void)call;
    if (answer == NULL) {
        return AG_ENOMEM;
    }
    if (task != NULL) {
        listing.err = core_parse_id(task, &listing.task_id);
    }
    listing.items = json_object_get(answer, "tokens");
    if (listing.err == AG_OK) {
        live_each(core->live, list_one, &listing);
    }
    if (listing.err == AG_OK) {
        *ret = AG_TAKE(answer);
    }
    return listing.err;
}
