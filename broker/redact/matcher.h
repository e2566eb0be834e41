/*
 * matcher.h - the redaction set: all forms of many values, compiled for one
 * pass over text. Immutable once built, shared by reference count.
 * Floor: redact. Depends on: redact/variants, redact/lockmem, redact/strength.
 *
 * How it works. Forms are not stored: an entry is (key of four bytes, piece,
 * form), sorted by the form's content; a comparison writes the form anew.
 * Forms fall into classes by length; of each form's first bytes every block
 * of the class's size is marked in a bitmap, so that looking at one block per
 * `stride` of the text is enough to meet every occurrence (block shift, after
 * Wu and Manber 1994, with a constant shift and hence without a dependency
 * from one look to the next). Where a block is marked, the starts that could
 * have led to it are checked in the bitmap of heads, then by binary search.
 * Values of 4 to 7 bytes are a class of their own with its own bitmap, so they
 * cost one cheap pass (tokens.h) and never shorten the stride of the others.
 * An operator's text is looked at for fragments anyway; of a set that isn't
 * very large these looks tell of forms of 8 bytes and more as well, so that
 * nothing is looked for twice and short forms cost next to nothing.
 * For a task, which may measure, the search is another one: see windows.c.
 *
 * What is a match. A value of up to MATCHER_PIECE_MAX_BYTES is one piece; a
 * longer one is cut into pieces that overlap and each count alone. Of a value
 * with several lines every line of at least MATCHER_LINE_MIN_BYTES counts
 * alone too (blanks at its ends left out, PEM armour lines not counted), in
 * its text forms. A form of fewer than 8 bytes counts only as a whole token:
 * no letter, digit, `_` or byte >= 0x80 next to it, unless that belongs to an
 * escape (`\n`, `%20`, `ESC[32m`). Base64 cores that short are left out.
 */
#ifndef AG_REDACT_MATCHER_H
#define AG_REDACT_MATCHER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/variants.h"

struct matcher;

enum {
    MATCHER_PIECE_MAX_BYTES = 4096,      /* bounds what may be held back */
    MATCHER_VALUE_MAX_BYTES = 64 * 1024, /* as the vault's largest value */
    MATCHER_NAME_MAX_BYTES = 255,
    MATCHER_VALUES_MAX_COUNT = 65536, /* the entries' index has 20 bits */
    MATCHER_LINE_MIN_BYTES = 24,
    MATCHER_BEHIND_BYTES = 16, /* looked at before a token */
};

enum matcher_flags {
    MATCHER_PLAIN = 0,
    MATCHER_NO_LINES = 1, /* only the whole value, not its lines */
    MATCHER_SPARE = 2,    /* for whoever collects values: one that may go */
};

struct matcher_value {
    uint64_t id;      /* the caller's; unique in a set */
    struct span name; /* for the marker */
    struct span value;
    enum matcher_flags flags;
};

/*
 * Compiles `values`, which are copied. A value whose strength forbids
 * redaction is left out (see strength.h).
 *
 * Ownership: the caller has one reference to *ret, dropped by matcher_unref().
 * Errors:    AG_ELIMIT (a value, a name or the count), AG_EMEMLOCK, AG_ENOMEM.
 * Threads:   safe. A set may be read by any number of threads.
 */
AG_CHECK enum ag_err matcher_build(const struct matcher_value *values,
                                   size_t count, struct matcher **ret);

/*
 * Values that come on top of `base`: compiled alone, which is quick, and
 * searched together with it. Their ids must not repeat any of base's, and base
 * must not be such a set itself.
 * Ownership: *ret has a reference of its own to base. Errors: as above.
 */
AG_CHECK enum ag_err matcher_extend(struct matcher *base,
                                    const struct matcher_value *values,
                                    size_t count, struct matcher **ret);

AG_NONNULL struct matcher *matcher_ref(struct matcher *m);
void matcher_unref(struct matcher *m); /* wiped with the last; NULL allowed */

static inline void
matcher_cleanup(struct matcher **slot)
{
    matcher_unref(*slot);
}

/* What is in it: how many values, and each as it was given (borrowed). */
AG_NONNULL size_t matcher_count(const struct matcher *m);
AG_NONNULL struct matcher_value matcher_value_at(const struct matcher *m,
                                                 size_t index);

/* What it was extended from, or itself; the base's values come first. */
AG_NONNULL struct matcher *matcher_base(struct matcher *m);

/* Where a text can be cut so that no form of the set reaches across. */
enum matcher_cut {
    MATCHER_CUT_LINE,  /* behind a newline: no value has one inside */
    MATCHER_CUT_BLANK, /* behind an empty line: no value has one inside */
    MATCHER_CUT_NONE,
};

AG_NONNULL enum matcher_cut matcher_cut(const struct matcher *m);

/* The length of `text` up to the last such place behind its first `from` bytes;
 * 0: there is none. */
AG_NONNULL size_t matcher_cut_in(const struct matcher *m, struct span text,
                                 size_t from);

/* How many newlines a form of the set has inside, at most. */
AG_NONNULL size_t matcher_line_ends(const struct matcher *m);

/* The length of `text` up to the last line's end that has, in `text`, so many
 * more behind it, or a few more than that, that a form which begins before it
 * ends within `text`; 0: there is none. */
AG_NONNULL size_t matcher_lines_in(const struct matcher *m, struct span text);

/* The length of the first line of `text`, behind which there may be such a
 * place; all of it: it has no end, or there is no such place in any text. */
AG_NONNULL size_t matcher_line_in(const struct matcher *m, struct span text);

/* The longest form of any piece: nothing longer is ever held back. */
AG_NONNULL size_t matcher_longest_bytes(const struct matcher *m);
AG_NONNULL size_t matcher_locked_bytes(const struct matcher *m);
AG_NONNULL size_t matcher_entry_count(const struct matcher *m);

/*
 * For tests: forms whose bit is not set are left out of sets built from now
 * on. All are enabled at first.
 */
void matcher_enable_forms(uint64_t mask);

/* For tests: sets built from now on are searched for their forms only, not for
 * fragments nor in views; or for all, as at first. */
void matcher_enable_looks(bool enabled);

#endif
