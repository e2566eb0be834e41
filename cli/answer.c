#include "answer.h"

#include <string.h>
#include <strings.h>

#include "base/parse.h"

enum {
    STATUS_LINE_MIN_BYTES = 13, /* "HTTP/1.1 200 " */
    LENGTH_MAX = 1 << 30,
};

static const char END[] = "\r\n\r\n";

size_t
answer_head_len(struct span received)
{
    const uint8_t *end =
        received.len < 4 ? NULL : memmem(received.ptr, received.len, END, 4);

    return end == NULL ? 0 : (size_t)(end - received.ptr) + 4;
}

/* Takes one line without its CRLF off the front. */
static enum ag_err
take_line(struct span *rest, struct span *ret)
{
    size_t len = span_find(*rest, '\r');

    if (len + 1 >= rest->len || rest->ptr[len + 1] != '\n') {
        return err_why(AG_ECORRUPT, "the broker's answer is not HTTP");
    }
    *ret = span_sub(*rest, 0, len);
    for (size_t i = 0; i < len; i++) {
        if (ret->ptr[i] < 0x20 && ret->ptr[i] != '\t') {
            return err_why(AG_ECORRUPT, "the broker's answer holds a control "
                                        "byte");
        }
    }
    *rest = span_sub(*rest, len + 2, rest->len - len - 2);
    return AG_OK;
}

static enum ag_err
parse_status(struct span line, int *ret)
{
    uint64_t code = 0;

    if (line.len < STATUS_LINE_MIN_BYTES ||
        !span_starts(line, span_str("HTTP/1.1 ")) || line.ptr[12] != ' ' ||
        parse_u64(span_sub(line, 9, 3), 599, &code) != AG_OK || code < 200) {
        return err_why(AG_ECORRUPT, "the broker's answer is not HTTP/1.1");
    }
    *ret = (int)code;
    return AG_OK;
}

static bool
name_is(struct span name, const char *want)
{
    return name.len == strlen(want) &&
           strncasecmp((const char *)name.ptr, want, name.len) == 0;
}

static struct span
trim(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = span_sub(text, 1, text.len - 1);
    }
    while (text.len > 0 &&
           (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text = span_sub(text, 0, text.len - 1);
    }
    return text;
}

struct lengths {
    uint64_t value;
    unsigned count;
};

static enum ag_err
parse_header(struct span line, struct answer_head *head, struct lengths *len)
{
    size_t colon = span_find(line, ':');
    struct span name = span_sub(line, 0, colon);
    struct span value;

    if (colon == 0 || colon == line.len || line.ptr[0] == ' ' ||
        line.ptr[0] == '\t' || line.ptr[colon - 1] == ' ') {
        return err_why(AG_ECORRUPT, "a header of the broker's answer is none");
    }
    value = trim(span_sub(line, colon + 1, line.len - colon - 1));
    if (name_is(name, "Transfer-Encoding")) {
        return err_why(AG_ECORRUPT, "the broker's answer comes in pieces");
    }
    if (name_is(name, "Connection")) {
        head->close = head->close || name_is(value, "close");
    }
    if (name_is(name, "Content-Length")) {
        len->count++;
        if (parse_u64(value, LENGTH_MAX, &len->value) != AG_OK) {
            return err_why(AG_ECORRUPT, "the broker's answer has a bad length");
        }
    }
    return AG_OK;
}

enum ag_err
answer_parse(struct span head, size_t body_max, struct answer_head *ret)
{
    struct answer_head found = {0};
    struct lengths len = {0};
    struct span line = {0};
    enum ag_err err = take_line(&head, &line);

    if (err == AG_OK) {
        err = parse_status(line, &found.status);
    }
    while (err == AG_OK) {
        err = take_line(&head, &line);
        if (err != AG_OK || line.len == 0) {
            break;
        }
        err = parse_header(line, &found, &len);
    }
    if (err != AG_OK) {
        return err;
    }
    if (len.count > 1 || (len.count == 0 && found.status != 204)) {
        return err_why(AG_ECORRUPT, "the broker's answer needs one length");
    }
    if (found.status == 204 && len.value != 0) {
        return err_why(AG_ECORRUPT, "the broker's answer should be empty");
    }
    if (len.value > body_max) {
        return err_why(AG_ELIMIT,
                       "the broker's answer is larger than %zu "
                       "bytes",
                       body_max);
    }
    found.body_len = (size_t)len.value;
    *ret = found;
    return AG_OK;
}
