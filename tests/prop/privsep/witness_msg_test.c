/* Messages of the witness: what goes in comes out, and nothing shorter,
 * longer or out of bounds is taken. */
#include <sys/socket.h>

#include "common/prop.h"
#include "privsep/witness_msg.h"

enum {
    RUNS = 300,
    MESSAGE_MAX_BYTES = 64 * 1024,
};

static struct proc_ref
any_ref(void)
{
    struct proc_ref ref = {.pid = 1 + (pid_t)prop_below(1000000)};

    prop_bytes(&ref.start_ticks, sizeof(ref.start_ticks));
    return ref;
}

static void
any_facts(struct proc_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->self = any_ref();
    facts->uid = (uid_t)prop_below(UINT32_MAX);
    facts->sid = (pid_t)prop_below(1000);
    facts->leader_start_ticks = prop_below(SIZE_MAX);
    facts->parent_sid = (pid_t)prop_below(1000);
    facts->tty = (uint32_t)prop_below(UINT32_MAX);
    (void)snprintf(facts->name, sizeof(facts->name), "p%zu", prop_below(999));
    facts->chain_count = prop_below(PROC_CHAIN_MAX_COUNT + 1);
    for (size_t i = 0; i < facts->chain_count; i++) {
        facts->chain[i] = any_ref();
    }
}

/* Every shorter body, and one byte more, is refused by `get`. */
#define CHECK_LENGTHS(body, get)                                               \
    do {                                                                       \
        struct span whole_ = buf_view(&(body));                                \
        size_t step_ = 1 + whole_.len / 97;                                    \
        for (size_t len_ = 0; len_ < whole_.len; len_ += step_) {              \
            struct span part_ = span_sub(whole_, 0, len_);                     \
            check_err(get(part_), AG_EINVAL);                                  \
        }                                                                      \
        check_ok(get(whole_));                                                 \
        check_ok(buf_add_byte(&(body), 0));                                    \
        check_err(get(buf_view(&(body))), AG_EINVAL);                          \
    } while (0)

static struct proc_facts got_facts;
static struct witness_tcp_ask got_tcp_ask;
static struct proc_tcp_owner got_tcp;
static struct proc_ref got_refs[PROC_TREE_MAX_COUNT];
static size_t got_count;

static enum ag_err
get_facts(struct span body)
{
    return wmsg_get_facts(body, &got_facts);
}

static enum ag_err
get_tcp_ask(struct span body)
{
    return wmsg_get_tcp_ask(body, &got_tcp_ask);
}

static enum ag_err
get_tcp(struct span body)
{
    return wmsg_get_tcp(body, &got_tcp);
}

static enum ag_err
get_tree(struct span body)
{
    return wmsg_get_tree(body, got_refs, PROC_TREE_MAX_COUNT, &got_count);
}

static void
test_facts(void **state)
{
    uint64_t runs = prop_begin(RUNS);

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        AG_AUTO(buf) struct buf body = {0};
        static struct proc_facts facts;

        buf_init(&body, MESSAGE_MAX_BYTES, BUF_PLAIN);
        any_facts(&facts);
        check_ok(wmsg_put_facts(&body, &facts));
        memset(&got_facts, 0, sizeof(got_facts));
        CHECK_LENGTHS(body, get_facts);
        assert_memory_equal(&got_facts, &facts, sizeof(facts));
    }
}

