/*
 * rule_pack.h - compiled rules in one file: what rule.h lists and Vectorscan's
 * serialised databases of their regexes: of those without a gate, with the
 * keywords of the others, and of those with one.
 * Floor: redact. Depends on: redact/rule, base/buf.
 *
 * Layout, little-endian; a text is its length in 2 bytes and its bytes:
 *   "AGRULES2" | text: Vectorscan's version | rules 4 | per rule:
 *     text id | text service | text regex | text until
 *     n 1 | n texts keywords | n 1 | n texts allow
 *     10 numbers of 4, in the order of struct rule | 3 classes of 32
 *   | database length 4 | database | length 4 | database of gated rules
 * The last length is 0 if, and only if, no rule has a gate.
 * A database is code to whoever runs it and carries no more than a CRC: a
 * pack is loaded only from a place that the user alone, or root, can write.
 */
#ifndef AG_REDACT_RULE_PACK_H
#define AG_REDACT_RULE_PACK_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/rule.h"

struct rule_pack;

enum {
    RULE_PACK_MAX_BYTES = 16 * 1024 * 1024,
};

struct rule_pack_parts {
    const struct rule *rules;
    size_t count;
    const char *engine;   /* hs_version() */
    struct span database; /* ids: the rule's index; of a keyword, the set of
                             its gates behind RULES_MAX_COUNT */
    struct span gated;    /* empty: no rule has a gate */
};

/* Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
rule_pack_write(const struct rule_pack_parts *parts, struct buf *out);

/*
 * Takes `bytes` apart.
 * Ownership: *ret is the caller's, freed with rule_pack_free(); all it shows
 *            is borrowed from it, the databases from `bytes`.
 * Errors: AG_ECORRUPT with a sentence; AG_ELIMIT; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err rule_pack_read(struct span bytes,
                                               struct rule_pack **ret);
void rule_pack_free(struct rule_pack *p);
AG_DEFINE_CLEANUP(rule_pack, rule_pack_free)

AG_NONNULL struct rule_pack_parts rule_pack_parts(const struct rule_pack *p);

#endif
