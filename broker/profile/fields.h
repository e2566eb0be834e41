/*
 * fields.h - the fields of a stored value: found by pointer, or all the secret
 * ones for the redaction set.
 * Floor: profile. Depends on: profile/profile, base/secret, base/buf.
 *
 * A value is never handed to a library and never copied outside locked memory:
 * each format has a strict scanner of our own that walks the bytes where they
 * are and decodes one leaf at a time into a `struct secret`. Pointers are
 * names and are public.
 *
 * Every format has a pointer syntax (profile.h, enum file_format). JSON and
 * the others are read strictly: what the tool itself could not have written is
 * AG_EINVAL (the sentence says which line, never the content).
 */
#ifndef AG_PROFILE_FIELDS_H
#define AG_PROFILE_FIELDS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"

struct secret;

enum {
    FIELD_DEPTH_MAX = 32,
    FIELD_POINTER_MAX_BYTES = 1024,
    FIELDS_MAX_COUNT = 4096, /* leaves of one value */
    /* Shorter leaves of a value without declared fields are not secrets:
     * they are words such as "Bearer", and masking them ruins the output. */
    FIELD_UNDECLARED_MIN_BYTES = 12,
};

/*
 * Called for each secret field. `pointer` is borrowed for the call ("" when
 * the whole value is meant); `value` is the callee's, who frees it. Any other
 * result than AG_OK ends the walk and is passed on.
 */
typedef enum ag_err (*field_secret_fn)(void *arg, const char *pointer,
                                       struct secret *value);

/*
 * The secret fields of `content`: what `file` declares, or, when file is NULL
 * or declares none, each string leaf of FIELD_UNDECLARED_MIN_BYTES and more
 * that is not a plain URL, path, time or number. The password inside a URL
 * counts whatever is declared; a secret that is JSON again gives its own
 * strings too. FORMAT_OPAQUE and FORMAT_PEM have one field, the whole, with its
 * last newline cut; so has content that is not of its format: better too much
 * than nothing. Empty leaves and references (`${NAME}`) are passed over. `file`
 * NULL: the format is guessed.
 *
 * Errors: AG_EMEMLOCK, AG_ENOMEM; what `each` returned.
 * Threads: safe. Blocks: no.
 */
AG_CHECK enum ag_err fields_secret(struct span content,
                                   const struct profile_file *file,
                                   field_secret_fn each, void *arg);

/*
 * The one field at `pointer` (RFC 6901, still encoded; empty: the whole
 * content, byte for byte). Strings are decoded, numbers and words as they
 * stand, an object or array is its text.
 * Errors: AG_ENOTFOUND no such field; AG_EINVAL malformed pointer or content;
 *         AG_ELIMIT; AG_EMEMLOCK.
 */
AG_CHECK AG_NONNULL enum ag_err field_get(struct span content,
                                          enum file_format format,
                                          struct span pointer,
                                          struct secret **ret);

/* Checks that content is of the format, as adopt does before it moves. */
AG_CHECK enum ag_err fields_check(struct span content, enum file_format format);

/* JSON if it parses as an object or array, PEM by its armour, else opaque. */
enum file_format format_guess(struct span content);

/* Does an encoded pointer match a field pattern (profile.h)? */
AG_NONNULL bool field_match(const char *pattern, const char *pointer);

/* A well-formed RFC 6901 pointer (or empty). Errors: AG_EINVAL. */
AG_CHECK enum ag_err field_pointer_check(struct span pointer);

#endif
