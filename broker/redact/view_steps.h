/*
 * view_steps.h - how a view reads a text: one step takes what the reader of the
 * text would not see, or would see as another character.
 * Floor: redact. Depends on: base/span.
 *
 * A step is told from what stands at its place and shortly before it, the same
 * wherever the reading began. Where it can't be told from what is there, it is
 * STEP_MORE, unless nothing follows. What takes text of any length (a terminal's
 * sequence, an indent) goes on in the next step: that is `carry`, 0 at first.
 */
#ifndef AG_REDACT_VIEW_STEPS_H
#define AG_REDACT_VIEW_STEPS_H

#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

enum {
    STEP_OUT_MAX_BYTES = 4, /* one character in UTF-8 */
    STEP_MAX_BYTES = 128,   /* of the text, taken at once */
};

/* The text of a view, as in scan.h. Places are relative to the text; those
 * below 0 are in `behind`. */
struct step_text {
    struct span text;
    struct span behind;
    bool is_at_end;
    bool is_fresh; /* nothing is under way */
};

enum step_kind {
    STEP_TEXT,  /* `out`; nothing when out_len is 0 */
    STEP_ERASE, /* takes the last character back */
    STEP_BREAK, /* nothing reaches across */
    STEP_ASIDE, /* passed over so that something may reach across */
    STEP_MORE,  /* not to be told from what is there */
};

struct step {
    enum step_kind kind;
    size_t used; /* of the text */
    size_t out_len;
    uint8_t out[STEP_OUT_MAX_BYTES];
};

/* The step at text[at]. */
typedef struct step (*step_fn)(const struct step_text *t, ptrdiff_t at,
                               unsigned int *carry);

/* What a terminal or a page shows: escape sequences, characters of no width,
 * NULs, overstrikes, lines' ends and indents gone. Payloads of OSC stay. */
AG_NONNULL struct step step_shown(const struct step_text *t, ptrdiff_t at,
                                  unsigned int *carry);

/* JSON, C, shell, percent and entities undone once. */
AG_NONNULL struct step step_unescaped(const struct step_text *t, ptrdiff_t at,
                                      unsigned int *carry);

/* Quoted-printable (RFC 2045 section 6.7) undone. */
AG_NONNULL struct step step_mail(const struct step_text *t, ptrdiff_t at,
                                 unsigned int *carry);

/* The bytes of a dump: hexdump -C, xxd, aa:bb, aa bb, 0xaa. */
AG_NONNULL struct step step_dumped(const struct step_text *t, ptrdiff_t at,
                                   unsigned int *carry);

/* The byte at text[at + ahead], or -1. */
static inline int
step_peek(const struct step_text *t, ptrdiff_t at, size_t ahead)
{
    ptrdiff_t i = at + (ptrdiff_t)ahead;

    if (i >= 0) {
        return (size_t)i < t->text.len ? t->text.ptr[i] : -1;
    }
    i += (ptrdiff_t)t->behind.len;
    return i >= 0 ? t->behind.ptr[i] : -1;
}

/* Do two bytes begin UTF-8 of a character that may take no room? */
static inline bool
step_may_be_zero_width(int first, int second)
{
    return (first == 0xc2 && second == 0xad) ||
           (first == 0xe2 && (second == 0x80 || second == 0x81)) ||
           (first == 0xef && second == 0xbb);
}

#endif
