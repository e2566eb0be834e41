/* Which task a process belongs to: proper ancestors only, by pid and start. */
#include "caller/tree.h"
#include "common/check.h"

static struct proc_ref
ref(pid_t pid, uint64_t start_ticks)
{
    return (struct proc_ref){.pid = pid, .start_ticks = start_ticks};
}

/* A process with ancestors 30, 20, 10, 1, each started at ten times its pid. */
static struct proc_facts
below_thirty(void)
{
    struct proc_facts facts = {.self = {.pid = 40, .start_ticks = 400},
                               .chain_count = 4};

    facts.chain[0] = ref(30, 300);
    facts.chain[1] = ref(20, 200);
    facts.chain[2] = ref(10, 100);
    facts.chain[3] = ref(1, 10);
    return facts;
}

static int
begin(void **state)
{
    struct tree *t = NULL;

    check_ok(tree_new(&t));
    *state = t;
    return 0;
}

static int
finish(void **state)
{
    tree_free(*state);
    return 0;
}

static void
test_a_descendant_is_the_tasks_and_the_root_is_not(void **state)
{
    struct proc_facts facts = below_thirty();

    assert_int_equal(tree_task_of(*state, &facts), 0);
    check_ok(tree_add(*state, ref(10, 100), 7));
    assert_int_equal(tree_task_of(*state, &facts), 7);
    assert_int_equal(tree_task_rooted_at(*state, ref(10, 100)), 7);
    facts.self = ref(10, 100);
    facts.chain[0] = ref(1, 10);
    facts.chain_count = 1;
    assert_int_equal(tree_task_of(*state, &facts), 0);
}

static void
test_the_nearest_root_counts(void **state)
{
    struct proc_facts facts = below_thirty();

    check_ok(tree_add(*state, ref(10, 100), 7));
    check_ok(tree_add(*state, ref(30, 300), 8));
    assert_int_equal(tree_task_of(*state, &facts), 8);
    tree_remove(*state, 8);
    assert_int_equal(tree_task_of(*state, &facts), 7);
    tree_clear(*state);
    assert_int_equal(tree_task_of(*state, &facts), 0);
}

static void
test_a_reused_pid_is_another_process(void **state)
{
    struct proc_facts facts = below_thirty();
    struct proc_ref found;

    check_ok(tree_add(*state, ref(20, 199), 7));
    assert_int_equal(tree_task_of(*state, &facts), 0);
    check_ok(tree_add(*state, ref(20, 200), 8));
    assert_int_equal(tree_task_of(*state, &facts), 8);
    assert_int_equal(tree_task_rooted_at(*state, ref(20, 199)), 7);
    check_ok(tree_root(*state, 8, &found));
    assert_int_equal(found.start_ticks, 200);
    tree_remove(*state, 8);
    check_err(tree_root(*state, 8, &found), AG_ENOTFOUND);
}

static void
test_one_process_supervises_one_task(void **state)
{
    check_ok(tree_add(*state, ref(20, 200), 7));
    check_err(tree_add(*state, ref(20, 200), 8), AG_EEXISTS);
    check_err(tree_add(*state, ref(21, 200), 7), AG_EEXISTS);
    check_err(tree_add(*state, ref(0, 200), 9), AG_EINVAL);
    check_err(tree_add(*state, ref(5, 200), 0), AG_EINVAL);
    tree_remove(*state, 99);
}

static void
test_the_table_has_a_cap(void **state)
{
    static struct proc_ref roots[TREE_TASKS_MAX_COUNT];
    static int64_t ids[TREE_TASKS_MAX_COUNT];

    for (int i = 1; i <= TREE_TASKS_MAX_COUNT; i++) {
        check_ok(tree_add(*state, ref(10000 - i, 1), i));
    }
    check_err(tree_add(*state, ref(20000, 1), 20000), AG_ELIMIT);
    assert_int_equal(tree_roots(*state, roots, ids), TREE_TASKS_MAX_COUNT);
    for (size_t i = 1; i < TREE_TASKS_MAX_COUNT; i++) {
        assert_true(roots[i - 1].pid < roots[i].pid);
        assert_int_equal(roots[i].pid + ids[i], 10000);
    }
}

int
main(void)
{
#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        WITH_TREE(test_a_descendant_is_the_tasks_and_the_root_is_not),
        WITH_TREE(test_the_nearest_root_counts),
        WITH_TREE(test_a_reused_pid_is_another_process),
        WITH_TREE(test_one_process_supervises_one_task),
        WITH_TREE(test_the_table_has_a_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
