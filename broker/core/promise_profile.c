/* What a profile's tool is given: at which grade, and how it finds it. */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "core/places.h"
#include "core/promise_impl.h"
#include "core/proxied.h"
#include "core/state.h"
#include "core/trust.h"
#include "core/values.h"
#include "profile/fields.h"
#include "profile/plan.h"

/* One --profile on its way. */
struct wanted {
    const struct promising *m;
    const struct profile *profile;
    struct secret_row row;
    const struct profile_way *way; /* at grade proxy */
    enum verb best;
    enum verb verb;
};

static void
wanted_done(struct wanted *w)
{
    secret_row_done(&w->row);
}

AG_DEFINE_CLEANUP_INPLACE(wanted, wanted_done)

const struct profile_file *
promise_file(const struct profile *profile, const struct secret_row *row)
{
    const struct profile_file *file = value_file(row, profile);

    if (file == NULL && profile->files.count > 0) {
        file = &profile->files.items[0];
    }
    return file;
}

/* ---- arguments and variables ---- */

static enum ag_err
add_words(json_t *list, const struct strings *words)
{
    for (size_t i = 0; i < words->count; i++) {
        if (json_array_append_new(list, json_string(words->items[i])) != 0) {
            return AG_ENOMEM;
        }
    }
    return AG_OK;
}

/* Arguments are for the profile's own commands; the command line looks. */
static enum ag_err
add_run(const struct wanted *w)
{
    const struct profile_run *run = w->profile->run;
    const struct strings *args =
        w->verb == VERB_PROXY ? &w->way->args : &run->args;
    struct promises *p = w->m->p;
    AG_AUTO(wjson)
    json_t *entry = json_pack("{s:[], s:[]}", "commands", "args");
    enum ag_err err = add_words(p->unset, &run->unset);

    if (entry == NULL) {
        return AG_ENOMEM;
    }
    if (err == AG_OK) {
        err = add_words(json_object_get(entry, "commands"), &run->commands);
    }
    if (err == AG_OK) {
        err = add_words(json_object_get(entry, "args"), args);
    }
    if (err != AG_OK || args->count == 0) {
        return err;
    }
    return json_array_append(p->args, entry) == 0 ? AG_OK : AG_ENOMEM;
}

/* ---- the tool's file ---- */

static const char *
plan_by_word(enum deliver_by by)
{
    switch (by) {
    case DELIVER_NONE:
        return "none";
    case DELIVER_ENV:
        return "env";
    case DELIVER_LINK:
        return "link";
    }
    return "none";
}

static enum ag_err
describe_file(const struct wanted *w, const struct delivery_plan *plan,
              const char *path, json_t **ret)
{
    json_t *item =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:s, s:s}", "kind",
                  "file", "profile", w->profile->name, "secret", w->row.name,
                  "version", (json_int_t)w->row.current_version, "name",
                  plan->basename, "by", plan_by_word(plan->by), "watch",
                  plan->watch, "mode", "0600", "grade", verb_text(w->verb));

    if (item == NULL) {
        return AG_ENOMEM;
    }
    if (plan->by == DELIVER_ENV &&
        (json_object_set_new(item, "var", json_string(plan->var)) != 0 ||
         json_object_set_new(item, "dir",
                             json_boolean(plan->points == POINTS_DIR)) != 0)) {
        json_decref(item);
        return AG_ENOMEM;
    }
    /* The file's own path if it was adopted from one, else the template. */
    if (plan->by == DELIVER_LINK &&
        json_object_set_new(
            item, "link", json_string(path != NULL ? path : plan->link)) != 0) {
        json_decref(item);
        return AG_ENOMEM;
    }
    *ret = item;
    return AG_OK;
}

static enum ag_err
check_holder(struct core *core, const struct secret_row *row)
{
    int64_t holder = running_holder(core->running, row->id);

    if (holder == 0) {
        return AG_OK;
    }
    return err_why(AG_EHELD,
                   "task %lld holds the login %s, which only one may refresh; "
                   "wait for it, or: auth-guard task end %lld",
                   (long long)holder, row->name, (long long)holder);
}

