#include "redact/rule_scan.h"

/* A keyword ends at `to`. Vectorscan promises no order of what it tells. */
static bool
note_keyword(struct rule_scan *s, unsigned gates, uint64_t to)
{
    struct span behind = span_sub(s->part, (size_t)(to - s->at), s->part.len);
    struct rule_event event = {.rule = rule_gate_open(gates, behind),
                               .end = to};

    if (event.rule == 0) {
        return true;
    }
    if (!rule_events_add(&s->open, event)) {
        return false;
    }
    for (size_t i = s->open.count - 1; i > 0 && s->open.items[i - 1].end > to;
         i--) {
        s->open.items[i] = s->open.items[i - 1];
        s->open.items[i - 1] = event;
    }
    return true;
}

static int
on_event(unsigned id, unsigned long long from, unsigned long long to,
         unsigned flags, void *ctx)
{
    struct rule_scan *s = ctx;
    struct rule_event event = {.rule = (uint32_t)(s->first_rule + id),
                               .end = s->from + to};

    (void)from;
    (void)flags;
    return (id < RULES_MAX_COUNT
                ? rule_events_add(&s->events, event)
                : note_keyword(s, id - (unsigned)RULES_MAX_COUNT, to))
               ? 0
               : 1;
}

static enum ag_err
open_stream(struct rule_scan *s, const hs_database_t *db, hs_stream_t **ret)
{
    if (s->set->lib->hs_alloc_scratch(db, &s->scratch) != HS_SUCCESS) {
        return AG_ENOMEM;
    }
    return s->set->lib->hs_open_stream(db, 0, ret) == HS_SUCCESS ? AG_OK
                                                                 : AG_EMEMLOCK;
}

enum ag_err
rule_scan_init(struct rule_scan *s, const struct rule_set *set,
               size_t pack_count)
{
    enum ag_err err = AG_OK;

    s->set = set;
    s->pack_count = pack_count;
    for (size_t i = 0; err == AG_OK && i < pack_count; i++) {
        err = open_stream(s, set->databases[i], &s->streams[i]);
        if (err == AG_OK && set->gated[i] != NULL) {
            err = open_stream(s, set->gated[i], &s->near[i].stream);
        }
    }
    return err;
}

static void
close_stream(struct rule_scan *s, hs_stream_t *stream)
{
    if (stream != NULL) {
        (void)s->set->lib->hs_close_stream(stream, s->scratch, NULL, NULL);
    }
}

void
rule_scan_done(struct rule_scan *s)
{
    for (size_t i = 0; i < s->pack_count; i++) {
        close_stream(s, s->streams[i]);
        close_stream(s, s->near[i].stream);
    }
    if (s->scratch != NULL) {
        (void)s->set->lib->hs_free_scratch(s->scratch);
    }
    rule_events_done(&s->events);
    rule_events_done(&s->open);
    *s = (struct rule_scan){.set = NULL};
}

/* What the library says, of a stream that begins at `from`. */
static enum ag_err
result(const struct rule_scan *s, hs_error_t error)
{
    return error == HS_SUCCESS      ? AG_OK
           : s->events.err != AG_OK ? s->events.err
           : s->open.err != AG_OK   ? s->open.err
                                    : AG_EINTERNAL;
}

static enum ag_err
scan(struct rule_scan *s, hs_stream_t *stream, uint64_t from, struct span part)
{
    s->from = from;
    s->part = part;
    return part.len == 0
               ? AG_OK
               : result(s, s->set->lib->hs_scan_stream(
                               stream, (const char *)part.ptr,
                               (unsigned)part.len, 0, s->scratch, on_event, s));
}

static enum ag_err
reset(struct rule_scan *s, hs_stream_t *stream, uint64_t from,
      match_event_handler handler)
{
    s->from = from;
    return result(
        s, s->set->lib->hs_reset_stream(stream, 0, s->scratch, handler, s));
}

/* ---- near keywords ---- */

/* All up to `to` that the stream has not got; `begin`: where `text` does. */
static enum ag_err
feed_near(struct rule_scan *s, struct rule_near *n, struct span text,
          uint64_t begin, uint64_t to)
{
    uint64_t done = n->done;

    if (to <= done) {
        return AG_OK;
    }
    AG_ASSERT(done >= begin && to <= begin + text.len);
    n->done = to;
    return scan(s, n->stream, n->from,
                span_sub(text, (size_t)(done - begin), (size_t)(to - done)));
}

/* As far as a match of a rule with one of the gates can be. */
static size_t
reach_of(const size_t *reach, unsigned gates)
{
    size_t most = 0;

    for (size_t gate = 0; gate < RULE_GATE_COUNT; gate++) {
        if ((gates >> gate & 1) != 0 && reach[gate] > most) {
            most = reach[gate];
        }
    }
    return most;
}

/* Around each keyword whose gate is open, as far as a match can be. That has the
 * byte before a match, which counts too: a match goes on behind the keyword.
 * Where that is text that the stream has got, or follows it, it goes on; else it
 * begins anew. */
static enum ag_err
scan_near(struct rule_scan *s, size_t pack, struct span text, uint64_t begin)
{
    struct rule_near *n = &s->near[pack];
    uint64_t end = begin + text.len;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < s->open.count; i++) {
        uint64_t at = s->open.items[i].end;
        size_t reach = reach_of(s->set->reach[pack], s->open.items[i].rule);
        uint64_t from = at > reach ? at - reach : 0;

        from = from < begin ? begin : from;
        if (from > n->until) {
            err = feed_near(s, n, text, begin, n->until);
            if (err == AG_OK) {
                err = reset(s, n->stream, n->from, on_event);
            }
            n->from = from;
            n->done = from;
        }
        n->until = at + reach > n->until ? at + reach : n->until;
    }
    return err == AG_OK
               ? feed_near(s, n, text, begin, n->until < end ? n->until : end)
               : err;
}

/* ---- a text ---- */

enum ag_err
rule_scan_part(struct rule_scan *s, struct span text, size_t count)
{
    struct span part = span_sub(text, text.len - count, count);
    uint64_t begin = s->at + count - text.len;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < s->pack_count; i++) {
        s->first_rule = s->set->firsts[i];
        s->open.count = 0;
        err = scan(s, s->streams[i], 0, part);
        if (err == AG_OK && s->near[i].stream != NULL) {
            err = scan_near(s, i, text, begin);
        }
    }
    s->at += count;
    return err;
}

static enum ag_err
reset_all(struct rule_scan *s, match_event_handler handler)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < s->pack_count; i++) {
        struct rule_near *n = &s->near[i];

        s->first_rule = s->set->firsts[i];
        err = reset(s, s->streams[i], 0, handler);
        if (err == AG_OK && n->stream != NULL) {
            err = reset(s, n->stream, n->from, handler);
            *n = (struct rule_near){.stream = n->stream};
        }
    }
    s->at = 0;
    return err;
}

enum ag_err
rule_scan_end(struct rule_scan *s)
{
    return reset_all(s, on_event);
}

enum ag_err
rule_scan_restart(struct rule_scan *s)
{
    s->events.count = 0;
    s->events.err = AG_OK;
    s->open.err = AG_OK;
    return reset_all(s, NULL);
}
