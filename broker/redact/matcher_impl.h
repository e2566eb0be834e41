/*
 * matcher_impl.h - the inside of a set, shared by its builder (matcher.c,
 * pieces.c, …) and its reader (scan.c). Nobody else includes it.
 * Floor: redact.
 */
#ifndef AG_REDACT_MATCHER_IMPL_H
#define AG_REDACT_MATCHER_IMPL_H

#include <stdatomic.h>
#include <string.h>

#include <endian.h>

#include "redact/lockmem.h"
#include "redact/matcher.h"
#include "redact/pieces.h"

enum {
    KEY_BYTES = 4, /* no form is shorter */
    FORM_BITS = 6,
    PIECES_MAX_COUNT = 1 << (32 - FORM_BITS),
    SCRATCH_BYTES = 64, /* of a form written anew for comparison */
    WINDOW_MAX_BYTES = 24,
    CLASS_COUNT = 4,
    CLASS_TOKENS = CLASS_COUNT - 1, /* forms of fewer than 8 bytes; with few of
                                     * these all of fewer than 12 */
    WORD_BYTES = 8,                 /* one load; the largest block */
    WINDOWS_COUNT = 4,
    WINDOW_KEYS_BYTES = 4 * sizeof(uint64_t),
    /* Of starts found ahead, on behalf of a task: a tile, and how far in front
     * of its window a form may begin. */
    STARTS_COUNT = 16384,
    SET_TILE_BYTES = 4096,
    SET_AT_MAX_BYTES = STARTS_COUNT - SET_TILE_BYTES - 64,
};

_Static_assert(VARIANT_COUNT <= 1 << FORM_BITS, "a form needs more bits");

struct set_value {
    uint64_t id;
    uint32_t name_at; /* in bytes[]; the value follows the name */
    uint32_t value_len;
    uint8_t name_len;
    uint8_t flags;
    bool is_weak; /* a token: not looked for on behalf of a task */
};

struct set_piece {
    uint32_t at;    /* in bytes[] */
    uint16_t value; /* index */
    uint16_t len;
    uint16_t random_end; /* of its most random characters: see windows.c */
    bool is_line;        /* of a value with several */
};

_Static_assert(MATCHER_VALUES_MAX_COUNT <= UINT16_MAX + 1, "an index");
_Static_assert(MATCHER_NAME_MAX_BYTES <= UINT8_MAX, "a name's length");
_Static_assert(2 * MATCHER_PIECE_MAX_BYTES <= UINT16_MAX, "a piece's length");

struct set_entry {
    uint32_t key; /* the form's first bytes, big-endian */
    uint32_t ref; /* piece << FORM_BITS | form */
};

/* Forms of similar length. A bitmap has 2^(64-shift) bits. */
struct set_class {
    uint8_t *blocks; /* every block of every window; NULL: class is empty */
    uint8_t *heads;  /* the first block of every form */
    uint32_t block_bytes;
    uint32_t window_bytes; /* of each form's start; no form is shorter */
    uint32_t stride;       /* window - block + 1 */
    uint32_t block_shift;
    uint32_t head_shift;
    uint32_t entry_count;
};

/* The same on behalf of a task: see windows.c. */
struct set_windows {
    uint8_t *marks;   /* every block of every window; NULL: there are none */
    uint32_t *firsts; /* of each bucket, the index of its first cell */
    uint8_t *cells;   /* of three bytes */
    uint32_t block_bytes;
    uint32_t stride;
    uint32_t mark_shift;
    uint32_t bucket_shift;
    size_t cell_count;
};

/* Where 12 bytes of a value are looked for: see fragments.c. One look tells of
 * forms as well where has_forms holds: then the blocks that begin with a form's
 * first `stride` bytes are marked, too, but of forms of CLASS_TOKENS. */
struct set_fragments {
    uint8_t *marks;    /* every block; NULL: there are none */
    uint8_t *trigrams; /* every three bytes, hashed */
    uint32_t *firsts;  /* of each bucket, the index of its first cell */
    uint32_t *cells;   /* places in bytes[], of a block each */
    uint32_t mark_shift;
    uint32_t block_bytes; /* of a mark */
    uint32_t stride;
    uint32_t bucket_shift;
    size_t cell_count;
    bool is_single; /* of the marks: see marks.h */
    bool has_forms;
};

/* Where forms of CLASS_TOKENS are looked for: see tokens.h. */
struct set_tokens {
    uint8_t *tables; /* NULL: there are none, or too many */
    bool is_quick;   /* few, and all of ASCII */
};

/* Every four bytes of a form: see tetrads.h. */
struct set_tetrads {
    uint8_t *marks; /* NULL: all may be */
    uint8_t *pairs; /* every two bytes of a form: 65536 bits */
    uint32_t shift;
};

/* Where comparisons write forms: in locked memory, with who compares. */
struct set_scratch {
    struct variant_gen gen;
    uint8_t bytes[SCRATCH_BYTES];
};

