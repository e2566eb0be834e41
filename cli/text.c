#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* Length of the well-formed UTF-8 character at `p`, 0 if it is none. */
static size_t
char_len(const uint8_t *p)
{
    size_t n;

    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] < 0xe0) {
        n = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
    } else if (p[0] >= 0xf0 && p[0] < 0xf5) {
        n = 4;
    } else {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Control: C0 but tab, DEL, and C1 (U+0080 to U+009F). What is shown is a line:
 * in a name a newline would begin another, of its own making. */
static bool
steers(const uint8_t *p, size_t len)
{
    if (len == 1) {
        return (p[0] < 0x20 && p[0] != '\t') || p[0] == 0x7f;
    }
    return len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

void
text_show(FILE *to, const char *text)
{
    const uint8_t *p = (const uint8_t *)text;

    while (*p != 0) {
        size_t len = char_len(p);
        size_t step = len == 0 ? 1 : len;

        for (size_t i = 0; i < step; i++) {
            if (len == 0 || steers(p, len)) {
                fprintf(to, "\\x%02x", (unsigned)p[i]);
            } else {
                fputc(p[i], to);
            }
        }
        p += step;
    }
}

size_t
text_width(const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t width = 0;

    while (*p != 0) {
        size_t len = char_len(p);
        size_t step = len == 0 ? 1 : len;

        width += len == 0 || steers(p, len) ? 4 * step : 1;
        p += step;
    }
    return width;
}
