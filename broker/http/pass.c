#include "http/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "base/wipealloc.h"
#include "http/gate.h"
#include "http/pass_impl.h"
#include "http/problem.h"
#include "http/worker.h"

enum {
    BLOCK_BYTES = 64 * 1024, /* of an answer at a time */
    /* Of one of no said length: its chunks are written elsewhere. */
    BLOCK_UNSAID_BYTES = 4 * 1024,
    VALUE_BYTES = 1024, /* a longer one is written on the heap */
};

/* ---- suspending and waking: a wake is never lost ---- */

/* Under the lock. While it is being decided it stays where it is, whoever wakes
 * it. */
static bool
wake(struct pass *pass)
{
    bool was_woken = pass->woken;
    bool resumes = pass->suspended && pass->phase != PASS_DECIDING;

    pass->woken = true;
    if (pass->phase == PASS_SWITCHED && !was_woken) {
        pass_switch_wake(pass->owner->switched);
    }
    if (resumes) {
        pass->suspended = false;
        atomic_fetch_add(&pass->owner->resuming_count, 1);
    }
    return resumes;
}

/* Gives the lock back first, for which MHD's thread would wait: once resumed
 * the pass is that thread's, and may be gone. */
static void
unlock_and_resume(struct pass *pass, bool resumes)
{
    struct passes *all = pass->owner;
    struct worker *worker = pass->conn->worker;
    struct MHD_Connection *mhd = pass->mhd;

    (void)pthread_mutex_unlock(&pass->lock);
    if (resumes) {
        worker_resume(worker, mhd);
        atomic_fetch_sub(&all->resuming_count, 1);
    }
}

void
pass_wake(struct pass *pass)
{
    (void)pthread_mutex_lock(&pass->lock);
    unlock_and_resume(pass, wake(pass));
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
    unlock_and_resume(pass, wake(pass));
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
    unlock_and_resume(pass, wake(pass));
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
static void
copy_text(char *to, struct span from)
{
    for (size_t i = 0; i < from.len; i++) {
        to[i] = (char)(from.ptr[i] == '\t' ? ' ' : from.ptr[i]);
    }
    to[from.len] = '\0';
}

static bool
add_field(struct MHD_Response *response, const struct request_field *field)
{
    char name[HTTP_HEADER_NAME_MAX_BYTES * 2 + 1];
    char some[VALUE_BYTES];
    char *value = some;
    bool ok = false;

    if (field->name.len >= sizeof(name) ||
        field->value.len > HTTP_REPLY_MAX_BYTES) {
        return false;
    }
    if (field->value.len >= sizeof(some)) {
        value = malloc(field->value.len + 1);
    }
    if (value == NULL) {
        return false;
    }
    copy_text(name, field->name);
    copy_text(value, field->value);
    /* What MHD does not want (an empty value) is left out. */
    ok = value[0] == '\0' ||
         MHD_add_response_header(response, name, value) == MHD_YES;
    if (value != some) {
        free(value);
    }
    return ok;
}

/* As much at a time as the answer has, if that is known. */
static struct MHD_Response *
streamed(struct pass *pass, int64_t len)
{
    size_t block = BLOCK_BYTES;

    if (len < BLOCK_BYTES) {
        block = len > 0 ? (size_t)len : BLOCK_UNSAID_BYTES;
    }
    return MHD_create_response_from_callback(len >= 0 ? (uint64_t)len
                                                      : MHD_SIZE_UNKNOWN,
                                             block, on_give, pass, NULL);
}

static struct MHD_Response *
new_response(struct pass *pass, const struct pass_answer *answer)
{
    struct MHD_Response *response = NULL;

    if (answer->status == PASS_SWITCHED_STATUS) {
        return pass_switch_response(pass);
    }
    if (answer->whole == NULL) {
        return streamed(pass, answer->body_bytes);
    }
    response = MHD_create_response_from_buffer_with_free_callback(
        answer->whole_len, answer->whole, wipe_free);
    if (response == NULL) {
        wipe_free(answer->whole);
    }
    return response;
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
    unlock_and_resume(pass, ok && wake(pass));
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

/* ---- the decision ---- */

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
    pass_wipe_tokens(pass);
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
    if (pass_read_head(pass) != AG_OK) {
        return false;
    }
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
