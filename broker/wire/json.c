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
