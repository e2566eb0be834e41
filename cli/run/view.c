#include "run/view.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "run/layer.h"
#include "run/mnt.h"
#include "run/view_impl.h"

enum {
    SIZE_BYTES = 32,
    STACKED_MAX_COUNT = 8, /* mounts on one place; two are ours */
};

enum ag_err
view_failed(const char *what, const char *path)
{
    int errno_value = errno;
    enum ag_err err =
        err_why(AG_EIO, "%s %s: %s", what, path, strerrordesc_np(errno_value));

    errno = errno_value;
    return err;
}

enum ag_err
view_put_link(const struct building *b, const char *path, const char *target)
{
    AG_AUTO(fd) int above = -1;
    char dir[VIEW_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    int n = snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
    enum ag_err err;

    if (n < 0 || (size_t)n >= sizeof(dir)) {
        return view_failed("linking", path);
    }
    err = mnt_point(b->root, dir[0] == '\0' ? "/" : dir, MNT_DIR, &above);
    if (err != AG_OK) {
        return err;
    }
    (void)unlinkat(above, slash + 1, 0);
    return symlinkat(target, above, slash + 1) == 0
               ? AG_OK
               : view_failed("linking", path);
}

/* ---- the new root ---- */

/* Directories of the store. */
static const struct {
    const char *name;
    mode_t mode;
} PARTS[] = {
    {"root", 0755},  {"root/dev", 0755},   {"run", 0755},
    {"tmp", 01777},  {"vartmp", 01777},    {"shm", 01777},
    {"home", 0700},  {"home/upper", 0700}, {"home/work", 0700},
    {"blank", 0555},
};

static enum ag_err
make_store(struct building *b)
{
    char size[SIZE_BYTES];
    const struct mnt_option options[] = {
        {"mode", "0755"}, {"size", size}, {NULL, NULL}};
    /* On top of the root: paths still begin below, while any other place would
     * cover what the view may have to show. */
    AG_AUTO(fd) int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    AG_AUTO(fd) int nothing = -1;
    enum ag_err err;

    (void)snprintf(size, sizeof(size), "%lldm",
                   (long long)b->view->preset->layer_mib);
    err = at < 0 ? view_failed("opening", "/")
                 : mnt_new("tmpfs", options, VIEW_TAME, &b->store);
    if (err == AG_OK) {
        err = mnt_attach(b->store, at, "/");
    }
    for (size_t i = 0; err == AG_OK && i < AG_COUNT(PARTS); i++) {
        if (mkdirat(b->store, PARTS[i].name, PARTS[i].mode) != 0) {
            err = view_failed("making", PARTS[i].name);
        }
    }
    if (err == AG_OK) {
        nothing = openat(b->store, "nothing",
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
        err = nothing < 0 ? view_failed("making", "nothing") : AG_OK;
    }
    return err;
}

static enum ag_err
make_root(struct building *b)
{
    AG_AUTO(fd) int mnt = -1;
    AG_AUTO(fd) int at = openat(b->store, "root", O_PATH | O_CLOEXEC);
    enum ag_err err = mnt_copy(b->store, "root", 0, &mnt);

    if (err == AG_OK) {
        err = mnt_attach(mnt, at, "the new root");
    }
    b->root = FD_TAKE(mnt);
    return err;
}

/* ---- home ---- */

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, prefixes first, and each once: most templates expand to one path
 * whatever the variables say. */
static void
sort_hidden(struct view *v)
{
    size_t kept = 0;

    qsort(v->hidden, v->hidden_count, sizeof(*v->hidden), by_text);
    for (size_t i = 0; i < v->hidden_count; i++) {
        if (kept > 0 && strcmp(v->hidden[i], v->hidden[kept - 1]) == 0) {
            free(v->hidden[i]);
        } else {
            v->hidden[kept++] = v->hidden[i];
        }
    }
    v->hidden_count = kept;
}

static enum ag_err
hide_in_layer(const struct building *b)
{
    const struct view *v = b->view;
    AG_AUTO(fd)
    int upper = openat(b->layer, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char **paths = calloc(v->hidden_count + 1, sizeof(*paths));
    struct layer_hiding what = {b->home, upper, paths, 0, false};
    size_t len = strlen(v->home_real);
    enum ag_err err = upper < 0 ? view_failed("opening", "the layer") : AG_OK;

    for (size_t i = 0; paths != NULL && i < v->hidden_count; i++) {
        if (view_is_below(v->hidden[i], v->home_real) &&
            v->hidden[i][len] == '/') {
            paths[what.count++] = v->hidden[i] + len + 1;
        }
    }
    if (err == AG_OK) {
        what.early = layer_keeps_marks(upper);
        err = paths == NULL ? AG_ENOMEM : layer_hide(&what);
    }
    free(paths);
    return err;
}

/* The kernel lays nothing over a home with mounts below it: what they cover
 * would show. */
static enum ag_err
make_layer(const struct building *b, int *ret_fd)
{
    enum ag_err err = layer_mount(b->home, b->layer, ret_fd);

    return err == AG_OK ? AG_OK
                        : err_why(err,
                                  "no layer over your home (is something "
                                  "mounted below it?); strict needs none: %s",
                                  strerrordesc_np(errno));
}

static enum ag_err
make_home(struct building *b)
{
    const struct view *v = b->view;
    AG_AUTO(fd) int mnt = -1;
    AG_AUTO(fd) int at = -1;
    AG_AUTO(fd) int above = -1;
    enum ag_err err = AG_OK;

    if (v->preset->home == PRESET_HOME_EMPTY) {
        err = mnt_copy(b->layer, "upper", VIEW_TAME, &mnt);
    } else {
        err = hide_in_layer(b);
        if (err == AG_OK) {
            err = make_layer(b, &mnt);
        }
    }
    if (err == AG_OK) {
        err = mnt_point(b->root, v->home_real, MNT_DIR, &at);
    }
    if (err == AG_OK) {
        err = mnt_attach(mnt, at, v->home_real);
    }
    /* The way that $HOME names, where that leads over a link. */
    if (err == AG_OK && strcmp(v->home, v->home_real) != 0 &&
        mnt_point(b->root, v->home, MNT_DIR, &above) == AG_OK) {
        (void)unlinkat(b->root, v->home + 1, AT_REMOVEDIR);
        (void)!symlinkat(v->home_real, b->root, v->home + 1);
    }
    return err;
}

/* ---- moving in ---- */

/* Is anything on top of the new root? By the way up from it, where the kernel
 * follows what is mounted there. */
static bool
is_covered(const struct building *b)
{
    struct statx own;
    struct statx top;

    return statx(b->root, "", AT_EMPTY_PATH, STATX_MNT_ID, &own) != 0 ||
           statx(AT_FDCWD, "/..", 0, STATX_MNT_ID, &top) != 0 ||
           (own.stx_mask & top.stx_mask & STATX_MNT_ID) == 0 ||
           own.stx_mnt_id != top.stx_mnt_id;
}

/* The old root is on top of the new one now, and the store on top of that. */
static bool
let_go(const struct building *b)
{
    for (size_t i = 0; i < STACKED_MAX_COUNT && is_covered(b); i++) {
        if (umount2(".", MNT_DETACH) != 0) {
            return false;
        }
    }
    return !is_covered(b);
}

static enum ag_err
move_in(const struct building *b)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (mount_setattr(b->root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0) {
        return view_failed("closing", "the new root");
    }
    if (fchdir(b->root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        !let_go(b)) {
        return view_failed("moving to", "the new root");
    }
    return chdir(b->view->cwd) == 0 ? AG_OK
                                    : view_failed("going to", b->view->cwd);
}

static enum ag_err
open_home(struct building *b)
{
    const struct view *v = b->view;

    b->home = open(v->home_real, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->home < 0) {
        return view_failed("opening", v->home_real);
    }
    b->layer = v->keep != NULL ? open(v->keep, O_PATH | O_DIRECTORY | O_CLOEXEC)
                               : openat(b->store, "home", O_PATH | O_CLOEXEC);
    return b->layer < 0 ? view_failed("opening", "the layer of the home")
                        : AG_OK;
}

enum ag_err
view_build(struct view *v)
{
    struct building b = {
        .view = v, .store = -1, .root = -1, .home = -1, .layer = -1};
    mode_t mask = umask(0); /* each mode that is said here is meant */
    enum ag_err err;

    sort_hidden(v);
    err = make_store(&b);
    if (err == AG_OK) {
        err = make_root(&b);
    }
    if (err == AG_OK) {
        err = open_home(&b);
    }
    if (err == AG_OK) {
        err = view_system(&b);
    }
    if (err == AG_OK) {
        err = make_home(&b);
    }
    if (err == AG_OK) {
        err = view_places(&b);
    }
    if (err == AG_OK) {
        err = view_own(&b);
    }
    if (err == AG_OK) {
        err = move_in(&b);
    }
    (void)umask(mask);
    fd_close(b.layer);
    fd_close(b.home);
    fd_close(b.root);
    fd_close(b.store);
    return err;
}
