// WRAP: malloc calloc realloc
/* Every step with its n-th allocation failing, ours and SQLite's. */
#include "common/vaultfault.h"

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__real_realloc(void *ptr, size_t len);
void *__wrap_realloc(void *ptr, size_t len);

void *
__wrap_malloc(size_t len)
{
    return shim_fails() ? NULL : __real_malloc(len);
}

void *
__wrap_calloc(size_t count, size_t len)
{
    return shim_fails() ? NULL : __real_calloc(count, len);
}

void *
__wrap_realloc(void *ptr, size_t len)
{
    return shim_fails() ? NULL : __real_realloc(ptr, len);
}

static sqlite3_mem_methods memory;

static void *
sqlite_malloc(int len)
{
    return shim_fails() ? NULL : memory.xMalloc(len);
}

static void *
sqlite_realloc(void *ptr, int len)
{
    return shim_fails() ? NULL : memory.xRealloc(ptr, len);
}

static void
test_no_memory_anywhere(void **state)
{
    (void)state;
    vf.light = true;
    vf_run("out of memory");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_memory_anywhere, vault_set_up,
                                        vault_tear_down),
    };
    sqlite3_mem_methods failing;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) != SQLITE_OK) {
        return 1;
    }
    failing = memory;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
