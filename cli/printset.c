#include "printset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fdx.h"
#include "base/fsx.h"

enum ag_err
printset_read(const char *path, struct prints **ret)
{
    AG_AUTO(buf) struct buf file = {0};
    enum ag_err err;

    buf_init(&file, PRINTS_FILE_MAX_BYTES, BUF_PLAIN);
    err = fs_read(AT_FDCWD, path, PRINTS_FILE_MAX_BYTES, &file);
    if (err != AG_OK) {
        return err_why(err, "%s: %s", path, err_title(err));
    }
    err = prints_load(buf_view(&file), ret);
    return err == AG_OK ? AG_OK : err_why(err, "%s: %s", path, err_text(err));
}

enum ag_err
printset_write(const char *path, struct span file)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *dir =
        slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    AG_AUTO(fd) int fd = -1;
    enum ag_err err = AG_OK;

    if (dir == NULL) {
        return AG_ENOMEM;
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = fd < 0 ? err_from_errno(errno) : fs_replace(fd, name, file);
    free(dir);
    return err == AG_OK ? AG_OK : err_why(err, "%s: %s", path, err_title(err));
}
