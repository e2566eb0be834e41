#include "transcript/kind.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/span.h"

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
        *ret = len == 0                      ? KIND_EMPTY
               : is_text(span_of(head, len)) ? KIND_TEXT
                                             : KIND_BINARY;
    }
    explicit_bzero(head, sizeof(head));
    return err;
}
