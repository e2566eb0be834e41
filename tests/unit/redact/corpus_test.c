// LINKS: wire
/*
 * The shared corpus of known values in many forms, read where it is:
 * $AG_CORPORA/redaction/known-values.jsonl, else ../shared/corpora beside the
 * source tree. Tier P0 must not have one miss and no near miss may be touched,
 * whole, at every split and byte by byte; the other tiers are counted.
 */
#include <unistd.h>

#include <jansson.h>

#include "common/check.h"
#include "prop/redact/oracle.h"
#include "redact/redactor.h"

enum {
    CASES_MAX = 4096,
    TIERS = 4,
    COVERED_PERCENT = 80,
};

struct one {
    json_t *json;
    const char *text;
    size_t text_len;
    const char *secret;
    const char *leak;
    const char *rule;
    bool is_positive;
    int tier;
};

static struct one cases[CASES_MAX];
static size_t case_count;

static const char *
corpus_path(char *path, size_t cap)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it meanwhile
    const char *dir = getenv("AG_CORPORA");

    (void)snprintf(path, cap, "%s/redaction/known-values.jsonl",
                   dir != NULL ? dir : AG_SOURCE_DIR "/../shared/corpora");
    return path;
}

static int
read_corpus(void **state)
{
    char path[1024];
    FILE *in = fopen(corpus_path(path, sizeof(path)), "re");
    char *line = NULL;
    size_t cap = 0;

    (void)state;
    if (in == NULL) {
        return 0;
    }
    while (getline(&line, &cap, in) > 0 && case_count < CASES_MAX) {
        struct one *c = &cases[case_count++];

        c->json = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(c->json);
        c->text = json_string_value(json_object_get(c->json, "text"));
        c->text_len = json_string_length(json_object_get(c->json, "text"));
        c->secret = json_string_value(json_object_get(c->json, "secret"));
        c->leak = json_string_value(json_object_get(c->json, "leak"));
        c->rule = json_string_value(json_object_get(c->json, "rule"));
        c->is_positive =
            strcmp(json_string_value(json_object_get(c->json, "label")),
                   "positive") == 0;
        c->tier = json_string_value(json_object_get(c->json, "tier"))[1] - '0';
        assert_true(c->tier >= 0 && c->tier < TIERS);
    }
    free(line);
    (void)fclose(in);
    return 0;
}

static int
free_corpus(void **state)
{
    (void)state;
    while (case_count > 0) {
        json_decref(cases[--case_count].json);
    }
    return 0;
}

/* All values of the corpus in one set: a near miss of one is no hit of
 * another either. */
static struct matcher *
set_of_all(void)
{
    struct matcher_value *values = calloc(case_count, sizeof(*values));
    struct matcher *set = NULL;
    size_t count = 0;
    size_t i;
    size_t k;

    assert_non_null(values);
    for (i = 0; i < case_count; i++) {
        struct span value = span_str(cases[i].secret);

        for (k = 0; k < count && !span_equal(values[k].value, value); k++) {
        }
        if (k == count) {
            values[count++] = (struct matcher_value){
                .id = k, .name = span_str("x"), .value = value};
        }
    }
    check_ok(matcher_build(values, count, &set));
    print_message("%zu cases, %zu values, %zu forms\n", case_count, count,
                  matcher_entry_count(set));
    free(values);
    return set;
}

static enum ag_err
take(void *ctx, struct span part)
{
    bytes_add(ctx, part.ptr, part.len);
    return AG_OK;
}