static enum ag_err
give_file(const struct wanted *w)
{
    AG_AUTO(wjson) json_t *detail = NULL;
    const struct secret_row *row = &w->row;
    const struct profile_file *file = promise_file(w->profile, row);
    struct delivery_plan plan = {0};
    struct delivery delivery = {.secret_id = row->id,
                                .verb = w->verb,
                                .profile = w->profile,
                                .version = row->current_version};
    const char *path = NULL;
    json_t *item = NULL;
    enum ag_err err =
        wjson_parse(span_str(row->detail != NULL ? row->detail : "{}"),
                    SECRET_DETAIL_MAX_BYTES, &detail);

    if (err != AG_OK) {
        return err;
    }
    delivery.file_index =
        file != NULL ? (size_t)(file - w->profile->files.items) : 0;
    path = json_string_value(json_object_get(detail, "path"));
    err = delivery_plan(w->profile, delivery.file_index, path, &plan);
    if (err == AG_OK) {
        err = describe_file(w, &plan, path, &item);
    }
    if (err != AG_OK) {
        return err;
    }
    delivery.watch = plan.watch;
    /* With placeholders nobody refreshes but the broker. */
    delivery.single_holder = plan.single_holder && w->verb == VERB_FILE;
    return promise_delivery(w->m->p, &delivery, item);
}

/* ---- by grade ---- */

static enum ag_err
give_file_grade(const struct wanted *w)
{
    enum ag_err err = promise_grant(w->m->p, w->row.name, "", VERB_FILE,
                                    GRANT_USES_UNLIMITED);

    return err == AG_OK ? give_file(w) : err;
}

/* Where the value may go is sealed with it; here is only how the tool is made
 * to send it by us. */
static enum ag_err
give_way(struct wanted *w)
{
    const struct profile_way *way = w->way;
    struct promises *p = w->m->p;
    struct proxied_item *item = NULL;
    enum ag_err err = places_of(w->m->tx, w->m->call, w->profile, &w->row);

    if (err == AG_OK) {
        err = promise_item(p, &w->row, "", GRANT_USES_UNLIMITED, &item);
    }
    if (err == AG_OK) {
        places_keep_profile(&item->places);
    }
    if (err == AG_OK && way->file) {
        err = give_file(w);
    }
    for (size_t i = 0; err == AG_OK && i < way->env.count; i++) {
        const struct profile_env *env = &way->env.items[i];

        err = promise_placeholder(
            p, &w->row, env->field != NULL ? env->field : "", env->var);
    }
    for (size_t i = 0; err == AG_OK && i < way->urls.count; i++) {
        const struct profile_url *url = &way->urls.items[i];

        err = promise_url(p, url->var, url->service,
                          span_str(url->path != NULL ? url->path : ""));
    }
    return err;
}

static enum ag_err
give_variable(const struct wanted *w, const struct profile_env *env)
{
    struct delivery delivery = {.secret_id = w->row.id,
                                .verb = VERB_ENV,
                                .version = w->row.current_version};
    enum ag_err err = promise_grant(w->m->p, w->row.name,
                                    env->field != NULL ? env->field : "",
                                    VERB_ENV, GRANT_USES_UNLIMITED);

    if (err != AG_OK) {
        return err;
    }
    (void)snprintf(delivery.field, sizeof(delivery.field), "%s",
                   env->field != NULL ? env->field : "");
    return promise_delivery(w->m->p, &delivery,
                            json_pack("{s:s, s:s, s:s, s:I, s:b, s:s}", "kind",
                                      "env", "var", env->var, "secret",
                                      w->row.name, "version",
                                      (json_int_t)w->row.current_version,
                                      "watch", 0, "grade", "env"));
}

/* Does the value have this field? */
static enum ag_err
has_field(const struct wanted *w, const char *field, bool *ret)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct version_row version = {0};
    enum ag_err err = value_of(
        w->m->core, db_tx_read(w->m->tx),
        &(struct value_wish){.row = &w->row, .field = field}, &version, &value);

    *ret = err == AG_OK && secret_len(value) > 0 &&
           !span_is(secret_view(value), "null");
    return err == AG_ENOTFOUND ? AG_OK : err;
}

