#include "http/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "http/gate.h"
#include "http/given.h"
#include "http/pass_impl.h"
#include "http/problem.h"

enum {
    BLOCK_BYTES = 64 * 1024, /* of an answer at a time */
};

/* ---- suspending and waking: a wake is never lost ---- */

/* Under the lock. Once resumed the pass is MHD's thread's, and may be gone when
 * the lock is: nobody touches it after that. While it is being decided it stays
 * where it is, whoever wakes it. */
static void
wake(struct pass *pass)
{
    bool was_woken = pass->woken;

    pass->woken = true;
    if (pass->phase == PASS_SWITCHED && !was_woken) {
        pass_switch_wake(pass->owner->switched);
    }
    if (pass->suspended && pass->phase != PASS_DECIDING) {
        pass->suspended = false;
        MHD_resume_connection(pass->mhd);
    }
}

void
pass_wake(struct pass *pass)
{
    (void)pthread_mutex_lock(&pass->lock);
    wake(pass);
    (void)pthread_mutex_unlock(&pass->lock);
}

/* From MHD's thread: waits, unless there was a wake since the last time. */
static bool
wait_for_wake(struct pass *pass)
{
    bool waits = false;

    (void)pthread_mutex_lock(&pass->lock);
    waits = !pass->woken;
    pass->woken = false;
    if (waits) {
        pass->suspended = true;
        MHD_suspend_connection(pass->mhd);
        gate_body_held(pass->conn);
    }
    (void)pthread_mutex_unlock(&pass->lock);
    return waits;
}

void
pass_move(struct pass *pass, enum pass_phase phase)
{
    (void)pthread_mutex_lock(&pass->lock);
    pass->phase = phase;
    (void)pthread_mutex_unlock(&pass->lock);
}

void
pass_decided(struct pass *pass)
{
    (void)pthread_mutex_lock(&pass->lock);
    pass->phase = PASS_BODY;
    wake(pass);
    (void)pthread_mutex_unlock(&pass->lock);
}

bool
pass_is_held(struct pass *pass)
{
    bool held = false;

    (void)pthread_mutex_lock(&pass->lock);
    held = pass->phase == PASS_DECIDING || pass->phase == PASS_SWITCHED ||
           pass->suspended;
    (void)pthread_mutex_unlock(&pass->lock);
    return held;
}

bool
pass_is_switched(struct pass *pass)
{
    bool switched = false;

    (void)pthread_mutex_lock(&pass->lock);
    switched = pass->phase >= PASS_SWITCHED;
    (void)pthread_mutex_unlock(&pass->lock);
    return switched;
}

bool
pass_is_answered(struct pass *pass)
{
    bool answered = false;

    (void)pthread_mutex_lock(&pass->lock);
    answered = pass->phase >= PASS_BODY && pass->state != NULL;
    (void)pthread_mutex_unlock(&pass->lock);
    return answered;
}

/* ---- the answer ---- */

void
pass_fail(struct pass *pass, enum ag_err err, const char *why)
{
    (void)pthread_mutex_lock(&pass->lock);
    if (!pass->settled) {
        pass->settled = true;
        pass->err = err;
        (void)snprintf(pass->why, sizeof(pass->why), "%s", why);
    }
    wake(pass);
    (void)pthread_mutex_unlock(&pass->lock);
}

static ssize_t
on_give(void *cls, uint64_t pos, char *out, size_t room)
{
    struct pass *pass = cls;
    ssize_t n = 0;

    (void)pos;
    do {
        n = pass->owner->app.give(pass->state, (uint8_t *)out, room);
    } while (n == PASS_WAIT && !wait_for_wake(pass));
    if (n == PASS_END) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    return n == PASS_BROKEN ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

/* MHD takes C strings, and no tab. */
static bool
add_field(struct MHD_Response *response, const struct request_field *field)
{
    char name[HTTP_HEADER_NAME_MAX_BYTES * 2 + 1];
    AG_AUTO(buf) struct buf value;
    const char *text = NULL;

    buf_init(&value, HTTP_REPLY_MAX_BYTES, BUF_PLAIN);
    if (field->name.len >= sizeof(name) ||
        buf_add(&value, field->value) != AG_OK) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)field->name.len,
                   (const char *)field->name.ptr);
    for (size_t i = 0; i < value.len; i++) {
        value.ptr[i] = value.ptr[i] == '\t' ? ' ' : value.ptr[i];
    }
    text = buf_cstr(&value);
    /* What MHD does not want (an empty value) is left out. */
    return text != NULL &&
           (text[0] == '\0' ||
            MHD_add_response_header(response, name, text) == MHD_YES);
}

