/* Recovery of every stage that a crash can leave, and release, against a broker
 * of a few lines. */
// WRAP: line_lock line_begin line_take line_deliver line_commit line_done line_undo cli_call
#include "common/moves_scene.h"

static int
setup(void **state)
{
    (void)state;
    fake_open();
    place_make(&place, "auth.json");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    return setenv("CODEX_HOME", place.dir, 1);
}

static int
teardown(void **state)
{
    (void)state;
    place_remove(&place);
    return 0;
}

static void
check_moved(void)
{
    assert_true(fake->vault_has);
    assert_false(place_has(&place, "auth.json"));
    assert_int_equal(place_count(&place, SECRET, false), 0);
    assert_int_equal(fake->sealed_len, strlen(LOGIN));
    assert_memory_equal(fake->sealed, LOGIN, strlen(LOGIN));
}

static int
load(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    return profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles) ==
                   AG_OK
               ? 0
               : -1;
}

static int
unload(void **state)
{
    (void)state;
    profiles_free(profiles);
    return secret_arena_used_bytes() == 0 ? 0 : -1;
}

static void
open_move(const char *kind, enum fake_state move_state, const char *sealed)
{
    (void)snprintf(fake->kind, sizeof(fake->kind), "%s", kind);
    (void)snprintf(fake->name, sizeof(fake->name), "codex/default");
    (void)snprintf(fake->profile, sizeof(fake->profile), "codex");
    (void)snprintf(fake->path, sizeof(fake->path), "%s", place.path);
    fake->state = move_state;
    fake->sealed_len = strlen(sealed);
    memcpy(fake->sealed, sealed, strlen(sealed));
    fake->vault_has =
        strcmp(kind, "adopt") == 0 ? move_state >= FAKE_ERASING : true;
}

static const char *
recovered(void)
{
    static char word[32];
    json_auto_t *found = NULL;

    check_ok(moves_recover(&place.cli, &found));
    assert_int_equal(json_array_size(found), 1);
    (void)snprintf(word, sizeof(word), "%s",
                   json_string_value(
                       json_object_get(json_array_get(found, 0), "outcome")));
    return word;
}

static void
test_recover_before_the_commit(void **state)
{
    static const enum fake_state STATES[] = {FAKE_OPEN, FAKE_TAKEN};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(STATES); i++) {
        open_move("adopt", STATES[i], LOGIN);
        place_write(&place, "auth.json", LOGIN, 0600);
        assert_string_equal(recovered(), "undone");
        assert_true(place_has(&place, "auth.json"));
        assert_int_equal(fake->state, FAKE_UNDONE);
    }
}

static void
test_recover_each_stage_of_erasing(void **state)
{
    static const char *const NAMES[] = {"auth.json", ".ag-erase-7",
                                        ".ag-gone-7", NULL};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        open_move("adopt", FAKE_ERASING, LOGIN);
        if (NAMES[i] != NULL) {
            place_write(&place, NAMES[i], LOGIN, 0600);
        }
        assert_string_equal(recovered(), "erased");
        check_moved();
        assert_false(place_has(&place, ".ag-erase-7"));
        assert_false(place_has(&place, ".ag-gone-7"));
    }
}

static void
test_recover_half_overwritten(void **state)
{
    (void)state;
    open_move("adopt", FAKE_ERASING, LOGIN);
    place_write(&place, ".ag-gone-7", "\x01\x02 garbage", 0600);
    assert_string_equal(recovered(), "erased");
    assert_false(place_has(&place, ".ag-gone-7"));
}

static void
test_recover_erases_copies_too(void **state)
{
    (void)state;
    open_move("adopt", FAKE_ERASING, LOGIN);
    place_write(&place, ".ag-erase-7", LOGIN, 0600);
    place_write(&place, "auth.json.bak", LOGIN, 0600);
    assert_string_equal(recovered(), "erased");
    check_moved();
}

static void
test_recover_leaves_a_newer_file(void **state)
{
    (void)state;
    open_move("adopt", FAKE_ERASING, LOGIN);
    place_write(&place, "auth.json", "{\"new\":1}", 0600);
    assert_string_equal(recovered(), "conflict");
    assert_int_equal(place_count(&place, "{\"new\":1}", false), 1);
    open_move("adopt", FAKE_ERASING, LOGIN);
    (void)place_count(&place, "", true);
    place_write(&place, ".ag-erase-7", "{\"new\":2}", 0600);
    assert_string_equal(recovered(), "conflict");
    assert_true(place_has(&place, "auth.json"));
    assert_false(place_has(&place, ".ag-erase-7"));
}

static void
test_recover_with_a_link_in_its_place(void **state)
{
    (void)state;
    open_move("adopt", FAKE_ERASING, LOGIN);
    assert_int_equal(symlink("/nowhere/jail/auth.json", place.path), 0);
    assert_string_equal(recovered(), "erased");
    assert_true(place_has(&place, "auth.json"));
}

