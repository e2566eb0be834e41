/* adopt against a broker of a few lines. */
// WRAP: line_lock line_begin line_take line_deliver line_commit line_done line_undo cli_call
// WRAP: renameat2
#include <sys/file.h>

#include <limits.h>
#include <stdlib.h>

#include "common/moves_fake.h"
#include "move/adopt.h"
#include "move/recover.h"
#include "profile/load.h"

static const char LOGIN[] =
    "{\n  \"auth_mode\": \"chatgpt\",\n  \"tokens\": {\n"
    "    \"access_token\": \"acc-3f9Kq81LmZx7Rt\",\n"
    "    \"refresh_token\": \"ref-Hq29Zk4LpW8xVb\",\n"
    "    \"id_token\": \"idt-9Xk2LmQp71WvBn\",\n"
    "    \"account_id\": \"a1\"\n  }\n}\n";
static const char SECRET[] = "ref-Hq29Zk4LpW8xVb";

static struct profiles *profiles;
static struct place place;

static int
group_setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    return profiles_load(AG_SOURCE_DIR "/schema/profiles", NULL, &profiles) ==
                   AG_OK
               ? 0
               : -1;
}

static int
group_teardown(void **state)
{
    (void)state;
    profiles_free(profiles);
    return secret_arena_used_bytes() == 0 ? 0 : -1;
}

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

static struct adopt
plan(void)
{
    return (struct adopt){
        .cli = &place.cli, .profiles = profiles, .profile = "codex"};
}

static enum ag_err
adopt_login(json_t **ret)
{
    struct adopt a = plan();

    place_write(&place, "auth.json", LOGIN, 0600);
    return adopt_file(&a, place.path, ret);
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

static void
test_adopt_moves(void **state)
{
    json_auto_t *r = NULL;

    (void)state;
    check_ok(adopt_login(&r));
    check_moved();
    assert_int_equal(fake->state, FAKE_DONE);
    assert_string_equal(fake->name, "codex/default");
    assert_string_equal(fake->profile, "codex");
    assert_string_equal(json_string_value(json_object_get(r, "path")),
                        place.path);
    assert_true(place_has(&place, "auth.lock"));
}

/* Dot files kept elsewhere: the tool's directory is a link. */
static void
test_a_linked_directory_is_the_tools_own(void **state)
{
    struct adopt a = plan();
    json_auto_t *r = NULL;
    char real[PATH_MAX];
    char link[sizeof(place.dir) + 16];

    (void)state;
    (void)snprintf(link, sizeof(link), "%s-link", place.dir);
    assert_int_equal(symlink(place.dir, link), 0);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    assert_int_equal(setenv("CODEX_HOME", link, 1), 0);
    place_write(&place, "auth.json", LOGIN, 0600);
    a.profile = NULL; /* found by the path alone */
    assert_non_null(realpath(place.path, real));
    check_ok(adopt_file(&a, place.path, &r));
    assert_int_equal(unlink(link), 0);
    check_moved();
    assert_string_equal(fake->name, "codex/default");
    assert_string_equal(fake->profile, "codex");
    assert_string_equal(json_string_value(json_object_get(r, "path")), real);
}

static void
test_dry_run_changes_nothing(void **state)
{
    struct adopt a = plan();
    json_auto_t *r = NULL;

    (void)state;
    a.dry_run = true;
    place_write(&place, "auth.json", LOGIN, 0600);
    check_ok(adopt_file(&a, place.path, &r));
    assert_int_equal(fake->state, FAKE_NONE);
    assert_int_equal(place_count(&place, SECRET, false), 1);
    assert_false(place_has(&place, "auth.lock"));
}

static void
test_copies_go_with_it(void **state)
{
    json_auto_t *r = NULL;

    (void)state;
    place_write(&place, "auth.json~", LOGIN, 0600);
    place_write(&place, ".auth.json.swp", "b0VIM\n  ref-Hq29Zk4LpW8xVb\n",
                0600);
    place_write(&place, "auth.json.bak",
                "{\"tokens\":{\"refresh_token\":\"ref-Hq29Zk4LpW8xVb\","
                "\"access_token\":\"older-access-token\"}}",
                0600);
    place_write(&place, "auth.json.orig", "{\"tokens\":{}}", 0600);
    place_write(&place, "notes.txt", "ref-Hq29Zk4LpW8xVb", 0600);
    check_ok(adopt_login(&r));
    assert_int_equal(json_array_size(json_object_get(r, "erased")), 3);
    assert_int_equal(json_array_size(json_object_get(r, "left")), 0);
    assert_true(place_has(&place, "auth.json.orig"));
    assert_int_equal(place_count(&place, SECRET, false), 1); /* the notes */
}

static const char *vanishing; /* goes away just before it is renamed */

int __real_renameat2(int a, const char *from, int b, const char *to,
                     unsigned flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to,
                     unsigned flags);

int
__wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    if (vanishing != NULL && strcmp(from, vanishing) == 0) {
        (void)unlinkat(a, from, 0);
    }
    return __real_renameat2(a, from, b, to, flags);
}

