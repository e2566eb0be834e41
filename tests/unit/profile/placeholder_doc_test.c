/*
 * Documents with placeholders: every secret field replaced, every other byte
 * kept, in every format; and an example of each shipped profile.
 */
#include <jansson.h>
#include <sodium.h>

#include "base/buf.h"
#include "common/placeholders.h"
#include "common/sample.h"
#include "profile/fields.h"
#include "profile/placeholder.h"

enum {
    FIELDS_MAX = 16,
    DOC_MAX_BYTES = 64 * 1024,
};

static const uint64_t ID = 1000;

/* What was told of the fields. */
struct told {
    char pointer[FIELDS_MAX][256];
    bool dummy[FIELDS_MAX];
    size_t count;
};

static enum ag_err
tell(void *arg, const struct placeholder_field *field)
{
    struct told *t = arg;

    assert_true(t->count < FIELDS_MAX);
    assert_true(field->id == ID + t->count);
    (void)snprintf(t->pointer[t->count], 256, "%s", field->pointer);
    t->dummy[t->count++] = field->dummy;
    return AG_OK;
}

static struct placeholder_want
want_of(const char *profile, struct told *told)
{
    const struct profile *p = NULL;

    memset(told, 0, sizeof(*told));
    if (profile != NULL) {
        check_ok(profile_find(profiles, profile, &p));
    }
    return (struct placeholder_want){.key = key,
                                     .id = ID,
                                     .profiles = profiles,
                                     .profile = p,
                                     .each = tell,
                                     .arg = told};
}

/* The field reads as its id; the same field of the real file does not. */
static void
check_field(struct span made, enum file_format format, const char *pointer,
            uint64_t id)
{
    AG_AUTO(secret) struct secret *value = NULL;
    uint64_t got = 0;

    check_ok(field_get(made, format, span_str(pointer), &value));
    while (pointer[0] == '\0' && format == FORMAT_OPAQUE &&
           secret_view(value).ptr[secret_len(value) - 1] == '\n') {
        secret_shrink(value, secret_len(value) - 1);
    }
    if (placeholder_read(key, secret_view(value), &got) != AG_OK) {
        fail_msg("%s is not read in %.*s", pointer, (int)made.len, made.ptr);
    }
    assert_true(got == id);
}

#define A10 "aB3dE6gH9k"
#define A20 A10 "Qw2eRt5yU8"
#define A40 A20 "zX4cV7bN1mLp0oI9uY7t"
#define B40 "Zz9yX8wV7u" A10 A20
#define KEY_LINE                                                               \
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"

