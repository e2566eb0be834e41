#include "privsep/filter.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/parse.h"
#include "base/secret.h"
#include "privsep/channel.h"
#include "privsep/filter_live.h"
#include "privsep/filter_msg.h"
#include "privsep/spawn.h"

enum {
    CHANGE_WAIT_MS = 10000,
    COMMIT_WAIT_MS = 60000, /* a set of very many values under a sanitizer */
};

struct filter {
    struct helper *helper;
    void (*died)(void *arg);
    void *died_arg;
    struct flive_list live;
    pthread_mutex_t set_lock; /* over what follows */
    struct secret *batch;     /* records on their way; values are in it */
    size_t batch_len;
};

/* ---- events, on the channel's thread ---- */

static void
on_event(void *ctx, uint16_t op, struct span body)
{
    struct filter *f = ctx;

    flive_on_event(&f->live, op, body);
}

static void
on_death(void *ctx)
{
    struct filter *f = ctx;

    flive_on_death(&f->live);
    if (f->died != NULL) {
        f->died(f->died_arg);
    }
}

/* ---- life ---- */

enum ag_err
filter_start(void (*died)(void *arg), void *arg, struct filter **ret)
{
    struct filter *f = calloc(1, sizeof(*f));
    struct channel_hooks hooks = {
        .ctx = f,
        .on_event = on_event,
        .on_death = on_death,
        .dead_err = AG_EFILTER,
    };
    enum ag_err err;

    if (f == NULL) {
        return AG_ENOMEM;
    }
    f->died = died;
    f->died_arg = arg;
    flive_init(&f->live);
    (void)pthread_mutex_init(&f->set_lock, NULL);
    err = spawn_helper(SPAWN_FILTER, &hooks, &f->helper);
    if (err != AG_OK) {
        free(f);
        return err;
    }
    *ret = f;
    return AG_OK;
}

void
filter_stop(struct filter *f)
{
    if (f == NULL) {
        return;
    }
    helper_stop(f->helper);
    flive_done(&f->live);
    secret_free(f->batch);
    (void)pthread_mutex_destroy(&f->set_lock);
    free(f);
}

pid_t
filter_pid(const struct filter *f)
{
    return helper_pid(f->helper);
}

bool
filter_is_alive(struct filter *f)
{
    return channel_is_alive(helper_channel(f->helper));
}

static enum ag_err
ask(struct filter *f, const struct channel_question *question,
    struct buf *answer)
{
    return channel_ask(helper_channel(f->helper), question, answer);
}

/* ---- the set ---- */

/* Sends what is gathered. On error it stays, to be sent again. */
static enum ag_err
flush(struct filter *f)
{
    struct channel_question question = {.op = FILTER_OP_CHANGE,
                                        .wait_ms = CHANGE_WAIT_MS};
    enum ag_err err;

    if (f->batch_len == 0) {
        return AG_OK;
    }
    question.body = span_sub(secret_view(f->batch), 0, f->batch_len);
    err = ask(f, &question, NULL);
    if (err == AG_OK) {
        wipe(secret_bytes(f->batch), f->batch_len);
        f->batch_len = 0;
    }
    return err;
}

static void
put_bytes(struct filter *f, struct span bytes)
{
    if (bytes.len > 0) {
        memcpy(secret_bytes(f->batch) + f->batch_len, bytes.ptr, bytes.len);
    }
    f->batch_len += bytes.len;
}

static void
put_record(struct filter *f, const struct fmsg_record *record)
{
    uint8_t head[FMSG_LOAD_HEAD_BYTES];

    put_bytes(f, span_of(head, fmsg_put_record(record, head)));
    put_bytes(f, record->name);
    put_bytes(f, record->part);
}

