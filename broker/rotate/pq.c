#include "rotate/pq.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/secret.h"
#include "rotate/pq_lib.h"

enum {
    KEY_BYTES = 32,
    LIMITS_BYTES = 320,
};

/* Longer than these nothing of ours takes; the server breaks it off itself. The
 * number is PQ_STATEMENT_MS. */
static const char SESSION_LIMITS[] =
    "SET statement_timeout = %d; SET lock_timeout = 2000;"
    " SET idle_in_transaction_session_timeout = 10000;"
    " SET client_min_messages = error; SET search_path = pg_catalog;"
    " SET standard_conforming_strings = on";

struct pq {
    const struct pq_lib *lib;
    PGconn *conn;
    uint8_t key[KEY_BYTES]; /* of whose it is: the login, keyed by it */
    int64_t idle_since_ms;
    bool is_broken;
    bool is_own; /* not kept */
};

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pq *idle[PQ_IDLE_COUNT];

/* ---- what an error means ---- */

static void
set_fate(struct pq_fate *fate, enum rotator_outcome outcome, const char *code)
{
    fate->outcome = outcome;
    (void)snprintf(fate->code, sizeof(fate->code), "%s", code);
}

/* Source: Appendix A of PostgreSQL's manual. What was refused was rolled back;
 * a server that goes down (57P) may have kept it. */
static enum rotator_outcome
outcome_of(const char *state)
{
    static const char *const LATER[] = {"40", "53", "55", "57014", "XX000"};

    if (state[0] == '\0' || strncmp(state, "08", 2) == 0 ||
        strncmp(state, "57P", 3) == 0) {
        return ROTATOR_UNSURE;
    }
    for (size_t i = 0; i < AG_COUNT(LATER); i++) {
        if (strncmp(state, LATER[i], strlen(LATER[i])) == 0) {
            return ROTATOR_LATER;
        }
    }
    return ROTATOR_REFUSED;
}

/* Of what is none nothing is kept: it goes on the record. */
static bool
is_state(const char *text)
{
    return text != NULL && strlen(text) == PQ_STATE_BYTES - 1 &&
           strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
               PQ_STATE_BYTES - 1;
}

static void
set_state(struct pq_fate *fate, const char *state)
{
    (void)snprintf(fate->state, sizeof(fate->state), "%s",
                   is_state(state) ? state : "");
    set_fate(fate, outcome_of(fate->state), "no_answer");
    if (fate->state[0] != '\0') {
        (void)snprintf(fate->code, sizeof(fate->code), "sqlstate_%s",
                       fate->state);
    }
    for (char *c = fate->code; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    }
}

/* ---- waiting ---- */

static bool
wait_for(const struct pq *s, short events, int64_t until_ms)
{
    struct pollfd fd = {.fd = s->lib->PQsocket(s->conn), .events = events};
    int64_t left_ms = until_ms - clock_steady_ms();
    int ready;

    while (left_ms > 0) {
        ready = poll(&fd, 1, (int)left_ms);
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
        left_ms = until_ms - clock_steady_ms();
    }
    return false;
}

/* ---- connecting ---- */

static void
finish(struct pq *s)
{
    if (s != NULL) {
        if (s->conn != NULL) {
            s->lib->PQfinish(s->conn);
        }
        free(s);
    }
}

static void
on_notice(void *arg, const char *text)
{
    (void)arg;
    (void)text; /* libpq would print it */
}

/* The last word of what the server said is its SQLSTATE, by the verbosity that
 * was asked for: "FATAL:  28P01\n". */
static void
refused(struct pq *s, struct pq_fate *fate)
{
    const char *text = s->lib->PQerrorMessage(s->conn);
    const char *fatal = strstr(text, "FATAL:");
    char state[PQ_STATE_BYTES] = "";

    if (fatal != NULL) {
        (void)sscanf(fatal, "FATAL: %5[0-9A-Z]", state);
    }
    if (!is_state(state)) {
        set_fate(fate, ROTATOR_LATER, "unreachable");
        return;
    }
    set_state(fate, state);
    /* Nothing was asked of it yet. */
    fate->outcome = strncmp(state, "28", 2) == 0 || strcmp(state, "3D000") == 0
                        ? ROTATOR_REFUSED
                        : ROTATOR_LATER;
}

