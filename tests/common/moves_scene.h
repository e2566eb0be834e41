/*
 * moves_scene.h - adopt and release set up, run and judged, for tests that
 * break them off: exactly one authority afterwards, its content whole, nothing
 * of ours lying about.
 */
#ifndef AG_TESTS_MOVES_SCENE_H
#define AG_TESTS_MOVES_SCENE_H

#include "common/moves_fake.h"
#include "move/adopt.h"
#include "move/recover.h"
#include "move/release.h"
#include "profile/load.h"

static const char LOGIN[] =
    "{\"tokens\": {\"access_token\": \"acc-3f9Kq81LmZx7Rt\",\n"
    "\"refresh_token\": \"ref-Hq29Zk4LpW8xVb\"},\n\"last_refresh\": "
    "\"2026-01-01T00:00:00Z\"}\n";
static const char SECRET[] = "ref-Hq29Zk4LpW8xVb";

static struct profiles *profiles;
static struct place place;

static inline enum ag_err
do_adopt(void)
{
    struct adopt a = {
        .cli = &place.cli, .profiles = profiles, .profile = "codex"};
    json_t *r = NULL;
    enum ag_err err = adopt_file(&a, place.path, &r);

    json_decref(r);
    return err;
}

static inline enum ag_err
do_release(void)
{
    json_t *r = NULL;
    enum ag_err err = release_file(&place.cli, "codex/default", NULL, &r);

    json_decref(r);
    return err;
}

struct scene {
    const char *kind;
    enum ag_err (*run)(void);
    const char *copy; /* a backup beside it, or NULL */
};

static inline void
set_up(const struct scene *scene)
{
    bool adopt = strcmp(scene->kind, "adopt") == 0;

    fake_open();
    (void)place_count(&place, "", true);
    (void)snprintf(fake->path, sizeof(fake->path), "%s", place.path);
    memcpy(fake->sealed, LOGIN, strlen(LOGIN));
    fake->sealed_len = strlen(LOGIN);
    fake->vault_has = !adopt;
    fake->gid = -1;
    fake->mtime_ns = 1000000000000000001;
    if (adopt) {
        place_write(&place, "auth.json", LOGIN, 0600);
    }
    if (scene->copy != NULL) {
        place_write(&place, scene->copy, LOGIN, 0600);
    }
}

/* Exactly one authority, its content whole, nothing of ours lying about. */
static inline void
check_scene(const struct scene *scene, unsigned n, const char *how)
{
    bool file = place_has(&place, "auth.json");
    size_t plain = place_count(&place, SECRET, false);
    size_t whole = place_count(&place, LOGIN, false);
    size_t copies = scene->copy != NULL && place_has(&place, scene->copy);

    if (fake->vault_has == file || plain != (file ? 1U : 0U) + copies ||
        whole != plain || (fake->vault_has && copies != 0)) {
        fail_msg("%s, %s at point %u: vault %d, file %d, plain %zu, whole %zu, "
                 "state %s",
                 scene->kind, how, n, fake->vault_has, file, plain, whole,
                 fake_state_word());
    }
    if (fake->vault_has && (fake->sealed_len != strlen(LOGIN) ||
                            memcmp(fake->sealed, LOGIN, strlen(LOGIN)) != 0)) {
        fail_msg("%s, %s at point %u: the vault's copy is not whole",
                 scene->kind, how, n);
    }
    if (place_has(&place, ".ag-erase-7") || place_has(&place, ".ag-gone-7") ||
        place_has(&place, ".ag-release-7") ||
        (fake->state >= FAKE_OPEN && fake->state <= FAKE_ERASING)) {
        fail_msg("%s, %s at point %u: something is left (state %s)",
                 scene->kind, how, n, fake_state_word());
    }
}

static inline void
recover(const struct scene *scene, unsigned n, const char *how)
{
    enum ag_err err = moves_recover(&place.cli, NULL);

    if (err != AG_OK) {
        fail_msg("%s, %s at point %u: recovery: %s", scene->kind, how, n,
                 err_text(err));
    }
    check_scene(scene, n, how);
}

__attribute__((unused)) static const struct scene SCENES[] = {
    {"adopt", do_adopt, NULL},
    {"adopt", do_adopt, "auth.json.bak"},
    {"release", do_release, NULL},
};

static inline int
group_setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    place_make(&place, "auth.json");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    assert_int_equal(setenv("CODEX_HOME", place.dir, 1), 0);
    return profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles) ==
                   AG_OK
               ? 0
               : -1;
}

static inline int
group_teardown(void **state)
{
    (void)state;
    profiles_free(profiles);
    place_remove(&place);
    return 0;
}

#endif
