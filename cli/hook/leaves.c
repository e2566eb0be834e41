#include "hook/leaves.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "hook/added.h"
#include "redaction.h"

enum {
    LEAF_MAX_BYTES = 256 * 1024 * 1024, /* redacted: may grow by the names */
    SHAPE_MAX_BYTES = 32,               /* "files_with_matches" */
    SHAPE_DIGITS_MAX_COUNT = 2,         /* "video/mp4"; no number of a card */
};

static const char SHAPE_LETTERS[] = "abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-+./";

static const char PATCH[] = "*** Begin Patch";

typedef enum ag_err leaf_fn(void *ctx, const char *name, const json_t *leaf);

struct walk_leaves {
    leaf_fn *fn;
    void *ctx;
    size_t count;
};

static enum ag_err
walk(struct walk_leaves *w, const char *name, const json_t *value,
     unsigned depth)
{
    const char *key;
    json_t *item;
    size_t i;
    enum ag_err err = AG_OK;

    if (depth == LEAVES_DEPTH_MAX || ++w->count > LEAVES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "the agent's message is too deep or has too "
                                  "many members");
    }
    if (json_is_string(value)) {
        return w->fn(w->ctx, name, value);
    }
    json_array_foreach(value, i, item)
    {
        err = err == AG_OK ? walk(w, name, item, depth + 1) : err;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        err = err == AG_OK ? walk(w, key, item, depth + 1) : err;
    }
    return err;
}

static struct span
leaf_text(const json_t *leaf)
{
    return span_of(json_string_value(leaf), json_string_length(leaf));
}

/* ---- gathered ---- */

static enum ag_err
add_patch(struct added *to, struct span text)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && text.len > 0) {
        size_t len = span_find(text, '\n');
        size_t whole = len < text.len ? len + 1 : len;

        if (text.ptr[0] == '+' || text.ptr[0] == '*') {
            err = added_text_part(to, span_sub(text, 0, whole));
        }
        text = span_sub(text, whole, text.len);
    }
    return err;
}

static enum ag_err
gather_leaf(void *ctx, const char *name, const json_t *leaf)
{
    struct added *to = ctx;
    struct span text = leaf_text(leaf);
    enum ag_err err;

    if (text.len == 0 || strcmp(name, "old_string") == 0) {
        return AG_OK;
    }
    err = added_text(to, name, NULL);
    if (err == AG_OK) {
        err = span_starts(text, span_str(PATCH)) ? add_patch(to, text)
                                                 : added_text_part(to, text);
    }
    return err;
}

enum ag_err
leaves_gather(const json_t *value, struct added *to)
{
    struct walk_leaves w = {.fn = gather_leaf, .ctx = to};

    return walk(&w, "text", value, 0);
}

/* ---- joined ---- */

static enum ag_err
join_leaf(void *ctx, const char *name, const json_t *leaf)
{
    struct buf *out = ctx;
    struct span text = leaf_text(leaf);
    enum ag_err err = AG_OK;

    (void)name;
    if (out->len > 0 && text.len > 0 && out->ptr[out->len - 1] != '\n') {
        err = buf_add_byte(out, '\n');
    }
    return err == AG_OK ? buf_add(out, text) : err;
}

enum ag_err
leaves_join(const json_t *value, struct buf *out)
{
    struct walk_leaves w = {.fn = join_leaf, .ctx = out};

    return walk(&w, "text", value, 0);
}

/* ---- redacted ---- */