/* In each row '^' opens and closes what must change; all else must stay. */
static const struct {
    const char *profile;
    size_t file_index;
    const char *text;
    const char *pointers; /* in order, space between; '!' before a dummy */
} DOCS[] = {
    {"opencode", 0,
     "{\n  \"a\": {\"type\": \"api\", \"key\": \"^" A40 "^\"},\n\t\"b\" : "
     "{\"access\":\"^" B40 "^\", \"refresh\": \"^" A20 "^\", \"expires\": "
     "123}\n}\n",
     "/a/key /b/access /b/refresh"},
    {"codex", 0,
     "{\"OPENAI_API_KEY\": null, \"tokens\": {\"account_id\": \"acc\", "
     "\"refresh_token\": \"^rt_" A40 "^\"}, \"agent_identity\": {\"plan\": "
     "\"^pro^\", \"fedramp\": false, \"n\": ^17^}}",
     "/tokens/refresh_token !/agent_identity/plan !/agent_identity/n"},
    {"gh", 0,
     "github.com:\n    users:\n        me:\n            oauth_token: ^gho_" A20
         A10 "123456^\n    oauth_token: '^gho_" A20 A10
     "123456^' # one\n    user: me\n",
     "/github.com/users/me/oauth_token /github.com/oauth_token"},
    {"aws", 0,
     "# keys\n[default]\naws_access_key_id = ^AKIAQ3EGRFQ7ZJX2M5NK^\n"
     "aws_secret_access_key=^wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY^\n"
     "region = eu-west-1\n\n[b]\naws_access_key_id=^ASIAQ3EGRFQ7ZJX2M5NK^\r\n",
     "/default/aws_access_key_id /default/aws_secret_access_key "
     "/b/aws_access_key_id"},
    /* me:aB3dE6gH9kQw2eRt5yU8 in base64: "bWU6" is "me:" */
    {"docker", 0,
     "{\"auths\": {\"r.example\": {\"auth\": "
     "\"bWU6^YUIzZEU2Z0g5a1F3MmVSdDV5VTg=^\"}}}",
     "/auths/r.example/auth"},
    {"cargo", 0, "[registry]\ntoken = \"^cio" A20 A10 "ab^\" # x\n",
     "/registry/token"},
    {"dotenv", 0,
     "# c\nexport A_TOKEN=^" A40 "^ # no\nB_KEY=\"^" A20
     "$$\\\"q^\"\nPORT=80\nC_PASSWORD=^x1^\nD_KEY=${A_TOKEN}\n"
     "DATABASE_URL=postgres://me:^" A20 "^@db.example/x?y=1\n",
     "/A_TOKEN /B_KEY !/C_PASSWORD /DATABASE_URL"},
    {"netrc", 0,
     "machine h.example login me password ^" A20 "^\nmachine i login @x"
     " password \"^" B40 "^\"\n",
     "/h.example/password /i/password"},
    {"pgpass", 0, "# c\nh:5432:db:me:^" A20 "\\:\\\\z^\n*:*:*:*:^" A40 "^",
     "/0/password /1/password"},
    {"git-credentials", 0,
     "https://me:^" A20 "%2Fq^@git.example\nhttps://x:^gho_" A20 A10
     "123456^@h\n",
     "/0/password /1/password"},
    {"huggingface", 0, "^hf_abcdefghijKLMNOPqrstUVWXyzabcdEFGH^\n", ""},
    {"ssh", 0,
     "^-----BEGIN PRIVATE KEY-----\n" KEY_LINE "\n-----END PRIVATE KEY-----^\n",
     ""},
    {"okta", 0,
     "okta:\n  client:\n    privateKey: |\n^      -----BEGIN PRIVATE KEY-----\n"
     "      " KEY_LINE
     "\n      -----END PRIVATE KEY-----^\n    orgUrl: https://x.example\n",
     "/okta/client/privateKey"},
    {"rclone", 0,
     "[d]\ntype = drive\ntoken = "
     "{\"access_token\":\"^ya29." A40 "^\",\"token_type\":\"Bearer\","
     "\"expiry\":\"2030-01-01T00:00:00Z\",\"refresh_token\":\"^1//" B40
     "^\"}\n",
     "/d/token /d/token"},
    {NULL, 0,
     "{\"mcp\": {\"token\": \"^" A40 "^\", \"url\": \"https://x.example/" A20
     "\", \"n\": 5, \"w\": \"Bearer\"}}",
     "/mcp/token"},
};

/* The row without its marks: the file. */
static void
unmark(const char *text, struct buf *out)
{
    buf_init(out, DOC_MAX_BYTES, BUF_PLAIN);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '^') {
            check_ok(buf_add_byte(out, (uint8_t)*p));
        }
    }
}

static void
check_kept(const char *text, struct span made)
{
    size_t at = 0;
    bool open = false;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '^') {
            open = !open;
            continue;
        }
        assert_true(at < made.len);
        if (!open && made.ptr[at] != (uint8_t)*p) {
            fail_msg("%s\nis not kept at %zu in\n%.*s", text, at, (int)made.len,
                     made.ptr);
        }
        at++;
    }
    assert_int_equal(at, made.len);
}

static void
check_pointers(const struct told *told, const char *pointers, struct span made,
               enum file_format format, bool inner)
{
    char text[512];
    char *save = NULL;
    size_t i = 0;

