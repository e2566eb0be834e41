#include "privsep/witness.h"

#include <fcntl.h>
#include <stdlib.h>

#include <seccomp.h>

#include "base/fdx.h"
#include "privsep/channel.h"
#include "privsep/confine.h"
#include "privsep/spawn.h"
#include "privsep/witness_diag.h"
#include "privsep/witness_msg.h"
#include "privsep/witness_proc.h"

/* ---- the helper process ---- */

struct seer {
    int proc_fd;
    int diag_fd; /* -1: none here, TCP callers can't be traced */
    struct buf answer;
};

static enum ag_err
answer_facts(struct seer *s, struct span ask)
{
    static struct proc_facts facts;
    pid_t pid = 0;
    enum ag_err err = wmsg_get_facts_ask(ask, &pid);

    if (err == AG_OK) {
        err = wproc_facts(s->proc_fd, pid, &facts);
    }
    return err != AG_OK ? err : wmsg_put_facts(&s->answer, &facts);
}

static enum ag_err
answer_tcp(struct seer *s, struct span ask)
{
    static struct witness_tcp_ask tcp;
    struct proc_tcp_owner owner;
    enum ag_err err = wmsg_get_tcp_ask(ask, &tcp);

    if (err != AG_OK) {
        return err;
    }
    if (s->diag_fd < 0) {
        return err_why(AG_EUNTRACED, "no sock_diag here");
    }
    err = wdiag_owner(s->diag_fd, s->proc_fd, &tcp.tcp, tcp.roots,
                      tcp.root_count, &owner);
    return err != AG_OK ? err : wmsg_put_tcp(&s->answer, &owner);
}

static enum ag_err
answer_tree(struct seer *s, struct span ask)
{
    static struct proc_ref refs[PROC_TREE_MAX_COUNT];
    struct witness_tree_ask tree;
    size_t count = 0;
    enum ag_err err = wmsg_get_tree_ask(ask, &tree);

    if (err == AG_OK) {
        err = wproc_tree(s->proc_fd, tree.root, refs, tree.cap, &count);
    }
    return err != AG_OK ? err : wmsg_put_tree(&s->answer, refs, count);
}

static const struct {
    enum witness_op op;
    enum ag_err (*answer)(struct seer *s, struct span ask);
} OPS[] = {
    {WITNESS_FACTS, answer_facts},
    {WITNESS_TCP, answer_tcp},
    {WITNESS_TREE, answer_tree},
};

static enum ag_err
answer_one(struct seer *s, uint16_t op, struct span ask)
{
    err_clear();
    buf_clear(&s->answer);
    for (size_t i = 0; i < AG_COUNT(OPS); i++) {
        if (OPS[i].op == op) {
            return OPS[i].answer(s, ask);
        }
    }
    return AG_EINVAL;
}

static enum ag_err
serve(struct seer *s, int channel_fd)
{
    static struct channel_packet packet;
    enum ag_err err = channel_next(channel_fd, &packet);

    while (err == AG_OK) {
        enum ag_err result;

        channel_drop_fds(&packet);
        result = answer_one(s, packet.head.op, packet.body);
        err = channel_answer(channel_fd, packet.head.id, packet.head.op, result,
                             buf_view(&s->answer));
        if (err == AG_OK) {
            err = channel_next(channel_fd, &packet);
        }
    }
    return err;
}

static enum ag_err
confine(void)
{
    /* Files for reading only: neither O_WRONLY, O_RDWR, O_CREAT nor O_TRUNC. */
    static const uint64_t WRITES = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    const struct confine_call calls[] = {
        {SCMP_SYS(openat), 2, WRITES, 0},
        {SCMP_SYS(getdents64), 0, 0, 0},
        {SCMP_SYS(readlinkat), 0, 0, 0},
        {SCMP_SYS(pread64), 0, 0, 0},
        {SCMP_SYS(newfstatat), 0, 0, 0},
        {SCMP_SYS(fstat), 0, 0, 0},
        {SCMP_SYS(lseek), 0, 0, 0},
        {SCMP_SYS(fcntl), 1, ~0ull, F_GETFL}, /* fdopendir */
        {SCMP_SYS(fcntl), 1, ~0ull, F_SETFD},
        {SCMP_SYS(sendto), 0, 0, 0}, /* sock_diag */
        {SCMP_SYS(recvfrom), 0, 0, 0},
        {SCMP_SYS(geteuid), 0, 0, 0},
    };

    return confine_calls(calls, AG_COUNT(calls));
}

