/*
 * postgres: the password of a role that stays, by two users that take turns: while
 * clients still log in as the one, the other gets a new password and is put in its
 * place. The secret is a JSON object with username and password; all else in it
 * stays as it is. Parameters: users ("app_a,app_b"), endpoint
 * (postgresql://OWNER@HOST[:PORT]/DATABASE), source (the owner's password).
 *
 * A user whose password is not in the vault has none: retire and undo take it
 * away. An undo is of the user that the old value is not of; so each act may be
 * done again.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/secret.h"
#include "rotate/pq.h"
#include "rotate/rotators.h"
#include "wire/json.h"

enum {
    VALUE_MAX_BYTES = 8 * 1024,
    PORT_DEFAULT = 5432,
    PORT_MOST = 65535,
};

#define SCHEME "postgresql://"

/* ---- parameters ---- */

struct pair {
    char names[2][PQ_NAME_BYTES];
};

static bool
read_pair(const json_t *params, struct pair *ret)
{
    const char *text = json_string_value(json_object_get(params, "users"));
    const char *comma = text != NULL ? strchr(text, ',') : NULL;

    if (comma == NULL || strchr(comma + 1, ',') != NULL) {
        return false;
    }
    (void)snprintf(ret->names[0], PQ_NAME_BYTES, "%.*s", (int)(comma - text),
                   text);
    (void)snprintf(ret->names[1], PQ_NAME_BYTES, "%s", comma + 1);
    return comma != text && (size_t)(comma - text) < PQ_NAME_BYTES &&
           comma[1] != '\0' && strlen(comma + 1) < PQ_NAME_BYTES &&
           strcmp(ret->names[0], ret->names[1]) != 0;
}

/* As the minter's parameters are, so that they are checked by the same. */
static json_t *
place_of(const json_t *params)
{
    const char *text = json_string_value(json_object_get(params, "endpoint"));
    char user[PQ_NAME_BYTES] = "";
    char host[PQ_HOST_BYTES] = "";
    char name[PQ_NAME_BYTES] = "";
    const char *at = NULL;
    size_t host_len = 0;
    uint64_t port = PORT_DEFAULT;
    size_t digits = 0;

    if (text == NULL || strncmp(text, SCHEME, strlen(SCHEME)) != 0 ||
        strpbrk(text, "%?#") != NULL) {
        return NULL;
    }
    text += strlen(SCHEME);
    at = strchr(text, '@');
    host_len = at != NULL ? strcspn(at + 1, ":/") : 0;
    if (at == NULL || (size_t)(at - text) >= sizeof(user) ||
        memchr(text, ':', (size_t)(at - text)) != NULL ||
        host_len >= sizeof(host)) {
        return NULL;
    }
    (void)snprintf(user, sizeof(user), "%.*s", (int)(at - text), text);
    (void)snprintf(host, sizeof(host), "%.*s", (int)host_len, at + 1);
    text = at + 1 + host_len;
    if (*text == ':') {
        digits = strcspn(text + 1, "/");
        if (parse_u64(span_of(text + 1, digits), PORT_MOST, &port) != AG_OK) {
            return NULL;
        }
        text += 1 + digits;
    }
    if (*text != '/' || strlen(text + 1) >= sizeof(name)) {
        return NULL;
    }
    (void)snprintf(name, sizeof(name), "%s", text + 1);
    return json_pack("{s:s, s:i, s:s, s:s}", "host", host, "port", (int)port,
                     "dbname", name, "user", user);
}

static enum ag_err
check(const json_t *params)
{
    static const char *const TAKES[] = {"users", "endpoint", "source", NULL};
    AG_AUTO(wjson) json_t *place = place_of(params);
    struct pair pair;

    if (!params_only(params, TAKES)) {
        return err_why(AG_EINVAL, "postgres: takes users, endpoint, source");
    }
    if (!read_pair(params, &pair)) {
        return err_why(AG_EINVAL, "users: the two that take turns, like "
                                  "app_a,app_b");
    }
    if (place == NULL) {
        return err_why(AG_EINVAL,
                       "endpoint: " SCHEME "OWNER@HOST[:PORT]/DATABASE");
    }
    if (json_string_value(json_object_get(params, "source")) == NULL) {
        return err_why(AG_EINVAL, "source: the secret that is the owner's "
                                  "password");
    }
    return pq_check(place);
}

/* ---- values ---- */

static json_t *
tree_of(const struct secret *value)
{
    json_t *tree = NULL;

    return value != NULL && wjson_parse(secret_view(value), VALUE_MAX_BYTES,
                                        &tree) == AG_OK
               ? tree
               : NULL;
}