static enum ag_err
give_env_grade(const struct wanted *w)
{
    const struct profile_envs *list = &w->profile->run->env;
    size_t count = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < list->count; i++) {
        bool there = false;

        err = has_field(w, list->items[i].field, &there);
        if (err == AG_OK && there) {
            count++;
            err = give_variable(w, &list->items[i]);
        }
    }
    return err == AG_OK && count == 0
               ? err_why(AG_EUNSUPPORTED,
                         "profile %s names no variable for this value; give it "
                         "by --env VAR=ag://%s",
                         w->profile->name, w->row.name)
               : err;
}

/* ---- which grade ---- */

static bool
has_file(const struct profile *profile)
{
    for (size_t i = 0; i < profile->files.count; i++) {
        if (profile->files.items[i].deliver->by != DELIVER_NONE) {
            return true;
        }
    }
    return false;
}

static enum verb
asked_verb(const struct wanted *w)
{
    switch (w->m->request->grade) {
    case TASK_GRADE_BEST:
        return w->best;
    case TASK_GRADE_PROXY:
        return VERB_PROXY;
    case TASK_GRADE_SIGN:
        return VERB_SIGN;
    case TASK_GRADE_FILE:
        return VERB_FILE;
    case TASK_GRADE_ENV:
        return VERB_ENV;
    }
    return w->best;
}

static enum ag_err
choose(struct wanted *w)
{
    enum ag_err err = promise_way(w->m->core, db_tx_read(w->m->tx), w->profile,
                                  &w->row, &w->way);
    enum verb without = has_file(w->profile) ? VERB_FILE : VERB_ENV;

    w->best = err == AG_OK ? VERB_PROXY : without;
    w->verb = asked_verb(w);
    if (err != AG_OK && err != AG_ENOTFOUND) {
        return err;
    }
    if (w->verb == VERB_PROXY && err == AG_ENOTFOUND) {
        return err_why(AG_EUNSUPPORTED, "%s", err_text(err));
    }
    return w->verb == VERB_SIGN
               ? err_why(AG_EUNSUPPORTED, "%s can't be used at grade sign",
                         w->profile->title)
               : AG_OK;
}

static enum ag_err
give(struct wanted *w)
{
    enum ag_err err = AG_OK;

    if (w->profile->single_holder && w->verb != VERB_ENV) {
        err = check_holder(w->m->core, &w->row);
    }
    if (err != AG_OK) {
        return err;
    }
    return w->verb == VERB_PROXY  ? give_way(w)
           : w->verb == VERB_FILE ? give_file_grade(w)
                                  : give_env_grade(w);
}

enum ag_err
promise_profile(const struct promising *m, const char *text)
{
    AG_AUTO(wanted) struct wanted w = {.m = m};
    AG_AUTO(secret_row) struct secret_row again = {0};
    struct db_read *r = db_tx_read(m->tx);
    char name[NAME_MAX_BYTES + 1];
    const char *equals = strchr(text, '=');
    enum ag_err err = AG_OK;

    (void)snprintf(name, sizeof(name), "%.*s",
                   equals != NULL ? (int)(equals - text) : NAME_MAX_BYTES,
                   text);
    err = trust_find(m->core, r, name, &w.profile);
    if (err == AG_OK) {
        err = promise_secret(r, equals != NULL ? equals + 1 : w.profile->secret,
                             VERB_PROXY, &w.row);
    }
    if (err == AG_OK) {
        err = choose(&w);
    }
    /* What the secret allows at worst no word overrules. */
    if (err == AG_OK) {
        err = promise_secret(r, w.row.name, w.verb, &again);
    }
    if (err == AG_OK) {
        err = promise_downgrade(m, &w.row, w.best, w.verb);
    }
    if (err == AG_OK) {
        err = give(&w);
    }
    return err == AG_OK ? add_run(&w) : err;
}
