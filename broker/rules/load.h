/*
 * load.h - files of rules, loaded and checked as far as that needs no regex
 * library: compile.h does the rest.
 * Floor: rules. Depends on: rules/format, base.
 */
#ifndef AG_RULES_LOAD_H
#define AG_RULES_LOAD_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "rules/format.h"

struct rule_book;

enum {
    RULE_FILE_MAX_BYTES = 256 * 1024,
    RULE_FILES_MAX_COUNT = 512,
};

/*
 * All files of `paths`; of a directory every *.json, by name, `context*.json`
 * last. Fails with the first that is wrong.
 *
 * Ownership: *ret is the caller's, freed with rule_book_free().
 * Errors: AG_EINVAL, AG_ELIMIT with a sentence that names file, rule and
 *         field; AG_ENOTFOUND; AG_EIO; AG_ENOMEM.
 * Threads: the result is read-only. Blocks: on the disk.
 */
AG_CHECK AG_NONNULL enum ag_err rule_book_load(char *const *paths, size_t count,
                                               struct rule_book **ret);

/* One file from its bytes; the group must be named as `source` is. */
AG_CHECK AG_NONNULL enum ag_err rule_book_load_one(struct span json,
                                                   const char *source,
                                                   struct rule_book **ret);
void rule_book_free(struct rule_book *book);
AG_DEFINE_CLEANUP(rule_book, rule_book_free)

AG_NONNULL size_t rule_book_count(const struct rule_book *book);
AG_NONNULL const struct rule_item *rule_book_at(const struct rule_book *book,
                                                size_t index);
/* The file that it is from. */
AG_NONNULL const char *rule_book_source(const struct rule_book *book,
                                        size_t index);

#endif
