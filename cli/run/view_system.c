/* What a view shows of the system (view_impl.h). */
#include <sys/mount.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/mnt.h"
#include "run/view_impl.h"

static const char *const DEVICES[] = {"null",   "zero",    "full",
                                      "random", "urandom", "tty"};
static const char *const DEV_LINKS[][2] = {{"pts/ptmx", "dev/ptmx"},
                                           {"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"}};

/* A directory of the store, which is mounted tame already. */
static enum ag_err
bind_part(const struct building *b, const char *part, const char *where)
{
    AG_AUTO(fd) int mnt = -1;
    enum ag_err err = mnt_copy(b->store, part, 0, &mnt);

    return err == AG_OK ? mnt_put(mnt, MNT_DIR, b->root, where) : err;
}

static enum ag_err
bind_devices(const struct building *b)
{
    AG_AUTO(fd) int from = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    AG_AUTO(fd) int dev = openat(b->root, "dev", O_PATH | O_CLOEXEC);
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(DEVICES); i++) {
        AG_AUTO(fd) int mnt = -1;

        err = mnt_copy(from, DEVICES[i], MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                       &mnt);
        if (err == AG_OK) {
            err = mnt_put(mnt, MNT_FILE, dev, DEVICES[i]);
        }
    }
    return err;
}

static enum ag_err
make_devices(const struct building *b)
{
    static const struct mnt_option options[] = {{"newinstance", NULL},
                                                {"ptmxmode", "0666"},
                                                {"mode", "0620"},
                                                {NULL, NULL}};
    AG_AUTO(fd) int pts = -1;
    enum ag_err err = bind_devices(b);

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
    return err == AG_OK ? mnt_put(pts, MNT_DIR, b->root, "/dev/pts") : err;
}

/* What root may write to without any capability; nobody else can. */
static const char *const KERNEL_KNOBS[] = {
    "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
    "/proc/fs",  "/proc/acpi",          "/proc/scsi"};

static enum ag_err
close_knobs(const struct building *b)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(KERNEL_KNOBS); i++) {
        AG_AUTO(fd) int mnt = -1;
        AG_AUTO(fd) int at = mnt_find(b->root, KERNEL_KNOBS[i]);

        if (at >= 0) {
            err = mnt_copy(at, "", VIEW_READ_ONLY, &mnt);
        }
        if (at >= 0 && err == AG_OK) {
            err = mnt_attach(mnt, at, KERNEL_KNOBS[i]);
        }
    }
    return err;
}

static enum ag_err
make_proc(const struct building *b)
{
    static const struct mnt_option options[] = {{NULL, NULL}};
    AG_AUTO(fd) int proc = -1;
    enum ag_err err =
        mnt_new("proc", options, VIEW_TAME | MOUNT_ATTR_NOEXEC, &proc);

    if (err != AG_OK && errno == EPERM) {
        /* In a container the kernel may keep a fresh one from us. */
        return err_why(AG_EUNSUPPORTED, "a fresh /proc is refused");
    }
    if (err == AG_OK) {
        err = mnt_put(proc, MNT_DIR, b->root, "/proc");
    }
    return err == AG_OK && geteuid() == 0 ? close_knobs(b) : err;
}

/* A link (/bin on a merged system, /var/run) is one here too. */
static enum ag_err
show_system(const struct building *b, const char *path)
{
    char target[VIEW_PATH_BYTES];
    AG_AUTO(fd) int mnt = -1;
    struct stat st;
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    enum ag_err err;

    if (n > 0) {
        target[n] = '\0';
        return view_put_link(b, path, target);
    }
    if (errno != EINVAL) {
        return AG_OK; /* it is not there */
    }
    err = mnt_copy(AT_FDCWD, path, VIEW_READ_ONLY, &mnt);
    if (err == AG_OK && fstatat(mnt, "", &st, AT_EMPTY_PATH) != 0) {
        err = view_failed("looking at", path);
    }
    return err == AG_OK ? mnt_put(mnt, S_ISDIR(st.st_mode) ? MNT_DIR : MNT_FILE,
                                  b->root, path)
                        : err;
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
