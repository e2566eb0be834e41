/*
 * The JSON scanner against jansson: a random tree, written in different ways,
 * gives the same value at every pointer; and what jansson refuses is refused.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/secret.h"
#include "common/check.h"
#include "common/prop.h"
#include "profile/fields.h"

enum {
    DEPTH_MAX = 5,
    POINTER_MAX_BYTES = 1000,
};

static json_t *
random_string(void)
{
    static const char *const PIECES[] = {
        "a",
        "token",
        "/",
        "~",
        "\"",
        "\\",
        "\n",
        "\t",
        "\x7f",
        "é",
        "\xf0\x9f\x98\x80",
        " ",
        "{",
        "}",
        "*",
        "%",
    };
    char text[128] = "";
    size_t len = 0;

    for (size_t n = prop_below(8); n > 0; n--) {
        const char *piece = PIECES[prop_below(AG_COUNT(PIECES))];

        memcpy(text + len, piece, strlen(piece) + 1);
        len += strlen(piece);
    }
    return json_string(text);
}

static json_t *
random_tree(unsigned depth)
{
    size_t kind = prop_below(depth == 0 ? 4 : 8);
    json_t *tree = kind < 6 ? json_object() : json_array();

    if (kind < 4) {
        json_decref(tree);
        return kind == 0   ? json_integer((json_int_t)prop_below(1000) - 500)
               : kind == 1 ? json_boolean(prop_below(2) != 0)
               : kind == 2 ? json_null()
                           : random_string();
    }
    for (size_t n = prop_below(5); n > 0; n--) {
        json_t *child = random_tree(depth - 1);

        if (json_is_object(tree)) {
            json_auto_t *key = random_string();

            (void)json_object_set_new(tree, json_string_value(key), child);
        } else {
            (void)json_array_append_new(tree, child);
        }
    }
    return tree;
}

static void
push(struct buf *pointer, const char *name)
{
    check_ok(buf_add_byte(pointer, '/'));
    for (; *name != '\0'; name++) {
        check_ok(*name == '/'   ? buf_add_str(pointer, "~1")
                 : *name == '~' ? buf_add_str(pointer, "~0")
                                : buf_add_byte(pointer, (uint8_t)*name));
    }
}

static void
check_value(struct span text, const struct buf *pointer, const json_t *want)
{
    AG_AUTO(secret) struct secret *got = NULL;
    enum ag_err err = field_get(text, FORMAT_JSON, buf_view(pointer), &got);

    if (field_pointer_check(buf_view(pointer)) != AG_OK) {
        assert_int_equal(err, AG_EINVAL); /* a control byte in a name */
        return;
    }
    check_ok(err);
    if (json_is_string(want)) {
        struct span bytes =
            span_of(json_string_value(want), json_string_length(want));

        assert_true(secret_equal_span(got, bytes));
    } else {
        char *dumped = json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT);

        if (!json_is_array(want) && !json_is_object(want)) {
            check_span(secret_view(got), dumped);
        }
        free(dumped);
    }
}

static void
check_tree(struct span text, struct buf *pointer, json_t *tree)
{
    size_t mark = pointer->len;
    const char *key = NULL;
    json_t *child = NULL;
    size_t i = 0;

    if (mark > 0) {
        check_value(text, pointer, tree);
    }
    json_object_foreach(tree, key, child)
    {
        push(pointer, key);
        check_tree(text, pointer, child);
        buf_truncate(pointer, mark);
    }
    json_array_foreach(tree, i, child)
    {
        char number[24];

        (void)snprintf(number, sizeof(number), "%zu", i);
        push(pointer, number);
        check_tree(text, pointer, child);
        buf_truncate(pointer, mark);
    }
}

static void
test_every_pointer_agrees(void **state)
{
    static const size_t FLAGS[] = {JSON_COMPACT, JSON_INDENT(2),
                                   JSON_ENSURE_ASCII, JSON_ESCAPE_SLASH};

    (void)state;
    for (uint64_t run = prop_begin(300); run > 0; run--) {
        json_auto_t *tree = random_tree(DEPTH_MAX);
        size_t flags = FLAGS[prop_below(AG_COUNT(FLAGS))] | JSON_ENCODE_ANY;
        char *text = json_dumps(tree, flags);
        AG_AUTO(buf) struct buf pointer = {0};

        assert_non_null(text);
        buf_init(&pointer, POINTER_MAX_BYTES, BUF_PLAIN);
        check_ok(fields_check(span_str(text), FORMAT_JSON));
        check_tree(span_str(text), &pointer, tree);
        free(text);
    }
    assert_int_equal(secret_arena_used_bytes(), 0);
}

/* One byte changed: both take it or both refuse it (numbers that jansson can't
 * hold aside: no byte makes an exponent). */
static void
test_damage_is_judged_alike(void **state)
{
    static const char BYTES[] = "{}[]\",:\\u01x-+.tfn \n\x01";

    (void)state;
    for (uint64_t run = prop_begin(2000); run > 0; run--) {
        json_auto_t *tree = random_tree(3);
        json_auto_t *again = NULL;
        char *text = json_dumps(tree, JSON_ENCODE_ANY | JSON_COMPACT);
        size_t len = strlen(text);
        enum ag_err err;

        text[prop_below(len)] = BYTES[prop_below(sizeof(BYTES) - 1)];
        again = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        err = fields_check(span_of(text, len), FORMAT_JSON);
        if ((again != NULL) != (err == AG_OK)) {
            fail_msg("jansson %s, we %s: %s",
                     again != NULL ? "takes it" : "refuses it", err_text(err),
                     text);
        }
        free(text);
    }
}

static int
setup(void **state)
{
    (void)state;
    return secret_arena_open(SECRET_ARENA_CLI_BYTES) == AG_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pointer_agrees),
        cmocka_unit_test(test_damage_is_judged_alike),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
