/* selflock.h: the files' half. */
#ifndef AG_SANITIZED

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "base/fdx.h"
#include "base/parse.h"
#include "base/paths.h"
#include "base/span.h"
#include "daemon/selflock.h"

/* Debian 12's header stops at level 1. Source: linux/landlock.h of 6.12. */
enum {
    LEVEL_NET = 4,
    NET_BIND_TCP = 1, /* connecting is the broker's trade: upstream/guard */
    WAIT_ROUNDS_COUNT = 500, /* of 1 ms, for a thread to follow */
};

struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
};

static const uint64_t READ_RIGHTS =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

/* File rights by level: 1 knows bits 0-12, 2 adds REFER, 3 TRUNCATE, 5
 * IOCTL_DEV. */
static uint64_t
all_rights(int level)
{
    static const uint64_t RIGHTS[] = {
        0,
        (1U << 13) - 1,
        (1U << 14) - 1,
        (1U << 15) - 1,
        (1U << 15) - 1,
        (1U << 16) - 1,
    };
    int last = (int)AG_COUNT(RIGHTS) - 1;

    return RIGHTS[level < last ? level : last];
}

/* Everything below home and run but programs, devices and links. */
static uint64_t
own_rights(int level)
{
    return all_rights(level) & ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE |
                                           LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                           LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                           LANDLOCK_ACCESS_FS_MAKE_SYM);
}

/* What is not there can't be used later either. */
static enum ag_err
allow(int rules_fd, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    AG_AUTO(fd) int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0) {
        return errno == ENOENT ? AG_OK : err_from_errno(errno);
    }
    rule.parent_fd = fd;
    if (syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH,
                &rule, 0) != 0) {
        return err_why(AG_EIO, "Landlock refuses a rule for %s: %s", path,
                       strerrordesc_np(errno));
    }
    return AG_OK;
}

/* Names and certificates of services. Files of /etc are replaced by renaming
 * (resolv.conf at each change of the network, the bundle of roots at each
 * update), so the folder is allowed, to be read and not to be listed; where
 * resolv.conf is a link into /run, the folder it leads to. */
static enum ag_err
allow_network_files(int rules_fd, const char *ca_file)
{
    const uint64_t right = LANDLOCK_ACCESS_FS_READ_FILE;
    char target[PATH_MAX] = "";
    char *slash;
    enum ag_err err = allow(rules_fd, "/etc", right);

    if (err == AG_OK && realpath("/etc/resolv.conf", target) != NULL) {
        slash = strrchr(target, '/');
        if (slash != NULL && slash != target) {
            *slash = '\0';
            err = allow(rules_fd, target, right);
        }
    }
    if (err == AG_OK && ca_file != NULL) {
        err = allow(rules_fd, ca_file, right);
    }
    return err;
}

static enum ag_err
allow_all(int rules_fd, int level, const struct paths *paths,
          const char *ca_file)
{
    const struct {
        const char *path;
        uint64_t rights;
    } rules[] = {
        {paths->home, own_rights(level)},
        {paths->run, own_rights(level)},
        {paths->config, READ_RIGHTS},
        {paths->data, READ_RIGHTS},
        {"/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE}, /* SQLite's seed */
    };
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(rules); i++) {
        err = allow(rules_fd, rules[i].path, rules[i].rights);
    }
    return err == AG_OK ? allow_network_files(rules_fd, ca_file) : err;
}

/* ---- on every thread: the kernel restricts only the one that asks ---- */

static atomic_int follow_fd = -1;
static atomic_int followed_count;
static atomic_int failed_count;

/* Only system calls and atomics: a signal handler. */
static void
restrict_this_thread(int signal_number)
{
    int kept_errno = errno;

    (void)signal_number;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, atomic_load(&follow_fd), 0) != 0) {
        atomic_fetch_add(&failed_count, 1);
    }
    atomic_fetch_add(&followed_count, 1);
    errno = kept_errno;
}

/* Sends the signal to each thread but this one; returns how many. */
static enum ag_err
signal_threads(int signal_number, int *ret_count)
{
    pid_t self = (pid_t)syscall(SYS_gettid);
    const struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");

    *ret_count = 0;
    if (tasks == NULL) {
        return err_why(AG_EIO, "can't list the threads: %s",
                       strerrordesc_np(errno));
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while ((entry = readdir(tasks)) != NULL) {
        uint64_t tid = 0;

        if (parse_u64(span_str(entry->d_name), INT32_MAX, &tid) != AG_OK ||
            (pid_t)tid == self) {
            continue;
        }
        if (syscall(SYS_tgkill, getpid(), (pid_t)tid, signal_number) == 0) {
            (*ret_count)++;
        }
    }
    (void)closedir(tasks);
    return AG_OK;
}

static enum ag_err
restrict_others(void)
{
    const int signal_number = SIGRTMIN + 2;
    struct sigaction act = {.sa_handler = restrict_this_thread,
                            .sa_flags = SA_RESTART};
    int count = 0;
    enum ag_err err;

    if (sigaction(signal_number, &act, NULL) != 0) {
        return AG_EIO;
    }
    err = signal_threads(signal_number, &count);
    for (int i = 0; err == AG_OK && i < WAIT_ROUNDS_COUNT &&
                    atomic_load(&followed_count) < count;
         i++) {
        (void)poll(NULL, 0, 1);
    }
    if (err == AG_OK && (atomic_load(&followed_count) < count ||
                         atomic_load(&failed_count) > 0)) {
        err = err_why(AG_EIO, "Landlock could not be put on every thread");
    }
    return err;
}

static enum ag_err
restrict_all(int rules_fd)
{
    enum ag_err err;

    atomic_store(&follow_fd, rules_fd);
    /* The others first: afterwards /proc/self/task can't be read. */
    err = restrict_others();
    if (err == AG_OK && syscall(SYS_landlock_restrict_self, rules_fd, 0) != 0) {
        err = err_why(AG_EIO, "Landlock refuses its rules: %s",
                      strerrordesc_np(errno));
    }
    atomic_store(&follow_fd, -1);
    return err;
}

enum ag_err
selflock_files(const struct paths *paths, const char *ca_file, int *ret_level)
{
    int level = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                             LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset rules = {0};
    AG_AUTO(fd) int rules_fd = -1;
    enum ag_err err;

    *ret_level = level > 0 ? level : 0;
    if (level <= 0) {
        return AG_OK;
    }
    rules.handled_access_fs = all_rights(level);
    rules.handled_access_net = level >= LEVEL_NET ? (uint64_t)NET_BIND_TCP : 0;
    rules_fd = (int)syscall(
        SYS_landlock_create_ruleset, &rules,
        level >= LEVEL_NET ? sizeof(rules) : sizeof(rules.handled_access_fs),
        0);
    if (rules_fd < 0) {
        return err_why(AG_EIO, "Landlock refuses a rule set: %s",
                       strerrordesc_np(errno));
    }
    err = allow_all(rules_fd, level, paths, ca_file);
    return err == AG_OK ? restrict_all(rules_fd) : err;
}

#else
/* ISO C wants something in every file. */
extern int landlock_left_out;
#endif
