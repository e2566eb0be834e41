/*
 * kind.h - what a file is, by its first bytes, and how the filter is to read it.
 * Floor: cli. Depends on: transcript/pack, transcript/sqlite.
 */
#ifndef AG_CLI_TRANSCRIPT_KIND_H
#define AG_CLI_TRANSCRIPT_KIND_H

#include "base/attr.h"
#include "base/err.h"
#include "transcript/pack.h"

enum kind {
    KIND_EMPTY,
    KIND_TEXT,     /* packed or not */
    KIND_DATABASE, /* SQLite's; never packed */
    KIND_BINARY,
};

/*
 * Binary is what has a NUL in its first 4 KiB, unpacked where it is packed, and
 * no mark of UTF-16 in front. The file's offset is not moved.
 * Errors: those of pread(2), pack_load() and pack_peek().
 */
AG_CHECK AG_NONNULL enum ag_err kind_of(int fd, enum kind *ret,
                                        enum pack_kind *ret_pack);

#endif
