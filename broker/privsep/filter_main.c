/* The filter process: confines itself, then serves the broker's questions. */
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <malloc.h>
#include <seccomp.h>
#include <sodium.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "privsep/channel.h"
#include "privsep/confine.h"
#include "privsep/filter.h"
#include "privsep/filter_msg.h"
#include "privsep/filter_rules.h"
#include "privsep/filter_set.h"
#include "privsep/filter_stream.h"
#include "redact/lockmem.h"

enum {
    STACK_USED_BYTES = 32 * 1024, /* by what is asked, and more */
};

struct server {
    int channel_fd;
    struct fset *set;
    struct frules *rules;
    struct fpool *pool;
    struct lockmem packet_mem; /* a packet may carry a value */
    struct channel_packet *packet;
    struct buf answer;
};

/* ---- what is asked ---- */

static enum ag_err
op_change(struct server *s)
{
    struct span rest = s->packet->body;
    struct fmsg_record record;
    enum ag_err err = AG_OK;

    while (rest.len > 0 && err == AG_OK) {
        err = fmsg_get_record(&rest, &record);
        if (err == AG_OK) {
            err = fset_change(s->set, &record);
        }
    }
    return err;
}

static enum ag_err
op_commit(struct server *s)
{
    uint64_t epoch = 0;
    enum ag_err err = fset_commit(s->set, &epoch);

    return err != AG_OK ? err : buf_add_u64le(&s->answer, epoch);
}

static enum ag_err
op_wipe(struct server *s)
{
    fpool_cancel_all(s->pool, AG_ELOCKED);
    fset_wipe(s->set);
    return frules_know(s->rules, span_of(NULL, 0));
}

static enum ag_err
op_know(struct server *s)
{
    return frules_know(s->rules, s->packet->body);
}

static enum ag_err
op_stats(struct server *s)
{
    const struct fset_stats stats = fset_stats(s->set);
    const uint64_t numbers[] = {stats.epoch, stats.value_count,
                                stats.entry_count, lockmem_used_bytes(),
                                fpool_count(s->pool)};
    enum ag_err err = AG_OK;
    size_t i;

    for (i = 0; i < AG_COUNT(numbers) && err == AG_OK; i++) {
        err = buf_add_u64le(&s->answer, numbers[i]);
    }
    return err;
}

static enum ag_err
op_stream(struct server *s)
{
    struct fmsg_stream stream;
    enum ag_err err = fmsg_get_stream(s->packet->body, &stream);

    if (err == AG_OK && s->packet->fd_count != 2) {
        err = err_why(AG_EINVAL, "a stream needs two descriptors");
    }
    if (err == AG_OK) {
        err =
            fpool_start(s->pool, &stream, s->packet->fds[0], s->packet->fds[1]);
    }
    if (err == AG_OK) {
        s->packet->fds[0] = -1;
        s->packet->fds[1] = -1;
    }
    return err;
}

static enum ag_err
op_cancel(struct server *s)
{
    uint64_t id;
    enum ag_err err = fmsg_get_numbers(s->packet->body, &id, 1);

    if (err == AG_OK) {
        fpool_cancel(s->pool, id, AG_EREVOKED);
    }
    return err;
}

static const struct {
    enum filter_op op;
    enum ag_err (*run)(struct server *s);
} OPS[] = {
    {FILTER_OP_CHANGE, op_change}, {FILTER_OP_COMMIT, op_commit},
    {FILTER_OP_WIPE, op_wipe},     {FILTER_OP_STATS, op_stats},
    {FILTER_OP_STREAM, op_stream}, {FILTER_OP_CANCEL, op_cancel},
    {FILTER_OP_KNOW, op_know},
};

static enum ag_err
run_op(struct server *s)
{
    size_t i;

    err_clear();
    buf_clear(&s->answer);
    for (i = 0; i < AG_COUNT(OPS); i++) {
        if ((uint16_t)OPS[i].op == s->packet->head.op) {
            return OPS[i].run(s);
        }
    }
    return AG_EINVAL;
}

/* A stream's thread reports. If nobody listens any more, the main thread is
 * about to see that too. */