static struct MHD_Response *
new_response(struct pass *pass, const struct pass_answer *answer)
{
    struct span whole = answer->whole;

    if (answer->status == PASS_SWITCHED_STATUS) {
        return pass_switch_response(pass);
    }
    /* The cast is libmicrohttpd's wish: it copies. */
    return whole.len > 0
               ? MHD_create_response_from_buffer(whole.len,
                                                 (void *)(uintptr_t)whole.ptr,
                                                 MHD_RESPMEM_MUST_COPY)
               : MHD_create_response_from_callback(
                     answer->body_bytes >= 0 ? (uint64_t)answer->body_bytes
                                             : MHD_SIZE_UNKNOWN,
                     BLOCK_BYTES, on_give, pass, NULL);
}

void
pass_answer(struct pass *pass, const struct pass_answer *answer)
{
    struct MHD_Response *response = new_response(pass, answer);
    bool ok = response != NULL;

    for (size_t i = 0; ok && i < answer->field_count; i++) {
        ok = add_field(response, &answer->fields[i]);
    }
    (void)pthread_mutex_lock(&pass->lock);
    if (ok && !pass->settled) {
        pass->settled = true;
        pass->status = answer->status;
        pass->response = AG_TAKE(response);
    }
    if (ok) {
        wake(pass);
    }
    (void)pthread_mutex_unlock(&pass->lock);
    if (response != NULL) {
        MHD_destroy_response(response);
    }
    if (!ok) {
        pass_fail(pass, AG_EUPSTREAM, "the service's head can't be passed on");
    }
}

static struct MHD_Response *
problem_response(struct pass *pass)
{
    AG_AUTO(buf) struct buf body;
    char id[REQUEST_ID_BYTES];
    struct MHD_Response *response = NULL;

    buf_init(&body, PROBLEM_MAX_BYTES, BUF_PLAIN);
    request_id_next(id);
    pass->status = err_http(pass->err);
    if (problem_body(&body, pass->err, pass->why, id) != AG_OK) {
        return NULL;
    }
    response = MHD_create_response_from_buffer(body.len, body.ptr,
                                               MHD_RESPMEM_MUST_COPY);
    if (response != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "application/problem+json");
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                      "no-store");
        (void)MHD_add_response_header(response, "X-Request-Id", id);
        /* git and curl send a password only when they are asked for one. */
        if (pass->err == AG_EMISSINGUSER) {
            (void)MHD_add_response_header(response,
                                          MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                          "Basic realm=\"auth-guard\"");
        }
    }
    return response;
}

/* The answer is there: it is MHD's from now on. */
static bool
send_answer(struct pass *pass)
{
    struct MHD_Response *response = AG_TAKE(pass->response);
    enum MHD_Result result = MHD_NO;

    if (response == NULL) {
        response = problem_response(pass);
    }
    if (response == NULL) {
        return false;
    }
    pass_move(pass, PASS_SENT);
    result =
        MHD_queue_response(pass->mhd, (unsigned int)pass->status, response);
    MHD_destroy_response(response);
    return result == MHD_YES;
}

int
pass_status(const struct pass *pass)
{
    return pass->phase >= PASS_SENT ? pass->status : 0;
}

/* ---- the head ---- */

static enum MHD_Result
add_given(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size,
          const char *value, size_t value_size)
{
    struct pass *pass = cls;
    struct request_field *field = &pass->fields[pass->field_count];

    (void)kind;
    if (pass->field_count == PASS_FIELDS_MAX_COUNT) {
        return MHD_NO; /* the strict layer has the same limit */
    }
    field->name = span_of(key, key_size);
    field->value = span_of(value, value_size);
    pass->field_count++;
    return MHD_YES;
}

static bool
is_named(const struct request_field *field, const char *name)
{
    return field->name.len == strlen(name) &&
           strncasecmp((const char *)field->name.ptr, name, field->name.len) ==
               0;
}