int
witness_main(int channel_fd)
{
    struct seer seer = {.proc_fd = -1, .diag_fd = -1};
    enum ag_err err = confine_begin("ag-witness");

    if (err != AG_OK) {
        return err_exit(err);
    }
    buf_init(&seer.answer, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    seer.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (seer.proc_fd < 0) {
        return err_exit(AG_EUNSUPPORTED);
    }
    err = wdiag_open(&seer.diag_fd);
    if (err != AG_OK && err != AG_EUNSUPPORTED) {
        return err_exit(err);
    }
    err = confine();
    if (err == AG_OK) {
        err = serve(&seer, channel_fd);
    }
    fd_close(seer.diag_fd);
    fd_close(seer.proc_fd);
    buf_done(&seer.answer);
    return err == AG_ENOBROKER ? 0 : err_exit(err);
}

/* ---- the broker's view ---- */

struct witness {
    struct helper *helper;
    struct proc_source source;
    void (*died)(void *arg);
    void *arg;
};

/* Asks, and checks that what came is what was asked for. */
static enum ag_err
ask(struct witness *w, enum witness_op op, const struct buf *body,
    struct buf *answer)
{
    const struct channel_question question = {.op = (uint16_t)op,
                                              .body = buf_view(body)};

    return channel_ask(helper_channel(w->helper), &question, answer);
}

/* An answer that can't be read is as good as none. */
static enum ag_err
untraced_if_invalid(enum ag_err err)
{
    return err == AG_EINVAL || err == AG_ECORRUPT ? AG_EUNTRACED : err;
}

static enum ag_err
ask_facts(void *ctx, pid_t pid, struct proc_facts *ret)
{
    AG_AUTO(buf) struct buf body = {0};
    AG_AUTO(buf) struct buf answer = {0};
    struct proc_facts facts = {.sid = 0};
    enum ag_err err;

    buf_init(&body, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    buf_init(&answer, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    err = wmsg_put_facts_ask(&body, pid);
    if (err == AG_OK) {
        err = ask(ctx, WITNESS_FACTS, &body, &answer);
    }
    if (err == AG_OK) {
        err = wmsg_get_facts(buf_view(&answer), &facts);
    }
    if (err == AG_OK && facts.self.pid != pid) {
        err = AG_EUNTRACED;
    }
    if (err == AG_OK) {
        *ret = facts;
    }
    return untraced_if_invalid(err);
}

static enum ag_err
ask_tcp_owner(void *ctx, const struct proc_tcp *tcp,
              const struct proc_ref *roots, size_t root_count,
              struct proc_tcp_owner *ret)
{
    AG_AUTO(buf) struct buf body = {0};
    AG_AUTO(buf) struct buf answer = {0};
    struct proc_tcp_owner owner = {.place = PROC_TCP_UNKNOWN};
    enum ag_err err;

    buf_init(&body, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    buf_init(&answer, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    err = wmsg_put_tcp_ask(&body, tcp, roots, root_count);
    if (err == AG_OK) {
        err = ask(ctx, WITNESS_TCP, &body, &answer);
    }
    if (err == AG_OK) {
        err = wmsg_get_tcp(buf_view(&answer), &owner);
    }
    if (err == AG_OK && owner.place == PROC_TCP_INSIDE &&
        owner.root_index >= root_count) {
        err = AG_EUNTRACED;
    }
    if (err == AG_OK) {
        *ret = owner;
    }
    return untraced_if_invalid(err);
}

static enum ag_err
ask_tree(void *ctx, struct proc_ref root, struct proc_ref *out, size_t cap,
         size_t *ret_count)
{
    AG_AUTO(buf) struct buf body = {0};
    AG_AUTO(buf) struct buf answer = {0};
    size_t count = 0;
    enum ag_err err;

    buf_init(&body, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    buf_init(&answer, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    err = wmsg_put_tree_ask(&body, root, cap);
    if (err == AG_OK) {
        err = ask(ctx, WITNESS_TREE, &body, &answer);
    }
    if (err == AG_OK) {
        err = wmsg_get_tree(buf_view(&answer), out, cap, &count);
    }
    if (err == AG_OK) {
        *ret_count = count;
    }
    return untraced_if_invalid(err);
}

static void
on_death(void *ctx)
{
    struct witness *w = ctx;

    if (w->died != NULL) {
        w->died(w->arg);
    }
}

enum ag_err
witness_start(void (*died)(void *arg), void *arg, struct witness **ret)
{
    struct witness *w = calloc(1, sizeof(*w));
    struct channel_hooks hooks = {.on_death = on_death,
                                  .dead_err = AG_EUNTRACED};
    enum ag_err err;

    if (w == NULL) {
        return AG_ENOMEM;
    }
    hooks.ctx = w;
    w->died = died;
    w->arg = arg;
    w->source = (struct proc_source){
        .ctx = w,
        .facts = ask_facts,
        .tcp_owner = ask_tcp_owner,
        .tree = ask_tree,
    };
    err = spawn_helper(SPAWN_WITNESS, &hooks, &w->helper);
    if (err != AG_OK) {
        free(w);
        return err;
    }
    *ret = w;
    return AG_OK;
}

void
witness_stop(struct witness *w)
{
    if (w == NULL) {
        return;
    }
    helper_stop(w->helper);
    free(w);
}

const struct proc_source *
witness_source(struct witness *w)
{
    return &w->source;
}

pid_t
witness_pid(const struct witness *w)
{
    return helper_pid(w->helper);
}

bool
witness_is_alive(struct witness *w)
{
    return channel_is_alive(helper_channel(w->helper));
}
