#include "daemon/passing.h"

#include "proxy/proxy.h"

_Static_assert((int)PASS_BODY_CHUNKED == (int)PROXY_BODY_CHUNKED, "differs");
_Static_assert((int)PASS_BODY_NONE == (int)PROXY_BODY_NONE, "differs");
_Static_assert((int)PASS_WAIT == (int)PROXY_WAIT, "differs");
_Static_assert((int)PASS_END == (int)PROXY_END, "differs");
_Static_assert((int)PASS_BROKEN == (int)PROXY_BROKEN, "differs");
_Static_assert((int)PASS_FIELDS_MAX_COUNT == (int)PROXY_FIELDS_MAX_COUNT,
               "differs");

static void
on_answer(void *arg, const struct proxy_answer *answer)
{
    const struct pass_answer given = {
        .status = answer->status,
        .body_bytes = answer->body_bytes,
        .fields = answer->fields,
        .field_count = answer->field_count,
        .whole = answer->whole,
        .whole_len = answer->whole_len,
    };

    pass_answer(arg, &given);
}

static void
on_fail(void *arg, enum ag_err err, const char *why)
{
    pass_fail(arg, err, why);
}

static void
on_wake(void *arg)
{
    pass_wake(arg);
}

static enum ag_err
begin(void *ctx, struct pass *pass, const struct pass_head *head,
      bool may_block, void **ret)
{
    const struct proxy_request request = {
        .method = head->method,
        .via = head->via,
        .target = head->target,
        .fields = head->fields,
        .field_count = head->field_count,
        .body_bytes = head->body_bytes,
        .peer = head->peer,
    };
    const struct proxy_client client = {
        .answer = on_answer, .fail = on_fail, .wake = on_wake, .arg = pass};
    struct flight *flight = NULL;
    enum ag_err err = flight_begin(ctx, &request, may_block, &client, &flight);

    if (err == AG_OK) {
        *ret = flight;
    }
    return err;
}

static size_t
take(void *state, struct span part)
{
    return flight_take(state, part);
}

static void
taken(void *state)
{
    flight_taken(state);
}

static void
left(void *state)
{
    flight_left(state);
}

static ssize_t
give(void *state, uint8_t *into, size_t room)
{
    return flight_give(state, into, room);
}

static bool
wanted(void *state)
{
    return flight_wanted(state);
}

static void
cut(void *state)
{
    flight_cut(state);
}

static void
end(void *state)
{
    flight_end(state);
}

struct pass_app
passing_app(struct proxy *proxy)
{
    return (struct pass_app){
        .ctx = proxy,
        .begin = begin,
        .take = take,
        .taken = taken,
        .left = left,
        .give = give,
        .wanted = wanted,
        .cut = cut,
        .end = end,
    };
}
