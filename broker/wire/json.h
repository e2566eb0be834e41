/*
 * json.h - strict JSON in, over jansson: one value, no duplicate key, no
 * trailing byte, no NUL, a cap on size, depth and number of values.
 * Floor: wire. Depends on: base/wipealloc, jansson.
 *
 * All of jansson's memory is wiped when it is freed, so a parsed tree may hold
 * a secret for the length of one call. Functions here are wjson_*, since
 * json_* is jansson's own.
 */
#ifndef AG_WIRE_JSON_H
#define AG_WIRE_JSON_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct buf;

enum {
    /* One request or answer: the largest value in base64 and its fields. */
    WJSON_MAX_BYTES = 256 * 1024,
    WJSON_DEPTH_MAX = 16,           /* levels of [ and { */
    WJSON_VALUES_MAX_COUNT = 20000, /* commas and brackets: bounds the tree */
};

/*
 * Gives jansson the wiping allocator and a random hash seed. Called by every
 * wjson_ function; a program that calls jansson itself calls it first.
 * Threads: safe, once.
 */
void wjson_setup(void);

/* AG_AUTO(wjson) json_t *tree = NULL; */
static inline void
wjson_cleanup(json_t **slot)
{
    json_decref(*slot);
}

/*
 * Parses one object or array of at most max_bytes.
 * Ownership: *ret is the caller's, dropped with json_decref().
 * Errors: AG_ELIMIT size, depth or count; AG_EINVAL with a sentence that names
 *         the place (never the text).
 * Threads: safe. Blocks: no.
 */
AG_CHECK AG_NONNULL enum ag_err wjson_parse(struct span text, size_t max_bytes,
                                            json_t **ret);

/* The bytes of a JSON string; borrowed from the tree. */
AG_NONNULL struct span wjson_view(const json_t *string);

/*
 * Appends the compact text of a tree. In two passes over it, without
 * allocating on the way: jansson's own json_dumps() passes over a key that
 * memory ran out for, and then gives a text that is cut.
 * Errors: AG_ELIMIT, AG_ENOMEM; `out` is unchanged.
 */
AG_CHECK AG_NONNULL enum ag_err wjson_dump(const json_t *tree, struct buf *out);

#endif
