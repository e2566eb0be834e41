#include "privsep/filter_msg.h"

#include <string.h>

#include "redact/redactor.h"

enum {
    DEFAULT_MARKER = 255,
};

/* Reads fields off the front; once something is missing, all is. */
struct reader {
    struct span rest;
    bool bad;
};

static struct span
get_bytes(struct reader *r, size_t len)
{
    struct span taken = span_of(NULL, 0);

    if (r->bad || r->rest.len < len) {
        r->bad = true;
        return taken;
    }
    taken = span_sub(r->rest, 0, len);
    r->rest = span_sub(r->rest, len, r->rest.len - len);
    return taken;
}

static uint64_t
get_number(struct reader *r, size_t len)
{
    struct span bytes = get_bytes(r, len);
    uint64_t value = 0;
    size_t i;

    for (i = bytes.len; i > 0; i--) {
        value = value << 8 | bytes.ptr[i - 1];
    }
    return value;
}

static size_t
put_number(uint8_t *out, uint64_t value, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
    return len;
}

size_t
fmsg_put_record(const struct fmsg_record *record,
                uint8_t out[FMSG_LOAD_HEAD_BYTES])
{
    size_t len = put_number(out, (uint64_t)record->kind, 1);

    switch (record->kind) {
    case FMSG_DROP:
    case FMSG_DROP_GROUP:
        len += put_number(out + len, record->id, 8);
        break;
    case FMSG_LOAD:
        len += put_number(out + len, record->id, 8);
        len += put_number(out + len, (uint64_t)record->flags, 4);
        len += put_number(out + len, record->value_len, 4);
        len += put_number(out + len, record->name.len, 2);
        len += put_number(out + len, record->part.len, 4);
        break;
    case FMSG_MORE:
        len += put_number(out + len, record->part.len, 4);
        break;
    }
    return len;
}

static enum ag_err
get_load(struct reader *r, struct fmsg_record *ret)
{
    uint64_t flags;
    size_t name_len;
    size_t part_len;

    ret->id = get_number(r, 8);
    flags = get_number(r, 4);
    ret->value_len = get_number(r, 4);
    name_len = get_number(r, 2);
    part_len = get_number(r, 4);
    ret->name = get_bytes(r, name_len);
    ret->part = get_bytes(r, part_len);
    if (r->bad || flags > (uint64_t)(MATCHER_NO_LINES | MATCHER_SPARE) ||
        ret->name.len > MATCHER_NAME_MAX_BYTES ||
        ret->value_len > MATCHER_VALUE_MAX_BYTES ||
        ret->part.len > ret->value_len) {
        return AG_EINVAL;
    }
    ret->flags = (enum matcher_flags)flags;
    return AG_OK;
}

enum ag_err
fmsg_get_record(struct span *rest, struct fmsg_record *ret)
{
    struct reader r = {.rest = *rest};
    uint64_t kind = get_number(&r, 1);
    enum ag_err err = AG_OK;

    *ret = (struct fmsg_record){.kind = FMSG_DROP};
    if (kind == FMSG_LOAD) {
        ret->kind = FMSG_LOAD;
        err = get_load(&r, ret);
    } else if (kind == FMSG_MORE) {
        ret->kind = FMSG_MORE;
        ret->part = get_bytes(&r, get_number(&r, 4));
    } else if (kind == FMSG_DROP || kind == FMSG_DROP_GROUP) {
        ret->kind = (enum fmsg_record_kind)kind;
        ret->id = get_number(&r, 8);
    } else {
        err = AG_EINVAL;
    }
    if (err != AG_OK || r.bad) {
        return AG_EINVAL;
    }
    *rest = r.rest;
    return AG_OK;
}

enum ag_err
fmsg_put_stream(struct buf *out, const struct fmsg_stream *s)
{
    size_t marker_len = s->has_marker ? strlen(s->marker) : 0;
    enum ag_err err = buf_add_u64le(out, s->id);

    if (err == AG_OK) {
        err = buf_add_byte(out, (uint8_t)s->audience);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, (uint8_t)s->rules);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, s->places ? 1 : 0);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, s->vouch ? 1 : 0);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, (uint8_t)s->format);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, s->has_marker ? (uint8_t)marker_len
                                              : DEFAULT_MARKER);
    }
    return err != AG_OK ? err : buf_add(out, span_of(s->marker, marker_len));
}

