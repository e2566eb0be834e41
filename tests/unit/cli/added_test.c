/* What diffs add, and where it came from; what a push brings. */
#include <unistd.h>

#include "base/buf.h"
#include "common/check.h"
#include "hook/added.h"
#include "hook/pushed.h"
#include "hook/unseen.h"

enum {
    TEXT_MAX_BYTES = 64 * 1024,
};

#define COMMIT  "0123456789abcdef0123456789abcdef01234567"
#define COMMIT2 "89abcdef0123456789abcdef0123456789abcdef"

static const char DIFF[] =
    "diff --git a/one.c b/one.c\n"
    "index 5e7f2c1..0f1b4b4 100644\n"
    "--- a/one.c\n"
    "+++ b/one.c\n"
    "@@ -3 +3,2 @@ int x;\n"
    "-gone\n"
    "+first\n"
    "+++ b/not a name\n"
    "@@ -10,0 +12 @@\n"
    "+third\n"
    "\\ No newline at end of file\n"
    "diff --git \"a/t\\303\\251\\t\\\"x\" \"b/t\\303\\251\\t\\\"x\"\n"
    "similarity index 90%\n"
    "rename from old\n"
    "rename to new\n"
    "--- \"a/t\\303\\251\\t\\\"x\"\n"
    "+++ \"b/t\\303\\251\\t \\\"x\"\t\n"
    "@@ -1 +1 @@\n"
    "-a\n"
    "+quoted\n"
    "diff --git a/gone b/gone\n"
    "deleted file mode 100644\n"
    "--- a/gone\n"
    "+++ /dev/null\n"
    "@@ -1,2 +0,0 @@\n"
    "-was here\n"
    "-and here\n"
    "diff --git a/bin b/bin\n"
    "Binary files a/bin and b/bin differ\n"
    "diff --git a/with blank b/with blank\n"
    "--- a/with blank\t\n"
    "+++ b/with blank\t\n"
    "@@ -0,0 +1 @@\n"
    "+last\n";

/* The text that was gathered; the caller frees it. */
static char *
text_of(struct added *a, size_t *ret_len)
{
    char *text = calloc(1, TEXT_MAX_BYTES);
    ssize_t n;
    int fd = -1;

    assert_non_null(text);
    check_ok(added_fd(a, &fd));
    n = read(fd, text, TEXT_MAX_BYTES - 1);
    assert_true(n >= 0);
    *ret_len = (size_t)n;
    return text;
}

static void
feed(struct added *a, const char *diff, size_t part_len)
{
    size_t len = strlen(diff);

    for (size_t at = 0; at < len; at += part_len) {
        check_ok(added_diff(a, span_sub(span_of(diff, len), at, part_len)));
    }
    check_ok(added_diff_end(a));
}

/* The line `want` stands somewhere, and came from there. */
static void
check_origin(struct added *a, const char *want, const char *file, uint64_t line,
             const char *commit)
{
    size_t len = 0;
    char *text = text_of(a, &len);
    uint64_t at = 1;
    char *rest = text;
    char *found = NULL;

    for (char *next; rest != NULL && found == NULL; rest = next) {
        next = strchr(rest, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (strcmp(rest, want) == 0) {
            found = rest;
        } else {
            at++;
        }
    }
    if (found == NULL) {
        fail_msg("no line \"%s\"", want);
    }
    assert_string_equal(added_origin(a, at).file, file);
    assert_int_equal(added_origin(a, at).line, line);
    if (commit == NULL) {
        assert_null(added_origin(a, at).commit);
    } else {
        assert_string_equal(added_origin(a, at).commit, commit);
    }
    free(text);
}

static size_t
count_lines(struct added *a)
{
    size_t len = 0;
    size_t count = 0;
    char *text = text_of(a, &len);

    for (size_t i = 0; i < len; i++) {
        count += text[i] == '\n' && (i == 0 || text[i - 1] != '\n') ? 1 : 0;
    }
    free(text);
    return count;
}

static void
test_a_diff_in_parts_of_any_size(void **state)
{
    (void)state;
    for (size_t part = 1; part < 80; part++) {
        AG_AUTO(added) struct added *a = NULL;

        check_ok(added_new(&a));
        assert_true(added_is_empty(a));
        feed(a, DIFF, part);
        check_origin(a, "first", "one.c", 3, NULL);
        check_origin(a, "++ b/not a name", "one.c", 4, NULL);
        check_origin(a, "third", "one.c", 12, NULL);
        check_origin(a, "quoted", "t\303\251\t \"x", 1, NULL);
        check_origin(a, "last", "with blank", 1, NULL);
        assert_int_equal(count_lines(a), 5);
    }
}

static void
test_a_merge_adds_what_no_parent_has(void **state)
{
    static const char MERGE[] = COMMIT "\n"
                                       "diff --cc f\n"
                                       "index 1,2..3\n"
                                       "--- a/f\n"
                                       "+++ b/f\n"
                                       "@@@ -1,2 -1,2 +5,4 @@@\n"
                                       "- mine\n"
                                       " -theirs\n"
                                       "+ from mine\n"
                                       "++resolved\n"
                                       " +from theirs\n"
                                       "++resolved too\n" COMMIT2 "\n"
                                       "diff --git a/g b/g\n"
                                       "--- a/g\n"
                                       "+++ b/g\n"
                                       "@@ -0,0 +1 @@\n"
                                       "+next\n";
    AG_AUTO(added) struct added *a = NULL;

    (void)state;
    check_ok(added_new(&a));
    feed(a, MERGE, 7);
    check_origin(a, "resolved", "f", 6, COMMIT);
    check_origin(a, "resolved too", "f", 8, COMMIT);
    check_origin(a, "next", "g", 1, COMMIT2);
    assert_int_equal(count_lines(a), 3);
}

static void
test_texts_stand_apart(void **state)
{
    AG_AUTO(added) struct added *a = NULL;
    size_t len = 0;
    char *text;

    (void)state;
    check_ok(added_new(&a));
    check_ok(added_text(a, "the message", COMMIT));
    check_ok(added_text_part(a, span_str("subject\n\nbo")));
    check_ok(added_text_part(a, span_str("dy")));
    check_ok(added_text(a, "its message", NULL));
    check_ok(added_text_part(a, span_str("other\n")));
    text = text_of(a, &len);
    assert_int_equal(len, strlen("subject\n\nbody") + ADDED_GAP_LINES +
                              strlen("other\n"));
    free(text);
    check_origin(a, "body", "the message", 3, COMMIT);
    check_origin(a, "other", "its message", 1, NULL);
}

static void
test_what_is_no_diff(void **state)
{
    static const char *const BAD[] = {
        "+++ b/f\n@@@@@@@@@@@@@@@@@@@@@@@@ +1 @@\n",
        "+++ b/f\n@@ -1 1 @@\n",
        "+++ b/f\n@@ -1 +x @@\n",
        "+++ b/f\n@@ -1 +99999999999 @@\n",
    };
    char *longer = malloc(ADDED_HEAD_MAX_BYTES + 8);

    (void)state;
    assert_non_null(longer);
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        AG_AUTO(added) struct added *a = NULL;

        check_ok(added_new(&a));
        check_err(added_diff(a, span_str(BAD[i])), AG_EINVAL);
    }
    memset(longer, 'd', ADDED_HEAD_MAX_BYTES + 8);
    {
        AG_AUTO(added) struct added *a = NULL;

        check_ok(added_new(&a));
        check_err(added_diff(a, span_of(longer, ADDED_HEAD_MAX_BYTES + 8)),
                  AG_ELIMIT);
    }
    free(longer);
}

