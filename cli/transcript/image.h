/*
 * image.h - a database in memory, as it lies in a file that nobody else has
 * open: read without a copy, changed without a trace on the disk.
 * Floor: cli. Depends on: transcript/sqlite, transcript/swap.
 *
 * The file is mapped privately and SQLite works on the mapping, so nothing that
 * is done reaches the file, and no plaintext a second place. image_write() puts
 * what the tables hold into a new file: pages that were freed, and what is left
 * in others of rows long gone, are not in it.
 */
#ifndef AG_CLI_TRANSCRIPT_IMAGE_H
#define AG_CLI_TRANSCRIPT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "transcript/sqlite.h"

struct image {
    sqlite3 *db;
    void *map;
    size_t map_bytes;
    bool is_wal; /* its journal mode, which the image can't have */
};

/*
 * fd: of the whole database (no log or journal beside it is needed), which
 * nobody changes meanwhile. image_done() whatever comes of it.
 * Errors: AG_ECORRUPT, AG_ENOMEM, those of sqlite_err().
 */
AG_CHECK AG_NONNULL enum ag_err image_open(int fd, struct image *ret);
AG_NONNULL void image_done(struct image *im);
AG_DEFINE_CLEANUP_INPLACE(image, image_done)

/*
 * Into `fd`, an empty file of the name `path`; in its journal mode again, and
 * found whole. Errors: those of sqlite_err().
 */
AG_CHECK AG_NONNULL enum ag_err image_write(struct image *im, const char *path,
                                            int fd);

#endif
