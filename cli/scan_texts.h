/*
 * scan_texts.h - secrets in texts that people and agents leave: files of a
 * repository, instructions to agents, shell histories, transcripts.
 * Floor: cli. Depends on: hook/search, transcript/walk, transcript/kind.
 *
 * Looked into is every regular file that is text, packed (gzip, zstd) or not,
 * up to SCAN_TEXT_MAX_BYTES; links and other file systems' special files are
 * not followed, caches, dependencies and .git are passed over.
 *
 * Threads: one. Blocks: on the disk and the broker.
 */
#ifndef AG_CLI_SCAN_TEXTS_H
#define AG_CLI_SCAN_TEXTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct expand_env;
struct search;

enum {
    SCAN_TEXT_MAX_BYTES = 256 * 1024 * 1024, /* unpacked: lies in memory */
};

/* In place; zero but for `cli`. */
struct scan_texts {
    struct cli *cli;
    /* Array of {path, severity, line, column, name, form, what}; owned. */
    json_t *found;
    uint64_t file_count;       /* looked into */
    uint64_t left_count;       /* too large, damaged, or not to be opened */
    uint64_t more_count;       /* finds that are only counted */
    uint64_t unreadable_count; /* directories */
    struct search *search;     /* owned */
};

AG_NONNULL void scan_texts_done(struct scan_texts *s);
AG_DEFINE_CLEANUP_INPLACE(scan_texts, scan_texts_done)

/* Before the first path. Values of the vault are looked for if it is open.
 * Errors: those of search_open(). */
AG_CHECK AG_NONNULL enum ag_err scan_texts_open(struct scan_texts *s);

/* A file, or all below a directory. Errors: those of walk_path() and
 * search_text(). */
AG_CHECK AG_NONNULL enum ag_err scan_texts_path(struct scan_texts *s,
                                                const char *path);

/* Where shells and agents keep what was said, as far as it is there. */
AG_CHECK AG_NONNULL enum ag_err scan_texts_usual(struct scan_texts *s,
                                                 const struct expand_env *env);

/* Why values were not looked for, or NULL. */
AG_NONNULL const char *scan_texts_without(const struct scan_texts *s);

#endif
