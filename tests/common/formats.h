/*
 * formats.h - a filter for a format, with values and perhaps rules, and what it
 * lets out and tells.
 */
#ifndef AG_COMMON_FORMATS_H
#define AG_COMMON_FORMATS_H

#include "base/buf.h"
#include "common/check.h"
#include "redact/format.h"
#include "redact/lockmem.h"
#include "redact/matcher.h"

enum {
    FORMATS_OUT_BYTES = 64 << 20,
};

struct formats_rig {
    struct buf out;
    struct matcher *set;
    struct format_filter *filter;
    size_t hits;
    uint64_t offset; /* of the last hit */
    char name[64];
};

static inline enum ag_err
formats_take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static inline void
formats_hit(void *ctx, const struct redactor_hit *hit)
{
    struct formats_rig *rig = ctx;

    rig->hits++;
    rig->offset = hit->offset;
    (void)snprintf(rig->name, sizeof(rig->name), "%.*s", (int)hit->name.len,
                   (const char *)hit->name.ptr);
}

/* Values are named v1, v2, …; `rules` may be NULL, then `values` are needed. */
static inline void
formats_init(struct formats_rig *rig, enum format format,
             enum redactor_audience audience, const char *const *values,
             const struct rule_set *rules)
{
    static const char *const NAMES[] = {"v1", "v2", "v3", "v4"};
    struct matcher_value list[AG_COUNT(NAMES)];
    struct scrub_terms terms = {.options = {.audience = audience,
                                            .hit_ctx = rig,
                                            .on_hit = formats_hit},
                                .rules = {.set = rules, .level = RULES_ALL}};
    const struct sink sink = {.ctx = &rig->out, .feed = formats_take};
    size_t count = 0;

    memset(rig, 0, sizeof(*rig));
    buf_init(&rig->out, FORMATS_OUT_BYTES, BUF_PLAIN);
    while (values != NULL && values[count] != NULL) {
        list[count] = (struct matcher_value){.id = count + 1,
                                             .name = span_str(NAMES[count]),
                                             .value = span_str(values[count])};
        count++;
    }
    terms.is_known = count > 0;
    check_ok(format_new(format, &terms, &sink, &rig->filter));
    if (count > 0) {
        check_ok(matcher_build(list, count, &rig->set));
        check_ok(format_use(rig->filter, rig->set));
    }
}

static inline void
formats_done(struct formats_rig *rig)
{
    format_free(rig->filter);
    matcher_unref(rig->set);
    buf_done(&rig->out);
}

/* One part, as it comes from a read. */
static inline void
formats_feed(struct formats_rig *rig, const char *text)
{
    check_ok(format_feed(rig->filter, span_str(text)));
    check_ok(format_settle(rig->filter));
}

/* What came out since the last look. */
static inline void
formats_expect(struct formats_rig *rig, const char *text)
{
    check_span(buf_view(&rig->out), text);
    buf_clear(&rig->out);
}

/* The whole text in one part, and byte by byte. */
static inline void
formats_check(const char *const *values, enum format format, const char *in,
              const char *out)
{
    for (int turn = 0; turn < 2; turn++) {
        struct formats_rig rig;
        size_t len = strlen(in);

        formats_init(&rig, format, REDACTOR_OPERATOR, values, NULL);
        for (size_t at = 0; at < len; at += turn == 0 ? len : 1) {
            check_ok(
                format_feed(rig.filter, span_of(in + at, turn == 0 ? len : 1)));
            check_ok(format_settle(rig.filter));
        }
        check_ok(format_finish(rig.filter));
        formats_expect(&rig, out);
        formats_done(&rig);
        assert_int_equal(lockmem_used_bytes(), 0);
    }
}

#endif
