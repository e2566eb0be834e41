/*
 * witness_msg.h - the witness's questions and answers as bytes: fixed-width
 * little-endian numbers, nothing optional, nothing after the end. Each side
 * takes the other for hostile.
 * Floor: privsep. Depends on: base/buf, base/proc.
 *
 *   facts  ask   pid 4
 *          answer ref | uid 4 | sid 4 | leader 8 | parent sid 4 | tty 4 |
 *                 name 16 | count 4 | ref × count
 *   tcp    ask   family 4 | caller 16 | broker 16 | ports 4+4 | count 4 |
 *                ref × count
 *          answer place 4 | uid 4 | ref | root index 4
 *   tree   ask   ref | cap 4
 *          answer count 4 | ref × count
 *   ref    pid 4 | start 8
 */
#ifndef AG_PRIVSEP_WITNESS_MSG_H
#define AG_PRIVSEP_WITNESS_MSG_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/proc.h"
#include "base/span.h"

enum witness_op {
    WITNESS_FACTS = 1,
    WITNESS_TCP = 2,
    WITNESS_TREE = 3,
};

struct witness_tcp_ask {
    struct proc_tcp tcp;
    size_t root_count;
    struct proc_ref roots[PROC_ROOTS_MAX_COUNT];
};

struct witness_tree_ask {
    struct proc_ref root;
    size_t cap; /* 1..PROC_TREE_MAX_COUNT */
};

/* Encoding. Errors: AG_ELIMIT, AG_ENOMEM; AG_EINVAL what can't be said. */
AG_CHECK AG_NONNULL enum ag_err wmsg_put_facts_ask(struct buf *out, pid_t pid);
AG_CHECK AG_NONNULL enum ag_err wmsg_put_facts(struct buf *out,
                                               const struct proc_facts *facts);
AG_CHECK enum ag_err wmsg_put_tcp_ask(struct buf *out,
                                      const struct proc_tcp *tcp,
                                      const struct proc_ref *roots,
                                      size_t root_count);
AG_CHECK AG_NONNULL enum ag_err
wmsg_put_tcp(struct buf *out, const struct proc_tcp_owner *owner);
AG_CHECK AG_NONNULL enum ag_err
wmsg_put_tree_ask(struct buf *out, struct proc_ref root, size_t cap);
AG_CHECK AG_NONNULL enum ag_err
wmsg_put_tree(struct buf *out, const struct proc_ref *refs, size_t count);

/* Decoding, the whole body. Errors: AG_EINVAL, and *ret is then undefined. */
AG_CHECK AG_NONNULL enum ag_err wmsg_get_facts_ask(struct span body,
                                                   pid_t *ret);
AG_CHECK AG_NONNULL enum ag_err wmsg_get_facts(struct span body,
                                               struct proc_facts *ret);
AG_CHECK AG_NONNULL enum ag_err wmsg_get_tcp_ask(struct span body,
                                                 struct witness_tcp_ask *ret);
AG_CHECK AG_NONNULL enum ag_err wmsg_get_tcp(struct span body,
                                             struct proc_tcp_owner *ret);
AG_CHECK AG_NONNULL enum ag_err wmsg_get_tree_ask(struct span body,
                                                  struct witness_tree_ask *ret);
AG_CHECK AG_NONNULL enum ag_err wmsg_get_tree(struct span body,
                                              struct proc_ref *out, size_t cap,
                                              size_t *ret_count);

#endif