static void
test_a_copy_that_vanishes_meanwhile(void **state)
{
    json_auto_t *r = NULL;

    (void)state;
    place_write(&place, ".auth.json.swp", LOGIN, 0600);
    vanishing = ".auth.json.swp";
    check_ok(adopt_login(&r));
    vanishing = NULL;
    check_moved();
    assert_int_equal(fake->state, FAKE_DONE);
    assert_false(place_has(&place, ".ag-erase-7"));
}

static void
test_a_copy_with_another_secret_stays(void **state)
{
    json_auto_t *r = NULL;

    (void)state;
    place_write(&place, "auth.json.bak",
                "{\"OPENAI_API_KEY\":\"sk-proj-another-key-1\",\"tokens\":"
                "{\"refresh_token\":\"ref-Hq29Zk4LpW8xVb\"}}",
                0600);
    place_write(&place, "auth.json.old",
                "{\"tokens\":{\"refresh_token\":\"ref-of-another-login\"}}",
                0600);
    check_ok(adopt_login(&r));
    assert_true(place_has(&place, "auth.json.bak"));
    assert_int_equal(json_array_size(json_object_get(r, "left")), 1);
    assert_true(json_array_size(json_object_get(r, "warnings")) >= 1);
}

static void
check_refused(const char *text, size_t len, enum ag_err want, const char *word)
{
    struct adopt a = plan();
    json_t *r = NULL;
    char *copy = strndup(text, len);
    enum ag_err err;

    place_write(&place, "auth.json", copy, 0600);
    err = adopt_file(&a, place.path, &r);
    if (err != want || strstr(err_text(err), word) == NULL) {
        fail_msg("%s (%s), not %s", err_code(err), err_text(err),
                 err_code(want));
    }
    assert_true(place_has(&place, "auth.json"));
    assert_false(fake->vault_has);
    free(copy);
}

static void
test_unfit_content_is_refused(void **state)
{
    (void)state;
    check_refused("{\"tokens\":", 10, AG_EFILE, "malformed as json: line 1");
    check_refused("{\"a\":\"\xff\xfe\"}", 10, AG_EFILE, "not UTF-8");
    check_refused("{\"auth_mode\":null}", 18, AG_EFILE, "holds no secret");
}

static void
test_opaque_takes_any_bytes(void **state)
{
    struct adopt a = {.cli = &place.cli, .profiles = profiles, .opaque = true};
    json_auto_t *r = NULL;

    (void)state;
    place_write(&place, "auth.json", "\xff\xfe binary thing", 0600);
    check_ok(adopt_file(&a, place.path, &r));
    assert_true(fake->vault_has);
    assert_string_equal(fake->profile, "");
}

