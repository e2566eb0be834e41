#include "profile/secrecy.h"

#include <string.h>

#include "base/parse.h"
#include "profile/fields.h"

struct secrecy
secrecy_of(const struct profile_file *file, enum file_format format)
{
    return (struct secrecy){
        .patterns = file == NULL ? NULL : &file->secrets,
        .whole = format == FORMAT_OPAQUE || format == FORMAT_PEM ||
                 format == FORMAT_SQLITE,
    };
}

static bool
all_of(struct span text, const char *bytes)
{
    size_t len = strlen(bytes);

    for (size_t i = 0; i < text.len; i++) {
        if (memchr(bytes, text.ptr[i], len) == NULL) {
            return false;
        }
    }
    return true;
}

bool
secrecy_is_harmless(struct span text)
{
    int64_t ms = 0;

    if (text.len < FIELD_UNDECLARED_MIN_BYTES || all_of(text, "0123456789.-")) {
        return true;
    }
    if (span_starts(text, span_str("http://")) ||
        span_starts(text, span_str("https://"))) {
        return true;
    }
    if ((text.ptr[0] == '/' || text.ptr[0] == '~') &&
        span_find(text, '=') == text.len && span_find(text, '+') == text.len) {
        return true;
    }
    return text.len < 40 && parse_time_ms(text, &ms) == AG_OK;
}

bool
secrecy_is_indirect(struct span text)
{
    struct span name = span_sub(text, 1, text.len);

    if (text.len < 2 || text.ptr[0] != '$') {
        return false;
    }
    if (name.len > 2 && name.ptr[0] == '{' && name.ptr[name.len - 1] == '}') {
        name = span_sub(name, 1, name.len - 2);
    }
    return parse_env_name(name) == AG_OK;
}

static bool
is_declared(const struct secrecy *s, const char *pointer)
{
    for (size_t i = 0; i < s->patterns->count; i++) {
        if (field_match(s->patterns->items[i], pointer)) {
            return true;
        }
    }
    return false;
}

bool
secrecy_is_open(const struct secrecy *s, const struct leaf *leaf,
                struct span value)
{
    if (s->patterns != NULL && s->patterns->count > 0) {
        return !is_declared(s, leaf->pointer) || span_is(value, "true") ||
               span_is(value, "false") || span_is(value, "null");
    }
    return leaf->kind == LEAF_WORD || secrecy_is_harmless(value);
}
