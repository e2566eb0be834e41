/* Values at hand: found for their epoch only, gone with the key, never mixed
 * up, never larger than a place. */
#include "base/secret.h"
#include "common/arena.h"
#include "common/check.h"
#include "core/shelf.h"

static struct shelf *shelf;

static int
setup(void **state)
{
    (void)state;
    check_ok(shelf_new(&shelf));
    check_ok(shelf_open(shelf));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    shelf_free(shelf);
    return 0;
}

static void
put(const char *name, const char *field, uint64_t epoch, const char *text)
{
    AG_AUTO(secret) struct secret *value = NULL;
    const struct shelf_item item = {.name = name,
                                    .field = field,
                                    .epoch = epoch,
                                    .secret_id = 1,
                                    .version_id = 2,
                                    .version = 3};

    check_ok(secret_from(span_str(text), &value));
    shelf_put(shelf, &item, value);
}

static enum ag_err
get(const char *name, const char *field, uint64_t epoch, const char *want)
{
    AG_AUTO(secret) struct secret *value = NULL;
    struct shelf_item item = {.name = name, .field = field, .epoch = epoch};
    enum ag_err err = shelf_get(shelf, &item, &value);

    if (err == AG_OK) {
        check_span(secret_view(value), want);
        assert_int_equal(item.secret_id, 1);
        assert_int_equal(item.version_id, 2);
        assert_int_equal(item.version, 3);
    }
    return err;
}

static void
test_a_value_is_there_for_its_epoch(void **state)
{
    (void)state;
    put("github/bot", "", 7, "value-seven");
    check_ok(get("github/bot", "", 7, "value-seven"));
    check_err(get("github/bot", "", 8, ""), AG_ENOTFOUND);
    check_err(get("github/bot", "", 6, ""), AG_ENOTFOUND);
    put("github/bot", "", 8, "value-eight");
    check_ok(get("github/bot", "", 8, "value-eight"));
}

static void
test_name_and_field_are_told_apart(void **state)
{
    (void)state;
    put("a", "/b", 1, "one");
    check_err(get("a", "", 1, ""), AG_ENOTFOUND);
    check_err(get("a/", "b", 1, ""), AG_ENOTFOUND);
    check_err(get("b", "/b", 1, ""), AG_ENOTFOUND);
    check_ok(get("a", "/b", 1, "one"));
}

static void
test_what_pushes_another_out_is_not_taken_for_it(void **state)
{
    char name[16];

    (void)state;
    /* Twice as many as there are places: half of them were pushed out. */
    for (int i = 0; i < 2 * SHELF_PLACES_COUNT; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        put(name, "", 1, name);
    }
    for (int i = 0; i < 2 * SHELF_PLACES_COUNT; i++) {
        enum ag_err err = AG_OK;

        (void)snprintf(name, sizeof(name), "n%d", i);
        err = get(name, "", 1, name);
        assert_true(err == AG_OK || err == AG_ENOTFOUND);
    }
}

static void
test_closing_and_a_new_key_forget_all(void **state)
{
    (void)state;
    put("a", "", 1, "one");
    shelf_close(shelf);
    check_err(get("a", "", 1, ""), AG_ENOTFOUND);
    put("a", "", 1, "one"); /* locked: nothing is kept */
    check_ok(shelf_open(shelf));
    check_err(get("a", "", 1, ""), AG_ENOTFOUND);
}

static void
test_too_large_is_not_kept(void **state)
{
    static char text[SHELF_VALUE_MAX_BYTES + 2];
    static char name[SHELF_KEY_MAX_BYTES + 1];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    put("large", "", 1, text);
    check_err(get("large", "", 1, ""), AG_ENOTFOUND);
    text[SHELF_VALUE_MAX_BYTES] = '\0';
    put("fits", "", 1, text);
    check_ok(get("fits", "", 1, text));
    memset(name, 'n', sizeof(name) - 1);
    put(name, "", 1, "one");
    check_err(get(name, "", 1, ""), AG_ENOTFOUND);
}

#define WITH_SHELF(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SHELF(test_a_value_is_there_for_its_epoch),
        WITH_SHELF(test_name_and_field_are_told_apart),
        WITH_SHELF(test_what_pushes_another_out_is_not_taken_for_it),
        WITH_SHELF(test_closing_and_a_new_key_forget_all),
        WITH_SHELF(test_too_large_is_not_kept),
    };

    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
