#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/wipealloc.h"

enum ag_err
report_open(const char *path, int *ret_fd)
{
    int fd;

    if (strcmp(path, "-") == 0) {
        return err_why(AG_EUSAGE, "--report needs a FILE: stdout is for the "
                                  "text");
    }
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    *ret_fd = fd;
    return AG_OK;
}

enum ag_err
report_write(int fd, json_t *report)
{
    char *text = report == NULL ? NULL : json_dumps(report, JSON_INDENT(2));
    enum ag_err err = text == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK) {
        (void)!ftruncate(fd, 0); /* not at the open: it may be refused */
        err = fd_write_all(fd, span_str(text));
    }
    if (err == AG_OK) {
        err = fd_write_all(fd, span_str("\n"));
    }
    wipe_free(text);
    json_decref(report);
    return err;
}