static void
connect_it(struct pq *s, const struct pq_login *login, struct pq_fate *fate)
{
    char limits[LIMITS_BYTES];
    bool over = strcmp(login->sslmode, "disable") != 0;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    int64_t until_ms = clock_steady_ms() + PQ_CONNECT_MS;

    if (s->lib->PQstatus(s->conn) == CONNECTION_BAD) {
        refused(s, fate);
        return;
    }
    (void)s->lib->PQsetErrorVerbosity(s->conn, PQERRORS_SQLSTATE);
    (void)s->lib->PQsetNoticeProcessor(s->conn, on_notice, NULL);
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (!wait_for(s, state == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                      until_ms)) {
            set_fate(fate, ROTATOR_LATER, "connect_timeout");
            return;
        }
        if (!over && state == PGRES_POLLING_READING &&
            !pq_may_read(s->lib->PQsocket(s->conn), until_ms, &over)) {
            set_fate(fate, ROTATOR_REFUSED, "asks_for_password");
            return;
        }
        state = s->lib->PQconnectPoll(s->conn);
    }
    if (state == PGRES_POLLING_FAILED) {
        refused(s, fate);
        return;
    }
    (void)snprintf(limits, sizeof(limits), SESSION_LIMITS, PQ_STATEMENT_MS);
    pq_do(s, limits, fate);
}

/* A path below a file: there is none, which libpq takes for an answer. */
#define NO_FILE "/dev/null/none"

static enum ag_err
start(struct pq *s, const struct pq_login *login)
{
    char port[8];
    char unacked_ms[8];
    char password[PQ_PASSWORD_MAX_BYTES + 1] = "";
    struct span given = secret_view(login->password);
    const char *const words[][2] = {
        {"host", login->host},
        {"port", port},
        {"dbname", login->dbname},
        {"user", login->user},
        {"password", password},
        {"passfile", "/dev/null"},
        {"sslmode", login->sslmode},
        {"sslrootcert", login->sslrootcert},
        {"sslcert", NO_FILE},
        {"sslkey", NO_FILE},
        {"sslcrl", NO_FILE},
        {"ssl_min_protocol_version", "TLSv1.2"},
        {"gssencmode", "disable"},
        {"channel_binding", "prefer"},
        {"target_session_attrs", "any"},
        {"options", ""},
        {"application_name", "auth-guard"},
        {"client_encoding", "UTF8"},
        {"keepalives", "1"},
        {"tcp_user_timeout", unacked_ms},
    };
    const char *keys[AG_COUNT(words) + 1] = {NULL};
    const char *values[AG_COUNT(words) + 1] = {NULL};

    if (given.len > PQ_PASSWORD_MAX_BYTES ||
        memchr(given.ptr, '\0', given.len) != NULL) {
        return AG_ELIMIT;
    }
    (void)snprintf(port, sizeof(port), "%d", login->port);
    (void)snprintf(unacked_ms, sizeof(unacked_ms), "%d", PQ_UNACKED_MS);
    memcpy(password, given.ptr, given.len);
    for (size_t i = 0; i < AG_COUNT(words); i++) {
        keys[i] = words[i][0];
        values[i] = words[i][1];
    }
    s->conn = s->lib->PQconnectStartParams(keys, values, 0);
    wipe(password, sizeof(password));
    return s->conn != NULL ? AG_OK : AG_ENOMEM;
}

