/*
 * postgres: a role of PostgreSQL's for each task, a member of the roles that the
 * rule names. Parameters: host, port, dbname, user (who may create roles; the
 * source is its password), sslmode, sslrootcert (pq.h); roles (names); owner
 * (who gets what the role leaves, the first of the roles if absent); format
 * (json or url).
 *
 * What a task leaves is code too: functions that run as their owner, triggers,
 * expressions of an index. By default it goes to whose rights the task had
 * anyway, never to the user that makes the roles. That user may give it away,
 * since it is a member of the task's role, and by that of those it is in.
 *
 * The handle is the role's name. A revoke first closes the door, then ends the
 * sessions, then gives away what the role owns and drops it; each step may be
 * done again. What it owns in another database keeps the role there, without a
 * login (sqlstate_2bp01): until a person has given that away.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "rotate/minters.h"
#include "rotate/pq.h"
#include "wire/json.h"

enum {
    ROLES_MAX_COUNT = 16,
    VALUE_MAX_BYTES = 2048,
    SOURCE_MAX_BYTES = 64 * 1024, /* what is no longer can be an object */
    TRIES_COUNT = 4, /* of what others' acts at the same moment kept from it */
    TRY_PAUSE_MS = 20,
    /* Of a making, since it is on record: no later is it asked for, so that
     * there is a time after which nothing can come of it any more. */
    ASK_MS = 10 * 1000,
};

/* ---- parameters ---- */

static enum ag_err
check_known(const json_t *params)
{
    static const char *const KNOWN[] = {"host",  "port",    "dbname",
                                        "user",  "sslmode", "sslrootcert",
                                        "roles", "owner",   "format"};
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)params, key, value)
    {
        bool known = false;

        for (size_t i = 0; i < AG_COUNT(KNOWN); i++) {
            known = known || strcmp(key, KNOWN[i]) == 0;
        }
        if (!known) {
            return err_why(AG_EINVAL,
                           "postgres: %.40s: takes host, port, dbname, user, "
                           "sslmode, sslrootcert, roles, owner, format",
                           key);
        }
    }
    return AG_OK;
}

/* One name, or a list. */
static size_t
role_count(const json_t *params)
{
    const json_t *roles = json_object_get(params, "roles");

    return json_is_string(roles) ? 1 : json_array_size(roles);
}

static const json_t *
role_at(const json_t *params, size_t index)
{
    const json_t *roles = json_object_get(params, "roles");

    return json_is_string(roles) ? roles : json_array_get(roles, index);
}

static enum ag_err
check_roles(const json_t *params)
{
    const char *user = json_string_value(json_object_get(params, "user"));
    size_t count = role_count(params);

    for (size_t i = 0; i < count; i++) {
        const json_t *role = role_at(params, i);

        if (!pq_is_name(role) || strcmp(json_string_value(role), user) == 0) {
            return err_why(AG_EINVAL, "roles: names of roles, and not of the "
                                      "user that makes the new ones");
        }
    }
    return count >= 1 && count <= ROLES_MAX_COUNT
               ? AG_OK
               : err_why(AG_EINVAL,
                         "roles: 1 to %d names of what a task's role is a "
                         "member of",
                         ROLES_MAX_COUNT);
}

static bool
wants_url(const json_t *params)
{
    const char *format = json_string_value(json_object_get(params, "format"));

    return format != NULL && strcmp(format, "url") == 0;
}

static enum ag_err
check(const json_t *params)
{
    const json_t *owner = json_object_get(params, "owner");
    const json_t *format = json_object_get(params, "format");
    const char *word = json_string_value(format);
    enum ag_err err = check_known(params);

    if (err == AG_OK) {
        err = pq_check(params);
    }
    if (err == AG_OK) {
        err = check_roles(params);
    }
    if (err == AG_OK && owner != NULL && !pq_is_name(owner)) {
        err = err_why(AG_EINVAL, "owner: the name of a role");
    }
    if (err == AG_OK && format != NULL &&
        (word == NULL ||
         (strcmp(word, "json") != 0 && strcmp(word, "url") != 0))) {
        err = err_why(AG_EINVAL, "format: json or url");
    }
    return err;
}

/* A login as a whole would be sent for a password, and refused at each use. */
static enum ag_err
suits(const json_t *params, const struct secret *source)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    const char *user = json_string_value(json_object_get(params, "user"));

    if (wjson_parse(secret_view(source), SOURCE_MAX_BYTES, &tree) == AG_OK &&
        json_is_object(tree)) {
        return err_why(AG_EINVAL,
                       "postgres: the source is a JSON object; name the field "
                       "of it, like --from NAME#/password, that is the "
                       "password of %s",
                       user);
    }
    return pq_is_password(secret_view(source))
               ? AG_OK
               : err_why(AG_EINVAL,
                         "postgres: the source is no password, which has 1 to "
                         "%d bytes in one line; put that of %s",
                         PQ_PASSWORD_MAX_BYTES, user);
}

/* ---- the value ---- */