static void
tell(const struct server *s, enum filter_op op, const struct fmsg_end *end)
{
    AG_AUTO(buf) struct buf body = {0};

    buf_init(&body, CHANNEL_BODY_MAX_BYTES, BUF_WIPE);
    if (fmsg_put_end(&body, end) == AG_OK) {
        enum ag_err ignored =
            channel_tell(s->channel_fd, (uint16_t)op, buf_view(&body));

        (void)ignored;
    }
}

static void
tell_hits(void *ctx, const struct fmsg_end *so_far)
{
    tell(ctx, FILTER_OP_HITS, so_far);
}

static void
tell_rest(void *ctx, const struct fmsg_end *rest)
{
    tell(ctx, FILTER_OP_REST, rest);
}

static void
tell_end(void *ctx, const struct fmsg_end *end)
{
    tell(ctx, FILTER_OP_END, end);
}

/* ---- life ---- */

/* Until a question is there, keeps waking threads that must stop. */
static void
wait_question(struct server *s)
{
    struct pollfd pfd = {.fd = s->channel_fd, .events = POLLIN};
    int n;

    do {
        bool nudging = fpool_nudge(s->pool);

        n = poll(&pfd, 1, nudging ? FPOOL_NUDGE_MS : -1);
    } while (n == 0 || (n < 0 && errno == EINTR));
}

static enum ag_err
serve(struct server *s)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK) {
        enum ag_err result;

        wait_question(s);
        err = channel_next(s->channel_fd, s->packet);
        if (err != AG_OK) {
            break;
        }
        result = run_op(s);
        sodium_stackzero(STACK_USED_BYTES); /* registers with bytes of values */
        channel_drop_fds(s->packet);
        wipe(s->packet->bytes, CHANNEL_HEAD_BYTES + s->packet->body.len);
        err = channel_answer(s->channel_fd, s->packet->head.id,
                             s->packet->head.op, result, buf_view(&s->answer));
    }
    return err;
}

static enum ag_err
confine(void)
{
    const struct confine_call calls[] = {
        {SCMP_SYS(mlock), 0, 0, 0},
        {SCMP_SYS(munlock), 0, 0, 0},
        {SCMP_SYS(ioctl), 1, ~0ULL, TCGETS}, /* isatty */
        {SCMP_SYS(prlimit64), 2, ~0ULL, 0},  /* reading, not setting */
        {SCMP_SYS(getrlimit), 0, 0, 0},
        {SCMP_SYS(set_robust_list), 0, 0, 0}, /* a thread's own start */
    };
    int landlock_level = 0;
    enum ag_err err = confine_files(&landlock_level);

    return err != AG_OK ? err : confine_calls(calls, AG_COUNT(calls));
}

/* The set may take what the system lets this process lock. */
static void
raise_memlock(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    }
}

static enum ag_err
begin(struct server *s, const struct filter_ours *ours)
{
    const struct fpool_hooks hooks = {.tell = {s, tell_hits, tell_rest},
                                      .end = tell_end};
    enum ag_err err = confine_begin("ag-filter");

    if (err != AG_OK) {
        return err;
    }
    raise_memlock();
    /* One arena for all threads: to decide on another, malloc would ask for
     * the processors, a call that is not on the list. */
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any other thread
    (void)mallopt(M_ARENA_MAX, 1);
    err = lockmem_init(sizeof(*s->packet), &s->packet_mem);
    if (err != AG_OK) {
        return err;
    }
    s->packet = s->packet_mem.ptr;
    err = fset_new(&s->set);
    if (err == AG_OK) {
        err = frules_new(ours, &s->rules);
    }
    if (err == AG_OK) {
        err = fpool_new(s->set, s->rules, &hooks, &s->pool);
    }
    return err != AG_OK ? err : confine();
}

int
filter_main(int channel_fd, const struct filter_ours *ours)
{
    struct server s = {.channel_fd = channel_fd};
    enum ag_err err;

    buf_init(&s.answer, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    err = begin(&s, ours);
    if (err == AG_OK) {
        err = serve(&s);
    }
    fpool_free(s.pool);
    fset_free(s.set);
    frules_free(s.rules);
    lockmem_done(&s.packet_mem);
    buf_done(&s.answer);
    return err == AG_ENOBROKER ? 0 : err_exit(err);
}
