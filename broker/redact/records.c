#include "redact/records.h"

#include <sys/queue.h>

#include <stdlib.h>

#include "base/buf.h"
#include "redact/json_text.h"
#include "redact/record_item.h"
#include "redact/record_texts.h"

enum {
    OUT_KEPT_BYTES = 256 * 1024, /* a larger buffer is given back */
};

STAILQ_HEAD(record_items, record_item);

struct records {
    struct scrub_terms terms;
    struct sink next;
    struct json_record *json;
    struct record_texts *texts;
    struct scrub *plain; /* text between records */
    bool is_plain;       /* such text is what came last */
    uint64_t plain_offset;
    struct record_item *plain_item; /* where it waits; NULL: goes out */
    struct record_items waiting;
    size_t waiting_bytes;
    struct buf out;
};

static void
push(struct records *r, struct record_item *item)
{
    STAILQ_INSERT_TAIL(&r->waiting, item, next);
    r->waiting_bytes += record_item_bytes(item);
}

/* ---- a record goes out ---- */

/* With the marks that begin its further lines, if it has any. */
static enum ag_err
put_body(struct records *r, struct span body, struct span line)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && line.len > 0 && span_find(body, '\n') < body.len) {
        size_t len = span_find(body, '\n') + 1;

        err = sink_feed(&r->next, span_sub(body, 0, len));
        if (err == AG_OK) {
            err = sink_feed(&r->next, line);
        }
        body = span_sub(body, len, body.len);
    }
    return err == AG_OK ? sink_feed(&r->next, body) : err;
}

static void
empty_out(struct records *r)
{
    if (r->out.cap > OUT_KEPT_BYTES) {
        buf_done(&r->out);
        buf_init(&r->out, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    }
    buf_clear(&r->out);
}

/* What is around the JSON. */
static enum ag_err
put_around(struct records *r, struct span text, uint64_t offset, bool is_clean)
{
    enum ag_err err;

    if (is_clean || text.len == 0) {
        return sink_feed(&r->next, text);
    }
    empty_out(r);
    err = json_record_text(r->json, text, offset, &r->out);
    return err == AG_OK ? sink_feed(&r->next, buf_view(&r->out)) : err;
}

static enum ag_err
put_record(struct records *r, const struct record *record,
           const struct json_rewrite *what)
{
    bool is_clean = what->is_clean;
    struct span body = record->body;
    enum ag_err err = put_around(r, record->head, record->offset, is_clean);

    if (err == AG_OK && (!is_clean || what->swap_count > 0)) {
        empty_out(r);
        err = json_record_rewrite(r->json, what, &r->out);
        body = buf_view(&r->out);
    }
    if (err == AG_OK) {
        err = put_body(r, body, record->line);
    }
    return err == AG_OK ? put_around(r, record->tail, record->offset, is_clean)
                        : err;
}

/* Has a part changed? */
static enum ag_err
compare(struct records *r, const struct record_part *part, bool *ret)
{
    enum ag_err err;

    empty_out(r);
    err = json_text_decode(part->delta.raw, &r->out);
    *ret = !span_equal(buf_view(&r->out), buf_view(&part->text));
    return err;
}

/* What is left of a part, by itself: what ends one word with the parts before it
 * and behind it may be one of its own. */
static enum ag_err
put_part_alone(struct records *r, const struct record_item *item,
               struct record_part *part)
{
    AG_AUTO(buf) struct buf left = {0};
    struct buf before = part->text;
    enum ag_err err;

    buf_init(&left, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    err = json_record_text(r->json, buf_view(&part->text), item->record.offset,
                           &left);
    if (err == AG_OK) {
        part->text = left;
        left = before;
    }
    return err;
}

static enum ag_err
put_item(struct records *r, struct record_item *item)
{
    struct json_swap swaps[JSON_DELTAS_MAX];
    struct json_rewrite what = {.text = item->record.body,
                                .swaps = swaps,
                                .offset = item->record.offset,
                                .is_clean = item->is_clean};
    enum ag_err err = AG_OK;

    if (item->is_text) {
        return sink_feed(&r->next, buf_view(&item->bytes));
    }
    for (size_t i = 0; err == AG_OK && i < item->part_count; i++) {
        struct record_part *part = &item->parts[i];
        bool has_changed = false;

        err = compare(r, part, &has_changed);
        if (err == AG_OK && has_changed && !item->is_clean) {
            err = put_part_alone(r, item, part);
        }
        if (has_changed) { /* else it is rewritten as all the others */
            swaps[what.swap_count++] = (struct json_swap){
                .at = part->delta.at, .text = buf_view(&part->text)};
        }
    }
    return err == AG_OK ? put_record(r, &item->record, &what) : err;
}

/* All that is decided, in order. */
static enum ag_err
drain(struct records *r)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && !STAILQ_EMPTY(&r->waiting) &&
           STAILQ_FIRST(&r->waiting)->open_count == 0) {
        struct record_item *item = STAILQ_FIRST(&r->waiting);

        STAILQ_REMOVE_HEAD(&r->waiting, next);
        r->waiting_bytes -= record_item_bytes(item);
        if (item == r->plain_item) {
            r->plain_item = NULL; /* there is nothing in front of it any more */
        }
        err = put_item(r, item);
        record_item_free(item);
    }
    return err;
}

/* Too much of it: all that is not decided is, as if it ended here. */
static enum ag_err
limit(struct records *r)
{
    enum ag_err err = r->waiting_bytes > RECORDS_WAITING_MAX_BYTES
                          ? record_texts_end(r->texts)
                          : AG_OK;

    return err == AG_OK ? drain(r) : err;
}

/* ---- text between records ---- */

