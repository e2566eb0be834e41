#include "daemon/selflock.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <malloc.h>

#include "http/limits.h"

enum {
    FREED_BYTE = 0xff, /* its complement, 0, is what malloc() then gives */
};

enum ag_err
selflock_begin(void)
{
    const struct rlimit none = {0, 0};
    struct rlimit files;

    (void)umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        setrlimit(RLIMIT_CORE, &none) != 0 ||
        getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return err_why(AG_EIO, "can't set limits: %s", strerrordesc_np(errno));
    }
    files.rlim_cur = files.rlim_max < HTTP_FDS_MAX_COUNT ? files.rlim_max
                                                         : HTTP_FDS_MAX_COUNT;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return err_why(AG_EIO, "can't set limits: %s", strerrordesc_np(errno));
    }
#ifndef AG_SANITIZED
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return err_why(AG_EIO, "can't forbid dumps: %s",
                       strerrordesc_np(errno));
    }
    /* Beside our own wiping: copies of libraries die with their block. */
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any other thread
    (void)mallopt(M_PERTURB, FREED_BYTE);
#endif
    return AG_OK;
}

#ifdef AG_SANITIZED
enum ag_err
selflock_files(const struct paths *paths, const char *ca_file, int *ret_level)
{
    (void)paths;
    (void)ca_file;
    *ret_level = 0;
    return AG_OK;
}

enum ag_err
selflock_calls(void)
{
    return AG_OK;
}
#endif
