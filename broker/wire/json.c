#include "wire/json.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/wipealloc.h"

enum {
    POINTER_MAX_BYTES = 1024, /* as a reference: REFERENCE_MAX_BYTES */
    KEY_MAX_BYTES = 512,      /* one step of a pointer */
    NUMBER_BYTES = 40,        /* the text of any JSON number we print */
};

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;

/* jansson does not always say that memory was the reason. */
static _Thread_local bool ran_out;

static void *
allocate(size_t len)
{
    void *ptr = wipe_malloc(len);

    ran_out = ran_out || ptr == NULL;
    return ptr;
}

static void
setup(void)
{
    json_set_alloc_funcs(allocate, wipe_free);
    /* A seed of ours: jansson's own may read the clock, and a caller who
     * knows it could make keys collide. 0 would mean "choose one". */
    json_object_seed(randombytes_random() | 1U);
}

void
wjson_setup(void)
{
    (void)pthread_once(&setup_once, setup);
}

/* What the scan before the parser has seen of the text. */
struct scan {
    size_t depth;
    size_t value_count;
    bool in_string;
    bool escaped;
};

static enum ag_err
scan_byte(struct scan *s, uint8_t c)
{
    if (c == '\0') {
        return err_why(AG_EINVAL, "the JSON text holds a NUL byte");
    }
    if (s->in_string) {
        bool closing = c == '"' && !s->escaped;

        s->escaped = c == '\\' && !s->escaped;
        s->in_string = !closing;
        return AG_OK;
    }
    if (c == '"') {
        s->in_string = true;
    } else if (c == '{' || c == '[') {
        s->depth++;
        s->value_count++;
    } else if (c == '}' || c == ']') {
        s->depth -= s->depth > 0 ? 1 : 0;
    } else if (c == ',') {
        s->value_count++;
    }
    if (s->depth > WJSON_DEPTH_MAX) {
        return err_why(AG_ELIMIT, "the JSON text is nested deeper than %d",
                       WJSON_DEPTH_MAX);
    }
    if (s->value_count > WJSON_VALUES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "the JSON text has more than %d values",
                       WJSON_VALUES_MAX_COUNT);
    }
    return AG_OK;
}

/* Depth and count are bounded before jansson allocates a tree. */
static enum ag_err
scan_text(struct span text)
{
    struct scan s = {0};

    for (size_t i = 0; i < text.len; i++) {
        enum ag_err err = scan_byte(&s, text.ptr[i]);

        if (err != AG_OK) {
            return err;
        }
    }
    return AG_OK;
}

/* jansson's own sentence may quote the text, so ours says only the place. */
static enum ag_err
parse_failure(const json_error_t *error)
{
    if (ran_out) {
        return AG_ENOMEM;
    }
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return AG_ENOMEM;
    case json_error_duplicate_key:
        return err_why(AG_EINVAL,
                       "JSON: an object has the same key twice "
                       "(line %d, column %d)",
                       error->line, error->column);
    case json_error_end_of_input_expected:
        return err_why(AG_EINVAL,
                       "JSON: more text after the end (line %d, column %d)",
                       error->line, error->column);
    case json_error_premature_end_of_input:
        return err_why(AG_EINVAL, "JSON: the text ends too early");
    case json_error_invalid_utf8:
        return err_why(AG_EINVAL, "JSON: not UTF-8 (byte %d)", error->position);
    case json_error_unknown:
    case json_error_stack_overflow:
    case json_error_invalid_argument:
    case json_error_cannot_open_file:
    case json_error_invalid_syntax:
    case json_error_invalid_format:
    case json_error_wrong_type:
    case json_error_null_character:
    case json_error_null_value:
    case json_error_null_byte_in_key:
    case json_error_numeric_overflow:
    case json_error_item_not_found:
    case json_error_index_out_of_range:
        break;
    }
    return err_why(AG_EINVAL, "JSON: not valid at line %d, column %d",
                   error->line, error->column);
}