    (void)snprintf(text, sizeof(text), "%s", pointers);
    for (char *p = strtok_r(text, " ", &save); p != NULL;
         p = strtok_r(NULL, " ", &save), i++) {
        bool dummy = p[0] == '!';

        assert_true(i < told->count);
        assert_string_equal(told->pointer[i], dummy ? p + 1 : p);
        assert_int_equal(told->dummy[i], dummy);
        if (!dummy && !inner && strstr(p, "_URL") == NULL) {
            check_field(made, format, p, ID + i);
        }
    }
    assert_int_equal(told->count, i == 0 ? 1 : i);
}

static void
test_fields_change_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(DOCS); i++) {
        AG_AUTO(buf) struct buf real = {0};
        AG_AUTO(buf) struct buf made = {0};
        struct told told;
        struct placeholder_want want = want_of(DOCS[i].profile, &told);
        enum file_format format;

        unmark(DOCS[i].text, &real);
        buf_init(&made, DOC_MAX_BYTES, BUF_PLAIN);
        check_ok(placeholder_document(&want, buf_view(&real), &made));
        format = want.profile == NULL ? FORMAT_JSON
                                      : want.profile->files.items[0].format;
        check_ok(fields_check(buf_view(&made), format));
        check_kept(DOCS[i].text, buf_view(&made));
        check_pointers(&told, DOCS[i].pointers, buf_view(&made), format,
                       DOCS[i].profile != NULL &&
                           strcmp(DOCS[i].profile, "rclone") == 0);
    }
}

/* What fields_secret() would put into the redaction set of the real file. */
struct sought {
    struct span made;
    const char *profile;
    size_t count;
};

static enum ag_err
seek(void *arg, const char *pointer, struct secret *value)
{
    struct sought *s = arg;
    struct span v = secret_view(value);

    if (v.len >= 8 && memmem(s->made.ptr, s->made.len, v.ptr, v.len) != NULL) {
        fail_msg("%s: %s is still there", s->profile, pointer);
    }
    s->count++;
    secret_free(value);
    return AG_OK;
}

static void
random_of(struct buf *out, enum shape_alphabet alphabet, size_t len)
{
    const char *chars = alphabet == ALPHABET_HEX ? "0123456789abcdef"
                        : alphabet == ALPHABET_BASE32
                            ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
                        : alphabet == ALPHABET_ALPHA
                            ? "abcdefghijklmXYZ"
                            : "abcdefghjkmnpqrstuvwxyzABCDEFGH23456789";

    for (size_t i = 0; i < len; i++) {
        check_ok(buf_add_byte(
            out, (uint8_t)chars[randombytes_uniform((uint32_t)strlen(chars))]));
    }
}

/* A value as the profile's shape of that field says, or any. */
static void
example(const struct profile *p, const struct profile_file *f,
        const char *pattern, struct buf *out)
{
    const struct profile_shape *shape = NULL;

    for (size_t i = 0; shape == NULL && i < p->shapes.count; i++) {
        const struct profile_shape *s = &p->shapes.items[i];

        shape = f->format == FORMAT_OPAQUE ? s->field == NULL ? s : NULL
                : s->field != NULL && strcmp(s->field, pattern) == 0 ? s
                                                                     : NULL;
    }
    buf_init(out, 1024, BUF_PLAIN);
    if (f->format == FORMAT_PEM) {
        check_ok(buf_add_str(out, KEY_LINE));
    } else if (shape == NULL) {
        random_of(out, ALPHABET_ALNUM, 40);
    } else {
        check_ok(buf_add_str(out, shape->prefix == NULL ? "" : shape->prefix));
        random_of(out, shape->alphabet,
                  (shape->min_len > 40 || shape->max_len > 0
                       ? (size_t)shape->min_len
                       : 60) -
                      out->len);
    }
}

