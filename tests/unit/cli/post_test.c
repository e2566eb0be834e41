/* What a command is about to send: files, and what is none. */
#include <sys/stat.h>

#include "verb_helper.h"

#define POST "auth-guard hook run post -- echo sent "

/* Whether it is sent is the rules' to say, where they are compiled. */
static void
check_read(const char *words)
{
    char line[LINE_BYTES];

    (void)snprintf(line, sizeof(line), POST "%s", words);
    (void)run(line);
    if (strstr(output, "can't be looked through") != NULL) {
        fail_msg("%s: %s", words, output);
    }
}

static void
check_refused(const char *words)
{
    char line[LINE_BYTES];

    (void)snprintf(line, sizeof(line), POST "%s", words);
    if (run(line) == 0) {
        fail_msg("%s: sent", words);
    }
    assert_null(strstr(output, "sent -"));
    assert_non_null(strstr(output, "can't be looked through before it is "
                                   "sent; write it to a file"));
}

static void
test_what_is_read_once_is_refused(void **state)
{
    char words[64];
    int ends[2];

    (void)state;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(pipe(ends), 0); /* a shell's <(command) */
    check_refused("--body-file fifo");
    check_refused("--body-file=fifo");
    check_refused("-F fifo");
    check_refused("-Ffifo");
    check_refused("-f body=@fifo");
    check_refused("--body-file /dev/zero");
    (void)snprintf(words, sizeof(words), "--body-file /dev/fd/%d", ends[0]);
    check_refused(words);
    close(ends[0]);
    close(ends[1]);
}

static void
test_files_are_looked_through(void **state)
{
    int fd = open("text", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_true(fd >= 0 && write(fd, "text\n", 5) == 5);
    close(fd);
    check_read("--body-file text");
    check_read("--body-file sub");
    check_read("--body-file none");
    check_read("--body-file /dev/null");
    check_read("--body @me");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read_once_is_refused),
        cmocka_unit_test(test_files_are_looked_through),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