/* cut 0: in one piece; SIZE_MAX: byte by byte; else in two. */
static struct bytes
redact(const struct matcher *set, const struct one *c, size_t cut)
{
    struct bytes out = {NULL, 0, 0};
    const struct sink sink = {.ctx = &out, .feed = take};
    const struct redactor_options options = {.marker = "#"};
    AG_AUTO(redactor) struct redactor *r = NULL;
    struct span text = span_of(c->text, c->text_len);
    size_t i;

    bytes_add(&out, "", 0);
    check_ok(redactor_new(&options, &sink, &r));
    check_ok(redactor_use(r, set));
    if (cut == SIZE_MAX) {
        for (i = 0; i < text.len; i++) {
            check_ok(redactor_feed(r, span_sub(text, i, 1)));
        }
    } else {
        check_ok(redactor_feed(r, span_sub(text, 0, cut)));
        check_ok(redactor_feed(r, span_sub(text, cut, text.len)));
    }
    check_ok(redactor_finish(r));
    return out;
}

static bool
contains(struct bytes text, const void *what, size_t len)
{
    return len > 0 && text.len >= len &&
           memmem(text.ptr, text.len, what, len) != NULL;
}

static bool
is_unchanged(const struct one *c, struct bytes out)
{
    return out.len == c->text_len && memcmp(out.ptr, c->text, out.len) == 0;
}

/*
 * Some cases carry the value inside base64 of something larger and name as
 * `leak` a part of the surroundings. What must be gone is the value's own
 * part: whichever of its cores the text has.
 */
static bool
core_survives(const struct one *c, struct bytes out, size_t *ret_len)
{
    struct bytes plain = {(uint8_t *)(uintptr_t)c->secret, strlen(c->secret),
                          0};
    struct bytes json = oracle_json(plain, O_ASCII);
    struct bytes text = {(uint8_t *)(uintptr_t)c->text, c->text_len, 0};
    bool survives = false;
    size_t i;

    *ret_len = 0;
    for (i = 0; i < 6; i++) {
        struct bytes core =
            oracle_core(i < 3 ? plain : json, i % 3,
                        sodium_base64_VARIANT_ORIGINAL_NO_PADDING);

        if (contains(text, core.ptr, core.len)) {
            *ret_len = core.len;
            survives = survives || contains(out, core.ptr, core.len);
        }
        bytes_done(&core);
    }
    bytes_done(&json);
    return survives || *ret_len == 0;
}

/* Does nothing of it remain, and is most of it covered? */
static bool
is_hidden(const struct one *c, struct bytes out)
{
    size_t leak_len = strlen(c->leak);
    size_t marks = 0;
    size_t hidden;
    size_t i;

    if (strcmp(c->rule, "known/b64-of-json") == 0) {
        if (core_survives(c, out, &leak_len)) {
            return false;
        }
    } else if (contains(out, c->leak, leak_len)) {
        return false;
    }
    for (i = 0; i < out.len; i++) {
        marks += out.ptr[i] == '#' ? 1 : 0;
    }
    for (i = 0; i < c->text_len; i++) {
        marks -= c->text[i] == '#' ? 1 : 0;
    }
    hidden = c->text_len - (out.len - marks);
    return hidden * 100 >= leak_len * COVERED_PERCENT;
}

static void
check_splits(const struct matcher *set, const struct one *c, struct bytes want)
{
    size_t cut;

    for (cut = 1; cut <= c->text_len; cut++) {
        struct bytes got = redact(set, c, cut == c->text_len ? SIZE_MAX : cut);

        if (got.len != want.len || memcmp(got.ptr, want.ptr, want.len) != 0) {
            fail_msg("%s: cut at %zu gives another text", c->rule, cut);
        }
        bytes_done(&got);
    }
}

static bool
is_absent(void)
{
    char path[1024];

    if (case_count > 0) {
        return false;
    }
    print_message("SKIPPED, NOT TESTED: no corpus at %s (set AG_CORPORA)\n",
                  corpus_path(path, sizeof(path)));
    return true;
}

