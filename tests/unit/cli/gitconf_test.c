/* Which configurations of git name programs; what isn't understood does. */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "run/gitconf.h"
#include "run/sweep.h"

static char dir[64];
static int dir_fd = -1;

static int
setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ag-gitconf-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd < 0;
}

static int
teardown(void **state)
{
    (void)state;
    (void)close(dir_fd);
    sweep_dir(dir);
    return 0;
}

static struct gitconf_facts
look(const char *text)
{
    struct gitconf_facts facts;
    int fd = openat(dir_fd, "config", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    gitconf_look(dir_fd, "config", &facts);
    return facts;
}

static void
test_what_git_writes_is_harmless(void **state)
{
    static const char *const texts[] = {
        "",
        "# only words [core] fsmonitor = x\n; more\n",
        ("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n"
         "\tbare = false\n[remote \"origin\"]\n\turl = git@host:a/b.git\n"
         "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
         "[branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n"),
        "[user]\r\n\tname = A B\r\n\temail = \"a@b\"\r\n",
        "[branch.old]\nremote=origin\n[core]\nbare\n",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(texts); i++) {
        assert_int_equal(look(texts[i]).kind, GITCONF_HARMLESS);
    }
}

static void
test_what_runs_is_not_nor_what_is_not_understood(void **state)
{
    static const char *const texts[] = {
        "[core]\n\tfsmonitor = x\n",
        "[CORE]\n\tFsMonitor=x\n",
        "[core] fsmonitor = x\n",
        "[core]bare=true\n",
        "[core \"a\"] fsmonitor = x\n",
        "[include]\n\tpath = ../x\n",
        "[includeIf \"gitdir:/\"]\n\tpath = x\n",
        "[filter \"x\"]\n\tclean = x\n",
        "[filter.x]\nclean = x\n",
        "[diff \"x\"]\n\ttextconv = x\n",
        "[alias]\n\ts = !x\n",
        "[user]\n\tname = a\\\n[core]\nfsmonitor = x\n",
        "[user]\n\tname = a\\\n",
        "[user\n]\nname = a\n",
        "[user]\n\tname a\n",
        "[user]\n\t\"name\" = a\n",
        "\xef\xbb\xbf[user]\n\tname = a\n",
        "fsmonitor = x\n",
        "[submodule \"x\"]\n\tupdate = !x\n",
        "[a\"b\\\"]\n\tx = y\n",
        "[user]\n\v[core]\n",
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(texts); i++) {
        assert_int_not_equal(look(texts[i]).kind, GITCONF_HARMLESS);
    }
}

static void
test_what_can_not_be_read_is_dark(void **state)
{
    struct gitconf_facts facts;
    char longer[GITCONF_LINE_MAX_BYTES + 64];

    (void)state;
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "[user]\nname = ", 14);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(look(longer).kind, GITCONF_DARK);
    gitconf_look(dir_fd, "none", &facts);
    assert_int_equal(facts.kind, GITCONF_DARK);
    assert_int_equal(symlinkat("config", dir_fd, "link"), 0);
    gitconf_look(dir_fd, "link", &facts);
    assert_int_equal(facts.kind, GITCONF_DARK);
}

static void
test_the_digest_is_of_what_names_programs(void **state)
{
    struct gitconf_facts one = look("[alias]\n\ta = !x\n");
    struct gitconf_facts same =
        look("[user]\n\tname = b\n[alias]\n\ta = !x\n[core]\nbare = false\n");
    struct gitconf_facts other = look("[alias]\n\ta = !y\n");
    struct gitconf_facts odd = look("[alias] a = !x\n");
    struct gitconf_facts odder = look("[alias] a = !y\n");

    (void)state;
    assert_int_equal(one.kind, GITCONF_NAMES);
    assert_memory_equal(one.digest, same.digest, sizeof(one.digest));
    assert_memory_not_equal(one.digest, other.digest, sizeof(one.digest));
    assert_memory_not_equal(odd.digest, odder.digest, sizeof(one.digest));
}

static void
check_leads(const char *key, const char *value, const char *want)
{
    char path[160];
    char *to = gitconf_leads_to(key, value, dir, dir);

    (void)snprintf(path, sizeof(path), "%s/%s", dir, want);
    assert_string_equal(to == NULL ? "" : to, want[0] == '\0' ? "" : path);
    free(to);
}

static void
test_only_what_lies_in_the_tree_is_led_to(void **state)
{
    char path[160];

    (void)state;
    (void)look("");
    assert_int_equal(mkdirat(dir_fd, "hooks.d", 0700), 0);
    check_leads("include.path", "config", "config");
    check_leads("includeif.path", "./config", "config");
    check_leads("core.hookspath", "hooks.d", "hooks.d");
    (void)snprintf(path, sizeof(path), "%s/hooks.d", dir);
    check_leads("core.hookspath", path, "hooks.d");
    check_leads("core.hookspath", "none", "");
    check_leads("core.hookspath", "/usr", "");
    check_leads("core.hookspath", ".", "");
    check_leads("include.path", "~/config", "");
    check_leads("core.pager", "config", "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_git_writes_is_harmless),
        cmocka_unit_test(test_what_runs_is_not_nor_what_is_not_understood),
        cmocka_unit_test(test_what_can_not_be_read_is_dark),
        cmocka_unit_test(test_the_digest_is_of_what_names_programs),
        cmocka_unit_test(test_only_what_lies_in_the_tree_is_led_to),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
