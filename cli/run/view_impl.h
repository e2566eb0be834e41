/*
 * view_impl.h - a view under way: what view.c, view_system.c and view_places.c
 * share.
 * Floor: cli/run. Depends on: run/view, run/mnt.
 */
#ifndef AG_CLI_RUN_VIEW_IMPL_H
#define AG_CLI_RUN_VIEW_IMPL_H

#include <sys/mount.h>

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "run/view.h"

enum {
    VIEW_PATH_BYTES = 4096,
};

/* Attributes of what is mounted: of what may be read, of what may be written. */
static const uint64_t VIEW_READ_ONLY =
    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
static const uint64_t VIEW_TAME = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

/* One tmpfs, the store, holds everything that is made for the task: the new
 * root, /tmp, /run, the layer of the home, what covers hidden places. */
struct building {
    const struct view *view;
    int store; /* that tmpfs */
    int root;  /* the new root */
    int home;  /* the person's */
    int layer; /* holds upper/ and work/ */
};

/* AG_EIO with "WHAT PATH: reason"; errno stays. */
AG_CHECK AG_NONNULL enum ag_err view_failed(const char *what, const char *path);

/* A link in the view, in place of what is there. */
AG_CHECK AG_NONNULL enum ag_err
view_put_link(const struct building *b, const char *path, const char *target);

/* /dev, /proc, /run, /tmp and the preset's parts of the system. */
AG_CHECK AG_NONNULL enum ag_err view_system(const struct building *b);

/* The working tree, covers over hidden places, places opened by name. */
AG_CHECK AG_NONNULL enum ag_err view_places(const struct building *b);

/* In the working tree: read-only what git runs programs by, there where it is
 * (view_git.c). What comes new is gitcheck.h's. */
AG_CHECK AG_NONNULL enum ag_err view_git(const struct building *b);

/* The task's sockets, its directory of files, links to them. */
AG_CHECK AG_NONNULL enum ag_err view_own(const struct building *b);

#endif