struct matcher {
    atomic_size_t refs;
    struct matcher *base;   /* what this extends, or NULL */
    struct lockmem store;   /* values, bytes, pieces, entries */
    struct lockmem bitmaps; /* of the classes, and pairs */
    struct lockmem window_store;
    struct lockmem fragment_store;
    struct lockmem tetrad_store;
    uint64_t serial; /* of all sets of this process */
    struct set_value *values;
    uint8_t *bytes;
    struct set_piece *pieces;
    struct set_entry *entries;
    struct set_scratch *scratch; /* two, while building */
    uint64_t *window_keys;       /* random, of this set */
    uint8_t *pairs;              /* first two bytes of any form: 65536 bits */
    uint8_t *quads;              /* hash of the first four of any form */
    uint32_t quad_shift;
    struct set_tokens tokens;
    bool has_strong_tokens; /* not all of CLASS_TOKENS are of weak values */
    bool has_long_tokens;   /* see bitmaps.c */
    size_t value_count;
    size_t piece_count;
    size_t entry_count;
    size_t longest_bytes;
    size_t longest_piece_bytes;
    enum matcher_cut cut;
    size_t line_ends;
    size_t window_max_bytes;
    bool is_folded; /* see bitmaps.c */
    struct set_class classes[CLASS_COUNT];
    size_t reach_bytes; /* from a form's start to past its window, at most */
    struct set_windows windows[WINDOWS_COUNT];
    bool has_looks; /* fragments and views; else only forms */
    struct set_fragments fragments;
    struct set_tetrads tetrads;
};

/* How a form and a text that begins somewhere relate. */
struct set_order {
    int sign;      /* of form - text; a form that is a prefix is smaller */
    size_t common; /* equal bytes at their starts */
    bool is_whole; /* the form ended: all of it is there */
    bool is_open;  /* the text ended: the form may follow */
};

static inline struct span
set_raw(const struct matcher *m, uint32_t ref)
{
    const struct set_piece *piece = &m->pieces[ref >> FORM_BITS];

    return span_of(m->bytes + piece->at, piece->len);
}

static inline bool
set_is_weak(const struct matcher *m, uint32_t ref)
{
    return m->values[m->pieces[ref >> FORM_BITS].value].is_weak;
}

static inline struct matcher_value
set_value_of(const struct matcher *m, size_t index)
{
    const struct set_value *v = &m->values[index];

    return (struct matcher_value){
        .id = v->id,
        .name = span_of(m->bytes + v->name_at, v->name_len),
        .value = span_of(m->bytes + v->name_at + v->name_len, v->value_len),
        .flags = (enum matcher_flags)v->flags,
    };
}

static inline enum variant
set_form(uint32_t ref)
{
    return (enum variant)(ref & ((1U << FORM_BITS) - 1));
}

#define SET_HASH_FACTOR 0x9e3779b97f4a7c15ULL

/* Hash of the first `block_bytes` of a word that was loaded little-endian. */
static inline uint64_t
set_hash(uint64_t word, uint32_t block_bytes)
{
    return (word << (64 - 8 * block_bytes)) * SET_HASH_FACTOR;
}

static inline uint64_t
set_load(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

/* The same where fewer than a word's bytes are left. */
static inline uint64_t
set_load_short(const uint8_t *at, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, at, len < sizeof(word) ? len : sizeof(word));
    return le64toh(word);
}

/* Of the powers of two from `least` to `most` the first that is enough. */
static inline uint32_t
set_log2(size_t wanted, uint32_t least, uint32_t most)
{
    uint32_t log2 = least;

    while (log2 < most && (size_t)1 << log2 < wanted) {
        log2++;
    }
    return log2;
}

static inline bool
set_bit(const uint8_t *bitmap, uint64_t index)
{
    return (bitmap[index >> 3] >> (index & 7) & 1) != 0;
}

/* ---- entries.c: their order ---- */

/* Compares the form `ref` with `text`. */
AG_NONNULL struct set_order set_compare(const struct matcher *m, uint32_t ref,
                                        struct span text,
                                        struct set_scratch *scratch);

/* Sorts the entries by content; of equal forms the first piece's stands. */
AG_NONNULL void entries_sort(struct matcher *m);

/* May the entry have its first bytes with `text` in common? */
AG_NONNULL bool entries_may_begin(const struct matcher *m, size_t index,
                                  struct span text);

/* How many entries are not greater than `text` (see struct set_order). */
AG_NONNULL size_t entries_upto(const struct matcher *m, struct span text,
                               struct set_scratch *scratch);

/* ---- bitmaps.c ---- */

/* Errors: AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err bitmaps_build(struct matcher *m);

/* How many forms there are but those of CLASS_TOKENS. *ret: the length of the
 * shortest, if that is less. */
AG_NONNULL size_t bitmaps_count(const struct matcher *m, size_t *ret);

/* Tells of the first `bytes` of each of these, which are not longer. */
AG_NONNULL void bitmaps_walk(struct matcher *m, size_t bytes,
                             void (*visit)(struct matcher *m,
                                           const uint8_t *start));

/* ---- windows.c: how forms are looked for on behalf of a task ---- */

/* Where the most random characters of a piece end. */
size_t windows_random_end(struct span raw);

/* Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err windows_build(struct matcher *m);

/*
 * Looks at the blocks that begin at text[from..upto), which may reach further.
 * Sets the bit `start % STARTS_COUNT` of `starts` for each form whose window is
 * there; it may be another form, or none: it is still to be compared.
 */
AG_NONNULL void windows_find(const struct matcher *m, struct span text,
                             size_t from, size_t upto, uint64_t *starts);

/* ---- fragments.c ---- */

/* Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err fragments_build(struct matcher *m);

/* ---- tetrads.c ---- */

/* Errors: as above. */
AG_CHECK AG_NONNULL enum ag_err tetrads_build(struct matcher *m);

#endif
