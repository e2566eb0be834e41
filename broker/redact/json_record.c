#include "redact/json_record.h"

#include <stdlib.h>

#include "redact/json_record_impl.h"
#include "redact/json_text.h"

enum {
    KEY_MAX_BYTES = 128,     /* a longer name tells rules nothing */
    PART_BYTES = 32 * 1024,  /* searched at a time */
    KEPT_BYTES = 256 * 1024, /* a larger buffer is given back */
    TOKENS_MAX = 32 * 1024,  /* of a record; with more it is text */
};

/* ---- the scrub's ends ---- */

static void
count_hit(void *ctx, const struct redactor_hit *hit)
{
    struct json_record *j = ctx;
    struct redactor_hit told = *hit;

    j->found++;
    told.offset = j->offset;
    if (!j->is_looking && j->told.on_hit != NULL) {
        j->told.on_hit(j->told.hit_ctx, &told);
    }
}

static enum ag_err
take(void *ctx, struct span part)
{
    struct json_record *j = ctx;

    return j->is_looking ? AG_OK : buf_add(&j->out, part);
}

static enum ag_err
on_border(void *ctx)
{
    struct json_record *j = ctx;

    if (j->border_count == JSON_BORDERS_COUNT) {
        return AG_EINTERNAL;
    }
    j->borders[j->border_count++] = j->out.len;
    return AG_OK;
}

