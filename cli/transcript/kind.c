#include "transcript/kind.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/span.h"
#include "transcript/sqlite.h"

enum {
    HEAD_BYTES = 4096, /* git looks at 8,000; a transcript shows at once */
};

static bool
is_text(struct span head)
{
    static const uint8_t LITTLE[] = {0xff, 0xfe};
    static const uint8_t BIG[] = {0xfe, 0xff};

    return memchr(head.ptr, 0, head.len) == NULL ||
           span_starts(head, span_of(LITTLE, sizeof(LITTLE))) ||
           span_starts(head, span_of(BIG, sizeof(BIG)));
}

static enum kind
kind_of_head(struct span head, enum pack_kind pack)
{
    if (head.len == 0) {
        return KIND_EMPTY;
    }
    if (pack == PACK_NONE && sqlite_is_database(head)) {
        return KIND_DATABASE;
    }
    return is_text(head) ? KIND_TEXT : KIND_BINARY;
}

enum ag_err
kind_of(int fd, enum kind *ret, enum pack_kind *ret_pack)
{
    uint8_t head[HEAD_BYTES];
    ssize_t n = pread(fd, head, sizeof(head), 0);
    size_t len = n > 0 ? (size_t)n : 0;
    enum ag_err err = AG_OK;

    if (n < 0) {
        return err_from_errno(errno);
    }
    *ret_pack = pack_kind(span_of(head, len));
    if (*ret_pack != PACK_NONE) {
        err = pack_load(*ret_pack);
        if (err == AG_OK) {
            err = pack_peek(*ret_pack, fd, head, sizeof(head), &len);
        }
    }
    if (err == AG_OK) {
        *ret = kind_of_head(span_of(head, len), *ret_pack);
    }
    explicit_bzero(head, sizeof(head));
    return err;
}