/* A byte of a URL's part as it is, or %XX. */
static enum ag_err
add_part(struct buf *out, const char *text)
{
    enum ag_err err = AG_OK;

    for (const char *c = text; err == AG_OK && *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-._~", *c) != NULL;

        err = plain ? buf_add_byte(out, (uint8_t)*c)
                    : buf_fmt(out, "%%%02X", (unsigned)(uint8_t)*c);
    }
    return err;
}

static enum ag_err
write_url(const struct minter_call *call, const struct pq_login *login,
          const struct secret *password, struct buf *out)
{
    bool is_v6 = strchr(login->host, ':') != NULL;
    enum ag_err err = buf_fmt(out, "postgresql://%s:", call->handle);

    if (err == AG_OK) {
        err = buf_add(out, secret_view(password));
    }
    if (err == AG_OK) {
        err = buf_add_str(out, is_v6 ? "@[" : "@");
    }
    if (err == AG_OK) {
        err =
            is_v6 ? buf_add_str(out, login->host) : add_part(out, login->host);
    }
    if (err == AG_OK) {
        err = buf_fmt(out, "%s:%d/", is_v6 ? "]" : "", login->port);
    }
    if (err == AG_OK) {
        err = add_part(out, login->dbname);
    }
    return err == AG_OK ? buf_fmt(out, "?sslmode=%s", login->sslmode) : err;
}

static enum ag_err
write_json(const struct minter_call *call, const struct pq_login *login,
           const struct secret *password, struct buf *out)
{
    struct span text = secret_view(password);
    AG_AUTO(wjson)
    json_t *value = json_pack(
        "{s:s, s:s%, s:s, s:i, s:s, s:s}", "username", call->handle, "password",
        (const char *)text.ptr, text.len, "host", login->host, "port",
        login->port, "dbname", login->dbname, "sslmode", login->sslmode);

    return value != NULL ? wjson_dump(value, out) : AG_ENOMEM;
}

static enum ag_err
make_value(const struct minter_call *call, const struct pq_login *login,
           const struct secret *password, struct secret **ret)
{
    AG_AUTO(buf) struct buf out = {0};
    enum ag_err err = AG_OK;

    buf_init(&out, VALUE_MAX_BYTES, BUF_WIPE);
    err = wants_url(call->params) ? write_url(call, login, password, &out)
                                  : write_json(call, login, password, &out);
    return err == AG_OK ? secret_from(buf_view(&out), ret) : err;
}

/* ---- statements ---- */

static enum ag_err
add_until(struct buf *sql, int64_t expires_ms)
{
    char text[CLOCK_TEXT_BYTES];

    clock_text(expires_ms, text);
    return buf_fmt(sql, " VALID UNTIL '%s'", text);
}

/* CREATE ROLE …, or ALTER ROLE … of one that is there. */
static enum ag_err
write_role(struct pq *session, const struct minter_call *call,
           const struct secret *password, bool is_new, struct buf *sql)
{
    enum ag_err err = buf_fmt(sql, "%s ROLE ", is_new ? "CREATE" : "ALTER");

    if (err == AG_OK) {
        err = pq_add_name(sql, call->handle);
    }
    if (err == AG_OK) {
        err = buf_add_str(sql, " LOGIN PASSWORD ");
    }
    if (err == AG_OK) {
        err = pq_add_verifier(session, call->handle, password, sql);
    }
    if (err == AG_OK) {
        err = add_until(sql, call->expires_ms);
    }
    for (size_t i = 0; err == AG_OK && is_new && i < role_count(call->params);
         i++) {
        err = buf_add_str(sql, i == 0 ? " IN ROLE " : ", ");
        if (err == AG_OK) {
            err = pq_add_name(sql, json_string_value(role_at(call->params, i)));
        }
    }
    /* A member of it may end its sessions and give away what it owns. */
    return err == AG_OK && is_new ? buf_add_str(sql, " ROLE CURRENT_USER")
                                  : err;
}

static enum ag_err
write_renewal(const struct minter_call *call, struct buf *sql)
{
    enum ag_err err = buf_add_str(sql, "ALTER ROLE ");

    if (err == AG_OK) {
        err = pq_add_name(sql, call->handle);
    }
    return err == AG_OK ? add_until(sql, call->expires_ms) : err;
}

static enum ag_err
write_close(const struct minter_call *call, struct buf *sql)
{
    enum ag_err err = buf_add_str(sql, "ALTER ROLE ");

    if (err == AG_OK) {
        err = pq_add_name(sql, call->handle);
    }
    return err == AG_OK ? buf_add_str(sql, " NOLOGIN PASSWORD NULL") : err;
}

static enum ag_err
write_drop(const struct minter_call *call, struct buf *sql)
{
    const json_t *owner = json_object_get(call->params, "owner");
    enum ag_err err = buf_add_str(
        sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
             " WHERE usename = ");

    if (err == AG_OK) {
        err = pq_add_text(sql, call->handle);
    }
    if (err == AG_OK) {
        err = buf_fmt(sql, "; REASSIGN OWNED BY \"%s\" TO ", call->handle);
    }
    if (err == AG_OK) {
        err = pq_add_name(
            sql, json_string_value(owner != NULL ? owner
                                                 : role_at(call->params, 0)));
    }
    return err == AG_OK
               ? buf_fmt(sql, "; DROP OWNED BY \"%s\"; DROP ROLE \"%s\"",
                         call->handle, call->handle)
               : err;
}

