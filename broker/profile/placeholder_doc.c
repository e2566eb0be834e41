#include <string.h>

#include "base/parse.h"
#include "base/secret.h"
#include "profile/fields.h"
#include "profile/leaf.h"
#include "profile/placeholder.h"
#include "profile/placeholder_parts.h"
#include "profile/respell.h"
#include "profile/secrecy.h"

/* A document on its way: what stands before the leaf that is next was copied. */
struct doc {
    const struct placeholder_want *want;
    struct secrecy secrecy;
    enum file_format format;
    struct span from;
    size_t done;
    uint64_t *count;   /* of fields so far; shared with the texts inside */
    const char *outer; /* the pointer of the field this text is in, or NULL */
    bool in_url;
    struct placeholder_undo *undo; /* NULL: placeholders are made */
    struct buf *out;
};

static enum ag_err
copy_to(struct doc *d, size_t at)
{
    enum ag_err err;

    AG_ASSERT(at >= d->done && at <= d->from.len);
    err = buf_add(d->out, span_sub(d->from, d->done, at - d->done));
    if (err == AG_OK) {
        d->done = at;
    }
    return err;
}

static const char *
pointer_of(const struct doc *d, const struct leaf *leaf)
{
    return d->outer != NULL ? d->outer : leaf->pointer;
}

static enum ag_err
tell(struct doc *d, struct placeholder_field *field)
{
    *d->count += 1;
    return d->want->each == NULL ? AG_OK : d->want->each(d->want->arg, field);
}

/* The value that a placeholder stands for. */
static enum ag_err
put_back(struct doc *d, const struct leaf *leaf, struct span value,
         struct buf *out)
{
    AG_AUTO(secret) struct secret *real = NULL;
    struct span back = {0};
    uint64_t id = 0;
    enum ag_err err = placeholder_read(d->undo->key, value, &id);

    if (err == AG_OK) {
        err = d->undo->value(d->undo->arg, pointer_of(d, leaf), id, &real);
    }
    if (err == AG_ENOTFOUND) {
        d->undo->others_count++;
        return buf_add(out, value);
    }
    if (err != AG_OK) {
        return err;
    }
    d->undo->ours_count++;
    back = secret_view(real);
    /* The end of the file is not the leaf's. */
    if (d->secrecy.whole && back.len > 0 && back.ptr[back.len - 1] == '\n') {
        back = span_sub(back, 0, back.len - 1);
    }
    return buf_add(out, back);
}

/* One value: its placeholder or, if it can't have one, its dummy. */
static enum ag_err
make(struct doc *d, const struct leaf *leaf, struct span value, struct buf *out)
{
    struct placeholder_field field = {.pointer = pointer_of(d, leaf),
                                      .id = d->want->id + *d->count,
                                      .partial = d->outer != NULL || d->in_url};
    struct making m = {.key = d->want->key, .id = field.id};
    const char *shaped = d->secrecy.whole ? "" : field.pointer;
    const struct profile_shape *shape =
        placeholder_shape(d->want->profiles, d->want->profile, shaped, value);
    enum ag_err err;

    if (field.id >> PLACEHOLDER_ID_BITS != 0) {
        return err_why(AG_EINVAL, "a placeholder's id has 48 bits");
    }
    field.dummy = leaf->kind == LEAF_WORD;
    err =
        field.dummy ? AG_OK : placeholder_make(m.key, m.id, shape, value, out);
    if (err == AG_EUNSUPPORTED && key_is_armour(value)) {
        return err_why(err, "%s: %s", field.pointer, err_text(err));
    }
    if (err == AG_EUNSUPPORTED) {
        field.dummy = true;
    }
    if (field.dummy) {
        err = dummy_make(&m, value, leaf->kind == LEAF_WORD, out);
    }
    return err == AG_OK ? tell(d, &field) : err;
}

static enum ag_err
replace(struct doc *d, const struct leaf *leaf, struct span value,
        struct buf *out)
{
    return d->undo != NULL ? put_back(d, leaf, value, out)
                           : make(d, leaf, value, out);
}

static enum ag_err each_leaf(void *arg, const struct leaf *leaf);

/* A JSON text within a field: its long strings alone. */
static enum ag_err
replace_inside(struct doc *d, const struct leaf *leaf, struct span value,
               struct buf *out)
{
    struct doc inner = {
        .want = d->want,
        .secrecy = secrecy_of(NULL, FORMAT_JSON),
        .format = FORMAT_JSON,
        .from = value,
        .count = d->count,
        .outer = pointer_of(d, leaf),
        .undo = d->undo,
        .out = out,
    };
    enum ag_err err = leaf_walk(value, FORMAT_JSON, each_leaf, &inner);

    return err == AG_OK ? copy_to(&inner, value.len) : err;
}

static enum ag_err
replace_password(struct doc *d, const struct leaf *leaf, struct span value,
                 struct buf *out)
{
    AG_AUTO(buf) struct buf made = {0};
    AG_AUTO(secret) struct secret *password = NULL;
    struct span raw = url_password(value);
    struct leaf part = {
        .pointer = leaf->pointer, .spelling = SPELL_PERCENT, .raw = raw};
    size_t at = (size_t)(raw.ptr - value.ptr);
    enum ag_err err;

    buf_init(&made, PLACEHOLDER_MAX_BYTES, BUF_WIPE);
    err = leaf_value(&part, &password);
    if (err == AG_OK) {
        d->in_url = true;
        err = replace(d, &part, secret_view(password), &made);
        d->in_url = false;
    }
    if (err == AG_OK) {
        err = buf_add(out, span_sub(value, 0, at));
    }
    if (err == AG_OK) {
        err = respell(&part, buf_view(&made), out);
    }
    return err == AG_OK ? buf_add(out, span_sub(value, at + raw.len, value.len))
                        : err;
}

