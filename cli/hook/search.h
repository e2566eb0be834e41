/*
 * search.h - where secrets stand in a text that is not to be changed: values of
 * the vault, looked for by the broker's filter, and what rules take for one.
 * Floor: cli. Depends on: rules, session, cli.
 *
 * Values and rules are looked for beside each other; a rule's find that begins
 * where a value's does is dropped. Of one text at most SEARCH_PLACES_MAX_COUNT
 * finds are kept, the rest is counted.
 *
 * Threads: one. Blocks: on the text and the broker.
 */
#ifndef AG_CLI_HOOK_SEARCH_H
#define AG_CLI_HOOK_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "rules.h"

struct buf;
struct cli;
struct search;

enum {
    SEARCH_PLACES_MAX_COUNT = 1000, /* more is a dump, and nobody reads on */
    SEARCH_SPOOL_MAX_BYTES = 256 * 1024 * 1024, /* of a pipe: held in memory */
    SEARCH_NAME_BYTES = 256,
    SEARCH_FORM_BYTES = 32,
};

enum search_known {
    SEARCH_KNOWN_MUST,    /* or it fails and says why */
    SEARCH_KNOWN_IF_OPEN, /* or search_without() says why not */
    SEARCH_KNOWN_NOT,
};

struct search_terms {
    enum search_known known;
    enum rule_level_word rules; /* RULE_WORD_NONE: those of `files` alone */
    const struct arg_list *files;
    const char *set; /* a file of fingerprints (redact/prints.h), or NULL */
};

struct place {
    uint64_t offset; /* of the first byte, from where the text began */
    uint64_t line;   /* from 1 */
    uint64_t column; /* bytes, from 1 */
    char name[SEARCH_NAME_BYTES]; /* a secret's, "rule:ID", or "-": untold */
    char form[SEARCH_FORM_BYTES]; /* "raw", "base64", … */
};

struct places {
    struct place *items; /* in the order of the text */
    size_t count;
    size_t cap;
    uint64_t more; /* found and not kept */
};

void places_done(struct places *p);
AG_DEFINE_CLEANUP_INPLACE(places, places_done)

/* Errors: with SEARCH_KNOWN_MUST why the broker can't be asked; those of
 * rule_stage_new() and printset_read(). Ownership: *ret is the caller's; cli and files borrowed. */
AG_CHECK AG_NONNULL enum ag_err search_open(struct cli *cli,
                                            const struct search_terms *terms,
                                            struct search **ret);
void search_free(struct search *s);
AG_DEFINE_CLEANUP(search, search_free)

/* Why values of the vault are not looked for, as a sentence; NULL when they
 * are, were not asked for, or there is no vault. */
AG_NONNULL const char *search_without(const struct search *s);

/* Are values of the vault looked for? */
AG_NONNULL bool search_knows(const struct search *s);

/*
 * Searches from where `fd` stands to its end; it must be seekable (see
 * search_spool()) and stands somewhere afterwards. In a format that has records
 * a find is where its record begins, and of several of one name one is told.
 * Ownership: *ret is zero before; the caller's, for places_done(), also on
 * errors.
 * Errors: AG_EFILTER, AG_ELOCKED: the broker ended or was locked; AG_EIO;
 *         AG_EMEMLOCK; AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err
search_text(struct search *s, int fd, enum format format, struct places *ret);

/* A descriptor that can be read twice: a regular file's is duplicated, what
 * another brings is held in memory. Errors: AG_ELIMIT beyond
 * SEARCH_SPOOL_MAX_BYTES; AG_EIO; AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err search_spool(int fd, int *ret);

/* "holds the value of web/key, as base64", "looks like a secret (rule
 * github-token)". Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err place_words(const struct place *p,
                                            struct buf *out);
AG_NONNULL bool place_is_rule(const struct place *p);

#endif
