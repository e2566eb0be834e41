/*
 * permits.h - tasks that send values through the proxy, and their requests: on
 * top of broker.h.
 */
#ifndef AG_TESTS_PERMITS_H
#define AG_TESTS_PERMITS_H

#include "common/broker.h"
#include "core/permit.h"

enum {
    SENDER_KEYS_COUNT = PERMIT_EDITS_MAX_COUNT + 1,
};

static struct {
    int64_t id;
    char keys[SENDER_KEYS_COUNT]
             [1024]; /* the placeholders, as they were asked for */
    size_t key_count;
    /* Of the next one: hosts without a credential. */
    const char *const *allow;
    size_t allow_count;
} sender;

/* A task of the operator's, its placeholders in `sender`. */
static inline enum ag_err
start_sender_as(const struct call *call,
                const struct task_proxy_request *wishes, size_t count)
{
    const struct task_request request = {.name = "sender",
                                         .proxies = wishes,
                                         .proxy_count = count,
                                         .allow = sender.allow,
                                         .allow_count = sender.allow_count};
    AG_AUTO(wjson) json_t *answer = NULL;
    json_t *delivery = NULL;
    size_t i = 0;
    int64_t id = 0;
    enum ag_err err = act(do_start, call, &request, &answer);

    if (err != AG_OK) {
        return err;
    }
    sender.key_count = 0;
    sender.id = strtoll(text_at(answer, "id"), NULL, 10);
    line.peer = flow.operator_peer;
    line.connection_id++;
    ended_reason = NULL;
    check_ok(handout_attach(flow.core, &line, text_at(answer, "life"),
                            &LISTENER, &id));
    json_array_foreach(json_object_get(answer, "deliveries"), i, delivery)
    {
        AG_AUTO(secret) struct secret *key = NULL;

        check_ok(
            handout_value(flow.core, &line, text_at(delivery, "ticket"), &key));
        assert_true(sender.key_count < AG_COUNT(sender.keys));
        assert_true(secret_len(key) < sizeof(sender.keys[0]));
        (void)snprintf(sender.keys[sender.key_count++], sizeof(sender.keys[0]),
                       "%.*s", (int)secret_len(key),
                       (const char *)secret_view(key).ptr);
    }
    return AG_OK;
}

static inline void
start_sender(const struct task_proxy_request *wishes, size_t count)
{
    struct call call = call_of(flow.operator_peer);

    check_ok(start_sender_as(&call, wishes, count));
}

static inline void
end_sender(void)
{
    handout_lost(flow.core, sender.id);
}

/* A request of the task's; texts are C strings. `name` may be NULL: without a
 * header. */
struct sent {
    struct peer *peer; /* NULL: the task's */
    const char *service;
    const char *method; /* NULL: GET */
    const char *path;   /* NULL: "/x" */
    const char *query;
    const char *name;
    const char *value;
    const char *body; /* with it: "Content-Type: application/json" */
    const char *type; /* … or this */
    bool follows;     /* the body is not there yet */
    bool quick;
};

static inline enum ag_err
send_into(const struct sent *sent, struct permit *permit)
{
    struct call call =
        call_of(sent->peer != NULL ? sent->peer : flow.task_peer);
    const struct request_field fields[] = {
        {.name = span_str("content-type"),
         .value = span_str(sent->type != NULL ? sent->type
                                              : "application/json; charset=x")},
        {.name = span_str(sent->name != NULL ? sent->name : ""),
         .value = span_str(sent->value != NULL ? sent->value : "")}};
    const struct permit_ask ask = {
        .call = &call,
        .service = span_str(sent->service),
        .request = {.method =
                        span_str(sent->method != NULL ? sent->method : "GET"),
                    .path = span_str(sent->path != NULL ? sent->path : "/x"),
                    .query = span_str(sent->query != NULL ? sent->query : ""),
                    .fields = fields,
                    .field_count = sent->name != NULL ? 2 : 1,
                    .body = span_str(sent->body != NULL ? sent->body : ""),
                    .body_follows = sent->follows}};

    return permit_decide(flow.core, &ask, sent->quick, permit);
}

static inline enum ag_err
send_one(const struct sent *sent)
{
    AG_AUTO(permit) struct permit permit = {0};

    return send_into(sent, &permit);
}

/* "Bearer KEY"; of the last call only. */
static inline const char *
bearer(const char *key)
{
    static char text[1100];

    (void)snprintf(text, sizeof(text), "Bearer %s", key);
    return text;
}

#endif