/* Which of the two a value is of; -1: neither. */
static int
user_of(const struct secret *value, const struct pair *pair)
{
    AG_AUTO(wjson) json_t *old = tree_of(value);
    const char *user = json_string_value(json_object_get(old, "username"));

    for (int i = 0; user != NULL && i < 2; i++) {
        if (strcmp(user, pair->names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static enum ag_err
make_value(const struct rotator_call *call, const char *user,
           const struct secret *password, struct secret **ret)
{
    AG_AUTO(wjson) json_t *tree = tree_of(call->old_value);
    AG_AUTO(buf) struct buf text = {0};
    struct span word = secret_view(password);
    enum ag_err err = AG_ENOMEM;

    buf_init(&text, VALUE_MAX_BYTES, BUF_WIPE);
    if (json_object_set_new(tree, "username", json_string(user)) == 0 &&
        json_object_set_new(tree, "password",
                            json_stringn((const char *)word.ptr, word.len)) ==
            0) {
        err = wjson_dump(tree, &text);
    }
    return err == AG_OK ? secret_from(buf_view(&text), ret) : err;
}

/* ---- acts ---- */

static void
answer_by(struct rotator_answer *ret, const struct pq_fate *fate)
{
    ret->outcome = fate->outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", fate->code);
}

static void
answer(struct rotator_answer *ret, enum rotator_outcome outcome,
       const char *code)
{
    ret->outcome = outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", code);
}

/* password NULL: none. */
static enum ag_err
set_password(struct pq *session, const char *user,
             const struct secret *password, struct rotator_answer *ret)
{
    AG_AUTO(buf) struct buf sql = {0};
    struct pq_fate fate = {0};
    enum ag_err err = AG_OK;

    buf_init(&sql, PQ_SQL_MAX_BYTES, BUF_WIPE);
    err = buf_add_str(&sql, "ALTER ROLE ");
    if (err == AG_OK) {
        err = pq_add_name(&sql, user);
    }
    if (err == AG_OK) {
        err = buf_add_str(&sql, password != NULL ? " LOGIN PASSWORD "
                                                 : " PASSWORD NULL");
    }
    if (err == AG_OK && password != NULL) {
        err = pq_add_verifier(session, user, password, &sql);
    }
    if (err == AG_OK) {
        pq_do(session, buf_cstr(&sql), &fate);
        answer_by(ret, &fate);
    }
    return err;
}

static enum ag_err
prepare(const struct rotator_call *call, struct pq *session, const char *user,
        struct rotator_answer *ret)
{
    AG_AUTO(secret) struct secret *password = NULL;
    enum ag_err err = pq_password(&password);

    if (err == AG_OK) {
        err = set_password(session, user, password, ret);
    }
    return err == AG_OK && ret->outcome == ROTATOR_DONE
               ? make_value(call, user, password, &ret->value)
               : err;
}

/* By logging in with it. */
static enum ag_err
verify(const struct rotator_call *call, struct pq_login *login,
       struct rotator_answer *ret)
{
    AG_AUTO(wjson) json_t *tree = tree_of(call->new_value);
    AG_AUTO(secret) struct secret *password = NULL;
    AG_AUTO(pq) struct pq *session = NULL;
    struct pq_fate fate = {0};
    enum ag_err err =
        secret_from(wjson_view(json_object_get(tree, "password")), &password);

    login->user = json_string_value(json_object_get(tree, "username"));
    login->password = password;
    if (err == AG_OK) {
        err = pq_open(login, &session, &fate);
        answer_by(ret, &fate);
    }
    return err;
}

static enum ag_err
by_owner(const struct rotator_call *call, const struct pq_login *login,
         const struct pair *pair, struct rotator_answer *ret)
{
    AG_AUTO(pq) struct pq *session = NULL;
    struct pq_fate fate = {0};
    int old = user_of(call->old_value, pair);
    enum ag_err err = pq_take(login, &session, &fate);

    if (session == NULL) {
        answer_by(ret, &fate);
        return err;
    }
    switch (call->act) {
    case ROTATOR_PREPARE:
        return prepare(call, session, pair->names[1 - old], ret);
    case ROTATOR_RETIRE:
        return set_password(session, pair->names[old], NULL, ret);
    case ROTATOR_UNDO:
        return set_password(session, pair->names[1 - old], NULL, ret);
    case ROTATOR_VERIFY:
        break;
    }
    return AG_EINTERNAL;
}

static enum ag_err
suits(const json_t *params, const struct secret *value)
{
    struct pair pair;

    return !read_pair(params, &pair) || user_of(value, &pair) >= 0
               ? AG_OK
               : err_why(AG_EINVAL,
                         "postgres: the value is no JSON object with a "
                         "username that is %s or %s",
                         pair.names[0], pair.names[1]);
}

static enum ag_err
act(const struct rotator_call *call, struct rotator_answer *ret)
{
    AG_AUTO(wjson) json_t *place = place_of(call->params);
    struct pq_login login = {0};
    struct pair pair;

    if (place == NULL || !read_pair(call->params, &pair)) {
        return AG_ENOMEM;
    }
    if (call->source == NULL) {
        answer(ret, ROTATOR_LATER, "source_gone");
        return AG_OK;
    }
    if (user_of(call->old_value, &pair) < 0) {
        answer(ret, ROTATOR_REFUSED, "not_of_the_two");
        return AG_OK;
    }
    pq_login_of(place, call->source, &login);
    return call->act == ROTATOR_VERIFY ? verify(call, &login, ret)
                                       : by_owner(call, &login, &pair, ret);
}

const struct rotator ROTATOR_POSTGRES = {
    .name = "postgres",
    .check = check,
    .suits = suits,
    .act = act,
};