enum ag_err
fmsg_get_stream(struct span body, struct fmsg_stream *ret)
{
    struct reader r = {.rest = body};
    uint64_t audience;
    uint64_t rules;
    uint64_t places;
    uint64_t vouch;
    uint64_t format;
    uint64_t marker_len;
    struct span marker;

    ret->id = get_number(&r, 8);
    audience = get_number(&r, 1);
    rules = get_number(&r, 1);
    places = get_number(&r, 1);
    vouch = get_number(&r, 1);
    format = get_number(&r, 1);
    marker_len = get_number(&r, 1);
    ret->has_marker = marker_len != DEFAULT_MARKER;
    marker = get_bytes(&r, ret->has_marker ? marker_len : 0);
    if (r.bad || r.rest.len != 0 || audience > FILTER_TASK ||
        rules > FILTER_RULES_ALL || places > 1 || vouch > 1 ||
        format >= STREAM_COUNT || marker.len > FILTER_MARKER_MAX_BYTES ||
        span_find(marker, 0) != marker.len) {
        return AG_EINVAL;
    }
    ret->audience = (enum filter_audience)audience;
    ret->rules = (enum filter_rules)rules;
    ret->places = places == 1;
    ret->vouch = vouch == 1;
    ret->format = (enum format)format;
    if (marker.len > 0) {
        memcpy(ret->marker, marker.ptr, marker.len);
    }
    ret->marker[marker.len] = '\0';
    return AG_OK;
}

static enum ag_err
put_row(struct buf *out, const struct fmsg_row *row)
{
    uint8_t bytes[8 + 1 + 8 + 8 + 1];
    size_t len = put_number(bytes, row->id, 8);
    enum ag_err err;

    len += put_number(bytes + len, (uint64_t)row->form, 1);
    len += put_number(bytes + len, row->count, 8);
    len += put_number(bytes + len, row->first_offset, 8);
    len += put_number(bytes + len, row->name_len, 1);
    err = buf_add(out, span_of(bytes, len));
    return err != AG_OK ? err : buf_add(out, span_of(row->name, row->name_len));
}

static enum ag_err
put_vouch(struct buf *out, const struct filter_vouch *v)
{
    const uint8_t *const hashes[] = {v->in_sha256, v->out_sha256, v->set_digest,
                                     v->rules_digest};
    const uint64_t numbers[] = {v->first_epoch, v->last_epoch, v->value_count,
                                v->rule_count, v->residual};
    enum ag_err err = AG_OK;
    size_t i;

    for (i = 0; i < AG_COUNT(hashes) && err == AG_OK; i++) {
        err = buf_add(out, span_of(hashes[i], FILTER_HASH_BYTES));
    }
    for (i = 0; i < AG_COUNT(numbers) && err == AG_OK; i++) {
        err = buf_add_u64le(out, numbers[i]);
    }
    return err;
}

static bool
is_row_of(const struct fmsg_row *row, const struct redactor_hit *hit)
{
    return row->id == hit->id &&
           strcmp(variant_name(row->form), variant_name(hit->form)) == 0;
}

bool
fmsg_count(struct fmsg_end *end, const struct redactor_hit *hit, bool *ret_new)
{
    struct fmsg_row *row = NULL;
    size_t i;

    *ret_new = false;
    for (i = 0; i < end->row_count; i++) {
        if (is_row_of(&end->rows[i], hit)) {
            end->rows[i].count++;
            return true;
        }
    }
    if (end->row_count == FILTER_COUNTS_MAX_COUNT) {
        return false;
    }
    row = &end->rows[end->row_count++];
    row->id = hit->id;
    row->form = hit->form;
    row->count = 1;
    row->first_offset = hit->offset;
    row->name_len = (uint8_t)hit->name.len;
    memcpy(row->name, hit->name.ptr, hit->name.len);
    row->name[hit->name.len] = '\0';
    *ret_new = true;
    return true;
}

