#include "run/readback.h"

#include <sys/stat.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/isolate.h"

enum {
    LINK_BYTES = 64,
};

/* False: it has no path. */
static bool
path_of(int fd, char path[PATH_MAX])
{
    char link[LINK_BYTES];
    ssize_t n = 0;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX);
    if (n <= 0 || n >= PATH_MAX || path[0] != '/') {
        return false;
    }
    path[n] = '\0';
    return true;
}

static bool
is_hidden(const struct view *v, const char *path)
{
    for (size_t i = 0; i < v->hidden_count; i++) {
        if (view_is_below(path, v->hidden[i])) {
            return true;
        }
    }
    return false;
}

/* Places of the host that the view shows (view.c): whatever lies elsewhere has
 * no name in it. */
static bool
is_shown(const struct view *v, const char *path)
{
    const struct preset_texts *system = &v->preset->system;

    if (view_is_host(v, path)) {
        return true;
    }
    if (is_hidden(v, path)) {
        return false;
    }
    if (view_is_below(path, v->home_real)) {
        return v->preset->home != PRESET_HOME_EMPTY;
    }
    for (size_t i = 0; i < system->count; i++) {
        if (view_is_below(path, system->items[i])) {
            return true;
        }
    }
    return false;
}

bool
readback_can(const struct isolation *is, int fd)
{
    const struct view *v = isolation_shown(is);
    char path[PATH_MAX];
    struct stat st;
    bool named = path_of(fd, path);

    if (fstat(fd, &st) != 0) {
        return true;
    }
    if (!S_ISREG(st.st_mode) && !(S_ISFIFO(st.st_mode) && named)) {
        return false;
    }
    return v == NULL || !named || st.st_nlink > 1 || is_shown(v, path);
}
