/*
 * worldrig.h - a broker on a disk and beside a provider (world.h) that can both
 * be put back to any moment of what a test has recorded; beside
 * common/rotating.h, whose clock it needs. A test program wraps what shimvfs.h
 * and the worlds want, and crypto_pwhash_argon2id.
 */
#ifndef AG_TESTS_WORLDRIG_H
#define AG_TESTS_WORLDRIG_H

#include <sodium.h>

#include "common/rotating.h"
#include "common/shimdisk.h"
#include "common/world.h"
#include "store/versions.h"

static struct {
    struct shim_disk start;
    struct shim_disk cut;
    struct shim_disk cut_again;
    const char *what; /* is being tried, for a failure's message */
    size_t point;
    uint64_t points;
} rig;

#define RIG_FAIL(...)                                                          \
    do {                                                                       \
        print_error("%s, point %zu: ", rig.what, rig.point);                   \
        print_error(__VA_ARGS__);                                              \
        print_error("\n");                                                     \
        fail();                                                                \
    } while (false)

/* The passphrase is not what this is about. */
int __real_crypto_pwhash_argon2id(
    unsigned char *out, unsigned long long out_len, const char *secret,
    unsigned long long secret_len, const unsigned char *salt,
    unsigned long long passes, size_t memory_bytes, int kind);
int __wrap_crypto_pwhash_argon2id(
    unsigned char *out, unsigned long long out_len, const char *secret,
    unsigned long long secret_len, const unsigned char *salt,
    unsigned long long passes, size_t memory_bytes, int kind);

int // NOLINTNEXTLINE(readability-function-size): libsodium's own
__wrap_crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len,
                              const char *secret, unsigned long long secret_len,
                              const unsigned char *salt,
                              unsigned long long passes, size_t memory_bytes,
                              int kind)
{
    (void)passes;
    (void)memory_bytes;
    return __real_crypto_pwhash_argon2id(out, out_len, secret, secret_len, salt,
                                         crypto_pwhash_argon2id_OPSLIMIT_MIN,
                                         crypto_pwhash_argon2id_MEMLIMIT_MIN,
                                         kind);
}

/* ---- the broker ---- */

static inline void
rig_start(void)
{
    static const struct core_settings settings = {.session_ms = 600000,
                                                  .proof_ms = 600000,
                                                  .task_ttl_ms = 600000,
                                                  .task_ttl_max_ms = 600000,
                                                  .wrap_ttl_max_ms = 600000,
                                                  .task_tokens_max = 5,
                                                  .marker = "[redacted:%s]"};
    const struct core_parts parts = {.paths = &flow.paths,
                                     .filter = flow.filter,
                                     .profiles = flow.profiles,
                                     .upstream = flow.upstream,
                                     .runner = (struct runner *)(void *)&world};

    check_ok(core_new(&parts, &settings, &flow.core));
}

static inline enum ag_err
rig_try_unlock(void)
{
    AG_AUTO(secret) struct secret *passphrase = secret_of(PASSPHRASE);
    AG_AUTO(wjson) json_t *answer = NULL;
    struct call call = call_of(flow.operator_peer);

    return vault_unlock(flow.core, &call,
                        &(struct unlock_request){.passphrase = passphrase},
                        &answer);
}

static inline void
rig_unlock(void)
{
    enum ag_err err = rig_try_unlock();

    if (err != AG_OK) {
        RIG_FAIL("unlock: %s", err_text(err));
    }
}

static inline void
rig_stop(void)
{
    core_free(flow.core);
    flow.core = NULL;
}

static inline int
rig_open(void **state)
{
    shim.no_disk = true;
    if (open_with_clock(state) != 0) {
        return -1;
    }
    rig_stop();
    rig_start();
    rig_unlock();
    shim_disk_new(&rig.start);
    shim_disk_new(&rig.cut);
    shim_disk_new(&rig.cut_again);
    rig.points = 0;
    return 0;
}

static inline int
rig_close(void **state)
{
    shim_disk_free(&rig.start);
    shim_disk_free(&rig.cut);
    shim_disk_free(&rig.cut_again);
    shim_forget();
    return close_with_clock(state);
}

/* From here on everything is in the diary; the broker is started anew. */
static inline void
rig_record(void)
{
    rig_stop();
    shim_forget();
    shim_disk_load(&rig.start, flow.paths.home);
    shim.on = true;
    rig_start();
    rig_unlock();
}

static inline void
rig_recorded(void)
{
    rig_stop();
    shim.on = false;
}

static inline void
rig_come_up(const struct shim_disk *disk, int64_t later_ms)
{
    rig.points++;
    shim_disk_save(disk, flow.paths.home);
    set_clock(now_ms + later_ms);
    rig_start();
    rig_unlock();
}

/* The power goes after so many entries of the diary, and comes back `later_ms`
 * later: the disk has what was synced and some of the rest, the provider all it
 * was told. */
static inline void
rig_cut(size_t count, int64_t later_ms)
{
    rig.point = count;
    shim_disk_at(&rig.start, count, &rig.cut);
    world_at(count);
    rig_come_up(&rig.cut, later_ms);
}

/* And goes once more, at a random moment of what `op` does then. */
static inline void
rig_cut_twice(size_t count, int64_t later_ms, void (*op)(void))
{
    static struct world_state past[WORLD_PAST_COUNT];
    struct shim_event *events = shim.events;
    size_t event_count = shim.count;
    size_t event_cap = shim.cap;
    size_t past_count = world.past_count;
    size_t again = 0;

    memcpy(past, world.past, sizeof(past));
    rig.point = count;
    shim_disk_at(&rig.start, count, &rig.cut);
    world_at(count);
    shim.events = NULL;
    shim.count = 0;
    shim.cap = 0;
    world.past_count = 0;
    shim.on = true;
    world_changed();
    rig_come_up(&rig.cut, later_ms);
    op();
    rig_recorded();
    again = prop_below(shim.count + 1);
    shim_disk_at(&rig.cut, again, &rig.cut_again);
    world_at(again);
    shim_forget();
    shim.events = events;
    shim.count = event_count;
    shim.cap = event_cap;
    memcpy(world.past, past, sizeof(past));
    world.past_count = past_count;
    rig_come_up(&rig.cut_again, later_ms);
}

/* ---- what must hold ---- */

static inline void
rig_check_record(void)
{
    AG_AUTO(wjson) json_t *verified = NULL;
    enum ag_err err = record_verify(flow.core, &verified);

    if (err != AG_OK) {
        RIG_FAIL("the record: %s", err_text(err));
    }
}

static inline enum ag_err
rig_note_pending(const struct version_row *version, void *arg)
{
    *(bool *)arg = *(bool *)arg || version->state == VERSION_PENDING;
    return AG_OK;
}

static inline bool
rig_has_pending(const char *name)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);
    bool pending = false;

    check_ok(store_read(flow.core->store, &r));
    check_ok(versions_each(r, id, rig_note_pending, &pending));
    return pending;
}

/* The current value as text. */
static inline void
rig_value(const char *name, char out[WORLD_WORD_BYTES])
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(secret) struct secret *value = NULL;
    int64_t current = 0;
    int64_t id = secret_id_of(name, &current);

    check_ok(store_read(flow.core->store, &r));
    (void)!versions_value(r, id, 0, NULL, &value);
    db_read_close(AG_TAKE(r)); /* or a failure would wait for it */
    if (value == NULL) {
        RIG_FAIL("%s has no value", name);
    }
    (void)snprintf(out, WORLD_WORD_BYTES, "%.*s", (int)secret_len(value),
                   (const char *)secret_view(value).ptr);
}

#endif
