#include "check.h"

#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/fdx.h"
#include "cli.h"
#include "client.h"

void
check_says(struct check_result *ret, enum check_verdict verdict,
           const char *found, ...)
{
    va_list args;

    ret->verdict = verdict;
    va_start(args, found);
    vsnprintf(ret->found, sizeof(ret->found), found, args);
    va_end(args);
}

void
check_advises(struct check_result *ret, const char *advice, ...)
{
    va_list args;

    va_start(args, advice);
    vsnprintf(ret->advice, sizeof(ret->advice), advice, args);
    va_end(args);
}

static void
check_broker(struct cli *cli, struct check_result *ret)
{
    json_auto_t *status = NULL;
    enum ag_err err = cli_call(cli, "GET", "/v1/status", NULL, &status);

    if (err == AG_OK && json_is_false(json_object_get(
                            json_object_get(status, "runner"), "alive"))) {
        check_says(ret, CHECK_BAD,
                   "its process that starts programs has ended: secrets that "
                   "a program rotates are not rotated");
        check_advises(ret, "auth-guard stop, then auth-guard unlock");
    } else if (err == AG_OK) {
        check_says(ret, CHECK_GOOD, "answers on %s", cli->paths.api_sock);
    } else if (err == AG_ENOBROKER) {
        check_says(ret, CHECK_NOTE, "not running");
        check_advises(ret, "auth-guard unlock starts it");
    } else {
        check_says(ret, CHECK_BAD, "%s", err_text(err));
        check_advises(ret, "see %s/broker.log", cli->paths.run);
    }
}

static void
check_home(struct cli *cli, struct check_result *ret)
{
    struct stat st;

    if (stat(cli->paths.home, &st) != 0) {
        check_says(ret, CHECK_NOTE, "%s is not there yet", cli->paths.home);
        check_advises(ret, "auth-guard init makes it");
    } else if (st.st_uid != geteuid()) {
        check_says(ret, CHECK_BAD, "%s belongs to user %u", cli->paths.home,
                   (unsigned)st.st_uid);
        check_advises(ret, "set AUTH_GUARD_HOME to a directory of yours");
    } else if ((st.st_mode & 077) != 0) {
        check_says(ret, CHECK_BAD, "%s is open to others (%04o)",
                   cli->paths.home, (unsigned)st.st_mode & 07777);
        check_advises(ret, "chmod 700 %s", cli->paths.home);
    } else {
        check_says(ret, CHECK_GOOD, "%s, private", cli->paths.home);
    }
}

struct fs_kind {
    long magic;
    const char *name;
    enum check_verdict verdict;
    const char *advice;
};

static const struct fs_kind FS_KINDS[] = {
    {EXT4_SUPER_MAGIC, "ext4", CHECK_GOOD, ""},
    {0x58465342, "XFS", CHECK_GOOD, ""},
    {BTRFS_SUPER_MAGIC, "btrfs", CHECK_NOTE,
     "copy on write: what adopt erases may stay in old blocks and snapshots"},
    {0x2fc12fc1, "ZFS", CHECK_NOTE,
     "copy on write: what adopt erases may stay in old blocks and snapshots"},
    {OVERLAYFS_SUPER_MAGIC, "overlay", CHECK_NOTE,
     "files of lower layers stay in the image whatever adopt erases"},
    {TMPFS_MAGIC, "tmpfs", CHECK_NOTE, "the vault is gone after a restart"},
    {NFS_SUPER_MAGIC, "NFS", CHECK_BAD,
     "locks and syncs are not to be trusted there: keep the vault on a local "
     "disk (AUTH_GUARD_HOME)"},
    {0x65735546, "FUSE", CHECK_NOTE,
     "whether it syncs to disk depends on its program"},
};

static void
check_disk(struct cli *cli, struct check_result *ret)
{
    struct statfs fs;
    const char *path = cli->paths.home;

    if (statfs(path, &fs) != 0) {
        path = getenv("HOME");
        if (path == NULL || statfs(path, &fs) != 0) {
            check_says(ret, CHECK_NOTE, "can't be told");
            return;
        }
    }
    for (size_t i = 0; i < AG_COUNT(FS_KINDS); i++) {
        if (FS_KINDS[i].magic == (long)fs.f_type) {
            check_says(ret, FS_KINDS[i].verdict, "%s below %s",
                       FS_KINDS[i].name, path);
            check_advises(ret, "%s", FS_KINDS[i].advice);
            return;
        }
    }
    check_says(ret, CHECK_NOTE, "type %llx below %s",
               (unsigned long long)fs.f_type, path);
}

static void
check_run(struct cli *cli, struct check_result *ret)
{
    struct statfs fs;

    if (statfs(cli->paths.run, &fs) != 0) {
        check_says(ret, CHECK_GOOD, "%s, made when needed", cli->paths.run);
    } else if ((long)fs.f_type == TMPFS_MAGIC) {
        check_says(ret, CHECK_GOOD, "%s, in memory", cli->paths.run);
    } else {
        check_says(ret, CHECK_NOTE, "%s, on a disk", cli->paths.run);
        check_advises(ret, "only sockets lie there; XDG_RUNTIME_DIR would put "
                           "them in memory");
    }
}

static void
check_core(struct cli *cli, struct check_result *ret)
{
    char pattern[200] = "";
    AG_AUTO(fd)
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, pattern, sizeof(pattern) - 1);

    (void)cli;
    if (n <= 0) {
        check_says(ret, CHECK_NOTE, "can't be told");
        return;
    }
    pattern[strcspn(pattern, "\n")] = '\0';
    if (pattern[0] == '|') {
        check_says(ret, CHECK_NOTE, "piped to %.100s", pattern + 1);
        check_advises(ret, "auth-guard's own processes leave no core; a task's "
                           "may: its limit is set to 0");
    } else {
        check_says(ret, CHECK_GOOD, "plain files (%.100s), none of ours",
                   pattern);
    }
}

static void
check_passphrase(struct cli *cli, struct check_result *ret)
{
    const char *path = getenv("AUTH_GUARD_PASSPHRASE_FILE");
    struct stat st;

    (void)cli;
    if (path == NULL || *path == '\0') {
        check_says(ret, CHECK_GOOD, "asked for at the terminal");
    } else if (stat(path, &st) != 0) {
        check_says(ret, CHECK_BAD, "%s: %s", path, strerrordesc_np(errno));
        check_advises(ret, "unset AUTH_GUARD_PASSPHRASE_FILE, or name a file "
                           "that is there");
    } else if ((st.st_mode & 077) != 0) {
        check_says(ret, CHECK_BAD, "%s is open to others", path);
        check_advises(ret, "chmod 600 %s", path);
    } else {
        check_says(ret, CHECK_NOTE, "in the file %s", path);
        check_advises(ret, "every program of yours can read it and act as the "
                           "operator; only for CI and scripts");
    }
}

const struct check check_table[] = {
    {"broker", check_broker},
    {"vault directory", check_home},
    {"file system", check_disk},
    {"sockets", check_run},
    {"passphrase", check_passphrase},
    {"lockable memory", check_memlock},
    {"secret memory", check_memfd_secret},
    {"namespaces", check_namespaces},
    {"Landlock", check_landlock},
    {"caller identity", check_peerpidfd},
    {"tracing", check_ptrace},
    {"core files", check_core},
    {"plaintext", check_plaintext},
    {NULL, NULL},
};