/* ---- acts ---- */

static void
answer_by(struct minter_answer *ret, const struct pq_fate *fate)
{
    ret->outcome = fate->outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", fate->code);
}

/* Another session changed the same row of a catalogue at this moment; what took
 * its time is not tried again here. */
static bool
is_clash(const struct pq_fate *fate)
{
    return strncmp(fate->state, "40", 2) == 0 ||
           strcmp(fate->state, "XX000") == 0;
}

/* until_ms: wall clock; not sent after that. */
static void
do_until(struct pq *session, struct buf *sql, int64_t until_ms,
         struct pq_fate *fate)
{
    int left = TRIES_COUNT;

    do {
        if (clock_wall_ms() > until_ms) {
            *fate =
                (struct pq_fate){.outcome = ROTATOR_LATER, .code = "too_slow"};
            return;
        }
        pq_do(session, buf_cstr(sql), fate);
        left--;
    } while (is_clash(fate) && left > 0 && poll(NULL, 0, TRY_PAUSE_MS) == 0);
}

static void
do_it(struct pq *session, struct buf *sql, struct pq_fate *fate)
{
    do_until(session, sql, INT64_MAX, fate);
}

static enum ag_err
mint(struct pq *session, const struct minter_call *call,
     struct minter_answer *ret)
{
    AG_AUTO(secret) struct secret *password = NULL;
    AG_AUTO(buf) struct buf sql = {0};
    struct pq_fate fate = {0};
    struct pq_login login = {0};
    int64_t until_ms = call->begun_ms + ASK_MS;
    enum ag_err err = pq_password(&password);

    buf_init(&sql, PQ_SQL_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK) {
        err = write_role(session, call, password, true, &sql);
    }
    if (err == AG_OK) {
        do_until(session, &sql, until_ms, &fate);
        buf_clear(&sql);
    }
    if (err == AG_OK && strcmp(fate.state, "42710") == 0) { /* it is there */
        err = write_role(session, call, password, false, &sql);
        if (err == AG_OK) {
            do_until(session, &sql, until_ms, &fate);
        }
    }
    if (err != AG_OK) {
        return err;
    }
    answer_by(ret, &fate);
    ret->expires_ms = call->expires_ms;
    pq_login_of(call->params, call->source, &login);
    return fate.outcome == ROTATOR_DONE
               ? make_value(call, &login, password, &ret->value)
               : AG_OK;
}

static enum ag_err
renew(struct pq *session, const struct minter_call *call,
      struct minter_answer *ret)
{
    AG_AUTO(buf) struct buf sql = {0};
    struct pq_fate fate = {0};
    enum ag_err err = AG_OK;

    buf_init(&sql, PQ_SQL_MAX_BYTES, BUF_PLAIN);
    err = write_renewal(call, &sql);
    if (err == AG_OK) {
        do_it(session, &sql, &fate);
        answer_by(ret, &fate);
        ret->expires_ms = call->expires_ms;
    }
    return err;
}

static enum ag_err
revoke(struct pq *session, const struct minter_call *call,
       struct minter_answer *ret)
{
    AG_AUTO(buf) struct buf sql = {0};
    struct pq_fate fate = {0};
    enum ag_err err = AG_OK;

    buf_init(&sql, PQ_SQL_MAX_BYTES, BUF_PLAIN);
    err = write_close(call, &sql);
    if (err == AG_OK) {
        do_it(session, &sql, &fate);
        buf_clear(&sql);
    }
    /* Only here: what is not there later may be the owner. */
    if (err == AG_OK && strcmp(fate.state, "42704") == 0) {
        ret->outcome = ROTATOR_DONE;
        (void)snprintf(ret->code, sizeof(ret->code), "%s", MINTER_NONE_THERE);
        return AG_OK;
    }
    if (err == AG_OK && fate.outcome == ROTATOR_DONE) {
        err = write_drop(call, &sql);
        if (err == AG_OK) {
            do_it(session, &sql, &fate);
        }
    }
    answer_by(ret, &fate);
    return err;
}

static enum ag_err
act(const struct minter_call *call, struct minter_answer *ret)
{
    AG_AUTO(pq) struct pq *session = NULL;
    struct pq_login login = {0};
    struct pq_fate fate = {0};
    enum ag_err err = AG_OK;

    pq_login_of(call->params, call->source, &login);
    err = pq_take(&login, &session, &fate);
    if (session == NULL) {
        answer_by(ret, &fate);
        return err;
    }
    switch (call->act) {
    case MINTER_MINT:
        return mint(session, call, ret);
    case MINTER_RENEW:
        return renew(session, call, ret);
    case MINTER_REVOKE:
        break;
    }
    return revoke(session, call, ret);
}

const struct minter MINTER_POSTGRES = {
    .name = "postgres",
    .revokes_by_handle = true,
    .renews = true,
    .lingers = true,
    .settled_ms = ASK_MS + PQ_SETTLED_MS,
    .check = check,
    .suits = suits,
    .act = act,
};
