#include "redact/hide.h"

#include <string.h>

enum {
    MASK_BYTES = 256, /* written at a time */
    CANCEL = 0x18,
    ESC = 0x1b,
};

/* What is written of a hole. */
struct mask {
    const struct sink *next;
    enum ag_err err;
    size_t len;
    uint8_t bytes[MASK_BYTES];
};

enum ag_err
hide_init(struct hide *ret, const char *marker, bool is_terminal)
{
    struct marker parsed;
    enum ag_err err = marker_parse(marker, &parsed);

    if (err == AG_OK) {
        *ret = (struct hide){.marker = parsed, .is_terminal = is_terminal};
    }
    return err;
}

static void
flush(struct mask *m)
{
    if (m->err == AG_OK) {
        m->err = sink_feed(m->next, span_of(m->bytes, m->len));
    }
    m->len = 0;
}

static void
put(struct mask *m, uint8_t byte)
{
    if (m->len == sizeof(m->bytes)) {
        flush(m);
    }
    m->bytes[m->len++] = byte;
}

static bool
is_in_string(const struct hide *h)
{
    return h->screen.state == SCREEN_STRING ||
           h->screen.state == SCREEN_STRING_END;
}

/* A sequence that the hole had not ended goes on behind it; of a string the
 * terminal knows nothing. */
static enum ag_err
end_hole(struct hide *h, const struct sink *next)
{
    size_t len = h->sequence_len;

    if (h->is_open && is_in_string(h)) {
        h->screen.state = SCREEN_TEXT;
        len = 0;
    }
    h->is_open = false;
    h->sequence_len = 0;
    return len > sizeof(h->sequence)
               ? AG_OK
               : sink_feed(next, span_of(h->sequence, len));
}

enum ag_err
hide_pass(struct hide *h, const struct sink *next, struct span text)
{
    enum ag_err err;

    if (!h->is_terminal || text.len == 0) {
        return sink_feed(next, text);
    }
    err = end_hole(h, next);
    screen_pass(&h->screen, text);
    return err == AG_OK ? sink_feed(next, text) : err;
}

static enum ag_err
name(struct hide *h, const struct sink *next, struct span of)
{
    uint8_t text[MARKER_MAX_BYTES];
    struct span written = span_of(text, marker_write(&h->marker, of, text));

    if (h->is_terminal) {
        screen_pass(&h->screen, written);
    }
    return sink_feed(next, written);
}

enum ag_err
hide_begin(struct hide *h, const struct sink *next, struct span of)
{
    const uint8_t cancel[] = {CANCEL};
    struct span broken = span_of(cancel, 0);
    enum ag_err err = end_hole(h, next);
    bool is_string = is_in_string(h);

    if (err != AG_OK) {
        return err;
    }
    h->is_mask = h->is_terminal && !is_string && screen_is_drawn(&h->screen);
    h->is_open = h->is_mask;
    if (!h->is_terminal || is_string) {
        return name(h, next, of);
    }
    if (h->screen.state != SCREEN_TEXT) {
        broken.len = sizeof(cancel);
        screen_pass(&h->screen, broken);
        err = sink_feed(next, broken);
    }
    return err != AG_OK || h->is_mask ? err : name(h, next, of);
}

static void
keep(struct hide *h, uint8_t byte)
{
    if (h->sequence_len < sizeof(h->sequence)) {
        h->sequence[h->sequence_len] = byte;
    }
    if (h->sequence_len <= sizeof(h->sequence)) {
        h->sequence_len++;
    }
}

static void
put_sequence(struct hide *h, struct mask *m)
{
    if (h->sequence_len <= sizeof(h->sequence)) {
        for (size_t i = 0; i < h->sequence_len; i++) {
            put(m, h->sequence[i]);
        }
    }
    h->sequence_len = 0;
}

static void
mask_byte(struct hide *h, struct mask *m, uint8_t byte)
{
    unsigned columns = 0;

    switch (screen_step(&h->screen, byte, &columns)) {
    case SCREEN_BYTE_SHOWN:
        for (; columns > 0; columns--) {
            put(m, '*');
        }
        break;
    case SCREEN_BYTE_SINGLE:
        if (byte >= '\b' && byte <= '\r') {
            put(m, byte);
        }
        break;
    case SCREEN_BYTE_INSIDE:
        keep(h, byte);
        break;
    case SCREEN_BYTE_LAST:
        keep(h, byte);
        put_sequence(h, m);
        break;
    case SCREEN_BYTE_STRING:
        h->sequence_len = 0;
        if (byte == ESC) { /* its end, or the next sequence */
            keep(h, byte);
        }
        break;
    case SCREEN_BYTE_PART:
        break;
    }
}

enum ag_err
hide_over(struct hide *h, const struct sink *next, struct span text)
{
    struct mask m = {.next = next, .err = AG_OK};

    if (!h->is_mask) {
        return AG_OK;
    }
    h->is_open = true;
    for (size_t i = 0; i < text.len; i++) {
        mask_byte(h, &m, text.ptr[i]);
    }
    flush(&m);
    return m.err;
}

size_t
hide_columns(const struct hide *h, struct span text)
{
    return h->is_terminal ? screen_columns(&h->screen, text) : text.len;
}