static void
key_of(const struct pq_login *login, uint8_t out[KEY_BYTES])
{
    crypto_generichash_state state;
    struct span password = secret_view(login->password);
    const char *const parts[] = {login->host, login->dbname, login->user,
                                 login->sslmode, login->sslrootcert};

    crypto_generichash_init(&state, NULL, 0, KEY_BYTES);
    for (size_t i = 0; i < AG_COUNT(parts); i++) {
        crypto_generichash_update(&state, (const uint8_t *)parts[i],
                                  strlen(parts[i]) + 1);
    }
    crypto_generichash_update(&state, (const uint8_t *)&login->port,
                              sizeof(login->port));
    crypto_generichash_update(&state, password.ptr, password.len);
    crypto_generichash_final(&state, out, KEY_BYTES);
    wipe(&state, sizeof(state));
}

enum ag_err
pq_open(const struct pq_login *login, struct pq **ret, struct pq_fate *fate)
{
    struct pq *s = calloc(1, sizeof(*s));
    enum ag_err err = s != NULL ? pq_lib_open(&s->lib) : AG_ENOMEM;

    *ret = NULL;
    if (err == AG_OK) {
        s->is_own = true;
        err = start(s, login);
    }
    if (err == AG_ELIMIT) { /* it can be no password of a server's */
        set_fate(fate, ROTATOR_REFUSED, "password_form");
        err = AG_OK;
    } else if (err == AG_OK) {
        connect_it(s, login, fate);
        if (fate->outcome == ROTATOR_DONE) {
            *ret = AG_TAKE(s);
        }
    }
    finish(s);
    return err;
}

/* ---- those kept ---- */

static struct pq *
take_idle(const uint8_t key[KEY_BYTES])
{
    struct pq *s = NULL;

    (void)pthread_mutex_lock(&idle_lock);
    for (size_t i = 0; s == NULL && i < PQ_IDLE_COUNT; i++) {
        if (idle[i] != NULL &&
            sodium_memcmp(idle[i]->key, key, KEY_BYTES) == 0) {
            s = AG_TAKE(idle[i]);
        }
    }
    (void)pthread_mutex_unlock(&idle_lock);
    return s;
}

/* Is it still there? What has been said by the server unasked is its end. */
static bool
is_alive(const struct pq *s)
{
    struct pollfd fd = {.fd = s->lib->PQsocket(s->conn), .events = POLLIN};

    return s->lib->PQstatus(s->conn) == CONNECTION_OK && poll(&fd, 1, 0) == 0;
}

enum ag_err
pq_take(const struct pq_login *login, struct pq **ret, struct pq_fate *fate)
{
    uint8_t key[KEY_BYTES];
    struct pq *s = NULL;
    enum ag_err err = AG_OK;

    key_of(login, key);
    while ((s = take_idle(key)) != NULL) {
        if (is_alive(s)) {
            set_fate(fate, ROTATOR_DONE, "");
            *ret = s;
            return AG_OK;
        }
        finish(s);
    }
    err = pq_open(login, &s, fate);
    if (s != NULL) {
        s->is_own = false;
        memcpy(s->key, key, sizeof(s->key));
    }
    *ret = s;
    return err;
}

void
pq_give(struct pq *session)
{
    struct pq *s = session;

    if (s == NULL || s->is_own || s->is_broken) {
        finish(s);
        return;
    }
    s->idle_since_ms = clock_steady_ms();
    (void)pthread_mutex_lock(&idle_lock);
    for (size_t i = 0; s != NULL && i < PQ_IDLE_COUNT; i++) {
        if (idle[i] == NULL) {
            idle[i] = AG_TAKE(s);
        }
    }
    (void)pthread_mutex_unlock(&idle_lock);
    finish(s);
}

void
pq_close_idle(bool all)
{
    int64_t now_ms = clock_steady_ms();
    struct pq *gone[PQ_IDLE_COUNT] = {NULL};

    (void)pthread_mutex_lock(&idle_lock);
    for (size_t i = 0; i < PQ_IDLE_COUNT; i++) {
        if (idle[i] != NULL &&
            (all || now_ms - idle[i]->idle_since_ms >= PQ_IDLE_MS)) {
            gone[i] = AG_TAKE(idle[i]);
        }
    }
    (void)pthread_mutex_unlock(&idle_lock);
    for (size_t i = 0; i < PQ_IDLE_COUNT; i++) {
        finish(gone[i]);
    }
}

