/* A record with everything taken out. */
#include "redact/json_record_impl.h"
#include "redact/json_text.h"

/* j->part, as one text, to j->out. */
static enum ag_err
scrub_part(struct json_record *j, enum scrub_depth depth)
{
    enum ag_err err = scrub_restart(j->scrub, depth);

    json_empty(&j->out);
    if (err == AG_OK) {
        err = scrub_feed(j->scrub, buf_view(&j->part));
    }
    json_empty(&j->part);
    return err == AG_OK ? scrub_finish(j->scrub) : err;
}

enum ag_err
json_record_text(struct json_record *j, struct span text, uint64_t offset,
                 struct buf *out)
{
    enum ag_err err = buf_add(&j->part, text);

    j->is_looking = false;
    j->offset = offset;
    if (err == AG_OK) {
        err = scrub_part(j, SCRUB_ALL);
    }
    return err == AG_OK ? buf_add(out, buf_view(&j->out)) : err;
}

/* A part of one text, and a border behind it. */
static enum ag_err
feed_piece(struct json_record *j, struct span piece)
{
    enum ag_err err = scrub_feed(j->scrub, piece);

    return err == AG_OK ? scrub_border(j->scrub) : err;
}

/*
 * One text behind its name, with quotes, through the scrub; *ret is what is
 * left of the text, in j->out. What a hole takes of it that begins in the name,
 * or goes on behind it, is taken out of it too.
 */
static enum ag_err
scrub_text(struct json_record *j, struct span key, struct span text,
           struct span *ret)
{
    bool is_opaque = key.ptr != NULL && json_key_is_opaque(key);
    enum ag_err err =
        scrub_restart(j->scrub, is_opaque ? SCRUB_KNOWN : SCRUB_ALL);

    json_empty(&j->out);
    j->border_count = 0;
    if (err == AG_OK) {
        err = json_add_head(&j->part, key);
    }
    if (err == AG_OK) {
        err = feed_piece(j, buf_view(&j->part));
    }
    json_empty(&j->part);
    if (err == AG_OK) {
        err = feed_piece(j, text);
    }
    if (err == AG_OK) {
        err = scrub_feed(j->scrub, span_str("\""));
    }
    if (err == AG_OK) {
        err = scrub_finish(j->scrub);
    }
    if (err == AG_OK && j->border_count != JSON_BORDERS_COUNT) {
        err = AG_EINTERNAL;
    }
    if (err == AG_OK) {
        *ret = span_sub(buf_view(&j->out), j->borders[0],
                        j->borders[1] - j->borders[0]);
    }
    return err;
}

static enum ag_err rewrite_all(struct json_record *j, struct json_place *p,
                               const struct json_rewrite *what,
                               struct buf *out);

/* The string's text, with what is JSON in it rewritten, at *ret. */
static enum ag_err
rewrite_inside(struct json_record *j, const struct json_place *p,
               struct span *ret)
{
    struct json_level *level = &j->levels[p->depth];
    const struct json_rewrite what = {.text = buf_view(&level->text)};
    struct json_place inner;
    enum ag_err err;

    *ret = what.text;
    if (!json_may_be(what.text) || !json_scan_is_json(what.text)) {
        return AG_OK;
    }
    json_empty(&level->made);
    json_place_init(&inner, what.text, p->depth + 1);
    err = rewrite_all(j, &inner, &what, &level->made);
    *ret = buf_view(&level->made);
    return err;
}

/* Between its quotes: as it was, or what is left of it. */
static enum ag_err
rewrite_string(struct json_record *j, const struct json_place *p,
               struct buf *out)
{
    size_t at = p->depth < JSON_NESTED_MAX ? p->depth : JSON_NESTED_MAX - 1;
    AG_AUTO(buf) struct buf own = {0};
    struct buf *text = &j->levels[at].text;
    struct span left;
    enum ag_err err;

    buf_init(&own, JSON_REWRITTEN_MAX_BYTES, BUF_WIPE);
    if (p->depth == JSON_NESTED_MAX) {
        text = &own; /* the level's own is being read */
    }
    json_empty(text);
    err = json_text_decode(p->token.raw, text);
    left = buf_view(text);
    if (err == AG_OK && p->token.kind == JSON_STRING &&
        p->depth < JSON_NESTED_MAX) {
        err = rewrite_inside(j, p, &left);
    }
    if (err == AG_OK) {
        err =
            scrub_text(j, p->token.kind == JSON_KEY ? span_of(NULL, 0) : p->key,
                       left, &left);
    }
    if (err != AG_OK) {
        return err;
    }
    return span_equal(left, buf_view(text)) ? buf_add(out, p->token.raw)
                                            : json_text_encode(left, out);
}

/* A number, true, false or null; a value becomes a string. */
static enum ag_err
rewrite_scalar(struct json_record *j, struct span raw, struct buf *out)
{
    uint64_t found = j->found;
    enum ag_err err = buf_add(&j->part, raw);

    if (err == AG_OK) {
        err = scrub_part(j, SCRUB_KNOWN);
    }
    if (err != AG_OK || j->found == found) {
        return err == AG_OK ? buf_add(out, raw) : err;
    }
    err = buf_add_byte(out, '"');
    if (err == AG_OK) {
        err = json_text_encode(buf_view(&j->out), out);
    }
    return err == AG_OK ? buf_add_byte(out, '"') : err;
}

/* Its raw bytes, or what is to stand there; quotes are the caller's. */
static enum ag_err
rewrite_token(struct json_record *j, const struct json_place *p,
              const struct json_rewrite *what, struct buf *out)
{
    for (size_t i = 0; i < what->swap_count; i++) {
        if (p->token.at == what->swaps[i].at) {
            return json_text_encode(what->swaps[i].text, out);
        }
    }
    if (what->is_clean) {
        return buf_add(out, p->token.raw);
    }
    return p->token.kind == JSON_SCALAR ? rewrite_scalar(j, p->token.raw, out)
                                        : rewrite_string(j, p, out);
}

static enum ag_err
rewrite_all(struct json_record *j, struct json_place *p,
            const struct json_rewrite *what, struct buf *out)
{
    struct span text = what->text;
    enum json_kind kind = json_place_next(p);
    size_t done = 0;
    enum ag_err err = AG_OK;

    while (err == AG_OK && kind != JSON_END && kind != JSON_BAD) {
        if (kind == JSON_STRING || kind == JSON_KEY || kind == JSON_SCALAR) {
            size_t from = (size_t)(p->token.raw.ptr - text.ptr);

            err = buf_add(out, span_sub(text, done, from - done));
            if (err == AG_OK) {
                err = rewrite_token(j, p, what, out);
            }
            done = from + p->token.raw.len;
        }
        kind = json_place_next(p);
    }
    return err == AG_OK ? buf_add(out, span_sub(text, done, text.len - done))
                        : err;
}

enum ag_err
json_record_rewrite(struct json_record *j, const struct json_rewrite *what,
                    struct buf *out)
{
    struct json_place p = {.depth = 0};

    j->is_looking = false;
    j->offset = what->offset;
    json_place_init(&p, what->text, 0);
    return rewrite_all(j, &p, what, out);
}
