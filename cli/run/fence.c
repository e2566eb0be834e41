#include "run/fence.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "base/fdx.h"
#include "run/ports.h"
#include "run/sieve.h"
#include "run/view.h"

/* Debian 12's header stops at level 1. Source: linux/landlock.h of 6.12. */
struct rules {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

struct port_rule {
    uint64_t allowed_access;
    uint64_t port;
};

enum {
    REFER_LEVEL = 2,
    TRUNCATE_LEVEL = 3,
    NET_LEVEL = 4, /* Linux 6.7 */
    IOCTL_LEVEL = 5,
    SCOPED_LEVEL = 6, /* Linux 6.12 */
    RULE_NET_PORT = 2,
    NET_BIND = 1 << 0,
    NET_CONNECT = 1 << 1,
    SCOPE_ABSTRACT = 1 << 0,
    SCOPE_SIGNAL = 1 << 1,
    DEPTH_MAX = 16, /* of hidden paths in directories that are opened in part */
};

static const uint64_t READ = LANDLOCK_ACCESS_FS_EXECUTE |
                             LANDLOCK_ACCESS_FS_READ_FILE |
                             LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t FIRST_LEVEL = (1U << 13) - 1;
static const uint64_t REFER = 1U << 13;
static const uint64_t TRUNCATE = 1U << 14;
static const uint64_t IOCTL_DEV = 1U << 15;

struct fence {
    const struct view *view;
    uint64_t all; /* accesses that this level knows */
    int fd;
};

long
fence_level(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0,
                   LANDLOCK_CREATE_RULESET_VERSION);
}

void
fence_lacks(const char *ret[FENCE_LACKS_MAX_COUNT])
{
    long level = fence_level();
    size_t n = 0;

    ret[n++] = "a process namespace";
    ret[n++] = "hidden sockets of other programs";
    ret[n++] = "a writable home";
    ret[n++] = "guarded hooks of the repository";
    if (level < NET_LEVEL) {
        ret[n++] = "a closed network";
    }
    if (level < SCOPED_LEVEL) {
        ret[n++] = "a bar to signals";
    }
    ret[n] = NULL;
}

/* ---- files ---- */

static enum ag_err
allow(const struct fence *f, const char *path, uint64_t access)
{
    static const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE |
                                     LANDLOCK_ACCESS_FS_READ_FILE |
                                     LANDLOCK_ACCESS_FS_WRITE_FILE;
    AG_AUTO(fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = access & f->all,
                                              .parent_fd = fd};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        return AG_OK; /* not there: nothing to open */
    }
    if (!S_ISDIR(st.st_mode)) {
        rule.allowed_access &= of_files | TRUNCATE | IOCTL_DEV;
    }
    if (syscall(SYS_landlock_add_rule, f->fd, LANDLOCK_RULE_PATH_BENEATH, &rule,
                0) != 0) {
        return err_why(AG_EUNSUPPORTED, "Landlock, %s: %s", path,
                       strerrordesc_np(errno));
    }
    return AG_OK;
}

enum shown {
    SHOWN_WHOLE,
    SHOWN_IN_PART, /* something below it is hidden */
    SHOWN_NOT,
};

/* What this user can't read anyway hides nothing. */
static enum shown
shown(const struct view *v, const char *path)
{
    enum shown how = SHOWN_WHOLE;

    for (size_t i = 0; i < v->hidden_count; i++) {
        if (view_is_below(path, v->hidden[i])) {
            return SHOWN_NOT;
        }
        if (view_is_below(v->hidden[i], path) &&
            (access(v->hidden[i], R_OK) == 0 || errno == ENOENT)) {
            how = SHOWN_IN_PART;
        }
    }
    return how;
}

