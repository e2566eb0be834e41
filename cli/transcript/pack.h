/*
 * pack.h - gzip (RFC 1952) and Zstandard (RFC 8878): text unpacked and packed
 * again, from descriptor to descriptor. libz and libzstd are loaded when such a
 * file is met.
 * Floor: cli. Depends on: transcript/lazy, base, the libraries' headers.
 *
 * Several members or frames one after another are one text. What comes out is
 * bounded: a file that unpacks to more than PACK_RATIO_MAX times its size (past
 * PACK_SMALL_BYTES), or to more than PACK_OUT_MAX_BYTES, is refused.
 */
#ifndef AG_CLI_TRANSCRIPT_PACK_H
#define AG_CLI_TRANSCRIPT_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    PACK_MAGIC_BYTES = 4,
    PACK_SMALL_BYTES = 64 * 1024 * 1024, /* however little it was packed in */
    PACK_RATIO_MAX = 1000, /* transcripts have 5 to 50; a bomb has 1,030 and
                              more */
};

#define PACK_OUT_MAX_BYTES ((uint64_t)64 * 1024 * 1024 * 1024)

enum pack_kind {
    PACK_NONE,
    PACK_GZIP,
    PACK_ZSTD,
};

/* What a file that begins so is. */
enum pack_kind pack_kind(struct span head);

/* Of an open file, by its first bytes; its offset is not moved. What can't be
 * read so (a pipe) is PACK_NONE. */
enum pack_kind pack_kind_of(int fd);

/* Loads the library of `kind`. Errors: AG_EUNSUPPORTED with a sentence. */
AG_CHECK enum ag_err pack_load(enum pack_kind kind);

/*
 * All of src_fd, from its offset. After pack_load() of that kind.
 * Errors: AG_ECORRUPT damaged, cut, or with something else behind it; AG_ELIMIT
 *         the bounds above; AG_EUNSUPPORTED a dictionary or window that is not
 *         ours; those of read(2) and write(2).
 * Threads: any. Blocks: on both descriptors.
 */
AG_CHECK enum ag_err pack_open(enum pack_kind kind, int src_fd, int dst_fd);
AG_CHECK enum ag_err pack_close(enum pack_kind kind, int src_fd, int dst_fd);

/* At most `cap` bytes from the beginning; the file's offset is not moved. Errors:
 * those of pack_open(). */
AG_CHECK AG_NONNULL enum ag_err pack_peek(enum pack_kind kind, int src_fd,
                                          void *out, size_t cap,
                                          size_t *ret_len);

#endif