static enum ag_err
read_back(int fd, json_t **ret)
{
    AG_AUTO(buf) struct buf text;
    struct stat st;
    uint8_t *room = NULL;
    enum ag_err err;

    buf_init(&text, LEAF_MAX_BYTES, BUF_WIPE);
    if (fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    err = buf_room(&text, (size_t)st.st_size + 1, &room);
    for (ssize_t n = 1; err == AG_OK && n > 0;) {
        n = pread(fd, text.ptr + text.len, (size_t)st.st_size - text.len,
                  (off_t)text.len);
        if (n < 0 && errno != EINTR) {
            err = err_from_errno(errno);
        }
        buf_grew(&text, n > 0 ? (size_t)n : 0);
        n = n < 0 ? 1 : n;
    }
    if (err != AG_OK) {
        return err;
    }
    *ret = json_stringn((const char *)text.ptr, text.len);
    if (*ret == NULL) {
        *ret = json_string("[redacted]"); /* a value cut a letter in two */
    }
    return *ret == NULL ? AG_ENOMEM : AG_OK;
}

static enum ag_err
redact_leaf(struct redaction *r, const json_t *leaf, json_t **ret)
{
    AG_AUTO(fd) int in = memfd_create("told", MFD_CLOEXEC);
    AG_AUTO(fd) int out = memfd_create("redacted", MFD_CLOEXEC);
    json_auto_t *report = NULL;
    enum ag_err err = AG_OK;

    if (in < 0 || out < 0) {
        return err_from_errno(errno);
    }
    err = fd_write_all(in, leaf_text(leaf));
    if (err == AG_OK && lseek(in, 0, SEEK_SET) < 0) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        err = redaction_run(r, "the output", in, out, &report);
    }
    return err == AG_OK ? read_back(out, ret) : err;
}

/* A short word that says of what shape the rest is, "text", "image/png": with
 * another one the agent would not take what it is given. */
static bool
is_shape(const char *name, const json_t *item)
{
    static const char *const names[] = {"type",      "mode",     "media_type",
                                        "mediaType", "mimeType", "mime_type"};
    const struct span text = leaf_text(item);
    size_t digits = 0;
    bool is_named = false;

    for (size_t i = 0; i < AG_COUNT(names); i++) {
        is_named = is_named || strcmp(names[i], name) == 0;
    }
    for (size_t i = 0; is_named && i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        digits += c >= '0' && c <= '9' ? 1 : 0;
        is_named = c != '\0' && strchr(SHAPE_LETTERS, c) != NULL;
    }
    return is_named && text.len <= SHAPE_MAX_BYTES &&
           digits <= SHAPE_DIGITS_MAX_COUNT;
}

static enum ag_err redact_value(struct redaction *r, json_t *value);

/* *ret stays NULL where the item itself goes on to be the right one. */
static enum ag_err
redact_item(struct redaction *r, const char *name, json_t *item, json_t **ret)
{
    if (json_string_length(item) == 0) {
        return redact_value(r, item);
    }
    if (r != NULL) {
        return redact_leaf(r, item, ret);
    }
    if (is_shape(name, item)) {
        return AG_OK;
    }
    *ret = json_string(LEAVES_WITHHELD);
    return *ret == NULL ? AG_ENOMEM : AG_OK;
}

/* Its depth was bounded when it was looked through. */
static enum ag_err
redact_value(struct redaction *r, json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    enum ag_err err = AG_OK;

    json_array_foreach(value, i, item)
    {
        json_t *put = NULL;

        err = err == AG_OK ? redact_item(r, "", item, &put) : err;
        if (put != NULL && json_array_set_new(value, i, put) != 0) {
            err = AG_ENOMEM;
        }
    }
    json_object_foreach(value, key, item)
    {
        json_t *put = NULL;

        err = err == AG_OK ? redact_item(r, key, item, &put) : err;
        if (put != NULL && json_object_iter_set_new(
                               value, json_object_key_to_iter(key), put) != 0) {
            err = AG_ENOMEM;
        }
    }
    return err;
}

enum ag_err
leaves_redact(const json_t *value, struct redaction *r, json_t **ret)
{
    /* One more than the value: it may be a string itself. */
    json_auto_t *box = json_array();
    enum ag_err err;

    if (box == NULL || json_array_append_new(box, json_deep_copy(value)) != 0) {
        return AG_ENOMEM;
    }
    err = redact_value(r, box);
    if (err == AG_OK) {
        *ret = json_incref(json_array_get(box, 0));
    }
    return err;
}
