#include "run/jail.h"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/landlock.h>
#include <net/if.h>

#include "base/fdx.h"
#include "base/parse.h"
#include "run/sieve.h"
#include "run/view.h"

enum {
    CHILDREN_BYTES = 4096, /* of the list read at once; it is read again */
    MAP_BYTES = 64,
};

static unsigned long
flags_of_view(const struct view *view)
{
    static const unsigned long always = CLONE_NEWUSER | CLONE_NEWIPC |
                                        CLONE_NEWUTS | CLONE_NEWCGROUP |
                                        CLONE_NEWNET;

    return view == NULL ? 0 : always;
}

static unsigned long
flags_of(enum jail_kind kind)
{
    unsigned long user = geteuid() == 0 ? 0 : (unsigned long)CLONE_NEWUSER;

    switch (kind) {
    case JAIL_FULL:
        return user | (unsigned long)CLONE_NEWNS | (unsigned long)CLONE_NEWPID;
    case JAIL_MOUNTS:
        return user | (unsigned long)CLONE_NEWNS;
    case JAIL_NONE:
        return 0;
    }
    return 0;
}

/* Who we are, taken before the clone: behind it, not mapped yet, we would look
 * like 65534 to ourselves. */
static uid_t own_uid;
static gid_t own_gid;

pid_t
jail_clone(enum jail_kind kind, const struct view *view)
{
    unsigned long flags =
        flags_of(kind) | flags_of_view(view) | (unsigned long)SIGCHLD;

    own_uid = geteuid();
    own_gid = getegid();
    /* One clone makes process and namespaces; glibc has no such fork(). */
    return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

bool
jail_is_refusal(int errno_value)
{
    return errno_value == ENOSYS || errno_value == EPERM ||
           errno_value == ENOSPC;
}

static enum ag_err
failed(enum ag_err err, const char *step)
{
    return err_why(err, "%s: %s", step, strerrordesc_np(errno));
}

static enum ag_err
put_file(const char *path, const char *text)
{
    AG_AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(text);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len) {
        return failed(jail_is_refusal(errno) ? AG_EUNSUPPORTED : AG_EIO, path);
    }
    return AG_OK;
}

static enum ag_err
map_user(uid_t uid, gid_t gid)
{
    char map[MAP_BYTES];
    enum ag_err err = put_file("/proc/self/setgroups", "deny");

    if (err == AG_OK) {
        (void)snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
        err = put_file("/proc/self/uid_map", map);
    }
    if (err == AG_OK) {
        (void)snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
        err = put_file("/proc/self/gid_map", map);
    }
    return err;
}

static enum ag_err
mount_or(const char *what, const char *where, const char *type,
         unsigned long flags, const char *data)
{
    if (mount(what, where, type, flags, data) != 0) {
        return err_why(AG_EIO, "mounting %s: %s", where,
                       strerrordesc_np(errno));
    }
    return AG_OK;
}

/* `uid` as it was outside: inside it is unknown until it is mapped. */
static enum ag_err
enter_user(uid_t uid, gid_t gid)
{
    enum ag_err err;

#ifndef AG_SANITIZED
    /* Files below /proc/self of a non-dumpable process are root's. Nothing
     * secret has been in this process, and it is closed again at once. */
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
    err = map_user(uid, gid);
#ifndef AG_SANITIZED
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    return err;
}

/* A devpts of the task's own: the person's terminals are out of reach, where it
 * could write past the filter or type. Where a system has none there is nothing
 * to hide; where it can't be had, the command still has no terminal of ours. */
static void
hide_terminals(void)
{
    (void)mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                "newinstance,ptmxmode=0666,mode=0620");
}

static enum ag_err
lift_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    AG_AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
        return failed(AG_EIO, "loopback");
    }
    return AG_OK;
}

/* What made the view could undo it. Root keeps one capability, without which
 * it could map no user in namespaces of its own. */
