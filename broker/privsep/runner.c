#include "privsep/runner.h"

#include <sys/prctl.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <endian.h>

#include "base/fdx.h"
#include "privsep/channel.h"
#include "privsep/confine.h"
#include "privsep/runner_exec.h"
#include "privsep/spawn.h"

/*
 * The question, little-endian: limit 8 | hash 32 | which descriptors came 1 |
 * act, path: length 4 and bytes | the rest is the input. The answer: status 8 |
 * timed out 1 | output.
 */
enum {
    OP_RUN = 1,
    SLACK_MS = 10 * 1000, /* for reading the program, and its end */
    HEAD_BYTES = 8 + RUNNER_HASH_BYTES + 1,
    ANSWER_HEAD_BYTES = 8 + 1,
    ACT_MAX_BYTES = 15,
    QUESTION_MAX_BYTES = HEAD_BYTES + 2 * 4 + ACT_MAX_BYTES +
                         RUNNER_PATH_MAX_BYTES + RUNNER_INPUT_MAX_BYTES,
};

struct runner {
    struct helper *helper;
    pthread_mutex_t lock; /* one question at a time */
};

/* ---- the helper process ---- */

struct asked {
    struct runner_job job;
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
    ret->job.limit_ms = (int64_t)take_le(&rest, 8);
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

static enum ag_err
run(int channel_fd, struct channel_packet *packet, struct buf *answer)
{
    AG_AUTO(fd) int program = -1;
    AG_AUTO(buf) struct buf output = {0};
    struct asked asked = {0};
    struct runner_result result = {0};
    enum ag_err err = decode(packet, &asked);

    buf_init(&output, RUNNER_OUTPUT_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK) {
        err = runner_load(asked.path, asked.hash, &program);
    }
    if (err == AG_OK) {
        err = runner_exec(program, channel_fd, &asked.job, &result, &output);
    }
    if (err == AG_OK) {
        err = buf_add_u64le(answer, (uint64_t)(int64_t)result.status);
    }
    if (err == AG_OK) {
        err = buf_add_byte(answer, result.timed_out ? 1 : 0);
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
        result = run(channel_fd, &packet, &answer);
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

static enum ag_err
add_text(struct buf *b, const char *text)
{
    enum ag_err err = buf_add_u32le(b, (uint32_t)strlen(text));

    return err == AG_OK ? buf_add_str(b, text) : err;
}

static enum ag_err
encode(const struct runner_job *job, unsigned which, struct buf *body)
{
    enum ag_err err = buf_add_u64le(body, (uint64_t)job->limit_ms);

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

enum ag_err
runner_run(struct runner *r, const struct runner_job *job,
           struct runner_result *ret, struct buf *output)
{
    const int given[RUNNER_FDS_COUNT] = {job->old_fd, job->new_fd, job->out_fd};
    AG_AUTO(buf) struct buf body = {0};
    AG_AUTO(buf) struct buf answer = {0};
    int fds[RUNNER_FDS_COUNT];
    struct channel_question question = {
        .op = OP_RUN, .fds = fds, .wait_ms = job->limit_ms + SLACK_MS};
    struct span rest;
    unsigned which = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < RUNNER_FDS_COUNT; i++) {
        if (given[i] >= 0) {
            which |= 1U << i;
            fds[question.fd_count++] = given[i];
        }
    }
    buf_init(&body, QUESTION_MAX_BYTES, BUF_PLAIN);
    buf_init(&answer, CHANNEL_BODY_MAX_BYTES, BUF_WIPE);
    err = encode(job, which, &body);
    if (err != AG_OK) {
        return err;
    }
    question.body = buf_view(&body);
    (void)pthread_mutex_lock(&r->lock);
    err = channel_ask(helper_channel(r->helper), &question, &answer);
    (void)pthread_mutex_unlock(&r->lock);
    rest = buf_view(&answer);
    if (err == AG_OK && rest.len < ANSWER_HEAD_BYTES) {
        err = AG_EIO;
    }
    if (err != AG_OK) {
        return err;
    }
    ret->status = (int)(int64_t)take_le(&rest, 8);
    ret->timed_out = take_le(&rest, 1) != 0;
    return buf_add(output, rest);
}
