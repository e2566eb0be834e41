/*
 * text.h - text of others on our terminal: nothing in it may steer the screen.
 * Floor: cli. Depends on: nothing.
 */
#ifndef AG_CLI_TEXT_H
#define AG_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes `text` with control bytes (C0, DEL, C1, stray bytes of UTF-8) as
 * \xNN; a tab passes. */
void text_show(FILE *to, const char *text);

/* Columns that text_show() takes, one for each code point. */
size_t text_width(const char *text);

#endif
