/*
 * rule_set.h - rules ready to be searched for: packs, databases, regexes.
 * Immutable once built, shared by many streams.
 * Floor: redact. Depends on: redact/rule_pack, redact/rule_lib.
 */
#ifndef AG_REDACT_RULE_SET_H
#define AG_REDACT_RULE_SET_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/rule.h"

struct rule_set;
struct rule_tools;

enum {
    RULE_PACKS_MAX_COUNT = 8, /* of one set */
};

enum rule_level_set {
    RULES_NONE,
    RULES_DEFAULT,
    RULES_ALL,
};

enum rule_set_flags {
    RULE_SET_READY = 0, /* every regex is compiled now */
    /* Each when it is first needed, which is quicker for a short life: the set
     * then serves one thread, which may still map memory to be executed. */
    RULE_SET_LAZY = 1,
};

/*
 * Takes packs (the bytes of rule_pack.h) and makes them ready; what needs
 * memory that can be executed happens here, unless it is RULE_SET_LAZY.
 * Ownership: *ret is the caller's, freed with rule_set_free(); the bytes are
 *            not needed any more.
 * Errors: AG_EUNSUPPORTED the libraries are not here, or packs are of another
 *         version of Vectorscan, with a sentence that says what to run;
 *         AG_ECORRUPT; AG_ELIMIT; AG_ENOMEM.
 * Threads: safe; the result may be used by any number of them.
 */
AG_CHECK AG_NONNULL enum ag_err rule_set_new(const struct span *packs,
                                             size_t count,
                                             enum rule_set_flags flags,
                                             struct rule_set **ret);

/*
 * The same of files: "default.rules" and, for RULES_ALL, "all.rules" of a
 * directory. A file must belong to root or to the caller and be writable by
 * nobody else. `own`, if not NULL, is one more pack, the last.
 */
struct rule_source {
    const char *dir;
    enum rule_level_set level;
    const struct span *own;
    enum rule_set_flags flags;
};

/* Errors: AG_ENOTFOUND with a sentence; AG_EMODE; those above. */
AG_CHECK AG_NONNULL enum ag_err rule_set_load(const struct rule_source *source,
                                              struct rule_set **ret);
void rule_set_free(struct rule_set *set);
AG_DEFINE_CLEANUP(rule_set, rule_set_free)

/* Rules of all packs, in order. */
AG_NONNULL size_t rule_set_count(const struct rule_set *set);
AG_NONNULL const struct rule *rule_set_at(const struct rule_set *set,
                                          size_t index);
/* The longest window of any rule. */
AG_NONNULL size_t rule_set_window(const struct rule_set *set);

#endif
