#include "privsep/filter_copy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "privsep/filter_out.h"
#include "privsep/filter_vouch.h"
#include "redact/format.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"

enum {
    IOV_COUNT = 64,                            /* stretches per write */
    PLACE_BYTES = 64 + MATCHER_NAME_MAX_BYTES, /* a number, a form, a name */
};

struct fcopy {
    struct fset *set;
    atomic_int *stop;
    struct redactor *redactor;
    struct rule_filter *rules;    /* behind it; NULL: none */
    struct format_filter *format; /* in the stead of both; NULL: text */
    struct fvouch *vouch;         /* NULL: nobody asked */
    struct lockmem input;
    struct fout out;
    int src_fd;
    int dst_fd;
    bool is_terminal;
    bool is_paused; /* what could be let out at once was */
    bool is_task;
    bool places;       /* filter_copy.h */
    enum ag_err place; /* why one could not be told */
    struct ftell tell; /* with the report */
};

/* ---- counting ---- */

/* Which value it is, a task is not told. */
static void
tell_place(struct fcopy *c, const struct redactor_hit *hit)
{
    const struct sink out = fout_sink(&c->out);
    bool hides =
        c->is_task && (hit->id & RULE_FILTER_ID_BITS) != RULE_FILTER_ID_BITS;
    char line[PLACE_BYTES];
    int len = snprintf(line, sizeof(line), "%llu %s %.*s\n",
                       (unsigned long long)hit->offset, variant_name(hit->form),
                       hides ? 1 : (int)hit->name.len,
                       hides ? "-" : (const char *)hit->name.ptr);

    AG_ASSERT(len > 0 && (size_t)len < sizeof(line));
    if (c->place == AG_OK) {
        c->place = sink_feed(&out, span_of(line, (size_t)len));
    }
}

static void
count_hit(void *ctx, const struct redactor_hit *hit)
{
    struct fcopy *c = ctx;

    if (c->places) {
        tell_place(c, hit);
    }
    ftell_hit(&c->tell, hit);
}

/* ---- one stream ---- */

/* Of a text that is only searched. */
static enum ag_err
drop(void *ctx, struct span part)
{
    (void)ctx;
    (void)part;
    return AG_OK;
}

static enum ag_err
set_up_text(struct fcopy *c, const struct fmsg_stream *stream,
            const struct redactor_options *options, const struct frules *rules)
{
    const struct sink nowhere = {.feed = drop};
    struct sink sink = c->places ? nowhere : fout_sink(&c->out);
    enum ag_err err =
        frules_filter(rules, stream->rules, options, &sink, &c->rules);

    if (err == AG_OK && c->rules != NULL && !c->places) {
        sink = rule_filter_sink(c->rules);
    }
    return err == AG_OK ? redactor_new(options, &sink, &c->redactor) : err;
}

static enum ag_err
set_up_format(struct fcopy *c, const struct fmsg_stream *stream,
              const struct redactor_options *options,
              const struct frules *rules)
{
    const struct sink nowhere = {.feed = drop};
    const struct sink sink = c->places ? nowhere : fout_sink(&c->out);
    struct scrub_terms terms = {.options = *options, .is_known = true};
    enum ag_err err = frules_terms(rules, stream->rules, &terms.rules);

    return err == AG_OK ? format_new(stream->format, &terms, &sink, &c->format)
                        : err;
}

/* What the set in force needs is taken now: a stream that runs never ends for
 * want of locked memory, nor does it take what the values need. */
static enum ag_err
take_room(struct fcopy *c)
{
    const struct matcher *set = fset_enter(c->set);
    enum ag_err err;

    if (set == NULL) {
        return AG_ELOCKED;
    }
    err = c->format != NULL ? format_use(c->format, set)
                            : redactor_use(c->redactor, set);
    fset_leave(c->set);
    return err;
}