static enum ag_err
take_plain(void *ctx, struct span bytes)
{
    struct records *r = ctx;

    if (r->plain_item == NULL) {
        return sink_feed(&r->next, bytes);
    }
    r->waiting_bytes += bytes.len;
    return buf_add(&r->plain_item->bytes, bytes);
}

static void
plain_hit(void *ctx, const struct redactor_hit *hit)
{
    const struct records *r = ctx;

    struct redactor_hit told = *hit;

    told.offset += r->plain_offset;
    if (r->terms.options.on_hit != NULL) {
        r->terms.options.on_hit(r->terms.options.hit_ctx, &told);
    }
}

static enum ag_err
plain_end(struct records *r)
{
    enum ag_err err = r->is_plain ? scrub_finish(r->plain) : AG_OK;

    r->is_plain = false;
    r->plain_item = NULL;
    return err;
}

static enum ag_err
plain_begin(struct records *r, uint64_t offset)
{
    struct record_item *item = NULL;
    enum ag_err err = scrub_restart(r->plain, SCRUB_ALL);

    r->is_plain = true;
    r->plain_offset = offset;
    if (err == AG_OK && !STAILQ_EMPTY(&r->waiting)) {
        err = record_item_new(0, &item);
        if (err == AG_OK) {
            item->is_text = true;
            r->plain_item = item;
            push(r, item);
        }
    }
    return err;
}

enum ag_err
records_text(struct records *r, struct span part, uint64_t offset)
{
    enum ag_err err = r->is_plain ? AG_OK : plain_begin(r, offset);

    if (err == AG_OK) {
        err = scrub_feed(r->plain, part);
    }
    return err == AG_OK ? limit(r) : err;
}

/* ---- the module's face ---- */

enum ag_err
records_json(struct records *r, const struct record *record, bool *ret_is_json)
{
    struct json_deltas deltas;
    struct json_rewrite what = {.text = record->body, .offset = record->offset};
    enum json_state state = JSON_STATE_NONE;
    struct record_item *item = NULL;
    enum ag_err err = json_record_look(r->json, record, &deltas, &state);

    *ret_is_json = err == AG_OK && state != JSON_STATE_NONE;
    if (err != AG_OK || state == JSON_STATE_NONE) {
        return err;
    }
    what.is_clean = state == JSON_STATE_CLEAN;
    err = plain_end(r);
    if (err == AG_OK) {
        err = record_texts_tick(r->texts);
    }
    if (err == AG_OK) {
        err = drain(r);
    }
    if (err == AG_OK && deltas.count == 0 && STAILQ_EMPTY(&r->waiting)) {
        return put_record(r, record, &what);
    }
    if (err == AG_OK) {
        err = record_item_of(record, &deltas, &item);
    }
    if (err != AG_OK) {
        return err;
    }
    item->is_clean = what.is_clean;
    push(r, item);
    for (size_t i = 0; err == AG_OK && i < deltas.count; i++) {
        err = record_texts_add(r->texts, &item->parts[i]);
    }
    return err == AG_OK ? limit(r) : err;
}

enum ag_err
records_new(const struct scrub_terms *terms, const struct sink *next,
            struct records **ret)
{
    AG_AUTO(records) struct records *r = calloc(1, sizeof(*r));
    struct scrub_terms plain = *terms;
    const struct sink sink = {.ctx = r, .feed = take_plain};
    enum ag_err err;

    if (r == NULL) {
        return AG_ENOMEM;
    }
    STAILQ_INIT(&r->waiting);
    buf_init(&r->out, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    r->terms = *terms;
    r->next = *next;
    plain.options.hit_ctx = r;
    plain.options.on_hit = plain_hit;
    plain.on_border = NULL;
    err = json_record_new(terms, &r->json);
    if (err == AG_OK) {
        err = record_texts_new(terms, &r->texts);
    }
    if (err == AG_OK) {
        err = scrub_new(&plain, &sink, &r->plain);
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(r);
    return AG_OK;
}

void
records_free(struct records *r)
{
    if (r == NULL) {
        return;
    }
    while (!STAILQ_EMPTY(&r->waiting)) {
        struct record_item *item = STAILQ_FIRST(&r->waiting);

        STAILQ_REMOVE_HEAD(&r->waiting, next);
        record_item_free(item);
    }
    record_texts_free(r->texts);
    json_record_free(r->json);
    scrub_free(r->plain);
    buf_done(&r->out);
    free(r);
}

enum ag_err
records_use(struct records *r, const struct matcher *set)
{
    enum ag_err err = json_record_use(r->json, set);

    if (err == AG_OK) {
        err = record_texts_use(r->texts, set);
    }
    return err == AG_OK ? scrub_use(r->plain, set) : err;
}

/* Each scrub that has text. */
static enum ag_err
step(struct records *r, enum ag_err (*plain)(struct scrub *s),
     enum ag_err (*parts)(struct scrub *s))
{
    enum ag_err err = r->is_plain ? plain(r->plain) : AG_OK;

    if (err == AG_OK) {
        err = record_texts_step(r->texts, parts);
    }
    return err == AG_OK ? drain(r) : err;
}

enum ag_err
records_settle(struct records *r)
{
    return step(r, scrub_settle, scrub_settle);
}

enum ag_err
records_idle(struct records *r)
{
    return step(r, scrub_idle, scrub_idle_whole); /* a part is all or none */
}

enum ag_err
records_finish(struct records *r)
{
    enum ag_err err = plain_end(r);

    if (err == AG_OK) {
        err = record_texts_end(r->texts);
    }
    return err == AG_OK ? drain(r) : err;
}

bool
records_is_holding(const struct records *r)
{
    return (r->is_plain && scrub_is_holding(r->plain)) ||
           record_texts_are_holding(r->texts);
}
