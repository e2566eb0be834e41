#include "redact/rule_scan.h"

static int
on_event(unsigned id, unsigned long long from, unsigned long long to,
         unsigned flags, void *ctx)
{
    struct rule_scan *s = ctx;

    (void)from;
    (void)flags;
    return rule_events_add(
               &s->events,
               (struct rule_event){.rule = (uint32_t)(s->first_rule + id),
                                   .end = to})
               ? 0
               : 1;
}

enum ag_err
rule_scan_init(struct rule_scan *s, const struct rule_set *set,
               size_t pack_count)
{
    s->set = set;
    s->pack_count = pack_count;
    for (size_t i = 0; i < pack_count; i++) {
        const hs_database_t *db = set->databases[i];

        if (set->lib->hs_alloc_scratch(db, &s->scratch) != HS_SUCCESS) {
            return AG_ENOMEM;
        }
        if (set->lib->hs_open_stream(db, 0, &s->streams[i]) != HS_SUCCESS) {
            return AG_EMEMLOCK;
        }
    }
    return AG_OK;
}

void
rule_scan_done(struct rule_scan *s)
{
    for (size_t i = 0; i < s->pack_count; i++) {
        if (s->streams[i] != NULL) {
            (void)s->set->lib->hs_close_stream(s->streams[i], s->scratch, NULL,
                                               NULL);
        }
    }
    if (s->scratch != NULL) {
        (void)s->set->lib->hs_free_scratch(s->scratch);
    }
    rule_events_done(&s->events);
    *s = (struct rule_scan){.set = NULL};
}

enum ag_err
rule_scan_part(struct rule_scan *s, struct span part)
{
    for (size_t i = 0; part.len > 0 && i < s->pack_count; i++) {
        s->first_rule = s->set->firsts[i];
        if (s->set->lib->hs_scan_stream(s->streams[i], (const char *)part.ptr,
                                        (unsigned)part.len, 0, s->scratch,
                                        on_event, s) != HS_SUCCESS) {
            return s->events.err != AG_OK ? s->events.err : AG_EINTERNAL;
        }
    }
    return AG_OK;
}

static enum ag_err
reset(struct rule_scan *s, match_event_handler handler)
{
    for (size_t i = 0; i < s->pack_count; i++) {
        s->first_rule = s->set->firsts[i];
        if (s->set->lib->hs_reset_stream(s->streams[i], 0, s->scratch, handler,
                                         s) != HS_SUCCESS) {
            return s->events.err != AG_OK ? s->events.err : AG_EINTERNAL;
        }
    }
    return AG_OK;
}

enum ag_err
rule_scan_end(struct rule_scan *s)
{
    return reset(s, on_event);
}

enum ag_err
rule_scan_restart(struct rule_scan *s)
{
    s->events.count = 0;
    s->events.err = AG_OK;
    return reset(s, NULL);
}
