#include "transcript/straight.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/buf.h"

/* NULL: it is no directory. */
static char *
real_dir(const char *path)
{
    char *real = realpath(path, NULL);
    struct stat st;

    if (real != NULL && (stat(real, &st) != 0 || !S_ISDIR(st.st_mode))) {
        free(real);
        real = NULL;
    }
    return real;
}

/* The directory furthest down that is there; *len of the path lead to it. */
static char *
real_above(char *path, size_t *len)
{
    char *real = real_dir(path);

    *len = strlen(path);
    while (real == NULL && *len > 0) {
        char cut;

        while (*len > 0 && path[--*len] != '/') {
        }
        cut = path[*len];
        path[*len] = '\0';
        real = real_dir(*len == 0 ? "/" : path);
        path[*len] = cut;
    }
    return real;
}

enum ag_err
straight_path(const char *path, char **ret)
{
    AG_AUTO(buf) struct buf whole = {0};
    char *copy = strdup(path);
    size_t len = 0;
    char *real = copy == NULL ? NULL : real_above(copy, &len);
    enum ag_err err = real == NULL ? AG_ENOMEM : AG_OK;

    buf_init(&whole, PATH_MAX, BUF_PLAIN);
    if (err == AG_OK && path[0] != '/' && path[len] != '\0') {
        err = err_why(AG_ENOTFOUND, "%s is not there", path);
    }
    if (err == AG_OK) {
        err = buf_fmt(&whole, "%s%s",
                      strcmp(real, "/") == 0 && path[len] != '\0' ? "" : real,
                      path + len);
    }
    free(real);
    free(copy);
    if (err != AG_OK || buf_cstr(&whole) == NULL) {
        return err == AG_OK ? AG_ENOMEM : err;
    }
    *ret = strdup(buf_cstr(&whole));
    return *ret == NULL ? AG_ENOMEM : AG_OK;
}

int
straight_open(const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS};

    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}