static bool
has_shape(const struct doc *d, const char *pointer)
{
    const struct profile *p = d->want->profile;

    for (size_t i = 0; p != NULL && d->outer == NULL && i < p->shapes.count;
         i++) {
        const char *field = p->shapes.items[i].field;

        if (field != NULL && field_match(field, pointer)) {
            return true;
        }
    }
    return false;
}

/* An object or, with `array`, a list? A text that is not of JSON is none. */
static enum ag_err
ask_json(struct span value, bool array, bool *ret)
{
    bool may = value.len >= 2 &&
               (value.ptr[0] == '{' || (array && value.ptr[0] == '['));
    enum ag_err err = may ? fields_check(value, FORMAT_JSON) : AG_EINVAL;

    *ret = err == AG_OK;
    return err == AG_EINVAL || err == AG_ELIMIT ? AG_OK : err;
}

/* true, null, a date: no credential, and its letters have a meaning. */
static bool
is_fixed(const struct leaf *leaf, struct span value)
{
    static const char NUMBER[] = "0123456789.+-eE";

    for (size_t i = 0; leaf->kind == LEAF_WORD && i < value.len; i++) {
        if (memchr(NUMBER, value.ptr[i], sizeof(NUMBER) - 1) == NULL) {
            return true;
        }
    }
    return leaf->kind == LEAF_WORD &&
           parse_time_ms(value, &(int64_t){0}) == AG_OK;
}

/* What a leaf becomes; nothing is appended when it stays as it is. */
static enum ag_err
change(struct doc *d, const struct leaf *leaf, struct span value,
       struct buf *out)
{
    bool secret = d->secrecy.whole ||
                  !secrecy_is_open(&d->secrecy, leaf, value) ||
                  has_shape(d, leaf->pointer);
    struct span password = url_password(value);
    bool json = false;
    enum ag_err err = AG_OK;

    if (value.len == 0 || secrecy_is_indirect(value) || is_fixed(leaf, value)) {
        return AG_OK;
    }
    if (!secret) {
        return password.len == 0 || secrecy_is_indirect(password)
                   ? AG_OK
                   : replace_password(d, leaf, value, out);
    }
    if (!d->secrecy.whole && d->outer == NULL) {
        err = ask_json(value, false, &json);
    }
    if (err != AG_OK) {
        return err;
    }
    return json ? replace_inside(d, leaf, value, out)
                : replace(d, leaf, value, out);
}

static enum ag_err
each_leaf(void *arg, const struct leaf *leaf)
{
    struct doc *d = arg;
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(buf) struct buf made = {0};
    enum ag_err err;

    if (leaf->kind == LEAF_TREE) {
        return d->format == FORMAT_YAML && leaf->raw.len > 2
                   ? err_why(AG_EUNSUPPORTED,
                             "%s: there are no placeholders in a flow list",
                             leaf->pointer)
                   : AG_OK;
    }
    buf_init(&made, (size_t)PLACEHOLDER_MAX_BYTES * 2, BUF_WIPE);
    err = leaf_value(leaf, &value);
    if (err == AG_OK) {
        err = change(d, leaf, secret_view(value), &made);
    }
    if (err != AG_OK || made.len == 0) {
        return err;
    }
    err = copy_to(d, (size_t)(leaf->raw.ptr - d->from.ptr));
    if (err == AG_OK) {
        err = respell(leaf, buf_view(&made), d->out);
        d->done += leaf->raw.len;
    }
    return err;
}

/* As format_guess(), which takes text for opaque when memory is short. */
static enum ag_err
guess(struct span content, enum file_format *ret)
{
    struct span text = content;
    bool json = false;
    enum ag_err err;

    while (text.len > 0 && memchr(" \t\r\n", text.ptr[0], 4) != NULL) {
        text = span_sub(text, 1, text.len);
    }
    err = ask_json(text, true, &json);
    if (err == AG_OK) {
        *ret = json ? FORMAT_JSON : format_guess(content);
    }
    return err;
}

/* The whole of `content` through `d`, whose `want` says of which profile. */
static enum ag_err
walk(struct doc *d, struct span content)
{
    const struct placeholder_want *want = d->want;
    const struct profile_file *file = NULL;
    size_t before = d->out->len;
    enum ag_err err = AG_OK;

    d->from = content;
    if (want->profile != NULL) {
        AG_ASSERT(want->file_index < want->profile->files.count);
        file = &want->profile->files.items[want->file_index];
        d->format = file->format;
    } else {
        err = guess(content, &d->format);
    }
    d->secrecy = secrecy_of(file, d->format);
    if (err == AG_OK) {
        err = fields_check(content, d->format);
    }
    if (err == AG_OK) {
        err = leaf_walk(content, d->format, each_leaf, d);
    }
    if (err == AG_OK) {
        err = copy_to(d, content.len);
    }
    if (err != AG_OK) {
        buf_truncate(d->out, before);
    }
    return err;
}

enum ag_err
placeholder_document(const struct placeholder_want *want, struct span content,
                     struct buf *out)
{
    uint64_t count = 0;
    struct doc d = {.want = want, .count = &count, .out = out};

    return walk(&d, content);
}

enum ag_err
placeholder_undo(struct placeholder_undo *how, struct span content,
                 struct buf *out)
{
    const struct placeholder_want want = {.profile = how->profile,
                                          .file_index = how->file_index};
    uint64_t count = 0;
    struct doc d = {.want = &want, .count = &count, .undo = how, .out = out};

    how->ours_count = 0;
    how->others_count = 0;
    return walk(&d, content);
}