enum ag_err
wjson_parse(struct span text, size_t max_bytes, json_t **ret)
{
    json_error_t error;
    json_t *tree;
    enum ag_err err;

    wjson_setup();
    if (text.len > max_bytes) {
        return err_why(AG_ELIMIT, "the JSON text is longer than %zu bytes",
                       max_bytes);
    }
    if (text.len == 0) {
        return err_why(AG_EINVAL, "a JSON body is missing");
    }
    err = scan_text(text);
    if (err != AG_OK) {
        return err;
    }
    ran_out = false;
    tree = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES,
                      &error);
    if (tree == NULL) {
        err = parse_failure(&error);
    }
    /* Its text field may quote the input. */
    wipe(&error, sizeof(error));
    if (tree != NULL && ran_out) {
        /* jansson's lexer passes over a failed append: a string may be short. */
        json_decref(tree);
        return AG_ENOMEM;
    }
    if (tree == NULL) {
        return err;
    }
    *ret = tree;
    return AG_OK;
}

struct span
wjson_view(const json_t *string)
{
    return span_of(json_string_value(string), json_string_length(string));
}

/* One step of a pointer, ~0 and ~1 undone, with its NUL. */
static enum ag_err
pointer_step(struct span step, char key[KEY_MAX_BYTES])
{
    size_t n = 0;

    for (size_t i = 0; i < step.len; i++) {
        char c = (char)step.ptr[i];

        if (c == '\0' || n + 1 >= KEY_MAX_BYTES) {
            return err_why(AG_EINVAL, "pointer: a step is too long");
        }
        if (c == '~') {
            if (i + 1 >= step.len ||
                (step.ptr[i + 1] != '0' && step.ptr[i + 1] != '1')) {
                return err_why(AG_EINVAL, "pointer: '~' must be ~0 or ~1");
            }
            i++;
            c = step.ptr[i] == '0' ? '~' : '/';
        }
        key[n++] = c;
    }
    key[n] = '\0';
    return AG_OK;
}

/* RFC 6901: digits without a leading zero. -1 when it is none. */
static json_t *
array_at(const json_t *array, const char *key)
{
    size_t index = 0;

    if (key[0] == '\0' || (key[0] == '0' && key[1] != '\0')) {
        return NULL;
    }
    for (size_t i = 0; key[i] != '\0'; i++) {
        if (key[i] < '0' || key[i] > '9' || index > WJSON_VALUES_MAX_COUNT) {
            return NULL;
        }
        index = index * 10 + (size_t)(key[i] - '0');
    }
    return json_array_get(array, index);
}

enum ag_err
wjson_at(json_t *tree, struct span pointer, json_t **ret)
{
    json_t *at = tree;
    size_t from = 0;

    if (pointer.len > POINTER_MAX_BYTES) {
        return err_why(AG_EINVAL, "pointer: longer than %d bytes",
                       POINTER_MAX_BYTES);
    }
    while (from < pointer.len) {
        char key[KEY_MAX_BYTES];
        struct span rest;
        size_t end;
        enum ag_err err;

        if (pointer.ptr[from] != '/') {
            return err_why(AG_EINVAL, "pointer: each step begins with '/'");
        }
        rest = span_sub(pointer, from + 1, pointer.len);
        end = span_find(rest, '/');
        err = pointer_step(span_sub(rest, 0, end), key);
        if (err != AG_OK) {
            return err;
        }
        at = json_is_array(at) ? array_at(at, key) : json_object_get(at, key);
        if (at == NULL) {
            return err_why(AG_ENOTFOUND, "the value has no field %.*s",
                           (int)(from + 1 + end), (const char *)pointer.ptr);
        }
        from += 1 + end;
    }
    *ret = at;
    return AG_OK;
}