enum ag_err
fcopy_new(const struct fmsg_stream *stream, int src_fd, struct fset *set,
          const struct frules *rules, atomic_int *stop, struct fcopy **ret)
{
    AG_AUTO(fcopy) struct fcopy *c = calloc(1, sizeof(*c));
    struct redactor_options options = {
        .audience =
            stream->audience == FILTER_TASK ? REDACTOR_TASK : REDACTOR_OPERATOR,
        .marker = stream->has_marker ? stream->marker : NULL,
        .hit_ctx = c,
        .on_hit = count_hit,
    };
    enum ag_err err;

    if (c == NULL) {
        return AG_ENOMEM;
    }
    c->set = set;
    c->stop = stop;
    c->tell.end.id = stream->id;
    c->src_fd = src_fd;
    c->is_terminal = stream->format == STREAM_TEXT && isatty(src_fd) != 0;
    c->is_task = stream->audience == FILTER_TASK;
    c->places = stream->places;
    options.is_terminal = c->is_terminal && !c->is_task;
    err = lockmem_init_text(FCOPY_READ_BYTES, &c->input);
    if (err == AG_OK && stream->vouch) {
        err = fvouch_new(stream, set, rules, &c->vouch);
    }
    if (err == AG_OK) {
        err = stream->format == STREAM_TEXT
                  ? set_up_text(c, stream, &options, rules)
                  : set_up_format(c, stream, &options, rules);
    }
    if (err == AG_OK) {
        err = take_room(c);
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(c);
    return AG_OK;
}

void
fcopy_listen(struct fcopy *c, const struct ftell_hooks *hooks)
{
    c->tell.hooks = *hooks;
}

void
fcopy_free(struct fcopy *c)
{
    if (c == NULL) {
        return;
    }
    redactor_free(c->redactor);
    rule_filter_free(c->rules);
    format_free(c->format);
    fvouch_free(c->vouch);
    lockmem_done(&c->input);
    fout_done(&c->out);
    wipe(&c->tell.end.vouch,
         sizeof(c->tell.end.vouch)); /* a hash of what came in */
    free(c);
}

static enum ag_err
stopped(const struct fcopy *c)
{
    return (enum ag_err)atomic_load(c->stop);
}

/* Waits for `events` on fd; a signal or AG_OK leaves it to the caller's next
 * look at `stop`. *ret: something happened. */
static enum ag_err
wait_for(int fd, short events, int wait_ms, bool *ret)
{
    struct pollfd pfd = {.fd = fd, .events = events};
    int n = poll(&pfd, 1, wait_ms);

    *ret = n > 0;
    if (n < 0 && errno != EINTR) {
        return AG_EIO;
    }
    return n > 0 && (pfd.revents & POLLNVAL) != 0 ? AG_EIO : AG_OK;
}

static enum ag_err
write_out(struct fcopy *c)
{
    struct iovec iov[IOV_COUNT];
    int count = fout_next(&c->out, iov, IOV_COUNT);

    while (count > 0) {
        ssize_t n = writev(c->dst_fd, iov, count);
        enum ag_err err = AG_OK;
        bool ready;

        if (n >= 0) {
            err = fvouch_wrote(c->vouch, iov, (size_t)n);
            fout_wrote(&c->out, (size_t)n);
            c->tell.end.bytes_out += (uint64_t)n;
        } else if (errno == EAGAIN) { /* somebody else's O_NONBLOCK */
            err = wait_for(c->dst_fd, POLLOUT, -1, &ready);
        } else if (errno != EINTR) {
            err = AG_EIO;
        }
        if (err == AG_OK) {
            err = stopped(c);
        }
        if (err != AG_OK) {
            return err;
        }
        count = fout_next(&c->out, iov, IOV_COUNT);
    }
    return AG_OK;
}

enum step {
    STEP_FEED,
    STEP_PAUSE,
    STEP_IDLE,
    STEP_FINISH,
};

/* What the redactor let out, through the rules: they need no set. */
static enum ag_err
apply_rules(struct fcopy *c, enum step step)
{
    enum ag_err err = AG_OK;

    if (c->rules == NULL || step == STEP_FINISH) {
        return AG_OK; /* by the redactor's own finish */
    }
    err = rule_filter_settle(c->rules);
    if (err == AG_OK && step == STEP_PAUSE) {
        err = rule_filter_pause(c->rules);
    } else if (err == AG_OK && step == STEP_IDLE) {
        err = rule_filter_idle(c->rules);
    }
    return err;
}

/* With places the rules are no part of the chain: they see the source. */
static enum ag_err
search_beside(struct fcopy *c, enum step step, struct span part)
{
    if (!c->places || c->rules == NULL) {
        return AG_OK;
    }
    switch (step) {
    case STEP_FEED:
        return rule_filter_feed(c->rules, part);
    case STEP_PAUSE:
    case STEP_IDLE:
        break;
    case STEP_FINISH:
        return rule_filter_finish(c->rules);
    }
    return AG_OK;
}

/* Is there something to let out? Of a text that is only searched nothing is
 * let out: a value that pauses is found whole. */
static bool
is_holding(const struct fcopy *c)
{
    if (c->places) {
        return false;
    }
    if (c->format != NULL) {
        return format_is_holding(c->format);
    }
    return redactor_is_holding(c->redactor) ||
           (c->rules != NULL && rule_filter_is_holding(c->rules));
}

/* Known values, of text. */
static enum ag_err
move_text(struct fcopy *c, const struct matcher *set, enum step step,
          struct span part)
{
    enum ag_err err = redactor_use(c->redactor, set);

    if (err != AG_OK) {
        return err;
    }
    switch (step) {
    case STEP_FEED:
        return redactor_feed(c->redactor, part);
    case STEP_PAUSE:
        return redactor_pause(c->redactor);
    case STEP_IDLE:
        return redactor_idle(c->redactor);
    case STEP_FINISH:
        break;
    }
    return redactor_finish(c->redactor);
}

/* All that is looked for: the rules see what was a value in each string. */
static enum ag_err
move_format(struct fcopy *c, const struct matcher *set, enum step step,
            struct span part)
{
    enum ag_err err = format_use(c->format, set);

    if (err != AG_OK) {
        return err;
    }
    switch (step) {
    case STEP_FEED:
        err = format_feed(c->format, part);
        return err == AG_OK ? format_settle(c->format) : err;
    case STEP_PAUSE: /* not asked for */
    case STEP_IDLE:
        return format_idle(c->format);
    case STEP_FINISH:
        break;
    }
    return format_finish(c->format);
}

/* Searches under the set, then writes without it. */
static enum ag_err
search(struct fcopy *c, enum step step, size_t len)
{
    struct span part = span_of(c->input.ptr, len);
    const struct matcher *set = fset_enter(c->set);
    enum ag_err err;

    if (set == NULL) {
        return AG_ELOCKED;
    }
    fout_clear(&c->out, part);
    err = c->format != NULL ? move_format(c, set, step, part)
                            : move_text(c, set, step, part);
    fset_leave(c->set);
    if (err == AG_OK) {
        err = search_beside(c, step, part);
    }
    if (err == AG_OK) {
        err = apply_rules(c, step);
    }
    if (err == AG_OK) {
        err = c->place;
    }
    ftell_due(&c->tell);
    return err != AG_OK ? err : write_out(c);
}

/* Reads once. *ret_len 0 with *ret_ended: the source has ended. */
static enum ag_err
read_some(struct fcopy *c, size_t *ret_len, bool *ret_ended)
{
    ssize_t n = read(c->src_fd, c->input.ptr, FCOPY_READ_BYTES);

    *ret_len = 0;
    *ret_ended = n == 0;
    if (n > 0) {
        *ret_len = (size_t)n;
        c->tell.end.bytes_in += (uint64_t)n;
        fvouch_read(c->vouch, span_of(c->input.ptr, (size_t)n));
        return AG_OK;
    }
    if (n == 0 || errno == EINTR || errno == EAGAIN) {
        return AG_OK;
    }
    if (errno == EIO && c->is_terminal) {
        *ret_ended = true; /* nobody has the terminal's other side any more */
        return AG_OK;
    }
    return AG_EIO;
}

/* For poll(): as long as nothing is to be done without input. */
static int
patience_ms(const struct fcopy *c, bool holds, bool may_pause)
{
    return may_pause ? 0 : holds ? REDACTOR_IDLE_MS : ftell_wait_ms(&c->tell);
}

static enum ag_err
copy_some(struct fcopy *c, bool *ret_ended)
{
    bool holds = is_holding(c);
    bool may_pause = holds && c->is_terminal && !c->is_paused;
    bool ready = false;
    size_t len = 0;
    enum ag_err err =
        wait_for(c->src_fd, POLLIN, patience_ms(c, holds, may_pause), &ready);

    if (err != AG_OK || stopped(c) != AG_OK) {
        return err;
    }
    ftell_due(&c->tell);
    c->is_paused = !ready;
    if (!ready) {
        return may_pause ? search(c, STEP_PAUSE, 0)
               : holds   ? search(c, STEP_IDLE, 0)
                         : AG_OK;
    }
    err = read_some(c, &len, ret_ended);
    if (err != AG_OK || len == 0) {
        return err;
    }
    return search(c, STEP_FEED, len);
}

const struct fmsg_end *
fcopy_run(struct fcopy *c, int dst_fd)
{
    enum ag_err err = stopped(c);
    bool ended = false;

    c->dst_fd = dst_fd;
    while (err == AG_OK && !ended) {
        err = copy_some(c, &ended);
        if (err == AG_OK) {
            err = stopped(c);
        }
    }
    if (err == AG_OK) {
        err = search(c, STEP_FINISH, 0);
    }
    if (err == AG_OK && c->vouch != NULL) {
        err = fvouch_finish(c->vouch, &c->tell.end.vouch);
        c->tell.end.has_vouch = err == AG_OK;
    }
    c->tell.end.result = err;
    ftell_finish(&c->tell);
    return &c->tell.end;
}
