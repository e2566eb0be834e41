/*
 * view_impl.h - the inside of the views, shared by view.c (reading) and
 * view_enter*.c and view_bits.c (where it is worth it). Nobody else includes it.
 * Floor: redact.
 */
#ifndef AG_REDACT_VIEW_IMPL_H
#define AG_REDACT_VIEW_IMPL_H

#include "redact/matcher_impl.h"
#include "redact/view.h"
#include "redact/view_steps.h"

enum {
    VIEW_BATCH_BYTES = 512,      /* of the text, read at a time */
    VIEW_FIRST_BATCH_BYTES = 48, /* most end there */
    VIEW_SPAN_PER_BYTE = 8,      /* colour or an entity around each character */
    VIEW_SPAN_SPARE_BYTES = 256, /* a step, a dump's line */
    VIEW_STRETCH_BYTES = 19,     /* of a dump: eight bytes, two without blank */
    VIEW_DUMP_STEP_BYTES = 8,    /* from one look for a dump to the next */
    VIEW_DUMP_MARKS_BYTES = 4,   /* between two numbers of a stretch, at most */
    VIEW_NUMBER_MAX_DIGITS = 4,
    VIEW_FORM_MIN_BYTES = 8, /* of those that are looked for in views */
    /* As many runs of four bytes are in the shortest. */
    VIEW_FORM_TETRADS_COUNT = VIEW_FORM_MIN_BYTES - 4 + 1,
};

#define VIEW_NOWHERE UINT64_MAX

struct view_row {
    step_fn step;
    enum variant form;
    const bool *marks; /* bytes it may read otherwise; NULL: all */
};

extern const struct view_row VIEW_ROWS[VIEW_COUNT];

/* One text that is being read. */
struct reading {
    struct views *v;
    const struct views_request *in;
    struct step_text text;
};

/* Where the view stands in the text; before it, where a step was cut. */
static inline ptrdiff_t
view_at(const struct reading *r, const struct view *view)
{
    return (ptrdiff_t)(view->pos - r->in->offset);
}

/* Has the view read text[at], or can't it in this text? */
static inline bool
view_has_passed(const struct reading *r, enum view_id id, size_t at)
{
    const struct view *view = &r->v->list[id];

    return view->is_cut || view->pos > r->in->offset + at;
}

static inline bool
view_is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
           (c >= 'a' && c <= 'f');
}

static inline bool
view_is_word(int c)
{
    return view_is_hex(c) || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') ||
           c == '_';
}

/* The value of a hexadecimal digit, or VIEW_NO_DIGIT. */
extern const uint8_t VIEW_DIGITS[256];

enum {
    VIEW_NO_DIGIT = 0xff,
};

/* The byte that two digits make, or -1. */
static inline int
view_byte(const uint8_t *at)
{
    unsigned int high = VIEW_DIGITS[at[0]];
    unsigned int low = VIEW_DIGITS[at[1]];

    return (high | low) == VIEW_NO_DIGIT ? -1 : (int)(high << 4 | low);
}

/* Is there one mark between two numbers? */
static inline bool
view_is_mark(const uint8_t *at)
{
    return at[0] == ' ' ? at[1] != ' '
                        : at[0] == ':' || at[0] == '-' || at[0] == ',';
}

/* A number of a dump, or several, of `len` bytes, stand at view->pos. */
static inline void
view_note_number(struct view *view, size_t len)
{
    struct view_dump *dump = &view->dump;

    if (view->pos > dump->end + VIEW_DUMP_MARKS_BYTES) {
        dump->start = view->pos;
    }
    dump->end = view->pos + len;
    if (dump->first == VIEW_NOWHERE &&
        dump->end - dump->start >= VIEW_STRETCH_BYTES) {
        dump->first = dump->start;
    }
}

/* ---- view.c ---- */

/* Reads on from view->pos until nothing is under way, or the text ends. */
AG_NONNULL void view_read(struct reading *r, enum view_id id, size_t batch);

/* Reads text[from..at) as it is, and from there on as above. */
AG_NONNULL void view_read_from(struct reading *r, enum view_id id, size_t from,
                               size_t at);

/* A dump begins at `pos`, and is read until something breaks it. */
AG_NONNULL void view_begin_dump(struct view *view, uint64_t pos);

/* ---- view_bits.c ---- */

enum {
    VIEW_BLOCK_BYTES = 64, /* of the text, looked at at once */
};

/* Of a block's bytes a bit each, the first one's the lowest. */
struct view_bits {
    uint64_t marks;  /* what a view other than that of dumps may want to read
                      * otherwise: all such, and few others */
    uint64_t digits; /* hexadecimal */
    uint64_t dump;   /* these and the marks of a dump, and few others */
};

/* Of the blocks that begin at `text`. */
AG_NONNULL void view_bits_of(const uint8_t *text, size_t count,
                             struct view_bits *ret);

/* The same on machines that have nothing better. */
AG_NONNULL void view_bits_anywhere(const uint8_t *text, size_t count,
                                   struct view_bits *ret);

/* ---- view_enter_dump.c ---- */

/* If text[at] is in the middle of a dump. */
AG_NONNULL void view_enter_dump(struct reading *r, size_t at);

/* Not 0 if eight bytes of a dump begin at a multiple of eight: every stretch has
 * some of these. */
static inline uint64_t
view_eights(uint64_t dump)
{
    const uint64_t low = 0x0101010101010101ULL;

    return (~dump - low) & dump & low << 7;
}

/* Of runs that end at each bit of two blocks: those that are longer by `step`
 * bits than a step before. */
AG_NONNULL static inline void
view_longer(uint64_t *before, uint64_t *runs, unsigned int step)
{
    *runs &= *runs << step | *before >> (VIEW_BLOCK_BYTES - step);
    *before &= *before << step;
}

/*
 * The last bytes of the stretches of VIEW_STRETCH_BYTES that begin with a
 * number and end in the second of two blocks.
 */
AG_NONNULL static inline uint64_t
view_ends_of_stretches(const struct view_bits *before,
                       const struct view_bits *bits)
{
    uint64_t runs_before = before->dump;
    uint64_t runs = bits->dump;
    uint64_t starts = bits->digits & ~(bits->digits << 1);
    uint64_t starts_before = before->digits & ~(before->digits << 1);

    view_longer(&runs_before, &runs, 1);
    view_longer(&runs_before, &runs, 2);
    view_longer(&runs_before, &runs, 4);
    view_longer(&runs_before, &runs, 8);
    view_longer(&runs_before, &runs, VIEW_STRETCH_BYTES - 16);
    return runs &
           (starts << (VIEW_STRETCH_BYTES - 1) |
            starts_before >> (VIEW_BLOCK_BYTES - (VIEW_STRETCH_BYTES - 1)));
}

/* All dumps that begin in the block text[at] or reach into it; `bits` are its
 * own, those of the block before it stand before them. */
AG_NONNULL void view_enter_dumps(struct reading *r, size_t at,
                                 const struct view_bits *bits);

/* What stands at the text's end may be the beginning of one. */
AG_NONNULL void view_enter_dump_at_end(struct reading *r);

/* ---- view_enter.c ---- */

/* Enters the views wherever that may find anything. */
AG_NONNULL void view_enter_all(struct reading *r);

#endif