enum ag_err
json_record_new(const struct scrub_terms *terms, struct json_record **ret)
{
    AG_AUTO(json_record) struct json_record *j = calloc(1, sizeof(*j));
    struct scrub_terms own = *terms;
    const struct sink sink = {.ctx = j, .feed = take};
    enum ag_err err;

    if (j == NULL) {
        return AG_ENOMEM;
    }
    j->told = terms->options;
    own.options.hit_ctx = j;
    own.options.on_hit = count_hit;
    own.repeats = true;
    own.on_border = on_border;
    own.border_ctx = j;
    buf_init(&j->part, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    buf_init(&j->opaque, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    buf_init(&j->out, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    for (size_t i = 0; i < JSON_NESTED_MAX; i++) {
        buf_init(&j->levels[i].text, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
        buf_init(&j->levels[i].made, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    }
    err = scrub_new(&own, &sink, &j->scrub);
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(j);
    return AG_OK;
}

void
json_record_free(struct json_record *j)
{
    if (j == NULL) {
        return;
    }
    scrub_free(j->scrub);
    buf_done(&j->part);
    buf_done(&j->opaque);
    buf_done(&j->out);
    for (size_t i = 0; i < JSON_NESTED_MAX; i++) {
        buf_done(&j->levels[i].text);
        buf_done(&j->levels[i].made);
    }
    free(j);
}

enum ag_err
json_record_use(struct json_record *j, const struct matcher *set)
{
    return scrub_use(j->scrub, set);
}

void
json_empty(struct buf *b)
{
    if (b->cap > KEPT_BYTES) {
        size_t max = b->max;

        buf_done(b);
        buf_init(b, max, BUF_WIPE);
    } else {
        buf_clear(b);
    }
}

/* ---- what both do ---- */

void
json_place_init(struct json_place *p, struct span text, size_t depth)
{
    json_scan_init(&p->scan, text);
    p->key = span_of(NULL, 0);
    p->depth = depth;
}

enum json_kind
json_place_next(struct json_place *p)
{
    enum json_kind kind;

    if (p->token.kind != JSON_KEY) {
        p->key = span_of(NULL, 0);
    }
    kind = json_scan_next(&p->scan, &p->token);
    if (kind == JSON_KEY) {
        p->key = p->token.raw;
    }
    return kind;
}

bool
json_may_be(struct span text)
{
    size_t i = 0;

    while (i < text.len && (text.ptr[i] == ' ' || text.ptr[i] == '\n' ||
                            text.ptr[i] == '\t' || text.ptr[i] == '\r')) {
        i++;
    }
    return i < text.len && (text.ptr[i] == '{' || text.ptr[i] == '[');
}

/* The same of a string that is not decoded yet. */
static bool
may_stand_for_json(struct span raw)
{
    size_t i = 0;

    while (i + 1 < raw.len && raw.ptr[i] == '\\' &&
           memchr("ntr", raw.ptr[i + 1], 3) != NULL) {
        i += 2;
    }
    raw = span_sub(raw, i, raw.len);
    return span_starts(raw, span_str("\\u")) || json_may_be(raw);
}

enum ag_err
json_add_head(struct buf *out, struct span key)
{
    enum ag_err err = buf_add_byte(out, '"');

    if (err == AG_OK && key.ptr != NULL && key.len <= KEY_MAX_BYTES) {
        err = json_text_decode(key, out);
        if (err == AG_OK) {
            err = buf_add_str(out, "\": \"");
        }
    }
    return err;
}

/* ---- looking ---- */

static enum ag_err
flush(struct json_record *j)
{
    enum ag_err err = scrub_feed(j->scrub, buf_view(&j->part));

    json_empty(&j->part);
    return err;
}

static enum ag_err
end_line(struct json_record *j, const char *end)
{
    enum ag_err err = buf_add_str(&j->part, end);

    return err == AG_OK && j->part.len >= PART_BYTES ? flush(j) : err;
}

static enum ag_err look_through(struct json_record *j, struct json_place *p,
                                struct json_deltas *deltas, bool *ret_is_json);

/* A string that is JSON itself: its own strings too. */
static enum ag_err
look_inside(struct json_record *j, const struct json_place *p)
{
    struct buf *text = &j->levels[p->depth].text;
    struct json_place inner;
    bool is_json = false;
    enum ag_err err;

    json_empty(text);
    err = json_text_decode(p->token.raw, text);
    if (err != AG_OK || !json_may_be(buf_view(text)) ||
        !json_scan_is_json(buf_view(text))) {
        return err;
    }
    json_place_init(&inner, buf_view(text), p->depth + 1);
    return look_through(j, &inner, NULL, &is_json);
}

static enum ag_err
look_string(struct json_record *j, const struct json_place *p)
{
    bool is_opaque = p->key.ptr != NULL && json_key_is_opaque(p->key);
    struct buf *to = is_opaque ? &j->opaque : &j->part;
    enum ag_err err = json_add_head(to, p->key);

    if (err == AG_OK) {
        err = json_text_decode(p->token.raw, to);
    }
    if (err == AG_OK) {
        err = is_opaque ? buf_add_str(to, "\"\n") : end_line(j, "\"\n");
    }
    if (err == AG_OK && p->depth < JSON_NESTED_MAX &&
        may_stand_for_json(p->token.raw)) {
        err = look_inside(j, p);
    }
    return err;
}

static enum ag_err
look_key(struct json_record *j, struct span key)
{
    enum ag_err err = json_add_head(&j->part, span_of(NULL, 0));

    if (err == AG_OK) {
        err = json_text_decode(key, &j->part);
    }
    return err == AG_OK ? end_line(j, "\"\n") : err;
}

/* A number may be a value; no rule is asked. */
static enum ag_err
look_scalar(struct json_record *j, struct span raw)
{
    enum ag_err err = buf_add(&j->opaque, raw);

    return err == AG_OK ? buf_add_byte(&j->opaque, '\n') : err;
}

static enum ag_err
look_token(struct json_record *j, const struct json_place *p)
{
    switch (p->token.kind) {
    case JSON_STRING:
        return look_string(j, p);
    case JSON_KEY:
        return look_key(j, p->token.raw);
    case JSON_SCALAR:
        return look_scalar(j, p->token.raw);
    case JSON_OPEN_OBJECT:
    case JSON_OPEN_ARRAY:
    case JSON_CLOSE:
    case JSON_END:
    case JSON_BAD:
        break;
    }
    return AG_OK;
}

static enum ag_err
look_through(struct json_record *j, struct json_place *p,
             struct json_deltas *deltas, bool *ret_is_json)
{
    enum json_kind kind = json_place_next(p);
    enum ag_err err = AG_OK;

    while (err == AG_OK && kind != JSON_END && kind != JSON_BAD &&
           j->token_count++ < TOKENS_MAX) {
        if (deltas != NULL) {
            (void)json_deltas_token(deltas, &p->token);
        }
        err = look_token(j, p); /* a part of a longer text by itself, too */
        kind = json_place_next(p);
    }
    *ret_is_json = kind == JSON_END;
    return err;
}

/* What waits for the rules to be off. */
static enum ag_err
look_opaque(struct json_record *j)
{
    enum ag_err err = AG_OK;

    if (j->opaque.len > 0 && j->found == 0) {
        err = scrub_restart(j->scrub, SCRUB_KNOWN);
        if (err == AG_OK) {
            err = scrub_feed(j->scrub, buf_view(&j->opaque));
        }
        if (err == AG_OK) {
            err = scrub_finish(j->scrub);
        }
    }
    json_empty(&j->opaque);
    return err;
}

enum ag_err
json_record_look(struct json_record *j, const struct record *record,
                 struct json_deltas *deltas, enum json_state *ret)
{
    struct json_place p = {.depth = 0};
    bool is_json = false;
    enum ag_err err;

    *ret = JSON_STATE_NONE;
    if (record->body.len > JSON_RECORD_MAX_BYTES) {
        return AG_OK;
    }
    j->is_looking = true;
    j->found = 0;
    j->token_count = 0;
    json_empty(&j->part);
    json_empty(&j->opaque);
    err = scrub_restart(j->scrub, SCRUB_ALL);
    if (err == AG_OK) {
        err = buf_add(&j->part, record->head);
    }
    if (err == AG_OK) {
        err = end_line(j, "\n");
    }
    if (err == AG_OK) {
        err = buf_add(&j->part, record->tail);
    }
    if (err == AG_OK) {
        err = end_line(j, "\n");
    }
    *deltas = (struct json_deltas){.count = 0};
    json_place_init(&p, record->body, 0);
    if (err == AG_OK) {
        err = look_through(j, &p, deltas, &is_json);
    }
    if (err != AG_OK || !is_json) {
        json_empty(&j->part); /* a record that is rewritten has none of it */
        json_empty(&j->opaque);
        return err;
    }
    json_deltas_end(deltas);
    err = flush(j);
    if (err == AG_OK) {
        err = scrub_finish(j->scrub);
    }
    if (err == AG_OK) {
        err = look_opaque(j);
    }
    *ret = j->found > 0 ? JSON_STATE_FOUND : JSON_STATE_CLEAN;
    return err;
}