enum ag_err
wjson_secret_at(json_t *tree, struct span pointer, struct secret **ret)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    json_t *at = NULL;
    size_t len;
    enum ag_err err = wjson_at(tree, pointer, &at);

    if (err != AG_OK) {
        return err;
    }
    if (json_is_string(at)) {
        return secret_from(wjson_view(at), ret);
    }
    len = json_dumpb(at, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    if (len == 0) {
        return AG_ENOMEM;
    }
    err = secret_new(len, &plain);
    if (err != AG_OK) {
        return err;
    }
    if (json_dumpb(at, (char *)secret_bytes(plain), len,
                   JSON_COMPACT | JSON_ENCODE_ANY) != len) {
        return AG_ENOMEM;
    }
    *ret = AG_TAKE(plain);
    return AG_OK;
}

/* The walk keeps one pointer text and cuts it back after each child. */
struct walk {
    wjson_visit_fn visit;
    void *ctx;
    struct buf at;
};

static enum ag_err
walk_push(struct walk *w, const char *key)
{
    enum ag_err err = buf_add_byte(&w->at, '/');

    for (size_t i = 0; err == AG_OK && key[i] != '\0'; i++) {
        if (key[i] == '~' || key[i] == '/') {
            err = buf_add_str(&w->at, key[i] == '~' ? "~0" : "~1");
        } else {
            err = buf_add_byte(&w->at, (uint8_t)key[i]);
        }
    }
    return err;
}

static enum ag_err
walk_leaf(const struct walk *w, const json_t *leaf)
{
    char number[NUMBER_BYTES];
    struct span text = {0};
    enum ag_err err;
    int len = 0;

    switch (json_typeof(leaf)) {
    case JSON_STRING:
        text = wjson_view(leaf);
        break;
    case JSON_INTEGER:
        len = snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
                       json_integer_value(leaf));
        text = span_of(number, (size_t)len);
        break;
    case JSON_REAL:
        len = snprintf(number, sizeof(number), "%.17g", json_real_value(leaf));
        text = span_of(number, (size_t)len);
        break;
    case JSON_TRUE:
        text = span_str("true");
        break;
    case JSON_FALSE:
        text = span_str("false");
        break;
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY:
        return AG_OK;
    }
    err = w->visit(w->ctx, buf_view(&w->at), text);
    wipe(number, sizeof(number));
    return err;
}

static enum ag_err walk_node(struct walk *w, json_t *node);

static enum ag_err
walk_child(struct walk *w, const char *key, json_t *child)
{
    size_t mark = w->at.len;
    enum ag_err err = walk_push(w, key);

    if (err == AG_OK) {
        err = walk_node(w, child);
    }
    buf_truncate(&w->at, mark);
    return err;
}

/* Recursion is bounded: the parser refused more than WJSON_DEPTH_MAX. */
static enum ag_err
walk_node(struct walk *w, json_t *node)
{
    enum ag_err err = AG_OK;

    if (json_is_object(node)) {
        for (void *it = json_object_iter(node); it != NULL && err == AG_OK;
             it = json_object_iter_next(node, it)) {
            err = walk_child(w, json_object_iter_key(it),
                             json_object_iter_value(it));
        }
        return err;
    }
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node) && err == AG_OK; i++) {
            char key[NUMBER_BYTES];

            (void)snprintf(key, sizeof(key), "%zu", i);
            err = walk_child(w, key, json_array_get(node, i));
        }
        return err;
    }
    return walk_leaf(w, node);
}

enum ag_err
wjson_walk(json_t *tree, wjson_visit_fn visit, void *ctx)
{
    struct walk w = {.visit = visit, .ctx = ctx};
    enum ag_err err;

    buf_init(&w.at, WJSON_MAX_BYTES, BUF_WIPE);
    err = walk_node(&w, tree);
    buf_done(&w.at);
    return err;
}

enum ag_err
wjson_dump(const json_t *tree, struct buf *out)
{
    size_t len = json_dumpb(tree, NULL, 0, JSON_COMPACT);
    uint8_t *room = NULL;
    enum ag_err err;

    if (len == 0) {
        return AG_ENOMEM;
    }
    err = buf_room(out, len, &room);
    if (err != AG_OK) {
        return err;
    }
    if (json_dumpb(tree, (char *)room, len, JSON_COMPACT) != len) {
        return AG_ENOMEM;
    }
    buf_grew(out, len);
    return AG_OK;
}
