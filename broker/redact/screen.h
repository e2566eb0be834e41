/*
 * screen.h - what a terminal makes of a text, as far as a filter has to know:
 * where control sequences begin and end, how many columns a character takes,
 * and whether the program keeps account of columns.
 * Floor: redact. Depends on: base/span.
 * Source: ECMA-48 5th edition; xterm's ctlseqs for the private modes; widths
 * after Unicode 14, EastAsianWidth.txt (W and F are two columns).
 *
 * Where columns are counted. Text that only scrolls up has no columns: there a
 * marker may be of any length. A program counts them
 * - on the alternate screen (?47, ?1047, ?1049): vim, less, htop;
 * - while it edits lines or draws at a prompt, which it says by bracketed paste
 *   (?2004): shells between two commands, agents that draw without the
 *   alternate screen;
 * - within a synchronized update (?2026);
 * - for SCREEN_LINES_COUNT lines after it moved the cursor to other lines, set a
 *   scroll region or drew upwards: progress bars, menus of a few lines;
 * - until the line's end after it moved the cursor back or to a column within a
 *   line that had text (\r of a \r\n does not).
 */
#ifndef AG_REDACT_SCREEN_H
#define AG_REDACT_SCREEN_H

#include "base/attr.h"
#include "base/span.h"

enum {
    SCREEN_LINES_COUNT = 24, /* what such a drawing is high at most */
};

enum screen_state {
    SCREEN_TEXT,
    SCREEN_ESCAPE,     /* behind ESC */
    SCREEN_CHARSET,    /* behind ESC and what needs a final byte: ESC ( B */
    SCREEN_CONTROL,    /* behind ESC [: parameters up to a final byte */
    SCREEN_STRING,     /* OSC, DCS, APC, PM, SOS: up to BEL or ESC \ */
    SCREEN_STRING_END, /* ESC within one */
};

/* Begins as zeroes. */
struct screen {
    enum screen_state state;
    /* Of a control sequence. */
    uint8_t mark;    /* the first of <=>?, or 0 */
    bool is_odd;     /* other bytes than digits and ; : no motion of ours */
    uint32_t number; /* the parameter that is being read */
    unsigned modes;  /* those of enum mode that stood among them */
    unsigned set;    /* modes that are on */
    uint32_t lines;  /* newlines until a drawing is over */
    bool line_has_text;
    bool line_is_back; /* \r behind text: overdraws, unless a newline comes */
    bool line_is_drawn;
    /* Of a character in UTF-8. */
    uint8_t left; /* bytes to come */
    uint32_t code;
};

/* What a byte was. */
enum screen_byte {
    SCREEN_BYTE_SHOWN,  /* ended a character; *ret_columns: how wide */
    SCREEN_BYTE_PART,   /* of a character that goes on */
    SCREEN_BYTE_SINGLE, /* a control character by itself: \n, \b, … */
    SCREEN_BYTE_INSIDE, /* of a control sequence that goes on */
    SCREEN_BYTE_LAST,   /* ended one */
    SCREEN_BYTE_STRING, /* of a control string, its ends too */
};

/* The next byte that the terminal gets. */
AG_NONNULL enum screen_byte screen_step(struct screen *s, uint8_t byte,
                                        unsigned *ret_columns);

/* All of `text`, as screen_step() would. */
AG_NONNULL void screen_pass(struct screen *s, struct span text);

/* Does the program count columns here? */
AG_NONNULL bool screen_is_drawn(const struct screen *s);

/* How many columns `text` would take, behind what was passed. */
AG_NONNULL size_t screen_columns(const struct screen *s, struct span text);

#endif
