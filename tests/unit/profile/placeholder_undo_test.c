/*
 * Documents with placeholders that come back: the values in their stead, and
 * whatever is no placeholder of the caller's kept and counted.
 */
#include <sodium.h>

#include "base/buf.h"
#include "common/placeholders.h"
#include "profile/fields.h"
#include "profile/placeholder.h"

enum {
    FIELDS_MAX = 16,
    DOC_MAX_BYTES = 64 * 1024,
};

static const uint64_t ID = 1000;

#define A10 "aB3dE6gH9k"
#define A20 A10 "Qw2eRt5yU8"
#define A40 A20 "zX4cV7bN1mLp0oI9uY7t"
#define KEY_LINE                                                               \
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"

static const struct {
    const char *profile;
    const char *text;
    size_t count;
    size_t partial_count;
} DOCS[] = {
    {"codex",
     "{\"OPENAI_API_KEY\": null, \"tokens\": {\"refresh_token\": "
     "\"rt_\\u0061" A40 "\", \"access_token\": \"" A40 "-x\"}}",
     2, 0},
    {"gh",
     "github.com:\n    oauth_token: 'gho_" A20 A10 "123456' # one\n    user: "
     "me\n",
     1, 0},
    {"docker",
     "{\"auths\": {\"r.example\": {\"auth\": "
     "\"bWU6YUIzZEU2Z0g5a1F3MmVSdDV5VTg=\"}}}",
     1, 0},
    {"pgpass", "h:5432:db:me:" A20 "\\:\\\\z\n*:*:*:*:" A40, 2, 0},
    {"huggingface", "hf_abcdefghijKLMNOPqrstUVWXyzabcdEFGH\n", 1, 0},
    {"ssh",
     "-----BEGIN PRIVATE KEY-----\n" KEY_LINE "\n-----END PRIVATE KEY-----\n",
     1, 0},
    {"dotenv",
     "B_KEY=\"" A20 "$$\\\"q\"\nDATABASE_URL=postgres://me:" A20
     "@db.example/x?y=1\n",
     2, 1},
    {"rclone",
     "[d]\ntoken = {\"access_token\":\"ya29." A40
     "\",\"token_type\":\"Bearer\",\"refresh_token\":\"1//" A40 "\"}\n",
     2, 2},
};

struct scene {
    const struct profile *profile;
    enum file_format format;
    struct span real;
    struct buf made;
    char pointers[FIELDS_MAX][256];
    size_t count;
    size_t partial_count;
};

static enum ag_err
tell(void *arg, const struct placeholder_field *field)
{
    struct scene *s = arg;

    assert_false(field->dummy);
    assert_true(s->count < FIELDS_MAX);
    s->partial_count += field->partial ? 1 : 0;
    (void)snprintf(s->pointers[s->count++], 256, "%s", field->pointer);
    return AG_OK;
}

static void
scene_make(struct scene *s, const char *profile, const char *text)
{
    struct placeholder_want want = {
        .key = key, .id = ID, .profiles = profiles, .each = tell, .arg = s};

    memset(s, 0, sizeof(*s));
    check_ok(profile_find(profiles, profile, &s->profile));
    want.profile = s->profile;
    s->format = s->profile->files.items[0].format;
    s->real = span_str(text);
    buf_init(&s->made, DOC_MAX_BYTES, BUF_PLAIN);
    check_ok(placeholder_document(&want, s->real, &s->made));
}

static enum ag_err
real_value(void *arg, const char *pointer, uint64_t id, struct secret **ret)
{
    const struct scene *s = arg;

    assert_true(id >= ID && id < ID + s->count);
    assert_string_equal(s->pointers[id - ID], pointer);
    return field_get(s->real, s->format, span_str(pointer), ret);
}

static enum ag_err
nobodys(void *arg, const char *pointer, uint64_t id, struct secret **ret)
{
    (void)arg;
    (void)pointer;
    (void)id;
    (void)ret;
    return AG_ENOTFOUND;
}

static enum ag_err
refuses(void *arg, const char *pointer, uint64_t id, struct secret **ret)
{
    (void)nobodys(arg, pointer, id, ret);
    return AG_EFILE;
}

static void
check_same_fields(const struct scene *s, struct span undone)
{
    for (size_t i = 0; i < s->count; i++) {
        AG_AUTO(secret) struct secret *want = NULL;
        AG_AUTO(secret) struct secret *got = NULL;
        struct span pointer = span_str(s->pointers[i]);

        check_ok(field_get(s->real, s->format, pointer, &want));
        check_ok(field_get(undone, s->format, pointer, &got));
        assert_true(secret_equal(want, got));
    }
}

static struct placeholder_undo
undo_of(struct scene *s)
{
    return (struct placeholder_undo){
        .key = key, .profile = s->profile, .value = real_value, .arg = s};
}

static void
test_values_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(DOCS); i++) {
        AG_AUTO(buf) struct buf undone = {0};
        struct scene s;
        struct placeholder_undo how;

        scene_make(&s, DOCS[i].profile, DOCS[i].text);
        assert_int_equal(s.count, DOCS[i].count);
        assert_int_equal(s.partial_count, DOCS[i].partial_count);
        how = undo_of(&s);
        buf_init(&undone, DOC_MAX_BYTES, BUF_WIPE);
        if (s.partial_count == 0) {
            check_ok(placeholder_undo(&how, buf_view(&s.made), &undone));
            assert_int_equal(how.ours_count, s.count);
            assert_int_equal(how.others_count, 0);
            check_same_fields(&s, buf_view(&undone));
        }
        buf_done(&s.made);
    }
}

static void
test_what_is_no_placeholder_stays_and_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(DOCS); i++) {
        AG_AUTO(buf) struct buf undone = {0};
        struct scene s;
        struct placeholder_undo how;

        scene_make(&s, DOCS[i].profile, DOCS[i].text);
        how = undo_of(&s);
        buf_init(&undone, DOC_MAX_BYTES, BUF_WIPE);
        check_ok(placeholder_undo(&how, s.real, &undone));
        assert_int_equal(how.ours_count, 0);
        assert_int_equal(how.others_count, s.count);
        check_same_fields(&s, buf_view(&undone));
        how.value = nobodys;
        check_ok(placeholder_undo(&how, buf_view(&s.made), &undone));
        assert_int_equal(how.ours_count, 0);
        assert_int_equal(how.others_count, s.count);
        buf_done(&s.made);
    }
}

static void
test_a_refusal_ends_it_and_leaves_nothing(void **state)
{
    AG_AUTO(buf) struct buf undone = {0};
    struct scene s;
    struct placeholder_undo how;

    (void)state;
    scene_make(&s, DOCS[0].profile, DOCS[0].text);
    how = undo_of(&s);
    how.value = refuses;
    buf_init(&undone, DOC_MAX_BYTES, BUF_WIPE);
    check_err(placeholder_undo(&how, buf_view(&s.made), &undone), AG_EFILE);
    check_err(placeholder_undo(&how, span_str("{\"tokens\":"), &undone),
              AG_EINVAL);
    assert_int_equal(undone.len, 0);
    buf_done(&s.made);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_come_back),
        cmocka_unit_test(test_what_is_no_placeholder_stays_and_is_counted),
        cmocka_unit_test(test_a_refusal_ends_it_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, placeholders_set_up,
                                  placeholders_tear_down);
}
