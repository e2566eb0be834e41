#include "proxy/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "proxy/proxy.h"
#include "proxy/sieve.h"
#include "redact/redactor.h"
#include "redact/strength.h"
#include "upstream/upstream.h"

void
proxy_head_done(struct proxy_head *head)
{
    free(head->fields);
    head->fields = NULL;
    head->field_count = 0;
    buf_done(&head->text);
    buf_done(&head->changed);
}

static bool
starts_like(struct span text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len &&
           strncasecmp((const char *)text.ptr, prefix, len) == 0;
}

/* Alt-Svc and HSTS speak of the service's own address, which is not ours. */
static bool
is_left_out(struct span name)
{
    static const char *const NAMES[] = {
        "connection", "keep-alive", "te",   "trailer",
        "upgrade",    "alt-svc",    "date", "strict-transport-security"};

    for (size_t i = 0; i < AG_COUNT(NAMES); i++) {
        if (request_name_is(name, NAMES[i])) {
            return true;
        }
    }
    return starts_like(name, "proxy-");
}

/* ---- values in the head ---- */

/* What a text is searched with, and for. */
struct search {
    struct redactor *sieve;
    const struct matcher *filter;
};

static enum ag_err
on_text(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static enum ag_err
on_nothing(void *ctx, struct span part)
{
    (void)ctx;
    (void)part;
    return AG_OK;
}

static enum ag_err
redact_into(const struct search *search, struct span text,
            const struct sink *sink, size_t *hits)
{
    enum ag_err err = sieve_begin(search->sieve, search->filter, sink, hits);

    if (err == AG_OK) {
        err = redactor_feed(search->sieve, text);
    }
    return err == AG_OK ? redactor_finish(search->sieve) : err;
}

/* Appends the text with markers in it to `out`; *hits grows. */
static enum ag_err
redact_text(const struct search *search, struct span text, struct buf *out,
            size_t *hits)
{
    const struct sink sink = {.ctx = out, .feed = on_text};

    return redact_into(search, text, &sink, hits);
}

static int
folded(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool
starts_folded(struct span text, struct span start)
{
    size_t i = 0;

    while (i < start.len && i < text.len &&
           folded(text.ptr[i]) == folded(start.ptr[i])) {
        i++;
    }
    return i == start.len;
}

/* A value as it is, but for upper and lower case, which names don't tell. */
static bool
holds_folded(const struct matcher *filter, struct span name)
{
    for (size_t i = 0; i < matcher_count(filter); i++) {
        struct span value = matcher_value_at(filter, i).value;

        if (value.len > name.len || strength_of(value) != STRENGTH_FULL) {
            continue; /* the weak, as everywhere for a task */
        }
        for (size_t at = 0; at + value.len <= name.len; at++) {
            if (starts_folded(span_sub(name, at, value.len), value)) {
                return true;
            }
        }
    }
    return false;
}

/* Each name and each value is a line. */
static enum ag_err
all_texts(const struct proxy_head *head, struct buf *out)
{
    uint8_t *room = NULL;
    size_t len = 0;
    enum ag_err err = AG_OK;

    buf_init(out, ANSWER_HEAD_MAX_BYTES, BUF_WIPE);
    for (size_t i = 0; i < head->field_count; i++) {
        len += head->fields[i].name.len + head->fields[i].value.len + 2;
    }
    err = buf_room(out, len, &room); /* at once: what grows is copied */
    for (size_t i = 0; err == AG_OK && i < head->field_count; i++) {
        err = buf_add(out, head->fields[i].name);
        if (err == AG_OK) {
            err = buf_add_byte(out, '\n');
        }
        if (err == AG_OK) {
            err = buf_add(out, head->fields[i].value);
        }
        if (err == AG_OK) {
            err = buf_add_byte(out, '\n');
        }
    }
    return err;
}

/* The service's head is gone when its answer is passed on. */
static enum ag_err
own_texts(struct proxy_head *head)
{
    enum ag_err err = all_texts(head, &head->text);
    struct span all = buf_view(&head->text);
    size_t at = 0;

    for (size_t i = 0; err == AG_OK && i < head->field_count; i++) {
        struct request_field *field = &head->fields[i];

        field->name = span_sub(all, at, field->name.len);
        at += field->name.len + 1;
        field->value = span_sub(all, at, field->value.len);
        at += field->value.len + 1;
    }
    return err;
}

/* All values in one pass over `all`, the head's texts: mostly there is none. */
static enum ag_err
has_values(const struct proxy_head *head, const struct search *search,
           struct span all, bool *ret)
{
    const struct sink nowhere = {.feed = on_nothing};
    size_t hits = 0;
    bool folded_hit = false;
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < head->field_count; i++) {
        folded_hit =
            folded_hit || holds_folded(search->filter, head->fields[i].name);
    }
    err = redact_into(search, all, &nowhere, &hits);
    *ret = folded_hit || hits > 0;
    return err;
}

/* There is no marker for a name: such a field is left out. */
static enum ag_err
drop_named_so(struct proxy_head *head, const struct search *search)
{
    size_t kept = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < head->field_count; i++) {
        struct span name = head->fields[i].name;
        AG_AUTO(buf) struct buf out = {0};
        size_t hits = 0;

        buf_init(&out, 2 * (size_t)ANSWER_HEAD_MAX_BYTES, BUF_WIPE);
        err = redact_text(search, name, &out, &hits);
        if (hits == 0 && !holds_folded(search->filter, name)) {
            head->fields[kept++] = head->fields[i];
        }
    }
    head->field_count = kept;
    return err;
}