/* The strict layer has made sure that these are well-formed. */
static void
find_length(struct pass *pass)
{
    pass->body_bytes = PASS_BODY_NONE;
    for (size_t i = 0; i < pass->field_count; i++) {
        const struct request_field *field = &pass->fields[i];

        if (is_named(field, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
            pass->body_bytes = PASS_BODY_CHUNKED;
        } else if (is_named(field, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
            pass->body_bytes = 0;
            for (size_t k = 0; k < field->value.len; k++) {
                pass->body_bytes =
                    pass->body_bytes * 10 + (field->value.ptr[k] - '0');
            }
        }
    }
}

/* A token of the broker's goes no further (proxy/rebuild.h), and does not stay
 * in memory. */
static void
wipe_tokens(struct pass *pass)
{
    for (size_t i = 0; i < pass->field_count; i++) {
        const struct request_field *field = &pass->fields[i];

        if (request_is_own_token(field)) {
            given_wipe((const char *)field->value.ptr, field->value.len);
        }
    }
}

bool
pass_ask(struct pass *pass, bool may_block)
{
    struct passes *all = pass->owner;
    const struct pass_head head = {
        .method = span_str(pass->method),
        .via = pass->conn->via,
        .target = span_str(pass->target),
        .fields = pass->fields,
        .field_count = pass->field_count,
        .body_bytes = pass->body_bytes,
        .peer = pass->conn->peer,
    };
    enum ag_err err = AG_OK;

    if (atomic_load(&all->stops)) {
        pass_fail(pass, AG_EBUSY, PASS_STOPS);
        return true;
    }
    err_clear();
    err = all->app.begin(all->app.ctx, pass, &head, may_block, &pass->state);
    if (err == AG_EBLOCKS && !may_block) {
        return false;
    }
    wipe_tokens(pass);
    if (err != AG_OK) {
        pass_fail(pass, err, err_text(err));
    }
    return true;
}

/* It is being decided before it is looked whether the broker stops: who stops
 * it sees either the one or the other. */
static bool
begin(struct pass *pass, const char *method)
{
    pass->method = strdup(method);
    if (pass->method == NULL) {
        return false;
    }
    (void)MHD_get_connection_values_n(pass->mhd, MHD_HEADER_KIND, add_given,
                                      pass);
    find_length(pass);
    pass_move(pass, PASS_DECIDING);
    if (!pass_ask(pass, false)) {
        return passes_push(pass) == AG_OK;
    }
    pass_decided(pass);
    return true;
}

/* ---- steps of MHD ---- */

static bool
is_settled(struct pass *pass)
{
    bool settled = false;

    (void)pthread_mutex_lock(&pass->lock);
    settled = pass->settled;
    (void)pthread_mutex_unlock(&pass->lock);
    return settled;
}

static bool
has_failed(struct pass *pass)
{
    bool failed = false;

    (void)pthread_mutex_lock(&pass->lock);
    failed = pass->settled && pass->err != AG_OK;
    (void)pthread_mutex_unlock(&pass->lock);
    return failed;
}

static bool
is_deciding(struct pass *pass)
{
    bool deciding = false;

    (void)pthread_mutex_lock(&pass->lock);
    deciding = pass->phase == PASS_DECIDING;
    (void)pthread_mutex_unlock(&pass->lock);
    return deciding;
}

/* Until the decision nothing of the body is read; a large one that is refused
 * never is. */
static bool
step_head(struct pass *pass, const char *method)
{
    if (pass->phase == PASS_HEAD && !begin(pass, method)) {
        return false;
    }
    while (is_deciding(pass)) {
        if (wait_for_wake(pass)) {
            return true;
        }
    }
    pass->past_head = true;
    /* A large body that is refused is not read at all. */
    if (pass->state == NULL && (pass->body_bytes == PASS_BODY_CHUNKED ||
                                pass->body_bytes > PASS_DROP_MAX_BYTES)) {
        return send_answer(pass);
    }
    return true;
}

/* An answer that came early changes nothing: the service may want the rest. Of
 * a request that failed the rest is read for nothing, and never called whole. */
static bool
step_body(struct pass *pass, struct span part, size_t *left)
{
    *left = part.len;
    do {
        struct span rest = span_sub(part, part.len - *left, *left);

        if (pass->state == NULL || has_failed(pass)) {
            pass->dropped = true;
            *left = 0;
            return true;
        }
        *left -= pass->owner->app.take(pass->state, rest);
    } while (*left > 0 && !wait_for_wake(pass));
    return true;
}

bool
pass_step(struct pass *pass, const char *method, const char *body,
          size_t *body_len)
{
    if (pass->phase >= PASS_SENT) {
        return true;
    }
    if (!pass->past_head) {
        return step_head(pass, method);
    }
    if (*body_len > 0) {
        return step_body(pass, span_of(body, *body_len), body_len);
    }
    if (!pass->taken && !pass->dropped && pass->state != NULL) {
        pass->taken = true;
        pass->owner->app.taken(pass->state);
    }
    while (!is_settled(pass)) {
        if (wait_for_wake(pass)) {
            return true;
        }
    }
    return send_answer(pass);
}
