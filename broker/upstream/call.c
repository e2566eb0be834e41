#include "upstream/call.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "upstream/easy.h"
#include "upstream/lane.h"

static void
call_free(struct upstream_call *call)
{
    if (call == NULL) {
        return;
    }
    fd_close(call->dialed_fd);
    curl_easy_cleanup(call->easy);
    request_lines_free(call->lines);
    answer_done(&call->answer);
    free(call);
}

AG_DEFINE_CLEANUP(upstream_call, call_free)

enum ag_err
call_new(struct lane *lane, const struct upstream_request *request,
         const struct upstream_events *events, void *ctx,
         struct upstream_call **ret)
{
    AG_AUTO(upstream_call)
    struct upstream_call *call = calloc(1, sizeof(*call));
    enum ag_err err;

    if (call == NULL) {
        return AG_ENOMEM;
    }
    call->lane = lane;
    call->gate = &lane->gate;
    call->work = (struct reactor_work){.fn = lane_serve, .ctx = call};
    call->dialed_fd = -1;
    call->own_fd = -1;
    call->events = events;
    call->ctx = ctx;
    call->times = *request->times;
    call->body_bytes = request->body_bytes;
    call->upgrade = (request->flags & UPSTREAM_UPGRADE) != 0;
    call->dial = (request->flags & UPSTREAM_DIAL) != 0;
    call->state = CALL_STARTED;
    call->phase = PHASE_CONNECT;
    atomic_init(&call->refs, 2);
    answer_init(&call->answer, call->upgrade);
    err = request_check(request, &call->parts);
    if (err == AG_OK) {
        err = request_lines_new(request, &call->lines);
    }
    if (err == AG_OK) {
        err = easy_new(call, request);
    }
    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(events->on_send != NULL ||
              (call->body_bytes <= 0 && !call->upgrade &&
               call->body_bytes != UPSTREAM_BODY_CHUNKED));
    call->begun_ms = clock_steady_ms();
    *ret = AG_TAKE(call);
    return AG_OK;
}

void
call_release(struct upstream_call *call)
{
    if (atomic_fetch_sub(&call->refs, 1) == 1) {
        call_free(call);
    }
}

void
call_touch(struct upstream_call *call)
{
    (void)atomic_fetch_add(&call->refs, 1);
    if (!reactor_post(call->lane->reactor, &call->work)) {
        call_release(call);
    }
}

bool
call_may_go_on(const struct upstream_call *call)
{
    return !atomic_load(&call->cancelled);
}

bool
call_enter(struct upstream_call *call)
{
    atomic_store(&call->gate->busy, call);
    if (call_may_go_on(call)) {
        call->was_told = true;
        lane_changed(call->lane, call);
        return true;
    }
    call_leave(call);
    return false;
}

void
call_leave(struct upstream_call *call)
{
    struct gate *gate = call->gate;

    atomic_store(&gate->busy, NULL);
    if (atomic_load(&gate->waiting_count) > 0) {
        (void)pthread_mutex_lock(&gate->lock);
        (void)pthread_cond_broadcast(&gate->changed);
        (void)pthread_mutex_unlock(&gate->lock);
    }
}

void
call_turn(struct upstream_call *call)
{
    if (call->was_told && call->events->on_turn != NULL && call_enter(call)) {
        call->events->on_turn(call->ctx);
        call_leave(call);
    }
    call->was_told = false;
}

void
call_stop(struct upstream_call *call, enum ag_err err)
{
    if (call->err == AG_OK) {
        call->err = err;
        (void)snprintf(call->why, sizeof(call->why), "%s: %.200s",
                       call->parts.host.text, err_text(err));
    }
}

