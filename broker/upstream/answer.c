#include "upstream/answer.h"

#include <stdlib.h>

#include "upstream/request.h"

enum {
    FIELDS_FIRST_COUNT = 32,
    STATUS_DIGITS_COUNT = 3,
    STATUS_SWITCHING = 101,
    STATUS_FINAL = 200, /* below: interim */
};

void
answer_init(struct answer *a, bool upgrade)
{
    *a = (struct answer){.upgrade = upgrade};
    buf_init(&a->text, UPSTREAM_ANSWER_HEAD_MAX_BYTES, BUF_WIPE);
}

void
answer_done(struct answer *a)
{
    buf_done(&a->text);
    free(a->at);
    free(a->fields);
}

void
answer_forget(struct answer *a)
{
    buf_clear(&a->text);
    a->count = 0;
    free(a->fields);
    a->fields = NULL;
}

static struct span
without_line_end(struct span line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\n') {
        line.len--;
    }
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct span
trimmed(struct span text)
{
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text = span_sub(text, 1, text.len);
    }
    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200 ". */
static enum ag_err
read_status(struct answer *a, struct span line)
{
    size_t at = span_find(line, ' ') + 1;
    int status = 0;

    for (size_t i = at; i < at + STATUS_DIGITS_COUNT; i++) {
        if (i >= line.len || line.ptr[i] < '0' || line.ptr[i] > '9') {
            return err_why(AG_EUPSTREAM, "the status line is not one");
        }
        status = status * 10 + (line.ptr[i] - '0');
    }
    if (status < 100) {
        return err_why(AG_EUPSTREAM, "the status line is not one");
    }
    answer_forget(a);
    a->status = status;
    a->state = ANSWER_LINES;
    return AG_OK;
}

static enum ag_err
end_head(struct answer *a)
{
    bool final = a->status >= STATUS_FINAL ||
                 (a->status == STATUS_SWITCHING && a->upgrade);

    if (a->status == STATUS_SWITCHING && !a->upgrade) {
        return err_why(AG_EUPSTREAM, "an upgrade that nobody asked for");
    }
    a->state = final ? ANSWER_HEAD : ANSWER_NONE;
    return AG_OK;
}

static enum ag_err
grow(struct answer *a)
{
    size_t cap = a->cap == 0 ? FIELDS_FIRST_COUNT : a->cap * 2;
    struct answer_at *at;

    if (a->count < a->cap) {
        return AG_OK;
    }
    if (a->count >= UPSTREAM_ANSWER_FIELDS_MAX_COUNT) {
        return err_why(AG_EUPSTREAM, "more than %d fields",
                       (int)UPSTREAM_ANSWER_FIELDS_MAX_COUNT);
    }
    at = realloc(a->at, cap * sizeof(*at));
    if (at == NULL) {
        return AG_ENOMEM;
    }
    a->at = at;
    a->cap = cap;
    return AG_OK;
}

static bool
has_control_byte(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] < ' ' && text.ptr[i] != '\t') || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static enum ag_err
read_field(struct answer *a, struct span line)
{
    size_t colon = span_find(line, ':');
    struct span name = span_sub(line, 0, colon);
    struct span value = trimmed(span_sub(line, colon + 1, line.len));
    enum ag_err err;

    if (colon == line.len || !request_is_token(name) ||
        has_control_byte(value)) {
        return err_why(AG_EUPSTREAM, "a field of the answer is not one");
    }
    err = grow(a);
    if (err != AG_OK) {
        return err;
    }
    a->at[a->count] = (struct answer_at){
        .name = (uint32_t)a->text.len,
        .name_len = (uint32_t)name.len,
        .value = (uint32_t)(a->text.len + name.len),
        .value_len = (uint32_t)value.len,
    };
    err = buf_add(&a->text, name);
    if (err == AG_OK) {
        err = buf_add(&a->text, value);
    }
    if (err != AG_OK) {
        buf_truncate(&a->text, a->at[a->count].name);
    }
    if (err == AG_ELIMIT) {
        return err_why(AG_EUPSTREAM,
                       "the answer's head is larger than %d bytes",
                       (int)UPSTREAM_ANSWER_HEAD_MAX_BYTES);
    }
    a->count += err == AG_OK ? 1 : 0;
    return err;
}

enum ag_err
answer_line(struct answer *a, struct span line)
{
    bool begins = span_starts(line, span_str("HTTP/"));

    line = without_line_end(line);
    switch (a->state) {
    case ANSWER_NONE:
        return begins ? read_status(a, line)
                      : err_why(AG_EUPSTREAM, "the answer is not HTTP");
    case ANSWER_LINES:
        if (line.len == 0) {
            return end_head(a);
        }
        return read_field(a, line);
    case ANSWER_HEAD:
    case ANSWER_TRAILER:
        if (begins) {
            return err_why(AG_EUPSTREAM, "the answer begins twice");
        }
        a->state = ANSWER_TRAILER;
        return line.len == 0 ? AG_OK : read_field(a, line);
    }
    return AG_EINTERNAL;
}

enum ag_err
answer_fields(struct answer *a, struct upstream_head *ret)
{
    free(a->fields);
    a->fields = calloc(a->count + 1, sizeof(*a->fields));
    if (a->fields == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct answer_at *at = &a->at[i];

        a->fields[i].name =
            span_sub(buf_view(&a->text), at->name, at->name_len);
        a->fields[i].value =
            span_sub(buf_view(&a->text), at->value, at->value_len);
    }
    *ret = (struct upstream_head){
        .status = a->status,
        .fields = a->fields,
        .field_count = a->count,
    };
    return AG_OK;
}
