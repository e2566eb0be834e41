#include "privsep/runner.h"

#include <sys/prctl.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <endian.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "privsep/channel.h"
#include "privsep/confine.h"
#include "privsep/runner_exec.h"
#include "privsep/spawn.h"

/*
 * The question, little-endian: its number 8 | when its time is up, by the
 * steady clock that both processes have, 8 | hash 32 | which descriptors came 1 |
 * act, path: length 4 and bytes | the rest is the input. The answer: status 8 |
 * end 1 | output. A cancellation has the number 8 of the question that is to end:
 * as packets come in order, it finds it not begun, running, or over.
 */
enum {
    OP_RUN = 1,
    OP_CANCEL = 2,
    SLACK_MS = 10 * 1000, /* for reading the program, and its end */
    NUMBER_BYTES = 8,
    HEAD_BYTES = NUMBER_BYTES + 8 + RUNNER_HASH_BYTES + 1,
    ANSWER_HEAD_BYTES = 8 + 1,
    ACT_MAX_BYTES = 15,
    QUESTION_MAX_BYTES = HEAD_BYTES + 2 * 4 + ACT_MAX_BYTES +
                         RUNNER_PATH_MAX_BYTES + RUNNER_INPUT_MAX_BYTES,
};

struct runner {
    struct helper *helper;
    pthread_mutex_t lock;  /* one program at a time */
    pthread_mutex_t state; /* over what follows */
    uint64_t last;         /* number of a question */
    bool runs;             /* that question is out */
    bool held;
};

/* ---- the helper process ---- */

struct asked {
    struct runner_job job;
    uint64_t number;
    int64_t end_ms;
    uint8_t hash[RUNNER_HASH_BYTES];
    char act[ACT_MAX_BYTES + 1];
    char path[RUNNER_PATH_MAX_BYTES + 1];
};

static uint64_t
take_le(struct span *rest, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes && i < rest->len; i++) {
        value |= (uint64_t)rest->ptr[i] << (8 * i);
    }
    *rest = span_sub(*rest, bytes, rest->len);
    return value;
}

static bool
take_text(struct span *rest, size_t max_bytes, char *out)
{
    size_t len = (size_t)take_le(rest, 4);
    struct span text = span_sub(*rest, 0, len);

    if (text.len != len || len == 0 || len > max_bytes) {
        return false;
    }
    memcpy(out, text.ptr, len);
    out[len] = '\0';
    *rest = span_sub(*rest, len, rest->len);
    return true;
}

static enum ag_err
decode(struct channel_packet *packet, struct asked *ret)
{
    struct span rest = packet->body;
    int *const places[RUNNER_FDS_COUNT] = {&ret->job.old_fd, &ret->job.new_fd,
                                           &ret->job.out_fd};
    size_t next = 0;
    unsigned which = 0;

    if (packet->head.op != OP_RUN || rest.len < HEAD_BYTES) {
        return AG_EINVAL;
    }
    ret->number = take_le(&rest, NUMBER_BYTES);
    ret->end_ms = (int64_t)take_le(&rest, 8);
    memcpy(ret->hash, rest.ptr, RUNNER_HASH_BYTES);
    rest = span_sub(rest, RUNNER_HASH_BYTES, rest.len);
    which = (unsigned)take_le(&rest, 1);
    for (size_t i = 0; i < RUNNER_FDS_COUNT; i++) {
        bool came = (which >> i & 1U) != 0;

        if (came && next == packet->fd_count) {
            return AG_EINVAL;
        }
        *places[i] = came ? packet->fds[next++] : -1;
    }
    if (!take_text(&rest, ACT_MAX_BYTES, ret->act) ||
        !take_text(&rest, RUNNER_PATH_MAX_BYTES, ret->path)) {
        return AG_EINVAL;
    }
    ret->job.act = ret->act;
    ret->job.path = ret->path;
    ret->job.input = rest;
    return AG_OK;
}

/* Its question is number `number`, at most, of those that are not to run. */
static uint64_t cancelled;

static enum ag_err
cancel(const struct channel_packet *packet)
{
    struct span rest = packet->body;

    if (rest.len != NUMBER_BYTES) {
        return AG_EINVAL;
    }
    cancelled = take_le(&rest, NUMBER_BYTES);
    return AG_OK;
}

