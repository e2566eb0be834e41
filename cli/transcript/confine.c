#include "transcript/confine.h"

#include <string.h>

const char CONFINE_NAME[] = "ag-confined";

static struct confine *
confine_of(sqlite3_vfs *vfs)
{
    void *first = vfs;

    return first;
}

/* The database, its journal or its log? */
static bool
is_own(const struct confine *c, const char *name)
{
    static const char *const TAILS[] = {"", "-journal", "-wal"};
    size_t len = strlen(c->path);

    if (strncmp(name, c->path, len) != 0) {
        return false;
    }
    for (size_t i = 0; i < AG_COUNT(TAILS); i++) {
        if (strcmp(name + len, TAILS[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int
refuse(struct confine *c, int code)
{
    c->refused = true;
    return code;
}

/* A name of NULL is a temporary file, which has none. */
static int
open_own(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
         int *ret_flags)
{
    struct confine *c = confine_of(vfs);

    if ((flags & SQLITE_OPEN_SUPER_JOURNAL) != 0 ||
        (name != NULL && !is_own(c, name))) {
        file->pMethods = NULL;
        return refuse(c, SQLITE_CANTOPEN);
    }
    return c->real->xOpen(c->real, name, file, flags, ret_flags);
}

static int
delete_own(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    struct confine *c = confine_of(vfs);

    return is_own(c, name) && strcmp(name, c->path) != 0
               ? c->real->xDelete(c->real, name, sync_dir)
               : refuse(c, SQLITE_IOERR_DELETE);
}

/* A journal whose super-journal is gone was committed: that may be asked. */
static int
access_own(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    struct confine *c = confine_of(vfs);
    int code = c->real->xAccess(c->real, name, flags, ret);

    return code == SQLITE_OK && *ret != 0 && !is_own(c, name)
               ? refuse(c, SQLITE_IOERR_ACCESS)
               : code;
}

enum ag_err
confine_init(struct confine *c, const char *path)
{
    sqlite3_vfs *real = sqlite.vfs_find(NULL);

    *c = (struct confine){.path = path};
    if (real == NULL) {
        return AG_ENOMEM; /* the library could not start */
    }
    c->vfs = *real;
    c->vfs.pNext = NULL;
    c->vfs.zName = CONFINE_NAME;
    c->vfs.xOpen = open_own;
    c->vfs.xDelete = delete_own;
    c->vfs.xAccess = access_own;
    if (sqlite.vfs_register(&c->vfs, 0) != SQLITE_OK) {
        return AG_ENOMEM;
    }
    c->real = real;
    return AG_OK;
}

void
confine_done(struct confine *c)
{
    if (c->real != NULL) {
        (void)sqlite.vfs_unregister(&c->vfs);
        c->real = NULL;
    }
}
