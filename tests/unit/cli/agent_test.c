/* What an agent is told where nothing can be said of what it told. */
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "common/check.h"
#include "verb.h"
#include "wire/json.h"

#define BEHIND "\"hook_event_name\":\"PostToolUse\","
#define SHELL_SHAPE                                                            \
    "{\"stdout\":\"[withheld by auth-guard]\",\"stderr\":\"\","                \
    "\"interrupted\":false,\"isImage\":false}"

enum {
    PAST_EVENT_BYTES = 64 * 1024 * 1024 + 1,
};

static char dir[] = "/tmp/agent_test_XXXXXX";
static char output[65536];

static int
setup(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL || chdir(dir) != 0 ||
                   setenv("AUTH_GUARD_HOME", dir, 1) != 0
               ? -1
               : 0;
}

static int
teardown(void **state)
{
    (void)state;
    (void)unlink("told");
    return chdir("/") == 0 ? rmdir(dir) : -1;
}

/* `auth-guard hook run AGENT EVENT`, with descriptors of ours. */
__attribute__((noreturn)) static void
be_hook(const char *agent, const char *event, int in, int out)
{
    static struct cli cli;
    char *argv[] = {(char[]){"auth-guard"}, (char[]){"hook"}, (char[]){"run"},
                    strdup(agent),          strdup(event),    NULL};
    int code;

    (void)dup2(in, 0);
    (void)dup2(out, 1);
    wjson_setup();
    code = verb_main(&cli, 5, argv);
    (void)fflush(NULL);
    _exit(code);
}

/* Its status as waitpid() has it, all of its stdout in `output`. */
static int
heard(pid_t pid, int fd)
{
    int status = 0;
    size_t len = 0;
    ssize_t n;

    while ((n = read(fd, output + len, sizeof(output) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    output[len] = '\0';
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Told `text`, and as many zeros more. */
static int
run_hook(const char *agent, const char *event, const char *text, long more)
{
    int in = open("told", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t len = (ssize_t)strlen(text);
    int ends[2];
    pid_t pid;

    assert_true(in >= 0 && write(in, text, (size_t)len) == len);
    assert_int_equal(ftruncate(in, len + more), 0);
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        be_hook(agent, event, in, ends[1]);
    }
    close(in);
    close(ends[1]);
    return heard(pid, ends[0]);
}

/* The one answer is what Claude Code puts in the place of the tool's. */
static void
check_replaced(const char *want)
{
    json_auto_t *answer = json_loads(output, 0, NULL);
    const json_t *all = json_object_get(answer, "hookSpecificOutput");
    char *put = json_dumps(json_object_get(all, "updatedToolOutput"),
                           JSON_COMPACT | JSON_ENCODE_ANY);

    assert_non_null(put);
    assert_string_equal(put, want);
    assert_non_null(
        strstr(json_string_value(json_object_get(all, "additionalContext")),
               "withheld it"));
    free(put);
}

/* The one answer is what Codex shows in its place. */
static void
check_blocked(void)
{
    json_auto_t *answer = json_loads(output, 0, NULL);
    const char *reason = json_string_value(json_object_get(answer, "reason"));

    assert_string_equal(json_string_value(json_object_get(answer, "decision")),
                        "block");
    assert_non_null(reason);
    assert_non_null(strstr(reason, "It is now:\n[withheld by auth-guard]"));
}

static void
test_unread_answers_are_withheld(void **state)
{
    static const char *const texts[] = {
        "",
        "nonsense",
        "[]",
        "{" BEHIND "\"tool_response\":\"a",
        "{" BEHIND "\"tool_response\":\"a\",\"tool_response\":\"b\"}",
        "{" BEHIND "\"tool_response\":{\"stdout\":\"\\ud800\"}}",
        "{" BEHIND "\"tool_response\":{\"stdout\":\"a\xff\"}}"};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(texts); i++) {
        assert_int_equal(run_hook("claude", "PostToolUse", texts[i], 0), 0);
        check_replaced(SHELL_SHAPE);
        assert_int_equal(run_hook("codex", "PostToolUse", texts[i], 0), 0);
        check_blocked();
        assert_int_not_equal(run_hook("claude", "PreToolUse", texts[i], 0), 0);
        assert_string_equal(output, "");
    }
    assert_int_equal(run_hook("claude", "PostToolUse", "{", PAST_EVENT_BYTES),
                     0);
    check_replaced(SHELL_SHAPE);
}

static void
test_another_event_is_withheld_in_its_shape(void **state)
{
    (void)state;
    assert_int_equal(run_hook("claude", "PostToolUse",
                              "{\"hook_event_name\":\"Stop\","
                              "\"tool_response\":{\"a\":\"b\",\"n\":1}}",
                              0),
                     0);
    check_replaced("{\"a\":\"[withheld by auth-guard]\",\"n\":1}");
}

/* {"hook_event_name":…, "tool_response":`told`}, of another event, so that
 * nothing is looked for. */
static void
check_withheld(const char *told, const char *want)
{
    char text[4096];

    (void)snprintf(text, sizeof(text),
                   "{\"hook_event_name\":\"Stop\",\"tool_response\":%s}", told);
    assert_int_equal(run_hook("claude", "PostToolUse", text, 0), 0);
    check_replaced(want);
}

#define W "\"[withheld by auth-guard]\""

static void
test_what_says_the_shape_stays(void **state)
{
    (void)state;
    check_withheld("{\"type\":\"text\",\"file\":{\"filePath\":\"/a\","
                   "\"content\":\"b\",\"numLines\":1}}",
                   "{\"type\":\"text\",\"file\":{\"filePath\":" W ","
                   "\"content\":" W ",\"numLines\":1}}");
    check_withheld("{\"mode\":\"files_with_matches\",\"filenames\":[\"a\"]}",
                   "{\"mode\":\"files_with_matches\",\"filenames\":[" W "]}");
    check_withheld("[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
                   "\"media_type\":\"image/png\",\"data\":\"AA\"}},"
                   "{\"mimeType\":\"video/mp4\"}]",
                   "[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
                   "\"media_type\":\"image/png\",\"data\":" W "}},"
                   "{\"mimeType\":\"video/mp4\"}]");
    /* None of them is a way out for something else. */
    check_withheld("{\"type\":\"a b\",\"mode\":\"a1b2c3\",\"types\":\"text\"}",
                   "{\"type\":" W ",\"mode\":" W ",\"types\":" W "}");
    check_withheld("{\"type\":\"aaaaaaaaaabbbbbbbbbbccccccccccddd\","
                   "\"mode\":\"aaaaaaaaaabbbbbbbbbbccccccccccdd\"}",
                   "{\"type\":" W ","
                   "\"mode\":\"aaaaaaaaaabbbbbbbbbbccccccccccdd\"}");
    check_withheld("{\"type\":[\"text\"],\"mode\":\"a\\u0000\"}",
                   "{\"type\":[" W "],\"mode\":" W "}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread_answers_are_withheld),
        cmocka_unit_test(test_another_event_is_withheld_in_its_shape),
        cmocka_unit_test(test_what_says_the_shape_stays),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
