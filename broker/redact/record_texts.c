#include "redact/record_texts.h"

#include <stdlib.h>

#include "redact/json_text.h"

enum {
    PART_KEPT_BYTES = 256 * 1024, /* a larger buffer is given back */
};

STAILQ_HEAD(record_parts, record_part);

struct text {
    struct record_texts *texts;
    struct scrub *scrub;
    bool is_open;
    uint64_t id;
    uint64_t last;             /* record that had a part of it */
    struct record_parts parts; /* not decided */
};

struct record_texts {
    struct scrub_terms terms;
    uint64_t count; /* of records */
    struct buf part;
    struct text all[RECORDS_TEXTS_MAX_COUNT];
};

/* ---- the scrubs' ends ---- */

static enum ag_err
take(void *ctx, struct span bytes)
{
    struct text *t = ctx;

    return STAILQ_EMPTY(&t->parts)
               ? AG_EINTERNAL
               : buf_add(&STAILQ_FIRST(&t->parts)->text, bytes);
}

static enum ag_err
on_border(void *ctx)
{
    struct text *t = ctx;

    if (STAILQ_EMPTY(&t->parts)) {
        return AG_EINTERNAL; /* more ends than beginnings */
    }
    STAILQ_FIRST(&t->parts)->item->open_count--;
    STAILQ_REMOVE_HEAD(&t->parts, next);
    return AG_OK;
}

static void
on_hit(void *ctx, const struct redactor_hit *hit)
{
    const struct text *t = ctx;
    const struct redactor_options *options = &t->texts->terms.options;
    struct redactor_hit told = *hit;

    told.offset = STAILQ_EMPTY(&t->parts)
                      ? 0
                      : STAILQ_FIRST(&t->parts)->item->record.offset;
    if (options->on_hit != NULL) {
        options->on_hit(options->hit_ctx, &told);
    }
}

/* ---- one text ---- */

static enum ag_err
end(struct text *t)
{
    if (!t->is_open) {
        return AG_OK;
    }
    t->is_open = false;
    return scrub_finish(t->scrub);
}

static enum ag_err
begin(struct text *t, uint64_t id)
{
    t->id = id;
    t->is_open = true;
    return scrub_restart(t->scrub, SCRUB_ALL);
}

/* The text with this id; in place of the one that is silent longest if there
 * is no room. */
static enum ag_err
find(struct record_texts *texts, uint64_t id, struct text **ret)
{
    struct text *oldest = &texts->all[0];
    enum ag_err err;

    for (size_t i = 0; i < RECORDS_TEXTS_MAX_COUNT; i++) {
        struct text *t = &texts->all[i];

        if (t->is_open && t->id == id) {
            *ret = t;
            return AG_OK;
        }
        if (oldest->is_open && (!t->is_open || t->last < oldest->last)) {
            oldest = t;
        }
    }
    err = end(oldest);
    *ret = oldest;
    return err == AG_OK ? begin(oldest, id) : err;
}

/* ---- the module's face ---- */

/* All that it will need, as long as the set stays as it is. */
static enum ag_err
text_init(struct record_texts *texts, struct text *t)
{
    struct scrub_terms terms = texts->terms;
    const struct sink sink = {.ctx = t, .feed = take};

    t->texts = texts;
    STAILQ_INIT(&t->parts);
    terms.options.hit_ctx = t;
    terms.options.on_hit = on_hit;
    terms.on_border = on_border;
    terms.border_ctx = t;
    return scrub_new(&terms, &sink, &t->scrub);
}

enum ag_err
record_texts_new(const struct scrub_terms *terms, struct record_texts **ret)
{
    AG_AUTO(record_texts) struct record_texts *t = calloc(1, sizeof(*t));
    enum ag_err err = AG_OK;

    if (t == NULL) {
        return AG_ENOMEM;
    }
    t->terms = *terms;
    buf_init(&t->part, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    for (size_t i = 0; err == AG_OK && i < RECORDS_TEXTS_MAX_COUNT; i++) {
        err = text_init(t, &t->all[i]);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(t);
    }
    return err;
}

void
record_texts_free(struct record_texts *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < RECORDS_TEXTS_MAX_COUNT; i++) {
        scrub_free(t->all[i].scrub);
    }
    buf_done(&t->part);
    free(t);
}

enum ag_err
record_texts_use(struct record_texts *t, const struct matcher *set)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < RECORDS_TEXTS_MAX_COUNT; i++) {
        err = scrub_use(t->all[i].scrub, set);
    }
    return err;
}

enum ag_err
record_texts_tick(struct record_texts *t)
{
    enum ag_err err = AG_OK;

    t->count++;
    for (size_t i = 0; err == AG_OK && i < RECORDS_TEXTS_MAX_COUNT; i++) {
        if (t->count - t->all[i].last > RECORDS_SILENT_COUNT) {
            err = end(&t->all[i]);
        }
    }
    return err;
}

enum ag_err
record_texts_add(struct record_texts *texts, struct record_part *part)
{
    struct text *t = NULL;
    enum ag_err err = find(texts, part->delta.stream, &t);

    if (err != AG_OK) {
        return err;
    }
    t->last = texts->count;
    STAILQ_INSERT_TAIL(&t->parts, part, next);
    buf_clear(&texts->part);
    err = json_text_decode(part->delta.raw, &texts->part);
    if (err == AG_OK) {
        err = scrub_feed(t->scrub, buf_view(&texts->part));
    }
    if (texts->part.cap > PART_KEPT_BYTES) {
        buf_done(&texts->part);
        buf_init(&texts->part, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    }
    return err == AG_OK ? scrub_border(t->scrub) : err;
}

enum ag_err
record_texts_end(struct record_texts *t)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < RECORDS_TEXTS_MAX_COUNT; i++) {
        err = end(&t->all[i]);
    }
    return err;
}

enum ag_err
record_texts_step(struct record_texts *t, enum ag_err (*move)(struct scrub *s))
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < RECORDS_TEXTS_MAX_COUNT; i++) {
        if (t->all[i].is_open) {
            err = move(t->all[i].scrub);
        }
    }
    return err;
}

bool
record_texts_are_holding(const struct record_texts *t)
{
    bool holds = false;

    for (size_t i = 0; !holds && i < RECORDS_TEXTS_MAX_COUNT; i++) {
        holds = t->all[i].is_open && scrub_is_holding(t->all[i].scrub);
    }
    return holds;
}