/* Room for a record of `len` bytes in the batch. */
static enum ag_err
need_batch(struct filter *f, size_t len)
{
    if (f->batch == NULL) {
        enum ag_err err = secret_new(CHANNEL_BODY_MAX_BYTES, &f->batch);

        if (err != AG_OK) {
            return err;
        }
    }
    return CHANNEL_BODY_MAX_BYTES - f->batch_len >= len ? AG_OK : flush(f);
}

/* A value too large for the rest of a packet goes on in the next. */
static enum ag_err
put_load(struct filter *f, struct fmsg_record *record, struct span value)
{
    size_t head = FMSG_LOAD_HEAD_BYTES + record->name.len;
    size_t whole = head + value.len;
    struct fmsg_record more = {.kind = FMSG_MORE};
    enum ag_err err = need_batch(
        f, whole < CHANNEL_BODY_MAX_BYTES ? whole : CHANNEL_BODY_MAX_BYTES);

    if (err != AG_OK) {
        return err;
    }
    record->part = span_sub(value, 0, CHANNEL_BODY_MAX_BYTES - head);
    put_record(f, record);
    more.part = span_sub(value, record->part.len, value.len);
    if (more.part.len == 0) {
        return AG_OK;
    }
    err = flush(f);
    if (err != AG_OK) {
        f->batch_len = 0; /* half a value is worth nothing */
        return err;
    }
    put_record(f, &more);
    return AG_OK;
}

_Static_assert((int)FILTER_LOAD_NO_LINES == (int)MATCHER_NO_LINES &&
                   (int)FILTER_LOAD_SPARE == (int)MATCHER_SPARE,
               "flags differ");

enum ag_err
filter_load(struct filter *f, uint64_t id, const char *name,
            const struct secret *value, enum filter_load_flags flags)
{
    struct fmsg_record record = {
        .kind = FMSG_LOAD,
        .id = id,
        .flags = (enum matcher_flags)flags, /* the same bits */
        .value_len = secret_len(value),
        .name = span_str(name),
    };
    enum ag_err err;

    if (record.name.len > MATCHER_NAME_MAX_BYTES) {
        return err_why(AG_EINVAL, "a secret's name is too long to redact");
    }
    if (record.value_len > FILTER_VALUE_MAX_BYTES) {
        return err_why(AG_ELIMIT, "a value to redact is longer than %d bytes",
                       (int)FILTER_VALUE_MAX_BYTES);
    }
    (void)pthread_mutex_lock(&f->set_lock);
    err = put_load(f, &record, secret_view(value));
    (void)pthread_mutex_unlock(&f->set_lock);
    return err;
}

static enum ag_err
send_drop(struct filter *f, enum fmsg_record_kind kind, uint64_t id)
{
    const struct fmsg_record record = {.kind = kind, .id = id};
    enum ag_err err;

    (void)pthread_mutex_lock(&f->set_lock);
    err = need_batch(f, FMSG_DROP_BYTES);
    if (err == AG_OK) {
        put_record(f, &record);
    }
    (void)pthread_mutex_unlock(&f->set_lock);
    return err;
}

enum ag_err
filter_drop(struct filter *f, uint64_t id)
{
    return send_drop(f, FMSG_DROP, id);
}

enum ag_err
filter_drop_group(struct filter *f, uint64_t id)
{
    return send_drop(f, FMSG_DROP_GROUP, id);
}

static enum ag_err
ask_numbers(struct filter *f, enum filter_op op, uint64_t *out, size_t count)
{
    const struct channel_question question = {.op = (uint16_t)op,
                                              .wait_ms = COMMIT_WAIT_MS};
    AG_AUTO(buf) struct buf answer = {0};
    enum ag_err err;

    buf_init(&answer, count * sizeof(*out), BUF_PLAIN);
    err = ask(f, &question, &answer);
    if (err != AG_OK) {
        return err;
    }
    return fmsg_get_numbers(buf_view(&answer), out, count) == AG_OK
               ? AG_OK
               : AG_ECORRUPT;
}