static enum ag_err
run(int channel_fd, struct channel_packet *packet, struct buf *answer)
{
    AG_AUTO(fd) int program = -1;
    AG_AUTO(buf) struct buf output = {0};
    struct asked asked = {0};
    struct runner_result result = {0};
    enum ag_err err = decode(packet, &asked);

    buf_init(&output, RUNNER_OUTPUT_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK && asked.number <= cancelled) {
        err = AG_ELOCKED;
    }
    if (err == AG_OK) {
        err = runner_load(asked.path, asked.hash, &program);
    }
    asked.job.limit_ms = asked.end_ms - clock_steady_ms();
    if (err == AG_OK && asked.job.limit_ms <= 0) {
        err = AG_ETIMEOUT; /* its time was up before it could begin */
    }
    if (err == AG_OK) {
        err = runner_exec(program, channel_fd, &asked.job, &result, &output);
    }
    if (err == AG_OK) {
        err = buf_add_u64le(answer, (uint64_t)(int64_t)result.status);
    }
    if (err == AG_OK) {
        err = buf_add_byte(answer, (uint8_t)((result.timed_out ? 1U : 0U) |
                                             (result.cut_off ? 2U : 0U)));
    }
    return err == AG_OK ? buf_add(answer, buf_view(&output)) : err;
}

static enum ag_err
serve(int channel_fd)
{
    static struct channel_packet packet;
    AG_AUTO(buf) struct buf answer = {0};
    enum ag_err err = channel_next(channel_fd, &packet);

    buf_init(&answer, CHANNEL_BODY_MAX_BYTES, BUF_WIPE);
    while (err == AG_OK) {
        enum ag_err result = AG_OK;

        buf_clear(&answer);
        err_clear();
        result = packet.head.op == OP_CANCEL
                     ? cancel(&packet)
                     : run(channel_fd, &packet, &answer);
        if (result != AG_OK) {
            buf_clear(&answer);
        }
        channel_drop_fds(&packet);
        err = channel_answer(channel_fd, packet.head.id, packet.head.op, result,
                             buf_view(&answer));
        if (err == AG_OK) {
            err = channel_next(channel_fd, &packet);
        }
    }
    return err;
}

int
runner_main(int channel_fd)
{
    enum ag_err err = confine_begin("ag-runner");

    /* What a program leaves behind becomes this process's child, which must
     * outlive the broker to kill it: the end of the channel ends it too. */
    if (err == AG_OK && (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) != 0 ||
                         prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)) {
        err = AG_EIO;
    }
    if (err == AG_OK) {
        (void)signal(SIGPIPE, SIG_IGN);
        err = serve(channel_fd);
    }
    return err == AG_ENOBROKER ? 0 : err_exit(err);
}

/* ---- the broker's view ---- */

enum ag_err
runner_start(struct runner **ret)
{
    struct runner *r = calloc(1, sizeof(*r));
    const struct channel_hooks hooks = {.dead_err = AG_EUNSUPPORTED};
    enum ag_err err = AG_ENOMEM;

    if (r == NULL) {
        return err;
    }
    err = spawn_helper(SPAWN_RUNNER, &hooks, &r->helper);
    if (err != AG_OK) {
        free(r);
        return err;
    }
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_mutex_init(&r->state, NULL);
    *ret = r;
    return AG_OK;
}

