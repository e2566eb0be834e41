#include "privsep/witness_msg.h"

#include <sys/socket.h>

#include <limits.h>
#include <string.h>

/* ---- out: the first failure sticks ---- */

struct writer {
    struct buf *out;
    enum ag_err err;
};

static void
put_u32(struct writer *w, uint64_t value)
{
    AG_ASSERT(value <= UINT32_MAX);
    if (w->err == AG_OK) {
        w->err = buf_add_u32le(w->out, (uint32_t)value);
    }
}

static void
put_u64(struct writer *w, uint64_t value)
{
    if (w->err == AG_OK) {
        w->err = buf_add_u64le(w->out, value);
    }
}

static void
put_bytes(struct writer *w, const void *bytes, size_t len)
{
    if (w->err == AG_OK) {
        w->err = buf_add(w->out, span_of(bytes, len));
    }
}

static void
put_pid(struct writer *w, pid_t pid)
{
    if (pid < 0) {
        w->err = AG_EINVAL;
    }
    if (w->err == AG_OK) {
        put_u32(w, (uint64_t)pid);
    }
}

static void
put_ref(struct writer *w, struct proc_ref ref)
{
    put_pid(w, ref.pid);
    put_u64(w, ref.start_ticks);
}

static void
put_refs(struct writer *w, const struct proc_ref *refs, size_t count)
{
    put_u32(w, count);
    for (size_t i = 0; i < count; i++) {
        put_ref(w, refs[i]);
    }
}

enum ag_err
wmsg_put_facts_ask(struct buf *out, pid_t pid)
{
    struct writer w = {.out = out};

    put_pid(&w, pid);
    return w.err;
}

enum ag_err
wmsg_put_facts(struct buf *out, const struct proc_facts *facts)
{
    struct writer w = {.out = out};

    put_ref(&w, facts->self);
    put_u32(&w, facts->uid);
    put_pid(&w, facts->sid);
    put_u64(&w, facts->leader_start_ticks);
    put_pid(&w, facts->parent_sid);
    put_u32(&w, facts->tty);
    put_bytes(&w, facts->name, sizeof(facts->name));
    put_refs(&w, facts->chain, facts->chain_count);
    return w.err;
}

