/* What an agent is told where nothing can be said of what it told. */
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "common/check.h"
#include "hook/agent.h"
#include "hook/behind.h"
#include "verb.h"
#include "wire/json.h"

#define BEHIND "\"hook_event_name\":\"PostToolUse\","
#define SHELL_SHAPE                                                            \
    "{\"stdout\":\"[withheld by auth-guard]\",\"stderr\":\"\","                \
    "\"interrupted\":false,\"isImage\":false}"

enum {
    PAST_EVENT_BYTES = 64 * 1024 * 1024 + 1,
    PIPE_PAST_BYTES = 256 * 1024,
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

/* ---- in time ---- */

/* A hook of which the alarm goes off while it waits for the rest. */
static int
run_slow(const char *agent, const char *event)
{
    static char part[PIPE_PAST_BYTES];
    size_t sent = 0;
    int status;
    int in[2];
    int out[2];
    pid_t pid;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        close(in[1]);
        be_hook(agent, event, in[0], out[1]);
    }
    close(out[1]);
    /* More than the pipe holds: it reads by now. */
    while (sent < sizeof(part)) {
        ssize_t n = write(in[1], part, sizeof(part) - sent);

        assert_true(n > 0);
        sent += (size_t)n;
    }
    assert_int_equal(kill(pid, SIGALRM), 0);
    status = heard(pid, out[0]);
    close(in[0]);
    close(in[1]);
    return status;
}

static void
test_who_is_slow_says_no(void **state)
{
    static const char *const others[] = {"PreToolUse", "UserPromptSubmit"};
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    struct sigaction before;

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &ignored, &before), 0);
    assert_int_equal(run_slow("claude", "PostToolUse"), 0);
    check_replaced(SHELL_SHAPE);
    assert_int_equal(run_slow("codex", "PostToolUse"), 0);
    check_blocked();
    for (size_t i = 0; i < AG_COUNT(others); i++) {
        int status = run_slow("claude", others[i]);

        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGALRM);
        assert_string_equal(output, "");
    }
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

/* A process that is told to hurry, and then does not. */
static int
run_idle(enum agent_event event, const char *told, bool prints)
{
    struct cli cli = {.exit_code = -1};
    int out[2];
    pid_t pid;

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        const struct agent *agent = agent_find("claude");
        json_t *root;
        bool done;

        wjson_setup();
        root = told == NULL ? NULL : json_loads(told, 0, NULL);
        (void)dup2(out[1], 1);
        done = behind_hurry(agent, event, 1) == AG_OK &&
               behind_hurry_as(agent, root) == AG_OK;
        if (prints) {
            done = done && behind_print(&cli, json_pack("{}")) == AG_OK;
        }
        (void)sleep(done ? 3 : 0);
        (void)fflush(NULL);
        _exit(done ? 7 : 8);
    }
    close(out[1]);
    return heard(pid, out[0]);
}

static void
test_time_runs_out(void **state)
{
    int status;

    (void)state;
    assert_int_equal(run_idle(AGENT_BEHIND, NULL, false), 0);
    check_replaced(SHELL_SHAPE);
    assert_int_equal(
        run_idle(AGENT_BEHIND, "{\"type\":\"text\",\"a\":\"b\"}", false), 0);
    check_replaced("{\"type\":\"text\",\"a\":" W "}");
    status = run_idle(AGENT_PROMPT, NULL, false);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGALRM);
    /* What was printed is the answer. */
    status = run_idle(AGENT_BEHIND, NULL, true);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_string_equal(output, "{}\n");
    assert_true(AGENT_ANSWER_S < AGENT_TIMEOUT_S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread_answers_are_withheld),
        cmocka_unit_test(test_another_event_is_withheld_in_its_shape),
        cmocka_unit_test(test_what_says_the_shape_stays),
        cmocka_unit_test(test_who_is_slow_says_no),
        cmocka_unit_test(test_time_runs_out),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
