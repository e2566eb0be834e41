#include "handover/take.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/secret.h"

/* Up to len bytes at `offset`; *ret_len is less only at the end. */
static enum ag_err
read_at(int fd, uint8_t *out, size_t len, size_t offset, size_t *ret_len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, out + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        if (n == 0) {
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    *ret_len = done;
    return AG_OK;
}

static enum ag_err
check_file(int fd, uid_t owner, size_t *ret_len)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY) {
        return err_why(AG_EFILE, "the descriptor is not open for reading");
    }
    if (fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_why(AG_EFILE, "it is not a regular file");
    }
    if (st.st_uid != owner) {
        return err_why(AG_EFILE, "the file belongs to another user");
    }
    if (st.st_size > TAKE_MAX_BYTES) {
        return err_why(AG_ELIMIT, "the file is larger than %d bytes",
                       TAKE_MAX_BYTES);
    }
    *ret_len = (size_t)st.st_size;
    return AG_OK;
}

/* Nothing may follow where the file was said to end. */
static enum ag_err
check_end(int fd, size_t len)
{
    uint8_t byte = 0;
    size_t got = 0;
    enum ag_err err = read_at(fd, &byte, 1, len, &got);

    wipe(&byte, 1);
    return err == AG_OK && got != 0 ? AG_ECHANGED : err;
}

enum ag_err
take_read(int fd, uid_t owner, struct secret **ret)
{
    AG_AUTO(secret) struct secret *content = NULL;
    size_t len = 0;
    size_t got = 0;
    enum ag_err err = check_file(fd, owner, &len);

    if (err == AG_OK) {
        err = secret_new(len, &content);
    }
    if (err == AG_OK) {
        err = read_at(fd, secret_bytes(content), len, 0, &got);
    }
    if (err == AG_OK && got < len) {
        err = AG_ECHANGED;
    }
    if (err == AG_OK) {
        err = check_end(fd, len);
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(content);
    return AG_OK;
}

enum ag_err
take_compare(int fd, const struct secret *content)
{
    AG_AUTO(secret) struct secret *again = NULL;
    size_t len = secret_len(content);
    size_t got = 0;
    enum ag_err err = secret_new(len, &again);

    if (err == AG_OK) {
        err = read_at(fd, secret_bytes(again), len, 0, &got);
    }
    if (err == AG_OK && (got < len || !secret_equal(again, content))) {
        err = AG_ECHANGED;
    }
    return err == AG_OK ? check_end(fd, len) : err;
}
