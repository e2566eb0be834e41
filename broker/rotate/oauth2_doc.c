#include "rotate/oauth2_doc.h"

#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "profile/leaf.h"
#include "profile/respell.h"

bool
oauth2_doc_add(struct oauth2_doc *doc, const char *field, struct span value)
{
    if (doc->count == OAUTH2_CHANGES_MAX_COUNT) {
        return false;
    }
    doc->changes[doc->count++] = (struct oauth2_change){field, value};
    return true;
}

struct making_doc {
    const struct oauth2_doc *doc;
    struct span from;
    enum file_format format;
    struct secret *to;
    size_t done; /* of `from` */
    size_t at;   /* of `to` */
};

static enum ag_err
put(struct making_doc *m, struct span bytes)
{
    if (bytes.len > secret_len(m->to) - m->at) {
        return AG_ELIMIT;
    }
    if (bytes.len > 0) {
        memcpy(secret_bytes(m->to) + m->at, bytes.ptr, bytes.len);
    }
    m->at += bytes.len;
    return AG_OK;
}

static const struct oauth2_change *
change_of(const struct oauth2_doc *doc, const char *pointer)
{
    for (size_t i = 0; i < doc->count; i++) {
        if (strcmp(doc->changes[i].field, pointer) == 0) {
            return &doc->changes[i];
        }
    }
    return NULL;
}

static bool
is_number(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return text.len > 0;
}

static enum ag_err
spell(const struct making_doc *m, const struct leaf *leaf, struct span value,
      struct buf *out)
{
    struct leaf text = *leaf;
    enum ag_err err = AG_OK;

    if (m->format != FORMAT_JSON || leaf->kind != LEAF_WORD ||
        is_number(value)) {
        return respell(leaf, value, out);
    }
    text.spelling = SPELL_JSON;
    err = buf_add_byte(out, '"');
    if (err == AG_OK) {
        err = respell(&text, value, out);
    }
    return err == AG_OK ? buf_add_byte(out, '"') : err;
}

static enum ag_err
each_leaf(void *arg, const struct leaf *leaf)
{
    struct making_doc *m = arg;
    AG_AUTO(buf) struct buf text = {0};
    const struct oauth2_change *change =
        leaf->kind == LEAF_TREE ? NULL : change_of(m->doc, leaf->pointer);
    size_t at = (size_t)(leaf->raw.ptr - m->from.ptr);
    enum ag_err err = AG_OK;

    if (change == NULL) {
        return AG_OK;
    }
    buf_init(&text, SECRET_MAX_BYTES, BUF_WIPE);
    err = spell(m, leaf, change->value, &text);
    if (err == AG_OK) {
        err = put(m, span_sub(m->from, m->done, at - m->done));
    }
    m->done = at + leaf->raw.len;
    return err == AG_OK ? put(m, buf_view(&text)) : err;
}

enum ag_err
oauth2_doc_make(const struct oauth2_doc *doc, struct span content,
                enum file_format format, struct secret **ret)
{
    AG_AUTO(secret) struct secret *made = NULL;
    struct making_doc m = {.doc = doc, .from = content, .format = format};
    size_t room = content.len;
    enum ag_err err = AG_OK;

    /* No spelling makes more than six bytes of one. */
    for (size_t i = 0; i < doc->count; i++) {
        room += 6 * doc->changes[i].value.len + 2;
    }
    err = secret_new(room < SECRET_MAX_BYTES ? room : SECRET_MAX_BYTES, &made);
    if (err != AG_OK) {
        return err;
    }
    m.to = made;
    err = leaf_walk(content, format, each_leaf, &m);
    if (err == AG_OK) {
        err = put(&m, span_sub(content, m.done, content.len));
    }
    if (err != AG_OK) {
        return err;
    }
    secret_shrink(made, m.at);
    *ret = AG_TAKE(made);
    return AG_OK;
}