/* `changed` grows first and is pointed into afterwards: it may move. */
static enum ag_err
redact_values(struct proxy_head *head, const struct search *search)
{
    size_t ends[ANSWER_FIELDS_MAX_COUNT];
    size_t at = 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < head->field_count; i++) {
        err = redact_text(search, head->fields[i].value, &head->changed, NULL);
        ends[i] = head->changed.len;
    }
    for (size_t i = 0; err == AG_OK && i < head->field_count; i++) {
        head->fields[i].value =
            span_sub(buf_view(&head->changed), at, ends[i] - at);
        at = ends[i];
    }
    return err;
}

static enum ag_err
redact_head(struct proxy_head *head, const struct search *search)
{
    AG_AUTO(buf) struct buf all = {0};
    bool found = false;
    enum ag_err err = drop_named_so(head, search);

    if (err == AG_OK) {
        err = redact_values(head, search);
    }
    if (err == AG_OK) {
        err = all_texts(head, &all);
    }
    if (err == AG_OK) {
        err = has_values(head, search, buf_view(&all), &found);
    }
    return err == AG_OK && found
               ? err_why(AG_EENCODED, "the head of the service's answer holds "
                                      "a value over several fields")
               : err;
}

/* ---- the whole ---- */

static enum ag_err
set_length(struct span value, struct proxy_head *ret)
{
    uint64_t length = 0;

    if (ret->body_bytes != PROXY_BODY_CHUNKED ||
        parse_u64(value, INT64_MAX, &length) != AG_OK) {
        return err_why(AG_EUPSTREAM, "the service's answer has no one length");
    }
    ret->body_bytes = (int64_t)length;
    return AG_OK;
}

/* Undoing chunks is all that is done: what is packed beneath would pass. */
static enum ag_err
check_transfer(const struct upstream_head *head, struct span value)
{
    if (!request_name_is(value, "chunked")) {
        return err_why(AG_EENCODED, "the service encodes its answer for the "
                                    "transfer, unasked; it can't be searched "
                                    "for values");
    }
    for (size_t i = 0; i < head->field_count; i++) {
        if (request_name_is(head->fields[i].name, "content-length")) {
            return err_why(AG_EUPSTREAM,
                           "the service's answer has no one length");
        }
    }
    return AG_OK;
}

static bool
is_of_connection(const struct upstream_head *head, struct span name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (request_name_is(head->fields[i].name, "connection") &&
            request_list_names(head->fields[i].value, name)) {
            return true;
        }
    }
    return false;
}