enum ag_err
filter_commit(struct filter *f, uint64_t *ret_epoch)
{
    enum ag_err err;

    (void)pthread_mutex_lock(&f->set_lock);
    err = flush(f);
    if (err == AG_OK) {
        err = ask_numbers(f, FILTER_OP_COMMIT, ret_epoch, 1);
    }
    if (err == AG_OK) {
        secret_free(AG_TAKE(f->batch));
    }
    (void)pthread_mutex_unlock(&f->set_lock);
    return err;
}

enum ag_err
filter_wipe(struct filter *f)
{
    const struct channel_question question = {.op = FILTER_OP_WIPE};
    enum ag_err err;

    (void)pthread_mutex_lock(&f->set_lock);
    secret_free(AG_TAKE(f->batch));
    f->batch_len = 0;
    err = ask(f, &question, NULL);
    (void)pthread_mutex_unlock(&f->set_lock);
    return err;
}

enum ag_err
filter_stats(struct filter *f, struct filter_stats *ret)
{
    uint64_t numbers[5];
    enum ag_err err =
        ask_numbers(f, FILTER_OP_STATS, numbers, AG_COUNT(numbers));

    if (err == AG_OK) {
        /* In the order of the struct. */
        *ret = (struct filter_stats){numbers[0], numbers[1], numbers[2],
                                     numbers[3], numbers[4]};
    }
    return err;
}

enum ag_err
filter_know(struct filter *f, const struct secret *key)
{
    struct channel_question question = {.op = FILTER_OP_KNOW,
                                        .body = secret_view(key),
                                        .wait_ms = CHANGE_WAIT_MS};

    return ask(f, &question, NULL);
}

/* ---- streams ---- */

static enum ag_err
ask_stream(struct filter *f, const struct filter_route *route, uint64_t id)
{
    struct fmsg_stream stream = {
        .id = id,
        .audience = route->options.audience,
        .rules = route->options.rules,
        .places = route->options.places,
        .format = route->options.format,
        .vouch = route->options.vouch,
        .has_marker = route->options.marker != NULL,
    };
    const int fds[] = {route->src_fd, route->dst_fd};
    AG_AUTO(buf) struct buf body = {0};
    struct channel_question question = {
        .op = FILTER_OP_STREAM, .fds = fds, .fd_count = AG_COUNT(fds)};
    enum ag_err err;

    if (stream.has_marker) {
        if (strlen(route->options.marker) > FILTER_MARKER_MAX_BYTES) {
            return err_why(AG_EINVAL, "marker: longer than %d bytes",
                           (int)FILTER_MARKER_MAX_BYTES);
        }
        (void)stpcpy(stream.marker, route->options.marker);
    }
    buf_init(&body, sizeof(stream), BUF_PLAIN);
    err = fmsg_put_stream(&body, &stream);
    question.body = buf_view(&body);
    return err != AG_OK ? err : ask(f, &question, NULL);
}

enum ag_err
filter_stream(struct filter *f, const struct filter_route *route,
              uint64_t *ret_stream)
{
    uint64_t id = 0;
    /* On the list before the question goes out: the end may come first. */
    enum ag_err err = flive_add(&f->live, route, &id);

    if (err != AG_OK) {
        return err;
    }
    err = ask_stream(f, route, id);
    /* If its end was told already the call has, in effect, succeeded. */
    if (err != AG_OK && flive_drop(&f->live, id)) {
        return err;
    }
    *ret_stream = id;
    return AG_OK;
}

enum ag_err
filter_cancel(struct filter *f, uint64_t stream)
{
    AG_AUTO(buf) struct buf body = {0};
    struct channel_question question = {.op = FILTER_OP_CANCEL};
    enum ag_err err;

    buf_init(&body, sizeof(stream), BUF_PLAIN);
    err = buf_add_u64le(&body, stream);
    question.body = buf_view(&body);
    return err != AG_OK ? err : ask(f, &question, NULL);
}
