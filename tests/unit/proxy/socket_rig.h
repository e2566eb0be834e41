/*
 * socket_rig.h - a WebSocket through the proxy, its service and its client
 * played event by event. The program wraps upstream_start, upstream_cancel and
 * upstream_resume; its main() begins as broker.h says.
 */
#ifndef AG_TESTS_UNIT_PROXY_SOCKET_RIG_H
#define AG_TESTS_UNIT_PROXY_SOCKET_RIG_H

#include "base/wipealloc.h"
#include "common/frames.h"
#include "common/parties.h"
#include "proxy/proxy.h"
#include "upstream/upstream.h"

enum {
    PART_BYTES = 100,
    WAITING_BYTES = 64 * 1024, /* with more on its way none is taken */
};

/* ---- the service ---- */

static struct {
    const struct upstream_events *events;
    void *ctx;
    unsigned flags;
    int64_t body_bytes;
    char fields[2048]; /* "name: value\n"… */
    int started;
    int resumed;
} wire;

enum ag_err __wrap_upstream_start(struct upstream *u,
                                  const struct upstream_request *request,
                                  const struct upstream_events *events,
                                  void *ctx, struct upstream_call **ret);
void __wrap_upstream_cancel(struct upstream_call *call);
void __wrap_upstream_resume(struct upstream_call *call);

enum ag_err
__wrap_upstream_start(struct upstream *u,
                      const struct upstream_request *request,
                      const struct upstream_events *events, void *ctx,
                      struct upstream_call **ret)
{
    size_t at = 0;

    (void)u;
    wire.started++;
    wire.events = events;
    wire.ctx = ctx;
    wire.flags = request->flags;
    wire.body_bytes = request->body_bytes;
    for (size_t i = 0; i < request->field_count; i++) {
        const struct upstream_field *field = &request->fields[i];

        at += (size_t)snprintf(
            wire.fields + at, sizeof(wire.fields) - at, "%.*s: %.*s\n",
            (int)field->name.len, (const char *)field->name.ptr,
            (int)field->value.len, (const char *)field->value.ptr);
        assert_true(at < sizeof(wire.fields));
    }
    *ret = (struct upstream_call *)&wire;
    return AG_OK;
}

void
__wrap_upstream_cancel(struct upstream_call *call)
{
    (void)call;
}

void
__wrap_upstream_resume(struct upstream_call *call)
{
    (void)call;
    wire.resumed++;
}

/* What goes to it, as far as it takes it now. */
static inline void
service_takes(struct buf *into, size_t most)
{
    uint8_t part[PART_BYTES];
    size_t n = 1;

    while (n > 0 && into->len < most) {
        n = 0;
        (void)wire.events->on_send(wire.ctx, part, sizeof(part), &n);
        check_ok(buf_add(into, span_of(part, n)));
    }
}

static inline void
service_says(struct span bytes)
{
    for (size_t at = 0; at < bytes.len; at += PART_BYTES) {
        assert_int_equal(
            wire.events->on_body(wire.ctx, span_sub(bytes, at, PART_BYTES)),
            UPSTREAM_GO);
    }
    wire.events->on_turn(wire.ctx);
}

/* ---- the client ---- */

static struct {
    struct proxy *proxy;
    struct flight *flight;
    struct buf to_service;
    struct buf to_client;
    int status;
    bool says_upgrade;
    enum ag_err err;
    char why[200];
    int woken;
} t;

static inline void
on_answer(void *arg, const struct proxy_answer *given)
{
    (void)arg;
    t.status = given->status;
    wipe_free(given->whole); /* it is ours */
    for (size_t i = 0; i < given->field_count; i++) {
        t.says_upgrade =
            t.says_upgrade || (span_is(given->fields[i].name, "Upgrade") &&
                               span_is(given->fields[i].value, "websocket"));
    }
}

static inline void
on_fail(void *arg, enum ag_err err, const char *why)
{
    (void)arg;
    t.err = err;
    (void)snprintf(t.why, sizeof(t.why), "%s", why);
}

static inline void
on_wake(void *arg)
{
    (void)arg;
    t.woken++;
}

static const struct proxy_client CLIENT = {
    .answer = on_answer, .fail = on_fail, .wake = on_wake};

