/* What is shown of a text that waits, for an operator. */
#include "redact/redactor_impl.h"

enum {
    SHOWN_PART = 4, /* idle shows at most a quarter of a value */
};

/* Never a part of a character: of that a terminal shows nothing. */
static size_t
whole_characters(const struct redactor *r, struct span text, size_t upto)
{
    while (upto > r->emitted && upto < text.len &&
           (text.ptr[upto] & 0xc0) == 0x80) {
        upto--;
    }
    return upto;
}

/* Up to where what starts at an open hit may be seen. */
static size_t
shown_of(struct redactor *r, const struct scan_hit *hit, size_t most)
{
    size_t shortest =
        hit->is_open ? scan_shortest_open(&r->scan, hit->start) : SIZE_MAX;
    size_t part = shortest / SHOWN_PART;

    return shortest == SIZE_MAX ? SIZE_MAX
                                : hit->start + (part < most ? part : most);
}

/* Of what is held a quarter of every value that it may belong to; with a `most`
 * so many bytes of it at most, and nothing is decided. */
static enum ag_err
show(struct redactor *r, size_t most)
{
    struct span text = span_of(r->held.ptr, r->held_len);
    size_t upto = redactor_look_show(r, text, most);
    struct scan_hit hit;
    enum ag_err err;

    redactor_scan(r, text, text.len, false);
    while (scan_next(&r->scan, &hit) && hit.start < upto) {
        size_t shown = shown_of(r, &hit, most);

        upto = shown < upto ? shown : upto;
        if (hit.len > 0 && most != SIZE_MAX) {
            upto = hit.start < upto ? hit.start : upto; /* for the idle */
        } else if (hit.len > 0) {
            err = redactor_cover(r, text, &hit);
            if (err != AG_OK) {
                return err;
            }
        }
    }
    err = most == SIZE_MAX ? redactor_cover_ahead(r, text, upto, 0) : AG_OK;
    if (err != AG_OK) {
        return err;
    }
    return redactor_let_out(r, text, whole_characters(r, text, upto));
}

enum ag_err
redactor_idle(struct redactor *r)
{
    if (!redactor_is_holding(r)) {
        return AG_OK;
    }
    r->is_idle = true;
    return show(r, SIZE_MAX);
}

/* Would idle let out all of it? */
static bool
shows_all(struct redactor *r)
{
    struct span text = span_of(r->held.ptr, r->held_len);
    bool all = redactor_look_show(r, text, SIZE_MAX) >= text.len;
    struct scan_hit hit;

    redactor_scan(r, text, text.len, false);
    while (all && scan_next(&r->scan, &hit)) {
        all = shown_of(r, &hit, SIZE_MAX) >= text.len;
    }
    return all;
}

enum ag_err
redactor_idle_whole(struct redactor *r)
{
    if (!redactor_is_holding(r)) {
        return AG_OK;
    }
    r->is_idle = true;
    return shows_all(r) ? show(r, SIZE_MAX) : AG_OK;
}

enum ag_err
redactor_pause(struct redactor *r)
{
    struct span text = span_of(r->held.ptr, r->held_len);
    struct span unseen = span_sub(text, r->emitted, text.len);

    if (!redactor_is_holding(r) ||
        hide_columns(&r->hide, unseen) > REDACTOR_PAUSE_BYTES) {
        return AG_OK;
    }
    return show(r, REDACTOR_PAUSE_BYTES);
}
