/* What a view shows of the system (view_impl.h). */
#include <sys/mount.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/mnt.h"
#include "run/view_impl.h"

enum {
    NAME_BYTES = 32,
};

static const char *const DEVICES[] = {"null",   "zero",    "full",
                                      "random", "urandom", "tty"};
static const char *const DEV_LINKS[][2] = {{"pts/ptmx", "dev/ptmx"},
                                           {"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"}};

static enum ag_err
bind_part(const struct building *b, const char *part, const char *where)
{
    return mnt_bind(b->store, part, VIEW_TAME, b->root, where);
}

static enum ag_err
make_devices(const struct building *b)
{
    static const struct mnt_option options[] = {{"newinstance", NULL},
                                                {"ptmxmode", "0666"},
                                                {"mode", "0620"},
                                                {NULL, NULL}};
    char from[NAME_BYTES];
    AG_AUTO(fd) int pts = -1;
    AG_AUTO(fd) int at = -1;
    enum ag_err err = bind_part(b, "dev", "/dev");

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(DEVICES); i++) {
        (void)snprintf(from, sizeof(from), "/dev/%s", DEVICES[i]);
        err = mnt_bind(AT_FDCWD, from, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                       b->root, from);
    }
    for (size_t i = 0; err == AG_OK && i < AG_COUNT(DEV_LINKS); i++) {
        if (symlinkat(DEV_LINKS[i][0], b->root, DEV_LINKS[i][1]) != 0) {
            err = view_failed("linking", DEV_LINKS[i][1]);
        }
    }
    if (err == AG_OK) {
        err = bind_part(b, "shm", "/dev/shm");
    }
    if (err == AG_OK) {
        err = mnt_new("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                      &pts);
    }
    if (err == AG_OK) {
        err = mnt_point(b->root, "/dev/pts", MNT_DIR, &at);
    }
    return err == AG_OK ? mnt_attach(pts, at, "/dev/pts") : err;
}

/* What root may write to without any capability; nobody else can. */
static const char *const KERNEL_KNOBS[] = {
    "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
    "/proc/fs",  "/proc/acpi",          "/proc/scsi"};

static enum ag_err
make_proc(const struct building *b)
{
    static const struct mnt_option options[] = {{NULL, NULL}};
    AG_AUTO(fd) int proc = -1;
    AG_AUTO(fd) int at = -1;
    enum ag_err err =
        mnt_new("proc", options, VIEW_TAME | MOUNT_ATTR_NOEXEC, &proc);

    if (err == AG_OK) {
        err = mnt_point(b->root, "/proc", MNT_DIR, &at);
    }
    if (err == AG_OK) {
        err = mnt_attach(proc, at, "/proc");
    }
    for (size_t i = 0;
         geteuid() == 0 && err == AG_OK && i < AG_COUNT(KERNEL_KNOBS); i++) {
        if (faccessat(b->root, KERNEL_KNOBS[i] + 1, F_OK, 0) == 0) {
            err = mnt_bind(b->root, KERNEL_KNOBS[i] + 1, VIEW_READ_ONLY,
                           b->root, KERNEL_KNOBS[i]);
        }
    }
    return err;
}

/* A link (/bin on a merged system, /var/run) is one here too. */
static enum ag_err
show_system(const struct building *b, const char *path)
{
    char target[VIEW_PATH_BYTES];
    ssize_t n = readlink(path, target, sizeof(target) - 1);

    if (n > 0) {
        target[n] = '\0';
        return view_put_link(b, path, target);
    }
    if (access(path, F_OK) != 0) {
        return AG_OK;
    }
    return mnt_bind(AT_FDCWD, path, VIEW_READ_ONLY, b->root, path);
}

enum ag_err
view_system(const struct building *b)
{
    const struct preset_texts *system = &b->view->preset->system;
    enum ag_err err = make_devices(b);

    if (err == AG_OK) {
        err = make_proc(b);
    }
    if (err == AG_OK) {
        err = bind_part(b, "run", "/run");
    }
    if (err == AG_OK) {
        err = bind_part(b, "tmp", "/tmp");
    }
    for (size_t i = 0; err == AG_OK && i < system->count; i++) {
        err = show_system(b, system->items[i]);
    }
    return err == AG_OK ? bind_part(b, "vartmp", "/var/tmp") : err;
}
