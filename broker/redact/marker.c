#include "redact/marker.h"

#include <string.h>

enum ag_err
marker_parse(const char *marker, struct marker *ret)
{
    struct span text = span_str(marker == NULL ? MARKER_DEFAULT : marker);
    size_t at = span_find(text, '%');
    struct span tail = span_sub(text, at, text.len);
    size_t i;

    if (text.len > MARKER_TEXT_MAX_BYTES) {
        return err_why(AG_EINVAL, "marker: longer than %d bytes",
                       (int)MARKER_TEXT_MAX_BYTES);
    }
    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return err_why(AG_EINVAL, "marker: control characters");
        }
    }
    if (tail.len > 0) {
        if (tail.len < 2 || tail.ptr[1] != 's') {
            return err_why(AG_EINVAL, "marker: %% is for %%s only");
        }
        tail = span_sub(tail, 2, tail.len);
        if (span_find(tail, '%') != tail.len) {
            return err_why(AG_EINVAL, "marker: more than one %%s");
        }
    }
    *ret = (struct marker){
        .head_len = at, .tail_len = tail.len, .has_name = at < text.len};
    memcpy(ret->head, text.ptr, at);
    if (tail.len > 0) {
        memcpy(ret->tail, tail.ptr, tail.len);
    }
    return AG_OK;
}

size_t
marker_bytes(const struct marker *m, struct span name)
{
    return m->head_len + (m->has_name ? name.len : 0) + m->tail_len;
}

size_t
marker_write(const struct marker *m, struct span name,
             uint8_t out[MARKER_MAX_BYTES])
{
    size_t len = m->head_len;

    memcpy(out, m->head, len);
    if (m->has_name && name.len > 0) {
        memcpy(out + len, name.ptr, name.len);
        len += name.len;
    }
    memcpy(out + len, m->tail, m->tail_len);
    return len + m->tail_len;
}

bool
marker_begins_in(const struct marker *m, struct span text)
{
    return m->head_len > 0 &&
           memmem(text.ptr, text.len, m->head, m->head_len) != NULL;
}

bool
marker_names(const struct marker *m, struct span text, size_t at, size_t len)
{
    struct span head = span_of(m->head, m->head_len);
    struct span rest = span_sub(text, at, len);

    return head.len > 0 && m->tail_len > 0 && at >= head.len &&
           span_equal(span_sub(text, at - head.len, head.len), head) &&
           memmem(rest.ptr, rest.len, m->tail, m->tail_len) != NULL;
}
