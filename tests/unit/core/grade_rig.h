/*
 * grade_rig.h - tasks with a profile's tool, started over a broker without
 * sockets, and what they are handed and hand back.
 */
#ifndef AG_TESTS_GRADE_RIG_H
#define AG_TESTS_GRADE_RIG_H

#include "base/encode.h"
#include "common/broker.h"
#include "core/proxied.h"
#include "core/refresh.h"
#include "core/running.h"
#include "core/state.h"
#include "profile/placeholder.h"

/* header {"alg":"RS256","typ":"JWT"}, payload {"exp":1,"sub":"me"} */
#define JWT(tail)                                                              \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjEsInN1YiI6Im1lIn0." tail
#define ID_TOKEN  JWT("aWRlbnRpdHkgaWRlbnRpdHkgaWRlbnRpdHkgaWRlbnRpdHk")
#define ACCESS    JWT("YWNjZXNzIGFjY2VzcyBhY2Nlc3MgYWNjZXNzIGFjY2Vzcw")
#define ACCESS_2  JWT("bmV3ZXIgbmV3ZXIgbmV3ZXIgbmV3ZXIgbmV3ZXIgbmV3ZXI")
#define REFRESH   "rt_one.0123456789abcdefghijABCDEFGHIJ0123456789"
#define REFRESH_2 "rt_two.0123456789abcdefghijABCDEFGHIJ9876543210"
#define LOGIN(access, refresh, time)                                           \
    "{\"OPENAI_API_KEY\":null,\"tokens\":{\"id_token\":\"" ID_TOKEN            \
    "\",\"access_token\":\"" access "\",\"refresh_token\":\"" refresh          \
    "\",\"account_id\":\"acc-1\"},\"last_refresh\":\"" time "\"}"
#define OLD_TIME  "2026-01-01T00:00:00Z"
#define NEW_TIME  "2026-02-02T00:00:00Z"
#define API_KEY   "sk-proj-0123456789abcdefghijABCDEFGHIJ0123456789abcdef"
#define API_LOGIN "{\"OPENAI_API_KEY\":\"" API_KEY "\"}"

static struct {
    json_t *answer;
    int64_t id;
} started;

static inline void
forget(void)
{
    json_decref(started.answer);
    started.answer = NULL;
}

static inline enum ag_err
start(const char *profile, enum task_grade grade, enum caller_class who)
{
    const struct task_request request = {.name = "tool",
                                         .profiles = &profile,
                                         .profile_count = 1,
                                         .grade = grade};
    struct call call = call_of(flow.operator_peer);
    enum ag_err err;

    forget();
    call.who = who;
    err = act(do_start, &call, &request, &started.answer);
    if (err == AG_OK) {
        started.id = strtoll(text_at(started.answer, "id"), NULL, 10);
        line.peer = flow.operator_peer;
        line.connection_id++;
    }
    return err;
}

static inline void
end(void)
{
    handout_lost(flow.core, started.id);
    forget();
}

static inline const json_t *
delivery_at(size_t index)
{
    const json_t *item =
        json_array_get(json_object_get(started.answer, "deliveries"), index);

    assert_non_null(item);
    return item;
}

static inline void
check_delivery(size_t index, const char *kind, const char *grade)
{
    assert_string_equal(text_at(delivery_at(index), "kind"), kind);
    assert_string_equal(text_at(delivery_at(index), "grade"), grade);
}

static inline struct secret *
handed(size_t index)
{
    struct secret *value = NULL;

    check_ok(handout_value(flow.core, &line,
                           text_at(delivery_at(index), "ticket"), &value));
    return value;
}

static inline bool
holds(const struct secret *text, const char *word)
{
    struct span all = secret_view(text);

    return memmem(all.ptr, all.len, word, strlen(word)) != NULL;
}

static inline struct take_result
wrote(struct span content, enum ag_err want)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct take_result result = {0};

    check_ok(secret_from(content, &value));
    check_err(handout_take(flow.core, &line, text_at(delivery_at(0), "take"),
                           value, &result),
              want);
    return result;
}

static inline void
check_stored(const char *name, const char *want)
{
    struct call call = call_of(flow.operator_peer);
    struct got got = {.request = {.name = name}};
    struct got *request = &got;

    check_ok(act(do_get, &call, &request, NULL));
    check_span(secret_view(got.value), want);
    secret_free(got.value);
}

/* The document with one text in another's place. */
static inline struct secret *
changed(const struct secret *document, struct span from, const char *to)
{
    struct span all = secret_view(document);
    const uint8_t *at = memmem(all.ptr, all.len, from.ptr, from.len);
    AG_AUTO(buf) struct buf out = {0};
    struct secret *made = NULL;

    assert_non_null(at);
    buf_init(&out, (size_t)64 * 1024, BUF_WIPE);
    check_ok(buf_add(&out, span_sub(all, 0, (size_t)(at - all.ptr))));
    check_ok(buf_add(&out, span_str(to)));
    check_ok(buf_add(
        &out, span_sub(all, (size_t)(at - all.ptr) + from.len, all.len)));
    check_ok(secret_from(buf_view(&out), &made));
    return made;
}

/* Is the text among what output is searched for? */
static inline void
check_gone(const char *text)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    check_ok(record_redact(flow.core, &call, span_str(text), &answer));
    assert_null(strstr(text_at(answer, "text"), text));
}

/* What stands in the member now. */
static inline struct span
member(const struct secret *document, const char *name)
{
    struct span all = secret_view(document);
    const char *at = memmem(all.ptr, all.len, name, strlen(name));
    const char *value = NULL;

    assert_non_null(at);
    value = at + strlen(name) + 3; /* ":" */
    return span_of(value, (size_t)(strchr(value, '"') - value));
}

static inline enum ag_err
part_name(size_t index, size_t part, char *field, size_t cap)
{
    struct delivery delivery = {0};
    enum ag_err err =
        running_part(flow.core->running, started.id, index, part, &delivery);

    (void)snprintf(field, cap, "%s", delivery.field);
    return err;
}

static inline struct secret *
handed_file_of_new_task(void)
{
    check_ok(start("codex", TASK_GRADE_BEST, CALLER_OPERATOR));
    return handed(0);
}

static inline void
hand_file_to_new_task(void)
{
    AG_AUTO(secret) struct secret *file = handed_file_of_new_task();

    assert_non_null(file);
}

#endif