static void
test_connections(void **state)
{
    static struct proc_ref roots[PROC_ROOTS_MAX_COUNT + 1];
    uint64_t runs = prop_begin(RUNS);

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        AG_AUTO(buf) struct buf body = {0};
        struct proc_tcp tcp = {.family = i % 2 == 0 ? AF_INET : AF_INET6};
        size_t count = prop_below(PROC_ROOTS_MAX_COUNT + 1);

        prop_bytes(tcp.caller_addr, sizeof(tcp.caller_addr));
        prop_bytes(tcp.broker_addr, sizeof(tcp.broker_addr));
        tcp.caller_port = (uint16_t)prop_below(65536);
        tcp.broker_port = (uint16_t)prop_below(65536);
        for (size_t k = 0; k < count; k++) {
            roots[k] = any_ref();
        }
        buf_init(&body, MESSAGE_MAX_BYTES, BUF_PLAIN);
        check_ok(wmsg_put_tcp_ask(&body, &tcp, roots, count));
        CHECK_LENGTHS(body, get_tcp_ask);
        assert_int_equal(got_tcp_ask.root_count, count);
        assert_int_equal(got_tcp_ask.tcp.family, tcp.family);
        assert_int_equal(got_tcp_ask.tcp.caller_port, tcp.caller_port);
        assert_memory_equal(got_tcp_ask.tcp.broker_addr, tcp.broker_addr, 16);
        for (size_t k = 0; k < count; k++) {
            assert_true(proc_ref_equal(got_tcp_ask.roots[k], roots[k]));
        }
        check_err(
            wmsg_put_tcp_ask(&body, &tcp, roots, PROC_ROOTS_MAX_COUNT + 1),
            AG_ELIMIT);
    }
}

static void
test_owners(void **state)
{
    static const enum proc_tcp_place PLACES[] = {
        PROC_TCP_UNKNOWN, PROC_TCP_OUTSIDE, PROC_TCP_INSIDE};

    uint64_t runs = prop_begin(RUNS);

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        AG_AUTO(buf) struct buf body = {0};
        struct proc_tcp_owner owner = {.place = PLACES[i % 3],
                                       .uid = (uid_t)prop_below(UINT32_MAX)};

        if (owner.place == PROC_TCP_INSIDE) {
            owner.owner = any_ref();
            owner.root_index = prop_below(PROC_ROOTS_MAX_COUNT);
        }
        buf_init(&body, MESSAGE_MAX_BYTES, BUF_PLAIN);
        check_ok(wmsg_put_tcp(&body, &owner));
        CHECK_LENGTHS(body, get_tcp);
        assert_int_equal(got_tcp.place, owner.place);
        assert_int_equal(got_tcp.root_index, owner.root_index);
        assert_true(proc_ref_equal(got_tcp.owner, owner.owner));
    }
}

static void
test_trees(void **state)
{
    static struct proc_ref refs[PROC_TREE_MAX_COUNT];
    uint64_t runs = prop_begin(RUNS / 10);
    struct witness_tree_ask ask = {.cap = 0};

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        AG_AUTO(buf) struct buf body = {0};
        size_t count = prop_below(PROC_TREE_MAX_COUNT + 1);

        for (size_t k = 0; k < count; k++) {
            refs[k] = any_ref();
        }
        buf_init(&body, MESSAGE_MAX_BYTES, BUF_PLAIN);
        check_ok(wmsg_put_tree(&body, refs, count));
        CHECK_LENGTHS(body, get_tree);
        assert_int_equal(got_count, count);
        buf_clear(&body);
        check_ok(wmsg_put_tree_ask(&body, any_ref(), 1 + count));
        check_err(wmsg_get_tree_ask(buf_view(&body), &ask),
                  count < PROC_TREE_MAX_COUNT ? AG_OK : AG_EINVAL);
    }
}

static void
test_a_pid_of_nobody_is_refused(void **state)
{
    AG_AUTO(buf) struct buf body = {0};
    pid_t pid = 0;

    (void)state;
    buf_init(&body, MESSAGE_MAX_BYTES, BUF_PLAIN);
    check_ok(wmsg_put_facts_ask(&body, 0));
    check_err(wmsg_get_facts_ask(buf_view(&body), &pid), AG_EINVAL);
    buf_clear(&body);
    check_ok(wmsg_put_facts_ask(&body, 12));
    check_ok(wmsg_get_facts_ask(buf_view(&body), &pid));
    assert_int_equal(pid, 12);
    check_err(wmsg_put_facts_ask(&body, -1), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_a_pid_of_nobody_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
