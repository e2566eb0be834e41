/*
 * rig.h - a redactor with a few values, what it lets out and what it tells.
 */
#ifndef AG_TESTS_REDACT_RIG_H
#define AG_TESTS_REDACT_RIG_H

#include "base/buf.h"
#include "common/check.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"

enum {
    OUT_BYTES = 1 << 20,
};

#define KEY                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                            \
    "AK99NEec7c6jymIZNf6YTtburAhYX49WqoMcB5K5PBs2sD6crsh2d6OQm79+o36J\n"       \
    "kKV+0gHtNRu/d4j1/PMhDnz1inu9Z4MGyAKE/bsdV2IfEUs0hoKj9c1HNSssiiPE\n"       \
    "frxLcqh5t/8+GxDN\n"                                                       \
    "-----END PRIVATE KEY-----\n"

struct rig {
    struct buf out;
    struct matcher *set;
    struct redactor *redactor;
    size_t hits;
    struct redactor_hit last;
    char last_name[64];
};

static inline enum ag_err
take(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static inline void
on_hit(void *ctx, const struct redactor_hit *hit)
{
    struct rig *rig = ctx;

    rig->hits++;
    rig->last = *hit;
    (void)snprintf(rig->last_name, sizeof(rig->last_name), "%.*s",
                   (int)hit->name.len, (const char *)hit->name.ptr);
}

/* Names are n1, n2, … */
static inline void
rig_init(struct rig *rig, enum redactor_audience audience, const char *values[],
         size_t count)
{
    static const char *const NAMES[] = {"n1", "n2", "n3", "n4"};
    struct matcher_value list[4];
    struct redactor_options options = {
        .audience = audience, .hit_ctx = rig, .on_hit = on_hit};
    struct sink sink = {.ctx = &rig->out, .feed = take};
    size_t i;

    memset(rig, 0, sizeof(*rig));
    buf_init(&rig->out, OUT_BYTES, BUF_PLAIN);
    for (i = 0; i < count; i++) {
        list[i] = (struct matcher_value){.id = 100 + i,
                                         .name = span_str(NAMES[i]),
                                         .value = span_str(values[i])};
    }
    check_ok(matcher_build(list, count, &rig->set));
    check_ok(redactor_new(&options, &sink, &rig->redactor));
    check_ok(redactor_use(rig->redactor, rig->set));
}

static inline void
rig_done(struct rig *rig)
{
    redactor_free(rig->redactor);
    matcher_unref(rig->set);
    buf_done(&rig->out);
    assert_int_equal(lockmem_used_bytes(), 0);
}

static inline void
feed(struct rig *rig, const char *text)
{
    check_ok(redactor_feed(rig->redactor, span_str(text)));
}

/* What came out since the last look. */
static inline void
expect(struct rig *rig, const char *text)
{
    check_span(buf_view(&rig->out), text);
    buf_clear(&rig->out);
}

static inline void
finish(struct rig *rig, const char *text)
{
    check_ok(redactor_finish(rig->redactor));
    expect(rig, text);
    rig_done(rig);
}

#define RIG(rig, audience, ...)                                                \
    rig_init(rig, audience, (const char *[]){__VA_ARGS__},                     \
             AG_COUNT(((const char *[]){__VA_ARGS__})))

#endif