static void
test_no_miss_at_p0_and_no_near_miss_touched(void **state)
{
    struct matcher *set;
    size_t misses = 0;
    size_t touched = 0;
    size_t outside = 0;
    size_t counts[2] = {0};
    size_t i;

    (void)state;
    if (is_absent()) {
        skip();
    }
    set = set_of_all();
    for (i = 0; i < case_count; i++) {
        const struct one *c = &cases[i];
        struct bytes out;

        if (c->tier != 0) {
            continue;
        }
        out = redact(set, c, 0);
        counts[c->is_positive ? 1 : 0]++;
        outside += strcmp(c->rule, "known/b64-of-json") == 0 ? 1 : 0;
        if (c->is_positive && !is_hidden(c, out)) {
            print_message("MISS %s: %s -> %.*s\n", c->rule, c->text,
                          (int)out.len, (const char *)out.ptr);
            misses++;
        }
        if (!c->is_positive && !is_unchanged(c, out)) {
            print_message("TOUCHED %s: %s\n", c->rule, c->text);
            touched++;
        }
        check_splits(set, c, out);
        bytes_done(&out);
    }
    print_message("P0: %zu of %zu hidden, %zu of %zu near misses touched, "
                  "each at every split; %zu cases name a leak outside the "
                  "value and are judged by the value's own characters\n",
                  counts[1] - misses, counts[1], touched, counts[0], outside);
    matcher_unref(set);
    assert_int_equal(misses, 0);
    assert_int_equal(touched, 0);
}

static void
test_the_other_tiers_are_counted(void **state)
{
    struct matcher *set;
    size_t hidden[TIERS] = {0};
    size_t whole[TIERS] = {0};
    size_t broken[TIERS] = {0};
    size_t i;

    (void)state;
    if (is_absent()) {
        skip();
    }
    set = set_of_all();
    for (i = 0; i < case_count; i++) {
        const struct one *c = &cases[i];
        struct bytes out;

        if (!c->is_positive || c->tier == 0) {
            continue;
        }
        if (c->leak[0] == '\0') {
            broken[c->tier]++; /* other bytes between: later work */
            continue;
        }
        out = redact(set, c, 0);
        whole[c->tier]++;
        hidden[c->tier] += is_hidden(c, out) ? 1 : 0;
        bytes_done(&out);
    }
    for (i = 1; i < TIERS; i++) {
        print_message(
            "P%zu, not promised yet: %zu of %zu hidden where the "
            "form is in one piece; %zu are broken up and not judged\n",
            i, hidden[i], whole[i], broken[i]);
    }
    matcher_unref(set);
}

/* The corpus sees it when a form is missing: drop each in turn. */
static void
test_dropping_a_form_is_noticed(void **state)
{
    static const enum variant FORMS[] = {
        VARIANT_RAW,        VARIANT_JSON_ASCII, VARIANT_URL,
        VARIANT_URL_LOWER,  VARIANT_FORM,       VARIANT_HEX,
        VARIANT_B64_0,      VARIANT_B64_1,      VARIANT_B64_2,
        VARIANT_HEX_UPPER,  VARIANT_JSON_SLASH, VARIANT_JSON2_ASCII,
        VARIANT_B64_JSON_0,
    };

    size_t f;
    size_t i;

    (void)state;
    if (is_absent()) {
        skip();
    }
    matcher_enable_looks(false); /* they find some of it all the same */
    for (f = 0; f < AG_COUNT(FORMS); f++) {
        struct matcher *set;
        size_t misses = 0;

        matcher_enable_forms(~(1ULL << FORMS[f]));
        set = set_of_all();
        matcher_enable_forms(~0ULL);
        for (i = 0; i < case_count; i++) {
            struct bytes out;

            if (cases[i].tier != 0 || !cases[i].is_positive) {
                continue;
            }
            out = redact(set, &cases[i], 0);
            misses += is_hidden(&cases[i], out) ? 0 : 1;
            bytes_done(&out);
        }
        matcher_unref(set);
        if (misses == 0) {
            fail_msg("without %s (%d) the corpus misses nothing",
                     variant_name(FORMS[f]), (int)FORMS[f]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_miss_at_p0_and_no_near_miss_touched),
        cmocka_unit_test(test_the_other_tiers_are_counted),
        cmocka_unit_test(test_dropping_a_form_is_noticed),
    };

    return cmocka_run_group_tests(tests, read_corpus, free_corpus);
}