enum ag_err
fmsg_put_end(struct buf *out, const struct fmsg_end *end)
{
    uint8_t bytes[8 + 4 + 8 + 8 + 8 + 4];
    size_t len = put_number(bytes, end->id, 8);
    enum ag_err err;
    size_t i;

    len += put_number(bytes + len, (uint64_t)end->result, 4);
    len += put_number(bytes + len, end->bytes_in, 8);
    len += put_number(bytes + len, end->bytes_out, 8);
    len += put_number(bytes + len, end->hits, 8);
    len += put_number(bytes + len, end->row_count, 4);
    err = buf_add(out, span_of(bytes, len));
    for (i = 0; i < end->row_count && err == AG_OK; i++) {
        err = put_row(out, &end->rows[i]);
    }
    return err == AG_OK && end->has_vouch ? put_vouch(out, &end->vouch) : err;
}

static void
get_vouch(struct reader *r, struct filter_vouch *ret)
{
    uint8_t *const hashes[] = {ret->in_sha256, ret->out_sha256, ret->set_digest,
                               ret->rules_digest};
    uint64_t *const numbers[] = {&ret->first_epoch, &ret->last_epoch,
                                 &ret->value_count, &ret->rule_count,
                                 &ret->residual};
    size_t i;

    for (i = 0; i < AG_COUNT(hashes); i++) {
        struct span hash = get_bytes(r, FILTER_HASH_BYTES);

        if (!r->bad) {
            memcpy(hashes[i], hash.ptr, hash.len);
        }
    }
    for (i = 0; i < AG_COUNT(numbers); i++) {
        *numbers[i] = get_number(r, 8);
    }
}

static enum ag_err
get_row(struct reader *r, struct fmsg_row *ret)
{
    uint64_t form;
    struct span name;

    ret->id = get_number(r, 8);
    form = get_number(r, 1);
    ret->count = get_number(r, 8);
    ret->first_offset = get_number(r, 8);
    ret->name_len = (uint8_t)get_number(r, 1);
    name = get_bytes(r, ret->name_len);
    if (r->bad || form >= VARIANT_NAMED_COUNT ||
        span_find(name, 0) != name.len) {
        return AG_EINVAL;
    }
    ret->form = (enum variant)form;
    if (name.len > 0) {
        memcpy(ret->name, name.ptr, name.len);
    }
    ret->name[name.len] = '\0';
    return AG_OK;
}

enum ag_err
fmsg_get_end(struct span body, struct fmsg_end *ret)
{
    struct reader r = {.rest = body};
    uint64_t result;
    uint64_t row_count;
    size_t i;

    ret->id = get_number(&r, 8);
    result = get_number(&r, 4);
    ret->bytes_in = get_number(&r, 8);
    ret->bytes_out = get_number(&r, 8);
    ret->hits = get_number(&r, 8);
    row_count = get_number(&r, 4);
    if (r.bad || result >= AG_ERR_COUNT ||
        row_count > FILTER_COUNTS_MAX_COUNT) {
        return AG_EINVAL;
    }
    ret->result = (enum ag_err)result;
    ret->row_count = row_count;
    for (i = 0; i < row_count; i++) {
        enum ag_err err = get_row(&r, &ret->rows[i]);

        if (err != AG_OK) {
            return err;
        }
    }
    ret->has_vouch = r.rest.len > 0;
    if (ret->has_vouch) {
        get_vouch(&r, &ret->vouch);
    }
    return !r.bad && r.rest.len == 0 ? AG_OK : AG_EINVAL;
}

enum ag_err
fmsg_get_numbers(struct span body, uint64_t *out, size_t count)
{
    struct reader r = {.rest = body};
    size_t i;

    for (i = 0; i < count; i++) {
        uint64_t value = get_number(&r, 8);

        if (!r.bad) {
            out[i] = value;
        }
    }
    return r.bad || r.rest.len != 0 ? AG_EINVAL : AG_OK;
}
