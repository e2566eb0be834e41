/*
 * worldnet.h - world.h's services: the keys of an IAM user, roles of PostgreSQL,
 * and a login whose refresh token is good once. A test program wraps
 * service_call; pq_take, pq_open, pq_give, pq_do, pq_add_verifier and
 * pq_close_idle; upstream_start and upstream_cancel.
 */
#ifndef AG_TESTS_WORLDNET_H
#define AG_TESTS_WORLDNET_H

#include "common/world.h"
#include "rotate/pq.h"
#include "rotate/service.h"
#include "upstream/upstream.h"

enum {
    WORLD_TEXT_BYTES = 2048,
};

/* What stands in `text` behind `before`, up to one of `ends`. */
static inline bool
world_cut_out(const char *text, const char *before, const char *ends, char *out,
              size_t cap)
{
    const char *at = strstr(text, before);
    size_t len = 0;

    out[0] = '\0';
    if (at == NULL) {
        return false;
    }
    at += strlen(before);
    len = strcspn(at, ends);
    assert_true(len < cap);
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

/* ---- IAM and STS: id and secret of each key ---- */

static inline int
world_iam_error(const char *code, char out[WORLD_TEXT_BYTES])
{
    (void)snprintf(out, WORLD_TEXT_BYTES,
                   "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code>"
                   "</Error></ErrorResponse>",
                   code);
    return 403;
}

static inline int
world_iam_done(const char *action, const char *result,
               char out[WORLD_TEXT_BYTES])
{
    (void)snprintf(out, WORLD_TEXT_BYTES,
                   "<%sResponse>%s<ResponseMetadata><RequestId>7</RequestId>"
                   "</ResponseMetadata></%sResponse>",
                   action, result, action);
    return 200;
}

static inline int
world_iam_create(char out[WORLD_TEXT_BYTES])
{
    char id[WORLD_ID_BYTES];
    char word[WORLD_WORD_BYTES];
    char result[1024];
    const struct world_cred *cred = NULL;

    if (world_count() >= 2) {
        return world_iam_error("LimitExceeded", out);
    }
    (void)snprintf(id, sizeof(id), "AKIAMADE%012u", world.now.made_count);
    (void)snprintf(word, sizeof(word), "made/by+the/service%021u",
                   world.now.made_count);
    (void)pthread_mutex_lock(&world.lock);
    cred = world_add(id, word);
    (void)pthread_mutex_unlock(&world.lock);
    (void)snprintf(result, sizeof(result),
                   "<CreateAccessKeyResult><AccessKey><UserName>u</UserName>"
                   "<AccessKeyId>%s</AccessKeyId><Status>Active</Status>"
                   "<SecretAccessKey>%s</SecretAccessKey></AccessKey>"
                   "</CreateAccessKeyResult>",
                   cred->id, cred->word);
    return world_iam_done("CreateAccessKey", result, out);
}

static inline int
world_iam_list(char out[WORLD_TEXT_BYTES])
{
    char result[1024] = "<ListAccessKeysResult><AccessKeyMetadata>";

    for (size_t i = 0; i < WORLD_CREDS_COUNT; i++) {
        const struct world_cred *cred = &world.now.creds[i];
        char made[CLOCK_TEXT_BYTES];
        size_t len = strlen(result);

        if (cred->is_there) {
            clock_text(cred->made_ms, made);
            (void)snprintf(result + len, sizeof(result) - len,
                           "<member><AccessKeyId>%s</AccessKeyId>"
                           "<CreateDate>%s</CreateDate></member>",
                           cred->id, made);
        }
    }
    (void)snprintf(result + strlen(result), sizeof(result) - strlen(result),
                   "</AccessKeyMetadata></ListAccessKeysResult>");
    return world_iam_done("ListAccessKeys", result, out);
}

/* Off, or away. */
static inline int
world_iam_change(const char *action, const char *id, char out[WORLD_TEXT_BYTES])
{
    struct world_cred *cred = NULL;

    (void)pthread_mutex_lock(&world.lock);
    cred = world_find(id, NULL);
    if (cred != NULL && strcmp(action, "DeleteAccessKey") == 0) {
        world_drop(cred);
    } else if (cred != NULL) {
        cred->is_off = true;
        world_changed();
    }
    (void)pthread_mutex_unlock(&world.lock);
    return cred != NULL ? world_iam_done(action, "", out)
                        : world_iam_error("NoSuchEntity", out);
}

static inline int
world_iam(const char *asks, const char *form, char out[WORLD_TEXT_BYTES])
{
    const struct world_cred *by = world_find(asks, NULL);
    char action[64];
    char id[WORLD_ID_BYTES];

    assert_true(world_cut_out(form, "Action=", "&", action, sizeof(action)));
    (void)world_cut_out(form, "AccessKeyId=", "&", id, sizeof(id));
    if (by == NULL || by->is_off) {
        return world_iam_error("InvalidClientTokenId", out);
    }
    if (strcmp(action, "GetCallerIdentity") == 0) {
        return world.refuses ? world_iam_error("AccessDenied", out)
                             : world_iam_done(action, "", out);
    }
    if (strcmp(action, "ListAccessKeys") == 0) {
        return world_iam_list(out);
    }
    return strcmp(action, "CreateAccessKey") == 0
               ? world_iam_create(out)
               : world_iam_change(action, id, out);
}

enum ag_err __wrap_service_call(struct upstream *upstream,
                                const struct service_request *request,
                                struct service_answer *ret);

enum ag_err
__wrap_service_call(struct upstream *upstream,
                    const struct service_request *request,
                    struct service_answer *ret)
{
    char form[512];
    char authorization[512] = "";
    char asks[WORLD_ID_BYTES];
    char out[WORLD_TEXT_BYTES];

    (void)upstream;
    (void)snprintf(form, sizeof(form), "%.*s", (int)request->body.len,
                   (const char *)request->body.ptr);
    for (size_t i = 0; i < request->field_count; i++) {
        if (span_is(request->fields[i].name, "Authorization")) {
            (void)snprintf(authorization, sizeof(authorization), "%.*s",
                           (int)request->fields[i].value.len,
                           (const char *)request->fields[i].value.ptr);
        }
    }
    assert_true(
        world_cut_out(authorization, "Credential=", "/", asks, sizeof(asks)));
    (void)atomic_fetch_add(&world.asked_count, 1);
    *ret = (struct service_answer){.end = SERVICE_ANSWERED,
                                   .date_ms = clock_wall_ms()};
    ret->status = world_iam(asks, form, out);
    return secret_from(span_str(out), &ret->body);
}

/* ---- PostgreSQL: name and password of each role that may log in ---- */

struct pq {
    char user[PQ_NAME_BYTES];
};

enum ag_err __wrap_pq_open(const struct pq_login *login, struct pq **ret,
                           struct pq_fate *fate);
enum ag_err __wrap_pq_take(const struct pq_login *login, struct pq **ret,
                           struct pq_fate *fate);
void __wrap_pq_give(struct pq *session);
void __wrap_pq_do(struct pq *session, const char *sql, struct pq_fate *fate);
enum ag_err __wrap_pq_add_verifier(struct pq *session, const char *user,
                                   const struct secret *password,
                                   struct buf *sql);
void __wrap_pq_close_idle(bool all);

static inline void
world_pq_says(struct pq_fate *fate, const char *state)
{
    *fate = (struct pq_fate){.outcome = state == NULL ? ROTATOR_DONE
                                                      : ROTATOR_REFUSED};
    if (state != NULL) {
        (void)snprintf(fate->state, sizeof(fate->state), "%s", state);
        (void)snprintf(fate->code, sizeof(fate->code), "sqlstate_%s", state);
    }
}

/* The owner is let in by any password; a user by its own. */
enum ag_err
__wrap_pq_open(const struct pq_login *login, struct pq **ret,
               struct pq_fate *fate)
{
    char word[WORLD_WORD_BYTES];
    bool yes = strcmp(login->user, "boss") == 0;

    (void)snprintf(word, sizeof(word), "%.*s", (int)secret_len(login->password),
                   (const char *)secret_view(login->password).ptr);
    (void)pthread_mutex_lock(&world.lock);
    (void)atomic_fetch_add(&world.asked_count, 1);
    yes = yes || (world_find(login->user, word) != NULL && !world.refuses);
    (void)pthread_mutex_unlock(&world.lock);
    world_pq_says(fate, yes ? NULL : "28p01");
    if (yes) {
        *ret = calloc(1, sizeof(**ret));
        assert_non_null(*ret);
    }
    return AG_OK;
}

enum ag_err
__wrap_pq_take(const struct pq_login *login, struct pq **ret,
               struct pq_fate *fate)
{
    return __wrap_pq_open(login, ret, fate);
}

void
__wrap_pq_give(struct pq *session)
{
    free(session);
}

enum ag_err
__wrap_pq_add_verifier(struct pq *session, const char *user,
                       const struct secret *password, struct buf *sql)
{
    enum ag_err err = buf_add_byte(sql, '\'');

    (void)session;
    (void)user;
    err = err == AG_OK ? buf_add(sql, secret_view(password)) : err;
    return err == AG_OK ? buf_add_byte(sql, '\'') : err;
}

/* A new password of a role that is there, or comes by it. */
static inline void
world_pq_password(struct world_cred *there, const char *name, const char *sql)
{
    char word[WORLD_WORD_BYTES];

    (void)world_cut_out(sql, "PASSWORD '", "'", word, sizeof(word));
    if (there == NULL) {
        (void)world_add(name, word);
        return;
    }
    (void)snprintf(there->word, sizeof(there->word), "%s", word);
    world_changed();
}

static inline const char *
world_pq_do(const char *sql)
{
    char name[PQ_NAME_BYTES];
    struct world_cred *there = NULL;

    if (world_cut_out(sql, "DROP ROLE \"", "\"", name, sizeof(name))) {
        there = world_find(name, NULL);
        world_drop(there);
        return there != NULL ? NULL : "42704";
    }
    assert_true(world_cut_out(sql, "ROLE \"", "\"", name, sizeof(name)));
    there = world_find(name, NULL);
    if (strstr(sql, " NOLOGIN ") != NULL) {
        if (there != NULL) {
            there->is_off = true;
            world_changed();
        }
        return there != NULL ? NULL : "42704";
    }
    if (strstr(sql, " PASSWORD NULL") !=
        NULL) { /* of the two that take turns */
        world_drop(there);
    } else if (strncmp(sql, "CREATE", 6) == 0 && there != NULL) {
        return "42710";
    } else if (strstr(sql, " PASSWORD ") != NULL) {
        world_pq_password(there, name, sql);
    }
    return NULL;
}

void
__wrap_pq_do(struct pq *session, const char *sql, struct pq_fate *fate)
{
    (void)session;
    (void)pthread_mutex_lock(&world.lock);
    (void)atomic_fetch_add(&world.asked_count, 1);
    world_pq_says(fate, world_pq_do(sql));
    (void)pthread_mutex_unlock(&world.lock);
}

void
__wrap_pq_close_idle(bool all)
{
    (void)all;
}

/* ---- a login: its refresh token, which each refresh replaces ---- */

static struct {
    pthread_t thread;
    bool runs;
    const struct upstream_events *events;
    void *ctx;
} world_wire;

enum ag_err __wrap_upstream_start(struct upstream *u,
                                  const struct upstream_request *request,
                                  const struct upstream_events *events,
                                  void *ctx, struct upstream_call **ret);
void __wrap_upstream_cancel(struct upstream_call *call);

static inline void
world_wire_join(void)
{
    if (world_wire.runs) {
        (void)pthread_join(world_wire.thread, NULL);
        world_wire.runs = false;
    }
}

/* *ret_status and the answer's body. */
static inline void
world_refresh(const char *asked, int *ret_status, char out[WORLD_TEXT_BYTES])
{
    struct world_cred *cred = NULL;

    (void)pthread_mutex_lock(&world.lock);
    (void)atomic_fetch_add(&world.asked_count, 1);
    for (size_t i = 0; i < WORLD_CREDS_COUNT; i++) {
        if (world.now.creds[i].is_there &&
            strstr(asked, world.now.creds[i].word) != NULL) {
            cred = &world.now.creds[i];
        }
    }
    *ret_status = cred != NULL ? 200 : 400;
    (void)snprintf(out, WORLD_TEXT_BYTES, "{\"error\":\"invalid_grant\"}");
    if (cred != NULL) {
        (void)snprintf(cred->word, sizeof(cred->word), "sk-ant-ort01-new-%010u",
                       ++world.now.made_count);
        world_changed();
        (void)snprintf(out, WORLD_TEXT_BYTES,
                       "{\"access_token\":\"sk-ant-oat01-new-%010u\","
                       "\"refresh_token\":\"%s\",\"expires_in\":3600}",
                       world.now.made_count, cred->word);
    }
    (void)pthread_mutex_unlock(&world.lock);
}

static inline void *
world_wire_main(void *arg)
{
    char asked[WORLD_TEXT_BYTES];
    char out[WORLD_TEXT_BYTES];
    struct upstream_head head = {0};
    size_t at = 0;
    size_t n = 0;

    (void)arg;
    do {
        assert_int_equal(world_wire.events->on_send(world_wire.ctx,
                                                    (uint8_t *)asked + at,
                                                    sizeof(asked) - 1 - at, &n),
                         UPSTREAM_GO);
        at += n;
    } while (n > 0);
    asked[at] = '\0';
    world_refresh(asked, &head.status, out);
    world_wire.events->on_head(world_wire.ctx, &head);
    (void)world_wire.events->on_body(world_wire.ctx, span_str(out));
    world_wire.events->on_end(world_wire.ctx, AG_OK);
    return NULL;
}

enum ag_err
__wrap_upstream_start(struct upstream *u,
                      const struct upstream_request *request,
                      const struct upstream_events *events, void *ctx,
                      struct upstream_call **ret)
{
    (void)u;
    (void)request;
    world_wire_join();
    world_wire.events = events;
    world_wire.ctx = ctx;
    *ret = (struct upstream_call *)(void *)&world_wire;
    world_wire.runs =
        pthread_create(&world_wire.thread, NULL, world_wire_main, NULL) == 0;
    assert_true(world_wire.runs);
    return AG_OK;
}

void
__wrap_upstream_cancel(struct upstream_call *call)
{
    (void)call;
}

#endif
