// LINKS: privsep
/* Random forests of processes against a naive model: who is below which root,
 * by the table of roots and by the witness's placing. */
#include "caller/tree.h"
#include "common/prop.h"
#include "privsep/witness_proc.h"

enum {
    PROCESSES = 60,
    ROOTS = 6,
    RUNS = 400,
};

/* Process i is pid i + 1; its parent is an older one, or none. */
struct model {
    struct proc_ref self[PROCESSES];
    int parent[PROCESSES]; /* index, -1 none */
    int root_of[ROOTS];    /* index of the process */
};

static void
make_forest(struct model *m)
{
    for (int i = 0; i < PROCESSES; i++) {
        m->self[i].pid = i + 1;
        m->self[i].start_ticks = 100 + (uint64_t)i / 3;
        m->parent[i] =
            i == 0 || prop_below(10) == 0 ? -1 : (int)prop_below((size_t)i);
    }
    /* Distinct roots: each from its own part of the numbers. */
    for (size_t i = 0; i < ROOTS; i++) {
        m->root_of[i] =
            (int)(i * (PROCESSES / ROOTS) + prop_below(PROCESSES / ROOTS));
    }
}

/* The model: climb until a root is met. -1 when none is. */
static int
naive_root(const struct model *m, int process)
{
    for (int at = m->parent[process]; at >= 0; at = m->parent[at]) {
        for (int i = 0; i < ROOTS; i++) {
            if (m->root_of[i] == at) {
                return i;
            }
        }
    }
    return -1;
}

static struct proc_facts
facts_of(const struct model *m, int process)
{
    struct proc_facts facts = {.self = m->self[process]};

    for (int at = m->parent[process]; at >= 0; at = m->parent[at]) {
        facts.chain[facts.chain_count++] = m->self[at];
    }
    return facts;
}

static void
check_table(const struct model *m)
{
    AG_AUTO(tree) struct tree *tree = NULL;

    check_ok(tree_new(&tree));
    for (int i = 0; i < ROOTS; i++) {
        struct proc_ref stale = m->self[m->root_of[i]];

        /* An earlier process of the same pid has a task too. */
        stale.start_ticks--;
        check_ok(tree_add(tree, stale, 100 + i));
        check_ok(tree_add(tree, m->self[m->root_of[i]], 1 + i));
    }
    for (int i = 0; i < PROCESSES; i++) {
        struct proc_facts facts = facts_of(m, i);

        assert_int_equal(tree_task_of(tree, &facts), naive_root(m, i) + 1);
    }
    /* Without a root its processes are the next one's above. */
    for (int i = 0; i < ROOTS; i++) {
        tree_remove(tree, 1 + i);
        tree_remove(tree, 100 + i);
    }
    for (int i = 0; i < PROCESSES; i++) {
        struct proc_facts facts = facts_of(m, i);

        assert_int_equal(tree_task_of(tree, &facts), 0);
    }
}

static void
fill_scan(const struct model *m, struct wproc_scan *scan,
          struct wproc_entry entries[PROCESSES])
{
    scan->entries = entries;
    scan->count = PROCESSES;
    scan->torn = false;
    for (int i = 0; i < PROCESSES; i++) {
        entries[i] = (struct wproc_entry){
            .self = m->self[i],
            .ppid = m->parent[i] < 0 ? 0 : m->parent[i] + 1,
            .root = WPROC_OUTSIDE,
        };
    }
}

static void
check_placing(const struct model *m)
{
    struct wproc_entry entries[PROCESSES];
    struct proc_ref roots[ROOTS];
    struct wproc_scan scan = {0};

    for (int i = 0; i < ROOTS; i++) {
        roots[i] = m->self[m->root_of[i]];
    }
    fill_scan(m, &scan, entries);
    wproc_place(&scan, roots, ROOTS);
    assert_false(scan.torn);
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(entries[i].root, naive_root(m, i));
    }

    /* One process was not seen: its children's place is not known for sure. */
    fill_scan(m, &scan, entries);
    entries[PROCESSES - 1].ppid = PROCESSES + 7;
    wproc_place(&scan, roots, ROOTS);
    assert_true(scan.torn);
    assert_int_equal(entries[PROCESSES - 1].root, WPROC_OUTSIDE);

    /* A circle, which no moment has but a scan may show. */
    fill_scan(m, &scan, entries);
    entries[0].ppid = PROCESSES;
    entries[PROCESSES - 1].ppid = 1;
    wproc_place(&scan, roots, ROOTS);
    assert_true(scan.torn);
}

static void
test_both_agree_with_the_model(void **state)
{
    uint64_t runs = prop_begin(RUNS);
    struct model m;

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        make_forest(&m);
        check_table(&m);
        check_placing(&m);
    }
}

/* A line of processes as deep as there can be. */
static void
test_a_deep_line_is_placed(void **state)
{
    const size_t depth = 100000;
    struct wproc_scan scan = {.count = depth};
    const struct proc_ref root = {.pid = 2, .start_ticks = 1};

    (void)state;
    scan.entries = calloc(depth, sizeof(*scan.entries));
    assert_non_null(scan.entries);
    for (size_t i = 0; i < depth; i++) {
        /* Young ones first in the line, so that all wait for the last. */
        scan.entries[i].self.pid = (pid_t)i + 1;
        scan.entries[i].self.start_ticks = 1;
        scan.entries[i].ppid = i + 1 == depth ? 0 : (pid_t)i + 2;
        scan.entries[i].root = WPROC_OUTSIDE;
    }
    wproc_place(&scan, &root, 1);
    assert_false(scan.torn);
    assert_int_equal(scan.entries[0].root, 0);
    assert_int_equal(scan.entries[1].root, WPROC_OUTSIDE);
    assert_int_equal(scan.entries[depth - 1].root, WPROC_OUTSIDE);
    wproc_scan_done(&scan);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_agree_with_the_model),
        cmocka_unit_test(test_a_deep_line_is_placed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