enum ag_err
wmsg_put_tcp_ask(struct buf *out, const struct proc_tcp *tcp,
                 const struct proc_ref *roots, size_t root_count)
{
    struct writer w = {.out = out};

    if (root_count > PROC_ROOTS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    put_u32(&w, (uint64_t)tcp->family);
    put_bytes(&w, tcp->caller_addr, sizeof(tcp->caller_addr));
    put_bytes(&w, tcp->broker_addr, sizeof(tcp->broker_addr));
    put_u32(&w, tcp->caller_port);
    put_u32(&w, tcp->broker_port);
    put_refs(&w, roots, root_count);
    return w.err;
}

enum ag_err
wmsg_put_tcp(struct buf *out, const struct proc_tcp_owner *owner)
{
    struct writer w = {.out = out};

    put_u32(&w, (uint64_t)owner->place);
    put_u32(&w, owner->uid);
    put_ref(&w, owner->owner);
    put_u32(&w, owner->root_index);
    return w.err;
}

enum ag_err
wmsg_put_tree_ask(struct buf *out, struct proc_ref root, size_t cap)
{
    struct writer w = {.out = out};

    put_ref(&w, root);
    put_u32(&w, cap);
    return w.err;
}

enum ag_err
wmsg_put_tree(struct buf *out, const struct proc_ref *refs, size_t count)
{
    struct writer w = {.out = out};

    put_refs(&w, refs, count);
    return w.err;
}

/* ---- in: too short, or out of bounds, sticks too ---- */

struct reader {
    struct span rest;
    bool bad;
};

static uint64_t
get_number(struct reader *r, size_t len, uint64_t max)
{
    uint64_t value = 0;

    if (r->bad || r->rest.len < len) {
        r->bad = true;
        return 0;
    }
    for (size_t i = len; i > 0; i--) {
        value = value << 8 | r->rest.ptr[i - 1];
    }
    r->rest = span_sub(r->rest, len, r->rest.len);
    if (value > max) {
        r->bad = true;
        return 0;
    }
    return value;
}

static pid_t
get_pid(struct reader *r)
{
    return (pid_t)get_number(r, 4, INT_MAX);
}

static void
get_bytes(struct reader *r, void *out, size_t len)
{
    if (r->bad || r->rest.len < len) {
        r->bad = true;
        memset(out, 0, len);
        return;
    }
    memcpy(out, r->rest.ptr, len);
    r->rest = span_sub(r->rest, len, r->rest.len);
}

static struct proc_ref
get_ref(struct reader *r)
{
    struct proc_ref ref;

    ref.pid = get_pid(r);
    ref.start_ticks = get_number(r, 8, UINT64_MAX);
    return ref;
}

static size_t
get_refs(struct reader *r, struct proc_ref *out, size_t cap)
{
    size_t count = (size_t)get_number(r, 4, cap);

    for (size_t i = 0; i < count && !r->bad; i++) {
        out[i] = get_ref(r);
        r->bad = r->bad || out[i].pid == 0;
    }
    return count;
}

/* Everything was there and nothing is left. */
static enum ag_err
end(const struct reader *r)
{
    return r->bad || r->rest.len != 0 ? AG_EINVAL : AG_OK;
}

enum ag_err
wmsg_get_facts_ask(struct span body, pid_t *ret)
{
    struct reader r = {.rest = body};

    *ret = get_pid(&r);
    r.bad = r.bad || *ret == 0;
    return end(&r);
}

enum ag_err
wmsg_get_facts(struct span body, struct proc_facts *ret)
{
    struct reader r = {.rest = body};

    ret->self = get_ref(&r);
    ret->uid = (uid_t)get_number(&r, 4, UINT32_MAX);
    ret->sid = get_pid(&r);
    ret->leader_start_ticks = get_number(&r, 8, UINT64_MAX);
    ret->parent_sid = get_pid(&r);
    ret->tty = (uint32_t)get_number(&r, 4, UINT32_MAX);
    get_bytes(&r, ret->name, sizeof(ret->name));
    ret->chain_count = get_refs(&r, ret->chain, PROC_CHAIN_MAX_COUNT);
    r.bad =
        r.bad || ret->self.pid == 0 || ret->name[PROC_NAME_BYTES - 1] != '\0';
    return end(&r);
}

enum ag_err
wmsg_get_tcp_ask(struct span body, struct witness_tcp_ask *ret)
{
    struct reader r = {.rest = body};

    ret->tcp.family = (int)get_number(&r, 4, INT_MAX);
    get_bytes(&r, ret->tcp.caller_addr, PROC_ADDR_BYTES);
    get_bytes(&r, ret->tcp.broker_addr, PROC_ADDR_BYTES);
    ret->tcp.caller_port = (uint16_t)get_number(&r, 4, UINT16_MAX);
    ret->tcp.broker_port = (uint16_t)get_number(&r, 4, UINT16_MAX);
    ret->root_count = get_refs(&r, ret->roots, PROC_ROOTS_MAX_COUNT);
    r.bad =
        r.bad || (ret->tcp.family != AF_INET && ret->tcp.family != AF_INET6);
    return end(&r);
}

enum ag_err
wmsg_get_tcp(struct span body, struct proc_tcp_owner *ret)
{
    struct reader r = {.rest = body};

    ret->place = (enum proc_tcp_place)get_number(&r, 4, PROC_TCP_INSIDE);
    ret->uid = (uid_t)get_number(&r, 4, UINT32_MAX);
    ret->owner = get_ref(&r);
    ret->root_index = (size_t)get_number(&r, 4, PROC_ROOTS_MAX_COUNT - 1);
    r.bad = r.bad || (ret->place == PROC_TCP_INSIDE) != (ret->owner.pid != 0);
    return end(&r);
}

enum ag_err
wmsg_get_tree_ask(struct span body, struct witness_tree_ask *ret)
{
    struct reader r = {.rest = body};

    ret->root = get_ref(&r);
    ret->cap = (size_t)get_number(&r, 4, PROC_TREE_MAX_COUNT);
    r.bad = r.bad || ret->root.pid == 0 || ret->cap == 0;
    return end(&r);
}

enum ag_err
wmsg_get_tree(struct span body, struct proc_ref *out, size_t cap,
              size_t *ret_count)
{
    struct reader r = {.rest = body};

    *ret_count = get_refs(&r, out, cap);
    return end(&r);
}