void
runner_stop(struct runner *r)
{
    if (r == NULL) {
        return;
    }
    helper_stop(r->helper);
    (void)pthread_mutex_destroy(&r->state);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

void
runner_abort(struct runner *r)
{
    if (r != NULL) {
        channel_shutdown(helper_channel(r->helper));
    }
}

bool
runner_is_alive(struct runner *r)
{
    return channel_is_alive(helper_channel(r->helper));
}

void
runner_hold(struct runner *r, bool held)
{
    AG_AUTO(buf) struct buf body = {0};
    struct channel_question question = {.op = OP_CANCEL};
    uint64_t number = 0;

    if (r == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&r->state);
    r->held = held;
    number = held && r->runs ? r->last : 0;
    (void)pthread_mutex_unlock(&r->state);
    buf_init(&body, NUMBER_BYTES, BUF_PLAIN);
    if (number != 0 && buf_add_u64le(&body, number) == AG_OK) {
        question.body = buf_view(&body);
        /* One that can't be told has no time either, or is gone. */
        (void)!channel_ask(helper_channel(r->helper), &question, NULL);
    }
}

/* Its number, unless nothing is to run now. */
static enum ag_err
admit(struct runner *r, uint64_t *ret)
{
    enum ag_err err = AG_OK;

    (void)pthread_mutex_lock(&r->state);
    if (r->held) {
        err = AG_ELOCKED;
    } else {
        r->runs = true;
        *ret = ++r->last;
    }
    (void)pthread_mutex_unlock(&r->state);
    return err;
}

static void
leave(struct runner *r)
{
    (void)pthread_mutex_lock(&r->state);
    r->runs = false;
    (void)pthread_mutex_unlock(&r->state);
}

static enum ag_err
add_text(struct buf *b, const char *text)
{
    enum ag_err err = buf_add_u32le(b, (uint32_t)strlen(text));

    return err == AG_OK ? buf_add_str(b, text) : err;
}

static enum ag_err
encode(const struct runner_job *job, int64_t end_ms, unsigned which,
       struct buf *body)
{
    enum ag_err err = buf_add_u64le(body, (uint64_t)end_ms);

    if (err == AG_OK) {
        err = buf_add(body, span_of(job->hash, RUNNER_HASH_BYTES));
    }
    if (err == AG_OK) {
        err = buf_add_byte(body, (uint8_t)which);
    }
    if (err == AG_OK) {
        err = add_text(body, job->act);
    }
    if (err == AG_OK) {
        err = add_text(body, job->path);
    }
    return err == AG_OK ? buf_add(body, job->input) : err;
}

/* Under the lock. */
static enum ag_err
ask(struct runner *r, struct channel_question *question,
    const struct runner_job *job, unsigned which, struct buf *answer)
{
    AG_AUTO(buf) struct buf body = {0};
    int64_t end_ms = clock_steady_ms() + job->limit_ms;
    uint64_t number = 0;
    enum ag_err err = admit(r, &number);

    if (err != AG_OK) {
        return err;
    }
    buf_init(&body, QUESTION_MAX_BYTES, BUF_PLAIN);
    err = buf_add_u64le(&body, number);
    if (err == AG_OK) {
        err = encode(job, end_ms, which, &body);
    }
    if (err == AG_OK) {
        question->body = buf_view(&body);
        err = channel_ask(helper_channel(r->helper), question, answer);
    }
    leave(r);
    return err;
}

enum ag_err
runner_run(struct runner *r, const struct runner_job *job,
           struct runner_result *ret, struct buf *output)
{
    const int given[RUNNER_FDS_COUNT] = {job->old_fd, job->new_fd, job->out_fd};
    AG_AUTO(buf) struct buf answer = {0};
    int fds[RUNNER_FDS_COUNT];
    struct channel_question question = {
        .op = OP_RUN, .fds = fds, .wait_ms = job->limit_ms + SLACK_MS};
    struct span rest;
    unsigned which = 0;
    uint64_t end = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < RUNNER_FDS_COUNT; i++) {
        if (given[i] >= 0) {
            which |= 1U << i;
            fds[question.fd_count++] = given[i];
        }
    }
    buf_init(&answer, CHANNEL_BODY_MAX_BYTES, BUF_WIPE);
    (void)pthread_mutex_lock(&r->lock);
    err = ask(r, &question, job, which, &answer);
    (void)pthread_mutex_unlock(&r->lock);
    rest = buf_view(&answer);
    if (err == AG_OK && rest.len < ANSWER_HEAD_BYTES) {
        err = AG_EIO;
    }
    if (err != AG_OK) {
        return err;
    }
    ret->status = (int)(int64_t)take_le(&rest, 8);
    end = take_le(&rest, 1);
    ret->timed_out = (end & 1U) != 0;
    ret->cut_off = (end & 2U) != 0;
    return buf_add(output, rest);
}
