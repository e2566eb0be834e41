/*
 * vaultfault.h - every step of vaultdump.h with its n-th call failing, n = 1,
 * 2, 3 … until none fails; then again with all later calls failing too. After
 * each: the state is the one before the step or, if it was answered, the one
 * after it; so it is after the next start; and the vault verifies.
 */
#ifndef AG_TESTS_VAULTFAULT_H
#define AG_TESTS_VAULTFAULT_H

#include "common/shimdisk.h"
#include "common/vaultdump.h"

static struct {
    struct keyring *fresh;
    struct shim_disk before;
    char *want[2]; /* state before the step, after it */
    uint64_t points;
    size_t step;
    unsigned nth;
    bool all_later;
    /* Calls are many (allocations): a failed step left the vault as it was, so
     * the next try goes on with it, and only one in LIGHT_EVERY starts anew. */
    bool light;
    bool open;
} vf;

enum {
    LIGHT_EVERY = 64
};

static inline char *
vf_dump(void)
{
    AG_AUTO(buf) struct buf out;
    char *text;

    buf_init(&out, DUMP_MAX_BYTES, BUF_PLAIN);
    check_ok(vault_dump(&out));
    text = strdup(buf_cstr(&out));
    assert_non_null(text);
    return text;
}

static inline void
vf_close(void)
{
    store_close(vault.s);
    vault.s = NULL;
}

static inline void
vf_open(void)
{
    struct store_found found;

    check_ok(vault_open_either(vf.fresh, &found));
}

static inline void
vf_expect(const char *want, const char *when)
{
    char *got = vf_dump();

    if (strcmp(got, want) != 0) {
        print_error("%s, call %u%s, %s:\n%s\nwant:\n%s\n",
                    DUMP_STEPS[vf.step].name, vf.nth,
                    vf.all_later ? " and all later" : "", when, got, want);
        fail();
    }
    free(got);
}

/* One try: did a call fail? */
static inline bool
vf_try(void)
{
    enum ag_err err;
    bool fired;

    if (!vf.open) {
        shim_disk_save(&vf.before, vault.home);
        vf_open();
        vf.open = true;
    }
    free(vf_dump()); /* its statements are prepared and pages read before */
    shim_arm(vf.nth, vf.all_later);
    err = vault_dump_step(vf.step, vf.fresh);
    fired = shim_done();
    vf.points += fired;
    if (!fired && err != AG_OK) {
        print_error("%s: %s\n", DUMP_STEPS[vf.step].name, err_text(err));
    }
    assert_true(fired || err == AG_OK);
    assert_int_not_equal(err, AG_EINTERNAL);
    vf_expect(vf.want[err == AG_OK], "at once");
    if (vf.light && err != AG_OK && vf.nth % LIGHT_EVERY != 0) {
        return fired;
    }
    vf.open = false;
    vf_close();
    vf_open();
    vf_expect(vf.want[err == AG_OK], "after a start");
    vault_check_sound();
    vf_close();
    return fired;
}

static inline void
vf_step(size_t step)
{
    vf.step = step;
    vf_open();
    vf.want[0] = vf_dump();
    vf_close();
    shim_disk_load(&vf.before, vault.home);
    vf_open();
    check_ok(vault_dump_step(step, vf.fresh));
    vf.want[1] = vf_dump();
    vf_close();
    for (unsigned later = 0; later < 2; later++) {
        vf.all_later = later == 1;
        for (vf.nth = 1; vf_try(); vf.nth++) {
        }
    }
    free(vf.want[0]);
    free(vf.want[1]);
}

static inline void
vf_run(const char *what)
{
    vf.fresh = vault_keyring();
    shim_disk_new(&vf.before);
    vf_close();
    for (size_t i = 0; i < DUMP_STEPS_COUNT; i++) {
        vf_step(i);
    }
    print_message("%s: %llu points tried, %zu steps\n", what,
                  (unsigned long long)vf.points, (size_t)DUMP_STEPS_COUNT);
    shim_disk_free(&vf.before);
    keyring_free(vf.fresh);
}

#endif
