/*
 * redactor.h - the streaming filter: a sink that passes text on and puts a
 * marker where a value stood, in any form.
 * Floor: redact. Depends on: redact/matcher, redact/sink, redact/hide.
 *
 * The output is that of one search through the whole text, whatever the parts
 * it was fed in: all matches are found; those that overlap are one hole, named
 * after the leftmost, of these the longest; one marker stands for each hole.
 * Held back is exactly what may still begin or lengthen a match: of the text
 * itself never more than matcher_longest_bytes(), as it is seen by its reader
 * views_span_bytes().
 *
 * Idle. A stream that pauses in the middle of a possible match (a prompt that
 * ends in the first letters of a value) would stay dark. redactor_idle(), to
 * be called after REDACTOR_IDLE_MS without input, lets out of what is held at
 * most a quarter of every value it may belong to; should the value come after
 * all, the rest of it is redacted. This is the one case where a part of a
 * value can show, and where the output depends on time. A character of several
 * bytes is let out whole or not at all. What is a fragment already (fragments.h)
 * does not wait: it is redacted.
 *
 * For an operator the text is looked at in other ways too: for parts of values
 * (fragments.h) and as its reader sees it (view.h). What is found there is a
 * hole as well. Of it a little may show, as said there: at most two characters
 * that the value has.
 *
 * redactor_idle_whole() is for a text of which nothing can be seen before all
 * that came is let out: it lets out all that is held or nothing.
 *
 * Terminals. What a person types comes back a letter at a time, and most
 * letters begin some form of some value: each would wait for REDACTOR_IDLE_MS.
 * So on a terminal redactor_pause() is called as soon as the source has nothing
 * more. It lets out what idle would, if what has not been seen of it yet takes
 * REDACTOR_PAUSE_BYTES columns at most, and never more than the first
 * REDACTOR_PAUSE_BYTES of a value; the rest waits for idle as everywhere. What
 * is lost by it: where a read happens to end within these first bytes of a
 * value that is being printed, they stand before its marker.
 * There a mask of equal width stands where a program counts columns: hide.h.
 *
 * For a task (REDACTOR_TASK) the filter must not answer guesses: values that
 * are weak are not looked for, idle does nothing, and values cut into pieces or
 * lines count as said in matcher.h. When something is let out, and up to where,
 * depends on the text alone and not on what of it resembles a value: up to the
 * last place where no form of the set reaches across (matcher_cut(): a line's
 * end, or an empty line's when values have several lines), or, when none comes,
 * all but as many lines as a form may have (matcher_lines_in()), or all but the
 * last matcher_longest_bytes() of a full buffer.
 * How long that takes doesn't depend on it either (windows.c): short of a whole
 * value, or nearly, all texts are the same work.
 */
#ifndef AG_REDACT_REDACTOR_H
#define AG_REDACT_REDACTOR_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/matcher.h"
#include "redact/sink.h"

struct redactor;

enum {
    REDACTOR_IDLE_MS = 20,
    REDACTOR_PAUSE_BYTES = 4,
    /* Let out at a time where a text has no such place. */
    REDACTOR_TASK_LINE_MAX_BYTES = 64 * 1024,
};

enum redactor_audience {
    REDACTOR_OPERATOR,
    REDACTOR_TASK,
};

/* One hole. `name` is borrowed for the call; there is never a value. */
struct redactor_hit {
    uint64_t id;
    struct span name;
    enum variant form;
    uint64_t offset; /* of the hole's first byte in what was fed */
};

struct redactor_options {
    enum redactor_audience audience;
    const char *marker; /* one %s or none; NULL: MARKER_DEFAULT */
    bool is_terminal;   /* what comes out is for one */
    void *hit_ctx;
    void (*on_hit)(void *ctx, const struct redactor_hit *hit); /* or NULL */
};

/*
 * Errors: AG_EINVAL marker (too long, more than one %s, another %, control
 *         bytes); AG_EMEMLOCK; AG_ENOMEM.
 * Ownership: *next is copied, its ctx borrowed; `options` is copied.
 * Threads: one at a time.
 */
AG_CHECK AG_NONNULL enum ag_err
redactor_new(const struct redactor_options *options, const struct sink *next,
             struct redactor **ret);
void redactor_free(struct redactor *r);
AG_DEFINE_CLEANUP(redactor, redactor_free)

/*
 * Begins anew, for another stream: nothing is left of the one before, which
 * need not have been finished. As redactor_new(), but for the locked memory,
 * which it has; redactor_use() comes next. Errors: AG_EINVAL marker; `r` then
 * is as it was.
 */
AG_CHECK AG_NONNULL enum ag_err
redactor_restart(struct redactor *r, const struct redactor_options *options,
                 const struct sink *next);

/*
 * The set to use from the next part on; what is held is searched again with
 * it. `set` is borrowed and looked at only within feed, idle and finish.
 * Must be called before the first of these.
 * Errors: AG_EMEMLOCK, AG_ENOMEM; the old set is then still in use.
 */
AG_CHECK AG_NONNULL enum ag_err redactor_use(struct redactor *r,
                                             const struct matcher *set);

/* Errors: those of the next sink; AG_ENOMEM (a task's line); AG_EINTERNAL more
 * is open than a match can be. */
AG_CHECK AG_NONNULL enum ag_err redactor_feed(struct redactor *r,
                                              struct span part);
AG_CHECK AG_NONNULL enum ag_err redactor_idle(struct redactor *r);
AG_CHECK AG_NONNULL enum ag_err redactor_idle_whole(struct redactor *r);
AG_CHECK AG_NONNULL enum ag_err redactor_pause(struct redactor *r);
AG_CHECK AG_NONNULL enum ag_err redactor_finish(struct redactor *r);

/* Up to where the text was passed on or taken out. As the next sink is fed
 * text, that ends here. */
AG_NONNULL uint64_t redactor_position(const struct redactor *r);

/* As a sink, to stand in a chain. */
AG_NONNULL struct sink redactor_sink(struct redactor *r);

/* Is anything held that redactor_idle() could let out? */
AG_NONNULL bool redactor_is_holding(const struct redactor *r);
AG_NONNULL size_t redactor_held_bytes(const struct redactor *r);

#endif