static enum ag_err
allow_shown(const struct fence *f, const char *path, uint64_t access, int depth)
{
    enum shown how = shown(f->view, path);
    enum ag_err err = AG_OK;
    struct dirent *entry;
    struct stat st;
    DIR *dir;

    /* A link opens what it leads to, which is judged where that lies. */
    if (how == SHOWN_NOT || lstat(path, &st) != 0 || S_ISLNK(st.st_mode)) {
        return AG_OK;
    }
    if (how == SHOWN_WHOLE) {
        return allow(f, path, access);
    }
    dir = depth < DEPTH_MAX ? opendir(path) : NULL;
    while (err == AG_OK && dir != NULL && (entry = readdir(dir)) != NULL) {
        char *below = NULL;

        if (strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (asprintf(&below, "%s/%s", path, entry->d_name) < 0) {
            err = AG_ENOMEM;
            break;
        }
        err = allow_shown(f, below, access, depth + 1);
        free(below);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return err;
}

static enum ag_err
allow_system(const struct fence *f)
{
    static const char *const devices[] = {
        "/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
        "/dev/urandom", "/dev/tty",  "/dev/pts",  "/dev/ptmx"};
    static const uint64_t use = LANDLOCK_ACCESS_FS_READ_FILE |
                                LANDLOCK_ACCESS_FS_WRITE_FILE |
                                LANDLOCK_ACCESS_FS_READ_DIR;
    const struct preset_texts *system = &f->view->preset->system;
    enum ag_err err = allow(f, "/proc", READ);

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(devices); i++) {
        err = allow(f, devices[i], use | TRUNCATE | IOCTL_DEV);
    }
    for (size_t i = 0; err == AG_OK && i < system->count; i++) {
        err = allow_shown(f, system->items[i], READ, 0);
    }
    return err;
}

static enum ag_err
allow_places(const struct fence *f, const char *const *dirs)
{
    const struct view *v = f->view;
    enum ag_err err = AG_OK;

    if (v->preset->home == PRESET_HOME_LAYER) {
        err = allow_shown(f, v->home_real, READ, 0);
    }
    if (err == AG_OK) {
        err = allow(f, v->tree, f->all);
    }
    for (size_t i = 0; err == AG_OK && i < v->given_count; i++) {
        err = allow(f, v->given[i].path,
                    v->given[i].access == VIEW_READ ? READ : f->all);
    }
    for (; err == AG_OK && *dirs != NULL; dirs++) {
        err = allow(f, *dirs, f->all);
    }
    return err;
}

/* ---- network ---- */

static enum ag_err
allow_ports(const struct fence *f, const struct paths *paths)
{
    static const char *const names[] = {PORTS_TASK, PORTS_PROXY};

    for (size_t i = 0; i < AG_COUNT(names); i++) {
        struct port_rule rule = {.allowed_access = NET_CONNECT};
        uint16_t port = 0;

        if (ports_read(paths, names[i], &port) != AG_OK) {
            continue;
        }
        rule.port = port;
        if (syscall(SYS_landlock_add_rule, f->fd, RULE_NET_PORT, &rule, 0) !=
            0) {
            return err_why(AG_EUNSUPPORTED, "Landlock, a port: %s",
                           strerrordesc_np(errno));
        }
    }
    return AG_OK;
}

enum ag_err
fence_make(const struct view *v, const struct paths *paths,
           const char *const *dirs, int *ret_fd)
{
    long level = fence_level();
    struct fence f = {.view = v, .all = FIRST_LEVEL, .fd = -1};
    struct rules rules = {0};
    AG_AUTO(fd) int fd = -1;
    enum ag_err err;

    f.all |= level >= REFER_LEVEL ? REFER : 0;
    f.all |= level >= TRUNCATE_LEVEL ? TRUNCATE : 0;
    f.all |= level >= IOCTL_LEVEL ? IOCTL_DEV : 0;
    rules.handled_access_fs = f.all;
    rules.handled_access_net = level >= NET_LEVEL ? NET_BIND | NET_CONNECT : 0;
    rules.scoped = level >= SCOPED_LEVEL ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0;
    fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
    if (fd < 0) {
        return err_why(AG_EUNSUPPORTED, "Landlock: %s", strerrordesc_np(errno));
    }
    f.fd = fd;
    err = allow_system(&f);
    if (err == AG_OK) {
        err = allow_places(&f, dirs);
    }
    if (err == AG_OK && level >= NET_LEVEL) {
        err = allow_ports(&f, paths);
    }
    if (err == AG_OK) {
        *ret_fd = FD_TAKE(fd);
    }
    return err;
}

enum ag_err
fence_enter(int fd)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
        return err_why(AG_EUNSUPPORTED, "Landlock: %s", strerrordesc_np(errno));
    }
    fd_close(fd);
    return sieve_put_on(SIEVE_STREAMS);
}