static void
check_pushed(const char *line, const char *want)
{
    AG_AUTO(buf) struct buf out;
    enum ag_err err;

    buf_init(&out, 1024, BUF_PLAIN);
    err = pushed_line(span_str(line), &out);
    if (want == NULL) {
        check_err(err, AG_EINVAL);
        return;
    }
    check_ok(err);
    assert_string_equal(buf_cstr(&out), want);
}

#define ZERO "0000000000000000000000000000000000000000"

static void
test_what_a_push_brings(void **state)
{
    (void)state;
    check_pushed("refs/heads/a " COMMIT " refs/heads/a " COMMIT2,
                 COMMIT "\n^" COMMIT2 "\n");
    check_pushed("refs/heads/a " COMMIT " refs/heads/a " ZERO, COMMIT "\n");
    check_pushed("(delete) " ZERO " refs/heads/a " COMMIT, "");
    check_pushed("HEAD~3 of it " COMMIT " refs/heads/a " ZERO, COMMIT "\n");
    check_pushed("", NULL);
    check_pushed(COMMIT " " COMMIT2, NULL);
    check_pushed("refs/heads/a --all refs/heads/a " ZERO, NULL);
    check_pushed("refs/heads/a " COMMIT " refs/heads/a --not", NULL);
}

static void
check_unseen(const char *diff, const char *want)
{
    for (size_t part = 1; part < 60; part++) {
        AG_AUTO(added) struct added *a = NULL;
        AG_AUTO(buf) struct buf words;

        buf_init(&words, 4096, BUF_PLAIN);
        check_ok(added_new(&a));
        feed(a, diff, part);
        check_ok(unseen_words(added_unseen(a), &words));
        check_span(buf_view(&words), want);
    }
}

static void
test_files_without_lines_are_counted(void **state)
{
    (void)state;
    check_unseen(DIFF, "bin");
    check_unseen("diff --git a/x.env b/x.env\nindex 1..2 100644\n"
                 "Binary files a/x.env and b/x.env differ\n",
                 "x.env");
    check_unseen("diff --git a/x b/x\nnew file mode 100644\n"
                 "Binary files /dev/null and b/a and b differ\n"
                 "Binary files a/gone and /dev/null differ\n"
                 "Binary files \"a/\\\"\" and \"b/\\\"\" differ\n"
                 "diff --cc both\nindex 1,2..3\nBinary files differ\n",
                 "a and b, \\\", both");
    /* What a file has is no line of git's. */
    check_unseen("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,2 @@\n"
                 "+Binary files a/y and b/y differ\n"
                 "-Binary files a/y and b/y differ\n",
                 "");
    check_unseen("Binary files a/1 and b/1 differ\n"
                 "Binary files a/2 and b/2 differ\n"
                 "Binary files a/1 and b/1 differ\n"
                 "Binary files a/3 and b/3 differ\n"
                 "Binary files a/4 and b/4 differ\n"
                 "Binary files a/5 and b/5 differ\n"
                 "Binary files a/6 and b/6 differ\n"
                 "Binary files a/7 and b/7 differ\n",
                 "1, 2, 3, 4, 5 and 2 more");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_without_lines_are_counted),
        cmocka_unit_test(test_a_diff_in_parts_of_any_size),
        cmocka_unit_test(test_a_merge_adds_what_no_parent_has),
        cmocka_unit_test(test_texts_stand_apart),
        cmocka_unit_test(test_what_is_no_diff),
        cmocka_unit_test(test_what_a_push_brings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