static enum ag_err
take_field(const struct upstream_head *head, size_t i, struct proxy_head *ret)
{
    const struct upstream_field *field = &head->fields[i];

    if (request_name_is(field->name, "content-encoding")) {
        return decode_read_codings(field->value, &ret->codings);
    }
    if (request_name_is(field->name, "transfer-encoding")) {
        return check_transfer(head, field->value);
    }
    if (request_name_is(field->name, "content-length")) {
        return set_length(field->value, ret);
    }
    if (is_left_out(field->name) || is_of_connection(head, field->name)) {
        return AG_OK;
    }
    if (ret->field_count == ANSWER_FIELDS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    ret->fields[ret->field_count++] =
        (struct request_field){field->name, field->value};
    return AG_OK;
}

static bool
is_digest(struct span name)
{
    return request_name_is(name, "content-md5") ||
           request_name_is(name, "digest") ||
           request_name_is(name, "content-digest") ||
           request_name_is(name, "repr-digest");
}

/* Is it kept, weak? `at` of another field than an ETag is left as it is. */
static bool
weaken(struct request_field *field, char *at)
{
    static const char WEAK[] = "W/";
    const size_t mark = sizeof(WEAK) - 1;

    if (!request_name_is(field->name, "etag") ||
        span_starts(field->value, span_str(WEAK))) {
        return true;
    }
    if (field->value.len > ANSWER_ETAG_MAX_BYTES - mark) {
        return false;
    }
    memcpy(at, WEAK, mark);
    if (field->value.len > 0) {
        memcpy(at + mark, field->value.ptr, field->value.len);
    }
    field->value = span_of((const uint8_t *)at, mark + field->value.len);
    return true;
}

/* What was said of the bytes as they came; of two ETags neither is one. */
static void
forget_encoded(struct proxy_head *head)
{
    size_t kept = 0;
    size_t tags = 0;

    head->body_bytes = PROXY_BODY_CHUNKED;
    for (size_t i = 0; i < head->field_count; i++) {
        struct request_field *field = &head->fields[i];

        tags += request_name_is(field->name, "etag") ? 1 : 0;
        if (tags < 2 && !is_digest(field->name) && weaken(field, head->etag)) {
            head->fields[kept++] = *field;
        }
    }
    head->field_count = kept;
}

/* By parts, or by differences, a value would pass unseen. */
static enum ag_err
check_status(int status)
{
    static const int PARTS[] = {206, 226, 416};

    for (size_t i = 0; i < AG_COUNT(PARTS); i++) {
        if (status == PARTS[i]) {
            return err_why(AG_EPARTIAL,
                           "the service answers with a part, unasked (%d); it "
                           "can't be searched for values",
                           status);
        }
    }
    return AG_OK;
}

/* For all fields there can be. */
static enum ag_err
take_room(const struct upstream_head *head, struct proxy_head *ret)
{
    size_t count = head->field_count < ANSWER_FIELDS_MAX_COUNT
                       ? head->field_count
                       : ANSWER_FIELDS_MAX_COUNT;

    ret->fields = calloc(count + 1, sizeof(*ret->fields)); /* never of none */
    return ret->fields != NULL ? AG_OK : AG_ENOMEM;
}

enum ag_err
answer_head(const struct upstream_head *head, const struct matcher *filter,
            struct redactor *sieve, struct proxy_head *ret)
{
    const struct search search = {.sieve = sieve, .filter = filter};
    bool found = false;
    enum ag_err err = check_status(head->status);

    buf_init(&ret->changed, 2 * (size_t)ANSWER_HEAD_MAX_BYTES, BUF_WIPE);
    ret->body_bytes = PROXY_BODY_CHUNKED;
    if (err == AG_OK) {
        err = take_room(head, ret);
    }
    for (size_t i = 0; err == AG_OK && i < head->field_count; i++) {
        err = take_field(head, i, ret);
    }
    if (err == AG_OK && ret->codings.count > 0) {
        forget_encoded(ret);
    }
    if (err == AG_OK) {
        err = own_texts(ret);
    }
    if (err == AG_OK) {
        err = has_values(ret, &search, buf_view(&ret->text), &found);
    }
    return err == AG_OK && found ? redact_head(ret, &search) : err;
}
