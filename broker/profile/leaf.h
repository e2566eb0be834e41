/*
 * leaf.h - one walk over the leaves of a value, whatever its format.
 * Floor: profile. Depends on: profile/profile, base/secret, base/buf.
 *
 * The scanners (leaf_json, leaf_yaml, leaf_ini, leaf_toml, leaf_lines) work on
 * the bytes in place and copy none of them but names, which go into the
 * pointer. A leaf is still in the format's spelling; leaf_value() decodes it.
 */
#ifndef AG_PROFILE_LEAF_H
#define AG_PROFILE_LEAF_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"

struct secret;

enum leaf_kind {
    LEAF_STRING,
    LEAF_WORD, /* number, true, null: as it stands */
    LEAF_TREE, /* an object, array or flow list, after its own leaves */
};

/* How `raw` spells the value. */
enum leaf_spelling {
    SPELL_PLAIN,
    SPELL_JSON,      /* RFC 8259 escapes; also YAML and TOML double quotes */
    SPELL_YAML_SQ,   /* '' is a quote */
    SPELL_SHELL,     /* within double quotes: \n \t \" \\ \$ \` */
    SPELL_BACKSLASH, /* a backslash makes the next byte itself */
    SPELL_PERCENT,
    SPELL_BLOCK, /* YAML | block: `indent` bytes are cut from each line */
};

struct leaf {
    const char *pointer; /* RFC 6901, borrowed for the call */
    enum leaf_kind kind;
    enum leaf_spelling spelling;
    struct span raw;
    size_t indent; /* SPELL_BLOCK */
};

typedef enum ag_err (*leaf_fn)(void *arg, const struct leaf *leaf);

/* State of one walk, shared by the scanners. */
struct leaf_walk {
    struct span in;
    size_t at;
    size_t line; /* from 1 */
    unsigned depth;
    size_t count;
    struct buf pointer;
    leaf_fn each;
    void *arg;
};

/*
 * Calls `each` for every leaf in order. Any other result than AG_OK ends the
 * walk and is passed on.
 * Errors: AG_EINVAL with line or byte; AG_ELIMIT depth, count, pointer.
 */
AG_CHECK enum ag_err leaf_walk(struct span content, enum file_format format,
                               leaf_fn each, void *arg);

/* Decodes one leaf. Errors: AG_EINVAL bad escape; AG_ELIMIT; AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err leaf_value(const struct leaf *leaf,
                                           struct secret **ret);

/* For the scanners: a pointer segment, escaped, is put on or taken off; the
 * current pointer is given with a leaf. */
AG_CHECK AG_NONNULL enum ag_err walk_push(struct leaf_walk *w, struct span name,
                                          size_t *ret_mark);
AG_CHECK AG_NONNULL enum ag_err walk_push_index(struct leaf_walk *w,
                                                size_t index, size_t *ret_mark);
AG_NONNULL void walk_pop(struct leaf_walk *w, size_t mark);
AG_CHECK AG_NONNULL enum ag_err walk_leaf(struct leaf_walk *w,
                                          enum leaf_kind kind,
                                          enum leaf_spelling spelling,
                                          struct span raw, size_t indent);

/* push, leaf, pop. */
AG_CHECK AG_NONNULL enum ag_err walk_named(struct leaf_walk *w,
                                           struct span name,
                                           enum leaf_spelling spelling,
                                           struct span raw);

/* AG_EINVAL with "line N: what". */
AG_CHECK AG_NONNULL enum ag_err walk_wrong(const struct leaf_walk *w,
                                           const char *what);

/* The next line without its end (LF or CRLF) into *ret; false at the end. */
AG_NONNULL bool walk_line(struct leaf_walk *w, struct span *ret);

/* Blanks and tabs off both ends. */
struct span span_trim(struct span text);

/* The scanners. */
AG_CHECK AG_NONNULL enum ag_err leaf_json(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_yaml(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_ini(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_toml(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_env(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_netrc(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_pgpass(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_urls(struct leaf_walk *w);
AG_CHECK AG_NONNULL enum ag_err leaf_whole(struct leaf_walk *w);

/*
 * The password of `scheme://user:password@host…`, as it is spelled there; a
 * span of length 0 when there is none.
 */
struct span url_password(struct span url);
struct span url_user(struct span url);

#endif