static enum ag_err
give_up(void)
{
    struct __user_cap_header_struct head = {.version =
                                                _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct left[_LINUX_CAPABILITY_U32S_3] = {0};
    int last = -1;

    /* Up to the first that the kernel does not know. */
    for (int cap = 0;
         cap == CAP_SETFCAP || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;
         cap++) {
        last = cap;
    }
    if (errno != EINVAL || last < CAP_SETFCAP) {
        return err_why(AG_EIO, "capability %d: %s", last + 1,
                       strerrordesc_np(errno));
    }
    if (own_uid == 0) {
        left[0].permitted = 1U << CAP_SETFCAP;
        left[0].effective = 1U << CAP_SETFCAP;
    }
    if (syscall(SYS_capset, &head, left) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failed(AG_EIO, "capabilities");
    }
    return AG_OK;
}

static enum ag_err
mount_files(const char *dir)
{
    static const unsigned long strict = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    char options[MAP_BYTES];

    if (dir == NULL) {
        return AG_OK;
    }
    (void)snprintf(options, sizeof(options), "mode=0700,size=%dk,nr_inodes=1k",
                   JAIL_TMPFS_KIB);
    return mount_or("auth-guard", dir, "tmpfs", strict, options);
}

static enum ag_err
enter_view(struct view *view, const char *tmpfs_dir)
{
    enum ag_err err = lift_loopback();

    for (size_t i = 0; err == AG_OK && i < view->line_count; i++) {
        err = relay_listen(&view->lines[i]);
    }
    if (err == AG_OK) {
        err = view_build(view);
    }
    if (err == AG_OK) {
        err = mount_files(tmpfs_dir);
    }
    if (err == AG_OK) {
        err = view_trust(view);
    }
    if (err == AG_OK) {
        err = give_up();
    }
    return err == AG_OK ? sieve_put_on(SIEVE_KINDS) : err;
}

/* In a container the kernel may keep a fresh one from us: jail.h's next kind. */
static enum ag_err
mount_proc(void)
{
    static const unsigned long strict = MS_NOSUID | MS_NODEV | MS_NOEXEC;

    return mount("proc", "/proc", "proc", strict, NULL) == 0
               ? AG_OK
               : failed(errno == EPERM ? AG_EUNSUPPORTED : AG_EIO,
                        "mounting /proc");
}

enum ag_err
jail_enter(enum jail_kind kind, struct view *view, const char *tmpfs_dir)
{
    enum ag_err err = AG_OK;

    if (kind == JAIL_NONE) {
        return AG_OK;
    }
    if (own_uid != 0 || view != NULL) {
        err = enter_user(own_uid, own_gid);
    }
    if (err == AG_OK) {
        err = mount_or(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    }
    if (err == AG_OK && view != NULL) {
        return enter_view(view, tmpfs_dir);
    }
    if (err == AG_OK && kind == JAIL_FULL) {
        err = mount_proc();
    }
    if (err == AG_OK) {
        hide_terminals();
        err = mount_files(tmpfs_dir);
    }
    return err;
}

/* Debian 12's header stops at level 1. Source: linux/landlock.h of 6.12. */
struct scoped_rules {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

enum {
    SCOPED_LEVEL = 6, /* Linux 6.12 */
    SCOPE_SIGNAL = 1 << 1,
};

void
jail_shut_in(enum jail_kind kind)
{
    const struct scoped_rules rules = {.scoped = SCOPE_SIGNAL};
    int fd;

    if (kind == JAIL_FULL ||
        syscall(SYS_landlock_create_ruleset, NULL, 0,
                LANDLOCK_CREATE_RULESET_VERSION) < SCOPED_LEVEL) {
        return;
    }
    fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
    (void)syscall(SYS_landlock_restrict_self, fd, 0);
    fd_close(fd);
}

/* Kills the children listed now; false when there is none. */
static bool
kill_children(void)
{
    char text[CHILDREN_BYTES + 1];
    AG_AUTO(fd)
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, CHILDREN_BYTES);
    char *at = text;

    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    while (*at != '\0') {
        size_t len = strcspn(at, " ");
        uint64_t pid = 0;

        /* A number cut off at the end of the block is read again later. */
        if (at[len] != ' ' ||
            parse_u64(span_of(at, len), INT32_MAX, &pid) != AG_OK) {
            break;
        }
        if (pid > 1) {
            (void)kill((pid_t)pid, SIGKILL);
        }
        at += len + 1;
    }
    return true;
}

void
jail_kill_descendants(void)
{
    int status;

    /* What a killed process leaves behind comes to us, so each round reaches
     * one generation further. */
    while (kill_children()) {
        if (waitpid(-1, &status, 0) < 0 && errno == ECHILD) {
            return;
        }
    }
    while (waitpid(-1, &status, WNOHANG) > 0) {
    }
}
