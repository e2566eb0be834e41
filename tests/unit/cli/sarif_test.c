/* SARIF: addresses, rules once each, the text of a rule not in its results. */
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "common/check.h"
#include "sarif.h"
#include "wire/json.h"

static json_t *
written(const json_t *rows)
{
    FILE *file = tmpfile();
    json_t *log;

    assert_non_null(file);
    check_ok(sarif_write(rows, fileno(file)));
    rewind(file);
    log = json_loadf(file, 0, NULL);
    assert_non_null(log);
    assert_int_equal(fclose(file), 0);
    return log;
}

static void
add(json_t *rows, const char *rule, const char *path, uint64_t line)
{
    check_ok(sarif_add(rows, &(struct sarif_find){.rule = rule,
                                                  .about = "About it",
                                                  .level = "error",
                                                  .text = "Found.",
                                                  .path = path,
                                                  .line = line}));
}

static const char *
uri_of(const json_t *row)
{
    const json_t *location =
        json_array_get(json_object_get(row, "locations"), 0);

    return json_string_value(json_object_get(
        json_object_get(json_object_get(location, "physicalLocation"),
                        "artifactLocation"),
        "uri"));
}

static void
test_a_log(void **state)
{
    static const char *const uris[] = {"a%20b/%C3%A4.c", "x", "file:///etc/y",
                                       "x"};
    json_t *rows;
    json_t *log;
    const json_t *run;
    const json_t *results;
    const json_t *rules;

    (void)state;
    wjson_setup();
    rows = json_array();
    assert_int_equal(chdir("/tmp"), 0);
    add(rows, "one", "./a b/\xc3\xa4.c", 7);
    add(rows, "two", "/tmp/x", 0);
    add(rows, "one", "/etc/y", 1);
    add(rows, "two", "x", 0);
    log = written(rows);
    run = json_array_get(json_object_get(log, "runs"), 0);
    results = json_object_get(run, "results");
    rules = json_object_get(
        json_object_get(json_object_get(run, "tool"), "driver"), "rules");
    assert_int_equal(json_array_size(rules), 2);
    assert_int_equal(json_array_size(results), 4);
    for (size_t i = 0; i < AG_COUNT(uris); i++) {
        const json_t *row = json_array_get(results, i);

        assert_string_equal(uri_of(row), uris[i]);
        assert_null(json_object_get(row, "about"));
    }
    json_decref(log);
    json_array_clear(rows);
    log = written(rows);
    assert_non_null(json_object_get(
        json_array_get(json_object_get(log, "runs"), 0), "results"));
    json_decref(log);
    json_decref(rows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_log)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
