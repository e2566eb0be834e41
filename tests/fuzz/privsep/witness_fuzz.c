/* Frames of the channel and all messages of the witness: any bytes give a
 * whole message or a refusal, and what was taken says the same again. */
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "privsep/channel.h"
#include "privsep/witness_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Put again, an accepted message is the same bytes. */
static void
check_same(struct span body, const struct buf *again, enum ag_err put)
{
    if (put != AG_OK || !span_equal(body, buf_view(again))) {
        abort();
    }
}

static void
try_all(struct span body)
{
    static struct proc_facts facts;
    static struct witness_tcp_ask ask;
    static struct proc_ref refs[PROC_TREE_MAX_COUNT];
    AG_AUTO(buf) struct buf again = {0};
    struct witness_tree_ask tree;
    struct proc_tcp_owner owner;
    size_t count = 0;
    pid_t pid = 0;

    buf_init(&again, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    if (wmsg_get_facts_ask(body, &pid) == AG_OK) {
        check_same(body, &again, wmsg_put_facts_ask(&again, pid));
    }
    buf_clear(&again);
    if (wmsg_get_facts(body, &facts) == AG_OK) {
        check_same(body, &again, wmsg_put_facts(&again, &facts));
    }
    buf_clear(&again);
    if (wmsg_get_tcp_ask(body, &ask) == AG_OK) {
        check_same(
            body, &again,
            wmsg_put_tcp_ask(&again, &ask.tcp, ask.roots, ask.root_count));
    }
    buf_clear(&again);
    if (wmsg_get_tcp(body, &owner) == AG_OK) {
        check_same(body, &again, wmsg_put_tcp(&again, &owner));
    }
    buf_clear(&again);
    if (wmsg_get_tree_ask(body, &tree) == AG_OK) {
        check_same(body, &again,
                   wmsg_put_tree_ask(&again, tree.root, tree.cap));
    }
    buf_clear(&again);
    if (wmsg_get_tree(body, refs, PROC_TREE_MAX_COUNT, &count) == AG_OK) {
        check_same(body, &again, wmsg_put_tree(&again, refs, count));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct channel_head head;
    struct proc_stat stat;
    struct span body;

    (void)proc_parse_stat(span_of(data, len), &stat);
    try_all(span_of(data, len));
    if (channel_decode(span_of(data, len), &head, &body) == AG_OK) {
        try_all(body);
    }
    return 0;
}