/* ---- statements ---- */

static void
broken(struct pq *s, struct pq_fate *fate, const char *code)
{
    s->is_broken = true;
    set_fate(fate, ROTATOR_UNSURE, code);
}

/* One answer: the first failure counts. False: no more of them are read. */
static bool
read_answer(struct pq *s, const PGresult *result, struct pq_fate *fate)
{
    ExecStatusType status = s->lib->PQresultStatus(result);

    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
        status == PGRES_COPY_BOTH) {
        /* Nothing of ours copies; libpq would say so again for ever. */
        broken(s, fate, "garbage");
        return false;
    }
    if (fate->outcome == ROTATOR_DONE && status != PGRES_COMMAND_OK &&
        status != PGRES_TUPLES_OK) {
        set_state(fate, s->lib->PQresultErrorField(result, PG_DIAG_SQLSTATE));
        s->is_broken = fate->outcome == ROTATOR_UNSURE;
    }
    return true;
}

/* All of the answers. */
static void
read_answers(struct pq *s, int64_t until_ms, struct pq_fate *fate)
{
    PGresult *result = NULL;
    bool goes_on = true;

    while (goes_on) {
        while (s->lib->PQisBusy(s->conn) != 0) {
            if (!wait_for(s, POLLIN, until_ms)) {
                broken(s, fate, "timeout");
                return;
            }
            if (s->lib->PQconsumeInput(s->conn) == 0) {
                broken(s, fate, "cut_off");
                return;
            }
        }
        result = s->lib->PQgetResult(s->conn);
        if (result == NULL) {
            return;
        }
        goes_on = read_answer(s, result, fate);
        s->lib->PQclear(result);
    }
}

void
pq_do(struct pq *session, const char *sql, struct pq_fate *fate)
{
    int64_t until_ms = clock_steady_ms() + PQ_QUERY_MS;

    *fate = (struct pq_fate){.outcome = ROTATOR_DONE};
    /* Short enough for a socket's buffer, so it does not block. */
    if (session->lib->PQsendQuery(session->conn, sql) == 0) {
        broken(session, fate, "cut_off");
        return;
    }
    read_answers(session, until_ms, fate);
}

/* ---- its text ---- */

static enum ag_err
add_quoted(struct buf *sql, char quote, const char *text)
{
    enum ag_err err = buf_add_byte(sql, (uint8_t)quote);

    for (const char *c = text; err == AG_OK && *c != '\0'; c++) {
        if (*c == quote) {
            err = buf_add_byte(sql, (uint8_t)quote);
        }
        if (err == AG_OK) {
            err = buf_add_byte(sql, (uint8_t)*c);
        }
    }
    return err == AG_OK ? buf_add_byte(sql, (uint8_t)quote) : err;
}

enum ag_err
pq_add_name(struct buf *sql, const char *name)
{
    return add_quoted(sql, '"', name);
}

enum ag_err
pq_add_text(struct buf *sql, const char *text)
{
    return add_quoted(sql, '\'', text);
}

enum ag_err
pq_add_verifier(struct pq *session, const char *user,
                const struct secret *password, struct buf *sql)
{
    char text[PQ_PASSWORD_MAX_BYTES + 1] = "";
    struct span given = secret_view(password);
    char *verifier = NULL;
    enum ag_err err = AG_ENOMEM;

    if (given.len > PQ_PASSWORD_MAX_BYTES) {
        return AG_ELIMIT;
    }
    memcpy(text, given.ptr, given.len);
    verifier = session->lib->PQencryptPasswordConn(session->conn, text, user,
                                                   "scram-sha-256");
    wipe(text, sizeof(text));
    if (verifier != NULL) {
        err = pq_add_text(sql, verifier);
        session->lib->PQfreemem(verifier);
    }
    return err;
}
