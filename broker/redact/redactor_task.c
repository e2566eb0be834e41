/* A task's stream: let out at the ends of lines. */
#include <string.h>

#include "redact/redactor_impl.h"

enum {
    LINE_FIRST_BYTES = 4096,
    /* Behind lines that are let out: looked at again without a thought; of more
     * so often that each byte is looked at a few times. */
    STAYING_BYTES = 8192,
    STAYING_MOST_TIMES = 8,
};

/* The first `upto` bytes of the line: up to a cut, or all but what a form that
 * starts before may need, which is so many lines, or of a full buffer so many
 * bytes. No start is left open either way: how much it is tells nothing. */
static enum ag_err
let_out_line(struct redactor *r, size_t upto, bool is_cut)
{
    uint8_t *line = r->line.ptr;
    struct span text = span_of(line, is_cut ? upto : r->line_len);
    size_t done = 0;
    enum ag_err err = redactor_decide(r, text, upto, is_cut, &done);

    if (err != AG_OK) {
        return err;
    }
    AG_ASSERT(done == upto);
    redactor_advance(r, text, upto);
    memmove(line, line + upto, r->line_len - upto);
    r->line_len -= upto;
    return AG_OK;
}

/* As much of *part as there is room for; of a line that goes on its end. */
static enum ag_err
keep_some(struct redactor *r, struct span *part)
{
    size_t most = REDACTOR_TASK_LINE_MAX_BYTES + matcher_longest_bytes(r->set);
    size_t room = most > r->line_len ? most - r->line_len : 0;
    size_t end = r->line_len == 0 ? part->len : matcher_line_in(r->set, *part);
    size_t take = end < room ? end : room;
    size_t wanted = r->line.len == 0 ? LINE_FIRST_BYTES : r->line.len;
    size_t cut;
    enum ag_err err;

    while (wanted < r->line_len + take) {
        wanted *= 2;
    }
    err = redactor_grow(&r->line, r->line_len, wanted < most ? wanted : most);
    if (err != AG_OK) {
        return err;
    }
    if (take > 0) {
        memcpy((uint8_t *)r->line.ptr + r->line_len, part->ptr, take);
    }
    r->line_len += take;
    note_most(&r->line_most, r->line_len);
    *part = span_sub(*part, take, part->len);
    cut = matcher_cut_in(r->set, span_of(r->line.ptr, r->line_len),
                         r->line_len - take);
    if (cut > 0) {
        return let_out_line(r, cut, true);
    }
    cut = r->line_len < most ? 0 : r->line_len - matcher_longest_bytes(r->set);
    return cut > 0 ? let_out_line(r, cut, false) : AG_OK;
}

/* All but as many lines as a value may have: once for each part. */
static enum ag_err
let_out_lines(struct redactor *r)
{
    size_t upto = matcher_lines_in(r->set, span_of(r->line.ptr, r->line_len));
    size_t stays = r->line_len - upto;

    return upto > 0 && (stays <= STAYING_BYTES ||
                        upto * STAYING_MOST_TIMES >= stays)
               ? let_out_line(r, upto, false)
               : AG_OK;
}

enum ag_err
redactor_feed_task(struct redactor *r, struct span part)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && part.len > 0) {
        size_t cut = r->line_len == 0 ? matcher_cut_in(r->set, part, 0) : 0;

        if (cut > 0) { /* as it lies, without a copy */
            err = redactor_let_out_all(r, span_sub(part, 0, cut));
            part = span_sub(part, cut, part.len);
        } else {
            err = keep_some(r, &part);
        }
    }
    return err == AG_OK && matcher_cut(r->set) != MATCHER_CUT_LINE
               ? let_out_lines(r)
               : err;
}