static size_t
check_example(const struct profile *p, size_t index, const char *pattern)
{
    const struct profile_file *f = &p->files.items[index];
    AG_AUTO(buf) struct buf value = {0};
    AG_AUTO(buf) struct buf real = {0};
    AG_AUTO(buf) struct buf made = {0};
    struct told told;
    struct placeholder_want want = want_of(p->name, &told);
    struct sought sought = {.profile = p->name};

    want.file_index = index;
    example(p, f, pattern, &value);
    buf_init(&real, DOC_MAX_BYTES, BUF_PLAIN);
    buf_init(&made, DOC_MAX_BYTES, BUF_PLAIN);
    sample(&real, f->format, pattern, buf_cstr(&value));
    check_ok(placeholder_document(&want, buf_view(&real), &made));
    check_ok(fields_check(buf_view(&made), f->format));
    sought.made = buf_view(&made);
    check_ok(fields_secret(buf_view(&real), f, seek, &sought));
    assert_int_equal(told.count, 1);
    assert_false(told.dummy[0]);
    assert_int_equal(sought.count, 1);
    assert_int_equal(made.len, real.len);
    check_field(buf_view(&made), f->format, told.pointer[0], ID);
    return 1;
}

static void
test_an_example_of_each_shipped_profile(void **state)
{
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < profiles_count(profiles); i++) {
        const struct profile *p = profiles_at(profiles, i);

        for (size_t k = 0; k < p->files.count; k++) {
            const struct profile_file *f = &p->files.items[k];

            for (size_t n = 0; n < f->secrets.count; n++) {
                count += check_example(p, k, f->secrets.items[n]);
            }
            if (f->secrets.count == 0 && !f->scan_only) {
                count += check_example(p, k, "/any");
            }
        }
    }
    printf("%zu documents of %zu profiles\n", count, profiles_count(profiles));
    assert_true(count > 150);
}

static enum ag_err
refuse(void *arg, const struct placeholder_field *field)
{
    (void)arg;
    (void)field;
    return AG_EUNSUPPORTED;
}

static void
check_doc_err(const struct placeholder_want *want, const char *text,
              enum ag_err err)
{
    AG_AUTO(buf) struct buf made = {0};

    buf_init(&made, DOC_MAX_BYTES, BUF_PLAIN);
    check_ok(buf_add_str(&made, "before"));
    check_err(placeholder_document(want, span_str(text), &made), err);
    check_span(buf_view(&made), "before");
}

static void
test_what_can_not_be_done_is_said(void **state)
{
    struct told told;
    struct placeholder_want want = want_of("gcloud-adc", &told);

    (void)state;
    check_doc_err(&want,
                  "{\"client_secret\": \"" A40 "\", \"private_key\": "
                  "\"-----BEGIN PRIVATE KEY-----\\nMIIE\\n"
                  "-----END PRIVATE KEY-----\\n\"}",
                  AG_EUNSUPPORTED);
    assert_non_null(
        strstr(err_text(AG_EUNSUPPORTED), "/private_key: there is no "));
    check_doc_err(&want, "{\"client_secret\": ", AG_EINVAL);
    want.each = refuse;
    check_doc_err(&want, "{\"client_secret\": \"" A40 "\"}", AG_EUNSUPPORTED);
    want = want_of("gcloud-adc", &told);
    want.id = (1ULL << 48) - 1;
    want.each = NULL;
    check_doc_err(&want,
                  "{\"client_secret\": \"" A40 "\", \"refresh_token\": "
                  "\"" A40 "\"}",
                  AG_EINVAL);
    want = want_of("glab", &told);
    check_doc_err(&want, "hosts: [" A40 ", " A20 "]\n", AG_EUNSUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_change_and_nothing_else),
        cmocka_unit_test(test_an_example_of_each_shipped_profile),
        cmocka_unit_test(test_what_can_not_be_done_is_said),
    };

    return cmocka_run_group_tests(tests, placeholders_set_up,
                                  placeholders_tear_down);
}