static bool
warned_of(const json_t *r, const char *word)
{
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(r, "warnings"), i, item)
    {
        if (strstr(json_string_value(item), word) != NULL) {
            return true;
        }
    }
    return false;
}

static void
test_open_mode_and_weak_values_are_warned_of(void **state)
{
    struct adopt a = plan();
    json_auto_t *r = NULL;

    (void)state;
    assert_int_equal(chmod(place.dir, 0755), 0);
    place_write(&place, "auth.json", "{\"OPENAI_API_KEY\":\"abc\"}", 0644);
    check_ok(adopt_file(&a, place.path, &r));
    assert_true(warned_of(r, "mode 644"));
    assert_true(warned_of(r, "codex/default#/OPENAI_API_KEY"));
    assert_int_equal(fake->mode, 0644);
}

static void
test_a_read_only_file_is_moved_too(void **state)
{
    struct adopt a = plan();
    json_auto_t *r = NULL;

    (void)state;
    place_write(&place, "auth.json", LOGIN, 0400);
    check_ok(adopt_file(&a, place.path, &r));
    check_moved();
}

static void
test_the_tools_lock_is_waited_for(void **state)
{
    struct adopt a = plan();
    json_t *r = NULL;
    char path[160];
    int fd;

    (void)state;
    place_write(&place, "auth.json", LOGIN, 0600);
    (void)snprintf(path, sizeof(path), "%s/auth.json.lock", place.dir);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    check_err(adopt_file(&a, place.path, &r), AG_EBUSY);
    assert_int_equal(fake->state, FAKE_NONE);
    (void)close(fd);
    check_ok(adopt_file(&a, place.path, &r));
    json_decref(r);
}

static void
rewrite(void)
{
    place_write(&place, "auth.json",
                "{\"tokens\":{\"refresh_token\":\"new-1\"}}", 0600);
}

static void
test_a_change_before_the_commit_undoes(void **state)
{
    json_t *r = NULL;

    (void)state;
    fake->take_fails = true;
    check_err(adopt_login(&r), AG_EIO);
    assert_int_equal(fake->state, FAKE_UNDONE);
    assert_int_equal(place_count(&place, SECRET, false), 1);
}

static void
test_a_change_after_the_commit_is_a_conflict(void **state)
{
    json_t *r = NULL;

    (void)state;
    fake->after_commit = rewrite;
    check_err(adopt_login(&r), AG_ECHANGED);
    assert_int_equal(fake->state, FAKE_CONFLICT);
    assert_true(fake->vault_has); /* the older one, kept */
    assert_int_equal(place_count(&place, "new-1", false), 1);
    assert_false(place_has(&place, ".ag-erase-7"));
}

static void
test_a_lost_answer_is_finished_later(void **state)
{
    json_t *r = NULL;

    (void)state;
    fake->commit_fails = true;
    check_err(adopt_login(&r), AG_ENOBROKER);
    assert_int_equal(place_count(&place, SECRET, false), 1);
    check_ok(moves_recover(&place.cli, NULL));
    check_moved();
    assert_int_equal(fake->state, FAKE_DONE);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_adopt_moves),
        CASE(test_a_linked_directory_is_the_tools_own),
        CASE(test_dry_run_changes_nothing),
        CASE(test_copies_go_with_it),
        CASE(test_a_copy_that_vanishes_meanwhile),
        CASE(test_a_copy_with_another_secret_stays),
        CASE(test_unfit_content_is_refused),
        CASE(test_opaque_takes_any_bytes),
        CASE(test_open_mode_and_weak_values_are_warned_of),
        CASE(test_a_read_only_file_is_moved_too),
        CASE(test_the_tools_lock_is_waited_for),
        CASE(test_a_change_before_the_commit_undoes),
        CASE(test_a_change_after_the_commit_is_a_conflict),
        CASE(test_a_lost_answer_is_finished_later),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