static void
test_recover_one_file_under_both_names(void **state)
{
    char hidden[160];

    (void)state;
    open_move("adopt", FAKE_ERASING, LOGIN);
    place_write(&place, "auth.json", LOGIN, 0600);
    (void)snprintf(hidden, sizeof(hidden), "%s/.ag-erase-7", place.dir);
    assert_int_equal(link(place.path, hidden), 0);
    assert_string_equal(recovered(), "erased");
    check_moved();
}

static void
test_recover_without_the_directory(void **state)
{
    (void)state;
    open_move("adopt", FAKE_ERASING, LOGIN);
    (void)snprintf(fake->path, sizeof(fake->path), "%s/gone/auth.json",
                   place.dir);
    assert_string_equal(recovered(), "erased");
}

static void
test_recover_release(void **state)
{
    (void)state;
    open_move("release", FAKE_TAKEN, LOGIN);
    place_write(&place, ".ag-release-7", "half of it", 0600);
    assert_string_equal(recovered(), "undone");
    assert_false(place_has(&place, ".ag-release-7"));
    assert_true(fake->vault_has);

    open_move("release", FAKE_TAKEN, LOGIN);
    place_write(&place, "auth.json", LOGIN, 0600);
    assert_string_equal(recovered(), "written");
    assert_false(fake->vault_has);
    assert_true(place_has(&place, "auth.json"));

    open_move("release", FAKE_TAKEN, LOGIN);
    place_write(&place, "auth.json", "{\"somebody\":\"else\"}", 0600);
    assert_string_equal(recovered(), "undone");
    assert_true(fake->vault_has);
    assert_true(place_has(&place, "auth.json"));

    open_move("release", FAKE_ERASING, LOGIN);
    assert_string_equal(recovered(), "written");
}

/* ---- release ---- */

static void
test_release_puts_it_back_as_it_was(void **state)
{
    struct timespec times[2] = {{1000000001, 123456789}, {1100000002, 987654}};
    json_auto_t *back = NULL;
    struct stat st;

    (void)state;
    place_write(&place, "auth.json", LOGIN, 0640);
    assert_int_equal(utimensat(AT_FDCWD, place.path, times, 0), 0);
    check_ok(do_adopt());
    check_moved();
    check_ok(release_file(&place.cli, "codex/default", NULL, &back));
    assert_int_equal(fake->state, FAKE_DONE);
    assert_false(fake->vault_has);
    assert_int_equal(lstat(place.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_mtim.tv_sec, 1100000002);
    assert_int_equal(st.st_mtim.tv_nsec, 987654);
    assert_int_equal(st.st_atim.tv_sec, 1000000001);
    assert_int_equal(st.st_atim.tv_nsec, 123456789);
    assert_int_equal(place_count(&place, LOGIN, false), 1);
    assert_false(place_has(&place, ".ag-release-7"));
}

static void
test_release_never_overwrites(void **state)
{
    json_t *back = NULL;

    (void)state;
    open_move("release", FAKE_NONE, LOGIN);
    place_write(&place, "auth.json", "mine", 0600);
    check_err(release_file(&place.cli, "codex/default", NULL, &back),
              AG_EEXISTS);
    assert_int_equal(fake->state, FAKE_UNDONE);
    assert_true(fake->vault_has);
    check_err(release_file(&place.cli, "codex/default", place.path, &back),
              AG_EEXISTS);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(symlink("nowhere", place.path), 0);
    check_err(release_file(&place.cli, "codex/default", NULL, &back),
              AG_EEXISTS);
    assert_int_equal(place_count(&place, SECRET, false), 0);
}

static void
test_release_makes_missing_directories(void **state)
{
    char path[256];
    json_auto_t *back = NULL;
    struct stat st;

    (void)state;
    open_move("release", FAKE_NONE, LOGIN);
    (void)snprintf(path, sizeof(path), "%s/sub", place.dir);
    (void)snprintf(fake->path, sizeof(fake->path), "%s/f", path);
    check_ok(release_file(&place.cli, "x", NULL, &back));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(unlink(fake->path), 0);
    assert_int_equal(rmdir(path), 0);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_recover_before_the_commit),
        CASE(test_recover_each_stage_of_erasing),
        CASE(test_recover_half_overwritten),
        CASE(test_recover_erases_copies_too),
        CASE(test_recover_leaves_a_newer_file),
        CASE(test_recover_with_a_link_in_its_place),
        CASE(test_recover_one_file_under_both_names),
        CASE(test_recover_without_the_directory),
        CASE(test_recover_release),
        CASE(test_release_puts_it_back_as_it_was),
        CASE(test_release_never_overwrites),
        CASE(test_release_makes_missing_directories),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
