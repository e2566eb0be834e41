/*
 * prints.h - a redaction set that holds no secrets: of every form of every
 * value a fingerprint, by which a machine without the vault finds it in text.
 * Floor: redact. Depends on: base/buf, redact/gram, redact/matcher, libsodium.
 *
 * Construction. A set has a key of 32 random bytes, which is in the file. Of
 * each form F (variants.h; without a newline, GRAM_FORM_MIN_BYTES or more) one
 * place is taken that gram.h chooses by looking at F alone, and from there one
 * of the extents PRINTS_EXTENTS: the shortest that tells too little to guess
 * by. Kept are
 *   SipHash-2-4 of the extent under the key's first half, 64 bits;
 *   BLAKE2b of F under the key, 128 bits;
 *   F's length, the extent's place in it, which form it is and of which value.
 * Where a text's chosen place begins an extent of the set, the stretch it would
 * be a part of is compared as a whole.
 *
 * Who holds the file learns: how many values there are, their names (unless
 * left out), the lengths of their forms and by which forms exist a little of
 * their characters; and can try guesses, some 10^8 a second and core. No guess
 * at less than an extent can be told from another, and an extent is only used
 * if it depends on PRINTS_BITS_MIN bits of the value, counted by the alphabet
 * that the value is made of and by how much longer the form is on the average,
 * and if it looks drawn by chance. A value without such a one is left out: what
 * is short, words, a URL of which only a short password is unknown. A form
 * without one is not found by the set (hex in hex of less than 22 characters),
 * nor is a part of a value that has none, as a short last line.
 *
 * File, numbers little-endian:
 *   "AGPRINT1" | key 32 | made, wall ms u64 | values u32 | forms u32 |
 *   of each value the name: length u8, bytes |
 *   of each form, ordered: extent u64, print 16, value u32, length u16,
 *     extent's place u16, its number u8, form u8 |
 *   BLAKE2b-256 of all before, against damage
 */
#ifndef AG_REDACT_PRINTS_H
#define AG_REDACT_PRINTS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/matcher.h"
#include "redact/variants.h"

enum {
    PRINTS_FILE_MAX_BYTES = 32 * 1024 * 1024,
    PRINTS_VALUES_MAX_COUNT = MATCHER_VALUES_MAX_COUNT,
    PRINTS_BITS_MIN = 72,
    PRINTS_EXTENT_COUNT = 3,
    PRINTS_EXTENT_MAX_BYTES = 40,
};

/* Lengths from a chosen place on; there is no blank or control in any. */
extern const uint8_t PRINTS_EXTENTS[PRINTS_EXTENT_COUNT];

/* ---- making one: where the values are ---- */

struct prints_maker;

enum prints_fate {
    PRINTS_TAKEN,
    PRINTS_SHORT,     /* below GRAM_FORM_MIN_BYTES */
    PRINTS_GUESSABLE, /* there is nothing in it that could not be guessed */
};

/* Errors: AG_ENOMEM, AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err prints_maker_new(struct prints_maker **ret);
void prints_maker_free(struct prints_maker *m);
AG_DEFINE_CLEANUP(prints_maker, prints_maker_free)

/* `value` as for matcher_build(); its id does not matter. Of a long value, or
 * one with several lines, each part has a fate of its own: the best is told.
 * Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
prints_maker_add(struct prints_maker *m, const struct matcher_value *value,
                 enum prints_fate *ret);

/* The file. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
prints_maker_write(struct prints_maker *m, int64_t made_ms, struct buf *out);

/* ---- using one ---- */

struct prints;

/* Errors: AG_ECORRUPT with a sentence; AG_ENEWER; AG_ENOMEM.
 * Ownership: nothing of `file` is kept. Threads: a set may be read by many. */
AG_CHECK AG_NONNULL enum ag_err prints_load(struct span file,
                                            struct prints **ret);
void prints_free(struct prints *p);
AG_DEFINE_CLEANUP(prints, prints_free)

AG_NONNULL size_t prints_value_count(const struct prints *p);
AG_NONNULL size_t prints_form_count(const struct prints *p);
AG_NONNULL int64_t prints_made_ms(const struct prints *p);
AG_NONNULL size_t prints_longest_bytes(const struct prints *p);

/* One form of the set. */
struct prints_form {
    uint32_t value; /* its number, from 0 */
    size_t len;
    size_t extent_at;
    enum variant form;
};

/* How many bytes from `text` on an extent could have there. */
AG_NONNULL size_t prints_reach(struct span text);

/* The forms with this extent (`number`; all of it is at `at`): the first one's
 * number and, as the result, how many follow each other. */
AG_NONNULL size_t prints_find(const struct prints *p, const uint8_t *at,
                              size_t number, size_t *ret_first);
AG_NONNULL struct prints_form prints_form_at(const struct prints *p,
                                             size_t number);

/* Is `text`, which has the form's length, that form? */
AG_NONNULL bool prints_is(const struct prints *p, size_t number,
                          struct span text);

/* Borrowed from the set; empty when names were left out. */
AG_NONNULL struct span prints_name(const struct prints *p, uint32_t value);

#endif