/* What comes to it now; what flight_give() says behind that. */
static inline ssize_t
client_hears(void)
{
    uint8_t part[PART_BYTES];
    ssize_t n = 0;

    while ((n = flight_give(t.flight, part, sizeof(part))) > 0) {
        check_ok(buf_add(&t.to_client, span_of(part, (size_t)n)));
    }
    return n;
}

static inline void
client_says(struct span bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        size_t n = flight_take(t.flight, span_sub(bytes, at, PART_BYTES));

        assert_true(n > 0);
        at += n;
    }
}

static inline void
client_says_frame(enum frame_kind kind, bool last, const char *text)
{
    AG_AUTO(buf) struct buf frame;

    buf_init(&frame, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put_text(&frame, FRAME_OF_CLIENT, kind, last, text);
    client_says(buf_view(&frame));
}

static inline void
service_says_frame(enum frame_kind kind, bool last, const char *text)
{
    AG_AUTO(buf) struct buf frame;

    buf_init(&frame, FRAMES_MAX_BYTES, BUF_PLAIN);
    frames_put_text(&frame, FRAME_OF_SERVICE, kind, last, text);
    service_says(buf_view(&frame));
}

static inline void
check_service_got(const char *want)
{
    service_takes(&t.to_service, FRAMES_MAX_BYTES);
    frames_check(FRAME_OF_CLIENT, buf_view(&t.to_service), want);
    buf_clear(&t.to_service);
}

static inline void
check_client_got(const char *want)
{
    (void)client_hears();
    frames_check(FRAME_OF_SERVICE, buf_view(&t.to_client), want);
    buf_clear(&t.to_client);
}

/* ---- a socket's life ---- */

static inline void
ask(void)
{
    const struct request_field fields[] = {
        {span_str("Connection"), span_str("keep-alive, Upgrade")},
        {span_str("Upgrade"), span_str("websocket")},
        {span_str("Sec-WebSocket-Version"), span_str("13")},
        {span_str("Sec-WebSocket-Key"), span_str("dGhlIHNhbXBsZSBub25jZQ==")},
        {span_str("Sec-WebSocket-Extensions"), span_str("permessage-deflate")},
        {span_str("Authorization"), span_str(bearer(sender.keys[0]))}};
    const struct proxy_request request = {.method = span_str("GET"),
                                          .target =
                                              span_str("/p/api.example/x"),
                                          .fields = fields,
                                          .field_count = AG_COUNT(fields),
                                          .body_bytes = PROXY_BODY_NONE,
                                          .peer = flow.task_peer};

    memset(&wire, 0, sizeof(wire));
    memset(&t, 0, sizeof(t));
    buf_init(&t.to_service, FRAMES_MAX_BYTES, BUF_PLAIN);
    buf_init(&t.to_client, FRAMES_MAX_BYTES, BUF_PLAIN);
    /* Nobody looks into the upstream: its calls are played. */
    check_ok(proxy_new(flow.core, (struct upstream *)(void *)&wire, &t.proxy));
    check_ok(flight_begin(t.proxy, &request, true, &CLIENT, &t.flight));
    assert_int_equal(wire.started, 1);
}

static inline void
service_answers(int status, const char *name, const char *value)
{
    const struct upstream_field fields[] = {
        {span_str("Upgrade"), span_str("websocket"), false},
        {span_str("Connection"), span_str("Upgrade"), false},
        {span_str("Sec-WebSocket-Accept"),
         span_str("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), false},
        {span_str(name), span_str(value), false}};
    const struct upstream_head head = {status, fields, name[0] == '\0' ? 3 : 4};

    wire.events->on_head(wire.ctx, &head);
    wire.events->on_turn(wire.ctx);
}

static inline void
start_wish(int64_t bytes)
{
    const struct task_proxy_request wish = {.ref = "ag://github/bot",
                                            .upstream = "https://api.example",
                                            .key_env = "K",
                                            .uses = -1,
                                            .bytes = bytes};

    start_sender(&wish, 1);
}

static inline int
begin(void **state)
{
    (void)state;
    start_wish(0);
    ask();
    service_answers(101, "", "");
    assert_int_equal(t.status, 101);
    return 0;
}

static inline int
end(void **state)
{
    (void)state;
    flight_end(t.flight);
    proxy_free(t.proxy);
    buf_done(&t.to_service);
    buf_done(&t.to_client);
    end_sender();
    return 0;
}

/* Anew, with an answer of the test's own. */
static inline void
ask_again(void **state)
{
    (void)end(state);
    start_wish(0);
    ask();
}

#endif