CURLcode
call_unpause(struct upstream_call *call)
{
    if (!call->send_paused && !call->recv_paused) {
        return CURLE_OK;
    }
    call->send_paused = false;
    call->recv_paused = false;
    call->lane->now_ms = clock_steady_ms();
    call->progress_ms = call->lane->now_ms;
    lane_changed(call->lane, call);
    return curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

/* libcurl closes its own when the handle goes; a copy stays. */
enum ag_err
call_keep_socket(struct upstream_call *call)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (!call->dial) {
        return AG_OK;
    }
    if (curl_easy_getinfo(call->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
        fd != CURL_SOCKET_BAD) {
        call->dialed_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    return call->dialed_fd >= 0 ? AG_OK
                                : err_why(AG_EIO, "%s: the connection was lost",
                                          call->parts.host.text);
}

static void
tell_dialed(struct upstream_call *call)
{
    if (call->dialed_fd >= 0 && call_enter(call)) {
        call->events->on_dialed(call->ctx, FD_TAKE(call->dialed_fd));
        call_leave(call);
    }
}

static int64_t
after(int64_t from_ms, int64_t limit_ms)
{
    int64_t at;

    if (limit_ms <= 0 || __builtin_add_overflow(from_ms, limit_ms, &at)) {
        return INT64_MAX;
    }
    return at;
}

/* While the caller holds a direction back the service is not to blame. */
static int64_t
silent_ms(const struct upstream_call *call)
{
    switch (call->phase) {
    case PHASE_CONNECT:
        return after(call->begun_ms, call->times.connect_ms);
    case PHASE_ASK:
        return call->send_paused && !call->upgrade
                   ? INT64_MAX
                   : after(call->progress_ms, call->times.first_byte_ms);
    case PHASE_ANSWER:
        return call->recv_paused
                   ? INT64_MAX
                   : after(call->progress_ms, call->times.idle_ms);
    }
    return INT64_MAX;
}

int64_t
call_late_ms(const struct upstream_call *call, bool *ret_whole)
{
    int64_t whole_ms;
    int64_t part_ms;

    *ret_whole = false;
    if (call->state != CALL_RUNNING) {
        return after(call->begun_ms, call->wait_ms);
    }
    whole_ms = after(call->begun_ms, call->times.whole_ms);
    part_ms = silent_ms(call);
    *ret_whole = whole_ms < part_ms;
    return *ret_whole ? whole_ms : part_ms;
}

bool
call_is_left(struct upstream_call *call, int64_t *ret_look_ms)
{
    int64_t now_ms = 0;
    uint8_t byte = 0;

    *ret_look_ms = INT64_MAX;
    if (!call->upgrade || call->state != CALL_RUNNING || call->own_fd < 0) {
        return false;
    }
    now_ms = clock_steady_ms();
    *ret_look_ms = now_ms + CALL_LOOK_MS;
    if (!call->send_paused || call->recv_paused ||
        recv(call->own_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0) {
        call->closed_ms = 0;
        return false;
    }
    if (call->closed_ms == 0 || call->progress_ms > call->closed_ms) {
        call->closed_ms = now_ms;
    }
    *ret_look_ms = call->closed_ms + CALL_CLOSED_MS;
    return now_ms >= *ret_look_ms;
}

/* What a callback of ours kept comes before what libcurl makes of it. */
static enum ag_err
reason(struct upstream_call *call, CURLcode code)
{
    const char *host = call->parts.host.text;
    long verify = 0;

    if (code != CURLE_OK && call->err != AG_OK) {
        return err_why(call->err, "%s", call->why);
    }
    if (code == CURLE_OK && !call->dial && call->answer.state < ANSWER_HEAD) {
        return err_why(AG_EUPSTREAM, "%s: it closed without an answer", host);
    }
    (void)curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
    return fail_of(code, verify, host);
}

static void
tell_trailers(struct upstream_call *call)
{
    struct upstream_head trailers;

    if (call->answer.count == 0 || call->events->on_trailers == NULL ||
        answer_fields(&call->answer, &trailers) != AG_OK || !call_enter(call)) {
        return;
    }
    call->events->on_trailers(call->ctx, trailers.fields, trailers.field_count);
    call_leave(call);
}

void
call_end(struct upstream_call *call, CURLcode code, enum ag_err err)
{
    if (err == AG_OK) {
        err = reason(call, code);
    }
    if (err == AG_OK && call->answer.state == ANSWER_TRAILER) {
        tell_trailers(call);
    }
    if (err == AG_OK) {
        tell_dialed(call);
    }
    curl_easy_cleanup(AG_TAKE(call->easy));
    request_lines_free(AG_TAKE(call->lines));
    call->state = CALL_ENDED;
    atomic_store(&call->ended, true);
    if (call_enter(call)) {
        call->events->on_end(call->ctx, err);
        call_leave(call);
    }
}
